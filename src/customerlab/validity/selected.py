"""Where to cut a measure in two so that an outcome differs most, and whether that is chance.

Answers, for a bank manager: "from which amount on do customers come back more often, and would
a cut as good as this one turn up in data where the amount does not matter at all?" Who searches
all cuts for the best finds a difference always; the p-value here takes the search into account.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
import scipy

#: Up to so many customers the p-value is exact (one step for each customer).
EXACT_UP_TO = 20_000

#: Into so many steps the Gaussian p-value divides the searched range at most.
STEPS = 1000

#: Cuts that all lie within so much of that time (log odds of being below) count as one.
ALIKE = 1e-5

#: Beyond this statistic (p < 1e-7) the closed form serves as well as the recursion.
FAR = 6.0

#: How far a random walk overshoots a barrier on average, in its steps: -zeta(1/2) / sqrt(2 pi).
OVERSHOOT = 0.5825971579390107


@dataclass(frozen=True)
class SelectedCut:
    """The best cut of a measure, or that there is none.

    Attributes
    ----------
    cut : float
        Customers with ``x <= cut`` are the low side. NaN where nothing can be cut: a single
        value of x, the same outcome for all, or no value within the searched range.
    statistic : float
        Absolute standardised difference between the sides (R ``maxstat``'s M); NaN without cut.
    more : {"low", "high"} or None
        The side with the larger share of events.
    p : float
        Chance of such a statistic or a larger one, somewhere among the searched cuts, where
        the outcome has nothing to do with x. 0.0 where it is below what a float can hold.
    method : {"exact", "gaussian", "asymptotic"} or None
        How p was computed; see :func:`select_cut`.
    n, events : int
        Customers, and those of them with the outcome.
    candidates : DataFrame
        The cuts that were searched, rising: ``x``, ``n_below`` (customers with this value of x
        or less), ``events_below`` and ``statistic`` (absolute, standardised).
    """

    cut: float
    statistic: float
    more: Literal["low", "high"] | None
    p: float
    method: Literal["exact", "gaussian", "asymptotic"] | None
    n: int
    events: int
    candidates: pd.DataFrame


def select_cut(counted: pd.DataFrame, *, minprop: float = 0.1, maxprop: float = 0.9) -> SelectedCut:
    r"""Find the cut with the maximally selected rank statistic, and its p-value.

    For :math:`m` of :math:`N` customers at or below the cut, :math:`s` of the :math:`S` events
    among them,

    .. math:: Z_m = \frac{s - mS/N}{\sqrt{m (N - m) S (N - S) / (N^2 (N - 1))}}

    and the cut is where :math:`|Z_m|` is largest; of equals, the lowest.

    The p-value is, by rule, up to 20,000 customers *exact*: the share of all permutations of the
    outcome that give such a maximum. Beyond, it is *gaussian*: that of the normal process with
    the same correlations; and *asymptotic*, Lausen and Schumacher's closed form, where the
    statistic is beyond 6 and either is 0 for all that matters.

    Parameters
    ----------
    counted : DataFrame
        ``x`` (any unit), ``n`` (customers) and ``events`` (customers with the outcome). A value
        of x may have many rows, in any order.
    minprop, maxprop : float
        At least and at most this share of customers lies below a cut that is searched; both are
        rounded down to whole customers, as in R's ``maxstat``.

    Raises
    ------
    ValueError
        If an x is missing or infinite, a count is negative, more events than customers are
        counted, or not ``0 < minprop < maxprop < 1``.

    References
    ----------
    Lausen and Schumacher (1992), Maximally selected rank statistics, Biometrics 48.
    Hothorn and Lausen (2003), On the exact distribution of maximally selected rank statistics,
    Computational Statistics & Data Analysis 43.
    """
    if not 0 < minprop < maxprop < 1:
        raise ValueError(f"not 0 < minprop < maxprop < 1: {minprop}, {maxprop}")
    data = by_value(counted)
    n, events = int(data["n"].sum()), int(data["events"].sum())
    candidates = search(data, minprop, maxprop)
    if candidates.empty:
        return SelectedCut(np.nan, np.nan, None, np.nan, None, n, events, candidates)
    best = candidates.iloc[first_best(candidates["statistic"].to_numpy())]
    statistic = float(best["statistic"])
    below = candidates["n_below"].to_numpy()
    method: Literal["exact", "gaussian", "asymptotic"]
    if n <= EXACT_UP_TO:
        method, p = "exact", p_exact(statistic, below, n, events)
    elif statistic <= FAR:
        method, p = "gaussian", p_gaussian(statistic, below, n)
    else:
        method = "asymptotic"
        # few cuts cannot have more than each one's own chance, added up
        p = min(
            p_lausen92(statistic, minprop, maxprop), 2 * len(below) * scipy.stats.norm.sf(statistic)
        )
    more: Literal["low", "high"] = (
        "low" if best["events_below"] * n > best["n_below"] * events else "high"
    )
    return SelectedCut(float(best["x"]), statistic, more, float(p), method, n, events, candidates)


def by_value(counted: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each value of x, rising, without the values nobody has.

    Raises
    ------
    ValueError
        As :func:`select_cut`.
    """
    data = counted[["x", "n", "events"]].astype({"x": float})
    if not np.isfinite(data["x"]).all():
        raise ValueError("x is missing or infinite for some customers")
    if not ((data["events"] >= 0) & (data["events"] <= data["n"])).all():
        raise ValueError("events must lie between 0 and n")
    data = data.loc[data["n"] > 0].astype({"n": "int64", "events": "int64"})
    return data.groupby("x", as_index=False)[["n", "events"]].sum()


def search(data: pd.DataFrame, minprop: float, maxprop: float) -> pd.DataFrame:
    """Return the cuts to search with their statistics; none if the outcome is constant.

    Parameters
    ----------
    data : DataFrame
        As :func:`by_value` returns it.
    minprop, maxprop : float
        As for :func:`select_cut`.
    """
    below = data["n"].cumsum().to_numpy()
    n, events = int(data["n"].sum()), int(data["events"].sum())
    used = (below >= max(1, np.floor(n * minprop))) & (below <= np.floor(n * maxprop)) & (below < n)
    cuts = pd.DataFrame(
        {"x": data["x"], "n_below": below, "events_below": data["events"].cumsum()}
    ).loc[used if 0 < events < n else []]
    if cuts.empty:
        return cuts.assign(statistic=np.empty(0))
    values = statistics(cuts["events_below"].to_numpy(), cuts["n_below"].to_numpy(), n, events)
    return cuts.assign(statistic=values).reset_index(drop=True)


def statistics(
    events_below: np.ndarray, below: np.ndarray, n: int, events: int | np.ndarray
) -> np.ndarray:
    """Return the absolute standardised statistic of each cut; shapes broadcast.

    Parameters
    ----------
    events_below, below : ndarray
        Events, and customers, at or below the cut.
    n, events : int
        All customers, all events.
    """
    variance = below * (n - below) / n * (events / n) * ((n - events) / (n - 1))
    return np.abs(events_below - below / n * events) / np.sqrt(variance)


def first_best(values: np.ndarray) -> int:
    """Return the place of the largest value, the first of those equal but for rounding."""
    return int(np.argmax(values >= values.max() * (1 - 1e-12)))


def p_lausen92(b: float, minprop: float, maxprop: float) -> float:
    """Return Lausen and Schumacher's (1992) p-value, for a cut between any two customers.

    Parameters
    ----------
    b : float
        The statistic.
    minprop, maxprop : float
        As for :func:`select_cut`.
    """
    if b < 1:
        return 1.0
    density = scipy.stats.norm.pdf(b)
    odds = maxprop * (1 - minprop) / ((1 - maxprop) * minprop)
    return float(np.clip(4 * density / b + density * (b - 1 / b) * np.log(odds), 0, 1))


def p_exact(b: float, below: np.ndarray, n: int, events: int) -> float:
    r"""Return the share of permutations of the outcome whose largest statistic is `b` or more.

    Among permutations the number of events met so far is a Markov chain: customer
    :math:`m + 1` is an event with chance :math:`(S - s) / (N - m)`. The chain is followed
    customer by customer; what exceeds `b` at a cut is taken out and added up, so that a tiny
    p-value is as precise as a large one.

    Parameters
    ----------
    b : float
        The statistic; one that differs only by rounding counts as reached.
    below : ndarray of int, shape (cuts,)
        Customers at or below each cut, rising.
    n, events : int
        All customers, all events.
    """
    events = min(events, n - events)  # the statistic is the same for the opposite outcome
    count = np.arange(events + 1)
    chance = np.zeros(events + 1)
    chance[0] = 1.0
    cuts = set(below.tolist())
    low, high = 0, 0  # of the counts that are possible and have not reached b
    reached = 0.0
    for m in range(int(below[-1])):
        high = min(high + 1, events)
        part, at = chance[low : high + 1], count[low : high + 1]
        event = part * ((events - at) / (n - m))
        part -= event
        part[1:] += event[:-1]
        if m + 1 not in cuts:
            continue
        over = statistics(at, np.array(m + 1), n, events) >= b * (1 - 1e-9)
        reached += part[over].sum()
        part[over] = 0.0
        within = np.flatnonzero(~over)
        if not within.size:
            break
        low, high = low + int(within[0]), low + int(within[-1])
    return float(min(reached, 1.0))


def p_gaussian(b: float, below: np.ndarray, n: int, steps: int = STEPS) -> float:
    r"""Return the chance that a normal process with the statistic's correlations reaches `b`.

    The correlation of cuts with :math:`m_i < m_j` customers below is
    :math:`\sqrt{m_i (N - m_j) / (m_j (N - m_i))}`, that of a stationary Markov process at the
    times :math:`\log(m / (N - m))`. So the density of what has not yet reached `b` is carried
    from cut to cut by integrals over a line (Gauss-Legendre), where R's ``exactGauss`` draws
    at random from the normal law of all cuts.

    Cuts closer together than ``1 / steps`` of the searched time (or of 0.5) are thinned. A process
    looked at less often is seen beyond `b` less often; so the barrier is lowered by what the
    thinning adds to the mean overshoot (Broadie, Glasserman and Kou 1997, A continuity correction
    for discrete barrier options). What error remains in p is about a 200th of it at most, even
    where the cuts are spaced very unevenly, and there is none where cuts are few.

    Parameters
    ----------
    b : float
        The statistic.
    below : ndarray of int, shape (cuts,)
        Customers at or below each cut, rising.
    n : int
        All customers.
    steps : int
        The more, the finer.
    """
    time = np.log(below / (n - below))
    kept, shift = _thinned(time, steps)
    barrier = b + shift
    gap = np.diff(time[kept])
    spread = np.sqrt(-np.expm1(-gap))
    # nodes must lie closer together than the narrowest step is wide
    nodes = 24 + (int(np.ceil(1.6 * b / spread.min())) if len(gap) else 0)
    unit, weight = np.polynomial.legendre.leggauss(nodes)
    unit, weight = (unit + 1) / 2, weight / 2  # on (0, 1): the law is symmetric, half will do
    reached = 2 * scipy.stats.norm.sf(barrier[0])
    at = barrier[0] * unit
    density = scipy.stats.norm.pdf(at)
    for low, high, g, s in zip(barrier[:-1], barrier[1:], gap, spread, strict=True):
        mean, mass = np.exp(-g / 2) * at, 2 * low * weight * density
        reached += mass @ (
            scipy.stats.norm.sf((high - mean) / s) + scipy.stats.norm.sf((high + mean) / s)
        )
        at = high * unit
        there = np.exp(-0.5 * ((at[:, None] - mean) / s) ** 2)
        there += np.exp(-0.5 * ((at[:, None] + mean) / s) ** 2)
        density = there @ mass / (2 * s * np.sqrt(2 * np.pi))
    return float(min(reached, 1.0))


def _thinned(time: np.ndarray, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Return which cuts to keep and how much to lower the barrier at each."""
    span = time[-1] - time[0]
    if span < ALIKE:
        return np.array([0]), np.zeros(1)
    least = max(span, 0.5) / steps
    kept = [0]
    while kept[-1] < len(time) - 1:
        following = int(np.searchsorted(time, time[kept[-1]] + least))
        kept.append(min(max(following, kept[-1] + 1), len(time) - 1))
    if len(kept) > 2 and time[kept[-1]] - time[kept[-2]] < least:
        del kept[-2]  # one tiny gap would ask for a very fine grid
    between = _overshoot(np.diff(time), np.array(kept[:-1])) - OVERSHOOT * np.sqrt(
        np.diff(time[kept])
    )
    return np.array(kept), np.concatenate(
        [between[:1], (between[:-1] + between[1:]) / 2, between[-1:]]
    )


def _overshoot(gap: np.ndarray, starts: np.ndarray) -> np.ndarray:
    r"""Return by how much the process, looked at after each gap, oversteps a barrier on average.

    Within each run of gaps it is taken for a random walk whose steps are normal with one of these
    gaps for variance, for which Spitzer's formula gives

    .. math:: -\frac{\sigma}{\pi} \int_0^\infty u^{-2} \log\frac{2 (1 - \phi(u))}{u^2} du

    with the characteristic function :math:`\phi` of a step of variance :math:`\sigma^2 = 1`;
    for equal gaps :math:`0.5826 \sigma`.

    Parameters
    ----------
    gap : ndarray, shape (cuts - 1,)
    starts : ndarray of int, shape (runs,)
        Where each run begins.
    """
    count = np.diff(starts, append=len(gap))
    mean = np.add.reduceat(gap, starts) / count
    relative = gap / np.repeat(mean, count)
    node, weight = np.polynomial.legendre.leggauss(40)
    extra = np.zeros(len(starts))
    for u, du in zip((1 + node) / (1 - node), 2 * weight / (1 - node) ** 2, strict=True):
        beyond = np.add.reduceat(-np.expm1(-(u**2) / 2 * relative), starts) / count
        extra += du / u**2 * np.log(beyond / -np.expm1(-(u**2) / 2))
    return np.sqrt(mean) * (OVERSHOOT - extra / np.pi)
