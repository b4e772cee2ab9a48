"""Where the customers of a year ago are now."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import ibis.expr.types as ir
import pandas as pd

from customerlab.churn.curves import status_of
from customerlab.findings import Finding
from customerlab.messages import Message, say
from customerlab.uplift.to_show import few_of, hide, rounded
from customerlab.value.rfm import ACTION_OF, SEGMENTS

#: The segment a year ago of who was no customer then.
JOINED = "joined"

#: Columns of :attr:`Flow.table`.
COLUMNS = ["then", "now", "customers", "share_of_then"]


@dataclass(frozen=True)
class Flow:
    """Movement between segments.

    Attributes
    ----------
    table : DataFrame
        One row per pair of segments with customers: ``then`` (a key of ``SEGMENTS``, or
        ``joined`` since), ``now``, ``customers``, ``share_of_then``; in the order of ``SEGMENTS``.
    since, day : date
    """

    table: pd.DataFrame
    since: dt.date
    day: dt.date

    def moved(self, then: str, now: str) -> tuple[int, int]:
        """Return how many were in segments of one action, and are in those of another now."""
        table = self.table[self.table["then"].map(ACTION_OF) == then]
        there = table["now"].map(ACTION_OF) == now
        return int(table["customers"].sum()), int(table.loc[there, "customers"].sum())


def follow_segments(then: ir.Table, now: ir.Table, *, since: dt.date, day: dt.date) -> Flow:
    """Count who moved from which segment to which.

    Parameters
    ----------
    then, now : table
        Of :func:`customerlab.value.rfm.score_rfm` on the earlier and the later day, with the same
        number of months.
    since, day : date
    """
    before = then.select(whose="customer_id", was="segment")
    both = now.left_join(before, [("customer_id", "whose")])
    both = both.select(then=both.was.fill_null(JOINED), now=both.segment)
    counted = both.group_by(["then", "now"]).aggregate(customers=both.count()).to_pandas()
    place = {name: at for at, name in enumerate([*SEGMENTS, JOINED])}
    order = counted.assign(a=counted["then"].map(place), b=counted["now"].map(place))
    counted = order.sort_values(["a", "b"], ignore_index=True)[COLUMNS[:3]]
    whole = counted.groupby("then")["customers"].transform("sum")
    return Flow(counted.assign(share_of_then=counted["customers"] / whole), since, day)


def flow_findings(flow: Flow) -> list[Finding]:
    """Return how many of the most valuable stayed so, and how many of the promising rose.

    Returns
    -------
    list of Finding
        ``customer_value.stayed_valuable``, ``customer_value.became_valuable``: shares with their
        95 % interval (Wilson); without a number of fewer than 30 customers.
    """
    from statsmodels.stats.proportion import proportion_confint  # slow to import

    found = []
    for then, name in (("keep", "stayed_valuable"), ("win", "became_valuable")):
        n, there = flow.moved(then, "keep")
        status = status_of(n)
        if status == "not_enough_data":
            text, values = _FEW[then], (None, None, None)
        else:
            low, high = map(float, proportion_confint(there, n, method="wilson"))
            values = (there / n, low, high)
            facts = {"rate": there / n, "low": low, "high": high, "since": flow.since}
            text = _say(then, facts)
        found.append(
            Finding(f"customer_value.{name}", text, *values, unit="percent", n=n, status=status)
        )
    return found


_FEW = {
    "keep": say("Too few customers were most valuable a year ago to say how many stayed so."),
    "win": say("Too few customers were promising a year ago to say how many became valuable."),
}


def _say(then: str, facts: dict) -> Message:
    if then == "keep":
        return say(
            "Of the most valuable on {since:date}, {rate:percent0} ({low:percent0} to "
            "{high:percent0}) still are.",
            **facts,
        )
    return say(
        "Of the promising on {since:date}, {rate:percent0} ({low:percent0} to {high:percent0}) are "
        "among the most valuable now.",
        **facts,
    )


def actions_to_show(flow: Flow, min_cell: int) -> pd.DataFrame:
    """Return the movement between the three groups of segments, for a figure; see below."""
    table = flow.table.replace({"then": ACTION_OF, "now": ACTION_OF})
    sums = table.groupby(["then", "now"], as_index=False, sort=False)["customers"].sum()
    return sums.assign(customers=rounded(sums["customers"], min_cell))


def flow_to_show(flow: Flow, min_cell: int) -> pd.DataFrame:
    """Return the movement as a report may show it.

    Customers are rounded to multiples of `min_cell` and small numbers masked, so that no
    difference between cells and the sizes of segments tells of few; shares, to two decimals, are
    hidden where they would.
    """
    table = flow.table
    whole = table.groupby("then")["customers"].transform("sum")
    few = few_of(whole, table["share_of_then"], min_cell)
    shown = hide(table.assign(share_of_then=table["share_of_then"].round(2)), COLUMNS[3:], few)
    shown["customers"] = rounded(table["customers"], min_cell)
    names = {**SEGMENTS, JOINED: say("joined since")}
    for column in ("then", "now"):
        shown[column] = table[column].map(names)
    return shown
