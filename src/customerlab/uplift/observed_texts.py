"""What contact seems to have done in words, and its tables as a report may show them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from customerlab.churn.curves import FEW_EVENTS
from customerlab.messages import Message, say
from customerlab.privacy import HIDDEN, round_counts
from customerlab.uplift.known_causes import STRENGTH
from customerlab.uplift.to_show import tidy

if TYPE_CHECKING:
    from customerlab.uplift.observed import Observed

#: What is compared, in words.
COMPARISONS: dict[str, Message] = {
    "plain": say("all customers, as they are"),
    "alike": say("customers like each other"),
}


def say_too_few(contacted: int, not_contacted: int) -> Message | None:
    """Say why two groups of these sizes cannot be compared, if so."""
    if contacted == 0:
        return say("Nobody was contacted, so there is nothing to compare.")
    if not_contacted == 0:
        return say(
            "Everybody was contacted, so nothing tells what would have happened without: hold some "
            "back next time."
        )
    if min(contacted, not_contacted) < FEW_EVENTS:
        return say(
            "Not enough data: {contacted:customers} customers were contacted and "
            "{not_contacted:customers} were not, and at least {least:count} of each are needed.",
            contacted=contacted,
            not_contacted=not_contacted,
            least=FEW_EVENTS,
        )
    return None


def say_observed(
    plain: Mapping[str, Any], alike: Mapping[str, Any], called: Message | str
) -> Message:
    """Say the difference between customers like each other beside the plain one.

    Parameters
    ----------
    plain, alike : mapping
        Rows of :attr:`customerlab.uplift.observed.Observed.table`.
    called : Message or str
        The outcome in words.
    """
    scale = 100 if alike["binary"] else 1
    told = {name: alike[name] * scale for name in ("effect", "low", "high")}
    told |= {"outcome": called, "plain": plain["effect"] * scale, "p": alike["p_value"]}
    sure = alike["low"] > 0 or alike["high"] < 0
    if alike["binary"] and sure:
        return say(
            "{outcome}: contacted customers differ from others like them by {effect:number2} "
            "percentage points (95 % interval {low:number2} to {high:number2}); the plain "
            "difference is {plain:number2}. An unseen cause can still be behind it.",
            **told,
        )
    if alike["binary"]:
        return say(
            "{outcome}: no sure difference between contacted customers and others like them, "
            "{effect:number2} percentage points (95 % interval {low:number2} to {high:number2}); "
            "the plain difference is {plain:number2}.",
            **told,
        )
    if sure:
        return say(
            "{outcome}: contacted customers differ from others like them by {effect:number2} on "
            "average (95 % interval {low:number2} to {high:number2}); the plain difference is "
            "{plain:number2}. An unseen cause can still be behind it.",
            **told,
        )
    return say(
        "{outcome}: no sure difference between contacted customers and others like them, "
        "{effect:number2} on average (95 % interval {low:number2} to {high:number2}); the plain "
        "difference is {plain:number2}.",
        **told,
    )


def words_to_show(observed: Observed, min_cell: int) -> list[Message]:
    """Return all that is said, as a report may say it: warning, answer, unseen cause, holdout.

    Where the numbers would tell of fewer than `min_cell` customers, none is said.
    """
    told = [observed.warning, observed.text]
    if _few(observed, min_cell):
        if observed.status != "not_enough_data":
            told[1] = say("The numbers are not shown, for they would tell of very few customers.")
        # the size needed for an effect that pays still tells little of today's level
        more = [observed.holdout] if observed.holdout and observed.holdout.pays else []
    else:
        more = [one for one in (observed.sensitivity, observed.holdout) if one is not None]
    return [*told, *(one.text for one in more)]


def _few(observed: Observed, min_cell: int) -> bool:
    """Return whether the answer tells of fewer than `min_cell` customers."""
    return observed.table.empty or any(0 < n < min_cell for n in observed.behind)


def observed_to_show(observed: Observed, min_cell: int) -> dict[str, pd.DataFrame]:
    """Return the tables as a report may show them: effects, overlap, balance and unseen_cause.

    Numbers of customers are rounded to multiples of `min_cell`, those below it masked; shares and
    their differences have four decimals, chances three, other means four digits. Means that would
    tell of fewer than `min_cell` customers are hidden, with all that rests on them.

    Parameters
    ----------
    observed : Observed
    min_cell : int
    """
    table = observed.table
    few = _few(observed, min_cell)
    effects = table.drop(columns="binary")
    effects["comparison"] = table["comparison"].map(COMPARISONS)
    for column in ("n", "control_n"):
        effects[column] = _masked(table[column], min_cell)
    shares = table["binary"].astype(bool)
    for column in ("control_mean", "treated_mean", "effect", "low", "high"):
        values = table[column].astype(float)
        values = values.mask(shares, tidy(values)).astype(object)
        effects[column] = values.mask(few & values.notna(), HIDDEN)
    known = table["p_value"].notna()
    effects["p_value"] = table["p_value"].astype(object).mask(few & known, HIDDEN)
    overlap = observed.overlap.bands.copy()
    for column in ("contacted", "not_contacted", "compared"):
        overlap[column] = _masked(overlap[column], min_cell)
    overlap[["low", "high"]] = overlap[["low", "high"]].astype(float).round(3)
    strength = observed.sensitivity.table.copy() if observed.sensitivity else _no_strength()
    for column in ("on_contact", "on_outcome", "moves"):
        values = strength[column].astype(float).round(3)
        strength[column] = values.astype(object).mask(few & values.notna(), HIDDEN)
    balance = _balance(observed, min_cell)
    hidden = balance.loc[(balance["contacted_mean"] == HIDDEN), "covariate"]
    gone = strength["covariate"].isin(hidden)
    for column in ("on_contact", "on_outcome", "moves"):
        strength[column] = strength[column].mask(gone, HIDDEN)
    return {"effects": effects, "overlap": overlap, "balance": balance, "unseen_cause": strength}


def _masked(counts: pd.Series, min_cell: int) -> pd.Series:
    small = counts.between(1, min_cell - 1)
    return round_counts(counts, min_cell).astype(object).mask(small, f"<{min_cell}")


def _balance(observed: Observed, min_cell: int) -> pd.DataFrame:
    balance = observed.overlap.balance.copy()
    bands = observed.overlap.bands
    sizes = {"contacted_mean": bands["contacted"].sum(), "other_mean": bands["not_contacted"].sum()}
    few = np.zeros(len(balance), dtype=bool)
    for column, n in sizes.items():
        # a mean within 0 and 1 may be a share of a 0/1 covariate: it is treated as one
        count = balance[column].astype(float) * n
        for part in (count, n - count):
            few |= (part.between(0.5, min_cell - 0.5)).to_numpy()
    for column in sizes:
        means = balance[column].map(lambda mean: float(f"{mean:.4g}"))
        balance[column] = means.astype(object).mask(few, HIDDEN)
    for column in ("smd_before", "smd_after"):
        smd = balance[column].astype(float).round(3)
        balance[column] = smd.astype(object).mask(few & smd.notna(), HIDDEN)
    return balance


def _no_strength() -> pd.DataFrame:
    return pd.DataFrame({name: pd.Series(dtype=object) for name in STRENGTH})
