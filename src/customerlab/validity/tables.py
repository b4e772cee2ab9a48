"""The tables of the judgement, with counts rounded so that no single customer shows."""

from __future__ import annotations

from collections.abc import Sequence

import ibis.expr.types as ir
import numpy as np
import pandas as pd

from customerlab.layers import Definition
from customerlab.messages import Message, say
from customerlab.privacy import HIDDEN, round_counts
from customerlab.validity.consensus import holds
from customerlab.validity.departments import Rule
from customerlab.validity.judgement import Judgement
from customerlab.validity.robust import downstream
from customerlab.validity.surface import MEASURES, Outcomes

#: Column of an estimate to the columns of its interval.
INTERVALS = {name: (f"{name}_low", f"{name}_high") for name in MEASURES if name != "cost_saved"}

#: Shares are rounded to so many.
DECIMALS = 4

_AFTER = ("left", "active", "dormant", "assets_each", "spend_each")
#: What a page shows of :func:`consensus_table`: at the landmark, and at the snapshot.
CONSENSUS_SHOWN = (
    *("rule", "cut", "idle_months", "customers", "share_removed", "came_back", "assets_lost"),
    *("spend_lost", "cost_saved", "met"),
)
CONSENSUS_AFTER = ("rule", "cut", "idle_months", "churn_rate", *_AFTER)
_OUTCOMES = (
    "customers",
    *(column for name, ends in INTERVALS.items() for column in (name, *ends)),
    "cost_saved",
)


def no_rows(*columns: str) -> pd.DataFrame:
    """Return a table without rows, for a client whose data show no past."""
    return pd.DataFrame(columns=list(columns))


def outcomes_table(outcomes: Outcomes, min_cell: int) -> pd.DataFrame:
    """Return what each rule would have done, one row per rule.

    Rules that differ by a few customers stand side by side, so every count of customers is
    rounded to a multiple of `min_cell`, and shares are of rounded counts.

    Returns
    -------
    DataFrame
        ``customers`` removed; ``share_removed``, ``came_back``, ``assets_lost``, ``spend_lost``,
        each with the ends of its 95 % interval (:data:`INTERVALS`); ``cost_saved`` (money a
        year). A share is ``hidden`` where rounding could move it by more than a quarter of its
        interval: it rests on too few customers.
    """
    removed, returned = outcomes.removed, outcomes.returned
    people = round_counts(pd.Series(removed), min_cell).to_numpy()
    back = round_counts(pd.Series(returned), min_cell).to_numpy()
    few = (removed > 0) & (removed < min_cell)
    exact = outcomes.estimates
    with np.errstate(invalid="ignore", divide="ignore"):  # nobody removed: no share of them
        rounded = {
            "share_removed": np.minimum(people / outcomes.customers, 1),
            "came_back": np.where(people > 0, np.minimum(back / people, 1), np.nan),
        }
        coarse = {
            "share_removed": min_cell / 2 / np.full(removed.shape, outcomes.customers),
            # both counts are rounded
            "came_back": min_cell / 2 / removed * (1 + returned / removed),
        }
        table = pd.DataFrame({"customers": people})
        for name, ends in INTERVALS.items():
            low, high = outcomes.interval(name)
            hidden = few | (coarse[name] > (high - low) / 4 if name in coarse else False)
            hidden = hidden & (removed > 0)  # nobody is nobody
            for column, value in zip(
                (name, *ends), (rounded.get(name, exact[name]), low, high), strict=True
            ):
                table[column] = hide(value.round(DECIMALS), hidden)
        saved = exact["cost_saved"] / removed * people
    table["cost_saved"] = hide(np.where(removed > 0, saved, exact["cost_saved"]).round(2), few)
    return table


def too_few(people: pd.Series, back: pd.Series, min_cell: int) -> np.ndarray:
    """Say where too few customers came back, or did not, to show which share did."""
    parts = [(part > 0) & (part < min_cell) for part in (people, back, people - back)]
    return np.logical_or.reduce(parts)


def hide(values: np.ndarray | pd.Series, where: np.ndarray | pd.Series) -> pd.Series:
    """Return numbers with ``hidden`` in some places; what is not there need not be hidden."""
    shown = pd.Series(values).astype(object)
    return shown.mask(np.asarray(where) & pd.notna(pd.Series(values)).to_numpy(), HIDDEN)


