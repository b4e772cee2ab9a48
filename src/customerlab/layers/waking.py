"""Waking the dormant: who came back before, and whom that suggests to approach now.

That customers of a group came back does not show that anything woke them, nor that a contact
would: hence the control, which is left alone and tells what the contact did.
"""

from __future__ import annotations

import datetime as dt

import ibis
import ibis.expr.types as ir
import pandas as pd

from customerlab.errors import CustomerlabError
from customerlab.lots import drawn

#: Stands where the data do not tell a product or a channel.
UNKNOWN = "unknown"

_GROUP = ("product", "channel")
_WOKE = ("woke_product", "woke_channel")
#: Columns of :func:`count_returns`.
RETURNS = (*_GROUP, "customers", "came_back", "share", "low", "high", *_WOKE)


def last_seen(
    customers: ir.Table, movements: ir.Table, accounts: ir.Table | None = None, *, day: dt.date
) -> ir.Table:
    """Return with what product and through what channel customers were last seen.

    Parameters
    ----------
    customers : table
        ``customer_id``, one row each; other columns are kept.
    movements : table
        Their own movements: see :func:`customerlab.customers.movements`.
    accounts : table, optional
        The clean canonical table.
    day : date
        Nothing later is looked at.

    Returns
    -------
    table
        `customers` with ``product`` (of the last movement that has one; of the oldest account
        open on `day` where no movement has one; else :data:`UNKNOWN`) and ``channel`` (of the last
        movement; :data:`UNKNOWN` where it has none, or the customer never moved). A movement's
        product is its own, or else that of its account.
    """
    # of these customers only: most movements are others'
    own = movements.semi_join(customers, "customer_id").select(*movements.columns)
    moved = _moves(own.filter(own.occurred_at.date() <= day), accounts)
    latest = _end_of_each(moved, latest=True)
    product = _end_of_each(moved.filter(moved.product.notnull()), latest=True)
    kept = [name for name in customers.columns if name not in {"product", "channel"}]
    seen = _with(customers.select(*kept), product.select("customer_id", _moved="product"))
    seen = _with(seen, latest.select("customer_id", _channel="channel"))
    held = ibis.null("string")
    if accounts is not None:
        seen = _with(seen, _oldest_account(accounts, day))
        held = seen["_held"]
    return seen.select(
        *kept,
        product=ibis.coalesce(seen["_moved"], held, ibis.literal(UNKNOWN)),
        channel=seen["_channel"].fill_null(UNKNOWN),
    )


def _moves(movements: ir.Table, accounts: ir.Table | None) -> ir.Table:
    """Return ``customer_id``, ``occurred_at``, ``key``, ``product`` and ``channel``."""

    def text(name: str) -> ir.StringValue:
        return movements[name] if name in movements.columns else ibis.null("string")

    moved = movements.select(
        "customer_id",
        "occurred_at",
        key=text("transaction_id"),
        account_id=text("account_id"),
        product=text("product"),
        channel=text("channel"),
    )
    if accounts is not None and "product" in accounts.columns and "account_id" in movements.columns:
        of_account = accounts.select("account_id", _of_account="product")
        joined = moved.left_join(of_account, "account_id")
        moved = joined.mutate(product=ibis.coalesce(joined.product, joined["_of_account"]))
    return moved.select("customer_id", "occurred_at", "key", "product", "channel")


def _end_of_each(moved: ir.Table, *, latest: bool) -> ir.Table:
    """Return the latest movement of each customer, or the first.

    Of two at the same moment the one with the smaller id, then channel, then product: so that
    every engine takes the same one.
    """
    at = moved.occurred_at.max() if latest else moved.occurred_at.min()
    ends = moved.group_by("customer_id").aggregate(_at=at)
    # only movements at that moment are put in order: a sort of all would not fit into memory
    joined = moved.inner_join(ends, ["customer_id", ("occurred_at", "_at")])
    moved = joined.select(*moved.columns)
    ties = [ibis.asc(moved[name], nulls_first=False) for name in ("key", "channel", "product")]
    place = ibis.row_number().over(group_by=moved.customer_id, order_by=ties)
    numbered = moved.mutate(place=place)
    return numbered.filter(numbered.place == 0).select(*moved.columns)


def _oldest_account(accounts: ir.Table, day: dt.date) -> ir.Table:
    """Return the product of each customer's oldest account open on `day`, as ``_held``."""

    def date(name: str) -> ir.DateValue:
        return accounts[name] if name in accounts.columns else ibis.null("date")

    held = accounts.select(
        "customer_id",
        "account_id",
        product=accounts.product if "product" in accounts.columns else ibis.null("string"),
        opened_on=date("opened_on"),
        closed_on=date("closed_on"),
    )
    held = held.filter(
        held.product.notnull()
        & (held.opened_on.isnull() | (held.opened_on <= day))
        & (held.closed_on.isnull() | (held.closed_on > day))
    )
    age = ibis.asc(held.opened_on, nulls_first=False)
    place = ibis.row_number().over(group_by=held.customer_id, order_by=[age, held.account_id])
    numbered = held.mutate(place=place)
    return numbered.filter(numbered.place == 0).select("customer_id", _held="product")


def _with(left: ir.Table, right: ir.Table) -> ir.Table:
    joined = left.left_join(right, "customer_id")
    return joined.select(*left.columns, *[c for c in right.columns if c != "customer_id"])


