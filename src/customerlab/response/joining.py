"""Bins that cannot be told apart beside the other columns are joined, and count as one.

``optbinning`` parts a column by its own rates, which are in part those of the columns it goes with;
and what it parts by chance costs precision. Two bins are joined where the difference of their
log-odds in the logistic model of all columns could be chance, the least telling difference first:
backward elimination of dummies by Wald's test.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
import pandas as pd

from customerlab.response.binning import Bins

#: Differences with a smaller Wald statistic are chance: of equal bins, 19 in 20 are smaller.
ALIKE = 3.84
#: A hint of shrinkage (precision) keeps a bin without responders finite.
HINT = 1e-6


def join_alike(
    bins: Mapping[str, Bins], place: Mapping[str, np.ndarray], responded: np.ndarray
) -> tuple[dict[str, Bins], dict[str, np.ndarray]]:
    """Return the bins with alike ones joined, and each contact's place in them.

    Bins with an order are joined with their neighbours, others with those next in log-odds; that of
    missing values stays.

    Parameters
    ----------
    bins : mapping of str to Bins
    place : mapping of str to ndarray, shape (contacts,)
        Each contact's bin, by column.
    responded : array of 0 and 1, shape (contacts,)
    """
    bins = dict(bins)
    cell, first = _cells([place[name] for name in bins], len(responded))
    n, yes = np.bincount(cell), np.bincount(cell, responded)
    at = {name: place[name][first] for name in bins}
    while True:
        found = _least(bins, *_fit(bins, at, n, yes))
        if found is None:
            break
        name, one, other = found
        bins[name] = bins[name].join(one, other)
        at[name] = _moved(at[name], one, other)
    return bins, {name: at[name][cell] for name in bins}


def _cells(place: Sequence[np.ndarray], n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return each contact's cell, of those alike in every column, and a contact of each cell."""
    cell = np.zeros(n, dtype="int64")
    for mine in place:
        cell = pd.factorize(cell * (int(mine.max()) + 1) + mine)[0]
    return cell, np.unique(cell, return_index=True)[1]


def _moved(place: np.ndarray, one: int, other: int) -> np.ndarray:
    low, high = sorted((one, other))
    moved = np.where(place == high, low, place)
    return moved - (moved > high)


def _fit(
    bins: Mapping[str, Bins], at: Mapping[str, np.ndarray], n: np.ndarray, yes: np.ndarray
) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """Return log-odds, their covariance, and where each column's bins stand among them.

    The first bin of a column is its base; its place is that of a log-odds of 0 without error.
    """
    columns, where = [np.ones(len(n))], {}
    for name, one in bins.items():
        count = len(one.n)
        where[name] = np.append(-1, len(columns) + np.arange(count - 1))
        columns += [(at[name] == i).astype(float) for i in range(1, count)]
    design = np.column_stack(columns)
    log_odds = np.zeros(design.shape[1])
    log_odds[0] = np.log(yes.sum() / (n - yes).sum())
    for _ in range(50):
        chance = 1 / (1 + np.exp(-design @ log_odds))
        information = (design.T * (n * chance * (1 - chance))) @ design
        information[np.diag_indices_from(information)] += HINT
        step = np.linalg.solve(information, design.T @ (yes - n * chance) - HINT * log_odds)
        log_odds += np.clip(step, -2, 2)
        if np.abs(step).max() < 1e-8:
            break
    # the last place is the base
    covariance = np.pad(np.linalg.inv(information), (0, 1))
    return np.append(log_odds, 0.0), covariance, where


def _least(
    bins: Mapping[str, Bins],
    log_odds: np.ndarray,
    covariance: np.ndarray,
    where: Mapping[str, np.ndarray],
) -> tuple[str, int, int] | None:
    """Return the two bins of a column that differ least, or None where all differ."""
    least, found = ALIKE, None
    for name, one in bins.items():
        known = np.array([i for i in range(len(one.n)) if i != one.unknown])
        mine = where[name][known]
        order = np.arange(len(known)) if one.ordered else np.argsort(log_odds[mine], kind="stable")
        for a, b in pairwise(order):
            i, j = mine[a], mine[b]
            spread = covariance[i, i] + covariance[j, j] - 2 * covariance[i, j]
            wald = (log_odds[i] - log_odds[j]) ** 2 / spread
            if wald < least:
                least, found = wald, (name, int(known[a]), int(known[b]))
    return found
