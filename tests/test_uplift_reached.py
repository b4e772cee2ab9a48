"""The effect on those reached: R's ivreg and t.test, statsmodels, planted truth.

R's numbers come from ``tests/oracles/uplift_parts.R`` (R 4.2.2).
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy
from statsmodels.sandbox.regression.gmm import IV2SLS

from customerlab.errors import CustomerlabError
from customerlab.privacy import HIDDEN
from customerlab.uplift.average import compare_arms
from customerlab.uplift.parts_shown import contact_to_show, reached_to_show
from customerlab.uplift.reached import (
    COLUMNS,
    CONTACT,
    _anderson_rubin,
    check_contact,
    effect_on_reached,
)
from customerlab.uplift.sums import ArmSums

R = pd.read_csv(Path(__file__).parent / "oracles" / "uplift_parts.csv", index_col="name")["value"]


def sums(rows: pd.DataFrame) -> ArmSums:
    values = rows.drop(columns="arm").astype(float)
    k = values.shape[1]
    covariance = values.cov().to_numpy() if len(values) > 1 else np.full((k, k), np.nan)
    return ArmSums(tuple(values), float(len(values)), values.mean().to_numpy(), covariance)


def arms_of(rows: pd.DataFrame) -> dict[str, ArmSums]:
    return {arm: sums(mine) for arm, mine in rows.groupby("arm")}


def as_in_r() -> pd.DataFrame:
    """Return the rows that the R script makes."""
    i = np.arange(210)
    arm = i < 90
    contacted = np.where(arm, i % 4 != 0, i % 15 == 0).astype(int)
    kind = (i * 7) % 5
    amount = np.where(kind < 2 + arm, (i * 37) % 101 + 20 * contacted * (kind == 1) + 1, 0)
    names = np.where(arm, "mail", "none")
    rows = {"arm": names, "contacted": contacted, "amount": amount, "bought": amount > 0}
    return pd.DataFrame(rows)


def test_estimate_and_interval_are_rs():
    rows = as_in_r()
    found = effect_on_reached(arms_of(rows), control="none", outcomes=["amount"]).table.iloc[0]
    assert found["reached_effect"] == pytest.approx(R["tsls"], rel=1e-10)
    assert found["reached_low"] == pytest.approx(R["ar.low"], rel=1e-9)
    assert found["reached_high"] == pytest.approx(R["ar.high"], rel=1e-9)


def test_estimate_is_that_of_two_stage_least_squares():
    rows = as_in_r()
    x, z = (np.column_stack([np.ones(210), v]) for v in (rows["contacted"], rows["arm"] == "mail"))
    want = IV2SLS(rows["bought"].to_numpy(float), x, z).fit().params[1]
    found = effect_on_reached(arms_of(rows), control="none", outcomes=["bought"]).table.iloc[0]
    assert found["reached_effect"] == pytest.approx(want, rel=1e-10)


def test_where_contact_follows_the_draw_it_is_the_effect_on_all():
    rows = as_in_r().assign(contacted=lambda d: (d["arm"] == "mail").astype(int))
    arms = arms_of(rows)
    found = effect_on_reached(arms, control="none", outcomes=["amount"]).table.iloc[0]
    plain = compare_arms(arms, control="none", outcomes=["amount"]).table.iloc[0]
    for name in ("effect", "low", "high"):
        assert found[name] == plain[name]
        assert found[f"reached_{name}"] == pytest.approx(plain[name], rel=1e-10)
    check = check_contact(effect_on_reached(arms, control="none", outcomes=["amount"]))
    assert check.passed is True
    assert "none 0.0 %, mail 100.0 %" in str(check.text)


def trial(rng, n, reach, effect=5.0):
    """Draw sums of a trial in which those who would answer the call differ in what they spend."""
    would, anyway = rng.random(n) < reach, rng.random(n) < 0.03
    arm = np.arange(n) < n // 3
    contacted = np.where(arm, would | anyway, anyway).astype(float)
    spend = rng.gamma(0.7, 30, n) + 25 * would + effect * contacted
    values = np.column_stack([spend, contacted])
    return {
        name: ArmSums(
            ("spend", "contacted"), float(own.sum()), values[own].mean(0), np.cov(values[own].T)
        )
        for name, own in (("none", ~arm), ("call", arm))
    }


@pytest.mark.parametrize("reach", [0.6, 0.06])
def test_interval_covers_the_planted_effect_also_when_few_are_reached(reach):
    """250 draws of 900 customers; with 6 % reached some intervals have no end and so hold all."""
    rng, covered, endless = np.random.default_rng(7), 0, 0
    for _ in range(250):
        arms = trial(rng, 900, reach)
        told = _anderson_rubin([arms["call"], arms["none"]], "call")
        endless += "why_not" in told
        covered += "why_not" in told or told["reached_low"] <= 5 <= told["reached_high"]
    low, high = scipy.stats.binom.ppf([0.0005, 0.9995], 250, 0.95)
    assert low <= covered <= high
    assert (endless == 0) == (reach > 0.1)


def test_nobody_reached_gives_words_and_no_interval():
    rng = np.random.default_rng(2)
    arms = trial(rng, 400, 0.0)
    found = effect_on_reached(arms, control="none", outcomes=["spend"])
    row = found.table.iloc[0]
    assert row["status"] == "not_enough_data"
    assert np.isnan(row["reached_low"])
    assert "contacted more often than the control" in str(found.say("call", "spend"))
    assert not np.isnan(row["low"])  # the effect of all as drawn stays
    same = effect_on_reached(
        {"a": arms["call"], "b": arms["call"]}, control="a", outcomes=["spend"]
    )
    assert "was not contacted more often" in str(same.say("b", "spend"))


def test_words_and_check_tell_what_went_wrong():
    arms = trial(np.random.default_rng(3), 9000, 0.4)
    found = effect_on_reached(arms, control="none", outcomes=["spend"])
    check = check_contact(found, weakens=("uplift_tests.call",))
    assert check.passed is False  # fewer than half of those to be called were reached
    assert check.weakens == ("uplift_tests.call",)
    assert "none 3.0 %, call 43.0 %" in str(check.text)
    assert "moved those whom it reached by" in str(found.say("call", "spend"))
    assert found.table.loc[0, "status"] == "supported"
    assert list(found.table) == COLUMNS
    assert list(found.contact) == CONTACT
    assert found.contact["arm"].tolist() == ["none", "call"]
    with pytest.raises(KeyError):
        found.say("call", "sepnd")


def test_too_few_to_judge_and_names_that_are_not_there():
    rows = as_in_r()
    arms = arms_of(rows)
    few = {"none": arms["none"], "mail": sums(rows[:20])}
    found = effect_on_reached(few, control="none", outcomes=["amount"])
    assert check_contact(found).passed is None
    assert found.table.loc[0, "status"] == "not_enough_data"
    assert "Not enough data" in str(found.say("mail", "amount"))
    for k in (0, 1):
        tiny = few | {"mail": sums(rows[:k])}
        found = effect_on_reached(tiny, control="none", outcomes=["amount"])
        assert "Too few customers in mail" in str(found.say("mail", "amount"))
        assert check_contact(found).passed is None
    alone = effect_on_reached({"none": arms["none"]}, control="none", outcomes=["amount"])
    assert list(alone.table) == COLUMNS
    assert check_contact(alone).passed is None
    assert list(reached_to_show(alone.table, 10))[:3] == ["arm", "outcome", "n"]
    with pytest.raises(CustomerlabError, match='did you mean "contacted"'):
        effect_on_reached(arms, control="none", outcomes=["amount"], contacted="contact")
    with pytest.raises(CustomerlabError, match="must be 0 or 1"):
        effect_on_reached(arms, control="none", outcomes=["bought"], contacted="amount")
    fixed = {name: sums(mine.assign(amount=3)) for name, mine in rows.groupby("arm")}
    same = effect_on_reached(fixed, control="none", outcomes=["amount"])
    assert "the same for all" in str(same.say("mail", "amount"))


def test_shares_of_few_customers_are_not_shown():
    rows = as_in_r()  # 8 of the 120 controls were contacted
    found = effect_on_reached(arms_of(rows), control="none", outcomes=["amount", "bought"])
    shown = contact_to_show(found.contact, 10)
    assert shown["contacted"].tolist() == [HIDDEN, 0.74]
    assert shown["n"].tolist() == [120, 90]
    assert "none hardly anyone, mail 74 %" in str(check_contact(found, min_cell=10).text)
    assert "reached" not in reached_to_show(found.table, 10)
    assert (reached_to_show(found.table, 10)["reached_effect"] != HIDDEN).all()
    # fewer than 75 were reached, so what it did to them is not told
    assert (reached_to_show(found.table, 75)["reached_effect"] == HIDDEN).all()
    assert "not shown" in str(found.say("mail", "amount", min_cell=75))
