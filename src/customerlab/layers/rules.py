"""The rules that make layers: the client's own, and ours where there is none."""

from __future__ import annotations

from dataclasses import dataclass

import ibis
import ibis.expr.types as ir
import pandas as pd

from customerlab.conditions import Expression, compile_expression
from customerlab.messages import Message, say
from customerlab.params import Agreed, InvalidCustomers

#: Our rules where the client has none. A bank's invalid rule is the one of the published case.
_OURS: dict[str, dict[str, dict]] = {
    "bank": {
        "invalid": {say("empty and idle"): "assets <= 100 AND idle_months >= 12"},
        "others": {
            "valid": (say("has assets and moves"), "assets > 1000 AND idle_months < 3"),
            "potential_active": (say("moves"), "idle_months < 3"),
            "lifetime_value": (say("substantial assets"), "assets >= 10000"),
        },
    },
    "shop": {
        "invalid": {say("no purchase in a year"): "spend_12m <= 0 AND idle_months >= 12"},
        "others": {
            "valid": (say("came back, and lately"), "orders >= 2 AND idle_months < 6"),
            "potential_active": (say("bought lately"), "idle_months < 6"),
            "lifetime_value": (say("buys regularly"), "orders >= 4 AND spend_12m > 0"),
        },
    },
}

#: How a reader knows each layer, in the order of the funnel.
LAYERS: dict[str, Message] = {
    "all": say("All customers"),
    "invalid": say("Invalid"),
    "not_invalid": say("Not invalid"),
    "valid": say("Valid"),
    "potential": say("Potential"),
    "potential_active": say("Potential, active"),
    "dormant": say("Dormant"),
    "active": say("Active: valid and potential, active"),
    "lifetime_value": say("With lifetime value"),
}

#: Layers whose customers count as active.
ACTIVE = ("valid", "potential_active")


@dataclass(frozen=True)
class Definition:
    """One rule in force.

    Attributes
    ----------
    purpose : str
        ``invalid``, ``valid``, ``potential_active`` or ``lifetime_value``.
    name : Message or str
    condition : Expression
    ours : bool
        True for our default, False for the client's own.
    """

    purpose: str
    name: Message | str
    condition: Expression
    ours: bool


@dataclass(frozen=True)
class Layers:
    """Customers with their layer, the rules used, and the counts.

    Attributes
    ----------
    customers : table expression
        The input with ``layer`` (invalid, valid, potential_active, dormant) and
        ``lifetime_value`` (boolean).
    definitions : tuple of Definition
    """

    customers: ir.Table
    definitions: tuple[Definition, ...]


def define_layers(
    customers: ir.Table,
    params: InvalidCustomers,
    *,
    is_bank: bool = False,
    where: str = "invalid_customers",
) -> tuple[Definition, ...]:
    """Return the rules in force: the client's own, and ours where the client has none.

    Ours are a bank's where any customer has assets or an account, and a shop's otherwise.

    Parameters
    ----------
    customers : table
        From :func:`customerlab.customers.build_customers`.
    params : InvalidCustomers
    is_bank : bool
        The client gave accounts: a bank even where no balance is known.
    where : str
        Begins the message when a condition is wrong.

    Raises
    ------
    CustomerlabError
        When a condition is not one checked expression over the columns of a customer.
    """
    has_assets = bool(customers.assets.notnull().any().execute())
    ours = _OURS["bank" if is_bank or has_assets else "shop"]
    schema = dict(customers.schema().items())

    def compiled(text: str, key: str) -> Expression:
        return compile_expression(text, schema, where=f"{where}.{key}", boolean=True)

    agreed = params.agreed
    if agreed is not None:
        name = say("agreed by {by}", by=agreed.by)
        definitions = [Definition("invalid", name, compiled(agreed_when(agreed), "agreed"), False)]
    elif params.rules is None:
        name, text = next(iter(ours["invalid"].items()))
        definitions = [Definition("invalid", name, compiled(text, "rules"), True)]
    else:
        definitions = [
            Definition("invalid", rule.name, compiled(rule.when, f"rules[{i}].when"), False)
            for i, rule in enumerate(params.rules)
        ]
    for purpose, (name, text) in ours["others"].items():
        key = f"{purpose}_when"
        own = getattr(params, key)
        condition = compiled(own or text, key)
        definitions.append(Definition(purpose, name, condition, own is None))
    return tuple(definitions)


def agreed_when(agreed: Agreed) -> str:
    """Return the rule that people agreed on as a condition."""
    column = "spend_12m" if agreed.assets is None else "assets"
    return f"{column} <= {getattr(agreed, column):.15g} AND idle_months >= {agreed.idle_months}"


_PURPOSES = {
    "invalid": say("Invalid, if any of these holds"),
    "valid": say("Valid, of the rest"),
    "potential_active": say("Potential and active, of those left"),
    "lifetime_value": say("With lifetime value, of the active"),
}


def describe_rules(definitions: tuple[Definition, ...]) -> pd.DataFrame:
    """Return the rules as a table: ``purpose``, ``rule``, ``condition``, ``whose``."""
    return pd.DataFrame(
        [
            {
                "purpose": _PURPOSES[d.purpose],
                "rule": d.name,
                "condition": d.condition.sql,
                "whose": say("our default") if d.ours else say("the client's own"),
            }
            for d in definitions
        ]
    )


def layer_customers(customers: ir.Table, definitions: tuple[Definition, ...]) -> Layers:
    """Give every customer a layer.

    A value that is missing meets no condition: nobody becomes invalid for want of data.
    """
    invalid = [d.condition(customers) for d in definitions if d.purpose == "invalid"]
    one = {d.purpose: d.condition(customers) for d in definitions if d.purpose != "invalid"}
    is_invalid = ibis.or_(*invalid) if invalid else ibis.literal(False)
    layer = ibis.cases(
        (is_invalid, "invalid"),
        (one["valid"], "valid"),
        (one["potential_active"], "potential_active"),
        else_="dormant",
    )
    layered = customers.mutate(layer=layer)
    is_active = layered.layer.isin(ACTIVE)
    worth = next(d.condition for d in definitions if d.purpose == "lifetime_value")
    return Layers(layered.mutate(lifetime_value=is_active & worth(layered)), definitions)
