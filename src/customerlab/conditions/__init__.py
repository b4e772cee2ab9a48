"""One checked SQL expression over one table's columns, as an Ibis expression.

A parameter file may say ``when: "assets <= 100 AND idle_months >= 12"``. The text is parsed by
sqlglot (DuckDB's dialect) and every node of the tree is looked up in a list of what is allowed
and rebuilt from Ibis operations; what is not listed is refused. No part of the text ever reaches
an engine as SQL, and the same tree runs on every engine that Ibis knows.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir
import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError, TokenError
from sqlglot.tokens import Token, TokenType

from customerlab.conditions.building import Builder, Entries, Refused, column_name, sql_of
from customerlab.conditions.functions import FUNCTIONS
from customerlab.conditions.kinds import in_words, kind
from customerlab.conditions.operators import OPERATORS
from customerlab.errors import CustomerlabError

__all__ = ["Expression", "compile_expression"]

_DIALECT = "duckdb"
#: The allow-list.
_ALLOWED = Entries(OPERATORS | FUNCTIONS)
#: Comparisons, and how each reads from the other side.
_SIGNS: dict[type[exp.Expr], str] = {
    exp.LT: "<",
    exp.LTE: "<=",
    exp.EQ: "=",
    exp.NEQ: "<>",
    exp.GTE: ">=",
    exp.GT: ">",
}
_TURNED = {"<": ">", "<=": ">=", "=": "=", "<>": "<>", ">=": "<=", ">": "<"}
_LONGEST = 10_000
_DEEPEST = 120
_SHOWN = 200


@dataclass(frozen=True)
class Expression:
    """A checked expression; call it with a table for the Ibis value.

    Attributes
    ----------
    sql : str
        The expression written anew from the checked tree, for printing only.
    columns : tuple of str
        The columns that it uses, in their order of appearance.
    type : DataType
    """

    sql: str
    columns: tuple[str, ...]
    type: dt.DataType
    _where: str = field(repr=False)
    _text: str = field(repr=False)
    _tree: exp.Expr = field(repr=False, compare=False)
    _boolean: bool = field(repr=False)

    @property
    def comparisons(self) -> tuple[tuple[str, str, float], ...]:
        """Column, sign and number of every comparison of a column with a number."""
        return tuple(found for node in self._tree.walk() for found in _comparisons(node))

    @property
    def is_conjunction(self) -> bool:
        """Whether it says nothing but its :attr:`comparisons`, joined by AND."""
        parts = _joined_by_and(self._tree)
        found = [(_comparisons(part), isinstance(part, exp.In)) for part in parts]
        return all(said and not (one_of and len(said) > 1) for said, one_of in found)

    def only_compares(self, column: str) -> bool:
        """Say whether a column is only compared with numbers, or asked whether it is null."""
        for node in self._tree.find_all(exp.Column):
            around = node.parent
            while isinstance(around, exp.Paren):
                around = around.parent
            known = isinstance(around, exp.Is) or (around is not None and _comparisons(around))
            if node.name == column and not known:
                return False
        return True

    def __call__(self, table: ir.Table) -> ir.Value:
        """Return the expression over `table`, whose columns are typed as when it was checked."""
        return _built(self._tree, table, self._where, self._text, self._boolean)


def _comparisons(node: exp.Expr) -> list[tuple[str, str, float]]:
    """Return what a node says of a column and numbers, if that is all that it says."""
    if isinstance(node, exp.Between):
        pairs = [(node.this, ">=", node.args["low"]), (node.this, "<=", node.args["high"])]
    elif isinstance(node, exp.In):
        pairs = [(node.this, "=", value) for value in node.expressions]
    elif type(node) in _SIGNS:
        pairs = [(node.this, _SIGNS[type(node)], node.expression)]
    else:
        return []
    found = []
    for left, sign, right in pairs:
        left, right = left.unnest(), right.unnest()
        if isinstance(right, exp.Column):
            left, right, sign = right, left, _TURNED[sign]
        minus = isinstance(right, exp.Neg)
        number = right.this.unnest() if minus else right
        if isinstance(left, exp.Column) and isinstance(number, exp.Literal) and number.is_number:
            found.append((left.name, sign, float(number.this) * (-1 if minus else 1)))
    return found if len(found) == len(pairs) else []


def _joined_by_and(tree: exp.Expr) -> list[exp.Expr]:
    tree = tree.unnest()
    if isinstance(tree, exp.And):
        return [*_joined_by_and(tree.this), *_joined_by_and(tree.expression)]
    return [tree]


def compile_expression(
    text: str,
    schema: Mapping[str, dt.DataType],
    *,
    where: str,
    boolean: bool = False,
) -> Expression:
    """Check one SQL expression over the columns of `schema`.

    Beside the columns it may use AND OR NOT, comparisons, IS [NOT] NULL, IN with values, BETWEEN,
    LIKE and ILIKE (with ESCAPE), + - * / %, ||, CASE, CAST, and the functions that the message
    for an unknown one lists. It differs from DuckDB's SQL in this, so that every engine gives the
    same:

    - dividing by zero gives null, and division is in floating point;
    - a cast that fails gives null, from text also where the text is not plainly written: no whole
      number ``1.5``, no number ``1e400`` or ``NaN``, no date ``2025/1/31``;
    - a fraction cast to a whole number is rounded half away from zero, and INTEGER has 64 bits;
    - calculation is in 64 bits or more (with DECIMAL, in up to 38 digits);
    - TRIM takes blanks away and nothing else, and LPAD pads with one character;
    - text is never compared with a number. A text literal compared with a date must be one.

    Parameters
    ----------
    text : str
    schema : mapping of str to DataType
        The columns by name. A name in other letter case is found, too.
    where : str
        What messages start with, for instance
        ``params/acme.yaml: data_cleaning.rules[0].when``.
    boolean : bool
        Whether it is a condition: then null counts as not met.

    Raises
    ------
    CustomerlabError
        Saying what is wrong with which part of the text.
    """
    try:
        tree = _parsed(text)
        tree = tree.transform(lambda node: _with_schema_name(node, schema))
        table = ibis.table(ibis.schema(dict(schema)), name="checked")
    except Refused as error:
        raise _error(where, text, error) from None
    except RecursionError:
        raise _error(where, text, Refused("it is nested too deeply")) from None
    value = _built(tree, table, where, text, boolean)
    columns = dict.fromkeys(node.name for node in tree.dfs() if isinstance(node, exp.Column))
    return Expression(
        sql=tree.sql(dialect=_DIALECT, comments=False),
        columns=tuple(columns),
        type=value.type(),
        _where=where,
        _text=text,
        _tree=tree,
        _boolean=boolean,
    )


def _built(tree: exp.Expr, table: ir.Table, where: str, text: str, boolean: bool) -> ir.Value:
    try:
        value = Builder(table, _ALLOWED)(tree)
        if value.type().is_null():
            raise Refused("it is always null")
        if boolean and not value.type().is_boolean():
            raise Refused(f"expected a condition, found {in_words(kind(value))}")
    except Refused as error:
        raise _error(where, text, error) from None
    except RecursionError:
        raise _error(where, text, Refused("it is nested too deeply")) from None
    return value.fill_null(False) if boolean else value


def _error(where: str, text: str, problem: Refused) -> CustomerlabError:
    shown = text if len(text) <= _SHOWN else text[:_SHOWN] + " ..."
    part = "" if problem.part is None else sql_of(problem.part)
    inside = f'in "{part[:_SHOWN]}" of ' if part and part != text.strip() else "in "
    message = f'{where}: {problem}, {inside}"{shown}".'
    # a character that nobody sees would make the message lie
    return CustomerlabError("".join(c if c.isprintable() else _escaped(c) for c in message))


def _escaped(character: str) -> str:
    return " " if character in "\n\r\t" else f"\\u{ord(character):04x}"


def _parsed(text: str) -> exp.Expr:
    """Return the tree of one expression without comments, nothing before or after it."""
    if not text.strip():
        raise Refused("expected an expression, found nothing")
    if len(text) > _LONGEST:
        raise Refused(f"it is longer than {_LONGEST:,} characters")
    try:
        tokens = sqlglot.tokenize(text, read=_DIALECT)
        _check_tokens(text, tokens)
        tree = sqlglot.parse_one(text, into=exp.Condition, read=_DIALECT)
    except TokenError:
        raise Refused("a quote is not closed") from None
    except ParseError as error:
        raise Refused(_place(error)) from None
    deepest = max(len(_ancestors(node)) for node in tree.walk())
    if deepest > _DEEPEST:
        raise Refused("it is nested too deeply")
    return tree


def _place(error: ParseError) -> str:
    if not error.errors or not error.errors[0].get("line"):
        return "it cannot be read as one SQL expression"
    at = error.errors[0]
    found = at["highlight"]
    before = at["start_context"].rstrip()
    after = f' after "{before[-40:]}"' if before else ""
    return f'it cannot be read as one SQL expression at "{found}"{after}'


def _ancestors(node: exp.Expr) -> list[exp.Expr]:
    above = []
    while node.parent is not None:
        node = node.parent
        above.append(node)
    return above


def _check_tokens(text: str, tokens: list[Token]) -> None:
    """Refuse a second statement, comments, and characters that look like others."""
    quoted = [False] * len(text)
    for token in tokens:
        if token.token_type is TokenType.SEMICOLON:
            raise Refused('expected one expression without ";"')
        if token.comments:
            raise Refused("expected an expression without comments")
        if text[token.start] in "'\"":
            quoted[token.start : token.end + 1] = [True] * (token.end + 1 - token.start)
    for character, inside in zip(text, quoted, strict=True):
        if character in " \t\n\r" or (character.isascii() and character.isprintable()):
            continue
        if (inside and character.isprintable()) or character.isalnum():
            continue
        plain = {"“": '"', "”": '"', "‘": "'", "’": "'", "，": ","}.get(
            character, unicodedata.normalize("NFKC", character).strip()
        )
        hint = f"; write {plain}" if plain and plain.isascii() and plain.isprintable() else ""
        shown = f" {character}" if character.isprintable() else ""
        at = "" if inside else " outside of quotes"
        raise Refused(f"the character{shown} (U+{ord(character):04X}) may not be used{at}{hint}")


def _with_schema_name(node: exp.Expr, schema: Mapping[str, dt.DataType]) -> exp.Expr:
    """Give a column the name that it has in the schema."""
    if not isinstance(node, exp.Column):
        return node
    name = column_name(node, schema)
    plain = name.isascii() and name.isidentifier() and not node.this.args.get("quoted")
    return exp.column(exp.to_identifier(name, quoted=not plain))
