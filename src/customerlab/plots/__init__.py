"""One function per figure: a tidy frame in, a :class:`Chart` out, in the language of `words`."""

from customerlab.plots.chart import Canvas, Chart, Labels, draw
from customerlab.plots.churn import hazard_ratios, leavers_by_group
from customerlab.plots.flows import cleaning_flow, layer_funnel
from customerlab.plots.layers import account_bands, preferences
from customerlab.plots.survival import survival_curves
from customerlab.plots.validity import came_back_by_level, cut_surface

__all__ = [
    "Canvas",
    "Chart",
    "Labels",
    "account_bands",
    "came_back_by_level",
    "cleaning_flow",
    "cut_surface",
    "draw",
    "hazard_ratios",
    "layer_funnel",
    "leavers_by_group",
    "preferences",
    "survival_curves",
]
