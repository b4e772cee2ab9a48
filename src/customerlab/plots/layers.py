"""What layers hold and like: accounts against their customers, and each layer's preferences."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from customerlab.layers import LAYERS
from customerlab.messages import ENGLISH, Message, Words, say
from customerlab.plots.chart import INK, SIZE, SOFT, Canvas, Chart, draw, text_width
from customerlab.plots.rows import Row, lay_rows
from customerlab.privacy import HIDDEN

_LINE = 18
_CELL = 26  # the height that a row leaves for its cells
_EDGE = 2.0  # pixels between two cells
#: From light to middling: letters stand on them, and a page gives letters a white edge.
_MORE = ("#e9f2f2", "#d3e4e4", "#b5d3d3", "#8fbdbd")
_LESS = ("#f8ede6", "#f0dacb", "#e4c2ab", "#d5a383")
#: How far from 100 an index must be, in either direction, for each tint but the first.
_FAR = (1.1, 1.25, 1.6)
#: How much of the logarithm of the largest count a count must have for each tint but the first.
_MANY = (0.35, 0.6, 0.85)
#: Values drawn: more would not be read.
_MOST_ROWS = 12


@dataclass(frozen=True)
class _Cell:
    """One cell of a grid.

    Attributes
    ----------
    text : Message or str
    short : Message or str
        The same for a phone.
    color : str
        Of the ground; empty for none.
    faint : bool
        Letters that step back.
    """

    text: Message | str
    short: Message | str = ""
    color: str = ""
    faint: bool = False


def account_bands(
    table: pd.DataFrame, words: Words = ENGLISH, *, title: Message | None = None
) -> Chart:
    """Draw how many accounts of each size belong to customers of each size.

    Parameters
    ----------
    table : DataFrame
        ``account_band`` and ``customer_band`` (Messages), ``accounts`` (a count, or the text of a
        masked one): see :func:`customerlab.layers.accounts.count_accounts`.
    words : Words
    title : Message, optional
        What the figure shows; computed when left out.

    Returns
    -------
    Chart
        A row per band of accounts, a column per band of customers. A masked count has its text
        and no tint.
    """
    held = list(dict.fromkeys(table["account_band"]))
    owned = list(dict.fromkeys(table["customer_band"]))
    counts = pd.to_numeric(table["accounts"], errors="coerce")
    top = counts.max()
    cells = {
        (held.index(line.account_band), owned.index(line.customer_band)): _count_cell(
            line.accounts, top, words
        )
        for line in table.itertuples()
    }

    def paint(canvas: Canvas) -> None:
        _paint_grid(canvas, [Row(band) for band in held], owned, cells)

    lines = [
        say(
            "accounts with {band}: {counts}",
            band=band,
            counts=words(say(", ")).join(
                words(say("{count} ({owner})", count=cells[i, j].text, owner=owner))
                for j, owner in enumerate(owned)
                if (i, j) in cells
            ),
        )
        for i, band in enumerate(held)
    ]
    return draw(
        paint,
        words,
        title=title or _bands_title(table.assign(accounts=counts), held, owned),
        subtitle=say(
            "Open accounts. Rows: what the account holds; columns: what its customer has in all, "
            "in {currency}. An amount equal to a limit belongs below it",
            currency=words.currency,
        )
        if words.currency
        else say(
            "Open accounts. Rows: what the account holds; columns: what its customer has in all. "
            "An amount equal to a limit belongs below it"
        ),
        alt=say(
            "Grid, in brackets what the customers have in all: {rows}.",
            rows=words(say("; ")).join(map(words, lines)),
        ),
    )


def _count_cell(count: object, top: float, words: Words) -> _Cell:
    if isinstance(count, str):
        return _Cell(say("hidden") if count == HIDDEN else count, faint=True)
    if pd.isna(count) or not count:
        return _Cell(words.format(count, "count"), faint=True)
    # counts of accounts differ by orders of magnitude
    size = math.log1p(count) / math.log1p(top)
    step = sum(size > limit for limit in _MANY)
    return _Cell(words.format(count, "count"), color=_MORE[step])


def _bands_title(table: pd.DataFrame, held: list[Message], owned: list[Message]) -> Message:
    """Say how many of the lowest accounts belong to the customers of the two highest bands."""
    good = [band for band in owned if "low" in _limits(band)][-2:]
    low = table[table["account_band"].map(lambda band: band == held[0])] if held else table
    if not good or low["accounts"].isna().any() or not low["accounts"].sum():
        return say("Whose the small accounts are.")
    of_good = low["customer_band"].map(lambda band: band in good)
    return say(
        "{share:percent} of the accounts with at most {low:number} belong to customers with more "
        "than {good:number}.",
        share=low.loc[of_good, "accounts"].sum() / low["accounts"].sum(),
        low=_limits(held[0])["high"],
        good=_limits(good[0])["low"],
    )


def _limits(band: Message) -> Mapping[str, float]:
    return band.values  # noqa: PD011 -- a message, no frame


def preferences(
    table: pd.DataFrame, words: Words = ENGLISH, *, title: Message | None = None
) -> Chart:
    """Draw what the customers of each layer do more often, or less often, than all.

    Parameters
    ----------
    table : DataFrame
        ``dimension``, ``value``, ``layer`` (a key of :data:`customerlab.layers.LAYERS`),
        ``index``, ``low``, ``high`` (numbers, or the text of masked ones): see
        :func:`customerlab.layers.preferences.prefer`.
    words : Words
    title : Message, optional
        What the figure shows; computed when left out.

    Returns
    -------
    Chart
        A row per value, grouped by dimension, and a column per layer. Only values for which the
        interval of some layer leaves out 100, and of them the 12 that differ most.
    """
    numbers = table.assign(
        **{name: pd.to_numeric(table[name], errors="coerce") for name in ("index", "low", "high")},
        hidden=table["index"].map(lambda value: isinstance(value, str)),
    )
    numbers["certain"] = (numbers["low"] > 100) | (numbers["high"] < 100)
    numbers["far"] = numbers["index"].where(numbers["certain"] & (numbers["index"] > 0))
    numbers["far"] = numbers["far"].map(lambda index: abs(math.log(index / 100)))
    layers = [layer for layer in LAYERS if layer in set(table["layer"])]
    rows, cells = _differing(numbers, layers, words)

    def paint(canvas: Canvas) -> None:
        _paint_grid(canvas, rows, [LAYERS[layer] for layer in layers], cells)

    told = [
        say(
            "{value}: {cells}",
            value=row.name,
            cells=words(say(", ")).join(
                words(say("{count} ({owner})", count=cells[i, j].text, owner=LAYERS[layer]))
                for j, layer in enumerate(layers)
                if (i, j) in cells
            ),
        )
        for i, row in enumerate(rows)
        if not row.heading
    ]
    return draw(
        paint,
        words,
        title=title or _strongest(numbers),
        subtitle=say(
            "Index of the share of a customer's movements; 100: as often as all customers, with "
            "95 % range. Tinted: different for certain, green more often, brown less often. At "
            "most {rows:count} values",
            rows=_MOST_ROWS,
        ),
        alt=say("Grid: {rows}.", rows=words(say("; ")).join(map(words, told)))
        if told
        else say("Grid without rows: no difference is certain."),
    )


def _differing(
    numbers: pd.DataFrame, layers: Sequence[str], words: Words
) -> tuple[list[Row], dict[tuple[int, int], _Cell]]:
    """Return the rows of the values that differ most, under their dimensions, and their cells."""
    groups: dict[tuple[Message, str], pd.DataFrame] = {}
    names = numbers["value"].map(lambda value: f"{type(value).__name__} {value}")
    for (_, _), part in numbers.groupby([numbers["dimension"].map(str), names], sort=False):
        groups[part["dimension"].iloc[0], names[part.index[0]]] = part
    differ = [key for key, part in groups.items() if part["certain"].any()]
    most = sorted(differ, key=lambda key: -groups[key]["far"].max())[:_MOST_ROWS]
    rows: list[Row] = []
    cells: dict[tuple[int, int], _Cell] = {}
    dimension: Message | None = None
    for key in (key for key in groups if key in most):
        if key[0] != dimension:
            dimension = key[0]
            rows.append(Row(dimension, heading=True))
        part = groups[key]
        rows.append(Row(part["value"].iloc[0]))
        for line in part.itertuples():
            if line.layer in layers:
                cells[len(rows) - 1, layers.index(line.layer)] = _index_cell(line, words)
    return rows or [Row(say("No difference is certain."), heading=True)], cells


def _index_cell(line: object, words: Words) -> _Cell:
    if line.hidden:
        return _Cell(say("hidden"), faint=True)
    short = words.format(line.index, "number0")
    if math.isnan(line.low):
        return _Cell(short, faint=True)
    text = say(
        "{index:number0} ({low:number0} to {high:number0})",
        index=line.index,
        low=line.low,
        high=line.high,
    )
    if not line.certain:
        return _Cell(text, short, faint=True)
    tints = _MORE if line.index > 100 else _LESS
    step = sum(max(line.index, 1e-9) / 100 > far or line.index * far < 100 for far in _FAR)
    return _Cell(text, short, tints[step])


def _strongest(numbers: pd.DataFrame) -> Message:
    if numbers["far"].isna().all():
        return say("No layer differs from all customers for certain.")
    most = numbers.loc[numbers["far"].idxmax()]
    return say(
        "{layer}: {value} has index {index:number0}, where all customers have 100.",
        layer=LAYERS[most["layer"]],
        value=most["value"],
        index=most["index"],
    )


def _paint_grid(
    canvas: Canvas,
    rows: Sequence[Row],
    heads: Sequence[Message | str],
    cells: Mapping[tuple[int, int], _Cell],
) -> None:
    """Draw cells under their heads; a cell too narrow for its text has smaller letters."""
    count = max(len(heads), 1)
    # names of rows stand left of the cells where the drawing is wide, and above where it is not
    room = (canvas.width - 10 if canvas.narrow else 0.6 * canvas.width) / count - 2 * _EDGE
    lines = [canvas.lines(head, room) for head in heads]
    top = _LINE * max(map(len, lines), default=0) + 8
    axes, y = lay_rows(canvas, rows, limits=(0, count), top=top)
    width = axes.get_position().width * canvas.width / count - 2 * _EDGE
    size = min([_fitting(line, width) for head in lines for line in head], default=SIZE)
    for j, head in enumerate(lines):
        for number, line in enumerate(reversed(head)):
            at = top - 8 - _LINE / 2 - number * _LINE
            _write(axes, j + 0.5, at, line, SOFT, size)
    texts = {
        place: canvas.labels(cell.short or cell.text if canvas.narrow else cell.text)
        for place, cell in cells.items()
    }
    size = min([_fitting(text, width) for text in texts.values()], default=SIZE)
    gap = _EDGE / (width + 2 * _EDGE)
    for (i, j), cell in cells.items():
        if cell.color:
            axes.barh(y[i], 1 - 2 * gap, left=j + gap, height=_CELL - 2, color=cell.color)
        _write(axes, j + 0.5, y[i], texts[i, j], SOFT if cell.faint else INK, size)


def _write(axes: object, x: float, y: float, text: str, color: str, size: float) -> None:
    axes.text(x, y, text, ha="center", va="center_baseline", color=color, size=size, clip_on=False)


def _fitting(text: str, width: float) -> float:
    """Return the size of letters in which a text is at most `width` wide."""
    wide = text_width(text)
    return SIZE * min(1, width / wide) if wide else SIZE
