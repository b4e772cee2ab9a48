"""Whom staff contact, with what, and whether it sells: not drawn by lot, as staff have favourites.

Who buys depends on what was known when the month of the contact began, and on what was offered and
how. Who made the contact, and in which branch, is a planted nothing.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa

from customerlab.simulate import planted, text
from customerlab.simulate.lives import Lives
from customerlab.simulate.people import People, Window

PRODUCTS = tuple(dict.fromkeys(product for product, _ in planted.OFFERED))
CHANNELS = tuple(dict.fromkeys(channel for _, channel in planted.OFFERED))
#: People in each branch who contact customers.
STAFF_PER_BRANCH = 4
#: Contacts are made from eight to six (minutes of the day).
FIRST_MINUTE, LAST_MINUTE = 8 * 60, 18 * 60


def known_at(
    people: People, lives: Lives, window: Window, month: int, assets: np.ndarray
) -> pd.DataFrame:
    """Return what is known of each customer when a month begins, as `planted.sale_chance` reads it.

    Parameters
    ----------
    month : int
        Counted from the window's start; its length is the month after the snapshot.
    assets : array of float
        Yuan over all accounts at the end of the month before.
    """
    unresolved = np.zeros(len(people), dtype=np.int64)
    for contact in lives.contacts[:month]:
        unresolved += np.bincount(contact["person"], ~contact["resolved"], len(people)).astype(int)
    paid = lives.paid[:, :month]
    state = np.where(paid[:, -1], 1, np.where(paid.any(axis=1), 2, 0))
    return pd.DataFrame(
        {
            "assets": assets,
            "age": people.age(window, month),
            "payroll": np.array(planted.PAYROLL_STATES, dtype=object)[state],
            "unresolved": unresolved,
        }
    )


def draw_contacts(
    rng: np.random.Generator, people: People, lives: Lives, window: Window, assets: np.ndarray
) -> pd.DataFrame:
    """Draw one piece's contacts in the last twelve months, nobody twice in a month.

    Parameters
    ----------
    assets : array of float, shape (customers, months)
        Yuan over all accounts when each month begins.

    Returns
    -------
    DataFrame
        In the order of time: ``person``, ``moment`` (datetime64[m]), ``product``, ``channel``,
        ``staff`` (from 0 in each branch), ``chance``, ``responded``, ``seconds`` and what was known
        of the customer.
    """
    parts = []
    for month in range(window.months - planted.CONTACT_MONTHS, window.months):
        known = known_at(people, lives, window, month, assets[:, month])
        here = lives.active[:, month - 1] & ~lives.leaves[:, month - 1]
        joined = people.joined_month < month
        chance = planted.contacted_chance(
            *(known[name].to_numpy() for name in ("assets", "age", "payroll"))
        )
        chance = np.where(here, chance, planted.CONTACTED_IDLE * joined)
        person = np.flatnonzero(rng.random(len(people)) < chance)
        known, n = known.iloc[person].reset_index(drop=True), len(person)
        day = window.first_day(month) + rng.integers(0, window.length(month), n)
        minute = rng.integers(FIRST_MINUTE, LAST_MINUTE, n)
        young = (known["age"] < 45).to_numpy()
        share = np.where(young, *(planted.OFFERS_INSURANCE[key] for key in ("under 45", "others")))
        known.insert(0, "person", person)
        known.insert(1, "moment", day.astype("datetime64[m]") + minute)
        known["product"] = np.where(rng.random(n) < share, "insurance", "term_deposit")
        by_call = rng.random(n) < planted.CONTACT_BY_CALL
        known["channel"] = np.where(by_call, "call", "branch")
        known["staff"] = rng.integers(0, STAFF_PER_BRANCH, n)
        parts.append(known)
    drawn = pd.concat(parts).sort_values(["moment", "person"], ignore_index=True)
    drawn["chance"] = sale_chance(drawn)
    drawn["responded"] = rng.random(len(drawn)) < drawn["chance"]
    yes, no = planted.TALK_SECONDS["yes"], planted.TALK_SECONDS["no"]
    middle, spread = (np.where(drawn["responded"], *ends) for ends in zip(yes, no, strict=True))
    drawn["seconds"] = np.rint(middle * np.exp(spread * rng.normal(size=len(drawn)))).astype(int)
    return drawn


def sale_chance(known: pd.DataFrame) -> np.ndarray:
    """Return the planted chance of each row's offer to the customer of that row."""
    names = ("product", "channel", "assets", "age", "payroll", "unresolved")
    return planted.sale_chance(*(known[name].to_numpy() for name in names))


def contact_lines(
    drawn: pd.DataFrame, ids: pa.Array, branch: np.ndarray, branches: list[str]
) -> list[str]:
    """Write contacts as the bank's lines.

    Parameters
    ----------
    ids : array
        Keys of the piece's customers.
    branch : array of int
        Each customer's branch, a place in `branches`.
    """
    person = drawn["person"].to_numpy()
    staff = branch[person] * STAFF_PER_BRANCH + drawn["staff"].to_numpy()
    columns = [
        ids.take(pa.array(person)),
        text.times(drawn["moment"].to_numpy()),
        pa.array(drawn["product"], pa.string()),
        pa.array(drawn["channel"], pa.string()),
        text.ids("S", 4, staff),
        text.pick(branches, branch[person]),
        text.pick(("no", "yes"), drawn["responded"].to_numpy(dtype=int)),
        pa.array(drawn["seconds"]).cast(pa.string()),
    ]
    return text.lines(columns, ",")


def contacts_truth(drawn: pd.DataFrame, ids: pa.Array) -> pa.Table:
    """Write each contact's true chance beside what came of it."""
    return pa.table(
        {
            "customer_id": ids.take(pa.array(drawn["person"].to_numpy())),
            "contacted_at": pa.array(drawn["moment"].to_numpy().astype("datetime64[s]")),
            "product": pa.array(drawn["product"], pa.string()),
            "channel": pa.array(drawn["channel"], pa.string()),
            "chance": pa.array(drawn["chance"].to_numpy()),
            "responded": pa.array(drawn["responded"].to_numpy()),
        }
    )


def offers_today(people: People, lives: Lives, window: Window, assets: np.ndarray) -> pd.DataFrame:
    """Return every offer to every customer who is active at the snapshot.

    Parameters
    ----------
    assets : array of float, shape (customers,)
        Yuan over all accounts at the snapshot.

    Returns
    -------
    DataFrame
        ``person``, ``product``, ``channel``, ``chance`` and what is known of the customer.
    """
    known = known_at(people, lives, window, window.months, assets)
    person = lives.final["person"].to_numpy()
    known = known.iloc[np.repeat(person, len(planted.OFFERED))].reset_index(names="person")
    offers = np.array(list(planted.OFFERED), dtype=object)
    known[["product", "channel"]] = np.tile(offers, (len(person), 1))
    return known.assign(chance=sale_chance(known))


def chances_truth(offers: pd.DataFrame, ids: pa.Array) -> pa.Table:
    """Write the true chance of every offer to every customer who is active at the snapshot."""
    return pa.table(
        {
            "customer_id": ids.take(pa.array(offers["person"].to_numpy())),
            "product": pa.array(offers["product"], pa.string()),
            "channel": pa.array(offers["channel"], pa.string()),
            "chance": pa.array(offers["chance"].to_numpy()),
        }
    )
