"""Whether the chances stay right over the landmarks, or the model drifts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy

from customerlab.churn.calibration import Calibration
from customerlab.churn.hazard import Z
from customerlab.findings import Check
from customerlab.messages import say

#: A trend over the landmarks fails at this level, if it changes the exits per expected by more.
TREND_LEVEL, TREND_MATTERS = 0.01, 1.1


@dataclass(frozen=True)
class Trend:
    """How the exits counted for each one expected move over the landmarks of one horizon.

    Attributes
    ----------
    horizon_months : int
    first, last : date
        The landmarks that were looked at.
    start, end : float
        Exits per expected there, on the fitted line.
    p : float
        Of no trend.
    """

    horizon_months: int
    first: object
    last: object
    start: float
    end: float
    p: float


def find_trend(result: Calibration, horizon_months: int) -> Trend | None:
    """Fit a line to the logarithm of exits per expected, weighted by how well each is known.

    Exits after windows that do not overlap are uncorrelated beyond what was foretold; with ``c``
    windows over one month, the variance is at most ``c`` times that of independent windows.

    Returns
    -------
    Trend or None
        None with fewer than three landmarks that have enough exits.
    """
    rows = result.table.dropna(subset="landmark")
    rows = rows[(rows["horizon_months"] == horizon_months) & (rows["status"] != "not_enough_data")]
    if len(rows) < 3:
        return None
    day = pd.to_datetime(rows["landmark"])
    month = (day.dt.year * 12 + day.dt.month).to_numpy()
    years = (month - month[0]) / 12
    ratio, low, high = (
        np.log(rows[f"observed_over_expected{end}"].to_numpy(float))
        for end in ("", "_low", "_high")
    )
    weight = (2 * Z / (high - low)) ** 2
    overlap = max(((month >= m) & (month < m + horizon_months)).sum() for m in month)
    middle = np.average(years, weights=weight)
    spread = weight @ (years - middle) ** 2
    slope = weight @ ((years - middle) * ratio) / spread
    level = np.average(ratio, weights=weight)
    p = 2 * scipy.stats.norm.sf(abs(slope) / np.sqrt(overlap / spread))
    start, end = np.exp(level + slope * (years[[0, -1]] - middle))
    first, last = (pd.Timestamp(value).date() for value in rows["landmark"].iloc[[0, -1]])
    return Trend(horizon_months, first, last, float(start), float(end), float(p))


def check_drift(result: Calibration) -> Check:
    """Judge whether the exits per expected have a trend that is sure and matters."""
    name = say("The model does not drift")
    horizons = sorted(result.table["horizon_months"].unique())
    trends = [trend for h in horizons if (trend := find_trend(result, int(h))) is not None]
    if not trends:
        text = say("Fewer than three landmarks with enough exits to see whether it drifts.")
        return Check(name, None, text)

    def drifts(trend: Trend) -> bool:
        change = max(trend.end / trend.start, trend.start / trend.end)
        return trend.p < TREND_LEVEL / len(trends) and change > TREND_MATTERS

    trend = min(trends, key=lambda one: (not drifts(one), one.p))
    values = {
        "months": trend.horizon_months,
        "first": trend.first,
        "last": trend.last,
        "start": trend.start,
        "end": trend.end,
        "p": trend.p,
    }
    if drifts(trend):
        text = say(
            "It drifts: for each exit expected within {months:count} months, {start:number2} were "
            "counted at the landmark of {first:date} and {end:number2} at that of {last:date} "
            "(fitted trend, p = {p:chance}).",
            **values,
        )
    else:
        text = say(
            "For each exit expected within {months:count} months, {start:number2} were counted at "
            "the landmark of {first:date} and {end:number2} at that of {last:date} (fitted trend, "
            "p = {p:chance}): no drift that matters.",
            **values,
        )
    return Check(name, not drifts(trend), text, ("churn_timing.leave_within",))
