"""The demo shop from its raw files to what brings its customers back, and its page in Chinese."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest
import yaml
from bs4 import BeautifulSoup
from conftest import ROOT
from page_texts import english_pieces, leaks, page_texts, plain
from small_project import call, copy_project, environment

from customerlab import plan
from customerlab.params import load_params
from customerlab.paths import Paths
from customerlab.simulate import simulate_shop

SIZE = 1_500
NOTEBOOK = "05_repurchase_drivers"
#: What the parameter file calls the factors, after the items that tell them.
NAMES = {"Price", "Word of mouth", "Reviews", "Delivery", "Service"}
#: Of the page in Chinese, for three factors take a third of the time of five.
SOME = ["Price", "Delivery", "Service"]
#: The columns of each table that the notebook writes.
COLUMNS = {
    "survey_answers": [
        *("item", "respondents", "answered", "empty", "not_a_number", "off_scale"),
        *("missing_share", "least", "most", "categories"),
    ],
    "items": ["item", "missing_share", "kmo", "kaiser", "why_left_out"],
    "factor_count": [
        *("factors", "eigenvalue", "random_95", "reduced_eigenvalue", "reduced_random_95"),
        *("map", "map_fourth"),
    ],
    "loadings": ["item", "factor", "own", "loading", "low", "high", "communality"],
    "factor_correlations": ["factor", "other", "correlation", "low", "high"],
    "factor_reliability": [
        *("factor", "items", "alpha", "alpha_low", "alpha_high"),
        *("omega", "omega_low", "omega_high"),
    ],
    "driver_weights": [
        *("driver", "weight", "low", "high", "rank", "rank_share"),
        *("effect_points", "effect_low", "effect_high"),
    ],
    "importance_map": [
        *("segment", "driver", "weight", "low", "high", "performance", "quadrant", "direction")
    ],
    "influences": ["item", "effect_points", "low", "high"],
    "checks": ["check", "passed", "text"],
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a project, simulate the shop and run its notebook, by one call as a user would."""
    root = tmp_path_factory.mktemp("demo_shop")
    copy_project(root)
    shutil.copy(ROOT / "params" / "demo_shop.yaml", root / "params")
    simulate_shop(root / "data" / "demo_shop" / "raw", customers=SIZE)
    done = call(root, "run", "params/demo_shop.yaml", "--only", "repurchase_drivers", seconds=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "Report: reports/demo_shop/index.html"
    return root


@pytest.fixture(scope="module")
def chinese(project: Path) -> Path:
    """Make the same page in Chinese, from the clean tables."""
    own = (project / "params" / "demo_shop.yaml").read_text(encoding="utf-8")
    own = re.sub(r"^client: demo_shop", "client: demo_zh", own, flags=re.MULTILINE)
    own = own.replace("language: en ", "language: zh ")
    section = yaml.safe_load(own[own.index("# Notebook 05") :])["repurchase_drivers"]
    section["names"] = {name: section["names"][name] for name in SOME}
    section["items"] = [item for items in section["names"].values() for item in items]
    own = own[: own.index("# Notebook 05")] + yaml.safe_dump({"repurchase_drivers": section})
    (project / "params" / "demo_zh.yaml").write_text(own, encoding="utf-8")
    shutil.copytree(project / "data/demo_shop/clean", project / "data/demo_zh/clean")
    job = [sys.executable, "-m", "customerlab.job", "params/demo_zh.yaml", NOTEBOOK]
    done = subprocess.run(
        job, cwd=project, env=environment(project), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return project


def table(project: Path, name: str, client: str = "demo_shop") -> pd.DataFrame:
    """Read a table as it stands: every cell as text, empty ones as missing."""
    return pd.read_csv(project / "reports" / client / "tables" / f"{name}.csv", dtype=str)


def findings(project: Path) -> dict[str, dict]:
    text = (project / "reports/demo_shop/findings.json").read_text(encoding="utf-8")
    return {finding["id"]: finding for finding in json.loads(text)}


# what a run leaves ------------------------------------------------------------------------------


def test_every_output_of_what_was_asked_for_is_there(project: Path) -> None:
    params, paths = load_params(project / "params/demo_shop.yaml"), Paths(project, "demo_shop")
    for notebook in plan.planned(params, ["repurchase_drivers"]):
        for path in plan.outputs(notebook, params, paths):
            assert path.is_file(), path
    pages = sorted(page.stem for page in paths.reports.glob("*.html"))
    assert pages == ["01_data_cleaning", NOTEBOOK, "index"]
    assert list(paths.data.rglob("*.failed.ipynb")) == []


def test_the_tables_have_their_columns(project: Path) -> None:
    assert tuple(COLUMNS) == plan.named(NOTEBOOK).tables
    for name, columns in COLUMNS.items():
        frame = table(project, name)
        assert list(frame) == columns, name
        assert len(frame), name
    settings = load_params(project / "params/demo_shop.yaml").repurchase_drivers
    asked = [*settings.items, settings.outcome]
    assert list(table(project, "survey_answers")["item"]) == asked
    assert list(table(project, "items")["item"]) == settings.items
    assert len(table(project, "loadings")) == len(settings.items) * len(NAMES)
    assert set(table(project, "driver_weights")["driver"]) == NAMES


def test_the_page_answers_with_intervals(project: Path) -> None:
    found = findings(project)
    prefix = "repurchase_drivers."
    weights = [id_ for id_ in found if id_.startswith(f"{prefix}weight.")]
    drivers = table(project, "driver_weights")
    assert len(weights) == len(drivers) == len(NAMES)
    influences = [f"{prefix}promotion_influence", f"{prefix}review_influence"]
    named = [f"{prefix}top_driver", f"{prefix}to_change"]
    for id_ in named:  # in words
        assert found[id_]["status"] != "not_enough_data", id_
        assert found[id_]["unit"] == "text", id_
        assert NAMES & set(str(found[id_]["value"]).split(", ")), id_
    for id_ in influences:
        one = found[id_]
        assert one["unit"] == "percent" and one["low"] <= one["value"] <= one["high"], id_
    answers = [f"{prefix}predictive_skill", *weights]
    for id_ in answers:
        one = found[id_]
        assert one["notebook"] == NOTEBOOK and one["unit"] == "percent", id_
        assert one["status"] != "not_enough_data", id_
        assert 0 < one["low"] <= one["value"] <= one["high"] < 1, id_
        assert 0 < one["n"] <= SIZE, id_
    assert found[f"{prefix}predictive_skill"]["status"] == "supported"
    # with a quarter of the demo's customers no more than the first is sure
    truth = json.loads((project / "data/demo_shop/truth/factors.json").read_text(encoding="utf-8"))
    planted = truth["shares_of_explained_variation"]
    assert drivers["driver"][0].lower() == max(planted, key=planted.get) == "delivery"
    assert found[f"{prefix}top_driver"]["value"].split(", ")[0] == "Delivery"
    shares = drivers[["weight", "low", "high"]].astype(float)
    assert shares["weight"].sum() == pytest.approx(1, abs=1e-5)
    said = [tuple(found[id_][part] for part in ("value", "low", "high")) for id_ in weights]
    assert said == [pytest.approx(row, abs=1e-6) for row in shares.itertuples(index=False)]
    page = project / f"reports/demo_shop/{NOTEBOOK}.html"
    shown = " ".join(page_texts(page)).replace("\N{NO-BREAK SPACE}", " ")
    read = [*named, *influences, f"{prefix}predictive_skill"]  # the weights are drawn
    assert [id_ for id_ in read if found[id_]["text"] not in shown] == []


def test_the_checks_of_the_page_are_a_table(chinese: Path) -> None:
    """What the page shows, in its order and its language."""
    words = {"✓": "yes", "✗": "no", "–": "not judged"}
    for client, said in (
        ("demo_shop", words),
        ("demo_zh", dict(zip(words, ("是", "否", "无法判断"), strict=True))),
    ):
        checks = table(chinese, "checks", client)
        assert len(checks) >= 10
        page = (chinese / "reports" / client / f"{NOTEBOOK}.html").read_text(encoding="utf-8")
        rows = [
            [cell.replace("\N{NO-BREAK SPACE}", " ") for cell in row]
            for row in shown_rows(page)
            if row[1][:1] in words
        ]
        assert [(name, said[mark[0]], text) for name, mark, text in rows] == [
            tuple(row) for row in checks.itertuples(index=False)
        ]


def shown_rows(html: str) -> list[list[str]]:
    """Return the texts of all table rows of three cells."""
    rows = BeautifulSoup(html, "html.parser")("tr")
    cells = [[cell.get_text().strip() for cell in row(["th", "td"])] for row in rows]
    return [row for row in cells if len(row) == 3]


# cleaning ---------------------------------------------------------------------------------------


#: Where the ledger has each kind of dirt that leaves a line there.
LEDGER_REASONS = {
    ("customers", "blanks_around"): "blanks trimmed",
    ("customers", "full_width"): "full-width characters narrowed",
    ("customers", "repeated_exact"): "exact repeat of an earlier row",
    ("customers", "missing_customer_id"): "customer_id: missing",
    ("customers", "joined_after_snapshot"): "joined_on: after 31 December 2025",
    ("transactions", "thousands_separator"): "thousands separators removed",
    ("transactions", "unparsable"): "amount: cannot be read as an amount",
    ("transactions", "missing_amount"): "amount: missing",
    ("transactions", "impossible_time"): "occurred_at: cannot be read as a time",
    ("transactions", "unknown_customer"): "customer_id: unknown among the clean customers",
    ("transactions", "after_snapshot"): "occurred_at: after 31 December 2025",
    ("transactions", "repeated_exact"): "exact repeat of an earlier row",
    ("transactions", "test_order"): "rule: test orders",
    ("survey", "full_width"): "full-width characters narrowed",
    ("survey", "repeated_exact"): "exact repeat of an earlier row",
    ("ratings", "full_width"): "full-width characters narrowed",
    ("ratings", "missing_customer_id"): "customer_id: missing",
    ("interactions", "unknown_customer"): "customer_id: unknown among the clean customers",
    ("assignments", "repeated_exact"): "exact repeat of an earlier row",
}


def test_the_ledger_accounts_for_every_planted_row(project: Path) -> None:
    """Oracle: truth/dirt.csv. In = clean + set aside, and every line is the number planted."""
    ledger = pd.read_csv(project / "reports/demo_shop/tables/cleaning_ledger.csv")
    truth = project / "data/demo_shop/truth"
    dirt = pd.read_csv(truth / "dirt.csv").set_index(["table", "kind"])
    # every kind without a line is kept as it came, or is a code and counted with the others
    assert set(dirt.index[dirt["action"] != "kept"]) - set(LEDGER_REASONS) == {
        ("customers", "gender_words")
    }
    line = ledger.set_index(["table", "reason"])["rows"]
    wanted = Counter()
    for (table, kind), reason in LEDGER_REASONS.items():
        wanted[table, reason] += int(dirt.loc[(table, kind), "rows"])
    seen = {place: line[place] for place in wanted}
    assert {place: str(rows) for place, rows in seen.items()} == {
        place: str(rows) for place, rows in wanted.items()
    }
    rows = ledger.pivot_table(index="table", columns="action", values="rows", aggfunc="sum")
    assert (rows["read"] == rows["clean"] + rows["set aside"]).all()
    aside = dirt[dirt["action"].isin(["quarantined", "dropped"])].groupby("table")["rows"].sum()
    assert rows["set aside"][rows["set aside"] > 0].to_dict() == aside.to_dict()
    members = pd.read_parquet(truth / "customers.parquet")
    clean = pd.read_parquet(project / "data/demo_shop/clean/survey.parquet")
    assert len(clean) == (members["survey"] != "").sum()
    planted = json.loads((truth / "factors.json").read_text(encoding="utf-8"))
    answers = clean[[item for items in planted["loadings"].values() for item in items]]
    missing = dirt["rows"]["survey"][["missing_answer", "off_scale"]].sum()
    assert answers.isna().to_numpy().sum() == missing
    assert answers.min().min() == 1 and answers.max().max() == 5
    assert set(clean["bought_again"]) == {0, 1}
    assert set(clean["promotion"]) == set(clean["read_reviews"]) == {"yes", "no"}


# privacy and Chinese ----------------------------------------------------------------------------

#: Customers, orders and their lines, and telephones by the shape of their numbers, names by length.
SHAPES = (r"M\d{7}", r"B\d{7}", r"L\d{8}", r"13\d{9}", r"[\u4e00-\u9fff]{3}")


def test_no_customer_is_named_in_a_report(chinese: Path) -> None:
    raw = chinese / "data/demo_shop/raw"
    members = pd.read_csv(raw / "members.csv", encoding="utf-8-sig", dtype=str).fillna("")
    lines = pd.read_csv(raw / "order_lines.csv", sep=";", dtype=str)
    columns = [members[name] for name in ("member", "name", "phone")]
    columns += [lines[name] for name in ("order_no", "line_no")]
    guarded = {plain(value) for column in columns for value in column} - {""}
    text = (raw / "members.csv").read_text(encoding="utf-8-sig")
    assert len(leaks(text, guarded, SHAPES)) > 2 * SIZE  # the search finds what is there
    assert len(leaks((raw / "order_lines.csv").read_text(), guarded, SHAPES)) > 2 * SIZE
    files = [path for path in (chinese / "reports").rglob("*") if path.is_file()]
    assert {path.suffix for path in files} == {".html", ".csv", ".json"}
    for path in files:
        assert leaks(path.read_text(encoding="utf-8"), guarded, SHAPES) == set(), path


def test_the_chinese_page_has_no_english_of_ours(chinese: Path) -> None:
    """The oracle is the catalogue: no piece of two words of any English message stands there."""
    page = chinese / f"reports/demo_zh/{NOTEBOOK}.html"
    assert '<html lang="zh-Hans">' in page.read_text(encoding="utf-8")
    everything = "\n".join(page_texts(page))
    assert "客户" in everything
    pieces = english_pieces()
    assert len(pieces) > 100
    assert {piece for piece in pieces if piece in everything} == set()
    for path in (chinese / "reports/demo_zh/tables").glob("*.csv"):
        text = path.read_text(encoding="utf-8")
        assert {piece for piece in pieces if piece in text} == set(), path
    # the same search finds them where they belong
    english = "\n".join(page_texts(chinese / f"reports/demo_shop/{NOTEBOOK}.html"))
    assert len({piece for piece in pieces if piece in english}) > 20
