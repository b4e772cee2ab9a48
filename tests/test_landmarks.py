"""What was known on an earlier day: by hand, by the plainest pandas, and with the future changed.

The random bank below begins on 2 January 2024 and ends on the snapshot, 15 June 2025; its landmark
is 15 December 2024, a day on which December's balances are not known yet.
"""

from __future__ import annotations

import datetime as dt

import ibis
import numpy as np
import pandas as pd
import pytest

from customerlab.contract import TABLES, TYPES
from customerlab.customers import MEASURES, build_customers
from customerlab.landmarks import LASTING, as_of, months_seen
from customerlab.validity.history import look_back

NOT_MOVEMENTS = ["interest", "fee"]
SNAPSHOT, LANDMARK = dt.date(2025, 6, 15), dt.date(2024, 12, 15)
OUTCOMES = ["came_back", "assets_after", "spend_after"]
CASTS = {
    "customers": {"joined_on": "date", "assets": "decimal(18, 4)", "income_12m": "decimal(18, 4)"},
    "accounts": {"opened_on": "date", "closed_on": "date", "balance": "decimal(18, 4)"},
    "balances": {"month": "date", "balance": "decimal(18, 4)"},
    "transactions": {"occurred_at": "timestamp(6)", "amount": "decimal(18, 4)"},
}


def as_tables(con, frames):
    """Put frames into the engine with the types of clean tables."""
    tables = {}
    for name, frame in frames.items():
        table = con.create_table(ibis.util.gen_name(name), frame)
        casts = {c: kind for c, kind in CASTS[name].items() if c in table.columns}
        tables[name] = table.mutate(**{c: table[c].cast(kind) for c, kind in casts.items()})
    return tables


def looked_back(tables, **options):
    options = {"snapshot": SNAPSHOT, "months_back": 6, "not_movements": NOT_MOVEMENTS} | options
    return look_back(tables, keep=lambda table: table.cache(), **options)


def by_customer(table, columns=None):
    frame = table.to_pandas().set_index("customer_id").sort_index()
    return frame if columns is None else frame[[c for c in columns if c != "customer_id"]]


# --- as_of, table by table


@pytest.mark.parametrize("name", [name for name, table in TABLES.items() if table.known_on])
@pytest.mark.parametrize("day", [dt.date(2024, 12, 31), dt.date(2024, 12, 30)], ids=str)
def test_every_table_with_a_day_is_cut_at_it(con, name, day):
    """By hand: the last moment of the day is known, the first of the next is not.

    A month is known when it is over: December on the 31st, not on the 30th.
    """
    known_on = TABLES[name].known_on
    kind = TABLES[name].column(known_on).kind
    next_day = day + dt.timedelta(days=1)
    rows = {
        "timestamp": {f"{day} 23:59:59.999999": True, f"{next_day} 00:00:00": False},
        "date": {f"{day}": True, f"{next_day}": False},
        "month": {"2024-11-01": True, "2024-12-01": day.day == 31, "2025-01-01": False},
    }[kind]
    days = pd.to_datetime(list(rows), format="ISO8601")
    table = con.create_table("t", pd.DataFrame({known_on: days}))
    table = table.mutate(**{known_on: table[known_on].cast(TYPES[kind])})
    kept = set(pd.to_datetime(as_of({name: table}, day)[name][known_on].execute()))
    assert kept == {moment for moment, known in zip(days, rows.values(), strict=True) if known}


def test_what_bears_no_day_stays_and_what_is_of_the_snapshot_goes(con):
    """By hand: one customer and one account, every column of the contract and one more."""
    frames = {}
    for name in LASTING:
        row = {c.name: [None] for c in TABLES[name].columns} | {"own_column": ["x"]}
        kinds = {c.name: TYPES[c.kind] for c in TABLES[name].columns} | {"own_column": "string"}
        given = {
            "text": "x",
            "date": dt.date(2020, 1, 1),
            "amount": 5.0,
            "integer": 5,
            "boolean": True,
        }
        row |= {c.name: [given[c.kind]] for c in TABLES[name].columns}
        row[TABLES[name].known_on] = [None]
        table = con.create_table(name, pd.DataFrame(row), schema=ibis.schema(kinds))
        frames[name] = (table, as_of({name: table}, LANDMARK)[name])
    for name, (before, after) in frames.items():
        assert after.schema() == before.schema()
        line, was = after.to_pandas().iloc[0], before.to_pandas().iloc[0]
        gone = {c for c in after.columns if pd.isna(line[c]) and not pd.isna(was[c])}
        expected = {
            "customers": {"income_12m", "assets", "idle_months", "own_column"},
            "accounts": {"balance", "is_payroll", "own_column"},
        }
        assert gone == expected[name]


