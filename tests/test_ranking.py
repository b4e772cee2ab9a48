"""Orders of customers against R, econml, permutations, hand calculation, and planted truth."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT, SHARED
from scipy import stats

from customerlab.messages import ENGLISH
from customerlab.uplift.doubly_robust import Scores, score_customers
from customerlab.uplift.fifths import calibrate_uplift
from customerlab.uplift.ranking import _halves, _whole, ordered, rank_effects

ORACLES = ROOT / "tests" / "oracles"


@pytest.fixture(scope="module")
def oracle() -> dict[str, float]:
    return pd.read_csv(ORACLES / "ranking.csv").set_index("name")["value"].to_dict()


def rows(n: int = 60) -> tuple[pd.DataFrame, Scores]:
    """Return the rows that R had."""
    d = pd.read_csv(ORACLES / "ranking_rows.csv").head(n)
    return d, score_customers(d["arm"], d["outcome"], d["propensity"], d["mu0"], d["mu1"])


def planted(n: int, rng: np.random.Generator, *, rise: float = 1.0, mean: float = 0.5):
    """Return priority (even from 0 to 1) and scores: the effect rises by `rise` over it."""
    priority, arm = rng.random(n), rng.random(n) < 0.5
    base = rng.normal(size=n)
    outcome = base + arm * (mean + rise * (priority - 0.5)) + rng.normal(size=n) * 0.5
    guess = mean + rise * (priority - 0.5)
    return priority, score_customers(arm, outcome, 0.5, base, base + guess)


def at_once(scores: Scores, priority: np.ndarray) -> np.ndarray:
    """Return AUTOC, QINI and the mean effect, of as few rows as one likes."""
    order, starts = ordered(scores, priority)
    return _whole(scores.effect[order], starts)


@pytest.mark.parametrize("priority", ["priority", "tied"])
@pytest.mark.parametrize("n", [8, 60])
def test_coefficients_are_those_of_the_definition_in_r(oracle, priority, n):
    d, scores = rows(n)
    got = at_once(scores, d[priority])
    assert got[0] == pytest.approx(oracle[f"{priority}.{n}.autoc"], abs=1e-12)
    assert got[1] == pytest.approx(oracle[f"{priority}.{n}.qini"], abs=1e-12)
    half = 3 + 20 + 9  # the TOC of half of the customers
    assert got[half] == pytest.approx(oracle[f"{priority}.{n}.toc"], abs=1e-12)


@pytest.mark.parametrize("priority", ["priority", "tied"])
def test_errors_are_those_over_every_half(oracle, priority):
    d, scores = rows(8)
    order, starts = ordered(scores, d[priority])
    drawn = _halves(scores.effect[order], starts, np.random.default_rng(1), 40_000)
    for place, one in enumerate(["autoc", "qini"]):
        # 40,000 draws tell a standard deviation to some 0.4 %
        true = oracle[f"{priority}.8.{one}.error"]
        assert drawn[:, place].std(ddof=1) == pytest.approx(true, rel=0.02)


def test_eight_rows_by_hand():
    effect = np.array([8.0, 6, 4, 2, 0, 0, -2, -2])
    scores = Scores(np.arange(8) % 2 == 0, effect, np.zeros(8), effect)
    # means of the first 1, 2, ... 8, less the mean of all, which is 2
    toc = [6, 5, 4, 3, 2, 10 / 3 - 2, 18 / 7 - 2, 0]
    got = at_once(scores, np.arange(8)[::-1])
    assert got[:3] == pytest.approx([sum(toc) / 8, np.dot(toc, np.arange(1, 9)) / 64, 2])
    gains = dict(zip(np.arange(1, 21), got[3:23], strict=True))
    # a quarter is two customers: 8 + 6 of 8; 5 % are 0.4 of the first customer
    assert (gains[5], gains[10], gains[20], gains[1]) == pytest.approx((14 / 8, 20 / 8, 2, 0.4))
    # two levels, each replaced by its mean: 5 and -1
    tied = [3, 3, 3, 3, 19 / 5 - 2, 3 - 2, 17 / 7 - 2, 0]
    assert at_once(scores, np.repeat([1, 0], 4))[:2] == pytest.approx(
        [sum(tied) / 8, np.dot(tied, np.arange(1, 9)) / 64]
    )
    assert at_once(scores, np.zeros(8))[:3] == pytest.approx([0, 0, 2])


def test_ties_do_not_hang_on_the_order_of_rows():
    d, scores = rows()
    shuffled = np.random.default_rng(3).permutation(60)
    other = at_once(scores.take(shuffled), d["tied"].to_numpy()[shuffled])
    assert other == pytest.approx(at_once(scores, d["tied"]), abs=1e-12)


def test_toc_and_its_error_are_those_of_econml():
    pytest.importorskip("econml")
    from econml.validate.utils import calc_uplift

    priority, scores = planted(2000, np.random.default_rng(4))
    asked = np.arange(5, 100, 5)
    own = rank_effects(scores, priority, rng=np.random.default_rng(1), draws=1000).table
    own = own.iloc[:-1]
    # its thresholds are at a percentile, so between two customers
    *_, toc = calc_uplift(priority, priority, scores.effect, 100 - asked, "toc", 2)
    *_, gain = calc_uplift(priority, priority, scores.effect, 100 - asked, "qini", 2)
    assert own["toc"].to_numpy() == pytest.approx(toc["value"], abs=1e-9)
    assert (own["gain"] - own["random"]).to_numpy() == pytest.approx(gain["value"], abs=1e-9)
    error = (own["toc_high"] - own["toc"]) / stats.norm.ppf(0.975)
    # the influence function leaves out that thresholds are estimated; 1,000 halves, 20 of them
    assert error.to_numpy()[1:-1] == pytest.approx(toc["err"].to_numpy()[1:-1], rel=0.12)


def test_p_agrees_with_permutations():
    ours, permuted = [], []
    for seed in range(30):
        rng = np.random.default_rng(seed)
        priority, scores = planted(300, rng, rise=0.4 * (seed % 3))
        ours.append(rank_effects(scores, priority, rng=rng, draws=300).autoc.p)
        weights = (1 / np.arange(300, 0, -1)).cumsum()[::-1] - 1
        effect = scores.effect[np.argsort(-priority)]
        drawn = rng.permuted(np.tile(effect, (4000, 1)), axis=1) @ weights
        permuted.append((1 + (np.abs(drawn) >= abs(effect @ weights)).sum()) / 4001)
    z = [stats.norm.isf(np.array(p) / 2) for p in (ours, permuted)]
    # 4,000 permutations tell nothing of p below 1 / 4,000; halves tell an error to 4 %
    small = z[1] < 3
    assert small.sum() >= 20
    assert z[0][small] == pytest.approx(z[1][small], rel=0.2, abs=0.15)
    assert (z[0][~small] > 2.5).all()


def test_intervals_hold_the_planted_truth():
    seeds, held = 300, np.zeros(5)
    for seed in range(seeds):
        rng = np.random.default_rng(1000 + seed)
        priority, scores = planted(600, rng)
        got = rank_effects(scores, priority, rng=rng)
        # TOC(q) = (1 - q) / 2, so AUTOC = 1/4, QINI = 1/12; gain(q) = q (1/2 + (1 - q) / 2)
        top = got.table.iloc[3]
        for place, (low, high, true) in enumerate(
            [
                (got.autoc.low, got.autoc.high, 1 / 4),
                (got.qini.low, got.qini.high, 1 / 12),
                (got.effect.low, got.effect.high, 1 / 2),
                (top["low"], top["high"], 0.2 * 0.9),
                (top["toc_low"], top["toc_high"], 0.4),
            ]
        ):
            held[place] += low <= true <= high
    least, most = stats.binom.interval(1 - 0.001 / 5, seeds, 0.95)
    assert ((least <= held) & (held <= most)).all(), held / seeds


def test_without_heterogeneity_an_order_is_seldom_claimed():
    seeds, claimed = 300, 0
    for seed in range(seeds):
        rng = np.random.default_rng(5000 + seed)
        priority, scores = planted(400, rng, rise=0)
        claimed += rank_effects(scores, priority, rng=rng).tells_apart
    assert stats.binomtest(claimed, seeds, 0.05, alternative="greater").pvalue > 0.01


def test_without_predictions_the_mean_score_is_the_plain_difference():
    rng = np.random.default_rng(6)
    arm, outcome = rng.random(500) < 0.3, rng.random(500)
    scores = score_customers(arm, outcome, 0.3)
    assert scores.effect.mean() == pytest.approx(outcome[arm].mean() - outcome[~arm].mean())
    assert scores.treated.mean() == pytest.approx(outcome[arm].mean())


def test_scores_are_right_by_chances_alone_and_by_predictions_alone():
    rng = np.random.default_rng(7)
    n = 40_000
    x = rng.random(n)
    chance = 0.2 + 0.6 * x
    arm = rng.random(n) < chance
    outcome = 3 * x + arm * (1 + x) + rng.normal(size=n) * 0.1
    for scores in (
        score_customers(arm, outcome, chance),
        score_customers(arm, outcome, chance, np.full(n, 7.0), np.full(n, -7.0)),
        score_customers(arm, outcome, 0.5, 3 * x, 1 + 4 * x),
    ):
        error = scores.effect.std() / np.sqrt(n)
        assert abs(scores.effect.mean() - 1.5) < 4 * error
    assert abs(outcome[arm].mean() - outcome[~arm].mean() - 1.5) > 0.3


def test_the_slope_is_that_of_lm_with_robust_error(oracle):
    d, scores = rows()
    scores = Scores(
        np.tile(scores.arm, 4),
        *(np.tile(x, 4) for x in (scores.outcome, scores.untreated)),
        np.tile(scores.treated, 4),
    )  # four times the rows, for there must be 30 in each arm
    got = calibrate_uplift(scores, np.tile(d["priority"], 4))
    assert scores.effect.mean() == pytest.approx(oracle["effect"], abs=1e-12)
    assert got.slope.value == pytest.approx(oracle["slope"], abs=1e-12)
    fewer = np.sqrt(240 / 238 / (60 / 58) / 4)  # HC1 of four times the rows
    assert got.slope.error == pytest.approx(oracle["slope.error"] * fewer, rel=1e-10)


def test_fifths_hold_what_was_planted():
    priority, scores = planted(5000, np.random.default_rng(8))
    got = calibrate_uplift(scores, priority)  # the effect is the priority
    assert got.table["fifth"].tolist() == [1, 2, 3, 4, 5]
    assert got.table["n"].tolist() == [1000] * 5
    for one in got.table.itertuples():
        own = (priority > 1 - one.fifth / 5) & (priority <= 1.2 - one.fifth / 5)
        assert one.predicted == pytest.approx(1.1 - one.fifth / 5, abs=0.02)
        assert one.observed == pytest.approx(scores.effect[own].mean(), abs=0.02)
        assert one.low < 1.1 - one.fifth / 5 < one.high
        ends = stats.ttest_1samp(scores.effect[own], 0).confidence_interval()
        assert (one.low, one.high) == pytest.approx(tuple(ends), abs=0.02)
    assert got.slope.low < 1 < got.slope.high
    assert "agrees" in ENGLISH(got.text)
    assert "too cautious" in ENGLISH(calibrate_uplift(scores, priority / 5).text)
    assert "too far apart" in ENGLISH(calibrate_uplift(scores, priority * 5).text)


def test_customers_of_equal_prediction_stay_in_one_fifth():
    priority, scores = planted(3000, np.random.default_rng(9))
    got = calibrate_uplift(scores, (priority > 0.3).astype(float))
    assert got.table["fifth"].tolist() == [2, 5]  # where the middle of each lies
    assert got.table["n"].sum() == 3000
    assert got.table["predicted"].tolist() == [1, 0]


def test_hillstrom_top_thirty_percent_holds_the_published_uplift():
    path = SHARED / "hillstrom" / "hillstrom.csv.gz"
    if not path.is_file():
        pytest.skip("Hillstrom's data are not on this machine")
    d = pd.read_csv(path)
    d = d[d["segment"].isin(["Womens E-Mail", "No E-Mail"])].reset_index(drop=True)
    arm, y = (d["segment"] == "Womens E-Mail").to_numpy(float), d["visit"].to_numpy(float)
    x = pd.get_dummies(d[["recency", "history", "mens", "womens", "newbie", "zip_code", "channel"]])
    x = np.column_stack([np.ones(len(d)), x.to_numpy(float)])
    fold = np.random.default_rng(0).integers(0, 5, len(d))
    mu = np.zeros((2, len(d)))
    for one in range(5):
        for w in (0, 1):
            learn = (fold != one) & (arm == w)
            b, *_ = np.linalg.lstsq(x[learn], y[learn], rcond=None)
            mu[w, fold == one] = x[fold == one] @ b
    scores = score_customers(arm, y, 0.5, *mu)
    got = rank_effects(scores, mu[1] - mu[0], rng=np.random.default_rng(1))
    top = got.table.loc[np.isclose(got.table["share"], 0.3)].iloc[0]
    assert top["effect_low"] < 0.0661 < top["effect_high"]
    assert got.tells_apart
    assert got.status == "supported"


@pytest.mark.parametrize(
    "case", ["nobody", "one_arm", "few", "rare", "constant_order", "constant_outcome"]
)
def test_too_little_gives_words_and_empty_tables(case):
    rng = np.random.default_rng(10)
    n = {"nobody": 0, "few": 40}.get(case, 400)
    arm = np.zeros(n) if case == "one_arm" else rng.random(n) < 0.5
    outcome = (rng.random(n) < (0.02 if case == "rare" else 0.5)).astype(float)
    outcome = np.zeros(n) if case == "constant_outcome" else outcome
    priority = np.zeros(n) if case == "constant_order" else rng.random(n)
    scores = score_customers(arm, outcome, 0.5)
    ranked = rank_effects(scores, priority, rng=rng)
    fifths = calibrate_uplift(scores, priority)
    for one in (ranked, fifths):
        assert one.status == "not_enough_data"
        assert one.table.empty
        assert len(one.table.columns) > 5
        assert ("alike" if case == "constant_order" else "Not enough") in ENGLISH(one.text)
    assert not ranked.tells_apart


def test_a_constant_amount_moves_nobody():
    rng = np.random.default_rng(11)
    scores = score_customers(rng.random(300) < 0.5, np.full(300, 7.3), 0.5)
    got = rank_effects(scores, rng.random(300), rng=rng)
    assert (got.autoc.value, got.autoc.p, got.tells_apart) == (0, 1, False)


def test_the_words_say_which_way():
    rng = np.random.default_rng(12)
    priority, scores = planted(3000, rng)
    assert "known beforehand who" in ENGLISH(rank_effects(scores, priority, rng=rng).text)
    assert "worse than a random" in ENGLISH(rank_effects(scores, -priority, rng=rng).text)
    unsure = rank_effects(scores, rng.random(3000), rng=np.random.default_rng(1))
    assert "not sure" in ENGLISH(unsure.text)


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"arm": [0, 2]}, "arm"),
        ({"propensity": [0, 0.5]}, "propensity"),
        ({"outcome": [np.nan, 1]}, "outcome"),
        ({"outcome": [1, 2, 3]}, "outcome"),
        ({"mu0": [1, 2]}, "mu0"),
    ],
)
def test_wrong_arrays_are_refused(wrong, named):
    right = {"arm": [0, 1], "outcome": [1, 2], "propensity": 0.5}
    with pytest.raises(ValueError, match=named):
        score_customers(**{**right, **wrong})
    with pytest.raises(ValueError, match="priority"):
        rank_effects(score_customers(**right), [np.nan, 1], rng=np.random.default_rng(1))


def test_halves_without_ties_are_ranked_anew():
    d, scores = rows(8)
    order, starts = ordered(scores, d["priority"])
    drawn = _halves(scores.effect[order], starts, np.random.default_rng(2), 3000)
    assert len(np.unique(drawn[:, 0].round(10))) == 70  # 8 over 4
