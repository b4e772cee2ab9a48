"""Kernels start whatever else takes ports meanwhile; one that cannot start says so, soon."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from jupyter_client import connect
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook
from small_project import CLIENT, environment, make_project

from customerlab.kernels import OwnPortsManager


def test_a_port_that_is_taken_before_the_kernel_starts_is_in_nobodys_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Every port that Jupyter would choose is kept by another, as a kernel beside it may."""

    class Taken(socket.socket):
        def close(self) -> None:
            taken.append(self)

    taken: list[Taken] = []
    monkeypatch.setattr(connect, "socket", SimpleNamespace(**{**vars(socket), "socket": Taken}))
    notebook = new_notebook(cells=[new_code_cell("print(6 * 7)")])
    client = NotebookClient(notebook, kernel_manager_class=OwnPortsManager, kernel_name="python3")
    client.execute()
    assert notebook.cells[0].outputs[0].text == "42\n"
    for one in taken:
        super(Taken, one).close()


def test_a_kernel_that_cannot_start_says_why_and_soon(tmp_path: Path) -> None:
    make_project(tmp_path)
    launcher = tmp_path / "src" / "ipykernel_launcher.py"  # found before the real one
    launcher.write_text("raise SystemExit('no kernel on this machine')\n")
    job = [sys.executable, "-m", "customerlab.job", f"params/{CLIENT}.yaml", "01_data_cleaning"]
    begun = time.monotonic()
    done = subprocess.run(
        job, cwd=tmp_path, env=environment(tmp_path), capture_output=True, text=True
    )
    assert time.monotonic() - begun < 30
    assert done.returncode == 1
    assert done.stderr == (
        "no kernel on this machine\n"
        f"customerlab: {CLIENT}: 01_data_cleaning did not start: the kernel ended before the first "
        "cell; what it said stands above\n"
    )
    assert not list((tmp_path / "data").rglob("*.running.ipynb"))
