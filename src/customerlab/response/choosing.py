"""Which columns are looked at, and in what form: numbers, times, or texts of few values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import ibis
import ibis.expr.types as ir

from customerlab.errors import CustomerlabError
from customerlab.features import FEATURES, LASTING, USUAL_FEATURES, features_in
from customerlab.messages import Message, say
from customerlab.params import ResponseModel
from customerlab.privacy import PERSONAL
from customerlab.response.boosted import MOST_LEVELS
from customerlab.response.contacts import name_features
from customerlab.uplift.trials import refuse_unknown

#: Columns of contacts that are none of what was known before.
_NONE = PERSONAL | {"responded", "contacted_at"}
#: Who called is not whom they called: used only where it is named.
_ON_REQUEST = frozenset({"branch"})


@dataclass(frozen=True)
class Chosen:
    """Which columns are looked at: the contacts' own, built features, columns of customers."""

    own: list[str]
    features: list[str]
    people: list[str]
    known_after: tuple[str, ...]
    notes: list[Message]


def choose_columns(
    columns: tuple[str, ...], tables: Mapping[str, ir.Table], settings: ResponseModel
) -> Chosen:
    """Choose among what a client's tables give.

    Raises
    ------
    CustomerlabError
        When a name is not there.
    """
    own = [name for name in columns if name not in _NONE]
    at_hand, people = [], []
    if "customer_id" in columns:
        theirs = getattr(tables.get("customers"), "columns", ())
        told = "transactions" in tables or "joined_on" in theirs
        dated = "contacted_at" in columns
        at_hand = [
            name
            for name in features_in(tables)
            if name not in own and (dated or name in LASTING) and (told or name != "tenure_band")
        ]
        ours = {*PERSONAL, *FEATURES, "joined_on", *own}
        people = [name for name in theirs if name not in ours]
        people = [name for name in people if plain(tables["customers"][name]) is not None]
    known = [*own, *at_hand, *people]
    about = {"features": settings.features or []}
    about |= {"known_after_contact": settings.known_after_contact, "confirmed": settings.confirmed}
    for key, names in about.items():
        refuse_unknown(key, names, known, "response_model")
    asked = settings.features
    if asked is None:
        asked = [name for name in own if name not in _ON_REQUEST]
        asked += [name for name in USUAL_FEATURES if name in at_hand]
    asked = list(dict.fromkeys([*asked, *settings.known_after_contact]))
    if not asked:
        raise CustomerlabError(
            "response_model.features: expected at least one column that was known before a "
            f"contact; there are: {', '.join(known) or 'none'}"
        )
    chosen = [[name for name in asked if name in part] for part in (own, at_hand, people)]
    notes = []
    if chosen[2]:
        notes.append(
            say(
                "Taken as it stands today, which is right only if it does not change: {features}.",
                features=name_features(chosen[2]),
            )
        )
    if "customer_id" in columns and "contacted_at" not in columns:
        notes.append(
            say(
                "It is not told when a contact was made, so of a customer only what does not "
                "change is used, and nothing is judged by time."
            )
        )
    return Chosen(*chosen, tuple(settings.known_after_contact), notes)


def plain(value: ir.Value) -> ir.Value | None:
    """Return a number, a time or a text; None of anything else."""
    kind = value.type()
    if kind.is_boolean():
        return ibis.cases((value, "yes"), (~value, "no"))
    if kind.is_numeric():
        number = value.cast("float64")
        return number.isnan().ifelse(None, number)
    if kind.is_date() or kind.is_timestamp():
        return value.cast("timestamp(6)")
    return value if kind.is_string() else None


def readable(made: ir.Table, own: Sequence[str]) -> tuple[dict[str, ir.Value], list[Message]]:
    """Return the contacts' own columns as numbers, times or texts that are categories."""
    values = {name: plain(made[name]) for name in own}
    odd = [name for name, value in values.items() if value is None]
    texts = [
        name for name, value in values.items() if value is not None and value.type().is_string()
    ]
    if texts:
        levels = {f"n_{i}": made[name].nunique() for i, name in enumerate(texts)}
        counted = made.aggregate(**levels).to_pandas().iloc[0]
        odd += [name for i, name in enumerate(texts) if counted[f"n_{i}"] > MOST_LEVELS]
    notes: list[Message] = []
    if odd:
        notes.append(
            say(
                "Not used, for it is no number and no category of at most {most:count} values: "
                "{features}.",
                most=MOST_LEVELS,
                features=name_features(odd),
            )
        )
    return {name: value for name, value in values.items() if name not in odd}, notes
