"""What a campaign did: effects by arm and outcome, by segment and by forecast; who was in it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd

from customerlab.findings import STATUSES
from customerlab.messages import ENGLISH, Message, Words, listed, say
from customerlab.plots.chart import Canvas, Chart, draw
from customerlab.plots.panels import (
    BESIDE,
    MAIN,
    PENS,
    Line,
    Mark,
    Panel,
    alt_of,
    known_rows,
    paint_panels,
)
from customerlab.plots.units import Unit, tell_range, unit_of, without_few

#: Standardised differences up to this are called small (Austin 2009).
SMALL = 0.1
#: More covariates than these are too many for a figure.
_MOST = 20


def uplift_effects(
    table: pd.DataFrame, words: Words = ENGLISH, *, title: Message | str | None = None
) -> Chart:
    """Draw the effect of each arm on each outcome, plain and adjusted, with intervals.

    Parameters
    ----------
    table : DataFrame
        From :attr:`customerlab.uplift.average.Effects.table`, with ``binary``; numbers may be
        hidden. If there: ``experiment`` (text or message), ``called`` (the outcome in words),
        ``money`` (whether the outcome is an amount in the client's currency), ``adjusted_p`` (the
        p-value after multiplicity, by which the title then calls an effect sure).
    words : Words
    title : Message or str, optional

    Returns
    -------
    Chart
        One panel for each outcome, each with its own axis. Effects that are hidden, or rest on
        too few customers, are left out and the subtitle says how many.
    """
    shown = known_rows(table, ["effect", "low", "high"])
    few = {"not_enough_data", STATUSES["not_enough_data"]}
    if "status" in shown:
        shown = shown[~shown["status"].map(few.__contains__).astype(bool)]
    shown = shown.assign(
        **{
            name: pd.to_numeric(shown.get(name, pd.Series(math.nan, shown.index)), errors="coerce")
            for name in ("adjusted_effect", "adjusted_low", "adjusted_high", "adjusted_p")
        }
    )
    several = "experiment" in table and len(set(map(words, shown["experiment"]))) > 1
    adjusted = bool(shown["adjusted_low"].notna().any())
    panels = []
    for _, part in shown.groupby("outcome", sort=False):
        unit, called = unit_of(part), _called(part.iloc[0])
        spec = unit.spec(unit.factor * x for _, row in part.iterrows() for x in _best(row))
        lines = [_effect_line(row, unit, spec, words, several) for _, row in part.iterrows()]
        panels.append(Panel(_effect_heading(called, unit, words), lines))
    subtitle = say("Difference to the control. Lines: 95 % interval; across 0 it could be chance")
    legend = [(BESIDE, say("plain")), (MAIN, say("adjusted for what was known before"))]

    def paint(canvas: Canvas) -> None:
        paint_panels(canvas, panels, legend if adjusted else [])

    return draw(
        paint,
        words,
        title=title or _effects_title(shown, words),
        subtitle=without_few(subtitle, len(table) - len(shown)),
        alt=alt_of(panels, words),
    )


def _called(row: pd.Series) -> Message | str:
    return row["called"] if "called" in row else row["outcome"]


def _best(row: pd.Series) -> tuple[float, float, float]:
    """Return the effect to look at with its interval: the adjusted one where there is one."""
    names = ("adjusted_effect", "adjusted_low", "adjusted_high")
    if pd.isna(row["adjusted_low"]):
        names = ("effect", "low", "high")
    return tuple(float(row[name]) for name in names)


def _sure(row: pd.Series) -> bool:
    if pd.notna(row["adjusted_p"]):
        return bool(row["adjusted_p"] < 0.05)
    _, low, high = _best(row)
    return low > 0 or high < 0


def _effect_line(row: pd.Series, unit: Unit, spec: str, words: Words, several: bool) -> Line:
    plain = [unit.factor * row[name] for name in ("effect", "low", "high")]
    best = tuple(unit.factor * x for x in _best(row))
    marks = (Mark(*plain, pen=BESIDE), Mark(*best))
    if pd.isna(row["adjusted_low"]):
        marks = (Mark(*plain),)
    name = row["arm"]
    if several:
        name = say("{name}: {value}", name=row["experiment"], value=name)
    return Line(name, marks, tell_range(best, spec, words))


def _effect_heading(called: Message | str, unit: Unit, words: Words) -> Message:
    if unit.kind == "points":
        return say("{outcome}: change in percentage points", outcome=called)
    if unit.kind == "money" and words.currency:
        return say("{outcome}: change in {currency}", outcome=called, currency=words.currency)
    return say("{outcome}: change in its own unit", outcome=called)


def _effects_title(shown: pd.DataFrame, words: Words) -> Message:
    if shown.empty:
        return say("Too few customers to show any effect.")
    sure = [row for _, row in shown.iterrows() if _sure(row)]
    if not sure:
        return say("No effect is sure: each could be chance.")
    if len(sure) > 1 and len({row["arm"] for row in sure}) == 1 < len(set(shown["arm"])):
        outcomes = dict.fromkeys(map(words, map(_called, sure)))
        return say(
            "Only “{arm}” surely has an effect: on {outcomes}.",
            arm=sure[0]["arm"],
            outcomes=listed(list(outcomes)),
        )
    if len(sure) > 1:
        return say(
            "{sure:count} of {all:count} effects are surely other than 0.",
            sure=len(sure),
            all=len(shown),
        )
    row = sure[0]
    unit = unit_of(row.to_frame().T)
    told = {"arm": row["arm"], "outcome": _called(row)}
    value = unit.factor * _best(row)[0]
    told["value"] = unit.tell(abs(value), words)
    if value > 0:
        return say("“{arm}” surely raises “{outcome}”, by {value}.", **told)
    return say("“{arm}” surely lowers “{outcome}”, by {value}.", **told)


def covariate_balance(
    table: pd.DataFrame, words: Words = ENGLISH, *, title: Message | str | None = None
) -> Chart:
    """Draw how far the arms' customers differed before, covariate by covariate (a love plot).

    Parameters
    ----------
    table : DataFrame
        ``covariate`` and ``arm`` (text or message), ``smd``: see
        :attr:`customerlab.uplift.balance.Balance.table`. ``chance``: how far a draw by lot lets
        95 % of such differences go; ``1.96 * sqrt(1 / n + 1 / control_n)`` where the table has
        ``n`` and ``control_n`` instead, not drawn where it has neither.
    words : Words
    title : Message or str, optional

    Returns
    -------
    Chart
        The largest differences first, twenty covariates at most.
    """
    shown = known_rows(table, ["smd"])
    arms = list(dict.fromkeys(shown["arm"]))
    pens = {words(arm): PENS[i % len(PENS)] for i, arm in enumerate(arms)}
    sizes = shown["smd"].abs().groupby(shown["covariate"].map(words)).max()
    order = sizes.sort_values(ascending=False, kind="stable").index[:_MOST]
    by_name = {name: part for name, part in shown.groupby(shown["covariate"].map(words))}
    lines = []
    for part in (by_name[name] for name in order):
        by_arm = dict(zip(part["arm"].map(words), part["smd"], strict=True))
        marks = tuple(Mark(by_arm.get(arm, math.nan), pen=pen) for arm, pen in pens.items())
        values = [words.format(mark.value, "number2") for mark in marks]
        lines.append(Line(part["covariate"].iloc[0], marks, " · ".join(values)))
    lots = _by_lot(shown)
    heading = say("Difference to the control, in standard deviations")
    panels = [Panel(heading, lines, band=SMALL, dashed=lots)]
    subtitle = say(
        "Before anything was done. Tinted: differences up to {small:number1}", small=SMALL
    )
    if lots:
        subtitle = say(
            "{subtitle}; dashed: as far as a draw by lot lets 95 % of them go", subtitle=subtitle
        )
    if len(sizes) > len(lines):
        subtitle = say(
            "{subtitle}. The {shown:count} largest of {all:count}",
            subtitle=subtitle,
            shown=len(lines),
            all=len(sizes),
        )

    def paint(canvas: Canvas) -> None:
        paint_panels(canvas, panels, [(pens[words(arm)], arm) for arm in arms])

    return draw(
        paint,
        words,
        title=title or _balance_title(shown, order),
        subtitle=subtitle,
        alt=alt_of(panels, words),
    )


def _by_lot(shown: pd.DataFrame) -> float:
    """Return how far lots let 95 % of the differences go in the smallest arm; 0 if not known."""
    ends = shown.get("chance", pd.Series(dtype=float))
    if "chance" not in shown and {"n", "control_n"} <= set(shown.columns):
        n, control = (pd.to_numeric(shown[x], errors="coerce") for x in ("n", "control_n"))
        ends = 1.96 * (1 / n[n > 0] + 1 / control[control > 0]) ** 0.5
    largest = ends.max()
    return float(largest) if pd.notna(largest) else 0.0


def _balance_title(shown: pd.DataFrame, order: Sequence[str]) -> Message:
    if shown.empty:
        return say("No covariate to compare the arms by.")
    worst = shown.loc[shown["smd"].abs().idxmax()]
    told = {"covariate": worst["covariate"], "arm": worst["arm"], "smd": abs(worst["smd"])}
    if abs(worst["smd"]) <= SMALL:
        return say(
            "The arms were alike before: the largest difference is {smd:number2} standard "
            "deviations.",
            **told,
        )
    return say(
        "Before anything was done “{arm}” differed most in “{covariate}”: by {smd:number2} "
        "standard deviations.",
        **told,
    )
