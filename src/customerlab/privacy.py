"""What may leave: small counts are masked, and columns that name single customers are refused."""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import ROUND_CEILING, Decimal
from typing import TYPE_CHECKING

import numpy as np

from customerlab.errors import CustomerlabError

if TYPE_CHECKING:  # most of a second, which the process that renders pages need not spend
    import pandas as pd

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
    rows: str | None = None,
    sums: Sequence[tuple[int | None, Sequence[int]]] = (),
    differences: Sequence[tuple[int, int]] = (),
) -> pd.DataFrame:
    """Hide counts of fewer than `min_cell` customers, and what would give them away.

    Parameters
    ----------
    frame : DataFrame
    min_cell : int
        A count from 1 to ``min_cell - 1`` becomes ``"<min_cell"``. Nobody is nobody: 0 stays.
    counts : sequence of str
        Columns with numbers of customers; each counts a part of those before it, so one that
        falls short of a shown one by fewer than `min_cell` is hidden, too.
    with_them : sequence of str
        Columns that are hidden wherever the first of `counts` is: an amount of 3 customers tells
        of each.
    rows : str, optional
        Column with numbers of rows: where no number of customers is known, `with_them` is judged
        by it, for the amount of one row is the amount of one customer.
    sums : sequence of (int or None, sequence of int)
        Positions of rows: a total, and the parts that make it up; None for a total that is shown
        elsewhere. Where one cell of such a sum is masked, the smallest other one is hidden, too.
    differences : sequence of (int, int)
        Positions of two rows whose difference is a number of customers, too. Where it is below
        `min_cell`, the second is hidden.

    Returns
    -------
    DataFrame
        With texts in the masked cells; the frame itself is not changed.
    """
    import pandas as pd

    masked = frame.copy()
    for column in [*counts, *with_them]:
        masked[column] = masked[column].astype(object)
    before: list[tuple[np.ndarray, np.ndarray]] = []
    for column in counts:
        values = pd.to_numeric(frame[column], errors="coerce").fillna(0).to_numpy()
        small = _small(values, min_cell)
        close = np.zeros(len(values), dtype=bool)
        for whole, unknown in before:
            close |= ~small & (values > 0) & ~unknown & _small(whole - values, min_cell)
        hidden = _secondary(values, small, close, sums, differences, min_cell)
        before.append((values, small | hidden))
        masked[column] = masked[column].mask(hidden, HIDDEN).mask(small, f"<{min_cell}")
        if column == counts[0]:
            gone = small | hidden
            if rows is not None:
                people = np.where(values > 0, values, frame[rows].to_numpy())
                few, none = _small(people, min_cell), np.zeros(len(people), dtype=bool)
                gone |= few | _secondary(people, few, none, sums, differences, min_cell)
            for other in with_them:
                # what is not there need not be hidden
                masked[other] = masked[other].mask(gone & frame[other].notna(), HIDDEN)
    return masked


def round_counts(counts: pd.Series, min_cell: int) -> pd.Series:
    """Return counts of customers rounded to a multiple of `min_cell`.

    Where many overlapping groups are counted side by side, some differ by a single customer, and
    hiding cells would leave little to read. Rounded, no difference tells of fewer than `min_cell`.
    """
    return (counts.astype(float) / min_cell).round().astype("int64") * min_cell


def about(n: int, min_cell: int) -> int:
    """Return a count rounded to a multiple of `min_cell`; one below it stays, to be masked."""
    return n if n < min_cell else round(n / min_cell) * min_cell


def roundest(end: float, following: float) -> float:
    """Return the number of fewest digits from `end` up to, and without, `following`.

    As a limit between two groups it parts the customers as `end` does, is easier to say, and is
    not the amount that some customer has.
    """
    if not math.isfinite(end) or end == 0:
        return float(end)
    exact = Decimal(repr(float(end)))
    for digits in range(1, 18):
        step = Decimal(1).scaleb(exact.adjusted() - digits + 1)
        rounded = float((exact / step).to_integral_value(ROUND_CEILING) * step)
        if end <= rounded < following:
            return rounded
    return float(end)


def _small(values: np.ndarray, min_cell: int) -> np.ndarray:
    return (values > 0) & (values < min_cell)


def _secondary(
    values: np.ndarray,
    small: np.ndarray,
    hidden: np.ndarray,
    sums: Sequence[tuple[int | None, Sequence[int]]],
    differences: Sequence[tuple[int, int]],
    min_cell: int,
) -> np.ndarray:
    """Return which further rows to hide, so that no sum leaves exactly one unknown."""
    while True:
        before = hidden.sum()
        for one, other in differences:
            known = not (small | hidden)[[one, other]].any()
            hidden[other] |= known and _small(abs(values[one] - values[other]), min_cell)
        for total, parts in sums:
            unknown = small | hidden
            whole = [] if total is None else [total]
            if unknown[[*whole, *parts]].sum() == 1:
                # a part before the total, the smallest first; an empty part hides nothing
                others = [cell for cell in parts if not unknown[cell] and values[cell] > 0]
                for cell in [*sorted(others, key=lambda cell: values[cell]), *whole][:1]:
                    hidden[cell] |= not small[cell]
        if hidden.sum() == before:
            return hidden
