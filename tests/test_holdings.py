"""Products held and gaps: plain pandas, intervals that cover, planted truth, and odd customers."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import ibis
import numpy as np
import pandas as pd
import pytest
from scipy import stats

from customerlab.messages import Message, Words
from customerlab.privacy import HIDDEN
from customerlab.value.gaps import against_other_half, coarse_enough, rank_things, sum_gaps
from customerlab.value.holdings import PAIRS, PRODUCTS, count_holdings, held_products
from customerlab.value.holdings_answers import holdings_findings
from customerlab.value.holdings_shown import pairs_to_show, products_to_show

WORDS = Words("en", "CNY", 10)
DAY = dt.date(2025, 12, 31)


def people_of(n: int) -> pd.DataFrame:
    """Return customers of two ages and two regions; the older ones have more."""
    rng = np.random.default_rng(4)
    old = rng.random(n) < 0.5
    return pd.DataFrame(
        {
            "customer_id": [f"c{i:05}" for i in range(n)],
            "birth_date": [dt.date(1960, 5, 5) if one else dt.date(1995, 5, 5) for one in old],
            "region": rng.choice(["north", "south"], n),
            "assets": np.where(old, 5000.0, 100.0),
            "layer": np.where(np.arange(n) % 10 == 9, "dormant", "valid"),
        }
    )


def accounts_of(held: dict[str, np.ndarray], ids: pd.Series) -> dict[str, ibis.Table]:
    """Return accounts: who has one, by product; some are closed, some are held twice."""
    rows = [
        (one, product, closed)
        for product, has in held.items()
        for i, one in enumerate(ids)
        for closed in ([None, None] if has[i] and i % 7 == 0 else [None] if has[i] else [DAY])
    ]
    frame = pd.DataFrame(rows, columns=["customer_id", "product", "closed_on"])
    frame["account_id"] = [f"a{i}" for i in range(len(frame))]
    kinds = dict.fromkeys(("customer_id", "product", "account_id"), "string")
    return {"accounts": ibis.memtable(frame, schema=ibis.schema(kinds | {"closed_on": "date"}))}


@pytest.fixture(scope="module")
def bank():
    """Return customers, accounts and who holds what: most of the old have a pension."""
    people = people_of(1500)
    rng = np.random.default_rng(7)
    old = (people["assets"] > 1000).to_numpy()
    held = {
        "current": np.ones(len(people), dtype=bool),
        "pension": rng.random(len(people)) < np.where(old, 0.8, 0.05),
        "card": rng.random(len(people)) < 0.3,
    }
    return people, accounts_of(held, people["customer_id"]), pd.DataFrame(held)


def count(tables: dict[str, ibis.Table], people: pd.DataFrame):
    return count_holdings(tables, ibis.memtable(people), DAY, keep=lambda table: table.cache())


@pytest.fixture(scope="module")
def got(bank):
    return count(bank[1], bank[0])


def test_counts_are_those_of_plain_pandas(bank, got):
    people, _, held = bank
    assert got.by == ("age_band", "region", "means") and not got.bought
    active = held[people["layer"] == "valid"]
    lines = got.products.set_index("product")
    assert lines["holders"].to_dict() == active.sum().to_dict()
    assert (lines["customers"] == len(active)).all()
    pairs = got.pairs.set_index(["held", "missing"])
    assert len(pairs) == 6
    for one, other in pairs.index:
        both = int((active[one] & active[other]).sum())
        assert pairs.loc[(one, other), "together"] == both
        share = both / active[one].sum()
        assert pairs.loc[(one, other), "lift"] == pytest.approx(share / active[other].mean())
    each = active.sum(axis=1)
    counted = got.numbers.set_index("products")["customers"]
    assert counted[counted > 0].to_dict() == each.value_counts().to_dict()
    mean, gap = holdings_findings(got)
    assert mean.value == pytest.approx(each.mean())
    interval = stats.norm.interval(0.95, each.mean(), each.std() / np.sqrt(len(each)))
    assert (mean.low, mean.high) == pytest.approx(interval)
    # the old who lack a pension, and nobody else
    old = (people["assets"] > 1000) & (people["layer"] == "valid")
    row = pairs.loc[("current", "pension")]
    assert (row["like"], row["gap"]) == (old.sum(), (old & ~held["pension"]).sum())
    assert got.pairs.iloc[0][["held", "missing"]].tolist() == ["current", "pension"]
    assert row["like_low"] < 0.8 < row["like_high"]
    assert (gap.value, gap.status) == (row["like_share"], "supported")
    assert f"The largest gap: {row['gap']} customers with “current” lack “pension”" in WORDS(
        gap.text
    )


def test_what_comes_next_is_what_like_customers_hold(bank, got):
    people, _, held = bank
    scores = got.scores.to_pandas().set_index("customer_id")
    old = people["assets"] > 1000
    for _, row in people[people["layer"] == "valid"].iterrows():
        has = held.loc[row.name]
        order = ["pension", "card"] if old[row.name] else ["card", "pension"]
        lacking = [product for product in order if not has[product]]
        wanted = lacking[0] if lacking else None
        assert scores.loc[row["customer_id"], "next_product"] == wanted or (
            wanted is None and pd.isna(scores.loc[row["customer_id"], "next_product"])
        )
    assert len(scores) == (people["layer"] == "valid").sum()
    assert got.products["next_for"].sum() == scores["next_product"].notna().sum()


def test_a_group_is_not_judged_by_the_customers_that_chose_it():
    """400 lines of 30 groups near the threshold: Wilson's interval covers what is true of them.

    Judged by the same customers, the groups that happen to look full would be chosen, and the
    interval would cover the truth seldom.
    """
    rng = np.random.default_rng(11)
    lines, groups = 400, 30
    true = rng.uniform(0.5, 0.7, groups)
    sizes = pd.DataFrame({"g": np.repeat(np.arange(groups), 2), "half": [True, False] * groups})
    sizes["n"] = 40
    counts = sizes.drop(columns="n").merge(pd.DataFrame({"thing": np.arange(lines)}), how="cross")
    counts["k"] = rng.binomial(40, true[counts["g"]])
    rows = against_other_half(sizes, counts, range(lines), "thing")
    got = sum_gaps(rows, ["thing"]).set_index("thing")
    # of 40, Wilson's interval is above one half from 27 on: score test by hand
    assert (27 / 40 - 0.5) / np.sqrt(0.25 / 40) > 1.96 > (26 / 40 - 0.5) / np.sqrt(0.25 / 40)
    chosen = rows[(rows["other_k"] / rows["other_n"]) >= 27 / 40]
    assert chosen.groupby("thing")["n"].sum().equals(got["like"][got["like"] > 0])
    truth = chosen.assign(true=true[chosen["g"].astype(int)] * chosen["n"])
    truth = truth.groupby("thing")["true"].sum() / got["like"]
    known = got["like"] > 0
    covered = int((truth[known].between(got["like_low"][known], got["like_high"][known])).sum())
    # groups differ, so that a share of all varies less than Wilson thinks: no upper end
    assert stats.binomtest(covered, int(known.sum()), 0.95, alternative="less").pvalue > 0.001
    naive = rows[rows["k"] / rows["n"] >= 27 / 40].groupby("thing")[["n", "k"]].sum()
    naive_truth = rows[rows["k"] / rows["n"] >= 27 / 40]
    naive_truth = (true[naive_truth["g"].astype(int)] * naive_truth["n"]).groupby(
        naive_truth["thing"]
    ).sum() / naive["n"]
    assert (naive["k"] / naive["n"] - naive_truth).mean() > 0.05
    assert abs((got["like_share"] - truth)[known].mean()) < 0.01


def test_categories_are_given_up_until_most_have_like_ones():
    sizes = pd.DataFrame(
        [(a, b, m, half, 8) for a in "xy" for b in "pqr" for m in "12" for half in (True, False)],
        columns=["age", "place", "means", "half", "n"],
    )
    assert coarse_enough(sizes, ["age", "place", "means"]) == ("age", "means")
    assert coarse_enough(sizes.assign(n=20), ["age", "place", "means"]) == ("age", "place", "means")
    assert coarse_enough(sizes.assign(n=1), ["age", "place", "means"]) == ("means",)
    assert coarse_enough(sizes.iloc[:0], ["age", "means"]) == ("age", "means")


def test_a_shops_customers_have_what_they_bought_of_late():
    day = dt.datetime(2025, 12, 1)
    rows = [
        ("a", day, 10.0, "toys"),
        ("a", day, 10.0, "toys"),
        ("a", dt.datetime(2024, 6, 1), 10.0, "books"),  # too long ago
        ("b", day, -10.0, "books"),  # sent back
        ("b", day, 5.0, None),
    ]
    frame = pd.DataFrame(rows, columns=["customer_id", "occurred_at", "amount", "category"])
    kinds = {"customer_id": "string", "occurred_at": "timestamp", "amount": "decimal(18, 4)"}
    table = ibis.memtable(frame, schema=ibis.schema(kinds | {"category": "string"}))
    held, bought = held_products({"transactions": table}, DAY)
    assert bought
    assert held.to_pandas().to_numpy().tolist() == [["a", "toys"]]
    got = count({"transactions": table}, pd.DataFrame({"customer_id": ["a", "b"]}))
    assert got.by == ()
    assert got.numbers["customers"].tolist() == [1, 1]
    mean, gap = holdings_findings(got)
    assert mean.status == gap.status == "not_enough_data"


def test_nobody(bank):
    people, tables, _ = bank
    got = count(tables, people.assign(layer="invalid"))
    assert got.customers == 0
    assert got.products.columns.tolist() == PRODUCTS and got.products.empty
    assert got.pairs.columns.tolist() == PAIRS and got.pairs.empty
    assert products_to_show(got, 10).empty and pairs_to_show(got, 10).empty
    assert [one.status for one in holdings_findings(got)] == ["not_enough_data"] * 2


def test_without_a_gap_the_next_product_is_named(got):
    flat = holdings_findings(replace(got, pairs=got.pairs.assign(gap=7)))[1]
    assert isinstance(flat.value, Message) and flat.low is None
    first = got.products.loc[got.products["next_for"].idxmax(), "product"]
    assert f"comes next for most is “{first}”" in WORDS(flat.text)
    alone = replace(got, pairs=got.pairs.iloc[:0], products=got.products.assign(next_for=0))
    assert "Too few customers are alike" in WORDS(holdings_findings(alone)[1].text)


def test_no_count_below_the_smallest_is_shown(got):
    few = got.products.assign(
        holders=[1349, 7, 400], share=[0.999, 0.005, 0.3], next_for=[0, 8, 90]
    )
    lines = products_to_show(replace(got, products=few), 10)
    assert lines["customers"].tolist() == [1350] * 3
    assert lines["holders"].tolist() == [1350, "<10", 400]
    assert lines["share"].tolist() == [HIDDEN, HIDDEN, 0.3]  # one of 1,350 lacks the first
    assert lines["next_for"].tolist() == [0, "<10", 90]
    assert lines["next_share"].tolist()[1] == HIDDEN
    pairs = got.pairs.assign(like=[0, 3, *got.pairs["like"][2:]], lift=1.234)
    pairs.loc[0, ["holders", "together", "share"]] = [40, 4, 0.1]
    shown = pairs_to_show(replace(got, pairs=pairs), 10)
    assert shown.loc[0, ["together", "share", "lift"]].tolist() == ["<10", HIDDEN, HIDDEN]
    assert shown.loc[1, ["like", "lift"]].tolist() == ["<10", 1.23]


def test_things_are_ranked_by_the_other_half():
    sizes = pd.DataFrame({"g": [1, 1], "half": [True, False], "n": [30, 30]})
    counts = pd.DataFrame(
        {"g": 1, "half": [True, True, False], "thing": ["a", "b", "b"], "k": [20, 10, 30]}
    )
    got = rank_things(against_other_half(sizes, counts, ["a", "b", "c"], "thing"), "thing", 2)
    got = got.set_index(["half", "place"])
    assert got["thing"].to_dict() == {(False, 0): "a", (False, 1): "b", (True, 0): "b"}
    assert got.loc[(False, 0), "like_share"] == pytest.approx(20 / 30)
