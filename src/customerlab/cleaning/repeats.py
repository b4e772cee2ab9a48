"""Rows that repeat an earlier one, among those that nothing else is against.

Only the few rows that have a like are compared, text by text. They are found by counting a hash,
which needs neither the texts nor an order; that two different rows may share one costs a
comparison and changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import xor

import ibis
import ibis.expr.types as ir

from customerlab.cleaning.marked import Reason
from customerlab.cleaning.reasons import Marking
from customerlab.cleaning.repair import data_columns, repair_text
from customerlab.contract import Table
from customerlab.messages import say

_PRINT = "_print"


@dataclass(frozen=True)
class Repeats:
    """What counts as a repeat in one table.

    An exact repeat has the same text in all of the client's columns. It is looked for where the
    table has a key, all of it given, or where the parameters say so. A row without a value in
    its key repeats nothing.

    Attributes
    ----------
    key : tuple of str
        The columns that no two rows may share; empty where the client does not give them.
    drop_exact : bool
        An exact repeat is one without any key, too.
    """

    key: tuple[str, ...]
    drop_exact: bool

    @classmethod
    def of(cls, table: Table, columns: Sequence[str], *, drop_exact: bool) -> Repeats:
        """Return what counts as a repeat where the clean table has `columns`."""
        return cls(table.key if set(table.key) <= set(columns) else (), drop_exact)

    def prints(self, marking: Marking) -> dict[str, ir.Value]:
        """Return what must be kept of a row to find those alike in all of the client's columns."""
        if not self.drop_exact:
            return {}
        texts = [marking.rows[name].cast("string").fill_null("\x01") for name in marking.own]
        whole = texts[0]
        for text in texts[1:]:
            whole = whole.concat("\x02", text)
        return {_PRINT: whole.hash()}

    def reasons(self, number: int) -> list[Reason]:
        """Return the reasons, of which `number` come before."""
        said = [say("exact repeat of an earlier row")] if self.key or self.drop_exact else []
        if self.key:
            said.append(say("{key}: stands in an earlier row", key=", ".join(self.key)))
        return [Reason("repeats", text, f"_reason_{number + i}") for i, text in enumerate(said)]

    def alike(self, rows: ir.Table) -> ir.Table:
        """Return ``_at_file``, ``_at_row`` and the key of the rows that may repeat one another.

        Parameters
        ----------
        rows : table
            Cast rows with ``_reason``, null where nothing is against the row so far.
        """
        kinds = [(_PRINT,)] if self.drop_exact else []
        kinds += [self.key] if self.key else []
        chosen = [_alike(rows, by, self.key) for by in kinds]
        return chosen[0].union(chosen[1], distinct=True) if len(chosen) > 1 else chosen[0]

    def found(self, few: ir.Table, raw: ir.Table, null_values: Sequence[str]) -> ir.Table:
        """Return ``_at_file`` and ``_at_row`` of the repeats, and whether they ``_is_exact``.

        Parameters
        ----------
        few : table
            From :meth:`alike`.
        raw : table
            The parsed source: a repeat is looked for in what the client gave.
        null_values : sequence of str
            Texts that mean no value.
        """
        here = [raw["_file"] == few["_at_file"], raw["_row"] == few["_at_row"]]
        own = repair_text(raw.semi_join(few, here), null_values)
        texts = data_columns(raw)
        here = [own["_file"] == few["_at_file"], own["_row"] == few["_at_row"]]
        few = few.inner_join(own, here)
        key = [f"_key_{i}" for i in range(len(self.key))]
        if self.drop_exact:
            few = few.mutate(_exact=_place(texts) > 0)
            again = _place(["_exact", *key]) > 0
            for name in key:
                again &= few[name].notnull()
        else:
            few = few.mutate(_exact=_place([*key, *texts]) > 0)
            again = _place(key) > 0
        few = few.mutate(_again=again & ~few["_exact"] if key else ibis.literal(False))
        few = few.filter(few["_exact"] | few["_again"])
        return few.select("_at_file", "_at_row", _is_exact=few["_exact"])

    def marked(
        self, rows: ir.Table, found: ir.Table, reasons: Sequence[Reason], number: int
    ) -> ir.Table:
        """Return `rows` with the flags of `reasons`, and ``_reason`` where they hold."""
        here = [rows["_file"] == found["_at_file"], rows["_row"] == found["_at_row"]]
        joined = rows.left_join(found, here)
        exact = joined["_is_exact"].fill_null(False)
        flags = {reasons[0].flag: exact}
        if self.key:
            flags[reasons[1].flag] = (~joined["_is_exact"]).fill_null(False)
        place = joined["_is_exact"].ifelse(number, number + 1).cast("int64")
        place = joined["_is_exact"].isnull().ifelse(joined["_reason"], place)
        return joined.mutate(**flags, _reason=place).drop(*found.columns)


def _alike(rows: ir.Table, by: Sequence[str], key: Sequence[str]) -> ir.Table:
    """Return where the free rows stand that are not alone with the hash of `by`, and their keys."""

    def free(*more: str) -> ir.Table:
        # each time from the rows anew: an engine holds a query that is used twice, all of it
        some = rows.select("_reason", *dict.fromkeys([*by, *more]))
        some = some.filter(some["_reason"].isnull(), *(some[name].notnull() for name in by))
        return some.mutate(_hash=reduce(xor, [some[name].hash() for name in by]))

    counted = free().group_by("_hash").aggregate(_n=lambda some: some.count())
    few = free("_file", "_row", *key).semi_join(counted.filter(counted["_n"] > 1), "_hash")
    keys = {f"_key_{i}": few[name] for i, name in enumerate(key)}
    return few.select(_at_file=few["_file"], _at_row=few["_row"], **keys)


def _place(alike: Sequence[str]) -> ir.IntegerValue:
    """Return a row's place, from 0, among those alike, by file and row."""
    return ibis.row_number().over(
        ibis.window(group_by=list(alike), order_by=["_at_file", "_at_row"])
    )
