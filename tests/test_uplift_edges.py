"""Notebook 07 on what clients may bring: each cell runs, and gives words where it has no number."""

from __future__ import annotations

import json
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
from conftest import ROOT

NOTEBOOK = "07_uplift_tests"


def run_cells(folder: Path, tables: dict[str, pd.DataFrame], snapshot: str, **settings) -> dict:
    """Run all cells on clean tables; return the findings by their end, and what the cells left."""
    (folder / "Snakefile").touch()
    (folder / "notebooks").mkdir()
    clean = folder / "data" / "edge" / "clean"
    clean.mkdir(parents=True)
    for name, frame in tables.items():
        frame.to_parquet(clean / f"{name}.parquet", index=False)
    own = dict(client="edge", snapshot=snapshot, currency="EUR", uplift_tests=settings)
    space: dict = {}
    notebook = nbformat.read(ROOT / "notebooks" / f"{NOTEBOOK}.ipynb", as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            exec(compile(cell.source, cell.id, "exec"), space)
            if "parameters" in cell.metadata.get("tags", []):
                space |= own
    text = (folder / "data" / "edge" / "findings" / f"{NOTEBOOK}.json").read_text()
    found = {one["id"].removeprefix("uplift_tests."): one for one in json.loads(text)["findings"]}
    return {"found": found, **space}


def experiment(n: int, arms: tuple[str, ...], seed: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "arm": rng.choice(arms, n),
            "bought": rng.random(n) < 0.3,
            "same": 1,
            "spend": rng.gamma(1.0, 20.0, n).round(2),
            "age": rng.integers(18, 80, n),
        }
    )


OUTCOMES = {"bought": "binary", "same": "binary", "spend": "amount"}


@pytest.fixture(autouse=True)
def _in_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_one_arm_only(tmp_path):
    only = experiment(80, ("left alone",))
    told = run_cells(
        tmp_path,
        {"experiment": only},
        "2025-01-01",
        control="left alone",
        outcomes=OUTCOMES,
        contact_cost=1.0,
        margin=3,
    )
    assert told["found"].keys() <= {"proposed_to_contact"}
    assert len(pd.read_csv(tmp_path / "reports/edge/tables/trials.csv")) == 1
    assert len(pd.read_csv(tmp_path / "reports/edge/tables/effects.csv")) == 0


def test_arms_of_twenty_and_an_outcome_that_is_constant(tmp_path):
    told = run_cells(
        tmp_path,
        {"experiment": experiment(40, ("control", "mail"))},
        "2025-01-01",
        outcomes=OUTCOMES,
        covariates=["age"],
        contact_cost=1.0,
        margin=3,
        monitored=True,
    )
    found = told["found"]
    assert {found[f"mail_{name}"]["status"] for name in OUTCOMES} == {"not_enough_data"}
    assert "same is the same for all" in found["mail_same"]["text"]
    assert "Not enough data" in found["targeting_pays"]["text"]
    assert found["best_policy"]["status"] == "not_enough_data"
    assert all(found[f"mail_{name}"]["value"] is None for name in OUTCOMES)


def test_an_empty_arm_and_outcomes_before_the_assignment(tmp_path):
    """Nobody is in an arm that is planned; what customers did before counts as before only."""
    rng = np.random.default_rng(2)
    ids = [f"c{i}" for i in range(300)]
    sold = pd.DataFrame(
        {
            "customer_id": rng.choice(ids, 900),
            "occurred_at": pd.Timestamp("2025-01-01")
            + pd.to_timedelta(rng.integers(0, 80, 900), unit="D"),
            "amount": 10.0,
        }
    )
    sent = pd.DataFrame(
        {
            "campaign_id": "A",
            "customer_id": ids,
            "arm": rng.choice(["control", "mail"], 300),
            "assigned_at": pd.Timestamp("2025-03-25"),
            "propensity": 0.4,  # of a third arm with two in ten, which nobody is in
        }
    )
    told = run_cells(
        tmp_path,
        {"transactions": sold, "assignments": sent},
        "2025-06-30",
        outcome_days=30,
        contact_cost=0.5,
        margin=0.2,
    )
    assert {"bought", "spend"} == {outcome.name for outcome in told["trials"][0].outcomes}
    assert "bought is the same for all" in told["found"]["a_mail_bought"]["text"]
    assert told["trials"][0].rows.x_bought_before.mean().execute() > 0.5
    sizes = next(c for c in told["health"].checks if "as large as planned" in str(c.name))
    assert sizes.passed is False
    assert "an arm that nobody is in has 0.00 % of the customers instead of 20.00 %" in str(
        sizes.text
    )
    assert told["found"]["a_mail_bought"]["text"].startswith("Warning, do not rely on this yet:")
    assert told["found"]["proposed_to_contact"]["status"] == "not_enough_data"
