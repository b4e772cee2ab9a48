"""How many come back after a silence, by how long it has lasted."""

from __future__ import annotations

import pandas as pd

from customerlab.messages import ENGLISH, Message, Words, say
from customerlab.plots.chart import ACCENT, INK, WARN, Canvas, Chart, draw

_LINE = 19


def silences(table: pd.DataFrame, words: Words = ENGLISH, *, title: Message | None = None) -> Chart:
    """Draw the share of silences that end within the next three months, and the rule.

    Parameters
    ----------
    table : DataFrame
        ``silent_days``, ``returns`` with ``low`` and ``high``, ``chosen`` (the rule).
    words : Words
    title : Message, optional
        What the figure shows; computed when left out.
    """
    chosen = table[table["chosen"]]
    rows = ", ".join(
        words(
            say(
                "{share:percent} after {days:count} days",
                share=row.returns,
                days=row.silent_days,
            )
        )
        for row in table.itertuples()
    )

    def paint(canvas: Canvas) -> None:
        height = 190.0
        canvas.grow_to(height + 4 * _LINE)
        axes = canvas.axes(52, 1.2 * _LINE, canvas.width - 72, height - _LINE)
        axes.fill_between(
            table["silent_days"], table["low"], table["high"], color=ACCENT, alpha=0.18
        )
        axes.plot(table["silent_days"], table["returns"], color=ACCENT, lw=2, marker="o", ms=4)
        if len(chosen):
            day = float(chosen["silent_days"].iloc[0])
            axes.axvline(day, color=WARN, lw=1.5, ls=(0, (4, 3)))
            label = canvas.labels(say("the rule: {days:count} days", days=day))
            left = day > table["silent_days"].mean()
            axes.annotate(
                label,
                (day, 1),
                xycoords=("data", "axes fraction"),
                xytext=(-6 if left else 6, 4),
                textcoords="offset points",
                ha="right" if left else "left",
                va="bottom",
                color=INK,
            )
        top = max(float(table["high"].max()), 0.05)
        step = 0.1 if top <= 0.5 else 0.25
        ticks = [i * step for i in range(int(top / step + 0.999) + 1)]
        axes.set_ylim(0, ticks[-1])
        axes.set_yticks(ticks, [canvas.labels(canvas.words.format(t, "percent0")) for t in ticks])
        axes.grid(axis="y")
        axes.set_xlabel(canvas.labels(say("Days without a movement")))

    return draw(
        paint,
        words,
        title=title or _title(chosen),
        subtitle=say(
            "Of the silences that have lasted so long, the share that ends with a movement within "
            "90 days more"
        ),
        alt=say("A falling line: {rows}.", rows=rows),
    )


def _title(chosen: pd.DataFrame) -> Message:
    if chosen.empty:
        return say("The longer the silence, the fewer come back.")
    row = chosen.iloc[0]
    return say(
        "After {days:count} days of silence {share:percent} come back within three months.",
        days=row["silent_days"],
        share=row["returns"],
    )
