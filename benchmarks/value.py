"""Measure the models of customer value on counts beside lifetimes and pymc-marketing.

Purchases of customers who buy, stop and pay as the models say (BG/NBD and gamma-gamma, planted
parameters) are drawn piece by piece into one Parquet file, which is not measured. Then, each in a
process and an environment of its own, one after the other, from the purchases to the parameters and
a file with every customer's scores (chance to be alive; purchases and value in 3, 6, 12 months):

- customerlab: the engine makes histories and counts those alike, the models see the counts, and the
  engine scores. Once as it is, and once rounded: times to weeks, means paid within 1 %.
- `lifetimes` 0.11.3 (unmaintained): pandas makes one row per customer, its fitters see the rows;
  and once with equal histories counted by hand and given to it as weights.
- `pymc-marketing`: its maximum a posteriori with flat priors, which is the highest likelihood.

Printed, as a Markdown table: seconds to prepare, to fit, to score, and all three, by the clock; all
three in seconds of processors, which others on the machine disturb less (without what is imported);
peak resident memory of the process, with what it imports; how many times as long as ours by both.
Then what each found: the parameters; by how much their log-likelihood, worked out here for all
alike, is below ours; and by how much a customer's purchases in 12 months
differ from ours at most. Exit code 1 when lifetimes' likelihood is above ours, a parameter of its
is off by more than 1 %, or ours did not finish.

    python benchmarks/value.py [--customers 100000 1000000 5000000] [--folder FOLDER]
        [--only counts rounded lifetimes ...] [--minutes 10] [--memory GB]
        [--environments FOLDER] [--pymc-python PATH] [--out CSV]

The peers' environments are made where they are not there yet (from value_peers/requirements-*.txt,
by default in a temporary folder); pymc-marketing needs Python 3.12 or later, whose path can be
given. A peer that cannot be installed, takes longer than `--minutes`, or more memory than
`--memory` (by default 85 % of the machine's) is written down as that, and not tried on more
customers. With a folder that is kept, what was drawn there is used again.
"""

from __future__ import annotations

import argparse
import datetime as dt
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import ibis
import numpy as np
import pyarrow as pa
from watching import (
    Measured,
    add_ratio,
    costs,
    make_environment,
    measure,
    tell,
    unfinished,
    write_pieces,
)

from customerlab.running import memory_mb, processors
from customerlab.value.bgnbd import log_likelihood
from customerlab.value.gamma_gamma import spending_likelihood
from customerlab.value.histories import count_histories, count_spending, histories, purchase_days

PEERS = Path(__file__).parent / "value_peers"
#: The last day that is known, as in value_peers/peer.py.
DAY = dt.date(2025, 12, 31)
#: r, alpha (weeks), a, b; p, q, v.
TRUE = {"r": 0.6, "alpha": 6.0, "a": 0.8, "b": 2.5, "p": 5.0, "q": 4.0, "v": 60.0}
#: First purchases were made so many weeks ago.
SINCE = (10, 78)
#: A parameter of lifetimes may be off by this share: its search stops early.
TOLERANCE = 0.01
PIECE = 100_000
SEED = 20261122


@dataclass(frozen=True)
class Way:
    """One way: whose, with which script and environment, and what is asked of the script."""

    by: str
    asked: str
    script: str
    environment: str = ""  # empty for this one

    @property
    def ours(self) -> bool:
        """Whether it is ours."""
        return not self.environment


WAYS = (
    Way("customerlab", "counts", "on_counts.py"),
    Way("customerlab, rounded", "rounded", "on_counts.py"),
    Way("lifetimes", "lifetimes", "on_lifetimes.py", "lifetimes"),
    Way("lifetimes, counted by hand", "lifetimes_counts", "on_lifetimes.py", "lifetimes"),
    Way("pymc-marketing, MAP", "pymc", "on_pymc.py", "pymc"),
)


