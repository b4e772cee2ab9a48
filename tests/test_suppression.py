"""Who is left out by a budget, and cut points from data: hand calculations and planted truth."""

from __future__ import annotations

from dataclasses import replace

import ibis
import numpy as np
import pandas as pd
import pytest
from scipy import stats

from customerlab.errors import CustomerlabError
from customerlab.messages import Words
from customerlab.value.rfm_cuts import (
    compare_cuts,
    cuts_to_show,
    difference_found,
    learn_cuts,
)
from customerlab.value.suppression import add_losses, draw_line
from customerlab.value.suppression_shown import line_to_show

WORDS = Words("en", "CNY", 10)


def worth(values: list[float]) -> ibis.Table:
    ids = [f"c{i:05}" for i in range(len(values))]
    names = pd.Series(ids, dtype="string")
    frame = pd.DataFrame({"customer_id": names, "value": np.array(values, dtype=float)})
    return ibis.memtable(frame, schema=ibis.schema({"customer_id": "string", "value": "float64"}))


def test_the_line_by_hand():
    """Ten customers, money for four contacts, nobody drawn below: the four best are chosen."""
    line = draw_line(worth(list(range(10))), value="value", budget=8, cost=2, seed=1, tested=0)
    rows = line.rows.to_pandas().set_index("customer_id")
    assert sorted(rows.index[rows["place"] == "chosen"]) == ["c00006", "c00007", "c00008", "c00009"]
    assert line.table["customers"].tolist() == [4, 0, 6]
    assert line.table["value"].tolist() == [30, 0, 15]
    assert line.table["cost"].tolist() == [8, 0, 0]


def test_equals_at_the_line_are_drawn_by_lot_and_not_by_their_number():
    alike = worth([1.0] * 1000)
    first, again, other = (
        draw_line(alike, value="value", budget=500, cost=1, seed=seed, tested=0).rows.to_pandas()
        for seed in (1, 1, 2)
    )
    picked = [set(r.loc[r["place"] == "chosen", "customer_id"]) for r in (first, again, other)]
    assert picked[0] == picked[1] != picked[2]
    low_numbers = sum(name < "c00500" for name in picked[0])
    assert stats.binomtest(low_numbers, 500).pvalue > 0.001


def test_some_below_the_line_are_contacted_by_lot_and_the_budget_holds():
    table = worth(list(range(4000)))
    costs, drawn = [], []
    for seed in range(4):
        line = draw_line(table, value="value", budget=1000, cost=1, seed=seed, tested=0.1)
        costs.append(line.table["cost"].sum())
        drawn.append(int(line.of("tested")["customers"]))
    assert max(costs) <= 1000
    assert min(costs) > 900  # no more than the lot's own scatter is kept back
    below = 4 * (4000 - int(line.of("chosen")["customers"]))
    assert stats.binomtest(sum(drawn), below, 0.1).pvalue > 0.001
    short = draw_line(table, value="value", budget=10, cost=1, seed=0, tested=0.1)
    assert short.of("chosen")["customers"] > 0
    assert short.table["cost"].sum() <= 10


def test_what_is_lost_by_hand():
    """Half are left out today; of the lower half then, the mean and Student's interval."""
    rng = np.random.default_rng(4)
    value = np.arange(400.0)
    spend = np.where(rng.random(400) < 0.7, rng.gamma(2, 50, 400), 0).round(2)
    then = worth(value.tolist()).mutate(row=ibis.row_number())
    money = ibis.memtable({"row": np.arange(400), "next_spend": spend})
    then = then.join(money, "row").drop("row")
    line = draw_line(worth(list(range(800))), value="value", budget=400, cost=1, seed=1, tested=0)
    lost = add_losses(line, then, value="value", days=183)
    row = lost.of("left_out")
    low = spend[:200]
    ends = stats.ttest_1samp(low, 0).confidence_interval()
    wanted = np.array([low.mean(), ends.low, ends.high]) * 400
    got = row[["past_spend", "past_low", "past_high"]].astype(float)
    assert got.tolist() == pytest.approx(wanted.tolist())
    finding = lost.finding()
    assert finding.value == pytest.approx(wanted[0])
    assert "400 customers are left out" in WORDS(finding.text)
    assert "in 183 days: no more can be lost in as long" in WORDS(finding.text)


@pytest.mark.parametrize(
    ("values", "budget", "words", "status"),
    [
        ([], 10, "no customers", "not_enough_data"),
        ([5.0, 1.0], 10, "enough for everybody", "supported"),
        ([5.0, -1.0, float("nan")], 0, "too few like them", "not_enough_data"),
    ],
    ids=["nobody", "enough", "nothing"],
)
def test_edges_give_words(values, budget, words, status):
    line = draw_line(worth(values), value="value", budget=budget, cost=1, seed=1)
    followed = worth(values).mutate(next_spend=ibis.literal(0.0))
    line = add_losses(line, followed, value="value", days=90)
    assert words in WORDS(line.finding().text)
    assert line.finding().status == status
    shown = line_to_show(line, 10)
    assert set(shown["customers"]) <= {0, "<10"}
    for wrong in ({"budget": -1, "cost": 1}, {"budget": 1, "cost": 0}):
        with pytest.raises(CustomerlabError):
            draw_line(worth(values), value="value", seed=1, **wrong)


