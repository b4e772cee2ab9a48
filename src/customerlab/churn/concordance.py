r"""How well a model orders customers by when they leave.

Concordance is Harrell's C: of all pairs of customers of whom it is known who left first, the share
in which the one with the higher risk did; an equal risk counts half. As in R's ``concordance``
two who leave in the same month are no such pair, and who was last seen in the month of an exit
stayed longer than the one who left. With late entry only those at risk at the exit are compared.
The standard error is the infinitesimal jackknife's (Therneau and Watson 2017), with the risks
taken as given:

.. math:: d_j = \frac{1}{N}\Bigl(\frac{\partial (C - D)}{\partial w_j}
    - \frac{C - D}{N} \frac{\partial N}{\partial w_j}\Bigr), \quad
    \operatorname{se} = \frac{1}{2} \sqrt{\sum_j n_j d_j^2}

for :math:`n_j` customers alike, :math:`C` concordant and :math:`D` discordant pairs of :math:`N`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
import scipy

from customerlab.churn.cox import Cox, at_risk_data
from customerlab.churn.curves import status_of
from customerlab.churn.proportional import check_fitted
from customerlab.findings import Status
from customerlab.messages import Message, say

_Z = float(scipy.special.ndtri(0.975))

#: Risks that differ by less are equal: what rounding makes of the same features.
_DECIMALS = 10


@dataclass(frozen=True)
class Concordance:
    """How often the customer with the higher risk left first.

    Attributes
    ----------
    value, std_error, low, high : float
        With the 95 % interval, within 0 and 1. A half is what chance gives. Missing without pairs.
    concordant, discordant, tied : float
        Pairs of customers; `tied` have the same risk.
    events : int
    status : str
    """

    value: float
    std_error: float
    low: float
    high: float
    concordant: float
    discordant: float
    tied: float
    events: int
    status: Status

    @property
    def text(self) -> Message:
        """The number in a sentence."""
        if self.status == "not_enough_data":
            return say(
                "With {events:customers} exits it cannot be said how well the model orders the "
                "customers.",
                events=self.events,
            )
        return say(
            "Of two customers of whom one left earlier, the model gives that one the higher risk "
            "in {value:percent} of the cases (95 % interval {low:percent} to {high:percent}; "
            "chance alone gives 50 %).",
            value=self.value,
            low=self.low,
            high=self.high,
        )


def concordance(
    risk: Cox | Sequence[float],
    counts: pd.DataFrame,
    *,
    time: str = "duration",
    event: str = "churned",
    entry: str | None = None,
    weight: str = "n",
) -> Concordance:
    """Compare a model's risks with who left first.

    Parameters
    ----------
    risk : Cox, or one number for each row of `counts`
        A Cox model must have been fitted to these counts. In numbers, higher means sooner.
    counts : DataFrame
        Counts of customers who are alike, whatever their number: the result is that of the rows.
    time, event, entry, weight : str
        As in :func:`customerlab.churn.fit_cox`.

    Notes
    -----
    One pass over the times of exit, each with sums over the distinct risks.
    """
    if isinstance(risk, Cox):
        names = {"time": time, "event": event, "entry": entry, "weight": weight}
        data = at_risk_data(counts, list(dict.fromkeys(risk.table["term"])), **names)
        if risk.status == "not_enough_data":
            return _concordance_of(0.0, 0.0, 0.0, 0.0, risk.events)
        check_fitted(risk, data)
        used, eta = data.cells, data.risk_sets.x @ risk.table["coefficient"].to_numpy(float)
    else:
        eta = np.asarray(risk, dtype=float)
        seen = counts[weight].to_numpy() > 0
        if entry is not None:
            seen &= (counts[time] > counts[entry]).to_numpy()
        used, eta = counts.loc[seen], eta[seen]
    left, stop = used[event].to_numpy(bool), used[time].to_numpy(float)
    n = used[weight].to_numpy(float)
    times = np.unique(stop[left])
    begin = np.searchsorted(times, used[entry], "right") if entry else np.zeros(len(used), int)
    # who leaves at a time is no longer compared at it; who is last seen then still is
    end = np.where(left, np.searchsorted(times, stop), np.searchsorted(times, stop, "right"))
    pairs, influence = _pairs(np.round(eta, _DECIMALS), n, left, times, stop, begin, end)
    total = pairs.sum()
    if not total:
        return _concordance_of(*pairs, float("nan"), int(n[left].sum()))
    somer = (pairs[0] - pairs[1]) / total
    d = (influence[:, 0] - influence[:, 1] - somer * influence.sum(axis=1)) / total
    return _concordance_of(*pairs, float(np.sqrt(n @ d**2)) / 2, int(n[left].sum()))


def _concordance_of(concordant, discordant, tied, std_error, events) -> Concordance:
    total = concordant + discordant + tied
    value = (concordant + tied / 2) / total if total else float("nan")
    std_error = std_error if total else float("nan")
    low, high = np.clip([value - _Z * std_error, value + _Z * std_error], 0, 1)
    status = status_of(events) if total else "not_enough_data"
    pairs = float(concordant), float(discordant), float(tied)
    return Concordance(value, std_error, float(low), float(high), *pairs, events, status)


def _pairs(eta, n, left, times, stop, begin, end):
    """Return concordant, discordant and tied pairs, and what one customer of each row adds."""
    distinct, at = np.unique(eta, return_inverse=True)
    compared = begin < end
    come = _by_time(np.flatnonzero(compared), begin, len(times))
    go = _by_time(np.flatnonzero(compared), end, len(times))
    when = np.where(left, np.searchsorted(times, stop), -1)
    exits_at = _by_time(np.flatnonzero(left), when, len(times))
    there = np.zeros(len(distinct))  # customers at risk by risk
    seen = np.zeros((3, len(distinct)))  # exits so far of higher, lower, equal risk
    pairs, influence = np.zeros(3), np.zeros((len(eta), 3))
    for t in range(len(times)):
        np.add.at(there, at[come[t]], n[come[t]])
        np.subtract.at(there, at[go[t]], n[go[t]])
        influence[come[t]] -= seen[:, at[come[t]]].T
        influence[go[t]] += seen[:, at[go[t]]].T
        rows = exits_at[t]
        upto = there.cumsum()
        level = at[rows]
        lower, equal = upto[level] - there[level], there[level]
        mine = np.column_stack([lower, upto[-1] - lower - equal, equal])
        influence[rows] += mine
        pairs += n[rows] @ mine
        gone = np.bincount(level, weights=n[rows], minlength=len(distinct))
        below = gone.cumsum() - gone
        seen += np.stack([gone.sum() - below - gone, below, gone])
    last = np.flatnonzero(compared & (end == len(times)))
    influence[last] += seen[:, at[last]].T
    return pairs, influence


def _by_time(rows: np.ndarray, when: np.ndarray, k: int) -> list[np.ndarray]:
    """Return which of `rows` belong to each of `k` times."""
    rows = rows[np.argsort(when[rows], kind="stable")]
    bounds = np.searchsorted(when[rows], np.arange(k + 1))
    return [rows[a:b] for a, b in pairwise(bounds)]
