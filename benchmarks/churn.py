"""Measure the churn models on counts beside what others offer, on the same stays of customers.

Stays of 24 months at most with five categories, one of which (payroll) changes during a stay, are
drawn with planted effects and written once, which is not measured. Then, each in a process of its
own, and one after the other:

- `curve`: Kaplan and Meier's curve with its interval.
- `cox`: Cox's model with what was known when the stay began, ties by Efron's method.
- `changing`: Cox's model with payroll as it changes, by stays cut in pieces.
- `monthly`: the monthly model of notebook 04, payroll as it was in the month.

Ours reads the Parquet file in the engine, counts, and fits the counts. lifelines, scikit-survival,
pandas with statsmodels, and R (survival, glm) read the same rows and fit the rows; "counted by
hand" is our idea in pandas and statsmodels: it holds the customer-months, but fits their counts.
Printed, as a Markdown table: seconds to read and prepare (ours: to count), to fit, and both
together; the latter in seconds of processors, too, which others on the machine disturb less; of
the whole process, with what it imports; peak resident memory of it and what it started; how many
times as long as ours; and the largest difference of an estimate or an error from ours. Exit code 1
when one is above 1e-5, or when ours did not finish. The second table sets ours beside the fastest
peer in Python that fits rows.

    python benchmarks/churn.py [--customers 35000 350000 3500000] [--folder FOLDER]
        [--only ours lifelines ...] [--models curve cox ...] [--minutes 10] [--memory GB]
        [--sksurv-python PATH | --environments FOLDER] [--out CSV]

With a folder that is kept, what was drawn there is used again. scikit-survival lives in an
environment of its own: give the path of its Python, or a folder for such environments, in which it
is made from churn_peers/requirements-sksurv.txt where it is not there yet (by default it is made in
a temporary folder). R is left out where it, data.table or survival is not there. A peer that takes
longer than `--minutes`, or more memory than `--memory` (by default 85 % of the machine's), is
stopped, and not tried on more customers; nor is CoxTimeVaryingFitter of lifelines on more than the
fewest. Nobody enters late and R reads CSV: both favour the peers or decide nothing. Times are rough
where others use the machine.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import ibis
import numpy as np
import pandas as pd
from watching import Measured, add_ratio, find_r, make_environment, measure, tell

from customerlab.features import TENURE_BANDS
from customerlab.running import memory_mb, processors

PEERS = Path(__file__).parent / "churn_peers"
#: Estimates of the same likelihood may differ by so much.
TOLERANCE = 1e-5
MONTHS = 24
SEED = 20260704
#: Share of customers and logarithm of the hazard ratio of each level; the commonest comes first.
LEVELS: dict[str, dict[str, tuple[float, float]]] = {
    "age_band": {"30-44": (0.4, 0), "20-29": (0.2, 0.4), "45-59": (0.25, -0.2), "60+": (0.15, 0.1)},
    "gender": {"F": (0.55, 0), "M": (0.45, 0.1)},
    "region": {
        "east": (0.3, 0),
        "north": (0.2, 0.15),
        "south": (0.16, -0.1),
        "west": (0.13, 0.05),
        "centre": (0.11, 0),
        "islands": (0.1, 0.3),
    },
    "products": {"1": (0.5, 0), "2": (0.3, -0.4), "3+": (0.2, -0.8)},
    "payroll": {"none": (0.7, 0), "running": (0.3, -0.6)},
}
#: Monthly hazard of the reference customer by tenure, and the share whose payroll changes a month.
HAZARD, CHANGES = np.linspace(0.035, 0.015, MONTHS), 0.015
#: Share of customers who are seen for less than all months.
SEEN_SHORTER = 0.4


@dataclass(frozen=True)
class Way:
    """One way to one model: who, with which script and program, and whether it is Python's."""

    model: str
    by: str
    peer: str
    script: str
    asked: str
    largest: bool = True  # whether it is tried on more than the fewest customers

    @property
    def is_python(self) -> bool:
        """Whether it is a peer in Python that fits rows."""
        return self.peer not in ("ours", "R") and self.asked == self.model


WAYS = (
    Way("curve", "customerlab, counts", "ours", "on_counts.py", "curve"),
    Way("curve", "lifelines", "lifelines", "on_lifelines.py", "curve"),
    Way("curve", "scikit-survival", "sksurv", "on_sksurv.py", "curve"),
    Way("curve", "R survfit", "R", "on_survival.R", "curve"),
    Way("cox", "customerlab, counts", "ours", "on_counts.py", "cox"),
    Way("cox", "lifelines CoxPHFitter", "lifelines", "on_lifelines.py", "cox"),
    Way("cox", "scikit-survival", "sksurv", "on_sksurv.py", "cox"),
    Way("cox", "R coxph", "R", "on_survival.R", "cox"),
    Way("changing", "customerlab, counts", "ours", "on_counts.py", "changing"),
    Way(
        "changing",
        "lifelines CoxTimeVaryingFitter",
        "lifelines",
        "on_lifelines.py",
        "changing",
        largest=False,
    ),
    Way("changing", "R coxph", "R", "on_survival.R", "changing"),
    Way("monthly", "customerlab, counts", "ours", "on_counts.py", "monthly"),
    Way("monthly", "pandas, statsmodels GLM", "statsmodels", "on_statsmodels.py", "monthly"),
    Way(
        "monthly",
        "the same, counted by hand",
        "statsmodels",
        "on_statsmodels.py",
        "monthly_counted",
    ),
    Way("monthly", "R glm", "R", "on_survival.R", "monthly"),
)
PEER_NAMES = tuple(dict.fromkeys(way.peer for way in WAYS))


