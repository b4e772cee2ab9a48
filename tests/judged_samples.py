"""Customers whose chances were foretold, drawn for the tests of calibration."""

import datetime as dt

import numpy as np
import pandas as pd
from scipy import stats

from customerlab.churn.measures import Judged

DAY = dt.date(2025, 1, 1)


def judged_of(chance, weights, customers, rng, factor=1.0, day=DAY, horizon=3, **more):
    """Draw customers and their exits; the true hazard is `factor` times the one foretold."""
    n = rng.multinomial(customers, weights)
    true = -np.expm1(factor * np.log1p(-chance))
    return pd.DataFrame(
        {
            "landmark": day,
            "horizon_months": horizon,
            "chance": chance,
            "baseline": weights @ chance,
            "n": n,
            "events": rng.binomial(n, true),
            **more,
        }
    )


def cells_of(judged, times=1):
    """Make the cells of one horizon, each customer `times` over."""
    columns = [judged[name].to_numpy(float) for name in ("chance", "baseline", "n", "events")]
    return Judged(*columns[:2], *(times * counts for counts in columns[2:]), repeats=times)


def population(cells=60, mean=0.08, seed=3):
    rng = np.random.default_rng(seed)
    chance = -np.expm1(-mean * np.exp(rng.normal(-0.3, 0.8, cells)))
    return chance, rng.dirichlet(np.full(cells, 2.0))


def covers_enough(hits, runs):
    """Not rejected by a one-sided binomial test at 0.1 % that 95 % of the intervals hold."""
    return stats.binomtest(int(hits), runs, 0.95, alternative="less").pvalue > 0.001


def landmarks(factors, horizons=(3,), customers=20_000, seed=1):
    chance, weights = population(200)
    rng = np.random.default_rng(seed)
    return pd.concat(
        judged_of(
            -np.expm1(np.log1p(-chance) * horizon / 3),
            weights,
            customers,
            rng,
            factor=factor,
            day=dt.date(2024 + number // 4, 1 + 3 * (number % 4), 1),
            horizon=horizon,
        )
        for number, factor in enumerate(factors)
        for horizon in horizons
    )
