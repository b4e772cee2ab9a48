"""The retention cube: group by horizon by exit, who stays, who leaves, and what goes with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from customerlab.churn.forecast import Forecast, score_name
from customerlab.churn.levels import as_levels, natural_order
from customerlab.churn.reasons import reason_in_words
from customerlab.exits import exit_name
from customerlab.features import UNKNOWN
from customerlab.findings import Finding, Status
from customerlab.messages import Message, say
from customerlab.privacy import round_counts
from customerlab.retention.groups import Group

#: A group of fewer customers has no row.
SMALLEST = 30

#: What stands for all exits together.
ANY = say("any way of leaving")

COLUMNS = ["group", "horizon_months", "exit", "customers", "retention_rate", "rate_low"]
COLUMNS += ["rate_high", "expected", "low", "high", "change", "change_low", "change_high"]
COLUMNS += ["assets_at_stake", "main_reason"]


@dataclass(frozen=True)
class Cube:
    """The retention-rate model in one table.

    Attributes
    ----------
    table : DataFrame
        ``group`` (Message), ``found`` (whether the search named it), ``horizon_months``, ``exit``
        (Message), ``customers`` who count as here, ``retention_rate`` (the share of those here who
        are expected not to leave in this way) with the model's 95 % interval ``rate_low`` to
        ``rate_high``, ``expected`` leavers with the 95 % prediction interval ``low`` to ``high``;
        ``change`` of the retention rate since the last landmark, where it was observed, with its
        95 % interval; ``assets_at_stake`` (what the expected leavers hold); ``main_reason``: the
        reason most often first among the expected leavers.
    status : str
    """

    table: pd.DataFrame
    status: Status


def build_cube(
    expected: Forecast | None,
    status: Status,
    features: Sequence[str],
    found: Sequence[Group] = (),
    judged: pd.DataFrame | None = None,
) -> Cube:
    """Return the retention cube of the customers who are here.

    Parameters
    ----------
    expected : Forecast or None
        With ``assets`` summed, for what is at stake.
    status : str
        Of the model.
    features : sequence of str
        Each level of each is a group.
    found : sequence of Group
        Groups of several attributes that a search named.
    judged : DataFrame, optional
        From :func:`customerlab.churn.judge_landmarks` with all attributes of the groups: what was
        observed since the last landmark.
    """
    columns = [COLUMNS[0], "found", *COLUMNS[1:]]
    if expected is None:
        return Cube(pd.DataFrame(columns=columns), "not_enough_data")
    cells = expected.cells
    groups: list[tuple[Message, Group | None, bool]] = [(say("all customers"), None, False)]
    for feature in features:
        levels = sorted(as_levels(cells[feature]).unique(), key=natural_order)
        singles = [Group(((feature, level),)) for level in levels if level != UNKNOWN]
        groups += [(one.text, one, False) for one in singles if one not in found]
    groups += [(one.text, one, True) for one in found]
    kinds = expected.exits if len(expected.exits) > 1 else ()
    rows = []
    for text, group, named in groups:
        where = (
            np.ones(len(cells), dtype=bool) if group is None else group.of_frame(cells).to_numpy()
        )
        if cells.loc[where, "n"].sum() < SMALLEST:
            continue
        for kind in (None, *kinds):
            name = ANY if kind is None else exit_name(kind)
            for row in expected.expected(exit_=kind, where=where).itertuples():
                chance = cells.loc[where, score_name(row.horizon_months, kind)]
                rows.append(
                    {
                        "group": text,
                        "found": named,
                        "horizon_months": row.horizon_months,
                        "exit": name,
                        "customers": row.customers,
                        "retention_rate": 1 - row.share,
                        "rate_low": 1 - row.share_high,
                        "rate_high": 1 - row.share_low,
                        "expected": row.expected,
                        "low": row.low,
                        "high": row.high,
                        **_change(row, judged, group, kind),
                        "assets_at_stake": _at_stake(cells.loc[where], chance),
                        "main_reason": _main_reason(cells.loc[where], chance),
                    }
                )
    return Cube(pd.DataFrame(rows, columns=columns), status)


def _change(
    row: object, judged: pd.DataFrame | None, group: Group | None, kind: str | None
) -> dict[str, float]:
    """Return how far the expected retention lies above that observed since the last landmark.

    The interval joins that of the model and Wilson's of the observed share, each end with the one
    that it comes from (Newcombe 1998, method 10): also where nobody had left it has a width.
    """
    from statsmodels.stats.proportion import proportion_confint  # slow to import

    unknown = dict.fromkeys(["change", "change_low", "change_high"], float("nan"))
    if judged is None or judged.empty or kind is not None:
        return unknown
    then = judged.loc[judged["horizon_months"] == row.horizon_months]
    then = then.loc[then["landmark"] == then["landmark"].max()]
    if group is not None:
        if not {attribute for attribute, _ in group.levels} <= set(then.columns):
            return unknown
        then = then.loc[group.of_frame(then)]
    n, left = float(then["n"].sum()), float(then["events"].sum())
    if n < SMALLEST:
        return unknown
    share = left / n
    least, most = proportion_confint(left, n, method="wilson")
    change = share - row.share
    return {
        "change": change,
        "change_low": change - float(np.hypot(share - least, row.share_high - row.share)),
        "change_high": change + float(np.hypot(most - share, row.share - row.share_low)),
    }


def _at_stake(cells: pd.DataFrame, chance: pd.Series) -> float:
    return float((cells["assets"] * chance).sum()) if "assets" in cells else float("nan")


def _main_reason(cells: pd.DataFrame, chance: pd.Series) -> Message:
    leavers = (cells["here"] * chance).groupby(cells["reason_1"]).sum()
    if leavers.empty or not leavers.max() > 0:
        return say("none stands out")
    return reason_in_words(str(leavers.idxmax()))


def cube_to_show(cube: Cube, min_cell: int) -> pd.DataFrame:
    """Return the cube for a report, numbers of customers rounded to multiples of `min_cell`.

    A group of fewer than `min_cell` has no row.
    """
    table = cube.table.loc[cube.table["customers"].astype(float) >= min_cell]
    return table.assign(
        customers=round_counts(table["customers"], min_cell),
        **{end: round_counts(table[end], min_cell) for end in ("expected", "low", "high")},
    )


def rows_to_show(table: pd.DataFrame) -> pd.Series:
    """Return which rows of the cube a page shows: the longest horizon, all and found groups."""
    longest = table["horizon_months"] == table["horizon_months"].max()
    first = table["group"].map(str) == str(table["group"].iloc[0]) if len(table) else longest
    return longest & (table["found"].astype(bool) | first)


def columns_to_show(table: pd.DataFrame) -> list[str]:
    """Return which columns of the cube a page shows; with one way of leaving not which."""
    several = len(set(table["exit"].map(str))) > 1
    known = table["assets_at_stake"].notna().any()
    kept = {"exit": several, "assets_at_stake": known}
    hidden = {"found", "low", "high", "rate_low", "rate_high", "change_low", "change_high"}
    return [name for name in table.columns if name not in hidden and kept.get(name, True)]


def cube_to_draw(cube: Cube) -> pd.DataFrame:
    """Return the rows of any way of leaving, for :func:`customerlab.plots.retention_map`."""
    if cube.table.empty:
        return cube.table
    return cube.table.loc[cube.table["exit"].map(str) == str(ANY)]


def name_highest(cube: Cube) -> Finding:
    """Return the found group with the lowest retention rate, and what goes with it."""
    id_ = "churn_timing.group_at_risk"
    named = cube.table.loc[cube.table["found"]] if len(cube.table) else cube.table
    if named.empty:
        return Finding(
            id=id_,
            text=say("No group of several attributes stands out among those who leave."),
            unit="percent",
            status="not_enough_data" if cube.status == "not_enough_data" else "weak",
        )
    last = named.loc[named["horizon_months"] == named["horizon_months"].max()]
    row = last.loc[last["retention_rate"] == last["retention_rate"].min()].iloc[0]
    whole = cube.table.loc[~cube.table["found"]].iloc[0]
    overall = cube.table.loc[
        (cube.table["group"] == whole["group"])
        & (cube.table["horizon_months"] == row["horizon_months"])
    ].iloc[0]
    return Finding(
        id=id_,
        text=say(
            "Most at risk: {group}. Of these customers {share:percent} are expected to stay for "
            "{months:count} months, against {overall:percent} of all.",
            group=row["group"],
            share=row["retention_rate"],
            months=int(row["horizon_months"]),
            overall=overall["retention_rate"],
        ),
        value=row["retention_rate"],
        low=row["rate_low"],
        high=row["rate_high"],
        unit="percent",
        n=int(row["customers"]),
        status=cube.status,
    )
