"""Two campaigns side by side, by the same groups and arms, each with customers enough."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from customerlab.churn.curves import FEW_EVENTS
from customerlab.errors import CustomerlabError, nearest
from customerlab.messages import Message, say
from customerlab.uplift.sums import ArmSums, pool
from customerlab.uplift.welch import bounds

#: Sums by group and arm.
Campaign = Mapping[str, Mapping[str, ArmSums]]
WHEN = ("earlier", "later")
_EACH = ["n", "control_n", "control_mean", "treated_mean", "share", "reach"]
_EACH += ["effect", "low", "high"]
#: Columns of :attr:`Cells.table`.
CELL_COLUMNS = ["group", "arm", *(f"{name}_{when}" for when in WHEN for name in _EACH)]


@dataclass(frozen=True)
class Cells:
    """What two campaigns did, by the same G groups and A arms.

    Attributes
    ----------
    groups, arms : tuple of str
        Arms without the control.
    n : ndarray of shape (2, G, 1 + A)
        Customers, earlier and later; the control comes first, here and below.
    mean : ndarray of shape (2, G, 1 + A, 2)
        Of the outcome and of contact; 0 where there are no customers or contact is not known.
    covariance : ndarray of shape (2, G, 1 + A, 2, 2)
    contact_known : bool
    why_not : dict of str to Message or None
        Why ``groups`` or ``arms`` cannot be told apart.
    """

    groups: tuple[str, ...]
    arms: tuple[str, ...]
    n: np.ndarray
    mean: np.ndarray
    covariance: np.ndarray
    contact_known: bool
    why_not: dict[str, Message | None]

    @property
    def used(self) -> np.ndarray:
        """Which groups were sent which arms, shape (2, G, A)."""
        return self.n[..., 1:] > 0

    @property
    def known(self) -> bool:
        """Whether each arm that was sent, and its control, have two customers at least."""
        pairs = (self.n[..., 1:] >= 2) & (self.n[..., :1] >= 2)
        return bool(pairs[self.used].all() and self.used.any(axis=(1, 2)).all())

    @property
    def shares(self) -> tuple[np.ndarray, np.ndarray]:
        """Groups' shares of the treated, shape (2, G), and arms' of the group's, (2, G, A)."""
        by_group = self.n[..., 1:].sum(axis=-1)
        total = by_group.sum(axis=-1, keepdims=True)
        within = self.n[..., 1:] / np.maximum(by_group, 1)[..., None]
        return by_group / np.maximum(total, 1), within

    @property
    def weights(self) -> tuple[float, float]:
        """Weight of the earlier campaign's effects where shares of groups, or arms, change."""
        present = self.used.any(axis=-1)
        both = present.all(axis=0)
        return _weight(present), _weight(self.used[:, both])

    @property
    def table(self) -> pd.DataFrame:
        """One row per group and arm: see :attr:`customerlab.uplift.disappointed.Change.cells`."""
        rows = []
        by_group, within = self.shares
        for g, group in enumerate(self.groups):
            for a, arm in enumerate(self.arms, start=1):
                row = dict.fromkeys(CELL_COLUMNS, np.nan) | {"group": group, "arm": arm}
                for c, when in enumerate(WHEN):
                    told = self._cell(c, g, a)
                    told["share"] = float(by_group[c, g] * within[c, g, a - 1])
                    row |= {f"{name}_{when}": value for name, value in told.items()}
                rows.append(row)
        return pd.DataFrame(rows, columns=CELL_COLUMNS)

    def _cell(self, campaign: int, group: int, arm: int) -> dict[str, float]:
        n, mean, spread = (x[campaign, group] for x in (self.n, self.mean, self.covariance))
        told = {"n": float(n[arm]), "control_n": float(n[0])}
        if n[arm] > 0:
            told["treated_mean"] = float(mean[arm, 0])
            if self.contact_known:
                told["reach"] = float(mean[arm, 1])
        if n[0] > 0:
            told["control_mean"] = float(mean[0, 0])
        if n[arm] > 0 and n[0] > 0:
            told["effect"] = float(mean[arm, 0] - mean[0, 0])
        if min(n[arm], n[0]) > 1:
            parts = [(float(spread[i, 0, 0] / n[i]), float(n[i] - 1)) for i in (arm, 0)]
            told["low"], told["high"], _ = bounds(told["effect"], parts)
        return told


def line_up(
    campaigns: Sequence[Campaign], control: str, outcome: str, contacted: str | None
) -> Cells:
    """Bring two campaigns to the same groups and arms, each with customers enough.

    See :func:`customerlab.uplift.disappointed.explain_change` for what is put together, and when.
    """
    every = [sums for one in campaigns for arms in one.values() for sums in arms.values()]
    present = list(dict.fromkeys(arm for one in campaigns for arms in one.values() for arm in arms))
    if control not in present:
        hint, known = nearest(control, present), ", ".join(present) or "none"
        raise CustomerlabError(f"there is no arm {control!r} for control{hint}; there are: {known}")
    contact = contacted is not None and all(contacted in sums.names for sums in every)
    names = [outcome, contacted] if contact else [outcome]
    chosen = [
        {g: {a: sums.select(names) for a, sums in arms.items()} for g, arms in one.items()}
        for one in campaigns
    ]
    arms = [arm for arm in present if arm != control]
    why_arms = _why_one_arm(chosen, arms)
    if why_arms is None:
        cells = _cells(chosen, control, arms, names)
        if not np.isnan(cells.weights[1]):
            return cells
        why_arms = say("each campaign sent groups an arm that the other did not send them")
    label = ", ".join(arms)
    merged = [
        {
            g: {
                control: _sums(by_arm, [control], names),
                label: _sums(by_arm, arms, names),
            }
            for g, by_arm in one.items()
        }
        for one in chosen
    ]
    cells = _cells(merged, control, [label], names)
    cells.why_not["arms"] = why_arms
    return cells


