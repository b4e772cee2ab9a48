"""What weighs how much, and does how well, in single segments of customers."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from customerlab.drivers.answers import rate_factors
from customerlab.drivers.correlations import Correlations
from customerlab.drivers.factors import Factors
from customerlab.drivers.observing import Asked
from customerlab.drivers.scoring import score_factors
from customerlab.drivers.skill import judge_skill
from customerlab.drivers.weights import Weights, weigh_drivers


def weigh_segments(
    asked: Asked, correlations: Correlations, fitted: Factors, *, rng: np.random.Generator
) -> Mapping[str, tuple[Weights, dict[str, float]]]:
    """Weigh the factors of all customers in each segment, and say how well it rates them.

    Parameters
    ----------
    asked : Asked
        With the segments.
    correlations : Correlations
    fitted : Factors
    rng : Generator

    Returns
    -------
    dict of str to (Weights, dict)
        By segment, the largest first, as :func:`customerlab.drivers.map_importance` wants it. A
        segment in which the factors do not foretell the outcome has no weights.
    """
    found = {}
    for segment in asked.segments if fitted.names and asked.outcome else ():
        sums = asked.moments(correlations, segment)
        scored = score_factors(sums, fitted, correlations)
        asked_of = (fitted.names, asked.outcome, asked.controls)
        skill = judge_skill(scored.scores, *asked_of, rng=rng)
        weights = weigh_drivers(scored.behind, *asked_of, skill=skill, rng=rng)
        found[segment] = (weights, rate_factors(asked, fitted, sums))
    return found
