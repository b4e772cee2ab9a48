"""What a cut-off earns, and where it lies for each cost of a contact."""

from __future__ import annotations

import math

import pandas as pd

from customerlab.messages import ENGLISH, Message, Words, say
from customerlab.plots.bands import paint_band
from customerlab.plots.chart import INK, RULE, Canvas, Chart, draw
from customerlab.plots.panels import PENS, Line, Mark, Panel, known_rows, paint_panels
from customerlab.plots.response import share_frame
from customerlab.plots.rows import dot
from customerlab.plots.units import Scale, money_scale
from customerlab.response.cutoff import ABOUT, Cutoff

#: The cost of which a title speaks, in parts of the margin.
_USUAL = 0.1


def profit_by_cutoff(
    table: pd.DataFrame,
    words: Words = ENGLISH,
    *,
    cutoff: Cutoff | None = None,
    title: Message | str | None = None,
) -> Chart:
    """Draw the profit against the share of the customers that is contacted, the best ones first.

    Parameters
    ----------
    table : DataFrame
        From :func:`customerlab.response.cutoff_answers.curve_to_show`.
    words : Words
    cutoff : Cutoff, optional
        Of which `table` is: the share at its cut-off is marked. When left out, the share of which
        most is expected.
    title : Message or str, optional

    Returns
    -------
    Chart
        With the best share marked, and tinted the shares that are about as good.
    """
    names = ["share", "profit", "profit_low", "profit_high", "expected"]
    known = known_rows(table, [*names, "cutoff"]).sort_values("share")
    scale = money_scale(known[names[1:]].to_numpy().ravel(), words)
    best, flat = _best_rows(known, cutoff)
    shown = known[names]
    if len(shown):
        start = pd.DataFrame([dict.fromkeys(names, 0.0)])  # nobody, nothing earned
        shown = pd.concat([start, shown], ignore_index=True)
    legend = [say("counted on contacts the model had not seen"), say("as its chances foretell")]

    def paint(canvas: Canvas) -> None:
        x, *lines = (shown[name].to_numpy() for name in names)
        *band, foretold = (line / scale.size for line in lines)
        frame = share_frame(scale.of(say("Profit")), words)
        axes = paint_band(canvas, frame, (x, *band), random=foretold, legend=legend)
        if axes is None or best is None:
            return
        if len(flat) > 1:
            axes.axvspan(flat.min(), flat.max(), color=RULE, alpha=0.6, lw=0, zorder=0)
        at, height = best["share"], best["profit"] / scale.size
        axes.plot([at, at], [0, height], color=INK, lw=1, linestyle=(0, (2, 2)))
        dot(axes, at, height, color=INK)
        side = 1 if at < 0.6 else -1
        place = {"xytext": (9 * side, 14), "textcoords": "offset points", "va": "center_baseline"}
        place |= {"ha": "left" if side > 0 else "right", "weight": "bold"}
        axes.annotate(canvas.labels(words.format(at, "percent0")), (at, 0), **place)

    told = [
        say(
            "{share:percent0}: {profit}",
            share=row.share,
            profit=scale.tell(row.profit, words),
        )
        for row in shown.iloc[:: max(len(shown) // 8, 1)].itertuples()
    ]
    subtitle = say("Margin of the responses less the cost of the contacts. Band: 95 % interval")
    if len(flat) > 1:
        subtitle = say(
            "Margin of the responses less the cost of the contacts. Band: 95 % interval. Grey: "
            "shares expected to bring at least {about:percent0} of the most",
            about=ABOUT,
        )
    return draw(
        paint,
        words,
        title=title or _profit_title(shown, best, cutoff, scale, words),
        subtitle=subtitle,
        alt=say(
            "A line with its band: {rows}.",
            rows=words(say("; ")).join(map(words, told)) or words(say("none")),
        ),
    )


def _best_rows(known: pd.DataFrame, cutoff: Cutoff | None) -> tuple[pd.Series | None, pd.Series]:
    """Return the row of the cut-off, its share being exact, and the shares about as good."""
    none = known["share"].iloc[:0]
    if known.empty:
        return None, none
    if cutoff is None:
        best, most = known.loc[known["expected"].idxmax()], known["expected"].max()
        if not most > 0:
            return None, none
        return best, known.loc[known["expected"] >= ABOUT * most, "share"]
    if not cutoff.share > 0:
        return None, none
    nearest = known.loc[(known["share"] - cutoff.share).abs().idxmin()]
    flat = known["cutoff"].between(cutoff.flat_low, cutoff.flat_high)
    best = nearest.drop("cutoff").astype(float)
    best["share"] = cutoff.share
    return best, known.loc[flat, "share"]


def _profit_title(
    shown: pd.DataFrame,
    best: pd.Series | None,
    cutoff: Cutoff | None,
    scale: Scale,
    words: Words,
) -> Message:
    if shown.empty:
        return say("Too few responded, or did not, to say from which chance on a contact pays.")
    if best is None and cutoff is not None and cutoff.full:
        return say("No contact is to be had, though some would pay.")
    if best is None:
        return say("No contact pays: whoever is contacted costs more than is earned.")
    told = {"share": best["share"], "profit": scale.tell(best["profit"], words)}
    told |= {"all": scale.tell(shown["profit"].iloc[-1], words)}
    if cutoff is not None and cutoff.full:
        return say(
            "The contacts are used up with the best {share:percent0} of the customers: they bring "
            "{profit}.",
            **told,
        )
    if best["share"] > 0.995:
        return say("Contacting everybody brings the most: {profit}.", **told)
    return say(
        "Contacting the best {share:percent0} of the customers brings {profit}; contacting "
        "everybody {all}.",
        **told,
    )


def cutoff_by_cost(
    table: pd.DataFrame, words: Words = ENGLISH, *, title: Message | str | None = None
) -> Chart:
    """Draw whom to contact for each cost of a contact, where the bank has told no costs.

    Parameters
    ----------
    table : DataFrame
        From :func:`customerlab.response.cutoff_answers.by_cost_to_show`: ``cost_over_margin``,
        ``cutoff`` (infinite: nobody), ``share``, ``held``.
    words : Words
    title : Message or str, optional
    """
    shown = known_rows(table, ["cost_over_margin", "cutoff", "share", "held"])
    pens = (PENS[0], PENS[1])
    lines = []
    for row in shown.itertuples():
        name = say("{ratio:percent0} of the margin", ratio=row.cost_over_margin)
        value = say("from a chance of {at:percent1}", at=row.cutoff)
        if math.isinf(row.cutoff):
            value = say("nobody")
        marks = (Mark(100 * row.share, pen=pens[0]), Mark(100 * row.held, pen=pens[1]))
        lines.append(Line(name, marks, value))
    told = [
        say(
            "{name}: {share:percent0} contacted, {held:percent0} of those who respond reached",
            name=line.name,
            share=row.share,
            held=row.held,
        )
        for line, row in zip(lines, shown.itertuples(), strict=True)
    ]
    panels = [Panel(say("Share, in %, if a contact costs so much"), lines, within=(0.0, 100.0))]
    legend = [
        (pens[0], say("of the customers, contacted")),
        (pens[1], say("of those who respond, reached")),
    ]

    def paint(canvas: Canvas) -> None:
        paint_panels(canvas, panels, legend)

    return draw(
        paint,
        words,
        title=title or _cost_title(shown),
        subtitle=say(
            "The best cut-off by what a contact costs, in % of what a response earns; counted on "
            "contacts that the model had not seen"
        ),
        alt=say(
            "Pairs of dots: {rows}.",
            rows=words(say("; ")).join(map(words, told)) or words(say("none")),
        ),
    )


def _cost_title(shown: pd.DataFrame) -> Message:
    if shown.empty:
        return say("Too few responded, or did not, to say from which chance on a contact pays.")
    row = shown.loc[(shown["cost_over_margin"] - _USUAL).abs().idxmin()]
    told = {"ratio": row["cost_over_margin"], "share": row["share"], "held": row["held"]}
    if math.isinf(row["cutoff"]):
        return say("If a contact costs {ratio:percent0} of the margin, no contact pays.", **told)
    return say(
        "If a contact costs {ratio:percent0} of the margin, contact the best {share:percent0}: "
        "they hold {held:percent0} of those who respond.",
        **told,
    )
