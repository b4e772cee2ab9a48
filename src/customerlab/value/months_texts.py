"""Words about what a bank's value ahead leaves out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import ibis.expr.types as ir
import pandas as pd

from customerlab.messages import Message, listed, say

#: The row of all products that have a margin; and of what is held in a product that is not told.
ALL, NOT_TOLD = "all", "not told"

PRODUCTS: dict[str, Message] = {
    ALL: say("all products with a margin"),
    NOT_TOLD: say("product not told"),
}


def unforetold(horizons: Sequence[int], told: Sequence[int]) -> Message:
    """Say which horizons the model of leaving was not asked for."""
    gone = [str(h) for h in sorted(set(horizons) - set(told))]
    return say(
        "Notebook 04 does not tell how long customers stay within so many months: {months}.",
        months=listed(gone),
    )


def left_out_notes(parts: pd.DataFrame, others: int, overdrawn: int) -> list[Message]:
    """Say what is not in the value.

    Parameters
    ----------
    parts : DataFrame
        ``product`` and ``margin`` (missing where none is given).
    others : int
        Customers who hold something and are not scored.
    overdrawn : int
        Accounts below 0.
    """
    notes = []
    without = sorted(parts.loc[parts["margin"].isna(), "product"])
    if without and len(without) < len(parts):
        notes.append(
            say(
                "Without a margin, and so without a value: {products}.",
                products=listed([PRODUCTS.get(name, name) for name in without]),
            )
        )
    if others:
        notes.append(
            say(
                "Not valued, for nothing is foretold of customers who are not active: "
                "{n:customers} customers who hold something.",
                n=others,
            )
        )
    if overdrawn:
        notes.append(say("Overdrawn accounts count as empty: {n:count} of them.", n=overdrawn))
    return notes


def why_no_value(
    told: Sequence[int],
    margins: Mapping[str, float] | None,
    scores: ir.Table,
    names: Sequence[str],
    parts: pd.DataFrame,
) -> Message | None:
    """Say why nobody has a value.

    Parameters
    ----------
    told : sequence of int
        Horizons that the model of leaving was asked for.
    margins : mapping of str to float, or None
    scores : table
        Of notebook 04.
    names : sequence of str
        Its columns with the months expected.
    parts : DataFrame
        What is held by customers who are scored: ``margin`` (missing where none is given).
    """
    if not margins:
        return say(
            "No margin is given: what a product earns in a year on what is held (customer_value: "
            "margin). Without it months cannot be turned into money."
        )
    if not told or (parts.empty and not int(scores[names[0]].count().execute())):
        return say("No model says how long customers stay, so their value ahead is not known.")
    if parts.empty:
        return say("No customer who is here holds anything.")
    if parts["margin"].isna().all():
        return say("No product that customers hold has a margin, so their value is not known.")
    return None
