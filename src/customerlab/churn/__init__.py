"""When customers leave: survival curves, monthly hazards, who is next, and what may be said.

Everything here is computed from counts of customers who are alike (:mod:`customerlab.cells`).
"""

from customerlab.churn.answers import (
    check_later_months,
    first_group,
    leave_within,
    main_sign,
    still_here_after,
)
from customerlab.churn.cox import Cox, fit_cox
from customerlab.churn.curves import LogRank, Survival, survival
from customerlab.churn.forecast import Forecast, forecast
from customerlab.churn.hazard import Hazard, fit_hazard
from customerlab.churn.scoring import (
    by_group,
    check_model,
    forecast_here,
    ratios_in_words,
    score_customers,
)
from customerlab.churn.stays import (
    Stays,
    curve_to_draw,
    curves_table,
    left_out_to_show,
    observe_stays,
)

__all__ = [
    "Cox",
    "Forecast",
    "Hazard",
    "LogRank",
    "Stays",
    "Survival",
    "by_group",
    "check_later_months",
    "check_model",
    "curve_to_draw",
    "curves_table",
    "first_group",
    "fit_cox",
    "fit_hazard",
    "forecast",
    "forecast_here",
    "leave_within",
    "left_out_to_show",
    "main_sign",
    "observe_stays",
    "ratios_in_words",
    "score_customers",
    "still_here_after",
    "survival",
]
