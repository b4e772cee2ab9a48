"""A scorecard: points for what is known of a customer, which a branch can add up by hand.

Each column is cut into few bins by ``optbinning``; a logistic regression says how many points each
bin is worth beside the other columns. It leans to the bins' weights of evidence, which the usual
scorecard multiplies by one number a column (Siddiqi 2006, *Credit risk scorecards*): where columns
go together, as age and salary do, the evidence of a bin is in part that of another column's.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from customerlab.churn.curves import status_of
from customerlab.churn.smooth import wilson
from customerlab.features import feature_name
from customerlab.findings import Status
from customerlab.messages import Message, say
from customerlab.privacy import HIDDEN
from customerlab.response.beside import find_columns, find_level
from customerlab.response.binning import Bins

#: So many points double the odds of a response.
DOUBLE = 20
COLUMNS = ["feature", "bin", "n", "responders", "rate", "rate_low", "rate_high"]
COLUMNS += ["evidence", "points", "information"]


@dataclass(frozen=True)
class Scorecard:
    """Points that add up to a chance of responding.

    Attributes
    ----------
    table : DataFrame
        One row per ``feature`` and ``bin`` (words): ``n`` contacts and ``responders`` it was learnt
        from, ``rate`` with Wilson's 95 % interval ``rate_low`` to ``rate_high``, ``evidence`` (log
        of the odds over those of all), ``points`` (the worst bin of a column has 0), and the
        column's ``information`` value. No rows where too few responded.
    bins : dict of str to Bins
        Of the columns used.
    points : dict of str to ndarray
        One for each bin of a column, and last that of a value never seen, or no column at all: the
        average of the contacts.
    start, step : float
        The log-odds with 0 points, and what one point adds.
    responders, n : int
        That it was learnt from.
    status : {"supported", "weak", "not_enough_data"}
    """

    table: pd.DataFrame
    bins: dict[str, Bins]
    points: dict[str, np.ndarray]
    start: float
    step: float
    responders: int
    n: int
    status: Status
    why_not: Message | None = None

    def score(self, features: pd.DataFrame) -> Scored:
        """Return points and chance of each contact, and what the model had never seen."""
        total = np.zeros(len(features), dtype="int64")
        weak, rows = np.zeros(len(features), dtype=bool), []
        for name, bins in self.bins.items():
            if name not in features:
                total += self.points[name][-1]
                weak |= True
                rows.append((name, "column", len(features)))
                continue
            place = bins.place(features[name])
            unseen = place == len(bins.n)
            total += self.points[name][place]
            weak |= unseen
            if unseen.any():
                rows.append((name, "value", int(unseen.sum())))
        chance = 1 / (1 + np.exp(-(self.start + self.step * total)))
        return Scored(total, chance, weak, pd.DataFrame(rows, columns=["feature", "what", "n"]))


@dataclass(frozen=True)
class Scored:
    """Points and chances.

    Attributes
    ----------
    points : ndarray of int, shape (contacts,)
    chance : ndarray, shape (contacts,)
    weak : ndarray of bool, shape (contacts,)
        Where something was missing or new, and counts as the average.
    unseen : DataFrame
        ``feature``, ``what`` (``column``: not in the data; ``value``: never seen when the points
        were worked out), ``n`` contacts.
    """

    points: np.ndarray
    chance: np.ndarray
    weak: np.ndarray
    unseen: pd.DataFrame = field(repr=False)


def fit_scorecard(
    features: pd.DataFrame, responded: np.ndarray, *, max_bins: int = 6, double: int = DOUBLE
) -> Scorecard:
    """Work out the points.

    A column whose points would run against its own rates, because others say the same better, is
    left out: nobody could explain it.

    Parameters
    ----------
    features : DataFrame
        One row per contact; numbers, times or texts, missing ones a bin of their own.
    responded : array of 0 and 1, shape (contacts,)
    max_bins : int
        Of a column, besides that of missing values.
    double : int
        Points that double the odds.
    """
    responded = np.asarray(responded).astype("int64")
    n, events = len(responded), int(responded.sum())
    status = status_of(min(events, n - events))
    if status == "not_enough_data":
        why = say(
            "Not enough data for a scorecard: fewer than 30 contacts were followed by a response, "
            "or fewer than 30 were not. Until there are more, everybody has the same chance."
        )
        # one response more on each side: nobody's chance is 0 or 1
        start = float(np.log((events + 1) / (n - events + 1)))
        empty = pd.DataFrame(columns=COLUMNS)
        return Scorecard(empty, {}, {}, start, np.log(2) / double, events, n, status, why)
    bins, place, added = find_columns(features, responded, max_bins)
    factor = double / np.log(2)
    points, total = {}, np.zeros(n)
    for name, exact in added.items():
        mine = np.round(factor * (exact - exact.min())).astype("int64")
        if mine.max() == 0:  # not worth a point
            continue
        mean = int(np.round(bins[name].n @ mine / bins[name].n.sum()))
        points[name] = np.append(mine, mean)
        total += points[name][place[name]]
    used = {name: bins[name] for name in points}
    start = find_level(total / factor, events, n)
    parts = [_tabulate(name, bins[name], points[name]) for name in _telling(used)]
    table = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=COLUMNS)
    return Scorecard(table, used, points, start, 1 / factor, events, n, status)


def _telling(bins: dict[str, Bins]) -> list[str]:
    """Return the columns, those that tell most alone first."""
    return sorted(bins, key=lambda name: bins[name].information, reverse=True)


def _tabulate(name: str, bins: Bins, points: np.ndarray) -> pd.DataFrame:
    low, high = wilson(bins.events, bins.n)
    return pd.DataFrame(
        {
            "feature": name,
            "bin": bins.names,
            "n": bins.n,
            "responders": bins.events,
            "rate": bins.events / bins.n,
            "rate_low": low,
            "rate_high": high,
            "evidence": bins.evidence[:-1],
            "points": points[:-1],
            "information": bins.information,
        },
        columns=COLUMNS,
    )


def scorecard_to_show(card: Scorecard, min_cell: int) -> pd.DataFrame:
    """Return the table ``scorecard.csv`` of a report: what a branch reads, without counts.

    ``feature``, ``bin``, ``points``, ``rate``, ``rate_low``, ``rate_high``; rates of fewer than
    `min_cell` contacts, responders or others read ``hidden``.
    """
    table = card.table
    shown = table[["feature", "bin", "points", "rate", "rate_low", "rate_high"]].copy()
    few = np.zeros(len(table), dtype=bool)
    for count in (table["n"], table["responders"], table["n"] - table["responders"]):
        few |= count.astype(float).between(1, min_cell - 1).to_numpy()
    for column in ("rate", "rate_low", "rate_high"):
        shown[column] = shown[column].astype(object).mask(few, HIDDEN)
    return shown.assign(feature=[feature_name(name) for name in table["feature"]])