def test_a_table_without_a_day_stays_as_it_is(con):
    table = con.create_table("p", pd.DataFrame({"product": ["card"], "margin": [0.2]}))
    assert as_of({"products": table}, LANDMARK)["products"].to_pandas().equals(table.to_pandas())


def test_prepared_tables_know_no_calendar_and_are_left_out(con):
    frame = pd.DataFrame({"customer_id": ["a"]})
    names = ["customers", "durations", "survey", "experiment"]
    assert set(names) <= set(TABLES)
    tables = {name: con.create_table(ibis.util.gen_name(name), frame) for name in names}
    assert set(as_of(tables, LANDMARK)) == {"customers"}


# --- how far back the data show


@pytest.mark.parametrize(
    ("first", "day", "months"),
    [
        ("2024-01-01", "2024-12-31", 12),
        ("2024-01-01", "2024-12-30", 11),  # December is not over
        ("2024-01-02", "2024-12-31", 11),  # January is not whole
        ("2024-02-01", "2024-02-29", 1),
        ("2024-02-01", "2024-02-28", 0),  # a leap year
        ("2023-02-01", "2023-02-28", 1),
        ("2024-01-16", "2024-02-15", 1),
        ("2024-01-16", "2024-02-14", 0),
        ("2024-03-31", "2024-04-30", 1),
        ("2024-12-31", "2024-12-31", 0),
        ("2025-01-01", "2024-12-31", 0),
    ],
)
def test_months_of_data_by_hand(con, first, day, months):
    frame = pd.DataFrame({"occurred_at": pd.to_datetime([first, "2026-01-01"])})
    assert months_seen(con.create_table("t", frame), dt.date.fromisoformat(day)) == months


def test_no_transactions_show_no_months(con):
    frame = pd.DataFrame({"occurred_at": pd.to_datetime([])})
    assert months_seen(con.create_table("t", frame), LANDMARK) == 0


def test_who_never_moved_is_idle_for_as_long_as_the_data_show(con):
    """Oracle: how often pandas can add a month to the day before the data begin."""
    rng = np.random.default_rng(4)
    for _ in range(8):
        first = dt.date(2023, 12, 1) + dt.timedelta(days=int(rng.integers(0, 400)))
        day = first + dt.timedelta(days=int(rng.integers(0, 500)))
        if rng.random() < 0.5:  # the ends of months are where it goes wrong
            day = (pd.Timestamp(day) + pd.offsets.MonthEnd(0)).date()
        eve = pd.Timestamp(first) - pd.Timedelta(days=1)
        whole = max(k for k in range(60) if eve + pd.DateOffset(months=k) <= pd.Timestamp(day))
        frames = {
            "customers": pd.DataFrame(
                {"customer_id": ["a", "new"], "joined_on": [pd.Timestamp("2020-01-31"), day]}
            ),
            "transactions": pd.DataFrame(
                {"customer_id": ["b"], "occurred_at": [pd.Timestamp(first)], "amount": [1.0]}
            ),
        }
        frames["customers"]["joined_on"] = pd.to_datetime(frames["customers"]["joined_on"])
        tables = as_tables(con, frames)
        assert months_seen(tables["transactions"], day) == whole, (first, day)
        built = by_customer(build_customers(tables, snapshot=day, not_movements=[]))
        assert built.idle_months["a"] == whole, (first, day)
        assert built.idle_months["new"] == 0


# --- looking back, by hand


