"""One piece of the bank's customers and their accounts: everything that does not move.

Amounts are integer hundredths of a yuan (`_cents`); months count from the window's first, so
that -3 is three months before it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from customerlab.simulate import planted

#: Groups by their history: idle since before the window, active at its start, joining inside.
IDLE, ACTIVE, JOINER = 0, 1, 2
#: Shares of the groups; chosen so that 55 to 65 % of customers end as invalid by the rule.
GROUP_SHARES = (0.60, 0.32, 0.08)
#: Share of active and joining customers whose salary is paid into the bank.
PAYROLL_SHARE = 0.55
#: Region shares in the order of `planted.REGIONS`.
REGION_SHARES = (0.18, 0.22, 0.16, 0.14, 0.12, 0.08, 0.10)
#: Occupations as the bank writes them, their shares and what they do to log wallet.
OCCUPATIONS = ("工人", "职员", "教师", "医生", "个体户", "农民", "学生", "退休")
OCCUPATION_SHARES = np.array((0.22, 0.26, 0.09, 0.05, 0.14, 0.12, 0.04, 0.08))
OCCUPATION_WALLET = np.array((-0.2, 0.1, 0.2, 0.6, 0.4, -0.5, -0.9, 0.3))
#: How a payroll customer uses the money: to another bank, in cash, on purchases, kept a while.
USES = ("transfer", "cash", "spend", "keep")
USE_SHARES = (0.45, 0.20, 0.20, 0.15)
#: Days of the month on which employers pay.
PAY_DAYS = np.array((5, 10, 15))
SOURCES = ("employer", "branch", "app", "referral", "campaign")
PRODUCTS = ("current", "savings", "term_deposit", "card", "pension")
EMPLOYERS = tuple(f"employer_{number:03d}" for number in range(1, 121))
#: Branches per region; a branch is named in Chinese in the bank's files.
BRANCHES_PER_REGION = 6
#: Chance of each of up to three further accounts (about 1.75 accounts a customer in all).
FURTHER_ACCOUNTS, FURTHER_IDLE, FURTHER_LIVE = 3, 0.19, 0.34


@dataclass(frozen=True)
class Window:
    """The months that the bank exports.

    Attributes
    ----------
    start : numpy.datetime64
        First month, as datetime64[M].
    months : int
        How many; the last ends with the snapshot.
    """

    start: np.datetime64
    months: int

    def first_day(self, month: np.ndarray | int) -> np.ndarray:
        """Return the first day of months counted from the window's start."""
        return (self.start + np.asarray(month)).astype("datetime64[D]")

    def length(self, month: int) -> int:
        """Return the number of days of a month."""
        return int((self.first_day(month + 1) - self.first_day(month)).astype(int))


@dataclass(frozen=True)
class People:
    """Arrays with one entry per customer of a piece; the accounts follow in `Accounts`."""

    number: np.ndarray  # counts through the whole bank
    group: np.ndarray
    joined: np.ndarray  # day
    joined_month: np.ndarray
    last_moved: np.ndarray  # day; NaT unless idle since before the window
    birth: np.ndarray  # day
    gender: np.ndarray  # 0 man, 1 woman
    region: np.ndarray
    occupation: np.ndarray
    source: np.ndarray
    payroll: np.ndarray  # salary is, or was, paid in
    employer: np.ndarray
    pay_day: np.ndarray
    salary_cents: np.ndarray
    use: np.ndarray
    wallet: np.ndarray  # yuan, here and at other banks
    level_cents: np.ndarray  # around which the main account's month end moves
    growth_cents: np.ndarray  # added to it every month while active
    residual_cents: np.ndarray  # left on the main account after leaving
    drained: np.ndarray  # empties all accounts on leaving
    idle_cents: np.ndarray  # all accounts, once idle
    purchase_rate: np.ndarray  # a month
    purchase_cents: np.ndarray  # median amount
    factors: np.ndarray  # latent, behind ratings

    def __len__(self) -> int:
        return len(self.number)

    def age(self, window: Window, month: int) -> np.ndarray:
        """Return completed years at the first day of a month."""
        born = self.birth.astype("datetime64[M]")
        born_on_first = self.birth == born.astype("datetime64[D]")
        months = (window.start + month - born).astype(int) - np.where(born_on_first, 0, 1)
        return months // 12


@dataclass(frozen=True)
class Accounts:
    """Arrays with one entry per account, a customer's first account before the others."""

    owner: np.ndarray  # place in People
    main: np.ndarray  # the account that moves
    cents: np.ndarray  # balance of a further account; 0 for the main one
    product: np.ndarray
    opened: np.ndarray  # day


