"""Sizes and balance of arms: tea-tasting, scipy and R's manova, lots redrawn, planted trouble.

R's numbers come from ``tests/oracles/uplift_checks.R`` (R 4.2.2).
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy

from customerlab.errors import CustomerlabError
from customerlab.privacy import HIDDEN
from customerlab.uplift.balance import COLUMNS as BALANCE
from customerlab.uplift.balance import balance_to_show, check_balance
from customerlab.uplift.health import check_sample_ratio
from customerlab.uplift.sums import ArmSums

R = pd.read_csv(Path(__file__).parent / "oracles" / "uplift_checks.csv", index_col="name")["value"]


def sums(rows):
    """Make what ArmSums holds, of the rows of one arm."""
    values = rows.to_numpy(float)
    covariance = np.atleast_2d(np.cov(values, rowvar=False)) if len(rows) > 1 else None
    k = values.shape[1]
    return ArmSums(
        names=tuple(rows.columns),
        n=float(len(rows)),
        mean=values.mean(axis=0) if len(rows) else np.full(k, np.nan),
        covariance=np.full((k, k), np.nan) if covariance is None else covariance,
    )


def arms_of(rows, arm):
    return {name: sums(mine) for name, mine in rows.groupby(np.asarray(arm), sort=True)}


def test_two_arms_small_are_judged_exactly():
    found = check_sample_ratio({"control": 300, "mail": 200}, {"control": 2, "mail": 1})
    assert found.test == "binomial"
    assert found.p == pytest.approx(scipy.stats.binomtest(200, 500, 1 / 3).pvalue, abs=1e-12)
    assert found.table["expected"].tolist() == pytest.approx([1000 / 3, 500 / 3])
    assert found.table["planned_share"].tolist() == pytest.approx([2 / 3, 1 / 3])


def test_two_arms_large_are_judged_by_the_normal_approximation():
    # by hand: |5200 - 5100| - 0.5 over root of 10200 / 4
    found = check_sample_ratio({"control": 5000, "mail": 5200})
    assert found.test == "normal"
    assert found.p == pytest.approx(2 * scipy.stats.norm.sf(99.5 / np.sqrt(2550)), abs=1e-12)


def test_three_arms_are_judged_together():
    # Hillstrom's arms; by hand sum of (seen - expected)^2 / expected
    seen = {"none": 21306, "men": 21307, "women": 21387}
    found = check_sample_ratio(seen)
    expected = 64000 / 3
    by_hand = sum((n - expected) ** 2 / expected for n in seen.values())
    assert found.test == "chi_squared"
    assert found.p == pytest.approx(np.exp(-by_hand / 2), abs=1e-12)  # chi-squared, 2 df
    assert found.check.passed is True


def test_a_lost_part_of_an_arm_is_caught():
    check = check_sample_ratio({"control": 10000, "a": 10000, "b": 9500}).check
    assert check.passed is False
    assert "(p = 0.0002): b has 32.20" in str(check.text)
    assert check_sample_ratio({"control": 10000, "a": 9500}).check.passed is False


def test_sizes_of_a_fair_draw_raise_no_alarm():
    rng = np.random.default_rng(3)
    draws = rng.multinomial(3000, [0.5, 0.3, 0.2], size=400)
    planned = {"control": 5, "a": 3, "b": 2}
    ps = [check_sample_ratio(dict(zip(planned, n, strict=True)), planned).p for n in draws]
    share = np.mean(np.array(ps) < 0.05)
    assert scipy.stats.binomtest(round(share * 400), 400, 0.05).pvalue > 0.01


@pytest.mark.parametrize(
    "counts", [{}, {"control": 900}, {"control": 0, "a": 0}, {"control": 4, "a": 3, "b": 5}]
)
def test_nothing_to_judge_the_sizes_by(counts):
    found = check_sample_ratio(counts)
    assert np.isnan(found.p)
    assert found.check.passed is None
    assert list(found.table) == ["arm", "n", "expected", "share", "planned_share"]


def test_an_arm_that_was_planned_and_is_empty_fails():
    found = check_sample_ratio({"control": 500}, {"control": 1, "mail": 1})
    assert found.table["n"].tolist() == [500, 0]
    assert found.check.passed is False


def test_a_plan_that_does_not_fit_the_arms():
    with pytest.raises(CustomerlabError, match=r'"mial" \(did you mean "mail"'):
        check_sample_ratio({"control": 5, "mial": 5}, {"control": 1, "mail": 1})
    with pytest.raises(CustomerlabError, match="above 0"):
        check_sample_ratio({"control": 5, "mail": 5}, {"control": 1, "mail": 0})


@pytest.fixture(scope="module")
def fair():
    """Three arms of customers that were drawn by lot, with money, a share and a sum of others."""
    rng = np.random.default_rng(11)
    rows = pd.DataFrame({"spend": rng.lognormal(4, 1.5, 3000), "new": rng.random(3000) < 0.2})
    rows["visits"] = rng.poisson(2 + rows["new"])
    return rows.astype(float), rng.choice(["a", "b", "control"], 3000, p=[0.5, 0.1, 0.4])


@pytest.mark.parametrize("arm", ["cyl", "am"])
def test_the_test_of_all_at_once_is_that_of_r(arm):
    cars = pd.read_csv(Path(__file__).parent / "oracles" / "mtcars.csv")
    rows = cars[["mpg", "hp", "qsec"]]
    # thirty times the cars, for the test asks for 30 customers an arm: Pillai's trace is the same
    many = pd.concat([rows] * 30, ignore_index=True)
    found = check_balance(arms_of(many, [*cars[arm].astype(str)] * 30), str(cars[arm].min()))
    groups = cars[arm].nunique()
    assert found.statistic / (len(many) - 1) == pytest.approx(R[f"pillai.{arm}"], rel=1e-9)
    assert found.df == 3 * (groups - 1)
    if arm == "am":  # the distance of Hansen and Bowers
        assert found.statistic / (len(many) - 1) * 31 == pytest.approx(R["d2.am"], rel=1e-9)


def test_its_chance_is_that_of_lots_redrawn():
    iris = pd.read_csv(Path(__file__).parent / "oracles" / "iris.csv")
    arm = (np.arange(1, 151) * 7 % 3).astype(str)
    found = check_balance(arms_of(iris, arm), "0")
    assert found.statistic == pytest.approx(149 * R["pillai.iris"], rel=1e-9)
    assert found.df == pytest.approx(R["mean.iris"], abs=4 * 4 / np.sqrt(4000))
    assert found.p == pytest.approx(R["p.iris"], abs=4 * np.sqrt(0.25 / 4000))


def test_alarms_of_fair_lots_come_as_often_as_stated(fair):
    rows, arm = fair
    rng = np.random.default_rng(4)
    ps = np.array(
        [
            check_balance(arms_of(rows[:400], rng.permutation(arm[:400])), "control").p
            for _ in range(300)
        ]
    )
    for level in (0.05, 0.5):
        assert scipy.stats.binomtest(int((ps < level).sum()), 300, level).pvalue > 0.01


def test_differences_in_standard_deviations(fair):
    rows, arm = fair
    found = check_balance(arms_of(rows, arm), "control", ["new", "spend"])
    assert list(found.table) == BALANCE
    assert found.table["covariate"].tolist() == ["new", "new", "spend", "spend"]
    assert found.table["arm"].tolist() == ["a", "b", "a", "b"]
    a, control = rows.loc[arm == "a", "spend"], rows.loc[arm == "control", "spend"]
    by_hand = (a.mean() - control.mean()) / np.sqrt((a.var() + control.var()) / 2)
    assert found.table["smd"][2] == pytest.approx(by_hand, rel=1e-9)
    assert found.check.passed is True
    assert "as alike as a draw by lot" in str(found.check.text)
    assert found.table["binary"].tolist() == [True, True, False, False]


def test_differences_of_few_customers_are_not_shown(fair):
    rows, arm = fair
    rare = rows.assign(rare=(np.arange(3000) % 700 == 0).astype(float))[["spend", "rare"]]
    found = check_balance(arms_of(rare, arm), "control")
    shown = balance_to_show(found, 10)
    smd = found.table["smd"].abs().sort_values(ascending=False)
    assert shown["covariate"].tolist() == found.table["covariate"][smd.index].tolist()
    hidden = shown["covariate"] == "rare"
    assert (shown.loc[hidden, ["control_mean", "mean", "smd"]] == HIDDEN).all(axis=None)
    assert (shown.loc[~hidden, ["control_mean", "mean", "smd"]] != HIDDEN).all(axis=None)
    assert (shown["n"] % 10 == 0).all()
    assert shown["n"].iloc[0] != found.table["n"][smd.index[0]]
    empty = check_balance({"control": sums(rows)}, "control")
    assert list(balance_to_show(empty, 10)) == BALANCE[:-1]


def test_a_broken_draw_is_caught(fair):
    rows, arm = fair
    good = (rows["new"] == 0) & (np.random.default_rng(5).random(3000) < 0.3)
    found = check_balance(arms_of(rows, np.where(good & (arm == "control"), "a", arm)), "control")
    assert found.check.passed is False
    assert "new" in str(found.check.text)


def test_covariates_that_tell_the_same_or_nothing_change_nothing(fair):
    rows, arm = fair
    found = check_balance(arms_of(rows, arm), "control")
    more = rows.assign(old=1 - rows["new"], cents=100 * rows["spend"], all=3.3, zero=0.0)
    again = check_balance(arms_of(more, arm), "control")
    assert again.df == found.df == 6
    assert again.statistic == pytest.approx(found.statistic, rel=1e-6)
    constant = again.table["covariate"].isin(["zero"])
    assert again.table.loc[constant, "smd"].isna().all()


def test_arms_apart_in_what_varies_in_neither_are_caught():
    rows = pd.DataFrame({"market": np.repeat([0.0, 1.0], 50)})
    found = check_balance(arms_of(rows, np.repeat(["control", "mail"], 50)), "control")
    assert found.check.passed is False
    assert "no difference can be put in standard deviations" in str(found.check.text)


def test_nothing_to_judge_the_balance_by(fair):
    rows, arm = fair
    arms = arms_of(rows, arm)
    constant = arms_of(rows.assign(one=1.0)[["one"]], arm)
    small = {"control": arms["control"], "a": sums(rows[:20]), "b": sums(rows[:0])}
    cases = [{"control": arms["control"]}, small, constant]
    for one in (*(check_balance(case, "control") for case in cases), check_balance(arms, "a", [])):
        assert one.check.passed is None
        assert np.isnan(one.p)
        assert list(one.table) == BALANCE


def test_names_that_are_not_there(fair):
    rows, arm = fair
    arms = arms_of(rows, arm)
    with pytest.raises(CustomerlabError, match=r'"contrl" \(did you mean "control"'):
        check_balance(arms, "contrl")
    with pytest.raises(CustomerlabError, match=r'"spent" in every arm \(did you mean "spend"'):
        check_balance(arms, "control", ["spent"])
