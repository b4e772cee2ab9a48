"""How the assets of leavers go down before they leave, beside those of stayers like them.

Leavers are held against customers who stayed: observed in the same calendar month, and for some
months after it, without an exit. For the assets they are alike, too, in time since joining, age,
gender, region and what they had a year before (exact matching; stayers weighted to the leavers'
numbers in each cell, so that a leaver without a like is left out and counted).
"""

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
from customerlab.features import AGE_BANDS, TENURE_BANDS, UNKNOWN, band, holdings
from customerlab.findings import Finding, Status
from customerlab.messages import Message, say

LEAVERS, STAYERS = "leavers", "stayers"
#: What a reader calls the two.
WHO: dict[str, Message] = {LEAVERS: say("leavers"), STAYERS: say("comparable stayers")}

#: Who had less has nothing to take along (in the client's currency).
MIN_LEVEL = 100.0
#: Limits between bands of what a customer had, in the client's currency.
ASSET_BANDS = (1_000.0, 10_000.0, 100_000.0, 1_000_000.0)
#: Leavers hold clearly less when they hold less by this share of what they had, beyond chance.
CLEARLY = 0.1
#: A stayer is seen so many months longer without an exit.
FOLLOW = 3

#: Customers are dealt into so many groups, each left out in turn, to learn how sure a sum is.
_GROUPS = 50
_PATH = ["months_before", "who", "customers", "assets_share", "low", "high", "median_share"]


@dataclass(frozen=True)
class AssetPath:
    """The assets of leavers before their exit, beside those of stayers like them.

    Attributes
    ----------
    table : DataFrame
        ``months_before`` (the month of the exit is 0), ``who`` (``leavers`` or ``stayers``),
        ``customers``, ``assets_share`` (assets at the month's end, as a share of the same
        customers' assets at the beginning of the path: sums over sums, so the rich weigh more)
        with its 95 % interval ``low`` to ``high``, ``median_share`` (of a customer's own share,
        to the hundredth).
    leavers, followed, matched : int
        All leavers; those with assets known and worth following; those of them with a like.
    months : int
    status : str
    """

    table: pd.DataFrame
    leavers: int
    followed: int
    matched: int
    months: int
    status: Status

    def describe(self) -> Message:
        """Say on whom the path rests."""
        if self.table.empty:
            return say("No leaver's assets could be followed, so there is no path to show.")
        return say(
            "The assets of {share:percent0} of the {leavers:customers} leavers could be followed "
            "over {months:count} months and held against stayers like them.",
            share=self.matched / self.leavers,
            leavers=self.leavers,
            months=self.months,
        )


def monthly_assets(balances: ir.Table, accounts: ir.Table) -> ir.Table:
    """Return what each customer held at the end of each month.

    Returns
    -------
    table
        ``customer_id``, ``month_index`` (see :func:`customerlab.calendar_months.month_index`),
        ``assets`` as :func:`customerlab.features.holdings` has them: every month from the
        customer's first balance to the last month of `balances`; 0 where nothing is held.
    """
    held = holdings(accounts, balances)
    last = held.held_index.max().as_scalar()
    span = held.group_by("whose").aggregate(first=held.held_index.min())
    span = span.mutate(offset=ibis.range(0, last - span.first + 1).unnest())
    grid = span.select(customer_id="whose", month_index=(span.first + span.offset).cast("int64"))
    months = grid.left_join(held, [("customer_id", "whose"), ("month_index", "held_index")])
    assets = months.assets.cast("decimal(18, 4)")
    nothing = ibis.literal(0).cast("decimal(18, 4)")
    return months.select("customer_id", "month_index", assets=assets.fill_null(nothing))


