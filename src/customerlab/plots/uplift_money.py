"""What rules of contact are worth, and why a campaign did worse than the one before."""

from __future__ import annotations

import math

import pandas as pd

from customerlab.messages import ENGLISH, Message, Words, say
from customerlab.plots.chart import INK, TINTS, Canvas, Chart, draw
from customerlab.plots.panels import (
    BESIDE,
    MAIN,
    Line,
    Mark,
    Panel,
    Pen,
    alt_of,
    known_rows,
    paint_panels,
)
from customerlab.plots.units import Unit, headed, tell_range, unit_of
from customerlab.uplift.policies import RULES

_PART, _ALL = Pen(INK), say("all together")


def policy_values(
    table: pd.DataFrame, words: Words = ENGLISH, *, title: Message | str | None = None
) -> Chart:
    """Draw what each rule of contact gains over contacting nobody, per customer of all.

    Parameters
    ----------
    table : DataFrame
        ``rule`` (key of :data:`customerlab.uplift.policies.RULES`, or words), ``share`` (of the
        customers it contacts), ``gain``, ``gain_low``, ``gain_high`` (money per customer of all):
        see :attr:`customerlab.uplift.policies.Policies.table`. Hidden ones are left out.
    words : Words
    title : Message or str, optional

    Returns
    -------
    Chart
        A filled dot where the gain, or the loss, is sure; a hollow one where it is not.
    """
    shown = known_rows(table, ["share", "gain", "gain_low", "gain_high"])
    spec = Unit("money").spec(shown[["gain_low", "gain_high"]].to_numpy().ravel())
    lines = []
    for row in shown.itertuples():
        told = {"rule": RULES.get(row.rule, row.rule), "share": row.share}
        name = told["rule"]
        if 0 < row.share < 1:
            name = say("{rule} ({share:percent0} of them)", **told)
        sure = row.gain_low > 0 or row.gain_high < 0 or row.gain_low == row.gain_high
        low, high = row.gain_low, row.gain_high
        if low == high:  # nobody gains nothing for sure
            low = high = math.nan
        mark = Mark(row.gain, low, high, pen=MAIN if sure else BESIDE)
        lines.append(Line(name, (mark,), tell_range((row.gain, low, high), spec, words)))
    heading = say("Gain per customer of all, over contacting nobody")
    if words.currency:
        heading = say(
            "Gain per customer of all, over contacting nobody, in {currency}",
            currency=words.currency,
        )
    panels = [Panel(heading, lines)]

    def paint(canvas: Canvas) -> None:
        paint_panels(canvas, panels)

    return draw(
        paint,
        words,
        title=title or headed(_policies_title(shown), table),
        subtitle=say(
            "Margin less the cost of contact, on customers who had no part in choosing the rule. "
            "Lines: 95 % interval; a hollow dot could be chance"
        ),
        alt=alt_of(panels, words),
    )


def _policies_title(shown: pd.DataFrame) -> Message:
    if shown.empty:
        return say("Too few customers to say what a rule is worth.")
    sure = shown[shown["gain_low"] > 0]
    if len(sure):
        best = sure.loc[sure["gain"].idxmax()]
        return say(
            "Surely a gain: {rule}, {gain:money} per customer of all.",
            rule=RULES.get(best["rule"], best["rule"]),
            gain=best["gain"],
        )
    if (shown["gain_high"] < 0).any():
        worst = shown.loc[shown["gain"].idxmin()]
        return say(
            "No rule surely gains; {rule} loses {loss:money} per customer of all.",
            rule=RULES.get(worst["rule"], worst["rule"]),
            loss=-worst["gain"],
        )
    return say("No rule surely gains over contacting nobody.")


def part_of_change(
    table: pd.DataFrame, words: Words = ENGLISH, *, title: Message | str | None = None
) -> Chart:
    """Draw which parts explain how a campaign's effect changed.

    Parameters
    ----------
    table : DataFrame
        ``part`` (text or message), ``change`` (or ``value``), ``low``, ``high`` in the unit of the
        effect; the changes add up to that of the part called ``all together`` (or ``all``), which
        is added without an interval where it is not there. ``binary`` and ``money`` tell the
        unit. Parts that are not told apart, or hidden, are left out; beside hidden ones no sum is
        added.
    words : Words
    title : Message or str, optional
    """
    unit = unit_of(table)
    table = table.rename(columns={"change": "value"})
    hidden = table["value"].map(lambda value: isinstance(value, str))
    shown = known_rows(table, ["value"])
    ends = shown[["low", "high"]].apply(pd.to_numeric, errors="coerce").astype(float)
    shown = shown.assign(value=unit.factor * shown["value"], **ends.mul(unit.factor))
    given = shown["part"].map(lambda part: part in ("all", _ALL)).astype(bool)
    parts, total = shown[~given], shown[given]
    spec = unit.spec(shown[["value", "low", "high"]].to_numpy().ravel())
    lines = [_part_line(row, TINTS[2], spec, words) for row in parts.itertuples()]
    whole = None
    if len(total):
        row = next(total.itertuples())
        whole = row.value
        lines.append(_part_line(row, TINTS[1], spec, words))
    elif len(parts) and not hidden.any():
        whole = float(parts["value"].sum())
        sum_of = Mark(whole, pen=_PART)
        told = words.format(whole, spec)
        lines.append(Line(_ALL, (sum_of,), told, bar=TINTS[1]))
    panels = [Panel(_heading(unit, words), lines)]

    def paint(canvas: Canvas) -> None:
        paint_panels(canvas, panels)

    return draw(
        paint,
        words,
        title=title or _parts_title(parts, whole, unit, words),
        subtitle=say("The bars add up to the last one. Lines: 95 % interval"),
        alt=alt_of(panels, words),
    )


def _part_line(row: object, color: str, spec: str, words: Words) -> Line:
    numbers = (row.value, row.low, row.high)
    marks = (Mark(*numbers, pen=_PART),)
    return Line(row.part, marks, tell_range(numbers, spec, words), bar=color)


def _heading(unit: Unit, words: Words) -> Message:
    if unit.kind == "points":
        return say("Change of the effect, in percentage points")
    if unit.kind == "money" and words.currency:
        return say("Change of the effect, in {currency}", currency=words.currency)
    return say("Change of the effect, in the outcome's own unit")


def _parts_title(parts: pd.DataFrame, whole: float | None, unit: Unit, words: Words) -> Message:
    if parts.empty:
        return say("The change cannot be split.")
    sure = parts[(parts["low"] > 0) | (parts["high"] < 0)]
    if sure.empty:
        return say("No part of the change is sure: each could be chance.")
    # what went the way of the whole explains it; the rest made up for some
    same = sure if not whole else sure[sure["value"] * whole > 0]
    row = (same if len(same) else sure).pipe(lambda x: x.loc[x["value"].abs().idxmax()])
    told = {"part": row["part"], "value": unit.tell(row["value"], words)}
    if whole is None:
        return say("The largest sure part is “{part}”: {value}.", **told)
    return say(
        "Of the change of {whole}, “{part}” accounts for {value}.",
        whole=unit.tell(whole, words),
        **told,
    )
