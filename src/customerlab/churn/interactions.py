"""How two causes act together: which pairs do more, or less, than each alone.

The model of :mod:`customerlab.churn.hazard` multiplies the causes' ratios. Whether that is so is
asked of each pair, beside all main effects: does it need an interaction; with the months since
joining, does a ratio change with time. The score test answers most
(:mod:`customerlab.churn.scores`); where its p-value is small, the likelihood ratio decides.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy

from customerlab.churn.hazard import Hazard
from customerlab.churn.scores import LOOK_CLOSER, Months, independent, months_of
from customerlab.features import feature_name
from customerlab.messages import Message, say

_PAIRS = ["term_a", "term_b", "df", "chi_square", "p", "q", "found"]
_PAIRS += ["test", "status", "too_thin"]


@dataclass(frozen=True)
class Interactions:
    """Which pairs of causes do not simply multiply.

    Attributes
    ----------
    table : DataFrame
        A row per pair, the clearest first: ``term_a``, ``term_b``; ``df``: the columns that the
        interaction adds; ``chi_square``; ``p``; ``q``: the share of false discoveries among all
        pairs up to this one (Benjamini and Hochberg 1995); ``found``: ``q`` at most `alpha`;
        ``test``: ``likelihood ratio``, or ``score`` where that was far from a discovery;
        ``status``: ``tested``, ``too_thin`` (no combination of levels has enough exits) or
        ``no_estimate``; ``too_thin``: combinations of levels with fewer than
        ``MIN_LEVEL_EVENTS`` expected exits (or stays), taken to follow the product.
    alpha : float
    """

    table: pd.DataFrame
    alpha: float

    @property
    def text(self) -> Message:
        """What was tested, and what came out."""
        tested = self.table[self.table["status"] == "tested"]
        found = [
            say("{first} × {second}", first=feature_name(a), second=feature_name(b))
            for a, b in tested.loc[tested["found"], ["term_a", "term_b"]].to_numpy()
        ]
        if not found:
            return say(
                "None of {pairs:count} pairs of causes acts differently together than each alone.",
                pairs=len(tested),
            )
        return say(
            "Of {pairs:count} pairs of causes {found:count} act differently together than each "
            "alone, most clearly {pair}.",
            pairs=len(tested),
            found=len(found),
            pair=found[0],
        )


def find_interactions(
    cells: pd.DataFrame,
    hazard: Hazard,
    *,
    pairs: Sequence[tuple[str, str]] | None = None,
    alpha: float = 0.05,
) -> Interactions:
    """Test for each pair of terms whether the ratios of one depend on the other.

    A pair with ``tenure_band`` asks whether a cause's ratio changes with the time since joining:
    whether hazards are proportional.

    Parameters
    ----------
    cells : DataFrame
        The counts that `hazard` was fitted to.
    hazard : Hazard
    pairs : sequence of (str, str), optional
        Pairs of the model's terms; all when left out.
    alpha : float
        Of the pairs called found, at most this share is expected to be false.

    Raises
    ------
    ValueError
        For other counts than the model's, or a pair that is not two of its terms.
    """
    names = [term.term for term in hazard.terms]
    pairs = list(itertools.combinations(names, 2)) if pairs is None else list(pairs)
    for one, other in pairs:
        if one == other or not {one, other} <= set(names):
            raise ValueError(f"{one} with {other}: not two terms of the model; {', '.join(names)}")
    if not pairs:
        return Interactions(pd.DataFrame(columns=_PAIRS), alpha)
    months = months_of(cells, hazard)
    rows, columns = [], []
    for pair in pairs:
        group, kept, thin = interaction_cells(months, pair)
        score, variance = months.fit.efficient_score(group, len(kept))
        adds = independent(variance, np.bincount(group[group >= 0], minlength=len(kept)))
        columns.append([np.flatnonzero(group == k) for k in adds])
        df = len(adds)
        chi = float(score[adds] @ np.linalg.solve(variance[np.ix_(adds, adds)], score[adds]))
        status = "tested" if df else "too_thin"
        rows.append((*pair, df, chi if df else np.nan, "score", status, thin))
    table = pd.DataFrame(rows, columns=["term_a", "term_b", "df", *_PAIRS[3:4], *_PAIRS[7:]])
    table = _adjusted(table)
    for i in table.index[table["q"] < LOOK_CLOSER]:
        fit = months.fit.with_indicators(columns[i])
        if not fit.converged:
            table.loc[i, ["chi_square", "status"]] = np.nan, "no_estimate"
            continue
        table.loc[i, "chi_square"] = 2 * (fit.log_likelihood - months.fit.log_likelihood)
        table.loc[i, "test"] = "likelihood ratio"
    table = _adjusted(table)
    table["found"] = (table["q"] <= alpha) & (table["status"] == "tested")
    table = table.sort_values("p", kind="stable", ignore_index=True)
    return Interactions(table[_PAIRS], alpha)


def _adjusted(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table with the p-value of each statistic, and adjusted for their number."""
    from statsmodels.stats.multitest import multipletests  # slow to import

    p = pd.Series(scipy.stats.chi2.sf(table["chi_square"], table["df"].clip(lower=1)), table.index)
    known = p.notna()
    q = pd.Series(np.nan, table.index)
    if known.any():
        q[known] = multipletests(p[known], method="fdr_bh")[1]
    return table.assign(p=p, q=q)


