"""Cleaning: repairs, reasons and the ledger, against the plainest Python and pandas."""

from __future__ import annotations

import datetime as dt
import unicodedata
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import ibis
import numpy as np
import pandas as pd
import pytest

from customerlab.cleaning import (
    ACTIONS,
    COLUMNS,
    STEPS,
    Marked,
    check_ledger,
    clean,
    ledger,
    lookup_table,
    mark_rows,
    missing_columns,
    quarantined,
)
from customerlab.cleaning.dates import check_format
from customerlab.contract import TABLES
from customerlab.errors import CustomerlabError
from customerlab.params import Rule, Source
from customerlab.sources import parse_source

SNAPSHOT = dt.date(2025, 12, 31)
WHERE = "params/acme.yaml"
SHARED = Path(__file__).parents[2] / "shared" / "data"


def source(**columns: Any) -> Source:
    return Source.model_validate({"columns": columns})


def rule(table: str, name: str, when: str) -> Rule:
    return Rule(table=table, name=name, when=when)


def raw_table(columns: Mapping[str, Sequence[Any]], **types: str) -> ibis.Table:
    """Make a parsed source by hand: texts, unless a type is said."""
    n = len(next(iter(columns.values())))
    frame = pd.DataFrame({**columns, "_file": "a.csv", "_row": range(1, n + 1)})
    frame = frame.astype({name: object for name in columns if name not in types})
    kinds = {name: types.get(name, "string") for name in columns}
    return ibis.memtable(frame, schema={**kinds, "_file": "string", "_row": "int64"})


def mark(table: str, raw: ibis.Table, spec: Source | None = None, **options: Any) -> Marked:
    options = {"snapshot": SNAPSHOT, "where": WHERE, **options}
    return mark_rows(TABLES[table], raw, spec or Source(), **options)


def reasons(marked: Marked) -> list[str | None]:
    """Return the reason of each row in its order, in words."""
    frame = marked.rows.order_by("_file", "_row").to_pandas()
    words = [str(reason.text) for reason in marked.reasons]
    return [None if pd.isna(i) else words[int(i)] for i in frame["_reason"]]


def accounts(marked: Marked) -> dict[str, tuple[int, int]]:
    """Return rows, and rows matching, by the words of each line of the ledger."""
    book = ledger(marked)
    check_ledger(book)
    lines = zip(book["reason"], book["rows"], book["rows_matching"], strict=True)
    return {str(reason): (rows, matching) for reason, rows, matching in lines}


def read_cells(kind: str, texts: Sequence[str | None], formats: Any = None) -> list[Any]:
    """Return cells read as a further column; "unread" for one that sends its row away."""
    spec = source(item={"from": "item", "kind": kind, **({"format": formats} if formats else {})})
    marked = mark("survey", raw_table({"item": list(texts)}), spec)
    frame = marked.rows.order_by("_row").to_pyarrow().to_pylist()
    return ["unread" if row["_reason"] is not None else row["item"] for row in frame]


# ---- repairs ------------------------------------------------------------------------------


def test_blanks_and_full_width_characters_as_unicode_has_it():
    every = "".join(chr(code) for code in range(0xFF01, 0xFF5F))
    texts = [
        "plain",
        " \t a b\n",
        "\u3000张三\u00a0",
        f"x{every}",
        "Ａ－１２\u3000ｃ",
        "a  b",
        "'\\",
    ]
    marked = mark("survey", raw_table({"item": texts}))
    got = marked.rows.order_by("_row").to_pandas()["item"].tolist()
    assert got == [unicodedata.normalize("NFKC", text).strip() for text in texts]
    book = accounts(marked)
    assert book["blanks trimmed"] == (3, 3)
    assert book["full-width characters narrowed"] == (2, 2)


def test_texts_that_mean_no_value():
    raw = raw_table({"item": ["", "  ", "NA", "ＮＡ ", "\u3000", "n", None]})
    got = {}
    for null_values in ([""], ["NA"], []):
        spec = Source.model_validate({"null_values": null_values})
        rows = mark("survey", raw, spec).rows.order_by("_row").to_pyarrow().to_pylist()
        got[tuple(null_values)] = [row["item"] for row in rows]
    assert got[("",)] == [None, None, "NA", "NA", None, "n", None]
    assert got[("NA",)] == [None, None, None, None, None, "n", None]
    assert got[()] == ["", "", "NA", "NA", "", "n", None]


# each text, and what Python's Decimal makes of it once grouping commas are gone
NUMBERS = [
    "0",
    "12",
    "-3.5",
    "+7",
    ".5",
    "5.",
    "1,234",
    "-1,234,567.89",
    "1e3",
    "2.5E-2",
    "１２．５",
]
NO_NUMBERS = [
    "1,2,3",
    "1,23",
    "1234,567",
    ",123",
    "1,234,",
    "1.2.3",
    "nan",
    "NaN",
    "inf",
    "-Infinity",
]
NO_NUMBERS += ["∞", "0x10", "1_000", "1e999", "--1", "$5", "1 2", "twelve", "1,234e2", "٣"]


