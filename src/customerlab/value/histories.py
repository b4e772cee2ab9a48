"""Purchase histories of a shop's customers, counted: how often, how lately, since when, for what.

The models of customer value need of a customer only the number of repeat purchases, the time from
the first purchase to the last, the time since the first, and the mean of what was paid. Customers
who share these are counted by the engine, and the models see the counts.
"""

from __future__ import annotations

import datetime as dt

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from customerlab.cells import cells
from customerlab.errors import CustomerlabError

#: Amounts and their sums are exact in this: an engine may add them up in any order.
_EXACT = "decimal(38, 9)"

#: The columns that make customers alike to the model of purchases.
HISTORY = ("frequency", "recency_days", "age_days")

#: The columns that a hold-out adds.
HELD_OUT = ("recent", "later")


def purchase_days(lines: ir.Table) -> ir.Table:
    """Return one row per customer and day with a purchase: what is bought on one day is one.

    Parameters
    ----------
    lines : ibis table
        ``customer_id``, ``day`` (date) and ``paid`` (money), such as
        :func:`customerlab.drivers.purchases.purchases` returns: without refunds.

    Returns
    -------
    ibis table
        ``customer_id``, ``day``, ``paid``.
    """
    lines = lines.filter(lines.day.notnull() & lines.customer_id.notnull())
    return lines.group_by(["customer_id", "day"]).aggregate(
        paid=lines.paid.cast(_EXACT).sum().fill_null(0).cast(_EXACT)
    )


def histories(
    days: ir.Table, landmark: dt.date, *, until: dt.date | None = None, grain_days: int = 1
) -> ir.Table:
    """Return each customer's history as known on the evening of the landmark.

    Parameters
    ----------
    days : ibis table
        From :func:`purchase_days`.
    landmark : date
        The last day that is known. Who bought nothing by then is not in the result.
    until : date, optional
        The last day of a hold-out that begins the day after the landmark.
    grain_days : int
        Times are rounded to multiples of so many days: 7 leaves fewer distinct histories.

    Returns
    -------
    ibis table
        ``customer_id``, ``frequency`` (days with a purchase after the first), ``recency_days``
        (from the first to the last of them; 0 without a repeat), ``age_days`` (from the first to
        the landmark), ``monetary`` (mean paid on a day of a repeat purchase; null without one).
        With `until` also ``later``, days with a purchase in the hold-out, and ``recent``, those
        in the period of the same length before it, a first purchase not counted: it is not
        repeated by itself.

    Raises
    ------
    CustomerlabError
        If the hold-out does not end after the landmark.
    """
    if until is not None and until <= landmark:
        raise CustomerlabError(f"a hold-out after {landmark} cannot end on {until}")
    seen = days.day <= landmark
    measures = {
        "first": days.day.min(),
        "last": days.day.max(where=seen),
        "bought": days.day.count(where=seen),
        "total": days.paid.sum(where=seen),
        "paid_first": days.paid.argmin(days.day),
    }
    if until is not None:
        since = _period_before(landmark, until)
        measures["later"] = days.day.count(where=(days.day > landmark) & (days.day <= until))
        measures["lately"] = days.day.count(where=seen & (days.day > since))
    each = days.group_by("customer_id").aggregate(**measures)
    each = each.filter(each["first"] <= landmark)
    repeats = (each.bought - 1).cast("int64")
    held_out = {}
    if until is not None:
        begun = (each["first"] > since).cast("int64")
        held_out = {
            "recent": (each.lately - begun).cast("int64"),
            "later": each.later.cast("int64"),
        }
    mean = (each.total - each.paid_first).cast("float64") / repeats.nullif(0)
    recency = _rounded(each["last"].delta(each["first"], unit="day"), grain_days)
    # two purchases are a day apart at least: at no distance the likelihood has no bound
    recency = (repeats > 0).ifelse(ibis.greatest(recency, 1), 0).cast("int64")
    age = _rounded(ibis.literal(landmark).delta(each["first"], unit="day"), grain_days)
    return each.select(
        "customer_id",
        frequency=repeats,
        recency_days=recency,
        age_days=ibis.greatest(age, recency).cast("int64"),
        monetary=mean.round(6),
        **held_out,
    )


