"""From what stands in a notebook's parameters cell to its workspace."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from customerlab.params import Params, check_params, load_params
from customerlab.paths import Paths, project_root
from customerlab.workspace.lab import Lab


def open_workspace(notebook: str, *, root: Path | None = None, **parameters: Any) -> Lab:
    """Open the workspace of one notebook.

    Parameters
    ----------
    notebook : str
        The notebook's own name, for instance ``04_churn_timing``.
    root : Path, optional
        The project's root; found from the current folder when left out.
    **parameters
        The values of the notebook's parameters cell: ``client`` and ``snapshot``, and whichever
        other top-level keys of a parameter file the notebook uses. A section left empty is the
        one of ``params/<client>.yaml``, where there is such a file.

    Returns
    -------
    Lab

    Raises
    ------
    CustomerlabError
        When a parameter is wrong.
    """
    return Lab(notebook, *prepare(notebook, root=root, **parameters))


def prepare(notebook: str, *, root: Path | None = None, **parameters: Any) -> tuple[Params, Paths]:
    """Check a notebook's parameters and find the places of its client.

    A section that is left empty is the one of ``params/<client>.yaml``, where there is such a
    file: in JupyterLab it is enough to name the client.
    """
    root = root or project_root()
    given = {key: value for key, value in parameters.items() if value is not None}
    where = f"parameters of {notebook}"
    client = check_params(given, where).client
    file = root / "params" / f"{client}.yaml"
    if file.is_file():
        own = load_params(file)
        for key in _sections(given):
            section = getattr(own, key)
            given[key] = (
                section.model_dump(by_alias=True)
                if key != "sources"
                else {name: source.model_dump(by_alias=True) for name, source in section.items()}
            )
    return check_params(given, where), Paths(root, client)


def _sections(given: Mapping[str, Any]) -> list[str]:
    """Return the sections that are left empty."""
    return [key for key, value in given.items() if isinstance(value, Mapping) and not value]
