"""Whom to contact, against planted truth, statsmodels, and a search by plain loops."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.weightstats import DescrStatsW

from customerlab.messages import ENGLISH
from customerlab.uplift.doubly_robust import score_customers
from customerlab.uplift.policies import COLUMNS, RULES, judge_policies
from customerlab.uplift.policy_answers import best_policy, targeting_pays, within_budget
from customerlab.uplift.ranking import rank_effects

MARGIN = 10.0


def planted(n: int, rng: np.random.Generator, *, effect=None, base: float = 0.3):
    """Return an even priority from 0 to 1, and scores of a 0/1 outcome with that effect of it."""
    priority, arm = rng.random(n), rng.random(n) < 0.5
    chance = base + arm * (effect(priority) if effect else 0.1)
    outcome = rng.random(n) < chance
    return priority, score_customers(arm, outcome, 0.5)


def fifth(priority: np.ndarray) -> np.ndarray:
    """Return an effect that only the fifth put first has."""
    return np.where(priority > 0.8, 0.4, 0.0)


def judged(priority, scores, rng, *, cost: float, half=None):
    ranking = rank_effects(scores, priority, rng=rng, called="visits")
    return judge_policies(
        scores, priority, ranking=ranking, margin=MARGIN, cost=cost, rng=rng, half=half
    )


def claims(priority, scores, rng, any_ranking, *, cost: float) -> tuple[bool, bool]:
    """Return whether values alone claim that targeting pays, and whether it is claimed.

    An order is only judged where the values claim it, for halves are slow over many seeds.
    """
    assert any_ranking.tells_apart
    args = {"margin": MARGIN, "cost": cost, "rng": rng}
    got = judge_policies(scores, priority, ranking=any_ranking, **args)
    if not got.targeting_pays:
        return False, False
    own = rank_effects(scores, priority, rng=rng)
    return True, replace(got, tells_apart=own.tells_apart).targeting_pays


@pytest.fixture(scope="module")
def ranking():
    """Return an order that surely tells customers apart."""
    rng = np.random.default_rng(99)
    priority, scores = planted(3000, rng, effect=fifth)
    return rank_effects(scores, priority, rng=rng)


def test_a_campaign_that_earns_only_in_a_fifth_is_sent_to_that_fifth():
    rng = np.random.default_rng(1)
    priority, scores = planted(8000, rng, effect=fifth)
    # all: 0.08 x 10 - 1.5 is a loss of 0.7; the fifth: 4 - 1.5, of all customers 0.5
    got = judged(priority, scores, rng, cost=1.5)
    assert (got.simple, got.chosen, got.best) == ("nobody", "best_share", "best_share")
    assert got.targeting_pays
    assert got.share == pytest.approx(0.2, abs=0.02)
    assert got.threshold == pytest.approx(0.8, abs=0.02)
    assert got.row("best_share")["gain_low"] < 0.5 < got.row("best_share")["gain_high"]
    assert got.row("everybody")["gain_low"] < -0.7 < got.row("everybody")["gain_high"]
    one, other = targeting_pays(got), best_policy(got)
    assert (one.id, one.status) == ("uplift_tests.targeting_pays", "supported")
    assert "who are foretold to be moved most" in ENGLISH(one.text)
    assert (other.id, other.status) == ("uplift_tests.best_policy", "supported")
    assert ENGLISH(other.text).startswith("Contact the 20")
    assert other.low < 0.5 < other.high


def test_values_hold_the_planted_truth(ranking):
    def effect(priority):
        return 0.5 * priority - 0.1

    def true_gain(least, cost):  # the integral of 10 (0.5 u - 0.1) - cost from `least` to 1
        return 2.5 * (1 - least**2) - (1 + cost) * (1 - least)

    seeds, names = 300, ["nobody", "everybody", "best_share", "above_cost"]
    held = {name: np.zeros(3) for name in names}
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        priority, scores = planted(800, rng, effect=effect)
        got = judge_policies(scores, priority, ranking=ranking, margin=MARGIN, cost=1.0, rng=rng)
        least = {"nobody": 1, "everybody": 0, "above_cost": 0.1, "best_share": got.threshold}
        base = true_gain(least[got.simple], 1.0)
        for name in names:
            row, true = got.row(name), true_gain(least[name], 1.0)
            held[name][0] += row["low"] <= 3 + true <= row["high"]
            held[name][1] += row["gain_low"] - 1e-12 <= true <= row["gain_high"] + 1e-12
            held[name][2] += (
                row["difference_low"] - 1e-12 <= true - base <= row["difference_high"] + 1e-12
            )
    least, most = stats.binom.interval(1 - 0.001 / 12, seeds, 0.95)
    assert held["nobody"][1] == seeds  # exactly nothing
    for name in names:
        assert (least <= held[name]).all(), (name, held[name] / seeds)
        assert least <= held[name][0] <= most
    assert held["best_share"][1] <= most


@pytest.mark.parametrize("cost", [0.5, 1.0, 1.2])
def test_without_heterogeneity_targeting_is_seldom_claimed(cost, ranking):
    """All are moved by 0.1, worth 1: contact pays for all, is worth its cost, or does not pay."""
    seeds, claimed, by_value_alone = 400, 0, 0
    for seed in range(seeds):
        rng = np.random.default_rng(10_000 + seed)
        priority, scores = planted(600, rng)
        by_value, by_both = claims(priority / 5, scores, rng, ranking, cost=cost)
        by_value_alone, claimed = by_value_alone + by_value, claimed + by_both
    for many in (claimed, by_value_alone):
        assert stats.binomtest(int(many), seeds, 0.05, alternative="greater").pvalue > 0.01, many


def test_a_planted_group_is_found_with_power(ranking):
    found = 0
    for seed in range(50):
        rng = np.random.default_rng(seed)
        priority, scores = planted(3000, rng, effect=fifth)
        found += claims(priority, scores, rng, ranking, cost=1.5)[1]
    # 0.5 a customer with a standard error of some 0.13: 96 %
    assert found >= stats.binom.ppf(0.001, 50, 0.9)


def test_intervals_are_those_of_statsmodels_and_the_choice_that_of_plain_loops():
    rng = np.random.default_rng(3)
    priority, scores = planted(2000, rng, effect=fifth)
    half = np.arange(2000) % 2 == 0
    got = judged(priority, scores, rng, cost=1.0, half=half)
    won = MARGIN * (scores.treated - scores.untreated) - 1.0
    best, least = -np.inf, None
    falling = sorted(priority[half], reverse=True)
    for twentieths in range(1, 20):
        threshold = falling[twentieths * 50 - 1]
        total = sum(won[i] for i in range(0, 2000, 2) if priority[i] >= threshold)
        if total > best:
            best, least = total, threshold
    assert got.threshold == least
    who = (priority[~half] >= least).astype(float)
    value = MARGIN * scores.untreated[~half] + who * won[~half]
    row = got.row("best_share")
    assert row["share"] == who.mean()
    for name, each in {"": value, "gain_": who * won[~half]}.items():
        ends = DescrStatsW(each).tconfint_mean()
        assert (row[f"{name}low"], row[f"{name}high"]) == pytest.approx(ends, rel=1e-9)
    ends = DescrStatsW((who - 1) * won[~half]).tconfint_mean()
    assert (row["over_everybody_low"], row["over_everybody_high"]) == pytest.approx(ends)
    assert got.n == 1000
    assert list(got.table.columns) == COLUMNS
    assert [*got.table["rule"], "budget"] == list(RULES)


def test_the_half_that_judges_has_no_part_in_the_choice():
    rng = np.random.default_rng(4)
    priority, scores = planted(2000, rng, effect=fifth)
    half = np.arange(2000) < 1000
    other = replace(scores, treated=np.where(half, scores.treated, -scores.treated))
    one, two = (judged(priority, x, rng, cost=1.0, half=half) for x in (scores, other))
    assert (one.threshold, one.simple, one.chosen) == (two.threshold, two.simple, two.chosen)


@pytest.mark.parametrize(
    ("cost", "words"),
    [(0.0, "Contact everybody"), (5.0, "Contact nobody"), (1.0, "Whether contact pays")],
)
def test_without_a_group_it_is_all_or_none(cost, words):
    rng = np.random.default_rng(5)
    priority, scores = planted(4000, rng)
    got = judged(priority, scores, rng, cost=cost)
    assert not got.targeting_pays
    assert got.best in {"nobody", "everybody"}
    assert words in ENGLISH(best_policy(got).text)
    assert best_policy(got).status == ("weak" if cost == 1 else "supported")
    assert "no group to pick" in ENGLISH(targeting_pays(got).text)
    assert targeting_pays(got).status == "weak"
    sure = replace(got, tells_apart=True)
    assert "does not surely pay" in ENGLISH(targeting_pays(sure).text)


def test_where_all_are_foretold_alike_there_is_still_all_or_none():
    rng = np.random.default_rng(6)
    _, scores = planted(4000, rng)
    got = judged(np.full(4000, 0.1), scores, rng, cost=0.1)
    assert (got.chosen, got.best) == ("", "everybody")
    assert np.isnan(got.share)
    assert "No group to pick" in ENGLISH(targeting_pays(got).text)
    assert targeting_pays(got).value is None
    assert "Contact everybody" in ENGLISH(best_policy(got).text)


def test_tied_priorities_are_contacted_together():
    rng = np.random.default_rng(7)
    priority, scores = planted(4000, rng, effect=fifth)
    got = judged((priority > 0.8).astype(float), scores, rng, cost=1.5)
    assert got.threshold == 1
    assert got.share == pytest.approx(0.2, abs=0.03)


@pytest.mark.parametrize("case", ["nobody", "one_arm", "few", "rare"])
def test_too_little_gives_words_and_an_empty_table(case):
    rng = np.random.default_rng(8)
    n = {"nobody": 0, "few": 80}.get(case, 600)
    arm = np.ones(n) if case == "one_arm" else rng.random(n) < 0.5
    outcome = rng.random(n) < (0.04 if case == "rare" else 0.4)
    got = judged(rng.random(n), score_customers(arm, outcome, 0.5), rng, cost=1.0)
    assert got.status == "not_enough_data"
    assert got.table.empty
    assert list(got.table.columns) == COLUMNS
    assert (got.targeting_pays, got.best) == (False, "")
    for one in (targeting_pays(got), best_policy(got)):
        assert (one.status, one.value) == ("not_enough_data", None)
        assert "Not enough data" in ENGLISH(one.text)


def test_a_budget_buys_the_best_that_it_can(ranking):
    rng = np.random.default_rng(10)
    priority, scores = planted(8000, rng, effect=fifth)
    asked = {"ranking": ranking, "margin": MARGIN, "cost": 1.5, "half": np.arange(8000) < 4000}

    def within(**budget):
        return judge_policies(scores, priority, **asked, **budget, rng=rng)

    small = within(budget=1200.0)  # 800 of 8,000 customers
    row = small.row("budget")
    assert (small.affordable, small.budget_share) == pytest.approx((0.1, 0.1))
    # 0.1 x (10 x 0.4 - 1.5) for each of all
    assert row["gain_low"] < 0.25 < row["gain_high"]
    judged_half, first = priority[4000:], np.sort(priority[4000:])[-400]
    won = MARGIN * scores.effect[4000:] - 1.5
    assert row["gain"] == pytest.approx((won * (judged_half >= first)).mean())
    assert within(budget=120.0, customers=800).affordable == pytest.approx(0.1)
    # more than the fifth that is moved would lose money again
    assert within(budget=1e6).affordable == 1
    assert within(budget=1e6).budget_share == pytest.approx(0.2)
    none = within(budget=0.0)
    assert none.row("budget")[["share", "gain"]].tolist() == [0, 0]
    assert "pays for nobody" in ENGLISH(within_budget(none).text)
    # where contact loses money, the least that can be asked for; all are alike, so by lot
    alike = judge_policies(scores, np.ones(8000), **asked, budget=1200.0, rng=rng).row("budget")
    assert alike["share"] == pytest.approx(0.05)
    assert alike["gain"] == pytest.approx(won.mean() * 0.05)
    with pytest.raises(ValueError, match="budget"):
        within(budget=-1.0)


@pytest.mark.parametrize(("margin", "cost"), [(0, 1), (-1, 1), (np.nan, 1), (1, -1), (1, np.nan)])
def test_amounts_that_are_none_are_refused(margin, cost):
    rng = np.random.default_rng(9)
    priority, scores = planted(200, rng)
    ranking = rank_effects(scores, priority, rng=rng)
    with pytest.raises(ValueError, match="margin"):
        judge_policies(scores, priority, ranking=ranking, margin=margin, cost=cost, rng=rng)
