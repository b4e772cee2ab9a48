"""Whether cut points from the data find next period's spend any better than plain fifths.

Learnt at one landmark, judged at the next: bins of recency, frequency and money by `optbinning`
against what customers spent afterwards, beside the plain fifths. Either way the expected spend is
a sum of one number per score (least squares on counts of customers alike), learnt at the first
landmark. At the second, each way names the fifth of the customers of whom it expects most, and
what counts is the share of the following spend that these bring.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from customerlab.churn.curves import status_of
from customerlab.findings import Finding
from customerlab.lots import drawn
from customerlab.messages import Message, say
from customerlab.privacy import roundest
from customerlab.value.rfm import MEASURES

#: Cuts are learnt from about so many customers, drawn by lot from more.
LEARNT_FROM = 20_000

#: The part of the customers that is looked for.
TOP = 0.2

_CALLED = {
    "recency_days": say("days since the last purchase"),
    "frequency": say("orders"),
    "monetary": say("money"),
}
#: Columns of :func:`cuts_to_show`.
COLUMNS = ["measure", "bin", "low", "high"]


@dataclass(frozen=True)
class Comparison:
    """Cut points from the data beside plain fifths, out of time.

    Attributes
    ----------
    cuts : dict of str to tuple of float
        By measure (``recency_days``, ``frequency``, ``monetary``), rising; a bin begins at its cut.
    fifths, learnt : float
        Share of the following spend that the expected best 20 % bring, by plain fifths and by the
        cuts; missing where nothing was spent.
    difference, low, high : float
        `learnt` less `fifths`, and its 95 % interval: of the customers' spend, the rules as given.
    n : int
        Customers judged.
    buyers : int
        Of them, with spend afterwards.
    better : {"learnt", "neither", "fifths", "unknown"}
    """

    cuts: Mapping[str, tuple[float, ...]]
    fifths: float
    learnt: float
    difference: float
    low: float
    high: float
    n: int
    buyers: int
    better: Literal["learnt", "neither", "fifths", "unknown"]

    @property
    def finding(self) -> Finding:
        """``customer_value.cut_points``: the difference."""
        status = status_of(self.buyers)
        known = self.better != "unknown"
        return Finding(
            "customer_value.cut_points",
            self.text,
            *((self.difference, self.low, self.high) if known else (None, None, None)),
            unit="percent",
            n=self.n,
            status=status if known else "not_enough_data",
        )

    @property
    def text(self) -> Message:
        """Which to use."""
        facts = {"fifths": self.fifths, "learnt": self.learnt, "d": self.difference}
        facts |= {"low": self.low, "high": self.high}
        if self.better == "unknown":
            return say(
                "Too few customers bought in the two periods to judge cut points from the data: "
                "the plain fifths serve."
            )
        if self.better == "learnt":
            return say(
                "Cut points from the data find more: the best 20 % by them bring {learnt:percent1} "
                "of the next period's spend, by plain fifths {fifths:percent1} (difference "
                "{low:percent1} to {high:percent1}).",
                **facts,
            )
        if self.better == "fifths":
            return say(
                "Plain fifths find more: the best 20 % by them bring {fifths:percent1} of the next "
                "period's spend, by cut points from the data {learnt:percent1} (difference "
                "{low:percent1} to {high:percent1}).",
                **facts,
            )
        return say(
            "Cut points from the data find no more than plain fifths: the best 20 % bring "
            "{learnt:percent1} and {fifths:percent1} of the next period's spend (difference "
            "{low:percent1} to {high:percent1}). The plain fifths serve.",
            **facts,
        )


def compare_cuts(learn: ir.Table, judge: ir.Table, *, seed: int) -> Comparison:
    """Learn cut points at one landmark, and compare them with plain fifths at a later one.

    Parameters
    ----------
    learn, judge : table
        Of :func:`customerlab.value.rfm.score_and_follow`; what follows the first landmark should
        end by the second, and both should have the same length.
    seed : int
        Of the lot by which a sample is drawn from very many customers.
    """
    learn, judge = (t.filter(t.r.notnull()) for t in (learn, judge))
    cuts = learn_cuts(learn, seed=seed)
    counted = [_count(t, cuts) for t in (learn, judge)]
    n, buyers = (int(counted[1][name].sum()) for name in ("n", "buyers"))
    whole = float(counted[1]["spend"].sum())
    few = any(status_of(one["buyers"].sum()) == "not_enough_data" for one in counted)
    if few or whole <= 0:
        return Comparison(cuts, *(np.nan,) * 5, n, buyers, "unknown")
    chosen = [_chosen(*counted, kind) for kind in ("p", "d")]
    sums = [counted[1][name].to_numpy(dtype=float) for name in ("spend", "squares")]
    fifths, learnt, low, high = difference_found(*sums, *chosen)
    better = "learnt" if low > 0 else "fifths" if high < 0 else "neither"
    return Comparison(cuts, fifths, learnt, learnt - fifths, low, high, n, buyers, better)


def difference_found(
    spend: np.ndarray, squares: np.ndarray, one: np.ndarray, other: np.ndarray
) -> tuple[float, float, float, float]:
    """Return the share of the spend that two choices of customers find, and their difference.

    Parameters
    ----------
    spend, squares : ndarray of shape (cells,)
        Sums over the customers of a cell, of their spend and of its squares.
    one, other : ndarray of shape (cells,)
        Which part of each cell is chosen, 0 to 1.

    Returns
    -------
    one, other, low, high : float
        Shares, and the 95 % interval of `other` less `one`: a ratio of sums over customers, by
        the delta method.
    """
    whole = spend.sum()
    first, second = float(spend @ one) / whole, float(spend @ other) / whole
    off = other - one - (second - first)
    error = 1.96 * float(np.sqrt(squares @ off**2)) / whole
    return first, second, second - first - error, second - first + error


def learn_cuts(followed: ir.Table, *, seed: int) -> dict[str, tuple[float, ...]]:
    """Return the cuts of each measure that tell next period's spend best, at most four.

    ``optbinning`` (Navas-Palencia 2020, arXiv 2001.08025) under a rising or falling mean; each bin
    has 5 % of the customers or more. Cuts are rounded up to few digits, so that none is the amount
    of a customer. No cuts where a measure or the spend does not vary.
    """
    n = int(followed.count().execute())
    share = LEARNT_FROM / max(n, 1)
    if share < 1:
        lot = drawn(seed, "cut points", followed.customer_id.cast("string"), share)
        followed = followed.filter(lot)
    rows = followed.order_by("customer_id").select(*MEASURES.values(), "next_spend")
    rows = rows.to_pandas().astype(float)
    return {name: _cuts(rows[name], rows["next_spend"]) for name in MEASURES.values()}


def _cuts(values: pd.Series, spend: pd.Series) -> tuple[float, ...]:
    # takes seconds, for it loads a solver and a plotting library: only who bins waits for it
    from optbinning import ContinuousOptimalBinning

    # places instead of values: the tree rounds to 32 bits, which amounts of money do not survive
    known, place = np.unique(values.to_numpy(), return_inverse=True)
    if len(known) < 2 or spend.nunique() < 2:
        return ()
    binning = ContinuousOptimalBinning(
        max_n_bins=5, min_prebin_size=0.05, monotonic_trend="auto_asc_desc"
    )
    # from 0 to 1: a falling mean of larger amounts than that it calls infeasible (1.0)
    scaled = (spend - spend.min()) / (spend.max() - spend.min())
    binning.fit(place.astype(float), scaled.to_numpy())
    if binning.status not in {"OPTIMAL", "FEASIBLE"}:
        raise RuntimeError(f"optbinning found no bins: {binning.status}")
    last = np.floor(binning.splits).astype(int)
    # a cut is above the lower value, and at or below the next one
    return tuple(
        roundest(float(np.nextafter(known[at], np.inf)), float(np.nextafter(known[at + 1], np.inf)))
        for at in last
    )


def bin_of(value: ir.NumericValue, cuts: tuple[float, ...]) -> ir.IntegerValue:
    """Return in which bin a value is, from 0: how many cuts it reaches."""
    bins = ibis.literal(0, "int64")
    for cut in cuts:
        bins = bins + (value.cast("float64") >= cut).cast("int64")
    return bins


def _count(followed: ir.Table, cuts: Mapping[str, tuple[float, ...]]) -> pd.DataFrame:
    """Count customers alike in both ways' scores, with their later spend and its squares."""
    plain = {f"p_{score}": followed[score] for score in MEASURES}
    ours = {f"d_{s}": bin_of(followed[name], cuts[name]) for s, name in MEASURES.items()}
    spend = followed.next_spend
    rows = followed.select(**plain, **ours, spend=spend, bought=(spend > 0).cast("int64"))
    both = (rows.spend.cast("decimal(38, 4)"), rows.spend.cast("float64").round(2))
    counted = rows.group_by([*plain, *ours]).aggregate(
        n=rows.count(),
        buyers=rows.bought.sum(),
        spend=both[0].sum().cast("float64"),
        squares=(both[1] * both[1]).round(4).cast("decimal(38, 4)").sum().cast("float64"),
    )
    return counted.order_by([*plain, *ours]).to_pandas()


