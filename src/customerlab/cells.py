"""Counts of rows that are alike: all that a model with categories for inputs needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import ibis
import ibis.expr.types as ir
import pandas as pd


def no_rows(columns: Mapping[str, object]) -> ir.Table:
    """Return a table without rows, for a client who did not give one.

    Parameters
    ----------
    columns : mapping of str to type
    """
    return ibis.memtable(ibis.schema(dict(columns)).to_pyarrow().empty_table())


def cells(
    table: ir.Table,
    by: Sequence[str],
    sums: Mapping[str, ir.Value] | None = None,
    *,
    n: str = "n",
    floats: bool = False,
) -> pd.DataFrame:
    """Count the rows of `table` that are alike in `by`; the engine does the counting.

    Parameters
    ----------
    table : ibis table
    by : sequence of str
        Columns that make a cell; rows without a value are a cell of their own.
    sums : mapping of str to ibis value, optional
        Further columns: what to add up within each cell, for instance
        ``{"events": months.left}``.
    n : str
        Name of the column with the number of rows.
    floats : bool
        Whether sums are fetched as float64. Decimals are added up exactly all the same, and only
        then cast; as they are, every one of them is an object, which many cells feel.

    Returns
    -------
    DataFrame
        `by`, `n` and the names of `sums`, in the order of `by` (no value last), so that two runs
        give the same table whatever order the engine counted in.
    """
    measures = {name: value.sum() for name, value in (sums or {}).items()}
    if floats:
        measures = {name: total.cast("float64") for name, total in measures.items()}
    counted = table.group_by(list(by)).aggregate(**{n: table.count()}, **measures)
    ordered = counted.order_by([ibis.asc(column, nulls_first=False) for column in by])
    return ordered.select(*by, n, *measures).to_pandas()
