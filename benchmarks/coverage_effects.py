"""Count how often the averages of notebook 07 are right, and its checks of the draw.

Trials like those planted in the demo bank and shop are drawn seed by seed (rows in numpy, no
files) and go through the notebook's own steps:

- effects: K1 (an offer by message or call, sold or not), K4 (a coupon on card purchases: an amount
  with many zeros), S1 (who comes back), S2 (fuller baskets: a count, and money). In how many seeds
  the plain and the adjusted 95 % interval covers the true average effect, and the exact 99.9 %
  binomial band around 95 %, Bonferroni over the lines;
- nothing works: 3 arms and 3 outcomes, of which any is called sure after Holm, and one arm watched
  on 30 days with the intervals for it, any of its 3 outcomes after Holm and one by itself: each in
  at most 5 % of the seeds, by a one-sided binomial test at 0.1 %. Beside it what fixed intervals
  of that one claim when looked at on 30 days;
- the draw: how often each check of health fails where nothing is wrong (at most 0.1 % are stated;
  the same test), and how often the trial is warned of where the best twentieth of the customers was
  put into one arm, where as many others were put back so that sizes look right, where a twentieth
  of the best fifth was moved, and where the arms were drawn at 49 to 51 instead of evenly.

Exit code 1 when a line is out of bounds, or best customers in one arm of 20,000 were not seen.

500 seeds take about a quarter of an hour of one core, most of it for the watched trials.

    python benchmarks/coverage_effects.py [--seeds 500] [--parts effects nothing draw]
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Mapping

import ibis
import numpy as np
import pandas as pd
from scipy import stats
from watching import tell

from customerlab.simulate import planted as bank
from customerlab.simulate.shop import planted as shop
from customerlab.uplift.average import Effects, compare_arms
from customerlab.uplift.judging import Health, judge_health
from customerlab.uplift.looks import look_often
from customerlab.uplift.multiplicity import adjust_p
from customerlab.uplift.sums import ArmSums
from customerlab.uplift.trials import Outcome, Trial

ALPHA, LEVEL, DAYS = 0.05, 0.001, 30
#: Customers of each drawn trial: about as many as in the demos.
SIZES = {"K1": 2500, "K4": 2000, "S1": 1900, "S2": 3000}
#: Median of assets (log), its spread; share with a running payroll; ages of the customers.
ASSETS, ON_PAYROLL, AGES = (6.0, 2.0), 0.3, np.arange(18, 90)
#: Card purchases: gamma rates a month (many make none), median yuan by customer (log, spread).
BUYS, YUAN = (0.25, 4.0), (3.5, 0.6)
#: The shop: orders in 60 days (gamma), further lines of an order, price of a line (log, spread).
ORDERS, FURTHER, PRICE = (0.5, 1.6), 1.2, (4.0, 0.8)
Rows = dict[str, np.ndarray]
Truth = dict[tuple[str, str], float]


def draw_k1(rng: np.random.Generator, n: int) -> tuple[Rows, Truth]:
    """Draw an offer by message or call; returns outcomes, covariates (x_...) and arms."""
    shares = bank.CAMPAIGNS["K1"]["arms"]
    arm = rng.choice(list(shares), n, p=list(shares.values()))
    age, assets = rng.choice(AGES, n), rng.lognormal(*ASSETS, n)
    payroll = np.where(rng.random(n) < ON_PAYROLL, "running", "none")
    chance = bank.response_chance(arm, assets, age, payroll)
    rows = {"arm": arm, "bought": rng.random(n) < chance, "x_age": age}
    rows |= {"x_log_assets": np.log(assets), "x_payroll": payroll == "running"}
    # all customers that there may be, with their weights: the mean has no error
    rich, paid = stats.norm.sf(np.log(1000), *ASSETS), np.array([1 - ON_PAYROLL, ON_PAYROLL])
    ages, has, runs = (x.ravel() for x in np.meshgrid(AGES, [0, 1], [0, 1]))
    weight = np.where(has, rich, 1 - rich) * paid[runs]
    known = (5000 * has, ages, np.array(["none", "running"])[runs])
    means = {
        one: np.average(bank.response_chance(np.full(len(ages), one), *known), weights=weight)
        for one in shares
    }
    return rows, {(one, "bought"): means[one] - means["control"] for one in shares}


def draw_k4(rng: np.random.Generator, n: int, factor: float | None = None):
    """Draw a coupon on card purchases in three months; the three before are known."""
    factor = bank.COUPON_FACTOR if factor is None else factor
    arm = np.where(rng.random(n) < 0.5, "coupon", "control")
    rate, median = rng.gamma(*BUYS, n), rng.lognormal(*YUAN, n)
    spent = [_spend(rng, rng.poisson(bank.COUPON_MONTHS * rate), median, 0.6) for _ in range(2)]
    mean = np.prod(BUYS) * bank.COUPON_MONTHS * np.exp(YUAN[0] + YUAN[1] ** 2 / 2 + 0.6**2 / 2)
    after = spent[1] * np.where(arm == "coupon", factor, 1)
    rows = {"arm": arm, "spend": after, "x_spend_before": spent[0]}
    return rows, {("coupon", "spend"): (factor - 1) * mean}


def draw_s1(rng: np.random.Generator, n: int) -> tuple[Rows, Truth]:
    """Draw a coupon that brings back, the young above all."""
    arm = np.where(rng.random(n) < 0.5, "coupon", "control")
    age, often = rng.choice(AGES, n), rng.beta(0.5, 7, n)
    moved = np.where(age < 35, *shop.COMES_BACK.values())
    anyway = rng.random(n) < often
    back = anyway | ((arm == "coupon") & (rng.random(n) < moved))
    before = rng.binomial(6, often)
    truth = np.where(AGES < 35, *shop.COMES_BACK.values()).mean() * (1 - 0.5 / 7.5)
    rows = {"arm": arm, "came_back": back, "x_age": age, "x_orders_before": before}
    return rows, {("coupon", "came_back"): truth}


def draw_s2(rng: np.random.Generator, n: int) -> tuple[Rows, Truth]:
    """Draw fuller baskets: lines ordered, and what they cost."""
    arm = np.where(rng.random(n) < 0.5, "bundle", "control")
    rate = rng.gamma(*ORDERS, n)
    lines = []
    for factor in (1.0, np.where(arm == "bundle", shop.BUNDLE_FACTOR, 1.0)):
        orders = rng.poisson(rate)
        lines.append(orders + rng.poisson(orders * FURTHER * factor))
    money = [_spend(rng, some, np.full(n, np.exp(PRICE[0])), PRICE[1]) for some in lines]
    rows = {"arm": arm, "lines": lines[1], "spend": money[1]}
    rows |= {"x_lines_before": lines[0], "x_spend_before": money[0]}
    more = np.prod(ORDERS) * FURTHER * (shop.BUNDLE_FACTOR - 1)
    price = np.exp(PRICE[0] + PRICE[1] ** 2 / 2)
    return rows, {("bundle", "lines"): more, ("bundle", "spend"): more * price}


def _spend(rng, count: np.ndarray, median: np.ndarray, spread: float) -> np.ndarray:
    """Return what each customer pays for so many things."""
    who = np.repeat(np.arange(len(count)), count)
    each = median[who] * np.exp(spread * rng.normal(size=len(who)))
    return np.bincount(who, each, minlength=len(count))


TRIALS: dict[str, Callable] = {"K1": draw_k1, "K4": draw_k4, "S1": draw_s1, "S2": draw_s2}


def sums_of_arms(rows: Mapping[str, np.ndarray]) -> dict[str, ArmSums]:
    """Return each arm's sums by numpy."""
    names = tuple(name for name in rows if name != "arm")
    values, sums = np.column_stack([rows[name] for name in names]).astype(float), {}
    for arm in np.unique(rows["arm"]):
        mine = values[rows["arm"] == arm]
        covariance = np.atleast_2d(np.cov(mine, rowvar=False))
        sums[str(arm)] = ArmSums(names, float(len(mine)), mine.mean(axis=0), covariance)
    return sums


