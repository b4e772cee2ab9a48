"""What may be said about the layers: findings and checks in words."""

from __future__ import annotations

from decimal import Decimal

import ibis.expr.types as ir
import pandas as pd

from customerlab.findings import Check, Finding
from customerlab.layers.rules import LAYERS
from customerlab.messages import Message, say
from customerlab.privacy import HIDDEN

#: Above this share of customers whom a rule cannot judge, the layers are weak.
MUCH_UNKNOWN = 0.05


def in_words(layers: pd.DataFrame) -> pd.DataFrame:
    """Return the funnel with its layers as readers know them."""
    return layers.assign(layer=layers["layer"].map(LAYERS))


def check_layers(
    customers: ir.Table, layers: pd.DataFrame, rules: pd.DataFrame
) -> tuple[Check, ...]:
    """Judge whether the layers can be trusted.

    Parameters
    ----------
    customers : table
        Before it was layered.
    layers : DataFrame
        From :func:`count_layers`.
    rules : DataFrame
        From :func:`count_invalid_rules`.
    """
    count = layers.set_index("layer")["customers"]
    people = int(customers.customer_id.nunique().execute())
    apart = abs(people - int(count["all"]))
    caught = int(rules["first"].sum())
    unknown = int(rules["unknown"].max()) if len(rules) else 0
    share = unknown / count["all"] if count["all"] else 0.0
    return (
        Check(
            say("Every customer has exactly one layer"),
            apart == 0,
            say(
                "{total:customers} customers, {apart:count} without a layer or counted twice.",
                total=people,
                apart=apart,
            ),
        ),
        Check(
            say("The rules account for all who are invalid"),
            caught == count["invalid"],
            say(
                "Each counted under the first rule that caught them: {caught:customers}, of "
                "{invalid:customers} invalid.",
                caught=caught,
                invalid=int(count["invalid"]),
            ),
        ),
        Check(
            say("Few customers could not be judged"),
            share <= MUCH_UNKNOWN,
            say(
                "{unknown:customers} customers ({share:percent}) lack a value that a rule looks "
                "at; up to {limit:percent0} passes. None of them is removed for it.",
                unknown=unknown,
                share=share,
                limit=MUCH_UNKNOWN,
            ),
        ),
    )


def describe_layers(layers: pd.DataFrame, masked: pd.DataFrame) -> tuple[Finding, ...]:
    """Say what the funnel shows: who is left, and what went with the invalid.

    Parameters
    ----------
    layers : DataFrame
        From :func:`count_layers`.
    masked : DataFrame
        The same as it may be shown: what is hidden there is not said here.
    """
    row = layers.set_index("layer")
    shown = masked.set_index("layer").astype(object)
    shown = shown.mask(shown == HIDDEN, say("hidden"))
    total = int(row.customers["all"])
    status = "supported" if total else "not_enough_data"
    count = shown["customers"]
    found = [
        Finding(
            "invalid_customers.customers_left",
            say(
                "{left:customers} of {total:customers} customers remain once the invalid ones, "
                "{share:percent}, are set aside.",
                left=count["not_invalid"],
                total=count["all"],
                share=shown["share"]["invalid"],
            ),
            *(count["not_invalid"],) * 3,
            unit="customers",
            n=total,
            status=status,
        ),
        Finding(
            "invalid_customers.active",
            say(
                "{active:customers} customers are active: {valid:customers} valid, "
                "{potential:customers} with potential. {dormant:customers} more are dormant.",
                active=count["active"],
                valid=count["valid"],
                potential=count["potential_active"],
                dormant=count["dormant"],
            ),
            *(count["active"],) * 3,
            unit="customers",
            n=total,
            status=status,
        ),
    ]
    for measure, text in _LOST.items():
        whole, gone = row[measure]["all"], row[measure]["invalid"]
        if whole and not isinstance(shown[measure]["invalid"], Message):
            share = float((gone or Decimal(0)) / whole)
            found.append(
                Finding(
                    f"invalid_customers.{measure}_removed",
                    Message(text.text, {"share": share, "amount": gone or Decimal(0)}),
                    *(share,) * 3,
                    unit="percent2",
                    n=total,
                    status=status,
                )
            )
    return tuple(found)


_LOST = {
    "assets": say("With the invalid customers go {share:percent2} of all assets ({amount:money})."),
    "spend_12m": say(
        "With the invalid customers goes {share:percent2} of the last 12 months' spend "
        "({amount:money})."
    ),
}
