"""One run per client at a time, also after a run was killed.

Two locks of the operating system lie under ``data/<client>/``; the system frees them when their
holder ends, however it ends. The runner holds ``.run.lock`` alone. Each notebook in progress,
its kernel included, holds ``.notebooks.lock`` together with the others: a new run waits until
what a killed one left behind has stopped.
"""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from customerlab.errors import CustomerlabError
from customerlab.paths import Paths

#: Seconds between two looks at a lock.
_LOOK_EVERY = 0.2


@contextmanager
def the_only_run(paths: Paths) -> Iterator[None]:
    """Hold the client for one run.

    Raises
    ------
    CustomerlabError
        When another run of this client, or a notebook of one, is at work.
    """
    with (
        # those who look whether the runner is alive hold its lock for an instant
        _held(
            paths.data / ".run.lock",
            fcntl.LOCK_EX,
            seconds=2,
            refusal=f"another run of {paths.client} is at work; wait until it ends",
        ),
    ):
        with _held(
            paths.data / ".notebooks.lock",
            fcntl.LOCK_EX,
            seconds=20,
            refusal=f"a notebook of {paths.client} is still at work outside of this run; "
            "wait until it ends",
        ):
            pass
        yield


@contextmanager
def a_notebook(paths: Paths) -> Iterator[int]:
    """Hold the client's notebook lock and yield its descriptor, for the kernel to hold too."""
    with _held(
        paths.data / ".notebooks.lock",
        fcntl.LOCK_SH,
        seconds=20,
        refusal=f"a run of {paths.client} is about to start; call again when it has ended",
    ) as descriptor:
        yield descriptor


def when_run_ends(paths: Paths, do: Callable[[], None]) -> None:
    """Call `do` from another thread as soon as no runner holds the client any more."""

    def watch() -> None:
        while not _is_free(paths.data / ".run.lock"):
            time.sleep(_LOOK_EVERY)
        do()

    threading.Thread(target=watch, daemon=True).start()


@contextmanager
def _held(path: Path, kind: int, *, seconds: float, refusal: str) -> Iterator[int]:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        for _ in range(round(seconds / _LOOK_EVERY)):
            if _take(descriptor, kind):
                break
            time.sleep(_LOOK_EVERY)
        else:
            raise CustomerlabError(refusal)
        yield descriptor
    finally:
        os.close(descriptor)  # frees the lock, unless a kernel holds it still


def _take(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_free(path: Path) -> bool:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        return _take(descriptor, fcntl.LOCK_SH)
    finally:
        os.close(descriptor)
