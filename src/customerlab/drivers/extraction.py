"""Factor loadings by maximum likelihood, their rotation, and which factor is which."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import scipy

Rotation = Literal["oblimin", "varimax", "promax"]

#: No item's own part is let below this: there the likelihood has no maximum (a Heywood case).
LEAST_UNIQUENESS = 0.005
#: So many of Newton's steps at most; ten are usual.
_STEPS = 30
#: Power of the target of promax, as in psych.
_POWER = 4


@dataclass(frozen=True)
class Extracted:
    """Factors before rotation.

    Attributes
    ----------
    loadings : ndarray of shape (items, factors)
    uniqueness : ndarray of shape (items,)
        Share of each item's variance that no factor tells.
    converged : bool
    """

    loadings: np.ndarray
    uniqueness: np.ndarray
    converged: bool


def extract(matrix: np.ndarray, factors: int, *, start: np.ndarray | None = None) -> Extracted:
    """Maximise the likelihood over the uniquenesses; the best loadings for them are known.

    The method of Jöreskog (1967), by Newton's steps over the logarithms of the uniquenesses;
    psych's ``fm="ml"`` and R's ``factanal`` have the same maximum and bounds. Far quicker than
    over all loadings, which the bootstrap needs; of the same maximum as statsmodels' ``Factor``.

    Parameters
    ----------
    matrix : ndarray of shape (items, items)
        Correlations; positive definite.
    factors : int
    start : ndarray of shape (items,), optional
        Uniquenesses to begin with.
    """
    if start is None:
        start = (1 - factors / (2 * len(matrix))) / np.diag(np.linalg.inv(matrix))
    lowest = np.log(LEAST_UNIQUENESS)
    at = np.log(np.clip(start, LEAST_UNIQUENESS, 1))
    lost, slope, bend = _lost(matrix, factors, at)
    converged = False
    for _ in range(_STEPS):
        held = ((at <= lowest) & (slope > 0)) | ((at >= 0) & (slope < 0))
        if np.abs(slope[~held]).max(initial=0) < 1e-6:
            converged = True
            break
        step = np.zeros_like(at)
        free = np.ix_(~held, ~held)
        step[~held] = np.linalg.solve(
            bend[free] + 1e-9 * np.eye(len(bend[free])), -slope[~held]
        ).clip(-1, 1)
        for _ in range(30):  # half as far, until it is a step down
            new = np.clip(at + step, lowest, 0)
            there = _lost(matrix, factors, new)
            if there[0] <= lost + 1e-4 * slope @ (new - at) + 1e-13:
                break
            step /= 2
        else:
            break
        at, (lost, slope, bend) = new, there
    if not converged:  # bounds turn Newton's steps about; this way is slower, and sure
        best = scipy.optimize.minimize(
            lambda there: _lost(matrix, factors, there)[:2],
            at,
            jac=True,
            method="L-BFGS-B",
            bounds=[(lowest, 0)] * len(matrix),
            options={"maxiter": 1000, "maxcor": 20, "ftol": 1e-15, "gtol": 1e-7},
        )
        at, converged = best.x, bool(best.success)
    uniqueness = np.exp(at)
    return Extracted(_loadings(matrix, factors, uniqueness), uniqueness, converged)


def _spectrum(matrix: np.ndarray, uniqueness: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    root = np.sqrt(uniqueness)
    values, vectors = np.linalg.eigh(matrix / np.outer(root, root))
    return values[::-1], vectors[:, ::-1]


def _lost(
    matrix: np.ndarray, factors: int, log_uniqueness: np.ndarray
) -> tuple[float, np.ndarray, np.ndarray]:
    """Return what is lost of the likelihood, its slope, and nearly how that bends (Clarke 1970)."""
    values, vectors = _spectrum(matrix, np.exp(log_uniqueness))
    rest, vectors = values[factors:], vectors[:, factors:]
    slope = vectors**2 @ (1 - rest)
    return float(np.sum(rest - np.log(rest) - 1)), slope, (vectors @ vectors.T) ** 2


def _loadings(matrix: np.ndarray, factors: int, uniqueness: np.ndarray) -> np.ndarray:
    values, vectors = _spectrum(matrix, uniqueness)
    length = np.sqrt(np.maximum(values[:factors] - 1, 0))
    return vectors[:, :factors] * length * np.sqrt(uniqueness)[:, None]


@dataclass(frozen=True)
class Rotated:
    """Factors after rotation.

    Attributes
    ----------
    loadings : ndarray of shape (items, factors)
        The pattern.
    correlation : ndarray of shape (factors, factors)
        Of the factors; the identity after varimax.
    turn : ndarray of shape (factors, factors)
        Where a rotation of nearly the same loadings may begin.
    """

    loadings: np.ndarray
    correlation: np.ndarray
    turn: np.ndarray


def rotate(
    loadings: np.ndarray,
    rotation: Rotation = "oblimin",
    *,
    turn: np.ndarray | None = None,
    tolerance: float = 1e-7,
) -> Rotated:
    """Rotate as psych does by default.

    Oblimin with gamma 0 (quartimin) and no normalisation, as ``GPArotation::oblimin``; varimax
    with Kaiser's normalisation, as ``stats::varimax``; promax of power 4 on loadings with Kaiser's
    normalisation, as psych's ``rotate="promax"``.
    """
    from statsmodels.multivariate.factor_rotation import rotate_factors  # slow to import

    m = loadings.shape[1]
    if m == 1:
        return Rotated(loadings, np.eye(1), np.eye(1))
    settings = {"T": turn, "tol": tolerance, "max_tries": 5000}
    if rotation == "oblimin":
        pattern, turned = rotate_factors(loadings, "quartimin", **settings)
        return Rotated(pattern, turned.T @ turned, turned)
    length = np.sqrt((loadings**2).sum(axis=1, keepdims=True))
    length = np.where(length > 0, length, 1)  # an item without any factor has no direction
    even, turned = rotate_factors(loadings / length, "varimax", **settings)
    if rotation == "varimax":
        return Rotated(even * length, np.eye(m), turned)
    target = even * np.abs(even) ** (_POWER - 1)
    toward = np.linalg.lstsq(even, target, rcond=None)[0]
    toward = toward * np.sqrt(np.diag(np.linalg.inv(toward.T @ toward)))
    back = np.linalg.inv(toward)
    return Rotated(even @ toward * length, back @ back.T, turned)


def in_order(loadings: np.ndarray, correlation: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Turn and order factors by rule: loadings sum to more than 0, most variance told first."""
    sign = np.where(loadings.sum(axis=0) < 0, -1.0, 1.0)
    loadings, correlation = loadings * sign, correlation * np.outer(sign, sign)
    order = np.argsort(-told(loadings, correlation), kind="stable")
    return loadings[:, order], correlation[np.ix_(order, order)]


def told(loadings: np.ndarray, correlation: np.ndarray) -> np.ndarray:
    """Return the variance that each factor tells, in items: they sum to that of all factors."""
    return np.diag(correlation @ loadings.T @ loadings)


def congruence(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return Tucker's congruence of each factor with each, shape (factors, factors)."""
    lengths = np.outer(np.linalg.norm(one, axis=0), np.linalg.norm(other, axis=0))
    return (one.T @ other) / np.where(lengths > 0, lengths, 1)


def matched(rotated: Rotated, to: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return loadings and correlations of factors in the order and signs of other loadings.

    Third come the congruences with these.
    """
    alike = congruence(to, rotated.loadings)
    _, order = scipy.optimize.linear_sum_assignment(-np.abs(alike))
    alike = alike[np.arange(len(order)), order]
    sign = np.where(alike < 0, -1.0, 1.0)
    correlation = rotated.correlation[np.ix_(order, order)] * np.outer(sign, sign)
    return rotated.loadings[:, order] * sign, correlation, alike * sign


def turned_to(loadings: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Turn unrotated loadings as near as may be to others (orthogonal Procrustes)."""
    left, _, right = np.linalg.svd(loadings.T @ target)
    return loadings @ (left @ right)