def draw_piece(first: int, customers: int, rng: np.random.Generator) -> pa.Table:
    """Return the purchases of some customers, in the order of time."""
    rate = rng.gamma(TRUE["r"], 1 / TRUE["alpha"], customers) / 7
    stop = rng.beta(TRUE["a"], TRUE["b"], customers)
    scale = 1 / rng.gamma(TRUE["q"], 1 / TRUE["v"], customers)
    begun = -rng.uniform(*SINCE, customers) * 7
    who, when = [np.arange(customers)], [begun]
    still, now = who[0], begun
    while len(still):
        now = now + rng.exponential(1, len(still)) / rate[still]
        seen = now < 0
        still, now = still[seen], now[seen]
        who.append(still)
        when.append(now)
        stays = rng.random(len(still)) >= stop[still]
        still, now = still[stays], now[stays]
    who, when = np.concatenate(who), np.concatenate(when)
    order = np.argsort(when)
    who, when = who[order], when[order]
    paid = rng.gamma(TRUE["p"], scale[who]).round(2)
    last = np.datetime64(DAY)
    return pa.table(
        {
            "customer_id": pa.array(first + who),
            "day": pa.array(last + np.ceil(when).astype("timedelta64[D]")),
            "paid": pa.array(np.maximum(paid, 0.01)),
        }
    )


def make_data(folder: Path, customers: int) -> Path:
    """Write the purchases, where not done yet."""
    made, rng = folder / str(customers), np.random.default_rng(SEED)
    pieces = ((at, min(PIECE, customers - at)) for at in range(0, customers, PIECE))
    write_pieces(made, "purchases.parquet", (draw_piece(*piece, rng) for piece in pieces))
    return made


class Judge:
    """Judges what each way found on the same customers."""

    def __init__(self, data: Path, customers: int) -> None:
        self.data, self.customers = data, customers
        self.engine = ibis.duckdb.connect()
        days = purchase_days(self.engine.read_parquet(data / "purchases.parquet"))
        each = self.engine.create_table("each", histories(days, DAY))
        self.counts, self.spending = count_histories(each), count_spending(each)
        self.purchases = self.engine.read_parquet(data / "purchases.parquet").count().execute()
        self.engine.drop_table("each")

    def likelihood(self, found: Measured) -> tuple[float, float]:
        """Return the log-likelihoods of its parameters, of purchases and of amounts."""
        p = found.found["parameter"]
        often, much = (p[list(names)].to_numpy() for names in (["r", "alpha", "a", "b"], "pqv"))
        return log_likelihood(often, self.counts)[0], spending_likelihood(much, self.spending)[0]

    def scores_apart(self, way: Way) -> float:
        """Return the largest difference from ours of a customer's purchases in 12 months."""
        ours, theirs = (
            self.engine.read_parquet(self.data / f"scores-{asked}.parquet").select(
                "customer_id", bought="purchases_12_months"
            )
            for asked in ("counts", way.asked)
        )
        theirs = theirs.select(whose="customer_id", said="bought")
        both = ours.join(theirs, [("customer_id", "whose")])
        joined = both.aggregate(n=both.count(), apart=(both.bought - both.said).abs().max())
        n, apart = joined.execute().iloc[0]
        return float(apart) if n == self.customers else np.inf


HEAD = ("customers", "by", "prepare s", "fit s", "score s", "seconds", "CPU s", "peak MB")
HEAD += ("times ours", "in CPU s")
FOUND = ("customers", "by", *TRUE, "purchases' likelihood below ours", "amounts'")
FOUND += ("largest difference of a score",)


def row(cells: Sequence[str]) -> str:
    """Return a line of a Markdown table."""
    return "| " + " | ".join(cells) + " |"


def steps(found: Measured) -> list[str]:
    """Return the seconds of each step, as cells."""
    if found.stopped:
        return ["", "", ""]
    return [f"{found.steps['seconds', name]:,.1f}" for name in ("prepare", "fit", "score")]


