"""Where customers leave: the monthly chance by region and by branch."""

from __future__ import annotations

from collections.abc import Mapping

import ibis.expr.types as ir
import pandas as pd

from customerlab.churn.calendar import hazard_by, main_branch
from customerlab.churn.levels import as_levels
from customerlab.churn.stays import Stays
from customerlab.features import feature_name, level_name
from customerlab.messages import say

#: So many places of one kind are shown at each end.
_MOST = 10


def hazard_by_place(stays: Stays, tables: Mapping[str, ir.Table], min_cell: int) -> pd.DataFrame:
    """Return how many of those here leave in a month, by region and by branch.

    Parameters
    ----------
    stays : Stays
    tables : mapping of str to table
        ``accounts`` with ``branch``: the one of a customer's first account is theirs.
    min_cell : int
        Places in which fewer left are not shown. No counts are.

    Returns
    -------
    DataFrame
        ``feature``, ``level``, ``hazard`` with its 95 % interval ``hazard_low`` to
        ``hazard_high``; the highest first within each feature.
    """
    rows, parts = stays.rows, []
    if "region" in rows.columns:
        parts.append(("region", hazard_by(rows, ["region"])))
    accounts = tables.get("accounts")
    if accounts is not None and "branch" in accounts.columns and stays.landmarks is not None:
        branch = main_branch(accounts).rename(whose="customer_id")
        known = rows.left_join(branch, [("customer_id", "whose")])
        parts.append(("branch", hazard_by(known, ["branch"])))
    shown = []
    for name, table in parts:
        enough = table[(table["events"] >= min_cell) & table[name].notna()]
        enough = enough.sort_values("hazard", ascending=False, kind="stable")
        feature = say("branch") if name == "branch" else feature_name(name)
        levels = [level_name(name, level) for level in as_levels(enough[name])]
        shown.append(
            pd.DataFrame(
                {
                    "feature": [feature] * len(enough),
                    "level": levels,
                    "hazard": enough["hazard"].to_numpy(),
                    "hazard_low": enough["low"].to_numpy(),
                    "hazard_high": enough["high"].to_numpy(),
                }
            )
        )
    columns = ["feature", "level", "hazard", "hazard_low", "hazard_high"]
    full = [part for part in shown if len(part)]
    return pd.concat(full, ignore_index=True) if full else pd.DataFrame(columns=columns)


def first_places(table: pd.DataFrame) -> pd.Series:
    """Return which rows a page shows: of each kind of place those where most leave."""
    rank = table.groupby(table["feature"].map(str), sort=False).cumcount()
    return rank < _MOST
