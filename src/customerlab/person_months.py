"""One row per customer and month at risk, with what was known when the month began.

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
from customerlab.errors import CustomerlabError, nearest
from customerlab.messages import Message, say

#: First month of each band, and its name.
TENURE_BANDS = {0: "0", 1: "1-2", 3: "3-5", 6: "6-11", 12: "12-23", 24: "24-35", 36: "36-59"}
TENURE_BANDS[60] = "60+"
AGE_BANDS = {0: "under 20", 240: "20-29", 360: "30-44", 540: "45-59", 720: "60+"}

#: Features that move on by themselves: the column in months that they are a band of, and bands.
MOVING: dict[str, tuple[str, dict[int, str]]] = {
    "tenure_band": ("tenure", TENURE_BANDS),
    "age_band": ("age_months", AGE_BANDS),
}

#: The level of a feature whose value is not known.
UNKNOWN = "unknown"

FEATURES: dict[str, Message] = {
    "tenure_band": say("months since joining"),
    "age_band": say("age in years"),
    "gender": say("gender"),
    "region": say("region"),
    "payroll": say("payroll"),
    "complaints": say("unresolved complaints"),
}

_LEVELS: dict[tuple[str, str], Message] = {
    ("age_band", "under 20"): say("under 20"),
    ("gender", "female"): say("women"),
    ("gender", "male"): say("men"),
    ("payroll", "none"): say("never paid through us"),
    ("payroll", "running"): say("paid through us last month"),
    ("payroll", "moved"): say("no longer paid through us"),
}


def feature_name(feature: str) -> Message | str:
    """Return what a reader calls a feature; a client's own column keeps its name."""
    return FEATURES.get(feature, feature)


def level_name(feature: str, level: str) -> Message | str:
    """Return what a reader calls a level of a feature; a client's own value stays as it is."""
    if " + " in level:
        first, rest = level.split(" + ", 1)
        return say(
            "{first} or {rest}", first=level_name(feature, first), rest=level_name(feature, rest)
        )
    if level == UNKNOWN:
        return say("unknown")
    return _LEVELS.get((feature, level), level)


def features_in(tables: Mapping[str, ir.Table]) -> tuple[str, ...]:
    """Return the features that can be built from the tables a client has."""
    have = {name: set(table.columns) for name, table in tables.items()}
    customers = have.get("customers", set())
    return tuple(
        name
        for name, there in (
            ("tenure_band", True),
            ("age_band", "birth_date" in customers),
            ("gender", "gender" in customers),
            ("region", "region" in customers),
            ("payroll", "kind" in have.get("transactions", set())),
            ("complaints", "resolved" in have.get("interactions", set())),
        )
        if there
    )


def person_months(
    durations: ir.Table,
    tables: Mapping[str, ir.Table],
    *,
    features: Sequence[str] | None = None,
) -> ir.Table:
    """Return one row per customer and month at risk.

    Parameters
    ----------
    durations : table
        From :func:`customerlab.durations.durations_from`.
    tables : mapping of str to table
        The clean tables there are, of ``customers``, ``transactions`` and ``interactions``.
    features : sequence of str, optional
        Default: all of :func:`features_in`. Further columns of ``customers`` may be named; they
        are taken as they stand today, which is right for what does not change.

    Returns
    -------
    table
        ``customer_id``, ``month`` (its first day), ``tenure`` (months since the month of
        joining), ``left`` (1 in the month of the exit), and the features as they were when the
        month began: ``tenure_band``; ``age_band``; ``gender``; ``region``; ``payroll``
        (``running``: a payroll credit in the month before; ``moved``: only in earlier ones;
        ``none``); ``complaints`` (unresolved contacts of earlier months: 0, 1, 2+). Whether a
        contact is still unresolved is known as of today only.
    """
    chosen = _chosen(features, tables)
    base = _with_people(durations, tables, chosen)
    base = base.mutate(
        joined=month_index(base.joined_month),
        # from 0: the Spark dialect of ibis.range loses the brackets of a computed start
        offset=ibis.range(0, base.duration - base.entry).unnest(),
    )
    base = base.mutate(tenure=(base.entry + base.offset).cast("int64"))
    rows = base.mutate(
        month_index=base.joined + base.tenure,
        left=(base.churned & (base.tenure == base.duration - 1)).cast("int64"),
    )
    rows = _features(rows, tables, chosen)
    return rows.select(
        "customer_id", "tenure", "left", *chosen, month=first_of_month(rows.month_index)
    )


