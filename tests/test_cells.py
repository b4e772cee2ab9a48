"""Counts of alike rows, against the plainest pandas."""

import ibis
import pandas as pd
import pytest

from customerlab.cells import cells


@pytest.fixture
def rows():
    return pd.DataFrame(
        {
            "gender": ["F", None, "M", "F", None, "F"],
            "band": ["20-29", "20-29", None, "20-29", "20-29", "60+"],
            "left": [1, 0, 1, 0, 1, 0],
        }
    )


def test_counts_and_sums_are_those_of_pandas_and_nulls_are_a_cell(rows):
    table = ibis.duckdb.connect().create_table("rows", rows)
    got = cells(table, by=["gender", "band"], sums={"events": table.left})
    wanted = (
        rows.groupby(["gender", "band"], dropna=False)
        .agg(n=("left", "size"), events=("left", "sum"))
        .reset_index()
    )
    unknown = {"gender": "?", "band": "?"}
    pd.testing.assert_frame_equal(got.fillna(unknown), wanted.fillna(unknown), check_dtype=False)
    assert got[["gender", "band"]].isna().sum().tolist() == [1, 1]
    assert got["n"].sum() == len(rows)


def test_order_does_not_depend_on_the_order_of_rows(rows):
    con = ibis.duckdb.connect()
    one = cells(con.create_table("a", rows), by=["band", "gender"], n="customers")
    two = cells(con.create_table("b", rows.iloc[::-1]), by=["band", "gender"], n="customers")
    pd.testing.assert_frame_equal(one, two)
    assert list(one.columns) == ["band", "gender", "customers"]


def test_an_empty_table_has_no_cells_but_the_columns(rows):
    table = ibis.duckdb.connect().create_table("rows", rows).filter(ibis.literal(False))
    got = cells(table, by=["gender"], sums={"events": table.left})
    assert got.empty and list(got.columns) == ["gender", "n", "events"]
