"""One function per figure: a tidy frame in, a :class:`Chart` out, in the language of `words`."""

from customerlab.plots.calendar import hazard_calendar
from customerlab.plots.calibration import calibration_curve
from customerlab.plots.chart import Chart
from customerlab.plots.churn import hazard_ratios, leavers_by_group
from customerlab.plots.cube import retention_map
from customerlab.plots.drivers import driver_effects, driver_weights
from customerlab.plots.flows import cleaning_flow, layer_funnel
from customerlab.plots.importance import importance_map
from customerlab.plots.incidence import cumulative_incidence
from customerlab.plots.interactions import interaction_heat
from customerlab.plots.layers import account_bands, preferences
from customerlab.plots.loadings import factor_loadings
from customerlab.plots.paths import asset_path, stages
from customerlab.plots.payroll_money import payroll_use
from customerlab.plots.silences import silences
from customerlab.plots.survival import not_yet_back, survival_curves
from customerlab.plots.validity import came_back_by_level, cut_surface

__all__ = [
    "Chart",
    "account_bands",
    "asset_path",
    "calibration_curve",
    "came_back_by_level",
    "cleaning_flow",
    "cumulative_incidence",
    "cut_surface",
    "driver_effects",
    "driver_weights",
    "factor_loadings",
    "hazard_calendar",
    "hazard_ratios",
    "importance_map",
    "interaction_heat",
    "layer_funnel",
    "leavers_by_group",
    "not_yet_back",
    "payroll_use",
    "preferences",
    "retention_map",
    "silences",
    "stages",
    "survival_curves",
]
