"""Where everything of a client lies. Names only: nothing here reads or writes.

``data/<client>/`` may hold single customers; ``reports/<client>/`` never does.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

from customerlab.errors import CustomerlabError

#: What the root of the project is known by.
_LANDMARK = "Snakefile"


def project_root(start: Path | None = None) -> Path:
    """Return the project's root: the nearest folder at or above `start` with the Snakefile.

    Raises
    ------
    CustomerlabError
        When there is none: the command was called from elsewhere.
    """
    start = (start or Path.cwd()).resolve()
    for folder in (start, *start.parents):
        if (folder / _LANDMARK).is_file() and (folder / "notebooks").is_dir():
            return folder
    raise CustomerlabError(
        f"{start} is not inside the project: no folder here or above has a {_LANDMARK} and "
        "notebooks/. Change to the folder that you cloned and call again."
    )


@dataclass(frozen=True)
class Paths:
    """The places of one client.

    Parameters
    ----------
    root : Path
        The project's root.
    client : str
        The client's name as in the parameter file.
    """

    root: Path
    client: str

    @property
    def data(self) -> Path:
        """Folder of everything that may hold single customers."""
        return self.root / "data" / self.client

    @property
    def reports(self) -> Path:
        """Folder of what stakeholders may see."""
        return self.root / "reports" / self.client

    @property
    def raw(self) -> Path:
        """Folder where the client's own files lie, if nothing else is said."""
        return self.data / "raw"

    def scratch(self, notebook: str) -> Path:
        """Return the folder of what a notebook's engine spills; it goes when the notebook ends."""
        return self.data / ".engine" / notebook

    def remembered(self, notebook: str) -> Path:
        """Return the folder of what a notebook's next run need not work out again."""
        return self.data / ".remembered" / notebook

    def parsed(self, table: str) -> Path:
        """Return the place of a source as it came, as Parquet of texts."""
        return self.data / "parsed" / f"{table}.parquet"

    def clean(self, table: str) -> Path:
        """Return the place of a clean canonical table."""
        return self.data / "clean" / f"{table}.parquet"

    def quarantine(self, table: str) -> Path:
        """Return the place of the rows that were set aside, as they came, with the reason."""
        return self.data / "quarantine" / f"{table}.parquet"

    @property
    def customers(self) -> Path:
        """One row per customer with its layer."""
        return self.data / "customers.parquet"

    def scores(self, section: str) -> Path:
        """One row per customer from the notebook of `section`."""
        return self.data / "scores" / f"{section}.parquet"

    def actions(self, section: str, snapshot: dt.date) -> Path:
        """Return the place of what the notebook of `section` proposes to do for whom."""
        return self.data / "actions" / snapshot.isoformat() / f"{section}.parquet"

    def findings(self, notebook: str) -> Path:
        """Return the place of the findings and checks of one notebook, merged by the summary."""
        return self.data / "findings" / f"{notebook}.json"

    def executed(self, notebook: str) -> Path:
        """Return the place of the notebook with its outputs, once it ran to its end."""
        return self.data / "notebooks" / f"{notebook}.ipynb"

    def failed(self, notebook: str) -> Path:
        """Return the place of the notebook with its outputs up to the cell that failed."""
        return self.data / "notebooks" / f"{notebook}.failed.ipynb"

    def source_notebook(self, notebook: str) -> Path:
        """Return the place of the notebook as committed, without outputs."""
        return self.root / "notebooks" / f"{notebook}.ipynb"

    def page(self, notebook: str) -> Path:
        """Return the place of the rendered page; the summary's is the index."""
        name = "index" if notebook == "99_summary" else notebook
        return self.reports / f"{name}.html"

    def table(self, name: str) -> Path:
        """Return the place of the numbers behind a figure."""
        return self.reports / "tables" / f"{name}.csv"

    @property
    def merged_findings(self) -> Path:
        """All findings of all notebooks."""
        return self.reports / "findings.json"
