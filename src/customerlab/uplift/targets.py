"""Whom each arm of each trial moves more, and what follows from that."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import scipy

from customerlab.findings import Check, Finding
from customerlab.lots import drawn
from customerlab.messages import Message, say
from customerlab.params import MAIN, UpliftTests
from customerlab.privacy import HIDDEN
from customerlab.uplift.comparing import Compared, slug
from customerlab.uplift.fifths import FIFTHS
from customerlab.uplift.foretelling import UpliftModel, foretell_effects
from customerlab.uplift.money import Money
from customerlab.uplift.policies import COLUMNS as POLICIES
from customerlab.uplift.policies import Policies
from customerlab.uplift.policy_answers import best_policy, targeting_pays, within_budget
from customerlab.uplift.ranking import CURVE
from customerlab.uplift.targeting import Targeting, judge_targeting
from customerlab.uplift.trials import Trial, named

#: So many customers are learnt from at most, drawn by lot: more tell hardly more.
MOST_LEARNT = 50_000
#: So many arms of the latest trials are asked.
MOST_ASKED = 6
_PROFIT = "profit_per_contact"
#: What an answer about one of several arms is called.
_DETAIL = {
    "uplift_tests.targeting_pays": "uplift_tests.picking",
    "uplift_tests.best_policy": "uplift_tests.policy",
    "uplift_tests.within_budget": "uplift_tests.budget",
}


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
        value, low = (float(self.money[name]) for name in (_PROFIT, f"{_PROFIT}_low"))
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


def tabulate_curves(
    targets: Sequence[Target], part: str = "ranking", *, min_cell: int
) -> pd.DataFrame:
    """Return the curves, fifths or rules of all targets under one another.

    As a report may show them: a curve has no steps of fewer than `min_cell` customers, and what a
    rule is worth that contacts fewer, or all but fewer, is hidden.

    Parameters
    ----------
    targets : sequence of Target
    part : {"ranking", "calibration", "policies"}
    min_cell : int

    Returns
    -------
    DataFrame
        ``experiment``, ``arm``, ``outcome``, ``binary``, and the part's own columns.
    """
    own = {"ranking": CURVE, "calibration": FIFTHS, "policies": POLICIES}[part]
    columns = ["experiment", "arm", "outcome", "binary", *own]
    frames = []
    for target in targets:
        if getattr(target.judged, part) is not None:
            about = {"experiment": target.trial.name, "arm": target.arm}
            kinds = {one.name: one.kind for one in target.trial.outcomes}
            about |= {"outcome": target.outcome, "binary": kinds[target.outcome] == "binary"}
            table = getattr(target.judged, part).table
            if part == "ranking" and len(table):
                step = math.ceil(
                    min_cell / max(target.judged.ranking.n * table["share"].iloc[0], 1)
                )
                table = table[(np.arange(len(table)) + 1) % step == 0]
            if part == "policies" and len(table):
                few = few_picked(target.judged.policies, min_cell)
                table = table.astype(object).mask(table["rule"].isin(few), HIDDEN)
                table["rule"] = getattr(target.judged, part).table["rule"]
            frames.append(table.assign(**about))
    table = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=columns)
    return table.reindex(columns=columns)


def few_picked(policies: Policies, min_cell: int) -> list[str]:
    """Return the rules that contact fewer than `min_cell` of those judged, or all but fewer."""
    some = (policies.table["share"].astype(float) * policies.n).round()
    few = some.between(1, min_cell - 1) | (policies.n - some).between(1, min_cell - 1)
    return policies.table.loc[few, "rule"].to_list()


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
    first = best or best_arm(targets) or main_target(targets) or targets[0]
    said = each[targets.index(first)]
    if best is not None:
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
        overall.append(said[1])
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


def _all_or_none(target: Target) -> Finding:
    """Return ``uplift_tests.best_policy`` where nobody is to be picked, by all of the test."""
    row = target.money
    value, low, high = (float(row[name]) for name in (_PROFIT, f"{_PROFIT}_low", f"{_PROFIT}_high"))
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
