"""The truth about the simulated shop, as tables and as text."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa

from customerlab.simulate.people import Window
from customerlab.simulate.shop import expected, planted
from customerlab.simulate.shop.lines import member_ids
from customerlab.simulate.shop.members import Members
from customerlab.simulate.shop.orders import NEVER, Orders, campaign_day


def customers(
    members: Members,
    orders: Orders,
    answered: np.ndarray,
    straight_lined: np.ndarray,
    window: Window,
    *,
    null_outcome: bool,
) -> pa.Table:
    """Write what is true of each customer."""
    count = len(members)
    per_factor, _ = planted.weights(null_outcome)
    survey = np.zeros(count, dtype=int)
    survey[answered], survey[straight_lined] = 1, 2
    lost = window.first_day(0) + orders.lost_on
    lost[orders.lost_on == NEVER] = np.datetime64("NaT")
    columns = {
        "customer_id": member_ids(members.number),
        "joined_on": window.first_day(0) + members.joined,
        **{name: members.factors[:, place] for place, name in enumerate(planted.FACTORS)},
        "chance_again": planted.chance(planted.INTERCEPT + members.factors @ per_factor),
        "first_promotion": orders.first_promotion,
        "first_again": orders.first_again,
        "survey": np.array(["", "answered", "straight_lined"])[survey],
        "last_order_on": lost,  # of those who never come back
    }
    return pa.table(columns)


def responses(members: Members, orders: Orders, young: np.ndarray) -> pa.Table:
    """Write campaign S1's chances of an order within 28 days, for everybody who was in it."""
    arm = orders.arms["S1"]
    who = np.flatnonzero(arm >= 0)
    add = np.where(young, *(planted.COMES_BACK[group] for group in ("under 35", "others")))[who]
    returns = orders.returns[who]
    return pa.table(
        {
            "customer_id": member_ids(members.number[who]),
            "arm": np.array(list(planted.CAMPAIGNS["S1"]["arms"]))[arm[who]],
            "returns_anyway": returns,
            "chance_control": returns.astype(float),
            "chance_coupon": np.where(returns, 1.0, add),
            "ordered": returns | orders.brought_back[who],
        }
    )


def factors_json(*, null_outcome: bool) -> str:
    """Write the factors behind the answers and what they do to repurchase."""
    per_factor, promoted = planted.weights(null_outcome)
    nothing = dict.fromkeys(planted.FACTORS, 0.0)
    return _json(
        {
            "outcome": f"orders again within {planted.DAYS} days",
            "null_outcome": null_outcome,
            "loadings": planted.LOADINGS,
            "cuts": dict(zip(planted.ITEMS, planted.cuts().round(6).tolist(), strict=True)),
            "liking": planted.LIKING,
            "correlations": {
                one: dict(zip(planted.FACTORS, row, strict=True))
                for one, row in zip(planted.FACTORS, planted.CORRELATIONS.tolist(), strict=True)
            },
            "intercept": planted.INTERCEPT,
            "log_odds_per_standard_deviation": dict(
                zip(planted.FACTORS, per_factor.tolist(), strict=True)
            ),
            "log_odds_of_promotion": promoted,
            "log_odds_of_reading_reviews": 0.0,
            "repurchase": expected.repurchase(null_outcome),
            "change_per_standard_deviation": nothing if null_outcome else expected.changes(),
            "shares_of_explained_variation": None if null_outcome else expected.shares(),
        }
    )


def campaigns_json(window: Window, days: int) -> str:
    """Write the campaigns with what each arm does to whom."""
    effects = {
        "S1": {
            "outcome": f"orders within {planted.COME_BACK_DAYS} days, who would not have",
            "chance": planted.COMES_BACK,
        },
        "S2": {
            "outcome": "mean number of order lines after the first",
            "factor": planted.BUNDLE_FACTOR,
            "days": planted.BUNDLE_DAYS,
        },
        "S3": {"outcome": "none", "effect": 0},
    }
    return _json(
        {
            name: {
                **plan,
                "starts_on": str(window.first_day(0) + campaign_day(name, days)),
                "effect": effects[name],
            }
            for name, plan in planted.CAMPAIGNS.items()
        }
    )


def _json(content: dict) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"
