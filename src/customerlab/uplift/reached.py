"""Who of an arm was truly contacted, and what contact does to those whom the draw reached.

The comparison of the arms as they were drawn is the main answer: nothing that came after the draw
can spoil it. Where some of the treated were not contacted, or some of the controls were, it tells
less than what contact does to a customer; that stands beside it here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy

from customerlab.churn.curves import FEW_EVENTS, status_of
from customerlab.errors import CustomerlabError
from customerlab.findings import Check
from customerlab.messages import Message, say
from customerlab.uplift.average import compare_arms
from customerlab.uplift.parts_shown import few_reached
from customerlab.uplift.sums import ArmSums
from customerlab.uplift.to_show import few_of, tell_shares
from customerlab.uplift.welch import LEVEL

#: More controls contacted than this, or fewer of the treated, and the comparison is spoilt.
MOST_CONTROLS, LEAST_TREATED = 0.05, 0.50

#: Columns of :attr:`Reached.contact` and :attr:`Reached.table`.
CONTACT = ["arm", "control", "n", "contacted", "not_contacted"]
COLUMNS = ["arm", "outcome", "n", "control_n", "reached", "control_reached", "control_mean"]
COLUMNS += ["treated_mean", "effect", "low", "high", "p_value", "reached_effect", "reached_low"]
COLUMNS += ["reached_high", "binary", "status", "why_not"]

_WORST_FIRST = ("not_enough_data", "weak", "supported")


@dataclass(frozen=True)
class Reached:
    """The effect on those whom the draw reached, beside that on all who were drawn.

    Attributes
    ----------
    contact : DataFrame
        One row an arm, the control first: ``arm``, ``control`` (whether it is), customers ``n``,
        the shares ``contacted`` and ``not_contacted``.
    table : DataFrame
        One row an arm and outcome: ``arm``, ``outcome``, ``n``, ``control_n``, the shares
        contacted ``reached`` and ``control_reached``; ``control_mean``, ``treated_mean``,
        ``effect``, ``low``, ``high``, ``p_value`` of all as drawn (as
        :func:`customerlab.uplift.average.compare_arms` has them);
        ``reached_effect`` with its 95 % interval ``reached_low`` to ``reached_high``, missing
        where it has no ends; ``binary``, ``status``, ``why_not`` (None or a message). Its p-value
        of no effect is that of all as drawn: it is the same question.
    control : str
    """

    contact: pd.DataFrame
    table: pd.DataFrame
    control: str

    def say(self, arm: str, outcome: str, min_cell: int = 1) -> Message:
        """Return the answer for one arm and outcome in words; none of fewer than `min_cell`."""
        mine = self.table[(self.table["arm"] == arm) & (self.table["outcome"] == outcome)]
        if mine.empty:
            raise KeyError(f"no effect of {arm!r} on {outcome!r}")
        row = mine.iloc[0].to_dict()
        if row["why_not"] is not None:
            return row["why_not"]
        told = {"arm": arm, "outcome": outcome}
        if row["status"] == "not_enough_data":
            return say(
                "Not enough data to say what {arm} does to {outcome} of those whom it reached.",
                **told,
            )
        if few_reached(mine, min_cell)[0]:
            return say(
                "{outcome}: the effect of {arm} on those reached is not shown, for it would tell "
                "of very few customers.",
                **told,
            )
        scale = 100 if row["binary"] else 1
        told |= {"more": 100 * (row["reached"] - row["control_reached"])}
        told |= {"effect": row["reached_effect"] * scale, "all": row["effect"] * scale}
        told |= {"low": row["reached_low"] * scale, "high": row["reached_high"] * scale}
        if row["binary"]:
            return say(
                "{outcome}: {arm} moved those whom it reached by {effect:number2} percentage "
                "points (95 % interval {low:number2} to {high:number2}). It reached {more:number0} "
                "percentage points more customers than were contacted anyway, so over all "
                "customers the effect is {all:number2}.",
                **told,
            )
        return say(
            "{outcome}: {arm} moved those whom it reached by {effect:number2} each (95 % interval "
            "{low:number2} to {high:number2}). It reached {more:number0} percentage points more "
            "customers than were contacted anyway, so over all customers the effect is "
            "{all:number2}.",
            **told,
        )


def effect_on_reached(
    arms: Mapping[str, ArmSums],
    *,
    control: str,
    outcomes: Sequence[str],
    contacted: str = "contacted",
) -> Reached:
    r"""Estimate the effect on the customers who were contacted because of their arm.

    With the differences :math:`\Delta y` of the outcome and :math:`\Delta d` of the share
    contacted it is Wald's ratio :math:`\beta = \Delta y / \Delta d` (Angrist, Imbens and Rubin
    1996): the average over the customers whom the arm reached and the control would not have. It
    holds if the arm works by contact alone, and nobody is contacted only when in the control.
    Where no control was contacted, it is the effect on the treated who were (Bloom 1984).

    The interval holds every :math:`\beta` that the test of no difference in
    :math:`y - \beta d` does not reject at 5 % (Anderson and Rubin 1949; Fieller 1954):

    .. math:: (\Delta y - \beta \Delta d)^2 \le
        t^2 (V_{yy} - 2 \beta V_{yd} + \beta^2 V_{dd})

    with V the sum over both arms of covariance over n. Unlike the delta method's it holds the
    truth as often as it says when few more were reached; when the arms may not differ in contact
    at all it has no end, and words stand in its place. t has Welch's degrees of freedom of
    :math:`y - \beta d` at the estimate: if all treated and no controls were contacted, the
    interval is that of all as drawn.

    Parameters
    ----------
    arms : mapping of str to ArmSums
        Control included. All have the outcomes and `contacted` among their names.
    control : str
    outcomes : sequence of str
    contacted : str
        Whether the customer was, 0 or 1.

    Raises
    ------
    CustomerlabError
        If the control, an outcome or `contacted` does not exist, or `contacted` is not 0 or 1.
    """
    itt = compare_arms(arms, control=control, outcomes=outcomes).table
    for arm, one in arms.items():
        if one.select([contacted]).n > 1 and not one.is_binary(contacted):
            raise CustomerlabError(f"{contacted!r} must be 0 or 1, and is not in the arm {arm!r}")
    order = [control, *(arm for arm in arms if arm != control)]
    share = {arm: float(arms[arm].select([contacted]).mean[0]) for arm in order}
    contact = [(arm, arm == control, arms[arm].n, share[arm], 1 - share[arm]) for arm in order]
    rows = []
    for row in itt.to_dict("records"):
        arm, outcome = row["arm"], row["outcome"]
        mine = {name: row[name] for name in COLUMNS if name in row}
        mine |= {"reached": share[arm], "control_reached": share[control]}
        if mine["why_not"] is None:
            pair = [arms[name].select([outcome, contacted]) for name in (arm, control)]
            mine |= _anderson_rubin(pair, arm)
        moved = arms[arm].n * (share[arm] - share[control])
        enough = mine["why_not"] is None
        worse = status_of(moved) if enough else "not_enough_data"
        mine["status"] = min(row["status"], worse, key=_WORST_FIRST.index)
        rows.append(mine)
    return Reached(
        pd.DataFrame(contact, columns=CONTACT), pd.DataFrame(rows, columns=COLUMNS), control
    )


def _anderson_rubin(pair: Sequence[ArmSums], arm: str) -> dict:
    """Return the ratio with its interval, or why there is none, of (outcome, contacted)."""
    dy, dd = pair[0].mean - pair[1].mean
    if not dd > 0:
        why = say(
            "{arm} was not contacted more often than the control: nothing to say of those reached.",
            arm=arm,
        )
        return {"why_not": why}
    beta = dy / dd
    parts = [one.covariance / one.n for one in pair]
    along = np.array([1.0, -beta])
    own = [float(along @ part @ along) for part in parts]
    if not sum(own) > 0:
        why = say("Outcome and contact do not vary in {arm} and the control: no interval.", arm=arm)
        return {"reached_effect": beta, "why_not": why}
    df = sum(own) ** 2 / sum(v**2 / (one.n - 1) for v, one in zip(own, pair, strict=True))
    bar = scipy.stats.t.ppf((1 + LEVEL) / 2, df) ** 2
    (vyy, vyd), (_, vdd) = sum(parts)
    a, b, c = dd**2 - bar * vdd, dy * dd - bar * vyd, dy**2 - bar * vyy
    if a <= 0:
        why = say(
            "{arm} was not surely contacted more often than the control, so the effect on those "
            "reached may be anything.",
            arm=arm,
        )
        return {"reached_effect": beta, "why_not": why}
    # the estimate itself is always inside, so the root is real but for rounding
    half = np.sqrt(max(b**2 - a * c, 0.0))
    low, high = (b - half) / a, (b + half) / a
    return {"reached_effect": beta, "reached_low": low, "reached_high": high}


def check_contact(reached: Reached, *, weakens: tuple[str, ...] = (), min_cell: int = 1) -> Check:
    """Return whether the treated were contacted and the controls were not.

    Failed when more than 5 % of the controls or fewer than half of an arm's customers were; arms
    with fewer than 30 customers are not judged.

    Parameters
    ----------
    reached : Reached
    weakens : tuple of str
        See :class:`customerlab.findings.Check`.
    min_cell : int
        Shares that would tell of fewer customers are not told.
    """
    name = say("Treated were contacted and controls were not")
    table = reached.contact
    judged = table[(table["n"] >= FEW_EVENTS) & table["contacted"].notna()]
    if judged["control"].nunique() < 2:
        why = say("It cannot be judged: there are not two arms with 30 customers or more.")
        return Check(name, None, why, weakens)
    few = few_of(judged["n"], judged["contacted"], min_cell)
    told = tell_shares(judged["arm"], judged["contacted"], few)
    of_controls = judged.loc[judged["control"], "contacted"]
    of_treated = judged.loc[~judged["control"], "contacted"]
    if (of_controls > MOST_CONTROLS).any() or (of_treated < LEAST_TREATED).any():
        text = say(
            "Contact was not as the draw wanted it. Contacted were: {told}. With more than "
            "{most:percent0} of the controls or fewer than {least:percent0} of an arm contacted, "
            "the arms differ much less than contact makes a customer differ: read the effect on "
            "those reached beside it, and find out why.",
            told=told,
            most=MOST_CONTROLS,
            least=LEAST_TREATED,
        )
        return Check(name, False, text, weakens)
    text = say("Contact followed the draw. Contacted were: {told}.", told=told)
    return Check(name, True, text, weakens)
