"""Whether the chances that were foretold came true, from counts of customers alike in them.

At a landmark every customer is given a chance of leaving within a horizon; later it is counted who
left. Nobody is censored: only landmarks whose horizon has passed are judged. What is measured, and
how sure it is: :mod:`customerlab.churn.measures`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from customerlab.churn.levels import as_levels, natural_order
from customerlab.churn.measures import MEASURES, Judged, measure
from customerlab.churn.smooth import Smooth, quantile, wilson

#: Points of a smooth curve, bars of the distribution, and which part of the customers they show.
_POINTS, _BARS, _SHOWN = 60, 24, (0.01, 0.99)

#: A figure shows no smaller chance.
LEAST = 1e-4

_KEYS = ["landmark", "horizon_months", "group", "customers", "events", "expected"]
_KEYS += ["observed_share", "observed_low", "observed_high", "expected_share"]
COLUMNS = [*_KEYS, *MEASURES, "status"]
CURVE_COLUMNS = ["horizon_months", "group", "kind", "predicted", "observed", "low", "high"]
CURVE_COLUMNS += ["customers", "events", "repeats"]
INTEGRATED_COLUMNS = ["landmark", "group", "first_months", "last_months"]
INTEGRATED_COLUMNS += ["brier", "brier_baseline", "brier_skill", "status"]


@dataclass(frozen=True)
class Calibration:
    """How the chances that were foretold compare with what was counted.

    Attributes
    ----------
    table : DataFrame
        One row per ``horizon_months``, ``group`` and ``landmark`` (None for all together, where a
        customer counts once for each landmark): ``customers``, how many left (``events``), how
        many were ``expected`` to; ``observed_share``, ``expected_share``;
        ``observed_over_expected`` (1 is right in the large), ``slope`` (1 is right; below it the
        chances lie too far apart), ``ici``, ``e50``, ``e90`` (shares; 0 is right), ``brier`` and
        ``brier_baseline`` (mean squared error of the model, and of one without covariates),
        ``brier_skill`` (1 less their ratio; 0 is no better), ``auc`` (0.5 is chance), with 95 %
        intervals ``_low`` to ``_high``; ``smoothing`` (``spline``, ``line`` or ``shares``) and
        ``status``. With fewer than 30 who left, or who stayed, the measures are missing.
    integrated : DataFrame
        The Brier scores integrated over the horizons, see :func:`integrate`.
    curve : DataFrame
        Over all landmarks, per ``horizon_months`` and ``group``; by ``kind``: ``smooth``
        (``observed`` at ``predicted``, with its 95 % band), ``tenth`` (customers in about ten
        equal groups by their chance: the mean ``predicted``, the share ``observed`` with Wilson's
        interval, ``customers``, ``events``), ``bar`` (how many ``customers`` have a chance near
        ``predicted``). ``repeats``: how often one customer may be among them.
    by : str or None
        What the groups are groups of; None for all customers, whose group is ``all``.
    """

    table: pd.DataFrame
    integrated: pd.DataFrame
    curve: pd.DataFrame
    by: str | None = None

    @property
    def pooled(self) -> pd.DataFrame:
        """The rows over all landmarks."""
        return self.table[self.table["landmark"].isna()].reset_index(drop=True)


def calibration(
    judged: pd.DataFrame,
    rng: np.random.Generator,
    *,
    by: str | None = None,
    draws: int = 200,
) -> Calibration:
    """Compare what was foretold with what was counted, per landmark and horizon and over all.

    Parameters
    ----------
    judged : DataFrame
        Counts of customers: ``landmark`` (date), ``horizon_months``, ``chance`` (foretold, 0 to
        1), ``baseline`` (foretold without covariates), ``n`` customers, ``events`` among them
        who left within the horizon, and columns to group by.
    rng : Generator
        Draws the exits of the bootstrap.
    by : str, optional
        Column of groups, each judged by itself; no value is a group of its own.
    draws : int
        How many times the exits are drawn and the curve fitted again.

    Raises
    ------
    ValueError
        When a chance is not between 0 and 1, or more left than there are.
    """
    data = _checked(judged, by)
    rows, curves = [], []
    for group in sorted(data["group"].unique(), key=natural_order):
        own = data[data["group"] == group]
        for horizon in sorted(own["horizon_months"].unique()):
            at = own[own["horizon_months"] == horizon]
            landmarks = sorted(at["landmark"].unique())
            for landmark in [*landmarks, None]:
                part = at if landmark is None else at[at["landmark"] == landmark]
                cells = _cells(part, len(landmarks) if landmark is None else 1)
                smooth = cells.smooth()
                key = {"landmark": landmark, "horizon_months": int(horizon), "group": group}
                rows.append(key | measure(cells, smooth, rng, draws))
                if landmark is None:
                    curves.append(
                        curve_of(cells, smooth).assign(horizon_months=int(horizon), group=group)
                    )
    table = pd.DataFrame(rows, columns=COLUMNS).astype({"landmark": object})
    curves = [curve for curve in curves if len(curve)]
    curve = pd.concat(curves, ignore_index=True) if curves else pd.DataFrame(columns=CURVE_COLUMNS)
    return Calibration(table, integrate(table), curve[CURVE_COLUMNS], by)


def integrate(table: pd.DataFrame) -> pd.DataFrame:
    r"""Return the Brier scores of each landmark and group, integrated over the horizons.

    With horizons :math:`h_1 < \dots < h_K` in whole months, and :math:`B(h)` the score at each,

    .. math:: \frac{1}{h_K - h_1} \sum_{k<K} (h_{k+1} - h_k)\,\frac{B(h_k) + B(h_{k+1})}{2}

    the trapezoid rule between the first and the last horizon asked for; nothing is assumed before
    the first. With one horizon it is the score there. There is no interval: who leaves within
    three months leaves within five, and how the two scores go together is not in the counts.

    Returns
    -------
    DataFrame
        ``landmark``, ``group``, ``first_months``, ``last_months``, ``brier``,
        ``brier_baseline``, ``brier_skill``, ``status``: missing where one horizon has too little.
    """
    rows = []
    for (landmark, group), part in table.groupby(["landmark", "group"], dropna=False, sort=False):
        part = part.sort_values("horizon_months")
        months = part["horizon_months"].to_numpy(float)
        model, none = (_mean_over(months, part[c]) for c in ("brier", "brier_baseline"))
        worst = next(
            s for s in ("not_enough_data", "weak", "supported") if (part.status == s).any()
        )
        landmark = None if pd.isna(landmark) else landmark
        ends = (int(months[0]), int(months[-1]))
        rows.append((landmark, group, *ends, model, none, 1 - model / none, worst))
    return pd.DataFrame(rows, columns=INTEGRATED_COLUMNS).astype({"landmark": object})


def _mean_over(months: np.ndarray, scores: pd.Series) -> float:
    values = scores.to_numpy(float)
    if len(months) == 1:
        return float(values[0])
    return float(np.trapezoid(values, months) / (months[-1] - months[0]))


def _checked(judged: pd.DataFrame, by: str | None) -> pd.DataFrame:
    data = judged[judged["n"] > 0]
    for column in ("chance", "baseline"):
        if not data[column].between(0, 1).all():
            raise ValueError(f"judged: {column} must lie between 0 and 1")
    if not data["events"].between(0, data["n"]).all():
        raise ValueError("judged: events must lie between 0 and n")
    group = as_levels(data[by]) if by else pd.Series("all", index=data.index)
    return data.assign(group=group, landmark=data["landmark"].astype(object))


def _cells(part: pd.DataFrame, repeats: int) -> Judged:
    sums = part.groupby(["chance", "baseline"], as_index=False)[["n", "events"]].sum()
    arrays = (sums[name].to_numpy(float) for name in ("chance", "baseline", "n", "events"))
    return Judged(*arrays, repeats=repeats)


def curve_of(cells: Judged, smooth: Smooth | None) -> pd.DataFrame:
    """Return what the figure draws: the smooth curve, tenths, and the distribution."""
    if smooth is None:
        return pd.DataFrame(columns=CURVE_COLUMNS)
    p, n, left = smooth.chance, smooth.n, smooth.left
    # most chances are small and a few large: points and bars are evenly spaced on a log scale
    first, last = (max(float(quantile(p, n, share)), LEAST) for share in _SHOWN)
    points = p if smooth.kind == "shares" else np.geomspace(first, last, _POINTS)
    low, high = smooth.band(points, cells.repeats)
    line = pd.DataFrame(
        {"predicted": points, "observed": smooth.at(points), "low": low, "high": high}
    )
    if smooth.kind == "shares":  # each chance's own share is as good as a count
        line = line.assign(customers=n, events=left)
    # a chance that many share stays whole: it belongs where the middle of its customers does
    tenth = np.floor(10 * (n.cumsum() - n / 2) / n.sum())
    sums = pd.DataFrame({"customers": n, "events": left, "predicted": n * p}).groupby(tenth).sum()
    low, high = wilson(sums["events"], sums["customers"], cells.repeats)
    share = {"observed": sums["events"] / sums["customers"], "low": low, "high": high}
    dots = sums.assign(predicted=sums["predicted"] / sums["customers"], **share)
    # equal ends: one chance for all has no width
    edges = np.geomspace(first, last if last > first else first * 1.01, _BARS + 1)
    counts, _ = np.histogram(np.clip(p, edges[0], edges[-1]), edges, weights=n)
    bars = pd.DataFrame({"predicted": np.sqrt(edges[1:] * edges[:-1]), "customers": counts})
    parts = [line.assign(kind="smooth"), dots.assign(kind="tenth"), bars.assign(kind="bar")]
    columns = [c for c in CURVE_COLUMNS if c not in {"horizon_months", "group"}]
    whole = [part.reindex(columns=columns) for part in parts]
    return pd.concat(whole, ignore_index=True).assign(repeats=cells.repeats)
