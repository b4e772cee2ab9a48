"""The values of canonical columns: taken as they are, worked out, looked up, decoded.

Columns are added many at a time: a hundred selects inside one another are more than the SQL
generators bear.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import ibis.expr.types as ir

from customerlab.cleaning.marked import Note
from customerlab.cleaning.reading import as_text
from customerlab.cleaning.repair import recode
from customerlab.conditions import compile_expression
from customerlab.errors import CustomerlabError, nearest
from customerlab.messages import Message, say
from customerlab.params import ColumnSource

#: A note to be: step, action, words, and whether it holds for a row.
Line = tuple[str, str, Message, ir.BooleanValue]


@dataclass
class Growing:
    """The rows while columns are added to them.

    Attributes
    ----------
    rows : table
    values : dict of str to str
        For each mapped column, the column of `rows` that holds its value.
    notes : list of Note
    """

    rows: ir.Table
    values: dict[str, str] = field(default_factory=dict)
    notes: list[Note] = field(default_factory=list)

    def add(self, values: Mapping[str, ir.Value], lines: Sequence[Line] = ()) -> None:
        """Add or replace the values of columns, and add notes; all over the rows as they are."""
        flags = {f"_done_{len(self.notes) + i}": line[-1] for i, line in enumerate(lines)}
        self.notes += [
            Note(step, action, text, name)
            for name, (step, action, text, _) in zip(flags, lines, strict=True)
        ]
        self.values |= {name: f"_in_{name}" for name in values}
        new = {f"_in_{name}": value for name, value in values.items()}
        new |= {name: flag.fill_null(False) for name, flag in flags.items()}
        if new:
            self.rows = self.rows.mutate(**new)

    def value(self, name: str) -> ir.Value:
        """Return the value of `name`: mapped before, or the client's own."""
        return self.rows[self.values.get(name, name)]


def apply_codes(
    growing: Growing, codes: Mapping[str, Mapping[str, str]], *, any_case: bool = False
) -> None:
    """Replace codes, and note which rows changed and which hold what is in no list.

    Parameters
    ----------
    growing : Growing
    codes : mapping of str to mapping
        For each column, what its codes mean.
    any_case : bool
        The codes are given in lower case and compared so.
    """
    decoded: dict[str, ir.Value] = {}
    lines: list[Line] = []
    for column, meanings in codes.items():
        text = as_text(growing.value(column))
        decoded[column], outside = recode(text, meanings, any_case=any_case)
        changed = say("{column}: codes replaced", column=column)
        unknown = say("{column}: not in the list of codes", column=column)
        lines.append(("repair", "repaired", changed, text != decoded[column]))
        lines.append(("repair", "kept", unknown, outside))
    growing.add(decoded, lines)


def look_up(
    growing: Growing,
    columns: Mapping[str, ColumnSource],
    lookups: Mapping[str, ir.Table],
    key: str,
) -> None:
    """Join columns of another source: at most one row for each of ours.

    Parameters
    ----------
    growing : Growing
    columns : mapping of str to ColumnSource
        Columns that one join finds: alike but for `keep`.
    lookups : mapping of str to table
    key : str
        Where the columns stand in the parameter file.
    """
    first, spec = next(iter(columns.items()))
    place = f"{key}.{first}"
    other = _chosen_rows(spec, columns, lookups, key)
    on = as_text(other[spec.on])
    if spec.count:
        found = other.group_by(_on=on).aggregate(_kept_0=other.count())
    else:
        kept = {f"_kept_{i}": other[one.keep] for i, one in enumerate(columns.values())}
        found = other.select(_on=on, **kept)
        _refuse_repeats(found, spec, place)
    rows = growing.rows.mutate(_by=as_text(growing.value(str(spec.on))))
    growing.rows = rows = rows.left_join(found, rows["_by"] == found["_on"])
    values = {column: rows[f"_kept_{i}"] for i, column in enumerate(columns)}
    lines: list[Line] = []
    if spec.count:  # none is a number like any other
        values = {column: value.fill_null(0) for column, value in values.items()}
    else:
        unmatched = rows["_by"].notnull() & rows["_on"].isnull()
        for column in columns:
            text = say("{column}: no match in {lookup}", column=column, lookup=spec.lookup)
            lines.append(("look up", "kept", text, unmatched))
    growing.add(values, lines)
    growing.rows = growing.rows.drop("_by", *found.columns)


def _chosen_rows(
    spec: ColumnSource,
    columns: Mapping[str, ColumnSource],
    lookups: Mapping[str, ir.Table],
    key: str,
) -> ir.Table:
    """Return the rows of the lookup that can be found."""
    place = f"{key}.{next(iter(columns))}"
    if spec.lookup not in lookups:
        raise CustomerlabError(
            f'{place}.lookup: no source "{spec.lookup}"{nearest(str(spec.lookup), lookups)}'
        )
    other = lookups[spec.lookup]
    for said, name in (
        (f"{place}.on", spec.on),
        *((f"{key}.{column}.keep", one.keep) for column, one in columns.items()),
    ):
        if name is not None and name not in other.columns:
            raise CustomerlabError(
                f'{said}: {spec.lookup} has no column "{name}"'
                f"{nearest(name, other.columns)}; columns: {', '.join(other.columns)}"
            )
    if spec.where is not None:
        condition = compile_expression(
            spec.where, other.schema(), where=f"{place}.where", boolean=True
        )
        other = other.filter(condition(other).fill_null(False))
    return other.filter(other[spec.on].notnull())


def _refuse_repeats(found: ir.Table, spec: ColumnSource, place: str) -> None:
    """Refuse a lookup in which a key stands twice: it would repeat our rows."""
    per_key = found.group_by("_on").aggregate(_n=found.count())
    repeated = per_key.filter(per_key["_n"] > 1)
    counted = repeated.aggregate(keys=repeated.count(), rows=repeated["_n"].sum()).to_pyarrow()
    keys, rows = (counted[name][0].as_py() for name in ("keys", "rows"))
    if keys:
        such = " among the rows of its `where`" if spec.where else "; a `where` may choose one"
        raise CustomerlabError(
            f"{place}: {spec.lookup} has several rows for one {spec.on}: {keys} values of "
            f"{spec.on} stand in {rows} rows{such}. A lookup needs one row for each."
        )
