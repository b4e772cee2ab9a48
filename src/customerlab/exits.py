"""The ways of leaving, from the client's own tables; several at once compete.

- ``inactive``: the last movement before the first gap of at least ``idle_days``
  (:mod:`customerlab.durations`). In the month of that movement.
- ``payroll_moved``: payroll credits stop. In the first month without one, once two months in a
  row have none. Only who was paid through the client can leave that way.
- ``money_gone``: assets at the end of two months in a row are at most a fifth of the customer's
  own earlier level, the mean of the six month-ends before. In the first of them. Only who had a
  level of at least 1,000 can leave that way.
- ``closed``: the last open account is closed. In that month. Who opened another one later has not
  left by closing the earlier ones.

A customer leaves once, by the exit that comes first; of several in one month by the one that tells
most. What takes longest to be known decides up to which month anybody is watched; balances that
end before the snapshot end it sooner.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from functools import reduce

import ibis
import ibis.expr.types as ir
import pandas as pd

from customerlab.calendar_months import month_index
from customerlab.cells import no_rows
from customerlab.customers import own_movements
from customerlab.durations import clock_starts, idle_exits, last_whole_month, lines_of, timelines
from customerlab.errors import CustomerlabError
from customerlab.features import feature_name, holdings, paid_months
from customerlab.messages import Message, say

#: The exits by their name in the parameters; ``left`` where a prepared table does not tell.
EXITS: dict[str, Message] = {
    "inactive": say("no movement any more"),
    "payroll_moved": say("payroll moved away"),
    "money_gone": say("money gone"),
    "closed": say("accounts closed"),
    "left": say("left"),
}

#: What each exit is read from.
NEEDS: dict[str, tuple[str, ...]] = {
    "inactive": ("transactions",),
    "payroll_moved": ("transactions",),
    "money_gone": ("accounts", "balances"),
    "closed": ("accounts",),
}

#: Months in a row without pay, or with little money, that make an exit.
MONTHS_IN_A_ROW = 2
#: A month's assets are gone at this share of the level, the mean of so many months before.
SHARE_LEFT, LEVEL_MONTHS = 0.2, 6
#: With a lower level there was no money to go.
LEVEL_AT_LEAST = 1000


def exit_name(exit_: str) -> Message | str:
    """Return what a reader calls an exit; a client's own word stays as it is."""
    return EXITS.get(exit_, feature_name(exit_))


def observe_exits(
    tables: Mapping[str, ir.Table],
    exits: Sequence[str],
    *,
    snapshot: dt.date,
    idle_days: int,
    not_movements: Sequence[str],
    days: ir.Table | None = None,
) -> ir.Table:
    """Return one row per customer: the months at risk, and the exit if there was one.

    Parameters
    ----------
    tables : mapping of str to table
        The clean canonical tables.
    exits : sequence of str
        Names of :data:`EXITS`; the first decides when a customer begins to be watched.
    snapshot, idle_days
        See :func:`customerlab.durations.idle_exits`.
    not_movements : sequence of str
        See :func:`customerlab.customers.movements`.
    days : table, optional
        The days of those movements, where :func:`customerlab.customers.movement_days` were worked
        out before.

    Returns
    -------
    table
        As :func:`customerlab.durations.timelines`, with ``exit`` and, for several exits,
        ``from_<exit>``: months since joining from which the customer can leave that way, null for
        never.

    Raises
    ------
    CustomerlabError
        When a table that an exit is read from is not there.
    """
    _refuse_unreadable(tables, exits)
    rule = {"snapshot": snapshot, "idle_days": idle_days}
    moved = own_movements(tables, not_movements) if days is None else days
    if list(exits) == ["inactive"]:
        lines = timelines(moved, tables.get("customers"), **rule)
        return lines.mutate(
            exit=lines.churned.ifelse(ibis.literal("inactive"), ibis.null("string"))
        )
    last = known_until(exits, **rule)
    if "money_gone" in exits:
        last = min(last, _balances_end(tables["balances"], last + 1) - (MONTHS_IN_A_ROW - 1))
    parts = [_spans(name, tables, moved, **rule) for name in exits]
    people = _people(tables, parts[0])
    for name, part in zip(exits, parts, strict=True):
        mine = part.select(
            whose="customer_id",
            **{f"from_{name}": part.begins, f"gone_{name}": part.gone},
        )
        people = people.left_join(mine, [("customer_id", "whose")]).drop("whose")
    # an engine may refuse the least of one value
    gone = ibis.least(NEVER, *[ibis.coalesce(people[f"gone_{name}"], NEVER) for name in exits])
    people = people.mutate(gone=(gone < NEVER).ifelse(gone, ibis.null("int64")))
    # who closes the last account in the month of the last movement has closed it
    telling = [name for name in _TELLING if name in exits]
    kind = ibis.cases(*[(people[f"gone_{name}"] == people.gone, name) for name in telling])
    # the month of the first movement does not count, whatever else is watched from when on: who
    # moves in it for the last time left when first seen
    own = ibis.cases(*[(kind == name, people[f"from_{name}"]) for name in telling])
    begins = people[f"from_{exits[0]}"]
    early = (own > people.gone).fill_null(False) & begins.notnull()
    people = people.mutate(
        exit_kind=kind,
        joined=ibis.coalesce(ibis.least(people.joined, begins), begins),
        begins=early.ifelse(ibis.greatest(begins, own), begins),
    )
    if len(exits) == 1:
        people = people.drop(f"from_{exits[0]}")
    why = "no_movement" if exits[0] == "inactive" else "never_at_risk"
    lacking = people.begins.isnull().ifelse(why, ibis.null("string"))
    return lines_of(people, last, lacking)


