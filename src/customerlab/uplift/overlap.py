"""Whether customers with and without contact can be compared, where no lot was drawn.

A customer whom nobody like them was left without contact for, or nobody like them contacted, has
no counterpart: nothing can be said of what contact does to them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from customerlab.churn.curves import FEW_EVENTS
from customerlab.findings import Check
from customerlab.messages import Message, say

#: Largest difference after weighting, in standard deviations, that is called alike (Austin 2009).
ALIKE = 0.1
#: Largest share of customers without a counterpart with whom the others still stand for all.
FEW_WITHOUT = 0.1
#: Chances of contact beyond which a customer has few counterparts, whatever the share contacted.
EXTREME = (0.05, 0.95)

BANDS = ["band", "low", "high", "contacted", "not_contacted", "compared"]
BALANCE = ["covariate", "contacted_mean", "other_mean", "smd_before", "smd_after"]


@dataclass(frozen=True)
class Overlap:
    """How far customers with and without contact are alike.

    Attributes
    ----------
    bands : DataFrame
        By tenth of the chance of contact (``band``, 1 has the least; customers of equal chance
        stay together): its ``low`` and ``high``, customers ``contacted`` and ``not_contacted``,
        and how many of both are ``compared``.
    balance : DataFrame
        By ``covariate``: ``contacted_mean`` and ``other_mean``; ``smd_before``, their difference
        in standard deviations (root of the mean of both groups' variances), and ``smd_after``, the
        same for the weighted customers that are compared; missing where nothing varies.
    compared : ndarray of bool, shape (n,)
        Customers with a counterpart.
    cut : float
        Chances of contact below it, or above 1 less it, are left out.
    without : float
        Share of customers without a counterpart.
    extreme : float
        Share whose chance lies outside :data:`EXTREME`; for comparison with other studies only.
        Where one in fifty is contacted by lot all would lie outside, and yet all be alike.
    effective : tuple of float
        How many customers of equal weight those contacted, and the others, are worth (Kish 1965).
    why_not : Message or None
        Why it cannot be judged, where that is so.
    possible : bool
        False where there is nobody in one of the groups.
    weakens : tuple of str
        See :class:`customerlab.findings.Check`.
    """

    bands: pd.DataFrame
    balance: pd.DataFrame
    compared: np.ndarray
    cut: float
    without: float
    extreme: float
    effective: tuple[float, float]
    why_not: Message | None = None
    possible: bool = True
    weakens: tuple[str, ...] = ()

    @property
    def check(self) -> Check:
        """Failed when too many have no counterpart, or those left differ even when weighted."""
        name = say("Customers with and without contact can be compared")
        if self.why_not is not None:
            return Check(name, None if self.possible else False, self.why_not, self.weakens)
        smd = self.balance["smd_after"].abs()
        worst = self.balance.loc[smd.idxmax()] if smd.notna().any() else None
        told = {
            "without": self.without,
            "after": 0.0 if worst is None else abs(worst["smd_after"]),
            "before": self.balance["smd_before"].abs().max(),
            "n": round(min(self.effective)),
        }
        if (
            self.without <= FEW_WITHOUT
            and told["after"] <= ALIKE
            and min(self.effective) >= FEW_EVENTS
        ):
            text = say(
                "{without:percent} of the customers have no counterpart of the other kind and are "
                "left out. Among the others, what is known from before differs by at most "
                "{after:number2} standard deviations after weighting ({before:number2} before). "
                "What is not known may still differ.",
                **told,
            )
            return Check(name, True, text, self.weakens)
        if worst is None:
            text = say(
                "{without:percent} of the customers have no counterpart of the other kind (at most "
                "{most:percent0} would do), and the smaller group is worth only {n:customers} "
                "customers after weighting.",
                most=FEW_WITHOUT,
                **told,
            )
            return Check(name, False, text, self.weakens)
        text = say(
            "They differ too much: {without:percent} of the customers have no counterpart of the "
            "other kind (at most {most:percent0} would do), {covariate} still differs by "
            "{after:number2} standard deviations after weighting (at most {alike:number1} would "
            "do), and the smaller group is worth {n:customers} customers (at least {least:count} "
            "are needed).",
            most=FEW_WITHOUT,
            alike=ALIKE,
            least=FEW_EVENTS,
            covariate=worst["covariate"],
            **told,
        )
        return Check(name, False, text, self.weakens)


def find_counterparts(
    contacted: np.ndarray,
    propensity: np.ndarray,
    covariates: np.ndarray,
    names: Sequence[str],
    *,
    weakens: tuple[str, ...] = (),
) -> Overlap:
    """Find the customers that have a counterpart of the other kind, and how alike they are.

    Left out is whoever's chance of contact lies beyond all chances in the other group, or beyond
    the cut that makes the mean effect of those left known best (:func:`best_cut`).

    Parameters
    ----------
    contacted : array of bool, shape (n,)
        Some of each kind.
    propensity : array, shape (n,)
        Chances of contact, above 0 and below 1.
    covariates : array, shape (n, k)
    names : sequence of str
        Of the k covariates.
    weakens : tuple of str
    """
    cut = best_cut(propensity)
    own, other = propensity[contacted], propensity[~contacted]
    low = max(cut, own.min(), other.min())
    high = min(1 - cut, own.max(), other.max())
    compared = (propensity >= low) & (propensity <= high)
    weight = compared / np.where(contacted, propensity, 1 - propensity)
    effective = tuple(_worth(weight[group]) for group in (contacted, ~contacted))
    extreme = float(((propensity < EXTREME[0]) | (propensity > EXTREME[1])).mean())
    balance, why_not = _balance(contacted, covariates, names, weight), None
    if balance["smd_before"].isna().all():
        why_not = say(
            "It cannot be judged: nothing is known from before the contact in which customers "
            "differ."
        )
    return Overlap(
        _bands(contacted, propensity, compared),
        balance,
        compared,
        cut,
        float(1 - compared.mean()),
        extreme,
        effective,
        why_not,
        weakens=weakens,
    )


def no_overlap(n: int, why: Message, possible: bool, weakens: tuple[str, ...] = ()) -> Overlap:
    """Return the overlap of groups that cannot be compared."""
    nan = float("nan")
    bands = pd.DataFrame({name: pd.Series(dtype=float) for name in BANDS})
    balance = pd.DataFrame({name: pd.Series(dtype=float) for name in BALANCE})
    balance = balance.astype({"covariate": object})
    nobody = np.zeros(n, dtype=bool)
    return Overlap(bands, balance, nobody, nan, nan, nan, (nan, nan), why, possible, weakens)


def best_cut(propensity: np.ndarray) -> float:
    r"""Return the cut that makes the mean effect of the customers left known best.

    Crump, Hotz, Imbens and Mitnik (2009): with outcomes that vary alike, the variance for a set of
    customers is proportional to the sum of :math:`1 / (e (1 - e))` over the square of their
    number, and the best set is that of all chances from :math:`\alpha` to :math:`1 - \alpha`. Their
    rule of thumb, 0.1, approximates it for contact that is about as common as none; computed, it
    leaves everybody in where contact is rare and drawn by lot.
    """
    burden = np.sort(1 / (propensity * (1 - propensity)))
    kept = np.arange(1, len(burden) + 1)
    last = len(burden) - 1 - np.argmin((np.cumsum(burden) / kept**2)[::-1])
    if burden[last] == burden[-1]:
        return 0.0
    # a hair wider, lest rounding leaves out the last of them
    return float(0.5 - np.sqrt(max(0.25 - 1 / burden[last], 0))) * (1 - 1e-9)


def _worth(weight: np.ndarray) -> float:
    total = float((weight**2).sum())
    return float(weight.sum() ** 2 / total) if total else 0.0


def _bands(contacted: np.ndarray, propensity: np.ndarray, compared: np.ndarray) -> pd.DataFrame:
    ends = np.quantile(propensity, np.arange(1, 10) / 10)
    tenth = np.searchsorted(ends, propensity, side="left") + 1
    rows = []
    for one in np.unique(tenth):
        mine = tenth == one
        yes, chance = int(contacted[mine].sum()), propensity[mine]
        rows.append(
            (int(one), chance.min(), chance.max(), yes, int(mine.sum()) - yes, compared[mine].sum())
        )
    return pd.DataFrame(rows, columns=BANDS)


def _balance(
    contacted: np.ndarray, covariates: np.ndarray, names: Sequence[str], weight: np.ndarray
) -> pd.DataFrame:
    own, other = covariates[contacted], covariates[~contacted]
    mean, base = own.mean(axis=0), other.mean(axis=0)
    spread = np.sqrt((own.var(axis=0) + other.var(axis=0)) / 2)
    varies = spread > 1e-12 * (np.abs(mean) + np.abs(base))
    before = np.divide(mean - base, spread, out=np.full(len(mean), np.nan), where=varies)
    after = np.full(len(mean), np.nan)
    if weight[contacted].any() and weight[~contacted].any():
        gap = np.average(own, axis=0, weights=weight[contacted])
        gap = gap - np.average(other, axis=0, weights=weight[~contacted])
        after = np.divide(gap, spread, out=after, where=varies)
    rows = zip(names, mean, base, before, after, strict=True)
    return pd.DataFrame(list(rows), columns=BALANCE)