def asset_path(
    balances: ir.Table | None,
    accounts: ir.Table | None,
    lines: ir.Table,
    people: ir.Table | None = None,
    *,
    months: int = 12,
    min_level: float = MIN_LEVEL,
    asset_bands: Sequence[float] = ASSET_BANDS,
    keep: Callable[[ir.Table], ir.Table] = lambda table: table,
) -> AssetPath:
    r"""Follow the assets of leavers over the months before their exit.

    With :math:`w` the weights and :math:`a_k` the assets `k` months before, the share is
    :math:`\sum w a_k / \sum w a_{months}`. Its interval is the delete-a-group jackknife's (Kott
    2001) over groups of customers, so that a stayer who is held against leavers of several
    months is not taken for several customers.

    Parameters
    ----------
    balances, accounts : table or None
        See :func:`monthly_assets`; None gives an empty path.
    lines : table
        ``customer_id``, ``joined_month``, ``entry``, ``duration``, ``churned``, ``exit_month``.
    people : table, optional
        ``customer_id`` and, for matching, any of ``gender``, ``region``, ``birth_date``.
    months : int
        Length of the path.
    min_level : float
        Whoever had less than this at its beginning is not followed.
    asset_bands : sequence of float
        Limits of the bands of assets at its beginning that customers are matched in.
    keep : callable, optional
        Works a table out once.
    """
    if months < 1 or min_level <= 0:
        raise ValueError(f"a path has months and a positive level, got {months} and {min_level}")
    left = int(lines.filter(lines.churned).count().execute())
    empty = AssetPath(pd.DataFrame(columns=_PATH), left, 0, 0, months, "not_enough_data")
    if balances is None or accounts is None:
        return empty
    ends = balances.aggregate(
        first=month_index(balances.month.cast("date")).min(),
        last=month_index(balances.month.cast("date")).max(),
    ).to_pandas()
    if ends.isna().any(axis=None):
        return empty
    first, last = (int(x) for x in ends.iloc[0])
    assets = keep(monthly_assets(balances, accounts))
    index = index_months(lines, first=first + months, last=last)
    index = index.mutate(begins=index.month_index - months)
    known = assets.select(whose="customer_id", begins="month_index", level="assets")
    known = known.filter(known.level >= min_level)
    index = index.join(known, [("customer_id", "whose"), "begins"]).drop("whose")
    index, alike = _alike(index, people, asset_bands)
    index = keep(index)
    leavers, stayers = (index.filter(index.who == who) for who in (LEAVERS, STAYERS))
    both = leavers.group_by(alike).aggregate(leavers=leavers.count())
    both = both.join(stayers.group_by(alike).aggregate(stayers=stayers.count()), alike)
    both = both.mutate(
        # in millionths, on a decimal grid, so that sums do not depend on the order of adding
        ratio=(both.leavers.cast("float64") * 1e6 / both.stayers).cast("decimal(18, 4)")
    )
    matched = index.join(both, alike)
    weight = (matched.who == LEAVERS).ifelse(ibis.literal(1).cast("decimal(18, 4)"), matched.ratio)
    matched = matched.select("who", "customer_id", "month_index", "level", "deal", weight=weight)
    matched = keep(matched)
    customers = matched.group_by("who").aggregate(customers=matched.customer_id.nunique())
    counted = dict(customers.to_pandas().itertuples(index=False))
    followed = int(leavers.count().execute())
    if not counted.get(LEAVERS):
        return AssetPath(empty.table, left, followed, 0, months, "not_enough_data")
    table = _shares(*_summed(matched, assets, months))
    table.insert(2, "customers", table["who"].map(counted).astype("int64"))
    found = int(counted[LEAVERS])
    return AssetPath(table[_PATH], left, followed, found, months, status_of(found))


