r"""The smooth curve through what became of foretold chances.

Austin, Harrell and van Klaveren (2020, *Statistics in Medicine* 39, 2714): the outcome is regressed
on a restricted cubic spline of :math:`\log(-\log(1-p))`, with a complementary log-log link and
knots at the 10 %, 50 % and 90 % quantiles of the customers. Where knots coincide, or the spline
has no best fit, a straight line takes its place; where fewer than four chances differ, the share
that left of each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from customerlab.churn.cloglog import Fit, fit_cloglog
from customerlab.churn.hazard import Z

#: Chances nearer to 0 or 1 are taken for this near, for they have no log-log.
NEAREST = 1e-6

#: The knots of the spline, as quantiles of the customers (Harrell's for three).
_KNOTS = (0.1, 0.5, 0.9)

#: Beyond these, on the log-log scale, a chance is 0 or 1 to a computer.
_LINEAR = (-30.0, 3.4)


@dataclass(frozen=True)
class Smooth:
    """The smooth calibration curve, over the different chances of the customers.

    Attributes
    ----------
    kind : str
        ``spline``, ``line`` or ``shares``.
    chance, n, left : ndarray
        The different chances, ascending, and the customers who had them.
    coefficients, covariance : ndarray
        Of the spline or the line, intercept first; empty for shares.
    knots : tuple of float
        Of the spline, on the log-log scale.
    """

    kind: str
    chance: np.ndarray
    n: np.ndarray
    left: np.ndarray
    coefficients: np.ndarray
    covariance: np.ndarray
    knots: tuple[float, ...] = ()

    def at(self, chance: np.ndarray, coefficients: np.ndarray | None = None) -> np.ndarray:
        """Return the share that left at a chance; for shares only at one that was foretold."""
        if self.kind == "shares":
            return (self.left / self.n)[np.searchsorted(self.chance, chance)]
        used = self.coefficients if coefficients is None else coefficients
        return _share(used @ _design(chance, self.knots).T)

    def band(self, chance: np.ndarray, repeats: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the 95 % interval of the share at each chance."""
        if self.kind == "shares":
            at = np.searchsorted(self.chance, chance)
            return wilson(self.left[at], self.n[at], repeats)
        design = _design(chance, self.knots)
        error = np.sqrt(repeats * np.einsum("ki,ij,kj->k", design, self.covariance, design))
        middle = design @ self.coefficients
        return _share(middle - Z * error), _share(middle + Z * error)

    def drawn(self, rng: np.random.Generator, draws: int, repeats: int) -> np.ndarray:
        """Return curves fitted to exits drawn from this one; shape (draws, chances)."""
        observed, n = self.at(self.chance), self.n
        exits = rng.binomial(n.astype("int64"), observed, size=(draws, len(n)))
        if self.kind == "shares":
            return np.clip(observed + np.sqrt(repeats) * (exits / n - observed), 0, 1)
        design = _design(self.chance, self.knots)
        moved = _fit_drawn(design, n, exits, self.coefficients)
        spread = self.coefficients + np.sqrt(repeats) * (moved - self.coefficients)
        return self.at(self.chance, spread)

    def joined(self, groups: int) -> Smooth:
        """Join customers with neighbouring chances; the curve stays what it is."""
        place = np.floor(groups * (self.n.cumsum() - self.n / 2) / self.n.sum()).astype("int64")
        n, left, sums = (
            np.bincount(place, counts) for counts in (self.n, self.left, self.n * self.chance)
        )
        there = n > 0
        return replace(self, chance=sums[there] / n[there], n=n[there], left=left[there])

    def slope(self) -> tuple[float, float]:
        """Return the slope of the log-log of the share on that of the chance, and its error."""
        fit = None if len(self.chance) < 2 else _fit(_design(self.chance), self.n, self.left)
        if fit is None:
            return np.nan, np.nan
        return float(fit.coefficients[1]), float(np.sqrt(fit.covariance[1, 1]))


