"""The retention cube, what keeping is worth, whom to approach: against pandas and by hand."""

from __future__ import annotations

import datetime as dt

import ibis
import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from customerlab.churn.forecast import Forecast, score_name
from customerlab.churn.hazard import Z
from customerlab.churn.observing import observe_stays
from customerlab.exits import exit_name
from customerlab.findings import Finding
from customerlab.messages import ENGLISH, Words, say
from customerlab.params import Params
from customerlab.plots.cube import retention_map
from customerlab.retention.actions import COLUMNS as ACTION_COLUMNS
from customerlab.retention.actions import propose_keeping, say_proposed
from customerlab.retention.contacts import contact_effects
from customerlab.retention.cube import (
    ANY,
    COLUMNS,
    build_cube,
    cube_to_draw,
    cube_to_show,
    name_highest,
)
from customerlab.retention.groups import Group
from customerlab.retention.looking import search_groups, watch_contacts, watch_stages
from customerlab.retention.questions import Questions, answer_questions
from customerlab.retention.worth import say_worth, weigh_keeping, worth_to_show

EXITS = ("closed", "inactive")
FOUND = Group((("gender", "female"), ("payroll", "moved")))


def people(seed: int = 1, n: int = 2000) -> pd.DataFrame:
    """Return customers with known chances, one row each."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "customer_id": [f"{i:05d}" for i in range(n)],
            "gender": rng.choice(["female", "male"], n),
            "payroll": rng.choice(["running", "moved", "none"], n, p=[0.5, 0.2, 0.3]),
            "region": rng.choice(["n", "s", "unknown"], n, p=[0.6, 0.39, 0.01]),
            "still_here": rng.choice([1.0, 0.5], n, p=[0.8, 0.2]),
            "assets": rng.integers(0, 100, n) * 100.0,
        }
    )
    log = 0.5 * (frame["gender"] == "female") + 1.2 * (frame["payroll"] == "moved")
    for horizon in (3, 5):
        left = 1 - np.exp(-0.01 * horizon * np.exp(log))
        frame[score_name(horizon, "closed")] = 0.4 * left
        frame[score_name(horizon, "inactive")] = 0.6 * left
        frame[score_name(horizon)] = left
    frame["reason_1"] = np.where(
        frame["payroll"] == "moved",
        "payroll=moved",
        np.where(frame["gender"] == "female", "gender=female", None),
    )
    return frame


def scores_of(frame: pd.DataFrame, columns: list[str]) -> ibis.Table:
    texts = dict.fromkeys(["customer_id", "reason_1"], "string")
    return ibis.memtable(frame[columns], schema=dict.fromkeys(columns, "float64") | texts)


def forecast_of(frame: pd.DataFrame) -> Forecast:
    """Return what the engine and the model would make of them; one coefficient moves all."""
    scores = [name for name in frame if "_within_" in name]
    keys = ["gender", "payroll", "region", "still_here", *scores, "reason_1"]
    known = frame.assign(assets=frame["assets"] * frame["still_here"], n=1)
    cells = known.groupby(keys, as_index=False, dropna=False)[["n", "assets"]].sum()
    cells["here"] = cells["n"] * cells["still_here"]
    slopes = {name: (cells[name] * (1 - cells[name])).to_numpy()[:, None] for name in scores}
    horizons = tuple(sorted({int(name.split("_")[-2]) for name in scores}))
    exits = EXITS if any("closed" in name for name in scores) else ("left",)
    columns = ["customer_id", "still_here", *scores, "reason_1"]
    scores = scores_of(frame, columns)
    return Forecast(horizons, exits, scores, cells, np.array([[0.0025]]), slopes)


@pytest.fixture(scope="module")
def frame():
    return people()


@pytest.fixture(scope="module")
def expected(frame):
    return forecast_of(frame)


@pytest.fixture(scope="module")
def judged():
    """Return what was observed at two landmarks, in counts."""
    rows = [
        (mark, horizon, gender, payroll, 200, left)
        for mark, add in ((dt.date(2025, 1, 1), 0), (dt.date(2025, 4, 1), 8))
        for horizon in (3, 5)
        for gender in ("female", "male")
        for payroll, left in (("moved", 30 + add), ("running", 6 + add), ("none", 0))
    ]
    return pd.DataFrame(
        rows, columns=["landmark", "horizon_months", "gender", "payroll", "n", "events"]
    )


FEATURES = ["gender", "payroll", "region"]


@pytest.fixture(scope="module")
def cube(expected, judged):
    return build_cube(expected, "supported", FEATURES, [FOUND], judged)


# --- the cube


def rows_of(frame: pd.DataFrame, group: str) -> pd.DataFrame:
    """Return the customers of a group by the words it has in the cube."""
    chosen = {
        "all customers": frame.index >= 0,
        "“gender: women”": frame["gender"] == "female",
        "“gender: men”": frame["gender"] == "male",
        "“payroll: paid through us last month”": frame["payroll"] == "running",
        "“payroll: never paid through us”": frame["payroll"] == "none",
        "“payroll: no longer paid through us”": frame["payroll"] == "moved",
        "“region: n”": frame["region"] == "n",
        "“region: s”": frame["region"] == "s",
        "“gender: women” and “payroll: no longer paid through us”": (
            (frame["gender"] == "female") & (frame["payroll"] == "moved")
        ),
    }
    return frame[chosen[group]]


def test_the_cube_is_plain_pandas_of_the_scores(cube, frame):
    table = cube.table
    assert [*table.columns] == [COLUMNS[0], "found", *COLUMNS[1:]]
    assert len(table) == 9 * 2 * 3  # groups, horizons, exits
    exits = table["exit"].map(str)
    assert exits.nunique() == 3 and str(ANY) in set(exits)
    seen = 0
    for row in table.itertuples():
        mine = rows_of(frame, str(row.group))
        if str(row.exit) == str(ANY):
            name = score_name(row.horizon_months)
        else:
            own = next(e for e in EXITS if str(row.exit) == str(exit_name(e)))
            name = score_name(row.horizon_months, own)
            seen += 1
        here, leave = mine["still_here"], mine[name] * mine["still_here"]
        assert row.customers == len(mine)
        assert row.expected == pytest.approx(leave.sum())
        assert row.retention_rate == pytest.approx(1 - leave.sum() / here.sum())
        assert row.assets_at_stake == pytest.approx((leave * mine["assets"]).sum())
        reasons = leave.groupby(mine["reason_1"]).sum()
        word = {"payroll=moved": "payroll: no longer paid through us"}
        top = word.get(reasons.idxmax(), "gender: women") if len(reasons) else "none stands out"
        assert str(row.main_reason) == top
        assert row.found == (" and " in str(row.group))
        # one coefficient: the error of the expected leavers is the sum of the slopes times its own
        slope = (mine[name] * (1 - mine[name]) * here).sum() * 0.05 / here.sum()
        assert row.rate_high - row.retention_rate == pytest.approx(Z * slope)
        assert row.retention_rate - row.rate_low == pytest.approx(Z * slope)
    assert seen == 9 * 2 * 2


def test_change_is_against_the_last_landmark(cube, judged):
    """Against Newcombe's interval where the model is certain, by statsmodels."""
    table = cube.table[cube.table["exit"].map(str) == str(ANY)]
    last = judged[judged["landmark"] == dt.date(2025, 4, 1)]
    for row in table.itertuples():
        then = last[last["horizon_months"] == row.horizon_months]
        if "region" in str(row.group):
            assert np.isnan([row.change, row.change_low, row.change_high]).all()
            continue
        then = rows_of(then.assign(region="n"), str(row.group))
        share = then["events"].sum() / then["n"].sum()
        assert row.change == pytest.approx(share - (1 - row.retention_rate))
        assert row.change_low < row.change < row.change_high
    others = cube.table[cube.table["exit"].map(str) != str(ANY)]
    assert others["change"].isna().all()


