"""Combinations of two or three causes that leave more, or less, often than the parts would say.

The model of :mod:`customerlab.churn.hazard` multiplies the causes' ratios. Here every combination
of two or three levels is looked at beside all main effects, by the score test
(:mod:`customerlab.churn.scores`), and the clearest by the likelihood ratio. Which are looked at
follows from the exits that the main effects *expect* in them: to choose by the exits seen would
favour those that happen to have many.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy

from customerlab.churn.hazard import Hazard
from customerlab.churn.levels import MIN_LEVEL_EVENTS, Levels, as_levels
from customerlab.churn.scores import ALIASED, LOOK_CLOSER, Fit, Months, months_of
from customerlab.features import feature_name, level_name
from customerlab.messages import Message, say

#: So many combinations, those with the largest score statistics, are looked at more closely.
_CLOSER_MOST = 8
#: No more combinations than this are taken into the model.
_FOUND_MOST = 6

_COMBINATIONS = ["combination", "ratio", "low", "high", "coefficient", "std_error"]
_COMBINATIONS += ["n", "events", "expected", "chi_square", "p", "q"]


@dataclass(frozen=True)
class Combination:
    """Levels of two or three terms that are found together in a customer-month.

    Attributes
    ----------
    parts : tuple of (Levels, str)
        Terms of the model, and the level of each.
    """

    parts: tuple[tuple[Levels, str], ...]

    @property
    def levels(self) -> dict[str, str]:
        """Term to level."""
        return {term.term: level for term, level in self.parts}

    def of_frame(self, rows: pd.DataFrame) -> pd.Series:
        """Return ``yes`` or ``no`` for each row of a frame that has the terms.

        A value that the model never saw counts as the level that it is to the model
        (:class:`customerlab.churn.levels.Levels`).
        """
        here = np.full(len(rows), True)
        for term, level in self.parts:
            columns = term.indicators(as_levels(rows[term.term]))
            if level == term.reference:
                here &= ~columns.any(axis=1)
            else:
                here &= columns[:, term.free.index(level)] == 1
        return pd.Series(np.where(here, "yes", "no"), rows.index, dtype=object)

    @property
    def text(self) -> Message:
        """The combination as a reader knows it."""
        parts = [
            say("“{feature}: {level}”", feature=feature_name(term), level=level_name(term, level))
            for term, level in self.levels.items()
        ]
        if len(parts) == 2:
            return say("{first} together with {second}", first=parts[0], second=parts[1])
        first, second, third = parts
        return say(
            "{first} together with {second} and {third}", first=first, second=second, third=third
        )


@dataclass(frozen=True)
class Combinations:
    """Combinations of levels that leave more, or less, often than the separate effects say.

    Attributes
    ----------
    table : DataFrame
        A row per combination found, in the order of finding: ``combination`` (tuple of (term,
        level)); ``ratio`` beyond the product of the main effects and of the
        other combinations found, with the range ``low`` to ``high``, which allows for their
        having been picked out (below); ``coefficient`` and ``std_error`` of its logarithm;
        ``n`` customer-months, ``events``, and how many the main effects ``expected``;
        ``chi_square`` and ``p`` of the likelihood ratio beside those found before; ``q``.
    combinations : tuple of Combination
        The same, in words and to be looked for in a frame.
    tested : int
        How many were looked at.
    alpha : float

    Notes
    -----
    Of `tested` parameters the intervals of the R selected are given at level
    ``1 - alpha * R / tested``, so that no more than a share `alpha` of them is expected to miss
    (Benjamini and Yekutieli 2005, JASA 100: 71-81): at 95 % each the picked ones would miss more
    often, for they were picked for being large.
    """

    table: pd.DataFrame
    combinations: tuple[Combination, ...]
    tested: int
    alpha: float


def find_combinations(
    cells: pd.DataFrame, hazard: Hazard, *, alpha: float = 0.05, most_terms: int = 3
) -> Combinations:
    """Find combinations of levels that leave more or less often than the product of their ratios.

    Forward: of all combinations with enough expected exits the clearest joins the model, if the
    false discovery rate over all of them allows it; then the others are judged beside it, so that
    what only overlaps with it is not named again.

    Parameters
    ----------
    cells : DataFrame
        The counts that `hazard` was fitted to.
    hazard : Hazard
    alpha : float
        At each step, the false discovery rate over all combinations looked at.
    most_terms : int
        2 or 3: how many terms make a combination.

    Returns
    -------
    Combinations
        At most six; empty when none was found, or when there is nothing to combine.
    """
    empty = pd.DataFrame(columns=_COMBINATIONS)
    if len(hazard.terms) < 2:
        return Combinations(empty, (), 0, alpha)
    months = months_of(cells, hazard)
    fit = months.fit
    sets = _candidates(months, most_terms)
    tested = sum(len(kept) for _, _, kept, _ in sets)
    chosen: list[dict] = []
    while sets and len(chosen) < _FOUND_MOST:
        best = _clearest(fit, sets, alpha)
        if best is None:
            break
        chosen.append(best)
        fit = best["fit"]
    if not chosen:
        return Combinations(empty, (), tested, alpha)
    return _told(months, chosen, tested, alpha)


def _told(months: Months, chosen: Sequence[dict], tested: int, alpha: float) -> Combinations:
    """Return the combinations chosen, each beside all others."""
    fit: Fit = chosen[-1]["fit"]
    coefficients = fit.coefficients[-len(chosen) :]
    errors = np.sqrt(np.diag(fit.covariance())[-len(chosen) :])
    z = float(scipy.stats.norm.ppf(1 - alpha * len(chosen) / tested / 2))
    rows, combinations = [], []
    for one, b, se in zip(chosen, coefficients, errors, strict=True):
        terms = [months.terms[name] for name in one["names"]]
        levels = [term.levels[i] for term, i in zip(terms, one["levels"], strict=True)]
        made = Combination(tuple(zip(terms, levels, strict=True)))
        combinations.append(made)
        at = one["at"]
        counts = int(fit.n[at].sum()), int(fit.left[at].sum()), float(months.fit.expected[at].sum())
        ratios = np.exp([b, b - z * se, b + z * se])
        tests = one["chi_square"], one["p"], one["q"]
        rows.append((tuple(made.levels.items()), *ratios, float(b), float(se), *counts, *tests))
    table = pd.DataFrame(rows, columns=_COMBINATIONS)
    return Combinations(table, tuple(combinations), tested, alpha)


def _candidates(months: Months, most_terms: int) -> list[tuple]:
    """Return per set of terms its names, each cell's combination, the kept ones, and the shape."""
    sets = []
    for size in range(2, most_terms + 1):
        for chosen in itertools.combinations(months.terms, size):
            group, shape = months.joint(chosen)
            kept = np.flatnonzero(months.enough(group, int(np.prod(shape))))
            if len(kept):
                number = np.full(int(np.prod(shape)), -1)
                number[kept] = np.arange(len(kept))
                sets.append((chosen, number[group], kept, shape))
    return sets