@pytest.mark.parametrize("kind", ["amount", "number"])
def test_numbers(kind):
    cast = float if kind == "number" else Decimal
    narrow = [unicodedata.normalize("NFKC", text).replace(",", "") for text in NUMBERS]
    assert read_cells(kind, NUMBERS) == [cast(text) for text in narrow]
    assert read_cells(kind, NO_NUMBERS) == ["unread"] * len(NO_NUMBERS)
    assert read_cells(kind, [None, "", " "]) == [None, None, None]


def test_an_amount_keeps_four_places_and_must_fit():
    texts = ["0.1234", "1.00005", "-1.00005", "99999999999999.9999", "100000000000000"]
    wanted = ["0.1234", "1.0001", "-1.0001", "99999999999999.9999"]
    assert read_cells("amount", texts) == [*map(Decimal, wanted), "unread"]


def test_whole_numbers():
    assert read_cells("integer", ["7", "-12", "1,234", "3.0", "3."]) == [7, -12, 1234, 3, 3]
    wrong = ["3.5", "1e3", "1,2", "9" * 19, "a"]
    assert read_cells("integer", wrong) == ["unread"] * len(wrong)


def test_booleans():
    yes, no = ["true", "TRUE", "t", "Yes", "y", "1", "是"], ["false", "F", "no", "n", "0", "否"]
    assert read_cells("boolean", [*yes, *no]) == [True] * len(yes) + [False] * len(no)
    assert read_cells("boolean", ["2", "maybe", "-1"]) == ["unread"] * 3


# ---- dates --------------------------------------------------------------------------------

FORMATS = ["%Y%m%d", "%y%m%d", "%d.%m.%Y", "%m/%d/%Y", "%d-%b-%Y", "%B %d, %Y", "%Y年%m月%d日"]


@pytest.mark.parametrize("form", FORMATS)
def test_every_day_of_three_years_in_declared_formats(form):
    """Oracle: Python's strftime, and the calendar's leap years."""
    days = pd.date_range("1999-01-01", "2001-12-31").date.tolist()
    assert read_cells("date", [day.strftime(form) for day in days], form) == days


def _python_reads(text: str, form: str) -> Any:
    try:
        return dt.datetime.strptime(text, form)
    except ValueError:
        return "unread"


def test_times_in_declared_formats_as_python_reads_them():
    cases = {
        "%Y-%m-%d %H:%M:%S": ["2024-02-29 23:59:59", "2023-02-29 00:00:00", "2025-01-01 24:00:00"],
        "%d/%m/%Y %H:%M": ["1/2/2025 8:05", "31/04/2025 08:05", "2025/01/02 08:05", "1/2/25 8:05"],
        "%m/%d/%Y %I:%M %p": ["12/31/2025 12:00 AM", "12/31/2025 12:30 pm", "1/1/2025 13:00 PM"],
        "%Y%m%d%H%M%S": ["20250102030405", "20251302030405"],
        "%Y-%m-%d %H:%M:%S.%f": ["2025-01-01 00:00:00.5", "2025-01-01 00:00:00.123456"],
        "%y%m%d %H:%M:%S": ["931107 00:00:00", "680101 01:02:03", "690101 01:02:03"],
        "[%d] %b %y": ["[07] Nov 93", "[07] Foo 93", "07 Nov 93"],
    }
    for form, texts in cases.items():
        assert read_cells("timestamp", texts, form) == [_python_reads(t, form) for t in texts]
    # stricter than Python where digits run together: 2025111 is 1 November or 11 January
    assert read_cells("date", ["2025111", "202511"], "%Y%m%d") == ["unread"] * 2


def test_dates_without_a_declared_format():
    texts = [
        "2025-01-31",
        "2025/1/31",
        "2025-01-31 10:11",
        "2025-01-31T10:11:12.25",
        "2025-1-3 9:00:00",
    ]
    times = [dt.datetime.fromisoformat(t) for t in ("2025-01-31", "2025-01-31", "2025-01-31T10:11")]
    times += [dt.datetime(2025, 1, 31, 10, 11, 12, 250000), dt.datetime(2025, 1, 3, 9)]
    assert read_cells("timestamp", texts) == times
    assert read_cells("date", texts) == [time.date() for time in times]
    assert read_cells("month", [*texts, "2025-02", "2025/2"])[-3:] == [
        dt.date(2025, 1, 1),
        dt.date(2025, 2, 1),
        dt.date(2025, 2, 1),
    ]
    wrong = ["2025-02-30", "2025-13-01", "31.01.2025", "20250131", "2025-01/31", "today", "2025"]
    wrong += ["2025-01-31 24:00", "2025-01-31 10:11:60", "0000-01-01", "infinity", "epoch"]
    for kind in ("date", "timestamp"):
        assert read_cells(kind, wrong) == ["unread"] * len(wrong)


