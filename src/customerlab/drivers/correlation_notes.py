"""What a reader is told of the correlations: their kind, missing answers, and limits reached."""

from __future__ import annotations

from itertools import combinations
from typing import Literal

import numpy as np
import pandas as pd

from customerlab.drivers.left_out import Names
from customerlab.drivers.polychoric import LIMIT
from customerlab.messages import Message, say

Kind = Literal["pearson", "polychoric"]
Missing = Literal["pairwise", "listwise", "mean"]

#: Whole answers of so many kinds are taken as ordered classes.
FEWEST_CLASSES, MOST_CLASSES = 2, 7


def kind_note(kind: Kind | None, few: pd.Series, names: Names) -> Message:
    """Say which correlations and why; `few` tells by item whether its answers are few classes."""
    if kind == "polychoric":
        return say("The correlations are polychoric, because the parameters ask for these.")
    if kind == "pearson":
        return say("The correlations are Pearson's, because the parameters ask for these.")
    if few.all():
        return say(
            "The correlations are polychoric: every item has {fewest:count} to {most:count} "
            "different answers, which are taken as classes of something continuous behind them.",
            fewest=FEWEST_CLASSES,
            most=MOST_CLASSES,
        )
    item = few.index[~few][0]
    return say(
        "The correlations are Pearson's: “{item}” has more than {most:count} different answers, or "
        "some that are no whole numbers.",
        item=names.get(item, item),
        most=MOST_CLASSES,
    )


def missing_note(missing: Missing, n: int, counts: pd.Series, rows: int) -> Message:
    """Say what was done about missing answers; `counts` are those of each item."""
    if not counts.any():
        return say("No answer is missing; the correlations rest on {n:customers} rows.", n=n)
    share = counts.sum() / (rows * len(counts))
    if missing == "listwise":
        return say(
            "{share:percent0} of the answers are missing; only the {n:customers} rows without a "
            "missing answer are used.",
            share=share,
            n=n,
        )
    if missing == "mean":
        return say(
            "{share:percent0} of the answers are missing; the item's mean stands for each, which "
            "draws correlations towards zero.",
            share=share,
        )
    return say(
        "{share:percent0} of the answers are missing; each correlation rests on the rows that have "
        "both items, {n:customers} at least.",
        share=share,
        n=n,
    )


def limit_notes(
    matrix: np.ndarray, items: list[str], kind: Kind, names: Names
) -> tuple[Message, ...]:
    """Name the pairs whose polychoric correlation has no maximum short of one."""
    if kind == "pearson":
        return ()
    at = [pair for pair in combinations(range(len(items)), 2) if abs(matrix[pair]) > LIMIT - 1e-6]
    if not at:
        return ()
    one, other = (names.get(items[i], items[i]) for i in at[0])
    return (
        say(
            "Polychoric correlations at their limit of one, because some answers to the two never "
            "occur together: {count:count}; the first is that of “{one}” and “{other}”.",
            count=len(at),
            one=one,
            other=other,
        ),
    )
