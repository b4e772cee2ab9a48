"""Spark itself: started with what the parameters say, watched, and its errors in one line."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from py4j.protocol import Py4JError
from pyspark import SparkConf, SparkContext
from pyspark.errors import AnalysisException, PySparkException
from pyspark.java_gateway import launch_gateway
from pyspark.sql import SparkSession

from customerlab.errors import CustomerlabError
from customerlab.params import Engine

#: Seconds for a cluster to give a worker: the first, or another when the last was lost.
PATIENCE = 60
_MEGABYTES = {"MB": 1e6, "GB": 1e9, "MiB": 2**20, "GiB": 2**30}

#: What Spark says goes to a file beside its scratch: none of it belongs on a page.
_LOG = """\
rootLogger.level = warn
logger.plans.name = org.apache.spark.sql.catalyst.util.StringUtils
logger.plans.level = error
rootLogger.appenderRef.stderr.ref = stderr
appender.stderr.type = Console
appender.stderr.name = stderr
appender.stderr.target = SYSTEM_ERR
appender.stderr.layout.type = PatternLayout
appender.stderr.layout.pattern = %d{yyyy-MM-dd HH:mm:ss} %p %c{1}: %m%n%ex{8}
"""


@dataclass(frozen=True)
class Cluster:
    """Spark as it runs.

    Attributes
    ----------
    session : SparkSession
    master : str
    log : Path
        What Spark says.
    deserted : threading.Event
        Set when no worker was left.
    ended : threading.Event
        Set when it is not to be watched any more.
    looking : threading.Lock
        Held while it is asked how it is.
    """

    session: SparkSession
    master: str
    log: Path
    deserted: threading.Event = field(default_factory=threading.Event)
    ended: threading.Event = field(default_factory=threading.Event)
    looking: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def in_one_line(self) -> Iterator[None]:
        """Say in one line why Spark could not go on; a query of ours that is wrong stays as is."""
        try:
            yield
        except AnalysisException:
            raise
        except (PySparkException, Py4JError) as error:
            raise CustomerlabError(f"{self._why(error)}; what Spark said: {self.log}") from error

    def _why(self, error: Exception) -> str:
        if self.deserted.is_set():
            return (
                f"Spark's last worker at {self.master} was lost, and none came within {PATIENCE} "
                "seconds; start workers and run again"
            )
        gateway = self.session.sparkContext._gateway
        if gateway.proc.poll() is not None:
            return "Spark ended; most often there was not enough memory (engine: memory_limit)"
        return f"Spark could not go on: {reason(str(error))}"

    def end(self) -> None:
        """Stop, and end the process that Spark runs in, so that another may be started."""
        with self.looking:
            self.ended.set()
        gateway = self.session.sparkContext._gateway
        self.session.stop()
        gateway.shutdown()
        gateway.proc.terminate()
        gateway.proc.wait()
        SparkContext._gateway = SparkContext._jvm = None

    def watch(self) -> None:
        """Stop when there is work and no worker: Spark would wait for one for ever."""
        context = self.session.sparkContext

        def look() -> None:
            alone_since = None
            while True:
                with self.looking:
                    if self.ended.is_set() or context._jsc.sc().isStopped():
                        return
                    waiting = context.statusTracker().getActiveJobsIds() and not _workers(context)
                    alone_since = (alone_since or time.monotonic()) if waiting else None
                    if alone_since and time.monotonic() - alone_since > PATIENCE:
                        self.deserted.set()
                        context._jsc.sc().stop()
                time.sleep(2)

        threading.Thread(target=look, daemon=True).start()


def start_spark(settings: Engine, scratch: Path, name: str) -> Cluster:
    """Start Spark, or take the one that this process has.

    Raises
    ------
    CustomerlabError
        When it does not start, or no worker takes part.
    """
    log = scratch.with_name(f"{scratch.name}.spark.log")
    session = SparkSession.getActiveSession()
    if session is not None:
        return Cluster(session, settings.master, log)
    rules = scratch / "log4j2.properties"
    rules.write_text(_LOG, encoding="utf-8")
    conf = SparkConf().setAll(_conf(settings, scratch, name, rules).items())
    with log.open("wb") as said:
        try:
            gateway = launch_gateway(conf, {"stdout": said, "stderr": said})
            context = SparkContext(conf=conf, gateway=gateway)
            if settings.on_cluster:
                _see_a_worker(context, settings.master)
            session = SparkSession(context)
            session.range(1).count()  # reads all settings
        except (PySparkException, Py4JError) as error:
            told = log.read_text(encoding="utf-8", errors="replace").strip()
            ended = "JAVA_GATEWAY_EXITED" in str(error) and told
            why = " ".join(told.splitlines()[-2:]) if ended else reason(str(error))
            raise CustomerlabError(
                f"engine: {{master: {settings.master}}}: Spark did not start: {why}; what it "
                f"said: {log}"
            ) from error
    cluster = Cluster(session, settings.master, log)
    if settings.on_cluster:
        cluster.watch()
    return cluster


def _conf(settings: Engine, scratch: Path, name: str, rules: Path) -> dict[str, str]:
    """Return what Spark is told, the client's own words last."""
    master = settings.master
    if master == "local[*]" and settings.threads:
        master = f"local[{settings.threads}]"
    conf = {
        "spark.master": master,
        "spark.app.name": name,
        "spark.local.dir": str(scratch / "spill"),
        "spark.sql.warehouse.dir": str(scratch / "warehouse"),
        # what the client says goes into extraJavaOptions, behind it
        "spark.driver.defaultJavaOptions": f"-Dlog4j2.configurationFile={rules.as_uri()}",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.maxPlanStringLength": "1000",  # long plans take longer to print than to run
        "spark.sql.session.timeZone": "UTC",  # a time with a zone means the same everywhere
        "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
        "spark.sql.execution.arrow.pyspark.enabled": "true",
        "spark.sql.execution.arrow.pyspark.fallback.enabled": "false",  # an error is told once
    }
    if not settings.on_cluster:  # nobody else on the network is to reach it
        conf |= {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}
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


def _workers(context: SparkContext) -> int:
    return context._jsc.sc().getExecutorMemoryStatus().size() - 1  # the driver is one of them


def _see_a_worker(context: SparkContext, master: str) -> None:
    """Wait for the first worker: without one, Spark would wait for ever."""
    end = time.monotonic() + PATIENCE
    while not _workers(context):
        if time.monotonic() > end:
            context.stop()
            raise CustomerlabError(
                f"engine: {{master: {master}}}: the master answers, but none of its workers took "
                f"this work within {PATIENCE} seconds: none is running, or none has the memory "
                "and cores that are asked for"
            )
        time.sleep(0.2)


def reason(said: str) -> str:
    """Return the one line that says why, out of Java's hundreds: the innermost cause."""
    causes = re.findall(r"^(?:Caused by)?: (.+)", said, flags=re.MULTILINE)
    return causes[-1] if causes else said.strip().splitlines()[0]
