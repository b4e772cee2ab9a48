"""From a client's tables to the customers' stays."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import ibis
import ibis.expr.types as ir
import pandas as pd

from customerlab.calendar_months import month_index
from customerlab.cells import cells, no_rows
from customerlab.churn.stays import Stays
from customerlab.churn.unnoticed import judge_silence
from customerlab.customers import movement_days, own_movements
from customerlab.durations import REASONS, here_at, observed
from customerlab.errors import CustomerlabError, nearest
from customerlab.exits import gone_by_now, observe_exits
from customerlab.features import FEATURES, ON_REQUEST, SYMPTOMS, features_in, read_once
from customerlab.idleness import DEFAULT_DAYS, choose_idle_days
from customerlab.params import ChurnTiming, Params
from customerlab.person_months import (
    expand,
    features_at,
    features_from_durations,
    features_of_people,
    in_windows,
    person_months,
)
from customerlab.privacy import PERSONAL

#: Features that a customer has from the beginning, so that groups by them are fair.
_GROUPS = ("age_band", "gender", "region")

#: Columns of a prepared table that are no covariates.
_NOT_COVARIATES = (
    frozenset({"customer_id", "duration", "churned", "entry", "event_type"}) | PERSONAL
)

#: A column with more values is no category, and is used only where the parameters name it.
_MOST_LEVELS = 20

_LINES = {"customer_id": "string", "joined_month": "date", "entry": "int64", "duration": "int64"}
_LINES |= {"churned": "boolean", "exit_month": "date", "exit": "string"}
_ROWS = {"customer_id": "string", "month": "date", "tenure": "int64", "tenure_band": "string"}
_ROWS |= {"left": "int64"}

#: The model of the months ahead looks so many months ahead at most; later ones are like the last.
WINDOW = 6
#: It is judged by windows that it has not seen: there have to be so many.
FEWEST_WINDOWS = 4


def check_stays(tables: Mapping[str, ir.Table], params: Params, *, where: str) -> None:
    """Refuse what :func:`observe_stays` would refuse, without working anything out.

    Raises
    ------
    CustomerlabError
        When a group or a covariate is not among the columns, or an exit cannot be told.
    """
    if "durations" in tables:
        _prepared(tables["durations"], params, where)
        return
    _at_hand(tables, params, where)
    exits = tuple(dict.fromkeys(params.churn_timing.event))
    days = params.churn_timing.idle_days or DEFAULT_DAYS
    silence = params.invalid_customers.not_movements
    dates = {"snapshot": params.snapshot, "idle_days": days}
    observe_exits(tables, exits, **dates, not_movements=silence)


def observe_stays(
    tables: Mapping[str, ir.Table],
    params: Params,
    keep: Callable[[ir.Table], ir.Table] = lambda table: table,
    *,
    where: str = "churn_timing",
) -> Stays:
    """Return the customers' stays: from ``durations`` where given, else from the client's tables.

    Parameters
    ----------
    tables : mapping of str to table
        The clean tables that the client has.
    params : Params
        Its ``churn_timing`` section, the snapshot, and which kinds are no movements.
    keep : callable, optional
        Works a table out once, so that it is not worked out again wherever it is used.
    where : str
        Begins the message when a group or a covariate is wrong.

    Raises
    ------
    CustomerlabError
        When a group or a covariate is not among the columns, or an exit cannot be told.
    """
    if "durations" in tables:
        return _prepared(tables["durations"], params, where)
    settings = params.churn_timing
    at_hand = _at_hand(tables, params, where)
    exits, silence = tuple(dict.fromkeys(settings.event)), params.invalid_customers.not_movements
    rule, moved, days = None, None, DEFAULT_DAYS
    if "inactive" in exits:
        moved = _read(own_movements(tables, silence))
        moved = keep(movement_days(moved, snapshot=params.snapshot))
        rule = choose_idle_days(moved, snapshot=params.snapshot, given=settings.idle_days)
        days = rule.days
    dates = {"snapshot": params.snapshot, "idle_days": days}
    lines = keep(observe_exits(tables, exits, **dates, not_movements=silence, days=moved))
    left_out = cells(lines, by=["reason"], n="customers").dropna(subset="reason")
    left_out["reason"] = left_out["reason"].map(REASONS)
    durations = observed(lines)
    moving = lines.filter(lines.reason.isnull() | (lines.reason != "no_movement"))
    tables = read_once(tables, moving, keep)
    unasked = [name for name in at_hand if name not in ON_REQUEST]
    chosen = unasked if settings.covariates is None else settings.covariates
    covariates = tuple(name for name in chosen if name != "tenure_band")
    symptoms = SYMPTOMS if settings.covariates is None else ()
    causes = tuple(name for name in covariates if name not in symptoms)
    at_first = [name for name in _GROUPS if name in at_hand]
    groups = tuple(at_first if settings.groups is None else settings.groups)
    features = tuple(dict.fromkeys(["tenure_band", *covariates, *groups]))
    # repeated trouble is told beside the number of complaints, and compared for itself
    beside = ["trouble"] if {"trouble", "complaints"} <= {*at_hand, *causes} else []
    seen = tuple(dict.fromkeys([*features, *beside]))
    rows = keep(person_months(durations, tables, features=seen))
    first = rows.select("customer_id", "tenure", *groups)
    begun = durations.left_join(
        first, [durations.customer_id == first.customer_id, durations.entry == first.tenure]
    )
    begun = begun.select("entry", "duration", "churned", "exit", *groups)
    told = [f"{what}_{name}" for name in exits if len(exits) > 1 for what in ("risk", "left")]
    sums = {"events": rows.left, **{name: rows[name] for name in told}}
    width = _width(durations, max(settings.horizons_months))
    windows = keep(in_windows(rows.drop(*beside), features, width))
    ahead = {"events": windows.left, **{name: windows[name] for name in told}}
    if exits == ("inactive",):
        here = features_at(moved, tables, **dates, features=features)
    else:
        gone = gone_by_now(tables, exits, snapshot=params.snapshot)
        active = here_at(moved, **dates) if "inactive" in exits else None
        people = _still_here(lines, gone, active)
        here = features_of_people(people, tables, snapshot=params.snapshot, features=features)
    if "inactive" in exits:
        plain = [name for name in features if name != "tenure_band"]
        here = judge_silence(keep(here), moved, tables, **dates, features=plain)
    here = _at_risk(here, lines, exits) if told else here
    customers = tables.get("customers")
    joining = "joined_on" in customers.columns if customers is not None else False
    return Stays(
        durations=keep(begun),
        groups=groups,
        covariates=covariates,
        exits=exits,
        causes=causes,
        months=cells(rows, by=["tenure_band", *dict.fromkeys([*causes, *beside])], sums=sums),
        windows=cells(windows, by=["landmark", "lead", "tenure_band", *covariates], sums=ahead),
        lines=durations,
        rows=rows,
        people=keep(_people(tables, durations, params, groups)),
        landmarks=windows.filter(windows.lead == 0),
        here=keep(here),
        ends=_ends(rows, covariates),
        left_out=left_out.reset_index(drop=True),
        joining_known=_share_known(customers.joined_on) if joining else 0.0,
        window_months=width,
        idle_rule=rule,
    )


def _ends(rows: ir.Table, covariates: Sequence[str]) -> pd.DataFrame:
    """Count customers in their last month by the client's own columns."""
    own = [name for name in covariates if name not in FEATURES]
    if not own:
        return pd.DataFrame(columns=["n", "events"])
    last = rows.filter(rows.months_left == 0)
    return cells(last, by=own, sums={"events": last.left})


