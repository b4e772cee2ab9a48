"""What the planted numbers mean in a shop without end, by quadrature: no draw, no error of one."""

from __future__ import annotations

from itertools import combinations
from math import factorial

import numpy as np
import pandas as pd
from scipy.stats import norm

from customerlab.simulate.shop import planted

#: Points of the quadratures; doubling them changes nothing above 1e-9.
_POINTS = 96


def latent_correlations() -> np.ndarray:
    """Return the correlations of the latent answers, shape (items, items)."""
    at = planted.FACTOR_OF
    latent = np.outer(planted.LOADING, planted.LOADING) * planted.CORRELATIONS[np.ix_(at, at)]
    np.fill_diagonal(latent, 1.0)
    return latent


def correlations(null_outcome: bool = False) -> pd.DataFrame:
    """Return the Pearson correlations of the answers 1 to 5 and of ``bought_again``.

    The covariance of two cut normals follows from Plackett's identity (1954): the chance that
    both exceed their cuts changes with the correlation as the bivariate density there.
    """
    cuts, latent = planted.cuts(), latent_correlations()
    beyond = norm.sf(cuts)
    # E[X] = 1 + sum of P(X > a); E[(X-1)^2] = sum of (2 a - 1) P(X > a), a = 1 to 4
    spread = beyond @ (2 * np.arange(1, 5) - 1) - beyond.sum(axis=1) ** 2
    size = len(planted.ITEMS)
    covariance = np.diag(np.r_[spread, 0.0])
    for i, j in combinations(range(size), 2):
        covariance[i, j] = covariance[j, i] = _both_beyond(cuts[i], cuts[j], latent[i, j])
    mean, with_items = _outcome(cuts, null_outcome)
    covariance[-1, :-1] = covariance[:-1, -1] = with_items
    covariance[-1, -1] = mean * (1 - mean)
    deviation = np.sqrt(np.diag(covariance))
    names = [*planted.ITEMS, "bought_again"]
    return pd.DataFrame(covariance / np.outer(deviation, deviation), names, names)


def shares() -> dict[str, float]:
    """Return each factor's share of the explained variation (Lindeman, Merenda and Gold 1980).

    Of a linear model of repurchase on the factors. They are normal, so that by Stein's lemma the
    covariances of repurchase with them are a multiple of those of the linear predictor; the
    multiple falls out of the shares.
    """
    per_factor, _ = planted.weights(null_outcome=False)
    with_outcome = planted.CORRELATIONS @ per_factor
    size = len(planted.FACTORS)

    def explained(chosen: tuple[int, ...]) -> float:
        at = list(chosen)
        inner = planted.CORRELATIONS[np.ix_(at, at)]
        return float(with_outcome[at] @ np.linalg.solve(inner, with_outcome[at])) if at else 0.0

    parts = np.zeros(size)
    for one in range(size):
        others = [other for other in range(size) if other != one]
        for count in range(size):
            orders = factorial(count) * factorial(size - count - 1) / factorial(size)
            for chosen in combinations(others, count):
                parts[one] += orders * (explained((*chosen, one)) - explained(chosen))
    return dict(zip(planted.FACTORS, (parts / parts.sum()).tolist(), strict=True))


def changes() -> dict[str, float]:
    """Return by how much repurchase changes over one standard deviation of a factor.

    From half of one below to half of one above what everybody has, the other factors as they are,
    on average; in shares of one.
    """
    per_factor, _ = planted.weights(null_outcome=False)
    pull, weight, scale = _pull(per_factor)

    def share(add: float) -> float:
        return float(weight @ _chance(scale * pull + add, null_outcome=False))

    return {
        factor: share(add / 2) - share(-add / 2)
        for factor, add in zip(planted.FACTORS, per_factor, strict=True)
    }


def repurchase(null_outcome: bool = False) -> float:
    """Return the share of first orders that are followed by another within 90 days."""
    return _outcome(planted.cuts(), null_outcome)[0]


def _both_beyond(one: np.ndarray, other: np.ndarray, correlation: float) -> float:
    """Return the sum over two items' cuts of P(both beyond) - P(one beyond) P(other beyond)."""
    points, weight = np.polynomial.legendre.leggauss(_POINTS)
    r = correlation * (points + 1) / 2
    h, k = one[:, None, None], other[None, :, None]
    left = 1 - r**2
    density = np.exp(-(h**2 - 2 * r * h * k + k**2) / (2 * left)) / (2 * np.pi * np.sqrt(left))
    return float((density @ weight).sum() * correlation / 2)


def _outcome(cuts: np.ndarray, null_outcome: bool) -> tuple[float, np.ndarray]:
    """Return the mean of the outcome and its covariance with each item."""
    per_factor, _ = planted.weights(null_outcome)
    pull, weight, scale = _pull(per_factor)
    chance = _chance(scale * pull, null_outcome)
    mean = float(weight @ chance)
    if null_outcome:
        return mean, np.zeros(len(cuts))
    # of the latent answer and the linear predictor, standardised
    r = planted.LOADING * (planted.CORRELATIONS @ per_factor)[planted.FACTOR_OF] / scale
    r = r[:, None, None]
    beyond = norm.sf((cuts[:, :, None] - r * pull) / np.sqrt(1 - r**2))
    return mean, ((beyond - norm.sf(cuts)[:, :, None]) @ (weight * chance)).sum(axis=1)


def _pull(per_factor: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Return standard normal points with weights, and the linear predictor's deviation."""
    points, weight = np.polynomial.hermite_e.hermegauss(_POINTS)
    scale = float(np.sqrt(per_factor @ planted.CORRELATIONS @ per_factor))
    return points, weight / weight.sum(), scale


def _chance(pull: np.ndarray, null_outcome: bool) -> np.ndarray:
    """Return the chance of repurchase over orders with and without promotion."""
    _, promoted = planted.weights(null_outcome)
    share = planted.PROMOTION_SHARE
    plain = planted.chance(planted.INTERCEPT + pull)
    return (1 - share) * plain + share * planted.chance(planted.INTERCEPT + pull + promoted)
