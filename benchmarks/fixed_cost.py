"""Say where a small client's seconds of processor time go: what is fixed, and what computes.

A bank of 600 customers, with every notebook it has the tables for, and a client that gave one
prepared table of 600 rows. Each is run twice: whole, as `customerlab run` does, for what the runner
itself costs; and notebook by notebook, for the parts of each. Imports are those that a notebook
names on top; a package that is imported where it is needed first counts as computing.

    python benchmarks/fixed_cost.py [--customers 600] [--parts]

With `--parts` those of every notebook are shown. Times are of one run, rough where others use the
machine, too.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # what is clocked runs in processes of this file, and imports what it needs
    import pandas as pd

ROOT = Path(__file__).parent.parent
BANK, TABLE = "demo_bank", "one_table"
#: Parts in the order in which a reader meets them; what a part is, for the table.
PARTS = {
    "runner": "runner: check and plan",
    "process": "notebook: its process starts",
    "papermill": "notebook: Papermill",
    "page": "notebook: its page",
    "pdf": "summary: its PDF",
    "kernel": "kernel: starts",
    "imports": "kernel: imports",
    "cells": "kernel: computes",
}


def spent(whose: int) -> float:
    """Return the seconds of all processors that this process, or its children, took."""
    used = resource.getrusage(whose)
    return used.ru_utime + used.ru_stime


def parts_of_a_job(file: Path, name: str) -> dict[str, float]:
    """Run one notebook in this process and return what its parts cost; they are clocked here."""
    from customerlab import job

    taken: dict[str, tuple[float, float]] = {}

    def clocked(part: str) -> Callable[..., Any]:
        do = getattr(job, part)

        def timed(*given: Any) -> Any:
            before = spent(resource.RUSAGE_SELF), spent(resource.RUSAGE_CHILDREN)
            result = do(*given)
            taken[part] = (
                spent(resource.RUSAGE_SELF) - before[0],
                spent(resource.RUSAGE_CHILDREN) - before[1],
            )
            return result

        return timed

    for part in ("_execute", "_publish"):
        setattr(job, part, clocked(part))
    job._prepare_process()
    job.run_notebook(file, name, threads=1, memory_mb=2000)
    (papermill, cells), (page, pdf) = taken["_execute"], taken["_publish"]
    started = spent(resource.RUSAGE_SELF) - papermill - page
    return dict(process=started, papermill=papermill, page=page, pdf=pdf, cells=cells)


def cost_of_a_kernel(source: str) -> dict[str, float]:
    """Execute one cell in a kernel as a notebook does, and return what the kernel cost."""
    from customerlab import job

    job._prepare_process()
    import nbformat
    import papermill
    from nbformat.v4 import new_code_cell, new_notebook

    about = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = new_notebook(cells=[new_code_cell(source, metadata={"tags": []})])
    notebook.metadata["kernelspec"] = about
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "one.ipynb"
        nbformat.write(notebook, path)
        papermill.execute_notebook(path, path, engine_name="customerlab", progress_bar=False)
    return {"kernel": spent(resource.RUSAGE_CHILDREN)}


def cost_of_the_runner(file: Path) -> dict[str, float]:
    """Run a client whole and return what the runner itself cost."""
    from customerlab.cli import main

    main(["run", str(file), "--jobs", "1"])
    return {"runner": spent(resource.RUSAGE_SELF)}


def apart(root: Path, what: str, *given: str) -> dict[str, float]:
    """Do one of the above in a process of its own."""
    around = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    around.pop("PYTHONDONTWRITEBYTECODE", None)  # it would compile the package in every process
    command = [sys.executable, str(Path(__file__).resolve()), "--apart", what, *given]
    done = subprocess.run(command, cwd=root, env=around, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr[-3000:])
    return json.loads(done.stdout.splitlines()[-1])


def make_clients(root: Path, customers: int) -> None:
    """Make a project with both clients."""
    import numpy as np
    import pandas as pd

    from customerlab.simulate import simulate_bank

    for name in ("notebooks", "Snakefile", "requirements.lock"):
        (root / name).symlink_to(ROOT / name)
    (root / "params").mkdir()
    (root / f"params/{BANK}.yaml").write_bytes((ROOT / f"params/{BANK}.yaml").read_bytes())
    simulate_bank(root / "data" / BANK / "raw", customers=customers)
    rng = np.random.default_rng(1)
    stay = rng.geometric(0.04, customers)
    table = pd.DataFrame(
        {
            "duration": np.minimum(stay, 60),
            "churned": np.where(stay <= 60, "Yes", "No"),
            "contract": rng.choice(["monthly", "yearly"], customers),
            "charges": rng.normal(60, 20, customers).round(2),
        }
    )
    table.to_csv(root / "durations.csv", index=False)
    (root / f"params/{TABLE}.yaml").write_text(
        f"client: {TABLE}\nsnapshot: 2025-12-31\nsources: {{durations: {{path: durations.csv}}}}\n"
    )


def measure(root: Path, client: str) -> pd.DataFrame:
    """Return what every notebook of a client cost, by part, and the runner."""
    import nbformat
    import pandas as pd

    from customerlab import plan
    from customerlab.params import load_params

    file = f"params/{client}.yaml"
    rows = {"": apart(root, "runner", file)}
    kernel = apart(root, "kernel", "pass")["kernel"]
    for notebook in plan.planned(load_params(root / file)):
        cells = nbformat.read(ROOT / "notebooks" / f"{notebook.name}.ipynb", as_version=4).cells
        code = "\n".join(cell.source for cell in cells if cell.cell_type == "code")
        imports = "\n".join(re.findall(r"^(?:from \S+ import|import) .+$", code, re.MULTILINE))
        found = apart(root, "job", file, notebook.name)
        found["kernel"] = kernel
        found["imports"] = apart(root, "kernel", imports)["kernel"] - kernel
        found["cells"] -= found["kernel"] + found["imports"]
        rows[notebook.name] = found
    return pd.DataFrame.from_dict(rows, orient="index").reindex(columns=list(PARTS)).fillna(0.0)


def main() -> None:
    """Print a table for each client."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--customers", type=int, default=600)
    parser.add_argument("--parts", action="store_true", help="show those of every notebook")
    parser.add_argument("--apart", nargs="+", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.apart:
        what, *rest = given.apart
        if what == "kernel":
            found = cost_of_a_kernel(*rest)
        elif what == "job":
            found = parts_of_a_job(Path(rest[0]), rest[1])
        else:
            found = cost_of_the_runner(Path(*rest))
        print(json.dumps(found))
        return
    with tempfile.TemporaryDirectory() as folder:
        make_clients(Path(folder), given.customers)
        for client in (BANK, TABLE):
            costs = measure(Path(folder), client)
            total = costs.sum()
            print(f"\n{client}, {len(costs) - 1} notebooks: seconds of processor time")
            for part, words in PARTS.items():
                print(f"  {words:<30} {total[part]:6.1f} {total[part] / total.sum():5.0%}")
            print(f"  {'all':<30} {total.sum():6.1f}")
            if given.parts:
                print(costs.iloc[1:].round(2).to_string())


if __name__ == "__main__":
    main()