def test_the_interval_of_the_change_is_newcombes(judged):
    """With a model as sure as a Wilson interval of a count, it is the method of statsmodels."""
    part = judged[judged["horizon_months"] == 3].assign(n=40, events=[0, 3] * 6)

    class Sure:
        horizons, exits, cells = (3,), ("left",), forecast_of(people()).cells

        def expected(self, exit_=None, where=None):
            low, high = proportion_confint(9, 300, method="wilson")
            row = {"horizon_months": 3, "customers": 300, "expected": 9.0, "low": 0, "high": 9}
            row |= {"share": 0.03, "share_low": low, "share_high": high}
            return pd.DataFrame([row])

    table = build_cube(Sure(), "supported", ["gender"], [], part).table
    last = part[part["landmark"] == dt.date(2025, 4, 1)]
    for row, mine in ((table.iloc[0], last), (table.iloc[1], last[last["gender"] == "female"])):
        left, n = int(mine["events"].sum()), int(mine["n"].sum())
        low, high = confint_proportions_2indep(left, n, 9, 300, method="newcomb")
        assert (row["change_low"], row["change_high"]) == pytest.approx((low, high))


def test_the_cube_rounds_what_it_shows(cube, expected):
    shown = cube_to_show(cube, 10)
    assert len(shown) == len(cube.table) and (shown["customers"] % 10 == 0).all()
    for name in ("customers", "expected", "low", "high"):
        assert (shown[name] % 10 == 0).all()
        assert (shown[name] - cube.table[name]).abs().max() <= 5
    strict = cube_to_show(cube, 500)
    small = cube.table["customers"] < 500
    assert small.any() and strict.index.tolist() == cube.table.index[~small].tolist()
    rare = Group((("gender", "female"), ("region", "unknown")))
    few = build_cube(expected, "weak", FEATURES, [rare])  # fewer than 30 customers
    assert set(map(str, few.table["group"])) == {
        str(group) for group in cube.table["group"] if group != FOUND.text
    }


