"""What all Python peers of benchmarks/churn.py share: the clock, the data, the design matrix.

Needs nothing but NumPy and pandas with pyarrow, so that it works in a peer's own environment.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from clocked import Clock

#: What is known from the beginning, and what changes.
FIXED = ["age_band", "gender", "region", "products"]
TERMS = [*FIXED, "payroll"]
#: First month of each band of tenure, as in customerlab.features.
BANDS = {0: "0", 1: "1-2", 3: "3-5", 6: "6-11", 12: "12-23"}

Estimates = dict[tuple[str, str], float]


class Model(NamedTuple):
    """How a peer reads and prepares the data of one model, and how it estimates it."""

    prepare: Callable[[Path], Any]
    fit: Callable[[Any], Estimates]


def run(models: Mapping[str, Model]) -> None:
    """Work out the model named first on the command line, from a folder, into a CSV file.

    The file has the columns ``what``, ``name``, ``value``: seconds by the clock and of all
    processors, and estimates.
    """
    model, folder, out = models[sys.argv[1]], Path(sys.argv[2]), Path(sys.argv[3])
    clock = Clock()
    data = clock.time("prepare", lambda: model.prepare(folder))
    clock.write(out, clock.time("fit", lambda: model.fit(data)))


def read(folder: Path, columns: list[str]) -> pd.DataFrame:
    """Read columns of the stays; categories come as such."""
    return pd.read_parquet(folder / "stays.parquet", columns=columns)


def read_levels(folder: Path) -> dict[str, list[str]]:
    """Return the levels of each term, the reference first."""
    table = pd.read_csv(folder / "levels.csv", dtype=str, keep_default_na=False)
    return {term: list(part["level"]) for term, part in table.groupby("term", sort=False)}


def names(levels: Mapping[str, list[str]], terms: list[str]) -> list[str]:
    """Return the names of the coefficients."""
    return [f"{term} {level}" for term in terms for level in levels[term][1:]]


def design(rows: pd.DataFrame, levels: Mapping[str, list[str]], terms: list[str]) -> np.ndarray:
    """Return a column of 0 and 1 for each level but the reference."""
    columns = [(rows[term] == level) for term in terms for level in levels[term][1:]]
    return np.column_stack([column.to_numpy(float) for column in columns])


def coefficients(names: list[str], values: np.ndarray, errors: np.ndarray | None) -> Estimates:
    """Name the estimates of a regression."""
    found = {("coefficient", name): value for name, value in zip(names, values, strict=True)}
    if errors is not None:
        found |= {("std_error", name): value for name, value in zip(names, errors, strict=True)}
    return found


def curve(months: np.ndarray, survival: np.ndarray, low: np.ndarray, high: np.ndarray) -> Estimates:
    """Name the estimates of a curve, month by month."""
    values = {"survival": survival, "low": low, "high": high}
    return {
        (what, str(int(month))): value
        for what, column in values.items()
        for month, value in zip(months, column, strict=True)
        if month > 0
    }


def start_stop(stays: pd.DataFrame) -> pd.DataFrame:
    """Cut each stay where payroll changes: ``start``, ``stop``, ``left`` and the features."""
    changes = stays["changes_in"]
    cut = (changes < stays["duration"]).fillna(False).astype(bool)
    first = stays.assign(
        start=stays["entry"],
        stop=changes.where(cut, stays["duration"]).astype("int64"),
        left=stays["churned"] & ~cut,
    )
    then = stays[cut].assign(
        start=changes[cut].astype("int64"), stop=stays["duration"], left=stays["churned"]
    )
    then["payroll"] = np.where(then["payroll"] == "none", "running", "none")
    both = pd.concat([first.assign(payroll=first["payroll"].astype(object)), then])
    return both[["customer_id", "start", "stop", "left", *TERMS]]
