"""What brings customers back: factors behind answers or behaviour, and how much each weighs."""

from customerlab.drivers.answers import (
    ASKED_SHOWN,
    COUNT_SHOWN,
    asked_to_show,
    check_drivers,
    factor_correlations_to_show,
    rate_factors,
    reliability_to_show,
    weights_to_write,
)
from customerlab.drivers.behaviour import driver_name
from customerlab.drivers.factor_count import count_factors
from customerlab.drivers.factor_names import loadings_to_show, name_factors
from customerlab.drivers.factors import fit_factors
from customerlab.drivers.importance import change_finding, map_importance, map_to_show
from customerlab.drivers.influences import (
    influence_findings,
    influences_to_show,
    judge_influences,
)
from customerlab.drivers.logistic import check_logistic
from customerlab.drivers.observing import behaviour_of, observe_answers
from customerlab.drivers.reliability import judge_reliability
from customerlab.drivers.scoring import score_factors
from customerlab.drivers.segments import weigh_segments
from customerlab.drivers.skill import judge_skill
from customerlab.drivers.suitability import suitability_to_show
from customerlab.drivers.weight_answers import weight_findings, weights_to_show
from customerlab.drivers.weights import weigh_drivers

__all__ = [
    "ASKED_SHOWN",
    "COUNT_SHOWN",
    "asked_to_show",
    "behaviour_of",
    "change_finding",
    "check_drivers",
    "check_logistic",
    "count_factors",
    "driver_name",
    "factor_correlations_to_show",
    "fit_factors",
    "influence_findings",
    "influences_to_show",
    "judge_influences",
    "judge_reliability",
    "judge_skill",
    "loadings_to_show",
    "map_importance",
    "map_to_show",
    "name_factors",
    "observe_answers",
    "rate_factors",
    "reliability_to_show",
    "score_factors",
    "suitability_to_show",
    "weigh_drivers",
    "weigh_segments",
    "weight_findings",
    "weights_to_show",
    "weights_to_write",
]
