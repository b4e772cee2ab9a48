"""Layers: which customers are invalid, dormant, potential or valid, and by whose rule.

Invalid customers leave first. The rest is valid or in the potential pool; the pool splits into
potential_active, counted with the valid, and dormant. The funnel ends at the active customers
with lifetime value.
"""

from customerlab.layers.accounts import (
    account_sums,
    count_accounts,
    describe_accounts,
    total_accounts,
)
from customerlab.layers.answers import check_layers, describe_layers, in_words
from customerlab.layers.counts import (
    SUMS,
    count_invalid_rules,
    count_layers,
    row_differences,
    row_sums,
)
from customerlab.layers.preferences import certain, prefer, preference_sums
from customerlab.layers.rules import (
    ACTIVE,
    LAYERS,
    Definition,
    Layers,
    define_layers,
    describe_rules,
    layer_customers,
)
from customerlab.layers.splits import split_sums, split_valid
from customerlab.layers.waking import (
    RETURNS,
    UNKNOWN,
    count_returns,
    last_seen,
    propose_waking,
)
from customerlab.layers.waking_answers import describe_waking, mask_returns

__all__ = [
    "ACTIVE",
    "LAYERS",
    "RETURNS",
    "SUMS",
    "UNKNOWN",
    "Definition",
    "Layers",
    "account_sums",
    "certain",
    "check_layers",
    "count_accounts",
    "count_invalid_rules",
    "count_layers",
    "count_returns",
    "define_layers",
    "describe_accounts",
    "describe_layers",
    "describe_rules",
    "describe_waking",
    "in_words",
    "last_seen",
    "layer_customers",
    "mask_returns",
    "prefer",
    "preference_sums",
    "propose_waking",
    "row_differences",
    "row_sums",
    "split_sums",
    "split_valid",
    "total_accounts",
]
