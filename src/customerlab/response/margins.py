"""What a response earns, by product, and which products and channels can be offered."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from customerlab.churn.curves import FEW_EVENTS
from customerlab.messages import Message, listed, say
from customerlab.params import ANY_PRODUCT, Params
from customerlab.response.contacts import Contacts

#: So many products and channels are weighed for each customer, those with most contacts.
MOST_PAIRS = 20


@dataclass(frozen=True)
class Margins:
    """What can be offered, and what it earns.

    Attributes
    ----------
    pairs : DataFrame
        ``product``, ``channel``, ``contacts``, ``responders``, ``margin`` of a response (missing
        where nothing is priced): what can be offered, first what brought most a contact.
    mean : float
        Margin of a response, as responses were; missing where nothing is priced.
    cost : float
        Of a contact; missing where it is not told.
    why_not : Message or None
        Why nothing is priced.
    notes : tuple of Message
    """

    pairs: pd.DataFrame
    mean: float
    cost: float
    why_not: Message | None = None
    notes: tuple[Message, ...] = ()

    @property
    def priced(self) -> bool:
        """Whether it can be told what a contact brings."""
        return self.why_not is None


def margins_of(contacts: Contacts, params: Params) -> Margins:
    """Return which products and channels can be offered, and what a response to each earns.

    Offered is what at least 30 contacts offered before; where a margin is known of some products
    only, nothing but these.

    Parameters
    ----------
    contacts : Contacts
    params : Params
        ``response_model.margin`` and ``response_model.contact_cost``.
    """
    told, cost = params.response_model.margin or {}, params.response_model.contact_cost
    pairs = contacts.pairs
    if (pairs["contacts"] >= FEW_EVENTS).any():
        pairs = pairs[pairs["contacts"] >= FEW_EVENTS]
    else:
        pairs = pairs.head(1)
    # one product alone need not be named in the contacts
    plain = next(iter(told.values())) if len(told) == 1 else np.nan
    usual = told.get(ANY_PRODUCT, np.nan)
    margin = [
        told.get(one, usual) if one is not None else (plain if np.isnan(usual) else usual)
        for one in pairs["product"]
    ]
    pairs = pairs.assign(margin=np.array(margin, dtype=float))
    notes = _notes(told, contacts)
    if not told or cost is None:
        why = say(
            "From which chance on a contact pays hangs on what it costs and earns: give "
            "contact_cost and margin under response_model."
        )
        return _few(pairs.assign(margin=np.nan), np.nan, cost, why, notes)
    pairs = pairs[pairs["margin"].notna()]
    if pairs.empty:
        why = say("Of no product that contacts offered a margin is known.")
        few = contacts.pairs.head(MOST_PAIRS).assign(margin=np.nan)
        return _few(few, np.nan, cost, why, notes)
    weight = pairs["responders"] if pairs["responders"].any() else pairs["contacts"]
    mean = float(np.average(pairs["margin"], weights=weight))
    if (pairs["margin"] == pairs["margin"].iloc[0]).all():
        mean = float(pairs["margin"].iloc[0])  # exactly
    return _few(pairs, mean, cost, None, notes)


def _few(
    pairs: pd.DataFrame,
    mean: float,
    cost: float | None,
    why_not: Message | None,
    notes: tuple[Message, ...],
) -> Margins:
    if len(pairs) > MOST_PAIRS:
        notes = (
            *notes,
            say(
                "Of {all:count} products and channels the {most:count} with most contacts are "
                "weighed for each customer.",
                all=len(pairs),
                most=MOST_PAIRS,
            ),
        )
    pairs = pairs.head(MOST_PAIRS)
    # among those that are foretold the same, what sold best before; of few contacts nobody knows
    usual = pairs["responders"].sum() / max(pairs["contacts"].sum(), 1)
    rate = (pairs["responders"] + 10 * usual) / (pairs["contacts"] + 10)
    worth = rate * pairs["margin"].fillna(1.0)
    pairs = pairs.loc[worth.sort_values(ascending=False, kind="stable").index]
    pairs = pairs.reset_index(drop=True)
    if pairs.empty:  # without a contact nobody knows what is offered
        nothing = {"product": None, "channel": None, "contacts": 0, "responders": 0}
        pairs = pd.DataFrame([nothing | {"margin": np.nan}])
    return Margins(pairs, mean, np.nan if cost is None else cost, why_not, notes)


def _notes(told: dict[str, float], contacts: Contacts) -> tuple[Message, ...]:
    products = set(contacts.pairs["product"].dropna())
    unknown = [one for one in told if one != ANY_PRODUCT and one not in products]
    if not unknown or not products:
        return ()
    return (
        say("A margin is given of what no contact offered: {products}.", products=listed(unknown)),
    )
