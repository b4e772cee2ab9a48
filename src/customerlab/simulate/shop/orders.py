"""One order after the other: who buys again within 90 days, who later, and who never does."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from customerlab.simulate.shop import planted
from customerlab.simulate.shop.members import Members

#: The day of an order that never comes.
NEVER = 10**6


@dataclass
class Orders:
    """Arrays with one entry per order of the window, in the order of time, and the campaigns.

    Attributes
    ----------
    member, day, promotion, reads, again : array
        Place of the customer, day of the window, whether the order had a promotion, whether
        reviews were read before it, whether the next one followed within 90 days.
    first_again, first_promotion, first_reads : array of bool, one per customer
        The same of the first order of all, which may lie before the window.
    lost_on : array of int, one per customer
        Day of the last order of one who never comes back; `NEVER` where none by the last day.
    arms : dict of str to array of int
        Per campaign, place of each customer's arm; -1 where not drawn.
    returns : array of bool, one per customer
        Would have come back within 28 days of campaign S1 without it.
    brought_back : array of bool, one per customer
        Came back because of S1.
    """

    member: np.ndarray
    day: np.ndarray
    promotion: np.ndarray
    reads: np.ndarray
    again: np.ndarray
    first_again: np.ndarray
    first_promotion: np.ndarray
    first_reads: np.ndarray
    lost_on: np.ndarray
    returns: np.ndarray
    brought_back: np.ndarray
    arms: dict[str, np.ndarray] = field(default_factory=dict)


def campaign_day(name: str, days: int) -> int:
    """Return the day of the window on which a campaign starts."""
    return days - planted.CAMPAIGNS[name]["days_before"]


def draw_orders(
    rng: np.random.Generator,
    members: Members,
    young: np.ndarray,
    days: int,
    *,
    null_outcome: bool,
) -> Orders:
    """Draw every customer's orders from joining on.

    Whether an order is followed by another within 90 days is one draw, with the planted chance;
    nothing that is known at the order but its promotion and the factors has a say in it.

    Parameters
    ----------
    rng : numpy.random.Generator
    members : Members
    young : array of bool
        Whom the coupon of S1 moves.
    days : int
        Length of the window.
    null_outcome : bool
        Plant no driver at all.
    """
    count = len(members)
    per_factor, promoted = planted.weights(null_outcome)
    pull = planted.INTERCEPT + members.factors @ per_factor
    reading = planted.chance(planted.log_odds(planted.READS_REVIEWS, members.factors))
    lots = {name: _lot(rng, count, campaign) for name, campaign in planted.CAMPAIGNS.items()}
    start = campaign_day("S1", days)
    add = np.where(young, *(planted.COMES_BACK[group] for group in ("under 35", "others")))
    idle, returns, brought_back = (np.zeros(count, dtype=bool) for _ in range(3))
    lost_on = np.full(count, NEVER)
    rounds: list[dict[str, np.ndarray]] = []
    who, now = np.arange(count), members.joined.copy()
    while len(who):
        size = len(who)
        promotion = rng.random(size) < planted.PROMOTION_SHARE
        again = rng.random(size) < planted.chance(pull[who] + promoted * promotion)
        soon = 2 + (rng.beta(1.3, 2.2, size) * (planted.DAYS - 1)).astype(int)
        late = planted.DAYS + 1 + rng.exponential(planted.LATER, size).astype(int)
        never = ~again & (rng.random(size) < planted.FOR_GOOD)
        following = np.where(never, NEVER, now + np.where(again, soon, late))
        rounds.append(
            {
                "member": who,
                "day": now,
                "promotion": promotion,
                "reads": rng.random(size) < reading[who],
                "again": again,
            }
        )
        # S1 meets those without an order in 90 days; it can end their wait, and nothing else
        waits = (now + planted.DAYS < start) & (following >= start)
        naturally = waits & (following < start + planted.COME_BACK_DAYS)
        called = waits & (lots["S1"][who] == 1) & ~naturally
        called &= rng.random(size) < add[who]
        within = rng.integers(0, planted.COME_BACK_DAYS, size)
        following = np.where(called, start + within, following)
        idle[who[waits]] = True
        returns[who[naturally]] = True
        brought_back[who[called]] = True
        ends = following == NEVER
        lost_on[who[ends]] = now[ends]
        stays = following < days
        who, now = who[stays], following[stays]
    first = rounds[0]
    every = {name: np.concatenate([one[name] for one in rounds]) for name in first}
    inside = np.flatnonzero(every["day"] >= 0)
    inside = inside[np.lexsort((every["member"][inside], every["day"][inside]))]
    here = {name: members.joined < campaign_day(name, days) for name in lots}
    here["S1"] = idle
    return Orders(
        **{name: values[inside] for name, values in every.items()},
        first_again=first["again"],
        first_promotion=first["promotion"],
        first_reads=first["reads"],
        lost_on=lost_on,
        returns=returns,
        brought_back=brought_back,
        arms={name: np.where(here[name], lot, -1) for name, lot in lots.items()},
    )


def _lot(rng: np.random.Generator, count: int, campaign: dict) -> np.ndarray:
    """Draw each customer's arm, -1 for those left out."""
    arm = rng.choice(len(campaign["arms"]), count, p=list(campaign["arms"].values()))
    return np.where(rng.random(count) < campaign["share"], arm, -1)
