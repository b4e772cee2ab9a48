"""Which groups leave more often, found on one half of the customers and confirmed on the other.

Thousands of descriptions ("women of 20 to 29 who are paid through us") are compared, so some look
bad by chance alone. Those that stand out among the one half are tested again among the other,
which took no part in the search; how many false ones the list holds is bounded, and the shares
shown are those of the second half only.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Sequence
from dataclasses import dataclass

import ibis.expr.types as ir
import numpy as np
import pandas as pd
import scipy

from customerlab.churn.levels import as_levels
from customerlab.errors import CustomerlabError, nearest
from customerlab.features import UNKNOWN, feature_name, level_name
from customerlab.lots import drawn
from customerlab.messages import Message, say
from customerlab.retention.group_counts import Counted, subsets

#: Fewer exits than this in the half that is searched, and a description is not looked at.
MIN_EXITS = 5
#: A group is carried over when it stands out at this level, and by this ratio of shares.
SEARCH_LEVEL, MIN_RATIO = 0.05, 1.2

#: Columns of :attr:`Groups.table`.
COLUMNS = ["group", "customers", "left", "share", "low", "high", "share_others", "ratio", "p", "q"]


@dataclass(frozen=True)
class Group:
    """Customers who are alike in a few attributes.

    Attributes
    ----------
    levels : tuple of (str, str)
        Attribute and level; all of them hold.
    """

    levels: tuple[tuple[str, str], ...]

    def of_frame(self, frame: pd.DataFrame) -> pd.Series:
        """Return which rows of a frame belong to the group; a missing value belongs to none."""
        inside = [as_levels(frame[attribute]) == level for attribute, level in self.levels]
        return functools.reduce(operator.and_, inside)

    def of_table(self, table: ir.Table) -> ir.BooleanValue:
        """Return which rows of a table belong to the group; a missing value belongs to none."""
        inside = [table[attribute].cast("string") == level for attribute, level in self.levels]
        return functools.reduce(operator.and_, inside).fill_null(False)

    def within(self, other: Group) -> bool:
        """Return whether all of this group belong to a shorter description's group."""
        return self != other and set(other.levels) <= set(self.levels)

    @property
    def text(self) -> Message:
        """The group in words."""
        named = [
            say(
                "“{feature}: {level}”",
                feature=feature_name(attribute),
                level=level_name(attribute, level),
            )
            for attribute, level in self.levels
        ]
        return functools.reduce(
            lambda rest, one: say("{first} and {rest}", first=one, rest=rest), reversed(named)
        )


@dataclass(frozen=True)
class Groups:
    """The groups that leave more often than others.

    Attributes
    ----------
    table : DataFrame
        ``group`` (a :class:`Group`); of the confirming half: ``customers``, ``left``, ``share``
        with its 95 % interval ``low`` to ``high``, ``share_others`` (of everybody else),
        ``ratio`` of the two, ``p`` of the weakest of the group's comparisons, and ``q``, the
        smallest rate of false groups at which it is still listed. Largest share first.
    tested : int
        Descriptions of enough customers that were looked at in the searched half.
    carried : int
        Those of them that were then tested on the confirming half.
    customers, left : int
        Of the confirming half, counted at each landmark.
    rate : float
        Bound on the expected share of false groups in the list.
    """

    table: pd.DataFrame
    tested: int
    carried: int
    customers: int
    left: int
    rate: float

    @property
    def named(self) -> tuple[Group, ...]:
        """The groups of the list."""
        return tuple(self.table["group"])

    @property
    def text(self) -> Message:
        """How the list came about."""
        return say(
            "{tested:count} groups were compared among one half of the customers; {carried:count} "
            "stood out and were tested on the other half ({customers:customers} customers, "
            "counted at each landmark), where {named:count} held. On average at most "
            "{rate:percent0} of such a list are there by chance.",
            tested=self.tested,
            carried=self.carried,
            customers=self.customers,
            named=len(self.table),
            rate=self.rate,
        )


def split_half(table: ir.Table, key: str = "customer_id", *, seed: int) -> ir.BooleanValue:
    """Return which customers belong to the half that is searched; the others confirm.

    The same half on every engine and for every table of these customers: see
    :func:`customerlab.lots.drawn`.
    """
    return drawn(seed, "groups", table[key].cast("string"), 0.5)


