"""A trial that people watch while customers come in: what each look may say."""

from __future__ import annotations

import ibis
import numpy as np
import pandas as pd
import scipy

from customerlab.uplift.average import Effects, compare_arms
from customerlab.uplift.monitored import monitor
from customerlab.uplift.summing import sum_arms
from customerlab.uplift.sums import pool
from customerlab.uplift.trials import Trial

#: So many looks are told at most; leaving looks out never adds a false alarm.
MOST_LOOKS = 30
#: Ends and p-values that a look replaces, plain and adjusted.
_PLAIN = ("effect", "low", "high", "p_value")
_ADJUSTED = ("adjusted_effect", "adjusted_low", "adjusted_high", "adjusted_effect_p")


def look_often(trial: Trial, found: Effects) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Replace intervals and p-values by those that hold however often one looks.

    Looks are at the ends of equal stretches of the days on which customers were assigned, each at
    all customers until then; without days there is one. Errors of a look are those of its
    interval, over the normal quantile: never smaller than they are.

    Parameters
    ----------
    trial : Trial
    found : Effects
        Of all customers.

    Returns
    -------
    DataFrame, DataFrame
        :attr:`Effects.table` with other ends and p-values, and the looks: ``arm``, ``outcome``,
        ``day`` (the last that the look knows), ``n``, ``estimate``, ``low``, ``high``.
    """
    days = trial.rows.aggregate(first=trial.rows.day.min(), last=trial.rows.day.max()).to_pandas()
    first, last = days["first"].iloc[0], days["last"].iloc[0]
    rows, ends = trial.rows.mutate(_look=ibis.literal("0")), {0: None if pd.isna(last) else last}
    if not pd.isna(first):
        first = pd.Timestamp(first).date()
        span = (pd.Timestamp(last) - pd.Timestamp(first)).days + 1
        width = -(-span // MOST_LOOKS)
        since = trial.rows.day.delta(ibis.literal(first), unit="day").cast("int64")
        rows = trial.rows.mutate(_look=(since // width).cast("int64").cast("string"))
        ends = {
            look: (pd.Timestamp(first) + pd.Timedelta(days=(look + 1) * width - 1)).date()
            for look in range(-(-span // width))
        }
    parts = sum_arms(rows, trial.names, by=["_look", "arm"])
    arms = sorted({arm for _, arm in parts})
    outcomes = [outcome.name for outcome in trial.outcomes]
    at: dict[tuple[str, str, str], list[dict]] = {}
    for look, day in ends.items():
        so_far = {
            arm: [sums for (one, mine), sums in parts.items() if mine == arm and int(one) <= look]
            for arm in arms
        }
        pooled = {arm: pool(some) for arm, some in so_far.items() if some}
        if trial.control not in pooled or len(pooled) < 2:
            continue
        seen = compare_arms(
            pooled,
            control=trial.control,  # type: ignore[arg-type]
            outcomes=outcomes,
            covariates=list(trial.covariates),
        ).table
        for row in seen.to_dict("records"):
            for kind, (value, low, high, _) in (("plain", _PLAIN), ("adjusted", _ADJUSTED)):
                error = (row[high] - row[low]) / 2 / scipy.stats.norm.ppf(0.975)
                told = {"n": row["n"] + row["control_n"], "day": day, "estimate": row[value]}
                told["standard_error"] = error
                if row["binary"]:
                    yes = row["n"] * row["treated_mean"] + row["control_n"] * row["control_mean"]
                    told["events"] = min(yes, told["n"] - yes)
                else:
                    told["events"] = told["n"]
                at.setdefault((row["arm"], row["outcome"], kind), []).append(told)
    table, looks = found.table.copy(), []
    for (arm, outcome, kind), rows_ in at.items():
        here = (table["arm"] == arm) & (table["outcome"] == outcome)
        frame = pd.DataFrame(rows_).dropna(subset=["estimate", "standard_error"])
        if frame.empty:
            continue
        planned = float(table.loc[here, ["n", "control_n"]].sum(axis=1).iloc[0])
        watched = monitor(frame, planned=planned).table
        names = _PLAIN if kind == "plain" else _ADJUSTED
        final = watched.iloc[-1]
        shown = np.isfinite([final["low"], final["high"]]).all()
        values = (final["low"], final["high"], final["p_so_far"])
        table.loc[here, list(names[1:])] = values if shown else (np.nan, np.nan, np.nan)
        if kind == "plain":
            # the relative interval is one of an only look
            table.loc[here, ["relative_low", "relative_high"]] = np.nan
        best = (
            "adjusted"
            if (arm, outcome, "adjusted") in at
            and not pd.isna(table.loc[here, "adjusted_effect"].iloc[0])
            else "plain"
        )
        if kind == best:
            days_ = frame.sort_values("n", kind="stable")["day"].to_list()
            keep = watched.assign(arm=arm, outcome=outcome, day=days_)
            looks.append(keep[np.isfinite(keep["low"])])
    columns = ["arm", "outcome", "day", "n", "estimate", "low", "high"]
    told = pd.concat(looks, ignore_index=True)[columns] if looks else pd.DataFrame(columns=columns)
    return table, told
