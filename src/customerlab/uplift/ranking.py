"""Whether customers who are foretold to be moved more by a campaign are moved more.

Judged on customers whom the model that foretold has not seen, by doubly robust scores.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy

from customerlab.churn.curves import status_of
from customerlab.findings import Status
from customerlab.messages import Message, say
from customerlab.uplift.doubly_robust import (
    Estimate,
    Scores,
    estimate,
    nothing,
    ordered,
    why_not,
)

#: Shares of customers at which the curve is told.
SHARES = np.arange(1, 21) / 20
#: Numbers that are worked on at once in the half-samples: so many fit into a small memory.
_AT_ONCE = 2_000_000

CURVE = ["share", "gain", "low", "high", "random", "effect", "effect_low", "effect_high"]
CURVE += ["toc", "toc_low", "toc_high"]


@dataclass(frozen=True)
class Ranking:
    """Whether an order of customers puts first those whom treatment moves most.

    Attributes
    ----------
    table : DataFrame
        The curve at shares treated of 5 %, 10 %, ... 100 %, the highest priority first:
        ``share``; ``gain`` (of the outcome, per customer of all, over treating nobody) with
        ``low``, ``high``; ``random``, the gain in a random order; ``effect`` among those treated
        with ``effect_low``, ``effect_high``; ``toc``, by how much that is above the effect among
        all (targeting operator characteristic), with ``toc_low``, ``toc_high``. Each interval holds
        with 95 % by itself. No rows where nothing can be said.
    autoc, qini : Estimate
        Area under the TOC curve, and area between the curve of gains and a random order. Both are
        0 if the order is no better than random, and in the unit of the outcome.
    effect : Estimate
        Of treating all.
    n : int
        Customers.
    status : {"supported", "weak", "not_enough_data"}
    called : Message or str
        The outcome in words.
    why_not : Message or None
        Why nothing can be said, where that is so.
    """

    table: pd.DataFrame
    autoc: Estimate
    qini: Estimate
    effect: Estimate
    n: int
    status: Status
    called: Message | str
    why_not: Message | None = None

    @property
    def tells_apart(self) -> bool:
        """Whether those put first are surely moved more: the interval of AUTOC is above 0."""
        return self.status != "not_enough_data" and bool(self.autoc.low > 0)

    @property
    def text(self) -> Message:
        """The answer in words."""
        if self.why_not is not None:
            return self.why_not
        top = self.table.loc[np.isclose(self.table["share"], 0.2)].iloc[0]
        numbers = {
            "called": self.called,
            "autoc": self.autoc.value,
            "low": self.autoc.low,
            "high": self.autoc.high,
            "p": self.autoc.p,
            "top": float(top["effect"]),
            "all": self.effect.value,
        }
        if self.tells_apart:
            return say(
                "Some are moved more than others ({called}), and it is known beforehand who: among "
                "the fifth put first the effect is {top:number4}, among all {all:number4} (AUTOC "
                "{autoc:number4}, 95 % interval {low:number4} to {high:number4}, p = {p:chance}).",
                **numbers,
            )
        if self.autoc.high < 0:
            return say(
                "The order is worse than a random one ({called}): those put first are moved less "
                "(AUTOC {autoc:number4}, 95 % interval {low:number4} to {high:number4}, p = "
                "{p:chance}). No group to pick.",
                **numbers,
            )
        return say(
            "It is not sure that anyone is moved more than others ({called}): the order is not "
            "surely better than a random one (AUTOC {autoc:number4}, 95 % interval {low:number4} "
            "to {high:number4}, p = {p:chance}). No group to pick.",
            **numbers,
        )


def rank_effects(
    scores: Scores,
    priority: np.ndarray,
    *,
    rng: np.random.Generator,
    called: Message | str | None = None,
    draws: int = 200,
) -> Ranking:
    r"""Judge an order by rank-weighted average treatment effects.

    With customers in the order of priority and :math:`\Gamma` their scores,

    .. math::
        TOC(j/n) = \frac1j \sum_{i \le j} \Gamma_i - \bar\Gamma, \quad
        AUTOC = \frac1n \sum_j TOC(j/n), \quad QINI = \frac1n \sum_j \frac jn TOC(j/n),

    scores of equal priority replaced by their mean. Standard errors are standard deviations over
    halves of the customers, drawn without replacement and ranked anew; intervals are normal
    (Yadlowsky, Fleming, Shah, Brunskill and Wager, "Evaluating Treatment Prioritization Rules via
    Rank-Weighted Average Treatment Effects", J. Am. Stat. Assoc. 2025; as R's package grf).

    Parameters
    ----------
    scores : Scores
    priority : array, shape (n,)
        Predicted uplift, by a model that has not seen these customers' outcomes.
    rng : Generator
        Of the halves.
    called : Message or str, optional
        The outcome in words.
    draws : int

    Raises
    ------
    ValueError
        When a priority is missing, or the lengths differ.
    """
    called = say("the outcome") if called is None else called
    order, starts = ordered(scores, priority)
    why, status = why_not(scores, len(starts), called), status_of(scores.carried())
    if why is not None:
        empty = pd.DataFrame({name: pd.Series(dtype=float) for name in CURVE})
        return Ranking(
            empty, nothing(), nothing(), nothing(), scores.n, "not_enough_data", called, why
        )
    effect = scores.effect[order]
    at = _whole(effect, starts)
    drawn = _halves(effect, starts, rng, draws)
    error = drawn.std(axis=0, ddof=1)
    # what rounding leaves of 0 is 0
    tiny = 1e-12 * np.abs(effect).max()
    at, error = (np.where(np.abs(x) > tiny, x, 0.0) for x in (at, error))
    autoc, qini, mean = (estimate(*two) for two in zip(at[:3], error[:3], strict=True))
    k = len(SHARES)
    half = scipy.stats.norm.ppf(0.975) * error
    gain, toc = slice(3, 3 + k), slice(3 + k, 3 + 2 * k)
    table = pd.DataFrame(
        {
            "share": SHARES,
            "gain": at[gain],
            "low": at[gain] - half[gain],
            "high": at[gain] + half[gain],
            "random": SHARES * mean.value,
            "effect": at[gain] / SHARES,
            "effect_low": (at[gain] - half[gain]) / SHARES,
            "effect_high": (at[gain] + half[gain]) / SHARES,
            "toc": at[toc],
            "toc_low": at[toc] - half[toc],
            "toc_high": at[toc] + half[toc],
        },
        columns=CURVE,
    )
    return Ranking(table, autoc, qini, mean, scores.n, status, called)


def _halves(
    effect: np.ndarray, starts: np.ndarray, rng: np.random.Generator, draws: int
) -> np.ndarray:
    """Return :func:`_curve` of `draws` halves of the customers."""
    n, parts = len(effect), []
    for first in range(0, draws, max(1, _AT_ONCE // n)):
        some = min(draws - first, max(1, _AT_ONCE // n))
        drawn = np.argpartition(rng.random((some, n)), n // 2, axis=1)[:, : n // 2]
        kept = np.zeros((some, n), dtype=bool)
        np.put_along_axis(kept, drawn, True, axis=1)
        if len(starts) == n:
            each = np.broadcast_to(effect, kept.shape)[kept].reshape(some, n // 2)
            parts.append(_curve(each, np.ones_like(each)))
            continue
        count = np.add.reduceat(kept, starts, axis=1, dtype=float)
        parts.append(_curve(np.add.reduceat(kept * effect, starts, axis=1), count))
    return np.concatenate(parts)


def _whole(effect: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Return :func:`_curve` of all customers."""
    count = np.diff(np.append(starts, len(effect))).astype(float)
    return _curve(np.add.reduceat(effect, starts)[None], count[None])[0]


def _curve(total: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Return AUTOC, QINI, the mean effect, gains and TOC at :data:`SHARES`, for each row.

    `total` holds the scores summed, and `count` the customers, by priority from the highest. Each
    sum over ranks j is taken as a sum of scores times a weight of their rank i: ``1/i + ... + 1/n -
    1`` for AUTOC, ``(n + 1 - 2 i) / 2n`` for QINI, averaged over customers of the same priority.
    """
    ends = count.cumsum(axis=1)
    n = round(ends[0, -1])
    ranks = np.arange(1, n + 1)
    weights = np.stack([(1 / ranks[::-1]).cumsum()[::-1] - 1, (n + 1 - 2 * ranks) / (2 * n)])
    if (count == 1).all():
        areas = total @ weights.T / n
    else:
        up_to = np.hstack([np.zeros((2, 1)), weights.cumsum(axis=1)])
        each = np.divide(total, count, out=np.zeros_like(total), where=count > 0)
        before, after = (ends - count).round().astype(int), ends.round().astype(int)
        areas = np.stack([(each * (x[after] - x[before])).sum(axis=1) for x in up_to], axis=1) / n
    gains = np.empty((len(total), len(SHARES)))
    for row, x, y in zip(gains, ends, total.cumsum(axis=1), strict=True):
        row[:] = np.interp(SHARES * n, np.append(0, x), np.append(0, y)) / n
    mean = total.sum(axis=1) / n
    return np.column_stack([areas, mean, gains, gains / SHARES - mean[:, None]])