def gone_by_now(
    tables: Mapping[str, ir.Table],
    exits: Sequence[str],
    *,
    snapshot: dt.date,
) -> ir.Table:
    """Return the ``customer_id`` of who has left by the snapshot, silence apart.

    An exit may be known before all exits of its month are: who closed the last account yesterday
    is not here any more, though nobody's silence can be told up to then.
    """
    rule = {"snapshot": snapshot, "idle_days": 0}
    parts = [_spans(name, tables, None, **rule) for name in exits if name != "inactive"]
    gone = [part.filter(part.gone.notnull()).select("customer_id") for part in parts]
    return reduce(lambda a, b: a.union(b), gone).distinct() if gone else no_rows(_NAMED)


_NAMED = {"customer_id": "string"}


def _refuse_unreadable(tables: Mapping[str, ir.Table], exits: Sequence[str]) -> None:
    for name in exits:
        lacking = [table for table in NEEDS[name] if table not in tables]
        if lacking:
            raise CustomerlabError(
                f"churn_timing.event: {name} is read from {' and '.join(NEEDS[name])}, and there "
                f"is no {' and no '.join(lacking)}"
            )
    if "payroll_moved" in exits and "kind" not in tables["transactions"].columns:
        raise CustomerlabError(
            "churn_timing.event: payroll_moved needs the kind of each transaction"
        )


def _balances_end(balances: ir.Table, empty: int) -> int:
    """Return the last month with balances; `empty` where there are none, and no money to go."""
    last = month_index(balances.month).max().execute()
    return empty if pd.isna(last) else int(last)


#: Of exits in one month the first of these is the one.
_TELLING = ("closed", "payroll_moved", "money_gone", "inactive")

#: A month that never comes.
NEVER = ibis.literal(10**9, "int64")


def _people(tables: Mapping[str, ir.Table], first: ir.Table) -> ir.Table:
    """Return who may leave, with the month from which tenure counts."""
    if "customers" not in tables:
        return first.select("customer_id", joined=first.clock)
    customers = tables["customers"]
    there = "joined_on" in customers.columns
    declared = month_index(customers.joined_on) if there else ibis.null("int64")
    people = customers.select("customer_id", declared=declared)
    joined = people.left_join(
        first.select(whose="customer_id", clock="clock"), [("customer_id", "whose")]
    )
    return joined.select("customer_id", joined=ibis.least(joined.declared, joined.clock))


def known_until(exits: Sequence[str], *, snapshot: dt.date, idle_days: int) -> int:
    """Return the last month, by number, of which all exits are known on a day."""
    return min(_known_until(name, snapshot=snapshot, idle_days=idle_days) for name in exits)


def _known_until(name: str, *, snapshot: dt.date, idle_days: int) -> int:
    """Return the last month of which all exits of a kind are known."""
    if name == "inactive":
        return last_whole_month(snapshot - dt.timedelta(days=idle_days))
    whole = last_whole_month(snapshot)
    return whole if name == "closed" else whole - (MONTHS_IN_A_ROW - 1)


def _spans(
    name: str,
    tables: Mapping[str, ir.Table],
    moved: ir.Table | None,
    *,
    snapshot: dt.date,
    idle_days: int,
) -> ir.Table:
    """Return ``customer_id``, ``clock`` (first month seen), ``begins`` and ``gone`` of one exit."""
    if name == "inactive":
        return _silent(tables, moved, snapshot, idle_days)
    if name == "payroll_moved":
        return _unpaid(tables["transactions"], last_whole_month(snapshot))
    if name == "money_gone":
        return _emptied(tables["accounts"], tables["balances"])
    return _closed(tables["accounts"], snapshot, _data_begin(tables))