def run(way: Way, data: Path, options: argparse.Namespace, environments: Path) -> Measured:
    """Make the way's environment if need be, and measure it."""
    python = Path(sys.executable)
    if not way.ours:
        wanted = PEERS / f"requirements-{way.environment}.txt"
        own = options.pymc_python if way.environment == "pymc" else None
        try:
            python = make_environment(environments / way.environment, wanted, own)
        except subprocess.CalledProcessError:
            return unfinished("cannot be installed")
    asked = [str(python), str(PEERS / way.script), way.asked, str(data)]
    limits = {"minutes": options.minutes, "most_mb": options.memory * 1000}
    return measure(asked, data / f"{way.asked}.csv", **limits)


def main() -> int:
    """Draw the customers, measure every way, return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    sizes = [100_000, 1_000_000, 5_000_000]
    parser.add_argument("--customers", type=int, nargs="+", default=sizes, metavar="N")
    parser.add_argument("--folder", type=Path, help="kept; left out, a temporary one")
    parser.add_argument("--only", nargs="+", choices=[way.asked for way in WAYS])
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--memory", type=float, default=0.85 * memory_mb() / 1000, metavar="GB")
    parser.add_argument("--environments", type=Path, metavar="FOLDER")
    parser.add_argument("--pymc-python", metavar="PATH")
    parser.add_argument("--out", type=Path, metavar="CSV", help="ratios are appended here")
    options = parser.parse_args()
    failed, gave_up = False, set()
    lines = [row(["", "planted", *(f"{x:g}" for x in TRUE.values()), "", "", ""])]
    with tempfile.TemporaryDirectory() as temporary:
        folder = (options.folder or Path(temporary)).resolve()
        environments = (options.environments or Path(temporary) / "environments").resolve()
        print(f"{processors()} cores, {memory_mb():,} MB of memory\n")
        print(f"{row(HEAD)}\n|{'---|' * len(HEAD)}", flush=True)
        for size in sorted(options.customers):
            data, done = make_data(folder, size), {}
            for way in WAYS:
                if way in gave_up or (options.only and way.asked not in options.only):
                    continue
                tell(f"{size:,} customers: {way.by}")
                found = run(way, data, options, environments)
                cells = [*steps(found), *costs(found, done.get(WAYS[0]))]
                print(row([f"{size:,}", way.by, *cells]), flush=True)
                if found.stopped:
                    gave_up.add(way)
                    told = f"{size:,} customers"
                    add_ratio(options.out, "value", told, way.by, found, done.get(WAYS[0]))
                    failed |= way.ours or found.stopped.startswith("failed")
                else:
                    done[way] = found
            if WAYS[0] in done:
                told, right = compare(size, data, done, options.out)
                lines += told
                failed |= not right
    print(f"\n{row(FOUND)}\n|{'---|' * len(FOUND)}")
    print("\n".join(lines))
    if failed:
        print("\nfailed: something did not run, or found something else than ours")
    return int(failed)


def compare(
    size: int, data: Path, done: dict[Way, Measured], out: Path | None
) -> tuple[list[str], bool]:
    """Return lines of what each way found, and whether lifetimes found what we did."""
    judge, lines, right = Judge(data, size), [], True
    tell(f"{size:,} customers made {judge.purchases:,} purchases; {len(judge.counts):,} histories")
    ours = judge.likelihood(done[WAYS[0]])
    at = done[WAYS[0]].found["parameter"]
    for way, found in done.items():
        p = found.found["parameter"]
        below = [one - other for one, other in zip(ours, judge.likelihood(found), strict=True)]
        apart = judge.scores_apart(way)
        cells = [f"{size:,}", way.by, *(f"{p[name]:.4f}" for name in TRUE)]
        lines.append(row([*cells, *(f"{x:.4f}" for x in below), f"{apart:.1e}"]))
        if not way.ours:
            same = f"{apart:.1e} of purchases in 12 months"
            add_ratio(out, "value", f"{size:,} customers", way.by, found, done[WAYS[0]], same)
        if way.environment == "lifetimes":
            right &= bool(min(below) > -1e-3 and (np.abs(p / at - 1) < TOLERANCE).all())
    return lines, right


if __name__ == "__main__":
    sys.exit(main())
