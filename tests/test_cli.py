"""The command line: what a stranger is told, and that wrong input stops with one message."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml

from customerlab import cli, plan
from customerlab.contract import TABLES
from customerlab.guessing import date_formats
from customerlab.messages import ENGLISH
from customerlab.params import Params, check_params, load_params
from customerlab.paths import Paths

ROOT = Path(__file__).parent.parent
SHARED = ROOT.parent / "shared" / "data"
PARAMS = """\
client: acme
snapshot: 2025-12-31
sources:
  customers: {path: raw/customers.csv}
  transactions: {path: "raw/tx_*.csv", columns: {customer_id: cust}}
churn_timing: {idle_days: 60}
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a project with two small sources and stand in it."""
    for folder in ("notebooks", "params", "raw"):
        (tmp_path / folder).mkdir()
    (tmp_path / "Snakefile").touch()
    (tmp_path / "raw/customers.csv").write_text("customer_id,gender\na,F\nb,M\n")
    (tmp_path / "raw/tx_1.csv").write_text("cust,occurred_at,amount\na,2025-01-02,5\n")
    (tmp_path / "raw/tx_2.csv").write_text("cust,occurred_at,amount\nb,2025-02-03,6\n")
    (tmp_path / "params/acme.yaml").write_text(PARAMS)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def fails(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Call the command line, expect exit code 2, return the one message."""
    assert cli.main(arguments) == 2
    out, err = capsys.readouterr()
    assert err.startswith("customerlab: ")
    assert "Traceback" not in out + err
    return err


# help ----------------------------------------------------------------------------------------


def test_help_answers_without_loading_what_computes() -> None:
    code = "import sys, customerlab.cli as c; c._parser(); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"pandas", "ibis", "duckdb", "pydantic", "snakemake"} & set(done.stdout.split())


def test_what_runs_a_notebook_loads_nothing_that_computes() -> None:
    """Each notebook has its process beside the kernel, and only the kernel computes."""
    code = "import sys, customerlab.job, papermill, customerlab.report; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"pandas", "ibis", "duckdb", "scipy", "matplotlib"} & set(done.stdout.split())


@pytest.mark.parametrize("command", ["check", "run", "new", "example", "simulate"])
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main([command, "--help"])
    assert end.value.code == 0
    assert f"usage: customerlab {command}" in capsys.readouterr().out


def test_examples_of_the_help_can_be_parsed() -> None:
    lines = [line.strip() for line in cli._EXAMPLES.splitlines()[1:]]
    for line in lines:
        words = line.split("    ")[0].split()
        assert words[0] == "customerlab"
        assert callable(cli._parser().parse_args(words[1:]).do)


# check ---------------------------------------------------------------------------------------


def test_check_prints_settings_sources_and_notebooks(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["check", "params/acme.yaml"]) == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "churn_timing.idle_days 60" in lines
    assert "churn_timing.horizons_months (3, 5)" in lines
    assert (
        "transactions 2 files; 1 columns mapped; under their own names: occurred_at, amount"
        in lines
    )
    assert "04_churn_timing runs" in lines


def test_check_says_what_a_notebook_would_need(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "params/acme.yaml").write_text(
        "client: acme\nsnapshot: 2025-12-31\nsources: {customers: {path: raw/customers.csv}}\n"
    )
    assert cli.main(["check", "params/acme.yaml"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "04_churn_timing does not run. It would need transactions or durations." in out
    assert "05_repurchase_drivers does not run. It would need survey or transactions." in out


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("idle_days", "idle_day", 'churn_timing.idle_day: unknown key (did you mean "idle_days"?)'),
        ("raw/customers.csv", "raw/customer.csv", '(did you mean "customers.csv"?)'),
        (
            "customer_id: cust",
            "customer_id: customer",
            'no column "customer" (did you mean "cust"?)',
        ),
        ("client: acme", "client: ../x", "client: expected letters, digits, - and _ only"),
        ("60}", "sixty}", "churn_timing.idle_days: expected a whole number"),
        (
            "churn_timing: {idle_days: 60}",
            "data_cleaning: {rules: [{table: transactions, name: x, when: 'amount > 0; drop'}]}",
            "data_cleaning.rules[0].when",
        ),
        (
            "churn_timing: {idle_days: 60}",
            "data_cleaning: {rules: [{table: transactions, name: x, when: 'amont > 0'}]}",
            "amount",
        ),
    ],
)
def test_check_names_file_key_and_nearest_name(
    project: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, expected: str
) -> None:
    assert PARAMS.count(old) == 1
    (project / "params/acme.yaml").write_text(PARAMS.replace(old, new))
    message = fails(capsys, "check", "params/acme.yaml")
    assert "params/acme.yaml" in message
    assert expected in message


def test_check_tells_of_all_files_that_are_wrong(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "params/b.yaml").write_text("client: b\n")
    message = fails(capsys, "check", "params/b.yaml", "params/acme.yaml", "params/c.yaml")
    assert "params/b.yaml: snapshot: this key is required" in message
    assert "params/c.yaml: no such parameter file" in message


