"""The stages of leaving as tables for a report, and what may be said about them."""

from __future__ import annotations

import pandas as pd

from customerlab.findings import Finding
from customerlab.messages import Words, say
from customerlab.privacy import mask_counts
from customerlab.retention.stages import NONE, STAGES, Stages

_TABLE = ["stage", "here", "here_share", "seen_share", "months_q1", "months_median", "months_q3"]
_AFTER = ["entered", "gone_share", "gone_low", "gone_high"]


def stages_table(stages: Stages, words: Words, min_cell: int) -> pd.DataFrame:
    """Return one row a stage and horizon, small counts masked.

    Returns
    -------
    DataFrame
        ``stage`` (in words), ``here`` customers today and ``here_share`` of all here;
        ``seen_share`` of the leavers in whom it was seen before the exit and the months between
        (``months_q1``, ``months_median``, ``months_q3``); ``horizon_months``, ``entered``
        (customers who came into the stage before) and the share of them gone within the horizon
        (``gone_share``, ``gone_low``, ``gone_high``).
    """
    table = stages_to_draw(stages, min_cell)
    names = [words(STAGES[stage]) for stage in table["stage"]]
    return table.assign(stage=names)


def stages_to_draw(stages: Stages, min_cell: int) -> pd.DataFrame:
    """Return :func:`stages_table` with the keys of :data:`STAGES`, for the figure."""
    columns = [*_TABLE, "horizon_months", *_AFTER]
    if not stages.stages:
        return pd.DataFrame(columns=columns)
    today = stages.today.rename(columns={"customers": "here", "share": "here_share"})
    today = mask_counts(
        today,
        min_cell=min_cell,
        counts=["here"],
        with_them=["here_share"],
        sums=[(None, range(len(today)))],  # how many are here in all is said elsewhere
    )
    seen = stages.seen.rename(columns={"share": "seen_share"})
    few = [*_TABLE[3:]]
    seen = mask_counts(seen, min_cell=min_cell, counts=["leavers"], with_them=few)
    gone = stages.gone.rename(
        columns={"share": "gone_share", "low": "gone_low", "high": "gone_high"}
    )
    # a share of few exits would be some of few customers
    small = gone["status"] == "not_enough_data"
    gone.loc[small, ["gone_share", "gone_low", "gone_high"]] = float("nan")
    gone = mask_counts(gone, min_cell=min_cell, counts=["entered"], with_them=_AFTER[1:])
    both = today.merge(seen[["stage", *few]], on="stage", how="left")
    return both.merge(gone[["stage", "horizon_months", *_AFTER]], on="stage")[columns]


def stage_today(stages: Stages) -> Finding:
    """Return how many of those here stand in a stage of leaving, and how much that tells.

    Returns
    -------
    Finding
        ``churn_timing.stage_today``; the value is the share of those here who are in any stage, a
        full count. Named is the stage after which most are gone within the longest horizon.
    """
    id_ = "churn_timing.stage_today"
    if not stages.stages or not stages.here:
        text = (
            stages.describe()
            if not stages.stages
            else say("Nobody is here, so nobody is on the way out.")
        )
        return Finding(id=id_, text=text, unit="percent", n=stages.here, status="not_enough_data")
    on_the_way = stages.today[stages.today["stage"] != NONE]
    count = int(on_the_way["customers"].sum())
    full = {"value": count / stages.here, "low": count / stages.here, "high": count / stages.here}
    told = {"count": count, "here": stages.here, "share": count / stages.here}
    gone = stages.gone[stages.gone["horizon_months"] == stages.gone["horizon_months"].max()]
    known = gone[(gone["status"] != "not_enough_data") & gone["share"].notna()]
    calm, after = known[known["stage"] == NONE], known[known["stage"] != NONE]
    if calm.empty or after.empty:
        text = say(
            "{count:customers} of {here:customers} customers here today ({share:percent}) are in a "
            "stage of leaving; too few left to say how many of such customers go.",
            **told,
        )
        return Finding(id=id_, text=text, unit="percent", n=stages.here, status="weak", **full)
    worst = after.loc[after["share"].idxmax()]
    told |= {
        "stage": STAGES[worst["stage"]],
        "months": worst["horizon_months"],
        "gone": worst["share"],
        "others": calm["share"].iloc[0],
    }
    text = say(
        "{count:customers} of {here:customers} customers here today ({share:percent}) are in a "
        "stage of leaving. The gravest is “{stage}”: {gone:percent0} of those who came into it "
        "were gone within {months:count} months, against {others:percent0} of customers without "
        "a sign.",
        **told,
    )
    tells = worst["low"] > calm["high"].iloc[0]
    status = stages.status if tells else "weak"
    return Finding(id=id_, text=text, unit="percent", n=stages.here, status=status, **full)
