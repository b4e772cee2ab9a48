"""A parameter file is right, or every fault is named with its place and the cure."""

from __future__ import annotations

import datetime as dt
import json
import re

import pytest
import yaml
from conftest import ROOT

from customerlab.errors import CustomerlabError
from customerlab.params import Params, check_params, load_params

GOOD = """\
client: acme_bank
snapshot: 2025-12-31
sources:
  customers:
    path: data/acme_bank/raw/customers.csv
    encoding: gb18030
    columns: {customer_id: cust_no, gender: sex, birth_date: {from: birth, format: "%Y%m%d"}}
  transactions: {path: "data/acme_bank/raw/tx_*.parquet"}
churn_timing: {event: inactive, idle_days: 90, horizons_months: [3, 5]}
"""


def load(tmp_path, text: str) -> Params:
    path = tmp_path / "acme_bank.yaml"
    path.write_text(text, encoding="utf-8")
    return load_params(path)


def test_the_designs_example_is_read_with_defaults_for_the_rest(tmp_path):
    params = load(tmp_path, GOOD)
    assert params.snapshot == dt.date(2025, 12, 31)
    assert params.sources["customers"].columns["birth_date"].format == ["%Y%m%d"]
    assert params.sources["customers"].columns["gender"].source == "sex"
    assert params.sources["transactions"].path == ["data/acme_bank/raw/tx_*.parquet"]
    assert params.privacy.min_cell == 10
    assert params.invalid_customers.not_movements == ["interest", "fee"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("langage: zh", r'line 10: langage: unknown key \(did you mean "language"\?\)'),
        ("language: no", r"language: expected en or zh, found false.*YAML reads no as false"),
        ("currency: yuan", r"currency: expected three capital letters"),
        ("privacy: {min_cel: 5}", r'privacy\.min_cel: unknown key \(did you mean "min_cell"'),
        ("privacy: {min_cell: ten}", r'privacy\.min_cell: expected a whole number, found "ten"'),
        ("seed: 1.5", r"seed: expected a whole number"),
        ("title: 007", r'title: expected text, found 7.*write "007" in quotes'),
        ("data_cleaning: [a]", r"data_cleaning: expected `key: value` lines"),
        (
            "data_cleaning: {rules: [{table: transacions, name: x, when: a = 1}]}",
            r'data_cleaning\.rules\[0\]\.table: .*did you mean "transactions"',
        ),
        ("on: 3", r'line 10: on: YAML reads this key as true; write "on" in quotes'),
        ("client: other", r"line 10: client: this key stands twice"),
    ],
)
def test_a_fault_is_named_with_its_place(tmp_path, change, message):
    with pytest.raises(CustomerlabError) as error:
        load(tmp_path, GOOD + change + "\n")
    assert re.search(message, str(error.value)), str(error.value)
    assert str(error.value).startswith(str(tmp_path / "acme_bank.yaml"))


@pytest.mark.parametrize("name", ["../x", "a/b", "", ".", "a b", "x" * 65])
def test_a_client_cannot_be_a_path(name):
    with pytest.raises(CustomerlabError, match="client: expected letters, digits"):
        check_params({"client": name, "snapshot": "2025-12-31"}, "here")


def test_every_fault_is_told_at_once(tmp_path):
    with pytest.raises(CustomerlabError) as error:
        load(tmp_path, "client: 007\nsnapshot: yesterday\nchurn_timing: {idle_dayz: 3}\n")
    lines = str(error.value).splitlines()
    assert [line.split(": ")[1] for line in lines] == [
        "client",
        "snapshot",
        "churn_timing.idle_dayz",
    ]


def test_an_impossible_day_and_a_missing_key(tmp_path):
    with pytest.raises(CustomerlabError, match="snapshot: expected a date such as"):
        load(tmp_path, "client: a\nsnapshot: 2025-02-30\n")
    with pytest.raises(CustomerlabError, match="snapshot: this key is required and missing"):
        load(tmp_path, "client: a\n")


