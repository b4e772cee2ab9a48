"""Who moved from which group of customers to which, from counts that are rounded and masked."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import pandas as pd

from customerlab.messages import Message, Words, say
from customerlab.plots.actions import GROUPS, key_of
from customerlab.value.rfm import ACTION_OF, SEGMENTS
from customerlab.value.rfm_flow import JOINED

_NAMES: dict[str, Message] = {**SEGMENTS, JOINED: say("joined since")}
#: What the groups are called in a figure, in its order.
CALLED: dict[str, Message] = {**GROUPS, JOINED: say("Joined since")}
#: A share may be off by so much at most, as counts are rounded; else it is not told.
_OFF = 0.05


@dataclass(frozen=True)
class Moves:
    """Customers by group then and now: rounded, so that shares are about right."""

    customers: pd.DataFrame  # index then, columns now
    told: dict[str, bool]  # of which groups then the shares are near enough

    def share(self, then: str, now: str) -> float:
        """Return which part of those then in a group are in one now; missing if not told."""
        row = self.customers.loc[then]
        return float(row[now] / row.sum()) if self.told[then] else math.nan

    def of_all(self, key: str, *, now: bool) -> float:
        """Return which part of today's customers a group is."""
        part = self.customers[key] if now else self.customers.loc[key]
        return float(part.sum() / self.customers.to_numpy().sum())


def read_moves(table: pd.DataFrame, words: Words) -> Moves:
    """Put segments together by what is proposed for them; see ``segment_flow``."""
    masked = table["customers"].map(lambda one: isinstance(one, str)).astype(bool)
    limits = [int(n) for one in table.loc[masked, "customers"] for n in re.findall(r"\d+", one)]
    step = max([words.min_cell, *limits])
    counts = pd.to_numeric(table["customers"], errors="coerce").fillna(step / 2).astype(float)
    keys = table[["then", "now"]].map(lambda one: key_of(_NAMES, one))
    keys = keys.map(lambda one: ACTION_OF.get(one, one))
    moves = pd.DataFrame({**keys, "customers": counts})
    sums = moves.groupby(["then", "now"])["customers"].agg(["sum", "size"])
    sums = sums[sums["sum"] > 0]
    order = {key: at for at, key in enumerate(CALLED)}
    groups = [
        sorted({pair[i] for pair in sums.index}, key=lambda key: order.get(key, len(order)))
        for i in (0, 1)
    ]
    square = pd.DataFrame(
        [[sums["sum"].get((a, b), 0.0) for b in groups[1]] for a in groups[0]],
        index=groups[0],
        columns=groups[1],
        dtype=float,
    )
    # rounding is off by half a step at most, evenly: two standard errors of a sum of such
    error = {a: 2 * step * math.sqrt(sums["size"].loc[a].sum() / 12) for a in groups[0]}
    near = {a: bool(step == 1 or error[a] <= _OFF * square.loc[a].sum()) for a in groups[0]}
    return Moves(square, near)
