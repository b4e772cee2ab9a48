"""Whether two runs left the same: numbers to 1e-9, rows in the order of a key or of all columns."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

#: Relative, and absolute for what is nothing but rounding.
CLOSE = 1e-9


def differences(mine: Path, theirs: Path, client: str, other: str) -> Iterator[str]:
    """Say what differs between the results of two clients, each under the root of its project."""
    for folder in ("data", "reports"):
        left, right = mine / folder / client, theirs / folder / other
        names = {
            str(path.relative_to(left))
            for pattern in _PATTERNS[folder]
            for path in left.glob(pattern)
        }
        if not names:
            yield f"nothing under {left}"
        for name in sorted(names):
            if not (right / name).is_file():
                yield f"{name}: missing"
            else:
                yield from (f"{name}: {text}" for text in _of_file(left / name, right / name))


_PATTERNS = {
    "data": (
        "clean/*.parquet",
        "quarantine/*.parquet",
        "customers.parquet",
        "scores/*.parquet",
        "actions/*/*.parquet",
        "findings/*.json",
    ),
    "reports": ("tables/*.csv",),
}


def _of_file(left: Path, right: Path) -> Iterator[str]:
    if left.suffix == ".json":
        yield from _of_values("", *(json.loads(path.read_text("utf-8")) for path in (left, right)))
    elif left.suffix == ".csv":
        yield from _of_frames(
            *(pd.read_csv(path, dtype=str, keep_default_na=False) for path in (left, right))
        )
    else:
        kinds = [_kinds(path) for path in (left, right)]
        if kinds[0] != kinds[1]:
            yield f"columns {kinds[0]} and {kinds[1]}"
        frames = []
        for path in (left, right):
            with duckdb.connect() as con:
                rows = con.execute(f"SELECT * FROM read_parquet('{path}') ORDER BY ALL").fetchall()
            frames.append(pd.DataFrame(rows, dtype=object))
        yield from _of_frames(*frames)


def _kinds(path: Path) -> dict[str, str]:
    """Return the kinds of the columns; DuckDB writes a constant number as a decimal of its own."""
    return {
        field.name: "double"
        if pa.types.is_decimal(field.type) and field.type.scale != 4
        else str(field.type)
        for field in pq.read_schema(path)
    }


def _of_frames(left: pd.DataFrame, right: pd.DataFrame) -> Iterator[str]:
    if left.shape != right.shape or list(left.columns) != list(right.columns):
        yield f"{left.shape} and {right.shape}, {list(left.columns)} and {list(right.columns)}"
        return
    for column in left.columns:
        pairs = zip(left[column], right[column], strict=True)
        for row, (one, other) in enumerate(pairs):
            if not _same(one, other):
                yield f"{column}, row {row}: {one!r} and {other!r}"
                break


def _of_values(at: str, left: Any, right: Any) -> Iterator[str]:
    if isinstance(left, dict) and isinstance(right, dict) and left.keys() == right.keys():
        for key in left:
            yield from _of_values(f"{at}.{key}", left[key], right[key])
    elif isinstance(left, list) and isinstance(right, list) and len(left) == len(right):
        for place, pair in enumerate(zip(left, right, strict=True)):
            yield from _of_values(f"{at}[{place}]", *pair)
    elif not _same(left, right):
        yield f"{at}: {left!r} and {right!r}"


def _same(left: Any, right: Any) -> bool:
    if left == right:
        return True
    try:
        one, other = float(left), float(right)
    except (TypeError, ValueError):
        return False
    if math.isnan(one) or math.isnan(other):
        return math.isnan(one) and math.isnan(other)
    return math.isclose(one, other, rel_tol=CLOSE, abs_tol=CLOSE)
