"""A change between campaigns in parts: Das Gupta's table, R, exact fractions, planted truth."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from customerlab.errors import CustomerlabError
from customerlab.messages import ENGLISH, Words
from customerlab.uplift.against_plan import compare_with_plan, plan_finding, plans_to_show
from customerlab.uplift.average import compare_arms
from customerlab.uplift.campaign_cells import CELL_COLUMNS, line_up
from customerlab.uplift.disappointed import (
    CAMPAIGN_COLUMNS,
    COLUMNS,
    PARTS,
    explain_change,
    measure_parts,
)
from customerlab.uplift.disappointed_texts import (
    cells_to_show,
    change_finding,
    change_to_show,
    together_to_show,
)
from customerlab.uplift.sums import ArmSums

ORACLES = Path(__file__).parent / "oracles"
NAMES = ("bought", "reached")


def counted(n: float, both: float, bought: float, reached: float) -> ArmSums:
    """Return an arm's sums: of n customers so many bought, were reached, or both."""
    mean = np.array([bought, reached]) / n
    second = np.array([[bought, both], [both, reached]]) / n - np.outer(mean, mean)
    return ArmSums(NAMES, float(n), mean, second * n / max(n - 1, 1))


def shares(n: float, bought: float, reached: float = 0.0) -> ArmSums:
    """Return an arm of which these shares bought and were reached, apart from each other."""
    return counted(n, n * bought * reached, n * bought, n * reached)


def change_of(found) -> dict[str, float]:
    return found.table.set_index("part")["change"].to_dict()


def adds_up(found) -> bool:
    parts = found.table["change"].fillna(0).to_numpy()
    return bool(abs(parts[:4].sum() - parts[4]) < 1e-12)


#: Das Gupta 1993 (Census P23-186), example 5.3: customers (thousands) and deaths per thousand in
#: the United States by race and 11 ages; standardised rates as in table 5.3, and in the tests of
#: the R package DasGuptR.
DEATHS = {
    1970: (
        (2968, 11484, 34614, 30992, 21983, 20314, 20928, 16897, 11339, 5720, 1315),
        (535, 2162, 6120, 4781, 3096, 2718, 2363, 1767, 1149, 448, 117),
        (18.469, 0.751, 0.391, 1.146, 1.287, 2.672, 6.636, 15.691, 34.723, 79.763, 176.837),
        (36.993, 1.352, 0.541, 2.040, 3.523, 6.746, 12.967, 24.471, 45.091, 74.902, 123.205),
    ),
    1985: (
        (3041, 11577, 27450, 32711, 35480, 27411, 19555, 19795, 15254, 8022, 2472),
        (707, 2692, 6473, 6841, 6547, 4352, 3034, 2540, 1749, 804, 236),
        (9.163, 0.462, 0.248, 0.929, 1.084, 1.810, 4.715, 12.187, 27.728, 64.068, 157.570),
        (17.208, 0.738, 0.328, 1.103, 2.045, 3.724, 8.052, 17.812, 34.128, 68.276, 125.161),
    ),
}
STANDARDISED = {1970: (10.258, 8.385 + 9.136), 1985: (8.030, 9.907 + 9.156)}


def test_groups_and_effect_are_das_guptas():
    earlier, later = (
        {
            f"{race}, {age}": {"none": shares(n, 0.0), "all": shares(n, rate / 1000)}
            for race in (0, 1)
            for age, (n, rate) in enumerate(zip(*DEATHS[year][race::2], strict=True))
        }
        for year in (1970, 1985)
    )
    found = explain_change(earlier, later, control="none", outcome="bought")
    change = {part: 1000 * value for part, value in change_of(found).items()}
    for part, at in (("effect", 0), ("groups", 1)):
        told = STANDARDISED[1985][at] - STANDARDISED[1970][at]
        assert change[part] == pytest.approx(told, abs=0.002)  # of figures with three decimals
    assert adds_up(found)


@pytest.fixture(scope="module")
def campaigns():
    """Return two campaigns by the rows of R's script."""
    counts = pd.read_csv(ORACLES / "uplift_change_counts.csv", keep_default_na=False)
    both = []
    for _, one in counts.groupby("campaign"):
        rows = one.loc[one.index.repeat(one["n"])]
        both.append(
            {
                group: {
                    arm: ArmSums(
                        NAMES, float(len(x)), x.mean().to_numpy(), x.cov().to_numpy().astype(float)
                    )
                    for arm, x in ((arm, part[["y", "t"]]) for arm, part in mine.groupby("arm"))
                }
                for group, mine in rows.groupby("group")
            }
        )
    return both


