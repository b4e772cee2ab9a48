"""Run every notebook on banks of 35,000, 350,000 and 3.5 million accounts within 8 GB of memory.

A bank is simulated, then each notebook runs as `customerlab run` runs it, one after the other and
alone, with two threads. The engine may take `--engine` of memory and spills to disk beyond it; all
processes of a step together (runner, kernel, engine) may take `--most`: a step that takes more is
ended and said, and ends the bank.

Each notebook from 02 on runs a second time with one parameter changed: what the engine worked out
before is remembered, and the time must not grow with the transactions.

Beside each step stands the least that it could take: the engine reads the columns of the clean
tables that it looks at once (notebook 01: all columns of all parsed files), and writes the rows
that it must, sorted. Growth is the slope of log seconds on log rows from one bank to the next: 1 is
as the rows, 0 not at all. Then what was found stands beside what was planted in the bank, and last
come the cells of the notebooks that took longest.

    python benchmarks/large.py [--accounts 35000 350000 3500000] [--folder FOLDER]

Each bank is a project of its own in FOLDER/<accounts>; with a folder that is kept, what was
simulated there is used again (files in FOLDER/<accounts>/data/demo_bank/raw are taken for the
bank's). Times are rough where others use the machine, too. It needs about 2 GB of disk for a
million accounts, and twice as much again for what is spilled and remembered.
"""

from __future__ import annotations

import argparse
import math
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import duckdb
import nbformat
import pandas as pd
import papermill  # noqa: F401 -- before customerlab.progress, which it imports itself
import planted
import pyarrow.parquet as pq
import yaml
from watching import Watched, tell, watch

from customerlab import plan
from customerlab.params import load_params
from customerlab.paths import Paths
from customerlab.progress import place
from customerlab.running import memory_mb, processors

ROOT = Path(__file__).parent.parent
CLIENT = "demo_bank"
THREADS = 2
#: Cells that are listed, of all notebooks of the largest bank that was finished.
SLOWEST = 15
#: What the notebooks after the first look at; of other tables they read all columns.
LOOKED_AT = {
    "transactions": ("customer_id", "occurred_at", "amount", "kind", "channel", "counterparty"),
    "balances": ("account_id", "month", "balance"),
}
#: The parameter of each notebook that is another in its first run than in the bank's file.
CHANGED = {
    "invalid_customers": {"contact_cost": 11},
    "churn_timing": {"retention_cost": 4},
    "customer_value": {"contact_cost": 7},
    "repurchase_drivers": {"rotation": "varimax"},
    "response_model": {"contact_cost": 7},
    "uplift_tests": {"control_share": 0.2},
}


@dataclass(frozen=True)
class Step:
    """One step on one bank.

    Attributes
    ----------
    rows : int
        Of all files of the client's.
    name : str
    seconds, peak : float
        And memory (MB) of all its processes.
    least : float
        Seconds that it could take at least.
    again : float
        Seconds of the second run, with a parameter changed.
    stopped : str
        Why it did not finish.
    cells : DataFrame
        What its cells took; see :func:`cells_of`.
    """

    rows: int
    name: str
    seconds: float
    peak: float
    least: float = math.nan
    again: float = math.nan
    stopped: str = ""
    cells: pd.DataFrame = field(default_factory=pd.DataFrame)


@dataclass(frozen=True)
class Limits:
    """What the engine may take (MB), what all processes may (MB), and for how long a step."""

    engine_mb: int
    most_mb: int
    minutes: float


def make_project(folder: Path, accounts: int) -> Path:
    """Make the project of one bank, without its files."""
    root = folder / str(accounts)
    (root / "params").mkdir(parents=True, exist_ok=True)
    for name in ("Snakefile", "notebooks"):
        link = root / name
        link.unlink(missing_ok=True)
        link.symlink_to(ROOT / name)
    shutil.copy(ROOT / "params" / f"{CLIENT}.yaml", root / "params")
    return root


def simulate(root: Path, accounts: int) -> Watched | None:
    """Simulate the bank where that was not done yet, and return what it took."""
    raw = Paths(root, CLIENT).raw
    if raw.is_dir():
        return None
    tell(f"simulating {accounts:,} accounts")
    wanted = ("simulate", "bank", "--accounts", str(accounts), "--folder", str(raw))
    return watch([sys.executable, "-m", "customerlab.cli", *wanted], minutes=120)


