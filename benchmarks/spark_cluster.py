"""Run a bank on a Spark cluster of one master and two workers, and lose a worker on the way.

The cluster is on this machine, and everything that was started is stopped in the end. The same
bank goes through the same notebooks three times:

1. on DuckDB;
2. on the cluster, where the worker with the work is killed as soon as the first clean table is
   there: the other goes on;
3. on the cluster, where that worker is killed too: the run must stop with a line that says so, and
   leave nothing half-written; then the workers come back, and the run is called again and goes on.

What 2 and 3 leave is compared with what 1 left: tables, findings, clean and quarantined rows,
customers, scores, actions; numbers to 1e-9.

    python benchmarks/spark_cluster.py [--customers 1000] [--only invalid_customers]

It needs PySpark (`make spark`), Java, two processors and 4 GB of memory. Times are rough.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow.parquet as pq

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from same_results import differences  # noqa: E402
from small_project import copy_project, environment  # noqa: E402

from customerlab.simulate import simulate_bank  # noqa: E402

HERE = "127.0.0.1"
DEPLOY = "org.apache.spark.deploy"
#: Seconds for a process of the cluster to come up.
PATIENCE = 60
#: Seconds for a run.
LONGEST = 3_600


class Machines:
    """A master and its workers, as processes of this machine."""

    def __init__(self, folder: Path) -> None:
        import pyspark  # is not installed everywhere

        self.spark_class = Path(pyspark.__file__).parent / "bin" / "spark-class"
        self.folder = folder
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.port = _free_port()
        self.master = f"spark://{HERE}:{self.port}"

    def start_master(self) -> None:
        """Start the master and wait until it listens."""
        self._start("master", "master.Master", "--port", str(self.port))
        self._wait("master", "I have been elected leader")

    def start_worker(self, name: str) -> None:
        """Start a worker with one core and wait until the master knows it."""
        size = ("--cores", "1", "--memory", "1g", "--work-dir", str(self.folder / name))
        self._start(name, "worker.Worker", *size, self.master)
        self._wait(name, "Successfully registered with master")

    def kill(self, name: str) -> None:
        """Kill a worker and what it runs, as when its machine fails."""
        os.killpg(self.processes.pop(name).pid, signal.SIGKILL)

    def stop(self) -> None:
        """Stop all that is left."""
        for process in self.processes.values():
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def _start(self, name: str, what: str, *arguments: str) -> None:
        with (self.folder / f"{name}.log").open("wb") as log:
            self.processes[name] = subprocess.Popen(
                [
                    self.spark_class,
                    f"{DEPLOY}.{what}",
                    "--host",
                    HERE,
                    "--webui-port",
                    "0",
                    *arguments,
                ],
                stdout=log,
                stderr=log,
                start_new_session=True,
                env={**os.environ, "SPARK_LOCAL_IP": HERE},
            )

    def _wait(self, name: str, words: str) -> None:
        log = self.folder / f"{name}.log"
        wait_until(lambda: words in log.read_text(errors="replace"), PATIENCE, f"{name}: {words}")


def wait_until(true: Callable[[], bool], seconds: float, what: str) -> None:
    """Wait until something holds, at most so long."""
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            raise TimeoutError(f"not within {seconds} seconds: {what}")
        time.sleep(0.1)


def _free_port() -> int:
    with socket.socket() as one:
        one.bind((HERE, 0))
        return one.getsockname()[1]


def write_params(root: Path, client: str, engine: str = "") -> None:
    """Write a parameter file for the demo bank's raw files."""
    text = (ROOT / "params" / "demo_bank.yaml").read_text(encoding="utf-8")
    text = re.sub(r"^client: demo_bank", f"client: {client}", text, flags=re.MULTILINE)
    (root / "params" / f"{client}.yaml").write_text(f"{text}\n{engine}\n", encoding="utf-8")