def draw_stays(customers: int, rng: np.random.Generator) -> pd.DataFrame:
    """Draw one row per customer: a stay that ends by leaving or by the end of what is seen.

    Returns
    -------
    DataFrame
        ``customer_id``, ``entry`` (0), ``duration`` (1 to 24 months), ``churned``, the five
        categories as they were in the first month, and ``changes_in``: the month from which
        payroll is the other one (missing where it does not change).
    """
    codes, effect = {}, np.zeros(customers)
    for term, levels in LEVELS.items():
        shares, ratios = (np.array(column, float) for column in zip(*levels.values(), strict=True))
        codes[term] = rng.choice(len(shares), size=customers, p=shares).astype(np.int8)
        if term != "payroll":
            effect += ratios[codes[term]]
    on_payroll = np.array([ratio for _, ratio in LEVELS["payroll"].values()])
    changes = rng.geometric(CHANGES, size=customers)
    seen = np.where(
        rng.random(customers) < SEEN_SHORTER, rng.integers(1, MONTHS, size=customers), MONTHS
    )
    duration, churned = seen.copy(), np.zeros(customers, bool)
    for month in range(MONTHS):
        payroll = codes["payroll"] ^ (changes <= month)
        chance = -np.expm1(-HAZARD[month] * np.exp(effect + on_payroll[payroll]))
        leaves = ~churned & (month < seen) & (rng.random(customers) < chance)
        duration[leaves] = month + 1
        churned |= leaves
    stays = pd.DataFrame(
        {
            "customer_id": np.arange(customers),
            "entry": np.zeros(customers, "int64"),
            "duration": duration,
            "churned": churned,
            "changes_in": pd.array(np.where(changes < MONTHS, changes, 0), "Int64"),
        }
    )
    stays.loc[stays["changes_in"] == 0, "changes_in"] = pd.NA
    for term, levels in LEVELS.items():
        stays[term] = pd.Categorical.from_codes(codes[term], list(levels))
    return stays


def make_data(folder: Path, customers: int) -> Path:
    """Write the stays and the levels of the categories, where not done yet."""
    made = folder / str(customers)
    if not (made / "levels.csv").is_file():
        tell(f"drawing {customers:,} customers")
        made.mkdir(parents=True, exist_ok=True)
        draw_stays(customers, np.random.default_rng(SEED)).to_parquet(made / "stays.parquet")
        engine = ibis.duckdb.connect()
        engine.read_parquet(made / "stays.parquet").to_csv(made / "stays.csv")
        engine.disconnect()
        bands = [name for first, name in reversed(TENURE_BANDS.items()) if first < MONTHS]
        levels = {"tenure_band": bands, **LEVELS}
        rows = [(term, level) for term, known in levels.items() for level in known]
        pd.DataFrame(rows, columns=["term", "level"]).to_csv(made / "levels.csv", index=False)
    return made


def find_programs(wanted: Sequence[str], python: str | None, environments: Path) -> dict[str, str]:
    """Return the program that runs each peer's scripts; a peer that cannot be had is left out."""
    programs = dict.fromkeys(wanted, sys.executable)
    if "R" in programs:
        found = find_r("data.table", "survival")
        if found is None:
            del programs["R"]
        else:
            programs["R"] = found
    if "sksurv" in programs:
        programs["sksurv"] = python or str(
            make_environment(environments / "sksurv", PEERS / "requirements-sksurv.txt")
        )
    return programs


def run(program: str, way: Way, data: Path, *, minutes: float, most_mb: float) -> Measured:
    """Measure one way in a process of its own."""
    asked = [program, str(PEERS / way.script), way.asked, str(data)]
    return measure(asked, data / f"{way.peer}-{way.asked}.csv", minutes=minutes, most_mb=most_mb)


def difference(one: Measured, other: Measured) -> float:
    """Return the largest difference between two sets of estimates of the same names.

    Standard errors are compared where both give some.
    """
    a, b = one.found, other.found
    kinds = set(a.index.get_level_values(0)) & set(b.index.get_level_values(0))
    a, b = (x[x.index.get_level_values(0).isin(kinds)] for x in (a, b))
    if not kinds or set(a.index) != set(b.index):
        raise SystemExit(f"other estimates: {sorted(set(a.index) ^ set(b.index))}")
    apart = (a - b.loc[a.index]).abs()
    return float(apart.max(skipna=False))  # what one of them does not know is not the same


HEAD = ("customers", "model", "by", "prepare s", "fit s", "total s", "CPU s", "process s")
HEAD += ("peak MB", "times ours", "largest difference")