@pytest.fixture(scope="module")
def told():
    return pd.read_csv(ORACLES / "uplift_change.csv").set_index("name")["value"]


def test_parts_and_intervals_are_those_of_r(campaigns, told):
    found = explain_change(*campaigns, control="none", outcome="bought", contacted="reached")
    for part in PARTS:
        row = found.row(part)
        for column, end in (("change", ""), ("low", ".low"), ("high", ".high")):
            assert row[column] == pytest.approx(told[f"{part}{end}"], abs=1e-9)
    ends = found.campaigns[["effect", "low", "high"]].to_numpy()
    for when, values in zip(("earlier", "later"), ends, strict=True):
        assert values == pytest.approx(told[[when, f"{when}.low", f"{when}.high"]], abs=1e-9)
    assert adds_up(found) and not found.binary and found.status == "supported"


def test_of_one_group_and_arm_the_effect_among_those_reached_is_that_of_two_stage_least_squares(
    campaigns, told
):
    one = [{"young": {arm: c["young"][arm] for arm in ("none", "mail")}} for c in campaigns]
    found = explain_change(*one, control="none", outcome="bought", contacted="reached")
    c1, c2, r1, r2 = (told[name] for name in ("reached.1", "reached.2", "share.1", "share.2"))
    assert change_of(found)["effect"] == pytest.approx((r1 + r2) / 2 * (c2 - c1), rel=1e-10)
    assert change_of(found)["reach"] == pytest.approx((c1 + c2) / 2 * (r2 - r1), rel=1e-10)
    assert "one arm" in str(found.row("arms")["why_not"])
    assert "no two groups" in str(found.row("groups")["why_not"])


def test_parts_are_exact_fractions():
    # treated: sizes, shares of buyers, shares reached; nobody of the 100 controls buys
    sizes = {"a": (300, 100), "b": (100, 100)}
    bought = {"a": (Fraction(1, 2), Fraction(1, 4)), "b": (Fraction(1, 5), Fraction(1, 10))}
    reached = {"a": (Fraction(4, 5), Fraction(1, 2)), "b": (Fraction(1, 2), Fraction(2, 5))}
    earlier, later = (
        {
            g: {
                "none": shares(100, 0.0),
                "mail": shares(sizes[g][c], float(bought[g][c]), float(reached[g][c])),
            }
            for g in sizes
        }
        for c in (0, 1)
    )
    found = explain_change(
        earlier, later, control="none", outcome="bought", contacted="reached", names=("May", "June")
    )
    # by hand: p from (3/4, 1/4) to (1/2, 1/2); c from 5/8 to 1/2 in a, from 2/5 to 1/4 in b
    groups = Fraction(-1, 4) * Fraction(3, 8) + Fraction(1, 4) * Fraction(3, 20)
    reach = Fraction(5, 8) * Fraction(-3, 10) * Fraction(9, 16)
    reach += Fraction(3, 8) * Fraction(-1, 10) * Fraction(13, 40)
    effect = Fraction(5, 8) * Fraction(13, 20) * Fraction(-1, 8)
    effect += Fraction(3, 8) * Fraction(9, 20) * Fraction(-3, 20)
    total = Fraction(7, 40) - Fraction(17, 40)
    assert groups + reach + effect == total
    wanted = {"groups": groups, "reach": reach, "effect": effect, "all": total}
    assert {part: change_of(found)[part] for part in wanted} == pytest.approx(
        {part: float(value) for part, value in wanted.items()}, abs=1e-14
    )
    assert found.binary
    assert ENGLISH(found.text).startswith(
        "bought: June did worse than May: its effect per customer assigned changed by -25.00 "
        "percentage points"
    )
    assert "how many of those assigned were reached" in ENGLISH(found.text)


def test_a_channel_is_judged_where_both_ran_and_time_is_not_put_down_to_it():
    # everything moves less later; the new channel moves as much as the old one beside it
    earlier = {g: {"none": shares(500, 0.1), "mail": shares(500, 0.3)} for g in "ab"}
    later = {
        g: {"none": shares(500, 0.1), "mail": shares(250, 0.2), "sms": shares(250, 0.2)}
        for g in "ab"
    }
    for one, other, sign in ((earlier, later, 1), (later, earlier, -1)):
        change = change_of(explain_change(one, other, control="none", outcome="bought"))
        assert change["arms"] == pytest.approx(0, abs=1e-15)
        assert change["effect"] == pytest.approx(-0.1 * sign)


