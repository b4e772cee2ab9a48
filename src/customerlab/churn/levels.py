"""Categories of a model: which is the reference, and which are too thin to stand alone."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from customerlab.features import ORDERED, UNKNOWN, feature_name, level_name
from customerlab.messages import Message, say

#: Fewer exits (or fewer stays) than this in a level and its ratio says nothing.
MIN_LEVEL_EVENTS = 5

OTHER = "other"


@dataclass(frozen=True)
class Levels:
    """The levels of one feature as a model sees them.

    Attributes
    ----------
    term : str
    levels : tuple of str
        As modelled, the reference among them.
    reference : str
        The one with most customer-months.
    merged : dict of str to str
        Level in the data to level in the model. One that is not in it was never seen: in a
        feature with an order it counts as the nearest below it (or above, where there is none),
        in others as the reference.
    """

    term: str
    levels: tuple[str, ...]
    reference: str
    merged: dict[str, str]

    @property
    def free(self) -> tuple[str, ...]:
        """The levels that have a coefficient."""
        return tuple(level for level in self.levels if level != self.reference)

    def indicators(self, values: Sequence[str]) -> np.ndarray:
        """Return a column of 0 and 1 for each free level."""
        at, known = pd.factorize(np.asarray(values, dtype=object), use_na_sentinel=False)
        column = {level: i for i, level in enumerate(self.free)}
        seen = np.array([column.get(self._seen(value), -1) for value in known], dtype=int)
        return (seen[at][:, None] == np.arange(len(self.free))).astype(float)

    def _seen(self, value: str) -> str:
        """Return the level in the model that stands for one in the data."""
        if value in self.merged:
            return self.merged[value]
        known = sorted((level for level in self.merged if level != UNKNOWN), key=natural_order)
        if self.term not in ORDERED or value == UNKNOWN or not known:
            return self.reference
        below = [level for level in known if natural_order(level) <= natural_order(value)]
        return self.merged[(below[-1:] or known[:1])[0]]


def as_levels(values: pd.Series) -> pd.Series:
    """Return the values as text; no value is a level of its own."""
    text = values.astype("string").astype(object)
    return text.where(values.notna(), UNKNOWN)


def natural_order(level: str) -> tuple[int, float, str]:
    """Sort 3-5 before 12-23, "under 20" before 20-29, and the unknown last."""
    number = re.search(r"\d+", level)
    if level == UNKNOWN or number is None:
        return (level == UNKNOWN, 0.0, level)
    return (0, float(number.group()) - 0.5 * level.startswith("under"), level)


def find_levels(
    cells: pd.DataFrame, term: str, *, min_events: int = MIN_LEVEL_EVENTS
) -> tuple[Levels | None, tuple[Message, ...]]:
    """Choose the levels of one feature.

    A level with fewer than `min_events` exits or stays would get a ratio of zero, of infinity,
    or of anything: where levels have an order it is counted with its neighbour, otherwise all
    such levels together are ``other``, and with the reference if that is still too few.

    Parameters
    ----------
    cells : DataFrame
        `term`, ``n`` and ``events``.
    term : str
    min_events : int

    Returns
    -------
    levels : Levels or None
        None when only one level is left: nothing to compare.
    notes : tuple of Message
        What was done and why.
    """
    totals = cells.groupby(as_levels(cells[term]))[["n", "events"]].sum()
    totals = totals.loc[totals["n"] > 0]
    n, exits = totals["n"].to_dict(), totals["events"].to_dict()
    order = sorted(totals.index, key=natural_order)
    groups = [(level,) for level in order]

    def thin(group: tuple[str, ...]) -> bool:
        events = sum(exits[level] for level in group)
        return min(events, size(group) - events) < min_events

    def size(group: tuple[str, ...]) -> float:
        return sum(n[level] for level in group)

    into_reference: list[str] = []
    if term in ORDERED:
        groups = _join_neighbours(groups, thin, size)
    else:
        small = [group for group in groups if thin(group)]
        if len(small) > 1:
            pooled = tuple(level for group in small for level in group)
            groups = [group for group in groups if group not in small] + [pooled]
    stay = [group for group in groups if not thin(group)]
    if stay:
        into_reference = [level for group in groups if thin(group) for level in group]
        groups = stay
    names = {group: _name(group, term) for group in groups}
    biggest = max(groups, key=size)
    merged = {level: names[group] for group in groups for level in group}
    merged |= dict.fromkeys(into_reference, names[biggest])
    notes = _notes(term, groups, into_reference, names[biggest], order)
    if len(groups) < 2:
        return None, (*notes, say("{term}: one group only, nothing to compare", **_term(term)))
    return Levels(term, tuple(names.values()), names[biggest], merged), notes


def _term(term: str) -> dict[str, Message | str]:
    return {"term": feature_name(term)}


def _join_neighbours(groups, thin, size):
    """Join each thin group to the smaller of its neighbours, until none is thin."""
    ends = [group for group in groups if group == (UNKNOWN,)]
    groups = [group for group in groups if group not in ends]
    while len(groups) > 1 and any(map(thin, groups)):
        i = next(i for i, group in enumerate(groups) if thin(group))
        near = [j for j in (i - 1, i + 1) if 0 <= j < len(groups)]
        j = min(near, key=lambda j: size(groups[j]))
        low, high = sorted((i, j))
        groups[low : high + 1] = [groups[low] + groups[high]]
    return groups + ends


def _name(group: tuple[str, ...], term: str) -> str:
    if len(group) == 1:
        return group[0]
    return " + ".join(group) if term in ORDERED else OTHER


def _notes(term, groups, into_reference, reference, order) -> tuple[Message, ...]:
    notes = []
    for group in groups:
        if len(group) > 1:
            notes.append(
                say(
                    "{term}: too few exits or stays to tell these apart, counted together: "
                    "{levels}",
                    **_term(term),
                    levels=_listed(term, group),
                )
            )
    if into_reference and len(groups) > 1:
        notes.append(
            say(
                "{term}: too few exits or stays among {levels}, counted with {reference}",
                **_term(term),
                levels=_listed(term, sorted(into_reference, key=order.index)),
                reference=level_name(term, reference),
            )
        )
    return tuple(notes)


def _listed(term: str, levels: Sequence[str]) -> Message | str:
    """Name a few levels, and count many."""
    if len(levels) > _NAMED:
        return say("{count:count} values", count=len(levels))
    return level_name(term, " + ".join(levels))


#: So many levels are still named.
_NAMED = 5
