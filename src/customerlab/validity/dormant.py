"""Which dormant customers of the past came back, and so which of today's to wake."""

from __future__ import annotations

from collections.abc import Mapping

import ibis
import ibis.expr.types as ir
import pandas as pd

from customerlab import layers
from customerlab.customers import movements, own_movements
from customerlab.findings import Finding
from customerlab.lots import count_arms
from customerlab.messages import Message
from customerlab.params import Params
from customerlab.validity.judgement import Judgement


def returns_of_dormant(
    judgement: Judgement | Message,
    definitions: tuple[layers.Definition, ...],
    tables: Mapping[str, ir.Table],
    params: Params,
) -> pd.DataFrame:
    """Count who of those dormant at the landmark came back, by product and channel.

    Returns
    -------
    DataFrame
        See :func:`customerlab.layers.count_returns`; without rows where there is no past.
    """
    if isinstance(judgement, Message):
        return pd.DataFrame(columns=list(layers.RETURNS))
    history = judgement.history
    layered = layers.layer_customers(history.customers, definitions).customers
    past = layered.filter(layered.layer == "dormant").select("customer_id", "came_back")
    return layers.count_returns(
        past,
        movements(tables["transactions"], params.invalid_customers.not_movements),
        tables.get("accounts"),
        landmark=history.landmark,
        until=history.until,
    )


def wake(
    layered: ir.Table, returns: pd.DataFrame, tables: Mapping[str, ir.Table], params: Params
) -> ir.Table:
    """Return whom of today's dormant to contact; see :func:`customerlab.layers.propose_waking`."""
    settings = params.invalid_customers
    dormant = layered.filter(layered.layer == "dormant").select("customer_id")
    moves = own_movements(tables, settings.not_movements)
    if moves is not None:
        dormant = layers.last_seen(dormant, moves, tables.get("accounts"), day=params.snapshot)
    else:
        unknown = ibis.literal(layers.UNKNOWN)
        dormant = dormant.mutate(product=unknown, channel=unknown)
    return layers.propose_waking(
        dormant,
        returns,
        seed=params.seed,
        control_share=settings.control_share,
        min_customers=params.privacy.min_cell,
    )


def describe_dormant(
    judgement: Judgement | Message, returns: pd.DataFrame, actions: ir.Table, min_cell: int
) -> tuple[Finding, ...]:
    """Say who of the dormant came back and how many are proposed for contact.

    See :func:`customerlab.layers.describe_waking`; nothing where there is no past.
    """
    if isinstance(judgement, Message):
        return ()
    history = judgement.history
    return layers.describe_waking(
        returns,
        count_arms(actions),
        landmark=history.landmark,
        until=history.until,
        min_customers=min_cell,
        min_cell=min_cell,
    )