def test_a_new_group_is_one_of_the_groups():
    earlier = {"a": {"none": shares(500, 0.1), "mail": shares(500, 0.3)}}
    later = {
        "a": {"none": shares(500, 0.1), "mail": shares(500, 0.25)},
        "b": {"none": shares(500, 0.1), "mail": shares(500, 0.15)},
        "c": {"none": shares(500, 0.1)},  # sent nothing
    }
    found = explain_change(earlier, later, control="none", outcome="bought")
    # with the later effects 0.15 and 0.05: half of the customers moved from one to the other
    assert change_of(found)["groups"] == pytest.approx(-0.05)
    assert change_of(found)["effect"] == pytest.approx(-0.05)
    assert adds_up(found) and list(found.cells["group"]) == ["a", "b"]
    other = {"c": later["b"]} | {"a": earlier["a"]}
    found = explain_change(later, other, control="none", outcome="bought")
    assert "the other did not have" in str(found.row("groups")["why_not"])
    assert list(found.cells["group"]) == ["a, b, c"] and adds_up(found)


def test_different_arms_and_small_ones_are_not_told_apart():
    none = shares(500, 0.1)
    mail, sms = ({"a": {"none": none, arm: shares(500, 0.3)}} for arm in ("mail", "sms"))
    found = explain_change(
        mail,
        sms,
        control="none",
        outcome="bought",
        changed={"channel": ("mail", "sms"), "contact_cost": (1.0, 1.0), "discount": (0.1, None)},
    )
    assert "different arms" in str(found.row("arms")["why_not"])
    assert list(found.together["what"]) == ["channel", "discount"]
    assert "to be told apart: the channel, the discount" in ENGLISH(found.text)
    assert list(map(str, together_to_show(found)["what"])) == ["the channel", "the discount"]
    few = {"a": {"none": none, "mail": shares(500, 0.3), "sms": shares(20, 0.3)}}
    found = explain_change(mail, few, control="none", outcome="bought")
    assert "too few customers" in str(found.row("arms")["why_not"])
    # both arms in both campaigns, but each group was sent the other one
    turned = [{"none": none, arm: shares(500, 0.3)} for arm in ("mail", "sms")]
    found = explain_change(
        dict(zip("ab", turned, strict=True)),
        dict(zip("ba", turned, strict=True)),
        control="none",
        outcome="bought",
    )
    assert "did not send them" in str(found.row("arms")["why_not"]) and adds_up(found)


def test_each_part_is_covered_as_often_as_its_interval_says():
    rng, runs = np.random.default_rng(3), 200
    # by campaign and group: arm -> customers, share reached, effect among those reached
    plans = [
        {"a": {"mail": (300, 0.8, 0.3), "sms": (150, 0.9, 0.2)}, "b": {"mail": (200, 0.7, 0.1)}},
        {
            "a": {"mail": (200, 0.6, 0.25), "sms": (200, 0.9, 0.2)},
            "b": {"mail": (300, 0.5, 0.1), "sms": (100, 0.8, 0.1)},
        },
    ]
    truth = change_of(
        explain_change(
            *(
                {
                    g: {"none": shares(300, 0.2)}
                    | {arm: shares(n, 0.2 + r * c, r) for arm, (n, r, c) in arms.items()}
                    for g, arms in plan.items()
                }
                for plan in plans
            ),
            control="none",
            outcome="bought",
            contacted="reached",
        )
    )  # exact by the tests above

    def draw(n, r, c):
        reached = rng.binomial(n, r)
        both = rng.binomial(reached, 0.2 + c)
        return counted(n, both, both + rng.binomial(n - reached, 0.2), reached)

    held = dict.fromkeys(PARTS, 0)
    for _ in range(runs):
        drawn = [
            {
                g: {"none": draw(300, 0, 0)} | {arm: draw(*how) for arm, how in arms.items()}
                for g, arms in plan.items()
            }
            for plan in plans
        ]
        cells = line_up(drawn, "none", "bought", "reached")
        measured = measure_parts(cells, reach=True)[2:, 1:3]
        for part, (low, high) in zip(PARTS, measured, strict=True):
            held[part] += low <= truth[part] <= high
    low, high = stats.binom.interval(1 - 0.001 / len(PARTS), runs, 0.95)
    assert all(low <= count <= high for count in held.values()), held