def count_histories(each: ir.Table) -> pd.DataFrame:
    """Count the customers who share a history.

    Parameters
    ----------
    each : ibis table
        From :func:`histories`.

    Returns
    -------
    DataFrame
        ``frequency``, ``recency_days``, ``age_days``, with a hold-out ``recent`` and ``later``;
        ``n`` customers, and ``monetary``, the sum of their means paid.
    """
    by = [*HISTORY, *(name for name in HELD_OUT if name in each.columns)]
    paid = each.monetary.fill_null(0.0).round(6).cast(_EXACT)
    counted = cells(each, by, {"monetary": paid}, floats=True)
    whole = {name: "int64" for name in [*by, "n"]}
    return counted.astype({**whole, "monetary": "float64"})


def count_spending(each: ir.Table, *, step: float = 0.0) -> pd.DataFrame:
    """Count the customers with repeat purchases who paid alike.

    Parameters
    ----------
    each : ibis table
        From :func:`histories`.
    step : float
        Means paid are put together within so much of each other, as a share: with 0.01 a million
        customers are some thousand cells. 0 for the exact means.

    Returns
    -------
    DataFrame
        ``frequency``, ``n`` customers, ``monetary`` and ``log_monetary``: the means of their means
        paid, and of the logarithms. Who paid nothing in all repeat purchases is left out: the
        model of amounts knows no gift.
    """
    paying = each.filter((each.frequency > 0) & (each.monetary > 0))
    names = ["frequency", "n", "monetary", "log_monetary"]
    whole = {"frequency": "int64", "n": "int64"}
    if not step:
        counted = cells(paying, ["frequency", "monetary"]).astype({**whole, "monetary": "float64"})
        return counted.assign(log_monetary=np.log(counted["monetary"]))[names]
    paying = paying.mutate(paid_bin=(paying.monetary.ln() / step).round())
    sums = {
        "monetary": paying.monetary.cast(_EXACT),
        "log_monetary": paying.monetary.ln().round(9).cast(_EXACT),
    }
    counted = cells(paying, ["frequency", "paid_bin"], sums, floats=True).astype(whole)
    for name in sums:
        counted[name] /= counted["n"]
    return counted[names]


def count_weeks(days: ir.Table, landmark: dt.date, until: dt.date) -> pd.DataFrame:
    """Count purchases by week of a hold-out, and by week of the period before it.

    Parameters
    ----------
    days : ibis table
        From :func:`purchase_days`.
    landmark, until : date
        As in :func:`histories`; the last week may be short.

    Returns
    -------
    DataFrame
        ``week`` from 1 on, ``end_days`` after the landmark on which it ends, ``later``: days with a
        purchase of customers known at the landmark, and ``recent``: repeat purchases in the same
        week of the period before.
    """
    length = (until - landmark).days
    since = _period_before(landmark, until)
    firsts = days.group_by(whose="customer_id").aggregate(first=days.day.min())
    both = days.join(firsts.filter(firsts["first"] <= landmark), [("customer_id", "whose")])
    both = both.filter((both.day > since) & (both.day <= until) & (both.day > both["first"]))
    after = both.day > landmark
    begins = after.ifelse(ibis.literal(landmark), ibis.literal(since))
    passed = both.day.delta(begins, unit="day").cast("int64")
    rows = both.mutate(week=((passed - 1) // 7 + 1).cast("int64"), after=after.cast("int64"))
    counted = cells(rows, ["week", "after"])
    weeks = pd.DataFrame({"week": range(1, -(-length // 7) + 1)})
    weeks["end_days"] = (weeks["week"] * 7).clip(upper=length)
    for name, side in (("later", 1), ("recent", 0)):
        part = counted.loc[counted["after"] == side].set_index("week")["n"]
        weeks[name] = weeks["week"].map(part).fillna(0).astype("int64")
    return weeks


def _period_before(landmark: dt.date, until: dt.date) -> dt.date:
    """Return the eve of the period before the landmark that is as long as the hold-out."""
    return landmark - (until - landmark)


def _rounded(days: ir.IntegerValue, grain: int) -> ir.IntegerValue:
    days = days.cast("int64")
    return days if grain == 1 else ((days + grain // 2) // grain * grain).cast("int64")
