"""A project with six tiny notebooks, to try how notebooks are run without what they compute."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from customerlab import plan

ROOT = Path(__file__).parent.parent
CLIENT = "tiny"
PARAMS = f"""\
client: {CLIENT}
snapshot: 2025-12-31
sources:
  transactions: {{path: raw.csv}}
churn_timing: {{idle_days: 90}}
"""

_START = """\
import time
from pathlib import Path
data, reports = Path("data") / client, Path("reports") / client
def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:       # in pieces, so that a kill leaves a half
        for letter in text:
            file.write(letter)
            file.flush()
            time.sleep({pause})
def read(path):
    return path.read_text()
"""

#: What each notebook computes: everything that plan.outputs names but page and notebook.
_WORK = {
    "01_data_cleaning": """\
for table in sources:
    write(data / f"clean/{table}.parquet", read(Path("raw.csv")).upper())
    write(data / f"quarantine/{table}.parquet", "none")
write(reports / "tables/cleaning_ledger.csv", "rows\\n" + str(len(read(Path("raw.csv")))))
write(data / "findings/01_data_cleaning.json", '["01"]')
""",
    "02_invalid_customers": """\
write(data / "customers.parquet", read(data / "clean/transactions.parquet")[:9])
write(data / f"actions/{snapshot}/invalid_customers.parquet", "nobody")
for table in {TABLES}:
    write(reports / f"tables/{table}.csv", "rule\\nempty")
write(data / "findings/02_invalid_customers.json", '["02"]')
""",
    "04_churn_timing": """\
write(data / "scores/churn_timing.parquet", read(data / "customers.parquet")[::-1])
write(data / f"actions/{snapshot}/churn_timing.parquet", "nobody")
for table in {TABLES}:
    write(reports / f"tables/{table}.csv", "idle\\n" + str(churn_timing["idle_days"]))
write(data / "findings/04_churn_timing.json", '["04", %d]' % churn_timing["idle_days"])
""",
    "03_customer_value": """\
write(data / "scores/customer_value.parquet", read(data / "scores/churn_timing.parquet")[:9])
write(data / f"actions/{snapshot}/customer_value.parquet", "nobody")
for table in {TABLES}:
    write(reports / f"tables/{table}.csv", "worth\\nnothing")
write(data / "findings/03_customer_value.json", '["03"]')
""",
    "05_repurchase_drivers": """\
for table in {TABLES}:
    write(reports / f"tables/{table}.csv", "rows\\n" + str(len(read(Path("raw.csv")))))
write(data / "findings/05_repurchase_drivers.json", '["05"]')
""",
    "99_summary": """\
parts = sorted((data / "findings").glob("*.json"))
write(reports / "findings.json", "\\n".join(read(part) for part in parts))
for name in {BEFORE}:
    if not (reports / f"{name}.html").exists():
        print("missing:", name)
""",
}

_PARAMETERS = {
    "01_data_cleaning": 'sources = {}\ndata_cleaning = {"rules": []}',
    "02_invalid_customers": "seed = 1\ninvalid_customers = {}",
    "03_customer_value": "seed = 1\ninvalid_customers = {}\ncustomer_value = {}",
    "04_churn_timing": 'seed = 1\ninvalid_customers = {}\nchurn_timing = {"idle_days": 1}',
    "05_repurchase_drivers": "seed = 1\ninvalid_customers = {}\nrepurchase_drivers = {}",
    "99_summary": (
        'title = ""\nseed = 1\nsources = {}\ndata_cleaning = {}\ninvalid_customers = {}\n'
        "customer_value = {}\nchurn_timing = {}\nrepurchase_drivers = {}\n"
        "response_model = {}\nuplift_tests = {}"
    ),
}

_COMMON = """\
client = "demo"
snapshot = "2000-01-01"
language = "en"
currency = None
engine = {}
privacy = {}
"""


def write_notebook(root: Path, name: str, *, work: str = "", pause: float = 0) -> None:
    """Write one tiny notebook; `work` goes before what it computes."""
    about = plan.named(name)
    last = _WORK[name].replace("{TABLES}", repr(about.tables))
    last = last.replace("{BEFORE}", repr([one for one in about.after if one in _WORK]))
    start = new_code_cell(_START.replace("{pause}", str(pause)))
    parameters = new_code_cell(_COMMON + _PARAMETERS[name], metadata={"tags": ["parameters"]})
    notebook = new_notebook(
        cells=[
            new_markdown_cell(f"# The question of {name}"),
            parameters,
            start,
            new_markdown_cell("## Half-way"),
            new_code_cell(work or "1 + 1"),
            new_markdown_cell("## To the end\n```\n# no heading\n```"),
            new_code_cell(last),
        ],
        metadata={
            "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}
        },
    )
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number}"
    folder = root / "notebooks"
    folder.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, folder / f"{name}.ipynb")


def copy_code(root: Path) -> None:
    """Copy what every project has: Snakefile and package, and a folder of programs."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "Snakefile").write_text((ROOT / "Snakefile").read_text())
    # the package too, as in a clone: what is edited meanwhile does not disturb. Its bytecode
    # spares every process a second; what another process is just writing has one more suffix
    shutil.copytree(ROOT / "src", root / "src", ignore=shutil.ignore_patterns("*.pyc.*"))
    (root / "bin").mkdir()
    (root / "bin" / "bash").symlink_to(shutil.which("bash") or "/bin/bash")


def copy_project(root: Path) -> None:
    """Make a project of the real notebooks in `root`, without clients."""
    copy_code(root)
    shutil.copytree(ROOT / "notebooks", root / "notebooks")
    (root / "params").mkdir()


def make_project(root: Path, *, pause: float = 0) -> Path:
    """Make the project in `root` and return its parameter file."""
    copy_code(root)
    for name in _WORK:
        write_notebook(root, name, pause=pause)
    (root / "raw.csv").write_text("customer_id,occurred_at,amount\na,2025-01-01,1\n")
    params = root / "params" / f"{CLIENT}.yaml"
    params.parent.mkdir()
    params.write_text(PARAMS)
    return params


def environment(root: Path, *, browser: bool = False) -> dict[str, str]:
    """Return the environment in which the project's own copy of the package is imported.

    Unless asked for, no browser is found in it: a PDF of every tiny summary would cost most of the
    time.
    """
    own = {**os.environ, "PYTHONPATH": str(root / "src")}
    return own if browser else {**own, "PATH": str(root / "bin")}


def start(root: Path, *arguments: str, browser: bool = False) -> subprocess.Popen[str]:
    """Start the command line in a process group of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "customerlab.cli", *arguments],
        cwd=root,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env=environment(root, browser=browser),
    )


def call(
    root: Path, *arguments: str, seconds: int = 120, browser: bool = False
) -> subprocess.CompletedProcess[str]:
    """Call the command line and wait for its end, at most so many seconds."""
    process = start(root, *arguments, browser=browser)
    try:
        out, err = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)  # the tests that follow need the machine
        process.communicate()
        raise
    return subprocess.CompletedProcess(arguments, process.returncode, out, err)


def contents(root: Path) -> Mapping[str, str]:
    """Return the SHA-256 of every table, finding and data file that runs left."""
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for folder in ("data", "reports")
        for path in sorted((root / folder).rglob("*"))
        if path.is_file() and path.suffix in {".parquet", ".csv", ".json"}
    }
