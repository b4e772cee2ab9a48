"""What is wrong with a client's input stops with one message or stands in the ledger.

Nothing is lost and nothing half-made is published: real notebooks, real files, the command line.
"""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import html
from collections import Counter
from pathlib import Path

import nbformat
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from small_project import call, copy_project

from customerlab import cli

# what stops before anything starts ----------------------------------------------------------

PARAMS = """\
client: acme
snapshot: 2025-12-31
sources:
  customers: {path: customers.csv}
  transactions: {path: transactions.csv, columns: {channel: {sql: "lower(way)"}}}
data_cleaning: {rules: [{table: transactions, name: tests, when: "channel = 'test'"}]}
invalid_customers: {rules: [{name: empty, when: "assets <= 100"}]}
churn_timing: {idle_days: 90, covariates: [gender], groups: [region]}
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a project with a client that is right, and stand in it."""
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "params").mkdir()
    (tmp_path / "Snakefile").touch()
    (tmp_path / "customers.csv").write_text("customer_id,gender,region\na,F,北\nb,M,南\n")
    (tmp_path / "transactions.csv").write_text(
        "customer_id,occurred_at,amount,way\na,2025-01-02,5,APP\n"
    )
    (tmp_path / "params/acme.yaml").write_text(PARAMS)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refused(capsys: pytest.CaptureFixture[str], root: Path) -> str:
    """Check the client, expect exit code 2 and one message, and return it."""
    assert cli.main(["check", "params/acme.yaml"]) == 2
    out, err = capsys.readouterr()
    assert err.startswith("customerlab: params/acme.yaml")
    assert err.count("\n") == 1
    assert out == ""
    assert not (root / "data").exists()
    assert not (root / "reports").exists()
    return err.replace(f"{root}/", "")


def test_client_that_is_right_passes(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["check", "params/acme.yaml"]) == 0
    assert "params/acme.yaml is right." in capsys.readouterr().out


TWO = 'expected one expression without ";"'
WRONG_PARAMS = {
    "misspelt key": (
        "idle_days: 90",
        "idle_dais: 90",
        'acme.yaml, line 8: churn_timing.idle_dais: unknown key (did you mean "idle_days"?)',
    ),
    "client outside of its folder": (
        "client: acme",
        "client: ../x",
        "acme.yaml, line 1: client: expected letters, digits, - and _ only (it names folders), "
        'found "../x"',
    ),
    "missing file": (
        "path: customers.csv",
        "path: customer.csv",
        'sources.customers: no file matches customer.csv (did you mean "customers.csv"?)',
    ),
    "column that the file lacks": (
        "columns: {",
        "columns: {customer_id: cust, ",
        'sources.transactions.columns.customer_id.from: the file has no column "cust"',
    ),
    "rule of two statements": (
        "channel = 'test'",
        "channel = 'test'; drop table x",
        f"data_cleaning.rules[0].when: {TWO}",
    ),
    "rule with a subquery": (
        "channel = 'test'",
        "channel in (select channel from x)",
        "data_cleaning.rules[0].when: ",
    ),
    "rule over an unknown column": (
        "channel = 'test'",
        "chanel = 'test'",
        'data_cleaning.rules[0].when: there is no column "chanel" (did you mean "channel"?)',
    ),
    "formula of two statements": (
        "lower(way)",
        "lower(way); select 1",
        f"sources.transactions.columns.channel.sql: {TWO}",
    ),
    "formula with a subquery": (
        "lower(way)",
        "(select max(way) from x)",
        "sources.transactions.columns.channel.sql: ",
    ),
    "layer of two statements": (
        "assets <= 100",
        "assets <= 100; select 1",
        f"invalid_customers.rules[0].when: {TWO}",
    ),
    "layer with a subquery": (
        "assets <= 100",
        "assets <= (select avg(assets) from x)",
        "invalid_customers.rules[0].when: ",
    ),
    "layer over an unknown column": (
        "assets <= 100",
        "asets <= 100",
        'invalid_customers.rules[0].when: there is no column "asets" (did you mean "assets"?)',
    ),
    "layer of ours over an unknown column": (
        "rules: [{name: empty, when:",
        "valid_when: idle_month < 3, rules: [{name: empty, when:",
        'invalid_customers.valid_when: there is no column "idle_month"',
    ),
    "layer that is no condition": (
        "assets <= 100",
        "assets + 100",
        "invalid_customers.rules[0].when: expected a condition, found a number",
    ),
    "covariate that does not exist": (
        "covariates: [gender]",
        "covariates: [gendre]",
        "churn_timing.covariates: there is no gendre to be had from this client's tables "
        '(did you mean "gender"?)',
    ),
    "group that does not exist": (
        "groups: [region]",
        "groups: [regoin]",
        "churn_timing.groups: there is no regoin to be had from this client's tables "
        '(did you mean "region"?)',
    ),
}


