"""Which value of the client's row goes into which canonical column, before it is cast."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import ibis
import ibis.expr.types as ir

from customerlab.cleaning.dates import check_format
from customerlab.cleaning.marked import Note
from customerlab.cleaning.reading import kind_of
from customerlab.cleaning.repair import GENDER_CODES, data_columns, repair_text
from customerlab.cleaning.values import Growing, apply_codes, look_up
from customerlab.conditions import compile_expression
from customerlab.contract import Kind, Table
from customerlab.errors import CustomerlabError, nearest
from customerlab.messages import say
from customerlab.params import ColumnSource, Source

#: An amount that the client did not give, but its two factors.
DERIVED: dict[tuple[str, str], tuple[str, str]] = {
    ("transactions", "amount"): ("quantity", "unit_price")
}


@dataclass(frozen=True)
class Target:
    """A column that the clean table will have.

    Attributes
    ----------
    name : str
    kind : str
    value : str
        The column of the mapped rows that holds its value, not yet cast.
    formats : tuple of str
        Declared date formats.
    """

    name: str
    kind: Kind
    value: str
    formats: tuple[str, ...] = ()


@dataclass(frozen=True)
class Mapped:
    """Repaired rows: the client's own columns, the value of every target, and what was done."""

    rows: ir.Table
    targets: tuple[Target, ...]
    own: tuple[str, ...]
    notes: tuple[Note, ...] = ()


def missing_columns(table: Table, names: Sequence[str], source: Source, *, where: str) -> list[str]:
    """Say which columns a source would have to have, and has not.

    Parameters
    ----------
    table : contract.Table
    names : sequence of str
        The columns that the client's files have.
    source : Source
    where : str
        The parameter file.

    Returns
    -------
    list of str
        One message for each; empty when all is there.
    """
    key = f"{where}: sources.{table.name}"
    problems = _absent(names, source, key)
    have = {*source.columns, *names}
    for name in table.required:
        if name in have or have.issuperset(DERIVED.get((table.name, name), (name,))):
            continue
        factors = DERIVED.get((table.name, name))
        other = f" (or {' and '.join(factors)})" if factors else ""
        problems.append(
            f"{key}.columns: {table.name} needs {name}{other}, and the file has no such column"
            f"{nearest(name, names)}; columns: {', '.join(names)}"
        )
    return problems


def _absent(names: Sequence[str], source: Source, key: str) -> list[str]:
    """Say which columns `source` names that the file does not have."""
    problems = []
    before: set[str] = set()
    for column, spec in source.columns.items():
        for said, name, known in (
            ("from", spec.source, {*names}),
            ("on", spec.on, {*names, *before}),
        ):
            if name is not None and name not in known:
                problems.append(
                    f'{key}.columns.{column}.{said}: the file has no column "{name}"'
                    f"{nearest(name, known)}; columns: {', '.join(names)}"
                )
        before.add(column)
    return problems


def map_columns(
    table: Table, raw: ir.Table, source: Source, lookups: Mapping[str, ir.Table], *, where: str
) -> Mapped:
    """Repair a parsed source and find the value of each column of a canonical table.

    A canonical column that the parameters do not map is taken from the client's column of the
    same name. An open table keeps the client's further columns under their own names, unless
    they are mapped or a mapped column has the name.

    Parameters
    ----------
    table : contract.Table
    raw : table
        The parsed source.
    source : Source
    lookups : mapping of str to table
        From :func:`lookup_table`.
    where : str
        The parameter file.

    Raises
    ------
    CustomerlabError
        When a column is missing or a lookup has several rows for one key.
    """
    names = data_columns(raw)
    if problems := missing_columns(table, names, source, where=where):
        raise CustomerlabError("\n".join(problems))
    growing = _mapped(raw, source, lookups, f"{where}: sources.{table.name}.columns")
    for column in table.columns:
        if column.name in names:
            growing.values.setdefault(column.name, column.name)
    if table.open:
        used = {spec.source for spec in source.columns.values()}
        taken = {name.casefold() for name in growing.values}
        for name in names:
            if name not in used and name.casefold() not in taken:
                growing.values[name] = name
    gender = source.columns.get("gender")
    if "gender" in growing.values and not (gender and gender.codes):
        apply_codes(growing, {"gender": GENDER_CODES}, any_case=True)
    targets = tuple(
        _target(table, name, value, source.columns.get(name), growing.rows, where)
        for name, value in _ordered(table, growing.values)
    )
    return Mapped(growing.rows, targets, tuple(names), tuple(growing.notes))


