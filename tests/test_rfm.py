"""RFM: hand calculations, and customers of every odd kind; real ones in test_value_real.py."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import ibis
import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.proportion import proportion_confint

from customerlab.calendar_months import months_before
from customerlab.errors import CustomerlabError
from customerlab.messages import Words
from customerlab.params import Params
from customerlab.privacy import HIDDEN
from customerlab.value.acting import propose_care
from customerlab.value.rfm import (
    ACTION_OF,
    ACTIONS,
    GRID,
    LAPSED,
    REGISTERED,
    SEGMENTS,
    score_and_follow,
    score_rfm,
)
from customerlab.value.rfm_flow import flow_findings, flow_to_show, follow_segments
from customerlab.value.rfm_segments import (
    COLUMNS,
    check_segments,
    describe_segments,
    segment_findings,
    segments_to_show,
)

DAY = dt.date(2025, 6, 30)
WORDS = Words("en", "CNY", 10)


def shop(lines: list[tuple], customers: list[str] | None = None) -> dict:
    """Return tables: lines are (customer, day, amount, order)."""
    frame = pd.DataFrame(lines, columns=["customer_id", "occurred_at", "amount", "order_id"])
    frame = frame.assign(
        occurred_at=pd.to_datetime(frame["occurred_at"]), amount=frame["amount"].astype(float)
    )
    types = {"customer_id": "string", "occurred_at": "timestamp(6)", "amount": "float64"}
    tables = {
        "transactions": ibis.memtable(frame, schema=ibis.schema({**types, "order_id": "string"}))
    }
    if customers is not None:
        names = pd.DataFrame({"customer_id": pd.Series(customers, dtype="string")})
        tables["customers"] = ibis.memtable(names, schema=ibis.schema({"customer_id": "string"}))
    return tables


def scores(tables: dict, **options) -> pd.DataFrame:
    found = score_rfm(tables, DAY, **options).order_by("customer_id").to_pandas()
    return found.set_index("customer_id")


def test_scores_by_hand():
    """Five customers, one scan: each score by hand; equals share the lower score."""
    lines = [
        ("a", "2025-06-30", 10, "1"),
        ("b", "2025-06-20", 20, "2"),
        ("b", "2025-06-20", 5, "2"),
        ("c", "2025-06-20", 20, "3"),
        ("c", "2025-05-01", 20, "4"),
        ("d", "2025-04-01", 20, None),
        ("d", "2025-04-01", 20, None),
        ("d", "2025-03-01", 20, "5"),
        ("e", "2025-01-01", 500, "6"),
        ("z", "2025-07-01", 999, "7"),
    ]
    got = scores(shop(lines, ["a", "b", "c", "d", "e", "f"]))
    assert got.index.tolist() == ["a", "b", "c", "d", "e", "f"]  # z is later than the day
    assert got["recency_days"].tolist()[:5] == [0, 10, 10, 90, 180]
    assert got["frequency"].tolist() == [1, 1, 2, 3, 1, 0]
    assert got["monetary"].astype(float).tolist() == [10, 25, 40, 60, 500, 0]
    assert got["r"].tolist()[:5] == [5, 3, 3, 2, 1]
    assert got["f"].tolist()[:5] == [1, 1, 4, 5, 1]
    assert got["m"].tolist()[:5] == [1, 2, 3, 4, 5]
    wanted = ["new", "about_to_sleep", "loyal", "cannot_lose", "at_risk", REGISTERED]
    assert got["segment"].tolist() == wanted
    assert got.loc["f", ["r", "f", "m", "recency_days"]].isna().all()


def test_a_window_scores_only_who_bought_in_it():
    lines = [
        ("a", "2025-06-01", 10, "1"),
        ("a", "2024-01-01", 90, "0"),
        ("b", "2024-06-01", 50, "2"),
    ]
    got = scores(shop(lines), months=12)
    assert got["segment"].tolist() == ["hibernating", LAPSED]  # alone, a is worse than nobody
    assert got["frequency"].tolist() == [1, 0]
    assert got["monetary"].astype(float).tolist() == [10, 0]
    assert got.loc["b", "recency_days"] == 394
    with pytest.raises(CustomerlabError, match="months"):
        score_rfm(shop(lines), DAY, months=0)


def test_refunds_lower_the_money_and_are_no_purchase():
    lines = [
        ("a", "2025-06-01", 10, "1"),
        ("a", "2025-06-20", -30, "1"),
        ("b", "2025-06-02", -5, "2"),
    ]
    got = scores(shop(lines, ["a", "b"]))
    assert got["monetary"].astype(float).tolist() == [-20, -5]
    assert got["frequency"].tolist() == [1, 0]
    assert got.loc["a", "recency_days"] == 29
    assert got["segment"].tolist()[1] == REGISTERED
    rows = ibis.memtable(got.reset_index())
    after = rows.mutate(bought_next=ibis.literal(False))
    seen = describe_segments(rows, after, day=DAY, landmark=DAY, next_months=3)
    assert seen.table["spend_share"].isna().all()  # of a total below 0 there are no parts


def test_a_banks_purchases_are_those_of_that_kind_and_margins_are_the_products():
    lines = [("a", "2025-06-01", -10, "1"), ("a", "2025-06-02", 500, "2")]
    tables = shop(lines)
    kind = ibis.cases((ibis._.amount < 0, "purchase"), else_="payroll")
    tables["transactions"] = tables["transactions"].mutate(kind=kind, product=ibis.literal("card"))
    tables["products"] = ibis.memtable({"product": ["card"], "margin": [0.25]})
    got = scores(tables)
    assert got.loc["a", ["frequency", "monetary", "margin"]].astype(float).tolist() == [1, 10, 2.5]
    # without kinds, too, a salary is no purchase and takes nothing from what was spent
    tables["transactions"] = tables["transactions"].drop("kind")
    tables["accounts"] = ibis.memtable({"account_id": ["1"], "customer_id": ["a"]})
    got = scores(tables)
    assert got.loc["a", ["frequency", "monetary"]].astype(float).tolist() == [1, 10]


@pytest.mark.parametrize(
    ("lines", "customers", "words"),
    [
        ([], [], "no customers"),
        ([(c, "2025-06-01", 10, c) for c in "abcdef"], None, "Too few"),
    ],
    ids=["nobody", "all alike"],
)
def test_edges_give_words(lines, customers, words):
    tables = shop(lines, customers)
    before = months_before(DAY, 3)
    followed = score_and_follow(tables, before, DAY)
    about = {"day": DAY, "landmark": before, "next_months": 3}
    seen = describe_segments(score_rfm(tables, DAY), followed, **about)
    assert words in WORDS(seen.text)
    assert seen.table.columns.tolist() == COLUMNS
    assert seen.table["segment"].tolist() == list(SEGMENTS)
    assert {f.status for f in segment_findings(seen, 10)} == {"not_enough_data"}
    assert all(f.value is None and WORDS(f.text) for f in segment_findings(seen, 10))
    check = check_segments(seen)
    assert check.passed is (False if lines else None)
    assert "recency, frequency, money" in WORDS(check.text) or not lines
    shown = segments_to_show(seen, 10)
    assert len(lines) == 0 or "<10" in shown["customers"].tolist()


def test_one_purchase_each_makes_no_champion_but_new_customers():
    lines = [(f"c{i:02}", f"2025-06-{1 + i:02}", 10 + i % 2, str(i)) for i in range(30)]
    got = scores(shop(lines))
    assert set(got["f"]) == {1}
    assert "champions" not in set(got["segment"])
    assert {"new", "promising"} <= set(got["segment"])


@pytest.fixture(scope="module")
def busy() -> dict:
    """Make a shop whose regulars buy each month, and others once a year; two in five never buy."""
    rng = np.random.default_rng(7)
    lines = []
    for i in range(300):
        often = i % 3 == 0
        for month in range(24):
            if rng.random() < (0.8 if often else 0.08):
                day = pd.Timestamp(2023, 7, 1) + pd.DateOffset(
                    months=month, days=int(rng.integers(28))
                )
                lines.append((f"c{i:03}", day, int(rng.integers(5, 50)), f"{i}-{month}"))
    return shop(lines, [f"c{i:03}" for i in range(500)])


@pytest.fixture(scope="module")
def scored(busy):
    return score_rfm(busy, DAY, months=12).cache()


def test_segments_add_up_and_rates_are_those_of_the_rows(busy, scored):
    """Oracle: the same by pandas from the scored rows; Wilson's interval of statsmodels."""
    march = dt.date(2025, 3, 31)
    followed = score_and_follow(busy, march, DAY, months=12).cache()
    seen = describe_segments(scored, followed, day=DAY, landmark=march, next_months=3)
    table, rows = seen.table.set_index("segment"), scored.to_pandas()
    assert table["customers"].sum() == len(rows) == 500
    assert table["share"].sum() == pytest.approx(1)
    assert table["spend_share"].sum() == pytest.approx(1)
    champions = rows[rows["segment"] == "champions"]
    spend = champions["monetary"].astype(float).sum()
    assert table.loc["champions", "spend"] == pytest.approx(spend)
    assert table.loc["champions", "average_order"] == spend / champions["frequency"].sum()
    then = followed.to_pandas()
    lines = busy["transactions"].to_pandas()
    later = set(lines.loc[lines["occurred_at"] >= "2025-04-01", "customer_id"])
    assert then.loc[then["bought_next"], "customer_id"].isin(later).all()
    assert then["bought_next"].sum() == len(later)
    mine = then[then["segment"] == "champions"]["bought_next"]
    low, high = proportion_confint(mine.sum(), len(mine), method="wilson")
    got = table.loc["champions", ["next_n", "next_rate", "next_low", "next_high"]]
    assert got.astype(float).tolist() == pytest.approx([len(mine), mine.mean(), low, high])
    assert "Most money comes from" in WORDS(seen.text)
    assert "registered and never bought" in WORDS(segment_findings(seen, 10)[1].text)


