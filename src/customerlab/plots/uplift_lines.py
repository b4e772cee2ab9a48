"""What a campaign brings as more customers are contacted, and as the test runs on."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import numpy as np
import pandas as pd

from customerlab.messages import ENGLISH, Message, Words, say
from customerlab.plots.bands import Frame, paint_band
from customerlab.plots.chart import Canvas, Chart, draw
from customerlab.plots.panels import known_rows, ticks_that_fit
from customerlab.plots.units import Unit, headed, unit_of


def uplift_curve(
    table: pd.DataFrame, words: Words = ENGLISH, *, title: Message | str | None = None
) -> Chart:
    """Draw what contacting more and more customers gains, those foretold to be moved most first.

    The Qini curve, per customer of all.

    Parameters
    ----------
    table : DataFrame
        :attr:`customerlab.uplift.ranking.Ranking.table`: ``share``, ``gain``, ``low``, ``high``,
        ``random``, ``toc_low``. ``binary`` and ``money``, if there, tell the unit of the outcome.
    words : Words
    title : Message or str, optional
        When left out, the gain at the share where the curve is highest above the random order, if
        it surely is above it there.

    Returns
    -------
    Chart
        With the gain of a random order, dashed.
    """
    unit = unit_of(table)
    names = ["share", "gain", "low", "high", "random"]
    shown = known_rows(table, [*names, "toc_low"]).sort_values("share")
    shown = shown[names].assign(sure=shown["toc_low"] > 0)
    start = pd.DataFrame([dict.fromkeys(names, 0.0) | {"sure": False}])  # nobody, nothing gained
    shown = pd.concat([start, shown], ignore_index=True) if len(shown) else shown
    scaled = shown.assign(**{name: unit.factor * shown[name] for name in names[1:]})
    legend = [say("the most moved by the forecast first"), say("in random order")]

    def paint(canvas: Canvas) -> None:
        ticks = [(x / 4, canvas.words.format(x / 4, "percent0")) for x in range(5)]
        frame = Frame(_gain_in(unit, words), say("Share of the customers contacted"), ticks)
        x, gain, low, high, random = (scaled[name].to_numpy() for name in names)
        paint_band(canvas, frame, (x, gain, low, high), random=random, legend=legend)

    told = [
        say(
            "{share:percent0}: {gain}, at random {random}",
            share=row.share,
            gain=unit.tell(row.gain, words),
            random=unit.tell(row.random, words),
        )
        for row in scaled.itertuples()
        if abs(row.share * 5 - round(row.share * 5)) < 1e-9 and row.share > 0
    ]
    return draw(
        paint,
        words,
        title=title or headed(_curve_title(scaled, unit, words), table),
        subtitle=say(
            "Gain over contacting nobody, on customers the model has not seen. Band: 95 % interval "
            "at each share"
        ),
        alt=_alt(told, words),
    )


def _gain_in(unit: Unit, words: Words) -> Message:
    if unit.kind == "points":
        return say("Gain per customer of all, in percentage points")
    if unit.kind == "money" and words.currency:
        return say("Gain per customer of all, in {currency}", currency=words.currency)
    return say("Gain per customer of all, in the outcome's own unit")


def _curve_title(scaled: pd.DataFrame, unit: Unit, words: Words) -> Message:
    if scaled.empty:
        return say("Too few customers to tell who is moved more.")
    above = (scaled["gain"] - scaled["random"]).iloc[1:-1]
    if above.empty or above.max() <= 0:
        return say("The order gains no more than a random one.")
    row = scaled.loc[above.idxmax()]
    if not row["sure"]:
        return say("It is not sure that the order gains more than a random one.")
    told = {
        "share": row["share"],
        "gain": unit.tell(row["gain"], words),
        "random": unit.tell(row["random"], words),
    }
    return say(
        "Contacting the first {share:percent0} gains {gain}, as many at random {random}.", **told
    )


def monitored_effect(
    table: pd.DataFrame, words: Words = ENGLISH, *, title: Message | str | None = None
) -> Chart:
    """Draw the effect as the test ran on, with the interval that holds however often one looks.

    Parameters
    ----------
    table : DataFrame
        :attr:`customerlab.uplift.monitored.Monitored.table`: ``n`` or ``day`` (a date; taken where
        both are there), ``estimate``, ``low``, ``high``; looks that say nothing yet have infinite
        ends and are left out. ``binary`` and ``money``, if there, tell the unit.
    words : Words
    title : Message or str, optional
    """
    unit = unit_of(table)
    shown = known_rows(table, ["estimate", "low", "high"])
    shown = shown[np.isfinite(shown[["low", "high"]]).all(axis=1)]
    by_day = "day" in table
    at = shown["n"] if not by_day else [day.toordinal() for day in pd.to_datetime(shown["day"])]
    columns = [
        pd.Series(at, shown.index, dtype=float),
        *(unit.factor * shown[name] for name in ("estimate", "low", "high")),
    ]
    scaled = pd.concat(columns, axis=1, keys=["at", "estimate", "low", "high"])
    scaled = scaled.astype(float).sort_values("at", kind="stable")

    def tell(x: float) -> str:
        if by_day:
            return words.format(dt.date.fromordinal(int(x)), "date")
        return words.format(x, "count")

    def paint(canvas: Canvas) -> None:
        x, *lines = (scaled[name].to_numpy() for name in ("at", "estimate", "low", "high"))
        frame = Frame(unit.effect_in(words), say("Customers so far"), [])
        if len(x) and by_day:
            every = np.linspace(x[0], x[-1], 2 if canvas.narrow else 4)
            ticks = [(day, tell(day)) for day in dict.fromkeys(map(round, every))]
            frame = Frame(frame.height, say("Day of the look"), ticks)
        elif len(x):
            ticks = ticks_that_fit(0, x[-1], canvas.width - 60, words, "count")
            frame = Frame(frame.height, frame.across, ticks)
        paint_band(canvas, frame, (x, *lines), dots=True)

    told = [
        say("{name}: {value}", name=tell(row.at), value=unit.tell(row.estimate, words))
        for row in scaled.iloc[[*range(0, len(scaled), max(len(scaled) // 5, 1))]].itertuples()
    ]
    return draw(
        paint,
        words,
        title=title or headed(_monitored_title(scaled, unit, words), table),
        subtitle=say(
            "Effect at each look. Band: 95 % range that holds at all looks together, so one may "
            "look every day and stop when it leaves 0"
        ),
        alt=_alt(told, words),
    )


def _monitored_title(scaled: pd.DataFrame, unit: Unit, words: Words) -> Message:
    if scaled.empty:
        return say("Too few customers so far to say anything.")
    last = scaled.iloc[-1]
    told = {
        "estimate": unit.tell(last["estimate"], words),
        "count": int(((scaled["low"] > 0) | (scaled["high"] < 0)).sum()),
        "all": len(scaled),
    }
    if last["low"] > 0 or last["high"] < 0:
        return say("The effect is sure at the last look: {estimate}.", **told)
    if told["count"]:
        return say(
            "The effect was sure at {count:count} of {all:count} looks; it is {estimate} at the "
            "last.",
            **told,
        )
    return say("No effect is sure yet: {estimate} at the last look.", **told)


def _alt(told: Sequence[Message], words: Words) -> Message:
    return say(
        "A line with its band: {rows}.",
        rows=words(say("; ")).join(map(words, told)) or words(say("none")),
    )
