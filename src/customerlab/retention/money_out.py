"""Where the money of leavers went: their outgoing money by kind, channel and recipient."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd
import scipy

from customerlab.calendar_months import month_index
from customerlab.churn.curves import status_of
from customerlab.features import UNKNOWN
from customerlab.findings import Finding, Status
from customerlab.messages import Message, Words, say
from customerlab.privacy import mask_counts
from customerlab.retention.paths import FOLLOW, LEAVERS, STAYERS, index_months

#: What money goes out by, and what a reader calls it.
WAYS: dict[str, Message] = {
    "all": say("all outgoing money"),
    "kind": say("kind of transaction"),
    "channel": say("channel"),
    "counterparty": say("recipient"),
}
#: Recipients of fewer leavers than may be shown, together.
OTHER = "other"
_ITEMS: dict[str, Message] = {
    "all": say("all of it"),
    OTHER: say("other recipients"),
    UNKNOWN: say("not recorded"),
    "transfer_out": say("transfer out"),
    "withdrawal": say("cash withdrawal"),
    "purchase": say("purchase"),
    "branch": say("branch"),
    "atm": say("cash machine"),
    "app": say("app"),
    "card": say("card"),
}
_SUMS = ["who", "month_index", "by", "item", "customers", "amount"]
_WENT = ["by", "item", "leavers", "leavers_share", "low", "high"]
_WENT += ["stayers_share", "stayers_low", "stayers_high"]
_WENT += ["leavers_amount_share", "stayers_amount_share"]


@dataclass(frozen=True)
class MoneyWent:
    """The outgoing money of leavers in their last months, beside that of stayers.

    Attributes
    ----------
    table : DataFrame
        ``by`` (a key of :data:`WAYS`), ``item``, ``leavers`` (customers) with such outgoing money
        and their share of all leavers with its 95 % interval (``leavers_share``, ``low``,
        ``high``); the same share of the stayers (``stayers_share``, ``stayers_low``,
        ``stayers_high``); and the share of all outgoing money that went so
        (``leavers_amount_share``, ``stayers_amount_share``).
    leavers : int
    months : int
        The last months up to and with the month of the exit.
    times : float
        Outgoing money of a leaver in these months, in times that of a stayer.
    status : str
    """

    table: pd.DataFrame
    leavers: int
    months: int
    times: float
    status: Status


def item_name(item: str) -> Message | str:
    """Return what a reader calls a kind, channel or recipient; a client's own word stays."""
    return _ITEMS.get(item, item)


