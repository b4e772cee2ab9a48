r"""Share of wallet: what customers hold elsewhere, from what the richest of their like hold here.

Nobody sees a customer's whole wallet. But among customers alike (age, region, occupation ...) some
hold nearly all they have here, so that a high conditional quantile of what is held here is about
what one of their like *could* hold (Rosset, Perlich, Zadrozny, Merugu, Weiss and Lawrence 2007,
Wallet estimation models, KDD). The wallet is that quantile, or what the customer holds if more;
what is held elsewhere is the difference. The quantile is an assumption, so figures in money come
with those of a lower and a higher one; the order of the customers hardly depends on it.

The regression is of :math:`\log` of the assets on categories: quantiles do not mind the logarithm.
It is fitted on counts of customers alike in all categories and, to one part in twenty, in assets.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd
from scipy import stats
from scipy.optimize import linprog

from customerlab.cells import cells
from customerlab.churn.curves import status_of
from customerlab.errors import CustomerlabError
from customerlab.findings import Finding
from customerlab.messages import say

#: Which quantile is taken for the wallet, and those beside it.
QUANTILE, BESIDE = 0.9, (0.8, 0.95)

#: A level of a category with fewer customers is joined with the most frequent one.
MIN_LEVEL = 50

#: Assets are alike within this step of their logarithm; None takes each amount as it is.
STEP = 0.05

#: Assets below one unit of money count as one, so that they have a logarithm.
LEAST = 1.0

_UNKNOWN = "unknown"


@dataclass(frozen=True)
class Wallets:
    """What customers of each kind could hold, by the quantile taken.

    Attributes
    ----------
    by : tuple of str
        The categories.
    cells : DataFrame
        `by` (``unknown`` where missing), ``n`` customers and ``log_wallet``, one row per
        combination seen.
    quantile : float
    table : DataFrame
        One row per quantile (the one taken and those beside it): ``quantile``, ``n``, ``here``
        and ``elsewhere`` (money, all customers), ``low`` to ``high`` (95 % of ``elsewhere``, from
        resampled customers; missing beside), ``share_here``.
    """

    by: tuple[str, ...]
    cells: pd.DataFrame
    quantile: float
    table: pd.DataFrame

    @property
    def finding(self) -> Finding:
        """``customer_value.held_elsewhere``: money that customers hold elsewhere."""
        row = self.table[self.table["quantile"] == self.quantile].iloc[0]
        status = status_of(row["n"])
        if status == "not_enough_data":
            text = say("Too few customers hold assets to estimate what is held elsewhere.")
            values: tuple = (None, None, None)
        else:
            values = tuple(float(row[name]) for name in ("elsewhere", "low", "high"))
            other = self.table[self.table["quantile"] != self.quantile]["elsewhere"]
            text = say(
                "Customers hold about {elsewhere:money} elsewhere ({low:money} to {high:money}), "
                "{share:percent0} of what they own is here. This takes what one in {one:number0} "
                "of like customers reaches for the whole wallet; other choices give {least:money} "
                "to {most:money}: use the order of customers rather than the amount.",
                elsewhere=values[0],
                low=values[1],
                high=values[2],
                share=float(row["share_here"]),
                one=1 / (1 - self.quantile),
                least=float(other.min()),
                most=float(other.max()),
            )
        return Finding(
            "customer_value.held_elsewhere",
            text,
            *values,
            unit="money",
            n=int(row["n"]),
            # an amount that rests on an assumption is never sure
            status="weak" if status == "supported" else status,
        )


def estimate_wallets(
    table: ir.Table,
    by: Sequence[str],
    *,
    rng: np.random.Generator,
    quantile: float = QUANTILE,
    assets: str = "assets",
    step: float | None = STEP,
    resamples: int = 12,
) -> Wallets:
    """Fit the high quantile of assets among like customers.

    Parameters
    ----------
    table : table
        One row per customer: categories `by`, and `assets` (money; who has no value is left out,
        below one unit counts as one).
    by : sequence of str
        Categories that say how much customers own; not what says how much of it is here.
    rng : Generator
        Draws the resamples.
    quantile : float
        Between 0.5 and 1.
    assets : str
    step : float, optional
        Of the logarithm of assets; None takes each amount as it is.
    resamples : int
        Of the customers, for the interval of the total.

    Raises
    ------
    CustomerlabError
        If the quantile is not within 0.5 to 1.
    """
    if not 0.5 <= quantile < 1:
        raise CustomerlabError(f"quantile: from 0.5 to below 1, not {quantile}")
    known = table.filter(table[assets].notnull())
    logs = ibis.greatest(known[assets].cast("float64"), LEAST).ln()
    place = logs.round(9) if step is None else (logs / step).round().cast("int64")
    alike = known.select(**{name: _level(known, name) for name in by}, _place=place)
    counted = cells(alike, [*by, "_place"])
    y = counted["_place"].to_numpy(dtype=float) * (step or 1)
    n = counted["n"].to_numpy(dtype=float)
    design = _design(counted, by)
    beside = [one for one in BESIDE if one != quantile]
    rows, kept = [], pd.DataFrame(columns=[*by, "n", "log_wallet"])
    for one in sorted([quantile, *beside]):
        logs_of = fit_quantile(y, design, n, one) if len(y) else y
        here, elsewhere = _totals(y, logs_of, n)
        ends = (np.nan, np.nan)
        if one == quantile and len(y):
            ends = _interval(y, design, n, one, elsewhere, rng, resamples)
            kept = counted.assign(log_wallet=logs_of).groupby(list(by), as_index=False)
            kept = kept.agg(n=("n", "sum"), log_wallet=("log_wallet", "first"))
        whole = here + elsewhere
        share = here / whole if whole else np.nan
        rows.append((one, int(n.sum()), here, elsewhere, *ends, share))
    columns = ["quantile", "n", "here", "elsewhere", "low", "high", "share_here"]
    return Wallets(tuple(by), kept, quantile, pd.DataFrame(rows, columns=columns))


def fit_quantile(y: np.ndarray, x: np.ndarray, n: np.ndarray, quantile: float) -> np.ndarray:
    r"""Return the conditional quantile of each row, rows counted `n` times.

    The least loss is found exactly, in its dual form (Koenker and Bassett 1978, Econometrica
    46:33-50): :math:`\max y'd` where :math:`X'd = (1 - \tau) X'n` and :math:`0 \le d \le n`; the
    coefficients are the prices of the equations. Ten times faster here than the steps of
    :class:`statsmodels.regression.quantile_regression.QuantReg`, which come near to it.

    Parameters
    ----------
    y, n : ndarray of shape (rows,)
    x : ndarray of shape (rows, columns)
        Of full rank, with a constant.
    quantile : float

    Raises
    ------
    RuntimeError
        When the solver finds no answer.
    """
    rows = np.column_stack([np.zeros(len(y)), n])
    found = linprog(-y, A_eq=x.T, b_eq=(1 - quantile) * (x.T @ n), bounds=rows, method="highs")
    if not found.success:
        raise RuntimeError(f"HiGHS found no quantile: {found.message}")
    return x @ -found.eqlin.marginals


def score_wallets(table: ir.Table, wallets: Wallets, *, assets: str = "assets") -> ir.Table:
    """Return what each customer may hold elsewhere.

    Returns
    -------
    table
        ``customer_id``, ``here``, ``wallet``, ``elsewhere`` (money) and ``share_here`` (of the
        wallet). Null for a customer without assets given, or of a combination never seen.
    """
    if wallets.cells.empty:
        nothing = {name: ibis.null("float64") for name in ("wallet", "elsewhere", "share_here")}
        return table.select("customer_id", here=table[assets].cast("float64"), **nothing)
    likes = wallets.cells.assign(like=np.exp(wallets.cells["log_wallet"]))
    likes = ibis.memtable(likes[[*wallets.by, "like"]].rename(columns=lambda c: f"_{c}"))
    mine = table.select(
        "customer_id",
        here=table[assets].cast("float64"),
        **{name: _level(table, name) for name in wallets.by},
    )
    both = mine.left_join(likes, [(name, f"_{name}") for name in wallets.by])
    known = both.here.notnull() & both["_like"].notnull()
    wallet = known.ifelse(ibis.greatest(both.here, both["_like"]), None)
    both = both.select("customer_id", "here", wallet=wallet)
    return both.mutate(
        elsewhere=both.wallet - both.here, share_here=both.here / both.wallet.nullif(0.0)
    )


def _level(table: ir.Table, name: str) -> ir.StringValue:
    return table[name].cast("string").fill_null(_UNKNOWN)


def _design(counted: pd.DataFrame, by: Sequence[str]) -> np.ndarray:
    """Return a constant, and a column for each level but the most frequent of each category."""
    columns = [np.ones(len(counted))]
    for name in by:
        sizes = counted.groupby(name)["n"].sum().sort_index().sort_values(kind="stable")
        alone = sizes.index[:-1][sizes.to_numpy()[:-1] >= MIN_LEVEL]
        columns += [(counted[name] == level).to_numpy(dtype=float) for level in sorted(alone)]
    return np.column_stack(columns)


def _totals(y: np.ndarray, log_wallet: np.ndarray, n: np.ndarray) -> tuple[float, float]:
    here = np.exp(y)
    return float(here @ n), float(np.clip(np.exp(log_wallet) - here, 0, None) @ n)


def _interval(
    y: np.ndarray,
    x: np.ndarray,
    n: np.ndarray,
    quantile: float,
    elsewhere: float,
    rng: np.random.Generator,
    resamples: int,
) -> tuple[float, float]:
    """Return the 95 % interval of the total, normal on the scale of its logarithm."""
    logs = []
    for _ in range(resamples if elsewhere > 0 else 0):
        drawn = rng.multinomial(int(n.sum()), n / n.sum()).astype(float)
        used = drawn > 0
        if np.linalg.matrix_rank(x[used]) < x.shape[1]:
            continue
        log_wallet = fit_quantile(y[used], x[used], drawn[used], quantile)
        logs.append(np.log(max(_totals(y[used], log_wallet, drawn[used])[1], 1e-9)))
    if len(logs) < 2:
        return np.nan, np.nan
    error = stats.t.ppf(0.975, len(logs) - 1) * float(np.std(logs, ddof=1))
    return float(elsewhere * np.exp(-error)), float(elsewhere * np.exp(error))
