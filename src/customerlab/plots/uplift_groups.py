"""Whom a campaign moves more: effects by segment, and foretold against observed."""

from __future__ import annotations

import pandas as pd

from customerlab.messages import ENGLISH, Message, Words, say
from customerlab.plots.chart import Canvas, Chart, draw
from customerlab.plots.panels import (
    BESIDE,
    MAIN,
    Line,
    Mark,
    Panel,
    alt_of,
    known_rows,
    paint_panels,
)
from customerlab.plots.units import Unit, headed, tell_range, unit_of, without_few

_NUMBERS = ["effect", "low", "high", "shrunk", "shrunk_low", "shrunk_high"]


def segment_effects(
    table: pd.DataFrame, words: Words = ENGLISH, *, title: Message | str | None = None
) -> Chart:
    """Draw the effect in each segment, as measured and drawn towards the mean of all.

    Parameters
    ----------
    table : DataFrame
        ``segment`` (text or message), ``effect``, ``low``, ``high``, ``shrunk``, ``shrunk_low``,
        ``shrunk_high``; numbers may be hidden. ``feature``, if there: what the segments are
        segments of, each with a panel. ``binary`` and ``money`` tell the unit.
    words : Words
    title : Message or str, optional
    """
    shown, unit = known_rows(table, _NUMBERS), unit_of(table)
    parts = [(unit.effect_in(words), shown)]
    if "feature" in table:
        names = shown["feature"].map(words)
        parts = [
            (say("{term}. {unit}", term=part["feature"].iloc[0], unit=unit.effect_in(words)), part)
            for _, part in shown.groupby(names, sort=False)
        ]
    spec = unit.spec(unit.factor * shown[_NUMBERS[3:]].to_numpy().ravel())
    panels = []
    for heading, part in parts:
        lines = []
        for row in part[_NUMBERS].mul(unit.factor).assign(segment=part["segment"]).itertuples():
            best = (row.shrunk, row.shrunk_low, row.shrunk_high)
            marks = (Mark(row.effect, row.low, row.high, pen=BESIDE), Mark(*best))
            lines.append(Line(row.segment, marks, tell_range(best, spec, words)))
        panels.append(Panel(heading, lines))
    subtitle = say(
        "A small segment is drawn towards the mean of all, for its own number is mostly chance. "
        "Lines: 95 % interval"
    )
    legend = [(BESIDE, say("as measured")), (MAIN, say("drawn towards the mean"))]

    def paint(canvas: Canvas) -> None:
        paint_panels(canvas, panels, legend)

    return draw(
        paint,
        words,
        title=title or headed(_segments_title(shown, unit, words), table),
        subtitle=without_few(subtitle, len(table) - len(shown)),
        alt=alt_of(panels, words),
    )


def _segments_title(shown: pd.DataFrame, unit: Unit, words: Words) -> Message:
    if shown.empty:
        return say("Too few customers to show any segment.")
    sure = shown[(shown["shrunk_low"] > 0) | (shown["shrunk_high"] < 0)]
    if sure.empty:
        return say("In no segment is an effect sure.")
    most, least = (shown.loc[at] for at in (shown["shrunk"].idxmax(), shown["shrunk"].idxmin()))
    told = {
        "most": most["segment"],
        "high": unit.tell(unit.factor * most["shrunk"], words),
        "least": least["segment"],
        "low": unit.tell(unit.factor * least["shrunk"], words),
    }
    if most["shrunk_low"] > least["shrunk_high"]:
        return say("“{most}” is moved most, by {high}; “{least}” least, by {low}.", **told)
    return say("The segments' ranges overlap: from {low} (“{least}”) to {high} (“{most}”).", **told)


def uplift_fifths(
    table: pd.DataFrame, words: Words = ENGLISH, *, title: Message | str | None = None
) -> Chart:
    """Draw the effect observed in each fifth of the forecast beside the effect foretold.

    Parameters
    ----------
    table : DataFrame
        :attr:`customerlab.uplift.fifths.UpliftCalibration.table`: ``fifth`` (1 is foretold the
        highest), ``predicted``, ``observed``, ``low``, ``high`` (missing or hidden where too few
        customers tell). ``binary`` and ``money``, if there, tell the unit.
    words : Words
    title : Message or str, optional
    """
    unit = unit_of(table)
    shown = known_rows(table, ["fifth", "predicted"]).sort_values("fifth")
    seen = shown[["observed", "low", "high"]].apply(pd.to_numeric, errors="coerce")
    shown = shown.assign(**seen.astype(float))
    spec = unit.spec(unit.factor * seen.to_numpy(dtype=float).ravel())
    last = shown["fifth"].max()
    lines = []
    for row in shown.itertuples():
        name = say("Fifth {fifth:count}", fifth=int(row.fifth))
        if row.fifth == 1:
            name = say("Fifth 1: foretold the most")
        elif row.fifth == last:
            name = say("Fifth {fifth:count}: foretold the least", fifth=int(row.fifth))
        best = tuple(unit.factor * x for x in (row.observed, row.low, row.high))
        marks = (Mark(unit.factor * row.predicted, pen=BESIDE), Mark(*best))
        lines.append(Line(name, marks, tell_range(best, spec, words)))
    panels = [Panel(unit.effect_in(words), lines)]
    legend = [(BESIDE, say("foretold")), (MAIN, say("observed"))]

    def paint(canvas: Canvas) -> None:
        paint_panels(canvas, panels, legend)

    return draw(
        paint,
        words,
        title=title or headed(_fifths_title(shown, unit, words), table),
        subtitle=say(
            "Customers the model has not seen, in fifths of the uplift it foretells. Lines: 95 % "
            "interval of the observed; a good forecast lies within"
        ),
        alt=alt_of(panels, words),
    )


def _fifths_title(shown: pd.DataFrame, unit: Unit, words: Words) -> Message:
    known = shown[shown["observed"].notna()]
    if known.empty:
        return say("Too few customers to compare the forecast with.")
    within = known["predicted"].between(known["low"], known["high"])
    if not within.all():
        return say(
            "In {count:count} of {all:count} fifths the forecast lies outside the observed range.",
            count=int((~within).sum()),
            all=len(known),
        )
    first, last = known.iloc[0], known.iloc[-1]
    return say(
        "The forecast fits: {high} observed where most was foretold, {low} where least.",
        high=unit.tell(unit.factor * first["observed"], words),
        low=unit.tell(unit.factor * last["observed"], words),
    )
