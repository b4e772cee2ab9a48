"""Contacts built from campaigns: who was assigned to be contacted, and what they bought then."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import ibis
import ibis.expr.types as ir
import pandas as pd

from customerlab.errors import CustomerlabError
from customerlab.params import Params, Response
from customerlab.uplift.campaigns import all_assigned, campaigns_of
from customerlab.uplift.trials import find_control
from customerlab.uplift.windows import check_response, with_outcomes

#: A response counts within so many days, where the parameters do not say.
USUAL_DAYS = 30
_WHERE = "response_model.response"
_COLUMNS = {"campaign": "string", "of_arm": "string", "product": "string", "channel": "string"}


def check_campaigns(tables: Mapping[str, ir.Table], params: Params) -> None:
    """Refuse what :func:`contacts_of_campaigns` would refuse, without working anything out.

    Raises
    ------
    CustomerlabError
    """
    asked = params.response_model.response
    if asked.kind == "months":
        raise CustomerlabError(
            f"{_WHERE}.kind: a response is binary: months until a customer leaves are none"
        )
    lacking = [name for name in ("assignments", "transactions") if name not in tables]
    if lacking:
        raise CustomerlabError(
            "response_model: expected the table contacts, or assignments and transactions to build "
            f"contacts from; there is no {' and no '.join(lacking)}"
        )
    check_response(tables, asked, _WHERE)


def contacts_of_campaigns(
    tables: Mapping[str, ir.Table], params: Params, keep: Callable[[ir.Table], ir.Table]
) -> ir.Table:
    """Build the table ``contacts``: everybody assigned to an arm that is no control.

    Parameters
    ----------
    tables : mapping of str to table
        The clean canonical tables, ``assignments`` and ``transactions`` among them.
    params : Params
    keep : callable
        Works a table out once.

    Returns
    -------
    table
        ``customer_id``, ``contacted_at`` (when they were assigned), ``product``, ``channel`` (the
        arm where a campaign has several), ``responded`` (boolean, null where the days in which a
        response counts were not over at the snapshot).
    """
    check_campaigns(tables, params)
    asked = params.response_model.response
    base = keep(all_assigned(tables, (), params.snapshot))
    rows = []
    for one, each in campaigns_of(tables, base, ()).items():
        if asked.campaigns is not None and not {one, str(each["name"])} & set(asked.campaigns):
            continue
        control = find_control(each["arms"], params.uplift_tests.control)
        channel = each.get("channel")
        mixed = channel is None or str(channel).lower() == "mixed"
        product = each.get("product")
        rows += [
            (one, arm, None if product is None else str(product), arm if mixed else str(channel))
            for arm in each["arms"]
            if arm != control
        ]
    arms = pd.DataFrame(rows, columns=list(_COLUMNS), dtype=object)
    made = base.inner_join(
        ibis.memtable(arms, schema=ibis.schema(_COLUMNS)),
        [("campaign_id", "campaign"), ("arm", "of_arm")],
    )
    made = keep(made.mutate(day=made.assigned_at.date()))
    response = Response(kind=asked.kind, when=asked.when, days=asked.days)
    made = with_outcomes(
        made,
        tables,
        {"responded": response},
        usual_days=USUAL_DAYS,
        snapshot=params.snapshot,
        where=_WHERE,
    )
    return made.select(
        "customer_id",
        "product",
        "channel",
        contacted_at="assigned_at",
        responded=made.responded > 0,
    )
