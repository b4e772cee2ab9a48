"""The nearest matrix of correlations that can be those of one set of rows.

Correlations of pairs of different rows, and polychoric ones, need not fit together: the matrix is
then not positive definite, and has no inverse that means anything.
"""

from __future__ import annotations

import numpy as np

#: Below the first a matrix is repaired, to no eigenvalue below the second: so that its inverse,
#: which the factors rest on, is not all rounding.
_SINGULAR, _LEAST = 1e-8, 1e-3


def nearest_correlations(matrix: np.ndarray) -> np.ndarray:
    """Return the matrix itself when it is positive definite, else the nearest correlations.

    By alternating projections with Dykstra's correction (Higham 2002), to eigenvalues of 0.001 or
    more; as ``Matrix::nearPD(corr = TRUE)`` of R.
    """
    if not len(matrix) or np.linalg.eigvalsh(matrix)[0] > _SINGULAR:
        return matrix
    result, correction = matrix, np.zeros_like(matrix)
    for _ in range(1000):
        before, shifted = result, result - correction
        whole = _lifted(shifted)
        correction = whole - shifted
        result = whole.copy()
        np.fill_diagonal(result, 1)
        if np.abs(result - before).max() < 1e-9:
            break
    result = _lifted(result)
    spread = np.sqrt(np.diagonal(result))
    result = result / np.outer(spread, spread)
    np.fill_diagonal(result, 1)
    return (result + result.T) / 2


def _lifted(matrix: np.ndarray) -> np.ndarray:
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.maximum(values, _LEAST)) @ vectors.T