def test_several_formats_are_tried_in_order_and_counted():
    spec = source(joined_on={"from": "joined", "format": ["%d/%m/%Y", "%m/%d/%Y", "%Y%m%d"]})
    raw = raw_table(
        {"customer_id": list("abcd"), "joined": ["02/03/2025", "12/25/2024", "20250101", "x"]}
    )
    marked = mark("customers", raw, spec)
    days = marked.rows.order_by("_row").to_pyarrow().to_pydict()["joined_on"]
    assert days == [dt.date(2025, 3, 2), dt.date(2024, 12, 25), dt.date(2025, 1, 1), None]
    book = accounts(marked)
    assert book["joined_on: written as %m/%d/%Y"] == (1, 1)
    assert book["joined_on: cannot be read as a date"] == (1, 1)


@pytest.mark.parametrize(
    ("form", "said"),
    [("%Y-%q", "%q"), ("%m/%d", "year, month and day"), ("%Y%m%d%m", "once"), ("%Y%m%d %I", "%p")],
)
def test_a_wrong_format_is_refused(form, said):
    with pytest.raises(CustomerlabError, match=said) as error:
        check_format(form, "date", "params/acme.yaml: sources.x.columns.y.format")
    assert str(error.value).startswith("params/acme.yaml: sources.x.columns.y.format")
    with pytest.raises(CustomerlabError, match=r"survey\.columns\.item\.format: a format is for"):
        read_cells("number", ["1"], "%Y%m%d")


# ---- typed columns of Parquet files -------------------------------------------------------


def test_typed_columns():
    raw = raw_table(
        {
            "customer_id": [17850.0, 12.0, 3.5, np.nan],
            "joined_on": pd.DatetimeIndex(["2025-01-31T10", "2025-02-01", None, "2025-03-01"]),
            "birth_date": [19930101, 19930230, 20000101, 20000102],
            "assets": [1.25, np.inf, np.nan, 2.0],
            "idle_months": [3.0, 4.0, 5.5, 6.0],
            "score": [1, 2, 3, 4],
        },
        customer_id="float64",
        joined_on="timestamp",
        birth_date="int64",
        assets="float64",
        idle_months="float64",
        score="int64",
    )
    # pandas' NaN is null on its way into the engine, so here it is made
    raw = raw.mutate(assets=(raw["_row"] == 3).ifelse(ibis.literal(float("nan")), raw["assets"]))
    spec = source(birth_date={"from": "birth_date", "format": "%Y%m%d"})
    marked = mark("customers", raw, spec)
    assert reasons(marked) == [
        None,
        "birth_date: cannot be read as a date",
        "assets: cannot be read as an amount",
        "customer_id: missing",
    ]
    assert accounts(marked)["assets: cannot be read as an amount"] == (1, 2)
    row = clean(marked).to_pyarrow().to_pylist()[0]
    assert row == {
        "customer_id": "17850",
        "joined_on": dt.date(2025, 1, 31),
        "birth_date": dt.date(1993, 1, 1),
        "assets": Decimal("1.25"),
        "idle_months": 3,
        "score": 1,
    }


# ---- code lists ---------------------------------------------------------------------------


def test_gender_is_known_in_two_languages():
    given = ["F", "f", " Female ", "女", "w", "Ｆ", "M", "male", "男", "m", "x", None, "female"]
    raw = raw_table({"customer_id": [str(i) for i in range(13)], "gender": given})
    marked = mark("customers", raw)
    got = marked.rows.order_by("_row").to_pyarrow().to_pydict()["gender"]
    assert got == ["female"] * 6 + ["male"] * 4 + ["x", None, "female"]
    book = accounts(marked)
    assert book["gender: codes replaced"] == (9, 9)  # two came as they should be, after trimming
    assert book["gender: not in the list of codes"] == (1, 1)


def test_declared_codes_come_before_the_cast():
    spec = source(
        kind={"from": "type", "codes": {"PRIJEM": "deposit", "VYDAJ": "withdrawal"}},
        amount={"from": "amount", "codes": {"none": "0"}},
        gender={"from": "sex", "codes": {"1": "male"}},
    )
    columns = {"customer_id": ["a", "b", "c"], "occurred_at": ["2025-01-01"] * 3}
    columns |= {"type": ["PRIJEM", " VYDAJ", "other"], "amount": ["5", "none", "none"]}
    marked = mark(
        "transactions",
        raw_table(columns),
        spec.model_copy(
            update={
                "columns": {
                    name: column for name, column in spec.columns.items() if name != "gender"
                }
            }
        ),
    )
    frame = marked.rows.order_by("_row").to_pyarrow().to_pydict()
    assert frame["kind"] == ["deposit", "withdrawal", "other"]
    assert frame["amount"] == [5, 0, 0]
    assert accounts(marked)["kind: not in the list of codes"] == (1, 1)
    people = raw_table({"customer_id": ["a", "b"], "sex": ["1", "F"]})
    only_gender = source(gender={"from": "sex", "codes": {"1": "male"}})
    got = mark("customers", people, only_gender).rows.order_by("_row").to_pyarrow().to_pydict()
    assert got["gender"] == ["male", "F"]  # the client's list, not ours


