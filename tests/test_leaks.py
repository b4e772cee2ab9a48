"""Which features know too much: planted leaks among honest causes."""

import numpy as np
import pandas as pd
import pytest

from customerlab.churn.leaks import check_leaks, find_leaks, held_out, leaks_to_show
from customerlab.privacy import HIDDEN


def months_with_leak(seed, sensitivity=0.95, false=0.01, months=60_000):
    """Customer-months with honest causes as planted in the demo bank, and a flag from after."""
    rng = np.random.default_rng(seed)
    payroll = rng.choice(["none", "running", "moved"], months, p=[0.6, 0.3, 0.1])
    complaints = rng.choice(["0", "1", "2+"], months, p=[0.9, 0.07, 0.03])
    ratio = pd.Series(payroll).map({"none": 1.0, "running": 0.6, "moved": 3.0})
    ratio = ratio * pd.Series(complaints).map({"0": 1.0, "1": 1.15, "2+": 2.5})
    left = rng.random(months) < -np.expm1(-0.02 * ratio.to_numpy())
    letter = rng.random(months) < np.where(left, sensitivity, false)
    branch = rng.integers(0, 400, months).astype(str)
    rows = pd.DataFrame(
        {
            "tenure_band": "0",
            "payroll": payroll,
            "complaints": complaints,
            "account_closing_letter": np.where(letter, "yes", "no"),
            "branch": branch,
            "events": left.astype(int),
            "n": 1,
        }
    )
    keys = ["tenure_band", "payroll", "complaints", "account_closing_letter", "branch"]
    return rows.groupby(keys, as_index=False)[["n", "events"]].sum()


HONEST = ["payroll", "complaints", "branch"]


def test_a_planted_leak_is_found_and_nothing_else():
    for seed in range(6):
        cells = months_with_leak(seed)
        covariates = [*HONEST, "account_closing_letter"]
        leaks = find_leaks(cells, covariates, np.random.default_rng(seed))
        assert leaks.held_out == ("account_closing_letter",)
        assert leaks.keep(covariates) == tuple(HONEST)
        table = leaks.table.set_index("feature")
        assert table.loc["account_closing_letter", "auc"] == pytest.approx(0.97, abs=0.015)
        assert table.loc["account_closing_letter", "level"] == "yes"
        assert table.loc[HONEST, "auc"].max() < 0.7
        # 400 branches tell nothing; on the half that they were learnt from they would
        assert table.loc["branch", "auc_low"] < 0.55


def test_a_leak_that_only_some_leavers_have_is_found_by_its_level():
    leaks = find_leaks(
        months_with_leak(1, sensitivity=0.3, false=0.0002),
        [*HONEST, "account_closing_letter"],
        np.random.default_rng(1),
    )
    row = leaks.table.set_index("feature").loc["account_closing_letter"]
    assert row["auc"] < 0.7
    assert row["share"] > 0.9 and row["share_low"] < row["share"] < row["share_high"]
    assert leaks.held_out == ("account_closing_letter",)


def test_leaks_are_said_in_words():
    cells = months_with_leak(2)
    leaks = find_leaks(cells, [*HONEST, "account_closing_letter"], np.random.default_rng(2))
    (check,) = check_leaks(leaks)
    assert check.passed is False
    assert str(check.text) == (
        "“account_closing_letter” foretells leaving too well to have been known before; it is "
        "held out until `churn_timing.confirmed` names it."
    )
    found = held_out(leaks)
    assert found.id == "churn_timing.held_out"
    assert found.value == 1
    assert "account_closing_letter" in str(found.text)
    allowed = find_leaks(
        cells,
        ["account_closing_letter"],
        np.random.default_rng(2),
        confirmed=["account_closing_letter"],
    )
    assert allowed.held_out == () and allowed.suspected == ("account_closing_letter",)
    assert check_leaks(allowed)[0].passed is True
    assert held_out(allowed).value == 0
    none = find_leaks(cells, HONEST, np.random.default_rng(2))
    assert check_leaks(none)[0].passed is True
    assert "“payroll”" in str(check_leaks(none)[0].text)


def test_leaks_with_too_few_exits_or_no_feature():
    cells = months_with_leak(3).assign(events=0)
    leaks = find_leaks(cells, HONEST, np.random.default_rng(1))
    assert leaks.held_out == ()
    assert set(leaks.table["status"]) == {"not_enough_data"}
    assert check_leaks(leaks)[0].passed is None
    assert held_out(leaks).status == "not_enough_data"
    nothing = find_leaks(cells, [], np.random.default_rng(1))
    assert nothing.table.empty and nothing.held_out == ()
    assert check_leaks(nothing)[0].passed is None


def test_leaks_shown_tell_of_no_few_customers():
    cells = months_with_leak(4, sensitivity=0.997, false=0.0)
    leaks = find_leaks(cells, ["account_closing_letter", "payroll"], np.random.default_rng(4))
    row = leaks.table.iloc[0]
    assert 0 < row["exits"] - row["level_exits"] < 10
    shown = leaks_to_show(leaks, 10)
    assert shown.loc[0, "share_of_exits"] == HIDDEN
    assert not {"level_months", "level_exits", "exits"} & set(shown.columns)
    assert isinstance(shown.loc[1, "share_of_exits"], float)
