"""Who is left out, as a report may show it."""

from __future__ import annotations

import pandas as pd

from customerlab.findings import STATUSES, Finding
from customerlab.messages import say
from customerlab.privacy import mask_counts
from customerlab.value.suppression import COLUMNS, PLACES, Suppression


def line_findings(line: Suppression | None, min_cell: int) -> tuple[Finding, ...]:
    """Return what the line loses; without a budget, what it would take to draw one."""
    if line is not None:
        return (line.finding(min_cell),)
    text = say(
        "Whom to leave out is not told: that takes a budget and a cost of a contact above 0 "
        "(customer_value: budget, contact_cost)."
    )
    return (Finding("customer_value.left_out", text, unit="money", status="not_enough_data"),)


def line_to_show(line: Suppression | None, min_cell: int) -> pd.DataFrame:
    """Return the table as a report may show it: small groups are masked with all their money."""
    if line is None:
        return pd.DataFrame(columns=[name for name in COLUMNS if name != "past_n"])
    table = line.table.drop(columns="past_n")
    money = ["value", "value_per_customer", "cost", "past_spend", "past_low", "past_high"]
    shown = mask_counts(
        table,
        min_cell=min_cell,
        counts=["customers"],
        with_them=money,
        sums=[(None, range(len(table)))],
    )
    shown["place"] = table["place"].map(PLACES)
    shown["status"] = table["status"].map(STATUSES)
    return shown
