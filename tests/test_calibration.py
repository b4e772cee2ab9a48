"""Whether foretold chances came true: against R, scikit-learn, rows, and planted truth.

R's numbers come from ``tests/oracles/calibration.R`` (R 4.2.2, base packages only).
"""

import datetime as dt
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from judged_samples import DAY, cells_of, covers_enough, judged_of, population
from scipy import stats
from sklearn.metrics import brier_score_loss, roc_auc_score

from customerlab.churn import measures
from customerlab.churn.calibration import COLUMNS, calibration
from customerlab.churn.cloglog import fit_cloglog
from customerlab.churn.judging import check_calibration, judge_chances
from customerlab.churn.judging_shown import calibration_to_show, curve_to_show, groups_judged
from customerlab.churn.measures import MEASURES, Judged, auc, distances, measure
from customerlab.churn.smooth import _design, _fit_drawn, fit_smooth, quantile
from customerlab.messages import ENGLISH
from customerlab.plots.calibration import calibration_curve

ORACLE = Path(__file__).parent / "oracles" / "calibration.csv"


@pytest.fixture(scope="module")
def r():
    return pd.read_csv(ORACLE, index_col="name")["value"]


@pytest.fixture(scope="module")
def example():
    """Make the customers that calibration.R makes, by the same rule."""
    i = np.arange(120)
    chance = 0.01 + 0.6 * (((i * 37) % 83) / 83) ** 2
    n = 15 + (i * 13) % 47
    events = np.minimum(n, np.floor(n * chance**1.2 * 1.3 + ((i * 7) % 5) / 5)).astype(int)
    cells = pd.DataFrame({"chance": chance, "n": n, "events": events, "baseline": 0.15})
    return cells.assign(landmark=DAY, horizon_months=3)


def rows_of(cells):
    """Repeat each cell once per customer, with who left."""
    long = cells.loc[cells.index.repeat(cells["n"])].reset_index(drop=True)
    place = long.groupby(["chance", "baseline", "n", "events"]).cumcount()
    return long.assign(events=(place < long["events"]).astype(int), n=1)


def test_no_groups_have_the_columns_of_some(example):
    """A notebook asks for the ends of the intervals whether there are groups or not."""
    told = example.assign(gender="F")
    some = groups_judged([calibration(told, np.random.default_rng(1), by="gender")], ENGLISH, 10)
    none = groups_judged([], ENGLISH, 10)
    assert none.empty and list(none) == list(some)


# --- against others' numbers


def test_measures_are_rs(example, r):
    row = calibration(example, np.random.default_rng(1)).pooled.iloc[0]
    assert (row["customers"], row["events"]) == (r["customers"], r["events"])
    for name in ("expected", "ici", "e50", "e90", "slope", "brier", "brier_baseline", "auc"):
        assert row[name] == pytest.approx(r[name], rel=1e-6), name
    assert row["brier_skill"] == pytest.approx(1 - r["brier_ratio"], rel=1e-6)
    assert row["observed_over_expected"] == pytest.approx(r["observed_over_expected"], rel=1e-6)
    assert row["smoothing"] == "spline"
    z = stats.norm.ppf(0.975)
    for name, error in (("slope", "slope.se"), ("brier", "brier.se"), ("brier_skill", None)):
        half = (row[f"{name}_high"] - row[f"{name}_low"]) / 2
        assert half == pytest.approx(z * r[error or "brier_ratio.se"], rel=1e-6)
    ratio = np.log(row["observed_over_expected_high"] / row["observed_over_expected_low"]) / 2
    wanted = z * r["observed_over_expected.se"] / r["observed_over_expected"]
    assert ratio == pytest.approx(wanted, rel=1e-6)


def test_curve_is_rs(example, r):
    smooth = fit_smooth(*(example[c].to_numpy(float) for c in ("chance", "n", "events")))
    assert smooth.knots == pytest.approx([r[f"knot.{j}"] for j in (1, 2, 3)], rel=1e-9)
    assert smooth.coefficients == pytest.approx([r[f"coef.{j}"] for j in (1, 2, 3)], rel=1e-6)
    errors = np.sqrt(np.diag(smooth.covariance))
    assert errors == pytest.approx([r[f"se.{j}"] for j in (1, 2, 3)], rel=1e-6)


def test_auc_and_its_error_are_rs(example, r):
    stayed = example["n"] - example["events"]
    area, error = auc(example["chance"].to_numpy(), example["events"], stayed)
    assert area == pytest.approx(r["auc"], rel=1e-9)
    assert error == pytest.approx(r["auc.se"], rel=1e-9)


