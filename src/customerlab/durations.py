"""How long customers stayed, from their movements and an idle rule.

The rule: a customer left with the last movement before the first gap of at least `idle_days`.

What can be seen of that, and what cannot:

- A gap is known only when it has passed, so nothing after ``snapshot - idle_days`` can be told.
  All customers are censored there, those who moved later as well as those who did not: stopping
  only the silent ones would make silence itself the event.
- Time runs in whole calendar months. Month ``k`` is the ``k``-th after the one of joining. The
  last month looked at is the last that ends on or before ``snapshot - idle_days``; an exit in the
  part of a month that is left over is not used, nor is the time in it.
- A customer who was already here when the data begin is seen only from the first movement on
  (left truncation), and at risk from the month after it. The month of that movement does not
  count: who is known only through having moved in a month is likelier to have moved for the last
  time in it than all who were customers then (``tests/test_durations.py`` shows the size of that
  error). A customer whose first movement falls into the month of joining is at risk from month 0.
"""

from __future__ import annotations

import datetime as dt

import ibis
import ibis.expr.types as ir

from customerlab.calendar_months import is_last_of_month, month_index
from customerlab.customers import movement_days
from customerlab.messages import Message, say

#: Why a customer is not among those whose stay is measured.
REASONS: dict[str, Message] = {
    "no_movement": say("never moved in the data"),
    "left_when_first_seen": say("left in the month in which they were first seen"),
    "too_recent": say("first seen too recently to tell whether they stay"),
    "never_at_risk": say("had nothing that could be lost in this way"),
}


def idle_exits(movements: ir.Table, *, snapshot: dt.date, idle_days: int) -> ir.Table:
    """Return when each customer moved first and last, and when the idle rule says they left.

    Parameters
    ----------
    movements : table
        ``customer_id`` and ``occurred_at``, the customer's own movements only; or their
        :func:`customerlab.customers.movement_days`.
    snapshot : date
        The last day that is known.
    idle_days : int
        A gap of so many days, to the next movement or to the snapshot, is an exit.

    Returns
    -------
    table
        One row per customer: ``customer_id``, ``first_movement``, ``last_movement``, ``exit``
        (date of the last movement before the first such gap; null when there is none) and
        ``churned``.
    """
    days = _gaps(movements, snapshot, idle_days)
    exits = days.group_by("customer_id").aggregate(
        first_movement=days.day.min(),
        last_movement=days.day.max(),
        exit=days.day.min(where=days.breaks),
    )
    return exits.mutate(churned=exits.exit.notnull())


def clock_starts(joined_on: ir.DateValue, first_movement: ir.DateValue) -> ir.DateValue:
    """Return the day from which tenure counts: of joining, or of the first movement if earlier."""
    unknown_or_later = joined_on.isnull() | (joined_on > first_movement)
    return unknown_or_later.ifelse(first_movement, joined_on)


def timelines(
    movements: ir.Table,
    customers: ir.Table | None = None,
    *,
    snapshot: dt.date,
    idle_days: int,
) -> ir.Table:
    """Return one row per customer: the months at risk, or the reason why there are none.

    Parameters
    ----------
    movements, snapshot, idle_days
        See :func:`idle_exits`.
    customers : table, optional
        Only these customers, with ``joined_on`` if there is such a column; without it everyone
        who moved.

    Returns
    -------
    table
        ``customer_id``, ``joined_month`` and ``exit_month`` (first of the month; `exit_month` is
        null unless churned), ``entry`` and ``duration`` (months since the month of joining: at
        risk in the months ``entry`` up to ``duration - 1``), ``churned``, and ``reason``, a key
        of :data:`REASONS`, null for those observed.
    """
    exits = idle_exits(movements, snapshot=snapshot, idle_days=idle_days)
    if customers is None:
        people = exits.mutate(joined_on=ibis.null("date"))
    else:
        joined_on = customers.joined_on if "joined_on" in customers.columns else ibis.null("date")
        people = customers.select("customer_id", joined_on=joined_on).left_join(
            exits, "customer_id"
        )
    people = people.mutate(
        joined=month_index(clock_starts(people.joined_on, people.first_movement)),
        seen=month_index(people.first_movement),
        gone=month_index(people.exit),
    )
    people = people.mutate(
        begins=(people.seen == people.joined).ifelse(people.joined, people.seen + 1)
    )
    last = last_whole_month(snapshot - dt.timedelta(days=idle_days))
    lacking = people.first_movement.isnull().ifelse("no_movement", ibis.null("string"))
    return lines_of(people, last, lacking)


