"""polars: one lazy query, run by its streaming engine; money as the decimals that it is."""

from __future__ import annotations

from pathlib import Path

import polars as pl
from clocked import run
from peer import DAY, LAPSED, REGISTERED, SEGMENTS, SINCE


def fifth(name: str, descending: bool) -> pl.Expr:
    """Return one plus five times the share of buyers that is strictly worse, rounded down."""
    buyers = pl.col("frequency") > 0
    worse = pl.when(buyers).then(name).rank("min", descending=descending).cast(pl.Int64) - 1
    return worse * 5 // buyers.sum() + 1


def score(folder: Path) -> dict[tuple[str, str], float]:
    t = pl.scan_parquet(folder / "clean" / "transactions.parquet").with_columns(
        day=pl.col("occurred_at").dt.date(), paid=pl.col("amount").abs()
    )
    spent = (pl.col("kind") == "purchase") | (pl.col("kind").is_null() & (pl.col("amount") < 0))
    lately = pl.col("day") > SINCE
    each = (
        t.filter(spent.fill_null(False), pl.col("paid") > 0, pl.col("day") <= DAY)
        .group_by("customer_id")
        .agg(
            recency_days=(pl.lit(DAY) - pl.col("day").max()).dt.total_days(),
            frequency=lately.sum().cast(pl.Int64),
            monetary=pl.col("paid").filter(lately).sum(),
        )
    )
    customers = pl.scan_parquet(folder / "clean" / "customers.parquet").select("customer_id")
    both = customers.join(each, on="customer_id", how="left").with_columns(
        pl.col("frequency", "monetary").fill_null(0)
    )
    place = pl.col("r") * 10 + (pl.col("f") + pl.col("m") + 1) // 2
    without = pl.when(pl.col("recency_days").is_null())
    without = without.then(pl.lit(REGISTERED)).otherwise(pl.lit(LAPSED))
    scored = both.with_columns(
        r=fifth("recency_days", descending=True),
        f=fifth("frequency", descending=False),
        m=fifth("monetary", descending=False),
    ).with_columns(segment=place.replace_strict(SEGMENTS, default=None).fill_null(without))
    scored.sort("customer_id").sink_parquet(folder / "scores.parquet", engine="streaming")
    return {}


if __name__ == "__main__":
    run(score)
