"""How many customers each layer holds, and each rule caught."""

from __future__ import annotations

from decimal import Decimal

import ibis
import ibis.expr.types as ir
import pandas as pd

from customerlab.layers.rules import ACTIVE, LAYERS, Definition

#: Which layers add up to which, so that a hidden count cannot be worked out.
SUMS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("all", ("invalid", "not_invalid")),
    ("not_invalid", ("valid", "potential")),
    ("potential", ("potential_active", "dormant")),
    ("active", ("valid", "potential_active")),
    ("not_invalid", ("active", "dormant")),
)


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
        "active": [*ACTIVE],
        "lifetime_value": [*ACTIVE],
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


def _exact_sum(values: pd.Series) -> Decimal | None:
    known = [value for value in values if value is not None and not pd.isna(value)]
    return sum(known, Decimal(0)) if known else None


def row_sums(layers: pd.DataFrame) -> list[tuple[int, list[int]]]:
    """Return which rows of :func:`count_layers` add up to which, for masking."""
    at = {layer: position for position, layer in enumerate(layers["layer"])}
    return [(at[total], [at[part] for part in parts]) for total, parts in SUMS]


def row_differences(layers: pd.DataFrame) -> list[tuple[int, int]]:
    """Return which rows of :func:`count_layers` differ by a number of customers, for masking."""
    at = {layer: position for position, layer in enumerate(layers["layer"])}
    return [(at["active"], at["lifetime_value"])]


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
