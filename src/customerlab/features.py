"""What was known of a customer when a month began: features, their bands, and their names.

Every feature is a category: models need only how many customer-months share each combination.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import ibis
import ibis.expr.types as ir
import numpy as np

from customerlab.calendar_months import month_index
from customerlab.errors import CustomerlabError, nearest
from customerlab.messages import Message, say

#: First month of each band, and its name.
TENURE_BANDS = {0: "0", 1: "1-2", 3: "3-5", 6: "6-11", 12: "12-23", 24: "24-35", 36: "36-59"}
TENURE_BANDS[60] = "60+"
AGE_BANDS = {0: "under 20", 240: "20-29", 360: "30-44", 540: "45-59", 720: "60+"}

#: Features that move on by themselves: the column in months that they are a band of, and bands.
MOVING: dict[str, tuple[str, dict[int, str]]] = {
    "tenure_band": ("tenure", TENURE_BANDS),
    "age_band": ("age_months", AGE_BANDS),
}

#: Features that customers have from the beginning; all others change in unforeseen ways.
LASTING = ("gender", "region")

#: The level of a feature whose value is not known.
UNKNOWN = "unknown"

FEATURES: dict[str, Message] = {
    "tenure_band": say("months since joining"),
    "age_band": say("age in years"),
    "gender": say("gender"),
    "region": say("region"),
    "payroll": say("payroll"),
    "complaints": say("unresolved complaints"),
    "trouble": say("repeated trouble"),
    "moves": say("days with a purchase in three months"),
    "products": say("accounts with a balance"),
    "trend": say("assets against three months earlier"),
    "balance": say("assets at the last month's end"),
    "contacts": say("contacts in three months"),
    "rating": say("last rating"),
}

#: Used only where the parameters name them: they multiply the cells and seldom add to the others.
ON_REQUEST = frozenset({"trouble", "balance", "contacts", "rating"})

#: They tell that leaving has begun rather than why: used to foretell it, and no cause of it.
SYMPTOMS = frozenset({"products", "trend", "balance"})

#: Features whose levels have neighbours.
ORDERED = frozenset(
    {"tenure_band", "age_band", "complaints", "products", "moves", "contacts", "month"}
)

_LEVELS: dict[tuple[str, str], Message] = {
    ("age_band", "under 20"): say("under 20"),
    ("gender", "female"): say("women"),
    ("gender", "male"): say("men"),
    ("payroll", "none"): say("never paid through us"),
    ("payroll", "running"): say("paid through us last month"),
    ("payroll", "moved"): say("no longer paid through us"),
    ("trouble", "none"): say("no unresolved contact"),
    ("trouble", "once"): say("one unresolved contact"),
    ("trouble", "same case"): say("two or more about the same case"),
    ("trouble", "other case"): say("two or more about different cases"),
    ("trend", "little"): say("little money then"),
    ("trend", "halved"): say("at most half"),
    ("trend", "lower"): say("lower by a tenth or more"),
    ("trend", "steady"): say("about the same"),
    ("trend", "higher"): say("higher by a tenth or more"),
    ("balance", "100"): say("at most 100"),
    ("balance", "1000"): say("over 100, at most 1,000"),
    ("balance", "10000"): say("over 1,000, at most 10,000"),
    ("balance", "100000"): say("over 10,000, at most 100,000"),
    ("balance", "more"): say("over 100,000"),
    ("rating", "none"): say("never rated"),
    ("rating", "low"): say("in the lower third of the scale"),
    ("rating", "middle"): say("in the middle third of the scale"),
    ("rating", "high"): say("in the upper third of the scale"),
}

#: Assets below this were too little three months ago for a trend to mean anything.
LITTLE = 100


def feature_name(feature: str) -> Message | str:
    """Return what a reader calls a feature; a client's own column keeps its name."""
    return FEATURES.get(feature, feature)


def level_name(feature: str, level: str) -> Message | str:
    """Return what a reader calls a level of a feature; a client's own value stays as it is."""
    if " + " in level:
        first, rest = level.split(" + ", 1)
        return say(
            "{first} or {rest}", first=level_name(feature, first), rest=level_name(feature, rest)
        )
    if level == UNKNOWN:
        return say("unknown")
    return _LEVELS.get((feature, level), level)


