"""Invalid customers: the rule that every department can accept, judged by what followed."""

from customerlab.validity.answers import (
    check_judgement,
    compare_agreed,
    describe_consensus,
    describe_region,
    pair_in_words,
)
from customerlab.validity.consensus import Consensus, Demand, demands_of, find_consensus
from customerlab.validity.cutpoints import bin_monotone, bootstrap_cut
from customerlab.validity.departments import Judged, Rule, cut_rule, judge_rules, own_rules
from customerlab.validity.dormant import describe_waking, returns_of_dormant, wake
from customerlab.validity.history import History, look_back
from customerlab.validity.judgement import Judgement, describe_past, judge, surface_to_draw
from customerlab.validity.selected import SelectedCut, select_cut
from customerlab.validity.surface import Outcomes, Surface, candidate_cuts, cut_surface
from customerlab.validity.tables import (
    CONSENSUS_AFTER,
    CONSENSUS_SHOWN,
    INTERVALS,
    bins_to_draw,
    consensus_table,
    cutpoints_table,
    departments_table,
    over_time_table,
    surface_table,
)

__all__ = [
    "CONSENSUS_AFTER",
    "CONSENSUS_SHOWN",
    "INTERVALS",
    "Consensus",
    "Demand",
    "History",
    "Judged",
    "Judgement",
    "Outcomes",
    "Rule",
    "SelectedCut",
    "Surface",
    "bin_monotone",
    "bins_to_draw",
    "bootstrap_cut",
    "candidate_cuts",
    "check_judgement",
    "compare_agreed",
    "consensus_table",
    "cut_rule",
    "cut_surface",
    "cutpoints_table",
    "demands_of",
    "departments_table",
    "describe_consensus",
    "describe_past",
    "describe_region",
    "describe_waking",
    "find_consensus",
    "judge",
    "judge_rules",
    "look_back",
    "over_time_table",
    "own_rules",
    "pair_in_words",
    "returns_of_dormant",
    "select_cut",
    "surface_table",
    "surface_to_draw",
    "wake",
]