def test_auc_and_brier_are_those_of_scikit_learn_on_rows(example):
    row = calibration(example, np.random.default_rng(1), draws=2).pooled.iloc[0]
    rows = rows_of(example)
    assert row["auc"] == pytest.approx(roc_auc_score(rows["events"], rows["chance"]), rel=1e-12)
    brier = brier_score_loss(rows["events"], rows["chance"])
    assert row["brier"] == pytest.approx(brier, rel=1e-12)


def test_cells_give_what_rows_give(example):
    cells = calibration(example, np.random.default_rng(1))
    rows = calibration(rows_of(example), np.random.default_rng(1))
    pd.testing.assert_frame_equal(cells.table, rows.table, rtol=1e-9)
    pd.testing.assert_frame_equal(cells.curve, rows.curve, rtol=1e-7)


def test_quantiles_are_those_of_the_rows():
    rng = np.random.default_rng(5)
    values, n = rng.normal(size=40), rng.integers(1, 9, 40)
    for share in (0, 0.1, 0.5, 0.77, 0.9, 1):
        wanted = np.quantile(np.repeat(values, n), share)
        assert quantile(values, n, share) == pytest.approx(wanted, abs=1e-12)


def test_integrated_brier_is_the_trapezoid_by_hand(example):
    parts = [example.assign(horizon_months=h, baseline=b) for h, b in ((3, 0.1), (5, 0.2), (9, 0))]
    result = calibration(pd.concat(parts), np.random.default_rng(1), draws=2)
    scores = result.pooled["brier_baseline"].to_numpy()
    row = result.integrated[result.integrated["landmark"].isna()].iloc[0]
    by_hand = (2 * (scores[0] + scores[1]) / 2 + 4 * (scores[1] + scores[2]) / 2) / 6
    assert row["brier_baseline"] == pytest.approx(by_hand, rel=1e-12)
    assert row["brier"] == pytest.approx(result.pooled["brier"].iloc[0], rel=1e-12)  # all alike
    assert (row["first_months"], row["last_months"]) == (3, 9)
    assert row["brier_skill"] == pytest.approx(1 - row["brier"] / by_hand, rel=1e-12)
    one = calibration(example, np.random.default_rng(1), draws=2)
    assert one.integrated["brier"].iloc[0] == one.table["brier"].iloc[0]


def test_curves_fitted_together_are_those_fitted_alone(example):
    rng = np.random.default_rng(2)
    chance, n = example["chance"].to_numpy(), example["n"].to_numpy()
    design, exits = _design(chance, (-4.0, -2.0, -0.5)), rng.binomial(n, chance, size=(5, len(n)))
    together = _fit_drawn(design, n, exits, np.array([0.0, 1.0, 0.0]))
    for one, drawn in zip(together, exits, strict=True):
        assert one == pytest.approx(fit_cloglog(design, n, drawn).coefficients, abs=1e-8)


def test_the_spline_is_found_where_a_few_are_nearly_sure_to_leave():
    """As on the demo bank: a start on the diagonal overshoots. Oracle: statsmodels."""
    rng = np.random.default_rng(1)
    chance = np.concatenate([rng.uniform(0.002, 0.12, 3000), rng.uniform(0.93, 0.99999, 60)])
    n = np.ones_like(chance)
    left = (rng.random(len(chance)) < np.minimum(1.1 * chance, 0.93)).astype(float)
    smooth = fit_smooth(chance, n, left)
    assert smooth.kind == "spline"
    order = np.argsort(chance)
    family = sm.families.Binomial(sm.families.links.CLogLog())
    design = _design(chance[order], smooth.knots)
    theirs = sm.GLM(left[order], design, family=family).fit(tol=1e-12)
    assert smooth.coefficients == pytest.approx(theirs.params, rel=1e-5)
    assert smooth.at(chance[order]) == pytest.approx(theirs.fittedvalues, abs=1e-6)


def test_joining_neighbours_for_the_draws_changes_no_interval(monkeypatch):
    chance, weights = population(1000)
    cells = cells_of(judged_of(chance, weights, 20_000, np.random.default_rng(1), factor=1.3))
    joined = distances(cells.smooth(), np.random.default_rng(2), 400, 1)
    monkeypatch.setattr(measures, "_FINE", 10_000)
    apart = distances(cells.smooth(), np.random.default_rng(2), 400, 1)
    for name, (value, low, high) in joined.items():
        assert value == apart[name][0]
        # two sets of 400 draws: a 95 % quantile of them is known to about 5 %
        assert high - low == pytest.approx(apart[name][2] - apart[name][1], rel=0.15)


# --- planted truth


