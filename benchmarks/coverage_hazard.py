"""Count how often the intervals of the hazard model cover the truth.

Banks with known monthly hazards are drawn seed by seed, as counts of customers who are alike
(no rows), fitted, and asked how many of those still here leave within 3 and 5 months, which is
then drawn too. Printed: in how many seeds each 95 % interval covers the truth, and the exact
99.9 % binomial band around 95 %, Bonferroni over the lines. Exit code 1 when one lies outside.

    python benchmarks/coverage_hazard.py [--seeds 500] [--customers 20000]
"""

from __future__ import annotations

import argparse
import itertools
import sys

import ibis
import numpy as np
import pandas as pd
from scipy import stats

from customerlab import churn
from customerlab.features import TENURE_BANDS, band_of

#: Monthly hazard of the reference customer from each month of tenure on.
BASELINE = {0: 0.040, 1: 0.034, 3: 0.030, 6: 0.025, 12: 0.020, 24: 0.016, 36: 0.014, 60: 0.012}
RATIOS = {
    "occupation": {"worker": 1.3, "clerk": 1.0, "retired": 0.8},
    "payroll": {"none": 1.0, "running": 0.6, "moved": 3.0},
    "complaints": {"0": 1.0, "1": 1.15, "2+": 2.5},
    "region": {"north": 1.0, "east": 1.5, "south": 1.0},
}
SHARES = {
    "occupation": (0.35, 0.4, 0.25),
    "payroll": (0.5, 0.4, 0.1),
    "complaints": (0.85, 0.1, 0.05),
    "region": (0.4, 0.3, 0.3),
}
MONTHS = 21
HORIZONS = (3, 5)
#: Tenure when the data begin: some long here, some just joined, some yet to join.
TENURES = (-12, -6, -3, 0, 2, 5, 8, 10, 12, 24, 40, 60, 70)


def draw(rng: np.random.Generator, customers: int) -> tuple[pd.DataFrame, pd.DataFrame, dict]:
    """Return counts of customer-months, who is here at the end, and how many of them then leave."""
    names = [*RATIOS]
    people = pd.DataFrame(
        itertools.product(TENURES, *(RATIOS[name] for name in names)), columns=["start", *names]
    )
    share = np.array([*map(np.prod, itertools.product(*(SHARES[name] for name in names)))])
    here = rng.multinomial(customers, np.tile(share, len(TENURES)) / len(TENURES))
    ratio = np.prod([people[name].map(RATIOS[name]) for name in names], axis=0)
    starts, rates = np.array([*BASELINE]), -np.log1p(-np.array([*BASELINE.values()]))

    def leave(month: int, here: np.ndarray) -> np.ndarray:
        tenure = people["start"].to_numpy() + month
        rate = rates[np.maximum(np.searchsorted(starts, tenure, "right") - 1, 0)]
        hazard = np.where(tenure >= 0, -np.expm1(-rate * ratio), 0.0)
        return rng.binomial(here, hazard)

    months = []
    for month in range(MONTHS):
        left = leave(month, here)
        rows = people.assign(tenure=people["start"] + month, n=here, events=left)
        months.append(rows.loc[(rows["tenure"] >= 0) & (rows["n"] > 0)])
        here = here - left
    counts = pd.concat(months)
    counts["tenure_band"] = band_of(counts["tenure"].to_numpy(), TENURE_BANDS)
    counts = counts.groupby(["tenure_band", *names], as_index=False)[["n", "events"]].sum()
    now = people.assign(tenure=people["start"] + MONTHS, n=here)
    joined = (now["tenure"] >= 0).to_numpy()
    left, total, then = {}, 0, here
    for ahead in range(max(HORIZONS)):
        gone = leave(MONTHS + ahead, then)
        then, total = then - gone, total + int(gone[joined].sum())
        left[ahead + 1] = total
    return counts, now.loc[joined & (here > 0)], left


def truth(model: churn.Hazard) -> pd.Series:
    """Return the true log ratio of each row of the model's table, for the levels it kept."""
    reference = {levels.term: levels.reference for levels in model.terms}
    by_band = dict(
        zip(TENURE_BANDS.values(), -np.log1p(-np.array([*BASELINE.values()])), strict=True)
    )
    known = RATIOS | {"tenure_band": by_band}
    table = model.table.query("not reference")
    values = [
        np.log(known[term][level] / known[term][reference[term]])
        for term, level in zip(table["term"], table["level"], strict=True)
    ]
    return pd.Series(values, index=pd.MultiIndex.from_frame(table[["term", "level"]]))


def main() -> int:
    """Run the seeds, print the table, return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=500)
    parser.add_argument("--customers", type=int, default=20_000)
    options = parser.parse_args()
    covered: dict[str, list[bool]] = {}
    errors: dict[str, list[float]] = {}
    con = ibis.duckdb.connect()
    for seed in range(options.seeds):
        counts, now, left = draw(np.random.default_rng(seed), options.customers)
        model = churn.fit_hazard(counts, [*RATIOS])
        true, table = truth(model), model.table.query("not reference")
        ends = np.log(table[["low", "high"]].to_numpy())
        for row, (term, level) in enumerate(true.index):
            name = f"{term} = {level}"
            covered.setdefault(name, []).append(ends[row, 0] <= true.iloc[row] <= ends[row, 1])
            gap = (table["coefficient"].iloc[row] - true.iloc[row]) / table["std_error"].iloc[row]
            errors.setdefault(name, []).append(gap)
        rows = now.loc[now.index.repeat(now["n"])].reset_index(drop=True)
        rows["customer_id"] = np.arange(len(rows)).astype(str)
        features = con.create_table("here", rows.drop(columns=["n", "start"]), overwrite=True)
        for row in churn.forecast(model, features, HORIZONS).expected().itertuples():
            name = f"leave within {row.horizon_months} months"
            actual = left[row.horizon_months]
            covered.setdefault(name, []).append(row.low <= actual <= row.high)
            spread = (row.high - row.low) / (2 * 1.96)
            errors.setdefault(name, []).append((row.expected - actual) / spread)
    bad = 0
    print(f"{'interval':28} {'seeds':>6} {'covered':>8} {'band':>11} {'mean z':>7}")
    for name, hits in covered.items():
        low, high = stats.binom.interval(1 - 0.001 / len(covered), len(hits), 0.95)
        inside = low <= sum(hits) <= high
        bad += not inside
        print(
            f"{name:28} {len(hits):6} {sum(hits):8} {f'{low:.0f}-{high:.0f}':>11} "
            f"{np.mean(errors[name]):7.2f}{'' if inside else '  OUTSIDE'}"
        )
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
