"""Factors against R's psych and statsmodels, planted loadings, and correlations of no use.

R's numbers come from ``tests/oracles/psych_factors.R`` (R 4.2.2, psych 2.2.9, GPArotation
2022.10-2).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from statsmodels.multivariate.factor import Factor

from customerlab.drivers.extraction import Rotated, extract, matched, rotate
from customerlab.drivers.factor_names import loadings_to_show, name_factors
from customerlab.drivers.factors import fit_factors
from customerlab.drivers.moments import draw_bags
from customerlab.drivers.reliability import cronbach_alpha, judge_reliability, omega_total
from customerlab.drivers.scoring import bartlett_scores

ORACLE = Path(__file__).parent / "oracles" / "psych_factors.csv"
FACTORS = {"made": 3, "mobi": 4}


def made() -> np.ndarray:
    """Make the correlations that psych_factors.R makes, by the same rule."""
    i = np.arange(1, 13)
    load = np.zeros((12, 3))
    load[i - 1, (i - 1) // 4] = 0.4 + ((i * 7) % 5) / 10
    load[i - 1, i % 3] += 0.1
    load[1, 0] *= -1
    phi = np.array([[1, 0.4, 0.2], [0.4, 1, 0.3], [0.2, 0.3, 1]])
    matrix = load @ phi @ load.T + 0.03 * np.cos(np.outer(i, i))
    np.fill_diagonal(matrix, 1)
    return matrix


@pytest.fixture(scope="module")
def r():
    return pd.read_csv(ORACLE, index_col="name")["value"]


@pytest.fixture(params=["made", "mobi"])
def example(request):
    """Return the name, the correlations and the rows of an example of psych_factors.R."""
    if request.param == "made":
        return "made", made(), 300
    survey = pd.read_csv(request.getfixturevalue("shared_data") / "mobi" / "mobi.csv")
    return "mobi", survey.corr().to_numpy(), 250


def names(matrix):
    return [f"i{i + 1}" for i in range(len(matrix))]


def of_r(r, name, *shape):
    if len(shape) == 1:
        return np.array([r[f"{name}.{i + 1}"] for i in range(shape[0])])
    rows, columns = shape
    return np.array([[r[f"{name}.{i + 1}.{j + 1}"] for j in range(columns)] for i in range(rows)])


# --- loadings, rotation, scores


@pytest.mark.parametrize("rotation", ["oblimin", "varimax", "promax"])
def test_factors_are_psychs(example, r, rotation):
    """In the same order and with the same signs: both have psych's rule."""
    name, matrix, n = example
    k, m = len(matrix), FACTORS[name]
    got = fit_factors(matrix, n, names(matrix), m, rotation=rotation)
    at = f"{name}.{rotation}"
    np.testing.assert_allclose(got.uniqueness, of_r(r, f"{at}.uniqueness", k), atol=1e-3)
    np.testing.assert_allclose(got.pattern, of_r(r, f"{at}.loadings", k, m), atol=1e-3)
    np.testing.assert_allclose(got.correlation, of_r(r, f"{at}.phi", m, m), atol=1e-3)
    weights, _ = bartlett_scores(got.pattern, got.uniqueness, np.ones(k))
    np.testing.assert_allclose(weights, of_r(r, f"{at}.weights", k, m), atol=1e-3)


def test_likelihood_is_statsmodels(example):
    name, matrix, n = example
    ours = extract(matrix, FACTORS[name])
    model = Factor(corr=matrix, n_factor=FACTORS[name], method="ml", nobs=n)
    fit = model.fit(rng=1)
    best = model.loglike((fit.loadings, fit.uniqueness))
    assert model.loglike((ours.loadings, ours.uniqueness)) == pytest.approx(best, abs=1e-10)
    np.testing.assert_allclose(ours.uniqueness, fit.uniqueness, atol=1e-4)


