"""Curves, fifths and rules of all arms as a report may show them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from customerlab.privacy import HIDDEN
from customerlab.uplift.fifths import FIFTHS
from customerlab.uplift.policies import COLUMNS as POLICIES
from customerlab.uplift.policies import Policies
from customerlab.uplift.ranking import CURVE
from customerlab.uplift.targets import Target


def tabulate_curves(
    targets: Sequence[Target], part: str = "ranking", *, min_cell: int
) -> pd.DataFrame:
    """Return the curves, fifths or rules of all targets under one another.

    As a report may show them: a curve has no steps of fewer than `min_cell` customers, and what a
    rule is worth that contacts fewer, or all but fewer, is hidden.

    Parameters
    ----------
    targets : sequence of Target
    part : {"ranking", "calibration", "policies"}
    min_cell : int

    Returns
    -------
    DataFrame
        ``experiment``, ``arm``, ``outcome``, ``binary``, and the part's own columns.
    """
    own = {"ranking": CURVE, "calibration": FIFTHS, "policies": POLICIES}[part]
    columns = ["experiment", "arm", "outcome", "binary", *own]
    frames = []
    for target in targets:
        if getattr(target.judged, part) is not None:
            about = {"experiment": target.trial.name, "arm": target.arm}
            kinds = {one.name: one.kind for one in target.trial.outcomes}
            about |= {"outcome": target.outcome, "binary": kinds[target.outcome] == "binary"}
            table = getattr(target.judged, part).table
            if part == "ranking" and len(table):
                step = math.ceil(
                    min_cell / max(target.judged.ranking.n * table["share"].iloc[0], 1)
                )
                table = table[(np.arange(len(table)) + 1) % step == 0]
            if part == "policies" and len(table):
                few = few_picked(target.judged.policies, min_cell)
                table = table.astype(object).mask(table["rule"].isin(few), HIDDEN)
                table["rule"] = getattr(target.judged, part).table["rule"]
            frames.append(table.assign(**about))
    table = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=columns)
    return table.reindex(columns=columns)


def few_picked(policies: Policies, min_cell: int) -> list[str]:
    """Return the rules that contact fewer than `min_cell` of those judged, or all but fewer."""
    some = (policies.table["share"].astype(float) * policies.n).round()
    few = some.between(1, min_cell - 1) | (policies.n - some).between(1, min_cell - 1)
    return policies.table.loc[few, "rule"].to_list()
