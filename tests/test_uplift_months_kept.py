"""Months kept by arm: R's survfit, lifelines, planted truth, rows of cells.

R's numbers come from ``tests/oracles/uplift_parts.R`` (R 4.2.2, survival), on its data `colon`.
"""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import scipy
from lifelines import KaplanMeierFitter
from lifelines.utils import restricted_mean_survival_time

from customerlab.churn.showing import curves_table
from customerlab.errors import CustomerlabError
from customerlab.messages import ENGLISH
from customerlab.privacy import HIDDEN
from customerlab.uplift.beside import months_findings
from customerlab.uplift.months_kept import (
    COLUMNS,
    CURVES,
    _restricted_mean,
    keep_months,
)
from customerlab.uplift.parts_shown import kept_curves_to_show, kept_to_show

ORACLES = Path(__file__).parent / "oracles"
R = pd.read_csv(ORACLES / "uplift_parts.csv", index_col="name")["value"]


@pytest.fixture(scope="module")
def colon():
    return pd.read_csv(ORACLES / "kept.csv").assign(left=lambda d: d["left"] == 1)


@pytest.mark.parametrize("horizon", [12, 80])
def test_means_and_errors_are_rs(colon, horizon):
    found = keep_months(colon, control="Obs", horizon_months=horizon).table
    assert found["arm"].tolist() == ["Lev+5FU", "Lev"]
    for row in found.itertuples():
        mean, base = R[f"rmst.{row.arm}.{horizon}"], R[f"rmst.Obs.{horizon}"]
        error = np.hypot(R[f"se.{row.arm}.{horizon}"], R[f"se.Obs.{horizon}"])
        assert row.rmst == pytest.approx(mean, rel=1e-12)
        assert row.control_rmst == pytest.approx(base, rel=1e-12)
        assert row.months_kept == pytest.approx(mean - base, abs=1e-10)
        assert row.high - row.low == pytest.approx(2 * scipy.stats.norm.ppf(0.975) * error)
        p = 2 * scipy.stats.norm.sf(abs(mean - base) / error)
        assert row.p_value == pytest.approx(p, rel=1e-8)
        assert row.horizon_months == horizon


def test_means_are_lifelines(colon):
    found = keep_months(
        colon[colon["arm"] != "Lev"], control="Obs", horizon_months=60
    ).table.set_index("arm")
    mine = colon[colon["arm"] == "Lev+5FU"]
    fit = KaplanMeierFitter().fit(mine["duration"], mine["left"], weights=mine["n"])
    want = restricted_mean_survival_time(fit, t=60)
    assert found["rmst"]["Lev+5FU"] == pytest.approx(want, rel=1e-9)


def test_counts_are_the_same_as_rows(colon):
    rows = colon.loc[colon.index.repeat(colon["n"])].assign(n=1)
    one, other = (keep_months(data, control="Obs").table for data in (colon, rows))
    numbers = ["n", "left", "rmst", "months_kept", "low", "high", "horizon_months"]
    for name in numbers:
        assert one[name].tolist() == pytest.approx(other[name].tolist(), rel=1e-12)


def test_a_month_by_hand():
    """40 customers, 10 leave in month 1 and 6 of the other 30 in month 2: 1 + 0.75 + 0.6."""
    counts = pd.DataFrame(
        [("a", 1, True, 10), ("a", 2, True, 6), ("a", 3, False, 24), ("b", 3, False, 40)],
        columns=["arm", "duration", "left", "n"],
    )
    found = keep_months(counts, control="b")
    row = found.table.iloc[0]
    assert row["horizon_months"] == 2  # 24 of a were at risk in month 3
    assert row["rmst"] == pytest.approx(1.75)
    longer = pd.concat([counts, counts])
    row = keep_months(longer, control="b", horizon_months=99).table.iloc[0]
    assert row["horizon_months"] == 3
    assert row["rmst"] == pytest.approx(2.35)
    # Greenwood by hand: (0.75 + 0.6)^2 20 / (80 60) + 0.6^2 12 / (60 48)
    error = np.sqrt(1.35**2 * 20 / 4800 + 0.6**2 * 12 / 2880)
    assert row["high"] - row["low"] == pytest.approx(2 * scipy.stats.norm.ppf(0.975) * error)
    assert row["left"] == 32


def curve(rng, n, hazard, horizon):
    """Return the curve, by hand, of customers who leave at a constant rate.

    They were watched for 6 to `horizon` months.
    """
    stays, seen = rng.geometric(hazard, n), rng.integers(6, horizon + 1, n)
    watched = np.bincount(np.minimum(stays, seen), minlength=horizon + 1)
    events = np.bincount(stays[stays <= seen], minlength=horizon + 1)
    at_risk = watched[::-1].cumsum()[::-1]
    share = np.cumprod(1 - events / at_risk)
    months = np.arange(horizon + 1)
    return pd.DataFrame({"month": months, "at_risk": at_risk, "events": events, "survival": share})


