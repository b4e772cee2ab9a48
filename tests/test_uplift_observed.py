"""Contact without a draw by lot: papers' worked examples, sensemakr, statsmodels, planted truth.

sensemakr's numbers are of its Darfur example, by its Python port (PySensemakr 0.0.8) and as Cinelli
and Hazlett (2020) print them.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy
import statsmodels.api as sm
from statsmodels.treatment.treatment_effects import TreatmentEffect

from customerlab.errors import CustomerlabError
from customerlab.messages import ENGLISH
from customerlab.privacy import HIDDEN
from customerlab.uplift.crossfit import foretell
from customerlab.uplift.holdout import recommend_holdout
from customerlab.uplift.known_causes import as_strong, explained, factors
from customerlab.uplift.observed import COLUMNS, estimate_observed
from customerlab.uplift.observed_texts import observed_to_show, words_to_show
from customerlab.uplift.overlap import BALANCE, BANDS, best_cut, find_counterparts
from customerlab.uplift.power import power_of_means, power_of_shares
from customerlab.uplift.sensitivity import e_value, judge_amount, judge_ratio, robustness_value

LINE = {"learners": ("line",), "folds": 3}


def chosen_by(n, seed, *, effect, hidden=0.0, share=False):
    """Make customers who were contacted for what is known of them, and `hidden` for what is not."""
    rng = np.random.default_rng(seed)
    known, unseen = rng.normal(size=(n, 3)), rng.normal(size=n)
    pull = 0.8 * known[:, 0] - 0.5 * known[:, 1] + hidden * unseen
    contacted = rng.random(n) < scipy.special.expit(pull - 0.3)
    level = 0.5 * known[:, 0] - 0.2 * known[:, 1] + hidden * unseen
    if share:
        outcome = rng.random(n) < np.clip(0.35 + 0.2 * level + effect * contacted, 0, 1)
    else:
        outcome = level + effect * contacted + rng.gamma(2.0, 0.7, n)
    rows = pd.DataFrame(known, columns=["assets", "age", "visits"])
    return contacted.astype(int), outcome.astype(float), rows, unseen


def test_e_value_of_the_papers_example():
    # VanderWeele and Ding (2017): bottle feeding and death, 3.9 (1.8 to 8.7)
    assert e_value(3.9) == pytest.approx(7.26, abs=0.005)
    assert e_value(1.8) == pytest.approx(3.0, abs=1e-12)
    assert e_value(1 / 1.8) == pytest.approx(3.0, abs=1e-12)
    assert e_value(1) == 1
    with pytest.raises(ValueError, match="above 0"):
        e_value(0)


def test_robustness_value_of_sensemakrs_example():
    t, df = 4.184449984808192, 783
    f = t / np.sqrt(df)
    assert robustness_value(f) == pytest.approx(0.13877635, abs=1e-8)
    least = f - scipy.stats.t.ppf(0.975, df - 1) / np.sqrt(df - 1)
    assert robustness_value(least) == pytest.approx(0.07625797, abs=1e-8)
    assert robustness_value(0) == 0
    assert robustness_value(-f) == robustness_value(f)


def test_a_cause_as_strong_as_female_in_sensemakrs_example():
    # t of female in the regressions of contact and of the outcome
    contact, outcome = (t**2 / (t**2 + df) for t, df in ((-2.68044786, 784), (-9.78883704, 783)))
    of_contact, of_outcome = as_strong(contact, outcome)
    assert (of_contact, of_outcome) == pytest.approx((0.009164, 0.124641), abs=1e-6)
    # the paper's adjusted estimate, 0.0752
    moved = 0.023256538 * np.sqrt(783) * np.sqrt(of_outcome * of_contact / (1 - of_contact))
    assert 0.097315819 - moved == pytest.approx(0.0752, abs=5e-5)
    assert as_strong(0.9, 0.5) == (1.0, 1.0)


def test_parts_explained_are_those_of_statsmodels():
    cars = pd.read_csv(Path(__file__).parent / "oracles" / "mtcars.csv").astype(float)
    cars["twice"] = 2 * cars["hp"]  # told exactly by another
    names = ["cyl", "hp", "qsec", "twice"]
    table = explained(cars["am"] == 1, cars["mpg"], cars[names].to_numpy(), names)
    assert table["covariate"].tolist() == names[:3]
    contact = sm.OLS(cars["am"], sm.add_constant(cars[names[:3]])).fit()
    outcome = sm.OLS(cars["mpg"], sm.add_constant(cars[[*names[:3], "am"]])).fit()
    for column, fit in (("on_contact", contact), ("on_outcome", outcome)):
        t = fit.tvalues[names[:3]]
        assert table[column].to_numpy() == pytest.approx((t**2 / (t**2 + fit.df_resid)).to_numpy())
    # nothing to say where the covariates tell the outcome exactly
    assert explained(cars["am"] == 1, cars["hp"] * 3, cars[names].to_numpy(), names).empty


def test_factors_of_a_known_cause_by_hand():
    # contacted: 60 of 100 have it; others 30 of 100. Outcome: 30 of 60 and 10 of 40; 9 and 14
    have = np.repeat([1, 0, 1, 0], [60, 40, 30, 70])
    own = np.repeat([True, False], 100)
    outcome = np.concatenate([np.arange(m) < k for m, k in ((60, 30), (40, 10), (30, 9), (70, 14))])
    table = factors(own, ~own, outcome.astype(float), np.column_stack([have, 0 * have]), ["a", "b"])
    assert table["covariate"].tolist() == ["a"]
    # 0.6 / 0.3; (30 / 60) / (10 / 40) among the contacted, the others have too few
    assert table.loc[0, ["on_contact", "on_outcome"]].tolist() == pytest.approx([2, 2])
    assert table.loc[0, "moves"] == pytest.approx(4 / 3)


def test_best_cut_is_that_of_crump_and_others():
    rng = np.random.default_rng(5)
    chances = scipy.special.expit(rng.normal(-1, 2.5, 4000))
    cut = best_cut(chances)
    # their condition: 1 / (cut (1 - cut)) is twice the mean of 1 / (e (1 - e)) over those kept
    kept = (chances >= cut) & (chances <= 1 - cut)
    burden = 1 / (chances * (1 - chances))
    assert 0.02 < cut < 0.2
    assert 1 / (cut * (1 - cut)) == pytest.approx(2 * burden[kept].mean(), rel=0.01)
    # and no cut on a grid does better
    others = np.linspace(0.001, 0.4, 300)
    inside = [(chances >= c) & (chances <= 1 - c) for c in others]
    best = min(burden[one].sum() / one.sum() ** 2 for one in inside)
    assert burden[kept].sum() / kept.sum() ** 2 <= best * (1 + 1e-9)


def test_rare_contact_by_lot_leaves_nobody_out():
    assert best_cut(np.full(1000, 0.02)) == 0
    rng = np.random.default_rng(1)
    rows, contacted = rng.normal(size=(4000, 2)), rng.random(4000) < 0.03
    found = find_counterparts(contacted, np.full(4000, 0.03), rows, ["a", "b"])
    assert (found.without, found.extreme) == (0, 1)
    assert found.effective == pytest.approx((contacted.sum(), (~contacted).sum()))


def test_balance_before_and_after_by_hand():
    # a known chance by kind: 3 in 4 and 1 in 4; weighted, kinds are as common in both groups
    kind = np.repeat([1.0, 0.0], 400)
    contacted = np.concatenate([np.arange(400) < 300, np.arange(400) < 100])
    found = find_counterparts(contacted, np.where(kind == 1, 0.75, 0.25), kind[:, None], ["kind"])
    row = found.balance.iloc[0]
    assert (row["contacted_mean"], row["other_mean"]) == (0.75, 0.25)
    assert row["smd_before"] == pytest.approx(0.5 / np.sqrt(0.1875))
    assert row["smd_after"] == pytest.approx(0, abs=1e-12)
    # Kish: (300 * 4/3 + 100 * 4)^2 / (300 * 16/9 + 100 * 16)
    assert found.effective == pytest.approx((300, 300))
    assert found.bands[["contacted", "not_contacted", "compared"]].to_numpy().tolist() == [
        [100, 300, 400],
        [300, 100, 400],
    ]
    assert found.check.passed is True


def test_groups_without_counterparts_fail_the_check():
    rng = np.random.default_rng(2)
    age = rng.normal(size=3000)
    contacted = (age + rng.normal(0, 0.2, 3000) > 0).astype(int)
    found = estimate_observed(
        contacted, rng.normal(size=3000), pd.DataFrame({"age": age}), rng, **LINE
    )
    check = found.overlap.check
    assert check.passed is False
    assert found.overlap.without > 0.5
    assert "no counterpart of the other kind (at most 10 % would do), age still" in str(check.text)


def test_the_estimate_is_that_of_statsmodels():
    contacted, outcome, rows, _ = chosen_by(2000, 4, effect=0.5)
    found = estimate_observed(contacted, outcome, rows, np.random.default_rng(0), **LINE)
    some = found.overlap.compared
    assert 0.9 < some.mean() < 1
    x = sm.add_constant(rows[some])
    logit = sm.Logit(contacted[some], x).fit(disp=False)
    theirs = TreatmentEffect(sm.OLS(outcome[some], x), contacted[some], results_select=logit).aipw()
    error = (found.high - found.low) / 2 / scipy.stats.norm.ppf(0.975)
    # theirs foretells customers with themselves: a small part of the error
    assert found.value == pytest.approx(theirs.effect[0], abs=0.2 * error)
    assert error == pytest.approx(float(theirs.results_gmm.bse[0]), rel=0.05)


def test_what_is_known_is_taken_out_and_bends_are_found():
    rng = np.random.default_rng(8)
    known = pd.DataFrame(rng.normal(size=(4000, 2)), columns=["a", "b"])
    bend = known["a"] ** 2
    contacted = rng.random(4000) < scipy.special.expit(bend - 1)
    outcome = (2 * bend + 1.0 * contacted + rng.normal(size=4000)).to_numpy()
    found = estimate_observed(contacted, outcome, known, rng, folds=2)
    plain = found.table.iloc[0]
    assert plain["low"] > 1.5
    assert found.low <= 1.0 <= found.high
    # a straight line alone misses it
    line = estimate_observed(contacted, outcome, known, rng, **LINE)
    assert line.low > 1.5


@pytest.mark.parametrize("share", [False, True])
def test_intervals_hold_the_effect(share):
    effect, trials = (0.1 if share else 0.5), 25
    hits, plain_hits = 0, 0
    for seed in range(trials):
        data = chosen_by(400, seed, effect=effect, share=share)[:3]
        found = estimate_observed(*data, np.random.default_rng(seed), **LINE)
        plain = found.table.iloc[0]
        hits += found.low <= effect <= found.high
        plain_hits += plain["low"] <= effect <= plain["high"]
    # the exact 99.9 % band around 95 %, which the plain difference is far from
    low, high = scipy.stats.binom.interval(0.999, trials, 0.95)
    assert low <= hits <= high
    assert plain_hits < low


@pytest.mark.parametrize("share", [False, True])
def test_a_hidden_cause_deceives_and_is_as_strong_as_said(share):
    contacted, outcome, rows, unseen = chosen_by(4000, 6, effect=0.0, hidden=0.6, share=share)
    found = estimate_observed(contacted, outcome, rows, np.random.default_rng(1), **LINE)
    assert found.low > 0  # no effect was planted
    assert found.status == "weak"
    # so the unseen cause has at least the strength that it is said to need
    if share:
        assert found.sensitivity.kind == "ratio"
        cause = factors(contacted == 1, contacted == 0, outcome, unseen[:, None], ["unseen"])
        assert found.sensitivity.end < cause[["on_contact", "on_outcome"]].max(axis=1)[0]
        assert found.sensitivity.end < 2
    else:
        every = np.column_stack([rows, unseen])
        cause = explained(contacted == 1, outcome, every, [*rows, "unseen"]).iloc[-1]
        assert found.sensitivity.kind == "explained"
        assert found.sensitivity.point < max(cause["on_contact"], cause["on_outcome"])
    # what is seen of everything is believed more when it tells all
    both = estimate_observed(
        contacted, outcome, rows.assign(unseen=unseen), np.random.default_rng(1), **LINE
    )
    assert both.low < 0 < both.high
    assert "nothing for an unseen cause to explain away" in str(both.sensitivity.text)


def test_a_large_effect_stands_against_causes_as_strong_as_the_known():
    contacted, outcome, rows, _ = chosen_by(2000, 6, effect=3.0)
    found = estimate_observed(contacted, outcome, rows, np.random.default_rng(1), **LINE)
    assert found.sensitivity.enough == "none"
    assert found.sensitivity.strongest == "assets"
    assert found.sensitivity.point > 0.5
    assert found.status == "weak"  # nonetheless


def test_words_of_unseen_causes():
    rng = np.random.default_rng(0)
    own, outcome = np.arange(400) < 200, rng.random(400)
    known = (own + rng.normal(size=400))[:, None] + outcome[:, None]
    sizes = {"point": (0.01, 0.005, 0.02), "end": (1.0, 0.01, 1.99), "none": (9.0, 8.0, 10.0)}
    told = {}
    for enough, effect in sizes.items():
        found = judge_amount(own, outcome, known, ["age"], effect, 1.0, "spend")
        assert found.enough == enough
        told[enough] = str(found.text)
    assert "do not rely on this difference" in told["point"]
    assert "could leave nothing sure" in told["end"]
    assert "could do neither" in told["none"]
    nobody = judge_amount(own, outcome, known[:, :0], [], (1.0, 0.5, 1.5), 1.0, "spend")
    assert (nobody.strongest, nobody.enough) == (None, None)
    assert "No known covariate" in str(nobody.text)
    less = judge_ratio(own, outcome > 0.5, known, ["age"], (1 / 3.9, 1 / 8.7, 1 / 1.8), "visit")
    assert (less.point, less.end) == pytest.approx((7.26, 3.0), abs=0.005)
    assert "7.26 times as common" in str(less.text)


def test_holdout_is_as_small_as_finds_the_effect():
    found = recommend_holdout(0.2, 40000, pays=0.02, called="visit")
    sizes = {"control_share": 0.2, "effect": 0.02}
    found_power, less_power = (
        power_of_shares(n_treated=40000 - n, n_control=n, **sizes).power
        for n in (found.hold_back, found.hold_back - 1)
    )
    assert less_power < 0.8 <= found_power
    assert found.contact + found.hold_back == 40000
    assert "of 40,000 customers drawn by lot" in str(found.text)
    assert "that pays (2.00 percentage points)" in str(found.text)


def test_holdout_where_customers_are_too_few():
    found = recommend_holdout(50.0, 300, sd=100.0)
    assert found.effect == pytest.approx(5)
    even = {"sd_treated": 100.0, "sd_control": 100.0, "n_treated": 150, "n_control": 150}
    needed = power_of_means(**even, effect=5.0)
    assert (found.contact, found.hold_back) == (needed.next_n_treated, needed.next_n_control)
    # by hand: 2 (1.96 + 0.84)^2 (100 / 5)^2 = 6279.1
    assert found.hold_back == pytest.approx(6280, abs=1)
    assert "are too few" in str(found.text)


@pytest.mark.parametrize("base", [0.0, 1.0])
def test_holdout_where_nothing_is_known(base):
    found = recommend_holdout(base, 1000, called="visit")
    assert np.isnan(found.hold_back)
    assert "too little is known of visit" in str(found.text)
    impossible = recommend_holdout(0.5, 1000, pays=0.6)
    assert "so large an effect cannot be" in str(impossible.text)
    assert np.isnan(recommend_holdout(0.0, 1000, sd=0.0).effect)
    with pytest.raises(ValueError, match="not 0"):
        recommend_holdout(0.5, 1000, pays=0)


def few(contacted, n=200):
    rng = np.random.default_rng(0)
    rows = pd.DataFrame({"age": rng.normal(size=n)})
    return (np.arange(n) < contacted).astype(int), rng.random(n).round(), rows


@pytest.mark.parametrize(
    ("contacted", "passed", "words"),
    [
        (0, False, "Nobody was contacted"),
        (200, False, "Everybody was contacted"),
        (1, None, "Not enough data: 1 customers were contacted and 199 were not"),
        (20, None, "at least 30 of each"),
        (199, None, "199 customers were contacted and 1 were not"),
    ],
)
def test_groups_too_small_give_words(contacted, passed, words):
    found = estimate_observed(*few(contacted), np.random.default_rng(0))
    assert found.status == "not_enough_data"
    assert words in str(found.text)
    assert found.overlap.check.passed is passed
    assert np.isnan([found.value, found.low, found.high]).all()
    assert (list(found.table), list(found.overlap.bands)) == (COLUMNS, BANDS)
    assert list(found.overlap.balance) == BALANCE
    shown = observed_to_show(found, 10)
    assert all(len(table.columns) for table in shown.values())
    assert len(words_to_show(found, 10)) >= 2


def test_nobody_at_all():
    found = estimate_observed([], [], pd.DataFrame({"age": []}), np.random.default_rng(0))
    assert (found.n, found.status, found.holdout) == (0, "not_enough_data", None)


def test_an_outcome_that_is_constant_and_covariates_that_are():
    contacted, outcome, rows = few(100)
    same = estimate_observed(
        contacted, np.ones(200), rows, np.random.default_rng(0), called="visit"
    )
    assert str(same.text) == "visit is the same for all: nothing to compare."
    for known in (rows * 0 + 3, rows[[]]):
        found = estimate_observed(contacted, outcome, known, np.random.default_rng(0))
        assert found.overlap.check.passed is None
        assert found.status == "weak"
        # nothing to compare by: the plain difference
        assert found.value == pytest.approx(found.table.loc[0, "effect"], abs=1e-2)
        assert found.sensitivity.strongest is None


def test_wrong_input_is_named():
    contacted, outcome, rows = few(100)
    rng = np.random.default_rng(0)
    with pytest.raises(CustomerlabError, match="'age' is missing"):
        estimate_observed(contacted, outcome, rows.mask(rows < 0), rng)
    with pytest.raises(CustomerlabError, match="0 or 1"):
        estimate_observed(contacted * 2, outcome, rows, rng)
    with pytest.raises(CustomerlabError, match="outcome is missing"):
        estimate_observed(contacted, outcome * np.nan, rows, rng)
    with pytest.raises(CustomerlabError, match="same customers"):
        estimate_observed(contacted, outcome, rows[:9], rng)
    with pytest.raises(ValueError, match="learners"):
        estimate_observed(contacted, outcome, rows, rng, learners=("forest",))
    with pytest.raises(ValueError, match="at least 5"):
        foretell(np.arange(20) < 4, outcome[:20], rows[:20].to_numpy(), rng)


def test_the_same_seed_gives_the_same_and_sums_are_those_of_the_rows():
    data = chosen_by(900, 3, effect=0.2, share=True)[:3]
    one, two = (estimate_observed(*data, np.random.default_rng(9)) for _ in range(2))
    assert (one.value, one.low, one.high) == (two.value, two.low, two.high)
    bands = one.overlap.bands
    assert bands[["contacted", "not_contacted"]].sum().sum() == 900
    assert bands["compared"].sum() == one.n
    plain = one.table.iloc[0]
    theirs = scipy.stats.ttest_ind(
        data[1][data[0] == 1], data[1][data[0] == 0], equal_var=False
    ).confidence_interval()
    assert (plain["low"], plain["high"]) == pytest.approx(tuple(theirs))


def test_few_customers_are_not_shown():
    contacted, outcome, rows, _ = chosen_by(1200, 3, effect=0.0, share=True)
    rows["rare"] = np.arange(1200) < 4.0  # 4 customers have it
    found = estimate_observed(contacted, outcome, rows, np.random.default_rng(9), **LINE)
    shown = observed_to_show(found, 10)
    counts = shown["overlap"][["contacted", "not_contacted", "compared"]].to_numpy().ravel()
    assert all(count == "<10" or count % 10 == 0 for count in counts)
    rare = shown["balance"].set_index("covariate").loc["rare"]
    assert (rare == HIDDEN).all()
    assert (shown["effects"][["effect", "low", "high"]] != HIDDEN).all().all()
    assert len(words_to_show(found, 10)) == 4

    # of the contacted all but 5 have the outcome
    outcome = np.where(contacted == 1, 1.0, outcome)
    outcome[np.flatnonzero(contacted)[:5]] = 0
    found = estimate_observed(contacted, outcome, rows, np.random.default_rng(9), **LINE)
    shown = observed_to_show(found, 10)
    assert (shown["effects"][["control_mean", "treated_mean", "effect", "low"]] == HIDDEN).all(
        axis=None
    )
    assert (shown["unseen_cause"].drop(columns="covariate") == HIDDEN).all(axis=None)
    said = [ENGLISH(one) for one in words_to_show(found, 10)]
    assert "very few customers" in said[1]
    assert len(said) == 2

    # of an amount, 4 of the contacted spent anything: the mean is theirs
    spent = np.where(contacted == 1, 0.0, outcome * 7 + 1)
    spent[np.flatnonzero(contacted)[:4]] = 900
    amount = estimate_observed(contacted, spent, rows, np.random.default_rng(9), **LINE)
    assert (observed_to_show(amount, 10)["effects"]["treated_mean"] == HIDDEN).all()
    paying = replace(found, holdout=recommend_holdout(0.4, 500, pays=0.1))
    assert len(words_to_show(paying, 10)) == 3
