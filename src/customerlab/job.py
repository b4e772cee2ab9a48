"""Run one notebook of one client: what Snakemake calls, in a process of its own.

``python -m customerlab.job params/acme.yaml 04_churn_timing``
"""

from __future__ import annotations

import argparse
import errno
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from customerlab import plan
from customerlab.ending import tell
from customerlab.errors import CustomerlabError
from customerlab.locks import a_notebook, when_run_ends
from customerlab.messages import Words, say
from customerlab.params import Params, load_params
from customerlab.paths import Paths, project_root

_DISK_FULL = "the disk is full. What is whole stays; make room and call again to go on."


class NotebookFailed(Exception):
    """A notebook stopped half-way; the text names it, the heading and the cell."""


def run_notebook(
    params_path: Path,
    name: str,
    *,
    root: Path | None = None,
    threads: int | None = None,
    memory_mb: int | None = None,
) -> Path:
    """Execute a notebook for a client and publish its page.

    Nothing appears under its final name before the notebook ran to its end, and from the moment
    it starts, no page that rests on its older results is left.

    Parameters
    ----------
    params_path : Path
        The client's parameter file.
    name : str
        The notebook, with or without its number.
    root : Path, optional
        The project's root; found from the current folder when left out.
    threads, memory_mb : int, optional
        What the engine may use, where the parameter file does not say.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    CustomerlabError
        When the parameters are wrong or the notebook lacks a source.
    NotebookFailed
        When the kernel did not start, a cell raised, or none wrote a file that the plan promises
        to others; what ran is kept as ``<notebook>.failed.ipynb``. When the disk is full, and then
        nothing is kept.
    """
    root = root or project_root()
    params = load_params(params_path)
    paths = Paths(root, params.client)
    notebook = plan.named(name)
    lacking = plan.missing(notebook, params)
    if lacking is not None:
        raise CustomerlabError(f"{params.client}: {notebook.name} cannot run. {lacking}")
    with a_notebook(paths) as lock:
        for one in (notebook, *plan.dependents(notebook)):
            unpublish(one, params, paths)
        parameters = plan.parameters(notebook, params)
        # a cluster is no part of this machine, which those side by side share
        if "engine" in parameters and not params.engine.on_cluster:
            parameters["engine"] = _engine(parameters["engine"], threads, memory_mb)
        try:
            _execute(notebook, parameters, paths, lock)
            _see_all_written(notebook, params, paths)
            return _publish(notebook, params, paths)
        except Exception as error:
            if isinstance(error, OSError) and error.errno == errno.ENOSPC:
                _running(notebook, paths).unlink(missing_ok=True)  # it is not whole
                why = f"{paths.client}: {notebook.name} stopped: {_DISK_FULL}"
                raise NotebookFailed(why) from error
            _keep_as_failed(notebook, paths)
            raise
        finally:
            # an engine whose process died leaves behind what it had spilled; its words may stay
            scratch = paths.scratch(notebook.name)
            for folder in scratch.parent.glob(f"{scratch.name}*/"):
                shutil.rmtree(folder, ignore_errors=True)


def unpublish(notebook: plan.Notebook, params: Params, paths: Paths) -> None:
    """Remove everything that an older run of the notebook left."""
    page = paths.page(notebook.name)
    kept = paths.failed(notebook.name)
    for path in (page, page.with_suffix(".pdf"), kept, *plan.outputs(notebook, params, paths)):
        path.unlink(missing_ok=True)


def _engine(engine: dict[str, Any], threads: int | None, memory_mb: int | None) -> dict[str, Any]:
    share = {"threads": threads, "memory_limit": f"{memory_mb}MB" if memory_mb else None}
    return {key: value for key, value in share.items() if value is not None} | engine


def _execute(notebook: plan.Notebook, parameters: dict[str, Any], paths: Paths, lock: int) -> None:
    """Execute under a temporary name, then rename to the final or the failed one."""
    import papermill  # before our engine, which it imports itself

    from customerlab.kernels import KernelNotStarted
    from customerlab.progress import KernelDied

    running = _running(notebook, paths)
    running.parent.mkdir(parents=True, exist_ok=True)
    try:
        papermill.execute_notebook(
            paths.source_notebook(notebook.name),
            running,
            parameters=parameters,
            engine_name="customerlab",
            progress_bar=False,
            # before and after every cell: a quarter of the time of a small client's notebook
            request_save_on_cell_execute=False,
            save_to=running,
            cwd=paths.root,
            label=f"{paths.client}  {notebook.name}",
            pass_fds=(lock,),
        )
    except (papermill.PapermillExecutionError, KernelDied) as error:
        raise NotebookFailed(_explained(notebook, error, paths)) from error
    except KernelNotStarted as error:
        why = f"{error}; what it said stands above"
        raise NotebookFailed(f"{paths.client}: {notebook.name} did not start: {why}") from error
    running.replace(paths.executed(notebook.name))


def _running(notebook: plan.Notebook, paths: Paths) -> Path:
    """Return the name of the notebook while it runs."""
    return paths.executed(notebook.name).with_name(f".{notebook.name}.running.ipynb")