def features_in(tables: Mapping[str, ir.Table]) -> tuple[str, ...]:
    """Return the features that can be built from the tables a client has."""
    have = {name: set(table.columns) for name, table in tables.items()}
    customers, contacts = have.get("customers", set()), have.get("interactions", set())
    held = {"accounts", "balances"} <= set(have)
    there = {
        "tenure_band": True,
        "age_band": "birth_date" in customers,
        "gender": "gender" in customers,
        "region": "region" in customers,
        "payroll": "kind" in have.get("transactions", set()),
        "complaints": "resolved" in contacts,
        "trouble": {"resolved", "case_id"} <= contacts,
        # a bank's customer moves nearly every day; a shop's tells by it
        "moves": "transactions" in have and "accounts" not in have,
        "products": held,
        "trend": held,
        "balance": held,
        "contacts": bool(contacts),
        "rating": bool(_rated(tables)),
    }
    return tuple(name for name in FEATURES if there[name])


def choose(features: Sequence[str] | None, tables: Mapping[str, ir.Table]) -> list[str]:
    """Return the features asked for, or those that are used unasked.

    Raises
    ------
    CustomerlabError
        When one is neither to be had from the tables nor a column of customers.
    """
    at_hand = features_in(tables)
    if features is None:
        return [name for name in at_hand if name not in ON_REQUEST]
    own = tables["customers"].columns if "customers" in tables else ()
    for name in features:
        if name not in at_hand and (name not in own or name in FEATURES):
            raise CustomerlabError(
                f"churn_timing.covariates: there is no {name!r} to be had from this client's "
                f"tables; there are {', '.join(at_hand)} and the columns of customers"
                + nearest(name, [*at_hand, *own])
            )
    return list(features)


def with_people(rows: ir.Table, tables: Mapping[str, ir.Table], chosen: Sequence[str]) -> ir.Table:
    """Join what is one value per customer, before the months multiply the rows."""
    if "customers" in tables:
        customers = tables["customers"]
        own = [name for name in chosen if name not in FEATURES or name in LASTING]
        own += ["birth_date"] if "age_band" in chosen else []
        people = customers.select(whose="customer_id", **{name: customers[name] for name in own})
        rows = _join(rows, people, [("customer_id", "whose")])
    if "payroll" in chosen:
        paid = paid_months(tables["transactions"])
        first = paid.group_by("whose").aggregate(first_paid=paid.paid.min())
        rows = _join(rows, first, [("customer_id", "whose")])
    if {"complaints", "trouble"} & set(chosen):
        first = _first_complaints(tables["interactions"])
        rows = _join(rows, first, [("customer_id", "whose")])
    return rows


def with_features(
    rows: ir.Table, tables: Mapping[str, ir.Table], chosen: Sequence[str]
) -> ir.Table:
    """Add the features as they were known.

    Parameters
    ----------
    rows : table
        ``customer_id``; ``known_index``: the month at whose beginning things were known;
        ``month_index`` and ``tenure`` of the month itself, for what moves on by itself.
    tables : mapping of str to table
    chosen : sequence of str
    """
    if "payroll" in chosen:
        paid = paid_months(tables["transactions"])
        before = paid.select("whose", following=paid.paid + 1)
        rows = _join(rows, before, [("customer_id", "whose"), ("known_index", "following")])
        # of who was here before the data begin, nobody knows in their first month
        here_before = rows.tenure - (rows.month_index - rows.known_index) > 0
        began = month_index(tables["transactions"].occurred_at.date()).min().as_scalar()
        state = ibis.cases(
            (~rows.following.isnull(), "running"),
            (rows.first_paid < rows.known_index, "moved"),
            (here_before & (rows.known_index <= began), ibis.null("string")),
            else_="none",
        )
        rows = rows.mutate(payroll=state).drop("following")
    if {"products", "trend", "balance"} & set(chosen):
        rows = _with_holdings(rows, tables, chosen)
    if "moves" in chosen:
        rows = _with_moves(rows, tables["transactions"])
    if "contacts" in chosen:
        rows = _with_contacts(rows, tables["interactions"])
    if "rating" in chosen:
        rows = _with_rating(rows, tables)
    steps: dict[str, ir.Value] = {}
    if "complaints" in chosen:
        steps["complaints"] = ibis.cases(
            (rows.second_complaint < rows.known_index, "2+"),
            (rows.first_complaint < rows.known_index, "1"),
            else_="0",
        )
    if "trouble" in chosen:
        steps["trouble"] = ibis.cases(
            (rows.same_case < rows.known_index, "same case"),
            (rows.second_complaint < rows.known_index, "other case"),
            (rows.first_complaint < rows.known_index, "once"),
            else_="none",
        )
    if "age_band" in chosen:
        born = rows.birth_date
        # a month of age is complete on the day of the month of birth; a landmark is a first
        age = rows.month_index - month_index(born) - (born.day() > 1).cast("int64")
        steps["age_months"] = ((age >= 0) & (age < 12 * 120)).ifelse(age, None)
    rows = rows.mutate(**steps)
    bands = {
        name: band(rows[months], limits)
        for name, (months, limits) in MOVING.items()
        if name in chosen
    }
    return rows.mutate(**bands)


