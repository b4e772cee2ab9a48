"""Whether each trial can be trusted, asked before any of its numbers is looked at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from itertools import groupby

import ibis
import pandas as pd

from customerlab.findings import Check
from customerlab.messages import Message, say
from customerlab.uplift.attrition import check_attrition
from customerlab.uplift.balance import COLUMNS, balance_to_show, check_balance
from customerlab.uplift.comparing import slug
from customerlab.uplift.health import check_sample_ratio
from customerlab.uplift.reached import Reached, check_contact, effect_on_reached
from customerlab.uplift.repeated import check_one_arm, check_overlaps
from customerlab.uplift.summing import sum_arms
from customerlab.uplift.sums import ArmSums
from customerlab.uplift.trials import Trial

#: Arms that differ by less than this part of an equal share were meant to be equal.
NEARLY = 0.1
#: Overlaps are looked for among so many of the latest trials.
MOST_TRIALS = 12


@dataclass(frozen=True)
class Health:
    """Whether the trials can be trusted.

    Attributes
    ----------
    balance : DataFrame
        ``experiment``, ``covariate``, ``arm``, ``control_mean``, ``mean``, ``smd``, as a report
        may show them.
    checks : tuple of Check
        Those that failed for each trial, and one for all that passed.
    cautions : dict of str to Message
        By trial: what stands before each of its numbers, where a check failed.
    reached : dict of str to Reached
        By trial, where it is known who was contacted.
    """

    balance: pd.DataFrame
    checks: tuple[Check, ...]
    cautions: dict[str, Message]
    reached: dict[str, Reached]


def judge_health(
    trials: Sequence[Trial], sums: Mapping[str, Mapping[str, ArmSums]], *, min_cell: int
) -> Health:
    """Check sizes, balance, outcomes of before, losses, contact and overlaps of drawn trials.

    Parameters
    ----------
    trials : sequence of Trial
        Those without a control are passed over.
    sums : mapping of str to mapping of str to ArmSums
        By trial and arm.
    min_cell : int
    """
    drawn = [trial for trial in trials if trial.control is not None]
    frames, checks, cautions, reached = [], [], {}, {}
    for trial in drawn:
        found, balance = _judge(trial, sums[trial.id], min_cell)
        frames.append(balance.assign(experiment=trial.name))
        failed = [check for check in found if check.passed is False]
        if failed:
            cautions[trial.id] = say(
                "Warning, do not rely on this yet: the check “{check}” failed.",
                check=failed[0].name,
            )
        if trial.contact_known:
            reached[trial.id] = _reached(trial)
            weakens = (f"uplift_tests.reached_{slug(trial.id)}",)
            found.append(check_contact(reached[trial.id], weakens=weakens, min_cell=min_cell))
        checks += [(trial.name, check) for check in found]
    columns = ["experiment", *(name for name in COLUMNS if name != "binary")]
    table = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=columns)
    together = [_overlaps(drawn[:MOST_TRIALS])] if len(drawn) > 1 else []
    return Health(table[columns], (*_gathered(checks), *together), cautions, reached)


def _judge(
    trial: Trial, sums: Mapping[str, ArmSums], min_cell: int
) -> tuple[list[Check], pd.DataFrame]:
    # the only experiment of a client is what all its answers rest on
    begin = slug(trial.id)
    weakens = (f"uplift_tests.{begin}", f"uplift_tests.profit_{begin}") if begin else ()
    balance = check_balance(sums, trial.control, list(trial.covariates), weakens=weakens)
    before = [one.before for one in trial.outcomes if one.before is not None]
    balance = replace(balance, table=_named(balance.table, trial))
    found = [_sizes(trial, weakens), balance.check]
    if before:
        alike = check_balance(sums, trial.control, before, weakens=weakens)
        alike = replace(alike, table=_named(alike.table, trial)).check
        found.append(replace(alike, name=say("The outcomes of the days before were alike")))
    counts = pd.DataFrame(
        [
            (
                arm,
                each["assigned"] - each["twice"],
                each["assigned"] - each["twice"] - each["unknown"],
            )
            for arm, each in trial.assigned.items()
        ],
        columns=["arm", "n", "known"],
    )
    found.append(check_attrition(counts, weakens=weakens, min_cell=min_cell).check)
    if trial.source == "experiment":
        both = pd.DataFrame(
            {
                "experiment": [trial.name],
                "n": [sum(each["assigned"] for each in trial.assigned.values())],
                "several_arms": [sum(each["twice"] for each in trial.assigned.values())],
            }
        )
        found.append(check_one_arm(both, weakens=weakens).check)
    return found, balance_to_show(balance, min_cell)


def _sizes(trial: Trial, weakens: tuple[str, ...]) -> Check:
    """Check the arms' sizes against the plan; arms of nearly one size were meant to be equal."""
    if trial.uneven:
        why = say(
            "Customers had different chances of an arm. A plain comparison of the arms mixes that "
            "with what the campaign did; test customers of one chance at a time."
        )
        return Check(say("The arms are as large as planned"), False, why, weakens)
    n = {arm: float(each["assigned"]) for arm, each in trial.assigned.items()}
    equal = sum(n.values()) / max(len(n), 1)
    meant = trial.planned or all(abs(one - equal) <= NEARLY * equal for one in n.values())
    if not meant:
        why = say(
            "It cannot be judged: the planned shares are not told, and the arms are not of one "
            "size."
        )
        return Check(say("The arms are as large as planned"), None, why, weakens)
    return check_sample_ratio(n, trial.planned, weakens=weakens).check


