"""Whom to contact, in words: of each arm, and of all together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from customerlab.findings import Check, Finding
from customerlab.messages import Message, say
from customerlab.uplift.comparing import slug
from customerlab.uplift.policy_answers import best_policy, targeting_pays, within_budget
from customerlab.uplift.targets import (
    PROFIT,
    Target,
    best_arm,
    best_target,
    main_target,
    told_apart,
)
from customerlab.uplift.targets_shown import few_picked

#: What an answer about one of several arms is called.
_DETAIL = {
    "uplift_tests.targeting_pays": "uplift_tests.picking",
    "uplift_tests.best_policy": "uplift_tests.policy",
    "uplift_tests.within_budget": "uplift_tests.budget",
}


def target_findings(
    targets: Sequence[Target], cautions: Mapping[str, Message] | None = None, *, min_cell: int
) -> list[Finding]:
    """Return ``uplift_tests.targeting_pays`` and ``.best_policy``, and of each arm where several.

    Parameters
    ----------
    targets : sequence of Target
        None of them: no findings.
    cautions : mapping of str to Message, optional
        By trial: what stands before its numbers, which then are weak at best.
    min_cell : int
    """
    if not targets:
        return []
    each = [_warned(_of_one(target, min_cell), target, cautions or {}) for target in targets]
    if len(targets) == 1:
        return each[0]
    best = best_target(targets)
    # without prices the answer is whether any arm surely moves some more than others
    apart = None if any(target.policies for target in targets) else told_apart(targets)
    first = best or best_arm(targets) or apart or main_target(targets) or targets[0]
    said = each[targets.index(first)]
    if best is not None or apart is not None:
        overall = list(said[:2])
    else:
        asked = sum(target.judged.ranking.why_not is None for target in targets)
        text = say(
            "For none of {asked:count} arms does picking customers surely pay: contact all or "
            "none, there is no group to pick.",
            asked=asked,
        )
        if not asked:
            text = say("Not enough data to say for any arm whether picking customers pays.")
        overall = [
            Finding(
                "uplift_tests.targeting_pays",
                text,
                say("No group to pick") if asked else None,
                n=said[0].n,
                status="weak" if asked else "not_enough_data",
            )
        ]
        priced = [target for target in targets if target.money is not None]
        overall.append(_none_pays(priced) if priced and best_arm(targets) is None else said[1])
    details = []
    for target, findings in zip(targets, each, strict=True):
        end = slug(target.trial.id, target.arm)
        details += [replace(one, id=f"{_DETAIL[one.id]}_{end}") for one in findings]
    return [*overall, *details]


def _warned(
    findings: list[Finding], target: Target, cautions: Mapping[str, Message]
) -> list[Finding]:
    if target.trial.id not in cautions:
        return findings
    return [
        replace(
            one,
            text=say("{warning} {effect}", warning=cautions[target.trial.id], effect=one.text),
            status="weak" if one.status == "supported" else one.status,
        )
        for one in findings
    ]


def _of_one(target: Target, min_cell: int) -> list[Finding]:
    policies = target.policies
    if policies is not None:
        picking, best = targeting_pays(policies), best_policy(policies)
        if policies.chosen and policies.chosen in few_picked(policies, min_cell):
            text = say(
                "What picking customers is worth is not shown, for it would tell of very few "
                "({called}).",
                called=target.called,
            )
            picking = Finding(picking.id, text, n=policies.n, status="not_enough_data")
        if not policies.targeting_pays and target.money is not None:
            best = _all_or_none(target)
        told = [picking, best, within_budget(policies)]
        return [finding for finding in told if finding is not None]
    ranking = target.judged.ranking
    text, n, status = ranking.text, ranking.n, ranking.status
    status = "weak" if status == "supported" and not ranking.tells_apart else status
    lacking = say(
        "What to do ({called}) cannot be told in money: it takes a margin and the cost of a "
        "contact in the parameters.",
        called=target.called,
    )
    value = None
    if status != "not_enough_data":
        apart = ranking.tells_apart
        value = say("Some are moved more") if apart else say("No group to pick")
    return [
        Finding("uplift_tests.targeting_pays", text, value, n=n, status=status),
        Finding("uplift_tests.best_policy", lacking, n=n, status="not_enough_data"),
    ]


def _none_pays(priced: Sequence[Target]) -> Finding:
    """Return ``uplift_tests.best_policy`` where contact surely pays for none of several arms."""
    text = say(
        "For none of {arms:count} arms is it sure that contacting everybody pays, allowing for "
        "their number: contact nobody, or test again with more customers.",
        arms=len(priced),
    )
    known = [target for target in priced if not np.isnan(target.earns(1))]
    if not known:
        text = say("Not enough data to say for any arm whether contact pays.")
    value = say("No contact surely pays") if known else None
    status = "weak" if known else "not_enough_data"
    return Finding("uplift_tests.best_policy", text, value, status=status)


def _all_or_none(target: Target) -> Finding:
    """Return ``uplift_tests.best_policy`` where nobody is to be picked, by all of the test."""
    row = target.money
    value, low, high = (float(row[name]) for name in (PROFIT, f"{PROFIT}_low", f"{PROFIT}_high"))
    numbers = {"called": target.called, "gain": value, "low": low, "high": high}
    if row["status"] == "not_enough_data" or np.isnan(low):
        text = say("Not enough data to say whether contact pays ({called}).", called=target.called)
        return Finding("uplift_tests.best_policy", text, status="not_enough_data")
    if low > 0:
        text = say(
            "Contact everybody ({called}): that gains {gain:money} per customer (95 % interval "
            "{low:money} to {high:money}).",
            **numbers,
        )
    elif high < 0:
        text = say(
            "Contact nobody ({called}): contacting everybody brings {gain:money} per customer, "
            "a loss (95 % interval {low:money} to {high:money}).",
            **numbers,
        )
    else:
        text = say(
            "Whether contact pays is not sure ({called}): contacting everybody brings {gain:money} "
            "per customer (95 % interval {low:money} to {high:money}).",
            **numbers,
        )
    status = row["status"] if low > 0 or high < 0 else "weak"
    n = int(row["n"] + row["control_n"])
    return Finding("uplift_tests.best_policy", text, value, low, high, "money", n, status)


def check_forecast(targets: Sequence[Target]) -> list[Check]:
    """Return whether uplift is as large as foretold, of the arm that figures show."""
    main = main_target(targets)
    if main is None:
        return []
    slope = main.judged.calibration.slope
    known = not np.isnan(slope.low)
    return [
        Check(
            say("Uplift is as large as foretold"),
            bool(slope.low <= 1 <= slope.high) if known else None,
            main.judged.calibration.text,
            ("uplift_tests.proposed_to_contact",),
        )
    ]