def test_the_order_and_the_sign_of_items_do_not_matter():
    matrix = made()
    got = fit_factors(matrix, 300, names(matrix), 3)
    order = np.random.default_rng(2).permutation(12)
    other = fit_factors(matrix[np.ix_(order, order)], 300, [names(matrix)[i] for i in order], 3)
    np.testing.assert_allclose(other.pattern, got.pattern[order], atol=1e-5)
    assert (got.pattern.sum(axis=0) > 0).all()
    assert got.table["share_told"].is_monotonic_decreasing
    # the variance told is that of all factors together
    assert got.table["share_told"].sum() * 12 == pytest.approx((1 - got.uniqueness).sum())
    assert got.items_told["communality"].to_numpy() == pytest.approx(
        np.diag(got.pattern @ got.correlation @ got.pattern.T), abs=1e-5
    )


def test_loadings_without_noise_are_found_exactly():
    pattern = np.kron(np.eye(3), np.array([[0.8], [0.7], [0.6], [0.5]]))
    phi = np.array([[1, 0.5, 0.2], [0.5, 1, 0.3], [0.2, 0.3, 1]])
    matrix = pattern @ phi @ pattern.T
    np.fill_diagonal(matrix, 1)
    got = fit_factors(matrix, 500, names(matrix), 3)
    # factors of the same size: put in order by what they correlate with
    aligned, _, alike = matched(Rotated(got.pattern, got.correlation, np.eye(2)), pattern)
    np.testing.assert_allclose(aligned, pattern, atol=1e-5)
    np.testing.assert_allclose(alike, 1, atol=1e-9)


def test_one_factor_has_nothing_to_rotate():
    pattern = np.array([[0.8], [-0.7], [0.6], [0.5]])
    matrix = pattern @ pattern.T
    np.fill_diagonal(matrix, 1)
    got = fit_factors(matrix, 500, list("abcd"), 1)
    np.testing.assert_allclose(got.pattern, pattern, atol=1e-5)
    assert got.correlations.empty
    assert list(got.correlations) == ["factor", "other", "correlation", "low", "high"]


def test_matching_undoes_order_and_sign():
    fitted = fit_factors(made(), 300, names(made()), 3)
    pattern, order, sign = fitted.pattern, [2, 0, 1], np.array([-1, 1, -1])
    phi = fitted.correlation[np.ix_(order, order)] * np.outer(sign, sign)
    mixed = Rotated(pattern[:, order] * sign, phi, np.eye(3))
    back, correlation, alike = matched(mixed, pattern)
    np.testing.assert_array_equal(back, pattern)
    np.testing.assert_array_equal(correlation, fitted.correlation)
    np.testing.assert_allclose(alike, 1)


# --- resamples


PLANTED = np.kron(np.eye(2), np.array([[0.8], [0.7], [0.6], [0.5]])) + np.array(
    [[0, 0], [0, 0], [0, 0.2], [0, 0], [0, 0], [0, 0], [0, 0], [0.1, 0]]
)
PHI = np.array([[1, 0.3], [0.3, 1]])


def answers(rng, n):
    """Draw answers whose factors are planted."""
    common = rng.multivariate_normal(np.zeros(2), PHI, size=n)
    own = np.sqrt(1 - np.diag(PLANTED @ PHI @ PLANTED.T))
    return common @ PLANTED.T + rng.normal(size=(n, 8)) * own


def resampled(rows, rng, times):
    for _ in range(times):
        bags = draw_bags(len(rows), rng)
        yield bags, np.corrcoef(np.repeat(rows, bags, axis=0), rowvar=False)


def planted_factors(rotation="oblimin"):
    """Return what the rotation gives of the planted correlations themselves."""
    matrix = PLANTED @ PHI @ PLANTED.T
    np.fill_diagonal(matrix, 1)
    fitted = fit_factors(matrix, 10**6, names(matrix), 2, rotation=rotation)
    return Rotated(fitted.pattern, fitted.correlation, np.eye(2))


