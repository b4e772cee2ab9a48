"""Hillstrom's e-mail test from its file to the effects, as a run reads it, by plain pandas."""

from __future__ import annotations

import shutil

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT

from customerlab.params import load_params
from customerlab.paths import Paths
from customerlab.uplift.comparing import compare_trials
from customerlab.uplift.judging import judge_health
from customerlab.uplift.observing import observe_trials
from customerlab.workspace import Lab

#: README of the shared data: men's, women's and no e-mail.
VISITS = {"Mens E-Mail": 0.182757, "Womens E-Mail": 0.151400, "No E-Mail": 0.106167}
OUTCOMES = ["visit", "conversion", "spend"]


@pytest.fixture(scope="module")
def read(shared_data, tmp_path_factory):
    """Return the rows of the file, the test as it is read, and its comparisons."""
    root = tmp_path_factory.mktemp("hillstrom")
    (root / "Snakefile").touch()
    raw = root / "data" / "hillstrom" / "raw"
    raw.mkdir(parents=True)
    source = shared_data / "hillstrom" / "hillstrom.csv.gz"
    shutil.copyfile(source, raw / "experiment.csv.gz")
    params = load_params(ROOT / "params" / "hillstrom.yaml")
    lab = Lab("07_uplift_tests", params, Paths(root, "hillstrom"))
    lab.parse()
    lab.clean()
    [trial] = observe_trials(lab.tables(), params, lab.keep).trials
    return pd.read_csv(source), trial, compare_trials([trial])


def test_rows_that_look_alike_are_customers_and_stay(read):
    rows, trial, _ = read
    assert rows.duplicated().sum() == 6_562
    assert sum(one["assigned"] for one in trial.assigned.values()) == 64_000
    assert trial.rows.count().execute() == 64_000
    assert trial.rows.customer_id.nunique().execute() == 64_000


def test_means_and_differences_are_those_of_the_rows(read):
    rows, _, compared = read
    means = rows.groupby("segment")[OUTCOMES].mean()
    base = means.loc["No E-Mail"]
    assert len(compared.table) == 6
    for row in compared.table.to_dict("records"):
        mean = means.loc[row["arm"], row["outcome"]]
        assert row["treated_mean"] == pytest.approx(mean, abs=1e-9)
        assert row["control_mean"] == pytest.approx(base[row["outcome"]], abs=1e-9)
        assert row["effect"] == pytest.approx(mean - base[row["outcome"]], abs=1e-9)
    for arm, published in VISITS.items():
        assert means.loc[arm, "visit"] == pytest.approx(published, abs=5e-7)


def test_the_adjusted_effect_is_that_of_the_regression_on_rows(read):
    """Lin's regression by least squares, centred at the means of all customers."""
    _, trial, compared = read
    known = trial.rows.to_pandas()
    centred = known[list(trial.covariates)] - known[list(trial.covariates)].mean()
    design = [np.ones(len(known)), *centred.to_numpy().T]
    for arm in trial.arms:
        sent = (known["arm"] == arm).to_numpy()
        some = sent | (known["arm"] == trial.control).to_numpy()
        both = np.column_stack([*design, *(sent * column for column in design)])
        theirs = np.linalg.lstsq(both[some], known.loc[some, "visit"], rcond=None)[0]
        ours = compared.of("experiment", arm, "visit")["adjusted_effect"]
        assert ours == pytest.approx(theirs[len(design)], abs=1e-9)


def test_the_sample_ratio_holds(read):
    _, trial, compared = read
    health = judge_health([trial], compared.sums, min_cell=10)
    assert health.cautions == {}
    assert {str(one.name): one.passed for one in health.checks} == {
        "The arms are as large as planned": True,
        "The arms' customers were alike before": True,
        "Outcomes are known alike in all arms": True,
        "Each customer is in one arm": True,
    }
