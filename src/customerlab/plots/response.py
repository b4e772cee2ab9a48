"""Which share of the responses a choice of customers by their chances holds."""

from __future__ import annotations

import numpy as np
import pandas as pd

from customerlab.messages import ENGLISH, Message, Words, say
from customerlab.plots.bands import Frame, paint_band
from customerlab.plots.chart import INK, Canvas, Chart, draw
from customerlab.plots.panels import known_rows
from customerlab.plots.rows import dot
from customerlab.plots.units import without_few


def share_frame(height: Message, words: Words) -> Frame:
    """Return the axes of figures over the share of the customers, the best first."""
    ticks = [(x / 4, words.format(x / 4, "percent0")) for x in range(5)]
    return Frame(height, say("Share of the customers contacted"), ticks)


def gains_curve(
    table: pd.DataFrame, words: Words = ENGLISH, *, title: Message | str | None = None
) -> Chart:
    """Draw which share of all who respond the best part of the customers holds.

    Parameters
    ----------
    table : DataFrame
        From :func:`customerlab.response.judged_answers.gains_to_show`: ``share``, ``held``,
        ``held_low``, ``held_high``; hidden rows are left out.
    words : Words
    title : Message or str, optional

    Returns
    -------
    Chart
        With the better half marked, and dashed what customers drawn by lot would hold.
    """
    names = ["share", "held", "held_low", "held_high"]
    shown = known_rows(table, names).sort_values("share")[names]
    half = shown[np.isclose(shown["share"], 0.5)]
    told = [
        say("{share:percent0}: {held:percent0}", share=row.share, held=row.held)
        for row in shown.itertuples()
    ]
    left_out = len(table) - len(shown)
    if len(shown):
        start = pd.DataFrame([dict.fromkeys(names, 0.0)])
        shown = pd.concat([start, shown], ignore_index=True)
    legend = [say("the best chances first"), say("in random order")]

    def paint(canvas: Canvas) -> None:
        x, *lines = (shown[name].to_numpy() for name in names)
        frame = share_frame(say("Share of all who respond, in %"), words)
        percent = (x, *(100 * line for line in lines))
        axes = paint_band(canvas, frame, percent, random=100 * x, legend=legend)
        if axes is None or half.empty:
            return
        held = 100 * float(half["held"].iloc[0])
        axes.plot([0.5, 0.5, 0], [0, held, held], color=INK, lw=1, linestyle=(0, (2, 2)))
        dot(axes, 0.5, held, color=INK)
        text = canvas.labels(words.format(held / 100, "percent0"))
        place = {"xytext": (9, -11), "textcoords": "offset points", "va": "center_baseline"}
        axes.annotate(text, (0.5, held), weight="bold", **place)

    return draw(
        paint,
        words,
        title=title or _gains_title(shown, half),
        subtitle=without_few(
            say("On contacts that the model had not seen. Band: 95 % interval at each share"),
            left_out,
        ),
        alt=say(
            "A rising line with its band, share of the customers and of those who respond: {rows}.",
            rows=words(say("; ")).join(map(words, told)) or words(say("none")),
        ),
    )


def _gains_title(shown: pd.DataFrame, half: pd.DataFrame) -> Message:
    if shown.empty:
        return say("Too few responded, or did not, to judge how well the model foretells that.")
    if len(half):
        return say(
            "The better half of the customers holds {held:percent0} of those who respond.",
            held=half["held"].iloc[0],
        )
    inner = shown.iloc[1:]
    row = inner.loc[(inner["share"] - 0.5).abs().idxmin()]
    return say(
        "The best {share:percent0} of the customers hold {held:percent0} of those who respond.",
        share=row["share"],
        held=row["held"],
    )
