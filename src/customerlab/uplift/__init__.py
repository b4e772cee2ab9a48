"""What campaigns and tests do: on average, to whom, for how much money, and what to do next."""

from customerlab.uplift.acting import choose_next, propose_contact, say_next, score_everyone
from customerlab.uplift.beside import (
    explain_changes,
    keep_customers,
    money_findings,
    months_findings,
    price_trials,
    segment_trials,
    show_each,
    split_amounts,
)
from customerlab.uplift.comparing import compare_trials, effect_findings, slug, tell_power
from customerlab.uplift.disappointed_texts import change_finding, change_to_show
from customerlab.uplift.hints import (
    hint_checks,
    hint_findings,
    say_without_lot,
    tabulate_hints,
    take_hints,
)
from customerlab.uplift.judging import judge_health
from customerlab.uplift.money_texts import money_to_show
from customerlab.uplift.observing import check_trials, observe_trials
from customerlab.uplift.parts_shown import (
    kept_curves_to_show,
    kept_to_show,
    reached_to_show,
    split_to_show,
)
from customerlab.uplift.proposed import proposal_finding, tell_proposals
from customerlab.uplift.segments import segments_to_show
from customerlab.uplift.showing import (
    BALANCE_SHOWN,
    EFFECTS_SHOWN,
    MONEY_SHOWN,
    POLICIES_SHOWN,
    POWER_SHOWN,
    compared_to_show,
    fifths_to_show,
    policies_to_show,
    power_to_show,
    trials_to_show,
)
from customerlab.uplift.targets import find_targets, pays_from, tabulate_curves, target_findings

__all__ = [
    "BALANCE_SHOWN",
    "EFFECTS_SHOWN",
    "MONEY_SHOWN",
    "POLICIES_SHOWN",
    "POWER_SHOWN",
    "change_finding",
    "change_to_show",
    "check_trials",
    "choose_next",
    "compare_trials",
    "compared_to_show",
    "effect_findings",
    "explain_changes",
    "fifths_to_show",
    "find_targets",
    "hint_checks",
    "hint_findings",
    "judge_health",
    "keep_customers",
    "kept_curves_to_show",
    "kept_to_show",
    "money_findings",
    "money_to_show",
    "months_findings",
    "observe_trials",
    "pays_from",
    "policies_to_show",
    "power_to_show",
    "price_trials",
    "proposal_finding",
    "propose_contact",
    "reached_to_show",
    "say_next",
    "say_without_lot",
    "score_everyone",
    "segment_trials",
    "segments_to_show",
    "show_each",
    "slug",
    "split_amounts",
    "split_to_show",
    "tabulate_curves",
    "tabulate_hints",
    "take_hints",
    "target_findings",
    "tell_power",
    "tell_proposals",
    "trials_to_show",
]
