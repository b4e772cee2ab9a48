"""Rules for invalid customers judged by the past: everything the notebook asks about."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import ibis.expr.types as ir
import numpy as np
import pandas as pd

from customerlab.calendar_months import months_before
from customerlab.cells import cells
from customerlab.layers import Definition
from customerlab.messages import Message, say
from customerlab.params import InvalidCustomers, Params
from customerlab.validity.consensus import (
    Consensus,
    demands_of,
    find_consensus,
    round_pairs,
    to_draw,
)
from customerlab.validity.departments import (
    Judged,
    Rule,
    cut_rule,
    judge_rules,
    own_rules,
    why_not_judged,
)
from customerlab.validity.history import AFTER, History, look_back
from customerlab.validity.robust import judge_over_time, nearest_cuts, other_landmarks
from customerlab.validity.surface import Surface, candidate_cuts, cut_surface

#: Customers without a movement for so long are quiet: the question is who of them comes back.
QUIET_MONTHS = 3


@dataclass(frozen=True)
class Judgement:
    """The rules, judged at a landmark.

    Attributes
    ----------
    settings : InvalidCustomers
    history : History
    surface : Surface
    consensus : Consensus
    in_force : Rule
    proposed : Rule or None
        The pair of cuts that the departments can agree on.
    judged : Judged
        The departments' own rules, the one in force, the proposed one and those near it, as far
        as they could be judged.
    near : tuple of Rule
        The pairs of cuts nearest to the proposed one.
    not_judged : tuple of Message
        Why the others could not.
    over_time : tuple of Judged
        The subject at several landmarks, each watched for as many months.
    """

    settings: InvalidCustomers
    history: History
    surface: Surface
    consensus: Consensus
    in_force: Rule
    proposed: Rule | None
    judged: Judged
    near: tuple[Rule, ...]
    not_judged: tuple[Message, ...]
    over_time: tuple[Judged, ...] = field(repr=False)

    @property
    def subject(self) -> Rule | None:
        """The rule that the answers speak of: the proposed one, or else the one in force."""
        wanted = self.proposed or self.in_force
        return wanted if wanted in self.judged.rules else None

    @property
    def losses(self) -> tuple[str, ...]:
        """What can be lost with the removed: measures that are known."""
        known = {"assets_lost": "assets_after", "spend_lost": "spend_after"}
        t = self.history.customers
        sums = t.aggregate(**{name: t[column].sum() for name, column in known.items()})
        total = sums.to_pandas().iloc[0]
        return tuple(name for name in known if pd.notna(total[name]) and total[name] > 0)

    def place(self, rule: Rule) -> int:
        """Return where a judged rule stands in the outcomes."""
        return self.judged.rules.index(rule)

    def quiet(self) -> dict[str, pd.DataFrame]:
        """Count the quiet customers by what they could be cut by, and who of them came back.

        Returns
        -------
        dict of str to DataFrame
            For the measure of worth and for ``idle_months``: ``x``, ``n``, ``events``.
        """
        t = self.history.customers
        quiet = t.filter(t.idle_months >= QUIET_MONTHS)
        counted = {}
        for measure in (self.surface.worth, "idle_months"):
            known = quiet.filter(quiet[measure].notnull())
            known = known.mutate(x=known[measure].cast("float64"))
            counted[measure] = cells(known, ["x"], {"events": known.came_back.cast("int64")})
        return counted


def judge(
    tables: Mapping[str, ir.Table],
    params: Params,
    definitions: tuple[Definition, ...],
    keep: Callable[[ir.Table], ir.Table],
    rng: np.random.Generator,
    *,
    where: str = "invalid_customers",
) -> Judgement | Message:
    """Judge the departments' rules, the one in force and every pair of cuts by the past.

    Parameters
    ----------
    tables : mapping of str to table
        The clean canonical tables.
    params : Params
    definitions : tuple of Definition
        The rules in force.
    keep : function
        Works a table out once and keeps it.
    rng : Generator
    where : str
        Begins the message when a condition is wrong.

    Returns
    -------
    Judgement or Message
        A message that says what is missing, where the data show no past to judge by.
    """
    settings = params.invalid_customers
    reading = {"not_movements": settings.not_movements, "keep": keep}
    history = look_back(
        tables, snapshot=params.snapshot, months_back=settings.outcome_months, **reading
    )
    if history is None:
        return say(
            "What the rules would have cost cannot be judged: that takes transactions from before "
            "{day:date}, {months:count} months before the snapshot. With a shorter history, set "
            "outcome_months to fewer.",
            day=months_before(params.snapshot, settings.outcome_months),
            months=settings.outcome_months,
        )
    worth = history.worth
    schema = {name: kind for name, kind in history.customers.schema().items() if name not in AFTER}
    own = own_rules(settings.departments, schema, where=where)
    in_force = Rule(
        say("In force"), tuple(d.condition for d in definitions if d.purpose == "invalid")
    )
    named = [rule.cut(worth) for rule in (*own, in_force)]
    round_worth = getattr(settings.round_to, worth)
    surface = cut_surface(
        history,
        candidate_cuts(history, [cut[0] for cut in named if cut and cut[0] >= 0], round_worth),
        rng,
        contact_cost=settings.contact_cost,
    )
    consensus = find_consensus(
        surface,
        demands_of(settings.departments),
        round_worth=round_worth,
        round_months=settings.round_to.idle_months,
    )
    proposed = None
    if consensus.chosen is not None:
        row, column = consensus.chosen
        proposed = cut_rule(
            say("Proposed"), worth, float(surface.cuts[row]), int(surface.idle[column])
        )
    near = _neighbours(surface, consensus, in_force, settings)
    rules = [*own, in_force, *([proposed] if proposed else []), *near]
    reasons = [why_not_judged(rule, history) for rule in rules]
    judged = judge_rules(
        history,
        [rule for rule, reason in zip(rules, reasons, strict=True) if reason is None],
        rng,
        contact_cost=settings.contact_cost,
    )
    subject = proposed or in_force
    over_time: tuple[Judged, ...] = ()
    if subject in judged.rules:
        landmarks, months = other_landmarks(history, subject.longest_idleness)
        over_time = judge_over_time(
            tables, subject, landmarks, months, rng, snapshot=params.snapshot, **reading
        )
    return Judgement(
        settings,
        history,
        surface,
        consensus,
        in_force,
        proposed,
        judged,
        near,
        tuple(reason for reason in reasons if reason is not None),
        over_time,
    )


def describe_past(judgement: Judgement | Message) -> tuple[Message, ...]:
    """Say at which landmark the rules are judged, and for whom they could not be."""
    if isinstance(judgement, Message):
        return (judgement,)
    history = judgement.history
    total = judgement.surface.outcomes.customers
    return (
        say(
            "The rules are judged as they would have been on {landmark:date}, from what was "
            "known then, by what the customers did in the {months:count} months up to "
            "{until:date}. {customers:customers} customers were known then; the data "
            "show {seen:count} months before that day, and nobody counts as idle for longer.",
            landmark=history.landmark,
            months=history.months,
            until=history.until,
            customers=total,
            seen=history.months_seen,
        ),
        say(
            "Not judged: {unknown:customers} customers whose assets, spend or idle months are "
            "not known, and {undated:customers} of whom nothing says that they were customers "
            "on that day. No rule removes a customer because a value is missing.",
            unknown=judgement.surface.unknown,
            undated=history.undated,
        ),
        *judgement.not_judged,
        *_caveats(judgement),
    )


def _caveats(judgement: Judgement) -> tuple[Message, ...]:
    """Say where what is known at the landmark is less than the words promise."""
    found = []
    history = judgement.history
    conditions = [one for rule in judgement.judged.rules for one in rule.conditions]
    looked_at = {history.worth, *(column for one in conditions for column in one.columns)}
    if "spend_12m" in looked_at and history.months_seen < 12:
        found.append(
            say(
                "A year's spend is that of {seen:count} months on that day, for the data show no "
                "more.",
                seen=history.months_seen,
            )
        )
    for demand in judgement.consensus.demands:
        if demand.measure in {"assets_lost", "spend_lost"} - set(judgement.losses):
            found.append(
                say(
                    "“{demand}” cannot be judged: what customers had after that day is not known, "
                    "or nothing.",
                    demand=demand.text,
                )
            )
    return tuple(found)


def surface_to_draw(judgement: Judgement | Message) -> pd.DataFrame:
    """Return the surface with every mark, ready to be drawn."""
    if isinstance(judgement, Message):
        return pd.DataFrame()
    names = {rule.name for rule in judgement.judged.rules}
    own = [one.name for one in judgement.settings.departments if one.name in names]
    marks = []
    for rule in judgement.judged.rules:
        cut = rule.cut(judgement.surface.worth)
        if cut is None or rule is judgement.proposed:
            continue
        if rule.name in own:
            marks.append({"kind": "own", "name": rule.name})
        elif rule is judgement.in_force and judgement.settings.agreed is not None:
            marks.append({"kind": "agreed", "name": None})
        else:
            continue
        marks[-1] |= {"cut": cut[0], "idle_months": cut[1] or np.nan}
    return to_draw(
        judgement.surface, judgement.consensus, judgement.settings.departments, pd.DataFrame(marks)
    )


def _neighbours(
    surface: Surface, consensus: Consensus, in_force: Rule, settings: InvalidCustomers
) -> tuple[Rule, ...]:
    """Return the pairs of cuts nearest to the proposed one, as rules."""
    rounded = settings.round_to
    tidy = round_pairs(surface, getattr(rounded, surface.worth), rounded.idle_months)
    pairs = nearest_cuts(surface, consensus, tidy, but=in_force.cut(surface.worth))
    return tuple(
        cut_rule(say("Near by"), surface.worth, float(surface.cuts[i]), int(surface.idle[j]))
        for i, j in pairs
    )
