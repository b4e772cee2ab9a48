"""Whether the arms' customers were alike before, as a draw by lot makes them.

Costs sums, not rows. A failed check is about the whole experiment: no number of it can be trusted
before the reason is known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy

from customerlab.churn.curves import FEW_EVENTS
from customerlab.errors import CustomerlabError, nearest
from customerlab.findings import Check
from customerlab.messages import say
from customerlab.retention.arms import RATIO_P
from customerlab.uplift.sums import ArmSums
from customerlab.uplift.to_show import few_of, hide, rounded, tidy

#: Directions that tell less than this part of a covariate's variance are what others tell, too.
_TOLERANCE = 1e-9
#: A variance below this part of the squared mean is what floating point leaves of a constant.
_ROUNDING = 1e-13

#: Columns of :attr:`Balance.table`.
COLUMNS = ["covariate", "arm", "n", "control_n", "control_mean", "mean", "smd", "binary"]


@dataclass(frozen=True)
class Balance:
    """Whether the arms' customers were alike before.

    Attributes
    ----------
    table : DataFrame
        One row a covariate and arm other than the control: ``covariate``, ``arm``, customers ``n``
        and ``control_n``, ``control_mean``, ``mean``, ``smd`` (difference over the root of the
        mean of both variances; missing where neither varies), ``binary`` (whether all are 0 or 1).
    statistic : float
        Chi-squared with `df` degrees of freedom if the arms were drawn by lot.
    df : int
    p : float
        Missing where it could not be judged.
    n : float
        Customers.
    weakens : tuple of str
    """

    table: pd.DataFrame
    statistic: float
    df: int
    p: float
    n: float
    weakens: tuple[str, ...] = ()

    @property
    def check(self) -> Check:
        """Failed when p is below 0.001."""
        name = say("The arms' customers were alike before")
        if np.isnan(self.p):
            why = say(
                "It cannot be judged: there are no covariates that vary, no second arm, or too few "
                "customers in one."
            )
            return Check(name, None, why, self.weakens)
        smd = self.table["smd"].abs()
        if smd.isna().all():
            told = say("no difference can be put in standard deviations")
        else:
            worst = self.table.loc[smd.idxmax()]
            told = say(
                "the largest difference is that of {covariate} in {arm}, {smd:number3} standard "
                "deviations",
                covariate=worst["covariate"],
                arm=worst["arm"],
                smd=worst["smd"],
            )
        if self.p < RATIO_P:
            text = say(
                "The arms differ before anything was done, more than a draw by lot lets them "
                "(p = {p:chance} for all covariates together): {told}. Effects may be what was "
                "there before.",
                p=self.p,
                told=told,
            )
            return Check(name, False, text, self.weakens)
        text = say(
            "The arms are as alike as a draw by lot makes them (p = {p:chance} for all covariates "
            "together): {told}.",
            p=self.p,
            told=told,
        )
        return Check(name, True, text, self.weakens)


def check_balance(
    arms: Mapping[str, ArmSums],
    control: str,
    covariates: Sequence[str] | None = None,
    *,
    weakens: tuple[str, ...] = (),
) -> Balance:
    r"""Compare what was known of the customers before, arm by arm and all at once.

    The test of all at once is that of Hansen and Bowers (2008, Statistical Science 23, `d` squared)
    for any number of arms: with the sums of squares and products between the arms `B` and in all
    `T`, :math:`(n - 1) \operatorname{tr}(B T^{-1})`, which is n - 1 times Pillai's trace, and with
    two arms the squared Mahalanobis distance of the means under the variance that drawing lots
    gives them. Redrawing lots it has exactly the mean `df`, the rank of `T` times the number of
    arms less one. Not spoilt by covariates that tell the same.

    Parameters
    ----------
    arms : mapping of str to ArmSums
        One per arm, all with the same names.
    control : str
    covariates : sequence of str, optional
        All names when left out.
    weakens : tuple of str
        See :class:`customerlab.findings.Check`.

    Raises
    ------
    CustomerlabError
        A control or covariate that is not there.
    """
    if control not in arms:
        raise CustomerlabError(f'there is no arm "{control}"{nearest(control, arms)}')
    names = arms[control].names if covariates is None else tuple(covariates)
    if missing := sorted({x for x in names for one in arms.values() if x not in one.names}):
        hint = nearest(missing[0], arms[control].names)
        raise CustomerlabError(f'there is no covariate "{missing[0]}" in every arm{hint}')
    order = [control, *(arm for arm in arms if arm != control)]
    chosen = {arm: arms[arm].select(names) for arm in order}
    n = np.array([chosen[arm].n for arm in order])
    mean = np.array([chosen[arm].mean for arm in order])
    spread = np.array([chosen[arm].covariance for arm in order])
    table = _differences(chosen, mean, spread)
    statistic, df, p = float("nan"), 0, float("nan")
    if len(order) > 1 and names and n.min() >= FEW_EVENTS:
        statistic, df = _omnibus(n, mean, spread)
        p = float(scipy.stats.chi2.sf(statistic, df)) if df else float("nan")
    return Balance(table, statistic, df, p, float(n.sum()), weakens)


def _differences(arms: Mapping[str, ArmSums], mean: np.ndarray, spread: np.ndarray) -> pd.DataFrame:
    """Return each covariate of each arm beside the control, which is the first."""
    base, *others = arms.values()
    variance = np.diagonal(spread, axis1=1, axis2=2)
    unit = np.sqrt((variance[1:] + variance[:1]) / 2)
    gap = mean[1:] - mean[:1]
    smd = np.divide(gap, unit, out=np.full_like(gap, np.nan), where=unit > 0)
    rows = []
    for j, name in enumerate(base.names):
        binary = all(one.is_binary(name) for one in arms.values() if one.n > 1)
        rows += [
            (name, arm, one.n, base.n, mean[0, j], mean[i + 1, j], smd[i, j], binary)
            for i, (arm, one) in enumerate(zip([*arms][1:], others, strict=True))
        ]
    return pd.DataFrame(rows, columns=COLUMNS)


def _omnibus(n: np.ndarray, mean: np.ndarray, spread: np.ndarray) -> tuple[float, int]:
    """Return n - 1 times Pillai's trace, and its degrees of freedom."""
    off = mean - n @ mean / n.sum()
    between = (off * n[:, None]).T @ off
    total = between + np.einsum("a,aij->ij", n - 1, spread)
    # in units of each covariate, so that money in cents is not all that counts
    scale = np.sqrt(np.clip(total.diagonal(), 0, None))
    varies = scale**2 > _ROUNDING * (n @ mean**2)
    unit = np.divide(1, scale, out=np.zeros_like(scale), where=varies)
    values, vectors = np.linalg.eigh(total * unit[:, None] * unit)
    kept = values > _TOLERANCE * max(len(values), 1)
    if not kept.any():
        return float("nan"), 0
    axes = (vectors[:, kept] / np.sqrt(values[kept])) * unit[:, None]
    trace = np.einsum("ik,ij,jk->", axes, between, axes)
    return float((n.sum() - 1) * trace), int(kept.sum() * (len(n) - 1))


def balance_to_show(balance: Balance, min_cell: int) -> pd.DataFrame:
    """Return the differences of before as a report may show them.

    Parameters
    ----------
    balance : Balance
    min_cell : int
        Means are hidden where an arm has fewer customers, or fewer of either kind of a 0/1
        covariate; numbers of customers are rounded to multiples of it.

    Returns
    -------
    DataFrame
        :attr:`Balance.table` without ``binary``, the covariates furthest from balance first.
    """
    far = tidy(balance.table["smd"].abs(), 6).sort_values(ascending=False, kind="stable")
    table = balance.table.loc[far.index].reset_index(drop=True)
    few = few_of(table["n"], table["mean"], min_cell, table["binary"])
    few |= few_of(table["control_n"], table["control_mean"], min_cell, table["binary"])
    shown = table.drop(columns="binary")
    for column in ("n", "control_n"):
        shown[column] = rounded(table[column], min_cell)
    for column in ("control_mean", "mean"):
        values = table[column].astype(float)
        shown[column] = values.mask(table["binary"].astype(bool), tidy(values))
    return hide(shown, ["control_mean", "mean", "smd"], few)
