"""Means, variances and correlations of items from sums that the engine makes, bag by bag.

Rows are dealt by lot into bags, and each bag is only its sums: of every item, and of the product
of every two. Sums of bags add up to those of all rows, so that correlations are exactly those of
the rows. Bags drawn with replacement give the bootstrap of the rows, whatever their number; of no
more rows than bags each bag is one row, and the bootstrap is the usual one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

#: Rows are dealt into so many bags at most.
BAGS = 500

#: No more rows than these are added up here, more by the engine.
PULLED = 100_000

#: The column that says in which bag a row is.
BAG = "_bag"

#: What is added up, as :class:`Moments` calls it.
SUMS = ("n", "sums", "squares", "products")


@dataclass(frozen=True)
class Moments:
    """Sums over rows, for each bag and pair of items.

    Attributes
    ----------
    items : tuple of str
    n : ndarray of shape (bags, items, items)
        Rows in which both items are known.
    sums, squares : ndarray of shape (bags, items, items)
        Of the row's item, where the column's is known, too.
    products : ndarray of shape (bags, items, items)
        Of the two.
    centre : ndarray of shape (items,)
        What was subtracted from each item before anything was summed.
    """

    items: tuple[str, ...]
    n: np.ndarray
    sums: np.ndarray
    squares: np.ndarray
    products: np.ndarray
    centre: np.ndarray

    @property
    def bags(self) -> int:
        """Number of bags."""
        return len(self.n)

    @property
    def known(self) -> np.ndarray:
        """How many rows have each item, shape (items,)."""
        return np.diagonal(self.n.sum(axis=0)).copy()

    @property
    def mean(self) -> np.ndarray:
        """Mean of each item over the rows that have it, shape (items,)."""
        sums = np.diagonal(self.sums.sum(axis=0))
        return self.centre + _divided(sums, self.known)

    @property
    def covariance(self) -> np.ndarray:
        """Covariances with n - 1, each over the rows in which both items are known."""
        n = self.n.sum(axis=0)
        return self._raw(self.products) * _divided(n, n - 1)

    @property
    def correlation(self) -> np.ndarray:
        """Pearson's correlations; missing where an item does not vary."""
        variance = self._raw(self.squares, same=True)
        spread = np.sqrt(np.where(variance > 1e-12 * (1 + self.centre[:, None] ** 2), variance, 0))
        return np.clip(_divided(self._raw(self.products), spread * spread.T), -1, 1)

    def _raw(self, parts: np.ndarray, *, same: bool = False) -> np.ndarray:
        n, sums = self.n.sum(axis=0), self.sums.sum(axis=0)
        mean = _divided(sums, n)
        return _divided(parts.sum(axis=0), n) - mean * (mean if same else mean.T)

    def select(self, items: Sequence[str]) -> Moments:
        """Return the same for some of the items, in this order."""
        at = [self.items.index(item) for item in items]
        parts = {name: np.ascontiguousarray(getattr(self, name)[:, at][:, :, at]) for name in SUMS}
        return replace(self, items=tuple(items), centre=self.centre[at], **parts)

    def weighted(self, times: np.ndarray) -> Moments:
        """Return the moments of one bag that holds each of these so many times, shape (bags,)."""
        shape, times = (1, len(self.items), len(self.items)), times.astype(float)
        parts = {
            name: (times @ getattr(self, name).reshape(self.bags, -1)).reshape(shape)
            for name in SUMS
        }
        return replace(self, **parts)

    def drawn(self, rng: np.random.Generator) -> Moments:
        """Return a resample: as many bags, drawn with replacement."""
        return self.weighted(draw_bags(self.bags, rng))

    def folds(self, count: int) -> list[tuple[Moments, Moments]]:
        """Return pairs of moments to learn from and to judge by; every bag is judged once."""
        fold = np.arange(self.bags) % count
        return [
            (self.weighted((fold != one).astype(float)), self.weighted((fold == one).astype(float)))
            for one in range(min(count, self.bags))
        ]


def draw_bags(bags: int, rng: np.random.Generator) -> np.ndarray:
    """Return how often each bag is drawn, shape (bags,): as many as there are, with replacement."""
    return rng.multinomial(bags, np.full(bags, 1 / bags)) if bags else np.zeros(0, dtype=int)


def deal_bags(
    table: ir.Table, items: Sequence[str], *, seed: int, key: str | None = None, bags: int = BAGS
) -> ir.Table:
    """Deal the rows into bags by lot, nearly as many into each: adds the column ``_bag``.

    Parameters
    ----------
    table : table
        One row per customer or answer.
    items : sequence of str
    seed : int
        Of the lot.
    key : str, optional
        Column that tells rows apart. Without one the rows are dealt in the order of their items:
        rows alike may stand for each other.
    bags : int
    """
    who = ibis.literal("") if key is None else table[key].cast("string")
    lot = (ibis.literal(f"{seed}:bags:") + who).hexdigest("md5")
    place = ibis.row_number().over(order_by=[lot, *(table[item] for item in items)])
    return table.mutate(**{BAG: place % bags})


