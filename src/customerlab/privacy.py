"""What may leave: small counts are masked, and columns that name single customers are refused."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from customerlab.errors import CustomerlabError

#: Shown where a second cell is hidden, because a difference would give the first away.
HIDDEN = "hidden"

#: Columns that name single customers, and so never stand in a report.
PERSONAL = frozenset(
    {
        "account_id",
        "address",
        "birth_date",
        "case_id",
        "counterparty",
        "customer_id",
        "email",
        "name",
        "order_id",
        "phone",
        "staff_id",
        "transaction_id",
    }
)


def refuse_personal_columns(frame: pd.DataFrame, what: str) -> None:
    """Raise when a table for a report has a column that names single customers."""
    found = sorted(PERSONAL.intersection(map(str, frame.columns)))
    if found:
        raise CustomerlabError(
            f"{what}: a report shows groups, never single customers; leave out {', '.join(found)}"
        )


def mask_counts(
    frame: pd.DataFrame,
    *,
    min_cell: int,
    counts: Sequence[str],
    with_them: Sequence[str] = (),
    sums: Sequence[tuple[int, Sequence[int]]] = (),
) -> pd.DataFrame:
    """Hide counts of fewer than `min_cell` customers, and what would give them away.

    Parameters
    ----------
    frame : DataFrame
    min_cell : int
        A count from 1 to ``min_cell - 1`` becomes ``"<min_cell"``. Nobody is nobody: 0 stays.
    counts : sequence of str
        Columns with numbers of customers.
    with_them : sequence of str
        Columns that are hidden wherever the first of `counts` is: an amount of 3 customers tells
        of each.
    sums : sequence of (int, sequence of int)
        Positions of rows: a total, and the parts that make it up. Where one cell of such a sum
        is masked, the smallest other one is hidden, too.

    Returns
    -------
    DataFrame
        With texts in the masked cells; the frame itself is not changed.
    """
    masked = frame.copy()
    for column in [*counts, *with_them]:
        masked[column] = masked[column].astype(object)
    for column in counts:
        values = pd.to_numeric(frame[column], errors="coerce").fillna(0).to_numpy()
        small = (values > 0) & (values < min_cell)
        hidden = _secondary(values, small, sums)
        masked[column] = masked[column].mask(hidden, HIDDEN).mask(small, f"<{min_cell}")
        if column == counts[0]:
            for other in with_them:
                masked[other] = masked[other].mask(small | hidden, HIDDEN)
    return masked


def _secondary(
    values: np.ndarray, small: np.ndarray, sums: Sequence[tuple[int, Sequence[int]]]
) -> np.ndarray:
    """Return which further rows to hide, so that no sum leaves exactly one unknown."""
    hidden = np.zeros(len(values), dtype=bool)
    while True:
        before = hidden.sum()
        for total, parts in sums:
            unknown = small | hidden
            if unknown[[total, *parts]].sum() == 1:
                # a part before the total, the smallest first; an empty part hides nothing
                others = [cell for cell in parts if not unknown[cell] and values[cell] > 0]
                others = sorted(others, key=lambda cell: values[cell]) or [total]
                hidden[others[0]] |= not small[others[0]]
        if hidden.sum() == before:
            return hidden
