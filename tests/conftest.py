"""What the tests share: the engine, the project's root, and the real clients' data."""

from __future__ import annotations

import gc
import shutil
from collections.abc import Iterator
from pathlib import Path

import ibis
import pandas as pd
import pytest

from customerlab.params import Engine
from customerlab.workspace.engine import open_engine

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared" / "data"

# expressions are many small objects that live on: looked through for cycles every 700, as Python
# does by itself, they cost a seventh of the time; a workspace sets the same for a notebook
gc.set_threshold(50_000)
# likewise: queries are as long as a workspace makes them, and sooner written
ibis.options.sql.fuse_selects = False


@pytest.fixture
def con():
    """Return an engine of its own, in memory."""
    connection = ibis.duckdb.connect()
    yield connection
    connection.disconnect()


#: Little is computed in the tests, and to compile it for that takes Java most of the time.
QUICK = {
    "spark.sql.shuffle.partitions": 2,
    "spark.sql.codegen.wholeStage": False,
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
}


def need_spark() -> None:
    """Skip the test where there is no Spark."""
    pytest.importorskip("pyspark", reason="no PySpark: `make spark` installs it")
    if shutil.which("java") is None:
        pytest.skip("no Java for Spark on this machine")


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ibis.BaseBackend]:
    """Return Spark with two threads, as a workspace opens it."""
    need_spark()
    folder = tmp_path_factory.mktemp("spark")
    settings = Engine(backend="pyspark", master="local[2]", spark=QUICK)
    engine = open_engine(settings, folder / "scratch", "tests", folder / "remembered")
    yield engine
    engine.disconnect()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder of real clients' data, which is not part of the repository."""
    if not SHARED.is_dir():
        pytest.skip("the real clients' data are not on this machine")
    return SHARED


@pytest.fixture(scope="session")
def telco(shared_data: Path) -> pd.DataFrame:
    """Return the customers of the public telephone company who have stayed a month or more."""
    rows = pd.read_csv(shared_data / "telco" / "telco.csv").query("tenure > 0")
    rows = rows.assign(churned=rows["Churn"] == "Yes", duration=rows["tenure"])
    return rows.assign(SeniorCitizen=rows["SeniorCitizen"].astype(float))


#: They run whole reports. Begun last, one core would do them while the other has nothing to do.
#: The last needs what the first makes, and would wait for it.
SLOWEST_FIRST = (
    *("test_demo_bank", "test_spark_same", "test_real_clients", "test_running", "test_bad_input"),
    "test_same_again",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the slowest files begin first."""
    order = {name: place for place, name in enumerate(SLOWEST_FIRST)}
    items.sort(key=lambda item: order.get(item.path.stem, len(order)))
