"""Count how often find_groups names a group that leaves no more often than others.

Banks of customers like the demo bank's are drawn seed by seed, as counts of customers who are
alike, with the planted chances of leaving within 5 months, and searched for groups at risk:

- nothing planted, everybody has the same chance: in how many seeds is any group named?
- as planted: a named group is false if its true mean chance is not above that of everybody else,
  or (the claim that is really made) not above that of the rest of one of its generalisations.

Printed: the mean share of false groups over seeds (the false discovery rate) and among all named,
how often the planted groups are found, and how often the intervals cover. Also what would happen
if the multiplicity were corrected first and the list made plain afterwards. Exit code 1 when more
than 10 % false is significant at 1 % or when the intervals cover significantly less than 95 %.

    python benchmarks/groups_false_discoveries.py [--seeds 100] [--customers 20000]
"""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy import stats

from customerlab.retention.group_counts import Counted, fisher, subsets
from customerlab.retention.groups import MIN_EXITS, MIN_RATIO, SEARCH_LEVEL, Group, find_groups
from customerlab.simulate import planted
from customerlab.simulate.people import OCCUPATION_SHARES, OCCUPATIONS, REGION_SHARES

RATE, MONTHS = 0.10, 5
#: Shares of those who are active in a demo bank; age depends on payroll, the rest is independent.
SHARES = {
    "gender": {"F": 0.5, "M": 0.5},
    "region": dict(zip(planted.REGIONS, REGION_SHARES, strict=True)),
    "payroll": {"none": 0.51, "running": 0.38, "moved": 0.11},
    "complaints": {"0": 0.85, "1": 0.065, "2+": 0.085},
    "occupation": dict(zip(OCCUPATIONS, OCCUPATION_SHARES, strict=True)),  # a planted nothing
    "tenure_band": {"0-5": 0.05, "6-11": 0.05, "12-23": 0.09, "24-59": 0.40, "60+": 0.41},
}
AGES = {"20-29": 25, "30-44": 35, "45-59": 50, "60+": 65}
AGE_SHARES = {"none": (0.10, 0.32, 0.39, 0.19), "paid": (0.23, 0.55, 0.21, 0.01)}
ATTRIBUTES = ("age_band", *SHARES)
#: What is planted; that the shortest stays leave most is planted, too. Young women on payroll leave
#: twice as often as they would, but no more often than other young women, many of whom are no
#: longer paid: they are found as young women.
PLANTED = {
    "region east": Group((("region", "east"),)),
    "payroll moved": Group((("payroll", "moved"),)),
    "complaints 2+": Group((("complaints", "2+"),)),
    "young women": Group((("age_band", "20-29"), ("gender", "F"))),
    "young women on payroll": Group(
        (("age_band", "20-29"), ("gender", "F"), ("payroll", "running"))
    ),
}


def population() -> pd.DataFrame:
    """Return every kind of customer: attributes, ``weight`` (sums to 1), ``chance`` of leaving."""
    kinds = pd.DataFrame(
        itertools.product(AGES, *(levels for levels in SHARES.values())), columns=[*ATTRIBUTES]
    )
    weight = np.prod([kinds[name].map(levels) for name, levels in SHARES.items()], axis=0)
    of_age = {
        (pay, age): AGE_SHARES["none" if pay == "none" else "paid"][place]
        for pay in SHARES["payroll"]
        for place, age in enumerate(AGES)
    }
    weight = weight * [of_age[key] for key in zip(kinds["payroll"], kinds["age_band"], strict=True)]
    hazard = planted.true_hazard(
        pd.DataFrame(
            {
                "tenure_months": kinds["tenure_band"].map(planted.TENURE_BANDS),
                "age": kinds["age_band"].map(AGES),
                "gender": kinds["gender"],
                "region": kinds["region"],
                "payroll": kinds["payroll"],
                "unresolved": kinds["complaints"].map({"0": 0, "1": 1, "2+": 2}),
            }
        )
    )
    return kinds.assign(weight=weight / weight.sum(), chance=1 - (1 - hazard) ** MONTHS)


