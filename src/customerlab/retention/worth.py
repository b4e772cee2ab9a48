"""Whether keeping customers pays: what a contact costs against what it may keep."""

from __future__ import annotations

from dataclasses import dataclass

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from customerlab.churn.forecast import score_name
from customerlab.findings import Finding
from customerlab.messages import say
from customerlab.params import Params
from customerlab.privacy import round_counts

#: Customers are looked at in so many equal parts, by what they are expected to take along.
PARTS = 10

_COLUMNS = ["part", "customers", "chance", "value_a_year", "expected_loss", "break_even"]
_COLUMNS += ["gain", "low", "high"]


@dataclass(frozen=True)
class Worth:
    """What approaching customers costs and may keep, by what is at stake with them.

    Attributes
    ----------
    table : DataFrame
        Tenths of the customers here, those expected to take most along first: ``part``,
        ``customers``, ``chance`` of leaving, ``value_a_year`` of a customer,
        ``expected_loss`` (what one is expected to take along, a year; nothing, as far as they may
        have left already), ``break_even`` (the share of the leavers that contact must keep to pay
        for itself; above 1 it never does), and with a known effect ``gain`` per customer
        approached with its interval ``low`` to ``high``. Empty where assets or margin are unknown.
    ranked : table
        The customers here: ``customer_id``, ``part``, ``reason_1``. Where assets or margin are
        unknown, those most likely to leave come first.
    cost : float or None
        Of approaching one customer.
    effect : tuple or None
        Share of the leavers that contact keeps, its 95 % interval, and within how many months;
        None where nobody's chance of leaving within so many months is known.
    """

    table: pd.DataFrame
    ranked: ir.Table
    cost: float | None
    effect: tuple[float, float, float, int] | None


def weigh_keeping(
    scores: ir.Table,
    customers: ir.Table | None,
    params: Params,
    *,
    effect: tuple[float, float, float, int] | None = None,
) -> Worth:
    r"""Set the cost of a contact against what it may keep.

    A contact that keeps a share :math:`e` of those who would leave gains
    :math:`p\,e\,v - c` a customer, with chance of leaving :math:`p`, value a year :math:`v` and
    cost :math:`c`; it pays from :math:`e = c / (p v)` on, the break-even effect. So customers
    are taken in the order of :math:`p v`, not of :math:`p`: who holds nothing takes nothing along.
    The effect is taken to be the same for all.

    Parameters
    ----------
    scores : table
        From :func:`customerlab.churn.score_customers`.
    customers : table or None
        ``customer_id``, ``assets``.
    params : Params
        Of ``churn_timing``: ``margin``, ``retention_cost``, ``horizons_months``.
    effect : (value, low, high, months), optional
        From an experiment: see :func:`customerlab.retention.effect_of_contact`.
    """
    settings = params.churn_timing
    if effect is not None and effect[3] not in settings.horizons_months:
        effect = None
    horizon = max(settings.horizons_months) if effect is None else effect[3]
    known = customers is not None and settings.margin is not None
    here = _at_stake(scores, customers if known else None, score_name(horizon), settings.margin)
    ranked = _ranked(here, params.seed)
    table = pd.DataFrame(columns=_COLUMNS)
    if known:
        table = _tenths(ranked, settings.retention_cost, effect)
    chosen = ranked.select("customer_id", "part", "reason_1")
    return Worth(table, chosen, settings.retention_cost, effect)


def _at_stake(
    scores: ir.Table, customers: ir.Table | None, chance: str, margin: float | None
) -> ir.Table:
    """Return the chance of leaving of those here, and what they would take along."""
    here = scores.filter(scores[chance].notnull() & (scores.still_here > 0))
    here = here.select("customer_id", "still_here", "reason_1", chance=here[chance])
    if customers is None or margin is None:
        return here.mutate(value=ibis.literal(1.0), loss=here.chance)
    held = customers.select(whose="customer_id", assets=customers.assets.cast("float64"))
    here = here.left_join(held, [("customer_id", "whose")]).drop("whose")
    here = here.mutate(value=ibis.greatest(here.assets.fill_null(0.0), 0.0) * margin)
    # who may have left unnoticed is approached, too, and takes nothing along
    return here.mutate(loss=here.chance * here.value * here.still_here)


