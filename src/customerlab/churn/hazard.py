r"""The chance of leaving in a month, by what was known when the month began.

A discrete-time proportional hazards model: with :math:`h` the chance of leaving in a month,

.. math:: \log(-\log(1 - h)) = \alpha_{\text{tenure}} + x'\beta

so that :math:`\exp(\beta)` is the hazard ratio of the continuous-time model behind the months
(Prentice and Gloeckler 1978). Each customer leaves at most once, and the likelihood of a stay is
the product over its months of one minus the chance, times the last month's chance: months enter
as if they were independent trials, and the errors from the information matrix are right without
clustering by customer (Prentice and Gloeckler 1978; Allison 1982). The likelihood depends on the
months only through the counts of each cell, so the counts give the rows' estimates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy

from customerlab.churn.cloglog import fit_cloglog
from customerlab.churn.curves import FEW_EVENTS, status_of
from customerlab.churn.levels import MIN_LEVEL_EVENTS, Levels, as_levels, find_levels
from customerlab.features import feature_name
from customerlab.findings import Status
from customerlab.messages import Message, say

Z = float(scipy.special.ndtri(0.975))

_COLUMNS = ["term", "level", "reference", "hazard_ratio", "low", "high"]
_COLUMNS += ["coefficient", "std_error", "p", "n", "events"]

#: A coefficient or an error beyond these is a likelihood without a maximum, not an estimate.
_WILD_COEFFICIENT, _WILD_ERROR = 12.0, 20.0


@dataclass(frozen=True)
class Hazard:
    """A fitted model of the monthly chance of leaving.

    Attributes
    ----------
    table : DataFrame
        ``term``, ``level``, ``reference`` (whether the others are compared with it),
        ``hazard_ratio`` with its 95 % interval ``low`` to ``high``, ``coefficient``,
        ``std_error``, ``p``, ``n`` customer-months and ``events``. Empty when not fitted.
    terms : tuple of Levels
        The baseline first; a term with nothing to compare is not there.
    coefficients : ndarray
        The intercept first, then the free levels of each term.
    covariance : ndarray
    n, events : int
        Customer-months and exits.
    log_likelihood : float
        Of the customer-months as single trials.
    status : str
    notes : tuple of Message
        What was joined or left out, and why.
    """

    table: pd.DataFrame
    terms: tuple[Levels, ...]
    coefficients: np.ndarray
    covariance: np.ndarray
    n: int
    events: int
    log_likelihood: float
    status: Status
    notes: tuple[Message, ...] = ()

    @property
    def fitted(self) -> bool:
        """Whether there is a model at all."""
        return len(self.coefficients) > 0

    def design(self, rows: pd.DataFrame) -> np.ndarray:
        """Return the model matrix of rows that hold every term as text."""
        return _design(rows, self.terms)

    def chance(self, rows: pd.DataFrame) -> np.ndarray:
        """Return the chance of leaving in a month for each row of features."""
        return -np.expm1(-np.exp(self.design(_as_text(rows, self.terms)) @ self.coefficients))

    def gradient(self, rows: pd.DataFrame) -> np.ndarray:
        """Return how each row's chance moves with each coefficient."""
        design = self.design(_as_text(rows, self.terms))
        hazards = np.exp(design @ self.coefficients)
        return (np.exp(-hazards) * hazards)[:, None] * design


