"""The rows of one source, marked, and the two parts they fall into: clean and set aside."""

from __future__ import annotations

from dataclasses import dataclass, replace

import ibis
import ibis.expr.types as ir

from customerlab.contract import Table
from customerlab.messages import Message


@dataclass(frozen=True)
class Note:
    """Something done to a row that stays: the flag column that says where, and the words."""

    step: str
    action: str
    text: Message
    flag: str


@dataclass(frozen=True)
class Reason:
    """Why rows are set aside.

    Attributes
    ----------
    step : str
        One of :data:`customerlab.cleaning.STEPS`.
    text : Message
    flag : str
        The column that says which rows it holds for.
    always : bool
        Shown in the ledger though it holds for no row.
    """

    step: str
    text: Message
    flag: str
    always: bool = True


@dataclass(frozen=True)
class Marked:
    """The rows of one source, cast, with every reason against them.

    Attributes
    ----------
    table : contract.Table
    rows : table
        ``columns``, ``_file``, ``_row``, one flag for each note and reason, and ``_reason``: the
        place in `reasons` of the first that holds, null for a clean row.
    columns : tuple of str
        The columns of the clean table.
    reasons : tuple of Reason
        In the order in which they take rows.
    notes : tuple of Note
        What was repaired, or kept with a remark.
    rows_in : int
        Rows of the parsed source, counted there.
    """

    table: Table
    rows: ir.Table
    columns: tuple[str, ...]
    reasons: tuple[Reason, ...]
    notes: tuple[Note, ...]
    rows_in: int

    def on(self, rows: ir.Table) -> Marked:
        """Return the same with `rows` materialised, so that nothing is worked out twice."""
        return replace(self, rows=rows)


def clean(marked: Marked) -> ir.Table:
    """Return the clean rows under their canonical columns, always in the same order."""
    rows, table = marked.rows, marked.table
    has_key = table.key and set(table.key) <= set(marked.columns)
    keys = table.key if has_key else ("customer_id", table.known_on)
    order = [*(key for key in keys if key in marked.columns), "_file", "_row"]
    ordered = rows.filter(rows["_reason"].isnull()).order_by(
        [ibis.asc(name, nulls_first=True) for name in order]
    )
    return ordered.select(*marked.columns)


def quarantined(marked: Marked, raw: ir.Table) -> ir.Table:
    """Return the rows that were set aside, all columns as they came, with ``_reason`` in words.

    Parameters
    ----------
    marked : Marked
    raw : table
        The parsed source.
    """
    rows = marked.rows
    taken = rows.filter(rows["_reason"].notnull())
    words = [(i, str(reason.text)) for i, reason in enumerate(marked.reasons)]
    reason = taken["_reason"].cases(*words, else_=ibis.null("string")) if words else ibis.null()
    taken = taken.select(
        _at_file=taken["_file"], _at_row=taken["_row"], _reason=reason.cast("string")
    )
    joined = raw.inner_join(
        taken, [raw["_file"] == taken["_at_file"], raw["_row"] == taken["_at_row"]]
    )
    return joined.select(*raw.columns, "_reason").order_by("_file", "_row")
