"""The maximum of a likelihood whose parameters are positive, and how sure it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.optimize

#: Logarithms of parameters are sought within so much of the start; one that runs there has none.
REACH = 9.0

#: So near to that end, or so flat, a parameter is not determined by the data.
_NEAR_END = 0.05

#: Step on the logarithm for differences of the analytic gradient.
_STEP = 1e-4

_NEWTON = 20


@dataclass(frozen=True)
class Maximum:
    """Where a likelihood is highest.

    Attributes
    ----------
    parameters : ndarray, shape (k,)
    covariance : ndarray, shape (k, k)
        Of the logarithms of the parameters: the inverse of the observed information. All missing
        where there is no inner maximum.
    log_likelihood : float
    inner : bool
        Whether it is an inner maximum. If not, the likelihood grows towards a simpler model (all
        customers alike, or nobody ever stops), and the parameters are where the search ended.
    """

    parameters: np.ndarray
    covariance: np.ndarray
    log_likelihood: float
    inner: bool


def climb(
    likelihood: Callable[[np.ndarray], tuple[float, np.ndarray]],
    starts: list[np.ndarray],
    n: float,
) -> Maximum:
    """Find the highest point by L-BFGS-B and then Newton's steps.

    Parameters
    ----------
    likelihood : callable
        Takes positive parameters, shape (k,), and returns the log-likelihood and its gradient in
        them.
    starts : list of ndarray, shape (k,)
        Of the same order of magnitude as the answer; the first is the centre of the search, the
        others are used where it leads to no inner maximum.
    n : float
        Customers: by which the likelihood is divided while it is searched.
    """
    centre = np.log(starts[0])

    def downhill(log: np.ndarray) -> tuple[float, np.ndarray]:
        parameters = np.exp(log)
        value, gradient = likelihood(parameters)
        return -value / n, -gradient * parameters / n

    ends = []
    for start in starts:
        ends.append(_climb_from(np.log(start), centre, downhill, n))
        if ends[-1].inner:
            return ends[-1]
    return max(ends, key=lambda end: end.log_likelihood)


def _climb_from(log: np.ndarray, centre: np.ndarray, downhill: Callable, n: float) -> Maximum:
    bounds = list(zip(centre - REACH, centre + REACH, strict=True))
    tight = {"maxiter": 1000, "ftol": 1e-15, "gtol": 1e-9}
    found = scipy.optimize.minimize(
        downhill, log, jac=True, method="L-BFGS-B", bounds=bounds, options=tight
    )
    log = np.asarray(found.x)
    if (np.abs(log - centre) < REACH - _NEAR_END).all():
        log = _newton(downhill, log)
    inside = bool((np.abs(log - centre) < REACH - _NEAR_END).all())
    value, gradient = downhill(log)
    covariance = np.full((len(log), len(log)), np.nan)
    if inside and np.abs(gradient).max() < 1e-7:
        information = _information(downhill, log) * n
        spread = np.linalg.eigvalsh(information)
        # with an error as long as the whole reach the data do not tell
        if spread[0] > 1e-8 * spread[-1] and spread[0] > 1 / REACH**2:
            covariance = np.linalg.inv(information)
    return Maximum(np.exp(log), covariance, -value * n, bool(np.isfinite(covariance).all()))


def _newton(downhill: Callable, log: np.ndarray) -> np.ndarray:
    """Take Newton's steps as long as they lead downhill; the search before stops a little early."""
    value, gradient = downhill(log)
    for _ in range(_NEWTON):
        information = _information(downhill, log)
        if np.linalg.eigvalsh(information)[0] <= 0:
            break
        step = np.linalg.solve(information, gradient)
        if np.abs(step).max() > 1:
            break
        trial = log - step
        after, slope = downhill(trial)
        if np.abs(slope).max() >= np.abs(gradient).max() or after > value + 1e-12 * abs(value):
            break
        log, value, gradient = trial, after, slope
    return log


def _information(downhill: Callable, log: np.ndarray) -> np.ndarray:
    """Return the matrix of second derivatives, by central differences of the gradient."""
    steps = np.eye(len(log)) * _STEP
    matrix = [(downhill(log + one)[1] - downhill(log - one)[1]) / (2 * _STEP) for one in steps]
    return (np.array(matrix) + np.array(matrix).T) / 2


def summed(n: np.ndarray, values: np.ndarray) -> float:
    """Return the sum of values over counted customers, both of shape (rows,).

    Not ``n @ values``: of more than some ten thousand rows that is shared out to threads, which
    wait for one another ten times as long as they add where the machine has other work; and the
    last digits would depend on their number.
    """
    return float((n * values).sum())


def spread_of(
    function: Callable[[np.ndarray], np.ndarray], parameters: np.ndarray, covariance: np.ndarray
) -> np.ndarray:
    """Return the standard error of a function of positive parameters, by the delta method.

    Parameters
    ----------
    function : callable
        Takes parameters, shape (k,); returns an array of any one shape.
    parameters : ndarray, shape (k,)
    covariance : ndarray, shape (k, k)
        Of their logarithms.

    Returns
    -------
    ndarray
        Of the shape that `function` returns.
    """
    log = np.log(parameters)
    steps = np.eye(len(log)) * 1e-3
    up = np.array([function(np.exp(log + one)) for one in steps])
    down = np.array([function(np.exp(log - one)) for one in steps])
    slope = (up - down) / 2e-3
    variance = np.einsum("i...,ij,j...->...", slope, covariance, slope)
    return np.sqrt(np.maximum(variance, 0))
