"""Weights of drivers against R, a count over all subsets and orders of rows, and planted truth."""

from __future__ import annotations

import time
from dataclasses import replace
from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT
from test_skill import moments_of_rows, planted

from customerlab.drivers.combined import combined, resampled
from customerlab.drivers.importance import (
    QUADRANT_NAMES,
    map_importance,
    map_to_show,
    measure_performance,
)
from customerlab.drivers.logistic import check_effects, logistic_effects
from customerlab.drivers.moments import draw_bags
from customerlab.drivers.shapley import split_by_lot, split_explained
from customerlab.drivers.skill import judge_skill
from customerlab.drivers.weight_answers import weight_findings, weights_to_show
from customerlab.drivers.weights import weigh_drivers
from customerlab.messages import Message

ORACLES = ROOT / "tests" / "oracles"


def weighed(frame, drivers, outcome="y", controls=(), *, seed=0, resamples=200):
    whole, rng = moments_of_rows(frame), np.random.default_rng(seed)
    skill = judge_skill(whole, drivers, outcome, controls, rng=rng)
    drawn = resampled(whole, rng, resamples)
    return weigh_drivers(drawn, drivers, outcome, controls, skill=skill, rng=rng)


def plain_shares(frame, drivers, outcome, controls=()):
    """Return what each driver adds to R2, averaged over every order, each fitted by lstsq."""
    y = frame[outcome] - frame[outcome].mean()

    def r2(names):
        x = np.column_stack([np.ones(len(frame)), frame[[*controls, *names]]])
        left = y - x @ np.linalg.lstsq(x, y, rcond=None)[0]
        return 1 - (left @ left) / (y @ y)

    added = dict.fromkeys(drivers, 0.0)
    orders = list(permutations(drivers))
    for order in orders:
        for place, one in enumerate(order):
            more = r2(sorted(order[: place + 1])) - r2(sorted(order[:place]))
            added[one] += more / len(orders)
    return added


@pytest.fixture(scope="module")
def swiss():
    return pd.read_csv(ORACLES / "swiss.csv")


@pytest.fixture(scope="module")
def r_numbers():
    return pd.read_csv(ORACLES / "lmg.csv").set_index("name")["value"]


def test_shares_are_those_of_r(swiss, r_numbers):
    drivers = list(swiss.columns[1:-1])
    got = weighed(swiss, drivers, "Fertility")
    table = got.table.set_index("driver")
    for one in drivers:
        assert table.loc[one, "weight"] * got.explained == pytest.approx(
            r_numbers[f"lmg.{one}"], abs=1e-9
        )
        assert table.loc[one, "effect"] == pytest.approx(r_numbers[f"effect.{one}"], abs=1e-8)
    assert got.explained == pytest.approx(r_numbers["r.squared"], abs=1e-10)
    # Grömping (2006), J. Stat. Softw. 17(1), the same data: lmg to four digits
    published = {"Agriculture": 0.0571, "Examination": 0.1712, "Education": 0.2601}
    published |= {"Catholic": 0.1056, "Infant.Mortality": 0.1128}
    assert (table["weight"] * got.explained).round(4).to_dict() == published


def test_controls_come_first_as_in_r(swiss, r_numbers):
    drivers = [name for name in swiss.columns[1:-1] if name != "Catholic"]
    got = weighed(swiss, drivers, "Fertility", ["Catholic"])
    for row in got.table.itertuples():
        assert row.weight * got.explained == pytest.approx(
            r_numbers[f"after.Catholic.{row.driver}"], abs=1e-9
        )
    assert "What the controls explain is taken out before." in str(got.text)


@pytest.mark.parametrize("kind", ["plain", "repeated", "sum", "flat"])
def test_shares_are_a_count_over_all_orders(kind):
    rng = np.random.default_rng(3)
    frame = planted(120, [0.6, 0.3, -0.3, 0.1], rng)
    if kind == "repeated":
        frame["x3"] = 4 - 2 * frame["x0"]
    if kind == "sum":
        frame["x3"] = frame["x0"] + frame["x1"]
    drivers, controls = ["x0", "x1", "x3"], ["x2"]
    got = weighed(
        frame.assign(flat=0.1), [*drivers, "flat"] if kind == "flat" else drivers, controls=controls
    )
    plain = plain_shares(frame, drivers, "y", controls)
    for row in got.table.itertuples():
        assert row.weight * got.explained == pytest.approx(plain[row.driver], abs=1e-9)
    assert got.table["weight"].sum() == pytest.approx(1)
    assert got.left_out == (("flat",) if kind == "flat" else ())
    expected = {"repeated": ("x0", "x3"), "sum": ("x0", "x1", "x3")}
    assert got.alike == expected.get(kind, ())
    assert got.table.loc[got.table["driver"].isin(got.alike), "effect"].isna().all()
    known = got.table[~got.table["driver"].isin(got.alike)]
    x = np.column_stack([np.ones(120), frame[["x2", *drivers]]])
    b = dict(zip(["x2", *drivers], np.linalg.lstsq(x, frame["y"], rcond=None)[0][1:], strict=True))
    for row in known.itertuples():
        assert row.effect == pytest.approx(b[row.driver] * frame[row.driver].std())


