"""Put the demo bank together: its raw files, and the truth beside them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from math import ceil
from pathlib import Path

import numpy as np
import pyarrow as pa

from customerlab.errors import CustomerlabError
from customerlab.simulate import contacts, planted, rows, text, truth, voices
from customerlab.simulate.dirt import Dirt
from customerlab.simulate.files import OURS, Files
from customerlab.simulate.lives import campaign_month, live
from customerlab.simulate.money import LONGEST_FALL, Money
from customerlab.simulate.outlook import draw_next_exits
from customerlab.simulate.people import Window, draw_people
from customerlab.simulate.truth import Piece

#: Mean number of accounts of a customer: the share of further accounts decides it.
ACCOUNTS_PER_CUSTOMER = 1.75
#: Customers per piece: about 1.5 million transactions, well under 1 GB of memory.
PIECE = 50_000
#: Campaigns need months before and after them, and the idle rule a year.
FEWEST_MONTHS = 14
#: So that there are rows enough to plant every kind of dirt in.
FEWEST_CUSTOMERS = 500
#: The month whose balances and transactions are spoilt, counted from the window's start.
DIRTY_MONTH = 4
#: Columns of the ratings file between time and comment.
RATED = (*voices.ITEMS, "overall")
TRUTH_FILES = (
    "customers.parquet",
    "hazards.parquet",
    "responses.parquet",
    "contacts.parquet",
    "response_chances.parquet",
    "hazard.json",
    "campaigns.json",
    "contacts.json",
    "factors.json",
    "dirt.csv",
)


def simulate_bank(
    folder: Path,
    *,
    customers: int | None = 20_000,
    accounts: int | None = None,
    seed: int = 1,
    snapshot: date = date(2025, 12, 31),
    months: int = 24,
    piece: int = PIECE,
    report: Callable[[str], None] | None = None,
) -> None:
    """Write a bank's raw files into `folder` and the truth about it into ``truth`` beside it.

    The same arguments give the same bytes. A piece of customers depends on the seed, on its
    place and on its size only, so that the first pieces of a larger bank are those of a
    smaller one.

    Parameters
    ----------
    folder : Path
        The client's raw folder; files that an earlier simulation left there are replaced.
    customers : int
        How many customers.
    accounts : int, optional
        About how many accounts instead, at 1.75 a customer.
    seed : int
        Seed of all random numbers.
    snapshot : date
        Last day of the window, the last of its month.
    months : int
        Length of the window, at least 14.
    piece : int
        Customers that are made and written at a time; bounds the memory.
    report : callable, optional
        Is told about the progress, a line at a time.
    """
    if accounts is not None:
        customers = ceil(accounts / ACCOUNTS_PER_CUSTOMER)
    if customers is None or min(customers, piece) < FEWEST_CUSTOMERS:
        raise CustomerlabError(
            f"simulate: a bank needs {FEWEST_CUSTOMERS} customers "
            f"(about {FEWEST_CUSTOMERS * ACCOUNTS_PER_CUSTOMER:.0f} accounts) or more, "
            f"in pieces no smaller than that."
        )
    if months < FEWEST_MONTHS:
        raise CustomerlabError(f"simulate: months must be {FEWEST_MONTHS} or more, not {months}.")
    if (snapshot + timedelta(days=1)).day != 1:
        raise CustomerlabError(
            f"simulate: the snapshot must be the last day of a month, not {snapshot}."
        )
    window = Window(np.datetime64(snapshot, "M") - (months - 1), months)
    dirt = Dirt(np.random.default_rng([seed, 0]), min(piece, customers))
    with (
        Files(folder, OURS) as raw,
        Files(folder.parent / "truth", TRUTH_FILES) as true,
    ):
        _open(raw, window)
        pieces = ceil(customers / piece)
        for place in range(pieces):
            first = place * piece
            size = min(piece, customers - first)
            _write_piece(raw, true, place, first, size, seed, window, dirt if place == 0 else None)
            if report is not None:
                report(
                    f"piece {place + 1} of {pieces}: customers {first + 1:,} to {first + size:,}"
                )
        true.whole("hazard.json", truth.hazard_json())
        true.whole("campaigns.json", truth.campaigns_json(window))
        true.whole("contacts.json", truth.contacts_json())
        true.whole("factors.json", truth.factors_json())
        true.whole("dirt.csv", dirt.csv())


def _open(raw: Files, window: Window) -> None:
    """Open the text files with the bank's own headers, and write the campaigns."""
    raw.text(
        "customers.csv",
        "cust_no,cust_name,mobile,sex,birth,region,occup,source,open_date,contrib_12m",
        encoding="gb18030",
        newline="\r\n",
    )
    raw.text(
        "accounts.csv",
        "acct_no,cust_no,product,branch,opened,closed,balance,payroll_flag,last_moved",
        encoding="utf-8-sig",
    )
    raw.text("interactions.csv.gz", "customer_id;occurred_at;channel;topic;case_id;resolved;note")
    raw.text("ratings.tsv", "\t".join(("customer_id", "occurred_at", *RATED, "comment")))
    raw.text("assignments.csv", "campaign_id,customer_id,arm,assigned_at,propensity")
    raw.text(
        "contacts.csv",
        "cust_no,contacted_at,product,channel,staff_id,branch,result,call_seconds",
    )
    raw.text("campaigns.csv", "campaign_id,name,product,channel,starts_on,ends_on,contact_cost")
    for name, campaign in planted.CAMPAIGNS.items():
        starts = window.first_day(campaign_month(name, window))
        fields = (
            name,
            campaign["name"],
            campaign["product"],
            campaign["channel"],
            starts,
            starts + 27,
            f"{campaign['contact_cost']:.2f}",
        )
        raw.add_lines("campaigns.csv", [",".join(str(value) for value in fields)])


