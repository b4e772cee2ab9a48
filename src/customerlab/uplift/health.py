"""Whether the arms are as large as a draw by lot makes them.

Costs counts, not rows. A failed check is about the whole experiment: no number of it can be
trusted before the reason is known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy

from customerlab.errors import CustomerlabError, nearest
from customerlab.findings import Check
from customerlab.messages import say
from customerlab.retention.arms import RATIO_P

#: Expected customers of an arm below which the chi-squared approximation is not used.
_LEAST_EXPECTED = 5


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
