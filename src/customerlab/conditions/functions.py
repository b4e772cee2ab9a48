"""Casts and functions."""

from __future__ import annotations

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir
from sqlglot import exp

from customerlab.conditions.building import Builder, Entries, Refused, count_of, sql_of
from customerlab.conditions.kinds import (
    TIMESTAMP,
    cast,
    date_literal,
    decimal_type,
    literal_text,
    whole,
)

FUNCTIONS = builds = Entries()


#: Beyond, Ibis and the engines would give more digits than a person can mean.
_MOST_DECIMALS = 15


@builds(exp.Cast, exp.TryCast, args="this to safe")
def _cast(node: exp.Cast, build: Builder) -> ir.Value:
    to = node.args["to"]
    name = to.this.name if isinstance(to, exp.DataType) else ""
    digits = [param.this.this for param in to.expressions] if name == "DECIMAL" else []
    value = build(node.this)
    text = literal_text(value)
    if name in {"DATE", "TIMESTAMP", "TIMESTAMPNTZ"} and text is not None:
        return date_literal(text, "date" if name == "DATE" else "timestamp")
    if name == "DECIMAL" and digits:
        whole_digits, scale = (*(int(digit) for digit in digits), 0)[:2]
        if not 0 <= scale <= whole_digits <= 38 or not whole_digits:
            raise Refused("expected DECIMAL(digits, decimals) of at most 38 digits", node)
        return cast(value, dt.Decimal(whole_digits, scale))
    if name not in _TYPES:
        raise Refused(
            f"{sql_of(to)} is no type to cast to; expected TEXT, INTEGER, DOUBLE, DECIMAL, DATE, "
            "TIMESTAMP or BOOLEAN",
            node,
        )
    return cast(value, _TYPES[name])


_TYPES: dict[str, dt.DataType] = {
    "TEXT": dt.string,
    "VARCHAR": dt.string,
    "INT": dt.int64,
    "BIGINT": dt.int64,
    "DOUBLE": dt.float64,
    "DECIMAL": dt.Decimal(18, 3),
    "DATE": dt.date,
    "TIMESTAMP": TIMESTAMP,
    "TIMESTAMPNTZ": TIMESTAMP,
    "BOOLEAN": dt.boolean,
}


@builds(exp.Coalesce, exp.Least, exp.Greatest, args="this expressions ignore_nulls")
def _chosen(node: exp.Func, build: Builder) -> ir.Value:
    choose = {exp.Coalesce: ibis.coalesce, exp.Least: ibis.least, exp.Greatest: ibis.greatest}
    return choose[type(node)](*build.alike(node.this, *node.expressions))


@builds(exp.Nullif, args="this expression")
def _nullif(node: exp.Nullif, build: Builder) -> ir.Value:
    value, other = build.alike(node.this, node.expression)
    return value.nullif(other)


@builds(exp.Abs)
def _abs(node: exp.Abs, build: Builder) -> ir.Value:
    return build.of_kind(node.this, "number").abs()


@builds(exp.Floor, exp.Ceil)
def _floor_or_ceil(node: exp.Func, build: Builder) -> ir.Value:
    up = isinstance(node, exp.Ceil)
    return whole(build.of_kind(node.this, "number"), lambda x: x.ceil() if up else x.floor())


@builds(exp.Round, args="this decimals")
def _round(node: exp.Round, build: Builder) -> ir.Value:
    value = build.of_kind(node.this, "number")
    decimals = count_of(node.args.get("decimals"), node, 0)
    if decimals == 0:
        return whole(value, lambda x: x.round(0))
    if value.type().is_decimal():
        return value.round(min(decimals, decimal_type(value).scale))
    return value if value.type().is_integer() else value.round(min(decimals, _MOST_DECIMALS))


@builds(exp.Lower, exp.Upper, exp.Length, exp.Trim)
def _of_text(node: exp.Func, build: Builder) -> ir.Value:
    value = build.of_kind(node.this, "text")
    if isinstance(node, exp.Trim):
        # on Spark, strip() of Ibis takes the letters v and f away, too
        return value.re_replace("^ +| +$", "")
    if isinstance(node, exp.Length):
        return value.length().cast(dt.int64)
    return value.lower() if isinstance(node, exp.Lower) else value.upper()


@builds(exp.Substring, args="this start length")
def _substring(node: exp.Substring, build: Builder) -> ir.Value:
    start = count_of(node.args.get("start"), node, 1) - 1
    length = node.args.get("length")
    value = build.of_kind(node.this, "text")
    return value.substr(start, None if length is None else count_of(length, node, 0))


@builds(exp.Left, exp.Right, args="this expression")
def _left_or_right(node: exp.Func, build: Builder) -> ir.Value:
    value, length = build.of_kind(node.this, "text"), count_of(node.expression, node, 0)
    return value.left(length) if isinstance(node, exp.Left) else value.right(length)


@builds(exp.Replace, args="this expression replacement")
def _replace(node: exp.Replace, build: Builder) -> ir.Value:
    old, new = node.expression, node.args.get("replacement") or exp.Literal.string("")
    value, found, put = (build.of_kind(each, "text") for each in (node.this, old, new))
    return value.replace(found, put)


@builds(exp.StartsWith, exp.Contains, args="this expression")
def _has(node: exp.Func, build: Builder) -> ir.Value:
    value, part = (build.of_kind(each, "text") for each in (node.this, node.expression))
    return value.startswith(part) if isinstance(node, exp.StartsWith) else value.contains(part)


@builds(exp.Pad, args="this expression fill_pattern is_left")
def _pad(node: exp.Pad, build: Builder) -> ir.Value:
    fill = node.args.get("fill_pattern") or exp.Literal.string(" ")
    if not node.args.get("is_left") or not fill.is_string or len(fill.this) != 1:
        raise Refused("expected LPAD(text, length, 'one character')", node)
    length = count_of(node.expression, node, 0)
    # padding leaves a longer text alone in Ibis, and cuts it in SQL
    return build.of_kind(node.this, "text").lpad(length, fill.this).left(length)


@builds(exp.Year, exp.Month, exp.Day)
def _date_part(node: exp.Func, build: Builder) -> ir.Value:
    return _part(node.this, node.key, build)


@builds(exp.Extract, args="this expression")
def _extract(node: exp.Extract, build: Builder) -> ir.Value:
    part = node.name.lower()
    if part not in {"year", "month", "day"}:
        raise Refused("expected YEAR, MONTH or DAY to extract", node)
    return _part(node.expression, part, build)


def _part(node: exp.Expr, part: str, build: Builder) -> ir.Value:
    value = build.of_kind(node, "date", "timestamp")
    return getattr(value, part)().cast(dt.int64)
