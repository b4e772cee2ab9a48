"""The features that a client's tables give, as they were known when a month began."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import ibis
import ibis.expr.types as ir

from customerlab.calendar_months import month_index
from customerlab.errors import CustomerlabError, nearest
from customerlab.features.names import FEATURES, LASTING, MOVING, ON_REQUEST, band
from customerlab.features.reading import (
    first_complaints,
    join,
    paid_months_of,
    rated_items,
    with_contacts,
    with_holdings,
    with_moves,
    with_pay_ended,
    with_rating,
)


def features_in(tables: Mapping[str, ir.Table]) -> tuple[str, ...]:
    """Return the features that can be built from the tables a client has."""
    have = {name: set(table.columns) for name, table in tables.items()}
    customers, contacts = have.get("customers", set()), have.get("interactions", set())
    held = {"accounts", "balances"} <= set(have)
    there = {
        "tenure_band": True,
        "age_band": "birth_date" in customers,
        "gender": "gender" in customers,
        "region": "region" in customers,
        "payroll": "kind" in have.get("transactions", set()),
        "pay_ended": "kind" in have.get("transactions", set()),
        "complaints": "resolved" in contacts,
        "trouble": {"resolved", "case_id"} <= contacts,
        # a bank's customer moves nearly every day; a shop's tells by it
        "moves": "transactions" in have and "accounts" not in have,
        "products": held,
        "trend": held,
        "balance": held,
        "contacts": bool(contacts),
        "rating": bool(rated_items(tables)),
    }
    return tuple(name for name in FEATURES if there[name])


def choose(features: Sequence[str] | None, tables: Mapping[str, ir.Table]) -> list[str]:
    """Return the features asked for, or those that are used unasked.

    Raises
    ------
    CustomerlabError
        When one is neither to be had from the tables nor a column of customers.
    """
    at_hand = features_in(tables)
    if features is None:
        return [name for name in at_hand if name not in ON_REQUEST]
    own = tables["customers"].columns if "customers" in tables else ()
    for name in features:
        if name not in at_hand and (name not in own or name in FEATURES):
            raise CustomerlabError(
                f"churn_timing.covariates: there is no {name!r} to be had from this client's "
                f"tables; there are {', '.join(at_hand)} and the columns of customers"
                + nearest(name, [*at_hand, *own])
            )
    return list(features)


def with_people(rows: ir.Table, tables: Mapping[str, ir.Table], chosen: Sequence[str]) -> ir.Table:
    """Join what is one value per customer, before the months multiply the rows."""
    if "customers" in tables:
        customers = tables["customers"]
        own = [name for name in chosen if name not in FEATURES or name in LASTING]
        own += ["birth_date"] if "age_band" in chosen else []
        people = customers.select(whose="customer_id", **{name: customers[name] for name in own})
        rows = join(rows, people, [("customer_id", "whose")])
    if "payroll" in chosen:
        paid = paid_months_of(tables)
        first = paid.group_by("whose").aggregate(first_paid=paid.paid.min())
        rows = join(rows, first, [("customer_id", "whose")])
    if {"complaints", "trouble"} & set(chosen):
        first = first_complaints(tables["interactions"])
        rows = join(rows, first, [("customer_id", "whose")])
    return rows


def with_features(
    rows: ir.Table,
    tables: Mapping[str, ir.Table],
    chosen: Sequence[str],
    months: Sequence[int] | None = None,
) -> ir.Table:
    """Add the features as they were known.

    Parameters
    ----------
    rows : table
        ``customer_id``; ``known_index``: the month at whose beginning things were known;
        ``month_index`` and ``tenure`` of the month itself, for what moves on by itself.
    tables : mapping of str to table
    chosen : sequence of str
    months : sequence of int, optional
        All values of ``known_index``, where they are few: then only what tells of them is added up.
    """
    if "payroll" in chosen:
        paid = paid_months_of(tables)
        before = paid.select("whose", following=paid.paid + 1)
        rows = join(rows, before, [("customer_id", "whose"), ("known_index", "following")])
        # of who was here before the data begin, nobody knows in their first month
        here_before = rows.tenure - (rows.month_index - rows.known_index) > 0
        began = month_index(tables["transactions"].occurred_at.date()).min().as_scalar()
        state = ibis.cases(
            (~rows.following.isnull(), "running"),
            (rows.first_paid < rows.known_index, "moved"),
            (here_before & (rows.known_index <= began), ibis.null("string")),
            else_="none",
        )
        rows = rows.mutate(payroll=state).drop("following")
    if "pay_ended" in chosen:
        rows = with_pay_ended(rows, tables)
    if {"products", "trend", "balance"} & set(chosen):
        rows = with_holdings(rows, tables, chosen, months)
    if "moves" in chosen:
        rows = with_moves(rows, tables["transactions"], months)
    if "contacts" in chosen:
        rows = with_contacts(rows, tables["interactions"])
    if "rating" in chosen:
        rows = with_rating(rows, tables)
    steps: dict[str, ir.Value] = {}
    if "complaints" in chosen:
        steps["complaints"] = ibis.cases(
            (rows.second_complaint < rows.known_index, "2+"),
            (rows.first_complaint < rows.known_index, "1"),
            else_="0",
        )
    if "trouble" in chosen:
        steps["trouble"] = ibis.cases(
            (rows.same_case < rows.known_index, "same case"),
            (rows.second_complaint < rows.known_index, "other case"),
            (rows.first_complaint < rows.known_index, "once"),
            else_="none",
        )
    if "age_band" in chosen:
        born = rows.birth_date
        # a month of age is complete on the day of the month of birth; a landmark is a first
        age = rows.month_index - month_index(born) - (born.day() > 1).cast("int64")
        steps["age_months"] = ((age >= 0) & (age < 12 * 120)).ifelse(age, None)
    rows = rows.mutate(**steps)
    bands = {
        name: band(rows[months], limits)
        for name, (months, limits) in MOVING.items()
        if name in chosen
    }
    return rows.mutate(**bands)
