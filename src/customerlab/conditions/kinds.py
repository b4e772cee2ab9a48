"""What kinds of value there are in an expression, and how values become alike."""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Callable, Sequence
from decimal import Decimal

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.operations as ops
import ibis.expr.types as ir

TIMESTAMP = dt.Timestamp(scale=6)
WIDEST = 38

_DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_TIME = r"[0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]{1,6})?)?"
_NUMBER = r"[+-]?([0-9]+([.][0-9]*)?|[.][0-9]+)"
#: What a text has to look like to become a value. Engines accept more, each something else.
_WRITTEN = {
    "whole number": "^ *[+-]?[0-9]+ *$",
    "decimal": rf"^ *{_NUMBER} *$",
    "float": rf"^ *{_NUMBER}([eE][+-]?[0-9]{{1,2}})? *$",
    "date": rf"^ *{_DATE} *$",
    "timestamp": rf"^ *{_DATE}([ T]{_TIME})? *$",
}
_WORDS = {
    "text": "text",
    "number": "a number",
    "boolean": "true or false",
    "date": "a date",
    "timestamp": "a date with time",
    "null": "null",
}
_CASTS = {"number": "DOUBLE", "date": "DATE", "timestamp": "TIMESTAMP", "boolean": "BOOLEAN"}


class Unlike(Exception):
    """Two values that cannot be compared or chosen between."""


def kind(value: ir.Value) -> str:
    """Return the kind of `value`: text, number, boolean, date, timestamp, null, or its type."""
    of = value.type()
    if of.is_string():
        return "text"
    if of.is_numeric() and not of.is_boolean():
        return "number"
    return str(of).lstrip("!").partition("(")[0]


def in_words(of: str) -> str:
    """Return a kind for a message: ``a number``."""
    return _WORDS.get(of, f"of type {of}")


def cure(name: str, found: str, expected: str) -> str:
    """Return a hint how the `found` kind becomes the `expected`, or nothing."""
    if found == "text" and expected in _CASTS:
        return f"; write CAST({name} AS {_CASTS[expected]})"
    if found != "text" and expected == "text":
        return f"; write CAST({name} AS TEXT)"
    return ""


def literal_text(value: ir.Value) -> str | None:
    """Return the text of a literal text, and None for everything else."""
    op = value.op()
    if isinstance(op, ops.Literal) and op.dtype.is_string():
        return str(op.value)
    return None


def date_literal(text: str, of: str) -> ir.Value:
    """Return the date or timestamp (`of`) that an ISO `text` names."""
    try:
        if of == "date":
            if not re.fullmatch(_DATE, text):
                raise ValueError(text)
            return ibis.literal(datetime.date.fromisoformat(text), dt.date)
        if not re.fullmatch(f"{_DATE}([ T]{_TIME})?", text):
            raise ValueError(text)
        return ibis.literal(datetime.datetime.fromisoformat(text), TIMESTAMP)
    except ValueError:
        example = "2025-01-31" if of == "date" else "2025-01-31 10:00:00"
        raise Unlike(f"'{text}' is not {_WORDS[of]} such as '{example}'") from None


def number_literal(text: str) -> ir.Value:
    """Return the exact value of a number as written: whole, decimal, or (with e) floating."""
    if "e" in text.lower():
        if math.isinf(float(text)):
            raise Unlike(f"{text} is too large a number")
        return ibis.literal(float(text), dt.float64)
    exact = Decimal(text)
    if exact == exact.to_integral_value() and "." not in text:
        if abs(exact) < 2**63:
            return ibis.literal(int(exact), dt.int64)
        if len(text) <= WIDEST:
            return ibis.literal(exact, dt.Decimal(WIDEST, 0))
        raise Unlike(f"{text} is longer than {WIDEST} digits")
    whole, _, fraction = text.partition(".")
    digits = len(whole.lstrip("0")) + len(fraction)
    if digits > WIDEST:
        raise Unlike(f"{text} is longer than {WIDEST} digits")
    return ibis.literal(exact, dt.Decimal(max(digits, len(fraction), 1), len(fraction)))


def decimal_type(value: ir.Value) -> dt.Decimal:
    """Return a decimal type that holds the whole number or decimal `value`."""
    of = value.type()
    if of.is_decimal():
        return dt.Decimal(of.precision or WIDEST, of.scale or 0)
    op = value.op()
    if isinstance(op, ops.Literal):
        return dt.Decimal(max(len(str(abs(op.value))), 1), 0)
    return dt.Decimal(19, 0)


