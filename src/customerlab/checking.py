"""Try a parameter file against the real files, without reading them through.

Every source is replaced by files of the same shape without rows, and these go through the very
code that a run uses: what it would refuse, this refuses, with the same words.
"""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
from pydantic import BaseModel

from customerlab import plan
from customerlab.churn import check_stays
from customerlab.contract import TABLES
from customerlab.customers import build_customers
from customerlab.drivers import observe_answers
from customerlab.layers import define_layers
from customerlab.messages import ENGLISH
from customerlab.params import Engine, Params, Source, load_params
from customerlab.paths import Paths
from customerlab.response import check_contacts
from customerlab.sources import resolve_files
from customerlab.sources.delimited import DelimitedFiles
from customerlab.sources.files import all_parquet, common_columns, text_literal
from customerlab.sources.parquet import ParquetFiles
from customerlab.uplift import check_trials
from customerlab.validity import own_rules
from customerlab.workspace import Lab
from customerlab.workspace.engine import see_spark
from customerlab.workspace.intake import clean_sources, parse_sources
from customerlab.workspace.on_duckdb import DuckDB

#: What holds where a section leaves something out and there is no plain default to show.
_UNSET = {
    "invalid_customers": "ours, which the report prints",
    "churn_timing": "those at hand",
    "repurchase_drivers": "found in the data",
    "uplift_tests": "found in the data",
    "engine": "a share of the machine",
}


@dataclass(frozen=True)
class SourceShape:
    """One source as its files show it."""

    name: str
    files: tuple[Path, ...]
    columns: tuple[str, ...]


def check(path: Path, root: Path) -> str:
    """Check a parameter file against the real files and say what it comes to.

    Parameters
    ----------
    path : Path
    root : Path
        The project's root.

    Returns
    -------
    str
        The effective settings, the sources, and which notebooks will run.

    Raises
    ------
    CustomerlabError
        With what is wrong.
    """
    params = load_params(path)
    shapes = _try_sources(params, root, str(path))
    return "\n".join(
        [
            f"{path} is right.",
            "",
            "Settings (those in brackets are defaults)",
            *_table(_settings(params)),
            "",
            "Sources",
            *_table(
                (shape.name, _described(shape, params.sources[shape.name])) for shape in shapes
            ),
            "",
            "Notebooks",
            *_table((one.name, _verdict(one, params)) for one in plan.NOTEBOOKS),
        ]
    )


def _try_sources(params: Params, root: Path, where: str) -> list[SourceShape]:
    paths = Paths(root, params.client)
    shapes = []
    empty = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if params.engine.backend == "pyspark":
            see_spark(params.engine)
        own = _tables_of_spark(params, where, folder)
        for table, source in params.sources.items():
            key = f"{where}: sources.{table}"
            if source.table is not None:
                files = [own[source.table]]
            else:
                files = resolve_files(source.path, root, paths.raw, table, key)
            columns, stand_in = _without_rows(table, files, source, key, folder)
            shapes.append(SourceShape(table, tuple(files), columns))
            here = {"path": [str(stand_in)], "encoding": "utf-8", "delimiter": ",", "table": None}
            empty[table] = source.model_copy(update=here)
        there = Paths(folder, params.client)
        # without rows nothing is to be computed, and Spark takes long to begin
        here = {"sources": empty, "engine": Engine()}
        lab = Lab("01_data_cleaning", params.model_copy(update=here), there)
        parse_sources(lab.params, there, lab.engine)
        clean_sources(lab.params, there, lab.engine, where=where)
        _try_sections(lab, where)
    return shapes


def _tables_of_spark(params: Params, where: str, folder: Path) -> dict[str, Path]:
    """Write a file with the columns of each table of Spark's own that is named, and no rows."""
    own = {table: source.table for table, source in params.sources.items() if source.table}
    if not own:
        return {}
    if params.engine.backend != "pyspark":
        for table, name in own.items():
            DuckDB().own_table(name, f"{where}: sources.{table}.table")  # it says that it has none
    # Spark is not installed everywhere
    from customerlab.workspace.on_spark import look_at_own

    (folder / "own").mkdir()
    files = {name: folder / "own" / f"{name}.parquet" for name in own.values()}
    for name, table in look_at_own(params, folder / "spark", where).items():
        pq.write_table(table.columns.to_pyarrow().empty_table(), files[name])
    return files


