"""Losses, and customers who count twice: R's tests, draws without trouble, planted trouble.

R's numbers come from ``tests/oracles/uplift_parts.R`` (R 4.2.2).
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy

from customerlab.errors import CustomerlabError
from customerlab.privacy import HIDDEN
from customerlab.uplift.attrition import COLUMNS, _compare, attrition_to_show, check_attrition
from customerlab.uplift.repeated import (
    ONE_ARM,
    OVERLAPS,
    _independence,
    check_one_arm,
    check_overlaps,
    one_arm_to_show,
    overlaps_to_show,
)

R = pd.read_csv(Path(__file__).parent / "oracles" / "uplift_parts.csv", index_col="name")["value"]


def lost(known, n, arms="abcdef"):
    return pd.DataFrame({"arm": [*arms[: len(n)]], "n": n, "known": known})


def test_large_losses_are_judged_as_r_does():
    found = check_attrition(lost([940, 950, 880], [1000, 1000, 1000]), weakens=("x.",))
    assert found.test == "chi_squared"
    assert found.p == pytest.approx(R["lost.chisq"], rel=1e-9)
    assert found.check.passed is False
    assert found.check.weakens == ("x.",)
    assert "a 6.0 %, b 5.0 %, c 12.0 %" in str(found.check.text)
    assert found.table["missing"].tolist() == [60, 50, 120]
    assert list(found.table) == COLUMNS


def test_small_losses_are_judged_exactly_as_r_does():
    found = check_attrition(lost([36, 49], [40, 50]))
    assert found.test == "fisher"
    assert found.p == pytest.approx(R["lost.fisher"], rel=1e-9)
    assert found.check.passed is True
    assert "lost customers alike" in str(found.check.text)
    three = check_attrition(lost([36, 49, 50], [40, 50, 50]))
    by_hand = scipy.stats.fisher_exact([[36, 4], [99, 1]]).pvalue * 3
    assert three.p == pytest.approx(by_hand, rel=1e-9)


def test_losses_that_are_alike_raise_no_alarm():
    rng = np.random.default_rng(6)
    n = np.array([3000, 1000, 200])
    known = rng.binomial(n, 0.95, (200, 3))
    ps = np.array([_compare(np.column_stack([mine, n - mine]))[0] for mine in known])
    assert scipy.stats.binomtest(int((ps < 0.1).sum()), 200, 0.1).pvalue > 0.01


def test_nobody_lost_and_nobody_known():
    check = check_attrition(lost([40, 50], [40, 50])).check
    assert check.passed is True
    assert "All customers have a known outcome" in str(check.text)
    for known, n in (([0, 0], [40, 50]), ([40], [40]), ([0, 20], [0, 20]), ([], [])):
        found = check_attrition(lost(known, n))
        assert found.check.passed is None
        assert np.isnan(found.p)
        assert list(attrition_to_show(found, 10)) == COLUMNS
    with pytest.raises(CustomerlabError, match="'b' has more known"):
        check_attrition(lost([40, 51], [40, 50]))


def test_losses_of_few_are_not_shown():
    found = check_attrition(lost([997, 880, 0], [1000, 1000, 8]), min_cell=10)
    shown = attrition_to_show(found, 10)
    assert shown["missing"].tolist() == [HIDDEN, 120, HIDDEN]
    assert shown["n"].tolist() == [1000, 1000, "<10"]
    assert "a hardly anyone, b 12 %, c nearly all" in str(found.check.text)


def test_customers_in_several_arms():
    counts = pd.DataFrame({"experiment": ["may", "june"], "n": [1000, 500], "several_arms": [4, 9]})
    found = check_one_arm(counts, weakens=("x.",))
    assert found.check.passed is False
    assert "Customers of june were assigned to more than one arm: 9" in str(found.check.text)
    assert found.table["share"].tolist() == [0.004, 0.018]
    assert found.check.weakens == ("x.",)
    few = check_one_arm(counts.head(1)).check
    assert few.passed is True
    assert "Hardly anyone" in str(few.text)
    none = check_one_arm(counts.assign(several_arms=0)).check
    assert none.passed is True
    assert check_one_arm(counts.head(0)).check.passed is None
    assert list(check_one_arm(counts.head(0)).table) == ONE_ARM
    shown = one_arm_to_show(found, 10)
    assert shown["several_arms"].tolist() == ["<10", "<10"]
    assert shown["share"].tolist() == [HIDDEN, HIDDEN]
    most = one_arm_to_show(check_one_arm(counts.assign(several_arms=495)), 10)
    assert most["several_arms"].tolist() == [500, HIDDEN]


def both(cells):
    return pd.DataFrame(
        [("may", arm, "june", other, n) for arm, other, n in cells],
        columns=["experiment", "arm", "other", "other_arm", "n"],
    )


SHARED = [("call", None, 400), ("call", "mail", 60), ("call", "none", 40)]
SHARED += [("none", None, 390), ("none", "mail", 45), ("none", "none", 65)]


def test_overlaps_are_judged_as_r_does():
    found = check_overlaps(both(SHARED), weakens=("x.",))
    row = found.table.iloc[0]
    assert row["p_value"] == pytest.approx(R["overlap.chisq"], rel=1e-9)
    assert (row["n"], row["also"], row["share"]) == (1000, 210, 0.21)
    assert found.check.passed is True
    assert "most in may and june (210)" in str(found.check.text)


def test_arms_that_go_together_are_caught():
    """The same share of both arms is in the other experiment, but in different arms of it."""
    together = [("call", None, 400), ("call", "mail", 90), ("call", "none", 10)]
    together += [("none", None, 400), ("none", "mail", 10), ("none", "none", 90)]
    found = check_overlaps(both(together), weakens=("x.",))
    assert found.check.passed is False
    assert found.check.weakens == ("x.",)
    assert "The effects of may are mixed with those of june" in str(found.check.text)


def test_independent_draws_raise_no_alarm():
    rng, alarms = np.random.default_rng(8), 0
    for _ in range(100):
        n = rng.multinomial(2000, np.outer([0.5, 0.5], [0.7, 0.2, 0.1]).ravel())
        cells = [(arm, other, k) for (arm, other, _), k in zip(SHARED, n, strict=True)]
        alarms += _independence(both(cells)) < 0.1
    assert scipy.stats.binomtest(int(alarms), 100, 0.1).pvalue > 0.01


def test_overlaps_that_are_small_or_none():
    apart = both([("call", None, 400), ("none", None, 400)])
    check = check_overlaps(apart).check
    assert check.passed is True
    assert "No customer is in two" in str(check.text)
    none = check_overlaps(apart.head(0))
    assert none.check.passed is True
    assert list(none.table) == OVERLAPS
    assert overlaps_to_show(none, 10).empty
    small = check_overlaps(both([("call", None, 400), ("none", None, 400), ("none", "mail", 5)]))
    assert small.check.passed is True
    assert "Hardly anyone" in str(small.check.text)
    tiny = check_overlaps(both([("call", None, 20), ("none", None, 20), ("none", "mail", 3)]))
    assert tiny.check.passed is None
    assert overlaps_to_show(tiny, 10)["also"].tolist() == ["<10"]
    assert overlaps_to_show(tiny, 10)["share"].tolist() == [HIDDEN]
