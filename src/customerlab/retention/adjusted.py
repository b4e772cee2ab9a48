"""Who leaves less among those who are not alike: shares compared within months since joining.

An association: what else the customers of a channel or product have in common is not taken out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd
import scipy

from customerlab.calendar_months import month_index
from customerlab.cells import cells
from customerlab.churn.curves import FEW_EVENTS, status_of
from customerlab.customers import own_movements
from customerlab.features import TENURE_BANDS, UNKNOWN, band

#: The channel of a month is the one used most in so many months before it.
CHANNEL_MONTHS = 3
#: Columns of the comparisons.
COMPARED = ["feature", "level", "n", "events", "share", "share_others", "ratio", "low", "high"]
COMPARED += ["status"]


def risk_ratio(
    n: np.ndarray, events: np.ndarray, n_others: np.ndarray, events_others: np.ndarray, alpha: float
) -> tuple[float, float, float]:
    r"""Return the ratio of two shares, compared within strata, and its interval.

    Mantel and Haenszel's ratio of risks with the variance of Greenland and Robins (1985),

    .. math:: RR = \frac{\sum a_k m_k / N_k}{\sum b_k n_k / N_k}

    with `a` events of `n` in the group, `b` of `m` among the others, `N` = `n` + `m`.

    Parameters
    ----------
    n, events, n_others, events_others : array
        Counts of each stratum.
    alpha : float
        The interval holds the ratio with a chance of ``1 - alpha``.
    """
    a, b, n, m = (np.asarray(x, dtype=float) for x in (events, events_others, n, n_others))
    both = (n > 0) & (m > 0)
    a, b, n, m = a[both], b[both], n[both], m[both]
    total = n + m
    mine, others = (a * m / total).sum(), (b * n / total).sum()
    if not mine or not others:
        return (float("nan"),) * 3
    spread = ((n * m * (a + b) - a * b * total) / total**2).sum() / (mine * others)
    half = scipy.stats.norm.ppf(1 - alpha / 2) * np.sqrt(spread)
    ratio = mine / others
    return float(ratio), float(ratio * np.exp(-half)), float(ratio * np.exp(half))


def compare_levels(counts: pd.DataFrame, everyone: pd.DataFrame, feature: str) -> pd.DataFrame:
    """Compare each level with all who do not have it, within months since joining.

    The intervals hold together (Bonferroni): so the lowest may be picked.

    Parameters
    ----------
    counts : DataFrame
        ``level``, ``tenure_band``, ``n``, ``events``. Levels may overlap.
    everyone : DataFrame
        ``tenure_band``, ``n``, ``events`` of all who are compared.
    feature : str

    Returns
    -------
    DataFrame
        ``feature``, ``level``, ``n``, ``events``, ``share``, ``share_others``, ``ratio`` with
        its interval ``low`` to ``high``, ``status``; the lowest ratio first. Without a ratio
        where fewer than 30 left, of the level or of the others.
    """
    whole = everyone.set_index("tenure_band")[["n", "events"]]
    parts = {}
    for level, mine in counts.groupby("level", sort=True):
        own = mine.set_index("tenure_band")[["n", "events"]].reindex(whole.index, fill_value=0)
        parts[level] = own, whole - own
    fewest = {
        name: min(own["events"].sum(), rest["events"].sum()) for name, (own, rest) in parts.items()
    }
    tested = sum(few >= FEW_EVENTS for few in fewest.values())
    rows = []
    for level, (own, rest) in parts.items():
        ratio = (float("nan"),) * 3
        if fewest[level] >= FEW_EVENTS:
            ratio = risk_ratio(own["n"], own["events"], rest["n"], rest["events"], 0.05 / tested)
        n, events = int(own["n"].sum()), int(own["events"].sum())
        others = rest["events"].sum() / rest["n"].sum() if rest["n"].sum() else float("nan")
        status = status_of(fewest[level])
        rows.append((feature, level, n, events, events / n, others, *ratio, status))
    table = pd.DataFrame(rows, columns=COMPARED)
    return table.sort_values(["ratio", "level"], ignore_index=True)


def channels_compared(
    rows: ir.Table, tables: Mapping[str, ir.Table], *, not_movements: Sequence[str]
) -> pd.DataFrame:
    """Compare exits a customer-month by the channel that the customer used most before it.

    Parameters
    ----------
    rows : table
        ``customer_id``, ``month``, ``tenure``, ``left``.
    tables : mapping of str to table
        ``transactions`` with ``channel``; otherwise nothing is compared.
    not_movements : sequence of str
        Kinds that the customer did not make; payroll is left out, too: its channel is the
        employer's.

    Returns
    -------
    DataFrame
        See :func:`compare_levels`; `n` are customer-months. Months after three without a
        movement in a known channel are not compared.
    """
    moved = own_movements(tables, [*not_movements, "payroll"])
    if moved is None or "channel" not in moved.columns:
        return pd.DataFrame(columns=COMPARED)
    moved = moved.filter(moved.channel.notnull())
    used = moved.group_by(
        whose="customer_id", level="channel", used=month_index(moved.occurred_at.date())
    ).aggregate(times=moved.count())
    used = used.mutate(ahead=ibis.range(1, CHANNEL_MONTHS + 1).cast("array<int64>").unnest())
    each = used.group_by("whose", "level", then=used.used + used.ahead)
    each = each.aggregate(times=used.times.sum())
    order = ibis.window(group_by=["whose", "then"], order_by=[each.times.desc(), each.level])
    most = each.mutate(place=ibis.row_number().over(order))
    most = most.filter(most.place == 0).select("whose", "then", "level")
    months = rows.select("customer_id", "left", "tenure", at_index=month_index(rows.month))
    months = months.join(most, [("customer_id", "whose"), ("at_index", "then")])
    months = months.mutate(tenure_band=band(months.tenure, TENURE_BANDS).fill_null(UNKNOWN))
    counts = cells(months, by=["level", "tenure_band"], sums={"events": months.left})
    everyone = counts.groupby("tenure_band", as_index=False)[["n", "events"]].sum()
    return compare_levels(counts, everyone, "channel")


def at_landmark(lines: ir.Table, *, horizon_months: int) -> tuple[ir.Table, int | None]:
    """Return who was a customer so long before the last month watched, and who left since.

    Returns
    -------
    table, int or None
        ``customer_id``, ``tenure_band``, ``left`` (0 or 1), and the number of the month at whose
        beginning they are looked at; None where nobody was watched.
    """
    joined = month_index(lines.joined_month)
    last = lines.aggregate(last=(joined + lines.duration - 1).max()).to_pandas()["last"].iloc[0]
    month = None if pd.isna(last) else int(last) - horizon_months + 1
    people = lines.mutate(tenure=ibis.literal(month or 0, "int64") - joined)
    people = people.filter((people.entry <= people.tenure) & (people.tenure < people.duration))
    return people.select(
        "customer_id",
        tenure_band=band(people.tenure, TENURE_BANDS).fill_null(UNKNOWN),
        left=people.churned.cast("int64"),  # whoever left, did so by the last month
    ), month


def products_compared(
    people: ir.Table, month: int | None, tables: Mapping[str, ir.Table]
) -> pd.DataFrame:
    """Compare the shares who left by the products that they held at the landmark.

    Parameters
    ----------
    people, month
        See :func:`at_landmark`.
    tables : mapping of str to table
        ``accounts`` with ``product`` and ``opened_on``; otherwise nothing is compared.

    Returns
    -------
    DataFrame
        See :func:`compare_levels`; `n` are customers. A product that all hold has no ratio.
    """
    accounts = tables.get("accounts")
    if month is None or accounts is None or not {"product", "opened_on"} <= set(accounts.columns):
        return pd.DataFrame(columns=COMPARED)
    day = ibis.date(month // 12, month % 12 + 1, 1)
    closed = accounts.closed_on if "closed_on" in accounts.columns else ibis.null("date")
    held = accounts.filter(
        accounts.product.notnull()
        & (accounts.opened_on < day)
        & (closed.isnull() | (closed >= day))
    )
    held = held.select(whose="customer_id", level="product").distinct()
    mine = people.join(held, [("customer_id", "whose")])
    counts = cells(mine, by=["level", "tenure_band"], sums={"events": mine.left})
    everyone = cells(people, by=["tenure_band"], sums={"events": people.left})
    return compare_levels(counts, everyone, "product")
