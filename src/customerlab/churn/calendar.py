"""When and where customers leave: the monthly chance by month of the relationship, season, place.

The chance of a month is exits over customers at risk. Months of one customer are not independent,
but each customer leaves once, so that the months enter as if they were single trials and the
binomial interval holds (Prentice and Gloeckler 1978; Allison 1982; see
:mod:`customerlab.churn.hazard`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd
import scipy

from customerlab.cells import cells
from customerlab.churn.curves import FEW_EVENTS, status_of
from customerlab.churn.hazard import fit_hazard
from customerlab.features import TENURE_BANDS
from customerlab.findings import Finding, Status
from customerlab.messages import say

#: The relationship is looked at over so many months.
FIRST_MONTHS = 36
#: A season is what comes back: it takes two years to speak of one.
SEASON_MONTHS = 24
#: A month is compared with others where so many exits would be expected in it.
MIN_EXPECTED = 10
#: Lengths, in months, of the spans that are compared.
_SPANS = (1, 3, 6)
#: Customers are contacted so many months ahead.
LEAD_MONTHS = 3

_MEASURES = ["n", "events", "hazard", "low", "high"]


def hazard_by(rows: ir.Table, by: Sequence[str]) -> pd.DataFrame:
    """Return the chance of leaving in a month for each group of customer-months.

    Parameters
    ----------
    rows : table
        One row per customer and month at risk with ``left`` (0 or 1), and `by`.
    by : sequence of str
        For instance ``["tenure"]``, ``["month"]``, ``["region"]``.

    Returns
    -------
    DataFrame
        `by`, ``n`` customer-months, ``events`` exits, ``hazard`` (exits a customer-month) with
        its 95 % interval ``low`` to ``high`` by Wilson. No value is a group of its own.
    """
    return _with_hazard(cells(rows, by=by, sums={"events": rows.left}))


def with_season(rows: ir.Table) -> ir.Table:
    """Add ``month_of_year`` (1 to 12) to the rows."""
    return rows.mutate(month_of_year=rows.month.month().cast("int64"))


def main_branch(accounts: ir.Table) -> ir.Table:
    """Return the branch of each customer's main account: the one opened first.

    Whether an account is still open plays no part: who leaves closes accounts, and a branch that
    only open accounts had would be rid of its leavers.

    Parameters
    ----------
    accounts : table
        ``account_id``, ``customer_id``, ``branch`` and, where known, ``opened_on``.

    Returns
    -------
    table
        ``customer_id``, ``branch``; without customers of whom no branch is known. Of accounts
        opened on the same day the one with the smaller number counts; one without a day is last.
    """
    known = accounts.filter(accounts.branch.notnull())
    opened = known.opened_on if "opened_on" in known.columns else ibis.null("date")
    never = ibis.date(9999, 12, 31)
    known = known.select(
        "account_id", "customer_id", "branch", opened=ibis.coalesce(opened.cast("date"), never)
    )
    order = ibis.window(group_by="customer_id", order_by=["opened", "account_id"])
    first = known.mutate(place=ibis.row_number().over(order))
    return first.filter(first.place == 0).select("customer_id", "branch")


@dataclass(frozen=True)
class Calendar:
    """How the chance of leaving moves with time since joining and with the calendar.

    Attributes
    ----------
    table : DataFrame
        ``tenure_band``, ``month`` (first day), ``n``, ``events``, ``hazard``, ``low``, ``high``.
    season : DataFrame
        The same by ``month_of_year``.
    months : int
        Calendar months in the data.
    statistic, df, p : float, int, float
        Likelihood ratio test of the month of the year beyond the time since joining; missing (and
        0) where there is no model, or less than two years.
    events : int
    status : str
    """

    table: pd.DataFrame
    season: pd.DataFrame
    months: int
    statistic: float
    df: int
    p: float
    events: int
    status: Status


def hazard_calendar(rows: ir.Table) -> Calendar:
    """Count exits by time since joining and calendar month, and test for a season.

    The test compares the complementary log-log model of the time since joining with the one that
    knows the month of the year, too (:func:`customerlab.churn.fit_hazard`). It takes the months
    for independent of each other: a single bad month passes for a season where the data have no
    more than two years.

    Parameters
    ----------
    rows : table
        ``month``, ``tenure_band``, ``left``.
    """
    rows = with_season(rows)
    counts = cells(rows, by=["tenure_band", "month", "month_of_year"], sums={"events": rows.left})
    counts["month"] = pd.to_datetime(counts["month"])
    months = int(counts["month"].nunique())
    events = int(counts["events"].sum())
    statistic, df, p = float("nan"), 0, float("nan")
    if months >= SEASON_MONTHS:
        by_season = counts.groupby(["tenure_band", "month_of_year"], as_index=False, dropna=False)
        by_season = by_season[["n", "events"]].sum()
        by_season["month_of_year"] = by_season["month_of_year"].astype(str).str.zfill(2)
        without, with_it = fit_hazard(by_season, []), fit_hazard(by_season, ["month_of_year"])
        extra = len(with_it.coefficients) - len(without.coefficients)
        if without.fitted and with_it.fitted and extra > 0:
            statistic = max(0.0, 2 * (with_it.log_likelihood - without.log_likelihood))
            df, p = extra, float(scipy.stats.chi2.sf(statistic, extra))
    return Calendar(
        table=_summed(counts, ["tenure_band", "month"]),
        season=_summed(counts, ["month_of_year"]),
        months=months,
        statistic=statistic,
        df=df,
        p=p,
        events=events,
        status=status_of(events),
    )


def _summed(counts: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    counts = counts.groupby(by, as_index=False, dropna=False)[["n", "events"]].sum()
    return _with_hazard(counts)


def _with_hazard(counts: pd.DataFrame) -> pd.DataFrame:
    from statsmodels.stats.proportion import proportion_confint  # slow to import

    n, events = counts["n"].to_numpy(float), counts["events"].to_numpy(float)
    low, high = proportion_confint(events, n, method="wilson") if len(counts) else ([], [])
    by = [name for name in counts.columns if name not in {"n", "events"}]
    hazard = events / n
    # where none or all left, rounding would put an end on the wrong side of the share
    low, high = np.minimum(low, hazard), np.maximum(high, hazard)
    return counts.assign(hazard=hazard, low=low, high=high)[[*by, *_MEASURES]]


def calendar_to_show(calendar: Calendar, min_cell: int) -> pd.DataFrame:
    """Return the chances by month, by quarter and by year, blank where too few left.

    Returns
    -------
    DataFrame
        ``tenure_band``, ``begins`` (first day), ``months`` (1, 3 or 12), ``hazard`` to the
        thousandth, missing where fewer than `min_cell` left. No number of customers stands beside
        it, so that nobody can take parts from a whole.
    """
    table = calendar.table[calendar.table["tenure_band"].isin(list(TENURE_BANDS.values()))]
    at = pd.DatetimeIndex(table["month"])
    parts = []
    for months in (1, 3, 12):
        first = (at.month - 1) // months * months + 1
        begins = pd.to_datetime({"year": at.year, "month": first, "day": 1})
        counted = table.assign(begins=begins.to_numpy(), months=months)
        keys = ["tenure_band", "begins", "months"]
        parts.append(counted.groupby(keys, as_index=False)[["n", "events"]].sum())
    both = pd.concat(parts, ignore_index=True)
    enough = both["events"] >= max(min_cell, 1)
    both["hazard"] = (both["events"] / both["n"]).where(enough).round(3)
    place = {band: i for i, band in enumerate(TENURE_BANDS.values())}
    both = both.assign(place=both["tenure_band"].map(place))
    both = both.sort_values(["months", "place", "begins"], ignore_index=True)
    return both[["tenure_band", "begins", "months", "hazard"]]


def season(calendar: Calendar) -> Finding:
    """Return whether customers leave more often in some months of the year.

    Returns
    -------
    Finding
        ``churn_timing.season``; the value is the month of the year (1 to 12) with the highest
        chance, where the test at 5 % finds a season.
    """
    id_ = "churn_timing.season"
    if calendar.months < SEASON_MONTHS or np.isnan(calendar.p):
        text = (
            say(
                "{months:count} months of data are too few to speak of a season: it takes "
                "{needed:count}.",
                months=calendar.months,
                needed=SEASON_MONTHS,
            )
            if calendar.months < SEASON_MONTHS
            else say("Too few exits to tell whether there is a season.")
        )
        return Finding(id=id_, text=text, unit="count", status="not_enough_data")
    highest = calendar.season.loc[calendar.season["hazard"].idxmax()]
    lowest = calendar.season.loc[calendar.season["hazard"].idxmin()]
    if calendar.p >= 0.05:
        text = say(
            "No season can be seen beyond the time since joining (p = {p:chance}): customers leave "
            "about as often in every month of the year.",
            p=calendar.p,
        )
        return Finding(id=id_, text=text, unit="count", status="weak")
    return Finding(
        id=id_,
        text=say(
            "Customers leave most in month {highest:count} of the year ({high:percent} of those "
            "here) and least in month {lowest:count} ({low:percent}); the time since joining does "
            "not explain it (p = {p:chance}).",
            highest=highest["month_of_year"],
            high=highest["hazard"],
            lowest=lowest["month_of_year"],
            low=lowest["hazard"],
            p=calendar.p,
        ),
        value=float(highest["month_of_year"]),
        unit="count",
        status=calendar.status,
    )


def contact_window(
    hazards: pd.DataFrame, *, months: int = FIRST_MONTHS, lead_months: int = LEAD_MONTHS
) -> Finding:
    r"""Return in which months of the relationship customers leave most, and when to contact them.

    Single months are compared; where no peak is clear among them spans of three, then of six.
    The interval holds every span that the data do not show to be lower than the highest: span `i`
    stays in unless some other `j` is higher by more than chance allows,
    :math:`\hat h_j - \hat h_i > z \sqrt{v_i + v_j}`, with `z` for so many comparisons and three
    lengths of span. The true peak is among them with 95 % (subset selection: Gupta 1965; Hsu
    1984). Variances after Agresti and Caffo (2000), one exit and one stay added, so that no exit
    is no certainty.

    Parameters
    ----------
    hazards : DataFrame
        ``tenure``, ``n``, ``events``: see :func:`hazard_by`.
    months : int
        Months of the relationship that are compared. A span in which fewer than 10 exits would be
        expected at the chance of all is not.
    lead_months : int
        How long before the peak to contact.

    Returns
    -------
    Finding
        ``churn_timing.peak_month``: the first month of the span with the highest chance, and the
        first and last month that may belong to the peak. Without a value when these are more than
        half of all compared.
    """
    id_ = "churn_timing.peak_month"
    table = hazards[hazards["tenure"].between(0, months - 1)]
    events, n = int(table["events"].sum()), int(table["n"].sum())
    found = None
    for width in _SPANS:
        found = _peak(table, width) if events >= FEW_EVENTS else None
        if found is not None and found.clear:
            break
    if found is None:
        text = say(
            "With {events:customers} exits it cannot be said in which month of the relationship "
            "most customers leave.",
            events=events,
        )
        return Finding(id=id_, text=text, unit="count", status="not_enough_data")
    if not found.clear:
        text = say(
            "No part of the relationship stands out: the ranges of the months up to month "
            "{months:count} overlap, so no contact window follows from them.",
            months=found.compared,
        )
        return Finding(id=id_, text=text, unit="count", status="weak")
    told = {
        "begin": found.begins,
        "end": found.begins + found.width - 1,
        "share": found.share,
        "overall": events / n,
        "compared": found.compared,
        "first": found.first,
        "last": found.last,
    }
    if found.last == 0:
        text = say(
            "Most customers leave in the month of joining ({share:percent} of those then here, "
            "against {overall:percent} a month over the months up to {compared:count}): contact "
            "them from joining on.",
            **told,
        )
        return Finding(
            id=id_, text=text, value=0.0, low=0.0, high=0.0, unit="count", status=status_of(events)
        )
    text = (
        say(
            "Customers leave most in months {begin:count} to {end:count} after joining "
            "({share:percent} of those then here each month, against {overall:percent} over the "
            "months up to {compared:count}; the peak lies within months {first:count} to "
            "{last:count}): contact them from joining on.",
            **told,
        )
        if found.first <= 1
        else say(
            "Customers leave most in months {begin:count} to {end:count} after joining "
            "({share:percent} of those then here each month, against {overall:percent} over the "
            "months up to {compared:count}; the peak lies within months {first:count} to "
            "{last:count}): contact them in months {from_month:count} to {to_month:count}.",
            **told,
            from_month=max(found.first - lead_months, 0),
            to_month=found.first - 1,
        )
    )
    return Finding(
        id=id_,
        text=text,
        value=float(found.begins),
        low=float(found.first),
        high=float(found.last),
        unit="count",
        status=status_of(events),
    )


@dataclass(frozen=True)
class _Peak:
    """The span of months with the highest chance, and the months that may belong to the peak."""

    width: int
    begins: int
    share: float
    first: int
    last: int
    compared: int
    clear: bool


def _peak(table: pd.DataFrame, width: int) -> _Peak | None:
    spans = table.assign(begins=table["tenure"] // width * width)
    spans = spans.groupby("begins")[["n", "events"]].sum()
    chance = spans["events"].sum() / spans["n"].sum()
    spans = spans[spans["n"] * chance >= MIN_EXPECTED]
    if len(spans) < 3:
        return None
    n, events = spans["n"].to_numpy(float), spans["events"].to_numpy(float)
    begins, hazard = spans.index.to_numpy(int), events / n
    near = (events + 1) / (n + 2)
    variance = near * (1 - near) / (n + 2)
    z = float(scipy.stats.norm.ppf(1 - 0.05 / len(_SPANS) / (len(spans) - 1)))
    half = z * np.sqrt(variance[None, :] + variance[:, None])
    may_be = begins[~(hazard[None, :] - hazard[:, None] > half).any(axis=1)]
    first, last = int(may_be.min()), int(may_be.max()) + width - 1
    return _Peak(
        width=width,
        begins=int(begins[hazard.argmax()]),
        share=float(hazard.max()),
        first=first,
        last=last,
        compared=int(begins[-1]) + width - 1,
        clear=last - first + 1 <= len(spans) * width / 2,
    )