def departments_table(judgement: Judgement | Message, min_cell: int) -> pd.DataFrame:
    """Return what each department's own rule does, and which customers whose rules remove.

    Returns
    -------
    DataFrame
        ``department``, ``condition``, the columns of :func:`outcomes_table`, ``met`` (share of
        resamples in which the rule meets the department's own demands), ``gain`` (customers that
        the proposed rule removes beyond this one; negative where fewer); then one row per
        combination of own rules, without a condition: those whom just these rules remove.
    """
    if isinstance(judgement, Message):
        return no_rows("department", "condition", *_OUTCOMES, "met", "gain")
    judged = judgement.judged
    names = [one.name for one in judgement.settings.departments]
    rules = [(i, rule) for i, rule in enumerate(judged.rules) if rule.name in names]
    places = [i for i, _ in rules]
    table = outcomes_table(judged.outcomes, min_cell).iloc[places].reset_index(drop=True)
    table.insert(0, "department", [rule.name for _, rule in rules])
    table.insert(1, "condition", [rule.sql for _, rule in rules])
    demands = judgement.consensus.demands
    table["met"] = [
        holds(judged.outcomes, own)[i] if own else np.nan
        for i, rule in rules
        for own in ([d for d in demands if d.department == rule.name],)
    ]
    if judgement.proposed is not None:
        removed = judged.outcomes.removed
        gain = removed[judgement.place(judgement.proposed)] - removed[places]
        table["gain"] = round_counts(pd.Series(gain, dtype=float), min_cell)
    if len(rules) < 2:
        return table
    together = _combinations(judgement, rules, min_cell)
    return pd.concat([table, together], ignore_index=True)


def _combinations(
    judgement: Judgement, rules: Sequence[tuple[int, Rule]], min_cell: int
) -> pd.DataFrame:
    """Return whom which of the departments' rules remove together."""
    places = [i for i, _ in rules]
    total = max(judgement.judged.outcomes.customers, 1)
    counted = judgement.judged.together
    grouped = counted.groupby(places)[["customers", "came_back"]].sum().reset_index()
    grouped = grouped[grouped[places].any(axis=1)]
    grouped = grouped.sort_values(["customers", *places], ascending=False)
    people, back = (grouped[name].reset_index(drop=True) for name in ("customers", "came_back"))
    rounded = {
        name: round_counts(part, min_cell) for name, part in (("all", people), ("back", back))
    }
    names = [
        _who([rule.name for i, rule in rules if line[i]], len(rules))
        for line in grouped[places].to_dict("records")
    ]
    came_back = (rounded["back"] / rounded["all"].where(rounded["all"] > 0)).clip(upper=1)
    return pd.DataFrame(
        {
            "department": names,
            "customers": rounded["all"],
            "share_removed": (rounded["all"] / total).clip(upper=1).round(DECIMALS),
            "came_back": hide(came_back.round(DECIMALS), too_few(people, back, min_cell)),
        }
    )


def _who(names: Sequence[Message | str], count: int) -> Message:
    joined: Message | str = names[0]
    for name in names[1:]:
        joined = say("{some} and {more}", some=joined, more=name)
    if len(names) == count:
        return say("By all: {names}", names=joined)
    return say("Only by {names}", names=joined)


