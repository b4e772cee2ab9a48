"""A client's files to one raw Parquet file of texts, each row with its file and row number.

Nothing is interpreted here beyond where a field begins and ends: a cell that is no date, a
record with a field too many, an odd code all arrive, for cleaning to judge. What cannot be read
at all stops with the file and what was expected.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import duckdb

from customerlab.errors import CustomerlabError
from customerlab.sources.delimited import DelimitedFiles
from customerlab.sources.files import (
    all_parquet,
    common_columns,
    resolve_files,
    unique_names,
)
from customerlab.sources.parquet import ParquetFiles
from customerlab.sources.sniffing import Sniffed, sniff

__all__ = ["ParsedFile", "ParsedSource", "Sniffed", "parse_source", "resolve_files", "sniff"]


class ParsedFile(NamedTuple):
    """One of the files that went in: its name, size and SHA-256 as stored, and its records."""

    name: str
    bytes: int
    sha256: str
    rows: int


@dataclass(frozen=True)
class ParsedSource:
    """What came of a source's files.

    Attributes
    ----------
    rows : int
    columns : tuple of str
        The client's columns, without the four that `parse_source` adds.
    files : tuple of ParsedFile
    warnings : tuple of str
        What looks wrong but could be read.
    """

    rows: int
    columns: tuple[str, ...]
    files: tuple[ParsedFile, ...]
    warnings: tuple[str, ...] = ()


def parse_source(
    files: Sequence[Path],
    target: Path,
    *,
    encoding: str = "utf-8",
    delimiter: str | None = None,
    null_values: Sequence[str] = ("",),
    columns_needed: Collection[str] = (),
    where: str,
    con: duckdb.DuckDBPyConnection | None = None,
    settings: Mapping[str, Any] | None = None,
    scratch: Path,
) -> ParsedSource:
    r"""Read `files`, all of one shape, and write them as one Parquet file at `target`.

    The columns are those of the files under their own names (blanks around them trimmed, a
    nameless one called ``column_<place>``), then

    - ``_file``: the file's name,
    - ``_row``: 1 for the first record of its file; a record with a line break inside a quoted
      field counts once, an empty line is no record and counts nowhere,
    - ``_fields``: null, or "too few" or "too many" where a record's fields are not as many as
      the header's; the missing ones are null,
    - ``_extra``: the text of the fields beyond the header's, joined by the delimiter.

    Cells of text files are text exactly as they came, except that a line break inside a quoted
    field is always ``\n``. Columns of Parquet files stay numbers, dates, timestamps (UTC) and
    booleans where they are that, and become text otherwise; a column whose type differs from
    file to file takes the type that holds both.

    Parameters
    ----------
    files : sequence of Path
        Delimited text (gzipped or not, told by their first bytes), or Parquet; not both.
    target : Path
        Appears under its name only when complete.
    encoding, delimiter : str
        Of text files. The delimiter is found in the header line when left out. The quote is
        ``"``, doubled inside a quoted field.
    null_values : sequence of str
        Texts, blanks around them aside, that become null. An empty text is one of them unless
        the sequence itself is empty.
    columns_needed : collection of str
        Names that the files must have.
    where : str
        What messages start with, for instance ``sources.customers``.
    con : duckdb connection, optional
        A fresh one otherwise; with one thread for text, which measured fastest for it.
    settings : mapping of str to value, optional
        Threads and memory limit of a fresh one for Parquet.
    scratch : Path
        Folder for the transcoded text of one file at a time.

    Raises
    ------
    CustomerlabError
        Whatever a person can mend about the files.
    """
    if not files:
        raise CustomerlabError(f"{where}: no files to read.")
    # blanks around a cell are not looked at, so neither are those around a null value
    nulls = list(dict.fromkeys(["", *(v.strip() for v in null_values)])) if null_values else []
    scratch.mkdir(parents=True, exist_ok=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    are_parquet = all_parquet(files, where)
    if con is not None:
        own = con.cursor()
    else:
        own = duckdb.connect(config=dict(settings or {}) if are_parquet else {"threads": 1})
    try:
        with tempfile.TemporaryDirectory(dir=scratch) as folder:
            reader: ParquetFiles | DelimitedFiles
            if are_parquet:
                reader = ParquetFiles(own, files, where, nulls)
            else:
                reader = DelimitedFiles(own, files, where, nulls, encoding, delimiter, Path(folder))
            columns = common_columns(files, reader.headers, columns_needed, where)
            names = unique_names(files)
            written = reader.write(columns, names, partial)
            parsed = [ParsedFile(name, *file) for name, file in zip(names, written, strict=True)]
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
        own.close()
    rows = sum(file.rows for file in parsed)
    return ParsedSource(rows, columns, tuple(parsed), tuple(reader.warnings))
