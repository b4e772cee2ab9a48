"""Who of those already lost came back by themselves, and what those still gone were worth.

A customer is lost with an exit (``exit_month``) and the silence that follows: the first gap of at
least `idle_days` that lasts beyond the month of the exit, or begins later. Only when it has
lasted so long is the exit known, and nobody can be back before; so the months until a return
count from that day. Who came back counts as returned, also if they left again. Customers whose
exit is of another kind (their pay moved away, say) and who never fell silent are still moving:
they are counted apart, for there is nothing to come back from.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from decimal import Decimal

import ibis
import ibis.expr.types as ir
import pandas as pd

from customerlab.calendar_months import month_index, whole_months
from customerlab.cells import cells
from customerlab.churn.curves import FEW_EVENTS, MIN_AT_RISK, Survival
from customerlab.churn.levels import natural_order
from customerlab.durations import first_of_month
from customerlab.errors import CustomerlabError, nearest
from customerlab.features import UNKNOWN
from customerlab.retention.lost_answers import ASSET_LIMITS, COLUMNS, MONTHS_BEFORE_EXIT, Lost

#: First month since the exit became known, and the name of each band.
SINCE_BANDS = {0: "0-2", 3: "3-5", 6: "6-11", 12: "12+"}
#: Within how many months returns are told.
HORIZONS = (6, 12)


def follow_lost(
    movements: ir.Table,
    lines: ir.Table,
    balances: ir.Table | None = None,
    accounts: ir.Table | None = None,
    people: ir.Table | None = None,
    *,
    snapshot: dt.date,
    idle_days: int,
    by: Sequence[str] = (),
    asset_limits: Sequence[float] = ASSET_LIMITS,
) -> Lost:
    """Follow the customers who left until they return or the data end.

    Parameters
    ----------
    movements : table
        ``customer_id`` and ``occurred_at``, the customer's own movements only.
    lines : table
        ``customer_id``, ``churned``, ``exit_month``; ``exit``, where there are several
        kinds, is a group. Only customers whose stay is observed.
    balances, accounts : table, optional
        The clean canonical tables. Former assets are the month-end balances of all accounts of a
        customer three months before the month of the exit; unknown where there are none.
    people : table, optional
        ``customer_id``, one row each, and the columns of `by`.
    snapshot : date
    idle_days : int
        So many days without a movement make an exit known.
    by : sequence of str
        Columns of `people` to group by.
    asset_limits : sequence of float
        Ends of the bands of former assets, rising; an amount equal to one belongs below it.

    Raises
    ------
    CustomerlabError
        When `people` has no such column.
    """
    lost = _silences(movements, lines, snapshot, idle_days)
    lost = _former_assets(lost, balances, accounts)
    groups = {"exit": lost.exit.cast("string")} if "exit" in lost.columns else {}
    if by and people is None:
        raise CustomerlabError("follow_lost: to group by a column, give people")
    if by:
        for name in by:
            if name not in people.columns:
                hint = nearest(name, people.columns)
                raise CustomerlabError(f"follow_lost: people has no column {name!r}{hint}")
        own = people.select(whose="customer_id", **{f"by_{name}": people[name] for name in by})
        lost = lost.left_join(own, [("customer_id", "whose")]).drop("whose")
        groups |= {name: lost[f"by_{name}"].cast("string") for name in by}
    known_on = lost.known_on
    watched = whole_months(known_on, snapshot)
    # the month of the return, the first being 1; one in the last, unfinished month is not used,
    # for those who stay away in it are not watched to its end either
    back_in = month_index(lost.back_on) - month_index(known_on) + 1
    back_in = back_in - (lost.back_on.day() < known_on.day()).cast("int64")
    back = (back_in <= watched).fill_null(False)
    limits = [float(limit) for limit in asset_limits]
    in_band = [(lost.assets <= limit, i) for i, limit in enumerate(limits)]
    since = [(watched >= start, name) for start, name in sorted(SINCE_BANDS.items(), reverse=True)]
    rows = lost.select(
        **{name: value.fill_null(UNKNOWN) for name, value in groups.items()},
        since_band=ibis.cases(*since, else_="0-2"),
        assets_band=ibis.cases(*in_band, (lost.assets.notnull(), len(limits)), else_=-1),
        months=back.ifelse(back_in, watched),
        back=back,
        silent=known_on.notnull(),
        returned=lost.back_on.notnull(),
        assets=lost.assets,
    )
    names = ("since_band", "assets_band", *groups)
    counts = cells(
        rows,
        by=[*names, "months", "back", "silent", "returned"],
        sums={"known": rows.assets.notnull().cast("int64"), "assets": rows.assets},
    )
    silent = counts["silent"].astype(bool)
    followed = counts[silent].drop(columns="silent").reset_index(drop=True)
    followed["months"] = followed["months"].astype("int64")
    ends = [*limits, math.inf]
    limits = _enough_in_each(followed, limits)
    followed["assets_band"] = [
        UNKNOWN if band < 0 else str(sum(limit < ends[band] for limit in limits))
        for band in followed["assets_band"]
    ]
    result = Lost(
        table=pd.DataFrame(columns=COLUMNS),
        counts=followed,
        # a single kind of exit is all customers again
        groups=tuple(n for n in names if n != "exit" or len(set(followed["exit"])) > 1),
        still_moving=int(counts.loc[~silent, "n"].sum()),
        idle_days=idle_days,
        asset_limits=tuple(limits),
    )
    return Lost(**{**vars(result), "table": _table(result)})


def _silences(movements: ir.Table, lines: ir.Table, snapshot: dt.date, idle_days: int) -> ir.Table:
    """Return who has an exit, with the silence that followed: its first day and its last."""
    kept = ["customer_id", "exit_month", *(["exit"] if "exit" in lines.columns else [])]
    gone = lines.filter(lines.churned & lines.exit_month.notnull()).select(*kept)
    own = movements.semi_join(gone, "customer_id").select("customer_id", "occurred_at")
    days = own.select(whose="customer_id", day=own.occurred_at.date())
    days = days.filter(days.day <= snapshot).distinct()
    following = days.day.lead().over(ibis.window(group_by="whose", order_by="day"))
    days = days.mutate(back_on=following)
    until = ibis.coalesce(days.back_on, ibis.literal(snapshot))
    gaps = days.filter(until.delta(days.day, unit="day") >= idle_days)
    gaps = gaps.inner_join(gone.select("customer_id", "exit_month"), [("whose", "customer_id")])
    exit_month = month_index(gaps.exit_month)
    later = gaps.back_on.isnull() | (month_index(gaps.back_on) > exit_month)
    gaps = gaps.filter(later | (month_index(gaps.day) >= exit_month))
    # who was silent when the accounts were closed left with that, not before
    lasted = (gaps.day + ibis.interval(days=idle_days)).cast("date")
    closed = first_of_month(month_index(gaps.exit_month) + 1)
    before = month_index(gaps.day) < month_index(gaps.exit_month)
    gaps = gaps.mutate(known_on=before.ifelse(ibis.greatest(lasted, closed), lasted))
    # two gaps of a customer follow each other, so the first to begin is the first to end
    first = gaps.group_by("whose").aggregate(
        known_on=gaps.known_on.min(), back_on=gaps.back_on.min()
    )
    return gone.left_join(first, [("customer_id", "whose")]).drop("whose")


def _former_assets(
    lost: ir.Table, balances: ir.Table | None, accounts: ir.Table | None
) -> ir.Table:
    """Add ``assets``: what all accounts of a customer held three months before the exit."""
    if balances is None or accounts is None:
        return lost.mutate(assets=ibis.null("decimal(38, 4)"))
    then = month_index(lost.exit_month) - MONTHS_BEFORE_EXIT
    whose = lost.select(owner="customer_id", then=then)
    held = accounts.select("account_id", "customer_id")
    held = held.inner_join(whose, [("customer_id", "owner")]).select("account_id", "owner", "then")
    months = balances.select(
        account="account_id", month=month_index(balances.month), balance="balance"
    )
    held = held.inner_join(months, [("account_id", "account"), ("then", "month")])
    total = held.group_by("owner").aggregate(assets=held.balance.sum().cast("decimal(38, 4)"))
    return lost.left_join(total, [("customer_id", "owner")]).drop("owner")


def _enough_in_each(counts: pd.DataFrame, limits: list[float]) -> list[float]:
    """Return the limits without those that would leave a band with fewer than 30 customers."""
    n = counts.groupby("assets_band")["n"].sum()
    sizes = [int(n.get(band, 0)) for band in range(len(limits) + 1)]
    limits = list(limits)
    while limits and min(sizes) < FEW_EVENTS:
        i = sizes.index(min(sizes))
        beside = [j for j in (i - 1, i + 1) if 0 <= j < len(sizes)]
        first = min(i, min(beside, key=lambda j: sizes[j]))
        sizes[first : first + 2] = [sizes[first] + sizes[first + 1]]
        del limits[first]
    return limits


def _table(lost: Lost) -> pd.DataFrame:
    """Put one row for all and one for each level of each group side by side."""
    if lost.counts.empty:
        return pd.DataFrame(columns=COLUMNS)
    rows = []
    for feature in (None, *lost.groups):
        level = lost.counts[feature] if feature else pd.Series("all", index=lost.counts.index)
        curve = lost.survival(feature)
        shares = {horizon: _came_back(curve, horizon) for horizon in HORIZONS}
        for group in sorted(level.unique(), key=_order):
            part = lost.counts[level == group]
            gone = part[~part["returned"].astype(bool)]
            known = int(gone["known"].sum())
            assets = sum(gone["assets"].dropna(), Decimal(0)) if known else math.nan
            row = {
                "feature": feature or "all",
                "group": group,
                "lost": int(part["n"].sum()),
                "returned": int(part["n"].sum() - gone["n"].sum()),
                "still_gone": int(gone["n"].sum()),
                "assets_known": known,
                "assets_gone": float(assets),
                "former_assets_each": float(assets) / known if known else math.nan,
            }
            for horizon, known_shares in shares.items():
                ends = known_shares.get(group, (math.nan,) * 3)
                names = ("share", "low", "high")
                row |= {f"{n}_{horizon}": x for n, x in zip(names, ends, strict=True)}
            rows.append(row)
    return pd.DataFrame(rows, columns=COLUMNS)


def _order(level: str) -> tuple:
    return (level == UNKNOWN, natural_order(level))


def _came_back(curve: Survival, months: int) -> dict[str, tuple[float, float, float]]:
    """Return the share back within some months of each group that was watched for so long."""
    at = curve.at(months)
    at = at[at["group"].map(lambda g: _watched(curve, g, months)).astype(bool)]
    return {row.group: (1 - row.survival, *_ends(row)) for row in at.itertuples()}


def _ends(row: object) -> tuple[float, float]:
    # before the first return the interval of the curve does not exist
    return (math.nan, math.nan) if row.survival == 1.0 else (1 - row.high, 1 - row.low)


def _watched(curve: Survival, group: str, months: int) -> bool:
    """Say whether enough customers of a group were still awaited in that month."""
    table = curve.table[(curve.table["group"] == group) & (curve.table["month"] >= months)]
    return bool(len(table)) and table["at_risk"].iloc[0] >= MIN_AT_RISK
