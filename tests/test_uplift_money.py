"""Money from effects: R on rows, published numbers needed to treat, arithmetic, planted truth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from customerlab.errors import CustomerlabError
from customerlab.messages import ENGLISH, Words
from customerlab.uplift import average
from customerlab.uplift.average import Effects, compare_arms
from customerlab.uplift.money import AMOUNTS, COLUMNS, price_effects
from customerlab.uplift.money_texts import cost_per_one_finding, money_to_show, profit_finding
from customerlab.uplift.sums import ArmSums

ORACLES = Path(__file__).parent / "oracles"


def sums(frame: pd.DataFrame) -> ArmSums:
    values = frame.astype(float)
    mean, spread = values.mean().to_numpy(), values.cov().to_numpy()
    return ArmSums(tuple(values.columns), float(len(values)), mean, spread)


def shares(n: int, events: int) -> ArmSums:
    """Return an arm of which so many bought."""
    p = events / n if n else float("nan")
    variance = p * (1 - p) * n / (n - 1) if n > 1 else float("nan")
    return ArmSums(("bought",), float(n), np.array([p]), np.array([[variance]]))


def effects(**row) -> Effects:
    """Return effects of one row, as told."""
    row = dict.fromkeys(average.COLUMNS, float("nan")) | {
        "arm": "e-mail",
        "outcome": "bought",
        "n": 1000.0,
        "control_n": 1000.0,
        "control_mean": 0.3,
        "treated_mean": 0.4,
        "binary": True,
        "status": "supported",
        "why_not": None,
        **row,
    }
    return Effects(pd.DataFrame([row], columns=average.COLUMNS), "none", pd.DataFrame(), "own")


def test_hillstroms_profit_and_cost_per_purchase_are_those_of_r(shared_data):
    told = pd.read_csv(ORACLES / "uplift_money.csv").set_index("name")["value"]
    rows = pd.read_csv(shared_data / "hillstrom" / "hillstrom.csv.gz")
    arms = {arm: sums(mine[["conversion", "spend"]]) for arm, mine in rows.groupby("segment")}
    found = compare_arms(arms, control="No E-Mail", outcomes=["conversion", "spend"])
    money = price_effects(found, margin=0.3, cost=0.1)
    for arm in ("Mens E-Mail", "Womens E-Mail"):
        for end in ("", "_low", "_high"):
            profit = money.row(arm, "spend")[f"profit_per_contact{end}"]
            assert profit == pytest.approx(told[f"{arm}.profit{end}"], rel=1e-9)
            cac = money.row(arm, "conversion")[f"cac{end}"]
            assert cac == pytest.approx(told[f"{arm}.cac{end}"], rel=1e-9)
    assert money.row("Mens E-Mail", "spend")["profit_per_contact_low"] > 0
    assert "earns money through spend" in str(money.row("Mens E-Mail", "spend")["text"])
    assert "is not sure" in str(money.row("Womens E-Mail", "spend")["text"])
    assert ENGLISH(money.text).startswith("After the cost of contact 1 of 2 comparisons surely")


def test_profit_of_chicks_is_that_of_welchs_test_on_their_own_profits():
    rows = pd.read_csv(ORACLES / "chickwts.csv")
    arms = {feed: sums(mine[["weight"]]) for feed, mine in rows.groupby("feed")}
    cost = {"linseed": 0.5, "soybean": 0.0}
    found = compare_arms(arms, control="casein", outcomes=["weight"])
    money = price_effects(found, margin=0.01, cost=cost)
    by_feed = dict(iter(rows.groupby("feed")["weight"]))
    for feed, each in cost.items():
        row, mine = money.row(feed, "weight"), 0.01 * by_feed[feed] - each
        test = stats.ttest_ind(mine, 0.01 * by_feed["casein"], equal_var=False)
        low, high = test.confidence_interval()
        gain = mine.mean() - 0.01 * by_feed["casein"].mean()
        wanted = np.array([gain, low, high])
        found = row[["profit_per_contact", "profit_per_contact_low", "profit_per_contact_high"]]
        assert found.to_numpy(float) == pytest.approx(wanted, rel=1e-10)
        assert row[["profit", "profit_low", "profit_high"]].to_numpy(float) == pytest.approx(
            len(mine) * wanted
        )
        assert row["break_even_cost_high"] == pytest.approx(high + each)
        if each:
            assert row["roi_low"] == pytest.approx(low / each)
        assert np.isnan(row["cac"])
    assert np.isnan(money.row("soybean", "weight")["roi"])  # nothing was spent
    unknown = money.row("sunflower", "weight")
    assert np.isnan(unknown["profit"]) and np.isfinite(unknown["break_even_cost_low"])


@pytest.mark.parametrize(
    ("effect", "low", "high", "needed"),
    [
        # Altman 1998 (BMJ 317:1309): from 4 through infinity to 20 harmed
        (0.10, -0.05, 0.25, (10, 4, None)),
        # Barrowman 2002 (CMAJ 166:1676): stroke, 6 (3.1 to 111.1)
        (0.166, 0.009, 0.322, (6.0, 3.1, 111.1)),
        (-0.02, -0.05, 0.01, (None, 100, None)),
        (-0.04, -0.06, -0.02, (None, None, None)),
        (0.05, 0.0, 0.1, (20, 10, None)),
    ],
)
def test_the_cost_of_one_won_is_the_published_number_needed_to_treat(effect, low, high, needed):
    row = price_effects(effects(effect=effect, low=low, high=high), margin=None, cost=1).table.iloc[
        0
    ]
    for name, value in zip(("cac", "cac_low", "cac_high"), needed, strict=True):
        if value is None:
            assert np.isnan(row[name])
        else:
            assert round(row[name], 1) == value
    assert np.isnan(row["profit"]) and "declare its margin" in str(row["text"])
    shown = money_to_show(
        price_effects(effects(effect=effect, low=low, high=high), margin=None, cost=1), 10
    )
    endless = needed[1] is not None and needed[2] is None
    assert (str(shown["cac_high"].iloc[0]) == "no limit") == endless
    assert ("no upper limit" in str(row["text"])) == endless


def test_the_intervals_hold_the_truth_as_often_as_they_say():
    rng, runs, n = np.random.default_rng(5), 400, 500
    truth = {"cac": 2 / 0.06, "profit_per_contact": 30 * 0.06 - 2, "roi": (30 * 0.06 - 2) / 2}
    names = tuple(f"run {i}" for i in range(runs))

    def arm(p):
        bought = rng.binomial(n, p, size=runs) / n
        return ArmSums(names, float(n), bought, np.diag(bought * (1 - bought) * n / (n - 1)))

    found = compare_arms({"none": arm(0.10), "e-mail": arm(0.16)}, control="none", outcomes=names)
    table = price_effects(found, margin=dict.fromkeys(names, 30), cost=2).table
    endless = table["cac_low"].notna() & table["cac_high"].isna()
    highest = {name: table[f"{name}_high"] for name in truth}
    highest["cac"] = highest["cac"].mask(endless, np.inf)
    held = {
        name: ((table[f"{name}_low"] <= value) & (value <= highest[name])).sum()
        for name, value in truth.items()
    }
    low, high = stats.binom.interval(1 - 0.001 / len(truth), runs, 0.95)
    assert all(low <= count <= high for count in held.values()), held
    assert endless.sum() > 20  # intervals without an upper end were among them


def test_the_adjusted_effect_is_taken_where_there_is_one_unless_it_is_not_wanted():
    both = {"effect": 0.1, "low": 0.05, "high": 0.15}
    both |= {"adjusted_effect": 0.2, "adjusted_low": 0.18, "adjusted_high": 0.22}
    row = price_effects(effects(**both), margin=10, cost=1).table.iloc[0]
    assert row["adjusted"] and row["profit_per_contact_low"] == pytest.approx(0.8)
    row = price_effects(effects(**both), margin=10, cost=1, adjusted=False).table.iloc[0]
    assert not row["adjusted"] and row["profit_per_contact_low"] == pytest.approx(-0.5)


def test_a_margin_below_nothing_turns_the_ends_round():
    found = effects(effect=-0.1, low=-0.15, high=-0.05)
    row = price_effects(found, margin={"bought": -20}, cost=0.5).table.iloc[0]
    ends = row[["profit_per_contact", "profit_per_contact_low", "profit_per_contact_high"]]
    assert ends.to_numpy(float) == pytest.approx([1.5, 0.5, 2.5])
    assert np.isnan(row[["cac", "cac_low", "cac_high"]].to_numpy(float)).all()


def test_what_is_not_known_is_said_and_the_rest_is_told():
    found = effects(effect=0.1, low=0.05, high=0.15)
    neither = price_effects(found, margin=None, cost=None)
    assert neither.table.empty and list(neither.table) == COLUMNS
    assert "Declare margin and contact_cost" in ENGLISH(neither.text)
    assert money_to_show(neither, 10).empty
    row = price_effects(found, margin=10, cost=None).table.iloc[0]
    assert (row["break_even_cost_low"], row["break_even_cost_high"]) == (0.5, 1.5)
    assert np.isnan(row["profit"]) and "costs is not known" in str(row["text"])
    free = price_effects(found, margin=10, cost=0).table.iloc[0]
    assert np.isnan(free["roi"]) and np.isnan(free["cac"]) and free["profit_low"] == 500
    finding = profit_finding(price_effects(found, margin=10, cost=None), "e-mail", "bought", "mail")
    assert (finding.value, finding.status) == (None, "not_enough_data")


def test_one_margin_is_not_for_shares_beside_amounts():
    both = effects().table
    both = pd.concat([both, both.assign(outcome="spend", binary=False)])
    found = Effects(both.assign(effect=0.1, low=0.05, high=0.15), "none", pd.DataFrame(), "own")
    money = price_effects(found, margin=0.3, cost=0.01)
    assert np.isnan(money.row("e-mail", "bought")["margin"])
    assert money.row("e-mail", "spend")["margin"] == 0.3
    with pytest.raises(KeyError):
        money.row("e-mail", "visits")


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"margin": {"bougt": 1.0}}, 'did you mean "bought"'),
        ({"cost": {"mail": 1.0}}, 'did you mean "e-mail"'),
        ({"margin": 0}, "other than 0"),
        ({"cost": -1}, "not below 0"),
    ],
)
def test_wrong_margins_and_costs_are_refused(wrong, words):
    given = {"margin": 1.0, "cost": 1.0} | wrong
    with pytest.raises(CustomerlabError, match=words):
        price_effects(effects(effect=0.1, low=0.05, high=0.15), **given)


def test_small_and_empty_arms_and_looks_too_early_get_words():
    arms = {"none": shares(400, 40), "empty": shares(0, 0), "one": shares(1, 1)}
    arms |= {"few": shares(20, 4), "all": shares(300, 80)}
    found = compare_arms(arms, control="none", outcomes=["bought"])
    money = price_effects(found, margin=10, cost=0.5)
    for arm in ("empty", "one"):
        row = money.row(arm, "bought")
        assert "nothing to compare" in str(row["text"]) and np.isnan(row["profit_low"])
    few = price_effects(
        compare_arms({k: arms[k] for k in ("none", "few")}, control="none", outcomes=["bought"]),
        margin=10,
        cost=0.5,
    )
    assert few.table["status"].iloc[0] == "not_enough_data"  # 44 purchases, but an arm of 20
    rare = price_effects(
        compare_arms(
            {"none": shares(20, 4), "few": arms["few"]}, control="none", outcomes=["bought"]
        ),
        margin=10,
        cost=0.5,
    )
    assert profit_finding(rare, "few", "bought", "few").value is None  # eight purchases
    hidden = profit_finding(few, "few", "bought", "few", min_cell=10)
    assert hidden.value is None and "not shown" in str(hidden.text)
    shown = money_to_show(money, 30).set_index("arm")
    assert shown["n"].to_dict() == {"empty": 0, "one": "<30", "few": "<30", "all": 300}
    assert shown.loc["few", "profit"] == "hidden" and shown.loc["few", "cac_low"] == "hidden"
    assert "not shown" in str(shown.loc["few", "text"])
    early = effects(effect=0.1, low=-np.inf, high=np.inf)
    row = price_effects(early, margin=10, cost=1).table.iloc[0]
    assert row["status"] == "not_enough_data" and "Not enough data" in str(row["text"])
    assert np.isnan([row[f"{name}_high"] for name in AMOUNTS]).all()


def test_a_finding_is_supported_only_if_it_surely_earns_or_loses():
    for low, high, cost, status, words in (
        (0.05, 0.15, 0.2, "supported", "e-mail earns money"),
        (0.05, 0.15, 1.0, "weak", "is not sure"),
        (0.05, 0.15, 2.0, "supported", "e-mail loses money"),
    ):
        money = price_effects(effects(effect=0.1, low=low, high=high), margin=10, cost=cost)
        finding = profit_finding(money, "e-mail", "bought", "e_mail", min_cell=10)
        assert finding.id == "uplift_tests.profit_e_mail"
        assert (finding.status, finding.n, finding.unit) == (status, 1000, "money")
        assert words in Words("en", "CNY", 10)(finding.text)
        assert finding.low == pytest.approx(10 * low - cost)


def test_the_cost_per_one_is_supported_only_if_some_are_surely_won():
    for low, high, status, numbers, words in (
        (
            0.05,
            0.15,
            "supported",
            (20, 40 / 3, 40),
            "One more bought brought about by e-mail costs",
        ),
        (-0.05, 0.25, "weak", (None,) * 3, "no upper limit"),
        (-0.2, -0.1, "supported", (None,) * 3, "surely does not bring about more bought"),
    ):
        money = price_effects(
            effects(effect=(low + high) / 2, low=low, high=high), margin=1, cost=2
        )
        finding = cost_per_one_finding(money, "e-mail", "bought", "e_mail", min_cell=10)
        assert (finding.id, finding.status) == ("uplift_tests.cac_e_mail", status)
        assert words in ENGLISH(finding.text)
        assert (finding.value, finding.low, finding.high) == pytest.approx(numbers)
    costly = price_effects(effects(effect=0.1, low=0.05, high=0.15), margin=-1, cost=2)
    finding = cost_per_one_finding(costly, "e-mail", "bought", "e_mail")
    assert (finding.value, finding.status) == (None, "not_enough_data")
    hidden = cost_per_one_finding(money, "e-mail", "bought", "e_mail", min_cell=500)
    assert hidden.value is None and "not shown" in str(hidden.text)
