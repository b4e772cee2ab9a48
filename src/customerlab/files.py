"""Files that are whole or not there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any


def write_whole(path: Path, write: Callable[[Path], Any]) -> None:
    """Let `write` make a file under a temporary name and rename it when it is whole.

    What was written of a file that did not become whole is removed: on a full disk it would stand
    in the way of the next try.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    try:
        write(part)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file that is whole or not there."""
    write_whole(path, lambda part: part.write_text(text, encoding="utf-8"))
