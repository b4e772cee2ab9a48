"""Shares of two groups of customers by feature and level, as a report may show them."""

from __future__ import annotations

import pandas as pd

from customerlab.features import feature_name
from customerlab.privacy import mask_counts


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