def alike(values: Sequence[ir.Value], names: Sequence[str]) -> list[ir.Value]:
    """Return `values`, all of one kind and numbers of one type; nulls take that type, too.

    Raises
    ------
    Unlike
        When they are of different kinds; `names` stand for them in the message.
    """
    kinds = {kind(value) for value in values} - {"null"}
    if not kinds:
        raise Unlike(f"{' and '.join(names)} are all null")
    for of in kinds - set(_WORDS):
        raise Unlike(f"values of type {of} cannot be used")
    moments = kinds & {"date", "timestamp"}
    if moments and kinds <= {"date", "timestamp", "text"}:
        literals = [literal_text(value) for value in values]
        if all(
            kind(v) != "text" or text is not None for v, text in zip(values, literals, strict=True)
        ):
            with_time = moments == {"timestamp"} or len(moments) == 2
            # '2025-01-31 10:00' beside a date makes both a time
            with_time |= any(text is not None and len(text) > 10 for text in literals)
            of = "timestamp" if with_time else "date"
            values = [
                value if text is None else date_literal(text, of)
                for value, text in zip(values, literals, strict=True)
            ]
            return [_cast(value, TIMESTAMP if with_time else dt.date) for value in values]
    if len(kinds) > 1:
        found = [kind(value) for value in values]
        one = next(i for i, of in enumerate(found) if of != "null")
        two = next(i for i, of in enumerate(found) if of not in {"null", found[one]})
        hint = f"; write {names[one]}, or NOT {names[one]}" * (found[one] == "boolean")
        raise Unlike(
            f"{names[one]} is {in_words(found[one])} and {names[two]} is {in_words(found[two])}"
            f"{hint or cure(names[one], found[one], found[two])}"
        )
    if kinds == {"number"}:
        common = common_number(values)
    else:
        common = next(value.type() for value in values if not value.type().is_null())
    return [_cast(value, common) for value in values]


def _cast(value: ir.Value, to: dt.DataType) -> ir.Value:
    op = value.op()
    if value.type().is_null():
        return ibis.literal(None, to)
    if isinstance(op, ops.Literal) and to.is_floating():
        return ibis.literal(float(op.value), to)
    return value if value.type().copy(nullable=True) == to.copy(nullable=True) else value.cast(to)


def common_number(values: Sequence[ir.Value]) -> dt.DataType:
    """Return the number type that holds all numbers among `values` (floating if one is)."""
    numbers = [value for value in values if kind(value) == "number"]
    if any(value.type().is_floating() for value in numbers):
        return dt.float64
    if not any(value.type().is_decimal() for value in numbers):
        return dt.int64
    types = [decimal_type(value) for value in numbers]
    scale = max(of.scale for of in types)
    whole = max(of.precision - of.scale for of in types)
    return dt.Decimal(min(whole + scale, WIDEST), scale)


def cast(value: ir.Value, to: dt.DataType) -> ir.Value:
    """Return `value` as `to`, null where it is none; the same on every engine.

    Raises
    ------
    Unlike
        From a kind that does not become this one.
    """
    of = kind(value)
    target = kind(ibis.literal(None, to))
    if of == "null" or of == target != "number":
        return value.cast(to)
    if of == "text":
        return _from_text(value, to, target)
    if target == "text":
        return value.cast(to)
    if target == "number" and of == "number":
        if to.is_integer() and not value.type().is_integer():
            return whole(value, lambda x: x.round(0)).try_cast(to)
        return value.try_cast(to)
    if (target == "number" and of == "boolean") or {of, target} == {"date", "timestamp"}:
        return value.cast(to)
    if target == "boolean" and of == "number":
        return value != 0
    raise Unlike(f"{in_words(of)} does not become {_WORDS[target]}")


def _from_text(value: ir.Value, to: dt.DataType, target: str) -> ir.Value:
    if target == "boolean":
        word = value.lower()
        return ibis.cases(
            (word.isin(["true", "t", "yes", "y", "1"]), True),
            (word.isin(["false", "f", "no", "n", "0"]), False),
            else_=ibis.literal(None, dt.boolean),
        )
    if target == "number":
        target = "float" if to.is_floating() else "decimal" if to.is_decimal() else "whole number"
    plain = ibis.ifelse(value.re_search(_WRITTEN[target]), value, ibis.literal(None, dt.string))
    return plain.try_cast(to)


def whole(value: ir.Value, rounded: Callable[[ir.Value], ir.Value]) -> ir.Value:
    """Return `rounded` of a number, still of the number's type.

    Ibis makes 64-bit integers of rounded floats, which fails for infinity and the like.
    """
    if value.type().is_integer():
        return value
    if value.type().is_decimal():
        of = decimal_type(value)  # 9.9 becomes 10, a digit more
        return rounded(value.cast(dt.Decimal(min(of.precision + 1, WIDEST), of.scale)))
    return ibis.ifelse(value.abs() < 9e15, rounded(value).cast(dt.float64), value)
