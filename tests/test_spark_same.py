"""What a bank's notebooks find on Spark is what they find on DuckDB.

The first two are run here: what the others read is theirs, and the longest expressions. All of
them, and a shop and real sales, are compared in ``benchmarks/spark_same.py``, for which there is no
time here.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import QUICK, ROOT, need_spark
from same_results import differences
from small_project import copy_project, environment

from customerlab.simulate import simulate_bank

SIZE = 600
NOTEBOOKS = ("01_data_cleaning", "02_invalid_customers")
ENGINES = {
    "on_duckdb": {},
    "on_spark": {"backend": "pyspark", "master": "local[2]", "spark": QUICK},
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a project in which the demo bank, with few customers, ran on both engines."""
    need_spark()
    root = tmp_path_factory.mktemp("engines") / "project"
    copy_project(root)
    simulate_bank(root / "data" / "demo_bank" / "raw", customers=SIZE)
    text = (ROOT / "params" / "demo_bank.yaml").read_text(encoding="utf-8")
    for client, engine in ENGINES.items():
        own = re.sub(r"^client: demo_bank", f"client: {client}", text, flags=re.MULTILINE)
        file = root / "params" / f"{client}.yaml"
        file.write_text(f"{own}\nengine: {json.dumps(engine)}\n", encoding="utf-8")
        called = subprocess.run(
            [sys.executable, ROOT / "tests" / "in_one_process.py", file, *NOTEBOOKS],
            cwd=root,
            env=environment(root, browser=True),  # which keeps the PATH to java
            capture_output=True,
            text=True,
            timeout=900,
        )
        assert called.returncode == 0, called.stderr[-5_000:]
    return root


def test_every_table_finding_and_row_is_the_same(project: Path) -> None:
    found = list(differences(project, project, *ENGINES))
    assert found == []


def test_spark_did_it_and_left_no_parts(project: Path) -> None:
    folder = project / "data" / "on_spark"
    assert all((folder / ".engine" / f"{name}.spark.log").is_file() for name in NOTEBOOKS[:1])
    left = [path for path in folder.rglob("*") if path.name.endswith((".part", ".parts"))]
    assert left == []
    # temporary tables hold single customers: they go when the notebook ends
    assert not any((folder / ".engine" / name).exists() for name in NOTEBOOKS)
