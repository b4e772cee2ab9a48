"""One function per figure: a tidy frame in, a :class:`Chart` out, in the language of `words`."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from customerlab.plots.calendar import hazard_calendar
from customerlab.plots.chart import Chart
from customerlab.plots.churn import hazard_ratios, leavers_by_group
from customerlab.plots.cube import retention_map
from customerlab.plots.drivers import driver_effects, driver_weights
from customerlab.plots.flows import cleaning_flow, layer_funnel
from customerlab.plots.incidence import cumulative_incidence
from customerlab.plots.interactions import interaction_heat
from customerlab.plots.layers import account_bands, preferences
from customerlab.plots.loadings import factor_loadings
from customerlab.plots.silences import silences
from customerlab.plots.survival import not_yet_back, survival_curves
from customerlab.plots.uplift import covariate_balance, uplift_effects
from customerlab.plots.uplift_groups import segment_effects, uplift_fifths
from customerlab.plots.uplift_kept import kept_by_arm
from customerlab.plots.uplift_lines import monitored_effect, uplift_curve

if TYPE_CHECKING:
    from customerlab.plots.calibration import calibration_curve, response_calibration
    from customerlab.plots.importance import importance_map
    from customerlab.plots.outlook import value_ahead, value_by_product
    from customerlab.plots.paths import asset_path, stages
    from customerlab.plots.payroll_money import payroll_use
    from customerlab.plots.purchases import purchases_after, purchases_by_frequency
    from customerlab.plots.response import gains_curve
    from customerlab.plots.response_profit import cutoff_by_cost, profit_by_cutoff
    from customerlab.plots.scorecard import scorecard_points
    from customerlab.plots.uplift_money import part_of_change, policy_values
    from customerlab.plots.validity import came_back_by_level, cut_surface
    from customerlab.plots.value import rfm_segments
    from customerlab.plots.value_flow import segment_flow
    from customerlab.plots.wallet import wallet_by_group

#: Figures whose modules need the room that they belong to: each is imported when it is first
#: drawn, for a notebook of another room would import half of the package and never draw it.
_OF_A_ROOM = {
    "asset_path": "paths",
    "calibration_curve": "calibration",
    "came_back_by_level": "validity",
    "cut_surface": "validity",
    "cutoff_by_cost": "response_profit",
    "gains_curve": "response",
    "importance_map": "importance",
    "part_of_change": "uplift_money",
    "payroll_use": "payroll_money",
    "policy_values": "uplift_money",
    "profit_by_cutoff": "response_profit",
    "purchases_after": "purchases",
    "purchases_by_frequency": "purchases",
    "response_calibration": "calibration",
    "rfm_segments": "value",
    "scorecard_points": "scorecard",
    "segment_flow": "value_flow",
    "stages": "paths",
    "value_ahead": "outlook",
    "value_by_product": "outlook",
    "wallet_by_group": "wallet",
}

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
    "cutoff_by_cost",
    "driver_effects",
    "driver_weights",
    "factor_loadings",
    "gains_curve",
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
    "profit_by_cutoff",
    "purchases_after",
    "purchases_by_frequency",
    "response_calibration",
    "retention_map",
    "rfm_segments",
    "scorecard_points",
    "segment_effects",
    "segment_flow",
    "silences",
    "stages",
    "survival_curves",
    "uplift_curve",
    "uplift_effects",
    "uplift_fifths",
    "value_ahead",
    "value_by_product",
    "wallet_by_group",
]


def __dir__() -> list[str]:
    return sorted({*globals(), *_OF_A_ROOM})


def __getattr__(name: str) -> Any:
    if name in _OF_A_ROOM:
        return getattr(import_module(f"customerlab.plots.{_OF_A_ROOM[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
