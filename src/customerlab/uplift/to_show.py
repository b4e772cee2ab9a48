"""Numbers of customers, and what rests on few, as a report may show them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from customerlab.messages import Message, listed, say
from customerlab.privacy import HIDDEN, round_counts


def few_of(
    n: pd.Series, share: pd.Series, min_cell: int, judged: pd.Series | bool = True
) -> np.ndarray:
    """Return where there are 1 to `min_cell` less one customers in all, or of either kind.

    Parameters
    ----------
    n, share : Series
        Customers, and the share of them of one kind.
    min_cell : int
    judged : Series of bool, optional
        Where `share` is a share; elsewhere only `n` counts.

    Returns
    -------
    ndarray of bool, shape (rows,)
    """
    n = n.astype(float)
    yes = (n * share.astype(float)).round()
    kinds = yes.between(1, min_cell - 1) | (n - yes).between(1, min_cell - 1)
    judged = judged.astype(bool) if isinstance(judged, pd.Series) else judged
    return (n.between(1, min_cell - 1) | (kinds & judged)).to_numpy()


def tidy(values: pd.Series, places: int = 4) -> pd.Series:
    """Return numbers rounded, whatever order they were added up in.

    Of a share of 13 of 32 the last digit of four would hang on what rounding left in the sum.
    """
    return values.astype(float).round(9).round(places)


def rounded(counts: pd.Series, min_cell: int) -> pd.Series:
    """Return counts of customers rounded to multiples of `min_cell`, small ones as ``"<10"``."""
    small = counts.astype(float).between(1, min_cell - 1)
    return round_counts(counts, min_cell).astype(object).mask(small, f"<{min_cell}")


def hide(table: pd.DataFrame, columns: Sequence[str], few: np.ndarray) -> pd.DataFrame:
    """Return the table with ``hidden`` in these columns where `few`; what is missing stays so."""
    shown = table.copy()
    for column in columns:
        shown[column] = table[column].astype(object).mask(few & table[column].notna(), HIDDEN)
    return shown


def tell_shares(arms: Iterable[str], shares: Iterable[float], few: np.ndarray) -> Message | str:
    """Return arms with their shares in words; where they tell of few customers, without a number.

    The others are then whole percents, for what was computed from both might give the one away.
    """
    told = []
    for arm, share, hidden in zip(arms, shares, few, strict=True):
        if hidden and share < 0.5:
            told.append(say("{arm} hardly anyone", arm=arm))
        elif hidden:
            told.append(say("{arm} nearly all", arm=arm))
        elif few.any():
            told.append(say("{arm} {share:percent0}", arm=arm, share=share))
        else:
            told.append(say("{arm} {share:percent1}", arm=arm, share=share))
    return listed(told)
