"""How strong a cause that nobody recorded would have to be to explain a difference away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from customerlab.messages import Message, say
from customerlab.uplift.doubly_robust import Estimate, Scores, estimate
from customerlab.uplift.known_causes import as_strong, explained, factors


@dataclass(frozen=True)
class Sensitivity:
    """How strong an unseen cause would have to be.

    Attributes
    ----------
    kind : {"ratio", "explained"}
        ``ratio``: E-values, for the ratio of two shares. ``explained``: robustness values.
    point : float
        To explain the whole difference: how many times as common it is in one group as in the
        other, and how many times as likely it makes the outcome (1 is nothing); or which part it
        explains of what the covariates leave open in contact, and in the outcome (0 is nothing).
    end : float
        The same for the end of the 95 % interval nearest to no difference: so strong, and nothing
        sure is left. 1, or 0, where nothing sure is there in the first place.
    sure : bool
        Whether the interval leaves no difference out.
    strongest : str or None
        The known covariate that would move the difference most.
    enough : {"none", "end", "point"} or None
        What an unseen cause as strong as that one could do: nothing decisive, leave nothing sure,
        or explain everything.
    table : DataFrame
        By ``covariate``: how it goes with contact (``on_contact``) and with the outcome
        (``on_outcome``), in the units of `point`, and how far an unseen cause as strong as it could
        move the difference: a factor (``ratio``), or an amount in the outcome's unit.
    called : Message or str
        The outcome in words.
    """

    kind: Literal["ratio", "explained"]
    point: float
    end: float
    sure: bool
    strongest: str | None
    enough: str | None
    table: pd.DataFrame
    called: Message | str

    @property
    def text(self) -> Message:
        """The answer in words."""
        if not self.sure:
            return say(
                "The difference in {outcome} is not sure even if every cause is known, so there is "
                "nothing for an unseen cause to explain away.",
                outcome=self.called,
            )
        told = {"outcome": self.called, "point": self.point, "end": self.end}
        if self.kind == "ratio":
            first = say(
                "An unseen cause would explain the whole difference if it were {point:number2} "
                "times as common in one group as in the other and changed the chance of {outcome} "
                "{point:number2} times; {end:number2} times each would leave nothing sure.",
                **told,
            )
        else:
            first = say(
                "An unseen cause would explain the whole difference if it told {point:percent} of "
                "what is still open in who was contacted and as much of what is still open in "
                "{outcome}; {end:percent} of each would leave nothing sure.",
                **told,
            )
        return say("{first} {second}", first=first, second=self._say_strongest())

    def _say_strongest(self) -> Message:
        if self.strongest is None:
            return say("No known covariate is there to compare it with.")
        if self.enough == "point":
            return say(
                "One as strong as {covariate}, the strongest known one, could explain all of it: "
                "do not rely on this difference.",
                covariate=self.strongest,
            )
        if self.enough == "end":
            return say(
                "One as strong as {covariate}, the strongest known one, could leave nothing sure, "
                "but not explain all of it.",
                covariate=self.strongest,
            )
        return say(
            "One as strong as {covariate}, the strongest known one, could do neither.",
            covariate=self.strongest,
        )


def e_value(ratio: float) -> float:
    r"""Return the E-value of a ratio of shares.

    .. math:: E = R + \sqrt{R (R - 1)}, \quad R = \max(r, 1 / r)

    VanderWeele and Ding (2017, Annals of Internal Medicine 167): an unseen cause explains the
    ratio only if it is E times as common in one group and makes the outcome E times as likely, or
    is stronger in one where it is weaker in the other.

    Parameters
    ----------
    ratio : float
        Above 0: a point estimate, or the end of its interval nearest to 1.

    Raises
    ------
    ValueError
        If it is not above 0.
    """
    if not ratio > 0:
        raise ValueError("a ratio must be above 0")
    high = max(ratio, 1 / ratio)
    return float(high + np.sqrt(high * (high - 1)))


def robustness_value(f: float) -> float:
    r"""Return the robustness value.

    .. math:: RV = \tfrac12 \left(\sqrt{f^4 + 4 f^2} - f^2\right)

    Cinelli and Hazlett (2020, JRSS B 82): the part of what is left open in treatment and of what
    is left open in the outcome that an unseen cause has to explain to take the effect to nothing.
    Chernozhukov, Cinelli, Newey, Sharma and Syrgkanis (2022) show that the same holds for doubly
    robust estimates, where no line is assumed.

    Parameters
    ----------
    f : float
        Cohen's partial f of the treatment: :math:`|t| / \sqrt{df}` in a regression.
    """
    square = float(f) ** 2
    return float((np.sqrt(square**2 + 4 * square) - square) / 2)


def judge_effect(
    scores: Scores,
    effect: Estimate,
    propensity: np.ndarray,
    foretold: np.ndarray,
    covariates: np.ndarray,
    names: Sequence[str],
    called: Message | str,
) -> Sensitivity:
    """Judge the mean of scores: of a 0/1 outcome as a ratio of shares, else as a difference.

    Parameters
    ----------
    scores : Scores
        Of the n customers compared.
    effect : Estimate
        Their mean.
    propensity, foretold : array, shape (n,)
        The chance of contact, and the outcome foretold for what was done.
    covariates : array, shape (n, k)
    names : sequence of str
    called : Message or str
        The outcome in words.
    """
    base, mean = scores.untreated.mean(), scores.treated.mean()
    parts = (scores.arm, scores.outcome, covariates, names)
    if np.isin(scores.outcome, [0, 1]).all() and min(base, mean) > 0:
        # the delta method on the log of the ratio
        error = (scores.treated / mean - scores.untreated / base).std(ddof=1) / np.sqrt(scores.n)
        log = estimate(np.log(mean / base), error, scores.n - 1)
        # at the edge the two may not agree on what is sure: then the difference is judged itself
        if (log.low > 0 or log.high < 0) == (effect.low > 0 or effect.high < 0):
            ratio = tuple(float(np.exp(one)) for one in (log.value, log.low, log.high))
            return judge_ratio(*parts, ratio, called)
    left = np.mean((scores.outcome - foretold) ** 2)
    scale = float(np.sqrt(left * np.mean(1 / (propensity * (1 - propensity)))))
    return judge_amount(*parts, (effect.value, effect.low, effect.high), scale, called)


def judge_ratio(
    contacted: np.ndarray,
    outcome: np.ndarray,
    covariates: np.ndarray,
    names: Sequence[str],
    ratio: tuple[float, float, float],
    called: Message | str,
) -> Sensitivity:
    """Judge the ratio of two shares; `ratio` with the ends of its interval, all above 0."""
    value, low, high = ratio
    sure = low > 1 or high < 1
    end = (low if value > 1 else 1 / high) if sure else 1.0
    value = max(value, 1 / value)
    more, fewer = (contacted, ~contacted) if ratio[0] >= 1 else (~contacted, contacted)
    table = factors(more, fewer, outcome, covariates, names)
    strongest, enough = _compare(table, value, end)
    return Sensitivity(
        "ratio", e_value(value), e_value(end), sure, strongest, enough, table, called
    )


def judge_amount(
    contacted: np.ndarray,
    outcome: np.ndarray,
    covariates: np.ndarray,
    names: Sequence[str],
    effect: tuple[float, float, float],
    scale: float,
    called: Message | str,
) -> Sensitivity:
    r"""Judge a difference of means; `effect` with the ends of its interval.

    Partial f is the effect over `scale`, :math:`S = \sqrt{E (y - \mu)^2 \; E [1 / (e (1 - e))]}`
    (Chernozhukov and others 2022): in a regression that is the error times the root of its degrees
    of freedom. A known covariate is put beside it by the bounds of Cinelli and Hazlett (2020,
    section 4.4) for a cause just as strong, in regressions of contact and outcome on all
    covariates.
    """
    value, low, high = effect
    sure = low > 0 or high < 0
    end = min(abs(low), abs(high)) if sure else 0.0
    table = explained(contacted, outcome, covariates, names)
    table["moves"] = [
        scale * np.sqrt(y * d / (1 - d)) if d < 1 else np.inf
        for d, y in map(as_strong, table["on_contact"], table["on_outcome"])
    ]
    strongest, enough = _compare(table, abs(value), end)
    point, least = (robustness_value(one / scale) if scale > 0 else np.nan for one in (value, end))
    return Sensitivity("explained", point, least, sure, strongest, enough, table, called)


def _compare(table: pd.DataFrame, value: float, end: float) -> tuple[str | None, str | None]:
    if table.empty:
        return None, None
    most = table.loc[table["moves"].idxmax()]
    name = str(most["covariate"])
    if most["moves"] >= value:
        return name, "point"
    return name, "end" if most["moves"] >= end else "none"