def row(customers: int, way: Way, found: Measured, ours: Measured | None) -> str:
    """Return a line of the Markdown table."""
    cells = [f"{customers:,}", way.model, way.by]
    if found.stopped:
        cells += ["", "", f"did not finish ({found.stopped})", "", f"{found.whole:.2f}"]
        cells += [f"{found.peak:,.0f}", "", ""]
    else:
        steps = (found.steps["seconds", name] for name in ("prepare", "fit"))
        seconds = (*steps, found.seconds, found.cpu, found.whole)
        cells += [f"{x:.2f}" for x in seconds]
        cells.append(f"{found.peak:,.0f}")
        cells += (
            ["", ""]
            if ours is None or ours is found
            else [f"{found.seconds / ours.seconds:.1f}", f"{difference(found, ours):.1e}"]
        )
    return "| " + " | ".join(cells) + " |"


def sum_up(results: dict[tuple[int, Way], Measured], sizes: Sequence[int]) -> None:
    """Print how ours stands against the fastest peer in Python, and how our time grows."""
    head = ("model", "customers", "ours s", "of it fitting", "fastest Python peer on rows")
    head += ("its s", "times ours", "in CPU s")
    print(f"\n| {' | '.join(head)} |\n|{'---|' * len(head)}")
    for model in dict.fromkeys(way.model for way in WAYS):
        for size in sizes:
            done = {w: m for (n, w), m in results.items() if (n, w.model) == (size, model)}
            done = {w: m for w, m in done.items() if not m.stopped}
            ours = next((m for w, m in done.items() if w.peer == "ours"), None)
            if ours is None:
                continue
            peers = [(m.seconds, w.by, m) for w, m in done.items() if w.is_python]
            against = ["none finished", "", "", ""]
            if peers:
                seconds, by, best = min(peers, key=lambda peer: peer[0])
                against = [by, f"{seconds:.2f}", f"{seconds / ours.seconds:.1f}"]
                against.append(f"{best.cpu / ours.cpu:.1f}")
            cells = [model, f"{size:,}", f"{ours.seconds:.2f}"]
            cells.append(f"{ours.steps['seconds', 'fit']:.2f}")
            print("| " + " | ".join([*cells, *against]) + " |")


def main() -> int:
    """Draw the customers, measure every way, return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    sizes = [35_000, 350_000, 3_500_000]
    parser.add_argument("--customers", type=int, nargs="+", default=sizes, metavar="N")
    parser.add_argument("--folder", type=Path, help="kept; left out, a temporary one")
    parser.add_argument("--only", nargs="+", choices=PEER_NAMES, default=PEER_NAMES)
    parser.add_argument("--models", nargs="+", choices=list(dict.fromkeys(w.model for w in WAYS)))
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--memory", type=float, default=0.85 * memory_mb() / 1000, metavar="GB")
    parser.add_argument("--sksurv-python", metavar="PATH")
    parser.add_argument("--environments", type=Path, metavar="FOLDER")
    parser.add_argument("--out", type=Path, metavar="CSV", help="ratios are appended here")
    options = parser.parse_args()
    sizes = sorted(options.customers)
    results: dict[tuple[int, Way], Measured] = {}
    gave_up: set[Way] = set()
    failed = False
    with tempfile.TemporaryDirectory() as temporary:
        folder = (options.folder or Path(temporary)).resolve()
        environments = (options.environments or Path(temporary) / "environments").resolve()
        programs = find_programs(options.only, options.sksurv_python, environments)
        ways = [w for w in WAYS if w.peer in programs]
        ways = [w for w in ways if options.models is None or w.model in options.models]
        print(f"{processors()} cores, {memory_mb():,} MB of memory\n", flush=True)
        print(f"| {' | '.join(HEAD)} |\n|{'---|' * len(HEAD)}", flush=True)
        for size in sizes:
            data = make_data(folder, size)
            for way in ways:
                if way in gave_up or not (way.largest or size == sizes[0]):
                    continue
                tell(f"{size:,} customers, {way.model}: {way.by}")
                limits = {"minutes": options.minutes, "most_mb": options.memory * 1000}
                found = run(programs[way.peer], way, data, **limits)
                results[size, way] = found
                key = next((w for w in ways if (w.model, w.peer) == (way.model, "ours")), None)
                ours = results.get((size, key))
                ours = ours if ours is not None and not ours.stopped else None
                print(row(size, way, found, ours), flush=True)
                same = ""
                if found.stopped:
                    gave_up.add(way)
                    failed |= way.peer == "ours" or found.stopped.startswith("failed")
                elif ours is not None:
                    apart = difference(found, ours)
                    failed |= not apart <= TOLERANCE
                    same = f"{apart:.1e}"
                if way.peer != "ours":
                    told = f"{size:,} customers"
                    add_ratio(options.out, f"churn, {way.model}", told, way.by, found, ours, same)
        sum_up(results, sizes)
    if failed:
        print(f"\nfailed: something did not run, or differs from ours by more than {TOLERANCE:g}")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
