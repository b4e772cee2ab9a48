"""A bank's value ahead: hand calculations, odd clients, and what a report may show."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import ibis
import numpy as np
import pandas as pd
import pytest

from customerlab.messages import Words
from customerlab.privacy import HIDDEN
from customerlab.value.months_ahead import MonthsValue, _status, foretell_months_value
from customerlab.value.months_shown import months_value_to_show
from customerlab.value.months_texts import ALL, NOT_TOLD

WORDS = Words("en", "CNY", 10)
DAY = dt.date(2025, 12, 31)
MARGIN = {"current": 0.01, "savings": 0.02}


def tables_of(rows: list[tuple]) -> dict[str, ibis.Table]:
    """Return accounts: customer, product, balance, day of closing."""
    columns = ["customer_id", "product", "balance", "closed_on"]
    frame = pd.DataFrame(rows, columns=columns).assign(
        account_id=[f"a{i}" for i in range(len(rows))]
    )
    kinds = {"customer_id": "string", "product": "string", "balance": "decimal(18, 4)"}
    schema = ibis.schema(kinds | {"closed_on": "date", "account_id": "string"})
    return {"accounts": ibis.memtable(frame, schema=schema)}


def scores_of(months: dict[str, tuple[float, float, float] | None], h: int = 12) -> ibis.Table:
    rows = [(name, *(one or (None,) * 3)) for name, one in months.items()]
    names = [f"months_here_{h}{end}" for end in ("", "_low", "_high")]
    frame = pd.DataFrame(rows, columns=["customer_id", *names])
    return ibis.memtable(
        frame, schema=ibis.schema({"customer_id": "string"} | dict.fromkeys(names, "float64"))
    )


def people_of(*names: str) -> ibis.Table:
    return ibis.memtable({"customer_id": list(names), "assets": [100.0] * len(names)})


def test_value_by_hand():
    """Customer a: 1,200 at 1 % for 6 of 12 months and 600 at 2 % for 6: 6 + 6; b: 2,400 for 12."""
    tables = tables_of(
        [
            ("a", "current", 1000, None),
            ("a", "current", 200, None),
            ("a", "savings", 600, None),
            ("a", "savings", 9999, dt.date(2025, 6, 1)),  # closed: holds nothing
            ("b", "current", 2400, None),
            ("b", "gold", 500, None),  # no margin
            ("b", "savings", -70, None),  # overdrawn
            ("gone", "current", 40, None),
            ("asleep", "current", 80, None),  # not active: no score
        ]
    )
    scores = scores_of({"a": (6, 5, 7), "b": (12, 11, 12), "gone": (0, 0, 0), "c": (9, 8, 10)})
    got = foretell_months_value(scores, tables, people_of("a", "b", "c"), DAY, MARGIN, [12])
    table = got.table.set_index("product")
    assert table.index.tolist() == [ALL, "current", "savings", "gold"]
    assert table["customers"].tolist() == [3, 3, 1, 1]
    assert table["balance"].tolist() == [4240, 3640, 600, 500]
    current = (6 + 24, 1200 * 0.01 * 5 / 12 + 22, 7 + 24)
    assert table.loc["current", ["value", "low", "high"]].tolist() == pytest.approx(current)
    assert table.loc["savings", ["value", "low", "high"]].tolist() == pytest.approx([6, 5, 7])
    assert table.loc[ALL, ["value", "low", "high"]].tolist() == pytest.approx([36, 32, 38])
    assert table.loc["current", "months"] == pytest.approx((1200 * 6 + 2400 * 12) / 3640)
    assert np.isnan(table.loc["gold", "value"])
    each = got.scores.to_pandas().set_index("customer_id")["value_12_months"]
    assert each.to_dict() == pytest.approx({"a": 12, "b": 24, "gone": 0, "c": 0})
    said = " ".join(WORDS(note) for note in got.notes)
    assert "without a value: gold." in said
    assert "<10 customers who hold something" in said
    assert "Overdrawn accounts count as empty: 1" in said


def test_many_customers_have_an_answer_and_few_have_words():
    names = [f"c{i:03}" for i in range(120)]
    tables = tables_of(
        [(name, "current" if i % 2 else None, 1200, None) for i, name in enumerate(names)]
    )
    scores = scores_of(dict.fromkeys(names, (10.0, 9.5, 10.5)))
    margin = {"current": 0.01, "any product": 0.02}
    got = foretell_months_value(scores, tables, people_of(*names), DAY, margin, [12, 9])
    assert got.horizons == (12,)
    assert "within so many months: 9" in WORDS(got.notes[0])
    assert got.table["product"].tolist() == [ALL, "current", NOT_TOLD]
    assert got.table["value"].tolist() == pytest.approx([1800, 600, 1200])
    (finding,) = got.findings(1)
    assert finding.id == "customer_value.value_in_12_months"
    assert (finding.value, finding.low, finding.high) == pytest.approx((1800, 1710, 1890))
    assert finding.status == "supported"
    said = "120 customers bring about 1,800.00 CNY (1,710.00 CNY to 1,890.00 CNY)"
    assert said in WORDS(finding.text)
    few = replace(got, table=got.table.assign(status="not_enough_data"))
    assert few.findings(1)[0].value is None
    assert "Too few customers hold anything" in WORDS(few.findings(1)[0].text)
    assert [
        _status(*one) for one in [(29, 9, 8, 9), (99, 9, 8, 9), (100, 9, 8, 9), (100, 9, 6, 11)]
    ] == [*("not_enough_data", "weak", "supported", "weak")]


def test_what_lacks_is_said():
    tables, people = tables_of([("a", "current", 1200, None)]), people_of("a")
    known, unknown = scores_of({"a": (6, 5, 7)}), scores_of({"a": None})
    for scores, margins, said in (
        (unknown, MARGIN, "No model says"),
        (known, {"gold": 0.1}, "No product that customers hold has a margin"),
    ):
        got = foretell_months_value(scores, tables, people, DAY, margins, [12])
        (finding,) = replace(got, horizons=(6, 12)).findings(1)
        assert finding.id == "customer_value.value_in_12_months"
        assert said in WORDS(finding.text)
        assert finding.value is None
    assert got.scores.value_12_months.count().execute() == 0


def test_nobody_and_nothing():
    empty = foretell_months_value(scores_of({}), tables_of([]), people_of(), DAY, MARGIN, [12])
    assert empty.findings(1)[0].status == "not_enough_data"
    assert empty.scores.count().execute() == 0
    assert months_value_to_show(empty, 10)["value"].isna().all()
    # nothing is told of any horizon asked for
    scores = scores_of({"a": (6, 5, 7)})
    none = foretell_months_value(scores, tables_of([]), people_of("a"), DAY, None, [4])
    assert none.findings(1) == () and len(none.notes) == 1
    assert none.scores.columns == ("customer_id",)
    assert "No margin is given" in WORDS(none.lacking)
    assert months_value_to_show(none, 10).empty
    # without accounts, what the customers declare is of any product
    got = foretell_months_value(scores, {}, people_of("a"), DAY, {"any product": 0.12}, [12])
    assert got.table["value"].tolist() == pytest.approx([100 * 0.12 / 2] * 2)


def test_small_lines_are_masked_with_their_money():
    rows = [(ALL, 64, 34400.0, None), ("gold", 3, 27000.0, 0.05), ("current", 64, 6400.0, 0.01)]
    rows += [("savings", 20, 1000.0, 0.02), ("other", 12, 70.0, None)]
    table = pd.DataFrame(rows, columns=["product", "customers", "balance", "margin"])
    table = table.assign(
        horizon_months=12, months=10.0, value=5.0, low=4.0, high=6.0, status="weak"
    )
    shown = months_value_to_show(MonthsValue(table, people_of(), (12,)), 10).set_index("product")
    assert shown.loc["gold", "customers"] == "<10"
    assert shown.loc["gold", "value"] == HIDDEN
    # the smallest other one of the sum, for the difference would tell
    assert shown.loc["savings", ["customers", "balance"]].tolist() == [HIDDEN, HIDDEN]
    assert shown.loc["other", "customers"] == 10  # no part of the sum
    assert shown.loc["current", "customers"] == 60  # rounded: 64 less 60 tells of nobody
