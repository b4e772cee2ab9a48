"""What an earlier run proposed to do for whom, as a later run reads it back."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import ibis.expr.types as ir


@dataclass(frozen=True)
class Proposals:
    """One list of proposed actions.

    Attributes
    ----------
    day : date
        The snapshot of the run that proposed them.
    section : str
        The notebook's name without its number.
    table : table
        ``customer_id``, ``arm``; ``propensity`` (chance of the own arm), ``promised`` and
        ``outcome`` (how much more of which outcome) where the notebook says so.
    """

    day: dt.date
    section: str
    table: ir.Table

    def promised_outcome(self) -> str | None:
        """Return the outcome of which more was promised; None where nothing was."""
        if "outcome" not in self.table.columns:
            return None
        named = self.table.outcome.max().execute()
        return named if isinstance(named, str) else None

    @property
    def id(self) -> str:
        """What it is called as a trial."""
        return f"{self.section}_{self.day.isoformat()}"