def run_notebook(root: Path, name: str, limits: Limits) -> Watched:
    """Run one notebook as `customerlab run` does, alone."""
    tell(f"{root.name} accounts: {name}")
    share = ("--threads", str(THREADS), "--memory", str(limits.engine_mb))
    job = [sys.executable, "-m", "customerlab.job", f"params/{CLIENT}.yaml", name, *share]
    ran = watch(job, minutes=limits.minutes, most_mb=limits.most_mb, folder=root, every=0.1)
    tell(f"{ran.seconds:,.0f} s, {ran.peak / 1000:.1f} GB {ran.stopped}")
    return ran


def run_twice(
    root: Path, notebook: plan.Notebook, limits: Limits
) -> tuple[Watched, pd.DataFrame, float]:
    """Run a notebook with a parameter changed, then as the file has it: what the second took."""
    file = root / "params" / f"{CLIENT}.yaml"
    text = file.read_text(encoding="utf-8")
    changed = yaml.safe_load(text)
    own = changed.setdefault(notebook.section, {})
    own.update(CHANGED[notebook.section])
    file.write_text(yaml.safe_dump(changed, allow_unicode=True), encoding="utf-8")
    ran = run_notebook(root, notebook.name, limits)
    file.write_text(text, encoding="utf-8")
    cells = cells_of(root, notebook.name)
    again = math.nan if ran.stopped else run_notebook(root, notebook.name, limits).seconds
    return ran, cells, again


def make_clean_bank(folder: Path, accounts: int, limits: Limits) -> Path:
    """Simulate and clean one bank for another benchmark, where not done yet; return its project.

    Raises
    ------
    SystemExit
        When it cannot be cleaned within the limits.
    """
    root, cleaning = make_project(folder, accounts), plan.NOTEBOOKS[0].name
    simulate(root, accounts)
    if not Paths(root, CLIENT).executed(cleaning).is_file():
        ran = run_notebook(root, cleaning, limits)
        if ran.stopped:
            raise SystemExit(f"{accounts:,} accounts, {cleaning}: {ran.stopped}")
    return root


def measure_bank(root: Path, accounts: int, limits: Limits) -> list[Step]:
    """Simulate one bank, run all its notebooks, and return what each step took."""
    simulated = simulate(root, accounts)
    paths, params = Paths(root, CLIENT), load_params(root / "params" / f"{CLIENT}.yaml")
    steps: list[Step] = []
    for notebook in plan.planned(params):
        if notebook.section in CHANGED:
            ran, cells, again = run_twice(root, notebook, limits)
        else:
            ran, again = run_notebook(root, notebook.name, limits), math.nan
            cells = cells_of(root, notebook.name)
        rows, told = count_rows(paths.parsed("_").parent), (ran.seconds, ran.peak)
        more = {"again": again, "stopped": ran.stopped, "cells": cells}
        step = Step(rows, notebook.name, *told, **more)
        least = math.nan if ran.stopped else least_seconds(notebook, paths, limits)
        steps.append(replace(step, least=least))
        if ran.stopped:
            break
    if simulated is not None:
        made = Step(rows, "simulate", simulated.seconds, simulated.peak)
        steps.insert(0, made)
    return steps


def count_rows(folder: Path, names: str = "*.parquet") -> int:
    """Return how many rows the Parquet files of a folder have."""
    return sum(pq.read_metadata(path).num_rows for path in folder.glob(names))


def least_seconds(notebook: plan.Notebook, paths: Paths, limits: Limits) -> float:
    """Return what it takes to read once what the notebook looks at, and to write what it leaves."""
    first = notebook.name == plan.NOTEBOOKS[0].name
    places = sorted((paths.parsed("_") if first else paths.clean("_")).parent.glob("*.parquet"))
    left = [paths.customers] if "customers" in notebook.leaves else []
    left += [paths.scores(notebook.section)] if "scores" in notebook.leaves else []
    left = sorted(paths.clean("_").parent.glob("*.parquet")) if first else left
    spill = paths.data / ".engine" / "least"
    began = time.perf_counter()
    settings = {"threads": THREADS, "memory_limit": f"{limits.engine_mb}MB"}
    with duckdb.connect(config={**settings, "temp_directory": str(spill)}) as engine:
        for place in places:
            looked_at = LOOKED_AT.get(place.stem) if not first else None
            columns = looked_at or pq.read_schema(place).names
            seen = ", ".join(f'bit_xor(hash("{name}"))' for name in columns)
            engine.execute(f"SELECT {seen} FROM '{place}'").fetchall()
        for number, place in enumerate(left):
            out = spill.with_name(f"least_{number}.parquet")
            key = pq.read_schema(place).names[0]
            engine.execute(f"COPY (FROM '{place}' ORDER BY \"{key}\") TO '{out}'")
            out.unlink()
    return time.perf_counter() - began


