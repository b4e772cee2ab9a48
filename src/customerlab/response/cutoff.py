r"""From which chance on a contact pays: the cut-off, what it saves and what it loses.

Contacting everybody whose chance is at least :math:`c` is expected to bring

.. math:: \sum_{p_i \ge c} (\text{margin} \cdot s(p_i) - \text{cost})

where :math:`s` is the smooth curve of what became of such chances
(:mod:`customerlab.churn.smooth`): where the chances are true, the best cut-off is cost / margin.
How sure the cut-off is comes from responses drawn from that curve, and fitting it again. As long
as cost / margin lies in that interval, nothing speaks against the chances, and where exactly the
curve brings most is in part chance. Then cost / margin is the cut-off: where the chances are true
nothing else is best. What a cut-off would have brought is counted, on contacts that the model had
not seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from customerlab.churn.curves import status_of
from customerlab.churn.measures import Judged
from customerlab.churn.smooth import Smooth, wilson
from customerlab.findings import Status
from customerlab.messages import Message, say
from customerlab.response.counting import Counted, contacted
from customerlab.response.judged import repeats_of

#: Cut-offs that bring this share of the best profit are about as good.
ABOUT = 0.98
#: Points of the curve, and groups of neighbouring chances on which it is drawn again.
_POINTS, _FINE = 50, 250
#: Costs of a contact, in parts of the margin, at which the cut-off is told when no costs are known.
RATIOS = (0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5)
RULES: dict[str, Message] = {
    "everybody": say("contact everybody"),
    "random": say("contact as many as possible, drawn by lot"),
    "best": say("contact from the best cut-off on"),
    "own": say("contact from the bank's own cut-off on"),
}
CURVE = ["share", "cutoff", "contacts", "expected", "profit", "profit_low", "profit_high"]
RULE_COLUMNS = ["rule", "cutoff", "share", "contacts", "responses", "cost", "profit", "profit_low"]
RULE_COLUMNS += ["profit_high", "cost_per_response", "cost_per_response_low"]
RULE_COLUMNS += ["cost_per_response_high", "behind", "behind_low", "behind_high"]


@dataclass(frozen=True)
class Cutoff:
    """The best cut-off, and what it brings.

    Attributes
    ----------
    cutoff, low, high : float
        The least chance to contact, with the 95 % interval of where the curve brings most;
        infinite: nobody. Missing without data.
    flat_low, flat_high : float
        Cut-offs in between bring at least 98 % of the profit expected from the cut-off.
    share : float
        Of the customers, contacted.
    full : bool
        Whether more contacts would pay than `capacity` allows.
    curve : DataFrame
        The best ``share`` of the customers, its ``cutoff``, ``contacts``, the profit ``expected``
        by the curve, and the ``profit`` counted with 95 % interval ``profit_low`` to
        ``profit_high``, in money for all `customers`.
    rules : DataFrame
        One row per ``rule`` of :data:`RULES`: ``cutoff``, ``share``, ``contacts``, ``responses``,
        ``cost``, ``profit``, ``cost_per_response`` and how far its profit is ``behind`` the best
        rule's (each with ``_low``, ``_high``), for all `customers`.
    saved, lost, lost_low, lost_high : float
        Below the cut-off: cost of the contacts not made, margin of those who would have responded.
    below, below_rate : float
        How many customers are below, and the share of them that would have responded.
    break_even : float
        Cost over margin: the chance from which a contact pays.
    customers : int
    margin, contact_cost : float
    n, responders : int
        Contacts and responders that it was worked out from.
    status : {"supported", "weak", "not_enough_data"}
    """

    cutoff: float
    low: float
    high: float
    flat_low: float
    flat_high: float
    share: float
    full: bool
    curve: pd.DataFrame
    rules: pd.DataFrame
    saved: float
    lost: float
    lost_low: float
    lost_high: float
    below: float
    below_rate: float
    break_even: float
    customers: int
    margin: float
    contact_cost: float
    n: int
    responders: int
    status: Status

    def rule(self, name: str) -> pd.Series:
        """Return the row of a rule."""
        return self.rules.set_index("rule").loc[name]


def best_cutoff(
    responded: np.ndarray,
    chance: np.ndarray,
    rng: np.random.Generator,
    *,
    contact_cost: float,
    margin: float,
    capacity: float | None = None,
    customers: int | None = None,
    own: float | None = None,
    customer: Sequence[object] | None = None,
    draws: int = 200,
) -> Cutoff:
    """Find from which chance on a contact pays, and count what that brings.

    Parameters
    ----------
    responded : array of 0 and 1, shape (contacts,)
    chance : array, shape (contacts,)
        By a model that had not seen the contacts; where it is missing a contact is left out.
    rng : Generator
        Draws the responses of the bootstrap.
    contact_cost : float
        Money per contact, at least 0.
    margin : float
        Money per response, above 0, before the cost of the contact.
    capacity : float, optional
        How many of `customers` can be contacted.
    customers : int, optional
        How many the decision is about; as many as contacts when left out. They must be alike.
    own : float, optional
        The cut-off that the bank has set, a chance.
    customer : sequence, optional
        Whom each contact was with.
    draws : int

    Raises
    ------
    ValueError
        When cost, margin or capacity is no amount.
    """
    _amounts(contact_cost, margin, capacity)
    y, p, who = _there(responded, chance, customer)
    n, events = len(y), int(y.sum())
    size, ratio = n if customers is None else customers, contact_cost / margin
    status = status_of(min(events, n - events))
    about = {"break_even": ratio, "customers": size, "margin": margin, "n": n}
    about |= {"contact_cost": contact_cost, "responders": events, "status": status}
    if status == "not_enough_data":
        none = dict.fromkeys(
            ["cutoff", "low", "high", "flat_low", "flat_high", "share", "saved", "lost"], np.nan
        )
        none |= dict.fromkeys(["lost_low", "lost_high", "below", "below_rate"], np.nan)
        curve, rules = pd.DataFrame(columns=CURVE), pd.DataFrame(columns=RULE_COLUMNS)
        return Cutoff(**none, full=False, curve=curve, rules=rules, **about)
    repeats = repeats_of(y - p, who)
    smooth = Judged(p, np.full(n, events / n), np.ones(n), y, repeats=repeats).smooth()
    room = 1.0 if capacity is None else min(1.0, capacity / max(size, 1))
    rate = smooth.at(smooth.chance)
    falling, gain = _expected(smooth.chance, smooth.n, rate, ratio, room)
    at = _best(falling, gain)
    free = _best(*_expected(smooth.chance, smooth.n, rate, ratio, 1.0))
    group = smooth if len(smooth.chance) <= _FINE else smooth.joined(_FINE)
    drawn = [
        _best(*_expected(group.chance, group.n, one, ratio, room))
        for one in group.drawn(rng, draws, repeats)
    ]
    low, high = np.quantile(drawn, [0.025, 0.975], method="inverted_cdf")
    low, high = min(float(low), at), max(float(high), at)
    # where costs break even the chances, if true, say it best; unless the curve sees a loss there
    fits = 0 < (p >= ratio).mean() <= room
    if at < np.inf and low <= ratio <= high and fits and gain[falling >= ratio][-1] > 0:
        at = free = ratio
    flat = _flat(falling, gain, at)
    scale = size / n
    rows = [("everybody", 0.0)] if room == 1 else []
    rows += [("best", at)]
    if own is not None:  # from its cut-off on until the contacts are used up
        rows += [("own", max(own, _line(smooth, room)))]
    count = Counted(y, p, who, contact_cost, margin, scale, repeats, room)
    rules = [count.rule(name, cut, at) for name, cut in rows]
    if room < 1:
        rules.insert(0, count.by_lot(room, at))
    below = 1 - count.chosen(at)
    responders, m = float(y @ below), float(below.sum())
    ends = wilson(responders, m, repeats) if m else (0.0, 0.0)
    return Cutoff(
        cutoff=at,
        low=low,
        high=high,
        flat_low=flat[0],
        flat_high=flat[1],
        share=float(1 - below.mean()),
        full=float((p >= free).mean()) > 1 - below.mean() + 1e-12,
        curve=_curve(count, smooth, ratio),
        rules=pd.DataFrame(rules, columns=RULE_COLUMNS),
        saved=contact_cost * m * scale,
        lost=margin * responders * scale,
        lost_low=margin * m * scale * float(ends[0]),
        lost_high=margin * m * scale * float(ends[1]),
        below=m * scale,
        below_rate=responders / m if m else np.nan,
        **about,
    )


def cutoff_by_cost(
    responded: np.ndarray,
    chance: np.ndarray,
    *,
    ratios: Sequence[float] = RATIOS,
    capacity: float | None = None,
    customers: int | None = None,
) -> pd.DataFrame:
    """Return the best cut-off for each cost of a contact, where the bank has told no costs.

    Parameters
    ----------
    responded, chance, capacity, customers
        As for :func:`best_cutoff`.
    ratios : sequence of float
        Cost of a contact in parts of the margin of a response.

    Returns
    -------
    DataFrame
        ``cost_over_margin``, ``cutoff`` (infinite: nobody), ``share`` contacted, ``held`` (share of
        all responders among them), ``gain`` (profit per customer in parts of the margin, over that
        of contacting everybody or nobody, whichever is better). No rows with too few responders.
    """
    _amounts(0, 1, capacity)
    columns = ["cost_over_margin", "cutoff", "share", "held", "gain"]
    y, p, _ = _there(responded, chance, None)
    n, events = len(y), y.sum()
    if status_of(min(events, n - events)) == "not_enough_data":
        return pd.DataFrame(columns=columns)
    smooth = Judged(p, np.full(n, events / n), np.ones(n), y).smooth()
    room = 1.0 if capacity is None else min(1.0, capacity / max(customers or n, 1))
    rows = []
    for ratio in ratios:
        at = _best(*_expected(smooth.chance, smooth.n, smooth.at(smooth.chance), ratio, room))
        chosen = Counted(y, p, np.arange(n), ratio, 1.0, 1.0, 1.0, room).chosen(at)
        profit = chosen @ (y - ratio) / n
        simple = max(0.0, room * (events / n - ratio))
        rows.append((ratio, at, chosen.mean(), chosen @ y / events, profit - simple))
    return pd.DataFrame(rows, columns=columns)


def _amounts(cost: float, margin: float, capacity: float | None) -> None:
    if not (0 <= cost < np.inf and 0 < margin < np.inf):
        raise ValueError("margin must be above 0 and contact_cost not below: amounts of money")
    if capacity is not None and not 0 <= capacity < np.inf:
        raise ValueError("capacity must not be below 0: a number of contacts")


def _there(
    responded: np.ndarray, chance: np.ndarray, customer: Sequence[object] | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    p = np.asarray(chance, dtype=float)
    there = ~np.isnan(p)
    y, p = np.asarray(responded)[there].astype(float), p[there]
    if customer is None:
        return y, p, np.arange(len(y))
    return y, p, pd.factorize(np.asarray(customer, dtype=object)[there])[0]


def _expected(
    chance: np.ndarray, n: np.ndarray, rate: np.ndarray, ratio: float, room: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the chances, falling, and what contacting from each on brings, in margins.

    `chance` rises; at most the share `room` of the customers is contacted, the last of them drawn
    by lot from those alike. Where there is no room it is minus infinity.
    """
    made = contacted(n[::-1], room)
    gain = (made * (rate[::-1] - ratio)).cumsum()
    gain[made == 0] = -np.inf
    return chance[::-1], gain