def lines_of(people: ir.Table, last: int, lacking: ir.StringValue) -> ir.Table:
    """Return :func:`timelines` of customers whose months are known by number.

    Parameters
    ----------
    people : table
        ``customer_id``, ``joined``, ``begins`` (first month at risk) and ``gone`` (month of the
        exit, or null), each as :func:`customerlab.calendar_months.month_index` counts months;
        columns that begin with ``from_`` and ``exit_kind`` are passed on.
    last : int
        The last month that is looked at: everybody is censored there.
    lacking : expression
        The reason of those who have no months at all, else null.
    """
    people = people.mutate(churned=(people.gone <= last).fill_null(False), lacks=lacking)
    people = people.mutate(ends=people.churned.ifelse(people.gone, ibis.literal(last, "int64")))
    reason = ibis.cases(
        (people.lacks.notnull(), people.lacks),
        (people.churned & (people.ends < people.begins), "left_when_first_seen"),
        (people.ends < people.begins, "too_recent"),
        else_=ibis.null("string"),
    )
    further = {
        name: people[name] - people.joined for name in people.columns if name.startswith("from_")
    }
    if "exit_kind" in people.columns:
        further["exit"] = people.churned.ifelse(people.exit_kind, ibis.null("string"))
    return people.select(
        "customer_id",
        joined_month=first_of_month(people.joined),
        entry=people.begins - people.joined,
        duration=people.ends - people.joined + 1,
        churned=people.churned,
        exit_month=people.churned.ifelse(first_of_month(people.ends), ibis.null("date")),
        reason=reason,
        **further,
    )


def durations_from(
    movements: ir.Table,
    customers: ir.Table | None = None,
    *,
    snapshot: dt.date,
    idle_days: int,
) -> ir.Table:
    """Return the ``durations`` table: the rows of :func:`timelines` that are observed.

    In survival terms ``entry`` is the time of entry, ``duration`` the time of exit or censoring.
    How many were left out and why: ``cells(timelines(...), by=["reason"])``.
    """
    return observed(timelines(movements, customers, snapshot=snapshot, idle_days=idle_days))


def observed(lines: ir.Table) -> ir.Table:
    """Return the rows of :func:`timelines` whose stay is measured."""
    return lines.filter(lines.reason.isnull()).drop("reason")


def silence(movements: ir.Table, *, snapshot: dt.date, idle_days: int) -> ir.Table:
    """Count how often customers who had been silent for some days turned out to have left.

    At the snapshot nobody can tell whether a customer who last moved 60 days ago has left; at
    earlier days the same question has been answered since. Asked at the last day whose exits are
    known and at five more, 30 days apart.

    Returns
    -------
    table
        ``silent`` (tens of days since the last movement), ``n`` customers and ``gone`` of them.
        It is small.
    """
    asked = []
    for back in range(0, 180, 30):
        day = snapshot - dt.timedelta(days=idle_days + back)
        asked.append(seen_at(movements, day, snapshot=snapshot, idle_days=idle_days))
    rows = ibis.union(*(part.select("silent", "gone") for part in asked))
    return rows.group_by("silent").aggregate(n=rows.count(), gone=rows.gone.sum())


def seen_at(movements: ir.Table, day: dt.date, *, snapshot: dt.date, idle_days: int) -> ir.Table:
    """Return who counted as here on an earlier day, and who had gone already.

    Parameters
    ----------
    day : date
        At least `idle_days` before the snapshot: later it is not known who had gone.

    Returns
    -------
    table
        ``customer_id`` of all who had moved within the last `idle_days`, ``silent`` (tens of days
        since the last movement) and ``gone`` (0 or 1).
    """
    days = _gaps(movements, snapshot, idle_days)
    silent = ibis.literal(day).delta(days.day, unit="day")
    last = days.filter((days.day <= day) & (days.until > day) & (silent < idle_days))
    return last.select("customer_id", silent=_tens(last.day, day), gone=last.breaks.cast("int64"))


def here_at(movements: ir.Table, *, snapshot: dt.date, idle_days: int) -> ir.Table:
    """Return who counts as here at the snapshot, and how likely they still are.

    Returns
    -------
    table
        ``customer_id`` of all who moved within the last `idle_days`, ``first_movement``,
        ``silent`` (tens of days since the last movement) and ``still_here``: the share of
        customers silent for as long who moved again in time (:func:`silence`; one where that was
        never seen).
    """
    exits = idle_exits(movements, snapshot=snapshot, idle_days=idle_days)
    here = exits.filter(exits.last_movement > snapshot - dt.timedelta(days=idle_days))
    here = here.mutate(silent=_tens(here.last_movement, snapshot))
    seen = silence(movements, snapshot=snapshot, idle_days=idle_days)
    here = here.left_join(
        seen.select(tens=seen.silent, asked=seen.n, gone=seen.gone), [("silent", "tens")]
    )
    asked, gone = here.asked.fill_null(1), here.gone.fill_null(0)
    still_here = (asked - gone).cast("float64") / asked
    return here.select("customer_id", "first_movement", "silent", still_here=still_here)


def _tens(day: ir.DateValue, until: dt.date) -> ir.IntegerValue:
    return (ibis.literal(until).delta(day, unit="day") // 10).cast("int64")


def _gaps(movements: ir.Table, snapshot: dt.date, idle_days: int) -> ir.Table:
    """Return each customer's days with movements, the next one, and whether the gap is an exit."""
    days = movement_days(movements, snapshot=snapshot)
    days = days.mutate(until=ibis.coalesce(days.next_day, ibis.literal(snapshot)))
    return days.mutate(breaks=days.until.delta(days.day, unit="day") >= idle_days)


def first_of_month(index: ir.IntegerValue) -> ir.DateValue:
    """Return the first day of a month given by its number, the reverse of `month_index`."""
    return ibis.date((index // 12).cast("int32"), (index % 12 + 1).cast("int32"), 1)


def last_whole_month(day: dt.date) -> int:
    """Return the number of the last month that ends on or before a day."""
    index = day.year * 12 + day.month - 1
    return index if is_last_of_month(day) else index - 1
