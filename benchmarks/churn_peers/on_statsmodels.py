"""pandas and statsmodels: one row per customer-month, fitted as such or counted first."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import statsmodels.api as sm
from peer import BANDS, TERMS, Estimates, Model, coefficients, design, names, read, read_levels, run

MONTHLY = ["tenure_band", *TERMS]
Data = tuple[list[str], np.ndarray, np.ndarray]


def person_months(folder: Path) -> pd.DataFrame:
    stays = read(folder, ["entry", "duration", "churned", "changes_in", *TERMS])
    months = stays.loc[stays.index.repeat(stays["duration"] - stays["entry"])]
    tenure = months.groupby(level=0).cumcount() + months["entry"]
    firsts = [*BANDS, 24]
    changed = (months["changes_in"] <= tenure).fillna(False).to_numpy(bool)
    running = (months["payroll"] == "running").to_numpy() ^ changed
    return months[TERMS].assign(
        tenure_band=pd.cut(tenure, firsts, right=False, labels=list(BANDS.values())),
        payroll=pd.Categorical.from_codes(running.astype(int), ["none", "running"]),
        left=months["churned"] & (tenure == months["duration"] - 1),
    )


def as_rows(folder: Path) -> Data:
    months, levels = person_months(folder), read_levels(folder)
    left = months["left"].to_numpy(float)
    return ["constant", *names(levels, MONTHLY)], _constant(months, levels), left


def as_counts(folder: Path) -> Data:
    months, levels = person_months(folder), read_levels(folder)
    counts = months.groupby(MONTHLY, observed=True)["left"].agg(["size", "sum"]).reset_index()
    both = np.column_stack([counts["sum"], counts["size"] - counts["sum"]])
    return ["constant", *names(levels, MONTHLY)], _constant(counts, levels), both


def glm(data: Data) -> Estimates:
    named, x, left = data
    family = sm.families.Binomial(link=sm.families.links.CLogLog())
    fitted = sm.GLM(left, x, family=family).fit()
    return coefficients(named, fitted.params, fitted.bse)


def _constant(rows: pd.DataFrame, levels: dict[str, list[str]]) -> np.ndarray:
    return sm.add_constant(design(rows, levels, MONTHLY), has_constant="add")


if __name__ == "__main__":
    run({"monthly": Model(as_rows, glm), "monthly_counted": Model(as_counts, glm)})
