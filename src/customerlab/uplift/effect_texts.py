"""The average effects in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from customerlab.messages import Message, say

#: Adjusting that takes less of the variance away is not said to be worth more customers.
WORTH_TELLING = 0.05


def say_effect(row: Mapping[str, Any], control: str, few: bool = False) -> Message:
    """Say one comparison.

    Parameters
    ----------
    row : mapping
        A row of :attr:`customerlab.uplift.average.Effects.table`.
    control : str
    few : bool
        Whether the numbers would tell of too few customers to be shown.
    """
    if row["why_not"] is not None:
        return row["why_not"]
    told = {"arm": row["arm"], "outcome": row["outcome"], "control": control}
    if row["status"] == "not_enough_data":
        return say(
            "Not enough data to say what {arm} does to {outcome} ({n:customers} customers against "
            "{control_n:customers} in {control}, or too few of them with the rarer outcome).",
            n=row["n"],
            control_n=row["control_n"],
            **told,
        )
    if few:
        return say(
            "{outcome}: the numbers of {arm} and {control} are not shown, for they would tell of "
            "very few customers.",
            **told,
        )
    told |= {"treated": row["treated_mean"], "base": row["control_mean"], "p": row["p_value"]}
    scale = 100 if row["binary"] else 1
    told |= {name: row[name] * scale for name in ("effect", "low", "high")}
    first = _say_shares(told) if row["binary"] else _say_amounts(told)
    if pd.isna(row["adjusted_low"]):
        return first
    adjusted = {
        "effect": row["adjusted_effect"] * scale,
        "low": row["adjusted_low"] * scale,
        "high": row["adjusted_high"] * scale,
    }
    if row["sharpened"] > WORTH_TELLING:
        second = say(
            "Adjusted for what was known before, which is as good as {times:number2} times as many "
            "customers, the difference is {effect:number2} ({low:number2} to {high:number2}); this "
            "number counts.",
            times=1 / (1 - row["sharpened"]),
            **adjusted,
        )
    else:
        second = say(
            "Adjusted for what was known before, as was meant beforehand, the difference is "
            "{effect:number2} ({low:number2} to {high:number2}); this number counts.",
            **adjusted,
        )
    return say("{first} {second}", first=first, second=second)


def _say_shares(told: Mapping[str, Any]) -> Message:
    if told["low"] > 0 or told["high"] < 0:
        return say(
            "{outcome}: {treated:percent2} with {arm} against {base:percent2} with {control}, a "
            "difference of {effect:number2} percentage points (95 % interval {low:number2} to "
            "{high:number2}, p = {p:chance}).",
            **told,
        )
    return say(
        "{outcome}: {treated:percent2} with {arm} against {base:percent2} with {control}: no sure "
        "difference, {effect:number2} percentage points (95 % interval {low:number2} to "
        "{high:number2}, p = {p:chance}).",
        **told,
    )


def _say_amounts(told: Mapping[str, Any]) -> Message:
    if told["low"] > 0 or told["high"] < 0:
        return say(
            "{outcome}: {treated:number2} on average with {arm} against {base:number2} with "
            "{control}, a difference of {effect:number2} (95 % interval {low:number2} to "
            "{high:number2}, p = {p:chance}).",
            **told,
        )
    return say(
        "{outcome}: {treated:number2} on average with {arm} against {base:number2} with "
        "{control}: no sure difference, {effect:number2} (95 % interval {low:number2} to "
        "{high:number2}, p = {p:chance}).",
        **told,
    )


def say_all(table: pd.DataFrame, control: str) -> Message:
    """Say how many of the comparisons show a difference."""
    if not len(table):
        return say("There is no arm beside {control}: nothing to compare.", control=control)
    judged = table[table["low"].notna() & (table["status"] != "not_enough_data")]
    if not len(judged):
        return say(
            "Not enough data to say what any arm does beside {control}: none of {n:count} "
            "comparisons can be told.",
            control=control,
            n=len(table),
        )
    return say(
        "Against {control}, {better:count} of {told:count} comparisons show more and "
        "{worse:count} less, each by its own 95 % interval; {untold:count} cannot be told.",
        control=control,
        told=len(judged),
        better=int((judged["low"] > 0).sum()),
        worse=int((judged["high"] < 0).sum()),
        untold=len(table) - len(judged),
    )
