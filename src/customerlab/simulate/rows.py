"""One piece of the bank as the tables of its export: all text, in the bank's own words."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from customerlab.simulate import flows, planted, text
from customerlab.simulate import people as who
from customerlab.simulate.lives import NEVER, campaign_month
from customerlab.simulate.money import Batch
from customerlab.simulate.truth import Piece

REGIONS_ZH = ("华北", "华东", "华南", "华中", "西南", "西北", "东北")


def customers(piece: Piece) -> dict[str, pa.Array]:
    """Write the customers table; names and telephone numbers must never reach a report."""
    people = piece.people
    number = people.number
    return {
        "cust_no": piece.customer_ids,
        "cust_name": text.full_names(number),
        "mobile": text.phones(number),
        "sex": text.pick(("M", "F"), people.gender),
        "birth": pc.replace_substring(text.days(people.birth), "-", ""),
        "region": text.pick(planted.REGIONS, people.region),
        "occup": text.pick(who.OCCUPATIONS, people.occupation),
        "source": text.pick(who.SOURCES, people.source),
        "open_date": text.days(people.joined),
        "contrib_12m": text.money(np.rint(piece.money.earned_cents)),
    }


def account_ids(piece: Piece) -> pa.Array:
    """Return account numbers: the customer's number and the account's place, from 0."""
    owner = piece.accounts.owner
    start = np.flatnonzero(piece.accounts.main)
    rank = np.arange(len(owner)) - start[owner]
    return text.ids("A", 10, piece.people.number[owner] * 10 + rank)


def branches() -> list[str]:
    """Return the names of all branches, region by region."""
    places = range(1, who.BRANCHES_PER_REGION + 1)
    return [f"{region}第{place}支行" for region in REGIONS_ZH for place in places]


def branch_of(piece: Piece) -> np.ndarray:
    """Return each customer's branch, a place in `branches`."""
    people = piece.people
    return people.region * who.BRANCHES_PER_REGION + people.number % who.BRANCHES_PER_REGION


def accounts(piece: Piece) -> dict[str, pa.Array]:
    """Write the accounts table as of the snapshot."""
    people, accounts, money, window = piece.people, piece.accounts, piece.money, piece.window
    owner = accounts.owner
    # Closed on the last day of the month in which it was emptied.
    closed = np.where(
        money.closed_month == NEVER,
        np.datetime64("NaT"),
        window.first_day(money.closed_month + 1) - 1,
    )
    return {
        "acct_no": account_ids(piece),
        "cust_no": piece.customer_ids.take(pa.array(owner)),
        "product": text.pick(who.PRODUCTS, accounts.product),
        "branch": text.pick(branches(), branch_of(piece)[owner]),
        "opened": text.days(accounts.opened),
        "closed": text.days(closed),
        "balance": text.money(money.balances()),
        "payroll_flag": text.pick(("N", "Y"), (people.payroll[owner] & accounts.main).astype(int)),
        "last_moved": text.days(money.last_moved),
    }


def transactions(piece: Piece, batch: Batch, accounts: pa.Array, first: int) -> pa.Table:
    """Write one month's transactions, numbered from `first`."""
    counterparties = [*flows.OTHER_BANKS, *who.EMPLOYERS]
    employer = batch.counterparty - flows.EMPLOYER + len(flows.OTHER_BANKS)
    counterparty = np.where(batch.counterparty >= flows.EMPLOYER, employer, batch.counterparty)
    return pa.table(
        {
            "transaction_id": text.ids("T", 12, first + np.arange(len(batch.person))),
            "customer_id": piece.customer_ids.take(pa.array(batch.person)),
            "account_id": accounts.take(pa.array(batch.account)),
            "occurred_at": text.times(batch.moment),
            "kind": text.pick(flows.KINDS, batch.kind),
            "amount": text.money(batch.cents),
            "product": text.pick(flows.FUND, batch.product),
            "category": text.pick(flows.CATEGORIES, batch.category),
            "channel": text.pick(flows.CHANNELS, batch.channel),
            "payment_method": text.pick(flows.PAYMENTS, batch.payment),
            "counterparty": text.pick(counterparties, counterparty),
        }
    )


def balances(piece: Piece, month: int, cents: np.ndarray, accounts: pa.Array) -> pa.Table:
    """Write the balances at a month's end."""
    here = np.flatnonzero(piece.money.exists(month))
    day = str(piece.window.first_day(month))
    return pa.table(
        {
            "account_id": accounts.take(pa.array(here)),
            "month": text.pick((day,), np.zeros(len(here), dtype=int)),
            "balance": text.money(cents[here]),
        }
    )


def assignments(piece: Piece) -> list[str]:
    """Write who was drawn into which arm of which campaign, and when."""
    lines: list[str] = []
    for name, campaign in planted.CAMPAIGNS.items():
        arm = piece.lives.arms[name]
        person = np.flatnonzero(arm >= 0)
        start = piece.window.first_day(campaign_month(name, piece.window))
        day = start + (piece.money.assigned_day[name][person] - 1)
        shares = campaign["arms"].values()
        columns = [
            text.pick((name,), np.zeros(len(person), dtype=int)),
            piece.customer_ids.take(pa.array(person)),
            text.pick(list(campaign["arms"]), arm[person]),
            text.times(day.astype("datetime64[m]") + 9 * 60),
            text.pick([f"{share:.2f}" for share in shares], arm[person]),
        ]
        lines += text.lines(columns, ",")
    return lines
