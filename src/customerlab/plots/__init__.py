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
from customerlab.plots.uplift import covariate_balance, uplift_effects
from customerlab.plots.uplift_groups import segment_effects, uplift_fifths
from customerlab.plots.uplift_kept import kept_by_arm
from customerlab.plots.uplift_lines import monitored_effect, uplift_curve
from customerlab.plots.uplift_money import part_of_change, policy_values
from customerlab.plots.validity import came_back_by_level, cut_surface

__all__ = [
    "Chart",
    "account_bands",
    "asset_path",
    "calibration_curve",
    "came_back_by_level",
    "cleaning_flow",
    "covariate_balance",
    "cumulative_incidence",
    "cut_surface",
    "driver_effects",
    "driver_weights",
    "factor_loadings",
    "hazard_calendar",
    "hazard_ratios",
    "importance_map",
    "interaction_heat",
    "kept_by_arm",
    "layer_funnel",
    "leavers_by_group",
    "monitored_effect",
    "not_yet_back",
    "part_of_change",
    "payroll_use",
    "policy_values",
    "preferences",
    "retention_map",
    "segment_effects",
    "silences",
    "stages",
    "survival_curves",
    "uplift_curve",
    "uplift_effects",
    "uplift_fifths",
]
