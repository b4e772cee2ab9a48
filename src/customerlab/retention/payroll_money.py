"""Where the pay goes: what payroll customers do with it in the days after it came in.

Attribution, first in first out from the pay on: all money that a customer moves out after a pay
came in, and before the next one does, is set against that pay in the order of time, until the pay
is used up. What goes out beyond the pay is older money and does not count. A pay is what comes
in on one calendar day; within ``d`` days is up to the end of the ``d``-th day after it. What has
not gone out by then is kept.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Mapping, Sequence
from functools import cache

import ibis
import ibis.expr.types as ir
import pandas as pd
import scipy

from customerlab.calendar_months import month_index, months_before
from customerlab.churn.curves import FEW_EVENTS
from customerlab.churn.levels import natural_order
from customerlab.errors import CustomerlabError, nearest
from customerlab.features import UNKNOWN
from customerlab.retention.payroll_answers import (
    COLUMNS,
    DAYS,
    DIFFERENCES,
    LEAVES_WITHIN_MONTHS,
    USES,
    WHO,
    PayrollUse,
)

#: The kind of transaction that tells what becomes of pay; what is left is kept.
KINDS = {"spent": "purchase", "withdrawn": "withdrawal", "moved": "transfer_out"}

_SHARES = [f"{use}_{days}" for use in USES for days in DAYS]
_MONEY = "decimal(38, 4)"


def follow_pay(
    transactions: ir.Table,
    lines: ir.Table,
    people: ir.Table | None = None,
    *,
    snapshot: dt.date,
    months: int = 12,
    by: Sequence[str] = ("gender", "age_band"),
    keep: Callable[[ir.Table], ir.Table] = lambda table: table,
) -> PayrollUse:
    r"""Follow each pay of the last months for 30 days.

    Shares are ratios of sums, :math:`R = \sum x_i / \sum p_i` over customers, with the linearised
    variance :math:`\frac{n}{n-1} \sum (x_i - R p_i)^2 / (\sum p_i)^2` (Cochran, Sampling
    Techniques, 1977, ch. 6; customers are the clusters); the sums of squares and products are
    added up by the engine. The interval is made on the logit scale, with Student's t.

    Parameters
    ----------
    transactions : table
        The clean canonical table, with ``kind``. Money out counts by its size, whichever sign
        it is booked with. A pay is all payroll credits of one calendar day.
    lines : table
        See :func:`customerlab.durations.durations_from`. A leaver exits in the month of the pay
        or the three after; a stayer was still there when they had passed.
    people : table, optional
        ``customer_id``, one row each, and the columns of `by`.
    snapshot : date
    months : int
    by : sequence of str
        Columns of `people` to compare by; none without `people`.
    keep : callable, optional
        Works a table out once.

    Raises
    ------
    CustomerlabError
        When `people` has no such column.
    """
    groups = list(by) if people is not None else []
    for name in groups:
        if name not in people.columns:
            known = [column for column in people.columns if column != "customer_id"]
            hint = nearest(name, known)
            raise CustomerlabError(f"follow_pay: people has no column {name!r}{hint}")
    nothing = PayrollUse(
        pd.DataFrame(columns=COLUMNS), pd.DataFrame(columns=DIFFERENCES), months=months
    )
    if "kind" not in transactions.columns:
        return nothing
    pays = _outcome(_pays(transactions, snapshot, months), lines)
    if people is not None:
        own = people.select(whose="customer_id", **{f"by_{g}": people[g] for g in groups})
        pays = pays.left_join(own, [("customer_id", "whose")]).drop("whose")
    named = {g: pays[f"by_{g}"].cast("string").fill_null(UNKNOWN) for g in groups}
    pays = keep(pays.mutate(**{f"by_{g}": level for g, level in named.items()}))
    keys = [f"by_{name}" for name in groups]
    sums = _added_up(_per_customer(pays, keys), keys)
    if sums.empty:
        return nothing
    parts = [_shares(sums, "all", None)]
    parts += [_shares(sums, name, f"by_{name}") for name in groups]
    whole = sums[sums["who"] == "all"]
    return PayrollUse(
        table=pd.concat(parts, ignore_index=True)[COLUMNS],
        differences=_differences(sums, pays),
        customers=int(whole["customers"].sum()),
        pays=int(whole["pays"].sum()),
        not_known=int(whole["pays"].sum() - sums.loc[sums["who"] != "all", "pays"].sum()),
        months=months,
    )


def _pays(transactions: ir.Table, snapshot: dt.date, months: int) -> ir.Table:
    """Return one row per pay: its amount and what of it went where within each number of days."""
    t = transactions.select(
        "customer_id", "kind", at="occurred_at", amount=transactions.amount.cast(_MONEY)
    )
    day = t.at.date()
    t = t.filter((day > months_before(snapshot, months)) & (day <= snapshot))
    credit = t.filter((t.kind == "payroll") & (t.amount > 0))
    paid = credit.group_by("customer_id", day=credit.at.date()).aggregate(
        at=credit.at.min(), amount=credit.amount.sum().cast(_MONEY)
    )
    zero, none = ibis.literal(0).cast(_MONEY), ibis.null("string")
    paid = paid.select("customer_id", "at", goes=0, use=none, paid="amount", out=zero)
    gone = t.filter(t.kind.isin(list(KINDS.values())))
    # of those who are paid only: most customers are not
    gone = gone.semi_join(paid, "customer_id").select(*t.columns)
    use = ibis.cases(*((gone.kind == kind, use) for use, kind in KINDS.items()), else_=none)
    out = gone.amount.abs().cast(_MONEY)
    gone = gone.select("customer_id", "at", goes=1, use=use, paid=ibis.null(_MONEY), out=out)
    rows = paid.union(gone)
    # money that goes at the very moment of the pay goes after it: days may be all that is known
    since = ibis.cumulative_window(group_by="customer_id", order_by=["at", "goes"])
    rows = rows.mutate(pay_at=(rows.goes == 0).ifelse(rows.at, ibis.null(rows.at.type())))
    rows = rows.mutate(pay_at=rows.pay_at.max().over(since))
    rows = rows.filter(rows.pay_at.notnull())
    # rows that tie in all of these are alike, so that every engine gets the same sums
    order = ["goes", "at", "use", "out"]
    own = ["customer_id", "pay_at"]
    rows = rows.mutate(
        pay=rows.paid.max().over(group_by=own),
        before=rows.out.sum().over(ibis.cumulative_window(group_by=own, order_by=order)) - rows.out,
        after=rows.at.date().delta(rows.pay_at.date(), unit="day"),
    )
    taken = ibis.greatest(ibis.least(rows.out, rows.pay - rows.before), zero)
    rows = rows.mutate(taken=taken.cast(_MONEY))
    shares = {
        f"{use}_{days}": rows.taken.sum(where=(rows.use == use) & (rows.after <= days))
        for use in KINDS
        for days in DAYS
    }
    pays = rows.group_by("customer_id", "pay_at", "pay").aggregate(**shares)
    pays = pays.filter(pays.pay_at.date() <= snapshot - dt.timedelta(days=max(DAYS)))
    pays = pays.mutate(**{name: pays[name].fill_null(zero).cast(_MONEY) for name in shares})
    left = {
        f"kept_{days}": (pays.pay - sum(pays[f"{use}_{days}"] for use in KINDS)).cast(_MONEY)
        for days in DAYS
    }
    return pays.mutate(**left)


def _outcome(pays: ir.Table, lines: ir.Table) -> ir.Table:
    """Add ``who``: leavers or stayers; null where that is not known."""
    stay = lines.select(
        "churned",
        whose="customer_id",
        first=month_index(lines.joined_month) + lines.entry,
        last=month_index(lines.joined_month) + lines.duration - 1,
    )
    pays = pays.left_join(stay, [("customer_id", "whose")]).drop("whose")
    month = month_index(pays.pay_at.date())
    seen, ahead = month >= pays["first"], pays["last"] - month
    soon = pays.churned & (ahead >= 0) & (ahead <= LEAVES_WITHIN_MONTHS)
    stays = ahead >= LEAVES_WITHIN_MONTHS
    return pays.mutate(
        who=ibis.cases(
            (seen & soon, "leavers"), (seen & stays, "stayers"), else_=ibis.null("string")
        )
    ).drop("churned", "first", "last")


def _per_customer(pays: ir.Table, keys: Sequence[str]) -> ir.Table:
    """Add up each customer's pays, as one of all and as a leaver or stayer."""
    whose = pays.filter(pays.who.notnull())
    both = pays.mutate(who=ibis.literal("all")).union(whose)
    return both.group_by("customer_id", "who", *keys).aggregate(
        pays=both.count(), **{name: both[name].sum().cast(_MONEY) for name in ["pay", *_SHARES]}
    )


