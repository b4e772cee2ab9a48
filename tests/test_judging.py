"""What is said and shown of chances that were judged: findings, checks, drift, tables, figure."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from judged_samples import DAY, cells_of, judged_of, landmarks, population
from scipy import stats

from customerlab.churn.calibration import Calibration, calibration
from customerlab.churn.drift import find_trend
from customerlab.churn.judging import check_calibration, judge_chances
from customerlab.churn.judging_shown import calibration_to_show, curve_to_show
from customerlab.churn.measures import measure
from customerlab.findings import apply_checks
from customerlab.plots.calibration import calibration_curve
from customerlab.privacy import HIDDEN

# --- words


def test_a_right_model_passes_its_checks():
    result = calibration(landmarks([1] * 4, (3, 5)), np.random.default_rng(1))
    checks = check_calibration(result)
    assert [check.passed for check in checks] == [True, True, True]
    assert "percentage points" in str(checks[0].text)
    findings = judge_chances(result, [3, 5])
    assert [finding.id for finding in findings] == [
        "churn_timing.calibration_3_months",
        "churn_timing.auc_3_months",
        "churn_timing.calibration_5_months",
        "churn_timing.auc_5_months",
    ]
    for finding in findings:
        assert finding.low <= finding.value <= finding.high
        assert finding.n == 80_000
        assert finding.status == "supported"


def test_chances_that_did_not_come_true_fail_and_weaken():
    result = calibration(landmarks([1.8] * 3), np.random.default_rng(1))
    true, better, _ = check_calibration(result)
    assert true.passed is False
    assert better.passed is True
    assert "within 3 months" in str(true.text)
    leave = judge_chances(result, [3])[0]
    named = [type(leave)(id="churn_timing.leave_within_3_months", text=leave.text, value=0.1)]
    assert apply_checks(named, [true])[0].status == "weak"


def test_a_model_that_tells_nothing_is_no_better():
    judged = landmarks([1] * 3)
    rng = np.random.default_rng(4)
    judged["events"] = rng.binomial(judged["n"], judged["baseline"])
    better = check_calibration(calibration(judged, rng))[1]
    assert better.passed is False
    assert "no better than a forecast without covariates" in str(better.text)


def test_drift_is_found_and_not_invented():
    drifting = calibration(landmarks([1, 1.1, 1.2, 1.3, 1.4]), np.random.default_rng(1))
    check = check_calibration(drifting)[2]
    assert check.passed is False
    assert str(check.text).startswith("It drifts: for each exit expected within 3 months, 1.0")
    trend = find_trend(drifting, 3)
    # by hand: log(O/E) on years with weights from the intervals
    rows = drifting.table.dropna(subset="landmark")
    ratio = rows["observed_over_expected"].to_numpy(float)
    slope = np.polyfit(np.arange(5) / 4, np.log(ratio), 1)[0]
    assert np.log(trend.end / trend.start) == pytest.approx(slope, rel=0.02)  # weights near equal
    found = 0
    for seed in range(40):
        judged = landmarks([1] * 5, customers=4000, seed=seed)
        rows = []
        for day, part in judged.groupby("landmark"):
            cells = cells_of(part)
            row = measure(cells, cells.smooth(), np.random.default_rng(1), draws=2)
            rows.append({"landmark": day, "horizon_months": 3, **row})
        table = pd.DataFrame(rows)
        found += find_trend(Calibration(table, table, table), 3).p < 0.05
    assert stats.binomtest(found, 40, 0.05, alternative="greater").pvalue > 0.001
    assert find_trend(calibration(landmarks([1, 1]), np.random.default_rng(1), draws=2), 3) is None


# --- privacy


def test_small_counts_and_their_differences_are_hidden():
    chance, weights = population(20)
    rng = np.random.default_rng(1)
    parts = [judged_of(chance, weights, 4000, rng, day=d) for d in (DAY, dt.date(2025, 4, 1))]
    short = pd.concat(parts)
    longer = short.assign(horizon_months=5)
    at = longer.index[(longer["landmark"] == DAY) & (longer["n"] > longer["events"] + 6)]
    longer.iloc[0, longer.columns.get_loc("events")] += 4  # four more customers by month five
    assert len(at)
    result = calibration(pd.concat([short, longer]), rng, draws=5)
    shown = calibration_to_show(result, 10)
    first = shown[shown["landmark"] == DAY].set_index("horizon_months")
    assert isinstance(first.loc[3, "events"], int)
    assert first.loc[5, "events"] == HIDDEN
    for name in ("observed_share", "observed_over_expected", "brier"):
        assert first.loc[5, name] == HIDDEN
    few = parts[0].assign(events=(np.arange(20) < 4).astype(int))
    shown = calibration_to_show(calibration(few, rng), 10)
    assert set(shown["events"]) == {"<10"}
    assert set(shown["observed_share"]) == {HIDDEN}


def test_the_curve_shown_has_no_small_group():
    chance, weights = population(200, mean=0.02)
    judged = judged_of(chance, weights, 2500, np.random.default_rng(1))
    result = calibration(judged, np.random.default_rng(1))
    tenths = result.curve.query("kind == 'tenth'")
    assert len(tenths) == 10 and tenths["events"].min() < 10
    shown = curve_to_show(result, 10)
    dots = shown.query("kind == 'tenth'")
    assert 1 < len(dots) < 10
    assert dots["events"].min() >= 10
    assert dots["events"].sum() == judged["events"].sum()
    assert dots["customers"].sum() == judged["n"].sum()
    mean = (dots["predicted"] * dots["customers"]).sum() / 2500
    assert mean == pytest.approx(judged["n"] @ judged["chance"] / 2500)
    assert (shown.query("kind == 'bar'")["customers"] % 10 == 0).all()
    assert shown.query("kind == 'smooth'")[["customers", "events"]].isna().all(axis=None)


def test_shares_shown_have_no_counts():
    judged = pd.DataFrame(
        {
            "landmark": DAY,
            "horizon_months": 3,
            "chance": [0.01, 0.2, 0.4],
            "baseline": 0.15,
            "n": [500, 400, 100],
            "events": [4, 72, 50],
        }
    )
    result = calibration(judged, np.random.default_rng(1))
    shown = curve_to_show(result, 10)
    assert list(shown.columns) == list(result.curve.columns)
    line = shown.query("kind == 'smooth'")
    assert line["predicted"].tolist() == [0.2, 0.4]  # four who left are too few
    assert line[["customers", "events"]].isna().all(axis=None)


# --- the figure


def test_the_figure_shows_each_horizon_as_far_as_its_data_reach():
    result = calibration(landmarks([1] * 3, (3, 5)), np.random.default_rng(1))
    table = curve_to_show(result, 10)
    chart = calibration_curve(table)
    assert chart._repr_html_() == calibration_curve(table)._repr_html_()
    texts = [text.get_text() for axes in chart.figure.axes for text in axes.texts]
    assert texts.count("Within 3 months") == texts.count("Within 5 months") == 1
    panels = [axes for axes in chart.figure.axes if axes.get_xlim() == axes.get_ylim()]
    assert len(panels) == 2
    longest = table.query("kind == 'tenth' and horizon_months == 5").iloc[-1]
    assert 0.3 < panels[1].get_xlim()[1] < 1
    words = "Of the customers with the highest chances {:.1f} % were expected to leave"
    assert str(chart.title).startswith(words.format(100 * longest["predicted"]))
    assert "foretold" in str(chart.alt)