def index_months(lines: ir.Table, *, first: int, last: int, follow: int = FOLLOW) -> ir.Table:
    """Return leavers in the month of their exit, and stayers in every month that they stayed.

    Returns
    -------
    table
        ``who``, ``customer_id``, ``month_index`` from `first` to `last`, ``joined`` (month), and
        ``deal``: the number of a group of customers. A stayer was at risk in the month and known
        not to leave in it or in the `follow` months after it.
    """
    base = lines.select(
        "customer_id",
        "churned",
        joined=month_index(lines.joined_month.cast("date")),
        begins=month_index(lines.joined_month.cast("date")) + lines.entry,
        ends=month_index(lines.joined_month.cast("date")) + lines.duration - 1,
        deal=ibis.row_number().over(ibis.window(order_by="customer_id")) % _GROUPS,
    )
    gone = base.filter(base.churned)
    gone = gone.mutate(who=ibis.literal(LEAVERS), month_index=gone.ends.cast("int64"))
    stay = base.mutate(
        low=ibis.greatest(base.begins, first),
        high=ibis.least(base.ends - follow - base.churned.cast("int64"), last),
    )
    stay = stay.filter(stay.high >= stay.low)
    stay = stay.mutate(offset=ibis.range(0, stay.high - stay.low + 1).unnest())
    stay = stay.mutate(
        who=ibis.literal(STAYERS), month_index=(stay.low + stay.offset).cast("int64")
    )
    columns = ["who", "customer_id", "month_index", "joined", "deal"]
    both = gone.select(*columns).union(stay.select(*columns))
    return both.filter(both.month_index.between(first, last))


def _alike(
    index: ir.Table, people: ir.Table | None, asset_bands: Sequence[float]
) -> tuple[ir.Table, list[str]]:
    """Add the columns in which a stayer has to be like a leaver."""
    alike = ["month_index", "tenure_band", "asset_band"]
    if people is not None:
        own = [name for name in ("gender", "region", "birth_date") if name in people.columns]
        index = index.left_join(
            people.select(*own, whose="customer_id"), [("customer_id", "whose")]
        ).drop("whose")
        for name in own:
            if name == "birth_date":
                age = index.month_index - month_index(index.birth_date)
                age -= (index.birth_date.day() > 1).cast("int64")
                index = index.mutate(age_band=band(age, AGE_BANDS).fill_null(UNKNOWN))
                alike.append("age_band")
            else:
                index = index.mutate(**{name: index[name].cast("string").fill_null(UNKNOWN)})
                alike.append(name)
    tenure = band(index.month_index - index.joined, TENURE_BANDS).fill_null(UNKNOWN)
    steps = [(index.level < limit, place) for place, limit in enumerate(sorted(asset_bands))]
    rich = ibis.cases(*steps, else_=len(steps)) if steps else ibis.literal(0)
    return index.mutate(tenure_band=tenure, asset_band=rich.cast("int64")), alike


