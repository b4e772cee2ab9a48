"""Importance against performance: what to change in the product, and what to tell in messages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from customerlab.drivers.combined import select
from customerlab.drivers.moments import Moments
from customerlab.drivers.weights import Weights
from customerlab.findings import Finding
from customerlab.messages import Message, listed, say

#: The four quadrants of Martilla & James (1977), by (weighs much, does well).
QUADRANTS: dict[tuple[bool, bool], str] = {
    (True, False): "concentrate_here",
    (True, True): "keep_up",
    (False, False): "low_priority",
    (False, True): "possible_overkill",
}
#: Their names for readers.
QUADRANT_NAMES: dict[str, Message] = {
    "concentrate_here": say("concentrate here"),
    "keep_up": say("keep up the good work"),
    "low_priority": say("low priority"),
    "possible_overkill": say("possible overkill"),
}

#: What more of a driver surely goes with.
DIRECTIONS: dict[str, Message] = {
    "more": say("goes with more"),
    "less": say("goes with less"),
    "unsure": say("not sure in which direction"),
}

_COLUMNS = ["segment", "driver", "weight", "low", "high", "performance", "quadrant", "direction"]


@dataclass(frozen=True)
class ImportanceMap:
    """Drivers by how much they weigh and how well the company does in them.

    Attributes
    ----------
    table : DataFrame
        ``segment``, ``driver``, ``weight``, ``low``, ``high``, ``performance`` (0 to 100),
        ``quadrant`` (``concentrate_here``, ``keep_up``, ``low_priority``, ``possible_overkill``),
        ``direction``: whether more of the driver surely goes with ``more`` of the outcome, with
        ``less``, or ``unsure``. No rows without weights.
    split_weight, split_performance : float
        Where the quadrants part: the means over the drivers.
    of : Weights
        Of all customers.
    text : Message
        What to change, and what to say.
    """

    table: pd.DataFrame
    split_weight: float
    split_performance: float
    of: Weights
    text: Message


def measure_performance(
    moments: Moments,
    made_of: Mapping[str, Mapping[str, float]],
    scale: tuple[float, float],
) -> dict[str, float]:
    """Return how well each driver is rated, from 0 (all give the worst answer) to 100.

    Parameters
    ----------
    moments : Moments
        Of the items, answers as they were given.
    made_of : Mapping
        For each driver its items with their weights; only proportions matter. An item with a
        negative weight is turned round.
    scale : (float, float)
        The lowest and the highest answer that can be given.

    Returns
    -------
    dict
        The mean of the items' means by absolute weight, as in maps from factor scores (Ringle &
        Sarstedt 2016); missing where no item was answered or all weights are 0.
    """
    worst, best = scale
    performance = {}
    for driver, weights in made_of.items():
        mean = (select(moments, list(weights)).mean - worst) / (best - worst)
        each = np.array(list(weights.values()), dtype=float)
        size = np.where(np.isnan(mean), 0, np.abs(each))
        turned = np.nan_to_num(np.where(each < 0, 1 - mean, mean))
        performance[driver] = float(100 * size @ turned / size.sum()) if size.any() else np.nan
    return performance


def map_importance(
    weights: Weights,
    performance: Mapping[str, float],
    *,
    segments: Mapping[str, tuple[Weights, Mapping[str, float]]] | None = None,
    names: Mapping[str, Message | str] | None = None,
) -> ImportanceMap:
    """Place each driver in one of four quadrants (Martilla & James 1977).

    Parameters
    ----------
    weights : Weights
        Of all customers.
    performance : Mapping
        Of all customers: see :func:`measure_performance`. A driver without one is not placed.
    segments : Mapping, optional
        The same two of each segment, by its name. They are placed by the means of all customers,
        so that segments can be compared; a segment without weights is not placed.
    names : Mapping, optional
        What readers call the drivers, for the text.

    Returns
    -------
    ImportanceMap
        All customers have the segment ``""``.
    """
    whole = _joined("", weights, performance)
    if whole.empty:
        text = weights.text if weights.table.empty else _no_performance()
        return ImportanceMap(_placed(whole, np.nan, np.nan), np.nan, np.nan, weights, text)
    split = float(whole["weight"].mean()), float(whole["performance"].mean())
    parts = [_joined(name, *two) for name, two in (segments or {}).items()]
    parts = [whole, *(part for part in parts if len(part))]
    table = _placed(pd.concat(parts, ignore_index=True), *split)
    text = _advice(table[table["segment"] == ""], names or {})
    return ImportanceMap(table, *split, weights, text)


def map_to_show(
    importance: ImportanceMap, names: Mapping[str, Message | str] | None = None
) -> pd.DataFrame:
    """Return the table with the names of drivers and quadrants for readers; it holds no counts."""
    table, names = importance.table, names or {}
    return table.assign(
        segment=_texts([say("all") if one == "" else one for one in table["segment"]]),
        driver=_texts([names.get(one, one) for one in table["driver"]]),
        quadrant=_texts([QUADRANT_NAMES[one] for one in table["quadrant"]]),
        direction=_texts([DIRECTIONS[one] for one in table["direction"]]),
    )


def change_finding(
    importance: ImportanceMap, names: Mapping[str, Message | str] | None = None
) -> Finding:
    """Return what to change, and what to tell, as a finding; its value names what to mend first."""
    table, id_ = importance.table.query("segment == ''"), "repurchase_drivers.to_change"
    weights = importance.of
    if table.empty:
        return Finding(id_, importance.text, n=weights.skill.n, status="not_enough_data")
    first = table.query("quadrant == 'concentrate_here' and direction == 'more'")["driver"]
    called = listed([(names or {}).get(one, one) for one in first]) if len(first) else None
    value = None if called is None else say("{drivers}", drivers=called)
    text, status = importance.text, weights.skill.status
    return Finding(id_, text, value, unit="text", n=weights.skill.n, status=status)


def _texts(values: list[Message | str]) -> pd.Series:
    return pd.Series(values, dtype=object)


def _joined(segment: str, weights: Weights, performance: Mapping[str, float]) -> pd.DataFrame:
    table = weights.table
    sure = [table["effect_low"] > 0, table["effect_high"] < 0]
    direction = np.select(sure, ["more", "less"], "unsure").astype(object)
    table = table[["driver", "weight", "low", "high"]].assign(
        segment=segment, performance=table["driver"].map(dict(performance)), direction=direction
    )
    return table[table["performance"].notna()]


def _placed(table: pd.DataFrame, split_weight: float, split_performance: float) -> pd.DataFrame:
    much = table["weight"] >= split_weight
    well = table["performance"] >= split_performance
    quadrant = [QUADRANTS[key] for key in zip(much.tolist(), well.tolist(), strict=True)]
    placed = table.assign(quadrant=pd.Series(quadrant, index=table.index, dtype=object))
    return placed[_COLUMNS].reset_index(drop=True)


def _no_performance() -> Message:
    return say("No driver has answers on a scale, so none can be placed by how well it is rated.")


def _advice(table: pd.DataFrame, names: Mapping[str, Message | str]) -> Message:
    """Say what to change and what to tell; a driver that surely helps nothing is not advised."""

    def some(quadrants: Sequence[str], *directions: str) -> Message | str | None:
        rows = table[table["quadrant"].isin(quadrants) & table["direction"].isin(directions)]
        return listed([names.get(one, one) for one in rows["driver"]]) if len(rows) else None

    parts: list[Message] = []
    if weak := some(["concentrate_here"], "more"):
        parts.append(
            say(
                "To change in the product or its position: {drivers} (of more weight than the "
                "mean driver, and rated below the mean).",
                drivers=weak,
            )
        )
    if strong := some(["keep_up"], "more"):
        parts.append(
            say(
                "To tell in messages: {drivers} (of much weight, and rated well already).",
                drivers=strong,
            )
        )
    if overdone := some(["possible_overkill"], "more", "unsure"):
        parts.append(
            say(
                "Rated well, but of little weight: {drivers}. Money may be freed here.",
                drivers=overdone,
            )
        )
    if unsure := some(["concentrate_here", "keep_up"], "unsure"):
        parts.append(
            say(
                "Of much weight, but it is not sure in which direction: {drivers}. Look closer "
                "before anything is changed.",
                drivers=unsure,
            )
        )
    if against := some(list(QUADRANT_NAMES), "less"):
        parts.append(
            say(
                "More of these goes with less of the outcome, all else alike: {drivers}. Look "
                "closer before anything is changed.",
                drivers=against,
            )
        )
    if not parts:
        parts.append(say("No driver stands out by weight and rating, so nothing is advised."))
    parts.append(say("All of this is association: a trial shows whether a change works."))
    text = parts[0]
    for part in parts[1:]:
        text = say("{some} {more}", some=text, more=part)
    return text
