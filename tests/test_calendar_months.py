"""Whole months, against dateutil's relativedelta (with the end-of-month rule told apart)."""

from __future__ import annotations

import datetime as dt

import ibis
import pandas as pd
import pytest
from dateutil.relativedelta import relativedelta

from customerlab.calendar_months import months_before, whole_months


@pytest.mark.parametrize("snapshot", [dt.date(2025, 6, 15), dt.date(2024, 2, 28)])
def test_whole_months_are_dateutils(con, snapshot):
    days = [snapshot - dt.timedelta(days=n) for n in range(1200)]
    table = con.create_table("days", pd.DataFrame({"day": pd.to_datetime(days)}))
    months = whole_months(table.day.date(), snapshot).execute()
    for day, found in zip(days, months, strict=True):
        difference = relativedelta(snapshot, day)
        assert found == difference.years * 12 + difference.months, day


@pytest.mark.parametrize(
    ("since", "snapshot", "months"),
    [
        (dt.date(2025, 10, 31), dt.date(2025, 11, 30), 1),  # both are last days
        (dt.date(2024, 12, 31), dt.date(2025, 12, 31), 12),
        (dt.date(2025, 2, 28), dt.date(2025, 12, 31), 10),
        (dt.date(2025, 12, 1), dt.date(2025, 12, 31), 0),
    ],
)
def test_the_last_day_of_a_month_completes_it(con, since, snapshot, months):
    assert con.execute(whole_months(ibis.literal(since), snapshot)) == months


def test_months_before_keeps_the_last_day_last():
    assert months_before(dt.date(2025, 6, 30), 6) == dt.date(2024, 12, 31)
    assert months_before(dt.date(2025, 3, 31), 1) == dt.date(2025, 2, 28)
    assert months_before(dt.date(2025, 3, 30), 1) == dt.date(2025, 2, 28)
    assert months_before(dt.date(2025, 3, 15), 14) == dt.date(2024, 1, 15)
