"""A bank's value ahead: hand calculations, odd clients, and what a report may show."""

from __future__ import annotations

import datetime as dt

import ibis
import numpy as np
import pandas as pd
import pytest

from customerlab.messages import Words
from customerlab.privacy import HIDDEN
from customerlab.value.months_ahead import ALL, NOT_TOLD, foretell_months_value
from customerlab.value.months_shown import months_value_to_show

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


def test_any_product_and_a_named_one():
    tables = tables_of([("a", "current", 1200, None), ("a", None, 1200, None)])
    margin = {"current": 0.02, "any product": 0.01}
    got = foretell_months_value(
        scores_of({"a": (12, 12, 12)}), tables, people_of("a"), DAY, margin, [12]
    )
    table = got.table.set_index("product")["value"]
    assert table.to_dict() == pytest.approx({ALL: 36, "current": 24, NOT_TOLD: 12})


def test_many_customers_have_an_answer_and_few_have_words():
    names = [f"c{i:03}" for i in range(120)]
    tables = tables_of([(name, "current", 1200, None) for name in names])
    scores = scores_of(dict.fromkeys(names, (10.0, 9.5, 10.5)))
    got = foretell_months_value(scores, tables, people_of(*names), DAY, MARGIN, [12, 9])
    assert got.horizons == (12,)
    assert "within so many months: 9" in WORDS(got.notes[0])
    (finding,) = got.findings
    assert finding.id == "customer_value.value_in_12_months"
    assert (finding.value, finding.low, finding.high) == pytest.approx((1200, 1140, 1260))
    assert finding.status == "supported"
    assert "120 customers bring about 1,200.00 CNY (1,140.00 CNY to 1,260.00 CNY)" in WORDS(
        finding.text
    )
    wide = scores_of(dict.fromkeys(names, (6.0, 3.0, 9.0)))
    (unsure,) = foretell_months_value(wide, tables, people_of(*names), DAY, MARGIN, [12]).findings
    assert unsure.status == "weak"
    few = scores_of(dict.fromkeys(names[:5], (6.0, 3.0, 9.0)))
    (none,) = foretell_months_value(few, tables, people_of(*names), DAY, MARGIN, [12]).findings
    assert none.status == "not_enough_data"
    assert none.value is None


@pytest.mark.parametrize(
    ("margins", "months", "said"),
    [
        (None, (6, 5, 7), "No margin is given"),
        (MARGIN, None, "No model says"),
        ({"gold": 0.1}, (6, 5, 7), "No product that customers hold has a margin"),
    ],
    ids=["no margin", "no model", "no product"],
)
def test_what_lacks_is_said(margins, months, said):
    tables = tables_of([("a", "current", 1200, None)])
    got = foretell_months_value(
        scores_of({"a": months}), tables, people_of("a"), DAY, margins, [12]
    )
    (finding,) = got.findings
    assert said in WORDS(finding.text)
    assert finding.value is None
    assert got.scores.value_12_months.count().execute() == 0


def test_nobody_and_nothing():
    empty = foretell_months_value(scores_of({}), tables_of([]), people_of(), DAY, MARGIN, [12])
    assert empty.findings[0].status == "not_enough_data"
    assert empty.scores.count().execute() == 0
    assert months_value_to_show(empty, 10)["value"].isna().all()
    # nothing is told of any horizon asked for
    none = foretell_months_value(
        scores_of({"a": (6, 5, 7)}), tables_of([]), people_of("a"), DAY, MARGIN, [4]
    )
    assert none.findings == () and len(none.notes) == 1
    assert none.scores.columns == ("customer_id",)
    assert months_value_to_show(none, 10).empty
    # without accounts, what the customers declare is of any product
    own = {"any product": 0.12}
    got = foretell_months_value(scores_of({"a": (6, 5, 7)}), {}, people_of("a"), DAY, own, [12])
    assert got.scores.value_12_months.sum().execute() == pytest.approx(100 * 0.12 / 2)


def test_small_lines_are_masked_with_their_money():
    names = [f"c{i:03}" for i in range(64)]
    rows = [(name, "current", 100, None) for name in names]
    rows += [(name, "savings", 50, None) for name in names[:20]]
    rows += [(name, "gold", 9000, None) for name in names[:3]]
    margin = MARGIN | {"gold": 0.05}
    scores = scores_of(dict.fromkeys(names, (10.0, 9.0, 11.0)))
    got = foretell_months_value(scores, tables_of(rows), people_of(*names), DAY, margin, [12])
    shown = months_value_to_show(got, 10).set_index("product")
    assert shown.loc["gold", "customers"] == "<10"
    assert shown.loc["gold", "value"] == HIDDEN
    assert shown.loc["savings", ["customers", "balance"]].tolist() == [HIDDEN, HIDDEN]
    assert shown.loc["current", "customers"] == 60  # rounded: 64 less 60 tells of nobody
