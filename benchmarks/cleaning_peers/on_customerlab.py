"""customerlab: parses the files, marks, cleans and sets aside, within the engine's memory limit."""

from __future__ import annotations

from pathlib import Path

import ibis
from clocked import run
from peer import counted

from customerlab.params import Engine, load_params
from customerlab.paths import Paths
from customerlab.workspace.engine import open_engine
from customerlab.workspace.intake import clean_sources, parse_sources

#: Named here, so that it is loaded as the peers are, before the clock runs.
ENGINE = ibis.duckdb
PARAMS = Path(__file__).parents[2] / "params" / "demo_bank.yaml"
SETTINGS = Engine(memory_limit="4GB")


def clean(folder: Path) -> dict[tuple[str, str], float]:
    """Clean as notebook 01 does, with two of the bank's sources."""
    params, paths = load_params(PARAMS), Paths(folder.parents[1], folder.name)
    asked = {name: params.sources[name] for name in ("customers", "transactions")}
    params = params.model_copy(update={"sources": asked, "engine": SETTINGS})
    own = folder / ".engine"
    engine = open_engine(SETTINGS, own / "cleaning", "cleaning", own / "remembered")
    parse_sources(params, paths, engine)
    ledger = clean_sources(params, paths, engine, where=PARAMS.name)
    ledger = ledger[ledger["action"].isin(["quarantined", "clean"]) & (ledger["rows"] > 0)]
    ledger["reason"] = ledger["reason"].map(str)
    parts = ledger.groupby("table")
    return counted({name: dict(zip(t["reason"], t["rows"], strict=True)) for name, t in parts})


if __name__ == "__main__":
    run(clean)
