"""Spark gives the same as DuckDB, and says what is wrong in a line."""

from __future__ import annotations

import datetime as dt
import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import ibis
import nbformat
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from conftest import need_spark
from small_project import CLIENT, environment, make_project

from customerlab.checking import check
from customerlab.errors import CustomerlabError
from customerlab.files import write_whole
from customerlab.job import run_notebook
from customerlab.params import Engine, check_params
from customerlab.paths import Paths
from customerlab.running import run, source_files
from customerlab.workspace import Lab
from customerlab.workspace.engine import open_engine, see_spark

if TYPE_CHECKING:
    from pyspark.sql import SparkSession  # is not installed everywhere

FIRST = {"client": "acme", "snapshot": "2025-12-31"}


def engine(**keys: object) -> Engine:
    return check_params({**FIRST, "engine": keys}, "acme.yaml").engine


def test_what_is_for_spark_alone_asks_for_spark() -> None:
    for key, value in {"master": "local[2]", "spark": {"spark.executor.cores": 2}}.items():
        with pytest.raises(CustomerlabError, match=f"engine.{key}: this is for Spark: add `backe"):
            engine(**{key: value})
        assert getattr(engine(backend="pyspark", **{key: value}), key) == value


@pytest.mark.parametrize("master", ["spark://a:7077,b:7077", "yarn", "k8s://https://a:443"])
def test_a_cluster_is_no_part_of_this_machine(master: str) -> None:
    assert engine(backend="pyspark", master=master).on_cluster
    assert not engine(backend="pyspark").on_cluster
    assert not engine().on_cluster


@pytest.mark.parametrize(
    ("own", "share"),
    [
        ({"master": "local[*]"}, {"threads": 2, "memory_limit": "900MB"}),
        ({"master": "spark://a:7077"}, {}),
        ({"master": "yarn", "threads": 40}, {}),
    ],
)
def test_of_what_those_side_by_side_share_a_cluster_gets_nothing(
    own: dict, share: dict, tmp_path: Path
) -> None:
    """Its workers are others; so many threads are what one of many clients has here."""
    file = make_project(tmp_path)
    asked = {"backend": "pyspark", **own}
    text = file.read_text(encoding="utf-8")
    file.write_text(f"{text}engine: {json.dumps(asked)}\n", encoding="utf-8")
    run_notebook(file, "01_data_cleaning", root=tmp_path, threads=2, memory_mb=900)
    executed = nbformat.read(Paths(tmp_path, CLIENT).executed("01_data_cleaning"), as_version=4)
    (cell,) = [c for c in executed.cells if "injected-parameters" in c.metadata.get("tags", [])]
    (line,) = [one for one in cell.source.splitlines() if one.startswith("engine = ")]
    assert json.loads(line.removeprefix("engine = ")) == {**share, **asked}


def test_a_master_or_a_setting_that_is_none_is_refused() -> None:
    with pytest.raises(CustomerlabError, match=r'expected local\[\*\], .*, found "7077"'):
        engine(backend="pyspark", master="7077")
    with pytest.raises(CustomerlabError, match="a setting of Spark, whose name begins with spark"):
        engine(backend="pyspark", spark={"executor.cores": 2})


def test_without_pyspark_or_java_one_line_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked = engine(backend="pyspark")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(CustomerlabError, match="which is not installed: call `make spark`"):
        see_spark(asked)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(CustomerlabError, match=r"Java 17 .*, and JAVA_HOME is .* no bin/java"):
        see_spark(asked)
    monkeypatch.delenv("JAVA_HOME")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CustomerlabError, match="Java 17 or newer, and there is none here"):
        see_spark(asked)


def test_a_master_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name)
    monkeypatch.setattr("shutil.which", lambda name: name)
    with socket.socket() as bound:  # a port that is taken, and at which nobody listens
        bound.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{bound.getsockname()[1]}"
        with pytest.raises(CustomerlabError) as caught:
            see_spark(engine(backend="pyspark", master=f"spark://{address}"))
        assert str(caught.value) == (
            f"engine: {{master: spark://{address}}}: no Spark master answers there "
            f"({address}: Connection refused)"
        )
        bound.listen()
        see_spark(engine(backend="pyspark", master=f"spark://127.0.0.1:1,{address}"))


