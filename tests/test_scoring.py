"""Factors behind scores against R's lavaan and polycor, integrals, hand counts, planted truth.

R's numbers come from ``tests/oracles/structural.R`` (R 4.2.2, lavaan 0.6-14, polycor 0.8-1).
"""

from __future__ import annotations

from itertools import pairwise, permutations

import ibis
import numpy as np
import pandas as pd
import pytest
from conftest import ROOT
from scipy.integrate import quad
from scipy.stats import norm
from test_skill import counted, moments_of_rows

from customerlab.drivers.combined import Resampled, combined, less_error, resampled
from customerlab.drivers.correlations import correlate
from customerlab.drivers.factors import fit_factors
from customerlab.drivers.moments import count_moments, deal_bags, draw_bags
from customerlab.drivers.pair_counts import count_pairs
from customerlab.drivers.scoring import bartlett_scores, score_factors
from customerlab.drivers.skill import judge_skill
from customerlab.drivers.weights import weigh_drivers

ORACLES = ROOT / "tests" / "oracles"


@pytest.fixture(scope="module")
def r():
    return pd.read_csv(ORACLES / "structural.csv", index_col="name")["value"]


def of_r(r, name, *shape):
    if len(shape) == 1:
        return np.array([r[f"{name}.{i + 1}"] for i in range(shape[0])])
    rows, columns = shape
    return np.array([[r[f"{name}.{i + 1}.{j + 1}"] for j in range(columns)] for i in range(rows)])


def rows_of(covariance, columns, n=400):
    """Return rows with exactly these covariances."""
    x = np.random.default_rng(1).normal(size=(n, len(columns)))
    x = x - x.mean(axis=0)
    x = np.linalg.qr(x)[0] * np.sqrt(n - 1)
    return pd.DataFrame(x @ np.linalg.cholesky(covariance).T, columns=columns)


def scored_rows(frame, items, factors, *, bags=500, key=None, resamples=0, seed=1, **options):
    """Run the steps of the notebook, from rows to scores."""
    rng = np.random.default_rng(seed)
    rest = [name for name in frame.columns if name not in items and name != key]
    table = deal_bags(ibis.memtable(frame), items, seed=1, key=key, bags=bags)
    # worked out once, as the notebook does
    table = ibis.memtable(table.to_pandas())
    found = correlate(table, items, **options)
    fitted = fit_factors(
        found.matrix, found.n, found.items, factors, resamples=found.resamples(rng, resamples)
    )
    moments = count_moments(found.table, [*found.items, *rest])
    return found, fitted, moments, score_factors(moments, fitted, found)


def coefficients(moments, inputs, outcome):
    """Return the regression of the outcome on the inputs."""
    whole = moments.select([*inputs, outcome]).covariance
    return np.linalg.solve(whole[:-1, :-1], whole[:-1, -1])


def like(pattern, target):
    """Return which factor is which of other loadings: places and signs."""
    alike = target.T @ pattern
    at = np.abs(alike).argmax(axis=1)
    assert sorted(at) == list(range(len(at)))
    return at, np.sign(alike[np.arange(len(at)), at])


# --- against lavaan


def test_a_model_that_holds_exactly_is_lavaans(r):
    """Covariances that a model with simple structure tells: two steps find what one does."""
    items = [f"i{i + 1}" for i in range(9)]
    covariance = of_r(r, "planted.covariance", 11, 11)
    frame = rows_of(covariance, [*items, "c", "y"])
    frame[items] = frame[items] * np.arange(1, 10) + 3  # answers are of no unit
    _, fitted, _, scored = scored_rows(frame, items, 3, kind="pearson")
    at, sign = like(fitted.pattern, np.kron(np.eye(3), np.ones((3, 1))))
    names = [fitted.names[i] for i in at]
    behind = scored.behind.whole
    among = behind.select(names).covariance * np.outer(sign, sign)
    np.testing.assert_allclose(among, of_r(r, "planted.phi", 3, 3), atol=1e-6)
    got = coefficients(behind, [*names, "c"], "y") * [*sign, 1]
    np.testing.assert_allclose(got, of_r(r, "planted.effects", 4), atol=1e-6)
    # what scores themselves would say of a factor: too little
    blurred = coefficients(scored.scores, [*names, "c"], "y") * [*sign, 1]
    assert np.abs(blurred - of_r(r, "planted.effects", 4)).max() > 0.1


