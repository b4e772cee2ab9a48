r"""The complementary log-log model on counts, by Newton's method.

With :math:`r = e^{x'\beta}` and :math:`h = 1 - e^{-r}` a cell of ``n`` trials and ``d`` events adds
:math:`d \log h - (n - d) r` to the log-likelihood. statsmodels' GLM gives the same estimates and
errors (the tests compare them); it takes ten times as long, as it wants a row for the events of a
cell and one for the rest. The log-likelihood is concave, so that halved steps climb from anywhere;
Fisher's scoring, which takes the expected information for its second derivatives, crawls where
chances reach from few in a thousand to nearly all.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

#: A likelihood without a maximum runs away by one a step; this many are enough to see it.
_STEPS = 30


@dataclass(frozen=True)
class Fit:
    """Where the search ended.

    Attributes
    ----------
    coefficients, covariance : ndarray
        The covariance is the inverse of the expected information.
    log_likelihood : float
    converged : bool
    """

    coefficients: np.ndarray
    covariance: np.ndarray
    log_likelihood: float
    converged: bool


def fit_cloglog(design: np.ndarray, n: np.ndarray, events: np.ndarray) -> Fit:
    """Fit the model to cells.

    Parameters
    ----------
    design : ndarray, shape (cells, coefficients)
        The first column is the constant.
    n, events : ndarray, shape (cells,)
        Trials and events; there is at least one event and one trial without.

    Raises
    ------
    numpy.linalg.LinAlgError
        When a column is a sum of others.
    """
    beta = np.zeros(design.shape[1])
    beta[0] = np.log(-np.log1p(-events.sum() / n.sum()))
    value, score, information = _likelihood(design, n, events, beta)
    converged = False
    for _ in range(_STEPS):
        step = np.linalg.solve(information, score)
        for _ in range(20):  # halved until it climbs
            trial = _likelihood(design, n, events, beta + step)
            if trial[0] >= value - 1e-10 * abs(value):
                break
            step = step / 2
        beta = beta + step
        value, score, information = trial
        converged = bool(np.abs(step).max() < 1e-9)
        if converged:
            break
    return Fit(beta, np.linalg.inv(_expected(design, n, beta)), value, converged)


def _likelihood(
    design: np.ndarray, n: np.ndarray, events: np.ndarray, beta: np.ndarray
) -> tuple[float, np.ndarray, np.ndarray]:
    """Return the log-likelihood, its gradient and minus its second derivatives."""
    rate, stay, leave = _rates(design, beta)
    value = float(events @ np.log(leave) - (n - events) @ rate)
    slope = rate * (events * stay / leave - (n - events))
    weight = events * rate**2 * stay / leave**2 - slope
    return value, design.T @ slope, design.T @ (design * weight[:, None])


def _expected(design: np.ndarray, n: np.ndarray, beta: np.ndarray) -> np.ndarray:
    """Return the expected information."""
    rate, stay, leave = _rates(design, beta)
    return design.T @ (design * (n * rate**2 * stay / leave)[:, None])


def _rates(design: np.ndarray, beta: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return each cell's hazard, and its chances of staying and of leaving."""
    rate = np.exp(np.clip(design @ beta, -40, 30))
    return rate, np.exp(-rate), np.maximum(-np.expm1(-rate), 1e-300)
