"""Whom a contact sells to: scores, the cut-off that pays, and whom not to contact."""

from customerlab.response.deciding import decide
from customerlab.response.judged_answers import gains_to_show, judged_to_show
from customerlab.response.judged_shown import response_curve_to_show
from customerlab.response.leaks import check_leaks, held_out, leaks_to_show, look_for_leaks
from customerlab.response.modelling import find_model, times_to_show
from customerlab.response.observing import check_contacts, observe_contacts
from customerlab.response.placing import places_to_show
from customerlab.response.profile import profile_chosen, profile_to_show, tell_profile
from customerlab.response.proposing import propose_contacts, propose_test, say_contacts
from customerlab.response.resemblance import find_resemblance, resemblance_to_show
from customerlab.response.scorecard import scorecard_to_show
from customerlab.response.scoring import score_today

__all__ = [
    "check_contacts",
    "check_leaks",
    "decide",
    "find_model",
    "find_resemblance",
    "gains_to_show",
    "held_out",
    "judged_to_show",
    "leaks_to_show",
    "look_for_leaks",
    "observe_contacts",
    "places_to_show",
    "profile_chosen",
    "profile_to_show",
    "propose_contacts",
    "propose_test",
    "resemblance_to_show",
    "response_curve_to_show",
    "say_contacts",
    "score_today",
    "scorecard_to_show",
    "tell_profile",
    "times_to_show",
]