# ---- lookups ------------------------------------------------------------------------------

DISPOSITIONS = {
    "disp_id": ["1", "2", "3", "4"],
    "client_id": ["c1", "c2", "c3", None],
    "account_id": ["a1", "a2", "a1", "a4"],
    "type": ["OWNER", "OWNER", "DISPONENT", "OWNER"],
}


def _ledger_of_accounts(**extra: Any) -> tuple[ibis.Table, dict[str, Any]]:
    columns = {"account_id": ["a1", " ａ2", "a3", None, "a4"], "amount": list("12345")}
    raw = raw_table({**columns, "occurred_at": ["2025-01-01"] * 5})
    owner = {"lookup": "disp", "on": "account_id", "keep": "client_id", "where": "type = 'OWNER'"}
    return raw, {"customer_id": owner, **extra}


def _disp(**columns: Any) -> ibis.Table:
    return lookup_table("disp", raw_table(DISPOSITIONS), source(**columns), where=WHERE)


def test_a_lookup_loses_and_repeats_no_row():
    raw, columns = _ledger_of_accounts()
    marked = mark("transactions", raw, source(**columns), lookups={"disp": _disp()})
    assert reasons(marked) == [None, None, *["customer_id: missing"] * 3]
    got = marked.rows.order_by("_row").to_pyarrow().to_pydict()["customer_id"]
    assert got == ["c1", "c2", None, None, None]
    book = accounts(marked)
    # a3 has no owner; the fourth row names no account, and a4's owner is not given
    assert book["customer_id: no match in disp"] == (1, 1)
    assert book["rows in the files"] == (5, 5)


def test_a_lookup_with_several_rows_for_a_key_is_refused():
    raw, columns = _ledger_of_accounts()
    del columns["customer_id"]["where"]
    with pytest.raises(CustomerlabError) as error:
        mark("transactions", raw, source(**columns), lookups={"disp": _disp()})
    text = str(error.value)
    assert text.startswith("params/acme.yaml: sources.transactions.columns.customer_id: disp has")
    assert "1 values of account_id stand in 2 rows" in text
    assert "a1" not in text


def test_a_lookup_by_a_column_found_before_and_a_count():
    owner = {"lookup": "disp", "on": "account_id", "where": "type = 'OWNER'"}
    spec = source(
        customer_id="client_id",
        disp_id={**owner, "keep": "disp_id"},
        card={"lookup": "card", "on": "disp_id", "keep": "type"},
        users={"lookup": "disp", "on": "account_id", "count": True, "kind": "integer"},
    )
    raw = raw_table({"client_id": ["x", "y", "z"], "account_id": ["a2", "a1", "a9"]})
    # the key has another name in this file, and is a number there
    cards = raw_table({"disp": [2, 7], "type": ["gold", "junior"]}, disp="int64")
    card = lookup_table("card", cards, source(disp_id="disp"), where=WHERE)
    marked = mark("customers", raw, spec, lookups={"disp": _disp(), "card": card})
    assert clean(marked).to_pyarrow().to_pylist() == [
        {"customer_id": "x", "disp_id": "2", "card": "gold", "users": 1, "account_id": "a2"},
        {"customer_id": "y", "disp_id": "1", "card": None, "users": 2, "account_id": "a1"},
        {"customer_id": "z", "disp_id": None, "card": None, "users": 0, "account_id": "a9"},
    ]


def test_lookups_that_name_what_is_not_there():
    raw, columns = _ledger_of_accounts()
    for change, said in (
        ({"lookup": "dips"}, 'no source "dips" \\(did you mean "disp"'),
        ({"keep": "client"}, 'disp has no column "client" \\(did you mean "client_id"'),
        ({"on": "account"}, 'the file has no column "account" \\(did you mean "account_id"'),
    ):
        spec = source(**{"customer_id": {**columns["customer_id"], **change}})
        with pytest.raises(CustomerlabError, match=said):
            mark("transactions", raw, spec, lookups={"disp": _disp()})


# ---- columns ------------------------------------------------------------------------------


def test_missing_columns_are_named_with_the_nearest():
    names = ["customer_no", "occurred", "quantity", "price"]
    spec = source(customer_id="customer_nr", unit_price="price")
    problems = missing_columns(TABLES["transactions"], names, spec, where=WHERE)
    assert len(problems) == 2
    assert problems[0].startswith(
        "params/acme.yaml: sources.transactions.columns.customer_id.from: the file has no column "
        '"customer_nr" (did you mean "customer_no"?)'
    )
    assert "transactions needs occurred_at" in problems[1]  # quantity and price make the amount
    del spec.columns["unit_price"]
    problems = missing_columns(TABLES["transactions"], names, spec, where=WHERE)
    assert "transactions needs amount (or quantity and unit_price)" in problems[2]
    raw = raw_table({name: ["1"] for name in names})
    with pytest.raises(CustomerlabError, match="customer_nr"):
        mark("transactions", raw, spec)


