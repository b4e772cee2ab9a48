"""Customer value of Online Retail's customers: RFM and the hold-out, against the plainest pandas.

CDNOW's customers are in ``test_value_cdnow.py``.
"""

from __future__ import annotations

import datetime as dt

import ibis
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import csv

from customerlab.value.bgnbd import log_likelihood
from customerlab.value.histories import (
    HISTORY,
    count_histories,
    count_weeks,
    histories,
    purchase_days,
)
from customerlab.value.holdout import judge_holdout
from customerlab.value.rfm import GRID, score_rfm

DAY = dt.date(2011, 12, 9)
#: Nine months are known, and the 14 weeks to the end of the data follow.
LANDMARK = dt.date(2011, 9, 2)


@pytest.fixture(scope="module")
def file(shared_data):
    """Return the columns that are needed, as they are in the file."""
    path = shared_data / "online_retail" / "online_retail.csv.gz"
    types = {"InvoiceNo": pa.string(), "Quantity": pa.int64(), "InvoiceDate": pa.timestamp("us")}
    types |= {"UnitPrice": pa.decimal128(18, 4), "CustomerID": pa.string()}
    options = {"column_types": types, "include_columns": list(types), "strings_can_be_null": True}
    return csv.read_csv(path, convert_options=csv.ConvertOptions(**options))


@pytest.fixture(scope="module")
def plain(file):
    """Return the published cleaned lines by pandas; in thousandths of a pound sums are exact."""
    price = file["UnitPrice"].cast("float64")
    raw = file.drop_columns("UnitPrice").append_column("UnitPrice", price)
    raw = raw.to_pandas(strings_to_categorical=True)
    raw = raw[
        raw["CustomerID"].notna()
        & ~raw["InvoiceNo"].str.startswith("C")
        & (raw["Quantity"] > 0)
        & (raw["UnitPrice"] > 0)
    ]
    raw = raw.assign(
        mills=(raw["Quantity"] * raw["UnitPrice"] * 1000).round().astype("int64"),
        day=raw["InvoiceDate"].dt.normalize(),
    )
    assert len(raw) == 397_884
    return raw


@pytest.fixture(scope="module")
def lines(file):
    """Return the same lines in the engine."""
    t = ibis.memtable(file)
    t = t.filter(
        t.CustomerID.notnull(), ~t.InvoiceNo.startswith("C"), t.Quantity > 0, t.UnitPrice > 0
    )
    engine = ibis.duckdb.connect()
    t = t.select(
        customer_id="CustomerID",
        occurred_at="InvoiceDate",
        order_id="InvoiceNo",
        amount=(t.UnitPrice * t.Quantity).cast("decimal(18, 4)"),
    )
    return engine.create_table("lines", t)


def test_scores_are_those_of_the_plainest_pandas(plain, lines):
    """Customer by customer, under the published rule."""
    by = plain.groupby("CustomerID", observed=True)
    wanted = pd.DataFrame(
        {
            "recency_days": (pd.Timestamp(DAY) - by["day"].max()).dt.days,
            "frequency": by["InvoiceNo"].nunique(),
            "monetary": by["mills"].sum(),
        }
    )
    assert len(wanted) == 4_338
    for score, name in {"r": "recency_days", "f": "frequency", "m": "monetary"}.items():
        values = wanted[name].to_numpy()
        worse = [int((values > x if score == "r" else values < x).sum()) for x in values]
        wanted[score] = [1 + 5 * fewer // len(wanted) for fewer in worse]
    both = -(-(wanted["f"] + wanted["m"]) // 2)
    wanted["segment"] = [GRID[r][fm - 1] for r, fm in zip(wanted["r"], both, strict=True)]
    ours = score_rfm({"transactions": lines}, DAY)
    ours = ours.to_pandas().set_index("customer_id").sort_index()
    assert ours["monetary"].astype(float).sum() == pytest.approx(8_911_407.904)
    ours["monetary"] = (ours["monetary"] * 1000).astype("int64")
    wanted = wanted.set_axis(wanted.index.astype(str)).sort_index()
    assert ours[wanted.columns].astype(object).equals(wanted.astype(object))


def test_the_hold_out_is_judged_beside_last_periods_purchases(plain, lines):
    """Histories by the plainest pandas; what followed beside what was foretold at the landmark."""
    day = lines.occurred_at.date()
    days = purchase_days(lines.select("customer_id", day=day, paid="amount")).cache()
    each = histories(days, LANDMARK, until=DAY).cache()
    counts = count_histories(each)
    held = judge_holdout(counts, count_weeks(days, LANDMARK, DAY))
    # the plainest pandas
    bought = plain[["CustomerID", "day"]].drop_duplicates()
    bought = bought.assign(
        first=bought.groupby("CustomerID", observed=True)["day"].transform("min")
    )
    landmark = pd.Timestamp(LANDMARK)
    bought = bought[bought["first"] <= landmark]
    again, after = bought["day"] > bought["first"], bought["day"] > landmark
    since = landmark - (pd.Timestamp(DAY) - landmark)
    by = bought["CustomerID"]
    rows = pd.DataFrame(
        {
            "frequency": (again & ~after).groupby(by, observed=True).sum(),
            "later": after.groupby(by, observed=True).sum(),
            "recent": (again & ~after & (bought["day"] > since)).groupby(by, observed=True).sum(),
        }
    )
    last = bought["day"].where(~after).groupby(by, observed=True).max()
    first = bought["first"].groupby(by, observed=True).first()
    rows = rows.assign(recency_days=(last - first).dt.days, age_days=(landmark - first).dt.days)
    wanted = rows.groupby([*HISTORY, "recent", "later"]).size()
    assert counts.set_index(wanted.index.names)["n"].to_dict() == wanted.to_dict()
    assert held.actual == rows["later"].sum() == 4708
    assert held.totals["purchases"].iloc[1] == rows["recent"].sum() == 3210
    error = (rows["recent"] - rows["later"]).pow(2).mean() ** 0.5
    assert held.totals["error"].iloc[1] == pytest.approx(error, rel=1e-12)
    # counts have the likelihood of rows, wherever it is asked
    for parameters in ([0.72, 9.3, 0.01, 2.0], [0.243, 4.414, 0.793, 2.426]):
        of_counts, of_rows = (log_likelihood(np.array(parameters), t)[0] for t in (counts, rows))
        assert of_counts == pytest.approx(of_rows, rel=1e-9)
    # wholesale customers are not seen to stop, and nobody told the model of Christmas
    assert str(held.model.text).startswith("Customers are not seen to stop buying")
    assert held.beaten is None and [check.passed for check in held.checks] == [False, False]
    assert str(held.text).startswith(
        "Of 4,708 purchases that followed, the model foretold 3,599 and last period's purchases "
        "3,210."
    )
    assert str(held.text).endswith("the model is not proven better.")
    assert "23.6 % too low" in str(held.checks[1].text)
