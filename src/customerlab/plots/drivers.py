"""How much each driver weighs, and what goes with more of it."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from customerlab.messages import ENGLISH, Message, Words, say
from customerlab.plots.chart import (
    ACCENT,
    INK,
    SOFT,
    TINTS,
    WARN,
    Canvas,
    Chart,
    draw,
)
from customerlab.plots.rows import Row, dot, lay_rows

_LINE = 19


def driver_weights(
    table: pd.DataFrame, words: Words = ENGLISH, *, title: Message | str | None = None
) -> Chart:
    """Draw the weight of each driver with its interval, and how surely it has its rank.

    Parameters
    ----------
    table : DataFrame
        From :func:`customerlab.drivers.weight_answers.weights_to_show`.
    words : Words
    title : Message or str, optional

    Returns
    -------
    Chart
        Triangles point up where more of the driver surely goes with more of the outcome, down
        where with less; a hollow dot where neither is sure.
    """
    lines = list(table.itertuples())
    rows = [
        Row(
            line.driver,
            say("{weight:percent0} · first in {share:percent0}", **_share(line))
            if line.rank == 1
            else say(
                "{weight:percent0} · number {rank:count} in {share:percent0}",
                rank=int(line.rank),
                **_share(line),
            ),
        )
        for line in lines
    ]
    top = float(np.nanmax([*table["high"], *table["weight"], 0.05]))

    def paint(canvas: Canvas) -> None:
        if not lines:
            return draw_nothing(canvas)
        ticks = [(x, words.format(x, "percent0")) for x in round_ticks(0, top)]
        axes, y = lay_rows(
            canvas,
            rows,
            ticks=ticks,
            limits=(0, top * 1.03),
            axis_title=say("Share of what the drivers explain"),
        )
        for line, at in zip(lines, y, strict=True):
            axes.barh(at, line.weight, height=16, color=TINTS[3])
            axes.plot([line.low, line.high], [at, at], color=INK, lw=2)
            _mark(axes, line, line.weight, at)

    return draw(
        paint,
        words,
        title=title or _weights_title(table),
        subtitle=say(
            "Share of what all drivers explain, and how often it has its place in resamples. "
            "Lines: 95 % interval. ▲ surely goes with more, ▼ with less, ○ neither is sure"
        ),
        alt=_alt(rows, words),
    )


def driver_effects(
    table: pd.DataFrame, words: Words = ENGLISH, *, title: Message | str | None = None
) -> Chart:
    """Draw the change of the outcome that goes with one standard deviation more of each driver.

    Parameters
    ----------
    table : DataFrame
        From :func:`customerlab.drivers.weight_answers.weights_to_show`; drivers of which no change
        is told are left out.
    words : Words
    title : Message or str, optional
    """
    known = table[table["effect"].notna()]
    lines = list(known.itertuples())
    binary = bool(len(known) and known["binary"].iloc[0])
    factor = 100 if binary else 1
    ends = factor * np.array([[line.effect_low, line.effect_high] for line in lines] or [[0, 1]])
    low, high = min(float(ends.min()), 0), max(float(ends.max()), 0)
    margin = 0.04 * (high - low)
    rows = [
        Row(
            line.driver,
            say(
                "{effect:number1} [{low:number1}, {high:number1}]",
                effect=factor * line.effect,
                low=factor * line.effect_low,
                high=factor * line.effect_high,
            )
            if binary
            else say(
                "{effect:number2} [{low:number2}, {high:number2}]",
                effect=line.effect,
                low=line.effect_low,
                high=line.effect_high,
            ),
        )
        for line in lines
    ]

    def paint(canvas: Canvas) -> None:
        if not lines:
            return draw_nothing(canvas)
        ticks = [(x, words.format(x, "number")) for x in round_ticks(low, high)]
        axes, y = lay_rows(
            canvas,
            rows,
            ticks=ticks,
            limits=(low - margin, high + margin),
            axis_title=say("Change in percentage points")
            if binary
            else say("Change of the outcome, in its own units"),
        )
        axes.axvline(0, color=SOFT, lw=1.5)
        for line, at, (left, right) in zip(lines, y, ends, strict=True):
            axes.plot([left, right], [at, at], color=INK, lw=2)
            _mark(axes, line, factor * line.effect, at)

    return draw(
        paint,
        words,
        title=title or say("What goes with one standard deviation more of each driver."),
        subtitle=say(
            "All other drivers and the controls alike; an association. Lines: 95 % interval. "
            "▲ surely goes with more, ▼ with less, ○ neither is sure"
        ),
        alt=_alt(rows, words),
    )


def _mark(axes: Axes, line: object, x: float, y: float) -> None:
    """Draw a triangle for a sure direction, a hollow dot without one."""
    if not (line.effect_low > 0 or line.effect_high < 0):
        dot(axes, x, y, color=INK, hollow=True)
        return
    up = line.effect_low > 0
    axes.plot(
        [x],
        [y],
        marker="^" if up else "v",
        color=ACCENT if up else WARN,
        markersize=10,
        linestyle="none",
        clip_on=False,
        zorder=3,
    )


def _share(line: object) -> dict[str, float]:
    return {"weight": line.weight, "share": line.rank_share}


def _weights_title(table: pd.DataFrame) -> Message:
    if table.empty:
        return say("No weights: the drivers do not surely foretell the outcome.")
    first = table.iloc[0]
    if first["rank_share"] >= 0.95:
        return say(
            "“{driver}” weighs most: {weight:percent0} of what the drivers explain.",
            driver=first["driver"],
            weight=first["weight"],
        )
    return say("No driver is surely first.")


def _alt(rows: list[Row], words: Words) -> Message:
    names = [words(say("{name}: {value}", name=row.name, value=row.value)) for row in rows]
    return say(
        "Dots with intervals: {rows}.", rows=words(say("; ")).join(names) or words(say("none"))
    )


def draw_nothing(canvas: Canvas) -> None:
    """Say so in place of a figure."""
    canvas.grow_to(_LINE + 8)
    text = canvas.labels(say("Nothing to draw."))
    canvas.sheet().text(0, 4 + _LINE / 2, text, va="center_baseline", color=SOFT)


def round_ticks(low: float, high: float) -> list[float]:
    """Return at most seven round numbers from `low` to `high`."""
    steps = [m * 10.0**e for e in range(-6, 13) for m in (1, 2, 5)]
    step = next((s for s in steps if (high - low) / s <= 6), steps[-1])
    first, last = int(np.ceil(low / step - 1e-9)), int(np.floor(high / step + 1e-9))
    return [round(step * i, 10) for i in range(first, last + 1)]
