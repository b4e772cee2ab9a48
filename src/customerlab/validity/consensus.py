"""The cut that every department can accept, or the demands that no cut can meet together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd

from customerlab.messages import Message, say
from customerlab.params import Department
from customerlab.validity.surface import Outcomes, Surface

#: A demand counts as met where it is met in so many of the resamples.
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Demand:
    """One tolerance of one department.

    Attributes
    ----------
    department : str
    measure : str
        One of ``surface.MEASURES``.
    limit : float
    at_most : bool
        False where at least so much is demanded.
    """

    department: str
    measure: str
    limit: float
    at_most: bool

    def met(self, values: np.ndarray) -> np.ndarray:
        """Say where it is met; a loss that is not known meets nothing."""
        met = values <= self.limit if self.at_most else values >= self.limit
        # where nobody is removed, nobody came back
        return met | (np.isnan(values) & (self.measure == "came_back"))

    @property
    def text(self) -> Message:
        """The demand in words, with its department."""
        return say("{department}: {demand}", department=self.department, demand=self.words)

    @property
    def words(self) -> Message:
        """The demand in words."""
        limit: Message | float = self.limit
        if self.measure != "cost_saved":
            decimals = next((d for d in range(2) if round(limit, 2 + d) == limit), 2)
            limit = Message(_PERCENTS[decimals].text, {"limit": limit})
        return Message(_IN_WORDS[self.measure].text, {"limit": limit})


_PERCENTS = (say("{limit:percent0}"), say("{limit:percent}"), say("{limit:percent2}"))
_IN_WORDS = {
    "came_back": say("at most {limit} of those removed come back"),
    "assets_lost": say("at most {limit} of all assets are lost"),
    "spend_lost": say("at most {limit} of all spend is lost"),
    "share_removed": say("at least {limit} of the customers are removed"),
    "cost_saved": say("at least {limit:money} of contact cost is saved in a year"),
}
#: Key of the parameters to the measure, and whether it is an upper limit.
_TOLERANCES = {
    "came_back_at_most": ("came_back", True),
    "assets_lost_at_most": ("assets_lost", True),
    "spend_lost_at_most": ("spend_lost", True),
    "removed_at_least": ("share_removed", False),
    "cost_saved_at_least": ("cost_saved", False),
}


def demands_of(departments: Sequence[Department]) -> tuple[Demand, ...]:
    """Return every tolerance that a department states; one left out is no demand."""
    return tuple(
        Demand(one.name, measure, float(limit), at_most)
        for one in departments
        for key, (measure, at_most) in _TOLERANCES.items()
        if (limit := getattr(one, key)) is not None
    )


@dataclass(frozen=True)
class Consensus:
    """What the departments can agree on.

    Attributes
    ----------
    demands : tuple of Demand
    met : array of bool, shape (demands, cuts, months)
        Whether each demand is met in :data:`CONFIDENCE` of the resamples.
    confidence : array of float, shape (cuts, months)
        Share of resamples in which all demands are met together.
    best : tuple of int or None
        Place of the pair of cuts that removes most while all demands are met.
    region : array of bool, shape (cuts, months)
        Pairs nearly as good: all demands are met on the data, and they remove at least as many
        as the best pair of one resample in forty does.
    chosen : tuple of int or None
        The round pair in the region that removes most, or `best` where none is round.
    is_round : bool
        Whether the chosen pair is round.
    clashes : tuple of tuple of Demand
        Where no pair meets all: the smallest sets of demands that no pair meets together.
    """

    demands: tuple[Demand, ...]
    met: np.ndarray
    confidence: np.ndarray
    best: tuple[int, int] | None
    region: np.ndarray
    chosen: tuple[int, int] | None
    is_round: bool
    clashes: tuple[tuple[Demand, ...], ...]


def find_consensus(
    surface: Surface,
    demands: Sequence[Demand],
    *,
    round_worth: float | None = None,
    round_months: int = 1,
) -> Consensus:
    """Find the pair of cuts that removes most customers while every demand is met.

    A demand counts as met where it is met in 95 % of the resamples: a limit that holds in the
    data only just would not hold next year in one year of two.

    Parameters
    ----------
    surface : Surface
    demands : sequence of Demand
        Empty: no department states any, and there is nothing to agree on.
    round_worth : float, optional
        A round cut of worth is a multiple of this; by default one with a single digit that is
        not zero (300, 2000).
    round_months : int
        A round number of idle months is a multiple of this.
    """
    outcomes, shape = surface.outcomes, surface.outcomes.removed.shape
    resampled = {d: d.met(outcomes.resampled[d.measure]) for d in demands}
    share = outcomes.estimates["share_removed"]
    met = np.array([resampled[d].mean(axis=0) >= CONFIDENCE for d in demands], dtype=bool)
    met = met.reshape(len(demands), *shape) & (share > 0)  # to remove nobody is no rule
    together = _all(list(resampled.values()), outcomes.resampled["share_removed"].shape)
    best = _most(share, met.all(axis=0)) if demands else None
    region = np.zeros(shape, dtype=bool)
    if best is not None:
        removed = np.where(together, outcomes.resampled["share_removed"], 0).max(axis=(1, 2))
        on_data = _all([d.met(outcomes.estimates[d.measure]) for d in demands], shape)
        region = on_data & (share >= np.quantile(removed, 0.025)) & (share > 0)
        region[best] = True
    tidy = round_pairs(surface, round_worth, round_months)
    rounded = _most(share, region & tidy & met.all(axis=0))
    return Consensus(
        tuple(demands),
        met,
        together.mean(axis=0),
        best,
        region,
        chosen=rounded or best,
        is_round=rounded is not None,
        clashes=() if best is not None else _clashes(demands, met),
    )


def _all(met: list[np.ndarray], shape: tuple[int, ...]) -> np.ndarray:
    return np.logical_and.reduce(met) if met else np.ones(shape, dtype=bool)


def _most(share: np.ndarray, allowed: np.ndarray) -> tuple[int, int] | None:
    """Return the allowed place with the largest share, or None where there is none."""
    value = np.where(allowed, share, 0.0)
    place = np.unravel_index(np.argmax(value), value.shape)
    return (int(place[0]), int(place[1])) if value[place] > 0 else None


def round_pairs(surface: Surface, worth: float | None, months: int) -> np.ndarray:
    """Say which pairs are round: multiples of `worth` (None: one digit not zero) and `months`."""
    cuts = surface.cuts
    if worth is None:
        tidy = np.array([float(f"{cut:.1g}") == cut for cut in cuts])
    else:
        tidy = np.isclose(cuts / worth, np.round(cuts / worth))
    return tidy[:, None] & (surface.idle % months == 0)[None, :]


def _clashes(demands: Sequence[Demand], met: np.ndarray) -> tuple[tuple[Demand, ...], ...]:
    """Return the smallest sets of demands that no pair of cuts meets together."""
    for size in range(1, len(demands) + 1):  # a handful of demands: all sets are soon tried
        found = [
            tuple(demands[i] for i in chosen)
            for chosen in combinations(range(len(demands)), size)
            if not met[list(chosen)].all(axis=0).any()
        ]
        if found:
            return tuple(found)
    return ()


def holds(outcomes: Outcomes, demands: Sequence[Demand]) -> np.ndarray:
    """Return in which share of the resamples each rule meets all demands."""
    drawn = [d.met(outcomes.resampled[d.measure]) for d in demands]
    return _all(drawn, outcomes.resampled["share_removed"].shape).mean(axis=0)


def to_draw(
    surface: Surface, consensus: Consensus, departments: Sequence[Department], marks: pd.DataFrame
) -> pd.DataFrame:
    """Return the surface with the departments' regions and the marks, ready to be drawn.

    Parameters
    ----------
    surface : Surface
    consensus : Consensus
    departments : sequence of Department
    marks : DataFrame
        ``kind`` (``own``, ``agreed``), ``name``, ``cut``, ``idle_months``.

    Returns
    -------
    DataFrame
        See :func:`customerlab.plots.cut_surface`.
    """
    names = [one.name for one in departments]
    share = surface.outcomes.estimates["share_removed"]
    rows: list[dict[str, object]] = []
    for i, cut in enumerate(surface.cuts):
        for j, months in enumerate(surface.idle):
            objects = {
                demand.department
                for demand, met in zip(consensus.demands, consensus.met, strict=True)
                if not met[i, j]
            }
            rows.append(
                {
                    "kind": "grid",
                    "cut": cut,
                    "idle_months": months,
                    "share_removed": share[i, j],
                    "accepted_by": tuple(name for name in names if name not in objects),
                }
            )
    for name in names:
        own = [demand.words for demand in consensus.demands if demand.department == name]
        rows.append({"kind": "department", "name": name, "demand": _listed(own)})
    rows += marks.to_dict("records")
    if consensus.chosen is not None:
        i, j = consensus.chosen
        rows.append(
            {
                "kind": "proposed",
                "cut": surface.cuts[i],
                "idle_months": surface.idle[j],
                "share_removed": share[i, j],
            }
        )
    columns = ["kind", "name", "cut", "idle_months", "share_removed", "accepted_by", "demand"]
    return pd.DataFrame(rows, columns=columns).assign(worth=surface.worth)


def _listed(demands: Sequence[Message]) -> Message | None:
    if not demands:
        return None
    text = demands[0]
    for demand in demands[1:]:
        text = say("{some}; {more}", some=text, more=demand)
    return text
