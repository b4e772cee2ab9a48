"""The bins of one column that tell a response best, found by ``optbinning``.

Navas-Palencia (2020), Optimal binning: mathematical programming formulation, arXiv 2001.08025.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import pandas as pd

from customerlab.churn.levels import as_levels, natural_order
from customerlab.features import UNKNOWN, level_name
from customerlab.messages import Message, listed, say
from customerlab.privacy import roundest
from customerlab.response.columns import are_bands, as_numbers, band_edges, is_number

#: A number is cut between at most so many bands; the least share of the contacts in a bin.
FINE, LEAST = 50, 0.03


@dataclass(frozen=True)
class Bins:
    """Bins of one column.

    Attributes
    ----------
    column : str
    edges : ndarray or None
        Upper ends of the bins of a number, but of the last; None for a text.
    times : bool
        Whether the number is a time, in days since 1970.
    levels : dict of str to int
        The bin of each value of a text, and of missing values, where there were any: the last.
    ordered : bool
        Whether bins have an order, so that only neighbours may be joined.
    n, events : ndarray, shape (bins,)
        Contacts and responders.
    """

    column: str
    edges: np.ndarray | None
    times: bool
    levels: dict[str, int]
    ordered: bool
    n: np.ndarray
    events: np.ndarray

    @property
    def unknown(self) -> int | None:
        """The bin of missing values, where there were any."""
        return self.levels.get(UNKNOWN)

    @property
    def names(self) -> list[Message | str]:
        """In words."""
        known = len(self.n) - (self.unknown is not None)
        if self.edges is not None:
            names = ranges(self.edges, self.times) if known else []
        else:
            groups = [[one for one, bin_ in self.levels.items() if bin_ == i] for i in range(known)]
            names = [
                listed([level_name(self.column, one) for one in sorted(group, key=natural_order)])
                for group in groups
            ]
        return names if self.unknown is None else [*names, say("unknown")]

    @property
    def evidence(self) -> np.ndarray:
        """Weight of evidence, last 0 for what was never seen.

        Log-odds of each bin less those of all, half a contact added to each cell.
        """
        overall = np.log(self.events.sum() / (self.n - self.events).sum())
        mine = np.log((self.events + 0.5) / (self.n - self.events + 0.5)) - overall
        return np.append(mine, 0.0)

    def join(self, one: int, other: int) -> Bins:
        """Return the same with two bins as one, in the place of the lower."""
        low, high = sorted((one, other))
        kept = np.arange(len(self.n)) - (np.arange(len(self.n)) >= high)
        kept[high] = low
        return replace(
            self,
            edges=None if self.edges is None else np.delete(self.edges, low),
            levels={level: int(kept[bin_]) for level, bin_ in self.levels.items()},
            n=np.bincount(kept, self.n).astype("int64"),
            events=np.bincount(kept, self.events).astype("int64"),
        )

    @property
    def information(self) -> float:
        """The information value."""
        return information(self.n, self.events)

    def place(self, values: pd.Series) -> np.ndarray:
        """Return the bin of each value; the number of bins for one that was never seen."""
        unseen = len(self.n)
        missing = self.levels.get(UNKNOWN, unseen)
        if self.edges is None:
            code, known = pd.factorize(as_levels(values))
            return np.array([self.levels.get(one, unseen) for one in known], dtype="int64")[code]
        if not is_number(values):
            numbers = pd.to_numeric(values, errors="coerce").to_numpy("float64", na_value=np.nan)
            # a text where numbers were: never seen, unless nothing is there at all
            missing = np.where(values.isna(), missing, unseen)
        else:
            numbers = as_numbers(values)
        return np.where(np.isnan(numbers), missing, np.searchsorted(self.edges, numbers))


def information(n: np.ndarray, events: np.ndarray) -> float:
    """Return the information value of bins, half a contact added to each cell."""
    yes, no = np.asarray(events) + 0.5, np.asarray(n) - np.asarray(events) + 0.5
    yes, no = yes / yes.sum(), no / no.sum()
    return float(((yes - no) * np.log(yes / no)).sum())


def find_bins(values: pd.Series, responded: np.ndarray, *, max_bins: int = 6) -> Bins:
    """Return the bins with the largest information value.

    Numbers are cut where they are, and bands (under 20, 20-29, 60+) in their own order, so that a
    bin has no gap; other values of a text are put in order of their rates first. Missing values are
    a bin of their own.

    Parameters
    ----------
    values : Series
        Numbers, times or texts, one per contact.
    responded : array of 0 and 1, shape (contacts,)
        Both occur.
    max_bins : int
    """
    number = is_number(values)
    if number:
        numbers = as_numbers(values)
        missing = np.isnan(numbers)
        ends = band_edges(numbers, FINE)
        place = np.searchsorted(ends, numbers)
        count = 0 if missing.all() else len(ends) + 1
    else:
        level = as_levels(values)
        missing = (level == UNKNOWN).to_numpy()
        natural = are_bands(str(values.name), level[~missing].unique())
        place, known = _in_order(level, missing, responded, natural)
        count = len(known)
    n = np.bincount(place[~missing], minlength=count)
    events = np.bincount(place[~missing], responded[~missing], count).astype("int64")
    last = _cuts(n, events, "auto" if number or natural else "ascending", max_bins)
    starts = np.append(0, last + 1) if count else np.empty(0, dtype=int)
    n = np.add.reduceat(n, starts) if count else n
    events = np.add.reduceat(events, starts) if count else events
    if number:
        there = np.unique(numbers[~missing])
        after = there[np.searchsorted(there, ends[last], side="right")] if len(last) else ends[last]
        edges = np.array([roundest(a, b) for a, b in zip(ends[last], after, strict=True)])
        levels = {}
    else:
        edges, own = None, np.searchsorted(last, np.arange(count))
        levels = {name: int(one) for name, one in zip(known, own, strict=True)}
    if missing.any():
        levels[UNKNOWN] = len(n)
        n, events = np.append(n, missing.sum()), np.append(events, responded[missing].sum())
    times = bool(pd.api.types.is_datetime64_any_dtype(values.dtype))
    return Bins(str(values.name), edges, times, levels, number or natural, n, events)


def _in_order(
    level: pd.Series, missing: np.ndarray, responded: np.ndarray, natural: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Return each contact's place and the texts, in their own order or rising with their rates.

    A rare value's rate leans to that of all, as if it had ten contacts more.
    """
    code, known = pd.factorize(level, sort=True)
    if natural:
        order = np.array(sorted(range(len(known)), key=lambda i: natural_order(known[i])), int)
    else:
        n = np.bincount(code, minlength=len(known))
        events = np.bincount(code, responded, len(known))
        rate = (events + 10 * responded.mean()) / (n + 10)
        rate = np.where(known == UNKNOWN, np.inf, rate)
        order = np.argsort(rate, kind="stable")
    place = np.empty(len(known), dtype="int64")
    place[order] = np.arange(len(known))
    return place[code], np.asarray(known, dtype=object)[order][: len(known) - missing.any()]


