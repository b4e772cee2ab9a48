"""The truth about a simulated bank, as tables and as text."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from customerlab.simulate import planted, text
from customerlab.simulate.lives import NEVER, Lives, campaign_month
from customerlab.simulate.money import Money
from customerlab.simulate.outlook import leave_chances
from customerlab.simulate.people import IDLE, REGION_SHARES, USES, Accounts, People, Window


@dataclass(frozen=True)
class Piece:
    """One piece of the bank after its last month."""

    people: People
    accounts: Accounts
    lives: Lives
    money: Money
    window: Window

    @property
    def customer_ids(self) -> pa.Array:
        """Keys of the customers."""
        return text.ids("C", 8, self.people.number)

    def assets(self) -> np.ndarray:
        """Return what each customer has over all accounts now, in yuan."""
        return np.bincount(self.accounts.owner, self.money.balances(), len(self.people)) / 100


def customers(piece: Piece, rng: np.random.Generator) -> pa.Table:
    """Write what is true of each customer; months as their first day, amounts in yuan."""
    people, lives, money, window = piece.people, piece.lives, piece.money, piece.window
    count, months = len(people), window.months
    ever = lives.active.any(axis=1)
    last = months - 1 - np.argmax(lives.active[:, ::-1], axis=1)
    before = (people.last_moved.astype("datetime64[M]") - window.start).astype(int)
    last = np.where(ever, last, np.where(people.group == IDLE, before, months - 1))
    idle_months = months - 1 - last
    assets = piece.assets()
    here = np.zeros(count, dtype=bool)
    here[lives.final["person"]] = True
    inside = (assets <= planted.INVALID_ASSETS) & (idle_months >= planted.INVALID_IDLE_MONTHS)
    near = ~inside & (assets <= 10 * planted.INVALID_ASSETS)
    near &= idle_months >= planted.INVALID_IDLE_MONTHS // 2
    share = np.where(inside, planted.INVALID_INSIDE, near * planted.INVALID_OUTSIDE)
    invalid = ~here & (rng.random(count) < share)
    chance = planted.return_chance(assets, idle_months)
    exception = np.select(
        [
            inside & ~invalid,
            invalid & ~inside,
            here & (assets <= planted.INVALID_ASSETS),
            (assets > 10 * planted.INVALID_ASSETS) & (idle_months >= planted.INVALID_IDLE_MONTHS),
            lives.returned < NEVER,
        ],
        [
            "looks invalid",
            "invalid outside the rule",
            "low but active",
            "rich but idle",
            "came back",
        ],
        "",
    )
    age_band = planted.band(people.age(window, months), planted.AGE_BANDS)
    running = lives.paid[:, -1] & here
    second = np.where(lives.leaves.any(axis=1), months - 1 - lives.leaves[:, ::-1].argmax(1), NEVER)
    columns = {
        "customer_id": piece.customer_ids,
        "group": np.array(["idle", "active", "joiner"])[people.group],
        "planted_invalid": invalid,
        "exception": exception,
        "active_at_snapshot": here,
        "entry_month": _month(window, lives.entry),
        "exit_month": _month(window, lives.exit),
        "exit_on": money.exit_on.astype("datetime64[D]"),
        "returned_month": _month(window, lives.returned),
        "last_exit_month": _month(window, second),
        "next_exit_month": _month(window, money.next_exits),
        "joined_month": _month(window, people.joined_month),
        "idle_months": idle_months,
        "assets": assets,
        "return_chance_month": np.where(here | invalid, 0.0, chance),
        "gender": np.array(["M", "F"])[people.gender],
        "age_band": age_band,
        "region": np.array(planted.REGIONS)[people.region],
        "is_payroll": people.payroll,
        "payroll_running": running,
        "payroll_moved_month": _month(window, lives.pay_stop),
        "payroll_use": np.where(people.payroll, np.array(USES)[people.use], ""),
        "high_risk": running & (people.gender == 1) & (age_band == "under 30"),
        "unresolved": lives.unresolved,
        "falls_from": _month(window, money.falls_from),
        "wallet": np.maximum(people.wallet, assets).round(2),
        **{name: people.factors[:, i] for i, name in enumerate(planted.FACTOR_WEIGHTS)},
    }
    # From arrays and not from a frame, so that an all-missing date stays a date.
    return pa.table(columns)


def hazards(piece: Piece) -> pa.Table:
    """Write each customer's features and planted hazard after the snapshot."""
    final = piece.lives.final
    chances = leave_chances(piece.people, piece.lives, piece.window)
    ids = piece.customer_ids.take(pa.array(final["person"], pa.int64()))
    columns = {"customer_id": ids}
    for name in final.columns.drop("person"):
        kind = pa.string() if final[name].dtype == object else None
        columns[name] = pa.array(final[name].to_numpy(), kind)
    columns["hazard"] = pa.array(planted.true_hazard(final))
    for name in chances.columns.drop("person"):
        columns[name] = pa.array(chances[name].to_numpy())
    return pa.table(columns)