def test_the_group_at_risk_is_named_with_its_interval(cube):
    finding = name_highest(cube)
    row = cube.table[cube.table["found"] & (cube.table["horizon_months"] == 5)].iloc[0]
    assert (finding.value, finding.low, finding.high) == (
        row["retention_rate"],
        row["rate_low"],
        row["rate_high"],
    )
    assert finding.low < finding.value < finding.high and finding.n == row["customers"]
    assert finding.status == "supported"
    table = cube.table[cube.table["horizon_months"] == 5]
    everyone = table[table["group"] == say("all customers")]
    share = ENGLISH.format(everyone["retention_rate"].iloc[0], "percent")
    assert f"against {share} of all" in str(finding.text)
    assert "“gender: women” and “payroll: no longer paid through us”" in str(finding.text)


def test_a_cube_without_a_model_or_groups(expected):
    nothing = build_cube(None, "not_enough_data", FEATURES, [FOUND])
    assert nothing.table.empty and [*nothing.table.columns] == [COLUMNS[0], "found", *COLUMNS[1:]]
    assert cube_to_show(nothing, 10).empty and cube_to_draw(nothing).empty
    assert name_highest(nothing).status == "not_enough_data"
    plain = build_cube(expected, "supported", ["gender"])
    assert plain.table["change"].isna().all()
    assert name_highest(plain).status == "weak" and name_highest(plain).value is None
    few = build_cube(forecast_of(people(n=20)), "supported", ["gender"])
    assert few.table.empty and name_highest(few).value is None and cube_to_show(few, 10).empty


def test_one_exit_and_one_horizon():
    frame = people().drop(columns=[score_name(h, e) for h in (3, 5) for e in EXITS])
    one = forecast_of(frame.drop(columns=[score_name(5), "assets"]).assign(assets=0.0))
    cube = build_cube(one, "supported", ["gender"])
    assert len(cube.table) == 3 and set(map(str, cube.table["exit"])) == {str(ANY)}
    chart = retention_map(cube_to_draw(cube))
    assert "Fewest stay among “gender: women”" in str(chart.title)
    alone = retention_map(cube_to_draw(cube).head(1))
    assert "are expected to stay for 3 months" in str(alone.title)


def test_the_map_draws_the_rows_of_any_exit(cube):
    table = cube_to_draw(cube)
    assert len(table) == 9 * 2
    chart = retention_map(table)
    lowest = table[table["horizon_months"] == 5].sort_values("retention_rate").iloc[0]
    assert ENGLISH.format(lowest["retention_rate"], "percent") in str(chart.title)
    assert str(lowest["group"]) in str(chart.title)
    assert str(chart.alt).count("; ") == 8


