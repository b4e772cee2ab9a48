"""How many months longer customers stay for a campaign: time to churn compared by arm.

Months count from each customer's own assignment. Costs counts of customers, not rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy

from customerlab.churn.curves import MIN_AT_RISK, Survival, status_of, survival
from customerlab.errors import CustomerlabError, nearest
from customerlab.messages import Message, say
from customerlab.uplift.parts_shown import few_stayed
from customerlab.uplift.welch import LEVEL

#: Columns of :attr:`MonthsKept.table` and :attr:`MonthsKept.curves`.
COLUMNS = ["arm", "n", "control_n", "left", "control_left", "rmst", "control_rmst", "months_kept"]
COLUMNS += ["low", "high", "p_value", "horizon_months", "status", "why_not"]
CURVES = ["arm", "month", "survival", "low", "high"]


@dataclass(frozen=True)
class MonthsKept:
    """Months that an arm's customers stay, compared with the control's.

    Attributes
    ----------
    table : DataFrame
        One row an arm beside the control: ``arm``, customers ``n`` and ``control_n`` seen for a
        month at least, ``left`` and ``control_left`` before the last month of the horizon, months
        stayed on average within the horizon ``rmst`` and ``control_rmst``, their difference
        ``months_kept`` with its 95 % interval ``low`` to ``high``, ``p_value`` of none,
        ``horizon_months`` (the same for all), ``status``, ``why_not`` (None or a message).
    survival : Survival
        The curves, arms as groups.
    control : str
    """

    table: pd.DataFrame
    survival: Survival
    control: str

    @property
    def curves(self) -> pd.DataFrame:
        """What can be drawn: ``arm``, ``month``, ``survival``, ``low``, ``high``.

        Months in which 30 customers of the arm or more were at risk, month 0 (all are here)
        included.
        """
        known = self.survival.table
        known = known[known["at_risk"] >= MIN_AT_RISK].rename(columns={"group": "arm"})
        return known[CURVES].reset_index(drop=True)

    def say(self, arm: str, min_cell: int = 1) -> Message:
        """Return the answer for one arm in words; none of fewer than `min_cell` customers."""
        mine = self.table[self.table["arm"] == arm]
        if mine.empty:
            raise KeyError(f"no comparison of {arm!r}")
        row = mine.iloc[0].to_dict()
        if row["why_not"] is not None:
            return row["why_not"]
        told = {"arm": arm, "control": self.control, "horizon": row["horizon_months"]}
        if row["status"] == "not_enough_data":
            return say(
                "Too few customers left {arm} and {control} within {horizon:count} months to say "
                "how much longer they stay.",
                **told,
            )
        if few_stayed(mine, min_cell)[0]:
            return say(
                "How long the customers of {arm} and {control} stay is not shown, for it would "
                "tell of very few of them.",
                **told,
            )
        told |= {name: row[name] for name in ("rmst", "control_rmst", "p_value")}
        told |= {"kept": row["months_kept"], "low": row["low"], "high": row["high"]}
        if row["low"] > 0:
            return say(
                "Over {horizon:count} months customers stay {kept:number2} months longer with "
                "{arm} (95 % interval {low:number2} to {high:number2}, p = {p_value:chance}): "
                "{rmst:number2} months on average against {control_rmst:number2} with {control}. "
                "That is {months:number0} customer-months kept for every 1,000 customers.",
                months=1000 * row["months_kept"],
                **told,
            )
        if row["high"] < 0:
            told |= {"kept": -row["months_kept"], "low": -row["high"], "high": -row["low"]}
            return say(
                "Over {horizon:count} months customers stay {kept:number2} months less with "
                "{arm} (95 % interval {low:number2} to {high:number2}, p = {p_value:chance}): "
                "{rmst:number2} months on average against {control_rmst:number2} with {control}.",
                **told,
            )
        return say(
            "Over {horizon:count} months customers stay about as long with {arm} as with "
            "{control}: no sure difference, {kept:number2} months (95 % interval {low:number2} to "
            "{high:number2}, p = {p_value:chance}).",
            **told,
        )


def keep_months(
    counts: pd.DataFrame, *, control: str, horizon_months: int | None = None
) -> MonthsKept:
    r"""Compare how long customers stay, by restricted mean time (Royston and Parmar 2013).

    The mean number of months that a customer stays within the horizon :math:`\tau` is the area
    under the Kaplan-Meier curve up to there. Its variance is Greenwood's (Klein and Moeschberger
    2003, 4.5.2), summed over the months in which customers left:

    .. math:: \sum_{t < \tau} \Big(\int_t^\tau \hat S(u)\,du\Big)^2 \frac{d_t}{r_t (r_t - d_t)}

    Both arms' are independent and the difference is taken to be normal. Unlike a hazard ratio it
    supposes nothing about the curves, and is in months.

    Who leaves in the t-th month after assignment leaves at its end: ``duration`` t, stayed t
    months. Who is last seen staying at the end of the t-th has duration t, too, and was at risk in
    all of them. So the numbers are those of R's ``survfit`` with these durations, and leaving in
    the last month of the horizon costs nothing yet.

    Parameters
    ----------
    counts : DataFrame
        ``arm``, ``duration`` (whole months since assignment in which the customers were watched, 0
        or more), ``left`` (bool: in the last of them), ``n`` customers.
    control : str
    horizon_months : int, optional
        Shortened to the last month in which every arm has 30 customers or more at risk, which it
        is when left out; arms that never had 30 do not count.

    Raises
    ------
    CustomerlabError
        If the control does not exist, a duration is not a whole number of months, someone left in
        month 0, or the horizon is below 1.
    """
    counts = _checked(counts, control, horizon_months)
    found = survival(counts.rename(columns={"left": "churned"}), "arm")
    curves = {str(arm): part for arm, part in found.table.groupby("group", sort=False)}
    nobody = found.table.iloc[:0]
    arms = list(dict.fromkeys(counts["arm"]))
    horizon = _horizon(list(curves.values()), horizon_months)
    parts = {arm: _restricted_mean(curves.get(arm, nobody), horizon) for arm in arms}
    rows = []
    base = parts[control]
    for arm in (arm for arm in arms if arm != control):
        one = parts[arm]
        row = dict.fromkeys(COLUMNS, float("nan"))
        row |= {"arm": arm, "n": one.n, "control_n": base.n, "horizon_months": horizon}
        row |= {"left": one.left, "control_left": base.left, "why_not": None}
        row |= {"rmst": one.mean, "control_rmst": base.mean, "months_kept": one.mean - base.mean}
        row |= _judge(row, one, base, control)
        rows.append(row)
    return MonthsKept(pd.DataFrame(rows, columns=COLUMNS), found, control)


@dataclass(frozen=True)
class _Stay:
    """One arm: customers, how many left before the horizon's last month, mean months, variance."""

    n: int
    left: int
    mean: float
    variance: float


