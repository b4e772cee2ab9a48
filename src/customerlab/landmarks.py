"""What was known on an earlier day, so that a rule or a model can be judged by what followed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import ibis
import ibis.expr.types as ir
import pandas as pd

from customerlab.calendar_months import is_last_of_month, month_index
from customerlab.contract import TABLES

#: What does not change with time, or carries the day from which it holds. Anything else that a
#: table says without a day is as of the snapshot, and so unknown on an earlier one.
LASTING: dict[str, frozenset[str]] = {
    "customers": frozenset(
        [
            "customer_id",
            "joined_on",
            "birth_date",
            "gender",
            "region",
            "occupation",
            "acquired_through",
        ]
    ),
    "accounts": frozenset(
        ["account_id", "customer_id", "product", "opened_on", "closed_on", "branch"]
    ),
}
#: Prepared tables know no calendar.
PREPARED = frozenset({"durations", "survey", "experiment"})


def as_of(tables: Mapping[str, ir.Table], day: dt.date) -> dict[str, ir.Table]:
    """Return the canonical tables as they were known at the end of a day.

    Parameters
    ----------
    tables : mapping of str to table
        The clean canonical tables as of the snapshot.
    day : date

    Returns
    -------
    dict of str to table
        The same tables and columns, without prepared ones. Rows known only later are gone: a
        transaction by its time, a balance by the end of its month, a customer or an account by
        the day of joining or opening (one without such a day stays). What a customers or accounts
        table says without a day (a balance, ``assets``, ``income_12m``, a client's own column) is
        as of the snapshot, and null here: it would carry the future into the past.
    """
    return {name: _known(name, t, day) for name, t in tables.items() if name not in PREPARED}


def _known(name: str, table: ir.Table, day: dt.date) -> ir.Table:
    known_on = TABLES[name].known_on
    if known_on in table.columns:
        when = table[known_on]
        if TABLES[name].column(known_on).kind == "month":  # known when its last day has passed
            last = day.year * 12 + day.month - (1 if is_last_of_month(day) else 2)
            table = table.filter(month_index(when) <= last)
        else:
            table = table.filter((when.cast("date") <= day) | when.isnull())
    if name in LASTING:
        later = [c for c in table.columns if c not in LASTING[name]]
        table = table.mutate(**{c: ibis.null(table[c].type()) for c in later})
    return table


def months_seen(transactions: ir.Table, day: dt.date) -> int:
    """Return the complete months of transactions up to a day: as far back as idleness shows.

    Counted from the day before the first transaction; 0 when there is none by then.
    """
    first = transactions.occurred_at.min().execute()
    if pd.isna(first) or first.date() > day:
        return 0
    eve = first.date() - dt.timedelta(days=1)
    months = (day.year - eve.year) * 12 + day.month - eve.month
    complete = is_last_of_month(day) or day.day >= eve.day
    return months if complete else months - 1
