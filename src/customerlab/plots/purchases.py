"""What a shop's customers bought after the landmark, beside what was foretold."""

from __future__ import annotations

import pandas as pd

from customerlab.messages import ENGLISH, Message, Words, say
from customerlab.plots.chart import SOFT, Canvas, Chart, draw, text_width
from customerlab.plots.curves import LINE, PENS, box_height, name_above
from customerlab.plots.drivers import draw_nothing
from customerlab.plots.panels import PENS as MARKS
from customerlab.plots.panels import (
    Line,
    Mark,
    Panel,
    alt_of,
    known_rows,
    paint_panels,
    ticks_that_fit,
)
from customerlab.plots.rows import keep_inside
from customerlab.plots.units import tell_range, without_few

_FORETOLD = {
    "actual": say("bought"),
    "expected": say("foretold by the model"),
    "baseline": say("as many as in the period before"),
}


def purchases_after(
    table: pd.DataFrame, words: Words = ENGLISH, *, title: Message | str | None = None
) -> Chart:
    """Draw the purchases after the landmark, week by week, beside what was foretold.

    Parameters
    ----------
    table : DataFrame
        From :func:`customerlab.value.holdout_shown.weekly_to_show`: ``week``, and purchases up to
        its end: ``actual``, ``expected`` (missing without a model), ``baseline``.
    words : Words
    title : Message or str, optional
    """
    shown = known_rows(table, ["week", "actual", "baseline"]).sort_values("week")
    foretold = pd.to_numeric(shown["expected"], errors="coerce").astype(float)
    shown = shown.assign(expected=foretold)
    names = [name for name in _FORETOLD if len(shown) and shown[name].notna().all()]
    last = shown.iloc[-1] if len(shown) else None
    told = [
        say("{name}: {value:count}", name=_FORETOLD[name], value=round(last[name]))
        for name in names
    ]
    if len(shown):  # nothing is bought in no week
        start = dict.fromkeys(["week", *_FORETOLD], 0.0)
        shown = pd.concat([pd.DataFrame([start]), shown], ignore_index=True)

    def paint(canvas: Canvas) -> None:
        if not names:
            return draw_nothing(canvas)
        return _paint_weeks(canvas, shown, names, told)

    return draw(
        paint,
        words,
        title=title or _after_title(last, names),
        subtitle=say("Purchases since the landmark, by week, after the first purchase of each"),
        alt=say(
            "Rising lines. At the end: {rows}.",
            rows=words(say("; ")).join(map(words, told)) or words(say("none")),
        ),
    )


def _after_title(last: pd.Series | None, names: list[str]) -> Message:
    if last is None:
        return say("No weeks after the landmark to compare with.")
    told = {name: round(last[name]) for name in names} | {"weeks": int(last["week"])}
    if "expected" not in names:
        return say("Too few repeat purchases for a model: {actual:count} were made.", **told)
    return say(
        "In {weeks:count} weeks {actual:count} purchases were made; the model foretold "
        "{expected:count}, the period before had {baseline:count}.",
        **told,
    )


def _paint_weeks(
    canvas: Canvas, shown: pd.DataFrame, names: list[str], told: list[Message]
) -> None:
    texts = [canvas.lines(one, canvas.width - 36) for one in told]
    top, height = LINE * sum(map(len, texts)) + 10.0, box_height(canvas)
    canvas.grow_to(top + height + 30 + LINE + 4)
    sheet = canvas.sheet()
    name_above(sheet, texts)
    most = max(float(shown[names].max(axis=None)), 1.0)
    ticks = ticks_that_fit(0, most, 5 * height, canvas.words, "count")
    left = max(text_width(text) for _, text in ticks) + 12
    axes = canvas.axes(left, top, canvas.width - left - 14, height)
    for name, (color, dashes) in zip(names, PENS, strict=False):
        axes.plot(shown["week"], shown[name], color=color, linestyle=dashes, lw=2, clip_on=False)
    axes.set(xlim=(0, shown["week"].iloc[-1]), ylim=(0, 1.03 * most))
    axes.set_yticks([at for at, _ in ticks], labels=[canvas.labels(text) for _, text in ticks])
    weeks = ticks_that_fit(0, shown["week"].iloc[-1], canvas.width - left, canvas.words, "count")
    axes.set_xticks([at for at, _ in weeks], labels=[canvas.labels(text) for _, text in weeks])
    keep_inside(axes, canvas)
    axes.grid(axis="y")
    text = canvas.labels(say("Weeks since the landmark"))
    sheet.text(left, top + height + 28 + LINE / 2, text, va="center_baseline", color=SOFT)


def purchases_by_frequency(
    table: pd.DataFrame, words: Words = ENGLISH, *, title: Message | str | None = None
) -> Chart:
    """Draw the mean purchases of customers after the landmark, by how often they bought before.

    Parameters
    ----------
    table : DataFrame
        From :func:`customerlab.value.holdout_shown.frequency_to_show`; hidden rows are left out.
    words : Words
    title : Message or str, optional

    Returns
    -------
    Chart
        What was bought with its interval, what the model foretold, and the period before.
    """
    shown = known_rows(table, ["actual", "baseline"])
    rest = shown[["low", "high", "expected"]].apply(pd.to_numeric, errors="coerce").astype(float)
    shown = shown.assign(**rest)
    lines = []
    for row in shown.itertuples():
        marks = (Mark(row.actual, row.low, row.high, MARKS[0]), Mark(row.expected, pen=MARKS[1]))
        marks += (Mark(row.baseline, pen=MARKS[3]),)
        value = tell_range((row.actual, row.low, row.high), "number2", words)
        lines.append(Line(_frequency(row.frequency, row.n), marks, value))
    panels = [Panel(say("Purchases per customer after the landmark"), lines)]
    pens = (MARKS[0], MARKS[1], MARKS[3])
    legend = list(zip(pens, _FORETOLD.values(), strict=True))

    def paint(canvas: Canvas) -> None:
        paint_panels(canvas, panels, legend)

    return draw(
        paint,
        words,
        title=title or _frequency_title(shown),
        subtitle=without_few(
            say(
                "Customers by how often they had bought again before the landmark. Lines: 95 % "
                "interval of what was bought"
            ),
            len(table) - len(shown),
        ),
        alt=alt_of(panels, words),
    )


def _frequency(text: str, n: object) -> Message:
    told = {"n": n, "count": str(text).removesuffix("+")}
    if str(text) == "0":
        return say("not again ({n:customers} customers)", **told)
    if str(text) == "1":
        return say("again once ({n:customers} customers)", **told)
    if str(text).endswith("+"):
        return say("again {count} times or more ({n:customers} customers)", **told)
    return say("again {count} times ({n:customers} customers)", **told)


def _frequency_title(shown: pd.DataFrame) -> Message:
    judged = shown[shown["expected"].notna() & shown["low"].notna()]
    if judged.empty:
        return say("Too few repeat purchases to compare the model with.")
    model, plain = (
        int(judged[name].between(judged["low"], judged["high"]).sum())
        for name in ("expected", "baseline")
    )
    return say(
        "In {model:count} of {all:count} groups the model lies within the range of what was "
        "bought, the period before in {plain:count}.",
        model=model,
        plain=plain,
        all=len(judged),
    )
