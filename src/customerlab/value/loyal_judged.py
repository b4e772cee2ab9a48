"""Whether the chances of staying loyal came true: a year later, or among other customers."""

from __future__ import annotations

from dataclasses import dataclass

import ibis
import numpy as np
import pandas as pd

from customerlab.cells import cells
from customerlab.churn.curves import FEW_EVENTS
from customerlab.findings import Check
from customerlab.lots import drawn
from customerlab.messages import Message, say
from customerlab.value.gaps import shares
from customerlab.value.loyal import Watched
from customerlab.value.loyal_model import fit_loyal

#: Columns of :attr:`JudgedLoyal.table`.
COLUMNS = ["tenth", "customers", "expected", "observed", "low", "high"]

#: Where the years lie too close, the customers are dealt into so many lots.
_LOTS = 5

#: Shares that are off by less on average are right for any decision.
_CLOSE = 0.05


@dataclass(frozen=True)
class JudgedLoyal:
    """What was foretold of customers whom the model had not seen, and what came.

    Attributes
    ----------
    table : DataFrame
        Ten about equal groups by their chance: ``tenth`` (1 the least likely), ``customers``, the
        share ``expected`` and ``observed`` to be loyal, ``low`` to ``high`` (95 %, Wilson). A
        chance that many share stays whole, so that there may be fewer groups.
    counts : DataFrame
        ``chance``, ``n``, ``events``: one row per combination of features.
    earlier : bool
        Whether the model was fitted to the year before; else to other customers of the year.
    """

    table: pd.DataFrame
    counts: pd.DataFrame
    earlier: bool

    @property
    def off(self) -> float:
        """Mean distance of the shares expected and observed, over the customers."""
        n = self.table["customers"].to_numpy(float)
        gap = (self.table["expected"] - self.table["observed"]).abs().to_numpy(float)
        return float(n @ gap / n.sum()) if n.sum() else np.nan

    @property
    def text(self) -> Message:
        """How it was judged."""
        if self.table.empty:
            return say("Nobody's chance of staying loyal could be judged.")
        if self.earlier:
            return say(
                "A model fitted to the year before foretold who would stay loyal in the last one."
            )
        return say(
            "The data hold one year after a landmark only: chances are judged among customers whom "
            "the model had not seen, of the same year. Another year may differ."
        )

    @property
    def check(self) -> Check:
        """Judge whether the chances of staying loyal came true."""
        name, ids = say("Chances of staying loyal come true"), ("customer_value.loyal_mark",)
        n, events = int(self.counts["n"].sum()), int(self.counts["events"].sum())
        if min(events, n - events) < FEW_EVENTS:
            return Check(name, None, say("Too few were loyal, or not, to judge this."), ids)
        text = say(
            "Of ten groups by their chance, the share that stayed loyal is {off:percent} away from "
            "the one expected, on average; up to {limit:percent0} passes.",
            off=self.off,
            limit=_CLOSE,
        )
        return Check(name, self.off <= _CLOSE, text, ids)


def judge_loyal(watched: Watched, earlier: Watched | None = None, *, seed: int = 1) -> JudgedLoyal:
    """Compare chances with what came.

    Parameters
    ----------
    watched : Watched
    earlier : Watched, optional
        Ended by the landmark of `watched`: its model is judged. Where it has none, the customers
        are dealt into five lots, and each is foretold by a model of the others.
    seed : int
        Of the lots.

    Raises
    ------
    ValueError
        If the earlier year was not over by the landmark.
    """
    none = pd.DataFrame({"chance": [], "n": [], "events": []})
    if watched.rows is None:
        return JudgedLoyal(tenths(none), none, earlier=False)
    if earlier is not None and earlier.until > watched.landmark:
        raise ValueError("earlier: its year ends after the landmark, so it knows the future")
    model = None if earlier is None else fit_loyal(earlier.counts, earlier.features)
    if model is not None and model.fitted:
        counts = watched.counts.assign(chance=model.chance(watched.counts))
        return JudgedLoyal(tenths(counts), counts[["chance", "n", "events"]], earlier=True)
    who = watched.rows.customer_id.cast("string")
    later = [(~drawn(seed, "loyal", who, i / _LOTS)).cast("int64") for i in range(1, _LOTS)]
    dealt = watched.rows.mutate(_lot=sum(later, ibis.literal(0)))
    counts = cells(dealt, [*watched.features, "_lot"], {"events": dealt.loyal})
    parts = [none]
    for lot in range(_LOTS):
        mine = counts["_lot"] == lot
        model = fit_loyal(counts[~mine], watched.features)
        if model.fitted and mine.any():
            parts.append(counts[mine].assign(chance=model.chance(counts[mine])))
    judged = pd.concat(parts, ignore_index=True)[["chance", "n", "events"]].astype(float)
    return JudgedLoyal(tenths(judged), judged, earlier=False)


def tenths(counts: pd.DataFrame) -> pd.DataFrame:
    """Return about ten equal groups by ``chance``; see :attr:`JudgedLoyal.table`."""
    sums = counts.astype({"chance": float}).groupby("chance", as_index=False)[["n", "events"]].sum()
    n, k = (sums[name].to_numpy(float) for name in ("n", "events"))
    tenth = np.floor(10 * (n.cumsum() - n / 2) / n.sum()).astype(int) + 1 if len(n) else []
    each = sums.assign(tenth=tenth, expected=n * sums["chance"], customers=n, events=k)
    groups = each.groupby("tenth", as_index=False)[["customers", "expected", "events"]].sum()
    groups["observed"], groups["low"], groups["high"] = shares(
        groups["events"], groups["customers"]
    )
    groups["expected"] = groups["expected"] / groups["customers"]
    return groups.astype({"customers": "int64"})[COLUMNS]
