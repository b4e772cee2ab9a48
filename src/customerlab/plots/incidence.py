"""Shares of customers who have left in each way, rising month by month, with their bands."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes

from customerlab.messages import ENGLISH, Message, Words, say
from customerlab.plots.chart import Canvas, Chart, draw, text_width
from customerlab.plots.curves import (
    BANDS,
    LINE,
    NAME_AT,
    PENS,
    Box,
    Curve,
    box_height,
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

#: So wide a name at the end of a curve may be before it is broken into lines.
_NAME = 190.0


def cumulative_incidence(
    table: pd.DataFrame, words: Words = ENGLISH, *, title: Message | None = None
) -> Chart:
    """Draw the share of customers who have left, by way of leaving or by group.

    Parameters
    ----------
    table : DataFrame
        ``group`` and ``exit`` (text or message), ``month``, ``at_risk``, ``incidence``, ``low``,
        ``high``; ``feature``, if there, is what the groups are groups of. Either one group, then
        one curve for each exit, or one exit, then one curve for each group. The six most frequent
        exits, or largest groups, are drawn.
    words : Words
    title : Message, optional
        What the figure shows; computed when left out.

    Returns
    -------
    Chart
        With the numbers at risk below the axis.

    Raises
    ------
    ValueError
        When there are several groups and several exits.
    """
    exits, groups = list(dict.fromkeys(table["exit"])), list(dict.fromkeys(table["group"]))
    if len(exits) > 1 and len(groups) > 1:
        raise ValueError("a figure shows several exits or several groups, not both")
    by_group = len(groups) > 1
    key = "group" if by_group else "exit"
    every = [
        read_curve(name, table[[one == name for one in table[key]]], "incidence")
        for name in (groups if by_group else exits)
    ]
    of = len(every)
    curves = largest(every, Curve.most_at_risk if by_group else lambda curve: curve.share[-1])
    subtitle = _subtitle(exits[0] if by_group else None, min(c.months[0] for c in curves))
    if of > len(curves) and by_group:
        subtitle = largest_shown(subtitle, len(curves), of)
    elif of > len(curves):
        subtitle = say(
            "{subtitle}. The {shown:count} most frequent of {exits:count} ways of leaving",
            subtitle=subtitle,
            shown=len(curves),
            exits=of,
        )
    feature = table["feature"].iloc[0] if "feature" in table else None

    def paint(canvas: Canvas) -> None:
        _paint(canvas, curves, curves if by_group else curves[:1])

    return draw(
        paint,
        words,
        title=title or _title(curves, exits[0] if by_group else None, feature),
        subtitle=subtitle,
        alt=say("Rising curves. {ends}.", ends=ends_of(curves, words)),
    )


def _subtitle(exit_: Message | str | None, begins: float) -> Message:
    if exit_ is None and begins == 0:
        return say(
            "Share of customers who have left in each way, in % of those who joined; the band is "
            "the 95 % range"
        )
    if exit_ is None:
        return say(
            "Share of customers who have left in each way, in % of those still here after "
            "{begins:count} months; the band is the 95 % range",
            begins=begins,
        )
    if begins == 0:
        return say(
            "Share of each group that has left in this way: “{exit}”, in % of those who joined; "
            "the band is the 95 % range",
            exit=exit_,
        )
    return say(
        "Share of each group that has left in this way: “{exit}”, in % of those still here after "
        "{begins:count} months; the band is the 95 % range",
        exit=exit_,
        begins=begins,
    )


def _title(
    curves: Sequence[Curve], exit_: Message | str | None, feature: Message | str | None
) -> Message:
    month = month_of_title(curves)
    most = max(curves, key=lambda curve: curve.at(month))
    if exit_ is None:
        return say(
            "Most leave like this: “{exit}”, {share:percent} of the customers after "
            "{months:count} months.",
            exit=most.name,
            share=most.at(month),
            months=month,
        )
    least = min(curves, key=lambda curve: curve.at(month))
    return say(
        "“{exit}”: after {months:count} months {high:percent} of “{most}” have left like this, "
        "and {low:percent} of “{least}”.",
        exit=exit_,
        months=month,
        most=named(most, feature),
        high=most.at(month),
        least=named(least, feature),
        low=least.at(month),
    )


def _paint(canvas: Canvas, curves: Sequence[Curve], at_risk: Sequence[Curve]) -> None:
    """Draw the curves; of `at_risk` the numbers stand below, for exits share theirs."""
    room = canvas.width - NAME_AT if canvas.narrow else _NAME
    names = [canvas.lines(curve.name, room, bold=not canvas.narrow) for curve in curves]
    left, right, top = 48.0, 14.0, 10.0
    if canvas.narrow:  # names in lines above
        top += LINE * sum(len(lines) for lines in names) + 6
    else:  # names at the ends of the curves
        right = max(text_width(line, bold=True) for lines in names for line in lines) + 18
    several = len(at_risk) > 1
    if several and not canvas.narrow:  # and before the numbers at risk
        left = max(left, min(right + 12, 0.3 * canvas.width))
    height = box_height(canvas)
    last = max(curve.months[-1] for curve in curves)
    canvas.grow_to(top + height + height_below(canvas, at_risk))
    step, highest = _scale(curves)
    box = Box(left, top, canvas.width - left - right, height, last, highest=highest)
    sheet = canvas.sheet()
    months = months_up_to(last, 5 if canvas.narrow else 6)
    shares = [step * i for i in range(round(highest / step) + 1)]
    spec = "percent0" if step >= 0.01 else "percent"
    paint_steps(canvas, curves, box, months, [(x, canvas.words.format(x, spec)) for x in shares])
    if canvas.narrow:
        name_above(sheet, names)
    else:
        _name_at_ends(sheet, curves, names, box)
    paint_below(canvas, sheet, at_risk, box, months)


def _scale(curves: Sequence[Curve]) -> tuple[float, float]:
    """Return the step of the ticks and how high the scale reaches."""
    drawn = [[*c.share, *(c.high if len(curves) <= BANDS else ())] for c in curves]
    ends = [x for one in drawn for x in one if not math.isnan(x)]
    step = _share_step(max(ends))
    return step, step * max(1, math.ceil(max(ends) / step - 1e-9))


def _share_step(highest: float) -> float:
    return next(
        (step for step in (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1) if highest / step <= 5), 0.2
    )


def _name_at_ends(
    sheet: Axes, curves: Sequence[Curve], names: Sequence[Sequence[str]], box: Box
) -> None:
    """Write each name at the end of its curve, lower where another name is in the way."""
    ends = [box.y(curve.share[-1]) for curve in curves]
    order = sorted(range(len(curves)), key=lambda i: ends[i])
    placed, free = {}, 0.0
    for i in order:
        placed[i] = max(ends[i] - LINE * (len(names[i]) - 1) / 2, free)
        free = placed[i] + LINE * len(names[i])
    # from the lowest up: none below the axis
    limit = box.top + box.height + LINE / 2
    for i in reversed(order):
        placed[i] = min(placed[i], limit - LINE * len(names[i]))
        limit = placed[i]
    for i, y in placed.items():
        for number, line in enumerate(names[i]):
            style = {"color": PENS[i][0], "weight": "bold", "va": "center_baseline"}
            sheet.text(box.left + box.width + 8, y + number * LINE, line, **style)
