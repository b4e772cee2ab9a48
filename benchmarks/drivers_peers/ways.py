"""The ways of benchmarks/drivers.py in Python: ours from counts, and plain pandas from rows.

    python ways.py WAY FOLDER OUT

OUT is a CSV file with ``what``, ``name``, ``value``: seconds by the clock and of all processors,
and correlations. The clock starts when everything is imported.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import ibis
import numpy as np
import pandas as pd
from clocked import Clock

from customerlab.drivers.correlations import correlate
from customerlab.drivers.moments import count_moments, deal_bags
from customerlab.drivers.pair_counts import count_pairs
from customerlab.drivers.polychoric import polychoric

#: Named here, so that it is loaded before the clock runs.
ENGINE = ibis.duckdb
ITEMS = [f"q{i}" for i in range(1, 21)]
RESAMPLES = 300
SEED = 1


def dealt(folder: Path) -> ibis.Table:
    table = ENGINE.connect().read_parquet(folder / "survey.parquet")
    return deal_bags(table, ITEMS, seed=SEED, key="customer_id").cache()


def pearson_of_counts(folder: Path) -> np.ndarray:
    return count_moments(dealt(folder), ITEMS).correlation


def polychoric_of_counts(folder: Path) -> np.ndarray:
    return count_pairs(dealt(folder), ITEMS).polychoric()


def bags_drawn(folder: Path, kind: str) -> None:
    """Correlate (all that a notebook asks of the engine) and draw 300 resamples."""
    found = correlate(dealt(folder), ITEMS, kind=kind)
    drawn = list(found.resamples(np.random.default_rng(SEED), RESAMPLES))
    if len(drawn) != RESAMPLES:
        raise SystemExit(f"{len(drawn)} resamples")


def rows_of(folder: Path) -> pd.DataFrame:
    return pd.read_parquet(folder / "survey.parquet", columns=ITEMS)


def polychoric_of(rows: pd.DataFrame) -> np.ndarray:
    tables = []
    for one, other in combinations(ITEMS, 2):
        table = pd.crosstab(rows[one], rows[other])
        tables.append(table.reindex(index=range(1, 6), columns=range(1, 6), fill_value=0))
    matrix = np.eye(len(ITEMS))
    matrix[np.triu_indices(len(ITEMS), 1)] = polychoric(np.array(tables))
    return matrix


def once_drawn(folder: Path) -> pd.DataFrame:
    return rows_of(folder).sample(frac=1, replace=True, random_state=SEED)


WAYS: dict[str, Callable[[Path], object]] = {
    "pearson_counts": pearson_of_counts,
    "polychoric_counts": polychoric_of_counts,
    "pearson_bags": lambda folder: bags_drawn(folder, "pearson"),
    "polychoric_bags": lambda folder: bags_drawn(folder, "polychoric"),
    "pearson_rows": lambda folder: rows_of(folder).corr().to_numpy(),
    "polychoric_rows": lambda folder: polychoric_of(rows_of(folder)),
    "pearson_resample": lambda folder: once_drawn(folder).corr(),
    "polychoric_resample": lambda folder: polychoric_of(once_drawn(folder)),
}


def main() -> None:
    way, folder, out = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    clock, told = Clock(), {}
    found = clock.time("fit", lambda: WAYS[way](folder))
    if way.endswith(("counts", "rows")):
        for i, j in combinations(range(len(ITEMS)), 2):
            told["correlation", f"{ITEMS[i]} {ITEMS[j]}"] = found[i, j]
    clock.write(out, told)


if __name__ == "__main__":
    main()