def where_money_went(
    transactions: ir.Table | None,
    lines: ir.Table,
    *,
    months: int = 3,
    follow: int = FOLLOW,
    min_cell: int = 10,
    not_movements: Sequence[str] = ("interest", "fee"),
    keep: Callable[[ir.Table], ir.Table] = lambda table: table,
) -> MoneyWent:
    """Count by which ways the money of leavers went out in their last months.

    Parameters
    ----------
    transactions : table or None
        ``customer_id``, ``occurred_at``, ``amount`` (negative: outgoing) and any of ``kind``,
        ``channel``, ``counterparty``.
    lines : table
        See :func:`customerlab.retention.paths.asset_path`.
    months : int
        How many, the month of the exit being the last: the exit is the last sign of the customer,
        so what is taken away on leaving is taken in it.
    follow : int
        A stayer is known not to leave in so many months after the same months.
    min_cell : int
        A recipient is named where so many leavers paid to it; the rest are ``other``.
    not_movements : sequence of str
        Kinds that are no doing of the customer.
    keep : callable, optional
        Works a table out once.

    Returns
    -------
    MoneyWent
        Stayers' numbers are those of the same calendar months, weighted by the leavers in each.
        The interval of a stayers' share takes each stayer for one, in however many months.
    """
    left = index_months(lines, first=0, last=9999 * 12, follow=follow)
    ways = [way for way in WAYS if transactions is not None and way in transactions.columns]
    known = left.group_by("who", "month_index").aggregate(all=left.customer_id.nunique())
    known = known.order_by("who", "month_index").to_pandas()
    known = known.pivot_table(index="month_index", columns="who", values="all", fill_value=0)
    known = known.reindex(columns=[LEAVERS, STAYERS], fill_value=0)
    seen = (known[LEAVERS] > 0) & (known[STAYERS] > 0)
    months_used = [int(month) for month in known.index[seen]]
    leavers = int(known.loc[seen, LEAVERS].sum())
    if transactions is None or not months_used:
        return MoneyWent(_nothing(), leavers, months, float("nan"), "not_enough_data")
    out = transactions.filter(transactions.amount < 0)
    if "kind" in ways:
        out = out.filter(out.kind.isnull() | out.kind.notin(list(not_movements)))
    out = out.select(
        whose="customer_id",
        then=month_index(out.occurred_at.date()),
        amount=-out.amount,
        all=ibis.literal("all"),
        **{way: out[way].cast("string").fill_null(UNKNOWN) for way in ways},
    )
    index = left.filter(left.month_index.isin(months_used))
    index = index.mutate(back=ibis.range(0, months).cast("array<int64>").unnest())
    index = index.mutate(then=index.month_index - index.back)
    spent = index.join(out, [("customer_id", "whose"), "then"])
    if "counterparty" in ways:
        spent = _named(spent, min_cell)
    spent = keep(spent.select("who", "customer_id", "month_index", "amount", "all", *ways))
    parts = [
        spent.group_by("who", "month_index", item=spent[way]).aggregate(
            customers=spent.customer_id.nunique(), amount=spent.amount.sum()
        )
        for way in ["all", *ways]
    ]
    frames = [
        part.order_by("who", "month_index", "item").to_pandas().assign(by=way)
        for way, part in zip(["all", *ways], parts, strict=True)
    ]
    sums = pd.concat(frames, ignore_index=True)[_SUMS]
    stayers = left.filter((left.who == STAYERS) & left.month_index.isin(months_used))
    distinct = int(stayers.customer_id.nunique().execute())
    if sums.empty:
        return MoneyWent(_nothing(), leavers, months, float("nan"), "not_enough_data")
    table, times = _compared(sums, known.loc[seen], distinct)
    return MoneyWent(table, leavers, months, times, status_of(leavers))


def _nothing() -> pd.DataFrame:
    return pd.DataFrame(columns=_WENT)


def _named(spent: ir.Table, min_cell: int) -> ir.Table:
    """Name only recipients that enough leavers paid to: others may be a person."""
    paid = spent.filter(spent.who == LEAVERS).group_by(known="counterparty")
    paid = paid.aggregate(number=lambda t: t.customer_id.nunique())
    paid = paid.filter((paid.number >= min_cell) | (paid.known == UNKNOWN))
    spent = spent.left_join(paid, [("counterparty", "known")])
    named = spent.known.isnull().ifelse(OTHER, spent.counterparty)
    return spent.mutate(counterparty=named).drop("known", "number")


def _compared(sums: pd.DataFrame, known: pd.DataFrame, distinct: int) -> tuple[pd.DataFrame, float]:
    """Weight the stayers of each month to its leavers, and put both side by side."""
    from statsmodels.stats.proportion import proportion_confint  # slow to import

    ratio = known[LEAVERS] / known[STAYERS]
    weight = np.where(sums["who"] == LEAVERS, 1.0, sums["month_index"].map(ratio))
    sums = sums.assign(
        customers=sums["customers"] * weight, amount=sums["amount"].astype(float) * weight
    )
    both = sums.pivot_table(
        index=["by", "item"], columns="who", values=["customers", "amount"], aggfunc="sum"
    ).fillna(0.0)
    both = both.reindex(
        columns=pd.MultiIndex.from_product([["customers", "amount"], [LEAVERS, STAYERS]]),
        fill_value=0.0,
    )
    n = float(known[LEAVERS].sum())
    amounts = both["amount"]
    total = amounts.loc[("all", "all")]
    table = pd.DataFrame(index=both.index)
    table["leavers"] = both[("customers", LEAVERS)].round().astype("int64")
    table["leavers_share"] = table["leavers"] / n
    table["low"], table["high"] = proportion_confint(table["leavers"], n, method="wilson")
    share = (both[("customers", STAYERS)] / n).clip(upper=1.0)
    table["stayers_share"] = share
    ends = proportion_confint(share * distinct, distinct, method="wilson")
    table["stayers_low"], table["stayers_high"] = ends
    for who in (LEAVERS, STAYERS):
        table[f"{who}_amount_share"] = amounts[who] / total[who] if total[who] else float("nan")
    times = total[LEAVERS] / total[STAYERS] if total[STAYERS] else float("nan")
    table = table.reset_index()
    table["place"] = table["by"].map(list(WAYS).index)
    order = ["place", "leavers_amount_share", "item"]
    table = table.sort_values(order, ascending=[True, False, True], ignore_index=True)
    return table[_WENT], float(times)


