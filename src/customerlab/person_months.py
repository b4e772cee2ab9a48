"""One row per customer and month at risk, with what was known of the customer before it.

The rows exist in the engine only; models see their counts (:func:`customerlab.cells.cells`).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from customerlab.calendar_months import month_index
from customerlab.durations import clock_starts, first_of_month, here_at
from customerlab.features import MOVING, TENURE_BANDS, band_of, choose, with_features, with_people


def person_months(
    durations: ir.Table,
    tables: Mapping[str, ir.Table],
    *,
    features: Sequence[str] | None = None,
) -> ir.Table:
    """Return one row per customer and month at risk, with what was known when it began.

    Parameters
    ----------
    durations : table
        From :func:`customerlab.durations.durations_from` or
        :func:`customerlab.exits.observe_exits`.
    tables : mapping of str to table
        The clean tables there are.
    features : sequence of str, optional
        Default: those of :func:`customerlab.features.choose`. Further columns of ``customers``
        may be named; they are taken as they stand today, which is right for what does not change.

    Returns
    -------
    table
        ``customer_id``, ``month`` (its first day), ``landmark`` (the same day) and ``lead`` (0),
        see :func:`in_windows`, ``tenure`` (months since the month of joining), ``months_left``
        (to the last one at risk), ``churned``, ``left`` (1 in the month of the exit), and the
        features. Where `durations` tells several exits apart, ``left_<exit>`` and ``risk_<exit>``
        (1 where the customer can leave that way) for each. Whether a contact is still unresolved
        is known as of today only.
    """
    chosen = choose(features, tables)
    base = with_people(durations, tables, chosen)
    base = base.mutate(
        joined=month_index(base.joined_month),
        # from 0: the Spark dialect of ibis.range loses the brackets of a computed start
        offset=ibis.range(0, base.duration - base.entry).unnest(),
    )
    base = base.mutate(tenure=(base.entry + base.offset).cast("int64"))
    at = base.joined + base.tenure
    rows = base.mutate(
        month_index=at,
        known_index=at,
        months_left=base.duration - 1 - base.tenure,
        left=(base.churned & (base.tenure == base.duration - 1)).cast("int64"),
    )
    exits = [name.removeprefix("from_") for name in durations.columns if name.startswith("from_")]
    rows = rows.mutate(
        lead=ibis.literal(0, "int64"),
        **{
            f"risk_{name}": (rows.tenure >= rows[f"from_{name}"]).fill_null(False).cast("int64")
            for name in exits
        },
        # who stays has no exit to compare
        **{
            f"left_{name}": rows.left * (rows["exit"] == name).fill_null(False).cast("int64")
            for name in exits
        },
    )
    rows = with_features(rows, tables, chosen)
    told = [f"{what}_{name}" for name in exits for what in ("left", "risk")]
    age = ["age_months"] if "age_band" in chosen else []
    return rows.select(
        "customer_id",
        "tenure",
        "lead",
        "months_left",
        "churned",
        "left",
        *told,
        *age,
        *chosen,
        month=first_of_month(rows.month_index),
        landmark=first_of_month(rows.month_index),
    )


def in_windows(months: ir.Table, features: Sequence[str], every: int) -> ir.Table:
    """Return customer-months with what was known when the window began that they fall into.

    The months are cut into windows, the last of which ends with the last month that anyone is seen
    in; who came later than their window's beginning is not in it. So a model learns to look ahead,
    each exit is used once, and the errors of independent trials hold
    (:mod:`customerlab.churn.hazard`).

    Parameters
    ----------
    months : table
        Of :func:`person_months`.
    features : sequence of str
        Those in `months`.
    every : int
        Months of a window.

    Returns
    -------
    table
        The columns of `months`. ``landmark`` is the window's first day, ``lead`` the months from
        there to the month. Features are those of the landmark but for what moves on by itself,
        which is the month's own.
    """
    known = [name for name in features if name not in MOVING]
    at = month_index(months.month)
    lead = every - 1 - (at.max().as_scalar() - at) % every
    rows = months.drop(*known).mutate(lead=lead, landmark=first_of_month(at - lead))
    then = months.select(*known, whose="customer_id", began="month")
    rows = rows.inner_join(then, [("customer_id", "whose"), ("landmark", "began")])
    return rows.select(*months.columns)


def features_at(
    movements: ir.Table,
    tables: Mapping[str, ir.Table],
    *,
    snapshot: dt.date,
    idle_days: int,
    features: Sequence[str] | None = None,
) -> ir.Table:
    """Return one row per customer who is here at the snapshot, with what is known of them.

    Here is who moved within the last `idle_days`.

    Returns
    -------
    table
        As :func:`features_of_people`, with ``silent`` and ``still_here`` (see
        :func:`customerlab.durations.here_at`).
    """
    here = here_at(movements, snapshot=snapshot, idle_days=idle_days)
    customers = tables.get("customers")
    if customers is None:
        here = here.mutate(joined_on=ibis.null("date"))
    else:
        joined_on = customers.joined_on if "joined_on" in customers.columns else ibis.null("date")
        here = here.join(
            customers.select("customer_id", joined_on=joined_on), "customer_id", how="inner"
        )
    clock = clock_starts(here.joined_on, here.first_movement)
    here = here.select("customer_id", "silent", "still_here", clock=clock)
    return features_of_people(here, tables, snapshot=snapshot, features=features)


def features_of_people(
    people: ir.Table,
    tables: Mapping[str, ir.Table],
    *,
    snapshot: dt.date,
    features: Sequence[str] | None = None,
) -> ir.Table:
    """Return what is known of some customers at the snapshot.

    The features are those of the month that contains the day after the snapshot.

    Parameters
    ----------
    people : table
        ``customer_id`` and ``clock``, the day from which tenure counts; further columns are kept.

    Returns
    -------
    table
        ``customer_id``, the further columns, ``tenure``, ``age_months`` (with ``age_band`` only)
        and the features.
    """
    chosen = choose(features, tables)
    kept = [name for name in people.columns if name != "clock"]
    day = snapshot + dt.timedelta(days=1)
    month = day.year * 12 + day.month - 1
    now = ibis.literal(month, "int64")
    rows = people.select(
        *kept, month_index=now, known_index=now, tenure=now - month_index(people.clock)
    )
    rows = with_features(with_people(rows, tables, chosen), tables, chosen, [month])
    age = ["age_months"] if "age_band" in chosen else []
    return rows.select(*kept, "tenure", *age, *chosen)


def features_from_durations(durations: ir.Table, covariates: Sequence[str] = ()) -> ir.Table:
    """Return the customers of a prepared table who are still here, as :func:`features_at` does.

    Who has not churned is taken to be here at the snapshot, with the duration as tenure. Without
    a ``customer_id`` rows are numbered; such a number names nobody.
    """
    rows = durations
    if "customer_id" not in rows.columns:
        rows = rows.mutate(customer_id=ibis.row_number().cast("string"))
    rows = rows.filter(~rows.churned)
    return rows.select(
        "customer_id", tenure=rows.duration.ceil().cast("int64"), **{c: rows[c] for c in covariates}
    )


def expand(counts: pd.DataFrame, covariates: Sequence[str] = ()) -> pd.DataFrame:
    """Turn counts of durations into counts of customer-months, without making rows.

    Parameters
    ----------
    counts : DataFrame
        ``duration``, ``churned``, ``n``, `covariates`, and ``entry`` if not all entered at 0.
    covariates : sequence of str

    Returns
    -------
    DataFrame
        ``month`` (0 is the first), ``tenure_band``, `covariates`, ``n`` customers at risk in the
        month and ``events`` among them. A part of a month counts as a month.
    """
    entry = np.floor(counts["entry"]) if "entry" in counts else np.zeros(len(counts))
    first, stop = (np.asarray(x, dtype="int64") for x in (entry, np.ceil(counts["duration"])))
    length = np.maximum(stop - first, 0)
    rows = np.repeat(np.arange(len(counts)), length)
    month = first[rows] + np.arange(len(rows)) - np.repeat(np.cumsum(length) - length, length)
    weight = counts["n"].to_numpy()[rows]
    left = counts["churned"].to_numpy(dtype=bool)[rows] & (month == stop[rows] - 1)
    months = counts[list(covariates)].iloc[rows].assign(month=month, n=weight, events=weight * left)
    by = ["month", *covariates]
    months = months.groupby(by, dropna=False, observed=True, as_index=False)[["n", "events"]].sum()
    months.insert(1, "tenure_band", band_of(months["month"].to_numpy(), TENURE_BANDS))
    return months
