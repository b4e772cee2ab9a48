"""Share of wallet: linear programming, rows for counts, planted truth, and odd customers."""

from __future__ import annotations

import ibis
import numpy as np
import pandas as pd
import pytest
from statsmodels.regression.quantile_regression import QuantReg

from customerlab.errors import CustomerlabError
from customerlab.messages import Words
from customerlab.plots.wallet import wallet_by_group
from customerlab.privacy import HIDDEN
from customerlab.value.wallet import estimate_wallets, fit_quantile, score_wallets
from customerlab.value.wallet_groups import (
    groups_to_show,
    judge_wallets,
    wallet_groups,
    wallets_to_show,
)

WORDS = Words("en", "CNY", 10)


def people(n: int, seed: int = 1) -> pd.DataFrame:
    """Return customers whose wallet is planted, and of which a beta-distributed share is here."""
    rng = np.random.default_rng(seed)
    job, region = rng.integers(0, 4, n), rng.integers(0, 3, n)
    wallet = np.exp(9 + 0.8 * job + 0.3 * region + rng.normal(0, 0.3, n))
    return pd.DataFrame(
        {
            "customer_id": [f"c{i:05}" for i in range(n)],
            "job": [f"job {j}" for j in job],
            "region": [f"region {r}" for r in region],
            "assets": wallet * rng.beta(1.2, 0.8, n),
            "wallet": wallet,
        }
    )


def test_counts_are_rows_and_statsmodels_agrees():
    """Oracles: the rows written out, and statsmodels' quantile regression."""
    rng = np.random.default_rng(5)
    x = np.column_stack([np.ones(90), rng.integers(0, 2, 90), rng.integers(0, 2, 90)])
    n, tau = rng.integers(1, 6, 90), 0.8
    y = x @ [1.0, 0.5, -0.4] + rng.gumbel(size=90)
    ours = fit_quantile(y, x, n, tau)
    rows = fit_quantile(np.repeat(y, n), np.repeat(x, n, axis=0), np.ones(n.sum()), tau)
    assert np.repeat(ours, n) == pytest.approx(rows, abs=1e-3)

    def loss(fitted: np.ndarray) -> float:
        gap = y - fitted
        return float(n @ np.where(gap > 0, tau * gap, (tau - 1) * gap))

    # a count enters exactly: w rho(y - x b) = rho(w y - w x b)
    theirs = QuantReg(y * n, x * n[:, None]).fit(tau, max_iter=5000, p_tol=1e-8)
    assert ours == pytest.approx(x @ np.asarray(theirs.params), abs=1e-4)
    assert loss(ours) <= loss(x @ np.asarray(theirs.params)) + 1e-9


def test_one_kind_of_customers_by_hand():
    """Alike in all: the wallet is the plain 90 % quantile; who holds more has all of it here."""
    frame = people(1).drop(columns=["wallet"])
    frame = pd.concat([frame.assign(customer_id=str(i), assets=100.0 * i) for i in range(1, 102)])
    table = ibis.memtable(frame.reset_index(drop=True))
    rng = np.random.default_rng(1)
    fitted = estimate_wallets(table, ["job"], rng=rng, step=None, resamples=3)
    assert np.exp(fitted.cells["log_wallet"]).tolist() == pytest.approx([9100], rel=2e-3)
    got = score_wallets(table, fitted).to_pandas().set_index("customer_id")
    assert got.loc["1", "elsewhere"] == pytest.approx(9000, rel=2e-3)
    assert got.loc["101", ["elsewhere", "share_here"]].tolist() == [0, 1]


def test_the_planted_order_is_found():
    """Planted truth: better ordered than by assets here, and a total within its sensitivity."""
    frame = people(4000)
    table = ibis.memtable(frame)
    fitted = estimate_wallets(table, ["job", "region"], rng=np.random.default_rng(2), resamples=4)
    scored = score_wallets(table, fitted).cache()
    agreement = judge_wallets(scored, table.select("customer_id", "wallet"))
    # oracle: the true 90 % quantile of what is here, which nobody could better without more inputs
    rng = np.random.default_rng(9)
    high = np.quantile(rng.normal(0, 0.3, 200_000) + np.log(rng.beta(1.2, 0.8, 200_000)), 0.9)
    kind = 0.8 * frame["job"].str[-1].astype(int) + 0.3 * frame["region"].str[-1].astype(int)
    true = frame.assign(here=frame["assets"]).drop(columns=["wallet", "assets"])
    true["wallet"] = np.maximum(np.exp(9 + kind + high), true["here"])
    true = true.assign(elsewhere=true["wallet"] - true["here"])
    true["share_here"] = true["here"] / true["wallet"]
    best = judge_wallets(ibis.memtable(true), table.select("customer_id", "wallet"))
    assert min(best.values()) > 0.7
    for name, reached in best.items():
        assert agreement[name] > reached - 0.02
    here = frame["assets"].corr(frame["wallet"] - frame["assets"], method="spearman")
    assert agreement["elsewhere"] > here + 0.2
    truth = (frame["wallet"] - frame["assets"]).sum()
    assert fitted.table["elsewhere"].is_monotonic_increasing
    assert fitted.table["elsewhere"].min() < truth < fitted.table["elsewhere"].max()
    finding = fitted.finding
    assert finding.low < finding.value < finding.high
    assert finding.status == "weak"  # it rests on an assumption
    groups = wallet_groups(scored, table, "job")
    assert groups["group"].tolist() == ["job 3", "job 2", "job 1", "job 0"]
    assert groups["here"].sum() == pytest.approx(frame["assets"].sum())
    assert groups["elsewhere"].sum() == pytest.approx(scored.elsewhere.sum().execute())


def test_nobody_few_and_who_lacks_something():
    nobody = ibis.memtable(people(1)).filter(ibis._.assets < 0)
    rng = np.random.default_rng(3)
    none = estimate_wallets(nobody, ["job"], rng=rng)
    assert none.finding.status == "not_enough_data"
    assert none.finding.value is None
    assert score_wallets(ibis.memtable(people(2)), none).wallet.count().execute() == 0
    frame = people(12)
    frame.loc[0, "job"], frame.loc[1, "assets"], frame.loc[2, "assets"] = None, None, -5.0
    table = ibis.memtable(frame)
    few = estimate_wallets(table, ["job"], rng=rng, resamples=2)
    assert few.finding.status == "not_enough_data"
    assert "Too few" in WORDS(few.finding.text)
    got = score_wallets(table, few).to_pandas().set_index("customer_id")
    assert np.isfinite(got.loc["c00000", "wallet"])
    assert np.isnan(got.loc["c00001", "wallet"])
    groups = wallet_groups(score_wallets(table, few), table, "region")
    shown = groups_to_show(groups, 10, "region")
    assert set(shown["here"]) == {HIDDEN}
    jobs = wallet_groups(score_wallets(table, few), table, "job")
    shown = groups_to_show(jobs, 1, "job")
    # what is not known of a customer is a group of its own, and has a name in each language
    assert jobs["customers"].sum() == groups["customers"].sum()
    assert {"unknown"} == {WORDS(one) for one in shown["group"] if not isinstance(one, str)}
    assert "unknown" in WORDS(wallet_by_group(shown, WORDS).alt)
    assert wallets_to_show(few, 20)["n"].tolist() == ["<20"] * 3
    with pytest.raises(CustomerlabError, match="quantile"):
        estimate_wallets(table, ["job"], rng=rng, quantile=0.2)