def _silent(
    tables: Mapping[str, ir.Table], moved: ir.Table, snapshot: dt.date, idle_days: int
) -> ir.Table:
    seen = idle_exits(moved, snapshot=snapshot, idle_days=idle_days)
    customers = tables.get("customers")
    if customers is not None and "joined_on" in customers.columns:
        known = customers.select(whose="customer_id", joined_on="joined_on")
        seen = seen.left_join(known, [("customer_id", "whose")]).drop("whose")
    else:
        seen = seen.mutate(joined_on=ibis.null("date"))
    joined = month_index(clock_starts(seen.joined_on, seen.first_movement))
    first = month_index(seen.first_movement)
    return seen.select(
        "customer_id",
        clock=first,
        begins=(first == joined).ifelse(joined, first + 1),
        gone=month_index(seen.exit),
    )


def _unpaid(transactions: ir.Table, whole: int) -> ir.Table:
    paid = paid_months(transactions)
    paid = paid.filter(paid.paid <= whole)
    order = ibis.window(group_by="whose", order_by="paid")
    following = ibis.coalesce(paid.paid.lead().over(order), ibis.literal(whole + 1, "int64"))
    paid = paid.mutate(stops=following - paid.paid > MONTHS_IN_A_ROW)
    return paid.group_by(customer_id="whose").aggregate(
        clock=paid.paid.min(),
        begins=paid.paid.min() + 1,
        gone=paid.paid.min(where=paid.stops) + 1,
    )


def _emptied(accounts: ir.Table, balances: ir.Table) -> ir.Table:
    held = holdings(accounts, balances)
    # a month in which nothing is held any more has no row: every customer gets one a month
    span = held.group_by("whose").aggregate(first=held.held_index.min())
    last = held.held_index.max().as_scalar()
    span = span.mutate(offset=ibis.range(0, last - span.first + 1).unnest())
    grid = span.select(owner="whose", first="first", at=span.first + span.offset)
    months = grid.left_join(held, [("owner", "whose"), ("at", "held_index")])
    months = months.select("owner", "first", "at", assets=months.assets.fill_null(0))
    order = ibis.window(group_by="owner", order_by="at")
    before = ibis.window(group_by="owner", order_by="at", preceding=(LEVEL_MONTHS, 1))
    months = months.mutate(
        level=months.assets.mean().over(before),
        following=months.assets.lead().over(order),
        known=months["at"] - months["first"] >= LEVEL_MONTHS,
    )
    had = months.known & (months.level >= LEVEL_AT_LEAST)
    limit = months.level * SHARE_LEFT
    empty = had & (months.assets <= limit) & (months.following <= limit)
    return months.group_by(customer_id="owner").aggregate(
        clock=months["first"].min(),
        begins=months["at"].min(where=had),
        gone=months["at"].min(where=empty),
    )


def _closed(accounts: ir.Table, snapshot: dt.date, begins: int | None) -> ir.Table:
    if "closed_on" not in accounts.columns:
        raise CustomerlabError("churn_timing.event: closed needs the day on which accounts closed")
    opened = accounts.opened_on if "opened_on" in accounts.columns else ibis.null("date")
    mine = accounts.select(
        "customer_id",
        opened=month_index(opened),
        closed=month_index(accounts.closed_on),
        open=accounts.closed_on.isnull() | (accounts.closed_on > snapshot),
    )
    each = mine.group_by("customer_id").aggregate(
        clock=mine.opened.min(), remains=mine.open.any(), last=mine.closed.max()
    )
    each = each.mutate(gone=each.remains.ifelse(ibis.null("int64"), each["last"]))
    if begins is None:
        return each.select("customer_id", "clock", "gone", begins=each.clock)
    # what was closed before the data begin may not be in the list: who had gone by then is not
    # watched, and the others are from then on
    first = ibis.greatest(each.clock, ibis.literal(begins, "int64"))
    watched = each.gone.isnull() | (each.gone >= begins)
    return each.select(
        "customer_id",
        "clock",
        begins=watched.ifelse(ibis.coalesce(first, begins), ibis.null("int64")),
        gone=watched.ifelse(each.gone, ibis.null("int64")),
    )


def _data_begin(tables: Mapping[str, ir.Table]) -> int | None:
    """Return the month in which the client's transactions or balances begin."""
    found = [
        month_index(tables[name][column].cast("date")).min().execute()
        for name, column in (("transactions", "occurred_at"), ("balances", "month"))
        if name in tables
    ]
    known = [int(month) for month in found if not pd.isna(month)]
    return reduce(min, known) if known else None
