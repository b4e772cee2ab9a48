r"""What an experiment could see: power reached, smallest detectable effect, size needed next time.

For a test of a difference of two means or shares at the 5 % level, both sides, by the normal
approximation,

.. math:: 1 - \beta = \Phi\left(\frac{|d| - z_{1-\alpha/2} s_0}{s_1}\right)
          + \Phi\left(\frac{-|d| - z_{1-\alpha/2} s_0}{s_1}\right)

with the standard error `s0` if there is no effect and `s1` if it is `d` (Fleiss, Levin and Paik
2003, chapter 4; R's ``power.prop.test(strict = TRUE)`` for arms of one size). Of means both are
:math:`\sqrt{\sigma_1^2/n_1 + \sigma_0^2/n_0}`; of shares `s0` pools both arms.

Power is told for an effect that matters (the break-even one, say), never for the one that was
seen: that would be the p-value again under another name (Hoenig and Heisey 2001).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd
import scipy

from customerlab.churn.curves import FEW_EVENTS, SOME_EVENTS
from customerlab.findings import Status
from customerlab.messages import Message, say

#: Columns of :func:`tabulate_power`, after the names of the index.
COLUMNS = ["effect", "power", "smallest_effect", "smallest_relative", "n_treated", "n_control"]
COLUMNS += ["next_n_treated", "next_n_control", "target", "alpha", "status"]

#: Standard errors without the effect and with it: of treated, control customers and the effect.
_Errors = Callable[[float, float, float], tuple[float, float]]


@dataclass(frozen=True)
class Power:
    """What a comparison of two arms could see.

    Attributes
    ----------
    effect : float
        The effect that matters, in units of the outcome (of a share: 0.01 is one point); missing
        where none was named.
    power : float
        Chance to find it, with the customers there were.
    smallest_effect : float
        Found with a chance of `target`; missing where no effect would be. Below 0 where a
        decrease was asked for.
    smallest_relative : float
        The same over the control's mean or share; missing where that is not known or 0.
    n_treated, n_control : float
        Customers.
    next_n_treated, next_n_control : float
        Customers needed to find `effect` with a chance of `target`; missing without `effect`.
    target, alpha : float
    """

    effect: float
    power: float
    smallest_effect: float
    smallest_relative: float
    n_treated: float
    n_control: float
    next_n_treated: float
    next_n_control: float
    target: float
    alpha: float

    @property
    def status(self) -> Status:
        """By the smaller arm: under 30 customers not enough data, under 100 weak."""
        n = min(self.n_treated, self.n_control)
        if n < FEW_EVENTS or np.isnan(self.smallest_effect):
            return "not_enough_data"
        return "supported" if n >= SOME_EVENTS else "weak"

    @property
    def text(self) -> Message:
        """The answer in words."""
        if self.status == "not_enough_data":
            return say("Not enough data to say what effect the experiment could have found.")
        if np.isnan(self.power):
            return say(
                "No effect that matters is named, so no power and no size for the next time are "
                "told; what the experiment could find with a chance of {target:percent0} is.",
                target=self.target,
            )
        n = self.next_n_treated + self.next_n_control
        if self.power >= self.target:
            return say(
                "The experiment was large enough: it finds the effect that matters with a chance "
                "of {power:percent0}. Next time {n:count} customers do for {target:percent0}.",
                power=self.power,
                target=self.target,
                n=n,
            )
        if np.isnan(n):
            return say(
                "The experiment was too small: it finds the effect that matters with a chance of "
                "only {power:percent0}, and no size would raise that to {target:percent0}.",
                power=self.power,
                target=self.target,
            )
        return say(
            "The experiment was too small: it finds the effect that matters with a chance of only "
            "{power:percent0}. Next time {n:count} customers are needed for {target:percent0}.",
            power=self.power,
            target=self.target,
            n=n,
        )


def power_of_means(
    *,
    sd_treated: float,
    sd_control: float,
    n_treated: float,
    n_control: float,
    effect: float | None = None,
    control_mean: float = np.nan,
    target: float = 0.8,
    alpha: float = 0.05,
    next_share: float | None = None,
    down: bool = False,
) -> Power:
    """Tell the power of a difference of means.

    Parameters
    ----------
    sd_treated, sd_control : float
        Standard deviations of the outcome; those of what covariates leave open, where the
        difference is adjusted.
    n_treated, n_control : float
        Customers.
    effect : float, optional
        The effect that matters, in units of the outcome.
    control_mean : float
    target : float
        Chance with which an effect shall be found.
    alpha : float
        Level of the test; divide it where several arms or outcomes are tested.
    next_share : float, optional
        Share of customers treated the next time; as it was when left out.
    down : bool
        Whether the smallest effect is looked for below 0.

    Raises
    ------
    ValueError
        A target not above alpha and below 1, a share not between 0 and 1, an effect of 0.
    """

    def errors(treated: float, control: float, _: float) -> tuple[float, float]:
        error = np.sqrt(sd_treated**2 / treated + sd_control**2 / control)
        return error, error

    known = bool(np.isfinite([sd_treated, sd_control]).all() and max(sd_treated, sd_control) > 0)
    sizes = {"n_treated": n_treated, "n_control": n_control, "next_share": next_share}
    return _power(errors, known, np.inf, control_mean, effect, target, alpha, down, **sizes)


def power_of_shares(
    *,
    control_share: float,
    n_treated: float,
    n_control: float,
    effect: float | None = None,
    target: float = 0.8,
    alpha: float = 0.05,
    next_share: float | None = None,
    down: bool = False,
) -> Power:
    """Tell the power of a difference of shares; see :func:`power_of_means`.

    Parameters
    ----------
    control_share : float
        Share of the control's customers with the outcome; 0 and 1 leave nothing to say.
    effect : float, optional
        0.01 is one point.

    Raises
    ------
    ValueError
        As there, and for an effect that would take the share out of 0 to 1.
    """
    if effect is not None and not 0 <= control_share + effect <= 1:
        raise ValueError("the effect takes the share out of 0 to 1")

    def errors(treated: float, control: float, d: float) -> tuple[float, float]:
        share = min(max(control_share + d, 0.0), 1.0)
        pooled = (treated * share + control * control_share) / (treated + control)
        without = pooled * (1 - pooled) * (1 / treated + 1 / control)
        having = share * (1 - share) / treated + control_share * (1 - control_share) / control
        return np.sqrt(without), np.sqrt(having)

    most = control_share if down else 1 - control_share
    sizes = {"n_treated": n_treated, "n_control": n_control, "next_share": next_share}
    known = 0 < control_share < 1
    return _power(errors, known, most, control_share, effect, target, alpha, down, **sizes)


def tabulate_power(powers: Mapping[str, Power]) -> pd.DataFrame:
    """Return one row a comparison: ``comparison`` (the key) and :data:`COLUMNS`."""
    rows = [
        {"comparison": name, **asdict(one), "status": one.status} for name, one in powers.items()
    ]
    return pd.DataFrame(rows, columns=["comparison", *COLUMNS])


def _chance(d: float, s0: float, s1: float, alpha: float) -> float:
    """Return the power at an effect of `d`."""
    z = scipy.stats.norm.isf(alpha / 2)
    ends = np.array([abs(d), -abs(d)]) - z * s0
    return float(scipy.stats.norm.cdf(ends / s1).sum())


def _power(
    errors: _Errors,
    known: bool,
    most: float,
    base: float,
    effect: float | None,
    target: float,
    alpha: float,
    down: bool,
    *,
    n_treated: float,
    n_control: float,
    next_share: float | None,
) -> Power:
    if not 0 < alpha < target < 1:
        raise ValueError("alpha must be above 0, target above alpha, and 1 above target")
    if next_share is not None and not 0 < next_share < 1:
        raise ValueError("next_share must be between 0 and 1")
    if effect == 0:
        raise ValueError("an effect that matters is not 0")
    nan = float("nan")
    told = {"n_treated": float(n_treated), "n_control": float(n_control)}
    told |= {"target": target, "alpha": alpha, "effect": nan if effect is None else float(effect)}
    told |= dict.fromkeys(["power", "smallest_effect", "smallest_relative"], nan)
    told |= dict.fromkeys(["next_n_treated", "next_n_control"], nan)
    if not known or min(n_treated, n_control) < 1:
        return Power(**told)
    sign = -1.0 if down else 1.0

    def at(d: float, treated: float = n_treated, control: float = n_control) -> float:
        return _chance(d, *errors(treated, control, d), alpha)

    # of means, ten standard errors are surely found; of shares, nothing is beyond 0 and 1
    top = min(most, 10 / target * errors(n_treated, n_control, 0.0)[0] / (1 - target))
    top *= 1 - 1e-12
    if at(sign * top) >= target:
        found = scipy.optimize.brentq(lambda d: at(sign * d) - target, 1e-12 * top, top, xtol=1e-15)
        told["smallest_effect"] = sign * found
        told["smallest_relative"] = sign * found / base if base else nan
    if effect is not None:
        told["power"] = at(effect)
        share = n_treated / (n_treated + n_control) if next_share is None else next_share

        def lacking(log_n: float) -> float:
            n = np.exp(log_n)
            return at(effect, n * share, n * (1 - share)) - target

        ends = np.log(2.0), np.log(1e15)
        if lacking(ends[1]) > 0:
            n = (
                2.0
                if lacking(ends[0]) >= 0
                else np.exp(scipy.optimize.brentq(lacking, *ends, xtol=1e-14, rtol=1e-14))
            )
            told["next_n_treated"] = float(np.ceil(n * share - 1e-6))
            told["next_n_control"] = float(np.ceil(n * (1 - share) - 1e-6))
    return Power(**told)
