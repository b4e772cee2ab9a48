"""What is told of the combinations of causes that act differently together than each alone."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd

from customerlab.churn.combinations import Combinations
from customerlab.churn.curves import status_of
from customerlab.findings import Finding
from customerlab.messages import say
from customerlab.privacy import mask_counts


def combinations_to_show(found: Combinations, min_cell: int) -> pd.DataFrame:
    """Return the combinations in words, small counts masked.

    Returns
    -------
    DataFrame
        ``combination`` (message); ``beyond_ratio``: how many times as often they leave as the
        product says, with its range ``beyond_low`` to ``beyond_high``; ``n`` customer-months,
        ``events``, ``q``. Hidden, too: a count that differs by less than `min_cell` from that of
        a combination within it.
    """
    beyond = {"ratio": "beyond_ratio", "low": "beyond_low", "high": "beyond_high"}
    kept = ["combination", *beyond.values(), "n", "events", "q"]
    levels = [set(one) for one in found.table["combination"]]
    within = [
        (i, j) for i, j in itertools.permutations(range(len(levels)), 2) if levels[i] < levels[j]
    ]
    names = pd.Series([one.text for one in found.combinations], dtype=object)
    table = found.table.assign(combination=names).rename(columns=beyond)[kept]
    return mask_counts(table, min_cell=min_cell, counts=["events"], differences=within)


def acting_together(found: Combinations) -> Finding:
    """Return the combination that leaves most clearly more often than its parts would say.

    Returns
    -------
    Finding
        ``churn_timing.acting_together``; weak when none was found.
    """
    id_ = "churn_timing.acting_together"
    if not found.tested:
        text = say("Too few customers left to see whether causes act differently together.")
        return Finding(id=id_, text=text, unit="number2", status="not_enough_data")
    if found.table.empty:
        text = say(
            "Causes simply add up: none of {tested:count} combinations of them leaves more or "
            "less often than its parts would say.",
            tested=found.tested,
        )
        return Finding(id=id_, text=text, value=say("None"), status="weak")
    # by the end of its range that is nearer to no effect; those who leave more come first
    nearer = np.maximum(found.table["low"], 1.0)
    if (nearer == 1.0).all():
        nearer = 1 / found.table["high"]
    k = int(np.argmax(nearer))
    row = found.table.iloc[k]
    return Finding(
        id=id_,
        text=say(
            "{combination}: such customers leave {ratio:number1} times ({low:number1} to "
            "{high:number1}) as often as their separate effects would say. It stands out of "
            "{tested:count} combinations tested.",
            combination=found.combinations[k].text,
            ratio=row["ratio"],
            low=row["low"],
            high=row["high"],
            tested=found.tested,
        ),
        value=row["ratio"],
        low=row["low"],
        high=row["high"],
        unit="number2",
        status="supported" if status_of(row["events"]) == "supported" else "weak",
    )
