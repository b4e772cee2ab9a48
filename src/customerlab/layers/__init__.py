"""Layers: which customers are invalid, dormant, potential or valid, and by whose rule.

Invalid customers leave first. The rest is valid or in the potential pool; the pool splits into
potential_active, counted with the valid, and dormant. The funnel ends at the active customers
with lifetime value.
"""

from customerlab.layers.answers import check_layers, describe_layers, in_words
from customerlab.layers.counts import (
    SUMS,
    count_invalid_rules,
    count_layers,
    row_differences,
    row_sums,
)
from customerlab.layers.rules import (
    ACTIVE,
    LAYERS,
    Definition,
    Layers,
    define_layers,
    describe_rules,
    layer_customers,
)

__all__ = [
    "ACTIVE",
    "LAYERS",
    "SUMS",
    "Definition",
    "Layers",
    "check_layers",
    "count_invalid_rules",
    "count_layers",
    "define_layers",
    "describe_layers",
    "describe_rules",
    "in_words",
    "layer_customers",
    "row_differences",
    "row_sums",
]
