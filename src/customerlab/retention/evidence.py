"""One question answered from one kind of evidence: a draw by lot, or what is seen together."""

from __future__ import annotations

import pandas as pd

from customerlab.findings import Finding
from customerlab.messages import Message, say
from customerlab.retention.contacts import ALPHA, ContactEffects, shown_to_work


def _answer(question: str, choice: object, answer: Message, evidence: str, **numbers) -> dict:
    unknown = {"value": float("nan"), "low": float("nan"), "high": float("nan")}
    known = {"question": question, "choice": choice, "answer": answer, "evidence": evidence}
    return {**unknown, "unit": "percent", "n": None, "test": None, **known, **numbers}


def from_contact(effects: ContactEffects, question: str) -> dict | None:
    """Return the arm that kept most, where campaigns tell: an experiment, else one in doubt."""
    for evidence in ("experiment", "association"):
        found = shown_to_work(effects, evidence)
        if question != "activity":
            found = found[found[question].notna()]
        if found.empty:
            continue
        row = found.iloc[0]
        choice = row[question] if question != "activity" else _activity(row)
        told = {
            "choice": choice,
            "activity": _activity(row),
            "kept": row["kept"],
            "low": row["kept_low"],
            "high": row["kept_high"],
            "months": int(row["horizon_months"]),
        }
        numbers = {
            "value": float(row["kept"]),
            "low": float(row["kept_low"]),
            "high": float(row["kept_high"]),
            "n": int(row["customers"] + row["control_customers"]),
        }
        return _answer(question, choice, _kept(question, evidence, told), evidence, **numbers)
    return None


def _activity(row: pd.Series) -> Message:
    return say("{campaign} ({arm})", campaign=row["campaign"], arm=row["arm"])


def _kept(question: str, evidence: str, told: dict) -> Message:
    if evidence == "association":
        return say(
            "{choice}: after {activity} {kept:percent0} fewer left within {months:count} months "
            "({low:percent0} to {high:percent0}) than without contact, but the customers do not "
            "look drawn by lot: contact need not be the cause.",
            **told,
        )
    if question == "activity":
        return say(
            "{choice} kept {kept:percent0} of those who would have left within {months:count} "
            "months ({low:percent0} to {high:percent0}); customers were drawn by lot into contact "
            "and none.",
            **told,
        )
    return say(
        "{choice}: {activity} kept {kept:percent0} of those who would have left within "
        "{months:count} months ({low:percent0} to {high:percent0}); customers were drawn by lot "
        "into contact and none, not between this and another choice.",
        **told,
    )


def no_activity(effects: ContactEffects) -> dict:
    """Say that no activity has been shown to keep customers, and whether one drove them away."""
    table = effects.table
    judged = table[(table["evidence"] == "experiment") & table["p_holm"].notna()]
    harmful = judged[(judged["p_holm"] < ALPHA) & (judged["difference"] > 0)]
    if len(harmful):
        row = harmful.sort_values(["p_holm", "campaign_id", "arm"]).iloc[0]
        text = say(
            "No activity has been shown to keep customers, and after {activity} more left within "
            "{months:count} months ({share:percent}) than without contact ({control:percent}).",
            activity=_activity(row),
            months=int(row["horizon_months"]),
            share=row["share"],
            control=row["control_share"],
        )
    elif len(judged):
        text = say(
            "No activity has been shown to keep customers: {compared:count} comparisons with no "
            "contact showed no difference that chance would not give.",
            compared=len(judged),
        )
    else:
        text = say("No activity with enough leavers had customers drawn by lot into no contact.")
    return _answer("activity", None, text, "none")


def from_leaving(compared: pd.DataFrame, question: str, months: int) -> dict:
    """Return the level with the lowest share of leavers, where it is lower than the others'."""
    table = compared[compared["feature"] == question]
    lower = table[table["ratio"].notna() & (table["high"] < 1)]
    if not table["ratio"].notna().any():
        text = (
            say("No product has been shown to keep customers, and there are none to compare.")
            if question == "product"
            else say("No channel has been shown to keep customers, and there are none to compare.")
        )
        return _answer(question, None, text, "none")
    if lower.empty:
        text = (
            say(
                "No product has been shown to keep customers, and none goes with clearly fewer "
                "exits."
            )
            if question == "product"
            else say(
                "No channel has been shown to keep customers, and none goes with clearly fewer "
                "exits."
            )
        )
        return _answer(question, None, text, "none")
    row = lower.sort_values(["ratio", "level"]).iloc[0]
    told = {"choice": row["level"], "fewer": 1 - row["ratio"], "months": months}
    told |= {"low": 1 - row["high"], "high": 1 - row["low"]}
    text = (
        say(
            "{choice}: among those who hold it {fewer:percent0} fewer left within {months:count} "
            "months ({low:percent0} to {high:percent0}) than among others who joined as long ago; "
            "an association, which need not mean that it keeps them.",
            **told,
        )
        if question == "product"
        else say(
            "{choice}: among those who use it most {fewer:percent0} fewer leave in a month "
            "({low:percent0} to {high:percent0}) than among others who joined as long ago; an "
            "association, which need not mean that contact there keeps them.",
            **told,
        )
    )
    numbers = {"value": told["fewer"], "low": told["low"], "high": told["high"], "n": int(row["n"])}
    return _answer(question, row["level"], text, "association", **numbers)


def from_window(window: Finding | None) -> dict:
    """Return the window in which customers leave most, which is an association at best."""
    if window is None:
        return _answer("window", None, say("No contact window is known."), "none")
    if window.value is None or window.status == "not_enough_data":
        return _answer("window", None, window.text, "none")
    words = isinstance(window.value, Message)
    choice = window.value
    if not words and window.low is not None and window.high is not None:
        choice = say("months {low:count} to {high:count}", low=window.low, high=window.high)
    nothing = float("nan")
    numbers = {
        "value": nothing if words else float(window.value),
        "low": nothing if window.low is None else float(window.low),
        "high": nothing if window.high is None else float(window.high),
        "unit": window.unit,
        "n": window.n,
    }
    text = say(
        "{window} It tells when they leave, not whether contact then keeps them.",
        window=window.text,
    )
    return _answer("window", choice, text, "association", **numbers)
