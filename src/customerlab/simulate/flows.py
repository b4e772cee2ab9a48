"""The flows of one month: salaries, purchases, and what settles the rest.

Each function returns parts of a month's transactions as a dict of arrays: ``person`` (place in
the piece), ``day`` (of the month, from 1), ``kind``, ``cents`` (hundredths of a yuan, negative
for money out) and, where there is one, ``account``, ``product``, ``category``, ``channel``,
``payment`` and ``counterparty`` as places in the word lists below.
"""

from __future__ import annotations

import numpy as np

from customerlab.simulate import planted
from customerlab.simulate.lives import Lives, campaign_month
from customerlab.simulate.people import USES, People, Window

KINDS = (
    "deposit",
    "withdrawal",
    "transfer_in",
    "transfer_out",
    "payroll",
    "purchase",
    "interest",
    "fee",
)
DEPOSIT, WITHDRAWAL, TRANSFER_IN, TRANSFER_OUT, PAYROLL, PURCHASE, INTEREST, FEE = range(8)
CHANNELS = ("app", "branch", "atm", "card", "system", "test")
APP, BRANCH, ATM, CARD, SYSTEM, TEST = range(6)
PAYMENTS = ("card", "qr_code", "online")
CATEGORIES = ("groceries", "dining", "travel", "fuel", "online", "health", "investment")
OTHER_BANKS = ("rival_bank", "city_bank", "e_wallet", "own_account_elsewhere")
#: Counterparty codes from here on are employers.
EMPLOYER = 1000
#: The product that campaign K1 sells.
FUND = ("fund_plus",)

Part = dict[str, np.ndarray]


def days(rng: np.random.Generator, window: Window, month: int, lowest: np.ndarray) -> np.ndarray:
    """Draw days of the month, none before `lowest`."""
    room = window.length(month) - lowest + 1
    return lowest + (rng.random(len(lowest)) * room).astype(int)


def salaries(rng: np.random.Generator, people: People, lives: Lives, month: int) -> Part:
    """Pay the month's salaries on each employer's day."""
    person = np.flatnonzero(lives.paid[:, month])
    wobble = 1 + 0.02 * rng.normal(size=len(person))
    return {
        "person": person,
        "day": people.pay_day[person],
        "kind": np.full(len(person), PAYROLL),
        "cents": (people.salary_cents[person] * wobble).astype(np.int64),
        "channel": np.full(len(person), SYSTEM),
        "counterparty": EMPLOYER + people.employer[person],
    }


def purchases(
    rng: np.random.Generator,
    people: People,
    lives: Lives,
    window: Window,
    month: int,
    lowest: np.ndarray,
) -> Part:
    """Draw purchases by card and app; a coupon of campaign K4 makes them larger."""
    here = np.flatnonzero(lives.active[:, month])
    person = np.repeat(here, rng.poisson(people.purchase_rate[here]))
    cents = people.purchase_cents[person] * np.exp(0.6 * rng.normal(size=len(person)))
    since = month - campaign_month("K4", window)
    if "K4" in lives.arms and 0 <= since < planted.COUPON_MONTHS:
        coupon = list(planted.CAMPAIGNS["K4"]["arms"]).index("coupon")
        factor = np.where(lives.arms["K4"] == coupon, planted.COUPON_FACTOR, 1.0)
        cents = cents * factor[person]
    by_card = rng.random(len(person)) < 0.5
    return {
        "person": person,
        "day": days(rng, window, month, lowest[person]),
        "kind": np.full(len(person), PURCHASE),
        "cents": -np.maximum(cents.astype(np.int64), 100),
        "category": rng.integers(0, len(CATEGORIES) - 1, len(person)),
        "channel": np.where(by_card, CARD, APP),
        "payment": np.where(by_card, 0, rng.integers(1, 3, len(person))),
    }


def settle(
    rng: np.random.Generator,
    people: People,
    lives: Lives,
    window: Window,
    month: int,
    rest: np.ndarray,
    lowest: np.ndarray,
) -> list[Part]:
    """Book what is left open: money that comes from elsewhere, or leaves in one or two parts.

    Parameters
    ----------
    rest : array of int
        Hundredths of a yuan that each customer active in the month still has to move.
    lowest : array of int
        First day of the month on which each customer of the piece can move.
    """
    here = np.flatnonzero(lives.active[:, month])
    comes, goes = rest > 0, rest < 0
    person = here[comes]
    by_hand = rng.random(len(person)) < 0.4
    incoming = {
        "person": person,
        "day": days(rng, window, month, lowest[person]),
        "kind": np.where(by_hand, DEPOSIT, TRANSFER_IN),
        "cents": rest[comes],
        "channel": np.where(by_hand, np.where(rng.random(len(person)) < 0.5, BRANCH, ATM), APP),
        "counterparty": np.where(by_hand, -1, rng.integers(0, len(OTHER_BANKS), len(person))),
    }
    person, amount = here[goes], -rest[goes]
    first = np.where(
        (amount >= 200) & (rng.random(len(person)) < 0.4),
        (amount * rng.uniform(0.2, 0.8, len(person))).astype(np.int64),
        amount,
    )
    second = amount - first
    person = np.r_[person, person[second > 0]]
    cents = -np.r_[first, second[second > 0]]
    paid, use = lives.paid[person, month], people.use[person]
    # Days after pay day: other bank 0 to 2, cash 0 to 6, purchases 0 to 19, kept 10 to 24.
    low, high = np.array([0, 0, 0, 10])[use], np.array([3, 7, 20, 25])[use]
    after = people.pay_day[person] + low + (rng.random(len(person)) * (high - low)).astype(int)
    day = np.where(paid, after, days(rng, window, month, lowest[person]))
    cash_share = np.where(paid, np.array([0.05, 0.95, 0.1, 0.1])[use], 0.4)
    cash = rng.random(len(person)) < cash_share
    to_wallet = paid & (use == USES.index("spend"))
    bank = np.where(to_wallet, 2, rng.integers(0, len(OTHER_BANKS), len(person)))
    outgoing = {
        "person": person,
        "day": np.minimum(day, window.length(month)),
        "kind": np.where(cash, WITHDRAWAL, TRANSFER_OUT),
        "cents": cents,
        "channel": np.where(cash, np.where(rng.random(len(person)) < 0.7, ATM, BRANCH), APP),
        "counterparty": np.where(cash, -1, bank),
    }
    return [incoming, outgoing]
