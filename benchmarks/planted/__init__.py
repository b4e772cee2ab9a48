"""What a run found in the demo bank, beside what was planted there.

Nothing here is held in memory but the answers: banks of millions are compared, too.
"""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd

from customerlab import simulate
from customerlab.paths import Paths

#: Dirt that is no row.
NO_ROW = ("blank_line",)


def compare(root: Path, client: str) -> pd.DataFrame:
    """Return ``what``, ``planted`` and ``found``, with the ends of the interval, where it has one.

    Parameters
    ----------
    root : path
        The project's root, after all notebooks have run.
    client : str
        A bank of :func:`customerlab.simulate.simulate_bank`.
    """
    paths = Paths(root, client)
    rows = [*_dirt(paths), *_invalid(paths), *_leavers(paths), *_effects(paths), *_chances(paths)]
    return pd.DataFrame(rows, columns=["what", "planted", "found", "low", "high"])


def _ask(sql: str, *places: Path) -> tuple[float, ...]:
    with duckdb.connect() as con:
        row = con.execute(sql, [str(place) for place in places]).fetchone()
    assert row is not None
    return row


def _truth(paths: Paths, name: str) -> Path:
    return paths.data / "truth" / f"{name}.parquet"


def _dirt(paths: Paths) -> list[tuple]:
    dirt = pd.read_csv(paths.data / "truth" / "dirt.csv")
    aside = dirt["action"].isin(["quarantined", "dropped"]) & ~dirt["kind"].isin(NO_ROW)
    ledger = pd.read_csv(paths.table("cleaning_ledger"), dtype=str)
    found = ledger.loc[ledger["action"] == "set aside", "rows"].astype(int).sum()
    return [("rows set aside", dirt.loc[aside, "rows"].sum(), found, np.nan, np.nan)]


def _invalid(paths: Paths) -> list[tuple]:
    right, caught, planted = _ask(
        "SELECT count(*) FILTER (layer = 'invalid' AND planted_invalid), "
        "count(*) FILTER (layer = 'invalid'), count(*) FILTER (planted_invalid) "
        "FROM read_parquet(?) JOIN read_parquet(?) USING (customer_id)",
        paths.customers,
        _truth(paths, "customers"),
    )
    return [
        ("of those called invalid, truly so", 0.97, right / caught, np.nan, np.nan),
        ("of the truly invalid, called so", 1.0, right / planted, np.nan, np.nan),
    ]


def _leavers(paths: Paths) -> list[tuple]:
    lines = []
    told = json.loads(paths.findings("04_churn_timing").read_text(encoding="utf-8"))
    findings = {finding["id"]: finding for finding in told["findings"]}
    for months in (3, 5):
        found = findings[f"churn_timing.leave_within_{months}_months"]
        true, here = _ask(
            f"SELECT (SELECT sum(leave_within_{months}) FROM read_parquet(?)), "
            "(SELECT sum(still_here) FROM read_parquet(?))",
            _truth(paths, "hazards"),
            paths.scores("churn_timing"),
        )
        ends = [found[name] for name in ("value", "low", "high")]
        lines.append((f"leave within {months} months", true / here, *ends))
    return lines


def _effects(paths: Paths) -> list[tuple]:
    shown = pd.read_csv(paths.table("effects"))

    def found(arm: str, outcome: str, *names: str) -> list[float]:
        [row] = shown[(shown["arm"] == arm) & (shown["outcome"] == outcome)].to_dict("records")
        return [float(row[name]) for name in names]

    ends = ("adjusted_effect", "adjusted_low", "adjusted_high")
    lines: list[tuple] = []
    for arm in ("sms", "call"):
        (true,) = _ask(
            f"SELECT avg(chance_{arm} - chance_control) FROM read_parquet(?)",
            _truth(paths, "responses"),
        )
        lines.append((f"more buyers by {arm}", true, *found(arm, "bought_plan", *ends)))
    coupon = found("coupon", "card_spend", "relative", "relative_low", "relative_high")
    lines.append(("larger card spend by the coupon", simulate.planted.COUPON_FACTOR - 1, *coupon))
    return [*lines, ("card spend by the letter", 0.0, *found("letter", "card_spend", *ends))]


def _chances(paths: Paths) -> list[tuple]:
    found, true, alike = _ask(
        "WITH pairs AS (SELECT s.chance AS ours, t.chance AS theirs, "
        "rank() OVER (ORDER BY s.chance) AS one, rank() OVER (ORDER BY t.chance) AS other "
        "FROM read_parquet(?) s JOIN read_parquet(?) t USING (customer_id, product, channel)) "
        "SELECT avg(ours), avg(theirs), corr(one, other) FROM pairs",
        paths.scores("response_model"),
        _truth(paths, "response_chances"),
    )
    return [
        ("chance that a contact sells", true, found, np.nan, np.nan),
        ("its order among customers (rank correlation)", 1.0, alike, np.nan, np.nan),
    ]
