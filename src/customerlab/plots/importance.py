"""Where to work: drivers by how much they weigh and how well they are rated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from customerlab.drivers.importance import QUADRANT_NAMES
from customerlab.messages import ENGLISH, Message, Words, say
from customerlab.plots.chart import (
    ACCENT,
    INK,
    RULE,
    SOFT,
    TINTS,
    WARN,
    Canvas,
    Chart,
    draw,
    text_width,
)
from customerlab.plots.drivers import draw_nothing, round_ticks
from customerlab.plots.rows import dot

_LINE = 19
#: The corner of each quadrant: at the right, at the bottom.
_CORNERS = {
    "concentrate_here": (False, False),
    "keep_up": (True, False),
    "low_priority": (False, True),
    "possible_overkill": (True, True),
}


def importance_map(
    table: pd.DataFrame,
    words: Words = ENGLISH,
    *,
    segment: Message | str | None = None,
    title: Message | str | None = None,
) -> Chart:
    """Draw drivers by performance (across) and weight (up), in four named quadrants.

    Parameters
    ----------
    table : DataFrame
        From :func:`customerlab.drivers.importance.map_to_show`.
    words : Words
    segment : Message or str, optional
        Of which segment; the first, all customers, when left out. The quadrants part at the means
        of the first.
    title : Message or str, optional

    Returns
    -------
    Chart
        Names stand beside the dots; where there is no room, as on a phone, numbers do, with the
        names below.
    """
    whole = table[table["segment"] == table["segment"].iloc[0]] if len(table) else table
    split = (float(whole["performance"].mean()), float(whole["weight"].mean()))
    shown = whole if segment is None else table[table["segment"] == segment]
    shown = shown.sort_values("weight", ascending=False, kind="stable", ignore_index=True)
    urgent = shown[[one == QUADRANT_NAMES["concentrate_here"] for one in shown["quadrant"]]]

    def paint(canvas: Canvas) -> None:
        if shown.empty:
            return draw_nothing(canvas)
        left, top, height = 46, _LINE + 8, 300 if canvas.narrow else 400
        frame = _Box(left, top, canvas.width - 10, top + height)
        plane = _Plane(frame, *_limits(shown, split))
        names = [] if canvas.narrow else [canvas.labels(name) for name in shown["driver"]]
        placed = _place(names, plane, shown, split, canvas)
        listed: list[list[str]] = []
        if placed is None:  # a number at each dot, and the names below
            names = [f"{i}" for i in range(1, len(shown) + 1)]
            placed = _place(names, plane, shown, split, canvas, anywhere=True)
            rows = zip(names, shown["driver"], strict=True)
            listed = [
                canvas.lines(say("{number}  {name}", number=i, name=name), canvas.width)
                for i, name in rows
            ]
        under = frame.bottom + 26 + _LINE
        canvas.grow_to(under + (8 + _LINE * sum(map(len, listed)) if listed else 4))
        axes = _frame(canvas, plane, split, words)
        sheet = canvas.sheet()
        _write(sheet, 0, _LINE / 2, canvas.labels(say("Weight")), color=SOFT)
        rating = canvas.labels(say("Rating, from 0 (worst) to 100 (best)"))
        _write(sheet, left, under - _LINE / 2 + 4, rating, color=SOFT)
        for text, box, side in _corner_names(canvas, frame):
            _write(sheet, *box.at(side), text, ha=side, color=SOFT)
        for row, text, box in zip(shown.itertuples(), names, placed, strict=True):
            x, y = plane.at(row.performance, row.weight)
            urgent_one = row.quadrant == QUADRANT_NAMES["concentrate_here"]
            dot(axes, row.performance, row.weight, color=WARN if urgent_one else ACCENT, size=9)
            side = "left" if box.left >= x else "right" if box.right <= x else "center"
            if box.far(x, y):
                sheet.plot([x, box.at(side)[0]], [y, box.at(side)[1]], color=SOFT, lw=0.8)
            _write(sheet, *box.at(side), text, ha=side)
        for at, line in enumerate(line for lines in listed for line in lines):
            _write(sheet, 0, under + 8 + (at + 0.5) * _LINE, line)

    return draw(
        paint,
        words,
        title=title or _map_title(urgent, shown),
        subtitle=say(
            "Higher: weighs more. Further right: rated better. The lines are the means over the "
            "drivers"
        ),
        alt=say(
            "Points in four quadrants: {points}.",
            points=words(say("; ")).join(
                words(
                    say(
                        "{name}: weight {weight:percent0}, rating {rating:number0}, {quadrant}",
                        name=row.driver,
                        weight=row.weight,
                        rating=row.performance,
                        quadrant=row.quadrant,
                    )
                )
                for row in shown.itertuples()
            )
            or words(say("none")),
        ),
    )


@dataclass(frozen=True)
class _Box:
    """A part of the drawing, in pixels counted downwards."""

    left: float
    top: float
    right: float
    bottom: float

    def meets(self, other: _Box) -> bool:
        return (
            self.left < other.right
            and other.left < self.right
            and self.top < other.bottom
            and other.top < self.bottom
        )

    def holds(self, other: _Box) -> bool:
        return (
            self.left <= other.left
            and other.right <= self.right
            and self.top <= other.top
            and other.bottom <= self.bottom
        )

    def at(self, side: str) -> tuple[float, float]:
        """Return where a text begins that is set from this side."""
        x = {"left": self.left, "right": self.right, "center": (self.left + self.right) / 2}
        return x[side], (self.top + self.bottom) / 2

    def far(self, x: float, y: float) -> bool:
        """Whether a text in it is too far from a point to be told to belong to it."""
        aside = max(self.left - x, x - self.right, 0)
        return bool(np.hypot(aside, self.at("left")[1] - y) > 24)


@dataclass(frozen=True)
class _Plane:
    """Where numbers lie in the drawing."""

    frame: _Box
    x: tuple[float, float]
    y: tuple[float, float]

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Return the pixel of a point."""
        across = (x - self.x[0]) / (self.x[1] - self.x[0])
        up = (y - self.y[0]) / (self.y[1] - self.y[0])
        return (
            self.frame.left + across * (self.frame.right - self.frame.left),
            self.frame.bottom - up * (self.frame.bottom - self.frame.top),
        )


