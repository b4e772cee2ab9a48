"""Items from behaviour: by the plainest pandas, by customer, and with the future changed."""

from __future__ import annotations

import datetime as dt
import math

import ibis
import numpy as np
import pandas as pd
import pytest

from customerlab.contract import TABLES, TYPES
from customerlab.drivers.behaviour import DRIVERS, OUTCOME, build_items, driver_name
from customerlab.errors import CustomerlabError
from customerlab.landmarks import as_of

SNAPSHOT, LANDMARK = dt.date(2025, 6, 30), dt.date(2025, 4, 1)
DAYS, MONTHS = 90, 12
#: In one month of a mean year.
MONTH = 365.25 / 12


def as_tables(frames):
    """Put frames into the engine with the types of clean tables."""
    tables = {}
    for name, frame in frames.items():
        kinds = {c.name: TYPES[c.kind] for c in TABLES[name].columns}
        table = ibis.memtable(frame)
        casts = {c: table[c].cast(kinds[c]) for c in frame.columns if c in kinds}
        tables[name] = table.mutate(**casts)
    return tables


def kept(table):
    """Work a table out once."""
    return ibis.memtable(table.to_pandas(), schema=table.schema())


def built(frames, **options):
    options = {"outcome_days": DAYS, "snapshot": SNAPSHOT, "months": MONTHS, "keep": kept} | options
    return build_items(as_tables(frames), **options)


def by_customer(found):
    return found.table.to_pandas().set_index("customer_id").sort_index()


@pytest.fixture(scope="module")
def shop():
    """Return frames of a random shop with every table that tells an item."""
    rng = np.random.default_rng(4)
    people = [f"c{i:02d}" for i in range(70)]
    start = pd.Timestamp("2023-11-01")

    def moments(n):
        seconds = int((pd.Timestamp(SNAPSHOT) - start).total_seconds())
        found = start + pd.to_timedelta(rng.integers(0, seconds, n), "s")
        # some at the last moment that is known, at the next one, and at equal moments
        edges = pd.to_datetime(
            ["2025-04-01 23:59:59", "2025-04-02", "2024-04-01 23:00"], format="ISO8601"
        )
        return pd.Series(found).where(rng.random(n) > 0.1, rng.choice(edges, n))

    customers = pd.DataFrame(
        {
            "customer_id": people,
            "joined_on": start + pd.to_timedelta(rng.integers(-100, 590, 70), "D"),
            "acquired_through": rng.choice(["app", "Referral", "word_of_mouth", "朋友推荐"], 70),
        }
    )
    customers.loc[::3, "joined_on"] = pd.NaT
    customers.loc[::7, "acquired_through"] = None
    n = 900
    quantity = rng.integers(1, 6, n).astype(float)
    amount = rng.integers(50, 900, n) / 100 * quantity
    product = rng.choice([f"p{i}" for i in range(12)], n)
    alone = rng.random(n) < 0.02
    buys = pd.DataFrame(
        {
            "customer_id": rng.choice(people[:60], n),
            "occurred_at": moments(n),
            "amount": np.where(rng.random(n) < 0.05, -amount, amount).round(2),
            "quantity": np.where(rng.random(n) < 0.03, np.nan, quantity),
            "order_id": [f"o{i}" for i in rng.integers(0, 400, n)],
            "product": np.where(alone, [f"own{i}" for i in range(n)], product),
            "unit_price": rng.integers(50, 900, n) / 100,
            "discount": np.where(rng.random(n) < 0.3, (amount / 7).round(2), 0.0),
            "kind": rng.choice(["purchase", "purchase", "purchase", "refund", None], n),
        }
    )
    buys["kind"] = buys["kind"].where(buys["kind"].notna(), None)
    buys.loc[rng.random(n) < 0.05, "discount"] = np.nan
    buys.loc[rng.random(n) < 0.05, ["product"]] = None
    buys.loc[rng.random(n) < 0.05, ["order_id"]] = None
    ordered = buys["occurred_at"].dt.normalize()
    days = np.random.default_rng(5).integers(0, 9, (2, n))
    buys["promised_on"] = ordered + pd.to_timedelta(days[0], "D")
    buys["delivered_on"] = ordered + pd.to_timedelta(days[0] + days[1] - 2, "D")
    buys.loc[buys.index % 9 == 0, "promised_on"] = pd.NaT
    buys.loc[buys.index % 7 == 0, "delivered_on"] = pd.NaT
    products = pd.DataFrame({"product": [f"p{i}" for i in range(11)]})
    products["category"] = ["tea", "cups", None, "pots"] * 2 + ["tea"] * 3
    products["own_brand"] = pd.array([True, False, None, False] * 2 + [True] * 3, "boolean")
    m = 260
    orders = buys["order_id"].dropna().to_numpy()
    ratings = pd.DataFrame(
        {
            "customer_id": rng.choice(people[:50], m),
            "occurred_at": moments(m),
            "order_id": rng.choice(orders, m),
            "taste": rng.integers(1, 6, m).astype(float),
            "delivery": rng.integers(1, 6, m).astype(float),
            "comment": "fine",
        }
    )
    ratings.loc[rng.random(m) < 0.2, "taste"] = np.nan
    ratings.loc[rng.random(m) < 0.2, "delivery"] = np.nan
    ratings.loc[rng.random(m) < 0.05, "occurred_at"] = pd.NaT
    # some rate at the very moment at which others buy
    same = rng.integers(0, n, 25)
    ratings.loc[:24, "occurred_at"] = buys["occurred_at"].to_numpy()[same]
    contacts = pd.DataFrame({"customer_id": rng.choice(people, 150), "occurred_at": moments(150)})
    contacts["resolved"] = rng.random(150) < 0.6
    campaigns = pd.DataFrame({"campaign_id": [f"k{i}" for i in range(9)]})
    campaigns["starts_on"] = pd.date_range("2024-02-15", periods=9, freq="60D")
    sent = pd.MultiIndex.from_product([campaigns["campaign_id"], people]).to_frame(index=False)
    sent = sent.set_axis(["campaign_id", "customer_id"], axis=1).sample(300, random_state=1)
    sent["arm"] = rng.choice(["mail", "Control", "call"], 300)
    starts = sent["campaign_id"].map(campaigns.set_index("campaign_id")["starts_on"])
    sent["assigned_at"] = starts + pd.to_timedelta(rng.integers(-9, 9, 300), "D")
    sent.loc[rng.random(300) < 0.3, "assigned_at"] = pd.NaT
    return {
        "customers": customers,
        "transactions": buys,
        "products": products,
        "ratings": ratings,
        "interactions": contacts,
        "campaigns": campaigns,
        "assignments": sent.reset_index(drop=True),
    }


