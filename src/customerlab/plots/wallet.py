"""What groups of customers hold here, and what they are thought to hold elsewhere."""

from __future__ import annotations

import pandas as pd

from customerlab.messages import ENGLISH, Message, Words, say
from customerlab.plots.actions import Fill
from customerlab.plots.chart import ACCENT, TINTS, Canvas, Chart, draw, text_width
from customerlab.plots.curves import largest_shown
from customerlab.plots.drivers import draw_nothing
from customerlab.plots.panels import known_rows, ticks_that_fit
from customerlab.plots.rows import Row, lay_rows
from customerlab.plots.units import Scale, money_scale, without_few

_LINE = 19
_MOST = 12
_HERE, _ELSEWHERE = Fill(ACCENT), Fill(TINTS[2], "////")


def wallet_by_group(
    table: pd.DataFrame, words: Words = ENGLISH, *, title: Message | str | None = None
) -> Chart:
    """Draw what each group holds here and elsewhere, one behind the other.

    Parameters
    ----------
    table : DataFrame
        From :func:`customerlab.value.wallet_groups.groups_to_show`, or of the same columns; hidden
        groups are left out, and of more than twelve those that hold least elsewhere.
    words : Words
    title : Message or str, optional
    """
    known = known_rows(table, ["here", "elsewhere"])
    known = known.sort_values("elsewhere", ascending=False, kind="stable")
    shown = known.head(_MOST)
    whole = shown["here"] + shown["elsewhere"]
    shares = (shown["here"] / whole.where(whole > 0)).tolist()
    scale = money_scale(whole, words)
    values = [say("{share:percent0} here", share=share) for share in shares]
    rows = [Row(group, value) for group, value in zip(shown["group"], values, strict=True)]
    legend = [(_HERE, say("held here")), (_ELSEWHERE, say("thought to be held elsewhere"))]

    def paint(canvas: Canvas) -> None:
        if not rows:
            return draw_nothing(canvas)
        places = _legend_places(canvas, [canvas.labels(name) for _, name in legend])
        end = max(float(whole.max()) / scale.size, 1e-9)
        axes, y = lay_rows(
            canvas,
            rows,
            ticks=ticks_that_fit(0, end, 0.5 * canvas.width, words),
            limits=(0, 1.03 * end),
            axis_title=scale.of(say("Assets")),
            top=places[-1][1] + _LINE,
        )
        sheet = canvas.figure.axes[0]
        for (fill, name), (x, at) in zip(legend, places, strict=True):
            fill.bar(sheet, at, 16, left=x, height=12)
            sheet.text(x + 24, at, canvas.labels(name), va="center_baseline")
        for line, at in zip(shown.itertuples(), y, strict=True):
            here = line.here / scale.size
            _HERE.bar(axes, at, here, height=18)
            _ELSEWHERE.bar(axes, at, line.elsewhere / scale.size, left=here, height=18)
        return None

    told = [
        say(
            "{group}: {here} here, {elsewhere} elsewhere",
            group=line.group,
            here=scale.tell(line.here, words),
            elsewhere=scale.tell(line.elsewhere, words),
        )
        for line in shown.itertuples()
    ]
    subtitle = say(
        "Elsewhere: what like customers at the upper end hold, less what these hold here. An "
        "estimate, good for the order of the groups rather than for amounts"
    )
    if len(known) > len(shown):
        subtitle = largest_shown(subtitle, len(shown), len(known))
    return draw(
        paint,
        words,
        title=title or _title(shown, scale, words),
        subtitle=without_few(subtitle, len(table) - len(known)),
        alt=say(
            "Stacked bars. {rows}.",
            rows=words(say("; ")).join(map(words, told)) or words(say("none")),
        ),
    )


def _title(shown: pd.DataFrame, scale: Scale, words: Words) -> Message:
    if shown.empty:
        return say("Too few customers to say what is held elsewhere.")
    if not shown["elsewhere"].max() > 0:
        return say("No group is thought to hold more elsewhere.")
    row = shown.iloc[0]
    return say(
        "“{group}” may hold most elsewhere: about {amount}, {share:percent0} of what they own.",
        group=row["group"],
        amount=scale.tell(row["elsewhere"], words),
        share=row["elsewhere"] / (row["here"] + row["elsewhere"]),
    )


def _legend_places(canvas: Canvas, names: list[str]) -> list[tuple[float, float]]:
    places, x, y = [], 0.0, _LINE / 2
    for name in names:
        width = 24 + text_width(name)
        if x and x + width > canvas.width:
            x, y = 0.0, y + _LINE
        places.append((x, y))
        x += width + 20
    return places
