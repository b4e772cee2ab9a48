"""What stands beside the average effects, trial by trial: buyers and amounts, months, money."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import ibis
import pandas as pd

from customerlab.churn.curves import status_of
from customerlab.features import feature_name
from customerlab.findings import Finding
from customerlab.messages import Message, say
from customerlab.params import UpliftTests
from customerlab.uplift.against_plan import compare_with_plan, plan_finding
from customerlab.uplift.comparing import Compared, slug
from customerlab.uplift.disappointed import Change, explain_change
from customerlab.uplift.disappointed_texts import change_finding
from customerlab.uplift.money import Money, price_effects
from customerlab.uplift.money_texts import profit_finding
from customerlab.uplift.months_kept import MonthsKept, keep_months
from customerlab.uplift.parts_shown import few_stayed
from customerlab.uplift.segments import Segments, compare_segments
from customerlab.uplift.summing import sum_arms
from customerlab.uplift.targets import prices
from customerlab.uplift.trials import Trial
from customerlab.uplift.two_parts import TwoParts, split_amount

#: Of so many trials, the latest, segments are compared.
MOST_SEGMENTED = 3
_BOUGHT = "_bought"


def stack(parts: Iterable[tuple[Trial, pd.DataFrame]], columns: Sequence[str] = ()) -> pd.DataFrame:
    """Put the tables of trials under one another, with the column ``experiment`` before them."""
    frames = [frame.assign(experiment=trial.name).astype(object) for trial, frame in parts]
    table = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()
    return table.reindex(columns=list(dict.fromkeys(["experiment", *table.columns, *columns])))


def tabulate_trials(trials: Sequence[Trial]) -> pd.DataFrame:
    """Return each arm of each trial.

    Returns
    -------
    DataFrame
        ``experiment``, ``arm``, ``is_control``, ``assigned_on`` (the first day), ``assigned``
        customers, of whom the outcome is ``unknown``.
    """
    rows = [
        (
            trial.name,
            arm,
            arm == trial.control,
            None if pd.isna(trial.about.get("first")) else trial.about["first"].date(),
            each["assigned"],
            each["unknown"] + each["twice"],
        )
        for trial in trials
        for arm, each in trial.assigned.items()
    ]
    columns = ["experiment", "arm", "is_control", "assigned_on", "assigned", "unknown"]
    return pd.DataFrame(rows, columns=columns)


def split_amounts(trials: Sequence[Trial]) -> list[tuple[Trial, TwoParts]]:
    """Split the difference of each amount into more buyers and larger purchases."""
    found = []
    for trial in trials:
        for outcome in trial.outcomes:
            if trial.control is None or outcome.kind != "amount":
                continue
            amount = trial.rows[outcome.name]
            # nobody spends less than nothing unless goods come back: then there are no two parts
            rows = trial.rows.mutate(**{_BOUGHT: (amount != 0).cast("float64")})
            sums = sum_arms(rows, [_BOUGHT, outcome.name])
            found.append(
                (
                    trial,
                    split_amount(
                        sums, control=trial.control, amount=outcome.name, indicator=_BOUGHT
                    ),
                )
            )
    return found


def keep_customers(trials: Sequence[Trial]) -> list[tuple[Trial, MonthsKept]]:
    """Compare how long the customers of each arm stayed, where an outcome is of months."""
    return [
        (trial, keep_months(trial.months, control=trial.control))
        for trial in trials
        if trial.months is not None
        and trial.control is not None
        and trial.control in set(trial.months["arm"])
    ]


def months_findings(
    kept: Sequence[tuple[Trial, MonthsKept]], cautions: dict[str, Message], min_cell: int
) -> list[Finding]:
    """Return ``uplift_tests.<trial>_<arm>_months_kept`` of each arm."""
    findings = []
    for trial, one in kept:
        few = few_stayed(one.table, min_cell)
        for row, hidden in zip(one.table.to_dict("records"), few, strict=True):
            text = say(
                "{experiment}: {effect}",
                experiment=trial.name,
                effect=one.say(row["arm"], min_cell),
            )
            if trial.id in cautions:
                text = say("{warning} {effect}", warning=cautions[trial.id], effect=text)
            told = row["status"] != "not_enough_data" and row["why_not"] is None and not hidden
            ends = (row["months_kept"], row["low"], row["high"]) if told else (None,) * 3
            findings.append(
                Finding(
                    f"uplift_tests.{slug(trial.id, row['arm'], 'months_kept')}",
                    text,
                    *ends,
                    unit="number2",
                    n=int(row["n"] + row["control_n"]),
                    status=row["status"] if told else status_of(0),
                )
            )
    return findings


def price_trials(
    trials: Sequence[Trial], compared: Compared, settings: UpliftTests
) -> list[tuple[Trial, Money]]:
    """Turn the effects of each trial into money, as far as the parameters tell prices."""
    found = []
    for trial in trials:
        if trial.id not in compared.effects or not trial.arms:
            continue
        margins, cost = prices(trial, settings)
        money = price_effects(compared.effects[trial.id], margin=margins or None, cost=cost)
        found.append((trial, money))
    return found


def money_findings(
    priced: Sequence[tuple[Trial, Money]], cautions: dict[str, Message], min_cell: int
) -> list[Finding]:
    """Return ``uplift_tests.profit_<trial>_<arm>`` of each arm that has a margin and a cost.

    By the main outcome, or the first that has a margin.
    """
    findings = []
    for trial, money in priced:
        known = money.table[money.table["margin"].notna() & money.table["cost"].notna()]
        for arm, mine in known.groupby("arm", sort=False):
            suffix = slug(trial.id, str(arm))
            one = profit_finding(money, str(arm), mine["outcome"].iloc[0], suffix, min_cell)
            text = say("{experiment}: {effect}", experiment=trial.name, effect=one.text)
            if trial.id in cautions:
                text = say("{warning} {effect}", warning=cautions[trial.id], effect=text)
            numbers = (one.value, one.low, one.high)
            findings.append(Finding(one.id, text, *numbers, one.unit, one.n, one.status))
    return findings


def segment_trials(trials: Sequence[Trial]) -> list[tuple[Trial, str, Segments]]:
    """Compare each arm's effect on the main outcome between the segments that were declared.

    Parameters
    ----------
    trials : sequence of Trial

    Returns
    -------
    list of (Trial, arm, Segments)
    """
    found = []
    for trial in [one for one in trials if one.control is not None][:MOST_SEGMENTED]:
        for column in trial.segments:
            rows = trial.rows.mutate(**{column: trial.rows[column].cast("string")})
            sums = sum_arms(rows, [trial.main.name], by=[column, "arm"])
            by_segment: dict[str, dict] = {}
            for (segment, arm), one in sums.items():
                by_segment.setdefault(segment, {})[arm] = one
            for arm in trial.arms:
                found.append(
                    (
                        trial,
                        arm,
                        compare_segments(
                            by_segment,
                            arm=arm,
                            control=trial.control,
                            outcome=trial.main.name,
                            by=feature_name(column.removeprefix("of_")),
                            called=trial.main.name,
                        ),
                    )
                )
    return found


def segment_findings(
    segments: Sequence[tuple[Trial, str, Segments]], min_cell: int
) -> list[Finding]:
    """Return ``uplift_tests.segments_<trial>_<arm>_<column>``: whether segments differ."""
    findings = []
    for trial, arm, one in segments:
        text = say(
            "{experiment}, {arm}: {effect}",
            experiment=trial.name,
            arm=arm,
            effect=one.say(min_cell),
        )
        status = one.status
        if status == "supported" and not one.differ:
            status = "weak"
        end = slug(trial.id, arm, str(one.by))
        findings.append(Finding(f"uplift_tests.segments_{end}", text, status=status))
    return findings


def explain_changes(trials: Sequence[Trial]) -> list[tuple[Trial, Trial, Change]]:
    """Split what changed from the campaign before to the latest one of its kind.

    Of one kind are campaigns with a control of the same name that sell the same product, or share
    an arm, and have the main outcome in common. By the first segment, where one was declared.

    Returns
    -------
    list of (Trial, Trial, Change)
        Later, earlier, and the change; one at most.
    """
    drawn = [
        trial for trial in trials if trial.control is not None and trial.source != "experiment"
    ]
    for later, earlier in ((a, b) for i, a in enumerate(drawn) for b in drawn[i + 1 :]):
        named = {outcome.name for outcome in earlier.outcomes}
        outcome = next((one.name for one in later.outcomes if one.name in named), None)
        product = later.about.get("product")
        alike = product is not None and product == earlier.about.get("product")
        if outcome is None or later.control != earlier.control:
            continue
        if not alike and not set(later.arms) & set(earlier.arms):
            continue
        changed = {
            what: (earlier.about.get(what), later.about.get(what))
            for what in ("channel", "product", "contact_cost")
            if earlier.about.get(what) != later.about.get(what)
        }
        change = explain_change(
            _by_group(earlier, outcome),
            _by_group(later, outcome),
            control=str(later.control),
            outcome=outcome,
            contacted="contacted" if later.contact_known and earlier.contact_known else None,
            names=(str(earlier.name), str(later.name)),
            changed=changed,
        )
        return [(later, earlier, change)]
    return []


def change_findings(
    changes: Sequence[tuple[Trial, Trial, Change]],
    trials: Sequence[Trial],
    compared: Compared,
    min_cell: int,
) -> list[Finding]:
    """Return what changed since the campaign before, and how far a proposal kept its promise.

    ``uplift_tests.changed_<later>`` and ``uplift_tests.against_plan_<trial>_<arm>``.
    """
    found = [change_finding(change, slug(later.id), min_cell) for later, _, change in changes]
    for trial in trials:
        promised = {arm: n for arm, n in (trial.promised or {}).items() if arm in trial.arms}
        if trial.id not in compared.effects or not any(promised.values()):
            continue
        plans = pd.DataFrame(
            [
                (arm, trial.main.name, each / trial.assigned[arm]["assigned"])
                for arm, each in promised.items()
            ],
            columns=["arm", "outcome", "planned"],
        )
        against = compare_with_plan(compared.effects[trial.id], plans)
        found += [
            plan_finding(against, arm, trial.main.name, slug(trial.id, arm), min_cell)
            for arm in promised
        ]
    return found


def _by_group(trial: Trial, outcome: str) -> dict[str, dict]:
    known = trial.rows
    names = [outcome]
    if trial.contact_known:
        known = known.mutate(contacted=known.contacted.cast("float64").fill_null(0.0))
        names.append("contacted")
    group = ibis.literal("all")
    if trial.segments:
        group = known[trial.segments[0]].cast("string").fill_null("")
    sums = sum_arms(known.mutate(_group=group), names, by=["_group", "arm"])
    by_group: dict[str, dict] = {}
    for (one, arm), each in sums.items():
        by_group.setdefault(one, {})[arm] = each
    return by_group
