"""Who is above the line, who below it is contacted by lot, and who is not judged."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from customerlab.messages import Message, say
from customerlab.privacy import mask_counts
from customerlab.response.margins import Margins

#: Where a customer stands.
PLACES: dict[str, Message] = {
    "above": say("from the cut-off on"),
    "no_room": say("from the cut-off on, but the contacts are used up"),
    "tested": say("below the cut-off, contacted by lot"),
    "below": say("below the cut-off"),
    "unlike": say("unlike those contacted before"),
}
SCORES = {"customer_id": "string", "product": "string", "channel": "string"}
SCORES |= {"chance": "float64", "expected_profit": "float64", "place": "string"}
SCORES |= {"status": "string"}
_COUNTED = ["place", "customers", "responses", "cost", "expected_profit"]


def place_customers(
    people: ir.Table, kinds: pd.DataFrame, margins: Margins, room: int, tested: int, seed: int
) -> ir.Table:
    """Return everybody's row: the best are above the line, some below it are drawn by lot.

    Parameters
    ----------
    people : table
        ``customer_id`` and ``alike``.
    kinds : DataFrame
        One row per kind of customer: ``alike``, ``pair`` (row of the margins' pairs), ``chance``,
        ``worth`` (money per contact before its cost), ``weak`` and ``zone``: ``above``, ``below``
        or ``unlike``; None where there is no line.
    margins : Margins
    room, tested : int
        How many are contacted above the line, and below it.
    seed : int

    Returns
    -------
    table
        With the columns of :data:`SCORES`.
    """
    offers = margins.pairs
    by_kind = pd.DataFrame(
        {
            "kind": kinds["alike"],
            "product": offers["product"].to_numpy(object)[kinds["pair"]],
            "channel": offers["channel"].to_numpy(object)[kinds["pair"]],
            "chance": kinds["chance"],
            "expected_profit": kinds["worth"] - margins.cost if margins.priced else np.nan,
            "zone": kinds["zone"].astype(object),
            "weak": kinds["weak"].astype(bool),
        }
    )
    types = {"kind": "int64", "product": "string", "channel": "string", "chance": "float64"}
    types |= {"expected_profit": "float64", "zone": "string", "weak": "boolean"}
    rows = people.select("customer_id", "alike").inner_join(
        ibis.memtable(by_kind, schema=ibis.schema(types)), [("alike", "kind")]
    )
    lot = (ibis.literal(f"{seed}:response_model:below:") + rows.customer_id).hexdigest("md5")
    best = (rows.zone == "above").ifelse(rows.expected_profit.round(9), 0.0)
    order = [ibis.desc(best), lot, rows.customer_id]
    place = ibis.row_number().over(ibis.window(group_by="zone", order_by=order))
    rows = rows.mutate(at=place)
    placed = ibis.cases(
        ((rows.zone == "above") & (rows["at"] >= room), "no_room"),
        ((rows.zone == "below") & (rows["at"] < tested), "tested"),
        else_=rows.zone,
    )
    return rows.select(
        "customer_id",
        "product",
        "channel",
        "chance",
        "expected_profit",
        place=placed,
        status=rows.weak.ifelse("weak", "supported"),
    ).cast(SCORES)


def count_places(table: ir.Table, margins: Margins, line: float) -> pd.DataFrame:
    """Count who is where, and add up what contacting them is expected to bring.

    Parameters
    ----------
    table : table
        Of :func:`place_customers`.
    margins : Margins
    line : float
        Missing where there is none: then there are no rows.
    """
    if np.isnan(line):
        return pd.DataFrame(columns=_COUNTED)
    exact = {
        name: table[name].round(9).cast("decimal(38, 9)").sum().cast("float64")
        for name in ("chance", "expected_profit")
    }
    counted = table.group_by("place").aggregate(customers=table.count(), **exact).to_pandas()
    counted = counted.rename(columns={"chance": "responses"})
    found = pd.DataFrame({"place": list(PLACES)}).merge(counted, how="left", on="place")
    found = found.fillna({"customers": 0, "responses": 0.0, "expected_profit": 0.0})
    found["customers"] = found["customers"].astype("int64")
    return found.assign(cost=found["customers"] * margins.cost)[_COUNTED]


def places_to_show(table: pd.DataFrame, min_cell: int) -> pd.DataFrame:
    """Return :func:`count_places` for a report, small ones masked with all their money."""
    shown = mask_counts(
        table.assign(
            responses=table["responses"].astype(float).round(),
            expected_profit=table["expected_profit"].astype(float).round(2),
        ),
        min_cell=min_cell,
        counts=["customers"],
        with_them=["responses", "cost", "expected_profit"],
        sums=[(None, range(len(table)))] if len(table) else [],
    )
    return shown.assign(place=table["place"].map(PLACES))