@pytest.mark.parametrize(("old", "new", "expected"), WRONG_PARAMS.values(), ids=WRONG_PARAMS)
def test_wrong_parameters_stop_before_anything_starts(
    project: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, expected: str
) -> None:
    assert PARAMS.count(old) == 1
    (project / "params/acme.yaml").write_text(PARAMS.replace(old, new))
    assert expected in refused(capsys, project)


def test_covariate_that_prepared_durations_lack_stops(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "durations.csv").write_text("duration,churned,plan\n3,yes,a\n")
    (project / "params/acme.yaml").write_text(
        "client: acme\nsnapshot: 2025-12-31\nsources: {durations: {path: durations.csv}}\n"
        "churn_timing: {covariates: [paln]}\n"
    )
    message = refused(capsys, project)
    assert "churn_timing.covariates: durations has no column paln" in message
    assert 'did you mean "plan"?' in message


HEADER = b"customer_id,gender,region\n"
CHINESE = HEADER + "a,女,北京\nb,男,上海\n".encode("gb18030")
WRONG_FILES = {
    "empty": (b"", "is empty; expected a first line with the names of the columns"),
    "empty gzip": (gzip.compress(b""), "is empty; expected a first line"),
    "cut off gzip": (
        gzip.compress(HEADER + b"a,F,x\n" * 99)[:-12],
        "is a gzip that ends before its end; it was probably cut off",
    ),
    "another encoding": (
        CHINESE,
        "is not utf-8: byte 31 (B1) cannot be decoded (invalid start byte). "
        "It decodes as gb18030: set encoding: gb18030.",
    ),
    "without a required column": (
        b"cust_id,gender,region\na,F,x\n",
        "sources.customers.columns: customers needs customer_id, and the file has no such column "
        '(did you mean "cust_id"?); columns: cust_id, gender, region',
    ),
    "a workbook": (b"PK\x03\x04rest", "is a zip archive or an Excel workbook; expected delimited"),
}


@pytest.mark.parametrize(("content", "expected"), WRONG_FILES.values(), ids=WRONG_FILES)
def test_file_that_cannot_be_read_stops_before_anything_starts(
    project: Path, capsys: pytest.CaptureFixture[str], content: bytes, expected: str
) -> None:
    (project / "customers.csv").write_bytes(content)
    message = refused(capsys, project)
    assert "sources.customers" in message
    assert expected in message


# what goes into the ledger, and a notebook that fails ------------------------------------------

DIRTY_PARAMS = """\
client: dirty
snapshot: 2025-12-31
sources:
  customers: {path: customers.csv}
  transactions: {path: transactions.csv}
  products: {path: products.parquet}
  interactions: {path: interactions.csv, encoding: latin-1}
  ratings: {path: ratings.csv}
data_cleaning: {rules: [{table: transactions, name: trial bookings, when: "kind = 'trial'"}]}
"""
TABLES = ("customers", "transactions", "products", "interactions", "ratings")

