"""Accounts, splits, preferences and the waking of the dormant: by hand and by plain pandas."""

from __future__ import annotations

import datetime as dt
import hashlib
import math
import re
import warnings
from dataclasses import replace
from decimal import Decimal

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd
import pytest
from ibis.config import Config
from scipy import stats

from customerlab.customers import build_customers, open_balances
from customerlab.errors import CustomerlabError
from customerlab.layers.accounts import (
    account_sums,
    count_accounts,
    describe_accounts,
    total_accounts,
)
from customerlab.layers.preferences import index_interval, prefer, preference_sums
from customerlab.layers.splits import split_sums, split_valid
from customerlab.layers.waking import count_returns, last_seen, propose_waking
from customerlab.layers.waking_answers import describe_waking, mask_returns
from customerlab.lots import count_arms
from customerlab.messages import ENGLISH, Message, Words, say
from customerlab.plots.layers import account_bands, preferences
from customerlab.privacy import HIDDEN, mask_counts, roundest

SNAPSHOT = dt.date(2025, 12, 31)
LANDMARK = dt.date(2025, 6, 30)
BANDS = [100, 1000, 10_000]
BAND_NAMES = ["up to 100", "100 to 1,000", "1,000 to 10,000", "above 10,000"]


def as_table(con, name: str, frame: pd.DataFrame, **casts: str):
    """Put a frame into the engine with the types of a clean table."""
    table = con.create_table(name, frame, overwrite=True)
    return table.mutate(**{column: table[column].cast(kind) for column, kind in casts.items()})


# --- accounts


@pytest.fixture
def bank(con):
    """Return 300 random accounts of 100 customers, as frames and as tables."""
    rng = np.random.default_rng(5)
    n = 300
    accounts = pd.DataFrame(
        {
            "account_id": [f"a{i}" for i in range(n)],
            "customer_id": [f"c{i}" for i in rng.integers(0, 100, n)],
            "balance": rng.choice([50.0, 100.0, 100.01, 5000.0], n),
            "closed_on": [[pd.NaT, pd.Timestamp("2025-05-01")][i % 9 == 0] for i in range(n)],
        }
    )
    # closed after the snapshot: still open at it
    accounts.loc[1, "closed_on"] = pd.Timestamp("2026-02-01")
    accounts.loc[2:8, "closed_on"] = pd.Timestamp(SNAPSHOT)  # no longer open at the end of it
    months = pd.DataFrame({"month": pd.to_datetime(["2025-10-01", "2025-11-01", "2025-12-01"])})
    balances = accounts[["account_id"]].merge(months, how="cross").sample(frac=0.5, random_state=1)
    sizes = [-20.0, 0.0, 100.0, 100.01, 999.99, 1000.0, 20_000.0]
    balances = balances.assign(balance=rng.choice(sizes, len(balances)))
    frames = {"accounts": accounts, "balances": balances}
    tables = {
        "accounts": as_table(con, "a", accounts, balance="decimal(18, 4)", closed_on="date"),
        "balances": as_table(con, "b", balances, balance="decimal(18, 4)", month="date"),
    }
    return frames, tables


def by_hand_held(frames: dict[str, pd.DataFrame], *, with_balances: bool = True) -> pd.DataFrame:
    """Return the open accounts with their balance and their customer's assets."""
    accounts = frames["accounts"]
    is_open = accounts.closed_on.isna() | (accounts.closed_on > pd.Timestamp(SNAPSHOT))
    if with_balances:
        latest = frames["balances"].sort_values("month").groupby("account_id").balance.last()
        accounts = accounts.assign(balance=accounts.account_id.map(latest))
    worth = accounts.balance.where(is_open, 0.0)
    # what is known of a customer; unknown where nothing is
    assets = worth.groupby(accounts.customer_id).sum(min_count=1)
    held = accounts[is_open]
    return held.assign(assets=held.customer_id.map(assets).round(2))


def band_of(amount: float) -> str:
    if math.isnan(amount):
        return "unknown"
    return BAND_NAMES[sum(amount > limit for limit in BANDS)]


@pytest.mark.parametrize("with_balances", [True, False])
def test_accounts_by_band_are_those_of_plain_pandas(bank, with_balances):
    frames, tables = bank
    balances = tables["balances"] if with_balances else None
    given = tables if with_balances else {"accounts": tables["accounts"]}
    people = build_customers(given, snapshot=SNAPSHOT, not_movements=[])
    found = count_accounts(tables["accounts"], balances, people, snapshot=SNAPSHOT, bands=BANDS)
    held = by_hand_held(frames, with_balances=with_balances)
    expected = held.groupby([held.balance.map(band_of), held.assets.map(band_of)])
    there = {}
    for line in found.itertuples():
        there[str(line.account_band), str(line.customer_band)] = (line.accounts, line.customers)
    for key, group in expected:
        assert there.pop(key) == (len(group), group.customer_id.nunique()), key
    assert set(there.values()) <= {(0, 0)}
    assert found.accounts.sum() == len(held)
    unknown = ["unknown"] if with_balances else []
    assert list(dict.fromkeys(map(str, found.account_band))) == BAND_NAMES + unknown


def test_balances_of_accounts_add_up_to_the_assets_of_customers(bank):
    _frames, tables = bank
    people = build_customers(tables, snapshot=SNAPSHOT, not_movements=[]).to_pandas()
    held = open_balances(tables["accounts"], tables["balances"], SNAPSHOT)
    added = held.group_by("customer_id").aggregate(s=held.balance.sum()).to_pandas()
    added = added.set_index("customer_id").s
    for person in people.itertuples():
        own = added[person.customer_id]
        assert own == person.assets or (pd.isna(own) and pd.isna(person.assets))
    assert {"account_id", "balance", "is_open"} <= set(held.columns)
    assert held.count().execute() == len(_frames["accounts"])


