"""The chance of leaving by time since joining and calendar month, as a map of numbers."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from customerlab.features import TENURE_BANDS
from customerlab.messages import ENGLISH, Message, Words, say
from customerlab.plots.chart import INK, PAPER, RULE, SOFT, TINTS, Canvas, Chart, draw, text_width

_LINE = 19
_CELL = 30  # no narrower: a number has to fit
_SMALL = 11.0
#: Of a map at least this share of the cells is to hold a number.
_MOST = 2 / 3
#: From light to dark: the higher the chance, the darker, in grey as well; dark text reads on all.
_SHADES = ("#f2f7f7", *TINTS[:0:-1])


def hazard_calendar(
    table: pd.DataFrame, words: Words = ENGLISH, *, title: Message | None = None
) -> Chart:
    """Draw how many of those here leave each month, by time since joining and calendar month.

    Parameters
    ----------
    table : DataFrame
        ``tenure_band``, ``begins`` (first day), ``months`` (1, 3 or 12: how long a cell is),
        ``hazard`` (missing where it is not shown): see
        :func:`customerlab.churn.calendar.calendar_to_show`.
    words : Words
    title : Message, optional
        What the figure shows; computed when left out.

    Returns
    -------
    Chart
        By month where the cells are wide enough for a number and most of them can be shown,
        otherwise by quarter or by year.
    """
    known = table[table["hazard"].notna()]
    if known.empty:
        return _empty(words, title)

    def paint(canvas: Canvas) -> None:
        _paint(canvas, table)

    # the highest of many small cells is mostly chance
    coarsest = known[known["months"] == known["months"].max()]
    return draw(
        paint,
        words,
        title=title or _title(coarsest.loc[coarsest["hazard"].idxmax()]),
        subtitle=say(
            "Of the customers here, how many in 100 leave in a month. Rows: months since joining. "
            "Empty: too few exits to show"
        ),
        alt=say(
            "A map of numbers: {rows}.",
            rows=words(say("; ")).join(_row_in_words(known, band, words) for band in _bands(known)),
        ),
    )


def _title(highest: pd.Series) -> Message:
    told = {
        "band": highest["tenure_band"],
        "when": _when(highest["begins"], int(highest["months"])),
        "share": highest["hazard"],
    }
    if highest["tenure_band"] == "0":
        return say("Most leave in the month of joining: {share:percent} ({when}).", **told)
    return say("Most leave {band} months after joining: {share:percent} a month ({when}).", **told)


def _empty(words: Words, title: Message | None) -> Chart:
    text = say("Too few customers left to show when.")

    def paint(canvas: Canvas) -> None:
        canvas.grow_to(2 * _LINE)
        canvas.sheet().text(0, _LINE, canvas.labels(text), va="center_baseline", color=SOFT)

    return draw(paint, words, title=title or text, alt=text)


def _bands(table: pd.DataFrame) -> list[str]:
    there = set(table["tenure_band"])
    return [band for band in TENURE_BANDS.values() if band in there]


def _when(begins: pd.Timestamp, months: int) -> Message:
    if months == 12:
        return say("{year}", year=str(begins.year))
    if months == 3:
        quarter = (begins.month - 1) // 3 + 1
        return say("quarter {quarter} of {year}", year=str(begins.year), quarter=str(quarter))
    return say("{year}-{month}", year=str(begins.year), month=f"{begins.month:02d}")


def _row_in_words(known: pd.DataFrame, band: str, words: Words) -> str:
    row = known[(known["tenure_band"] == band) & (known["months"] == known["months"].max())]
    shares = ", ".join(
        words(
            say(
                "{share:percent} in {when}",
                share=line.hazard,
                when=_when(line.begins, int(line.months)),
            )
        )
        for line in row.itertuples()
    )
    return words(say("{band} months: {shares}", band=band, shares=shares))


def _paint(canvas: Canvas, table: pd.DataFrame) -> None:
    bands = _bands(table)
    left = max(text_width(canvas.labels(band)) for band in bands) + 10
    room = canvas.width - left - 2
    grids = [table[table["months"] == months] for months in (1, 3, 12)]
    fitting = [grid for grid in grids if room / grid["begins"].nunique() >= _CELL] or grids[-1:]
    full = [grid for grid in fitting if grid["hazard"].notna().mean() >= _MOST]
    grid = full[0] if full else fitting[-1]
    begins = sorted(grid["begins"].unique())
    width, height, top = room / len(begins), 28.0, 5.0
    values = {(line.tenure_band, line.begins): line.hazard for line in grid.itertuples()}
    shown = [value for value in values.values() if not np.isnan(value)]
    limits = np.linspace(min(shown, default=0), max(shown, default=1) + 1e-12, len(_SHADES) + 1)
    bottom = top + height * len(bands)
    canvas.grow_to(bottom + 3 * _LINE + 6)
    sheet = canvas.sheet()
    for i, band in enumerate(bands):
        y = top + height * i
        sheet.text(left - 8, y + height / 2, canvas.labels(band), ha="right", va="center_baseline")
        for j, month in enumerate(begins):
            value = values.get((band, month), np.nan)
            x, middle = left + width * j, y + height / 2
            if np.isnan(value):
                _box(sheet, x, y, width, height, PAPER)
                continue
            shade = min(int(np.searchsorted(limits, value, side="right")) - 1, len(_SHADES) - 1)
            _box(sheet, x, y, width, height, _SHADES[shade])
            text = canvas.words.format(value * 100, "number1")
            place = {"ha": "center", "va": "center_baseline", "fontsize": _SMALL}
            sheet.text(x + width / 2, middle, text, color=INK, **place)
    _months(canvas, sheet, begins, int(grid["months"].iloc[0]), left, width, bottom)


def _box(sheet: Axes, x: float, y: float, width: float, height: float, color: str) -> None:
    sheet.fill_between(
        [x + 1, x + width - 1], y + 1, y + height - 1, facecolor=color, edgecolor=RULE, lw=0.6
    )


def _months(
    canvas: Canvas,
    sheet: Axes,
    begins: list,
    months: int,
    left: float,
    width: float,
    bottom: float,
) -> None:
    """Write months or quarters below the columns, and the years below those."""
    years: dict[int, float] = {}
    for j, month in enumerate(begins):
        at = pd.Timestamp(month)
        years.setdefault(at.year, left + width * j)
        number = at.month if months == 1 else (at.month - 1) // months + 1
        if months < 12:
            sheet.text(
                left + width * (j + 0.5),
                bottom + _LINE / 2 + 2,
                str(number),
                ha="center",
                va="center_baseline",
                color=SOFT,
                fontsize=_SMALL,
            )
    for year, x in years.items():
        sheet.text(x + 3, bottom + 1.5 * _LINE + 2, str(year), va="center_baseline")
    axis = {
        1: say("Calendar month"),
        3: say("Quarter of the year"),
        12: say("Year"),
    }[months]
    sheet.text(
        left, bottom + 2.5 * _LINE + 2, canvas.labels(axis), va="center_baseline", color=SOFT
    )