PEOPLE = [f"c{number:02d},2020-01-{number + 1:02d},{'FM'[number % 2]}" for number in range(10)]
#: Lines of customers.csv that are set aside, and why.
NOBODY = [
    ("c11,2025-02-30,F", "joined_on: cannot be read as a date"),
    ("c03,2021-05-05,F", "customer_id: stands in an earlier row"),
    (PEOPLE[4], "exact repeat of an earlier row"),
    (",2021-05-05,F", "customer_id: missing"),
]
#: The same of transactions.csv: transaction_id, customer_id, occurred_at, amount, kind.
DIRT = [
    ("d01,c01,2025-02-30 10:00:00,5,purchase", "occurred_at: cannot be read as a time"),
    ("d02,c01,30.06.2025,5,purchase", "occurred_at: cannot be read as a time"),
    ('d03,c01,2025-03-01,"1,2,3",purchase', "amount: cannot be read as an amount"),
    ("d04,c01,2025-03-01,NaN,purchase", "amount: cannot be read as an amount"),
    ("d05,c01,2025-03-01,inf,purchase", "amount: cannot be read as an amount"),
    ("d06,c01,2025-03-01,-Infinity,purchase", "amount: cannot be read as an amount"),
    ("d07,c01,2025-03-01,5,purchase,more,still more", "more cells than the header names"),
    ("d08,c01,2025-03-01", "fewer cells than the header names"),
    ("d09,,2025-03-01,5,purchase", "customer_id: missing"),
    ("d10,c99,2025-03-01,5,purchase", "customer_id: unknown among the clean customers"),
    ("d11,c11,2025-03-01,5,purchase", "customer_id: unknown among the clean customers"),
    ("d12,c01,2026-01-01,5,purchase", "occurred_at: after 31 December 2025"),
    ("d13,c01,2025-03-01,5,trial", "rule: trial bookings"),
    ("t007,c01,2025-03-01,5,purchase", "transaction_id: stands in an earlier row"),
]
#: Lines that are mended and stay.
MENDED = ['m01,c01,2025-03-01,"1,234.50",purchase', "m02, c02 ,2025/3/1,１２.５０,purchase"]


