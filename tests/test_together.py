"""Two features that say together what neither says alone: against the shares of plain counts."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest

from customerlab.churn.outlook import fit_outlook

TREND, PAYROLL = ("steady", "halved", "lower"), ("running", "moved")
#: Chance of leaving in a month where neither says more than both.
ALONE = {"steady": 0.01, "halved": 0.30, "lower": 0.02}
MOVED = 3.0


def windows(together: float, size: int = 40_000, seed: int = 5) -> pd.DataFrame:
    """Return counts in which half the money, after a salary has moved, tells `together` times."""
    rng = np.random.default_rng(seed)
    rows = pd.DataFrame(itertools.product(TREND, PAYROLL, range(3)))
    rows.columns = ["trend", "payroll", "lead"]
    moved, halved = rows["payroll"] == "moved", rows["trend"] == "halved"
    rate = -np.log1p(-rows["trend"].map(ALONE)) * np.where(moved, MOVED, 1.0)
    rate *= np.where(moved & halved, together, 1.0)
    share = np.where(moved, 0.2, 0.8) * rows["trend"].map({"steady": 0.6, "halved": 0.1})
    rows["n"] = (share.fillna(0.3) * size).astype(int)
    rows["events"] = rng.binomial(rows["n"], -np.expm1(-rate))
    return rows.assign(tenure_band="60+")


def monthly(outlook, rows: pd.DataFrame, ahead: int) -> np.ndarray:
    [(_, chance, _)] = outlook.hazards_of(outlook.rows(rows, ahead))
    return chance


def test_a_planted_pair_is_found_and_gives_the_shares_of_its_cells():
    counts = windows(together=0.1)
    outlook = fit_outlook(counts, ["payroll", "trend"])
    assert outlook.pairs == (("payroll", "trend"),)
    assert set(outlook.inputs) >= {"payroll", "trend"} and "payroll × trend" not in outlook.inputs
    # what fades has a level for each band of months: all but the usual cells are as counted
    for ahead in range(3):
        band = counts["lead"] == 0 if ahead == 0 else counts["lead"] > 0
        seen = counts[band].groupby(["trend", "payroll"], as_index=False)[["n", "events"]].sum()
        found = monthly(outlook, seen.assign(tenure_band="60+"), ahead)
        assert found == pytest.approx((seen["events"] / seen["n"]).to_numpy(), rel=1e-6)


def test_where_features_multiply_there_is_no_pair():
    outlooks = [fit_outlook(windows(1.0, seed=seed), ["payroll", "trend"]) for seed in range(20)]
    assert sum(bool(outlook.pairs) for outlook in outlooks) <= 2


def test_what_only_the_pair_has_seen_is_not_told_apart():
    """All whose money was halved and who left had their salary moved: no ratio runs away."""
    counts = windows(together=0.3)
    alone = (counts["trend"] == "halved") & (counts["payroll"] == "running")
    counts.loc[alone, ["n", "events"]] = [3, 0]
    outlook = fit_outlook(counts, ["payroll", "trend"])
    for hazard in outlook.hazards.values():
        assert np.abs(hazard.coefficients[1:]).max() < 5
        assert not any("left out" in str(note) for note in hazard.notes)
    rows = pd.DataFrame({"trend": ["halved"], "payroll": ["moved"], "tenure_band": ["60+"]})
    seen = counts[(counts["trend"] == "halved") & (counts["payroll"] == "moved")]
    for ahead, leads in ((0, [0]), (1, [1, 2])):
        mine = seen[seen["lead"].isin(leads)]
        share = mine["events"].sum() / mine["n"].sum()
        assert monthly(outlook, rows, ahead)[0] == pytest.approx(share, rel=0.05)