def _summed(matched: ir.Table, assets: ir.Table, months: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Add up the weighted assets by month and group of customers, and count the own shares."""
    long = matched.mutate(months_before=ibis.range(0, months + 1).cast("array<int64>").unnest())
    long = long.mutate(then=long.month_index - long.months_before)
    held = assets.select(whose="customer_id", then="month_index", held="assets")
    long = long.join(held, [("customer_id", "whose"), "then"])
    by = ["who", "months_before"]
    weight, held, level = (
        long[name].cast("decimal(38, 4)") for name in ("weight", "held", "level")
    )
    sums = long.group_by(*by, "deal").aggregate(
        held=(weight * held).sum().cast("float64"),
        level=(weight * level).sum().cast("float64"),
    )
    share = long.held.cast("float64") / long.level.cast("float64")
    long = long.mutate(hundredths=(share * 100 + 0.5).floor().cast("int64"))
    own = long.group_by(*by, "hundredths").aggregate(weight=long.weight.sum().cast("float64"))
    return (
        sums.order_by(*by, "deal").to_pandas(),
        own.order_by(*by, "hundredths").to_pandas(),
    )


def _shares(sums: pd.DataFrame, own: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for (who, k), part in sums.groupby(["who", "months_before"]):
        share, low, high = jackknife(part["held"].to_numpy(), part["level"].to_numpy())
        some = own[(own["who"] == who) & (own["months_before"] == k)]
        total = some["weight"].cumsum().to_numpy()
        middle = int(np.searchsorted(total, total[-1] / 2 * (1 - 1e-12)))
        rows.append((int(k), who, share, low, high, some["hundredths"].iloc[middle] / 100))
    columns = ["months_before", "who", "assets_share", "low", "high", "median_share"]
    table = pd.DataFrame(rows, columns=columns)
    order = table.assign(k=-table["months_before"]).sort_values(["who", "k"]).index
    return table.loc[order].reset_index(drop=True)


def jackknife(held: np.ndarray, level: np.ndarray) -> tuple[float, float, float]:
    """Return a ratio of sums with its 95 % interval, each group of customers left out in turn.

    Parameters
    ----------
    held, level : array, one number a group
    """
    share = held.sum() / level.sum()
    groups = len(held)
    if groups < 2:
        return float(share), float("nan"), float("nan")
    without = (held.sum() - held) / (level.sum() - level)
    error = np.sqrt((groups - 1) / groups * ((without - without.mean()) ** 2).sum())
    half = float(scipy.stats.t.ppf(0.975, groups - 1)) * error
    return float(share), float(max(share - half, 0.0)), float(share + half)


def path_to_show(path: AssetPath, min_cell: int) -> pd.DataFrame:
    """Return the table for a report: nothing of fewer than `min_cell` leavers or stayers."""
    small = path.table["customers"] < min_cell
    return path.table.iloc[:0] if small.any() else path.table


def money_leaves_first(path: AssetPath) -> Finding:
    """Return how long before the exit the leavers' money is seen to go.

    Returns
    -------
    Finding
        ``churn_timing.money_leaves_first``: the months before the exit from which on, up to the
        exit, the leavers' interval lies below that of the stayers and the difference is at least
        a tenth of what they had.
    """
    id_ = "churn_timing.money_leaves_first"
    if path.status == "not_enough_data":
        text = say(
            "With {leavers:customers} leavers whose assets could be followed it cannot be said "
            "when the money goes.",
            leavers=path.matched,
        )
        return Finding(id=id_, text=text, unit="count", n=path.matched, status=path.status)
    wide = path.table.set_index(["who", "months_before"])
    leavers, stayers = wide.loc[LEAVERS].sort_index(), wide.loc[STAYERS].sort_index()
    gap = stayers["assets_share"] - leavers["assets_share"]
    parted = ((leavers["high"] < stayers["low"]) & (gap >= CLEARLY)).to_numpy()
    lead = int(parted.argmin() if not parted.all() else len(parted)) - 1
    at_exit = {
        "leavers": leavers["assets_share"].iloc[0],
        "stayers": stayers["assets_share"].iloc[0],
        "months": path.months,
    }
    if lead < 0:
        text = say(
            "Leavers' money does not go first: at the exit they hold {leavers:percent0} of what "
            "they had {months:count} months before, and stayers like them {stayers:percent0}.",
            **at_exit,
        )
        return Finding(id=id_, text=text, unit="count", n=path.matched, status="weak")
    if lead == 0:
        text = say(
            "The money goes only in the month of the exit: leavers then hold {leavers:percent0} "
            "of what they had {months:count} months before, stayers like them {stayers:percent0}.",
            **at_exit,
        )
    else:
        text = say(
            "The money leaves first: already {lead:count} months before the exit leavers hold "
            "clearly less than stayers like them ({then:percent0} against {other:percent0} of "
            "what they had {months:count} months before the exit), and at the exit "
            "{leavers:percent0} against {stayers:percent0}.",
            lead=lead,
            then=leavers["assets_share"].iloc[lead],
            other=stayers["assets_share"].iloc[lead],
            **at_exit,
        )
    return Finding(
        id=id_, text=text, value=float(lead), unit="count", n=path.matched, status=path.status
    )
