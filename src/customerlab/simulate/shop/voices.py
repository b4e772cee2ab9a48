"""What customers say: the survey after the first order, ratings of orders, contacts."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from customerlab.simulate import text
from customerlab.simulate.people import Window
from customerlab.simulate.shop import planted
from customerlab.simulate.shop.lines import member_ids
from customerlab.simulate.shop.members import Members
from customerlab.simulate.shop.orders import Orders

#: Share of the customers asked who answer the survey, and of orders that are rated.
ANSWERS, RATES = 0.65, 0.30
#: The survey's columns in the shop's own words, in the order of `planted.ITEMS`.
QUESTIONS = (
    *("物有所值", "价格公道", "优惠真实"),
    *("朋友推荐", "口碑很好", "常见分享"),
    *("评价有用", "评价真实", "图片真实"),
    *("准时送达", "物流可查", "包装完好"),
    *("态度友好", "回复及时", "退换方便"),
)
REMARKS = ("", "挺好的", "快递太慢", "价格实惠", "客服很耐心", "还会再来")
REMARK_SHARES = (0.6, 0.1, 0.1, 0.08, 0.06, 0.06)
COMMENTS = ("", "fine", "came late", "nice box", "no answer from the hotline")
TOPICS = ("complaint", "question", "order status")
#: Chance that an order brings a contact about something else; it is always settled.
OTHER_CONTACTS = 0.06


def answers(rng: np.random.Generator, factors: np.ndarray) -> np.ndarray:
    """Draw answers 1 to 5 of some respondents, shape (respondents, items)."""
    own = rng.normal(size=(len(factors), len(planted.ITEMS)))
    latent = planted.LOADING * factors[:, planted.FACTOR_OF]
    latent += np.sqrt(1 - planted.LOADING**2) * own
    return 1 + (latent[:, :, None] > planted.cuts()).sum(axis=2)


def respondents(
    rng: np.random.Generator, members: Members, days: int
) -> tuple[np.ndarray, np.ndarray]:
    """Draw who answers the survey, and in which order the others come as those who are bored.

    Asked is who joined in the window, and early enough for 90 days to follow. Everybody is asked
    after the very first order, so that answering does not depend on what was bought later.
    """
    asked = (members.joined >= 0) & (members.joined + planted.DAYS < days)
    answers_it = rng.random(len(members)) < ANSWERS
    return np.flatnonzero(asked & answers_it), rng.permutation(np.flatnonzero(asked & ~answers_it))


def survey(
    rng: np.random.Generator, who: np.ndarray, orders: Orders, members: Members, window: Window
) -> dict[str, pa.Array]:
    """Write the survey of some customers; the shop adds whether a second order followed."""
    given = answers(rng, members.factors[who])
    day = members.joined[who] + rng.integers(3, 15, len(who))
    no_yes = ("否", "是")
    return {
        "会员号": member_ids(members.number[who]),
        "问卷日期": text.days(window.first_day(0) + day),
        "促销": text.pick(no_yes, orders.first_promotion[who].astype(int)),
        "看过评价": text.pick(no_yes, orders.first_reads[who].astype(int)),
        **_columns(QUESTIONS, given),
        "再次购买": text.pick(("0", "1"), orders.first_again[who].astype(int)),
        "留言": text.pick(REMARKS, rng.choice(len(REMARKS), len(who), p=REMARK_SHARES)),
    }


def ratings(
    rng: np.random.Generator, orders: Orders, members: Members, window: Window, days: int
) -> dict[str, pa.Array]:
    """Write one row for each rated order, with the same fifteen answers."""
    day = orders.day + rng.integers(2, 9, len(orders.day))
    order = np.flatnonzero((rng.random(len(day)) < RATES) & (day < days))
    given = answers(rng, members.factors[orders.member[order]])
    moment = (window.first_day(0) + day[order]).astype("datetime64[m]")
    moment += rng.integers(8 * 60, 22 * 60, len(order))
    comment = rng.choice(len(COMMENTS), len(order), p=[0.7, 0.1, 0.1, 0.05, 0.05])
    return {
        "order_no": text.ids("B", 7, order),
        "member": member_ids(members.number[orders.member[order]]),
        "rated_at": text.times(moment),
        **_columns([f"q{place}" for place in range(1, len(planted.ITEMS) + 1)], given),
        "comment": text.pick(COMMENTS, comment),
    }


def interactions(
    rng: np.random.Generator, orders: Orders, members: Members, window: Window, days: int
) -> dict[str, pa.Array]:
    """Write complaints and other contacts about orders, in the order of time."""
    factors = members.factors[orders.member]
    complains = rng.random(len(orders.day)) < planted.chance(
        planted.log_odds(planted.COMPLAINS, factors)
    )
    settles = rng.random(len(orders.day)) < planted.chance(
        planted.log_odds(planted.RESOLVES, factors)
    )
    others = rng.random(len(orders.day)) < OTHER_CONTACTS
    order = np.r_[np.flatnonzero(complains), np.flatnonzero(others)]
    topic = np.r_[np.zeros(complains.sum(), dtype=int), rng.integers(1, 3, others.sum())]
    resolved = np.where(topic == 0, settles[order], True)
    day = orders.day[order] + rng.integers(1, 8, len(order))
    moment = (window.first_day(0) + day).astype("datetime64[m]")
    moment += rng.integers(8 * 60, 20 * 60, len(order))
    channel = rng.integers(0, 3, len(order))
    inside = np.flatnonzero(day < days)
    at = inside[np.argsort(moment[inside], kind="stable")]
    return {
        "member": member_ids(members.number[orders.member[order[at]]]),
        "at": text.times(moment[at]),
        "via": text.pick(("chat", "phone", "email"), channel[at]),
        "topic": text.pick(TOPICS, topic[at]),
        "ticket": text.ids("K", 8, 2 * order[at] + (topic[at] > 0)),
        "solved": text.pick(("N", "Y"), resolved[at].astype(int)),
    }


def _columns(names: tuple[str, ...] | list[str], given: np.ndarray) -> dict[str, pa.Array]:
    scale = (None, "1", "2", "3", "4", "5")
    return {name: text.pick(scale, given[:, place]) for place, name in enumerate(names)}
