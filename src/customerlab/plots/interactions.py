"""Two causes together: the ratio of every pair of levels beside what the two multiply to."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from customerlab.messages import ENGLISH, Message, Words, say
from customerlab.plots.chart import (
    ACCENT,
    INK,
    PAPER,
    RULE,
    SOFT,
    TINTS,
    Canvas,
    Chart,
    draw,
    text_width,
)

_LINE = 19
_GAP = 4


def interaction_heat(
    table: pd.DataFrame, words: Words = ENGLISH, *, title: Message | None = None
) -> Chart:
    """Draw the hazard ratio of each pair of levels, and where it is not the product of the two.

    Parameters
    ----------
    table : DataFrame
        From :func:`customerlab.churn.combined.combined_in_words`: ``term_a``, ``level_a``,
        ``term_b``, ``level_b`` (text or message), ``hazard_ratio``, ``product``, ``beyond``,
        ``beyond_low``, ``beyond_high``.
    words : Words
    title : Message, optional
        What the figure shows; computed when left out.

    Returns
    -------
    Chart
        One cell a pair: the ratio, and under it the product. Dark with an arrow up where the
        range of the one over the other is above 1, light with an arrow down where it is below.
        On a phone a list, where there are too many columns.
    """
    table = _upright(table)
    names = {words(level): level for level in table["level_a"]}
    rows = list(names)
    columns = list(dict.fromkeys(words(level) for level in table["level_b"]))
    cells = {(words(line.level_a), words(line.level_b)): line for line in table.itertuples()}

    def paint(canvas: Canvas) -> None:
        labels = [canvas.labels(name) for name in rows]
        left = 0.0
        if not canvas.narrow:
            left = min(max([text_width(name) for name in labels], default=0), 220.0) + 14
        width = (canvas.width - left) / max(len(columns), 1)
        heads = [canvas.lines(name, width - 8) for name in columns]
        widest = max([text_width(line) for head in heads for line in head], default=0)
        if canvas.narrow and (widest > width - 2 or width < 60):
            _list(canvas, rows, columns, cells)
        else:
            _grid(canvas, rows, columns, cells, left, width, heads)

    return draw(
        paint,
        words,
        title=title or _title(table),
        subtitle=say(
            "Times as likely to leave in a month as those with the first of both, all else alike; "
            "in brackets what the two ratios multiply to. ▲ more than that, ▼ less, beyond chance"
        )
        if table.empty
        else say(
            "Times as likely to leave in a month as “{first}” with “{second}”, all else alike; in "
            "brackets what the two ratios multiply to. ▲ more than that, ▼ less, beyond chance",
            **_references(table),
        ),
        alt=say(
            "A table of ratios: {rows}.",
            rows=words(say("; ")).join(_aloud(line, words) for line in table.itertuples()),
        ),
    )


def _upright(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table with the term of fewer levels across, so that columns are wide."""
    across, down = (table[f"level_{end}"].map(str).nunique() for end in ("b", "a"))
    if across <= down:
        return table
    ends = {"term_a": "term_b", "level_a": "level_b"}
    return table.rename(columns=ends | {new: old for old, new in ends.items()})


def _sign(line: object) -> int:
    """Return 1 where a pair leaves more often than the product beyond chance, -1 where less."""
    return int(line.beyond_low > 1) - int(line.beyond_high < 1)


def _number(line: object) -> Message:
    if math.isnan(line.hazard_ratio):
        return say("too few")
    if _sign(line):
        mark = "▲" if _sign(line) > 0 else "▼"
        return say("{ratio:number2} {mark}", ratio=line.hazard_ratio, mark=mark)
    return say("{ratio:number2}", ratio=line.hazard_ratio)


def _product(line: object) -> Message:
    return say("({ratio:number2})", ratio=line.product)


