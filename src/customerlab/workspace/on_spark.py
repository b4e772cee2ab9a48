"""Spark as an Ibis backend that reads and writes as DuckDB does. Imported where it is asked for."""

from __future__ import annotations

import atexit
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ibis
import ibis.expr.operations as ops
import ibis.expr.schema as sch
import ibis.expr.types as ir
import pyarrow.parquet as pq
from ibis.backends.pyspark import Backend
from ibis.backends.pyspark.datatypes import PySparkSchema
from pyspark.sql import SparkSession

from customerlab.errors import CustomerlabError
from customerlab.params import Engine, Params
from customerlab.workspace.cluster import Cluster, start_spark

#: Rows of a row group, as DuckDB writes them.
_ROWS = 122_880


class Spark(Backend):
    """Ibis' backend, with temporary tables, and Parquet as one sorted file.

    The folder of the project is on a file system that every worker sees.

    Attributes
    ----------
    scratch : Path
        Folder of temporary tables.
    cluster : Cluster
        What runs it.
    kept : int
        Temporary tables so far.
    """

    scratch: Path
    cluster: Cluster
    kept: int

    def get_schema(self, table_name: str, **kwargs: Any) -> sch.Schema:
        """Return the columns of a table; a time has the microseconds that DuckDB's has."""
        kinds = super().get_schema(table_name, **kwargs)
        micros = {name: kind.copy(scale=6) for name, kind in kinds.items() if kind.is_timestamp()}
        return sch.schema({**kinds, **micros})

    def _register_in_memory_table(self, op: ops.InMemoryTable) -> None:
        # as Arrow: by way of pandas, a null among decimals is an error
        rows = op.data.to_pyarrow(op.schema)
        frame = self._session.createDataFrame(rows, schema=PySparkSchema.from_ibis(op.schema))
        frame.createOrReplaceTempView(op.name)

    def read_parquet(
        self, path: str | Path, /, *, table_name: str | None = None, **kwargs: Any
    ) -> ir.Table:
        """Return a Parquet file as a table."""
        return super().read_parquet(Path(path).resolve(), table_name=table_name, **kwargs)

    def own_table(self, name: str, where: str) -> ir.Table:
        """Return a table of Spark's own, in one order: the rows of a table have none.

        Raises
        ------
        CustomerlabError
            When Spark knows no such table.
        """
        if not self._session.catalog.tableExists(name):
            raise CustomerlabError(f"{where}: Spark knows no table {name}")
        *place, table = name.split(".")
        rows = self.table(table, database=tuple(place) or None)
        return rows.order_by([name for name, kind in rows.schema().items() if not kind.is_nested()])

    def signs_of_own(self, name: str) -> list[Any] | None:
        """Return what changes when a table of Spark's own does: its columns, and its files' state.

        None where Spark cannot tell: of a view, and of a table that is not kept in files.
        """
        catalog = self._session.catalog
        if catalog.getTable(name).tableType not in ("MANAGED", "EXTERNAL"):
            return None
        catalog.refreshTable(name)  # Spark remembers files that it has seen
        rows = self._session.table(name)
        java = self._session.sparkContext._jvm
        conf = self._session.sparkContext._jsc.hadoopConfiguration()
        files = []
        for uri in sorted(rows.inputFiles()):
            place = java.org.apache.hadoop.fs.Path(java.java.net.URI(uri))
            state = place.getFileSystem(conf).getFileStatus(place)
            if state.isDirectory():  # whose time says nothing of the files in it
                return None
            files.append([uri, state.getLen(), state.getModificationTime()])
        return [rows.schema.simpleString(), *files] if files else None

    def execute(self, expr: ir.Expr, /, **kwargs: Any) -> Any:
        """Work an expression out."""
        with self.cluster.in_one_line():
            return super().execute(expr, **kwargs)

    def keep(self, table: ir.Table) -> ir.Table:
        """Work a table out and return it as read back.

        As files, not in the memory of the workers: one that is lost takes nothing along.
        """
        self.kept += 1
        folder = self.scratch / f"kept_{self.kept}"
        with self.cluster.in_one_line():
            super().to_parquet(table, folder.as_uri())
        return self.read_parquet(folder, table_name=folder.name)

    def forget_rest(self) -> None:
        """Do nothing: no run of Spark's remembers another."""

    def to_parquet(self, expr: ir.Table, /, path: str | Path, **kwargs: Any) -> None:
        """Write a table as one file: Spark's parts, one after the other."""
        path = Path(path).resolve()
        parts = path.with_name(f"{path.name}.parts")
        shutil.rmtree(parts, ignore_errors=True)  # of a run that was killed
        with self.cluster.in_one_line():
            super().to_parquet(expr, parts.as_uri(), **kwargs)
        schema = expr.schema().to_pyarrow()
        with pq.ParquetWriter(path, schema) as whole:
            for part in sorted(parts.glob("part-*.parquet")):
                with pq.ParquetFile(part) as file:
                    for batch in file.iter_batches(batch_size=_ROWS):
                        whole.write_batch(batch.cast(schema))
        shutil.rmtree(parts)


@dataclass(frozen=True)
class OwnTable:
    """A table of Spark's own, without its rows.

    Attributes
    ----------
    columns : Schema
    signs : list or None
        See :meth:`Spark.signs_of_own`.
    """

    columns: sch.Schema
    signs: list[Any] | None


def look_at_own(params: Params, scratch: Path, where: str) -> dict[str, OwnTable]:
    """Look at the tables of Spark's own that the sources name, without reading them.

    Parameters
    ----------
    params : Params
    scratch : Path
    where : str
        What begins the message when Spark knows none of that name.

    Raises
    ------
    CustomerlabError
        When Spark does not start, or knows no such table.
    """
    ours = SparkSession.getActiveSession() is None
    engine = open_spark(params.engine, scratch, "customerlab check")
    found = {}
    try:
        for name, source in params.sources.items():
            if source.table is not None:
                table = engine.own_table(source.table, f"{where}: sources.{name}.table")
                found[source.table] = OwnTable(table.schema(), engine.signs_of_own(source.table))
    finally:
        if ours:
            engine.cluster.end()
    return found


def open_spark(settings: Engine, scratch: Path, name: str) -> Spark:
    """Start Spark, or join its cluster; see :func:`customerlab.workspace.engine.open_engine`."""
    scratch = scratch.resolve()
    shutil.rmtree(scratch, ignore_errors=True)  # of an earlier run that was killed
    scratch.mkdir(parents=True)
    atexit.register(shutil.rmtree, scratch, ignore_errors=True)
    cluster = start_spark(settings, scratch, name)
    ibis.pyspark  # noqa: B018  registers the options of the backend
    engine = Spark().connect(cluster.session)
    engine.scratch, engine.cluster, engine.kept = scratch, cluster, 0
    return engine
