"""What is proposed for whom by value: whom to care for, whom to win, whom to leave out."""

from __future__ import annotations

from functools import reduce

import ibis
import ibis.expr.types as ir

from customerlab.findings import Finding
from customerlab.lots import count_arms, drawn
from customerlab.messages import Words, say
from customerlab.params import Params
from customerlab.value.ahead import Ahead
from customerlab.value.rfm import ACTION_OF, ACTIONS, REGISTERED
from customerlab.value.rfm_segments import Segments
from customerlab.value.suppression import Suppression, add_losses, draw_line


def join_scores(scored: ir.Table, *others: ir.Table | None) -> ir.Table:
    """Put what is known of each customer's value into one row.

    Parameters
    ----------
    scored : table
        Of :func:`customerlab.value.rfm.score_rfm`.
    *others : table or None
        One row per customer each, with ``customer_id`` and columns of its own.
    """

    def joined(left: ir.Table, right: ir.Table) -> ir.Table:
        right = right.rename(whose="customer_id")
        return left.left_join(right, [("customer_id", "whose")]).drop("whose")

    return reduce(joined, [one for one in others if one is not None], scored)


def rank_customers(
    scores: ir.Table, segments: Segments, params: Params, ahead: Ahead
) -> Suppression | None:
    """Draw the budget's line by what customers are worth in the longest horizon.

    Parameters
    ----------
    scores : table
        Of :func:`join_scores`, with ``value_<h>_months``.
    segments : Segments
        Who has never bought is worth what such customers bought within the next months, one
        average order each.
    params : Params
    ahead : Ahead
        With what happened after an earlier landmark, from which losses are told.

    Returns
    -------
    Suppression or None
        None where no budget is given, or a contact costs nothing.
    """
    settings = params.customer_value
    if settings.budget is None or not settings.contact_cost:
        return None
    name = f"value_{max(settings.horizons_months)}_months"
    worth = scores[name].cast("float64") if name in scores.columns else ibis.null("float64")
    rows = segments.table.set_index("segment")
    orders = rows["orders"].sum()
    if not ahead.bank and orders and rows.loc[REGISTERED, "next_n"]:
        order = rows["spend"].sum() / orders * ahead.margin
        first = float(rows.loc[REGISTERED, "next_rate"] * order)
        worth = (scores.segment == REGISTERED).ifelse(round(first, 6), worth)
    line = draw_line(
        scores.select("customer_id", value=worth),
        value="value",
        budget=settings.budget,
        cost=settings.contact_cost,
        seed=params.seed,
    )
    if ahead.bank:
        return line
    days = (params.snapshot - ahead.landmark).days
    return add_losses(line, ahead.then, value="value", days=days)


def propose_care(
    scored: ir.Table, line: Suppression | None, *, params: Params, words: Words
) -> ir.Table:
    """Return the customers to keep and to win, and those of them who are left alone to compare.

    Parameters
    ----------
    scored : table
        Of :func:`customerlab.value.rfm.score_rfm`.
    line : Suppression, optional
        Only customers above it.
    params : Params
    words : Words

    Returns
    -------
    table
        ``customer_id``, ``reason`` in words, ``product``, ``channel`` and ``window`` (not known
        here), ``arm`` (``contact`` or ``control``) and ``propensity``, the chance of the own arm.
    """
    share = params.customer_value.control_share
    asked = scored.select("customer_id", action=action_of(scored))
    asked = asked.filter(asked.action != "spare")
    if line is not None:
        above = line.rows.filter(line.rows.place == "chosen").select(whose="customer_id")
        asked = asked.semi_join(above, [("customer_id", "whose")]).select("customer_id", "action")
    control = drawn(params.seed, "customer_value", asked.customer_id.cast("string"), share)
    said = [(asked.action == name, words(ACTIONS[name])) for name in ("keep", "win")]
    return _proposed(asked, ibis.cases(*said), control, share)


def propose_test(line: Suppression | None, *, words: Words) -> ir.Table | None:
    """Return those below the line: the few contacted by lot, beside the others.

    The next run reads the list back as a test of the line itself. None without a line, or where
    nobody below it is contacted.
    """
    if line is None or not line.of("tested")["customers"]:
        return None
    below = line.rows.filter(line.rows.place != "chosen")
    reason = ibis.literal(words(say("below the budget's line: contacted by lot, to test it")))
    return _proposed(below, reason, below.place == "left_out", 1 - line.tested)


def _proposed(
    rows: ir.Table, reason: ir.StringValue, control: ir.BooleanValue, share: float
) -> ir.Table:
    nothing = dict.fromkeys(("product", "channel", "window"), ibis.null("string"))
    return rows.select(
        "customer_id",
        reason=reason,
        **nothing,
        arm=control.ifelse("control", "contact"),
        propensity=control.ifelse(share, 1 - share),
    )


def action_of(scored: ir.Table) -> ir.StringValue:
    """Return the action for each customer's segment: ``keep``, ``win`` or ``spare``."""
    return ibis.cases(*((scored.segment == name, action) for name, action in ACTION_OF.items()))


def say_proposed(proposed: ir.Table) -> Finding:
    """Say how many are proposed, and how many of them are left alone.

    Returns
    -------
    Finding
        ``customer_value.proposed_to_care``
    """
    arms = count_arms(proposed)
    text = say(
        "{contact:customers} customers are proposed to be contacted, to keep or to win them; "
        "{control:customers} more, drawn by lot, are left alone, so that the next run can tell "
        "what it did.",
        **arms,
    )
    status = "supported"
    if not any(arms.values()):
        text, status = say("Nobody is proposed to be contacted."), "not_enough_data"
    ends = (arms["contact"],) * 3
    name = "customer_value.proposed_to_care"
    return Finding(name, text, *ends, unit="customers", n=ends[0], status=status)