def test_taking_off_the_error_is_lavaans_structure_after_measurement(r):
    """Of real answers, with lavaan's own loadings: ``sam`` with Bartlett's map."""
    frame = pd.read_csv(ORACLES / "holzinger.csv")
    items = [f"x{i + 1}" for i in range(9)]
    weights, error = bartlett_scores(
        of_r(r, "real.loadings", 9, 3), of_r(r, "real.uniqueness", 9), np.ones(9)
    )
    names, rest = ["visual", "textual", "speed"], ["school", "months"]
    moments = counted(frame, bags=500)
    scores = combined(moments, names, weights, items=items, keep=rest, standardised=True)
    got = coefficients(less_error(scores, error), [*names, "school"], "months")
    unit = np.array([1, 1, 1, frame["school"].std()]) / frame["months"].std()
    np.testing.assert_allclose(got * unit, of_r(r, "real.after.effects", 4), atol=1e-6)


def test_two_steps_find_what_lavaan_finds_at_once(r):
    """Real answers, exploratory factors: the same ones, and two estimators of their effects."""
    frame = pd.read_csv(ORACLES / "holzinger.csv")
    items = [f"x{i + 1}" for i in range(9)]
    _, fitted, _, scored = scored_rows(frame, items, 3, kind="pearson")
    loadings = of_r(r, "real.exploratory.loadings", 9, 3)
    at, sign = like(fitted.pattern, loadings)
    names = [fitted.names[i] for i in at]
    np.testing.assert_allclose(fitted.pattern[:, at] * sign, loadings, atol=1e-3)
    phi = fitted.correlation[np.ix_(at, at)] * np.outer(sign, sign)
    np.testing.assert_allclose(phi, of_r(r, "real.exploratory.phi", 3, 3), atol=1e-3)
    got = coefficients(scored.behind.whole, [*names, "school"], "months") * [*sign, 1]
    got *= np.array([1, 1, 1, frame["school"].std()]) / frame["months"].std()
    error = of_r(r, "real.exploratory.error", 4)
    assert (np.abs(got - of_r(r, "real.exploratory.effects", 4)) < 0.25 * error).all()


# --- by hand


def test_the_error_of_one_factor_with_two_items_by_hand():
    """Loadings 0.8 and 0.6: each item tells 0.64 / 0.36 and 0.36 / 0.64 of the error's inverse."""
    weights, error = bartlett_scores(np.array([[0.8], [0.6]]), np.array([0.36, 0.64]), np.ones(2))
    inverse = 0.64 / 0.36 + 0.36 / 0.64
    assert error.item() == pytest.approx(1 / inverse)
    np.testing.assert_allclose(
        weights.ravel(), [0.8 / 0.36 / inverse, 0.6 / 0.64 / inverse], rtol=1e-12
    )
    # the scores of such items vary by the factor and the error
    matrix = np.array([[1, 0.48], [0.48, 1]])
    assert (weights.T @ matrix @ weights).item() == pytest.approx(1 + 1 / inverse)


def test_blurred_answers_load_less_and_err_more():
    """Answers that go with what is behind them by 0.9: loadings 0.72, 0.54; the rest is error."""
    blur = np.array([0.9, 0.9])
    weights, error = bartlett_scores(np.array([[0.8], [0.6]]), np.array([0.36, 0.64]), blur)
    inverse = 0.72**2 / (1 - 0.72**2) + 0.54**2 / (1 - 0.54**2)
    assert error.item() == pytest.approx(1 / inverse)
    assert weights[0, 0] == pytest.approx(0.72 / (1 - 0.72**2) / inverse)


