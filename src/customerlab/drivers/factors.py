"""Factors behind the items: loadings with their intervals, and how sure it is which they are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from customerlab.drivers.extraction import (
    LEAST_UNIQUENESS,
    Extracted,
    Rotation,
    extract,
    in_order,
    rotate,
    told,
)
from customerlab.drivers.factor_count import most_factors
from customerlab.drivers.redrawn import FEWEST, Draws, none_drawn, redraw_factors, sound
from customerlab.findings import Status
from customerlab.messages import Message, listed, say

#: Below this Tucker's congruence does not call two factors alike (Lorenzo-Seva & ten Berge 2006).
ALIKE = 0.85
_ENDS = [0.025, 0.975]


@dataclass(frozen=True)
class Factors:
    """Factors, called F1, F2 ... in the order of the variance that they tell.

    Attributes
    ----------
    items, names : tuple of str
    n : int
    rotation : {"oblimin", "varimax", "promax"}
    pattern : ndarray of shape (items, factors)
    correlation : ndarray of shape (factors, factors)
        Of the factors.
    uniqueness : ndarray of shape (items,)
    loadings : DataFrame
        ``item``, ``factor``, ``loading``, ``low``, ``high`` (95 %, percentiles of the resamples).
    items_told : DataFrame
        ``item``, ``factor`` (that it belongs to, by its largest loading), ``communality``.
    table : DataFrame
        One row a factor: ``factor``, ``items`` (how many belong to it), ``share_told`` of the
        variance of all items, ``congruence`` (Tucker's, median over resamples), ``congruence_low``
        (5th percentile).
    correlations : DataFrame
        ``factor``, ``other``, ``correlation``, ``low``, ``high`` (as of the loadings): each pair
        once.
    draws : Draws
    status : {"supported", "weak", "not_enough_data"}
    notes : tuple of Message
        What is wrong; empty where nothing is.
    """

    items: tuple[str, ...]
    names: tuple[str, ...]
    n: int
    rotation: Rotation
    pattern: np.ndarray
    correlation: np.ndarray
    uniqueness: np.ndarray
    loadings: pd.DataFrame
    items_told: pd.DataFrame
    table: pd.DataFrame
    correlations: pd.DataFrame
    draws: Draws
    status: Status
    notes: tuple[Message, ...]


def fit_factors(
    matrix: np.ndarray,
    n: int,
    items: Sequence[str],
    factors: int,
    *,
    rotation: Rotation = "oblimin",
    resamples: Iterable[tuple[np.ndarray, np.ndarray]] = (),
) -> Factors:
    """Fit factors by maximum likelihood and rotate them, as psych's ``fa(fm="ml")``.

    Parameters
    ----------
    matrix : ndarray of shape (items, items)
        Correlations.
    n : int
        Rows that they come from.
    items : sequence of str
    factors : int
    rotation : {"oblimin", "varimax", "promax"}
    resamples : iterable of (ndarray, ndarray)
        How often each bag of rows was drawn, and the correlations of the rows in them. The order
        and the sign of factors are arbitrary, so each resample's are matched with those of the
        whole before anything is compared.

    Returns
    -------
    Factors
        Of no factor, with a note that says why, where there can be none.
    """
    items = tuple(items)
    why_not = _why_not(matrix, len(items), factors)
    if why_not is not None:
        return _put_together(items, n, rotation, factors=0, notes=(why_not,))
    whole = extract(matrix, factors)
    notes = []
    if not whole.converged:
        notes.append(say("The likelihood of the factors was not brought to its maximum."))
    at_bound = whole.uniqueness <= LEAST_UNIQUENESS * 1.001
    if at_bound.any():
        names = [item for item, bound in zip(items, at_bound, strict=True) if bound]
        notes.append(
            say(
                "The factors tell all of {items} and leave nothing of its own (a Heywood case): "
                "often a sign of too many factors, or of two items that ask the same.",
                items=listed(names),
            )
        )
    elif whole.converged:
        whole = _by_statsmodels(matrix, n, whole)
    turned = rotate(whole.loadings, rotation)
    pattern, correlation = in_order(turned.loadings, turned.correlation)
    drawn = redraw_factors(resamples, whole, turned.turn, pattern, rotation)
    return _put_together(
        items,
        n,
        rotation,
        factors=factors,
        pattern=pattern,
        correlation=correlation,
        uniqueness=whole.uniqueness,
        draws=drawn,
        notes=(*notes, *_notes(drawn, n, len(items))),
    )


def _why_not(matrix: np.ndarray, items: int, factors: int) -> Message | None:
    if factors < 1:
        return say("There is no factor to fit.")
    if factors > most_factors(items):
        return say(
            "Factors asked for: {factors:count}; so many items ({items:count}) tell {most:count} "
            "at most.",
            factors=factors,
            items=items,
            most=most_factors(items),
        )
    if not sound(matrix):
        return say(
            "The correlations cannot be factored: items are missing or do not vary, some are "
            "sums of others, or there are fewer answers than items."
        )
    return None


def _by_statsmodels(matrix: np.ndarray, n: int, start: Extracted) -> Extracted:
    """Let statsmodels' Factor go on from the maximum, over all loadings: it stays there."""
    from statsmodels.multivariate.factor import Factor  # slow to import

    model = Factor(corr=matrix, n_factor=start.loadings.shape[1], method="ml", nobs=n)
    model.fit(start=(start.loadings, start.uniqueness), opt={"gtol": 1e-6})
    return Extracted(model.loadings, model.uniqueness, bool(model.mle_retvals.success))


def _notes(draws: Draws, n: int, items: int) -> list[Message]:
    notes = []
    if n < max(100, 5 * items):
        notes.append(
            say(
                "Factors of {n:customers} answers to {items:count} items are rough.",
                n=n,
                items=items,
            )
        )
    tried = len(draws.matrices) + draws.failed
    if draws.failed > 0.05 * tried:
        notes.append(
            say(
                "In {failed:count} of {tried:count} resamples there were no such factors; the "
                "intervals are of the others.",
                failed=draws.failed,
                tried=tried,
            )
        )
    if len(draws.matrices) >= FEWEST:
        low = np.quantile(draws.congruence, 0.05, axis=0)
        loose = [f"F{i + 1}" for i in range(len(low)) if low[i] < ALIKE]
        if loose:
            notes.append(
                say(
                    "Not the same in every resample (Tucker's congruence below {alike:number2} in "
                    "more than one of twenty): {factors}.",
                    alike=ALIKE,
                    factors=listed(loose),
                )
            )
    return notes


def _put_together(
    items: tuple[str, ...],
    n: int,
    rotation: Rotation,
    *,
    factors: int,
    pattern: np.ndarray | None = None,
    correlation: np.ndarray | None = None,
    uniqueness: np.ndarray | None = None,
    draws: Draws | None = None,
    notes: tuple[Message, ...] = (),
) -> Factors:
    """Make the tables; of no factor they have all their columns and no row of a factor."""
    k, m = len(items), factors
    names = tuple(f"F{i + 1}" for i in range(m))
    pattern = np.zeros((k, 0)) if pattern is None else pattern
    correlation = np.eye(m) if correlation is None else correlation
    uniqueness = np.full(k, np.nan) if uniqueness is None else uniqueness
    draws = none_drawn(k, m) if draws is None else draws
    enough = len(draws.matrices) >= FEWEST
    low, high = np.full((2, k, m), np.nan)
    less, more = np.full((2, m, m), np.nan)
    if enough and m:
        low, high = np.quantile(draws.loadings, _ENDS, axis=0)
        less, more = np.quantile(draws.correlations, _ENDS, axis=0)
        middle, least = np.quantile(draws.congruence, [0.5, 0.05], axis=0)
    else:
        middle = least = np.full(m, np.nan)
    own = np.abs(pattern).argmax(axis=1) if m else np.full(k, -1)
    loadings = pd.DataFrame(
        {
            "item": np.repeat(np.array(items, dtype=object), m),
            "factor": np.tile(np.array(names, dtype=object), k),
            "loading": pattern.ravel(),
            "low": low.ravel(),
            "high": high.ravel(),
        }
    )
    table = pd.DataFrame(
        {
            "factor": np.array(names, dtype=object),
            "items": [int((own == i).sum()) for i in range(m)],
            "share_told": told(pattern, correlation) / max(k, 1),
            "congruence": middle,
            "congruence_low": least,
        }
    )
    pairs = [(i, j) for i in range(m) for j in range(i + 1, m)]
    correlations = pd.DataFrame(
        [(names[i], names[j], correlation[i, j], less[i, j], more[i, j]) for i, j in pairs],
        columns=["factor", "other", "correlation", "low", "high"],
    )
    items_told = pd.DataFrame(
        {
            "item": np.array(items, dtype=object),
            "factor": [names[i] if m else None for i in own],
            "communality": 1 - uniqueness,
        }
    )
    return Factors(
        items=items,
        names=names,
        n=n,
        rotation=rotation,
        pattern=pattern,
        correlation=correlation,
        uniqueness=uniqueness,
        loadings=loadings,
        items_told=items_told,
        table=table,
        correlations=correlations,
        draws=draws,
        status="not_enough_data" if m == 0 else "weak" if notes else "supported",
        notes=notes,
    )