def compare(rows: Mapping[str, np.ndarray]) -> Effects:
    """Compare all arms on all outcomes."""
    names = [name for name in rows if name != "arm"]
    known = [name for name in names if name.startswith("x_")]
    outcomes = [name for name in names if name not in known]
    told = {"control": "control", "outcomes": outcomes, "covariates": known}
    return compare_arms(sums_of_arms(rows), **told)


def cover(seed: int) -> Counter:
    """Return which intervals cover the truth, and how many there are."""
    seen: Counter = Counter()
    for at, (name, draw) in enumerate(TRIALS.items()):
        rows, truth = draw(np.random.default_rng([seed, at]), SIZES[name])
        for row in compare(rows).table.itertuples():
            here = truth[row.arm, row.outcome]
            line = f"{name} {row.arm} {row.outcome}"
            seen[f"{line}, plain"] += row.low <= here <= row.high
            seen[f"{line}, adjusted"] += row.adjusted_low <= here <= row.adjusted_high
    return seen


def draw_nothing(rng: np.random.Generator, n: int, arms: int = 3) -> Rows:
    """Draw arms that do nothing: a share, an amount with many zeros, and a count."""
    rows = draw_k4(rng, n, factor=1.0)[0]
    rate = rng.gamma(2, 1, n)
    rows |= {"orders": rng.poisson(rate), "x_orders_before": rng.poisson(rate)}
    rows |= {"bought": rng.random(n) < 0.02 + 0.04 * rate}
    names = ["control", *(f"arm {i + 1}" for i in range(arms))]
    return rows | {"arm": rng.choice(names, n)}


