"""What is planted in the demo shop: the truth that the notebooks have to find.

Five correlated factors lie behind fifteen answers (a congeneric factor model whose latent answers
are cut into 1 to 5) and behind repurchase: the log odds of ordering again within 90 days are
linear in the factors. Delivery weighs most and is liked least, so there is something to change.
"""

from __future__ import annotations

import numpy as np

#: The factors, each with its items and their loadings (standardised).
LOADINGS: dict[str, dict[str, float]] = {
    "price": {"good_value": 0.84, "fair_prices": 0.78, "real_discounts": 0.66},
    "word_of_mouth": {"friends_recommend": 0.80, "heard_good": 0.74, "shared_posts": 0.62},
    "reviews": {"reviews_helpful": 0.82, "reviews_honest": 0.75, "photos_true": 0.64},
    "delivery": {"on_time": 0.86, "tracking": 0.72, "well_packed": 0.68},
    "service": {"friendly": 0.83, "quick_answers": 0.77, "easy_returns": 0.65},
}
FACTORS = tuple(LOADINGS)
ITEMS = tuple(item for items in LOADINGS.values() for item in items)
#: The factor of each item.
FACTOR_OF = np.repeat(np.arange(len(FACTORS)), [len(items) for items in LOADINGS.values()])
LOADING = np.array([loading for items in LOADINGS.values() for loading in items.values()])
#: Correlations of the factors, in the order of `FACTORS`.
CORRELATIONS = np.array(
    [
        [1.00, 0.30, 0.20, 0.25, 0.30],
        [0.30, 1.00, 0.45, 0.25, 0.30],
        [0.20, 0.45, 1.00, 0.20, 0.25],
        [0.25, 0.25, 0.20, 1.00, 0.50],
        [0.30, 0.30, 0.25, 0.50, 1.00],
    ]
)
#: Where a latent answer is cut into 1 to 5, before `LIKING` and `EASE` move the cuts.
CUTS = np.array((-1.6, -0.8, 0.1, 1.1))
#: How well the shop does, in standard deviations of a latent answer: the cuts lie so much lower.
LIKING = {
    "price": 0.3,
    "word_of_mouth": 0.1,
    "reviews": 0.2,
    "delivery": -0.45,
    "service": 0.0,
}
#: The same for the first, second and third item of each factor, so that no two are alike.
EASE = np.array((0.1, 0.0, -0.15))

#: An order within so many days of the one before is a repurchase.
DAYS = 90
#: Log odds of a repurchase per standard deviation of each factor.
WEIGHTS = {"price": 0.38, "word_of_mouth": 0.22, "reviews": 0.08, "delivery": 0.80, "service": 0.50}
#: Log odds of a repurchase at average factors after an order without promotion.
INTERCEPT = 0.80
#: What a promotion on the order adds to its log odds, and the share of orders that have one.
PROMOTION, PROMOTION_SHARE = -0.30, 0.30
#: Of those who do not buy again within 90 days, so many never do; the mean days that the others
#: take beyond the 90.
FOR_GOOD, LATER = 0.40, 60

#: Log odds that reviews are read before an order, and what the factor adds. Reading itself adds
#: nothing to repurchase: who reads and comes back does so for the factors' sake.
READS_REVIEWS = {"intercept": -0.2, "reviews": 0.8}
#: Log odds that an order is complained about, and that the complaint is resolved.
COMPLAINS = {"intercept": -2.6, "delivery": -0.5, "service": -0.3}
RESOLVES = {"intercept": 0.7, "service": 0.6}

#: Campaigns: days before the snapshot on which the lot is drawn, share of the customers who are
#: drawn, arms with their probabilities, cost of one contact (yuan).
CAMPAIGNS: dict[str, dict] = {
    "S1": {
        "name": "Come back",
        "channel": "email",
        "product": None,
        "days_before": 210,
        "share": 0.80,
        "to": "no order in the 90 days before",
        "arms": {"control": 0.5, "coupon": 0.5},
        "contact_cost": 0.8,
    },
    "S2": {
        "name": "Fuller baskets",
        "channel": "app",
        "product": None,
        "days_before": 150,
        "share": 0.60,
        "to": "everybody who ever ordered",
        "arms": {"control": 0.5, "bundle": 0.5},
        "contact_cost": 0.3,
    },
    "S3": {
        "name": "Printed catalogue",
        "channel": "letter",
        "product": None,
        "days_before": 120,
        "share": 0.40,
        "to": "everybody who ever ordered",
        "arms": {"control": 0.5, "catalogue": 0.5},
        "contact_cost": 2.5,
    },
}
#: S1: chance that the coupon brings back, within 28 days, one who would not have come.
COMES_BACK = {"under 35": 0.22, "others": 0.03}
COME_BACK_DAYS = 28
#: S2: factor on the mean number of further order lines, and for how many days. S3 does nothing.
BUNDLE_FACTOR, BUNDLE_DAYS = 1.8, 60

CATEGORIES = ("home", "kitchen", "beauty", "baby", "snacks", "sport", "stationery", "pets")
#: Median list price of a category in yuan, and what the shop keeps of it.
LIST_PRICES = np.array((160.0, 110.0, 90.0, 130.0, 35.0, 210.0, 25.0, 60.0))
MARGINS = np.array((0.34, 0.30, 0.45, 0.25, 0.22, 0.32, 0.40, 0.28))
PRODUCTS = 64
#: Share of own brands; they cost a fifth less and keep so much more of the price.
OWN_BRAND, OWN_PRICE, OWN_MARGIN = 0.25, 0.8, 0.12


def cuts() -> np.ndarray:
    """Return where each item's latent answer is cut, shape (items, 4)."""
    ease = np.tile(EASE, len(FACTORS))
    liking = np.array(list(LIKING.values()))[FACTOR_OF]
    return CUTS - (liking + ease)[:, None]


def weights(null_outcome: bool) -> tuple[np.ndarray, float]:
    """Return the log odds per standard deviation of each factor, and those of a promotion."""
    if null_outcome:
        return np.zeros(len(FACTORS)), 0.0
    return np.array([WEIGHTS[factor] for factor in FACTORS]), PROMOTION


def chance(log_odds: np.ndarray) -> np.ndarray:
    """Turn log odds into chances."""
    return 1 / (1 + np.exp(-log_odds))


def log_odds(planted: dict[str, float], factors: np.ndarray) -> np.ndarray:
    """Add an intercept and what single factors do.

    Parameters
    ----------
    planted : dict
        ``intercept`` and log odds per standard deviation by factor.
    factors : array of shape (rows, factors)
    """
    per_factor = np.array([planted.get(factor, 0.0) for factor in FACTORS])
    return planted["intercept"] + factors @ per_factor