def test_check_asks_for_spark_before_a_run_does(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = make_project(tmp_path)
    text = file.read_text(encoding="utf-8")
    file.write_text(f"{text}engine: {{backend: pyspark}}\n", encoding="utf-8")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(CustomerlabError, match="which is not installed: call `make spark`"):
        check(file, tmp_path)


def test_tables_are_written_whole_sorted_and_of_the_same_kinds(
    spark: ibis.BaseBackend, tmp_path: Path
) -> None:
    """What follows cannot tell by which engine a file was written."""
    rows = {
        "key": [f"{i:03}" for i in range(200, 0, -1)],
        "money": [Decimal(i) / 4 if i % 7 else None for i in range(200)],
        "when": [dt.datetime(2025, 1, 1, 12, 30, 0, i) for i in range(200)],
        "day": [dt.date(2025, 1, 1 + i % 31) for i in range(200)],
        "good": [None if i % 5 == 0 else i % 2 == 0 for i in range(200)],
        "value": [i / 3 for i in range(200)],
        "n": [None if i % 3 == 0 else i for i in range(200)],
    }
    kinds = dict(key="string", money="decimal(18, 4)", when="timestamp", day="date", good="boolean")
    table = ibis.memtable(
        pa.table(rows, schema=ibis.schema({**kinds, "value": "float64", "n": "int64"}).to_pyarrow())
    )
    read = []
    ours = open_engine(Engine(), tmp_path / "spilled", "ours", tmp_path / "remembered")
    for name, engine in (("ours", ours), ("theirs", spark)):
        file = tmp_path / f"{name}.parquet"
        engine.to_parquet(table.order_by("key"), file)
        again = engine.keep(engine.read_parquet(file))
        engine.to_parquet(again.mutate(later=again["when"]).order_by("key"), file)
        read.append(pq.read_table(file).replace_schema_metadata(None))
    assert read[0] == read[1]
    assert read[1]["key"].to_pylist() == sorted(rows["key"])
    assert sorted(path.name for path in tmp_path.glob("*.*")) == ["ours.parquet", "theirs.parquet"]


def test_a_table_of_sparks_own_gives_the_same_as_its_file(
    spark: ibis.BaseBackend, tmp_path: Path
) -> None:
    """Cleaned from the catalogue on Spark, and from a file with the same rows on DuckDB."""
    rows = pa.table(
        {
            "customer_id": ["b", "a", "a", None, "c"],
            "occurred_at": [dt.datetime(2025, 1, day, 9, 30) for day in (3, 1, 1, 2, 4)],
            "amount": [Decimal("-1.25"), Decimal("3.10"), Decimal("3.10"), None, Decimal("7.00")],
            "kind": ["purchase", "deposit", "deposit", "fee", ""],
        }
    )
    # as a file holds them, in the order in which a table is read
    rows = rows.sort_by([(name, "ascending") for name in rows.column_names])
    file = tmp_path / "raw.parquet"
    pq.write_table(rows, file)
    session = spark._session
    session.sql("CREATE DATABASE IF NOT EXISTS sales")
    session.createDataFrame(rows).write.mode("overwrite").saveAsTable("sales.moves")
    kinds = {"backend": "pyspark", "master": "local[2]"}
    asked = {"mine": ({"path": [str(file)]}, {}), "theirs": ({"table": "sales.moves"}, kinds)}
    ledgers, tables = [], []
    for client, (source, settings) in asked.items():
        given = {"client": client, "snapshot": "2025-12-31", "engine": settings}
        params = check_params({**given, "sources": {"transactions": source}}, f"{client}.yaml")
        lab = Lab("01_data_cleaning", params, Paths(tmp_path, client))
        parsed = lab.parse()
        assert parsed["rows"].tolist() == [5]
        ledgers.append(lab.clean())
        tables.append(pq.read_table(lab.paths.clean("transactions")).to_pylist())
        file = tmp_path / "params" / f"{client}.yaml"
        file.parent.mkdir(exist_ok=True)
        file.write_text(yaml.safe_dump({**given, "sources": {"transactions": source}}))
        assert "transactions  " in check(file, tmp_path)
    assert ledgers[0].equals(ledgers[1])
    assert tables[0] == tables[1]
    assert len(tables[0]) == 4  # one has no customer
    session.sql("DROP DATABASE sales CASCADE")
    with pytest.raises(
        CustomerlabError, match=r"transactions\.table: Spark knows no table sales.m"
    ):
        lab.parse()
    with pytest.raises(
        CustomerlabError, match=r"transactions\.table: Spark knows no table sales.m"
    ):
        check(file, tmp_path)


@pytest.fixture
def sales(spark: ibis.BaseBackend) -> Iterator[SparkSession]:
    """Return Spark, which knows a table of transactions, and a view of them."""
    session = spark._session
    session.sql("CREATE DATABASE sales")
    columns = "customer_id STRING, occurred_at DATE, amount DOUBLE"
    session.sql(f"CREATE TABLE sales.moves ({columns}) USING parquet")
    session.sql("INSERT INTO sales.moves VALUES ('a', DATE'2025-01-01', 1)")
    session.sql("CREATE VIEW sales.seen AS SELECT * FROM sales.moves")
    yield session
    session.sql("DROP DATABASE sales CASCADE")


def test_a_table_of_sparks_own_is_read_again_when_it_changed(
    sales: SparkSession, tmp_path: Path
) -> None:
    sources = {"transactions": {"table": "sales.moves"}, "customers": {"table": "sales.seen"}}
    given = {**FIRST, "engine": {"backend": "pyspark"}, "sources": sources}
    lab = Lab("01_data_cleaning", check_params(given, "acme.yaml"), Paths(tmp_path, "acme"))

    def read(rows: int) -> list[int]:
        assert lab.parse()["rows"].tolist() == [rows, rows]
        return [lab.paths.parsed(name).stat().st_mtime_ns for name in sources]

    first, second = read(1), read(1)
    assert second[0] == first[0]
    assert second[1] > first[1]  # of a view nobody can tell
    sales.sql("INSERT INTO sales.moves VALUES ('b', DATE'2025-01-02', 2)")
    third = read(2)
    assert third[0] > second[0]
    sales.sql("ALTER TABLE sales.moves ADD COLUMNS (kind STRING)")
    assert read(2)[0] > third[0]
    sales.sql("TRUNCATE TABLE sales.moves")  # then it has no file
    fourth = read(0)
    assert read(0)[0] > fourth[0]


def test_a_run_sees_whether_a_table_of_sparks_own_changed(
    sales: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In this process, whose Spark knows the table; the notebooks are tiny and ask no engine."""
    file = make_project(tmp_path)
    text = file.read_text(encoding="utf-8").replace("path: raw.csv", "table: sales.moves")
    file.write_text(f"{text}engine: {{backend: pyspark}}\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    for name, value in environment(tmp_path, browser=True).items():
        monkeypatch.setenv(name, value)
    page = Paths(tmp_path, CLIENT).page("01_data_cleaning")

    def made() -> int:
        assert run([file], only=["data_cleaning"], root=tmp_path) == 0
        return page.stat().st_mtime_ns

    first = made()
    assert made() == first
    sales.sql("INSERT INTO sales.moves VALUES ('b', DATE'2025-01-02', 2)")
    assert made() > first


def test_a_table_is_spark_s_or_files_and_not_both(tmp_path: Path) -> None:
    own = {"table": "sales.moves"}
    given = {**FIRST, "sources": {"transactions": own}}
    file = tmp_path / "params" / "acme.yaml"
    file.parent.mkdir()
    file.write_text(yaml.safe_dump(given))
    none = r"sources\.transactions\.table: this is a table of Spark's: add `engine: "
    with pytest.raises(CustomerlabError, match=none):
        check(file, tmp_path)
    # the summary is told the sources and no engine
    lab = Lab("01_data_cleaning", check_params(given, "99_summary"), Paths(tmp_path, "acme"))
    with pytest.raises(CustomerlabError, match=none):
        lab.parse()
    on_spark = {**FIRST, "engine": {"backend": "pyspark"}}
    both = {**own, "path": ["moves.csv"]}
    with pytest.raises(CustomerlabError, match="name files by `path` or a table by `table`, not b"):
        check_params({**on_spark, "sources": {"transactions": both}}, "acme.yaml")
    params = check_params({**on_spark, "sources": {"transactions": own}}, "acme.yaml")
    assert source_files(params, Path(), "acme.yaml") == []


def test_a_file_that_cannot_be_written_leaves_what_was_there(
    spark: ibis.BaseBackend, tmp_path: Path
) -> None:
    """Spark stops in the middle of a table: nothing half-written has the final name."""
    file = tmp_path / "table.parquet"
    write_whole(file, lambda part: spark.to_parquet(ibis.memtable({"a": ["1"]}), part))
    broken = ibis.memtable({"a": ["1", "x"]})
    broken = broken.mutate(a=broken.a.cast("int64"))
    with pytest.raises(Exception, match="CAST_INVALID_INPUT"):
        write_whole(file, lambda part: spark.to_parquet(broken, part))
    assert pq.read_table(file).to_pylist() == [{"a": "1"}]


def test_too_little_memory_is_said_in_a_line(tmp_path: Path) -> None:
    """In a process of its own: Spark starts once in each."""
    need_spark()
    lines = [
        "from pathlib import Path",
        "from customerlab.params import Engine",
        "from customerlab.workspace.engine import open_engine",
        "settings = Engine(backend='pyspark', master='local[1]', memory_limit='100MB')",
        "open_engine(settings, Path('scratch'), 'small', Path('remembered'))",
    ]
    command = [sys.executable, "-c", "\n".join(lines)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    *_, last = done.stderr.splitlines()
    assert done.returncode == 1
    assert "CustomerlabError: engine: {master: local[1]}: Spark did not start: " in last
    assert "System memory 100663296 must be at least" in last
    assert last.endswith(f"; what it said: {tmp_path / 'scratch.spark.log'}")
    assert [path.name for path in tmp_path.iterdir()] == ["scratch.spark.log"]
