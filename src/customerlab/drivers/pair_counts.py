"""How often each two answers are given together: all that polychoric correlations need.

The engine counts, bag by bag, so that the number of rows costs the correlations nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd
from scipy.special import ndtri

from customerlab.drivers.moments import BAG, PULLED
from customerlab.drivers.polychoric import polychoric

_ROUGH = 1e-5  # the last step of a resample's search; what is left to go is a tenth of it or less


@dataclass(frozen=True)
class PairCounts:
    """How often each two answers were given together, for each bag and pair of items.

    Attributes
    ----------
    items : tuple of str
    levels : tuple of ndarray
        The answers given to each item, in order.
    counts : ndarray of shape (bags, pairs, levels, levels)
        Rows with the first item's answer and the second's; pairs as in
        ``itertools.combinations(items, 2)``. Levels that an item does not have are empty.
    """

    items: tuple[str, ...]
    levels: tuple[np.ndarray, ...]
    counts: np.ndarray

    @cached_property
    def pairs(self) -> list[tuple[int, int]]:
        """The positions of each pair's items."""
        return list(combinations(range(len(self.items)), 2))

    @cached_property
    def _ends(self) -> tuple[np.ndarray, np.ndarray]:
        """The positions of the pairs' first items, and of their second."""
        first, second = np.array(self.pairs, dtype=int).reshape(-1, 2).T
        return first, second

    @cached_property
    def tables(self) -> np.ndarray:
        """The tables of all rows, shape (pairs, levels, levels)."""
        return self.counts.sum(axis=0)

    @property
    def n(self) -> np.ndarray:
        """Rows in which both items are known, shape (items, items); 0 on the diagonal."""
        return self._square(self.tables.sum(axis=(1, 2)), 0)

    @property
    def correlation(self) -> np.ndarray:
        """Pearson's correlations of the answers; missing where an item does not vary."""
        scores = np.zeros((len(self.items), self.counts.shape[-1]))
        for row, levels in zip(scores, self.levels, strict=True):
            row[: len(levels)] = levels - levels[:1]
        first, second = self._ends
        total = self.tables.sum(axis=(1, 2))
        cells = self.tables / np.where(total > 0, total, np.nan)[:, None, None]
        x, y = scores[first], scores[second]
        x = x - np.einsum("pab,pa->p", cells, x)[:, None]
        y = y - np.einsum("pab,pb->p", cells, y)[:, None]
        spread = np.einsum("pab,pa->p", cells, x**2) * np.einsum("pab,pb->p", cells, y**2)
        spread[spread < 1e-20] = np.nan
        values = np.einsum("pab,pa,pb->p", cells, x, y) / np.sqrt(spread)
        return self._square(np.clip(values, -1, 1), 1)

    def polychoric(self, start: np.ndarray | None = None) -> np.ndarray:
        """Return the polychoric correlations.

        A search that begins at `start`, shape (items, items), is one of many resamples: it ends
        within about a millionth.
        """
        if start is None:
            return self._square(polychoric(self.tables), 1)
        return self._square(polychoric(self.tables, start=start[self._ends], within=_ROUGH), 1)

    def resampled(self, times: np.ndarray, start: np.ndarray) -> np.ndarray:
        """Return the polychoric correlations of resamples, shape (resamples, items, items).

        Parameters
        ----------
        times : ndarray of shape (resamples, bags)
            How often each bag was drawn.
        start : ndarray of shape (items, items)
            Correlations of all rows.
        """
        tables = times.astype(float) @ self.counts.reshape(self.bags, -1)
        begin = np.tile(start[self._ends], len(times))
        tables = tables.reshape(-1, *self.counts.shape[2:])
        values = polychoric(tables, start=begin, within=_ROUGH)
        return self._square(values.reshape(len(times), -1), 1)

    def select(self, items: Sequence[str]) -> PairCounts:
        """Return the same for some of the items, in the order in which they are here."""
        at = [i for i, item in enumerate(self.items) if item in items]
        kept = [p for p, pair in enumerate(self.pairs) if set(pair) <= set(at)]
        return PairCounts(
            tuple(self.items[i] for i in at),
            tuple(self.levels[i] for i in at),
            np.ascontiguousarray(self.counts[:, kept]),
        )

    @property
    def bags(self) -> int:
        """Number of bags."""
        return len(self.counts)

    @property
    def attenuation(self) -> np.ndarray:
        """Correlation of each item's answers with the normal variable behind them.

        Shape (items,); from the shares of the answers (Olsson, Drasgow & Dorans 1982, formula 12).
        """
        found = np.ones(len(self.items))
        for i, levels in enumerate(self.levels):
            if self._margins and len(levels) > 1:
                share = self._margins[i][: len(levels)] / self._margins[i].sum()
                spread = np.sqrt(share @ levels**2 - (share @ levels) ** 2)
                density = np.exp(-(ndtri(share.cumsum()[:-1]) ** 2) / 2) / np.sqrt(2 * np.pi)
                found[i] = density @ np.diff(levels) / spread
        return found

    @cached_property
    def _margins(self) -> list[np.ndarray]:
        """How often each answer was given, by item: in the pair in which most answered it."""
        whole, margins = self.tables, []
        for i in range(len(self.items) if self.pairs else 0):
            p, axis = max(
                ((p, pair.index(i)) for p, pair in enumerate(self.pairs) if i in pair),
                key=lambda one: whole[one[0]].sum(),
            )
            margins.append(whole[p].sum(axis=1 - axis))
        return margins

    def weighted(self, times: np.ndarray) -> PairCounts:
        """Return the counts of one bag that holds each of these so many times, shape (bags,)."""
        flat = times.astype(float) @ self.counts.reshape(self.bags, -1)
        return replace(self, counts=flat.reshape(1, *self.counts.shape[1:]))

    def unrelated(self, rng: np.random.Generator, n: int) -> PairCounts:
        """Return `n` rows with the same answers to each item, drawn apart, in one bag."""
        width = self.counts.shape[-1]
        marks = np.zeros((n, len(self.items) * width), dtype="float32")
        for i, margin in enumerate(self._margins):
            shares = margin.cumsum() / margin.sum()
            answers = shares.searchsorted(rng.random(n), side="right")
            marks[np.arange(n), i * width + answers] = 1
        together = (marks.T @ marks).reshape(len(self.items), width, len(self.items), width)
        first, second = self._ends
        return replace(self, counts=together[first, :, second].astype(float)[None])

    def _square(self, values: np.ndarray, diagonal: float) -> np.ndarray:
        k, (first, second) = len(self.items), self._ends
        matrix = np.full((*values.shape[:-1], k, k), diagonal, dtype=float)
        matrix[..., first, second] = matrix[..., second, first] = values
        return matrix