def count_moments(table: ir.Table, items: Sequence[str], *, bags: int | None = None) -> Moments:
    """Let the engine make the sums.

    Parameters
    ----------
    table : table
        Dealt into bags: see :func:`deal_bags`; `items` are numbers or booleans, null where not
        known.
    items : sequence of str
    bags : int, optional
        How many there are, of which some of the rows may fill only some.
    """
    names = [f"v{i}" for i in range(len(items))]
    values = table.select(
        bag=table[BAG],
        **{name: table[item].cast("float64") for name, item in zip(names, items, strict=True)},
    )
    means = {name: values[name].mean() for name in names}
    counts = {f"n_{name}": values[name].count() for name in names}
    asked = {"rows": values.count(), "last": values["bag"].max(), **means, **counts}
    seen = values.aggregate(**asked).to_pandas().iloc[0]
    centre = np.nan_to_num(seen[names].to_numpy(dtype=float)).round(6)
    centred = {name: values[name] - at for name, at in zip(names, centre.tolist(), strict=True)}
    dealt = values.select("bag", **centred)
    known = [int(seen[f"n_{name}"]) for name in names]
    bags = bags or (int(seen["last"]) + 1 if seen["rows"] else 0)
    if seen["rows"] <= PULLED:
        parts = _sums_of_rows(dealt.to_pandas(), names, bags)
    else:
        parts = _sums_of_engine(dealt, names, [count == seen["rows"] for count in known], bags)
    return Moments(tuple(items), **parts, centre=centre)


def _sums_of_rows(rows: pd.DataFrame, names: Sequence[str], bags: int) -> dict[str, np.ndarray]:
    """Add up few rows; so many expressions take the engine longer to read than to work out."""
    bag = rows["bag"].to_numpy()
    order = np.argsort(bag, kind="stable")
    starts = np.searchsorted(bag[order], np.arange(1, bags))
    parts: dict[str, list[np.ndarray]] = {name: [] for name in SUMS}
    values = rows[list(names)].to_numpy(dtype=float)[order]
    for one in np.split(values, starts) if bags else []:
        there = ~np.isnan(one)
        filled, there = np.where(there, one, 0), there.astype(float)
        parts["n"].append(there.T @ there)
        parts["sums"].append(filled.T @ there)
        parts["squares"].append((filled**2).T @ there)
        parts["products"].append(filled.T @ filled)
    shape = (-1, len(names), len(names))
    return {name: np.array(part, dtype=float).reshape(shape) for name, part in parts.items()}


def _sums_of_engine(
    dealt: ir.Table, names: Sequence[str], complete: Sequence[bool], bags: int
) -> dict[str, np.ndarray]:
    """Let the engine add up: what an item is beside another is the item less the rows without it.

    Few answers are missing as a rule, so that these rows cost little. Sums that choose their rows,
    one for every two items, would cost the engine twenty times as much.
    """
    k = len(names)
    counted = _alone(dealt, names, products=True)
    at = counted["bag"].to_numpy()
    parts = {name: np.zeros((bags, k, k)) for name in SUMS}
    for i in range(k):
        for j in range(i, k):
            product = counted[f"products_{i}_{j}"].fillna(0).to_numpy(dtype=float)
            parts["products"][at, i, j] = parts["products"][at, j, i] = product
    for what in ("n", "sums", "squares"):
        parts[what][at] = _of_items(counted, what, k)[:, :, None]
    for j in range(k):
        if not complete[j]:
            lacking = _alone(dealt.filter(dealt[names[j]].isnull()), names)
            at = lacking["bag"].to_numpy()
            for what in ("n", "sums", "squares"):
                parts[what][at, :, j] -= _of_items(lacking, what, k)
    return parts


def _alone(dealt: ir.Table, names: Sequence[str], *, products: bool = False) -> pd.DataFrame:
    """Count and sum up each item by bag, and the products of every two where asked."""
    asked: dict[str, ir.Scalar] = {}
    for i, one in enumerate(names):
        asked[f"n_{i}"] = dealt[one].count()
        asked[f"sums_{i}"] = dealt[one].sum()
        asked[f"squares_{i}"] = (dealt[one] * dealt[one]).sum()
        for j in range(i, len(names)) if products else []:
            asked[f"products_{i}_{j}"] = (dealt[one] * dealt[names[j]]).sum()
    return dealt.group_by("bag").aggregate(**asked).order_by("bag").to_pandas()


def _of_items(counted: pd.DataFrame, what: str, items: int) -> np.ndarray:
    columns = [f"{what}_{i}" for i in range(items)]
    return counted[columns].fillna(0).to_numpy(dtype=float)


def _divided(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """Divide; nothing by nothing is not known."""
    good = below > 0
    return np.where(good, above / np.where(good, below, 1), np.nan)
