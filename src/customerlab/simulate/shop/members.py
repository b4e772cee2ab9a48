"""The shop's customers and products: everything that does not move."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from customerlab.simulate.people import REGION_SHARES, Window
from customerlab.simulate.planted import REGIONS
from customerlab.simulate.shop import planted

SOURCES = ("search", "social", "referral", "marketplace", "campaign")
#: Log odds of a source; referral rises with word of mouth.
SOURCE_LOG_ODDS = np.array((0.9, 0.4, 0.0, 0.5, -0.3))
REFERRAL = 0.6
#: Share of customers who joined before the files begin, in the year before.
JOINED_BEFORE = 0.2


@dataclass(frozen=True)
class Members:
    """Arrays with one entry per customer."""

    number: np.ndarray
    gender: np.ndarray  # 0 man, 1 woman
    birth: np.ndarray  # day
    region: np.ndarray
    source: np.ndarray
    joined: np.ndarray  # day of the window, from 0; negative before it; the day of the first order
    factors: np.ndarray  # (customers, factors), standard normal each
    further_lines: np.ndarray  # mean number of order lines after the first

    def __len__(self) -> int:
        return len(self.number)

    def age(self, day: np.datetime64) -> np.ndarray:
        """Return years of age on a day, completed ones but for leap days."""
        return ((day - self.birth).astype(int) / 365.25).astype(int)


@dataclass(frozen=True)
class Products:
    """Arrays with one entry per product."""

    category: np.ndarray
    own_brand: np.ndarray
    list_cents: np.ndarray
    margin: np.ndarray
    share: np.ndarray  # of order lines


def draw_members(rng: np.random.Generator, count: int, window: Window, days: int) -> Members:
    """Draw the customers.

    Parameters
    ----------
    rng : numpy.random.Generator
    count : int
    window : Window
    days : int
        Length of the window in days.
    """
    root = np.linalg.cholesky(planted.CORRELATIONS)
    factors = rng.normal(size=(count, len(planted.FACTORS))) @ root.T
    scores = np.tile(SOURCE_LOG_ODDS, (count, 1))
    word_of_mouth = factors[:, planted.FACTORS.index("word_of_mouth")]
    scores[:, SOURCES.index("referral")] += REFERRAL * word_of_mouth
    # the largest of scores with Gumbel noise is a draw from their softmax
    source = np.argmax(scores + rng.gumbel(size=scores.shape), axis=1)
    before = rng.random(count) < JOINED_BEFORE
    age = 18 + 52 * rng.beta(1.6, 2.8, count)
    return Members(
        number=np.arange(count),
        gender=(rng.random(count) < 0.62).astype(int),
        birth=window.first_day(0) - (age * 365.25).astype(int),
        region=rng.choice(len(REGIONS), count, p=REGION_SHARES),
        source=source,
        joined=np.where(before, rng.integers(-365, 0, count), rng.integers(0, days, count)),
        factors=factors,
        further_lines=rng.gamma(3.0, 0.3, count),
    )


def draw_products(rng: np.random.Generator) -> Products:
    """Draw what is sold."""
    category = np.arange(planted.PRODUCTS) % len(planted.CATEGORIES)
    own = rng.random(planted.PRODUCTS) < planted.OWN_BRAND
    price = planted.LIST_PRICES[category] * np.exp(rng.normal(0, 0.5, planted.PRODUCTS))
    price = np.where(own, planted.OWN_PRICE, 1.0) * price
    popularity = rng.gamma(1.5, size=planted.PRODUCTS)
    margin = planted.MARGINS[category] + rng.normal(0, 0.03, planted.PRODUCTS)
    return Products(
        category=category,
        own_brand=own,
        list_cents=np.maximum(np.rint(price), 5).astype(np.int64) * 100 - 10,
        margin=(margin + planted.OWN_MARGIN * own).round(3),
        share=popularity / popularity.sum(),
    )
