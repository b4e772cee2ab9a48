"""Which files a source consists of, whether they fit together, and a little SQL for all kinds."""

from __future__ import annotations

import glob
import os
from collections.abc import Collection, Sequence
from pathlib import Path

import duckdb

from customerlab.errors import CustomerlabError, nearest

#: The columns that parsing adds.
ADDED = ("_file", "_row", "_fields", "_extra")
_SHOWN = 12


def resolve_files(
    path: str | list[str] | None, root: Path, raw: Path, table: str, where: str
) -> list[Path]:
    """Return the files that `path` names, absolute and sorted.

    Parameters
    ----------
    path : str, list of str or None
        File names or globs (``**`` goes into folders), relative to `root`; None means
        ``<raw>/<table>.*``.
    root, raw : Path
        The project, and the folder of the client's own files.
    table : str
    where : str
        What messages start with.

    Raises
    ------
    CustomerlabError
        A name or glob without a file, with the names that come nearest.
    """
    if path is None:
        root, path = raw, f"{table}.*"
    found: set[Path] = set()
    for pattern in [path] if isinstance(path, str) else path:
        if (root / pattern).is_file():  # also a name that has brackets in it
            matches = [root / pattern]
        else:
            # joined to the root's folder afterwards: its own name may have brackets, too
            names = glob.glob(pattern, root_dir=root, recursive=True)  # noqa: PTH207
            matches = [root / name for name in names if (root / name).is_file()]
        if not matches:
            raise CustomerlabError(f"{where}: no file matches {_missing(root / pattern)}")
        found.update(Path(os.path.abspath(match)) for match in matches)  # noqa: PTH100
    return sorted(found)


def _missing(wanted: Path) -> str:
    if wanted.is_dir():
        return f"{wanted}: it is a folder. Name its files, for instance {wanted / '*.csv'}."
    folder = wanted.parent
    while not folder.is_dir():
        folder = folder.parent
    if folder != wanted.parent:
        below = sorted(f"{path.name}/" for path in folder.iterdir() if path.is_dir())
        gone = wanted.parent.relative_to(folder).parts[0]
        return f"{wanted}: {folder} has no folder {gone}{_choices(f'{gone}/', below)}"
    there = sorted(path.name for path in folder.iterdir() if path.is_file())
    return f"{wanted}{_choices(wanted.name, there)}"


def _choices(word: str, names: Sequence[str]) -> str:
    shown = ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
    return f"{nearest(word, names)}. There is: {shown or 'nothing'}."


def unique_names(files: Sequence[Path]) -> list[str]:
    """Return the files' names, with the folders that tell them apart where they are alike."""
    names = [file.name for file in files]
    if len(set(names)) == len(names):
        return names
    common = Path(os.path.commonpath([file.parent for file in files]))
    return [file.relative_to(common).as_posix() for file in files]


def all_parquet(files: Sequence[Path], where: str) -> bool:
    """Return whether `files` are Parquet rather than text; a mixture is refused."""
    kinds = {}
    for file in files:
        with file.open("rb") as opened:
            head = opened.read(4)
        if not head:
            raise CustomerlabError(
                f"{where}: {file} is empty; expected a first line with the names of the columns."
            )
        if head.startswith(b"PK\x03\x04"):
            raise CustomerlabError(
                f"{where}: {file} is a zip archive or an Excel workbook; expected delimited text "
                "(which may be gzipped) or Parquet. Save it as CSV in utf-8."
            )
        kinds[head == b"PAR1" or file.suffix.lower() in {".parquet", ".pq"}] = file
    if len(kinds) > 1:
        raise CustomerlabError(
            f"{where}: {kinds[True]} is Parquet and {kinds[False]} is text; expected files of one "
            "kind. Narrow the path."
        )
    return True in kinds


def checked_header(names: Sequence[str], file: Path, where: str) -> tuple[str, ...]:
    """Return the column names of `file`, trimmed, nameless ones named by their place.

    Engines do not tell ``ID`` from ``id``, so these count as the same name.
    """
    header = tuple(
        name.strip().strip("\ufeff").strip() or f"column_{place}"
        for place, name in enumerate(names, start=1)
    )
    seen: dict[str, str] = {}
    for name in header:
        if "\0" in name:
            raise CustomerlabError(
                f"{where}: {file} has NUL characters in its first line; is its encoding utf-16?"
            )
        if name.lower() in seen:
            raise CustomerlabError(
                f'{where}: {file} has the column "{name}" twice'
                + (f' (also as "{seen[name.lower()]}")' if seen[name.lower()] != name else "")
                + "; expected every column once. Rename one in the file."
            )
        if name.lower() in ADDED:
            raise CustomerlabError(
                f'{where}: {file} has a column "{name}"; the names {", ".join(ADDED)} are kept '
                "for what parsing adds. Rename it in the file."
            )
        seen[name.lower()] = name
    return header


def common_columns(
    files: Sequence[Path],
    headers: Sequence[tuple[str, ...]],
    needed: Collection[str],
    where: str,
) -> tuple[str, ...]:
    """Return the columns of all `files`, in the order of the first, `needed` among them."""
    first = headers[0]
    for file, header in zip(files[1:], headers[1:], strict=True):
        if set(header) != set(first):
            lacks = [f'"{name}"' for name in first if name not in header]
            more = [f'"{name}"' for name in header if name not in first]
            differs = [f"lacks {', '.join(lacks)}"] * bool(lacks)
            differs += [f"has {', '.join(more)} besides"] * bool(more)
            raise CustomerlabError(
                f"{where}: {file} {' and '.join(differs)}, compared with {files[0]}; expected "
                "the same columns in all files of one source."
            )
    for name in needed:
        if name not in first:
            hint = " Is the delimiter right?" if len(first) == 1 else ""
            raise CustomerlabError(
                f'{where}: {files[0]} has no column "{name}"{nearest(name, first)}; it has: '
                f"{', '.join(first)}.{hint}"
            )
    return first


def name_literal(name: str) -> str:
    """Return `name` as a SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def text_literal(text: str) -> str:
    """Return `text` as a SQL string."""
    return "'" + text.replace("'", "''") + "'"


def without_nulls(cell: str, nulls: Sequence[str]) -> str:
    """Return SQL for the text `cell`, null where it is one of `nulls` between blanks."""
    if not nulls:
        return cell
    listed = ", ".join(text_literal(value) for value in nulls)
    # trimming every cell would double the time, so only those that have a blank to trim
    blank = f"({cell} < '!' OR suffix({cell}, ' ')) AND trim({cell}, e' \\t\\n') IN ({listed})"
    return f"CASE WHEN {cell} IN ({listed}) OR {blank} THEN NULL ELSE {cell} END"


def copy(con: duckdb.DuckDBPyConnection, query: str, target: Path) -> int:
    """Write the rows of `query` as Parquet, in their order; return how many."""
    options = "FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, USE_TMP_FILE false"
    # looking for repeated ids, to number them, is a quarter of the time; zstd finds them, too
    options += ", DICTIONARY_SIZE_LIMIT 1000"
    done = con.execute(f"COPY ({query}) TO {text_literal(str(target))} ({options})").fetchone()
    if done is None:
        raise RuntimeError("COPY returned no count")
    return int(done[0])
