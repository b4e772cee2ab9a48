"""What figures of curves over months share: pens, the box they stand in, and what is below it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pandas as pd
from matplotlib.axes import Axes

from customerlab.messages import Message, Words, say
from customerlab.plots.chart import ACCENT, SOFT, WARN, Canvas, text_width
from customerlab.privacy import HIDDEN

#: Colour and dashes of each curve: the two together are told apart in grey.
PENS = (
    (ACCENT, "-"),
    (WARN, (0, (5, 2))),
    ("#33508a", (0, (1.5, 1.5))),
    ("#8a6d00", (0, (6, 2, 1.5, 2))),
    ("#6b3a75", (0, (9, 3))),
    ("#57636c", "-"),
)
#: From one line of text to the next.
LINE = 19
#: More bands than these hide each other.
BANDS = 4
#: Where a name above the curves begins, behind its pen.
NAME_AT = 36.0


@dataclass(frozen=True)
class Curve:
    """A share by month, with its band and how many were at risk; the last may be masked.

    Without any number at risk none is written.
    """

    name: Message | str
    months: list[float]
    share: list[float]
    low: list[float]
    high: list[float]
    at_risk: dict[float, object]

    def at(self, month: float) -> float:
        """Return the share that holds at a month."""
        return [s for m, s in zip(self.months, self.share, strict=True) if m <= month][-1]

    def most_at_risk(self) -> float:
        """Return the largest number at risk; 0 where all are masked."""
        counts = pd.to_numeric(pd.Series(self.at_risk.values(), dtype=object), errors="coerce")
        return float(counts.fillna(0).max())


def read_curve(name: Message | str, part: pd.DataFrame, share: str) -> Curve:
    """Return the rows of one curve in the order of ``month``; `share` is the column drawn."""
    part = part.sort_values("month")
    months = part["month"].astype(float).tolist()
    return Curve(
        name,
        months,
        *(part[column].astype(float).tolist() for column in (share, "low", "high")),
        at_risk=dict(zip(months, part["at_risk"], strict=True)) if "at_risk" in part else {},
    )


def largest(curves: Sequence[Curve], size: Callable[[Curve], float]) -> list[Curve]:
    """Return as many of the largest as there are pens, in the order they came."""
    order = sorted(range(len(curves)), key=lambda i: -size(curves[i]))
    return [curves[i] for i in sorted(order[: len(PENS)])]


def month_of_title(curves: Sequence[Curve]) -> float:
    """Return the month of which a title speaks: the 12th, or the last that all curves reach."""
    return min(12.0, *(curve.months[-1] for curve in curves))


def named(curve: Curve, feature: Message | str | None) -> Message | str:
    """Return the name of a curve with what it is a group of."""
    if feature is None:
        return curve.name
    return say("{term}: {level}", term=feature, level=curve.name)


def largest_shown(subtitle: Message, shown: int, groups: int) -> Message:
    """Add to a subtitle that not all groups are drawn."""
    return say(
        "{subtitle}. The {shown:count} largest of {groups:count} groups",
        subtitle=subtitle,
        shown=shown,
        groups=groups,
    )


def ends_of(curves: Sequence[Curve], words: Words) -> str:
    """Say where each curve ends, for who cannot see it."""
    ends = [
        say(
            "{group}: {share:percent} after {months:count} months",
            group=curve.name,
            share=curve.share[-1],
            months=curve.months[-1],
        )
        for curve in curves
    ]
    return words(say("; ")).join(words(end) for end in ends)


@dataclass(frozen=True)
class Box:
    """Where the curves stand in the drawing, and which part of the scales they show."""

    left: float
    top: float
    width: float
    height: float
    last: float
    bottom: float = 0.0
    highest: float = 1.0

    def x(self, month: float) -> float:
        """Return where a month is, in pixels."""
        return self.left + self.width * month / self.last

    def y(self, share: float) -> float:
        """Return where a share is, in pixels from the top."""
        part = (share - self.bottom) / (self.highest - self.bottom)
        return self.top + self.height * (1 - part)


def box_height(canvas: Canvas) -> float:
    """Return how high the box of the curves is."""
    return 260.0 if canvas.narrow else 320.0


def months_up_to(last: float, most: int) -> list[float]:
    """Return the months that get a tick: fewer than `most` steps of a natural length."""
    step = next(n for n in (1, 2, 3, 6, 12, 24, 36, 60, 120, 240, 1200) if last / n < most)
    return [step * i for i in range(int(last // step) + 1)]


def paint_steps(
    canvas: Canvas,
    curves: Sequence[Curve],
    box: Box,
    months: Sequence[float],
    ticks: Sequence[tuple[float, str]],
) -> None:
    """Draw curves with their bands and axes; `ticks` are shares and their texts."""
    axes = canvas.axes(box.left, box.top, box.width, box.height)
    for curve, (color, dashes) in zip(curves, PENS, strict=False):
        if len(curves) <= BANDS:
            axes.fill_between(
                curve.months, curve.low, curve.high, step="post", color=color, alpha=0.15, lw=0
            )
        axes.step(
            curve.months, curve.share, where="post", color=color, linestyle=dashes, linewidth=2
        )
    axes.set(xlim=(0, box.last), ylim=(box.bottom, box.highest))
    axes.set_yticks([at for at, _ in ticks], labels=[canvas.labels(text) for _, text in ticks])
    axes.set_xticks(months, labels=[canvas.words.format(month, "count") for month in months])
    axes.grid(axis="y")


def name_above(sheet: Axes, names: Sequence[Sequence[str]]) -> None:
    """Write the names, each in its lines, above the curves, behind a piece of their pen."""
    at = LINE / 2
    for lines, (color, dashes) in zip(names, PENS, strict=False):
        sheet.plot([0, 28], [at, at], color=color, linestyle=dashes, linewidth=2)
        for line in lines:
            sheet.text(NAME_AT, at, line, va="center_baseline")
            at += LINE


def count_label(canvas: Canvas, count: object) -> str:
    """Return the label of a number of customers, which may be masked."""
    return canvas.labels(
        say("hidden") if count == HIDDEN else canvas.words.format(count, "customers")
    )


def height_below(canvas: Canvas, curves: Sequence[Curve]) -> float:
    """Return how much room the title of the axis and the numbers at risk need."""
    if not any(curve.at_risk for curve in curves):
        return 30 + LINE
    each = 2 if len(curves) > 1 and canvas.narrow else 1
    return 42 + LINE * (2 + len(curves) * each)


def paint_below(
    canvas: Canvas,
    sheet: Axes,
    curves: Sequence[Curve],
    box: Box,
    months: Sequence[float],
    *,
    since: Message | None = None,
    at_risk: Message | None = None,
) -> None:
    """Write the title of the axis, and of each curve the numbers at risk below the months.

    `since` is what the months count from, and `at_risk` who is; customers since joining, if left
    out.
    """
    title = canvas.labels(since or say("Months since joining, or since first seen"))
    at = box.top + box.height + 28 + LINE / 2
    sheet.text(box.left, at, title, va="center_baseline", color=SOFT)
    if not any(curve.at_risk for curve in curves):
        return
    at = box.top + box.height + 38 + LINE * 1.5
    title = canvas.labels(at_risk or say("Customers at risk"))
    sheet.text(0, at, title, va="center_baseline", color=SOFT)
    for curve in curves:
        at += LINE
        if len(curves) > 1:
            sheet.text(0, at, canvas.labels(curve.name), va="center_baseline")
            at += LINE if canvas.narrow else 0
        for month in months:
            known = [later for later in curve.at_risk if later >= month]
            if known:
                count = count_label(canvas, curve.at_risk[min(known)])
                over = box.x(month) + text_width(count) / 2 > canvas.width
                side = "right" if over else "center"
                sheet.text(box.x(month), at, count, va="center_baseline", ha=side)