def lookup_table(
    name: str,
    raw: ir.Table,
    source: Source,
    *,
    where: str,
    lookups: Mapping[str, ir.Table] | None = None,
) -> ir.Table:
    """Return a source as others look it up: its own columns and its mapped ones, repaired.

    Parameters
    ----------
    name : str
        Its name under ``sources``.
    raw : table
        The parsed source.
    source : Source
    where : str
        The parameter file.
    lookups : mapping of str to table, optional
        What it looks up itself.
    """
    if problems := _absent(data_columns(raw), source, f"{where}: sources.{name}"):
        raise CustomerlabError("\n".join(problems))
    growing = _mapped(raw, source, lookups or {}, f"{where}: sources.{name}.columns")
    mapped = {column: growing.rows[value] for column, value in growing.values.items()}
    taken = {column.casefold() for column in mapped}
    own = {n: growing.rows[n] for n in data_columns(raw) if n.casefold() not in taken}
    return growing.rows.select(**mapped, **own)


def _ordered(table: Table, values: Mapping[str, str]) -> Iterable[tuple[str, str]]:
    listed = [column.name for column in table.columns if column.name in values]
    return [(name, values[name]) for name in (*listed, *(n for n in values if n not in listed))]


def _target(
    table: Table,
    name: str,
    value: str,
    spec: ColumnSource | None,
    rows: ir.Table,
    where: str,
) -> Target:
    formats = tuple(spec.format or ()) if spec else ()
    column = table.column(name)
    declared = spec.kind if spec else None
    if column is not None:
        kind = column.kind
    elif declared or not formats:
        kind = declared or kind_of(rows[value].type())
    else:  # a further column with a date format is a date
        kind = "timestamp" if any("%H" in f or "%I" in f for f in formats) else "date"
    for form in formats:
        check_format(form, kind, f"{where}: sources.{table.name}.columns.{name}.format")
    return Target(name, kind, value, formats)


def _mapped(raw: ir.Table, source: Source, lookups: Mapping[str, ir.Table], key: str) -> Growing:
    """Repair the rows and add what the parameters map, in their order."""
    growing = Growing(repair_text(raw, source.null_values))
    own = {name: growing.rows[name].type() for name in data_columns(raw)}
    growing.notes += [
        Note("repair", "repaired", say("blanks trimmed"), "_blanks"),
        Note("repair", "repaired", say("full-width characters narrowed"), "_wide"),
    ]
    for column, spec in source.columns.items():
        if spec.source is not None:
            growing.values[column] = spec.source
    formulas = {
        column: compile_expression(spec.sql, ibis.schema(own), where=f"{key}.{column}.sql")
        for column, spec in source.columns.items()
        if spec.sql is not None
    }
    growing.add({column: formula(growing.rows) for column, formula in formulas.items()})
    apply_codes(growing, _codes(source.columns, growing.values))
    for joined in _joins(source.columns):
        look_up(growing, joined, lookups, key)
        apply_codes(growing, _codes(joined, joined))
    return growing


def _codes(
    columns: Mapping[str, ColumnSource], among: Iterable[str]
) -> dict[str, Mapping[str, str]]:
    """Return the declared code lists of some columns."""
    return {name: spec.codes for name, spec in columns.items() if spec.codes and name in among}


def _joins(columns: Mapping[str, ColumnSource]) -> list[dict[str, ColumnSource]]:
    """Return the lookups, those together that one join finds."""
    joins: dict[object, dict[str, ColumnSource]] = {}
    for column, spec in columns.items():
        if spec.lookup is not None:
            alone = column if spec.count else None
            joins.setdefault((spec.lookup, spec.on, spec.where, alone), {})[column] = spec
    return list(joins.values())
