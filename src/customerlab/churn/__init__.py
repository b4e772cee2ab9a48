"""When customers leave: survival curves, monthly hazards, who is next, and what may be said.

Everything here is computed from counts of customers who are alike (:mod:`customerlab.cells`).
"""

from customerlab.churn.aft import fit_aft
from customerlab.churn.agreement import check_agreement, compare_models, in_words
from customerlab.churn.answers import first_group, leave_within, main_sign, still_here_after
from customerlab.churn.backtest import judge_landmarks
from customerlab.churn.calendar import (
    calendar_to_show,
    contact_window,
    hazard_by,
    hazard_calendar,
    season,
)
from customerlab.churn.calibration import calibration
from customerlab.churn.combinations import find_combinations
from customerlab.churn.combinations_answers import acting_together, combinations_to_show
from customerlab.churn.combined import clearest_pair
from customerlab.churn.concordance import concordance
from customerlab.churn.cox import fit_cox
from customerlab.churn.curves import survival
from customerlab.churn.forecast import forecast
from customerlab.churn.hazard import Hazard, fit_hazard
from customerlab.churn.incidence_answers import incidence_table, incidence_to_draw, left_by_exit
from customerlab.churn.interactions import find_interactions, pairs_to_show
from customerlab.churn.judging import check_calibration, judge_chances
from customerlab.churn.judging_shown import (
    CALIBRATION_SHOWN,
    calibration_to_show,
    curve_to_show,
    groups_judged,
)
from customerlab.churn.leaks import check_leaks, held_out, leaks_to_show, look_for_leaks
from customerlab.churn.observing import check_stays, observe_stays
from customerlab.churn.outlook import fit_causes, look_ahead
from customerlab.churn.places import first_places, hazard_by_place
from customerlab.churn.proportional import check_proportional, fit_zph
from customerlab.churn.scoring import (
    by_group,
    check_model,
    forecast_here,
    ratios_in_words,
    score_customers,
)
from customerlab.churn.showing import (
    compare_curves,
    curve_to_draw,
    curves_table,
    describe_rule,
    left_out_to_show,
    ratios_table,
    rule_to_draw,
)
from customerlab.churn.stays import Stays
from customerlab.churn.trouble import fit_trouble, repeated_trouble
from customerlab.person_months import expand

__all__ = [
    "CALIBRATION_SHOWN",
    "Hazard",
    "Stays",
    "acting_together",
    "by_group",
    "calendar_to_show",
    "calibration",
    "calibration_to_show",
    "check_agreement",
    "check_calibration",
    "check_leaks",
    "check_model",
    "check_proportional",
    "check_stays",
    "clearest_pair",
    "combinations_to_show",
    "compare_curves",
    "compare_models",
    "concordance",
    "contact_window",
    "curve_to_draw",
    "curve_to_show",
    "curves_table",
    "describe_rule",
    "expand",
    "find_combinations",
    "find_interactions",
    "first_group",
    "first_places",
    "fit_aft",
    "fit_causes",
    "fit_cox",
    "fit_hazard",
    "fit_trouble",
    "fit_zph",
    "forecast",
    "forecast_here",
    "groups_judged",
    "hazard_by",
    "hazard_by_place",
    "hazard_calendar",
    "held_out",
    "in_words",
    "incidence_table",
    "incidence_to_draw",
    "judge_chances",
    "judge_landmarks",
    "leaks_to_show",
    "leave_within",
    "left_by_exit",
    "left_out_to_show",
    "look_ahead",
    "look_for_leaks",
    "main_sign",
    "observe_stays",
    "pairs_to_show",
    "ratios_in_words",
    "ratios_table",
    "repeated_trouble",
    "rule_to_draw",
    "score_customers",
    "season",
    "still_here_after",
    "survival",
]
