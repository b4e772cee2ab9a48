"""Effects on those reached, amounts in two parts and months kept as a report may show them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from customerlab.churn.curves import Survival
from customerlab.churn.showing import steps_to_show
from customerlab.findings import STATUSES
from customerlab.privacy import HIDDEN
from customerlab.uplift.effects_shown import few_behind
from customerlab.uplift.to_show import few_of, hide, rounded, tidy

_SPLIT = ["difference", "share", "buyer", "more_buyers", "larger_purchases"]
#: What :attr:`customerlab.uplift.two_parts.TwoParts.table` tells beyond counts.
PARTS = [f"{part}{end}" for part in _SPLIT for end in ("", "_low", "_high", "_p")]


def few_reached(table: pd.DataFrame, min_cell: int) -> np.ndarray:
    """Return in which rows of ``Reached.table`` fewer than `min_cell` stand out."""
    reached = (table["n"] * table["reached"]).astype(float).round().between(1, min_cell - 1)
    return few_behind(table, min_cell) | reached.to_numpy()


def few_bought(table: pd.DataFrame, min_cell: int) -> np.ndarray:
    """Return in which rows of ``TwoParts.table`` fewer bought, or did not."""
    few = np.zeros(len(table), dtype=bool)
    for size, count in (("n", "buyers"), ("control_n", "control_buyers")):
        n = table[size].astype(float)
        few |= few_of(n, table[count].astype(float) / n.where(n > 0), min_cell)
    return few


def few_stayed(table: pd.DataFrame, min_cell: int) -> np.ndarray:
    """Return in which rows of ``MonthsKept.table`` fewer left, or stayed."""
    few = np.zeros(len(table), dtype=bool)
    for size, gone in (("n", "left"), ("control_n", "control_left")):
        n = table[size].astype(float)
        few |= few_of(n, table[gone].astype(float) / n.where(n > 0), min_cell)
    return few


def contact_to_show(contact: pd.DataFrame, min_cell: int) -> pd.DataFrame:
    """Return the shares contacted as a report may show them.

    Parameters
    ----------
    contact : DataFrame
        :attr:`customerlab.uplift.reached.Reached.contact`.
    min_cell : int
        Shares that tell of fewer customers are hidden, and the others are then whole percents,
        for the effects would give the hidden one away.

    Returns
    -------
    DataFrame
        ``arm``, ``n``, ``contacted``, ``not_contacted``.
    """
    few = few_of(contact["n"], contact["contacted"], min_cell)
    shown = contact.drop(columns="control")
    shown["n"] = rounded(shown["n"], min_cell)
    shares = ["contacted", "not_contacted"]
    shown[shares] = shown[shares].round(2 if few.any() else 4)
    return hide(shown, shares, few)


def reached_to_show(table: pd.DataFrame, min_cell: int) -> pd.DataFrame:
    """Return the effects on those reached as a report may show them.

    Parameters
    ----------
    table : DataFrame
        :attr:`customerlab.uplift.reached.Reached.table`.
    min_cell : int
        The numbers of a row are hidden where they would tell of fewer customers.

    Returns
    -------
    DataFrame
        Without ``binary``, ``why_not``, the means and the shares contacted, for which see
        :func:`contact_to_show`.
    """
    gone = ["binary", "why_not", "reached", "control_reached", "control_mean", "treated_mean"]
    shown = table.drop(columns=gone)
    for column in ("n", "control_n"):
        shown[column] = rounded(table[column], min_cell)
    numbers = ["effect", "low", "high", "reached_effect", "reached_low", "reached_high"]
    shares = table["binary"].astype(bool)
    for column in numbers:
        values = table[column].astype(float)
        shown[column] = values.mask(shares, tidy(values))
    shown["status"] = table["status"].map(STATUSES)
    return hide(shown, [*numbers, "p_value"], few_reached(table, min_cell))


def buyers_to_show(buyers: pd.DataFrame, min_cell: int) -> pd.DataFrame:
    """Return who buys and how much as a report may show it.

    Parameters
    ----------
    buyers : DataFrame
        :attr:`customerlab.uplift.two_parts.TwoParts.buyers`.
    min_cell : int
        Numbers of customers are rounded to multiples of it; the rest of an arm is hidden where
        fewer bought, or fewer did not.

    Returns
    -------
    DataFrame
        Without ``control``.
    """
    few = few_of(buyers["n"], buyers["share"], min_cell)
    shown = buyers.drop(columns="control")
    for column in ("n", "buyers"):
        shown[column] = rounded(shown[column], min_cell)
    shown["share"] = tidy(shown["share"])
    # beside all customers, nearly all would tell of the others
    shown["buyers"] = shown["buyers"].mask(few & (shown["buyers"] != f"<{min_cell}"), HIDDEN)
    return hide(shown, ["share", "mean", "buyer_mean", "buyer_low", "buyer_high"], few)


def split_to_show(table: pd.DataFrame, min_cell: int) -> pd.DataFrame:
    """Return both parts of an amount as a report may show them.

    Parameters
    ----------
    table : DataFrame
        :attr:`customerlab.uplift.two_parts.TwoParts.table`.
    min_cell : int
        All numbers of a row are hidden where fewer customers bought, or did not, in either arm.

    Returns
    -------
    DataFrame
        Without ``buyers``, ``control_buyers``, ``why_not``.
    """
    shown = table.drop(columns=["why_not", "buyers", "control_buyers"])
    for column in ("n", "control_n"):
        shown[column] = rounded(shown[column], min_cell)
    for column in ("share", "share_low", "share_high"):
        shown[column] = tidy(shown[column])
    shown["status"] = table["status"].map(STATUSES)
    return hide(shown, PARTS, few_bought(table, min_cell))


def kept_to_show(table: pd.DataFrame, min_cell: int) -> pd.DataFrame:
    """Return the months kept as a report may show them.

    Parameters
    ----------
    table : DataFrame
        :attr:`customerlab.uplift.months_kept.MonthsKept.table`.
    min_cell : int
        Numbers of customers are rounded to multiples of it, and the others hidden where fewer
        were watched, left or stayed.

    Returns
    -------
    DataFrame
        Without ``why_not``.
    """
    shown = table.drop(columns="why_not")
    few = few_stayed(table, min_cell)
    for column in ("n", "control_n", "left", "control_left"):
        shown[column] = rounded(shown[column], min_cell)
    numbers = ["rmst", "control_rmst", "months_kept", "low", "high", "p_value"]
    shown["status"] = table["status"].map(STATUSES)
    return hide(shown, numbers, few)


def kept_curves_to_show(curves: Survival, min_cell: int) -> pd.DataFrame:
    """Return the curves behind the months kept as a report may show them.

    Parameters
    ----------
    curves : Survival
        :attr:`customerlab.uplift.months_kept.MonthsKept.survival`.
    min_cell : int
        See :func:`customerlab.churn.showing.curves_table`: months are joined until none or so
        many customers have left.

    Returns
    -------
    DataFrame
        ``arm``, ``month``, ``at_risk``, ``events``, ``survival``, ``low``, ``high``.
    """
    shown = steps_to_show(curves, min_cell).rename(columns={"group": "arm"})
    return shown[["arm", "month", "at_risk", "events", "survival", "low", "high"]]
