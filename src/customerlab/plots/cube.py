"""The retention cube as a map: groups by horizons, the fewer stay the darker."""

from __future__ import annotations

import numpy as np
import pandas as pd

from customerlab.messages import ENGLISH, Message, Words, say
from customerlab.plots.chart import INK, RULE, SOFT, TINTS, Canvas, Chart, draw

_LINE = 19.0
_PAD = 10.0
#: So many groups are drawn, those of whom the fewest stay.
_MOST = 14
_SHADES = ("#f2f7f7", *TINTS[:0:-1])


def retention_map(
    table: pd.DataFrame, words: Words = ENGLISH, *, title: Message | None = None
) -> Chart:
    """Draw the share of each group that is expected to stay, over each horizon.

    Parameters
    ----------
    table : DataFrame
        Of one way of leaving: ``group`` (Message), ``horizon_months``, ``retention_rate``, the
        row of all customers first; see :func:`customerlab.retention.cube_to_draw`.
    words : Words
    title : Message, optional
        What the figure shows; computed when left out.
    """
    horizons = sorted(table["horizon_months"].unique())
    last = table[table["horizon_months"] == horizons[-1]]
    whole, groups = last.iloc[0], last.iloc[1:]
    low = groups.sort_values("retention_rate", kind="stable").head(_MOST)
    names = [whole["group"], *low["group"]]
    rates = {(str(row.group), row.horizon_months): row.retention_rate for row in table.itertuples()}

    def paint(canvas: Canvas) -> None:
        _paint(canvas, names, horizons, rates)

    rows = [
        words(
            say(
                "{group}: {rates}",
                group=name,
                rates=", ".join(words.format(rates[str(name), h], "percent") for h in horizons),
            )
        )
        for name in names
    ]
    return draw(
        paint,
        words,
        title=title or _title(whole, low),
        subtitle=say(
            "Expected share, in %, of the customers here who stay for so many months. Darker: "
            "fewer stay"
        ),
        alt=say("A map of numbers: {rows}.", rows=words(say("; ")).join(rows)),
    )


def _title(whole: pd.Series, low: pd.DataFrame) -> Message:
    if low.empty:
        return say(
            "{share:percent} are expected to stay for {months:count} months.",
            share=whole["retention_rate"],
            months=int(whole["horizon_months"]),
        )
    first = low.iloc[0]
    return say(
        "Fewest stay among {group}: {share:percent} for {months:count} months.",
        group=first["group"],
        share=first["retention_rate"],
        months=int(first["horizon_months"]),
    )


def _paint(
    canvas: Canvas,
    names: list[Message],
    horizons: list[int],
    rates: dict[tuple[str, int], float],
) -> None:
    cell = 62.0 if canvas.narrow else 96.0
    left = canvas.width - cell * len(horizons) - 2
    texts = [canvas.lines(name, left - 12) for name in names]
    heights = [len(lines) * _LINE + _PAD for lines in texts]
    top = 2 * _LINE + 6
    canvas.grow_to(top + sum(heights) + 4)
    sheet = canvas.sheet()
    for j, horizon in enumerate(horizons):
        x = left + cell * (j + 0.5)
        text = canvas.lines(say("{months:count} months", months=horizon), cell)
        for i, line in enumerate(text):
            y = top - 6 - (len(text) - i - 0.5) * _LINE
            sheet.text(x, y, line, ha="center", va="center_baseline", color=SOFT)
    shown = np.array([rates[str(name), h] for name in names for h in horizons])
    limits = np.linspace(shown.min(), shown.max() + 1e-12, len(_SHADES) + 1)
    y = top
    for name, lines, height in zip(names, texts, heights, strict=True):
        for i, line in enumerate(lines):
            at = y + height / 2 + (i - (len(lines) - 1) / 2) * _LINE
            weight = "bold" if name is names[0] else "normal"
            sheet.text(0, at, line, va="center_baseline", weight=weight)
        for j, horizon in enumerate(horizons):
            value, x = rates[str(name), horizon], left + cell * j
            light = int(np.searchsorted(limits, value, side="right")) - 1
            shade = len(_SHADES) - 1 - min(max(light, 0), len(_SHADES) - 1)
            sheet.fill_between(
                [x + 1, x + cell - 1],
                y + 1,
                y + height - 1,
                facecolor=_SHADES[shade],
                edgecolor=RULE,
                lw=0.6,
            )
            sheet.text(
                x + cell / 2,
                y + height / 2,
                canvas.words.format(value * 100, "number1"),
                ha="center",
                va="center_baseline",
                color=INK,
            )
        y += height
