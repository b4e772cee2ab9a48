"""What each question about leaving needs of a client's tables, put together for the notebook.

A client who lacks a table gets the same result, empty, and a sentence that says what is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import ibis.expr.types as ir
import pandas as pd

from customerlab.cells import cells, no_rows
from customerlab.churn.stays import Stays
from customerlab.contract import TABLES, TYPES
from customerlab.customers import own_movements
from customerlab.findings import Finding
from customerlab.params import Params
from customerlab.retention.contacts import ContactEffects, contact_effects
from customerlab.retention.groups import Groups, find_groups, split_half
from customerlab.retention.lost import Lost, follow_lost
from customerlab.retention.money_out import MoneyWent, where_money_went
from customerlab.retention.paths import AssetPath, asset_path
from customerlab.retention.payroll_money import PayrollUse, follow_pay
from customerlab.retention.questions import Questions, answer_questions
from customerlab.retention.stages import Stages, place_customers

Tables = Mapping[str, ir.Table]
Keep = Callable[[ir.Table], ir.Table]


def search_groups(stays: Stays, params: Params) -> Groups:
    """Search for groups at risk among the customers at each landmark.

    What is looked at is whether they left before the next landmark, so that each exit counts
    once. A customer is in the same half at all landmarks.
    """
    attributes = ["tenure_band", *stays.causes]
    if stays.landmarks is None:
        empty = pd.DataFrame(columns=[*attributes, "n", "left"])
        return find_groups(empty, empty, attributes)
    at = stays.landmarks
    at = at.mutate(
        searched=split_half(at, seed=params.seed),
        gone=(at.churned & (at.months_left < stays.window_months)).cast("int64"),
    )
    counts = cells(at, by=["searched", *attributes], sums={"left": at.gone})
    return find_groups(counts[counts["searched"]], counts[~counts["searched"]], attributes)


def watch_pay(tables: Tables, stays: Stays, params: Params, keep: Keep) -> PayrollUse:
    """Follow what becomes of the pay: see :func:`follow_pay`."""
    return follow_pay(
        _table(tables, "transactions"),
        stays.lines,
        stays.people,
        snapshot=params.snapshot,
        by=[name for name in stays.groups if name in stays.people.columns],
        keep=keep,
    )


def watch_assets(tables: Tables, stays: Stays, keep: Keep) -> AssetPath:
    """Follow the assets of leavers and of stayers like them: see :func:`asset_path`."""
    customers = tables.get("customers")
    if customers is not None:
        known = [c for c in ("gender", "region", "birth_date") if c in customers.columns]
        customers = customers.select("customer_id", *known)
    return asset_path(
        tables.get("balances"), tables.get("accounts"), stays.lines, customers, keep=keep
    )


def watch_money(tables: Tables, stays: Stays, params: Params, keep: Keep) -> MoneyWent:
    """Count where the money of leavers went: see :func:`where_money_went`."""
    return where_money_went(
        tables.get("transactions"),
        stays.lines,
        min_cell=params.privacy.min_cell,
        not_movements=params.invalid_customers.not_movements,
        keep=keep,
    )


def watch_stages(tables: Tables, stays: Stays, params: Params, keep: Keep) -> Stages:
    """Place everybody in a stage of leaving: see :func:`place_customers`."""
    known = tables if stays.landmarks is not None else {}
    return place_customers(
        known,
        stays.lines,
        stays.here,
        snapshot=params.snapshot,
        horizons_months=params.churn_timing.horizons_months,
        keep=keep,
    )


def watch_lost(tables: Tables, stays: Stays, params: Params) -> Lost:
    """Follow those already lost: see :func:`follow_lost`."""
    moved = own_movements(tables, params.invalid_customers.not_movements)
    days = stays.idle_rule.days if stays.idle_rule is not None else 90
    return follow_lost(
        _table(tables, "transactions") if moved is None else moved,
        stays.lines,
        tables.get("balances"),
        tables.get("accounts"),
        stays.people,
        snapshot=params.snapshot,
        idle_days=days,
        by=stays.groups,
    )


def watch_contacts(tables: Tables, stays: Stays, params: Params) -> ContactEffects:
    """Look at what campaigns did to leaving: see :func:`contact_effects`."""
    return contact_effects(
        tables,
        stays.lines if stays.landmarks is not None else None,
        snapshot=params.snapshot,
        horizons_months=params.churn_timing.horizons_months,
    )


def ask_questions(
    effects: ContactEffects, tables: Tables, stays: Stays, params: Params, window: Finding
) -> Questions:
    """Answer which product, activity, channel and window suit: see :func:`answer_questions`."""
    calendar = stays.landmarks is not None
    return answer_questions(
        effects,
        tables if calendar else {},
        stays.lines if calendar else None,
        stays.rows if calendar else None,
        horizon_months=min(params.churn_timing.horizons_months),
        window=window,
        not_movements=params.invalid_customers.not_movements,
    )


def _table(tables: Tables, name: str) -> ir.Table:
    """Return a canonical table; without rows where the client gave none."""
    if name in tables:
        return tables[name]
    return no_rows({column.name: TYPES[column.kind] for column in TABLES[name].columns})