def nobody(names: Sequence[str]) -> ArmSums:
    """Return the sums of no customer."""
    k = len(names)
    return ArmSums(tuple(names), 0.0, np.full(k, np.nan), np.full((k, k), np.nan))


def _why_one_arm(campaigns: Sequence[Campaign], arms: Sequence[str]) -> Message | None:
    """Return why arms cannot be told apart."""
    if len(arms) < 2:
        return say("both campaigns had one arm, the same")
    n = [[sum(one.n for one in _each(c, arm)) for arm in arms] for c in campaigns]
    n = np.array(n, dtype=float)
    if np.isnan(_weight(n > 0)):
        return say("the campaigns had different arms, and none had those of both")
    if ((n > 0) & (n < FEW_EVENTS)).any():
        return say("an arm has too few customers to be told apart")
    return None


def _each(campaign: Campaign, arm: str) -> list[ArmSums]:
    return [by_arm[arm] for by_arm in campaign.values() if arm in by_arm]


def _sums(by_arm: Mapping[str, ArmSums], arms: Sequence[str], names: Sequence[str]) -> ArmSums:
    """Return all customers of these arms together."""
    return pool([nobody(names), *(by_arm[arm] for arm in arms if arm in by_arm)])


def _cells(
    campaigns: Sequence[Campaign], control: str, arms: Sequence[str], names: Sequence[str]
) -> Cells:
    """Put small groups together and lay the sums out in arrays."""
    every = [control, *arms]
    labels = list(dict.fromkeys(g for one in campaigns for g in one))
    groups = {
        g: [{a: _sums(one.get(g, {}), [a], names) for a in every} for one in campaigns]
        for g in labels
    }
    # a group that was sent nothing tells nothing of the effect
    groups = {g: both for g, both in groups.items() if any(_size(one, arms) for one in both)}
    while len(groups) > 1:
        sizes = {g: _least(both, control, arms) for g, both in groups.items()}
        first, second = sorted(groups, key=lambda g: sizes[g])[:2]
        if sizes[first] >= FEW_EVENTS:
            break
        groups = _join(groups, [first, second])
    why = None
    if len(groups) > 1:
        present = np.array([[_size(b[c], arms) > 0 for b in groups.values()] for c in (0, 1)])
        if np.isnan(_weight(present)):
            why = say("each campaign had groups of customers that the other did not have")
            groups = _join(groups, list(groups))
    if len(groups) < 2 and why is None:
        why = say("there are no two groups with customers enough")
    shape = (2, len(groups), len(every))
    n, mean, covariance = np.zeros(shape), np.zeros((*shape, 2)), np.zeros((*shape, 2, 2))
    k = len(names)
    for g, both in enumerate(groups.values()):
        for c, by_arm in enumerate(both):
            for a, arm in enumerate(every):
                one = by_arm[arm]
                n[c, g, a] = one.n
                if one.n > 0:
                    mean[c, g, a, :k] = one.mean
                if one.n > 1:
                    covariance[c, g, a, :k, :k] = one.covariance
    why_not = {"groups": why, "arms": None}
    return Cells(tuple(groups), tuple(arms), n, mean, covariance, k > 1, why_not)


def _size(by_arm: Mapping[str, ArmSums], arms: Sequence[str]) -> float:
    return sum(by_arm[arm].n for arm in arms)


def _least(both: Sequence[Mapping[str, ArmSums]], control: str, arms: Sequence[str]) -> float:
    """Return the customers of a group's smallest arm, of those that it was sent."""
    sent = [one for one in both if _size(one, arms) > 0]
    return min(
        one[arm].n for one in sent for arm in [control, *arms] if arm == control or one[arm].n
    )


def _join(groups: Mapping[str, list], some: Sequence[str]) -> dict[str, list]:
    """Return the groups with some of them put together, at the end."""
    joined = [
        {arm: pool([groups[g][c][arm] for g in some]) for arm in groups[some[0]][c]} for c in (0, 1)
    ]
    rest = {g: both for g, both in groups.items() if g not in some}
    return rest | {", ".join(g for g in groups if g in some): joined}


def _weight(there: np.ndarray) -> float:
    """Return 1/2 where both campaigns had all, 0 or 1 where the later or the earlier one did.

    Missing where neither did.
    """
    lacking = [bool((there[1 - c] & ~there[c]).any()) for c in (0, 1)]
    return {(False, False): 0.5, (True, False): 0.0, (False, True): 1.0}.get(tuple(lacking), np.nan)
