"""pandas: all lines of the four columns in memory, grouped; money as floats, rounded to cents."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from clocked import run
from peer import DAY, LAPSED, REGISTERED, SEGMENTS, SINCE


def read_lines(place: Path) -> pd.DataFrame:
    """Read with money as floats: as pandas reads decimals, each is an object of Python's."""
    lines = pq.read_table(place, columns=["customer_id", "occurred_at", "amount", "kind"])
    amount = pc.cast(lines["amount"], pa.float64())
    return lines.set_column(lines.column_names.index("amount"), "amount", amount).to_pandas()


def fifth(values: pd.Series, ascending: bool) -> pd.Series:
    """Return one plus five times the share that is strictly worse, rounded down."""
    worse = values.rank(method="min", ascending=ascending).astype("int64") - 1
    return worse * 5 // len(values) + 1


def score(folder: Path) -> dict[tuple[str, str], float]:
    t = read_lines(folder / "clean" / "transactions.parquet")
    spent = (t["kind"] == "purchase") | (t["kind"].isna() & (t["amount"] < 0))
    day = t["occurred_at"].dt.normalize()
    t = t.assign(paid=t["amount"].abs(), day=day)[spent & (day <= pd.Timestamp(DAY))]
    bought = t[t["paid"] > 0]
    lately = bought[bought["day"] > pd.Timestamp(SINCE)].groupby("customer_id")["paid"]

    customers = pd.read_parquet(folder / "clean" / "customers.parquet", columns=["customer_id"])
    each = customers.set_index("customer_id").sort_index()
    each["recency_days"] = (pd.Timestamp(DAY) - bought.groupby("customer_id")["day"].max()).dt.days
    each["frequency"] = lately.size()
    each["monetary"] = lately.sum().round(4)
    each = each.fillna({"frequency": 0, "monetary": 0})

    buyers = each[each["frequency"] > 0]
    each["r"] = fifth(buyers["recency_days"], ascending=False)
    each["f"] = fifth(buyers["frequency"], ascending=True)
    each["m"] = fifth(buyers["monetary"], ascending=True)
    segment = (each["r"] * 10 + (each["f"] + each["m"] + 1) // 2).map(SEGMENTS)
    without = each["recency_days"].isna().map({True: REGISTERED, False: LAPSED})
    each["segment"] = segment.fillna(without)
    each.reset_index().to_parquet(folder / "scores.parquet")
    return {}


if __name__ == "__main__":
    run(score)
