"""Whether the chances that were foretold came true: of leaving, by horizon, or of responding."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd
from matplotlib.axes import Axes

from customerlab.churn.calibration import LEAST
from customerlab.churn.judging import TOO_FEW
from customerlab.messages import ENGLISH, Message, Words, say
from customerlab.plots.chart import ACCENT, INK, SOFT, TINTS, Canvas, Chart, draw, text_width
from customerlab.plots.rows import dot

_LINE = 19  # from one line of text to the next
_LEFT, _GAP, _BARS = 46.0, 26.0, 44.0  # margins and the height of the distribution, in pixels

_TOO_FEW_RESPONSES = say("Too few responses to compare the chances with.")


@dataclass(frozen=True)
class _Told:
    """What a figure says of customers whose chances came true."""

    share: Message  # title of the upright axis
    chance: Message  # and of the other
    point: Callable[[float, float], Message]  # of one dot, by what was foretold and observed
    none: Message
    subtitle: Message
    alt: Callable[[str], Message]  # by the words for all panels


def calibration_curve(
    table: pd.DataFrame, words: Words = ENGLISH, *, title: Message | None = None
) -> Chart:
    """Draw the share that left against the chance foretold: the diagonal is right.

    Parameters
    ----------
    table : DataFrame
        From :func:`customerlab.churn.curve_to_show`: ``horizon_months``, ``group``, ``kind``
        (``smooth``, ``tenth``, ``bar``), ``predicted``, ``observed`` with ``low`` and ``high``,
        ``customers``. One panel for each horizon, or each group of a horizon.
    words : Words
    title : Message, optional
        What the figure shows; computed when left out.

    Returns
    -------
    Chart
        Panels side by side, on a phone one below the other; each as far as its data reach.
    """
    several = len(table["group"].unique()) > 1
    panels = [
        (_panel_name(horizon, group if several else None), part)
        for (horizon, group), part in table.groupby(["horizon_months", "group"], sort=False)
    ]
    told = _Told(
        say("Share that left, in %, on a log scale"),
        say("Chance foretold, in %, on a log scale"),
        lambda predicted, observed: say(
            "{predicted:percent} foretold, {observed:percent} left",
            predicted=predicted,
            observed=observed,
        ),
        TOO_FEW,
        say(
            "Dashed: as foretold. Line: the smooth share that left, with its 95 % band. Dots: "
            "customers in about ten equal groups, with 95 % ranges. Bars: how many have each chance"
        ),
        lambda panels: say("Chances foretold against shares that left. {panels}.", panels=panels),
    )
    return _draw(panels, words, title or _title(table), told)


def response_calibration(
    table: pd.DataFrame, words: Words = ENGLISH, *, title: Message | None = None
) -> Chart:
    """Draw the share that responded against the chance foretold: the diagonal is right.

    Parameters
    ----------
    table : DataFrame
        From :func:`customerlab.response.judged_shown.response_curve_to_show`, with the columns
        that :func:`calibration_curve` reads.
    words : Words
    title : Message, optional
    """
    panels = [("", part) for _, part in table.groupby("group", sort=False)]
    told = _Told(
        say("Share that responded, in %, on a log scale"),
        say("Chance of a response foretold, in %, on a log scale"),
        lambda predicted, observed: say(
            "{predicted:percent} foretold, {observed:percent} responded",
            predicted=predicted,
            observed=observed,
        ),
        _TOO_FEW_RESPONSES,
        say(
            "Dashed: as foretold. Line: the smooth share that responded, with its 95 % band. Dots: "
            "contacts in about ten equal groups, with 95 % ranges. Bars: how many have each chance"
        ),
        lambda panels: say(
            "Chances foretold against shares that responded. {panels}.", panels=panels
        ),
    )
    return _draw(panels, words, title or _response_title(table), told)


def _draw(
    panels: list[tuple[Message | str, pd.DataFrame]], words: Words, title: Message, told: _Told
) -> Chart:
    def paint(canvas: Canvas) -> None:
        across = 1 if canvas.narrow else 2
        width = (canvas.width - (across - 1) * _GAP) / across
        side = width - _LEFT - 12
        heads = 1 + any(name != "" for name, _ in panels)
        height = heads * _LINE + 6 + side + _BARS + 30 + _LINE + 14
        rows = math.ceil(len(panels) / across)
        canvas.grow_to(max(rows * height - 14, 2.0 * _LINE))
        sheet = canvas.sheet()
        if not panels:
            sheet.text(0, _LINE, canvas.labels(told.none), va="center_baseline", color=SOFT)
        for i, (name, part) in enumerate(panels):
            left, top = (i % across) * (width + _GAP), (i // across) * height
            texts = [(name, {"weight": "bold"})] if heads == 2 else []
            texts += [(told.share, {"color": SOFT})]
            for line, (text, style) in enumerate(texts):
                at = top + (line + 0.5) * _LINE
                sheet.text(left, at, canvas.labels(text), va="center_baseline", **style)
            _paint_panel(canvas, part, left + _LEFT, top + heads * _LINE + 6, side)
            below = top + heads * _LINE + 6 + side + _BARS + 28 + _LINE / 2
            text = canvas.labels(told.chance)
            begins = min(left + _LEFT, left + width - text_width(text))
            sheet.text(begins, below, text, va="center_baseline", color=SOFT)

    return draw(
        paint,
        words,
        title=title,
        subtitle=told.subtitle if panels else "",
        alt=_alt(panels, words, told),
    )


def _panel_name(horizon: int, group: Message | str | None) -> Message:
    if group is None:
        return say("Within {months:count} months", months=horizon)
    return say("{group}: within {months:count} months", group=group, months=horizon)


def _paint_panel(canvas: Canvas, part: pd.DataFrame, left: float, top: float, side: float) -> None:
    smooth, tenths, bars = (part[part["kind"] == kind] for kind in ("smooth", "tenth", "bar"))
    lowest, highest = _limits(smooth, tenths)
    ticks = _ticks(lowest, highest)
    labels = [canvas.words.format(tick, _spec(tick)) for tick in ticks]
    axes = canvas.axes(left, top, side, side)
    beneath = canvas.axes(left, top + side + 4, side, _BARS)
    axes.set(xscale="log", yscale="log", xlim=(lowest, highest), ylim=(lowest, highest))
    axes.plot([lowest, highest], [lowest, highest], color=SOFT, lw=1.2, linestyle=(0, (5, 3)))
    low = smooth["low"].astype(float).clip(lower=lowest / 2)  # a log scale has no 0
    axes.fill_between(smooth["predicted"], low, smooth["high"], color=TINTS[2], alpha=0.55, lw=0)
    axes.plot(smooth["predicted"], smooth["observed"], color=ACCENT, linewidth=2.2)
    for point in tenths.itertuples():
        axes.plot([point.predicted] * 2, [point.low, point.high], color=INK, linewidth=1.4)
        dot(axes, point.predicted, point.observed, color=INK, hollow=True, size=6.5)
    _paint_bars(beneath, bars)
    beneath.set(xscale="log", xlim=(lowest, highest))
    axes.set_yticks(ticks, labels=labels)
    axes.set_xticks(ticks, labels=[""] * len(ticks))
    beneath.set_xticks(ticks, labels=labels)
    for one in (axes, beneath):
        one.set_xticks([], minor=True)
        one.set_yticks([], minor=True)
    axes.grid()


def _paint_bars(axes: Axes, bars: pd.DataFrame) -> None:
    """Draw how many customers have each chance, hanging from above."""
    middles = bars["predicted"].to_numpy(float)
    ratio = math.sqrt(middles[1] / middles[0]) ** 0.86 if len(middles) > 1 else 1.01
    widths = middles * (ratio - 1 / ratio)
    axes.bar(middles / ratio, bars["customers"].astype(float), widths, align="edge", color=TINTS[1])
    axes.set_ylim(max(float(bars["customers"].max()), 1.0) if len(bars) else 1.0, 0)
    axes.set_yticks([])
    axes.spines["bottom"].set_visible(False)


def _limits(smooth: pd.DataFrame, tenths: pd.DataFrame) -> tuple[float, float]:
    """Return the range that both axes have: that of the data, with a little room."""
    ends = pd.concat(
        [*(smooth[c] for c in ("predicted", "observed")), *(tenths[c] for c in ("low", "high"))]
    ).astype(float)
    lowest, highest = max(float(ends.min()), LEAST), max(float(ends.max()), 2 * LEAST)
    room = (highest / lowest) ** 0.05
    return lowest / room, min(highest * room, 1.0)


def _ticks(lowest: float, highest: float) -> list[float]:
    """Return round shares in the range: few over several powers of ten, close ones over less."""
    for digits in ((1, 1.5, 2, 3, 4, 5, 6, 8), (1, 2, 5), (1, 3), (1,)):
        every = [digit * 10.0**power for power in range(-5, 1) for digit in digits]
        # a label at the very end would leave the drawing
        ticks = [tick for tick in every if lowest <= tick <= 0.9 * highest]
        if len(ticks) <= 6:
            break
    return ticks


def _spec(tick: float) -> str:
    """Return the format with as many decimals as the share has."""
    percent = round(100 * tick, 6)
    return "percent0" if percent == round(percent) else f"percent{1 if percent >= 0.1 else 2}"


def _title(table: pd.DataFrame) -> Message:
    tenths = table[table["kind"] == "tenth"]
    if tenths.empty:
        return TOO_FEW
    longest = tenths[tenths["horizon_months"] == tenths["horizon_months"].max()]
    most = longest.loc[longest["predicted"].astype(float).idxmax()]
    return say(
        "Of the customers with the highest chances {predicted:percent} were expected to leave "
        "within {months:count} months; {observed:percent} did.",
        predicted=most["predicted"],
        observed=most["observed"],
        months=most["horizon_months"],
    )


def _response_title(table: pd.DataFrame) -> Message:
    tenths = table[table["kind"] == "tenth"]
    if tenths.empty:
        return _TOO_FEW_RESPONSES
    most = tenths.loc[tenths["predicted"].astype(float).idxmax()]
    return say(
        "Of the contacts with the highest chances {predicted:percent} were expected to respond; "
        "{observed:percent} did.",
        predicted=most["predicted"],
        observed=most["observed"],
    )


def _alt(panels: list[tuple[Message | str, pd.DataFrame]], words: Words, told: _Told) -> Message:
    texts = []
    for name, part in panels:
        tenths = part[part["kind"] == "tenth"]
        points = [told.point(point.predicted, point.observed) for point in tenths.itertuples()]
        joined = words(say("; ")).join(map(words, points))
        texts.append(words(say("{name}: {value}", name=name, value=joined)) if name else joined)
    return told.alt(words(say(". ")).join(texts)) if texts else told.none
