"""The points of a scorecard, column by column, as a branch adds them up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
from matplotlib.axes import Axes

from customerlab.messages import ENGLISH, Message, Words, say
from customerlab.plots.chart import INK, SOFT, TINTS, Canvas, Chart, draw, text_width
from customerlab.plots.drivers import draw_nothing
from customerlab.plots.panels import known_rows

_LINE, _ROW = 17.0, 24.0
_GAP = 36.0  # between two columns of the drawing
#: So many features are drawn, those that are worth most points.
_MOST = 8


@dataclass(frozen=True)
class _Bin:
    name: Message | str
    points: float
    rate: str


def scorecard_points(
    table: pd.DataFrame, words: Words = ENGLISH, *, title: Message | str | None = None
) -> Chart:
    """Draw the points of each bin of the features that are worth most.

    Parameters
    ----------
    table : DataFrame
        From :func:`customerlab.response.scorecard.scorecard_to_show`: ``feature`` (those that
        tell most first), ``bin``, ``points``, ``rate`` (or ``hidden``). Those with the most
        points between their bins come first, and of more than eight features these are drawn.
    words : Words
    title : Message or str, optional

    Returns
    -------
    Chart
        Two columns of features, on a phone one; at the right of a bin the share that responded.
    """
    known = known_rows(table, ["points"])
    cards: dict[str, tuple[Message | str, list[_Bin]]] = {}
    for row in known.itertuples():
        rate = row.rate if not isinstance(row.rate, str) else say("hidden")
        told = words(rate) if isinstance(rate, Message) else words.format(rate, "percent1")
        _, bins = cards.setdefault(words(row.feature), (row.feature, []))
        bins.append(_Bin(row.bin, row.points, told))
    # what tells much may be worth few points, where others tell the same
    every = sorted(cards.values(), key=lambda card: -_reach(card[1]))
    shown = every[:_MOST]

    def paint(canvas: Canvas) -> None:
        if not shown:
            return draw_nothing(canvas)
        return _paint_cards(canvas, shown)

    told = [
        say(
            "{feature}: {bins}",
            feature=feature,
            bins=words(say(", ")).join(
                words(say("{bin} {points:count}", bin=one.name, points=one.points)) for one in bins
            ),
        )
        for feature, bins in shown
    ]
    subtitle = say(
        "A customer's points are added up: the more, the higher the chance of a response. In grey: "
        "the share that responded"
    )
    if len(every) > len(shown):
        subtitle = say(
            "{subtitle}. The {shown:count} features worth most points, of {all:count}",
            subtitle=subtitle,
            shown=len(shown),
            all=len(every),
        )
    return draw(
        paint,
        words,
        title=title or _title(shown),
        subtitle=subtitle,
        alt=say(
            "Points by feature. {rows}.",
            rows=words(say("; ")).join(map(words, told)) or words(say("none")),
        ),
    )


def _reach(bins: Sequence[_Bin]) -> float:
    """Return how many points lie between the best bin and the worst."""
    return max(one.points for one in bins) - min(one.points for one in bins)


def _title(shown: Sequence[tuple[Message | str, list[_Bin]]]) -> Message:
    if not shown:
        return say("No scorecard: too few responses, or no feature tells enough.")
    feature, bins = shown[0]
    best = max(bins, key=lambda one: one.points)
    return say(
        "“{feature}” makes the largest difference: {points:count} points for “{bin}”.",
        feature=feature,
        bin=best.name,
        points=best.points,
    )


def _paint_cards(canvas: Canvas, shown: Sequence[tuple[Message | str, list[_Bin]]]) -> None:
    columns = 1 if canvas.narrow or len(shown) == 1 else 2
    width = (canvas.width - (columns - 1) * _GAP) / columns
    rates = max(text_width(canvas.labels(one.rate)) for _, bins in shown for one in bins)
    longest = max(text_width(canvas.labels(one.name)) for _, bins in shown for one in bins)
    name_width = min(longest, 0.44 * width)
    lines = [[canvas.lines(one.name, name_width) for one in bins] for _, bins in shown]
    heads = [canvas.lines(feature, width, bold=True) for feature, _ in shown]
    heights = [
        _LINE * len(head) + 6 + sum(_height(names) for names in texts) + 14
        for head, texts in zip(heads, lines, strict=True)
    ]
    first = _first_column(heights) if columns == 2 else len(shown)
    canvas.grow_to(max(sum(heights[:first]), sum(heights[first:])) - 8)
    sheet = canvas.sheet()
    most = max(one.points for _, bins in shown for one in bins) or 1.0
    number = text_width(canvas.words.format(most, "count")) + 8
    left, y = 0.0, 0.0
    for i, (_, bins) in enumerate(shown):
        if i == first:
            left, y = width + _GAP, 0.0
        start = left + name_width + 10
        room = width - name_width - 10 - number - rates - 10
        at = y
        for text in heads[i]:
            sheet.text(left, at + _LINE / 2, text, va="center_baseline", weight="bold")
            at += _LINE
        at += 6
        for one, names in zip(bins, lines[i], strict=True):
            high = _height(names)
            _paint_bin(
                canvas, sheet, one, names, (left, start, left + width), at + high / 2, room / most
            )
            at += high
        sheet.vlines(start, y + _LINE * len(heads[i]) + 6, at, color=INK, lw=1)
        y += heights[i]


def _height(names: Sequence[str]) -> float:
    return max(_ROW, _LINE * len(names) + 7)


def _first_column(heights: Sequence[float]) -> int:
    """Return how many cards stand in the first column, so that both are about as high."""
    return min(
        range(1, len(heights) + 1),
        key=lambda n: (max(sum(heights[:n]), sum(heights[n:])), n),
    )


def _paint_bin(
    canvas: Canvas,
    sheet: Axes,
    one: _Bin,
    names: Sequence[str],
    across: tuple[float, float, float],
    middle: float,
    a_point: float,
) -> None:
    """Draw name, bar and number, and the share that responded, from left to right."""
    left, start, right = across
    for i, text in enumerate(names):
        at = middle + (i - (len(names) - 1) / 2) * _LINE
        sheet.text(left, at, text, va="center_baseline")
    sheet.barh(middle, one.points * a_point, left=start, height=14, color=TINTS[1])
    points = canvas.labels(canvas.words.format(one.points, "count"))
    sheet.text(start + one.points * a_point + 5, middle, points, va="center_baseline")
    style = {"ha": "right", "va": "center_baseline", "color": SOFT}
    sheet.text(right, middle, canvas.labels(one.rate), **style)
