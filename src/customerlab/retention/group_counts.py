"""Counts of every group that a few attributes can describe, and how often a group leaves."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd
import scipy

from customerlab.churn.levels import as_levels


class Counted:
    """Customers and exits of every description, as one array per choice of attributes.

    Parameters
    ----------
    cells : DataFrame
        Attributes, ``n`` customers and ``left`` of them.
    levels : mapping of str to list of str
        The levels of each attribute that a description may have; all others, and customers of
        whom it is not known, come last in an array.
    """

    def __init__(self, cells: pd.DataFrame, levels: Mapping[str, list[str]]) -> None:
        self.n, self.exits = cells["n"].to_numpy(), cells["left"].to_numpy()
        self.customers, self.left = int(self.n.sum()), int(self.exits.sum())
        self.sizes = {name: len(known) + 1 for name, known in levels.items()}
        # get_indexer gives -1 for what is none of the levels: the last one
        self.codes = {
            name: pd.Index(known).get_indexer(as_levels(cells[name])) % self.sizes[name]
            for name, known in levels.items()
        }
        self.kept: dict[tuple[str, ...], tuple[np.ndarray, np.ndarray]] = {}

    def of(self, chosen: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
        """Return customers and exits, an axis per attribute."""
        if chosen not in self.kept:
            shape = tuple(self.sizes[name] for name in chosen)
            at = np.zeros(len(self.n), dtype=np.int64)
            for name in chosen:
                at = at * self.sizes[name] + self.codes[name]
            size = int(np.prod(shape, dtype=np.int64))
            both = (np.bincount(at, weights=w, minlength=size) for w in (self.n, self.exits))
            self.kept[chosen] = tuple(c.round().astype(np.int64).reshape(shape) for c in both)
        return self.kept[chosen]

    def weakest(self, chosen: tuple[str, ...], places: np.ndarray) -> np.ndarray:
        """Return the largest p-value of descriptions against the rest of each generalisation.

        Parameters
        ----------
        chosen : tuple of str
            The attributes that are described.
        places : array of shape (descriptions, attributes)
            Where in the arrays of :meth:`of` each description is.
        """
        n, left = (counts[tuple(places.T)] for counts in self.of(chosen))
        n_all, left_all = [], []
        for whole in [(), *subsets(chosen, len(chosen) - 1)]:
            at = tuple(places[:, [chosen.index(name) for name in whole]].T)
            for kept, counts in zip((n_all, left_all), self.of(whole), strict=True):
                kept.append(np.broadcast_to(counts[at], len(places)))  # of everybody: one number
        # all in one call: most of the time goes into starting it
        return fisher(left, n, np.array(left_all), np.array(n_all)).max(axis=0)


def fisher(
    left: np.ndarray, n: np.ndarray, left_all: np.ndarray | int, n_all: np.ndarray | int
) -> np.ndarray:
    """Return Fisher's one-sided p-value that `n` of `n_all` leave more often than the rest.

    The chance that, of ``left_all`` exits dealt out among ``n_all`` customers, as many as ``left``
    or more fall on the group; 1 for a group of nobody.
    """
    p = scipy.stats.hypergeom.sf(left - 1, np.maximum(n_all, 1), left_all, n)
    return np.where(n > 0, p, 1.0)


def subsets(attributes: Sequence[str], most: int) -> Iterator[tuple[str, ...]]:
    """Yield every choice of 1 to `most` attributes, the smaller ones first."""
    for size in range(1, most + 1):
        yield from itertools.combinations(attributes, size)
