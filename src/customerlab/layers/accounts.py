"""An account is not a customer: what low accounts hold, and what their customers hold in all."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise, product

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from customerlab.customers import open_balances
from customerlab.findings import Finding
from customerlab.messages import Message, say

_UNKNOWN = say("unknown")


def count_accounts(
    accounts: ir.Table | None,
    balances: ir.Table | None,
    customers: ir.Table,
    *,
    snapshot: dt.date,
    bands: Sequence[float],
) -> pd.DataFrame:
    """Count the open accounts by what they hold and by what their customer has in all.

    Parameters
    ----------
    accounts, balances, snapshot
        See :func:`open_balances`.
    customers : table
        ``customer_id`` and ``assets``: see :func:`customerlab.customers.build_customers`.
    bands : sequence of float
        Ascending limits in the client's currency. What is equal to a limit belongs below it.

    Returns
    -------
    DataFrame
        Each account band with each customer band, from low to high: ``account_band`` and
        ``customer_band`` (Messages; ``unknown`` comes last, and only where there is one),
        ``accounts`` (open ones), ``customers`` (distinct holders of these accounts; who has
        accounts in several bands stands in several rows). No rows for a client without accounts.

    Raises
    ------
    ValueError
        When the bands do not ascend, or there are none.
    """
    if not bands or any(low >= high for low, high in pairwise(bands)):
        raise ValueError(f"limits of bands ascend, found {list(bands)}")
    if accounts is None:
        return pd.DataFrame(columns=["account_band", "customer_band", "accounts", "customers"])
    held = _held(accounts, balances, customers, snapshot)
    counted = (
        held.mutate(a=_band(held.balance, bands), c=_band(held.assets, bands))
        .group_by("a", "c")
        .aggregate(accounts=lambda t: t.count(), customers=lambda t: t.customer_id.nunique())
        .to_pandas()
        .set_index(["a", "c"])
    )
    names = [*_names(bands), _UNKNOWN]
    there = [set(counted.index.get_level_values(level)) for level in ("a", "c")]
    shown = [
        [number for number in range(len(names)) if number <= len(bands) or number in seen]
        for seen in there
    ]
    grid = counted.reindex(list(product(*shown)), fill_value=0).astype("int64")
    return pd.DataFrame(
        {
            "account_band": [names[number] for number, _ in grid.index],
            "customer_band": [names[number] for _, number in grid.index],
            "accounts": grid["accounts"].tolist(),
            "customers": grid["customers"].tolist(),
        }
    )


def account_sums(
    table: pd.DataFrame, *, low: float | None = None, good: float | None = None
) -> list[tuple[None, list[int]]]:
    """Return which rows of :func:`count_accounts` add up to a number said elsewhere, for masking.

    Parameters
    ----------
    table : DataFrame
    low, good : float, optional
        The limits of which :func:`describe_accounts` says how many low accounts belong to good
        customers; with them that number does not give a hidden cell away.
    """
    sums = [list(range(len(table)))]
    if low is not None and good is not None:
        is_low = table["account_band"].map(lambda band: _end(band, "high", math.inf) <= low)
        is_good = table["customer_band"].map(lambda band: _end(band, "low", -math.inf) >= good)
        sums += [list(np.flatnonzero(is_low & is_good)), list(np.flatnonzero(is_low & ~is_good))]
    return [(None, [int(row) for row in rows]) for rows in sums]


def _end(band: Message, which: str, otherwise: float) -> float:
    return band.values.get(which, otherwise)  # noqa: PD011 -- a message, no frame


def _held(
    accounts: ir.Table, balances: ir.Table | None, customers: ir.Table, snapshot: dt.date
) -> ir.Table:
    """Return the open accounts: ``customer_id``, ``balance`` and the customer's ``assets``."""
    held = open_balances(accounts, balances, snapshot)
    held = held.filter(held.is_open).select("customer_id", "balance")
    joined = held.left_join(customers.select("customer_id", "assets"), "customer_id")
    return joined.select("customer_id", "balance", "assets")


def _band(amount: ir.DecimalValue, bands: Sequence[float]) -> ir.IntegerValue:
    """Return the number of the band, from 0; one more than there are for a missing amount."""
    limits = [(amount <= limit, number) for number, limit in enumerate(bands)]
    return ibis.cases((amount.isnull(), len(bands) + 1), *limits, else_=len(bands))


def _names(bands: Sequence[float]) -> list[Message]:
    return [
        say("up to {high:number}", high=bands[0]),
        *[
            say("{low:number} to {high:number}", low=low, high=high)
            for low, high in pairwise(bands)
        ],
        say("above {low:number}", low=bands[-1]),
    ]


@dataclass(frozen=True)
class AccountTotals:
    """How many accounts and customer numbers there are, and whose the low accounts are.

    Attributes
    ----------
    low, good : float
        In the client's currency: a low account holds at most `low`, a good customer has more than
        `good` in all.
    customers : int
        Customer numbers, with an account or without.
    holders, accounts : int
        Customer numbers with an open account, and the open accounts.
    low_accounts, low_holders : int
        Accounts that hold at most `low`, and the distinct customer numbers that hold them.
    low_of_good, good_holders : int
        The part of each that belongs to good customers.
    """

    low: float
    good: float
    customers: int
    holders: int
    accounts: int
    low_accounts: int
    low_holders: int
    low_of_good: int
    good_holders: int


