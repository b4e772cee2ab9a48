"""Measure ours beside all peers in one run, and print one table of ratios.

Each of the benchmarks that have peers runs at one moderate size, one after the other: cleaning and
RFM beside pandas and polars, on the same simulated bank; churn beside lifelines, scikit-survival,
statsmodels and R; customer value beside lifetimes and pymc-marketing; drivers beside pandas and R;
uplift beside statsmodels and econml. What each of them does and compares is said in its own file;
what it prints goes to the error stream.

Printed, as one Markdown table with a line for each peer: what was done and on how many rows; our
seconds and peak memory (GB), the peer's, how many times as long as ours by the clock and in seconds
of processors, which others on the machine disturb less; and how far the results are the same: every
row, or the largest difference. Exit code 1 when a benchmark failed.

    python benchmarks/summary.py [--size 350000] [--only cleaning rfm ...] [--folder FOLDER]
        [--environments FOLDER] [--minutes 10] [--pymc-python PATH]

The size is the number of customers that are drawn, and of accounts of the bank. With folders that
are kept, what was drawn or installed there is used again. A peer that takes longer than
`--minutes` is stopped, which is said. R is left out where it is not here. pymc-marketing needs
Python 3.12 or later, whose path can be given.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import pandas as pd
from watching import tell

from customerlab.running import memory_mb, processors

#: The benchmarks with peers: what they call the size, and whether they make environments.
BENCHMARKS = {
    "cleaning": ("--accounts", True),
    "rfm": ("--accounts", True),
    "churn": ("--customers", True),
    "value": ("--customers", True),
    "drivers": ("--customers", False),
    "uplift": ("--customers", False),
}
#: Where each draws: the same bank serves both.
DRAWN = {"cleaning": "banks", "rfm": "banks"}


def run(name: str, options: argparse.Namespace, folder: Path, out: Path) -> int:
    """Run one benchmark, which appends its ratios to a file; return its exit code."""
    size, environments = BENCHMARKS[name]
    command = [sys.executable, str(Path(__file__).with_name(f"{name}.py"))]
    command += [size, str(options.size), "--minutes", str(options.minutes), "--out", str(out)]
    command += ["--folder", str(folder / DRAWN.get(name, name))]
    if environments:
        made = options.environments or folder / "environments"
        command += ["--environments", str(made.resolve())]
    if name == "value" and options.pymc_python:
        command += ["--pymc-python", options.pymc_python]
    tell(name)
    return subprocess.run(command, stdout=sys.stderr).returncode


def show(ratios: pd.DataFrame) -> None:
    """Print the ratios as a Markdown table."""
    print(f"| {' | '.join(ratios.columns)} |\n|{'---|' * len(ratios.columns)}")
    forms = {"ours s": ".2f", "s": ".2f", "ours GB": ".1f", "GB": ".1f"}
    forms |= {"times ours": ".1f", "in CPU s": ".1f"}
    for _, row in ratios.iterrows():
        cells = (
            "" if pd.isna(value) else format(value, forms.get(name, ""))
            for name, value in row.items()
        )
        print(f"| {' | '.join(cells)} |")


def main() -> int:
    """Run the benchmarks, print the table, return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=350_000, metavar="N")
    parser.add_argument("--only", nargs="+", choices=list(BENCHMARKS), default=list(BENCHMARKS))
    parser.add_argument("--folder", type=Path, help="kept; left out, a temporary one")
    parser.add_argument("--environments", type=Path, metavar="FOLDER")
    parser.add_argument("--minutes", type=float, default=10, help="of one peer, at most")
    parser.add_argument("--pymc-python", metavar="PATH")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = (options.folder or Path(temporary)).resolve()
        out = Path(temporary) / "ratios.csv"
        failed = [name for name in options.only if run(name, options, folder, out)]
        print(f"{processors()} cores, {memory_mb():,} MB of memory\n")
        if out.exists():
            show(pd.read_csv(out))
    if failed:
        print(f"\nfailed: {', '.join(failed)}")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
