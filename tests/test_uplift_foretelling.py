"""Who is moved more, foretold: planted groups, honest blocks, and words where it cannot be."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from customerlab.errors import CustomerlabError
from customerlab.messages import ENGLISH
from customerlab.uplift import foretelling
from customerlab.uplift.doubly_robust import score_customers
from customerlab.uplift.foretelling import _on_one_scale, foretell_effects
from customerlab.uplift.policy_answers import best_policy, targeting_pays, within_budget
from customerlab.uplift.ranking import rank_effects
from customerlab.uplift.targeting import judge_targeting

MARGIN, COST, MOVED = 10.0, 1.5, 0.4


def draw(n: int, seed: int, moved: float = MOVED) -> SimpleNamespace:
    """Return a test in which contact moves only the customers with the highest fifth of `age`."""
    rng = np.random.default_rng(seed)
    x = pd.DataFrame(rng.normal(size=(n, 4)), columns=["age", "assets", "idle", "visits"])
    arm = (rng.random(n) < 0.5).astype(int)
    effect = np.where(x["age"] > 0.8416, moved, 0.0)
    outcome = (rng.random(n) < 0.2 + 0.1 * (x["assets"] > 0) + effect * arm).astype(float)
    return SimpleNamespace(x=x, effect=effect, about={"outcome": outcome, "arm": arm})


def foretell(test: SimpleNamespace, seed: int = 1, **changed):
    asked = {"covariates": list(test.x), "propensity": 0.5, **test.about, **changed}
    frame = asked.pop("frame", test.x)
    return foretell_effects(frame, rng=np.random.default_rng(seed), **asked)


@pytest.fixture(scope="module")
def planted():
    """Return a test of 4,000, what was foretold of it, and how that was judged."""
    pytest.importorskip("econml")
    test = draw(4000, 1)
    foretold = foretell(test)
    found = judge_targeting(
        foretold,
        **{"propensity": 0.5, "rng": np.random.default_rng(2), "called": "visits"},
        **{"margin": MARGIN, "cost": COST, "budget": 600.0, **test.about},
    )
    return test, foretold, found


def test_a_campaign_that_loses_money_is_sent_to_the_fifth_that_it_moves(planted):
    """All: 0.08 x 10 - 1.5 is a loss of 0.7 a customer; the fifth earns 2.5, of all 0.5."""
    test, foretold, found = planted
    policies = found.policies
    assert policies.simple == "nobody"
    assert policies.targeting_pays
    assert policies.best == policies.chosen
    assert "Targeting pays (visits): contact the" in ENGLISH(targeting_pays(policies).text)
    advice = best_policy(policies)
    assert ENGLISH(advice.text).startswith("Contact the")
    assert "who are foretold to be moved most" in ENGLISH(advice.text)
    assert advice.status == "supported"
    assert policies.row("everybody")["gain_high"] < 0
    assert 0.1 <= policies.row(policies.chosen)["share"] <= 0.35
    # of the rules as they were foretold, the truth for those who judged
    late = ~foretold.early
    won = (MARGIN * test.effect - COST)[foretold.judged][late]
    priority = found.priority[late]
    who = {"everybody": won == won, "best_share": priority >= policies.threshold}
    who |= {"above_cost": MARGIN * priority > COST}
    for rule, contacted in who.items():
        row, true = policies.row(rule), (contacted * won).mean()
        assert row["gain_low"] <= true <= row["gain_high"], rule
        assert row["share"] == contacted.mean()


def test_uplift_is_foretold_in_its_own_unit(planted):
    _, foretold, found = planted
    assert found.ranking.tells_apart
    assert "Some are moved more than others" in ENGLISH(found.text)
    assert found.calibration.slope.low < 1 < found.calibration.slope.high
    # the last model learnt from all, and foretells those who were in no test
    new = draw(3000, 9)
    guess = foretold.model.predict(new.x[["visits", "idle", "assets", "age"]])
    assert np.corrcoef(guess, new.effect)[0, 1] > 0.8
    assert guess[new.effect > 0].mean() == pytest.approx(MOVED, abs=0.12)
    assert guess[new.effect == 0].mean() == pytest.approx(0, abs=0.05)
    assert foretold.model.predict(new.x.head(0)).shape == (0,)


def test_a_budget_goes_to_those_moved_most(planted):
    policies = planted[2].policies
    # 600 at 1.5 each is 400 of 3,200 customers
    assert policies.affordable == pytest.approx(400 / 3200, rel=1e-3)
    assert policies.budget_share == policies.affordable
    assert policies.row("budget")["share"] == pytest.approx(policies.affordable)
    told = within_budget(policies)
    assert (told.id, told.status) == ("uplift_tests.within_budget", "supported")
    assert told.low < told.value < told.high
    assert told.value == policies.row("budget")["gain"]
    text = ENGLISH(told.text)
    assert "The budget pays for 13" in text
    assert "as many drawn by lot would gain" in text
    unsure = within_budget(replace(policies, tells_apart=False))
    assert unsure.status == "weak"
    assert "draw them by lot" in ENGLISH(unsure.text)
    assert within_budget(replace(policies, affordable=1.0)) is None


def test_blocks_are_foretold_from_those_before_alone_and_the_seed_decides():
    pytest.importorskip("econml")
    test = draw(1_500, 3)
    one = foretell(test, folds=3)
    assert np.isnan(one.priority[one.fold == 0]).all()
    assert one.judged.sum() == (one.fold > 0).sum()
    assert np.abs(np.bincount(one.fold) - 1_500 / 3).max() <= 2
    # what happens in the last block changes neither order nor outcomes foretold of any judged one
    last = one.fold == 2
    other = test.about | {
        "outcome": np.where(last, 1 - test.about["outcome"], test.about["outcome"])
    }
    two = foretell(test, folds=3, **other)
    for name in ("fold", "priority", "mu0", "mu1"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))
    assert (one.model.predict(test.x) != two.model.predict(test.x)).any()


def test_places_not_levels_are_compared_across_blocks():
    fold = np.array([0, 1, 1, 1, 2, 2, 2])
    raw = np.array([np.nan, 1, 3, 2, 10, 10, 40.0])
    # mean of 1, 2, 3 and 10, 10, 40, place by place; the two alike share the place between
    expected = [np.nan, 5.5, 21.5, 6.0, 5.75, 5.75, 21.5]
    np.testing.assert_allclose(_on_one_scale(raw, fold), expected)


@pytest.mark.parametrize("case", ["nobody", "one arm", "20 an arm", "rare", "constant", "unknown"])
def test_too_little_gives_words(case):
    pytest.importorskip("econml")
    n = {"nobody": 0, "20 an arm": 40, "unknown": 3000}.get(case, 600)
    test = draw(n, 4)
    changed = {
        "one arm": {"arm": np.ones(n)},
        "rare": {"outcome": (np.arange(n) < 20).astype(float)},
        "constant": {"outcome": np.zeros(n)},
        "unknown": {"covariates": []},
    }.get(case, {})
    foretold = foretell(test, **changed)
    asked = test.about | {k: v for k, v in changed.items() if k != "covariates"}
    about = {"propensity": 0.5, "margin": MARGIN, "cost": COST, "budget": 50.0, **asked}
    found = judge_targeting(foretold, rng=np.random.default_rng(1), **about)
    words = found.text
    assert words == foretold.why_not == found.calibration.text
    assert not found.ranking.tells_apart
    if case == "unknown":  # then it is still known whether to contact all or none
        assert ENGLISH(best_policy(found.policies).text).startswith("Contact nobody")
        assert "No group to pick" in ENGLISH(targeting_pays(found.policies).text)
        assert "draw them by lot" in ENGLISH(within_budget(found.policies).text)
    else:
        assert found.policies.best == ""
        assert within_budget(found.policies) is None
    told = "Nothing is known" if case == "unknown" else "Not enough data to learn who is moved more"
    assert told in ENGLISH(words)
    assert not foretold.judged.any()
    assert foretold.model is None


def test_without_econml_it_says_what_it_would_need(monkeypatch):
    monkeypatch.setattr(foretelling, "find_spec", lambda name: None)
    foretold = foretell(draw(600, 5))
    assert 'pip install "customerlab[uplift]"' in ENGLISH(foretold.why_not)


def test_covariates_that_are_none_are_named():
    test = draw(600, 6)
    with pytest.raises(CustomerlabError, match="assets"):
        foretell(test, covariates=["asets"])
    for bad in ([np.nan] * 600, ["young"] * 600):
        with pytest.raises(CustomerlabError, match="age"):
            foretell(test, frame=test.x.assign(age=bad))


def test_hillstroms_top_customers_and_a_permutation_test(shared_data):
    """Women's e-mail against none, a sixth of the rows; the benchmark has them all."""
    pytest.importorskip("econml")
    rows = pd.read_csv(shared_data / "hillstrom" / "hillstrom.csv.gz")
    assert rows.duplicated().sum() == 6562
    rows = rows[rows["segment"].isin(["Womens E-Mail", "No E-Mail"])]
    assert len(rows) == 42_693
    rows = rows.iloc[::6]
    columns = ["recency", "history", "mens", "womens", "zip_code", "newbie", "channel"]
    frame = pd.get_dummies(rows[columns]).astype(float)
    arm = (rows["segment"] == "Womens E-Mail").to_numpy()
    about = {"outcome": rows["visit"].to_numpy(float), "arm": arm, "propensity": 0.5}
    rng = np.random.default_rng(1)
    foretold = foretell_effects(frame, covariates=list(frame), rng=rng, folds=3, **about)
    some = foretold.judged
    mus = foretold.mu0[some], foretold.mu1[some]
    scores = score_customers(arm[some], about["outcome"][some], 0.5, *mus)
    found = rank_effects(scores, foretold.priority[some], rng=rng)
    top = found.table.iloc[5]
    assert top["share"] == pytest.approx(0.3)
    # a public uplift tutorial: README of the shared data
    assert top["effect_low"] < 0.0661 < top["effect_high"]
    order = pd.Series(-foretold.priority[some]).argsort().to_numpy()
    effect, alike = scores.effect[order], pd.Series(foretold.priority[some][order])
    weights = pd.Series((1 / np.arange(scores.n, 0, -1)).cumsum()[::-1] - 1)
    weights = weights.groupby(alike).transform("mean").to_numpy()
    drawn = np.array([rng.permutation(effect) @ weights for _ in range(1000)])
    # by lot all customers vary alike, by halves each as it does; 200 halves tell to 5 %
    assert found.autoc.error == pytest.approx(drawn.std() / scores.n, rel=0.2)
    assert found.autoc.value == pytest.approx(effect @ weights / scores.n, abs=1e-12)
    by_lot = (1 + (np.abs(drawn) >= abs(effect @ weights)).sum()) / 1001
    assert stats.norm.isf(found.autoc.p / 2) == pytest.approx(stats.norm.isf(by_lot / 2), rel=0.2)
