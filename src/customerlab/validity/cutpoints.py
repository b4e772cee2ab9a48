"""How sure a cut of a measure is, and bins in which an outcome only rises or only falls.

Answers, for a bank manager: "customers come back from 100,000 on: could it as well be 80,000 or
150,000?" and "into which ranges of the balance do customers fall, from the least likely to come
back to the most likely?".
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd
import scipy

from customerlab.validity.selected import (
    by_value,
    first_best,
    search,
    statistics,
)

#: Half the number of distinct values that the bootstrap keeps.
NEAR = 1000

#: Resamples are drawn in blocks of so many numbers, to bound the memory.
BLOCK = 2_000_000


def bootstrap_cut(
    counted: pd.DataFrame,
    rng: np.random.Generator,
    *,
    minprop: float = 0.1,
    maxprop: float = 0.9,
    resamples: int = 499,
) -> tuple[float, float]:
    r"""Return the 95 % interval of the cut that :func:`select_cut` finds.

    All cuts ``c`` for which the best cut at or below ``c`` and the best at or above it are about
    as good as each other:

    .. math:: \left| \max_{k \le c} Z_k^2 - \max_{k \ge c} Z_k^2 \right| \le q

    which is 0 at the cut found, and grows away from it. How large the difference gets at the
    true cut by chance, ``q``, is the 95th percentile among resamples: everybody keeps x, and the
    outcome is drawn anew from the step that was found, with one share of events at or below
    the cut and one above it.

    It assumes that the share of events is a step: one share below the true cut, another above
    it. Where it rises slowly, the interval is that of the best step, and too narrow. It assumes
    that the step lies within the searched range. A cut stands for every number from it up to
    the next value of x in the data. Where x has few values (whole months), the interval covers
    at least as often as it says.

    Resampling customers instead, outcome and x together, is not used: that bootstrap is
    inconsistent for a jump (Seijo and Sen 2011), and covered as rarely as 70 % of the time
    where this covers 95 % (``benchmarks/coverage_cutpoints.py --others``).

    Parameters
    ----------
    counted : DataFrame
        ``x``, ``n`` and ``events``, as for :func:`select_cut`. Beyond 2,000 distinct values the
        resamples see only the 1,000 nearest to the cut and 1,000 quantiles; the interval's ends
        are among all of them.
    rng : Generator
    minprop, maxprop : float
        As for :func:`select_cut`.
    resamples : int

    Returns
    -------
    low, high : float
        Values of x; NaN where there is no cut.

    References
    ----------
    Seijo and Sen (2011), Change-point in stochastic design regression and the bootstrap, Annals
    of Statistics 39.
    Siegmund (1988), Confidence sets in change-point problems, International Statistical Review
    56.
    Hansen (2000), Sample splitting and threshold estimation, Econometrica 68.
    """
    data = by_value(counted)
    cuts = search(data, minprop, maxprop)
    if cuts.empty:
        return np.nan, np.nan
    squared = cuts["statistic"].to_numpy() ** 2
    found = first_best(cuts["statistic"].to_numpy())
    allowed = np.quantile(
        _differences(data, cuts, found, rng, resamples), 0.95, method="inverted_cdf"
    )
    before = np.maximum.accumulate(squared)
    after = np.maximum.accumulate(squared[::-1])[::-1]
    # rounding must not reject what is equal, for instance the cut itself
    inside = np.flatnonzero(np.abs(before - after) <= allowed + 1e-9 * squared[found])
    return float(cuts["x"].iloc[inside[0]]), float(cuts["x"].iloc[inside[-1]])


def _differences(
    data: pd.DataFrame,
    cuts: pd.DataFrame,
    found: int,
    rng: np.random.Generator,
    resamples: int,
) -> np.ndarray:
    """Return, of each resample, how far apart the best cuts on both sides of the true one are."""
    n, events = int(data["n"].sum()), int(data["events"].sum())
    here = cuts.iloc[found]
    kept = _kept(cuts["n_below"].to_numpy(), found)
    below = cuts["n_below"].to_numpy()[kept]
    true = int(np.searchsorted(kept, found))
    sizes = np.diff(below, prepend=0, append=n).astype(int)
    low = here["events_below"] / here["n_below"]
    high = (events - here["events_below"]) / (n - here["n_below"])
    share = np.where(np.arange(len(sizes)) <= true, low, high)
    result = []
    block = max(1, BLOCK // len(sizes))
    for start in range(0, resamples, block):
        drawn = rng.binomial(sizes, share, size=(min(block, resamples - start), len(sizes)))
        total = drawn.cumsum(axis=1)
        everyone = total[:, -1:]
        alike = (everyone == 0) | (everyone == n)  # no cut is better than another then
        squared = statistics(total[:, :-1], below, n, np.where(alike, 1, everyone)) ** 2
        gap = squared[:, : true + 1].max(axis=1) - squared[:, true:].max(axis=1)
        result.append(np.where(alike[:, 0], 0.0, np.abs(gap)))
    return np.concatenate(result)


def _kept(below: np.ndarray, found: int) -> np.ndarray:
    """Return which cuts a resample looks at: all near the one found, and quantiles."""
    near = np.arange(max(0, found - NEAR // 2), min(len(below), found + NEAR // 2 + 1))
    quantiles = np.searchsorted(below, np.linspace(below[0], below[-1], NEAR))
    return np.union1d(near, quantiles)


def bin_monotone(
    counted: pd.DataFrame,
    *,
    trend: Literal["auto", "ascending", "descending"] = "auto",
    max_bins: int | None = None,
    min_share: float = 0.05,
) -> pd.DataFrame:
    """Return the bins of x that tell the outcome best, its share only rising or only falling.

    ``optbinning`` splits x by a tree into at most 20 ranges, and joins these to the bins with
    the largest information value under the trend (Navas-Palencia 2020, Optimal binning:
    mathematical programming formulation, arXiv 2001.08025). The intervals of the shares do not
    know of that search: they tell how precise a share is, not whether the bins differ.

    Parameters
    ----------
    counted : DataFrame
        ``x``, ``n`` and ``events``, as for :func:`customerlab.validity.selected.select_cut`.
    trend : {"auto", "ascending", "descending"}
        ``auto`` takes the one with the larger information value (optbinning's own ``auto`` guesses
        from the shape, and may answer with a peak).
    max_bins : int, optional
    min_share : float
        Each bin has at least this share of the customers, 0 to 0.5.

    Returns
    -------
    DataFrame
        One row for each bin, rising: ``low``, ``high`` (the bin is ``low < x <= high``; values of
        x in the data, the outermost infinite), ``n``, ``events``, ``share``, and ``low_share``,
        ``high_share``: its 95 % interval (Wilson). A single bin if the outcome is constant or no
        cut helps; none without customers.

    Raises
    ------
    ValueError
        As :func:`customerlab.validity.selected.select_cut` about the counts.
    """
    data = by_value(counted)
    n, events = data["n"].to_numpy(), data["events"].to_numpy()
    last = np.array([], dtype=int)
    if len(data) > 1 and 0 < events.sum() < n.sum():
        last = _splits(n, events, trend, max_bins, min_share)
    ends = np.append(last, len(data) - 1) if len(data) else last
    starts = np.append(0, last + 1) if len(data) else last
    table = pd.DataFrame(
        {
            "low": np.append(-np.inf, data["x"].to_numpy()[last])[: len(ends)],
            "high": np.append(data["x"].to_numpy()[last], np.inf)[: len(ends)],
            "n": np.add.reduceat(n, starts) if len(data) else n,
            "events": np.add.reduceat(events, starts) if len(data) else events,
        }
    )
    table["share"] = table["events"] / table["n"]
    limits = [
        scipy.stats.binomtest(k, m).proportion_ci(0.95, method="wilson")
        for k, m in zip(table["events"].tolist(), table["n"].tolist(), strict=True)
    ]
    return table.assign(
        low_share=[limit.low for limit in limits], high_share=[limit.high for limit in limits]
    )


def _splits(
    n: np.ndarray,
    events: np.ndarray,
    trend: str,
    max_bins: int | None,
    min_share: float,
) -> np.ndarray:
    """Return the last place of each bin but the highest.

    Counts go in as weights, which the tree, the least size of a bin and the solver all add up.
    ``optbinning`` is given the places 0, 1, ... instead of x: its tree rounds x to 32 bits, which
    amounts of money do not survive, and takes a split at -2 for none.
    """
    # takes seconds, for it loads a solver and a plotting library: only who bins waits for it
    from optbinning import OptimalBinning

    place = np.arange(len(n), dtype=float)
    outcome = np.repeat([1, 0], len(n))
    weight = np.concatenate([events, n - events]).astype(float)
    used = weight > 0
    found = []
    for one in ("ascending", "descending") if trend == "auto" else (trend,):
        binning = OptimalBinning(
            monotonic_trend=one, max_n_bins=max_bins, min_prebin_size=min_share
        )
        binning.fit(np.tile(place, 2)[used], outcome[used], sample_weight=weight[used])
        if binning.status not in {"OPTIMAL", "FEASIBLE"}:
            raise RuntimeError(f"optbinning found no bins: {binning.status}")
        found.append(np.floor(binning.splits).astype(int))
    return max(found, key=lambda last: _information(n, events, last))


def _information(n: np.ndarray, events: np.ndarray, last: np.ndarray) -> float:
    """Return the information value of bins, by which optbinning judges them."""
    starts = np.append(0, last + 1)
    with_it = np.add.reduceat(events, starts) / events.sum()
    without = np.add.reduceat(n - events, starts) / (n - events).sum()
    if len(starts) == 1:
        return 0.0
    return float(((with_it - without) * np.log(with_it / without)).sum())