def test_accounts_without_balance_or_closing_are_open_and_unknown(con):
    accounts = con.create_table("few", pd.DataFrame({"account_id": ["1"], "customer_id": ["x"]}))
    people = build_customers({"accounts": accounts}, snapshot=SNAPSHOT, not_movements=[])
    found = count_accounts(accounts, None, people, snapshot=SNAPSHOT, bands=[10])
    known = found[found.accounts > 0]
    assert known.map(str).to_numpy().tolist() == [["unknown", "unknown", "1", "1"]]
    assert list(map(str, found.customer_band[:3])) == ["up to 10", "above 10", "unknown"]


@pytest.mark.parametrize("bands", [[], [100, 100], [100, 10]])
def test_bands_that_do_not_ascend_are_refused(bank, bands):
    tables = bank[1]
    with pytest.raises(ValueError, match="ascend"):
        count_accounts(tables["accounts"], None, tables["accounts"], snapshot=SNAPSHOT, bands=bands)


def totals_of(bank, good: float = 10_000):
    _frames, tables = bank
    people = build_customers(tables, snapshot=SNAPSHOT, not_movements=[])
    return total_accounts(
        tables["accounts"], tables["balances"], people, snapshot=SNAPSHOT, low=100, good=good
    )


def test_who_has_just_the_limit_is_not_good(bank):
    held = by_hand_held(bank[0])
    low = held[held.balance <= 100]
    limit = low.assets[low.assets > 1000].min()
    totals = totals_of(bank, float(limit))
    assert totals.low_accounts == len(low) and totals.holders == held.customer_id.nunique()
    good = low[low.assets > limit]
    assert (totals.low_of_good, totals.good_holders) == (len(good), good.customer_id.nunique())
    assert len(good) < (low.assets >= limit).sum()


def test_what_is_said_of_accounts_is_what_pandas_counts(bank):
    totals = totals_of(bank)
    held = by_hand_held(bank[0])
    low = held[held.balance <= 100]
    share = (low.assets > 10_000).mean()
    found, number = describe_accounts(totals, declared=True, min_cell=10)
    assert found.id == "invalid_customers.low_accounts_of_good_customers"
    assert found.value == found.low == found.high == pytest.approx(share, abs=1e-12)
    assert (found.unit, found.n, found.status) == (
        "percent",
        low.customer_id.nunique(),
        "supported",
    )
    assert f"{len(low)} open accounts with at most 100 belong" in str(found.text)
    people = bank[0]["accounts"].customer_id.nunique()
    assert (number.value, number.low, number.high) == (people, None, None)
    assert str(number.text) == (
        f"{people} customer numbers are declared, holding {len(held)} open accounts, "
        f"{len(held) / people:.1f} per customer. A person may have several numbers: this counts "
        "numbers, not people."
    )
    _, named = describe_accounts(totals, declared=False)
    assert "are named by accounts or transactions" in str(named.text)


def test_a_share_of_few_is_not_said(bank):
    totals = totals_of(bank)
    assert 0 < totals.good_holders < totals.low_holders
    for cell in (totals.good_holders + 1, totals.low_holders - totals.good_holders + 1):
        found = describe_accounts(totals, declared=True, min_cell=cell)[0]
        assert (found.value, found.status) == (None, "not_enough_data")
    nearly_all = replace(totals, good_holders=totals.low_holders - 2)
    assert describe_accounts(nearly_all, declared=True, min_cell=3)[0].value is None
    assert describe_accounts(nearly_all, declared=True, min_cell=2)[0].value is not None


def test_nobody_has_no_accounts(bank):
    accounts, balances = (bank[1][name].filter(False) for name in ("accounts", "balances"))
    people = build_customers({"accounts": accounts}, snapshot=SNAPSHOT, not_movements=[])
    rule = {"snapshot": SNAPSHOT}
    assert count_accounts(accounts, balances, people, bands=BANDS, **rule).accounts.sum() == 0
    totals = total_accounts(accounts, balances, people, low=100, good=1000, **rule)
    found = describe_accounts(totals, declared=True)
    assert [(one.id.split(".")[1], one.status) for one in found] == [
        ("number_of_customers", "not_enough_data")
    ]
    assert total_accounts(None, None, people, low=100, good=1000, **rule) == totals
    assert count_accounts(None, None, people, bands=BANDS, **rule).empty


def bands_table(counts: list[list[int]]) -> pd.DataFrame:
    """Return a table of three bands of accounts and customers, with these numbers in it."""
    names = [
        say("up to {high:number}", high=100),
        say("{low:number} to {high:number}", low=100, high=1000),
        say("above {low:number}", low=1000),
    ]
    return pd.DataFrame(
        [
            {"account_band": a, "customer_band": c, "accounts": n + 1, "customers": n}
            for a, row in zip(names, counts, strict=True)
            for c, n in zip(names, row, strict=True)
        ]
    )


def test_the_sums_that_are_said_do_not_give_a_hidden_cell_away():
    table = bands_table([[900, 50, 20], [0, 400, 5], [0, 0, 300]])
    options = {"min_cell": 10, "counts": ["customers"], "with_them": ["accounts"]}
    shown = mask_counts(table, **options, sums=account_sums(table))
    assert shown.customers[5] == "<10" and shown.customers[2] == HIDDEN  # total is said
    shown = mask_counts(table, **options, sums=account_sums(table, low=100, good=100))
    # 50 + 20 is said as well: both are hidden
    assert shown.customers[1] == shown.customers[2] == shown.accounts[1] == HIDDEN
    assert shown.customers[0] == 900
    assert account_sums(table, low=100, good=1000)[1:] == [(None, [2]), (None, [0, 1])]


# --- the valid, split


