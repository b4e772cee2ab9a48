"""Month by month: the transactions of one piece and the balances that follow from them.

Every month end equals the one before plus the month's transactions of that account, to the
hundredth: what the drawn flows leave open is booked as a deposit, transfer or withdrawal.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from customerlab.simulate import flows, planted
from customerlab.simulate.lives import NEVER, Lives, campaign_month
from customerlab.simulate.people import IDLE, JOINER, Accounts, People, Window

#: Interest on current accounts a year, credited on the 21st of each quarter's last month.
INTEREST_RATE, INTEREST_DAY = 0.002, 21
#: Yearly card fee in hundredths of a yuan, booked on 20 June, and the share who pay it.
FEE_CENTS, FEE_MONTH, FEE_DAY, FEE_SHARE = 1000, 6, 20, 0.15
#: Share of leavers who close the main account, and of emptied further accounts that are closed.
CLOSES_MAIN, CLOSES_FURTHER = 0.15, 0.5
#: Months before the last one in which a leaver's money may begin to fall.
LONGEST_FALL = 3
#: What the bank earns: share of average assets a year, of purchases, of fund sales.
MARGIN, PURCHASE_MARGIN, FUND_MARGIN = 0.012, 0.004, 0.01


@dataclass(frozen=True)
class Batch:
    """Transactions of one month: one entry each, places in the word lists above, -1 for none."""

    person: np.ndarray
    account: np.ndarray
    moment: np.ndarray  # datetime64[m]
    kind: np.ndarray
    cents: np.ndarray
    product: np.ndarray
    category: np.ndarray
    channel: np.ndarray
    payment: np.ndarray
    counterparty: np.ndarray  # -1 none; 0.. other banks; EMPLOYER + place


@dataclass
class Money:
    """The running balances of one piece.

    Attributes
    ----------
    next_exits : array of int
        Month after the window in which an active customer leaves; `NEVER` for the others.
    main_cents, further_cents : array of int
        Balance of each customer's main account, of each further account.
    falls_from : array of int
        Month in which a leaver's balance starts to fall, of those who leave soon after the window,
        too; `NEVER` for the others.
    drain_month : array of int
        Per account, when a leaver empties it.
    closed_month : array of int
        Per account; `NEVER` while open.
    response : dict of str to array
        Campaign K1: chance of buying under each arm, and who bought.
    earned_cents : array of float
        What the bank earned in the last twelve months.
    """

    rng: np.random.Generator
    people: People
    accounts: Accounts
    lives: Lives
    window: Window
    next_exits: np.ndarray
    main_cents: np.ndarray = field(init=False)
    further_cents: np.ndarray = field(init=False)
    falls_from: np.ndarray = field(init=False)
    drain_month: np.ndarray = field(init=False)
    closed_month: np.ndarray = field(init=False)
    last_moved: np.ndarray = field(init=False)  # day, per account
    exit_on: np.ndarray = field(init=False)  # day of the last movement before leaving
    earned_cents: np.ndarray = field(init=False)
    assigned_day: dict[str, np.ndarray] = field(default_factory=dict)
    response: dict[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        rng, people, accounts, lives = self.rng, self.people, self.accounts, self.lives
        count, size = len(people), len(accounts.owner)
        self._main_place = np.flatnonzero(accounts.main)
        joins = people.group == JOINER
        self.main_cents = np.where(joins, 0, people.level_cents)
        self.further_cents = np.where(joins[accounts.owner], 0, accounts.cents)
        fall = rng.integers(0, LONGEST_FALL + 1, count)
        leaves = lives.exit < NEVER
        exits = np.minimum(lives.exit, self.next_exits)
        self.falls_from = self._in_window(np.maximum(exits - fall, lives.entry))
        early = np.maximum(exits[accounts.owner] - rng.integers(0, 3, size), 0)
        early = self._in_window(np.maximum(early, lives.entry[accounts.owner]))
        drains = people.drained[accounts.owner] & ~accounts.main
        self.drain_month = np.where(drains, early, NEVER)
        closes = leaves & people.drained & (lives.returned == NEVER)
        closes &= rng.random(count) < CLOSES_MAIN
        self._residual = np.where(closes, 0, people.residual_cents)
        closed = np.where(drains & (rng.random(size) < CLOSES_FURTHER), self.drain_month, NEVER)
        closed[self._main_place] = np.where(closes, lives.exit, NEVER)
        self.closed_month = closed
        # Who comes back brings money again: about 1,100 yuan in the middle.
        again = np.maximum(people.level_cents, (np.exp(rng.normal(7, 1, count)) * 100).astype(int))
        self._level_again = again
        self._pays_fee = rng.random(count) < FEE_SHARE
        for name in lives.arms:
            self.assigned_day[name] = rng.integers(1, 9, count)
        last = np.where(people.group == IDLE, people.last_moved, people.joined)
        # Further accounts of the old book last moved between opening and the owner's last move.
        spread = np.maximum((last[accounts.owner] - accounts.opened).astype(int), 0)
        moved = accounts.opened + (rng.random(size) * (spread + 1)).astype(int)
        self.last_moved = np.where(accounts.main, last[accounts.owner], moved)
        self.exit_on = np.full(count, np.datetime64("NaT", "D"))
        self.earned_cents = np.zeros(count)

    def _in_window(self, month: np.ndarray) -> np.ndarray:
        return np.where(month < self.window.months, month, NEVER)

    def step(self, month: int) -> Batch:
        """Book one month; afterwards the balances are those of its end."""
        rng, people, lives, window = self.rng, self.people, self.lives, self.window
        here = np.flatnonzero(lives.active[:, month])
        lowest = np.where(
            (people.group == JOINER) & (people.joined_month == month),
            (people.joined - self.window.first_day(month)).astype(int) + 1,
            1,
        )
        parts = [
            flows.salaries(rng, people, lives, month),
            flows.purchases(rng, people, lives, window, month, lowest),
            self._fund_sales(month, here, lowest),
            self._interest_and_fees(month),
        ]
        flow = sum(np.bincount(p["person"], p["cents"], len(people)) for p in parts)
        target = self._target(month)
        rest = target[here] - self.main_cents[here] - flow[here].astype(np.int64)
        # A customer with nothing left open still makes a movement.
        rest = np.where(rest == 0, 100, rest)
        parts += flows.settle(rng, people, lives, window, month, rest, lowest)
        self.main_cents = self.main_cents + flow.astype(np.int64)
        self.main_cents[here] += rest
        parts += self._further(month, lowest)
        batch = self._batch(month, parts)
        self._earn(month, batch)
        return batch

    def balances(self) -> np.ndarray:
        """Return each account's balance in hundredths of a yuan."""
        cents = self.further_cents.copy()
        cents[self._main_place] = self.main_cents
        return cents

    def exists(self, month: int) -> np.ndarray:
        """Return which accounts have a balance at the end of a month."""
        opened = self.accounts.opened < self.window.first_day(month + 1)
        return opened & (self.closed_month >= month)

    def _target(self, month: int) -> np.ndarray:
        """Return the main account's balance at the month's end, for customers who move it."""
        people, lives = self.people, self.lives
        level = np.where(lives.returned <= month, self._level_again, people.level_cents)
        level = level + people.growth_cents * np.maximum(month - lives.entry, 0)
        wobble = np.exp(0.15 * self.rng.normal(size=len(people)))
        since_pay = np.clip(month - lives.pay_stop + 1, 0, 5)
        falling = np.where(self.falls_from <= month, month - self.falls_from + 1, 0)
        falling = np.where(lives.exit >= month, falling, 0)
        target = (level * wobble * 0.75**since_pay * 0.5**falling).astype(np.int64)
        return np.where(lives.leaves[:, month], self._residual, target)

    def _fund_sales(self, month: int, here: np.ndarray, lowest: np.ndarray) -> dict:
        """Sell fund_plus: unasked as the rating factors say, or in answer to campaign K1."""
        rng, people = self.rng, self.people
        chance = planted.buying_chance(people.factors[here])
        day = flows.days(self.rng, self.window, month, lowest[here])
        if "K1" in self.lives.arms and month == campaign_month("K1", self.window):
            arms = self.lives.arms["K1"]
            drawn = arms[here] >= 0
            assets = self.main_cents + np.bincount(
                self.accounts.owner, self.further_cents, len(people)
            )
            state = np.array(planted.PAYROLL_STATES)[self.lives.payroll_at[here, month]]
            age = people.age(self.window, month)[here]
            for place, name in enumerate(planted.CAMPAIGNS["K1"]["arms"]):
                under = planted.response_chance(
                    np.full(len(here), name), assets[here] / 100, age, state
                )
                self.response[name] = under
                chance = np.where(arms[here] == place, under, chance)
            after = self.assigned_day["K1"][here] + rng.integers(1, 21, len(here))
            day = np.where(drawn, after, day)
            self.response["person"] = here
        buys = rng.random(len(here)) < chance
        if "person" in self.response and "bought" not in self.response:
            self.response["bought"] = buys
        person = here[buys]
        cents = 100_00 * np.ceil(np.exp(rng.normal(2.3, 0.8, len(person))))
        return {
            "person": person,
            "day": day[buys],
            "kind": np.full(len(person), flows.PURCHASE),
            "cents": -cents.astype(np.int64),
            "product": np.zeros(len(person), dtype=int),
            "category": np.full(len(person), flows.CATEGORIES.index("investment")),
            "channel": np.where(rng.random(len(person)) < 0.6, flows.APP, flows.BRANCH),
            "payment": np.full(len(person), flows.PAYMENTS.index("online")),
        }

    def _interest_and_fees(self, month: int) -> dict:
        calendar = int((self.window.start + month).astype(int)) % 12 + 1
        interest = np.rint(self.main_cents * (INTEREST_RATE / 4)).astype(np.int64)
        earns = np.flatnonzero(interest > 0) if calendar % 3 == 0 else np.array([], dtype=int)
        pays = self._pays_fee & (self.main_cents >= 2 * FEE_CENTS) & (calendar == FEE_MONTH)
        # A joiner of this very month has no balance yet, so the opening day is never passed.
        pays = np.flatnonzero(pays)
        sizes = [len(earns), len(pays)]
        return {
            "person": np.r_[earns, pays],
            "day": np.repeat([INTEREST_DAY, FEE_DAY], sizes),
            "kind": np.repeat([flows.INTEREST, flows.FEE], sizes),
            "cents": np.r_[interest[earns], np.full(len(pays), -FEE_CENTS)],
            "channel": np.full(sum(sizes), flows.SYSTEM),
        }

    def _further(self, month: int, lowest: np.ndarray) -> list[dict]:
        """Fill the further accounts of joiners and empty those of leavers."""
        owner = self.accounts.owner
        joins = (self.people.group == JOINER) & (self.people.joined_month == month)
        fills = np.flatnonzero(joins[owner] & (self.accounts.cents > 0))
        filled = self.accounts.cents[fills]
        self.further_cents[fills] = filled
        drains = np.flatnonzero((self.drain_month == month) & (self.further_cents > 0))
        drained = self.further_cents[drains]
        self.further_cents[drains] = 0
        place = np.r_[fills, drains]
        kind = np.repeat([flows.DEPOSIT, flows.TRANSFER_OUT], [len(fills), len(drains)])
        return [
            {
                "person": owner[place],
                "account": place,
                "day": flows.days(self.rng, self.window, month, lowest[owner[place]]),
                "kind": kind,
                "cents": np.r_[filled, -drained],
                "channel": np.full(len(place), flows.BRANCH),
                "counterparty": np.where(kind == flows.DEPOSIT, -1, 0),
            }
        ]

    def _batch(self, month: int, parts: list[dict]) -> Batch:
        """Join the parts, in the order of time, and remember when each account moved."""
        size = [len(part["person"]) for part in parts]

        def column(name: str) -> np.ndarray:
            return np.concatenate(
                [
                    part.get(name, np.full(n, -1)).astype(np.int64)
                    for part, n in zip(parts, size, strict=True)
                ]
            )

        person, kind, account = column("person"), column("kind"), column("account")
        account = np.where(account < 0, self._main_place[person], account)
        system = column("channel") == flows.SYSTEM
        minute = self.rng.integers(7 * 60, 22 * 60, len(person))
        minute = np.where(system, np.where(kind == flows.PAYROLL, 9 * 60, 2 * 60), minute)
        day = self.window.first_day(month) + (column("day") - 1)
        moment = day.astype("datetime64[m]") + minute
        own = (kind != flows.INTEREST) & (kind != flows.FEE)
        np.maximum.at(self.last_moved, account[own], day[own])
        latest = np.full(len(self.people), np.datetime64("0001-01-01"))
        np.maximum.at(latest, person[own], day[own])
        self.exit_on = np.where(self.lives.exit == month, latest, self.exit_on)
        order = np.argsort(moment, kind="stable")
        names = ("cents", "product", "category", "channel", "payment", "counterparty")
        columns = {name: column(name)[order] for name in names}
        return Batch(
            person=person[order],
            account=account[order],
            moment=moment[order],
            kind=kind[order],
            **columns,
        )

    def _earn(self, month: int, batch: Batch) -> None:
        """Add up what the bank earned in the last twelve months."""
        if month < self.window.months - 12:
            return
        count = len(self.people)
        assets = self.main_cents + np.bincount(self.accounts.owner, self.further_cents, count)
        share = np.where(batch.product == 0, FUND_MARGIN, PURCHASE_MARGIN)
        share = np.where(batch.kind == flows.PURCHASE, share, 0) + (batch.kind == flows.FEE)
        self.earned_cents += assets * (MARGIN / 12)
        self.earned_cents += np.bincount(batch.person, -batch.cents * share, count)
