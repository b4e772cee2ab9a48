"""Texts, and typed values of Parquet files, to the kinds of the contract.

A value that cannot be read becomes null here; the caller compares with what was there and sets
the row aside. Only exact forms are accepted, by pattern first: engines differ in what their
casts let through (``0x10``, ``1_000``, ``24:00:00``, ``nan``).
"""

from __future__ import annotations

from collections.abc import Sequence

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir

from customerlab.cleaning.dates import read_date
from customerlab.contract import TYPES, Kind
from customerlab.messages import Message, say

#: What each kind is called where a cell could not be read as one.
KIND_WORDS: dict[Kind, Message] = {
    "text": say("text"),
    "date": say("a date"),
    "timestamp": say("a time"),
    "month": say("a month"),
    "amount": say("an amount"),
    "number": say("a number"),
    "integer": say("a whole number"),
    "boolean": say("yes or no"),
}

# so many digits, and so small an exponent, that no float overflows
_PLAIN = "([0-9]{1,30}[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]{1,2})?"
_GROUPED = "[0-9]{1,3}(,[0-9]{3})+"
_NUMBER = f"^[+-]?({_PLAIN}|{_GROUPED}([.][0-9]+)?)$"
_INTEGER = f"^[+-]?([0-9]{{1,18}}|{_GROUPED})([.]0*)?$"
_TRUE = ("true", "t", "yes", "y", "1", "是")
_FALSE = ("false", "f", "no", "n", "0", "否")
#: The kinds whose text may have thousands separators.
SEPARATED = ("amount", "number", "integer")
#: Beyond it a float does not hold every whole number.
_EXACT = 2**53


def kind_of(dtype: dt.DataType) -> Kind:
    """Return the kind of a typed column that the contract does not list."""
    if dtype.is_floating():
        return "number"
    if dtype.is_decimal():
        return "amount"
    names: dict[str, Kind] = {"integer": "integer", "boolean": "boolean", "date": "date"}
    names["timestamp"] = "timestamp"
    return next((kind for name, kind in names.items() if getattr(dtype, f"is_{name}")()), "text")


def as_text(value: ir.Value) -> ir.StringValue:
    """Return a value as text; a whole number held as a float is written without ``.0``.

    Files made by pandas hold ids as floats when one of them is missing.
    """
    if value.type().is_string():
        return value
    if value.type().is_floating():
        whole = (value == value.floor()) & (value.abs() < _EXACT)
        text = whole.ifelse(value.try_cast("int64").cast("string"), value.cast("string"))
        return _is_finite(value).ifelse(text, ibis.null("string"))
    return value.cast("string")


def read(value: ir.Value, kind: Kind, formats: Sequence[str] | None = None) -> ir.Value:
    """Return `value` as `kind`, null where it cannot be read.

    Parameters
    ----------
    value : expression
        Repaired text, or a typed column.
    kind : str
    formats : sequence of str, optional
        For dates, times and months: forms such as ``%d.%m.%Y``, tried in order.
    """
    given = value.type()
    if kind == "text":
        return as_text(value)
    if kind in {"date", "timestamp", "month"}:
        if given.is_temporal() and not given.is_time():
            day = value.cast(TYPES[kind])
            return day.truncate("M") if kind == "month" else day
        return read_date(as_text(value), kind, formats)
    if kind == "boolean":
        return value if given.is_boolean() else _read_boolean(as_text(value))
    if given.is_string():
        pattern = _INTEGER if kind == "integer" else _NUMBER
        digits = value.contains(",").ifelse(value.replace(",", ""), value)
        digits = value.re_search(pattern).ifelse(digits, ibis.null("string"))
        if kind == "integer":
            # through an exact decimal: engines differ on "12.0" as a whole number
            return digits.try_cast(dt.Decimal(38, 4)).try_cast(dt.int64)
        return digits.try_cast(TYPES[kind])
    if given.is_boolean():
        return value.cast("int64").cast(TYPES[kind])
    if not given.is_numeric():
        return ibis.null(TYPES[kind])
    number = _finite(value) if given.is_floating() else value
    if kind == "integer" and not given.is_integer():
        number = (number == number.floor()).ifelse(number, ibis.null(number.type()))
    return number.try_cast(TYPES[kind])


def exact_product(left: ir.NumericValue, right: ir.NumericValue) -> ir.DecimalValue:
    """Return a product as an amount, rounded to its four places; null where it is too large."""
    amount = TYPES["amount"]
    near = (left.cast("float64") * right.cast("float64")).abs() < 10**9
    a, b = left.try_cast(amount), right.try_cast(amount)
    # Ibis takes a product for four places and would leave out the cast, so it is told the eight.
    # The wide form holds every product but is a hundred times slower, so it is for large ones.
    narrow = (a * b).cast(dt.Decimal(18, 8)).cast(amount)
    wide = (a.cast(dt.Decimal(38, 4)) * b).cast(dt.Decimal(38, 8)).try_cast(amount)
    return near.ifelse(narrow, wide)


def _read_boolean(text: ir.StringValue) -> ir.BooleanValue:
    lower = text.lower()
    return ibis.cases(
        (lower.isin(_TRUE), True), (lower.isin(_FALSE), False), else_=ibis.null("boolean")
    )


def _is_finite(value: ir.NumericValue) -> ir.BooleanValue:
    return value - value == 0  # what is left of infinity and of NaN is NaN


def _finite(value: ir.NumericValue) -> ir.NumericValue:
    return _is_finite(value).ifelse(value, ibis.null(value.type()))