def test_the_mobile_survey_by_orders_of_rows(shared_data):
    frame = pd.read_csv(shared_data / "mobi" / "mobi.csv")
    drivers = ["PERQ1", "PERQ2", "PERV1", "CUSA1", "IMAG1"]
    got = weighed(frame, drivers, "CUSL1", ["CUEX1"])
    plain = plain_shares(frame, drivers, "CUSL1", ["CUEX1"])
    for row in got.table.itertuples():
        assert row.weight * got.explained == pytest.approx(plain[row.driver], abs=1e-9)


def test_resamples_are_those_of_rows():
    """Weights of a resample of bags are the weights of the rows drawn."""
    frame = planted(300, [0.6, 0.3, 0.2], np.random.default_rng(8))
    drivers, whole = ["x0", "x1", "x2"], moments_of_rows(frame)
    skill = judge_skill(whole, drivers, "y", rng=np.random.default_rng(1))
    drawn = resampled(whole, np.random.default_rng(5), 40)
    got = weigh_drivers(drawn, drivers, "y", skill=skill, rng=np.random.default_rng(5))
    got = got.table.set_index("driver")
    rng = np.random.default_rng(5)
    times = [draw_bags(300, rng) for _ in range(40)]
    rows = []
    for one in times:
        drawn = frame.loc[np.repeat(frame.index, one)]
        shares = pd.Series(plain_shares(drawn, drivers, "y"))
        rows.append(shares / shares.sum())
    rows = pd.DataFrame(rows)
    np.testing.assert_allclose(got["low"][drivers], rows.quantile(0.025)[drivers], atol=1e-9)
    np.testing.assert_allclose(got["high"][drivers], rows.quantile(0.975)[drivers], atol=1e-9)
    ranks = rows.rank(axis=1, ascending=False)
    for one in drivers:
        assert got.loc[one, "rank_share"] == (ranks[one] == got.loc[one, "rank"]).mean()


def truth_of(coefficients):
    """Return planted shares: those of the covariances the rows are drawn from."""
    k = len(coefficients)
    cov = np.full((k, k), 0.3) + 0.7 * np.eye(k)
    xy = cov @ coefficients
    whole = np.block([[cov, xy[:, None]], [xy[None], np.atleast_2d(coefficients @ xy + 1)]])
    added = split_explained(whole[None])[0]
    return added / added.sum()


def test_intervals_cover_planted_weights_and_effects():
    """100 tables, 3 drivers. At 95 % fewer than 87 of 100 intervals come 1 in 1000 times."""
    coefficients = np.array([0.6, 0.4, 0.2])
    truth, drivers = truth_of(coefficients), ["x0", "x1", "x2"]
    covered, effects = np.zeros(3), np.zeros(3)
    for seed in range(100):
        frame = planted(300, coefficients, np.random.default_rng(seed))
        table = weighed(frame, drivers, seed=seed).table.set_index("driver").loc[drivers]
        covered += (table["low"] <= truth) & (truth <= table["high"])
        effects += (table["effect_low"] <= coefficients) & (coefficients <= table["effect_high"])
    assert covered.min() >= 87
    assert effects.min() >= 87


def test_orders_by_lot_find_the_same_within_their_error():
    rng = np.random.default_rng(2)
    x = rng.normal(size=(400, 10)) @ rng.normal(size=(10, 10))
    cov = np.cov(np.column_stack([x, x @ rng.normal(size=10) + rng.normal(size=400)]).T)
    exact, drawn = split_explained(cov[None])[0], split_by_lot(cov, 2000, rng)
    error = drawn.std(axis=0, ddof=1) / np.sqrt(2000)
    assert (np.abs(drawn.mean(axis=0) - exact) < 4.5 * error).all()
    assert drawn.sum(axis=1) == pytest.approx(exact.sum())  # every order explains the same


def test_twenty_drivers_tell_the_error_of_the_lot():
    frame = planted(600, np.linspace(0.5, 0.02, 20), np.random.default_rng(2))
    got = weighed(frame, [f"x{i}" for i in range(20)], resamples=5)
    assert 0 < got.error < 0.02
    assert "by lot, which leaves an error of up to" in str(got.text)
    assert got.table["weight"].sum() == pytest.approx(1)


