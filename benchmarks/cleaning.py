"""Measure the cleaning of a bank's customers and transactions beside pandas and polars.

A bank is simulated, which is not measured: customers in a text file in the encoding gb18030,
transactions in Parquet files of texts. Then, each in a process of its own, one after the other,
from these files to clean tables in the order of their keys, and rows set aside, as they came, with
the reason:

- customerlab: parses and cleans as notebook 01 does, within 4 GB of memory of its engine.
- pandas: column by column in memory, money as floats, which is to its favour.
- polars: lazy queries over the files, run by its streaming engine.

All of them trim blanks and empty cells without a text (of customers, they narrow full-width
characters, decode the sexes, and read two forms of dates); read dates, times and amounts, with or
without commas; and set rows aside that cannot be read, lack what is required, are test bookings,
came after the snapshot, belong to a customer who is not known, or repeat an earlier row or its key.
These are the checks that find something in this bank. The peers leave out what ours does besides:
wide characters in transactions, cells too many or too few in a line, the hashes of the files, how
many rows were repaired and how, how many customers and how much money each reason takes, and that
every row is accounted for. They stop where a file is not what they expect.

Printed, as a Markdown table: seconds from the files to the tables, by the clock and of all
processors, which others on the machine disturb less (without what is imported); peak resident
memory of the process, with what it imports; how many times as long as ours; and how many clean rows
differ from ours in any column, and whether other numbers of rows were set aside for a reason. Exit
code 1 when there is such a difference, or something failed.

    python benchmarks/cleaning.py [--accounts 35000 350000 3500000] [--folder FOLDER]
        [--only customerlab pandas polars] [--minutes 15] [--memory GB] [--environments FOLDER]
        [--out CSV]

By default it is done for 35,000 and 350,000 accounts. With a folder that is kept, what was
simulated there is used again. The environment of polars is made where it is not there yet, by
default in a temporary folder. A peer that takes longer than `--minutes`, or more memory than
`--memory` (by default 85 % of the machine's), is stopped, and not tried on more accounts.
"""

from __future__ import annotations

import sys
from pathlib import Path

from large import CLIENT, count_rows, make_project, simulate
from watching.tables import Task, compare, parse_arguments

from customerlab.paths import Paths

LEAVES = ("clean/customers.parquet", "clean/transactions.parquet")


def make_bank(folder: Path, accounts: int) -> Path:
    """Simulate a bank, where not done yet."""
    bank = make_project(folder, accounts)
    simulate(bank, accounts)
    return bank


def count_transactions(bank: Path) -> int:
    """Return how many transactions there are in the files."""
    return count_rows(Paths(bank, CLIENT).raw, "tx_*.parquet")


if __name__ == "__main__":
    task = Task("cleaning", "raw", LEAVES, make_bank, count_transactions)
    sys.exit(compare(task, parse_arguments(__doc__.splitlines()[0])))
