"""Polychoric correlations of ordered answers, by maximum likelihood from tables of counts.

Behind each answer stands a normal variable that is cut into classes; the polychoric correlation is
that of the two variables behind (the tetrachoric, of two classes each). In two steps: the cuts
from the margins of a pair's table, then the correlation from its cells (Olsson 1979).
"""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr, ndtri, owens_t

#: No correlation is taken to be nearer to one. A table with an empty corner may know no maximum.
LIMIT = 0.9999

_FAR = 38.0  # beyond it the normal tail is zero in double precision
_LEAST = 1e-15  # a probability is known to about this


def polychoric(
    tables: np.ndarray, *, start: np.ndarray | None = None, within: float = 1e-11
) -> np.ndarray:
    """Return the polychoric correlation of each table, by maximum likelihood in two steps.

    The cuts are those of the table's own margins. An empty cell stays empty (``correct=0`` of R's
    psych), and a class that nobody chose is as if it were not there. The slope of the likelihood
    is followed by Fisher's scoring, and by halves where that leaves the bracket.

    Parameters
    ----------
    tables : ndarray of shape (tables, rows, columns)
        Counts, zeros where a table has fewer classes than others.
    start : ndarray of shape (tables,), optional
        Where to begin: of a resample, the correlation of all rows.
    within : float
        The search ends when a step is shorter.

    Returns
    -------
    ndarray of shape (tables,)
        Within 0.9999 of zero; missing where a margin has fewer than two classes.
    """
    tables = np.asarray(tables, dtype=float)
    rows, columns = _cuts(tables.sum(axis=2)), _cuts(tables.sum(axis=1))
    classes = [(tables.sum(axis=axis) > 0).sum(axis=1) for axis in (1, 2)]
    known = np.minimum(*classes) >= 2
    rho = np.zeros(len(tables)) if start is None else np.clip(np.nan_to_num(start), -LIMIT, LIMIT)
    low, high = np.full(len(tables), -LIMIT), np.full(len(tables), LIMIT)
    open_ = np.flatnonzero(known)
    for _ in range(100):
        if not len(open_):
            break
        at = rho[open_]
        slope, information = _slope(tables[open_], rows[open_], columns[open_], at)
        step = slope / np.maximum(information, 1e-300)
        low[open_] = np.where(slope > 0, at, low[open_])
        high[open_] = np.where(slope > 0, high[open_], at)
        following = at + step
        outside = (following <= low[open_]) | (following >= high[open_])
        following = np.where(outside, (low[open_] + high[open_]) / 2, following)
        arrived = (np.abs(step) < within) | (high[open_] - low[open_] < within)
        rho[open_] = np.where(arrived & outside, at, following)
        open_ = open_[~arrived]
    return np.where(known, rho, np.nan)


def polychoric_error(tables: np.ndarray, rho: np.ndarray) -> np.ndarray:
    """Return the standard error of each correlation, the cuts taken as known.

    From the likelihood's curvature (as polycor's ``std.err``); missing at the limit.
    """
    tables = np.asarray(tables, dtype=float)
    rows, columns = _cuts(tables.sum(axis=2)), _cuts(tables.sum(axis=1))
    inside = np.abs(rho) < LIMIT - 1e-6
    at, near = np.where(inside, rho, 0), 1e-5
    ends = [_slope(tables, rows, columns, at + side)[0] for side in (-near, near)]
    curvature = (ends[0] - ends[1]) / (2 * near)
    good = inside & (curvature > 0)
    return np.where(good, 1 / np.sqrt(np.where(good, curvature, 1)), np.nan)


def bivariate_normal(h: np.ndarray, k: np.ndarray, rho: np.ndarray) -> np.ndarray:
    """Return P(X < h, Y < k) of two standard normal variables, by Owen's T (Owen 1956)."""
    # Owen's formula divides by the limits: at zero it is that of a limit next to zero
    h, k = (np.where(x == 0, 1e-300, np.clip(x, -_FAR, _FAR)) for x in (h, k))
    root = np.sqrt((1 - rho) * (1 + rho))
    apart = np.where((h * k < 0) | ((h * k == 0) & (h + k < 0)), 0.5, 0)
    tails = owens_t(h, (k - rho * h) / (h * root)) + owens_t(k, (h - rho * k) / (k * root))
    return (ndtr(h) + ndtr(k)) / 2 - tails - apart


def _cuts(margin: np.ndarray) -> np.ndarray:
    """Return where the normal variable is cut, shape (tables, classes - 1)."""
    total = np.maximum(margin.sum(axis=1, keepdims=True), 1e-300)
    return np.clip(ndtri(margin.cumsum(axis=1)[:, :-1] / total), -_FAR, _FAR)


def _slope(
    tables: np.ndarray, rows: np.ndarray, columns: np.ndarray, rho: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the slope of the log likelihood at `rho`, and Fisher's information."""
    h, k, r = rows[:, :, None], columns[:, None, :], rho[:, None, None]
    below = np.zeros((len(tables), rows.shape[1] + 2, columns.shape[1] + 2))
    below[:, 1:-1, 1:-1] = bivariate_normal(h, k, r)
    below[:, 1:-1, -1], below[:, -1, 1:-1], below[:, -1, -1] = ndtr(rows), ndtr(columns), 1
    rising = np.zeros_like(below)  # the slope of the distribution in rho is the density
    left = (1 - r) * (1 + r)
    rising[:, 1:-1, 1:-1] = np.exp(-(h**2 - 2 * r * h * k + k**2) / (2 * left)) / (
        2 * np.pi * np.sqrt(left)
    )
    chance, change = (np.diff(np.diff(x, axis=1), axis=2) for x in (below, rising))
    relative = change / np.maximum(chance, _LEAST)
    information = tables.sum(axis=(1, 2)) * (change * relative).sum(axis=(1, 2))
    return (tables * relative).sum(axis=(1, 2)), information
