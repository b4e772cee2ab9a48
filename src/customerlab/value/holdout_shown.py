"""What followed a landmark, as a report may show it."""

from __future__ import annotations

import pandas as pd

from customerlab.messages import say
from customerlab.privacy import round_counts
from customerlab.uplift.to_show import hide, rounded
from customerlab.value.holdout import TOTALS, HoldOut

#: The two forecasts in words.
FORECASTS = {"model": say("the model"), "baseline": say("as in the period before")}


def weekly_to_show(held: HoldOut, min_cell: int) -> pd.DataFrame:
    """Return purchases by week, rounded to multiples of `min_cell`: few have few buyers."""
    shown = held.weekly.copy()
    for name in ("actual", "baseline"):
        shown[name] = round_counts(shown[name], min_cell)
    return shown.assign(expected=shown["expected"].round(1))


def frequency_to_show(held: HoldOut, min_cell: int) -> pd.DataFrame:
    """Return purchases by frequency, without numbers that rest on fewer than `min_cell`."""
    table = held.by_frequency
    few = table["n"].between(1, min_cell - 1) | table["buyers"].between(1, min_cell - 1)
    shown = hide(table, ["actual", "low", "high", "baseline"], few.to_numpy())
    shown = hide(shown, ["expected"], table["n"].between(1, min_cell - 1).to_numpy())
    return shown.assign(n=rounded(table["n"], min_cell)).drop(columns="buyers")


def totals_to_show(held: HoldOut, min_cell: int) -> pd.DataFrame:
    """Return the totals, hidden where fewer than `min_cell` purchases were made or are told."""
    few = (held.totals["purchases"] < min_cell) | (held.actual < min_cell)
    shown = hide(held.totals, list(TOTALS[1:]), few.to_numpy())
    return shown.assign(forecast=shown["forecast"].map(FORECASTS))
