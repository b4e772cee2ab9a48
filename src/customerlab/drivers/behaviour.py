"""What each customer did and met before a landmark, and whether they bought after it.

Where no survey asks why customers come back, their behaviour stands in for the answers. All items
are of the months before the landmark, but for the last purchase and for what others had said;
nothing known later enters.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import ibis
import ibis.expr.types as ir

from customerlab.calendar_months import months_before
from customerlab.customers import build_customers
from customerlab.drivers.purchases import buying, delays, prices, purchases
from customerlab.drivers.reviews import (
    STATED,
    others_ratings,
    own_ratings,
    stated_items,
    tells_reviews,
)
from customerlab.errors import CustomerlabError
from customerlab.features.reading import join
from customerlab.landmarks import as_of
from customerlab.messages import Message, say
from customerlab.retention.arms import CONTROLS

#: What is to be explained: 1 of a customer who bought in the days after the landmark.
OUTCOME = "bought_again"
#: Items and what a reader calls them; beside them ``rated_<column>`` for each column of ratings:
#: the mean of the customer's own answers.
DRIVERS: dict[str, Message] = {
    # mean of ln(own mean price / mean price of all others) over the products bought; 0.1 is 10 %
    "price_paid": say("price paid against what others paid"),
    # discounts as a share of what the goods would have cost without them
    "discount_share": say("share of the price taken off"),
    # of what was spent on products of which it is known
    "own_brand_share": say("share of spending on own brands"),
    # days from the promised day, or else from the order, to delivery
    "delivery_delay": say("days that deliveries took or were late"),
    # mean score of the later half of the customer's own ratings less the earlier half
    "rating_trend": say("rising or falling ratings"),
    # mean rating that others had given to what was bought, as it stood before each purchase
    "others_rating": say("other buyers' reviews"),
    # 1 where customers said that they came by a recommendation
    "word_of_mouth": say("came by recommendation"),
    # contacts that were not resolved
    "complaints": say("unresolved complaints"),
    # distinct categories bought, or products where no category is known
    "range_bought": say("range of goods bought"),
    # campaigns that reached the customer; those held back as a control were not reached
    "promotions": say("promotions received"),
    # orders in a month since joining, of whom joined within a month as if it were one
    "orders_per_month": say("orders per month"),
    # days from the last purchase to the landmark
    "recency_days": say("days since the last purchase"),
}

#: Words in ``acquired_through`` that mean: another customer sent this one.
REFERRED = ("referr", "recommend", "word of mouth", "friend")
REFERRED += ("推荐", "转介", "口碑", "亲友", "朋友")

_MONTH = 365.25 / 12


@dataclass(frozen=True)
class Behaviour:
    """Customers as they were known at a landmark, and whether they bought after it.

    Attributes
    ----------
    table : table
        One row per customer: ``customer_id``, the items (floats, null where not known), the
        outcome (0 or 1), and ``spend_after`` (what was bought in those days, in the currency).
    items : tuple of str
        The items that the tables tell: not nothing for everybody.
    outcome : str
        The column to be explained.
    landmark, until : date
        The outcome counts from the day after the one up to and including the other.
    text : Message
        What was looked at, in words.
    """

    table: ir.Table
    items: tuple[str, ...]
    outcome: str
    landmark: dt.date
    until: dt.date
    text: Message


def driver_name(item: str) -> Message | str:
    """Return what a reader calls an item; a survey's own item keeps its name."""
    if item in DRIVERS:
        return DRIVERS[item]
    if item.startswith(STATED):
        return say("rating of: {item}", item=item.removeprefix(STATED))
    return item


def build_items(
    tables: Mapping[str, ir.Table],
    *,
    outcome_days: int,
    snapshot: dt.date,
    landmark: dt.date | None = None,
    months: int = 12,
    not_movements: Sequence[str] = (),
    keep: Callable[[ir.Table], ir.Table] | None = None,
) -> Behaviour:
    """Build the items that a client's tables tell.

    Parameters
    ----------
    tables : mapping of str to table
        The clean canonical tables, ``transactions`` among them.
    outcome_days : int
        For so many days after the landmark it is watched who buys.
    snapshot : date
        The last day that is known.
    landmark : date, optional
        The last day that the items know; `outcome_days` before the snapshot when left out.
    months : int
        The items look back so many months from the landmark.
    not_movements : sequence of str
        Kinds of transaction that the customer did not make.
    keep : function, optional
        Works a table out once and keeps it.

    Returns
    -------
    Behaviour
        Of the customers who were customers by the landmark.

    Raises
    ------
    CustomerlabError
        Without transactions, or when the days after the landmark are not over at the snapshot.
    """
    if "transactions" not in tables:
        raise CustomerlabError("repurchase_drivers: without transactions nobody can tell who buys")
    landmark = landmark or snapshot - dt.timedelta(days=outcome_days)
    until = landmark + dt.timedelta(days=outcome_days)
    if until > snapshot:
        raise CustomerlabError(
            f"repurchase_drivers: {outcome_days} days after the landmark {landmark} end on "
            f"{until}, after the snapshot {snapshot}"
        )
    then = as_of(tables, landmark)
    since = months_before(landmark, months)
    known = build_customers(then, snapshot=landmark, not_movements=not_movements)
    known = known.filter(known.joined_on.notnull() & (known.joined_on <= landmark))
    rows, items = _with_items(known, then, since, landmark)
    bought = purchases(tables)
    after = bought.filter((bought.day > landmark) & (bought.day <= until))
    paid = after.group_by(whose="customer_id").aggregate(spent=after.paid.sum())
    rows = join(rows, paid, [("customer_id", "whose")])
    rows = rows.select(
        "customer_id",
        **{name: rows[name].cast("float64") for name in items},
        **{OUTCOME: rows.spent.notnull().cast("float64")},
        spend_after=rows.spent.fill_null(0).cast("float64"),
    )
    rows = keep(rows) if keep else rows
    # of what is nothing for everybody, or known of nobody, the tables do not tell
    told = {name: (rows[name] != 0).any() for name in items}
    seen = rows.aggregate(_n=rows.count(), _share=rows[OUTCOME].mean(), **told).to_pandas()
    there = tuple(name for name in items if seen[name].iloc[0] is True or seen[name].iloc[0] == 1)
    people = int(seen["_n"].iloc[0])
    text = say(
        "{customers:customers} customers were customers on {landmark:date}; {share:percent} of "
        "them bought in the {days:count} days after it. The {months:count} months before it tell "
        "{items:count} things about them.",
        customers=people,
        landmark=landmark,
        share=float(seen["_share"].iloc[0]) if people else None,
        days=outcome_days,
        months=months,
        items=len(there),
    )
    table = rows.select("customer_id", *there, OUTCOME, "spend_after")
    return Behaviour(table, there, OUTCOME, landmark, until, text)