def test_a_right_model_has_no_distance_and_a_wrong_one_has_its_own():
    chance, weights = population(300)
    right = judged_of(chance, weights, 200_000, np.random.default_rng(1))
    wrong = judged_of(chance, weights, 200_000, np.random.default_rng(1), factor=1.5)
    one, other = (calibration(x, np.random.default_rng(2)).pooled.iloc[0] for x in (right, wrong))
    # a mean distance has the size of its noise: 0.0006 of 200,000 customers of whom 8 % leave
    assert one["ici"] < 0.002
    assert one["ici_low"] == 0
    off = -np.expm1(1.5 * np.log1p(-chance)) - chance
    assert other["ici"] == pytest.approx(weights @ off, abs=0.002)
    assert other["ici_low"] < weights @ off < other["ici_high"]
    assert 1.4 < other["observed_over_expected"] < 1.5  # 1.5 times the hazard
    # within three standard errors; how often the interval holds is the next test's business
    error = (other["slope_high"] - other["slope_low"]) / 2 / stats.norm.ppf(0.975)
    assert other["slope"] == pytest.approx(1, abs=3 * error)


@pytest.mark.parametrize("factor", [1.0, 1.1, 1.5], ids=["right", "nearly", "wrong"])
def test_intervals_hold_the_truth(factor):
    chance, weights = population()
    true = -np.expm1(factor * np.log1p(-chance))
    off, expected = np.abs(true - chance), weights @ chance
    brier = weights @ (true * (1 - chance) ** 2 + (1 - true) * chance**2)
    baseline = weights @ (true * (1 - expected) ** 2 + (1 - true) * expected**2)
    big = 1e9 * weights
    truth = {
        "observed_over_expected": weights @ true / expected,
        "slope": 1.0,
        "ici": weights @ off,
        "e50": quantile(off, np.round(big), 0.5),
        "e90": quantile(off, np.round(big), 0.9),
        "brier": brier,
        "brier_skill": 1 - brier / baseline,
        "auc": auc(chance, big * true, big * (1 - true))[0],
    }
    runs = 120
    hits = dict.fromkeys(truth, 0)
    for seed in range(runs):
        rng = np.random.default_rng(seed)
        cells = cells_of(judged_of(chance, weights, 4000, rng, factor=factor))
        row = measure(cells, cells.smooth(), rng, draws=100)
        for name, value in truth.items():
            hits[name] += row[f"{name}_low"] <= value <= row[f"{name}_high"]
    assert all(covers_enough(hit, runs) for hit in hits.values()), hits


def test_intervals_over_landmarks_hold_even_where_all_repeats():
    """The same customers with the same outcomes at four landmarks: four times nothing new."""
    chance, weights = population()
    days = [dt.date(2025, month, 1) for month in (1, 2, 3, 4)]
    runs = 60
    hits = {"observed_over_expected": 0, "auc": 0, "ici": 0}
    big = 1e9 * weights
    truth = {"observed_over_expected": 1, "auc": auc(chance, big * chance, big * (1 - chance))[0]}
    for seed in range(runs):
        rng = np.random.default_rng(seed)
        once = judged_of(chance, weights, 4000, rng)
        cells = cells_of(once, times=len(days))
        row = measure(cells, cells.smooth(), rng, draws=60)
        for name in hits:
            hits[name] += row[f"{name}_low"] <= truth.get(name, 0) <= row[f"{name}_high"]
    assert all(covers_enough(hit, runs) for hit in hits.values()), hits
    # that is what all landmarks together are given, and no more is known than of the first
    result = calibration(pd.concat([once.assign(landmark=d) for d in days]), rng, draws=60)
    pooled, first = result.pooled.iloc[0], result.table.iloc[0]
    for name in ("observed_over_expected_low", "slope_high", "brier_skill_low", "auc_low"):
        assert pooled[name] == pytest.approx(row[name], rel=1e-9)
    assert pooled["auc_low"] == pytest.approx(first["auc_low"], abs=1e-3)


def test_no_skill_is_claimed_where_there_is_none():
    """The chances tell nothing: skill above 0 may be claimed in 2.5 % of the runs."""
    chance, weights = population()
    claimed, runs = 0, 60
    for seed in range(runs):
        rng = np.random.default_rng(seed)
        judged = judged_of(chance, weights, 3000, rng)
        judged["events"] = rng.binomial(judged["n"], weights @ chance)
        cells = cells_of(judged)
        claimed += measure(cells, cells.smooth(), rng, draws=2)["brier_skill_low"] > 0
    assert stats.binomtest(claimed, runs, 0.025, alternative="greater").pvalue > 0.001


# --- few chances, few exits, nothing


def test_few_chances_have_the_share_of_each():
    judged = pd.DataFrame(
        {
            "landmark": DAY,
            "horizon_months": 3,
            "chance": [0.1, 0.2, 0.4],
            "baseline": 0.15,
            "n": [500, 400, 100],
            "events": [60, 72, 50],
        }
    )
    row = calibration(judged, np.random.default_rng(1)).pooled.iloc[0]
    assert row["smoothing"] == "shares"
    # by hand: off by 0.02, 0.02 and 0.1 for 500, 400 and 100 customers
    assert row["ici"] == pytest.approx((500 * 0.02 + 400 * 0.02 + 100 * 0.1) / 1000)
    assert row["e50"] == pytest.approx(0.02)
    one = calibration(judged.assign(chance=0.2), np.random.default_rng(1)).pooled.iloc[0]
    assert one["smoothing"] == "shares"
    assert one["ici"] == pytest.approx(abs(0.2 - 182 / 1000))
    assert one["auc"] == 0.5
    assert np.isnan(one["slope"])


