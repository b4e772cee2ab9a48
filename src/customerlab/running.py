"""Run clients' notebooks: a front to Snakemake, which decides what has to run again."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from customerlab import plan
from customerlab.ending import Client, conclude, show_ends, states, tell
from customerlab.errors import CustomerlabError
from customerlab.locks import the_only_run
from customerlab.params import Params, load_params
from customerlab.paths import Paths, project_root

#: Modules that no notebook uses: a change in them makes no result stale.
_NOT_OF_NOTEBOOKS = {
    "checking",
    "cli",
    "ending",
    "examples",
    "guessing",
    "job",
    "kernels",
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
        if source.table is None  # Spark's own tables are no files
        for file in resolve_files(source.path, root, raw, table, f"{where}: sources.{table}")
    ]


def own_fingerprint(params: Params, where: str) -> str:
    """Return a hash of what changes when a client's tables of Spark's own do.

    Where Spark cannot tell whether one has changed, no two hashes are the same. Without such
    tables, which most clients are, nothing is started.

    Raises
    ------
    CustomerlabError
        When Spark does not start, or knows no such table.
    """
    own = any(source.table is not None for source in params.sources.values())
    if not own or params.engine.backend != "pyspark":  # which the check of the client refuses
        return ""
    from customerlab.workspace.engine import see_spark

    see_spark(params.engine)
    # Spark is not installed everywhere
    from customerlab.workspace.on_spark import look_at_own

    with tempfile.TemporaryDirectory() as folder:
        found = look_at_own(params, Path(folder) / "spark", where)
    signs = {name: table.signs or secrets.token_hex() for name, table in found.items()}
    return hashlib.sha256(json.dumps(signs, sort_keys=True).encode()).hexdigest()


def code_fingerprint(root: Path) -> str:
    """Return a hash of this package's files, and of its locked dependencies, as results rest on.

    As one parameter: some four hundred files as inputs of every notebook, each compared for each
    output, would cost a small client two seconds.
    """
    package = Path(__file__).parent
    used = sorted(
        path
        for path in package.rglob("*")
        if path.suffix in _SUFFIXES
        and path.relative_to(package).parts[0].removesuffix(".py") not in _NOT_OF_NOTEBOOKS
    )
    lock = root / "requirements.lock"
    code = hashlib.sha256()
    for path in (*used, *([lock] if lock.is_file() else [])):
        name = path.relative_to(package) if path != lock else lock.name
        code.update(f"{name}\0{path.stat().st_size}\0".encode())
        code.update(path.read_bytes())
    return code.hexdigest()


def run(
    params_paths: Sequence[Path],
    *,
    jobs: int | None = None,
    only: Iterable[str] = (),
    root: Path | None = None,
) -> int:
    """Run what changed, for one or more clients, and say where the reports are.

    Of several clients each stands for itself: one that cannot be run, or fails, leaves the others
    alone, and a table at the end says how each of them ended.

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
        The exit code: 0, or 1 when a notebook failed or a client could not be run.

    Raises
    ------
    CustomerlabError
        When parameters are wrong, a file is missing, or the client is being run already; of
        several clients, when this holds for all of them.
    """
    root = root or project_root()
    several = len(params_paths) > 1
    _refuse_twice(params_paths)
    clients: dict[str, Client] = {}
    refused: dict[str, CustomerlabError] = {}
    with ExitStack() as locks:
        for path in params_paths:
            file = str(seen_from(root, path))
            try:
                one = _ready(path, file, root, tuple(only))
                if several:  # of a single one Snakemake asks, where there is something to do
                    _check_files(path, root)
                locks.enter_context(the_only_run(one.paths))
            except CustomerlabError as error:
                refused[file] = error
            else:
                clients[file] = one
        if not clients:
            raise CustomerlabError("\n".join(map(str, refused.values())))
        for error in refused.values():
            tell(str(error))
        for one in clients.values():
            remove_leftovers(one.params, one.paths)
            for notebook in one.wanted:
                one.paths.failed(notebook.name).unlink(missing_ok=True)
        before = {file: states(one) for file, one in clients.items()}
        most = sum(plan.side_by_side(one.wanted, one.params) for one in clients.values())
        _snakemake(root, clients, jobs or min(most, processors()), checked=several)
        ends = {file: conclude(root, file, one, before[file]) for file, one in clients.items()}
    if several:
        show_ends(ends, refused)
    else:
        for end in ends.values():
            if end.report:
                print(f"Report: {end.report}")
    return int(bool(refused) or any(end.failed for end in ends.values()))


def _refuse_twice(params_paths: Sequence[Path]) -> None:
    """Refuse two files of one client: they have the client's name, and would undo each other."""
    for path in params_paths:
        if [other.stem for other in params_paths].count(path.stem) > 1:
            raise CustomerlabError(f"two of the parameter files are for the client {path.stem}")


def _ready(path: Path, file: str, root: Path, only: tuple[str, ...]) -> Client:
    """Return what is to be run of one client, whose files are there."""
    params = load_params(path)
    wanted = plan.planned(params, only)
    source_files(params, root, file)
    return Client(params, Paths(root, params.client), wanted)


def _check_files(path: Path, root: Path) -> None:
    from customerlab.checking import check  # brings the engine and every room along

    check(path, root)


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


def _snakemake(root: Path, clients: Mapping[str, Client], jobs: int, *, checked: bool) -> None:
    """Have Snakemake run what is stale.

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
        for one in clients.values()
        for notebook in one.wanted
        for path in plan.outputs(notebook, one.params, Paths(Path(), one.params.client))
    ]
    threads = max(1, processors() // jobs)
    config = {
        "params": list(clients),
        "threads": threads,
        "memory": int(memory_mb() * _MEMORY_SHARE / jobs),
        "options": "--with-run",
        "checked": checked,
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
