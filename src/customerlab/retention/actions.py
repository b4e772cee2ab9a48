"""Whom to approach, when and why, with a control group that is left alone."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from customerlab.findings import Finding
from customerlab.lots import count_arms, drawn
from customerlab.messages import Words, say
from customerlab.params import Params
from customerlab.retention.questions import Questions
from customerlab.retention.worth import Worth

COLUMNS = ["customer_id", "reason", "product", "channel", "window", "arm"]


def propose_keeping(worth: Worth, answers: Questions, *, params: Params, words: Words) -> ir.Table:
    """Return the customers to approach, and those of them who are left alone to compare with.

    They are the tenth of the customers here with most at stake; where an experiment tells what
    contact keeps, all tenths in which it pays even at the lower end of its interval, which may be
    none.

    Parameters
    ----------
    worth : Worth
    answers : Questions
        Which product and channel suit, where an experiment told.
    params : Params
    words : Words

    Returns
    -------
    table
        ``customer_id``, ``reason`` in words, ``product``, ``channel``, ``window`` (by when) and
        ``arm`` (``contact`` or ``control``).
    """
    settings = params.churn_timing
    chosen = worth.ranked.filter(worth.ranked.part.isin(_paying(worth)))
    control = drawn(params.seed, "churn_timing", chosen.customer_id, settings.control_share)
    window = say("within {months:count} months", months=min(settings.horizons_months))
    return chosen.select(
        "customer_id",
        reason=chosen.reason_1.fill_null(words(say("most likely to leave"))),
        product=_shown(answers, "product"),
        channel=_shown(answers, "channel"),
        window=ibis.literal(words(window)),
        arm=control.ifelse("control", "contact"),
    )


def _shown(answers: Questions, question: str) -> ir.StringValue:
    """Return the choice that an experiment showed, else null."""
    table = answers.table
    row = table[(table["question"] == question) & (table["evidence"] == "experiment")]
    choice = row["choice"].iloc[0] if len(row) else None
    return ibis.literal(choice) if isinstance(choice, str) else ibis.null("string")


def _pay_is_known(worth: Worth) -> bool:
    return worth.effect is not None and not worth.table.empty and worth.cost is not None


def _paying(worth: Worth) -> list[int]:
    """Return the tenths of the customers that are approached; 1 has most at stake."""
    if not _pay_is_known(worth):
        return [1]
    return worth.table.loc[worth.table["low"] > 0, "part"].astype(int).tolist()


def say_proposed(proposed: ir.Table, worth: Worth) -> Finding:
    """Say how many are to be approached, and how many are left alone.

    Returns
    -------
    Finding
        ``churn_timing.proposed_to_keep``, the number to approach: supported where an experiment
        says that it pays, weak where none tells what contact keeps.
    """
    arms = count_arms(proposed)
    text = say(
        "{contact:customers} customers are proposed to be approached; {control:customers} more, "
        "drawn by lot, are left alone, so that the next run can tell what it did.",
        **arms,
    )
    status = "supported" if _pay_is_known(worth) else "weak"
    if not any(arms.values()):
        text = say(
            "Nobody is proposed: no contact is sure to pay, or nobody's chance of leaving is known."
        )
        status = "not_enough_data"
    return Finding(
        "churn_timing.proposed_to_keep",
        text,
        *(arms["contact"],) * 3,
        unit="customers",
        n=arms["contact"],
        status=status,
    )
