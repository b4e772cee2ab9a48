"""What goes with buying again beside the factors: influences, segments, a second regression."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import ibis
import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from test_skill import moments_of_rows

from customerlab import drivers
from customerlab.drivers.combined import resampled
from customerlab.drivers.effects import change_by
from customerlab.drivers.importance import change_finding
from customerlab.drivers.influences import judge_influences
from customerlab.drivers.logistic import check_logistic
from customerlab.drivers.moments import deal_bags
from customerlab.drivers.observing import SEGMENT, Asked, behaviour_of, observe_answers
from customerlab.errors import CustomerlabError
from customerlab.messages import say
from customerlab.params import check_params

FACTORS = {"good": ["a1", "a2", "a3"], "quick": ["b1", "b2", "b3"]}
ITEMS = [item for items in FACTORS.values() for item in items]


def behaviour(rows: int, seed: int) -> pd.DataFrame:
    """Return customers whose discounts lower the price paid, and what they do."""
    rng = np.random.default_rng(seed)
    discount, others, recency = rng.normal(size=(3, rows))
    return pd.DataFrame(
        {
            "customer_id": np.arange(rows),
            "discount_share": discount,
            "price_paid": -discount + 0.2 * rng.normal(size=rows),
            "others_rating": np.where(rng.random(rows) < 0.4, np.nan, others),
            "recency_days": recency,
            "bought_again": (0.5 * discount - recency + rng.logistic(size=rows) > 0).astype(float),
        }
    )


def asked_of(frame: pd.DataFrame, items: list[str], *, segments: tuple[str, ...] = ()) -> Asked:
    table = deal_bags(ibis.memtable(frame), (), seed=1, key="customer_id")
    controls = tuple({"recency_days"} & set(frame))
    told = say("told")
    return Asked(table, tuple(items), "bought_again", controls, None, told, (), segments)


def answers(rows: int, seed: int) -> pd.DataFrame:
    """Return answers 1 to 5; in the north the first factor drives repurchase, else the second."""
    rng = np.random.default_rng(seed)
    factors = rng.multivariate_normal(np.zeros(2), [[1, 0.3], [0.3, 1]], size=rows)
    loadings = np.array([0.8, 0.75, 0.7])
    latent = np.repeat(factors, 3, axis=1) * np.tile(loadings, 2)
    latent += rng.normal(size=(rows, 6)) * np.sqrt(1 - np.tile(loadings, 2) ** 2)
    north = rng.random(rows) < 0.5
    pull = np.where(north, factors[:, 0], factors[:, 1])
    frame = pd.DataFrame(np.clip(np.round(3 + latent), 1, 5), columns=ITEMS)
    bought = (pull + rng.logistic(size=rows) > 0).astype(float)
    frame = frame.assign(bought_again=bought, customer_id=np.arange(rows))
    return frame.assign(**{SEGMENT: np.where(north, "north", "south")})


def chain(asked: Asked) -> tuple:
    """Return what notebook 05 has made before it asks for segments."""
    rng = np.random.default_rng(1)
    found = asked.correlations()
    fitted = drivers.fit_factors(
        found.matrix, found.n, found.items, 2, resamples=found.resamples(rng, 100)
    )
    scored = drivers.score_factors(asked.moments(found), fitted, found)
    skill = drivers.judge_skill(scored.scores, fitted.names, "bought_again", rng=rng)
    weights = drivers.weigh_drivers(
        scored.behind, fitted.names, "bought_again", skill=skill, rng=rng
    )
    return found, fitted, weights


# --- changes of the outcome


def test_changes_are_those_of_least_squares():
    frame = behaviour(400, 1).drop(columns=["customer_id"]).fillna(0)
    frame = frame.assign(flat=1.0)
    frame["twin"] = frame["recency_days"] * 2
    asked, controls = ["discount_share", "others_rating", "flat"], ["recency_days"]
    drawn = resampled(moments_of_rows(frame), np.random.default_rng(1), 60)
    got = change_by(drawn, asked, "bought_again", controls).set_index("driver")
    x = sm.add_constant(frame[["discount_share", "others_rating", "recency_days"]])
    plain = sm.OLS(frame["bought_again"], x).fit()
    for one in asked[:2]:
        expected = plain.params[one] * frame[one].std()
        assert got.loc[one, "effect"] == pytest.approx(expected, abs=1e-10)
        # the spread of 60 resamples is known to a tenth: three of these
        spread = (got.loc[one, "high"] - got.loc[one, "low"]) / (2 * 1.96)
        assert spread == pytest.approx(plain.HC0_se[one] * frame[one].std(), rel=0.35)
    assert got.loc["flat"].isna().all()
    both = change_by(drawn, ["recency_days", "twin"], "bought_again")
    assert both[["effect", "low", "high"]].isna().all(axis=None)  # neither can be told apart


# --- influences


def test_a_discount_is_not_held_against_the_price_that_it_lowers():
    frame = behaviour(3000, 2)
    items = ["price_paid", "discount_share", "others_rating"]
    got = judge_influences(asked_of(frame, items), rng=np.random.default_rng(1))
    assert got["item"].tolist() == ["discount_share", "others_rating"]
    assert got["n"].tolist() == [3000, frame["others_rating"].count()]
    promotion, review = drivers.influence_findings(got)
    assert promotion.id == "repurchase_drivers.promotion_influence"
    assert promotion.status == "supported" and promotion.low > 0
    assert "goes with more buying again" in str(promotion.text)
    x = sm.add_constant(frame[["discount_share", "recency_days"]])
    plain = sm.OLS(frame["bought_again"], x).fit().params["discount_share"]
    # others' ratings have no part in it, and hardly change it
    expected = plain * frame["discount_share"].std()
    assert promotion.value == pytest.approx(expected, abs=0.002)
    assert review.status == "weak" and review.low < 0 < review.high
    assert "Nothing sure about" in str(review.text)
    less = judge_influences(
        asked_of(frame.assign(discount_share=-frame["discount_share"]), items),
        rng=np.random.default_rng(1),
    )
    turned, _ = drivers.influence_findings(less)
    assert "goes with less buying again" in str(turned.text)
    assert turned.value == pytest.approx(-promotion.value)


def test_what_the_tables_do_not_tell_is_said():
    assert judge_influences(None, rng=np.random.default_rng(1)).empty
    for told in (
        judge_influences(None, rng=np.random.default_rng(1)),
        judge_influences(asked_of(behaviour(200, 1), ["price_paid"]), rng=np.random.default_rng(1)),
    ):
        found = drivers.influence_findings(told)
        assert [one.status for one in found] == ["not_enough_data"] * 2
        assert drivers.influences_to_show(told, 10).empty
    few = behaviour(200, 1).assign(others_rating=lambda t: t["others_rating"].where(t.index < 12))
    got = judge_influences(
        asked_of(few, ["discount_share", "others_rating"]), rng=np.random.default_rng(1)
    )
    shown = drivers.influences_to_show(got, 10)
    assert len(shown) == 1 and list(shown) == ["item", "effect_points", "low", "high"]


# --- segments


def test_segments_have_weights_of_their_own():
    frame = answers(4000, 3)
    asked = asked_of(frame, ITEMS, segments=("north", "south"))
    found, fitted, weights = chain(asked)
    segments = drivers.weigh_segments(asked, found, fitted, rng=np.random.default_rng(1))
    assert list(segments) == ["north", "south"]
    leading = {
        name: ITEMS[int(np.abs(fitted.pattern[:, at]).argmax())][0]
        for at, name in enumerate(fitted.names)
    }
    for segment, one in (("north", "a"), ("south", "b")):
        table = segments[segment][0].table.set_index("driver").rename(leading)
        assert table.loc[one, "rank"] == 1 and table.loc[one, "low"] > 0.8
    where = drivers.map_importance(
        weights, {"F1": 40.0, "F2": 60.0}, segments=segments, names={"F1": "one", "F2": "two"}
    )
    assert set(where.table["segment"]) == {""}  # behaviour has no ratings, so none is placed
    assert change_finding(where).id == "repurchase_drivers.to_change"


def test_a_segment_that_is_no_column_is_refused():
    frame = answers(100, 1).drop(columns=SEGMENT)
    params = check_params(
        {
            "client": "x",
            "snapshot": dt.date(2025, 12, 31),
            "repurchase_drivers": {"outcome": "bought_again", "segment": "regoin"},
        },
        "here",
    )
    customers = pd.DataFrame({"customer_id": np.arange(100), "region": ["north", "south"] * 50})
    tables = {"survey": ibis.memtable(frame), "customers": ibis.memtable(customers)}
    with pytest.raises(CustomerlabError, match=r"regoin.*region"):
        observe_answers(tables, params, lambda table: table)
    section = params.repurchase_drivers.model_copy(update={"segment": "region"})
    right = params.model_copy(update={"repurchase_drivers": section})
    asked = observe_answers(tables, right, lambda table: table.cache())
    assert asked.segments == ("north", "south")
    assert behaviour_of(asked, tables, right, lambda table: table) is None


# --- a second regression


def test_a_logistic_regression_on_scores_agrees():
    asked = asked_of(answers(3000, 5), ITEMS)
    found, fitted, weights = chain(asked)
    (check,) = check_logistic(asked, found, fitted, weights)
    assert check.passed and "2 of 2 drivers agree" in str(check.text)
    amount = replace(weights, skill=replace(weights.skill, binary=False))
    assert check_logistic(asked, found, fitted, amount) == ()
