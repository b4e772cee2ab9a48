"""Sentences that a stakeholder reads, in English or Chinese, from one catalogue.

A function of the package returns a :class:`Message`: a whole English sentence with named places,
and the values for them. Only a :class:`Words` turns it into text, so that pure functions need
not know the language of the report.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property, lru_cache
from importlib.resources import files
from typing import Any, Literal

from babel.dates import format_date
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po
from babel.numbers import format_decimal, format_percent

Language = Literal["en", "zh"]


@dataclass(frozen=True)
class Message:
    """A sentence with named places and their values, not yet in any language.

    Attributes
    ----------
    text : str
        The English sentence, as a format string: ``"About {count:count} customers leave."``.
    values : Mapping
        What goes into the places. A value may itself be a message.
    """

    text: str
    values: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return ENGLISH(self)

    def __hash__(self) -> int:
        return hash(self.text)  # values need not be hashable; equal messages have equal texts


def say(text: str, /, **values: Any) -> Message:
    """Make a message; `text` must be a literal, for the catalogue is extracted from the code.

    Places take a format: ``{n:customers}`` for a number of customers, which is masked when it is
    too small to be shown, ``{n:count}`` for any other, ``{x:number}`` (``number0`` to
    ``number6`` for fixed decimals), ``{p:percent}`` (``percent0`` to ``percent2``; one decimal
    otherwise),
    ``{m:money}``, ``{p:chance}`` (a p-value), ``{d:date}``; without one the value is put as text.
    """
    return Message(text, values)


@dataclass(frozen=True)
class _Place:
    """A value on its way into a sentence, with the language it goes into."""

    value: Any
    words: Words

    def __format__(self, spec: str) -> str:
        return self.words.format(self.value, spec)


@dataclass(frozen=True)
class Words:
    """Turns messages into text of one language.

    Parameters
    ----------
    language : {"en", "zh"}
    currency : str
        Put after amounts of money, for instance ``CNY``; empty for none.
    min_cell : int
        A number of customers from 1 to ``min_cell - 1`` reads ``<min_cell``.
    """

    language: Language = "en"
    currency: str = ""
    min_cell: int = 1

    def __call__(self, message: Message | str) -> str:
        """Return the text of `message`; a plain string is client data and stays as it is."""
        if isinstance(message, str):
            return message
        places = {name: _Place(value, self) for name, value in message.values.items()}
        return self._sentence(message.text).format(**places)

    def markdown(self, notebook: str, cell_id: str, text: str) -> str:
        """Return the Markdown cell `cell_id` of `notebook` in this language."""
        if self.language == "en":
            return text
        return _translated(_catalog(self.language, "notebooks"), text, f"{notebook}:{cell_id}")

    def format(self, value: Any, spec: str = "") -> str:
        """Return one value as this language writes it; see :func:`say` for `spec`."""
        if isinstance(value, Message):
            return self(value)
        if value is None or (isinstance(value, float) and math.isnan(value)):
            return "–"
        if spec in {"", "text"}:
            return str(value)
        if spec == "date":
            return self._date(value)
        if isinstance(value, str):  # a masked count such as "<10"
            return value
        if isinstance(value, float) and math.isinf(value):
            return "∞" if value > 0 else "-∞"
        if spec == "money":
            # of a hundred thousand nobody asks for the cents
            pattern = "#,##0.00" if abs(value) < 100_000 else "#,##0"
            amount = format_decimal(_exact(value), pattern, locale=self._locale)
            if self.language == "zh" and self.currency == "CNY":
                return f"{amount}元"
            return f"{amount} {self.currency}".rstrip()
        if spec == "customers" and 0 < value < self.min_cell:
            return f"<{self.min_cell}"
        if spec == "chance":  # a p-value: how small is all that matters of a small one
            return "<0.0001" if value < 0.0001 else self.format(value, "number4")
        if spec in {"count", "customers"}:
            return format_decimal(_exact(value), "#,##0", locale=self._locale)
        if spec.startswith("percent"):
            decimals = int(spec.removeprefix("percent") or 1)
            pattern = "#,##0" + ("." + "0" * decimals if decimals else "") + self._percent
            return _unsigned(format_percent(_exact(value), pattern, locale=self._locale))
        if spec.startswith("number"):
            decimals = spec.removeprefix("number")
            pattern = "#,##0." + ("0" * int(decimals) if decimals else "##")
            return _unsigned(
                format_decimal(_exact(value), pattern.rstrip("."), locale=self._locale)
            )
        raise ValueError(f"unknown format {spec!r} in a message")

    @cached_property
    def _locale(self) -> str:
        return {"en": "en", "zh": "zh_Hans_CN"}[self.language]

    @property
    def _percent(self) -> str:
        return {"en": " %", "zh": "%"}[self.language]

    def _date(self, value: dt.date | str) -> str:
        day = dt.date.fromisoformat(value) if isinstance(value, str) else value
        return format_date(day, "long" if self.language == "zh" else "d MMMM y", self._locale)

    def _sentence(self, text: str) -> str:
        if self.language == "en":
            return text
        return _translated(_catalog(self.language, "messages"), text, None)


ENGLISH = Words("en")


def _unsigned(text: str) -> str:
    """Take the sign off a number that rounds to zero."""
    return text if any(digit in text for digit in "123456789") else text.removeprefix("-")


def _exact(value: Any) -> Decimal | int | float:
    # numpy scalars are no numbers to Babel's Decimal
    return value if isinstance(value, (Decimal, int)) else float(value)


def _translated(catalog: Catalog, text: str, context: str | None) -> str:
    found = catalog.get(text, context)
    if found is None or not found.string or found.fuzzy:  # fuzzy: the English changed since
        raise LookupError(f"no {catalog.locale} text for {text!r} ({context or 'messages'})")
    return str(found.string)


@lru_cache
def _catalog(language: str, domain: str) -> Catalog:
    path = files("customerlab") / "locale" / language / f"{domain}.po"
    with path.open("rb") as file:
        return read_po(file, locale=language, abort_invalid=True)


def listed(names: Sequence[Message | str]) -> Message | str:
    """Return the names with commas between them."""
    if len(names) == 1:
        return names[0]
    return say("{first}, {rest}", first=names[0], rest=listed(names[1:]))


def yes_or_no(value: object) -> Message | str:
    """Return a truth value in words; nothing where it is not known."""
    if str(value) in ("None", "nan", "<NA>"):
        return ""
    return say("yes") if value else say("no")