@pytest.fixture
def valid(con):
    """Return 400 customers, three quarters of them valid, as a frame and as a table."""
    rng = np.random.default_rng(11)
    n = 400
    frame = pd.DataFrame(
        {
            "layer": rng.choice(["valid", "valid", "valid", "dormant"], n),
            "spend_12m": rng.integers(-3, 40, n) / 4,  # many ties, some 0 and below
            "product_count": pd.array(rng.integers(0, 6, n), dtype="Int64"),
            "assets": np.where(rng.random(n) < 0.15, np.nan, rng.integers(1, 10**6, n) / 100),
            "tenure_months": pd.array(rng.integers(0, 80, n), dtype="Int64"),
            "income_12m": np.full(n, np.nan),
        }
    )
    frame.loc[:3, "tenure_months"] = [11, 12, 24, 60]
    frame.loc[:3, "layer"] = "valid"
    money = dict.fromkeys(["spend_12m", "assets", "income_12m"], "decimal(38, 4)")
    return frame, as_table(con, "people", frame, **money)


def fifth_of(value: float, some: pd.Series) -> int:
    """Return the fifth by the plainest count of who has less."""
    return int(5 * (some < value).sum() / len(some) + 1e-12)


def test_the_valid_are_split_as_pandas_splits_them(valid):
    frame, table = valid
    found = split_valid(table)
    people = frame[frame.layer == "valid"]
    expected: dict[tuple[str, str], pd.DataFrame] = {}
    for measure, name in (("spend_12m", "spend in the last 12 months"), ("assets", "assets")):
        some = people[measure][people[measure] > 0]
        level = people[measure].map(
            lambda value, some=some: (
                -2 if math.isnan(value) else (-1 if value <= 0 else fifth_of(value, some))
            )
        )
        last = ""
        for number in range(5):
            inside = people[level == number]
            above = people[measure][level > number]
            limit = roundest(inside[measure].max(), above.min() if len(above) else math.inf)
            assert ((people[measure] > limit) == (level > number))[people[measure] > 0].all()
            high = Words().format(limit, "number")
            label = f"above {last} to {high}" if number else f"up to {high}"
            expected[name, f"above {last}" if number == 4 else label] = inside
            last = high
        expected[name, "none"] = people[level == -1]
        expected[name, "unknown"] = people[level == -2]
    count = people.product_count
    for label, inside in {
        "none": count == 0,
        "1": count == 1,
        "2": count == 2,
        "3 or more": count >= 3,
    }.items():
        expected["products held or bought", label] = people[inside]
    months = people.tenure_months
    for label, inside in {
        "under 1 year": months < 12,
        "1 to 2 years": (months >= 12) & (months < 24),
        "2 to 5 years": (months >= 24) & (months < 60),
        "5 years and more": months >= 60,
    }.items():
        expected["length of relationship", label] = people[inside]
    expected = {key: inside for key, inside in expected.items() if len(inside)}
    assert [(str(a), str(b)) for a, b in zip(found.measure, found.level, strict=True)] != []
    got = {(str(line.measure), str(line.level)): line for line in found.itertuples()}
    assert set(got) == set(expected)  # income, known of nobody, is left out
    for key, inside in expected.items():
        assert got[key].customers == len(inside)
        assert got[key].share == pytest.approx(len(inside) / len(people), abs=1e-15)
        assert float(got[key].spend_12m) == inside.spend_12m.sum()
        if inside.assets.notna().any():
            assert float(got[key].assets) == pytest.approx(inside.assets.sum(), abs=1e-6)
        else:
            assert got[key].assets is None or math.isnan(got[key].assets)
        assert got[key].income_12m is None or math.isnan(got[key].income_12m)


def test_levels_stand_in_order_and_add_up_to_the_valid(valid):
    frame, table = valid
    found = split_valid(table)
    people = (frame.layer == "valid").sum()
    for total, rows in split_sums(found):
        assert total is None and found.customers[rows].sum() == people
    names = [str(name) for name in found.level[found.measure.map(str) == "assets"]]
    assert names[0].startswith("up to ") and names[-2].startswith("above ")
    assert names[-1] == "unknown"
    assert sum(len(rows) for _, rows in split_sums(found)) == len(found)


def people_with(con, spend: list[float]):
    """Return valid customers of whom only the spend is known."""
    frame = pd.DataFrame({"spend_12m": spend, "layer": "valid"})
    nothing = {"product_count": "int64", "tenure_months": "int64"}
    nothing |= dict.fromkeys(["assets", "income_12m"], "decimal(38, 4)")
    table = as_table(con, "spenders", frame, spend_12m="decimal(38, 4)")
    return table.mutate(**{name: ibis.null(kind) for name, kind in nothing.items()})


@pytest.mark.parametrize(
    ("spend", "expected"),
    [
        # eight of ten are alike: the value's first rank is the second fifth, 3 to 5 are empty
        ([1, 1, *[5] * 8], {"up to 1": 2, "above 1": 8}),
        ([7] * 4, {"above 0": 4}),
        ([1, 2, 3, 4], {"up to 1": 1, "above 1 to 2": 1, "above 2 to 3": 1, "above 3": 1}),
        ([0, -2, 3], {"none": 2, "above 0": 1}),
        (
            [1, 2, 3, 4, 5],
            {
                "up to 1": 1,
                "above 1 to 2": 1,
                "above 2 to 3": 1,
                "above 3 to 4": 1,
                "above 4": 1,
            },
        ),
    ],
)
def test_equal_values_never_part(con, spend, expected):
    found = split_valid(people_with(con, spend))
    assert dict(zip(map(str, found.level), found.customers, strict=True)) == expected


