"""How far the sum of a factor's items is the same thing measured again: alpha and omega."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from customerlab.drivers.factors import Factors
from customerlab.drivers.redrawn import FEWEST
from customerlab.messages import Message, say

#: Below this a sum of items is too unreliable for research (Nunnally 1978).
RELIABLE = 0.7


def cronbach_alpha(matrix: np.ndarray) -> float:
    """Return Cronbach's alpha (1951): of correlations the standardised, of covariances the raw."""
    k = len(matrix)
    if k < 2:
        return float("nan")
    return float(k / (k - 1) * (1 - np.trace(matrix) / matrix.sum()))


def omega_total(matrix: np.ndarray, uniqueness: np.ndarray) -> float:
    """Return McDonald's omega total (1999): what of the sum's variance all factors tell.

    ``1 - sum(uniqueness) / sum(correlations)``: psych's ``omega.tot``.
    """
    return float(1 - uniqueness.sum() / matrix.sum())


@dataclass(frozen=True)
class Reliability:
    """Reliability of the sum of each factor's own items.

    Attributes
    ----------
    table : DataFrame
        One row a factor: ``factor``, ``items`` (how many belong to it; those with a negative
        loading count reversed), ``alpha`` (standardised; missing for one item), ``alpha_low``,
        ``alpha_high``, ``omega`` (total), ``omega_low``, ``omega_high``: 95 %, percentiles of the
        resamples.
    omega : float
        Omega total of all items, reversed as in the table.
    text : Message
    """

    table: pd.DataFrame
    omega: float
    text: Message


def judge_reliability(
    matrix: np.ndarray, factors: Factors, names: Mapping[str, Message | str] | None = None
) -> Reliability:
    """Work out alpha and omega of each factor's own items.

    Parameters
    ----------
    matrix : ndarray of shape (items, items)
        The correlations that `factors` come from.
    factors : Factors
    names : mapping, optional
        Of factors, for the text.
    """
    own = np.abs(factors.pattern).argmax(axis=1) if factors.names else np.full(len(matrix), -1)
    rows = []
    for i, name in enumerate(factors.names):
        at = np.flatnonzero(own == i)
        if not len(at):
            rows.append((name, 0, *[np.nan] * 6))
            continue
        turn = np.where(factors.pattern[at, i] < 0, -1.0, 1.0)

        def sums(whole: np.ndarray, at: np.ndarray = at, turn: np.ndarray = turn) -> np.ndarray:
            return whole[np.ix_(at, at)] * np.outer(turn, turn)

        draws = factors.draws
        alphas = [cronbach_alpha(sums(one)) for one in draws.matrices]
        omegas = [
            omega_total(sums(one), uniqueness[at])
            for one, uniqueness in zip(draws.matrices, draws.uniqueness, strict=True)
        ]
        rows.append(
            (
                name,
                len(at),
                cronbach_alpha(sums(matrix)),
                *_between(alphas),
                omega_total(sums(matrix), factors.uniqueness[at]),
                *_between(omegas),
            )
        )
    columns = ["factor", "items"]
    columns += [f"{what}{end}" for what in ("alpha", "omega") for end in ("", "_low", "_high")]
    table = pd.DataFrame(rows, columns=columns)
    if table["omega"].notna().sum() == 0:
        return Reliability(table, float("nan"), say("There is no factor to judge."))
    turn = np.where(factors.pattern[np.arange(len(own)), own] < 0, -1.0, 1.0)
    whole = omega_total(matrix * np.outer(turn, turn), factors.uniqueness)
    return Reliability(table, whole, _text(table, names or {}))


def _between(values: list[float]) -> tuple[float, float]:
    if len(values) < FEWEST:
        return float("nan"), float("nan")
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)


def _text(table: pd.DataFrame, names: Mapping[str, Message | str]) -> Message:
    worst = table.loc[table["omega"].idxmin()]
    words = {
        "factor": names.get(worst["factor"], worst["factor"]),
        "omega": worst["omega"],
        "least": RELIABLE,
    }
    if worst["omega"] >= RELIABLE:
        return say(
            "The items of every factor measure it reliably: omega is {omega:number2} or more "
            "({least:number2} is asked for), the least for {factor}.",
            **words,
        )
    return say(
        "Not every factor is measured reliably: omega of {factor} is {omega:number2}, below "
        "{least:number2}.",
        **words,
    )