def test_prediction_intervals_of_groups_cover():
    """One unknown coefficient with a known error, and chance: 300 seeds, the exact 99.9 % band."""
    rng, seeds = np.random.default_rng(3), 300
    base = forecast_of(people())
    cells, hits = base.cells, {"all": 0, "share": 0}
    true = cells[score_name(3)].to_numpy()
    logit, n = np.log(true / (1 - true)), cells["here"].round().to_numpy(int)
    for _ in range(seeds):
        p = 1 / (1 + np.exp(-(logit + rng.normal(0, 0.05))))
        one = Forecast(
            (3,),
            ("left",),
            base.scores,
            cells.assign(**{score_name(3): p, "here": n}),
            base.covariance,
            {score_name(3): (p * (1 - p))[:, None]},
        )
        row = one.expected().iloc[0]
        hits["all"] += row["low"] <= rng.binomial(n, true).sum() <= row["high"]
        hits["share"] += row["share_low"] <= true @ n / n.sum() <= row["share_high"]
    low, high = stats.binom.interval(1 - 0.001 / 2, seeds, 0.95)
    assert all(low <= hit <= high for hit in hits.values()), hits


# --- what keeping is worth


def params_of(**churn_timing) -> Params:
    settings = {"horizons_months": [3, 5], "control_share": 0.25} | churn_timing
    return Params(client="x", snapshot=dt.date(2025, 12, 31), churn_timing=settings)


def weighed(frame, effect=None, **settings):
    """Return what keeping these customers is worth."""
    columns = ["customer_id", "still_here", "reason_1", *(n for n in frame if "_within_" in n)]
    held = ibis.memtable(frame[["customer_id", "assets"]])
    return weigh_keeping(scores_of(frame, columns), held, params_of(**settings), effect=effect)