def consensus_table(
    judgement: Judgement | Message,
    customers: ir.Table,
    definitions: tuple[Definition, ...],
    min_cell: int,
) -> pd.DataFrame:
    """Return the proposed rule beside the one in force and its neighbours.

    Parameters
    ----------
    judgement : Judgement
    customers : table
        One row per customer as of the snapshot.
    definitions : tuple of Definition
        The rules in force.
    min_cell : int

    Returns
    -------
    DataFrame
        ``rule``, ``cut`` (of worth) and ``idle_months`` (missing where the rule is no pair of
        cuts), the columns of :func:`outcomes_table`, ``met`` (share of resamples in which all
        demands are met), ``churn_rate`` (of the customers kept at the landmark, those without a
        movement since) and, at the snapshot, ``left``, ``active`` and ``dormant`` customers,
        rounded, with ``assets_each`` and ``spend_each`` per customer left.
    """
    if isinstance(judgement, Message):
        return no_rows("rule", "cut", "idle_months", *_OUTCOMES, "met", "churn_rate", *_AFTER)
    judged = judgement.judged
    wanted = (judgement.proposed, judgement.in_force, *judgement.near)
    rules = [rule for rule in wanted if rule in judged.rules]
    places = [judgement.place(rule) for rule in rules]
    pairs = [rule.cut(judgement.surface.worth) or (np.nan, 0) for rule in rules]
    table = outcomes_table(judged.outcomes, min_cell).iloc[places].reset_index(drop=True)
    table.insert(0, "rule", [rule.name for rule in rules])
    table.insert(1, "cut", [cut for cut, _ in pairs])
    table.insert(2, "idle_months", [months or np.nan for _, months in pairs])
    demands = judgement.consensus.demands
    table["met"] = holds(judged.outcomes, demands)[places] if demands else np.nan
    churn = _churn_rate(judged.outcomes, min_cell)
    table["churn_rate"] = churn.iloc[places].reset_index(drop=True)
    after = downstream(customers, definitions, rules)
    for name in ("assets_each", "spend_each"):
        # of three digits, two rules that differ by one customer do not tell what that one has
        rounded = after[name].map(lambda mean: float(f"{mean:.3g}"))
        after[name] = hide(rounded, after["left"] < min_cell)
    for name in ("left", "active", "dormant"):
        after[name] = round_counts(after[name], min_cell)
    return table.join(after.drop(columns="invalid_now"))


def _churn_rate(outcomes: Outcomes, min_cell: int) -> pd.Series:
    """Return which share of those kept made no movement since, from rounded counts."""
    removed, returned = (
        round_counts(pd.Series(counts), min_cell).to_numpy()
        for counts in (outcomes.removed, outcomes.returned)
    )
    kept = outcomes.customers - removed
    stayed = np.clip(outcomes.customers_returned - returned, 0, kept)
    share = np.where(kept > 0, 1 - stayed / np.maximum(kept, 1), np.nan)
    # both counts are rounded: of fewer the share would be far off
    return hide(share.round(DECIMALS), outcomes.customers - outcomes.removed < 20 * min_cell)


def surface_table(judgement: Judgement | Message, min_cell: int) -> pd.DataFrame:
    """Return the numbers behind the picture of the surface.

    Returns
    -------
    DataFrame
        ``cut``, ``idle_months``, the columns of :func:`outcomes_table`, ``met`` (share of
        resamples in which all demands are met) and ``nearly_as_good``.
    """
    if isinstance(judgement, Message):
        return no_rows("cut", "idle_months", *_OUTCOMES, "met", "nearly_as_good")
    surface = judgement.surface
    flat = _flattened(surface.outcomes)
    table = outcomes_table(flat, min_cell)
    rows, columns = np.indices(surface.outcomes.removed.shape)
    table.insert(0, "cut", surface.cuts[rows.ravel()])
    table.insert(1, "idle_months", surface.idle[columns.ravel()])
    consensus = judgement.consensus
    return table.assign(met=consensus.confidence.ravel(), nearly_as_good=consensus.region.ravel())


def _flattened(outcomes: Outcomes) -> Outcomes:
    count = outcomes.removed.size
    return Outcomes(
        {name: values.reshape(count) for name, values in outcomes.estimates.items()},
        {name: values.reshape(-1, count) for name, values in outcomes.resampled.items()},
        outcomes.removed.reshape(count),
        outcomes.returned.reshape(count),
        outcomes.customers,
        outcomes.customers_returned,
    )


def over_time_table(judgement: Judgement | Message, min_cell: int) -> pd.DataFrame:
    """Return how the subject would have done at other landmarks, counts rounded.

    Returns
    -------
    DataFrame
        ``landmark``, ``months`` watched, and the columns of :func:`outcomes_table`.
    """
    columns = ("landmark", "months", *_OUTCOMES[:-1])
    if isinstance(judgement, Message) or not judgement.over_time:
        return no_rows(*columns)
    rows = [
        outcomes_table(one.outcomes, min_cell).assign(landmark=one.landmark, months=one.months)
        for one in judgement.over_time
    ]
    return pd.concat(rows, ignore_index=True)[list(columns)]
