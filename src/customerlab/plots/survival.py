"""Survival curves with their bands, names at their ends, and the numbers at risk."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pandas as pd
from matplotlib.axes import Axes

from customerlab.messages import ENGLISH, Message, Words, say
from customerlab.plots.chart import Canvas, Chart, draw, text_width
from customerlab.plots.curves import (
    LINE,
    PENS,
    Box,
    Curve,
    box_height,
    count_label,
    ends_of,
    height_below,
    largest,
    largest_shown,
    month_of_title,
    months_up_to,
    name_above,
    named,
    paint_below,
    paint_steps,
    read_curve,
)


@dataclass(frozen=True)
class Wording:
    """What is said around the curves.

    Attributes
    ----------
    title : callable
        Of the curves and what they are groups of.
    subtitle : callable
        Of the share at which the axis begins.
    since, at_risk : Message, optional
        See :func:`customerlab.plots.curves.paint_below`.
    """

    title: Callable[[Sequence[Curve], Message | str | None], Message]
    subtitle: Callable[[float], Message]
    since: Message | None = None
    at_risk: Message | None = None


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
    return draw_falling(table, words, title, Wording(still_there, _of_those_who_joined))


def not_yet_back(
    table: pd.DataFrame, words: Words = ENGLISH, *, title: Message | None = None
) -> Chart:
    """Draw the share of the customers lost who are not back yet, by months since that was known.

    Parameters
    ----------
    table : DataFrame
        As for :func:`survival_curves`: see
        :meth:`customerlab.retention.lost_answers.Lost.to_draw`.
    words : Words
    title : Message, optional
        What the figure shows; computed when left out.

    Returns
    -------
    Chart
        With the numbers of those not back below the axis.
    """
    wording = Wording(
        _came_back,
        _of_those_lost,
        since=say("Months since the exit was known"),
        at_risk=say("Not back yet and still watched"),
    )
    return draw_falling(table, words, title, wording)


def draw_falling(
    table: pd.DataFrame, words: Words, title: Message | str | None, wording: Wording
) -> Chart:
    """Draw a falling curve for each ``group``; see :func:`survival_curves` for the columns."""
    known = table[table["survival"].notna()]
    groups = [
        read_curve(group, known[[one == group for one in known["group"]]], "survival")
        for group in dict.fromkeys(known["group"])
    ]
    curves = largest(groups, Curve.most_at_risk)
    feature = table["feature"].iloc[0] if "feature" in table else None
    lowest = min(min(curve.low) for curve in curves)
    bottom = math.floor(lowest * 10 - 0.5) / 10 if lowest > 0.65 else 0.0
    subtitle = wording.subtitle(bottom)
    if len(groups) > len(curves):
        subtitle = largest_shown(subtitle, len(curves), len(groups))

    def paint(canvas: Canvas) -> None:
        _paint_curves(canvas, curves, bottom, wording)

    return draw(
        paint,
        words,
        title=title or wording.title(curves, feature),
        subtitle=subtitle,
        alt=say("Falling curves. {ends}.", ends=ends_of(curves, words)),
    )


def _of_those_who_joined(bottom: float) -> Message:
    if not bottom:
        return say(
            "Share of customers still there, in % of those who joined; the band is the 95 % range"
        )
    return say(
        "Share of customers still there, in % of those who joined; the band is the 95 % "
        "range; the axis begins at {bottom:percent0}",
        bottom=bottom,
    )


def _of_those_lost(bottom: float) -> Message:
    if not bottom:
        return say(
            "Customers who have not come back, in % of those lost; the band is the 95 % range"
        )
    return say(
        "Customers who have not come back, in % of those lost; the band is the 95 % range; the "
        "axis begins at {bottom:percent0}",
        bottom=bottom,
    )


def still_there(curves: Sequence[Curve], feature: Message | str | None) -> Message:
    """Say how many are still there in the best group, and in the worst."""
    month = month_of_title(curves)
    if len(curves) == 1:
        return say(
            "After {months:count} months {share:percent} of the customers are still there.",
            months=month,
            share=curves[0].at(month),
        )
    best = max(curves, key=lambda curve: curve.at(month))
    worst = min(curves, key=lambda curve: curve.at(month))
    return say(
        "After {months:count} months {high:percent} of “{best}” are still there, and "
        "{low:percent} of “{worst}”.",
        months=month,
        best=named(best, feature),
        high=best.at(month),
        worst=named(worst, feature),
        low=worst.at(month),
    )


def _came_back(curves: Sequence[Curve], feature: Message | str | None) -> Message:
    month = month_of_title(curves)
    if len(curves) == 1:
        return say(
            "Within {months:count} months {share:percent} of the customers lost came back by "
            "themselves.",
            months=month,
            share=1 - curves[0].at(month),
        )
    most = min(curves, key=lambda curve: curve.at(month))
    least = max(curves, key=lambda curve: curve.at(month))
    return say(
        "Within {months:count} months {high:percent} of “{most}” came back by themselves, and "
        "{low:percent} of “{least}”.",
        months=month,
        most=named(most, feature),
        high=1 - most.at(month),
        least=named(least, feature),
        low=1 - least.at(month),
    )


def _paint_curves(canvas: Canvas, curves: Sequence[Curve], bottom: float, wording: Wording) -> None:
    several = len(curves) > 1
    widest = max(text_width(canvas.labels(curve.name)) for curve in curves)
    counts = [count_label(canvas, n) for curve in curves for n in curve.at_risk.values()]
    left, right, top = 48.0, 14.0, 10.0
    if several and canvas.narrow:  # names in lines above
        top += LINE * len(curves) + 6
    elif several:  # names at the ends of the curves, and before the numbers at risk
        right = min(widest + 18, 0.3 * canvas.width)
        before = widest + max(map(text_width, counts), default=0.0) / 2 + 12 if counts else 0.0
        left = max(left, min(before, 0.3 * canvas.width))
    height = box_height(canvas)
    last = max(curve.months[-1] for curve in curves)
    box = Box(left, top, canvas.width - left - right, height, last, bottom)
    canvas.grow_to(top + height + height_below(canvas, curves))

    months = months_up_to(last, 5 if canvas.narrow else 9)
    shares = [i / 4 for i in range(5)]
    if bottom:
        shares = [bottom + i / 10 for i in range(round((1 - bottom) * 10) + 1)]
    sheet = canvas.sheet()
    ticks = [(share, canvas.words.format(share, "percent0")) for share in shares]
    paint_steps(canvas, curves, box, months, ticks)
    if several and canvas.narrow:
        name_above(sheet, [[canvas.labels(curve.name)] for curve in curves])
    elif several:
        _name_at_ends(canvas, sheet, curves, box)
    paint_below(canvas, sheet, curves, box, months, since=wording.since, at_risk=wording.at_risk)


def _name_at_ends(canvas: Canvas, sheet: Axes, curves: Sequence[Curve], box: Box) -> None:
    """Write each name at the end of its curve, a line apart where ends are closer."""
    wanted = sorted((box.y(curve.share[-1]), i) for i, curve in enumerate(curves))
    placed: dict[int, float] = {}
    lowest = 0.0
    for y, i in wanted:
        placed[i] = max(y, lowest)
        lowest = placed[i] + LINE
    over = max(0.0, lowest - LINE - box.top - box.height)
    for i, y in placed.items():
        style = {"color": PENS[i][0], "weight": "bold", "va": "center_baseline"}
        sheet.text(box.left + box.width + 8, y - over, canvas.labels(curves[i].name), **style)
