"""Whom each arm of each trial moves more, and what follows from that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import scipy

from customerlab.findings import Finding
from customerlab.lots import drawn
from customerlab.messages import Message, say
from customerlab.params import MAIN, UpliftTests
from customerlab.uplift.comparing import Compared, slug
from customerlab.uplift.fifths import FIFTHS
from customerlab.uplift.foretelling import UpliftModel, foretell_effects
from customerlab.uplift.policies import COLUMNS as POLICIES
from customerlab.uplift.policies import Policies
from customerlab.uplift.policy_answers import best_policy, targeting_pays, within_budget
from customerlab.uplift.ranking import CURVE
from customerlab.uplift.targeting import Targeting, judge_targeting
from customerlab.uplift.trials import Trial

#: So many customers are learnt from at most, drawn by lot: more tell hardly more.
MOST_LEARNT = 50_000
#: So many arms of the latest trials are asked.
MOST_ASKED = 6


@dataclass(frozen=True)
class Target:
    """One arm of one trial: whom it moves more, and what rules are worth.

    Attributes
    ----------
    trial : Trial
    arm : str
    outcome : str
    margin, cost : float or None
        Money per unit of the outcome, and per contact.
    judged : Targeting or Message
        The message says why nothing is told.
    model : UpliftModel or None
    """

    trial: Trial
    arm: str
    outcome: str
    margin: float | None
    cost: float | None
    judged: Targeting | Message
    model: UpliftModel | None

    @property
    def policies(self) -> Policies | None:
        """What rules are worth, where that can be told."""
        return self.judged.policies if isinstance(self.judged, Targeting) else None

    @property
    def called(self) -> Message:
        """Arm, outcome and trial, in words."""
        return say(
            "{outcome}, {arm}, {experiment}",
            outcome=self.outcome,
            arm=self.arm,
            experiment=self.trial.name,
        )


def prices(trial: Trial, settings: UpliftTests) -> tuple[dict[str, float], float | None]:
    """Return profit per unit of each outcome of a trial, and what a contact costs in it.

    The cost is the parameters', else the campaign's own; None where neither tells.
    """
    names = {outcome.name for outcome in trial.outcomes}
    given = settings.margin or {}
    told = {trial.main.name if name == MAIN else name: one for name, one in given.items()}
    own = trial.about.get("contact_cost")
    cost = settings.contact_cost if settings.contact_cost is not None else own
    known = {name: one for name, one in told.items() if name in names and one > 0}
    return known, None if cost is None else float(cost)  # type: ignore[arg-type]


def find_targets(
    trials: Sequence[Trial], settings: UpliftTests, *, rng: np.random.Generator, seed: int
) -> list[Target]:
    """Ask of each arm of the latest trials whom it moves more.

    By the main outcome, or the first that has a margin.

    Parameters
    ----------
    trials : sequence of Trial
    settings : UpliftTests
    rng : Generator
    seed : int
        Of the lot that draws whom to learn from, where customers are many.
    """
    found: list[Target] = []
    for trial in trials:
        if trial.control is None or len(found) >= MOST_ASKED:
            continue
        margins, cost = prices(trial, settings)
        priced = [outcome.name for outcome in trial.outcomes if outcome.name in margins]
        outcome = priced[0] if priced else trial.main.name
        for arm in trial.arms[: MOST_ASKED - len(found)]:
            target = Target(trial, arm, outcome, margins.get(outcome), cost, say("-"), None)
            found.append(_ask(target, settings, rng, seed))
    return found


def _ask(target: Target, settings: UpliftTests, rng: np.random.Generator, seed: int) -> Target:
    trial, names = target.trial, list(target.trial.covariates)
    rows = trial.rows.filter(trial.rows.arm.isin([target.arm, trial.control]))
    n = sum(trial.assigned[arm]["assigned"] for arm in (target.arm, trial.control))
    if n > MOST_LEARNT:
        rows = rows.filter(drawn(seed, f"learn:{trial.id}", rows.customer_id, MOST_LEARNT / n))
    frame = rows.select("customer_id", "arm", target.outcome, *names).order_by("customer_id")
    frame = frame.to_pandas()
    arm = (frame["arm"] == target.arm).to_numpy()
    if trial.planned:
        both = trial.planned[target.arm] + trial.planned[trial.control]
        chance = trial.planned[target.arm] / both
    else:
        chance = float(arm.mean()) if 0 < arm.sum() < len(arm) else 0.5
    data = {"outcome": frame[target.outcome].to_numpy(float), "arm": arm, "propensity": chance}
    told = foretell_effects(frame, covariates=names, rng=rng, called=target.called, **data)
    priced = target.margin is not None and target.cost is not None
    judged = judge_targeting(
        told,
        **data,
        rng=rng,
        called=target.called,
        margin=target.margin if priced else None,
        cost=target.cost if priced else 0.0,
        budget=settings.budget,
        customers=n,
    )
    return replace(target, judged=judged, model=told.model)


def tabulate_curves(targets: Sequence[Target], part: str = "ranking") -> pd.DataFrame:
    """Return the curves, fifths or rules of all targets under one another.

    Parameters
    ----------
    targets : sequence of Target
    part : {"ranking", "calibration", "policies"}

    Returns
    -------
    DataFrame
        ``experiment``, ``arm``, ``outcome``, ``binary``, and the part's own columns.
    """
    own = {"ranking": CURVE, "calibration": FIFTHS, "policies": POLICIES}[part]
    columns = ["experiment", "arm", "outcome", "binary", *own]
    frames = []
    for target in targets:
        if isinstance(target.judged, Targeting) and getattr(target.judged, part) is not None:
            about = {"experiment": target.trial.name, "arm": target.arm}
            kinds = {one.name: one.kind for one in target.trial.outcomes}
            about |= {"outcome": target.outcome, "binary": kinds[target.outcome] == "binary"}
            frames.append(getattr(target.judged, part).table.assign(**about))
    table = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=columns)
    return table.reindex(columns=columns)


def best_target(targets: Sequence[Target]) -> Target | None:
    """Return the arm for which targeting surely pays most, as many as were asked.

    Each of so many is held to a level that many times as strict (Bonferroni). None where
    targeting surely pays for none of them.
    """
    asked = [target for target in targets if target.policies is not None]
    sure = [target for target in asked if _surely(target.policies, len(asked))]
    return max(sure, key=lambda target: _gain(target.policies), default=None)


def _gain(policies: Policies) -> float:
    return float(policies.row(policies.chosen)["difference"])


def _surely(policies: Policies, several: int) -> bool:
    if not policies.targeting_pays:
        return False
    row, wider = policies.row(policies.chosen), scipy.stats.norm.isf(0.025 / several) / 1.96
    ends = [
        row[name] - wider * (row[name] - row[f"{name}_low"]) for name in ("gain", "over_everybody")
    ]
    return min(ends) > 0


def target_findings(targets: Sequence[Target]) -> list[Finding]:
    """Return ``uplift_tests.targeting_pays`` and ``.best_policy``, and of each arm where several.

    Parameters
    ----------
    targets : sequence of Target
        None of them: no findings.
    """
    if not targets:
        return []
    each = [_of_one(target) for target in targets]
    if len(targets) == 1:
        return each[0]
    best = best_target(targets)
    first = best or next((target for target in targets if target.policies is not None), targets[0])
    said = each[targets.index(first)]
    if best is not None:
        overall = list(said[:2])
    else:
        asked = sum(isinstance(target.judged, Targeting) for target in targets)
        text = say(
            "For none of {asked:count} arms does picking customers surely pay: contact all or "
            "none, there is no group to pick.",
            asked=asked,
        )
        if not asked:
            text = say("Not enough data to say for any arm whether picking customers pays.")
        overall = [replace(said[0], text=text, status="weak" if asked else "not_enough_data")]
        overall.append(said[1])
    details = []
    for target, findings in zip(targets, each, strict=True):
        end = slug(target.trial.id, target.arm)
        details += [replace(one, id=f"{one.id}_{end}") for one in findings]
    return [*overall, *details]


def _of_one(target: Target) -> list[Finding]:
    policies = target.policies
    if policies is not None:
        told = [targeting_pays(policies), best_policy(policies), within_budget(policies)]
        return [finding for finding in told if finding is not None]
    if isinstance(target.judged, Message):
        text, n = target.judged, None
        status = "not_enough_data"
    else:
        ranking = target.judged.ranking
        text, n, status = ranking.text, ranking.n, ranking.status
        status = "weak" if status == "supported" and not ranking.tells_apart else status
    lacking = say(
        "What to do ({called}) cannot be told in money: it takes a margin and the cost of a "
        "contact in the parameters.",
        called=target.called,
    )
    return [
        Finding("uplift_tests.targeting_pays", text, n=n, status=status),
        Finding("uplift_tests.best_policy", lacking, n=n, status="not_enough_data"),
    ]


def pays_from(trials: Sequence[Trial], settings: UpliftTests, compared: Compared) -> Mapping:
    """Return the effect from which each comparison pays its contact, where that is known.

    Returns
    -------
    dict of (trial, arm, outcome) to float
    """
    found = {}
    for trial in trials:
        margins, cost = prices(trial, settings)
        for name, margin in margins.items():
            if cost:
                found |= {(trial.id, arm, name): cost / margin for arm in trial.arms}
    known = set(zip(*(compared.table[c] for c in ("trial", "arm", "outcome")), strict=True))
    return {key: value for key, value in found.items() if key in known}
