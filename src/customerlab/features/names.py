"""Features, their bands and levels, and what a reader calls them."""

from __future__ import annotations

from collections.abc import Mapping

import ibis
import ibis.expr.types as ir
import numpy as np

from customerlab.messages import Message, say

#: First month of each band, and its name.
TENURE_BANDS = {0: "0", 1: "1-2", 3: "3-5", 6: "6-11", 12: "12-23", 24: "24-35", 36: "36-59"}
TENURE_BANDS[60] = "60+"
AGE_BANDS = {0: "under 20", 240: "20-29", 360: "30-44", 540: "45-59", 720: "60+"}

#: Features that move on by themselves: the column in months that they are a band of, and bands.
MOVING: dict[str, tuple[str, dict[int, str]]] = {
    "tenure_band": ("tenure", TENURE_BANDS),
    "age_band": ("age_months", AGE_BANDS),
}

#: Features that customers have from the beginning; all others change in unforeseen ways.
LASTING = ("gender", "region")

#: The level of a feature whose value is not known.
UNKNOWN = "unknown"

FEATURES: dict[str, Message] = {
    "tenure_band": say("months since joining"),
    "age_band": say("age in years"),
    "gender": say("gender"),
    "region": say("region"),
    "payroll": say("payroll"),
    "pay_ended": say("end of the salary"),
    "complaints": say("unresolved complaints"),
    "trouble": say("repeated trouble"),
    "moves": say("days with a purchase in three months"),
    "products": say("accounts with a balance"),
    "trend": say("assets against three months earlier"),
    "balance": say("assets at the last month's end"),
    "contacts": say("contacts in three months"),
    "rating": say("last rating"),
}

#: Product and channel as one feature: how a channel does may depend on what it sells.
PAIR = "product_and_channel"

#: Used only where the parameters name them: they multiply the cells and seldom add to the others.
ON_REQUEST = frozenset({"trouble", "balance", "contacts", "rating"})

#: They tell that leaving has begun rather than why: used to foretell it, and no cause of it.
SYMPTOMS = frozenset({"products", "trend", "balance", "pay_ended"})

#: They change in unforeseen ways, so that what they say fades.
FADING = frozenset(FEATURES) - {*LASTING, *MOVING}

#: Features whose levels have neighbours.
ORDERED = frozenset(
    {"tenure_band", "age_band", "complaints", "products", "moves", "contacts", "month"}
)

_LEVELS: dict[tuple[str, str], Message] = {
    ("age_band", "under 20"): say("under 20"),
    ("gender", "female"): say("women"),
    ("gender", "male"): say("men"),
    ("payroll", "none"): say("never paid through us"),
    ("payroll", "running"): say("paid through us last month"),
    ("payroll", "moved"): say("no longer paid through us"),
    ("pay_ended", "no"): say("not in the last half year"),
    ("pay_ended", "1-3"): say("one to three months ago"),
    ("pay_ended", "4-6"): say("four to six months ago"),
    ("trouble", "none"): say("no unresolved contact"),
    ("trouble", "once"): say("one unresolved contact"),
    ("trouble", "same case"): say("two or more about the same case"),
    ("trouble", "other case"): say("two or more about different cases"),
    ("trend", "little"): say("little money then"),
    ("trend", "halved"): say("at most half"),
    ("trend", "lower"): say("lower by a tenth or more"),
    ("trend", "steady"): say("about the same"),
    ("trend", "higher"): say("higher by a tenth or more"),
    ("balance", "100"): say("at most 100"),
    ("balance", "1000"): say("over 100, at most 1,000"),
    ("balance", "10000"): say("over 1,000, at most 10,000"),
    ("balance", "100000"): say("over 10,000, at most 100,000"),
    ("balance", "more"): say("over 100,000"),
    ("rating", "none"): say("never rated"),
    ("rating", "low"): say("in the lower third of the scale"),
    ("rating", "middle"): say("in the middle third of the scale"),
    ("rating", "high"): say("in the upper third of the scale"),
}


def feature_name(feature: str) -> Message | str:
    """Return what a reader calls a feature; a client's own column keeps its name."""
    return say("product and channel") if feature == PAIR else FEATURES.get(feature, feature)


def level_name(feature: str, level: str) -> Message | str:
    """Return what a reader calls a level of a feature; a client's own value stays as it is."""
    if " + " in level:
        first, rest = level.split(" + ", 1)
        return say(
            "{first} or {rest}", first=level_name(feature, first), rest=level_name(feature, rest)
        )
    if level == UNKNOWN:
        return say("unknown")
    return _LEVELS.get((feature, level), level)


def band_of(months: np.ndarray, bands: Mapping[int, str]) -> np.ndarray:
    """Return the band of each number of months; below the first band nothing is known."""
    names = np.array([UNKNOWN, *bands.values()], dtype=object)
    return names[np.searchsorted(list(bands), months, side="right")]


def band(months: ir.IntegerValue, bands: Mapping[int, str]) -> ir.StringValue:
    """Return the band of an expression in months; null where nothing is known."""
    steps = [(months >= start, name) for start, name in sorted(bands.items(), reverse=True)]
    return ibis.cases(*steps, else_=ibis.null("string"))
