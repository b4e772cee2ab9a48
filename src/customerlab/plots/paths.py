"""Leavers' assets beside those of stayers, and the stages of leaving."""

from __future__ import annotations

import math

import pandas as pd

from customerlab.messages import ENGLISH, Message, Words, say
from customerlab.plots.chart import ACCENT, INK, SOFT, TINTS, WARN, Canvas, Chart, draw, text_width
from customerlab.plots.rows import Row, dot, lay_rows
from customerlab.retention.paths import LEAVERS, STAYERS, WHO
from customerlab.retention.stages import NONE, STAGES

_LINE = 19
#: Colour and dashes: told apart in grey as well.
_PENS = {LEAVERS: (WARN, "-"), STAYERS: (ACCENT, (0, (5, 2)))}


def asset_path(
    table: pd.DataFrame, words: Words = ENGLISH, *, title: Message | None = None
) -> Chart:
    """Draw what leavers and stayers like them hold, month by month up to the exit.

    Parameters
    ----------
    table : DataFrame
        ``months_before``, ``who`` (``leavers`` or ``stayers``), ``assets_share``, ``low``,
        ``high``: see :class:`customerlab.retention.paths.AssetPath`.
    words : Words
    title : Message, optional
        What the figure shows; computed when left out.
    """
    if table.empty:
        return _nothing(say("Too few leavers could be followed to show their assets."), words)
    lines = {
        who: table[table["who"] == who].sort_values("months_before", ascending=False)
        for who in _PENS
    }
    months = int(table["months_before"].max())

    def paint(canvas: Canvas) -> None:
        _paint_path(canvas, lines, months)

    at_exit = {who: float(line["assets_share"].iloc[-1]) for who, line in lines.items()}
    return draw(
        paint,
        words,
        title=title
        or say(
            "At the exit leavers hold {leavers:percent0} of what they had {months:count} months "
            "before; stayers like them {stayers:percent0}.",
            months=months,
            **at_exit,
        ),
        subtitle=say(
            "Assets at the month's end, in % of the same customers' assets {months:count} months "
            "before the exit; the band is the 95 % range",
            months=months,
        ),
        alt=say(
            "Two lines. {rows}.",
            rows=words(say("; ")).join(
                words(_ends(who, line, months)) for who, line in lines.items()
            ),
        ),
    )


def _ends(who: str, line: pd.DataFrame, months: int) -> Message:
    by_month = line.set_index("months_before")["assets_share"]
    middle = min(3, months)
    return say(
        "{who}: {then:percent0} {middle:count} months before the exit, {now:percent0} at the exit",
        who=WHO[who],
        then=float(by_month[middle]),
        middle=middle,
        now=float(by_month[0]),
    )


def _nothing(text: Message, words: Words) -> Chart:
    def paint(canvas: Canvas) -> None:
        lines = canvas.lines(text, canvas.width)
        canvas.grow_to(_LINE * (len(lines) + 1))
        sheet = canvas.sheet()
        for i, line in enumerate(lines):
            sheet.text(0, _LINE * (i + 0.5), line, va="center_baseline", color=SOFT)

    return draw(paint, words, title=text, alt=text)


def _paint_path(canvas: Canvas, lines: dict[str, pd.DataFrame], months: int) -> None:
    left, top, height = 56.0, 2.0 * _LINE + 8, 230.0 if canvas.narrow else 280.0
    right = 12.0
    canvas.grow_to(top + height + 30 + _LINE)
    axes = canvas.axes(left, top, canvas.width - left - right, height)
    highest = 0.0
    for who, line in lines.items():
        color, dashes = _PENS[who]
        at = -line["months_before"].to_numpy(float)
        low, high = line["low"].to_numpy(float), line["high"].to_numpy(float)
        axes.fill_between(at, low, high, color=color, alpha=0.18, lw=0)
        axes.plot(at, line["assets_share"], color=color, linestyle=dashes, linewidth=2.2)
        highest = max(highest, float(line[["assets_share", "high"]].max().max()))
    step = 0.25 if highest <= 1.6 else 0.5 * math.ceil(highest / 3)
    top_share = step * math.ceil(highest / step)
    shares = [step * i for i in range(round(top_share / step) + 1)]
    axes.set(xlim=(-months, 0.15), ylim=(0, top_share))
    texts = [canvas.labels(canvas.words.format(share, "percent0")) for share in shares]
    axes.set_yticks(shares, labels=texts)
    axes.tick_params(axis="y", pad=10)  # the first month stands below the axis
    every = 1 if months <= 6 else (3 if canvas.narrow else 1 if months <= 12 else 3)
    ticks = [k for k in range(months, -1, -1) if k % every == 0]
    axes.set_xticks([-k for k in ticks], labels=[canvas.words.format(k, "count") for k in ticks])
    axes.grid(axis="y")
    axes.axhline(1, color=INK, linewidth=1)
    sheet = canvas.sheet()
    x, y = 0.0, _LINE / 2
    for who in lines:
        color, dashes = _PENS[who]
        text = canvas.labels(WHO[who])
        if x + 36 + text_width(text) > canvas.width:
            x, y = 0.0, y + _LINE
        sheet.plot([x, x + 28], [y, y], color=color, linestyle=dashes, linewidth=2.2)
        sheet.text(x + 36, y, text, va="center_baseline")
        x += 36 + text_width(text) + 28
    title = canvas.labels(say("Months before the exit (0: its own month)"))
    sheet.text(left, top + height + 28 + _LINE / 2, title, va="center_baseline", color=SOFT)