def _sound_line(number: int) -> str:
    day = dt.date(2024, 1, 5) + dt.timedelta(days=number * 700 // 200)
    return f"t{number:03d},c{number % 10:02d},{day} 12:00:00,{number + 1}.25,purchase"


@pytest.fixture
def dirty(tmp_path: Path) -> Path:
    """Make a project of the real notebooks with one client of ten customers and much dirt."""
    root = tmp_path / "project"
    copy_project(root)
    (root / "params/dirty.yaml").write_text(DIRTY_PARAMS)

    def write(name: str, header: str, lines: list[str], encoding: str = "utf-8") -> None:
        (root / name).write_text("\n".join([header, *lines, ""]), encoding=encoding)

    write("customers.csv", "customer_id,joined_on,gender", PEOPLE + [line for line, _ in NOBODY])
    write(
        "transactions.csv",
        "transaction_id,customer_id,occurred_at,amount,kind",
        [_sound_line(number) for number in range(200)] + [line for line, _ in DIRT] + MENDED,
    )
    names, margins = ["a", "b", "c", "d"], [0.1, float("nan"), float("inf"), None]
    pq.write_table(pa.table({"product": names, "margin": margins}), root / "products.parquet")
    cases = [f"c{number:02d},2025-03-01,开户咨询与投诉" for number in range(10)]
    write("interactions.csv", "customer_id,occurred_at,topic", cases, encoding="gb18030")
    write("ratings.csv", "customer_id,fees", [])
    return root


def test_dirt_is_accounted_for_and_a_failing_notebook_publishes_nothing(dirty: Path) -> None:
    failing, heading = "04_churn_timing", "How long do they stay?"
    number, count = _make_fail(dirty / f"notebooks/{failing}.ipynb", heading)
    done = call(dirty, "run", "params/dirty.yaml", seconds=300)
    _see_the_failure(dirty, done, f'"{heading}", cell {number} of {count}: ValueError: half-way')
    _see_every_row(dirty)
    _see_the_reasons(dirty)
    _see_the_warning(dirty)

    # a condition that is wrong stops the next run before a kernel starts; what stands, stands
    pages = {path: path.read_bytes() for path in (dirty / "reports").rglob("*") if path.is_file()}
    with (dirty / "params/dirty.yaml").open("a") as params:
        params.write('invalid_customers: {valid_when: "idle_month < 3"}\n')
    again = call(dirty, "run", "params/dirty.yaml")
    assert again.returncode == 2
    assert again.stderr.count("\n") == 1
    assert again.stderr.startswith(
        "customerlab: params/dirty.yaml: invalid_customers.valid_when: there is no column "
        '"idle_month" (did you mean "idle_months"?); there is: customer_id, gender, assets,'
    )
    assert {path: path.read_bytes() for path in pages} == pages


def _make_fail(path: Path, heading: str) -> tuple[int, int]:
    """Let the first cell below a heading raise; return its number and the count of code cells."""
    notebook = nbformat.read(path, as_version=4)
    below = next(i for i, c in enumerate(notebook.cells) if c.source.startswith(f"## {heading}"))
    code = [i for i, cell in enumerate(notebook.cells) if cell.cell_type == "code"]
    at = next(i for i in code if i > below)
    notebook.cells[at].source = 'raise ValueError("half-way")'
    nbformat.write(notebook, path)
    return code.index(at) + 1, len(code)


def _see_the_failure(root: Path, done, where: str) -> None:
    assert done.returncode == 1
    assert (
        f"customerlab: dirty: 04_churn_timing stopped under {where}\n  the notebook up to there: "
        "data/dirty/notebooks/04_churn_timing.failed.ipynb\n"
    ) in done.stderr
    last = "customerlab: dirty: 04_churn_timing failed; not run because of it: 03_customer_value."
    assert done.stderr.splitlines()[-1] == last
    assert "Traceback" not in done.stderr
    assert (root / "data/dirty/notebooks/04_churn_timing.failed.ipynb").is_file()
    pages = sorted(path.name for path in (root / "reports/dirty").glob("*.html"))
    made = ("01_data_cleaning", "02_invalid_customers", "05_repurchase_drivers", "index")
    assert pages == [f"{name}.html" for name in made]
    assert not (root / "reports/dirty/tables/survival.csv").exists()
    index = (root / "reports/dirty/index.html").read_text()
    assert "Its notebook failed, or was not asked for." in index
    assert 'href="01_data_cleaning.html"' in index
    assert "04_churn_timing.html" not in index


def _came_in(root: Path) -> dict[str, list[tuple]]:
    """Read every source as plainly as Python can, beside the product's own reader."""
    rows: dict[str, list[tuple]] = {}
    for table in TABLES:
        if table == "products":
            frame = pq.read_table(root / "products.parquet").to_pydict()
            rows[table] = [(str(p), str(m)) for p, m in zip(*frame.values(), strict=True)]
            continue
        encoding = "latin-1" if table == "interactions" else "utf-8"
        with (root / f"{table}.csv").open(encoding=encoding, newline="") as file:
            header, *lines = csv.reader(file)
        rows[table] = [(*line, *[""] * (len(header) - len(line))) for line in lines]
    return rows


def _set_aside(root: Path, table: str) -> pd.DataFrame:
    return pd.read_parquet(root / f"data/dirty/quarantine/{table}.parquet")


def _see_every_row(root: Path) -> None:
    """In = clean + quarantined, and what is in quarantine has the text that it came with."""
    ledger = pd.read_csv(root / "reports/dirty/tables/cleaning_ledger.csv")
    for table, came in _came_in(root).items():
        rows = ledger[ledger.table == table].groupby("action").rows.sum()
        clean = pd.read_parquet(root / f"data/dirty/clean/{table}.parquet")
        aside = _set_aside(root, table)
        assert rows["read"] == len(came) == len(clean) + len(aside), table
        assert rows["clean"] == len(clean)
        assert rows.get("set aside", 0) == len(aside)
        own = [name for name in aside.columns if not name.startswith("_")]
        for row in aside.to_dict("records"):
            line = came[row["_row"] - 1]
            if table == "products":
                assert row["product"] == line[0]
                continue
            cells = ["" if row[name] is None else row[name] for name in own]
            cells += [row["_extra"]] if row["_extra"] is not None else []
            assert ",".join(cells) == ",".join(line), table
    # and the others are where they should be
    clean = pd.read_parquet(root / "data/dirty/clean/transactions.parquet")
    kept = [f"t{number:03d}" for number in range(200)] + ["m01", "m02"]
    assert sorted(clean.transaction_id) == sorted(kept)
    amounts = clean.set_index("transaction_id").amount
    assert (str(amounts["m01"]), str(amounts["m02"])) == ("1234.5000", "12.5000")
    assert float(amounts.sum()) == sum(n + 1.25 for n in range(200)) + 1234.5 + 12.5
    assert list(pd.read_parquet(root / "data/dirty/clean/customers.parquet").customer_id) == [
        line[:3] for line in PEOPLE
    ]


def _see_the_reasons(root: Path) -> None:
    ledger = pd.read_csv(root / "reports/dirty/tables/cleaning_ledger.csv")
    aside = ledger[(ledger.action == "set aside") & (ledger.rows > 0)]
    found = {(line.table, line.reason): line.rows for line in aside.itertuples()}
    expected = Counter(
        [("customers", why) for _, why in NOBODY]
        + [("transactions", why) for _, why in DIRT]
        + [("products", "margin: cannot be read as a number")] * 2
    )
    assert found == expected
    for table, planted in (("customers", NOBODY), ("transactions", DIRT)):
        assert list(_set_aside(root, table)["_reason"]) == [why for _, why in planted]
    products = _set_aside(root, "products").set_index("product").margin
    assert {name: str(value) for name, value in products.items()} == {"b": "nan", "c": "inf"}
    empty = ledger[(ledger.table == "ratings") & ledger.action.isin(["read", "clean"])]
    assert list(empty.rows) == [0, 0]


def _see_the_warning(root: Path) -> None:
    page = html.unescape((root / "reports/dirty/01_data_cleaning.html").read_text())
    assert (
        "sources.interactions: interactions.csv decodes as latin-1, but reads like gb18030: look "
        "at its texts, and set encoding: gb18030 if they are wrong."
    ) in page
    assert "Looks wrong, and may be in another encoding: interactions." in page
    assert str(root) not in page


def test_file_that_does_not_decode_far_from_its_beginning_stops_the_notebook(dirty: Path) -> None:
    # the check before the run reads the beginning of each file only
    lines = "".join(f"{number},2025-03-01,投诉\n" for number in range(150_000))
    content = b"customer_id,occurred_at,topic\n" + lines.encode() + b"c01,2025-03-01,\xff\n"
    (dirty / "interactions.csv").write_bytes(content)
    text = DIRTY_PARAMS.replace(", encoding: latin-1", "")
    (dirty / "params/dirty.yaml").write_text(text)
    done = call(dirty, "run", "params/dirty.yaml", "--only", "data_cleaning", seconds=300)
    assert done.returncode == 1
    assert (
        'dirty: 01_data_cleaning stopped under "Data", cell 4 of 9: sources.interactions: '
        f"{dirty}/interactions.csv is not utf-8: byte {content.index(0xFF):,} (FF) cannot be "
        "decoded (invalid start byte). It decodes as latin-1: set encoding: latin-1.\n"
    ) in done.stderr
    assert "Traceback" not in done.stderr
    assert not list((dirty / "data/dirty/clean").glob("*.parquet"))
    assert not (dirty / "reports/dirty/01_data_cleaning.html").exists()
    assert "or was not asked for" in (dirty / "reports/dirty/index.html").read_text()
