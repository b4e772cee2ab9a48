"""Whether targeting pays, and what to do, in words."""

from __future__ import annotations

from customerlab.findings import Finding, Status
from customerlab.messages import Message, say
from customerlab.uplift.policies import RULES, Policies


def targeting_pays(policies: Policies) -> Finding:
    """Return ``uplift_tests.targeting_pays``: money per customer over the best simple rule.

    Supported only if it surely pays.
    """
    numbers = (None,) * 3
    if policies.chosen:
        numbers = _numbers(policies, policies.chosen, "difference")
    return Finding(
        "uplift_tests.targeting_pays",
        _targeting(policies),
        *numbers,
        unit="money",
        n=policies.n,
        status=_status(policies, policies.targeting_pays),
    )


def best_policy(policies: Policies) -> Finding:
    """Return ``uplift_tests.best_policy``: money per customer of all over contacting nobody.

    Of the targeted group where targeting surely pays, otherwise of contacting everybody; supported
    if that is surely a gain, or surely a loss.
    """
    numbers, told = (None,) * 3, False
    if policies.why_not is None:
        rule = policies.chosen if policies.targeting_pays else "everybody"
        numbers = _numbers(policies, rule, "gain")
        told = not numbers[1] <= 0 <= numbers[2]
    return Finding(
        "uplift_tests.best_policy",
        _best(policies),
        *numbers,
        unit="money",
        n=policies.n,
        status=_status(policies, told),
    )


def within_budget(policies: Policies) -> Finding | None:
    """Return ``uplift_tests.within_budget``: money per customer of all over contacting nobody.

    Supported if that is surely a gain and the order surely tells customers apart. None without a
    budget, or where it pays for everybody.
    """
    if policies.why_not is not None or not policies.affordable < 1:
        return None
    row = policies.row("budget")
    told = {"called": policies.called, "affordable": policies.affordable}
    if not row["share"] > 0:
        text = say("The budget pays for nobody ({called}).", called=policies.called)
        return Finding("uplift_tests.within_budget", text, n=policies.n, status="weak")
    numbers = _numbers(policies, "budget", "gain")
    told |= {"share": float(row["share"]), "gain": numbers[0], "low": numbers[1]}
    # as many drawn by lot gain their part of what all would gain
    told |= {"high": numbers[2], "lot": float(row["share"] * policies.row("everybody")["gain"])}
    if policies.tells_apart and numbers[1] > 0:
        text = say(
            "The budget pays for {affordable:percent0} of the customers ({called}). Contact the "
            "{share:percent0} foretold to be moved most: per customer of all that gains "
            "{gain:money} (95 % interval {low:money} to {high:money}); as many drawn by lot would "
            "gain {lot:money}.",
            **told,
        )
    elif policies.tells_apart:
        text = say(
            "The budget pays for {affordable:percent0} of the customers ({called}), but contacting "
            "the {share:percent0} foretold to be moved most does not surely gain: per customer of "
            "all {gain:money} (95 % interval {low:money} to {high:money}).",
            **told,
        )
    else:
        text = say(
            "The budget pays for {affordable:percent0} of the customers ({called}). Whom to pick "
            "is not known, so draw them by lot if contact pays at all: {share:percent0} drawn so "
            "would gain {lot:money} per customer of all.",
            **told,
        )
        value = told["lot"]
        everybody = _numbers(policies, "everybody", "gain")
        numbers = (value, *(float(row["share"]) * end for end in everybody[1:]))
    sure = policies.tells_apart and numbers[1] > 0
    status = _status(policies, sure)
    return Finding(
        "uplift_tests.within_budget", text, *numbers, unit="money", n=policies.n, status=status
    )


def _numbers(policies: Policies, rule: str, column: str) -> tuple[float, float, float]:
    row = policies.row(rule)
    return tuple(float(row[name]) for name in (column, f"{column}_low", f"{column}_high"))


def _status(policies: Policies, told: bool) -> Status:
    return policies.status if told or policies.why_not is not None else "weak"


def _targeting(policies: Policies) -> Message:
    if policies.why_not is not None:
        return policies.why_not
    if not policies.chosen:
        return say(
            "No group to pick ({called}): no share of the customers can be told apart.",
            called=policies.called,
        )
    row = policies.row(policies.chosen)
    numbers = {
        "called": policies.called,
        "share": float(row["share"]),
        "difference": float(row["difference"]),
        "low": float(row["difference_low"]),
        "high": float(row["difference_high"]),
        "simple": RULES[policies.simple],
    }
    if policies.targeting_pays:
        return say(
            "Targeting pays ({called}): contact the {share:percent0} who are foretold to be "
            "moved most. Against the best simple rule ({simple}) that brings "
            "{difference:money} more per customer (95 % interval {low:money} to {high:money}).",
            **numbers,
        )
    if not policies.tells_apart:
        return say(
            "Contact all or none, there is no group to pick ({called}): the order is not "
            "surely better than a random one.",
            **numbers,
        )
    return say(
        "Targeting does not surely pay ({called}): contacting the {share:percent0} foretold to "
        "be moved most brings {difference:money} per customer over the best simple rule "
        "({simple}; 95 % interval {low:money} to {high:money}).",
        **numbers,
    )


def _best(policies: Policies) -> Message:
    if policies.why_not is not None:
        return policies.why_not
    if policies.targeting_pays:
        row = policies.row(policies.chosen)
        return say(
            "Contact the {share:percent0} who are foretold to be moved most ({called}): per "
            "customer of all that gains {gain:money} over contacting nobody (95 % interval "
            "{low:money} to {high:money}).",
            called=policies.called,
            share=float(row["share"]),
            gain=float(row["gain"]),
            low=float(row["gain_low"]),
            high=float(row["gain_high"]),
        )
    row = policies.row("everybody")
    numbers = {"called": policies.called, "gain": float(row["gain"])}
    numbers |= {"low": float(row["gain_low"]), "high": float(row["gain_high"])}
    if row["gain_low"] > 0:
        return say(
            "Contact everybody ({called}): that gains {gain:money} per customer (95 % interval "
            "{low:money} to {high:money}).",
            **numbers,
        )
    if row["gain_high"] < 0:
        return say(
            "Contact nobody ({called}): contacting everybody brings {gain:money} per customer, "
            "a loss (95 % interval {low:money} to {high:money}).",
            **numbers,
        )
    return say(
        "Whether contact pays is not sure ({called}): contacting everybody brings {gain:money} "
        "per customer (95 % interval {low:money} to {high:money}).",
        **numbers,
    )
