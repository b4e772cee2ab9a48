"""A first look at a file, for writing a client's first parameter file."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import duckdb
import pandas as pd

from customerlab.sources.delimited import DelimitedFiles, records
from customerlab.sources.files import all_parquet
from customerlab.sources.parquet import ParquetFiles
from customerlab.sources.text import guess_encoding, read_head

_SAMPLE = 200


@dataclass(frozen=True)
class Sniffed:
    """What a first look at a file shows.

    Attributes
    ----------
    delimiter, encoding : str or None
        None for Parquet.
    header : tuple of str
    sample : DataFrame
        Up to 200 records as text; None for an empty cell.
    """

    delimiter: str | None
    encoding: str | None
    header: tuple[str, ...]
    sample: pd.DataFrame


def sniff(file: Path) -> Sniffed:
    """Look at the head of `file`; its whole is read only to find the encoding.

    Raises
    ------
    CustomerlabError
        A file that no source could use: empty, a damaged gzip, a name that occurs twice.
    """
    where = file.name
    with duckdb.connect(config={"threads": 1}) as con:
        if all_parquet([file], where):
            parquet = ParquetFiles(con, [file], where, [])
            return Sniffed(None, None, parquet.headers[0], parquet.head(_SAMPLE))
        encoding = guess_encoding(file, where)
        text = DelimitedFiles(con, [file], where, [], encoding, None, file.parent)
    header, delimiter = text.headers[0], text.delimiters[0]
    head, whole = read_head(file, encoding, where)
    rows = list(islice(records(head, delimiter), _SAMPLE + 2))
    if not whole and len(rows) < _SAMPLE + 2:
        rows.pop()  # probably cut off
    cells = [
        [cell or None for cell in (row + [""] * len(header))[: len(header)]]
        for row in rows[1 : _SAMPLE + 1]
    ]
    return Sniffed(
        delimiter, encoding, header, pd.DataFrame(cells, columns=list(header), dtype=object)
    )
