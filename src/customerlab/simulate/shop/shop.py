"""Put the demo shop together: its raw files, and the truth beside them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from customerlab.errors import CustomerlabError
from customerlab.simulate import text
from customerlab.simulate.files import Files
from customerlab.simulate.people import Window
from customerlab.simulate.shop import expected, lines, truth, voices
from customerlab.simulate.shop.dirt import Dirt
from customerlab.simulate.shop.members import Members, Products, draw_members, draw_products
from customerlab.simulate.shop.orders import Orders, campaign_day, draw_orders

#: The two years that the shop exports; the last day is the snapshot.
WINDOW = Window(np.datetime64("2024-01", "M"), 24)
#: So that there are rows enough to plant every kind of dirt in.
FEWEST_CUSTOMERS = 500
#: Globs of everything that the simulator writes; older files of these names are replaced.
OURS = (
    "members.csv",
    "products.csv",
    "order_lines.csv",
    "page_views_*.parquet",
    "survey.csv",
    "ratings.tsv",
    "service_desk.csv.gz",
    "mailings.csv",
    "mailing_lots.csv",
)
TRUTH_FILES = (
    "customers.parquet",
    "responses.parquet",
    "factors.json",
    "correlations.csv",
    "campaigns.json",
    "dirt.csv",
)


def simulate_shop(
    folder: Path, *, customers: int = 6_000, seed: int = 1, null_outcome: bool = False
) -> None:
    """Write a shop's raw files into `folder` and the truth about it into ``truth`` beside it.

    The same arguments give the same bytes.

    Parameters
    ----------
    folder : Path
        The client's raw folder; files that an earlier simulation left there are replaced.
    customers : int
        How many customers, at least 500.
    seed : int
        Seed of all random numbers.
    null_outcome : bool
        Plant no driver at all: repurchase depends on nothing.

    Raises
    ------
    CustomerlabError
        When there are too few customers.
    """
    if customers < FEWEST_CUSTOMERS:
        raise CustomerlabError(f"simulate: a shop needs {FEWEST_CUSTOMERS} customers or more.")
    rngs = [np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(8)]
    days = int((WINDOW.first_day(WINDOW.months) - WINDOW.first_day(0)).astype(int))
    members = draw_members(rngs[0], customers, WINDOW, days)
    sold = draw_products(rngs[1])
    young = members.age(WINDOW.first_day(0) + campaign_day("S1", days)) < 35
    orders = draw_orders(rngs[2], members, young, days, null_outcome=null_outcome)
    dirt = Dirt(rngs[3], customers)
    with (
        Files(folder, OURS) as raw,
        Files(folder.parent / "truth", TRUTH_FILES) as true,
    ):
        _write_books(raw, rngs[4], dirt, members, sold, orders, days)
        _write_views(raw, lines.visits(rngs[5], orders, members, WINDOW))
        answered, bored = voices.respondents(rngs[6], members, days)
        _write_voices(raw, rngs[7], dirt, members, orders, answered, bored, days)
        planted = {(table, kind): count for table, kind, count, _ in dirt.rows}
        straight_lined = bored[: planted["survey", "straight_lined"]]
        known = truth.customers(
            members, orders, answered, straight_lined, WINDOW, null_outcome=null_outcome
        )
        true.add_rows("customers.parquet", known)
        true.add_rows("responses.parquet", truth.responses(members, orders, young))
        true.whole("factors.json", truth.factors_json(null_outcome=null_outcome))
        true.whole("correlations.csv", expected.correlations(null_outcome).to_csv())
        true.whole("campaigns.json", truth.campaigns_json(WINDOW, days))
        true.whole("dirt.csv", dirt.csv())


def _write_books(
    raw: Files,
    rng: np.random.Generator,
    dirt: Dirt,
    members: Members,
    sold: Products,
    orders: Orders,
    days: int,
) -> None:
    """Write who bought what, and who got which mailing."""
    columns = text.lists(lines.customers(members, WINDOW))
    dirt.in_customers(columns)
    _write(raw, "members.csv", columns, encoding="utf-8-sig", newline="\r\n")
    _write(raw, "products.csv", text.lists(lines.products(sold)))
    columns = text.lists(lines.order_lines(rng, orders, members, sold, WINDOW, days))
    dirt.in_transactions(columns)
    _write(raw, "order_lines.csv", columns, separator=";")  # amounts hold commas
    _write(raw, "mailings.csv", text.lists(lines.campaigns(WINDOW, days)))
    columns = text.lists(lines.assignments(orders, members, WINDOW, days))
    dirt.in_assignments(columns)
    _write(raw, "mailing_lots.csv", columns)


def _write_views(raw: Files, views: dict[str, pa.Array]) -> None:
    """Write what was looked at, a file a year."""
    whole = pa.table(views)
    year = np.asarray(whole["seen_at"]).astype("U4")
    for one in np.unique(year):
        raw.add_rows(f"page_views_{one}.parquet", whole.filter(pa.array(year == one)))


def _write_voices(
    raw: Files,
    rng: np.random.Generator,
    dirt: Dirt,
    members: Members,
    orders: Orders,
    answered: np.ndarray,
    bored: np.ndarray,
    days: int,
) -> None:
    """Write what customers say."""
    columns = text.lists(voices.survey(rng, answered, orders, members, WINDOW))
    dirt.in_survey(columns, text.lists(voices.survey(rng, bored, orders, members, WINDOW)))
    _write(raw, "survey.csv", columns, encoding="gb18030", newline="\r\n")
    columns = text.lists(voices.ratings(rng, orders, members, WINDOW, days))
    dirt.in_ratings(columns)
    _write(raw, "ratings.tsv", columns, separator="\t")
    columns = text.lists(voices.interactions(rng, orders, members, WINDOW, days))
    dirt.in_interactions(columns)
    _write(raw, "service_desk.csv.gz", columns)


def _write(
    raw: Files,
    name: str,
    columns: dict[str, list],
    *,
    separator: str = ",",
    encoding: str = "utf-8",
    newline: str = "\n",
) -> None:
    """Write a text file as a whole."""
    raw.text(name, separator.join(columns), encoding, newline)
    raw.add_lines(name, text.list_lines(columns, separator))