def test_no_difference_tells_how_many_are_tested():
    line = draw_line(worth([1.0] * 343), value="value", budget=300, cost=1, seed=1, tested=0.1)
    few = line.table.assign(customers=[292, 2, 49])
    few = replace(line, table=few)
    assert "50 customers are left out" in WORDS(few.finding(10).text)
    assert few.finding(10).n == 50
    assert few.finding().n == 49
    # without what followed, money is told of many only
    assert "worth" in WORDS(few.finding(10).text)
    fewer = replace(line, table=line.table.assign(customers=[338, 0, 5]))
    assert "worth" not in WORDS(fewer.finding(10).text)
    assert fewer.finding(10).value is None


def followed(n: int, seed: int, spend) -> ibis.Table:
    """Return scored customers whose later spend is `spend` of the money before."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"customer_id": [f"c{i:05}" for i in range(n)]})
    frame["recency_days"] = rng.integers(0, 365, n)
    frame["frequency"] = rng.integers(1, 20, n)
    frame["monetary"] = rng.gamma(2, 500, n).round(2)
    for score, name in {"r": "recency_days", "f": "frequency", "m": "monetary"}.items():
        worse = frame[name].rank(method="min", ascending=score != "r") - 1
        frame[score] = 1 + (5 * worse // n).astype(int)
    frame["next_spend"] = (spend(frame["monetary"], rng) + rng.gamma(1, 10, n)).round(2)
    return ibis.memtable(frame)


def test_cut_points_find_a_planted_step_that_fifths_miss():
    """Only those above 2,500 (the best 4 %) spend much: a cut there, and more is found."""

    def few(money, rng):
        return np.where(money > 2500, 1000, 0)

    compared = compare_cuts(followed(2000, 1, few), followed(2000, 2, few), seed=1)
    # a bin has 5 % of the customers or more: the cut is at their place, a little below the step
    assert 2200 < max(compared.cuts["monetary"]) <= 2500
    assert compared.learnt >= compared.fifths
    bins = cuts_to_show(compared)
    names = {one.text for one in bins["measure"]}
    assert names == {"days since the last purchase", "orders", "money"}
    assert bins.loc[bins["bin"] == 1, "low"].isna().all()


@pytest.mark.parametrize("unit", [1e-3, 1.0, 1e4])
def test_cut_points_do_not_depend_on_the_currency(unit):
    """Who bought lately spends most, in a step at 100 days, whatever a unit of money is worth."""
    table = followed(1000, 5, lambda money, rng: 0.0).to_pandas()
    lately = table["recency_days"] < 100
    table["next_spend"] = np.where(lately, 3.0, 1.0) * unit * (1 + table["frequency"] % 2)
    cuts = learn_cuts(ibis.memtable(table), seed=1)["recency_days"]
    assert 100.0 in cuts


def test_where_only_money_tells_the_best_fifth_is_that_of_the_rows():
    """Oracle: the customers with M = 5, row by row; cuts from the data are no better."""

    def plain(money, rng):
        return money * 5

    learn, judge = (followed(1000, seed, plain) for seed in (3, 4))
    compared = compare_cuts(learn, judge, seed=1)
    rows = judge.to_pandas()
    wanted = rows.loc[rows["m"] == 5, "next_spend"].sum() / rows["next_spend"].sum()
    assert compared.fifths == pytest.approx(wanted, abs=1e-9)
    assert compared.better != "learnt"
    assert compared.low < compared.difference < compared.high
    assert "lain fifths" in WORDS(compared.finding.text)


def test_the_interval_of_the_difference_covers():
    """Planted: customers fall into four cells, and spend nothing or a skewed amount there."""
    rng = np.random.default_rng(11)
    share, buy, mean = np.array([0.1, 0.1, 0.1, 0.7]), [0.6, 0.5, 0.45, 0.2], [90, 70, 60, 40]
    one, other = np.array([1, 1, 0, 0]), np.array([1, 0, 1, 0])
    expected = share * np.array(buy) * np.array(mean)
    truth = expected @ (other - one) / expected.sum()
    covered = 0
    for _ in range(400):
        cell = rng.choice(4, 1500, p=share)
        amount = rng.gamma(1.5, np.array(mean)[cell] / 1.5) * (
            rng.random(1500) < np.array(buy)[cell]
        )
        sums = (np.bincount(cell, amount, 4), np.bincount(cell, amount**2, 4))
        low, high = difference_found(*sums, one, other)[2:]
        covered += low <= truth <= high
    # the exact 99.9 % binomial band around 95 %
    assert stats.binom.ppf(0.0005, 400, 0.95) <= covered <= stats.binom.ppf(0.9995, 400, 0.95)


def test_too_few_purchases_are_not_judged():
    def nothing(money, rng):
        return -1000.0

    alone = followed(1, 1, nothing)
    compared = compare_cuts(alone, alone, seed=1)
    assert compared.better == "unknown"
    assert compared.finding.value is None
    assert compared.finding.status == "not_enough_data"
    assert set(compared.cuts.values()) == {()}