def test_without_contact_reach_stays_in_the_effect(campaigns):
    known = explain_change(*campaigns, control="none", outcome="bought", contacted="reached")
    for name in (None, "called"):
        found = explain_change(*campaigns, control="none", outcome="bought", contacted=name)
        assert "not known" in str(found.row("reach")["why_not"])
        both = change_of(known)["reach"] + change_of(known)["effect"]
        assert change_of(found)["effect"] == pytest.approx(both)
        assert found.cells["reach_later"].isna().all()
    unreached = {g: {a: shares(300, 0.2, 0.01) for a in ("none", "mail")} for g in "ab"}
    found = explain_change(
        unreached, unreached, control="none", outcome="bought", contacted="reached"
    )
    assert "too few were contacted" in str(found.row("reach")["why_not"])
    assert found.row("groups")[["change", "low", "high"]].tolist() == [0, 0, 0]  # the same mix


def test_parts_add_up_whatever_groups_and_arms_there_were():
    rng = np.random.default_rng(8)
    told = dict.fromkeys(PARTS[:4], 0)
    for _ in range(20):
        both = [{}, {}]
        for one in both:
            for g in "abc":
                arms = [arm for arm in ("mail", "sms") if rng.random() < 0.8]
                sent = {arm: shares(rng.integers(20, 400), *rng.random(2)) for arm in arms}
                one[g] = {"none": shares(rng.integers(20, 400), rng.random())} | sent
        found = explain_change(*both, control="none", outcome="bought", contacted="reached")
        assert adds_up(found)
        gap = found.campaigns["effect"].diff().iloc[1]
        assert found.row("all")["change"] == pytest.approx(gap, abs=1e-12)
        for part in told:
            told[part] += found.row(part)["why_not"] is None
    assert min(told.values()) > 0 and told["arms"] < 20 and told["groups"] < 20


def test_small_groups_join_the_next_smallest():
    def campaign(n):
        return {g: {"none": shares(500, 0.1), "mail": shares(m, 0.3)} for g, m in n.items()}

    first = campaign({"a": 20, "b": 200, "c": 300})
    found = explain_change(first, first, control="none", outcome="bought")
    assert list(found.cells["group"]) == ["c", "a, b"]
    assert found.cells["n_earlier"].tolist() == [300, 220]


@pytest.mark.parametrize(
    "earlier",
    [
        {},
        {"a": {"none": shares(1, 0.0), "mail": shares(20, 0.3)}},
        {"a": {"none": shares(20, 0.1), "mail": shares(20, 0.3)}},
        {"a": {"none": shares(500, 0.0), "mail": shares(500, 0.0)}},
        {"a": {"none": shares(500, 0.1)}},
    ],
)
def test_too_little_to_compare_gets_words(earlier):
    later = {"a": {"none": shares(500, 0.1), "mail": shares(500, 0.3)}}
    for both in ((earlier, later), (later, earlier), (earlier, earlier)):
        if not (both[0] or both[1]):
            continue
        found = explain_change(*both, control="none", outcome="bought", contacted="reached")
        assert found.status == "not_enough_data"
        assert "not enough data" in ENGLISH(found.text)
        assert list(found.table) == COLUMNS and list(found.table["part"]) == list(PARTS)
        assert list(found.campaigns) == CAMPAIGN_COLUMNS and list(found.cells) == CELL_COLUMNS
        finding = change_finding(found, "autumn")
        assert (finding.value, finding.status) == (None, "not_enough_data")
        change_to_show(found, 10)
        assert len(cells_to_show(found, 10)) == len(found.cells)


def test_a_wrong_control_or_outcome_is_named():
    one = {"a": {"none": shares(500, 0.1), "mail": shares(500, 0.3)}}
    with pytest.raises(CustomerlabError, match='did you mean "none"'):
        explain_change(one, one, control="nonne", outcome="bought")
    with pytest.raises(CustomerlabError, match='did you mean "bought"'):
        explain_change(one, one, control="none", outcome="bougt")