def total_accounts(
    accounts: ir.Table | None,
    balances: ir.Table | None,
    customers: ir.Table,
    *,
    snapshot: dt.date,
    low: float,
    good: float,
) -> AccountTotals:
    """Count what :func:`describe_accounts` says, in one scan.

    Parameters
    ----------
    accounts, balances, customers, snapshot
        See :func:`count_accounts`.
    low, good : float
        Limits in the client's currency; see :class:`AccountTotals`.
    """
    people = int(customers.count().execute())
    if accounts is None:
        return AccountTotals(low, good, people, 0, 0, 0, 0, 0, 0)
    held = _held(accounts, balances, customers, snapshot)
    # what is not known is neither low nor good
    is_low = (held.balance <= low).fill_null(False)
    is_both = is_low & (held.assets > good).fill_null(False)
    counted = held.aggregate(
        holders=held.customer_id.nunique(),
        accounts=held.count(),
        low_accounts=is_low.sum().fill_null(0),
        low_holders=held.customer_id.nunique(where=is_low),
        low_of_good=is_both.sum().fill_null(0),
        good_holders=held.customer_id.nunique(where=is_both),
    ).to_pandas()
    numbers = {name: int(counted[name].iloc[0]) for name in counted.columns}
    return AccountTotals(low=low, good=good, customers=people, **numbers)


def describe_accounts(
    totals: AccountTotals, *, declared: bool, min_cell: int = 1
) -> tuple[Finding, ...]:
    """Say whose the low accounts are, and what the number of customers counts.

    Parameters
    ----------
    totals : AccountTotals
        From :func:`total_accounts`.
    declared : bool
        The client gave a table of customers; otherwise the numbers are those that accounts or
        transactions name.
    min_cell : int
        A share of the low accounts is not said where it, or the rest, is held by fewer customers.

    Returns
    -------
    tuple of Finding
        ``invalid_customers.low_accounts_of_good_customers``, where there are accounts: a full
        count, so both ends of its interval are the share itself; `n` is the number of customers
        who hold low accounts.
        ``invalid_customers.number_of_customers``: no interval, because what it counts is numbers,
        and how many people have several is not in the data.
    """
    counted = _what_is_counted(totals, declared)
    return (_whose_low_accounts(totals, min_cell), counted) if totals.accounts else (counted,)


def _whose_low_accounts(totals: AccountTotals, min_cell: int) -> Finding:
    name = "invalid_customers.low_accounts_of_good_customers"
    parts = (totals.good_holders, totals.low_holders - totals.good_holders)
    if not totals.low_accounts or any(0 < part < min_cell for part in parts):
        return Finding(
            name,
            say(
                "Too few customers hold accounts with at most {low:number} to say whose they are.",
                low=totals.low,
            ),
            unit="percent",
            n=totals.low_holders,
            status="not_enough_data",
        )
    share = totals.low_of_good / totals.low_accounts
    return Finding(
        name,
        say(
            "{share:percent} of the {accounts:count} open accounts with at most {low:number} "
            "belong to customers who have more than {good:number} in all: a low account does "
            "not make a low-value customer.",
            share=share,
            accounts=totals.low_accounts,
            low=totals.low,
            good=totals.good,
        )
        if totals.low_of_good
        else say(
            "None of the {accounts:count} open accounts with at most {low:number} belongs to a "
            "customer who has more than {good:number} in all.",
            accounts=totals.low_accounts,
            low=totals.low,
            good=totals.good,
        ),
        *(share,) * 3,
        unit="percent",
        n=totals.low_holders,
    )


def _what_is_counted(totals: AccountTotals, declared: bool) -> Finding:
    values = {
        "customers": totals.customers,
        "accounts": totals.accounts,
        "each": totals.accounts / totals.customers if totals.customers else None,
    }
    if not totals.accounts:
        text = say(
            "{customers:customers} customer numbers are counted. A person may have several "
            "numbers: this counts numbers, not people.",
            **values,
        )
    elif declared:
        text = say(
            "{customers:customers} customer numbers are declared, holding {accounts:count} open "
            "accounts, {each:number1} per customer. A person may have several numbers: this counts "
            "numbers, not people.",
            **values,
        )
    else:
        text = say(
            "{customers:customers} customer numbers are named by accounts or transactions (no list "
            "of customers was given), holding {accounts:count} open accounts, {each:number1} per "
            "customer. A person may have several numbers, and who did nothing has none here: this "
            "counts numbers, not people.",
            **values,
        )
    return Finding(
        "invalid_customers.number_of_customers",
        text,
        totals.customers,
        unit="customers",
        n=totals.customers,
        status="supported" if totals.customers else "not_enough_data",
    )