def test_files_of_one_source_have_the_same_columns(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "raw/tx_2.csv").write_text("cust,occurred_at,amout\nb,2025-02-03,6\n")
    assert 'lacks "amount" and has "amout"' in fails(capsys, "check", "params/acme.yaml")


def test_schema_for_editors_is_current(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["check", "--schema"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads((ROOT / "params/schema.json").read_text())


def test_parameter_files_of_the_repository_are_right_where_their_files_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for path in sorted((ROOT / "params").glob("*.yaml")):
        assert load_params(path).client == path.stem


# run -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["params/none.yaml"], "params/none.yaml: no such parameter file"),
        (["params/copy.yaml"], "expected the file's own name, copy"),
        (["params/acme.yaml", "old/acme.yaml"], "two of the parameter files are for the client"),
        (["params/acme.yaml", "--only", "churn_timin"], '(did you mean "churn_timing"?)'),
        (["params/lacks.yaml"], "params/lacks.yaml: sources.customers: no file"),
    ],
)
def test_run_refuses_before_anything_starts(
    project: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], expected: str
) -> None:
    (project / "params/copy.yaml").write_text(PARAMS)
    (project / "old").mkdir()
    (project / "old/acme.yaml").write_text(PARAMS)
    (project / "params/lacks.yaml").write_text(
        PARAMS.replace("customers.csv", "c.csv").replace("client: acme", "client: lacks")
    )
    assert expected in fails(capsys, "run", *arguments)
    assert not (project / "data").exists()


def test_outside_of_a_project_the_message_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "is not inside the project" in fails(capsys, "run", "params/acme.yaml")


# new -----------------------------------------------------------------------------------------


def _chinese_files(folder: Path) -> list[str]:
    (folder / "客户.csv").write_text(
        "客户号,性别,出生日期,开户日期,省份,备注\n"
        "001,男,19800101,2020-01-02,北京,x\n002,女,19811231,2021-03-04,上海,\n",
        encoding="gb18030",
    )
    for number, rows in enumerate(
        [
            "001|31.12.2024 10:00|1,000.50|存款\n002|01.02.2025 11:00|-20|取款\n",
            "001|05.03.2025|7|结息\n",
        ]
    ):
        (folder / f"流水_{number}.txt").write_text(
            "客户号|交易日期|金额|交易类型\n" + rows, encoding="gb18030"
        )
    pd.DataFrame({"acct_no": ["a", "b"], "cust_no": ["001", "002"], "bal": [1.5, 2.5]}).to_parquet(
        folder / "acc.parquet"
    )
    (folder / "other.csv").write_text("x,y\n1,2\n")
    return [str(path) for path in sorted(folder.iterdir())]


def test_new_guesses_tables_columns_and_forms(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "in").mkdir()
    assert cli.main(["new", "bank", *_chinese_files(project / "in")]) == 0
    said = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert {"04_churn_timing runs", "05_repurchase_drivers runs"} <= set(said)
    path = project / "params/bank.yaml"
    written = yaml.safe_load(path.read_text())
    assert written["snapshot"].isoformat() == "2025-03-05"
    assert written["sources"] == {
        "customers": {
            "path": "in/客户.csv",
            "encoding": "gb18030",
            "columns": {
                "customer_id": "客户号",
                "joined_on": "开户日期",
                "birth_date": {"from": "出生日期", "format": "%Y%m%d"},
                "gender": "性别",
                "region": "省份",
            },
        },
        "accounts": {
            "path": "in/acc.parquet",
            "columns": {"account_id": "acct_no", "customer_id": "cust_no", "balance": "bal"},
        },
        "transactions": {
            "path": ["in/流水_0.txt", "in/流水_1.txt"],
            "encoding": "gb18030",
            "delimiter": "|",
            "columns": {
                "customer_id": "客户号",
                "occurred_at": {"from": "交易日期", "format": "%d.%m.%Y %H:%M"},
                "amount": "金额",
                "kind": "交易类型",
            },
        },
    }
    text = path.read_text()
    assert "# ? other.csv looks like none of our tables" in text
    assert "# ? kept as attributes: 备注" in text
    assert "# ? it holds 存款, 取款" in text
    load_params(path)