def _with_items(
    known: ir.Table, then: Mapping[str, ir.Table], since: dt.date, landmark: dt.date
) -> tuple[ir.Table, list[str]]:
    """Add the items that the tables may tell, in the order of :data:`DRIVERS`."""
    ever = purchases(then)
    lately = ever.filter(ever.day > since)
    columns = {name: set(table.columns) for name, table in then.items()}
    of = columns["transactions"]
    parts = [buying(ever, lately)]
    items = {"orders_per_month", "recency_days"}
    if "discount" in of:
        items.add("discount_share")
    if "product" in of and "own_brand" in columns.get("products", ()):
        items.add("own_brand_share")
    if {"product", "category"} & of:
        items.add("range_bought")
    if "product" in of and {"unit_price", "quantity"} & of:
        parts.append(prices(lately))
        items.add("price_paid")
    if "delivered_on" in of:
        parts.append(delays(lately, landmark, promised="promised_on" in of))
        items.add("delivery_delay")
    stated = []
    if stated_items(then):
        ratings = then["ratings"]
        parts.append(own_ratings(then, ratings.filter(ratings.occurred_at.date() > since)))
        stated = [f"{STATED}{name}" for name in stated_items(then)]
        items.add("rating_trend")
    if tells_reviews(then):
        parts.append(others_ratings(then, lately))
        items.add("others_rating")
    if "resolved" in columns.get("interactions", ()):
        parts.append(_complaints(then["interactions"], since))
        items.add("complaints")
    reached = _promotions(then, since)
    if reached is not None:
        parts.append(reached)
        items.add("promotions")
    own = ["acquired_through"] if "acquired_through" in columns.get("customers", ()) else []
    rows = known.select("customer_id", "joined_on", *own)
    for part in parts:
        rows = join(rows, part, [("customer_id", "whose")])
    last = ibis.literal(landmark)
    began = ever.day.min().as_scalar()
    # who joined lately could not buy for longer, and nobody before the data begin
    days = ibis.least(
        ibis.literal((landmark - since).days, "int64"),
        last.delta(rows.joined_on, unit="day").cast("int64") + 1,
        last.delta(began, unit="day").cast("int64") + 1,
    )
    watched = ibis.greatest(days.cast("float64") / _MONTH, 1.0)
    values = {
        "orders_per_month": rows.orders.fill_null(0).cast("float64") / watched,
        "recency_days": last.delta(rows.last_day, unit="day"),
    }
    if own:
        way = rows.acquired_through.lower().replace("_", " ").replace("-", " ")
        sent = [way.contains(word) for word in REFERRED]
        values["word_of_mouth"] = ibis.or_(*sent).cast("float64")
        items.add("word_of_mouth")
    for name in sorted(items & {"complaints", "promotions"}):
        values[name] = rows[name].fill_null(0)
    if "range_bought" in items:
        # bought, but nothing tells what
        range_bought = rows.range_bought.nullif(0)
        values["range_bought"] = rows.orders.isnull().ifelse(0, range_bought)
    rows = rows.mutate(**values)
    return rows, [*stated, *(name for name in DRIVERS if name in items)]


def _complaints(interactions: ir.Table, since: dt.date) -> ir.Table:
    late = interactions.filter(interactions.occurred_at.date() > since)
    return late.group_by(whose="customer_id").aggregate(complaints=(~late.resolved).sum())


def _promotions(tables: Mapping[str, ir.Table], since: dt.date) -> ir.Table | None:
    """Count the campaigns that reached each customer, None where nothing tells when."""
    if "assignments" not in tables:
        return None
    sent = tables["assignments"]
    days = [sent.assigned_at.date()] if "assigned_at" in sent.columns else []
    if "starts_on" in getattr(tables.get("campaigns"), "columns", ()):
        begun = tables["campaigns"].select(campaign="campaign_id", starts="starts_on")
        sent = sent.join(begun, [("campaign_id", "campaign")])
        days = [sent.assigned_at.date()] if days else []
        days.append(sent.starts)
    if not days:
        return None
    sent = sent.mutate(day=ibis.coalesce(*days))
    reached = sent.filter((sent.day > since) & ~sent.arm.lower().isin(CONTROLS))
    return reached.group_by(whose="customer_id").aggregate(promotions=reached.campaign_id.nunique())
