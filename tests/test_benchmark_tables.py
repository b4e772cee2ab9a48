"""How the benchmarks of whole tables compare them: rows that were changed by hand are counted."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"

ROWS = pd.DataFrame({"id": ["a", "b", "c"], "paid": [1.25, 0.0, None], "kind": ["x", None, "y"]})


@pytest.fixture
def tables(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module("watching.tables")


@pytest.mark.parametrize(
    ("other", "apart"),
    [
        (ROWS, 0),
        (ROWS.assign(more=1)[["kind", "more", "paid", "id"]], 0),
        (ROWS.assign(paid=[1.26, 0.0, None]), 1),
        (ROWS.assign(kind=["x", "", "y"]), 1),
        (ROWS.assign(paid=[1.25, None, 0.0]), 2),
        (ROWS.iloc[::-1], 2),
        (ROWS.iloc[:1], 2),
    ],
)
def test_rows_apart(tables: ModuleType, tmp_path: Path, other: pd.DataFrame, apart: int) -> None:
    one, two = tmp_path / "one.parquet", tmp_path / "two.parquet"
    ROWS.to_parquet(one, index=False)
    other.to_parquet(two, index=False)
    assert tables.rows_apart(one, two) == apart


def test_rows_apart_takes_rows_of_nothing_for_rows(tables: ModuleType, tmp_path: Path) -> None:
    one, two = tmp_path / "one.parquet", tmp_path / "two.parquet"
    pd.DataFrame({"id": ["a"]}).to_parquet(one)
    pd.DataFrame({"id": ["a", None]}).to_parquet(two)
    assert tables.rows_apart(one, two) == tables.rows_apart(two, one) == 1
