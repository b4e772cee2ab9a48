"""Whom a campaign contacted in truth, where the client keeps a table of contacts."""

from __future__ import annotations

from collections.abc import Mapping

import ibis
import ibis.expr.types as ir

from customerlab.params import Response


def with_contact(
    rows: ir.Table, tables: Mapping[str, ir.Table], outcomes: Mapping[str, Response], usual: int
) -> ir.Table:
    """Add whether the campaign contacted a customer in the days that outcomes are watched.

    A contact is the campaign's if it names it. Where contacts name no campaign, those are taken
    whose product is the campaign's, or of which either product is not known; the channel does not
    tell, for a campaign may have another one in each arm.

    Parameters
    ----------
    rows : table
        ``campaign_id``, ``customer_id``, ``assigned_at`` and its ``day``.
    tables : mapping of str to table
        ``contacts`` (``customer_id``, ``contacted_at``, ``campaign_id`` or ``product``) and
        ``campaigns`` (``campaign_id``, ``product``), where the client has them.
    outcomes : mapping of str to Response
    usual : int
        Days that an outcome is watched when it names none.

    Returns
    -------
    table
        `rows` with ``contacted``; null in a campaign of which the contacts do not tell.
    """
    t = tables.get("contacts")
    if t is None or not {"customer_id", "contacted_at"} <= set(t.columns):
        return rows.mutate(contacted=ibis.null("boolean"))
    days = max((one.days or usual for one in outcomes.values()), default=usual)
    named = "campaign_id" in t.columns
    sold = t.product if "product" in t.columns and not named else ibis.null("string")
    calls = t.select(
        whose="customer_id",
        contacted_at="contacted_at",
        sold=sold,
        of=t.campaign_id.cast("string") if named else ibis.null("string"),
    )
    both = rows.select("campaign_id", "customer_id", "assigned_at", "day")
    on = [("customer_id", "whose")] + ([("campaign_id", "of")] if named else [])
    both = both.inner_join(calls, on)
    if "product" in getattr(tables.get("campaigns"), "columns", ()):
        offers = tables["campaigns"].select(offered_by="campaign_id", offered="product")
        both = both.left_join(offers, [("campaign_id", "offered_by")])
        both = both.filter(both.sold.isnull() | both.offered.isnull() | (both.sold == both.offered))
    last = (both.day + ibis.interval(days=days)).cast("date")
    both = both.filter((both.contacted_at >= both.assigned_at) & (both.contacted_at.date() <= last))
    reached = both.select(_campaign="campaign_id", _whose="customer_id").distinct()
    joined = rows.left_join(reached, [("campaign_id", "_campaign"), ("customer_id", "_whose")])
    # of a campaign in whose days nobody was contacted, the table does not tell
    mine = ibis.window(group_by="campaign_id")
    told = joined._whose.notnull().any().over(mine)
    contacted = told.ifelse(joined._whose.notnull(), None)
    return joined.mutate(contacted=contacted).drop("_campaign", "_whose")
