"""The engine that computes: DuckDB in this process, or Spark on a machine or a cluster."""

from __future__ import annotations

import gc
import importlib.util
import os
import shutil
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import ibis

from customerlab.errors import CustomerlabError
from customerlab.params import Engine
from customerlab.workspace.on_duckdb import DuckDB, open_duckdb

if TYPE_CHECKING:
    from customerlab.workspace.on_spark import Spark

#: Seconds to wait for an answer of a Spark master.
_PATIENCE = 5


def open_engine(settings: Engine, scratch: Path, name: str, remembered: Path) -> DuckDB | Spark:
    """Open the engine that the parameters ask for.

    Parameters
    ----------
    settings : Engine
    scratch : Path
        A folder of the engine's own, for what does not fit into memory.
    name : str
        What a cluster calls this piece of work.
    remembered : Path
        A folder for what DuckDB worked out and may be asked again; Spark has no use for it.

    Returns
    -------
    ibis backend
        Whose times are in UTC, whose ``to_parquet`` writes one file and which has two methods
        more, whichever the engine: ``keep`` works a table out once and returns it, and
        ``forget_rest`` removes what earlier runs left and this one had no use for.

    Raises
    ------
    CustomerlabError
        When Spark is asked for and is not here, or its master does not answer.
    """
    # fused, a value used ten times would be worked out ten times: three times the time here
    ibis.options.sql.fuse_selects = False
    # expressions are many small objects that live on: looked through for cycles every 700,
    # they cost a tenth of the time of a small client
    gc.set_threshold(50_000)
    scratch.parent.mkdir(parents=True, exist_ok=True)  # DuckDB makes only the last folder
    if settings.backend == "duckdb":
        return open_duckdb(settings, scratch, remembered)
    see_spark(settings)
    # Spark is not installed everywhere
    from customerlab.workspace.on_spark import open_spark

    return open_spark(settings, scratch, name)


def see_spark(settings: Engine) -> None:
    """See that Spark is here and that its master answers, before anything is started.

    Raises
    ------
    CustomerlabError
        With what is missing.
    """
    asked = "engine: {backend: pyspark}"
    if importlib.util.find_spec("pyspark") is None:
        raise CustomerlabError(f"{asked} needs PySpark, which is not installed: call `make spark`")
    home = os.environ.get("JAVA_HOME")
    java = Path(home) / "bin" / "java" if home else Path("java")
    if shutil.which(java) is None:
        where = f"JAVA_HOME is {home}, which has no bin/java" if home else "there is none here"
        raise CustomerlabError(f"{asked} needs Java 17 or newer, and {where}")
    address = settings.master.removeprefix("spark://")
    if address == settings.master:
        return
    refused = []
    for one in address.split(","):  # masters that stand in for each other
        host, _, port = one.rpartition(":")
        try:
            socket.create_connection((host, int(port)), timeout=_PATIENCE).close()
            return
        except OSError as error:
            refused.append(f"{one}: {error.strerror or error}")
    raise CustomerlabError(
        f"engine: {{master: {settings.master}}}: no Spark master answers there "
        f"({'; '.join(refused)})"
    )
