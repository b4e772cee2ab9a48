"""Dates and times in declared forms, read alike by every engine.

Engines spell formats differently, and some refuse a whole query for one bad cell. So a format
becomes a pattern here; its parts are put together in the ISO form, which every engine casts, and
a day that does not exist (2025-02-30) casts to null.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import ibis
import ibis.expr.types as ir

from customerlab.contract import TYPES, Kind
from customerlab.errors import CustomerlabError

_MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)

_HOUR = "(?:[01][0-9]|2[0-3])"
_SHORT_HOUR = "(?:[01]?[0-9]|2[0-3])"
_ISO = (
    "^[1-9][0-9]{3}(-[0-9]{1,2}-|/[0-9]{1,2}/)[0-9]{1,2}"
    f"([ T]{_SHORT_HOUR}:[0-5][0-9](:[0-5][0-9]([.][0-9]{{1,9}})?)?)?$"
)
_ISO_MONTH = "^[1-9][0-9]{3}[-/][0-9]{1,2}$"

_Part = Callable[[str], ir.StringValue]

#: Each directive: its pattern, and the pattern where a leading zero may be missing.
_PARTS: dict[str, tuple[str, str]] = {
    "Y": ("[1-9][0-9]{3}",) * 2,
    "y": ("[0-9]{2}",) * 2,
    "m": ("(?:0[1-9]|1[0-2])", "(?:0?[1-9]|1[0-2])"),
    "d": ("(?:0[1-9]|[12][0-9]|3[01])", "(?:0?[1-9]|[12][0-9]|3[01])"),
    "H": (_HOUR, _SHORT_HOUR),
    "I": ("(?:0[1-9]|1[0-2])", "(?:0?[1-9]|1[0-2])"),
    "M": ("[0-5][0-9]", "[0-5]?[0-9]"),
    "S": ("[0-5][0-9]", "[0-5]?[0-9]"),
    "f": ("[0-9]{1,6}",) * 2,
    "p": ("[AaPp][Mm]",) * 2,
    "b": ("[A-Za-z]{3}",) * 2,
    "B": ("[A-Za-z]{3,9}",) * 2,
}

#: The directives that always take the same room, if they are written in full.
_WIDTHS = {"Y": 4, "y": 2, "m": 2, "d": 2, "H": 2, "M": 2, "S": 2}


def check_format(text: str, kind: Kind, where: str) -> None:
    """Refuse a date format that cannot be read or does not name a whole date.

    Parameters
    ----------
    text : str
        For instance ``%d.%m.%Y %H:%M``.
    kind : str
        The column's kind; a month needs no day.
    where : str
        Begins the message: file and key.
    """
    if kind not in {"date", "timestamp", "month"}:
        raise CustomerlabError(f"{where}: a format is for dates and times, and this is {kind}")
    found = re.findall("%(.?)", text)
    unknown = [f"%{part}" for part in found if part not in {*_PARTS, "%"}]
    if unknown:
        known = " ".join(f"%{part}" for part in _PARTS)
        raise CustomerlabError(f'{where}: {unknown[0]} in "{text}" is unknown; known: {known}')
    parts = [part for part in found if part != "%"]
    kinds = [_ROLE.get(part, part) for part in parts]
    needed = {"year", "month"} if kind == "month" else {"year", "month", "day"}
    missing = sorted(needed - set(kinds))
    if missing or len(set(kinds)) < len(kinds) or ("I" in parts) != ("p" in parts):
        raise CustomerlabError(
            f'{where}: "{text}" must name year, month and day (%Y %m %d) once each, '
            "and %I goes with %p"
        )


_ROLE = {
    **{"Y": "year", "y": "year", "m": "month", "b": "month", "B": "month", "d": "day"},
    **{"H": "hour", "I": "hour"},
}


def read_date(text: ir.StringValue, kind: Kind, formats: Sequence[str] | None) -> ir.Value:
    """Return texts as dates, times or months, null where they are none.

    Parameters
    ----------
    text : text expression
    kind : {"date", "timestamp", "month"}
        The time of day is dropped for a date, the day for a month.
    formats : sequence of str or None
        Tried in this order; left out, the ISO forms and ``%Y/%m/%d``, for months also ``%Y-%m``.
    """
    if formats:
        read = ibis.coalesce(*(in_format(text, kind, form) for form in formats))
    else:
        iso = text.re_search(_ISO).ifelse(text, ibis.null("string"))
        if kind == "month":
            iso = text.re_search(_ISO_MONTH).ifelse(text.concat("-01"), iso)
        read = iso.replace("/", "-").try_cast(TYPES[kind])
    return read.truncate("M") if kind == "month" else read


def in_format(text: ir.StringValue, kind: Kind, form: str) -> ir.Value:
    """Return texts written in the one form `form`, null where they are not."""
    pattern, order = _pattern(form)
    # a text that does not match yields empty parts, and those cast to nothing
    iso = _iso(lambda name: text.re_extract(pattern, order.index(name) + 1), order, kind)
    strict, places = _places(form)
    if strict:  # every part has its full width and its place; taking texts apart is slow
        fixed = _iso(lambda name: text.substr(*places[name]), order, kind)
        as_is = form == "%Y-%m-%d" or (form == "%Y-%m-%d %H:%M:%S" and kind == "timestamp")
        iso = text.re_search(strict).ifelse(text if as_is else fixed, iso)
    return iso.try_cast(TYPES[kind])


def _places(form: str) -> tuple[str, dict[str, tuple[int, int]]]:
    """Return a pattern for parts of full width and where each stands; empty where they vary."""
    pattern, places, start = "", {}, 0
    for piece in re.findall(r"%.|[^%]", form):
        if piece[0] != "%" or piece == "%%":
            pattern += _literal(piece[-1])
            start += 1
        elif piece[1] in _WIDTHS:
            pattern += _PARTS[piece[1]][0] if piece[1] in "YymdH" else "[0-5][0-9]"
            places[piece[1]] = (start, _WIDTHS[piece[1]])
            start += _WIDTHS[piece[1]]
        else:
            return "", {}
    return f"^{pattern}$", places


def _iso(part: _Part, order: Sequence[str], kind: Kind) -> ir.StringValue:
    """Return the ISO form put together from its parts."""
    day = part("d") if "d" in order else ibis.literal("01")
    iso = _year(part, order).concat("-", _month(part, order), "-", day)
    if kind == "timestamp" and {"H", "I"} & set(order):
        iso = iso.concat(" ", _hour(part, order))
        for name in ("M", "S"):
            iso = iso.concat(":", part(name) if name in order else "00")
        if "f" in order:
            iso = iso.concat(".", part("f"))
    return iso


def _pattern(form: str) -> tuple[str, list[str]]:
    """Return a pattern with a group for each part, and the parts in their order."""
    pieces = re.findall(r"%.|[^%]", form)
    pattern, order = "", []
    for i, piece in enumerate(pieces):
        if piece[0] != "%" or piece == "%%":
            pattern += _literal(piece[-1])
            continue
        # 1/2/2025 may lack zeros; in 20250102 every part needs its full width
        beside = [pieces[j] for j in (i - 1, i + 1) if 0 <= j < len(pieces)]
        full = any((p[0] == "%" and p not in {"%%", "%p"}) or p.isdigit() for p in beside)
        pattern += f"({_PARTS[piece[1]][0 if full else 1]})"
        order.append(piece[1])
    return f"^{pattern}$", order


def _literal(letter: str) -> str:
    """Return a pattern for one character of a format that stands for itself."""
    if letter.isalnum():
        return letter
    return f"\\{letter}" if letter in r"\^]" else f"[{letter}]"


def _year(part: _Part, order: Sequence[str]) -> ir.StringValue:
    if "Y" in order:
        return part("Y")
    short = part("y")
    return (short >= "69").ifelse("19", "20").concat(short)  # as POSIX has it


def _month(part: _Part, order: Sequence[str]) -> ir.StringValue:
    if "m" in order:
        return part("m")
    name, letters = ("b", 3) if "b" in order else ("B", None)
    numbers = [(month[:letters], f"{i:02d}") for i, month in enumerate(_MONTHS, 1)]
    return part(name).lower().cases(*numbers, else_="")


def _hour(part: _Part, order: Sequence[str]) -> ir.StringValue:
    if "H" in order:
        return part("H")
    hour = part("I").try_cast("int64") % 12
    return (hour + (part("p").lower() == "pm").ifelse(12, 0)).cast("string")
