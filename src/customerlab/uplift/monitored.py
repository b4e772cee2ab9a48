r"""Intervals and p-values that hold however often one looks, and whenever one stops.

The sequential t-test of Lindon, Ham, Tingley and Bojinov (2022, arXiv 2210.08589): the likelihood
of the t-value is mixed over effects :math:`N(0, 1/g)`, in units of the standard error times the
root of the number of customers, and set against its likelihood without an effect,

.. math:: E_n = \sqrt{r} \left(\frac{1 + t^2/\nu}{1 + r t^2/\nu}\right)^{(\nu+1)/2},
          \quad r = g / (g + n)

which without an effect is ever above :math:`1/\alpha` with a chance of at most :math:`\alpha`
(Ville). Exact for a linear model with normal errors; with standard errors that are robust, of a
difference that is adjusted or not, it holds as the number of customers grows (their asymptotic
confidence sequences; without degrees of freedom the limit of the formula is used).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy

from customerlab.churn.curves import FEW_EVENTS, SOME_EVENTS
from customerlab.findings import Status
from customerlab.messages import Message, say

#: Columns of :attr:`Monitored.table`.
COLUMNS = ["look", "n", "estimate", "standard_error", "low", "high", "p", "p_so_far", "wider"]
#: Looks at fewer customers than this say nothing: the method is one for large numbers.
FIRST_LOOK = 2 * FEW_EVENTS


@dataclass(frozen=True)
class Monitored:
    """What each look at a running experiment may say.

    Attributes
    ----------
    table : DataFrame
        One row a look, in the order of `n`: ``look`` (from 1), ``n`` customers, ``estimate`` and
        ``standard_error`` as given, ``low`` to ``high`` (all of them hold at once with a chance of
        ``1 - alpha``; infinite where a look says nothing yet), ``p`` at this look, ``p_so_far``
        (the smallest until now: what may be reported whenever one stops) and ``wider`` (so many
        times the interval of an only look).
    precision : float
        `g`, in customers.
    planned : float
        The number of customers for which the interval is as narrow as it can be.
    alpha : float
    """

    table: pd.DataFrame
    precision: float
    planned: float
    alpha: float

    @property
    def stopped_at(self) -> int | None:
        """Customers at the first look that shut 0 out; None if none did."""
        out = self.table.loc[self.table["p_so_far"] <= self.alpha, "n"]
        return int(out.iloc[0]) if len(out) else None

    @property
    def status(self) -> Status:
        """Not enough data before a look says anything, weak with fewer than 200 customers."""
        judged = self.table.loc[np.isfinite(self.table["wider"]), "n"]
        if judged.empty:
            return "not_enough_data"
        return "supported" if judged.iloc[-1] >= 2 * SOME_EVENTS else "weak"

    @property
    def text(self) -> Message:
        """The answer in words."""
        looks, alpha = len(self.table), self.alpha
        if self.status == "not_enough_data":
            return say(
                "Looked at {looks:count} times: too few customers to say anything.", looks=looks
            )
        n, at = int(self.table["n"].iloc[-1]), self.stopped_at
        if at is not None:
            return say(
                "Looked at {looks:count} times, the effect is other than zero, and has been so "
                "since the look at {at:count} customers: the experiment may be stopped. However "
                "often one looks, a false alarm has a chance of at most {alpha:percent0}.",
                looks=looks,
                at=at,
                alpha=alpha,
            )
        return say(
            "Looked at {looks:count} times, no effect is sure yet with {n:count} customers "
            "({planned:count} were planned). One may look again: however often, a false alarm has "
            "a chance of at most {alpha:percent0}.",
            looks=looks,
            n=n,
            planned=self.planned,
            alpha=alpha,
        )


def precision_for(planned: float, alpha: float = 0.05) -> float:
    r"""Return the `g` that makes the interval narrowest when `planned` customers are in.

    With :math:`u = 1 + n/g` the squared half-width is :math:`u \log(u/\alpha^2) / (u - 1)` squared
    standard errors, least where :math:`\log(u/\alpha^2) = u - 1` (Waudby-Smith and others 2021,
    by Lambert's W). It then is `u`: at 5 % 3.03 standard errors, 1.55 times the fixed interval.

    Raises
    ------
    ValueError
        Unless `planned` is positive and `alpha` between 0 and 1.
    """
    if not planned > 0 or not 0 < alpha < 1:
        raise ValueError("planned must be positive, and alpha between 0 and 1")
    u = -scipy.special.lambertw(-(alpha**2) / np.e, k=-1).real
    return float(planned / (u - 1))


def log_evidence(
    t: np.ndarray, n: np.ndarray, precision: float, df: np.ndarray | float = np.inf
) -> np.ndarray:
    """Return the logarithm of `E` above: how far the data speak for an effect.

    Parameters
    ----------
    t : array
        Estimates over their standard errors.
    n : array
        Customers at that look, of both arms together.
    precision : float
        `g`, fixed before the first look.
    df : array or float
        Degrees of freedom of the standard error; infinite for the limit.
    """
    t, n, df = np.broadcast_arrays(*(np.asarray(x, dtype=float) for x in (t, n, df)))
    r = precision / (precision + n)
    limit = np.isinf(df)
    nu = np.where(limit, 1.0, df)
    exact = (nu + 1) * (np.log1p(t**2 / nu) - np.log1p(r * t**2 / nu))
    return 0.5 * (np.log(r) + np.where(limit, (1 - r) * t**2, exact))


def half_width(
    n: np.ndarray, precision: float, alpha: float = 0.05, df: np.ndarray | float = np.inf
) -> np.ndarray:
    """Return half the interval's width in standard errors; infinite where no t would be enough.

    The `t` at which :func:`log_evidence` is ``log(1 / alpha)``.
    """
    n, df = np.broadcast_arrays(*(np.asarray(x, dtype=float) for x in (n, df)))
    r = precision / (precision + n)
    limit = np.isinf(df)
    nu = np.where(limit, 1.0, df)
    part = (r * alpha**2) ** (1 / (nu + 1))
    room = np.where(part > r, part - r, np.nan)
    exact = np.sqrt(nu * (1 - part) / room)
    return np.where(
        limit,
        np.sqrt(np.log(1 / (r * alpha**2)) / (1 - r)),
        np.where(np.isnan(room), np.inf, exact),
    )


def monitor(looks: pd.DataFrame, *, planned: float, alpha: float = 0.05) -> Monitored:
    """Say what each look at a running experiment may say.

    Parameters
    ----------
    looks : DataFrame
        One row a look: ``n`` (customers whose outcome is known, of both arms), ``estimate`` (the
        difference, adjusted or not) and ``standard_error`` (robust) from all of them; optional
        ``df`` (its degrees of freedom; without, the limit) and ``events`` (of a 0/1 outcome, the
        customers of the rarer kind). Looks at fewer than 60 customers, at fewer than 30 events,
        or without a standard error say nothing: leaving looks out never adds a false alarm.
    planned : float
        Customers of both arms that were planned, set before the first look.
    alpha : float
        Share of experiments without effect in which an interval ever shuts 0 out; divide it where
        several arms or outcomes are watched.

    Raises
    ------
    ValueError
        Unless `planned` is positive and `alpha` between 0 and 1.
    """
    precision = precision_for(planned, alpha)
    looks = looks.sort_values("n", ignore_index=True, kind="stable")
    n, estimate, error = (
        looks[name].to_numpy(dtype=float) for name in ("n", "estimate", "standard_error")
    )
    df = looks["df"].to_numpy(dtype=float) if "df" in looks else np.full(len(looks), np.inf)
    judged = (n >= FIRST_LOOK) & (error > 0) & np.isfinite(estimate) & (df > 0)
    if "events" in looks:
        judged &= looks["events"].to_numpy(dtype=float) >= FEW_EVENTS
    radius, fixed, p = np.full((3, len(looks)), [[np.inf], [1.0], [1.0]])
    n_, df_ = n[judged], df[judged]
    radius[judged] = half_width(n_, precision, alpha, df_)
    fixed[judged] = scipy.stats.t.ppf(1 - alpha / 2, df_)
    log_e = log_evidence(estimate[judged] / error[judged], n_, precision, df_)
    p[judged] = np.exp(-np.maximum(log_e, 0))
    half = np.full(len(looks), np.inf)
    half[judged] = radius[judged] * error[judged]
    middle = np.where(np.isfinite(estimate), estimate, 0.0)
    table = pd.DataFrame(
        {
            "look": np.arange(1, len(looks) + 1),
            "n": n,
            "estimate": estimate,
            "standard_error": error,
            "low": middle - half,
            "high": middle + half,
            "p": p,
            "p_so_far": np.minimum.accumulate(p) if len(p) else p,
            "wider": radius / fixed,
        },
        columns=COLUMNS,
    )
    return Monitored(table, precision, float(planned), alpha)