def test_unknown_tables_and_columns_name_the_nearest():
    bad = {"client": "a", "snapshot": "2025-12-31"}
    with pytest.raises(CustomerlabError, match=r'sources\.custmers: .*did you mean "customers"'):
        check_params(bad | {"sources": {"custmers": {"path": "x.csv"}}}, "here")
    columns = {"transactions": {"path": "x.csv", "columns": {"ammount": "a"}}}
    with pytest.raises(CustomerlabError, match=r'columns\.ammount: .*did you mean "amount"'):
        check_params(bad | {"sources": columns}, "here")


def test_one_way_of_leaving_or_several(tmp_path):
    """A word alone is a list of one; a word that is none of ours is named."""
    assert load(tmp_path, GOOD).churn_timing.event == ["inactive"]
    both = GOOD.replace("event: inactive", "event: [inactive, closed]")
    assert load(tmp_path, both).churn_timing.event == ["inactive", "closed"]
    assert load(tmp_path, GOOD.replace("event: inactive, ", "")).churn_timing.event == ["inactive"]
    for event in ("inactiv", "[closed, inactiv]"):
        with pytest.raises(CustomerlabError, match=r'churn_timing\.event.*"inactiv"') as error:
            load(tmp_path, GOOD.replace("event: inactive", f"event: {event}"))
        assert "payroll_moved" in str(error.value)
    with pytest.raises(CustomerlabError, match=r"churn_timing\.event"):
        load(tmp_path, GOOD.replace("event: inactive", "event: []"))


def test_a_lookup_survives_yamls_reading_of_on(tmp_path):
    text = GOOD + (
        "  accounts:\n    path: a.csv\n    columns:\n"
        "      customer_id: {lookup: links, on: account_id, keep: client_id}\n"
        "  links: {path: l.csv, lookup_only: true}\n"
    ).replace("\n  accounts", "\n  accounts")
    sources = GOOD.replace("churn_timing", "#").rstrip("\n") + "\n"
    params = load(tmp_path, sources + text.removeprefix(GOOD))
    assert params.sources["accounts"].columns["customer_id"].on == "account_id"


def test_a_file_is_called_after_its_client(tmp_path):
    path = tmp_path / "acme_copy.yaml"
    path.write_text(GOOD, encoding="utf-8")
    with pytest.raises(CustomerlabError, match=r"line 1: client: expected the file's own name"):
        load_params(path)


def test_a_file_that_is_no_parameter_file(tmp_path):
    with pytest.raises(CustomerlabError, match="no such parameter file"):
        load_params(tmp_path / "none.yaml")
    with pytest.raises(CustomerlabError, match="not valid YAML"):
        load(tmp_path, "client: [a\n")
    with pytest.raises(CustomerlabError, match="expected `key: value` lines"):
        load(tmp_path, "just text\n")


@pytest.mark.parametrize("path", sorted((ROOT / "params").glob("*.yaml")), ids=lambda p: p.stem)
def test_every_client_in_the_repository_is_right_and_bears_its_files_name(path):
    assert load_params(path).client == path.stem


def test_the_schema_for_editors_is_current():
    written = json.loads((ROOT / "params" / "schema.json").read_text(encoding="utf-8"))
    assert written == Params.model_json_schema()


def test_text_dates_are_read_as_papermill_hands_them_over():
    params = check_params(yaml.safe_load('{client: a, snapshot: "2025-12-31"}'), "here")
    assert params.snapshot == dt.date(2025, 12, 31)


