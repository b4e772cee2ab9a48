"""Values, logic, comparisons, calculation and CASE."""

from __future__ import annotations

import operator

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.operations as ops
import ibis.expr.types as ir
from sqlglot import exp

from customerlab.conditions.building import Builder, Entries, Refused, column_name, sql_of
from customerlab.conditions.kinds import (
    WIDEST,
    common_number,
    decimal_type,
    kind,
    literal_text,
    number_literal,
)

OPERATORS = builds = Entries()


@builds(exp.Paren)
def _paren(node: exp.Paren, build: Builder) -> ir.Value:
    return build(node.this)


@builds(exp.Column)
def _column(node: exp.Column, build: Builder) -> ir.Value:
    return build.table[column_name(node, build.table.columns)]


@builds(exp.Literal, args="this is_string")
def _literal(node: exp.Literal, build: Builder) -> ir.Value:
    return ibis.literal(node.this, dt.string) if node.is_string else number_literal(node.this)


@builds(exp.Boolean)
def _true_or_false(node: exp.Boolean, build: Builder) -> ir.Value:
    return ibis.literal(bool(node.this), dt.boolean)


@builds(exp.Null, args="")
def _null(node: exp.Null, build: Builder) -> ir.Value:
    return ibis.null()


@builds(exp.And, args="this expression")
def _and(node: exp.And, build: Builder) -> ir.Value:
    return build.of_kind(node.left, "boolean") & build.of_kind(node.right, "boolean")


@builds(exp.Or, args="this expression")
def _or(node: exp.Or, build: Builder) -> ir.Value:
    return build.of_kind(node.left, "boolean") | build.of_kind(node.right, "boolean")


@builds(exp.Not)
def _not(node: exp.Not, build: Builder) -> ir.Value:
    return ~build.of_kind(node.this, "boolean")


@builds(exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE, args="this expression")
def _compared(node: exp.Binary, build: Builder) -> ir.Value:
    if exp.Null in (type(node.left), type(node.right)):
        raise Refused("a comparison with NULL is never true; write IS NULL or IS NOT NULL", node)
    left, right = build.alike(node.left, node.right)
    if kind(left) == "boolean" and not isinstance(node, (exp.EQ, exp.NEQ)):
        raise Refused("true and false have no order", node)
    return _COMPARISONS[type(node)](left, right)


_COMPARISONS = {
    exp.EQ: operator.eq,
    exp.NEQ: operator.ne,
    exp.LT: operator.lt,
    exp.LTE: operator.le,
    exp.GT: operator.gt,
    exp.GTE: operator.ge,
}


@builds(exp.Between, args="this low high")
def _between(node: exp.Between, build: Builder) -> ir.Value:
    value, low, high = build.alike(node.this, node.args["low"], node.args["high"])
    return (value >= low) & (value <= high)


@builds(exp.Is, args="this expression")
def _is_null(node: exp.Is, build: Builder) -> ir.Value:
    if not isinstance(node.expression, exp.Null):
        raise Refused("IS may only be followed by NULL or NOT NULL", node)
    return build(node.this).isnull()


@builds(exp.In, args="this expressions")
def _in(node: exp.In, build: Builder) -> ir.Value:
    for item in node.expressions:
        if not isinstance(build(item).op(), ops.Literal) or isinstance(item, exp.Null):
            raise Refused(f"expected values after IN, found {sql_of(item)}", node)
    if not node.expressions:
        raise Refused("expected values after IN, found nothing", node)
    value, *items = build.alike(node.this, *node.expressions)
    return value.isin(items)


@builds(exp.Like, exp.ILike, args="this expression negate")
def _like(node: exp.Like | exp.ILike, build: Builder) -> ir.Value:
    return _liked(node, build, None)


@builds(exp.Escape, args="this expression")
def _escaped(node: exp.Escape, build: Builder) -> ir.Value:
    escape = node.expression.this if isinstance(node.expression, exp.Literal) else ""
    if not isinstance(node.this, (exp.Like, exp.ILike)) or len(escape) != 1:
        raise Refused("expected one character after ESCAPE", node)
    return _liked(node.this, build, escape)


