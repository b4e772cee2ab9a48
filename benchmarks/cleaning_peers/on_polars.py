"""polars: lazy queries over the files, run by its streaming engine; money as decimals."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import polars as pl
from clocked import run
from peer import (
    CUSTOMERS,
    GENDERS,
    GROUPED,
    NARROW,
    NEXT_DAY,
    ORPHAN,
    REPEAT,
    TESTS,
    TRANSACTIONS,
    UNREAD,
    WIDE,
    again,
    counted,
    later,
    missing,
)

Checks = Mapping[str, pl.Expr]


def amount(name: str) -> pl.Expr:
    """Return a text as a decimal, null where it is none or has odd commas."""
    text = pl.col(name)
    commas = text.str.contains(",", literal=True)
    plain = pl.when(commas & ~text.str.contains(GROUPED)).then(None)
    plain = plain.otherwise(text.str.replace_all(",", "", literal=True))
    return plain.cast(pl.Decimal(18, 4), strict=False)


def day(name: str, *formats: str) -> pl.Expr:
    """Return a text as a date, in the first of the formats that fits."""
    text = pl.col(name)
    return pl.coalesce(text.str.to_date(form, strict=False, exact=True) for form in formats)


def typed(texts: pl.LazyFrame, values: Mapping[str, pl.Expr], checks: Checks) -> pl.LazyFrame:
    """Return the rows with their values, and the first reason against each."""
    given = {f"_given_{name}": pl.col(name) for name in values}
    reasons = [pl.when(holds).then(pl.lit(why)) for why, holds in checks.items()]
    rows = texts.with_columns(**given).with_columns(**values)
    return rows.with_columns(_reason=pl.coalesce(reasons)).drop(list(given))


def unread(name: str) -> pl.Expr:
    return pl.col(f"_given_{name}").is_not_null() & pl.col(name).is_null()


def repeats(texts: pl.LazyFrame, free: pl.LazyFrame, key: str) -> pl.DataFrame:
    """Return ``_row`` and ``_reason`` of rows that repeat an earlier one that nothing is against.

    Only rows that share a key are compared, so that few are held.
    """
    shared = free.group_by(key).agg(n=pl.len()).filter(pl.col("n") > 1)
    keys = shared.select(key).collect(engine="streaming").lazy()
    alike = free.select("_row", key).join(keys, on=key, how="semi").select("_row")
    few = texts.join(alike, on="_row", how="semi").collect(engine="streaming").sort("_row")
    exact = ~few.select(pl.struct(pl.all().exclude("_row")).is_first_distinct()).to_series()
    reason = pl.when(exact).then(pl.lit(REPEAT)).otherwise(pl.lit(again(key)))
    return few.with_columns(_reason=reason).filter(~pl.col(key).is_first_distinct())


def write(
    folder: Path, name: str, raw: pl.LazyFrame, texts: pl.LazyFrame, marked: pl.LazyFrame, key: str
) -> dict[str, int]:
    """Write the clean rows by key, and the others as they came with the reason; count both."""
    for kind in ("clean", "quarantine"):
        (folder / kind).mkdir(exist_ok=True)
    free = marked.filter(pl.col("_reason").is_null())
    again_here = repeats(texts, free, key).select("_row", "_reason")
    held = marked.filter(pl.col("_reason").is_not_null()).select("_row", "_reason")
    aside = pl.concat([held.collect(engine="streaming"), again_here])
    clean = free.join(again_here.lazy(), on="_row", how="anti").drop("_row", "_reason")
    place = folder / "clean" / f"{name}.parquet"
    clean.sort(key).sink_parquet(place, engine="streaming")
    came = raw.join(aside.lazy(), on="_row").drop("_row")
    came.sink_parquet(folder / "quarantine" / f"{name}.parquet", engine="streaming")
    by_reason = dict(aside["_reason"].value_counts().iter_rows())
    return by_reason | {"clean rows": pl.scan_parquet(place).select(pl.len()).collect().item()}


def clean_customers(folder: Path) -> tuple[pl.Series, dict[str, int]]:
    place = folder / "raw" / "customers.csv"
    raw = pl.read_csv(place, encoding="gb18030", infer_schema=False, row_index_name="_row").lazy()
    text = pl.col(list(CUSTOMERS)).str.replace_many(list(WIDE), list(NARROW)).str.strip_chars()
    texts = raw.with_columns(text.replace("", None)).rename(CUSTOMERS)
    texts = texts.select("_row", *CUSTOMERS.values())
    sex = pl.col("gender").str.to_lowercase()
    values = {
        "joined_on": day("joined_on", "%Y-%m-%d"),
        "birth_date": day("birth_date", "%Y%m%d", "%Y-%m-%d"),
        "gender": pl.coalesce(sex.replace_strict(GENDERS, default=None), "gender"),
        "income_12m": amount("income_12m"),
    }
    checks = {UNREAD[name]: unread(name) for name in ("joined_on", "birth_date", "income_12m")}
    checks[missing("customer_id")] = pl.col("customer_id").is_null()
    checks[later("joined_on")] = pl.col("joined_on") >= NEXT_DAY
    done = write(folder, "customers", raw, texts, typed(texts, values, checks), "customer_id")
    return pl.read_parquet(folder / "clean" / "customers.parquet")["customer_id"], done


def clean_transactions(folder: Path, customers: pl.Series) -> dict[str, int]:
    raw = pl.scan_parquet(folder / "raw" / "tx_*.parquet", row_index_name="_row")
    texts = raw.select("_row", pl.col(TRANSACTIONS).str.strip_chars().replace("", None))
    values = {
        "occurred_at": pl.col("occurred_at").str.to_datetime("%Y-%m-%d %H:%M:%S", strict=False),
        "amount": amount("amount"),
    }
    checks = {UNREAD[name]: unread(name) for name in values}
    checks[missing("customer_id")] = pl.col("customer_id").is_null()
    checks |= {missing(name): pl.col(f"_given_{name}").is_null() for name in values}
    checks[TESTS] = pl.col("channel") == "test"
    checks[later("occurred_at")] = pl.col("occurred_at") >= NEXT_DAY
    checks[ORPHAN] = ~pl.col("customer_id").is_in(customers.implode())
    marked = typed(texts, values, checks)
    return write(folder, "transactions", raw, texts, marked, "transaction_id")


def clean(folder: Path) -> dict[tuple[str, str], float]:
    customers, done = clean_customers(folder)
    return counted({"customers": done, "transactions": clean_transactions(folder, customers)})


if __name__ == "__main__":
    run(clean)