@pytest.fixture
def hand_made(con):
    """Return a bank of nine customers; its data begin on 1 January 2024."""
    customers = {
        "moves": "2020-01-01",
        "gets interest": "2020-01-01",
        "wakes": "2020-01-01",
        "buys at midnight": "2024-12-31",
        "returns goods": "2020-01-01",
        "closes": "2020-01-01",
        "joins later": "2025-01-01",
        "undated": None,
        "dated by an account": None,
    }
    accounts = {name: "2020-01-01" for name in customers if name != "undated"}
    accounts |= {"buys at midnight": "2024-12-31", "joins later": "2025-01-01"}
    moves = [
        ("moves", "2024-01-01 08:00", "deposit", 500),
        ("moves", "2024-12-31 23:59:59", "purchase", -40),
        ("moves", "2025-02-01 12:00", "purchase", -30),
        ("moves", "2025-06-30 23:00", "purchase", -7),
        ("gets interest", "2024-03-10 12:00", "deposit", 10),
        ("gets interest", "2025-03-31 00:00", "interest", 1),
        ("gets interest", "2025-04-30 00:00", "fee", -1),
        ("wakes", "2025-01-01 00:00", "withdrawal", -5),
        ("buys at midnight", "2025-01-01 00:00", "purchase", -9),
        ("returns goods", "2025-02-02 10:00", "refund", 4),
        ("joins later", "2025-01-02 10:00", "purchase", -8),
        ("undated", "2025-01-03 10:00", "purchase", -6),
    ]
    held = {"2024-11-01": 100.0, "2024-12-01": 110.0, "2025-01-01": 120.0, "2025-06-01": 130.0}
    balances = [
        (name, pd.Timestamp(month), amount)
        for name in accounts
        for month, amount in held.items()
        if month >= accounts[name][:7]
    ]
    frames = {
        "customers": pd.DataFrame(
            {"customer_id": list(customers), "joined_on": pd.to_datetime(list(customers.values()))}
        ).assign(assets=1.0, idle_months=77, income_12m=9.0, segment="gold"),
        "accounts": pd.DataFrame(
            {
                "account_id": list(accounts),
                "customer_id": list(accounts),
                "opened_on": pd.to_datetime(list(accounts.values())),
                "closed_on": [
                    pd.Timestamp("2025-03-01") if name == "closes" else pd.NaT for name in accounts
                ],
            }
        ),
        "balances": pd.DataFrame(balances, columns=["account_id", "month", "balance"]),
        "transactions": pd.DataFrame(
            moves, columns=["customer_id", "occurred_at", "kind", "amount"]
        ).astype({"amount": float}),
    }
    moments = pd.to_datetime(frames["transactions"]["occurred_at"], format="ISO8601")
    frames["transactions"]["occurred_at"] = moments
    return as_tables(con, frames)


def test_a_past_by_hand(hand_made):
    found = looked_back(hand_made, snapshot=dt.date(2025, 6, 30))
    assert (found.landmark, found.until) == (dt.date(2024, 12, 31), dt.date(2025, 6, 30))
    assert (found.months, found.months_seen, found.worth) == (6, 12, "assets")
    assert found.undated == 1
    frame = by_customer(found.customers)
    expected = pd.DataFrame(
        # idle for, assets then, came back, spend later, assets later
        {
            "moves": [0, 110, True, 37, 130],
            "gets interest": [9, 110, False, 0, 130],
            "wakes": [12, 110, True, 0, 130],
            "buys at midnight": [0, 110, True, 9, 130],
            "returns goods": [12, 110, True, -4, 130],
            "closes": [12, 110, False, 0, 0],
            "dated by an account": [12, 110, False, 0, 130],
        },
        index=["idle_months", "assets", "came_back", "spend_after", "assets_after"],
    ).T
    assert set(frame.index) == set(expected.index)
    for column in expected:
        got = frame.loc[expected.index, column].astype(float).tolist()
        assert got == expected[column].astype(float).tolist(), column
    # the snapshot's own assets, idle months, income and segment are of no earlier day
    assert frame.segment.isna().all() and frame.income_12m.isna().all()
    assert float(frame.spend_12m["moves"]) == 40  # not what came after


def test_who_is_watched_for_shorter_is_judged_by_less(hand_made):
    found = looked_back(hand_made, snapshot=dt.date(2025, 6, 30), months=1)
    assert (found.until, found.months) == (dt.date(2025, 1, 31), 1)
    frame = by_customer(found.customers)
    back = set(frame.index[frame.came_back])
    assert back == {"wakes", "buys at midnight"}
    assert float(frame.spend_after.astype(float).sum()) == 9
    assert float(frame.assets_after["closes"]) == 120  # not closed yet