def test_intervals_hold_the_truth_as_often_as_they_say():
    truth = planted_factors()
    held, together = [], 0
    for seed in range(30):
        rng = np.random.default_rng(seed)
        rows = answers(rng, 400)
        got = fit_factors(
            np.corrcoef(rows, rowvar=False),
            400,
            names(PLANTED),
            2,
            resamples=resampled(rows, rng, 60),
        )
        true, phi, _ = matched(truth, got.pattern)
        (pair,) = got.correlations.itertuples()
        together += pair.low <= phi[0, 1] <= pair.high
        table = got.loadings.assign(truth=true.ravel())
        held.append(((table["low"] <= table["truth"]) & (table["truth"] <= table["high"])).mean())
        assert len(got.draws.matrices) == 60
        assert (got.loadings["low"] < got.loadings["loading"]).all()
        assert (got.loadings["loading"] < got.loadings["high"]).all()
    # Percentiles of 60 resamples hold about 0.93. The 16 loadings of a sample go together: the
    # spread of the share over samples is taken from the samples, three standard errors allowed.
    error = np.std(held) / np.sqrt(len(held))
    assert abs(np.mean(held) - 0.935) < 0.015 + 3 * error
    # of 30 intervals for the factors' correlation fewer than 23 hold it in 1 of 1000 runs
    assert together >= 23


@pytest.mark.parametrize("rotation", ["varimax", "promax"])
def test_intervals_of_other_rotations_hold_the_truth_as_often_as_they_say(rotation):
    """Of what that rotation makes of the planted correlations, as above."""
    truth = planted_factors(rotation)
    held, together = [], 0
    for seed in range(15):
        rng = np.random.default_rng(100 + seed)
        rows = answers(rng, 400)
        got = fit_factors(
            *(np.corrcoef(rows, rowvar=False), 400, names(PLANTED), 2),
            rotation=rotation,
            resamples=resampled(rows, rng, 60),
        )
        true, phi, _ = matched(truth, got.pattern)
        (pair,) = got.correlations.itertuples()
        together += pair.low <= phi[0, 1] <= pair.high
        if rotation == "varimax":  # factors of right angles stay so in each resample
            assert (pair.low, pair.correlation, pair.high) == (0, 0, 0)
        table = got.loadings.assign(truth=true.ravel())
        held.append(((table["low"] <= table["truth"]) & (table["truth"] <= table["high"])).mean())
    error = np.std(held) / np.sqrt(len(held))
    assert abs(np.mean(held) - 0.935) < 0.015 + 3 * error
    # of 15 intervals for the factors' correlation fewer than 11 hold it in 1 of 500 runs
    assert together >= 11


def test_factors_of_plenty_of_rows_are_the_same_in_every_resample():
    rng = np.random.default_rng(1)
    rows = answers(rng, 2000)
    matrix = np.corrcoef(rows, rowvar=False)
    got = fit_factors(matrix, 2000, names(matrix), 2, resamples=resampled(rows, rng, 50))
    assert got.status == "supported"
    assert got.notes == ()
    assert (got.table["congruence_low"] > 0.98).all()
    assert (got.table["congruence"] >= got.table["congruence_low"]).all()
    assert got.table["items"].tolist() == [4, 4]


def test_a_factor_that_is_not_there_is_not_the_same_in_every_resample():
    rng = np.random.default_rng(1)
    rows = answers(rng, 150)
    matrix = np.corrcoef(rows, rowvar=False)
    got = fit_factors(matrix, 150, names(matrix), 4, resamples=resampled(rows, rng, 100))
    assert got.status == "weak"
    assert any("Not the same in every resample" in str(note) for note in got.notes)
    assert got.table["congruence_low"].min() < 0.85


def test_resamples_that_cannot_be_factored_are_left_out_and_told():
    rng = np.random.default_rng(1)
    rows = answers(rng, 500)
    some = list(resampled(rows, rng, 50))
    bad = [np.full((8, 8), np.nan)] * 5 + [np.ones((8, 8))] * 5
    some[::5] = [(some[0][0], one) for one in bad]
    got = fit_factors(np.corrcoef(rows, rowvar=False), 500, names(PLANTED), 2, resamples=some)
    assert (len(got.draws.matrices), got.draws.failed) == (40, 10)
    assert got.status == "weak"
    assert "In 10 of 50 resamples" in str(got.notes[0])


