"""What campaigns and tests do: on average, to whom, for how much money, and what to do next."""

from customerlab.uplift.acting import (
    choose_next,
    propose_contact,
    say_next,
    score_everyone,
)
from customerlab.uplift.beside import (
    change_findings,
    explain_changes,
    keep_customers,
    money_findings,
    months_findings,
    price_trials,
    segment_findings,
    segment_trials,
    split_amounts,
)
from customerlab.uplift.comparing import (
    average_finding,
    compare_trials,
    effect_findings,
    tell_power,
)
from customerlab.uplift.figures import (
    each_change,
    each_curve,
    each_look,
    each_segment,
    figure_of,
    looks_to_show,
)
from customerlab.uplift.hints import (
    hint_checks,
    hint_findings,
    take_hints,
)
from customerlab.uplift.judging import (
    judge_health,
)
from customerlab.uplift.observing import (
    check_trials,
    observe_trials,
)
from customerlab.uplift.proposed import (
    proposal_findings,
    tell_proposals,
)
from customerlab.uplift.showing import (
    BALANCE_SHOWN,
    EFFECTS_SHOWN,
    MONEY_SHOWN,
    POLICIES_SHOWN,
    POWER_SHOWN,
    amounts_table,
    changes_table,
    compared_to_show,
    fifths_to_show,
    hints_table,
    money_table,
    months_table,
    policies_to_show,
    power_to_show,
    reached_of,
    reached_table,
    say_each,
    say_lacking,
    say_reached,
    say_trials,
    segments_table,
    trials_to_show,
)
from customerlab.uplift.target_answers import (
    check_forecast,
    target_findings,
)
from customerlab.uplift.targets import (
    find_targets,
    main_target,
    pays_from,
)
from customerlab.uplift.targets_shown import (
    tabulate_curves,
)

__all__ = [
    "BALANCE_SHOWN",
    "EFFECTS_SHOWN",
    "MONEY_SHOWN",
    "POLICIES_SHOWN",
    "POWER_SHOWN",
    "amounts_table",
    "average_finding",
    "change_findings",
    "changes_table",
    "check_forecast",
    "check_trials",
    "choose_next",
    "compare_trials",
    "compared_to_show",
    "each_change",
    "each_curve",
    "each_look",
    "each_segment",
    "effect_findings",
    "explain_changes",
    "fifths_to_show",
    "figure_of",
    "find_targets",
    "hint_checks",
    "hint_findings",
    "hints_table",
    "judge_health",
    "keep_customers",
    "looks_to_show",
    "main_target",
    "money_findings",
    "money_table",
    "months_findings",
    "months_table",
    "observe_trials",
    "pays_from",
    "policies_to_show",
    "power_to_show",
    "price_trials",
    "proposal_findings",
    "propose_contact",
    "reached_of",
    "reached_table",
    "say_each",
    "say_lacking",
    "say_next",
    "say_reached",
    "say_trials",
    "score_everyone",
    "segment_findings",
    "segment_trials",
    "segments_table",
    "split_amounts",
    "tabulate_curves",
    "take_hints",
    "target_findings",
    "tell_power",
    "tell_proposals",
    "trials_to_show",
]