def stages(table: pd.DataFrame, words: Words = ENGLISH, *, title: Message | None = None) -> Chart:
    """Draw how many stand in each stage of leaving, and how many of such are gone soon after.

    Parameters
    ----------
    table : DataFrame
        ``stage`` (a key of :data:`customerlab.retention.stages.STAGES`), ``here``,
        ``here_share``, ``months_median``, ``months_q1``, ``months_q3``, ``seen_share``,
        ``horizon_months``, ``gone_share``, ``gone_low``, ``gone_high``; a text stands for what is
        hidden. The longest horizon is drawn.
    words : Words
    title : Message, optional
        What the figure shows; computed when left out.

    Returns
    -------
    Chart
        Stages from the least far to the furthest, each with a bar for those here today and a dot
        for those of earlier days who were gone within the horizon.
    """
    if table.empty:
        return _nothing(
            say("Without balances, accounts or payroll there are no stages of leaving to see."),
            words,
        )
    drawn = table[table["horizon_months"] == table["horizon_months"].max()]
    rows: list[Row] = []
    marks: list[tuple[str, float, float, float]] = []
    nan = float("nan")
    for line in drawn.to_dict("records"):
        share, gone, low, high = (
            _number(line[name]) for name in ("here_share", "gone_share", "gone_low", "gone_high")
        )
        rows.append(Row(_stage_heading(line), heading=True))
        marks.append(("heading", nan, nan, nan))
        value = (
            say("hidden")
            if math.isnan(share)
            else say("{count:customers} ({share:percent})", count=line["here"], share=share)
        )
        rows.append(Row(say("Here today"), value))
        marks.append(("here", share, nan, nan))
        value = say("not known") if math.isnan(gone) else say("{share:percent0}", share=gone)
        within = say("Gone within {months:count} months", months=line["horizon_months"])
        rows.append(Row(within, value))
        marks.append(("gone", gone, low, high))

    def paint(canvas: Canvas) -> None:
        ticks = [(i / 4, canvas.words.format(i / 4, "percent0")) for i in range(5)]
        axes, y = lay_rows(canvas, rows, ticks=ticks, limits=(0, 1))
        for at, (kind, share, low, high) in zip(y, marks, strict=True):
            if math.isnan(share):
                continue
            if kind == "here":
                axes.barh(at, share, height=14, color=TINTS[2])
            else:
                if not math.isnan(low):
                    axes.plot([low, high], [at, at], color=ACCENT, lw=3)
                dot(axes, share, at, color=ACCENT)

    listed = [
        words(row.name if row.heading else say("{name}: {value}", name=row.name, value=row.value))
        for row in rows
    ]
    return draw(
        paint,
        words,
        title=title or _stages_title(drawn),
        subtitle=say(
            "Bars: share of all customers here today. Dots: of customers who came into the stage "
            "earlier, the share gone, with its 95 % range"
        ),
        alt=say("Bars and dots: {rows}.", rows=words(say("; ")).join(listed)),
    )


def _number(value: object) -> float:
    return float("nan") if value is None or isinstance(value, str) else float(value)


def _stage_heading(line: dict) -> Message:
    seen, median = _number(line["seen_share"]), _number(line["months_median"])
    if line["stage"] == NONE or math.isnan(seen) or math.isnan(median):
        return STAGES[line["stage"]]
    told = {"stage": STAGES[line["stage"]], "share": seen, "median": median}
    if median < 1:
        return say(
            "{stage}: before {share:percent0} of the exits, mostly in the month of the exit", **told
        )
    return say(
        "{stage}: before {share:percent0} of the exits, usually {median:count} ({low:count} "
        "to {high:count}) months before",
        **told,
        low=_number(line["months_q1"]),
        high=_number(line["months_q3"]),
    )


def _stages_title(drawn: pd.DataFrame) -> Message:
    shares = {line["stage"]: _number(line["gone_share"]) for line in drawn.to_dict("records")}
    calm = shares.pop(NONE, float("nan"))
    known = {stage: share for stage, share in shares.items() if not math.isnan(share)}
    if not known or math.isnan(calm):
        return say("How far customers have gone on the way out.")
    worst = max(known, key=known.__getitem__)
    return say(
        "After “{stage}” {share:percent0} are gone within {months:count} months; without a sign "
        "{calm:percent0}.",
        stage=STAGES[worst],
        share=known[worst],
        months=drawn["horizon_months"].iloc[0],
        calm=calm,
    )
