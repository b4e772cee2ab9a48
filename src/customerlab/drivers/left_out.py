"""Items that cannot be correlated, or tell nothing beyond others: each left out with its reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from customerlab.messages import Message, listed, say

#: What readers call the items.
Names = Mapping[str, Message | str]


def without_spread(seen: pd.DataFrame, names: Names) -> dict[str, Message]:
    """Leave out the items that nobody answered, or everybody alike.

    `seen` has a row per item: ``known`` answers, the ``low`` and the ``high`` one.
    """
    out = {}
    for item, row in seen.iterrows():
        if row["known"] == 0:
            text = say("“{item}” is left out: nobody answered it.", item=names.get(item, item))
        elif row["low"] == row["high"]:
            text = say(
                "“{item}” is left out: every answer to it is the same.", item=names.get(item, item)
            )
        else:
            continue
        out[item] = text
    return out


def not_together(items: Sequence[str], matrix: np.ndarray, names: Names) -> dict[str, Message]:
    """Leave out, one by one, the items without a correlation with most others."""
    out: dict[str, Message] = {}
    keep = list(range(len(items)))
    while keep and len(keep) > 1:
        unknown = np.isnan(matrix[np.ix_(keep, keep)])
        np.fill_diagonal(unknown, val=False)
        worst = int(unknown.sum(axis=1).argmax())
        if not unknown[worst].any():
            break
        item, other = (items[keep[at]] for at in (worst, int(unknown[worst].argmax())))
        out[item] = say(
            "“{item}” is left out: among those who answered it and “{other}”, too few answers "
            "differ for a correlation.",
            item=names.get(item, item),
            other=names.get(other, other),
        )
        keep.pop(worst)
    return out


def following_exactly(
    items: Sequence[str], matrix: np.ndarray, n: float, names: Names
) -> dict[str, Message]:
    """Leave out the items that follow exactly from those before them.

    With no more rows than items everything does: then only what follows from one other is.
    """
    out: dict[str, Message] = {}
    kept: list[int] = []
    for i, item in enumerate(items):
        twins = [j for j in kept if abs(matrix[i, j]) > 1 - 1e-12]
        if not twins and kept and n > len(items) + 1:
            inner = matrix[np.ix_(kept, kept)]
            shares = np.linalg.lstsq(inner, matrix[kept, i], rcond=None)[0]
            # below zero: pairs of different rows, which no regression explains
            if abs(1 - shares @ matrix[kept, i]) < 1e-9 and np.linalg.eigvalsh(inner)[0] > 1e-9:
                twins = [j for j, share in zip(kept, shares, strict=True) if abs(share) > 1e-6]
        if twins:
            out[item] = say(
                "“{item}” is left out: it follows exactly from {others}.",
                item=names.get(item, item),
                others=listed([say("“{item}”", item=names.get(items[j], items[j])) for j in twins]),
            )
        else:
            kept.append(i)
    return out
