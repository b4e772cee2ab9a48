"""The demo bank from its raw files to its pages, twice; made once, whoever asks first."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
from pathlib import Path

import pytest
from small_project import ROOT, call, copy_project

from customerlab.simulate import simulate_bank

SIZE = 3_000
#: The same raw files twice: as they are, and in Chinese with a stricter mask.
CLIENTS = {"demo_bank": 10, "demo_zh": 300}
#: What the run said; the places at which another can be killed.
PROGRESS = "progress.txt"


def demo_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the project, and make it unless another process of these tests has, or does."""
    base = tmp_path_factory.getbasetemp()
    # each worker of pytest-xdist has a folder of its own in that of the whole run
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    root = shared / "demo"
    with (shared / "demo.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (root / PROGRESS).exists():
            shutil.rmtree(root, ignore_errors=True)  # begun by one who failed
            _make(root)
    return root


def _make(root: Path) -> None:
    """Simulate the bank and run it, by one call as a user would, one notebook after the other."""
    copy_project(root)
    text = (ROOT / "params" / "demo_bank.yaml").read_text(encoding="utf-8")
    for client, min_cell in CLIENTS.items():
        own = re.sub(r"^client: demo_bank", f"client: {client}", text, flags=re.MULTILINE)
        own = own.replace("min_cell: 10 ", f"min_cell: {min_cell} ")
        own = own.replace("language: en ", "language: zh ") if client == "demo_zh" else own
        # fewer customers than in the demo: what is lost is known less well
        own = own.replace("spend_lost_at_most: 0.0008", "spend_lost_at_most: 0.01")
        own = own.replace("cost_saved_at_least: 80000", "cost_saved_at_least: 12000")
        (root / "params" / f"{client}.yaml").write_text(own, encoding="utf-8")
    simulate_bank(root / "data" / "demo_bank" / "raw", customers=SIZE)
    files = [f"params/{client}.yaml" for client in CLIENTS]
    called = call(root, "run", "--jobs", "1", *files, seconds=1_800, browser=True)
    assert called.returncode == 0, called.stderr
    for client in CLIENTS:
        assert f"reports/{client}/index.html" in called.stdout
    (root / PROGRESS).write_text(called.stderr, encoding="utf-8")
