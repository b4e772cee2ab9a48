"""What may be said, and shown, of the groups at risk."""

from __future__ import annotations

import numpy as np
import pandas as pd

from customerlab.churn.curves import FEW_EVENTS, status_of
from customerlab.findings import Finding
from customerlab.messages import say
from customerlab.privacy import HIDDEN, round_counts
from customerlab.retention.groups import Groups

#: Groups that are a finding of their own; the table has them all.
MOST_NAMED = 3
#: Columns of :func:`groups_to_show`, and those that are hidden together.
SHOWN = ["group", "customers", "events", "share", "low", "high", "share_others", "ratio", "q"]
_TOLD = ["events", "share", "low", "high", "share_others", "ratio"]
_DECIMALS = 3


def describe_groups(
    groups: Groups, *, horizon_months: int, min_cell: int = 1
) -> tuple[Finding, ...]:
    """Say which groups leave most, as counted on the half that took no part in the search.

    Parameters
    ----------
    groups : Groups
    horizon_months : int
        Within how many months who left was counted.
    min_cell : int
        A group is not named where fewer customers left or stayed, of it or of the others.

    Returns
    -------
    tuple of Finding
        ``churn_timing.group_1`` to ``churn_timing.group_3`` at most, the largest share first,
        each with 30 exits or more; one ``churn_timing.group_1`` that says so where no group
        stands out (weak) or too few left to tell.
    """
    if groups.left < FEW_EVENTS or groups.tested == 0:
        text = say(
            "With {left:customers} exits within {months:count} months among the "
            "{customers:customers} customers set aside for confirmation it cannot be said which "
            "groups are at risk.",
            left=groups.left,
            customers=groups.customers,
            months=horizon_months,
        )
        return (
            Finding(
                "churn_timing.group_1",
                text,
                unit="percent",
                n=groups.customers,
                status="not_enough_data",
            ),
        )
    table = groups.table
    sayable = (table["left"] >= FEW_EVENTS) & ~_tells(groups, min_cell)
    named = table.loc[sayable].head(MOST_NAMED)
    if named.empty:
        text = say(
            "No group of customers stands out: of {tested:count} groups compared, none left "
            "clearly more often within {months:count} months than the others in both halves of "
            "the customers.",
            tested=groups.tested,
            months=horizon_months,
        )
        value = say("No group stands out")
        return (
            Finding(
                "churn_timing.group_1",
                text,
                value,
                unit="percent",
                n=groups.customers,
                status="weak",
            ),
        )
    rounded = round_counts(named["customers"], min_cell)
    return tuple(
        Finding(
            id=f"churn_timing.group_{place}",
            text=say(
                "Of the customers with {group}, {share:percent} left within {months:count} months "
                "({low:percent} to {high:percent}), against {others:percent} of all others.",
                group=row.group.text,
                share=row.share,
                low=row.low,
                high=row.high,
                months=horizon_months,
                others=row.share_others,
            ),
            value=row.share,
            low=row.low,
            high=row.high,
            unit="percent",
            n=int(rounded.loc[row.Index]),
            status=status_of(row.left),
        )
        for place, row in enumerate(named.itertuples(), start=1)
    )


def groups_to_show(groups: Groups, min_cell: int) -> pd.DataFrame:
    """Return the groups as a report may show them.

    The groups overlap, so that one less another is a number of customers, too: counts are rounded
    to multiples of `min_cell` and shares to three decimals. Shares are ``hidden`` where fewer than
    `min_cell` left or stayed, of the group or of the others, and in a part of a listed group from
    which it differs by so few.

    Returns
    -------
    DataFrame
        ``group`` (message), ``customers``, ``events`` (who left), ``share``, ``low``, ``high``,
        ``share_others``, ``ratio``, ``q``.
    """
    table = groups.table
    if table.empty:
        return pd.DataFrame(columns=SHOWN)
    hidden = _tells(groups, min_cell)
    people = _people(table["customers"], table["left"])
    for part, group in enumerate(table["group"]):
        wholes = [at for at, other in enumerate(table["group"]) if group.within(other)]
        hidden[part] |= _few(people[wholes] - people[part], min_cell).any()
    shown = table.assign(
        group=[group.text for group in table["group"]],
        customers=round_counts(table["customers"], min_cell),
        events=round_counts(table["left"], min_cell),
    )
    for column in ("share", "low", "high", "share_others", "ratio"):
        shown[column] = shown[column].round(_DECIMALS)
    for column in _TOLD:
        shown[column] = shown[column].astype(object).mask(hidden, HIDDEN)
    return shown[SHOWN]


def _tells(groups: Groups, min_cell: int) -> np.ndarray:
    """Return which groups' shares would tell of fewer than `min_cell` customers."""
    n, left = groups.table["customers"], groups.table["left"]
    others = _people(groups.customers - n, groups.left - left)
    return (_few(_people(n, left), min_cell) | _few(others, min_cell)).any(axis=1)


def _people(customers: pd.Series, left: pd.Series) -> np.ndarray:
    """Return all, those who left and those who stayed, a column each."""
    return np.column_stack([customers, left, customers - left]).astype(np.int64)


def _few(counts: np.ndarray, min_cell: int) -> np.ndarray:
    return (counts > 0) & (counts < min_cell)
