"""Whether the arms are what a draw by lot gives: their sizes, and who is in them.

Costs counts and sums, not rows. A failed check is about the whole experiment: no number of it can
be trusted before the reason is known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import scipy

from customerlab.churn.curves import FEW_EVENTS
from customerlab.errors import CustomerlabError, nearest
from customerlab.findings import Check
from customerlab.messages import say
from customerlab.retention.arms import RATIO_P

if TYPE_CHECKING:
    from customerlab.uplift.sums import ArmSums

#: Expected customers of an arm below which the chi-squared approximation is not used.
_LEAST_EXPECTED = 5
#: Directions that tell less than this part of a covariate's variance are what others tell, too.
_TOLERANCE = 1e-9
#: A variance below this part of the squared mean is what floating point leaves of a constant.
_ROUNDING = 1e-13


@dataclass(frozen=True)
class SampleRatio:
    """Whether the arms are as large as planned.

    Attributes
    ----------
    table : DataFrame
        One row an arm, in the order of the plan: ``arm``, ``n``, ``expected``, ``share``,
        ``planned_share``.
    p : float
        Chance of sizes at least so far from the plan; missing where it could not be judged.
    test : {"binomial", "normal", "chi_squared", "none"}
        Two arms: by tea-tasting, exact up to 1,000 customers, then the normal approximation with
        continuity correction. More: Pearson's chi-squared test of all together (scipy).
    weakens : tuple of str
    """

    table: pd.DataFrame
    p: float
    test: str
    weakens: tuple[str, ...] = ()

    @property
    def check(self) -> Check:
        """Failed when p is below 0.001 (Fabijan and others 2019)."""
        name = say("The arms are as large as planned")
        if np.isnan(self.p):
            why = say("It cannot be judged: there are not two arms, or too few customers in them.")
            return Check(name, None, why, self.weakens)
        off = self.table["n"] - self.table["expected"]
        worst = self.table.loc[(off.abs() / np.sqrt(self.table["expected"])).idxmax()]
        told = {"arm": worst["arm"], "share": worst["share"], "planned": worst["planned_share"]}
        if self.p < RATIO_P:
            text = say(
                "The arms are not as large as planned (p = {p:chance}): {arm} has {share:percent2} "
                "of the customers instead of {planned:percent2}. Customers were lost or "
                "misplaced on the way, and those may be special: find out why before trusting any "
                "effect.",
                p=self.p,
                **told,
            )
            return Check(name, False, text, self.weakens)
        text = say(
            "The arms' sizes fit the plan (p = {p:chance}); furthest from it is {arm} with "
            "{share:percent2} of the customers where {planned:percent2} were planned.",
            p=self.p,
            **told,
        )
        return Check(name, True, text, self.weakens)


@dataclass(frozen=True)
class Balance:
    """Whether the arms' customers were alike before.

    Attributes
    ----------
    table : DataFrame
        One row a covariate and arm other than the control: ``covariate``, ``arm``,
        ``control_mean``, ``mean``, ``smd`` (difference over the root of the mean of both
        variances; missing where neither varies).
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


def check_sample_ratio(
    counts: Mapping[str, float],
    planned: Mapping[str, float] | None = None,
    *,
    weakens: tuple[str, ...] = (),
) -> SampleRatio:
    """Compare the arms' sizes with the planned shares.

    Parameters
    ----------
    counts : mapping of str to number
        Customers assigned to each arm, none of them left out for what came later.
    planned : mapping of str to float, optional
        Shares (or parts: 1 and 2) by arm; equal when left out. An arm planned and not counted
        has no customers.
    weakens : tuple of str
        See :class:`customerlab.findings.Check`.

    Raises
    ------
    CustomerlabError
        A share that is not above 0, or an arm without one.
    """
    shares = dict.fromkeys(counts, 1.0) if planned is None else dict(planned)
    if unplanned := sorted(set(counts) - set(shares)):
        hint = nearest(unplanned[0], set(shares) - set(counts))
        raise CustomerlabError(f'no share is planned for the arm "{unplanned[0]}"{hint}')
    if not all(np.isfinite(share) and share > 0 for share in shares.values()):
        raise CustomerlabError("planned shares of arms must be above 0")
    n = np.array([float(counts.get(arm, 0)) for arm in shares])
    part = np.array(list(shares.values()), dtype=float)
    part = part / part.sum() if len(part) else part
    table = pd.DataFrame(
        {
            "arm": list(shares),
            "n": n.astype(int),
            "expected": part * n.sum(),
            "share": n / n.sum() if n.sum() else np.full(len(n), np.nan),
            "planned_share": part,
        }
    )
    p, test = float("nan"), "none"
    if len(n) == 2 and n.sum() > 0:
        p, test = _two_arms(n, part)
    elif len(n) > 2 and table["expected"].min() >= _LEAST_EXPECTED:
        p, test = float(scipy.stats.chisquare(n, part * n.sum()).pvalue), "chi_squared"
    return SampleRatio(table, p, test, weakens)


def _two_arms(n: np.ndarray, part: np.ndarray) -> tuple[float, str]:
    from tea_tasting import SampleRatio as Mismatch  # slow to import
    from tea_tasting.aggr import Aggregates

    # named, so that neither an update of tea-tasting nor its settings change the test
    test = "binomial" if n.sum() < 1000 else "normal"
    metric = Mismatch(
        {0: float(part[0]), 1: float(part[1])},
        method="binom" if test == "binomial" else "norm",
        correction=True,
    )
    arms = {arm: Aggregates(count_=int(count)) for arm, count in enumerate(n)}
    return float(metric.analyze(arms, 0, 1).pvalue), test


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
    n = np.array([float(arms[arm].n) for arm in order])
    mean = np.empty((len(order), len(names)))
    spread = np.empty((len(order), len(names), len(names)))
    for at, arm in enumerate(order):
        where = [arms[arm].names.index(name) for name in names]
        mean[at] = np.asarray(arms[arm].mean, dtype=float)[where]
        spread[at] = np.asarray(arms[arm].covariance, dtype=float)[np.ix_(where, where)]
    table = _differences(order, names, mean, spread)
    statistic, df, p = float("nan"), 0, float("nan")
    if len(order) > 1 and names and n.min() >= FEW_EVENTS:
        statistic, df = _omnibus(n, mean, spread)
        p = float(scipy.stats.chi2.sf(statistic, df)) if df else float("nan")
    return Balance(table, statistic, df, p, float(n.sum()), weakens)


def _differences(
    order: Sequence[str], names: Sequence[str], mean: np.ndarray, spread: np.ndarray
) -> pd.DataFrame:
    variance = np.diagonal(spread, axis1=1, axis2=2)
    unit = np.sqrt((variance[1:] + variance[:1]) / 2)
    gap = mean[1:] - mean[:1]
    smd = np.divide(gap, unit, out=np.full_like(gap, np.nan), where=unit > 0)
    rows = [
        (name, arm, mean[0, j], mean[i + 1, j], smd[i, j])
        for j, name in enumerate(names)
        for i, arm in enumerate(order[1:])
    ]
    return pd.DataFrame(rows, columns=["covariate", "arm", "control_mean", "mean", "smd"])


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
