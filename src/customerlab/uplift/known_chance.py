"""A chance of treatment that is known, not learnt, for econml."""

from __future__ import annotations

from typing import Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin


class KnownChance(ClassifierMixin, BaseEstimator):
    """Says of each customer the chance of treatment that stands in the last column."""

    def fit(self, x: np.ndarray, arm: np.ndarray) -> Self:
        """Learn nothing."""
        self.classes_ = np.array([0, 1])
        return self

    def predict_proba(self, x: np.ndarray) -> np.ndarray:
        """Return the chances of no treatment and treatment, shape (n, 2)."""
        return np.column_stack([1 - x[:, -1], x[:, -1]])

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Return the likelier arm."""
        return (x[:, -1] > 0.5).astype(int)
