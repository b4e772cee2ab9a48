"""Survival curves with their bands, names at their ends, and the numbers at risk."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pandas as pd
from matplotlib.axes import Axes

from customerlab.messages import ENGLISH, Message, Words, say
from customerlab.plots.chart import ACCENT, SOFT, WARN, Canvas, Chart, draw, text_width
from customerlab.privacy import HIDDEN

#: Colour and dashes of each curve: the two together are told apart in grey.
_PENS = (
    (ACCENT, "-"),
    (WARN, (0, (5, 2))),
    ("#33508a", (0, (1.5, 1.5))),
    ("#8a6d00", (0, (6, 2, 1.5, 2))),
    ("#6b3a75", (0, (9, 3))),
    ("#57636c", "-"),
)
_LINE = 19


@dataclass(frozen=True)
class _Curve:
    name: Message | str
    months: list[float]
    survival: list[float]
    low: list[float]
    high: list[float]
    at_risk: dict[float, object]


def survival_curves(
    table: pd.DataFrame, words: Words = ENGLISH, *, title: Message | None = None
) -> Chart:
    """Draw the share of customers still there, month by month, with its 95 % band.

    Parameters
    ----------
    table : DataFrame
        ``group`` (text or message), ``month``, ``at_risk``, ``survival``, ``low``, ``high``;
        ``at_risk`` may hold masked counts; ``feature``, if there, is what the groups are groups
        of. The six largest groups are drawn, each from its first
        month on.
    words : Words
    title : Message, optional
        What the figure shows; computed when left out.

    Returns
    -------
    Chart
        With the numbers at risk below the axis.
    """
    curves, left_out = _curves(table)
    feature = table["feature"].iloc[0] if "feature" in table else None
    lowest = min(min(curve.low) for curve in curves)
    bottom = math.floor(lowest * 10 - 0.5) / 10 if lowest > 0.65 else 0.0
    subtitle = (
        say("Share of customers still there, in % of those who joined; the band is the 95 % range")
        if not bottom
        else say(
            "Share of customers still there, in % of those who joined; the band is the 95 % "
            "range; the axis begins at {bottom:percent0}",
            bottom=bottom,
        )
    )
    if left_out:
        subtitle = say(
            "{subtitle}. The {shown:count} largest of {groups:count} groups",
            subtitle=subtitle,
            shown=len(curves),
            groups=len(curves) + left_out,
        )

    def paint(canvas: Canvas) -> None:
        _paint_curves(canvas, curves, bottom)

    ends = [
        say(
            "{group}: {share:percent} after {months:count} months",
            group=curve.name,
            share=curve.survival[-1],
            months=curve.months[-1],
        )
        for curve in curves
    ]
    return draw(
        paint,
        words,
        title=title or _survival_title(curves, feature),
        subtitle=subtitle,
        alt=say("Falling curves. {ends}.", ends=words(say("; ")).join(words(end) for end in ends)),
    )


def _curves(table: pd.DataFrame) -> tuple[list[_Curve], int]:
    curves, sizes = [], []
    for group in dict.fromkeys(table["group"]):
        part = table[[one == group for one in table["group"]]].sort_values("month")
        part = part[part["survival"].notna()]
        if part.empty:
            continue
        columns = {name: part[name].astype(float).tolist() for name in ("survival", "low", "high")}
        months = part["month"].astype(float).tolist()
        at_risk = dict(zip(months, part["at_risk"], strict=True))
        curves.append(_Curve(group, months, at_risk=at_risk, **columns))
        sizes.append(pd.to_numeric(part["at_risk"], errors="coerce").fillna(0).max())
    largest = sorted(range(len(curves)), key=lambda i: -sizes[i])
    shown = sorted(largest[: len(_PENS)])
    return [curves[i] for i in shown], len(curves) - len(shown)


def _at(curve: _Curve, month: float) -> float:
    return [s for m, s in zip(curve.months, curve.survival, strict=True) if m <= month][-1]


def _survival_title(curves: list[_Curve], feature: Message | str | None) -> Message:
    last = min(curve.months[-1] for curve in curves)
    month = 12.0 if last >= 12 else last
    if len(curves) == 1:
        return say(
            "After {months:count} months {share:percent} of the customers are still there.",
            months=month,
            share=_at(curves[0], month),
        )
    best = max(curves, key=lambda curve: _at(curve, month))
    worst = min(curves, key=lambda curve: _at(curve, month))
    return say(
        "After {months:count} months {high:percent} of “{best}” are still there, and "
        "{low:percent} of “{worst}”.",
        months=month,
        best=_named(best, feature),
        high=_at(best, month),
        worst=_named(worst, feature),
        low=_at(worst, month),
    )


@dataclass(frozen=True)
class _Box:
    """Where the curves stand in the drawing, and which part of the scale they show."""

    left: float
    top: float
    width: float
    height: float
    bottom: float
    last: float

    def x(self, month: float) -> float:
        return self.left + self.width * month / self.last

    def y(self, share: float) -> float:
        return self.top + self.height * (1 - (share - self.bottom) / (1 - self.bottom))


def _named(curve: _Curve, feature: Message | str | None) -> Message | str:
    if feature is None:
        return curve.name
    return say("{term}: {level}", term=feature, level=curve.name)


def _paint_curves(canvas: Canvas, curves: list[_Curve], bottom: float) -> None:
    several = len(curves) > 1
    widest = max(text_width(canvas.labels(curve.name)) for curve in curves)
    counts = [_count(canvas, n) for curve in curves for n in curve.at_risk.values()]
    left, right, top = 48.0, 14.0, 8.0
    if several and canvas.narrow:  # names in lines above
        top += _LINE * len(curves) + 6
    elif several:  # names at the ends of the curves, and before the numbers at risk
        right = min(widest + 18, 0.3 * canvas.width)
        before = widest + max(text_width(count) for count in counts) / 2 + 12
        left = max(left, min(before, 0.3 * canvas.width))
    height = 260.0 if canvas.narrow else 320.0
    last = max(curve.months[-1] for curve in curves)
    box = _Box(left, top, canvas.width - left - right, height, bottom, last)
    lines = 1 + len(curves) * (2 if several and canvas.narrow else 1)
    canvas.grow_to(top + height + 42 + _LINE * (1 + lines))

    step = _month_step(last, 5 if canvas.narrow else 9)
    months = [step * i for i in range(int(last // step) + 1)]
    sheet = canvas.sheet()
    _paint_steps(canvas, curves, box, months)
    if several and canvas.narrow:
        _name_above(canvas, sheet, curves)
    elif several:
        _name_at_ends(canvas, sheet, curves, box)
    title = canvas.labels(say("Months since joining, or since first seen"))
    at = top + height + 28 + _LINE / 2
    sheet.text(left, at, title, va="center_baseline", color=SOFT)
    _paint_at_risk(canvas, sheet, curves, box, months)


def _paint_steps(canvas: Canvas, curves: list[_Curve], box: _Box, months: list[float]) -> None:
    axes = canvas.axes(box.left, box.top, box.width, box.height)
    for curve, (color, dashes) in zip(curves, _PENS, strict=False):
        if len(curves) <= 4:
            axes.fill_between(
                curve.months, curve.low, curve.high, step="post", color=color, alpha=0.15, lw=0
            )
        axes.step(
            curve.months, curve.survival, where="post", color=color, linestyle=dashes, linewidth=2
        )
    axes.set(xlim=(0, box.last), ylim=(box.bottom, 1))
    shares = [i / 4 for i in range(5)]
    if box.bottom:
        shares = [box.bottom + i / 10 for i in range(round((1 - box.bottom) * 10) + 1)]
    texts = [canvas.words.format(share, "percent0") for share in shares]
    axes.set_yticks(shares, labels=[canvas.labels(text) for text in texts])
    axes.set_xticks(months, labels=[canvas.words.format(month, "count") for month in months])
    axes.grid(axis="y")


def _count(canvas: Canvas, count: object) -> str:
    return canvas.labels(
        say("hidden") if count == HIDDEN else canvas.words.format(count, "customers")
    )


def _paint_at_risk(
    canvas: Canvas, sheet: Axes, curves: list[_Curve], box: _Box, months: list[float]
) -> None:
    at = box.top + box.height + 38 + _LINE * 1.5
    title = canvas.labels(say("Customers at risk"))
    sheet.text(0, at, title, va="center_baseline", color=SOFT)
    for curve in curves:
        at += _LINE
        if len(curves) > 1:
            sheet.text(0, at, canvas.labels(curve.name), va="center_baseline")
            at += _LINE if canvas.narrow else 0
        for month in months:
            known = [later for later in curve.at_risk if later >= month]
            if known:
                count = _count(canvas, curve.at_risk[min(known)])
                over = box.x(month) + text_width(count) / 2 > canvas.width
                side = "right" if over else "center"
                sheet.text(box.x(month), at, count, va="center_baseline", ha=side)


def _name_above(canvas: Canvas, sheet: Axes, curves: list[_Curve]) -> None:
    for i, (curve, (color, dashes)) in enumerate(zip(curves, _PENS, strict=False)):
        at = _LINE * (i + 0.5)
        sheet.plot([0, 28], [at, at], color=color, linestyle=dashes, linewidth=2)
        sheet.text(36, at, canvas.labels(curve.name), va="center_baseline")


def _name_at_ends(canvas: Canvas, sheet: Axes, curves: list[_Curve], box: _Box) -> None:
    """Write each name at the end of its curve, a line apart where ends are closer."""
    wanted = sorted((box.y(curve.survival[-1]), i) for i, curve in enumerate(curves))
    placed: dict[int, float] = {}
    lowest = 0.0
    for y, i in wanted:
        placed[i] = max(y, lowest)
        lowest = placed[i] + _LINE
    over = max(0.0, lowest - _LINE - box.top - box.height)
    for i, y in placed.items():
        style = {"color": _PENS[i][0], "weight": "bold", "va": "center_baseline"}
        sheet.text(box.left + box.width + 8, y - over, canvas.labels(curves[i].name), **style)


def _month_step(last: float, most: int) -> float:
    return next(step for step in (1, 2, 3, 6, 12, 24, 36, 60, 120, 240, 1200) if last / step < most)
