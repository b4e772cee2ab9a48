"""Measure effects from the engine's sums, and how targeting is judged, beside what others offer.

An experiment of three arms, a 0/1 outcome, an amount that most do not spend, and six things known
before (three numbers, three categories: eleven columns of numbers), is drawn piece by piece and
written once, which is not measured. Then, each in a process of its own, one after the other:

- `effects`: both arms against the control on both outcomes, adjusted by arm times covariates (Lin
  2013). Ours counts levels, means and products in the engine and never sees a row; statsmodels
  reads the same Parquet file and fits OLS on rows, from a formula as people write it, or from a
  matrix made once for both outcomes.
- `judging`: of one arm and the control, from the same foretold outcomes and the same order: ours
  scores, ranks (200 half-samples), compares by fifths and judges the rules' values; econml's
  DRTester scores and does ``evaluate_all`` (best linear predictor, calibration, Qini and TOC) with
  its 1,000 draws, and with 200. Models are fitted in neither. Rules' values have no like in econml.

Printed, as a Markdown table: seconds from the file to the answers, by the clock and of all
processors, which others on the machine disturb less (without what is imported); peak resident
memory of the process, with what it imports; how many times as long as ours; and the largest
difference from ours, of effects in standard deviations of the outcome; of judging, of the mean
effect, the slope of the best linear predictor and the TOC at 5 %, 10 % ... 95 % (econml is asked
for these shares after the clock stopped). Exit code 1 when that is above 1e-9, or ours failed.

    python benchmarks/uplift.py [--customers 35000 350000 3500000] [--folder FOLDER]
        [--of effects judging] [--minutes 15] [--memory GB] [--out CSV]

With a folder that is kept, what was drawn there is used again. A peer that takes longer than
`--minutes`, or more memory than `--memory` (by default 85 % of the machine's), is stopped, and not
tried on more customers.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from watching import add_ratio, costs, measure, tell, write_pieces

from customerlab.running import memory_mb, processors

SCRIPT = Path(__file__).parent / "uplift_peers" / "ways.py"
#: Largest difference from ours.
TOLERANCE = 1e-9
PIECE = 100_000
SEED = 20261122
REGIONS = ("east", "north", "south", "west", "centre", "islands")
#: Added to the chance of buying by arm, for those with and without savings.
MOVED = {"control": (0.0, 0.0), "letter": (0.02, 0.02), "call": (0.12, 0.0)}


@dataclass(frozen=True)
class Way:
    """One way: to what, whose, and what is asked of the script."""

    of: str
    by: str
    asked: str

    @property
    def ours(self) -> bool:
        """Whether it is ours."""
        return self.by.startswith("customerlab")


WAYS = (
    Way("effects", "customerlab, sums", "effects_sums"),
    Way("effects", "statsmodels, matrix", "effects_matrix"),
    Way("effects", "statsmodels, formula", "effects_formula"),
    Way("judging", "customerlab", "judging_ours"),
    Way("judging", "econml, 200 draws", "judging_econml_200"),
    Way("judging", "econml, 1,000 draws", "judging_econml_1000"),
)


def draw_piece(first: int, customers: int, rng: np.random.Generator) -> pa.Table:
    """Return some customers, with what a model of others would foretell of the call."""
    arm = rng.choice(list(MOVED), customers)
    balance = rng.lognormal(7, 1.2, customers).round(2)
    age, months = rng.integers(18, 90, customers), rng.integers(0, 120, customers)
    region, saves = rng.choice(REGIONS, customers), rng.random(customers) < 0.3
    known = 0.05 + 0.001 * (age - 18) + 0.02 * (region == "north") + 0.03 * saves
    move = np.select([arm == one for one in MOVED], [np.where(saves, *by) for by in MOVED.values()])
    bought = rng.random(customers) < known + move
    spend = np.where(bought, rng.gamma(2.0, 60.0, customers) + 0.01 * balance, 0).round(2)
    foretold = np.where(saves, *MOVED["call"]) + 0.02 * rng.normal(size=customers)
    return pa.table(
        {
            "customer_id": pa.array(np.arange(first, first + customers)),
            "arm": pa.array(arm),
            "balance": pa.array(balance),
            "age": pa.array(age),
            "months": pa.array(months),
            "region": pa.array(region),
            "reads": pa.array(rng.choice(["app", "letter", "neither"], customers)),
            "saves": pa.array(np.where(saves, "yes", "no")),
            "bought": pa.array(bought),
            "spend": pa.array(spend),
            "called": pa.array(rng.random(customers) < 0.5),
            "untreated": pa.array(known),
            "foretold": pa.array(foretold),
        }
    )


def make_data(folder: Path, customers: int) -> Path:
    """Write the experiment, where not done yet."""
    made, rng = folder / str(customers), np.random.default_rng(SEED)
    pieces = ((at, min(PIECE, customers - at)) for at in range(0, customers, PIECE))
    write_pieces(made, "experiment.parquet", (draw_piece(*piece, rng) for piece in pieces))
    return made


HEAD = ("customers", "of", "by", "seconds", "CPU s", "peak MB", "times ours", "in CPU s")
HEAD += ("largest difference",)


def main() -> int:
    """Draw the experiments, measure every way, return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    sizes = [35_000, 350_000, 3_500_000]
    parser.add_argument("--customers", type=int, nargs="+", default=sizes, metavar="N")
    parser.add_argument("--folder", type=Path, help="kept; left out, a temporary one")
    parser.add_argument("--of", nargs="+", choices=list(dict.fromkeys(w.of for w in WAYS)))
    parser.add_argument("--minutes", type=float, default=15)
    parser.add_argument("--memory", type=float, default=0.85 * memory_mb() / 1000, metavar="GB")
    parser.add_argument("--out", type=Path, metavar="CSV", help="ratios are appended here")
    options = parser.parse_args()
    failed, gave_up = False, set()
    limits = {"minutes": options.minutes, "most_mb": options.memory * 1000}
    with tempfile.TemporaryDirectory() as temporary:
        folder = (options.folder or Path(temporary)).resolve()
        print(f"{processors()} cores, {memory_mb():,} MB of memory\n")
        print(f"| {' | '.join(HEAD)} |\n|{'---|' * len(HEAD)}", flush=True)
        for size in sorted(options.customers):
            data, ours = make_data(folder, size), None
            for way in WAYS:
                if way in gave_up or (options.of and way.of not in options.of):
                    continue
                tell(f"{size:,} customers, {way.of}: {way.by}")
                asked = [sys.executable, str(SCRIPT), way.asked, str(data)]
                found = measure(asked, data / f"{way.asked}.csv", **limits)
                ours = found if way.ours else ours
                cells = [f"{size:,}", way.of, way.by, *costs(found, ours), ""]
                if found.stopped:
                    gave_up.add(way)
                    failed |= way.ours or found.stopped.startswith("failed")
                elif not way.ours and ours is not None and not ours.stopped:
                    apart = (found.found - ours.found).abs().max(skipna=False)
                    cells[-1] = f"{apart:.1e}"
                    failed |= not apart <= TOLERANCE
                if not way.ours:
                    told = f"{size:,} customers"
                    add_ratio(
                        options.out, f"uplift, {way.of}", told, way.by, found, ours, cells[-1]
                    )
                print("| " + " | ".join(cells) + " |", flush=True)
    if failed:
        print("\nfailed: something did not run, or differs from ours by too much")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
