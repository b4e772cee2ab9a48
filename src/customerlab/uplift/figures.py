"""What each figure of the page is drawn of: one table for each test, headed by its name."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from customerlab.messages import say
from customerlab.uplift.comparing import Compared
from customerlab.uplift.disappointed import Change
from customerlab.uplift.disappointed_texts import change_to_show
from customerlab.uplift.months_kept import MonthsKept
from customerlab.uplift.parts_shown import kept_curves_to_show
from customerlab.uplift.segments import Segments, segments_to_show
from customerlab.uplift.targets import Target
from customerlab.uplift.targets_shown import tabulate_curves
from customerlab.uplift.trials import Trial, named

#: So many figures of one kind are drawn.
MOST_DRAWN = 4


def figure_of(target: Target | None, part: str, min_cell: int) -> list[pd.DataFrame]:
    """Return the curve, fifths or rules of one arm; nothing where there is none.

    Parameters
    ----------
    target : Target or None
    part : {"ranking", "calibration", "policies"}
    min_cell : int
    """
    if target is None:
        return []
    table = tabulate_curves([target], part, min_cell=min_cell)
    return [table.assign(of=named(target.trial, target.arm, target.outcome))] if len(table) else []


def each_look(compared: Compared) -> list[pd.DataFrame]:
    """Return the looks at each arm and outcome of a test that is watched, the first ones only."""
    binary = compared.table.set_index(["trial", "arm", "outcome"])["binary"].to_dict()
    found = []
    for key, mine in compared.looks.groupby(["trial", "arm", "outcome"], sort=False):
        of = say("{arm}, by {outcome}", outcome=key[2], arm=key[1])
        known = mine.drop(columns="day") if mine["day"].isna().any() else mine
        found.append(known.assign(of=of, binary=bool(binary[key])))
    return found[:MOST_DRAWN]


def looks_to_show(compared: Compared, min_cell: int) -> pd.DataFrame:
    """Return the looks as a report may show them: none at fewer than `min_cell` more customers.

    What changed from a look to the next would tell of those who came between.
    """
    kept = []
    for _, mine in compared.looks.groupby(["trial", "arm", "outcome"], sort=False):
        last = 0.0
        for at, n in mine["n"].items():
            if n - last >= min_cell:
                kept.append(at)
                last = n
    shown = compared.looks.loc[kept].drop(columns="trial")
    shown["n"] = (shown["n"].astype(float) / min_cell).round() * min_cell
    return shown.astype({"n": "int64"}) if len(shown) else shown


def each_curve(kept: Sequence[tuple[Trial, MonthsKept]], min_cell: int) -> list[pd.DataFrame]:
    """Return the curves of each test."""
    shown = [
        kept_curves_to_show(one.survival, min_cell).assign(of=trial.name) for trial, one in kept
    ]
    return [table for table in shown if len(table)][:MOST_DRAWN]


def each_segment(
    segments: Sequence[tuple[Trial, str, Segments]], min_cell: int
) -> list[pd.DataFrame]:
    """Return the segments of each arm that can be compared."""
    found = []
    for trial, arm, one in segments:
        shown = segments_to_show(one, min_cell).assign(
            of=named(trial, arm, trial.main.name), binary=trial.main.kind == "binary"
        )
        if len(shown) and pd.to_numeric(shown["shrunk"], errors="coerce").notna().any():
            found.append(shown)
    return found[:MOST_DRAWN]


def each_change(
    changes: Sequence[tuple[Trial, Trial, Change]], min_cell: int
) -> list[pd.DataFrame]:
    """Return the parts of each change."""
    found = []
    for later, earlier, change in changes:
        of = say("{later} against {earlier}", later=later.name, earlier=earlier.name)
        shown = change_to_show(change, min_cell).assign(of=of, binary=change.binary)
        if np.isfinite(pd.to_numeric(shown["change"], errors="coerce")).any():
            found.append(shown)
    return found