def _grid(
    canvas: Canvas,
    rows: list[str],
    columns: list[str],
    cells: dict[tuple[str, str], object],
    left: float,
    width: float,
    heads: list[list[str]],
) -> None:
    names = [canvas.lines(name, left - 14 if left else canvas.width) for name in rows]
    top = _LINE * max([len(head) for head in heads], default=0) + 6
    tall = 2 * _LINE + 10
    above = [_LINE * len(name) + 4 if canvas.narrow else 0.0 for name in names]
    starts = top + np.cumsum([0.0, *(tall + _GAP + extra for extra in above)])
    canvas.grow_to(float(starts[-1]) + 2)
    sheet = canvas.sheet()
    for j, head in enumerate(heads):
        for k, line in enumerate(head):  # the last line of each stands on the first row
            at = top - 6 - _LINE * (len(head) - k - 0.5)
            middle = left + (j + 0.5) * width
            sheet.text(middle, at, line, ha="center", va="center_baseline", color=SOFT)
    for name, key, start, extra in zip(names, rows, starts[:-1], above, strict=True):
        first = start + _LINE / 2 if canvas.narrow else start + (tall - _LINE * (len(name) - 1)) / 2
        for k, line in enumerate(name):
            sheet.text(0, first + k * _LINE, line, va="center_baseline")
        for j, column in enumerate(columns):
            line = cells[key, column]
            x, y = left + j * width, start + extra
            dark, light = _sign(line) > 0, _sign(line) < 0
            fill = TINTS[1] if dark else TINTS[3] if light else PAPER
            box = ([x, x + width - _GAP], y, y + tall)
            sheet.fill_between(*box, facecolor=fill, edgecolor=ACCENT if light else RULE, lw=1)
            middle = x + (width - _GAP) / 2
            for text, at, color, weight in (
                (_number(line), 0.5, INK, "bold" if dark or light else "normal"),
                (_product(line), 1.5, INK if dark else SOFT, "normal"),
            ):
                height = y + 5 + at * _LINE
                sheet.text(
                    middle,
                    height,
                    canvas.labels(text),
                    ha="center",
                    va="center_baseline",
                    color=color,
                    weight=weight,
                )


def _list(
    canvas: Canvas,
    rows: list[str],
    columns: list[str],
    cells: dict[tuple[str, str], object],
) -> None:
    """Write one line a pair, under the level of the first: there is no room for columns."""
    product = canvas.width
    ratio = product - max(text_width(canvas.labels(_product(one))) for one in cells.values()) - 10
    widest = max(text_width(canvas.labels(_number(one)), bold=True) for one in cells.values())
    names = {c: canvas.lines(c, ratio - widest - 20) for c in columns}
    headings = {r: canvas.lines(r, canvas.width, bold=True) for r in rows}
    tall = {c: _LINE * len(names[c]) + 5 for c in columns}
    heights = [_LINE * len(headings[r]) + 10 + sum(tall.values()) for r in rows]
    canvas.grow_to(sum(heights) + 2)
    sheet, y = canvas.sheet(), 0.0
    for row in rows:
        for line in headings[row]:
            sheet.text(0, y + _LINE / 2 + 2, line, va="center_baseline", weight="bold")
            y += _LINE
        y += 4
        for column in columns:
            one = cells[row, column]
            sign = _sign(one)
            if sign:
                box = ([ratio - widest - 6, ratio + 4], y - 1, y + _LINE + 2)
                sheet.fill_between(*box, color=TINTS[1] if sign > 0 else TINTS[3], lw=0)
            for k, line in enumerate(names[column]):
                sheet.text(12, y + (k + 0.5) * _LINE, line, va="center_baseline")
            at, color = y + _LINE / 2, INK
            weight = "bold" if sign else "normal"
            number = canvas.labels(_number(one))
            style = {"ha": "right", "va": "center_baseline"}
            sheet.text(ratio, at, number, color=color, weight=weight, **style)
            sheet.text(product, at, canvas.labels(_product(one)), color=SOFT, **style)
            y += tall[column]
        y += 6


def _references(table: pd.DataFrame) -> dict[str, Message]:
    """Return the two levels that all others are compared with: their ratio is 1, of nothing."""
    at = table[(table["hazard_ratio"] == 1) & table["low"].isna()]
    line = at.iloc[0] if len(at) else table.iloc[0]
    return _both(line)


def _both(line: pd.Series) -> dict[str, Message]:
    """Return the two levels of a row, each with its feature: “0” alone would say nothing."""
    first, second = (
        say("{feature}: {level}", feature=line[f"term_{end}"], level=line[f"level_{end}"])
        for end in ("a", "b")
    )
    return {"first": first, "second": second}


def _title(table: pd.DataFrame) -> Message:
    certain = table[(table["beyond_low"] > 1) | (table["beyond_high"] < 1)]
    if certain.empty:
        return say("No pair leaves more or less often than its two ratios multiply to.")
    far = np.log(certain["beyond"].astype(float)).abs()
    line = certain.loc[far.idxmax()]
    return say(
        "“{first}” with “{second}”: {ratio:number2} times, where the two multiply to "
        "{product:number2}.",
        ratio=line["hazard_ratio"],
        product=line["product"],
        **_both(line),
    )


def _aloud(line: object, words: Words) -> str:
    return words(
        say(
            "{first} with {second}: {ratio}, product {product:number2}",
            first=line.level_a,
            second=line.level_b,
            ratio=say("too few")
            if math.isnan(line.hazard_ratio)
            else say("{ratio:number2}", ratio=line.hazard_ratio),
            product=line.product,
        )
    )
