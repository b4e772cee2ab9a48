"""One row per customer, from whatever tables the client has.

Nothing after the snapshot is in the clean tables, so nothing from the future gets in here.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from functools import reduce

import ibis
import ibis.expr.types as ir
import pandas as pd

from customerlab.calendar_months import months_before, whole_months
from customerlab.contract import TABLES, TYPES
from customerlab.errors import CustomerlabError
from customerlab.messages import say

#: What is computed here, and its type; a value is null where the client's tables do not tell.
MEASURES: dict[str, str] = {
    "assets": "decimal(38, 4)",
    "idle_months": "int64",
    "tenure_months": "int64",
    "orders": "int64",
    "spend_12m": "decimal(38, 4)",
    "income_12m": "decimal(38, 4)",
    "product_count": "int64",
    "is_payroll": "boolean",
    "joined_on": "date",
    "first_activity": "date",
    "last_activity": "date",
}

#: A customer counts as paid through us while a payroll credit came in so many months.
PAYROLL_MONTHS = 3


def movements(transactions: ir.Table, not_movements: Sequence[str]) -> ir.Table:
    """Return the customer's own movements: interest, fees and the like are none.

    Parameters
    ----------
    transactions : table
        The clean canonical table.
    not_movements : sequence of str
        Kinds that the customer did not make. A transaction without a kind is a movement.
    """
    if "kind" not in transactions.columns:
        return transactions
    kept = transactions.kind.notin(list(not_movements)) | transactions.kind.isnull()
    return transactions.filter(kept)


def build_customers(
    tables: Mapping[str, ir.Table], *, snapshot: dt.date, not_movements: Sequence[str]
) -> ir.Table:
    """Return one row per customer.

    Parameters
    ----------
    tables : mapping of str to table
        The clean canonical tables that the client has.
    snapshot : date
        The last day that is known.
    not_movements : sequence of str
        See :func:`movements`.

    Returns
    -------
    table
        ``customer_id``, the columns of :data:`MEASURES`, and every declared attribute.
        ``assets``: declared; or the latest month's balance of each open account, summed; or the
        accounts' balance. ``idle_months``: declared; or complete months since any account of the
        customer moved, and for one who never moved in the data since the data begin or the
        customer joined, whichever is later. ``tenure_months``: complete months since joining.
        ``orders``: distinct orders. ``spend_12m``: purchases less refunds of the last 12 months.
        ``product_count``: distinct products among open accounts, or bought in the last 12
        months. ``is_payroll``: a payroll credit in the last 3 months, or, where transactions
        have no kind, an account declared as such.

    Raises
    ------
    CustomerlabError
        When no table names customers.
    """
    named = [name for name in ("customers", "accounts", "transactions") if name in tables]
    if not named:
        raise CustomerlabError("no customers: give customers, accounts or transactions")
    base = tables[named[0]].select("customer_id").distinct()
    if named[0] == "customers":
        base = tables["customers"]
    parts = []
    if "accounts" in tables:
        parts.append(_from_accounts(tables["accounts"], tables.get("balances"), snapshot))
    if "transactions" in tables:
        parts.append(_from_transactions(tables["transactions"], snapshot, not_movements))
    joined = reduce(_left_join, parts, base)
    return _measures(joined, tables, snapshot)


def _with_columns(table: ir.Table, name: str, columns: str) -> ir.Table:
    """Add the named columns of a canonical table that the client did not give, as nulls."""
    absent = [column for column in columns.split() if column not in table.columns]
    return table.mutate(
        **{column: ibis.null(TYPES[TABLES[name].column(column).kind]) for column in absent}
    )


def _left_join(left: ir.Table, right: ir.Table) -> ir.Table:
    return left.left_join(right, "customer_id").drop("customer_id_right")


def _from_accounts(accounts: ir.Table, balances: ir.Table | None, snapshot: dt.date) -> ir.Table:
    """Return what the accounts tell of each customer, in columns that begin with ``a_``."""
    accounts = _with_columns(accounts, "accounts", "opened_on closed_on balance product is_payroll")
    is_open = accounts.closed_on.isnull() | (accounts.closed_on > snapshot)
    held = accounts.mutate(is_open=is_open)
    if balances is not None:
        latest = balances.group_by("account_id").aggregate(
            latest=balances.balance.argmax(balances.month)
        )
        held = held.left_join(latest, "account_id").drop("account_id_right")
        held = held.mutate(balance=held.latest)
    # a closed account holds nothing, whatever its last balance was
    worth = held.is_open.ifelse(held.balance, ibis.literal(0).cast("decimal(18, 4)"))
    return held.group_by("customer_id").aggregate(
        a_assets=worth.sum(),
        a_products=held.product.nunique(where=held.is_open),
        a_accounts=held.is_open.sum(),
        a_payroll=(held.is_payroll.fill_null(False) & held.is_open).any(),
        a_opened=held.opened_on.min(),
    )


def _from_transactions(
    transactions: ir.Table, snapshot: dt.date, not_movements: Sequence[str]
) -> ir.Table:
    """Return what the transactions tell of each customer, in columns that begin with ``t_``."""
    t = _with_columns(transactions, "transactions", "kind order_id product")
    day = t.occurred_at.date()
    moved = t.kind.notin(list(not_movements)) | t.kind.isnull()
    bought = t.kind.isin(["purchase", "refund"]) | t.kind.isnull()
    # a bank books a card payment as money out, a shop as money in; without a kind it is a shop
    spent = ibis.cases(
        (t.kind == "purchase", t.amount.abs()),
        (t.kind == "refund", -t.amount.abs()),
        else_=t.amount,
    )
    last_year = day > months_before(snapshot, 12)
    recent = day > months_before(snapshot, PAYROLL_MONTHS)
    return t.group_by("customer_id").aggregate(
        t_first=day.min(where=moved),
        t_last=day.max(where=moved),
        t_orders=t.order_id.nunique(where=bought),
        t_purchases=(bought & (t.kind.isnull() | (t.kind == "purchase"))).sum(),
        t_spend=spent.sum(where=bought & last_year),
        t_products=t.product.nunique(where=bought & last_year),
        t_payroll=((t.kind == "payroll") & recent).fill_null(False).any(),
    )


def _measures(joined: ir.Table, tables: Mapping[str, ir.Table], snapshot: dt.date) -> ir.Table:
    """Turn what each table told into the columns of :data:`MEASURES`."""
    given = joined.columns

    def first_of(*names: str) -> ir.Value:
        """Return the first value that is not null among the columns that exist."""
        there = [joined[name] for name in names if name in given]
        return ibis.coalesce(*there) if there else ibis.null()

    joined_on = first_of("joined_on", "a_opened", "t_first")
    measures: dict[str, ir.Value] = {
        "assets": first_of("assets", "a_assets"),
        "idle_months": first_of("idle_months"),
        "tenure_months": whole_months(joined_on.cast("date"), snapshot),
        "income_12m": first_of("income_12m"),
        "joined_on": joined_on,
        "first_activity": first_of("t_first"),
        "last_activity": first_of("t_last"),
    }
    if "accounts" in tables:
        measures["product_count"] = joined.a_products.fill_null(0)
        measures["is_payroll"] = joined.a_payroll.fill_null(False)
    if "transactions" in tables:
        transactions = tables["transactions"]
        began = transactions.aggregate(began=transactions.occurred_at.min().date())
        joined = joined.cross_join(began)
        # who never moved has been idle since the data begin, or since joining if that is later
        since = ibis.greatest(joined.began, ibis.coalesce(joined_on, joined.began).cast("date"))
        idle = whole_months(ibis.coalesce(joined.t_last, since), snapshot)
        has_orders = "order_id" in transactions.columns
        orders = joined.t_orders if has_orders else joined.t_purchases
        measures["idle_months"] = ibis.coalesce(first_of("idle_months").cast("int64"), idle)
        measures["orders"] = orders.fill_null(0)
        measures["spend_12m"] = joined.t_spend.fill_null(0)
        if "accounts" not in tables:
            measures["product_count"] = joined.t_products.fill_null(0)
        if "kind" in transactions.columns:
            measures["is_payroll"] = joined.t_payroll.fill_null(False)
    attributes = [c for c in given if c not in MEASURES and not c.startswith(("a_", "t_"))]
    return joined.select(
        *attributes,
        **{
            name: measures.get(name, ibis.null()).cast(kind)  # type: ignore[union-attr]
            for name, kind in MEASURES.items()
        },
    )


def completeness(customers: ir.Table) -> pd.DataFrame:
    """Count for how many customers each measure is known.

    Returns
    -------
    DataFrame
        ``measure``, ``customers`` who have a value, ``share`` of all; what the client's tables
        do not tell is known for nobody.
    """
    counted = customers.aggregate(
        n=customers.count(), **{name: customers[name].count() for name in MEASURES}
    ).to_pandas()
    n = int(counted["n"].iloc[0])
    known = [int(counted[name].iloc[0]) for name in MEASURES]
    return pd.DataFrame(
        {
            "measure": [_MEASURE_NAMES[name] for name in MEASURES],
            "customers": known,
            "share": [count / n if n else float("nan") for count in known],
        }
    )


_MEASURE_NAMES = {
    "assets": say("assets"),
    "idle_months": say("months without a movement"),
    "tenure_months": say("months since joining"),
    "orders": say("orders"),
    "spend_12m": say("spend in the last 12 months"),
    "income_12m": say("what the customer earned us in 12 months"),
    "product_count": say("products held or bought"),
    "is_payroll": say("whether paid through us"),
    "joined_on": say("day of joining"),
    "first_activity": say("first movement"),
    "last_activity": say("last movement"),
}
