"""Whether a cut holds over time, and what changes when it is moved a little."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence

import ibis.expr.types as ir
import numpy as np
import pandas as pd

from customerlab.layers import ACTIVE, Definition, layer_customers
from customerlab.validity.consensus import Consensus
from customerlab.validity.departments import Judged, Rule, judge_rules
from customerlab.validity.history import History, look_back
from customerlab.validity.surface import Surface

#: Landmarks looked at lie so many months apart, and are at most so many.
STEP_MONTHS, LANDMARKS = 3, 4
#: A shorter time after a landmark tells nothing about coming back.
LEAST_MONTHS = 3


def other_landmarks(history: History, idle_months: int) -> tuple[list[int], int]:
    """Choose landmarks at which a rule can be judged over equally long times.

    Parameters
    ----------
    history : History
        At the landmark of the analysis.
    idle_months : int
        Of the rule; the data must show as much before each landmark.

    Returns
    -------
    list of int, int
        How many months before the snapshot each landmark lies, the latest first, and for how many
        months customers are watched after each; an empty list where the data are too short.
    """
    total = history.months_seen + history.months
    spare = total - idle_months  # to be shared between watching and moving the landmark
    months = min(history.months, spare - (LANDMARKS - 2) * STEP_MONTHS)
    if months < LEAST_MONTHS:
        return [], 0
    back = range(months, spare + 1, STEP_MONTHS)
    return list(back)[:LANDMARKS], months


def judge_over_time(
    tables: Mapping[str, ir.Table],
    rule: Rule,
    landmarks: Sequence[int],
    months: int,
    rng: np.random.Generator,
    *,
    snapshot: dt.date,
    not_movements: list[str],
    keep: Callable[[ir.Table], ir.Table],
) -> tuple[Judged, ...]:
    """Judge one rule at several landmarks, each by as many months that followed.

    Returns
    -------
    tuple of Judged
        One for each landmark that has a past; their outcomes have the shape (1,).
    """
    judged = []
    for back in landmarks:
        history = look_back(
            tables,
            snapshot=snapshot,
            months_back=back,
            months=months,
            not_movements=not_movements,
            keep=keep,
        )
        if history is not None:
            judged.append(judge_rules(history, [rule], rng))
    return tuple(judged)


def nearest_cuts(
    surface: Surface,
    consensus: Consensus,
    tidy: np.ndarray,
    *,
    but: tuple[float, int] | None = None,
    count: int = 5,
) -> list[tuple[int, int]]:
    """Return the places of the round pairs of cuts nearest to the chosen one.

    A doubling of worth is as far as three months.

    Parameters
    ----------
    surface : Surface
    consensus : Consensus
    tidy : array of bool, shape (cuts, months)
        Which pairs are round: nobody would propose 97.3.
    but : pair of cuts, optional
        This one is left out.
    count : int
    """
    if consensus.chosen is None:
        return []
    row, column = consensus.chosen
    positive = surface.cuts[surface.cuts > 0]
    least = positive.min() / 2 if len(positive) else 1.0  # nothing at all is a step below
    scale = np.log2(np.maximum(surface.cuts, least))
    near = [
        (
            abs(scale[i] - scale[row]) + abs(int(surface.idle[j]) - int(surface.idle[column])) / 3,
            i,
            j,
        )
        for i, j in zip(*np.nonzero(tidy), strict=True)
        if (i, j) != (row, column) and (surface.cuts[i], int(surface.idle[j])) != but
    ]
    return [(int(i), int(j)) for _, i, j in sorted(near)[:count]]


def downstream(
    customers: ir.Table, definitions: tuple[Definition, ...], rules: Sequence[Rule]
) -> pd.DataFrame:
    """Count what is left at the snapshot, were each rule the one for invalid customers.

    Parameters
    ----------
    customers : table
        One row per customer as of the snapshot.
    definitions : tuple of Definition
        The rules in force; those for invalid customers are not used.
    rules : sequence of Rule

    Returns
    -------
    DataFrame
        One row per rule: ``invalid_now``, ``left`` (not invalid), ``active``, ``dormant``
        (customers) and ``assets_each``, ``spend_each`` (money per customer left).
    """
    others = tuple(d for d in definitions if d.purpose != "invalid")
    t = layer_customers(customers, others).customers
    t = t.mutate(**{f"out_{i}": rule(t) for i, rule in enumerate(rules)})
    numbers: dict[str, ir.Value] = {}
    for i in range(len(rules)):
        out = t[f"out_{i}"]
        numbers[f"invalid_now_{i}"] = out.sum()
        numbers[f"left_{i}"] = (~out).sum()
        numbers[f"active_{i}"] = (~out & t.layer.isin(ACTIVE)).sum()
        numbers[f"dormant_{i}"] = (~out & (t.layer == "dormant")).sum()
        numbers[f"assets_each_{i}"] = t.assets.cast("float64").sum(where=~out)
        numbers[f"spend_each_{i}"] = t.spend_12m.cast("float64").sum(where=~out)
    names = ("invalid_now", "left", "active", "dormant", "assets_each", "spend_each")
    if not rules:
        return pd.DataFrame(columns=list(names), dtype=float)
    counted = t.aggregate(**numbers).to_pandas().iloc[0]
    table = pd.DataFrame(
        [{name: counted[f"{name}_{i}"] for name in names} for i in range(len(rules))]
    ).fillna({name: 0 for name in names[:4]})
    table[list(names[:4])] = table[list(names[:4])].astype(int)
    left = table["left"].where(table["left"] > 0)
    return table.assign(
        assets_each=table["assets_each"].astype(float) / left,
        spend_each=table["spend_each"].astype(float) / left,
    )
