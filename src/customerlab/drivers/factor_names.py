"""What factors are called: the parameters' words, or the items that lead."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd

from customerlab.drivers.designed import find_homes
from customerlab.drivers.factors import Factors
from customerlab.messages import Message, listed, say

Name = Message | str

#: An item with a smaller loading does not lead.
_LEADS = 0.4


def name_factors(
    factors: Factors,
    given: Mapping[str, Sequence[str]] | None = None,
    *,
    item_name: Callable[[str], Name] = str,
) -> dict[str, Name]:
    """Return a name for each factor.

    Parameters
    ----------
    factors : Factors
    given : mapping, optional
        Name to items that tell it by, from the parameters: ``{"Delivery": ["on_time", "intact"]}``.
        Each goes to the factor that most of those items belong to, whatever the order of factors;
        a factor that is home to several has all their names. Factors without one are named by
        their leading items. Items that are not analysed, for they tell nothing, are passed over.
    item_name : callable, optional
        What an item is called for readers.
    """
    names = {name: _by_items(factors, i, item_name) for i, name in enumerate(factors.names)}
    at_home: dict[str, list[Name]] = {}
    for name, factor in find_homes(factors, given or {}).items():
        at_home.setdefault(factor, []).append(name)
    return names | {factor: listed(some) for factor, some in at_home.items()}


def _by_items(factors: Factors, number: int, item_name: Callable[[str], Name]) -> Name:
    size = np.abs(factors.pattern)
    own = np.flatnonzero(size.argmax(axis=1) == number)
    # an item that is turned around would be a misleading name
    loading = factors.pattern[:, number]
    leading = own[np.argsort(-loading[own], kind="stable")]
    if not len(leading):
        return say("factor {number:count}", number=number + 1)
    first = item_name(factors.items[leading[0]])
    if len(leading) == 1 or loading[leading[1]] < _LEADS:
        return first
    return say("{first} and {second}", first=first, second=item_name(factors.items[leading[1]]))


def loadings_to_show(
    factors: Factors,
    names: Mapping[str, Name],
    *,
    item_name: Callable[[str], Name] = str,
) -> pd.DataFrame:
    """Return the loadings in words, items under the factor that they belong to.

    Returns
    -------
    DataFrame
        ``item``, ``factor`` (text or messages), ``own`` (whether the item belongs to the factor),
        ``loading``, ``low``, ``high``, ``communality``; factors in their order, the largest
        loading of each first.
    """
    number = {name: i for i, name in enumerate(factors.names)}
    table = factors.loadings.merge(factors.items_told, on="item", suffixes=("", "_own"))
    own = table[table["factor"] == table["factor_own"]]
    order = own.assign(place=own["factor"].map(number), size=own["loading"].abs())
    order = order.sort_values(["place", "size"], ascending=[True, False], kind="stable")
    place = {item: i for i, item in enumerate(order["item"])}
    table = table.assign(row=table["item"].map(place), column=table["factor"].map(number))
    table = table.sort_values(["row", "column"], kind="stable").reset_index(drop=True)
    return pd.DataFrame(
        {
            "item": [item_name(item) for item in table["item"]],
            "factor": [names[factor] for factor in table["factor"]],
            "own": table["factor"] == table["factor_own"],
            "loading": table["loading"],
            "low": table["low"],
            "high": table["high"],
            "communality": table["communality"],
        }
    )
