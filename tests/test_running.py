"""Notebooks are run when they have to be, whole or not at all, and pick up after a kill."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from small_project import (
    CLIENT,
    PARAMS,
    call,
    contents,
    environment,
    make_project,
    start,
    write_notebook,
)

from customerlab.params import check_params
from customerlab.paths import Paths
from customerlab.running import processors, remove_leftovers

ALL = [
    *("01_data_cleaning", "02_invalid_customers", "03_customer_value", "04_churn_timing"),
    *("05_repurchase_drivers", "99_summary"),
]
INDEX = f"reports/{CLIENT}/index.html"


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a project whose notebooks all ran, undisturbed; tests work in copies of it."""
    root = tmp_path_factory.mktemp("finished")
    make_project(root)
    done = call(root, "run", f"params/{CLIENT}.yaml")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == f"Report: {INDEX}"
    return root


@pytest.fixture
def project(finished: Path, tmp_path: Path) -> Path:
    """Copy the finished project, times included."""
    return shutil.copytree(finished, tmp_path / "project", symlinks=True)


def started(result: subprocess.CompletedProcess[str]) -> list[str]:
    """Return the notebooks that ran, in order, from the progress on stderr."""
    words = [line.split() for line in result.stderr.splitlines() if line.startswith(f"{CLIENT}  ")]
    return list(dict.fromkeys(line[1] for line in words))


def would_run(root: Path) -> set[str]:
    """Return the notebooks that Snakemake itself, called by a user, would run."""
    snakemake = Path(sys.executable).parent / "snakemake"
    command = [snakemake, "-n", "--cores", "2", "--config", f"params=params/{CLIENT}.yaml"]
    done = subprocess.run(
        command, cwd=root, env=environment(root), capture_output=True, text=True, check=True
    )
    return {name for name in ALL if f"rule {CLIENT}_{name}:" in done.stdout + done.stderr}


def test_undisturbed_run_leaves_every_output(finished: Path) -> None:
    made = {path for path in contents(finished)}
    assert made == {
        f"data/{CLIENT}/clean/transactions.parquet",
        f"data/{CLIENT}/quarantine/transactions.parquet",
        f"data/{CLIENT}/customers.parquet",
        f"data/{CLIENT}/scores/churn_timing.parquet",
        f"data/{CLIENT}/actions/2025-12-31/invalid_customers.parquet",
        f"data/{CLIENT}/actions/2025-12-31/churn_timing.parquet",
        f"data/{CLIENT}/scores/customer_value.parquet",
        f"data/{CLIENT}/actions/2025-12-31/customer_value.parquet",
        *(f"data/{CLIENT}/findings/{name}.json" for name in ALL[:-1]),
        *(
            f"reports/{CLIENT}/tables/{name}.csv"
            for name in (
                *("cleaning_ledger", "layers", "invalid_rules", "consensus", "departments"),
                *("cut_surface", "cutpoints", "cut_over_time", "account_bands", "valid_split"),
                *("layer_preferences", "dormant_returns"),
                *("leaks", "survival", "log_rank", "left_by_exit", "hazard_ratios"),
                *("acting_pairs", "acting_together", "hazard_calendar", "hazard_by_place"),
                *("asset_path", "stages", "money_went", "payroll_use", "groups_at_risk"),
                *("retention_cube", "contact_effects", "retention_questions", "keeping_pays"),
                *("already_lost", "calibration", "calibration_by_group", "models_side_by_side"),
                *("proportional_hazards",),
                *("rfm_segments", "segment_flow", "cut_points", "value_weeks"),
                *("value_by_frequency", "value_holdout", "value_model", "value_ahead"),
                *("months_value", "wallet", "wallet_groups", "product_holding", "cross_sell"),
                *("loyal", "loyal_by_rating", "left_out"),
                *("survey_answers", "items", "factor_count", "loadings", "factor_correlations"),
                *("factor_reliability", "driver_weights", "importance_map", "influences"),
                "checks",
            )
        ),
        f"reports/{CLIENT}/findings.json",
    }
    pages = sorted(path.name for path in (finished / "reports" / CLIENT).glob("*.html"))
    assert pages == [*(f"{name}.html" for name in ALL[:-1]), "index.html"]
    # what the file does not say of the engine is this machine's, shared among those side by side:
    # notebook 05 needs neither 02 nor 04
    threads = processors() // min(2, processors())
    executed = json.loads((finished / f"data/{CLIENT}/notebooks/04_churn_timing.ipynb").read_text())
    (given,) = [c for c in executed["cells"] if "injected-parameters" in c["metadata"]["tags"]]
    (engine,) = [line for line in given["source"] if line.startswith("engine = ")]
    assert f'"threads": {threads},' in engine
    # the client's parameters reached the notebooks, none of the demo's was left
    assert (finished / f"reports/{CLIENT}/tables/survival.csv").read_text() == "idle\n90"


