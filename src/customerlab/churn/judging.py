"""What may be said of chances that were judged: findings and checks."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from customerlab.churn.calibration import Calibration
from customerlab.churn.drift import check_drift
from customerlab.findings import Check, Finding
from customerlab.messages import say

#: Chances may be off by so much on average.
MOST_OFF = 0.02

TOO_FEW = say("Too few exits after the landmarks to judge the chances by.")


def judge_chances(result: Calibration, horizons_months: Sequence[int]) -> tuple[Finding, ...]:
    """Return how far off the chances were and how well they rank, over all landmarks.

    Parameters
    ----------
    result : Calibration
        Of all customers.
    horizons_months : sequence of int

    Returns
    -------
    tuple of Finding
        ``churn_timing.calibration_<h>_months`` (the value is ICI) and
        ``churn_timing.auc_<h>_months``.
    """
    rows = {row.horizon_months: row for row in _everyone(result).itertuples()}
    landmarks = result.table.dropna(subset="landmark").groupby("horizon_months").size()
    found = []
    for horizon in horizons_months:
        row = rows.get(horizon)
        if row is None or row.status == "not_enough_data":
            found += _not_judged(horizon, 0 if row is None else row.events)
            continue
        shared = {"unit": "percent", "n": int(row.customers), "status": row.status}
        months = {"months": horizon, "landmarks": int(landmarks[horizon])}
        found.append(
            Finding(
                id=f"churn_timing.calibration_{horizon}_months",
                text=say(
                    "The chances of leaving within {months:count} months were off by {off:number1} "
                    "percentage points on average: {expected:count} exits were foretold at "
                    "{landmarks:count} landmarks, {left:customers} were counted.",
                    off=100 * row.ici,
                    expected=row.expected,
                    left=row.events,
                    **months,
                ),
                value=row.ici,
                low=row.ici_low,
                high=row.ici_high,
                **shared,
            )
        )
        found.append(
            Finding(
                id=f"churn_timing.auc_{horizon}_months",
                text=say(
                    "Of one customer who left within {months:count} months and one who stayed, "
                    "the model gave the higher chance to the one who left in {auc:percent0} of "
                    "such pairs; guessing would in half of them.",
                    auc=row.auc,
                    months=horizon,
                ),
                value=row.auc,
                low=row.auc_low,
                high=row.auc_high,
                **shared,
            )
        )
    return tuple(found)


def _not_judged(horizon: int, left: float) -> list[Finding]:
    facts = {"left": left, "months": horizon}
    texts = {
        "calibration": say(
            "With {left:customers} exits after the landmarks it cannot be said whether the chances "
            "of leaving within {months:count} months come true.",
            **facts,
        ),
        "auc": say(
            "With {left:customers} exits after the landmarks it cannot be said how well the "
            "chances within {months:count} months tell leavers from stayers.",
            **facts,
        ),
    }
    return [
        Finding(
            id=f"churn_timing.{name}_{horizon}_months",
            text=text,
            unit="percent",
            status="not_enough_data",
        )
        for name, text in texts.items()
    ]


def check_calibration(result: Calibration) -> tuple[Check, ...]:
    """Judge whether the chances came true, tell more than none, and stay right over time."""
    rows = _everyone(result).query("status != 'not_enough_data'")
    return (_check_true(rows), _check_better(rows), check_drift(result))


def _everyone(result: Calibration) -> pd.DataFrame:
    if result.by is not None:
        raise ValueError(f"a calibration of all customers is needed, not by {result.by}")
    return result.pooled


def _check_true(rows: pd.DataFrame) -> Check:
    name = say("The chances foretold came true")
    weakens = ("churn_timing.leave_within", "churn_timing.first_group")
    if rows.empty:
        return Check(name, None, TOO_FEW)
    row = rows.loc[rows["ici"].astype(float).idxmax()]
    text = say(
        "Furthest off within {months:count} months: on average by {ici:number1} percentage points "
        "({low:number1} to {high:number1}); at most {most:number1} is good enough. "
        "{ratio:number2} exits were counted for each one expected.",
        months=row["horizon_months"],
        ici=100 * row["ici"],
        low=100 * row["ici_low"],
        high=100 * row["ici_high"],
        most=100 * MOST_OFF,
        ratio=row["observed_over_expected"],
    )
    return Check(name, bool(row["ici"] <= MOST_OFF), text, weakens)


def _check_better(rows: pd.DataFrame) -> Check:
    name = say("The model is better than none")
    rows = rows.dropna(subset="brier_skill")
    if rows.empty:
        return Check(name, None, TOO_FEW)
    row = rows.loc[rows["brier_skill_low"].astype(float).idxmin()]
    passed = bool(row["brier_skill_low"] > 0)
    values = {
        "months": row["horizon_months"],
        "skill": row["brier_skill"],
        "low": row["brier_skill_low"],
        "high": row["brier_skill_high"],
    }
    if passed:
        text = say(
            "Within {months:count} months its squared error is {skill:percent} smaller than that "
            "of a forecast without covariates ({low:percent} to {high:percent}).",
            **values,
        )
    else:
        text = say(
            "Within {months:count} months it is no better than a forecast without covariates: its "
            "squared error is smaller by {skill:percent}, and the range {low:percent} to "
            "{high:percent} does not lie above 0.",
            **values,
        )
    weakens = ("churn_timing.first_group", "churn_timing.main_sign", "churn_timing.auc_")
    return Check(name, passed, text, weakens)