def interaction_cells(
    months: Months, pair: tuple[str, str], enough: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, int]:
    """Return the column that each cell gets in the interaction of a pair, -1 for none.

    Combinations that are too thin get none. Of the others some are needed to tell the main
    effects, so that none of these rests on thin ones alone: a spanning forest of the graph whose
    nodes are the levels of both terms and whose edges are the combinations; where nothing is
    thin, those with a reference.

    Parameters
    ----------
    months : Months
    pair : (str, str)
    enough : ndarray of bool, optional
        Which combinations are not too thin; when left out, those with enough expected exits.

    Returns
    -------
    column : ndarray, shape (cells,)
    behind : ndarray
        For each column, the number of its combination.
    thin : int
        How many combinations that occur are too thin.
    """
    group, shape = months.joint(pair)
    size = shape[0] * shape[1]
    enough = months.enough(group, size) if enough is None else enough
    total = np.bincount(group, months.fit.n, size)
    references = [t.levels.index(t.reference) for t in map(months.terms.get, pair)]
    place = np.array(np.unravel_index(np.arange(size), shape))
    beside = (place == np.array(references)[:, None]).sum(axis=0)
    parent = list(range(sum(shape)))

    def root(node: int) -> int:
        while parent[node] != node:
            node = parent[node]
        return node

    adds = []
    for k in sorted(np.flatnonzero(enough), key=lambda k: (-beside[k], -total[k], k)):
        one, other = root(place[0, k]), root(shape[0] + place[1, k])
        if one == other:
            adds.append(k)
        parent[one] = other
    kept = np.sort(np.array(adds, dtype=int))
    number = np.full(size, -1)
    number[kept] = np.arange(len(kept))
    return number[group], kept, int((~enough & (total > 0)).sum())


def pairs_to_show(interactions: Interactions) -> pd.DataFrame:
    """Return the tests of pairs in words; no counts of customers are in them.

    Returns
    -------
    DataFrame
        ``term_a``, ``term_b`` (messages), ``df``, ``chi_square``, ``p_value``, ``q_value``.
    """
    table = interactions.table.rename(columns={"p": "p_value", "q": "q_value"})
    names = {end: [feature_name(term) for term in table[end]] for end in ("term_a", "term_b")}
    return table.assign(**names)[["term_a", "term_b", "df", "chi_square", "p_value", "q_value"]]
