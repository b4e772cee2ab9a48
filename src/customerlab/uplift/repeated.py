"""Customers who count twice: in several arms of an experiment, or in several experiments at once.

Costs counts, not rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy

from customerlab.findings import Check
from customerlab.messages import say
from customerlab.privacy import HIDDEN
from customerlab.retention.arms import RATIO_P
from customerlab.uplift.to_show import few_of, hide, rounded, tidy

#: A smaller share of an experiment's customers changes its effects by about as little.
SMALL_SHARE = 0.01
#: Expected customers of a cell below which the chi-squared approximation is not used.
_LEAST_EXPECTED = 5

#: Columns of :attr:`OneArm.table` and :attr:`Overlaps.table`.
ONE_ARM = ["experiment", "n", "several_arms", "share"]
OVERLAPS = ["experiment", "other", "n", "also", "share", "p_value"]


@dataclass(frozen=True)
class OneArm:
    """Customers who were assigned to more than one arm of an experiment.

    Attributes
    ----------
    table : DataFrame
        One row an experiment: ``experiment``, customers ``n``, ``several_arms`` of them in more
        than one arm, ``share``.
    weakens : tuple of str
    """

    table: pd.DataFrame
    weakens: tuple[str, ...] = ()

    @property
    def check(self) -> Check:
        """Failed when more than 1 % of an experiment's customers are in several arms."""
        name = say("Each customer is in one arm")
        table = self.table[self.table["n"] > 0]
        if not len(table):
            why = say("It cannot be judged: there are no customers.")
            return Check(name, None, why, self.weakens)
        worst = table.loc[table["share"].idxmax()]
        told = {"several": worst["several_arms"], "experiment": worst["experiment"]}
        if not worst["several_arms"]:
            text = say("No customer is in more than one arm of an experiment.")
            return Check(name, True, text, self.weakens)
        if worst["share"] > SMALL_SHARE:
            text = say(
                "Customers of {experiment} were assigned to more than one arm: {several:customers} "
                "of them, more than {most:percent0}. What they did cannot be put down to one arm, "
                "and the difference between the arms is too small.",
                most=SMALL_SHARE,
                **told,
            )
            return Check(name, False, text, self.weakens)
        text = say(
            "Hardly anyone is in more than one arm; most in {experiment}, {several:customers} "
            "customers, which is not more than {most:percent0}.",
            most=SMALL_SHARE,
            **told,
        )
        return Check(name, True, text, self.weakens)


@dataclass(frozen=True)
class Overlaps:
    """Customers of an experiment who are in another one at the same time.

    Attributes
    ----------
    table : DataFrame
        One row a pair: ``experiment``, ``other``, customers ``n`` of the first, ``also`` in the
        other, their ``share``, ``p_value``: the chance of arms so unlike in who is in which arm of
        the other, if they were drawn independently (Pearson's chi-squared; missing where too few
        are in both).
    weakens : tuple of str
    """

    table: pd.DataFrame
    weakens: tuple[str, ...] = ()

    @property
    def check(self) -> Check:
        """Failed when a pair with 1 % or more in both was not drawn independently.

        That is when p is below 0.001 divided by the number of pairs.
        """
        name = say("Experiments at the same time were drawn independently")
        table = self.table[self.table["also"] > 0]
        if not len(table):
            text = say("No customer is in two experiments at the same time.")
            return Check(name, True, text, self.weakens)
        large = table[table["share"] >= SMALL_SHARE]
        if not len(large):
            worst = table.loc[table["share"].idxmax()]
            text = say(
                "Hardly anyone is in two experiments at the same time; most are in {experiment} "
                "and {other}, {also:customers} customers.",
                **_pair(worst),
            )
            return Check(name, True, text, self.weakens)
        worst = large.loc[large["p_value"].fillna(2).idxmin()]
        if np.isnan(worst["p_value"]):
            text = say(
                "It cannot be judged: too few customers are in {experiment} and {other} at the "
                "same time ({also:customers}).",
                **_pair(worst),
            )
            return Check(name, None, text, self.weakens)
        if worst["p_value"] * len(large) < RATIO_P:
            text = say(
                "The arms of {experiment} differ in who is in which arm of {other} at the same "
                "time (p = {p:chance}; {also:customers} customers are in both). The effects of "
                "{experiment} are mixed with those of {other}.",
                p=worst["p_value"],
                **_pair(worst),
            )
            return Check(name, False, text, self.weakens)
        most = large.loc[large["also"].idxmax()]
        text = say(
            "Customers are in two experiments at the same time, most in {experiment} and {other} "
            "({also:customers}), and their arms were drawn independently (smallest p = "
            "{p:chance}). Each effect is what a campaign adds while the other runs.",
            p=worst["p_value"],
            **_pair(most),
        )
        return Check(name, True, text, self.weakens)