def responses(piece: Piece) -> pa.Table:
    """Write campaign K1's true chances of buying for everybody who was in it."""
    response, arms = piece.money.response, piece.lives.arms["K1"]
    person = response["person"]
    drawn = arms[person] >= 0
    names = list(planted.CAMPAIGNS["K1"]["arms"])
    columns = {
        "customer_id": piece.customer_ids.take(pa.array(person[drawn])),
        "arm": text.pick(names, arms[person][drawn]),
        **{f"chance_{name}": pa.array(response[name][drawn]) for name in names},
        "bought": pa.array(response["bought"][drawn]),
    }
    return pa.table(columns)


def hazard_json() -> str:
    """Write the planted hazard model: monthly hazards, their cloglog, ratios and their logs."""
    return _json(
        {
            "model": "log(-log(1 - h)) = baseline[tenure] + sum of log_ratios",
            "baseline_hazard": planted.BASELINE_HAZARD,
            "baseline": {
                k: float(np.log(-np.log1p(-h))) for k, h in planted.BASELINE_HAZARD.items()
            },
            "ratios": planted.HAZARD_RATIOS,
            "log_ratios": {
                name: {level: float(np.log(ratio)) for level, ratio in levels.items()}
                for name, levels in planted.HAZARD_RATIOS.items()
            },
            "processes": {
                "payroll_stop": planted.PAYROLL_STOP,
                "complaint": planted.COMPLAINT,
                "complaint_unresolved": planted.COMPLAINT_UNRESOLVED,
                "complaint_again": planted.COMPLAINT_AGAIN,
                "same_case": planted.SAME_CASE,
            },
            "region_shares": dict(zip(planted.REGIONS, REGION_SHARES, strict=True)),
        }
    )


def campaigns_json(window: Window) -> str:
    """Write the campaigns with what each arm does to whom."""
    effects = {
        "K1": {
            "outcome": "buys fund_plus within 20 days of assignment",
            "log_odds": planted.RESPONSE,
            "arms_log_odds": planted.RESPONSE_ARMS,
            "moved_group": "age under 45 and assets above 1000 at the end of the month before",
        },
        "K2": {
            "outcome": "hazard of leaving",
            "ratio": planted.HAZARD_RATIOS["retention_call"]["yes"],
            "months": planted.RETENTION_MONTHS,
        },
        "K3": {"outcome": "none", "effect": 0},
        "K4": {
            "outcome": "amounts of card and app purchases, fund_plus apart",
            "factor": planted.COUPON_FACTOR,
            "months": planted.COUPON_MONTHS,
        },
    }
    return _json(
        {
            name: {
                **campaign,
                "month": str(window.start + campaign_month(name, window)),
                "effect": effects[name],
            }
            for name, campaign in planted.CAMPAIGNS.items()
        }
    )


def contacts_json() -> str:
    """Write whom staff contact, and what decides whether a contact sells."""
    return _json(
        {
            "outcome": "the contact sells what it offers",
            "log_odds_of_offers": {" ".join(key): x for key, x in planted.OFFERED.items()},
            "log_odds": planted.SOLD,
            "contacted_in_a_month_log_odds": planted.CONTACTED,
            "never_contacted": "active customers under 30 with assets of at most 1000",
            "idle_contacted_in_a_month": planted.CONTACTED_IDLE,
            "offers_insurance": planted.OFFERS_INSURANCE,
            "talk_seconds": planted.TALK_SECONDS,
        }
    )


def factors_json() -> str:
    """Write the factors behind the ratings and what they do to buying."""
    return _json(
        {
            "outcome": "buys fund_plus in a month",
            "loadings": planted.RATING_FACTORS,
            "intercept": planted.BUYING_INTERCEPT,
            "log_odds_per_standard_deviation": planted.FACTOR_WEIGHTS,
        }
    )


def _month(window: Window, month: np.ndarray) -> np.ndarray:
    """Write months as their first day, `NEVER` as missing."""
    day = np.where(month == NEVER, np.datetime64("NaT"), window.first_day(month))
    return day.astype("datetime64[D]")


def _json(content: dict) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"