def by_hand(frame, horizon, margin):
    """Return the customers in the order of what they would take along, by plain pandas."""
    order = frame.assign(loss=frame[score_name(horizon)] * frame["assets"] * margin)
    order["loss"] *= order["still_here"]
    order = order.sort_values("loss", ascending=False, ignore_index=True)
    return order.assign(part=order.index * 10 // len(order) + 1)


@pytest.fixture(scope="module")
def spread():
    """Return customers whose chances and assets are all different."""
    frame = people(4, 1000)
    rng = np.random.default_rng(9)
    for horizon in (3, 5):
        frame[score_name(horizon)] = 0.02 * horizon * (1 + rng.permutation(1000) / 1000)
    return frame.assign(assets=rng.permutation(1000) * 10.0 + 5)


def test_worth_by_hand():
    """100 customers of 1,000 each, a tenth of whom leave with chance 0.5 and the others with 0.1.

    At a margin of 2 % a customer earns 20 a year; the first tenth takes 0.5 x 20 = 10 along in the
    mean, so a contact for 2 must keep a fifth of them. One that keeps 30 % (10 to 50 %) gains
    0.3 x 10 - 2 = 1 (-1 to 3).
    """
    frame = pd.DataFrame({"customer_id": [f"{i:03d}" for i in range(100)], "still_here": 1.0})
    frame = frame.assign(
        assets=1000.0, reason_1=None, leave_within_3_months=[0.5] * 10 + [0.1] * 90
    )
    costs = {"margin": 0.02, "retention_cost": 2.0, "horizons_months": [3]}
    worth = weighed(frame, (0.3, 0.1, 0.5, 3), **costs)
    first, rest = worth.table.iloc[0], worth.table.iloc[1:]
    assert len(worth.table) == 10 and (worth.table["customers"] == 10).all()
    wanted = {"chance": 0.5, "value_a_year": 20, "expected_loss": 10, "break_even": 0.2}
    for name, value in (wanted | {"gain": 1, "low": -1, "high": 3}).items():
        assert first[name] == pytest.approx(value)
    assert rest["break_even"].tolist() == pytest.approx([1.0] * 9)
    assert rest["gain"].tolist() == pytest.approx([-1.4] * 9)
    dear = weighed(frame, **costs | {"retention_cost": 3.0})  # the others take 2 along
    told = worth_to_show(dear, 10)["break_even"].tolist()
    assert told[0] == pytest.approx(0.3) and {str(one) for one in told[1:]} == {"never pays"}
    finding = say_worth(worth)
    assert (finding.value, finding.low, finding.high) == (0.3, 0.1, 0.5)
    assert finding.status == "weak" and "pays from 20.0 % on" in str(finding.text)
    sure = say_worth(weighed(frame, (0.4, 0.3, 0.5, 3), **costs))
    assert sure.status == "supported"
    bad = say_worth(weighed(frame, (0.1, 0.05, 0.15, 3), **costs))
    assert bad.status == "supported" and "would have to keep 20.0 % to pay" in str(bad.text)
    untested = say_worth(weighed(frame, **costs))
    assert untested.value == pytest.approx(0.2) and untested.status == "weak"
    assert "Whether it does takes a test" in str(untested.text)
    # those who may have left already are approached, too, and take nothing along
    first = weighed(frame.assign(still_here=0.5), **costs).table.iloc[0]
    assert (first["chance"], first["value_a_year"]) == pytest.approx((0.5, 20))
    assert (first["expected_loss"], first["break_even"]) == pytest.approx((5, 0.4))


@pytest.mark.parametrize("n", [2000, 1003])
def test_tenths_are_those_of_the_customers(n):
    frame = people(n=n)
    table = weighed(frame, margin=0.01, retention_cost=1.0).table
    assert table["customers"].sum() == n
    assert table["customers"].between(n // 10, n // 10 + 1).all()
    assert (np.diff(table["expected_loss"]) < 1e-12).all()
    total = (frame[score_name(5)] * frame["assets"] * frame["still_here"]).sum() * 0.01
    assert table["expected_loss"] @ table["customers"] == pytest.approx(total)


def test_tenths_without_ties_are_plain_pandas(spread):
    effect = (0.2, 0.1, 0.3, 3)  # its horizon is looked at, not the longest
    table = weighed(spread, effect, margin=0.03, retention_cost=1.0).table
    loss = by_hand(spread, 3, 0.03).groupby("part")["loss"].mean()
    np.testing.assert_allclose(table["expected_loss"], loss)
    np.testing.assert_allclose(table["break_even"], 1 / loss)
    np.testing.assert_allclose(table["low"], 0.1 * loss - 1)


def test_what_is_not_known_is_said(spread):
    effect = (0.2, 0.1, 0.3, 3)
    nobody = spread.assign(**{score_name(h): np.nan for h in (3, 5)})
    costs = {"margin": 0.01, "retention_cost": 1.0}
    for worth in (
        weighed(nobody, **costs),
        weighed(spread, retention_cost=1.0),
        weighed(spread, margin=0.01),
        weighed(spread, effect, margin=0.01),
    ):
        finding = say_worth(worth)
        assert finding.status == "not_enough_data" and finding.value is None
        assert worth.table[["gain", "low", "high"]].isna().all(axis=None)
        shown = worth_to_show(worth, 10)
        assert {"pays_each", "gain_low", "gain_high"} <= {*shown.columns}
    # an effect within months that nobody's chance is known of says nothing about them
    other = weighed(spread, (0.2, 0.1, 0.3, 12), **costs)
    assert other.effect is None
    assert (worth_to_show(other, 7)["customers"] % 7 == 0).all()
    finding = say_worth(weighed(spread.assign(assets=0.0), **costs))
    assert finding.status == "not_enough_data" and "hold nothing" in str(finding.text)


# --- whom to approach


@pytest.fixture(scope="module")
def answers():
    window = Finding("churn_timing.peak_month", say("all customers"), status="not_enough_data")
    effects = contact_effects({}, None, snapshot=dt.date(2025, 12, 31), horizons_months=[3, 5])
    return answer_questions(effects, {}, None, None, horizon_months=3, window=window)


def proposed(worth, answers, seed=1):
    params = params_of().model_copy(update={"seed": seed})
    return propose_keeping(worth, answers, params=params, words=ENGLISH)


def test_the_tenth_most_likely_to_leave_is_approached_where_worth_is_unknown(spread, answers):
    worth = weighed(spread)
    table = proposed(worth, answers)
    assert [*table.columns] == ACTION_COLUMNS
    got = table.to_pandas().set_index("customer_id")
    wanted = spread.sort_values(score_name(5), ascending=False).head(100)
    assert set(got.index) == set(wanted["customer_id"])
    assert set(got["window"]) == {"within 3 months"}
    assert got["product"].isna().all() and got["channel"].isna().all()
    reasons = wanted.set_index("customer_id")["reason_1"]
    assert (got.loc[reasons.index[reasons.isna()], "reason"] == "most likely to leave").all()
    # a quarter by lot: the exact 99.9 % band
    low, high = stats.binom.interval(0.999, 100, 0.25)
    assert low <= (got["arm"] == "control").sum() <= high
    again = proposed(weighed(spread.sample(frac=1, random_state=3)), answers)
    pd.testing.assert_frame_equal(
        again.order_by("customer_id").to_pandas(), table.order_by("customer_id").to_pandas()
    )
    contact, control = (int((got["arm"] == arm).sum()) for arm in ("contact", "control"))
    said = say_proposed(table, worth)
    assert f"{contact} customers are proposed" in str(said.text)
    assert f"{control} more" in str(said.text)
    assert (said.value, said.n, said.status) == (contact, contact, "weak")


def test_without_an_effect_the_tenth_with_most_at_stake_is_approached(spread, answers):
    got = proposed(weighed(spread, margin=0.03, retention_cost=1.0), answers).to_pandas()
    assert set(got["customer_id"]) == set(by_hand(spread, 5, 0.03)["customer_id"].head(100))


def test_of_customers_alike_the_lot_takes_a_tenth(answers):
    """All with one chance: without a lot it would be all of them or nobody."""
    frame = people(2, 400).assign(**{score_name(h): 0.1 for h in (3, 5)}, reason_1=None)
    one = proposed(weighed(frame), answers).to_pandas()
    assert len(one) == 40
    columns = ["customer_id", "still_here", "reason_1", *(n for n in frame if "_within_" in n)]
    again = weigh_keeping(
        scores_of(frame, columns), None, params_of().model_copy(update={"seed": 2})
    )
    other = proposed(again, answers).to_pandas()
    assert len(other) == 40 and set(other["customer_id"]) != set(one["customer_id"])
    assert len(proposed(weighed(people(2, 5)), answers).to_pandas()) == 1


def test_with_an_effect_all_tenths_that_pay_are_approached(spread, answers):
    effect, margin = (0.3, 0.2, 0.4, 3), 0.03
    order = by_hand(spread, 3, margin)
    loss = order.groupby("part")["loss"].mean()
    cost = float(np.median(0.2 * loss))
    worth = weighed(spread, effect, margin=margin, retention_cost=cost)
    got = proposed(worth, answers).to_pandas()
    paying = loss.index[0.2 * loss > cost]
    assert 0 < len(paying) < 10
    assert set(got["customer_id"]) == set(order.loc[order["part"].isin(paying), "customer_id"])
    dear = weighed(spread, effect, margin=margin, retention_cost=1e6)
    nobody = proposed(dear, answers)
    told = say_proposed(nobody, dear)
    assert (told.value, told.status) == (0, "not_enough_data")
    assert "Nobody is proposed" in str(told.text)
    assert say_proposed(proposed(worth, answers), worth).status == "supported"
    free = weighed(spread, effect, margin=margin, retention_cost=0.0)
    assert proposed(free, answers).count().execute() == len(spread)


def test_nobody_without_a_model_and_none_who_has_left(spread, answers):
    nobody = spread.assign(**{score_name(h): np.nan for h in (3, 5)})
    assert proposed(weighed(nobody), answers).count().execute() == 0
    top = spread.sort_values(score_name(5), ascending=False).index[:50]
    gone = spread.assign(still_here=np.where(spread.index.isin(top), 0.0, spread["still_here"]))
    got = proposed(weighed(gone), answers).to_pandas()
    assert len(got) == 95 and not set(got["customer_id"]) & set(spread.loc[top, "customer_id"])


def test_the_reasons_are_in_the_reports_language(spread, answers):
    worth = weighed(spread.assign(reason_1=None))
    table = propose_keeping(worth, answers, params=params_of(), words=Words("zh")).to_pandas()
    assert not table["reason"].str.contains("[a-z]").any()
    assert not table["window"].str.contains("[a-z]").any()


def test_an_experiment_names_product_and_channel(spread, answers):
    table = answers.table.copy().astype({"choice": object})
    table.loc[table["question"] == "product", ["choice", "evidence"]] = ["deposit", "experiment"]
    table.loc[table["question"] == "channel", ["choice", "evidence"]] = ["phone", "association"]
    shown = Questions(**{**answers.__dict__, "table": table})
    got = proposed(weighed(spread), shown).to_pandas()
    assert set(got["product"]) == {"deposit"} and got["channel"].isna().all()


# --- what a client lacks


def test_a_prepared_table_gets_the_same_results_empty():
    params = params_of()
    durations = ibis.memtable(
        {
            "duration": [3.0, 5.0] * 30,
            "churned": [True, False] * 30,
            "plan": ["a", "b", "b"] * 20,
        }
    )
    stays = observe_stays({"durations": durations}, params)
    groups = search_groups(stays, params)
    assert groups.table.empty and groups.tested == 0
    assert watch_contacts({}, stays, params) is not None
    assert watch_stages({}, stays, params, lambda table: table) is not None
