"""A parsed tree to Ibis, node by node: how entries are made and what is said without one."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import ibis.expr.types as ir
from sqlglot import exp

from customerlab.conditions.kinds import (
    Unlike,
    alike,
    cure,
    in_words,
    kind,
)
from customerlab.errors import nearest


class Refused(Exception):
    """What is wrong with an expression, and in which part of it."""

    def __init__(self, problem: str, part: exp.Expr | None = None) -> None:
        super().__init__(problem)
        self.part = part


_FUNCTIONS = (
    "ABS, CEIL, COALESCE, CONTAINS, DAY, EXTRACT, FLOOR, GREATEST, LEAST, LEFT, LENGTH, LOWER, "
    "LPAD, MONTH, NULLIF, REPLACE, RIGHT, ROUND, STARTS_WITH, SUBSTRING, TRIM, UPPER, YEAR"
)
#: Only for the words of the message: nothing is allowed for not being in these.
_CLOCK = {"now", "today", "get_current_time", "get_current_timestamp", "transaction_timestamp"}
_CHANCE = {"random", "rand", "randn", "uuid", "gen_random_uuid", "setseed", "uuidv4", "uuidv7"}
_DIALECT = "duckdb"
_NO_QUERY = "a subquery may not be used"


def column_name(node: exp.Column, names: Collection[str]) -> str:
    """Return the name among `names` that a column of the text means."""
    if set(given(node)) != {"this"} or not isinstance(node.this, exp.Identifier):
        raise Refused("expected a column without a table before it", node)
    if node.name in names:
        return node.name
    folded = [name for name in names if name.lower() == node.name.lower()]
    if len(folded) == 1:
        return folded[0]
    hint = nearest(node.name, names) or nearest(node.name.lower(), names)
    raise Refused(f'there is no column "{node.name}"{hint}; there is: {", ".join(names)}')


def given(node: exp.Expr) -> dict[str, Any]:
    """Return the arguments that a node really has."""
    return {key: arg for key, arg in node.args.items() if arg not in (None, False, [])}


class Builder:
    """Builds trees over the columns of one table.

    Raises
    ------
    Refused
        A node that is not allowed, or values of the wrong kind.
    """

    def __init__(self, table: ir.Table, entries: Entries) -> None:
        self.table, self.entries = table, entries

    def __call__(self, node: exp.Expr) -> ir.Value:
        """Return the value of a node."""
        entry = self.entries.get(type(node))
        if entry is None:
            raise Refused(_not_allowed(node), node)
        function, arguments = entry
        further = set(given(node)) - arguments
        if further:
            if node.find(exp.Query):
                raise Refused(_NO_QUERY, node)
            raise Refused(f"this form of {node.key.upper()} may not be used", node)
        try:
            return function(node, self)
        except Unlike as error:
            raise Refused(str(error), node) from None

    def of_kind(self, node: exp.Expr, *kinds: str) -> ir.Value:
        """Return the value of a node that has to be of one of `kinds`."""
        value = self(node)
        if kind(value) not in kinds:
            expected = in_words(kinds[0]) if kinds[0] != "boolean" else "a condition"
            raise Refused(
                f"expected {expected}, and {sql_of(node)} is {in_words(kind(value))}"
                f"{cure(sql_of(node), kind(value), kinds[0])}",
                node.parent,
            )
        return value

    def alike(self, *nodes: exp.Expr) -> list[ir.Value]:
        """Return the values of nodes that have to be of one kind."""
        return alike([self(node) for node in nodes], [sql_of(node) for node in nodes])


Entry = Callable[[Any, Builder], ir.Value]


class Entries(dict[type[exp.Expr], tuple[Entry, frozenset[str]]]):
    """For each kind of node that is allowed: what builds it, and the arguments it may have."""

    def __call__(self, *types: type[exp.Expr], args: str = "this") -> Callable[[Entry], Entry]:
        """Enter the decorated function for these nodes."""

        def enter(function: Entry) -> Entry:
            for each in types:
                self[each] = function, frozenset(args.split())
            return function

        return enter


def sql_of(node: exp.Expr) -> str:
    """Return a node as text, for a message."""
    return node.sql(dialect=_DIALECT, comments=False)


def _not_allowed(node: exp.Expr) -> str:
    name = (node.name if isinstance(node, exp.Anonymous) else node.key).lower()
    if name in _CLOCK or name.startswith(("current", "localtime")):
        return "the clock may not be used; write the date, for instance DATE '2025-12-31'"
    if name in _CHANCE:
        return "chance may not be used: the same data must give the same result"
    if isinstance(node, (exp.Query, exp.Exists)) or node.find(exp.Query):
        return _NO_QUERY
    if isinstance(node, (exp.Window, exp.AggFunc)):
        return "only values of the row itself may be used, no counts, sums or windows over rows"
    if isinstance(node, (exp.Placeholder, exp.Parameter)):
        return "a parameter may not be used"
    if isinstance(node, exp.Func):
        name = sql_of(node).partition("(")[0]
        hint = nearest(name, _FUNCTIONS.split(", "))
        return f"{name} may not be used{hint}; the functions are {_FUNCTIONS}"
    return f"{sql_of(node) or name.upper()} may not be used"


def count_of(node: exp.Expr | None, parent: exp.Expr, least: int) -> int:
    """Return a whole number that has to be written out."""
    if node is None:
        return least
    if not isinstance(node, exp.Literal) or node.is_string or not node.this.isdecimal():
        raise Refused(f"expected a whole number from {least}, found {sql_of(node)}", parent)
    if int(node.this) < least or int(node.this) > 1_000_000:
        raise Refused(f"expected a whole number from {least}, found {node.this}", parent)
    return int(node.this)
