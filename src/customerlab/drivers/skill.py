"""Whether drivers foretell an outcome at all, out of sample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from customerlab.churn.curves import FEW_EVENTS, status_of
from customerlab.drivers.combined import completed, plain, select, varying
from customerlab.drivers.moments import Moments
from customerlab.findings import Finding, Status
from customerlab.messages import Message, say

#: Resamples behind the interval; each is a sum over bags and costs next to nothing.
_RESAMPLES = 1000


@dataclass(frozen=True)
class Skill:
    """What drivers explain of an outcome in rows that the model has not seen.

    Attributes
    ----------
    skill, low, high : float
        Part of the squared error of the model with controls alone that the drivers take away,
        with its 95 % interval. Without controls that is out-of-sample R2, and of a 0/1 outcome
        Brier's skill score. Missing where nothing can be said.
    total, total_low, total_high : float
        The same for drivers and controls together, against the mean alone.
    in_sample : float
        R2 of drivers and controls in the rows they were fitted to: too good by what is chance.
    n : int
        Rows; with missing answers those of the pair of items that fewest gave both.
    share : float
        The outcome's mean: of a 0/1 outcome the share of rows that have it.
    binary : bool
    status : {"supported", "weak", "not_enough_data"}
        How far the number of rows carries; of a 0/1 outcome, that of the rarer class.
    called : Message or str
        The outcome in words.
    why_not : Message or None
        Why nothing can be said, where that is so.
    """

    skill: float
    low: float
    high: float
    total: float
    total_low: float
    total_high: float
    in_sample: float
    n: int
    share: float
    binary: bool
    controls: int
    status: Status
    called: Message | str
    why_not: Message | None = None

    @property
    def predicts(self) -> bool:
        """Whether the drivers surely foretell more than nothing; without that, no weights."""
        return self.status != "not_enough_data" and bool(self.low > 0)

    @property
    def text(self) -> Message:
        """The answer in words."""
        numbers = {"called": self.called, "skill": self.skill, "low": self.low, "high": self.high}
        if self.status == "not_enough_data":
            return _why_not(self.called, self.n) if self.why_not is None else self.why_not
        if self.predicts and self.controls:
            return say(
                "The drivers foretell {called}: in rows the model has not seen they explain "
                "{skill:percent} of what the controls leave open (95 % interval {low:percent} to "
                "{high:percent}).",
                **numbers,
            )
        if self.predicts:
            return say(
                "The drivers foretell {called}: in rows the model has not seen they explain "
                "{skill:percent} of its variation (95 % interval {low:percent} to "
                "{high:percent}).",
                **numbers,
            )
        return say(
            "The drivers do not surely foretell {called}: in rows the model has not seen the gain "
            "is {skill:percent} (95 % interval {low:percent} to {high:percent}, not all above 0). "
            "So no weights are given.",
            **numbers,
        )

    @property
    def finding(self) -> Finding:
        """``repurchase_drivers.predictive_skill``: supported only if drivers foretell."""
        known = self.status != "not_enough_data"
        return Finding(
            id="repurchase_drivers.predictive_skill",
            text=self.text,
            value=self.skill if known else None,
            low=self.low if known else None,
            high=self.high if known else None,
            unit="percent",
            n=self.n,
            status="weak" if known and not self.predicts else self.status,
        )


def judge_skill(
    moments: Moments,
    drivers: Sequence[str],
    outcome: str | None,
    controls: Sequence[str] = (),
    *,
    rng: np.random.Generator,
    folds: int = 10,
    called: Message | str | None = None,
) -> Skill:
    """Fit the linear model to all folds of bags but one, and judge it by that one.

    Errors of both models are summed bag by bag, so the interval comes from resamples of bags
    (2.5th and 97.5th percentile); the models are not fitted again, for near its optimum the error
    hardly depends on the coefficients.

    Parameters
    ----------
    moments : Moments
    drivers, controls : sequence of str
    outcome : str or None
        Without one nothing can be said.
    rng : Generator
        Of the resamples.
    folds : int
    called : Message or str, optional
        The outcome in words: "repurchase" when left out.
    """
    called = say("repurchase") if called is None else called
    if outcome is None:
        why = say("No outcome is named: there are factors, but nothing for them to foretell.")
        return _nothing(called, why, controls=len(controls))
    whole = select(moments, [*controls, *drivers, outcome])
    rows = whole.n.sum(axis=0).min()
    whole, asked = completed(whole), len(drivers)
    controls, drivers = ([x for x in some if x in varying(whole)] for some in (controls, drivers))
    whole = whole.select([*controls, *drivers, outcome])
    variance, share = whole.covariance[-1, -1] * (rows - 1) / max(rows, 1), whole.mean[-1]
    binary = bool(rows and np.isclose(variance, share * (1 - share), rtol=1e-9, atol=1e-9))
    status = status_of(rows * min(share, 1 - share) if binary else rows)
    short = not rows > max(len(whole.items) + 1, FEW_EVENTS) or whole.bags < 2
    flat = rows > 0 and outcome not in varying(whole)
    if short or flat or not drivers or status == "not_enough_data":
        # of no row nothing varies: then it is the rows that are wanting
        varied = len(drivers) if rows else asked
        why = _why_not(called, int(rows), drivers=varied, flat=flat, short=short)
        return _nothing(
            called, why, n=int(rows), share=share, binary=binary, controls=len(controls)
        )
    inputs = {"mean": 0, "controls": len(controls), "all": len(whole.items) - 1}
    errors = _errors(whole, list(inputs.values()), folds)
    times = rng.multinomial(whole.bags, np.full(whole.bags, 1 / whole.bags), size=_RESAMPLES)
    drawn = dict(zip(inputs, (times.astype(float) @ errors).T, strict=True))
    summed = dict(zip(inputs, errors.sum(axis=0), strict=True))
    if summed["controls"] <= 1e-9 * summed["mean"]:
        why = say(
            "The controls alone tell {called} exactly: nothing is left to foretell.", called=called
        )
        return _nothing(
            called, why, n=int(rows), share=share, binary=binary, controls=len(controls)
        )

    def gain(over: str) -> tuple[float, float, float]:
        at = 1 - summed["all"] / summed[over]
        return at, *np.quantile(1 - drawn["all"] / drawn[over], [0.025, 0.975])

    covariance = whole.covariance
    b = _coefficients(covariance, inputs["all"])
    return Skill(
        *gain("controls"),
        *gain("mean"),
        in_sample=float(b @ covariance[:-1, -1] / covariance[-1, -1]),
        n=int(rows),
        share=share,
        binary=binary,
        controls=len(controls),
        status=status,
        called=called,
    )


def _nothing(
    called: Message | str,
    why: Message,
    *,
    controls: int,
    n: int = 0,
    share: float = np.nan,
    binary: bool = False,
) -> Skill:
    numbers = [np.nan] * 7
    return Skill(*numbers, n, share, binary, controls, "not_enough_data", called, why)


def _why_not(
    called: Message | str,
    n: int,
    *,
    drivers: int = 1,
    flat: bool = False,
    short: bool = True,
) -> Message:
    if not drivers:
        return say("No driver varies, so nothing can foretell {called}.", called=called)
    if flat:
        return say(
            "The outcome ({called}) is the same for all: nothing can be foretold.", called=called
        )
    if short:
        return say(
            "Not enough data to say whether the drivers foretell {called}: {n:customers} answers "
            "with both drivers and outcome.",
            called=called,
            n=n,
        )
    return say(
        "Not enough data to say whether the drivers foretell {called}: of {n:customers} answers "
        "fewer than {least:count} are of the rarer kind.",
        called=called,
        n=n,
        least=FEW_EVENTS,
    )


def _errors(whole: Moments, counts: Sequence[int], folds: int) -> np.ndarray:
    """Return each bag's sum of squared errors, by models of the first so many variables.

    Shape (bags, models). Each bag is foretold by what the other folds' bags tell.
    """
    n, sums, products = plain(whole)
    errors = np.empty((whole.bags, len(counts)))
    fold = np.arange(whole.bags) % folds
    for one, (learnt, _) in enumerate(whole.folds(folds)):
        at, covariance = fold == one, learnt.covariance
        change = np.zeros((len(counts), len(whole.items)))
        change[:, -1] = 1
        for row, count in zip(change, counts, strict=True):
            row[:count] = -_coefficients(covariance, count)
        intercept = change @ (learnt.mean - whole.centre)
        errors[at] = (
            np.einsum("mi,bij,mj->bm", change, products[at], change, optimize=True)
            - 2 * intercept * (sums[at] @ change.T)
            + n[at, None] * intercept**2
        )
    return errors


def _coefficients(covariance: np.ndarray, count: int) -> np.ndarray:
    """Return those of the first `count` variables on the last; the shortest, where many fit."""
    spread = np.sqrt(np.clip(covariance.diagonal()[:count], 0, None))
    part = np.divide(1, spread, out=np.zeros_like(spread), where=spread > 0)
    inverse = np.linalg.pinv(
        covariance[:count, :count] * part[:, None] * part, rcond=1e-10, hermitian=True
    )
    return part * (inverse @ (part * covariance[:count, -1]))
