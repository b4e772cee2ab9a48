"""Compare Spark with DuckDB: every notebook of a bank, a shop and Online Retail, on both.

Each client runs notebook by notebook in one process for an engine, so that Spark starts once. Then
every table, finding, clean and quarantined row, customer, score and action is compared: numbers to
1e-9, rows in order. Says what differs, and how long each notebook took on each engine; ends with 1
where anything differs.

    python benchmarks/spark_same.py [--clients demo_bank demo_shop online_retail]
        [--customers 3000] [--master "local[2]"]

It needs PySpark (`make spark`) and Java; Online Retail is left out where ../shared/data is not
there. On tables as small as these, what is measured is how long Spark takes to plan, not to
compute.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from conftest import QUICK, SHARED  # noqa: E402
from same_results import differences  # noqa: E402
from small_project import copy_project, environment  # noqa: E402

from customerlab import plan  # noqa: E402
from customerlab.params import load_params  # noqa: E402
from customerlab.simulate import simulate_bank, simulate_shop  # noqa: E402

SIMULATED = {"demo_bank": simulate_bank, "demo_shop": simulate_shop}


def run(root: Path, client: str, engine: str, settings: dict[str, object]) -> None:
    """Run all that a client can be asked on an engine; it prints what each notebook took."""
    text = (ROOT / "params" / f"{client}.yaml").read_text(encoding="utf-8")
    text = text.replace("../shared/data", str(SHARED))
    text = re.sub(rf"^client: {client}", f"client: {client}_{engine}", text, flags=re.MULTILINE)
    file = root / "params" / f"{client}_{engine}.yaml"
    file.write_text(f"{text}\nengine: {json.dumps(settings)}\n", encoding="utf-8")
    names = [one.name for one in plan.planned(load_params(file)) if one.name != plan.SUMMARY]
    # what cells show is of no interest here, unless one raises
    with (root / f"{client}_{engine}.txt").open("w") as said:
        done = subprocess.run(
            [sys.executable, ROOT / "tests" / "in_one_process.py", file, *names],
            cwd=root,
            env={**environment(root, browser=True), "OMP_NUM_THREADS": "1"},
            stderr=said,
        )
    if done.returncode:
        sys.exit((root / said.name).read_text(encoding="utf-8")[-3_000:])


def main() -> int:
    """Run each client on both engines and compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clients", nargs="+", default=[*SIMULATED, "online_retail"])
    parser.add_argument("--customers", type=int, default=3_000)
    parser.add_argument("--master", default=f"local[{os.cpu_count()}]")
    given = parser.parse_args()
    if importlib.util.find_spec("pyspark") is None or shutil.which("java") is None:
        print("left out: it needs PySpark (make spark) and Java")
        return 0
    spark = {"backend": "pyspark", "master": given.master, "spark": QUICK}
    wrong = 0
    with tempfile.TemporaryDirectory() as name:
        root = Path(name) / "project"
        copy_project(root)
        for client in given.clients:
            if client in SIMULATED:
                SIMULATED[client](root / "data" / client / "raw", customers=given.customers)
            elif not SHARED.is_dir():
                print(f"{client}: its data are not on this machine", flush=True)
                continue
            for engine, settings in {"duckdb": {}, "spark": spark}.items():
                run(root, client, engine, settings)
            found = list(differences(root, root, f"{client}_duckdb", f"{client}_spark"))
            wrong += len(found)
            print(f"{client}: {len(found)} differences", *found, sep="\n  ", flush=True)
    return min(wrong, 1)


if __name__ == "__main__":
    sys.exit(main())
