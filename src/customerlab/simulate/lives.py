"""Month by month: who is there, who is paid, who complains, who leaves and who comes back."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from customerlab.simulate import planted
from customerlab.simulate.people import ACTIVE, IDLE, JOINER, People, Window

#: Month number that stands for never.
NEVER = 9999


@dataclass
class Lives:
    """What happens to one piece of customers; arrays of shape (customers, months) or (customers,).

    Attributes
    ----------
    active : array of bool
        Makes at least one movement in the month.
    leaves : array of bool
        The month is the last active one.
    paid : array of bool
        A salary is credited in the month.
    entry, exit, returned : array of int
        First active month, first month of leaving, month of coming back; `NEVER` where none.
    pay_stop : array of int
        First month without a salary after one with it; `NEVER` where none.
    unresolved : array of int
        Complaint contacts left unresolved, at the end of the window.
    contacts : list of dict of arrays
        Complaint contacts: ``month``, ``person``, ``case`` (counts per person), ``resolved``.
    arms : dict of str to array of int
        Per campaign, place of each customer's arm; -1 where not drawn.
    payroll_at : array of int
        Payroll state at the start of each month, as a place in `planted.PAYROLL_STATES`.
    final : DataFrame
        Features as known after the last month, for customers still active.
    """

    active: np.ndarray
    leaves: np.ndarray
    paid: np.ndarray
    payroll_at: np.ndarray
    entry: np.ndarray
    exit: np.ndarray
    returned: np.ndarray
    pay_stop: np.ndarray
    unresolved: np.ndarray
    contacts: list[dict[str, np.ndarray]] = field(default_factory=list)
    arms: dict[str, np.ndarray] = field(default_factory=dict)
    final: pd.DataFrame = field(default_factory=pd.DataFrame)


def campaign_month(name: str, window: Window) -> int:
    """Return the month in which a campaign is sent out, counted from the window's start."""
    return window.months - 1 - planted.CAMPAIGNS[name]["months_before"]


def features_at(
    people: People, lives: Lives, window: Window, month: int, where: np.ndarray
) -> pd.DataFrame:
    """Return what is known of some customers when a month begins, as `true_hazard` reads it."""
    called = np.zeros(len(where), dtype=bool)
    since = month - campaign_month("K2", window)
    if "K2" in lives.arms and 0 <= since < planted.RETENTION_MONTHS:
        called = lives.arms["K2"][where] == list(planted.CAMPAIGNS["K2"]["arms"]).index("call")
    return pd.DataFrame(
        {
            "tenure_months": month - people.joined_month[where],
            "age": people.age(window, month)[where],
            "gender": np.array(["M", "F"], dtype=object)[people.gender[where]],
            "region": np.array(planted.REGIONS, dtype=object)[people.region[where]],
            "payroll": np.array(planted.PAYROLL_STATES, dtype=object)[
                _payroll_state(people, lives, month)[where]
            ],
            "unresolved": lives.unresolved[where],
            "retention_call": called,
        }
    )


def live(rng: np.random.Generator, people: People, window: Window) -> Lives:
    """Draw the history of one piece of customers over the window."""
    shape = (len(people), window.months)
    lives = Lives(
        active=np.zeros(shape, dtype=bool),
        leaves=np.zeros(shape, dtype=bool),
        paid=np.zeros(shape, dtype=bool),
        payroll_at=np.zeros(shape, dtype=np.int8),
        entry=np.full(len(people), NEVER),
        exit=np.full(len(people), NEVER),
        returned=np.full(len(people), NEVER),
        pay_stop=np.full(len(people), NEVER),
        unresolved=np.zeros(len(people), dtype=np.int64),
    )
    here = people.group == ACTIVE
    before = people.last_moved.astype("datetime64[M]") - window.start
    last = np.where(people.group == IDLE, before.astype(int), -1)
    paid_before = people.payroll & here
    cases = np.zeros(len(people), dtype=np.int64)
    for month in range(window.months):
        _draw_arms(rng, lives, here, window, month)
        here = here | ((people.group == JOINER) & (people.joined_month == month))
        here = here | _come_back(rng, people, lives, here, last, month)
        lives.entry = np.where(here & (lives.entry == NEVER), month, lives.entry)
        lives.active[:, month] = here
        lives.payroll_at[:, month] = _payroll_state(people, lives, month)
        where = np.flatnonzero(here)
        hazard = true_hazard_of(people, lives, window, month, where)
        leaving = np.zeros(len(people), dtype=bool)
        leaving[where] = rng.random(len(where)) < hazard
        paid_before = _pay(rng, people, lives, here, paid_before, month)
        _complain(rng, lives, here, cases, month)
        lives.leaves[:, month] = leaving
        lives.exit = np.where(leaving & (lives.exit == NEVER), month, lives.exit)
        last = np.where(here, month, last)
        here = here & ~leaving
    where = np.flatnonzero(here)
    lives.final = features_at(people, lives, window, window.months, where)
    lives.final.insert(0, "person", where)
    return lives


