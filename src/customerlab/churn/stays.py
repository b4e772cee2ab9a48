"""How long customers stayed, whether from movements or from a table that the client prepared."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import ibis.expr.types as ir
import pandas as pd

from customerlab.cells import cells
from customerlab.churn.curves import MIN_AT_RISK, Survival, survival
from customerlab.customers import movements
from customerlab.durations import REASONS, observed, timelines
from customerlab.errors import CustomerlabError, nearest
from customerlab.messages import Message, Words, say
from customerlab.params import ChurnTiming, Params
from customerlab.person_months import (
    expand,
    feature_name,
    features_at,
    features_from_durations,
    features_in,
    level_name,
    person_months,
)
from customerlab.privacy import PERSONAL, mask_counts

#: Features that a customer has from the beginning, so that groups by them are fair.
_GROUPS = ("age_band", "gender", "region")

#: Columns of a prepared table that are no covariates.
_NOT_COVARIATES = frozenset({"customer_id", "duration", "churned", "entry"}) | PERSONAL

#: A column with more values is no category, and is used only where the parameters name it.
_MOST_LEVELS = 20


@dataclass(frozen=True)
class Stays:
    """Everything that is known about how long customers stayed.

    Attributes
    ----------
    durations : table
        One row per customer: ``entry``, ``duration`` (months), ``churned`` and `groups`, as they
        were when the customer was first seen.
    groups : tuple of str
        Columns to compare curves by.
    covariates : tuple of str
        Columns of the hazard model.
    months : DataFrame
        Counts of customer-months: ``tenure_band``, `covariates`, ``n``, ``events``.
    earlier, later : DataFrame or None
        The same before, and in, the last months, by which a model of the earlier is judged; None
        for a prepared table, which knows no calendar.
    here : table
        Who is here at the snapshot, with features.
    named : bool
        Whether customers have a number: a prepared table may have none.
    joining_known : float
        The share of customers whose day of joining is known.
    passed_over : tuple of str
        Columns of a prepared table with too many values to be categories.
    left_out : DataFrame
        ``reason`` and ``customers``: whose stay is not measured.
    """

    durations: ir.Table
    groups: tuple[str, ...]
    covariates: tuple[str, ...]
    months: pd.DataFrame
    earlier: pd.DataFrame | None
    later: pd.DataFrame | None
    here: ir.Table
    left_out: pd.DataFrame
    named: bool = True
    joining_known: float = 1.0
    passed_over: tuple[str, ...] = ()

    def survival(self, by: str | None = None) -> Survival:
        """Return the curve of all customers, or of the groups of `by`."""
        keys = ["entry", "duration", "churned", *([by] if by else [])]
        return survival(cells(self.durations, by=keys), by)

    def describe(self) -> Message:
        """Say how much there is to learn from."""
        return say(
            "{customers:customers} customers were seen for {months:count} customer-months, in "
            "{cells:count} cells; {left:customers} of them left.",
            customers=int(self.durations.count().execute()),
            months=int(self.months.n.sum()),
            cells=len(self.months),
            left=int(self.months.events.sum()),
        )


def observe_stays(
    tables: Mapping[str, ir.Table],
    params: Params,
    keep: Callable[[ir.Table], ir.Table] = lambda table: table,
    *,
    where: str = "churn_timing",
) -> Stays:
    """Return the customers' stays: from ``durations`` where given, else from their movements.

    Parameters
    ----------
    tables : mapping of str to table
        The clean tables that the client has.
    params : Params
        Its ``churn_timing`` section, the snapshot, and which kinds are no movements.
    keep : callable, optional
        Works a table out once, so that it is not worked out again wherever it is used.
    where : str
        Begins the message when a group or a covariate is wrong.

    Raises
    ------
    CustomerlabError
        When a group or a covariate is not among the columns.
    """
    if "durations" in tables:
        return _prepared(tables["durations"], params, where)
    settings = params.churn_timing
    at_hand = features_in(tables)
    own = tables["customers"].columns if "customers" in tables else ()
    has = "there is no {name} to be had from this client's tables"
    known = dict.fromkeys((*at_hand, *own))
    _refuse_unknown(settings, [name for name in known if name not in PERSONAL], has, where)
    rule = {"snapshot": params.snapshot, "idle_days": settings.idle_days}
    moved = movements(tables["transactions"], params.invalid_customers.not_movements)
    lines = keep(timelines(moved, tables.get("customers"), **rule))
    left_out = cells(lines, by=["reason"], n="customers").dropna(subset="reason")
    left_out["reason"] = left_out["reason"].map(REASONS)
    durations = observed(lines)
    chosen = at_hand if settings.covariates is None else settings.covariates
    covariates = tuple(name for name in chosen if name != "tenure_band")
    at_first = [name for name in _GROUPS if name in at_hand]
    groups = tuple(at_first if settings.groups is None else settings.groups)
    features = tuple(dict.fromkeys(["tenure_band", *covariates, *groups]))
    rows = person_months(durations, tables, features=features)
    first = rows.select("customer_id", "tenure", *groups)
    begun = durations.left_join(
        first, [durations.customer_id == first.customer_id, durations.entry == first.tenure]
    )
    begun = begun.select("entry", "duration", "churned", *groups)
    by_month = cells(rows, by=["month", "tenure_band", *covariates], sums={"events": rows.left})
    first_later = pd.to_datetime(by_month["month"]).max() - pd.DateOffset(
        months=max(settings.horizons_months) - 1
    )
    month = pd.to_datetime(by_month["month"])
    # exits are known only when the silence has lasted: what was known when the later months began
    is_known = month < first_later - pd.DateOffset(days=settings.idle_days)
    customers = tables.get("customers")
    joining = "joined_on" in customers.columns if customers is not None else False
    return Stays(
        durations=keep(begun),
        groups=groups,
        covariates=covariates,
        months=_summed(by_month, covariates),
        earlier=_summed(by_month[is_known], covariates),
        later=_summed(by_month[month >= first_later], covariates),
        here=keep(features_at(moved, tables, features=features, **rule)),
        left_out=left_out.reset_index(drop=True),
        joining_known=_share_known(customers.joined_on) if joining else 0.0,
    )


def _prepared(durations: ir.Table, params: Params, where: str) -> Stays:
    own = tuple(name for name in durations.columns if name not in _NOT_COVARIATES)
    settings = params.churn_timing
    _refuse_unknown(settings, own, "durations has no column {name}", where)
    asked = (
        durations.aggregate(**{name: durations[name].nunique() for name in own}) if own else None
    )
    levels = asked.to_pandas().iloc[0] if asked is not None else {}
    few = [name for name in own if levels[name] <= _MOST_LEVELS]
    groups = tuple(few if settings.groups is None else settings.groups)
    covariates = tuple(few if settings.covariates is None else settings.covariates)
    entry = durations.entry if "entry" in durations.columns else 0
    rows = durations.mutate(entry=entry)
    keys = ["entry", "duration", "churned", *covariates]
    return Stays(
        durations=rows.select("entry", "duration", "churned", *groups),
        groups=groups,
        covariates=covariates,
        months=_summed(expand(cells(rows, by=keys), covariates), covariates),
        earlier=None,
        later=None,
        here=features_from_durations(durations, list(dict.fromkeys([*covariates, *groups]))),
        named="customer_id" in durations.columns,
        left_out=pd.DataFrame({"reason": [], "customers": []}),
        passed_over=tuple(name for name in own if name not in {*few, *groups, *covariates}),
    )


def _share_known(column: ir.Value) -> float:
    share = column.notnull().cast("float64").mean().execute()
    return float(share) if share is not None else 0.0


def _refuse_unknown(settings: ChurnTiming, known: Sequence[str], lacking: str, where: str) -> None:
    for key in ("groups", "covariates"):
        for name in getattr(settings, key) or ():
            if name not in known:
                raise CustomerlabError(
                    f"{where}.{key}: {lacking.format(name=name)}{nearest(name, known)}; "
                    f"there are {', '.join(known) or 'none'}"
                )


def _summed(months: pd.DataFrame, covariates: Sequence[str]) -> pd.DataFrame:
    keys = ["tenure_band", *covariates]
    return months.groupby(keys, dropna=False, as_index=False)[["n", "events"]].sum()


def left_out_to_show(stays: Stays, min_cell: int) -> pd.DataFrame:
    """Return whose stay is not measured, small counts masked: all others are counted elsewhere."""
    everyone = [(None, range(len(stays.left_out)))]
    return mask_counts(stays.left_out, min_cell=min_cell, counts=["customers"], sums=everyone)


def curve_to_draw(curve: Survival) -> pd.DataFrame:
    """Return what of a curve can be read: groups with enough exits, months with enough customers.

    Returns
    -------
    DataFrame
        As ``curve.table``, groups named for readers; empty where fewer than two groups of a
        comparison are left.
    """
    groups = curve.groups[curve.groups.status != "not_enough_data"]
    # curves that begin in different months are shares of different customers
    names = groups.loc[groups.begins == groups.begins.min(), "group"]
    table = curve.table[curve.table["at_risk"] >= MIN_AT_RISK]
    table = table[table.group.isin(names)]
    if curve.by is None:
        return table.assign(group=say("all customers"))
    if table.group.nunique() < 2:
        return table.iloc[:0]
    names = [level_name(curve.by, group) for group in table.group]
    return table.assign(group=names, feature=feature_name(curve.by))


def curves_table(curves: Sequence[Survival], words: Words, min_cell: int) -> pd.DataFrame:
    """Return several curves as one table for a report, each group named with its feature.

    Nobody can work a small number of customers out of it: months in which fewer than `min_cell`
    were at risk are left out, and months are joined until none or `min_cell` have left since the
    row before (``events`` counts from there). Where one group of several is left out of a month,
    the smallest other one is too, for all customers less the others would be the one.
    """
    parts = []
    for curve in curves:
        if curve.by is None:
            names = {"all": words(say("all customers"))}
        else:
            names = {
                group: f"{words(feature_name(curve.by))}: {words(level_name(curve.by, group))}"
                for group in curve.table.group.unique()
            }
        shown = [
            _joined(part, min_cell)
            for _, part in _without_small(curve, min_cell).groupby("group", sort=False)
        ]
        if shown:
            table = pd.concat(shown)
            parts.append(table.assign(group=table.group.map(names)))
    if not parts:
        return curves[0].table.iloc[:0]
    return pd.concat(parts, ignore_index=True)


def _without_small(curve: Survival, min_cell: int) -> pd.DataFrame:
    """Leave out the months of a group that are too small, and a second group where one is."""
    table = curve.table
    small = table.at_risk.between(1, min_cell - 1)
    alone = small.groupby(table.month).transform("sum") == 1
    kept = table[~small & (table.at_risk > 0)]
    if curve.by is None:
        return kept
    second = kept[alone[kept.index]].sort_values("at_risk").drop_duplicates("month").index
    return kept.drop(second)


def _joined(part: pd.DataFrame, min_cell: int) -> pd.DataFrame:
    """Join the months of one group until none or enough have left since the row before."""
    total = part.events.cumsum().to_numpy()
    rows, before = [], 0
    for i, left in enumerate(total):
        if left == before or left - before >= min_cell:
            rows.append((i, left - before))
            before = left
    return part.iloc[[i for i, _ in rows]].assign(events=[events for _, events in rows])
