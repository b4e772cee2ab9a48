"""Count how often the interval of a cut covers a planted step.

Customers with a known step in the chance of the outcome are drawn seed by seed, as counts, and
the cut and its 95 % interval found. Printed: in how many seeds the interval covers the step, and
the exact 99.9 % binomial band around 95 %, Bonferroni over the lines. Exit code 1 when one lies
outside. Whole months have few cuts, so that an interval that covers in 95 % does not exist: it
covers more often, and only the lower end of the band counts.

A cut stands for all numbers up to the next value of x: the step is covered when the largest value
of x that is on its low side is within the interval.

    python benchmarks/coverage_cutpoints.py [--seeds 500] [--resamples 499]

With ``--others``, also the intervals that were not chosen, on the smaller lines: how often they
cover is printed, and judges nothing.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from customerlab.validity.cutpoints import bootstrap_cut
from customerlab.validity.selected import select_cut

MONTHS = np.arange(25)


@dataclass(frozen=True)
class Step:
    """What is planted: the shares of the outcome, and the share of customers on the low side."""

    customers: int
    low: float
    high: float
    below: float = 0.5
    months: bool = False

    def __str__(self) -> str:
        x = "months" if self.months else "assets"
        return f"{x} {self.customers:6} {self.low:.0%} to {self.high:.0%} at {self.below:.0%}"

    def draw(self, rng: np.random.Generator) -> tuple[pd.DataFrame, float]:
        """Return counts of customers, and the cut that is true among their values of x."""
        if self.months:
            chance = np.exp(-MONTHS / 8)
            x = rng.choice(MONTHS, self.customers, p=chance / chance.sum()).astype(float)
            at = float(np.searchsorted(np.cumsum(chance / chance.sum()), self.below))
        else:
            at = 100.0
            x = at * np.exp(1.5 * (rng.normal(size=self.customers) - stats.norm.ppf(self.below)))
        events = rng.binomial(1, np.where(x <= at, self.low, self.high))
        rows = pd.DataFrame({"x": x, "n": 1, "events": events})
        return rows.groupby("x", as_index=False).sum(), float(x[x <= at].max())


STEPS = [
    Step(2_000, 0.02, 0.12),
    Step(2_000, 0.02, 0.12, 0.25),
    Step(2_000, 0.05, 0.12),
    Step(2_000, 0.12, 0.05, 0.75),
    Step(20_000, 0.02, 0.12),
    Step(20_000, 0.05, 0.12),
    Step(20_000, 0.05, 0.12, 0.8),
    Step(2_000, 0.02, 0.12, 0.5, months=True),
    Step(2_000, 0.05, 0.12, 0.5, months=True),
    Step(20_000, 0.05, 0.07, 0.5, months=True),
]


def others(
    counts: pd.DataFrame, rng: np.random.Generator, resamples: int
) -> Iterator[tuple[str, float, float]]:
    """Yield the intervals that were not chosen: percentiles and basic ones of two bootstraps."""
    found = select_cut(counts)
    x, n = counts["x"].to_numpy(), counts["n"].to_numpy()
    share = counts["events"].to_numpy() / n
    low = x <= found.cut
    step = np.where(low, np.average(share[low], weights=n[low]), 0)
    step += np.where(low, 0, np.average(share[~low], weights=n[~low]))
    here = int(np.searchsorted(x, found.cut))
    for name in ("pairs", "step"):
        places = []
        for _ in range(resamples):
            size = rng.multinomial(n.sum(), n / n.sum()) if name == "pairs" else n
            events = rng.binomial(size, share if name == "pairs" else step)
            # p-values are not needed, and would take most of the time
            places.append(_place(size, events))
        ends = np.quantile(places, [0.025, 0.975], method="inverted_cdf").astype(int)
        yield f"{name}, percentile", x[ends[0]], x[ends[1]]
        basic = np.clip(2 * here - ends[::-1], 0, len(x) - 1)
        yield f"{name}, basic", x[basic[0]], x[basic[1]]


def _place(size: np.ndarray, events: np.ndarray) -> int:
    """Return the place of the cut with the largest statistic."""
    below, met, n = size.cumsum(), events.cumsum(), size.sum()
    used = (below >= n // 10) & (below <= n * 9 // 10)
    gap = np.abs(met - below * (met[-1] / n))[used] / np.sqrt(below * (n - below))[used]
    return int(np.flatnonzero(used)[np.argmax(gap)])


def main() -> int:
    """Run the seeds, print the table, return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=500)
    parser.add_argument("--resamples", type=int, default=499)
    parser.add_argument("--others", action="store_true", help="also intervals not chosen")
    options = parser.parse_args()
    bad = 0
    print(f"{'step':32} {'seeds':>6} {'covered':>8} {'band':>9} {'median width':>13}")
    for step in STEPS:
        hits, width, compared = 0, [], {}
        for seed in range(options.seeds):
            rng = np.random.default_rng(seed)
            counts, true = step.draw(rng)
            low, high = bootstrap_cut(counts, rng, resamples=options.resamples)
            hits += low <= true <= high
            width.append(high - low)
            if options.others and step.customers <= 2_000:
                for name, first, last in others(counts, rng, options.resamples):
                    compared[name] = compared.get(name, 0) + (first <= true <= last)
        # two-sided, but for whole months, where the lower end alone takes the error
        error = 0.001 / len(STEPS)
        least, most = stats.binom.interval(1 - error, options.seeds, 0.95)
        if step.months:
            least, most = stats.binom.ppf(error, options.seeds, 0.95), options.seeds
        inside = least <= hits <= most
        bad += not inside
        print(
            f"{step!s:32} {options.seeds:6} {hits:8} {f'{least:.0f}-{most:.0f}':>9} "
            f"{np.median(width):13.2f}{'' if inside else '  OUTSIDE'}",
            flush=True,
        )
        for name, count in compared.items():
            print(f"  {name:30} {options.seeds:6} {count:8}", flush=True)
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
