"""What customers bought, line by line, and what that tells of each of them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import ibis
import ibis.expr.types as ir

from customerlab.contract import TABLES, TYPES

#: Prices and their sums are exact in this: an engine may add them up in any order.
_EXACT = "decimal(38, 9)"


def purchases(tables: Mapping[str, ir.Table]) -> ir.Table:
    """Return what customers bought, line by line, refunds and gifts left out.

    ``paid`` and ``taken_off`` (money), ``price`` paid for one piece, ``order_id``, ``what``: the
    category, or else the product; ``own_brand``, ``promised_on``, ``delivered_on``; null where the
    client does not tell.
    """
    t = tables["transactions"]
    read = ("kind", "product", "category", "order_id", "quantity", "unit_price", "discount")
    read += ("promised_on", "delivered_on")
    kinds = {name: TYPES[TABLES["transactions"].column(name).kind] for name in read}
    t = t.mutate(**{name: ibis.null(kind) for name, kind in kinds.items() if name not in t.columns})
    # a bank books a card payment as money out; without a kind it is a shop
    paid = ibis.cases((t.kind == "purchase", t.amount.abs()), (t.kind.isnull(), t.amount))
    per_piece = (t.quantity > 0).ifelse(paid.cast("float64") / t.quantity.nullif(0), None)
    lines = t.select(
        "customer_id",
        "occurred_at",
        "product",
        "category",
        "order_id",
        "promised_on",
        "delivered_on",
        day=t.occurred_at.date(),
        paid=paid,
        # the price by the piece may be that of the list, before a discount
        price=ibis.coalesce(per_piece.round(6).cast(_EXACT), t.unit_price.cast(_EXACT)),
        taken_off=t.discount.abs(),
    )
    lines = lines.filter(lines.paid > 0)
    told = {"group": ibis.null("string"), "own_brand": ibis.null("boolean")}
    names = {"group": "category", "own_brand": "own_brand"}
    products = tables.get("products")
    names = {ours: name for ours, name in names.items() if name in getattr(products, "columns", ())}
    if names:
        listed = products.select(listed="product", **names)
        lines = lines.left_join(listed, [("product", "listed")])
        told |= {ours: lines[ours] for ours in names}
    what = ibis.coalesce(lines.category, told["group"], lines["product"])
    return lines.mutate(what=what, own_brand=told["own_brand"])


def buying(ever: ir.Table, lately: ir.Table) -> ir.Table:
    """Return orders, range, discounts and own brands of these months, and the last day ever."""
    last = ever.group_by(whose="customer_id").aggregate(last_day=ever.day.max())
    told = lately.taken_off.notnull()
    off = lately.taken_off.sum().cast("float64")
    full = (lately.paid + lately.taken_off).sum(where=told).cast("float64")
    own = lately.paid.sum(where=lately.own_brand).fill_null(0).cast("float64")
    either = lately.paid.sum(where=lately.own_brand.notnull()).cast("float64")
    of_late = lately.group_by(buyer="customer_id").aggregate(
        # a line without an order's name is one of its own
        orders=lately.order_id.nunique() + lately.order_id.isnull().sum(),
        range_bought=lately.what.nunique(),
        discount_share=off / full.nullif(0.0),
        own_brand_share=own / either.nullif(0.0),
    )
    return last.left_join(of_late, [("whose", "buyer")]).drop("buyer")


def delays(lately: ir.Table, landmark: dt.date, *, promised: bool) -> ir.Table:
    """Return by how many days goods came later than promised, or else than they were ordered.

    The mean over the lines that had come by the landmark.
    """
    came = lately.filter(lately.delivered_on <= landmark)
    due = came.promised_on if promised else came.day
    late = came.delivered_on.delta(due, unit="day").cast("float64")
    return came.group_by(whose="customer_id").aggregate(delivery_delay=late.mean())


def prices(lately: ir.Table) -> ir.Table:
    """Return how much dearer each customer bought than all others bought the same products.

    The others' prices are of the same months. What nobody else bought tells nothing.
    """
    priced = lately.filter((lately.price > 0) & lately["product"].notnull())
    mine = priced.group_by(["customer_id", "product"]).aggregate(
        n=priced.count(), total=priced.price.sum().cast(_EXACT)
    )
    whole = mine.group_by(of="product").aggregate(
        all_n=mine.n.sum(), all_total=mine.total.sum().cast(_EXACT)
    )
    both = mine.join(whole, [("product", "of")])
    both = both.filter(both.all_n > both.n)
    own = both.total.cast("float64") / both.n
    usual = (both.all_total - both.total).cast("float64") / (both.all_n - both.n)
    both = both.select("n", whose="customer_id", dearer=(own / usual).ln().round(9).cast(_EXACT))
    summed = (both.dearer * both.n).sum().cast("float64")
    return both.group_by("whose").aggregate(price_paid=summed / both.n.sum())