def test_an_open_table_keeps_further_columns_and_a_closed_one_does_not():
    columns = {"id": ["1"], "Plan Type": ["A"], "Gender": ["m"], "born": ["1990-01-01"]}
    raw = raw_table(columns)
    spec = source(customer_id="id", birth_date="born", gender={"from": "Plan Type"})
    row = clean(mark("customers", raw, spec)).to_pyarrow().to_pylist()
    # `gender` was mapped, so the client's own Gender gives way; `id` and `born` are not kept twice
    assert row == [{"customer_id": "1", "birth_date": dt.date(1990, 1, 1), "gender": "A"}]
    raw = raw_table({"product": ["x"], "Margin": ["5"], "colour": ["red"]})
    assert clean(mark("products", raw)).columns == ("product",)


def test_an_amount_from_quantity_and_price():
    """Oracle: Python's Decimal, rounded half up to four places."""
    pairs = [("3", "2.55"), ("0.3333", "0.3333"), ("-2", "1.12345"), ("99999999", "99999999")]
    pairs += [("9999999999", "99999"), (None, "1"), ("x", "1")]
    raw = raw_table(
        {
            "customer_id": ["c"] * 7,
            "occurred_at": ["2025-01-01"] * 7,
            "quantity": [q for q, _ in pairs],
            "unit_price": [p for _, p in pairs],
        }
    )
    marked = mark("transactions", raw)
    amounts = marked.rows.order_by("_row").to_pyarrow().to_pydict()["amount"]
    wanted = ["7.65", "0.1111", "-2.2470"]  # the price itself is held to four places: 1.1235
    assert amounts[:3] == [Decimal(text) for text in wanted]
    assert reasons(marked)[3:] == [
        "amount: cannot be read as an amount",
        "amount: cannot be read as an amount",
        "amount: missing",
        "quantity: cannot be read as a number",
    ]


# ---- reasons ------------------------------------------------------------------------------


def test_the_shape_of_a_row_comes_first():
    raw = raw_table({"product": ["a", None, "c"], "_fields": ["too many", "too few", None]})
    marked = mark("products", raw)
    assert reasons(marked) == [
        "more cells than the header names",
        "fewer cells than the header names",
        None,
    ]
    assert accounts(marked)["product: missing"] == (0, 1)


def test_durations_above_zero():
    raw = raw_table({"duration": ["3", "0", "-1", ""], "churned": ["yes", "no", "1", "0"]})
    marked = mark("durations", raw)
    low = "duration: not above zero"
    assert reasons(marked) == [None, low, low, "duration: missing"]


def test_known_up_to_and_including_the_snapshot():
    times = ["2025-12-31", "2025-12-31 23:59:59.999999", "2026-01-01", None]
    raw = raw_table({"customer_id": list("abcd"), "occurred_at": times})
    late = "occurred_at: after 31 December 2025"
    assert reasons(mark("interactions", raw)) == [None, None, late, "occurred_at: missing"]
    days = raw_table({"customer_id": list("abc"), "joined_on": ["2025-12-31", "2026-01-01", None]})
    assert reasons(mark("customers", days)) == [None, "joined_on: after 31 December 2025", None]
    months = raw_table({"account_id": list("ab"), "month": ["2025-11", "2025-12"], "balance": "12"})
    for snapshot, wanted in (
        (dt.date(2025, 12, 31), [None, None]),
        (dt.date(2025, 12, 30), [None, "month: after 30 December 2025"]),
        (dt.date(2025, 11, 30), [None, "month: after 30 November 2025"]),
    ):
        assert reasons(mark("balances", months, snapshot=snapshot)) == wanted


def test_unknown_parents():
    raw = raw_table(
        {"campaign_id": ["k1", "k2", "k1"], "customer_id": ["a", "b", "z"], "arm": list("xyx")}
    )
    assert reasons(mark("assignments", raw)) == [None] * 3  # no parent given, none asked
    customers = raw_table({"customer_id": ["a", "b", "c"]})
    campaigns = raw_table({"campaign_id": ["k1"]})
    parents = {"customers": customers, "campaigns": campaigns}
    marked = mark("assignments", raw, parents=parents)
    assert reasons(marked) == [
        None,
        "campaign_id: unknown among the clean campaigns",
        "customer_id: unknown among the clean customers",
    ]


