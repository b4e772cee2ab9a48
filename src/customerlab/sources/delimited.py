"""Delimited text files, parsed by DuckDB with everything declared and nothing guessed.

DuckDB reads a text strictly by RFC 4180: a quoted field may hold delimiters and line breaks, and
nothing may follow its closing quote; a quote inside an unquoted field is a character like any
other. Read less strictly it drops such text silently, so a broken quote is an error here.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import duckdb

from customerlab.errors import CustomerlabError
from customerlab.sources.files import (
    checked_header,
    copy,
    name_literal,
    text_literal,
    without_nulls,
)
from customerlab.sources.text import CHUNK, read_head, transcode

DELIMITERS = ",;\t|"
_SPARE_FIELDS = 8
_MOST_FIELDS = 4096
_LONGEST_RECORD = 16 * CHUNK
#: A text that no cell has, so that only a missing field is null.
_NEVER = "\x02\x03"
#: A last record of ours. Quoted, it breaks a quoted field that is still open at the end of the
#: file, which is then an error; DuckDB would otherwise drop that field's text without a word.
_END = "\x02end of file\x02"


class DelimitedFiles:
    """The text files of one source; see `customerlab.sources.parse_source`."""

    def __init__(
        self,
        con: duckdb.DuckDBPyConnection,
        files: Sequence[Path],
        where: str,
        nulls: Sequence[str],
        encoding: str,
        delimiter: str | None,
        scratch: Path,
    ) -> None:
        self.con, self.files, self.where, self.nulls = con, files, where, nulls
        self.encoding, self.scratch = encoding, scratch
        self.warnings: list[str] = []
        self.headers: list[tuple[str, ...]] = []
        self.delimiters: list[str] = []
        declared = checked_delimiter(delimiter, where)
        for file in files:
            found, header = self._first_record(file, declared)
            self.headers.append(checked_header(header, file, where))
            self.delimiters.append(found)

    def _first_record(self, file: Path, declared: str | None) -> tuple[str, list[str]]:
        head, _ = read_head(file, self.encoding, self.where)
        if not head.strip():
            raise CustomerlabError(
                f"{self.where}: {file} is empty; expected a first line with the names of the "
                "columns."
            )
        delimiter = declared or find_delimiter(head)
        try:
            return delimiter, next(records(head, delimiter))
        except csv.Error as error:
            raise CustomerlabError(
                f"{self.where}: the first line of {file} cannot be read ({error}); expected the "
                f"names of the columns with {delimiter!r} between them."
            ) from None

    def write(
        self, columns: Sequence[str], names: Sequence[str], target: Path
    ) -> list[tuple[int, str, int]]:
        """Write all files as Parquet; return size, SHA-256 and number of records of each."""
        if len(self.files) == 1:
            return [self._write(0, columns, names[0], target)]
        parts = [self.scratch / f"{number}.parquet" for number in range(len(self.files))]
        written = [
            self._write(number, columns, names[number], part) for number, part in enumerate(parts)
        ]
        listed = ", ".join(text_literal(str(part)) for part in parts)
        copy(self.con, f"SELECT * FROM read_parquet([{listed}])", target)
        return written

    def _write(
        self, number: int, columns: Sequence[str], name: str, target: Path
    ) -> tuple[int, str, int]:
        file = self.files[number]
        plain = self.scratch / "text.csv"
        seen = transcode(file, plain, encoding=self.encoding, where=self.where, end=f'\n"{_END}"\n')
        self.warnings.extend(seen.warnings)
        spare = _SPARE_FIELDS
        while True:
            try:
                rows = copy(self.con, self._query(plain, number, columns, name, spare), target)
                break
            except duckdb.InvalidInputException as error:
                spare = self._more_fields(error, file, plain, number, spare)
        plain.unlink()
        return seen.size, seen.sha256, rows

    def _query(
        self, plain: Path, number: int, columns: Sequence[str], name: str, spare: int
    ) -> str:
        header, delimiter = self.headers[number], text_literal(self.delimiters[number])
        fields = [f"c{place}" for place in range(len(header))]
        spares = [f"s{place}" for place in range(spare)]
        declared = ", ".join(f"'{field}': 'VARCHAR'" for field in fields + spares)
        cells = ", ".join(
            f"{without_nulls(fields[header.index(column)], self.nulls)} AS {name_literal(column)}"
            for column in columns
        )
        return f"""
            SELECT {cells}, {text_literal(name)} AS _file, _row,
                CASE WHEN s0 IS NOT NULL THEN 'too many'
                     WHEN {fields[-1]} IS NULL THEN 'too few' END AS _fields,
                CASE WHEN s0 IS NOT NULL
                     THEN concat_ws({delimiter}, {", ".join(spares)}) END AS _extra
            FROM (
                SELECT *, row_number() OVER () - 1 AS _row
                FROM read_csv({text_literal(str(plain))}, columns = {{{declared}}},
                    auto_detect = false, header = false, delim = {delimiter},
                    quote = '"', escape = '"', new_line = '\\n', comment = '',
                    nullstr = {text_literal(_NEVER)}, null_padding = true, strict_mode = true,
                    parallel = false, max_line_size = {_LONGEST_RECORD})
            )
            WHERE _row > 0 AND c0 <> {text_literal(_END)}
        """

    def _more_fields(
        self, error: duckdb.Error, file: Path, plain: Path, number: int, spare: int
    ) -> int:
        """Return how many spare fields a record needs, or say what is wrong with the file."""
        text = str(error)
        most = _MOST_FIELDS - len(self.headers[number])
        if "Expected Number of Columns" in text and spare < most:
            return min(8 * spare, most)
        line = re.search(r"CSV Error on Line: (\d+)", text)
        if line is None:
            raise error
        if "Expected Number of Columns" in text:
            problem = f"has a record of over {_MOST_FIELDS:,} fields near line {line[1]}"
        elif "Maximum line size" in text:
            problem = (
                f"has a record of over {_LONGEST_RECORD:,} bytes near line {line[1]}; is a quote "
                "not closed"
            )
        else:
            with plain.open(encoding="utf-8", newline="") as opened:
                start = _broken_quote(opened, self.delimiters[number]) or line[1]
            problem = (
                f"has a broken quote in the record that starts at line {start}: a quoted field is "
                'not closed, or text follows its closing quote. Write a " inside a quoted field '
                'as ""'
            )
        raise CustomerlabError(f"{self.where}: {file} {problem}.") from None


def _broken_quote(lines: Iterator[str], delimiter: str) -> int | None:
    """Return the line where the first record starts that is no proper CSV."""
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=delimiter != " ", strict=True)
    line = 1
    try:
        for _ in reader:
            line = reader.line_num + 1
    except csv.Error:
        return line
    return None


def checked_delimiter(delimiter: str | None, where: str) -> str | None:
    r"""Return the one character that `delimiter` means (``\t`` may be written out)."""
    if delimiter is None:
        return None
    meant = {"\\t": "\t", "tab": "\t"}.get(delimiter, delimiter)
    if len(meant) != 1 or meant in '"\r\n' or meant in _NEVER:
        raise CustomerlabError(
            f"{where}: delimiter {delimiter!r} cannot be used; expected one character such as "
            '"," ";" "|" or "\\t".'
        )
    return meant


def find_delimiter(head: str) -> str:
    """Return the delimiter that the first line has most of, outside quotes; a comma for none."""
    line = next((line for line in head.split("\n") if line.strip()), "")
    bare = re.sub(r'"[^"]*"', "", line)
    return max(DELIMITERS, key=bare.count)


def records(text: str, delimiter: str) -> Iterator[list[str]]:
    """Yield the records of a text, empty lines left out, as far as a first look goes."""
    reader = csv.reader(io.StringIO(text), delimiter=delimiter, skipinitialspace=delimiter != " ")
    return (record for record in reader if record)
