"""How much of each factor every row has, and what lies behind such scores once error is off."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from customerlab.drivers.combined import Resampled, combined, completed, less_error, select
from customerlab.drivers.correlations import Correlations
from customerlab.drivers.factors import Factors
from customerlab.drivers.moments import Moments


@dataclass(frozen=True)
class Scored:
    """Moments of factors, beside all that is no item: controls, the outcome.

    Attributes
    ----------
    scores : Moments
        Of Bartlett's scores: what can be known of a row, and foretold from it.
    behind : Resampled
        Of the factors behind the scores, for what goes with what.
    """

    scores: Moments
    behind: Resampled


def score_factors(moments: Moments, fitted: Factors, correlations: Correlations) -> Scored:
    """Score rows by their items, and take the scores' error out of their covariances.

    Bartlett's scores (1937) go with other variables as the factors do, but vary more; what they
    vary by error is known from the loadings, and taken off (Croon 2002). Without that, weights
    would be those of blurred factors: the clearer ones would seem to weigh more. Of each resample
    the loadings are its own, so that intervals know how unsure the factors are.

    Parameters
    ----------
    moments : Moments
        Of the items, and of all that is to be kept.
    fitted : Factors
        With draws from `correlations`, of the same bags as the moments.
    correlations : Correlations
    """
    items = list(fitted.items)
    keep = [name for name in moments.items if name not in items]
    whole, draws = completed(select(moments, [*items, *keep])), fitted.draws

    def score(some: Moments, weights: np.ndarray) -> Moments:
        return combined(some, fitted.names, weights, items=items, keep=keep, standardised=True)

    blur = correlations.attenuation
    weights, error = bartlett_scores(fitted.pattern, fitted.uniqueness, blur)
    scores = score(whole, weights)
    drawn = []
    for times, loadings, uniqueness in zip(
        draws.bags, draws.loadings, draws.uniqueness, strict=True
    ):
        of_its_own, off = bartlett_scores(loadings, uniqueness, blur)
        drawn.append(less_error(score(whole.weighted(times), of_its_own), off))
    return Scored(scores, Resampled(less_error(scores, error), drawn))


def bartlett_scores(
    pattern: np.ndarray, uniqueness: np.ndarray, attenuation: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the weights of standardised answers, and the covariance of the scores' errors.

    Parameters
    ----------
    pattern : ndarray of shape (items, factors)
    uniqueness : ndarray of shape (items,)
    attenuation : ndarray of shape (items,)
        Correlation of the answers with what the loadings are of.

    Returns
    -------
    weights : ndarray of shape (items, factors)
    error : ndarray of shape (factors, factors)
    """
    loadings = attenuation[:, None] * pattern
    own = 1 - attenuation**2 * (1 - uniqueness)
    error = np.linalg.pinv(loadings.T @ (loadings / own[:, None]), hermitian=True)
    return (loadings / own[:, None]) @ error, error
