"""What an arm earns, in words, as a finding, and as a report may show it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from customerlab.findings import STATUSES, Finding
from customerlab.messages import Message, say
from customerlab.privacy import HIDDEN, round_counts
from customerlab.uplift.effects_shown import few_behind
from customerlab.uplift.to_show import tidy

if TYPE_CHECKING:
    from customerlab.uplift.money import Money

#: Columns of :func:`money_to_show`, and those that are hidden together.
SHOWN = ["arm", "outcome", "n", "margin", "cost"]
_TOLD = ["profit_per_contact", "profit", "roi", "cac", "break_even_cost"]
_TOLD = [f"{name}{end}" for name in _TOLD for end in ("", "_low", "_high")]
#: Decimals of amounts per customer: finer ones would tell the counts behind them.
_DECIMALS = 4


def say_money(row: Mapping[str, Any], control: str) -> Message:
    """Say what a row of :attr:`customerlab.uplift.money.Money.table` means."""
    if row["why_not"] is not None:
        return row["why_not"]
    told = {"arm": row["arm"], "outcome": row["outcome"], "control": control}
    if row["status"] == "not_enough_data":
        return say(
            "Not enough data to say whether {arm} earns money through {outcome}, against "
            "{control}.",
            **told,
        )
    parts = [_say_profit(row, told)]
    if row["cost"] > 0 and row["binary"] and not row["margin"] < 0:
        parts.append(_say_cost_per_one(row, told))
    return parts[0] if len(parts) == 1 else say("{first} {second}", first=parts[0], second=parts[1])


def _say_profit(row: Mapping[str, Any], told: Mapping[str, Any]) -> Message:
    if pd.isna(row["margin"]):
        return say(
            "What one {outcome} is worth is not known, so whether {arm} earns money cannot be "
            "said: declare its margin.",
            **told,
        )
    told = {**told, "worth": row["break_even_cost"]}
    told |= {"worth_low": row["break_even_cost_low"], "worth_high": row["break_even_cost_high"]}
    if pd.isna(row["cost"]):
        if row["break_even_cost_low"] > 0:
            return say(
                "What a contact with {arm} costs is not known. Through {outcome} it earns as long "
                "as a contact costs less than {worth:money} (95 % interval {worth_low:money} to "
                "{worth_high:money}).",
                **told,
            )
        return say(
            "What a contact with {arm} costs is not known. Through {outcome} it is not sure to "
            "bring in anything: {worth:money} per customer (95 % interval {worth_low:money} to "
            "{worth_high:money}), so it is not sure to pay at any cost.",
            **told,
        )
    told |= {"cost": row["cost"], "each": row["profit_per_contact"], "all": row["profit"]}
    told |= {"low": row["profit_per_contact_low"], "high": row["profit_per_contact_high"]}
    if row["profit_per_contact_low"] > 0:
        return say(
            "{arm} earns money through {outcome}: {each:money} per customer assigned after its "
            "cost of {cost:money} (95 % interval {low:money} to {high:money}), {all:money} in all. "
            "It pays as long as a contact costs less than {worth:money}.",
            **told,
        )
    if row["profit_per_contact_high"] < 0:
        return say(
            "{arm} loses money through {outcome}: {each:money} per customer assigned after its "
            "cost of {cost:money} (95 % interval {low:money} to {high:money}), {all:money} in all. "
            "What a contact brings in is {worth:money}.",
            **told,
        )
    return say(
        "Whether {arm} earns money through {outcome} is not sure: {each:money} per customer "
        "assigned after its cost of {cost:money} (95 % interval {low:money} to {high:money}). It "
        "breaks even where a contact costs {worth:money} ({worth_low:money} to "
        "{worth_high:money}).",
        **told,
    )


def _say_cost_per_one(row: Mapping[str, Any], told: Mapping[str, Any]) -> Message:
    """Say what one customer more costs."""
    told = {**told, "cac": row["cac"], "low": row["cac_low"], "high": row["cac_high"]}
    if pd.isna(row["cac_low"]):
        return say(
            "{arm} surely does not bring about more {outcome}: no cost per one can be told.",
            **told,
        )
    if pd.isna(row["cac_high"]):
        return say(
            "One more {outcome} brought about by {arm} costs at least {low:money}; there is no "
            "upper limit, for perhaps there is none more.",
            **told,
        )
    return say(
        "One more {outcome} brought about by {arm} costs {cac:money} ({low:money} to "
        "{high:money}).",
        **told,
    )


def say_all_money(table: pd.DataFrame) -> Message:
    """Say how many of the rows earn and lose."""
    if table.empty:
        return say(
            "Neither the worth of an outcome nor the cost of a contact is known: no money can be "
            "told. Declare margin and contact_cost."
        )
    judged = table[table["profit_per_contact_low"].notna()]
    judged = judged[judged["status"] != "not_enough_data"]
    if judged.empty:
        return say(
            "Whether any arm earns money cannot be said: the margin, the cost of a contact, or "
            "enough data are lacking."
        )
    earn = int((judged["profit_per_contact_low"] > 0).sum())
    lose = int((judged["profit_per_contact_high"] < 0).sum())
    return say(
        "After the cost of contact {earn:count} of {told:count} comparisons surely earn money, "
        "{lose:count} surely lose it, and {unsure:count} may do either. Profits by several "
        "outcomes of one arm are the same money: do not add them.",
        earn=earn,
        lose=lose,
        unsure=len(judged) - earn - lose,
        told=len(judged),
    )


def profit_finding(money: Money, arm: str, outcome: str, suffix: str, min_cell: int = 1) -> Finding:
    """Return ``uplift_tests.profit_<suffix>``: money per customer assigned.

    Supported only if it surely earns, or surely loses. Without numbers where margin or cost are
    unknown, or where they would tell of fewer than `min_cell` customers.

    Parameters
    ----------
    money : Money
    arm, outcome : str
    suffix : str
        End of the id: the caller knows how arms are written in ids.
    min_cell : int
    """
    row = money.row(arm, outcome)
    numbers = _numbers(row, "profit_per_contact")
    known, sure = not np.isnan(numbers[1]), not numbers[1] <= 0 <= numbers[2]
    name, text = f"uplift_tests.profit_{suffix}", row["text"]
    return _finding(money, row, name, numbers, text, known=known, sure=sure, min_cell=min_cell)


def cost_per_one_finding(
    money: Money, arm: str, outcome: str, suffix: str, min_cell: int = 1
) -> Finding:
    """Return ``uplift_tests.cac_<suffix>``: cost per customer won, of a 0/1 outcome.

    Supported only if customers are surely won, or surely not; without numbers unless surely won.

    Parameters
    ----------
    money : Money
    arm, outcome, suffix, min_cell
        As for :func:`profit_finding`.
    """
    row = money.row(arm, outcome)
    numbers, text = _numbers(row, "cac"), row["text"]
    known = row["cost"] > 0 and row["binary"] and not row["margin"] < 0
    known = bool(known and row["status"] != "not_enough_data")
    if known:
        text = _say_cost_per_one(row, {"arm": arm, "outcome": outcome})
    sure = not np.isnan(numbers[2]) or np.isnan(numbers[1])
    name = f"uplift_tests.cac_{suffix}"
    return _finding(money, row, name, numbers, text, known=known, sure=sure, min_cell=min_cell)


def _numbers(row: pd.Series, name: str) -> list[float]:
    return [float(row[f"{name}{end}"]) for end in ("", "_low", "_high")]


def _finding(
    money: Money,
    row: pd.Series,
    name: str,
    numbers: list[float],
    text: Message,
    *,
    known: bool,
    sure: bool,
    min_cell: int,
) -> Finding:
    """Return a finding; without numbers where one lacks or they tell of too few customers."""
    status = row["status"]
    if few_behind(row.to_frame().T, min_cell)[0] and row["why_not"] is None:
        known, text = False, _hidden(row, money.control)
    if not known:
        status = "not_enough_data"
    elif status == "supported" and not sure:
        status = "weak"
    lacking = status == "not_enough_data" or np.isnan(numbers).any()
    told = [None] * 3 if lacking else numbers
    n = int(row["n"]) if row["n"] >= min_cell else None
    return Finding(name, text, *told, unit="money", n=n, status=status)


def money_to_show(money: Money, min_cell: int) -> pd.DataFrame:
    """Return the table as a report may show it.

    Numbers of customers are rounded to multiples of `min_cell`, amounts per customer to four
    decimals, and ``profit`` is of the rounded number. All amounts and the text of a row are hidden
    where :func:`customerlab.uplift.effects_shown.few_behind` says so; an upper end of ``cac`` that
    does not exist reads "no limit".
    """
    table = money.table
    few = few_behind(table, min_cell)
    shown = table[SHOWN].copy()
    rounded = round_counts(table["n"], min_cell)
    shown["n"] = rounded.astype(object).mask(table["n"].between(1, min_cell - 1), f"<{min_cell}")
    for name in _TOLD:
        values = tidy(table[name], _DECIMALS)
        if name in ("profit", "profit_low", "profit_high"):
            values = table[name.replace("profit", "profit_per_contact")].astype(float)
            values = (values.round(_DECIMALS) * rounded).round(2)
        shown[name] = values.astype(object).mask(few & values.notna(), HIDDEN)
    endless = table["cac_low"].notna() & table["cac_high"].isna() & ~few
    shown["cac_high"] = shown["cac_high"].mask(endless, say("no limit"))
    shown["status"] = table["status"].map(STATUSES)
    shown["text"] = [
        _hidden(row, money.control) if hide and row["why_not"] is None else row["text"]
        for row, hide in zip(table.to_dict("records"), few, strict=True)
    ]
    return shown


def _hidden(row: Mapping[str, Any], control: str) -> Message:
    return say(
        "{outcome}: the money of {arm} against {control} is not shown, for it would tell of very "
        "few customers.",
        outcome=row["outcome"],
        arm=row["arm"],
        control=control,
    )
