"""Tables of all trials as a report may show them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Sized

import pandas as pd

from customerlab.findings import STATUSES
from customerlab.messages import Message, say, yes_or_no
from customerlab.privacy import round_counts
from customerlab.uplift.beside import stack, tabulate_trials
from customerlab.uplift.campaigns import NOT_ASSIGNED
from customerlab.uplift.comparing import Compared
from customerlab.uplift.disappointed import Change
from customerlab.uplift.disappointed_texts import change_to_show
from customerlab.uplift.effects_shown import effects_to_show
from customerlab.uplift.hints import Hint, say_without_lot
from customerlab.uplift.judging import Health
from customerlab.uplift.money import Money
from customerlab.uplift.money_texts import money_to_show
from customerlab.uplift.months_kept import MonthsKept
from customerlab.uplift.observed import COLUMNS as OBSERVED
from customerlab.uplift.observed_texts import observed_to_show
from customerlab.uplift.parts_shown import kept_to_show, reached_to_show, split_to_show
from customerlab.uplift.policies import RULES
from customerlab.uplift.power import Power, tabulate_power
from customerlab.uplift.reached import Reached
from customerlab.uplift.segments import Segments, segments_to_show
from customerlab.uplift.targets import Target
from customerlab.uplift.targets_shown import tabulate_curves
from customerlab.uplift.trials import Trial, Trials
from customerlab.uplift.two_parts import TwoParts

#: What a page shows of the tables that are written.
EFFECTS_SHOWN = ["experiment", "arm", "outcome", "control_mean", "treated_mean", "effect"]
EFFECTS_SHOWN += ["adjusted_effect", "adjusted_p"]
POWER_SHOWN = ["experiment", "arm", "outcome", "smallest_effect", "smallest_relative", "effect"]
POWER_SHOWN += ["power", "next_n_treated", "next_n_control"]
MONEY_SHOWN = ["experiment", "arm", "outcome", "profit_per_contact", "profit", "roi", "cac"]
MONEY_SHOWN += ["break_even_cost"]
POLICIES_SHOWN = ["experiment", "arm", "outcome", "rule", "share", "value", "gain", "difference"]
BALANCE_SHOWN = ["experiment", "covariate", "arm", "control_mean", "mean", "smd"]
_AMOUNTS = ["arm", "outcome", "difference", "more_buyers", "larger_purchases", "status"]
_MONTHS = ["arm", "rmst", "control_rmst", "months_kept", "low", "high", "p_value"]
_MONTHS += ["horizon_months", "status"]
_REACHED = ["arm", "outcome", "reached", "control_reached", "effect", "reached_effect"]
_REACHED += ["reached_low", "reached_high", "status"]
_SEGMENTS = ["arm", "outcome", "segment", "n", "effect", "low", "high", "shrunk", "shrunk_low"]
_SEGMENTS += ["shrunk_high", "status"]
_FIRST = ["experiment", "arm", "outcome", "n", "control_n", "control_mean", "treated_mean"]
_FIRST += ["effect", "low", "high", "relative", "relative_low", "relative_high", "p_value"]
_FIRST += ["adjusted_p"]


def trials_to_show(trials: Sequence[Trial]) -> pd.DataFrame:
    """Return who was assigned to which arm; counts are for :meth:`Lab.save_table` to mask."""
    table = tabulate_trials(trials)
    return table.assign(is_control=table["is_control"].map(yes_or_no))


def compared_to_show(compared: Compared, min_cell: int) -> pd.DataFrame:
    """Return the effects of all trials; see :func:`effects_to_show`."""
    shown = effects_to_show(compared.table.drop(columns="trial"), min_cell)
    hidden = shown["p_value"].astype(str) == "hidden"
    shown["adjusted_p"] = shown["adjusted_p"].astype(object).mask(hidden, "hidden")
    shown = shown.assign(binary=compared.table["binary"])
    return shown[[*_FIRST, *(name for name in shown if name not in _FIRST)]]


def power_to_show(
    powers: Mapping[tuple[str, str, str], Power], trials: Sequence[Trial], min_cell: int
) -> pd.DataFrame:
    """Return what each comparison could find; customers there were are rounded."""
    names = {trial.id: trial.name for trial in trials}
    table = tabulate_power(powers)  # type: ignore[arg-type]
    keys = pd.DataFrame(list(table["comparison"]), columns=["trial", "arm", "outcome"])
    shown = keys.assign(experiment=keys["trial"].map(names)).drop(columns="trial")
    shown = shown[["experiment", "arm", "outcome"]].join(table.drop(columns="comparison"))
    for column in ("n_treated", "n_control"):
        shown[column] = round_counts(shown[column], min_cell)
    return shown.assign(status=shown["status"].map(STATUSES))


def policies_to_show(targets: Sequence[Target], min_cell: int) -> pd.DataFrame:
    """Return what each rule is worth, the rules in words."""
    table = tabulate_curves(targets, "policies", min_cell=min_cell)
    return table.assign(rule=table["rule"].map(RULES)).drop(columns="binary")


def fifths_to_show(targets: Sequence[Target], min_cell: int) -> pd.DataFrame:
    """Return predicted and observed uplift by fifth; customers are rounded."""
    table = tabulate_curves(targets, "calibration", min_cell=min_cell)
    rounded = round_counts(table["n"], min_cell) if len(table) else table["n"]
    return table.assign(n=rounded, status=table["status"].map(STATUSES))


def say_trials(observed: Trials) -> list[Message]:
    """Say how many tests there are, what is no test, and what was left out."""
    trials = observed.trials
    if not trials:
        return [
            say(
                "Nothing can be judged yet: no campaign's days were over at the snapshot, or none "
                "assigned anybody."
            )
        ]
    assigned = sum(
        each["assigned"]
        for trial in trials
        for arm, each in trial.assigned.items()
        if arm != NOT_ASSIGNED
    )
    said = [
        say(
            "{tests:count} tests assigned {assigned:customers} times; {drawn:count} of them left "
            "some customers alone, so that what they did can be told.",
            tests=len(trials),
            assigned=assigned,
            drawn=len(observed.drawn),
        )
    ]
    without = say_without_lot(trials)
    said += [without] if without is not None else []
    notes = {str(note): note for trial in trials for note in trial.notes}
    return [*said, *notes.values()]


#: What is said where a section has nothing to tell.
_LACKING: dict[str, Message] = {
    "proposals": say(
        "No earlier run proposed anything that could be judged by now. What this run proposes is "
        "read back by the next one with a later snapshot."
    ),
    "months": say(
        "No outcome is of months. With an outcome such as months_kept: months in the parameters "
        "this section tells how much longer customers stay."
    ),
    "contact": say(
        "It is not known who was contacted: that takes a table of contacts, or a column contacted "
        "of the experiment."
    ),
    "segments": say("No segments were declared in the parameters, or no arm could be compared."),
    "changes": say("There is no earlier campaign of the same kind to compare the latest one with."),
    "hints": say("Every test that is looked at left some customers alone."),
    "amounts": say("No outcome is an amount."),
}


def say_lacking(found: Sized, section: str) -> list[Message]:
    """Say why a section has nothing to tell; nothing where it has.

    Parameters
    ----------
    found : sized
    section : str
        A key of the sections that may be empty.
    """
    return [] if len(found) else [_LACKING[section]]


def say_reached(reached: Sequence[tuple[Trial, Reached]], min_cell: int) -> list[Message]:
    """Say what each arm did to those it reached."""
    return [
        say(
            "{experiment}: {effect}",
            experiment=trial.name,
            effect=one.say(arm, trial.main.name, min_cell),
        )
        for trial, one in reached
        for arm in trial.arms
    ]


def reached_of(health: Health, trials: Sequence[Trial]) -> list[tuple[Trial, Reached]]:
    """Return the effects on those reached of each trial that knows who was contacted."""
    return [(trial, health.reached[trial.id]) for trial in trials if trial.id in health.reached]


def say_each(amounts: Sequence[tuple[Trial, TwoParts]], min_cell: int) -> list[Message]:
    """Say of each amount whether more customers bought, or bought more."""
    return [
        say("{experiment}: {effect}", experiment=trial.name, effect=one.say(arm, min_cell))
        for trial, one in amounts
        for arm in trial.arms
    ]


def amounts_table(amounts: Sequence[tuple[Trial, TwoParts]], min_cell: int) -> pd.DataFrame:
    """Return both parts of each amount's difference as a report may show them."""
    parts = (
        (trial, split_to_show(one.table, min_cell).assign(outcome=one.amount))
        for trial, one in amounts
    )
    return stack(parts, [*_AMOUNTS, *_ends("difference", "more_buyers", "larger_purchases")])


