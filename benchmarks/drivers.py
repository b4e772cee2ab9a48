"""Measure correlations and polychorics from counts beside those of plain pandas from rows.

A survey of 20 items, answers 1 to 5, four planted factors and 2 % of the answers missing, is drawn
piece by piece and written once, which is not measured. Then, each in a process of its own, and one
after the other:

- `pearson`, `polychoric`: ours deals the Parquet file's rows into bags, counts bag by bag in the
  engine, and correlates the counts; pandas reads the same file and correlates rows (``corr``), or
  tabulates every two items (``crosstab``) and maximises the same likelihood. R's psych (correct=0,
  each pair's own margins) is another's likelihood: on the fewest customers, by a CSV file.
- `pearson, 300 resamples` and the same of polychorics: ours correlates as notebook 05 does and
  draws 300 resamples of bags; pandas draws and correlates ONE resample of rows: what 300 would take
  is its time by 300, not measured.

Printed, as a Markdown table: seconds from the file to the correlations, by the clock and of all
processors, which others on the machine disturb less (without what is imported; R: without reading);
peak resident memory of the process, with what it imports; how many times as long as ours, and the
largest difference of a correlation from ours. Exit code 1 when that is above 1e-9 (R: 1e-3) or
something failed.

    python benchmarks/drivers.py [--customers 35000 350000 3500000] [--folder FOLDER]
        [--of pearson polychoric ...] [--minutes 15] [--out CSV]

With a folder that is kept, what was drawn there is used again. A peer that takes longer than
`--minutes` is stopped. R is left out where it, or psych, is not there.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import ibis
import numpy as np
import pyarrow as pa
import watching
from watching import Measured, add_ratio, costs, find_r, tell, write_pieces

from customerlab.running import memory_mb, processors

PEERS = Path(__file__).parent / "drivers_peers"
ITEMS, FACTORS, RESAMPLES = 20, 4, 300
#: Largest differences from ours: the same likelihood of the same tables, and R's.
TOLERANCE, OF_R = 1e-9, 1e-3
MISSING, CUTS = 0.02, (-1.2, -0.4, 0.5, 1.3)
PIECE = 100_000
SEED = 20260801


@dataclass(frozen=True)
class Way:
    """One way: to what, whose, and what is asked of its script."""

    of: str
    by: str
    asked: str
    times: int = 1  # what is measured is one of so many

    @property
    def ours(self) -> bool:
        """Whether it is ours."""
        return self.by.startswith("customerlab")


WAYS = (
    Way("pearson", "customerlab, counts", "pearson_counts"),
    Way("pearson", "pandas corr", "pearson_rows"),
    Way("polychoric", "customerlab, counts", "polychoric_counts"),
    Way("polychoric", "pandas crosstab", "polychoric_rows"),
    Way("polychoric", "R psych", "R"),
    Way("pearson, 300 resamples", "customerlab, bags", "pearson_bags"),
    Way("pearson, 300 resamples", "pandas, one x 300", "pearson_resample", RESAMPLES),
    Way("polychoric, 300 resamples", "customerlab, bags", "polychoric_bags"),
    Way("polychoric, 300 resamples", "pandas, one x 300", "polychoric_resample", RESAMPLES),
)


def draw_piece(first: int, customers: int, rng: np.random.Generator) -> pa.Table:
    """Return answers 1 to 5 of some customers, some of them missing."""
    own = np.arange(ITEMS) % FACTORS
    loadings = 0.5 + 0.1 * (np.arange(ITEMS) // FACTORS % 4)
    factors = np.linalg.cholesky(0.3 + 0.7 * np.eye(FACTORS)) @ rng.normal(
        size=(FACTORS, customers)
    )
    noise = rng.normal(size=(customers, ITEMS)) * np.sqrt(1 - loadings**2)
    answers = np.digitize(factors.T[:, own] * loadings + noise, CUTS) + 1
    gone = rng.random(answers.shape) < MISSING
    columns = {"customer_id": pa.array(np.arange(first, first + customers))}
    for i in range(ITEMS):
        columns[f"q{i + 1}"] = pa.array(answers[:, i].astype("int8"), mask=gone[:, i])
    return pa.table(columns)


def make_data(folder: Path, customers: int) -> Path:
    """Write the survey, where not done yet."""
    made, rng = folder / str(customers), np.random.default_rng(SEED)
    pieces = ((at, min(PIECE, customers - at)) for at in range(0, customers, PIECE))
    write_pieces(made, "survey.parquet", (draw_piece(*piece, rng) for piece in pieces))
    return made


def measure(way: Way, data: Path, minutes: float) -> Measured:
    """Run one way in a process of its own; what takes its time many times counts so often."""
    program = [sys.executable, str(PEERS / "ways.py")]
    if way.asked == "R":
        survey = data / "survey.csv"
        if not survey.is_file():
            ibis.duckdb.connect().read_parquet(data / "survey.parquet").to_csv(survey)
        program = [str(find_r()), str(PEERS / "psych.R")]
    out = data / f"{way.asked}.csv"
    one = watching.measure([*program, way.asked, str(data)], out, minutes=minutes)
    return replace(one, seconds=one.seconds * way.times, cpu=one.cpu * way.times)


HEAD = ("customers", "of", "by", "seconds", "CPU s", "peak MB", "times ours", "in CPU s")
HEAD += ("largest difference",)


def main() -> int:
    """Draw the surveys, measure every way, return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    sizes = [35_000, 350_000, 3_500_000]
    parser.add_argument("--customers", type=int, nargs="+", default=sizes, metavar="N")
    parser.add_argument("--folder", type=Path, help="kept; left out, a temporary one")
    parser.add_argument("--of", nargs="+", choices=list(dict.fromkeys(w.of for w in WAYS)))
    parser.add_argument("--minutes", type=float, default=15)
    parser.add_argument("--out", type=Path, metavar="CSV", help="ratios are appended here")
    options = parser.parse_args()
    failed = False
    with_r = find_r("psych") is not None
    with tempfile.TemporaryDirectory() as temporary:
        folder = (options.folder or Path(temporary)).resolve()
        print(f"{processors()} cores, {memory_mb():,} MB of memory\n")
        print(f"| {' | '.join(HEAD)} |\n|{'---|' * len(HEAD)}", flush=True)
        for size in sorted(options.customers):
            data, ours = make_data(folder, size), None
            for way in WAYS:
                if options.of and way.of not in options.of:
                    continue
                if way.asked == "R" and (not with_r or size > min(options.customers)):
                    continue
                tell(f"{size:,} customers, {way.of}: {way.by}")
                found = measure(way, data, options.minutes)
                ours = found if way.ours else ours
                cells = [f"{size:,}", way.of, way.by, *costs(found, ours), ""]
                if found.stopped:
                    failed |= way.ours or found.stopped.startswith("failed")
                elif not way.ours and ours is not None and len(found.found) and not ours.stopped:
                    apart = (found.found - ours.found).abs().max(skipna=False)
                    cells[-1] = f"{apart:.1e}"
                    failed |= not apart <= (OF_R if way.asked == "R" else TOLERANCE)
                if not way.ours:
                    told, same = f"{size:,} customers", cells[-1] or "not compared"
                    add_ratio(options.out, f"drivers, {way.of}", told, way.by, found, ours, same)
                print("| " + " | ".join(cells) + " |", flush=True)
    if failed:
        print("\nfailed: something did not run, or differs from ours by too much")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
