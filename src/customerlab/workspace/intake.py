"""From a client's files to clean tables: parse what is new, clean, and write what came of it."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import ibis
import ibis.expr.types as ir
import pandas as pd

from customerlab import sources
from customerlab.cleaning import (
    check_ledger,
    clean,
    ledger,
    lookup_table,
    mark_rows,
    quarantined,
)
from customerlab.contract import TABLES
from customerlab.files import write_text, write_whole
from customerlab.params import Engine, Params, Source
from customerlab.paths import Paths
from customerlab.sources import parse_source, resolve_files

if TYPE_CHECKING:
    from customerlab.workspace.on_duckdb import DuckDB
    from customerlab.workspace.on_spark import Spark


def parse_sources(params: Params, paths: Paths, engine: DuckDB | Spark) -> pd.DataFrame:
    """Parse every source that is new or changed into ``data/<client>/parsed/``.

    A source is parsed again when its files, their sizes or times, or what the parameters say of
    their form have changed; a table of Spark's own when the files that Spark keeps it in have, and
    every time where Spark cannot tell. Its rows are then those of one file, called after it, in
    the order of all its columns.

    Returns
    -------
    DataFrame
        One row per source: ``table``, ``files``, ``rows``, ``columns`` and ``warning`` (text that
        was read but looks wrong; null for none).
    """
    lines = []
    for name, source in params.sources.items():
        record = _parse_if_changed(name, source, paths, params.engine, engine)
        lines.append(
            {
                "table": name,
                "files": len(record["files"]),
                "rows": record["rows"],
                "columns": len(record["columns"]),
                # it stands on the page, and where our folders lie is nobody's business there
                "warning": "; ".join(record["warnings"]).replace(f"{paths.root}/", "") or None,
            }
        )
    return pd.DataFrame(lines, columns=["table", "files", "rows", "columns", "warning"])


def _parse_if_changed(
    name: str, source: Source, paths: Paths, settings: Engine, engine: DuckDB | Spark
) -> dict:
    where = f"sources.{name}"
    if source.table is None:
        files = resolve_files(source.path, paths.root, paths.raw, name, where)
        signs = [[str(f), f.stat().st_size, f.stat().st_mtime_ns] for f in files]
    else:
        rows = engine.own_table(source.table, f"{where}.table")
        signs = engine.signs_of_own(source.table)
    form = {
        "reader": _reader(),
        "files": signs,
        "encoding": source.encoding,
        "delimiter": source.delimiter,
        "null_values": source.null_values,
    }
    target = paths.parsed(name)
    record_path = target.with_suffix(".json")
    if signs is not None and target.is_file() and record_path.is_file():
        record = json.loads(record_path.read_text(encoding="utf-8"))
        if record["form"] == form:
            return record
    record_path.unlink(missing_ok=True)  # a kill between the two leaves no record of the old
    if source.table is None:
        record = {"form": form, **_parse(name, source, files, paths, settings)}
    else:
        file = paths.scratch("01_data_cleaning") / f"{source.table}.parquet"
        write_whole(file, lambda part: engine.to_parquet(rows, part))
        record = {"form": form, **_parse(name, source, [file], paths, settings)}
        file.unlink()
    write_text(record_path, json.dumps(record, ensure_ascii=False))
    return record


def _parse(name: str, source: Source, files: list[Path], paths: Paths, settings: Engine) -> dict:
    """Parse files and return what there is to say of them."""
    parsed = parse_source(
        files,
        paths.parsed(name),
        encoding=source.encoding,
        delimiter=source.delimiter,
        null_values=source.null_values,
        where=f"sources.{name}",
        settings=settings.model_dump(include={"threads", "memory_limit"}, exclude_none=True),
        scratch=paths.scratch("01_data_cleaning"),
    )
    return {
        "rows": parsed.rows,
        "columns": list(parsed.columns),
        "warnings": list(parsed.warnings),
        "files": [file._asdict() for file in parsed.files],
    }


@cache
def _reader() -> str:
    """Return what stands for the code that parses: mended, it parses again."""
    digest = hashlib.sha256(version("duckdb").encode())
    for file in sorted(Path(sources.__file__).parent.glob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def clean_sources(
    params: Params, paths: Paths, engine: ibis.BaseBackend, *, where: str
) -> pd.DataFrame:
    """Clean every parsed source and write the clean and the quarantined rows.

    Tables that others refer to come first. What an earlier run wrote for a source that the
    parameters no longer name is removed.

    Returns
    -------
    DataFrame
        The ledger of all tables; see :func:`customerlab.cleaning.ledger`.

    Raises
    ------
    RuntimeError
        When a row is neither clean nor in quarantine: a fault of ours.
    """
    asked = {c.lookup for s in params.sources.values() for c in s.columns.values()} - {None}
    lookups: dict[str, ir.Table] = {}
    for name in (name for name in params.sources if name in asked):
        raw = engine.read_parquet(paths.parsed(name))
        lookups[name] = lookup_table(name, raw, params.sources[name], where=where, lookups=lookups)
    parents: dict[str, ir.Table] = {}
    ledgers = []
    for name, table in TABLES.items():
        if name not in params.sources or params.sources[name].lookup_only:
            paths.clean(name).unlink(missing_ok=True)
            paths.quarantine(name).unlink(missing_ok=True)
            continue
        raw = engine.read_parquet(paths.parsed(name))
        scratch = Scratch(engine, paths.scratch("01_data_cleaning"), name)
        marked = mark_rows(
            table,
            raw,
            params.sources[name],
            rules=params.data_cleaning.rules,
            snapshot=params.snapshot,
            parents=parents,
            lookups=lookups,
            drop_exact_repeats=name in params.data_cleaning.drop_exact_repeats,
            keep=scratch.keep,
            where=where,
        )
        for path, rows in (
            (paths.clean(name), clean(marked)),
            (paths.quarantine(name), quarantined(marked, raw)),
        ):
            write_whole(path, lambda part, rows=rows: engine.to_parquet(rows, part))
        ledgers.append(ledger(marked))
        scratch.remove()
        parents[name] = engine.read_parquet(paths.clean(name))
    whole = pd.concat(ledgers, ignore_index=True)
    check_ledger(whole)
    return whole


class Scratch:
    """Rows on disk while one table is cleaned."""

    def __init__(self, engine: ibis.BaseBackend, folder: Path, name: str) -> None:
        self.engine, self.folder, self.name = engine, folder, name
        self.files: list[Path] = []

    def keep(self, rows: ir.Table) -> ir.Table:
        """Write rows and return them as read back."""
        path = self.folder / f"{self.name}.{len(self.files)}.parquet"
        # looking for repeated ids, to number them, is a quarter of the time of writing
        options = {"dictionary_size_limit": 1000} if self.engine.name == "duckdb" else {}
        write_whole(path, lambda part: self.engine.to_parquet(rows, part, **options))
        self.files.append(path)
        return self.engine.read_parquet(path)

    def remove(self) -> None:
        """Remove what was written."""
        for path in self.files:
            path.unlink()
