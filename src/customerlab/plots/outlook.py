"""What is to be expected of a shop's customers over the coming months."""

from __future__ import annotations

import math

import pandas as pd

from customerlab.messages import ENGLISH, Message, Words, say
from customerlab.plots.chart import TINTS, Canvas, Chart, draw
from customerlab.plots.panels import Line, Mark, Panel, alt_of, known_rows, paint_panels
from customerlab.plots.units import Scale, money_scale, tell_range


def value_ahead(
    table: pd.DataFrame, words: Words = ENGLISH, *, title: Message | str | None = None
) -> Chart:
    """Draw what is to be expected of the customers so far, over each horizon.

    Parameters
    ----------
    table : DataFrame
        From :func:`customerlab.value.outlook.outlook_to_show`: ``horizon_months``; ``value``
        (money), ``purchases`` and ``buyers``, each with ``_low`` and ``_high``. What is missing or
        hidden is left out.
    words : Words
    title : Message or str, optional
    """
    measures = {
        "value": say("Value of what they will buy"),
        "purchases": say("Purchases"),
        "buyers": say("Customers who will buy"),
    }
    panels, found = [], {}
    for name, heading in measures.items():
        shown = known_rows(table, [name]).sort_values("horizon_months")
        ends = shown[[f"{name}_low", f"{name}_high"]]
        ends = ends.apply(pd.to_numeric, errors="coerce").astype(float)
        found[name] = shown.assign(low=ends.iloc[:, 0], high=ends.iloc[:, 1])
        scale = Scale(1.0, "")
        if name == "value":
            scale = money_scale([*ends.to_numpy().ravel(), *shown[name]], words)
        panels.append(Panel(scale.of(heading), _horizons(found[name], name, scale, words)))

    def paint(canvas: Canvas) -> None:
        paint_panels(canvas, panels)

    return draw(
        paint,
        words,
        title=title or _ahead_title(found, words),
        subtitle=say(
            "Of the customers so far; new ones come on top of that. Lines: 95 % interval of what "
            "is to be expected; what happens varies around it"
        ),
        alt=alt_of(panels, words),
    )


def _horizons(shown: pd.DataFrame, name: str, scale: Scale, words: Words) -> list[Line]:
    largest = float(shown[name].max()) / scale.size if len(shown) else 0.0
    spec = "number2" if name == "value" and largest < 100 else "number1"
    spec = "number0" if name != "value" or largest >= 1000 else spec
    lines = []
    for row in shown.itertuples():
        numbers = tuple(x / scale.size for x in (getattr(row, name), row.low, row.high))
        label = say("Within {months:count} months", months=int(row.horizon_months))
        marks = (Mark(*numbers),)
        lines.append(Line(label, marks, tell_range(numbers, spec, words), bar=TINTS[3]))
    return lines


def _ahead_title(found: dict[str, pd.DataFrame], words: Words) -> Message:
    name = next((name for name in ("value", "purchases") if len(found[name])), None)
    if name is None:
        return say("Too few repeat purchases to say what is to come.")
    row = found[name].iloc[-1]
    told = {"months": int(row["horizon_months"]), "count": round(row[name])}
    scale = money_scale([row[name]], words)
    told |= {"value": scale.tell(row[name], words), "low": scale.number(row["low"], words)}
    told |= {"high": scale.number(row["high"], words)}
    sure = math.isfinite(row["low"]) and math.isfinite(row["high"])
    if name == "value" and sure:
        return say(
            "What the customers so far will buy within {months:count} months is worth about "
            "{value} ({low} to {high}).",
            **told,
        )
    if name == "value":
        return say(
            "What the customers so far will buy within {months:count} months is worth about "
            "{value}.",
            **told,
        )
    return say(
        "The customers so far will buy about {count:count} times within {months:count} months.",
        **told,
    )