def _keep_as_failed(notebook: plan.Notebook, paths: Paths) -> None:
    """Keep the furthest that the notebook came, for a person to open."""
    stages = (
        _running(notebook, paths),
        paths.executed(notebook.name),  # it ran to its end, but its page could not be made
        paths.source_notebook(notebook.name),  # it did not begin
    )
    furthest = next((path for path in stages if path.exists()), None)
    if furthest == stages[-1]:
        paths.failed(notebook.name).write_bytes(furthest.read_bytes())
    elif furthest is not None:
        furthest.replace(paths.failed(notebook.name))


def _explained(notebook: plan.Notebook, error: Any, paths: Paths) -> str:
    """Say where a notebook stopped and why, and where to look."""
    import nbformat

    from customerlab.progress import KernelDied, place

    # as executed, but without the two cells that Papermill adds to mark the error
    executed = nbformat.read(_running(notebook, paths), as_version=4)
    executed.cells = [
        cell
        for cell in executed.cells
        if "papermill-error-cell-tag" not in cell.metadata.get("tags", [])
    ]
    number, count, heading = place(executed, error.cell_index)
    why = "the kernel died; most often there was not enough memory (engine: memory_limit)"
    if not isinstance(error, KernelDied):
        why = _why(error.ename, error.evalue)
    return (
        f'{paths.client}: {notebook.name} stopped under "{heading}", cell {number} of {count}: '
        f"{why}\n  the notebook up to there: {paths.failed(notebook.name).relative_to(paths.root)}"
    )


def _why(name: str, text: str) -> str:
    """Say why a cell stopped; where a machine was too small, which one thing to change."""
    # the engine says which limit it ran into, and then how to set it in its own language
    if "No space left on device" in text or "max_temp_directory_size" in text:
        return _DISK_FULL
    if name in {"OutOfMemoryException", "MemoryError"}:
        first = text.partition("\n")[0]
        return f"not enough memory; give more, or use fewer threads (engine: memory_limit): {first}"
    return text if name == CustomerlabError.__name__ else f"{name}: {text}"


def _see_all_written(notebook: plan.Notebook, params: Params, paths: Paths) -> None:
    """See that every file is there that the plan says the notebook writes."""
    page = paths.page(notebook.name)  # it is made afterwards
    promised = [one for one in plan.outputs(notebook, params, paths) if one != page]
    lacking = [str(one.relative_to(paths.root)) for one in promised if not one.exists()]
    if lacking:
        raise NotebookFailed(
            f"{paths.client}: {notebook.name} ran to its end, but did not write "
            f"{', '.join(lacking)}, which plan.py declares\n"
            f"  the notebook: {paths.failed(notebook.name).relative_to(paths.root)}"
        )


def _publish(notebook: plan.Notebook, params: Params, paths: Paths) -> Path:
    """Render the executed notebook; the page appears whole or not at all."""
    import nbformat

    from customerlab.files import write_text
    from customerlab.report import render_page, render_pdf

    title = params.title or params.client
    page = paths.page(notebook.name)
    is_summary = notebook.name == plan.SUMMARY
    ids = [source.columns.get("customer_id") for source in params.sources.values()]
    html = render_page(
        nbformat.read(paths.executed(notebook.name), as_version=4),
        notebook.name,
        words=Words(params.language, params.currency or "", params.privacy.min_cell),
        title=title,
        above=say("{title}, known up to {day:date}", title=title, day=params.snapshot),
        index=None if is_summary else paths.page(plan.SUMMARY).name,
        personal=[spec.source for spec in ids if spec and spec.source],
    )
    write_text(page, html)
    if is_summary:
        try:
            render_pdf(page, page.with_suffix(".pdf"))
        except CustomerlabError as error:  # the page itself is whole
            tell(f"no PDF of {page.name}: {error}")
    return page


def _prepare_process() -> None:
    """Set what has to be set before Jupyter's modules are imported, and for the kernel."""
    # the kernel of this environment, not a user-wide one of the same name
    os.environ["JUPYTER_PREFER_ENV_PATH"] = "1"
    # jsonschema would build a parser for addresses, two and a half seconds in every process;
    # it does without where the parser is not installed, and notebooks need none
    sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]
    # likewise Papermill, which would read notebooks from Hadoop where pyarrow is installed
    sys.modules["pyarrow.fs"] = None  # type: ignore[assignment]
    # tables of counts are small: threads of linear algebra wait for one another longer than they
    # compute, and add up in an order that depends on how many there are
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one notebook from the command line; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m customerlab.job", description=__doc__)
    parser.add_argument("params", type=Path, help="the client's parameter file")
    parser.add_argument("notebook", help="for instance 04_churn_timing")
    parser.add_argument("--threads", type=int, help="threads of the engine")
    parser.add_argument("--memory", type=int, help="memory of the engine in MB")
    parser.add_argument(
        "--with-run", action="store_true", help="stop when no run holds the client any more"
    )
    given = parser.parse_args(arguments)
    _prepare_process()
    try:
        if given.with_run:
            client = load_params(given.params).client
            # nothing to tidy up: what this process was writing has no final name yet
            when_run_ends(Paths(project_root(), client), lambda: os._exit(1))
        run_notebook(given.params, given.notebook, threads=given.threads, memory_mb=given.memory)
    except CustomerlabError as error:
        tell(str(error))
        return 2
    except NotebookFailed as error:
        tell(str(error))
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
