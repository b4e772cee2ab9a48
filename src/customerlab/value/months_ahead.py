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

from customerlab.cells import no_rows
from customerlab.churn.curves import status_of
from customerlab.churn.months_here import MONTHS_HERE, months_name, months_names
from customerlab.customers import open_balances
from customerlab.findings import Finding, Status
from customerlab.messages import Message, say
from customerlab.params import ANY_PRODUCT, Params
from customerlab.privacy import about
from customerlab.value.months_texts import ALL, NOT_TOLD, left_out_notes, unforetold, why_no_value
from customerlab.value.real import Real

#: Columns of :attr:`MonthsValue.table`.
COLUMNS = ["product", "horizon_months", "customers", "balance", "margin"]
COLUMNS += ["months", "value", "low", "high", "status"]

_SHOP = say("A shop's customers are worth what they will buy, as told above.")

_EXACT, _ENDS = "decimal(38, 6)", ("", "_low", "_high")


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

    def findings(self, min_cell: int) -> tuple[Finding, ...]:
        """Return ``customer_value.value_in_<h>_months``: money, all customers, for each horizon.

        Of customers in multiples of `min_cell`, as in the table. Only of the longest horizon where
        there is no value at all.
        """
        if self.lacking is not None:
            return tuple(self._finding(months, min_cell) for months in self.horizons[-1:])
        return tuple(self._finding(months, min_cell) for months in self.horizons)

    def _finding(self, months: int, min_cell: int) -> Finding:
        id_ = f"customer_value.value_in_{months}_months"
        rows = self.table[self.table["horizon_months"] == months]
        rows = rows[rows["product"] == ALL]
        n = about(int(rows["customers"].sum()), min_cell)
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


def value_of_staying(real: Real, scores: ir.Table | None, params: Params) -> MonthsValue:
    """Value a bank's customers by the months they are expected to stay.

    Parameters
    ----------
    real : Real
        Of a shop there is nothing: its customers are valued by what they will buy.
    scores : table or None
        Of notebook 04.
    params : Params
    """
    settings = params.customer_value
    horizons = tuple(settings.horizons_months)
    if not real.bank or scores is None:
        names = dict.fromkeys((f"value_{h}_months" for h in horizons), "float64")
        empty = no_rows({"customer_id": "string", **names})
        return MonthsValue(pd.DataFrame(columns=COLUMNS), empty, (), () if real.bank else (_SHOP,))
    who = (scores, real.tables, real.customers)
    return foretell_months_value(*who, params.snapshot, settings.margin, horizons)


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
        :data:`customerlab.params.ANY_PRODUCT` for all that are not named.
    horizons : sequence of int
        Months. Those that the scores do not tell are left out, and noted.
    """
    told = [h for h in sorted(set(horizons)) if set(months_names([h])) <= set(scores.columns)]
    notes = [] if len(told) == len(set(horizons)) else [unforetold(horizons, told)]
    names = months_names(told)
    held = held_by_product(tables, customers, day)
    held = held.mutate(margin=_margin_of(held["product"], margins or {}))
    mine = scores.select(whose="customer_id", **{name: scores[name] for name in names})
    joined = held.left_join(mine, [("customer_id", "whose")])
    known = joined[names[0]].notnull() if names else ibis.literal(False)
    both = joined.filter(known & (joined.held > 0))
    earned = both.held.cast("float64") * both.margin / 12
    both = both.mutate(**{f"value_{name}": earned * both[name] for name in names})
    parts = _sums(both, names).order_by("product").to_pandas()
    holds, valued = joined.held > 0, known & joined.margin.notnull()
    counts = joined.aggregate(
        valued=joined.customer_id.nunique(where=holds & valued),
        others=joined.customer_id.nunique(where=holds & joined.whose.isnull()),
        overdrawn=joined.overdrawn.sum().fill_null(0),
    )
    counts = counts.to_pandas().iloc[0]
    table = _long(parts, int(counts["valued"]), told)
    lacking = why_no_value(told, margins, scores, names, parts)
    notes += left_out_notes(parts, int(counts["others"]), int(counts["overdrawn"]))
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


def held_by_product(tables: Mapping[str, ir.Table], customers: ir.Table, day: dt.date) -> ir.Table:
    """Return what each customer holds of each product on a day.

    Returns
    -------
    table
        ``customer_id``, ``product``, ``held`` (money, 0 or more), ``overdrawn``: how many of these
        accounts are below 0, and count as empty.
    """
    if "accounts" in tables:
        owned = open_balances(tables["accounts"], tables.get("balances"), day)
        named = owned.product if "product" in owned.columns else ibis.null("string")
        owned = owned.select("customer_id", "balance", product=named.fill_null(NOT_TOLD))
    else:
        assets = customers.assets if "assets" in customers.columns else ibis.null(_EXACT)
        owned = customers.select("customer_id", balance=assets, product=ibis.literal(NOT_TOLD))
    return owned.group_by(["customer_id", "product"]).aggregate(
        held=owned.balance.sum(where=owned.balance > 0).fill_null(0),
        overdrawn=(owned.balance < 0).cast("int64").sum(),
    )


def _margin_of(product: ir.StringValue, margins: Mapping[str, float]) -> ir.FloatingValue:
    any_ = margins.get(ANY_PRODUCT)
    usual = ibis.null("float64") if any_ is None else ibis.literal(float(any_))
    named = [(product == name, float(m)) for name, m in margins.items() if name != ANY_PRODUCT]
    return ibis.cases(*named, else_=usual) if named else usual


def _total(amount: ir.NumericValue) -> ir.FloatingValue:
    # money is summed exactly: an engine may add it up in any order
    return amount.round(6).cast(_EXACT).sum().cast("float64")


def _sums(both: ir.Table, names: Sequence[str]) -> ir.Table:
    held = both.held.cast("float64")
    return both.group_by("product").aggregate(
        customers=both.customer_id.nunique(),
        balance=both.held.sum().cast("float64"),
        margin=both.margin.max(),
        **{f"at_{n}": _total(held * both[n]) for n in names},
        **{f"value_{n}": _total(both[f"value_{n}"]) for n in names},
    )


def _long(parts: pd.DataFrame, valued: int, horizons: Sequence[int]) -> pd.DataFrame:
    """Return a row per product and horizon, all products first, then by what is held."""
    parts = parts.sort_values(["balance", "product"], ascending=[False, True])
    sums = [name for name in parts if name not in ("product", "customers", "margin")]
    # sorted, so that every run adds up in one order
    whole = parts.loc[parts["margin"].notna(), sums].sum().to_frame().T
    whole = whole.assign(product=ALL, margin=np.nan, customers=valued)
    both = pd.concat([whole, parts], ignore_index=True) if len(parts) else whole
    rows = []
    for h in horizons:
        for one in both.to_dict("records"):
            name, n = months_name(h), int(one["customers"])
            worth = n > 0 and (one["product"] == ALL or pd.notna(one["margin"]))
            ends = [float(one[f"value_{name}{end}"]) if worth else np.nan for end in _ENDS]
            balance = float(one["balance"])
            months = float(one[f"at_{name}"]) / balance if balance else np.nan
            key = (one["product"], h, n, balance, one["margin"], months)
            rows.append((*key, *ends, _status(n, *ends)))
    return pd.DataFrame(rows, columns=COLUMNS)


def _status(n: int, value: float, low: float, high: float) -> Status:
    """Return how far a value carries: by its customers, and by the width of its interval."""
    status = status_of(n) if not np.isnan(value) else "not_enough_data"
    wide = high - low > value / 2
    return "weak" if status == "supported" and wide else status
