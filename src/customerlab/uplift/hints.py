"""Campaigns that left nobody out by lot: what contact seems to have done, as a hint."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from customerlab.findings import Check, Finding
from customerlab.messages import Message, say
from customerlab.params import UpliftTests
from customerlab.uplift.comparing import slug
from customerlab.uplift.observed import Observed, estimate_observed
from customerlab.uplift.observed_texts import words_to_show
from customerlab.uplift.targets import prices
from customerlab.uplift.trials import Trial

#: So many of the latest campaigns are looked at.
MOST_LOOKED_AT = 3
#: Fewer contacted customers tell nothing that way.
FEWEST = 100


@dataclass(frozen=True)
class Hint:
    """One campaign without a draw by lot.

    Attributes
    ----------
    trial : Trial
    outcome : str
    observed : Observed
    """

    trial: Trial
    outcome: str
    observed: Observed


def take_hints(
    trials: Sequence[Trial], settings: UpliftTests, *, rng: np.random.Generator
) -> list[Hint]:
    """Estimate what contact did in the latest campaigns that have no control.

    By each campaign's main outcome; customers who were not assigned stand in for a control. See
    :func:`customerlab.uplift.observed.estimate_observed`.
    """
    found: list[Hint] = []
    for trial in trials:
        sent = sum(trial.assigned.get(arm, {}).get("assigned", 0) for arm in trial.arms)
        if trial.control is not None or sent < FEWEST or len(found) >= MOST_LOOKED_AT:
            continue
        margins, cost = prices(trial, settings)
        outcome, names = trial.main.name, list(trial.covariates)
        frame = trial.rows.select("customer_id", "arm", outcome, *names)
        frame = frame.order_by("customer_id").to_pandas()
        pays = cost / margins[outcome] if cost and outcome in margins else None
        observed = estimate_observed(
            frame["arm"].isin(trial.arms).to_numpy(),
            frame[outcome].to_numpy(dtype=float),
            frame[names].rename(columns={name: str(trial.covariates[name]) for name in names}),
            rng,
            called=say("{outcome}, {experiment}", outcome=outcome, experiment=trial.name),
            pays=pays,
            weakens=(f"uplift_tests.observed_{slug(trial.id)}",),
        )
        found.append(Hint(trial, outcome, observed))
    return found


def say_without_lot(trials: Sequence[Trial]) -> Message | None:
    """Say how many campaigns left nobody out by lot; None where each has a control."""
    without = [trial for trial in trials if trial.control is None]
    if not without:
        return None
    if len(without) == len(trials):
        return say(
            "This is not an experiment: none of {n:count} campaigns left anyone out by lot, so no "
            "number on this page shows what contact did. What can be said is a hint, and the "
            "advice is to hold some customers back next time.",
            n=len(without),
        )
    return say(
        "{n:count} of {all:count} campaigns left nobody out by lot; what is said of them is a "
        "hint.",
        n=len(without),
        all=len(trials),
    )


def hint_findings(hints: Sequence[Hint], min_cell: int) -> list[Finding]:
    """Return ``uplift_tests.observed_<campaign>``: never more than weak, the warning first."""
    findings = []
    for hint in hints:
        one = hint.observed
        text, *more = words_to_show(one, min_cell)
        for part in more:
            text = say("{first} {second}", first=text, second=part)
        numbers = (None,) * 3
        if one.status != "not_enough_data":
            numbers = (one.value, one.low, one.high)
        binary = bool(one.table["binary"].any()) if len(one.table) else False
        findings.append(
            Finding(
                f"uplift_tests.observed_{slug(hint.trial.id)}",
                text,
                *numbers,
                unit="percent2" if binary else "number2",
                n=one.n,
                status=one.status,
            )
        )
    return findings


def hint_checks(hints: Sequence[Hint]) -> list[Check]:
    """Return whether those contacted have counterparts, campaign by campaign."""
    return [hint.observed.overlap.check for hint in hints]
