"""How long customers stayed: what all that is said about leaving is computed from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import ibis.expr.types as ir
import pandas as pd

from customerlab.cells import cells
from customerlab.churn.curves import Survival, survival
from customerlab.churn.incidence import Incidence, cumulative_incidence
from customerlab.exits import exit_name
from customerlab.idleness import IdleRule
from customerlab.messages import Message, listed, say


@dataclass(frozen=True)
class Stays:
    """Everything that is known about how long customers stayed.

    Attributes
    ----------
    durations : table
        One row per customer: ``entry``, ``duration`` (months), ``churned``, ``exit`` (null unless
        churned) and `groups`, as they were when the customer was first seen.
    groups : tuple of str
        Columns to compare curves by.
    covariates : tuple of str
        What foretells leaving.
    causes : tuple of str
        What may go with it: `covariates` without those that only tell that it has begun, unless
        the parameters name them.
    exits : tuple of str
        Kinds of exit; ``left`` where a prepared table does not tell.
    months : DataFrame
        Counts of customer-months: ``tenure_band``, `causes`, ``trouble`` where it is known,
        ``n``, ``events``; with several exits also ``risk_<exit>`` and ``left_<exit>``.
    ends : DataFrame
        Counts of customers in their last month at risk, by those `covariates` that are the
        client's own columns: ``n``, ``events``.
    windows : DataFrame or None
        The same of `covariates` by ``landmark`` and ``lead``, as known at the landmark: see
        :mod:`customerlab.churn.outlook`. None for a prepared table, which knows no calendar.
    lines : table
        One row per customer: see :func:`customerlab.exits.observe_exits`. Empty for a prepared
        table, as are the next two.
    rows : table
        One row per customer and month: see :func:`customerlab.person_months.person_months`.
    people : table
        ``customer_id``, `groups` and lasting features as they are at the snapshot.
    landmarks : table or None
        One row per customer and landmark, in the month that begins with it.
    here : table
        Who is here at the snapshot, with features.
    named : bool
        Whether customers have a number: a prepared table may have none.
    joining_known : float
        The share of customers whose day of joining is known.
    passed_over : tuple of str
        Columns of a prepared table with too many values to be categories.
    left_out : DataFrame
        ``reason`` and ``customers``: whose stay is not measured.
    window_months : int
        Months from one landmark to the next.
    idle_rule : IdleRule or None
        How long a silence has to last.
    """

    durations: ir.Table
    groups: tuple[str, ...]
    covariates: tuple[str, ...]
    causes: tuple[str, ...]
    exits: tuple[str, ...]
    months: pd.DataFrame
    lines: ir.Table
    rows: ir.Table
    people: ir.Table
    here: ir.Table
    left_out: pd.DataFrame
    ends: pd.DataFrame
    windows: pd.DataFrame | None = None
    landmarks: ir.Table | None = None
    named: bool = True
    joining_known: float = 1.0
    passed_over: tuple[str, ...] = ()
    window_months: int = 0
    idle_rule: IdleRule | None = None

    def survival(self, by: str | None = None) -> Survival:
        """Return the curve of all customers, or of the groups of `by`."""
        keys = ["entry", "duration", "churned", *([by] if by else [])]
        return survival(cells(self.durations, by=keys), by)

    def counted(self, by: Sequence[str] = ()) -> pd.DataFrame:
        """Count customers by ``entry``, ``duration``, ``churned``, ``exit`` and groups."""
        return cells(self.durations, by=["entry", "duration", "churned", "exit", *by])

    def by_exit(self) -> list[Incidence]:
        """Return the share that has left by each exit, of all customers and of the groups.

        Empty where only one way of leaving is watched.
        """
        if len(self.exits) < 2:
            return []
        groups = [cumulative_incidence(self.counted([by]), by) for by in self.groups]
        return [cumulative_incidence(self.counted()), *groups]

    def describe_exits(self) -> Message:
        """Say which ways of leaving are watched."""
        if len(self.exits) < 2:
            return say("One way of leaving is watched: {exit}.", exit=exit_name(self.exits[0]))
        return say(
            "Ways of leaving that are watched: {exits}.",
            exits=listed([exit_name(one) for one in self.exits]),
        )

    def without(self, held_out: Sequence[str]) -> Stays:
        """Return the same stays, with some features used by no model."""
        return replace(
            self,
            covariates=tuple(name for name in self.covariates if name not in held_out),
            causes=tuple(name for name in self.causes if name not in held_out),
        )

    def describe(self) -> Message:
        """Say how much there is to learn from."""
        return say(
            "{customers:customers} customers were seen for {months:count} customer-months, in "
            "{cells:count} cells; {left:customers} of them left.",
            customers=int(self.durations.count().execute()),
            months=int(self.months.n.sum()),
            cells=len(self.months),
            left=int(self.months.events.sum()),
        )