def test_what_shows_no_past_gives_none(con, hand_made):
    assert looked_back({k: t for k, t in hand_made.items() if k != "transactions"}) is None
    # twelve months back lies the eve of the data
    assert looked_back(hand_made, snapshot=dt.date(2025, 6, 30), months_back=18) is None
    assert looked_back(hand_made, snapshot=dt.date(2025, 6, 30), months_back=17).months_seen == 1


def test_without_balances_spend_is_the_worth_and_nothing_is_known_of_assets(hand_made):
    tables = {k: t for k, t in hand_made.items() if k != "balances"}
    # the accounts carry the balance of the snapshot: it is of no earlier day
    tables["accounts"] = tables["accounts"].mutate(
        balance=ibis.literal("500").cast("decimal(18, 4)")
    )
    found = looked_back(tables, snapshot=dt.date(2025, 6, 30))
    frame = by_customer(found.customers)
    assert found.worth == "spend_12m"
    assert frame.loc[frame.index != "closes", "assets"].isna().all()
    assert frame.assets_after.isna().all()
    assert float(frame.spend_after["moves"]) == 37


def test_where_nobody_was_known_there_is_no_past(hand_made):
    """The data go back far enough, and everybody joined later, or on a day that nothing tells."""
    later = ibis.date("2025-01-01")
    tables = hand_made | {
        "customers": hand_made["customers"].mutate(joined_on=later),
        "accounts": hand_made["accounts"].mutate(opened_on=later),
    }
    assert looked_back(tables, snapshot=dt.date(2025, 6, 30)) is None
    nothing = {k: t for k, t in hand_made.items() if k in ("customers", "transactions")}
    nothing["customers"] = nothing["customers"].mutate(joined_on=ibis.null("date"))
    nothing["transactions"] = nothing["transactions"].mutate(customer_id=ibis.literal("another"))
    assert looked_back(nothing, snapshot=dt.date(2025, 6, 30)) is None


@pytest.mark.parametrize(("known", "worth"), [(0, "spend_12m"), (3, "spend_12m"), (4, "assets")])
def test_assets_are_the_worth_where_half_of_the_customers_have_them(hand_made, known, worth):
    """By hand: of seven customers four are half of them, three are not."""
    owners = ["moves", "gets interest", "wakes", "returns goods"][:known]
    tables = hand_made | {
        name: hand_made[name].filter(hand_made[name].account_id.isin(owners))
        for name in ("accounts", "balances")
    }
    # whose account is gone is dated by the customers table
    tables["customers"] = tables["customers"].mutate(
        joined_on=(tables["customers"].customer_id == "dated by an account").ifelse(
            ibis.date("2020-01-01"), tables["customers"].joined_on
        )
    )
    found = looked_back(tables, snapshot=dt.date(2025, 6, 30))
    frame = by_customer(found.customers)
    assert len(frame) == 7 and frame.assets.notna().sum() == known
    assert found.worth == worth


# --- looking back, by plain pandas, and with rows changed at random


@pytest.fixture
def bank():
    """Return frames of a random bank, its columns of the snapshot among them."""
    rng = np.random.default_rng(11)
    n = 80
    ids = [f"c{i:02d}" for i in range(n)]
    start, days = pd.Timestamp("2024-01-02"), (pd.Timestamp(SNAPSHOT) - pd.Timestamp("2024-01-02"))
    customers = pd.DataFrame(
        {
            "customer_id": ids,
            "joined_on": pd.Timestamp("2022-01-01")
            + pd.to_timedelta(rng.integers(0, 1200, n), "D"),
            "region": rng.choice(["east", "west"], n),
            "assets": rng.integers(0, 999, n).astype(float),
            "income_12m": rng.integers(0, 99, n).astype(float),
            "idle_months": rng.integers(0, 30, n),
            "score": rng.random(n),
        }
    )
    customers.loc[rng.random(n) < 0.2, "joined_on"] = pd.NaT
    m = 130
    accounts = pd.DataFrame(
        {
            "account_id": [f"a{i:03d}" for i in range(m)],
            "customer_id": rng.choice(ids[:70], m),
            "product": rng.choice(["current", "savings"], m),
            "opened_on": pd.Timestamp("2022-01-01")
            + pd.to_timedelta(rng.integers(0, 1250, m), "D"),
            "closed_on": pd.NaT,
            "is_payroll": rng.random(m) < 0.3,
            "rate": rng.random(m),
        }
    )
    gone = rng.random(m) < 0.3
    closed = accounts.opened_on + pd.to_timedelta(rng.integers(1, 600, m), "D")
    accounts["closed_on"] = closed.where(gone & (closed <= pd.Timestamp(SNAPSHOT)))
    months = pd.DataFrame({"month": pd.date_range("2024-10-01", "2025-05-01", freq="MS")})
    balances = accounts[["account_id", "opened_on"]].merge(months, how="cross")
    balances = balances[balances.month + pd.offsets.MonthEnd(0) >= balances.opened_on]
    balances = balances.drop(columns="opened_on").reset_index(drop=True)
    balances["balance"] = rng.integers(0, 10**5, len(balances)) / 100
    k = 500
    moves = pd.DataFrame(
        {
            "customer_id": rng.choice(ids[:60], k),
            "occurred_at": start + pd.to_timedelta(rng.integers(0, days.days * 86_400, k), "s"),
            "kind": rng.choice(["deposit", "payroll", "purchase", "refund", "interest", "fee"], k),
            "amount": rng.integers(-(10**4), 10**4, k) / 100,
        }
    )
    moves.loc[0, "occurred_at"] = start
    return {
        "customers": customers,
        "accounts": accounts,
        "balances": balances,
        "transactions": moves,
    }


