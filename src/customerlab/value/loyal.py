"""The loyal: who still buys a year later at no less than before, watched from a landmark.

A shop's customer is active on a day who bought in the twelve months before it, and loyal if what
they spent in the twelve months after is at least as much. A bank's customer is active who holds
something on the day and made a movement of their own in the twelve months before, and loyal if
their assets a year later are at least those of the day and they moved in the last three months of
that year. What is known of them is what was known on the landmark.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import ibis
import ibis.expr.types as ir
import pandas as pd

from customerlab.calendar_months import is_last_of_month, month_index, months_before
from customerlab.cells import cells
from customerlab.customers import movements
from customerlab.features import (
    UNKNOWN,
    features_in,
    holdings,
    with_features,
    with_people,
    with_since,
)
from customerlab.landmarks import as_of, months_seen
from customerlab.messages import Message, say
from customerlab.value.rfm import sales

#: Months of a year, and the last of them in which a bank's customer has to have moved.
YEAR, MOVING = 12, 3

#: The fifth of what a customer spent or held before, 5 the highest: held alike, for who spent
#: unusually much seldom does so again.
WORTH = "worth"

#: Features that are used, where the tables tell them.
_FEATURES = ("tenure_band", "age_band", "gender", "region", "payroll", "products", "trend")
_FEATURES += ("moves", "complaints", "rating")


@dataclass(frozen=True)
class Watched:
    """Active customers of a landmark, and whether they were loyal in the year after.

    Attributes
    ----------
    landmark, until : date
    bank : bool
    features : tuple of str
        Columns of `rows` and `counts`: text, as known on the landmark.
    rows : table or None
        ``customer_id``, ``worth_before`` and ``worth_after`` (money), ``loyal`` (0 or 1),
        `features`. None where the data do not reach far enough.
    counts : DataFrame
        `features`, ``n`` customers, ``events`` (who were loyal).
    lacking : Message or None
        Why nothing can be watched.
    """

    landmark: dt.date
    until: dt.date
    bank: bool
    features: tuple[str, ...]
    rows: ir.Table | None
    counts: pd.DataFrame
    lacking: Message | None = None

    @property
    def n(self) -> int:
        """How many customers were watched."""
        return int(self.counts["n"].sum())

    @property
    def events(self) -> int:
        """How many of them were loyal."""
        return int(self.counts["events"].sum())


def watch_loyal(
    tables: Mapping[str, ir.Table],
    until: dt.date,
    *,
    not_movements: Sequence[str] = (),
    keep: Callable[[ir.Table], ir.Table] = lambda table: table,
) -> Watched:
    """Watch the customers who were active a year before a day.

    Parameters
    ----------
    tables : mapping of str to table
        The clean canonical tables: ``transactions``; of a bank ``accounts`` and ``balances``.
    until : date
        The end of the year that is watched: the snapshot, or an earlier day.
    not_movements : sequence of str
        Kinds of transaction that the customer did not make.
    keep : callable, optional
        Works a table out once.
    """
    landmark, bank = months_before(until, YEAR), "accounts" in tables
    features = tuple(name for name in _FEATURES if name in features_in(tables))
    features = (WORTH, *features)
    lacking = _lacking(tables, landmark, bank=bank)
    none = pd.DataFrame({**{name: [] for name in features}, "n": [], "events": []})
    if lacking is not None:
        return Watched(landmark, until, bank, features, None, none, lacking)
    rows = known_on(tables, landmark, features, not_movements=not_movements)
    after = _a_year_later(as_of(tables, until), landmark, until, not_movements, bank=bank)
    rows = rows.left_join(after, [("customer_id", "_whose")]).drop("_whose")
    loyal = rows.active_after.fill_null(False) & (
        rows.worth_after.fill_null(0) >= rows.worth_before
    )
    after_it = rows.worth_after.fill_null(0)
    rows = rows.mutate(worth_after=after_it, loyal=loyal.cast("int64")).drop("active_after")
    rows = keep(rows)
    counts = cells(rows, features, {"events": rows.loyal})
    counts["events"] = counts["events"].astype("int64")
    return Watched(landmark, until, bank, features, rows, counts)


def known_on(
    tables: Mapping[str, ir.Table],
    day: dt.date,
    features: Sequence[str],
    *,
    not_movements: Sequence[str] = (),
) -> ir.Table:
    """Return the customers who are active on a day, with what is known of them at its end.

    Returns
    -------
    table
        ``customer_id``, ``worth_before`` (money: spent in the twelve months before, or held) and
        `features` as text. On a day within a month, features are those of the month's beginning.
    """
    known = as_of(tables, day)
    rows = _active(known, day, not_movements, bank="accounts" in tables)
    rows = with_since(rows, known)
    next_day = day + dt.timedelta(days=1)
    month = next_day.year * 12 + next_day.month - 1
    now = ibis.literal(month, "int64")
    rows = rows.mutate(month_index=now, known_index=now, tenure=now - month_index(rows.since))
    chosen = [name for name in features if name != WORTH]
    rows = with_features(with_people(rows, known, chosen), known, chosen, [month])
    less = ibis.rank().over(order_by=rows.worth_before).cast("int64")
    rows = rows.mutate(**{WORTH: ((less * 5) // rows.count().as_scalar() + 1).cast("string")})
    text = {name: rows[name].cast("string").fill_null(UNKNOWN) for name in features}
    return rows.select("customer_id", "worth_before", **text)


def _active(
    known: Mapping[str, ir.Table], day: dt.date, not_movements: Sequence[str], *, bank: bool
) -> ir.Table:
    """Return ``customer_id`` and ``worth_before`` of those who are active."""
    first = months_before(day, YEAR)
    if not bank:
        lines = sales(known)
        lines = lines.filter(lines.day > first)
        spent = lines.group_by("customer_id").aggregate(
            worth_before=lines.paid.sum(), bought=(lines.paid > 0).any()
        )
        spent = spent.filter(spent.bought & (spent.worth_before > 0))
        return spent.select("customer_id", "worth_before")
    held = _assets(known, day)
    held = held.filter(held.assets > 0)
    own = movements(known["transactions"], not_movements)
    # each customer once: an engine may hold what a join looks up
    own = own.filter(own.occurred_at.date() > first).select("customer_id").distinct()
    held = held.semi_join(own, [("whose", "customer_id")])
    return held.select(customer_id="whose", worth_before="assets")


def _a_year_later(
    known: Mapping[str, ir.Table],
    landmark: dt.date,
    until: dt.date,
    not_movements: Sequence[str],
    *,
    bank: bool,
) -> ir.Table:
    """Return ``_whose``, ``worth_after`` and ``active_after``."""
    if not bank:
        lines = sales(known)
        lines = lines.filter(lines.day > landmark)
        return lines.group_by(_whose="customer_id").aggregate(
            worth_after=lines.paid.sum(), active_after=(lines.paid > 0).any()
        )
    held = _assets(known, until)
    own = movements(known["transactions"], not_movements)
    own = own.filter(own.occurred_at.date() > months_before(until, MOVING))
    lately = own.group_by(mover="customer_id").aggregate(moves=own.count())
    both = held.left_join(lately, [("whose", "mover")])
    return both.select(_whose="whose", worth_after="assets", active_after=both.mover.notnull())


def _assets(known: Mapping[str, ir.Table], day: dt.date) -> ir.Table:
    """Return ``whose`` and ``assets`` at the last month's end that a day knows."""
    balances = known["balances"]
    ends = balances.filter(month_index(balances.month) == _last_month(day))
    return holdings(known["accounts"], ends).select("whose", "assets")


def _last_month(day: dt.date) -> int:
    return day.year * 12 + day.month - (1 if is_last_of_month(day) else 2)


def _lacking(tables: Mapping[str, ir.Table], landmark: dt.date, *, bank: bool) -> Message | None:
    """Say what lacks to watch a year after a landmark."""
    if "transactions" not in tables or (bank and "balances" not in tables):
        return say(
            "Whether customers stay loyal is read from what they bought, or from their balances "
            "by month and their movements; this client gives neither."
        )
    before = months_seen(tables["transactions"], landmark)
    if bank:
        months = month_index(tables["balances"].month)
        seen = tables["balances"].filter(months == _last_month(landmark)).count().execute()
        enough = bool(seen) and before >= 1
    else:
        enough = before >= YEAR
    if enough:
        return None
    return say(
        "Loyalty shows after a year: the data do not reach back far enough before {landmark:date}.",
        landmark=landmark,
    )
