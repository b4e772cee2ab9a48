"""RFM segments: how many customers, how much of the spend, and who buys again."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from customerlab.findings import STATUSES
from customerlab.messages import ENGLISH, Message, Words, say
from customerlab.plots.actions import FILLS, GROUPS, Fill, key_of
from customerlab.plots.chart import INK, RULE, SOFT, Canvas, Chart, draw, text_width
from customerlab.plots.drivers import draw_nothing
from customerlab.plots.panels import ticks_that_fit
from customerlab.plots.rows import Row, dot, keep_inside, lay_rows
from customerlab.value.rfm import ACTIONS

_LINE = 19
_SMALL = 11.5  # of the numbers at the bars
_NUMBERS = ["share", "spend_share", "next_rate", "next_low", "next_high"]
_HIDDEN = say("hidden")


@dataclass(frozen=True)
class _Part:
    """The part of the width in which one measure is drawn, from 0 to 1, and its scale."""

    left: float
    right: float
    low: float
    high: float

    def at(self, x: float) -> float:
        return self.left + (self.right - self.left) * (x - self.low) / (self.high - self.low)


def rfm_segments(
    table: pd.DataFrame,
    words: Words = ENGLISH,
    *,
    months: int | None = None,
    title: Message | str | None = None,
) -> Chart:
    """Draw each segment's share of the customers beside that of the spend, and who buys again.

    Parameters
    ----------
    table : DataFrame
        From :func:`customerlab.value.rfm_segments.segments_to_show`. Segments without customers
        are left out, and the numbers of masked ones read ``hidden``.
    words : Words
    months : int, optional
        How long the next period is.
    title : Message or str, optional

    Returns
    -------
    Chart
        Segments under what is proposed for them, which colour and hatching tell as well.
    """
    numbers = table[["customers", *_NUMBERS]].apply(pd.to_numeric, errors="coerce").astype(float)
    there = ~((numbers["customers"] == 0) & numbers["next_rate"].isna())
    shown = table.assign(**numbers[_NUMBERS])[there]
    shown = shown.assign(
        hidden=numbers["customers"].isna()[there],
        group=[key_of(ACTIONS, one) for one in shown["action"]],
        sure=[key_of(STATUSES, one) == "supported" for one in shown["status"]],
    )
    rows, lines = [], []
    for key, part in shown.groupby("group", sort=False):
        rows.append(Row(_heading(key, part), heading=True))
        lines.append(None)
        for line in part.itertuples():
            rate = words.format(line.next_rate, "percent0")
            if isinstance(table.loc[line.Index, "next_rate"], str):
                rate = words(_HIDDEN)
            rows.append(Row(line.segment, rate))
            lines.append(line)
    again = say("Bought in the next period")
    if months is not None:
        again = say("Bought within the next {months:count} months", months=months)

    def paint(canvas: Canvas) -> None:
        if not rows:
            return draw_nothing(canvas)
        return _paint_segments(canvas, rows, lines, shown, again)

    told = [
        say(
            "{segment}: {share:percent0} of the customers, {spend:percent0} of the spend, "
            "{rate:percent0} bought again",
            segment=line.segment,
            share=line.share,
            spend=line.spend_share,
            rate=line.next_rate,
        )
        for line in shown.itertuples()
        if not line.hidden
    ]
    subtitle = say(
        "By how lately, how often and for how much they bought. Lines: 95 % interval; a hollow "
        "dot rests on fewer than 100 customers"
    )
    return draw(
        paint,
        words,
        title=title or _segments_title(shown),
        subtitle=subtitle,
        alt=say(
            "Bars and dots: {rows}.",
            rows=words(say("; ")).join(map(words, told)) or words(say("none")),
        ),
    )


def _heading(key: str, part: pd.DataFrame) -> Message | str:
    """Return what a group is called, how large it is if that may be told, and what to do."""
    if key not in GROUPS:
        return key
    told = {"group": GROUPS[key], "action": ACTIONS[key]}
    told |= {"share": part["share"].sum(), "spend": part["spend_share"].sum()}
    if part["share"].isna().any():
        return say("{group}: {action}", **told)
    if part["spend_share"].isna().any():
        return say("{group}, {share:percent0} of the customers: {action}", **told)
    return say(
        "{group}, {share:percent0} of the customers and {spend:percent0} of the spend: {action}",
        **told,
    )


def _segments_title(shown: pd.DataFrame) -> Message:
    keep = shown[shown["group"] == "keep"]
    share, spend = keep["share"].sum(), keep["spend_share"].sum()
    if len(keep) and keep[["share", "spend_share"]].notna().all(axis=None) and spend > share:
        return say(
            "The most valuable, {share:percent0} of the customers, bring {spend:percent0} of the "
            "spend.",
            share=share,
            spend=spend,
        )
    known = shown[shown["spend_share"].notna()]
    if known.empty:
        return say("Too few customers have bought to compare segments.")
    top = known.loc[known["spend_share"].idxmax()]
    return say(
        "Most money comes from “{segment}”: {share:percent0} of the customers, {spend:percent0} "
        "of the spend.",
        segment=top["segment"],
        share=top["share"],
        spend=top["spend_share"],
    )


def _paint_segments(
    canvas: Canvas,
    rows: Sequence[Row],
    lines: Sequence[object],
    shown: pd.DataFrame,
    again: Message,
) -> None:
    shares = shown[["share", "spend_share"]].to_numpy()
    most = max(float(np.nanmax(shares, initial=0.01)), 0.01)
    least = min(float(np.nanmin(shares, initial=0.0)), 0.0)
    rates = shown[["next_rate", "next_high"]].to_numpy()
    end = min(math.ceil(10 * float(np.nanmax(rates, initial=0.1))) / 10, 1.0)
    legend = [
        ([Fill(RULE)], canvas.lines(say("Share of all customers"), 0.5 * canvas.width)),
        (FILLS.values(), canvas.lines(say("Share of all spend"), 0.5 * canvas.width)),
    ]
    heads = canvas.lines(again, (0.34 if canvas.narrow else 0.25) * canvas.width)
    top = _LINE * max(len(legend), len(heads)) + 2.0
    axes, y = lay_rows(canvas, [*rows, Row("", heading=True)], top=top)
    sheet, box = canvas.figure.axes[0], axes.get_position()
    left, width = box.x0 * canvas.width, box.width * canvas.width
    room = (text_width("100 %", _SMALL) + 8) / width  # for the numbers at the longest bars
    bars = _Part(0.0, 0.58 - room, least, most)
    dots = _Part(0.64, 0.98, 0.0, end)
    for i, (fills, (text, *_)) in enumerate(legend):
        at = _LINE * (i + 0.5)
        for j, fill in enumerate(fills):
            fill.bar(sheet, at, 30 / len(fills), left=left + j * 30 / len(fills), height=11)
        sheet.text(left + 36, at, text, va="center_baseline")
    for i, text in enumerate(heads):
        style = {"va": "center_baseline"}
        sheet.text(left + width * dots.left, _LINE * (i + 0.5), text, **style)
    _paint_scale(canvas, axes, dots, y, lines)
    axes.set(xlim=(0, 1))
    for line, at in zip(lines, y, strict=False):
        if line is None:
            continue
        fill = FILLS.get(line.group, FILLS["spare"])
        if line.hidden:
            axes.text(bars.at(0), at, canvas.labels(_HIDDEN), va="center_baseline", color=SOFT)
        else:
            _paint_pair(canvas, axes, bars, at, line, fill)
        if math.isfinite(line.next_rate):
            ends = [dots.at(line.next_low), dots.at(line.next_high)]
            axes.plot(ends, [at, at], color=INK, lw=2)
            dot(axes, dots.at(line.next_rate), at, color=INK, hollow=not line.sure)


def _paint_pair(
    canvas: Canvas, axes: Axes, part: _Part, at: float, line: object, fill: Fill
) -> None:
    """Draw the share of the customers over that of the spend, with their numbers."""
    for share, shift in ((line.share, -6.5), (line.spend_share, 6.5)):
        if not math.isfinite(share):
            continue
        start, end = part.at(0.0), part.at(share)
        if shift < 0:
            axes.barh(at + shift, end - start, left=start, height=11, color=RULE)
        else:
            fill.bar(axes, at + shift, end - start, left=start, height=11)
        text = canvas.labels(canvas.words.format(share, "percent0"))
        place = {"xytext": (5, 0), "textcoords": "offset points", "va": "center_baseline"}
        axes.annotate(text, (max(start, end), at + shift), size=_SMALL, **place)


def _paint_scale(
    canvas: Canvas, axes: Axes, part: _Part, y: Sequence[float], lines: Sequence[object]
) -> None:
    """Draw the scale of the dots behind them, and its numbers below."""
    across = (part.right - part.left) * axes.get_position().width * canvas.width
    # on a phone names stand between the marks, and no line may cross them
    spans = [(at - 13, at + 13) for at, line in zip(y, lines, strict=False) if line is not None]
    for x, text in ticks_that_fit(0, part.high, across + 30, canvas.words, "percent0"):
        axes.vlines([part.at(x)] * len(spans), *zip(*spans, strict=True), color=RULE, lw=0.8)
        style = {"ha": "center", "va": "center_baseline", "color": SOFT}
        axes.text(part.at(x), y[-1], canvas.labels(text), **style)
    keep_inside(axes, canvas)
