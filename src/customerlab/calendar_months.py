"""Whole months between days, exactly: engines differ in what they call a month's difference."""

from __future__ import annotations

import datetime as dt

import ibis
import ibis.expr.types as ir


def is_last_of_month(day: dt.date) -> bool:
    """Say whether `day` is the last of its month."""
    return (day + dt.timedelta(days=1)).month != day.month


def months_before(day: dt.date, months: int) -> dt.date:
    """Return the day `months` calendar months before `day`, or the last of a shorter month.

    The last of a month stays the last: six months before 2025-06-30 is 2024-12-31.
    """
    index = day.year * 12 + day.month - 1 - months
    first_of_next = dt.date((index + 1) // 12, (index + 1) % 12 + 1, 1)
    last = first_of_next - dt.timedelta(days=1)
    return last if is_last_of_month(day) else last.replace(day=min(day.day, last.day))


def month_index(day: ir.DateValue) -> ir.IntegerValue:
    """Return the number of the calendar month, counted from the year 0."""
    return (day.year().cast("int64") * 12 + day.month().cast("int64") - 1).cast("int64")


def whole_months(since: ir.DateValue, snapshot: dt.date) -> ir.IntegerValue:
    """Return the complete months from a day to the snapshot.

    A month is complete when its day is reached again; at the last day of a month every month
    that began in it is complete (from 31 October to 30 November is one month).

    Parameters
    ----------
    since : date expression
    snapshot : date

    Returns
    -------
    integer expression; negative when `since` lies after the snapshot
    """
    last = snapshot.year * 12 + snapshot.month - 1
    months = ibis.literal(last, "int64") - month_index(since)
    if is_last_of_month(snapshot):
        return months
    return months - (since.day() > snapshot.day).cast("int64")
