"""Contacts on which a model learns, and others on which it is judged."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

#: What a model learns from, and what it is judged on: positions of contacts.
Split = tuple[np.ndarray, np.ndarray]


def split_by_customer(
    customer: Sequence[object], responded: np.ndarray, rng: np.random.Generator, folds: int = 5
) -> list[Split]:
    """Return folds in which no customer is on both sides, responders spread evenly.

    Parameters
    ----------
    customer : sequence, shape (contacts,)
        Whom each contact was with.
    responded : array of 0 and 1, shape (contacts,)
    rng : Generator
    folds : int
        Fewer where there are fewer customers; none with a single one.
    """
    code, names = pd.factorize(np.asarray(customer, dtype=object))
    ever = np.bincount(code, np.asarray(responded), len(names)) > 0
    folds = min(folds, len(names))
    if folds < 2:
        return []
    own = np.empty(len(names), dtype="int64")
    start = 0
    for group in (ever, ~ever):
        drawn = rng.permutation(np.flatnonzero(group))
        own[drawn] = (start + np.arange(len(drawn))) % folds
        start += len(drawn)
    at = own[code]
    return [(np.flatnonzero(at != one), np.flatnonzero(at == one)) for one in range(folds)]


def split_by_time(when: Sequence[object], folds: int = 5) -> list[Split]:
    """Return splits in which everything learnt from came before everything judged.

    The contacts are cut into `folds` + 1 stretches of about equally many, never within a moment;
    each but the first is judged by what the ones before it teach.

    Parameters
    ----------
    when : sequence, shape (contacts,)
        Anything with an order: dates, or the number of the row.
    folds : int
    """
    place, _ = pd.factorize(np.asarray(when), sort=True)
    n = np.bincount(place)
    # a moment that many share stays whole: it belongs where the middle of its contacts does
    middle = (n.cumsum() - n / 2) / max(n.sum(), 1)
    stretch = np.minimum(np.floor((folds + 1) * middle), folds)[place]
    known = np.unique(stretch)
    return [(np.flatnonzero(stretch < one), np.flatnonzero(stretch == one)) for one in known[1:]]


def foretell_unseen(
    fit: Callable[[pd.DataFrame, np.ndarray], Callable[[pd.DataFrame], np.ndarray]],
    features: pd.DataFrame,
    responded: np.ndarray,
    splits: Sequence[Split],
) -> np.ndarray:
    """Return each contact's chance by a model that has not seen it; missing where none judges it.

    Parameters
    ----------
    fit : callable
        Takes features and responses, returns what takes features and returns chances.
    features : DataFrame
    responded : array of 0 and 1, shape (contacts,)
    splits : sequence of Split
    """
    chance = np.full(len(features), np.nan)
    responded = np.asarray(responded)
    for learnt, judged in splits:
        chance_of = fit(features.iloc[learnt], responded[learnt])
        chance[judged] = chance_of(features.iloc[judged])
    return chance
