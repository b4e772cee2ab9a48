"""Layers and what each rule caught, against the plainest pandas on random customers."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from customerlab.errors import CustomerlabError
from customerlab.layers import (
    LAYERS,
    SUMS,
    check_layers,
    count_invalid_rules,
    count_layers,
    define_layers,
    describe_layers,
    describe_rules,
    layer_customers,
    row_differences,
    row_sums,
)
from customerlab.params import InvalidCustomers, LayerRule
from customerlab.privacy import mask_counts

OWN = InvalidCustomers(
    rules=[
        LayerRule(name="empty and idle", when="assets <= 100 AND idle_months >= 12"),
        LayerRule(name="idle for long", when="idle_months >= 20"),
    ],
    lifetime_value_when="income_12m > 50",
)


@pytest.fixture
def people(con):
    """Return 500 random customers, some values missing, as a frame and as a table."""
    rng = np.random.default_rng(3)
    n = 500
    frame = pd.DataFrame(
        {
            "customer_id": [f"c{i}" for i in range(n)],
            "assets": np.where(rng.random(n) < 0.1, np.nan, rng.integers(0, 3000, n)),
            "idle_months": pd.array(rng.integers(0, 25, n), dtype="Int64"),
            "spend_12m": rng.integers(0, 500, n).astype(float),
            "income_12m": rng.integers(0, 100, n).astype(float),
            "orders": rng.integers(0, 8, n),
        }
    )
    frame.loc[rng.random(n) < 0.05, "idle_months"] = pd.NA
    table = con.create_table("people", frame)
    money = {c: table[c].cast("decimal(38, 4)") for c in ("assets", "spend_12m", "income_12m")}
    return frame, table.mutate(**money)


def by_hand(frame: pd.DataFrame) -> pd.DataFrame:
    idle, assets = frame.idle_months.astype(float), frame.assets
    first, second = (assets <= 100) & (idle >= 12), idle >= 20
    valid = (assets > 1000) & (idle < 3)
    layer = np.where(
        first | second,
        "invalid",
        np.where(valid, "valid", np.where(idle < 3, "potential_active", "dormant")),
    )
    worth = pd.Series(layer).isin(["valid", "potential_active"]) & (frame.income_12m > 50)
    return frame.assign(layer=layer, lifetime_value=worth, first=first, second=second)


def test_every_customer_gets_the_layer_that_pandas_gives(people):
    frame, table = people
    layers = layer_customers(table, define_layers(table, OWN))
    found = layers.customers.to_pandas().set_index("customer_id").loc[frame.customer_id]
    expected = by_hand(frame)
    assert found.layer.tolist() == expected.layer.tolist()
    assert found.lifetime_value.tolist() == expected.lifetime_value.tolist()


def test_the_funnel_adds_up_to_the_cent(people):
    frame, table = people
    counted = count_layers(layer_customers(table, define_layers(table, OWN)).customers)
    counted = counted.set_index("layer")
    expected = by_hand(frame)
    assert list(counted.index) == list(LAYERS)
    for layer in ("invalid", "valid", "potential_active", "dormant"):
        inside = expected.layer == layer
        assert counted.customers[layer] == inside.sum()
        assert float(counted.assets[layer]) == expected.assets[inside].sum()
        assert float(counted.spend_12m[layer]) == expected.spend_12m[inside].sum()
    for total, parts in SUMS:
        assert counted.customers[total] == counted.customers[list(parts)].sum()
        assert counted.assets[total] == sum(counted.assets[list(parts)])
    assert counted.customers["lifetime_value"] == expected.lifetime_value.sum()
    assert counted.share["all"] == 1


def test_each_rule_counts_alone_and_with_the_others(people):
    frame, table = people
    caught = count_invalid_rules(table, define_layers(table, OWN))
    expected = by_hand(frame)
    first, second = expected["first"], expected["second"]
    assert caught.customers.tolist() == [first.sum(), second.sum()]
    assert caught.only_this.tolist() == [(first & ~second).sum(), (second & ~first).sum()]
    assert caught["first"].tolist() == [first.sum(), (second & ~first).sum()]
    assert float(caught.assets[0]) == expected.assets[first].sum()
    lacking = frame.assets.isna() | frame.idle_months.isna()
    assert caught.unknown.tolist() == [lacking.sum(), frame.idle_months.isna().sum()]
    counted = count_layers(layer_customers(table, define_layers(table, OWN)).customers)
    checks = check_layers(table, counted, caught)
    assert [check.passed for check in checks] == [True, True, False]  # many are not known


def test_a_customer_counted_twice_fails_the_check(people):
    _frame, table = people
    rules = define_layers(table, OWN)
    twice = table.union(table.limit(1))
    counted = count_layers(layer_customers(twice, rules).customers)
    assert check_layers(table, counted, count_invalid_rules(twice, rules))[0].passed is False


def test_nobody_is_invalid_for_want_of_data(people):
    _frame, table = people
    unknown = table.mutate(assets=table.assets.nullif(table.assets))
    rules = InvalidCustomers(rules=[LayerRule(name="empty", when="assets <= 100")])
    counted = count_layers(layer_customers(unknown, define_layers(unknown, rules)).customers)
    assert counted.set_index("layer").customers["invalid"] == 0


def test_the_definitions_say_whose_they_are(people):
    _frame, table = people
    rules = describe_rules(define_layers(table, OWN))
    assert rules.whose.map(str).tolist() == [
        "the client's own",
        "the client's own",
        "our default",
        "our default",
        "the client's own",
    ]
    bank = define_layers(table, InvalidCustomers())
    assert bank[0].condition.sql == "assets <= 100 AND idle_months >= 12"
    poor = define_layers(
        table.mutate(assets=table.assets.nullif(table.assets)), InvalidCustomers(), is_bank=True
    )
    assert poor[0].condition.columns == ("assets", "idle_months")
    shop = define_layers(table.mutate(assets=table.assets.nullif(table.assets)), InvalidCustomers())
    assert shop[0].condition.columns == ("spend_12m", "idle_months")


def test_a_wrong_rule_names_its_place(people):
    _frame, table = people
    rules = InvalidCustomers(rules=[LayerRule(name="x", when="asets <= 100")])
    with pytest.raises(CustomerlabError, match=r"invalid_customers\.rules\[0\]\.when.*assets"):
        define_layers(table, rules)


def test_what_is_said_is_what_was_counted(people):
    frame, table = people
    counted = count_layers(layer_customers(table, define_layers(table, OWN)).customers)
    found = {finding.id: finding for finding in describe_layers(counted, counted)}
    expected = by_hand(frame)
    left = int((expected.layer != "invalid").sum())
    assert found["invalid_customers.customers_left"].value == left
    assert str(found["invalid_customers.customers_left"].text).startswith(f"{left} of 500")
    share = expected.assets[expected.layer == "invalid"].sum() / expected.assets.sum()
    assert found["invalid_customers.assets_removed"].value == pytest.approx(share, abs=1e-12)


def test_nobody_at_all_is_counted_as_nobody(people):
    _, table = people
    nobody = table.filter(False)
    rules = define_layers(nobody, OWN)
    caught = count_invalid_rules(nobody, rules)
    assert (caught[["customers", "only_this", "first", "unknown"]] == 0).all(axis=None)
    counted = count_layers(layer_customers(nobody, rules).customers)
    assert counted.customers.sum() == 0
    assert all(check.passed for check in check_layers(nobody, counted, caught))


def test_what_is_hidden_is_not_said_either():
    """300 dormant below 500: neither their number nor two that differ by it may be said."""
    names = ["all", "invalid", "not_invalid", "valid", "potential", "potential_active", "dormant"]
    counted = pd.DataFrame({"layer": [*names, "active", "lifetime_value"]})
    counted["customers"] = [3000, 1700, 1300, 600, 700, 400, 300, 1000, 200]
    counted = counted.assign(share=counted.customers / 3000, assets=None, spend_12m=None)
    shown = mask_counts(
        counted,
        min_cell=500,
        counts=["customers"],
        with_them=["share"],
        sums=row_sums(counted),
        differences=row_differences(counted),
    )
    said = " ".join(str(finding.text) for finding in describe_layers(counted, shown))
    numbers = {int(number.replace(",", "")) for number in re.findall(r"\d[\d,]*", said)}
    assert not {abs(a - b) for a in numbers for b in numbers | {0}} & {400, 300, 200}