def test_new_never_writes_over_a_file_unasked(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    message = fails(capsys, "new", "acme", "raw/customers.csv")
    assert "params/acme.yaml is there already; --force" in message
    assert (project / "params/acme.yaml").read_text() == PARAMS
    assert cli.main(["new", "acme", "raw/customers.csv", "--force"]) == 0
    assert (project / "params/acme.yaml").read_text() != PARAMS


@pytest.mark.parametrize(
    ("client", "file", "expected"),
    [
        ("../x", "raw/customers.csv", "letters, digits, - and _ only"),
        ("b", "raw/absent.csv", "raw/absent.csv: no such file"),
        ("b", "raw/empty.csv", "is empty"),
        ("b", "raw/other.csv", "none of the files looks like a table that we know"),
    ],
)
def test_new_refuses(
    project: Path, capsys: pytest.CaptureFixture[str], client: str, file: str, expected: str
) -> None:
    (project / "raw/empty.csv").touch()
    (project / "raw/other.csv").write_text("x,y\n1,2\n")
    assert expected in fails(capsys, "new", client, file)
    assert [path.name for path in (project / "params").iterdir()] == ["acme.yaml"]


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["2011-12-09 12:50:00", "2010-12-01 08:26:00"], ["%Y-%m-%d %H:%M:%S"]),
        (["12/1/2010 8:26", "12/31/2010 9:00"], ["%m/%d/%Y %H:%M"]),
        (["1/2/2010", "3/4/2010"], ["%m/%d/%Y", "%d/%m/%Y"]),  # nobody can tell
        (["930101", "971231"], ["%y%m%d"]),
        (["2025年1月2日"], ["%Y年%m月%d日"]),
        (["7", "12345"], []),
    ],
)
def test_dates_are_recognized_by_all_their_cells(cells: list[str], expected: list[str]) -> None:
    assert date_formats(cells, "date") == expected


@pytest.mark.usefixtures("shared_data")
def test_new_reads_real_files(project: Path) -> None:
    files = [str(SHARED / "telco/telco.csv"), str(SHARED / "berka/trans.asc.gz")]
    assert cli.main(["new", "telco", files[0]]) == 0
    columns = load_params(project / "params/telco.yaml").sources["durations"].columns
    assert {name: spec.source for name, spec in columns.items()} == {
        "duration": "tenure",
        "churned": "Churn",
        "customer_id": "customerID",
    }


# example, simulate ---------------------------------------------------------------------------


def test_example_writes_every_household(project: Path) -> None:
    assert cli.main(["example", "complete_journey"]) == 0
    raw = project / "data/complete_journey/raw"
    # 2,469 households and 1,469,307 lines: the package's own description
    assert len(pd.read_parquet(raw / "customers.parquet")) == 2_469
    lines = pd.read_parquet(raw / "transactions.parquet", columns=["household_id"])
    assert len(lines) == 1_469_307
    wanted = load_params(ROOT / "params/complete_journey.yaml")
    for table, source in wanted.sources.items():
        assert source.path == [f"data/complete_journey/raw/{table}.parquet"]
        assert (raw / f"{table}.parquet").is_file()


def test_simulate_writes_a_bank(project: Path) -> None:
    assert cli.main(["simulate", "bank", "--customers", "500", "--seed", "3"]) == 0
    assert list((project / "data/demo_bank/raw").iterdir())


def test_simulate_refuses_a_size_of_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(["simulate", "bank", "--customers", "0"])
    assert end.value.code == 2
    assert "expected a whole number of at least 1, found 0" in capsys.readouterr().err


# plan ----------------------------------------------------------------------------------------


def _params(**sections: object) -> Params:
    return check_params({"client": "acme", "snapshot": "2025-12-31", **sections}, "test")


def test_notebooks_run_after_what_they_read() -> None:
    names = [notebook.name for notebook in plan.NOTEBOOKS]
    for place, notebook in enumerate(plan.NOTEBOOKS):
        assert set(notebook.after) <= set(names[:place])
        assert set(notebook.keys) <= set(Params.model_fields)
        for need in notebook.needs:
            assert need <= set(TABLES)


def test_only_a_notebook_and_what_it_needs_is_planned() -> None:
    params = _params(sources={"transactions": {}})
    names = [one.name for one in plan.planned(params, ["churn_timing"])]
    assert names == ["01_data_cleaning", "02_invalid_customers", "04_churn_timing"]
    prepared = _params(sources={"durations": {}})
    names = [one.name for one in plan.planned(prepared)]
    assert names == ["01_data_cleaning", "04_churn_timing", "99_summary"]
    asked = _params(sources={"survey": {}})
    names = [one.name for one in plan.planned(asked)]
    assert names == ["01_data_cleaning", "05_repurchase_drivers", "99_summary"]


def test_looked_up_files_answer_nothing() -> None:
    params = _params(sources={"codes": {"lookup_only": True, "path": "x"}, "customers": {}})
    message = plan.missing(plan.named("churn_timing"), params)
    assert ENGLISH(message) == "It would need transactions or durations."


def test_parameters_leave_nothing_of_the_demo_and_keep_what_the_client_wrote() -> None:
    params = _params(churn_timing={"idle_days": 90})
    given = plan.parameters(plan.named("churn_timing"), params)
    assert given["churn_timing"] == {"idle_days": 90}  # though it is the default
    assert given["snapshot"] == "2025-12-31"
    assert given["engine"] == {}
    assert set(given) == set(plan.named("churn_timing").keys)
    assert check_params({k: v for k, v in given.items() if v is not None}, "again") == params


def test_no_two_notebooks_write_the_same_file() -> None:
    params = _params(sources={"transactions": {}, "customers": {}, "durations": {}})
    paths = Paths(Path(), "acme")
    files = [file for one in plan.NOTEBOOKS for file in plan.outputs(one, params, paths)]
    assert len(files) == len(set(files))
