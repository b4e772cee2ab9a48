"""Panels of estimates with their intervals, one below the other, each with an axis of its own."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from customerlab.messages import Message, Words, say
from customerlab.plots.chart import ACCENT, INK, RULE, SOFT, TINTS, WARN, Canvas, text_width
from customerlab.plots.drivers import draw_nothing, round_ticks
from customerlab.plots.rows import Row, lay_rows

_LINE = 19
_HIGH = 26  # what the marks of one row share, in pixels


@dataclass(frozen=True)
class Pen:
    """How a kind of estimate is marked: shape and filling are told apart in grey."""

    color: str
    marker: str = "o"
    hollow: bool = False


#: The estimate to look at, and the one beside it.
MAIN, BESIDE = Pen(ACCENT), Pen(SOFT, hollow=True)
#: Marks of kinds that stand on one footing.
PENS = (MAIN, Pen(WARN, "s", hollow=True), Pen(INK, "D"), Pen(SOFT, "^", hollow=True))


@dataclass(frozen=True)
class Mark:
    """An estimate with its interval, missing where there is none."""

    value: float
    low: float = math.nan
    high: float = math.nan
    pen: Pen = MAIN

    def ends(self) -> list[float]:
        """Return the numbers that are known."""
        return [x for x in (self.value, self.low, self.high) if math.isfinite(x)]


@dataclass(frozen=True)
class Line:
    """One row of a panel; `bar` is the colour of a bar from 0 to the first mark, if it has one."""

    name: Message | str
    marks: tuple[Mark, ...]
    value: Message | str = ""
    bar: str = ""


@dataclass(frozen=True)
class Panel:
    """Rows over one axis.

    Attributes
    ----------
    heading : Message or str
        What the axis measures, with its unit.
    lines : sequence of Line
    within : tuple of float
        Shown on the axis whatever the marks are.
    band : float
        From minus to plus this much is tinted; 0 for none.
    dashed : float
        Dashed lines stand at minus and plus this much; 0 for none.
    """

    heading: Message | str
    lines: Sequence[Line]
    within: tuple[float, ...] = (0.0,)
    band: float = 0.0
    dashed: float = 0.0

    def limits(self) -> tuple[float, float]:
        """Return the ends of the axis."""
        ends = [x for line in self.lines for mark in line.marks for x in mark.ends()]
        ends += [*self.within, *(sign * x for x in (self.band, self.dashed) for sign in (1, -1))]
        low, high = min(ends), max(ends)
        room = 0.04 * (high - low) or 1.0
        return low - room, high + room


def known_rows(table: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """Return the rows whose `columns` are numbers, as numbers: hidden ones are left out."""
    numbers = table[list(columns)].apply(pd.to_numeric, errors="coerce")
    kept = numbers.notna().all(axis=1)
    return table[kept].assign(**{name: numbers.loc[kept, name].astype(float) for name in columns})


def decimals(span: float) -> str:
    """Return the format that tells numbers apart that spread so far: three digits of the span."""
    if not (math.isfinite(span) and span > 0):
        return "number2"
    return f"number{min(max(2 - math.floor(math.log10(span)), 0), 6)}"


def ticks_that_fit(
    low: float, high: float, width: float, words: Words, spec: str = ""
) -> list[tuple[float, str]]:
    """Return round numbers with their texts, so few that none meets another."""
    ticks = round_ticks(low, high)
    while True:
        step = ticks[1] - ticks[0] if len(ticks) > 1 else 1.0
        digits = min(max(-math.floor(math.log10(step) + 1e-9), 0), 6)
        texts = [words.format(tick, spec or f"number{digits}") for tick in ticks]
        if sum(text_width(text) + 14 for text in texts) <= width or len(ticks) < 3:
            return list(zip(ticks, texts, strict=True))
        # every other one, 0 among them where there is one
        ticks = ticks[(ticks.index(0) if 0 in ticks else 0) % 2 :: 2]


def paint_panels(
    canvas: Canvas, panels: Sequence[Panel], legend: Sequence[tuple[Pen, Message | str]] = ()
) -> None:
    """Draw panels with a line at 0, and above them what the marks mean."""
    panels = [panel for panel in panels if panel.lines]
    if not panels:
        return draw_nothing(canvas)
    rows: list[Row] = []
    for panel in panels:
        rows += [Row(panel.heading, heading=True)]
        rows += [Row(line.name, line.value) for line in panel.lines]
        rows += [Row("", heading=True)]  # the numbers of the axis
    places = list(_legend_places(canvas, legend))
    top = places[-1][2] + (len(places[-1][1]) - 0.5) * _LINE + 6 if places else 0.0
    axes, y = lay_rows(canvas, rows, top=top)
    sheet = canvas.figure.axes[0]
    for (pen, _), (x, lines, at) in zip(legend, places, strict=True):
        _mark(sheet, x + 6, at, pen)
        for i, text in enumerate(lines):
            sheet.text(x + 18, at + i * _LINE, text, va="center_baseline")
    first = 0
    for panel in panels:
        last = first + len(panel.lines) + 1
        _paint_panel(canvas, axes, panel, y[first : last + 1])
        first = last + 1
    return None


def _legend_places(
    canvas: Canvas, legend: Sequence[tuple[Pen, Message | str]]
) -> Iterator[tuple[float, list[str], float]]:
    """Return where each name of the legend stands, in its lines; a new line where one is full."""
    x, y, high = 0.0, _LINE / 2, 1
    for _, name in legend:
        lines = canvas.lines(name, canvas.width - 18)
        width = 18 + max(map(text_width, lines))
        if x and x + width > canvas.width:
            x, y = 0.0, y + high * _LINE
        high = len(lines)
        yield x, lines, y
        x += width + 20


def _paint_panel(canvas: Canvas, axes: Axes, panel: Panel, y: Sequence[float]) -> None:
    """Draw one panel between its heading and its axis, whose heights are the ends of `y`."""
    low, high = panel.limits()

    def across(x: float | np.ndarray) -> float | np.ndarray:
        return (x - low) / (high - low)

    box = axes.get_position()
    left, width = box.x0 * canvas.width, box.width * canvas.width
    heading = len(canvas.lines(panel.heading, canvas.width, bold=True))
    top, bottom = y[0] + (heading - 0.5) * _LINE + 3, y[-1] - _LINE / 2 - 3
    # on a phone names stand between the marks, and no line may cross them
    spans = [(top, bottom)]
    if canvas.narrow:
        spans = [(at - _HIGH / 2, at + _HIGH / 2) for at in y[1:-1]]
    if panel.band:
        ends = across(np.array([-panel.band, panel.band]))
        for span in spans:
            axes.fill_betweenx(span, *ends, color=TINTS[3], alpha=0.6, lw=0)
    for at, text in ticks_that_fit(low, high, width, canvas.words):
        pen = {"color": SOFT, "lw": 1.4} if at == 0 else {"color": RULE, "lw": 0.8}
        axes.vlines([across(at)] * len(spans), *zip(*spans, strict=True), **pen, zorder=0.9)
        label, half = canvas.labels(text), text_width(text) / 2
        x = left + width * across(at)
        side = "left" if x < half else "right" if x + half > canvas.width else "center"
        style = {"va": "center_baseline", "ha": side, "color": SOFT}
        axes.text(across(at), y[-1], label, **style)
    axes.plot([0, 1], [bottom, bottom], color=RULE, lw=1)
    for sign in (-1, 1) if panel.dashed else ():
        x = across(sign * panel.dashed)
        style = {"color": WARN, "lw": 1.3, "linestyle": (0, (4, 3))}
        axes.vlines([x] * len(spans), *zip(*spans, strict=True), **style)
    for line, middle in zip(panel.lines, y[1:-1], strict=True):
        apart = min(10.0, (12.0 if canvas.narrow else 16.0) / max(len(line.marks) - 1, 1))
        if line.bar:
            start, end = across(0.0), across(line.marks[0].value)
            axes.barh(middle, end - start, left=start, height=16, color=line.bar)
        for i, mark in enumerate(line.marks):
            at = middle + (i - (len(line.marks) - 1) / 2) * apart
            if math.isfinite(mark.low) and math.isfinite(mark.high):
                ends = across(np.array([mark.low, mark.high]))
                axes.plot(ends, [at, at], color=mark.pen.color, lw=2.4)
            if math.isfinite(mark.value):
                _mark(axes, across(mark.value), at, mark.pen)


def _mark(axes: Axes, x: float, y: float, pen: Pen) -> None:
    axes.plot(
        [x],
        [y],
        marker=pen.marker,
        markersize=7.5 if pen.marker != "D" else 6.5,
        markeredgewidth=1.8,
        markeredgecolor=pen.color,
        markerfacecolor="white" if pen.hollow else pen.color,
        linestyle="none",
        clip_on=False,
        zorder=3,
    )


def alt_of(panels: Sequence[Panel], words: Words) -> Message:
    """Return the rows of all panels in words, for who cannot see them."""
    texts = []
    for panel in (panel for panel in panels if panel.lines):
        rows = [words(say("{name}: {value}", name=x.name, value=x.value)) for x in panel.lines]
        joined = words(say("; ")).join(rows)
        texts.append(words(say("{name}: {value}", name=panel.heading, value=joined)))
    return say(
        "Dots with intervals: {rows}.", rows=words(say(". ")).join(texts) or words(say("none"))
    )
