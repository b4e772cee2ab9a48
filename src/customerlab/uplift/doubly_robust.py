"""Doubly robust scores: one number per customer whose mean over any group is that group's effect.

Robins, Rotnitzky and Zhao (1994): right if either the chances of treatment or the outcomes foretold
are; in an experiment the chances are known.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy

from customerlab.churn.curves import FEW_EVENTS
from customerlab.messages import Message, say


@dataclass(frozen=True)
class Scores:
    """Doubly robust scores, one per customer, in the unit of the outcome.

    Attributes
    ----------
    arm, outcome : ndarray, shape (n,)
        Whether treated (bool), and what followed.
    untreated, treated : ndarray, shape (n,)
        Their means are the mean outcomes if nobody, and if everybody, were treated.
    """

    arm: np.ndarray
    outcome: np.ndarray
    untreated: np.ndarray
    treated: np.ndarray

    @property
    def n(self) -> int:
        """How many customers."""
        return len(self.arm)

    @property
    def effect(self) -> np.ndarray:
        """What treatment changes: the mean over any group is that group's effect."""
        # what rounding leaves of no difference would look like a sure one
        effect = self.treated - self.untreated
        size = np.maximum(np.abs(self.treated), np.abs(self.untreated)).max(initial=0)
        return np.where(np.abs(effect) > 1e-12 * size, effect, 0.0)

    def carried(self, some: np.ndarray | slice = slice(None)) -> int:
        """Return what an answer on `some` customers rests on.

        The customers of the smaller arm; of a 0/1 outcome at most those of the rarer kind.
        """
        arm, outcome = self.arm[some], self.outcome[some]
        least = min(int(arm.sum()), int((~arm).sum()))
        if np.isin(self.outcome, [0, 1]).all():
            least = min(least, int(outcome.sum()), int((1 - outcome).sum()))
        return least

    def take(self, some: np.ndarray) -> Scores:
        """Return the scores of some customers."""
        return Scores(self.arm[some], self.outcome[some], self.untreated[some], self.treated[some])


def score_customers(
    arm: np.ndarray,
    outcome: np.ndarray,
    propensity: np.ndarray | float,
    mu0: np.ndarray | None = None,
    mu1: np.ndarray | None = None,
) -> Scores:
    r"""Return augmented inverse propensity weighted (AIPW) scores.

    .. math:: Y_i(w) \approx \mu_w(x_i) + 1(W_i = w) (Y_i - \mu_w(x_i)) / P(W_i = w)

    Parameters
    ----------
    arm : array, shape (n,)
        1 for treated, 0 for not.
    outcome : array, shape (n,)
        Of any unit, none missing.
    propensity : array, shape (n,), or float
        The chance of treatment, above 0 and below 1.
    mu0, mu1 : array, shape (n,), optional
        The outcome foretold without and with treatment, by a model that has not seen the customer.
        The better they are, the narrower the intervals; none needs to be right where the chances
        are. Without them the mean of each arm, weighted by one over the chance of the arm: then
        the mean score is the plain difference of the arms where all chances are alike.

    Raises
    ------
    ValueError
        When lengths differ, a number is missing, an arm is neither 0 nor 1, only one of `mu0` and
        `mu1` is given, or a chance is not between 0 and 1.
    """
    arm, outcome = np.asarray(arm, dtype=float), np.asarray(outcome, dtype=float)
    chance = np.broadcast_to(np.asarray(propensity, dtype=float), arm.shape)
    if (mu0 is None) != (mu1 is None):
        raise ValueError("mu0 and mu1: give both or neither")
    if arm.ndim != 1 or not np.isin(arm, [0, 1]).all():
        raise ValueError("arm: one number per customer, 0 or 1")
    if not ((chance > 0) & (chance < 1)).all():
        raise ValueError("propensity: chances of treatment must be above 0 and below 1")
    if outcome.shape != arm.shape:
        raise ValueError("outcome: one number per customer, none missing")
    treated = arm == 1
    means = (mu0, mu1)
    if mu0 is None:
        means = (_mean(outcome, ~treated / (1 - chance)), _mean(outcome, treated / chance))
    mu0, mu1 = (np.broadcast_to(np.asarray(mu, dtype=float), arm.shape) for mu in means)
    for name, values in {"outcome": outcome, "mu0": mu0, "mu1": mu1}.items():
        if values.shape != arm.shape or not np.isfinite(values).all():
            raise ValueError(f"{name}: one number per customer, none missing")
    return Scores(
        treated,
        outcome,
        untreated=mu0 + ~treated / (1 - chance) * (outcome - mu0),
        treated=mu1 + treated / chance * (outcome - mu1),
    )


def _mean(outcome: np.ndarray, weight: np.ndarray) -> float:
    # an empty arm tells nothing: what rests on it has the status `not_enough_data`
    return float(np.average(outcome, weights=weight)) if weight.any() else 0.0


@dataclass(frozen=True)
class Estimate:
    """A number with its standard error, 95 % interval, and p-value against 0."""

    value: float
    error: float
    low: float
    high: float
    p: float


def ordered(scores: Scores, priority: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return customers by falling priority, and where in that order each priority begins."""
    priority = np.asarray(priority, dtype=float)
    if priority.shape != (scores.n,) or not np.isfinite(priority).all():
        raise ValueError("priority: one number per customer, none missing")
    order = np.argsort(-priority, kind="stable")
    new = np.append(True, np.diff(priority[order]) != 0)[: scores.n]
    return order, np.flatnonzero(new)


def why_not(scores: Scores, levels: int, called: Message | str) -> Message | None:
    """Say why nothing can be said of an order with so many different priorities, if so."""
    if scores.carried() < FEW_EVENTS:
        return say(
            "Not enough data to say whether some are moved more than others ({called}): of "
            "{n:customers} customers fewer than {least:count} are in one arm, or had the rarer "
            "outcome.",
            called=called,
            n=scores.n,
            least=FEW_EVENTS,
        )
    if levels < 2:
        return say(
            "All customers are foretold to be moved alike ({called}): there is no order to judge.",
            called=called,
        )
    return None


def estimate(value: float, error: float, df: float = np.inf) -> Estimate:
    """Return a number with its 95 % interval, normal or with `df` degrees of freedom."""
    half = scipy.stats.t.ppf(0.975, df) * error
    p = 2 * scipy.stats.t.sf(abs(value) / error, df) if error > 0 else float(value == 0)
    return Estimate(float(value), float(error), float(value - half), float(value + half), float(p))


def nothing() -> Estimate:
    """Return the estimate of what cannot be told."""
    return Estimate(*[float("nan")] * 5)


def mean_of(values: np.ndarray) -> Estimate:
    """Return a mean with Student's interval."""
    n = len(values)
    return estimate(values.mean(), values.std(ddof=1) / np.sqrt(n), n - 1)
