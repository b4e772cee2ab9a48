"""The clock of scripts that benchmarks run in processes of their own, and how they tell of it.

Needs nothing but Python, so that it works in a peer's own environment.
"""

from __future__ import annotations

import csv
import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

#: The exit code where there is not enough memory, as in benchmarks/watching.
OUT_OF_MEMORY = 3

Result = TypeVar("Result")


class Clock:
    """Times steps by the clock and in seconds of all processors, its children's among them."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, str, float]] = []

    def time(self, name: str, step: Callable[[], Result]) -> Result:
        """Do a step and remember what it took; end the process where memory does not suffice."""
        before = time.perf_counter(), _processors()
        try:
            result = step()
        except MemoryError as error:  # asked for more than the machine has
            print(error, file=sys.stderr)
            raise SystemExit(OUT_OF_MEMORY) from error
        self.rows.append(("seconds", name, time.perf_counter() - before[0]))
        self.rows.append(("cpu", name, _processors() - before[1]))
        return result

    def write(self, out: Path, found: Mapping[tuple[str, str], float]) -> None:
        """Write ``what``, ``name``, ``value``: what each step took, and what was found."""
        rows = [*self.rows, *((what, name, float(x)) for (what, name), x in found.items())]
        with out.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([("what", "name", "value"), *rows])


def run(work: Callable[[Path], Mapping[tuple[str, str], float]]) -> None:
    """Do all of a script's work in the folder named first, and tell of it in the file named last.

    `work` returns what was found.
    """
    clock = Clock()
    clock.write(Path(sys.argv[-1]), clock.time("all", lambda: work(Path(sys.argv[1]))))


def _processors() -> float:
    return sum(os.times()[:4])
