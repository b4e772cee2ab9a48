"""In what unit an effect is told: percentage points of a share, money, or the outcome's own."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from customerlab.messages import Message, Words, say
from customerlab.plots.panels import decimals


@dataclass(frozen=True)
class Unit:
    """A unit, and how its numbers are written.

    Attributes
    ----------
    kind : {"points", "money", "own"}
    factor : float
        What a number of the table is multiplied with to be in this unit.
    """

    kind: Literal["points", "money", "own"]
    factor: float = 1.0

    def tell(self, value: float, words: Words) -> Message | str:
        """Return a number, already in this unit, with the unit's name."""
        if self.kind == "points":
            size = abs(value)
            spec = "number1" if size >= 1 else "number2" if size >= 0.1 else decimals(size)
            text = words.format(value, spec)
            return say("{value} percentage points", value=text)
        if self.kind == "money":
            return words.format(value, "money")
        return words.format(value, decimals(abs(value)))

    def effect_in(self, words: Words) -> Message:
        """Return the title of an axis of effects."""
        if self.kind == "points":
            return say("Effect, in percentage points")
        if self.kind == "money" and words.currency:
            return say("Effect, in {currency}", currency=words.currency)
        return say("Effect, in the outcome's own unit")

    def spec(self, numbers: Iterable[float]) -> str:
        """Return the format in which all these numbers, in this unit, are written alike."""
        largest = max((abs(x) for x in numbers if math.isfinite(x)), default=0.0)
        if self.kind == "money":
            return "number2" if largest < 1000 else "number0"
        return decimals(largest)


def tell_range(numbers: Sequence[float], spec: str, words: Words) -> Message | str:
    """Return a number and the interval that it may have, without the unit's name."""
    value, low, high = (words.format(x, spec) for x in numbers)
    if all(math.isfinite(x) for x in numbers):
        return say("{value} [{low}, {high}]", value=value, low=low, high=high)
    return value


def unit_of(table: pd.DataFrame) -> Unit:
    """Return the unit of effects: points if all are ``binary``, money if all are ``money``.

    Both columns are truth values and may be left out.
    """
    if "binary" in table and len(table) and table["binary"].astype(bool).all():
        return Unit("points", 100.0)
    if "money" in table and len(table) and table["money"].astype(bool).all():
        return Unit("money")
    return Unit("own")


def headed(title: Message, table: pd.DataFrame) -> Message:
    """Put what a figure is of before its title: the column ``of``, where it is there."""
    if "of" not in table or not len(table):
        return title
    return say("{of}: {title}", of=table["of"].iloc[0], title=title)


def without_few(subtitle: Message, left_out: int) -> Message:
    """Add to a subtitle how many rows are not drawn, if any."""
    if not left_out:
        return subtitle
    return say(
        "{subtitle}. Not drawn, for too few customers: {count:count}",
        subtitle=subtitle,
        count=left_out,
    )


@dataclass(frozen=True)
class Scale:
    """In what unit large amounts of money are written, so that their numbers stay short.

    Attributes
    ----------
    size : float
        What amounts are divided by.
    unit : Message or str
        Its name with that of the currency; empty where neither has one.
    """

    size: float
    unit: Message | str

    def of(self, what: Message) -> Message:
        """Return the title of an axis."""
        return say("{what}, in {unit}", what=what, unit=self.unit) if self.unit else what

    def number(self, amount: float, words: Words) -> str:
        """Return an amount in three digits, without its unit."""
        value = amount / self.size
        digits = 2 if abs(value) < 10 else 1 if abs(value) < 100 else 0
        return words.format(value, f"number{digits}")

    def tell(self, amount: float, words: Words) -> Message | str:
        """Return an amount in three digits, with its unit."""
        number = self.number(amount, words)
        return say("{value} {unit}", value=number, unit=self.unit) if self.unit else number


def money_scale(amounts: Iterable[float], words: Words) -> Scale:
    """Return the scale on which the largest of these amounts has few digits."""
    largest = max((abs(x) for x in amounts if math.isfinite(x)), default=0.0)
    if words.language == "zh":  # counts in ten thousands and hundred millions
        currency = "元" if words.currency == "CNY" else words.currency
        units = ((1e8, f"亿{currency}"), (1e4, f"万{currency}"))
    else:
        currency = words.currency
        units = (
            (1e6, say("million {currency}", currency=currency) if currency else say("millions")),
            (1e3, say("thousand {currency}", currency=currency) if currency else say("thousands")),
        )
    for size, unit in units:
        if largest >= 2 * size:
            return Scale(size, unit)
    return Scale(1.0, currency)
