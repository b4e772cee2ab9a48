"""Planted effects, planted nothing and a planted broken draw; sums of the engine against rows.

A few seeds of what ``benchmarks/coverage_effects.py`` counts with 500. Oracles: the planted truth,
and statsmodels on rows.
"""

from __future__ import annotations

import importlib

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from conftest import ROOT
from scipy import stats

from customerlab.drivers import moments
from customerlab.uplift.average import compare_arms
from customerlab.uplift.comparing import compare_trials, effect_findings
from customerlab.uplift.covariates import encode_covariates
from customerlab.uplift.judging import judge_health
from customerlab.uplift.summing import sum_arms

SEEDS = 20


@pytest.fixture(scope="module")
def planted():
    """Return the benchmark's module."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "benchmarks")
        return importlib.import_module("coverage_effects")


def test_intervals_cover_planted_effects(planted):
    """One line of each trial: what is drawn for them is independent, so they are counted as one."""
    covered = sum((planted.cover(seed) for seed in range(SEEDS)), start=planted.Counter())
    lines = ["K1 call bought", "K4 coupon spend", "S1 coupon came_back", "S2 bundle lines"]
    for kind in ("plain", "adjusted"):
        seen = sum(covered[f"{line}, {kind}"] for line in lines)
        low, high = stats.binom.interval(1 - planted.LEVEL / 2, SEEDS * len(lines), 0.95)
        assert low <= seen <= high, (kind, covered)


def test_nothing_is_sure_where_nothing_works(planted):
    """Of nine comparisons, after Holm; without it nearly two in five trials would claim one."""
    seeds, sure, single = SEEDS, 0, 0
    for seed in range(seeds):
        rows = planted.draw_nothing(np.random.default_rng([seed, 8]), 1000)
        table = planted.compare(rows).table
        assert len(table) == 9
        if (table["adjusted_effect_p"] < planted.ALPHA).any():  # Holm's are no smaller
            single += 1
            sure += planted.alarms(table).any()
    assert stats.binomtest(int(sure), seeds, planted.ALPHA, alternative="greater").pvalue > 0.001
    assert single > sure


@pytest.fixture(scope="module")
def draws(planted):
    """Return customers drawn by lot, and the same with the best put into one arm."""
    rng = np.random.default_rng(5)
    good = planted.draw_people(rng, 6000)
    return {"good": good, "broken": planted.move_best(good, rng, best=0.05, put_back=True)}


def findings(planted, con, rows):
    """Return the trial's health, and its findings as the notebook makes them."""
    table = con.create_table("rows", pd.DataFrame(rows).assign(day=pd.Timestamp("2025-03-01")))
    trial = planted.trial_of(rows, table, planned={"control": 0.5, "contact": 0.5})
    compared = compare_trials([trial])
    health = judge_health([trial], compared.sums, min_cell=10)
    return health, effect_findings(compared, health.cautions, min_cell=10)


def test_a_broken_draw_is_warned_of_before_every_number(planted, draws, con):
    health, found = findings(planted, con, draws["broken"])
    failed = [str(check.name) for check in health.checks if check.passed is False]
    assert failed == [
        "The arms' customers were alike before",
        "The outcomes of the days before were alike",
    ]
    assert all(
        "uplift_tests.t" in check.weakens for check in health.checks if check.passed is False
    )
    worst = health.balance.iloc[0]
    assert (worst["covariate"], worst["smd"] > 0.1) == ("x_spend_before", True)
    assert str(health.cautions["t"]).startswith(
        "Warning, do not rely on this yet: the check “The arms' customers were alike before” failed"
    )
    assert len(found) == 1
    assert all(str(one.text).startswith(str(health.cautions["t"])) for one in found)
    assert {one.status for one in found} == {"weak"}


def test_a_good_draw_is_not_warned_of(planted, draws, con):
    health, found = findings(planted, con, draws["good"])
    assert [check for check in health.checks if check.passed is False] == []
    assert health.cautions == {}
    assert {one.status for one in found} == {"supported"}
    assert str(found[0].text).startswith("The trial: ")


def test_lost_customers_are_warned_of(planted, draws):
    """A tenth of the control's customers are missing: the sizes tell."""
    rows = draws["good"]
    rng = np.random.default_rng(6)
    kept = (rows["arm"] != "control") | (rng.random(len(rows["arm"])) < 0.9)
    health = planted.judge({name: values[kept] for name, values in rows.items()})
    failed = [str(check.name) for check in health.checks if check.passed is False]
    assert failed == ["The arms are as large as planned"]
    assert "t" in health.cautions


@pytest.fixture
def trial(planted, con):
    """Return rows in the engine with numbers and a category, and what is told of them."""
    rng = np.random.default_rng(3)
    rows = pd.DataFrame(planted.draw_nothing(rng, 1500, arms=2)).astype({"bought": float})
    rows["region"] = rng.choice(["east", "north", "west"], len(rows), p=[0.5, 0.3, 0.2])
    rows["spend"] += 8 * (rows["arm"] == "arm 1") * (rows["region"] == "north")
    names = ["x_spend_before", "x_orders_before", "region"]
    coded, covariates, notes = encode_covariates(con.create_table("rows", rows), names)
    assert notes == []
    return rows, coded, list(covariates)


def test_effects_from_sums_are_those_of_lins_regression_on_rows(trial):
    """Ordinary least squares on arm, centred covariates and all their products."""
    rows, coded, covariates = trial
    outcomes, arms = ["bought", "spend", "orders"], ["arm 1", "arm 2"]
    sums = sum_arms(coded, [*outcomes, *covariates])
    told = {"control": "control", "outcomes": outcomes}
    ours = compare_arms(sums, covariates=covariates, **told).table
    known = np.column_stack([rows[["x_spend_before", "x_orders_before"]]])
    known = np.column_stack([known, rows["region"] == "north", rows["region"] == "west"])
    known = (known - known.mean(axis=0)).astype(float)
    treated = np.column_stack([rows["arm"] == arm for arm in arms]).astype(float)
    products = [treated[:, [i]] * known for i in range(len(arms))]
    matrix = sm.add_constant(np.column_stack([treated, known, *products]))
    plain = sm.add_constant(treated)
    for outcome in outcomes:
        mine = ours[ours["outcome"] == outcome].set_index("arm").loc[arms]
        y = rows[outcome].to_numpy(float)
        lin = sm.OLS(y, matrix).fit().params[1:3]
        np.testing.assert_allclose(mine["adjusted_effect"], lin, atol=1e-9)
        np.testing.assert_allclose(mine["effect"], sm.OLS(y, plain).fit().params[1:], atol=1e-9)
    assert (ours["adjusted_effect"] - ours["effect"]).abs().max() > 1e-3


def test_sums_of_many_rows_by_the_engine_are_those_of_rows_pulled(trial, monkeypatch):
    """More than 100,000 rows are added up by the engine itself: here all of them."""
    _, coded, covariates = trial
    names = ["bought", "spend", "orders", *covariates]
    pulled = sum_arms(coded, names)
    monkeypatch.setattr(moments, "PULLED", 0)
    monkeypatch.delattr(moments, "_sums_of_rows")
    added = sum_arms(coded, names)
    assert list(added) == list(pulled)
    for arm, one in pulled.items():
        assert added[arm].n == one.n
        np.testing.assert_allclose(added[arm].mean, one.mean, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(added[arm].covariance, one.covariance, rtol=1e-9, atol=1e-9)