def _square(one: ir.Value, other: ir.Value) -> ir.Value:
    # exact: hundredths are enough for a variance, and leave room for the digits of the product
    return (one.cast("decimal(18, 2)") * other.cast("decimal(18, 2)")).sum().cast("float64")


def _added_up(each: ir.Table, keys: Sequence[str]) -> pd.DataFrame:
    """Return, for each kind of customer, sums, squares and products: all that an interval needs."""
    measures = {
        "customers": each.count(),
        "pays": each.pays.sum(),
        "pp": _square(each.pay, each.pay),
    }
    for name in ["pay", *_SHARES]:
        measures[name] = each[name].sum().cast("float64")
    for name in _SHARES:
        measures[f"{name}_xx"] = _square(each[name], each[name])
        measures[f"{name}_xp"] = _square(each[name], each.pay)
    table = each.group_by("who", *keys).aggregate(**measures)
    return table.order_by(["who", *keys]).to_pandas()


def _shares(sums: pd.DataFrame, feature: str, key: str | None) -> pd.DataFrame:
    level = sums[key] if key else pd.Series("all", index=sums.index)
    added = sums.select_dtypes("number").groupby([sums["who"], level.rename("group")]).sum()
    rows = []
    for who in WHO:
        for group in sorted({g for w, g in added.index if w == who}, key=natural_order):
            cell = added.loc[(who, group)].to_dict()
            for days in DAYS:
                for use in USES:
                    share, error = _ratio(cell, f"{use}_{days}")
                    counts = (int(cell["customers"]), int(cell["pays"]))
                    ends = _interval(share, error, counts[0])
                    rows.append((who, feature, group, days, use, *counts, share, *ends))
    return pd.DataFrame(rows, columns=COLUMNS)