def test_second_run_says_there_is_nothing_to_do(project: Path) -> None:
    before = (project / INDEX).stat().st_mtime_ns
    params = project / f"params/{CLIENT}.yaml"
    params.write_text(
        "# a comment, and another order\n" + PARAMS.replace("{idle_days", "{ idle_days")
    )
    again = call(project, "run", f"params/{CLIENT}.yaml")
    assert again.returncode == 0
    assert (
        again.stderr.strip() == f"customerlab: {CLIENT}: nothing to do, everything is up to date."
    )
    assert again.stdout.strip() == f"Report: {INDEX}"
    assert (project / INDEX).stat().st_mtime_ns == before


def test_only_what_changed_would_run(project: Path) -> None:
    params = project / f"params/{CLIENT}.yaml"
    params.write_text(PARAMS.replace("idle_days: 90", "idle_days: 60"))
    # how long a bank's customers stay is part of their value
    assert would_run(project) == {"03_customer_value", "04_churn_timing", "99_summary"}
    params.write_text(PARAMS + "invalid_customers: {not_movements: [fee]}\n")
    # which kinds are no movements is read by all that look at what customers did
    assert would_run(project) == set(ALL[1:])
    params.write_text(PARAMS + "repurchase_drivers: {factors: 3}\n")
    assert would_run(project) == {"05_repurchase_drivers", "99_summary"}
    params.write_text(PARAMS)
    (project / f"reports/{CLIENT}/tables/layers.csv").unlink()
    assert would_run(project) >= {"02_invalid_customers"}
    shutil.copy(
        project / f"reports/{CLIENT}/tables/survival.csv",
        project / f"reports/{CLIENT}/tables/layers.csv",
    )
    (project / "raw.csv").write_text("customer_id,occurred_at,amount\nb,2025-01-01,2\n")
    assert would_run(project) == set(ALL)


