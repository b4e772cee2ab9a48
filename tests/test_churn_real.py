"""Churn timing on real purchases whose later course is known: out of time, with the baseline."""

from __future__ import annotations

import ibis
import numpy as np
import pandas as pd
import pytest
from conftest import SHARED

from customerlab import churn
from customerlab.params import check_params

pytestmark = pytest.mark.usefixtures("shared_data")


@pytest.fixture(scope="module")
def stays():
    """CDNOW: who bought first in the first quarter of 1997, followed to June 1998."""
    bought = pd.read_csv(
        SHARED / "cdnow/CDNOW_master.txt.gz",
        sep=r"\s+",
        names=["customer_id", "date", "units", "amount"],
        skiprows=1,
        dtype={"customer_id": str, "date": str},
    )
    assert bought["customer_id"].nunique() == 23_570 and len(bought) == 69_659
    rows = pd.DataFrame(
        {
            "customer_id": bought["customer_id"],
            "occurred_at": pd.to_datetime(bought["date"], format="%Y%m%d"),
            "amount": bought["amount"],
        }
    )
    params = check_params({"client": "cdnow", "snapshot": "1998-06-30"}, "test")
    engine = ibis.duckdb.connect()
    tables = {"transactions": engine.create_table("transactions", rows)}
    made = iter(range(99))
    return churn.observe_stays(
        tables, params, lambda table: engine.create_table(f"kept_{next(made)}", table)
    )


def test_the_idle_rule_is_the_longest_where_many_come_back(stays):
    rule = stays.idle_rule
    assert rule.chosen and rule.days == rule.table["silent_days"].max()
    # they buy a few times a year: more than one in twenty comes back in the next three months
    assert 0.05 < rule.returns < 0.5
    assert (rule.table["low"] <= rule.table["returns"]).all()


def test_out_of_time_the_model_stands_beside_the_baseline(stays):
    judged = churn.judge_landmarks(stays, [3, 5])
    assert set(judged["horizon_months"]) <= {3, 5} and len(judged)
    result = churn.calibration(judged, np.random.default_rng(1))
    table = result.table[result.table["landmark"].isna()].set_index("horizon_months")
    for horizon, part in judged.groupby("horizon_months"):
        n, left, p = (part[name].to_numpy(float) for name in ("n", "events", "chance"))
        # the plainest Brier score: each customer's squared error
        brier = (left * (1 - p) ** 2 + (n - left) * p**2).sum() / n.sum()
        assert table.loc[horizon, "brier"] == pytest.approx(brier, rel=1e-9)
        b = part["baseline"].to_numpy(float)
        plain = (left * (1 - b) ** 2 + (n - left) * b**2).sum() / n.sum()
        assert table.loc[horizon, "brier_baseline"] == pytest.approx(plain, rel=1e-9)
    better = next(check for check in churn.check_calibration(result) if "better" in str(check.name))
    skilled = (table["brier_skill_low"] > 0).all()
    assert better.passed is bool(skilled)  # where it is no better, the page says so
