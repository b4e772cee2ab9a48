"""Trials from campaigns: who was assigned to which arm and when, and what followed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import ibis
import ibis.expr.types as ir
import pandas as pd

from customerlab.features import USUAL_FEATURES, feature_name, features_in, level_name, with_known
from customerlab.messages import Message, say
from customerlab.params import Params, Response
from customerlab.privacy import PERSONAL
from customerlab.proposals import Proposals
from customerlab.uplift.campaigns import (
    EVERYONE,
    MOST_CAMPAIGNS,
    NOT_ASSIGNED,
    all_assigned,
    campaigns_of,
    everyone_today,
    with_others,
)
from customerlab.uplift.contacted import with_contact
from customerlab.uplift.covariates import encode_covariates
from customerlab.uplift.prepared import are_uneven, shares_of, tell_unknown
from customerlab.uplift.trials import Outcome, Trial, Trials, find_control, refuse_unknown
from customerlab.uplift.windows import USUAL, check_outcomes, months_watched, with_outcomes

#: An outcome that is known of a smaller share of a campaign's customers is not looked at yet.
_MOST = 0.5


def check_assigned(tables: Mapping[str, ir.Table], params: Params) -> None:
    """Refuse what :func:`read_assignments` would refuse, without working anything out.

    Raises
    ------
    CustomerlabError
    """
    _chosen(tables, params)
    check_outcomes(tables, params.uplift_tests)


def read_assignments(
    tables: Mapping[str, ir.Table],
    params: Params,
    keep: Callable[[ir.Table], ir.Table],
    *,
    proposals: Sequence[Proposals] = (),
    lines: ir.Table | None = None,
) -> Trials:
    """Build a trial of each campaign, and of each list of actions that an earlier run proposed.

    Parameters
    ----------
    tables : mapping of str to table
        The clean canonical tables, ``transactions`` among them.
    params : Params
    keep : callable
        Works a table out once.
    proposals : sequence of Proposals
    lines : table, optional
        How long customers stayed, where an outcome is of months.

    Returns
    -------
    Trials
        Where a campaign has no control, those who were not assigned stand in for one, and it is no
        experiment (``control`` is None).

    Raises
    ------
    CustomerlabError
        When the parameters name a column that is not there.
    """
    check_assigned(tables, params)
    settings, snapshot = params.uplift_tests, params.snapshot
    asked = settings.outcomes or USUAL
    windowed = {name: one for name, one in asked.items() if one.kind != "months"}
    base = keep(all_assigned(tables, proposals, snapshot))
    about = campaigns_of(tables, base, proposals)
    controls = {one: find_control(each["arms"], settings.control) for one, each in about.items()}
    alone = [one for one, control in controls.items() if control is None][:MOST_CAMPAIGNS]
    rows = with_others(base, tables, about, alone, params.seed)
    rows = rows.union(everyone_today(tables, snapshot))
    rows = keep(rows.mutate(day=rows.assigned_at.date()))
    days = {"usual_days": settings.outcome_days, "snapshot": snapshot}
    rows = keep(with_outcomes(rows, tables, windowed, **days))
    features, own, before = _chosen(tables, params)
    rows = with_known(rows, tables, [*features, *own])
    rows = keep(with_contact(rows, tables, windowed, settings.outcome_days))
    # the outcome of the days before tells more than anything else
    names = [
        *before,
        *(c for c in (*features, *own) if c not in settings.segments or c in features),
    ]
    assigned = rows.campaign_id != EVERYONE
    encoded, covariates, notes = encode_covariates(
        rows, names, _column_name, level_name, seen=assigned
    )
    notes += [
        say(
            "{column} is taken as it stands today: that is right only if it does not change.",
            column=name,
        )
        for name in own
    ]
    segments = {f"of_{name}": encoded[name].cast("string") for name in settings.segments}
    encoded = keep(encoded.mutate(**segments))
    watched = None
    if lines is not None:
        watched = months_watched(base.mutate(day=base.assigned_at.date()), lines).to_pandas()
    found = []
    counted = _counted(encoded, list(windowed))
    for one, each in about.items():
        mine = counted[counted["campaign_id"] == one]
        months = None if watched is None else watched[watched["campaign_id"] == one]
        named = {
            name: response
            for name, response in asked.items()
            if response.campaigns is None
            or {one, each["name"]} & set(response.campaigns)
            or name == each["outcome"]
        }
        if each["outcome"] in named:  # what was promised counts most
            named = {each["outcome"]: named[each["outcome"]], **named}
        control, rows = controls[one], encoded.filter(encoded.campaign_id == one)
        about_it = (each, mine, named, settings.outcome_days, months)
        trial = _trial(one, control, rows, covariates, tuple(segments), notes, *about_it)
        found += [trial] if trial is not None else []
    everyone = encoded.filter(encoded.campaign_id == EVERYONE)
    return Trials(tuple(found), everyone.select("customer_id", *covariates))


def _counted(rows: ir.Table, outcomes: Sequence[str]) -> pd.DataFrame:
    """Count each arm's customers, of how many each outcome is known, and their chances."""
    chance = rows.propensity
    counted = rows.group_by(["campaign_id", "arm"]).aggregate(
        assigned=rows.count(),
        least=chance.min(),
        most=chance.max(),
        lacking=chance.isnull().cast("int64").sum(),
        told=rows.contacted.count(),
        **{f"n_{name}": rows[name].count() for name in outcomes},
    )
    order = ["campaign_id", ibis.desc("assigned"), "arm"]
    return counted.order_by(order).to_pandas()