def _pair(row: pd.Series) -> dict:
    return {"experiment": row["experiment"], "other": row["other"], "also": row["also"]}


def check_one_arm(counts: pd.DataFrame, *, weakens: tuple[str, ...] = ()) -> OneArm:
    """Count the customers of each experiment who are in more than one of its arms.

    Parameters
    ----------
    counts : DataFrame
        ``experiment``, ``n`` customers (each once), ``several_arms``: those of them in more than
        one arm. Rows of an experiment are added up.
    weakens : tuple of str
        See :class:`customerlab.findings.Check`.
    """
    sizes = ["n", "several_arms"]
    by = counts.groupby("experiment", sort=False, as_index=False, dropna=False)
    table = by[sizes].sum()
    table["share"] = table["several_arms"] / table["n"].astype(float).where(table["n"] > 0)
    return OneArm(table[ONE_ARM], weakens)


def check_overlaps(counts: pd.DataFrame, *, weakens: tuple[str, ...] = ()) -> Overlaps:
    """Compare the arms of an experiment in who is in which arm of another at the same time.

    Being in two experiments spoils neither as long as the arm of one does not go with the arm of
    the other; so that is what is tested.

    Parameters
    ----------
    counts : DataFrame
        All customers of ``experiment``, for each ``other`` whose outcome windows overlap with it:
        ``experiment``, ``arm``, ``other``, ``other_arm`` (missing for those who are not in it),
        ``n``.
    weakens : tuple of str
        See :class:`customerlab.findings.Check`.
    """
    rows = []
    keys = ["experiment", "other"]
    for (experiment, other), mine in counts.groupby(keys, sort=False, dropna=False):
        n = int(mine["n"].sum())
        also = int(mine.loc[mine["other_arm"].notna(), "n"].sum())
        share = also / n if n else float("nan")
        rows.append((experiment, other, n, also, share, _independence(mine)))
    return Overlaps(pd.DataFrame(rows, columns=OVERLAPS), weakens)


def _independence(mine: pd.DataFrame) -> float:
    """Return the p-value of arms that go with the other's, as missing ones are an arm, too."""
    arm, n = pd.factorize(mine["arm"])[0], mine["n"].to_numpy(float)
    other = pd.factorize(mine["other_arm"])[0] + 1  # missing ones are 0
    for level in (other, np.minimum(other, 1)):
        seen = np.zeros((arm.max(initial=-1) + 1, level.max(initial=-1) + 1))
        np.add.at(seen, (arm, level), n)
        seen = seen[seen.sum(axis=1) > 0][:, seen.sum(axis=0) > 0]
        if min(seen.shape) < 2:
            continue
        if scipy.stats.contingency.expected_freq(seen).min() >= _LEAST_EXPECTED:
            return float(scipy.stats.chi2_contingency(seen, correction=False).pvalue)
    return float("nan")


def one_arm_to_show(found: OneArm, min_cell: int) -> pd.DataFrame:
    """Return who is in several arms as a report may show it; see :attr:`OneArm.table`."""
    return _to_show(found.table, "several_arms", min_cell)


def overlaps_to_show(found: Overlaps, min_cell: int) -> pd.DataFrame:
    """Return who is in several experiments as a report may show it; see :attr:`Overlaps.table`."""
    return _to_show(found.table, "also", min_cell)


def _to_show(table: pd.DataFrame, part: str, min_cell: int) -> pd.DataFrame:
    """Round numbers of customers, and hide a part that leaves fewer than `min_cell` or is so."""
    few = few_of(table["n"], table["share"], min_cell)
    shown = table.copy()
    for column in ("n", part):
        shown[column] = rounded(table[column], min_cell)
    shown[part] = shown[part].mask(few & (shown[part] != f"<{min_cell}"), HIDDEN)
    shown["share"] = tidy(table["share"])
    return hide(shown, ["share"], few)
