"""What customers bring while they stay, as a report may show it."""

from __future__ import annotations

import numpy as np
import pandas as pd

from customerlab.findings import STATUSES
from customerlab.privacy import mask_counts, round_counts
from customerlab.value.months_ahead import MonthsValue
from customerlab.value.months_texts import ALL, PRODUCTS

_MONEY = ["balance", "months", "value", "low", "high"]


def months_value_to_show(result: MonthsValue, min_cell: int) -> pd.DataFrame:
    """Return the table as a report may show it.

    A line of 1 to `min_cell` less one customers is masked with its money, and the smallest other
    one with it. As customers hold several products, the other numbers of customers are rounded to
    multiples of `min_cell`: no difference tells who lacks one.
    """
    table = result.table
    valued = (table["product"] == ALL) | table["margin"].notna()
    sums = []
    for months in table["horizon_months"].unique():
        at = np.flatnonzero((table["horizon_months"] == months) & valued)
        sums.append((int(at[0]), [int(place) for place in at[1:]]))
    shown = mask_counts(table, min_cell=min_cell, counts=["customers"], with_them=_MONEY, sums=sums)
    whole = shown["customers"].map(lambda n: not isinstance(n, str)).astype(bool)
    shown["customers"] = shown["customers"].mask(whole, round_counts(table["customers"], min_cell))
    shown["product"] = [PRODUCTS.get(name, name) for name in table["product"]]
    return shown.assign(status=table["status"].map(STATUSES))
