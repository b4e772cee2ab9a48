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
from customerlab.findings import Check
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

#: Columns of the transactions that tell something of a customer here.
_READ = ("customer_id", "occurred_at", "amount", "kind", "order_id", "product")

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
    t = _with_columns(transactions, "transactions", "kind")
    return t.filter(_is_movement(t.kind, not_movements))


def own_movements(tables: Mapping[str, ir.Table], not_movements: Sequence[str]) -> ir.Table | None:
    """Return :func:`movements` of a client, None of one without transactions."""
    if "transactions" not in tables:
        return None
    return movements(tables["transactions"], not_movements)


def movement_days(movements: ir.Table, *, snapshot: dt.date) -> ir.Table:
    """Return the days on which each customer moved, up to the snapshot.

    Parameters
    ----------
    movements : table
        ``customer_id`` and ``occurred_at``. What this returned is returned as it is, so that who
        asks for it several times may work it out once.

    Returns
    -------
    table
        ``customer_id``, ``day`` and ``next_day``, null for the last.
    """
    if "next_day" in movements.columns:
        return movements
    days = movements.select("customer_id", day=movements.occurred_at.date())
    days = days.filter(days.day <= snapshot).distinct()
    order = ibis.window(group_by="customer_id", order_by="day")
    return days.mutate(next_day=days.day.lead().over(order))


def _is_movement(kind: ir.StringValue, not_movements: Sequence[str]) -> ir.BooleanValue:
    return kind.notin(list(not_movements)) | kind.isnull()


def activity(transactions: ir.Table, not_movements: Sequence[str]) -> ir.Table:
    """Return ``customer_id``, ``moved`` and ``spent`` of each transaction.

    ``moved`` tells whether it is the customer's own movement, ``spent`` is the amount of a
    purchase, negative for a refund, and null for anything else.
    """
    t = _with_columns(transactions, "transactions", "kind")
    return t.select(
        "customer_id",
        moved=_is_movement(t.kind, not_movements),
        spent=_bought(t.kind).ifelse(_spent(t), ibis.null("decimal(18, 4)")),
    )


def _bought(kind: ir.StringValue) -> ir.BooleanValue:
    return kind.isin(["purchase", "refund"]) | kind.isnull()


