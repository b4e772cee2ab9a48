"""What each table tells of a customer when a month begins."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import ibis
import ibis.expr.types as ir

from customerlab.calendar_months import month_index
from customerlab.features.names import band

#: Assets below this were too little three months ago for a trend to mean anything.
LITTLE = 100

#: The number of a month that does not come.
_NEVER = 12 * 10_000


def join(rows: ir.Table, other: ir.Table, on: list[tuple[str, str]]) -> ir.Table:
    """Join a table by the customer ``whose`` rows it holds, and drop that column again."""
    joined = rows.left_join(other, on)
    return joined.drop(*[right for _, right in on if right == "whose"])


def read_once(
    tables: Mapping[str, ir.Table], people: ir.Table, keep: Callable[[ir.Table], ir.Table]
) -> dict[str, ir.Table]:
    """Return the tables, and beside them what is read from the long ones whenever one asks.

    Who asks for features several times saves reading all transactions and balances each time.

    Parameters
    ----------
    tables : mapping of str to table
        The clean tables.
    people : table
        ``customer_id`` of those whose features will be asked for.
    keep : callable
        Works a table out once.

    Returns
    -------
    dict of str to table
        `tables`, and as far as they can be had ``paid_months`` (:func:`paid_months`) and
        ``holdings`` (:func:`holdings`) of the people.
    """
    more = {}
    if "kind" in getattr(tables.get("transactions"), "columns", ()):
        more["paid_months"] = keep(paid_months(tables["transactions"]))
    if {"accounts", "balances"} <= {*tables}:
        theirs = tables["accounts"].semi_join(people.select("customer_id"), "customer_id")
        more["holdings"] = keep(holdings(theirs, tables["balances"]))
    return {**tables, **more}


def paid_months_of(tables: Mapping[str, ir.Table]) -> ir.Table:
    """Return :func:`paid_months` of a client, as worked out where they are."""
    return tables["paid_months"] if "paid_months" in tables else paid_months(tables["transactions"])


def paid_months(transactions: ir.Table) -> ir.Table:
    """Return ``whose`` and the months ``paid`` in which a payroll credit came in."""
    paid = transactions.filter(transactions.kind == "payroll")
    return paid.select(whose=paid.customer_id, paid=month_index(paid.occurred_at.date())).distinct()


def with_pay_ended(rows: ir.Table, tables: Mapping[str, ir.Table]) -> ir.Table:
    """Tell how long ago a salary that has not come since came last, in the last half year.

    Who is paid elsewhere takes assets along for some months, and half the assets gone says less of
    such a customer than of one whose salary left long ago.
    """
    paid = paid_months_of(tables)
    order = ibis.window(group_by="whose", order_by="paid")
    last = paid.mutate(until=paid.paid.lead().over(order).fill_null(_NEVER))
    last = last.filter(last.until > last.paid + 1)
    each = last.mutate(unpaid=ibis.range(1, 7).unnest())
    each = each.select("whose", "unpaid", "until", about=each.paid + each.unpaid + 1)
    each = each.filter(each.about <= each.until).drop("until")
    rows = join(rows, each, [("customer_id", "whose"), ("known_index", "about")])
    number = rows.unpaid.isnull().ifelse("no", band(rows.unpaid, {1: "1-3", 4: "4-6"}))
    return rows.mutate(pay_ended=number).drop("about", "unpaid")


def first_complaints(interactions: ir.Table) -> ir.Table:
    """Return the months of the first two unresolved contacts, and of a second about one case."""
    cases = "case_id" in interactions.columns
    open_ones = interactions.filter(~interactions.resolved)
    open_ones = open_ones.select(
        "customer_id",
        "occurred_at",
        case_id=open_ones.case_id if cases else ibis.null("string"),
    )
    order = ibis.window(group_by="customer_id", order_by="occurred_at")
    in_case = ibis.window(group_by=["customer_id", "case_id"], order_by="occurred_at")
    numbered = open_ones.mutate(
        number=ibis.row_number().over(order), of_case=ibis.row_number().over(in_case)
    )
    month = month_index(numbered.occurred_at.date())
    again = (numbered.of_case == 1) & numbered.case_id.notnull()
    return numbered.group_by(whose="customer_id").aggregate(
        first_complaint=month.min(where=numbered.number == 0),
        second_complaint=month.min(where=numbered.number == 1),
        same_case=month.min(where=again),
    )


def holdings(accounts: ir.Table, balances: ir.Table) -> ir.Table:
    """Return what each customer held at the end of each month.

    Parameters
    ----------
    accounts, balances : table
        The clean canonical tables.

    Returns
    -------
    table
        ``whose``, ``held_index`` (number of the month), ``assets`` over the accounts that were
        not closed by its end, and ``products``: how many of them there were.
    """
    closed = accounts.closed_on if "closed_on" in accounts.columns else ibis.null("date")
    mine = accounts.select("account_id", whose=accounts.customer_id, closed=month_index(closed))
    ends = balances.select("account_id", "balance", held_index=month_index(balances.month))
    held = ends.join(mine, "account_id")
    held = held.filter(held.closed.isnull() | (held.closed > held.held_index))
    return held.group_by(["whose", "held_index"]).aggregate(
        assets=held.balance.sum(), products=held.count()
    )


def with_holdings(
    rows: ir.Table,
    tables: Mapping[str, ir.Table],
    chosen: Sequence[str],
    months: Sequence[int] | None = None,
) -> ir.Table:
    """Add what the balances tell: accounts, assets, and how they moved."""
    balances = tables["balances"]
    ends = month_index(balances.month)
    began, ended = ends.min().as_scalar(), ends.max().as_scalar()

    def held_before(back: int) -> ir.Table:
        seen = None if months is None else sorted({month - back for month in months})
        if "holdings" in tables:
            held = tables["holdings"]
            return held if seen is None else held.filter(held.held_index.isin(seen))
        # only these months are added up
        some = balances if seen is None else balances.filter(ends.isin(seen))
        return holdings(tables["accounts"], some)

    # what was held at a month's end is known when the next one begins
    held = held_before(1)
    last = held.select("whose", known_now=held.held_index + 1, now="assets", accounts="products")
    rows = join(rows, last, [("customer_id", "whose"), ("known_index", "known_now")])
    rows = rows.drop("known_now")
    # a month before the first balances or after the last is not known, and not empty
    unseen = (rows.known_index <= began) | (rows.known_index - 1 > ended)
    steps: dict[str, ir.Value] = {}
    now = rows.now.fill_null(0)
    if "products" in chosen:
        steps["products"] = unseen.ifelse(
            ibis.null("string"), band(rows.accounts.fill_null(0), {0: "0", 1: "1", 2: "2", 3: "3+"})
        )
    if "balance" in chosen:
        limits = [(now <= limit, str(limit)) for limit in (100, 1000, 10_000, 100_000)]
        steps["balance"] = unseen.ifelse(ibis.null("string"), ibis.cases(*limits, else_="more"))
    if "trend" in chosen:
        held = held_before(4)
        before = held.select("whose", known_then=held.held_index + 4, then="assets")
        rows = join(rows, before, [("customer_id", "whose"), ("known_index", "known_then")])
        rows = rows.drop("known_then")
        now, then = rows.now.fill_null(0), rows.then.fill_null(0)
        state = ibis.cases(
            (unseen | (rows.known_index - 3 <= began), ibis.null("string")),
            (then < LITTLE, "little"),
            (now * 2 <= then, "halved"),
            (now * 10 <= then * 9, "lower"),
            (now * 10 >= then * 11, "higher"),
            else_="steady",
        )
        steps["trend"] = state
    return rows.mutate(**steps).drop("now", "accounts", *(["then"] if "trend" in chosen else []))


def with_contacts(rows: ir.Table, interactions: ir.Table) -> ir.Table:
    """Count the contacts of the last three months."""
    month = month_index(interactions.occurred_at.date())
    each = interactions.select(whose="customer_id", month=month, ahead=ibis.range(1, 4).unnest())
    counted = each.group_by("whose", about=each.month + each.ahead).aggregate(
        contacted=each.count()
    )
    rows = join(rows, counted, [("customer_id", "whose"), ("known_index", "about")])
    number = band(rows.contacted.fill_null(0), {0: "0", 1: "1", 2: "2+"})
    unseen = rows.known_index < month.min().as_scalar() + 3
    number = unseen.ifelse(ibis.null("string"), number)
    return rows.mutate(contacts=number).drop("about", "contacted")


def with_moves(
    rows: ir.Table, transactions: ir.Table, months: Sequence[int] | None = None
) -> ir.Table:
    """Count the days with a movement in the last three months."""
    began = month_index(transactions.occurred_at.min().date()).as_scalar()
    if months is not None:
        seen = {month - back for month in months for back in (1, 2, 3)}
        at = month_index(transactions.occurred_at.date())
        transactions = transactions.filter(at.isin(sorted(seen)))
    days = transactions.select(whose="customer_id", day=transactions.occurred_at.date()).distinct()
    moved = days.group_by("whose", month=month_index(days.day)).aggregate(days=days.count())
    each = moved.mutate(ahead=ibis.range(1, 4).unnest())
    counted = each.group_by("whose", about=each.month + each.ahead).aggregate(moved=each.days.sum())
    rows = join(rows, counted, [("customer_id", "whose"), ("known_index", "about")])
    bands = {0: "0", 1: "1", 2: "2", 3: "3-5", 6: "6-11", 12: "12+"}
    number = band(rows.moved.fill_null(0), bands)
    unseen = rows.known_index < began + 3
    return rows.mutate(moves=unseen.ifelse(ibis.null("string"), number)).drop("about", "moved")


def rated_items(tables: Mapping[str, ir.Table]) -> list[str]:
    """Return the columns of the ratings that hold a number: ``overall`` alone where it is there."""
    if "ratings" not in tables:
        return []
    table = tables["ratings"]
    if "overall" in table.columns and table.overall.type().is_numeric():
        return ["overall"]
    return [name for name, kind in table.schema().items() if kind.is_numeric()]


def with_rating(rows: ir.Table, tables: Mapping[str, ir.Table]) -> ir.Table:
    """Add the third of the scale in which the customer's last rating before the month lay.

    The scale is the questionnaire's and does not change: it reaches from the lowest to the highest
    answer that anybody ever gave.
    """
    table, items = tables["ratings"], rated_items(tables)
    table = table.filter(table.occurred_at.notnull())
    given = [table[name].cast("float64") for name in items]
    total = sum((value.fill_null(0.0) for value in given), ibis.literal(0.0))
    answered = sum((value.notnull().cast("int64") for value in given), ibis.literal(0))
    rated = table.select(
        whose="customer_id",
        rated_in=month_index(table.occurred_at.date()),
        score=total / answered.nullif(0),
    )
    # an engine may refuse the least of one value
    low = ibis.least(given[0].min(), *[value.min() for value in given]).as_scalar()
    high = ibis.greatest(given[0].max(), *[value.max() for value in given]).as_scalar()
    rated = rated.filter(rated.score.notnull())
    month = rated.group_by(["whose", "rated_in"]).aggregate(score=rated.score.mean())
    order = ibis.window(group_by="whose", order_by="rated_in")
    # comparisons only: with an "or" among them DuckDB would compare every row with every rating
    month = month.mutate(until=month.rated_in.lead().over(order).fill_null(_NEVER))
    third = (month.score - low) / (high - low).nullif(0.0)
    month = month.mutate(
        rating=ibis.cases(
            (third < 1 / 3, "low"), (third <= 2 / 3, "middle"), (third > 2 / 3, "high")
        ).fill_null("middle")  # all ever gave the same answer
    ).drop("score")
    joined = rows.left_join(
        month,
        [
            rows.customer_id == month.whose,
            month.rated_in < rows.known_index,
            month.until >= rows.known_index,
        ],
    )
    return joined.mutate(rating=joined.rating.fill_null("none")).drop("whose", "rated_in", "until")