def test_a_rule_that_cannot_be_decided_is_not_met():
    raw = raw_table(
        {
            "customer_id": ["a", "b", "c", "d"],
            "occurred_at": ["2025-01-01"] * 4,
            "amount": ["1", "-1", "-1", "5"],
            "kind": [None, "test", "sale", "sale"],
            "Remark": ["x", None, "test", "test"],
        }
    )
    rules = [
        rule("customers", "another table's", "nonsense"),
        rule("transactions", "tests", "kind = 'test' OR Remark = 'test' AND amount > 0"),
        rule("transactions", "never", "amount > 1000"),
        rule("transactions", "negative", "amount < 0"),
    ]
    marked = mark("transactions", raw, rules=rules)
    assert reasons(marked) == [None, "rule: tests", "rule: negative", "rule: tests"]
    book = accounts(marked)
    assert book["rule: negative"] == (1, 2)
    assert book["rule: never"] == (0, 0)
    with pytest.raises(CustomerlabError, match=r"data_cleaning\.rules\[1\]\.when"):
        wrong = [rule("customers", "x", "a = 1"), rule("transactions", "y", "amuont > 0")]
        mark("transactions", raw, rules=wrong)


@pytest.mark.parametrize("seed", range(5))
def test_repeats_as_pandas_has_them(seed):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "account_id": rng.choice(["a", "b", "c"], 60),
            "month": rng.choice(["2025-01", "2025-02", "2025-02-15", "2027-01"], 60),
            "balance": rng.choice(["1", "2", "x"], 60, p=[0.6, 0.3, 0.1]),
            "note": rng.choice(["", "n"], 60, p=[0.8, 0.2]),
        }
    )
    bad = np.select(
        [frame["balance"] == "x", frame["month"] == "2027-01"],
        ["balance: cannot be read as an amount", "month: after 31 December 2025"],
        default="",
    )
    free = frame[bad == ""].assign(of=lambda f: f["month"].str[:7])
    exact = free.duplicated(["account_id", "month", "balance", "note"])
    again = free[~exact].duplicated(["account_id", "of"])
    wanted = pd.Series(bad, frame.index)
    wanted[exact[exact].index] = "exact repeat of an earlier row"
    wanted[again[again].index] = "account_id, month: stands in an earlier row"
    assert exact.any()
    assert again.any()
    marked = mark("balances", raw_table(frame.to_dict("list")))
    assert reasons(marked) == [reason or None for reason in wanted]


def test_repeats_only_where_there_is_a_key_or_the_parameters_say_so():
    columns = {"arm": ["x", "x", "y"], "spend": ["1", "1 ", "1"]}
    raw = raw_table(columns)
    assert reasons(mark("experiment", raw)) == [None] * 3
    exact = "exact repeat of an earlier row"
    assert reasons(mark("experiment", raw, drop_exact_repeats=True)) == [None, exact, None]
    sales = {"customer_id": ["a"] * 4, "occurred_at": ["2025-01-01"] * 4, "amount": ["1"] * 4}
    assert reasons(mark("transactions", raw_table(sales))) == [None] * 4
    # a missing number is not the same number
    with_key = raw_table({**sales, "transaction_id": [None, None, "7", "7"]})
    assert reasons(mark("transactions", with_key)) == [None, None, None, exact]


def test_the_first_by_file_and_row_stays():
    raw = raw_table({"customer_id": ["a", "a", "a"], "region": ["x", "y", "z"]})
    files = ibis.cases((raw["_row"] == 1, "b.csv"), else_="a.csv")
    marked = mark("customers", raw.mutate(_file=files))
    assert clean(marked).to_pyarrow().to_pylist() == [{"customer_id": "a", "region": "y"}]


# ---- what comes out -----------------------------------------------------------------------

NASTY = {
    "customer_id": [" c1", "c1", "ｃ2", "", "c3", "c3", "c4", "c1"],
    "occurred_at": [
        *("2025-01-02", "2025-01-01", "2025-02-30", "2025-03-01"),
        *("2025-01-01", "2025-01-01", "2030-01-01", "2025-01-02"),
    ],
    "amount": ["1,000", "1", "5", "7", "1,2,3", "2.5", "9", "3"],
    "Comment": ["ok ", None, "a", "b", "c", "d", "e", "f"],
}


def test_the_ledger_accounts_for_every_row_and_every_cent():
    book = ledger(mark("transactions", raw_table(NASTY)))
    check_ledger(book)
    assert tuple(book.columns) == COLUMNS
    assert set(book["step"]) <= set(STEPS)
    assert set(book["action"]) <= set(ACTIONS)
    lines = {str(r["reason"]): (r["rows"], r["customers"], r["amount"]) for _, r in book.iterrows()}
    assert lines == {
        "rows in the files": (8, 4, Decimal("1027.5")),
        "blanks trimmed": (1, 1, 1000),
        "full-width characters narrowed": (1, 1, 5),
        "thousands separators removed": (1, 1, 1000),
        "occurred_at: cannot be read as a time": (1, 1, 5),
        "amount: cannot be read as an amount": (1, 1, 0),
        "customer_id: missing": (1, 0, 7),
        "occurred_at: missing": (0, 0, 0),
        "amount: missing": (0, 0, 0),
        "occurred_at: after 31 December 2025": (1, 1, 9),
        "clean rows": (4, 2, Decimal("1006.5")),
    }
    broken = book.assign(rows=book["rows"].where(book["action"] != "clean", 3))
    with pytest.raises(RuntimeError, match="transactions: 8 rows in, but 3 clean \\+ 4 set aside"):
        check_ledger(broken)