def _try_sections(lab: Lab, where: str) -> None:
    """Try what the notebooks after the first are told: conditions, groups and covariates."""
    params, tables = lab.params, lab.tables()
    if plan.answerable(plan.named("invalid_customers"), params):
        settings = params.invalid_customers
        everyone = build_customers(
            tables, snapshot=params.snapshot, not_movements=settings.not_movements
        )
        kept = lab.keep(everyone)
        at = f"{where}: invalid_customers"
        define_layers(kept, settings, is_bank="accounts" in tables, where=at)
        own_rules(settings.departments, dict(kept.schema().items()), where=at)
    if plan.answerable(plan.named("churn_timing"), params):
        check_stays(tables, params, where=f"{where}: churn_timing")
    if plan.answerable(plan.named("repurchase_drivers"), params):
        observe_answers(tables, params, lambda table: table)  # no rows: nothing to keep
    if plan.answerable(plan.named("response_model"), params):
        check_contacts(tables, params)
    if plan.answerable(plan.named("uplift_tests"), params):
        check_trials(tables, params)


def _without_rows(
    table: str, files: list[Path], source: Source, where: str, folder: Path
) -> tuple[tuple[str, ...], Path]:
    """Write a file with the columns of a source and no rows; return the columns and the file."""
    with duckdb.connect() as con:
        if all_parquet(files, where):
            parquet = ParquetFiles(con, files, where, source.null_values)
            columns = common_columns(files, parquet.headers, (), where)
            target = folder / f"{table}.parquet"
            read = f"SELECT * FROM read_parquet({text_literal(str(files[0]))}) LIMIT 0"
            con.execute(f"COPY ({read}) TO {text_literal(str(target))} (FORMAT parquet)")
            return columns, target
        text = DelimitedFiles(
            con, files, where, source.null_values, source.encoding, source.delimiter, folder
        )
        columns = common_columns(files, text.headers, (), where)
    target = folder / f"{table}.csv"
    with target.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerow(columns)
    return columns, target


def _settings(params: Params) -> Iterator[tuple[str, str]]:
    """Give each setting but the sources as name and value, defaults in brackets."""
    for name in type(params).model_fields:
        value = getattr(params, name)
        if isinstance(value, BaseModel):
            for inner in type(value).model_fields:
                shown = _shown(getattr(value, inner), _UNSET.get(name, "not set"))
                yield f"{name}.{inner}", shown if inner in value.model_fields_set else f"({shown})"
        elif name != "sources":
            shown = _shown(value)
            yield name, shown if name in params.model_fields_set else f"({shown})"


def _shown(value: object, unset: str = "not set") -> str:
    if value is None:
        return unset
    if isinstance(value, list):
        return ", ".join(_shown(one) for one in value) or "none"
    if isinstance(value, BaseModel):
        return "; ".join(f"{key}: {one}" for key, one in value.model_dump().items())
    return str(value)


def _described(shape: SourceShape, source: Source) -> str:
    count = len(shape.files)
    files = shape.files[0].name if count == 1 else f"{count} files"
    table = TABLES.get(shape.name)
    mapped = {spec.source for spec in source.columns.values()}
    rest = [name for name in shape.columns if name not in mapped]
    as_is = [name for name in rest if table is None or table.open or table.column(name)]
    unused = [name for name in rest if name not in as_is]
    words = [f"{files}{', only looked up' if source.lookup_only else ''}"]
    words += [f"{len(source.columns)} columns mapped"] if source.columns else []
    words += [f"under their own names: {', '.join(as_is)}"] if as_is else []
    words += [f"not used by name: {', '.join(unused)}"] if unused else []
    return "; ".join(words)


def _verdict(notebook: plan.Notebook, params: Params) -> str:
    lacking = plan.missing(notebook, params)
    return "runs" if lacking is None else f"does not run. {ENGLISH(lacking)}"


def _table(rows: Iterator[tuple[str, str]]) -> list[str]:
    rows = list(rows)
    width = max((len(name) for name, _ in rows), default=0)
    return [f"  {name:<{width}}  {text}" for name, text in rows] or ["  none"]
