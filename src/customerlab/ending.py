"""How the runs of clients ended: said, told in a table, and the index made to fit the pages."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from customerlab import plan
from customerlab.errors import CustomerlabError
from customerlab.params import Params
from customerlab.paths import Paths


@dataclass(frozen=True)
class Client:
    """One client of a run: its parameters, its places, and the notebooks that are wanted."""

    params: Params
    paths: Paths
    wanted: tuple[plan.Notebook, ...]


@dataclass(frozen=True)
class End:
    """How one client's run ended; `report` is its index from the root, where there is one."""

    client: str
    pages: int
    said: str
    failed: bool
    report: Path | None


def conclude(root: Path, file: str, one: Client, before: Mapping[str, int | None]) -> End:
    """Make sure that the index fits the pages, and say how it ended."""
    client, paths, wanted = one.params.client, one.paths, one.wanted
    failed = [one.name for one in wanted if paths.failed(one.name).exists()]
    absent = [one.name for one in wanted if not paths.page(one.name).exists()]
    index = paths.page(plan.SUMMARY)
    made = sum(paths.page(notebook.name).exists() for notebook in wanted)
    if absent and not failed:
        said = f"stopped before {', '.join(absent)}"
        tell(f"{client}: {said}. Call again to go on.")
        return End(client, made, said, True, None)
    if not index.exists() and plan.SUMMARY not in failed:
        # a notebook failed, or not all were asked for: the index has to say which pages lack
        _summarize(root, file)
    said = "done"
    if failed:
        waiting = [name for name in absent if name not in (*failed, plan.SUMMARY)]
        because = f"; not run because of it: {', '.join(waiting)}" if waiting else ""
        said = f"{', '.join(failed)} failed{because}"
        tell(f"{client}: {said}.")
    elif before == states(one):
        said = "nothing to do"
        tell(f"{client}: nothing to do, everything is up to date.")
    report = index.relative_to(root) if index.exists() else None
    made = sum(paths.page(notebook.name).exists() for notebook in wanted)
    return End(client, made, said, bool(failed) or report is None, report)


def show_ends(ends: Mapping[str, End], refused: Mapping[str, CustomerlabError]) -> None:
    """Print how each of several clients ended, one line each."""
    rows = [("client", "pages", "report", "how it ended")]
    rows += [(e.client, str(e.pages), str(e.report or "none"), e.said) for e in ends.values()]
    rows += [(file, "0", "none", "not run: see above") for file in refused]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for *cells, said in rows:
        cells = [cell.ljust(width) for cell, width in zip(cells, widths, strict=True)]
        print("  ".join([*cells, said]))


def states(client: Client) -> dict[str, int | None]:
    """Return when each notebook was last executed, to see which were now."""
    paths = client.paths
    executed = {one.name: paths.executed(one.name) for one in plan.planned(client.params)}
    return {
        name: path.stat().st_mtime_ns if path.exists() else None for name, path in executed.items()
    }


def _summarize(root: Path, file: str) -> None:
    job = [sys.executable, "-m", "customerlab.job", file, plan.SUMMARY]
    subprocess.run(job, cwd=root, check=False)


def tell(text: str) -> None:
    """Say something on stderr, where progress is said."""
    print(f"customerlab: {text}", file=sys.stderr, flush=True)
