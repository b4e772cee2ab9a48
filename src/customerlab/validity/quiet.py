"""Where the data themselves cut the quiet customers: the table, and what is drawn of it."""

from __future__ import annotations

import numpy as np
import pandas as pd

from customerlab.messages import Message, say
from customerlab.privacy import round_counts, roundest
from customerlab.validity.cutpoints import bin_monotone, bootstrap_cut
from customerlab.validity.judgement import Judgement
from customerlab.validity.selected import select_cut
from customerlab.validity.tables import DECIMALS, hide, no_rows, too_few

_MEASURE_NAMES = {
    "assets": say("assets"),
    "spend_12m": say("spend in the last 12 months"),
    "idle_months": say("months without a movement"),
}
_SELECTED = say("best single cut (maximally selected rank statistic)")
_BINNED = say("bins in which the share only rises or falls")
#: Shares of the quiet customers below the cuts that are tried: most may have been idle for ever.
_SEARCHED = {"minprop": 0.02, "maxprop": 0.98}


def cutpoints_table(
    judgement: Judgement | Message, rng: np.random.Generator, min_cell: int
) -> pd.DataFrame:
    """Return where the data themselves cut, for each measure alone, among the quiet customers.

    Returns
    -------
    DataFrame
        Per measure two rows of the maximally selected rank statistic (up to the cut, above it) and
        one per bin of the monotone binning: ``measure``, ``method``, ``level``, ``customers``
        (rounded), ``came_back`` with the 95 % interval of the share (Wilson); in the first row
        also ``cut`` with ``cut_low`` and ``cut_high``, ``statistic`` and ``p_value``. Idle months
        are cut from below: at ``cut`` or more.
    """
    columns = [
        *("measure", "method", "level", "cut", "cut_low", "cut_high", "statistic", "p_value"),
        *("customers", "came_back", "came_back_low", "came_back_high"),
    ]
    if isinstance(judgement, Message):
        return no_rows(*columns)
    parts = [
        part.assign(measure=_MEASURE_NAMES[measure])
        for measure, counted in judgement.quiet().items()
        for part in (
            _selected(counted, rng, whole=measure == "idle_months"),
            _binned(counted, whole=measure == "idle_months"),
        )
        if len(part)
    ]
    if not parts:
        return no_rows(*columns)
    table = pd.concat(parts, ignore_index=True)
    few_back = too_few(table["n"], table["events"], min_cell)
    shares = {
        "came_back": table["events"] / table["n"],
        "came_back_low": table["low_share"],
        "came_back_high": table["high_share"],
    }
    table = table.assign(
        customers=round_counts(table["n"], min_cell),
        **{name: hide(share.round(DECIMALS), few_back) for name, share in shares.items()},
    )
    return table.reindex(columns=columns)


def bins_to_draw(table: pd.DataFrame) -> pd.DataFrame:
    """Return :func:`cutpoints_table` ready to be drawn: which rows are bins."""
    return table.assign(is_bin=table["method"].map(lambda method: method == _BINNED))


def _selected(counted: pd.DataFrame, rng: np.random.Generator, *, whole: bool) -> pd.DataFrame:
    """Return both sides of the best single cut; no rows where there is none."""
    from statsmodels.stats.proportion import proportion_confint  # slow to import

    chosen = select_cut(counted, **_SEARCHED)
    if not np.isfinite(chosen.cut):
        return pd.DataFrame()
    ends = [chosen.cut, *bootstrap_cut(counted, rng, **_SEARCHED)]
    # removed are those idle for more months than the low side
    cut, low, high = (end + 1 if whole else _roundest(end, counted["x"]) for end in ends)
    below = counted["x"] <= chosen.cut
    sums = [counted.loc[side, ["n", "events"]].sum() for side in (below, ~below)]
    sides = pd.DataFrame(sums).reset_index(drop=True)
    ends = proportion_confint(sides["events"], sides["n"], method="wilson")
    side = chosen.cut if whole else cut
    return sides.assign(
        method=_SELECTED,
        level=[_level(-np.inf, side), _level(side, np.inf)],
        cut=[cut, np.nan],
        cut_low=[low, np.nan],
        cut_high=[high, np.nan],
        statistic=[chosen.statistic, np.nan],
        p_value=[chosen.p, np.nan],
        low_share=ends[0],
        high_share=ends[1],
    )


def _binned(counted: pd.DataFrame, *, whole: bool) -> pd.DataFrame:
    bins = bin_monotone(counted)
    ends = bins[["low", "high"]].to_numpy()
    if not whole:
        ends = np.array([[_roundest(end, counted["x"]) for end in pair] for pair in ends])
    levels = [_level(low, high) for low, high in ends]
    return bins.drop(columns=["low", "high"]).assign(method=_BINNED, level=levels)


def _roundest(end: float, x: pd.Series) -> float:
    """Return the roundest number that parts the customers as `end` does."""
    above = x[x > end]
    return roundest(end, float(above.min()) if len(above) else np.inf)


def _level(low: float, high: float) -> Message:
    if np.isinf(low) and np.isinf(high):
        return say("all")
    if np.isinf(low):
        return say("up to {high:number}", high=high)
    if np.isinf(high):
        return say("above {low:number}", low=low)
    return say("above {low:number}, up to {high:number}", low=low, high=high)