def _liked(node: exp.Like | exp.ILike, build: Builder, escape: str | None) -> ir.Value:
    value = build.of_kind(node.this, "text")
    pattern = literal_text(build(node.expression))
    if pattern is None:
        raise Refused("expected a pattern in quotes after LIKE", node)
    if isinstance(node, exp.ILike):
        value, pattern = value.lower(), pattern.lower()
        escape = escape and escape.lower()
    # engines differ in what a backslash in a pattern means, and Ibis knows no other escape
    if escape is None and "\\" not in pattern:
        met = value.like(pattern)
    else:
        met = value.re_search(_regex(pattern, escape, node))
    return ~met if node.args.get("negate") else met


def _regex(pattern: str, escape: str | None, node: exp.Expr) -> str:
    parts, rest = [], iter(pattern)
    for character in rest:
        if character == escape:
            character = next(rest, "")
            if character not in {"%", "_", escape}:
                raise Refused(f"expected %, _ or {escape} after {escape} in the pattern", node)
            parts.append(f"\\{character}" if character in _SPECIAL else character)
        elif character in "%_":
            parts.append({"%": ".*", "_": "."}[character])
        else:
            parts.append(f"\\{character}" if character in _SPECIAL else character)
    return rf"(?s)\A{''.join(parts)}\z"


_SPECIAL = set("\\.^$|?*+()[]{}")


@builds(exp.Add, exp.Sub, exp.Mul, exp.Mod, args="this expression")
def _calculated(node: exp.Binary, build: Builder) -> ir.Value:
    left, right = (build.of_kind(side, "number") for side in (node.left, node.right))
    common = common_number([left, right])
    if not common.is_decimal():
        left, right = left.cast(common), right.cast(common)
        return _OPERATORS[type(node)](left, right)
    types = [decimal_type(left), decimal_type(right)]
    if isinstance(node, exp.Mul):
        digits = types[0].precision + types[1].precision
        scale = types[0].scale + types[1].scale
        # the larger scale takes the larger precision, or Ibis finds no type for both
        larger = max((0, 1), key=lambda side: (types[side].scale, types[side].precision))
        widest = max(_HUGE, types[0].precision, types[1].precision)
        types[larger] = dt.Decimal(widest, types[larger].scale)
        if scale > WIDEST:
            raise Refused(f"it would have more than {WIDEST} decimals; use CAST AS DOUBLE", node)
    else:
        digits, scale = common.precision + 1, common.scale
        types = [dt.Decimal(max(_HUGE, common.precision), scale)] * 2
    result = _OPERATORS[type(node)](left.cast(types[0]), right.cast(types[1]))
    # Ibis takes the type of a result for that of its inputs
    return result.cast(dt.Decimal(min(digits, WIDEST), scale))


#: With decimals of fewer digits DuckDB calculates in 64 bits, and fails where they do not do.
_HUGE = 19
_OPERATORS = {
    exp.Add: operator.add,
    exp.Sub: operator.sub,
    exp.Mul: operator.mul,
    exp.Mod: lambda left, right: left % right.nullif(0),
}


@builds(exp.Div, args="this expression typed safe")
def _divided(node: exp.Div, build: Builder) -> ir.Value:
    left, right = (build.of_kind(side, "number") for side in (node.left, node.right))
    return left.cast(dt.float64) / right.cast(dt.float64).nullif(0)


@builds(exp.Neg)
def _negative(node: exp.Neg, build: Builder) -> ir.Value:
    value = build.of_kind(node.this, "number")
    op = value.op()
    if isinstance(op, ops.Literal):
        return ibis.literal(-op.value, op.dtype)
    return -(value.cast(dt.int64) if value.type().is_integer() else value)


@builds(exp.DPipe, args="this expression safe")
def _joined(node: exp.DPipe, build: Builder) -> ir.Value:
    return build.of_kind(node.left, "text") + build.of_kind(node.right, "text")


@builds(exp.Case, args="this ifs default")
def _case(node: exp.Case, build: Builder) -> ir.Value:
    ifs = node.args["ifs"]
    results = [branch.args["true"] for branch in ifs]
    *values, default = build.alike(*results, node.args.get("default") or exp.Null())
    conditions = []
    for branch in ifs:
        if node.this is None:
            conditions.append(build.of_kind(branch.this, "boolean"))
        else:
            conditions.append(operator.eq(*build.alike(node.this, branch.this)))
    return ibis.cases(*zip(conditions, values, strict=True), else_=default)
