"""What a machine that is too small, or an engine that is killed, leaves: whole files, plain words.

The oracle is notebook 01 of a small bank, undisturbed.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import duckdb
import psutil
import pytest
from small_project import ROOT, call, copy_project, start

from customerlab.params import check_params
from customerlab.paths import Paths
from customerlab.simulate import simulate_bank
from customerlab.workspace import Lab

CLIENT = "demo_bank"
RUN = ("run", f"params/{CLIENT}.yaml", "--only", "data_cleaning")


def make_bank(root: Path, raw: Path, engine: str = "{}") -> None:
    """Make a project of a bank whose files lie elsewhere; where a disk is small, its data are."""
    copy_project(root)
    text = (ROOT / "params" / f"{CLIENT}.yaml").read_text(encoding="utf-8")
    (root / f"params/{CLIENT}.yaml").write_text(f"{text}\nengine: {engine}\n", encoding="utf-8")
    (root / "data" / CLIENT).mkdir(parents=True, exist_ok=True)
    (root / "data" / CLIENT / "raw").symlink_to(raw)


def cleaned(root: Path) -> dict[str, str]:
    """Return a hash of the rows of every clean and quarantined table there is."""
    data, hashes = root / "data" / CLIENT, {}
    with duckdb.connect() as con:
        for path in (*data.glob("clean/*.parquet"), *data.glob("quarantine/*.parquet")):
            rows = con.execute("SELECT * FROM read_parquet(?)", [str(path)]).fetchall()
            hashes[f"{path.parent.name}/{path.name}"] = hashlib.sha256(
                repr(rows).encode()
            ).hexdigest()
    return hashes


def see_nothing_half_written(root: Path, undisturbed: dict[str, str]) -> None:
    """See that what stands under a final name is whole, and that nothing else is left."""
    assert cleaned(root).items() <= undisturbed.items()
    assert not list((root / "reports").rglob("0*.html"))
    data = root / "data" / CLIENT
    assert not list(data.rglob("*.part")) + list(data.rglob("*.running.ipynb"))
    assert not [path for path in data.rglob(".engine/**/*") if path.is_file()]


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bank") / "raw"
    simulate_bank(folder, customers=500)
    return folder


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, raw: Path) -> dict[str, str]:
    root = tmp_path_factory.mktemp("undisturbed") / "project"
    make_bank(root, raw)
    done = call(root, *RUN)
    assert done.returncode == 0, done.stderr
    return cleaned(root)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Return a project's folder for data, on a disk of its own, in memory."""
    folder = tmp_path / "project" / "data"
    folder.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("this user may not mount a small disk")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_is_named_and_the_next_run_goes_on(small_disk, raw, undisturbed):
    root = small_disk.parent
    make_bank(root, raw)
    stopped = call(root, *RUN)
    assert stopped.returncode == 1
    assert "01_data_cleaning stopped" in stopped.stderr
    assert "the disk is full. What is whole stays; make room and call again" in stopped.stderr
    assert "Traceback" not in stopped.stderr
    see_nothing_half_written(root, undisturbed)
    subprocess.run(["mount", "-o", "remount,size=50m", str(small_disk)], check=True)
    assert call(root, *RUN).returncode == 0
    assert cleaned(root) == undisturbed


@pytest.mark.parametrize("save", [Lab.save_scores, Lab.save_actions])
def test_what_later_notebooks_say_of_customers_is_whole_or_not_there(small_disk, save):
    """Their rows do not fit on the disk; with room they do, and nothing is in the way."""
    paths = Paths(small_disk.parent, CLIENT)
    params = check_params({"client": CLIENT, "snapshot": "2025-12-31"}, "test")
    lab = Lab("03_customer_value", params, paths)
    rows = lab.engine.sql(
        "SELECT md5(i::text) AS customer_id, random() AS worth FROM range(90000) t(i)"
    )
    with pytest.raises(duckdb.IOException, match="No space left on device"):
        save(lab, rows)
    assert not [path for path in paths.data.rglob("*") if path.is_file()]
    subprocess.run(["mount", "-o", "remount,size=50m", str(small_disk)], check=True)
    save(lab, rows)
    left = {path for path in paths.data.rglob("*") if path.is_file()}
    (written,) = left - set(paths.remembered(lab.notebook).iterdir())
    assert written in (paths.scores(lab.section), paths.actions(lab.section, params.snapshot))
    assert lab.read(written).count().execute() == 90_000


def test_too_little_memory_is_named_with_what_to_change(tmp_path, raw, undisturbed):
    root = tmp_path / "project"
    make_bank(root, raw, "{memory_limit: 5MB}")
    stopped = call(root, *RUN)
    assert stopped.returncode == 1
    assert "not enough memory; give more, or use fewer threads (engine: memory_limit)" in (
        stopped.stderr
    )
    assert "SET " not in stopped.stderr and "Traceback" not in stopped.stderr
    see_nothing_half_written(root, undisturbed)
    text = (root / f"params/{CLIENT}.yaml").read_text().replace("5MB", "500MB")
    (root / f"params/{CLIENT}.yaml").write_text(text)
    assert call(root, *RUN).returncode == 0
    assert cleaned(root) == undisturbed


def test_an_engine_killed_while_it_writes_leaves_nothing_half_written(tmp_path, raw, undisturbed):
    root = tmp_path / "project"
    make_bank(root, raw)
    process = start(root, *RUN)
    watched = psutil.Process(process.pid)
    first = root / "data" / CLIENT / "clean" / "customers.parquet"
    while not first.exists():  # the other tables follow
        assert process.poll() is None
    kernels = [p for p in watched.children(recursive=True) if "ipykernel_launcher" in p.cmdline()]
    os.kill(kernels[0].pid, 9)
    said = process.communicate(timeout=120)[1]
    assert process.returncode == 1
    assert "the kernel died; most often there was not enough memory" in said
    found = cleaned(root)
    assert found.items() < undisturbed.items()
    assert not list((root / "reports").rglob("0*.html"))
    assert call(root, *RUN).returncode == 0
    assert cleaned(root) == undisturbed
    assert not list((root / "data" / CLIENT).rglob("*.part"))