def _join(rows: ir.Table, other: ir.Table, on: list[tuple[str, str]]) -> ir.Table:
    joined = rows.left_join(other, on)
    return joined.drop(*[right for _, right in on if right == "whose"])


def paid_months(transactions: ir.Table) -> ir.Table:
    """Return ``whose`` and the months ``paid`` in which a payroll credit came in."""
    paid = transactions.filter(transactions.kind == "payroll")
    return paid.select(whose=paid.customer_id, paid=month_index(paid.occurred_at.date())).distinct()


def _first_complaints(interactions: ir.Table) -> ir.Table:
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


def _with_holdings(
    rows: ir.Table, tables: Mapping[str, ir.Table], chosen: Sequence[str]
) -> ir.Table:
    held = holdings(tables["accounts"], tables["balances"])
    # what was held at a month's end is known when the next one begins
    last = held.select("whose", known_now=held.held_index + 1, now="assets", accounts="products")
    rows = _join(rows, last, [("customer_id", "whose"), ("known_index", "known_now")])
    rows = rows.drop("known_now")
    began, ended = held.held_index.min().as_scalar(), held.held_index.max().as_scalar()
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
        before = held.select("whose", known_then=held.held_index + 4, then="assets")
        rows = _join(rows, before, [("customer_id", "whose"), ("known_index", "known_then")])
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


def _with_contacts(rows: ir.Table, interactions: ir.Table) -> ir.Table:
    """Count the contacts of the last three months."""
    month = month_index(interactions.occurred_at.date())
    each = interactions.select(whose="customer_id", month=month, ahead=ibis.range(1, 4).unnest())
    counted = each.group_by("whose", about=each.month + each.ahead).aggregate(
        contacted=each.count()
    )
    rows = _join(rows, counted, [("customer_id", "whose"), ("known_index", "about")])
    number = band(rows.contacted.fill_null(0), {0: "0", 1: "1", 2: "2+"})
    unseen = rows.known_index < month.min().as_scalar() + 3
    number = unseen.ifelse(ibis.null("string"), number)
    return rows.mutate(contacts=number).drop("about", "contacted")


def _with_moves(rows: ir.Table, transactions: ir.Table) -> ir.Table:
    """Count the days with a movement in the last three months."""
    days = transactions.select(whose="customer_id", day=transactions.occurred_at.date()).distinct()
    each = days.mutate(ahead=ibis.range(1, 4).unnest())
    about = month_index(each.day) + each.ahead
    counted = each.group_by("whose", about=about).aggregate(moved=each.count())
    rows = _join(rows, counted, [("customer_id", "whose"), ("known_index", "about")])
    bands = {0: "0", 1: "1", 2: "2", 3: "3-5", 6: "6-11", 12: "12+"}
    number = band(rows.moved.fill_null(0), bands)
    unseen = rows.known_index < month_index(days.day).min().as_scalar() + 3
    return rows.mutate(moves=unseen.ifelse(ibis.null("string"), number)).drop("about", "moved")


def _rated(tables: Mapping[str, ir.Table]) -> list[str]:
    """Return the columns of the ratings that hold a number: ``overall`` alone where it is there."""
    if "ratings" not in tables:
        return []
    table = tables["ratings"]
    if "overall" in table.columns and table.overall.type().is_numeric():
        return ["overall"]
    return [name for name, kind in table.schema().items() if kind.is_numeric()]


def _with_rating(rows: ir.Table, tables: Mapping[str, ir.Table]) -> ir.Table:
    """Add the third of the scale in which the customer's last rating before the month lay.

    The scale is the questionnaire's and does not change: it reaches from the lowest to the highest
    answer that anybody ever gave.
    """
    table, items = tables["ratings"], _rated(tables)
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
    month = month.mutate(until=month.rated_in.lead().over(order))
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
            month.until.isnull() | (month.until >= rows.known_index),
        ],
    )
    return joined.mutate(rating=joined.rating.fill_null("none")).drop("whose", "rated_in", "until")


def band_of(months: np.ndarray, bands: Mapping[int, str]) -> np.ndarray:
    """Return the band of each number of months; below the first band nothing is known."""
    names = np.array([UNKNOWN, *bands.values()], dtype=object)
    return names[np.searchsorted(list(bands), months, side="right")]


def band(months: ir.IntegerValue, bands: Mapping[int, str]) -> ir.StringValue:
    """Return the band of an expression in months; null where nothing is known."""
    steps = [(months >= start, name) for start, name in sorted(bands.items(), reverse=True)]
    return ibis.cases(*steps, else_=ibis.null("string"))
