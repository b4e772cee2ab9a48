"""What is to be expected of a shop's or a bank's customers over the coming months."""

from __future__ import annotations

import math

import pandas as pd

from customerlab.messages import ENGLISH, Message, Words, say
from customerlab.plots.actions import key_of
from customerlab.plots.chart import TINTS, Canvas, Chart, draw
from customerlab.plots.panels import Line, Mark, Panel, alt_of, known_rows, paint_panels
from customerlab.plots.units import Scale, money_scale, tell_range
from customerlab.value.months_texts import ALL, PRODUCTS


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


def _money_spec(largest: float) -> str:
    """Return the format in which amounts up to this one are written alike."""
    return "number2" if largest < 100 else "number1" if largest < 1000 else "number0"


def _horizons(shown: pd.DataFrame, name: str, scale: Scale, words: Words) -> list[Line]:
    largest = float(shown[name].max()) / scale.size if len(shown) else 0.0
    spec = _money_spec(largest) if name == "value" else "number0"
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


def value_by_product(
    table: pd.DataFrame, words: Words = ENGLISH, *, title: Message | str | None = None
) -> Chart:
    """Draw what a bank's customers bring while they stay: by horizon, and by product.

    Parameters
    ----------
    table : DataFrame
        From :func:`customerlab.value.months_shown.months_value_to_show`; lines that are hidden or
        without a margin are left out. Products are those of the longest horizon.
    words : Words
    title : Message or str, optional
    """
    known = known_rows(table, ["horizon_months", "value", "low", "high"])
    of_all = known["product"].map(lambda one: key_of(PRODUCTS, one) == ALL).astype(bool)
    whole = known[of_all]
    whole = whole.sort_values("horizon_months")
    longest = known["horizon_months"].max()
    parts = known[(known["horizon_months"] == longest) & ~of_all]
    parts = parts.sort_values("value", ascending=False, kind="stable")
    scale = money_scale(known[["value", "low", "high"]].to_numpy().ravel(), words)
    spec = _money_spec(float(known["value"].max()) / scale.size if len(known) else 0.0)
    heads = [scale.of(say("Value while they stay"))]
    if len(parts):
        within = say("Value by product within {months:count} months", months=int(longest))
        heads.append(scale.of(within))
    panels = [
        Panel(head, [_worth(row, name, scale, spec, words) for row, name in rows])
        for head, rows in zip(heads, (_by_horizon(whole), _by_product(parts)), strict=False)
    ]

    def paint(canvas: Canvas) -> None:
        paint_panels(canvas, panels)

    return draw(
        paint,
        words,
        title=title or _product_title(whole, parts, words),
        subtitle=say(
            "What they hold, for as long as they are expected to stay, times the margin of the "
            "product. Lines: 95 % interval"
        ),
        alt=alt_of(panels, words),
    )


def _by_horizon(whole: pd.DataFrame) -> list[tuple[object, Message]]:
    return [
        (row, say("Within {months:count} months", months=int(row.horizon_months)))
        for row in whole.itertuples()
    ]


def _by_product(parts: pd.DataFrame) -> list[tuple[object, Message | str]]:
    return [(row, row.product) for row in parts.itertuples()]


def _worth(row: object, name: Message | str, scale: Scale, spec: str, words: Words) -> Line:
    numbers = tuple(x / scale.size for x in (row.value, row.low, row.high))
    told = tell_range(numbers, spec, words)
    return Line(name, (Mark(*numbers),), told, bar=TINTS[3])


def _product_title(whole: pd.DataFrame, parts: pd.DataFrame, words: Words) -> Message:
    if whole.empty:
        return say("Too few customers hold anything to say what they bring.")
    row = whole.iloc[-1]
    scale = money_scale([row["value"]], words)
    told = {"months": int(row["horizon_months"]), "value": scale.tell(row["value"], words)}
    if len(parts) < 2 or not row["value"] > 0:
        return say("Customers bring about {value} within {months:count} months.", **told)
    told |= {"product": parts.iloc[0]["product"], "share": parts.iloc[0]["value"] / row["value"]}
    return say(
        "Customers bring about {value} within {months:count} months, {share:percent0} of it "
        "through “{product}”.",
        **told,
    )
