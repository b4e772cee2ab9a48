"""How many customers have a thing that most of their like have, from counts of like customers.

A lot halves the customers. Whether most of a customer's like have the thing is judged by the other
half, and how many do is counted in the customer's own half: groups that were chosen because many
there seem to have it are not counted by the same customers that got them chosen.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from customerlab.churn.curves import status_of
from customerlab.churn.smooth import wilson

#: Like customers in the other half below which they tell nothing.
MIN_LIKE = 20

#: At least such a share of the customers is to have so many.
_COVERED = 0.8

#: Columns that :func:`sum_gaps` adds.
GAP = ["like", "like_share", "like_low", "like_high", "gap", "status"]


def against_other_half(
    sizes: pd.DataFrame, counts: pd.DataFrame, things: Sequence[str], thing: str
) -> pd.DataFrame:
    """Return a row per group and thing, with what the other half of the group has.

    Parameters
    ----------
    sizes : DataFrame
        A row per group of like customers and ``half``: the group's columns, ``half``, ``n``.
    counts : DataFrame
        The same columns but ``n``, and `thing`, ``k``: how many have it (absent: none).
    things : sequence of str
    thing : str
        The column that names the thing.

    Returns
    -------
    DataFrame
        The group's columns, ``half``, `thing`, ``n``, ``k``, ``other_n``, ``other_k`` (0 where the
        other half has no such customers).
    """
    keys = [name for name in sizes.columns if name != "n"]
    every = sizes.merge(pd.DataFrame({thing: list(things)}, dtype=object), how="cross")
    rows = every.merge(counts, how="left", on=[*keys, thing])
    rows["k"] = rows["k"].fillna(0)
    other = rows.assign(half=~rows["half"].astype(bool))
    other = other.rename(columns={"n": "other_n", "k": "other_k"})
    rows = rows.assign(half=rows["half"].astype(bool)).merge(other, how="left", on=[*keys, thing])
    return rows.fillna({"other_n": 0, "other_k": 0})


def sum_gaps(rows: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Add up the groups in which most have the thing.

    Parameters
    ----------
    rows : DataFrame
        Of :func:`against_other_half`.
    by : sequence of str
        What names a line: the thing, or a pair.

    Returns
    -------
    DataFrame
        `by`; ``n`` and ``k`` over all groups; ``like``: customers whose like mostly have it (the
        lower end of Wilson's 95 % interval of the other half is above one half), ``like_share``
        of whom have it, ``like_low`` to ``like_high`` (95 %, Wilson), ``gap``: how many of them
        do not (0 where most have it in no group); ``status`` by ``n``.
    """
    n, k = rows["other_n"].to_numpy(float), rows["other_k"].to_numpy(float)
    low, _ = wilson(k, np.maximum(n, 1))
    most = (n >= MIN_LIKE) & (low > 0.5)
    sums = rows.assign(like=rows["n"] * most, like_k=rows["k"] * most)
    sums = sums.groupby(list(by), as_index=False)[["n", "k", "like", "like_k"]].sum()
    sums["like_share"], sums["like_low"], sums["like_high"] = shares(sums["like_k"], sums["like"])
    sums["gap"] = sums["like"] - sums["like_k"]
    sums["status"] = [status_of(one) for one in sums["n"]]
    whole = {name: "int64" for name in ("n", "k", "like", "gap")}
    return sums.astype(whole).drop(columns="like_k")


def rank_things(rows: pd.DataFrame, thing: str, most: int) -> pd.DataFrame:
    """Return what most like customers have, by group: the first `most` things.

    Parameters
    ----------
    rows : DataFrame
        Of :func:`against_other_half`, of single things.

    Returns
    -------
    DataFrame
        The group's columns, ``half``, `thing`, ``like_share`` (of the other half), ``place`` (from
        0, the most frequent first, then by name); no row for a group of which the other half has
        too few customers.
    """
    keys = [c for c in rows.columns if c not in (thing, "n", "k", "other_n", "other_k")]
    known = rows[rows["other_n"] >= MIN_LIKE]
    known = known.assign(like_share=known["other_k"] / known["other_n"])
    known = known[known["like_share"] > 0]
    known = known.sort_values(
        [*keys, "like_share", thing], ascending=[True] * len(keys) + [False, True]
    )
    known = known.assign(place=known.groupby(keys).cumcount())
    return known.loc[known["place"] < most, [*keys, thing, "like_share", "place"]]


def coarse_enough(sizes: pd.DataFrame, keys: Sequence[str]) -> tuple[str, ...]:
    """Return so many of the categories that most customers have like ones in the other half.

    Parameters
    ----------
    sizes : DataFrame
        `keys`, ``half``, ``n``.
    keys : sequence of str
        The last one is kept; the one before it is given up first.
    """
    keys = list(keys)
    while len(keys) > 1:
        halves = sizes.groupby([*keys, "half"], as_index=False)["n"].sum()
        other = halves.assign(half=~halves["half"].astype(bool)).rename(columns={"n": "other"})
        halves = halves.astype({"half": bool}).merge(other, how="left", on=[*keys, "half"])
        if halves.loc[halves["other"] >= MIN_LIKE, "n"].sum() >= _COVERED * halves["n"].sum():
            break
        keys.pop(-2)
    return tuple(keys)


def shares(k: pd.Series, n: pd.Series) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return shares with Wilson's 95 % interval; of nobody they are missing."""
    n, k = n.to_numpy(float), k.to_numpy(float)
    some = n > 0
    low, high = wilson(k, np.where(some, n, 1))
    found = (k / np.where(some, n, 1), low, high)
    share, low, high = (np.where(some, one, np.nan) for one in found)
    return share, low, high
