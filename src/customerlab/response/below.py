"""A few below the line are contacted all the same, by lot: so the rule itself is tested."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy


@dataclass(frozen=True)
class Below:
    """Who below the cut-off is contacted by lot.

    Attributes
    ----------
    drawn : ndarray of bool, shape (customers,)
        Contact them, and count how many respond.
    needed : float
        How many show with 80 % power, at a one-sided 5 %, that those below respond less often than
        pays, if they respond as often as is expected. Infinite where they are expected to pay.
    expected_rate : float
        The mean chance of those below; missing where nobody is.
    cost : float
        What the test is expected to cost: contacts less the margin of those who respond.
    """

    drawn: np.ndarray
    needed: float
    expected_rate: float
    cost: float


def size_of_test(pays: float, mean: float) -> float:
    """Return how many customers show that a share is below what pays; see :func:`draw_below`.

    Parameters
    ----------
    pays, mean : float
        The share from which a contact pays, and the one that is expected.
    """
    pays = min(pays, 1.0)
    if mean >= pays:
        return np.inf
    z = scipy.special.ndtri([0.95, 0.8])
    spread = z @ np.sqrt([pays * (1 - pays), mean * (1 - mean)])
    return float(np.ceil((spread / (pays - mean)) ** 2))


def draw_below(
    chance: np.ndarray,
    cutoff: float,
    rng: np.random.Generator,
    *,
    contact_cost: float,
    margin: float,
    most: int | None = None,
) -> Below:
    r"""Draw the random hold-out below the line.

    .. math:: n = \left(\frac{z_{0.95}\sqrt{r(1-r)} + z_{0.8}\sqrt{m(1-m)}}{r - m}\right)^2

    with the chance :math:`r` from which a contact pays, and the mean chance :math:`m` below the
    line (the usual size of a test of one share, Fleiss 1981).

    Parameters
    ----------
    chance : array, shape (customers,)
    cutoff : float
    rng : Generator
    contact_cost, margin : float
    most : int, optional
        No more are drawn, whatever is needed.
    """
    chance = np.asarray(chance, dtype=float)
    below = np.flatnonzero(chance < cutoff)
    drawn = np.zeros(len(chance), dtype=bool)
    if not len(below):
        return Below(drawn, np.nan, np.nan, 0.0)
    mean = float(chance[below].mean())
    needed = size_of_test(contact_cost / margin, mean)
    room = len(below) if most is None else min(most, len(below))
    size = int(min(needed, room))
    drawn[rng.permutation(below)[:size]] = True
    return Below(drawn, needed, mean, size * (contact_cost - margin * mean))
