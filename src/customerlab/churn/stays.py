"""How long customers stayed, whether from movements or from a table that the client prepared."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import ibis.expr.types as ir
import pandas as pd

from customerlab.cells import cells
from customerlab.churn.curves import Survival, survival
from customerlab.customers import movements
from customerlab.durations import REASONS, timelines
from customerlab.errors import CustomerlabError, nearest
from customerlab.messages import Message, Words, say
from customerlab.params import Params
from customerlab.person_months import (
    expand,
    feature_name,
    features_at,
    features_from_durations,
    features_in,
    level_name,
    person_months,
)

#: Features that a customer has from the beginning, so that groups by them are fair.
_GROUPS = ("payroll", "age_band", "gender", "region")

#: Columns of a prepared table that are no covariates.
_NOT_COVARIATES = frozenset({"customer_id", "duration", "churned", "entry"})


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

    Raises
    ------
    CustomerlabError
        When a group or a covariate is not among the columns.
    """
    if "durations" in tables:
        return _prepared(tables["durations"], params)
    settings = params.churn_timing
    rule = {"snapshot": params.snapshot, "idle_days": settings.idle_days}
    moved = movements(tables["transactions"], params.invalid_customers.not_movements)
    lines = keep(timelines(moved, tables.get("customers"), **rule))
    left_out = cells(lines, by=["reason"], n="customers").dropna(subset="reason")
    left_out["reason"] = left_out["reason"].map(REASONS)
    durations = lines.filter(lines.reason.isnull()).drop("reason")
    at_hand = features_in(tables)
    covariates = tuple(name for name in settings.covariates or at_hand if name != "tenure_band")
    groups = tuple(settings.groups or [name for name in _GROUPS if name in at_hand])
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
    is_later = pd.to_datetime(by_month["month"]) >= first_later
    return Stays(
        durations=keep(begun),
        groups=groups,
        covariates=covariates,
        months=_summed(by_month, covariates),
        earlier=_summed(by_month[~is_later], covariates),
        later=_summed(by_month[is_later], covariates),
        here=keep(features_at(moved, tables, features=features, **rule)),
        left_out=left_out.reset_index(drop=True),
    )


def _prepared(durations: ir.Table, params: Params) -> Stays:
    own = tuple(name for name in durations.columns if name not in _NOT_COVARIATES)
    settings = params.churn_timing
    for key in ("groups", "covariates"):
        for name in getattr(settings, key) or ():
            if name not in own:
                raise CustomerlabError(
                    f"churn_timing.{key}: durations has no column {name}{nearest(name, own)}; "
                    f"there are {', '.join(own) or 'none'}"
                )
    groups = tuple(settings.groups or own)
    covariates = tuple(settings.covariates or own)
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
    )


def _summed(months: pd.DataFrame, covariates: Sequence[str]) -> pd.DataFrame:
    keys = ["tenure_band", *covariates]
    return months.groupby(keys, dropna=False, as_index=False)[["n", "events"]].sum()


#: A group's curve that begins later than this month is not drawn beside the others.
_LATE = 3


def curve_to_draw(curve: Survival, min_cell: int) -> pd.DataFrame:
    """Return what of a curve can be read: groups with enough exits, months with enough customers.

    Returns
    -------
    DataFrame
        As ``curve.table``, groups named for readers; empty where fewer than two groups of a
        comparison are left.
    """
    groups = curve.groups[curve.groups.status != "not_enough_data"]
    names = groups.loc[groups.begins <= _LATE, "group"]
    table = _at_least(curve.table, min_cell)
    table = table[table.group.isin(names)]
    if curve.by is None:
        return table.assign(group=say("all customers"))
    if table.group.nunique() < 2:
        return table.iloc[:0]
    return table.assign(group=[level_name(curve.by, group) for group in table.group])


def curves_table(curves: Sequence[Survival], words: Words, min_cell: int) -> pd.DataFrame:
    """Return several curves as one table, each group named with its feature.

    Months in which fewer than `min_cell` customers were at risk are left out.
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
        parts.append(curve.table.assign(group=curve.table.group.map(names)))
    return _at_least(pd.concat(parts, ignore_index=True), min_cell)


def _at_least(table: pd.DataFrame, min_cell: int) -> pd.DataFrame:
    return table[table["at_risk"] >= min_cell].reset_index(drop=True)
