"""Dirty input on purpose, in known numbers: what every cleaning has to find.

All dirt lies in the first piece. Values are spoilt in place only where cleaning can mend them
(or where nothing hangs on them); everything that belongs into quarantine is an additional row,
so that the truth about the real customers stays whole.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

#: Rows by table and kind of dirt in a bank of `FULL_SIZE` customers or more, and what cleaning
#: should do with them. A smaller bank gets proportionally fewer, at least one of each.
KINDS: dict[str, dict[str, tuple[int, str]]] = {
    "customers": {
        "blanks_around": (30, "repaired"),
        "full_width": (25, "repaired"),
        "gender_words": (60, "repaired"),
        "birth_with_dashes": (200, "repaired"),
        "repeated_exact": (12, "dropped"),
        "repeated_differs": (8, "quarantined"),
        "missing_customer_id": (10, "quarantined"),
        "impossible_birth": (9, "quarantined"),
        "joined_after_snapshot": (7, "quarantined"),
    },
    "accounts": {"unknown_customer": (5, "quarantined")},
    "balances": {
        "thousands_separator": (40, "repaired"),
        "unparsable": (12, "quarantined"),
        "unknown_account": (15, "quarantined"),
    },
    "transactions": {
        "thousands_separator": (200, "repaired"),
        "unparsable": (20, "quarantined"),
        "not_a_number": (15, "quarantined"),
        "infinity": (10, "quarantined"),
        "missing_amount": (25, "quarantined"),
        "impossible_time": (10, "quarantined"),
        "unknown_customer": (40, "quarantined"),
        "after_snapshot": (30, "quarantined"),
        "repeated_exact": (50, "dropped"),
        "repeated_differs": (20, "quarantined"),
        "test_booking": (60, "quarantined"),
    },
    "interactions": {
        "quoted_newline": (20, "kept"),
        "quoted_delimiter": (15, "kept"),
        "unknown_customer": (5, "quarantined"),
        "too_many_fields": (6, "quarantined"),
        "blank_line": (5, "dropped"),
    },
    "ratings": {
        "other_language": (30, "kept"),
        "missing_answer": (40, "kept"),
        "full_width": (10, "repaired"),
        "missing_customer_id": (3, "quarantined"),
    },
    "assignments": {"repeated_exact": (5, "dropped")},
}
FULL_SIZE = 20_000

GENDER_WORDS = {"F": ("女", "female", "Female"), "M": ("男", "male", "Male")}
OTHER_LANGUAGES = ("非常满意谢谢", "サービスが遅い", "très bien", "خدمة جيدة", "👍👍")
#: Full-width forms lie this far behind the plain ones in Unicode.
FULL_WIDTH_OFFSET = 0xFEE0

Columns = dict[str, list]


@dataclass
class Spoiler:
    """Counts the dirt that a simulated client's `Dirt` plants.

    Attributes
    ----------
    rng : numpy.random.Generator
    customers : int
        Size of the first piece; sets how much dirt there is.
    rows : list of tuple
        Table, kind, rows planted, what cleaning should do.
    kinds, full_size
        As `KINDS` and `FULL_SIZE`, for the client.
    """

    rng: np.random.Generator
    customers: int
    rows: list[tuple[str, str, int, str]] = field(default_factory=list)
    kinds: ClassVar[dict[str, dict[str, tuple[int, str]]]]
    full_size: ClassVar[int]

    def count(self, table: str, kind: str) -> int:
        """Say how many rows of a kind are due, and write that down."""
        full, action = self.kinds[table][kind]
        rows = max(1, round(full * min(1.0, self.customers / self.full_size)))
        self.rows.append((table, kind, rows, action))
        return rows

    def one(self, words: tuple[str, ...]) -> str:
        """Return one of some words, by lot."""
        return words[self.rng.integers(len(words))]

    def csv(self) -> str:
        """Write what was planted."""
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        writer.writerows([("table", "kind", "rows", "action"), *self.rows])
        return buffer.getvalue()


class Dirt(Spoiler):
    """Plants dirt in the tables of the bank's first piece."""

    kinds = KINDS
    full_size = FULL_SIZE

    def in_customers(self, columns: Columns) -> None:
        """Spoil the customers table; `columns` is changed in place."""
        spots = Spots(self.rng, np.arange(len(columns["cust_no"])))
        for row in spots.take(self.count("customers", "blanks_around")):
            for name in ("cust_no", "region", "occup"):
                columns[name][row] = f" {columns[name][row]}  "
        for row in spots.take(self.count("customers", "full_width")):
            for name in ("cust_no", "mobile"):
                columns[name][row] = full_width(columns[name][row])
        for row in spots.take(self.count("customers", "gender_words")):
            columns["sex"][row] = self.one(GENDER_WORDS[columns["sex"][row]])
        for row in spots.take(self.count("customers", "birth_with_dashes")):
            plain = columns["birth"][row]
            columns["birth"][row] = f"{plain[:4]}-{plain[4:6]}-{plain[6:]}"
        for row in spots.take(self.count("customers", "repeated_exact")):
            repeat(columns, row)
        for row in spots.take(self.count("customers", "repeated_differs")):
            repeat(columns, row, contrib_12m="0.01", cust_name="重复")
        for row in spots.take(self.count("customers", "missing_customer_id")):
            repeat(columns, row, cust_no="")
        # Nothing else is known of these customers: no account, no transaction.
        ghosts = iter(range(90_000_000, 90_001_000))
        for row in spots.take(self.count("customers", "impossible_birth")):
            repeat(columns, row, cust_no=f"C{next(ghosts)}", birth="20250230")
        for row in spots.take(self.count("customers", "joined_after_snapshot")):
            repeat(columns, row, cust_no=f"C{next(ghosts)}", open_date="2026-02-03")

    def in_accounts(self, columns: Columns) -> None:
        """Add accounts of customers whom nobody knows."""
        spots = Spots(self.rng, np.arange(len(columns["acct_no"])))
        rows = spots.take(self.count("accounts", "unknown_customer"))
        for place, row in enumerate(rows):
            repeat(columns, row, acct_no=f"A99999999{place:02d}", cust_no=f"C9999999{place}")

    def in_balances(self, columns: Columns) -> None:
        """Spoil one month of balances; unparsable ones are those of empty accounts."""
        text = columns["balance"]
        large = [row for row, value in enumerate(text) if len(value) >= len("1234.56")]
        for row in Spots(self.rng, large).take(self.count("balances", "thousands_separator")):
            text[row] = with_thousands(text[row])
        empty = [row for row, value in enumerate(text) if value == "0.00"]
        for row in Spots(self.rng, empty).take(self.count("balances", "unparsable")):
            text[row] = self.one(("n/a", "1,2,3"))
        for place in range(self.count("balances", "unknown_account")):
            repeat(columns, 0, account_id=f"A9999999{place:03d}", balance="10.00")

    def in_transactions(self, columns: Columns, after_snapshot: str) -> None:
        """Spoil one month of transactions; additional rows copy real ones of that month."""
        size = len(columns["amount"])
        large = [row for row, v in enumerate(columns["amount"]) if abs(float(v)) >= 1000]
        spots = Spots(self.rng, np.array(large))
        for row in spots.take(self.count("transactions", "thousands_separator")):
            columns["amount"][row] = with_thousands(columns["amount"][row])
        spots = Spots(self.rng, np.setdiff1d(np.arange(size), list(spots.taken)))
        numbers = iter(range(1, 10_000))

        def add(dirt: str, /, **changes: str | None) -> None:
            for row in spots.take(self.count("transactions", dirt)):
                repeat(columns, row, transaction_id=f"X{next(numbers):012d}", **changes)

        add("unparsable", amount="1,2,3")
        add("not_a_number", amount="NaN")
        add("infinity", amount="inf")
        add("missing_amount", amount=None)
        add("impossible_time", occurred_at="2025-02-30 10:00:00")
        add("after_snapshot", occurred_at=after_snapshot)
        add("test_booking", amount="0.01", channel="test", kind="deposit")
        for row in spots.take(self.count("transactions", "unknown_customer")):
            number = next(numbers)
            repeat(
                columns,
                row,
                transaction_id=f"X{number:012d}",
                customer_id=f"C{99_990_000 + number}",
                account_id=None,
            )
        for row in spots.take(self.count("transactions", "repeated_exact")):
            repeat(columns, row)
        for row in spots.take(self.count("transactions", "repeated_differs")):
            repeat(columns, row, amount="7.77")

    def in_interactions(self, lines: list[str]) -> list[str]:
        """Spoil lines of the contacts file (semicolons, the note last)."""
        spots = Spots(self.rng, np.arange(1, len(lines) - 1))
        extra: dict[int, list[str]] = {}
        for row in spots.take(self.count("interactions", "quoted_newline")):
            lines[row] = _with_note(lines[row], '"called twice\nno answer; ""urgent"""')
        for row in spots.take(self.count("interactions", "quoted_delimiter")):
            lines[row] = _with_note(lines[row], '"asked; no reply"')
        for row in spots.take(self.count("interactions", "unknown_customer")):
            extra.setdefault(row, []).append("C99999999" + lines[row][len("C00000000") :])
        for row in spots.take(self.count("interactions", "too_many_fields")):
            extra.setdefault(row, []).append(_with_note(lines[row], "see file;page 2"))
        for row in spots.take(self.count("interactions", "blank_line")):
            extra.setdefault(row, []).append("")
        return [out for row, line in enumerate(lines) for out in (line, *extra.get(row, []))]

    def in_ratings(self, columns: Columns, items: tuple[str, ...]) -> None:
        """Spoil the ratings table."""
        spots = Spots(self.rng, np.arange(len(columns["customer_id"])))
        for row in spots.take(self.count("ratings", "other_language")):
            columns["comment"][row] = self.one(OTHER_LANGUAGES)
        for row in spots.take(self.count("ratings", "missing_answer")):
            columns[self.one(items)][row] = None
        for row in spots.take(self.count("ratings", "full_width")):
            name = self.one(items)
            columns[name][row] = full_width(columns[name][row])
        for row in spots.take(self.count("ratings", "missing_customer_id")):
            repeat(columns, row, customer_id="")

    def in_assignments(self, lines: list[str]) -> list[str]:
        """Repeat some assignments."""
        spots = Spots(self.rng, np.arange(len(lines)))
        return lines + [
            lines[row] for row in spots.take(self.count("assignments", "repeated_exact"))
        ]


class Spots:
    """Deals out rows at random, none of them twice."""

    def __init__(self, rng: np.random.Generator, rows: np.ndarray | list[int]) -> None:
        self._rows = iter(rng.permutation(np.asarray(rows, dtype=int)).tolist())
        self.taken: set[int] = set()

    def take(self, count: int) -> list[int]:
        """Return `count` further rows; too few is a fault of the simulator."""
        rows = [next(self._rows) for _ in range(count)]
        self.taken.update(rows)
        return rows


def full_width(word: str) -> str:
    """Write plain digits and letters in their full-width forms."""
    return "".join(chr(ord(c) + FULL_WIDTH_OFFSET) if c.isalnum() else c for c in word)


def with_thousands(amount: str) -> str:
    """Write ``-1234.50`` as ``-1,234.50``."""
    whole, _, part = amount.partition(".")
    return f"{int(whole):,}.{part}"


def _with_note(line: str, note: str) -> str:
    return line.rpartition(";")[0] + ";" + note


def repeat(columns: Columns, row: int, **changes: str | None) -> None:
    """Add a copy of a row with some changed values."""
    for name, values in columns.items():
        values.append(changes.get(name, values[row]))