@pytest.mark.parametrize(
    ("few", "stays"),
    [({"new": 4}, {"registered": 15}), ({"registered": 4}, {}), ({"new": 12, "lapsed": 4}, {})],
    ids=["new customers", "registered", "lapsed"],
)
def test_no_sum_that_is_told_gives_a_small_segment_away(busy, scored, few, stays):
    march = dt.date(2025, 3, 31)
    after = score_and_follow(busy, march, DAY, months=12)
    seen = describe_segments(scored, after, day=DAY, landmark=march, next_months=3)
    sizes = {name: 40 for name in SEGMENTS} | few | stays
    table = seen.table.assign(customers=[sizes[name] for name in seen.table["segment"]])
    seen = replace(seen, table=table)
    shown = segments_to_show(seen, 10)
    unknown = shown["customers"].map(lambda n: isinstance(n, str))
    assert unknown.sum() > 1
    others = table["segment"] != REGISTERED  # the findings tell of these alone
    for _, part in table[others].groupby("action"):
        assert unknown[part.index].sum() != 1
    assert unknown[~others].item() == ("registered" in few)
    most, promising, low = segment_findings(seen, 10)
    told = {"most_valuable": most.n, "low_value": low.n}
    step = 10 if few == {"registered": 4} else 1
    exact = table.groupby("action")["customers"].sum()
    assert told == {
        "most_valuable": round(exact["keep"] / step) * step,
        "low_value": round(exact["spare"] / step) * step,
    }
    assert ("<10 registered" in WORDS(promising.text)) == ("registered" in few)


