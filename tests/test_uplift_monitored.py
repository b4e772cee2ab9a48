"""Looking at any time: the paper's formula by integration in R and by hand, and false alarms.

R's numbers come from ``tests/oracles/uplift_checks.R`` (R 4.2.2): the likelihood of t, mixed over
effects by numeric integration.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy

from customerlab.uplift.monitored import (
    COLUMNS,
    half_width,
    log_evidence,
    monitor,
    precision_for,
)

R = pd.read_csv(Path(__file__).parent / "oracles" / "uplift_checks.csv", index_col="name")["value"]


@pytest.mark.parametrize(
    "name, t, n, g, df",
    [
        ("1", 2.5, 100, 20, 98),
        ("2", -3.1, 500, 100, 40),
        ("3", 0.4, 80, 50, 12),
        ("limit", 2.8, 900, 100, np.inf),
    ],
)
def test_evidence_is_the_likelihood_mixed_over_effects(name, t, n, g, df):
    assert log_evidence(t, n, g, df) == pytest.approx(R[f"evidence.{name}"], abs=1e-6)


def test_the_formula_by_hand():
    # g = 1, n = 99, t = 3, 97 degrees of freedom: r = 0.01,
    # E = 0.1 * ((1 + 9 / 97) / (1 + 0.09 / 97)) ** 49
    r = 0.01
    by_hand = 0.1 * ((1 + 9 / 97) / (1 + 0.09 / 97)) ** 49
    assert np.exp(log_evidence(3.0, 99, 1, 97)) == pytest.approx(by_hand, rel=1e-12)
    # half-width: nu (1 - q) / (q - r) under the root, q = (r alpha^2) ** (1 / (nu + 1))
    q = (r * 0.0025) ** (1 / 98)
    assert half_width(99, 1, 0.05, 97) == pytest.approx(np.sqrt(97 * (1 - q) / (q - r)), rel=1e-12)
    # the limit: root of (g + n) / n log((g + n) / (g alpha^2))
    limit = np.sqrt(100 / 99 * np.log(100 / 0.0025))
    assert half_width(99, 1) == pytest.approx(limit, rel=1e-12)
    assert half_width(99, 1, 0.05, 1e7) == pytest.approx(limit, rel=1e-5)


@pytest.mark.parametrize("df", [20.0, 300.0, np.inf])
def test_interval_and_p_value_say_the_same(df):
    t = half_width(400, 50, 0.05, df)
    assert np.exp(-log_evidence(t, 400, 50, df)) == pytest.approx(0.05, rel=1e-9)


def test_the_interval_is_narrowest_as_planned_and_then_at_most_1_55_times_the_fixed():
    for alpha, factor in ((0.05, 1.55), (0.01, 1.39), (0.2, 1.97)):
        best = precision_for(10000, alpha)
        tried = best * np.exp(np.linspace(-2, 2, 401))
        widths = half_width(10000, tried, alpha)
        assert widths.argmin() == 200
        fixed = scipy.stats.norm.isf(alpha / 2)
        assert half_width(10000, best, alpha) / fixed < factor
    # a quarter of the planned customers and four times as many cost little more
    for n in (2500, 40000):
        assert half_width(n, precision_for(10000)) / 1.959964 < 1.75
    assert half_width(10000, precision_for(10000), 0.05, 9998) / 1.96 < 1.55


def test_too_few_degrees_of_freedom_for_any_sureness():
    assert np.isinf(half_width(60, 1e6, 0.05, 1.0))


def watched(rng, runs, customers, looks, effect=0.0, share=None, first=60):
    """Draw experiments, look often; return differences adjusted for one covariate, and errors.

    Lin's regression: each arm's outcome less its own slope times the covariate, at the mean of
    all; robust (HC0) standard errors. Shape (runs, looks).
    """
    x = rng.normal(size=(runs, customers))
    z = rng.random((runs, customers)) < 0.4
    if share is None:
        y = 0.8 * x + rng.standard_exponential((runs, customers)) * (1 + z) - z + effect * z
    else:
        y = (rng.random((runs, customers)) < share).astype(float)
    at = np.linspace(first, customers, looks).astype(int) - 1

    def so_far(values):
        return np.cumsum(values, axis=1)[:, at]

    # sums of each arm
    part = {}
    for arm, w in (("treated", z), ("control", ~z)):
        n, sx, sy = so_far(w), so_far(w * x), so_far(w * y)
        xx = so_far(w * x * x) - sx**2 / n
        xy = so_far(w * x * y) - sx * sy / n
        yy = so_far(w * y * y) - sy**2 / n
        slope = xy / xx
        part[arm] = n, sx / n, sy / n, slope, (yy - slope * xy) / n
    n1, x1, y1, b1, v1 = part["treated"]
    n0, x0, y0, b0, v0 = part["control"]
    mean = so_far(x) / (at + 1)
    estimate = (y1 + b1 * (mean - x1)) - (y0 + b0 * (mean - x0))
    # the slopes' difference times the covariate's own spread is not known either
    moved = (b1 - b0) ** 2 * (so_far(x * x) / (at + 1) - mean**2) / (at + 1)
    return at + 1, estimate, np.sqrt(v1 / n1 + v0 / n0 + moved)


def ever(n, estimate, error, planned, truth=0.0):
    width = half_width(n, precision_for(planned), 0.05, n - 4.0)
    out = np.abs(estimate - truth) > width * error
    return int(out.any(axis=1).sum())


def test_200_looks_without_effect_raise_an_alarm_at_most_as_often_as_stated():
    n, estimate, error = watched(np.random.default_rng(21), 400, 4000, 200)
    hits = ever(n, estimate, error, planned=4000)
    assert scipy.stats.binomtest(hits, 400, 0.05, alternative="greater").pvalue > 0.05
    # the plain test, looked at so often, would: so the draws do put it to the test
    plain = (np.abs(estimate) > 1.96 * error).any(axis=1).sum()
    assert plain > 100


def test_all_looks_hold_the_effect_at_once_and_find_it_too():
    n, estimate, error = watched(np.random.default_rng(22), 400, 3000, 200, effect=0.3)
    misses = ever(n, estimate, error, planned=3000, truth=0.3)
    assert scipy.stats.binomtest(misses, 400, 0.05, alternative="greater").pvalue > 0.05
    assert ever(n, estimate, error, planned=3000) > 380


def test_rare_outcomes_are_not_looked_at_too_early():
    rng = np.random.default_rng(23)
    n, estimate, error = watched(rng, 400, 6000, 200, share=0.02, first=1500)  # 30 events
    hits = ever(n, estimate, error, planned=6000)
    assert scipy.stats.binomtest(hits, 400, 0.05, alternative="greater").pvalue > 0.05


def test_what_each_look_says():
    n, estimate, error = watched(np.random.default_rng(7), 1, 4000, 100, effect=0.2)
    looks = pd.DataFrame({"n": n, "estimate": estimate[0], "standard_error": error[0]})
    looks["df"] = looks["n"] - 4
    found = monitor(looks.sample(frac=1, random_state=1), planned=4000)
    table = found.table
    assert list(table) == COLUMNS
    assert table["n"].is_monotonic_increasing
    half = half_width(n, precision_for(4000), 0.05, n - 4) * error[0]
    assert table["low"].to_numpy() == pytest.approx(estimate[0] - half, rel=1e-12)
    assert table["high"].to_numpy() == pytest.approx(estimate[0] + half, rel=1e-12)
    assert (table["p_so_far"].diff().dropna() <= 0).all()
    shut_out = (table["low"] > 0) | (table["high"] < 0)
    assert (shut_out == (table["p"] <= 0.05)).all()
    assert found.stopped_at == table.loc[shut_out, "n"].iloc[0]
    assert table["wider"].iloc[-1] < 1.55
    assert found.status == "supported"
    assert "may be stopped" in str(found.text)


def test_no_effect_yet():
    looks = pd.DataFrame({"n": [100, 200], "estimate": [1.0, 0.5], "standard_error": [1.0, 0.7]})
    found = monitor(looks, planned=1000)
    assert found.stopped_at is None
    assert "no effect is sure yet with 200 customers (1,000 were planned)" in str(found.text)
    assert monitor(looks[:1], planned=1000).status == "weak"


def test_looks_that_say_nothing():
    nan = np.nan
    looks = pd.DataFrame(
        {
            "n": [59, 100, 200, 300],
            "estimate": [5.0, nan, 1.0, 1.0],
            "standard_error": [0.1, nan, 0.0, 0.001],
            "events": [30, 30, 30, 29],
        }
    )
    found = monitor(looks, planned=1000)
    assert found.status == "not_enough_data"
    assert (found.table["p"] == 1).all()
    assert np.isinf(found.table[["low", "high"]]).all(axis=None)
    empty = monitor(looks[:0], planned=1000)
    assert list(empty.table) == COLUMNS
    assert empty.status == "not_enough_data"
    assert "too few customers" in str(empty.text)


@pytest.mark.parametrize("wrong", [{"planned": 0}, {"planned": 10, "alpha": 1}])
def test_wrong_plans(wrong):
    with pytest.raises(ValueError, match="planned must be positive"):
        monitor(pd.DataFrame(), **wrong)
