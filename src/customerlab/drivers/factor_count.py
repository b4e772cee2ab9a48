"""How many factors: Horn's parallel analysis, Velicer's MAP, and Kaiser's rule to compare."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from customerlab.messages import Message, say

#: Random matrices that the eigenvalues are compared with.
DRAWS = 1000
#: Random matrices where a caller draws them: those of polychoric correlations take their time.
DRAWS_OF_CALLER = 200

NullMatrix = Callable[[np.random.Generator], np.ndarray]


@dataclass(frozen=True)
class FactorCount:
    """How many factors each rule finds.

    Attributes
    ----------
    table : DataFrame
        One row a number of factors, from 1 to the number of items: ``factors``, ``eigenvalue`` of
        the correlation matrix, ``random_95`` (95th percentile of that eigenvalue in random data),
        ``reduced_eigenvalue``, ``reduced_random_95`` (the same with squared multiple correlations
        on the diagonal), ``map`` (mean squared partial correlation after so many components),
        ``map_fourth`` (mean fourth power). Not known: missing.
    parallel, parallel_reduced, map, map_fourth, kaiser : int
        Number by each rule: `parallel` is of principal components, `map` is Velicer's of 1976.
    most : int
        More factors cannot be told from so many items.
    chosen : int
        Number to use; 0 where no factor goes beyond chance, or there are too few items.
    given : bool
        Whether `chosen` was set in the parameters.
    text : Message
    """

    table: pd.DataFrame
    parallel: int
    parallel_reduced: int
    map: int
    map_fourth: int
    kaiser: int
    most: int
    chosen: int
    given: bool
    text: Message

    @property
    def agreed(self) -> bool:
        """Whether parallel analysis and Velicer's MAP find the same number."""
        return self.parallel == self.map


def count_factors(
    matrix: np.ndarray,
    n: int,
    rng: np.random.Generator,
    *,
    items: Sequence[str],
    resample_null: NullMatrix | None = None,
    draws: int | None = None,
    given: int | None = None,
) -> FactorCount:
    """Find the number of factors by three rules.

    Parallel analysis (Horn 1965) decides, by the eigenvalues of the correlation matrix as it is
    and their 95th percentile (Glorfeld 1995): ``psych::fa.parallel``'s number of components. Of
    its two versions this one is taken, for the other, with squared multiple correlations on the
    diagonal, finds too many factors (Buja & Eyuboglu 1992; Auerswald & Moshagen 2019); its number
    is told as `parallel_reduced`.

    Parameters
    ----------
    matrix : ndarray of shape (items, items)
        Correlations.
    n : int
        Rows that they come from; the smallest pair where answers are missing.
    rng : Generator
    items : sequence of str
    resample_null : callable, optional
        Draws a correlation matrix of the same kind from answers without any factor. Without it
        Pearson's, of normal data, from a Wishart distribution: as quick for a million rows.
    draws : int, optional
    given : int, optional
        Number set in the parameters.
    """
    k = len(items)
    most = most_factors(k)
    good = k >= 2 and n >= 3 and bool(np.isfinite(matrix).all())
    if not good:
        nothing = pd.DataFrame(dict.fromkeys(_COLUMNS, pd.Series(dtype=float)))
        text = say("Too few items or answers to find a number of factors.")
        return FactorCount(nothing, 0, 0, 0, 0, 0, most, 0, False, text)
    drawn = (
        random_correlations(k, n, draws or DRAWS, rng)
        if resample_null is None
        else np.stack([resample_null(rng) for _ in range(draws or DRAWS_OF_CALLER)])
    )
    eigenvalue = _eigenvalues(matrix)
    random_95 = np.quantile(_eigenvalues(drawn), 0.95, axis=0)
    reduced = _eigenvalues(_reduced(matrix[None]))[0]
    reduced_95 = np.quantile(_eigenvalues(_reduced(drawn)), 0.95, axis=0)
    squared, fourth = partial_powers(matrix)
    table = pd.DataFrame(
        {
            "factors": np.arange(1, k + 1),
            "eigenvalue": eigenvalue,
            "random_95": random_95,
            "reduced_eigenvalue": reduced,
            "reduced_random_95": reduced_95,
            "map": squared[1:],
            "map_fourth": fourth[1:],
        }
    )
    parallel = _leading(eigenvalue > random_95)
    by_map, by_fourth = int(np.nanargmin(squared)), int(np.nanargmin(fourth))
    kaiser = int((eigenvalue > 1).sum())
    chosen = min(parallel if given is None else given, most)
    return FactorCount(
        table,
        parallel,
        _leading(reduced > reduced_95),
        by_map,
        by_fourth,
        kaiser,
        most,
        chosen,
        given is not None,
        _text(parallel, by_map, kaiser, chosen, given, most),
    )


