"""How far today's customers are like those who were contacted: no lot drew whom to call.

A scorecard tells those contacted from today's customers. Where a kind of customer was hardly ever
contacted, a chance of theirs is a guess. Crump, Hotz, Imbens and Mitnik (2009, *Biometrika* 96)
leave out whose chance to be contacted lies below a tenth; here both groups are samples of their
own, so it is the odds against those of all that count: below a tenth, like customers are less than
a tenth as frequent among those contacted as they are today.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from customerlab.churn.curves import FEW_EVENTS
from customerlab.churn.smooth import wilson
from customerlab.features import feature_name
from customerlab.findings import Check, Finding, Status
from customerlab.messages import Message, listed, say
from customerlab.response.contacts import OFFER, Contacts
from customerlab.response.modelling import Model
from customerlab.response.scorecard import Scorecard, fit_scorecard
from customerlab.response.shares import shares_to_show

#: Odds to have been contacted, over those of all, from which a customer is like those contacted.
LIKE = 0.1
#: So many of today's customers must be, for the model to stand for all.
ENOUGH = 0.9
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
    share, low, high : float
        Of today's customers, like those contacted, with 95 % interval; missing where not judged.
    table : DataFrame
        Where the two differ: ``feature``, ``level`` (words), ``n_contacted`` contacts, ``n_today``
        customers compared, the level's share of each (``contacted``, ``today``) and the ``ratio``
        of these shares; the most telling feature first. No rows where nothing differs.
    n : int
        Today's customers compared.
    status : {"supported", "weak", "not_enough_data"}
    """

    card: Scorecard | None
    usual: float
    share: float
    low: float
    high: float
    table: pd.DataFrame
    n: int
    status: Status

    def like(self, features: pd.DataFrame) -> np.ndarray:
        """Say which customers are like those contacted; nobody where it cannot be judged."""
        if self.card is None:
            return np.zeros(len(features), dtype=bool)
        return _odds(self.card, features) - self.usual >= np.log(LIKE)

    @property
    def finding(self) -> Finding:
        """``response_model.resemble``: the share of today's customers like those contacted."""
        id_ = "response_model.resemble"
        if self.card is None:
            return Finding(id_, _NOT_JUDGED, unit="percent", n=self.n, status="not_enough_data")
        text = say(
            "{share:percent0} of today's customers are like those who were contacted; what the "
            "model says of the others is a guess, and nobody of them is proposed.",
            share=self.share,
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
        if self.card is None:
            return Check(name, None, _NOT_JUDGED)
        facts = {"share": self.share, "least": ENOUGH}
        if self.table.empty:
            text = say(
                "{share:percent0} of them are (at least {least:percent0} must be): nothing that is "
                "known tells the two apart.",
                **facts,
            )
        else:
            text = say(
                "{share:percent0} of them are (at least {least:percent0} must be). The two differ "
                "most in: {features}.",
                features=listed([feature_name(one) for one in self._most()]),
                **facts,
            )
        return Check(name, self.share >= ENOUGH, text, ("response_model.",))

    def _most(self) -> list[str]:
        return list(dict.fromkeys(self.table["feature"]))[:3]


_NOT_JUDGED: Message = say(
    "It cannot be told whether today's customers are like those contacted: there are fewer than "
    "{least:count} of either.",
    least=FEW_EVENTS,
)


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
    empty = pd.DataFrame(columns=COLUMNS)
    if now is None:
        return Resemblance(None, np.nan, np.nan, np.nan, np.nan, empty, 0, "not_enough_data")
    names = [name for name in model.names if name not in OFFER and name in now]
    then = contacts.features[names]
    both = pd.concat([then, now[names]], ignore_index=True)
    was = np.repeat([1, 0], [len(then), len(now)])
    card = fit_scorecard(both, was)
    if card.status == "not_enough_data":
        return Resemblance(None, np.nan, np.nan, np.nan, np.nan, empty, len(now), card.status)
    usual = float(np.log(len(then) / len(now)))
    like = _odds(card, now[names]) - usual >= np.log(LIKE)
    low, high = wilson(like.sum(), len(now))
    ends = (float(like.mean()), float(low), float(high))
    return Resemblance(
        card, usual, *ends, _compared(card, len(then), len(now)), len(now), card.status
    )


def _compared(card: Scorecard, then: int, now: int) -> pd.DataFrame:
    """Return the shares of each level of the features in which the two differ."""
    table = card.table
    contacted, today = table["responders"].astype("int64"), table["n"] - table["responders"]
    found = pd.DataFrame(
        {
            "feature": table["feature"],
            "level": table["bin"],
            "n_contacted": contacted,
            "n_today": today.astype("int64"),
            "contacted": contacted / then,
            "today": today.astype(float) / now,
        }
    )
    found["ratio"] = found["contacted"] / found["today"].where(found["today"] > 0)
    return found[COLUMNS]


def resemblance_to_show(resemblance: Resemblance, min_cell: int) -> pd.DataFrame:
    """Return the table for a report: shares, those of fewer than `min_cell` customers masked."""
    return shares_to_show(resemblance.table, ("contacted", "today"), min_cell)
