"""What the cut-off means, in sentences, and its tables as a report may show them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from customerlab.findings import Finding
from customerlab.messages import Message, say
from customerlab.response.below import Below
from customerlab.response.cutoff import RULES, Cutoff
from customerlab.uplift.to_show import hide, rounded, tidy

_MONEY = ["cost", "profit", "profit_low", "profit_high", "behind", "behind_low", "behind_high"]


def rules_to_show(cutoff: Cutoff, min_cell: int) -> pd.DataFrame:
    """Return the rules for ``cutoff.csv``: counts and money rounded, so that none tells of few.

    Counts are multiples of `min_cell`, money of what so many responses bring. Where fewer than
    `min_cell` are contacted, or left out, or respond, the numbers read ``hidden``.
    """
    table = cutoff.rules
    step = max(cutoff.margin, cutoff.contact_cost) * min_cell
    rest = cutoff.customers - table["contacts"].astype(float)
    few = np.zeros(len(table), dtype=bool)
    for count in (table["contacts"].astype(float), rest, table["responses"].astype(float)):
        few |= count.between(1e-9, min_cell - 1e-9).to_numpy()
    shown = table.copy()
    for column in _MONEY:
        shown[column] = _to_step(table[column], step)
    shown["cutoff"] = tidy(table["cutoff"], 4)
    shown["share"] = tidy(table["share"], 3)
    shown = shown.assign(
        rule=[RULES[one] for one in table["rule"]],
        contacts=rounded(table["contacts"].astype(float), min_cell),
        responses=rounded(table["responses"].astype(float), min_cell),
    )
    return hide(shown, [c for c in shown if c not in {"rule", "cutoff"}], few)


def curve_to_show(cutoff: Cutoff, min_cell: int) -> pd.DataFrame:
    """Return the profit curve, rounded; no two rows are fewer than `min_cell` contacts apart."""
    table, kept, last = cutoff.curve, [], 0.0
    for at, contacts in table["contacts"].items():
        if contacts - last >= min_cell:
            kept.append(at)
            last = contacts
    shown = table.loc[kept].reset_index(drop=True)
    step = max(cutoff.margin, cutoff.contact_cost) * min_cell
    for column in ("expected", "profit", "profit_low", "profit_high"):
        shown[column] = _to_step(shown[column], step)
    return shown.assign(
        share=tidy(shown["share"], 3),
        cutoff=tidy(shown["cutoff"], 4),
        contacts=rounded(shown["contacts"], min_cell),
    )


def by_cost_to_show(table: pd.DataFrame) -> pd.DataFrame:
    """Return :func:`customerlab.response.cutoff.cutoff_by_cost` rounded; it holds no counts."""
    return table.apply(tidy, places=3)


def _to_step(amounts: pd.Series, step: float) -> pd.Series:
    # nothing is not less than nothing
    return (amounts.astype(float) / step).round() * step + 0.0


def tell_cutoff(cutoff: Cutoff, min_cell: int) -> tuple[Finding, ...]:
    """Return what the bank is told about its cut-off, in money rounded as in the table.

    ``response_model.cutoff``, ``response_model.saved``, ``response_model.cost_per_response`` and,
    where the bank has set a cut-off, ``response_model.own_cutoff`` (what that costs). Only the
    first where there are too few responses, or no contacts to be had.
    """
    if cutoff.status == "not_enough_data":
        text = say("Too few responded, or did not, to say from which chance on a contact pays.")
        name = "response_model.cutoff"
        return (Finding(name, text, unit="percent", n=cutoff.n, status=cutoff.status),)
    cutoff = _rounded(cutoff, min_cell)
    if cutoff.full and np.isinf(cutoff.cutoff):  # nothing to be saved, and no response to pay for
        return (_tell_line(cutoff),)
    found = [_tell_line(cutoff), _tell_saved(cutoff), _tell_cost(cutoff, min_cell)]
    if (cutoff.rules["rule"] == "own").any():
        row = cutoff.rule("own")
        text = say(
            "The bank's own cut-off of {own:percent1} brings {behind:money} less than the best one "
            "of {best:percent1} (95 % interval {low:money} to {high:money}).",
            own=row["cutoff"],
            best=cutoff.cutoff,
            behind=row["behind"],
            low=row["behind_low"],
            high=row["behind_high"],
        )
        if row["behind_low"] <= 0:
            text = say(
                "The bank's own cut-off of {own:percent1} brings about as much as the best one.",
                own=row["cutoff"],
            )
        if np.isinf(cutoff.cutoff):
            text = say(
                "The bank's own cut-off of {own:percent1} brings {behind:money} less than "
                "contacting nobody.",
                own=row["cutoff"],
                behind=row["behind"],
            )
        found.append(_finding(cutoff, "own_cutoff", text, row, "behind"))
    return tuple(found)


def _rounded(cutoff: Cutoff, min_cell: int) -> Cutoff:
    """Return it with money in steps of what `min_cell` responses bring: none tells of few."""
    step = max(cutoff.margin, cutoff.contact_cost) * min_cell
    whole = {c: _to_step(cutoff.rules[c], step) for c in _MONEY}
    names = ("saved", "lost", "lost_low", "lost_high")
    sums = {name: round(getattr(cutoff, name) / step) * step for name in names}
    return replace(cutoff, rules=cutoff.rules.assign(**whole), **sums)


def _tell_line(cutoff: Cutoff) -> Finding:
    at = cutoff.cutoff
    if np.isinf(at):
        text = say(
            "Contact nobody: no customer's chance reaches {even:percent1}, from which a contact "
            "pays.",
            even=cutoff.break_even,
        )
        if cutoff.full:
            text = say(
                "Contact nobody, for no contact is to be had (capacity). One would pay from a "
                "chance of {even:percent1} on.",
                even=cutoff.break_even,
            )
        nobody = say("nobody")
        return Finding("response_model.cutoff", text, nobody, n=cutoff.n, status=cutoff.status)
    if cutoff.full:
        text = say(
            "Contact the customers with the best chances until the contacts are used up, at a "
            "chance of {at:percent1}: that is {share:percent0} of all. More would pay, for a "
            "contact does from {even:percent1} on.",
            at=at,
            share=cutoff.share,
            even=cutoff.break_even,
        )
    elif cutoff.share == 1:
        text = say(
            "Contact everybody: even the smallest chance pays, for a contact does from "
            "{even:percent1} on.",
            even=cutoff.break_even,
        )
    else:
        text = say(
            "Contact from a chance of {at:percent1} on: that is {share:percent0} of the customers. "
            "Anything from {low:percent1} to {high:percent1} brings nearly as much.",
            at=at,
            share=cutoff.share,
            low=cutoff.flat_low,
            high=cutoff.flat_high,
        )
    ends = (at, cutoff.low, cutoff.high)
    return Finding("response_model.cutoff", text, *ends, "percent", cutoff.n, cutoff.status)


def _tell_saved(cutoff: Cutoff) -> Finding:
    if cutoff.full:
        row = cutoff.rule("random")
        text = say(
            "The same number of contacts drawn by lot would bring {behind:money} less (95 % "
            "interval {low:money} to {high:money}).",
            behind=row["behind"],
            low=row["behind_low"],
            high=row["behind_high"],
        )
        return _finding(cutoff, "saved", text, row, "behind")
    net = cutoff.saved - cutoff.lost
    ends = (net, cutoff.saved - cutoff.lost_high, cutoff.saved - cutoff.lost_low)
    text = say(
        "Not contacting those below saves {saved:money} and loses {lost:money} of margin from "
        "those who would have responded: {net:money} more is left.",
        saved=cutoff.saved,
        lost=cutoff.lost,
        net=net,
    )
    if net < 0:
        text = say(
            "Not contacting those below saves {saved:money} and loses {lost:money} of margin from "
            "those who would have responded: {net:money} less is left.",
            saved=cutoff.saved,
            lost=cutoff.lost,
            net=-net,
        )
    if cutoff.below == 0:
        text = say("Nobody is below the cut-off: nothing is saved, and nothing lost.")
    return Finding("response_model.saved", text, *ends, "money", cutoff.n, cutoff.status)


def _tell_cost(cutoff: Cutoff, min_cell: int) -> Finding:
    best, before = cutoff.rule("best"), cutoff.rules.iloc[0]
    text = say(
        "A response costs {after:money} of contacts from the cut-off on, and {before:money} "
        "without a choice of customers.",
        after=best["cost_per_response"],
        before=before["cost_per_response"],
    )
    if best["responses"] < min_cell or before["responses"] < min_cell:
        few = say("Too few responses from the cut-off on to say what one costs.")
        if before["responses"] < min_cell or best["responses"] > 0:
            return Finding(
                "response_model.cost_per_response",
                few,
                unit="money",
                n=cutoff.n,
                status="not_enough_data",
            )
        text = say(
            "A response costs {before:money} of contacts without a choice of customers.",
            before=before["cost_per_response"],
        )
    return _finding(cutoff, "cost_per_response", text, best, "cost_per_response")


def _finding(cutoff: Cutoff, name: str, text: Message, row: pd.Series, of: str) -> Finding:
    ends = [None if np.isnan(row[c]) else float(row[c]) for c in (of, f"{of}_low", f"{of}_high")]
    return Finding(f"response_model.{name}", text, *ends, "money", cutoff.n, cutoff.status)


def tell_below(below: Below) -> Finding:
    """Return ``response_model.hold_out``: how many below the line are contacted by lot."""
    id_, n = "response_model.hold_out", int(below.drawn.sum())
    if n == 0:
        text = say("Nobody is below the cut-off, so nothing there needs testing.")
        if not np.isnan(below.expected_rate):
            text = say(
                "Nobody is contacted from the cut-off on, so nobody below it is, to test it."
            )
        return Finding(id_, text, 0, 0, 0, "customers")
    text = say(
        "Contact {n:customers} of those below all the same, drawn by lot: if they respond as "
        "seldom as foretold, that shows the cut-off right. It is expected to cost {cost:money}.",
        n=n,
        cost=below.cost,
    )
    if np.isinf(below.needed):
        text = say(
            "Contact {n:customers} of those below all the same, drawn by lot: if they respond as "
            "often as foretold, contacts pay there, too, and the cut-off is too high.",
            n=n,
        )
    elif n < below.needed:
        text = say(
            "Contact {n:customers} of those below all the same, drawn by lot. That is too few to "
            "show for sure that the cut-off is right: {needed:number0} would be. It is expected to "
            "cost {cost:money}.",
            n=n,
            needed=below.needed,
            cost=below.cost,
        )
    return Finding(id_, text, n, n, n, "customers")
