"""Whether a campaign did what was planned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from customerlab.errors import CustomerlabError, nearest
from customerlab.findings import STATUSES, Finding
from customerlab.messages import Message, say
from customerlab.privacy import HIDDEN
from customerlab.uplift.average import Effects
from customerlab.uplift.disappointed_texts import say_amount, say_number
from customerlab.uplift.effects_shown import few_behind
from customerlab.uplift.money import effect_used
from customerlab.uplift.to_show import tidy

_NUMBERS = ["effect", "low", "high", "difference", "difference_low", "difference_high"]
_PLANNED = ["planned", "planned_low", "planned_high"]
_BEHIND = ["n", "control_n", "control_mean", "treated_mean", "binary"]
#: Columns of :attr:`AgainstPlan.table`.
COLUMNS = ["arm", "outcome", *_BEHIND, *_PLANNED, *_NUMBERS, "verdict", "status", "text"]
_VERDICTS: dict[str, Message] = {
    "less": say("less than planned"),
    "more": say("more than planned"),
    "open": say("may be as planned"),
    "": say("not enough data"),
}
_DECIMALS = 4


@dataclass(frozen=True)
class AgainstPlan:
    """What was planned beside what was seen.

    Attributes
    ----------
    table : DataFrame
        One row per plan: ``arm``, ``outcome``, customers ``n`` and ``control_n``,
        ``control_mean``, ``treated_mean``, ``binary``; ``planned`` with ``planned_low`` and
        ``planned_high`` (missing where the plan is one number); ``effect``, ``low``, ``high`` as
        seen (adjusted where it is); their ``difference`` with its 95 % interval;
        ``verdict`` ("less" or "more" where that interval is on one side of 0, else "open": the
        plan is within what was seen; empty without interval), ``status``, ``text`` (a message).
    """

    table: pd.DataFrame

    def row(self, arm: str, outcome: str) -> pd.Series:
        """Return the row of an arm and outcome; KeyError where there is none."""
        mine = self.table[(self.table["arm"] == arm) & (self.table["outcome"] == outcome)]
        if mine.empty:
            raise KeyError(f"no plan of {arm!r} on {outcome!r}")
        return mine.iloc[0]


def compare_with_plan(
    effects: Effects, plans: pd.DataFrame, *, adjusted: bool = True
) -> AgainstPlan:
    r"""Compare effects with what was planned.

    A plan that is an estimate, too, has an interval of its own; then the difference has

    .. math:: d - \sqrt{(e - l)^2 + (u_p - p)^2} \quad to \quad d + \sqrt{(u - e)^2 + (p - l_p)^2}

    (Zou and Donner 2008), which for a plan of one number is the effect's interval less the plan.

    Parameters
    ----------
    effects : Effects
    plans : DataFrame
        ``arm``, ``outcome``, ``planned`` in the outcome's unit; optional ``planned_low`` and
        ``planned_high``, from other customers than those of the effects.
    adjusted : bool
        Whether to use the adjusted effect where there is one.

    Raises
    ------
    CustomerlabError
        If a plan is of an arm or outcome that does not exist (with the nearest that does).
    """
    found = {(row["arm"], row["outcome"]): row for row in effects.table.to_dict("records")}
    rows = []
    for plan in plans.to_dict("records"):
        arm, outcome = plan["arm"], plan["outcome"]
        for name, known in ((arm, effects.table["arm"]), (outcome, effects.table["outcome"])):
            if name not in set(known):
                hint = nearest(name, dict.fromkeys(known))
                raise CustomerlabError(f"a plan is of {name!r}, which is not compared{hint}")
        rows.append(_beside(found[arm, outcome], plan, effects.control, adjusted))
    return AgainstPlan(pd.DataFrame(rows, columns=COLUMNS))


def _beside(one: Mapping[str, Any], plan: Mapping[str, Any], control: str, adjusted: bool) -> dict:
    """Return a row of the table."""
    effect, low, high = effect_used(one, adjusted=adjusted)[1]
    planned = float(plan["planned"])
    ends = [plan.get("planned_low"), plan.get("planned_high")]
    under, over = (np.nan, np.nan) if pd.isna(ends).any() else map(float, ends)
    down = np.hypot(effect - low, np.nan_to_num(over - planned))
    up = np.hypot(high - effect, np.nan_to_num(planned - under))
    gap = effect - planned
    row = {name: one[name] for name in ("arm", "outcome", *_BEHIND)}
    row |= {"planned": planned, "planned_low": under, "planned_high": over}
    row |= dict(zip(_NUMBERS, (effect, low, high, gap, gap - down, gap + up), strict=True))
    row["status"], row["verdict"] = one["status"], "open"
    if np.isnan(gap - down):
        row["status"], row["verdict"] = "not_enough_data", ""
    elif gap + up < 0 or gap - down > 0:
        row["verdict"] = "less" if gap < 0 else "more"
    return {**row, "text": _say(row, control)}


def _say(row: Mapping[str, Any], control: str) -> Message:
    told = {"arm": row["arm"], "outcome": row["outcome"], "control": control}
    if row["status"] == "not_enough_data":
        return say("{outcome}: not enough data to say whether {arm} did what was planned.", **told)
    unit = row["binary"]
    told["seen"] = say_amount(row["effect"], row["low"], row["high"], unit)
    told["gap"] = say_amount(row["difference"], row["difference_low"], row["difference_high"], unit)
    told["planned"] = say_number(row["planned"], unit)
    if row["verdict"] == "less":
        return say(
            "{outcome}: {arm} did less than planned. The plan was {planned} over "
            "{control}, seen {seen}: a difference of {gap}.",
            **told,
        )
    if row["verdict"] == "more":
        return say(
            "{outcome}: {arm} did more than planned. The plan was {planned} over "
            "{control}, seen {seen}: a difference of {gap}.",
            **told,
        )
    if row["low"] <= 0 <= row["high"]:
        return say(
            "{outcome}: the test of {arm} was too small to judge the plan, which was "
            "{planned} over {control}, seen {seen}, which fits the plan and no effect at "
            "all.",
            **told,
        )
    return say(
        "{outcome}: what {arm} did fits the plan. The plan was {planned} over {control}, "
        "seen {seen}.",
        **told,
    )


def plan_finding(
    against: AgainstPlan, arm: str, outcome: str, suffix: str, min_cell: int = 1
) -> Finding:
    """Return ``uplift_tests.against_plan_<suffix>``: effect seen less effect planned.

    Supported only if it surely is less, or more. Without numbers where they would tell of fewer
    than `min_cell` customers.
    """
    row = against.row(arm, outcome)
    numbers = [float(row[name]) for name in _NUMBERS[3:]]
    status, text = row["status"], row["text"]
    if few_behind(row.to_frame().T, min_cell)[0]:
        status, text = "not_enough_data", _hidden(row)
    if status == "not_enough_data":
        numbers = [None] * 3
    elif status == "supported" and row["verdict"] == "open":
        status = "weak"
    return Finding(
        f"uplift_tests.against_plan_{suffix}",
        text,
        *numbers,
        unit="percent" if row["binary"] else "number",
        n=int(row["n"]) if row["n"] >= min_cell else None,
        status=status,
    )


def plans_to_show(against: AgainstPlan, min_cell: int) -> pd.DataFrame:
    """Return the table as a report may show it; hidden where it tells of too few customers."""
    table = against.table
    few = few_behind(table, min_cell)
    shown = table[["arm", "outcome", *_PLANNED]].copy()
    for name in _NUMBERS:
        values = tidy(table[name], _DECIMALS)
        shown[name] = values.astype(object).mask(few & values.notna(), HIDDEN)
    verdict = table["verdict"].map(_VERDICTS)
    shown["verdict"] = verdict.astype(object).mask(few, HIDDEN)
    shown["status"] = table["status"].map(STATUSES)
    shown["text"] = [
        _hidden(row) if hide else row["text"]
        for row, hide in zip(table.to_dict("records"), few, strict=True)
    ]
    return shown


def _hidden(row: Mapping[str, Any]) -> Message:
    return say(
        "{outcome}: what {arm} did beside its plan is not shown, for it would tell of very few "
        "customers.",
        outcome=row["outcome"],
        arm=row["arm"],
    )