def bought_lines(frames):
    """Return purchases with what was paid, the price of one piece, and what it was."""
    t = frames["transactions"].copy()
    for name in ("kind", "quantity", "unit_price", "discount", "order_id", "product"):
        t[name] = t.get(name, None)
    shop_line = t["kind"].isna() & (t["amount"] > 0)
    card = (t["kind"] == "purchase") & (t["amount"] != 0)
    t = t[shop_line | card].copy()
    t["paid"] = t["amount"].astype(float).abs()
    each = t["paid"] / t["quantity"].astype(float).where(lambda q: q > 0)
    t["price"] = each.round(6).fillna(t["unit_price"].astype(float))
    t["day"] = pd.to_datetime(t["occurred_at"]).dt.normalize()
    groups = frames.get("products", pd.DataFrame({"product": [], "category": []}))
    t["what"] = t["product"].map(groups.set_index("product")["category"].dropna())
    t["what"] = t["what"].fillna(t["product"])
    own = groups.get("own_brand", pd.Series(dtype=object))
    t["own_brand"] = t["product"].map(dict(zip(groups["product"], own, strict=False)))
    return t


def mean_or_none(values):
    values = [v for v in values if not pd.isna(v)]
    return sum(values) / len(values) if values else math.nan


def plainly(frames, months):
    """Return every item as a person with a pencil would work it out."""
    end = pd.Timestamp(LANDMARK)
    since = end - pd.DateOffset(months=months)
    every = bought_lines(frames)
    ever = every[every["day"] <= end]
    late = ever[ever["day"] > since]
    moves = frames["transactions"].assign(
        day=pd.to_datetime(frames["transactions"]["occurred_at"]).dt.normalize()
    )
    moves = moves[moves["day"] <= end]
    r = frames["ratings"].copy()
    r = r[r["occurred_at"].dt.normalize() <= end]
    r["score"] = r[["taste", "delivery"]].mean(axis=1)
    in_order = moves.dropna(subset=["order_id", "product"]).groupby("order_id")["product"]
    in_order = in_order.agg(set).to_dict()
    rows = {}
    for line in frames["customers"].itertuples():
        who = line.customer_id
        first = moves.loc[moves["customer_id"] == who, "day"].min()
        joined = first if pd.isna(line.joined_on) else line.joined_on
        if pd.isna(joined) or joined > end:
            continue
        mine = late[late["customer_id"] == who]
        row = rows[who] = {}
        told = mine.dropna(subset="discount")
        full = told["paid"].sum() + told["discount"].abs().sum()
        row["discount_share"] = told["discount"].abs().sum() / full if full else math.nan
        of_brand = mine.dropna(subset="own_brand")
        own = of_brand.loc[of_brand["own_brand"].astype(bool), "paid"].sum()
        row["own_brand_share"] = own / of_brand["paid"].sum() if len(of_brand) else math.nan
        came = mine[mine["delivered_on"] <= end]
        due = "promised_on" if "promised_on" in mine else "day"
        row["delivery_delay"] = mean_or_none((came["delivered_on"] - came[due]).dt.days)
        logs = []
        for product, bought in mine[mine["price"] > 0].groupby("product"):
            others = late[(late["customer_id"] != who) & (late["product"] == product)]
            others = others[others["price"] > 0]["price"]
            if len(others):
                usual = others.mean()
                logs += [math.log(bought["price"].mean() / usual)] * len(bought)
        row["price_paid"] = mean_or_none(logs)
        row["range_bought"] = mine["what"].dropna().nunique() if len(mine) else 0
        if len(mine) and not row["range_bought"]:
            row["range_bought"] = math.nan
        orders = mine["order_id"].dropna().nunique() + mine["order_id"].isna().sum()
        days = min((end - since).days, (end - joined).days + 1, (end - ever.day.min()).days + 1)
        row["orders_per_month"] = orders / max(days / MONTH, 1)
        row["recency_days"] = (end - ever.loc[ever["customer_id"] == who, "day"].max()).days
        said = r[(r["customer_id"] == who) & (r["occurred_at"].dt.normalize() > since)]
        row["rated_taste"] = mean_or_none(said["taste"])
        row["rated_delivery"] = mean_or_none(said["delivery"])
        said = said.dropna(subset="score").sort_values(["occurred_at", "score"])["score"].tolist()
        half = len(said) // 2
        row["rating_trend"] = (
            sum(said[-half:]) / half - sum(said[:half]) / half if half else math.nan
        )
        seen = []
        for _, b in (
            mine.dropna(subset="product").drop_duplicates(["product", "occurred_at"]).iterrows()
        ):
            earlier = r[(r["customer_id"] != who) & (r["occurred_at"] < b["occurred_at"])]
            about = [b["product"] in in_order.get(order, ()) for order in earlier["order_id"]]
            seen.append(mean_or_none(earlier.loc[about, "score"]))
        row["others_rating"] = mean_or_none(seen)
        way = line.acquired_through
        row["word_of_mouth"] = math.nan if way is None else float(way != "app")
        contacts = frames["interactions"]
        when = contacts["occurred_at"].dt.normalize()
        open_ones = contacts[(when > since) & (when <= end) & ~contacts["resolved"]]
        row["complaints"] = (open_ones["customer_id"] == who).sum()
        starts = frames["campaigns"].set_index("campaign_id")["starts_on"]
        reached = 0
        for _, a in frames["assignments"][frames["assignments"]["customer_id"] == who].iterrows():
            begun = starts[a["campaign_id"]]
            given = a["assigned_at"]
            day = begun if pd.isna(given) else given.normalize()
            reached += a["arm"] != "Control" and begun <= end and since < day <= end
        row["promotions"] = reached
        after = every[(every["customer_id"] == who) & (every["day"] > end)]
        after = after[after["day"] <= end + pd.Timedelta(days=DAYS)]
        row[OUTCOME] = float(len(after) > 0)
        row["spend_after"] = after["paid"].sum()
    return pd.DataFrame(rows).T.astype(float).sort_index()