def show_steps(banks: dict[int, list[Step]]) -> None:
    """Print what every step took on every bank, as a Markdown table."""
    names = ("step", "accounts", "rows", "seconds", "rows a second", "GB")
    print("|", " | ".join([*names, "times the least", "growth", "changed", "growth"]), "|")
    print("|---" + "|--:" * 9 + "|")
    before: dict[str, Step] = {}
    for accounts, steps in banks.items():
        for step in [*steps, _whole(steps)]:
            earlier = before.get(step.name)
            before[step.name] = step
            times = "" if math.isnan(step.least) else f"{step.seconds / step.least:.1f}"
            seconds = step.stopped or f"{step.seconds:,.0f}"
            speed, memory = f"{step.rows / step.seconds:,.0f}", f"{step.peak / 1000:.1f}"
            cells = [step.name, f"{accounts:,}", f"{step.rows:,}", seconds, speed, memory, times]
            again = "" if math.isnan(step.again) else f"{step.again:,.0f}"
            growth = [_slope(earlier, step, of) for of in ("seconds", "again")]
            print("|", " | ".join([*cells, growth[0], again, growth[1]]), "|", flush=True)


def _whole(steps: Sequence[Step]) -> Step:
    """Return all notebooks together."""
    ran = [step for step in steps if step.name != "simulate"]
    return Step(
        ran[-1].rows,
        "all notebooks",
        sum(step.seconds for step in ran),
        max(step.peak for step in ran),
        again=sum(step.again for step in ran if not math.isnan(step.again)),
        stopped=ran[-1].stopped,
    )


def _slope(one: Step | None, other: Step, of: str) -> str:
    if one is None or math.isnan(getattr(other, of)):
        return ""
    times = getattr(other, of) / getattr(one, of)
    return f"{math.log(times) / math.log(other.rows / one.rows):.2f}"


def cells_of(root: Path, name: str) -> pd.DataFrame:
    """Return ``seconds``, ``notebook`` and ``cell`` (heading, first line) of a run's cells."""
    path, rows = Paths(root, CLIENT).executed(name), []
    if not path.is_file():
        return pd.DataFrame()
    notebook = nbformat.read(path, as_version=4)
    for index, cell in enumerate(notebook.cells):
        took = cell.metadata.get("papermill", {}).get("duration")
        if cell.cell_type != "code" or took is None:
            continue
        first = next((line for line in cell.source.splitlines() if line.strip()), "")
        heading = place(notebook, index)[2]
        rows.append((took, name, f"{heading[:36]}: {first[:60]}"))
    return pd.DataFrame(rows, columns=["seconds", "notebook", "cell"])


def main() -> int:
    """Make the banks, run their notebooks, print what it took; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    sizes = [35_000, 350_000, 3_500_000]
    parser.add_argument("--accounts", type=int, nargs="+", default=sizes, metavar="N")
    parser.add_argument("--folder", type=Path, help="kept; left out, a temporary one")
    parser.add_argument("--engine", type=int, default=4_000, metavar="MB")
    parser.add_argument("--most", type=int, default=8_000, metavar="MB")
    parser.add_argument("--minutes", type=float, default=120, help="of one step, at most")
    options = parser.parse_args()
    limits = Limits(options.engine, options.most, options.minutes)
    banks: dict[int, list[Step]] = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = (options.folder or Path(temporary)).resolve()
        print(f"{processors()} processors, {memory_mb():,} MB of memory; {limits}\n", flush=True)
        for accounts in sorted(options.accounts):
            root = make_project(folder, accounts)
            banks[accounts] = measure_bank(root, accounts, limits)
        show_steps(banks)
        if not any(step.stopped for step in banks[accounts]):
            print(f"\nPlanted and found, {accounts:,} accounts:")
            print(
                planted.compare(root, CLIENT).to_string(index=False, float_format="{:.4f}".format)
            )
        print(f"\nThe slowest cells of {accounts:,} accounts:")
        cells = pd.concat([step.cells for step in banks[accounts]])
        print(cells.nlargest(SLOWEST, "seconds").to_string(index=False, float_format="%.1f"))
    return int(any(step.stopped for steps in banks.values() for step in steps))


if __name__ == "__main__":
    sys.exit(main())
