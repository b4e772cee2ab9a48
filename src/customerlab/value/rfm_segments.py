"""The RFM segments in numbers: how large, what they spend, and who of them buys again."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

import ibis.expr.types as ir
import numpy as np
import pandas as pd

from customerlab.churn.curves import FEW_EVENTS, status_of
from customerlab.findings import STATUSES, Check, Finding
from customerlab.messages import Message, listed, say
from customerlab.privacy import about, mask_counts
from customerlab.uplift.to_show import few_of, hide, rounded
from customerlab.value.rfm import ACTION_OF, ACTIONS, MEASURES, REGISTERED, SEGMENTS

#: Columns of :attr:`Segments.table`.
COLUMNS = ["segment", "action", "customers", "share", "spend", "spend_share", "margin"]
COLUMNS += ["orders", "average_order", "spend_per_customer"]
COLUMNS += ["next_n", "next_rate", "next_low", "next_high", "status"]

_MEASURES = {"r": say("recency"), "f": say("frequency"), "m": say("money")}


@dataclass(frozen=True)
class Segments:
    """The segments on a day.

    Attributes
    ----------
    table : DataFrame
        One row per segment of :data:`customerlab.value.rfm.SEGMENTS`, also without customers:
        ``segment``, ``action``; ``customers``, their ``share`` of all; ``spend`` (money less
        refunds, of the window), ``spend_share``, ``margin`` (missing where no product's is known),
        ``orders``, ``average_order`` and ``spend_per_customer`` (money). Of those who were in the
        segment at the landmark: ``next_n`` customers, ``next_rate`` of whom bought afterwards, up
        to the day, ``next_low`` to ``next_high`` (95 %, Wilson); ``status`` by ``next_n``. Shares
        of nothing, or of a total that is not above 0, are missing.
    day, landmark : date
    next_months : int
    varies : dict of str to bool
        Whether buyers differ in each of ``r``, ``f``, ``m``.
    """

    table: pd.DataFrame
    day: dt.date
    landmark: dt.date
    next_months: int
    varies: Mapping[str, bool]

    @property
    def text(self) -> Message:
        """What the table says."""
        table = self.table
        if not table["customers"].sum():
            return say("There are no customers to put into segments.")
        buyers = table.loc[table["orders"] > 0]
        if buyers.empty:
            return say("Nobody has bought anything yet: there is nothing to rank customers by.")
        # of fewer, the money tells of each
        buyers = buyers[buyers["customers"] >= FEW_EVENTS]
        if buyers.empty or not buyers["spend_share"].notna().any():
            return say("Too few customers have bought to compare segments.")
        top = buyers.loc[buyers["spend"].idxmax()]
        return say(
            "Most money comes from “{segment}”: {share:percent0} of the customers, "
            "{spend:percent0} of the spend.",
            segment=SEGMENTS[top["segment"]],
            share=top["share"],
            spend=top["spend_share"],
        )


def describe_segments(
    scored: ir.Table, followed: ir.Table, *, day: dt.date, landmark: dt.date, next_months: int
) -> Segments:
    """Count the segments of a day, and how many bought again of those of a landmark.

    Parameters
    ----------
    scored : table
        Of :func:`customerlab.value.rfm.score_rfm` on the day.
    followed : table
        Of :func:`customerlab.value.rfm.score_and_follow` from the landmark on.
    day, landmark : date
    next_months : int
        From the landmark to the day.
    """
    now = scored.group_by("segment").aggregate(
        customers=scored.count(),
        spend=scored.monetary.sum().cast("float64"),
        margin=scored.margin.cast("decimal(38, 9)").sum().cast("float64"),
        orders=scored.frequency.sum(),
        **{f"{name}_min": scored[name].min() for name in MEASURES},
        **{f"{name}_max": scored[name].max() for name in MEASURES},
    )
    then = followed.group_by("segment").aggregate(
        next_n=followed.count(), again=followed.bought_next.cast("int64").sum()
    )
    table = pd.DataFrame({"segment": list(SEGMENTS), "action": list(map(ACTION_OF.get, SEGMENTS))})
    for counted in (now, then):
        table = table.merge(counted.order_by("segment").to_pandas(), how="left", on="segment")
    for name in ("customers", "spend", "orders", "next_n", "again"):
        table[name] = table[name].fillna(0)
    table = table.astype({"customers": int, "orders": int, "next_n": int, "margin": float})
    all_spend = table["spend"].sum()
    table["share"] = _parts(table["customers"], table["customers"].sum())
    table["spend_share"] = _parts(table["spend"], all_spend if all_spend > 0 else 0)
    table["average_order"] = _parts(table["spend"], table["orders"])
    table["spend_per_customer"] = _parts(table["spend"], table["customers"])
    table[["next_rate", "next_low", "next_high"]] = _wilson(table["again"], table["next_n"])
    table["status"] = [status_of(n) for n in table["next_n"]]
    varies = {
        name: bool(table[f"{name}_max"].max() > table[f"{name}_min"].min()) for name in MEASURES
    }
    return Segments(table[COLUMNS], day, landmark, next_months, varies)


def _parts(above: pd.Series, below: pd.Series | float) -> np.ndarray:
    """Divide; of nothing there is no part."""
    below = np.broadcast_to(np.asarray(below, dtype=float), len(above))
    return np.divide(above, below, out=np.full(len(above), np.nan), where=below != 0)


def _wilson(events: pd.Series, n: pd.Series) -> np.ndarray:
    from statsmodels.stats.proportion import proportion_confint  # slow to import

    rows = np.full((len(n), 3), np.nan)
    some = (n > 0).to_numpy()
    k, m = events.to_numpy(dtype=float)[some], n.to_numpy(dtype=float)[some]
    rows[some] = np.column_stack([k / m, *proportion_confint(k, m, method="wilson")])
    return rows


def segment_findings(segments: Segments, min_cell: int) -> list[Finding]:
    """Return what each of the three actions is about.

    Where few customers are in one of them, those in the others are rounded to multiples of
    `min_cell`: no difference tells how many.

    Returns
    -------
    list of Finding
        ``customer_value.most_valuable`` (share of spend), ``.promising`` (share that buys in the
        next months), ``.low_value`` (share of spend). With fewer than 30 customers behind one, it
        has no number.
    """
    found, customers = [], segments.table.groupby("action")["customers"].sum()
    never = int(segments.table.set_index("segment").loc[REGISTERED, "customers"])
    parts = pd.Series([*customers, never, customers["win"] - never])
    step = min_cell if parts.between(1, min_cell - 1).any() else 1
    for action, name in (("keep", "most_valuable"), ("win", "promising"), ("spare", "low_value")):
        rows = segments.table[segments.table["action"] == action]
        n, future = int(rows["customers"].sum()), action == "win"
        status = status_of(rows["next_n"].sum() if future else n)
        spend = rows["spend_share"].sum(min_count=1)
        again = (rows["next_rate"] * rows["next_n"]).sum().round()
        ends = _wilson(pd.Series([again]), pd.Series([rows["next_n"].sum()]))[0]
        values = tuple(map(float, ends)) if future else (float(spend),) * 3
        if np.isnan(values[0]) or status == "not_enough_data":
            values, status = (None, None, None), "not_enough_data"
            text = _FEW[action]
        else:
            facts = {"n": about(n, step), "share": float(rows["share"].sum()), "spend": spend}
            facts["registered"] = about(never, step)
            facts |= dict(zip(("rate", "low", "high"), map(float, ends), strict=True))
            text = _say(action, segments.next_months, facts)
        behind = int(rows["next_n"].sum()) if future else about(n, step)
        found.append(
            Finding(
                f"customer_value.{name}", text, *values, unit="percent", n=behind, status=status
            )
        )
    return found


_FEW = {
    "keep": say(
        "Too few customers have bought more and more often than others to say who is most valuable."
    ),
    "win": say("Too few promising customers were known long enough to say how many of them buy."),
    "spare": say("Too few customers are of low value to say what leaving them out would mean."),
}


def _say(action: str, months: int, facts: dict) -> Message:
    if action == "keep":
        return say(
            "The most valuable are {n:customers} customers, {share:percent0} of all, and bring "
            "{spend:percent0} of what is spent: raise their loyalty first.",
            **facts,
        )
    if action == "win":
        return say(
            "Of the promising, {rate:percent0} ({low:percent0} to {high:percent0}) bought within "
            "{months:count} months; they are {n:customers} customers now, of whom "
            "{registered:customers} registered and never bought: market to them until they buy.",
            months=months,
            **facts,
        )
    return say(
        "{n:customers} customers, {share:percent0} of all, are of low value and bring "
        "{spend:percent0} of what is spent: spend nothing on them while money is short.",
        **facts,
    )


def check_segments(segments: Segments) -> Check:
    """Check that recency, frequency and money each tell buyers apart."""
    alike = [_MEASURES[name] for name, differ in segments.varies.items() if not differ]
    name, weakens = say("RFM tells customers apart"), ("customer_value.",)
    if not segments.table["orders"].sum():
        return Check(name, None, say("Nobody has bought anything."), weakens)
    if not alike:
        return Check(name, True, say("Each of the three measures differs among buyers."), weakens)
    text = say("All buyers are alike in: {measures}. Segments tell little.", measures=listed(alike))
    return Check(name, False, text, weakens)


def segments_to_show(segments: Segments, min_cell: int) -> pd.DataFrame:
    """Return the table as a report may show it.

    A segment of 1 to `min_cell` less one customers is masked with all its money, and the smallest
    other one of its action with it, for findings tell of each action; the registered, of whom they
    tell, too, are no such other one. Customers of the landmark are rounded to multiples of
    `min_cell`, rates to three decimals, and hidden where they tell of few.
    """
    table = segments.table
    told = table[table["segment"] != REGISTERED].groupby("action")
    money = ["share", "spend", "spend_share", "margin", "orders", "average_order"]
    shown = mask_counts(
        table,
        min_cell=min_cell,
        counts=["customers"],
        with_them=[*money, "spend_per_customer"],
        sums=[*((None, list(part.index)) for _, part in told), (None, range(len(table)))],
    )
    rates = ["next_rate", "next_low", "next_high"]
    few = few_of(table["next_n"], table["next_rate"].fillna(0), min_cell)
    shown[rates] = hide(table.assign(**table[rates].round(3)), rates, few)[rates]
    shown["next_n"] = rounded(table["next_n"], min_cell)
    shown["segment"] = table["segment"].map(SEGMENTS)
    shown["action"] = table["action"].map(ACTIONS)
    shown["status"] = table["status"].map(STATUSES)
    return shown