def _reached(trial: Trial) -> Reached:
    known = trial.rows.filter(trial.rows.contacted.notnull())
    known = known.mutate(contacted=known.contacted.cast("float64"))
    names = [outcome.name for outcome in trial.outcomes]
    arms = sum_arms(known, [*names, "contacted"])
    return effect_on_reached(arms, control=trial.control, outcomes=names)


def _gathered(checks: Sequence[tuple[Message | str, Check]]) -> list[Check]:
    """Return checks that failed trial by trial, and those that passed as one."""
    several = len({str(name) for name, _ in checks}) > 1
    gathered = []
    by_name = sorted(enumerate(checks), key=lambda item: (_place(item[1], checks), item[0]))
    for _, some in groupby((pair for _, pair in by_name), key=lambda pair: str(pair[1].name)):
        pairs = list(some)
        bad = [(name, check) for name, check in pairs if check.passed is False]
        good = [check for _, check in pairs if check.passed]
        for name, check in bad:
            text = say("{experiment}: {text}", experiment=name, text=check.text)
            gathered.append(replace(check, text=text) if several else check)
        if not bad and len(good) < 2:
            gathered.append(good[0] if good else pairs[0][1])
        elif good and not bad:
            text = say("This holds in {n:count} of {all:count} tests.", n=len(good), all=len(pairs))
            gathered.append(replace(good[0], text=text, weakens=()))
    return gathered


def _place(pair: tuple, checks: Sequence[tuple]) -> int:
    """Return where a check's name first stands."""
    return next(i for i, (_, check) in enumerate(checks) if str(check.name) == str(pair[1].name))


def _named(table: pd.DataFrame, trial: Trial) -> pd.DataFrame:
    """Call the covariates as a reader does."""
    return table.assign(covariate=table["covariate"].map(trial.covariates.get))


def _overlaps(trials: Sequence[Trial]) -> Check:
    """Check that who is in several trials at once is so in all their arms alike."""
    parts = [
        trial.rows.select(
            "customer_id",
            "day",
            "arm",
            trial=ibis.literal(trial.id),
            days=ibis.literal(max(outcome.days or 0 for outcome in trial.outcomes)),
        )
        for trial in trials
    ]
    one = reduce(lambda first, second: first.union(second), parts)
    other = one.select(
        whose="customer_id", other="trial", other_arm="arm", other_day="day", other_days="days"
    )
    both = one.inner_join(other, [("customer_id", "whose")])
    apart = both.day.delta(both.other_day, unit="day").abs()
    both = both.filter(
        (both.trial != both.other) & (apart <= ibis.least(both.days, both.other_days))
    )
    counted = both.group_by(["trial", "arm", "other", "other_arm"]).aggregate(n=both.count())
    pairs = counted.order_by(["trial", "arm", "other", "other_arm"]).to_pandas()
    names = {trial.id: trial.name for trial in trials}
    rows = []
    for (trial, other_), mine in pairs.groupby(["trial", "other"], sort=False):
        rows += mine.to_dict("records")
        in_both = mine.groupby("arm")["n"].sum()
        of = next(one for one in trials if one.id == trial)
        for arm, each in of.assigned.items():
            left = each["assigned"] - each["unknown"] - int(in_both.get(arm, 0))
            rows.append({"trial": trial, "arm": arm, "other": other_, "other_arm": None, "n": left})
    frame = pd.DataFrame(rows, columns=["trial", "arm", "other", "other_arm", "n"])
    frame = frame.assign(experiment=frame["trial"].map(names), other=frame["other"].map(names))
    return check_overlaps(frame).check
