"""The customers whose value is asked for: those who are real, and who only registered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import ibis.expr.types as ir

from customerlab.messages import Message, say

#: Tables of single customers, from which the invalid are left out.
_THEIRS = ("customers", "accounts", "transactions", "ratings", "interactions")


@dataclass(frozen=True)
class Real:
    """A client's tables without invalid customers.

    Attributes
    ----------
    tables : dict of str to table
    customers : table
        One row per customer with its layer, the invalid left out.
    bank : bool
        Whether customers have accounts: their value is what they hold for how long, not what they
        buy again.
    text : Message
    """

    tables: dict[str, ir.Table]
    customers: ir.Table
    bank: bool
    text: Message


def leave_out_invalid(tables: Mapping[str, ir.Table], customers: ir.Table) -> Real:
    """Return the tables of the customers who are real.

    Parameters
    ----------
    tables : mapping of str to table
        The clean canonical tables.
    customers : table
        One row per customer with its ``layer``, as notebook 02 wrote it.

    Returns
    -------
    Real
        A shop's customers who registered and have not bought yet stay: they are no loss so far,
        and marketing is to win them. At a bank an account without movement is what makes a
        customer invalid.
    """
    bank = "accounts" in tables
    real = customers.filter(customers.layer != "invalid")
    if not bank and "transactions" in tables:
        bought = tables["transactions"].select(whose="customer_id").distinct()
        both = customers.left_join(bought, [("customer_id", "whose")])
        both = both.filter((both.layer != "invalid") | both.whose.isnull())
        real = both.select(*customers.columns)
    keys = real.select(whose="customer_id")
    kept = dict(tables)
    for name in (name for name in _THEIRS if name in tables):
        columns = tables[name].columns
        kept[name] = tables[name].semi_join(keys, [("customer_id", "whose")]).select(*columns)
    counted = customers.aggregate(n=customers.count()).to_pandas()["n"]
    n, left = int(real.count().execute()), int(counted.iloc[0])
    text = say(
        "{n:customers} customers are looked at; {left:customers} invalid ones are left out.",
        n=n,
        left=left - n,
    )
    if not bank:
        text = say(
            "{n:customers} customers are looked at, with those who registered and have not bought "
            "yet; {left:customers} invalid ones are left out.",
            n=n,
            left=left - n,
        )
    return Real(kept, real, bank, text)