def fit_hazard(
    cells: pd.DataFrame,
    covariates: Sequence[str],
    *,
    time: str = "tenure_band",
    min_level_events: int = MIN_LEVEL_EVENTS,
) -> Hazard:
    """Fit the complementary log-log model to counts of customer-months.

    Parameters
    ----------
    cells : DataFrame
        `time`, `covariates`, ``n`` customer-months and ``events`` among them.
    covariates : sequence of str
        Categories; no value is a category.
    time : str
        The baseline: a category of the months since joining.
    min_level_events : int
        A level with fewer exits, or fewer stays, is joined to another.

    Returns
    -------
    Hazard
        With fewer than 30 exits there is no model, and ``status`` says so.
    """
    names = list(dict.fromkeys([time, *covariates]))
    data = cells.assign(**{name: as_levels(cells[name]) for name in names})
    data = data.groupby(names, as_index=False)[["n", "events"]].sum()
    data = data.loc[data["n"] > 0].reset_index(drop=True)
    n, events = int(data["n"].sum()), int(data["events"].sum())
    if events < FEW_EVENTS or n - events < FEW_EVENTS:
        note = say(
            "Only {events:customers} exits in {n:count} customer-months: no model of causes.",
            events=events,
            n=n,
        )
        return _no_model(n, events, (note,))
    terms: list[Levels] = []
    notes: list[Message] = []
    for name in names:
        levels, said = find_levels(data, name, min_events=min_level_events)
        notes += said
        if levels is None:
            continue
        if _independent(data, [*terms, levels]):
            terms.append(levels)
        else:
            notes.append(
                say(
                    "{term}: left out, the features before it already tell it",
                    term=feature_name(name),
                )
            )
    while True:
        fit, wild = _fit(data, terms)
        if fit is not None:
            break
        if wild is None:
            note = say("The model of causes found no best answer and is not used.")
            return _no_model(n, events, (*notes, note))
        terms = [term for term in terms if term.term != wild]
        notes.append(
            say(
                "{term}: left out, in some combination all or none leave, so that no ratio "
                "can be given",
                term=feature_name(wild),
            )
        )
    coefficients, covariance, log_likelihood = fit
    return Hazard(
        table=_table(data, terms, coefficients, covariance),
        terms=tuple(terms),
        coefficients=coefficients,
        covariance=covariance,
        n=n,
        events=events,
        log_likelihood=log_likelihood,
        status=status_of(events),
        notes=tuple(notes),
    )


def _no_model(n: int, events: int, notes: tuple[Message, ...]) -> Hazard:
    empty, square = np.empty(0), np.empty((0, 0))
    table = pd.DataFrame(columns=_COLUMNS)
    return Hazard(table, (), empty, square, n, events, float("nan"), "not_enough_data", notes)


def _as_text(rows: pd.DataFrame, terms: Sequence[Levels]) -> pd.DataFrame:
    return rows.assign(**{term.term: as_levels(rows[term.term]) for term in terms})


def _design(rows: pd.DataFrame, terms: Sequence[Levels]) -> np.ndarray:
    columns = [term.indicators(rows[term.term]) for term in terms]
    return np.column_stack([np.ones(len(rows)), *columns])


def _independent(data: pd.DataFrame, terms: Sequence[Levels]) -> bool:
    """Say whether no column of the design is a sum of the others."""
    design = _design(data, terms)
    return int(np.linalg.matrix_rank(design.T @ design)) == design.shape[1]


def _fit(data: pd.DataFrame, terms: Sequence[Levels]):
    """Return (coefficients, covariance, log-likelihood), or None and the term to blame."""
    design = _design(data, terms)
    left, n = data["events"].to_numpy(float), data["n"].to_numpy(float)
    try:
        fit = fit_cloglog(design, n, left)
    except np.linalg.LinAlgError:
        return None, terms[-1].term if terms else None
    coefficients, errors = fit.coefficients, np.sqrt(np.diag(fit.covariance))
    bad = (np.abs(coefficients) > _WILD_COEFFICIENT) | ~(errors < _WILD_ERROR)
    bad[0] = False  # the intercept alone may be far out when few leave
    if bad.any():
        owner = [term.term for term in terms for _ in term.free]
        worst = int(np.where(bad[1:], np.nan_to_num(errors[1:], nan=np.inf), -1).argmax())
        return None, owner[worst]
    if not fit.converged:
        return None, terms[-1].term if terms else None
    return (coefficients, fit.covariance, fit.log_likelihood), None


def _table(
    data: pd.DataFrame, terms: Sequence[Levels], coefficients: np.ndarray, covariance: np.ndarray
) -> pd.DataFrame:
    errors = np.sqrt(np.diag(covariance))
    rows, at = [], 1
    for term in terms:
        seen = data[term.term].map(lambda level, term=term: term.merged[level])
        totals = data.groupby(seen)[["n", "events"]].sum()
        for level in term.levels:
            n, events = (int(x) for x in totals.loc[level])
            if level == term.reference:
                nothing = float("nan")
                rows.append(
                    (
                        term.term,
                        level,
                        True,
                        1.0,
                        nothing,
                        nothing,
                        0.0,
                        nothing,
                        nothing,
                        n,
                        events,
                    )
                )
                continue
            b, se = float(coefficients[at]), float(errors[at])
            at += 1
            low, high = np.exp([b - Z * se, b + Z * se])
            p = float(2 * scipy.stats.norm.sf(abs(b / se)))
            rows.append((term.term, level, False, float(np.exp(b)), low, high, b, se, p, n, events))
    return pd.DataFrame(rows, columns=_COLUMNS)
