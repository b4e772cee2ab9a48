"""The stage of leaving: how far customers have gone, and how soon those of each stage are gone.

Judged at the beginning of every month from what was known then. A customer stands in the furthest
stage that holds: money first, then products, then the payroll, which is the last to go because it
is the most trouble to move. A client's own order may differ.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from customerlab.calendar_months import month_index
from customerlab.churn.curves import Survival, status_of, survival
from customerlab.features import with_features, with_people
from customerlab.findings import Status
from customerlab.messages import Message, say
from customerlab.person_months import person_months
from customerlab.retention.paths import monthly_assets

NONE = "none"
#: From the least far to the furthest.
STAGES: dict[str, Message] = {
    NONE: say("no sign of leaving"),
    "balance_falling": say("balance falling"),
    "products_closing": say("closing accounts"),
    "payroll_moved": say("payroll moved away"),
}
#: The balance has fallen to at most this share of its own level, if that was worth anything.
FALLEN_TO, LEVEL_AT_LEAST = 0.5, 100
#: The level is the mean of these months before (the first and the last), of so many known ones.
LEVEL_MONTHS, LEVEL_KNOWN = (12, 4), 3
#: Accounts are compared with so many months before.
CLOSING_MONTHS = 3
#: A stage counts as one before the exit when it was seen in so many months before it.
LOOK_BACK = 12

_TODAY = ["stage", "customers", "share"]
_SEEN = ["stage", "leavers", "share", "low", "high", "months_q1", "months_median", "months_q3"]
_GONE = ["stage", "horizon_months", "entered", "exits", "share", "low", "high", "status"]


@dataclass(frozen=True)
class Stages:
    """Who stands where on the way out, and what became of those who stood there before.

    Attributes
    ----------
    stages : tuple of str
        The stages that this client's tables tell, ``none`` first; empty where they tell none.
    today : DataFrame
        ``stage``, ``customers`` who are here, ``share`` of all who are here.
    seen : DataFrame
        ``stage``, ``leavers`` in whom it was seen in the 12 months before the exit, their
        ``share`` with its interval ``low`` to ``high``, and the months from the beginning of the
        first month in which it was seen to the month of the exit (``months_q1``,
        ``months_median``, ``months_q3``; 0: the exit came in that month). The last row, ``none``,
        counts those in whom no stage was seen.
    gone : DataFrame
        ``stage``, ``horizon_months``, ``entered`` (customers), ``exits`` among them,
        ``share`` gone within so many months with its interval, ``status``. For ``none``: one
        month of each customer, in which no stage held, chosen without regard to what followed.
    person_stage : table
        ``customer_id``, ``stage``. For scores and actions; not for reports.
    here, leavers : int
        Customers here today; leavers whose months before the exit could be judged.
    status : str
    """

    stages: tuple[str, ...]
    today: pd.DataFrame
    seen: pd.DataFrame
    gone: pd.DataFrame
    person_stage: ir.Table
    here: int
    leavers: int
    status: Status

    def describe(self) -> Message:
        """Say what the stages rest on."""
        if not self.stages:
            return say(
                "Without balances, accounts or payroll there are no stages of leaving to see."
            )
        return say(
            "Stages are judged for {here:customers} customers here today and for the months "
            "before the exit of {leavers:customers} leavers.",
            here=self.here,
            leavers=self.leavers,
        )


def stages_in(tables: Mapping[str, ir.Table]) -> tuple[str, ...]:
    """Return the stages that can be told from the tables a client has, without ``none``."""
    accounts = tables["accounts"].columns if "accounts" in tables else ()
    paid = "transactions" in tables and "kind" in tables["transactions"].columns
    there = {
        "balance_falling": {"accounts", "balances"} <= set(tables),
        "products_closing": "closed_on" in accounts,
        "payroll_moved": paid,
    }
    return tuple(stage for stage, told in there.items() if told)


def with_stages(
    rows: ir.Table,
    tables: Mapping[str, ir.Table],
    stages: Sequence[str],
    keep: Callable[[ir.Table], ir.Table] = lambda table: table,
) -> ir.Table:
    """Add a boolean column for each stage, as known at the beginning of the month.

    Parameters
    ----------
    rows : table
        ``customer_id``, ``known_index`` (number of the month), and what is to be kept.
    tables : mapping of str to table
    stages : sequence of str
        Of :func:`stages_in`.
    keep : callable, optional
        Works a table out once.
    """
    if "balance_falling" in stages:
        # one after the other: each needs much memory
        fallen = keep(_fallen(keep(monthly_assets(tables["balances"], tables["accounts"]))))
        rows = rows.left_join(fallen, [("customer_id", "whose"), ("known_index", "then")])
        rows = rows.mutate(balance_falling=rows.fallen.fill_null(False))
        rows = rows.drop("whose", "then", "fallen")
    if "products_closing" in stages:
        fewer = _closing(tables["accounts"])
        rows = rows.left_join(fewer, [("customer_id", "whose"), ("known_index", "then")])
        rows = rows.mutate(products_closing=(rows.net < 0).fill_null(False))
        rows = rows.drop("whose", "then", "net")
    if "payroll_moved" in stages:
        known = rows.columns
        now = rows.mutate(tenure=ibis.literal(0, "int64"), month_index=rows.known_index)
        rows = with_features(with_people(now, tables, ["payroll"]), tables, ["payroll"])
        rows = rows.select(*known, payroll_moved=rows.payroll == "moved")
    return rows


def _fallen(assets: ir.Table) -> ir.Table:
    """Say at the beginning of which months the balance was at most half of its own level."""
    # the end of a month is one month before the next begins
    span = ibis.window(
        group_by="customer_id",
        order_by="month_index",
        preceding=(LEVEL_MONTHS[0] - 1, LEVEL_MONTHS[1] - 1),
    )
    level, known = assets.assets.sum().over(span), assets.assets.count().over(span)
    held = assets.mutate(level=level.fill_null(ibis.literal(0).cast(level.type())), known=known)
    fallen = (held.known >= LEVEL_KNOWN) & (held.level >= held.known * LEVEL_AT_LEAST)
    fallen &= held.assets * held.known <= held.level * FALLEN_TO
    fallen_in = held.filter(fallen)
    return fallen_in.select(
        whose="customer_id", then=fallen_in.month_index + 1, fallen=ibis.literal(True)
    )


def _closing(accounts: ir.Table) -> ir.Table:
    """Return accounts opened less closed in the months before, where there were any."""
    opened = accounts.opened_on if "opened_on" in accounts.columns else ibis.null("date")
    possible = opened.isnull() | accounts.closed_on.isnull() | (opened <= accounts.closed_on)
    accounts = accounts.mutate(opened=opened).filter(possible)
    parts = [
        accounts.select(whose="customer_id", at=month_index(day), step=ibis.literal(step, "int64"))
        for day, step in ((accounts.opened, 1), (accounts.closed_on, -1))
    ]
    steps = ibis.union(*parts)
    steps = steps.filter(steps["at"].notnull())
    steps = steps.mutate(ahead=ibis.range(1, CLOSING_MONTHS + 1).cast("array<int64>").unnest())
    return steps.group_by("whose", then=steps["at"] + steps.ahead).aggregate(net=steps.step.sum())


def place_customers(
    tables: Mapping[str, ir.Table],
    lines: ir.Table,
    here: ir.Table,
    *,
    snapshot: dt.date,
    horizons_months: Sequence[int] = (3, 5),
    keep: Callable[[ir.Table], ir.Table] = lambda table: table,
) -> Stages:
    """Place everyone here in a stage of leaving, and look what became of those before them.

    Parameters
    ----------
    tables : mapping of str to table
        The clean tables there are.
    lines : table
        ``customer_id``, ``joined_month``, ``entry``, ``duration``, ``churned``.
    here : table
        ``customer_id`` of everyone here today.
    snapshot : date
        Stages of today are those at the beginning of the month of the day after it.
    horizons_months : sequence of int
    keep : callable, optional
        Works a table out once.
    """
    stages = stages_in(tables)
    day = snapshot + dt.timedelta(days=1)
    now = ibis.literal(day.year * 12 + day.month - 1, "int64")
    today = here.select("customer_id", known_index=now)
    if not stages:
        count = int(here.count().execute())
        nobody = today.select("customer_id", stage=ibis.literal(NONE))
        frames = [pd.DataFrame(columns=names) for names in (_TODAY, _SEEN, _GONE)]
        return Stages((), *frames, nobody, count, 0, "not_enough_data")
    flags = with_stages(today, tables, stages, keep)
    furthest = [(flags[stage], stage) for stage in reversed(stages)]
    placed = keep(flags.select("customer_id", stage=ibis.cases(*furthest, else_=NONE)))
    people, exits = _followed(tables, lines, stages, keep)
    counts, count = _today(placed, (NONE, *stages))
    seen, leavers = _before_exit(exits, stages)
    return Stages(
        stages=(NONE, *stages),
        today=counts,
        seen=seen,
        gone=_gone(people, (NONE, *stages), horizons_months),
        person_stage=placed,
        here=count,
        leavers=leavers,
        status=status_of(leavers),
    )


def _followed(
    tables: Mapping[str, ir.Table],
    lines: ir.Table,
    stages: Sequence[str],
    keep: Callable[[ir.Table], ir.Table],
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return counts of who entered each stage and how long they stayed, and of leavers' signs."""
    rows = person_months(lines, tables, features=[])
    rows = rows.select("customer_id", "months_left", "churned", known_index=month_index(rows.month))
    if "balance_falling" in stages:  # before it no fall could be seen
        first = month_index(tables["balances"].month.cast("date")).min().as_scalar()
        rows = rows.filter(rows.known_index >= first + LEVEL_MONTHS[1] + LEVEL_KNOWN - 1)
    ends = rows.aggregate(first=rows.known_index.min(), last=rows.known_index.max()).to_pandas()
    first, last = (0 if pd.isna(x) else int(x) for x in ends.iloc[0])
    rank = lines.select(
        whose="customer_id",
        deal=ibis.row_number().over(ibis.window(order_by="customer_id")) % (last - first + 1),
    )
    rows = keep(with_stages(rows, tables, stages, keep))
    rows = rows.join(rank, [("customer_id", "whose")])
    order = ibis.window(group_by="customer_id", order_by="known_index")
    new = {f"new_{s}": rows[s] & ~rows[s].lag().over(order).fill_null(True) for s in stages}
    rows = rows.mutate(end=rows.known_index + rows.months_left, **new)
    at, calm = rows.known_index, ~_any([rows[stage] for stage in stages])
    people = rows.group_by("customer_id", "end", "churned").aggregate(
        from_none=at.min(where=calm & (at == rows.deal + first)),
        **{f"from_{s}": at.min(where=rows[f"new_{s}"]) for s in stages},
        **{f"seen_{s}": at.min(where=rows[s] & (at > rows.end - LOOK_BACK)) for s in stages},
    )
    people = keep(people)
    parts = []
    for stage in (NONE, *stages):
        some = people.filter(people[f"from_{stage}"].notnull())
        some = some.mutate(duration=some.end - some[f"from_{stage}"] + 1)
        part = some.group_by("duration", "churned").aggregate(n=some.count())
        parts.append(part.order_by("duration", "churned").to_pandas().assign(stage=stage))
    lost = people.filter(people.churned)
    lost = lost.select(**{stage: lost.end - lost[f"seen_{stage}"] for stage in stages})
    exits = lost.group_by(*stages).aggregate(n=lost.count()).order_by(*stages).to_pandas()
    return pd.concat(parts, ignore_index=True), exits


