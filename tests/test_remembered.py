"""What the engine worked out in an earlier run is found again, and only then.

The oracle is what Ibis' own DuckDB answers, and a run that remembers nothing.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import shutil
from decimal import Decimal
from pathlib import Path

import ibis
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from in_one_process import run_notebook
from small_project import ROOT, copy_project

from customerlab.params import Engine
from customerlab.simulate import simulate_bank
from customerlab.workspace import on_duckdb
from customerlab.workspace.on_duckdb import DuckDB, open_duckdb

ROWS = pa.table(
    {
        "key": ["a", "b", "c", None],
        "money": pa.array([Decimal("1.25"), None, Decimal("-3.10"), Decimal("0.01")]),
        "day": [dt.date(2025, 1, 31), None, dt.date(2024, 2, 29), dt.date(2025, 1, 1)],
        "at": [dt.datetime(2025, 1, 1, 12, 30, 0, 7), None, None, dt.datetime(2025, 1, 2)],
        "good": [True, None, False, True],
        "value": [0.1, None, float("nan"), 1 / 3],
        "n": [1, None, 3, 2**62],
        "several": [[1, 2], None, [], [3]],
    }
)


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    file = tmp_path / "rows.parquet"
    pq.write_table(ROWS, file)
    return file


@pytest.fixture(autouse=True)
def all_is_worth_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """However quick it was."""
    monkeypatch.setattr(on_duckdb, "_LONG", -1.0)


def open_engine(tmp_path: Path) -> DuckDB:
    return open_duckdb(Engine(), tmp_path / "spilled", tmp_path / "remembered")


def remembered(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "remembered").iterdir())


def test_answers_are_those_of_the_engine_each_time(rows, tmp_path):
    plain = ibis.duckdb.connect()
    asked = [
        lambda t: t.order_by("n"),
        lambda t: t.aggregate(n=t.n.sum(), money=t.money.sum(), share=t.good.mean()),
        lambda t: t.value.min(),
        lambda t: t.order_by("n").day,
        lambda t: t.filter(t.n < 0),
    ]
    for ask in asked:
        told = ask(plain.read_parquet(rows)).execute()
        for _ in range(2):
            engine = open_engine(tmp_path)
            again = ask(engine.read_parquet(rows)).execute()
            if isinstance(told, pd.DataFrame):
                pd.testing.assert_frame_equal(again, told)
            elif isinstance(told, pd.Series):
                pd.testing.assert_series_equal(again, told)
            else:
                assert again == told
            kept = engine.keep(ask(engine.read_parquet(rows)).as_table())
            table = ask(plain.read_parquet(rows)).as_table()
            assert kept.schema() == plain.create_table("t", table, overwrite=True).schema()
            assert kept.count().execute() == (len(told) if hasattr(told, "__len__") else 1)
    # the answer, what is kept, and how many rows that has
    assert len(remembered(tmp_path)) == 3 * len(asked)


def test_what_is_found_again_is_not_worked_out_again(rows, tmp_path):
    """Something else is put where the answer lies: the second run tells that."""

    def ask(engine: DuckDB) -> int:
        return engine.read_parquet(rows).n.min().execute()

    assert ask(open_engine(tmp_path)) == 1
    (file,) = remembered(tmp_path)
    pq.write_table(pa.table({name: [77] for name in pq.read_schema(file).names}), file)
    assert ask(open_engine(tmp_path)) == 77


def test_other_rows_are_asked_anew(rows, tmp_path):
    """Even when the file has the same name and size, or rows from memory the same columns."""
    engine = open_engine(tmp_path)
    assert engine.read_parquet(rows).n.min().execute() == 1
    kept = engine.keep(engine.read_parquet(rows).select("n"))
    before = rows.stat()
    others = ROWS.set_column(6, "n", pa.array([4, None, 3, 2**62]))
    pq.write_table(others, rows)
    assert rows.stat().st_size == before.st_size
    os.utime(rows, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    assert engine.read_parquet(rows).n.min().execute() == 3
    assert engine.keep(engine.read_parquet(rows).select("n")).n.min().execute() == 3
    assert kept.n.min().execute() == 1
    for n in (5, 6, 5):
        line = ibis.memtable({"n": [n]})
        assert engine.read_parquet(rows).cross_join(line.rename(m="n")).m.max().execute() == n
    asked = len(remembered(tmp_path))
    line = ibis.memtable({"n": [6]})
    assert engine.read_parquet(rows).cross_join(line.rename(m="n")).m.max().execute() == 6
    assert len(remembered(tmp_path)) == asked


def test_dropped_columns_come_in_any_order(rows, tmp_path):
    """Ibis names them as its sets have them, which is another way in each process."""
    engine = open_engine(tmp_path)
    for drop in (("day", "at", "good"), ("good", "day", "at")):
        engine.keep(engine.read_parquet(rows).drop(*drop))
    assert len(remembered(tmp_path)) == 1


def test_what_nothing_asked_for_is_forgotten(rows, tmp_path):
    engine = open_engine(tmp_path)
    engine.keep(engine.read_parquet(rows).select("n"))
    engine.read_parquet(rows).n.max().execute()
    assert len(remembered(tmp_path)) == 2
    (tmp_path / "remembered" / ".half.parquet.part").touch()  # of an engine that was killed
    engine = open_engine(tmp_path)
    engine.read_parquet(rows).n.max().execute()
    engine.forget_rest()
    assert len(remembered(tmp_path)) == 1


def test_a_changed_parameter_asks_nothing_of_the_transactions(tmp_path, monkeypatch):
    """And writes what a run writes that remembers nothing."""
    root, client = tmp_path / "project", "demo_bank"
    copy_project(root)
    simulate_bank(root / "data" / client / "raw", customers=500)
    file = root / "params" / f"{client}.yaml"
    shutil.copy(ROOT / "params" / file.name, file)
    monkeypatch.chdir(root)
    asked: list[tuple[str, bool]] = []
    ask = DuckDB._ask

    def listen(engine: DuckDB, *args: object, **kwargs: object) -> tuple[str, str]:
        sql, name = ask(engine, *args, **kwargs)
        asked.append((sql, (engine.folder / f"{name}.parquet").is_file()))
        return sql, name

    monkeypatch.setattr(DuckDB, "_ask", listen)
    run_notebook("01_data_cleaning", file)
    large = {
        open_engine(tmp_path).read_parquet(root / "data" / client / "clean" / name).get_name()
        for name in ("transactions.parquet", "balances.parquet")
    }

    def worked_out(name: str) -> int:
        asked.clear()
        run_notebook(name, file)
        return sum(not found and any(t in sql for t in large) for sql, found in asked)

    def written() -> dict[str, str]:
        files = [*root.glob("reports/**/*.csv"), *root.glob("data/**/findings/*.json")]
        return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    assert worked_out("02_invalid_customers") > 5
    first = written()
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("  contact_cost: 10 ", "  contact_cost: 11 "), encoding="utf-8")
    assert worked_out("02_invalid_customers") == 0
    second = written()
    assert second != first
    shutil.rmtree(root / "data" / client / ".remembered")
    assert worked_out("02_invalid_customers") > 5
    assert written() == second


def test_rows_that_are_only_chosen_are_read_again_and_what_is_computed_is_not(rows, tmp_path):
    """Oracle: the rows that Ibis' own DuckDB gives."""
    engine, plain = open_engine(tmp_path), ibis.duckdb.connect()

    def twice(con: ibis.BaseBackend, choose: str) -> ibis.Table:
        t = con.read_parquet(rows)
        few = {
            "filter": t.filter(t.n > 0),
            "semi join": t.semi_join(t.filter(t.good).select(k="key"), [("key", "k")]),
            "computed": t.mutate(n=t.n.nullif(0)).filter(lambda t: t.n > 0),
        }[choose].filter(lambda t: t.money.notnull())
        highest = few.aggregate(most=few.n.max())
        return few.join(highest, few.n <= highest.most).select("key", "n").order_by("n")

    for choose, again in (("filter", True), ("semi join", True), ("computed", False)):
        assert ("NOT MATERIALIZED" in engine.compile(twice(engine, choose))) == again
        pd.testing.assert_frame_equal(
            twice(engine, choose).execute(), twice(plain, choose).execute()
        )
