"""Count how often notebook 05 finds what is planted in the demo shop.

Surveys of the demo shop are drawn seed by seed (answers and outcome alone, no files) and go
through the notebook's own steps: correlations, number of factors, factors, skill, weights. Of each
95 % interval (weights, changes of repurchase, correlations of the factors) is printed in how many
seeds it covers the truth, and the exact 99.9 % binomial band around 95 %, Bonferroni over the
lines. Then how often the right number of factors is found, and, with an outcome that nothing
drives, the answer "no driver": both are said to be right in 95 of 100, and a one-sided binomial
test at 0.1 % must not reject that. Exit code 1 when a line is out of bounds.

    python benchmarks/coverage_drivers.py [--seeds 500] [--answers 2500]
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict

import ibis
import numpy as np
import pandas as pd
from scipy import stats
from watching import tell

from customerlab import drivers
from customerlab.drivers.correlations import correlate
from customerlab.drivers.moments import count_moments, deal_bags
from customerlab.simulate.shop import expected, planted, voices

OUTCOME, UNDRIVEN = "bought_again", "undriven"
#: As many resamples as the notebook draws.
RESAMPLES = 300


def draw(rng: np.random.Generator, answers: int) -> pd.DataFrame:
    """Return the answers of so many customers, whether they bought again, and by chance."""
    factors = rng.multivariate_normal(
        np.zeros(len(planted.FACTORS)), planted.CORRELATIONS, size=answers
    )
    rows = pd.DataFrame(voices.answers(rng, factors), columns=list(planted.ITEMS))
    promotion = rng.random(answers) < planted.PROMOTION_SHARE
    for outcome in (OUTCOME, UNDRIVEN):
        per_factor, promoted = planted.weights(null_outcome=outcome == UNDRIVEN)
        chance = planted.chance(planted.INTERCEPT + factors @ per_factor + promotion * promoted)
        rows[outcome] = (rng.random(answers) < chance).astype(float)
    return rows.assign(customer_id=np.arange(answers))


def find(con: ibis.BaseBackend, seed: int, answers: int) -> tuple[dict[str, bool], pd.DataFrame]:
    """Return what is right, and intervals beside the truth."""
    rng = np.random.default_rng(seed)
    rows = con.create_table("t", draw(rng, answers), overwrite=True)
    dealt = deal_bags(rows, planted.ITEMS, seed=seed, key="customer_id").cache()
    found = correlate(dealt, planted.ITEMS)
    count = drivers.count_factors(
        *(found.matrix, found.n, rng), items=found.items, resample_null=found.null_matrix
    )
    fitted = drivers.fit_factors(
        *(found.matrix, found.n, found.items, len(planted.FACTORS)),
        resamples=found.resamples(rng, RESAMPLES),
    )
    sums = count_moments(dealt, [*found.items, OUTCOME, UNDRIVEN])
    scored = drivers.score_factors(sums, fitted, found)
    skill = drivers.judge_skill(scored.scores, fitted.names, OUTCOME, rng=rng)
    undriven = drivers.judge_skill(scored.scores, fitted.names, UNDRIVEN, rng=rng)
    right = {
        "number of factors": count.chosen == len(planted.FACTORS),
        "drivers, where there are some": skill.predicts,
        "no driver, where there is none": not undriven.predicts,
    }
    # a factor is that of the item which follows it most
    leading = [planted.FACTOR_OF[at] for at in np.abs(fitted.pattern).argmax(axis=0)]
    called = dict(zip(fitted.names, (planted.FACTORS[one] for one in leading), strict=True))
    weights = drivers.weigh_drivers(scored.behind, fitted.names, OUTCOME, skill=skill, rng=rng)
    table = weights.table.assign(driver=weights.table["driver"].map(called)).set_index("driver")
    shares, changes = expected.shares(), expected.changes()
    lines = []
    for name in planted.FACTORS:
        row = table.loc[name]
        lines.append((f"weight of {name}", row["weight"], row["low"], row["high"], shares[name]))
        change = (row["effect"], row["effect_low"], row["effect_high"])
        lines.append((f"change by {name}", *change, changes[name]))
    for row in fitted.correlations.itertuples():
        pair = sorted(planted.FACTORS.index(called[name]) for name in (row.factor, row.other))
        name = " with ".join(planted.FACTORS[one] for one in pair)
        truth = planted.CORRELATIONS[tuple(pair)]
        lines.append((name, row.correlation, row.low, row.high, truth))
    columns = ["line", "value", "low", "high", "truth"]
    return right, pd.DataFrame(lines, columns=columns)


def main() -> int:
    """Run the seeds, print the table, return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=500)
    parser.add_argument("--answers", type=int, default=2500)
    options = parser.parse_args()
    con = ibis.duckdb.connect()
    right, found = defaultdict(int), []
    for seed in range(options.seeds):
        well, table = find(con, seed, options.answers)
        found.append(table)
        for name, is_right in well.items():
            right[name] += is_right
        if (seed + 1) % 50 == 0:
            tell(f"{seed + 1} seeds")
    every = pd.concat(found)
    every["covered"] = every["truth"].between(every["low"], every["high"])
    lines = every.groupby("line", sort=False).agg(
        seeds=("covered", "size"),
        covered=("covered", "sum"),
        mean=("value", "mean"),
        truth=("truth", "mean"),
    )
    bad = 0
    print(f"{'interval':28} {'seeds':>6} {'covered':>8} {'band':>9} {'mean':>7} {'truth':>7}")
    for name, row in lines.iterrows():
        low, high = stats.binom.interval(1 - 0.001 / len(lines), row["seeds"], 0.95)
        inside = low <= row["covered"] <= high
        bad += not inside
        print(
            f"{name:28} {row['seeds']:6.0f} {row['covered']:8.0f} {f'{low:.0f}-{high:.0f}':>9} "
            f"{row['mean']:7.3f} {row['truth']:7.3f}{'' if inside else '  OUTSIDE'}"
        )
    least = stats.binom.ppf(0.001, options.seeds, 0.95)
    for name, count in right.items():
        bad += count < least
        print(f"{name}: {count} of {options.seeds}; not fewer than {least:.0f}")
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
