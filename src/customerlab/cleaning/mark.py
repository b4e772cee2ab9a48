"""Cast the rows of one source and mark each with the reasons against it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence

import ibis
import ibis.expr.types as ir

from customerlab.cleaning.dates import in_format, read_date
from customerlab.cleaning.mapping import DERIVED, Mapped, Target, map_columns
from customerlab.cleaning.marked import Marked
from customerlab.cleaning.reading import SEPARATED, as_text, exact_product, read
from customerlab.cleaning.reasons import (
    Marking,
    broken_rules,
    from_the_future,
    misshapen,
    missing,
    orphans,
    unreadable,
)
from customerlab.cleaning.repair import any_of
from customerlab.cleaning.repeats import Repeats
from customerlab.contract import Kind, Table
from customerlab.messages import say
from customerlab.params import Rule, Source


def mark_rows(
    table: Table,
    raw: ir.Table,
    source: Source,
    *,
    rules: Sequence[Rule] = (),
    snapshot: dt.date,
    parents: Mapping[str, ir.Table] | None = None,
    lookups: Mapping[str, ir.Table] | None = None,
    drop_exact_repeats: bool = False,
    keep: Callable[[ir.Table], ir.Table] = lambda rows: rows,
    where: str,
) -> Marked:
    """Cast the rows of one source to its canonical table and say what is wrong with each.

    The reasons, in the order in which they take rows: the row's shape; cells that cannot be
    read; required values missing, or not above zero where that makes no sense; the client's
    rules; known only after the snapshot; not found in the table it belongs to; an exact repeat;
    a repeated key, of which the first row stays.

    Parameters
    ----------
    table : contract.Table
    raw : table
        The parsed source: the client's columns, ``_file``, ``_row``, and, from text files,
        ``_fields``.
    source : Source
    rules : sequence of Rule
        All of the client's rules; those of other tables are passed over. A condition sees the
        canonical columns, and the client's own where no canonical one has the name.
    snapshot : date
        The last day that is known.
    parents : mapping of str to table
        Clean tables, by name. A parent that the client did not give is not asked.
    lookups : mapping of str to table
        From :func:`lookup_table`.
    drop_exact_repeats : bool
        A row that repeats another exactly is an accident though the table has no key.
    keep : function of a table
        Holds rows that are read several times, so that nothing is worked out twice.
    where : str
        The parameter file; begins the messages about it.

    Returns
    -------
    Marked
        Expressions, apart from the number of rows that came in.

    Raises
    ------
    CustomerlabError
        When a column is missing, a lookup has several rows for one key, or an expression or a
        date format is wrong.
    """
    mapped = map_columns(table, raw, source, lookups or {}, where=where)
    columns = _columns(table, mapped.targets)
    marking, kinds = _cast(table, mapped, columns)
    marking.against(
        [
            *misshapen(marking),
            *unreadable(kinds, marking),
            *missing(table, marking),
            *broken_rules(rules, table, columns, marking, where),
            *from_the_future(table, snapshot, marking),
        ]
    )
    orphans(table, parents or {}, marking)
    rows, reasons, notes = marking.rows, marking.reasons, tuple(marking.notes)
    held = [(rows[reason.flag], i) for i, reason in enumerate(reasons)]
    first = ibis.cases(*held, else_=ibis.null("int64")) if held else ibis.null("int64")
    names = [*columns, "_file", "_row", *(item.flag for item in (*notes, *reasons))]
    repeats = Repeats.of(table, columns, drop_exact=drop_exact_repeats)
    rows = rows.select(*names, _reason=first.cast("int64"), **repeats.prints(marking))
    rows = keep(rows)
    if more := repeats.reasons(len(reasons)):
        few = keep(repeats.alike(rows))
        found = keep(repeats.found(few, raw, source.null_values))
        rows = repeats.marked(rows, found, more, len(reasons))
        reasons = [*reasons, *more]
        rows = rows.select(*names, *(reason.flag for reason in more), "_reason")
    rows_in = int(raw.count().to_pyarrow().as_py())
    return Marked(table, rows, tuple(columns), tuple(reasons), notes, rows_in)


def _columns(table: Table, targets: Sequence[Target]) -> list[str]:
    """Return the columns of the clean table: the contract's, then the further ones."""
    names = [target.name for target in targets]
    names += [name for name in _derived(table, targets)]
    listed = [column.name for column in table.columns if column.name in names]
    return [*listed, *(name for name in names if name not in listed)]


def _derived(table: Table, targets: Sequence[Target]) -> list[str]:
    """Return the columns that the client did not give, but their two factors."""
    names = {target.name for target in targets}
    return [
        column
        for (name, column), factors in DERIVED.items()
        if name == table.name and column not in names and names.issuperset(factors)
    ]


def _cast(table: Table, mapped: Mapped, columns: Sequence[str]) -> tuple[Marking, dict[str, Kind]]:
    """Cast every target; return the rows and the kind of each column.

    Beside the canonical columns the rows keep what was given for each, and the client's own: under
    their names, or behind ``_own_`` where a canonical column has the name (engines do not tell
    Quantity from quantity). A text that stays as it is is not kept twice.
    """
    targets = mapped.targets
    as_is = {
        t.name for t in targets if t.kind == "text" and mapped.rows[t.value].type().is_string()
    }
    given = {t.name: t.name if t.name in as_is else f"_given_{t.name}" for t in targets}
    taken = {name.casefold() for name in columns}
    unchanged = {t.value for t in targets if t.name in as_is and t.name == t.value}
    own = {
        n: f"_own_{n}" if n.casefold() in taken and n not in unchanged else n for n in mapped.own
    }
    kept = {own[n]: mapped.rows[n] for n in mapped.own}
    kept |= {given[t.name]: mapped.rows[t.value] for t in targets}
    kept |= {t.name: read(mapped.rows[t.value], t.kind, t.formats) for t in targets}
    flags = [note.flag for note in mapped.notes]
    rows = mapped.rows.select("_file", "_row", "_fields", *flags, **kept)
    kinds = {t.name: t.kind for t in targets if t.name not in as_is}
    for name in _derived(table, targets):
        kinds[name], given[name] = "amount", f"_given_{name}"
        factors = DERIVED[table.name, name]
        left, right = (rows[factor] for factor in factors)
        there = rows[given[factors[0]]].notnull() & rows[given[factors[1]]].notnull()
        rows = rows.mutate(**{name: exact_product(left, right), given[name]: there.nullif(False)})
    marking = Marking(rows, tuple(own.values()), given, mapped.notes)
    separated = [
        rows[given[t.name]].contains(",") & rows[t.name].notnull()
        for t in targets
        if t.kind in SEPARATED and rows[given[t.name]].type().is_string()
    ]
    repairs = (
        [("repair", say("thousands separators removed"), any_of(separated))] if separated else []
    )
    for target in targets:
        text = as_text(rows[given[target.name]])
        for i, form in enumerate(target.formats[1:], 1):
            before = read_date(text, target.kind, target.formats[:i])
            said = say("{column}: written as {form}", column=target.name, form=form)
            here = before.isnull() & in_format(text, target.kind, form).notnull()
            repairs.append(("repair", said, here))
    marking.note(repairs)
    return marking, kinds