def _cuts(n: np.ndarray, events: np.ndarray, trend: str, max_bins: int) -> np.ndarray:
    """Return the last place of each bin but the highest.

    Counts go in as weights and places instead of values, as in
    :mod:`customerlab.validity.cutpoints`.
    """
    if len(n) < 2 or not 0 < events.sum() < n.sum():
        return np.empty(0, dtype="int64")
    from optbinning import OptimalBinning  # takes seconds

    place = np.arange(len(n), dtype=float)
    outcome, weight = np.repeat([1, 0], len(n)), np.concatenate([events, n - events]).astype(float)
    used = weight > 0
    binning = OptimalBinning(
        monotonic_trend=trend, max_n_bins=max_bins, min_prebin_size=LEAST, min_bin_size=LEAST
    )
    binning.fit(np.tile(place, 2)[used], outcome[used], sample_weight=weight[used])
    if binning.status not in {"OPTIMAL", "FEASIBLE"}:
        raise RuntimeError(f"optbinning found no bins: {binning.status}")
    return np.floor(binning.splits).astype("int64")


def ranges(edges: np.ndarray, times: bool) -> list[Message]:
    """Return the bins of a number in words."""
    if not len(edges):
        return [say("any")]
    if times:
        ends = [(pd.Timestamp(0) + pd.Timedelta(days=float(one))).date() for one in edges]
        first = say("until {high:date}", high=ends[0])
        middle = [
            say("after {low:date}, until {high:date}", low=low, high=high)
            for low, high in pairwise(ends)
        ]
        return [first, *middle, say("after {low:date}", low=ends[-1])]
    ends = [np.format_float_positional(one, trim="-") for one in edges]  # no digit more or less
    first = say("up to {high}", high=ends[0])
    middle = [say("above {low}, up to {high}", low=low, high=high) for low, high in pairwise(ends)]
    return [first, *middle, say("above {low}", low=ends[-1])]
