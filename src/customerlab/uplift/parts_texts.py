"""An amount in two parts in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from customerlab.messages import Message, say


def say_split(
    row: Mapping[str, Any], buyers: pd.DataFrame, control: str, amount: str, few: bool = False
) -> Message:
    """Say who buys, both parts of the difference, and what a buyer spends.

    Parameters
    ----------
    row : mapping
        A row of :attr:`customerlab.uplift.two_parts.TwoParts.table`.
    buyers : DataFrame
        :attr:`customerlab.uplift.two_parts.TwoParts.buyers`.
    control, amount : str
    few : bool
        Whether the numbers would tell of too few customers to be shown.
    """
    arm = row["arm"]
    if row["why_not"] is not None:
        return row["why_not"]
    told = {"arm": arm, "control": control, "amount": amount}
    if row["status"] == "not_enough_data":
        return say(
            "Too few buyers in {arm} or {control} to tell more buyers from larger purchases.",
            **told,
        )
    if few:
        return say(
            "What the buyers of {arm} and {control} spend is not shown, for it would tell of "
            "very few customers.",
            **told,
        )
    both = buyers.set_index("arm")
    told |= {name: row[name] for name in ("difference", "more_buyers", "larger_purchases")}
    told |= {f"buyers_{end}": row[f"more_buyers_{end}"] for end in ("low", "high")}
    told |= {f"larger_{end}": row[f"larger_purchases_{end}"] for end in ("low", "high")}
    split = say(
        "Of the difference of {difference:number2} a customer in {amount}, "
        "{more_buyers:number2} come from how many buy (95 % interval {buyers_low:number2} to "
        "{buyers_high:number2}) and {larger_purchases:number2} from how much a buyer spends "
        "({larger_low:number2} to {larger_high:number2}).",
        **told,
    )
    told |= {"treated": both.loc[arm, "buyer_mean"]}
    told |= {"base": both.loc[control, "buyer_mean"]}
    each = say(
        "A buyer spends {treated:number2} with {arm} and {base:number2} with {control}; these "
        "are different customers, so this comparison alone does not show what the campaign "
        "does.",
        **told,
    )
    told |= {"treated": both.loc[arm, "share"], "base": both.loc[control, "share"]}
    told |= {end: 100 * row[f"share_{end}"] for end in ("low", "high")}
    return say("{who} {split} {each}", who=_say_who(told), split=split, each=each)


def _say_who(told: Mapping[str, Any]) -> Message:
    """Say whether more customers buy."""
    if told["low"] > 0:
        return say(
            "More customers buy with {arm}: {treated:percent2} against {base:percent2} with "
            "{control} (95 % interval of the difference {low:number2} to {high:number2} percentage "
            "points).",
            **told,
        )
    if told["high"] < 0:
        return say(
            "Fewer customers buy with {arm}: {treated:percent2} against {base:percent2} with "
            "{control} (95 % interval of the difference {low:number2} to {high:number2} percentage "
            "points).",
            **told,
        )
    return say(
        "Whether {arm} makes more customers buy is not sure: {treated:percent2} against "
        "{base:percent2} with {control} (95 % interval of the difference {low:number2} to "
        "{high:number2} percentage points).",
        **told,
    )
