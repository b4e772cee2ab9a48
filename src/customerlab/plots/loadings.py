"""Which items belong to which factor: loadings as a map of numbers."""

from __future__ import annotations

import math

import pandas as pd

from customerlab.messages import ENGLISH, Message, Words, say
from customerlab.plots.chart import ACCENT, INK, PAPER, RULE, SOFT, TINTS, Canvas, Chart, draw

_LINE = 19.0
_PAD = 10.0
_GAP = 10.0
#: Above each the next darker tint; the number stands in every cell, dark on all of them.
_LIMITS = (0.2, 0.4, 0.6)
_SHADES = (PAPER, TINTS[3], TINTS[2], TINTS[1])


def factor_loadings(
    table: pd.DataFrame, words: Words = ENGLISH, *, title: Message | None = None
) -> Chart:
    """Draw the loading of each item on each factor.

    Parameters
    ----------
    table : DataFrame
        From :func:`customerlab.drivers.factor_names.loadings_to_show`: ``item``, ``factor`` (text
        or messages), ``own``, ``loading``; items in the order in which they are drawn.
    words : Words
    title : Message, optional
        What the figure shows; computed when left out.

    Returns
    -------
    Chart
        A row an item, a column a factor. The larger a loading, whatever its sign, the darker; a
        negative one is hatched. The items of a factor stand together and its loadings are bold.
    """
    factors = {words(name): name for name in table["factor"]}
    items = list(dict.fromkeys(words(name) for name in table["item"]))
    cells = {(words(line.item), words(line.factor)): line for line in table.itertuples()}
    own = table[table["own"]]
    home = {words(line.item): words(line.factor) for line in own.itertuples()}

    def paint(canvas: Canvas) -> None:
        _paint(canvas, items, list(factors), cells, home)

    return draw(
        paint,
        words,
        title=title or _title(table, len(items), len(factors)),
        subtitle=say(
            "Loadings: what one standard deviation of the factor, the other factors alike, does "
            "to the item, in its own. Darker: a larger one; hatched: a negative one; bold: the "
            "factor that the item belongs to"
        ),
        alt=say(
            "A table of loadings, the largest of each item: {rows}.",
            rows=words(say("; ")).join(
                words(
                    say(
                        "{item} on {factor} {loading:number2}",
                        item=line.item,
                        factor=line.factor,
                        loading=line.loading,
                    )
                )
                for line in own.itertuples()
            ),
        ),
    )


def _title(table: pd.DataFrame, items: int, factors: int) -> Message:
    if not factors:
        return say("No factor was found behind the items.")
    first = table["factor"].iloc[0]
    if factors == 1:
        return say(
            "One factor is behind the {items:count} items: {first}.", items=items, first=first
        )
    return say(
        "{items:count} items come down to {factors:count} factors; the one that tells most is "
        "{first}.",
        items=items,
        factors=factors,
        first=first,
    )


def _paint(
    canvas: Canvas,
    items: list[str],
    factors: list[str],
    cells: dict[tuple[str, str], object],
    home: dict[str, str],
) -> None:
    cell = min(118.0 if not canvas.narrow else 66.0, canvas.width * 0.72 / max(len(factors), 1))
    # heads that do not fit their columns are numbers, and stand in full above their items
    heads = [canvas.lines(name, cell - 6) for name in factors]
    numbered = canvas.narrow or max([len(head) for head in heads], default=0) > 5
    left = canvas.width - cell * len(factors) - 2
    # on a phone an item stands above its row when there is no room beside it
    above = left < 110
    if numbered:
        heads = [[canvas.labels(str(i + 1))] for i in range(len(factors))]
    if above:
        cell, left = (canvas.width - 2) / max(len(factors), 1), 0.0
    names = [canvas.lines(item, canvas.width if above else left - 12) for item in items]
    groups = {item: i for i, item in enumerate(items) if i == 0 or home[item] != home[items[i - 1]]}
    captions = {
        item: canvas.lines(
            say(
                "{number:count}. {factor}", number=factors.index(home[item]) + 1, factor=home[item]
            ),
            canvas.width,
            bold=True,
        )
        for item in groups
        if numbered
    }
    top = _LINE * max([len(head) for head in heads], default=0) + 6
    height = top + 4
    for item, lines in zip(items, names, strict=True):
        height += (_GAP if item in groups else 0) + _LINE * len(captions.get(item, []))
        height += _LINE * len(lines) + _PAD + (_LINE if above else 0)
    canvas.grow_to(height)
    sheet = canvas.sheet()
    for j, head in enumerate(heads):
        for k, line in enumerate(head):  # the last line of each stands on the first row
            at = top - 6 - _LINE * (len(head) - k - 0.5)
            middle = left + (j + 0.5) * cell
            sheet.text(middle, at, line, ha="center", va="center_baseline", color=SOFT)
    y = top
    for item, lines in zip(items, names, strict=True):
        if item in groups:
            y += _GAP
        for line in captions.get(item, []):
            sheet.text(0, y + _LINE / 2, line, va="center_baseline", weight="bold")
            y += _LINE
        text = _LINE * len(lines)
        tall = _LINE + _PAD if above else text + _PAD
        first = y + _LINE / 2 if above else y + (tall - text + _LINE) / 2
        for k, line in enumerate(lines):
            sheet.text(0, first + k * _LINE, line, va="center_baseline")
        y += text if above else 0
        for j, factor in enumerate(factors):
            _cell(canvas, sheet, cells[item, factor], left + j * cell, y, cell, tall)
        y += tall


def _cell(
    canvas: Canvas, sheet: object, line: object, x: float, y: float, width: float, height: float
) -> None:
    loading = line.loading
    shade = PAPER if math.isnan(loading) else _SHADES[sum(abs(loading) >= at for at in _LIMITS)]
    box = ([x + 1, x + width - 1], y + 1, y + height - 1)
    sheet.fill_between(*box, facecolor=shade, edgecolor=RULE, lw=0.6)
    text = canvas.labels(say("{loading:number2}", loading=round(loading, 2) + 0.0))  # no -0.00
    if loading < 0 and shade != PAPER:
        # hatched at the sides only: no line crosses the number
        for ends in ([x + 1, x + width * 0.13], [x + width * 0.87, x + width - 1]):
            sheet.fill_between(
                ends, y + 1, y + height - 1, fc="none", ec=ACCENT, hatch="////", lw=0
            )
    sheet.text(
        x + width / 2,
        y + height / 2,
        text,
        ha="center",
        va="center_baseline",
        color=INK if line.own or abs(loading) >= _LIMITS[0] else SOFT,
        weight="bold" if line.own else "normal",
    )
