"""Measures of whether items can be factored: KMO, Bartlett's test, and straight-lining."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd
import scipy


@dataclass(frozen=True)
class StraightLining:
    """How many respondents gave one same answer to every item.

    Attributes
    ----------
    alike, n : int
        Those who did, of those who answered every item.
    """

    alike: int
    n: int

    @property
    def share(self) -> float:
        """Share of `n`; missing when nobody answered every item."""
        return self.alike / self.n if self.n else np.nan


def straight_lining(table: ir.Table, items: Sequence[str]) -> StraightLining:
    """Let the engine count those who gave one same answer throughout.

    Only for items that are asked on one scale; needs two items or more, else nobody is counted.
    """
    if len(items) < 2:
        return StraightLining(0, 0)
    answers = [table[item].cast("float64") for item in items]
    whole = ibis.and_(*(answer.notnull() for answer in answers))
    same = ibis.and_(*(answer == answers[0] for answer in answers[1:]))
    got = table.aggregate(n=whole.sum(), alike=(whole & same).sum()).to_pandas().iloc[0]
    return StraightLining(*(0 if pd.isna(got[name]) else int(got[name]) for name in ("alike", "n")))


def kmo(matrix: np.ndarray) -> tuple[float, np.ndarray]:
    """Return the measure of sampling adequacy of Kaiser, Meyer and Olkin, overall and by item.

    Squared correlations against the same plus squared partial correlations of all others apart:
    sum r² / (sum r² + sum q²) (Kaiser & Rice 1974). Near one, what two items share they share with
    the others, too. Missing for fewer than two items and for a matrix without an inverse.
    """
    k = len(matrix)
    if k < 2 or np.linalg.eigvalsh(matrix)[0] < 1e-10:
        return np.nan, np.full(k, np.nan)
    inverse = np.linalg.inv(matrix)
    spread = np.sqrt(np.diagonal(inverse))
    partial = inverse / np.outer(spread, spread)
    apart = ~np.eye(k, dtype=bool)
    r, q = (np.where(apart, x**2, 0).sum(axis=0) for x in (matrix, partial))
    total = r + q
    by_item = np.where(total > 0, r / np.where(total > 0, total, 1), np.nan)
    return (float(r.sum() / total.sum()) if total.sum() > 0 else np.nan), by_item


def bartlett(matrix: np.ndarray, n: int) -> tuple[float, int, float]:
    """Return chi-squared, degrees of freedom and p of Bartlett's test of sphericity.

    Of the hypothesis that no two items are related (Bartlett 1951): -(n - 1 - (2k + 5) / 6) times
    the logarithm of the determinant, which is summed up as a logarithm so that many items do not
    make it vanish. Missing for fewer than two items, too few rows, or a determinant of zero.
    """
    k = len(matrix)
    df = k * (k - 1) // 2
    factor = n - 1 - (2 * k + 5) / 6
    if k < 2 or factor <= 0:
        return np.nan, df, np.nan
    sign, log = np.linalg.slogdet(matrix)
    if sign <= 0:
        return np.nan, df, np.nan
    chi2 = max(0.0, -log * factor)
    return float(chi2), df, float(scipy.stats.chi2.sf(chi2, df))