def _clearest(fit: Fit, sets: Sequence[tuple], alpha: float) -> dict | None:
    """Return the combination that adds most to the model, or None when none does."""
    from statsmodels.stats.multitest import multipletests  # slow to import

    chi = []
    inverse = fit.covariance()
    for _, group, kept, _ in sets:
        score, own, shared = fit.score(group, len(kept))
        through = shared @ inverse
        variance = own - np.einsum("ij,ij->i", through, shared)
        adds = variance > ALIASED * own.max()
        # an aliased one is told by the model already: nothing to test, p = 1
        square = (score - through @ fit.gradient) ** 2
        chi.append(np.where(adds, square / np.where(adds, variance, 1.0), 0.0))
    owner = np.repeat(np.arange(len(sets)), [len(one) for one in chi])
    place = np.concatenate([np.arange(len(one)) for one in chi])
    statistic = np.concatenate(chi)
    p = scipy.stats.chi2.sf(statistic, 1)
    order = np.argsort(-statistic, kind="stable")
    if multipletests(p, method="fdr_bh")[1].min() >= LOOK_CLOSER:
        return None
    best: dict | None = None
    for i in order[:_CLOSER_MOST]:
        names, group, kept, shape = sets[owner[i]]
        at = np.flatnonzero(group == place[i])
        exits = fit.left[at].sum()
        if min(exits, fit.n[at].sum() - exits) < MIN_LEVEL_EVENTS:
            continue  # no ratio can be given; the score's p-value stands
        more = fit.with_indicators([at])
        if not more.gives_ratios:
            continue
        statistic[i] = max(2 * (more.log_likelihood - fit.log_likelihood), 0.0)
        # with two levels each, (a, x) and (b, y) are one question: told of those who leave more
        rank = (round(statistic[i], 6), more.coefficients[-1] > 0, -fit.n[at].sum())
        if best is None or rank > best["rank"]:
            levels = np.unravel_index(kept[place[i]], shape)
            best = {"names": names, "levels": levels, "at": at, "i": i, "rank": rank, "fit": more}
    p = scipy.stats.chi2.sf(statistic, 1)
    # those not looked at more closely count no more than those that were
    p[order[_CLOSER_MOST:]] = np.maximum(p[order[_CLOSER_MOST:]], p[order[:_CLOSER_MOST]].max())
    q = multipletests(p, method="fdr_bh")[1]
    if best is None or q[best["i"]] > alpha:
        return None
    i = best["i"]
    return best | {"chi_square": float(statistic[i]), "p": float(p[i]), "q": float(q[i])}
