"""Share of wallet by groups of customers, as a report may show it, and beside a planted truth."""

from __future__ import annotations

import ibis.expr.types as ir
import numpy as np
import pandas as pd
from scipy import stats

from customerlab.cells import cells
from customerlab.churn.curves import status_of
from customerlab.features import UNKNOWN, level_name
from customerlab.findings import STATUSES
from customerlab.privacy import HIDDEN, mask_counts
from customerlab.value.wallet import Wallets

#: Columns of :func:`wallet_groups`.
COLUMNS = ["group", "customers", "here", "elsewhere", "share_here", "status"]


def wallet_groups(scored: ir.Table, groups: ir.Table, by: str) -> pd.DataFrame:
    """Sum up what each group of customers holds here and elsewhere.

    Parameters
    ----------
    scored : table
        Of :func:`customerlab.value.wallet.score_wallets`.
    groups : table
        ``customer_id`` and the column `by`, for instance the products or the segment.
    by : str

    Returns
    -------
    DataFrame
        ``group``, ``customers``, ``here`` and ``elsewhere`` (money), ``share_here``, ``status`` by
        the number of customers; what is most held elsewhere comes first.
    """
    named = groups.select(whose="customer_id", group=groups[by].cast("string").fill_null(UNKNOWN))
    both = scored.filter(scored.wallet.notnull()).join(named, [("customer_id", "whose")])
    exact = {name: both[name].round(6).cast("decimal(38, 6)") for name in ("here", "elsewhere")}
    table = cells(both, ["group"], exact, n="customers")
    table = table.astype({"here": float, "elsewhere": float})
    whole = table["here"] + table["elsewhere"]
    table["share_here"] = table["here"] / whole.where(whole != 0)
    table["status"] = [status_of(n) for n in table["customers"]]
    order = ["elsewhere", "group"]
    return table[COLUMNS].sort_values(order, ascending=[False, True], ignore_index=True)


def groups_to_show(table: pd.DataFrame, min_cell: int, by: str) -> pd.DataFrame:
    """Return the groups of `by` as a report may show them: small ones are masked with their money.

    In words, where a group is none of the client's own.
    """
    money = ["here", "elsewhere", "share_here"]
    whole = [(None, range(len(table)))]
    shown = mask_counts(table, min_cell=min_cell, counts=["customers"], with_them=money, sums=whole)
    names = [level_name(by, group) for group in table["group"]]
    return shown.assign(group=names, status=table["status"].map(STATUSES))


def wallets_to_show(wallets: Wallets, min_cell: int) -> pd.DataFrame:
    """Return the totals by quantile as a report may show them; of few customers they are hidden."""
    table = wallets.table
    shown = mask_counts(table, min_cell=min_cell, counts=["n"])
    few = table["n"].between(1, min_cell - 1)
    for name in ("here", "elsewhere", "low", "high", "share_here"):
        shown[name] = table[name].astype(object).mask(few & table[name].notna(), HIDDEN)
    return shown


def judge_wallets(scored: ir.Table, truth: ir.Table) -> dict[str, float]:
    """Return how well estimates order the customers, where the truth was planted.

    Parameters
    ----------
    scored : table
        Of :func:`score_wallets`.
    truth : table
        ``customer_id``, ``wallet``: what each customer owns in truth.

    Returns
    -------
    dict
        Spearman's rank correlation of estimate and truth for ``wallet``, ``elsewhere`` and
        ``share_here``, missing where either does not vary; ``n``.
    """
    true = truth.select(whose="customer_id", true_wallet=truth.wallet.cast("float64"))
    both = scored.filter(scored.wallet.notnull()).join(true, [("customer_id", "whose")])
    rows = both.order_by("customer_id").to_pandas()
    rows["true_elsewhere"] = rows["true_wallet"] - rows["here"]
    rows["true_share_here"] = rows["here"] / rows["true_wallet"]
    found: dict[str, float] = {"n": len(rows)}
    for name in ("wallet", "elsewhere", "share_here"):
        vary = min(rows[name].nunique(), rows[f"true_{name}"].nunique()) > 1
        rank = stats.spearmanr(rows[name], rows[f"true_{name}"])[0] if vary else np.nan
        found[name] = float(rank)
    return found
