"""Kinds of customers that were hardly ever contacted: levels of two features together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

import pandas as pd
import scipy

from customerlab.features import UNKNOWN, feature_name, level_name
from customerlab.messages import Message, say

#: Odds to have been contacted, over those of all, from which a customer is like those contacted.
LIKE = 0.1
#: Chance to see so few contacts of a kind, were it contacted a tenth as often as others.
CHANCE = 0.05


def together(one: pd.Series, other: pd.Series) -> pd.Series:
    """Return the levels of two features as one text."""
    return one.astype(str) + "\x1f" + other.astype(str)


def joined(kinds: Sequence[Message]) -> Message:
    """Return kinds of customers with semicolons between them: they hold commas."""
    if len(kinds) == 1:
        return kinds[0]
    return say("{first}; {rest}", first=kinds[0], rest=joined(kinds[1:]))


def find_apart(
    then: Mapping[str, pd.Series],
    now: Mapping[str, pd.Series],
    levels: Mapping[str, set[str]],
    called: Mapping[str, Sequence[Message]],
) -> tuple[dict[tuple[str, str], set[str]], tuple[Message, ...]]:
    """Find levels of two features that surely were hardly ever contacted together.

    So few contacts as there were of them are seen once in twenty times (Poisson) where like
    customers were contacted a tenth as often as others: where nobody was, at least 30 contacts
    would have been expected.

    Parameters
    ----------
    then, now : mapping of str to Series
        Levels of each feature, of the contacts and of today's customers.
    levels : mapping of str to set of str
        Levels of which enough were contacted; the others are apart by themselves.
    called : mapping of str to sequence of Message
        The bands of a number in words; empty for a text.

    Returns
    -------
    dict, tuple of Message
        By two features the levels, as :func:`together` has them; all kinds hardly ever contacted,
        those by themselves among them, in words.
    """
    apart: dict[tuple[str, str], set[str]] = {}
    kinds: list[tuple[int, Message]] = []
    for name, known in levels.items():
        n = now[name].value_counts()
        for one in sorted(n.index.difference(known)):
            kinds.append((int(n[one]), _named(name, one, called[name])))
    for one, other in combinations(levels, 2):
        # what is apart by itself need not be told twice
        mine = [
            part[one].isin(levels[one]) & part[other].isin(levels[other]) for part in (then, now)
        ]
        before = together(then[one][mine[0]], then[other][mine[0]]).value_counts()
        today = together(now[one][mine[1]], now[other][mine[1]]).value_counts()
        expected = today * (len(then[one]) / len(now[one]))
        made = before.reindex(today.index, fill_value=0)
        few = scipy.stats.poisson.cdf(made, LIKE * expected) < CHANCE
        found = today[few & (made < LIKE * expected).to_numpy()]
        if len(found):
            apart[one, other] = set(found.index)
        for both in sorted(found.index):
            first, second = both.split("\x1f")
            words = say(
                "{one} with {other}",
                one=_named(one, first, called[one]),
                other=_named(other, second, called[other]),
            )
            kinds.append((int(found[both]), words))
    kinds.sort(key=lambda kind: -kind[0])
    return apart, tuple(words for _, words in kinds)


def _named(feature: str, level: str, called: Sequence[Message]) -> Message:
    shown = called[int(level)] if called and level != UNKNOWN else level_name(feature, level)
    return say("{feature}: {level}", feature=feature_name(feature), level=shown)