def test_registered_customers_alone_are_no_segments_to_compare(scored):
    rows = scored.filter(ibis._.segment == REGISTERED)
    after = rows.mutate(bought_next=ibis.literal(False))
    seen = describe_segments(rows, after, day=DAY, landmark=DAY, next_months=3)
    assert "Nobody has bought" in WORDS(seen.text)
    assert check_segments(seen).passed is None
    values = {finding.id: finding.value for finding in segment_findings(seen, 10)}
    assert values["customer_value.promising"] == 0
    assert values["customer_value.most_valuable"] is None


def test_what_is_known_later_changes_no_score(busy):
    early = {**busy, "transactions": busy["transactions"].filter(ibis._.occurred_at < "2025-01-01")}
    day = dt.date(2024, 12, 31)
    one, other = (score_rfm(t, day).order_by("customer_id").to_pandas() for t in (busy, early))
    pd.testing.assert_frame_equal(one, other)
    with pytest.raises(CustomerlabError, match="nothing follows"):
        score_and_follow(busy, DAY, DAY)


def test_movement_by_hand_and_masked(busy, scored):
    since = dt.date(2024, 6, 30)
    then, now = score_rfm(busy, since, months=12).cache(), scored
    flow = follow_segments(then, now, since=since, day=DAY)
    names = [t.to_pandas().set_index("customer_id")["segment"] for t in (then, now)]
    plain = pd.crosstab(*names)
    for row in flow.table.itertuples():
        assert plain.loc[row.then, row.now] == row.customers
    assert flow.table["customers"].sum() == 500
    assert flow.table.groupby("then")["share_of_then"].sum().tolist() == pytest.approx(
        [1] * flow.table["then"].nunique()
    )
    shown = flow_to_show(flow, 10)
    for (_, row), n in zip(shown.iterrows(), flow.table["customers"], strict=True):
        assert row["customers"] == ("<10" if n < 10 else 10 * round(n / 10))
        assert n >= 10 or row["share_of_then"] == HIDDEN
    stayed = flow_findings(flow)[0]
    n, there = flow.moved("keep", "keep")
    assert stayed.value == there / n
    assert stayed.low < stayed.value < stayed.high
    nobody = scored.filter(ibis._.r > 5)
    empty = follow_segments(nobody, nobody, since=since, day=DAY)
    assert flow_to_show(empty, 10).columns.tolist() == flow.table.columns.tolist()
    assert {f.status for f in flow_findings(empty)} == {"not_enough_data"}


