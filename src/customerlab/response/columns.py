"""Inputs as levels: numbers in bands, texts as they are, what is missing a level of its own."""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np
import pandas as pd

from customerlab.churn.levels import as_levels
from customerlab.features import ORDERED, UNKNOWN

#: A number falls into at most so many bands of about equally many contacts each.
BANDS = 20
#: A band of numbers, as the features have them: 0, 3-5, under 20, 60+.
_BAND = re.compile(r"(under )?\d+(-\d+)?\+?")


def is_number(values: pd.Series) -> bool:
    """Return whether a column is numbers or times, which have an order and bands."""
    kind = values.dtype
    return bool(
        (pd.api.types.is_numeric_dtype(kind) and not pd.api.types.is_bool_dtype(kind))
        or pd.api.types.is_datetime64_any_dtype(kind)
    )


def is_time(values: pd.Series) -> bool:
    """Return whether a column is times."""
    return pd.api.types.is_datetime64_any_dtype(values.dtype)


def are_bands(name: str, levels: Iterable[str]) -> bool:
    """Return whether texts are bands of a number, which have an order.

    Plain numbers alone may be anybody's codes: they are bands in a feature known to have an order,
    or beside at least one that has a width (3-5, under 20, 60+).
    """
    levels = list(levels)
    bands = all(_BAND.fullmatch(one) for one in levels)
    return bands and (name in ORDERED or not all(one.isdigit() for one in levels))


def as_numbers(values: pd.Series) -> np.ndarray:
    """Return numbers, missing ones as NaN; times are days since 1970."""
    if pd.api.types.is_datetime64_any_dtype(values.dtype):
        since = values.dt.tz_localize(None) - pd.Timestamp(0)
        return (since / pd.Timedelta(days=1)).to_numpy("float64")
    return values.to_numpy("float64", na_value=np.nan)


def band_edges(values: np.ndarray, most: int = BANDS) -> np.ndarray:
    """Return the upper ends of the bands but the last: values that occur.

    Where no more than `most` numbers differ, each is a band. A number that fills a band alone (999
    for "never") is one by itself, and the others are banded without it.
    """
    there = values[~np.isnan(values)]
    known, n = np.unique(there, return_counts=True)
    if len(known) <= most:
        return known[:-1]
    alone = n >= len(there) / most
    around = known[alone | np.append(alone[1:], False)]
    rest = np.repeat(known[~alone], n[~alone])
    cut = np.quantile(rest, np.arange(1, most) / most, method="inverted_cdf")
    ends = np.unique(np.concatenate([cut, around]))
    return ends[ends < known[-1]]


def as_bands(values: pd.Series, edges: np.ndarray | None = None) -> pd.Series:
    """Return each contact's level: the number of its band, or its text; UNKNOWN where missing.

    Parameters
    ----------
    values : Series
    edges : array, optional
        Upper ends of the bands of a number; of these values themselves when left out.
    """
    if not is_number(values):
        return as_levels(values)
    numbers = as_numbers(values)
    edges = band_edges(numbers) if edges is None else edges
    names = np.array([str(i) for i in range(len(edges) + 1)] + [UNKNOWN], dtype=object)
    place = np.where(np.isnan(numbers), len(edges) + 1, np.searchsorted(edges, numbers))
    return pd.Series(names[place], index=values.index)


def count_levels(level: pd.Series, responded: np.ndarray) -> pd.DataFrame:
    """Return ``n`` contacts and ``events`` responses of each ``level``, sorted by its name."""
    code, names = pd.factorize(level, sort=True)
    return pd.DataFrame(
        {
            "level": names,
            "n": np.bincount(code, minlength=len(names)),
            "events": np.bincount(code, responded, len(names)).astype("int64"),
        }
    )
