"""Why a campaign did worse, in words, as a finding, and as a report may show it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from customerlab.findings import STATUSES, Finding
from customerlab.messages import Message, listed, say
from customerlab.privacy import HIDDEN, round_counts
from customerlab.uplift.effects_shown import few_behind
from customerlab.uplift.to_show import tidy

if TYPE_CHECKING:
    from customerlab.uplift.disappointed import Change

#: The parts, in words.
PARTS: dict[str, Message] = {
    "groups": say("which groups of customers were chosen"),
    "arms": say("which channels or offers (arms) were sent"),
    "reach": say("how many of those assigned were reached"),
    "effect": say("what it does to a customer, all else alike"),
    "all": say("all together"),
}
#: What may have changed with a campaign, in words.
CHANGED: dict[str, Message] = {
    "channel": say("the channel"),
    "product": say("the product"),
    "contact_cost": say("the cost of a contact"),
    "discount": say("the discount"),
    "price": say("the price"),
}
_DECIMALS = 4


def say_amount(value: float, low: float, high: float, binary: bool) -> Message:
    """Say an effect, or a change of one, with its interval."""
    scale = 100 if binary else 1
    told = {"value": value * scale, "low": low * scale, "high": high * scale}
    if binary:
        return say(
            "{value:number2} percentage points (95 % interval {low:number2} to {high:number2})",
            **told,
        )
    return say("{value:number2} (95 % interval {low:number2} to {high:number2})", **told)


def say_number(value: float, binary: bool) -> Message:
    """Say a planned effect."""
    if binary:
        return say("{value:number2} percentage points", value=value * 100)
    return say("{value:number2}", value=value)


def say_change(change: Change, min_cell: int = 1) -> Message:
    """Say whether it did worse, what surely counts for that, and what cannot be told."""
    earlier, later = change.names
    told = {"outcome": change.outcome, "earlier": earlier, "later": later}
    row = change.row("all")
    if change.status == "not_enough_data" or pd.isna(row["low"]):
        return say(
            "{outcome}: not enough data to say whether {later} did worse than {earlier}, and why.",
            **told,
        )
    if few_in(change, min_cell):
        return say(
            "{outcome}: the numbers of {earlier} and {later} are not shown, for they would tell "
            "of very few customers.",
            **told,
        )
    told["change"] = say_amount(*row[["change", "low", "high"]], change.binary)
    if row["high"] < 0:
        first = say(
            "{outcome}: {later} did worse than {earlier}: its effect per customer assigned "
            "changed by {change}.",
            **told,
        )
    elif row["low"] > 0:
        first = say(
            "{outcome}: {later} did better than {earlier}: its effect per customer assigned "
            "changed by {change}.",
            **told,
        )
    else:
        first = say(
            "{outcome}: it is not sure that {later} did worse or better than {earlier}: its effect "
            "per customer assigned changed by {change}, which may be chance.",
            **told,
        )
    return say("{first} {second} {third}", first=first, second=_sure(change), third=_open(change))


def _sure(change: Change) -> Message:
    """Say which parts surely changed something."""
    parts = change.table[(change.table["part"] != "all") & change.table["low"].notna()]
    sure = parts[(parts["low"] > 0) | (parts["high"] < 0)]
    if sure.empty:
        return say("No single part of that is sure.")
    sure = sure.reindex(sure["change"].abs().sort_values(ascending=False, kind="stable").index)
    named = [
        say(
            "{part}: {change}",
            part=PARTS[row["part"]],
            change=say_amount(row["change"], row["low"], row["high"], change.binary),
        )
        for row in sure.to_dict("records")
    ]
    return say("Parts that are sure, each by its own interval: {parts}.", parts=listed(named))


def _open(change: Change) -> Message:
    """Say what stays open: what changed at the same time, and what no data of campaigns hold."""
    if change.together.empty:
        return say(
            "The data cannot tell a season, a competitor's move or news between the two "
            "campaigns from the campaigns themselves."
        )
    names: Sequence[str] = change.together["what"]
    return say(
        "Changed at the same time, and not to be told apart: {changed}. Nor can the data tell a "
        "season, a competitor's move or news between the two campaigns.",
        changed=listed([CHANGED.get(name, name) for name in names]),
    )


def change_finding(change: Change, suffix: str, min_cell: int = 1) -> Finding:
    """Return ``uplift_tests.changed_<suffix>``: change of the effect per customer assigned.

    Supported only if it surely did worse, or better.

    Parameters
    ----------
    change : Change
    suffix : str
        End of the id.
    min_cell : int
        Without numbers where they would tell of fewer customers.
    """
    row, status = change.row("all"), change.status
    numbers = [float(row[name]) for name in ("change", "low", "high")]
    if status == "not_enough_data" or np.isnan(numbers[1]) or few_in(change, min_cell):
        numbers, status = [None] * 3, "not_enough_data"
    elif status == "supported" and numbers[1] <= 0 <= numbers[2]:
        status = "weak"
    n = int(change.campaigns[["n", "control_n"]].to_numpy().sum())
    return Finding(
        f"uplift_tests.changed_{suffix}",
        say_change(change, min_cell),
        *numbers,
        unit="percent" if change.binary else "number",
        n=n if n >= min_cell else None,
        status=status,
    )


def few_in(change: Change, min_cell: int) -> bool:
    """Return whether a campaign's means tell of fewer than `min_cell` customers."""
    return bool(few_behind(change.campaigns.assign(binary=change.binary), min_cell).any())