# --- answers and what is behind them

MARGINS = {"two": [60, 240], "three": [30, 60, 210], "five": [6, 12, 24, 48, 210]}


def answered(margin, levels=None):
    levels = range(1, len(margin) + 1) if levels is None else levels
    answer = np.repeat(np.array(list(levels), dtype=float), margin)
    other = np.sin(np.arange(len(answer))) > 0
    table = ibis.memtable(pd.DataFrame({"a": answer, "b": other, "_bag": 0}))
    return count_pairs(table, ["a", "b"])


@pytest.mark.parametrize("classes", list(MARGINS))
def test_attenuation_is_an_integral_and_polycors(r, classes):
    margin = np.array(MARGINS[classes])
    share = margin / margin.sum()
    ends = [-12, *norm.ppf(share.cumsum()[:-1]), 12]
    level = np.arange(1, len(margin) + 1)
    # covariance of the normal variable with the answer it is cut into
    parts = [quad(lambda x: x * norm.pdf(x), *two)[0] for two in pairwise(ends)]
    spread = np.sqrt(share @ (level - share @ level) ** 2)
    got = answered(margin).attenuation[0]
    assert got == pytest.approx(level @ parts / spread, abs=1e-9)
    assert got == pytest.approx(r[f"behind.{classes}"], abs=1e-9)
    # an answer has no unit
    assert answered(margin, levels=7 * level - 100).attenuation[0] == pytest.approx(got)


def test_attenuation_of_yes_and_no_is_that_of_biserial_correlation():
    share, p = answered([30, 270]).attenuation[0], 0.1
    assert share == pytest.approx(norm.pdf(norm.ppf(p)) / np.sqrt(p * (1 - p)))


def test_uneven_levels_are_taken_as_they_are():
    margin, level = np.array([60, 90, 150]), np.array([0.0, 1.0, 7.0])
    share = margin / margin.sum()
    ends = [-12, *norm.ppf(share.cumsum()[:-1]), 12]
    parts = [quad(lambda x: x * norm.pdf(x), *two)[0] for two in pairwise(ends)]
    spread = np.sqrt(share @ (level - share @ level) ** 2)
    got = answered(margin, levels=level).attenuation[0]
    assert got == pytest.approx(level @ parts / spread, abs=1e-9)


# --- planted truth

#: Three factors, the first measured well, the last badly; a control that goes with them.
LOADINGS = np.kron(np.eye(3), np.ones((4, 1))) * np.repeat([0.85, 0.65, 0.5], 4)[:, None]
LATENT = np.array([[1, 0.3, 0.3, 0.4], [0.3, 1, 0.3, 0.2], [0.3, 0.3, 1, 0.1], [0.4, 0.2, 0.1, 1]])
EFFECTS = np.array([0.3, 0.3, 0.5, 0.4])
CUTS = [-1.2, -0.5, 0.2, 1.1]


def planted_rows(n, rng, *, binary):
    latent = rng.multivariate_normal(np.zeros(4), LATENT, size=n)
    own = np.sqrt(1 - (LOADINGS**2).sum(axis=1))
    x = latent[:, :3] @ LOADINGS.T + rng.normal(size=(n, 12)) * own
    frame = pd.DataFrame(1.0 + np.searchsorted(CUTS, x), columns=[f"i{i + 1}" for i in range(12)])
    y = latent @ EFFECTS + rng.normal(size=n)
    return frame.assign(c=latent[:, 3], y=(y > 0.5).astype(float) if binary else y)


