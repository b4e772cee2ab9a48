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
from customerlab.response.binning import Bins, find_bins, information
from customerlab.response.columns import as_bands, count_levels

#: So many points double the odds of a response.
DOUBLE = 20
#: Columns that tell less (information value) than this, or than chance would, are left out.
LITTLE = 0.01
#: How far a bin's log-odds beside the other columns may lie from what its column's evidence says
#: (standard deviation): less, and columns that go together mislead; more, and chance does.
ASIDE = 0.2
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
            unseen = place == len(bins.names)
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
    bins, place, told = {}, {}, {}
    for name in features:
        # what tells nothing in twenty bands tells nothing in six bins, and need not be cut
        coarse = count_levels(as_bands(features[name]), responded)
        if information(coarse["n"], coarse["events"]) < _least(coarse, n, events):
            continue
        one = find_bins(features[name], responded, max_bins=max_bins)
        if len(one.names) > 1 and one.information >= LITTLE:
            bins[name], told[name] = one, one.information
            place[name] = one.place(features[name])
    factor = double / np.log(2)
    points, total = {}, np.zeros(n)
    for name, exact in _regress(bins, place, responded).items():
        mine = np.round(factor * (exact - exact.min())).astype("int64")
        if mine.max() == 0:  # not worth a point
            continue
        mean = int(np.round(bins[name].n @ mine / bins[name].n.sum()))
        points[name] = np.append(mine, mean)
        total += points[name][place[name]]
    used = {name: bins[name] for name in points}
    start = _level(total / factor, events, n)
    parts = [_tabulate(name, bins[name], points[name]) for name in sorted(used, key=told.get)[::-1]]
    table = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=COLUMNS)
    return Scorecard(table, used, points, start, 1 / factor, events, n, status)


def _least(coarse: pd.DataFrame, n: int, events: int) -> float:
    """Return the information value below which a column is left out.

    Where a column tells nothing, its information value times the events is about chi-squared: its
    mean is the levels less one over the events (and the rest).
    """
    by_chance = (len(coarse) - 1) * (1 / events + 1 / (n - events))
    return max(LITTLE, by_chance)


def _regress(
    bins: dict[str, Bins], place: dict[str, np.ndarray], responded: np.ndarray
) -> dict[str, np.ndarray]:
    r"""Return what each bin adds to the log-odds beside the other columns.

    Of bin :math:`b` of column :math:`f` it is :math:`w_f e_{fb} + d_{fb}` with the weight of
    evidence :math:`e`, :math:`w_f \ge 0`, and a penalty on :math:`d` as if it were normal around 0
    with standard deviation :data:`ASIDE`. A column whose :math:`w` would be below 0 is left out.
    """
    names = list(bins)
    while names:
        weight, added = _fit([bins[one] for one in names], [place[one] for one in names], responded)
        if (weight > 0).all():
            return dict(zip(names, added, strict=True))
        names = [name for name, one in zip(names, weight, strict=True) if one > 0]
    return {}


def _fit(
    bins: list[Bins], place: list[np.ndarray], responded: np.ndarray
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return each column's weight, and what its bins add."""
    import scipy.optimize  # slow to import

    cell = np.zeros(len(responded), dtype="int64")
    for one, mine in zip(bins, place, strict=True):
        cell = pd.factorize(cell * len(one.names) + mine)[0]
    _, first = np.unique(cell, return_index=True)
    n, yes = np.bincount(cell), np.bincount(cell, responded)
    evidence = [one.evidence[:-1] for one in bins]
    starts = np.append(0, np.cumsum([len(one) for one in evidence]))
    design = np.zeros((len(n), starts[-1]))
    for start, mine in zip(starts, place, strict=False):
        design[np.arange(len(n)), start + mine[first]] = 1
    whose = np.repeat(np.arange(len(bins)), np.diff(starts))
    known, columns = np.concatenate(evidence), len(bins)
    # the weights are near 1 by construction: a hint of shrinkage only keeps them finite
    penalty = np.concatenate([[0], np.full(columns, 0.1), np.full(len(known), ASIDE**-2)])

    def loss(at: np.ndarray) -> tuple[float, np.ndarray]:
        logit = at[0] + design @ (at[1 : columns + 1][whose] * known + at[columns + 1 :])
        value = n @ np.logaddexp(0, logit) - yes @ logit + penalty @ at**2 / 2
        off = n / (1 + np.exp(-logit)) - yes
        pull = design.T @ off
        slope = np.concatenate([[off.sum()], np.bincount(whose, pull * known), pull])
        return float(value), slope + penalty * at

    start = np.concatenate(
        [[np.log(yes.sum() / (n - yes).sum())], np.full(columns, 0.5), np.zeros(len(known))]
    )
    bounds = [(None, None)] + [(0, None)] * columns + [(None, None)] * len(known)
    settings = {"maxiter": 1000, "ftol": 1e-12, "gtol": 1e-6}
    found = scipy.optimize.minimize(
        loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options=settings
    ).x
    added = found[1 : columns + 1][whose] * known + found[columns + 1 :]
    return found[1 : columns + 1], np.split(added, starts[1:-1])


def _level(logit: np.ndarray, events: int, n: int) -> float:
    """Return what to add to the log-odds, so that as many are expected as responded."""
    add = float(np.log(events / (n - events)))
    for _ in range(50):
        chance = 1 / (1 + np.exp(-(logit + add)))
        step = (events - chance.sum()) / (chance * (1 - chance)).sum()
        add += float(np.clip(step, -2, 2))
        if abs(step) < 1e-10:
            break
    return add


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