def _chosen(learn: pd.DataFrame, judge: pd.DataFrame, kind: str) -> np.ndarray:
    """Return which part of each cell is among the expected best; the last cell in part."""
    columns = [f"{kind}_{score}" for score in MEASURES]
    fit, new = (_indicators(learn[columns], one[columns]) for one in (learn, judge))
    n = learn["n"].to_numpy(dtype=float)
    root = np.sqrt(n)
    mean = learn["spend"].to_numpy(dtype=float) / n
    effects = np.linalg.lstsq(fit * root[:, None], mean * root, rcond=None)[0]
    expected = (new @ effects).round(6)
    size = judge["n"].to_numpy(dtype=float)
    level, at = np.unique(-expected, return_inverse=True)
    together = np.bincount(at, size, len(level))
    before = together.cumsum() - together
    room = np.clip(TOP * size.sum() - before, 0, together)
    return (room / together)[at]


def _indicators(known: pd.DataFrame, rows: pd.DataFrame) -> np.ndarray:
    """Return a column for each level known; one that was never seen is the nearest below it."""
    blocks = [np.ones((len(rows), 1))]
    for column in known:
        levels = np.unique(known[column])
        at = np.clip(np.searchsorted(levels, rows[column], side="right") - 1, 0, None)
        blocks.append((at[:, None] == np.arange(len(levels))).astype(float))
    return np.hstack(blocks)


def cuts_to_show(comparison: Comparison) -> pd.DataFrame:
    """Return the bins: ``measure``, ``bin`` (from 1), ``low`` (reached), ``high`` (not).

    The ends are missing. No bin is of few customers, and no cut the amount of one.
    """
    rows = []
    for measure, cuts in comparison.cuts.items():
        ends = [np.nan, *cuts, np.nan]
        rows += [(_CALLED[measure], i + 1, ends[i], ends[i + 1]) for i in range(len(cuts) + 1)]
    return pd.DataFrame(rows, columns=COLUMNS)
