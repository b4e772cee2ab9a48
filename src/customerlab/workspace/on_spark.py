"""Spark as an Ibis backend that reads and writes as DuckDB does. Imported where it is asked for."""

from __future__ import annotations

import atexit
import re
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ibis
import ibis.expr.operations as ops
import ibis.expr.schema as sch
import ibis.expr.types as ir
import pyarrow.parquet as pq
from ibis.backends.pyspark import Backend
from ibis.backends.pyspark.datatypes import PySparkSchema
from pyspark import SparkConf, SparkContext
from pyspark.errors import PySparkException
from pyspark.java_gateway import launch_gateway
from pyspark.sql import SparkSession

from customerlab.errors import CustomerlabError
from customerlab.params import Engine

#: Rows of a row group, as DuckDB writes them.
_ROWS = 122_880
#: Seconds for a cluster to give the first worker.
_PATIENCE = 60
_MEGABYTES = {"MB": 1e6, "GB": 1e9, "MiB": 2**20, "GiB": 2**30}

#: What Spark says goes to a file beside its scratch: none of it belongs on a page.
_LOG = """\
rootLogger.level = warn
rootLogger.appenderRef.stderr.ref = stderr
appender.stderr.type = Console
appender.stderr.name = stderr
appender.stderr.target = SYSTEM_ERR
appender.stderr.layout.type = PatternLayout
appender.stderr.layout.pattern = %d{yyyy-MM-dd HH:mm:ss} %p %c{1}: %m%n%ex{8}
"""


class Spark(Backend):
    """Ibis' backend, with temporary tables, and Parquet as one sorted file.

    The folder of the project is on a file system that every worker sees.
    """

    scratch: Path

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

    def create_table(self, name: str, /, obj: Any = None, *, temp: bool = False, **kwargs: Any):
        """Create a table; a temporary one lies under `scratch` and is worked out now.

        As files, not in the memory of the workers: one that is lost takes nothing along.
        """
        if not temp:
            return super().create_table(name, obj, **kwargs)
        folder = self.scratch / name
        super().to_parquet(obj, folder.as_uri())
        return self.read_parquet(folder, table_name=name)

    def to_parquet(
        self,
        expr: ir.Table,
        /,
        path: str | Path,
        *,
        params: Mapping[ir.Scalar, Any] | None = None,
        limit: int | str | None = None,
        **kwargs: Any,
    ) -> None:
        """Write a table as one file: Spark's parts, one after the other."""
        path = Path(path).resolve()
        parts = path.with_name(f"{path.name}.parts")
        shutil.rmtree(parts, ignore_errors=True)
        super().to_parquet(expr, parts.as_uri(), params=params, limit=limit, **kwargs)
        schema = expr.schema().to_pyarrow()
        with pq.ParquetWriter(path, schema) as whole:
            for part in sorted(parts.glob("part-*.parquet")):
                with pq.ParquetFile(part) as file:
                    for batch in file.iter_batches(batch_size=_ROWS):
                        whole.write_batch(batch.cast(schema))
        shutil.rmtree(parts)


def open_spark(settings: Engine, scratch: Path, name: str) -> Spark:
    """Start Spark, or join its cluster; see :func:`customerlab.workspace.engine.open_engine`."""
    scratch = scratch.resolve()
    session = SparkSession.getActiveSession() or _start(settings, scratch, name)
    shutil.rmtree(scratch, ignore_errors=True)  # of an earlier run that was killed
    scratch.mkdir(parents=True)
    atexit.register(shutil.rmtree, scratch, ignore_errors=True)
    ibis.pyspark  # noqa: B018  registers the options of the backend
    engine = Spark().connect(session)
    engine.scratch = scratch
    return engine


def _start(settings: Engine, scratch: Path, name: str) -> SparkSession:
    log = scratch.with_name(f"{scratch.name}.spark.log")
    rules = scratch.with_name(f"{scratch.name}.log4j2.properties")
    rules.write_text(_LOG, encoding="utf-8")
    conf = SparkConf().setAll(_conf(settings, scratch, name, rules).items())
    refused = f"engine: {{master: {settings.master}}}: Spark did not start"
    with log.open("wb") as said:
        try:
            gateway = launch_gateway(conf, {"stdout": said, "stderr": said})
            context = SparkContext(conf=conf, gateway=gateway)
        except (PySparkException, Exception) as error:
            raise CustomerlabError(f"{refused} ({_reason(error, log)}); see {log}") from error
    if settings.on_cluster:
        _see_a_worker(context, settings)
    return SparkSession(context)


def _conf(settings: Engine, scratch: Path, name: str, rules: Path) -> dict[str, str]:
    """Return what Spark is told, the client's own words last."""
    master = settings.master
    if master == "local[*]" and settings.threads:
        master = f"local[{settings.threads}]"
    conf = {
        "spark.master": master,
        "spark.app.name": name,
        "spark.local.dir": f"{scratch}.spill",
        "spark.sql.warehouse.dir": f"{scratch}.tables",
        # what the client says goes into extraJavaOptions, behind it
        "spark.driver.defaultJavaOptions": f"-Dlog4j2.configurationFile={rules.as_uri()}",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.maxPlanStringLength": "1000",  # long plans take longer to print than to run
        "spark.sql.session.timeZone": "UTC",  # a time with a zone means the same everywhere
        "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
        "spark.sql.execution.arrow.pyspark.enabled": "true",
    }
    if settings.on_cluster and settings.threads:
        conf["spark.cores.max"] = str(settings.threads)
    if settings.memory_limit:
        number, unit = re.fullmatch(r"([\d.]+) ?(\w+)", settings.memory_limit).groups()
        # on one machine the driver is the only worker
        who = "executor" if settings.on_cluster else "driver"
        conf[f"spark.{who}.memory"] = f"{int(float(number) * _MEGABYTES[unit] / 2**20)}m"
    own = {
        key: str(value).lower() if isinstance(value, bool) else str(value)
        for key, value in settings.spark.items()
    }
    return conf | own


def _see_a_worker(context: SparkContext, settings: Engine) -> None:
    """Wait for the first worker: without one, Spark would wait for ever."""
    end = time.monotonic() + _PATIENCE
    while context._jsc.sc().getExecutorMemoryStatus().size() < 2:  # the driver is one of them
        if time.monotonic() > end:
            context.stop()
            raise CustomerlabError(
                f"engine: {{master: {settings.master}}}: the master answers, but none of its "
                f"workers took this work within {_PATIENCE} seconds: none is running, or none has "
                "the memory and cores that are asked for"
            )
        time.sleep(0.2)


def _reason(error: Exception, log: Path) -> str:
    """Return the one line that says why, out of Java's hundreds."""
    found = re.search(r"(?:Exception|Error): (.+)", f"{error}\n{log.read_text(errors='replace')}")
    return found[1] if found else str(error).splitlines()[0]
