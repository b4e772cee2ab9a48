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
from customerlab.value.holdings import count_holdings
from customerlab.value.holdings_answers import holdings_findings
from customerlab.value.holdings_shown import pairs_to_show, products_to_show
from customerlab.value.holdout_shown import frequency_to_show, totals_to_show, weekly_to_show
from customerlab.value.loyal_answers import marks_to_show, satisfaction_to_show
from customerlab.value.loyalty import find_loyal
from customerlab.value.months_ahead import value_of_staying
from customerlab.value.months_shown import months_value_to_show
from customerlab.value.outlook import outlook_to_show
from customerlab.value.real import leave_out_invalid
from customerlab.value.rfm import score_and_follow, score_rfm
from customerlab.value.rfm_cuts import compare_cuts, cuts_to_show
from customerlab.value.rfm_flow import actions_to_show, flow_findings, flow_to_show, follow_segments
from customerlab.value.rfm_segments import (
    check_segments,
    describe_segments,
    segment_findings,
    segments_to_show,
)
from customerlab.value.suppression_shown import line_findings, line_to_show
from customerlab.value.wallet_groups import groups_to_show, wallets_to_show

__all__ = [
    "actions_to_show",
    "check_segments",
    "compare_cuts",
    "count_holdings",
    "cuts_to_show",
    "describe_segments",
    "estimate_elsewhere",
    "find_loyal",
    "flow_findings",
    "flow_to_show",
    "follow_segments",
    "frequency_to_show",
    "groups_to_show",
    "holdings_findings",
    "join_scores",
    "leave_out_invalid",
    "line_findings",
    "line_to_show",
    "look_ahead",
    "marks_to_show",
    "models_to_show",
    "months_before",
    "months_value_to_show",
    "outlook_to_show",
    "pairs_to_show",
    "products_to_show",
    "propose_care",
    "propose_test",
    "rank_customers",
    "satisfaction_to_show",
    "say_proposed",
    "score_and_follow",
    "score_rfm",
    "segment_findings",
    "segments_to_show",
    "totals_to_show",
    "value_of_staying",
    "wallets_to_show",
    "weekly_to_show",
]
