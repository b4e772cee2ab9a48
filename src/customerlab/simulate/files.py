"""The files of a simulated bank: written piece by piece beside their place, then moved there."""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

#: Globs of everything that the simulator writes; older files of these names are replaced.
OURS = (
    "customers.csv",
    "accounts.csv",
    "balances_*.parquet",
    "tx_*.parquet",
    "interactions.csv.gz",
    "ratings.tsv",
    "campaigns.csv",
    "assignments.csv",
    "contacts.csv",
)


class Files:
    """Open files of one simulated client; a context that publishes all of them or none.

    Parameters
    ----------
    folder : Path
        Where the files belong.
    ours : sequence of str
        Globs of files in `folder` that are replaced as a whole.
    """

    def __init__(self, folder: Path, ours: Sequence[str]) -> None:
        self.folder, self.ours = folder, ours
        self.part = folder.with_name(f".{folder.name}.part")
        self._stack = ExitStack()
        self._texts: dict[str, tuple[BinaryIO, str, str]] = {}
        self._tables: dict[str, pq.ParquetWriter] = {}

    def __enter__(self) -> Files:
        if self.part.exists():  # left behind by a run that was killed
            shutil.rmtree(self.part)
        self.part.mkdir(parents=True)
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        self._stack.close()
        if kind is not None:
            shutil.rmtree(self.part)
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        for pattern in self.ours:
            for old in self.folder.glob(pattern):
                old.unlink()
        for new in sorted(self.part.iterdir()):
            new.replace(self.folder / new.name)
        self.part.rmdir()

    def text(self, name: str, header: str, encoding: str = "utf-8", newline: str = "\n") -> None:
        """Open a text file and write its header line; a name in .gz is compressed."""
        file: BinaryIO = self._stack.enter_context((self.part / name).open("wb"))
        if name.endswith(".gz"):
            # No name and no time in the gzip header: the same content gives the same bytes.
            file = self._stack.enter_context(
                gzip.GzipFile("", "wb", compresslevel=6, fileobj=file, mtime=0)
            )
        self._texts[name] = (file, encoding, newline)
        file.write((header + newline).encode(encoding))

    def add_lines(self, name: str, lines: list[str]) -> None:
        """Append lines to an open text file."""
        file, encoding, newline = self._texts[name]
        # A byte-order mark stands once, at the head of the file.
        encoding = "utf-8" if encoding == "utf-8-sig" else encoding
        file.write("".join(line + newline for line in lines).encode(encoding))

    def add_rows(self, name: str, table: pa.Table) -> None:
        """Append rows to a Parquet file, opened by the first of them."""
        if name not in self._tables:
            writer = pq.ParquetWriter(self.part / name, table.schema, compression="zstd")
            self._tables[name] = self._stack.enter_context(writer)
        self._tables[name].write_table(table)

    def close_rows(self, name: str) -> None:
        """Finish a Parquet file, so that its memory is free."""
        self._tables.pop(name).close()

    def whole(self, name: str, content: str) -> None:
        """Write a small text file at once."""
        (self.part / name).write_text(content, encoding="utf-8")