@pytest.mark.parametrize("months", [12, 24])  # the data begin seventeen months before
def test_every_item_is_that_of_plain_pandas(shop, months):
    found = built(shop, months=months)
    frame, expected = by_customer(found), plainly(shop, months)
    assert (found.landmark, found.until) == (LANDMARK, SNAPSHOT)
    assert set(found.items) == {*DRIVERS, "rated_taste", "rated_delivery"}
    assert list(frame) == [*found.items, OUTCOME, "spend_after"]
    for name in found.items:  # an oracle that says the same of everybody would be idle
        assert expected[name].std() > 0
    assert len(frame) < len(shop["customers"])
    pd.testing.assert_frame_equal(
        frame, expected[list(frame)], check_names=False, rtol=0, atol=1e-8
    )


def test_without_a_promised_day_delivery_is_timed_from_the_order(shop):
    unpromised = shop | {"transactions": shop["transactions"].drop(columns="promised_on")}
    got = by_customer(built(unpromised))["delivery_delay"]
    expected = plainly(unpromised, MONTHS)["delivery_delay"]
    pd.testing.assert_series_equal(got, expected, check_names=False, atol=1e-12)
    assert (got.dropna() > by_customer(built(shop))["delivery_delay"].dropna()).mean() > 0.9


def test_a_landmark_and_days_of_ones_own(shop):
    found = built(shop, landmark=dt.date(2025, 1, 31), outcome_days=30)
    assert (found.landmark, found.until) == (dt.date(2025, 1, 31), dt.date(2025, 3, 2))
    lines = bought_lines(shop)
    after = lines[(lines["day"] > "2025-01-31") & (lines["day"] <= "2025-03-02")]
    spent = after.groupby("customer_id")["paid"].sum()
    frame = by_customer(found)
    expected = spent.reindex(frame.index).fillna(0)
    np.testing.assert_allclose(frame["spend_after"], expected, atol=1e-9)
    assert frame[OUTCOME].tolist() == (expected > 0).astype(float).tolist()
    assert 0 < frame[OUTCOME].mean() < 1
    assert "31 January 2025" in str(found.text) and "30 days" in str(found.text)


