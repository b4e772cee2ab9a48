"""Skill against scikit-learn on plain rows, its interval against planted truth; moments of sums."""

from __future__ import annotations

import re

import ibis
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import PredefinedSplit

from customerlab.drivers.combined import combined, completed
from customerlab.drivers.moments import Moments, count_moments, deal_bags
from customerlab.drivers.skill import judge_skill
from customerlab.errors import CustomerlabError
from customerlab.messages import Words


def moments_of_rows(frame: pd.DataFrame) -> Moments:
    """Return moments with one bag per row, in the order of the rows, by plain numpy."""
    x, known = frame.fillna(0).to_numpy(float), frame.notna().to_numpy().astype(float)
    both = known[:, :, None] * known[:, None, :]
    return Moments(
        tuple(frame.columns),
        n=both,
        sums=x[:, :, None] * both,
        squares=x[:, :, None] ** 2 * both,
        products=x[:, :, None] * x[:, None, :],
        centre=np.zeros(len(frame.columns)),
    )


def counted(frame: pd.DataFrame, *, bags: int) -> Moments:
    """Return moments that the engine counts."""
    items = list(frame.columns)
    return count_moments(deal_bags(ibis.memtable(frame), items, seed=1, bags=bags), items)


def planted(n, coefficients, rng, *, noise=1.0, binary=False):
    """Return rows with drivers of correlation 0.3 and an outcome linear in them."""
    k = len(coefficients)
    x = rng.multivariate_normal(np.zeros(k), np.full((k, k), 0.3) + 0.7 * np.eye(k), size=n)
    y = x @ coefficients + rng.normal(size=n) * noise
    frame = pd.DataFrame(x, columns=[f"x{i}" for i in range(k)])
    return frame.assign(y=(y > 0).astype(float) if binary else y)


def plain_errors(frame, inputs, outcome, folds):
    """Return squared errors of rows foretold by scikit-learn, fold by fold."""
    y = frame[outcome].to_numpy()
    errors = np.empty(len(frame))
    for learn, judge in PredefinedSplit(np.arange(len(frame)) % folds).split():
        guess = np.full(len(judge), y[learn].mean())
        if inputs:
            fit = LinearRegression().fit(frame[inputs].to_numpy()[learn], y[learn])
            guess = fit.predict(frame[inputs].to_numpy()[judge])
        errors[judge] = (y[judge] - guess) ** 2
    return errors.sum()


@pytest.mark.parametrize("binary", [False, True])
def test_skill_is_that_of_scikit_learn_on_rows(binary):
    rng = np.random.default_rng(1)
    frame = planted(300, [0.5, 0.3, -0.2, 0.1], rng, binary=binary)
    frame["x0"] += 100
    drivers, controls = ["x1", "x2", "x3"], ["x0"]
    got = judge_skill(moments_of_rows(frame), drivers, "y", controls, rng=rng, folds=10)
    mean, little, all_ = (
        plain_errors(frame, inputs, "y", 10) for inputs in ([], controls, controls + drivers)
    )
    assert got.skill == pytest.approx(1 - all_ / little, abs=1e-10)
    assert got.total == pytest.approx(1 - all_ / mean, abs=1e-10)
    x = frame[controls + drivers]
    assert got.in_sample == pytest.approx(
        LinearRegression().fit(x, frame["y"]).score(x, frame["y"])
    )
    assert (got.n, got.binary) == (300, binary)
    assert got.share == pytest.approx(frame["y"].mean())
    alone = judge_skill(moments_of_rows(frame), drivers, "y", rng=rng)
    assert (alone.skill, alone.low) == (alone.total, pytest.approx(alone.total_low))


def test_the_engine_s_bags_tell_what_rows_tell():
    frame = planted(2000, [0.5, 0.3], np.random.default_rng(2)).round(3)
    engine = counted(frame, bags=200)
    got = judge_skill(engine, ["x0", "x1"], "y", rng=np.random.default_rng(0))
    rows = judge_skill(moments_of_rows(frame), ["x0", "x1"], "y", rng=np.random.default_rng(0))
    assert got.in_sample == pytest.approx(rows.in_sample, abs=1e-12)
    # other folds and bags: both know the skill to within a fifth of the interval
    assert got.skill == pytest.approx(rows.skill, abs=(rows.high - rows.low) / 5)
    assert got.low == pytest.approx(rows.low, abs=(rows.high - rows.low) / 5)


