"""Whether a model that foretells whom a campaign moves is worth following, and how."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from customerlab.messages import Message, say
from customerlab.uplift.doubly_robust import Scores, score_customers
from customerlab.uplift.fifths import UpliftCalibration, calibrate_uplift
from customerlab.uplift.foretelling import Foretold
from customerlab.uplift.policies import Policies, judge_policies
from customerlab.uplift.ranking import Ranking, rank_effects


@dataclass(frozen=True)
class Targeting:
    """A model of uplift, judged on customers whom it has not seen.

    Attributes
    ----------
    ranking : Ranking
        Whether its order puts first those who are moved most; a random order stands beside it.
    calibration : UpliftCalibration
        Whether uplift is as large as foretold.
    policies : Policies or None
        What rules are worth; None without a margin.
    scores : Scores
        Of the customers judged.
    priority : ndarray, shape (n,)
        Of the same customers.
    """

    ranking: Ranking
    calibration: UpliftCalibration
    policies: Policies | None
    scores: Scores
    priority: np.ndarray

    @property
    def text(self) -> Message:
        """Whether some are moved more than others, in words."""
        return self.ranking.text


def judge_targeting(
    foretold: Foretold,
    *,
    outcome: np.ndarray,
    arm: np.ndarray,
    propensity: np.ndarray | float,
    rng: np.random.Generator,
    called: Message | str | None = None,
    margin: float | None = None,
    cost: float = 0.0,
    budget: float | None = None,
    customers: int | None = None,
) -> Targeting:
    """Judge what was foretold on the customers whom the models had not seen.

    The earlier blocks choose the rule, the later ones judge it: no outcome that judges had a part
    in the choice, not even through a model. Where nothing is foretold, all customers are alike:
    the parts say why, and what remains is to contact all or none.

    Parameters
    ----------
    foretold : Foretold
    outcome, arm, propensity
        As they were given to :func:`customerlab.uplift.foretelling.foretell_effects`.
    rng : Generator
    called : Message or str, optional
        The outcome in words.
    margin, cost, budget, customers
        See :func:`customerlab.uplift.policies.judge_policies`.
    """
    called = say("the outcome") if called is None else called
    blind = foretold.why_not is not None
    some = foretold.judged | blind
    chance = np.broadcast_to(np.asarray(propensity, dtype=float), some.shape)[some]
    mus = (None, None) if blind else (foretold.mu0[some], foretold.mu1[some])
    scores = score_customers(np.asarray(arm)[some], np.asarray(outcome)[some], chance, *mus)
    priority = np.zeros(scores.n) if blind else foretold.priority[some]
    ranking = rank_effects(scores, priority, rng=rng, called=called)
    calibration = calibrate_uplift(scores, priority, called=called)
    if foretold.why_not is not None:
        ranking = replace(ranking, why_not=foretold.why_not)
        calibration = replace(calibration, text=foretold.why_not)
    policies = None
    if margin is not None:
        policies = judge_policies(
            *(scores, priority),
            ranking=ranking,
            margin=margin,
            cost=cost,
            rng=rng,
            half=None if blind else foretold.early,
            budget=budget,
            customers=customers,
        )
    return Targeting(ranking, calibration, policies, scores, priority)
