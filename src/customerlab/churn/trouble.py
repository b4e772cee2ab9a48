"""Repeated trouble: what a second unresolved contact about the same case adds to the first."""

from __future__ import annotations

import numpy as np
import scipy

from customerlab.churn.hazard import Hazard, Z, fit_hazard
from customerlab.churn.stays import Stays
from customerlab.findings import Finding
from customerlab.messages import say

_ID = "churn_timing.repeated_trouble"


def fit_trouble(stays: Stays) -> Hazard | None:
    """Fit the model of causes with repeated trouble in place of the number of complaints.

    Returns
    -------
    Hazard or None
        Of any way of leaving; None where contacts do not tell which case they are about.
    """
    if "trouble" not in stays.months:
        return None
    others = [name for name in stays.causes if name not in ("complaints", "trouble")]
    return fit_hazard(stays.months, [*others, "trouble"])


def compare_levels(
    hazard: Hazard, term: str, level: str, other: str
) -> tuple[float, float, float, float] | None:
    """Return how many times as likely those of one level leave as those of another.

    Returns
    -------
    (ratio, low, high, p) or None
        With its 95 % interval; None where the model does not tell the two levels apart.
    """
    at = 1
    for one in hazard.terms:
        if one.term == term:
            if level not in one.levels or other not in one.levels:
                return None
            contrast = np.zeros(len(hazard.coefficients))
            for i, free in enumerate(one.free):
                contrast[at + i] = float(free == level) - float(free == other)
            value = float(contrast @ hazard.coefficients)
            error = float(np.sqrt(contrast @ hazard.covariance @ contrast))
            ends = np.exp([value, value - Z * error, value + Z * error])
            return (*map(float, ends), float(2 * scipy.stats.norm.sf(abs(value / error))))
        at += len(one.free)
    return None


def repeated_trouble(hazard: Hazard | None) -> Finding:
    """Return what the second unresolved contact about the same case does beside the first."""
    if hazard is None:
        return Finding(
            id=_ID,
            text=say(
                "Whether repeated trouble drives customers away cannot be said: it takes contacts "
                "with their case and whether they were resolved."
            ),
            unit="number2",
            status="not_enough_data",
        )
    table = hazard.table[hazard.table["term"] == "trouble"] if hazard.fitted else hazard.table
    events = dict(zip(table["level"], table["events"], strict=True))
    compared = compare_levels(hazard, "trouble", "same case", "once")
    first = compare_levels(hazard, "trouble", "once", "none")
    if compared is None or first is None:
        return Finding(
            id=_ID,
            text=say("Too few customers left after repeated trouble to say what it does."),
            unit="number2",
            status="not_enough_data",
        )
    ratio, low, high, _ = compared
    facts = {"first": first[0], "first_low": first[1], "first_high": first[2], "ratio": ratio}
    text = (
        say(
            "After a second unresolved contact about the same case customers leave {ratio:number1} "
            "times as often in a month as after one. One alone: {first:number1} times as often as "
            "none ({first_low:number1} to {first_high:number1}).",
            **facts,
        )
        if low > 1
        else say(
            "A second unresolved contact about the same case does not clearly add to the first: "
            "{ratio:number1} times as often in a month. One alone: {first:number1} times as often "
            "as none ({first_low:number1} to {first_high:number1}).",
            **facts,
        )
    )
    return Finding(
        id=_ID,
        text=text,
        value=ratio,
        low=low,
        high=high,
        unit="number2",
        n=int(events["same case"]),
        status=hazard.status if low > 1 or high < 1 else "weak",
    )