def test_a_clients_own_limits_take_the_place_of_fifths(con):
    table = people_with(con, [0, 1, 10, 10.01, 50, 51, math.nan])
    found = split_valid(table, bands={"spend_12m": [10, 50]})
    assert dict(zip(map(str, found.level), found.customers, strict=True)) == {
        "none": 1,
        "up to 10": 2,
        "above 10 to 50": 2,
        "above 50": 1,
        "unknown": 1,
    }
    assert found.spend_12m[2] == Decimal("60.0100")
    for wrong in ({"spend_12m": [50, 10]}, {"tenure_months": [1]}, {"assets": []}):
        with pytest.raises(ValueError, match="ascending limits of a money measure"):
            split_valid(table, bands=wrong)


def test_nobody_valid_is_split_into_nothing(valid):
    found = split_valid(valid[1].mutate(layer=ibis.literal("dormant")))
    assert found.empty and "customers" in found and split_sums(found) == []


# --- preferences


@pytest.fixture
def moves(con):
    """Return movements of customers in layers, as frames and as tables."""
    rng = np.random.default_rng(2)
    n, rows = 240, 4000
    ids = np.array([f"c{i:03d}" for i in range(n)])
    layers = pd.DataFrame(
        {"customer_id": ids, "layer": rng.choice(["valid", "potential_active", "dormant"], n)}
    )
    layers.loc[:4, "layer"] = "invalid"  # too few to be compared
    day = pd.Timestamp("2024-11-01") + pd.to_timedelta(rng.integers(0, 440, rows), "D")
    second = np.where(rng.random(rows) < 0.2, 0, rng.integers(0, 86400, rows))
    products = [f"p{i:02d}" for i in range(20)]
    weights = np.arange(20, 0, -1) / 210
    frame = pd.DataFrame(
        {
            "customer_id": rng.choice(ids[:-6], rows),  # six never move
            "occurred_at": day + pd.to_timedelta(second, "s"),
            "product": rng.choice(products, rows, p=weights),
            "channel": rng.choice(["app", "branch", "other", None], rows, p=[0.5, 0.2, 0.2, 0.1]),
        }
    )
    frame.loc[:500, "customer_id"] = "c020"
    frame.loc[frame.customer_id == "c020", "product"] = "rare"  # often used, by one customer
    table = con.create_table("moves", frame).mutate(kind=ibis.null("string"))
    return frame, layers, table, con.create_table("layered", layers)


