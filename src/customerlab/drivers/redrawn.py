"""The factors of resamples, brought into the order of those of the whole."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from customerlab.drivers.extraction import Extracted, Rotation, extract, matched, rotate, turned_to

#: So many resamples are needed for an interval.
FEWEST = 40


@dataclass(frozen=True)
class Draws:
    """The resamples whose likelihood has a maximum.

    Attributes
    ----------
    bags : ndarray of shape (times, bags)
        How often each bag of rows was drawn.
    matrices : ndarray of shape (times, items, items)
    uniqueness : ndarray of shape (times, items)
    loadings : ndarray of shape (times, items, factors)
        Matched with those of the whole.
    correlations : ndarray of shape (times, factors, factors)
    congruence : ndarray of shape (times, factors)
    failed : int
        Resamples left out.
    """

    bags: np.ndarray
    matrices: np.ndarray
    uniqueness: np.ndarray
    loadings: np.ndarray
    correlations: np.ndarray
    congruence: np.ndarray
    failed: int


def redraw_factors(
    resamples: Iterable[tuple[np.ndarray, np.ndarray]],
    whole: Extracted,
    turn: np.ndarray,
    pattern: np.ndarray,
    rotation: Rotation,
) -> Draws:
    """Fit the factors of each resample as those of the whole were, and match them with these.

    Parameters
    ----------
    resamples : iterable of (ndarray of shape (bags,), ndarray of shape (items, items))
        How often each bag was drawn, and the correlations of the rows in them.
    whole : Extracted
    turn : ndarray
        Where the rotation may begin.
    pattern : ndarray of shape (items, factors)
        Of the whole, rotated and in order.
    rotation : {"oblimin", "varimax", "promax"}
    """
    kept, failed = [], 0
    for bags, matrix in resamples:
        one = extract(matrix, pattern.shape[1], start=whole.uniqueness) if sound(matrix) else None
        if one is None or not one.converged:
            failed += 1
            continue
        near = turned_to(one.loadings, whole.loadings)
        # an interval needs no more decimals than these
        rotated = rotate(near, rotation, turn=turn, tolerance=1e-4)
        kept.append((bags, matrix, one.uniqueness, *matched(rotated, pattern)))
    if not kept:
        return none_drawn(*pattern.shape, failed=failed)
    return Draws(*map(np.array, zip(*kept, strict=True)), failed=failed)


def none_drawn(items: int, factors: int, *, failed: int = 0) -> Draws:
    """Return no draw, in the right shapes."""
    k, m = items, factors
    shapes = ((0,), (k, k), (k,), (k, m), (m, m), (m,))
    return Draws(*[np.zeros((0, *shape)) for shape in shapes], failed=failed)


def sound(matrix: np.ndarray) -> bool:
    """Return whether correlations can be factored: all known, none following from others."""
    return bool(np.isfinite(matrix).all()) and np.linalg.eigvalsh(matrix)[0] > 1e-8
