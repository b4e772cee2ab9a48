"""How long a silence has to last before it is an exit: chosen from the data, and shown.

A short rule calls customers lost who only pause; a long one learns of an exit late. What decides
is how many of the silences that have lasted so long end soon after. Who comes back later than that
had left.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from customerlab.customers import movement_days
from customerlab.findings import Finding
from customerlab.messages import Message, say

#: A silence is an exit once at most this share of its like ends with a movement.
RETURNS_AT_MOST = 0.05

#: The rules that are compared, in days.
RULES = tuple(range(30, 190, 10))

#: Who comes back within so many days more had only paused.
FOLLOWED = 90

#: Fewer silences than this have lasted so long: nothing can be said about their end.
FEWEST = 100


@dataclass(frozen=True)
class IdleRule:
    """The rule, and what it was chosen by.

    Attributes
    ----------
    days : int
        A silence of so many days is an exit.
    chosen : bool
        Whether the data chose it; else the parameters did.
    table : DataFrame
        ``silent_days``, ``silences`` that lasted so long, and the share of them that ``returns``
        within the :data:`FOLLOWED` days after, with its 95 % interval.
    """

    days: int
    chosen: bool
    table: pd.DataFrame

    @property
    def returns(self) -> float:
        """The share of silences as long as the rule that end with a movement; NaN if not seen."""
        row = self._row
        return float(row["returns"].iloc[0]) if len(row) else float("nan")

    @property
    def _row(self) -> pd.DataFrame:
        """The line of the rule itself: what holds for a shorter one says nothing about it."""
        return self.table.loc[self.table["silent_days"] == self.days]

    def describe(self) -> Message:
        """Say which rule it is, and why."""
        facts = {"days": self.days, "returns": self.returns, "followed": FOLLOWED}
        if np.isnan(self.returns):
            return say(
                "A customer has left after {days:count} days without a movement. The data are too "
                "short or too few to tell how many come back after that.",
                days=self.days,
            )
        if not self.chosen:
            return say(
                "A customer has left after {days:count} days without a movement, as the parameters "
                "say. Of the silences that lasted so long {returns:percent} ended with a movement "
                "within the next {followed:count} days.",
                **facts,
            )
        if self.returns > RETURNS_AT_MOST:
            return say(
                "A customer has left after {days:count} days without a movement, the longest rule "
                "that the data carry. Of the silences that lasted so long {returns:percent} still "
                "ended with a movement within the next {followed:count} days.",
                **facts,
            )
        return say(
            "A customer has left after {days:count} days without a movement: of the silences that "
            "lasted so long {returns:percent} ended with a movement within the next "
            "{followed:count} days; a shorter rule would call more of them lost too soon.",
            **facts,
        )

    def finding(self) -> Finding:
        """Return how many of those whom the rule calls lost come back after all."""
        known = not np.isnan(self.returns)
        row = self._row
        low, high = (
            (float(row["low"].iloc[0]), float(row["high"].iloc[0])) if known else (None,) * 2
        )
        if not known:
            status = "not_enough_data"
        else:
            status = "supported" if self.returns <= RETURNS_AT_MOST else "weak"
        return Finding(
            id="churn_timing.idle_rule",
            text=self.describe(),
            value=self.returns if known else None,
            low=low,
            high=high,
            unit="percent",
            n=int(row["silences"].iloc[0]) if known else None,
            status=status,
        )


def choose_idle_days(
    movements: ir.Table, *, snapshot: dt.date, given: int | None = None
) -> IdleRule:
    """Choose the shortest rule after which few come back.

    Every silence between two days with movements, and the one that the snapshot cuts off, is
    looked at. Of those that had lasted some days, the share that ends with a movement within the
    next :data:`FOLLOWED` is Kaplan and Meier's, as the silences at the snapshot are not over.

    Parameters
    ----------
    movements : table
        ``customer_id`` and ``occurred_at``, the customer's own movements; or their
        :func:`customerlab.customers.movement_days`.
    snapshot : date
    given : int, optional
        The rule that the parameters name; it is described in the same way.

    Returns
    -------
    IdleRule
        Among 30, 40 ... 180 days, none beyond a third of the data or without :data:`FOLLOWED`
        days after it; the longest of them where no rule is followed by few returns.
    """
    days = movement_days(movements, snapshot=snapshot)
    until = ibis.coalesce(days.next_day, ibis.literal(snapshot))
    gaps = days.mutate(until=until, ended=days.next_day.notnull())
    gaps = gaps.select("ended", length=gaps.until.delta(gaps.day, unit="day").cast("int64"))
    counted = gaps.group_by(["length", "ended"]).aggregate(n=gaps.count()).to_pandas()
    first = days.day.min().execute()
    covered = 0 if pd.isna(first) else (pd.Timestamp(snapshot) - first).days
    longest = min(covered / 3, covered - FOLLOWED)
    rules = [rule for rule in {*RULES, given or RULES[0]} if rule <= longest]
    table = _returns(counted, sorted(rules))
    if given is not None:
        return IdleRule(given, False, table)
    good = table.loc[table["returns"] <= RETURNS_AT_MOST, "silent_days"]
    if len(good):
        days_chosen = int(good.iloc[0])
    else:
        days_chosen = int(table["silent_days"].max()) if len(table) else DEFAULT_DAYS
    return IdleRule(days_chosen, True, table)


#: Where the data are too short to choose.
DEFAULT_DAYS = 90


def _returns(counted: pd.DataFrame, rules: list[int]) -> pd.DataFrame:
    """Return, for each rule, the share of silences that end within the days that follow it."""
    lengths = counted.groupby("length")["n"].sum().sort_index()
    ends = counted.loc[counted["ended"]].groupby("length")["n"].sum()
    ends = ends.reindex(lengths.index, fill_value=0)
    at_risk = lengths[::-1].cumsum()[::-1]
    rows = []
    for rule in rules:
        within = (lengths.index > rule) & (lengths.index <= rule + FOLLOWED)
        risk, ended = at_risk[within].to_numpy(float), ends[within].to_numpy(float)
        lasted = int(at_risk[lengths.index > rule].iloc[0]) if (lengths.index > rule).any() else 0
        if lasted < FEWEST:
            continue
        stays = float(np.prod(1 - ended / risk))
        rows.append((rule, lasted, 1 - stays, *_interval(stays, risk, ended, lasted)))
    return pd.DataFrame(rows, columns=["silent_days", "silences", "returns", "low", "high"])


def _interval(
    stays: float, risk: np.ndarray, ended: np.ndarray, lasted: int
) -> tuple[float, float]:
    """Return Wilson's interval of the share that returns.

    For as many trials as would give Greenwood's variance: near 0, where the rule is chosen, the
    share plus and minus two standard errors leaves the truth out too often, and after no return
    at all it has no width. A silence is one trial, several may be of one customer.
    """
    lost = np.divide(ended, risk * (risk - ended), where=risk > ended, out=np.zeros_like(risk))
    variance = stays**2 * float(lost.sum())
    n = stays * (1 - stays) / variance if variance else float(risk.min(initial=lasted))
    z = 1.96
    middle = (1 - stays + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(stays * (1 - stays) / n + z**2 / (4 * n**2))
    return max(float(middle - half), 0.0), min(float(middle + half), 1.0)
