"""RFM: how lately, how often and for how much each customer bought, in fifths, in one scan.

The rule for ties: a score is one plus five times the share of buyers (in the window, where there
is one) that do strictly worse, rounded down. Buyers who are equal have equal scores, so that a
fifth may be larger or smaller than 20 % (where 60 % bought once, all of them have F = 1, and the
next score is 4), and the result depends on no order of rows. The segments are those that marketers
use: a grid of R by FM, where FM is the mean of F and M, halves rounded up.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import ibis
import ibis.expr.types as ir

from customerlab.calendar_months import months_before
from customerlab.errors import CustomerlabError
from customerlab.landmarks import as_of
from customerlab.messages import Message, say

#: Money and its sums are exact in this: an engine may add them up in any order.
_EXACT = "decimal(38, 9)"

#: Segments without scores: who has never bought, and who has not within the window.
REGISTERED, LAPSED = "registered", "lapsed"

#: The segment by R (rows, 5 first) and FM (columns, 1 first), 1 the worst and 5 the best.
GRID: dict[int, tuple[str, str, str, str, str]] = {
    5: ("new", "potential_loyal", "potential_loyal", "champions", "champions"),
    4: ("promising", "potential_loyal", "potential_loyal", "loyal", "loyal"),
    3: ("about_to_sleep", "about_to_sleep", "need_attention", "loyal", "loyal"),
    2: ("hibernating", "hibernating", "at_risk", "at_risk", "cannot_lose"),
    1: ("hibernating", "hibernating", "at_risk", "at_risk", "cannot_lose"),
}

#: The names of the segments, in the order of tables.
SEGMENTS: dict[str, Message] = {
    "champions": say("champions"),
    "loyal": say("loyal customers"),
    "cannot_lose": say("must not be lost"),
    "at_risk": say("at risk"),
    "potential_loyal": say("may become loyal"),
    "need_attention": say("need attention"),
    "promising": say("promising"),
    "new": say("new customers"),
    REGISTERED: say("registered, never bought"),
    "about_to_sleep": say("about to fall asleep"),
    "hibernating": say("hibernating"),
    LAPSED: say("bought before, not lately"),
}

#: What is done about each segment.
ACTION_OF: dict[str, str] = {
    **dict.fromkeys(("champions", "loyal", "cannot_lose", "at_risk"), "keep"),
    **dict.fromkeys(("potential_loyal", "need_attention", "promising", "new"), "win"),
    REGISTERED: "win",
    **dict.fromkeys(("about_to_sleep", "hibernating", LAPSED), "spare"),
}

#: The three actions in words.
ACTIONS: dict[str, Message] = {
    "keep": say("raise their loyalty"),
    "win": say("market to them until they buy"),
    "spare": say("spend nothing while money is short"),
}

#: The three measures, by the column with the score.
MEASURES = {"r": "recency_days", "f": "frequency", "m": "monetary"}


def sales(tables: Mapping[str, ir.Table]) -> ir.Table:
    """Return what customers bought and sent back, line by line.

    Parameters
    ----------
    tables : mapping of str to table
        Canonical: ``transactions``, of a bank ``accounts``, and ``products`` where margins are
        known.

    Returns
    -------
    table
        ``customer_id``, ``day``, ``order_id`` (where transactions have it), ``paid`` (money, below
        0 for a refund), ``gained`` (its margin; null where the product's is not known). A bank's
        purchases are those of the kind ``purchase``; other kinds are left out. Where a bank tells
        no kind, what goes out is spent, and what comes in is no refund.
    """
    t = tables["transactions"]
    orders = ["order_id"] if "order_id" in t.columns else []
    lacking = [name for name in ("kind", "product") if name not in t.columns]
    t = t.mutate(**{name: ibis.null("string") for name in lacking})
    spent = t.amount
    if "accounts" in tables:
        spent = (t.amount < 0).ifelse(-t.amount, None)
    paid = ibis.cases((t.kind == "purchase", t.amount.abs()), (t.kind.isnull(), spent))
    lines = t.select("customer_id", *orders, "product", day=t.occurred_at.date(), paid=paid)
    # cast only what is left: engines would do it once to choose the lines, and once more
    lines = lines.filter(lines.paid.notnull()).mutate(paid=lambda some: some.paid.cast(_EXACT))
    if "margin" not in getattr(tables.get("products"), "columns", ()):
        return lines.drop("product").mutate(gained=ibis.null(_EXACT))
    shares = tables["products"].select(listed="product", of_it="margin")
    lines = lines.left_join(shares, [("product", "listed")])
    gained = (lines.paid.cast("float64") * lines.of_it).round(6).cast(_EXACT)
    return lines.select("customer_id", *orders, "day", "paid", gained=gained)


def score_rfm(
    tables: Mapping[str, ir.Table], day: dt.date, *, months: int | None = None
) -> ir.Table:
    """Score every customer known on a day, with one scan of the transactions.

    Parameters
    ----------
    tables : mapping of str to table
        Canonical: ``transactions``, ``customers`` for those who never bought, ``products``.
    day : date
        Nothing later is used.
    months : int, optional
        Frequency, money and margin are of so many months up to the day; all that is known when
        left out. Recency is that of the last purchase ever; who has not bought within the months
        is not scored, for zeros would fill the lowest scores.

    Returns
    -------
    table
        One row per customer: ``customer_id``, ``recency_days`` (null without a purchase),
        ``frequency`` (orders; a line without an order's name is one), ``monetary`` (money, less
        refunds), ``margin`` (money, null where none is known), ``r``, ``f``, ``m`` (1 to 5, null
        without a purchase in the window) and ``segment``, a key of :data:`SEGMENTS`. A refund is
        no purchase, and lowers ``monetary``, below 0 if need be.

    Raises
    ------
    CustomerlabError
        If `months` is below 1.
    """
    if months is not None and months < 1:
        raise CustomerlabError(f"months: 1 or more, not {months}")
    known = as_of(tables, day)
    measured = measure(sales(known), known.get("customers"), day, months=months)
    scored = measured.mutate(**{score: _fifth(measured, score) for score in MEASURES})
    return scored.mutate(segment=segment_of(scored)).drop("bought")


def measure(
    lines: ir.Table, customers: ir.Table | None, day: dt.date, *, months: int | None = None
) -> ir.Table:
    """Return recency, frequency and money of each customer; see :func:`score_rfm`.

    Parameters
    ----------
    lines : table
        Of :func:`sales`.
    customers : table, optional
        With ``customer_id``: those who never bought are found here.
    day : date
    months : int, optional
    """
    bought = lines.paid > 0
    inside = ibis.literal(True) if months is None else lines.day > months_before(day, months)
    lines = lines.mutate(bought=bought, inside=inside)
    counts = lines.bought & lines.inside
    alone, orders = counts, ibis.literal(0, "int64")
    if "order_id" in lines.columns:  # counting different ones is dear, even where all are null
        alone, orders = counts & lines.order_id.isnull(), lines.order_id.nunique(where=counts)
    each = lines.group_by("customer_id").aggregate(
        last_day=lines.day.max(where=lines.bought),
        frequency=orders + alone.cast("int64").sum().fill_null(0),
        monetary=lines.paid.sum(where=lines.inside),
        margin=lines.gained.sum(where=lines.inside),
    )
    whose = each.customer_id
    if customers is not None:
        names = customers.select(known_id=customers.customer_id).distinct()
        each = each.outer_join(names, [("customer_id", "known_id")])
        whose = each.customer_id.coalesce(each.known_id)
    return each.select(
        customer_id=whose,
        bought=(each.frequency > 0).fill_null(False),
        recency_days=ibis.literal(day).delta(each.last_day, unit="day").cast("int64"),
        frequency=each.frequency.fill_null(0).cast("int64"),
        monetary=each.monetary.fill_null(0).cast(_EXACT),
        margin=each.margin.cast(_EXACT),
    )


def _fifth(measured: ir.Table, score: str) -> ir.IntegerValue:
    """Return one plus five times the share of buyers that do strictly worse, rounded down."""
    value = measured[MEASURES[score]]
    order = ibis.desc(value) if score == "r" else ibis.asc(value)
    worse = ibis.rank().over(group_by="bought", order_by=order)
    buyers = measured.bought.count().over(group_by="bought")
    return measured.bought.ifelse((worse.cast("int64") * 5) // buyers + 1, None).cast("int64")


def segment_of(scored: ir.Table) -> ir.StringValue:
    """Return the segment by ``r``, ``f`` and ``m``, as :data:`GRID` says."""
    both = (scored.f + scored.m + 1) // 2
    place = scored.r * 10 + both
    names = [
        (place == 10 * r + fm, name)
        for r, row in GRID.items()
        for fm, name in enumerate(row, start=1)
    ]
    return ibis.cases(*names, (scored.recency_days.notnull(), LAPSED), else_=REGISTERED)


def score_and_follow(
    tables: Mapping[str, ir.Table], landmark: dt.date, until: dt.date, *, months: int | None = None
) -> ir.Table:
    """Score the customers as known on a landmark, and add what they bought afterwards.

    Returns
    -------
    table
        That of :func:`score_rfm`, with ``bought_next`` (bool) and ``next_spend`` (money, less
        refunds) after the landmark, up to and including the day `until`.

    Raises
    ------
    CustomerlabError
        If `until` is not after the landmark.
    """
    if until <= landmark:
        raise CustomerlabError(f"nothing follows {landmark} by {until}")
    scored = score_rfm(tables, landmark, months=months)
    later = sales(as_of(tables, until)).filter(lambda t: t.day > landmark)
    after = later.group_by(whose="customer_id").aggregate(
        again=(later.paid > 0).any(), then=later.paid.sum()
    )
    both = scored.left_join(after, [("customer_id", "whose")])
    return both.select(
        *scored.columns,
        bought_next=both.again.fill_null(False),
        next_spend=both.then.fill_null(0).cast(_EXACT),
    )
