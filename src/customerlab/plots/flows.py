"""Where rows and customers go: the ledger of the cleaning, and the layers of customers."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pandas as pd
from matplotlib.axes import Axes

from customerlab.layers import LAYERS
from customerlab.messages import ENGLISH, Message, Words, say
from customerlab.plots.chart import ACCENT, INK, SOFT, TINTS, Canvas, Chart, draw
from customerlab.plots.rows import Row, lay_rows
from customerlab.privacy import HIDDEN

#: The layers that the funnel narrows to; the others are parts, drawn lighter.
_STEPS = {"all", "not_invalid", "active", "lifetime_value"}
_PARTS_OF_PARTS = {"potential_active", "dormant"}
_HIDDEN = say("hidden")
#: The clean rows are light, the reasons go from dark to middling: told apart in grey as well.
_CLEAN_TINT = TINTS[3]
_ASIDE_TINTS = ("#6e2d08", "#a34713", "#c4703e", "#d89a73", "#d3c9c2")
_LINE = 20


def layer_funnel(
    layers: pd.DataFrame, words: Words = ENGLISH, *, title: Message | None = None
) -> Chart:
    """Draw how many customers are in each layer.

    Parameters
    ----------
    layers : DataFrame
        ``layer`` (a key of :data:`customerlab.layers.LAYERS`, or a message), ``customers`` (a
        count, or the text of a masked one), ``share`` of all; in the order of the drawing.
    words : Words
    title : Message, optional
        What the figure shows; computed when left out.

    Returns
    -------
    Chart
        A masked count has its text and no bar.
    """
    names = [_layer(key) for key in layers["layer"]]
    counts = pd.to_numeric(layers["customers"], errors="coerce").tolist()
    counts = [math.nan if 0 < count < words.min_cell else count for count in counts]
    shares = pd.to_numeric(layers["share"], errors="coerce").tolist()
    values = [
        _masked(given, words) if pd.isna(count) else _count_and_share(count, share)
        for given, count, share in zip(layers["customers"], counts, shares, strict=True)
    ]
    steps = [not isinstance(key, str) or key in _STEPS for key in layers["layer"]]
    deeper = [1 + (key in _PARTS_OF_PARTS) for key in layers["layer"]]
    depths = [0 if step else depth for step, depth in zip(steps, deeper, strict=True)]
    rows = [
        Row(name, value, indent=16 * depth)
        for name, value, depth in zip(names, values, depths, strict=True)
    ]
    top = max([count for count in counts if not pd.isna(count)], default=1) or 1

    def paint(canvas: Canvas) -> None:
        # the longest bar leaves room for its count
        room = 1.0 if canvas.narrow else 1.35
        axes, y = lay_rows(canvas, rows, limits=(0, top * room), values_at_marks=True)
        for at, count, value, step in zip(y, counts, values, steps, strict=True):
            length = 0 if pd.isna(count) else count
            axes.barh(at, length, height=18 if step else 12, color=ACCENT if step else TINTS[2])
            if not canvas.narrow:
                place = {"xytext": (8, 0), "textcoords": "offset points", "va": "center_baseline"}
                axes.annotate(canvas.labels(value), (length, at), **place)
        if not canvas.narrow:
            axes.axvline(0, color=INK, linewidth=1)

    known = dict(zip(layers["layer"], counts, strict=True))
    return draw(
        paint,
        words,
        title=title or _funnel_title(known),
        subtitle=say("Customers, and their share of all customers"),
        alt=say("Bars: {rows}.", rows=_listed(names, values, words)),
    )


def _layer(key: Message | str) -> Message | str:
    return LAYERS.get(key, key) if isinstance(key, str) else key


def _masked(value: object, words: Words) -> Message | str:
    return _HIDDEN if value == HIDDEN or pd.isna(value) else words.format(value, "customers")


def _count_and_share(count: float, share: float) -> Message:
    if pd.isna(share):
        return say("{count:count}", count=count)
    return say("{count:count} ({share:percent})", count=count, share=share)


def _funnel_title(known: dict[Message | str, float]) -> Message:
    everyone, kept = known.get("all"), known.get("not_invalid")
    if everyone and kept is not None and not pd.isna(everyone) and not pd.isna(kept):
        return say(
            "{kept:count} of {all:count} customers remain once the invalid are set aside.",
            kept=kept,
            all=everyone,
        )
    return say("How many customers each layer holds.")


def _listed(names: list, values: list, words: Words) -> str:
    pairs = [
        words(say("{name}: {value}", name=words(name), value=words(value)))
        for name, value in zip(names, values, strict=True)
    ]
    return words(say("; ")).join(pairs)


def cleaning_flow(
    ledger: pd.DataFrame, words: Words = ENGLISH, *, title: Message | None = None
) -> Chart:
    """Draw what became of every row that came in, table by table.

    Parameters
    ----------
    ledger : DataFrame
        ``table``, ``action`` (``clean`` or ``quarantined``; other lines are left out), ``reason``
        (text or message) and ``rows``: see :mod:`customerlab.cleaning.ledger`.
    words : Words
    title : Message, optional
        What the figure shows; computed when left out.

    Returns
    -------
    Chart
        Each bar is a whole table, so that small tables can be read beside large ones.
    """
    streams = _streams(ledger)
    came = sum(stream.came for stream in streams)
    clean = sum(stream.clean for stream in streams)

    def paint(canvas: Canvas) -> None:
        _paint_streams(canvas, streams)

    parts = [
        say("{table}: {rows}", table=stream.table, rows=_came_and_clean(stream))
        for stream in streams
    ]
    return draw(
        paint,
        words,
        title=title
        or say(
            "{clean:count} of {came:count} rows are clean ({share:percent2}).",
            clean=clean,
            came=came,
            share=_floor(clean / came) if came else None,
        ),
        subtitle=say("Share of each table's rows that is clean, and why the rest was set aside"),
        alt=say("Bars: {rows}.", rows=words(say("; ")).join(words(part) for part in parts)),
    )


@dataclass(frozen=True)
class _Stream:
    """The rows of one table: what came in, what is clean, and why the rest is not."""

    table: str
    clean: int
    reasons: tuple[tuple[Message | str, int], ...]

    @property
    def came(self) -> int:
        return self.clean + sum(rows for _, rows in self.reasons)


def _streams(ledger: pd.DataFrame) -> list[_Stream]:
    streams = []
    for table, part in ledger.groupby("table", sort=False):
        clean = part.loc[part["action"] == "clean", "rows"].sum()
        reasons: dict[Message | str, int] = {}
        for line in part[part["action"] == "quarantined"].itertuples():
            if line.rows:
                reasons[line.reason] = reasons.get(line.reason, 0) + int(line.rows)
        largest = sorted(reasons.items(), key=lambda item: -item[1])
        streams.append(_Stream(str(table), int(clean), tuple(largest)))
    return streams


def _came_and_clean(stream: _Stream) -> Message:
    if not stream.came:
        return say("no rows came in")
    return say(
        "{came:count} rows, {share:percent2} clean",
        came=stream.came,
        share=_floor(stream.clean / stream.came),
    )


def _floor(share: float) -> float:
    """Round down to what is written: not quite all is never written as 100.00 %."""
    return math.floor(share * 10_000 + 1e-9) / 10_000


def _shown_reasons(stream: _Stream) -> list[tuple[Message | str, int]]:
    """Return the largest reasons, and the sum of the others."""
    most = len(_ASIDE_TINTS)
    if len(stream.reasons) <= most:
        return list(stream.reasons)
    others = stream.reasons[most - 1 :]
    rest = say("{n:count} other reasons", n=len(others))
    return [*stream.reasons[: most - 1], (rest, sum(rows for _, rows in others))]


def _paint_streams(canvas: Canvas, streams: list[_Stream]) -> None:
    heads = 2 if canvas.narrow else 1
    texts = [_reason_lines(canvas, stream) for stream in streams]
    heights = [_LINE * (heads + sum(map(len, lines))) + 42 for lines in texts]
    canvas.grow_to(sum(heights))
    sheet, labels = canvas.sheet(), canvas.labels
    y = 0.0
    for stream, reasons, height in zip(streams, texts, heights, strict=True):
        at = y + _LINE / 2
        sheet.text(0, at, labels(stream.table), va="center_baseline", weight="bold")
        counts = labels(_came_and_clean(stream))
        if canvas.narrow:
            at += _LINE
            sheet.text(0, at, counts, va="center_baseline", color=SOFT)
        else:
            sheet.text(canvas.width, at, counts, va="center_baseline", ha="right", color=SOFT)
        _paint_bar(canvas, sheet, stream, at + _LINE / 2 + 4)
        at += _LINE + 26
        for lines, color in zip(reasons, _ASIDE_TINTS, strict=False):
            sheet.barh(at, 10, height=10, color=color)
            for line in lines:
                sheet.text(18, at, line, va="center_baseline")
                at += _LINE
        y += height


def _reason_lines(canvas: Canvas, stream: _Stream) -> list[list[str]]:
    texts = []
    for reason, rows in _shown_reasons(stream):
        values = {"reason": reason, "rows": rows, "share": max(rows / stream.came, 0.0001)}
        if rows / stream.came < 0.0001:
            texts.append(say("{reason}: {rows:count} (under {share:percent2})", **values))
        else:
            texts.append(say("{reason}: {rows:count} ({share:percent2})", **values))
    return [canvas.lines(text, canvas.width - 18) for text in texts]


def _paint_bar(canvas: Canvas, sheet: Axes, stream: _Stream, top: float) -> None:
    if not stream.came:
        return
    # the smallest part can still be seen, and parts do not touch
    sizes = [max(canvas.width * rows / stream.came, 3) for _, rows in _shown_reasons(stream)]
    sizes = [max(canvas.width - sum(sizes), 0), *sizes]
    left = 0.0
    for size, color in zip(sizes, [_CLEAN_TINT, *_ASIDE_TINTS], strict=False):
        sheet.barh(top + 8, max(size - 1, 0), left=left, height=16, color=color)
        left += size
