"""What contacting from some chance on would have brought, counted on contacts that were made."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from customerlab.churn.hazard import Z
from customerlab.churn.smooth import wilson


def contacted(sizes: np.ndarray, room: float) -> np.ndarray:
    """Return how many of each group are contacted if the first are, until the room is used up."""
    return np.clip(room * sizes.sum() - (sizes.cumsum() - sizes), 0, sizes)


@dataclass(frozen=True)
class Counted:
    """What cut-offs would have brought on the contacts, in money for all customers."""

    y: np.ndarray
    p: np.ndarray
    who: np.ndarray
    cost: float
    margin: float
    scale: float
    repeats: float
    room: float

    def chosen(self, cut: float) -> np.ndarray:
        """Return each one's chance to be contacted; those at the cut-off draw lots for room."""
        n, above, alike = len(self.p), (self.p > cut).sum(), (self.p == cut).sum()
        part = np.clip((self.room * n - above) / alike, 0, 1) if alike else 0.0
        return (self.p > cut) + part * (self.p == cut)

    @cached_property
    def alone(self) -> bool:
        """Whether each contact was with another customer."""
        return int(self.who.max()) + 1 == len(self.who)

    def total(self, each: np.ndarray) -> tuple[float, float, float]:
        """Return the sum of what each contact brings, with 95 % interval, by customer."""
        own = each if self.alone else np.bincount(self.who, each)
        half = Z * np.sqrt(len(own)) * own.std()
        return tuple(float(self.scale * x) for x in (own.sum(), own.sum() - half, own.sum() + half))

    def each(self, chosen: np.ndarray) -> np.ndarray:
        """Return what each contact brings, weighted by whether it is made."""
        return chosen * (self.margin * self.y - self.cost)

    def rule(self, name: str, cut: float, best: float) -> tuple[object, ...]:
        """Return the row of a cut-off."""
        return self._row(name, cut, self.chosen(cut), best)

    def by_lot(self, room: float, best: float) -> tuple[object, ...]:
        """Each contact counts for as much as its chance to be drawn."""
        return self._row("random", np.nan, np.full(len(self.y), room), best)

    def _row(self, name: str, cut: float, chosen: np.ndarray, best: float) -> tuple[object, ...]:
        contacts, responses = chosen.sum(), chosen @ self.y
        behind = self.total(self.each(self.chosen(best)) - self.each(chosen))
        per = (np.nan,) * 3
        if contacts and responses:
            low, high = wilson(responses, contacts, self.repeats)
            per = tuple(self.cost / rate for rate in (responses / contacts, high, low))
        share, scale = float(chosen.mean()), self.scale
        counts = (contacts * scale, responses * scale, self.cost * contacts * scale)
        return (name, cut, share, *counts, *self.total(self.each(chosen)), *per, *behind)
