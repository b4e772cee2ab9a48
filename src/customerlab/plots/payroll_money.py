"""What becomes of pay in the days after it came in: leavers and stayers, bar under bar."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes

from customerlab.messages import ENGLISH, Message, Words, say
from customerlab.plots.chart import PAPER, SOFT, TINTS, Canvas, Chart, draw, text_width
from customerlab.plots.rows import Row, lay_rows
from customerlab.retention.payroll_answers import DAYS, USES, WHO

#: Fill of each use, in the order of the bar, from dark to light: told apart in grey as well.
_FILLS = {"moved": TINTS[1], "withdrawn": TINTS[2], "spent": TINTS[3], "kept": PAPER}
_LINE = 19
_BAR = 22
#: The title speaks of the week after the pay.
_TITLE_DAYS = 7


def payroll_use(
    table: pd.DataFrame, words: Words = ENGLISH, *, title: Message | None = None
) -> Chart:
    """Draw the shares of the pay that were moved, withdrawn, spent and kept, by days since.

    Parameters
    ----------
    table : DataFrame
        ``who`` (key of :data:`customerlab.retention.payroll_answers.WHO`), ``days``, ``use`` (key
        of ``USES``), ``share`` (0 to 1; a masked one is a text and is left out): see
        :meth:`customerlab.retention.payroll_answers.PayrollUse.to_draw`.
    words : Words
    title : Message, optional
        What the figure shows; computed when left out.

    Returns
    -------
    Chart
        For each number of days a bar of each kind of customer, which together is all of the pay.
    """
    shares = {
        (line.days, line.who, line.use): float(line.share)
        for line in table.itertuples()
        if not isinstance(line.share, str) and pd.notna(line.share)
    }
    groups = [who for who in WHO if any(key[1] == who for key in shares)]
    rows: list[Row] = []
    bars: list[dict[str, float] | None] = []
    for days in DAYS:
        if not any(key[0] == days for key in shares):
            continue
        rows.append(Row(_within(days), heading=True))
        bars.append(None)
        for who in groups:
            rows.append(Row(WHO[who]))
            bars.append({use: shares.get((days, who, use), 0.0) for use in USES})

    def paint(canvas: Canvas) -> None:
        top = _legend_height(canvas)
        ticks = [(i / 4, canvas.words.format(i / 4, "percent0")) for i in range(5)]
        axes, y = lay_rows(
            canvas, rows, ticks=ticks, axis_title=say("Share of the pay, in %"), top=top
        )
        _paint_legend(canvas.figure.axes[0], canvas)
        for bar, at in zip(bars, y, strict=True):
            if bar is not None:
                _paint_bar(canvas, axes, bar, at)

    told = [
        say(
            "{within}, {who}: {uses}",
            within=_within(days),
            who=WHO[who],
            uses=words(say(", ")).join(
                words(say("{use} {share:percent0}", use=USES[use], share=shares[days, who, use]))
                for use in USES
                if (days, who, use) in shares
            ),
        )
        for days in DAYS
        for who in groups
        if any((days, who, use) in shares for use in USES)
    ]
    return draw(
        paint,
        words,
        title=title or _title(shares, groups),
        subtitle=say(
            "What of the pay had gone where so many days after it came in, in % of the pay; "
            "money that goes out is set against the pay until it is used up"
        ),
        alt=say("Stacked bars. {rows}.", rows=words(say("; ")).join(map(words, told))),
    )


def _within(days: int) -> Message:
    return say("Within 1 day") if days == 1 else say("Within {days:count} days", days=days)


def _title(shares: dict[tuple[int, str, str], float], groups: list[str]) -> Message:
    keys = [(_TITLE_DAYS, who, "moved") for who in groups]
    if set(groups) >= {"leavers", "stayers"} and all(key in shares for key in keys):
        return say(
            "{days:count} days after the pay, {leavers:percent0} of it has gone to another bank "
            "with those who then leave, {stayers:percent0} with those who stay.",
            days=_TITLE_DAYS,
            leavers=shares[_TITLE_DAYS, "leavers", "moved"],
            stayers=shares[_TITLE_DAYS, "stayers", "moved"],
        )
    return say("What becomes of the pay in the days after it came in.")


def _places(canvas: Canvas) -> list[tuple[str, float, float, str]]:
    """Return where each name of the legend stands; a new line where one is full."""
    placed, x, y = [], 0.0, _LINE / 2
    for use, name in USES.items():
        text = canvas.labels(name)
        width = 24 + text_width(text)
        if x and x + width > canvas.width:
            x, y = 0.0, y + _LINE
        placed.append((use, x, y, text))
        x += width + 18
    return placed


def _legend_height(canvas: Canvas) -> float:
    return _places(canvas)[-1][2] + _LINE / 2 + 10


def _paint_legend(sheet: Axes, canvas: Canvas) -> None:
    for use, x, y, text in _places(canvas):
        _fill(sheet, use, y, x, 16, 12)
        sheet.text(x + 24, y, text, va="center_baseline")


def _paint_bar(canvas: Canvas, axes: Axes, bar: dict[str, float], at: float) -> None:
    left = 0.0
    width = axes.get_position().width * canvas.width
    for use, share in bar.items():
        if share <= 0:
            continue
        _fill(axes, use, at, left, share, _BAR)
        text = canvas.labels(canvas.words.format(share, "percent0"))
        if text_width(text) + 8 <= share * width:
            axes.text(left + share / 2, at, text, ha="center", va="center_baseline")
        left += share


def _fill(axes: Axes, use: str, at: float, left: float, width: float, height: float) -> None:
    style = {"color": _FILLS[use], "edgecolor": SOFT, "linewidth": 0.8}
    axes.barh(at, width, height=height, left=left, **style)
