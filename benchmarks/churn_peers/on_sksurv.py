"""scikit-survival: one row per customer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from peer import TERMS, Estimates, Model, coefficients, curve, design, names, read, read_levels, run
from sksurv.linear_model import CoxPHSurvivalAnalysis
from sksurv.nonparametric import kaplan_meier_estimator
from sksurv.util import Surv

Ends = tuple[np.ndarray, np.ndarray]


def read_ends(folder: Path) -> Ends:
    stays = read(folder, ["duration", "churned"])
    return stays["churned"].to_numpy(), stays["duration"].to_numpy(float)


def kaplan_meier(ends: Ends) -> Estimates:
    months, survival, interval = kaplan_meier_estimator(*ends, conf_type="log-log")
    return curve(months, survival, *interval)


def read_stays(folder: Path) -> tuple[list[str], np.ndarray, np.ndarray]:
    stays, levels = read(folder, ["duration", "churned", *TERMS]), read_levels(folder)
    ends = Surv.from_arrays(stays["churned"].to_numpy(), stays["duration"].to_numpy(float))
    return names(levels, TERMS), design(stays, levels, TERMS), ends


def cox(data: tuple[list[str], np.ndarray, np.ndarray]) -> Estimates:
    named, x, ends = data
    return coefficients(named, CoxPHSurvivalAnalysis(ties="efron").fit(x, ends).coef_, None)


if __name__ == "__main__":
    run({"curve": Model(read_ends, kaplan_meier), "cox": Model(read_stays, cox)})