def _any(flags: Sequence[ir.BooleanValue]) -> ir.BooleanValue:
    either = flags[0]
    for flag in flags[1:]:
        either = either | flag
    return either


def _today(placed: ir.Table, stages: Sequence[str]) -> tuple[pd.DataFrame, int]:
    counted = placed.group_by("stage").aggregate(customers=placed.count()).to_pandas()
    customers = counted.set_index("stage")["customers"].reindex(stages, fill_value=0)
    count = int(customers.sum())
    table = customers.rename_axis("stage").reset_index()
    return table.assign(share=table["customers"] / count if count else float("nan")), count


def _before_exit(exits: pd.DataFrame, stages: Sequence[str]) -> tuple[pd.DataFrame, int]:
    from statsmodels.stats.proportion import proportion_confint  # slow to import

    n = exits["n"].to_numpy(dtype="int64")
    total = int(n.sum())
    rows = []
    none = exits[list(stages)].isna().all(axis=1).to_numpy()
    for stage in (*stages, NONE):
        there = none if stage == NONE else exits[stage].notna().to_numpy()
        count = int(n[there].sum())
        low, high = proportion_confint(count, total, method="wilson") if total else (np.nan,) * 2
        share = count / total if total else float("nan")
        months = (np.nan,) * 3 if stage == NONE else _quartiles(exits.loc[there, stage], n[there])
        rows.append((stage, count, share, low, high, *months))
    return pd.DataFrame(rows, columns=_SEEN), total


