"""Predicted uplift against observed: by fifth of the predictions, and by a line."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from customerlab.churn.curves import FEW_EVENTS, status_of
from customerlab.findings import Status
from customerlab.messages import Message, say
from customerlab.uplift.doubly_robust import (
    Estimate,
    Scores,
    estimate,
    mean_of,
    nothing,
    ordered,
    why_not,
)

FIFTHS = ["fifth", "n", "predicted", "observed", "low", "high", "status"]


@dataclass(frozen=True)
class UpliftCalibration:
    """Predicted uplift against observed.

    Attributes
    ----------
    table : DataFrame
        By ``fifth`` of predicted uplift (1 is the highest; customers of equal prediction stay
        together, so there may be fewer): ``n`` customers, mean ``predicted``, ``observed`` effect
        with its 95 % interval ``low`` to ``high``, ``status``.
    slope : Estimate
        How much observed uplift rises with 1 of predicted: 1 is right, 0 is nothing foretold.
    n : int
    status : {"supported", "weak", "not_enough_data"}
    text : Message
    """

    table: pd.DataFrame
    slope: Estimate
    n: int
    status: Status
    text: Message


def calibrate_uplift(
    scores: Scores, priority: np.ndarray, *, called: Message | str | None = None
) -> UpliftCalibration:
    """Compare predicted uplift with observed, by fifth and by a line.

    The line is the least-squares one of scores on predictions, the best linear predictor of the
    effect (Chernozhukov, Demirer, Duflo and Fernandez-Val 2018), its standard error robust to
    unequal variances (HC1). Intervals with Student's t.

    Parameters
    ----------
    scores : Scores
    priority : array, shape (n,)
        Predicted uplift in the unit of the outcome, by a model that has not seen these customers.
    called : Message or str, optional
        The outcome in words.
    """
    called = say("the outcome") if called is None else called
    order, starts = ordered(scores, priority)
    why, status = why_not(scores, len(starts), called), status_of(scores.carried())
    if why is not None:
        empty = pd.DataFrame({name: pd.Series(dtype=float) for name in FIFTHS})
        empty = empty.astype({"status": object})
        return UpliftCalibration(empty, nothing(), scores.n, "not_enough_data", why)
    predicted, effect = np.asarray(priority, dtype=float)[order], scores.effect[order]
    sizes = np.diff(np.append(starts, scores.n))
    # where the middle of those alike lies decides for all of them
    fifth = np.repeat(np.ceil(5 * (starts + sizes / 2) / scores.n).astype(int), sizes)
    rows = []
    for one in np.unique(fifth):
        own = fifth == one
        n, carried = int(own.sum()), scores.carried(order[own])
        seen = mean_of(effect[own]) if carried >= FEW_EVENTS else nothing()
        mean = float(predicted[own].mean())
        row = (int(one), n, mean, seen.value, seen.low, seen.high, status_of(carried))
        rows.append(row)
    off = predicted - predicted.mean()
    value = off @ effect / (off @ off)
    left = effect - effect.mean() - value * off
    df = scores.n - 2
    error = np.sqrt(scores.n / df * (off**2 @ left**2)) / (off @ off)
    slope = estimate(value, error, df)
    numbers = {"called": called, "slope": slope.value, "low": slope.low, "high": slope.high}
    if slope.low > 1:
        text = say(
            "Predicted uplift is too cautious ({called}): for each 1 that it differs between "
            "customers, observed uplift differs by {slope:number2} (95 % interval {low:number2} "
            "to {high:number2}).",
            **numbers,
        )
    elif slope.high < 1:
        text = say(
            "Predicted uplift lies too far apart ({called}): for each 1 that it differs between "
            "customers, observed uplift differs by {slope:number2} (95 % interval {low:number2} "
            "to {high:number2}).",
            **numbers,
        )
    else:
        text = say(
            "Predicted uplift agrees with the observed as far as can be seen ({called}): for each "
            "1 that it differs between customers, observed uplift differs by {slope:number2} "
            "(95 % interval {low:number2} to {high:number2}; 1 is right).",
            **numbers,
        )
    return UpliftCalibration(pd.DataFrame(rows, columns=FIFTHS), slope, scores.n, status, text)