def alarms(table: pd.DataFrame) -> pd.Series:
    """Return which comparisons are called sure after Holm, as notebook 07 does it."""
    best = table["adjusted_effect_p"].astype(float).fillna(table["p_value"].astype(float))
    adjusted = adjust_p(best.where(table["status"] != "not_enough_data"), "holm")
    return pd.Series(adjusted < ALPHA, index=table.index)


def trial_of(rows: Mapping[str, np.ndarray], table=None, planned=None) -> Trial:
    """Return a trial of the rows as the notebook has it."""
    arms, counts = np.unique(rows["arm"], return_counts=True)
    known = {name: name for name in rows if name.startswith("x_")}
    outcomes = [name for name in rows if name not in known and name != "arm"]
    before = {name: f"x_{name}_before" for name in outcomes}
    return Trial(
        id="t",
        name="The trial",
        source="assignments",
        rows=table,
        arms=tuple(str(arm) for arm in arms if arm != "control"),
        control="control",
        outcomes=tuple(
            Outcome(name, "amount", 30, before[name] if before[name] in known else None)
            for name in outcomes
        ),
        covariates=known,
        segments=(),
        assigned={
            str(arm): {"assigned": int(n), "unknown": 0, "twice": 0}
            for arm, n in zip(arms, counts, strict=True)
        },
        planned=planned,
        months=None,
        about={},
    )


def watch(con: ibis.BaseBackend, seed: int, n: int = 3000) -> tuple[bool, bool, bool]:
    """Return false alarms: of any outcome when watched, of the first, and of it by fixed looks."""
    rng = np.random.default_rng([seed, 9])
    rows = draw_nothing(rng, n, arms=1)
    day = np.sort(rng.integers(0, DAYS, n))
    frame = pd.DataFrame(rows).assign(day=pd.Timestamp("2025-03-01") + pd.to_timedelta(day, "D"))
    frame = frame.astype({"bought": float, "orders": float, "x_orders_before": float})
    frame["day"] = frame["day"].dt.date
    kept = con.create_table("t", frame, overwrite=True)
    table, _ = look_often(trial_of(rows, kept), compare(rows))
    spend = table["outcome"] == "spend"
    first = bool((table.loc[spend, "adjusted_effect_p"] < ALPHA).any())
    fixed = False
    for last in range(DAYS):
        some, treated = rows["spend"][day <= last], (rows["arm"] != "control")[day <= last]
        if len(some) >= 60:
            p = stats.ttest_ind(some[treated], some[~treated], equal_var=False).pvalue
            fixed |= bool(p < ALPHA)
    return bool(alarms(table).any()), first, fixed


def draw_people(rng: np.random.Generator, n: int) -> Rows:
    """Draw customers of whom money, age and orders are known, in two arms."""
    rows = draw_k4(rng, n, factor=1.0)[0]
    rows |= {"x_age": rng.choice(AGES, n), "x_payroll": rng.random(n) < ON_PAYROLL}
    rows |= {"x_orders_before": rng.poisson(rng.gamma(2, 1, n))}
    return rows | {"arm": np.where(rng.random(n) < 0.5, "contact", "control")}


def judge(rows: Mapping[str, np.ndarray]) -> Health:
    """Judge the draw as the notebook does; even arms were planned."""
    trial = trial_of(rows, planned={"control": 0.5, "contact": 0.5})
    return judge_health([trial], {"t": sums_of_arms(rows)}, min_cell=10)


