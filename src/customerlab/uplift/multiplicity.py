"""Chances of a false alarm when several arms or outcomes are looked at."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from customerlab.errors import CustomerlabError, nearest

#: What a client may declare, and what statsmodels calls it. Holm (1979) holds the chance of any
#: false alarm, Benjamini and Hochberg (1995) the expected share of false ones among the alarms.
METHODS = {"holm": "holm", "benjamini_hochberg": "fdr_bh", "none": None}


def adjust_p(p: Sequence[float] | np.ndarray, method: str) -> np.ndarray:
    """Return p-values made for the number of comparisons.

    Parameters
    ----------
    p : array-like of shape (comparisons,)
        Missing where there was no test: it stays so and does not count.
    method : {"holm", "benjamini_hochberg", "none"}

    Raises
    ------
    CustomerlabError
        If there is no such method.
    """
    from statsmodels.stats.multitest import multipletests  # slow to import

    if method not in METHODS:
        known = ", ".join(METHODS)
        raise CustomerlabError(
            f"multiplicity: there is no method {method!r}{nearest(method, METHODS)}; "
            f"known here: {known}"
        )
    p = np.asarray(p, dtype=float)
    known = ~np.isnan(p)
    adjusted = p.copy()
    if METHODS[method] and known.any():
        adjusted[known] = multipletests(p[known], method=METHODS[method])[1]
    return adjusted
