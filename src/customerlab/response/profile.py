"""Who the chosen customers are: what is more frequent among them than among the rest."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from customerlab.cells import cells
from customerlab.churn.curves import FEW_EVENTS
from customerlab.churn.levels import natural_order
from customerlab.features import UNKNOWN, feature_name, level_name
from customerlab.findings import Finding
from customerlab.messages import Message, listed, say
from customerlab.response.binning import ranges
from customerlab.response.columns import as_numbers, band_edges, is_number, is_time
from customerlab.response.contacts import Contacts
from customerlab.response.scoring import Scores
from customerlab.response.shares import BANDS, compare_shares, shares_to_show

#: So many tags are told in the sentence.
TOLD = 5
#: A tag of a smaller share of the chosen says little of them.
LEAST = 0.05
#: So much more frequent is clearly more frequent.
CLEARLY = 1.25
COLUMNS = ["feature", "level", "n_chosen", "n_rest", "chosen", "rest", "ratio"]


@dataclass(frozen=True)
class Profile:
    """Who the chosen are.

    Attributes
    ----------
    table : DataFrame
        By ``feature`` and ``level`` (words): customers ``n_chosen`` and ``n_rest``, the level's
        share of each (``chosen``, ``rest``) and the ``ratio`` of these shares. No rows where
        nobody is chosen, or everybody.
    n_chosen, n_rest : int
        Customers from the cut-off on, and all others.
    """

    table: pd.DataFrame
    n_chosen: int
    n_rest: int


def profile_chosen(
    scores: Scores, contacts: Contacts, keep: Callable[[ir.Table], ir.Table]
) -> Profile:
    """Compare those from the cut-off on with all other customers, in what the model may use.

    Parameters
    ----------
    scores : Scores
    contacts : Contacts
    keep : callable
        Works a table out once.
    """
    if scores.places.empty:
        return Profile(pd.DataFrame(columns=COLUMNS), 0, 0)
    people = scores.people
    now = contacts.features if contacts.drawn_today is None else contacts.drawn_today
    placed = scores.table.select(whose="customer_id", chosen=scores.table.place == "above")
    rows = keep(people.inner_join(placed, [("customer_id", "whose")]))
    sizes = cells(rows, ["chosen"]).set_index("chosen")["n"]
    chosen, rest = (int(sizes.get(one, 0)) for one in (True, False))
    if not chosen or not rest:
        return Profile(pd.DataFrame(columns=COLUMNS), chosen, rest)
    parts = [_of_feature(rows, now[name]) for name in now if name in people.columns]
    table = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=COLUMNS)
    return Profile(table[COLUMNS], chosen, rest)


def _of_feature(rows: ir.Table, now: pd.Series) -> pd.DataFrame:
    """Count the levels of one feature among the chosen and the rest; `now` tells its bands."""
    name, value = str(now.name), rows[str(now.name)]
    called: list[Message | str]
    if is_number(now):
        edges = band_edges(as_numbers(now), BANDS)
        if is_time(now):
            value = value.epoch_seconds().cast("float64") / 86_400
        steps = [(value <= float(end), str(i)) for i, end in enumerate(edges)]
        level = ibis.cases((value.isnull(), UNKNOWN), *steps, else_=str(len(edges)))
        called = ranges(edges, is_time(now))
    else:
        level, called = value.fill_null(UNKNOWN), []
    counted = cells(rows.select("chosen", level=level), ["level", "chosen"])
    order = sorted(counted["level"].unique(), key=natural_order)
    n = {
        one: counted[counted["chosen"] == one].set_index("level")["n"].reindex(order).fillna(0)
        for one in (True, False)
    }
    words = [
        called[int(one)] if called and one != UNKNOWN else level_name(name, one) for one in order
    ]
    return compare_shares(name, words, n[True], n[False], ("chosen", "rest"))


def tell_profile(profile: Profile, min_cell: int) -> Finding:
    """Return ``response_model.profile``: the clearest tags of the chosen, in one sentence."""
    id_ = "response_model.profile"
    table = profile.table
    if min(profile.n_chosen, profile.n_rest) < FEW_EVENTS:
        text = say("Too few customers are chosen, or left out, to say who the chosen are.")
        return Finding(id_, text, unit="count", n=profile.n_chosen, status="not_enough_data")
    more = table[
        (table["chosen"] >= LEAST)
        & (table["chosen"] > CLEARLY * table["rest"])
        & (table["n_chosen"] >= min_cell)
    ]
    rest = (more["n_rest"] + 0.5) / (profile.n_rest + 0.5)
    clear = (more["chosen"] - rest) * np.log(more["chosen"] / rest)
    best = more.assign(clear=clear).sort_values("clear", ascending=False, kind="stable")
    best = best.head(TOLD)
    if best.empty:
        text = say("The chosen are like the others in all that is known of them.")
        return Finding(id_, text, 0, 0, 0, "count", profile.n_chosen)
    tags = [_tag(row, profile, min_cell) for row in best.to_dict("records")]
    text = say("Those to contact are marked most by {tags}.", tags=listed(tags))
    return Finding(id_, text, say("Who they are"), n=profile.n_chosen)


def _tag(row: Mapping, profile: Profile, min_cell: int) -> Message:
    """Return a tag with its shares, without one that would tell of few customers."""
    facts = {"feature": feature_name(row["feature"]), "level": row["level"]}
    if profile.n_chosen - row["n_chosen"] < min_cell:
        return say("{feature}: {level} (nearly all of them)", **facts)
    if row["n_rest"] < min_cell:
        return say(
            "{feature}: {level} ({chosen:percent0} of them, hardly any of the others)",
            chosen=row["chosen"],
            **facts,
        )
    return say(
        "{feature}: {level} ({chosen:percent0} of them, {rest:percent0} of the others)",
        chosen=row["chosen"],
        rest=row["rest"],
        **facts,
    )


def profile_to_show(profile: Profile, min_cell: int) -> pd.DataFrame:
    """Return the table for a report: shares, those of fewer than `min_cell` customers masked."""
    return shares_to_show(profile.table, ("chosen", "rest"), min_cell)
