"""Invalid customers: the rule that every department can accept, judged by what followed."""

from customerlab.validity.answers import (
    check_judgement,
    compare_agreed,
    describe_consensus,
    describe_region,
    pair_in_words,
)
from customerlab.validity.departments import own_rules
from customerlab.validity.dormant import describe_dormant, returns_of_dormant, wake
from customerlab.validity.judgement import describe_past, judge, surface_to_draw
from customerlab.validity.quiet import bins_to_draw, cutpoints_table
from customerlab.validity.tables import (
    CONSENSUS_AFTER,
    CONSENSUS_SHOWN,
    INTERVALS,
    consensus_table,
    departments_table,
    over_time_table,
    surface_table,
)

__all__ = [
    "CONSENSUS_AFTER",
    "CONSENSUS_SHOWN",
    "INTERVALS",
    "bins_to_draw",
    "check_judgement",
    "compare_agreed",
    "consensus_table",
    "cutpoints_table",
    "departments_table",
    "describe_consensus",
    "describe_dormant",
    "describe_past",
    "describe_region",
    "judge",
    "over_time_table",
    "own_rules",
    "pair_in_words",
    "returns_of_dormant",
    "surface_table",
    "surface_to_draw",
    "wake",
]
