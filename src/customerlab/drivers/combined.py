"""Moments of drivers that are made of several items, and of items of which some are missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from customerlab.drivers.moments import Moments
from customerlab.errors import CustomerlabError, nearest

#: No eigenvalue of what is left without error is let below the first, nor of what all else leaves
#: of that below the second: of few rows more error may be taken off than there is.
_LEAST, _LEAST_NET = 0.05, 0.01


@dataclass(frozen=True)
class Resampled:
    """Moments of all rows, and of resamples of them.

    Attributes
    ----------
    whole : Moments
    drawn : sequence of Moments
        Of one bag each.
    """

    whole: Moments
    drawn: Sequence[Moments]


def resampled(moments: Moments, rng: np.random.Generator, times: int = 500) -> Resampled:
    """Draw resamples of moments; missing answers are made up for as :func:`completed` does."""
    whole = completed(moments)
    return Resampled(whole, [whole.drawn(rng) for _ in range(times)])


def combined(
    moments: Moments,
    names: Sequence[str],
    weights: np.ndarray,
    *,
    items: Sequence[str] | None = None,
    keep: Sequence[str] = (),
    standardised: bool = False,
) -> Moments:
    """Return moments of linear combinations of items, such as scores of factors.

    Parameters
    ----------
    moments : Moments
    names : sequence of str
        Of the combinations.
    weights : ndarray of shape (items, names)
    items : sequence of str, optional
        What the rows of `weights` stand for; all items but those of `keep` when left out.
    keep : sequence of str
        Items that stay as they are and come last: controls, the outcome.
    standardised : bool
        Whether the weights are for items with mean 0 and standard deviation 1.

    """
    used = [item for item in moments.items if item not in keep] if items is None else [*items]
    weights = np.asarray(weights, dtype=float)
    if weights.shape != (len(used), len(names)):
        raise ValueError(f"{weights.shape} weights for {len(used)} items and {len(names)} names")
    whole = completed(select(moments, [*used, *keep]))
    if standardised:
        spread = np.sqrt(whole.covariance.diagonal()[: len(used)])
        flat = spread <= 0
        weights = np.where(flat, 0, 1 / np.where(flat, 1, spread))[:, None] * weights
    map_ = np.zeros((len(whole.items), len(names) + len(keep)))
    map_[: len(used), : len(names)] = weights
    map_[len(used) :, len(names) :] = np.eye(len(keep))
    centre = whole.centre @ map_
    if standardised:
        centre[: len(names)] = 0
    n, sums, products = plain(whole)
    return _moments(
        (*names, *keep), n, sums @ map_, np.einsum("ia,bij,jc->bac", map_, products, map_), centre
    )


def less_error(scores: Moments, error: np.ndarray) -> Moments:
    """Take the covariance of the first variables' errors off theirs (Croon 2002).

    Never so much that none of them would vary, or that they and the others could not be of one
    set of rows: else a factor that others tell too well would seem to tell more than all.

    Parameters
    ----------
    scores : Moments
        In which every row has every variable.
    error : ndarray of shape (variables, variables)
    """
    m = len(error)
    covariance = scores.covariance
    seen = covariance[:m, :m]
    told = _told(covariance, m)
    left = _lifted(told + _lifted(seen - error - told, _LEAST_NET), _LEAST)
    n, sums, products = plain(scores)
    products = products.copy()
    each = n * (1 - 1 / max(n.sum(), 1))  # covariances are with n - 1
    products[:, :m, :m] -= each[:, None, None] * (seen - left)
    return _moments(scores.items, n, sums, products, scores.centre)


def _told(covariance: np.ndarray, m: int) -> np.ndarray:
    """Return the covariance of what the others tell of the first `m` variables."""
    spread = np.sqrt(covariance.diagonal()[m:].clip(min=0))
    part = np.divide(1, spread, out=np.zeros_like(spread), where=spread > 0)
    cross = covariance[:m, m:] * part
    inner = covariance[m:, m:] * part[:, None] * part
    return cross @ np.linalg.pinv(inner, rcond=1e-10, hermitian=True) @ cross.T


def _lifted(matrix: np.ndarray, least: float) -> np.ndarray:
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * values.clip(min=least)) @ vectors.T


def completed(moments: Moments) -> Moments:
    """Return moments as if every row had every item, with the same means and covariances.

    Where answers are missing, each pair's sums are scaled from the rows that have both to one
    number of rows for all, the smallest of any pair. Deviations of a bag's number of rows enter
    to first order, so that resamples of bags vary as pairwise covariances do. Where nothing is
    missing, nothing changes but the centre.
    """
    rows, pairs = moments.n.max(axis=(1, 2)).astype(float), moments.n.sum(axis=0)
    scale = pairs.min() / max(rows.sum(), 1)
    each = np.divide(rows.sum(), pairs, out=np.full(pairs.shape, np.nan), where=pairs > 0)
    mean = moments.sums.sum(axis=0) * each / max(rows.sum(), 1)
    deviations = (
        moments.products
        - mean * moments.sums.swapaxes(1, 2)
        - mean.T * moments.sums
        + moments.n * (mean * mean.T)
    )
    covariance = deviations.sum(axis=0) * each / max(rows.sum(), 1)
    products = each * (deviations - covariance * moments.n) + covariance * rows[:, None, None]
    own = np.diagonal(mean)
    known, sums = (np.diagonal(x, axis1=1, axis2=2) for x in (moments.n, moments.sums))
    sums = (sums - own * known) * np.diagonal(each)
    return _moments(
        moments.items, rows * scale, sums * scale, products * scale, moments.centre + own
    )


def select(moments: Moments, items: Sequence[str]) -> Moments:
    """Return the moments of these items; an unknown one is told with the nearest right name."""
    for item in items:
        if item not in moments.items:
            hint = nearest(item, moments.items)
            raise CustomerlabError(f"there is no item {item!r} in the moments{hint}")
    return moments.select(items)


def varying(whole: Moments) -> tuple[str, ...]:
    """Return the items that vary, as far as numbers of their size can tell."""
    floor = 1e-12 * (1 + whole.mean**2)
    return tuple(
        item
        for item, variance, least in zip(
            whole.items, whole.covariance.diagonal(), floor, strict=True
        )
        if variance > least
    )


def plain(whole: Moments) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return rows (bags,), sums (bags, items) and products of complete moments."""
    return whole.n[:, 0, 0], np.diagonal(whole.sums, axis1=1, axis2=2), whole.products


def _moments(
    items: Sequence[str],
    n: np.ndarray,
    sums: np.ndarray,
    products: np.ndarray,
    centre: np.ndarray,
) -> Moments:
    """Return moments in which every row has every item."""
    ones = np.ones((1, len(items), len(items)))
    squares = np.diagonal(products, axis1=1, axis2=2)
    return Moments(
        tuple(items),
        n=n[:, None, None] * ones,
        sums=sums[:, :, None] * ones,
        squares=squares[:, :, None] * ones,
        products=products,
        centre=centre,
    )