def test_the_interval_covers_and_without_drivers_none_is_claimed():
    """120 planted tables each; at 95 % coverage fewer than 106 in it would come 1 in 1000 times."""
    covered, claimed = 0, 0
    for seed in range(120):
        rng = np.random.default_rng(seed)
        frame = planted(250, [0.4, 0.2, 0.0], rng)
        got = judge_skill(moments_of_rows(frame), ["x0", "x1", "x2"], "y", rng=rng)
        # explained of 0.16 + 0.04 + 2 x 0.3 x 0.08 + 1; less what 225 rows lose on coefficients
        truth = 1 - (1 + 4 / 225) / (1.248 * (1 + 1 / 225))
        covered += got.low <= truth <= got.high
        assert got.predicts or got.low <= 0
        frame["y"] = rng.permutation(frame["y"])
        claimed += judge_skill(moments_of_rows(frame), ["x0", "x1", "x2"], "y", rng=rng).predicts
    assert covered >= 106
    assert claimed <= 6


def test_words_and_statuses():
    rng = np.random.default_rng(4)
    frame = planted(400, [0.8, 0.4], rng, binary=True)
    good = judge_skill(moments_of_rows(frame), ["x0", "x1"], "y", rng=rng)
    assert good.predicts and good.finding.status == "supported"
    assert good.finding.id == "repurchase_drivers.predictive_skill"
    assert str(good.text).startswith("The drivers foretell repurchase: in rows the model has not")
    held = judge_skill(moments_of_rows(frame), ["x1"], "y", ["x0"], rng=rng)
    assert "of what the controls leave open" in str(held.text)
    frame["y"] = rng.permutation(frame["y"])
    none = judge_skill(moments_of_rows(frame), ["x0", "x1"], "y", rng=rng)
    assert not none.predicts and none.finding.status == "weak"
    assert "So no weights are given." in str(none.text)


def some(n=400, drivers=2, **changed):
    return planted(n, np.ones(drivers), np.random.default_rng(1)).assign(**changed)


TOO_LITTLE = {
    "one class": (some(y=1.0), "The outcome (repurchase) is the same for all"),
    "flat drivers": (some(x0=0.1, x1=3.3333333), "No driver varies"),
    "few rows": (some(20), "Not enough data .* 20 answers with both"),
    "more drivers": (some(40, 45), "Not enough data .* 40 answers with both"),
    "few buyers": (
        some(y=[1.0] * 12 + [0.0] * 388),
        "of 400 answers fewer than 30 are of the rarer",
    ),
    "unknown": (some(x0=np.nan), "Not enough data .* 0 answers with both"),
    "no outcome known": (some(y=np.nan), "Not enough data .* 0 answers with both"),
    "empty": (some(0), "Not enough data .* 0 answers with both"),
}


@pytest.mark.parametrize("case", list(TOO_LITTLE))
def test_too_little_is_told_in_words(case):
    frame, words = TOO_LITTLE[case]
    drivers = [name for name in frame if name != "y"]
    got = judge_skill(moments_of_rows(frame), drivers, "y", rng=np.random.default_rng(1))
    assert got.status == "not_enough_data" and not got.predicts
    assert got.finding.value is None
    assert re.search(words.replace("(", r"\(").replace(")", r"\)"), str(got.text))


def test_few_answers_are_no_number_for_readers():
    got = judge_skill(moments_of_rows(some(8)), ["x0", "x1"], "y", rng=np.random.default_rng(1))
    assert "<10 answers" in Words("en", min_cell=10)(got.text)


def test_without_an_outcome_or_with_nothing_left_of_it_nothing_is_said():
    rng = np.random.default_rng(1)
    none = judge_skill(moments_of_rows(some()), ["x0", "x1"], None, rng=rng)
    assert none.status == "not_enough_data" and "No outcome is named" in str(none.text)
    frame = some()
    frame["c"] = 2 * frame["y"] - 1
    told = judge_skill(moments_of_rows(frame), ["x0", "x1"], "y", ["c"], rng=rng)
    assert told.status == "not_enough_data" and np.isnan(told.skill)
    assert "controls alone tell repurchase exactly" in str(told.text)