# --- nothing from the future


def test_tables_cut_at_the_landmark_give_the_same_items(shop):
    whole = built(shop)
    options = {"outcome_days": DAYS, "snapshot": SNAPSHOT, "months": MONTHS}
    cut = build_items(as_of(as_tables(shop), LANDMARK), **options)  # not kept: it is the same
    assert cut.items == whole.items
    was, now = by_customer(whole), by_customer(cut)
    pd.testing.assert_frame_equal(now[list(cut.items)], was[list(whole.items)], check_exact=True)
    assert not now[OUTCOME].any() and was[OUTCOME].any()


def with_another_future(frames, rng):
    """Change, add and take away rows after the landmark in every table."""
    end = pd.Timestamp(LANDMARK) + pd.Timedelta(days=1)
    frames = {name: frame.copy() for name, frame in frames.items()}
    for name in ("transactions", "ratings", "interactions"):
        frame = frames[name]
        later = frame["occurred_at"] >= end
        moved = frame[later].sample(frac=0.6, random_state=2)
        moved["customer_id"] = rng.permutation(moved["customer_id"])
        for column in {"amount", "taste", "delivery", "discount"} & set(frame):
            moved[column] = rng.integers(1, 90, len(moved))
        more = frame[~later].sample(40, random_state=3)
        more["occurred_at"] = end + pd.to_timedelta(rng.integers(0, 80, 40), "D")
        frames[name] = pd.concat([frame[~later], moved, more], ignore_index=True)
    sent = frames["assignments"]
    later = sent["assigned_at"] >= end
    sent.loc[later, "arm"] = "call"
    frames["assignments"] = sent[~later | (rng.random(len(sent)) < 0.5)]
    joined = frames["customers"]["joined_on"]
    frames["customers"]["joined_on"] = joined.where(~(joined >= end), end)
    return frames