def _chosen(
    tables: Mapping[str, ir.Table], params: Params
) -> tuple[list[str], list[str], list[str]]:
    """Return features, own columns of customers, and outcomes of before that are covariates."""
    settings = params.uplift_tests
    at_hand = [name for name in features_in(tables)]
    own = [c for c in getattr(tables.get("customers"), "columns", ()) if c not in PERSONAL]
    asked = settings.outcomes or USUAL
    before = [f"{name}_before" for name, one in asked.items() if one.kind != "months"]
    known = list(dict.fromkeys([*before, *at_hand, *own]))
    refuse_unknown("covariates", settings.covariates or [], known)
    refuse_unknown("segments", settings.segments, list(dict.fromkeys([*at_hand, *own])))
    if settings.covariates is None:
        chosen = [*before, *(name for name in USUAL_FEATURES if name in at_hand)]
    else:
        chosen = settings.covariates
    everything = dict.fromkeys([*chosen, *settings.segments])
    features = [name for name in everything if name in at_hand]
    return (
        features,
        [name for name in everything if name in own and name not in at_hand],
        [name for name in everything if name in before],
    )


def _trial(
    one: str,
    control: str | None,
    rows: ir.Table,
    covariates: Mapping[str, Message | str],
    segments: tuple[str, ...],
    notes: Sequence[Message],
    about: Mapping,
    counted: pd.DataFrame,
    asked: Mapping[str, Response],
    usual: int,
    months: pd.DataFrame | None,
) -> Trial | None:
    """Return a campaign's trial; None where no outcome is known yet."""
    total = counted["assigned"].sum()
    names = [name for name, response in asked.items() if response.kind != "months"]
    over = [name for name in names if counted[f"n_{name}"].sum() >= _MOST * total > 0]
    told = [
        say(
            "{name}: {outcome} is not known yet, for the days in which it counts were not over at "
            "the snapshot.",
            name=about["name"],
            outcome=name,
        )
        for name in names
        if name not in over
    ]
    if not over:
        return None
    # of whom the outcome with most days is known, all are
    known = counted[[f"n_{name}" for name in over]].min(axis=1)
    assigned = {
        arm: {"assigned": int(n), "unknown": int(n - k), "twice": 0}
        for arm, n, k in zip(counted["arm"], counted["assigned"], known, strict=True)
    }
    of_months = any(response.kind == "months" for response in asked.values())
    return Trial(
        one,
        about["name"],
        about["source"],
        rows.filter([rows[name].notnull() for name in over]),
        tuple(arm for arm in assigned if arm not in (control, NOT_ASSIGNED)),
        control,
        tuple(
            Outcome(
                name,
                asked[name].kind,  # type: ignore[arg-type]
                asked[name].days or usual,
                f"x_{name}_before" if f"x_{name}_before" in covariates else None,
            )
            for name in over
        ),
        dict(covariates),
        segments,
        assigned,
        shares_of(counted),
        months if of_months and months is not None and len(months) else None,
        {
            key: about[key]
            for key in ("channel", "product", "contact_cost", "first")
            if key in about
        },
        (*notes, *told, *tell_unknown(assigned)),
        bool(counted["told"].sum()),
        are_uneven(counted),
        about["promised"] if about["outcome"] == over[0] else None,
    )


def _column_name(column: str) -> Message | str:
    if column.endswith("_before"):
        return say("{outcome} in the days before", outcome=column.removesuffix("_before"))
    return feature_name(column)
