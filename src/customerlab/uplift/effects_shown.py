"""The average effects as a report may show them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from customerlab.findings import STATUSES
from customerlab.privacy import HIDDEN, round_counts
from customerlab.uplift.to_show import tidy

#: Columns that are numbers of customers, and those that are hidden with small ones.
_COUNTS = ["n", "control_n"]
_NUMBERS = ["control_mean", "treated_mean", "effect", "low", "high", "relative", "relative_low"]
_NUMBERS += ["relative_high", "p_value", "adjusted_effect", "adjusted_low", "adjusted_high"]
_NUMBERS += ["adjusted_effect_p", "sharpened"]
#: Those in the outcome's unit: of a 0/1 outcome they are shares.
_SHARES = ["control_mean", "treated_mean", "effect", "low", "high"]
_SHARES += ["adjusted_effect", "adjusted_low", "adjusted_high"]


def few_behind(table: pd.DataFrame, min_cell: int) -> np.ndarray:
    """Return in which rows a mean tells of fewer than `min_cell` customers, shape (rows,).

    An arm may have that few, or of a 0/1 outcome that few of either kind.

    Parameters
    ----------
    table : DataFrame
        :attr:`customerlab.uplift.average.Effects.table`.
    min_cell : int
    """
    few = np.zeros(len(table), dtype=bool)
    for size, share in (("n", "treated_mean"), ("control_n", "control_mean")):
        n, yes = table[size].astype(float), (table[size] * table[share]).astype(float).round()
        few |= n.between(1, min_cell - 1).to_numpy()
        for events in (yes, n - yes):
            few |= (table["binary"].astype(bool) & events.between(1, min_cell - 1)).to_numpy()
    return few


def effects_to_show(table: pd.DataFrame, min_cell: int) -> pd.DataFrame:
    """Return the effects as a report may show them.

    Numbers of customers are rounded to multiples of `min_cell`, shares and their differences to
    four decimals. All numbers of a row are ``hidden`` where :func:`few_behind` says so.

    Parameters
    ----------
    table : DataFrame
        :attr:`customerlab.uplift.average.Effects.table`.
    min_cell : int
    """
    few, shown = few_behind(table, min_cell), table.drop(columns=["binary", "why_not"])
    shares = table["binary"].astype(bool)
    for column in _COUNTS:
        small = table[column].between(1, min_cell - 1)
        rounded = round_counts(table[column], min_cell).astype(object)
        shown[column] = rounded.mask(small, f"<{min_cell}")
    for column in _NUMBERS:
        values = table[column].astype(float)
        if column in _SHARES:
            values = values.mask(shares, tidy(values))
        shown[column] = values.astype(object).mask(few & values.notna(), HIDDEN)
    shown["status"] = table["status"].map(STATUSES)
    return shown
