"""The shop's orders, customers, products and campaigns as the columns of its export: all text."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from customerlab.simulate import text
from customerlab.simulate.people import Window
from customerlab.simulate.planted import REGIONS
from customerlab.simulate.shop import planted
from customerlab.simulate.shop.members import SOURCES, Members, Products
from customerlab.simulate.shop.orders import Orders, campaign_day

CHANNELS, CHANNEL_SHARES = ("app", "web", "marketplace"), (0.55, 0.30, 0.15)
PAYMENTS, PAYMENT_SHARES = ("wallet", "card", "on_account"), (0.6, 0.3, 0.1)
QUANTITIES, QUANTITY_SHARES = (1, 2, 3, 5), (0.72, 0.18, 0.07, 0.03)
#: Promotions take so many per cent off every line of an order.
PERCENT_OFF = (10, 15, 20, 30)
MOST_LINES = 8
PAGES = ("home", "search", "product")


def member_ids(numbers: np.ndarray) -> pa.Array:
    """Return customers' keys."""
    return text.ids("M", 7, numbers)


def customers(members: Members, window: Window) -> dict[str, pa.Array]:
    """Write the customers table; names and telephone numbers must never reach a report."""
    return {
        "member": member_ids(members.number),
        "name": text.full_names(members.number),
        "phone": text.phones(members.number),
        "sex": text.pick(("M", "F"), members.gender),
        "birthday": pc.replace_substring(text.days(members.birth), "-", "/"),
        "area": text.pick(REGIONS, members.region),
        "source": text.pick(SOURCES, members.source),
        "first_order": text.days(window.first_day(0) + members.joined),
    }


def products(drawn: Products) -> dict[str, pa.Array]:
    """Write what is sold."""
    return {
        "sku": text.ids("P", 3, np.arange(len(drawn.category))),
        "class": text.pick(planted.CATEGORIES, drawn.category),
        "price": text.money(drawn.list_cents),
        "margin": pa.array(drawn.margin).cast(pa.string()),
        "own_brand": text.pick(("N", "Y"), drawn.own_brand.astype(int)),
    }


def order_lines(
    rng: np.random.Generator,
    orders: Orders,
    members: Members,
    sold: Products,
    window: Window,
    days: int,
) -> dict[str, pa.Array]:
    """Write every order's lines; what is paid is quantity times price less the discount."""
    count = len(orders.day)
    since = orders.day - campaign_day("S2", days)
    bundled = (orders.arms["S2"][orders.member] == 1) & (since >= 0)
    bundled &= since < planted.BUNDLE_DAYS
    mean = members.further_lines[orders.member] * np.where(bundled, planted.BUNDLE_FACTOR, 1.0)
    size = np.minimum(1 + rng.poisson(mean), MOST_LINES)
    order = np.repeat(np.arange(count), size)
    minute = rng.integers(7 * 60, 23 * 60, count)
    moment = (window.first_day(0) + orders.day).astype("datetime64[m]") + minute
    product = rng.choice(planted.PRODUCTS, len(order), p=sold.share)
    quantity = np.array(QUANTITIES)[rng.choice(len(QUANTITIES), len(order), p=QUANTITY_SHARES)]
    gross = sold.list_cents[product] * quantity
    percent = np.where(orders.promotion, rng.choice(PERCENT_OFF, count), 0)[order]
    discount = gross * percent // 100
    return {
        "line_no": text.ids("L", 8, np.arange(len(order))),
        "member": member_ids(members.number[orders.member[order]]),
        "order_no": text.ids("B", 7, order),
        "ordered_at": text.times(moment[order]),
        "sku": text.ids("P", 3, product),
        "qty": pa.array(quantity).cast(pa.string()),
        "price": text.money(sold.list_cents[product]),
        "off": text.money(discount),
        "paid": text.money(gross - discount),
        "shop": text.pick(CHANNELS, rng.choice(3, count, p=CHANNEL_SHARES)[order]),
        "payment": text.pick(PAYMENTS, rng.choice(3, count, p=PAYMENT_SHARES)[order]),
    }


def visits(
    rng: np.random.Generator, orders: Orders, members: Members, window: Window
) -> dict[str, pa.Array]:
    """Write what was looked at in the days before each order, reviews where they were read."""
    further = 1 + rng.poisson(1.0, len(orders.day))
    order = np.r_[np.repeat(np.arange(len(orders.day)), further), np.flatnonzero(orders.reads)]
    pages = np.r_[
        rng.choice(3, further.sum(), p=[0.3, 0.2, 0.5]),
        np.full(int(orders.reads.sum()), len(PAGES)),
    ]
    # a day and more before, so that it lies before the order whatever the time of day
    day = orders.day[order] - rng.integers(1, 7, len(order))
    moment = (window.first_day(0) + day).astype("datetime64[s]")
    moment = moment + rng.integers(6 * 3600, 24 * 3600, len(order))
    inside = np.flatnonzero(day >= 0)
    at = inside[np.argsort(moment[inside], kind="stable")]
    product = rng.integers(0, planted.PRODUCTS, len(order))
    product = np.where(pages >= PAGES.index("product"), product, -1)
    return {
        "member": member_ids(members.number[orders.member[order[at]]]),
        "seen_at": text.times(moment[at]),
        "device": text.pick(("app", "web"), rng.integers(0, 2, len(at))),
        "page": text.pick((*PAGES, "reviews"), pages[at]),
        "sku": text.pick([f"P{number:03d}" for number in range(planted.PRODUCTS)], product[at]),
        "seconds": pa.array(np.rint(rng.lognormal(3.2, 0.8, len(at))).astype(int)).cast(
            pa.string()
        ),
    }


def campaigns(window: Window, days: int) -> dict[str, pa.Array]:
    """Write the campaigns."""
    plans = planted.CAMPAIGNS
    starts = window.first_day(0) + np.array([campaign_day(name, days) for name in plans])
    cents = [round(100 * plan["contact_cost"]) for plan in plans.values()]
    return {
        "mailing": pa.array(list(plans)),
        "title": pa.array([plan["name"] for plan in plans.values()]),
        "sent_by": pa.array([plan["channel"] for plan in plans.values()]),
        "starts": text.days(starts),
        "ends": text.days(starts + planted.COME_BACK_DAYS - 1),
        "cost": text.money(np.array(cents)),
    }


def assignments(orders: Orders, members: Members, window: Window, days: int) -> dict:
    """Write who was drawn into which arm of which campaign."""
    parts = []
    for name, plan in planted.CAMPAIGNS.items():
        arm = orders.arms[name]
        who = np.flatnonzero(arm >= 0)
        start = (window.first_day(0) + campaign_day(name, days)).astype("datetime64[m]")
        parts.append(
            pa.table(
                {
                    "mailing": text.pick((name,), np.zeros(len(who), dtype=int)),
                    "member": member_ids(members.number[who]),
                    "lot": text.pick(list(plan["arms"]), arm[who]),
                    "drawn_at": text.times(np.full(len(who), start)),
                    "chance": text.pick([f"{p:.2f}" for p in plan["arms"].values()], arm[who]),
                }
            )
        )
    whole = pa.concat_tables(parts).combine_chunks()
    return {name: whole[name] for name in whole.column_names}