def months_table(kept: Sequence[tuple[Trial, MonthsKept]], min_cell: int) -> pd.DataFrame:
    """Return the months kept as a report may show them."""
    parts = ((trial, kept_to_show(one.table, min_cell)) for trial, one in kept)
    return stack(parts, _MONTHS)


def reached_table(reached: Sequence[tuple[Trial, Reached]], min_cell: int) -> pd.DataFrame:
    """Return the effects on those reached as a report may show them."""
    parts = ((trial, reached_to_show(one.table, min_cell)) for trial, one in reached)
    return stack(parts, _REACHED)


def money_table(priced: Sequence[tuple[Trial, Money]], min_cell: int) -> pd.DataFrame:
    """Return what each arm earns as a report may show it."""
    parts = ((trial, money_to_show(money, min_cell)) for trial, money in priced)
    return stack(parts, [*MONEY_SHOWN, *_ends("profit_per_contact")])


def segments_table(segments: Sequence[tuple[Trial, str, Segments]], min_cell: int) -> pd.DataFrame:
    """Return the segments of all arms as a report may show them."""
    parts = (
        (trial, segments_to_show(one, min_cell).assign(arm=arm, outcome=trial.main.name))
        for trial, arm, one in segments
    )
    return stack(parts, _SEGMENTS)


def changes_table(changes: Sequence[tuple[Trial, Trial, Change]], min_cell: int) -> pd.DataFrame:
    """Return the parts of each change as a report may show them."""
    parts = ((later, change_to_show(change, min_cell)) for later, _, change in changes)
    return stack(parts, ["part", "change", "low", "high", "p_value", "status", "told"])


def hints_table(hints: Sequence[Hint], min_cell: int) -> pd.DataFrame:
    """Return the plain and the adjusted differences of campaigns without a draw by lot."""
    parts = (
        (
            hint.trial,
            observed_to_show(hint.observed, min_cell)["effects"].assign(outcome=hint.outcome),
        )
        for hint in hints
    )
    return stack(parts, ["outcome", *(name for name in OBSERVED if name != "binary")])


def _ends(*names: str) -> list[str]:
    return [f"{name}_{end}" for name in names for end in ("low", "high")]
