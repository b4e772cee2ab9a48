"""What would have happened, had the rule been applied at a landmark in the past."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import ibis
import ibis.expr.types as ir

from customerlab.calendar_months import months_before
from customerlab.customers import activity, build_customers, open_balances
from customerlab.landmarks import as_of, months_seen

#: What a rule may cut on beside idle months: a bank's customers have assets, a shop's spend.
WORTHS = ("assets", "spend_12m")
#: Columns that tell what happened after the landmark; no rule may look at them.
AFTER = ("came_back", "assets_after", "spend_after")


@dataclass(frozen=True)
class History:
    """Customers as they were known at a landmark, and what they did until a later day.

    Attributes
    ----------
    customers : table
        One row per customer known at the landmark: the columns of
        :func:`customerlab.customers.build_customers` as of the landmark; ``came_back`` (made a
        movement of their own after it), ``assets_after`` (held at the later day; null where no
        balances are given), ``spend_after`` (purchases less refunds after the landmark).
    landmark, until : date
        What follows counts from the day after the landmark up to and including `until`.
    months : int
        From the one to the other.
    months_seen : int
        Complete months of data before the landmark. Nobody can be seen idle for longer: whoever
        was idle for longer counts as idle for so long.
    worth : {"assets", "spend_12m"}
        What the customers of this client can be cut by, beside idle months: assets where they are
        known of half of them.
    undated : int
        Customers of whom nothing says that they were customers at the landmark; left out.
    """

    customers: ir.Table
    landmark: dt.date
    until: dt.date
    months: int
    months_seen: int
    worth: str
    undated: int


def look_back(
    tables: Mapping[str, ir.Table],
    *,
    snapshot: dt.date,
    months_back: int,
    months: int | None = None,
    not_movements: list[str],
    keep: Callable[[ir.Table], ir.Table],
) -> History | None:
    """Return the customers of an earlier day with what they did afterwards.

    Parameters
    ----------
    tables : mapping of str to table
        The clean canonical tables.
    snapshot : date
    months_back : int
        The landmark lies so many months before the snapshot.
    months : int, optional
        For how long to watch them after it; up to the snapshot when left out.
    not_movements : list of str
        Kinds of transaction that the customer did not make.
    keep : function
        Works a table out once and keeps it.

    Returns
    -------
    History or None
        None where the tables show nothing, or nobody, before the landmark: without transactions
        nobody can tell who came back.
    """
    if "transactions" not in tables:
        return None
    landmark = months_before(snapshot, months_back)
    until = snapshot if months is None else months_before(snapshot, months_back - months)
    seen = months_seen(tables["transactions"], landmark)
    if seen < 1:
        return None
    then = as_of(tables, landmark)
    known = build_customers(then, snapshot=landmark, not_movements=not_movements)
    everyone = keep(known)
    dated = everyone.filter(everyone.joined_on.notnull() & (everyone.joined_on <= landmark))
    after = _afterwards(tables["transactions"], landmark, until, not_movements)
    joined = dated.left_join(after, "customer_id").drop("customer_id_right")
    held = ibis.null("decimal(38, 4)")
    if {"accounts", "balances"} <= set(tables):
        later = as_of({name: tables[name] for name in ("accounts", "balances")}, until)
        balances = open_balances(later["accounts"], later["balances"], until)
        end = balances.group_by("customer_id").aggregate(_held=balances.balance.sum())
        joined = joined.left_join(end, "customer_id").drop("customer_id_right")
        held = joined["_held"].fill_null(0)
    customers = keep(
        joined.select(
            *everyone.columns,
            came_back=joined["_moved"].fill_null(False),
            assets_after=held,
            spend_after=joined["_spent"].fill_null(0),
        )
    )
    counted = customers.aggregate(n=customers.count(), rich=customers.assets.count()).to_pandas()
    total, people = int(everyone.count().execute()), int(counted["n"].iloc[0])
    if not people:
        return None
    return History(
        customers,
        landmark,
        until,
        months=months or months_back,
        months_seen=seen,
        worth=WORTHS[0] if counted["rich"].iloc[0] * 2 >= people else WORTHS[1],
        undated=total - people,
    )


def _afterwards(
    transactions: ir.Table, landmark: dt.date, until: dt.date, not_movements: list[str]
) -> ir.Table:
    """Return whether each customer moved after the landmark, and what they spent then."""
    day = transactions.occurred_at.date()
    after = activity(transactions.filter((day > landmark) & (day <= until)), not_movements)
    return after.group_by("customer_id").aggregate(
        _moved=after.moved.any(), _spent=after.spent.sum()
    )