def planted_shares():
    """Return each factor's share of what is explained beyond the control, over all orders."""
    covariance = LATENT @ EFFECTS

    def told(at):
        at = [3, *at]
        return covariance[at] @ np.linalg.solve(LATENT[np.ix_(at, at)], covariance[at])

    shares = np.zeros(3)
    for order in permutations(range(3)):
        for place, one in enumerate(order):
            shares[one] += told(list(order[: place + 1])) - told(list(order[:place]))
    return shares / shares.sum()


@pytest.mark.parametrize("binary", [False, True])
def test_weights_are_those_of_the_factors_however_well_they_are_measured(binary):
    rng = np.random.default_rng(4)
    frame = planted_rows(20_000, rng, binary=binary)
    items = list(frame.columns[:12])
    found, fitted, _, scored = scored_rows(frame, items, 3, resamples=60)
    assert found.kind == "polychoric"
    at, sign = like(fitted.pattern, LOADINGS)
    names = [fitted.names[i] for i in at]
    assert (sign > 0).all()
    skill = judge_skill(scored.scores, names, "y", ["c"], rng=rng)

    def shares(moments):
        got = weigh_drivers(moments, names, "y", ["c"], skill=skill, rng=rng)
        return got.table.set_index("driver").loc[names]

    truth, behind = planted_shares(), shares(scored.behind)
    blurred = shares(Resampled(scored.scores, [scored.scores]))["weight"]
    error = ((behind["high"] - behind["low"]) / 3.92).to_numpy()
    off = np.abs(behind["weight"] - truth).to_numpy()
    # 3 factors and 2 outcomes: 2.9 standard errors are left by one of 50 such tests
    assert (off < 2.9 * error).all()
    # the scores' own shares: the factor that is measured badly seems to weigh 9 points less
    too_much = (blurred - truth).to_numpy()
    assert too_much[2] < -0.06 and too_much[0] > 0.04
    assert np.abs(too_much).max() > 3 * off.max()
    if not binary:  # and the effects of one standard deviation, in the outcome's own units
        wide = ((behind["effect_high"] - behind["effect_low"]) / 3.92).to_numpy()
        assert (np.abs(behind["effect"] - EFFECTS[:3]) < 2.9 * wide).all()
    # covariances of the factors and the control
    whole = scored.behind.whole.select([*names, "c"]).covariance
    np.testing.assert_allclose(whole, LATENT, atol=0.05)


# --- resamples are of the same rows


@pytest.mark.parametrize("missing", ["pairwise", "listwise"])
@pytest.mark.parametrize("key", [None, "who"])
@pytest.mark.parametrize("n", [200, 1200], ids=["fewer rows than bags", "more"])
def test_a_resample_of_the_factors_is_of_the_rows_of_that_of_the_sums(missing, key, n):
    rng = np.random.default_rng(7)
    frame = planted_rows(n, rng, binary=False)
    items = list(frame.columns[:12])
    frame[items] = frame[items].mask(rng.random((n, 12)) < 0.02)
    frame = frame.assign(who=[f"w{i:05d}" for i in rng.permutation(n)])
    if key is None:
        frame = frame.drop(columns="who")
    found, fitted, moments, scored = scored_rows(
        *(frame, items, 3), key=key, resamples=3, kind="pearson", missing=missing
    )
    bag = found.table.to_pandas()
    assert moments.bags == found.counts.bags == bag["_bag"].max() + 1 <= 500
    assert len(fitted.draws.bags) == len(scored.behind.drawn) == 3
    for times, matrix, drawn in zip(
        fitted.draws.bags, fitted.draws.matrices, scored.behind.drawn, strict=True
    ):
        rows = bag.loc[np.repeat(bag.index, times[bag["_bag"]])]
        np.testing.assert_allclose(matrix, rows[items].corr(), atol=1e-9)
        # outcome and control have no missing answers: theirs are of all rows drawn
        got = drawn.select(["c", "y"]).covariance
        if missing == "listwise":
            np.testing.assert_allclose(got, rows[["c", "y"]].cov(), rtol=1e-9)
        else:  # completed to one number of rows
            np.testing.assert_allclose(got, rows[["c", "y"]].cov(), rtol=2e-3)