@contextmanager
def running(root: Path, client: str, only: list[str]) -> Iterator[subprocess.Popen[str]]:
    """Run a client's notebooks, and see that the run has ended in the end."""
    said = root / f"{client}.txt"
    command = ["customerlab.cli", "run", f"params/{client}.yaml", "--jobs", "1", "--only", *only]
    with said.open("w") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=root,
            stdout=out,
            stderr=out,
            start_new_session=True,
            env={**environment(root, browser=True), "SPARK_LOCAL_IP": HERE},
        )
        try:
            yield process
            process.wait(LONGEST)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


def whole_run(root: Path, client: str, only: list[str]) -> tuple[float, int, str]:
    """Run and return seconds, exit code and what was said."""
    begun = time.monotonic()
    with running(root, client, only) as process:
        pass
    return time.monotonic() - begun, process.returncode, _said(root, client)


def _said(root: Path, client: str) -> str:
    return (root / f"{client}.txt").read_text(encoding="utf-8")


def clean_tables(root: Path, client: str) -> int:
    """Return how many clean tables of a client are there."""
    return len(list((root / "data" / client / "clean").glob("*.parquet")))


def compare(root: Path, client: str) -> int:
    """Print what differs from DuckDB's results and return how much."""
    found = list(differences(root, root, "on_duckdb", client))
    print(f"  {client}: {len(found)} differences from DuckDB", *found, sep="\n    ", flush=True)
    return len(found)


def main() -> int:
    """Run the bank three times."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--customers", type=int, default=1_000)
    parser.add_argument("--only", nargs="+", default=["invalid_customers"])
    given = parser.parse_args()
    if importlib.util.find_spec("pyspark") is None or shutil.which("java") is None:
        print("left out: it needs PySpark (make spark) and Java")
        return 0
    with tempfile.TemporaryDirectory() as name:
        root = Path(name) / "project"
        copy_project(root)
        simulate_bank(root / "data" / "demo_bank" / "raw", customers=given.customers)
        machines = Machines(Path(name))
        try:
            return _three_times(root, machines, given.only)
        finally:
            machines.stop()


def _three_times(root: Path, machines: Machines, only: list[str]) -> int:
    settings = f"{{backend: pyspark, master: '{machines.master}', memory_limit: 900MB, "
    settings += "spark: {spark.sql.shuffle.partitions: 4}}"
    write_params(root, "on_duckdb")
    for client in ("one_lost", "all_lost"):
        write_params(root, client, f"engine: {settings}")

    seconds, code, said = whole_run(root, "on_duckdb", only)
    print(f"DuckDB: {seconds:.0f} s", flush=True)
    assert code == 0, said

    machines.start_master()
    machines.start_worker("first")
    machines.start_worker("second")
    begun = time.monotonic()
    with running(root, "one_lost", only):
        wait_until(lambda: clean_tables(root, "one_lost") > 0, LONGEST, "a clean table")
        machines.kill("first")
        print(f"one of two workers killed after {time.monotonic() - begun:.0f} s", flush=True)
    print(f"Spark, one of two workers lost: {time.monotonic() - begun:.0f} s", flush=True)
    wrong = compare(root, "one_lost")

    with running(root, "all_lost", only) as process:
        wait_until(lambda: clean_tables(root, "all_lost") > 0, LONGEST, "a clean table")
        machines.kill("second")
    line = next(line for line in _said(root, "all_lost").splitlines() if "worker" in line)
    print(f"Spark, all workers lost: exit code {process.returncode}: {line}", flush=True)
    assert process.returncode != 0
    for path in (root / "data" / "all_lost" / "clean").glob("*.parquet"):
        pq.read_table(path)  # whole, or not there
    machines.start_worker("third")
    seconds, code, said = whole_run(root, "all_lost", only)
    print(f"Spark, called again with a new worker: {seconds:.0f} s", flush=True)
    assert code == 0, said
    return wrong + compare(root, "all_lost")


if __name__ == "__main__":
    sys.exit(main())