def test_quarantine_keeps_rows_as_they_came():
    raw = raw_table(NASTY).mutate(_extra=ibis.literal("rest"))
    marked = mark("transactions", raw)
    frame = quarantined(marked, raw).to_pandas()
    assert frame["_row"].tolist() == [3, 4, 5, 7]
    asis = pd.DataFrame(NASTY).iloc[[2, 3, 4, 6]].reset_index(drop=True)
    pd.testing.assert_frame_equal(frame[list(NASTY)], asis, check_dtype=False)
    assert frame["_extra"].tolist() == ["rest"] * 4
    assert frame["_reason"].tolist() == [r for r in reasons(marked) if r]


def test_clean_rows_are_sorted_and_canonical():
    marked = mark("transactions", raw_table(NASTY))
    frame = clean(marked).to_pandas()
    assert list(frame.columns) == ["customer_id", "occurred_at", "amount"]
    assert frame["customer_id"].tolist() == ["c1", "c1", "c1", "c3"]
    assert [int(x) for x in frame["amount"]] == [1, 1000, 3, 2]


def test_a_materialised_table_takes_the_place_of_the_expression():
    con = ibis.duckdb.connect()
    raw = con.create_table("raw", raw_table(NASTY).to_pyarrow())
    marked = mark("transactions", raw)
    held = marked.on(con.create_table("marked", marked.rows))
    pd.testing.assert_frame_equal(ledger(held), ledger(marked))
    assert clean(held).to_pyarrow() == clean(marked).to_pyarrow()
    assert quarantined(held, raw).to_pyarrow() == quarantined(marked, raw).to_pyarrow()


@pytest.mark.parametrize("drop", [False, True])
def test_rows_held_on_the_way_are_the_same(drop):
    """Equivalence: intake writes what is read several times, these tests work it out anew."""
    con = ibis.duckdb.connect()
    columns = {
        "transaction_id": ["t1", "t1", "t1", None, None, "t2"],
        "customer_id": ["c1", "c1", "c1", "c2", "c2", "c3"],
        "occurred_at": ["2025-01-01"] * 6,
        "amount": ["1", "1", "2", "3", "3", "x"],
    }
    raw = con.create_table("raw", raw_table(columns).to_pyarrow())
    held: list[ibis.Table] = []

    def keep(rows: ibis.Table) -> ibis.Table:
        held.append(con.create_table(f"held_{len(held)}", rows))
        return held[-1]

    lazy = mark("transactions", raw, drop_exact_repeats=drop)
    kept = mark("transactions", raw, drop_exact_repeats=drop, keep=keep)
    assert len(held) == 3
    assert reasons(kept) == reasons(lazy)
    again, exact = "transaction_id: stands in an earlier row", "exact repeat of an earlier row"
    unread = "amount: cannot be read as an amount"
    assert reasons(kept) == [None, exact, again, None, exact if drop else None, unread]
    pd.testing.assert_frame_equal(ledger(kept), ledger(lazy))


def test_an_empty_table():
    marked = mark("transactions", raw_table({name: [] for name in NASTY}))
    book = ledger(marked)
    check_ledger(book)
    assert book["rows"].sum() == 0
    assert len(clean(marked).to_pandas()) == 0


def test_a_wide_table():
    names = [f"q{i}" for i in range(50)]
    raw = raw_table({**{name: ["yes", "no", "?"] for name in names}, "customer_id": list("abc")})
    codes = {"yes": "1", "no": "0"}
    spec = source(
        **{f"a{i}": {"from": n, "kind": "number", "codes": codes} for i, n in enumerate(names)}
    )
    marked = mark("survey", raw, spec)
    assert reasons(marked) == [None, None, "a0: cannot be read as a number"]
    assert clean(marked).to_pandas()["a49"].tolist() == [1.0, 0.0]


# ---- another engine -----------------------------------------------------------------------


