"""How far today's customers are like those who were contacted: no lot drew whom to call.

A scorecard tells those contacted from today's customers. Where a kind of customer was hardly ever
contacted, a chance of theirs is a guess. Crump, Hotz, Imbens and Mitnik (2009, *Biometrika* 96)
leave out whose chance to be contacted lies below a tenth; here both groups are samples of their
own, so it is the odds against those of all that count: below a tenth, like customers are less than
a tenth as frequent among those contacted as they are today. The same is asked of each level by
itself, for a scorecard's bins may join one that was never contacted with others, and of each two
levels together, for its points only add up.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from customerlab.churn.curves import FEW_EVENTS
from customerlab.churn.levels import natural_order
from customerlab.churn.smooth import wilson
from customerlab.features import UNKNOWN, feature_name, level_name
from customerlab.findings import Check, Finding, Status
from customerlab.messages import Message, listed, say
from customerlab.response.apart import LIKE, find_apart, joined, together
from customerlab.response.binning import ranges
from customerlab.response.columns import as_bands, as_numbers, band_edges, is_number, is_time
from customerlab.response.contacts import OFFER, Contacts
from customerlab.response.modelling import Model
from customerlab.response.scorecard import Scorecard, fit_scorecard
from customerlab.response.shares import BANDS, compare_shares, shares_to_show

#: So many of today's customers must be, for the model to stand for all.
ENOUGH = 0.9
#: Kinds of customers that are named.
MOST_NAMED = 3
COLUMNS = ["feature", "level", "n_contacted", "n_today", "contacted", "today", "ratio"]


@dataclass(frozen=True)
class Resemblance:
    """How far today's customers are like those contacted.

    Attributes
    ----------
    card : Scorecard or None
        Tells those contacted from today's customers; None where it cannot be judged.
    usual : float
        Log-odds of all.
    levels : dict of str to set of str
        Of each feature, the levels of which enough were contacted.
    edges : dict of str to ndarray or None
        Upper ends of the bands that are the levels of a number.
    apart : dict of (str, str) to set of str
        Of two features, the levels that surely were hardly ever contacted together.
    rare : tuple of Message
        Kinds of customers that were hardly ever contacted, in words, those with most of today's
        customers first.
    share, low, high : float
        Of today's customers, like those contacted, with 95 % interval; missing where not judged.
    table : DataFrame
        By ``feature`` and ``level`` (words; numbers in fifths of the contacts): ``n_contacted``
        contacts, ``n_today`` customers compared, the level's share of each (``contacted``,
        ``today``) and the ``ratio`` of these shares; the feature that differs most first. No rows
        where it cannot be judged.
    n : int
        Today's customers compared.
    status : {"supported", "weak", "not_enough_data"}
    why_not : Message or None
        Why it cannot be judged.
    """

    card: Scorecard | None
    usual: float
    levels: dict[str, set[str]]
    edges: dict[str, np.ndarray | None]
    apart: dict[tuple[str, str], set[str]]
    rare: tuple[Message, ...]
    share: float
    low: float
    high: float
    table: pd.DataFrame
    n: int
    status: Status
    why_not: Message | None = None

    def like(self, features: pd.DataFrame) -> np.ndarray:
        """Say which customers are like those contacted; nobody where it cannot be judged."""
        if self.card is None:
            return np.zeros(len(features), dtype=bool)
        like = _odds(self.card, features) - self.usual >= np.log(LIKE)
        bands = {name: as_bands(features[name], self.edges[name]) for name in self.levels}
        for name, levels in self.levels.items():
            like &= bands[name].isin(levels).to_numpy()
        for (one, other), levels in self.apart.items():
            like &= ~together(bands[one], bands[other]).isin(levels).to_numpy()
        return like

    @property
    def finding(self) -> Finding:
        """``response_model.resemble``: the share of today's customers like those contacted."""
        id_ = "response_model.resemble"
        if self.why_not is not None:
            return Finding(id_, self.why_not, unit="percent", n=self.n, status="not_enough_data")
        text = say(
            "{share:percent0} of today's customers are like those who were contacted; what the "
            "model says of the others is a guess, and nobody of them is proposed.",
            share=self.share,
        )
        if self.rare:
            text = say(
                "{share:percent0} of today's customers are like those who were contacted; what the "
                "model says of the others is a guess, and nobody of them is proposed. Hardly ever "
                "contacted were: {kinds}.",
                share=self.share,
                kinds=joined(self.rare[:MOST_NAMED]),
            )
        elif self.share >= 0.995:
            text = say(
                "Nearly all of today's customers are like those who were contacted; what the model "
                "says of the others is a guess, and nobody of them is proposed."
            )
        if self.share == 1:
            text = say(
                "All of today's customers are like those who were contacted, in what is known of "
                "them."
            )
        return Finding(id_, text, self.share, self.low, self.high, "percent", self.n, self.status)

    @property
    def check(self) -> Check:
        """Failed when more than a tenth of today's customers are unlike those contacted."""
        name = say("Today's customers are like those contacted")
        if self.why_not is not None:
            return Check(name, None, self.why_not)
        text = say(
            "{share:percent0} of them are (at least {least:percent0} must be). The two differ most "
            "in: {features}.",
            share=self.share,
            least=ENOUGH,
            features=listed([feature_name(one) for one in self._most()]),
        )
        return Check(name, self.share >= ENOUGH, text, ("response_model.",))

    def _most(self) -> list[str]:
        return list(dict.fromkeys(self.table["feature"]))[:3]


