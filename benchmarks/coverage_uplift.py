"""Count how often the search for whom to contact claims what is not there, and finds what is.

Three parts, each seed by seed through the notebook's own steps (foretell, then judge):

- no heterogeneity (the example of the vignette `rate_cv` of R's package grf, and a 0/1 outcome):
  "some are moved more" and "targeting pays" are claimed in at most 5 %, and the interval of AUTOC
  misses 0 in at most 5 %: one-sided binomial tests at 0.1 %;
- a fifth that is moved, so that contacting all loses money: how often targeting is advised, and
  how often the intervals of the rules' gains cover the truth (at least the exact 99.9 % band);
- Hillstrom's women's e-mail against none on visit, where the data are on this machine: uplift in
  the top 30 %, and the p-value of AUTOC beside one from permutations.

Exit code 1 when a line is out of bounds.

    python benchmarks/coverage_uplift.py [--seeds 300] [--customers 1500]
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats
from watching import tell

from customerlab.uplift.foretelling import foretell_effects
from customerlab.uplift.policies import RULES
from customerlab.uplift.targeting import Targeting, judge_targeting

HILLSTROM = Path(__file__).resolve().parents[2] / "shared/data/hillstrom/hillstrom.csv.gz"
MARGIN, COST = 10.0, 1.5


def judge(x: np.ndarray, arm, outcome, rng: np.random.Generator, *, cost=COST):
    """Return what was foretold and how it was judged."""
    frame = pd.DataFrame(x, columns=[f"x{j}" for j in range(x.shape[1])])
    about = {"outcome": outcome, "arm": arm, "propensity": 0.5}
    foretold = foretell_effects(frame, covariates=frame.columns, rng=rng, **about)
    return foretold, judge_targeting(foretold, rng=rng, margin=MARGIN, cost=cost, **about)


def none_moved_more(seed: int, n: int) -> Targeting:
    """Return the judgement where the effect is the same for all."""
    rng = np.random.default_rng(seed)
    x, arm = rng.normal(size=(n, 5)), (rng.random(n) < 0.5).astype(int)
    if seed % 2:
        outcome = np.minimum(x[:, 2], 0) + rng.normal(size=n)
        return judge(x, arm, outcome, rng, cost=0.0)[1]
    chance = 0.15 + 0.3 * (x[:, 2] > 0) + 0.1 * arm
    return judge(x, arm, (rng.random(n) < chance).astype(float), rng, cost=1.0)[1]


def a_fifth_moved(seed: int, n: int) -> tuple[bool, dict[str, bool]]:
    """Return whether targeting is advised, and which gains are covered."""
    rng = np.random.default_rng(seed)
    x, arm = rng.normal(size=(n, 5)), (rng.random(n) < 0.5).astype(int)
    moved = 0.4 * (x[:, 0] > stats.norm.ppf(0.8))
    outcome = (rng.random(n) < 0.2 + 0.1 * (x[:, 1] > 0) + moved * arm).astype(float)
    foretold, found = judge(x, arm, outcome, rng)
    policies, late = found.policies, ~foretold.early
    won = (MARGIN * moved - COST)[foretold.judged][late]
    who = {"nobody": np.zeros(late.sum()), "everybody": np.ones(late.sum())}
    who["above_cost"] = MARGIN * found.priority[late] > COST
    who["best_share"] = found.priority[late] >= policies.threshold
    covered = {}
    for rule in policies.table["rule"]:
        row = policies.row(rule)
        covered[rule] = row["gain_low"] <= (who[rule] * won).mean() <= row["gain_high"]
    return policies.best in ("best_share", "above_cost"), covered


def hillstrom(seed: int) -> str:
    """Return a line on women's e-mail against none, on visit."""
    rows = pd.read_csv(HILLSTROM)
    rows = rows[rows["segment"].isin(["Womens E-Mail", "No E-Mail"])]
    covariates = ["recency", "history", "mens", "womens", "zip_code", "newbie", "channel"]
    frame = pd.get_dummies(rows[covariates]).astype(float)
    arm, rng = (rows["segment"] == "Womens E-Mail").to_numpy(), np.random.default_rng(seed)
    found = judge(frame.to_numpy(), arm, rows["visit"].to_numpy(float), rng)[1]
    top = found.ranking.table.iloc[5]
    order = np.argsort(-found.priority, kind="stable")
    weights = pd.Series((1 / np.arange(found.scores.n, 0, -1)).cumsum()[::-1] - 1)
    weights = weights.groupby(found.priority[order]).transform("mean").to_numpy()
    effect = found.scores.effect[order]
    drawn = np.array([rng.permutation(effect) @ weights for _ in range(2000)])
    seen = effect @ weights
    ends = f"{top['effect_low']:.4f} to {top['effect_high']:.4f}"
    autoc = found.ranking.autoc
    return (
        f"Hillstrom, {len(rows):,} customers: top 30 % {top['effect']:.4f} ({ends}; published "
        f"0.0661), AUTOC {autoc.value:.4f}, standard errors from 0: "
        f"{autoc.value / autoc.error:.2f} by halves, {seen / drawn.std():.2f} by permutation"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=300)
    parser.add_argument("--customers", type=int, default=1500)
    asked = parser.parse_args()
    claims, right, advised = Counter(), Counter(), 0
    for seed in range(asked.seeds):
        found = none_moved_more(seed, asked.customers)
        autoc = found.ranking.autoc
        claims["some are moved more, where none is"] += found.ranking.tells_apart
        claims["targeting pays, where none is moved more"] += found.policies.targeting_pays
        claims["AUTOC is not 0, where none is moved more"] += bool(autoc.low > 0 or autoc.high < 0)
        tell(f"no heterogeneity: {seed + 1} of {asked.seeds}, {dict(claims)}")
    ok = True
    for name, many in claims.items():
        p = stats.binomtest(int(many), asked.seeds, 0.05, alternative="greater").pvalue
        ok &= p > 0.001
        print(f"{name}: {many} of {asked.seeds} ({many / asked.seeds:.1%}); stated 5 %")
    few = asked.seeds // 5
    least = stats.binom.ppf(0.001 / 3, few, 0.95)
    for seed in range(few):
        one, covered = a_fifth_moved(seed, 4 * asked.customers)
        advised += one
        right.update({rule: bool(value) for rule, value in covered.items()})
        tell(f"a fifth is moved: {seed + 1} of {few}")
    print(f"a fifth is moved: targeting advised in {advised} of {few}")
    for rule in (rule for rule in RULES if rule in right):
        ok &= right[rule] >= least
        print(f"gain of {rule} covered in {right[rule]} of {few}; at least {least:.0f}")
    if HILLSTROM.exists():
        print(hillstrom(1))
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