def test_another_future_changes_the_outcome_alone(shop):
    was = built(shop)
    before, rng = by_customer(was), np.random.default_rng(9)
    for _ in range(2):
        now = built(with_another_future(shop, rng))
        after = by_customer(now)
        items = list(was.items)
        assert now.items == was.items
        pd.testing.assert_frame_equal(after[items], before[items], check_exact=True)
        assert not after[OUTCOME].equals(before[OUTCOME])


# --- what the tables do not tell


def test_what_no_table_tells_is_no_item(shop):
    few = {"transactions": shop["transactions"][["customer_id", "occurred_at", "amount"]]}
    found = built(few)
    assert found.items == ("orders_per_month", "recency_days")
    silent = shop | {
        "interactions": shop["interactions"].assign(resolved=True),
        "customers": shop["customers"].assign(acquired_through="app"),
        "transactions": shop["transactions"].assign(
            product=None, discount=0.0, delivered_on=pd.NaT
        ),
        "assignments": shop["assignments"].drop(columns="assigned_at"),
    }
    found = built(silent)
    assert set(found.items) == {
        *("rated_taste", "rated_delivery", "rating_trend"),
        *("promotions", "orders_per_month", "recency_days"),
    }


def test_an_overall_rating_is_the_score_and_a_product_of_its_own_is_what_it_is_about():
    """By hand: b buys tea after a gave it 5 and 2; b's own 1 and what comes later count nothing."""
    buys = pd.DataFrame(
        [("a", "2025-01-02", "tea"), ("b", "2025-03-01 10:00", "tea"), ("b", "2025-03-01", "cup")],
        columns=["customer_id", "occurred_at", "product"],
    ).assign(amount=5.0)
    ratings = pd.DataFrame(
        [
            ("a", "2025-01-05", "tea", 5, 1),
            ("a", "2025-02-05", "tea", 2, 1),
            ("b", "2025-02-06", "tea", 1, 1),
            ("a", "2025-03-01 10:00", "tea", 3, 1),
            ("a", "2025-03-02", "cup", 5, 1),
        ],
        columns=["customer_id", "occurred_at", "product", "overall", "speed"],
    )
    frames = {"transactions": buys, "ratings": ratings}
    for frame in frames.values():
        frame["occurred_at"] = pd.to_datetime(frame["occurred_at"], format="ISO8601")
    frame = by_customer(built(frames))
    assert frame.loc["b", "others_rating"] == 3.5 and math.isnan(frame.loc["a", "others_rating"])
    assert frame.loc["a", "rated_overall"] == 3.75 and frame.loc["a", "rated_speed"] == 1
    assert frame.loc["a", "rating_trend"] == (3 + 5) / 2 - (5 + 2) / 2


def test_nobody_and_nothing(shop):
    empty = {name: frame[:0] for name, frame in shop.items()}
    empty["transactions"] = shop["transactions"].assign(occurred_at=pd.Timestamp("2025-05-01"))
    empty = {"transactions": empty["transactions"]}
    found = built(empty)
    assert found.items == () and found.table.to_pandas().empty
    assert str(found.text).startswith("0 customers")
    with pytest.raises(CustomerlabError, match="without transactions"):
        built({"customers": shop["customers"]})
    with pytest.raises(CustomerlabError, match="after the snapshot"):
        built(shop, landmark=dt.date(2025, 4, 2))


def test_every_item_has_a_name(shop):
    assert [str(driver_name(item)) for item in ("rated_taste", "recency_days", "Q7")] == [
        "rating of: taste",
        "days since the last purchase",
        "Q7",
    ]
    assert all(str(driver_name(item)) != item for item in built(shop).items)


def test_the_order_of_rows_does_not_matter(shop):
    mixed = {name: frame.sample(frac=1, random_state=5) for name, frame in shop.items()}
    pd.testing.assert_frame_equal(
        by_customer(built(mixed)), by_customer(built(shop)), check_exact=True
    )
