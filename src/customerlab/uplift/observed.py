"""What contact did where nobody was drawn by lot: an estimate that stays weak, and what to do next.

Customers are compared with customers like them, as far as anything is known of them. What is not
known may still be behind a difference, so no number here is ever called supported.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from customerlab.churn.curves import FEW_EVENTS
from customerlab.errors import CustomerlabError
from customerlab.findings import Status
from customerlab.messages import Message, say
from customerlab.uplift.crossfit import LEARNERS, Foretold, foretell
from customerlab.uplift.doubly_robust import Estimate, Scores, mean_of, score_customers
from customerlab.uplift.holdout import Holdout, recommend_holdout
from customerlab.uplift.observed_texts import say_observed, say_too_few
from customerlab.uplift.one_thread import one_thread
from customerlab.uplift.overlap import Overlap, find_counterparts, no_overlap
from customerlab.uplift.sensitivity import Sensitivity, judge_effect
from customerlab.uplift.welch import bounds

COLUMNS = ["comparison", "n", "control_n", "control_mean", "treated_mean", "effect", "low", "high"]
COLUMNS += ["p_value", "binary"]


@dataclass(frozen=True)
class Observed:
    """What contact seems to have done, without a draw by lot.

    Attributes
    ----------
    table : DataFrame
        By ``comparison`` (``plain`` or ``alike``): customers contacted ``n`` and not
        ``control_n``, mean outcome without contact ``control_mean`` and with it ``treated_mean``
        (of customers like each other: what they would be if nobody, or everybody, were contacted),
        their difference ``effect`` with its 95 % interval ``low`` to ``high``, ``p_value``,
        ``binary``. A row only where it can be told.
    value, low, high : float
        The effect on customers like each other, with its 95 % interval; missing where it cannot be
        told. Of a 0/1 outcome 0.01 is one percentage point.
    n : int
        Customers compared.
    status : {"weak", "not_enough_data"}
        Never ``supported``.
    overlap : Overlap
    sensitivity : Sensitivity or None
        None without an estimate.
    holdout : Holdout or None
        None where the outcome without contact is not known.
    behind : tuple of int
        Numbers of customers that the means tell of: in each group all, those whose outcome is not
        0, and of a 0/1 outcome those whose outcome is not 1.
    text : Message
        The answer.
    """

    table: pd.DataFrame
    value: float
    low: float
    high: float
    n: int
    status: Status
    overlap: Overlap
    sensitivity: Sensitivity | None
    holdout: Holdout | None
    behind: tuple[int, ...]
    text: Message

    @property
    def warning(self) -> Message:
        """What stands before every number."""
        return say(
            "This is not an experiment: nobody was drawn by lot, so those contacted may have been "
            "different from the start. Read every number here as a hint, not as a proof."
        )


def estimate_observed(
    contacted: np.ndarray,
    outcome: np.ndarray,
    covariates: pd.DataFrame,
    rng: np.random.Generator,
    *,
    called: Message | str | None = None,
    pays: float | None = None,
    planned: float | None = None,
    learners: Sequence[str] = LEARNERS,
    folds: int = 5,
    weakens: tuple[str, ...] = (),
) -> Observed:
    """Estimate what contact did to those who have a counterpart, and how far to believe it.

    Chances of contact and outcomes are foretold by models that have not seen the customer
    (:func:`customerlab.uplift.crossfit.foretell`), customers without a counterpart are left out
    (:func:`customerlab.uplift.overlap.find_counterparts`), and the mean of doubly robust scores
    over the others is the effect; their spread gives its interval, for the scores are the
    estimate's influence function (Chernozhukov and others 2018). It held the truth in 95.4 % of 500
    trials with 600 customers, of shares and of skewed amounts alike, where nothing was hidden. The
    interval counts chance alone: an unseen cause is not in it.

    Parameters
    ----------
    contacted : array, shape (n,)
        0 or 1. A sample will do where customers are many: about 100,000 are enough.
    outcome : array, shape (n,)
        0/1 or an amount.
    covariates : DataFrame, shape (n, k)
        Numbers, none missing, known before the contact.
    rng : numpy.random.Generator
    called : Message or str, optional
        The outcome in words.
    pays : float, optional
        The smallest effect that pays: see :func:`customerlab.uplift.holdout.recommend_holdout`.
    planned : float, optional
        Customers that the next campaign could contact; as many as were contacted when left out.
    learners, folds
        See :func:`customerlab.uplift.crossfit.foretell`.
    weakens : tuple of str
        See :class:`customerlab.findings.Check`.

    Raises
    ------
    CustomerlabError
        A number that is missing, with the covariate's name, or a contact neither 0 nor 1.
    """
    called = say("the outcome") if called is None else called
    contacted, outcome, known = _checked(contacted, outcome, covariates)
    names = [str(name) for name in covariates.columns]
    binary = bool(np.isin(outcome, [0, 1]).all())
    counts = int(contacted.sum()), int((~contacted).sum())
    holdout = None
    if counts[1] >= 2:
        without = outcome[~contacted]
        sd = None if binary else float(without.std(ddof=1))
        holdout = recommend_holdout(
            float(without.mean()),
            counts[0] if planned is None else planned,
            sd=sd,
            pays=pays,
            called=called,
        )
    plain = _plain(contacted, outcome, binary)
    behind = _count_behind(outcome[contacted], binary) + _count_behind(outcome[~contacted], binary)
    why = say_too_few(*counts)
    if why is not None:
        overlap = no_overlap(len(contacted), why, min(counts) > 0, weakens)
        return _nothing(plain, overlap, holdout, behind, why)
    with one_thread():
        told = foretell(contacted, outcome, known, rng, folds=folds, learners=learners)
    overlap = find_counterparts(contacted, told.propensity, known, names, weakens=weakens)
    if outcome.min() == outcome.max():
        why = say("{outcome} is the same for all: nothing to compare.", outcome=called)
        return _nothing(plain, overlap, holdout, behind, why)
    some = overlap.compared
    scores = _score(contacted, outcome, told, some)
    if scores.carried() < FEW_EVENTS or min(overlap.effective) < FEW_EVENTS:
        why = say(
            "Not enough data to say what contact does to {outcome}: too few customers of either "
            "kind have a counterpart of the other.",
            outcome=called,
        )
        return _nothing(plain, overlap, holdout, behind, why)
    effect = mean_of(scores.effect)
    row = _row("alike", scores.arm, scores.untreated.mean(), scores.treated.mean(), effect, binary)
    foretold = np.where(contacted, told.treated, told.untreated)[some]
    parts = (scores, effect, told.propensity[some], foretold, known[some])
    sensitivity = judge_effect(*parts, names, called)
    table = pd.DataFrame([*plain, row], columns=COLUMNS)
    text = say_observed(plain[0], row, called)
    numbers = (effect.value, effect.low, effect.high, scores.n)
    return Observed(table, *numbers, "weak", overlap, sensitivity, holdout, behind, text)


def _checked(
    contacted: np.ndarray, outcome: np.ndarray, covariates: pd.DataFrame
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    contacted = np.asarray(contacted, dtype=float)
    outcome = np.asarray(outcome, dtype=float)
    if contacted.ndim != 1 or not np.isin(contacted, [0, 1]).all():
        raise CustomerlabError("contacted must be 0 or 1 for each customer")
    if outcome.shape != contacted.shape or len(covariates) != len(contacted):
        raise CustomerlabError("contact, outcome and covariates must be of the same customers")
    if not np.isfinite(outcome).all():
        raise CustomerlabError("the outcome is missing for some customers: leave them out")
    known = covariates.to_numpy(dtype=float)
    lacking = ~np.isfinite(known).all(axis=0)
    if lacking.any():
        name = covariates.columns[lacking.argmax()]
        raise CustomerlabError(f"the covariate {str(name)!r} is missing for some customers")
    return contacted == 1, outcome, known


def _score(contacted: np.ndarray, outcome: np.ndarray, told: Foretold, some: np.ndarray) -> Scores:
    parts = (contacted, outcome, told.propensity, told.untreated, told.treated)
    return score_customers(*(part[some] for part in parts))


def _plain(contacted: np.ndarray, outcome: np.ndarray, binary: bool) -> list[dict]:
    """Return the row of the plain difference with Welch's interval, if there is one."""
    groups = outcome[contacted], outcome[~contacted]
    if min(map(len, groups)) < 2:
        return []
    mean, base = (float(group.mean()) for group in groups)
    parts = [(float(group.var(ddof=1)) / len(group), len(group) - 1) for group in groups]
    low, high, p = bounds(mean - base, parts)
    effect = Estimate(mean - base, float(np.sqrt(sum(part for part, _ in parts))), low, high, p)
    return [_row("plain", contacted, base, mean, effect, binary)]


def _count_behind(outcome: np.ndarray, binary: bool) -> tuple[int, ...]:
    kinds = [len(outcome), int((outcome != 0).sum())]
    return (*kinds, int((outcome != 1).sum())) if binary else tuple(kinds)


def _row(
    comparison: str, arm: np.ndarray, base: float, mean: float, effect: Estimate, binary: bool
) -> dict:
    numbers = (effect.value, effect.low, effect.high, effect.p)
    row = (comparison, int(arm.sum()), int((~arm).sum()), float(base), float(mean), *numbers)
    return dict(zip(COLUMNS, (*row, binary), strict=True))


def _nothing(
    plain: list[dict],
    overlap: Overlap,
    holdout: Holdout | None,
    behind: tuple[int, ...],
    why: Message,
) -> Observed:
    nan, table = float("nan"), pd.DataFrame(plain, columns=COLUMNS)
    numbers = (nan, nan, nan, int(overlap.compared.sum()))
    parts = (overlap, None, holdout, behind, why)
    return Observed(table, *numbers, "not_enough_data", *parts)
