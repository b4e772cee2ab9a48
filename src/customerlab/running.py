"""Run clients' notebooks: a front to Snakemake, which decides what has to run again."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from customerlab import plan
from customerlab.errors import CustomerlabError
from customerlab.locks import the_only_run
from customerlab.params import Params, load_params
from customerlab.paths import Paths, project_root

#: Modules that no notebook uses: a change in them makes no result stale.
_NOT_OF_NOTEBOOKS = {
    "checking",
    "cli",
    "examples",
    "guessing",
    "job",
    "locks",
    "newclient",
    "progress",
    "running",
    "simulate",
}

_SUFFIXES = {".py", ".po", ".j2", ".css", ".json", ".js"}

#: What Snakemake says when a job ended with an error: the job itself has said which.
_JOBS_FAILED = "At least one job did not complete successfully."

#: The share of the machine's memory that engines may take together; the rest is for the kernels.
_MEMORY_SHARE = 0.6


def __getattr__(name: str) -> Any:
    # Papermill asks for its engine here while it is itself being imported, and the engine's
    # module needs Papermill: so it is imported on being asked for
    if name == "ProgressEngine":
        from customerlab.progress import ProgressEngine

        return ProgressEngine
    raise AttributeError(name)


def source_files(params: Params, root: Path, where: str) -> list[Path]:
    """Return the client's own files, every glob resolved.

    Parameters
    ----------
    params : Params
    root : Path
        The project's root.
    where : str
        The parameter file; begins the message.

    Raises
    ------
    CustomerlabError
        When one is missing.
    """
    # it brings the engine along, which neither papermill nor --help needs
    from customerlab.sources import resolve_files

    root = root.resolve()
    raw = Paths(root, params.client).raw
    return [
        seen_from(root, file)
        for table, source in params.sources.items()
        for file in resolve_files(source.path, root, raw, table, f"{where}: sources.{table}")
    ]


def code_files(root: Path) -> list[Path]:
    """Return the files of this package, and its locked dependencies, that results rest on."""
    root = root.resolve()
    package = Path(__file__).parent
    used = sorted(
        path
        for path in package.rglob("*")
        if path.suffix in _SUFFIXES
        and path.relative_to(package).parts[0].removesuffix(".py") not in _NOT_OF_NOTEBOOKS
    )
    lock = root / "requirements.lock"
    return [seen_from(root, path) for path in (*used, *([lock] if lock.is_file() else []))]


def run(
    params_paths: Sequence[Path],
    *,
    jobs: int | None = None,
    only: Iterable[str] = (),
    root: Path | None = None,
) -> int:
    """Run what changed, for one or more clients, and say where the reports are.

    Parameters
    ----------
    params_paths : sequence of Path
        Parameter files.
    jobs : int, optional
        How many notebooks run side by side, among which threads and memory are divided. If left
        out, as many as do not wait for each other, at most one for each processor.
    only : iterable of str
        Notebooks: these and what they need. Empty for all.
    root : Path, optional
        The project's root; found from the current folder when left out.

    Returns
    -------
    int
        The exit code: 0, or 1 when a notebook failed.

    Raises
    ------
    CustomerlabError
        When parameters are wrong, a file is missing, or the client is being run already.
    """
    root = root or project_root()
    only = tuple(only)
    clients = {str(seen_from(root, path)): load_params(path) for path in params_paths}
    names = [params.client for params in clients.values()]
    for name in names:
        if names.count(name) > 1:
            raise CustomerlabError(f"two of the parameter files are for the client {name}")
    wanted = {file: plan.planned(params, only) for file, params in clients.items()}
    for file, params in clients.items():
        source_files(params, root, file)
    with ExitStack() as locks:
        for params in clients.values():
            paths = Paths(root, params.client)
            locks.enter_context(the_only_run(paths))
            remove_leftovers(params, paths)
        for file, params in clients.items():
            for notebook in wanted[file]:
                Paths(root, params.client).failed(notebook.name).unlink(missing_ok=True)
        before = {file: _states(params, root) for file, params in clients.items()}
        most = sum(plan.side_by_side(wanted[file], params) for file, params in clients.items())
        trouble = _snakemake(root, clients, wanted, jobs or min(most, processors()))
        ends = [
            _concluded(root, file, params, wanted[file], before[file], trouble)
            for file, params in clients.items()
        ]
    return max(ends)


def seen_from(root: Path, path: Path) -> Path:
    """Return the path from the root, where it lies below: Snakemake compares what it is given."""
    path = path.resolve()
    return path.relative_to(root) if path.is_relative_to(root) else path


def remove_leftovers(params: Params, paths: Paths) -> None:
    """Remove what older runs made and this client's parameters no longer make."""
    made = {
        path
        for notebook in plan.planned(params)
        for path in (*plan.outputs(notebook, params, paths), paths.failed(notebook.name))
    }
    for folder, pattern in (
        (paths.reports, "*.html"),
        (paths.table("_").parent, "*.csv"),
        (paths.clean("_").parent, "*.parquet"),
        (paths.quarantine("_").parent, "*.parquet"),
        (paths.scores("_").parent, "*.parquet"),
        (paths.data, paths.customers.name),
        (paths.findings("_").parent, "*.json"),
        (paths.executed("_").parent, "*.ipynb"),
    ):
        for path in folder.glob(pattern):
            if path not in made:
                path.unlink()


