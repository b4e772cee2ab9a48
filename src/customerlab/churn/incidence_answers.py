"""What a reader sees of the ways of leaving: the curves, a table for reports, the answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd

from customerlab.churn.curves import MIN_AT_RISK
from customerlab.churn.incidence import Incidence
from customerlab.exits import EXITS
from customerlab.features import feature_name, level_name
from customerlab.findings import Finding
from customerlab.messages import Message, Words, say
from customerlab.privacy import round_counts

_SHOWN = ["group", "exit", "month", "at_risk", "events", "incidence", "low", "high", "rounded_to"]

#: What shares in a table for a report are rounded to, at the least what keeps the few unseen.
_STEPS = np.array([0.001, 0.002, 0.005, 0.01, 0.02, 0.05])


def incidence_to_draw(
    result: Incidence, names: Mapping[str, Message] = EXITS, *, exit: str | None = None
) -> pd.DataFrame:
    """Return what can be read: exits taken often enough, months with enough customers.

    Parameters
    ----------
    result : Incidence
    names : mapping of str to Message
        Exits in words; one that is not in it stays as it is.
    exit : str, optional
        The one by which groups are compared; the most frequent that two groups have often enough
        when left out. Of all customers, every exit is returned.

    Returns
    -------
    DataFrame
        As ``result.table`` with groups and exits named for readers, and ``feature``, what the
        groups are groups of; empty where fewer than two groups of a comparison are left.
    """
    enough = result.groups[result.groups["status"] != "not_enough_data"]
    table = result.table[result.table["at_risk"] >= MIN_AT_RISK]
    table = table.assign(exit=[names.get(kind, kind) for kind in table["exit"]], word=table["exit"])
    if result.by is None:
        table = table[table["word"].isin(enough["exit"])]
        return table.assign(group=say("all customers")).drop(columns="word")
    # curves that begin in different months are shares of different customers
    enough = enough[enough["begins"] == enough["begins"].min()]
    for kind in result.exits if exit is None else (exit,):
        groups = enough.loc[enough["exit"] == kind, "group"]
        one = table[(table["word"] == kind) & table["group"].isin(groups)]
        if len(one["group"].unique()) > 1:
            levels = [level_name(result.by, group) for group in one["group"]]
            one = one.assign(group=levels, feature=feature_name(result.by))
            return one.drop(columns="word")
    return table.iloc[:0].drop(columns="word").assign(feature=[])


def incidence_table(
    results: Sequence[Incidence],
    words: Words,
    min_cell: int,
    names: Mapping[str, Message] = EXITS,
) -> pd.DataFrame:
    """Return several results as one table for a report, each group named with its feature.

    Exits add up to all exits, groups to all customers, and :func:`curves_table` stands beside it:
    hiding cells until no difference tells of few customers would leave little to read. So counts
    are rounded to multiples of `min_cell`, and shares to a step that is at least the share of
    `min_cell` exits in any month up to then: fewer exits more or less change no number by more
    than one step. Exits, months and groups that are too small to be drawn are left out, as are
    shares that could be told only to more than 5 %.

    Parameters
    ----------
    results : sequence of Incidence
    words : Words
    min_cell : int
    names : mapping of str to Message
        Exits in words; one that is not in it stays as it is.

    Returns
    -------
    DataFrame
        ``group``, ``exit`` (text), ``month``, ``at_risk``, ``events`` (up to the month),
        ``incidence``, ``low``, ``high`` (the interval rounded outwards) and ``rounded_to``, the
        step of the shares.
    """
    parts = []
    for result in results:
        table = _rounded(result, min_cell)
        if result.by is None:
            groups = [words(say("all customers")) for _ in table["group"]]
        else:
            feature = words(feature_name(result.by))
            groups = [f"{feature}: {words(level_name(result.by, one))}" for one in table["group"]]
        exits = [words(names.get(kind, kind)) for kind in table["exit"]]
        parts.append(table.assign(group=groups, exit=exits))
    rows = [part for part in parts if len(part)] or parts[:1]
    return pd.concat(rows, ignore_index=True) if rows else pd.DataFrame(columns=_SHOWN)


def _rounded(result: Incidence, min_cell: int) -> pd.DataFrame:
    table = result.table
    months = table.groupby(["group", "month"], sort=False)
    gone = months["incidence"].sum().groupby("group", sort=False).shift(fill_value=0.0)
    each = (1 - gone) / months["at_risk"].first().clip(lower=1)  # what one exit adds to a share
    least = (min_cell * each.groupby("group", sort=False).cummax()).rename("least").reset_index()
    table = table.merge(least, on=["group", "month"], how="left")
    table["events"] = table.groupby(["group", "exit"], sort=False)["events"].cumsum()
    enough = result.groups.loc[result.groups["status"] != "not_enough_data", ["group", "exit"]]
    table = table.merge(enough, on=["group", "exit"])
    big = table["at_risk"] >= max(MIN_AT_RISK, min_cell)
    table = table[big & (table["least"] <= _STEPS[-1])]
    step = _STEPS[np.searchsorted(_STEPS, table["least"].to_numpy(float))]

    def to_step(column: str, whole: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        return (whole(table[column].to_numpy(float) / step) * step).round(4)

    return pd.DataFrame(
        {
            "group": table["group"],
            "exit": table["exit"],
            "month": table["month"],
            "at_risk": round_counts(table["at_risk"], min_cell),
            "events": round_counts(table["events"], min_cell),
            "incidence": to_step("incidence", np.round),
            "low": to_step("low", np.floor),
            # before the first exit, too, the share is known only to a step
            "high": np.minimum(np.maximum(to_step("high", np.ceil), step), 1),
            "rounded_to": step,
        }
    ).reset_index(drop=True)


def left_by_exit(
    result: Incidence, month: float, names: Mapping[str, Message] = EXITS
) -> tuple[Finding, ...]:
    """Return the share of all customers who have left in each way so many months after joining.

    Returns
    -------
    tuple of Finding
        ``churn_timing.left_<exit>_after_<month>_months``, the most frequent exit first; none
        where nobody left.

    Raises
    ------
    ValueError
        When `result` is one of groups.
    """
    if result.by is not None:
        raise ValueError("left_by_exit is for all customers: cumulative_incidence without by")
    at = result.at(month).set_index("exit")
    return tuple(_left_by(row, at, month, (names or {})) for row in result.groups.itertuples())


def _left_by(row, at: pd.DataFrame, month: float, names: Mapping[str, Message]) -> Finding:
    exit_ = names.get(row.exit, row.exit)
    word = "_".join(row.exit.split())
    id_ = f"churn_timing.left_{word}_after_{month:g}_months"
    if row.status == "not_enough_data" or row.exit not in at.index:
        text = (
            say(
                "Too few customers left in this way to say how many do so within {months:count} "
                "months: “{exit}”.",
                exit=exit_,
                months=month,
            )
            if row.status == "not_enough_data"
            else say("No customer was seen for {months:count} months.", months=month)
        )
        return Finding(id=id_, text=text, unit="percent", status="not_enough_data")
    share = at.loc[row.exit]
    text = (
        say(
            "Within {months:count} months of joining, {share:percent} of the customers have left "
            "in this way: “{exit}”.",
            months=month,
            share=share["incidence"],
            exit=exit_,
        )
        if row.begins == 0
        else say(
            "Of the customers still here after {begins:count} months, {share:percent} have left "
            "after {months:count} months in this way: “{exit}”.",
            begins=row.begins,
            share=share["incidence"],
            exit=exit_,
            months=month,
        )
    )
    bounded = 0 < share["incidence"] < 1 and share["high"] > 0  # nobody or all: no interval
    return Finding(
        id=id_,
        text=text,
        value=share["incidence"],
        low=share["low"] if bounded else None,
        high=share["high"] if bounded else None,
        unit="percent",
        n=row.customers,
        status=row.status if bounded else "weak",
    )
