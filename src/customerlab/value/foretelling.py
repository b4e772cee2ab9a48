"""What the BG/NBD model foretells of a customer's history, for given parameters.

Fader, Hardie & Lee (2005), Marketing Science 24:275-284. Times are weeks; histories are counted in
days (:func:`customerlab.value.histories.count_histories`).
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.special import hyp2f1

from customerlab.value.histories import HISTORY

#: Days of a week: the model's unit of time.
WEEK = 7.0

#: b of customers who all stop with the same chance a / (a + b): as good as infinite.
ALIKE = 1e5

#: Nearer to a pole that cancels out, values are taken from both sides.
_POLE = 1e-4


def alive(parameters: np.ndarray, counts: pd.DataFrame) -> np.ndarray:
    """Return the chance that a customer with each history has not stopped, shape (rows,)."""
    return chance_alive(parameters, *arrays_of(counts)[:3])


def buying_chance(parameters: np.ndarray, counts: pd.DataFrame, weeks: float) -> np.ndarray:
    """Return the chance of at least one purchase in the coming weeks, shape (rows,).

    Says more of a customer with a single purchase than :func:`alive`, which is then always 1: in
    this model nobody stops before a second purchase.
    """
    r, alpha = parameters[:2]
    x, last, age, _ = arrays_of(counts)
    quiet = np.exp((r + x) * (np.log(alpha + age) - np.log(alpha + age + weeks)))
    return chance_alive(parameters, x, last, age) * (1 - quiet)


def expected_purchases(parameters: np.ndarray, counts: pd.DataFrame, weeks: float) -> np.ndarray:
    """Return the expected purchases of a customer with each history in the coming weeks.

    Equation 10 of the paper, with Euler's transformation of the hypergeometric function: its
    arguments then stay small however many purchases there were.

    Parameters
    ----------
    parameters : ndarray, shape (4,)
    counts : DataFrame
        ``frequency``, ``recency_days``, ``age_days``.
    weeks : float

    Returns
    -------
    ndarray, shape (rows,)
    """
    x, last, age, _ = arrays_of(counts)
    return chance_alive(parameters, x, last, age) * _while_alive(parameters, x, age, weeks)


def expected_since_first(parameters: np.ndarray, weeks: np.ndarray) -> np.ndarray:
    """Return the expected repeat purchases in so many weeks from the first purchase on."""
    weeks = np.asarray(weeks, dtype=float)
    nothing = np.zeros_like(weeks)
    return _while_alive(parameters, nothing, nothing, weeks)


def chance_alive(
    parameters: np.ndarray, x: np.ndarray, last: np.ndarray, age: np.ndarray
) -> np.ndarray:
    """Return the same as :func:`alive` from arrays as :func:`arrays_of` makes them."""
    r, alpha, a, b = parameters
    some = x > 0
    beyond = beyond_one(b, x)
    odds = np.log(a / beyond) + (r + x) * (np.log(alpha + age) - np.log(alpha + last))
    # a long silence of a busy customer: exp() beyond all numbers, and the chance rightly 0
    return np.where(some, 1 / (1 + np.exp(np.minimum(odds, 700))), 1.0)


def beyond_one(b: float, x: np.ndarray) -> np.ndarray:
    """Return b and one less than the purchases; 1 of no purchase, b where that is infinite."""
    return np.where(x > 0, b if b >= ALIKE else b + x - 1, 1.0)


def _while_alive(
    parameters: np.ndarray, x: np.ndarray, age: np.ndarray, weeks: np.ndarray | float
) -> np.ndarray:
    """Return the expected purchases of a customer who has not stopped by now."""
    r, alpha, a, b = parameters
    if b >= ALIKE:  # events at a gamma rate until each of them stops them with the same chance
        stop = a / (a + b)
        gone = np.log1p(stop * weeks / (alpha + age))
        return -np.expm1(-(r + x) * gone) / stop
    if abs(a - 1) < _POLE:  # where numerator and denominator vanish together
        low, high = (np.array([r, alpha, 1 + side * 2 * _POLE, b]) for side in (-1, 1))
        share = (a - 1 + 2 * _POLE) / (4 * _POLE)
        below, above = (_while_alive(p, x, age, weeks) for p in (low, high))
        return (1 - share) * below + share * above
    c = a + b + x - 1
    c = np.where(np.abs(c) < 1e-7, 1e-7, c)
    z = weeks / (alpha + age + weeks)
    power = np.exp((a - 1) * np.log1p(-z))
    return c / (a - 1) * (1 - power * hyp2f1(a + b - 1 - r, a - 1, c, z))


def arrays_of(counts: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return repeat purchases, weeks to the last and to the end, and customers (1 if not told)."""
    x, last, age = (counts[name].to_numpy(float) for name in HISTORY)
    n = counts["n"].to_numpy(float) if "n" in counts else np.ones(len(counts))
    return x, last / WEEK, age / WEEK, n
