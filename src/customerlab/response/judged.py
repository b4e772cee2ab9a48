"""How well chances of a response rank and how true they are, on contacts not seen by the model.

AUC with DeLong's error (1988), average precision, gains and lift, calibration (Austin and others
2020). Contacts with the same customer are not independent: they are resampled, and their errors
added up, by customer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from customerlab.churn.calibration import CURVE_COLUMNS, curve_of
from customerlab.churn.curves import status_of
from customerlab.churn.hazard import Z
from customerlab.churn.measures import Judged, auc_interval, measure
from customerlab.findings import Status
from customerlab.messages import Message, say

#: Shares of the contacts, the best first, at which gains and lift are told.
SHARES = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
#: Measures in words.
MEASURES: dict[str, Message] = {
    "auc": say("responders ranked above others (AUC)"),
    "average_precision": say("average precision"),
    "better_half": say("responders in the better half"),
    "observed_over_expected": say("responses per response expected"),
    "slope": say("calibration slope"),
    "ici": say("mean distance of a chance from the truth (ICI)"),
    "brier": say("mean squared error (Brier score)"),
    "brier_skill": say("share of the squared error removed"),
}
_TABLE = ["measure", "value", "low", "high"]
_GAINS = ["share", "contacts", "held", "held_low", "held_high", "rate", "lift", "lift_low"]
_GAINS += ["lift_high"]


@dataclass(frozen=True)
class Judgement:
    """How good the chances are.

    Attributes
    ----------
    table : DataFrame
        ``measure`` (keys of :data:`MEASURES`), ``value`` with 95 % interval ``low`` to ``high``.
        No rows where fewer than 30 responded, or did not.
    gains : DataFrame
        For the best ``share`` of the contacts: ``contacts``, the share of all responders ``held``
        in it with ``held_low``, ``held_high``; their ``rate``, its ratio to that of all (``lift``)
        with ``lift_low``, ``lift_high``. Contacts alike in their chance count as drawn by lot.
    curve : DataFrame
        As :class:`customerlab.churn.calibration.Calibration` has it, for its figure.
    n, responders : int
        Contacts and responders judged.
    repeats : float
        How much less independent the contacts are for being with the same customers; 1 is fully.
    status : {"supported", "weak", "not_enough_data"}
    """

    table: pd.DataFrame
    gains: pd.DataFrame
    curve: pd.DataFrame
    n: int
    responders: int
    repeats: float
    status: Status

    def value(self, name: str) -> tuple[float, float, float]:
        """Return a measure with its interval; missing where it could not be judged."""
        found = self.table.loc[self.table["measure"] == name, ["value", "low", "high"]]
        return tuple(found.iloc[0].tolist()) if len(found) else (np.nan, np.nan, np.nan)


def judge(
    responded: np.ndarray,
    chance: np.ndarray,
    rng: np.random.Generator,
    *,
    customer: Sequence[object] | None = None,
    draws: int = 200,
) -> Judgement:
    """Judge chances that came from models which had not seen the contacts.

    Parameters
    ----------
    responded : array of 0 and 1, shape (contacts,)
    chance : array, shape (contacts,)
        0 to 1; contacts where it is missing are not judged.
    rng : Generator
        Draws the bootstrap of customers.
    customer : sequence, optional
        Whom each contact was with; one each when left out.
    draws : int
    """
    there = ~np.isnan(np.asarray(chance, dtype=float))
    y, p = np.asarray(responded)[there].astype(float), np.asarray(chance, dtype=float)[there]
    whom = None if customer is None else np.asarray(customer, dtype=object)[there]
    who = np.arange(len(y)) if whom is None else pd.factorize(whom)[0]
    n, events = len(y), int(y.sum())
    status = status_of(min(events, n - events))
    if status == "not_enough_data":
        empty = [pd.DataFrame(columns=columns) for columns in (_TABLE, _GAINS, CURVE_COLUMNS)]
        return Judgement(*empty, n, events, 1.0, status)
    area, pull = auc_parts(y, p)
    error = _error(pull, who)
    repeats = repeats_of(y - p, who)
    held, precision = _drawn_gains(y, p, who, rng, draws)
    ends = {"auc": (area, *auc_interval(area, error))}
    ends["average_precision"] = _percentiles(precision)
    half = SHARES.index(0.5)
    ends["better_half"] = _percentiles(held[:, half])
    base = np.full(n, events / n)
    cells = Judged(p, base, np.ones(n), y, repeats=repeats)
    smooth = cells.smooth()
    row = measure(cells, smooth, rng, draws)
    for name in MEASURES:
        if name not in ends:
            ends[name] = tuple(row[f"{name}{end}"] for end in ("", "_low", "_high"))
    table = pd.DataFrame([(name, *ends[name]) for name in MEASURES], columns=_TABLE)
    low, high = np.quantile(held[1:], [0.025, 0.975], axis=0)
    share = np.array(SHARES)
    gains = pd.DataFrame(
        {
            "share": share,
            "contacts": np.round(share * n).astype("int64"),
            "held": held[0],
            "held_low": low,
            "held_high": high,
            "rate": held[0] / share * events / n,
            "lift": held[0] / share,
            "lift_low": low / share,
            "lift_high": high / share,
        }
    )
    curve = curve_of(cells, smooth).assign(horizon_months=0, group="all")[CURVE_COLUMNS]
    return Judgement(table, gains, curve, n, events, repeats, status)


def auc_parts(responded: np.ndarray, chance: np.ndarray) -> tuple[float, np.ndarray]:
    """Return the AUC and how much each contact pulls it: their squares add up to its variance.

    Half a win for equal chances; DeLong, DeLong and Clarke-Pearson (1988).
    """
    values, cell = np.unique(chance, return_inverse=True)
    yes = np.bincount(cell, responded, len(values))
    no = np.bincount(cell, 1 - responded, len(values))
    won = ((no.cumsum() - no / 2) / no.sum())[cell]
    lost = (1 - (yes.cumsum() - yes / 2) / yes.sum())[cell]
    area = float(won @ responded / yes.sum())
    pull = np.where(responded == 1, (won - area) / yes.sum(), (lost - area) / no.sum())
    return area, pull


def _error(pull: np.ndarray, who: np.ndarray) -> float:
    """Return the standard error of a sum, the pulls of a customer added up first."""
    return float(np.sqrt((np.bincount(who, pull) ** 2).sum()))


def repeats_of(residual: np.ndarray, who: np.ndarray) -> float:
    """Return how much wider the variance of a sum is for contacts with the same customers."""
    alone = (residual**2).sum()
    if alone == 0:
        return 1.0
    return float(max(1.0, (np.bincount(who, residual) ** 2).sum() / alone))


def compare_auc(
    responded: np.ndarray, one: np.ndarray, other: np.ndarray, customer: Sequence[object] | None
) -> tuple[float, float, float]:
    """Return the AUC of one less that of the other, on the same contacts, with 95 % interval."""
    y = np.asarray(responded, dtype=float)
    who = np.arange(len(y)) if customer is None else pd.factorize(np.asarray(customer, object))[0]
    (first, pull), (second, against) = auc_parts(y, one), auc_parts(y, other)
    half = Z * _error(pull - against, who)
    return first - second, first - second - half, first - second + half


def _percentiles(values: np.ndarray) -> tuple[float, float, float]:
    low, high = np.quantile(values[1:], [0.025, 0.975])
    return float(values[0]), float(low), float(high)


def _drawn_gains(
    y: np.ndarray, p: np.ndarray, who: np.ndarray, rng: np.random.Generator, draws: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return held shares and average precision: first as they are, then of resampled customers."""
    order = np.argsort(-p, kind="stable")
    y, who, falling = y[order], who[order], p[order]
    ends = np.append(np.flatnonzero(np.diff(falling)), len(y) - 1)
    customers = int(who.max()) + 1
    held, precision = [], []
    for draw in range(draws + 1):
        if draw:
            times = np.bincount(rng.integers(0, customers, customers), minlength=customers)
            weight = times[who].astype(float)
        else:
            weight = np.ones(len(y))
        n, yes = weight.cumsum()[ends], (weight * y).cumsum()[ends]
        if yes[-1] == 0:
            continue
        share, found = np.append(0, n / n[-1]), np.append(0, yes / yes[-1])
        held.append(np.interp(SHARES, share, found))
        precision.append(np.diff(found) @ (yes / np.maximum(n, 1)))
    return np.array(held), np.array(precision)
