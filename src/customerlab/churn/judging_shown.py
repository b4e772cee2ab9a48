"""Calibration tables and curves as reports and figures may show them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pandas as pd

from customerlab.churn.calibration import COLUMNS, Calibration
from customerlab.churn.smooth import wilson
from customerlab.features import feature_name, level_name
from customerlab.findings import STATUSES
from customerlab.messages import Words, say
from customerlab.privacy import HIDDEN, mask_counts, round_counts

#: What of the table is shown; the rest is in its file.
CALIBRATION_SHOWN = ["landmark", "horizon_months", "group", "customers", "events", "expected"]
CALIBRATION_SHOWN += ["ici", "e50", "e90", "brier", "brier_baseline", "auc"]


def calibration_to_show(result: Calibration, min_cell: int) -> pd.DataFrame:
    """Return the table for a report: small counts masked, and what would give them away.

    Who left within a longer horizon less who left within a shorter one is a count, too; so are
    all landmarks less all but one, and all customers less the other groups.
    """
    table = result.table.reset_index(drop=True)
    pooled = table["landmark"].isna()
    sums = [
        (int(part.index[pooled[part.index]][0]), list(part.index[~pooled[part.index]]))
        for _, part in table.groupby(["horizon_months", "group"])
    ]
    if result.by is not None:
        by_landmark = table.groupby(["landmark", "horizon_months"], dropna=False)
        sums += [(None, list(part.index)) for _, part in by_landmark]
    differences = [
        pair
        for _, part in table.groupby(["landmark", "group"], dropna=False)
        for pair in combinations(part.index, 2)
    ]
    shown = mask_counts(
        table,
        min_cell=min_cell,
        counts=["customers", "events"],
        sums=sums,
        differences=differences,
    )
    gone = shown[["customers", "events"]].map(lambda count: isinstance(count, str)).any(axis=1)
    keys = {"landmark", "horizon_months", "group", "customers", "events", "status"}
    for column in [name for name in table.columns if name not in keys]:
        known = table[column].notna()
        shown[column] = shown[column].astype(object).mask(gone & known, HIDDEN)
    return shown.assign(
        landmark=[say("all") if mark is None else mark for mark in table["landmark"]],
        status=[STATUSES[one] for one in table["status"]],
    )


def groups_judged(parts: Sequence[Calibration], words: Words, min_cell: int) -> pd.DataFrame:
    """Return how the chances came true in the groups of several features, in one table.

    No rows where nothing but the customers' numbers is known of them, and so no group.
    """
    shown = []
    for part in parts:
        table = calibration_to_show(part, min_cell)
        feature = words(feature_name(part.by))
        names = [f"{feature}: {words(level_name(part.by, group))}" for group in table["group"]]
        # over all landmarks; the single ones are in the table of all customers
        shown.append(table.assign(group=names)[part.table["landmark"].isna().to_numpy()])
    if not shown:
        return pd.DataFrame(columns=COLUMNS)
    return pd.concat(shown, ignore_index=True)


def curve_to_show(result: Calibration, min_cell: int) -> pd.DataFrame:
    """Return the curve for a figure and a report.

    Neighbouring tenths are joined until at least `min_cell` left and as many stayed; the bars are
    rounded to a multiple of `min_cell`.
    """
    return curve_rows_to_show(result.curve, min_cell)


def curve_rows_to_show(curve: pd.DataFrame, min_cell: int) -> pd.DataFrame:
    """Return the rows of a curve, see :func:`curve_to_show`, as they may be shown."""
    line = curve[curve["kind"] == "smooth"]
    stayed = line["customers"] - line["events"]
    # where each chance has its own share, that share is a count
    small = (line["events"] < min_cell) | (stayed < min_cell)
    line = line[~small].assign(customers=np.nan, events=np.nan)
    bars = curve[curve["kind"] == "bar"]
    bars = bars.assign(customers=round_counts(bars["customers"], min_cell).astype(float))
    tenths = curve[curve["kind"] == "tenth"]
    joined = [
        _joined(part, min_cell)
        for _, part in tenths.groupby(["horizon_months", "group"], sort=False)
    ]
    parts = [part for part in (line, *joined, bars) if len(part)]
    return pd.concat(parts, ignore_index=True) if parts else curve.iloc[:0]


def _joined(tenths: pd.DataFrame, min_cell: int) -> pd.DataFrame:
    counts = tenths[["customers", "events"]].to_numpy(float)
    counts = np.column_stack([counts, counts[:, 0] - counts[:, 1]])
    group, rest = [], np.zeros(3)
    for i, row in enumerate(counts):
        group.append(group[-1] + bool((rest[1:] >= min_cell).all()) if i else 0)
        rest = row + (rest if i and group[-1] == group[-2] else 0)
    if not (rest[1:] >= min_cell).all():  # what is left over goes with the last before
        group = [min(number, max(group[-1] - 1, 0)) for number in group]
    weighted = tenths.assign(predicted=tenths["predicted"] * tenths["customers"])
    sums = weighted.groupby(np.array(group))[["predicted", "customers", "events"]].sum()
    sums = sums[(sums["events"] >= min_cell) & (sums["customers"] - sums["events"] >= min_cell)]
    first = tenths.iloc[0]
    low, high = wilson(sums["events"], sums["customers"], first["repeats"])
    return sums.assign(
        predicted=sums["predicted"] / sums["customers"],
        observed=sums["events"] / sums["customers"],
        low=low,
        high=high,
        **{key: first[key] for key in ("horizon_months", "group", "kind", "repeats")},
    )[list(tenths.columns)]
