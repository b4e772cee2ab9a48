"""Whether outcomes are missing alike in all arms: losses that differ undo the draw by lot.

Costs counts, not rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy

from customerlab.errors import CustomerlabError
from customerlab.findings import Check
from customerlab.messages import say
from customerlab.retention.arms import RATIO_P
from customerlab.uplift.to_show import few_of, hide, rounded, tell_shares

#: Expected customers of a cell below which the chi-squared approximation is not used.
_LEAST_EXPECTED = 5

#: Columns of :attr:`Attrition.table`.
COLUMNS = ["arm", "n", "known", "missing", "share_missing"]


@dataclass(frozen=True)
class Attrition:
    """Customers without a known outcome, by arm.

    Attributes
    ----------
    table : DataFrame
        One row an arm: ``arm``, customers assigned ``n``, ``known`` (with an outcome),
        ``missing``, ``share_missing``.
    p : float
        Chance of losses at least so different; missing where there is nothing to compare.
    test : {"chi_squared", "fisher", "none"}
        Pearson's; where fewer than 5 customers are expected in a cell, Fisher's exact test, with
        more than two arms of each against all others and Bonferroni's bound.
    weakens : tuple of str
    min_cell : int
        Shares that tell of fewer customers are not told.
    """

    table: pd.DataFrame
    p: float
    test: str
    weakens: tuple[str, ...] = ()
    min_cell: int = 1

    @property
    def check(self) -> Check:
        """Failed when p is below 0.001, as for the arms' sizes."""
        name = say("Outcomes are known alike in all arms")
        table = self.table[self.table["n"] > 0]
        if len(table) < 2 or not table["known"].any():
            why = say("It cannot be judged: there are not two arms, or no outcome is known.")
            return Check(name, None, why, self.weakens)
        if not table["missing"].any():
            return Check(name, True, say("All customers have a known outcome."), self.weakens)
        few = few_of(table["n"], table["share_missing"], self.min_cell)
        told = tell_shares(table["arm"], table["share_missing"], few)
        if self.p < RATIO_P:
            text = say(
                "The arms have not lost customers alike (p = {p:chance}). Without a known outcome "
                "are: {told}. Those who are missing may be special, so the customers who are left "
                "are no longer drawn by lot, and a difference between the arms may be theirs.",
                p=self.p,
                told=told,
            )
            return Check(name, False, text, self.weakens)
        text = say(
            "The arms have lost customers alike (p = {p:chance}). Without a known outcome are: "
            "{told}. All effects are those on customers whose outcome is known.",
            p=self.p,
            told=told,
        )
        return Check(name, True, text, self.weakens)


def check_attrition(
    counts: pd.DataFrame, *, weakens: tuple[str, ...] = (), min_cell: int = 1
) -> Attrition:
    """Compare the shares of customers whose outcome is not known.

    Parameters
    ----------
    counts : DataFrame
        ``arm``, ``n`` customers assigned, ``known`` of them with an outcome; rows of an arm are
        added up.
    weakens : tuple of str
        See :class:`customerlab.findings.Check`.
    min_cell : int
        Shares that tell of fewer customers are not told in words.

    Raises
    ------
    CustomerlabError
        If more outcomes are known than customers were assigned, or a number is below 0.
    """
    table = counts.groupby("arm", sort=False, as_index=False, dropna=False)[["n", "known"]].sum()
    table = table.astype({"n": "int64", "known": "int64"})
    table["missing"] = table["n"] - table["known"]
    wrong = table[(table["missing"] < 0) | (table["known"] < 0)]
    if len(wrong):
        arm = wrong["arm"].iloc[0]
        raise CustomerlabError(f"the arm {arm!r} has more known outcomes than customers")
    table["share_missing"] = table["missing"] / table["n"].astype(float).where(table["n"] > 0)
    p, test = _compare(table.loc[table["n"] > 0, ["known", "missing"]].to_numpy())
    return Attrition(table[COLUMNS], p, test, weakens, min_cell)


def _compare(seen: np.ndarray) -> tuple[float, str]:
    """Return the chance of shares at least so different, of shape (arms, 2)."""
    if len(seen) < 2 or not seen.sum(axis=0).all():
        return float("nan"), "none"
    if scipy.stats.contingency.expected_freq(seen).min() >= _LEAST_EXPECTED:
        return float(scipy.stats.chi2_contingency(seen, correction=False).pvalue), "chi_squared"
    if len(seen) == 2:
        return float(scipy.stats.fisher_exact(seen).pvalue), "fisher"
    total = seen.sum(axis=0)
    each = [scipy.stats.fisher_exact([one, total - one]).pvalue for one in seen]
    return float(min(1.0, min(each) * len(each))), "fisher"


def attrition_to_show(found: Attrition, min_cell: int) -> pd.DataFrame:
    """Return the losses as a report may show them; see :attr:`Attrition.table`.

    Numbers of customers are rounded to multiples of `min_cell`; of an arm in which fewer are
    missing, or known, only their number in all is shown, and the other shares are whole percents.
    """
    few = few_of(found.table["n"], found.table["share_missing"], min_cell)
    shown = found.table.copy()
    for column in ("n", "known", "missing"):
        shown[column] = rounded(shown[column], min_cell)
    shown["share_missing"] = shown["share_missing"].round(2 if few.any() else 4)
    return hide(shown, ["known", "missing", "share_missing"], few)
