"""Layers: which customers are invalid, dormant, potential or valid, and by whose rule.

Invalid customers leave first. The rest is valid or in the potential pool; the pool splits into
potential_active, counted with the valid, and dormant. The funnel ends at the active customers
with lifetime value.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import ibis
import ibis.expr.types as ir
import pandas as pd

from customerlab.conditions import Expression, compile_expression
from customerlab.findings import Check, Finding
from customerlab.messages import Message, say
from customerlab.params import InvalidCustomers
from customerlab.privacy import HIDDEN

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

#: Which layers add up to which, so that a hidden count cannot be worked out.
SUMS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("all", ("invalid", "not_invalid")),
    ("not_invalid", ("valid", "potential")),
    ("potential", ("potential_active", "dormant")),
    ("active", ("valid", "potential_active")),
    ("not_invalid", ("active", "dormant")),
)


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

    if params.rules is None:
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
    is_active = layered.layer.isin(["valid", "potential_active"])
    worth = next(d.condition for d in definitions if d.purpose == "lifetime_value")
    return Layers(layered.mutate(lifetime_value=is_active & worth(layered)), definitions)


def count_layers(layered: ir.Table) -> pd.DataFrame:
    """Count the funnel in one scan.

    Returns
    -------
    DataFrame
        ``layer`` (the keys of :data:`LAYERS`, in its order), ``customers``, ``share`` of all,
        ``assets`` and ``spend_12m`` (exact decimals; null where no customer has a value).
    """
    counted = (
        layered.group_by("layer", "lifetime_value")
        .aggregate(
            customers=layered.count(),
            assets=layered.assets.sum(),
            spend_12m=layered.spend_12m.sum(),
        )
        .to_pandas()
    )
    members = {
        "all": ["invalid", "valid", "potential_active", "dormant"],
        "invalid": ["invalid"],
        "not_invalid": ["valid", "potential_active", "dormant"],
        "valid": ["valid"],
        "potential": ["potential_active", "dormant"],
        "potential_active": ["potential_active"],
        "dormant": ["dormant"],
        "active": ["valid", "potential_active"],
        "lifetime_value": ["valid", "potential_active"],
    }
    rows = []
    for layer in LAYERS:
        inside = counted.layer.isin(members[layer])
        if layer == "lifetime_value":
            inside &= counted.lifetime_value
        part = counted[inside]
        rows.append(
            {
                "layer": layer,
                "customers": int(part.customers.sum()),
                "assets": _exact_sum(part.assets),
                "spend_12m": _exact_sum(part.spend_12m),
            }
        )
    table = pd.DataFrame(rows)
    total = table.customers.iloc[0]
    table.insert(2, "share", table.customers / total if total else float("nan"))
    return table


def in_words(layers: pd.DataFrame) -> pd.DataFrame:
    """Return the funnel with its layers as readers know them."""
    return layers.assign(layer=layers["layer"].map(LAYERS))


def row_sums(layers: pd.DataFrame) -> list[tuple[int, list[int]]]:
    """Return which rows of :func:`count_layers` add up to which, for masking."""
    at = {layer: position for position, layer in enumerate(layers["layer"])}
    return [(at[total], [at[part] for part in parts]) for total, parts in SUMS]


def row_differences(layers: pd.DataFrame) -> list[tuple[int, int]]:
    """Return which rows of :func:`count_layers` differ by a number of customers, for masking."""
    at = {layer: position for position, layer in enumerate(layers["layer"])}
    return [(at["active"], at["lifetime_value"])]


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


#: Above this share of customers whom a rule cannot judge, the layers are weak.
MUCH_UNKNOWN = 0.05


def _exact_sum(values: pd.Series) -> Decimal | None:
    known = [value for value in values if value is not None and not pd.isna(value)]
    return sum(known, Decimal(0)) if known else None


def count_invalid_rules(customers: ir.Table, definitions: tuple[Definition, ...]) -> pd.DataFrame:
    """Count what each rule for invalid customers caught, alone and with the others.

    Returns
    -------
    DataFrame
        One row per rule: ``rule``, ``condition``, ``customers`` that meet it,
        ``only_this`` (no other rule caught them), ``first`` (no earlier rule caught them; these
        add up to the invalid), ``assets`` and ``spend_12m`` of ``customers``, ``unknown``
        (customers who lack a value that the rule looks at; it removes none of them).
    """
    rules = [d for d in definitions if d.purpose == "invalid"]
    met = {f"m{i}": rule.condition(customers) for i, rule in enumerate(rules)}
    lacking = {
        f"u{i}": ibis.or_(*[customers[c].isnull() for c in rule.condition.columns])
        for i, rule in enumerate(rules)
        if rule.condition.columns
    }
    flagged = customers.mutate(**met, **lacking)
    numbers: dict[str, ir.Value] = {}
    for i in range(len(rules)):
        own = flagged[f"m{i}"]
        others = [flagged[f"m{j}"] for j in range(len(rules)) if j != i]
        earlier = [flagged[f"m{j}"] for j in range(i)]
        numbers[f"customers_{i}"] = own.sum().fill_null(0)
        numbers[f"only_this_{i}"] = (own & ~ibis.or_(*others) if others else own).sum().fill_null(0)
        numbers[f"first_{i}"] = (own & ~ibis.or_(*earlier) if earlier else own).sum().fill_null(0)
        numbers[f"assets_{i}"] = flagged.assets.sum(where=own)
        numbers[f"spend_12m_{i}"] = flagged.spend_12m.sum(where=own)
        unknown = flagged[f"u{i}"] & ~own if f"u{i}" in lacking else ibis.literal(False)
        numbers[f"unknown_{i}"] = unknown.sum().fill_null(0)
    columns = ["customers", "only_this", "first", "assets", "spend_12m", "unknown"]
    if not rules:
        return pd.DataFrame(columns=["rule", "condition", *columns])
    counted = flagged.aggregate(**numbers).to_pandas().iloc[0]
    return pd.DataFrame(
        [
            {"rule": rule.name, "condition": rule.condition.sql}
            | {name: counted[f"{name}_{i}"] for name in columns}
            for i, rule in enumerate(rules)
        ]
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
    shown = masked.set_index("layer").replace({HIDDEN: say("hidden")})
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
