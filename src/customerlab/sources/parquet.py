"""Parquet files: typed columns keep the types that every engine reads alike, others are text."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import duckdb
import pandas as pd

from customerlab.errors import CustomerlabError
from customerlab.sources.files import (
    checked_header,
    copy,
    name_literal,
    text_literal,
    without_nulls,
)
from customerlab.sources.text import hash_file

_KEPT = re.compile(r"BOOLEAN|(TINY|SMALL|BIG)INT|INTEGER|FLOAT|DOUBLE|DECIMAL.*|DATE|TIMESTAMP")
#: Types that Spark does not read, or reads otherwise, and the nearest that it does.
_WIDENED = {
    "UTINYINT": "SMALLINT",
    "USMALLINT": "INTEGER",
    "UINTEGER": "BIGINT",
    "UBIGINT": "DECIMAL(20, 0)",
    "TIMESTAMP_S": "TIMESTAMP",
    "TIMESTAMP_MS": "TIMESTAMP",
    "TIMESTAMP_NS": "TIMESTAMP",
}
#: The name and type of a column in its file.
_Origin = tuple[str, str]
_COUNTED = "file_row_number"
_ZONED = "TIMESTAMP WITH TIME ZONE"
#: What reading a damaged file raises.
_UNREADABLE = (duckdb.InvalidInputException, duckdb.IOException, duckdb.SerializationException)


class ParquetFiles:
    """The Parquet files of one source; see `customerlab.sources.parse_source`."""

    def __init__(
        self,
        con: duckdb.DuckDBPyConnection,
        files: Sequence[Path],
        where: str,
        nulls: Sequence[str],
    ) -> None:
        self.con, self.files, self.where, self.nulls = con, files, where, nulls
        self.warnings: list[str] = []
        self.headers: list[tuple[str, ...]] = []
        #: For each file: our name of a column to its name and type there.
        self.origins: list[dict[str, _Origin]] = []
        for file in files:
            described = self._described(file)
            header = checked_header([name for name, _ in described], file, where)
            self.headers.append(header)
            self.origins.append(dict(zip(header, described, strict=True)))
            if _COUNTED in (name.lower() for name in header):
                raise CustomerlabError(
                    f'{where}: {file} has a column "{_COUNTED}", as the Parquet reader calls the '
                    "number of a row. Rename it in the file."
                )
            zoned = [name for name, (_, kind) in self.origins[-1].items() if kind == _ZONED]
            if zoned:
                self.warnings.append(
                    f"{where}: {file} has times with a time zone in {', '.join(zoned)}; they are "
                    "taken as the clock of UTC."
                )

    def _described(self, file: Path) -> list[tuple[str, str]]:
        """Return the names and types of a file's columns."""
        try:
            described = self.con.execute(f"DESCRIBE FROM {_read(file)}").fetchall()
        except duckdb.Error as error:
            raise self._unreadable(file, error) from None
        return [(name, kind) for name, kind, *_ in described]

    def _unreadable(self, file: Path, error: duckdb.Error) -> CustomerlabError:
        reason = str(error).splitlines()[0]
        return CustomerlabError(
            f"{self.where}: {file} cannot be read as Parquet ({reason}). Fetch or write it again."
        )

    def write(
        self, columns: Sequence[str], names: Sequence[str], target: Path
    ) -> list[tuple[int, str, int]]:
        """Write all files under our names and types; return size, SHA-256 and rows of each."""
        queries = [
            self._query(columns, {file: name}, self.origins[number])
            for number, (file, name) in enumerate(zip(self.files, names, strict=True))
        ]
        whole = " UNION ALL ".join(queries)
        if all(list(origin.items()) == list(self.origins[0].items()) for origin in self.origins):
            # one scan of all files holds a fifth of the memory
            whole = self._query(columns, dict(zip(self.files, names, strict=True)), self.origins[0])
        try:
            copy(self.con, whole, target)
        except _UNREADABLE:
            for file, query in zip(self.files, queries, strict=True):  # which of them is it?
                try:
                    copy(self.con, query, target)
                except _UNREADABLE as error:
                    raise self._unreadable(file, error) from None
            raise
        return [(*hash_file(file), self._rows(file)) for file in self.files]

    def _query(
        self, columns: Sequence[str], files: Mapping[Path, str], origin: Mapping[str, _Origin]
    ) -> str:
        """Return SQL for the rows of files of one shape, each with the name it shall have."""
        cells = ", ".join(
            f"{self._cell(column, origin)} AS {name_literal(column)}" for column in columns
        )
        names = " ".join(
            f"WHEN {text_literal(str(file))} THEN {text_literal(name)}"
            for file, name in files.items()
        )
        # the reader's own row numbers: counted by a window, one thread alone could read
        return f"""
            SELECT {cells}, CASE _file {names} END AS _file, file_row_number + 1 AS _row,
                NULL::VARCHAR AS _fields, NULL::VARCHAR AS _extra
            FROM {_read(*files, more=", filename = '_file', file_row_number = true")}
        """

    def _rows(self, file: Path) -> int:
        (counted,) = self.con.execute(f"SELECT count(*) FROM {_read(file)}").fetchall()
        return int(counted[0])

    def head(self, rows: int) -> pd.DataFrame:
        """Return the first rows of the first file as text."""
        cells = ", ".join(
            f"({self._cell(column, self.origins[0])})::VARCHAR AS {name_literal(column)}"
            for column in self.headers[0]
        )
        return self.con.execute(f"SELECT {cells} FROM {_read(self.files[0])} LIMIT {rows}").df()

    def _cell(self, column: str, origin: Mapping[str, _Origin]) -> str:
        """Return SQL for a cell: of its own type where all files agree on one that is kept."""
        original, kind = origin[column]
        cell = name_literal(original)
        if kind == _ZONED:
            cell = f"({cell} AT TIME ZONE 'UTC')"
        elif kind == "BLOB":  # text of writers that do not mark it as such
            cell = f"coalesce(TRY(decode({cell})), {cell}::VARCHAR)"
        common = self._common_type(column)
        if common == "VARCHAR":
            return without_nulls(f"({cell})::VARCHAR", self.nulls)
        return f"{cell}::{common}"

    def _common_type(self, column: str) -> str:
        kinds = {_kept_type(origin[column][1]) for origin in self.origins}
        if len(kinds) == 1:
            return kinds.pop()
        if kinds & {"VARCHAR", "BOOLEAN", "DATE", "TIMESTAMP"}:
            return "VARCHAR"
        several = " UNION ALL ".join(f"SELECT NULL::{kind} AS x" for kind in sorted(kinds))
        return str(self.con.execute(f"DESCRIBE ({several})").fetchall()[0][1])


def _kept_type(kind: str) -> str:
    if kind == _ZONED:
        return "TIMESTAMP"
    kind = _WIDENED.get(kind, kind)
    return kind if _KEPT.fullmatch(kind) else "VARCHAR"


def _read(*files: Path, more: str = "") -> str:
    listed = ", ".join(text_literal(str(file)) for file in files)
    return f"read_parquet([{listed}], hive_partitioning = false{more})"
