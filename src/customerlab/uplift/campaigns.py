"""Who was assigned to which campaign, who was not, and what is known of each campaign."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from functools import reduce

import ibis
import ibis.expr.types as ir

from customerlab.lots import drawn
from customerlab.messages import Message, say
from customerlab.proposals import Proposals

#: The arm of those who were not assigned, where a campaign left nobody out by lot.
NOT_ASSIGNED = "not assigned"
#: What all customers, as they are now, are called among the campaigns.
EVERYONE = "everyone, today"
#: So many of them are compared at most, drawn by lot.
MOST_COMPARED = 50_000
#: They are compared in so many campaigns, the latest.
MOST_CAMPAIGNS = 6
_ROWS = {"campaign_id": "string", "customer_id": "string", "arm": "string"}
_ROWS |= {"assigned_at": "timestamp(6)", "propensity": "float64", "promised": "float64"}


def all_assigned(
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


def campaigns_of(
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


def with_others(
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


def everyone_today(tables: Mapping[str, ir.Table], snapshot: dt.date) -> ir.Table:
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