def count_pairs(table: ir.Table, items: Sequence[str]) -> PairCounts:
    """Let the engine count the answers of every two items.

    Parameters
    ----------
    table : table
        Dealt into bags: see :func:`customerlab.drivers.moments.deal_bags`; `items` are numbers or
        booleans, null where not known.
    items : sequence of str
        Of few different answers each.
    """
    names = [f"v{i}" for i in range(len(items))]
    dealt = table.select(
        bag=table[BAG],
        **{name: table[item].cast("float64") for name, item in zip(names, items, strict=True)},
    )
    seen = dealt.aggregate(rows=dealt.count(), last=dealt["bag"].max()).to_pandas().iloc[0]
    bags = int(seen["last"]) + 1 if seen["rows"] else 1
    if len(items) < 2:
        return PairCounts(tuple(items), (np.zeros(0),) * len(items), np.zeros((bags, 0, 1, 1)))
    if seen["rows"] <= PULLED:
        levels, tables = _pairs_of_rows(dealt.to_pandas(), names, bags)
    else:
        levels, tables = _pairs_of_engine(dealt, names, bags)
    width = max(1, *(len(one) for one in levels))
    counts = np.stack([one.reshape(bags, width, width) for one in tables], axis=1)
    return PairCounts(tuple(items), tuple(levels), counts)


def _pairs_of_rows(
    rows: pd.DataFrame, names: Sequence[str], bags: int
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Count few rows here: the engine takes longer to read so many questions."""
    values = [rows[name].to_numpy(dtype=float) for name in names]
    levels = [np.unique(one[~np.isnan(one)]) for one in values]
    width = max(1, *(len(one) for one in levels))
    codes = [np.searchsorted(at, one) for at, one in zip(levels, values, strict=True)]
    there = [~np.isnan(one) for one in values]
    bag = rows["bag"].to_numpy(dtype="int64") * width
    tables = []
    for i, j in combinations(range(len(names)), 2):
        both = there[i] & there[j]
        cell = ((bag + codes[i]) * width + codes[j])[both]
        tables.append(np.bincount(cell, minlength=bags * width**2).astype(float))
    return levels, tables


def _pairs_of_engine(
    dealt: ir.Table, names: Sequence[str], bags: int
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Let the engine count, pair by pair, by one small whole number for bag and answers."""
    levels = []
    for name in names:
        given = dealt.filter(dealt[name].notnull()).select(name).distinct().to_pandas()
        levels.append(np.sort(given[name].to_numpy(dtype=float)))
    width = max(1, *(len(one) for one in levels))
    codes = {
        name: ibis.cases(*((dealt[name] == at, code) for code, at in enumerate(one.tolist())))
        if len(one)
        else ibis.null("int64")
        for name, one in zip(names, levels, strict=True)
    }
    small = {name: code.cast("int8") for name, code in codes.items()}
    # counted once for every pair, and found only once
    coded = dealt.select(bag=(dealt["bag"] * width**2).cast("int32"), **small).cache()
    tables = []
    for i, j in combinations(names, 2):
        cell = coded["bag"] + coded[i].cast("int32") * width + coded[j].cast("int32")
        counted = coded.select(cell=cell).group_by("cell").aggregate(n=ibis._.count())
        # those with a missing answer have no cell; to leave them out there takes twice the time
        rows = counted.to_pandas().dropna()
        one = np.zeros(bags * width**2)
        one[rows["cell"].to_numpy(dtype="int64")] = rows["n"].to_numpy()
        tables.append(one)
    return levels, tables
