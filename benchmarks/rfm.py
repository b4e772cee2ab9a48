"""Measure recency, frequency and money, scored and put into segments, beside pandas and polars.

A bank is simulated and cleaned (notebook 01), which is not measured. Then, each in a process of
its own, one after the other, from the clean tables to a file with a row for every customer: days
since the last purchase, purchases and money of twelve months, a score of 1 to 5 for each, and the
segment.

- customerlab: :func:`customerlab.value.score_rfm`, run by the engine within 4 GB of memory.
- pandas reads the four columns, groups and ranks in memory. Money is read as floats, for decimals
  are objects to it: that is to its favour.
- polars: one lazy query, run by its streaming engine.

Ours can do more, which is not asked of it here: refunds, orders of several lines, margins of
products, and what was known on an earlier day.

Printed, as a Markdown table: seconds from the clean tables to the scores, by the clock and of all
processors, which others on the machine disturb less (without what is imported); peak resident
memory of the process, with what it imports; how many times as long as ours; and how many customers
have another row than in ours, of all columns. Exit code 1 when that is not 0, or something failed.

    python benchmarks/rfm.py [--accounts 35000 350000 3500000] [--folder FOLDER]
        [--only customerlab pandas polars] [--minutes 15] [--memory GB] [--environments FOLDER]
        [--out CSV]

By default it is done for 35,000 and 350,000 accounts. With a folder that is kept, what was
simulated and cleaned there is used again. The environment of polars is made where it is not there
yet, by default in a temporary folder. A peer that takes longer than `--minutes`, or more memory
than `--memory` (by default 85 % of the machine's), is stopped, and not tried on more accounts.
"""

from __future__ import annotations

import sys
from pathlib import Path

from large import CLIENT, Limits, count_rows, make_clean_bank
from watching.tables import Task, compare, parse_arguments

from customerlab.paths import Paths


def make_bank(folder: Path, accounts: int) -> Path:
    """Simulate and clean a bank, where not done yet."""
    return make_clean_bank(folder, accounts, Limits(engine_mb=4_000, most_mb=8_000, minutes=120))


def count_transactions(bank: Path) -> int:
    """Return how many clean transactions there are."""
    return count_rows(Paths(bank, CLIENT).clean("_").parent, "transactions.parquet")


if __name__ == "__main__":
    task = Task("rfm", "clean", ("scores.parquet",), make_bank, count_transactions)
    sys.exit(compare(task, parse_arguments(__doc__.splitlines()[0])))