def change_to_show(change: Change, min_cell: int) -> pd.DataFrame:
    """Return the parts as a report may show them: ``part``, ``change``, ends, ``told``.

    Hidden where :func:`few_in` says so. ``told`` says why a part is not.
    """
    shown = change.table.drop(columns="why_not")
    shown["part"] = shown["part"].map(PARTS)
    for name in ("change", "low", "high", "p_value"):
        values = tidy(change.table[name], _DECIMALS)
        shown[name] = values.astype(object).mask(few_in(change, min_cell) & values.notna(), HIDDEN)
    shown["status"] = STATUSES[change.status]
    shown["told"] = change.table["why_not"].map(lambda why: say("yes") if why is None else why)
    return shown


def cells_to_show(change: Change, min_cell: int) -> pd.DataFrame:
    """Return groups and arms as a report may show them.

    Customers are rounded to multiples of `min_cell`. What a campaign did is hidden where it tells
    of fewer than `min_cell` customers who bought, did not, were reached or were not; where that is
    so of one row alone, also of the smallest other one, for the campaign's total is known.
    """
    cells = change.cells
    shown = cells[["group", "arm"]].copy()
    for when in ("earlier", "later"):
        mine = cells[[name for name in cells if name.endswith(when)]]
        mine = mine.set_axis([name.removesuffix(f"_{when}") for name in mine], axis="columns")
        mine = mine.astype(float)
        few = few_behind(mine.assign(binary=change.binary), min_cell)
        reached = (mine["n"] * mine["reach"]).round()
        for count in (reached, mine["n"] - reached):
            few |= count.between(1, min_cell - 1).to_numpy()
        others = mine["n"][~few & (mine["n"] > 0)]
        if few.sum() == 1 and len(others):
            few[cells.index.get_loc(others.idxmin())] = True
        for name in ("n", "control_n"):
            rounded = round_counts(mine[name], min_cell).astype(object)
            shown[f"{name}_{when}"] = rounded.mask(
                mine[name].between(1, min_cell - 1), f"<{min_cell}"
            )
        for name in ("share", "reach", "effect", "low", "high"):
            values = tidy(mine[name], _DECIMALS)
            hide = few & values.notna() & (name != "share")
            shown[f"{name}_{when}"] = values.astype(object).mask(hide, HIDDEN)
    return shown


def together_to_show(change: Change) -> pd.DataFrame:
    """Return what changed at the same time as a report may show it."""
    shown = change.together.copy()
    shown["what"] = [CHANGED.get(name, name) for name in shown["what"]]
    return shown
