"""The notebooks as they are committed, and one of them run by Papermill alone."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from conftest import ROOT

from customerlab import plan
from customerlab.params import check_params

NOTEBOOKS = [ROOT / "notebooks" / f"{one.name}.ipynb" for one in plan.NOTEBOOKS]
TAGS = {"parameters", "hide", "answer"}
every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def read(path: Path) -> nbformat.NotebookNode:
    """Read a notebook as it stands, without nbformat's repairs."""
    return nbformat.reads(path.read_text(encoding="utf-8"), as_version=nbformat.NO_CONVERT)


def tagged(notebook: nbformat.NotebookNode, tag: str) -> list[nbformat.NotebookNode]:
    return [cell for cell in notebook.cells if tag in cell.metadata.get("tags", [])]


def test_the_plan_and_the_folder_name_the_same_notebooks():
    assert sorted((ROOT / "notebooks").glob("*.ipynb")) == sorted(NOTEBOOKS)


@every_notebook
def test_no_outputs_and_cell_ids_that_stay(path):
    """The Chinese of a Markdown cell hangs on its id: a word for what the cell does, no hash."""
    notebook = read(path)
    nbformat.validate(notebook)
    ids = [cell.id for cell in notebook.cells]
    assert len(ids) == len(set(ids))
    assert [id_ for id_ in ids if not re.fullmatch(r"[a-z]+(-[a-z]+)*", id_)] == []
    for cell in notebook.cells:
        assert set(cell.metadata) <= {"tags"}, cell.id
        assert set(cell.metadata.get("tags", [])) <= TAGS, cell.id
        if cell.cell_type == "code":
            assert cell.outputs == [] and cell.execution_count is None, cell.id


@every_notebook
def test_the_parameters_cell_holds_the_keys_of_the_plan_as_literals(path):
    (cell,) = tagged(read(path), "parameters")
    given = {}
    for line in ast.parse(cell.source).body:
        assert isinstance(line, ast.Assign) and len(line.targets) == 1, ast.unparse(line)
        given[line.targets[0].id] = ast.literal_eval(line.value)  # raises on what is derived
    assert sorted(given) == sorted(plan.named(path.stem).keys)
    assert check_params(given, path.name).client == "demo_bank"


@every_notebook
def test_code_is_short_and_silences_nothing(path):
    for cell in read(path).cells:
        if cell.cell_type != "code":
            continue
        assert len(cell.source.splitlines()) <= 15, cell.id
        kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
        names = {type(node) for node in ast.walk(ast.parse(cell.source))}
        assert not names.intersection(kinds), cell.id
        assert not re.search(r"filterwarnings|simplefilter|%%capture|\bwarnings\b", cell.source)


@every_notebook
def test_the_story_has_its_parts_in_order(path):
    """A question first; the answer before the data; then what holds it up, and what it omits."""
    notebook = read(path)
    first = notebook.cells[0]
    assert first.cell_type == "markdown"
    assert re.match(r"# [^\n]*\?\n", first.source)
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    assert len(re.findall(r"^# ", text, flags=re.MULTILINE)) == 1
    (answer,) = tagged(notebook, "answer")
    order = [notebook.cells.index(cell) for cell in (tagged(notebook, "parameters")[0], answer)]
    assert order == sorted(order)
    if path.stem == plan.SUMMARY:
        return
    parts = ["## Data", "## Can we trust this?", "## What this does not show"]
    places = [
        place
        for part in parts
        for place, cell in enumerate(notebook.cells)
        if cell.cell_type == "markdown" and cell.source.splitlines()[0] == part
    ]
    assert len(places) == len(parts)
    assert [*order, *places] == sorted([*order, *places])


# by Papermill alone ---------------------------------------------------------------------------

PARAMS = """\
client: tiny
snapshot: 2025-12-31
sources:
  transactions: {path: raw.csv}
churn_timing: {idle_days: 60}
"""


def papermill(root: Path, notebook: str) -> subprocess.CompletedProcess[str]:
    """Call Papermill as a user would, from the project's root."""
    program = Path(sys.executable).with_name("papermill")
    source = f"notebooks/{notebook}.ipynb"
    command = [program, source, "out.ipynb", "-f", "params/tiny.yaml", "--no-progress-bar"]
    return subprocess.run(command, cwd=root, capture_output=True, text=True)


def test_papermill_alone_runs_a_notebook_or_says_what_to_run_first(tmp_path):
    shutil.copytree(ROOT / "notebooks", tmp_path / "notebooks")
    shutil.copy(ROOT / "Snakefile", tmp_path)
    (tmp_path / "params").mkdir()
    (tmp_path / "params" / "tiny.yaml").write_text(PARAMS)
    lines = [f"c{number},2025-{month:02d}-03,5.00" for number in range(20) for month in (1, 5, 9)]
    (tmp_path / "raw.csv").write_text("\n".join(["customer_id,occurred_at,amount", *lines]) + "\n")

    early = papermill(tmp_path, "04_churn_timing")
    assert early.returncode != 0
    assert (
        "data/tiny/clean/transactions.parquet is missing: run `customerlab run params/tiny.yaml "
        "--only data_cleaning` first"
    ) in early.stderr

    done = papermill(tmp_path, "01_data_cleaning")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "data/tiny/clean/transactions.parquet").is_file()
    ledger = (tmp_path / "reports/tiny/tables/cleaning_ledger.csv").read_text()
    assert "transactions,clean,clean,clean rows,60,20,300.00,60\n" in ledger