def test_fifteen_drivers_take_seconds_and_one_has_a_hand_count():
    cov = np.eye(16)[None].repeat(20, axis=0)
    cov[:, -1, :-1] = cov[:, :-1, -1] = np.linspace(0.01, 0.2, 15)
    cov[:, -1, -1] = 2
    start = time.perf_counter()
    got = split_explained(cov)
    assert time.perf_counter() - start < 10
    np.testing.assert_allclose(got[7], np.linspace(0.01, 0.2, 15) ** 2, rtol=1e-9)
    # two drivers by hand: alone 0.25 and 0.16; together (0.25 + 0.16 - 2 x 0.5 x 0.4 x 0.5) / 0.75
    two = np.array([[1, 0.5, 0.5], [0.5, 1, 0.4], [0.5, 0.4, 1]])[None]
    both = 0.21 / 0.75
    expected = [(0.25 + both - 0.16) / 2, (0.16 + both - 0.25) / 2]
    np.testing.assert_allclose(split_explained(two)[0], expected)
    assert split_explained(np.array([[[2.0, 1.0], [1.0, 3.0]]])).tolist() == [[0.5]]


def test_findings_say_weight_interval_and_rank():
    frame = planted(1500, [0.6, 0.3, 0.1], np.random.default_rng(1), binary=True)
    got = weighed(frame, ["x0", "x1", "x2"])
    top, *each = weight_findings(got, {"x0": "Delivery"})
    assert top.id == "repurchase_drivers.top_driver" and top.status == "supported"
    assert str(top.text).startswith("“Delivery” goes with repurchase most: it carries 6")
    assert [one.id for one in each] == [f"repurchase_drivers.weight.x{i}" for i in range(3)]
    assert "first in 100 % of resamples (association)" in str(each[0].text)
    assert "number 2 in" in str(each[1].text)
    assert each[0].low <= each[0].value <= each[0].high and each[0].unit == "percent"
    shown = weights_to_show(got, {"x0": "Delivery"})
    assert shown["driver"].tolist() == ["Delivery", "x1", "x2"] and shown["binary"].all()


def test_drivers_of_equal_weight_have_no_first():
    frame = planted(400, [0.4, 0.4], np.random.default_rng(1))
    top = weight_findings(weighed(frame, ["x0", "x1"]))[0]
    assert top.status == "weak"
    assert "No driver is surely first" in str(top.text) and "x0 (" in str(top.text)


def test_without_skill_there_are_no_weights():
    frame = planted(300, [0.0, 0.0], np.random.default_rng(1))
    got = weighed(frame, ["x0", "x1"])
    assert got.table.empty and got.ranks.empty
    assert list(got.table.columns)[:3] == ["driver", "weight", "low"]
    assert "So no weights are given." in str(got.text)
    (only,) = weight_findings(got)
    assert only.status == "weak" and only.value is None
    assert weights_to_show(got).empty
    none = weighed(frame.assign(y=1.0), ["x0", "x1"])
    assert weight_findings(none)[0].status == "not_enough_data"
    assert map_importance(none, {"x0": 50.0}).table.empty
    assert check_effects(none, None).passed is None


def test_weights_of_scores_are_those_of_rows_scores():
    frame = planted(500, [0.6, 0.3, 0.3, 0.1], np.random.default_rng(4))
    items, maps = [f"x{i}" for i in range(4)], np.array([[1, 0], [0.5, 0], [0, 2], [0.2, 1]])
    scores = pd.DataFrame(frame[items].to_numpy() @ maps, columns=["f", "g"]).assign(y=frame["y"])
    made = combined(moments_of_rows(frame), ["f", "g"], maps, keep=["y"])
    skill = judge_skill(made, ["f", "g"], "y", rng=np.random.default_rng(1))
    drawn = resampled(made, np.random.default_rng(1), 40)
    got = weigh_drivers(drawn, ["f", "g"], "y", skill=skill, rng=np.random.default_rng(1))
    plain = plain_shares(scores, ["f", "g"], "y")
    for row in got.table.itertuples():
        assert row.weight * got.explained == pytest.approx(plain[row.driver], abs=1e-9)