def _best(falling: np.ndarray, gain: np.ndarray) -> float:
    """Return the cut-off that brings most; infinite where none brings anything."""
    best = int(gain.argmax())
    return float(falling[best]) if gain[best] > 0 else np.inf


def _flat(falling: np.ndarray, gain: np.ndarray, at: float) -> tuple[float, float]:
    """Return the ends of the cut-offs that bring nearly as much as one, or more."""
    if np.isinf(at):
        return np.inf, np.inf
    about = falling[gain >= ABOUT * gain[falling >= at][-1]]
    # from one chance to the next cut-offs are the same
    return min(float(about.min()), at), max(float(about.max()), at)


def _line(smooth: Smooth, room: float) -> float:
    """Return the least cut-off that there is room for."""
    return float(smooth.chance[::-1][contacted(smooth.n[::-1], room) > 0].min(initial=np.inf))


def _curve(count: Counted, smooth: Smooth, ratio: float) -> pd.DataFrame:
    """Return the profit at about equally many contacts from one cut-off to the next."""
    falling, n = smooth.chance[::-1], smooth.n[::-1]
    share = n.cumsum() / n.sum()
    gain = (n * (smooth.at(smooth.chance)[::-1] - ratio)).cumsum() * count.margin * count.scale
    wanted = np.arange(1, _POINTS + 1) / _POINTS
    at = np.unique(np.minimum(np.searchsorted(share, wanted - 1e-12), len(share) - 1))
    rows = [
        (
            *(share[i], falling[i], share[i] * len(count.y) * count.scale, gain[i]),
            *count.total(count.each(count.p >= falling[i])),
        )
        for i in at
    ]
    return pd.DataFrame(rows, columns=CURVE)
