"""DuckDB as an Ibis backend that remembers from run to run what took long to work out."""

from __future__ import annotations

import hashlib
import re
import time
from pathlib import Path
from typing import Any

import duckdb
import ibis
import ibis.expr.operations as ops
import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.parquet as pq
import sqlglot.expressions as exp
from ibis.backends.duckdb import Backend

from customerlab.errors import CustomerlabError
from customerlab.files import write_whole
from customerlab.params import Engine

#: Seconds of an answer that is worth a file.
_LONG = 0.2
_DROPPED = re.compile(r"(?<= EXCLUDE )\(([^)]*)\)")


class DuckDB(Backend):
    """Ibis' backend; what it worked out stays in a folder, under a name that tells what it is.

    The name is the hash of the query, in which tables stand by names that change with what is in
    them: a file by its place, size and time of writing, rows from memory by their bytes, a kept
    table by its own query. So the same question of the same data finds its answer, after a changed
    parameter too, and another never does.

    Attributes
    ----------
    folder : Path
        Where it stays. All of it may be deleted.
    used : set of str
        Names of the files in it that this run wrote or read.
    """

    folder: Path
    used: set[str]

    def read_parquet(
        self, path: str | Path, /, *, table_name: str | None = None, **kwargs: Any
    ) -> ir.Table:
        """Return a Parquet file as a table."""
        path = Path(path).resolve()
        state = path.stat()
        name = _hash(f"{path} {state.st_size} {state.st_mtime_ns}")
        return super().read_parquet(path, table_name=table_name or f"file_{name}", **kwargs)

    def own_table(self, name: str, where: str) -> ir.Table:
        """Say that there is none: what DuckDB reads are files.

        Raises
        ------
        CustomerlabError
        """
        raise CustomerlabError(
            f"{where}: this is a table of Spark's: add `engine: {{backend: pyspark}}`, or name "
            "files by `path`"
        )

    def compile(
        self, expr: ir.Expr, /, *, limit: Any = None, params: Any = None, pretty: bool = False
    ) -> str:
        """Return the query; rows that are only filtered are read again wherever they are used.

        DuckDB would write all their columns to memory or disk first.
        """
        query = self.compiler.to_sqlglot(expr, limit=limit, params=params)
        for one in query.find_all(exp.CTE):
            if _only_filters(one.this):
                one.set("materialized", False)
        return query.sql(dialect=self.dialect, pretty=pretty)

    def keep(self, table: ir.Table) -> ir.Table:
        """Work a table out, unless it is remembered, and return it as read back."""
        sql, name = self._ask(table, typed=True)
        file = self._place(name)
        if not file.is_file():
            write_whole(file, lambda part: self.con.sql(sql).write_parquet(str(part)))
        return super().read_parquet(file, table_name=f"kept_{name}")

    def _typed(self, table: ir.Table) -> str:
        """Name the columns with the types that Ibis says: of a sum DuckDB has a larger one."""
        to_string = self.compiler.type_mapper.to_string
        quoted = {
            '"' + name.replace('"', '""') + '"': kind for name, kind in table.schema().items()
        }
        return ", ".join(
            f"CAST({name} AS {to_string(kind)}) AS {name}" for name, kind in quoted.items()
        )

    def _to_duckdb_relation(
        self, expr: ir.Expr, *, params: Any = None, limit: Any = None, **kwargs: Any
    ) -> duckdb.DuckDBPyRelation:
        # all answers but streams come this way
        sql, name = self._ask(expr.as_table(), params=params, limit=limit, **kwargs)
        file = self._place(name)
        if file.is_file():
            return self.con.from_arrow(pq.read_table(file))
        began = time.perf_counter()
        rows = self.con.sql(sql).to_arrow_table()
        if time.perf_counter() - began > _LONG:
            write_whole(file, lambda part: pq.write_table(rows, part))
        return self.con.from_arrow(rows)

    def _ask(self, table: ir.Table, typed: bool = False, **kwargs: Any) -> tuple[str, str]:
        """Return the query and its name."""
        self._run_pre_execute_hooks(table)
        sql = self.compile(table, **kwargs)
        if typed:
            sql = f"SELECT {self._typed(table)} FROM ({sql})"
        # Ibis names the columns that are dropped in no order of its own
        told = _DROPPED.sub(lambda names: str(sorted(names[1].split(", "))), sql)
        for op in table.op().find(ops.InMemoryTable):
            told = told.replace(op.name, _hash(_bytes(op.data.to_pyarrow(op.schema))))
        return sql, _hash(f"{duckdb.__version__} {told}")

    def _place(self, name: str) -> Path:
        self.used.add(f"{name}.parquet")
        return self.folder / f"{name}.parquet"

    def forget_rest(self) -> None:
        """Remove what earlier runs left and this one had no use for."""
        for file in self.folder.glob("*"):
            if file.name not in self.used:
                file.unlink()


def _only_filters(query: exp.Expression) -> bool:
    """Say whether a query does nothing but choose rows and columns of one table."""
    if not isinstance(query, exp.Select):
        return False
    used = {name for name, value in query.args.items() if value}
    if not used <= {"kind", "expressions", "from_", "joins", "where"} or "from_" not in used:
        return False
    columns = all(isinstance(one.unalias(), exp.Column | exp.Star) for one in query.expressions)
    where, joins = query.args.get("where"), query.args.get("joins") or []
    rows = (where is None or not where.find(exp.Select)) and all(
        one.kind in ("SEMI", "ANTI") for one in joins
    )
    sources = (query.args["from_"].this, *(one.this for one in joins))
    return columns and rows and all(_is_plain(one) for one in sources)


def _is_plain(source: exp.Expression) -> bool:
    if isinstance(source, exp.Subquery):
        return _only_filters(source.this)
    return isinstance(source, exp.Table)


def _hash(told: str | bytes) -> str:
    return hashlib.sha256(told.encode() if isinstance(told, str) else told).hexdigest()[:32]


def _bytes(rows: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema) as stream:
        stream.write_table(rows)
    return sink.getvalue().to_pybytes()


def open_duckdb(settings: Engine, scratch: Path, remembered: Path) -> DuckDB:
    """Open DuckDB; see :func:`customerlab.workspace.engine.open_engine`."""
    config: dict[str, Any] = {"temp_directory": str(scratch)}
    if settings.threads:
        config["threads"] = settings.threads
    if settings.memory_limit:
        config["memory_limit"] = settings.memory_limit
    ibis.duckdb  # noqa: B018  registers the options of the backend
    engine = DuckDB().connect(**config)
    engine.raw_sql("SET TimeZone = 'UTC'")  # a time with a zone means the same everywhere
    engine.folder, engine.used = remembered, set()
    return engine
