"""Two causes in one table: the ratio of each pair of levels, and what the two multiply to."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import scipy

from customerlab.churn.curves import status_of
from customerlab.churn.hazard import Hazard, Z
from customerlab.churn.interactions import Interactions, interaction_cells
from customerlab.churn.levels import MIN_LEVEL_EVENTS
from customerlab.churn.scores import independent, months_of
from customerlab.features import feature_name, level_name

_COMBINED = ["term_a", "level_a", "term_b", "level_b", "hazard_ratio", "low", "high"]
_COMBINED += ["product", "beyond", "beyond_low", "beyond_high", "n", "events", "status"]


def combined_ratios(cells: pd.DataFrame, hazard: Hazard, term_a: str, term_b: str) -> pd.DataFrame:
    """Return the hazard ratio of every pair of levels, from the model with their interaction.

    Parameters
    ----------
    cells : DataFrame
        The counts that `hazard` was fitted to.
    hazard : Hazard
    term_a, term_b : str
        Two of its terms.

    Returns
    -------
    DataFrame
        ``term_a``, ``level_a``, ``term_b``, ``level_b``; ``hazard_ratio`` against both
        references with its 95 % interval ``low`` to ``high``; ``product``: the ratio of the one
        level times that of the other, each against the reference of its own term; ``beyond``:
        the first over the second, with its range ``beyond_low`` to ``beyond_high``, which allows
        for as many being looked at (Bonferroni); ``n`` customer-months and ``events``;
        ``status``. A pair of levels with fewer than ``MIN_LEVEL_EVENTS`` exits or stays has no
        ratio of its own.
    """
    names = {term.term for term in hazard.terms}
    if term_a == term_b or not {term_a, term_b} <= names:
        raise ValueError(f"{term_a} with {term_b}: not two terms of the model; {sorted(names)}")
    months, pair = months_of(cells, hazard), (term_a, term_b)
    joint, shape = months.joint(pair)
    size = shape[0] * shape[1]
    n, left = (np.bincount(joint, x, size) for x in (months.fit.n, months.fit.left))
    enough = np.minimum(left, n - left) >= MIN_LEVEL_EVENTS
    group, kept, _ = interaction_cells(months, pair, enough)
    _, variance = months.fit.efficient_score(group, len(kept))
    adds = independent(variance, np.bincount(group[group >= 0], minlength=len(kept)))
    fit = months.fit.with_indicators([np.flatnonzero(group == k) for k in adds])
    if not fit.gives_ratios:
        return pd.DataFrame(columns=_COMBINED)
    a, b = (months.terms[name] for name in pair)
    covariance, width = fit.covariance(), months.fit.design.shape[1]
    owners = [(term.term, level) for term in hazard.terms for level in term.free]

    def place(one: str, other: str) -> np.ndarray:
        """Return the row of the design of those with these two levels, else the references."""
        row = np.zeros(len(fit.coefficients))
        for term, level in ((a, one), (b, other)):
            if level != term.reference:
                row[1 + owners.index((term.term, level))] = 1
        k = np.ravel_multi_index((a.levels.index(one), b.levels.index(other)), shape)
        for j, column in enumerate(adds):
            row[width + j] = kept[column] == k
        return row

    base, rows = place(a.reference, b.reference), []
    wide = float(scipy.stats.norm.ppf(1 - 0.025 / max(len(adds), 1)))
    for k, (one, other) in enumerate(itertools.product(a.levels, b.levels)):
        own = place(one, other) - base
        alone = place(one, b.reference) + place(a.reference, other) - 2 * base
        known = enough[k]
        product = float(np.exp(alone @ fit.coefficients))
        ratio, beyond = (
            _ratio(contrast, fit.coefficients, covariance, z) if known else (np.nan,) * 3
            for contrast, z in ((own, Z), (own - alone, wide))
        )
        status = status_of(left[k]) if known else "not_enough_data"
        counts = int(n[k]), int(left[k])
        rows.append((term_a, one, term_b, other, *ratio, product, *beyond, *counts, status))
    return pd.DataFrame(rows, columns=_COMBINED)


def _ratio(
    contrast: np.ndarray, coefficients: np.ndarray, covariance: np.ndarray, z: float
) -> tuple[float, float, float]:
    """Return a ratio and its interval, which the reference itself does not have."""
    if not contrast.any():
        return 1.0, np.nan, np.nan
    b, se = contrast @ coefficients, np.sqrt(contrast @ covariance @ contrast)
    return float(np.exp(b)), float(np.exp(b - z * se)), float(np.exp(b + z * se))


def combined_in_words(table: pd.DataFrame) -> pd.DataFrame:
    """Return :func:`combined_ratios` with terms and levels as readers know them."""
    words = {}
    for end in ("a", "b"):
        pairs = table[[f"term_{end}", f"level_{end}"]].to_numpy()
        words[f"level_{end}"] = [level_name(term, level) for term, level in pairs]
        words[f"term_{end}"] = [feature_name(term) for term, _ in pairs]
    return table.assign(**words)


def clearest_pair(cells: pd.DataFrame, hazard: Hazard, pairs: Interactions) -> pd.DataFrame:
    """Return the clearest of the pairs that act together, in words, for the figure.

    Without rows where none was found.
    """
    found = pairs.table[pairs.table["found"].astype(bool)]
    if found.empty:
        return pd.DataFrame()
    first = found.sort_values("p", kind="stable").iloc[0]
    return combined_in_words(combined_ratios(cells, hazard, first["term_a"], first["term_b"]))
