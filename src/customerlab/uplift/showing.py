"""Tables of all trials as a report may show them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from customerlab.findings import STATUSES
from customerlab.messages import yes_or_no
from customerlab.privacy import round_counts
from customerlab.uplift.beside import tabulate_trials
from customerlab.uplift.comparing import Compared
from customerlab.uplift.effects_shown import effects_to_show
from customerlab.uplift.policies import RULES
from customerlab.uplift.power import Power, tabulate_power
from customerlab.uplift.targets import Target, tabulate_curves
from customerlab.uplift.trials import Trial

#: What a page shows of the tables that are written.
EFFECTS_SHOWN = ["experiment", "arm", "outcome", "n", "control_mean", "treated_mean", "effect"]
EFFECTS_SHOWN += ["adjusted_effect", "relative", "adjusted_p", "sharpened", "status"]
POWER_SHOWN = ["experiment", "arm", "outcome", "smallest_effect", "smallest_relative", "effect"]
POWER_SHOWN += ["power", "next_n_treated", "next_n_control"]
MONEY_SHOWN = ["experiment", "arm", "outcome", "margin", "cost", "profit_per_contact", "profit"]
MONEY_SHOWN += ["roi", "cac", "break_even_cost", "status"]
POLICIES_SHOWN = ["experiment", "arm", "outcome", "rule", "share", "value", "gain", "difference"]
BALANCE_SHOWN = ["experiment", "covariate", "arm", "control_mean", "mean", "smd"]
_FIRST = ["experiment", "arm", "outcome", "n", "control_n", "control_mean", "treated_mean"]
_FIRST += ["effect", "low", "high", "relative", "relative_low", "relative_high", "p_value"]
_FIRST += ["adjusted_p"]


def trials_to_show(trials: Sequence[Trial]) -> pd.DataFrame:
    """Return who was assigned to which arm; counts are for :meth:`Lab.save_table` to mask."""
    table = tabulate_trials(trials)
    return table.assign(is_control=table["is_control"].map(yes_or_no))


def compared_to_show(compared: Compared, min_cell: int) -> pd.DataFrame:
    """Return the effects of all trials; see :func:`effects_to_show`."""
    shown = effects_to_show(compared.table.drop(columns="trial"), min_cell)
    hidden = shown["p_value"].astype(str) == "hidden"
    shown["adjusted_p"] = shown["adjusted_p"].astype(object).mask(hidden, "hidden")
    shown = shown.assign(binary=compared.table["binary"])
    return shown[[*_FIRST, *(name for name in shown if name not in _FIRST)]]


def power_to_show(
    powers: Mapping[tuple[str, str, str], Power], trials: Sequence[Trial], min_cell: int
) -> pd.DataFrame:
    """Return what each comparison could find; customers there were are rounded."""
    names = {trial.id: trial.name for trial in trials}
    table = tabulate_power(powers)  # type: ignore[arg-type]
    keys = pd.DataFrame(list(table["comparison"]), columns=["trial", "arm", "outcome"])
    shown = keys.assign(experiment=keys["trial"].map(names)).drop(columns="trial")
    shown = shown[["experiment", "arm", "outcome"]].join(table.drop(columns="comparison"))
    for column in ("n_treated", "n_control"):
        shown[column] = round_counts(shown[column], min_cell)
    return shown.assign(status=shown["status"].map(STATUSES))


def policies_to_show(targets: Sequence[Target]) -> pd.DataFrame:
    """Return what each rule is worth, the rules in words."""
    table = tabulate_curves(targets, "policies")
    return table.assign(rule=table["rule"].map(RULES)).drop(columns="binary")


def fifths_to_show(targets: Sequence[Target], min_cell: int) -> pd.DataFrame:
    """Return predicted and observed uplift by fifth; customers are rounded."""
    table = tabulate_curves(targets, "calibration")
    rounded = round_counts(table["n"], min_cell) if len(table) else table["n"]
    return table.assign(n=rounded, status=table["status"].map(STATUSES))