def test_small_counts_are_hidden_with_one_more():
    earlier = {
        "a": {"none": shares(500, 0.1), "mail": shares(500, 0.3)},
        "b": {"none": shares(500, 0.1), "mail": shares(100, 0.04)},  # four bought
        "c": {"none": shares(500, 0.1), "mail": shares(300, 0.3)},
    }
    later = {g: {"none": shares(500, 0.1), "mail": shares(200, 0.2)} for g in "abc"}
    found = explain_change(earlier, later, control="none", outcome="bought")
    shown = cells_to_show(found, 10).set_index("group")
    assert (shown["effect_earlier"] == "hidden").to_dict() == {"a": False, "b": True, "c": True}
    assert not (shown["effect_later"] == "hidden").any()
    assert shown.loc["b", "n_earlier"] == 100
    assert not (change_to_show(found, 10) == "hidden").any(axis=None)  # of 300 buyers
    hidden = change_to_show(found, 200)
    assert (hidden.loc[hidden["part"].map(str) == "all together", "change"] == "hidden").all()
    finding = change_finding(found, "autumn", min_cell=200)
    assert finding.value is None and "not shown" in str(finding.text)
    finding = change_finding(found, "autumn", min_cell=10)
    assert (finding.id, finding.status) == ("uplift_tests.changed_autumn", "supported")
    assert finding.high < 0


def effects(treated: float, n: int = 1000):
    arms = {"none": shares(n, 0.1), "mail": shares(n, treated)}
    return compare_arms(arms, control="none", outcomes=["bought"])


def test_a_plan_of_one_number_moves_the_interval():
    found = effects(0.2)
    plans = pd.DataFrame({"arm": "mail", "outcome": "bought", "planned": [0.15, 0.05, 0.11]})
    table = compare_with_plan(found, plans).table
    seen = found.table.iloc[0]
    for row, planned in zip(table.to_dict("records"), plans["planned"], strict=True):
        assert row["difference_low"] == pytest.approx(seen["low"] - planned)
        assert row["difference_high"] == pytest.approx(seen["high"] - planned)
    assert table["verdict"].tolist() == ["less", "more", "open"]
    words = [Words("en")(text) for text in table["text"]]
    assert "did less than planned. The plan was 15.00 percentage points over none" in words[0]
    assert "did more than planned" in words[1] and "fits the plan." in words[2]
    none = compare_with_plan(effects(0.101), plans.tail(1).assign(planned=0.01)).table
    assert "too small to judge the plan" in str(none["text"].iloc[0])


def test_a_plan_that_is_an_estimate_has_the_difference_of_two_campaigns():
    # of alike variances the interval is that of two effects' difference: sqrt(2) times as wide
    found = effects(0.2, 100_000)
    seen = found.table.iloc[0]
    plan = pd.DataFrame([{"arm": "mail", "outcome": "bought", "planned": 0.12}])
    half = (seen["high"] - seen["low"]) / 2
    plan = plan.assign(planned_low=0.12 - half, planned_high=0.12 + half)
    row = compare_with_plan(found, plan).row("mail", "bought")
    assert row["difference_high"] - row["difference"] == pytest.approx(np.sqrt(2) * half)
    plan = plan.assign(planned_low=0.12 - 2 * half)  # hangs down: it may have been less
    row = compare_with_plan(found, plan).row("mail", "bought")
    assert row["difference_high"] - row["difference"] == pytest.approx(np.sqrt(5) * half)
    assert row["difference"] - row["difference_low"] == pytest.approx(np.sqrt(2) * half)


def test_plans_without_data_or_of_few_customers_get_words():
    plan = pd.DataFrame([{"arm": "mail", "outcome": "bought", "planned": 0.12}])
    against = compare_with_plan(effects(0.2, 20), plan)
    assert "not enough data" in str(against.row("mail", "bought")["text"])
    assert plan_finding(against, "mail", "bought", "mail").value is None
    against = compare_with_plan(effects(0.2), plan)
    finding = plan_finding(against, "mail", "bought", "mail", min_cell=10)
    assert finding.id == "uplift_tests.against_plan_mail" and finding.status == "weak"
    assert finding.value == pytest.approx(-0.02)
    hidden = plan_finding(against, "mail", "bought", "mail", min_cell=150)
    assert hidden.value is None and "not shown" in str(hidden.text)
    shown = plans_to_show(against, 150).iloc[0]
    assert shown["effect"] == "hidden" and shown["verdict"] == "hidden"
    assert plans_to_show(against, 10)["effect"].iloc[0] == pytest.approx(0.1)
    assert compare_with_plan(effects(0.2), plan.head(0)).table.empty
    with pytest.raises(CustomerlabError, match='did you mean "mail"'):
        compare_with_plan(effects(0.2), plan.assign(arm="mial"))