def test_a_new_customer_came_from_nowhere():
    then = ibis.memtable({"customer_id": ["a"], "segment": ["hibernating"]})
    now = ibis.memtable({"customer_id": ["a", "b"], "segment": ["loyal", "new"]})
    flow = follow_segments(then, now, since=dt.date(2024, 6, 30), day=DAY)
    assert flow.table["then"].tolist() == ["hibernating", "joined"]
    assert flow.table["now"].tolist() == ["loyal", "new"]


def test_actions_keep_a_control_and_spend_nothing_on_low_value(scored):
    assert set(ACTION_OF) == set(SEGMENTS)
    assert set(ACTION_OF.values()) == set(ACTIONS)
    assert {name for row in GRID.values() for name in row} | {REGISTERED, LAPSED} == set(SEGMENTS)
    params = Params(client="a", snapshot=DAY, seed=3, customer_value={"control_share": 0.2})
    asked = propose_care(scored, None, params=params, words=WORDS).to_pandas()
    segments = scored.to_pandas().set_index("customer_id")["segment"]
    assert set(asked["customer_id"]) == set(segments[segments.map(ACTION_OF) != "spare"].index)
    registered = asked[asked["customer_id"].map(segments) == REGISTERED]
    assert len(registered) >= 200
    assert set(registered["reason"]) == {"market to them until they buy"}
    control = (asked["arm"] == "control").mean()
    assert abs(control - 0.2) < 4 * np.sqrt(0.16 / len(asked))
    assert asked["propensity"].where(asked["arm"] == "contact").dropna().unique() == [0.8]
    again = propose_care(scored, None, params=params, words=WORDS).to_pandas()
    assert again.sort_values("customer_id", ignore_index=True).equals(
        asked.sort_values("customer_id", ignore_index=True)
    )