def _quartiles(months: pd.Series, n: np.ndarray) -> tuple[float, float, float]:
    """Return the quartiles of counted whole months: the least month that so many do not exceed."""
    if not len(months):
        return (np.nan,) * 3
    order = np.argsort(months.to_numpy(), kind="stable")
    total, values = n[order].cumsum(), months.to_numpy(float)[order]
    places = [int(np.searchsorted(total, total[-1] * q)) for q in (0.25, 0.5, 0.75)]
    return tuple(float(values[place]) for place in places)


def _gone(people: pd.DataFrame, stages: Sequence[str], horizons: Sequence[int]) -> pd.DataFrame:
    rows = []
    for stage in stages:
        some = people[people["stage"] == stage]
        entered = int(some["n"].sum())
        exits = int(some.loc[some["churned"].astype(bool), "n"].sum())
        curve = survival(some) if entered else None
        for horizon in horizons:
            shares = _gone_by(curve, horizon) if curve is not None else (np.nan,) * 3
            rows.append((stage, int(horizon), entered, exits, *shares, status_of(exits)))
    return pd.DataFrame(rows, columns=_GONE)


def _gone_by(curve: Survival, horizon: int) -> tuple[float, float, float]:
    from statsmodels.stats.proportion import proportion_confint  # slow to import

    at = curve.at(horizon)
    last = curve.table.iloc[-1]
    if at.empty and last["survival"] > 0:
        return (np.nan,) * 3  # nobody was followed for so long
    row = last if at.empty else at.iloc[0]
    if row["survival"] == 0:  # all are gone: there the curve has no interval
        exits = curve.groups["events"].iloc[0]
        return (1.0, *map(float, proportion_confint(exits, exits, method="wilson")))
    return float(1 - row["survival"]), float(1 - row["high"]), float(1 - row["low"])
