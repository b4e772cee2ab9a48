r"""Lifetime value of a bank's customers: months that they stay, times what a month earns.

.. math:: V_h = \sum_p \frac{m_p}{12}\, B_p\, E[\text{months here of the next } h]

with the margin :math:`m_p` that product p earns in a year on what is held, and the balance
:math:`B_p` today, which is taken to stay as it is. The months come from the model of leaving
(:mod:`customerlab.churn.months_here`). The errors of its coefficients are shared by all customers:
the standard error of a sum is at most the sum of the customers' own, so that the sum of the lows
to the sum of the highs is at least wide enough. It leaves out that balances move, and the chance
by which the one leaves and the other stays, which averages out over many customers.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from customerlab.churn.curves import status_of
from customerlab.churn.months_here import MONTHS_HERE, months_name, months_names
from customerlab.customers import open_balances
from customerlab.findings import Finding, Status
from customerlab.messages import Message, listed, say
from customerlab.params.model import ANY_PRODUCT

#: The row of all products that have a margin; and of what is held in a product that is not told.
ALL, NOT_TOLD = "all", "not told"

PRODUCTS: dict[str, Message] = {
    ALL: say("all products with a margin"),
    NOT_TOLD: say("product not told"),
}

#: Columns of :attr:`MonthsValue.table`.
COLUMNS = ["product", "horizon_months", "customers", "balance", "margin"]
COLUMNS += ["months", "value", "low", "high", "status"]

_EXACT = "decimal(38, 6)"


@dataclass(frozen=True)
class MonthsValue:
    """What customers bring while they stay.

    Attributes
    ----------
    table : DataFrame
        One row per ``product`` and ``horizon_months``, first those of all products with a margin:
        ``customers`` who hold it and are scored, their ``balance`` (money), ``margin`` (share of
        it that is earned in a year; missing where none is given), ``months`` expected here (mean
        over the money), ``value`` (money, missing without a margin) with ``low`` to ``high`` (95 %,
        of the model of leaving, at least wide enough), ``status``.
    scores : table
        ``customer_id`` and ``value_<h>_months`` (money) of every customer who is scored: 0 for one
        who holds nothing; null without a model or a margin.
    horizons : tuple of int
    notes : tuple of Message
        What is not in the value.
    lacking : Message or None
        Why there is no value at all.
    """

    table: pd.DataFrame
    scores: ir.Table
    horizons: tuple[int, ...]
    notes: tuple[Message, ...] = ()
    lacking: Message | None = None

    @property
    def findings(self) -> tuple[Finding, ...]:
        """``customer_value.value_in_<h>_months``: money, all customers, for each horizon."""
        return tuple(self._finding(months) for months in self.horizons)

    def _finding(self, months: int) -> Finding:
        id_ = f"customer_value.value_in_{months}_months"
        rows = self.table[self.table["horizon_months"] == months]
        rows = rows[rows["product"] == ALL]
        n = int(rows["customers"].sum())
        if self.lacking is not None or rows.empty or rows["status"].item() == "not_enough_data":
            text = self.lacking or say("Too few customers hold anything to say what they bring.")
            return Finding(id_, text, unit="money", n=n, status="not_enough_data")
        row = rows.iloc[0]
        values = {name: float(row[name]) for name in ("value", "low", "high")}
        text = say(
            "In the next {months:count} months, {n:customers} customers bring about {value:money} "
            "({low:money} to {high:money}): the months that each is expected to stay, times what "
            "a month of today's balance earns. A plan may count on the lower end, if balances stay "
            "as they are.",
            months=months,
            n=n,
            **values,
        )
        return Finding(id_, text, **values, unit="money", n=n, status=row["status"])


def foretell_months_value(
    scores: ir.Table,
    tables: Mapping[str, ir.Table],
    customers: ir.Table,
    day: dt.date,
    margins: Mapping[str, float] | None,
    horizons: Sequence[int] = MONTHS_HERE,
) -> MonthsValue:
    """Value each customer by the months they are expected to stay.

    Parameters
    ----------
    scores : table
        Of notebook 04: ``customer_id`` and ``months_here_<h>`` with ``_low`` and ``_high``, which
        are 0 for who has left and null without a model.
    tables : mapping of str to table
        Clean: ``accounts``, and ``balances`` where there are some.
    customers : table
        ``customer_id``; its ``assets`` stand for one product that is not told where there are no
        accounts.
    day : date
        The snapshot: balances are those of this day.
    margins : mapping of str to float, or None
        Share of what is held that is earned in a year, by product;
        :data:`customerlab.params.model.ANY_PRODUCT` for all that are not named.
    horizons : sequence of int
        Months. Those that the scores do not tell are left out, and noted.
    """
    told = [h for h in sorted(set(horizons)) if set(months_names([h])) <= set(scores.columns)]
    notes = [] if len(told) == len(set(horizons)) else [_unforetold(horizons, told)]
    names = months_names(told)
    held, overdrawn = held_by_product(tables, customers, day)
    margin = _margin_of(held["product"], margins or {})
    held = held.mutate(margin=margin)
    mine = scores.select(whose="customer_id", **{name: scores[name] for name in names})
    known = mine[names[0]].notnull() if names else ibis.literal(False)
    mine = mine.filter(known)
    both = held.inner_join(mine, [("customer_id", "whose")]).drop("whose")
    earned = both.held.cast("float64") * both.margin / 12
    both = both.mutate(**{f"value_{name}": earned * both[name] for name in names})
    parts = _sums(both.group_by("product"), both, names).order_by("product").to_pandas()
    whole = _sums(both.filter(both.margin.notnull()), both, names).to_pandas()
    table = _long(parts, whole, told)
    lacking = _lacking(told, margins, scores, names, parts)
    notes += _notes(parts, held, scores, overdrawn)
    each = both.group_by(owner="customer_id").aggregate(
        lines=both.count(),
        **{f"value_{h}_months": _total(both[f"value_{months_name(h)}"]) for h in told},
    )
    joined = scores.select("customer_id", *names[:1]).left_join(each, [("customer_id", "owner")])
    none = lacking is not None
    out = {
        name: ibis.null("float64")
        if none
        else joined[names[0]].notnull().ifelse(joined[name].fill_null(0.0), None)
        for name in (f"value_{h}_months" for h in told)
    }
    per_customer = joined.select("customer_id", **out)
    return MonthsValue(table, per_customer, tuple(told), tuple(notes), lacking)


def held_by_product(
    tables: Mapping[str, ir.Table], customers: ir.Table, day: dt.date
) -> tuple[ir.Table, int]:
    """Return what each customer holds of each product on a day, and how many accounts are below 0.

    Returns
    -------
    table
        ``customer_id``, ``product``, ``held`` (money, above 0). Overdrawn accounts hold nothing.
    int
    """
    if "accounts" not in tables:
        assets = customers.assets if "assets" in customers.columns else ibis.null(_EXACT)
        owned = customers.select("customer_id", product=ibis.literal(NOT_TOLD), held=assets)
        overdrawn = 0
    else:
        accounts = open_balances(tables["accounts"], tables.get("balances"), day)
        named = accounts.product if "product" in accounts.columns else ibis.null("string")
        owned = accounts.select(
            "customer_id", product=named.fill_null(NOT_TOLD), held=accounts.balance
        )
        overdrawn = int(owned.filter(owned.held < 0).count().execute())
    owned = owned.filter(owned.held > 0)
    summed = owned.group_by(["customer_id", "product"]).aggregate(held=owned.held.sum())
    return summed, overdrawn


def _margin_of(product: ir.StringValue, margins: Mapping[str, float]) -> ir.FloatingValue:
    any_ = margins.get(ANY_PRODUCT)
    usual = ibis.null("float64") if any_ is None else ibis.literal(float(any_))
    named = [(product == name, float(m)) for name, m in margins.items() if name != ANY_PRODUCT]
    return ibis.cases(*named, else_=usual) if named else usual


def _total(amount: ir.NumericValue) -> ir.FloatingValue:
    # money is summed exactly: an engine may add it up in any order
    return amount.round(6).cast(_EXACT).sum().cast("float64")


def _sums(grouped, both: ir.Table, names: Sequence[str]) -> ir.Table:
    rows = grouped if isinstance(grouped, ir.Table) else both
    weight = {f"at_{n}": _total(rows.held.cast("float64") * rows[n]) for n in names}
    value = {f"value_{n}": _total(rows[f"value_{n}"]) for n in names}
    return grouped.aggregate(
        customers=rows.customer_id.nunique(),
        balance=rows.held.sum().cast("float64"),
        margin=rows.margin.max(),
        **weight,
        **value,
    )


def _long(parts: pd.DataFrame, whole: pd.DataFrame, horizons: Sequence[int]) -> pd.DataFrame:
    """Return a row per product and horizon, all products first, then by what is held."""
    parts = parts.sort_values(["balance", "product"], ascending=[False, True])
    both = pd.concat([whole.assign(product=ALL, margin=np.nan), parts], ignore_index=True)
    rows = []
    for h in horizons:
        for one in both.to_dict("records"):
            name, n = months_name(h), int(one["customers"])
            ends = [one[f"value_{name}{end}"] for end in ("", "_low", "_high")]
            worth = one["product"] == ALL or pd.notna(one["margin"])
            ends = [float(end) if worth and pd.notna(end) else np.nan for end in ends]
            balance = float(one["balance"]) if pd.notna(one["balance"]) else 0.0
            months = one[f"at_{name}"] / balance if balance else np.nan
            key = (one["product"], h, n, balance, one["margin"], months)
            rows.append((*key, *ends, _status(n, *ends)))
    return pd.DataFrame(rows, columns=COLUMNS)


def _status(n: int, value: float, low: float, high: float) -> Status:
    """Return how far a value carries: by its customers, and by the width of its interval."""
    status = status_of(n) if not np.isnan(value) else "not_enough_data"
    wide = high - low > value / 2
    return "weak" if status == "supported" and wide else status


def _unforetold(horizons: Sequence[int], told: Sequence[int]) -> Message:
    gone = [str(h) for h in sorted(set(horizons) - set(told))]
    return say(
        "Notebook 04 does not tell how long customers stay within so many months: {months}.",
        months=listed(gone),
    )


def _lacking(
    told: Sequence[int],
    margins: Mapping[str, float] | None,
    scores: ir.Table,
    names: Sequence[str],
    parts: pd.DataFrame,
) -> Message | None:
    """Say why nobody has a value."""
    if not margins:
        return say(
            "No margin is given: what a product earns in a year on what is held (customer_value: "
            "margin). Without it months cannot be turned into money."
        )
    if not told or not int(scores[names[0]].count().execute()):
        return say("No model says how long customers stay, so their value ahead is not known.")
    if parts.empty:
        return say("No customer who is here holds anything.")
    if parts["margin"].isna().all():
        return say("No product that customers hold has a margin, so their value is not known.")
    return None


def _notes(parts: pd.DataFrame, held: ir.Table, scores: ir.Table, overdrawn: int) -> list[Message]:
    notes = []
    without = sorted(parts.loc[parts["margin"].isna(), "product"])
    if without and len(without) < len(parts):
        notes.append(
            say(
                "Without a margin, and so without a value: {products}.",
                products=listed([PRODUCTS.get(name, name) for name in without]),
            )
        )
    others = held.anti_join(scores.select("customer_id"), "customer_id")
    rest = others.aggregate(n=others.customer_id.nunique(), held=others.held.sum()).to_pandas()
    if rest["n"].item():
        notes.append(
            say(
                "Not valued, for nothing is foretold of customers who are not active: "
                "{n:customers} customers who hold something.",
                n=int(rest["n"].item()),
            )
        )
    if overdrawn:
        notes.append(say("Overdrawn accounts count as empty: {n:count} of them.", n=overdrawn))
    return notes