SHARE = "expected a share from 0 to 1, such as 0.05 for 5 %, found "


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ("departments: [{name: A, came_back_at_most: 1.2}]", f"came_back_at_most: {SHARE}1.2"),
        ('departments: [{name: A, assets_lost_at_most: "120 %"}]', f'at_most: {SHARE}"120 %"'),
        ("departments: [{name: A, spend_lost_at_most: 120}]", f"spend_lost_at_most: {SHARE}120"),
        ("departments: [{name: A, removed_at_least: -0.1}]", f"removed_at_least: {SHARE}-0.1"),
        ("departments: [{name: A, removed_at_least: .nan}]", f"removed_at_least: {SHARE}nan"),
        ("departments: [{name: A, removed_at_least: yes}]", f"removed_at_least: {SHARE}true"),
        (
            "departments: [{name: A, came_back_at_mots: 0.1}]",
            'departments[0].came_back_at_mots: unknown key (did you mean "came_back_at_most"?)',
        ),
        (
            "departments: [{name: A, when: a = 1}, {name: A, when: a = 2}]",
            'departments[1].name: "A" stands twice',
        ),
        ("departments: [{name: A}]", "departments[0]: expected a rule (when) or at least one tol"),
        (
            "departments: [{name: A, came_back_at_most: }]",  # a value that nobody filled in
            "departments[0]: expected a rule (when) or at least one tolerance",
        ),
        (
            "departments: [{name: A, when: a = 1}, {name: B, cost_saved_at_least: 5}]",
            "departments[1].cost_saved_at_least: needs invalid_customers.contact_cost",
        ),
        ("departments: [{when: a = 1}]", "departments[0].name: this key is required and missing"),
        ("agreed: {idle_months: 3, by: x}", "agreed: expected exactly one of assets and spend_12m"),
        (
            "agreed: {assets: 1, spend_12m: 1, idle_months: 3, by: x}",
            "agreed: expected exactly one of assets and spend_12m",
        ),
        ("agreed: {assets: 1, by: x}", "agreed.idle_months: this key is required and missing"),
        ("agreed: {assets: 1, idle_months: 0, by: x}", "agreed.idle_months: "),
        ("agreed: {assets: 1, idle_months: 3}", "agreed.by: this key is required and missing"),
        (
            "{agreed: {assets: 1, idle_months: 3, by: x}, rules: [{name: a, when: b = 1}]}",
            "agreed: rules and agreed both say who is invalid; keep one of them",
        ),
        ("asset_bands: [100, 50]", "asset_bands: the limits must ascend, none twice"),
        ("asset_bands: [100, 100]", "asset_bands: the limits must ascend, none twice"),
        ("asset_bands: [100]", "asset_bands: "),
        ("control_share: 1", "control_share: "),
        ('control_share: "20 %"', f'control_share: {SHARE}"20 %"'),
        ("outcome_months: 0", "outcome_months: "),
        ("round_to: {assets: 0}", "round_to.assets: "),
        ("round_to: {idle_months: 0}", "round_to.idle_months: "),
        ("round_to: {month: 3}", "round_to.month: unknown key"),
        ("contact_cost: -1", "contact_cost: "),
        ("contact_cost: .inf", "contact_cost: "),
    ],
)
def test_a_fault_of_the_rule_for_invalid_customers_is_named_with_its_place(
    tmp_path, section, message
):
    """By hand: what notebook 02 may not be told, and what it says instead."""
    section = section if section.startswith("{") else f"{{{section}}}"
    with pytest.raises(CustomerlabError) as error:
        load(tmp_path, f"{GOOD}invalid_customers: {section}\n")
    (line,) = str(error.value).splitlines()
    assert ", line 10: invalid_customers." in line and message in line


def test_what_departments_may_say_is_kept():
    """By hand: 0 and 1 are shares, a cost needs no unit, a cut is rounded to whole months."""
    section = {
        "departments": [
            {"name": "A", "came_back_at_most": 0, "removed_at_least": 1},
            {"name": "B", "when": "assets <= 5", "cost_saved_at_least": 80000},
        ],
        "contact_cost": 0,
        "agreed": {"spend_12m": 0, "idle_months": 1, "by": "both"},
    }
    params = check_params(
        {"client": "a", "snapshot": "2025-12-31", "invalid_customers": section}, "here"
    )
    one, other = params.invalid_customers.departments
    assert (one.came_back_at_most, one.removed_at_least, one.assets_lost_at_most) == (0, 1, None)
    assert (other.when, other.cost_saved_at_least) == ("assets <= 5", 80000)
    assert (params.invalid_customers.agreed.assets, params.invalid_customers.agreed.spend_12m) == (
        None,
        0,
    )
    assert params.invalid_customers.round_to.idle_months == 1
    assert params.invalid_customers.outcome_months == 12
