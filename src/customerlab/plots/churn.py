"""Why customers leave, and which groups first: hazard ratios and shares that leave."""

from __future__ import annotations

import math

import pandas as pd

from customerlab.messages import ENGLISH, Message, Words, say
from customerlab.plots.chart import ACCENT, INK, SOFT, WARN, Canvas, Chart, draw, text_width
from customerlab.plots.rows import Row, dot, lay_rows

_LINE = 19


def hazard_ratios(
    table: pd.DataFrame, words: Words = ENGLISH, *, title: Message | None = None
) -> Chart:
    """Draw how many times as likely each level is to leave in a month as its reference.

    Parameters
    ----------
    table : DataFrame
        ``term`` and ``level`` (text or message), ``hazard_ratio``, ``low``, ``high``; a reference
        level has ratio 1 and no interval; a number's own row has an empty level. ``is_clock``, if
        there, marks the levels of time itself, which the title passes over.
    words : Words
    title : Message, optional
        What the figure shows; computed when left out.

    Returns
    -------
    Chart
        On a log scale: twice and half are as far from 1.
    """
    rows: list[Row] = []
    drawn: list[tuple[float, float, float] | None] = []
    term: object = None
    for line in table.itertuples():
        level = line.level if isinstance(line.level, Message) or line.level else None
        level = None if isinstance(level, float) else level
        if line.term != term and level is not None:
            rows.append(Row(line.term, heading=True))
            drawn.append(None)
        term = line.term
        rows.append(Row(level if level is not None else line.term, _ratio(line)))
        drawn.append((line.hazard_ratio, line.low, line.high))
    ends = [x for point in drawn if point for x in point if not math.isnan(x) and 0 < x < math.inf]
    limits = (max(min([*ends, 0.8]) / 1.1, 0.01), min(max([*ends, 1.25]) * 1.1, 100.0))

    def paint(canvas: Canvas) -> None:
        ticks = [(x, canvas.words.format(x, "number")) for x in _ratio_ticks(*limits)]
        axes, y = lay_rows(
            canvas,
            rows,
            ticks=ticks,
            limits=limits,
            log=True,
            axis_title=say("Hazard ratio, on a log scale"),
        )
        axes.axvline(1, color=INK, linewidth=1)
        for at, point in zip(y, drawn, strict=True):
            if point is None:
                continue
            ratio, low, high = point
            if math.isnan(low):
                dot(axes, ratio, at, hollow=True)
                continue
            certain = low > 1 or high < 1
            color = ACCENT if certain else SOFT
            axes.plot([max(low, limits[0]), min(high, limits[1])], [at, at], color=color, lw=3)
            dot(axes, ratio, at, color=color, hollow=not certain)

    values = [words(row.value) for row in rows if not row.heading]
    names = [words(row.name) for row in rows if not row.heading]
    return draw(
        paint,
        words,
        title=title or _ratio_title(table),
        subtitle=say(
            "Times as likely to leave in a month, all else alike. Lines: 95 % range; "
            "an open dot could be chance"
        ),
        alt=say(
            "Dots with intervals: {rows}.",
            rows=words(say("; ")).join(
                words(say("{name}: {value}", name=name, value=value))
                for name, value in zip(names, values, strict=True)
            ),
        ),
    )


def _ratio(line: object) -> Message:
    if math.isnan(line.low):
        return say("1 (reference)")
    return say(
        "{ratio:number2} ({low:number2} to {high:number2})",
        ratio=line.hazard_ratio,
        low=line.low,
        high=line.high,
    )


def _ratio_ticks(low: float, high: float) -> list[float]:
    every = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100]
    if high / low < 4:
        every = [0.25, 0.5, 0.75, 1, 1.5, 2, 3]
    return [x for x in every if low <= x <= high]


def _ratio_title(table: pd.DataFrame) -> Message:
    certain = table[(table["low"] > 1) | (table["high"] < 1)]
    if "is_clock" in table:
        certain = certain[~certain["is_clock"]]
    if certain.empty:
        return say("No cause stands out: every range includes 1.")
    strongest = certain.loc[certain["hazard_ratio"].map(math.log).abs().idxmax()]
    level = strongest["level"]
    name = strongest["term"]
    if isinstance(level, Message) or (isinstance(level, str) and level):
        name = say("{term}: {level}", term=name, level=level)
    return say(
        "Strongest: “{name}”, {ratio:number2} times as likely to leave.",
        name=name,
        ratio=strongest["hazard_ratio"],
    )


