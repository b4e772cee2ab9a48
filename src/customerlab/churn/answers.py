"""What may be said about leaving: findings and checks in words."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import scipy

from customerlab.churn.curves import Survival
from customerlab.churn.forecast import Forecast
from customerlab.churn.hazard import Hazard
from customerlab.churn.outlook import Outlook, as_outlook
from customerlab.features import feature_name, level_name
from customerlab.findings import Finding
from customerlab.messages import say

#: A group of fewer customers is not named.
MIN_GROUP = 30


def leave_within(
    expected: Forecast | None, model: Hazard | Outlook, horizons_months: Sequence[int]
) -> tuple[Finding, ...]:
    """Return how many of those here leave within each horizon.

    Parameters
    ----------
    expected : Forecast or None
        None when the model could not be fitted.
    model : Hazard or Outlook
    horizons_months : sequence of int

    Returns
    -------
    tuple of Finding
        ``churn_timing.leave_within_<h>_months``; the value is the share of those here, the
        interval one for what will be counted.
    """
    if expected is None or not model.fitted:
        return tuple(
            Finding(
                id=f"churn_timing.leave_within_{horizon}_months",
                text=say(
                    "With {events:customers} exits in the data it cannot be said how many leave "
                    "within {months:count} months.",
                    events=model.events,
                    months=horizon,
                ),
                unit="percent",
                n=None if expected is None else expected.customers,
                status="not_enough_data",
            )
            for horizon in horizons_months
        )
    return tuple(
        Finding(
            id=f"churn_timing.leave_within_{row.horizon_months}_months",
            text=say(
                "About {expected:customers} customers leave within {months:count} months: "
                "{share:percent} of the {here:customers} who are still here (95 % prediction "
                "interval {low:count} to {high:count}).",
                expected=row.expected,
                months=row.horizon_months,
                share=row.share,
                here=row.here,
                low=row.low,
                high=row.high,
            ),
            value=row.share,
            low=row.low / row.here,
            high=row.high / row.here,
            unit="percent",
            n=row.customers,
            status=model.status,
        )
        for row in expected.expected().itertuples()
    )


def first_group(
    expected: Forecast | None, model: Hazard | Outlook, *, by: Sequence[str] | None = None
) -> Finding:
    """Return the group of those here of whom the largest share leaves first.

    Parameters
    ----------
    expected : Forecast or None
    model : Hazard or Outlook
    by : sequence of str, optional
        Features whose levels are the groups; those of the model when left out.

    Returns
    -------
    Finding
        ``churn_timing.first_group``. A group is named only if its share stays above that of all
        customers at a level that allows for the number of groups compared (Bonferroni); its
        interval is at that level.
    """
    id_ = "churn_timing.first_group"
    if expected is None or not model.fitted:
        return _no_group(model.events)
    horizon = expected.horizons[0]
    features = list(by) if by is not None else as_outlook(model).inputs
    tables = [expected.expected(feature).assign(feature=feature) for feature in features]
    groups = pd.concat(tables) if tables else expected.expected().iloc[:0].assign(feature="")
    groups = groups.query("horizon_months == @horizon and customers >= @MIN_GROUP")
    overall = expected.expected().query("horizon_months == @horizon").iloc[0]
    z = float(scipy.stats.norm.ppf(1 - 0.025 / max(len(groups), 1)))
    half = (groups["share_high"] - groups["share_low"]) / 2 * z / float(scipy.stats.norm.ppf(0.975))
    groups = groups.assign(
        share_low=(groups["share"] - half).clip(0),
        share_high=(groups["share"] + half).clip(upper=1),
    )
    ahead = groups.loc[groups["share_low"] > overall["share"]]
    if ahead.empty:
        return Finding(
            id=id_,
            text=say(
                "No group leaves clearly earlier than the others: of all customers here "
                "{share:percent} leave within {months:count} months.",
                share=overall["share"],
                months=horizon,
            ),
            value=overall["share"],
            low=overall["share_low"],
            high=overall["share_high"],
            unit="percent",
            n=int(overall["customers"]),
            status="weak",
        )
    first = ahead.loc[ahead["share"] == ahead["share"].max()].iloc[0]
    return Finding(
        id=id_,
        text=say(
            "First to leave are customers with “{feature}: {level}”: about {share:percent} within "
            "{months:count} months, against {overall:percent} of all customers here.",
            feature=feature_name(first["feature"]),
            level=level_name(first["feature"], first["group"]),
            share=first["share"],
            months=horizon,
            overall=overall["share"],
        ),
        value=first["share"],
        low=first["share_low"],
        high=first["share_high"],
        unit="percent",
        n=int(first["customers"]),
        status=model.status,
    )


def still_here_after(curve: Survival, month: float) -> Finding:
    """Return the share of all customers still here so many months after joining."""
    id_ = f"churn_timing.still_here_after_{month:g}_months"
    at, whole = curve.at(month), curve.groups
    if at.empty and len(whole) and whole.iloc[0]["status"] != "not_enough_data":
        text = say("No customer was seen for {months:count} months.", months=month)
        return Finding(id=id_, text=text, unit="percent", status="not_enough_data")
    if at.empty or whole.empty or whole.iloc[0]["status"] == "not_enough_data":
        text = say(
            "Not enough exits to say who is still here after {months:count} months.", months=month
        )
        return Finding(id=id_, text=text, unit="percent", status="not_enough_data")
    row, begins = at.iloc[0], whole.iloc[0]["begins"]
    text = (
        say(
            "After {months:count} months {share:percent} of the customers are still here.",
            months=month,
            share=row["survival"],
        )
        if begins == 0
        else say(
            "Of the customers still here after {begins:count} months, {share:percent} are here "
            "after {months:count} months.",
            begins=begins,
            months=month,
            share=row["survival"],
        )
    )
    return Finding(
        id=id_,
        text=text,
        value=row["survival"],
        low=row["low"],
        high=row["high"],
        unit="percent",
        n=int(whole.iloc[0]["customers"]),
        status=whole.iloc[0]["status"],
    )


def main_sign(hazard: Hazard) -> Finding:
    """Return what goes most clearly with leaving, apart from how long the customer has been here.

    Returns
    -------
    Finding
        ``churn_timing.main_sign``: the level whose hazard ratio is largest even at the lower end
        of its interval. An association, and said to be one.
    """
    id_ = "churn_timing.main_sign"
    table = hazard.table
    if hazard.fitted:
        table = table[(table["term"] != "tenure_band") & ~table["reference"]]
    if hazard.fitted and table.empty:
        text = say("Nothing but the time since joining is known, so nothing can be told apart.")
        return Finding(id=id_, text=text, unit="number2", status="not_enough_data")
    if not hazard.fitted:
        text = say(
            "With {events:customers} exits in the data it cannot be said what goes with leaving.",
            events=hazard.events,
        )
        return Finding(id=id_, text=text, unit="number2", status="not_enough_data")
    row = table.loc[table["low"].idxmax()]
    alike = hazard.table[(hazard.table["term"] == row["term"]) & hazard.table["reference"]]
    reference = alike["level"].iloc[0]
    return Finding(
        id=id_,
        text=say(
            "Goes most clearly with leaving: “{feature}: {level}”. Such customers leave "
            "{ratio:number1} times as often in a month as those with “{other}” who are alike in "
            "all else.",
            feature=feature_name(row["term"]),
            level=level_name(row["term"], row["level"]),
            other=level_name(row["term"], reference),
            ratio=row["hazard_ratio"],
        ),
        value=row["hazard_ratio"],
        low=row["low"],
        high=row["high"],
        unit="number2",
        status=hazard.status if row["low"] > 1 else "weak",
    )


def _no_group(events: int) -> Finding:
    return Finding(
        id="churn_timing.first_group",
        text=say(
            "With {events:customers} exits in the data it cannot be said which group leaves first.",
            events=events,
        ),
        unit="percent",
        status="not_enough_data",
    )
