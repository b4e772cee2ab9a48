"""Curves and left-out customers as figures and reports may show them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from customerlab.churn.curves import MIN_AT_RISK, Survival
from customerlab.churn.hazard import Hazard
from customerlab.churn.stays import Stays
from customerlab.exits import exit_name
from customerlab.features import feature_name, level_name
from customerlab.findings import Finding
from customerlab.messages import Words, say
from customerlab.privacy import mask_counts


def left_out_to_show(stays: Stays, min_cell: int) -> pd.DataFrame:
    """Return whose stay is not measured, small counts masked: all others are counted elsewhere."""
    everyone = [(None, range(len(stays.left_out)))]
    return mask_counts(stays.left_out, min_cell=min_cell, counts=["customers"], sums=everyone)


def compare_curves(curves: Sequence[Survival]) -> pd.DataFrame:
    """Return the log-rank tests of groups' curves: whether they differ by more than chance.

    Returns
    -------
    DataFrame
        ``feature``, ``chi_square``, ``df``, ``p_value``.
    """
    tested = [curve for curve in curves if curve.logrank is not None and curve.by is not None]
    return pd.DataFrame(
        {
            "feature": [feature_name(curve.by) for curve in tested],
            "chi_square": [curve.logrank.statistic for curve in tested],
            "df": [curve.logrank.df for curve in tested],
            "p_value": [curve.logrank.p for curve in tested],
        }
    )


def describe_rule(stays: Stays) -> tuple[Finding, ...]:
    """Return how long a silence has to last, and why; nothing where silence is no exit."""
    return () if stays.idle_rule is None else (stays.idle_rule.finding(),)


def rule_to_draw(stays: Stays) -> pd.DataFrame:
    """Return how many come back after a silence, for :func:`customerlab.plots.silences`."""
    rule = stays.idle_rule
    if rule is None:
        return pd.DataFrame(columns=["silent_days", "returns", "low", "high", "chosen"])
    return rule.table.assign(chosen=rule.table["silent_days"] == rule.days)


def ratios_table(causes: Mapping[str, Hazard], min_cell: int) -> pd.DataFrame:
    """Return the hazard ratios of each way of leaving, without those that rest on few exits."""
    shown = []
    for exit_, hazard in causes.items():
        table = hazard.table
        few = table["events"].astype(float) < min_cell
        numbers = {"hazard_ratio": "hazard_ratio", "ratio_low": "low", "ratio_high": "high"}
        shown.append(
            pd.DataFrame(
                {
                    "exit": [exit_name(exit_)] * len(table),
                    "term": [feature_name(term) for term in table["term"]],
                    "level": [
                        level_name(term, level)
                        for term, level in zip(table["term"], table["level"], strict=True)
                    ],
                    **{new: table[old].astype(float).mask(few) for new, old in numbers.items()},
                    "p_value": table["p"].astype(float).mask(few),
                }
            )
        )
    return pd.concat(shown, ignore_index=True)


def curve_to_draw(curve: Survival) -> pd.DataFrame:
    """Return what of a curve can be read: groups with enough exits, months with enough customers.

    Returns
    -------
    DataFrame
        As ``curve.table``, groups named for readers; empty where fewer than two groups of a
        comparison are left.
    """
    groups = curve.groups[curve.groups.status != "not_enough_data"]
    # curves that begin in different months are shares of different customers
    names = groups.loc[groups.begins == groups.begins.min(), "group"]
    table = curve.table[curve.table["at_risk"] >= MIN_AT_RISK]
    table = table[table.group.isin(names)]
    if curve.by is None:
        return table.assign(group=say("all customers"))
    if table.group.nunique() < 2:
        return table.iloc[:0]
    names = [level_name(curve.by, group) for group in table.group]
    return table.assign(group=names, feature=feature_name(curve.by))


def curves_table(curves: Sequence[Survival], words: Words, min_cell: int) -> pd.DataFrame:
    """Return several curves as one table for a report, each group named with its feature.

    Nobody can work a small number of customers out of it: months in which fewer than `min_cell`
    were at risk are left out, and months are joined until none or `min_cell` have left since the
    row before (``events`` counts from there). Where one group of several is left out of a month,
    the smallest other one is too, for all customers less the others would be the one.
    """
    parts = []
    for curve in curves:
        if curve.by is None:
            names = {"all": words(say("all customers"))}
        else:
            names = {
                group: f"{words(feature_name(curve.by))}: {words(level_name(curve.by, group))}"
                for group in curve.table.group.unique()
            }
        table = steps_to_show(curve, min_cell)
        if len(table):
            parts.append(table.assign(group=table.group.map(names)))
    if not parts:
        return curves[0].table.iloc[:0]
    return pd.concat(parts, ignore_index=True)


def steps_to_show(curve: Survival, min_cell: int) -> pd.DataFrame:
    """Return the rows of a curve's table that :func:`curves_table` shows, groups not yet named."""
    shown = [
        _joined(part, min_cell)
        for _, part in _without_small(curve, min_cell).groupby("group", sort=False)
    ]
    return pd.concat(shown) if shown else curve.table.iloc[:0]


def _without_small(curve: Survival, min_cell: int) -> pd.DataFrame:
    """Leave out the months of a group that are too small, and a second group where one is."""
    table = curve.table
    small = table.at_risk.between(1, min_cell - 1)
    alone = small.groupby(table.month).transform("sum") == 1
    kept = table[~small & (table.at_risk > 0)]
    if curve.by is None:
        return kept
    second = kept[alone[kept.index]].sort_values("at_risk").drop_duplicates("month").index
    return kept.drop(second)


def _joined(part: pd.DataFrame, min_cell: int) -> pd.DataFrame:
    """Join the months of one group until none or enough have left since the row before."""
    total = part.events.cumsum().to_numpy()
    rows, before = [], 0
    for i, left in enumerate(total):
        if left == before or left - before >= min_cell:
            rows.append((i, left - before))
            before = left
    return part.iloc[[i for i, _ in rows]].assign(events=[events for _, events in rows])