# --- correlations of no use


def test_a_heywood_case_is_told():
    """An item goes with the others as no share of its own allows."""
    matrix = np.eye(6)
    pattern = np.array([0.99, 0.9, 0.9, 0.5, 0.4, 0.3])
    matrix = np.outer(pattern, pattern)
    matrix[0, 1] = matrix[1, 0] = 0.93
    np.fill_diagonal(matrix, 1)
    got = fit_factors(matrix, 1000, list("abcdef"), 1)
    assert got.status == "weak"
    assert "The factors tell all of a" in str(got.notes[0])
    assert got.items_told["communality"].max() <= 1


def unfactorable():
    same = made()
    same[:, 1], same[1, :] = same[:, 0], same[0, :]
    same[1, 1] = same[0, 1] = same[1, 0] = 1
    rows = np.random.default_rng(0).normal(size=(5, 12))
    unknown = made()
    unknown[0] = unknown[:, 0] = np.nan
    return {
        "collinear": (same, 3),
        "fewer rows than items": (np.corrcoef(rows, rowvar=False), 3),
        "an item without spread": (unknown, 3),
        "no factor": (made(), 0),
        "too many factors": (made(), 8),
        "two items": (np.array([[1, 0.5], [0.5, 1]]), 1),
        "no item": (np.zeros((0, 0)), 1),
    }


@pytest.mark.parametrize("case", list(unfactorable()))
def test_what_cannot_be_factored_is_told_in_words(case):
    matrix, factors = unfactorable()[case]
    got = fit_factors(matrix, 300, names(matrix), factors, resamples=[(np.ones(1), matrix)])
    assert got.status == "not_enough_data"
    assert len(str(got.notes[0])) > 20
    full = fit_factors(made(), 300, names(made()), 3)
    for frame in ("loadings", "items_told", "table", "correlations"):
        assert list(getattr(got, frame)) == list(getattr(full, frame))
    assert name_factors(got) == {}
    assert list(loadings_to_show(got, {})) == list(loadings_to_show(full, name_factors(full)))
    judged = judge_reliability(matrix, got)
    assert list(judged.table) == list(judge_reliability(made(), full).table)
    assert "no factor" in str(judged.text)


# --- names


def test_factors_are_named_by_their_leading_items():
    got = fit_factors(made(), 300, names(made()), 3)
    by_items = name_factors(got)
    for name, told in by_items.items():
        own = got.items_told[got.items_told["factor"] == name]["item"]
        on = got.loadings[(got.loadings["factor"] == name) & got.loadings["item"].isin(own)]
        leading = on.set_index("item")["loading"].sort_values(ascending=False).index
        assert str(told) == f"{leading[0]} and {leading[1]}"


def test_factors_are_named_by_the_parameters():
    got = fit_factors(made(), 300, names(made()), 3)
    home = got.items_told.set_index("item")["factor"]
    given = {"Delivery": ["i10", "i11"], "Price": ["i3", "i4"]}
    named = name_factors(got, given)
    assert named[home["i10"]] == "Delivery"
    assert named[home["i3"]] == "Price"
    rest = (set(got.names) - {home["i10"], home["i3"]}).pop()
    assert str(named[rest]) == str(name_factors(got)[rest])
    # an item that was left out, for everybody answered alike, names none
    assert name_factors(got, {"Price": ["i33"]}) == name_factors(got)
    assert name_factors(got, {"Price": ["i33", "i3"], "Gone": ["i34"]})[home["i3"]] == "Price"


