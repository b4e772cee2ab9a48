"""Whom each arm of each trial moves more, and what follows from that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy

from customerlab.lots import drawn
from customerlab.messages import Message
from customerlab.params import MAIN, UpliftTests
from customerlab.uplift.comparing import Compared
from customerlab.uplift.foretelling import UpliftModel, foretell_effects
from customerlab.uplift.money import Money
from customerlab.uplift.policies import Policies
from customerlab.uplift.targeting import Targeting, judge_targeting
from customerlab.uplift.trials import Trial, named

#: So many customers are learnt from at most, drawn by lot: more tell hardly more.
MOST_LEARNT = 50_000
#: So many arms of the latest trials are asked.
MOST_ASKED = 6
PROFIT = "profit_per_contact"


@dataclass(frozen=True)
class Target:
    """One arm of one trial: whom it moves more, and what rules are worth.

    Attributes
    ----------
    trial : Trial
    arm : str
    outcome : str
    called : Message
        Outcome, arm and trial, in words.
    money : Series or None
        Row of :attr:`customerlab.uplift.money.Money.table`: what contacting all earns, by all
        customers of the test; None without a margin and a cost.
    judged : Targeting
    model : UpliftModel or None
    """

    trial: Trial
    arm: str
    outcome: str
    called: Message
    money: pd.Series | None
    judged: Targeting
    model: UpliftModel | None

    @property
    def policies(self) -> Policies | None:
        """What rules are worth, where that can be told."""
        return self.judged.policies

    def earns(self, several: int) -> float:
        """Return the least that a contact of everybody earns, at a level so many times as strict.

        Missing where that is not known.
        """
        if self.money is None:
            return float("nan")
        value, low = (float(self.money[name]) for name in (PROFIT, f"{PROFIT}_low"))
        return value - _wider(several) * (value - low)


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
    priced: Sequence[tuple[Trial, Money]],
    settings: UpliftTests,
    *,
    rng: np.random.Generator,
    seed: int,
) -> list[Target]:
    """Ask of each arm of the latest trials whom it moves more.

    By the main outcome, or the first that has a margin.

    Parameters
    ----------
    priced : sequence of (Trial, Money)
        See :func:`customerlab.uplift.beside.price_trials`.
    settings : UpliftTests
    rng : Generator
    seed : int
        Of the lot that draws whom to learn from, where customers are many.
    """
    found: list[Target] = []
    for trial, money in priced:
        margins, cost = prices(trial, settings)
        with_margin = [outcome.name for outcome in trial.outcomes if outcome.name in margins]
        outcome = with_margin[0] if with_margin else trial.main.name
        for arm in trial.arms[: MOST_ASKED - len(found)]:
            row = money.row(arm, outcome) if with_margin and cost is not None else None
            told = (margins.get(outcome), cost, row)
            found.append(_ask(trial, arm, outcome, told, settings, rng, seed))
    return found


def _ask(
    trial: Trial,
    sent: str,
    outcome: str,
    told: tuple,
    settings: UpliftTests,
    rng: np.random.Generator,
    seed: int,
) -> Target:
    names = list(trial.covariates)
    rows = trial.rows.filter(trial.rows.arm.isin([sent, trial.control]))
    n = sum(trial.assigned[arm]["assigned"] for arm in (sent, trial.control))
    if n > MOST_LEARNT:
        rows = rows.filter(drawn(seed, f"learn:{trial.id}", rows.customer_id, MOST_LEARNT / n))
    frame = rows.select("customer_id", "arm", outcome, *names).order_by("customer_id")
    frame = frame.to_pandas()
    arm = (frame["arm"] == sent).to_numpy()
    if trial.planned:
        chance = trial.planned[sent] / (trial.planned[sent] + trial.planned[trial.control])
    else:
        chance = float(arm.mean()) if 0 < arm.sum() < len(arm) else 0.5
    data = {"outcome": frame[outcome].to_numpy(float), "arm": arm, "propensity": chance}
    called = named(trial, sent, outcome)
    foretold = foretell_effects(frame, covariates=names, rng=rng, called=called, **data)
    margin, cost, row = told
    judged = judge_targeting(
        foretold,
        **data,
        rng=rng,
        called=called,
        margin=None if row is None else margin,
        cost=0.0 if row is None else cost,
        budget=settings.budget,
        customers=n,
    )
    return Target(trial, sent, outcome, called, row, judged, foretold.model)


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
    row, wider = policies.row(policies.chosen), _wider(several)
    ends = [
        row[name] - wider * (row[name] - row[f"{name}_low"]) for name in ("gain", "over_everybody")
    ]
    return min(ends) > 0


def _wider(several: int) -> float:
    """Return how many times as wide intervals are at a level so many times as strict."""
    return float(scipy.stats.norm.isf(0.025 / max(several, 1)) / scipy.stats.norm.isf(0.025))


def best_arm(targets: Sequence[Target]) -> Target | None:
    """Return the arm that surely earns most when everybody is contacted; None where none does."""
    asked = sum(target.money is not None for target in targets)
    sure = [target for target in targets if target.earns(asked) > 0]
    return max(sure, key=lambda target: target.earns(asked), default=None)


def main_target(targets: Sequence[Target]) -> Target | None:
    """Return the arm that figures show: the one to pick for, else the first that can be judged."""
    judged = [target for target in targets if target.judged.ranking.why_not is None]
    priced = [target for target in judged if target.policies is not None]
    best = best_target(targets) or best_arm(judged)
    return best or next(iter([*priced, *judged]), None)


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
