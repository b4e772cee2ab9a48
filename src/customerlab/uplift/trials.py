"""One experiment or campaign: who was in which arm, what was known before, and what followed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import ibis.expr.types as ir

from customerlab.errors import CustomerlabError, nearest
from customerlab.messages import Message, say
from customerlab.retention.arms import CONTROLS

Source = Literal["experiment", "assignments", "actions"]
#: Columns that every trial's rows have.
COLUMNS = ("customer_id", "arm", "day", "propensity", "contacted")


@dataclass(frozen=True)
class Outcome:
    """What a trial is judged by.

    Attributes
    ----------
    name : str
        Its column.
    kind : {"binary", "amount", "count"}
    days : int or None
        It counts from the assignment so many days on; None in a prepared table, which does not
        tell.
    before : str or None
        The covariate that says the same of the days before the assignment.
    """

    name: str
    kind: Literal["binary", "amount", "count"]
    days: int | None = None
    before: str | None = None


@dataclass(frozen=True)
class Trial:
    """Customers of one experiment, campaign or list of proposed actions.

    Attributes
    ----------
    id : str
    name : Message or str
        What people call it.
    source : {"experiment", "assignments", "actions"}
    rows : table
        One row per customer whose outcomes are known: ``customer_id``, ``arm``, ``day`` of the
        assignment, ``propensity`` (planned chance of the own arm), ``contacted`` (boolean; all
        four null where not known), each outcome (float), each covariate (float, none missing) and
        the segments (text).
    arms : tuple of str
        Without the control; those with most customers first.
    control : str or None
        None where nobody was left out: then it is no experiment.
    outcomes : tuple of Outcome
    covariates : dict of str to Message or str
        Column to what a reader calls it.
    segments : tuple of str
    assigned : dict of str to dict of str to int
        By arm: customers ``assigned``, of whom the outcome of so many is ``unknown``, and so many
        are ``twice`` in the trial, which leaves them out.
    planned : dict of str or Message to float or None
        Share of each arm, where the client tells, of one that nobody is in, too.
    months : DataFrame or None
        Counts ``n`` by ``arm``, ``duration`` and ``left``: how many whole months after the
        assignment each customer was watched, and whether the customer left in the last of them.
    about : dict of str to object
        ``channel``, ``product``, ``contact_cost``, ``starts_on`` where known.
    notes : tuple of Message
        What was left out on the way, and why.
    contact_known : bool
        Whether ``contacted`` tells anything.
    uneven : bool
        Whether customers of an arm had different chances of it.
    promised : dict of str to float or None
        Of proposed actions: how much more of the main outcome the proposal promised, by arm, in
        all.
    """

    id: str
    name: Message | str
    source: Source
    rows: ir.Table
    arms: tuple[str, ...]
    control: str | None
    outcomes: tuple[Outcome, ...]
    covariates: dict[str, Message | str]
    segments: tuple[str, ...]
    assigned: dict[str, dict[str, int]]
    planned: dict[Message | str, float] | None
    months: object | None
    about: dict[str, object]
    notes: tuple[Message, ...] = ()
    contact_known: bool = False
    uneven: bool = False
    promised: dict[str, float] | None = None

    @property
    def names(self) -> list[str]:
        """Outcomes and covariates."""
        return [*(outcome.name for outcome in self.outcomes), *self.covariates]

    @property
    def main(self) -> Outcome:
        """The outcome that counts most: the first."""
        return self.outcomes[0]


@dataclass(frozen=True)
class Trials:
    """All trials of a client.

    Attributes
    ----------
    trials : tuple of Trial
        The latest first.
    everyone : table or None
        All customers as they are known at the snapshot: ``customer_id`` and the covariates of the
        trials. None for a prepared experiment, which knows only its own.
    """

    trials: tuple[Trial, ...]
    everyone: ir.Table | None = None

    @property
    def drawn(self) -> tuple[Trial, ...]:
        """Those with a control."""
        return tuple(trial for trial in self.trials if trial.control is not None)


def named(trial: Trial, arm: str, outcome: str) -> Message:
    """Return arm, test and outcome in words; the only experiment of a client needs no name."""
    if trial.id == "experiment":
        return say("{arm}, by {outcome}", arm=arm, outcome=outcome)
    return say(
        "{arm} of {experiment}, by {outcome}", arm=arm, outcome=outcome, experiment=trial.name
    )


def find_control(arms: Sequence[str], control: str | None) -> str | None:
    """Return the arm without contact: the one that was named, or the first called like one."""
    if control in arms:
        return control
    plain = {arm.strip().lower(): arm for arm in sorted(arms, reverse=True)}
    return next((plain[name] for name in CONTROLS if name in plain), None)


def refuse_unknown(
    where: str, names: Sequence[str], known: Sequence[str], section: str = "uplift_tests"
) -> None:
    """Refuse a column that is not there.

    Raises
    ------
    CustomerlabError
        Naming the nearest that is.
    """
    for name in names:
        if name not in known:
            raise CustomerlabError(
                f'{section}.{where}: there is no "{name}"{nearest(name, known)}; there are: '
                f"{', '.join(known) or 'none'}"
            )
