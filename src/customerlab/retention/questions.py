"""Which product, activity, channel and contact window keep customers, and how far that is shown.

Only a draw by lot tells what contact does: ``experiment``. What is merely seen together is an
``association``, and where there is neither the answer is the test that would tell.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import ibis.expr.types as ir
import pandas as pd

from customerlab.findings import Finding, Status
from customerlab.messages import Message, say
from customerlab.retention.adjusted import (
    COMPARED,
    at_landmark,
    channels_compared,
    products_compared,
)
from customerlab.retention.contacts import EVIDENCE, ContactEffects
from customerlab.retention.evidence import from_contact, from_leaving, from_window, no_activity
from customerlab.retention.trial import customers_per_arm, trial_for

#: The four questions.
QUESTIONS: dict[str, Message] = {
    "product": say("Which product suits?"),
    "activity": say("Which activity suits?"),
    "channel": say("Which channel suits?"),
    "window": say("Which contact window suits?"),
}
_STATUS: dict[str, Status] = {
    "experiment": "supported",
    "association": "weak",
    "none": "not_enough_data",
}
#: Columns of :attr:`Questions.table`.
COLUMNS = ["question", "choice", "answer", "evidence", "value", "low", "high", "unit", "n", "test"]


@dataclass(frozen=True)
class Questions:
    """The answers, and what they rest on.

    Attributes
    ----------
    table : DataFrame
        A row for each of ``product``, ``activity``, ``channel``, ``window``: ``question``,
        ``choice`` (None without one), ``answer`` (message), ``evidence`` (``experiment``,
        ``association``, ``none``), ``value`` with its 95 % interval ``low`` to ``high`` and its
        ``unit``, ``n`` customers (customer-months for a channel by association), and ``test``,
        the one that would tell (None after an experiment).
        The value is the share of leavers kept, by association how much smaller the share of
        leavers is than among the others, and for the window the month of the peak.
    compared : DataFrame
        Channels and products as seen together with leaving: see
        :func:`customerlab.retention.adjusted.compare_levels`.
    base : float
        The share of customers who leave within the horizon.
    per_arm : int or None
        How many customers each arm of a test would need.
    """

    table: pd.DataFrame
    compared: pd.DataFrame
    base: float
    per_arm: int | None

    def findings(self) -> tuple[Finding, ...]:
        """Return ``churn_timing.which_product``, ``.which_activity`` and so on."""
        return tuple(_finding(row) for row in self.table.to_dict("records"))


def answer_questions(
    effects: ContactEffects,
    tables: Mapping[str, ir.Table],
    lines: ir.Table | None,
    rows: ir.Table | None = None,
    *,
    horizon_months: int = 3,
    window: Finding | None = None,
    not_movements: Sequence[str] = (),
    base: float | None = None,
) -> Questions:
    """Answer which product, activity, channel and contact window suit, with the evidence.

    Parameters
    ----------
    effects : ContactEffects
    tables : mapping of str to table
        The clean tables there are; none is needed.
    lines : table or None
        See :func:`customerlab.retention.contacts.contact_effects`.
    rows : table, optional
        ``customer_id``, ``month``, ``tenure``, ``left``: for channels by association.
    horizon_months : int
        Within how many months who left is counted, by association and in the test.
    window : Finding, optional
        From :func:`customerlab.churn.calendar.contact_window`.
    not_movements : sequence of str
        See :func:`customerlab.customers.movements`.
    base : float, optional
        The share who leave within the horizon, where `lines` do not tell.
    """
    compared = [pd.DataFrame(columns=COMPARED)]
    if lines is not None:
        people, month = at_landmark(lines, horizon_months=horizon_months)
        seen = people.aggregate(n=people.count(), left=people.left.sum()).to_pandas().iloc[0]
        base = float(seen["left"] / seen["n"]) if seen["n"] else base
        compared.append(products_compared(people, month, tables))
    if rows is not None:
        compared.append(channels_compared(rows, tables, not_movements=not_movements))
    full = [part for part in compared if len(part)] or compared[:1]
    seen_together = pd.concat(full, ignore_index=True)
    per_arm = customers_per_arm(base)
    answers = [
        from_contact(effects, "product") or from_leaving(seen_together, "product", horizon_months),
        from_contact(effects, "activity") or no_activity(effects),
        from_contact(effects, "channel") or from_leaving(seen_together, "channel", horizon_months),
        from_window(window),
    ]
    table = pd.DataFrame(answers, columns=COLUMNS)
    tests = [trial_for(question, per_arm, base, horizon_months) for question in table["question"]]
    tests = pd.Series(tests, dtype=object).where(table["evidence"] != "experiment", None)
    return Questions(
        table=table.assign(test=tests),
        compared=seen_together,
        base=float("nan") if base is None else base,
        per_arm=per_arm,
    )


def answers_to_show(questions: Questions) -> pd.DataFrame:
    """Return the answers as a report shows them: words only, no count of customers.

    Returns
    -------
    DataFrame
        ``question``, ``choice``, ``evidence``, ``answer``, ``test``.
    """
    table = questions.table
    return pd.DataFrame(
        {
            "question": table["question"].map(QUESTIONS),
            "choice": [say("not known") if c is None else c for c in table["choice"]],
            "evidence": table["evidence"].map(EVIDENCE),
            "answer": table["answer"],
            "test": [say("not needed") if test is None else test for test in table["test"]],
        }
    )


def _finding(row: dict) -> Finding:
    text = row["answer"]
    if row["test"] is not None:
        text = say("{answer} The test that would tell: {test}", answer=text, test=row["test"])
    choice = row["choice"]
    if isinstance(choice, str):
        choice = say("{choice}", choice=choice)
    low, high = (None if math.isnan(row[end]) else float(row[end]) for end in ("low", "high"))
    return Finding(
        id=f"churn_timing.which_{row['question']}",
        text=text,
        value=choice,
        low=low,
        high=high,
        unit=row["unit"],
        n=None if row["n"] is None or pd.isna(row["n"]) else int(row["n"]),
        status=_STATUS[row["evidence"]],
    )
