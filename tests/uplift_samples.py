"""Tables for the figures of notebook 07, from a small campaign that was simulated."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pandas as pd

from customerlab.messages import say
from customerlab.uplift.average import compare_arms
from customerlab.uplift.doubly_robust import score_customers
from customerlab.uplift.fifths import calibrate_uplift
from customerlab.uplift.monitored import monitor
from customerlab.uplift.policies import judge_policies
from customerlab.uplift.ranking import rank_effects
from customerlab.uplift.sums import ArmSums

COVARIATES = ["recency", "balance", "months as a customer", "app logins", "age"]
CONTROL = "No contact"


@lru_cache
def customers(n: int = 3000, seed: int = 7) -> pd.DataFrame:
    """Return a campaign by letter and by phone: who logs in often is moved by the phone."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(rng.normal(size=(n, 5)), columns=COVARIATES)
    frame["arm"] = rng.choice([CONTROL, "Letter", "Phone call by the branch"], n)
    chance = 0.12 + 0.03 * frame["recency"].clip(-2, 2)
    chance += np.where(frame["arm"] == "Letter", 0.015, 0)
    moved = np.where(frame["app logins"] > 0.5, 0.17, 0.01)
    chance += np.where(frame["arm"].str.startswith("Phone"), moved, 0)
    frame["bought"] = (rng.random(n) < chance.clip(0.01, 0.9)).astype(float)
    frame["spend"] = frame["bought"] * rng.gamma(2, 400, n)
    frame["stayed"] = (rng.random(n) < 0.9).astype(float)
    return frame


def sums(frame: pd.DataFrame) -> ArmSums:
    """Return an arm's sums."""
    k = tuple(frame.columns)
    return ArmSums(k, float(len(frame)), frame.mean().to_numpy(), frame.cov().to_numpy())


@lru_cache
def arms() -> dict[str, ArmSums]:
    """Return the sums of each arm."""
    return {arm: sums(part.drop(columns="arm")) for arm, part in customers().groupby("arm")}


@lru_cache
def effects() -> pd.DataFrame:
    """Return the table of effects; spend is in the client's currency."""
    outcomes = ["bought", "spend", "stayed"]
    got = compare_arms(arms(), control=CONTROL, outcomes=outcomes, covariates=COVARIATES).table
    return got.assign(money=got["outcome"] == "spend")


@lru_cache
def balance() -> pd.DataFrame:
    """Return the covariates' differences in standard deviations, by plain pandas."""
    frame, rows = customers(), []
    control = frame.loc[frame["arm"] == CONTROL, COVARIATES]
    for arm, mine in frame.groupby("arm")[COVARIATES]:
        if arm == CONTROL:
            continue
        smd = (mine.mean() - control.mean()) / np.sqrt((mine.var() + control.var()) / 2)
        rows += [(name, arm, len(mine), len(control), smd[name]) for name in COVARIATES]
    return pd.DataFrame(rows, columns=["covariate", "arm", "n", "control_n", "smd"])


@lru_cache
def judged(outcome: str = "bought") -> tuple:
    """Return ranking, calibration and policies of the phone calls."""
    mine = customers()[lambda x: x["arm"] != "Letter"]
    treated = (mine["arm"] != CONTROL).to_numpy(float)
    scores = score_customers(treated, mine[outcome].to_numpy(), 0.5)
    foretold = np.where(mine["app logins"] > 0.5, 0.15, 0.02) + 0.02 * mine["recency"].to_numpy()
    rng = np.random.default_rng(1)
    ranking = rank_effects(scores, foretold, rng=rng, draws=60)
    told = {"margin": 40.0, "cost": 3.0, "rng": rng}
    policies = judge_policies(scores, foretold, ranking=ranking, **told)
    return ranking.table, calibrate_uplift(scores, foretold).table, policies.table


def kept() -> pd.DataFrame:
    """Return shares still customers, by arm and month, with numbers at risk."""
    rows = []
    for arm, hazard, n in ((CONTROL, 0.025, 1980), ("Phone call by the branch", 0.016, 2010)):
        for month in range(13):
            share = (1 - hazard) ** month
            half = 1.96 * np.sqrt(share * (1 - share) / n)
            rows.append((arm, month, share, share - half, share + half))
    return pd.DataFrame(rows, columns=["arm", "month", "survival", "low", "high"])


def segments() -> pd.DataFrame:
    """Return effects by segment, measured and shrunk."""
    rows = []
    frame = customers()
    for name, mine in (
        ("under 30", frame["age"] < -1),
        ("30 to 44", frame["age"].between(-1, 0.2)),
        ("45 to 59", frame["age"].between(0.2, 1.5)),
        ("60 and older", frame["age"] > 1.5),
    ):
        both = [frame.loc[mine & (frame["arm"] == arm), "bought"] for arm in (_PHONE, CONTROL)]
        effect = both[0].mean() - both[1].mean()
        error = np.sqrt(sum(x.var() / len(x) for x in both))
        weight = 0.03**2 / (0.03**2 + error**2)
        shrunk, less = 0.06 + weight * (effect - 0.06), error * np.sqrt(weight)
        spread = [effect - 1.96 * error, effect + 1.96 * error]
        rows.append((name, effect, *spread, shrunk, shrunk - 1.96 * less, shrunk + 1.96 * less))
    columns = ["segment", "effect", "low", "high", "shrunk", "shrunk_low", "shrunk_high"]
    return pd.DataFrame(rows, columns=columns).assign(binary=True)


_PHONE = "Phone call by the branch"


@lru_cache
def looks() -> pd.DataFrame:
    """Return what each look at the phone calls may say."""
    frame = customers()[lambda x: x["arm"] != "Letter"]
    rows = []
    for n in range(100, len(frame) + 1, 100):
        so_far = frame.iloc[:n]
        both = [so_far.loc[so_far["arm"] == arm, "bought"] for arm in (_PHONE, CONTROL)]
        error = np.sqrt(sum(x.var() / len(x) for x in both))
        rows.append((n, both[0].mean() - both[1].mean(), error))
    given = pd.DataFrame(rows, columns=["n", "estimate", "standard_error"])
    table = monitor(given, planned=2000).table
    days = pd.date_range("2025-03-03", periods=len(table), freq="D")
    return table.assign(day=days, binary=True)


def parts() -> pd.DataFrame:
    """Return the parts of a change of -3.1 points."""
    rows = [
        ("Reach: fewer were reached", -1.2, -1.8, -0.6),
        ("Channel: letters in place of calls", -2.4, -3.5, -1.3),
        ("A deeper discount", 0.9, 0.1, 1.7),
        ("Other customers than before", -0.1, -0.6, 0.4),
        (say("What the data cannot tell"), -0.3, -1.5, 0.9),
    ]
    table = pd.DataFrame(rows, columns=["part", "value", "low", "high"])
    return table.assign(**table[["value", "low", "high"]] / 100, binary=True)