def held_on(frames, day: dt.date) -> pd.Series:
    """Return what each customer's open accounts held at the last end of a month up to a day."""
    a, b, end = frames["accounts"], frames["balances"], pd.Timestamp(day)
    a = a[a.opened_on.isna() | (a.opened_on <= end)]
    known = b[b.month + pd.offsets.MonthEnd(0) <= end].sort_values("month")
    latest = known.groupby("account_id").balance.last()
    is_open = a.closed_on.isna() | (a.closed_on > end)
    held = a.account_id.map(latest).where(is_open, 0)
    return held.groupby(a.customer_id).sum(min_count=1)


def test_a_random_past_is_that_of_plain_pandas(con, bank):
    found = looked_back(as_tables(con, bank))
    frame = by_customer(found.customers)
    end, last = pd.Timestamp(LANDMARK), pd.Timestamp(SNAPSHOT)
    t, a = bank["transactions"], bank["accounts"]
    day = t.occurred_at.dt.normalize()
    then, after = t[day <= end], t[(day > end) & (day <= last)]
    opened = a[a.opened_on <= end].groupby("customer_id").opened_on.min()
    own_then = then[~then.kind.isin(NOT_MOVEMENTS)]
    own_after = after[~after.kind.isin(NOT_MOVEMENTS)]
    first = own_then.groupby("customer_id").occurred_at.min()
    held, held_later = held_on(bank, LANDMARK), held_on(bank, SNAPSHOT)
    eve = day.min() - pd.Timedelta(days=1)
    expected, undated = {}, 0
    for line in bank["customers"].itertuples():
        who = line.customer_id
        if not pd.isna(line.joined_on) and line.joined_on > end:
            continue
        joined = line.joined_on
        joined = opened.get(who, pd.NaT) if pd.isna(joined) else joined
        joined = first.get(who, pd.NaT) if pd.isna(joined) else joined
        if pd.isna(joined):
            undated += 1
            continue
        moved = own_then[own_then.customer_id == who].occurred_at.dt.normalize().max()
        since = max(eve, joined.normalize()) if pd.isna(moved) else moved
        idle = max(k for k in range(99) if since + pd.DateOffset(months=k) <= end)
        bought = after[(after.customer_id == who) & after.kind.isin(["purchase", "refund"])]
        signs = bought.kind.map({"purchase": 1, "refund": -1})
        expected[who] = {
            "assets": held.get(who, np.nan),
            "idle_months": idle,
            "came_back": who in set(own_after.customer_id),
            "assets_after": held_later.get(who, 0.0),
            "spend_after": (bought.amount.abs() * signs).sum(),
        }
    expected = pd.DataFrame(expected).T.astype(float).sort_index()
    assert undated > 0 and found.undated == undated
    pd.testing.assert_frame_equal(
        frame[expected.columns].astype(float),
        expected,
        check_names=False,
        check_exact=False,
        rtol=0,
        atol=1e-9,
    )


