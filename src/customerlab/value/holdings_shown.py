"""What customers hold, as a report may show it."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from customerlab.findings import STATUSES
from customerlab.uplift.to_show import few_of, hide, rounded, tidy
from customerlab.value.holdings import Holdings


def products_to_show(holdings: Holdings, min_cell: int) -> pd.DataFrame:
    """Return the products; see :func:`pairs_to_show` for what is hidden."""
    table = holdings.products
    shown = _shown(table, "customers", ["customers", "holders", "next_for"], min_cell)
    few = table["next_for"].between(1, min_cell - 1).to_numpy()
    return hide(shown.assign(next_share=tidy(table["next_share"], 3)), ["next_share"], few)


def pairs_to_show(holdings: Holdings, min_cell: int) -> pd.DataFrame:
    """Return the pairs of products as a report may show them.

    So many overlapping groups of customers stand side by side that numbers of customers are
    rounded to multiples of `min_cell`, small ones masked; shares have three decimals and are hidden
    where they tell of 1 to `min_cell` less one customers of either kind.
    """
    shown = _shown(holdings.pairs, "holders", ["holders", "together"], min_cell, ["lift"])
    return shown.rename(columns={"missing": "lacked"}).assign(
        lift=[one if isinstance(one, str) else round(one, 2) for one in shown["lift"]]
    )


def _shown(
    table: pd.DataFrame, whole: str, counts: Sequence[str], min_cell: int, more: Sequence[str] = ()
) -> pd.DataFrame:
    shown = table.copy()
    sides = (("share", "low", "high"), whole), (("like_share", "like_low", "like_high"), "like")
    for columns, n in sides:
        few = few_of(table[n], table[columns[0]].fillna(0), min_cell)
        for column in columns:
            shown[column] = tidy(table[column], 3)
        with_it = [*columns, *(more if n == whole else ())]
        shown = hide(shown, with_it, few)
    for column in (*counts, "like", "gap"):
        shown[column] = rounded(table[column], min_cell)
    return shown.assign(status=table["status"].map(STATUSES))
