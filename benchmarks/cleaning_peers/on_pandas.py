"""pandas: both tables in memory as texts, column by column; money as floats."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
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

LAST = pd.Timestamp(NEXT_DAY)


def amounts(text: pd.Series) -> pd.Series:
    """Return texts as numbers, missing where they are none or have odd commas."""
    commas = text.str.contains(",", regex=False, na=False)
    plain = text.mask(commas & ~text.str.match(GROUPED, na=False))
    plain = plain.mask(commas, plain.str.replace(",", "", regex=False))
    return pd.to_numeric(plain, errors="coerce").replace([np.inf, -np.inf], np.nan)


def days(text: pd.Series, *formats: str) -> pd.Series:
    """Return texts as times, in the first of the formats that fits."""
    found = [pd.to_datetime(text, format=form, errors="coerce") for form in formats]
    return found[0] if len(found) == 1 else found[0].fillna(found[1])


def set_aside(texts: pd.DataFrame, checks: Mapping[str, pd.Series], key: str) -> pd.Series:
    """Return the first reason against each row; of rows alike the first stays."""
    reason = pd.Series(None, index=texts.index, dtype=object)
    for why, holds in checks.items():
        reason[holds & reason.isna()] = why
    free = texts[reason.isna() & texts.duplicated(key, keep=False)]
    repeats = free[free.duplicated(key)].index
    reason[repeats] = again(key)
    reason[repeats[free.duplicated()[repeats]]] = REPEAT
    return reason


def write(
    folder: Path, name: str, clean: pd.DataFrame, raw: pd.DataFrame, reason: pd.Series, key: str
) -> dict[str, int]:
    """Write the clean rows by key, and the others as they came with the reason; count both."""
    rows = clean[reason.isna()].sort_values(key)
    for kind in ("clean", "quarantine"):
        (folder / kind).mkdir(exist_ok=True)
    rows.to_parquet(folder / "clean" / f"{name}.parquet", index=False)
    aside = raw[reason.notna()].assign(_reason=reason)
    aside.to_parquet(folder / "quarantine" / f"{name}.parquet", index=False)
    return {**reason.value_counts(), "clean rows": len(rows)}


def clean_customers(folder: Path) -> tuple[pd.Series, dict[str, int]]:
    place = folder / "raw" / "customers.csv"
    raw = pd.read_csv(place, encoding="gb18030", dtype=str, keep_default_na=False)
    narrow = str.maketrans(WIDE, NARROW)
    texts = raw.apply(lambda column: column.str.translate(narrow).str.strip()).replace("", None)
    texts = texts.rename(columns=CUSTOMERS)[list(CUSTOMERS.values())]
    t = texts.copy()
    t["joined_on"] = days(texts["joined_on"], "%Y-%m-%d")
    t["birth_date"] = days(texts["birth_date"], "%Y%m%d", "%Y-%m-%d")
    t["gender"] = texts["gender"].str.lower().map(GENDERS).fillna(texts["gender"])
    t["income_12m"] = amounts(texts["income_12m"])
    checks = {
        UNREAD[name]: texts[name].notna() & t[name].isna()
        for name in ("joined_on", "birth_date", "income_12m")
    }
    checks[missing("customer_id")] = t["customer_id"].isna()
    checks[later("joined_on")] = t["joined_on"] >= LAST
    reason = set_aside(texts, checks, "customer_id")
    done = write(folder, "customers", t, raw, reason, "customer_id")
    return t.loc[reason.isna(), "customer_id"], done


def clean_transactions(folder: Path, customers: pd.Series) -> dict[str, int]:
    places = sorted((folder / "raw").glob("tx_*.parquet"))
    raw = pd.concat([pd.read_parquet(place) for place in places], ignore_index=True)
    texts = raw.apply(lambda column: column.str.strip()).replace("", None)[TRANSACTIONS]
    t = texts.copy()
    t["occurred_at"] = days(texts["occurred_at"], "%Y-%m-%d %H:%M:%S")
    t["amount"] = amounts(texts["amount"])
    checks = {
        UNREAD[name]: texts[name].notna() & t[name].isna() for name in ("occurred_at", "amount")
    }
    checks |= {
        missing(name): texts[name].isna() for name in ("customer_id", "occurred_at", "amount")
    }
    checks[TESTS] = t["channel"] == "test"
    checks[later("occurred_at")] = t["occurred_at"] >= LAST
    checks[ORPHAN] = ~t["customer_id"].isin(customers)
    reason = set_aside(texts, checks, "transaction_id")
    return write(folder, "transactions", t, raw, reason, "transaction_id")


def clean(folder: Path) -> dict[tuple[str, str], float]:
    customers, done = clean_customers(folder)
    return counted({"customers": done, "transactions": clean_transactions(folder, customers)})


if __name__ == "__main__":
    run(clean)
