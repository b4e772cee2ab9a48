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
        ``customer_id``, ``arm``; ``promised`` (money) and ``propensity`` (chance of the own arm)
        where the notebook says so.
    """

    day: dt.date
    section: str
    table: ir.Table

    @property
    def id(self) -> str:
        """What it is called as a trial."""
        return f"{self.section}_{self.day.isoformat()}"
