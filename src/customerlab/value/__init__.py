"""What customers are worth: how lately, often and for how much; what is to come; the wallet."""

from customerlab.calendar_months import months_before
from customerlab.value.acting import (
    join_scores,
    propose_care,
    propose_test,
    rank_customers,
    say_proposed,
)
from customerlab.value.ahead import look_ahead, models_to_show
from customerlab.value.elsewhere import estimate_elsewhere
from customerlab.value.holdout_shown import frequency_to_show, totals_to_show, weekly_to_show
from customerlab.value.outlook import outlook_to_show
from customerlab.value.real import leave_out_invalid
from customerlab.value.rfm import score_rfm
from customerlab.value.rfm_cuts import cuts_to_show, learn_and_judge
from customerlab.value.rfm_flow import flow_findings, flow_to_show, follow_segments
from customerlab.value.rfm_segments import (
    check_segments,
    observe_segments,
    segment_findings,
    segments_to_show,
)
from customerlab.value.suppression import line_findings, line_to_show
from customerlab.value.wallet_groups import groups_to_show, wallets_to_show

__all__ = [
    "check_segments",
    "cuts_to_show",
    "estimate_elsewhere",
    "flow_findings",
    "flow_to_show",
    "follow_segments",
    "frequency_to_show",
    "groups_to_show",
    "join_scores",
    "learn_and_judge",
    "leave_out_invalid",
    "line_findings",
    "line_to_show",
    "look_ahead",
    "models_to_show",
    "months_before",
    "observe_segments",
    "outlook_to_show",
    "propose_care",
    "propose_test",
    "rank_customers",
    "say_proposed",
    "score_rfm",
    "segment_findings",
    "segments_to_show",
    "totals_to_show",
    "wallets_to_show",
    "weekly_to_show",
]
