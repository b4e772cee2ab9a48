"""customerlab: the engine scans the lines once, within its limit of memory; money as decimals."""

from __future__ import annotations

from pathlib import Path

import ibis
from clocked import run
from peer import DAY

from customerlab.params import Engine
from customerlab.value import score_rfm
from customerlab.workspace.engine import open_engine

#: Named here, so that it is loaded as the peers are, before the clock runs.
ENGINE = ibis.duckdb
TABLES = ("transactions", "customers", "accounts")
COLUMNS = ("customer_id", "recency_days", "frequency", "monetary", "r", "f", "m", "segment")


def score(folder: Path) -> dict[tuple[str, str], float]:
    own = folder / ".engine"
    engine = open_engine(Engine(memory_limit="4GB"), own / "rfm", "rfm", own / "remembered")
    tables = {name: engine.read_parquet(folder / "clean" / f"{name}.parquet") for name in TABLES}
    scored = score_rfm(tables, DAY, months=12).select(*COLUMNS).order_by("customer_id")
    engine.to_parquet(scored, folder / "scores.parquet")
    return {}


if __name__ == "__main__":
    run(score)