def money_went_to_show(went: MoneyWent, words: Words, min_cell: int) -> pd.DataFrame:
    """Return the table for a report, small counts masked with what tells of them.

    Customers who used several ways stand in several rows, so that no row is the rest of others.
    """
    table = went.table.assign(
        by=[words(WAYS[by]) for by in went.table["by"]],
        item=[words(item_name(item)) for item in went.table["item"]],
    )
    everyone = pd.DataFrame({"leavers": [went.leavers]})
    both = pd.concat([everyone, table], ignore_index=True)
    others = [name for name in _WENT if name.startswith("leavers_") or name in ("low", "high")]
    pairs = [(0, row) for row in range(1, len(both))]
    masked = mask_counts(
        both, min_cell=min_cell, counts=["leavers"], with_them=others, differences=pairs
    )
    return masked.iloc[1:].reset_index(drop=True)[_WENT].rename(columns={"item": "which"})


def money_went(went: MoneyWent) -> Finding:
    """Return by which way clearly more of the leavers' money went than of the stayers'.

    Returns
    -------
    Finding
        ``churn_timing.money_went``: of the recipients that clearly more leavers paid to than
        stayers, the one with the largest difference in customers; of the channels, then the
        kinds, where no recipient is. Clear is a difference beyond an interval that allows for the
        number of ways compared (Bonferroni). The value is the share of the leavers.
    """
    id_ = "churn_timing.money_went"
    table = went.table[~went.table["item"].isin(["all", OTHER, UNKNOWN])]
    if went.status == "not_enough_data" or table.empty:
        text = say(
            "With {leavers:customers} leavers and what is known of their outgoing money it cannot "
            "be said where it went.",
            leavers=went.leavers,
        )
        return Finding(id=id_, text=text, unit="percent", n=went.leavers, status="not_enough_data")
    z = scipy.stats.norm.ppf(1 - 0.025 / len(table)) / scipy.stats.norm.ppf(0.975)
    gap = table["leavers_share"] - table["stayers_share"]
    half = z * np.hypot(
        table["leavers_share"] - table["low"], table["stayers_high"] - table["stayers_share"]
    )
    clear = table[gap > half]
    if clear.empty:
        text = say(
            "Leavers' money goes out by the same ways as that of other customers: no kind, channel "
            "or recipient stands out in the {months:count} months up to the exit.",
            months=went.months,
        )
        return Finding(id=id_, text=text, unit="percent", n=went.leavers, status="weak")
    best = clear.loc[gap[clear.index].groupby(clear["by"]).idxmax()].set_index("by")
    ways = [way for way in ("counterparty", "channel", "kind") if way in best.index]
    main = best.loc[ways[0]]
    told = {
        "months": went.months,
        "share": main["leavers_share"],
        "way": WAYS[ways[0]],
        "item": item_name(main["item"]),
        "other": main["stayers_share"],
    }
    text = say(
        "In the {months:count} months up to the exit {share:percent} of the leavers sent money "
        "out by “{way}: {item}”, against {other:percent} of other customers in the same months.",
        **told,
    )
    if len(ways) > 1:
        second = best.loc[ways[1]]
        text = say(
            "In the {months:count} months up to the exit {share:percent} of the leavers sent money "
            "out by “{way}: {item}”, against {other:percent} of other customers in the same "
            "months; and {share_2:percent} by “{way_2}: {item_2}”, against {other_2:percent}.",
            **told,
            share_2=second["leavers_share"],
            way_2=WAYS[ways[1]],
            item_2=item_name(second["item"]),
            other_2=second["stayers_share"],
        )
    return Finding(
        id=id_,
        text=text,
        value=float(main["leavers_share"]),
        low=float(main["low"]),
        high=float(main["high"]),
        unit="percent",
        n=went.leavers,
        status=went.status,
    )
