"""Shares of explained variation, averaged over all orders in which drivers can be taken up.

From covariances alone, and for many covariance matrices (resamples) at once.
"""

from __future__ import annotations

from functools import cache
from math import comb

import numpy as np

#: Up to so many drivers every subset is looked at; with more, orders drawn by lot.
EXACT = 15

#: Pairs of an order and its reverse, for more drivers: of the data, and of each resample.
PAIRS, PAIRS_RESAMPLED = 500, 50

#: A driver of which others leave a smaller part than this adds nothing to them.
_TOLERANCE = 1e-10
#: As many subsets as are held in memory at once.
_AT_ONCE = 2**19


def take_out(covariance: np.ndarray, first: int) -> np.ndarray:
    """Return covariances of what the `first` variables leave of the others.

    Parameters
    ----------
    covariance : ndarray of shape (..., k, k)
    first : int

    Returns
    -------
    ndarray of shape (..., k - first, k - first)
    """
    rest = covariance
    for i in range(first):
        rest = _swept(rest, covariance[..., i, i] * _TOLERANCE)
    return rest


def split_explained(covariance: np.ndarray) -> np.ndarray:
    r"""Split what drivers explain of an outcome among them.

    A driver's part is what it adds to the explained variance, averaged over all orders of taking
    the drivers up (Lindeman, Merenda & Gold 1980; Shapley's value; "lmg" in Grömping 2006), which
    is a weighted mean over subsets :math:`S` of the others,
    :math:`\sum_S \frac{|S|!\,(p-1-|S|)!}{p!} (f(S \cup j) - f(S))`. Subsets are made by taking
    variables out of the matrix one after the other, so that all :math:`2^p` cost about twenty
    numbers each: with 15 drivers a matrix takes some 10 ms, 500 of them a few seconds.

    Parameters
    ----------
    covariance : ndarray of shape (matrices, p + 1, p + 1)
        Of the drivers and, last, the outcome; at most ``EXACT`` drivers.

    Returns
    -------
    ndarray of shape (matrices, p)
        In units of the outcome's variance; they add up to what all drivers explain.
    """
    drivers = covariance.shape[-1] - 1
    step = max(1, _AT_ONCE >> drivers)
    parts = [
        _split(covariance[start : start + step], drivers)
        for start in range(0, len(covariance), step)
    ]
    return np.concatenate(parts) if parts else np.zeros((0, drivers))


def split_by_lot(covariance: np.ndarray, pairs: int, rng: np.random.Generator) -> np.ndarray:
    """Split what drivers explain by orders drawn by lot, each with its reverse.

    Unbiased for :func:`split_explained`, of which it looks at some orders (Castro, Gómez & Tejada
    2009); an order and its reverse together vary less than two orders drawn apart.

    Parameters
    ----------
    covariance : ndarray of shape (p + 1, p + 1)
        Of the drivers and, last, the outcome.
    pairs : int
    rng : Generator

    Returns
    -------
    ndarray of shape (pairs, p)
        The mean of each pair; their mean is the estimate, their spread tells its error.
    """
    drivers = len(covariance) - 1
    orders = rng.permuted(np.tile(np.arange(drivers), (pairs, 1)), axis=1)
    orders = np.concatenate([orders, orders[:, ::-1]])
    at = np.concatenate([orders, np.full((len(orders), 1), drivers)], axis=1)
    rest = covariance[at[:, :, None], at[:, None, :]]
    added = np.empty((len(orders), drivers))
    for step in range(drivers):
        before = rest[:, -1, -1]
        rest = _swept(rest, covariance.diagonal()[orders[:, step]] * _TOLERANCE)
        added[np.arange(len(orders)), orders[:, step]] = before - rest[:, -1, -1]
    return added.reshape(2, pairs, drivers).mean(axis=0)


def _split(covariance: np.ndarray, drivers: int) -> np.ndarray:
    rest = covariance[:, None]
    for i in range(drivers):
        without = rest[..., 1:, 1:]
        with_it = _swept(rest, covariance[:, None, i, i] * _TOLERANCE)
        size = without.shape[-1]
        rest = np.stack([without, with_it], axis=2).reshape(len(covariance), -1, size, size)
    # what is left of the outcome by each subset, an axis per driver: 0 without it, 1 with it
    left = rest[..., 0, 0].reshape(len(covariance), *(2,) * drivers)
    added = [
        (left.take(0, axis=i + 1) - left.take(1, axis=i + 1)).reshape(len(covariance), -1)
        @ _weights(drivers)
        for i in range(drivers)
    ]
    return np.stack(added, axis=1)


def _swept(rest: np.ndarray, floor: np.ndarray) -> np.ndarray:
    """Return what the first variable leaves of the others; nothing is taken by one with none."""
    pivot, cross = rest[..., 0, 0], rest[..., 0, 1:]
    part = np.divide(1, pivot, out=np.zeros_like(pivot), where=pivot > floor)
    return rest[..., 1:, 1:] - (part[..., None] * cross)[..., :, None] * cross[..., None, :]


@cache
def _weights(drivers: int) -> np.ndarray:
    """Return the weight of each subset of the other drivers: orders in which just they go first."""
    others = drivers - 1
    size = np.array([mask.bit_count() for mask in range(1 << others)])
    return 1 / (drivers * np.array([comb(others, k) for k in range(others + 1)])[size])
