"""What benchmarks share: the memory of processes, and a word on what is under way."""

from __future__ import annotations

import sys

import psutil


def resident(process: psutil.Process) -> float:
    """Return the resident memory (MB) of a process and of all that it started."""
    total = 0
    try:
        for one in (process, *process.children(recursive=True)):
            total += one.memory_info().rss
    except psutil.NoSuchProcess:  # one ended while we counted
        pass
    return total / 1e6


def tell(text: str) -> None:
    """Say on the error stream what is under way."""
    print(f"-- {text}", file=sys.stderr, flush=True)
