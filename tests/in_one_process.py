"""Run clients' notebooks, cell by cell, in this process: one start of Spark serves them all.

``python tests/in_one_process.py params/acme.yaml 01_data_cleaning 02_invalid_customers``, from the
root of a project; more clients may follow, each before its notebooks.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import nbformat
from IPython.core.interactiveshell import InteractiveShell

from customerlab import plan
from customerlab.params import load_params


def run_notebook(name: str, file: Path) -> None:
    """Execute the code cells of a notebook with a client's parameters."""
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance()
    given = plan.parameters(plan.named(name), load_params(file))
    for cell in nbformat.read(f"notebooks/{name}.ipynb", as_version=4).cells:
        if cell.cell_type == "code":
            shell.run_cell(cell.source).raise_error()
        if "parameters" in cell.metadata.get("tags", []):
            shell.push(given)


def main() -> None:
    """Run the notebooks that are named, one after the other, and say what each took."""
    out, sys.stdout = sys.stdout, sys.stderr  # what cells show is of no interest here
    for word in sys.argv[1:]:
        if word.endswith(".yaml"):
            file = Path(word)
            continue
        begun = time.monotonic()
        run_notebook(word, file)
        print(f"{file.stem} {word} {time.monotonic() - begun:.1f} s", file=out, flush=True)


if __name__ == "__main__":
    main()
