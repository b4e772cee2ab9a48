"""Customers whose value cannot be foretold: one purchase each, or more sent back than bought."""

from __future__ import annotations

import datetime as dt

import ibis
import pandas as pd
import pytest

from customerlab.messages import Words, say
from customerlab.params import Params
from customerlab.value.ahead import look_ahead, models_to_show
from customerlab.value.holdout_shown import frequency_to_show, totals_to_show
from customerlab.value.outlook import COLUMNS, outlook_to_show
from customerlab.value.real import Real
from customerlab.value.rfm_flow import flow_findings, flow_to_show, follow_segments

DAY = dt.date(2025, 6, 30)
WORDS = Words("en", "CNY", 10)


def shop(lines: list[tuple[str, str, float]]) -> Real:
    frame = pd.DataFrame(lines, columns=["customer_id", "occurred_at", "amount"])
    frame = frame.assign(occurred_at=pd.to_datetime(frame["occurred_at"]))
    types = {"customer_id": "string", "occurred_at": "timestamp(6)", "amount": "float64"}
    rows = ibis.memtable(frame, schema=ibis.schema(types))
    return Real({"transactions": rows}, rows, False, say("shop"))


ONCE = [(f"c{i:02}", f"2025-{1 + i % 6:02}-15", 10.0) for i in range(40)]
BACK = [(name, "2025-06-20", -30.0) for name, *_ in ONCE[:10]]


@pytest.mark.parametrize(
    ("lines", "customers"),
    [(ONCE + BACK, 40), (BACK, 0)],
    ids=["one purchase each and refunds", "only refunds"],
)
def test_what_cannot_be_foretold_is_said_in_words(lines, customers):
    params = Params(client="a", snapshot=DAY, customer_value={"horizons_months": [3]})
    ahead = look_ahead(shop(lines), params, lambda table: table.cache())
    said = [WORDS(text) for text in ahead.texts]
    assert said[0] == "Value is what customers pay: no margin of what they bought is known."
    assert said[1] == "Fewer than 30 customers bought again: too few to foretell purchases."
    assert said[2].startswith("Fewer than 30 customers paid for a repeat purchase")
    assert said[3].startswith("Too few repeat purchases before or after the landmark")
    assert ahead.findings == ()
    assert {check.passed for check in ahead.checks} == {None}
    scores = ahead.scores.to_pandas()
    assert len(scores) == customers == ahead.model.customers
    assert scores.drop(columns="customer_id").isna().all(axis=None)
    assert models_to_show(ahead, 10).empty
    assert list(outlook_to_show(ahead.outlook, 10)) == list(COLUMNS)
    held = ahead.held
    assert frequency_to_show(held, 10).empty == (not customers)
    told = totals_to_show(held, 10)["forecast"]
    assert [WORDS(name) for name in told] == ["the model", "as in the period before"]
    # a refund later than the landmark is no money that followed
    assert (ahead.then.to_pandas()["next_spend"] >= 0).all()


def test_all_in_one_segment_move_nowhere():
    rows = ibis.memtable({"customer_id": list("abcdef"), "segment": ["hibernating"] * 6})
    flow = follow_segments(rows, rows, since=dt.date(2024, 6, 30), day=DAY)
    assert flow.table[["then", "now", "customers"]].to_numpy().tolist() == [
        ["hibernating", "hibernating", 6]
    ]
    assert flow_to_show(flow, 10)["customers"].tolist() == ["<10"]
    for finding in flow_findings(flow):
        assert finding.status == "not_enough_data" and WORDS(finding.text)