def _write_piece(
    raw: Files,
    true: Files,
    place: int,
    first: int,
    size: int,
    seed: int,
    window: Window,
    dirt: Dirt | None,
) -> None:
    """Make one piece and append it to all files; `dirt` is given for the first one."""
    # The same as SeedSequence(seed).spawn(...)[place], without making the others.
    seeds = np.random.SeedSequence(seed, spawn_key=(place,)).spawn(8)
    rngs = [np.random.default_rng(child) for child in seeds]
    people, accounts = draw_people(rngs[0], first, size, window)
    lives = live(rngs[1], people, window)
    next_exits = draw_next_exits(rngs[7], people, lives, window, months=LONGEST_FALL)
    money = Money(rngs[2], people, accounts, lives, window, next_exits)
    piece = Piece(people, accounts, lives, money, window)
    assets = _write_money(raw, piece, place, dirt)
    _write_contacts(raw, true, piece, rngs[6], assets)
    _write_words(raw, piece, rngs[3], rngs[4], dirt)
    true.add_rows("customers.parquet", truth.customers(piece, rngs[5]))
    true.add_rows("hazards.parquet", truth.hazards(piece))
    true.add_rows("responses.parquet", truth.responses(piece))


def _write_money(raw: Files, piece: Piece, place: int, dirt: Dirt | None) -> np.ndarray:
    """Book the window month by month, and write each as it is booked.

    Returns
    -------
    array of float, shape (customers, months + 1)
        Assets in yuan when each month begins, and at the snapshot.
    """
    ids = rows.account_ids(piece)
    transactions, balances = f"tx_{place:03d}.parquet", f"balances_{place:03d}.parquet"
    # Numbers of a piece start with its place, whatever the sizes of the pieces before.
    number = place * 10**9
    after_snapshot = f"{piece.window.first_day(piece.window.months) + 9} 10:00:00"
    assets = [piece.assets()]
    for month in range(piece.window.months):
        batch = piece.money.step(month)
        assets.append(piece.assets())
        moves = rows.transactions(piece, batch, ids, number)
        number += moves.num_rows
        ends = rows.balances(piece, month, piece.money.balances(), ids)
        if dirt is not None and month == DIRTY_MONTH:
            columns = moves.to_pydict()
            dirt.in_transactions(columns, after_snapshot)
            moves = pa.table(columns, schema=moves.schema)
            columns = ends.to_pydict()
            dirt.in_balances(columns)
            ends = pa.table(columns, schema=ends.schema)
        raw.add_rows(transactions, moves)
        raw.add_rows(balances, ends)
    raw.close_rows(transactions)
    raw.close_rows(balances)
    return np.column_stack(assets)


def _write_contacts(
    raw: Files, true: Files, piece: Piece, rng: np.random.Generator, assets: np.ndarray
) -> None:
    """Write whom staff contacted and what came of it, and every customer's true chances."""
    about, ids = (piece.people, piece.lives, piece.window), piece.customer_ids
    drawn = contacts.draw_contacts(rng, *about, assets)
    branch = rows.branch_of(piece)
    lines = contacts.contact_lines(drawn, ids, branch, rows.branches())
    raw.add_lines("contacts.csv", lines)
    true.add_rows("contacts.parquet", contacts.contacts_truth(drawn, ids))
    offers = contacts.offers_today(*about, assets[:, -1])
    true.add_rows("response_chances.parquet", contacts.chances_truth(offers, ids))


def _write_words(
    raw: Files,
    piece: Piece,
    spoken: np.random.Generator,
    asked: np.random.Generator,
    dirt: Dirt | None,
) -> None:
    """Write a piece's part of the text files."""
    columns = text.lists(rows.customers(piece))
    if dirt is not None:
        dirt.in_customers(columns)
    raw.add_lines("customers.csv", text.list_lines(columns, ","))
    columns = text.lists(rows.accounts(piece))
    if dirt is not None:
        dirt.in_accounts(columns)
    raw.add_lines("accounts.csv", text.list_lines(columns, ","))
    columns = text.lists(voices.ratings(asked, piece.people, piece.lives, piece.window))
    if dirt is not None:
        dirt.in_ratings(columns, voices.ITEMS)
    raw.add_lines("ratings.tsv", text.list_lines(columns, "\t"))
    table = voices.interactions(spoken, piece.people, piece.lives, piece.window)
    lines = text.lines(table.values(), ";")
    raw.add_lines("interactions.csv.gz", dirt.in_interactions(lines) if dirt else lines)
    lines = rows.assignments(piece)
    raw.add_lines("assignments.csv", dirt.in_assignments(lines) if dirt else lines)
