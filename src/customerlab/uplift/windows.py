"""What followed each customer's own assignment, and the same of the days before it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence

import ibis
import ibis.expr.types as ir

from customerlab.calendar_months import month_index
from customerlab.conditions import compile_expression
from customerlab.drivers.purchases import purchases
from customerlab.errors import CustomerlabError
from customerlab.params import Response, UpliftTests

#: What is looked at where the parameters name no outcome.
USUAL = {"bought": Response(kind="binary"), "spend": Response(kind="amount")}
#: Where an outcome stands in the parameters.
OUTCOMES = "uplift_tests.outcomes.{name}"
#: Sums of money are exact in this: an engine may add them up in any order.
_EXACT = "decimal(38, 4)"


def check_outcomes(tables: Mapping[str, ir.Table], settings: UpliftTests) -> None:
    """Refuse conditions on the transactions that cannot be read.

    Raises
    ------
    CustomerlabError
    """
    for name, asked in settings.outcomes.items():
        if asked.kind != "months":
            _events(tables, asked, OUTCOMES.format(name=name))
        elif asked.when is not None or asked.days is not None:
            raise CustomerlabError(
                f"uplift_tests.outcomes.{name}: months until a customer leaves take neither a "
                "condition nor days: leaving is that of churn_timing"
            )


def with_outcomes(
    rows: ir.Table,
    tables: Mapping[str, ir.Table],
    outcomes: Mapping[str, Response],
    *,
    usual_days: int,
    snapshot: dt.date,
    where: str = OUTCOMES,
) -> ir.Table:
    """Add each outcome, and ``<outcome>_before``.

    Counted after the assignment are transactions from that moment to the end of the last of so
    many days after its day; before it those from the beginning of the first of as many days.

    Parameters
    ----------
    rows : table
        ``campaign_id``, ``customer_id``, ``assigned_at`` (timestamp), ``day``.
    tables : mapping of str to table
    outcomes : mapping of str to Response
        Of kinds binary, amount and count; orders are counted where the client tells them apart.
    usual_days : int
        Where an outcome has no days of its own.
    snapshot : date
        The outcome is null where its days were not over then.
    where : str
        The parameter that an outcome comes from, for the words about a condition in it.

    Returns
    -------
    table
    """
    keys = ["campaign_id", "customer_id"]
    start = rows.select(*keys, "assigned_at", "day")
    for name, asked in outcomes.items():
        days = asked.days or usual_days
        events = _events(tables, asked, where.format(name=name))
        span = ibis.interval(days=days)
        both = start.inner_join(events, [("customer_id", "whose")])
        # every timestamp here has whole microseconds and no zone
        after = both.occurred_at >= both.assigned_at
        after_in = after & (both.occurred_at.date() <= (both.day + span).cast("date"))
        before_in = ~after & (both.occurred_at.date() >= (both.day - span).cast("date"))
        both = both.filter(after_in | before_in).mutate(after=after)
        told = both.group_by(_campaign="campaign_id", _whose="customer_id").aggregate(
            _after=_measure(both, asked.kind, both.after),
            _before=_measure(both, asked.kind, ~both.after),
        )
        joined = rows.left_join(told, [("campaign_id", "_campaign"), ("customer_id", "_whose")])
        over = (joined.day + span).cast("date") <= snapshot
        rows = joined.mutate(
            **{
                name: over.ifelse(joined._after.fill_null(0.0), None),
                f"{name}_before": joined._before.fill_null(0.0),
            }
        ).drop("_campaign", "_whose", "_after", "_before")
    return rows


def _measure(events: ir.Table, kind: str, some: ir.BooleanValue) -> ir.FloatingValue:
    if kind == "binary":
        return some.any().ifelse(1.0, 0.0)
    if kind == "amount":
        return events.paid.sum(where=some).cast("float64").fill_null(0.0)
    # a line without an order's name is one of its own
    named = events.order_id.nunique(where=some & events.order_id.notnull())
    return (named + (some & events.order_id.isnull()).sum()).cast("float64")


def check_response(tables: Mapping[str, ir.Table], asked: Response, where: str) -> None:
    """Refuse a condition on the transactions that cannot be read.

    Raises
    ------
    CustomerlabError
        It begins with `where`.
    """
    _events(tables, asked, where)


def _events(tables: Mapping[str, ir.Table], asked: Response, where: str) -> ir.Table:
    """Return ``whose``, ``occurred_at``, ``paid`` and ``order_id`` of what an outcome counts."""
    if asked.when is None:
        bought = purchases(tables)
        return bought.select(
            "occurred_at", "order_id", whose="customer_id", paid=bought.paid.cast(_EXACT)
        )
    t = tables["transactions"]
    kinds = dict(t.schema().items())
    met = compile_expression(asked.when, kinds, where=f"{where}.when", boolean=True)
    t = t.filter(met(t))
    return t.select(
        "occurred_at",
        order_id=t.order_id if "order_id" in t.columns else ibis.null("string"),
        whose="customer_id",
        paid=t.amount.abs().cast(_EXACT),
    )


def months_watched(rows: ir.Table, lines: ir.Table) -> ir.Table:
    """Count for how many months after the assignment customers were watched, and who left.

    Parameters
    ----------
    rows : table
        ``campaign_id``, ``customer_id``, ``arm``, ``day``.
    lines : table
        ``customer_id``, ``joined_month``, ``entry``, ``duration``, ``churned``: see
        :func:`customerlab.exits.observe_exits`.

    Returns
    -------
    table
        ``campaign_id``, ``arm``, ``duration`` (the month of the assignment is the first),
        ``left``, ``n``; of those who were customers when that month began.
    """
    stays = lines.select(
        "entry",
        "duration",
        "churned",
        whose="customer_id",
        joined=month_index(lines.joined_month),
    )
    both = rows.select("campaign_id", "customer_id", "arm", "day").inner_join(
        stays, [("customer_id", "whose")]
    )
    tenure = month_index(both.day) - both.joined
    both = both.filter((both.entry <= tenure) & (tenure < both.duration))
    both = both.mutate(
        duration=(both.duration - (month_index(both.day) - both.joined)).cast("int64"),
        left=both.churned,
    )
    keys: Sequence[str] = ["campaign_id", "arm", "duration", "left"]
    counted = both.group_by(list(keys)).aggregate(n=both.count())
    return counted.order_by(list(keys))
