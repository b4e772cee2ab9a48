"""How many have left in each of several ways (cumulative incidence), from counts of customers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy

from customerlab.churn.curves import count_at_risk, first_month, logrank_test, status_of
from customerlab.churn.levels import as_levels, natural_order

_TABLE = ["group", "exit", "month", "at_risk", "events", "incidence", "low", "high"]
_GROUPS = ["group", "exit", "customers", "events", "begins", "status"]
_TESTS = ["exit", "statistic", "df", "p_value"]


@dataclass(frozen=True)
class Incidence:
    """Share of customers who have left in each way up to each month.

    Attributes
    ----------
    table : DataFrame
        ``group``, ``exit``, ``month``, ``at_risk`` (just before the month ends, whatever the
        exit), ``events``, ``incidence``, ``low``, ``high``: the 95 % interval on the log-log
        scale, which stays within 0 and 1. Before the first exit there is no interval, and both
        ends are 0.
    groups : DataFrame
        One row per group and exit: ``group``, ``exit``, ``customers``, ``events``, ``begins``
        (as for :class:`customerlab.churn.Survival`: from some tenure on where too few were seen
        before) and ``status``. Customers gone before ``begins`` are not counted.
    exits : tuple of str
        The most frequent first. Empty where nobody left; then the tables are, too.
    by : str or None
        What the groups are groups of; None for all customers, whose group is ``all``.
    tests : DataFrame
        ``exit``, ``statistic`` (chi-squared), ``df``, ``p_value``: the log-rank test between the
        groups with the other exits as censored. It compares how often this exit is taken among
        those still here, not the shares of the curves, which other exits lower, too.
    """

    table: pd.DataFrame
    groups: pd.DataFrame
    exits: tuple[str, ...]
    by: str | None
    tests: pd.DataFrame

    def at(self, month: float) -> pd.DataFrame:
        """Return the row of each group and exit that holds at `month`; none where none was seen."""
        rows = self.table.loc[self.table["month"] <= month]
        rows = rows.groupby(["group", "exit"], sort=False).tail(1)
        last = self.table.groupby("group", sort=False)["month"].max()
        return rows.loc[rows["group"].map(last) >= month].reset_index(drop=True)


def cumulative_incidence(counts: pd.DataFrame, by: str | None = None) -> Incidence:
    r"""Estimate the share that has left in each way, by Aalen and Johansen's product.

    .. math:: F_k(t) = \sum_{s \le t} S(s-) \, d_{ks} / r_s

    with :math:`d_{ks}` exits of kind ``k`` among :math:`r_s` at risk, and :math:`S(s-)` the share
    still here before ``s`` (Kaplan and Meier's, of any exit). One minus Kaplan and Meier's curve of
    one exit, the others taken as censored, would answer what happened if nobody could leave in
    another way, and is too large.

    The variance is that of R's ``survfit`` for several states, the infinitesimal jackknife:
    :math:`\sum_i n_i U_{ik}(t)^2`, where :math:`U_{ik}(t)` is the derivative of :math:`F_k(t)` by
    the weight of a customer of cell ``i``. Customers of one cell have the same, so a cell counts
    as its ``n`` customers, each of whom stands for itself (R: ``id`` differs in each row).

    Parameters
    ----------
    counts : DataFrame
        ``duration``, ``exit`` (text; missing where censored), ``n`` customers; ``entry`` where
        observation began later: at risk after it.
    by : str, optional
        Column of the group. No value is a group of its own.
    """
    group = as_levels(counts[by]) if by else pd.Series("all", index=counts.index)
    exit_ = counts["exit"].astype("string").astype(object)
    data = pd.DataFrame(
        {
            "group": group,
            "entry": counts["entry"].astype(float) if "entry" in counts else 0.0,
            "duration": counts["duration"].astype(float),
            "exit": exit_.where(counts["exit"].notna(), ""),
            "n": counts["n"].astype("int64"),
        }
    )
    data = data.groupby(["group", "entry", "duration", "exit"], as_index=False)["n"].sum()
    data = data.loc[(data["n"] > 0) & (data["duration"] > data["entry"])]
    frequent = data.loc[data["exit"] != ""].groupby("exit")["n"].sum()
    exits = tuple(frequent.sort_values(ascending=False, kind="stable").index)  # ties by name
    tables, rows = [], []
    for name in sorted(data["group"].unique(), key=natural_order) if exits else ():
        one = data.loc[data["group"] == name]
        begins = first_month(one)
        one = one.assign(entry=one["entry"].clip(begins)).loc[one["duration"] > begins]
        tables.append(_curves(one, begins, exits).assign(group=name))
        for kind in exits:
            events = int(one.loc[one["exit"] == kind, "n"].sum())
            rows.append((name, kind, int(one["n"].sum()), events, begins, status_of(events)))
    return Incidence(
        table=pd.concat(tables, ignore_index=True)[_TABLE] if tables else _empty(_TABLE),
        groups=pd.DataFrame(rows, columns=_GROUPS) if rows else _empty(_GROUPS),
        exits=exits,
        by=by,
        tests=_tests(data, exits),
    )


def _empty(columns: list[str]) -> pd.DataFrame:
    frame = pd.DataFrame({name: [] for name in columns})
    return frame.astype({"group": object, "exit": object})


def _curves(data: pd.DataFrame, begins: float, exits: tuple[str, ...]) -> pd.DataFrame:
    last = data["duration"].max()
    months = np.arange(np.ceil(begins), last + 1)
    times = np.unique(np.concatenate([[begins], data["duration"], months]))
    times = times[times <= last]
    at_risk = count_at_risk(data, times)
    at_risk[0] = data.loc[data["entry"] <= begins, "n"].sum()
    entry, duration, n = (data[column].to_numpy() for column in ("entry", "duration", "n"))
    left = np.column_stack([data["exit"] == kind for kind in exits])
    here, gone = 1.0, np.zeros(len(exits))
    # how the share still here, and the shares gone, change with the weight of a customer of a cell
    here_by, gone_by = np.zeros(len(n)), np.zeros((len(n), len(exits)))
    events = np.zeros((len(times), len(exits)), dtype="int64")
    shares, errors = np.zeros(events.shape), np.zeros(events.shape)
    for i, time in enumerate(times):
        leaves = left & (duration == time)[:, None]
        events[i] = n @ leaves
        if events[i].any():
            hazard = events[i] / at_risk[i]
            seen = ((entry < time) & (duration >= time))[:, None]
            hazard_by = (leaves - seen * hazard) / at_risk[i]
            gone_by += here_by[:, None] * hazard + here * hazard_by
            here_by = here_by * (1 - hazard.sum()) - here * hazard_by.sum(axis=1)
            gone = gone + here * hazard
            here *= 1 - hazard.sum()
        shares[i], errors[i] = gone, np.sqrt(n @ gone_by**2)
    low, high = _interval(shares, errors)
    columns = {"events": events, "incidence": shares, "low": low, "high": high}
    return pd.concat(
        pd.DataFrame({"month": times, "at_risk": at_risk, "exit": kind}).assign(
            **{column: values[:, k] for column, values in columns.items()}
        )
        for k, kind in enumerate(exits)
    )


def _interval(shares: np.ndarray, errors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the 95 % interval on the log-log scale, which does not exist at 0 and at 1."""
    inside = (shares > 0) & (shares < 1 - 1e-12)
    log = np.log(np.where(inside, shares, 0.5))
    half = scipy.stats.norm.ppf(0.975) * errors / np.abs(shares * log + ~inside)
    ends = (np.exp(log * np.exp(sign * half)) for sign in (1, -1))
    low, high = (np.where(inside, end, np.where(shares > 0, np.nan, 0.0)) for end in ends)
    return low, high


def _tests(data: pd.DataFrame, exits: tuple[str, ...]) -> pd.DataFrame:
    tests = {kind: logrank_test(data.assign(churned=data["exit"] == kind)) for kind in exits}
    rows = [(kind, test.statistic, test.df, test.p) for kind, test in tests.items() if test]
    return pd.DataFrame(rows, columns=_TESTS)
