"""From a client's tables to contacts: what was known before each, and the customers of today."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping

import ibis
import ibis.expr.types as ir
import pandas as pd

from customerlab.features import with_known
from customerlab.layers import ACTIVE
from customerlab.lots import drawn
from customerlab.messages import Message, say
from customerlab.params import Params
from customerlab.response.campaigns import check_campaigns, contacts_of_campaigns
from customerlab.response.choosing import Chosen, choose_columns, plain, readable
from customerlab.response.contacts import (
    MOST_COMPARED,
    OFFER,
    Contacts,
    count_pairs,
    name_features,
    to_frame,
)

#: So many contacts are modelled at most; of more, those of customers drawn by lot.
MOST_CONTACTS = 200_000


def check_contacts(tables: Mapping[str, ir.Table], params: Params) -> None:
    """Refuse what :func:`observe_contacts` would refuse, without working anything out.

    Raises
    ------
    CustomerlabError
        When the parameters name a column that is not there, or a response cannot be read.
    """
    if "contacts" in tables:
        columns = tuple(tables["contacts"].columns)
    else:
        check_campaigns(tables, params)
        columns = ("customer_id", "contacted_at", "product", "channel", "responded")
    choose_columns(columns, tables, params.response_model)


def observe_contacts(
    tables: Mapping[str, ir.Table],
    params: Params,
    keep: Callable[[ir.Table], ir.Table],
    customers: ir.Table | None = None,
    *,
    most: int = MOST_CONTACTS,
) -> Contacts:
    """Return the contacts that were made, from the client's own table or from campaigns.

    Parameters
    ----------
    tables : mapping of str to table
        The clean canonical tables: ``contacts``, or ``assignments`` and ``transactions``.
    params : Params
    keep : callable
        Works a table out once.
    customers : table, optional
        One row per customer with its ``layer``: whom to score.
    most : int
        So many contacts come out of the engine at most.

    Raises
    ------
    CustomerlabError
        As :func:`check_contacts`.
    """
    check_contacts(tables, params)
    if "contacts" in tables:
        made, source = tables["contacts"], "contacts"
    else:
        made, source = keep(contacts_of_campaigns(tables, params, keep)), "campaigns"
    made, notes = _dated(made)
    chosen = choose_columns(tuple(made.columns), tables, params.response_model)
    notes += chosen.notes
    made, more = _known_responses(made, params, most)
    notes += more
    own, more = readable(made, chosen.own)
    notes += more
    # what was offered is known, whether a model uses it or not
    offered = {name: made[name] for name in OFFER if name in made.columns and name not in own}
    frame = _pull(made, own | offered, chosen, tables, keep)
    features = frame[[*own, *chosen.features, *chosen.people]]
    responded = frame["responded"].to_numpy("int64")
    today, now, only, n = None, None, (), 0
    if customers is not None and "customer_id" in made.columns:
        today, only = _today(customers, own, chosen, tables, params)
        today = keep(today)
        n = int(today.count().execute())
        now = _draw_today(today, n, params)
        unused = [name for name in only if name not in chosen.known_after]
        if unused:
            notes.append(
                say(
                    "Told of a contact and of no customer today, so not used: {features}.",
                    features=name_features(unused),
                )
            )
    return Contacts(
        features,
        responded,
        frame["customer_id"].to_numpy(object) if "customer_id" in frame else None,
        frame["contacted_at"].to_numpy("datetime64[us]") if "contacted_at" in frame else None,
        today,
        now,
        count_pairs(frame, responded),
        only,
        source,
        chosen.known_after,
        tuple(notes),
        n,
    )


def _dated(made: ir.Table) -> tuple[ir.Table, list[Message]]:
    """Leave out contacts of an unknown day or customer, or the column if it tells of none."""
    notes: list[Message] = []
    there = [name for name in ("contacted_at", "customer_id") if name in made.columns]
    if not there:
        return made, notes
    known = made.aggregate(rows=made.count(), **{c: made[c].count() for c in there}).to_pandas()
    rows = int(known["rows"].iloc[0])
    empty = [name for name in there if rows and int(known[name].iloc[0]) == 0]
    made = made.drop(*empty)
    kept = [name for name in there if name not in empty]
    whole = made.filter([made[name].notnull() for name in kept]) if kept else made
    lost = rows - int(whole.count().execute())
    if lost:
        notes.append(
            say(
                "{n:count} contacts are left out: their day or their customer is not known.",
                n=lost,
            )
        )
    return whole, notes


def _known_responses(made: ir.Table, params: Params, most: int) -> tuple[ir.Table, list[Message]]:
    """Leave out contacts of which it is not known what followed, draw lots, and give numbers."""
    notes: list[Message] = []
    known = made.filter(made.responded.notnull())
    n, rows = int(known.count().execute()), int(made.count().execute())
    if n < rows:
        notes.append(
            say(
                "{n:count} contacts are left out: the days in which a response counts were not "
                "over at the snapshot.",
                n=rows - n,
            )
        )
    # without a number rows are numbered in the order of what they hold
    first = [name for name in ("contacted_at", "customer_id") if name in made.columns]
    order = [*first, *(name for name in made.columns if name not in first)]
    known = known.mutate(_row=ibis.row_number().over(order_by=order))
    if n > most:
        key = known.customer_id if "customer_id" in made.columns else known._row.cast("string")
        known = known.filter(drawn(params.seed, "contacts", key, most / n))
        notes.append(
            say(
                "Of {n:count} contacts about {most:count} are used, those of customers drawn by "
                "lot.",
                n=n,
                most=most,
            )
        )
    return known, notes


def _pull(
    made: ir.Table,
    own: Mapping[str, ir.Value],
    chosen: Chosen,
    tables: Mapping[str, ir.Table],
    keep: Callable[[ir.Table], ir.Table],
) -> pd.DataFrame:
    """Return the contacts as rows, in the order of their numbers."""
    dated = "contacted_at" in made.columns
    keys = [name for name in ("customer_id", "contacted_at") if name in made.columns]
    # a client's own column may be called like anything that is joined below
    renamed = {f"own_{i}": value for i, value in enumerate(own.values())}
    rows = made.select("_row", *keys, responded=made.responded.cast("int64"), **renamed)
    of_customers = [*chosen.features, *chosen.people]
    if of_customers:
        day = rows.contacted_at.date() if dated else ibis.literal(dt.date(1970, 1, 1))
        rows = with_known(keep(rows.mutate(day=day)), tables, of_customers)
    rows = rows.mutate(**{name: plain(rows[name]) for name in chosen.people})
    names = ["_row", *keys, "responded", *renamed, *of_customers]
    frame = to_frame(rows.order_by("_row").select(*names))
    return frame.rename(columns=dict(zip(renamed, own, strict=True)))


def _today(
    customers: ir.Table,
    own: Mapping[str, ir.Value],
    chosen: Chosen,
    tables: Mapping[str, ir.Table],
    params: Params,
) -> tuple[ir.Table, tuple[str, ...]]:
    """Return active customers with what is known of them, and the columns that are not."""
    active = customers.filter(customers.layer.isin(list(ACTIVE)))
    theirs = {name: plain(active[name]) for name in own if name in active.columns}
    same = {
        name: value
        for name, value in theirs.items()
        if value is not None and _alike(value, own[name]) and name not in OFFER
    }
    renamed = {f"own_{i}": value for i, value in enumerate(same.values())}
    next_day = params.snapshot + dt.timedelta(days=1)
    rows = active.select("customer_id", day=ibis.literal(next_day), **renamed)
    of_customers = [*chosen.features, *chosen.people]
    if of_customers:
        rows = with_known(rows, tables, of_customers)
    rows = rows.mutate(**{name: plain(rows[name]) for name in chosen.people})
    columns = {name: rows[f"own_{i}"] for i, name in enumerate(same)}
    columns |= {name: rows[name] for name in of_customers}
    only = tuple(name for name in own if name not in columns and name not in OFFER)
    # who is alike in all that is known has one chance
    alike = ibis.dense_rank().over(order_by=list(columns.values())) if columns else ibis.literal(0)
    return rows.select("customer_id", **columns, alike=alike.cast("int64")), only


def _draw_today(today: ir.Table, n: int, params: Params) -> pd.DataFrame:
    if set(today.columns) == {"customer_id", "alike"}:  # nothing is known of them
        return pd.DataFrame(index=range(min(n, MOST_COMPARED)))
    if n > MOST_COMPARED:
        today = today.filter(drawn(params.seed, "today", today.customer_id, MOST_COMPARED / n))
    return to_frame(today.order_by("customer_id").drop("customer_id", "alike"))


def _alike(one: ir.Value, other: ir.Value) -> bool:
    """Say whether both are numbers, or both times, or both texts."""
    return one.type().copy(nullable=True) == other.type().copy(nullable=True)