def _checked(counts: pd.DataFrame, control: str, horizon: int | None) -> pd.DataFrame:
    arms = counts["arm"].astype(str)
    if control not in set(arms):
        hint = nearest(control, sorted(set(arms)))
        raise CustomerlabError(f"there is no arm {control!r} for control{hint}")
    duration = counts["duration"].astype(float)
    if not (duration.ge(0) & duration.mod(1).eq(0)).all():
        raise CustomerlabError("duration: must be a whole number of months, 0 or more")
    if (counts["left"].astype(bool) & duration.eq(0) & counts["n"].gt(0)).any():
        raise CustomerlabError(
            "duration: customers who left in the first month after assignment have 1, not 0"
        )
    if horizon is not None and horizon < 1:
        raise CustomerlabError(f"horizon_months: must be 1 or more, not {horizon}")
    return counts.assign(arm=arms)


def _horizon(curves: list[pd.DataFrame], given: int | None) -> int:
    """Return the last month for which every arm that ever had enough customers has them."""
    enough = [part.loc[part["at_risk"] >= MIN_AT_RISK, "month"] for part in curves]
    lasts = [int(months.max()) for months in enough if len(months) and months.max() >= 1]
    longest = min(lasts, default=0)
    return longest if given is None else min(longest, int(given))


def _restricted_mean(curve: pd.DataFrame, horizon: int) -> _Stay:
    """Return the area under a curve that has a row for each month from 0 on."""
    n = int(curve["at_risk"].max()) if len(curve) else 0
    known = curve[curve["month"] < horizon]
    left = int(known["events"].sum())
    if n < MIN_AT_RISK or not horizon:
        return _Stay(n, left, float("nan"), float("nan"))
    share = known["survival"].to_numpy(float)
    at_risk, events = known["at_risk"].to_numpy(float), known["events"].to_numpy(float)
    # what lies beyond the end of each month, up to the horizon
    beyond = share[::-1].cumsum()[::-1]
    stayed = at_risk - events
    terms = np.divide(events, at_risk * stayed, out=np.zeros_like(events), where=stayed > 0)
    return _Stay(n, left, float(share.sum()), float(beyond**2 @ terms))


def _judge(row: dict, one: _Stay, base: _Stay, control: str) -> dict:
    """Return interval, p-value and status, or why there are none."""
    for arm, part in ((row["arm"], one), (control, base)):
        if np.isnan(part.mean):
            why = say(
                "Too few customers in {arm} ({n:customers} were watched for a month or more): how "
                "long they stay cannot be compared.",
                arm=arm,
                n=part.n,
            )
            return {"status": "not_enough_data", "why_not": why}
    variance = one.variance + base.variance
    if not variance > 0:
        why = say(
            "Nobody left {arm} or {control} before month {horizon:count}: nothing to compare.",
            arm=row["arm"],
            control=control,
            horizon=row["horizon_months"],
        )
        return {"status": "not_enough_data", "why_not": why}
    kept, error = row["months_kept"], np.sqrt(variance)
    half = scipy.stats.norm.ppf((1 + LEVEL) / 2) * error
    p = float(2 * scipy.stats.norm.sf(abs(kept) / error))
    status = status_of(one.left + base.left)
    return {"low": kept - half, "high": kept + half, "p_value": p, "status": status}
