"""Findings and checks: what a number that a person reads has to carry."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from customerlab.messages import Message, say, yes_or_no

if TYPE_CHECKING:
    import pandas as pd

Status = Literal["supported", "weak", "not_enough_data"]

#: The words for each status.
STATUSES: dict[str, Message] = {
    "supported": say("supported"),
    "weak": say("weak"),
    "not_enough_data": say("not enough data"),
}


@dataclass(frozen=True)
class Finding:
    """One answer: a sentence and the number in it.

    Attributes
    ----------
    id : str
        ``<section>.<name>``, for instance ``churn_timing.leave_within_3_months``.
    text : Message
        One sentence that a stakeholder understands alone.
    value : float, Message or None
        The number, or words where the answer is none: "No group to pick".
    low, high : float or None
        The number's 95 % interval; a full count has the number as both ends.
    unit : str
        A format of :func:`customerlab.messages.say`: ``count``, ``percent``, ``money``,
        ``number`` ...
    n : int or None
        How many customers it rests on (rows where customers do not matter).
    status : {"supported", "weak", "not_enough_data"}
    """

    id: str
    text: Message
    value: float | Message | None = None
    low: float | None = None
    high: float | None = None
    unit: str = "number"
    n: int | None = None
    status: Status = "supported"


@dataclass(frozen=True)
class Check:
    """Whether something that the answers rest on holds.

    Attributes
    ----------
    name : Message
    passed : bool or None
        None when it could not be judged.
    text : Message
        What was looked at and what was seen.
    weakens : tuple of str
        Ids, or beginnings of ids, of the findings that become weak when it fails; empty for all
        of the notebook.
    """

    name: Message
    passed: bool | None
    text: Message
    weakens: tuple[str, ...] = ()


def tabulate_checks(checks: Iterable[Check]) -> pd.DataFrame:
    """Return one row per check, to be written: ``check``, ``passed`` and ``text``, as messages."""
    import pandas as pd  # what renders a page does without

    rows = [
        (one.name, say("not judged") if one.passed is None else yes_or_no(one.passed), one.text)
        for one in checks
    ]
    return pd.DataFrame(rows, columns=["check", "passed", "text"], dtype=object)


def apply_checks(findings: Iterable[Finding], checks: Iterable[Check]) -> tuple[Finding, ...]:
    """Return the findings with `weak` instead of `supported` where a check failed."""
    failed = [check for check in checks if check.passed is False]

    def judged(finding: Finding) -> Finding:
        hit = any(not c.weakens or finding.id.startswith(c.weakens) for c in failed)
        if hit and finding.status == "supported":
            return replace(finding, status="weak")
        return finding

    return tuple(judged(finding) for finding in findings)
