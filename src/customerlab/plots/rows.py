"""Rows of a name, a mark and a value: bars, dots and intervals are laid out alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes

from customerlab.messages import Message
from customerlab.plots.chart import INK, RULE, SOFT, Canvas, text_width

_LINE = 19  # from one line of text to the next
_MARK = 26  # the height that a bar or a dot has for itself


@dataclass(frozen=True)
class Row:
    """One row of a figure.

    Attributes
    ----------
    name : Message or str
    value : Message or str
        Stands at the right end.
    heading : bool
        A line of text over the rows that follow; it has no mark.
    indent : float
        How far the name is set in, where a row is a part of another.
    """

    name: Message | str
    value: Message | str = ""
    heading: bool = False
    indent: float = 0


def lay_rows(
    canvas: Canvas,
    rows: Sequence[Row],
    *,
    values_at_marks: bool = False,
    ticks: Sequence[tuple[float, str]] = (),
    limits: tuple[float, float] = (0, 1),
    log: bool = False,
    axis_title: Message | str = "",
    top: float = 0,
) -> tuple[Axes, list[float]]:
    """Write names and values, and return axes for the marks.

    Wide, the names stand left of the marks; on a phone above them. The marks of row ``i`` belong
    at height ``y[i]`` (in pixels, counted downwards).

    Returns
    -------
    axes : Axes
        Its x axis has the `limits`; its y axis counts pixels.
    y : list of float
    """
    labels = canvas.labels
    values = [labels(row.value) for row in rows]
    if values_at_marks and not canvas.narrow:
        values = [""] * len(rows)  # the caller writes them beside the marks
    right = max([text_width(value) for value in values], default=0)
    if canvas.narrow:
        left, right_margin = 2.0, 6.0
        name_width = [canvas.width - text_width(value) - 16 for value in values]
    else:
        widest = max(
            [text_width(labels(row.name)) + row.indent for row in rows if not row.heading],
            default=0,
        )
        left = min(widest, 0.36 * canvas.width) + 14
        right_margin = right + 14 if right else 14.0
        name_width = [canvas.width if row.heading else left - 13 - row.indent for row in rows]
    names = [
        canvas.lines(row.name, width, bold=row.heading)
        for row, width in zip(rows, name_width, strict=True)
    ]

    y, text_at, height = [], [], top
    for row, lines in zip(rows, names, strict=True):
        text_height = _LINE * len(lines)
        if row.heading:
            height += 8 if height > top else 0
            text_at.append(height + _LINE / 2)
            y.append(height + _LINE / 2)
            height += text_height + 2
        elif canvas.narrow:
            text_at.append(height + _LINE / 2)
            y.append(height + text_height + _MARK / 2 - 2)
            height += text_height + _MARK + 4
        else:
            inner = max(text_height, _MARK)
            text_at.append(height + 2 + inner / 2 - (len(lines) - 1) * _LINE / 2)
            y.append(height + 2 + inner / 2)
            height += inner + 6
    below = (28 if ticks else 4) + (_LINE if axis_title else 0)
    canvas.grow_to(height + below)

    sheet = canvas.sheet()
    for row, lines, value, at, mark in zip(rows, names, values, text_at, y, strict=True):
        weight = "bold" if row.heading else "normal"
        for number, line in enumerate(lines):
            sheet.text(row.indent, at + number * _LINE, line, va="center_baseline", weight=weight)
        value_at = at if canvas.narrow else mark
        sheet.text(canvas.width, value_at, value, va="center_baseline", ha="right")

    axes = canvas.axes(left, top, canvas.width - left - right_margin, height - top)
    if log:
        axes.set_xscale("log")
    axes.set(xlim=limits, ylim=(height, top))
    axes.set_yticks([])
    axes.spines["bottom"].set_visible(bool(ticks))
    axes.set_xticks([at for at, _ in ticks], labels=[labels(text) for _, text in ticks])
    axes.set_xticks([], minor=True)
    if ticks:
        axes.grid(axis="x", color=RULE)
    keep_inside(axes, canvas)
    if axis_title:
        middle = left if not canvas.narrow else 0
        sheet.text(
            middle, height + 28 + _LINE / 2, labels(axis_title), va="center_baseline", color=SOFT
        )
    return axes, y


def keep_inside(axes: Axes, canvas: Canvas) -> None:
    """Set the outermost tick labels so that they do not leave the drawing."""
    for label in axes.get_xticklabels():
        at = axes.transData.transform((label.get_position()[0], 0))[0] * 72 / axes.figure.dpi
        half = text_width(label.get_text()) / 2
        if at < half:
            label.set_ha("left")
        elif at + half > canvas.width:
            label.set_ha("right")


def dot(
    axes: Axes, x: float, y: float, *, color: str = INK, hollow: bool = False, size: float = 8
) -> None:
    """Draw one dot."""
    axes.plot(
        [x],
        [y],
        marker="o",
        markersize=size,
        markeredgewidth=1.8,
        markeredgecolor=color,
        markerfacecolor="white" if hollow else color,
        linestyle="none",
        clip_on=False,
        zorder=3,
    )
