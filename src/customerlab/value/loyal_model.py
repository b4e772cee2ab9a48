r"""What marks the loyal: a logistic model on counts of customers alike, and each one's chance.

With p the chance of being loyal, :math:`\log\frac{p}{1-p} = \alpha + x'\beta`, fitted by Newton's
method to the counts of each cell, which gives the estimates of the rows. statsmodels takes a model
with as many coefficients as cells for one that parts the classes, and counts often are such. Levels
that are too thin are joined (:mod:`customerlab.churn.levels`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd
import scipy

from customerlab.cells import cells
from customerlab.churn.curves import FEW_EVENTS, status_of
from customerlab.churn.hazard import Z
from customerlab.churn.levels import Levels, find_levels
from customerlab.findings import Status

COLUMNS = ["term", "level", "reference", "odds_ratio", "low", "high", "p", "marked"]
COLUMNS += ["n", "loyal", "share"]

#: A feature marks the loyal when chance would show as much in one of 20 such models (Holm).
_LEVEL = 0.05

#: A coefficient beyond this, or still moving after so many steps, is no estimate.
_WILD, _STEPS = 12.0, 50


@dataclass(frozen=True)
class LoyalModel:
    """A fitted model of who stays loyal.

    Attributes
    ----------
    table : DataFrame
        ``term``, ``level``, ``reference`` (bool), ``odds_ratio`` with ``low`` to ``high`` (95 %),
        ``p`` (no difference from the reference), ``marked`` (whether the feature tells the loyal
        apart, all features looked at allowed for: Wald's test, Holm), ``n`` customers, how many
        were ``loyal``, their ``share``. Marked features come first. Empty when not fitted.
    terms : tuple of Levels
    coefficients, covariance : ndarray
        The intercept first, then the free levels of each term.
    n, events : int
    status : str
        By the fewer of the loyal and the others.
    """

    table: pd.DataFrame
    terms: tuple[Levels, ...]
    coefficients: np.ndarray
    covariance: np.ndarray
    n: int
    events: int
    status: Status

    @property
    def fitted(self) -> bool:
        """Whether there is a model."""
        return len(self.coefficients) > 0

    def chance(self, rows: pd.DataFrame) -> np.ndarray:
        """Return the chance of being loyal for each row of features as text."""
        return scipy.special.expit(_design(rows, self.terms) @ self.coefficients)


def fit_loyal(counts: pd.DataFrame, features: Sequence[str]) -> LoyalModel:
    """Fit the model to counts.

    Parameters
    ----------
    counts : DataFrame
        `features` as text, ``n`` customers and ``events`` among them who were loyal.
    features : sequence of str
        One that follows from those before it is left out.

    Returns
    -------
    LoyalModel
        Not fitted with fewer than 30 loyal, or 30 others, or where a feature parts the two.
    """
    n, events = int(counts["n"].sum()), int(counts["events"].sum())
    fewer = min(events, n - events)
    status = status_of(fewer)
    nothing = LoyalModel(
        pd.DataFrame(columns=COLUMNS), (), np.zeros(0), np.zeros((0, 0)), n, events, status
    )
    if fewer < FEW_EVENTS:
        return nothing
    cells_ = counts[counts["n"] > 0]
    terms: list[Levels] = []
    for name in features:
        levels, _ = find_levels(cells_, name)
        if levels is not None:
            design = _design(cells_, [*terms, levels])
            rank = np.linalg.matrix_rank(design.T @ design, hermitian=True)
            terms += [levels] if rank == design.shape[1] else []
    fitted = _fit(_design(cells_, terms), cells_)
    if fitted is None:
        return LoyalModel(*_parts(nothing), status="not_enough_data")
    coefficients, covariance = fitted
    table = _table(cells_, terms, coefficients, covariance)
    return LoyalModel(table, tuple(terms), coefficients, covariance, n, events, status)


def score_loyal(model: LoyalModel, rows: ir.Table) -> ir.Table:
    """Return each customer's chance of being loyal in the year ahead.

    Parameters
    ----------
    model : LoyalModel
    rows : table
        Of :func:`customerlab.value.loyal.known_on`.

    Returns
    -------
    table
        ``customer_id``, ``loyal_chance``; null without a model.
    """
    if not model.fitted:
        return rows.select("customer_id", loyal_chance=ibis.null("float64"))
    if not model.terms:  # nothing tells them apart
        return rows.select("customer_id", loyal_chance=ibis.literal(model.events / model.n))
    names = [term.term for term in model.terms]
    known = cells(rows, names)
    known = known.assign(loyal_chance=model.chance(known))[[*names, "loyal_chance"]]
    kinds = dict.fromkeys(names, "string") | {"loyal_chance": "float64"}
    chances = ibis.memtable(known, schema=ibis.schema(kinds)).rename({f"_{n}": n for n in names})
    joined = rows.left_join(chances, [(name, f"_{name}") for name in names])
    return joined.select("customer_id", "loyal_chance")


def _parts(model: LoyalModel) -> tuple:
    return (model.table, model.terms, model.coefficients, model.covariance, model.n, model.events)


def _design(rows: pd.DataFrame, terms: Sequence[Levels]) -> np.ndarray:
    blocks = [term.indicators(rows[term.term]) for term in terms]
    return np.hstack([np.ones((len(rows), 1)), *blocks])


def _fit(design: np.ndarray, counts: pd.DataFrame) -> tuple[np.ndarray, np.ndarray] | None:
    """Return coefficients and covariance; None where features part the loyal from the others."""
    n, yes = counts["n"].to_numpy(float), counts["events"].to_numpy(float)
    b = np.zeros(design.shape[1])
    b[0] = scipy.special.logit(yes.sum() / n.sum())
    for _ in range(_STEPS):
        p = scipy.special.expit(design @ b)
        information = design.T @ (design * (n * p * (1 - p))[:, None])
        step = np.linalg.solve(information, design.T @ (yes - n * p))
        b = b + step
        if np.abs(b).max() > _WILD:  # a likelihood without a maximum
            return None
        if np.abs(step).max() < 1e-10:
            return b, np.linalg.inv(information)
    return None


def _table(
    counts: pd.DataFrame, terms: Sequence[Levels], b: np.ndarray, covariance: np.ndarray
) -> pd.DataFrame:
    rows, tests, at = [], [], 1
    for term in terms:
        free = slice(at, at + len(term.free))
        at = free.stop
        inner = covariance[free, free]
        wald = float(b[free] @ np.linalg.solve(inner, b[free]))
        tests.append((term.term, wald, float(scipy.stats.chi2.sf(wald, len(term.free)))))
        level = counts[term.term].map(
            lambda value, term=term: term.merged.get(value, term.reference)
        )
        sums = counts.groupby(level)[["n", "events"]].sum()
        errors = dict(zip(term.free, np.sqrt(np.diag(inner)), strict=True))
        logs = dict(zip(term.free, b[free], strict=True))
        for name in term.levels:
            log, error = logs.get(name, 0.0), errors.get(name, 0.0)
            ends = np.exp([log, log - Z * error, log + Z * error])
            p = float(2 * scipy.stats.norm.sf(abs(log / error))) if error else np.nan
            n, events = (int(sums.loc[name, one]) for one in ("n", "events"))
            key = (term.term, name, name == term.reference)
            rows.append((*key, *ends, p, False, n, events, events / n))
    table = pd.DataFrame(rows, columns=COLUMNS)
    if not tests:
        return table
    # of tiny p-values the statistic tells more
    found = pd.DataFrame(tests, columns=["term", "wald", "p"])
    found = found.sort_values(["p", "wald"], ascending=[True, False])
    # Holm (1979): each smallest p times how many are left, never below one before it
    adjusted = np.maximum.accumulate(found["p"].to_numpy() * np.arange(len(found), 0, -1))
    marked = dict(zip(found["term"], adjusted <= _LEVEL, strict=True))
    table["marked"] = table["term"].map(marked).astype(bool)
    place = {term: i for i, term in enumerate(found["term"])}
    return table.sort_values("term", key=lambda t: t.map(place), kind="stable", ignore_index=True)
