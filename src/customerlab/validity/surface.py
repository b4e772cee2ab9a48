"""The cut surface: what each pair of cuts would have removed, and what that would have cost.

A rule ``worth <= a AND idle_months >= m`` is judged at every pair of cuts on a grid. All that it
needs is how many customers share each cell of the grid, whether they came back, and what they
then held and spent: counted once by the engine. The bootstrap draws the counts of the cells anew,
which is the bootstrap over customers (Efron 1979), for the customers of one cell are alike; what
they held is alike only nearly, so the spread inside each cell is drawn as well, by its normal
approximation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from customerlab.cells import cells
from customerlab.validity.history import History

#: What a rule does, each an array over the grid; a department may set a limit to any of them.
MEASURES = ("share_removed", "came_back", "assets_lost", "spend_lost", "cost_saved")
#: Quantiles of worth that are tried as cuts, beside round numbers.
TRIED_QUANTILES = 40
RESAMPLES = 500
#: A quantile closer to another cut than this (log scale) is not tried beside it.
_CLOSE = 0.05

#: Upper limits of the bands in which what customers held later is counted: 1, 2, 5, 10 ...
_LATER = tuple(step * 10**power for power in range(10) for step in (1, 2, 5))


@dataclass(frozen=True)
class Outcomes:
    """What rules removed and what followed, counted and resampled.

    Attributes
    ----------
    estimates : dict of str to array
        By measure of :data:`MEASURES`, one number per rule (any shape). ``share_removed`` is of
        all customers; ``came_back`` of those removed (nan where nobody is);
        ``assets_lost`` and ``spend_lost`` are the shares of what all customers held at the end
        and spent meanwhile that belong to the removed (nan where not known); ``cost_saved`` is
        money in a year (nan without a contact cost).
    resampled : dict of str to array
        The same with one more, first axis: the resamples.
    removed : array of int
        Customers removed, in the shape of the estimates.
    returned : array of int
        Those of them who came back.
    customers, customers_returned : int
        All customers of the landmark, and those who made a movement after it.
    """

    estimates: Mapping[str, np.ndarray]
    resampled: Mapping[str, np.ndarray]
    removed: np.ndarray
    returned: np.ndarray
    customers: int
    customers_returned: int

    def interval(self, measure: str) -> tuple[np.ndarray, np.ndarray]:
        """Return the 95 % percentile interval of a measure."""
        drawn = self.resampled[measure]
        known = np.where(np.isnan(drawn).any(axis=0), 0.0, drawn)
        low, high = np.quantile(known, [0.025, 0.975], axis=0)
        lost = np.isnan(drawn).any(axis=0)
        return np.where(lost, np.nan, low), np.where(lost, np.nan, high)


@dataclass(frozen=True)
class Surface:
    """The outcomes of every pair of cuts.

    Attributes
    ----------
    worth : str
        ``assets`` or ``spend_12m``.
    cuts : array of float, shape (cuts,)
        A customer worth at most so much is removed ...
    idle : array of int, shape (months,)
        ... when idle for at least so many months.
    outcomes : Outcomes
        Arrays of shape (cuts, months).
    unknown : int
        Customers who lack one of the two measures: no cut removes them.
    """

    worth: str
    cuts: np.ndarray
    idle: np.ndarray
    outcomes: Outcomes
    unknown: int

    def at(self, cut: float, idle_months: int) -> tuple[int, int]:
        """Return the place of a pair of cuts on the grid.

        Raises
        ------
        KeyError
            When the grid does not have it.
        """
        row, column = np.flatnonzero(self.cuts == cut), np.flatnonzero(self.idle == idle_months)
        if not (len(row) and len(column)):
            raise KeyError(f"{cut}, {idle_months}")
        return int(row[0]), int(column[0])


def candidate_cuts(
    history: History, also: Sequence[float] = (), round_to: float | None = None
) -> np.ndarray:
    """Return the cuts to try: quantiles of the customers' worth, round numbers, and `also`.

    Parameters
    ----------
    history : History
    also : sequence of float
        Cuts that somebody named: the departments' own, the agreed one.
    round_to : float, optional
        Its first ten multiples are tried as well.

    Returns
    -------
    array of float
        Ascending, at most about a hundred, none above the largest worth but those of `also`.
    """
    customers = history.customers
    worth = customers[history.worth].cast("float64")
    known = customers.select(worth=worth).filter(worth > 0)
    tile = known.mutate(tile=ibis.ntile(TRIED_QUANTILES).over(order_by=known.worth))
    limits = tile.group_by("tile").aggregate(top=tile.worth.max())["top"].execute()
    values = np.array(sorted(limits), dtype=float)
    top = values.max() if len(values) else 0.0
    rounds = [0.0, *map(float, _LATER), *map(float, also)]
    rounds += [float(f"{round_to * i:.12g}") for i in range(1, 11)] if round_to else []
    chosen = {value for value in rounds if value <= top or value in also}
    for value in values:
        tidy = float(f"{value:.3g}")  # 97.31 is no better a cut than 97.3
        apart = all(abs(np.log(tidy / other)) > _CLOSE for other in chosen if other > 0)
        if apart and tidy <= top:
            chosen.add(tidy)
    return np.array(sorted(chosen))


def cut_surface(
    history: History,
    cuts: np.ndarray,
    rng: np.random.Generator,
    *,
    contact_cost: float | None = None,
    resamples: int = RESAMPLES,
) -> Surface:
    """Judge every pair of cuts by what happened after the landmark.

    Parameters
    ----------
    history : History
    cuts : array of float
        Of worth, ascending; see :func:`candidate_cuts`.
    rng : Generator
    contact_cost : float, optional
        What keeping one customer in contact costs in a year.
    resamples : int
    """
    t = history.customers
    worth = t[history.worth].cast("float64")
    band = worth.bucket([float("-inf"), *cuts], closed="right", include_over=True)
    known = worth.notnull() & t.idle_months.notnull()
    banded = t.mutate(
        known=known,
        # whom no cut can judge is among all customers, above every cut
        band=known.ifelse(band.cast("int64"), len(cuts)),
        idle=known.ifelse(ibis.least(t.idle_months, history.months_seen), 0),
    )
    counted = count_outcomes(banded, ["known", "band", "idle"])
    unknown = int(counted.loc[~counted["known"].astype(bool), "n"].sum())
    idle = np.arange(1, history.months_seen + 1)
    shape = (len(cuts) + 1, history.months_seen + 1)
    place = np.ravel_multi_index(
        (counted["band"].astype(int), counted["idle"].clip(lower=0).astype(int)), shape
    )

    def removed_by_cut(sums: np.ndarray) -> np.ndarray:
        # up to this worth, from this idleness on; the last band is above every cut
        grid = sums.reshape(*sums.shape[:-1], *shape).cumsum(axis=-2)
        return grid[..., ::-1].cumsum(axis=-1)[..., ::-1][..., :-1, 1:]

    outcomes = resample(
        counted, place, shape[0] * shape[1], rng, removed_by_cut, contact_cost, resamples
    )
    return Surface(history.worth, cuts, idle, outcomes, unknown)


def count_outcomes(customers: ir.Table, by: Sequence[str]) -> pd.DataFrame:
    """Count customers alike in `by`, in coming back, and nearly in what they held later.

    Returns
    -------
    DataFrame
        `by`, ``came_back``, ``later`` (band of what they held or spent later), ``n``, ``held``
        and ``spent`` with their sums of squares ``held2`` and ``spent2``.
    """
    held = customers.assets_after.cast("float64")
    spent = customers.spend_after.cast("float64")
    main = ibis.coalesce(held, spent)
    later = main.bucket(
        [float("-inf"), 0.0, *map(float, _LATER)], closed="right", include_over=True
    )
    banded = customers.mutate(later=later.cast("int64"), _held=held, _spent=spent)
    sums = {"held": banded["_held"], "spent": banded["_spent"]}
    sums |= {f"{name}2": value * value for name, value in sums.items()}
    return cells(banded, [*by, "came_back", "later"], sums)


def resample(
    counted: pd.DataFrame,
    place: np.ndarray,
    places: int,
    rng: np.random.Generator,
    removed: Callable[[np.ndarray], np.ndarray],
    contact_cost: float | None,
    resamples: int,
) -> Outcomes:
    """Work out the measures of rules on counted customers, and on as many drawn at random.

    Parameters
    ----------
    counted : DataFrame
        From :func:`count_outcomes`.
    place : array of int, shape (cells,)
        The group, from 0 to ``places - 1``, to which each cell belongs.
    removed : function
        Takes an array of shape (..., places) with a sum per group and returns, in an array of any
        shape (..., rules), the sum over those whom each rule removes.
    contact_cost : float or None
        Of one customer in a year.
    resamples : int
    """
    n = counted["n"].to_numpy(dtype=float)
    total = int(n.sum())
    back = counted["came_back"].to_numpy(dtype=bool)
    money = {
        "assets_lost": _per_head(counted, "held", n),
        "spend_lost": _per_head(counted, "spent", n),
    }
    order = np.argsort(place, kind="stable")
    starts = np.searchsorted(place[order], np.arange(places))

    def grouped(values: np.ndarray) -> np.ndarray:
        """Sum over the cells of each group; `values` has shape (..., cells)."""
        padded = np.concatenate([values[..., order], np.zeros((*values.shape[:-1], 1))], axis=-1)
        sums = np.add.reduceat(padded, np.minimum(starts, len(order)), axis=-1)
        return np.where(np.diff([*starts, len(order)]) > 0, sums, 0.0)

    def measured(weights: np.ndarray, draw: bool) -> tuple[dict[str, np.ndarray], ...]:
        gone = removed(grouped(weights))
        returned = removed(grouped(weights * back))
        with np.errstate(invalid="ignore", divide="ignore"):  # nobody removed: no share of them
            found = {"share_removed": gone / total, "came_back": returned / gone}
            for name, (mean, spread) in money.items():
                amount = weights * mean
                if draw:
                    amount = amount + np.sqrt(weights) * spread * rng.normal(size=weights.shape)
                found[name] = removed(grouped(amount)) / amount.sum(axis=-1).reshape(
                    *amount.shape[:-1], *[1] * (gone.ndim - amount.ndim + 1)
                )
        cost = np.nan if contact_cost is None else contact_cost
        found["cost_saved"] = gone * cost
        return found, {"removed": gone, "returned": returned}

    estimates, heads = measured(n, draw=False)
    drawn = []
    step = max(1, 4_000_000 // max(len(n), places))  # so that a piece stays small in memory
    for begin in range(0, resamples, step):
        size = min(step, resamples - begin)
        weights = rng.multinomial(total, n / max(total, 1), size=size).astype(float)
        drawn.append(measured(weights, draw=True)[0])
    return Outcomes(
        estimates,
        {name: np.concatenate([part[name] for part in drawn]) for name in MEASURES},
        heads["removed"].astype(int),
        heads["returned"].astype(int),
        total,
        int(n[back].sum()),
    )


def _per_head(counted: pd.DataFrame, name: str, n: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and standard deviation of an amount in each cell; nan where it is not known."""
    mean = counted[name].to_numpy(dtype=float) / n
    square = counted[f"{name}2"].to_numpy(dtype=float) / n
    return mean, np.sqrt(np.maximum(square - mean**2, 0))
