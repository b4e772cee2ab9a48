"""What customers hold or buy, and what most of their like hold and they do not.

Customers are alike when they are of one age, one occupation (or region) and one fifth of assets or
spend. A lot halves them: whether most of a customer's like hold a product is judged by the other
half, and how many do is counted in the customer's own, so that groups chosen because they seem to
hold much do not seem to hold more than they do.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import ibis
import ibis.expr.types as ir
import pandas as pd

from customerlab.calendar_months import months_before
from customerlab.cells import cells
from customerlab.customers import open_balances
from customerlab.drivers.purchases import purchases
from customerlab.messages import Message, say
from customerlab.value.alike import alike
from customerlab.value.gaps import (
    GAP,
    against_other_half,
    coarse_enough,
    rank_things,
    shares,
    sum_gaps,
)

#: So many products are looked at, those that most hold first.
MOST_PRODUCTS = 30
#: So many products are thought of for a customer, those most held by their like.
_RANKED = 10

#: Columns of :attr:`Holdings.products` and :attr:`Holdings.pairs`.
PRODUCTS = ["product", "customers", "holders", "share", "low", "high", *GAP]
PRODUCTS += ["next_for", "next_share"]
PAIRS = ["held", "missing", "holders", "together", "share", "low", "high", "lift", *GAP]


@dataclass(frozen=True)
class Holdings:
    """Products that customers hold, or categories that they buy.

    Attributes
    ----------
    products : DataFrame
        One row per product, what most hold first: ``customers`` in all, ``holders``, their
        ``share`` with ``low`` to ``high`` (95 %, Wilson). ``like``: customers of whose like most
        hold it (surely more than half, in the other half of the customers), ``like_share`` of
        whom hold it themselves, ``like_low`` to ``like_high`` (Wilson); the ``gap`` others do not.
        ``status`` by ``customers``. ``next_for``: customers for whom it comes next, see `scores`,
        and ``next_share``, the mean share of their like who hold it.
    pairs : DataFrame
        One row per ``held`` and ``missing`` product, the largest gap first: ``holders`` of the
        one, ``together`` (who hold both), their ``share``, ``low``, ``high``; ``lift`` (the share
        over that among all customers); ``like`` ... as above among those who hold the one;
        ``status`` by ``holders``.
    numbers : DataFrame
        ``products`` held and ``customers`` who hold so many.
    scores : table
        ``customer_id``, ``next_product`` (lacking, and most held by like customers) and
        ``next_share`` (of these, who hold it); null where too few are alike or nothing lacks.
    by : tuple of str
        What makes customers alike.
    bought : bool
        Whether it is categories bought instead of accounts held.
    left_out : int
        Products beyond the most held ones.
    """

    products: pd.DataFrame
    pairs: pd.DataFrame
    numbers: pd.DataFrame
    scores: ir.Table
    by: tuple[str, ...]
    bought: bool
    left_out: int = 0

    @property
    def customers(self) -> int:
        """How many customers were looked at."""
        return int(self.numbers["customers"].sum())

    @property
    def text(self) -> Message:
        """Whether something was left out."""
        if self.left_out:
            return say(
                "The {most:count} most held products are looked at; {others:count} others are not.",
                most=MOST_PRODUCTS,
                others=self.left_out,
            )
        return say("All products are looked at.")


def held_products(
    tables: Mapping[str, ir.Table], day: dt.date, *, months: int = 12
) -> tuple[ir.Table, bool]:
    """Return which products each customer holds on a day, and whether it is what they bought.

    Returns
    -------
    table
        ``customer_id``, ``product``: open accounts; without accounts, the category bought (or
        else the product) in the `months` up to the day.
    bool
    """
    if "product" in getattr(tables.get("accounts"), "columns", ()):
        accounts = open_balances(tables["accounts"], None, day)
        held = accounts.filter(accounts.is_open).select("customer_id", "product")
        bought = False
    else:
        lines = purchases(tables)
        lines = lines.filter((lines.day > months_before(day, months)) & (lines.day <= day))
        held, bought = lines.select("customer_id", product="what"), True
    return held.filter(held["product"].notnull()).distinct(), bought


def count_holdings(
    tables: Mapping[str, ir.Table],
    customers: ir.Table,
    day: dt.date,
    *,
    months: int = 12,
    seed: int = 1,
    by: Sequence[str] | None = None,
    keep: Callable[[ir.Table], ir.Table] = lambda table: table,
) -> Holdings:
    """Count products by line, pairs of them, and where like customers hold what one lacks.

    Parameters
    ----------
    tables : mapping of str to table
        Clean: ``accounts`` of a bank, ``transactions`` of a shop.
    customers : table
        One row per customer; those with a ``layer`` that is not active are left out.
    day : date
        The snapshot.
    months : int
        A shop's customer has what was bought in so many months.
    seed : int
        Of the lot that halves the customers.
    by : sequence of str, optional
        Columns of `customers` instead of age and occupation or region.
    keep : callable, optional
        Works a table out once.
    """
    held, bought = held_products(tables, day, months=months)
    means = "spend_12m" if bought else "assets"
    people, keys = alike(customers, day, means=means, seed=seed, by=by)
    people = keep(people)
    keys = keys if by is not None else coarse_enough(cells(people, [*keys, "half"]), keys)
    people = keep(people.select("customer_id", *keys, "half"))
    mine = people.inner_join(held.rename(whose="customer_id"), [("customer_id", "whose")])
    mine = keep(mine.drop("whose"))
    named = cells(mine, ["product"], n="holders")
    named = named.sort_values(["holders", "product"], ascending=[False, True])["product"].tolist()
    products, keyed = named[:MOST_PRODUCTS], [*keys, "half"]
    numbers = _numbers(mine, people)
    mine = mine.filter(mine["product"].isin(products)) if products else mine
    sizes, counts = cells(people, keyed), cells(mine, [*keyed, "product"], n="k")
    single = against_other_half(sizes, counts, products, "product")
    lines = sum_gaps(single, ["product"]).rename(columns={"n": "customers", "k": "holders"})
    lines["share"], lines["low"], lines["high"] = shares(lines["holders"], lines["customers"])
    order = ["holders", "product"]
    lines = lines.sort_values(order, ascending=[False, True], ignore_index=True)
    pairs = _pairs(mine, counts, keyed, products, lines.set_index("product")["share"])
    scores = keep(_next_products(people, held, keyed, rank_things(single, "product", _RANKED)))
    lines = lines.merge(_counted(scores), how="left", on="product").fillna({"next_for": 0})
    left_out = len(named) - len(products)
    return Holdings(
        lines.astype({"next_for": "int64"})[PRODUCTS],
        pairs,
        numbers,
        scores,
        keys,
        bought,
        left_out,
    )


def _numbers(mine: ir.Table, people: ir.Table) -> pd.DataFrame:
    """Count the customers by how many products they have, those without any among them."""
    each = mine.group_by("customer_id").aggregate(products=mine.count())
    counted = cells(each, ["products"], n="customers")
    without = int(people.count().execute()) - int(counted["customers"].sum())
    none = pd.DataFrame({"products": [0], "customers": [without]})
    return pd.concat([none, counted], ignore_index=True).astype("int64")


def _pairs(
    mine: ir.Table,
    counts: pd.DataFrame,
    keyed: Sequence[str],
    products: Sequence[str],
    usual: pd.Series,
) -> pd.DataFrame:
    """Return how many holders of each product hold each other one."""
    other = mine.select(owner="customer_id", missing="product")
    both = mine.inner_join(other, [("customer_id", "owner")]).rename(held="product")
    both = both.filter(both.held != both.missing)
    together = cells(both, [*keyed, "held", "missing"], n="k")
    holders = counts.rename(columns={"product": "held", "k": "n"})
    rows = against_other_half(holders, together, products, "missing")
    two = sum_gaps(rows[rows["held"] != rows["missing"]], ["held", "missing"])
    two = two.rename(columns={"n": "holders", "k": "together"})
    two["share"], two["low"], two["high"] = shares(two["together"], two["holders"])
    two["lift"] = two["share"] / two["missing"].map(usual)
    order = ["gap", "together", "held", "missing"]
    return two.sort_values(order, ascending=[False, False, True, True], ignore_index=True)[PAIRS]


def _counted(scores: ir.Table) -> pd.DataFrame:
    """Count for how many customers each product comes next."""
    known = scores.filter(scores.next_product.notnull())
    share = known.next_share.round(9).cast("decimal(38, 9)").mean().cast("float64")
    counted = known.group_by(product="next_product").aggregate(
        next_for=known.count(), next_share=share
    )
    return counted.order_by("product").to_pandas()


def _next_products(
    people: ir.Table, held: ir.Table, keyed: Sequence[str], ranked: pd.DataFrame
) -> ir.Table:
    """Return for each customer what most of their like hold of what they lack."""
    kinds = {name: people[name].type() for name in keyed}
    kinds |= {"product": "string", "like_share": "float64", "place": "int64"}
    order = ibis.memtable(ranked[[*kinds]], schema=ibis.schema(kinds))
    order = order.rename({f"_{name}": name for name in keyed})
    could = people.inner_join(order, [(name, f"_{name}") for name in keyed])
    could = could.select("customer_id", "product", "like_share", "place")
    lacking = could.anti_join(held, ["customer_id", "product"])
    lacking = lacking.select("customer_id", "product", "like_share", "place")
    first = lacking.group_by(whose="customer_id").aggregate(
        next_product=lacking["product"].argmin(lacking.place),
        next_share=lacking.like_share.argmin(lacking.place),
    )
    joined = people.left_join(first, [("customer_id", "whose")])
    return joined.select("customer_id", "next_product", "next_share")
