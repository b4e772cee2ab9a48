"""What a bank's and a shop's notebooks find on Spark is what they find on DuckDB.

All notebooks of a small bank, and of a small shop those that ask something else of a shop. Larger
ones, every notebook of the shop, and real sales are compared in ``benchmarks/spark_same.py``, for
which there is no time here.
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

from customerlab import plan
from customerlab.simulate import simulate_bank, simulate_shop

BANK, SHOP = 600, 500
#: The order is that of the plan: each after those that it reads.
NOTEBOOKS = {
    "demo_bank": [one.name for one in plan.NOTEBOOKS if one.name != plan.SUMMARY],
    "demo_shop": [
        "01_data_cleaning",
        "02_invalid_customers",
        "04_churn_timing",
        "03_customer_value",
    ],
}
ENGINES = {
    "duckdb": {},
    "spark": {"backend": "pyspark", "master": "local[2]", "spark": QUICK},
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a project in which the demo clients, with few customers, ran on both engines."""
    need_spark()
    root = tmp_path_factory.mktemp("engines") / "project"
    copy_project(root)
    simulate_bank(root / "data" / "demo_bank" / "raw", customers=BANK)
    simulate_shop(root / "data" / "demo_shop" / "raw", customers=SHOP)
    for engine, settings in ENGINES.items():
        asked: list[str | Path] = []
        for client, names in NOTEBOOKS.items():
            text = (ROOT / "params" / f"{client}.yaml").read_text(encoding="utf-8")
            own = re.sub(rf"^client: {client}", f"client: {client}_{engine}", text, flags=re.M)
            file = root / "params" / f"{client}_{engine}.yaml"
            file.write_text(f"{own}\nengine: {json.dumps(settings)}\n", encoding="utf-8")
            asked += [file, *names]
        called = subprocess.run(
            [sys.executable, ROOT / "tests" / "in_one_process.py", *asked],
            cwd=root,
            env=environment(root, browser=True),  # which keeps the PATH to java
            capture_output=True,
            text=True,
            timeout=1_200,
        )
        assert called.returncode == 0, called.stderr[-5_000:]
    return root


@pytest.mark.parametrize("client", NOTEBOOKS)
def test_every_table_finding_and_row_is_the_same(project: Path, client: str) -> None:
    found = list(differences(project, project, *(f"{client}_{engine}" for engine in ENGINES)))
    assert found == []


@pytest.mark.parametrize("client", NOTEBOOKS)
def test_spark_did_it_and_left_no_parts(project: Path, client: str) -> None:
    folder = project / "data" / f"{client}_spark"
    assert {path.stem for path in (folder / "findings").iterdir()} == {*NOTEBOOKS[client]}
    left = [path for path in folder.rglob("*") if path.name.endswith((".part", ".parts"))]
    assert left == []
    # temporary tables hold single customers: they go when the notebook ends
    assert not any((folder / ".engine" / name).exists() for name in NOTEBOOKS[client])
    assert not (folder / ".remembered").exists()  # which only DuckDB writes
