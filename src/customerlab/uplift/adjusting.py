"""An arm's effect adjusted for what was known before; which covariates can be adjusted for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from customerlab.messages import Message, say
from customerlab.uplift.sums import ArmSums, pool
from customerlab.uplift.welch import bounds, variance_of

#: Each arm needs so many customers beyond the covariates and one.
SPARE_ROWS = 10

#: What :func:`adjust` returns.
ADJUSTED = ["adjusted_effect", "adjusted_low", "adjusted_high", "adjusted_effect_p", "sharpened"]


def adjust(
    pair: tuple[ArmSums, ArmSums],
    outcome: str,
    kept: Sequence[str],
    whole: ArmSums,
    slopes: str,
) -> dict:
    """Return the columns :data:`ADJUSTED` of one arm and outcome.

    Parameters
    ----------
    pair : tuple of ArmSums
        The arm and the control.
    outcome : str
    kept : sequence of str
        What is adjusted for: see :func:`usable_covariates`.
    whole : ArmSums
        All arms' customers together, at whose means the arms are read off.
    slopes : {"own", "pooled"}
        See :func:`customerlab.uplift.average.compare_arms`, which has the formula, too.
    """
    inner = [one.select([*kept, outcome]) for one in pair]
    every = whole.select(kept)
    common = _regress(pool(inner).covariance)[0] if slopes == "pooled" else None
    at, parts, slope = [], [], []
    for one in inner:
        own, rest = _regress(one.covariance)
        off = every.mean - one.mean[:-1]
        if common is None:
            spare = one.n - len(kept) - 1
            distance = off @ _solve(one.covariance[:-1, :-1], off) / (one.n - 1)
            variance = max(rest, 0) * (one.n - 1) / spare * (1 / one.n + distance)
        else:
            own, spare = common, one.n - 1
            change = np.append(-common, 1)
            variance = max(change @ one.covariance @ change, 0) / one.n
        at.append(one.mean[-1] + own @ off)
        parts.append((variance, spare))
        slope.append(own)
    gap = slope[0] - slope[1]
    parts.append((float(gap @ every.covariance @ gap) / every.n, every.n - 1))
    effect = float(at[0] - at[1])
    low, high, p = bounds(effect, parts)
    plain = sum(variance_of(one, outcome) / one.n for one in pair)
    left = sum(variance for variance, _ in parts)
    numbers = (effect, low, high, p, 1 - left / plain)
    return dict(zip(ADJUSTED, numbers, strict=True))


def usable_covariates(
    pair: tuple[ArmSums, ArmSums], covariates: Sequence[str]
) -> tuple[list[str], list[tuple[str, Message]]]:
    """Return the covariates that vary and that the ones before do not tell, and the others."""
    kept: list[str] = []
    dropped = []
    for name in covariates:
        reasons = [_why_not(arm.select([*kept, name])) for arm in pair]
        reason = reasons[0] or reasons[1]
        if reason is None:
            kept.append(name)
        else:
            dropped.append((name, reason))
    return kept, dropped


def _why_not(arm: ArmSums) -> Message | None:
    """Return why the last of an arm's names is not adjusted for, given those before it."""
    variance = arm.covariance[-1, -1]
    if not variance > 1e-12 * (1 + arm.mean[-1] ** 2):
        return say("is the same for all in an arm")
    if arm.n - len(arm.names) - 1 < SPARE_ROWS:
        return say("too few customers for so many covariates")
    if not _regress(arm.covariance)[1] > 1e-9 * variance:
        return say("is told exactly by the covariates before it")
    return None


def _regress(covariance: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the slopes of the last variable on all others, and the variance that they leave."""
    inner, cross = covariance[:-1, :-1], covariance[:-1, -1]
    slope = _solve(inner, cross)
    return slope, float(covariance[-1, -1] - cross @ slope)


def _solve(matrix: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Solve for a covariance matrix, as correlations: units of covariates may differ a lot."""
    scale = np.sqrt(matrix.diagonal())
    return np.linalg.solve(matrix / np.outer(scale, scale), right / scale) / scale