def _odds(card: Scorecard, features: pd.DataFrame) -> np.ndarray:
    return card.start + card.step * card.score(features).points


def find_resemblance(contacts: Contacts, model: Model) -> Resemblance:
    """Compare today's customers with those contacted, in what the model uses of customers.

    Parameters
    ----------
    contacts : Contacts
        At most 50,000 of today's customers, drawn by lot, are compared.
    model : Model
    """
    now = contacts.drawn_today
    if now is None:
        why = say("No table tells of today's customers: those of the contacts are scored.")
        return _none(0, why)
    names = [name for name in model.names if name not in OFFER and name in now]
    then, now = contacts.features[names], now[names]
    was = np.repeat([1, 0], [len(then), len(now)])
    card = fit_scorecard(pd.concat([then, now], ignore_index=True), was)
    if card.status == "not_enough_data" or not names:
        why = say(
            "It cannot be told whether today's customers are like those contacted: there are fewer "
            "than {least:count} of either, or nothing is known of them.",
            least=FEW_EVENTS,
        )
        return _none(len(now), why)
    edges = {
        name: band_edges(as_numbers(then[name]), 10) if is_number(then[name]) else None
        for name in names
    }
    levels = {name: _enough(then[name], now[name], edges[name]) for name in names}
    before, today = (
        {name: as_bands(one[name], edges[name]) for name in names} for one in (then, now)
    )
    called = {
        name: [] if edges[name] is None else ranges(edges[name], is_time(then[name]))
        for name in names
    }
    apart, kinds = find_apart(before, today, levels, called)
    found = Resemblance(
        card,
        float(np.log(len(then) / len(now))),
        levels,
        edges,
        apart,
        kinds,
        *(np.nan,) * 3,
        _compared(then, now),
        len(now),
        card.status,
    )
    like = found.like(now)
    low, high = wilson(like.sum(), len(now))
    return replace(found, share=float(like.mean()), low=float(low), high=float(high))


def _none(n: int, why: Message) -> Resemblance:
    empty = pd.DataFrame(columns=COLUMNS)
    return Resemblance(
        None, np.nan, {}, {}, {}, (), *(np.nan,) * 3, empty, n, "not_enough_data", why
    )


def _enough(then: pd.Series, now: pd.Series, edges: np.ndarray | None) -> set[str]:
    """Return the levels that are at least a tenth as frequent among the contacts as today."""
    before, today = (as_bands(one, edges).value_counts(normalize=True) for one in (then, now))
    return set(before.index[before >= LIKE * today.reindex(before.index, fill_value=0)])


def _compared(then: pd.DataFrame, now: pd.DataFrame) -> pd.DataFrame:
    """Return the shares of each level, the features that differ most first."""
    parts, differ = [], []
    for name in then:
        number = is_number(then[name])
        edges = band_edges(as_numbers(then[name]), BANDS) if number else None
        called = ranges(edges, is_time(then[name])) if number else []
        n = [as_bands(one[name], edges).value_counts() for one in (then, now)]
        order = sorted(set(n[0].index) | set(n[1].index), key=natural_order)
        contacted, today = (one.reindex(order, fill_value=0) for one in n)
        words = [
            called[int(one)] if number and one != UNKNOWN else level_name(name, one)
            for one in order
        ]
        parts.append(compare_shares(name, words, contacted, today, ("contacted", "today")))
        c, t = (contacted + 0.5) / (len(then) + 0.5), (today + 0.5) / (len(now) + 0.5)
        differ.append(float(((c - t) * np.log(c / t)).sum()))
    order = np.argsort(-np.array(differ), kind="stable")
    return pd.concat([parts[i] for i in order], ignore_index=True)[COLUMNS]


def resemblance_to_show(resemblance: Resemblance, min_cell: int) -> pd.DataFrame:
    """Return the table for a report: shares, those of fewer than `min_cell` customers masked."""
    return shares_to_show(resemblance.table, ("contacted", "today"), min_cell)
