r"""How many of the next months a customer is still here: the expectation, and how sure it is.

A month counts when the customer is here as it begins, for the month of leaving is the last one
with a movement. Of ``h`` months a customer who is here is expected to be here

.. math:: m_h = \sum_{j<h} S(j), \qquad S(0) = 1

with :math:`S(j)` the chance of not having left before month j: the restricted mean of the time
until leaving (Royston and Parmar 2013). Its error comes from the coefficients alone, by the delta
method: :math:`g'Vg` with :math:`g = \sum_{j<h} \partial S(j) / \partial\beta`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy

#: Months that are looked at unasked.
MONTHS_HERE = (3, 6, 12)

_Z = float(scipy.special.ndtri(0.975))


def months_name(months: int) -> str:
    """Return the column with the expected months here of the next `months`."""
    return f"months_here_{months}"


def months_names(months: Sequence[int]) -> list[str]:
    """Return the columns of each number of months: the expectation and its two ends."""
    return [months_name(one) + end for one in months for end in ("", "_low", "_high")]


def bounded(
    months: int, expected: np.ndarray, slope: np.ndarray, covariance: np.ndarray
) -> dict[str, np.ndarray]:
    """Return the expected months here and their 95 % intervals.

    Parameters
    ----------
    months : int
        How far is looked ahead.
    expected : ndarray of shape (cells,)
        Months, from 1 (the one that has begun) to `months`; the ends stay within these.
    slope : ndarray of shape (cells, coefficients)
        How they move with each coefficient.
    covariance : ndarray of shape (coefficients, coefficients)

    Returns
    -------
    dict of str to ndarray
        ``months_here_<months>``, ``..._low``, ``..._high``.
    """
    variance = np.einsum("ij,jk,ik->i", slope, covariance, slope, optimize=True)
    wide = _Z * np.sqrt(variance.clip(min=0))
    ends = np.clip([expected - wide, expected + wide], 1, months)
    return dict(zip(months_names([months]), (expected.copy(), *ends), strict=True))
