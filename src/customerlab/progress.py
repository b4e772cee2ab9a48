"""Papermill's engine with progress on the terminal, one line for a cell.

Papermill imports this module while it is itself being imported: import `papermill` first.
"""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO

import nbformat
from jupyter_core.utils import ensure_event_loop
from nbclient.exceptions import DeadKernelError
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine
from papermill.iorw import write_ipynb
from traitlets.config import Config

from customerlab.kernels import OwnPortsManager

_HEADING = re.compile(r"^#+[ \t]+(.+?)[ \t#]*$", re.MULTILINE)
_CODE_BLOCK = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)

#: What a kernel does first. Imports are many objects that live on: looked through for cycles every
#: 700, as Python does by itself, they cost a tenth more.
_FIRST = "__import__('gc').set_threshold(50_000)"


class KernelDied(Exception):
    """The kernel ended in the middle of a cell.

    Parameters
    ----------
    cell_index : int
        Which cell, among all of the executed notebook.
    """

    def __init__(self, cell_index: int):
        super().__init__(cell_index)
        self.cell_index = cell_index


class _Client(PapermillNotebookClient):
    """Papermill's client; one that is interrupted does not wait for its kernel."""

    def papermill_execute_cells(self) -> None:
        try:
            super().papermill_execute_cells()
        except BaseException:
            self.shutdown_kernel = "immediate"
            _abandon_what_waits()
            raise


def _abandon_what_waits() -> None:
    """End the tasks that an interrupt left waiting for the kernel.

    Otherwise they may notice, while the kernel is shut down, that it is gone, and complain of it
    with nobody left to hear.
    """
    loop = ensure_event_loop()
    waiting = asyncio.all_tasks(loop)
    for task in waiting:
        task.cancel()
    loop.run_until_complete(asyncio.gather(*waiting, return_exceptions=True))


class ProgressEngine(NBClientEngine):
    """Executes as Papermill does and says on stderr where it is.

    Papermill knows it as the engine ``customerlab`` by an entry point of this package.
    """

    @classmethod
    def execute_managed_notebook(
        cls,
        nb_man: Any,
        kernel_name: str,
        log_output: bool = False,
        stdout_file: Any = None,
        stderr_file: Any = None,
        start_timeout: int = 60,
        execution_timeout: int | None = None,
        label: str = "",
        save_to: Path | None = None,
        pass_fds: Sequence[int] = (),
        **kwargs: Any,
    ) -> None:
        """Execute the notebook; see Papermill.

        Parameters
        ----------
        label : str
            Begins each line.
        save_to : Path, optional
            Where what ran is saved when execution breaks off; a notebook that ends, or a cell that
            raises, is saved by Papermill.
        pass_fds : sequence of int
            Descriptors that the kernel keeps open: locks that it holds as long as it lives.
        """
        progress = Progress(nb_man.nb, label, sys.stderr)
        client = _Client(
            nb_man,
            kernel_name=kernel_name,
            timeout=execution_timeout,
            startup_timeout=start_timeout,
            log_output=log_output,
            stdout_file=stdout_file,
            stderr_file=stderr_file,
            on_cell_start=progress.cell_starts,
            # customers' data goes over the wire to the kernel, on a machine that others may share
            config=Config(
                OwnPortsManager={"transport_encryption": "auto", "start_timeout": start_timeout}
            ),
            kernel_manager_class=OwnPortsManager,
            extra_arguments=[f"--IPKernelApp.exec_lines={_FIRST}"],
        )
        try:
            client.execute(**({"pass_fds": tuple(pass_fds)} if pass_fds else {}))
        except Exception as error:
            if save_to is not None:
                write_ipynb(nb_man.nb, str(save_to))
            if isinstance(error, DeadKernelError):
                raise KernelDied(progress.cell_index) from error
            raise


class Progress:
    """Writes ``04_churn_timing  7/18  How long do they stay?`` as cells begin.

    On a terminal a line for each code cell; elsewhere, in a log, one for each heading.

    Parameters
    ----------
    notebook : NotebookNode
    label : str
    out : file
    """

    def __init__(self, notebook: nbformat.NotebookNode, label: str, out: TextIO):
        self.notebook, self.label, self.out = notebook, label, out
        self.cell_index = 0
        self._last_heading: str | None = None

    def cell_starts(self, cell: nbformat.NotebookNode, cell_index: int) -> None:
        """Say which cell begins."""
        self.cell_index = cell_index
        if cell.cell_type != "code" or _is_put_in(cell):
            return
        number, count, heading = place(self.notebook, cell_index)
        if self.out.isatty() or heading != self._last_heading:
            print(f"{self.label}  {number}/{count}  {heading}", file=self.out, flush=True)
        self._last_heading = heading


def place(notebook: nbformat.NotebookNode, cell_index: int) -> tuple[int, int, str]:
    """Return the number of a code cell, the count of code cells, and the heading above it."""
    written = [
        index
        for index, cell in enumerate(notebook.cells)
        if cell.cell_type == "code" and not _is_put_in(cell)
    ]
    number = sum(index <= cell_index for index in written)
    headings = [
        heading
        for cell in notebook.cells[:cell_index]
        if cell.cell_type == "markdown"
        for heading in _HEADING.findall(_CODE_BLOCK.sub("", cell.source))
    ]
    return number, len(written), headings[-1] if headings else ""


def _is_put_in(cell: nbformat.NotebookNode) -> bool:
    """Say whether Papermill put the cell in; it does not count, nobody wrote it."""
    return "injected-parameters" in cell.metadata.get("tags", [])
