"""What the model would have foretold at earlier landmarks, beside what then happened."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import ibis
import pandas as pd

from customerlab.churn.forecast import forecast, score_name
from customerlab.churn.outlook import fit_outlook
from customerlab.churn.stays import Stays
from customerlab.exits import known_until

#: So many landmarks are judged at most, the latest.
LANDMARKS = 3

COLUMNS = ["landmark", "horizon_months", "n", "events", "chance", "baseline"]


def judge_landmarks(
    stays: Stays, horizons_months: Sequence[int], *, by: Sequence[str] = ()
) -> pd.DataFrame:
    """Foretell from each of the last landmarks, with what was known on that day only.

    At a landmark the model is fitted to the exits that were known then: a silence has to have
    lasted before it is one. The customers at risk then are given their chances, and counted with
    what happened to them within each horizon that has passed since.

    Parameters
    ----------
    stays : Stays
    horizons_months : sequence of int
    by : sequence of str
        Features to keep apart.

    Returns
    -------
    DataFrame
        ``landmark``, ``horizon_months``, `by`, ``n`` customers, ``events`` who left, ``chance``
        of the model, and ``baseline``: the chance without any feature, from the same exits. Empty
        for a prepared table, and where no earlier landmark has exits enough to learn from.
    """
    columns = [*COLUMNS[:2], *by, *COLUMNS[2:]]
    if stays.windows is None or stays.landmarks is None or stays.windows.empty:
        return pd.DataFrame(columns=columns)
    windows = stays.windows.assign(month=_month(stays.windows["landmark"]) + stays.windows["lead"])
    last = int(windows["month"].max())
    whole = set(windows["lead"])
    judged = []
    begins = {mark: int(_month(pd.Series([mark])).iloc[0]) for mark in windows["landmark"].unique()}
    over = [mark for mark in sorted(begins) if begins[mark] + min(horizons_months) - 1 <= last]
    for landmark in over[-LANDMARKS:]:
        first = begins[landmark]
        horizons = [h for h in horizons_months if first + h - 1 <= last]
        known = windows.loc[windows["month"] <= _known(stays, pd.Timestamp(landmark))]
        if not horizons or not whole <= set(known["lead"]):
            continue  # of later months nothing was known then
        outlook = fit_outlook(known, stays.covariates, stays.exits)
        if not outlook.fitted:
            continue
        cohort = stays.landmarks.filter(
            stays.landmarks.landmark == ibis.literal(pd.Timestamp(landmark).date())
        )
        gone = {
            f"gone_{h}": (cohort.churned & (cohort.months_left < h)).cast("int64") for h in horizons
        }
        expected = forecast(outlook, cohort.mutate(**gone), horizons, by=by, sums=[*gone])
        cells = expected.cells
        for horizon in horizons:
            part = cells.assign(
                landmark=pd.Timestamp(landmark).date(),
                horizon_months=horizon,
                events=cells[f"gone_{horizon}"].round().astype("int64"),
                chance=cells[score_name(horizon)],
                baseline=_baseline(known, horizon),
            )
            judged.append(
                part.groupby([*columns[:2], *by, "chance", "baseline"], as_index=False)[
                    ["n", "events"]
                ].sum()[columns]
            )
    return pd.concat(judged, ignore_index=True) if judged else pd.DataFrame(columns=columns)


def _month(days: pd.Series) -> pd.Series:
    day = pd.to_datetime(days)
    return day.dt.year * 12 + day.dt.month - 1


def _known(stays: Stays, landmark: pd.Timestamp) -> int:
    """Return the last month whose exits were known on the eve of the landmark."""
    eve = (landmark - dt.timedelta(days=1)).date()
    days = stays.idle_rule.days if stays.idle_rule is not None else 0
    return known_until(stays.exits, snapshot=eve, idle_days=days)


def _baseline(windows: pd.DataFrame, horizon: int) -> float:
    """Return the chance of leaving within the horizon of a model without features."""
    months = windows.groupby("lead")[["n", "events"]].sum()
    rate = (months["events"] / months["n"]).reindex(range(horizon), method="ffill")
    return float(1 - (1 - rate).prod())