def draw(
    rng: np.random.Generator, kinds: pd.DataFrame, customers: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the counts of both halves of a bank."""
    halves = []
    for size in (customers // 2, customers - customers // 2):
        n = rng.multinomial(size, kinds["weight"])
        half = kinds[[*ATTRIBUTES]].assign(n=n, left=rng.binomial(n, kinds["chance"]))
        halves.append(half.loc[half["n"] > 0])
    return halves[0], halves[1]


@dataclass
class Truth:
    """The true mean chances of groups."""

    kinds: pd.DataFrame
    known: dict[Group, tuple[float, float]] = field(default_factory=dict)

    def sums(self, group: Group) -> tuple[float, float]:
        """Return a group's share of customers and of exits."""
        if group not in self.known:
            inside = np.ones(len(self.kinds), dtype=bool)
            for name, level in group.levels:
                inside &= (self.kinds[name] == level).to_numpy()
            weight = self.kinds["weight"].to_numpy()[inside]
            exits = weight @ self.kinds["chance"].to_numpy()[inside]
            self.known[group] = float(weight.sum()), float(exits)
        return self.known[group]

    def chance(self, group: Group) -> float:
        """Return a group's mean chance."""
        weight, exits = self.sums(group)
        return exits / weight

    def above(self, group: Group, parents: Sequence[Group]) -> bool:
        """Return whether a group's chance is above that of the rest of each of others."""
        for parent in parents:
            weight, exits = (
                a - b for a, b in zip(self.sums(parent), self.sums(group), strict=True)
            )
            if weight < 1e-12 or self.chance(group) <= exits / weight + 1e-9:
                return False
        return True


EVERYBODY = Group(())


def generalisations(group: Group) -> list[Group]:
    """Return a group's generalisations, everybody first."""
    sizes = range(len(group.levels))
    return [Group(some) for size in sizes for some in itertools.combinations(group.levels, size)]


def corrected_first(search: pd.DataFrame, confirm: pd.DataFrame) -> list[Group]:
    """Return what is named if the list is made plain after the correction, at 0.05 a comparison."""
    levels = {name: sorted(search[name].unique()) for name in ATTRIBUTES}
    first, second = Counted(search, levels), Counted(confirm, levels)
    carried, p, plain = [], [], []
    for chosen in subsets(ATTRIBUTES, 3):
        n, left = first.of(chosen)
        keep = (n >= 50) & (left >= MIN_EXITS)
        keep &= left * (first.customers - n) > MIN_RATIO * (first.left - left) * n
        alone = fisher(left[keep], n[keep], first.left, first.customers)
        places = np.argwhere(keep)[alone < SEARCH_LEVEL]
        for place in places:
            pairs = zip(chosen, place, strict=True)
            carried.append(Group(tuple((name, levels[name][at]) for name, at in pairs)))
        n, left = (counts[tuple(places.T)] for counts in second.of(chosen))
        p.extend(fisher(left, n, second.left, second.customers))
        plain.extend(second.weakest(chosen, places) < 0.05)
    if not carried:
        return []
    q = stats.false_discovery_control(p, method="bh")
    return [g for g, value, adds in zip(carried, q, plain, strict=True) if value <= RATE and adds]


@dataclass
class Tally:
    """What happened in each seed, one entry per seed."""

    named: list[int] = field(default_factory=list)
    not_above_others: list[int] = field(default_factory=list)
    false: list[int] = field(default_factory=list)
    covered: list[int] = field(default_factory=list)
    found: dict[str, list[bool]] = field(default_factory=dict)

    def add(self, named: Sequence[Group], truth: Truth) -> None:
        """Count one seed's list."""
        self.named.append(len(named))
        self.not_above_others.append(sum(not truth.above(one, [EVERYBODY]) for one in named))
        self.false.append(sum(not truth.above(one, generalisations(one)) for one in named))
        for name, group in PLANTED.items():
            self.found.setdefault(name, []).append(group in named)

    def share(self, counts: Sequence[int]) -> float:
        """Return the mean over seeds of a share of those named; of an empty list, 0."""
        return float(np.mean(np.array(counts) / np.maximum(self.named, 1)))

    def chance(self, counts: Sequence[int], rate: float = RATE, *, above: bool = True) -> float:
        """Return the one-sided binomial p-value that the rate is above, or below, what it says."""
        side = "greater" if above else "less"
        total = sum(self.named)
        return stats.binomtest(sum(counts), total, rate, side).pvalue if total else 1.0


def run(
    seeds: int, customers: int, *, compare: bool = False
) -> tuple[list[int], Tally, Tally | None]:
    """Draw and search; return how many groups were named with nothing planted, and the tallies."""
    kinds = population()
    alike = kinds.assign(chance=float(kinds["weight"] @ kinds["chance"]))
    truth, nothing, ours = Truth(kinds), [], Tally()
    other = Tally() if compare else None
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        groups = find_groups(*draw(rng, alike, customers), ATTRIBUTES, rate=RATE)
        nothing.append(len(groups.table))
        search, confirm = draw(rng, kinds, customers)
        table = find_groups(search, confirm, ATTRIBUTES, rate=RATE).table
        ours.add([*table["group"]], truth)
        chance = np.array([truth.chance(group) for group in table["group"]])
        inside = (table["low"].to_numpy() <= chance) & (chance <= table["high"].to_numpy())
        ours.covered.append(int(inside.sum()))
        if other is not None:
            other.add(corrected_first(search, confirm), truth)
    return nothing, ours, other


def main() -> int:
    """Run the seeds, print the table, return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--customers", type=int, default=20_000)
    options = parser.parse_args()
    nothing, ours, other = run(options.seeds, options.customers, compare=True)
    any_named = sum(count > 0 for count in nothing)
    p = stats.binomtest(any_named, len(nothing), RATE, "greater").pvalue
    bad = p < 0.01
    print(f"nothing planted: any group named in {any_named} of {len(nothing)} seeds, p {p:.2f}")
    for name, tally in (("find_groups", ours), ("corrected first, then made plain", other)):
        print(f"\n{name}: {np.mean(tally.named):.1f} groups named a seed")
        for what, counts in (
            ("not above everybody else", tally.not_above_others),
            ("not above the rest of a generalisation", tally.false),
        ):
            p = tally.chance(counts)
            bad |= tally is ours and p < 0.01
            print(
                f"  {what:40} {sum(counts):5} of {sum(tally.named)}, "
                f"rate over seeds {tally.share(counts):6.1%}, p that above 10 %: {p:.3f}"
            )
        for what, found in tally.found.items():
            print(f"  {what:40} found in {np.mean(found):.0%} of the seeds")
    p = ours.chance(ours.covered, 0.95, above=False)
    bad |= p < 0.01
    print(f"\n95 % intervals of those named cover {ours.share(ours.covered):.1%}, p below {p:.2f}")
    return int(bad)


if __name__ == "__main__":
    sys.exit(main())
