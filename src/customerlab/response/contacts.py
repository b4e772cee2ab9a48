"""Contacts that were made, with what was known before each, and the customers of today."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import ibis.expr.types as ir
import numpy as np
import pandas as pd

from customerlab.churn.curves import FEW_EVENTS
from customerlab.features import PAIR, feature_name
from customerlab.messages import Message, listed, say

#: What a contact sells, and how: not known of a customer, but chosen for them.
OFFER = ("product", "channel")
#: So many of today's customers are compared with those contacted.
MOST_COMPARED = 50_000


@dataclass(frozen=True)
class Contacts:
    """Contacts that were made.

    Attributes
    ----------
    features : DataFrame
        One row per contact: what is looked at, as it was known when the month of the contact
        began. Numbers, times or texts; a missing value stays missing. What the parameters say is
        known only after the contact is here too, for the leak guard names it.
    responded : ndarray of int, shape (contacts,)
        0 or 1.
    customer : ndarray of object or None
        Whom each contact was with; None where no column tells, and each row is a customer.
    when : ndarray of datetime64 or None
        When each contact was made, where that is told.
    today : table or None
        Active customers as they are known at the snapshot: ``customer_id``, the features that
        are known of them, and ``alike``: a number that those who are alike in all of them share.
        None where they cannot be matched to contacts.
    n_today : int
        How many they are.
    drawn_today : DataFrame or None
        The features of at most :data:`MOST_COMPARED` of them, drawn by lot.
    pairs : DataFrame
        ``product``, ``channel`` (None where not told), ``contacts``, ``responders``; those with
        most contacts first.
    only_at_contact : tuple of str
        Features that are told of a contact and of no customer today: not used, for nobody could
        be scored by them.
    source : {"contacts", "campaigns"}
    known_after : tuple of str
        Features that the parameters say are known only after the contact.
    notes : tuple of Message
        What was left out, and why.
    """

    features: pd.DataFrame
    responded: np.ndarray
    customer: np.ndarray | None
    when: np.ndarray | None
    today: ir.Table | None
    drawn_today: pd.DataFrame | None
    pairs: pd.DataFrame
    only_at_contact: tuple[str, ...] = ()
    source: Literal["contacts", "campaigns"] = "contacts"
    known_after: tuple[str, ...] = ()
    notes: tuple[Message, ...] = ()
    n_today: int = 0

    @property
    def usable(self) -> list[str]:
        """The features that a model may use, if they hide no response."""
        not_used = {*self.only_at_contact, *self.known_after}
        return [name for name in self.features if name not in not_used]

    @property
    def of_customers(self) -> list[str]:
        """Those of them that tell of a customer, not of what is offered."""
        return [name for name in self.usable if name not in OFFER]

    @property
    def paired(self) -> bool:
        """Whether product and channel are one feature of a model.

        They are where both differ, and at least 30 contacts tell of each pair.
        """
        if PAIR in self.features or self.pairs[list(OFFER)].isna().any(axis=None):
            return False
        differ = all(len(set(self.pairs[name])) > 1 for name in OFFER)
        return bool(differ and (self.pairs["contacts"] >= FEW_EVENTS).all())

    def modelled(self, names: Sequence[str]) -> pd.DataFrame:
        """Return these features as a model takes them: product and channel as one if `paired`."""
        features = self.features[list(names)]
        if not self.paired or not set(OFFER) <= set(names):
            return features
        return with_pair(features).drop(columns=list(OFFER))

    def describe(self, min_cell: int) -> tuple[Message, ...]:
        """Say what was read, and what was left out; not how many did not respond where few did."""
        return (self._told(min_cell), *self.notes)

    def _told(self, min_cell: int) -> Message:
        n, yes = len(self.responded), int(self.responded.sum())
        facts = {"n": n, "yes": say("nearly all") if 0 < n - yes < min_cell else yes}
        if n == 0:
            return say("No contact is known of which it is also known what followed.")
        if self.customer is None:
            return say(
                "{n:count} contacts, each with a customer of its own; {yes:customers} of them "
                "responded.",
                **facts,
            )
        facts["people"] = len(pd.unique(self.customer))
        if self.when is None:
            return say(
                "{n:count} contacts with {people:customers} customers; {yes:customers} contacts "
                "were followed by a response.",
                **facts,
            )
        facts |= {"first": _day(self.when.min()), "last": _day(self.when.max())}
        return say(
            "{n:count} contacts with {people:customers} customers, from {first:date} to "
            "{last:date}; {yes:customers} of them were followed by a response.",
            **facts,
        )


def _day(moment: np.datetime64) -> object:
    return pd.Timestamp(moment).date()


def with_pair(features: pd.DataFrame) -> pd.DataFrame:
    """Return the features, first among them product and channel as one."""
    product, channel = (features[name].astype(str) for name in OFFER)
    features = features.copy()
    features.insert(0, PAIR, product + " (" + channel + ")")
    return features


def count_pairs(features: pd.DataFrame, responded: np.ndarray) -> pd.DataFrame:
    """Return contacts and responders of each product and channel, the most frequent first."""
    columns = {
        name: features[name].astype(object).where(features[name].notna(), None)
        if name in features
        else pd.Series(None, index=features.index, dtype=object)
        for name in OFFER
    }
    frame = pd.DataFrame({**columns, "responded": responded})
    grouped = frame.groupby(list(OFFER), dropna=False, sort=True)["responded"]
    pairs = grouped.agg(contacts="size", responders="sum").reset_index()
    for name in OFFER:
        pairs[name] = pairs[name].astype(object).where(pairs[name].notna(), None)
    order = ["contacts", *OFFER]
    pairs = pairs.sort_values(order, ascending=[False, True, True], kind="stable")
    return pairs.astype({"contacts": "int64", "responders": "int64"}).reset_index(drop=True)


def to_frame(table: ir.Table) -> pd.DataFrame:
    """Return a table's rows, a text that is missing as NaN."""
    return tidy_texts(table.to_pandas())


def tidy_texts(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the frame with NaN where a text is missing."""
    frame = frame.copy()
    for name in frame:
        if pd.api.types.is_string_dtype(frame[name].dtype) or frame[name].dtype == object:
            frame[name] = frame[name].astype(object).where(frame[name].notna(), np.nan)
    return frame


def name_features(names: Sequence[str]) -> Message | str:
    """Return features as a reader calls them, with commas between."""
    return listed([feature_name(name) for name in names])
