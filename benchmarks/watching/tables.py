"""What the benchmarks of whole tables share: ours, pandas and polars on the same simulated bank.

Each way is a script of its own, which works in a folder of its own and leaves Parquet files there.
All files are in the same order, so that they are compared row by row, to the last.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import duckdb
from large import CLIENT

from customerlab.paths import Paths
from customerlab.running import memory_mb, processors
from watching import (
    BENCHMARKS,
    Measured,
    add_ratio,
    costs,
    make_environment,
    measure,
    tell,
    unfinished,
)

#: Ours comes first. polars has an environment of its own, which holds nothing else.
WAYS = ("customerlab", "pandas", "polars")
REQUIREMENTS = Path(__file__).parent / "requirements-polars.txt"
SIZES = (35_000, 350_000)

HEAD = ("accounts", "transactions", "by", "seconds", "CPU s", "peak MB", "times ours", "in CPU s")
HEAD += ("rows that differ",)


@dataclass(frozen=True)
class Task:
    """What is done to a bank by each way.

    Attributes
    ----------
    what : str
        Also the folder of scripts, with ``_peers``.
    reads : str
        The folder of the bank that a script reads, by this name in its own.
    leaves : tuple of str
        The files that are compared, in a script's own folder.
    make_bank : function
        Of a folder and a number of accounts; returns the bank's project.
    count : function
        Of the project; returns how many transactions there are to do it to.
    """

    what: str
    reads: str
    leaves: tuple[str, ...]
    make_bank: Callable[[Path, int], Path]
    count: Callable[[Path], int]


def parse_arguments(description: str) -> argparse.Namespace:
    """Return what the command line asks for."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--accounts", type=int, nargs="+", default=list(SIZES), metavar="N")
    parser.add_argument("--folder", type=Path, help="kept; left out, a temporary one")
    parser.add_argument("--only", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--minutes", type=float, default=15)
    parser.add_argument("--memory", type=float, default=0.85 * memory_mb() / 1000, metavar="GB")
    parser.add_argument("--environments", type=Path, metavar="FOLDER")
    parser.add_argument("--out", type=Path, metavar="CSV", help="ratios are appended here")
    return parser.parse_args()


def compare(task: Task, options: argparse.Namespace) -> int:
    """Do the task by each way on each bank, print what it took, return the exit code."""
    failed, gave_up = False, set()
    with tempfile.TemporaryDirectory() as temporary:
        folder = (options.folder or Path(temporary)).resolve()
        environments = (options.environments or Path(temporary) / "environments").resolve()
        print(f"{processors()} cores, {memory_mb():,} MB of memory\n")
        print(f"| {' | '.join(HEAD)} |\n|{'---|' * len(HEAD)}", flush=True)
        for accounts in sorted(options.accounts):
            bank, ours = task.make_bank(folder, accounts), None
            rows = task.count(bank)
            for way in [way for way in WAYS if way in options.only and way not in gave_up]:
                tell(f"{accounts:,} accounts: {way}")
                found = run(task, bank, way, options, environments)
                ours = found if way == WAYS[0] else ours
                same, apart = "", True
                if found.stopped:
                    gave_up.add(way)
                    failed |= way == WAYS[0] or found.stopped.startswith("failed")
                elif way != WAYS[0] and ours is not None and not ours.stopped:
                    same, apart = difference(task, bank, way, found, ours)
                    failed |= apart
                cells = [f"{accounts:,}", f"{rows:,}", way, *costs(found, ours), same]
                print(f"| {' | '.join(cells)} |", flush=True)
                if way != WAYS[0]:
                    alike = f"{same} differ" if apart else "every row"
                    told = f"{rows:,} transactions"
                    add_ratio(options.out, task.what, told, way, found, ours, alike)
            shutil.rmtree(bank / "peers" / task.what, ignore_errors=True)
    if failed:
        print("\nfailed: something did not run, or left other rows than ours")
    return int(failed)


def run(
    task: Task, bank: Path, way: str, options: argparse.Namespace, environments: Path
) -> Measured:
    """Make the way's folder anew, and its environment if need be, and measure it."""
    python = Path(sys.executable)
    if way == "polars":
        try:
            python = make_environment(environments / way, REQUIREMENTS)
        except subprocess.CalledProcessError:
            return unfinished("cannot be installed")
    own = folder_of(task, bank, way)
    shutil.rmtree(own, ignore_errors=True)
    own.mkdir(parents=True)
    (own / task.reads).symlink_to(Paths(bank, CLIENT).data / task.reads)
    script = BENCHMARKS / f"{task.what}_peers" / f"on_{way}.py"
    limits = {"minutes": options.minutes, "most_mb": options.memory * 1000}
    return measure([str(python), str(script), str(own)], own / "took.csv", **limits)


def folder_of(task: Task, bank: Path, way: str) -> Path:
    """Return the folder of a way: that of the client in a project of its own."""
    return Paths(bank / "peers" / task.what / way, CLIENT).data


def difference(
    task: Task, bank: Path, way: str, found: Measured, ours: Measured
) -> tuple[str, bool]:
    """Return how many rows differ from ours, in words, and whether anything does."""
    one, other = (folder_of(task, bank, name) for name in (WAYS[0], way))
    rows = sum(rows_apart(one / name, other / name) for name in task.leaves)
    if not found.found.sort_index().equals(ours.found.sort_index()):
        return f"{rows:,}; other counts", True
    return f"{rows:,}", rows > 0


def rows_apart(ours: Path, theirs: Path) -> int:
    """Return how many rows differ, place by place, in two Parquet files in the same order.

    Looked at are the columns of ours; theirs are cast to the types of ours. Rows that one of them
    has more are rows that differ.
    """
    with duckdb.connect(config={"memory_limit": "4GB"}) as engine:
        types = engine.execute(f"DESCRIBE FROM '{ours}'").fetchall()
        casts = ", ".join(f'CAST("{name}" AS {kind}) AS "{name}"' for name, kind, *_ in types)
        sides = [
            f"(SELECT {name}, true AS here FROM (SELECT {columns} FROM '{place}') AS {name})"
            for name, columns, place in (("one", "*", ours), ("other", casts, theirs))
        ]
        told = engine.execute(
            f"SELECT count(*) FILTER (a IS DISTINCT FROM b) FROM {sides[0]} AS x(a, here) "
            f"POSITIONAL JOIN {sides[1]} AS y(b, here)"
        )
        return int(told.fetchone()[0])
