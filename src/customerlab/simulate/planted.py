"""What is planted in the demo bank: the truth that the notebooks have to find.

The hazard of leaving follows the grouped proportional-hazards model of Prentice and Gloeckler
(1978): ``log(-log(1 - h)) = baseline(tenure) + sum of effects``. All features are known when the
month begins, so a complementary log-log regression on person-months recovers the effects.

The shape (71 % of accounts at most 100 yuan, 11 % up to 1,000) is the user's bank; the sizes of
the effects are ours: large enough to be found with 20,000 customers, small enough to be missed
by a careless method.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

#: First tenure month of each band; tenure counts calendar months since the joining month.
TENURE_BANDS = {"0-5": 0, "6-11": 6, "12-23": 12, "24-59": 24, "60+": 60}
#: First completed year of age of each band, at the start of the month.
AGE_BANDS = {"under 30": 0, "30-44": 30, "45-59": 45, "60+": 60}
REGIONS = ("north", "east", "south", "central", "southwest", "northwest", "northeast")
#: Payroll as known at the start of a month: never seen; credited last month; seen, not last month.
PAYROLL_STATES = ("none", "running", "moved")

#: Monthly hazard of the reference customer (man of 30 to 44, no payroll, no complaint, not east).
BASELINE_HAZARD = {"0-5": 0.032, "6-11": 0.025, "12-23": 0.020, "24-59": 0.016, "60+": 0.012}
#: Planted hazard ratios by feature and level; a level that is not named has ratio 1.
HAZARD_RATIOS: dict[str, dict[str, float]] = {
    "age_band": {"under 30": 1.10, "30-44": 1.0, "45-59": 0.90, "60+": 0.80},
    "gender": {"M": 1.0, "F": 1.0},  # a planted nothing: no difference by itself
    "region": {region: 1.5 if region == "east" else 1.0 for region in REGIONS},
    "payroll": {"none": 1.0, "running": 0.6, "moved": 3.0},
    "unresolved": {"0": 1.0, "1": 1.15, "2+": 2.5},  # complaint contacts left unresolved
    "young_woman_on_payroll": {"no": 1.0, "yes": 2.0},
    "retention_call": {"no": 1.0, "yes": 0.6},  # in the months of RETENTION_MONTHS
}
#: How long the retention call works, in calendar months from its own month on.
RETENTION_MONTHS = 3

#: Chance a month that a running payroll stops being paid into the bank.
PAYROLL_STOP = 0.015
#: Chance a month of a first complaint, and that it stays unresolved.
COMPLAINT, COMPLAINT_UNRESOLVED = 0.020, 0.45
#: Chance a month of a further unresolved contact once there is one; share about the same case.
COMPLAINT_AGAIN, SAME_CASE = 0.12, 0.70

#: The user's own rule: assets of at most so many yuan, no movement in so many months.
INVALID_ASSETS, INVALID_IDLE_MONTHS = 100, 12
#: Nobody comes back sooner, so that a gap of 90 days lies before every return (months).
MIN_IDLE_MONTHS = 4
#: Latent status at the snapshot: share truly invalid inside the user's rule, and just outside.
INVALID_INSIDE, INVALID_OUTSIDE = 0.97, 0.03

#: Latent factors behind the ratings, each with its items and loadings (standardised).
RATING_FACTORS: dict[str, dict[str, float]] = {
    "price": {"fees": 0.85, "rates": 0.75, "clarity": 0.65},
    "service": {"staff": 0.85, "speed": 0.75, "complaints": 0.70},
    "convenience": {"app": 0.80, "branches": 0.70, "hours": 0.65},
}
#: Log odds of buying fund_plus in a month, per standard deviation of each factor.
FACTOR_WEIGHTS = {"price": 0.40, "service": 0.70, "convenience": 0.15}
#: Log odds of buying fund_plus in a month at average factors (about one in a hundred).
BUYING_INTERCEPT = -4.9

#: Campaigns: months before the snapshot month, share of active customers drawn, arms with their
#: probabilities, cost of one contact (yuan), product, channel.
CAMPAIGNS: dict[str, dict] = {
    "K1": {
        "name": "Savings plan offer",
        "product": "fund_plus",
        "channel": "mixed",
        "months_before": 9,
        "share": 0.40,
        "arms": {"control": 0.34, "sms": 0.33, "call": 0.33},
        "contact_cost": 4.0,
    },
    "K2": {
        "name": "Stay with us",
        "product": "current",
        "channel": "call",
        "months_before": 8,
        "share": 0.25,
        "arms": {"control": 0.5, "call": 0.5},
        "contact_cost": 12.0,
    },
    "K3": {
        "name": "New logo letter",
        "product": "card",
        "channel": "letter",
        "months_before": 6,
        "share": 0.25,
        "arms": {"control": 0.5, "letter": 0.5},
        "contact_cost": 1.5,
    },
    "K4": {
        "name": "Card weeks",
        "product": "card",
        "channel": "app",
        "months_before": 5,
        "share": 0.30,
        "arms": {"control": 0.5, "coupon": 0.5},
        "contact_cost": 0.5,
    },
}
#: K1: log odds of buying fund_plus within 20 days, without contact.
RESPONSE = {"intercept": -3.2, "assets > 1000": 0.6, "30-44": 0.4, "60+": -0.3, "running": 0.3}
#: K1: what an arm adds to the log odds; the call moves only customers under 45 with assets.
RESPONSE_ARMS = {
    "control": {"moved group": 0.0, "others": 0.0},
    "sms": {"moved group": 0.3, "others": 0.3},
    "call": {"moved group": 1.4, "others": 0.0},
}
#: K4: factor on the amounts of card purchases, and for how many calendar months.
COUPON_FACTOR, COUPON_MONTHS = 1.25, 3

#: Staff's contacts: in how many months before the snapshot, and their share that is made by phone.
CONTACT_MONTHS, CONTACT_BY_CALL = 12, 0.6
#: Log odds that staff contact an active customer in a month, as known when it begins. About 35 % of
#: the active customers are contacted in a quarter, never those under 30 with at most 1,000 yuan.
CONTACTED = {"intercept": -2.45, "45-59": 0.4, "60+": 0.7, "assets > 1000": 0.5, "running": 0.5}
#: Chance a month that an idle customer is contacted.
CONTACTED_IDLE = 0.001
#: Share of the contacts that offer insurance, to customers under 45 and to others.
OFFERS_INSURANCE = {"under 45": 0.6, "others": 0.4}
#: Log odds that a contact sells, of the reference customer (30 to 44, assets of at most 1,000, no
#: payroll running, no complaint left unresolved), by what is offered and how.
OFFERED = {
    ("term_deposit", "call"): -3.05,
    ("term_deposit", "branch"): -3.3,
    ("insurance", "call"): -3.9,
    ("insurance", "branch"): -3.5,
}
#: What is known when the month begins adds to these log odds.
SOLD = {"under 30": -0.6, "45-59": 0.5, "60+": 0.9, "assets > 1000": 1.1, "running": 0.6}
SOLD["unresolved"] = -0.9
#: How long the talk takes: median seconds and spread of the logs, with a sale and without.
TALK_SECONDS = {"yes": (540, 0.5), "no": (130, 0.8)}


def band(values: np.ndarray, bands: dict[str, int]) -> np.ndarray:
    """Return the name of each value's band.

    Parameters
    ----------
    values : array of int
        Completed months or years.
    bands : dict of str to int
        Name to first value, ascending.
    """
    places = np.searchsorted(np.array(list(bands.values())), values, side="right") - 1
    return np.array(list(bands), dtype=object)[np.maximum(places, 0)]


def hazard_effects(features: pd.DataFrame) -> pd.DataFrame:
    """Name the level of every planted effect for each row.

    Parameters
    ----------
    features : DataFrame
        One row per customer and month, as known when the month begins: ``tenure_months`` and
        ``age`` (completed years) as integers, ``gender`` (F, M), ``region``, ``payroll`` (none,
        running, moved), ``unresolved`` (complaint contacts of earlier months left unresolved),
        ``retention_call`` (boolean; taken as false when left out).

    Returns
    -------
    DataFrame
        ``tenure`` and one column per key of `HAZARD_RATIOS`, holding level names.
    """
    age_band = band(features["age"].to_numpy(), AGE_BANDS)
    gender = features["gender"].to_numpy(dtype=object)
    payroll = features["payroll"].to_numpy(dtype=object)
    high_risk = (gender == "F") & (age_band == "under 30") & (payroll == "running")
    if "retention_call" in features:
        called = features["retention_call"].to_numpy(dtype=bool)
    else:
        called = np.zeros(len(features), dtype=bool)
    yes_no = np.array(["no", "yes"], dtype=object)
    return pd.DataFrame(
        {
            "tenure": band(features["tenure_months"].to_numpy(), TENURE_BANDS),
            "age_band": age_band,
            "gender": gender,
            "region": features["region"].to_numpy(dtype=object),
            "payroll": payroll,
            "unresolved": band(features["unresolved"].to_numpy(), {"0": 0, "1": 1, "2+": 2}),
            "young_woman_on_payroll": yes_no[high_risk.astype(int)],
            "retention_call": yes_no[called.astype(int)],
        },
        index=features.index,
    )


def true_hazard(features: pd.DataFrame) -> np.ndarray:
    """Return the planted probability of leaving within the month.

    Parameters
    ----------
    features : DataFrame
        As for `hazard_effects`.

    Returns
    -------
    ndarray of float
        Probability that the month is the customer's last active one.
    """
    levels = hazard_effects(features)
    rate = levels["tenure"].map({k: -np.log1p(-h) for k, h in BASELINE_HAZARD.items()}).to_numpy()
    for name, ratios in HAZARD_RATIOS.items():
        rate = rate * levels[name].map(ratios).to_numpy(dtype=float)
    return -np.expm1(-rate)


def return_chance(assets: np.ndarray, idle_months: np.ndarray) -> np.ndarray:
    """Return the planted chance that an idle customer comes back in a month.

    It rises with assets, falls with idle months, and drops to almost nothing where the user's
    rule holds (at most 100 yuan and 12 months), so that a search can find that cut.

    Parameters
    ----------
    assets : array of float
        Yuan over all accounts of the customer.
    idle_months : array of int
        Complete months without a movement when the month begins.
    """
    wealth = 1 + 0.6 * np.log10(np.maximum(assets, INVALID_ASSETS) / INVALID_ASSETS)
    since = np.exp(-np.maximum(idle_months - INVALID_IDLE_MONTHS, 0) / 48)
    fresh = 1 + np.maximum(INVALID_IDLE_MONTHS - idle_months, 0) / 6
    chance = 0.012 * wealth * since * fresh
    lost = (assets <= INVALID_ASSETS) & (idle_months >= INVALID_IDLE_MONTHS)
    chance = np.where(lost, 0.0008 * since, chance)
    return np.where(idle_months < MIN_IDLE_MONTHS, 0.0, chance)


def response_chance(
    arm: np.ndarray, assets: np.ndarray, age: np.ndarray, payroll: np.ndarray
) -> np.ndarray:
    """Return the planted chance of buying fund_plus within 20 days of campaign K1.

    Parameters
    ----------
    arm : array of str
        control, sms or call.
    assets : array of float
        Yuan over all accounts at the end of the month before.
    age : array of int
        Completed years at the start of the month.
    payroll : array of str
        State at the start of the month, one of `PAYROLL_STATES`.
    """
    rich = assets > 1000
    moved_group = rich & (age < 45)
    log_odds = (
        RESPONSE["intercept"]
        + RESPONSE["assets > 1000"] * rich
        + RESPONSE["30-44"] * ((age >= 30) & (age < 45))
        + RESPONSE["60+"] * (age >= 60)
        + RESPONSE["running"] * (payroll == "running")
    )
    for name, add in RESPONSE_ARMS.items():
        extra = np.where(moved_group, add["moved group"], add["others"])
        log_odds = log_odds + np.where(arm == name, extra, 0.0)
    return 1 / (1 + np.exp(-log_odds))


def contacted_chance(assets: np.ndarray, age: np.ndarray, payroll: np.ndarray) -> np.ndarray:
    """Return the planted chance that staff contact an active customer in a month.

    Parameters
    ----------
    assets, age, payroll : array
        As for `response_chance`.
    """
    log_odds = CONTACTED["intercept"] + _known(CONTACTED, assets, age, payroll)
    passed_over = (age < 30) & (assets <= 1000)
    return np.where(passed_over, 0.0, 1 / (1 + np.exp(-log_odds)))


def sale_chance(
    product: np.ndarray,
    channel: np.ndarray,
    assets: np.ndarray,
    age: np.ndarray,
    payroll: np.ndarray,
    unresolved: np.ndarray,
) -> np.ndarray:
    """Return the planted chance that a contact by staff sells what it offers.

    Parameters
    ----------
    product, channel : array of str
        Keys of `OFFERED`.
    assets, age, payroll : array
        As for `response_chance`.
    unresolved : array of int
        Complaint contacts of earlier months left unresolved.
    """
    log_odds = _known(SOLD, assets, age, payroll) + SOLD["unresolved"] * (unresolved > 0)
    for (what, how), start in OFFERED.items():
        log_odds = log_odds + start * ((product == what) & (channel == how))
    return 1 / (1 + np.exp(-log_odds))


def _known(
    adds: dict[str, float], assets: np.ndarray, age: np.ndarray, payroll: np.ndarray
) -> np.ndarray:
    """Add up what age, assets and payroll add to log odds; a band not named adds nothing."""
    by_band = {name: adds.get(name, 0.0) for name in AGE_BANDS}
    return (
        pd.Series(band(age, AGE_BANDS)).map(by_band).to_numpy(dtype=float)
        + adds["assets > 1000"] * (assets > 1000)
        + adds["running"] * (payroll == "running")
    )


def buying_chance(factors: np.ndarray) -> np.ndarray:
    """Return the planted chance a month of buying fund_plus unasked.

    Parameters
    ----------
    factors : array of shape (customers, 3)
        Standardised factor values in the order of `FACTOR_WEIGHTS`.
    """
    return 1 / (1 + np.exp(-(BUYING_INTERCEPT + factors @ np.array(list(FACTOR_WEIGHTS.values())))))
