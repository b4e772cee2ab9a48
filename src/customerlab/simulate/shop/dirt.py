"""Dirty input on purpose, in known numbers, as in the demo bank; what is new is the survey's.

Answers that are missing or off the scale are spoilt in place, at random and in a row of their own
each; those who gave one answer to every question are additional rows.
"""

from __future__ import annotations

import numpy as np

from customerlab.simulate.dirt import (
    GENDER_WORDS,
    OTHER_LANGUAGES,
    Columns,
    Spoiler,
    Spots,
    full_width,
    repeat,
    with_thousands,
)
from customerlab.simulate.shop.voices import QUESTIONS

#: Rows by table and kind in a shop of `FULL_SIZE` customers or more, and what becomes of them.
KINDS: dict[str, dict[str, tuple[int, str]]] = {
    "customers": {
        "blanks_around": (20, "repaired"),
        "full_width": (15, "repaired"),
        "gender_words": (40, "repaired"),
        "repeated_exact": (10, "dropped"),
        "missing_customer_id": (6, "quarantined"),
        "joined_after_snapshot": (5, "quarantined"),
    },
    "transactions": {
        "thousands_separator": (30, "repaired"),
        "unparsable": (10, "quarantined"),
        "missing_amount": (12, "quarantined"),
        "impossible_time": (6, "quarantined"),
        "unknown_customer": (15, "quarantined"),
        "after_snapshot": (9, "quarantined"),
        "repeated_exact": (25, "dropped"),
        "test_order": (20, "quarantined"),
    },
    "survey": {
        "missing_answer": (400, "kept"),
        "off_scale": (60, "kept"),
        "full_width": (20, "repaired"),
        "straight_lined": (45, "kept"),
        "repeated_exact": (25, "dropped"),
    },
    "ratings": {
        "missing_answer": (500, "kept"),
        "off_scale": (80, "kept"),
        "full_width": (20, "repaired"),
        "other_language": (30, "kept"),
        "missing_customer_id": (5, "quarantined"),
    },
    "interactions": {"unknown_customer": (4, "quarantined")},
    "assignments": {"repeated_exact": (8, "dropped")},
}
FULL_SIZE = 6_000
#: Codes that the survey's software writes for "does not apply" and "no answer".
OFF_SCALE = ("9", "99")


class Dirt(Spoiler):
    """Plants dirt in the shop's tables; the columns given are changed in place."""

    kinds = KINDS
    full_size = FULL_SIZE

    def in_customers(self, columns: Columns) -> None:
        """Spoil the customers table."""
        spots = self._spots(columns)
        for row in spots.take(self.count("customers", "blanks_around")):
            for name in ("member", "area"):
                columns[name][row] = f" {columns[name][row]} "
        for row in spots.take(self.count("customers", "full_width")):
            columns["member"][row] = full_width(columns["member"][row])
        for row in spots.take(self.count("customers", "gender_words")):
            columns["sex"][row] = self.one(GENDER_WORDS[columns["sex"][row]])
        for row in spots.take(self.count("customers", "repeated_exact")):
            repeat(columns, row)
        for row in spots.take(self.count("customers", "missing_customer_id")):
            repeat(columns, row, member="")
        rows = spots.take(self.count("customers", "joined_after_snapshot"))
        for place, row in enumerate(rows):
            repeat(columns, row, member=f"M99999{place:02d}", first_order="2026-02-03")

    def in_transactions(self, columns: Columns) -> None:
        """Spoil the order lines; additional rows copy real ones."""
        large = [row for row, value in enumerate(columns["paid"]) if len(value) >= len("1234.56")]
        large_spots = Spots(self.rng, large)
        for row in large_spots.take(self.count("transactions", "thousands_separator")):
            columns["paid"][row] = with_thousands(columns["paid"][row])
        size = len(columns["paid"])
        spots = Spots(self.rng, np.setdiff1d(np.arange(size), list(large_spots.taken)))
        numbers = iter(range(1, 10_000))

        def add(dirt: str, /, **changes: str | None) -> None:
            for row in spots.take(self.count("transactions", dirt)):
                repeat(columns, row, line_no=f"X{next(numbers):08d}", **changes)

        add("unparsable", paid="1,2,3")
        add("missing_amount", paid=None)
        add("impossible_time", ordered_at="2025-02-30 10:00:00")
        add("unknown_customer", member="M9999998")
        add("after_snapshot", ordered_at="2026-01-05 10:00:00")
        add("test_order", paid="0.01", shop="test")
        for row in spots.take(self.count("transactions", "repeated_exact")):
            repeat(columns, row)

    def in_survey(self, columns: Columns, also: Columns) -> None:
        """Spoil the survey.

        Parameters
        ----------
        columns : dict of str to list
        also : dict of str to list
            Rows of respondents who will answer every question alike; the first are taken.
        """
        spots = self._spots(columns)
        self._spoil_answers("survey", columns, spots, QUESTIONS)
        for row in range(self.count("survey", "straight_lined")):
            answer = self.one(("3", "4", "5"))
            for name, values in columns.items():
                values.append(answer if name in QUESTIONS else also[name][row])
        for row in spots.take(self.count("survey", "repeated_exact")):
            repeat(columns, row)

    def in_ratings(self, columns: Columns) -> None:
        """Spoil the ratings."""
        spots = self._spots(columns)
        questions = tuple(name for name in columns if name.startswith("q"))
        self._spoil_answers("ratings", columns, spots, questions)
        for row in spots.take(self.count("ratings", "other_language")):
            columns["comment"][row] = self.one(OTHER_LANGUAGES)
        for row in spots.take(self.count("ratings", "missing_customer_id")):
            repeat(columns, row, member="")

    def in_interactions(self, columns: Columns) -> None:
        """Add contacts of customers whom nobody knows."""
        for row in self._spots(columns).take(self.count("interactions", "unknown_customer")):
            repeat(columns, row, member="M9999998")

    def in_assignments(self, columns: Columns) -> None:
        """Repeat some assignments."""
        for row in self._spots(columns).take(self.count("assignments", "repeated_exact")):
            repeat(columns, row)

    def _spoil_answers(
        self, table: str, columns: Columns, spots: Spots, questions: tuple[str, ...]
    ) -> None:
        for row in spots.take(self.count(table, "missing_answer")):
            columns[self.one(questions)][row] = None
        for row in spots.take(self.count(table, "off_scale")):
            columns[self.one(questions)][row] = self.one(OFF_SCALE)
        for row in spots.take(self.count(table, "full_width")):
            name = self.one(questions)
            columns[name][row] = full_width(columns[name][row])

    def _spots(self, columns: Columns) -> Spots:
        return Spots(self.rng, np.arange(len(next(iter(columns.values())))))
