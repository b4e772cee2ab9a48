"""What was known of a customer on any day: when its month began."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import ibis
import ibis.expr.types as ir

from customerlab.calendar_months import month_index
from customerlab.features.building import with_features, with_people
from customerlab.features.reading import join

#: Features of customers to be contacted that are used unasked: what tells of trouble, and what
#: costs many columns, is not.
USUAL_FEATURES = ("tenure_band", "age_band", "gender", "region", "payroll", "products")
USUAL_FEATURES += ("balance", "moves", "complaints", "trend")


def with_since(rows: ir.Table, tables: Mapping[str, ir.Table]) -> ir.Table:
    """Add ``since``, the day of joining, or of the first transaction where that is not known."""
    if "joined_on" in getattr(tables.get("customers"), "columns", ()):
        joined = tables["customers"].select(whose="customer_id", since="joined_on")
        rows = join(rows, joined, [("customer_id", "whose")])
    else:
        rows = rows.mutate(since=ibis.null("date"))
    if "transactions" not in tables:
        return rows
    lacking = rows.filter(rows.since.isnull()).select("customer_id").distinct()
    moved = tables["transactions"].semi_join(lacking, "customer_id")
    first = moved.group_by(whose="customer_id").aggregate(first=moved.occurred_at.min().date())
    rows = join(rows, first, [("customer_id", "whose")])
    return rows.mutate(since=ibis.coalesce(rows.since, rows["first"])).drop("first")


def with_known(rows: ir.Table, tables: Mapping[str, ir.Table], chosen: Sequence[str]) -> ir.Table:
    """Add what was known of the customers when the month of a day began.

    Parameters
    ----------
    rows : table
        ``customer_id`` and ``day``: of an assignment, or of a contact.
    tables : mapping of str to table
        ``customers`` with ``joined_on``, or ``transactions``, tell since when one is a customer.
    chosen : sequence of str
        Features, and columns of customers; these are as they stand at the snapshot.

    Returns
    -------
    table
        `rows` with `chosen`, ``month_index``, ``known_index`` and ``tenure`` (months).
    """
    people = rows.select("customer_id").distinct()
    months = rows.select(month=month_index(rows.day)).distinct().to_pandas()["month"].dropna()
    rows = with_since(rows, tables)
    # who was first seen after that day was not known before it
    month, since = month_index(rows.day), (rows.since <= rows.day).ifelse(rows.since, None)
    rows = rows.mutate(month_index=month, known_index=month, tenure=month - month_index(since))
    rows = rows.drop("since")
    if "accounts" in tables:
        theirs = tables["accounts"].semi_join(people, "customer_id")
        tables = {**tables, "accounts": theirs}
    return with_features(with_people(rows, tables, chosen), tables, chosen, sorted(months))
