"""How far offers, and what other buyers say, go with buying again."""

from __future__ import annotations

import numpy as np
import pandas as pd

from customerlab.churn.curves import status_of
from customerlab.drivers.behaviour import driver_name
from customerlab.drivers.combined import resampled
from customerlab.drivers.effects import change_by
from customerlab.drivers.moments import count_moments
from customerlab.drivers.observing import Asked
from customerlab.findings import Finding
from customerlab.messages import Message, say

#: What tells of an influence, in the order in which it is asked for.
INFLUENCES: dict[str, tuple[str, ...]] = {
    "promotion_influence": ("discount_share", "promotions"),
    "review_influence": ("others_rating", "word_of_mouth"),
}
#: What a discount works through is not held alike when its influence is asked for.
THROUGH = "price_paid"
_COLUMNS = ["influence", "item", "effect", "low", "high", "n"]


def judge_influences(
    behaviour: Asked | None, *, rng: np.random.Generator, resamples: int = 300
) -> pd.DataFrame:
    """Regress purchases on what customers met, all that is known of their behaviour alike.

    Parameters
    ----------
    behaviour : Asked or None
        What customers did and met: see :func:`customerlab.drivers.observe_behaviour`; None where
        no transactions tell.
    rng : Generator
    resamples : int

    Returns
    -------
    DataFrame
        One row for each item that the tables tell: ``influence`` (``promotion_influence``,
        ``review_influence``), ``item``, ``effect`` (change of the share that buys for one standard
        deviation more), ``low``, ``high`` (95 %), ``n`` (customers of whom the item is known).
    """
    if behaviour is None:
        return pd.DataFrame(columns=_COLUMNS)
    items = [item for item in behaviour.items if item != THROUGH]
    moments = count_moments(behaviour.table, [*behaviour.controls, *items, behaviour.outcome])
    drawn = resampled(moments, rng, resamples)
    table = change_by(drawn, items, behaviour.outcome, behaviour.controls)
    table["n"] = table["driver"].map(dict(zip(moments.items, moments.known, strict=True)))
    rows = [
        {"influence": influence, "item": row["driver"], **row[["effect", "low", "high", "n"]]}
        for influence, items in INFLUENCES.items()
        for item in items
        for _, row in table.query("driver == @item").iterrows()
    ]
    return pd.DataFrame(rows, columns=_COLUMNS)


def influence_findings(influences: pd.DataFrame) -> tuple[Finding, ...]:
    """Return a finding of each influence: the first item that tells of it has the say."""
    return tuple(_finding(influence, influences) for influence in INFLUENCES)


def influences_to_show(influences: pd.DataFrame, min_cell: int) -> pd.DataFrame:
    """Return the table named for readers, without counts and without items known of few."""
    enough = influences[influences["n"] >= min_cell]
    names = pd.Series([driver_name(item) for item in enough["item"]], dtype=object)
    shown = enough.rename(columns={"effect": "effect_points"}).reset_index(drop=True)
    return shown.assign(item=names)[["item", "effect_points", "low", "high"]]


def _finding(influence: str, influences: pd.DataFrame) -> Finding:
    id_ = f"repurchase_drivers.{influence}"
    known = influences.query("influence == @influence and effect.notna() and low.notna()")
    if known.empty:
        return Finding(id_, _UNTOLD[influence], unit="percent", status="not_enough_data")
    row = known.iloc[0]
    sure = row["low"] > 0 or row["high"] < 0
    interval = {"value": row["effect"], "low": row["low"], "high": row["high"]}
    return Finding(
        id_,
        _text(row, sure=sure),
        **interval,
        unit="percent",
        n=int(row["n"]),
        status=status_of(row["n"]) if sure else "weak",
    )


def _text(row: pd.Series, *, sure: bool) -> Message:
    more = row["effect"] > 0 or not sure
    points = [100 * row[one] for one in ("effect", "low", "high")]
    effect, low, high = points if more else (-points[0], -points[2], -points[1])
    values = {"item": driver_name(row["item"]), "effect": effect, "low": low, "high": high}
    if not sure:
        return say(
            "Nothing sure about “{item}”: one standard deviation more goes with a change of "
            "{effect:number1} percentage points in the share that buys again (95 % interval "
            "{low:number1} to {high:number1}).",
            **values,
        )
    if more:
        return say(
            "More of “{item}” goes with more buying again: one standard deviation more, a share "
            "{effect:number1} percentage points higher (95 % interval {low:number1} to "
            "{high:number1}), all else that is known alike. An association.",
            **values,
        )
    return say(
        "More of “{item}” goes with less buying again: one standard deviation more, a share "
        "{effect:number1} percentage points lower (95 % interval {low:number1} to "
        "{high:number1}), all else that is known alike. An association.",
        **values,
    )


_UNTOLD: dict[str, Message] = {
    "promotion_influence": say(
        "How far promotions move customers cannot be told: the tables hold no discounts and no "
        "campaigns, or too few customers met them."
    ),
    "review_influence": say(
        "How far other buyers move customers cannot be told: the tables hold no ratings by others "
        "of what was bought, and no recommendations, or too few customers met them."
    ),
}
