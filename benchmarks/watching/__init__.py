"""What benchmarks share: processes watched to their end or a limit, and what they told."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pyarrow as pa
import pyarrow.parquet as pq

BENCHMARKS = Path(__file__).parent.parent
#: Where scripts find this copy of the package, and the clock.
PLACES = (BENCHMARKS.parent / "src", BENCHMARKS)
#: Memory is looked at so often, in seconds, where nothing else is said.
EVERY = 0.02
#: Seconds between two looks at what a process has started, half of what is to be seen at least: it
#: asks every process of the machine, and takes a hundred times as long as a look at the memory.
LISTED_EVERY = 0.5
#: What a peer ends with where there is not enough memory, as in benchmarks/clocked.
OUT_OF_MEMORY = 3


@dataclass(frozen=True)
class Watched:
    """One process: seconds from start to end, peak memory (MB), and why it did not finish."""

    seconds: float
    peak: float
    stopped: str = ""


@dataclass(frozen=True)
class Measured:
    """What one process told of itself.

    Attributes
    ----------
    seconds, cpu : float
        By the clock, and of all processors.
    peak : float
        Memory (MB).
    found, steps : Series
        By ``what`` and ``name``: what it found, and ``seconds`` and ``cpu`` of its steps.
    stopped : str
        Why it did not finish; empty if it did.
    whole : float
        Seconds from the start of the process to its end, with what it imports.
    """

    seconds: float
    cpu: float
    peak: float
    found: pd.Series
    steps: pd.Series
    stopped: str = ""
    whole: float = np.nan


def watch(
    command: Sequence[str],
    *,
    minutes: float,
    most_mb: float = np.inf,
    folder: Path | None = None,
    every: float = EVERY,
) -> Watched:
    """Run a process with this copy of the package and watch its memory, to its end or a limit.

    It runs in `folder`, or where we are; memory is looked at `every` so many seconds.

    The memory is that of it and of all that it started; at a limit all of them are ended. What a
    process said is shown where it failed.
    """
    began, peak, stopped = time.perf_counter(), 0.0, ""
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(
            [str(one) for one in command],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, PLACES))},
            stdout=said,
            stderr=said,
        )
        watched = psutil.Process(process.pid)
        family, listed = [watched], -np.inf
        while process.poll() is None:
            if time.perf_counter() - listed > LISTED_EVERY:
                family, listed = [watched, *_descendants(watched)], time.perf_counter()
            peak = max(peak, resident(family))
            if peak > most_mb:
                stopped = f"over {most_mb / 1000:.0f} GB"
            elif time.perf_counter() - began > minutes * 60:
                stopped = f"over {minutes:g} minutes"
            if stopped:
                stop(watched)
                process.wait()
                break
            time.sleep(every)
        seconds = time.perf_counter() - began
        if not stopped and process.returncode:
            said.seek(0)
            tell(said.read()[-2000:])
            out = process.returncode == OUT_OF_MEMORY
            stopped = "out of memory" if out else f"failed with {process.returncode}"
    return Watched(seconds, peak, stopped)


def measure(
    command: Sequence[str], out: Path, *, minutes: float, most_mb: float = np.inf
) -> Measured:
    """Run a process, as :func:`watch` does, that writes what it took and found to a CSV file.

    Parameters
    ----------
    command : sequence of str
        To which the file is added.
    out : path
        ``what``, ``name``, ``value``: of ``seconds`` and ``cpu`` the sum over names is taken, all
        others are what was found.
    minutes, most_mb : float
    """
    out.unlink(missing_ok=True)
    ran = watch([*command, str(out)], minutes=minutes, most_mb=most_mb)
    if ran.stopped:
        return unfinished(ran.stopped, peak=ran.peak, whole=ran.seconds)
    told = pd.read_csv(out).set_index(["what", "name"])["value"].astype(float)
    of_steps = told.index.get_level_values("what").isin(["seconds", "cpu"])
    steps, found = told[of_steps], told[~of_steps]
    seconds, cpu = steps["seconds"].sum(), steps["cpu"].sum()
    return Measured(seconds, cpu, ran.peak, found, steps, whole=ran.seconds)


def unfinished(why: str, *, peak: float = np.nan, whole: float = np.nan) -> Measured:
    """Return what is known of a process that did not come to its end, or never began."""
    none = pd.Series(dtype=float)
    return Measured(np.nan, np.nan, peak, none, none, why, whole)


def costs(found: Measured, ours: Measured | None) -> list[str]:
    """Return cells of a table: seconds, of processors, MB, and times ours by both."""
    if found.stopped:
        return [f"did not finish ({found.stopped})", "", f"{found.peak:,.0f}", "", ""]
    cells = [f"{found.seconds:,.2f}", f"{found.cpu:,.2f}", f"{found.peak:,.0f}"]
    if ours is None or ours is found or ours.stopped:
        return [*cells, "", ""]
    return [*cells, f"{found.seconds / ours.seconds:,.1f}", f"{found.cpu / ours.cpu:,.1f}"]


def add_ratio(
    out: Path | None,
    what: str,
    rows: str,
    by: str,
    found: Measured,
    ours: Measured | None,
    same: str = "",
) -> None:
    """Append what a peer took beside ours to a CSV file, where one is asked for.

    Parameters
    ----------
    out : path, optional
    what, rows, by : str
        What was done, on how many rows of what, and by whom.
    found, ours : Measured
        Nothing is appended where ours did not finish.
    same : str
        How far the results are the same.
    """
    if out is None or ours is None or ours.stopped:
        return
    line = {
        **{"what": what, "rows": rows, "ours s": ours.seconds, "ours GB": ours.peak / 1000},
        **{"by": by, "s": found.seconds, "GB": found.peak / 1000},
        **{"times ours": found.seconds / ours.seconds, "in CPU s": found.cpu / ours.cpu},
        "same to": f"did not finish ({found.stopped})" if found.stopped else same,
    }
    pd.DataFrame([line]).to_csv(out, mode="a", header=not out.exists(), index=False)


def write_pieces(made: Path, name: str, pieces: Iterable[pa.Table]) -> None:
    """Write tables one after the other into one Parquet file of a folder, where not done yet."""
    if (made / "made").is_file():
        return
    tell(f"drawing {made.name} customers")
    made.mkdir(parents=True, exist_ok=True)
    pieces = iter(pieces)
    first = next(pieces)
    with pq.ParquetWriter(made / name, first.schema) as file:
        for piece in chain([first], pieces):
            file.write_table(piece)
    (made / "made").touch()


def stop(process: psutil.Process) -> None:
    """End a process and all that it started."""
    for one in (*process.children(recursive=True), process):
        try:
            one.kill()
        except psutil.NoSuchProcess:
            continue


def make_environment(folder: Path, requirements: Path, with_python: str | None = None) -> Path:
    """Make an environment of a peer's own where it is not there yet; return its Python.

    Raises
    ------
    CalledProcessError
        If something cannot be installed.
    """
    python = folder / "bin" / "python"
    if not (folder / "made").is_file():
        tell(f"making {folder}")
        subprocess.run([with_python or sys.executable, "-m", "venv", str(folder)], check=True)
        wanted = ["install", "-q", "-r", str(requirements)]
        subprocess.run([str(python), "-m", "pip", *wanted], check=True)
        (folder / "made").touch()
    return python


def find_r(*packages: str) -> str | None:
    """Return the path of Rscript, None where it or one of the packages is not here."""
    found = shutil.which("Rscript")
    for package in packages if found else ():
        asked = [str(found), "-e", f"quit(status = !requireNamespace('{package}', quietly = TRUE))"]
        if subprocess.run(asked, capture_output=True).returncode:
            tell(f"R is left out: it has no package {package}")
            return None
    return found


def resident(processes: Iterable[psutil.Process]) -> float:
    """Return the resident memory (MB) of those processes that are still there."""
    total = 0
    for one in processes:
        try:
            total += one.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total / 1e6


def _descendants(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.NoSuchProcess:  # it ended while we looked
        return []


def tell(text: str) -> None:
    """Say on the error stream what is under way."""
    print(f"-- {text}", file=sys.stderr, flush=True)
