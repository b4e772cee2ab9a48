"""Today's customers: what to offer each, their chance, and who is above the line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from customerlab.features import PAIR
from customerlab.findings import Finding
from customerlab.messages import Message
from customerlab.params import Params
from customerlab.response.below import Below, size_of_test
from customerlab.response.contacts import OFFER, Contacts, tidy_texts, with_pair
from customerlab.response.cutoff import Cutoff
from customerlab.response.cutoff_answers import tell_below
from customerlab.response.margins import Margins, margins_of
from customerlab.response.modelling import Model
from customerlab.response.placing import count_places, place_customers
from customerlab.response.resemblance import Resemblance

#: Kinds of customers are scored so many at a time.
_AT_ONCE = 200_000
#: At most so many are contacted below the line by lot, in parts of those above it.
MOST_TESTED = 0.1


@dataclass(frozen=True)
class Scores:
    """What each customer is foretold.

    Attributes
    ----------
    table : table
        One row per customer: ``customer_id``; ``product`` and ``channel`` that bring most;
        ``chance`` of a response to it, ``expected_profit`` of contacting them (money; null where
        nothing is priced), ``place`` (a key of :data:`PLACES`; null where there is no cut-off),
        ``status`` (``weak`` where they are unlike those contacted, or something is new).
    places : DataFrame
        ``place``, ``customers``, and what contacting all of them is expected to bring:
        ``responses``, ``cost``, ``expected_profit``. No rows where there is no cut-off.
    below : Below or None
        How the cut-off is tested by those below it.
    line : float
        The least chance from which a customer is contacted, of the mean margin; missing where
        there is none.
    share_tested : float
        Of those below the line, so many are contacted by lot.
    days : int or None
        A response counts within so many days, where the parameters say so.
    people : table
        The customers with what the model may use of them, and ``alike``; see :class:`Contacts`.
    of_today : bool
        Whether they are today's customers; otherwise those of the contacts.
    margins : Margins
    """

    table: ir.Table
    places: pd.DataFrame
    below: Below | None
    line: float
    share_tested: float
    days: int | None
    people: ir.Table
    of_today: bool
    margins: Margins

    @property
    def notes(self) -> tuple[Message, ...]:
        """What the margins lack."""
        why = self.margins.why_not
        return (*self.margins.notes, *(() if why is None else (why,)))

    @property
    def findings(self) -> tuple[Finding, ...]:
        """How many below the line are contacted to test it."""
        return () if self.below is None else (tell_below(self.below),)


def score_today(
    contacts: Contacts,
    model: Model,
    resemblance: Resemblance,
    cutoff: Cutoff | None,
    params: Params,
    keep: Callable[[ir.Table], ir.Table],
) -> Scores:
    """Score today's customers: those alike in all that is known are scored once.

    Where no table tells of today's customers, those of the contacts are scored, as they were at
    the last contact.

    Parameters
    ----------
    contacts : Contacts
    model : Model
    resemblance : Resemblance
    cutoff : Cutoff or None
        Of :func:`customerlab.response.cutoff.best_cutoff` with the mean margin; None where nothing
        is priced. The bank's own cut-off, where it has set one, takes its place.
    params : Params
    keep : callable
        Works a table out once.
    """
    margins = margins_of(contacts, params)
    people = _contacted(contacts) if contacts.today is None else contacts.today
    names = [name for name in model.names if name in people.columns and name not in OFFER]
    people = people.select("customer_id", "alike", *names)
    sure = model.judged.status != "not_enough_data"
    parts = [
        _score(frame, model, margins)
        | {"like": resemblance.like(frame) if contacts.today is not None else True}
        for frame in _combinations(people, names)
    ]
    frames = [pd.DataFrame(part) for part in parts]
    kinds = pd.concat(frames, ignore_index=True) if frames else _no_kinds()
    kinds["weak"] |= ~kinds["like"].astype(bool) | (not sure)
    line = _line(cutoff, params) if margins.priced and sure else np.nan
    below, room = None, 0
    if not np.isnan(line):
        kinds["zone"] = _zones(kinds, line * margins.mean)
        below, room = _rooms(kinds, margins, params.response_model.capacity)
    else:
        kinds["zone"] = None
    tested = 0 if below is None else len(below.drawn)
    under = int(kinds.loc[kinds["zone"] == "below", "n"].sum())
    table = keep(place_customers(people, kinds, margins, room, tested, params.seed))
    response = params.response_model.response
    return Scores(
        table,
        count_places(table, margins, line),
        below,
        line,
        tested / under if under else 0.0,
        (response.days or 30) if contacts.source == "campaigns" else None,
        people,
        contacts.today is not None,
        margins,
    )


def _contacted(contacts: Contacts) -> ir.Table:
    """Return the customers of the contacts, as they were at the last one."""
    n = len(contacts.responded)
    whom = contacts.customer
    number = np.array([str(i + 1) for i in range(n)], dtype=object) if whom is None else whom
    frame = contacts.features[contacts.of_customers].assign(customer_id=number, alike=np.arange(n))
    # contacts lie in the order of their days
    frame = frame.drop_duplicates("customer_id", keep="last").astype({"customer_id": object})
    return ibis.memtable(frame)


def _combinations(people: ir.Table, names: list[str]) -> Iterator[pd.DataFrame]:
    """Return each kind of customer once: ``alike``, ``n``, and what the model knows of them."""
    renamed = {f"f_{i}": people[name].min() for i, name in enumerate(names)}
    counted = people.group_by("alike").aggregate(n=people.count(), **renamed).order_by("alike")
    for batch in counted.to_pyarrow_batches(chunk_size=_AT_ONCE):
        frame = batch.to_pandas().rename(columns=dict(zip(renamed, names, strict=True)))
        yield tidy_texts(frame)


def _score(frame: pd.DataFrame, model: Model, margins: Margins) -> dict[str, np.ndarray]:
    """Return what brings most for each kind of customer."""
    paired = PAIR in model.names
    used = [name for name in OFFER if paired or name in model.names]
    known: dict[tuple, tuple[np.ndarray, np.ndarray]] = {}
    chances, weak = [], []
    for pair in margins.pairs[list(OFFER)].to_dict("records"):
        key = tuple(pair[name] for name in used)
        if key not in known:
            offered = frame.assign(**{name: _same(pair[name], frame) for name in used})
            offered = with_pair(offered) if paired else offered
            known[key] = (model.chance_of(offered), model.card.score(offered).weak)
        chances.append(known[key][0])
        weak.append(known[key][1])
    chance, weak = np.column_stack(chances), np.column_stack(weak)
    worth = chance * margins.pairs["margin"].fillna(1.0).to_numpy()
    best, rows = worth.argmax(axis=1), np.arange(len(frame))
    return {
        "alike": frame["alike"].to_numpy("int64"),
        "n": frame["n"].to_numpy("int64"),
        "pair": best,
        "chance": chance[rows, best],
        "worth": worth[rows, best],
        "weak": weak[rows, best],
    }


def _same(value: str | None, frame: pd.DataFrame) -> pd.Series:
    return pd.Series(np.nan if value is None else value, index=frame.index, dtype=object)


def _no_kinds() -> pd.DataFrame:
    kinds = {"alike": "int64", "n": "int64", "pair": "int64", "chance": float, "worth": float}
    kinds |= {"weak": bool, "like": bool}
    return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in kinds.items()})


def _line(cutoff: Cutoff | None, params: Params) -> float:
    """Return the least chance to contact; missing where there is no cut-off."""
    own = params.response_model.cutoff
    if cutoff is None:
        return np.nan
    if own is not None:
        return own
    # where every contact that was made pays, so does a smaller chance until it breaks even; and
    # where contacts are used up sooner, it is their number that draws the line
    return cutoff.break_even if cutoff.full or cutoff.share == 1 else cutoff.cutoff


def _zones(kinds: pd.DataFrame, least: float) -> np.ndarray:
    above = np.where(kinds["worth"] >= least, "above", "below")
    return np.where(kinds["weak"], "unlike", above).astype(object)


def _rooms(kinds: pd.DataFrame, margins: Margins, capacity: int | None) -> tuple[Below, int]:
    """Return how many are tested below the line, and how many there is room for above it."""
    n = kinds.groupby("zone")["n"].sum()
    paying, under = int(n.get("above", 0)), int(n.get("below", 0))
    room = paying if capacity is None else min(paying, capacity)
    mine = kinds[kinds["zone"] == "below"]
    # chances as if each product earned the mean margin
    chance = mine["worth"] / margins.mean
    mean = float(np.average(chance, weights=mine["n"])) if under else np.nan
    needed = size_of_test(margins.cost / margins.mean, mean) if under else np.nan
    size = int(min(needed, np.ceil(MOST_TESTED * room), under)) if under else 0
    if capacity is not None:
        room = min(paying, capacity - size)
    cost = size * (margins.cost - margins.mean * mean) if size else 0.0
    return Below(np.ones(size, dtype=bool), needed, mean, cost), room
