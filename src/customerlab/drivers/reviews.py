"""What customers said: in ratings of their own, and to others before these bought."""

from __future__ import annotations

from collections.abc import Mapping

import ibis
import ibis.expr.types as ir

from customerlab.contract import TABLES
from customerlab.features.reading import rated_items

#: Answers and their sums are exact in this: an engine may add them up in any order.
EXACT = "decimal(38, 9)"
#: What a column of a customer's mean answers begins with.
STATED = "rated_"
#: Numbers that are no answers.
_NO_ANSWERS = frozenset(column.name for column in TABLES["ratings"].columns) | {"product"}


def stated_items(tables: Mapping[str, ir.Table]) -> tuple[str, ...]:
    """Return the columns of the ratings that hold answers as numbers."""
    if "ratings" not in tables or "occurred_at" not in tables["ratings"].columns:
        return ()
    schema = tables["ratings"].schema()
    answers = [name for name, kind in schema.items() if kind.is_numeric()]
    return tuple(name for name in answers if name not in _NO_ANSWERS)


def own_ratings(tables: Mapping[str, ir.Table], recent: ir.Table) -> ir.Table:
    """Return what each customer stated.

    Parameters
    ----------
    tables : mapping of str to table
        The clean canonical tables, ``ratings`` among them with :func:`stated_items`.
    recent : table
        Those of the ratings to look at.

    Returns
    -------
    table
        ``whose``; ``rated_<column>`` (float, on the client's scale): the mean of the customer's
        answers to each column; ``rating_trend``: the mean score of the later half of the
        customer's ratings less that of the earlier half, the middle one of an odd number in
        neither; null of a single rating.
    """
    items = stated_items(tables)
    each = recent.select(
        "occurred_at",
        whose="customer_id",
        score=_score(recent, tables),
        **{f"{STATED}{name}": recent[name].cast(EXACT) for name in items},
    )
    scored = each.filter(each.score.notnull())
    # of two ratings at one moment nobody knows which came first: the lower one, always
    order = ibis.window(group_by="whose", order_by=["occurred_at", "score"])
    placed = scored.mutate(
        place=ibis.row_number().over(order), n=ibis._.count().over(ibis.window(group_by="whose"))
    )
    half = (placed.n - placed.n % 2) / 2
    trend = placed.group_by("whose").aggregate(
        rating_trend=_mean(placed.score, placed.place >= placed.n - half)
        - _mean(placed.score, placed.place < half)
    )
    names = [f"{STATED}{name}" for name in items]
    means = each.group_by("whose").aggregate(**{name: _mean(each[name]) for name in names})
    joined = means.left_join(trend, "whose")
    return joined.select("whose", *names, "rating_trend")


def tells_reviews(tables: Mapping[str, ir.Table]) -> bool:
    """Say whether the ratings tell which product they are about."""
    if not stated_items(tables) or "product" not in tables["transactions"].columns:
        return False
    ratings, bought = set(tables["ratings"].columns), set(tables["transactions"].columns)
    return "product" in ratings or ("order_id" in ratings and "order_id" in bought)


def others_ratings(tables: Mapping[str, ir.Table], bought: ir.Table) -> ir.Table:
    """Return how others had rated what a customer bought, as it stood at the purchase.

    Parameters
    ----------
    tables : mapping of str to table
        The clean canonical tables. A rating is about its own ``product``, if it has one, or else
        about every product of its order.
    bought : table
        ``customer_id``, ``product`` and ``occurred_at`` of the purchases to look at.

    Returns
    -------
    table
        ``whose`` and ``others_rating`` (float, on the client's scale): for each purchase of a
        product the mean of the ratings that other customers had given it strictly earlier,
        averaged over the purchases that had any.
    """
    given = _given(tables)
    moments = bought.filter(bought.product.notnull())
    moments = moments.select("customer_id", "product", "occurred_at").distinct()
    all_given = _before(given, moments, ["product"])
    own_given = _before(given, moments, ["product", "customer_id"])
    seen = moments.left_join(all_given, ["product", "occurred_at"])
    seen = seen.select(*moments.columns, all_sum="before_sum", all_n="before_n")
    seen = seen.left_join(own_given, ["product", "customer_id", "occurred_at"])
    seen = seen.select(
        "customer_id",
        total=seen.all_sum - seen.before_sum,
        n=seen.all_n - seen.before_n,
    )
    seen = seen.filter(seen.n > 0)
    mean = (seen.total.cast("float64") / seen.n).round(9).cast(EXACT)
    seen = seen.select(whose="customer_id", mean=mean)
    return seen.group_by("whose").aggregate(others_rating=_mean(seen["mean"]))


def _given(tables: Mapping[str, ir.Table]) -> ir.Table:
    """Return ``customer_id``, ``product``, ``occurred_at`` and ``score`` of every review."""
    table = tables["ratings"]
    about = "product" in table.columns
    given = table.select(
        "customer_id",
        "occurred_at",
        score=_score(table, tables),
        **({"product": table["product"]} if about else {"order_id": table.order_id}),
    )
    given = given.filter(given.score.notnull() & given.occurred_at.notnull())
    if about:
        return given.filter(given["product"].notnull())
    lines = tables["transactions"].select("order_id", "product")
    lines = lines.filter(lines.order_id.notnull() & lines["product"].notnull()).distinct()
    return given.join(lines, "order_id").select("customer_id", "occurred_at", "score", "product")


def _before(given: ir.Table, moments: ir.Table, by: list[str]) -> ir.Table:
    """Return sum and number of the ratings strictly before every moment of a group.

    All moments of a group stand in one row each, so that the rows before are those earlier.
    """
    rated = given.select(*by, "occurred_at", "score", n=ibis.literal(1, "int64"))
    asked = moments.select(
        *by, "occurred_at", score=ibis.literal(0).cast(EXACT), n=ibis.literal(0, "int64")
    )
    rows = rated.union(asked).group_by([*by, "occurred_at"])
    at = rows.aggregate(score=ibis._.score.sum().cast(EXACT), n=ibis._.n.sum())
    earlier = ibis.window(group_by=by, order_by="occurred_at", preceding=(None, 1))
    return at.select(
        *by,
        "occurred_at",
        before_sum=at.score.sum().over(earlier).fill_null(0),
        before_n=at.n.sum().over(earlier).fill_null(0),
    )


def _score(table: ir.Table, tables: Mapping[str, ir.Table]) -> ir.DecimalValue:
    """Return the one number of a rating: ``overall``, or the mean of what was answered."""
    items = [name for name in rated_items(tables) if name not in _NO_ANSWERS]
    given = [table[name].cast(EXACT) for name in items]
    total = sum((value.fill_null(0) for value in given[1:]), given[0].fill_null(0))
    answered = sum(value.notnull().cast("int64") for value in given)
    return (total.cast("float64") / answered.nullif(0)).round(9).cast(EXACT)


def _mean(value: ir.DecimalValue, where: ir.BooleanValue | None = None) -> ir.FloatingValue:
    """Return the mean of exact numbers; null of none."""
    return value.sum(where=where).cast("float64") / value.count(where=where).nullif(0)