def find_groups(
    search: pd.DataFrame,
    confirm: pd.DataFrame,
    attributes: Sequence[str],
    *,
    most: int = 3,
    rate: float = 0.10,
    smallest: int = 50,
) -> Groups:
    r"""Find the groups of customers that leave more often than the others.

    A description is one level of each of up to `most` attributes. Leaving one or more of its
    parts out gives its generalisations, down to the one that describes everybody. A group is
    listed when it leaves more often than the rest of **each** of its generalisations: than
    everybody else, and so that every part of the description is needed. "No longer paid through
    us, and men" is not listed when men leave no more often than the women who are no longer paid.

    1. Among `search`: each description of at least `smallest` customers and 5 exits is compared
       with the rest of each generalisation by Fisher's exact test, one-sided. It is carried over
       when each p-value is below 0.05 and its share is above 1.2 times that of everybody else.
    2. Among `confirm`: the same comparisons, for those carried over only. The claim is that all
       hold, so the largest p-value is the test of it (intersection-union test, Berger 1982).
       Benjamini and Hochberg (1995) then bound the false discovery rate.

    Parameters
    ----------
    search, confirm : DataFrame
        Counts of different customers: `attributes` (text; ``unknown`` or missing where not known,
        which is no level of a description), ``n`` customers, ``left``: how many of them left.
    attributes : sequence of str
        About ten, of a few levels each.
    most : int
        Attributes of a description.
    rate : float
        Bound on the expected share of false groups among those listed.
    smallest : int
        Customers of a group, and of everybody else, in `search`.

    Returns
    -------
    Groups

    Raises
    ------
    CustomerlabError
        When an attribute is not a column.

    Notes
    -----
    Fisher's test, because groups may have five exits, where the normal law of the score test
    finds too much. If chances differ within a group the number of exits varies less than the test
    assumes, which keeps it valid.

    Customers count as independent of each other. Where many leave together (an employer takes all
    its payrolls elsewhere) they stand in both halves, and what is one event is confirmed as many.

    Only the tests on `confirm` count as multiple testing. The choice among thousands was made on
    other customers and says nothing about these: given what was carried over, each p-value is
    valid. The weakest-of-all test comes *before* the correction on purpose. Correcting first and
    then striking what adds nothing removes many variants of one true group from the list but
    leaves the false ones, so that the rate no longer holds for what is left (Katsevich, Sabatti
    and Bogomolov 2023); ``benchmarks/groups_false_discoveries.py`` counts what that would do.

    Overlapping groups depend positively, for which the rate holds (positive regression
    dependence, Benjamini and Yekutieli 2001). Groups that exclude each other depend weakly
    negatively, for each belongs to the others of the other; only dividing the rate by
    :math:`\sum_{i \le m} 1/i` for ``m`` carried over would be proven for every dependence (same
    paper). The benchmark measures the rate where both kinds occur.

    Not found is a group that leaves more often than one would expect of it but no more often than
    others of a shorter description: if pay halves the risk and women of 20 to 29 who are paid have
    the risk of those who are not, then all women of 20 to 29 are the group at risk. A model with
    interactions tells such causes apart; this is a list of whom it concerns.

    The interval is Wilson's at the level :math:`1 - 0.05 R / m` with ``R`` listed of ``m``
    carried over, so that 95 % of the listed intervals cover although the list was picked
    by these very shares (Benjamini and Yekutieli 2005).

    References
    ----------
    Berger (1982) Technometrics 24, 295-300. Benjamini and Hochberg (1995) J. R. Stat. Soc. B 57,
    289-300. Benjamini and Yekutieli (2001) Ann. Stat. 29, 1165-1188; (2005) J. Am. Stat. Assoc.
    100, 71-81. Katsevich, Sabatti and Bogomolov (2023) J. Am. Stat. Assoc. 118, 165-176.
    """
    for name in attributes:
        if name not in search.columns or name not in confirm.columns:
            raise CustomerlabError(
                f"find_groups: there is no attribute {name!r}{nearest(name, list(search.columns))}"
            )
    levels = {name: _known_levels(search[name]) for name in attributes}
    first, second = Counted(search, levels), Counted(confirm, levels)
    tested, found = 0, []
    for chosen in subsets(attributes, most):
        n, left = (counts[_known(chosen)] for counts in first.of(chosen))
        others = first.customers - n
        enough = (n >= smallest) & (left >= MIN_EXITS) & (others >= smallest)
        tested += int(enough.sum())
        above = left * others > MIN_RATIO * (first.left - left) * n
        places = np.argwhere(enough & above)
        places = places[first.weakest(chosen, places) < SEARCH_LEVEL]
        if not len(places):
            continue
        p = second.weakest(chosen, places)
        n, left = (counts[tuple(places.T)] for counts in second.of(chosen))
        for row, place in enumerate(places):
            pairs = zip(chosen, place, strict=True)
            group = Group(tuple((name, levels[name][at]) for name, at in pairs))
            found.append((group, int(n[row]), int(left[row]), float(p[row])))
    carried = pd.DataFrame(found, columns=["group", "customers", "left", "p"])
    return Groups(
        table=_listed(carried, second, rate),
        tested=tested,
        carried=len(carried),
        customers=second.customers,
        left=second.left,
        rate=rate,
    )


def _listed(carried: pd.DataFrame, counted: Counted, rate: float) -> pd.DataFrame:
    """Return those that hold at the rate, with their shares."""
    from statsmodels.stats.proportion import proportion_confint  # slow to import

    if carried.empty:
        return pd.DataFrame(columns=COLUMNS)
    table = carried.assign(q=scipy.stats.false_discovery_control(carried["p"], method="bh"))
    table = table.loc[table["q"] <= rate]
    n, left = table["customers"].to_numpy(float), table["left"].to_numpy(float)
    alpha = 0.05 * len(table) / len(carried)
    low, high = proportion_confint(left, n, alpha=alpha, method="wilson")
    others = (counted.left - left) / (counted.customers - n)
    with np.errstate(divide="ignore"):  # nobody else left: the ratio is infinite
        ratio = left / n / others
    table = table.assign(share=left / n, low=low, high=high, share_others=others, ratio=ratio)
    # a stable sort, so that ties stay in the order of the descriptions
    table = table.sort_values("share", ascending=False, kind="stable")
    return table[COLUMNS].reset_index(drop=True)


def _known(chosen: tuple[str, ...]) -> tuple[slice, ...]:
    """Return where in an array of counts the known levels are: all but the last."""
    return (slice(-1),) * len(chosen)


def _known_levels(values: pd.Series) -> list[str]:
    return sorted(set(as_levels(values)) - {UNKNOWN})