def true_hazard_of(
    people: People, lives: Lives, window: Window, month: int, where: np.ndarray
) -> np.ndarray:
    """Return the planted hazard of some customers in a month."""
    return planted.true_hazard(features_at(people, lives, window, month, where))


def _payroll_state(people: People, lives: Lives, month: int) -> np.ndarray:
    """Return the place in `PAYROLL_STATES`: what the credits before the month show."""
    if month == 0:  # the salaries of the month before the window are not in the files
        return np.where(people.payroll & (people.group == ACTIVE), 1, 0)
    ever = lives.paid[:, :month].any(axis=1)
    return np.where(lives.paid[:, month - 1], 1, np.where(ever, 2, 0))


def _pay(
    rng: np.random.Generator,
    people: People,
    lives: Lives,
    here: np.ndarray,
    paid_before: np.ndarray,
    month: int,
) -> np.ndarray:
    """Credit the month's salaries; return who was paid."""
    stops = paid_before & (rng.random(len(people)) < planted.PAYROLL_STOP)
    # A joiner's salary comes from the month after joining, also one whose start was yesterday.
    starts = people.payroll & (people.group == JOINER) & (people.joined_month == month - 1)
    paid = here & ((paid_before & ~stops) | starts)
    # In month 0 nobody stops, so that every payroll shows in the files.
    if month == 0:
        paid = here & paid_before
    lives.paid[:, month] = paid
    stopped = here & paid_before & ~paid
    lives.pay_stop = np.where(stopped, month, lives.pay_stop)
    return paid


def _complain(
    rng: np.random.Generator, lives: Lives, here: np.ndarray, cases: np.ndarray, month: int
) -> None:
    """Draw complaints; `cases` counts each customer's cases and is brought up to date."""
    draw, kind = rng.random(len(here)), rng.random(len(here))
    first = here & (lives.unresolved == 0) & (draw < planted.COMPLAINT)
    again = here & (lives.unresolved > 0) & (draw < planted.COMPLAINT_AGAIN)
    unresolved = (first & (kind < planted.COMPLAINT_UNRESOLVED)) | again
    # A case is never closed once a contact about it was left unresolved.
    new_case = first | (again & (kind >= planted.SAME_CASE))
    cases += new_case
    person = np.flatnonzero(first | again)
    lives.contacts.append(
        {
            "month": np.full(len(person), month),
            "person": person,
            "case": cases[person].copy(),
            "resolved": ~unresolved[person],
        }
    )
    lives.unresolved = lives.unresolved + unresolved


def _come_back(
    rng: np.random.Generator,
    people: People,
    lives: Lives,
    here: np.ndarray,
    last: np.ndarray,
    month: int,
) -> np.ndarray:
    """Draw who of the idle comes back this month; nobody does so twice."""
    chance = planted.return_chance(people.idle_cents / 100, month - last - 1)
    possible = ~here & (lives.returned == NEVER)
    possible &= (people.group != JOINER) | (people.joined_month < month)
    back = possible & (rng.random(len(people)) < chance)
    lives.returned = np.where(back, month, lives.returned)
    return back


def _draw_arms(
    rng: np.random.Generator, lives: Lives, here: np.ndarray, window: Window, month: int
) -> None:
    """Draw by lot who gets which arm of a campaign that starts this month."""
    for name, campaign in planted.CAMPAIGNS.items():
        if campaign_month(name, window) != month:
            continue
        drawn = here & (rng.random(len(here)) < campaign["share"])
        arm = rng.choice(len(campaign["arms"]), len(here), p=list(campaign["arms"].values()))
        lives.arms[name] = np.where(drawn, arm, -1)