def _ratio(cell: Mapping[str, float], name: str) -> tuple[float, float]:
    """Return a ratio of sums over customers and its standard error."""
    n, ratio = cell["customers"], cell[name] / cell["pay"]
    squares = cell[f"{name}_xx"] - 2 * ratio * cell[f"{name}_xp"] + ratio**2 * cell["pp"]
    if n < 2:
        return ratio, math.nan
    return ratio, math.sqrt(max(squares, 0.0) * n / (n - 1)) / cell["pay"]


@cache
def _quantile(freedom: float) -> float:
    return float(scipy.stats.t.ppf(0.975, freedom))


def _interval(share: float, error: float, customers: int) -> tuple[float, float]:
    # nearly 0 or 1: what rounding leaves of it has no interval
    if customers < FEW_EVENTS or not 1e-9 < share < 1 - 1e-9:
        return math.nan, math.nan
    half = _quantile(customers - 1) * error / (share * (1 - share))
    middle = math.log(share / (1 - share))
    return tuple(1 / (1 + math.exp(-(middle + side * half))) for side in (-1, 1))


def _differences(sums: pd.DataFrame, pays: ir.Table) -> pd.DataFrame:
    """Compare leavers with stayers; the products of customers who are both are counted, too."""
    added = sums.select_dtypes("number").groupby(sums["who"]).sum()
    if not {"leavers", "stayers"} <= set(added.index):
        return pd.DataFrame(columns=DIFFERENCES)
    leavers, stayers = added.loc["leavers"], added.loc["stayers"]
    each = _per_customer(pays.select("customer_id", "who", "pay", *_SHARES), [])
    one, other = (each.filter(each.who == who) for who in ("leavers", "stayers"))
    other = other.select(whose="customer_id", **{f"s_{n}": other[n] for n in ["pay", *_SHARES]})
    both = one.inner_join(other, [("customer_id", "whose")])
    products = {"pp": _square(both.pay, both.s_pay)}
    for name in _SHARES:
        products[f"{name}_xx"] = _square(both[name], both[f"s_{name}"])
        products[f"{name}_xp"] = _square(both[name], both.s_pay)
        products[f"{name}_px"] = _square(both.pay, both[f"s_{name}"])
    cross = both.aggregate(**products).to_pandas().astype(float).fillna(0.0).iloc[0]
    rows = []
    for days in DAYS:
        for use in USES:
            name = f"{use}_{days}"
            (a, a_error), (b, b_error) = _ratio(leavers, name), _ratio(stayers, name)
            shared = cross[f"{name}_xx"] - b * cross[f"{name}_xp"] - a * cross[f"{name}_px"]
            shared = (shared + a * b * cross["pp"]) / (leavers["pay"] * stayers["pay"])
            variance = a_error**2 + b_error**2 - 2 * shared
            few = min(leavers["customers"], stayers["customers"])
            half = math.nan
            if few >= FEW_EVENTS:
                half = _quantile(few - 1) * math.sqrt(max(variance, 0.0))
            rows.append((days, use, a, b, a - b, a - b - half, a - b + half))
    return pd.DataFrame(rows, columns=DIFFERENCES)
