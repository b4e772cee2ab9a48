"""The same files, parameters and seed give the same tables and findings, whatever happened.

The oracle is an undisturbed run of the real notebooks, one after the other; the other was killed
twice, and ended with notebooks side by side.
"""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import signal
import time
from pathlib import Path

import duckdb
import pytest
from demo_project import PROGRESS, demo_project
from small_project import call, copy_project, start

from customerlab import plan

CLIENT = "demo_bank"
RUN = ("run", f"params/{CLIENT}.yaml")


def test_whatever_happened_the_tables_and_findings_are_the_same(
    tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> None:
    first = demo_project(tmp_path_factory)
    expected = _content(first)
    said = (first / PROGRESS).read_text(encoding="utf-8").splitlines()
    progress = [line for line in said if line.startswith(f"{CLIENT}  ")]
    assert {line.split()[1] for line in progress} == {one.name for one in plan.NOTEBOOKS}

    _see_nothing_to_do(first)

    second = _same_bank(first, tmp_path / "second")
    _kill_at(second, progress, random.Random(20251231))
    resumed = call(second, *RUN, "--jobs", "2", seconds=600)
    assert resumed.returncode == 0, resumed.stderr
    _same(_content(second), expected)
    _see_nothing_to_do(second)
    left = [path.name for path in second.rglob(".*") if path.is_file()]
    assert [name for name in left if name.endswith((".part", ".running.ipynb"))] == []


def _same_bank(first: Path, root: Path) -> Path:
    """Make a project with the same raw files and parameters."""
    copy_project(root)
    shutil.copy(first / f"params/{CLIENT}.yaml", root / "params")
    shutil.copytree(first / f"data/{CLIENT}/raw", root / f"data/{CLIENT}/raw")
    return root


def _content(root: Path) -> dict[str, str]:
    """Return a hash of every table and finding: of the bytes, or of the rows in file order."""
    data, reports = root / "data" / CLIENT, root / "reports" / CLIENT
    hashes = {}
    for path in (*reports.glob("tables/*"), *reports.glob("*.json"), *data.glob("findings/*")):
        hashes[str(path.relative_to(root))] = hashlib.sha256(path.read_bytes()).hexdigest()
    folders = ("clean", "quarantine", "scores")
    files = [path for folder in folders for path in data.glob(f"{folder}/*.parquet")]
    with duckdb.connect() as con:
        for path in (*files, data / "customers.parquet"):
            rows = con.execute("SELECT * FROM read_parquet(?)", [str(path)])
            text = repr((rows.description, rows.fetchall()))
            hashes[str(path.relative_to(root))] = hashlib.sha256(text.encode()).hexdigest()
    return hashes


def _same(found: dict[str, str], expected: dict[str, str]) -> None:
    # clean and quarantine of nine sources, customers, scores, findings, and every table
    tables = [name for one in plan.NOTEBOOKS for name in one.tables]
    assert {Path(name).stem for name in expected} >= {
        *tables,
        "customers",
        "churn_timing",
        "customer_value",
        "response_model",
        "uplift_tests",
    }
    assert len(expected) == 2 * 9 + 1 + 4 + len(plan.NOTEBOOKS) + len(tables)
    assert found.keys() == expected.keys()
    assert [name for name in expected if found[name] != expected[name]] == []


def _see_nothing_to_do(root: Path) -> None:
    """See that a run of what is up to date says so and touches nothing."""

    def times() -> dict[Path, int]:
        files = [p for folder in ("data", "reports") for p in (root / folder).rglob("*.*")]
        return {path: path.stat().st_mtime_ns for path in files if path.is_file()}

    before = times()
    again = call(root, *RUN)
    assert again.returncode == 0
    assert again.stderr == f"customerlab: {CLIENT}: nothing to do, everything is up to date.\n"
    assert times() == before


def _kill_at(root: Path, progress: list[str], rng: random.Random) -> None:
    """Run, and kill the runner's whole group, at two random places one after the other.

    Whichever notebooks come first: a killed one begins again, so each place in one without a page
    still comes.
    """
    for _ in range(2):
        made = {page.stem for page in (root / "reports" / CLIENT).glob("*.html")}
        place = rng.choice([line for line in progress if line.split()[1] not in made])
        process = start(root, *RUN, "--jobs", "1")
        assert process.stderr is not None
        seen = []
        for line in process.stderr:
            seen.append(line)
            if line.rstrip("\n") == place:
                break
        else:
            raise AssertionError(f"{place!r} never came:\n" + "".join(seen))
        time.sleep(rng.uniform(0, 0.5))
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        assert process.returncode == -signal.SIGKILL
        assert not (root / f"reports/{CLIENT}/index.html").exists()
