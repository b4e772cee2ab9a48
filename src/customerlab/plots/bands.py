"""A line in its band over an axis, with 0 in sight."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes

from customerlab.messages import Message
from customerlab.plots.chart import ACCENT, SOFT, TINTS, WARN, Canvas, text_width
from customerlab.plots.curves import LINE, box_height, name_above
from customerlab.plots.drivers import draw_nothing
from customerlab.plots.panels import ticks_that_fit
from customerlab.plots.rows import keep_inside


@dataclass(frozen=True)
class Frame:
    """Titles of both axes, and the places and texts below."""

    height: Message
    across: Message
    ticks: Sequence[tuple[float, str]]


def paint_band(
    canvas: Canvas,
    frame: Frame,
    lines: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray],
    *,
    random: np.ndarray | None = None,
    legend: Sequence[Message] = (),
    dots: bool = False,
) -> Axes | None:
    """Draw a line in its band, with a line at 0.

    Parameters
    ----------
    canvas : Canvas
    frame : Frame
    lines : tuple of ndarray of shape (k,)
        Places in rising order, values, and both ends of the band.
    random : ndarray of shape (k,), optional
        A second line, dashed and without a band.
    legend : sequence of Message
        Names of the line and of the dashed one.
    dots : bool
        Whether each value has a dot.

    Returns
    -------
    Axes or None
        For further marks; None where there was nothing to draw.
    """
    x, value, low, high = lines
    if not len(x):
        draw_nothing(canvas)
        return None
    width = canvas.width - 36
    names = [canvas.lines(name, width) for name in legend]
    titles = canvas.lines(frame.height, canvas.width)
    top = LINE * (sum(map(len, names)) + len(titles)) + 14.0
    height = box_height(canvas)
    canvas.grow_to(top + height + 30 + LINE + 4)
    sheet = canvas.sheet()
    name_above(sheet, names)
    for i, text in enumerate(titles):
        at = LINE * (sum(map(len, names)) + i + 0.5) + 4
        sheet.text(0, at, text, va="center_baseline", color=SOFT)
    bottom, highest = _ends(value, low, high)
    room = 0.04 * (highest - bottom) or 1.0
    ticks = ticks_that_fit(bottom, highest, 5 * height, canvas.words)
    left = max(text_width(text) for _, text in ticks) + 12
    axes = canvas.axes(left, top, canvas.width - left - 14, height)
    begins = 0.0 if x[0] >= 0 and frame.ticks and frame.ticks[0][0] == 0 else x[0]
    span = (x[-1] - begins) or 1.0
    axes.set(xlim=(begins, begins + span), ylim=(bottom - room, highest + room))
    axes.fill_between(x, low, high, color=TINTS[3], alpha=0.75, lw=0)
    if len(x) == 1:  # a band of no width
        axes.vlines(x, low, high, color=TINTS[2], lw=6)
    axes.plot(x, value, color=ACCENT, lw=2, marker="o" if dots else None, ms=5, clip_on=False)
    if random is not None:
        axes.plot(x, random, color=WARN, lw=2, linestyle=(0, (5, 2)))
    axes.axhline(0, color=SOFT, lw=1.4)
    axes.set_yticks([at for at, _ in ticks], labels=[canvas.labels(text) for _, text in ticks])
    axes.set_xticks([at for at, _ in frame.ticks])
    axes.set_xticklabels([canvas.labels(text) for _, text in frame.ticks])
    keep_inside(axes, canvas)
    axes.grid(axis="y")
    title = canvas.labels(frame.across)
    sheet.text(left, top + height + 28 + LINE / 2, title, va="center_baseline", color=SOFT)
    return axes


def _ends(value: np.ndarray, low: np.ndarray, high: np.ndarray) -> tuple[float, float]:
    """Return the ends of the axis: of a band that is wide at first not all is shown."""
    least, most = min(float(value.min()), 0.0), max(float(value.max()), 0.0)
    room = 2 * float(high[-1] - low[-1])
    bottom = max(min(float(low.min()), least), least - room)
    return bottom, min(max(float(high.max()), most), most + room)