def _snakemake(
    root: Path,
    clients: dict[str, Params],
    wanted: dict[str, tuple[plan.Notebook, ...]],
    jobs: int,
) -> Exception | None:
    """Have Snakemake run what is stale, and return what it could not do.

    It is silent: the notebooks themselves say what happens.
    """
    from snakemake.api import (
        ConfigSettings,
        DAGSettings,
        ExecutionSettings,
        OutputSettings,
        ResourceSettings,
        SnakemakeApi,
    )
    from snakemake.exceptions import WorkflowError
    from snakemake.scheduling.greedy import SchedulerSettings as GreedySettings
    from snakemake.settings.enums import Quietness
    from snakemake.settings.types import SchedulingSettings

    targets = [
        str(path)
        for file, params in clients.items()
        for notebook in wanted[file]
        for path in plan.outputs(notebook, params, Paths(Path(), params.client))
    ]
    threads = max(1, processors() // jobs)
    config = {
        "params": list(clients),
        "threads": threads,
        "memory": int(memory_mb() * _MEMORY_SHARE / jobs),
        "options": "--with-run",
    }
    with SnakemakeApi(OutputSettings(quiet={Quietness.ALL})) as snakemake:
        workflow = snakemake.workflow(
            resource_settings=ResourceSettings(cores=jobs * threads),
            config_settings=ConfigSettings(config=config),
            snakefile=root / "Snakefile",
            workdir=root,
        )
        # what a killed run had begun is done again; our own lock takes the place of Snakemake's,
        # which a kill leaves behind
        dag = workflow.dag(DAGSettings(targets=set(targets), force_incomplete=True))
        try:
            dag.execute_workflow(
                execution_settings=ExecutionSettings(keep_going=True, lock=False, latency_wait=3),
                scheduling_settings=SchedulingSettings(scheduler="greedy"),
                # without them Snakemake 9.15 fails where more than one job is ready
                scheduler_settings=GreedySettings(),
            )
        except WorkflowError as error:
            if str(error) != _JOBS_FAILED:  # nothing has begun
                raise CustomerlabError(str(error)) from None
            return error
    return None


def _concluded(
    root: Path,
    file: str,
    params: Params,
    wanted: Sequence[plan.Notebook],
    before: dict[str, int | None],
    trouble: Exception | None,
) -> int:
    """Make sure that the index fits the pages, say how it ended, return the exit code."""
    paths = Paths(root, params.client)
    failed = [one.name for one in wanted if paths.failed(one.name).exists()]
    absent = [one.name for one in wanted if not paths.page(one.name).exists()]
    index = paths.page(plan.SUMMARY)
    if absent and not failed:
        _tell(f"{params.client}: stopped before {', '.join(absent)}. Call again to go on.")
        if trouble and str(trouble) != _JOBS_FAILED:
            raise CustomerlabError(f"{params.client}: {trouble}")
        return 1
    if not index.exists() and plan.SUMMARY not in failed:
        # a notebook failed, or not all were asked for: the index has to say which pages lack
        _summarize(root, file)
    if failed:
        waiting = [name for name in absent if name not in (*failed, plan.SUMMARY)]
        because = f"; not run because of it: {', '.join(waiting)}" if waiting else ""
        _tell(f"{params.client}: {', '.join(failed)} failed{because}.")
    elif before == _states(params, root):
        _tell(f"{params.client}: nothing to do, everything is up to date.")
    if index.exists():
        print(f"Report: {index.relative_to(root)}")
    return 1 if failed or not index.exists() else 0


def _states(params: Params, root: Path) -> dict[str, int | None]:
    """Return when each notebook was last executed, to see which were now."""
    paths = Paths(root, params.client)
    executed = {one.name: paths.executed(one.name) for one in plan.planned(params)}
    return {
        name: path.stat().st_mtime_ns if path.exists() else None for name, path in executed.items()
    }


def _summarize(root: Path, file: str) -> None:
    job = [sys.executable, "-m", "customerlab.job", file, plan.SUMMARY]
    subprocess.run(job, cwd=root, check=False)


def _tell(text: str) -> None:
    print(f"customerlab: {text}", file=sys.stderr, flush=True)


def processors() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def memory_mb() -> int:
    """Return how much memory this machine, or the container, has."""
    sizes = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    limit = Path("/sys/fs/cgroup/memory.max")
    if limit.is_file() and (text := limit.read_text().strip()).isdigit():
        sizes.append(int(text))
    return min(sizes) // 1_000_000