def _limits(
    shown: pd.DataFrame, split: tuple[float, float]
) -> tuple[tuple[float, float], tuple[float, float]]:
    x, y = np.append(shown["performance"], split[0]), np.append(shown["weight"], split[1])
    reach = max(float(np.ptp(x)) * 0.18, 4.0)
    # room for the quadrants' names, above all dots and below
    top = float(y.max()) + max(float(np.ptp(y)) * 0.22, 0.02)
    across = max(float(x.min()) - reach, -3.0), min(float(x.max()) + reach, 103.0)
    return across, (-0.1 * float(y.max()), top)


def _frame(canvas: Canvas, plane: _Plane, split: tuple[float, float], words: Words) -> Axes:
    """Draw ticks and the lines that part the quadrants, and tint the one to work on."""
    box, (left, right), (bottom, top) = plane.frame, plane.x, plane.y
    axes = canvas.axes(box.left, box.top, box.right - box.left, box.bottom - box.top)
    axes.set(xlim=(left, right), ylim=(bottom, top))
    axes.fill_between([left, split[0]], split[1], top, color=TINTS[3], alpha=0.6, lw=0)
    axes.axvline(split[0], color=SOFT, lw=1.2)
    axes.axhline(split[1], color=SOFT, lw=1.2)
    at = [tick for tick in round_ticks(left, right) if 0 <= tick <= 100]
    axes.set_xticks(at, labels=[canvas.labels(words.format(tick, "number")) for tick in at])
    at = round_ticks(0, top)
    axes.set_yticks(at, labels=[canvas.labels(words.format(tick, "percent0")) for tick in at])
    axes.grid(color=RULE, lw=0.6)
    return axes


def _corner_names(canvas: Canvas, frame: _Box) -> list[tuple[str, _Box, str]]:
    """Return the quadrants' names with their places, and from which side they are set."""
    names = []
    for quadrant, (right, low) in _CORNERS.items():
        text = canvas.labels(QUADRANT_NAMES[quadrant])
        x = frame.right - 6 - text_width(text) if right else frame.left + 6
        y = frame.bottom - 12 if low else frame.top + 12
        box = _Box(x, y - 10, x + text_width(text), y + 10)
        names.append((text, box, "right" if right else "left"))
    return names


def _place(
    texts: Sequence[str],
    plane: _Plane,
    shown: pd.DataFrame,
    split: tuple[float, float],
    canvas: Canvas,
    *,
    anywhere: bool = False,
) -> list[_Box] | None:
    """Return a free place near the dot of each text; None where some text finds none near."""
    if not texts:
        return None
    frame, (x, y) = plane.frame, plane.at(*split)
    lines = [
        _Box(x - 1, frame.top, x + 1, frame.bottom),
        _Box(frame.left, y - 1, frame.right, y + 1),
    ]
    dots = [plane.at(row.performance, row.weight) for row in shown.itertuples()]
    taken = [box for _, box, _ in _corner_names(canvas, frame)]
    taken += [_Box(x - 6, y - 6, x + 6, y + 6) for x, y in dots]
    placed = []
    for text, (x, y) in zip(texts, dots, strict=True):
        around = [box for box in _around(x, y, text_width(text)) if frame.holds(box)]
        free = [box for box in around if not any(box.meets(other) for other in taken)]
        near = [box for box in free if not box.far(x, y)]
        clear = [box for box in near if not any(box.meets(line) for line in lines)]
        if not (near or anywhere):
            return None
        placed.append((clear or near or free or around)[0])
        taken.append(placed[-1])
    return placed


def _around(x: float, y: float, width: float) -> list[_Box]:
    """Return places for a text around a point, the nearest first."""
    half, high = width / 2, 9.0
    near = [(half + 10, 0.0), (-half - 10, 0.0), (0.0, -17.0), (0.0, 17.0)]
    aside = [sign * (half + 10 + away) for sign in (1, -1) for away in range(0, 61, 10)]
    far = sorted(
        product([*aside, half / 2, -half / 2, 0.0], range(-100, 101, 5)),
        key=lambda shift: np.hypot(max(abs(shift[0]) - half, 0), shift[1]),
    )
    return [
        _Box(x + dx - half, y + dy - high, x + dx + half, y + dy + high) for dx, dy in [*near, *far]
    ]


def _write(
    sheet: Axes, x: float, y: float, text: str, *, ha: str = "left", color: str = INK
) -> None:
    sheet.text(x, y, text, ha=ha, va="center_baseline", color=color)


def _map_title(urgent: pd.DataFrame, shown: pd.DataFrame) -> Message:
    if shown.empty:
        return say("No weights, so no map of what to work on.")
    if urgent.empty:
        return say("No driver of much weight is rated below the mean.")
    if len(urgent) == 1:
        return say(
            "“{driver}” weighs much and is rated below the mean.", driver=urgent["driver"].iloc[0]
        )
    return say(
        "{count:count} drivers weigh much and are rated below the mean, first of them “{driver}”.",
        count=len(urgent),
        driver=urgent["driver"].iloc[0],
    )