def by_hand_shares(frame: pd.DataFrame, layers: pd.DataFrame) -> pd.DataFrame:
    """Return customer by value: the share of his own movements, by loops."""
    recent = frame[(frame.occurred_at >= "2025-01-01") & (frame.occurred_at < "2026-01-01")]
    top = [
        product
        for product in recent["product"].value_counts().index
        if recent[recent["product"] == product].customer_id.nunique() >= 10
    ]
    counts = recent["product"].value_counts()
    top = sorted(top, key=lambda product: (-counts[product], product))[:12]
    day_part = ["night", "morning", "afternoon", "evening"]
    rows = []
    for customer, own in recent.groupby("customer_id"):
        for move in own.itertuples():
            at = move.occurred_at
            values = [
                ("product", move.product if move.product in top else "Message other"),
                ("channel", move.channel),
                ("day of the week", at.day_name()),
                ("time of day", day_part[at.hour // 6] if at != at.normalize() else None),
            ]
            rows += [(customer, *pair, 1 / len(own)) for pair in values if pair[1] is not None]
    long = pd.DataFrame(rows, columns=["customer_id", "dimension", "value", "p"])
    long = long.groupby(["customer_id", "dimension", "value"], as_index=False).p.sum()
    return long.merge(layers, on="customer_id")


def test_preferences_are_those_of_the_plainest_pandas(moves):
    frame, layers, table, layered = moves
    found = prefer(table, layered, snapshot=SNAPSHOT, min_customers=10)
    long = by_hand_shares(frame, layers)
    movers = long[["customer_id", "layer"]].drop_duplicates().layer.value_counts()
    assert set(found.layer) == {"valid", "potential_active", "dormant"}
    names = [
        "Message other" if isinstance(value, Message) and str(value) == "other" else str(value)
        for value in found["value"]
    ]
    names = [name.split(",")[0] for name in names]
    seen = set()
    for name, line in zip(names, found.itertuples(), strict=True):
        chosen = long[(long.dimension == str(line.dimension)) & (long.value == name)]
        own = chosen[chosen.layer == line.layer].p
        share, share_all = own.sum() / movers[line.layer], chosen.p.sum() / movers.sum()
        assert line.customers == movers[line.layer] and line.users == len(own)
        assert line.share == pytest.approx(share, abs=1e-10)
        assert line.share_all == pytest.approx(share_all, abs=1e-10)
        assert line.index == pytest.approx(100 * share / share_all, abs=1e-6)
        seen.add((str(line.dimension), name))
    assert seen == set(zip(long.dimension, long.value, strict=True))
    assert ("product", "rare") not in seen
    # the client's own "other" is a value; ours is what is left
    assert ("channel", "other") in seen and ("product", "Message other") in seen
    assert (found[found.dimension.map(str) == "product"].groupby("layer").size() == 13).all()
    assert {str(name) for name in found.dimension} == {
        "product",
        "channel",
        "time of day",
        "day of the week",
    }  # kind is always null
    days = found[found.dimension.map(str) == "day of the week"]
    assert [str(day) for day in dict.fromkeys(days.value)][::6] == ["Monday", "Sunday"]
    assert days.groupby("layer").share.sum().to_list() == pytest.approx([1, 1, 1], abs=1e-9)


def test_the_interval_of_a_table_is_that_of_its_customers(moves):
    frame, layers, table, layered = moves
    found = prefer(table, layered, snapshot=SNAPSHOT, min_customers=10)
    long = by_hand_shares(frame, layers)
    people = long[["customer_id", "layer"]].drop_duplicates().set_index("customer_id").layer
    app = long[long.value == "app"].set_index("customer_id").p.reindex(people.index).fillna(0)
    own, rest = app[people == "dormant"], app[people != "dormant"]
    line = found[(found.value == "app") & (found.layer == "dormant")].iloc[0]
    # the derivatives by small steps, and numpy's own variances
    step = 1e-6

    def log_ratio(a: float, b: float) -> float:
        return math.log(a / ((len(own) * a + len(rest) * b) / len(app)))

    a, b = own.mean(), rest.mean()
    by_a = (log_ratio(a + step, b) - log_ratio(a - step, b)) / (2 * step)
    by_b = (log_ratio(a, b + step) - log_ratio(a, b - step)) / (2 * step)
    error = math.sqrt(by_a**2 * own.var() / len(own) + by_b**2 * rest.var() / len(rest))
    assert line.low == pytest.approx(line["index"] * math.exp(-1.959964 * error), rel=1e-6)
    assert line.high == pytest.approx(line["index"] * math.exp(1.959964 * error), rel=1e-6)


def test_the_interval_covers_what_was_planted_in_95_of_100():
    """1,000 seeds, three values: customers differ in taste and in how often they move."""
    rng = np.random.default_rng(8)
    seeds, sizes = 1000, (150, 350)
    tastes = (np.array([6.0, 3.0, 1.0]), np.array([4.0, 3.0, 3.0]))
    shares = []
    for size, taste in zip(sizes, tastes, strict=True):
        own = rng.gamma(taste, size=(seeds, size, 3))
        own /= own.sum(axis=2, keepdims=True)
        times = 1 + rng.poisson(6, (seeds, size))
        shares.append(rng.multinomial(times, own) / times[..., None])
    (own, rest), (n, m) = shares, sizes
    _, low, high = index_interval(n, own.sum(1), (own**2).sum(1), m, rest.sum(1), (rest**2).sum(1))
    a, b = tastes[0] / 10, tastes[1] / 10
    truth = 100 * a / ((n * a + m * b) / (n + m))
    covered = ((low <= truth) & (truth <= high)).sum(axis=0)
    least, most = stats.binom.interval(0.999, seeds, 0.95)
    assert ((covered >= least) & (covered <= most)).all(), covered
    # to take the layer and all for independent samples would cover far more than it claims
    c = (own.sum(1) + rest.sum(1)) / (n + m)
    var_c = np.concatenate([own, rest], axis=1).var(axis=1, ddof=1) / (n + m)
    error = np.sqrt(own.var(axis=1, ddof=1) / n / own.mean(1) ** 2 + var_c / c**2)
    naive = np.abs(np.log(100 * own.mean(1) / c / truth)) <= 1.96 * error
    assert (naive.sum(axis=0)[:2] > most).all()


def test_an_index_without_an_interval_is_no_number():
    index, low, high = index_interval([5, 5, 5, 0], [0, 2, 0, 0], [0, 1, 0, 0], 5, [2, 0, 0, 1], 1)
    assert index[:2].tolist() == [0, 200] and math.isnan(index[2]) and math.isnan(index[3])
    assert np.isnan(low).all() and np.isnan(high).all()
    one = index_interval(1, 0.5, 0.25, 9, 3.0, 2.0)
    assert one[0] == pytest.approx(50 / 0.35) and math.isnan(one[1])
    alike = index_interval(10, 5.0, 3.0, 20, 10.0, 6.0)
    assert alike[0] == 100 and alike[1] * alike[2] == pytest.approx(10_000)


def test_values_of_few_have_no_interval_and_layers_of_few_no_row(moves):
    *_, table, layered = moves
    found = prefer(table, layered, snapshot=SNAPSHOT, min_customers=40)
    few = found.users < 40
    assert few.any() and found.low[few].isna().all() and found.high[few].isna().all()
    assert found.low[~few].notna().any()
    assert prefer(table, layered, snapshot=SNAPSHOT, min_customers=500).empty
    assert prefer(table.filter(False), layered, snapshot=SNAPSHOT, min_customers=1).empty


def test_a_value_that_few_others_use_has_no_interval(con):
    n = 40
    frame = pd.DataFrame(
        {
            "customer_id": [f"c{i}" for i in range(n)],
            "occurred_at": pd.Timestamp("2025-05-05"),
            "channel": ["web"] * 15 + ["app"] * 10 + ["web"] * 4 + ["app"] * 11,
        }
    )
    layered = pd.DataFrame(
        {"customer_id": frame.customer_id, "layer": ["valid"] * 25 + ["dormant"] * 15}
    )
    tables = con.create_table("m", frame), con.create_table("l", layered)
    found = prefer(*tables, snapshot=SNAPSHOT, min_customers=5)
    found = found[found.value == "web"].set_index("layer")
    assert found.users.to_dict() == {"valid": 15, "dormant": 4}
    assert found["index"]["valid"] == pytest.approx(100 * (15 / 25) / (19 / 40))
    assert found[["low", "high"]].isna().all(axis=None)
    found = prefer(*tables, snapshot=SNAPSHOT, min_customers=4)
    assert found[found.value == "web"][["low", "high"]].notna().all(axis=None)


def test_the_layers_of_one_value_are_masked_together(moves):
    found = prefer(*moves[2:], snapshot=SNAPSHOT, min_customers=1)
    sums = preference_sums(found)
    assert sorted(row for _, rows in sums for row in rows) == list(range(len(found)))
    for _, rows in sums:
        assert len({(str(found.dimension[row]), str(found.value[row])) for row in rows}) == 1
        assert len(rows) == found.layer.nunique()


def test_dates_without_times_have_no_time_of_day(moves):
    *_, table, layered = moves
    dates = table.mutate(occurred_at=table.occurred_at.truncate("D"))
    found = prefer(dates, layered, snapshot=SNAPSHOT, min_customers=5)
    assert "time of day" not in set(map(str, found.dimension))
    bare = table.select("customer_id", "occurred_at")
    found = prefer(bare, layered, snapshot=SNAPSHOT, min_customers=5)
    assert set(map(str, found.dimension)) == {"time of day", "day of the week"}


def test_a_second_run_gives_the_same_digits(moves):
    *_, table, layered = moves
    first, second = (
        prefer(t, layered, snapshot=SNAPSHOT, min_customers=5)
        for t in (table, table.order_by(table.occurred_at.desc()))
    )
    pd.testing.assert_frame_equal(
        first.map(str), second.map(str), check_exact=True, check_dtype=False
    )
    numbers = ["share", "share_all", "index", "low", "high"]
    assert first[numbers].equals(second[numbers])


# --- waking


@pytest.fixture
def sleepers(con):
    """Return a few customers whose last and next movements are known by heart."""
    rows = [
        # customer, when, id, account, product, channel
        ("own", "2025-01-02 10:00", "1", "a1", "fund", "app"),
        ("own", "2025-03-02 10:00", "2", None, None, "branch"),  # no product: the fund before
        ("own", "2025-08-01 09:00", "3", None, "card", "call"),
        ("own", "2025-08-01 09:00", "4", None, "loan", "app"),  # the same moment, a later id
        ("account", "2025-04-01 00:00", "5", "a2", None, None),  # product of the account
        ("account", "2025-12-31 23:59", "6", "a2", None, "app"),
        ("never", "2026-01-01 00:00", "7", "a3", "fund", "app"),  # after the outcome window
        ("last day", "2025-06-30 23:59", "8", None, "loan", "atm"),
        ("last day", "2025-07-01 00:00", "9", None, None, "web"),
    ]
    columns = ["customer_id", "occurred_at", "transaction_id", "account_id", "product", "channel"]
    moves = pd.DataFrame(rows, columns=columns)
    moves["occurred_at"] = pd.to_datetime(moves.occurred_at)
    accounts = pd.DataFrame(
        [
            ("a1", "own", "current", "2010-01-01", None),
            ("a2", "account", "savings", "2012-01-01", None),
            ("a3", "never", "pension", None, None),  # nobody knows how old
            ("a4", "never", "young", "2020-01-01", None),
            ("a5", "never", "older", "2015-01-01", None),
            ("a6", "never", "closed", "2001-01-01", "2025-06-30"),
            ("a7", "never", "later", "2025-07-01", None),
        ],
        columns=["account_id", "customer_id", "product", "opened_on", "closed_on"],
    )
    for name in ("opened_on", "closed_on"):
        accounts[name] = pd.to_datetime(accounts[name])
    names = ["own", "account", "never", "last day", "nothing"]
    came = [True, True, False, True, False]
    past = pd.DataFrame({"customer_id": names, "came_back": came})
    return (
        con.create_table("past", past),
        con.create_table("past_moves", moves),
        as_table(con, "past_accounts", accounts, opened_on="date", closed_on="date"),
    )


def test_customers_are_last_seen_where_they_were(sleepers):
    past, moves, accounts = sleepers
    found = last_seen(past, moves, accounts, day=LANDMARK).to_pandas().set_index("customer_id")
    assert found[["product", "channel"]].T.to_dict("list") == {
        "own": ["fund", "branch"],
        "account": ["savings", "unknown"],
        "never": ["older", "unknown"],
        "last day": ["loan", "atm"],
        "nothing": ["unknown", "unknown"],
    }
    assert found.came_back.tolist().count(True) == 3  # other columns are kept
    bare = last_seen(past, moves.select("customer_id", "occurred_at"), day=LANDMARK).to_pandas()
    assert set(bare["product"]) == set(bare["channel"]) == {"unknown"}
    without = last_seen(past, moves, day=LANDMARK).to_pandas().set_index("customer_id")
    assert without["product"]["account"] == without["product"]["never"] == "unknown"


def test_returns_are_counted_by_group(sleepers):
    past, moves, accounts = sleepers
    found = count_returns(past, moves, accounts, landmark=LANDMARK, until=SNAPSHOT)
    by_group = found.set_index(["product", "channel"])
    assert by_group[["customers", "came_back", "woke_product", "woke_channel"]].T.to_dict(
        "list"
    ) == {
        ("fund", "branch"): [1, 1, "card", "call"],
        ("savings", "unknown"): [1, 1, "savings", "app"],
        ("older", "unknown"): [1, 0, None, None],
        ("loan", "atm"): [1, 1, "unknown", "web"],
        ("unknown", "unknown"): [1, 0, None, None],
    }
    short = count_returns(
        past, moves, accounts, landmark=LANDMARK, until=SNAPSHOT - dt.timedelta(days=1)
    )
    assert short.set_index("product").woke_channel["savings"] == "unknown"  # moved too late
    # the largest first, then by name
    assert found["product"].tolist() == ["fund", "loan", "older", "savings", "unknown"]
    empty = count_returns(past.filter(False), moves, accounts, landmark=LANDMARK, until=SNAPSHOT)
    assert empty.empty and list(empty.columns) == list(found.columns)
    finding = describe_waking(
        empty,
        {"contact": 0, "control": 0},
        landmark=LANDMARK,
        until=SNAPSHOT,
        min_customers=10,
    )
    assert [one.status for one in finding] == ["not_enough_data"] * 3


def test_returns_are_those_of_plain_pandas_with_wilsons_interval(con):
    rng = np.random.default_rng(4)
    n = 600
    ids = [f"c{i}" for i in range(n)]
    past = pd.DataFrame({"customer_id": ids, "came_back": rng.random(n) < 0.3})
    before, after = (
        pd.DataFrame(
            {
                "customer_id": ids,
                "occurred_at": pd.Timestamp(start) + pd.to_timedelta(rng.integers(0, 90, n), "D"),
                "product": rng.choice(["a", "b", "c"], n),
                "channel": rng.choice(["x", "y"], n),
            }
        )
        for start in ("2025-01-01", "2025-08-01")
    )
    after = after[past.came_back]
    moves = con.create_table("m", pd.concat([before, after]))
    found = count_returns(con.create_table("p", past), moves, landmark=LANDMARK, until=SNAPSHOT)
    before = before.assign(came_back=past.came_back)
    for line in found.itertuples():
        group = before[(before["product"] == line.product) & (before.channel == line.channel)]
        k, size = group.came_back.sum(), len(group)
        assert (line.customers, line.came_back) == (size, k)
        z, p = 1.959963984540054, k / size
        middle = (p + z**2 / (2 * size)) / (1 + z**2 / size)
        half = z / (1 + z**2 / size) * math.sqrt(p * (1 - p) / size + z**2 / (4 * size**2))
        assert (line.low, line.high) == pytest.approx((middle - half, middle + half), abs=1e-12)
        back = after[after.customer_id.isin(group.customer_id)]
        for column, woke in (("product", line.woke_product), ("channel", line.woke_channel)):
            assert woke == back[column].value_counts().sort_index().idxmax()
    assert found.customers.sum() == n and len(found) == 6


RETURNS = pd.DataFrame(
    [
        ("fund", "app", 200, 60, "fund", "app"),
        ("card", "atm", 100, 20, "card", "call"),  # exactly as often as all
        ("loan", "web", 190, 20, "loan", "web"),  # less often
        ("rare", "app", 10, 0, None, None),
        ("few", "app", 5, 3, "few", "app"),  # often, but too few to tell
        ("more", "web", 10, 0, None, None),
    ],
    columns=["product", "channel", "customers", "came_back", "woke_product", "woke_channel"],
).assign(share=lambda table: table.came_back / table.customers, low=0.01, high=0.9)


@pytest.fixture
def dormant(con):
    """Return 20,000 dormant customers of the groups in RETURNS and one of a group of its own."""
    groups = [*RETURNS[["product", "channel"]].itertuples(index=False), ("new", "app")]
    n = 20_000
    frame = pd.DataFrame(
        [(f"客{i}", *groups[i % len(groups)]) for i in range(n)],
        columns=["customer_id", "product", "channel"],
    )
    return frame, con.create_table("dormant", frame)


RULE = {"seed": 1, "control_share": 0.2, "min_customers": 50}


def test_only_groups_that_came_back_as_often_as_all_are_proposed(dormant):
    frame, table = dormant
    assert RETURNS.came_back.sum() / RETURNS.customers.sum() == 103 / 515 == 0.2
    found = propose_waking(table, RETURNS, **RULE).to_pandas()
    chosen = frame[frame["product"].isin(["fund", "card"])]
    assert sorted(found.customer_id) == sorted(chosen.customer_id)  # nobody twice
    assert list(found.columns) == ["customer_id", "reason", "product", "channel", "arm"]
    told = found.drop(columns=["customer_id", "arm"]).drop_duplicates().sort_values("reason")
    assert told.to_numpy().tolist() == [
        ["dormant: card/atm", "card", "call"],
        ["dormant: fund/app", "fund", "app"],
    ]
    nobody = RETURNS.assign(came_back=0, share=0.0)
    assert propose_waking(table, nobody, **RULE).count().execute() == 0


def test_the_control_is_drawn_by_a_hash_that_python_repeats(dormant):
    _, table = dormant
    found = propose_waking(table, RETURNS, **RULE).to_pandas()
    for line in found.itertuples():
        digest = hashlib.md5(f"1:02_invalid_customers:{line.customer_id}".encode()).hexdigest()
        assert (line.arm == "control") == (int(digest[:8], 16) < int(0.2 * 2**32))
    control = (found.arm == "control").sum()
    least, most = stats.binom.interval(0.999, len(found), 0.2)
    assert least <= control <= most
    assert count_arms(propose_waking(table, RETURNS, **RULE)) == {
        "contact": len(found) - control,
        "control": control,
    }
    turned = propose_waking(table.order_by(table.customer_id.desc()), RETURNS, **RULE)
    turned = turned.to_pandas().set_index("customer_id").arm
    assert (turned[found.customer_id].to_numpy() == found.arm.to_numpy()).all()


@pytest.mark.parametrize("other", [{"seed": 2}, {"notebook": "09"}])
def test_another_seed_draws_others(dormant, other):
    _, table = dormant
    first, second = (
        propose_waking(table, RETURNS, **rule).to_pandas().set_index("customer_id").arm
        for rule in (RULE, RULE | other)
    )
    both = ((first == "control") & (second.reindex(first.index) == "control")).sum()
    least, most = stats.binom.interval(0.999, len(first), 0.04)  # independent draws
    assert least <= both <= most


@pytest.mark.parametrize("share", [-0.1, 1, math.nan])
def test_a_control_that_is_no_part_of_the_list_is_refused(dormant, share):
    with pytest.raises(CustomerlabError, match="from 0 to below 1"):
        propose_waking(dormant[1], RETURNS, **RULE | {"control_share": share})
    none = propose_waking(dormant[1], RETURNS, **RULE | {"control_share": 0})
    assert count_arms(none)["control"] == 0


def test_what_is_said_of_waking_is_what_was_counted():
    days = {"landmark": LANDMARK, "until": SNAPSHOT}
    arms = {"contact": 800, "control": 200}
    back, group, proposed = describe_waking(RETURNS, arms, min_customers=50, min_cell=10, **days)
    assert (back.value, back.n, back.status) == (0.2, 515, "supported")
    assert back.low < 0.2 < back.high
    assert str(back.text) == (
        "Of 515 customers dormant on 30 June 2025, 103 (20.0 %) came back by 31 December 2025."
    )
    assert (group.value, group.n) == (0.3, 200) and "fund through app" in str(group.text)
    assert group.status == "weak"  # low is 0.01 here
    certain = describe_waking(RETURNS.assign(low=0.21), arms, min_customers=50, **days)[1]
    assert certain.status == "supported"
    assert proposed.value == 800 and "200 more are held back" in str(proposed.text)
    few = RETURNS.assign(came_back=[1, 0, 0, 0, 3, 0])
    found = describe_waking(few, arms, min_customers=50, min_cell=10, **days)
    assert [one.value for one in found[:2]] == [None, None]
    assert not re.search(r"\d %", " ".join(str(one.text) for one in found))


def test_shares_do_not_tell_a_count_that_is_hidden():
    returns = RETURNS.assign(came_back=[60, 20, 3, 0, 3, 0])
    shown = mask_returns(returns, min_cell=10)
    assert shown.returned.tolist()[2] == "<10" and shown.customers[2] == 190
    for column in ("share", "low", "high", "woke_product", "woke_channel"):
        assert shown[column][2] == shown[column][4] == HIDDEN
    assert shown.share[0] == 0.3


# --- Spark


class SparkOptions(Config):
    """What the pyspark backend would register."""

    treat_nan_as_null: bool = False


def test_everything_compiles_for_spark(monkeypatch, bank, valid, moves, sleepers, dormant):
    monkeypatch.setattr(ibis.options, "pyspark", SparkOptions())
    asked: list[ir.Table] = []
    fetch = ir.Table.to_pandas

    def note(table: ir.Table, **options):
        asked.append(table)
        return fetch(table, **options)

    monkeypatch.setattr(ir.Table, "to_pandas", note)
    totals_of(bank)
    people = build_customers(bank[1], snapshot=SNAPSHOT, not_movements=[])
    count_accounts(*bank[1].values(), people, snapshot=SNAPSHOT, bands=BANDS)
    split_valid(valid[1], bands={"assets": [10]})
    split_valid(valid[1])
    prefer(*moves[2:], snapshot=SNAPSHOT, min_customers=10)
    count_returns(*sleepers, landmark=LANDMARK, until=SNAPSHOT)
    proposed = propose_waking(dormant[1], RETURNS, **RULE)
    assert len(asked) > 10
    texts = [str(ibis.to_sql(table, dialect="pyspark")) for table in [*asked, proposed]]
    assert "MD5(CONCAT('1:02_invalid_customers:'" in texts[-1]
    assert any("NULLS LAST" in text for text in texts)
    for text in texts:
        assert not re.search(r"EXCLUDE|ARRAY_SLICE|QUALIFY", text)


# --- figures


def svgs(chart) -> list[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return re.findall(r"<svg.*?</svg>", chart._repr_html_(), flags=re.DOTALL)


def letters(svg: str) -> list[str]:
    found = re.findall(r"<text[^>]*>(.*?)</text>", svg, flags=re.DOTALL)
    return [re.sub(r"<[^>]*>|\s+", " ", text).strip() for text in found]


def test_bands_are_drawn_with_their_numbers():
    table = bands_table([[879, 59, 59], [0, 400, 30], [0, 0, 300]])
    chart = account_bands(table)
    assert str(chart.title) == (
        "12.0 % of the accounts with at most 100 belong to customers with more than 100."
    )
    wide, narrow = svgs(chart)
    for svg in (wide, narrow):
        assert {"880", "60", "401", "31", "301", "1"} <= set(letters(svg))
    assert "accounts with up to 100: 880 (up to 100), 60 (100 to 1,000)" in str(chart.alt)
    masked = mask_counts(
        table, min_cell=60, counts=["customers"], with_them=["accounts"], sums=account_sums(table)
    )
    chart = account_bands(masked, Words("en", "CNY", 60))
    assert str(chart.title) == "Whose the small accounts are."
    assert "hidden" in letters(svgs(chart)[0]) and "in CNY" in str(chart.subtitle)
    own = say("Its own title.")
    assert account_bands(masked, title=own).title == own


def preference_table(rows: int = 2) -> pd.DataFrame:
    """Return indices of some channels in two layers; the first differs most."""
    lines = []
    for number in range(rows):
        index = 150 - number
        lines.append((say("channel"), f"way {number}", "valid", index, index - 9.0, index + 9.0))
        lines.append((say("channel"), f"way {number}", "dormant", 60.0, 40.0, 130.0))
    lines.append((say("kind of movement"), "alike", "valid", 100.0, 95.0, 105.0))
    return pd.DataFrame(
        lines, columns=["dimension", "value", "layer", "index", "low", "high"]
    ).astype({"index": object})


def test_only_what_differs_for_certain_is_drawn():
    chart = preferences(preference_table())
    wide, narrow = svgs(chart)
    assert {"channel", "way 0", "150 (141 to 159)", "60 (40 to 130)", "Valid"} <= set(letters(wide))
    assert {"150", "149", "60", "Dormant"} <= set(letters(narrow))
    assert "alike" not in letters(wide)
    assert str(chart.title) == "Valid: way 0 has index 150, where all customers have 100."
    assert "way 1: 149 (140 to 158) (Valid)" in str(chart.alt)
    many = preferences(preference_table(20))
    drawn = {text for text in letters(svgs(many)[0]) if text.startswith("way")}
    assert drawn == {f"way {number}" for number in range(12)}


def test_nothing_that_differs_is_said_in_words():
    table = preference_table()
    for flat in (table.assign(low=1.0, high=200.0), table[:0], table.assign(low=None, high=None)):
        chart = preferences(flat)
        assert str(chart.title) == "No layer differs from all customers for certain."
        assert "No difference is certain." in letters(svgs(chart)[1])


def test_a_masked_index_is_written_as_hidden():
    table = preference_table()
    table.loc[1, ["index", "low", "high"]] = [HIDDEN, math.nan, math.nan]
    table.loc[3, ["low", "high"]] = math.nan
    chart = preferences(table, ENGLISH)
    assert {"hidden", "60"} <= set(letters(svgs(chart)[0]))
