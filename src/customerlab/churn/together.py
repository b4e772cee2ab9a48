"""A model of the months in which two features may say together what neither says alone."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from customerlab.churn.hazard import Hazard, fit_hazard
from customerlab.churn.interactions import find_interactions
from customerlab.churn.levels import MIN_LEVEL_EVENTS, as_levels
from customerlab.features import FADING, SYMPTOMS

#: Of the pairs that a model is given, at most this share is expected to be there by chance.
_ALPHA = 0.01
#: Between the names of two features, and between two levels.
_BESIDE = " × "


def pairs_of(covariates: Sequence[str]) -> list[tuple[str, str]]:
    """Return the pairs of what may fade that hold a sign of leaving.

    Half the assets gone is a sign that a customer goes, and less of one where a salary has moved,
    which takes assets along.
    """
    fading = [name for name in covariates if name in FADING]
    return [pair for pair in itertools.combinations(fading, 2) if SYMPTOMS & {*pair}]


def pair_name(pair: tuple[str, str]) -> str:
    """Return the column of a pair."""
    return _BESIDE.join(pair)


def features_of(term: str) -> list[str]:
    """Return the features of which a term is made: one, or the two of a pair."""
    return term.split(_BESIDE)


def with_pairs(
    cells: pd.DataFrame, pairs: Iterable[tuple[str, str]], usual: Mapping[str, str]
) -> pd.DataFrame:
    """Add a column for each pair: both levels where neither is the usual one, otherwise nothing."""
    columns = {}
    for one, other in pairs:
        a, b = as_levels(cells[one]), as_levels(cells[other])
        both = (a != usual[one]) & (b != usual[other])
        columns[pair_name((one, other))] = (a + _BESIDE + b).where(both, "")
    return cells.assign(**columns)


def fit_together(
    cells: pd.DataFrame,
    covariates: Sequence[str],
    pairs: Mapping[str, tuple[str, str]],
    *,
    time: str = "tenure_band",
) -> Hazard:
    """Fit the model of main effects, and again with those pairs that clearly do not multiply.

    Parameters
    ----------
    cells, covariates, time
        See :func:`customerlab.churn.hazard.fit_hazard`.
    pairs : mapping of str to (str, str)
        Column of a pair, and the two covariates that it is made of.
    """
    alone = fit_hazard(cells, covariates, time=time)
    used = {term.term for term in alone.terms}
    told = {pair: name for name, pair in pairs.items() if used >= {*pair}}
    if not told:
        return alone
    tested = find_interactions(cells, alone, pairs=[*told], alpha=_ALPHA).table
    found = tested.loc[tested["found"], ["term_a", "term_b"]].itertuples(index=False, name=None)
    more = {told[pair]: _supported(cells, pair, told[pair]) for pair in found}
    return fit_hazard(cells.assign(**more), [*covariates, *more], time=time) if more else alone


def _supported(cells: pd.DataFrame, pair: tuple[str, str], name: str) -> pd.Series:
    """Return the column of a pair without levels of which the pair leaves too few for a ratio.

    Where nearly all whose money was halved and who left are those whose salary had moved, what
    half the money tells alone cannot be known beside what both tell.
    """
    together = cells[name]
    rest = cells[together == ""]
    for one in pair:
        left = rest.groupby(one)[["n", "events"]].sum()
        fewest = np.minimum(left["events"], left["n"] - left["events"])
        enough = cells[one].map(fewest).fillna(0) >= MIN_LEVEL_EVENTS
        together = together.where(enough, "")
    return together