def _ranked(here: ir.Table, seed: int) -> ir.Table:
    """Part the customers into tenths, those with most at stake first."""
    # among those alike the lot decides, the same on every engine
    lot = (ibis.literal(f"{seed}:most at stake:") + here.customer_id).hexdigest("md5")
    order = [here.loss.desc(), here.chance.desc(), lot, here.customer_id]
    ranked = here.mutate(
        place=ibis.row_number().over(order_by=order), total=here.count().as_scalar()
    )
    return ranked.mutate(part=ranked.place * PARTS // ranked.total + 1)


def _tenths(
    ranked: ir.Table, cost: float | None, effect: tuple[float, float, float, int] | None
) -> pd.DataFrame:
    here = ranked.still_here
    table = ranked.group_by("part").aggregate(
        customers=ranked.count(),
        chance=(ranked.chance * here).sum() / here.sum(),
        value_a_year=(ranked.value * here).sum() / here.sum(),
        expected_loss=ranked.loss.mean(),
    )
    table = table.order_by("part").to_pandas()
    loss = table["expected_loss"]
    table["break_even"] = np.nan if cost is None else cost / loss.where(loss > 0)
    for column, end in zip(_COLUMNS[-3:], (effect or ())[:3] or (np.nan,) * 3, strict=True):
        table[column] = np.nan if cost is None else end * loss - cost
    return table[_COLUMNS]


def say_worth(worth: Worth) -> Finding:
    """Return whether the cost of keeping customers pays, or what would have to be known."""
    id_ = "churn_timing.keeping_pays"
    if worth.table.empty or worth.cost is None:
        return Finding(
            id=id_,
            text=say(
                "Whether keeping customers pays cannot be said: it takes `margin` (what a "
                "customer's assets earn in a year) and `retention_cost` (what approaching one "
                "costs) under churn_timing."
            ),
            unit="percent",
            status="not_enough_data",
        )
    first = worth.table.iloc[0]
    if not first["expected_loss"] > 0:
        return Finding(
            id=id_,
            text=say(
                "Whether keeping customers pays cannot be said: those who may leave hold nothing."
            ),
            unit="percent",
            n=int(first["customers"]),
            status="not_enough_data",
        )
    facts = {
        "cost": worth.cost,
        "loss": first["expected_loss"],
        "even": first["break_even"],
    }
    if worth.effect is None:
        return Finding(
            id=id_,
            text=say(
                "Approaching a customer costs {cost:money}. In the tenth with most at stake one "
                "takes {loss:money} a year along in the mean, so contact pays if it keeps at least "
                "{even:percent} of those who would leave. Whether it does takes a test.",
                **facts,
            ),
            value=first["break_even"],
            unit="percent",
            n=int(first["customers"]),
            status="weak",
        )
    value, low, high, months = worth.effect
    text = (
        say(
            "Contact keeps {effect:percent} of those who would leave within {months:count} months "
            "(by experiment). In the tenth of customers with most at stake it pays from "
            "{even:percent} on: {gain:money} a customer approached, a year.",
            effect=value,
            months=months,
            even=first["break_even"],
            gain=first["gain"],
        )
        if first["gain"] > 0
        else say(
            "Contact keeps {effect:percent} of those who would leave within {months:count} months "
            "(by experiment); even in the tenth of customers with most at stake it would have to "
            "keep {even:percent} to pay.",
            effect=value,
            months=months,
            even=first["break_even"],
        )
    )
    sure = first["low"] > 0 or first["high"] < 0
    return Finding(
        id=id_,
        text=text,
        value=value,
        low=low,
        high=high,
        unit="percent",
        n=int(first["customers"]),
        status="supported" if sure else "weak",
    )


def worth_to_show(worth: Worth, min_cell: int) -> pd.DataFrame:
    """Return the tenths for a report, numbers of customers rounded to multiples of `min_cell`.

    Where contact would have to keep more than all, ``break_even`` says that it never pays.
    """
    names = {"gain": "pays_each", "low": "gain_low", "high": "gain_high"}
    table = worth.table.rename(columns=names)
    never = table["break_even"].astype(float) > 1
    return table.assign(
        customers=round_counts(table["customers"], min_cell),
        break_even=table["break_even"].astype(object).mask(never, say("never pays")),
    )