def leavers_by_group(
    table: pd.DataFrame, words: Words = ENGLISH, *, title: Message | None = None
) -> Chart:
    """Draw the share of each group that leaves within each horizon, the most first.

    Parameters
    ----------
    table : DataFrame
        ``group`` (text or message), ``horizon_months``, ``share``, ``low``, ``high``; a share
        that is not known is left out. ``feature``, if there: what the groups are groups of.
    words : Words
    title : Message, optional
        What the figure shows; computed when left out.
    """
    known = table[table["share"].notna()]
    horizons = sorted(known["horizon_months"].unique())
    last = known[known["horizon_months"] == horizons[-1]].sort_values("share", ascending=False)
    groups = list(dict.fromkeys([*last["group"], *known["group"]]))
    points = {(line.group, line.horizon_months): line for line in known.itertuples()}
    rows = []
    for group in groups:
        shares = [
            words.format(points[group, h].share, "percent")
            for h in horizons
            if (group, h) in points
        ]
        rows.append(Row(group, " · ".join(shares)))
    highest = float(known[["share", "high"]].max().max())

    def paint(canvas: Canvas) -> None:
        step = _share_step(highest, 4 if canvas.narrow else 6)
        top = step * math.ceil(highest / step - 1e-9)
        spec = "percent0" if step >= 0.01 else "percent"
        ticks = [
            (step * i, canvas.words.format(step * i, spec)) for i in range(round(top / step) + 1)
        ]
        axes, y = lay_rows(
            canvas,
            rows,
            ticks=ticks,
            limits=(0, top),
            axis_title=say("Share of the group that leaves, in %"),
            top=_LINE + 10.0,
        )
        x = 6.0
        sheet = canvas.figure.axes[0]
        for i, horizon in enumerate(horizons):
            color, hollow = _horizon(i)
            text = canvas.labels(say("within {months:count} months", months=horizon))
            sheet.plot(
                [x], [_LINE / 2], "o", ms=8, mew=1.8, mec=color, mfc="white" if hollow else color
            )
            sheet.text(x + 10, _LINE / 2, text, va="center_baseline")
            x += text_width(text) + 34
        for group, at in zip(groups, y, strict=True):
            for i, horizon in enumerate(horizons):
                point = points.get((group, horizon))
                if point is None:
                    continue
                color, hollow = _horizon(i)
                height = at + (i - (len(horizons) - 1) / 2) * 9
                if not math.isnan(point.low):
                    axes.plot([point.low, point.high], [height] * 2, color=color, lw=2.5, alpha=0.7)
                dot(axes, point.share, height, color=color, hollow=hollow, size=7)

    first = last.iloc[0]
    listed = [words(say("{name}: {value}", name=row.name, value=row.value)) for row in rows]
    return draw(
        paint,
        words,
        title=title
        or say(
            "“{group}” leave first: {share:percent} within {months:count} months.",
            group=_of_feature(table, first["group"]),
            share=first["share"],
            months=horizons[-1],
        ),
        subtitle=say(
            "Expected share of each group that leaves; a line is its 95 % range from the model"
        ),
        alt=say("Dots with intervals: {rows}.", rows=words(say("; ")).join(listed)),
    )


def _of_feature(table: pd.DataFrame, group: Message | str) -> Message | str:
    """Name a group with its feature, where the table tells it."""
    if "feature" not in table:
        return group
    return say("{term}: {level}", term=table["feature"].iloc[0], level=group)


def _horizon(number: int) -> tuple[str, bool]:
    return ((ACCENT, False), (WARN, True), (INK, False), (SOFT, True))[number % 4]


def _share_step(highest: float, most: int) -> float:
    """Return the round step between ticks that takes at most so many of them."""
    steps = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2)
    return next((step for step in steps if highest / step <= most), 0.25)
