"""The reasons to set a row aside, in the order in which they take rows."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence

import ibis
import ibis.expr.types as ir

from customerlab.cleaning.marked import Note, Reason
from customerlab.cleaning.reading import KIND_WORDS
from customerlab.cleaning.repair import any_of
from customerlab.conditions import compile_expression
from customerlab.contract import TABLES, Kind, Table
from customerlab.messages import Message, say
from customerlab.params import Rule

#: A reason to be: step, words, and whether it holds for a row.
Flagged = tuple[str, Message, ir.BooleanValue]

#: Steps whose reasons are in the ledger only where they hold for a row.
_QUIET = ("fields", "cells")


class Marking:
    """Cast rows that gather notes and reasons, each a flag column.

    Parameters
    ----------
    rows : table
        Canonical columns, what was given for each, and the client's own columns.
    own : sequence of str
        The client's own columns among them.
    given : mapping of str to str
        For each canonical column, the one that holds what the client gave, before the cast.
    notes : sequence of Note
        What was noted so far.
    """

    def __init__(
        self,
        rows: ir.Table,
        own: Sequence[str],
        given: Mapping[str, str],
        notes: Sequence[Note],
    ) -> None:
        self.rows = rows
        self.own = tuple(own)
        self.given = dict(given)
        self.notes = list(notes)
        self.reasons: list[Reason] = []

    def note(self, flagged: Sequence[Flagged]) -> None:
        """Add repairs; their flags are over the rows as they are now."""
        flags = {}
        for step, text, flag in flagged:
            name = f"_note_{len(self.notes)}"
            flags[name] = flag.fill_null(False)
            self.notes.append(Note(step, "repaired", text, name))
        if flags:
            self.rows = self.rows.mutate(**flags)

    def against(self, flagged: Sequence[Flagged]) -> None:
        """Add reasons; their flags are over the rows as they are now."""
        flags = {}
        for step, text, flag in flagged:
            name = f"_reason_{len(self.reasons)}"
            flags[name] = flag.fill_null(False)
            self.reasons.append(Reason(step, text, name, step not in _QUIET))
        if flags:
            self.rows = self.rows.mutate(**flags)

    def free(self) -> ir.BooleanValue:
        """Return whether no reason so far holds."""
        return ~any_of(self.rows[reason.flag] for reason in self.reasons)


def misshapen(marking: Marking) -> list[Flagged]:
    """Find rows of a text file whose number of cells differs from the header's."""
    fields = marking.rows["_fields"]
    return [
        ("fields", say("more cells than the header names"), fields == "too many"),
        ("fields", say("fewer cells than the header names"), fields == "too few"),
    ]


def unreadable(kinds: Mapping[str, Kind], marking: Marking) -> list[Flagged]:
    """Find cells that hold something, of which the cast made nothing."""
    rows = marking.rows
    flagged: list[Flagged] = []
    for name, kind in kinds.items():
        text = say("{column}: cannot be read as {kind}", column=name, kind=KIND_WORDS[kind])
        unread = rows[marking.given[name]].notnull() & rows[name].isnull()
        flagged.append(("cells", text, unread))
    return flagged


def missing(table: Table, marking: Marking) -> list[Flagged]:
    """Find required values that are not there, then those that must be above zero and are not."""
    rows = marking.rows
    flagged: list[Flagged] = []
    for column in table.columns:
        if column.required:
            absent = rows[marking.given[column.name]].isnull()
            flagged.append(("required", say("{column}: missing", column=column.name), absent))
    for column in table.columns:
        if column.positive and column.name in rows.columns:
            low = rows[column.name] <= 0
            flagged.append(("required", say("{column}: not above zero", column=column.name), low))
    return flagged


def broken_rules(
    rules: Sequence[Rule], table: Table, columns: Sequence[str], marking: Marking, where: str
) -> list[Flagged]:
    """Find rows that meet the client's own rules; one that cannot be decided is not met."""
    rows = marking.rows
    own = [name for name in marking.own if not name.startswith("_own_")]
    seen = ibis.schema({name: rows[name].type() for name in (*columns, *own)})
    flagged: list[Flagged] = []
    for i, rule in enumerate(rules):
        if rule.table == table.name:
            place = f"{where}: data_cleaning.rules[{i}].when"
            condition = compile_expression(rule.when, seen, where=place, boolean=True)
            flagged.append(("rules", say("rule: {rule}", rule=rule.name), condition(rows)))
    return flagged


def from_the_future(table: Table, snapshot: dt.date, marking: Marking) -> list[Flagged]:
    """Find rows that became known only after the snapshot."""
    name = table.known_on
    if name is None or name not in marking.rows.columns:
        return []
    when, next_day = marking.rows[name], snapshot + dt.timedelta(days=1)
    kind = table.column(name).kind  # type: ignore[union-attr]
    if kind == "month":  # a month is known when its last day has passed
        later = when >= ibis.date(next_day.replace(day=1))
    elif kind == "date":
        later = when >= ibis.date(next_day)
    else:
        later = when >= ibis.timestamp(next_day.isoformat() + " 00:00:00")
    text = say("{column}: after {snapshot:date}", column=name, snapshot=snapshot)
    return [("snapshot", text, later)]


def orphans(table: Table, parents: Mapping[str, ir.Table], marking: Marking) -> None:
    """Mark rows whose customer (account, campaign) is not among the clean ones."""
    for column, parent in table.belongs_to.items():
        if parent not in parents or column not in marking.rows.columns:
            continue
        known = parents[parent].select(_known=column)
        if TABLES[parent].key != (column,):
            known = known.distinct()
        rows = marking.rows
        joined = rows.left_join(known, rows[column] == known["_known"])
        unknown = joined["_known"].isnull() & joined[column].notnull()
        marking.rows = joined.mutate(_unknown=unknown).drop("_known")
        text = say("{column}: unknown among the clean {parent}", column=column, parent=parent)
        marking.against([("parents", text, marking.rows["_unknown"])])
        marking.rows = marking.rows.drop("_unknown")