def test_interval_covers_planted_months():
    """150 draws of 600 and 400; truth by hand: sum of (1 - hazard)^t over 12 months."""
    rng, covered = np.random.default_rng(9), 0
    truth = sum(0.94**t - 0.90**t for t in range(12))
    for _ in range(150):
        one, base = (
            _restricted_mean(curve(rng, n, hazard, 12), 12)
            for n, hazard in ((600, 0.06), (400, 0.10))
        )
        off = abs(one.mean - base.mean - truth) / np.sqrt(one.variance + base.variance)
        covered += off <= scipy.stats.norm.ppf(0.975)
    low, high = scipy.stats.binom.ppf([0.0005, 0.9995], 150, 0.95)
    assert low <= covered <= high


def test_words_tell_both_ways(colon):
    found = keep_months(colon, control="Obs", horizon_months=80)
    assert "customers stay 6.01 months longer with Lev+5FU" in str(found.say("Lev+5FU"))
    assert "That is 6,009 customer-months kept for every 1,000" in str(found.say("Lev+5FU"))
    assert "no sure difference" in str(found.say("Lev"))
    other = keep_months(colon, control="Lev+5FU", horizon_months=80)
    assert "customers stay 6.01 months less with Obs" in str(other.say("Obs"))
    assert set(found.table["status"]) == {"supported"}
    assert list(found.table) == COLUMNS
    with pytest.raises(KeyError):
        found.say("Obs")


def test_curves_can_be_drawn_and_shown(colon):
    found = keep_months(colon, control="Obs")
    assert list(found.curves) == CURVES
    first = found.curves.groupby("arm").head(1)
    assert first["month"].tolist() == [0, 0, 0]
    assert first["survival"].tolist() == [1, 1, 1]
    assert found.curves.groupby("arm")["month"].max().min() == found.table["horizon_months"][0]
    shown = kept_curves_to_show(found.survival, 10)
    assert not shown["events"].between(1, 9).any()
    assert not shown["at_risk"].between(1, 9).any()
    named = curves_table([found.survival], ENGLISH, 10)
    assert shown["survival"].tolist() == named["survival"].tolist()


def test_few_customers_or_exits_give_words(colon):
    small = pd.DataFrame([("small", 5, False, 20)], columns=["arm", "duration", "left", "n"])
    fresh = small.assign(arm="fresh", duration=0)
    found = keep_months(pd.concat([colon, small, fresh]), control="Obs")
    assert "Too few customers in small (20 were watched" in str(found.say("small"))
    assert "Too few customers in fresh (0 were watched" in str(found.say("fresh"))
    assert found.table["horizon_months"].gt(60).all()  # small arms do not shorten it
    assert found.table.loc[found.table["arm"] == "Lev", "low"].notna().all()
    base = keep_months(pd.concat([colon, small]), control="small")
    assert base.table["why_not"].notna().all()
    stay = pd.concat([small.assign(n=900, arm=arm) for arm in ("a", "b")])
    assert "Nobody left a or b before month 5" in str(keep_months(stay, control="b").say("a"))
    few = pd.concat([stay, small.assign(arm="a", duration=2, left=True, n=9)])
    found = keep_months(few, control="b")
    assert "Too few customers left a and b" in str(found.say("a"))
    shown = kept_to_show(found.table, 10)
    assert shown.loc[0, "left"] == "<10"
    assert shown.loc[0, "months_kept"] == HIDDEN
    assert "not shown" in str(keep_months(colon, control="Obs").say("Lev", min_cell=400))
    trial = SimpleNamespace(id="t", name="The trial")
    for least, is_told in ((10, True), (400, False)):
        found = months_findings([(trial, keep_months(colon, control="Obs"))], {}, least)
        assert [(one.value is not None, one.low is not None) for one in found] == 2 * [
            (is_told, is_told)
        ]
    alone = keep_months(small, control="small")
    assert list(alone.table) == COLUMNS
    assert alone.table.empty
    assert kept_to_show(alone.table, 10).empty
    late = keep_months(fresh, control="fresh")
    assert list(late.curves) == CURVES
    assert kept_curves_to_show(late.survival, 10).empty


def test_bad_counts_are_refused(colon):
    with pytest.raises(CustomerlabError, match='did you mean "Obs"'):
        keep_months(colon, control="Obs.")
    with pytest.raises(CustomerlabError, match="whole number of months"):
        keep_months(colon.assign(duration=colon["duration"] - 0.5), control="Obs")
    with pytest.raises(CustomerlabError, match="have 1, not 0"):
        keep_months(colon.assign(duration=0), control="Obs")
    with pytest.raises(CustomerlabError, match="1 or more, not 0"):
        keep_months(colon, control="Obs", horizon_months=0)