def features_at(
    movements: ir.Table,
    tables: Mapping[str, ir.Table],
    *,
    snapshot: dt.date,
    idle_days: int,
    features: Sequence[str] | None = None,
) -> ir.Table:
    """Return one row per customer who is here at the snapshot, with what is known of them.

    Here is who moved within the last `idle_days`. The features are those of the month that
    contains the day after the snapshot.

    Returns
    -------
    table
        ``customer_id``, ``still_here`` (how likely; see :func:`customerlab.durations.here_at`),
        ``tenure``, ``age_months`` (with ``age_band`` only) and the features.
    """
    chosen = _chosen(features, tables)
    here = here_at(movements, snapshot=snapshot, idle_days=idle_days)
    customers = tables.get("customers")
    if customers is None:
        here = here.mutate(joined_on=ibis.null("date"))
    else:
        joined_on = customers.joined_on if "joined_on" in customers.columns else ibis.null("date")
        here = here.join(
            customers.select("customer_id", joined_on=joined_on), "customer_id", how="inner"
        )
    day = snapshot + dt.timedelta(days=1)
    now = ibis.literal(day.year * 12 + day.month - 1, "int64")
    here = here.select(
        "customer_id",
        "still_here",
        month_index=now,
        tenure=now - month_index(clock_starts(here.joined_on, here.first_movement)),
    )
    rows = _features(_with_people(here, tables, chosen), tables, chosen)
    age = ["age_months"] if "age_band" in chosen else []
    return rows.select("customer_id", "still_here", "tenure", *age, *chosen)


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


def band_of(months: np.ndarray, bands: Mapping[int, str]) -> np.ndarray:
    """Return the band of each number of months; below the first band nothing is known."""
    names = np.array([UNKNOWN, *bands.values()], dtype=object)
    return names[np.searchsorted(list(bands), months, side="right")]


def band(months: ir.IntegerValue, bands: Mapping[int, str]) -> ir.StringValue:
    """Return the band of an expression in months; null where nothing is known."""
    steps = [(months >= start, name) for start, name in sorted(bands.items(), reverse=True)]
    return ibis.cases(*steps, else_=ibis.null("string"))


def _chosen(features: Sequence[str] | None, tables: Mapping[str, ir.Table]) -> list[str]:
    at_hand = features_in(tables)
    if features is None:
        return list(at_hand)
    own = tables["customers"].columns if "customers" in tables else ()
    for name in features:
        if name not in at_hand and (name not in own or name in FEATURES):
            raise CustomerlabError(
                f"churn_timing.covariates: there is no {name!r} to be had from this client's "
                f"tables; there are {', '.join(at_hand)} and the columns of customers"
                + nearest(name, [*at_hand, *own])
            )
    return list(features)


def _with_people(rows: ir.Table, tables: Mapping[str, ir.Table], chosen: Sequence[str]) -> ir.Table:
    """Join what is one value per customer, before the months multiply the rows."""
    if "customers" in tables:
        customers = tables["customers"]
        own = [name for name in chosen if name not in FEATURES or name in {"gender", "region"}]
        own += ["birth_date"] if "age_band" in chosen else []
        rows = rows.left_join(
            customers.select(whose="customer_id", **{name: customers[name] for name in own}),
            [("customer_id", "whose")],
        ).drop("whose")
    if "payroll" in chosen:
        paid = _paid_months(tables["transactions"])
        first = paid.group_by("whose").aggregate(first_paid=paid.paid.min())
        rows = rows.left_join(first, [("customer_id", "whose")]).drop("whose")
    if "complaints" in chosen:
        rows = rows.left_join(
            _first_complaints(tables["interactions"]), [("customer_id", "whose")]
        ).drop("whose")
    return rows


def _features(rows: ir.Table, tables: Mapping[str, ir.Table], chosen: Sequence[str]) -> ir.Table:
    """Add the features as of the beginning of `month_index`."""
    if "payroll" in chosen:
        paid = _paid_months(tables["transactions"])
        before = paid.select("whose", following=paid.paid + 1)
        rows = rows.left_join(
            before, [("customer_id", "whose"), ("month_index", "following")]
        ).drop("whose")
        state = ibis.cases(
            (~rows.following.isnull(), "running"),
            (rows.first_paid < rows.month_index, "moved"),
            else_="none",
        )
        rows = rows.mutate(payroll=state)
    if "complaints" in chosen:
        number = ibis.cases(
            (rows.second_complaint < rows.month_index, "2+"),
            (rows.first_complaint < rows.month_index, "1"),
            else_="0",
        )
        rows = rows.mutate(complaints=number)
    if "age_band" in chosen:
        born = rows.birth_date
        # a month of age is complete on the day of the month of birth; a landmark is a first
        age = rows.month_index - month_index(born) - (born.day() > 1).cast("int64")
        rows = rows.mutate(age_months=((age >= 0) & (age < 12 * 120)).ifelse(age, None))
        rows = rows.mutate(age_band=band(rows.age_months, AGE_BANDS))
    if "tenure_band" in chosen:
        rows = rows.mutate(tenure_band=band(rows.tenure, TENURE_BANDS))
    return rows


def _paid_months(transactions: ir.Table) -> ir.Table:
    paid = transactions.filter(transactions.kind == "payroll")
    return paid.select(whose=paid.customer_id, paid=month_index(paid.occurred_at.date())).distinct()


def _first_complaints(interactions: ir.Table) -> ir.Table:
    """Return the months of each customer's first two unresolved contacts."""
    open_ones = interactions.filter(~interactions.resolved)
    open_ones = open_ones.select("customer_id", "occurred_at")
    order = ibis.window(group_by="customer_id", order_by="occurred_at")
    numbered = open_ones.mutate(number=ibis.row_number().over(order))
    month = month_index(numbered.occurred_at.date())
    return numbered.group_by(whose="customer_id").aggregate(
        first_complaint=month.min(where=numbered.number == 0),
        second_complaint=month.min(where=numbered.number == 1),
    )