def draw_people(
    rng: np.random.Generator, first: int, count: int, window: Window
) -> tuple[People, Accounts]:
    """Draw one piece of customers.

    Parameters
    ----------
    rng : numpy.random.Generator
    first, count : int
        Number of the first customer in the bank, and how many.
    window : Window
    """
    group = rng.choice(3, count, p=GROUP_SHARES)
    live = group != IDLE
    payroll = live & (rng.random(count) < PAYROLL_SHARE)
    age = np.where(
        payroll,
        21 + 38 * rng.beta(1.3, 2.2, count),
        np.where(live, rng.normal(45, 14, count), rng.normal(49, 15, count)).clip(19, 88),
    )
    birth = window.first_day(0) - (age * 365.25).astype(int)
    joined_month, joined, last_moved = _history(rng, group, age, window)

    occupation = rng.choice(len(OCCUPATIONS), count, p=OCCUPATION_SHARES)
    salary = 6500 * np.exp(0.5 * OCCUPATION_WALLET[occupation] + rng.normal(0, 0.35, count))
    log_wallet = (
        10.0
        + OCCUPATION_WALLET[occupation]
        + 0.02 * (np.minimum(age, 60) - 40)
        + 0.5 * np.log(salary / 6500)
        + rng.normal(0, 0.6, count)
    )
    wallet = np.exp(log_wallet)
    here = wallet * np.exp(rng.normal(-2.45, 1.9, count)).clip(1e-4, 0.95)
    # The idle book: most hold next to nothing, a tail was simply forgotten.
    forgotten = rng.random(count) < 0.10
    small = np.minimum(10 ** rng.normal(1.1, 0.6, count), 99.0) * (rng.random(count) > 0.08)
    large = 10 ** (2 + 3 * rng.beta(1.2, 1.8, count))
    here = np.where(live, here, np.where(forgotten, large, small))
    accounts, further_cents = _accounts(rng, live, here, joined, window)
    level_cents = np.maximum((here * 100).astype(np.int64) - further_cents, 0)

    use = rng.choice(len(USES), count, p=USE_SHARES)
    keeps_money = payroll & (use == USES.index("keep"))
    growth = np.where(keeps_money, salary * rng.uniform(0.05, 0.25, count), 0)
    drained = live & (rng.random(count) < 0.88)
    residual = np.where(
        drained, rng.uniform(0, 80, count), level_cents / 100 * rng.uniform(0.2, 0.8, count)
    )
    residual_cents = (residual * 100).astype(np.int64)
    rate = np.where(payroll & (use == USES.index("spend")), 5.0, rng.choice([0.3, 1.0, 2.5], count))
    spends = np.where(use == USES.index("spend"), 0.8, 0.25) * salary / rate
    purchase = np.where(payroll, spends, rng.lognormal(4.6, 0.6, count))
    people = People(
        number=first + np.arange(count),
        group=group,
        joined=joined,
        joined_month=joined_month,
        last_moved=last_moved,
        birth=birth,
        gender=(rng.random(count) < 0.5).astype(int),
        region=rng.choice(len(planted.REGIONS), count, p=REGION_SHARES),
        occupation=occupation,
        source=np.where(payroll, 0, rng.choice([1, 2, 3, 4], count, p=[0.5, 0.25, 0.1, 0.15])),
        payroll=payroll,
        employer=rng.integers(0, len(EMPLOYERS), count),
        pay_day=rng.choice(PAY_DAYS, count),
        salary_cents=(salary * 100).astype(np.int64),
        use=use,
        wallet=np.maximum(wallet, here),
        level_cents=level_cents,
        growth_cents=(growth * 100).astype(np.int64),
        residual_cents=residual_cents,
        drained=drained,
        idle_cents=np.where(
            live,
            residual_cents + np.where(drained, 0, further_cents),
            level_cents + further_cents,
        ),
        purchase_rate=rate,
        purchase_cents=np.maximum(purchase * 100, 100).astype(np.int64),
        factors=rng.normal(size=(count, len(planted.FACTOR_WEIGHTS))),
    )
    return people, accounts


def _history(
    rng: np.random.Generator, group: np.ndarray, age: np.ndarray, window: Window
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw when each customer joined and, for the idle, when an account last moved."""
    count = len(group)
    # Nobody joins before 16; an idle customer's last movement lies up to ten years back.
    oldest = np.maximum(((age - 16) * 12).astype(int), 1)
    tenure = np.minimum(rng.exponential(45, count).astype(int), oldest) + 1
    idle_since = np.minimum(rng.exponential(30, count).astype(int) + 1, 120)
    joined_month = np.where(
        group == JOINER,
        rng.integers(0, window.months, count),
        np.where(group == ACTIVE, -tenure, -idle_since - tenure),
    )
    # A joiner has the rest of the month for a first movement.
    joined = window.first_day(joined_month) + rng.integers(0, 20, count)
    last = window.first_day(-idle_since) + rng.integers(0, 28, count)
    return joined_month, joined, np.where(group == IDLE, last, np.datetime64("NaT"))


def _accounts(
    rng: np.random.Generator,
    live: np.ndarray,
    here: np.ndarray,
    joined: np.ndarray,
    window: Window,
) -> tuple[Accounts, np.ndarray]:
    """Draw each customer's accounts and how much of the assets lies on the further ones."""
    count = len(live)
    further = rng.binomial(FURTHER_ACCOUNTS, np.where(live, FURTHER_LIVE, FURTHER_IDLE))
    owner = np.repeat(np.arange(count), 1 + further)
    main = np.r_[True, owner[1:] != owner[:-1]]
    size = len(owner)
    # A low account need not be a low customer: three in ten further accounts lie nearly empty.
    spare = rng.random(size) < 0.3
    share = rng.uniform(0.05, 0.32, size)
    nearly_empty = np.minimum(
        rng.uniform(0, 60, size) * (rng.random(size) > 0.3), 0.2 * here[owner]
    )
    yuan = np.where(main, 0.0, np.where(spare, nearly_empty, share * here[owner]))
    cents = (yuan * 100).astype(np.int64)
    product = np.where(main, 0, rng.choice([1, 2, 3, 4], size, p=[0.4, 0.25, 0.25, 0.1]))
    # Opened some time between joining and the window, or on joining.
    room = np.maximum((window.first_day(0) - joined[owner]).astype(int), 1)
    later = np.where(main, 0, (rng.random(size) * room).astype(int))
    opened = joined[owner] + later
    accounts = Accounts(owner, main, cents, product, opened)
    return accounts, np.bincount(owner, weights=cents, minlength=count).astype(np.int64)