def _spent(t: ir.Table) -> ir.DecimalValue:
    # a bank books a card payment as money out, a shop as money in; without a kind it is a shop
    return ibis.cases(
        (t.kind == "purchase", t.amount.abs()),
        (t.kind == "refund", -t.amount.abs()),
        else_=t.amount,
    )


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
        ``customer_id``, the columns of :data:`MEASURES`, and every declared attribute; a measure
        that the customers table carries is taken as it is there.
        ``assets``: declared; or the latest month's balance of each open account, summed; or the
        accounts' balance. ``idle_months``: declared; or complete months since any account of the
        customer moved, and for one who never moved in the data since the day before the data begin
        or the customer joined, whichever is later. ``tenure_months``: complete months since
        joining. ``orders``: distinct orders. ``spend_12m``: purchases less refunds of the last 12
        months. ``product_count``: distinct products among open accounts, or bought in the last 12
        months. ``is_payroll``: an open account declared as such, or a payroll credit in the last 3
        months.

    Raises
    ------
    CustomerlabError
        When no table names customers.
    """
    named = [name for name in ("customers", "accounts", "transactions") if name in tables]
    if "transactions" in tables:
        # they are read twice below, and an engine may keep what it reads: only what is needed
        t = tables["transactions"]
        kept = [column for column in _READ if column in t.columns]
        tables = {**tables, "transactions": t.select(*kept)}
    if not named:
        raise CustomerlabError("no customers: give customers, accounts or transactions")
    base = tables.get("customers", _everyone_in([tables[name] for name in named]))
    parts = []
    if "accounts" in tables:
        parts.append(_from_accounts(tables["accounts"], tables.get("balances"), snapshot))
    if "transactions" in tables:
        parts.append(_from_transactions(tables["transactions"], snapshot, not_movements))
    joined = reduce(_left_join, parts, base)
    return _measures(joined, tables, snapshot)


def _everyone_in(tables: Sequence[ir.Table]) -> ir.Table:
    """Return the customers that any of the tables names."""
    return reduce(lambda a, b: a.union(b), (t.select("customer_id") for t in tables)).distinct()


def _with_columns(table: ir.Table, name: str, columns: str) -> ir.Table:
    """Add the named columns of a canonical table that the client did not give, as nulls."""
    absent = [column for column in columns.split() if column not in table.columns]
    return table.mutate(
        **{column: ibis.null(TYPES[TABLES[name].column(column).kind]) for column in absent}
    )


def _left_join(left: ir.Table, right: ir.Table) -> ir.Table:
    return left.left_join(right, "customer_id").drop("customer_id_right")


def open_balances(accounts: ir.Table, balances: ir.Table | None, snapshot: dt.date) -> ir.Table:
    """Return the accounts with what each one holds at the snapshot.

    Parameters
    ----------
    accounts : table
        The clean canonical table.
    balances : table or None
        The clean canonical table; where it is there, nothing but it tells a balance.
    snapshot : date
        The last day that is known.

    Returns
    -------
    table
        One row per account: the columns of `accounts`, ``is_open`` (boolean) and ``balance`` (in
        the client's currency): of an open account the latest month's balance, or the one that
        `accounts` carries where there is no table of balances; 0 of a closed one, whatever its
        last balance was; null where it is not known.
    """
    held = _with_columns(accounts, "accounts", "closed_on balance")
    held = held.mutate(is_open=held.closed_on.isnull() | (held.closed_on > snapshot))
    if balances is not None:
        latest = balances.group_by("account_id").aggregate(
            latest=balances.balance.argmax(balances.month)
        )
        joined = held.left_join(latest, "account_id")
        held = joined.mutate(balance=joined.latest).select(*held.columns)
    # a closed account holds nothing, whatever its last balance was
    worth = held.is_open.ifelse(held.balance, ibis.literal(0).cast("decimal(18, 4)"))
    return held.mutate(balance=worth)


def _from_accounts(accounts: ir.Table, balances: ir.Table | None, snapshot: dt.date) -> ir.Table:
    """Return what the accounts tell of each customer, in columns that begin with ``_a_``."""
    accounts = _with_columns(accounts, "accounts", "opened_on product is_payroll")
    held = open_balances(accounts, balances, snapshot)
    return held.group_by("customer_id").aggregate(
        _a_assets=held.balance.sum(),
        _a_products=held.product.nunique(where=held.is_open),
        _a_payroll=(held.is_payroll & held.is_open).any(),
        _a_opened=held.opened_on.min(),
    )


def _from_transactions(
    transactions: ir.Table, snapshot: dt.date, not_movements: Sequence[str]
) -> ir.Table:
    """Return what the transactions tell of each customer, in columns that begin with ``_t_``."""
    t = _with_columns(transactions, "transactions", "kind order_id product")
    day = t.occurred_at.date()
    moved = _is_movement(t.kind, not_movements)
    bought, spent = _bought(t.kind), _spent(t)
    last_year = day > months_before(snapshot, 12)
    recent = day > months_before(snapshot, PAYROLL_MONTHS)
    orders = (
        t.order_id.nunique(where=bought)
        if "order_id" in transactions.columns
        else (bought & (t.kind.isnull() | (t.kind == "purchase"))).sum()
    )
    paid = (t.kind == "payroll") & recent
    return t.group_by("customer_id").aggregate(
        _t_first=day.min(where=moved),
        _t_last=day.max(where=moved),
        _t_orders=orders,
        _t_spend=spent.sum(where=bought & last_year),
        _t_products=t.product.nunique(where=bought & last_year),
        # without kinds nobody can tell a payroll credit
        _t_payroll=paid.fill_null(False).any()
        if "kind" in transactions.columns
        else ibis.null("boolean"),
    )


def _measures(joined: ir.Table, tables: Mapping[str, ir.Table], snapshot: dt.date) -> ir.Table:
    """Turn what each table told into the columns of :data:`MEASURES`.

    What the client declares comes before what we compute.
    """
    given = joined.columns

    def first_of(*names: str) -> ir.Value:
        """Return the first value that is not null among the columns that exist."""
        there = [joined[name] for name in names if name in given]
        return ibis.coalesce(*there) if there else ibis.null()

    joined_on = first_of("joined_on", "_a_opened", "_t_first").cast("date")
    measures = {
        "assets": first_of("_a_assets"),
        "tenure_months": whole_months(joined_on, snapshot),
        "joined_on": joined_on,
        "first_activity": first_of("_t_first"),
        "last_activity": first_of("_t_last"),
        "orders": first_of("_t_orders"),
        "spend_12m": first_of("_t_spend"),
        "product_count": first_of("_a_products", "_t_products"),
        "is_payroll": first_of("_a_payroll", "_t_payroll"),
    }
    if "transactions" in tables:
        began = tables["transactions"].occurred_at.min().date()
        joined = joined.cross_join(tables["transactions"].aggregate(_began=began))
        # who never moved did so last before the data begin, or joined later than that
        eve = (joined["_began"] - ibis.interval(days=1)).cast("date")
        since = ibis.greatest(eve, ibis.coalesce(joined_on, eve))
        measures["idle_months"] = whole_months(ibis.coalesce(first_of("_t_last"), since), snapshot)
        nothing = {"orders": 0, "spend_12m": 0}
        measures |= {name: measures[name].fill_null(value) for name, value in nothing.items()}
        if "kind" in tables["transactions"].columns and "accounts" in tables:
            declared, seen = joined["_a_payroll"], joined["_t_payroll"]
            measures["is_payroll"] = declared.fill_null(False) | seen.fill_null(False)
    if "accounts" in tables or "transactions" in tables:
        measures["product_count"] = measures["product_count"].fill_null(0)
    attributes = [c for c in given if c not in MEASURES and not c.startswith(("_a_", "_t_"))]
    return joined.select(
        *attributes,
        **{
            name: ibis.coalesce(
                first_of(name).try_cast(kind), measures.get(name, ibis.null()).cast(kind)
            )
            for name, kind in MEASURES.items()
        },
    )


def check_balances(tables: Mapping[str, ir.Table], snapshot: dt.date) -> tuple[Check, ...]:
    """Judge whether the balances are as of the snapshot: an older one counts as today's."""
    if not {"accounts", "balances"} <= set(tables):
        return ()
    accounts = _with_columns(tables["accounts"], "accounts", "closed_on")
    is_open = accounts.closed_on.isnull() | (accounts.closed_on > snapshot)
    balances = tables["balances"]
    last = balances.filter(balances.month == balances.month.max().as_scalar())
    held = accounts.filter(is_open).select("account_id")
    stale = int(held.anti_join(last, "account_id").count().execute())
    total = int(held.count().execute())
    share = stale / total if total else 0.0
    return (
        Check(
            say("Balances are of the last month"),
            share <= MUCH_STALE,
            say(
                "{stale:count} of {total:count} open accounts ({share:percent}) have no balance in "
                "the last month and count with an older one, or with none; up to {limit:percent0} "
                "passes.",
                stale=stale,
                total=total,
                share=share,
                limit=MUCH_STALE,
            ),
        ),
    )


#: Above this share of open accounts without a current balance, assets are not to be trusted.
MUCH_STALE = 0.05


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