def move_best(
    rows: Rows, rng: np.random.Generator, *, best: float, share: float = 1.0, put_back: bool = False
) -> Rows:
    """Put a share of those that spent most before into the contacted arm; others back, if asked."""
    arm, spent = rows["arm"].copy(), rows["x_spend_before"]
    chosen = spent >= np.quantile(spent, 1 - best)
    moved = chosen & (arm == "control") & (rng.random(len(arm)) < share)
    arm[moved] = "contact"
    if put_back:
        others = np.flatnonzero((rows["arm"] == "contact") & ~chosen)
        arm[rng.choice(others, moved.sum(), replace=False)] = "control"
    return rows | {"arm": arm}


def judge_draws(seed: int, sizes: tuple[int, ...] = (2000, 20_000)) -> tuple[Counter, Counter]:
    """Return which checks fail where nothing is wrong, and which breaks are warned of."""
    false, caught = Counter(), Counter()
    for n in sizes:
        rng = np.random.default_rng([seed, n])
        rows = draw_people(rng, n)
        health = judge(rows)
        for check in health.checks:
            false[f"{check.name}: {n:,} customers"] += check.passed is False
        uneven = np.where(rng.random(n) < 0.51, "contact", "control")
        broken = {
            "best twentieth in one arm": move_best(rows, rng, best=0.05),
            "the same, sizes even": move_best(rows, rng, best=0.05, put_back=True),
            "a twentieth of the best fifth moved": move_best(rows, rng, best=0.2, share=0.05),
            "arms drawn at 49 to 51": rows | {"arm": uneven},
        }
        for name, some in broken.items():
            caught[f"{name}: {n:,} customers"] += "t" in judge(some).cautions
    return false, caught


def at_most(name: str, many: int, seeds: int, rate: float) -> bool:
    """Print how many there are, and return whether that fits a rate of so much at most."""
    p = stats.binomtest(int(many), seeds, rate, alternative="greater").pvalue
    word = "" if p > LEVEL else "  OUT OF BOUNDS"
    print(f"{name:64} {many:4} of {seeds} ({many / seeds:.1%}; stated {rate:.1%}){word}")
    return p > LEVEL


def count_covered(seeds: int) -> bool:
    """Print in how many seeds each interval covers the truth."""
    covered: Counter = Counter()
    for seed in range(seeds):
        covered.update(cover(seed))
        if (seed + 1) % 100 == 0:
            tell(f"effects: {seed + 1} of {seeds}")
    low, high = stats.binom.interval(1 - LEVEL / len(covered), seeds, 0.95)
    ok = True
    for line, many in covered.items():
        inside = low <= many <= high
        word = "" if inside else "  OUT OF BOUNDS"
        print(f"{line:64} {many:4} of {seeds}, band {low:.0f} to {high:.0f}{word}")
        ok &= inside
    return ok


def count_alarms(seeds: int) -> bool:
    """Print how often something is sure where nothing works."""
    any_sure, watched = 0, np.zeros(3, int)
    con = ibis.duckdb.connect()
    for seed in range(seeds):
        rows = draw_nothing(np.random.default_rng([seed, 8]), 4000)
        any_sure += bool(alarms(compare(rows).table).any())
        watched += np.array(watch(con, seed))
        if (seed + 1) % 50 == 0:
            tell(f"nothing works: {seed + 1} of {seeds}")
    ok = at_most("any of 3 arms on 3 outcomes, after Holm", any_sure, seeds, ALPHA)
    ok &= at_most("any of 3 outcomes, watched on 30 days, after Holm", watched[0], seeds, ALPHA)
    ok &= at_most("an amount, watched on 30 days", watched[1], seeds, ALPHA)
    print(f"(fixed intervals, looked at on 30 days: {watched[2]} of {seeds})")
    return ok


def count_broken(seeds: int) -> bool:
    """Print how often health fails, without reason and with."""
    false, caught = Counter(), Counter()
    for seed in range(seeds):
        for whole, one in zip((false, caught), judge_draws(seed), strict=True):
            whole.update(one)
        if (seed + 1) % 100 == 0:
            tell(f"draws: {seed + 1} of {seeds}")
    ok = all([at_most(f"no reason: {name}", many, seeds, LEVEL) for name, many in false.items()])
    for name, many in caught.items():
        print(f"warned: {name:56} {many:4} of {seeds} ({many / seeds:.1%})")
        if "one arm: 20,000" in name:
            ok &= many == seeds
    return ok


PARTS = {"effects": count_covered, "nothing": count_alarms, "draw": count_broken}


def main() -> int:
    """Run the seeds, print the lines, return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=500)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    options = parser.parse_args()
    return int(not all([PARTS[part](options.seeds) for part in options.parts]))


if __name__ == "__main__":
    sys.exit(main())