def test_a_flat_or_repeated_driver_changes_nothing():
    frame = planted(400, [0.8, 0.4], np.random.default_rng(4))
    plain, more = (
        judge_skill(
            moments_of_rows(f), [x for x in f if x != "y"], "y", rng=np.random.default_rng(1)
        )
        for f in (frame, frame.assign(flat=0.1, again=2 * frame["x0"] - 1))
    )
    assert more.skill == pytest.approx(plain.skill, abs=1e-9)
    assert more.low == pytest.approx(plain.low, abs=1e-9)


def test_unknown_names_are_told():
    with pytest.raises(CustomerlabError, match='did you mean "x0"'):
        frame = planted(50, [1.0], np.random.default_rng(1))
        judge_skill(moments_of_rows(frame), ["x00"], "y", rng=np.random.default_rng(1))


def test_moments_of_sums_are_those_of_the_rows_sums():
    rng = np.random.default_rng(5)
    frame = planted(500, [0.5, 0.3, 0.2], rng) * 3 + 50
    weights = rng.normal(size=(3, 2))
    z = (frame[["x0", "x1", "x2"]] - frame.mean()) / frame.std()
    for standardised in (False, True):
        made = (z if standardised else frame)[["x0", "x1", "x2"]].to_numpy() @ weights
        rows = pd.DataFrame(made, columns=["f", "g"]).assign(y=frame["y"])
        whole = counted(frame, bags=70)
        got = combined(whole, ["f", "g"], weights, keep=["y"], standardised=standardised)
        assert got.items == ("f", "g", "y") and got.bags == 70
        np.testing.assert_allclose(got.covariance, rows.cov(), rtol=1e-9)
        np.testing.assert_allclose(got.mean, rows.mean(), atol=1e-9)
        times = rng.multinomial(70, np.full(70, 1 / 70))
        expected = combined(whole.weighted(times), ["f", "g"], weights, keep=["y"])
        if not standardised:  # a resample of the sums is the sums of the resample
            np.testing.assert_allclose(got.weighted(times).covariance, expected.covariance)


def test_with_answers_missing_covariances_are_the_pairwise_ones_and_vary_as_they_do():
    rng = np.random.default_rng(6)
    frame = planted(400, [0.5, 0.3, 0.2], rng) + 5
    frame = frame.mask(rng.random(frame.shape) < [0.3, 0.1, 0.2, 0.0])
    whole = moments_of_rows(frame)
    got = completed(whole)
    scale = 1 - 1 / got.known[0]  # n of all, and n - 1 of each pair
    pairs = frame.notna().astype(float).T @ frame.notna().astype(float)
    raw = frame.cov() * (1 - 1 / pairs)
    np.testing.assert_allclose(got.covariance * scale, raw, rtol=1e-10)
    np.testing.assert_allclose(got.mean, frame.mean())
    assert got.known[0] == pytest.approx(pairs.to_numpy().min())
    spread = []
    for _ in range(600):
        times = rng.multinomial(400, np.full(400, 1 / 400))
        spread.append(
            [got.weighted(times).covariance[0, 3], whole.weighted(times).covariance[0, 3]]
        )
    near, exact = np.array(spread).T
    assert np.corrcoef(near, exact)[0, 1] > 0.99
    assert near.std() / exact.std() == pytest.approx(1, abs=0.05)
    complete = frame.dropna()
    np.testing.assert_allclose(
        completed(moments_of_rows(complete)).covariance, complete.cov(), rtol=1e-9
    )


def test_loyalty_of_the_mobile_survey_is_foretold(shared_data):
    frame = pd.read_csv(shared_data / "mobi" / "mobi.csv")
    drivers = ["PERQ1", "PERV1", "CUSA1", "IMAG1"]
    whole = moments_of_rows(frame[[*drivers, "CUSL1"]])
    got = judge_skill(whole, drivers, "CUSL1", rng=np.random.default_rng(1))
    plain = 1 - plain_errors(frame, drivers, "CUSL1", 10) / plain_errors(frame, [], "CUSL1", 10)
    assert got.skill == pytest.approx(plain, abs=1e-10)
    assert got.predicts and got.n == 250 and not got.binary
