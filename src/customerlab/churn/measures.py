"""How far foretold chances are off, and how well they rank, with 95 % intervals, from counts.

Intervals: Wilson's for shares, DeLong's for AUC (on the logit scale), from the information for the
slope, from the customers' own spread for Brier scores and ratios. ICI, E50 and E90 are the mean,
the median and the 90 % quantile, over the customers, of how far the smooth curve is from the
chance (:mod:`customerlab.churn.smooth`). For them exits are drawn for each cell from the curve and
it is fitted again. A distance cannot be negative, so its bootstrap lies above it where the model is
right, and percentiles would never hold 0. Instead half the width is the 95 % quantile, over the
draws, of how far the curve moves (which bounds how far a mean distance can move) or the distance
moves, whichever is more: the interval holds the truth at least 95 % of the time, 0 included.

Within one landmark customers are independent. Over several the same customers come again, and how
much alike their outcomes are is not in the counts. The variance of a sum of :math:`L` parts is at
most :math:`L` times the sum of their variances, so every variance over :math:`L` landmarks is taken
times :math:`L`: the intervals hold at least 95 % of the time, whatever repeats.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from customerlab.churn.curves import status_of
from customerlab.churn.hazard import Z
from customerlab.churn.smooth import Smooth, fit_smooth, quantile, wilson
from customerlab.findings import Status

#: Exits are drawn for at most so many groups of customers with neighbouring chances: more change
#: no interval by more than the draws do.
_FINE = 250

_BOUNDED = ["observed_over_expected", "slope", "ici", "e50", "e90", "brier", "brier_skill", "auc"]

#: The measures that are missing with too few who left or stayed.
MEASURES = [f"{name}{end}" for name in _BOUNDED for end in ("", "_low", "_high")]
MEASURES += ["brier_baseline", "smoothing"]


@dataclass(frozen=True)
class Judged:
    """Counts of customers at one horizon, one value per cell; `repeats`: of one customer."""

    chance: np.ndarray
    baseline: np.ndarray
    n: np.ndarray
    left: np.ndarray
    repeats: int = 1

    @property
    def stayed(self) -> np.ndarray:
        """How many of each cell did not leave."""
        return self.n - self.left

    @property
    def status(self) -> Status:
        """Whether enough left, and enough stayed."""
        return status_of(min(self.left.sum(), self.stayed.sum()))

    def smooth(self) -> Smooth | None:
        """Return the smooth curve, if enough left and stayed for one."""
        if self.status == "not_enough_data":
            return None
        return fit_smooth(self.chance, self.n, self.left)


def measure(
    cells: Judged, smooth: Smooth | None, rng: np.random.Generator, draws: int
) -> dict[str, object]:
    """Return all measures of one row of the table; without a curve only the counts."""
    p, b, wide = cells.chance, cells.baseline, np.sqrt(cells.repeats)
    n, left, expected = cells.n.sum(), cells.left.sum(), cells.n @ p
    low, high = wilson(left, n, cells.repeats)
    row = {"customers": int(n), "events": int(left), "expected": expected}
    row |= {"observed_share": left / n, "observed_low": low, "observed_high": high}
    row |= {"expected_share": expected / n, "status": cells.status}
    if smooth is None:
        return row | dict.fromkeys(MEASURES, np.nan) | {"smoothing": None}
    one, none = np.ones_like(p), np.zeros_like(p)
    model, baseline = ((1 - p) ** 2, p**2), ((1 - b) ** 2, b**2)
    ratio, error = _ratio(cells, (one, none), (p, p))
    spread = np.exp(Z * wide * error / ratio)
    ends = {"observed_over_expected": (ratio, ratio / spread, ratio * spread)}
    score, error = _ratio(cells, model, (one, one))
    ends["brier"] = (score, max(score - Z * wide * error, 0.0), score + Z * wide * error)
    row["brier_baseline"], _ = _ratio(cells, baseline, (one, one))
    part, error = _ratio(cells, model, baseline)
    ends["brier_skill"] = (1 - part, 1 - part - Z * wide * error, 1 - part + Z * wide * error)
    area, error = auc(p, cells.left, cells.stayed)
    ends["auc"] = (area, *auc_interval(area, wide * error))
    slope, error = smooth.slope()
    ends["slope"] = (slope, slope - Z * wide * error, slope + Z * wide * error)
    ends |= distances(smooth, rng, draws, cells.repeats)
    for name, values in ends.items():
        row |= dict(zip((name, f"{name}_low", f"{name}_high"), values, strict=True))
    return row | {"smoothing": smooth.kind}


def auc(chance: np.ndarray, left: np.ndarray, stayed: np.ndarray) -> tuple[float, float]:
    """Return how often one who left had the higher chance than one who stayed, and its error.

    Ties count half. The standard error is DeLong's (1988) on the rows: the spread of each
    customer's share of won comparisons, worked out from counts.

    Parameters
    ----------
    chance, left, stayed : array
        Per cell: any number that ranks, who left and who stayed. Missing with fewer than two.
    """
    values, cell = np.unique(chance, return_inverse=True)
    gone = np.bincount(cell, left, len(values))
    here = np.bincount(cell, stayed, len(values))
    if min(gone.sum(), here.sum()) < 2:
        return np.nan, np.nan
    won = (here.cumsum() - here / 2) / here.sum()
    lost = 1 - (gone.cumsum() - gone / 2) / gone.sum()
    area = gone @ won / gone.sum()
    variance = sum(
        count @ (share - area) ** 2 / (count.sum() - 1) / count.sum()
        for count, share in ((gone, won), (here, lost))
    )
    return float(area), float(np.sqrt(variance))


def auc_interval(area: float, error: float) -> tuple[float, float]:
    """Return the 95 % interval on the logit scale, which stays within 0 and 1."""
    if not 0 < area < 1:
        return area, area
    half = Z * error / (area * (1 - area))
    low, high = 1 / (1 + np.exp(-(np.log(area / (1 - area)) + np.array([-half, half]))))
    return float(low), float(high)


def distances(
    smooth: Smooth, rng: np.random.Generator, draws: int, repeats: int
) -> dict[str, tuple[float, float, float]]:
    """Return ICI, E50 and E90 with their intervals."""
    values = _off(smooth.chance, smooth.at(smooth.chance), smooth.n)
    if len(smooth.chance) > _FINE:
        smooth = smooth.joined(_FINE)
    p, n, observed = smooth.chance, smooth.n, smooth.at(smooth.chance)
    curves = smooth.drawn(rng, draws, repeats)
    moved = np.abs(_off(p, curves, n) - _off(p, observed, n))
    half = np.quantile(np.maximum(_off(observed, curves, n), moved), 0.95, axis=0)
    ends = zip(values, np.maximum(values - half, 0), np.minimum(values + half, 1), strict=True)
    return dict(zip(("ici", "e50", "e90"), ends, strict=True))


def _ratio(
    cells: Judged, top: tuple[np.ndarray, ...], bottom: tuple[np.ndarray, ...]
) -> tuple[float, float]:
    """Return a ratio of two sums over the customers, and its error (delta method).

    `top` and `bottom` are what a customer of each cell adds: who left, and who stayed.
    """
    counts = (cells.left, cells.stayed)
    above, below = (sum(c @ x for c, x in zip(counts, xs, strict=True)) for xs in (top, bottom))
    if below == 0:
        return np.nan, np.nan
    ratio = above / below
    rest = zip(counts, top, bottom, strict=True)
    error = np.sqrt(sum(c @ (x - ratio * y) ** 2 for c, x, y in rest)) / below
    return float(ratio), float(error)


def _off(one: np.ndarray, other: np.ndarray, n: np.ndarray) -> np.ndarray:
    """Return the mean, the median and the 90 % quantile of the distance, over the customers."""
    far = np.abs(one - other)
    return np.stack([far @ n / n.sum(), quantile(far, n, 0.5), quantile(far, n, 0.9)], axis=-1)