def count_returns(
    past: ir.Table,
    movements: ir.Table,
    accounts: ir.Table | None = None,
    *,
    landmark: dt.date,
    until: dt.date,
) -> pd.DataFrame:
    """Count which of those dormant at a landmark came back, by product and channel.

    Parameters
    ----------
    past : table
        One row per customer dormant at the landmark: ``customer_id`` and ``came_back`` (boolean).
    movements, accounts
        Of all time; see :func:`last_seen`.
    landmark, until : date
        What was known up to and including the landmark makes the group; what came after, up to
        and including `until`, is the return.

    Returns
    -------
    DataFrame
        One row per group, the largest first: ``product`` and ``channel`` (see :func:`last_seen`),
        ``customers``, ``came_back``, ``share`` with ``low`` and ``high`` (Wilson's 95 % interval:
        1927, JASA 22, 209-212), ``woke_product`` and ``woke_channel``: each the most frequent one
        in the first movement of those who came back (of equals the first by name;
        :data:`UNKNOWN` only where no such movement has one, null where nobody came back).
    """
    from statsmodels.stats.proportion import proportion_confint  # slow to import

    seen = last_seen(past.select("customer_id", "came_back"), movements, accounts, day=landmark)
    day = movements.occurred_at.date()
    after = movements.filter((day > landmark) & (day <= until))
    after = after.semi_join(past, "customer_id").select(*movements.columns)
    back = _end_of_each(_moves(after, accounts), latest=False)
    back = back.select("customer_id", _product="product", _channel="channel")
    joined = _with(seen, back)
    counted = (
        joined.group_by(
            "product",
            "channel",
            came_back=joined.came_back.fill_null(False),
            woke_product=joined["_product"],
            woke_channel=joined["_channel"],
        )
        .aggregate(n=lambda t: t.count())
        .to_pandas()
    )
    rows = []
    for (product, channel), group in counted.groupby(["product", "channel"]):
        returned = group[group["came_back"]]
        rows.append(
            {
                "product": product,
                "channel": channel,
                "customers": int(group["n"].sum()),
                "came_back": int(returned["n"].sum()),
                "woke_product": _most_frequent(returned, "woke_product"),
                "woke_channel": _most_frequent(returned, "woke_channel"),
            }
        )
    table = pd.DataFrame(rows, columns=[*_GROUP, "customers", "came_back", *_WOKE])
    low, high = proportion_confint(table["came_back"], table["customers"], method="wilson")
    share = table["came_back"] / table["customers"]
    table = table.assign(share=share, low=low, high=high)[[*RETURNS]]
    order = table.sort_values(["customers", *_GROUP], ascending=[False, True, True])
    return order.reset_index(drop=True)


def _most_frequent(returned: pd.DataFrame, column: str) -> str | None:
    if returned.empty:
        return None
    times = returned.groupby(column)["n"].sum()  # by name, without those that do not tell
    return times.idxmax() if len(times) else UNKNOWN


def propose_waking(
    dormant_now: ir.Table,
    returns: pd.DataFrame,
    *,
    seed: int,
    control_share: float,
    min_customers: int,
    notebook: str = "02_invalid_customers",
) -> ir.Table:
    """Return whom of the dormant to contact, and whom to leave alone as control.

    Parameters
    ----------
    dormant_now : table
        From :func:`last_seen` of those dormant at the snapshot: ``customer_id``, ``product`` and
        ``channel``.
    returns : DataFrame
        From :func:`count_returns` (not masked).
    seed : int
    control_share : float
        From 0 to below 1: about this share of the list is left alone.
    min_customers : int
        A group must have had so many in the past.
    notebook : str
        Lists of other notebooks draw other controls.

    Returns
    -------
    table
        ``customer_id``, ``reason`` (``dormant: <product>/<channel>`` of the last movement),
        ``product`` and ``channel`` (what those of the group came back with and through), ``arm``
        (``contact`` or ``control``). Only customers of groups that came back at least as often as
        all the dormant did.

    Raises
    ------
    CustomerlabError
        When `control_share` is no share below 1.
    """
    if not 0 <= control_share < 1:
        raise CustomerlabError(
            f"the control is a share from 0 to below 1 of the list, found {control_share}"
        )
    groups = _promising(returns, min_customers)[[*_GROUP, *_WOKE]]
    chosen = ibis.memtable(groups, schema=ibis.schema(dict.fromkeys(groups.columns, "string")))
    chosen = chosen.select(
        _last_product="product",
        _last_channel="channel",
        _product="woke_product",
        _channel="woke_channel",
    )
    listed = dormant_now.select("customer_id", *_GROUP).inner_join(
        chosen, [("product", "_last_product"), ("channel", "_last_channel")]
    )
    control = drawn(seed, notebook, listed.customer_id, control_share)
    reason = ibis.literal("dormant: ") + listed.product + ibis.literal("/") + listed.channel
    return listed.select(
        "customer_id",
        reason=reason,
        product=listed["_product"],
        channel=listed["_channel"],
        arm=control.ifelse("control", "contact"),
    )


def _promising(returns: pd.DataFrame, min_customers: int) -> pd.DataFrame:
    """Return the groups that are large enough and came back at least as often as all."""
    people, back = int(returns["customers"].sum()), int(returns["came_back"].sum())
    # in whole numbers, so that a group that is like all is not lost to a rounding error
    as_often = returns["came_back"] * people >= back * returns["customers"]
    return returns[as_often & (returns["came_back"] > 0) & (returns["customers"] >= min_customers)]
