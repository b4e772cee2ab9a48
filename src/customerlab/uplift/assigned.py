"""Trials from campaigns: who was assigned to which arm and when, and what followed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from functools import reduce

import ibis
import ibis.expr.types as ir
import pandas as pd

from customerlab.calendar_months import month_index
from customerlab.features import feature_name, features_in, level_name, with_features, with_people
from customerlab.lots import drawn
from customerlab.messages import Message, say
from customerlab.params import Params, Response
from customerlab.privacy import PERSONAL
from customerlab.proposals import Proposals
from customerlab.uplift.covariates import encode_covariates
from customerlab.uplift.prepared import are_uneven, shares_of, tell_unknown
from customerlab.uplift.trials import Outcome, Trial, Trials, find_control, refuse_unknown
from customerlab.uplift.windows import USUAL, check_outcomes, months_watched, with_outcomes

#: The arm of those who were not assigned, where a campaign left nobody out by lot.
NOT_ASSIGNED = "not assigned"
#: What all customers, as they are now, are called among the campaigns.
EVERYONE = "everyone, today"
#: So many of them are compared at most, drawn by lot.
MOST_COMPARED = 50_000
#: They are compared in so many campaigns, the latest.
MOST_CAMPAIGNS = 6
#: Features that are used unasked: what tells of leaving, and what costs many columns, is not.
_USUAL_FEATURES = ("tenure_band", "age_band", "gender", "region", "payroll", "products")
_USUAL_FEATURES += ("balance", "moves", "complaints", "trend")
#: An outcome that is known of a smaller share of a campaign's customers is not looked at yet.
_MOST = 0.5

_ROWS = {"campaign_id": "string", "customer_id": "string", "arm": "string"}
_ROWS |= {"assigned_at": "timestamp(6)", "propensity": "float64", "promised": "float64"}


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
    base = keep(_assigned(tables, proposals, snapshot))
    about = _about(tables, base, proposals)
    controls = {one: find_control(each["arms"], settings.control) for one, each in about.items()}
    alone = [one for one, control in controls.items() if control is None][:MOST_CAMPAIGNS]
    rows = _with_others(base, tables, about, alone, params.seed)
    rows = rows.union(_everyone(tables, snapshot))
    rows = keep(rows.mutate(day=rows.assigned_at.date()))
    days = {"usual_days": settings.outcome_days, "snapshot": snapshot}
    rows = keep(with_outcomes(rows, tables, windowed, **days))
    features, own, before = _chosen(tables, params)
    rows = _with_known(rows, tables, [*features, *own])
    rows = keep(_with_contact(rows, tables, windowed, settings.outcome_days))
    # the outcome of the days before tells more than anything else
    names = [
        *before,
        *(c for c in (*features, *own) if c not in settings.segments or c in features),
    ]
    assigned = rows.campaign_id != EVERYONE
    encoded, covariates, notes = encode_covariates(
        rows, names, _column_name, level_name, seen=assigned
    )
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


def _assigned(
    tables: Mapping[str, ir.Table], proposals: Sequence[Proposals], snapshot: dt.date
) -> ir.Table:
    """Return everybody assigned by the snapshot, once the day is known."""
    parts = []
    if "assignments" in tables:
        t = tables["assignments"]
        at = t.assigned_at if "assigned_at" in t.columns else ibis.null("timestamp(6)")
        chance = t.propensity if "propensity" in t.columns else ibis.null("float64")
        t = t.select("campaign_id", "customer_id", "arm", assigned_at=at, propensity=chance)
        if "starts_on" in getattr(tables.get("campaigns"), "columns", ()):
            begins = tables["campaigns"].select(of="campaign_id", begins="starts_on")
            t = t.left_join(begins, [("campaign_id", "of")])
            t = t.mutate(
                assigned_at=ibis.coalesce(t.assigned_at, t.begins.cast("timestamp(6)"))
            ).drop("of", "begins")
        parts.append(t.mutate(promised=ibis.null("float64")))
    for one in proposals:
        t = one.table
        there = {
            name: t[name].cast("float64") if name in t.columns else ibis.null("float64")
            for name in ("propensity", "promised")
        }
        day = dt.datetime.combine(one.day + dt.timedelta(days=1), dt.time())
        parts.append(
            t.select(
                "customer_id",
                "arm",
                campaign_id=ibis.literal(one.id),
                assigned_at=ibis.literal(day).cast("timestamp(6)"),
                **there,
            )
        )
    same = [part.select(**{c: part[c].cast(kind) for c, kind in _ROWS.items()}) for part in parts]
    rows = reduce(lambda one, other: one.union(other), same)
    return rows.filter(rows.assigned_at.date() <= snapshot)


def _about(
    tables: Mapping[str, ir.Table], base: ir.Table, proposals: Sequence[Proposals]
) -> dict[str, dict]:
    """Return what is known of each campaign that assigned anybody, the latest first."""
    counted = base.group_by(["campaign_id", "arm"]).aggregate(
        n=base.count(), first=base.assigned_at.min(), promised=base.promised.sum()
    )
    frame = counted.order_by(["campaign_id", "arm"]).to_pandas()
    told: dict[str, dict] = {}
    if "campaigns" in tables:
        table = tables["campaigns"]
        known = ("name", "product", "channel", "contact_cost", "starts_on", "ends_on")
        columns = [c for c in known if c in table.columns]
        listed = table.select("campaign_id", *columns).order_by("campaign_id").to_pandas()
        listed = listed.astype(object).where(listed.notna(), None)
        told = {row.pop("campaign_id"): row for row in listed.to_dict("records")}
    proposed = {one.id: one for one in proposals}
    names = [row.get("name") for row in told.values()]
    found = {}
    for one, mine in frame.groupby("campaign_id", sort=True):
        row = told.get(one, {})
        name: Message | str = row.pop("name", None) or str(one)
        if names.count(name) > 1:
            name = f"{name} ({one})"
        if one in proposed:
            name = name_of_list(proposed[one])
        found[str(one)] = {
            **row,
            "name": name,
            "arms": mine["arm"].tolist(),
            "first": mine["first"].min(),
            "source": "actions" if one in proposed else "assignments",
            "outcome": proposed[one].promised_outcome() if one in proposed else None,
            "promised": mine.dropna(subset="promised").set_index("arm")["promised"].to_dict(),
        }
    return dict(sorted(found.items(), key=lambda item: (item[1]["first"], item[0]), reverse=True))


def name_of_list(proposed: Proposals) -> Message:
    """Return what people call a list of proposed actions."""
    day = proposed.day
    if proposed.section == "churn_timing":
        return say("Customers to keep, proposed on {day:date}", day=day)
    if proposed.section == "invalid_customers":
        return say("Dormant customers to wake, proposed on {day:date}", day=day)
    if proposed.section == "uplift_tests":
        return say("Customers to contact, proposed on {day:date}", day=day)
    return say(
        "{section}, proposed on {day:date}",
        section=proposed.section.replace("_", " ").capitalize(),
        day=day,
    )


def _with_others(
    base: ir.Table,
    tables: Mapping[str, ir.Table],
    about: Mapping[str, Mapping],
    alone: Sequence[str],
    seed: int,
) -> ir.Table:
    """Add, for campaigns without a control, customers who were not assigned to them."""
    moved = tables["transactions"]
    since = moved.group_by(whose="customer_id").aggregate(since=moved.occurred_at.min())
    parts = [base]
    for one in alone:
        begun = about[one]["first"].to_pydatetime()
        mine = base.filter(base.campaign_id == one).select("customer_id")
        # customers when it began, as those who were assigned were
        others = since.filter(since.since < begun)
        others = others.anti_join(mine, [("whose", "customer_id")])
        n = int(others.count().execute())
        if n > MOST_COMPARED:
            others = others.filter(drawn(seed, f"compare:{one}", others.whose, MOST_COMPARED / n))
        others = others.select(
            campaign_id=ibis.literal(one),
            customer_id=others.whose,
            arm=ibis.literal(NOT_ASSIGNED),
            assigned_at=ibis.literal(begun).cast("timestamp(6)"),
            propensity=ibis.null("float64"),
            promised=ibis.null("float64"),
        )
        parts.append(others.select(**{c: others[c].cast(kind) for c, kind in _ROWS.items()}))
    return reduce(lambda one, other: one.union(other), parts)


def _everyone(tables: Mapping[str, ir.Table], snapshot: dt.date) -> ir.Table:
    """Return all customers as if they were assigned on the day after the snapshot."""
    next_day = dt.datetime.combine(snapshot + dt.timedelta(days=1), dt.time())
    ids = tables["transactions"].select("customer_id").distinct()
    values = {
        "campaign_id": ibis.literal(EVERYONE),
        "customer_id": ids.customer_id,
        "arm": ibis.literal(EVERYONE),
        "assigned_at": ibis.literal(next_day),
        "propensity": ibis.null("float64"),
        "promised": ibis.null("float64"),
    }
    return ids.select(**{name: value.cast(_ROWS[name]) for name, value in values.items()})


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
        chosen = [*before, *(name for name in _USUAL_FEATURES if name in at_hand)]
    else:
        chosen = settings.covariates
    everything = dict.fromkeys([*chosen, *settings.segments])
    features = [name for name in everything if name in at_hand]
    return (
        features,
        [name for name in everything if name in own and name not in at_hand],
        [name for name in everything if name in before],
    )


def _with_known(rows: ir.Table, tables: Mapping[str, ir.Table], chosen: Sequence[str]) -> ir.Table:
    """Add what was known of the customers when the month of their assignment began."""
    moved = tables["transactions"]
    first = moved.group_by(whose="customer_id").aggregate(first_moved=moved.occurred_at.min())
    rows = rows.left_join(first, [("customer_id", "whose")]).drop("whose")
    since = rows.first_moved.date()
    if "joined_on" in getattr(tables.get("customers"), "columns", ()):
        people = tables["customers"].select(whose="customer_id", joined_on="joined_on")
        rows = rows.left_join(people, [("customer_id", "whose")]).drop("whose")
        since = ibis.coalesce(rows.joined_on, rows.first_moved.date())
    # who was first seen after the assignment was not known before it
    month, since = month_index(rows.day), (since <= rows.day).ifelse(since, None)
    rows = rows.mutate(month_index=month, known_index=month, tenure=month - month_index(since))
    rows = rows.drop("first_moved", *({"joined_on"} & set(rows.columns)))
    return with_features(with_people(rows, tables, chosen), tables, chosen)


def _with_contact(
    rows: ir.Table, tables: Mapping[str, ir.Table], outcomes: Mapping[str, Response], usual: int
) -> ir.Table:
    """Add whether a customer was contacted in the days that outcomes are watched."""
    t = tables.get("contacts")
    if t is None or not {"customer_id", "contacted_at"} <= set(t.columns):
        return rows.mutate(contacted=ibis.null("boolean"))
    days = max((one.days or usual for one in outcomes.values()), default=usual)
    calls = t.select(whose="customer_id", contacted_at="contacted_at")
    both = rows.select("campaign_id", "customer_id", "assigned_at", "day")
    both = both.inner_join(calls, [("customer_id", "whose")])
    last = (both.day + ibis.interval(days=days)).cast("date")
    both = both.filter((both.contacted_at >= both.assigned_at) & (both.contacted_at.date() <= last))
    reached = both.select(_campaign="campaign_id", _whose="customer_id").distinct()
    joined = rows.left_join(reached, [("campaign_id", "_campaign"), ("customer_id", "_whose")])
    # of a campaign in whose days nobody was contacted, the table does not tell
    mine = ibis.window(group_by="campaign_id")
    told = joined._whose.notnull().any().over(mine)
    contacted = told.ifelse(joined._whose.notnull(), None)
    return joined.mutate(contacted=contacted).drop("_campaign", "_whose")


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
