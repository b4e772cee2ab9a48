"""Amounts with many zeros in two parts: R's t.test on buyers, plain pandas, planted truth.

R's numbers come from ``tests/oracles/uplift_parts.R`` (R 4.2.2).
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy
from test_uplift_reached import arms_of, as_in_r, sums

from customerlab.errors import CustomerlabError
from customerlab.privacy import HIDDEN
from customerlab.uplift.parts_shown import buyers_to_show, split_to_show
from customerlab.uplift.sums import ArmSums
from customerlab.uplift.two_parts import (
    BUYERS,
    COLUMNS,
    _buyers,
    _compare_buyers,
    split_amount,
)

R = pd.read_csv(Path(__file__).parent / "oracles" / "uplift_parts.csv", index_col="name")["value"]
NAMES = {"control": "none", "amount": "amount", "indicator": "bought"}


@pytest.fixture(scope="module")
def found():
    return split_amount(arms_of(as_in_r()), **NAMES)


def test_points_are_plain_pandas(found):
    rows = as_in_r()
    row = found.table.iloc[0]
    share = rows.groupby("arm")["bought"].mean()
    each = rows[rows["bought"]].groupby("arm")["amount"].mean()
    mean = rows.groupby("arm")["amount"].mean()
    for one in found.buyers.itertuples():
        assert one.share == pytest.approx(share[one.arm], abs=1e-9)
        assert one.buyer_mean == pytest.approx(each[one.arm], abs=1e-9)
        assert one.mean == pytest.approx(mean[one.arm], abs=1e-9)
        assert one.buyers == rows.loc[rows["arm"] == one.arm, "bought"].sum()
    assert row["share"] == pytest.approx(share["mail"] - share["none"], abs=1e-9)
    assert row["buyer"] == pytest.approx(each["mail"] - each["none"], abs=1e-9)
    assert row["difference"] == pytest.approx(mean["mail"] - mean["none"], abs=1e-9)
    together = row["more_buyers"] + row["larger_purchases"]
    assert together == pytest.approx(row["difference"], abs=1e-9)
    by_hand = (share["mail"] - share["none"]) * (each["mail"] + each["none"]) / 2
    assert row["more_buyers"] == pytest.approx(by_hand, abs=1e-9)


def test_what_a_buyer_spends_is_rs_t_test_on_buyers(found):
    row = found.table.iloc[0]
    for name, arm in (("none", 0), ("mail", 1)):
        one = found.buyers.set_index("arm").loc[name]
        for end in ("mean", "low", "high"):
            assert one[f"buyer_{end}"] == pytest.approx(R[f"buyer.{arm}.{end}"], rel=1e-10)
    for end in ("low", "high", "p"):
        assert row[f"buyer_{end}"] == pytest.approx(R[f"buyer.diff.{end}"], rel=1e-9)


def test_parts_vary_as_their_rows_do(found):
    """R's infinitesimal jackknife: influence by central differences of every row's weight."""
    row = found.table.iloc[0]
    for ours, rs in (("more_buyers", "buyers"), ("larger_purchases", "size")):
        assert row[ours] == pytest.approx(R[f"from.{rs}"], rel=1e-10)
        one, base = (_buyers(arm) for arm in reversed(in_order()))
        told = _compare_buyers(one, base)
        half = (told[f"{ours}_high"] - told[f"{ours}_low"]) / 2
        # the half-width over the root of R's variance is t of some 50 to 110 degrees of freedom
        freedom = scipy.stats.t.ppf(0.975, [min(one.buyers, base.buyers) - 1, 208])
        assert freedom[1] <= half / np.sqrt(R[f"var.{rs}"]) <= freedom[0]


def in_order():
    arms = arms_of(as_in_r())
    return [arms[name].select(["bought", "amount"]) for name in ("none", "mail")]


def test_intervals_cover_planted_parts():
    """200 draws; truth by hand: 8 % and 12 % buy, lognormal purchases of mean 40 and 50."""
    rng = np.random.default_rng(5)
    truth = {"more_buyers": 0.04 * 45, "larger_purchases": 10 * 0.10, "buyer": 10.0}
    covered = dict.fromkeys(truth, 0)
    for _ in range(200):
        arms = []
        for n, share, each in ((1500, 0.12, 50), (2500, 0.08, 40)):
            bought = (rng.random(n) < share).astype(float)
            spent = bought * rng.lognormal(np.log(each) - 0.125, 0.5, n)
            rows = np.column_stack([bought, spent])
            arms.append(ArmSums(("b", "a"), float(n), rows.mean(0), np.cov(rows.T)))
        told = _compare_buyers(*(_buyers(one) for one in arms))
        for name, true in truth.items():
            covered[name] += told[f"{name}_low"] <= true <= told[f"{name}_high"]
    low, high = scipy.stats.binom.ppf([0.0005 / 3, 1 - 0.0005 / 3], 200, 0.95)
    for name, times in covered.items():
        assert low <= times <= high, name


def test_hillstroms_men_buy_more_often_and_not_more(shared_data):
    """Conversions and spend of the public data, against plain pandas."""
    rows = pd.read_csv(shared_data / "hillstrom" / "hillstrom.csv.gz")
    rows = rows.rename(columns={"segment": "arm"})[["arm", "conversion", "spend"]]
    names = {"control": "No E-Mail", "amount": "spend", "indicator": "conversion"}
    found = split_amount(arms_of(rows), **names)
    each = rows[rows["conversion"] == 1].groupby("arm")["spend"].mean()
    for one in found.buyers.itertuples():
        assert one.buyer_mean == pytest.approx(each[one.arm], abs=1e-9)
    men = found.table.set_index("arm").loc["Mens E-Mail"]
    assert men["status"] == "supported"
    assert men["more_buyers_low"] > 0
    assert men["larger_purchases_low"] < 0 < men["larger_purchases_high"]
    said = str(found.say("Mens E-Mail"))
    assert "More customers buy with Mens E-Mail: 1.25 % against 0.57 % with No E-Mail" in said
    assert "Of the difference of 0.77 a customer in spend, 0.77 come from how many buy" in said
    assert "A buyer spends 113.53 with Mens E-Mail and 114.00 with No E-Mail; these" in said
    back = split_amount(arms_of(rows), **names | {"control": "Mens E-Mail"})
    assert "Fewer customers buy with No E-Mail" in str(back.say("No E-Mail"))


def test_words_when_nothing_is_sure(found):
    assert "Whether mail makes more customers buy is not sure" not in str(found.say("mail"))
    rows = as_in_r()
    fewer = rows["bought"] & (rows.index * 7 % 5 < 2)  # as many in both arms
    rows = rows.assign(bought=fewer, amount=rows["amount"].where(fewer, 0))
    alike = split_amount(arms_of(rows), **NAMES)
    assert alike.table.loc[0, "share_low"] < 0 < alike.table.loc[0, "share_high"]
    assert "Whether mail makes more customers buy is not sure" in str(alike.say("mail"))


def test_few_buyers_or_none_give_words():
    rows = as_in_r()
    arms = arms_of(rows)
    nobody = {name: sums(mine.assign(amount=0, bought=0)) for name, mine in rows.groupby("arm")}
    found = split_amount(nobody, **NAMES)
    assert "cannot be told" in str(found.say("mail"))
    assert found.table.loc[0, "status"] == "not_enough_data"
    for k in (0, 1, 20):
        found = split_amount(arms | {"mail": sums(rows[:k])}, **NAMES)
        assert found.table.loc[0, "status"] == "not_enough_data"
        assert any(word in str(found.say("mail")) for word in ("Too few", "Fewer than two"))
        assert len(split_to_show(found.table, 10)) == 1
        assert len(buyers_to_show(found.buyers, 10)) == 2
    alone = split_amount({"none": arms["none"]}, **NAMES)
    assert list(alone.table) == COLUMNS
    assert list(alone.buyers) == BUYERS
    assert "buyers" not in split_to_show(alone.table, 10)
    with pytest.raises(KeyError):
        alone.say("mail")
    same = rows.assign(amount=5 * rows["bought"])
    told = split_amount(arms_of(same), **NAMES).table.iloc[0]
    assert np.isnan(told["buyer_low"])
    assert told["larger_purchases"] == pytest.approx(0, abs=1e-12)


def test_an_indicator_that_does_not_fit_the_amount():
    rows = as_in_r()
    with pytest.raises(CustomerlabError, match="must be 0 or 1"):
        split_amount(arms_of(rows), control="none", amount="bought", indicator="amount")
    other = arms_of(rows.assign(bought=rows["contacted"]))
    with pytest.raises(CustomerlabError, match="'bought' 0 have an amount 'amount'"):
        split_amount(other, **NAMES)
    with pytest.raises(CustomerlabError, match="did you mean"):
        split_amount(arms_of(rows), control="none", amount="amont", indicator="bought")


def test_few_buyers_are_not_shown(found):
    shown = buyers_to_show(found.buyers, 50)  # 48 of the controls bought
    assert shown["buyers"].tolist() == ["<50", HIDDEN]  # and 36 of the treated did not
    assert (shown[["share", "buyer_mean"]] == HIDDEN).all(axis=None)
    assert (split_to_show(found.table, 50)[["buyer", "share", "difference"]] == HIDDEN).all(
        axis=None
    )
    assert "not shown" in str(found.say("mail", min_cell=50))
    open_ = split_to_show(found.table, 10)
    assert open_.loc[0, "larger_purchases"] == found.table.loc[0, "larger_purchases"]
    assert buyers_to_show(found.buyers, 10)["buyers"].tolist() == [50, 50]
