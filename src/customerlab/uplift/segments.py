"""What a campaign does in segments that were declared in advance, each drawn towards all.

The highest of several numbers is high by luck, too: a segment's own effect is drawn towards the
mean of all, the more the less it is known and the less segments differ.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy

from customerlab.churn.curves import FEW_EVENTS
from customerlab.findings import STATUSES, Status
from customerlab.messages import Message, say
from customerlab.privacy import HIDDEN, round_counts
from customerlab.uplift.average import compare_arms
from customerlab.uplift.effects_shown import few_behind
from customerlab.uplift.sums import ArmSums
from customerlab.uplift.to_show import tidy
from customerlab.uplift.welch import LEVEL, variance_of

COLUMNS = ["segment", "n", "control_n", "control_mean", "treated_mean", "effect", "low", "high"]
COLUMNS += ["shrunk", "shrunk_low", "shrunk_high", "binary", "status"]
_NUMBERS = ["effect", "low", "high", "shrunk", "shrunk_low", "shrunk_high"]
#: Points between 0 and 1 at which the spread between segments is weighed, and how much each counts.
_POINTS, _EACH = np.polynomial.legendre.leggauss(64)


@dataclass(frozen=True)
class Segments:
    """Effects of one arm on one outcome, segment by segment.

    Attributes
    ----------
    table : DataFrame
        ``segment``, customers ``n`` and ``control_n``, ``control_mean``, ``treated_mean``,
        ``effect`` (in the outcome's unit) with its 95 % interval ``low`` to ``high``, the same
        drawn towards the mean of all segments ``shrunk``, ``shrunk_low``, ``shrunk_high``,
        ``binary``, ``status``. Missing where it cannot be told; a segment that is
        ``not_enough_data`` is not drawn, and draws none.
    statistic, df, p : float
        Cochran's (1954) Q, chi-squared with `df` degrees of freedom if all segments' effects are
        the same. Missing with fewer than two segments.
    mean, mean_low, mean_high : float
        The one effect of all segments, if they have the same (inverse-variance weighted).
    outcome, by : Message or str
        In words; `by` is what the segments are segments of.
    status : {"supported", "weak", "not_enough_data"}
        The worst of the segments that are compared.
    """

    table: pd.DataFrame
    statistic: float
    df: int
    p: float
    mean: float
    mean_low: float
    mean_high: float
    outcome: Message | str
    by: Message | str
    status: Status

    @property
    def differ(self) -> bool:
        """Whether segments surely differ."""
        return bool(self.p < 1 - LEVEL)

    def say(self, min_cell: int = 1) -> Message:
        """Return the answer in words; no number of fewer than `min_cell` customers."""
        told = {"outcome": self.outcome, "by": self.by}
        if self.status == "not_enough_data":
            return say(
                "Not enough data to say whether the effect on {outcome} differs by {by}: fewer "
                "than two segments have {least:count} customers in each arm, and as many of the "
                "rarer outcome.",
                least=FEW_EVENTS,
                **told,
            )
        told |= {"p": self.p}
        if not self.differ:
            return say(
                "It is not sure that the effect on {outcome} differs by {by} (p = {p:chance}): "
                "their own numbers lie apart no further than chance may have them. Until more is "
                "known, reckon with the effect on all customers in each.",
                **told,
            )
        shown = self.table[self.table["shrunk"].notna() & ~few_behind(self.table, min_cell)]
        if len(shown) < 2:
            return say(
                "The effect on {outcome} differs by {by} (p = {p:chance}); the numbers are not "
                "shown, for they would tell of very few customers.",
                **told,
            )
        ends = shown.sort_values("shrunk", kind="stable").iloc[[-1, 0]]
        for end, (_, row) in zip(("most", "least"), ends.iterrows(), strict=True):
            told |= {end: row["segment"], f"{end}_effect": float(row["shrunk"])}
            told |= {f"{end}_low": float(row["shrunk_low"])}
            told |= {f"{end}_high": float(row["shrunk_high"])}
        return say(
            "The effect on {outcome} differs by {by} (p = {p:chance}). It is highest in "
            "{most}, {most_effect:number4} (95 % interval {most_low:number4} to "
            "{most_high:number4}), and lowest in {least}, {least_effect:number4} "
            "({least_low:number4} to {least_high:number4}).",
            **told,
        )

    @property
    def text(self) -> Message:
        """The answer in words."""
        return self.say()


def compare_segments(
    segments: Mapping[str, Mapping[str, ArmSums]],
    *,
    arm: str,
    control: str,
    outcome: str,
    by: Message | str | None = None,
    called: Message | str | None = None,
) -> Segments:
    r"""Compare an arm with the control in each segment, and draw the effects together.

    Effects :math:`y_j` of known variance :math:`V_j` (Welch's) have true effects that are normal
    with mean :math:`\mu` and spread :math:`\tau`, both with flat priors (Gelman and others,
    Bayesian Data Analysis, ch. 5). An estimate of :math:`\tau` is often 0 although segments
    differ, and intervals that take it for the truth are too short; so all are weighed.
    That takes three segments; of two, each keeps its own effect. Intervals hold the segments' true
    effects on average over segments (in trials with 3, 5 and 10 segments and any spread 94 to
    99 %), not each: one that truly is far from all others is drawn too far.

    Parameters
    ----------
    segments : mapping of str to mapping of str to ArmSums
        Segment, arm, sums. Customers of each segment in one only. A segment without one of the
        two arms has no effect.
    arm, control, outcome : str
    by, called : Message or str, optional
        In words: what the segments are segments of, and the outcome.

    Raises
    ------
    CustomerlabError
        If the outcome does not exist, with the nearest that does.
    """
    by = say("segment") if by is None else by
    rows, variances = [], []
    for name, arms in segments.items():
        row = dict.fromkeys(COLUMNS, float("nan")) | {"segment": name, "n": 0, "control_n": 0}
        row |= {"binary": False, "status": "not_enough_data"}
        variance = float("nan")
        for column, one in (("n", arm), ("control_n", control)):
            row[column] = float(arms[one].n) if one in arms else 0.0
        if arm in arms and control in arms:
            pair = {one: arms[one] for one in (arm, control)}
            seen = compare_arms(pair, control=control, outcomes=[outcome]).table.iloc[0]
            row |= {column: seen[column] for column in seen.index.intersection(COLUMNS)}
            if seen["why_not"] is None:
                variance = sum(variance_of(one, outcome) / one.n for one in pair.values())
        rows.append(row)
        variances.append(variance if row["status"] != "not_enough_data" else float("nan"))
    table = pd.DataFrame(rows, columns=COLUMNS)
    known = np.isfinite(variances)
    told = (outcome if called is None else called, by)
    nan = float("nan")
    if known.sum() < 2:
        return Segments(table, nan, 0, nan, *[nan] * 3, *told, "not_enough_data")
    effect = table.loc[known, "effect"].to_numpy(dtype=float)
    variance = np.array(variances)[known]
    drawn = table.loc[known, ["effect", "low", "high"]].to_numpy(dtype=float)
    if len(effect) > 2:
        drawn = draw_together(effect, variance)
    table.loc[known, ["shrunk", "shrunk_low", "shrunk_high"]] = drawn
    weight = 1 / variance
    mean = float(weight @ effect / weight.sum())
    half = scipy.stats.norm.ppf((1 + LEVEL) / 2) / np.sqrt(weight.sum())
    statistic = float(weight @ (effect - mean) ** 2)
    df = int(known.sum()) - 1
    status: Status = "weak" if (table.loc[known, "status"] == "weak").any() else "supported"
    p = float(scipy.stats.chi2.sf(statistic, df))
    return Segments(table, statistic, df, p, mean, mean - half, mean + half, *told, status)


def draw_together(effect: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """Return mean and ends of the 95 % interval of each true effect.

    The model is that of :func:`compare_segments`.

    Parameters
    ----------
    effect, variance : array, shape (k,)
        Three at least, variances above 0.

    Returns
    -------
    ndarray, shape (k, 3)
    """
    # spreads from 0 to infinity, most of them about the size of a typical error
    share = (_POINTS + 1) / 2
    tau2 = (((1 / share - 1) ** 2) / np.mean(1 / variance))[:, None]
    whole = variance + tau2
    precision = (1 / whole).sum(axis=1)
    mean = (effect / whole).sum(axis=1) / precision
    log = -0.5 * (np.log(whole) + (effect - mean[:, None]) ** 2 / whole).sum(axis=1)
    log -= 0.5 * np.log(precision)
    weight = np.exp(log - log.max()) * _EACH / share**2
    weight /= weight.sum()
    pulled = variance / whole
    centre = pulled * mean[:, None] + (1 - pulled) * effect
    spread = np.sqrt((1 - pulled) * variance + pulled**2 / precision[:, None])
    ends = [
        _quantile(weight, centre, spread, chance) for chance in ((1 - LEVEL) / 2, (1 + LEVEL) / 2)
    ]
    return np.column_stack([weight @ centre, *ends])


def _quantile(
    weight: np.ndarray, centre: np.ndarray, spread: np.ndarray, chance: float
) -> np.ndarray:
    """Return the quantile of each column's mixture of normals, by halving."""
    low, high = (centre - 9 * spread).min(axis=0), (centre + 9 * spread).max(axis=0)
    for _ in range(36):
        middle = (low + high) / 2
        below = weight @ scipy.special.ndtr((middle - centre) / spread) < chance
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return (low + high) / 2


def segments_to_show(segments: Segments, min_cell: int) -> pd.DataFrame:
    """Return the segments as a report may show them.

    Numbers of customers are rounded to multiples of `min_cell`, those of shares to four decimals.
    All numbers of a segment are ``hidden`` where its arms have fewer than `min_cell` customers, or
    of a 0/1 outcome that few of either kind.

    Parameters
    ----------
    segments : Segments
    min_cell : int
    """
    table = segments.table
    few, shares = few_behind(table, min_cell), table["binary"].astype(bool)
    shown = table.drop(columns=["control_mean", "treated_mean", "binary"])
    for column in ("n", "control_n"):
        rounded = round_counts(table[column], min_cell).astype(object)
        small = table[column].between(1, min_cell - 1)
        shown[column] = rounded.mask(small, f"<{min_cell}")
    for column in _NUMBERS:
        values = table[column].astype(float)
        values = values.mask(shares, tidy(values)).astype(object)
        shown[column] = values.mask(few & values.notna(), HIDDEN)
    shown["status"] = table["status"].map(STATUSES)
    return shown
