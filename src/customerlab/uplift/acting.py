"""Everybody's uplift, and whom to contact next, with a control that is left alone."""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from customerlab.cells import no_rows
from customerlab.findings import Finding
from customerlab.lots import count_arms, drawn
from customerlab.messages import Words, say
from customerlab.params import Params
from customerlab.uplift.targets import Target, best_arm, best_target
from customerlab.uplift.trials import Trials

#: Customers are scored so many at a time.
_AT_ONCE = 200_000
SCORES = {"customer_id": "string", "experiment": "string", "arm": "string", "outcome": "string"}
SCORES |= {"uplift": "float64", "like_the_test": "boolean"}
ACTIONS = {"customer_id": "string", "reason": "string", "product": "string", "channel": "string"}
ACTIONS |= {"window": "string", "arm": "string", "propensity": "float64"}
ACTIONS |= {"outcome": "string", "promised": "float64"}


@dataclass(frozen=True)
class NextContact:
    """Whom to contact next.

    Attributes
    ----------
    target : Target or None
        The arm to send; None where no contact surely pays.
    share : float
        Of customers like those of the test, so many.
    priced : bool
        Whether it can be told for any arm what pays.
    """

    target: Target | None
    share: float
    priced: bool = True


def choose_next(targets: Sequence[Target], cautions: Container[str] = ()) -> NextContact:
    """Choose the arm and share that surely pay: a picked group, or everybody, or nobody.

    Parameters
    ----------
    targets : sequence of Target
    cautions : container of str
        Trials that cannot be trusted: nothing follows from them.
    """
    targets = [target for target in targets if target.trial.id not in cautions]
    best = best_target(targets)
    if best is not None:
        return NextContact(best, float(best.policies.row(best.policies.chosen)["share"]))
    sure = best_arm(targets)
    priced = any(target.money is not None for target in targets)
    return NextContact(sure, 0.0 if sure is None else 1.0, priced)


def score_everyone(
    trials: Trials, targets: Sequence[Target], following: NextContact, words: Words
) -> ir.Table:
    """Foretell the uplift of all customers, by the model of the arm to send next.

    Where none is to be sent, by that of the first arm that has a model.

    Returns
    -------
    table
        One row per customer: ``customer_id``, ``experiment`` and ``arm`` whose effect is
        foretold, ``outcome``, ``uplift`` in its unit, ``like_the_test`` (whether each covariate
        lies within what the test's customers had: beyond that nothing was tested). No rows without
        a model.
    """
    target = following.target
    if target is None or target.model is None:
        target = next((one for one in targets if one.model is not None), None)
    if target is None:
        return no_rows(SCORES)
    names = list(target.model.covariates)
    seen = target.trial.rows.aggregate(
        **{f"low_{i}": target.trial.rows[name].min() for i, name in enumerate(names)},
        **{f"high_{i}": target.trial.rows[name].max() for i, name in enumerate(names)},
    ).to_pandas()
    low, high = (
        seen[[f"{end}_{i}" for i in range(len(names))]].to_numpy()[0] for end in ("low", "high")
    )
    people = trials.everyone
    if people is None:
        people = target.trial.rows.select("customer_id", *names)
    parts = []
    for batch in people.order_by("customer_id").to_pyarrow_batches(chunk_size=_AT_ONCE):
        frame = batch.to_pandas()
        values = frame[names].to_numpy(dtype=float)
        inside = ((values >= low) & (values <= high)).all(axis=1)
        parts.append(
            pd.DataFrame(
                {
                    "customer_id": frame["customer_id"],
                    "uplift": target.model.predict(frame),
                    "like_the_test": inside,
                }
            )
        )
    scores = pd.concat(parts, ignore_index=True)
    scores = scores.assign(
        experiment=words(target.trial.name), arm=target.arm, outcome=target.outcome
    )
    return ibis.memtable(scores[list(SCORES)], schema=ibis.schema(SCORES))


def propose_contact(
    scores: ir.Table, following: NextContact, *, params: Params, words: Words
) -> ir.Table:
    """Return whom to contact next, and whom to leave alone.

    Parameters
    ----------
    scores : table
        From :func:`score_everyone`.
    following : NextContact
    params : Params
    words : Words

    Returns
    -------
    table
        ``customer_id``, ``reason`` in words, ``product``, ``channel``, ``window``, ``arm``
        (``contact`` or ``control``), ``propensity`` (chance of the own arm), ``outcome`` and how
        much more of it contact is to bring (``promised``; nothing of the control). No rows where
        no contact surely pays.
    """
    target = following.target
    if target is None:
        return no_rows(ACTIONS)
    like = scores.filter(scores.like_the_test)
    n = int(like.count().execute())
    place = ibis.row_number().over(order_by=[ibis.desc("uplift"), "customer_id"])
    chosen = like.mutate(_place=place)
    chosen = chosen.filter(chosen._place < int(np.ceil(following.share * n)))
    left_alone = params.uplift_tests.control_share
    control = drawn(params.seed, "uplift_tests", chosen.customer_id, left_alone)
    facts = {"arm": target.arm, "experiment": target.trial.name}
    reason = say("foretold to be moved most by {arm} ({experiment})", **facts)
    if following.share == 1:
        reason = say("like the customers whom {arm} moved ({experiment})", **facts)
    days = {one.name: one.days for one in target.trial.outcomes}[target.outcome]
    about = target.trial.about
    window = words(say("judged after {days:count} days", days=days)) if days else None
    channel = about.get("channel")
    mixed = channel is None or str(channel).lower() == "mixed"
    values = {
        "customer_id": chosen.customer_id,
        "reason": ibis.literal(words(reason)),
        "product": _text(about.get("product")),
        "channel": ibis.literal(target.arm) if mixed else _text(channel),
        "window": _text(window),
        "arm": control.ifelse("control", "contact"),
        "outcome": ibis.literal(target.outcome),
        "promised": control.ifelse(0.0, chosen.uplift),
        "propensity": control.ifelse(left_alone, 1 - left_alone),
    }
    return chosen.select(**{name: value.cast(ACTIONS[name]) for name, value in values.items()})


def _text(value: object) -> ir.StringScalar:
    return ibis.null("string") if value is None else ibis.literal(str(value))


def say_next(
    following: NextContact, proposed: ir.Table, count: Callable[[ir.Table], dict] = count_arms
) -> Finding:
    """Say how many are to be contacted next, and how many are left alone.

    Returns
    -------
    Finding
        ``uplift_tests.proposed_to_contact``
    """
    arms = count(proposed)
    if not any(arms.values()):
        text = say("Nobody is proposed to be contacted: no contact is sure to pay.")
        if not following.priced:
            text = say(
                "Nobody is proposed to be contacted: without a margin and the cost of a contact it "
                "cannot be told what pays."
            )
        if following.target is not None:
            text = say(
                "Nobody is proposed to be contacted: no customer of today is like those of the "
                "test, or too little is known of the test's customers."
            )
        return Finding("uplift_tests.proposed_to_contact", text, status="not_enough_data")
    text = say(
        "{contact:customers} customers who are like those of the test are proposed for {arm} "
        "({experiment}); {control:customers} more, drawn by lot, are left alone, so that the next "
        "run can tell what it did.",
        arm=following.target.arm,
        experiment=following.target.trial.name,
        **arms,
    )
    return Finding(
        "uplift_tests.proposed_to_contact",
        text,
        *(arms["contact"],) * 3,
        unit="customers",
        n=arms["contact"],
    )
