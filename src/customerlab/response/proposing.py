"""Whom to contact, with what and how, and who is left alone to compare."""

from __future__ import annotations

from collections.abc import Callable

import ibis
import ibis.expr.types as ir

from customerlab.cells import no_rows
from customerlab.findings import Finding
from customerlab.lots import count_arms, drawn
from customerlab.messages import Words, say
from customerlab.params import Params
from customerlab.response.scoring import Scores

ACTIONS = {"customer_id": "string", "reason": "string", "product": "string", "channel": "string"}
ACTIONS |= {"window": "string", "arm": "string", "propensity": "float64"}


def propose_contacts(scores: Scores, params: Params, words: Words) -> ir.Table:
    """Return whom to contact from the cut-off on, and those of them who are left alone by lot.

    Returns
    -------
    table
        ``customer_id``, ``reason`` in words, ``product``, ``channel``, ``window``, ``arm``
        (``contact`` or ``control``) and ``propensity``, the chance of the own arm. No rows where
        nothing is priced, or customers are known by no number.
    """
    share = params.response_model.control_share
    chosen = scores.table.filter(scores.table.place == "above")
    control = drawn(params.seed, "response_model", chosen.customer_id, share)
    reason = words(say("likely enough to respond for a contact to pay"))
    return _proposed(scores, chosen, reason, control, share, words)


def propose_test(scores: Scores, params: Params, words: Words) -> ir.Table | None:
    """Return those below the cut-off: the few contacted by lot, beside the others.

    The next run reads the list back as a test of the cut-off itself. None where nobody below it is
    contacted.
    """
    if scores.below is None or not len(scores.below.drawn) or not scores.of_today:
        return None
    under = scores.table.filter(scores.table.place.isin(["tested", "below"]))
    reason = words(say("below the cut-off: contacted by lot, to test it"))
    left = under.place == "below"
    return _proposed(scores, under, reason, left, 1 - scores.share_tested, words)


def _proposed(
    scores: Scores,
    rows: ir.Table,
    reason: str,
    control: ir.BooleanValue,
    share: float,
    words: Words,
) -> ir.Table:
    if not scores.of_today:
        return no_rows(ACTIONS)
    window = ibis.null("string")
    if scores.days is not None:
        window = ibis.literal(words(say("judged after {days:count} days", days=scores.days)))
    return rows.select(
        "customer_id",
        reason=ibis.literal(reason),
        product=rows["product"],
        channel=rows["channel"],
        window=window,
        arm=control.ifelse("control", "contact"),
        propensity=control.ifelse(share, 1 - share),
    ).cast(ACTIONS)


def say_contacts(
    scores: Scores, proposed: ir.Table, count: Callable[[ir.Table], dict] = count_arms
) -> Finding:
    """Say how many are to be contacted, and how many are left alone.

    Returns
    -------
    Finding
        ``response_model.proposed_to_contact``
    """
    id_, arms = "response_model.proposed_to_contact", count(proposed)
    if any(arms.values()):
        text = say(
            "{contact:customers} customers are proposed to be contacted, each with the product and "
            "the channel that bring most; {control:customers} more, drawn by lot, are left alone, "
            "so that the next run can tell what it did.",
            **arms,
        )
        return Finding(id_, text, *(arms["contact"],) * 3, "customers", arms["contact"])
    text = say("Nobody is proposed to be contacted: no contact is expected to pay.")
    if not scores.of_today:
        text = say(
            "Nobody is proposed to be contacted: there are no customers of today who could be "
            "matched to the contacts."
        )
    elif scores.margins.why_not is not None:
        text = say(
            "Nobody is proposed to be contacted: without a margin and the cost of a contact it "
            "cannot be told what pays."
        )
    elif not len(scores.places):
        text = say("Nobody is proposed to be contacted: too few responses are known for a cut-off.")
    elif not scores.places.set_index("place")["customers"].drop("unlike").sum():
        text = say(
            "Nobody is proposed to be contacted: no customer of today is like those contacted "
            "before."
        )
    return Finding(id_, text, unit="customers", status="not_enough_data")
