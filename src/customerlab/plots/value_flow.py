"""Who moved from which group of customers to which: a flow, and on a phone a map of numbers."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from customerlab.messages import ENGLISH, Message, Words, say
from customerlab.plots.actions import FILLS, Fill
from customerlab.plots.chart import INK, PAPER, RULE, SOFT, TINTS, Canvas, Chart, draw, text_width
from customerlab.plots.drivers import draw_nothing
from customerlab.plots.moves import CALLED, Moves, read_moves

_LINE = 19.0
_HIGH, _BLOCK = 300.0, 14.0  # of all customers together, and how broad their blocks are, in pixels
_SHADES = (PAPER, *TINTS[:0:-1])


def segment_flow(
    table: pd.DataFrame,
    words: Words = ENGLISH,
    *,
    since: dt.date | None = None,
    title: Message | str | None = None,
) -> Chart:
    """Draw how many of the most valuable, the promising and those of low value became what.

    Parameters
    ----------
    table : DataFrame
        From :func:`customerlab.value.rfm_flow.flow_to_show`: segments are put together by what is
        proposed for them. Small numbers of customers, which are masked, count as half of what
        they may be at most; shares that rounding may have moved by more than five percentage
        points are not told.
    words : Words
    since : date, optional
        When ``then`` was.
    title : Message or str, optional

    Returns
    -------
    Chart
        Bands from left to right; on a phone a map of shares.
    """
    moves = read_moves(table, words)
    then = say("Then")
    if since is not None:
        then = say("On {since:date}", since=since)

    def paint(canvas: Canvas) -> None:
        if moves.customers.empty:
            return draw_nothing(canvas)
        return (_paint_map if canvas.narrow else _paint_flow)(canvas, moves, then)

    told = [
        say(
            "{then} to {now}: {share:percent0}",
            then=_name(a),
            now=_name(b),
            share=moves.share(a, b),
        )
        for a in moves.customers.index
        for b in moves.customers.columns
        if moves.told[a]
    ]
    return draw(
        paint,
        words,
        title=title or _title(moves, since),
        subtitle=say(
            "Under the names: share of today's customers who were there then, and who are there "
            "now. On the way: share of those who were in the group then"
        ),
        alt=say(
            "Flows between groups: {rows}.",
            rows=words(say("; ")).join(map(words, told)) or words(say("none")),
        ),
    )


def _name(key: str) -> Message | str:
    return CALLED.get(key, key)


def _title(moves: Moves, since: dt.date | None) -> Message:
    def told(then: str, now: str) -> bool:
        return moves.told.get(then, False) and now in moves.customers.columns

    if not told("keep", "keep"):
        return say("Too few customers were most valuable then to say how many still are.")
    facts = {"stayed": moves.share("keep", "keep"), "since": since}
    if not told("win", "keep"):
        return say("{stayed:percent0} of the most valuable still are.", **facts)
    facts["rose"] = moves.share("win", "keep")
    if since is None:
        return say(
            "{stayed:percent0} of the most valuable still are; {rose:percent0} of the promising "
            "rose among them.",
            **facts,
        )
    return say(
        "{stayed:percent0} of the most valuable on {since:date} still are; {rose:percent0} of the "
        "promising rose among them.",
        **facts,
    )


def _blocks(sizes: Sequence[float], top: float) -> list[tuple[float, float]]:
    """Return top and height of each block: there is room for two lines of text at each."""
    places, at = [], top
    for size in sizes:
        slot = max(size, 2 * _LINE + 4)
        places.append((at + (slot - size) / 2, size))
        at += slot + 12
    return places


def _paint_flow(canvas: Canvas, moves: Moves, then: Message) -> None:
    square = moves.customers
    whole = square.to_numpy().sum()
    heights = square / whole * _HIGH
    top = _LINE + 10
    left = _blocks(heights.sum(axis=1).tolist(), top)
    right = _blocks(heights.sum(axis=0).tolist(), top)
    canvas.grow_to(max(sum(side[-1]) for side in (left, right)) + 24)
    sheet = canvas.sheet()
    widest = max(
        [text_width(canvas.labels(_name(key)), bold=True) for key in [*square.index, *square]]
    )
    margin = min(widest, 0.25 * canvas.width) + _BLOCK + 10
    x0, x1 = margin, canvas.width - margin
    for (x, side), head in (((x0, "left"), then), ((x1, "right"), say("Now"))):
        style = {"ha": side, "va": "center_baseline", "color": SOFT}
        sheet.text(x, _LINE / 2, canvas.labels(head), **style)
    sides = ((square.index, left, x0, "right", False), (square.columns, right, x1, "left", True))
    for keys, blocks, x, side, now in sides:
        for key, (at, size) in zip(keys, blocks, strict=True):
            sheet.barh(at + size / 2, _BLOCK, left=x - _BLOCK * (not now), height=size, color=INK)
            edge = x + (_BLOCK + 8) * (1 if now else -1)
            middle, style = at + size / 2, {"ha": side, "va": "center_baseline"}
            name = canvas.lines(_name(key), margin - _BLOCK - 8, bold=True)
            share = canvas.labels(canvas.words.format(moves.of_all(key, now=now), "percent0"))
            first = middle - len(name) * _LINE / 2
            for i, text in enumerate(name):
                sheet.text(edge, first + i * _LINE, text, weight="bold", **style)
            sheet.text(edge, first + len(name) * _LINE, share, color=SOFT, **style)
    _paint_ways(canvas, sheet, moves, heights, (left, right), (x0 + 1, x1 - 1))


def _paint_ways(
    canvas: Canvas,
    sheet: Axes,
    moves: Moves,
    heights: pd.DataFrame,
    blocks: tuple[Sequence[tuple[float, float]], Sequence[tuple[float, float]]],
    ends: tuple[float, float],
) -> None:
    """Draw a band from each group then to each group now, with its share at its beginning."""
    leave = [at for at, _ in blocks[0]]
    come = [at for at, _ in blocks[1]]
    t = np.linspace(0, 1, 60)
    bend = t * t * (3 - 2 * t)
    x = ends[0] + t * (ends[1] - ends[0])
    for i, a in enumerate(heights.index):
        fill = FILLS.get(a, Fill(RULE))
        for j, b in enumerate(heights.columns):
            high = float(heights.loc[a, b])
            if high <= 0:
                continue
            upper = leave[i] + (come[j] - leave[i]) * bend
            style = {"facecolor": fill.color, "alpha": 0.42, "edgecolor": PAPER, "linewidth": 0.8}
            sheet.fill_between(x, upper, upper + high, **style)
            share = moves.share(a, b)
            if high >= 15 and math.isfinite(share):
                text = canvas.labels(canvas.words.format(share, "percent0"))
                at = leave[i] + high / 2
                sheet.text(ends[0] + 8, at, text, va="center_baseline", size=12)
            leave[i] += high
            come[j] += high


def _paint_map(canvas: Canvas, moves: Moves, then: Message) -> None:
    square = moves.customers
    cell = min(80.0, 0.64 * canvas.width / len(square.columns))
    left = canvas.width - cell * len(square.columns) - 2
    heads = [canvas.lines(_name(key), cell - 6) for key in square.columns]
    names = [canvas.lines(_name(key), left - 8, bold=True) for key in square.index]
    top = _LINE * (1 + max(map(len, heads))) + 8
    rows = [_LINE * (len(lines) + 1) + 10 for lines in names]
    canvas.grow_to(top + sum(rows) + 4)
    sheet = canvas.sheet()
    sheet.text(0, _LINE / 2, canvas.labels(then), va="center_baseline", color=SOFT)
    middle = left + cell * len(square.columns) / 2
    now = canvas.labels(say("Now"))
    sheet.text(middle, _LINE / 2, now, ha="center", va="center_baseline", color=SOFT)
    for j, lines in enumerate(heads):
        for i, text in enumerate(lines):
            place = (left + cell * (j + 0.5), _LINE * (i + 1.5))
            sheet.text(*place, text, ha="center", va="center_baseline", weight="bold")
    y = top
    for a, lines, high in zip(square.index, names, rows, strict=True):
        for i, text in enumerate(lines):
            sheet.text(0, y + 5 + _LINE * (i + 0.5), text, va="center_baseline", weight="bold")
        share = canvas.labels(canvas.words.format(moves.of_all(a, now=False), "percent0"))
        at = y + 5 + _LINE * (len(lines) + 0.5)
        sheet.text(0, at, share, va="center_baseline", color=SOFT)
        for j, b in enumerate(square.columns):
            share = moves.share(a, b)
            known = math.isfinite(share)
            shade = _SHADES[min(int(len(_SHADES) * share), len(_SHADES) - 1)] if known else PAPER
            ends = [left + cell * j + 1, left + cell * (j + 1) - 1]
            sheet.fill_between(ends, y + 1, y + high - 1, facecolor=shade, edgecolor=RULE, lw=0.6)
            told = canvas.words.format(share, "percent0") if known else say("hidden")
            style = {"ha": "center", "va": "center_baseline", "color": INK}
            sheet.text(sum(ends) / 2, y + high / 2, canvas.labels(told), **style)
        y += high