_COLUMNS = (
    "factors",
    "eigenvalue",
    "random_95",
    "reduced_eigenvalue",
    "reduced_random_95",
    "map",
    "map_fourth",
)


def most_factors(items: int) -> int:
    """Return the most factors whose loadings so many items tell (Ledermann 1937)."""
    return max((m for m in range(items) if (items - m) ** 2 >= items + m), default=0)


def random_correlations(items: int, n: int, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Draw correlation matrices of independent normal items, shape (draws, items, items).

    Sums of squares and products are Wishart, drawn by Bartlett's decomposition; from the rows
    themselves where there are hardly more of them than items.
    """
    if n <= items:
        rows = rng.normal(size=(draws, n, items))
        root = np.swapaxes(rows - rows.mean(axis=1, keepdims=True), 1, 2)
    else:
        root = np.tril(rng.normal(size=(draws, items, items)), -1)
        at = np.arange(items)
        root[:, at, at] = np.sqrt(rng.chisquare(n - 1 - at, size=(draws, items)))
    root /= np.linalg.norm(root, axis=2, keepdims=True)
    return root @ np.swapaxes(root, 1, 2)


def partial_powers(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean square and fourth power of partial correlations (Velicer 1976; 2000).

    Returns
    -------
    squared, fourth : ndarray of shape (items + 1,)
        After 0, 1, 2 ... principal components are taken out; missing where nothing is left.
    """
    k = len(matrix)
    values, vectors = np.linalg.eigh(matrix)
    components = (vectors * np.sqrt(np.maximum(values, 0)))[:, ::-1]
    squared, fourth = np.full(k + 1, np.nan), np.full(k + 1, np.nan)
    for m in range(k):
        left = matrix - components[:, :m] @ components[:, :m].T
        spread = np.diag(left)
        if spread.min() < 1e-10:
            break
        partial = (left / np.sqrt(np.outer(spread, spread)))[~np.eye(k, dtype=bool)]
        squared[m], fourth[m] = np.mean(partial**2), np.mean(partial**4)
    return squared, fourth


def _eigenvalues(matrices: np.ndarray) -> np.ndarray:
    return np.linalg.eigvalsh(matrices)[..., ::-1]


def _reduced(matrices: np.ndarray) -> np.ndarray:
    """Put squared multiple correlations on the diagonal."""
    k = matrices.shape[-1]
    # of a matrix that has no inverse: the generalised one, as psych does
    inverse = np.linalg.pinv(matrices, hermitian=True)
    at = np.arange(k)
    reduced = matrices.copy()
    reduced[:, at, at] = 1 - 1 / np.maximum(inverse[:, at, at], 1)
    return reduced


def _leading(beyond: np.ndarray) -> int:
    """Return how many are beyond chance before the first that is not."""
    return int(np.argmin(np.append(beyond, False)))


def _text(
    parallel: int, by_map: int, kaiser: int, chosen: int, given: int | None, most: int
) -> Message:
    counts = {"parallel": parallel, "map": by_map, "kaiser": kaiser, "chosen": chosen}
    if given is not None and chosen == given:
        return say(
            "Number of factors: {chosen:count}, as set in the parameters. By parallel analysis: "
            "{parallel:count}, by Velicer's MAP: {map:count}, by Kaiser's rule: {kaiser:count}.",
            **counts,
        )
    if chosen == most < (parallel if given is None else given):
        return say(
            "Number of factors: {chosen:count}, the most that so few items tell. By parallel "
            "analysis: {parallel:count}, by Velicer's MAP: {map:count}, by Kaiser's rule: "
            "{kaiser:count}.",
            **counts,
        )
    if chosen == 0:
        return say(
            "No factor: the items go together no more than chance would make them (parallel "
            "analysis). By Velicer's MAP: {map:count}, by Kaiser's rule: {kaiser:count}.",
            **counts,
        )
    if parallel == by_map:
        return say(
            "Number of factors: {chosen:count}, by parallel analysis and by Velicer's MAP alike. "
            "By Kaiser's rule, to compare: {kaiser:count}.",
            **counts,
        )
    return say(
        "Number of factors: {chosen:count}, by parallel analysis. The rules do not agree: by "
        "Velicer's MAP it is {map:count}, by Kaiser's rule {kaiser:count}. What follows should be "
        "looked at with the other number as well; it can be set in the parameters.",
        **counts,
    )