def with_another_future(frames, rng):
    """Return the bank with everything changed, added or gone that the landmark could not know."""
    end = pd.Timestamp(LANDMARK)
    c, a, b, t = (
        frames[name].copy() for name in ("customers", "accounts", "balances", "transactions")
    )
    n = len(c)
    c = c.assign(assets=rng.random(n), income_12m=rng.random(n), score=rng.random(n))
    c["idle_months"] = rng.integers(0, 40, n)
    later = c.joined_on > end
    c.loc[later, "region"] = "north"
    c = c[~(later & (rng.random(n) < 0.5))]
    a["is_payroll"], a["rate"] = rng.random(len(a)) < 0.5, rng.random(len(a))
    open_then = a.closed_on.isna() | (a.closed_on > end)
    closing = end + pd.to_timedelta(rng.integers(1, 170, len(a)), "D")
    a["closed_on"] = a.closed_on.where(~open_then, closing.where(rng.random(len(a)) < 0.5))
    a = a[(a.opened_on <= end) | (rng.random(len(a)) < 0.5)]
    known = b.month + pd.offsets.MonthEnd(0) <= end
    b.loc[~known, "balance"] = rng.integers(0, 10**6, (~known).sum()) / 100
    b = b[known | (rng.random(len(b)) < 0.7)]
    t = pd.concat([t, t.assign(occurred_at=end + pd.Timedelta(days=1))[:50]], ignore_index=True)
    after = t.occurred_at.dt.normalize() > end
    for column in ("customer_id", "kind"):
        t.loc[after, column] = rng.permutation(t.loc[after, column])
    t.loc[after, "amount"] = rng.integers(-9999, 9999, after.sum()) / 7
    moved = end + pd.to_timedelta(rng.integers(86_400, 180 * 86_400, after.sum()), "s")
    t.loc[after, "occurred_at"] = moved
    t = t[~after | (rng.random(len(t)) < 0.8)]
    return {"customers": c, "accounts": a, "balances": b, "transactions": t}


def test_no_change_of_the_future_changes_what_a_rule_sees(con, bank):
    """Oracle: the same landmark with the data as they were. Outcomes must change, or it is idle."""
    rng = np.random.default_rng(5)
    before = looked_back(as_tables(con, bank))
    seen = [c for c in before.customers.columns if c not in OUTCOMES]
    assert set(MEASURES) < set(seen) and "region" in seen
    was = by_customer(before.customers)
    for _ in range(2):
        after = looked_back(as_tables(con, with_another_future(bank, rng)))
        now = by_customer(after.customers)
        pd.testing.assert_frame_equal(now[seen[1:]], was[seen[1:]], check_exact=True)
        assert (after.months_seen, after.undated, after.worth) == (
            before.months_seen,
            before.undated,
            before.worth,
        )
        for outcome in OUTCOMES:
            assert not now[outcome].equals(was[outcome])


def test_no_change_of_the_past_changes_what_followed(con, bank):
    """Oracle: the same bank with the data as they were; balances before the landmark and all."""
    rng = np.random.default_rng(6)
    was = by_customer(looked_back(as_tables(con, bank)).customers)
    end = pd.Timestamp(LANDMARK)
    for _ in range(2):
        frames = {name: frame.copy() for name, frame in bank.items()}
        t, b = frames["transactions"], frames["balances"]
        early = (t.occurred_at.dt.normalize() <= end) & (t.index > 0)
        for column in ("kind", "occurred_at"):
            t.loc[early, column] = rng.permutation(t.loc[early, column])
        t.loc[early, "amount"] = rng.integers(-9999, 9999, early.sum()) / 7
        frames["transactions"] = t[~early | (rng.random(len(t)) < 0.8)]
        known = b.month + pd.offsets.MonthEnd(0) <= end
        b.loc[known, "balance"] = rng.integers(0, 10**6, known.sum()) / 100
        frames["accounts"]["product"] = "other"
        now = by_customer(looked_back(as_tables(con, frames)).customers)
        both = now.index.intersection(was.index)
        assert len(both) > 40
        pd.testing.assert_frame_equal(
            now.loc[both, OUTCOMES], was.loc[both, OUTCOMES], check_exact=True
        )
        for column in ("assets", "idle_months", "spend_12m"):
            assert not now.loc[both, column].equals(was.loc[both, column])
