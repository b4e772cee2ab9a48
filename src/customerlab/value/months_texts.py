"""Words about what a bank's value ahead leaves out."""

from __future__ import annotations

from collections.abc import Sequence

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