def test_chances_that_separate_who_left_have_no_curve():
    """A steeper curve is always better: the shares take its place, and nothing is made up."""
    chance = np.array([0.1, 0.2, 0.3, 0.6, 0.7, 0.9])
    n = np.full(6, 40.0)
    cells = Judged(chance, np.full(6, 0.5), n, np.where(chance > 0.5, n, 0))
    row = measure(cells, cells.smooth(), np.random.default_rng(1), draws=20)
    assert row["smoothing"] == "shares"
    assert row["ici"] == pytest.approx((0.1 + 0.2 + 0.3 + 0.4 + 0.3 + 0.1) / 6)
    assert np.isnan(row["slope"])


def test_knots_that_coincide_leave_a_straight_line():
    judged = pd.DataFrame(
        {
            "landmark": DAY,
            "horizon_months": 3,
            "chance": [0.05, 0.1, 0.2, 0.4],
            "baseline": 0.1,
            "n": [10, 5000, 20, 20],
            "events": [1, 510, 5, 9],
        }
    )
    result = calibration(judged, np.random.default_rng(1))
    assert result.pooled["smoothing"].tolist() == ["line"]
    assert 0 < result.pooled["ici"].iloc[0] < 0.01
    assert np.isfinite(result.curve.query("kind == 'smooth'")["high"].astype(float)).all()


def test_too_few_exits_give_counts_only(example):
    few = example.assign(events=(example.index < 20).astype(int))
    result = calibration(few, np.random.default_rng(1))
    assert set(result.table["status"]) == {"not_enough_data"}
    assert result.table[MEASURES].isna().all(axis=None)
    assert result.table["events"].tolist() == [20, 20]
    assert result.curve.empty
    found = judge_chances(result, [3, 5])
    assert {finding.status for finding in found} == {"not_enough_data"}
    assert all(finding.value is None for finding in found)
    assert [check.passed for check in check_calibration(result)] == [None, None, None]
    all_left = calibration(example.assign(events=example["n"]), np.random.default_rng(1))
    assert set(all_left.table["status"]) == {"not_enough_data"}


def test_nothing_to_judge_gives_empty_tables(example):
    result = calibration(example.iloc[:0], np.random.default_rng(1))
    assert list(result.table.columns) == COLUMNS
    assert result.table.empty and result.curve.empty and result.integrated.empty
    assert len(judge_chances(result, [3])) == 2
    assert [check.passed for check in check_calibration(result)] == [None, None, None]
    assert calibration_to_show(result, 10).empty
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        chart = calibration_curve(curve_to_show(result, 10))
    assert "Too few exits" in chart._repr_html_()


def test_what_cannot_be_is_refused(example):
    with pytest.raises(ValueError, match="chance"):
        calibration(example.assign(chance=1.2), np.random.default_rng(1))
    with pytest.raises(ValueError, match="baseline"):
        calibration(example.assign(baseline=np.nan), np.random.default_rng(1))
    with pytest.raises(ValueError, match="events"):
        calibration(example.assign(events=99), np.random.default_rng(1))


def test_certain_chances_do_no_harm(example):
    sure = pd.DataFrame({"chance": [0.0, 1.0], "n": [50, 3], "events": [0, 3], "baseline": 0.15})
    judged = pd.concat([example, sure.assign(landmark=DAY, horizon_months=3)])
    row = calibration(judged, np.random.default_rng(1)).pooled.iloc[0]
    assert row[["ici", "slope", "auc", "brier_skill"]].astype(float).notna().all()


def test_the_same_seed_gives_the_same_table(example):
    one, two = (calibration(example, np.random.default_rng(7)).table for _ in range(2))
    pd.testing.assert_frame_equal(one, two)


def test_groups_are_judged_by_themselves(example):
    gender = np.where(example.index % 2, "female", None)
    judged = example.assign(gender=gender)
    result = calibration(judged, np.random.default_rng(1), by="gender", draws=5)
    assert result.pooled["group"].tolist() == ["female", "unknown"]
    own = calibration(judged[judged["gender"] == "female"], np.random.default_rng(1), draws=5)
    for name in ("ici", "auc", "brier_skill", "slope"):
        assert result.pooled[name].iloc[0] == pytest.approx(own.pooled[name].iloc[0], rel=1e-12)
    with pytest.raises(ValueError, match="gender"):
        check_calibration(result)
