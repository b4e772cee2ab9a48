"""By how much an outcome changes with each driver, all else alike: from covariances alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from customerlab.drivers.combined import Resampled, select, varying
from customerlab.drivers.redrawn import FEWEST
from customerlab.drivers.shapley import take_out


def change_by(
    moments: Resampled, drivers: Sequence[str], outcome: str, controls: Sequence[str] = ()
) -> pd.DataFrame:
    """Regress an outcome on drivers and controls.

    Parameters
    ----------
    moments : Resampled
    drivers, controls : sequence of str
    outcome : str

    Returns
    -------
    DataFrame
        ``driver``, ``effect`` (change of the outcome for one standard deviation more of the
        driver, all else alike), ``low``, ``high`` (2.5th and 97.5th percentile over resamples).
        Missing for a driver that does not vary, that follows from others, or that would change the
        outcome by more than the outcome's own standard deviation, which nothing alone can do: then
        drivers that are told apart badly are set against each other. Ends stop there, too.
    """
    there = varying(moments.whole)
    known = [name for name in drivers if name in there]
    net_of = [name for name in controls if name in there]
    covariance = covariances(moments, [*net_of, *known, outcome])
    effects = effects_of(covariance, len(net_of))
    inner = take_out(covariance[:1], len(net_of))[0, :-1, :-1]
    effects[:, [name in follow_exactly(inner, known) for name in known]] = np.nan
    most = np.sqrt(covariance[:1, -1, -1].clip(min=0))
    effects[:, np.abs(effects[0]) > most] = np.nan
    low, high = between(effects[1:]).clip(-most, most)
    table = pd.DataFrame({"effect": effects[0], "low": low, "high": high}, index=known)
    return table.reindex(list(drivers)).rename_axis("driver").reset_index()


def covariances(moments: Resampled, names: Sequence[str]) -> np.ndarray:
    """Return the covariances of the whole and of each resample, shape (1 + drawn, k, k)."""
    return np.stack([select(one, names).covariance for one in (moments.whole, *moments.drawn)])


def effects_of(covariance: np.ndarray, first: int) -> np.ndarray:
    """Return the change of the last variable for a standard deviation of each but the `first`.

    Shape (matrices, drivers); all others alike.
    """
    net = take_out(covariance, first)
    inner = net[:, :-1, :-1]
    spread = np.sqrt(np.diagonal(inner, axis1=1, axis2=2).clip(min=0))
    part = np.divide(1, spread, out=np.zeros_like(spread), where=spread > 0)
    scaled = inner * part[:, :, None] * part[:, None, :]
    inverse = np.linalg.pinv(scaled, rcond=1e-10, hermitian=True)
    coefficients = part * np.einsum("bij,bj->bi", inverse, part * net[:, :-1, -1])
    own = np.diagonal(covariance, axis1=1, axis2=2)[:, first:-1]
    return coefficients * np.sqrt(own.clip(min=0))


def follow_exactly(inner: np.ndarray, drivers: Sequence[str]) -> tuple[str, ...]:
    """Return the drivers that have a part in a sum that does not vary."""
    spread = np.sqrt(inner.diagonal().clip(min=0))
    part = np.divide(1, spread, out=np.zeros_like(spread), where=spread > 0)
    values, vectors = np.linalg.eigh(inner * part[:, None] * part)
    involved = np.abs(vectors[:, values < 1e-9]).max(axis=1, initial=0) > 1e-4
    return tuple(name for name, is_in in zip(drivers, involved, strict=True) if is_in)


def between(drawn: np.ndarray) -> np.ndarray:
    """Return the 2.5th and 97.5th percentile over draws; missing with too few."""
    if len(drawn) < FEWEST:
        return np.full((2, drawn.shape[1]), np.nan)
    return np.quantile(drawn, [0.025, 0.975], axis=0)