def test_spark_gives_the_same(spark, tmp_path):
    """Equivalence: the same expressions on Spark, row for row and line for line."""
    dates = ["2025-01-31", "2025/1/3", "2025-02-30", "2025-01-31T10:11:12.25", "2025-1-3 9:05", "x"]
    cells = {
        "amount": [*NUMBERS, *NO_NUMBERS, "1.00005", "-1.00005", "9" * 20],
        "number": [*NUMBERS, *NO_NUMBERS],
        "integer": ["7", "1,234", "3.0", "3.5", "9" * 19],
        "boolean": ["Yes", "0", "是", "2"],
        "timestamp": [*dates, "2025-01-31 24:00", "2025-01-31 10:11:60"],
        "date": [*dates, "0000-01-01", "epoch", "2025"],
        "month": [*dates, "2025-02", "2025/2"],
        "text": [" \t a\x0b", "\u3000张三\u00a0", "ＶＦ～＇＼", "voff", "", "it's"],
    }
    longest = max(map(len, cells.values()))
    columns = {
        f"{kind}_": [*texts, *[None] * (longest - len(texts))] for kind, texts in cells.items()
    }
    survey = source(
        **{f"{kind}_0": {"from": f"{kind}_", "kind": kind} for kind in cells},
        form={"from": "date_", "kind": "date", "format": ["%Y-%m-%d", "%Y/%m/%d"]},
    )
    balances = {
        "account_id": list("aabbcaa"),
        "month": ["2025-01", "2025-01", "2025-01", "2025-01-05", None, "2025-01", "2026-03"],
        "balance": ["1", "1", "2", "3", "4", "1", "5"],
    }
    customers = raw_table({"customer_id": ["c1", "c2"]})
    for number, (table, raw, spec, parents) in enumerate(
        [
            ("survey", raw_table(columns), survey, {}),
            ("transactions", raw_table(NASTY), None, {"customers": customers}),
            ("balances", raw_table(balances), None, {}),
        ]
    ):
        raw.to_parquet(tmp_path / f"{number}.parquet")
        there = spark.read_parquet(tmp_path / f"{number}.parquet", table_name=f"raw_{number}")
        theirs = {
            name: spark.keep(ibis.memtable(parent.to_pandas())) for name, parent in parents.items()
        }
        ours = mark(table, raw, spec, parents=parents)
        other = mark(table, there, spec, parents=theirs)
        same = [
            (
                m.rows.order_by("_row").to_pyarrow().to_pylist(),
                clean(m).to_pyarrow().to_pylist(),
                quarantined(m, r).to_pyarrow().to_pylist(),
                ledger(m).to_dict("list"),
            )
            for m, r in ((ours, raw), (other, there))
        ]
        for left, right in zip(*same, strict=True):
            assert left == right


# ---- real files ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def online_retail(tmp_path_factory, shared_data):
    path = shared_data / "online_retail" / "online_retail.csv.gz"
    folder = tmp_path_factory.mktemp("online_retail")
    parse_source([path], folder / "raw.parquet", where="sources.transactions", scratch=folder)
    con = ibis.duckdb.connect()
    raw = con.read_parquet(folder / "raw.parquet")
    spec = source(
        order_id="InvoiceNo",
        product="StockCode",
        quantity="Quantity",
        occurred_at="InvoiceDate",
        unit_price="UnitPrice",
        customer_id={"sql": "REPLACE(CustomerID, '.0', '')"},
        region="Country",
    )
    rules = [
        rule("transactions", "cancelled", "order_id LIKE 'C%'"),
        rule("transactions", "nothing bought", "quantity <= 0"),
        rule("transactions", "free of charge", "unit_price <= 0"),
    ]
    marked = mark("transactions", raw, spec, rules=rules, snapshot=dt.date(2011, 12, 31))
    return marked.on(con.create_table("marked", marked.rows)), raw


def test_online_retail_as_published(online_retail):
    """Oracle: the counts published for UCI Online Retail under the usual rule."""
    marked, raw = online_retail
    book = accounts(marked)
    assert book["rows in the files"] == (541_909, 541_909)
    assert book["customer_id: missing"] == (135_080, 135_080)
    assert book["rule: cancelled"][1] == 9_288
    assert book["clean rows"][0] == 397_884
    kept = clean(marked)
    found = kept.aggregate(
        customers=kept.customer_id.nunique(), orders=kept.order_id.nunique(), sum=kept.amount.sum()
    )
    assert found.to_pyarrow().to_pylist() == [
        {"customers": 4_338, "orders": 18_532, "sum": Decimal("8911407.904")}
    ]
    assert quarantined(marked, raw).count().to_pyarrow().as_py() == 541_909 - 397_884


def test_online_retail_as_pandas_reads_it(online_retail):
    """Oracle: the plainest pandas over the same file."""
    marked, _ = online_retail
    path = SHARED / "online_retail" / "online_retail.csv.gz"
    frame = pd.read_csv(path, dtype={"InvoiceNo": str, "CustomerID": str})
    kept = frame[
        frame["CustomerID"].notna()
        & ~frame["InvoiceNo"].str.startswith("C")
        & (frame["Quantity"] > 0)
        & (frame["UnitPrice"] > 0)
    ]
    wanted = kept.assign(pence=(kept["Quantity"] * kept["UnitPrice"] * 1000).round().astype(int))
    wanted = wanted.groupby(wanted["CustomerID"].str.replace(".0", ""))["pence"].sum()
    per_customer = clean(marked).group_by("customer_id").aggregate(total=lambda t: t.amount.sum())
    got = per_customer.to_pandas().set_index("customer_id")["total"]
    assert (got * 1000).astype(int).sort_index().to_dict() == wanted.sort_index().to_dict()