def test_the_same_file_runs_on_a_cluster(tmp_path: Path) -> None:
    """As README shows it: what Snakemake would hand to Slurm, of two clients."""
    plugin = Path(sys.prefix) / "slurm"
    if not plugin.is_dir():
        pytest.skip("pip install --target .venv/slurm -r tests/requirements-slurm.txt was not run")
    make_project(tmp_path)
    text = PARAMS.replace(f"client: {CLIENT}", "client: other")
    (tmp_path / "params/other.yaml").write_text(text)
    clients = f"params=[params/{CLIENT}.yaml, params/other.yaml]"
    command = [sys.executable, "-m", "snakemake", "--executor", "slurm", "--jobs", "20"]
    command += ["--config", clients, "threads=4", "memory=16000", "--dry-run"]
    around = environment(tmp_path)
    around["PYTHONPATH"] = os.pathsep.join([around["PYTHONPATH"], str(plugin)])
    around["PATH"] = os.environ["PATH"]  # it looks for Slurm's own programs with `which`
    done = subprocess.run(command, cwd=tmp_path, env=around, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    said = done.stdout + done.stderr
    for client in (CLIENT, "other"):
        for name in ALL:
            assert re.search(rf"^{client}_{name} +1$", said, flags=re.MULTILINE), name
    assert said.count("threads: 4") == said.count("mem_mb=16000") == 2 * len(ALL)


def test_failure_publishes_nothing_old_and_the_index_says_so(project: Path) -> None:
    write_notebook(project, "02_invalid_customers", work='raise ValueError("boom")')
    done = call(project, "run", f"params/{CLIENT}.yaml")
    assert done.returncode == 1
    assert (
        f'customerlab: {CLIENT}: 02_invalid_customers stopped under "Half-way", cell 3 of 4: '
        f"ValueError: boom\n  the notebook up to there: "
        f"data/{CLIENT}/notebooks/02_invalid_customers.failed.ipynb\n"
    ) in done.stderr
    assert "Traceback" not in done.stderr
    last = done.stderr.splitlines()[-1]
    assert last == (
        f"customerlab: {CLIENT}: 02_invalid_customers failed; not run because of it: "
        "04_churn_timing, 03_customer_value."
    )
    # neither its page nor that of a notebook that rests on it; the index is new and says so
    pages = sorted(path.name for path in (project / "reports" / CLIENT).glob("*.html"))
    assert pages == ["01_data_cleaning.html", "05_repurchase_drivers.html", "index.html"]
    index = (project / INDEX).read_text()
    assert "missing: 02_invalid_customers" in index
    assert "missing: 03_customer_value" in index
    assert "missing: 04_churn_timing" in index
    assert "missing: 05_repurchase_drivers" not in index
    assert (project / f"reports/{CLIENT}/findings.json").read_text() == '["01"]\n["05"]'
    assert not (project / f"reports/{CLIENT}/tables/survival.csv").exists()


def test_error_that_can_be_mended_shows_its_message_only(project: Path) -> None:
    work = 'from customerlab.errors import CustomerlabError\nraise CustomerlabError("no such rule")'
    write_notebook(project, "04_churn_timing", work=work)
    done = call(project, "run", f"params/{CLIENT}.yaml", "--only", "churn_timing")
    assert done.returncode == 1
    assert 'under "Half-way", cell 3 of 4: no such rule\n' in done.stderr
    assert started(done) == ["04_churn_timing", "99_summary"]
    assert "missing: 04_churn_timing" in (project / INDEX).read_text()

    # mended: the failed notebook is gone and everything is as it was
    write_notebook(project, "04_churn_timing")
    mended = call(project, "run", f"params/{CLIENT}.yaml")
    assert mended.returncode == 0
    assert started(mended) == ["04_churn_timing", "03_customer_value", "99_summary"]
    assert not list((project / "data" / CLIENT / "notebooks").glob("*.failed.ipynb"))
    assert "missing" not in (project / INDEX).read_text()


def test_second_run_of_the_same_client_is_refused(project: Path) -> None:
    write_notebook(project, "99_summary", work="time.sleep(300)")
    first = start(project, "run", f"params/{CLIENT}.yaml")
    try:
        _wait_for(first, "Half-way")
        second = call(project, "run", f"params/{CLIENT}.yaml")
    finally:
        os.killpg(first.pid, signal.SIGINT)  # as Ctrl-C does
        _, rest = first.communicate(timeout=120)
    assert second.returncode == 2
    assert second.stderr == (
        f"customerlab: another run of {CLIENT} is at work; wait until it ends\n"
    )
    assert first.returncode != 0
    assert "Traceback" not in rest
    assert f"{CLIENT}: stopped before 99_summary. Call again to go on." in rest


def test_killed_at_several_moments_it_ends_with_the_same_content(
    finished: Path, tmp_path: Path
) -> None:
    root = tmp_path / "killed"
    make_project(root, pause=0.01)
    moments = [
        ("01_data_cleaning  4/4", "all"),  # in the middle of writing
        ("02_invalid_customers  4/4", "runner"),  # what it started has to stop by itself
        ("99_summary  3/4", "all"),
    ]
    for words, whom in moments:
        process = start(root, "run", f"params/{CLIENT}.yaml")
        _wait_for(process, words)
        time.sleep(0.1)
        if whom == "all":
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
        process.communicate()
        assert not (root / INDEX).exists()
    last = call(root, "run", f"params/{CLIENT}.yaml")
    assert last.returncode == 0, last.stderr
    assert started(last) == ["99_summary"]
    assert contents(root) == contents(finished)


def _wait_for(process: subprocess.Popen[str], words: str) -> None:
    """Read progress until a line has the words."""
    seen = []
    for line in process.stderr:
        seen.append(line)
        if words in line:
            return
    raise AssertionError(f"{words!r} never came:\n" + "".join(seen))


def test_of_several_clients_one_that_fails_leaves_the_others_alone(tmp_path: Path) -> None:
    make_project(tmp_path)
    work = 'if client == "worse":\n    raise ValueError("boom")'
    write_notebook(tmp_path, "01_data_cleaning", work=work)
    for client in ("worse", "wrong"):
        text = PARAMS.replace(f"client: {CLIENT}", f"client: {client}")
        text = text.replace("raw.csv", "nowhere.csv") if client == "wrong" else text
        (tmp_path / f"params/{client}.yaml").write_text(text)
    files = [f"params/{client}.yaml" for client in ("wrong", "worse", CLIENT)]
    done = call(tmp_path, "run", *files, "--jobs", "2", "--only", "data_cleaning")
    assert done.returncode == 1
    assert "nowhere.csv" in done.stderr and "ValueError: boom" in done.stderr
    assert "Traceback" not in done.stderr
    told = [re.split(r"  +", line) for line in done.stdout.splitlines()]
    assert told == [
        ["client", "pages", "report", "how it ended"],
        ["worse", "0", "reports/worse/index.html", "01_data_cleaning failed"],
        [CLIENT, "1", INDEX, "done"],
        ["params/wrong.yaml", "0", "none", "not run: see above"],
    ]
    assert not (tmp_path / "data" / "wrong").exists()
    # nobody can be run: nothing has begun, and each is told
    (tmp_path / "params/worse.yaml").write_text("client: worse\nsnapshto: 2025-12-31\n")
    refused = call(tmp_path, "run", "params/wrong.yaml", "params/worse.yaml")
    assert refused.returncode == 2
    assert "nowhere.csv" in refused.stderr and "snapshot" in refused.stderr


def test_dropped_source_takes_its_pages_along(project: Path) -> None:
    params = check_params(
        {"client": CLIENT, "snapshot": "2025-12-31", "sources": {"products": {}}}, "test"
    )
    remove_leftovers(params, Paths(project, CLIENT))
    assert set(contents(project)) == {
        # what was proposed stays: a later run sees what came of it
        f"data/{CLIENT}/actions/2025-12-31/invalid_customers.parquet",
        f"data/{CLIENT}/actions/2025-12-31/churn_timing.parquet",
        f"data/{CLIENT}/actions/2025-12-31/customer_value.parquet",
        f"data/{CLIENT}/findings/01_data_cleaning.json",
        f"reports/{CLIENT}/tables/cleaning_ledger.csv",
        f"reports/{CLIENT}/findings.json",
    }
    pages = sorted(path.name for path in (project / "reports" / CLIENT).glob("*.html"))
    assert pages == ["01_data_cleaning.html", "index.html"]


def test_changed_code_runs_everything_again(project: Path) -> None:
    with (project / "src/customerlab/findings.py").open("a") as module:
        module.write("# changed\n")
    (project / "src/customerlab/cli.py").touch()  # of no notebook
    assert would_run(project) == set(ALL)


def test_a_promised_table_that_is_not_written_is_named(project: Path) -> None:
    """The plan says that others may read it: a page without it must not stand."""
    write_notebook(
        project,
        "05_repurchase_drivers",
        work="write_any = write\n"
        "def write(path, text):\n"
        "    if path.stem not in ('loadings', 'checks'):\n"
        "        write_any(path, text)",
    )
    done = call(project, "run", f"params/{CLIENT}.yaml")
    assert done.returncode == 1
    assert (
        f"customerlab: {CLIENT}: 05_repurchase_drivers ran to its end, but did not write "
        f"reports/{CLIENT}/tables/loadings.csv, reports/{CLIENT}/tables/checks.csv, "
        "which plan.py declares\n"
        f"  the notebook: data/{CLIENT}/notebooks/05_repurchase_drivers.failed.ipynb\n"
    ) in done.stderr
    assert done.stderr.splitlines()[-1] == f"customerlab: {CLIENT}: 05_repurchase_drivers failed."
    assert (project / f"data/{CLIENT}/notebooks/05_repurchase_drivers.failed.ipynb").is_file()
    assert not (project / f"reports/{CLIENT}/05_repurchase_drivers.html").exists()
    assert "missing: 05_repurchase_drivers" in (project / INDEX).read_text()
