"""Intervals of a sum of independent estimates, each with a variance and degrees of freedom."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy

from customerlab.uplift.sums import ArmSums

#: Intervals hold the truth with this chance.
LEVEL = 0.95


def bounds(effect: float, parts: Sequence[tuple[float, float]]) -> tuple[float, float, float]:
    """Return ends and p-value; `parts` are independent variances with degrees of freedom.

    Those of their sum are Satterthwaite's (1946), as Welch has them.
    """
    variance = sum(part for part, _ in parts)
    if not variance > 0:
        return (float("nan"),) * 3
    df = variance**2 / sum(part**2 / freedom for part, freedom in parts)
    half = scipy.stats.t.ppf((1 + LEVEL) / 2, df) * np.sqrt(variance)
    p = 2 * scipy.stats.t.sf(abs(effect) / np.sqrt(variance), df)
    return float(effect - half), float(effect + half), float(p)


def variance_of(arm: ArmSums, outcome: str) -> float:
    """Return the outcome's variance; nothing where it is only what rounding leaves."""
    one = arm.select([outcome])
    variance = float(one.covariance[0, 0])
    return variance if variance > 1e-15 * one.mean[0] ** 2 else 0.0
