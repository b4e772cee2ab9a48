"""Kaplan-Meier curves and the log-rank test, from counts of customers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy

from customerlab.churn.levels import as_levels, natural_order
from customerlab.findings import Status

#: Exits below which nothing is said, and below which it is called weak.
FEW_EVENTS, SOME_EVENTS = 30, 100

#: A curve that late entry leaves with fewer customers at risk early on begins only after that.
MIN_AT_RISK = 30


def status_of(events: float) -> Status:
    """Return how far so many exits carry."""
    if events < FEW_EVENTS:
        return "not_enough_data"
    return "supported" if events >= SOME_EVENTS else "weak"


@dataclass(frozen=True)
class LogRank:
    """Whether the groups' curves differ by more than chance.

    Attributes
    ----------
    statistic : float
        Chi-squared with `df` degrees of freedom if they do not.
    df : int
    p : float
    table : DataFrame
        ``group``, ``n``, ``observed`` and ``expected`` exits.
    """

    statistic: float
    df: int
    p: float
    table: pd.DataFrame


@dataclass(frozen=True)
class Survival:
    """Share of customers still here after each month.

    Attributes
    ----------
    table : DataFrame
        ``group``, ``month``, ``at_risk`` (just before the month ends), ``events``, ``survival``,
        ``low``, ``high``: the 95 % interval on the log-log scale, which stays within 0 and 1.
    groups : DataFrame
        ``group``, ``customers``, ``events``, ``median`` (months until half have left; missing
        when fewer have), ``begins`` and ``status``. Where customers are seen only from some
        tenure on and fewer than 30 were seen earlier, the curve begins at month ``begins`` and
        tells the share of those who were here then. It ends where nobody is at risk any more,
        although customers of a longer tenure may follow.
    by : str or None
        What the groups are groups of; None for all customers, whose group is ``all``.
    logrank : LogRank or None
        None with fewer than two groups, or no exit.
    """

    table: pd.DataFrame
    groups: pd.DataFrame
    by: str | None = None
    logrank: LogRank | None = None

    def at(self, month: float) -> pd.DataFrame:
        """Return the row of each group that holds at `month`; none where nobody was seen."""
        rows = self.table.loc[self.table["month"] <= month]
        rows = rows.groupby("group", sort=False).tail(1)
        last = self.table.groupby("group", sort=False)["month"].max()
        return rows.loc[rows["group"].map(last) >= month].reset_index(drop=True)


def survival(counts: pd.DataFrame, by: str | None = None) -> Survival:
    r"""Estimate the share still here by Kaplan and Meier's product, overall or by group.

    .. math:: S(t) = \prod_{s \le t} (1 - d_s / r_s)

    with :math:`d_s` exits among :math:`r_s` at risk: those who entered before ``s`` and had not
    gone before it.

    Parameters
    ----------
    counts : DataFrame
        ``duration``, ``churned``, ``n`` customers; ``entry`` where observation began later.
    by : str, optional
        Column of the group. No value is a group of its own.
    """
    group = as_levels(counts[by]) if by else pd.Series("all", index=counts.index)
    data = pd.DataFrame(
        {
            "group": group,
            "entry": counts["entry"].astype(float) if "entry" in counts else 0.0,
            "duration": counts["duration"].astype(float),
            "churned": counts["churned"].astype(bool),
            "n": counts["n"].astype("int64"),
        }
    )
    data = data.groupby(["group", "entry", "duration", "churned"], as_index=False)["n"].sum()
    data = data.loc[(data["n"] > 0) & (data["duration"] > data["entry"])]
    tables, rows = [], []
    for name in sorted(data["group"].unique(), key=natural_order):
        one = data.loc[data["group"] == name]
        table, begins, median = _curve(one)
        tables.append(table.assign(group=name))
        events = int(one.loc[one["churned"], "n"].sum())
        rows.append((name, int(one["n"].sum()), events, median, begins, status_of(events)))
    columns = ["group", "month", "at_risk", "events", "survival", "low", "high"]
    return Survival(
        table=(
            pd.concat(tables, ignore_index=True)[columns]
            if tables
            else pd.DataFrame(columns=columns)
        ),
        groups=pd.DataFrame(
            rows, columns=["group", "customers", "events", "median", "begins", "status"]
        ),
        by=by,
        logrank=logrank_test(data),
    )


def count_at_risk(data: pd.DataFrame, times: np.ndarray) -> np.ndarray:
    """Count who entered before each time and had not gone before it."""

    def before(column: str) -> np.ndarray:
        total = data.groupby(column)["n"].sum()
        cumulated = np.concatenate([[0], total.to_numpy().cumsum()])
        return cumulated[np.searchsorted(total.index.to_numpy(), times, side="left")]

    return before("entry") - before("duration")


def _events(data: pd.DataFrame, times: np.ndarray) -> np.ndarray:
    exits = data.loc[data["churned"]].groupby("duration")["n"].sum()
    return exits.reindex(times, fill_value=0).to_numpy()


def first_month(data: pd.DataFrame) -> float:
    """Return the month from which enough were at risk; 0 unless all entered late."""
    times = np.unique(data["duration"])
    at_risk = count_at_risk(data, times)
    most = at_risk.argmax()
    enough = min(MIN_AT_RISK, at_risk[most])
    short = np.flatnonzero(at_risk[:most] < enough)
    first = float(times[short[-1]]) if short.size else 0.0
    return max(first, float(data.loc[data["duration"] > first, "entry"].min()))


def _before_a_gap(data: pd.DataFrame) -> pd.DataFrame:
    """Leave out who entered only after a time at which nobody was at risk."""
    ordered = data.sort_values("entry")
    # nobody is at risk between the last exit of those so far and the next entry
    gap = ordered["entry"] >= ordered["duration"].cummax().shift(fill_value=np.inf)
    return ordered.loc[~gap.cummax()]


def _curve(data: pd.DataFrame) -> tuple[pd.DataFrame, float, float]:
    from lifelines import KaplanMeierFitter  # slow to import

    begins = first_month(data)
    data = data.loc[data["duration"] > begins].assign(entry=lambda d: d["entry"].clip(begins))
    data = _before_a_gap(data)
    last = data["duration"].max()
    times = np.unique(np.concatenate([data["duration"], np.arange(np.ceil(begins), last + 1)]))
    times = np.unique(np.concatenate([[begins], times[(times > begins) & (times <= last)]]))
    late = bool((data["entry"] > 0).any())
    fitter = KaplanMeierFitter(alpha=0.05).fit(
        data["duration"],
        data["churned"],
        # lifelines counts who enters at t as at risk at t; we mean the time after it
        entry=np.nextafter(data["entry"], np.inf) if late else None,
        weights=data["n"],
    )
    known = fitter.survival_function_.join(fitter.confidence_interval_)
    known = known.loc[known.index > begins]
    values = known.reindex(times, method="ffill").fillna({known.columns[0]: 1.0}).to_numpy()
    none_yet = values[:, 0] == 1.0
    at_risk = count_at_risk(data, times)
    at_risk[0] = data.loc[data["entry"] <= begins, "n"].sum()
    table = pd.DataFrame(
        {
            "month": times,
            "at_risk": at_risk,
            "events": _events(data, times),
            "survival": values[:, 0],
            # before the first exit, and when all are gone, the log-log interval does not exist
            "low": np.where(none_yet, 1.0, values[:, 1]),
            "high": np.where(none_yet, 1.0, values[:, 2]),
        }
    )
    half = table.loc[table["survival"] <= 0.5, "month"]
    return table, begins, float(half.iloc[0]) if len(half) else float("nan")


def logrank_test(data: pd.DataFrame) -> LogRank | None:
    """Test by the hypergeometric law at each time of exit, as R's ``survdiff`` does."""
    times = np.unique(data.loc[data["churned"], "duration"])
    names = sorted(data["group"].unique(), key=natural_order)
    if len(names) < 2 or not len(times):
        return None
    parts = [data.loc[data["group"] == name] for name in names]
    at_risk = np.column_stack([count_at_risk(part, times) for part in parts]).astype(float)
    exits = np.column_stack([_events(part, times) for part in parts]).astype(float)
    r, d = at_risk.sum(axis=1), exits.sum(axis=1)
    share = at_risk / r[:, None]
    expected = (share * d[:, None]).sum(axis=0)
    factor = np.where(r > 1, d * (r - d) / np.maximum(r - 1, 1), 0.0)
    variance = np.diag(factor @ share) - (share * factor[:, None]).T @ share
    present = expected > 0  # a group never at risk when someone left has nothing to compare
    df = int(present.sum()) - 1
    if df < 1:
        return None
    gap = (exits.sum(axis=0) - expected)[present][:-1]
    used = variance[np.ix_(present, present)][:-1, :-1]
    statistic = float(gap @ np.linalg.pinv(used) @ gap)
    table = pd.DataFrame(
        {
            "group": names,
            "n": [int(part["n"].sum()) for part in parts],
            "observed": exits.sum(axis=0),
            "expected": expected,
        }
    )
    return LogRank(statistic, df, float(scipy.stats.chi2.sf(statistic, df)), table)
