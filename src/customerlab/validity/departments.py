"""Each department's own rule, judged by what followed, and who removes whom."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import ibis
import ibis.expr.datatypes as types
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from customerlab.conditions import Expression, compile_expression
from customerlab.messages import Message, say
from customerlab.params import Department
from customerlab.validity.history import History
from customerlab.validity.surface import RESAMPLES, Outcomes, count_outcomes, resample


@dataclass(frozen=True)
class Rule:
    """A rule to judge.

    Attributes
    ----------
    name : Message or str
        A department, or whose rule it is.
    conditions : tuple of Expression
        A customer who meets any of them is removed.
    """

    name: Message | str
    conditions: tuple[Expression, ...]

    @property
    def sql(self) -> str:
        """The conditions, for printing."""
        return " OR ".join(one.sql for one in self.conditions)

    def __call__(self, customers: ir.Table) -> ir.BooleanValue:
        """Return whom it removes; a missing value meets no condition."""
        met = [condition(customers) for condition in self.conditions]
        return ibis.or_(*met) if met else ibis.literal(False)

    def cut(self, worth: str) -> tuple[float, int] | None:
        """Return the rule as a pair of cuts, nan or 0 for one that it does not have.

        None where it is anything else than ``worth <= a AND idle_months >= m``.
        """
        if len(self.conditions) != 1 or not self.conditions[0].is_conjunction:
            return None
        found: dict[str, float] = {}
        for column, sign, number in self.conditions[0].comparisons:
            if column == "idle_months" and sign == ">":
                sign, number = ">=", np.floor(number) + 1
            if (column, sign) not in {(worth, "<="), ("idle_months", ">=")} or column in found:
                return None
            found[column] = number
        return found.get(worth, np.nan), int(np.ceil(found.get("idle_months", 0)))

    @property
    def longest_idleness(self) -> int:
        """How many idle months the data must show for every comparison of the rule to be told."""
        asked = [
            # whoever is idle for longer than the data show counts as idle for just so long
            np.ceil(number) if sign in {">=", "<"} else np.floor(number) + 1
            for condition in self.conditions
            for column, sign, number in condition.comparisons
            if column == "idle_months"
        ]
        return int(max(asked, default=0))


def cut_rule(name: Message | str, worth: str, cut: float, idle_months: int) -> Rule:
    """Return a pair of cuts as a rule."""
    text = f"{worth} <= {cut:.15g} AND idle_months >= {idle_months}"
    schema = {worth: types.Decimal(38, 4), "idle_months": types.int64}
    return Rule(name, (compile_expression(text, schema, where="cut", boolean=True),))


def own_rules(
    departments: Sequence[Department],
    schema: Mapping[str, types.DataType],
    *,
    where: str = "invalid_customers",
) -> tuple[Rule, ...]:
    """Return the rules of the departments that have one of their own.

    Raises
    ------
    CustomerlabError
        When a condition is not one checked expression over the columns of a customer.
    """
    return tuple(
        Rule(
            one.name,
            (
                compile_expression(
                    one.when, schema, where=f"{where}.departments[{i}].when", boolean=True
                ),
            ),
        )
        for i, one in enumerate(departments)
        if one.when is not None
    )


def why_not_judged(rule: Rule, history: History) -> Message | None:
    """Say why a rule cannot be judged at the landmark, or None where it can."""
    t = history.customers
    columns = list(dict.fromkeys(c for one in rule.conditions for c in one.columns))
    if not columns:
        return None
    known = t.aggregate(**{c: t[c].count() for c in columns}).to_pandas().iloc[0]
    unknown = [c for c in columns if not known[c]]
    if unknown:
        return say(
            "{rule}: not judged, for {columns} is not known of an earlier day.",
            rule=rule.name,
            columns=", ".join(unknown),
        )
    days = [c for c in columns if t[c].type().is_date()]
    if days:
        return say(
            "{rule}: not judged, for {columns} is a day, and a rule about days does not move back "
            "to an earlier one.",
            rule=rule.name,
            columns=", ".join(days),
        )
    if not all(one.only_compares("idle_months") for one in rule.conditions):
        return say(
            "{rule}: not judged, for it does more with idle months than compare them with a "
            "number.",
            rule=rule.name,
        )
    if rule.longest_idleness > history.months_seen:
        return say(
            "{rule}: not judged, for the data show only {months:count} months before {day:date}.",
            rule=rule.name,
            months=history.months_seen,
            day=history.landmark,
        )
    return None


@dataclass(frozen=True)
class Judged:
    """Rules with what they would have removed.

    Attributes
    ----------
    rules : tuple of Rule
    outcomes : Outcomes
        Arrays of shape (rules,).
    together : DataFrame
        One row per combination of rules that somebody meets: a boolean column per rule (0, 1
        ...), ``customers`` and ``came_back``.
    landmark : date
    months : int
        For how long the customers were watched after it.
    """

    rules: tuple[Rule, ...]
    outcomes: Outcomes
    together: pd.DataFrame
    landmark: dt.date
    months: int


def judge_rules(
    history: History,
    rules: Sequence[Rule],
    rng: np.random.Generator,
    *,
    contact_cost: float | None = None,
    resamples: int = RESAMPLES,
) -> Judged:
    """Judge any rules by what happened after the landmark, all on the same resamples.

    Parameters
    ----------
    history : History
    rules : sequence of Rule
    rng : Generator
    contact_cost : float, optional
        What keeping one customer in contact costs in a year.
    resamples : int
    """
    t = history.customers
    flags = [f"rule_{i}" for i in range(len(rules))]
    met = {flag: rule(t) for flag, rule in zip(flags, rules, strict=True)}
    counted = count_outcomes(t.mutate(**met), flags)
    groups = counted.groupby(flags, sort=True) if flags else None
    place = groups.ngroup().to_numpy() if groups is not None else np.zeros(len(counted), dtype=int)
    members = counted.assign(place=place).drop_duplicates("place").sort_values("place")
    inside = members[flags].to_numpy(dtype=float).reshape(len(members), len(flags))
    outcomes = resample(
        counted,
        place,
        len(members),
        rng,
        lambda sums: sums @ inside,
        contact_cost,
        resamples,
    )
    together = members[flags].set_axis(range(len(flags)), axis=1).reset_index(drop=True)
    together["customers"] = counted.groupby(place)["n"].sum().to_numpy()
    back = counted["n"].where(counted["came_back"], 0)
    together["came_back"] = back.groupby(place).sum().to_numpy()
    return Judged(tuple(rules), outcomes, together, history.landmark, history.months)
