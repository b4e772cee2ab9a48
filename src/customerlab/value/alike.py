"""Which customers are alike: of one age, occupation or region, and of like means."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import ibis
import ibis.expr.types as ir

from customerlab.calendar_months import whole_months
from customerlab.features import AGE_BANDS, UNKNOWN, band
from customerlab.layers import ACTIVE
from customerlab.lots import drawn

#: A category of the customers with more values than this tells of too few each.
_MOST_VALUES = 20

#: The first of these with few values is taken.
_PLACES = ("occupation", "region")


def alike(
    customers: ir.Table,
    day: dt.date,
    *,
    means: str,
    seed: int,
    by: Sequence[str] | None = None,
) -> tuple[ir.Table, tuple[str, ...]]:
    """Return the active customers with what makes them alike, and a lot that halves them.

    Parameters
    ----------
    customers : table
        ``customer_id``; with ``layer`` only active ones are looked at.
    day : date
    means : str
        Column with money, cut into fifths; passed over where it is not there.
    seed : int
    by : sequence of str, optional
        Columns to take for `age_band`, and for occupation or region.

    Returns
    -------
    table
        ``customer_id``, the columns named beside (text), ``half`` (bool, drawn by lot).
    tuple of str
        ``age_band``, ``occupation`` or else ``region``, ``means``: those that there are.
    """
    people = customers
    if "layer" in people.columns:
        people = people.filter(people.layer.isin(ACTIVE))
    chosen: dict[str, ir.Value] = {}
    if by is not None:
        chosen |= {name: people[name].cast("string") for name in by}
    else:
        if "birth_date" in people.columns:
            chosen["age_band"] = band(whole_months(people.birth_date, day), AGE_BANDS)
        place = _few_valued(people)
        chosen |= {} if place is None else {place: people[place].cast("string")}
    lot = drawn(seed, "alike", people.customer_id.cast("string"), 0.5)
    people_of = {"half": lot, "_means": people[means] if means in people.columns else ibis.null()}
    known = {name: value.fill_null(UNKNOWN) for name, value in chosen.items()}
    rows = people.select("customer_id", **known, **people_of)
    if means in people.columns:
        # equal amounts are in one fifth, whatever the order of rows
        less = ibis.rank().over(order_by=rows["_means"]).cast("int64")
        fifth = (less * 5) // rows.count().as_scalar() + 1
        rows = rows.mutate(means=fifth.cast("string").fill_null(UNKNOWN))
        chosen["means"] = rows.means
    return rows.drop("_means"), tuple(chosen)


def _few_valued(people: ir.Table) -> str | None:
    there = [name for name in _PLACES if name in people.columns]
    if not there:
        return None
    counted = people.aggregate(**{name: people[name].nunique() for name in there}).to_pandas()
    few = [name for name in there if 1 < counted[name].item() <= _MOST_VALUES]
    return few[0] if few else None