def fit_smooth(chance: np.ndarray, n: np.ndarray, left: np.ndarray) -> Smooth:
    """Fit the spline, or what takes its place, to cells of `n` customers of whom `left` left.

    Some of them all must have left, and some stayed.
    """
    chance, cell = np.unique(chance, return_inverse=True)
    n, left = (np.bincount(cell, counts, len(chance)) for counts in (n, left))
    if len(chance) >= 4:
        z = _loglog(chance)
        knots = tuple(float(quantile(z, n, share)) for share in _KNOTS)
        for kind, at in (("spline", knots), ("line", ())):
            if len(set(at)) < len(at):
                continue
            fit = _fit(_design(chance, at), n, left)
            if fit is not None:
                return Smooth(kind, chance, n, left, fit.coefficients, fit.covariance, at)
    none = np.empty(0)
    return Smooth("shares", chance, n, left, none, none)


def wilson(left: np.ndarray, n: np.ndarray, repeats: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Return Wilson's interval of a share, with as many customers as are surely different."""
    from statsmodels.stats.proportion import proportion_confint  # slow to import

    return proportion_confint(left / repeats, n / repeats, method="wilson")


def quantile(values: np.ndarray, n: np.ndarray, share: float) -> np.ndarray:
    """Return the quantile of values that stand for `n` customers each, as numpy has it on rows.

    Along the last axis; each row of `values` has the same `n`.
    """
    order = np.argsort(values, axis=-1, kind="stable")
    ends = n[order].cumsum(axis=-1)
    last = n.sum() - 1
    place = share * last
    at = [min(np.floor(place) + i, last) for i in (0, 1)]
    ranks = np.stack([(ends <= one).sum(axis=-1) for one in at], axis=-1)
    low, high = np.moveaxis(
        np.take_along_axis(values, np.take_along_axis(order, ranks, -1), -1), -1, 0
    )
    return low + (place - np.floor(place)) * (high - low)


def _loglog(chance: np.ndarray) -> np.ndarray:
    return np.log(-np.log1p(-np.clip(chance, NEAREST, 1 - NEAREST)))


def _share(linear: np.ndarray) -> np.ndarray:
    return -np.expm1(-np.exp(np.clip(linear, *_LINEAR)))


def _design(chance: np.ndarray, knots: Sequence[float] = ()) -> np.ndarray:
    """Return 1, the log-log of each chance, and Harrell's restricted cubic term of three knots."""
    z = _loglog(np.asarray(chance, dtype=float))
    columns = [np.ones_like(z), z]
    if knots:
        a, b, c = knots
        cubes = [np.maximum(z - knot, 0) ** 3 for knot in knots]
        bent = cubes[0] - cubes[1] * (c - a) / (c - b) + cubes[2] * (b - a) / (c - b)
        columns.append(bent / (c - a) ** 2)
    return np.column_stack(columns)


def _fit(design: np.ndarray, n: np.ndarray, left: np.ndarray) -> Fit | None:
    """Return the fit, or None where the likelihood has no maximum."""
    try:
        fit = fit_cloglog(design, n, left)
    except np.linalg.LinAlgError:  # it ran so far away that the information is 0
        return None
    return fit if fit.converged else None


def _fit_drawn(
    design: np.ndarray, n: np.ndarray, exits: np.ndarray, start: np.ndarray
) -> np.ndarray:
    """Fit each row of exits as :func:`fit_cloglog` does, all rows at once: many times faster.

    `start` are the coefficients that the exits were drawn from.
    """
    products = (design[:, :, None] * design[:, None, :]).reshape(len(design), -1)

    def climb(at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the log-likelihood and the next step of each row."""
        hazard = np.exp(np.clip(at @ design.T, *_LINEAR))
        share = -np.expm1(-hazard)
        height = (exits * np.log(share) - (n - exits) * hazard).sum(axis=1)
        pull = hazard / share
        score = ((exits - n * share) * pull) @ design
        weight = n * pull * hazard * (1 - share)
        information = (weight @ products).reshape(len(at), *[design.shape[1]] * 2)
        return height, np.linalg.solve(information, score[:, :, None])[:, :, 0]

    at = np.tile(start, (len(exits), 1))
    height, step = climb(at)
    for _ in range(100):
        for _ in range(30):  # halved until it does not lead downhill
            reached, onward = climb(at + step)
            down = reached < height - 1e-12 * np.abs(height)
            if not down.any():
                break
            step[down] /= 2
        at, height = at + step, reached
        if np.abs(step).max() < 1e-9:
            break
        step = onward
    return at