def test_a_resample_of_scores_is_worked_out_from_its_rows_alone():
    """Without missing answers: loadings, scores and error of a resample from its rows."""
    frame = planted_rows(300, np.random.default_rng(3), binary=False)
    items = list(frame.columns[:12])
    found, fitted, _, scored = scored_rows(frame, items, 3, resamples=5, kind="pearson")
    bag, draws = found.table.to_pandas(), fitted.draws
    for i, drawn in enumerate(scored.behind.drawn):
        rows = bag.loc[np.repeat(bag.index, draws.bags[i][bag["_bag"]])]
        z = (rows[items] - rows[items].mean()) / rows[items].std()
        loadings, own = draws.loadings[i], draws.uniqueness[i]
        inner = loadings.T @ np.diag(1 / own) @ loadings
        score = z @ (np.diag(1 / own) @ loadings @ np.linalg.inv(inner))
        expected = np.cov(np.column_stack([score, rows[["c", "y"]]]), rowvar=False)
        expected[:3, :3] -= np.linalg.inv(inner)
        assert np.linalg.eigvalsh(expected[:3, :3])[0] > 0.05
        np.testing.assert_allclose(drawn.covariance, expected, atol=1e-9)


def test_resampled_draws_the_same_bags_as_by_hand():
    frame = planted_rows(150, np.random.default_rng(3), binary=True)[["i1", "i5", "c", "y"]]
    moments = moments_of_rows(frame)
    got = resampled(moments, np.random.default_rng(2), 4)
    rng = np.random.default_rng(2)
    for one in got.drawn:
        rows = frame.loc[np.repeat(frame.index, draw_bags(150, rng))]
        np.testing.assert_allclose(one.covariance, rows.cov(), atol=1e-9)


# --- few rows


def test_few_rows_and_weak_items_leave_covariances_that_can_be():
    """Of 30 rows the error may be more than there is; what is left still is of something."""
    impossible = 0
    for seed in range(8):
        rng = np.random.default_rng(seed)
        latent = rng.normal(size=(30, 2))
        x = latent.repeat(3, axis=1) * 0.35 + rng.normal(size=(30, 6))
        frame = pd.DataFrame(x, columns=[f"i{i}" for i in range(6)])
        frame = frame.assign(c=latent[:, 0] + rng.normal(size=30), y=rng.normal(size=30))
        found, fitted, moments, scored = scored_rows(
            frame, [f"i{i}" for i in range(6)], 2, resamples=9
        )
        for one in (scored.behind.whole, *scored.behind.drawn):
            values = np.linalg.eigvalsh(one.covariance)
            assert values[0] > -1e-9
            assert (one.covariance.diagonal() > 0).all()
        draws = fitted.draws
        for times, loadings, own in zip(draws.bags, draws.loadings, draws.uniqueness, strict=True):
            weights, error = bartlett_scores(loadings, own, found.attenuation)
            plainly = combined(
                *(moments.weighted(times), fitted.names, weights),
                **dict(items=found.items, keep=["c", "y"], standardised=True),
            ).covariance
            plainly[:2, :2] -= error
            impossible += np.linalg.eigvalsh(plainly)[0] < 0
        skill = judge_skill(scored.scores, fitted.names, "y", ["c"], rng=rng)
        assert not skill.predicts  # there is nothing to be foretold
        forced = judge_skill(moments_of_rows(strong(rng)), ["a"], "b", rng=rng)
        got = weigh_drivers(scored.behind, fitted.names, "y", ["c"], skill=forced, rng=rng)
        assert 0 <= got.explained <= 1 + 1e-9
        assert (got.table["weight"] >= -1e-9).all()
    assert impossible  # the case is there


def strong(rng):
    a = rng.normal(size=200)
    return pd.DataFrame({"a": a, "b": a + rng.normal(size=200)})