def test_the_logistic_regression_is_that_of_r_and_agrees(swiss, r_numbers):
    drivers = ["Agriculture", "Education", "Infant.Mortality"]
    got = logistic_effects(swiss, drivers, "high")
    for row in got.itertuples():
        assert row.effect == pytest.approx(r_numbers[f"logistic.{row.driver}"], abs=1e-7)
    frame = planted(2000, [0.6, 0.3], np.random.default_rng(1), binary=True).round(1)
    both = weighed(frame, ["x0", "x1"])
    rows = logistic_effects(frame, ["x0"], "y", ["x1"])
    cells = frame.groupby(["x0", "x1", "y"], as_index=False).size()
    counted = logistic_effects(cells, ["x0"], "y", ["x1"], count="size")
    assert rows["effect"][0] == pytest.approx(counted["effect"][0], abs=1e-10)
    check = check_effects(both, logistic_effects(frame, ["x0", "x1"], "y"))
    assert check.passed and "2 of 2 drivers agree" in str(check.text)
    wrong = pd.DataFrame({"driver": ["x0", "x1"], "effect": [0.5, 0.1]})
    assert check_effects(both, wrong).passed is False


def test_classes_that_a_driver_parts_have_no_logistic_regression():
    frame = pd.DataFrame({"x": np.arange(40.0), "y": [0.0] * 20 + [1.0] * 20})
    assert logistic_effects(frame, ["x"], "y") is None
    assert logistic_effects(frame.assign(y=1.0), ["x"], "y") is None
    assert logistic_effects(frame.iloc[:2], ["x"], "y") is None


@pytest.fixture(scope="module")
def four():
    """Four drivers; the third goes with less of the outcome."""
    frame = planted(1500, [0.7, 0.5, -0.6, 0.2], np.random.default_rng(3))
    return weighed(frame, [f"x{i}" for i in range(4)])


def test_the_map_names_quadrants_and_what_to_do(four):
    # weights about 0.5, 0.24, 0.17 and 0.09: the first lies above the mean of 0.25
    got = map_importance(four, {"x0": 40.0, "x1": 60.0, "x2": 70.0, "x3": 20.0})
    assert (got.split_weight, got.split_performance) == (pytest.approx(0.25), 47.5)
    quadrants = got.table.set_index("driver")["quadrant"].to_dict()
    much = four.table.set_index("driver")["weight"] >= 0.25
    words = {(True, False): "concentrate_here", (True, True): "keep_up"}
    words |= {(False, True): "possible_overkill", (False, False): "low_priority"}
    well = {"x0": False, "x1": True, "x2": True, "x3": False}
    assert quadrants == {x: words[(bool(much[x]), well[x])] for x in well}
    assert quadrants["x0"] == "concentrate_here"
    assert "To change in the product or its position: x0 (" in str(got.text)
    assert str(got.text).endswith("a trial shows whether a change works.")
    directions = got.table.set_index("driver")["direction"].to_dict()
    assert directions == {"x0": "more", "x1": "more", "x2": "less", "x3": "more"}
    assert "goes with less of the outcome, all else alike: x2." in str(got.text)
    shown = map_to_show(got, {"x0": "Delivery"})
    assert shown["driver"][0] == "Delivery" and isinstance(shown["quadrant"][0], Message)
    assert set(QUADRANT_NAMES) == set(words.values())


def test_what_surely_helps_nothing_is_not_advised(four):
    table = four.table.assign(effect_low=-0.1, effect_high=0.1)
    unsure = replace(four, table=table)
    got = map_importance(unsure, {"x0": 10.0, "x1": 60.0})
    assert got.table["direction"].tolist() == ["unsure", "unsure"]
    assert "it is not sure in which direction: x0." in str(got.text)
    assert "To change" not in str(got.text)


def test_segments_are_placed_by_the_means_of_all(four):
    whole = {"x0": 40.0, "x1": 60.0, "x2": 70.0, "x3": 20.0}
    women = dict.fromkeys(whole, 90.0)
    got = map_importance(four, whole, segments={"women": (four, women)})
    part = got.table[got.table["segment"] == "women"]
    assert len(part) == 4 and part["quadrant"].isin(["keep_up", "possible_overkill"]).all()
    assert got.table["segment"].unique().tolist() == ["", "women"]


def test_performance_is_the_mean_on_the_scale():
    frame = pd.DataFrame({"a": [1, 5, 5, 5], "b": [2, 2, 2, np.nan], "c": [np.nan] * 4})
    made_of = {
        "one": {"a": 1.0},
        "two": {"a": 0.5, "b": 1.5},
        "turned": {"b": -1.0},
        "none": {"c": 1.0},
        "partly": {"a": 2.0, "c": 1.0},
    }
    got = measure_performance(moments_of_rows(frame), made_of, (1, 5))
    # a: (4 - 1) / 4 = 75; b: 25
    assert got.pop("none") != got.get("none")
    assert got == pytest.approx({"one": 75, "two": 37.5, "turned": 75, "partly": 75})
