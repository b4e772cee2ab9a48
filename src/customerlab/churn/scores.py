r"""What more columns would add to a fitted model: Rao's score test, and the fit with them.

With :math:`U` the score of the columns to add and :math:`V` their information less what the model's
own columns tell of it, :math:`U'V^{-1}U` is chi-squared with as many degrees of freedom as columns
(Cox and Hinkley 1974, section 9.3). That needs no fit but the one at hand. Where it is to be known
better, the model is fitted again with the columns, from where it stands: half the steps of
:func:`customerlab.churn.cloglog.fit_cloglog`, which begins anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import scipy

from customerlab.churn.hazard import Hazard
from customerlab.churn.levels import MIN_LEVEL_EVENTS, Levels, as_levels

#: Below this adjusted p-value of the score test the likelihood ratio is worked out.
LOOK_CLOSER = 0.2
#: A column of which the others tell all but this share adds nothing.
ALIASED = 1e-8

#: As in the model of main effects: beyond these there is no maximum, and so no ratio.
_WILD_COEFFICIENT, _WILD_ERROR = 12.0, 20.0
#: The search has ended where less than this is left to gain of twice the log-likelihood.
_GAIN = 1e-9
_STEPS, _HALVINGS = 60, 30


@dataclass(frozen=True)
class Fit:
    """Where a search for the highest likelihood ended, with what score tests need of it.

    Attributes
    ----------
    design : ndarray, shape (cells, coefficients)
    across : sparse matrix
        The same, transposed: mostly zeros, so that it is as fast as dense, and takes no other
        process's cores.
    n, left : ndarray, shape (cells,)
        Customer-months, and exits among them.
    coefficients : ndarray
    log_likelihood : float
    expected : ndarray, shape (cells,)
        Exits that the model expects.
    residual, weight : ndarray, shape (cells,)
        Of the linear predictor: each cell's score, and its expected information.
    gradient, information : ndarray
        Of the coefficients.
    converged : bool
        Whether the likelihood rises no further; the coefficients may (:attr:`gives_ratios`).
    """

    design: np.ndarray
    across: scipy.sparse.csc_matrix
    n: np.ndarray
    left: np.ndarray
    coefficients: np.ndarray
    log_likelihood: float
    expected: np.ndarray
    residual: np.ndarray
    weight: np.ndarray
    gradient: np.ndarray
    information: np.ndarray
    converged: bool = False

    def covariance(self) -> np.ndarray:
        """Return the inverse of the expected information."""
        return np.linalg.inv(self.information)

    @property
    def gives_ratios(self) -> bool:
        """Whether it has a maximum: no coefficient on its way to infinity."""
        if not self.converged:
            return False
        errors = np.sqrt(np.diag(self.covariance()))
        wild = (np.abs(self.coefficients) > _WILD_COEFFICIENT) | ~(errors < _WILD_ERROR)
        return not wild[1:].any()

    def score(self, group: np.ndarray, groups: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return score, information, and information shared with the design, of indicators.

        `group` is the indicator that each cell belongs to, -1 for none.
        """
        at = np.flatnonzero(group >= 0)
        shape = (groups, len(group))
        where = scipy.sparse.csr_matrix((self.weight[at], (group[at], at)), shape=shape)
        score = np.bincount(group[at], self.residual[at], groups)
        return score, np.bincount(group[at], self.weight[at], groups), where @ self.design

    def efficient_score(self, group: np.ndarray, groups: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the score of indicators and its covariance, given the model's own columns."""
        score, own, shared = self.score(group, groups)
        through = np.linalg.solve(self.information, shared.T)
        return score - self.gradient @ through, np.diag(own) - shared @ through

    def with_indicators(self, columns: Sequence[np.ndarray]) -> Fit:
        """Fit again with more columns, from here on; of each, the cells that have a 1."""
        more = np.zeros((len(self.n), len(columns)))
        for j, at in enumerate(columns):
            more[at, j] = 1
        start = np.concatenate([self.coefficients, np.zeros(len(columns))])
        return fit_from(np.column_stack([self.design, more]), self.n, self.left, start)


def fit_from(design: np.ndarray, n: np.ndarray, left: np.ndarray, start: np.ndarray) -> Fit:
    """Fit the complementary log-log model to cells by Fisher's scoring, beginning at `start`."""
    across = scipy.sparse.csr_matrix(design).T
    here = _look(design, across, n, left, start)
    for _ in range(_STEPS):
        try:
            step = np.linalg.solve(here.information, here.gradient)
        except np.linalg.LinAlgError:
            break  # flat: it has not converged, and says so
        # twice the height still to climb: what is left after this step is its square
        height = float(step @ here.gradient)
        before, since = here.log_likelihood, here.coefficients
        for _ in range(_HALVINGS):
            here = _look(design, across, n, left, since + step)
            if here.log_likelihood >= before - 1e-9 * (1 + abs(before)):
                break
            step = step / 2
        if not np.isfinite(here.log_likelihood):
            break
        if height < _GAIN:
            return replace(here, converged=True)
    return here


def _look(
    design: np.ndarray,
    across: scipy.sparse.csc_matrix,
    n: np.ndarray,
    left: np.ndarray,
    coefficients: np.ndarray,
) -> Fit:
    hazard = np.exp(np.minimum(design @ coefficients, 6.0))
    chance = -np.expm1(-hazard)
    some = left > 0
    residual = (left - n * chance) * hazard / chance
    # the expected information, as in iteratively reweighted least squares
    weight = n * hazard**2 / np.expm1(hazard)
    return Fit(
        design=design,
        across=across,
        n=n,
        left=left,
        coefficients=coefficients,
        log_likelihood=float(left[some] @ np.log(chance[some]) - (n - left) @ hazard),
        expected=n * chance,
        residual=residual,
        weight=weight,
        gradient=across @ residual,
        information=across @ (design * weight[:, None]),
    )


def independent(variance: np.ndarray, cells: np.ndarray) -> list[int]:
    """Return the columns that are no sum of the model's and of those before them.

    Parameters
    ----------
    variance : ndarray
        Of the columns' score, from :meth:`Fit.efficient_score`.
    cells : ndarray
        How many cells each column has; those without are left out.
    """
    adds: list[int] = []
    scale = np.diag(variance).max(initial=0.0)
    for j in np.flatnonzero(cells):
        known = variance[np.ix_(adds, adds)]
        shared = variance[adds, j]
        left = variance[j, j] - shared @ np.linalg.solve(known, shared)
        if left > ALIASED * scale:
            adds.append(int(j))
    return adds


@dataclass(frozen=True)
class Months:
    """Customer-months as the model sees them: one cell for those it cannot tell apart.

    Attributes
    ----------
    terms : dict of str to Levels
    codes : dict of str to ndarray
        For each term, the place of each cell's level.
    fit : Fit
        Of the main effects.
    """

    terms: dict[str, Levels]
    codes: dict[str, np.ndarray]
    fit: Fit

    def joint(self, names: Sequence[str]) -> tuple[np.ndarray, tuple[int, ...]]:
        """Return the combination of levels that each cell has, numbered, and their shape."""
        shape = tuple(len(self.terms[name].levels) for name in names)
        return np.ravel_multi_index([self.codes[name] for name in names], shape), shape

    def enough(self, group: np.ndarray, groups: int) -> np.ndarray:
        """Say which combinations have enough expected exits and stays.

        To choose by the exits seen would favour those that happen to have many.
        """
        expected = np.bincount(group, self.fit.expected, groups)
        stays = np.bincount(group, self.fit.n, groups) - expected
        return np.minimum(expected, stays) >= MIN_LEVEL_EVENTS


def months_of(cells: pd.DataFrame, hazard: Hazard) -> Months:
    """Return the counts that a model was fitted to, as it sees them.

    Raises
    ------
    ValueError
        When they are others.
    """
    names = [term.term for term in hazard.terms]
    seen = {t.term: as_levels(cells[t.term]).map(t.merged) for t in hazard.terms}
    data = cells[["n", "events"]].assign(**seen).dropna(subset=names)
    data = data.loc[data["n"] > 0].groupby(names, as_index=False)[["n", "events"]].sum()
    if (data["n"].sum(), data["events"].sum()) != (hazard.n, hazard.events):
        raise ValueError("these are not the customer-months that the model was fitted to")
    terms = {term.term: term for term in hazard.terms}
    codes = {name: data[name].map(terms[name].levels.index).to_numpy() for name in names}
    n, left = data["n"].to_numpy(float), data["events"].to_numpy(float)
    # by the places: levels counted together have a name that is not among those in the data
    columns = [codes[name][:, None] == _free(terms[name]) for name in names]
    design = np.column_stack([np.ones(len(data)), *columns])
    return Months(terms, codes, fit_from(design, n, left, hazard.coefficients))


def _free(term: Levels) -> list[int]:
    return [term.levels.index(level) for level in term.free]