def test_items_are_shown_under_their_factor():
    got = fit_factors(made(), 300, names(made()), 3)
    shown = loadings_to_show(got, {name: name for name in got.names})
    own = shown[shown["own"]]
    assert len(shown) == 36
    assert own["factor"].tolist() == sorted(own["factor"])
    assert sorted(own["item"]) == sorted(names(made()))
    for _, some in own.groupby("factor"):
        assert some["loading"].abs().is_monotonic_decreasing
    for line in shown.itertuples():
        at = names(made()).index(line.item), got.names.index(line.factor)
        assert line.loading == got.pattern[at]


# --- reliability


def test_alpha_and_omega_are_psychs(example, r):
    name, matrix, n = example
    got = fit_factors(matrix, n, names(matrix), FACTORS[name])
    assert judge_reliability(matrix, got).omega == pytest.approx(r[f"{name}.omega.tot"], abs=1e-2)
    part = matrix[:4, :4]
    scale = fit_factors(part, n, names(part), 1)
    judged = judge_reliability(part, scale).table.iloc[0]
    assert judged["alpha"] == pytest.approx(r[f"{name}.scale.alpha"], abs=1e-10)
    assert judged["omega"] == pytest.approx(r[f"{name}.scale.omega"], abs=1e-2)


def test_alpha_of_covariances_is_the_raw_one(shared_data, r):
    survey = pd.read_csv(shared_data / "mobi" / "mobi.csv").filter(like="PERQ")
    assert cronbach_alpha(survey.cov().to_numpy()) == pytest.approx(r["mobi.raw_alpha"], abs=1e-10)


def test_reliability_by_hand():
    # two items that correlate 0.6: alpha by Spearman and Brown 2 x 0.6 / 1.6
    assert cronbach_alpha(np.array([[1, 0.6], [0.6, 1]])) == pytest.approx(0.75)
    assert np.isnan(cronbach_alpha(np.eye(1)))
    # items with the same loading: omega is alpha
    matrix = np.full((4, 4), 0.49) + 0.51 * np.eye(4)
    assert omega_total(matrix, np.full(4, 0.51)) == pytest.approx(cronbach_alpha(matrix))


def test_omega_is_the_share_of_the_sum_that_factors_tell():
    """Of planted answers: the part of the sum's variance that is not the items' own."""
    rng = np.random.default_rng(1)
    rows = answers(rng, 20_000)
    matrix = np.corrcoef(rows, rowvar=False)
    got = fit_factors(matrix, len(rows), names(matrix), 2, resamples=resampled(rows, rng, 50))
    judged = judge_reliability(matrix, got)
    truth = PLANTED @ PHI @ PLANTED.T
    own = 1 - np.diag(truth)
    home = got.items_told["factor"].to_numpy()
    for line in judged.table.itertuples():
        at = np.flatnonzero(home == line.factor)
        true = 1 - own[at].sum() / (truth[np.ix_(at, at)].sum() + own[at].sum())
        assert line.omega == pytest.approx(true, abs=0.01)
        assert line.omega_low < line.omega < line.omega_high
        assert line.alpha_low < line.alpha < line.alpha_high
        assert line.alpha < line.omega
    assert "reliably" in str(judged.text)


def test_reversed_items_count_reversed():
    turned = made() * np.outer(*[np.where(np.arange(12) == 5, -1, 1)] * 2)
    one, other = (
        judge_reliability(matrix, fit_factors(matrix, 300, names(matrix), 3))
        for matrix in (made(), turned)
    )
    pd.testing.assert_frame_equal(one.table, other.table, atol=1e-5)
    assert one.omega == pytest.approx(other.omega, abs=1e-6)


def test_rotations_leave_what_factors_tell_together():
    matrix = made()
    start = extract(matrix, 3)
    for rotation in ("oblimin", "varimax", "promax"):
        got = rotate(start.loadings, rotation)
        both = got.loadings @ got.correlation @ got.loadings.T
        np.testing.assert_allclose(both, start.loadings @ start.loadings.T, atol=1e-10)
        np.testing.assert_allclose(np.diag(got.correlation), 1)