def _width(durations: ir.Table, horizon: int) -> int:
    """Return how many months a window has: the horizon, and less where the data are short."""
    first = month_index(durations.joined_month) + durations.entry
    last = month_index(durations.joined_month) + durations.duration
    watched = (last.max() - first.min()).execute()
    months = 0 if pd.isna(watched) else int(watched)
    return max(1, min(horizon, WINDOW, months // FEWEST_WINDOWS))


def _people(
    tables: Mapping[str, ir.Table], lines: ir.Table, params: Params, groups: Sequence[str]
) -> ir.Table:
    """Return everybody whose stay is measured, with their groups and lasting features of today."""
    lasting = [name for name in _GROUPS if name in features_in(tables)]
    people = lines.select("customer_id", clock="joined_month")
    names = [*dict.fromkeys([*lasting, *groups])]
    known = features_of_people(people, tables, snapshot=params.snapshot, features=names)
    return known.select("customer_id", *names)


def _read(moved: ir.Table | None) -> ir.Table:
    if moved is None:
        raise CustomerlabError("churn_timing.event: inactive is read from transactions")
    return moved


def _still_here(lines: ir.Table, gone: ir.Table, active: ir.Table | None) -> ir.Table:
    """Return who can leave in one of the ways and has not, with the month tenure counts from.

    A silence is judged by :func:`customerlab.durations.here_at`: who is `active` is here, and may
    have come back from an earlier one.
    """
    people = lines.filter(lines.entry.notnull())
    people = people.anti_join(gone, "customer_id").select("customer_id", clock="joined_month")
    if active is None:
        return people
    seen = active.select("customer_id", "silent", "still_here")
    return people.join(seen, "customer_id").select("customer_id", "clock", "silent", "still_here")


def _at_risk(here: ir.Table, lines: ir.Table, exits: Sequence[str]) -> ir.Table:
    """Add which ways of leaving each customer here has."""
    mine = lines.select(
        whose="customer_id", **{f"risk_{name}": lines[f"from_{name}"] for name in exits}
    )
    joined = here.left_join(mine, [("customer_id", "whose")])
    can = {
        f"risk_{name}": (joined[f"risk_{name}"] <= joined.tenure).fill_null(False).cast("int64")
        for name in exits
    }
    return joined.mutate(**can).select(*here.columns, *can)


def _prepared(durations: ir.Table, params: Params, where: str) -> Stays:
    own = tuple(name for name in durations.columns if name not in _NOT_COVARIATES)
    settings = params.churn_timing
    _refuse_unknown(settings, own, "durations has no column {name}", where)
    asked = (
        durations.aggregate(**{name: durations[name].nunique() for name in own}) if own else None
    )
    levels = asked.to_pandas().iloc[0] if asked is not None else {}
    few = [name for name in own if levels[name] <= _MOST_LEVELS]
    groups = tuple(few if settings.groups is None else settings.groups)
    covariates = tuple(few if settings.covariates is None else settings.covariates)
    entry = durations.entry if "entry" in durations.columns else 0
    kind = durations.event_type if "event_type" in durations.columns else ibis.literal("left")
    rows = durations.mutate(
        entry=entry, exit=durations.churned.ifelse(kind.fill_null("left"), ibis.null("string"))
    )
    counted = cells(rows, by=["entry", "duration", "churned", "exit", *covariates])
    exits = tuple(sorted(counted["exit"].dropna().unique())) or ("left",)
    months = expand(counted, [*covariates, "exit"])
    if len(exits) > 1:
        months = months.assign(
            **{f"risk_{name}": months["n"] for name in exits},
            **{f"left_{name}": months["events"] * (months["exit"] == name) for name in exits},
        )
    keys = ["tenure_band", *covariates]
    sums = [
        name for name in months if name in {"n", "events"} or name.startswith(("risk_", "left_"))
    ]
    return Stays(
        durations=rows.select("entry", "duration", "churned", "exit", *groups),
        groups=groups,
        covariates=covariates,
        causes=covariates,
        exits=exits,
        months=months.groupby(keys, dropna=False, as_index=False)[sums].sum(),
        lines=no_rows(_LINES),
        rows=no_rows(_ROWS),
        people=no_rows({"customer_id": "string", **dict.fromkeys(groups, "string")}),
        here=features_from_durations(durations, list(dict.fromkeys([*covariates, *groups]))),
        named="customer_id" in durations.columns,
        left_out=pd.DataFrame({"reason": [], "customers": []}),
        ends=cells(rows, by=covariates, sums={"events": rows.churned.cast("int64")})
        if covariates
        else pd.DataFrame(columns=["n", "events"]),
        passed_over=tuple(name for name in own if name not in {*few, *groups, *covariates}),
    )


def _share_known(column: ir.Value) -> float:
    share = column.notnull().cast("float64").mean().execute()
    return float(share) if share is not None else 0.0


def _at_hand(tables: Mapping[str, ir.Table], params: Params, where: str) -> tuple[str, ...]:
    """Return the features to be had; refuse groups and covariates that are not."""
    at_hand = features_in(tables)
    own = tables["customers"].columns if "customers" in tables else ()
    has = "there is no {name} to be had from this client's tables"
    known = [name for name in dict.fromkeys((*at_hand, *own)) if name not in PERSONAL]
    _refuse_unknown(params.churn_timing, known, has, where)
    return tuple(at_hand)


def _refuse_unknown(settings: ChurnTiming, known: Sequence[str], lacking: str, where: str) -> None:
    for key in ("groups", "covariates"):
        for name in getattr(settings, key) or ():
            if name not in known:
                raise CustomerlabError(
                    f"{where}.{key}: {lacking.format(name=name)}{nearest(name, known)}; "
                    f"there are {', '.join(known) or 'none'}"
                )
