"""Shares of two groups of customers by feature and level, as a report may show them."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from customerlab.features import feature_name
from customerlab.messages import Message
from customerlab.privacy import mask_counts

#: Numbers are told in so many bands.
BANDS = 5


def compare_shares(
    feature: str,
    levels: Sequence[Message | str],
    one: pd.Series,
    other: pd.Series,
    groups: tuple[str, str],
) -> pd.DataFrame:
    """Return how frequent each level of a feature is in two groups.

    Parameters
    ----------
    feature : str
    levels : sequence of Message or str
    one, other : Series
        How many of each group have each level.
    groups : tuple of str
        What the groups are called.

    Returns
    -------
    DataFrame
        ``feature``, ``level``, for each group ``n_<group>`` and its share ``<group>``, and
        ``ratio``: the first share over the second, missing where that is 0.
    """
    n = dict(zip(groups, (one, other), strict=True))
    table = pd.DataFrame({"feature": feature, "level": levels})
    for group, counts in n.items():
        table[f"n_{group}"] = counts.to_numpy("int64")
        table[group] = table[f"n_{group}"] / max(int(counts.sum()), 1)
    first, second = groups
    return table.assign(ratio=table[first] / table[second].where(table[second] > 0))


def shares_to_show(table: pd.DataFrame, groups: tuple[str, str], min_cell: int) -> pd.DataFrame:
    """Return shares of two groups by feature and level, without counts.

    Parameters
    ----------
    table : DataFrame
        ``feature``, ``level``, for each group ``n_<group>`` and ``<group>`` (its share), ``ratio``.
    groups : tuple of str
    min_cell : int
        Shares of fewer customers are masked, and one more where all together would tell.
    """
    places = [table.index[table["feature"] == one].tolist() for one in table["feature"].unique()]
    shown = table.assign(
        **{name: table[name].astype(float).round(3) for name in (*groups, "ratio")}
    )
    sums = [(None, rows) for rows in places]
    for group in groups:
        shown = mask_counts(
            shown,
            min_cell=min_cell,
            counts=[f"n_{group}"],
            with_them=[group, "ratio"],
            sums=sums,
        )
    shown = shown.drop(columns=[f"n_{group}" for group in groups])
    return shown.assign(feature=[feature_name(one) for one in table["feature"]])
