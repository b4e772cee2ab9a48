"""One row per customer, against the plainest pandas on random tables and against hand counts."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import ibis
import numpy as np
import pandas as pd
import pytest
from ibis import _

from customerlab.customers import MEASURES, build_customers, check_balances, completeness, movements
from customerlab.errors import CustomerlabError

SNAPSHOT = dt.date(2025, 12, 31)
RULE = {"snapshot": SNAPSHOT, "not_movements": ["interest", "fee"]}


def as_table(con, name: str, frame: pd.DataFrame, **casts: str):
    """Put a frame into the engine with the types of a clean table."""
    table = con.create_table(name, frame)
    return table.mutate(**{column: table[column].cast(kind) for column, kind in casts.items()})


@pytest.fixture
def bank(con):
    """Return a small random bank, as frames and as tables."""
    rng = np.random.default_rng(7)
    n = 60
    ids = [f"c{i:02d}" for i in range(n)]
    customers = pd.DataFrame({"customer_id": ids, "region": rng.choice(["east", "west"], n)})
    accounts = pd.DataFrame(
        {
            "account_id": [f"a{i:03d}" for i in range(2 * n)],
            "customer_id": rng.choice(ids[:-5], 2 * n),
            "product": rng.choice(["current", "savings", "card"], 2 * n),
            "opened_on": pd.to_datetime("2019-01-15")
            + pd.to_timedelta(rng.integers(0, 1500, 2 * n), "D"),
            "closed_on": [
                pd.Timestamp("2025-06-30") if i % 7 == 0 else pd.NaT for i in range(2 * n)
            ],
        }
    )
    months = pd.to_datetime(["2025-10-01", "2025-11-01", "2025-12-01"])
    balances = accounts[["account_id"]].merge(pd.DataFrame({"month": months}), how="cross")
    balances = balances.sample(frac=0.8, random_state=1).reset_index(drop=True)
    balances["balance"] = rng.integers(0, 10**6, len(balances)) / 100
    moves = pd.DataFrame(
        {
            "customer_id": rng.choice(ids[:-8], 900),
            "occurred_at": pd.Timestamp("2024-01-05")
            + pd.to_timedelta(rng.integers(0, 725 * 86400, 900), "s"),
            "kind": rng.choice(
                ["deposit", "payroll", "purchase", "refund", "interest", "fee"], 900
            ),
            "amount": rng.integers(-(10**5), 10**5, 900) / 100,
        }
    )
    frames = {
        "customers": customers,
        "accounts": accounts,
        "balances": balances,
        "transactions": moves,
    }
    tables = {
        "customers": as_table(con, "customers", customers),
        "accounts": as_table(con, "accounts", accounts, opened_on="date", closed_on="date"),
        "balances": as_table(con, "balances", balances, month="date", balance="decimal(18, 4)"),
        "transactions": as_table(con, "moves", moves, amount="decimal(18, 4)"),
    }
    return frames, tables


def months_since(day: pd.Timestamp) -> int:
    """Whole months to the snapshot, by hand: it is the last day of its month."""
    return (SNAPSHOT.year - day.year) * 12 + SNAPSHOT.month - day.month


def test_a_bank_by_the_plainest_pandas(bank):
    frames, tables = bank
    found = build_customers(tables, **RULE).order_by("customer_id").to_pandas()
    found = found.set_index("customer_id")
    t, a, b = frames["transactions"], frames["accounts"], frames["balances"]
    began = t.occurred_at.min()
    for customer in frames["customers"].customer_id:
        own = t[t.customer_id == customer]
        moved = own[~own.kind.isin(["interest", "fee"])]
        accounts = a[(a.customer_id == customer) & a.closed_on.isna()]
        closed = a[(a.customer_id == customer) & a.closed_on.notna()]
        latest = b.sort_values("month").groupby("account_id").last().balance
        known = [latest.get(account) for account in accounts.account_id]
        known = [Decimal(f"{value:.2f}") for value in known if value is not None]
        row = found.loc[customer]
        if known or len(closed):
            assert row.assets == sum(known, Decimal(0)), customer
        else:
            assert row.assets is None or pd.isna(row.assets), customer
        opened = a[a.customer_id == customer].opened_on.min()
        joined = opened if not pd.isna(opened) else moved.occurred_at.min()
        idle_since = moved.occurred_at.max()
        if pd.isna(idle_since):
            idle_since = max(x for x in (began, joined) if not pd.isna(x))
        assert row.idle_months == months_since(idle_since), customer
        if not pd.isna(joined):
            assert row.tenure_months == months_since(joined), customer
        year = own[own.occurred_at >= "2025-01-01"]
        bought = year[year.kind == "purchase"].amount.abs().sum()
        returned = year[year.kind == "refund"].amount.abs().sum()
        assert float(row.spend_12m) == pytest.approx(bought - returned, abs=1e-9), customer
        assert row.orders == (own.kind == "purchase").sum(), customer
        assert row.product_count == accounts["product"].nunique(), customer
        paid = (own.kind == "payroll") & (own.occurred_at >= "2025-10-01")
        assert row.is_payroll == paid.any(), customer
        assert row.region in {"east", "west"}


def test_measures_are_typed_whatever_the_client_gives(bank):
    _frames, tables = bank
    for given in (
        {"customers"},
        {"transactions"},
        {"accounts"},
        {"customers", "transactions"},
        set(tables),
    ):
        built = build_customers({name: tables[name] for name in given}, **RULE)
        kinds = {name: str(kind) for name, kind in built.schema().items()}
        assert {name: kinds[name] for name in MEASURES} == MEASURES
        assert built.count().execute() == built.customer_id.nunique().execute()


def test_a_shop_without_kinds_counts_distinct_orders_and_net_spend(con):
    frame = pd.DataFrame(
        {
            "customer_id": ["a", "a", "a", "b"],
            "occurred_at": pd.to_datetime(["2025-03-01", "2025-03-01", "2024-12-31", "2025-12-31"]),
            "order_id": ["1", "1", "2", "3"],
            "amount": [10.0, -4.0, 7.0, 1.5],
        }
    )
    table = as_table(con, "shop", frame, amount="decimal(18, 4)")
    found = build_customers({"transactions": table}, **RULE).order_by("customer_id").to_pandas()
    assert found.orders.tolist() == [2, 1]
    assert found.spend_12m.tolist() == [Decimal("6.0000"), Decimal("1.5000")]
    assert found.idle_months.tolist() == [9, 0]
    assert found.is_payroll.isna().all()


def test_what_the_client_declares_is_taken_before_what_we_would_compute(bank):
    _frames, tables = bank
    declared = tables["customers"].mutate(
        assets=ibis.literal("5").cast("decimal(18, 4)"), idle_months=ibis.literal(99)
    )
    found = build_customers(tables | {"customers": declared}, **RULE).to_pandas()
    assert set(found.assets) == {Decimal("5.0000")}
    assert set(found.idle_months) == {99}


def test_attributes_and_measures_of_the_customers_file_are_kept(bank):
    _frames, tables = bank
    declared = tables["customers"].mutate(
        t_score=1, a_class=ibis.literal("x"), orders=ibis.literal("7"), is_payroll=True
    )
    found = build_customers(tables | {"customers": declared}, **RULE).to_pandas()
    assert set(found.t_score) == {1} and set(found.a_class) == {"x"}
    assert set(found.orders) == {7} and found.is_payroll.all()


def test_without_a_customers_table_everyone_who_is_named_counts(con):
    accounts = con.create_table(
        "a", pd.DataFrame({"account_id": ["1"], "customer_id": ["c1"], "is_payroll": [True]})
    )
    moves = pd.DataFrame(
        {"customer_id": ["c2"], "occurred_at": [pd.Timestamp("2025-12-01")], "kind": ["deposit"]}
    )
    moves = as_table(con, "m", moves.assign(amount=1.0), amount="decimal(18, 4)")
    found = build_customers({"accounts": accounts, "transactions": moves}, **RULE).to_pandas()
    assert dict(zip(found.customer_id, found.is_payroll, strict=True)) == {"c1": True, "c2": False}


def test_an_old_balance_fails_the_check(bank):
    _frames, tables = bank
    (check,) = check_balances(tables, SNAPSHOT)  # a fifth of the balances is missing
    assert check.passed is False
    current = tables["balances"].mutate(month=ibis.date(2025, 12, 1))
    (check,) = check_balances(tables | {"balances": current}, SNAPSHOT)
    assert check.passed is True


def test_interest_and_fees_are_no_movements_and_a_missing_kind_is_one(con):
    table = con.create_table("kinds", pd.DataFrame({"kind": ["interest", "deposit", None, "fee"]}))
    kept = movements(table, ["interest", "fee"]).kind.execute().tolist()
    assert kept == ["deposit", None]


def test_completeness_counts_who_has_a_value(bank):
    _frames, tables = bank
    everyone = build_customers({"customers": tables["customers"]}, **RULE)
    known = completeness(everyone)
    assert known.customers.sum() == 0
    known = completeness(everyone.mutate(assets=_.region.length().cast("decimal(38, 4)")))
    assert known.set_index(known.measure.map(str)).customers["assets"] == 60


def test_no_table_that_names_customers_is_refused():
    with pytest.raises(CustomerlabError, match="no customers: give"):
        build_customers({}, **RULE)
