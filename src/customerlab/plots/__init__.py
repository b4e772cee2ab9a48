"""One function per figure: a tidy frame in, a :class:`Chart` out, in the language of `words`."""

from customerlab.plots.chart import Canvas, Chart, Labels, draw
from customerlab.plots.churn import hazard_ratios, leavers_by_group
from customerlab.plots.flows import cleaning_flow, layer_funnel
from customerlab.plots.survival import survival_curves

__all__ = [
    "Canvas",
    "Chart",
    "Labels",
    "cleaning_flow",
    "draw",
    "hazard_ratios",
    "layer_funnel",
    "leavers_by_group",
    "survival_curves",
]
