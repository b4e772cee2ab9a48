"""Notebook 05's steps on tables that hold too little, or too much of the same."""

from __future__ import annotations

from dataclasses import dataclass

import ibis
import numpy as np
import pandas as pd
import pytest
import test_behaviour
from test_behaviour import as_tables, kept

from customerlab import drivers, plots
from customerlab.errors import CustomerlabError
from customerlab.messages import Message, Words
from customerlab.params import check_params

shop = test_behaviour.shop  # a fixture

#: Few, for time; the fewest that make an interval.
RESAMPLES = 45


def answers(n=300, items=6, seed=1):
    """Return answers from 1 to 5 of two factors, and whether somebody came back."""
    rng = np.random.default_rng(seed)
    factors = rng.normal(size=(n, 2))
    x = 0.8 * factors[:, np.arange(items) % 2] + 0.6 * rng.normal(size=(n, items))
    frame = pd.DataFrame(1.0 + np.searchsorted([-1.2, -0.4, 0.4, 1.2], x))
    frame.columns = [f"q{i + 1}" for i in range(items)]
    again = 0.7 * factors[:, 0] + rng.normal(size=n)
    return frame.assign(age=rng.integers(20, 70, n).astype(float), again=(again > 0) * 1.0)


@dataclass(frozen=True)
class Chain:
    """What the steps of the notebook gave."""

    asked: object
    found: object
    count: object
    fitted: object
    skill: object
    weights: object
    findings: tuple
    checks: dict
    tables: dict
    text: str

    @property
    def failed(self):
        """The names of the checks that failed."""
        return {name for name, check in self.checks.items() if check.passed is False}


def run(frame, *, min_cell=1, figures=False, **settings):
    """Run the cells of ``notebooks/05_repurchase_drivers.ipynb`` on a survey."""
    settings = {"outcome": "again", "controls": ["age"]} | settings
    params = check_params(
        {"client": "edge", "snapshot": "2025-12-31", "repurchase_drivers": settings}, "edge"
    )
    settings, rng = params.repurchase_drivers, np.random.default_rng(1)
    engine, kept = ibis.duckdb.connect(), []

    def keep(table):
        kept.append(table)
        return engine.create_table(f"kept_{len(kept)}", table)

    survey = engine.create_table("survey", frame)
    asked = drivers.observe_answers({"survey": survey}, params, keep)
    tables = {"answers": drivers.asked_to_show(asked, min_cell)[drivers.ASKED_SHOWN]}
    found = asked.correlations(settings.missing)
    tables["items"] = drivers.suitability_to_show(found)
    count = drivers.count_factors(
        *(found.matrix, found.n, rng),
        **dict(
            items=found.items, resample_null=found.null_matrix, given=settings.factors, draws=20
        ),
    )
    tables["count"] = count.table[drivers.COUNT_SHOWN]
    fitted = drivers.fit_factors(
        *(found.matrix, found.n, found.items, count.chosen),
        **dict(rotation=settings.rotation, resamples=found.resamples(rng, RESAMPLES)),
    )
    names = drivers.name_factors(fitted, settings.names, item_name=drivers.driver_name)
    shown = drivers.loadings_to_show(fitted, names, item_name=drivers.driver_name)
    tables["loadings"] = shown
    tables["together"] = drivers.factor_correlations_to_show(fitted, names)
    reliable = drivers.judge_reliability(found.matrix, fitted, names)
    tables["reliable"] = drivers.reliability_to_show(reliable, names)
    sums = asked.moments(found)
    scored = drivers.score_factors(sums, fitted, found)
    skill = drivers.judge_skill(scored.scores, fitted.names, asked.outcome, asked.controls, rng=rng)
    weights = drivers.weigh_drivers(
        scored.behind, fitted.names, asked.outcome, asked.controls, skill=skill, rng=rng
    )
    shown = drivers.weights_to_show(weights, names)
    tables["weights"] = drivers.weights_to_write(shown)
    assert tables["weights"].columns[tables["weights"].columns.str.startswith("effect")][0]
    findings = (skill.finding, *drivers.weight_findings(weights, names))
    where = drivers.map_importance(weights, drivers.rate_factors(asked, fitted, sums), names=names)
    tables["map"] = drivers.map_to_show(where, names)
    if figures or len(shown) < 2:  # drawing takes as long as all else
        charts = [plots.driver_weights(shown), plots.driver_effects(shown)]
        charts += [plots.factor_loadings(tables["loadings"]), plots.importance_map(tables["map"])]
        assert all(chart.alt for chart in charts)
    checks = drivers.check_drivers(asked, found, count, fitted, reliable, settings.names)
    said = [asked.text, *found.notes, count.text, *fitted.notes, skill.text, weights.text]
    said += [where.text, *(one.text for one in findings), *(one.text for one in checks)]
    text = ""
    for language in ("en", "zh"):  # every sentence can be said
        words = Words(language, min_cell=min_cell)
        told = "\n".join(words(one) for one in said)
        for cell in (cell for table in tables.values() for cell in table.to_numpy().ravel()):
            assert words(cell) if isinstance(cell, Message) else True
        text = told if language == "en" else text
    engine.disconnect()
    assert not {"nan", "inf", "–"} & set(text.replace(",", " ").split()), text
    for one in findings:  # a number that is told is a number
        if isinstance(one.value, float):
            assert np.isfinite([one.value, one.low, one.high]).all(), one
    return Chain(
        *(asked, found, count, fitted, skill, weights, findings),
        {str(check.name): check for check in checks},
        tables,
        text,
    )


ITEMS = [f"q{i + 1}" for i in range(6)]
SPREAD = "Every item tells something of its own"
SIZE = "There are enough rows"
NONE = "There are items to factor"
CONTROLS = "Controls vary, and are no items"
SCALE = "Questions have one scale"
READ = "Answers are numbers on the scale"


@pytest.fixture(scope="module")
def good():
    return run(answers(), figures=True, names={"Delivery": ["q2"], "Price": ["q1", "q3"]})


def test_the_chain_runs_where_nothing_is_wrong(good):
    assert good.failed == set()
    assert (good.count.chosen, good.skill.status) == (2, "supported")
    assert good.found.items == tuple(ITEMS) and good.asked.controls == ("age",)
    assert good.weights.table["weight"].sum() == pytest.approx(1)
    assert "“Price” goes with repurchase most" in good.text
    assert "300 respondents were asked 6 questions" in good.text
    assert good.checks[CONTROLS].passed


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"q6": 3.0}, "“q6” is left out: every answer to it is the same."),
        ({"q6": np.nan}, "“q6” is left out: nobody answered it."),
        ({"q6": lambda x: x["q1"]}, "“q6” is left out: it follows exactly from “q1”."),
        ({"q6": lambda x: 6 - x["q1"]}, "“q6” is left out: it follows exactly from “q1”."),
        ({"q6": lambda x: x["q1"] + x["q2"]}, "it follows exactly from “q1”, “q2”."),
    ],
    ids=["constant", "unanswered", "repeated", "turned", "sum"],
)
def test_an_item_that_tells_nothing_is_left_out_and_the_rest_is_weighed(good, changed, words):
    got = run(answers().assign(**changed), items=ITEMS, names={"Sixth": ["q6"]})
    assert SPREAD in got.failed and words in str(got.checks[SPREAD].text)
    assert got.found.items == tuple(ITEMS[:5])
    first = got.tables["items"].set_index("item")
    assert words in str(first.loc["q6", "why_left_out"]) and np.isnan(first.loc["q6", "kmo"])
    # the factor that needs no sixth item weighs as before
    assert got.skill.status == good.skill.status
    assert got.weights.table["weight"].max() == pytest.approx(
        good.weights.table["weight"].max(), abs=0.1
    )


def nothing_to_weigh(got, words):
    """Assert that nothing is weighed, and why is said."""
    assert got.skill.status == "not_enough_data"
    assert words in str(got.skill.text)
    assert got.tables["weights"].empty and got.tables["map"].empty
    assert all(one.value is None for one in got.findings)
    assert {one.id for one in got.findings} == {
        "repurchase_drivers.predictive_skill",
        "repurchase_drivers.top_driver",
    }


def test_fewer_rows_than_items():
    got = run(answers(8, 12))
    assert SIZE in got.failed and "rests on 8 rows" in str(got.checks[SIZE].text)
    nothing_to_weigh(got, "No driver varies")
    kmo = next(check for name, check in got.checks.items() if "KMO" in name)
    assert kmo.passed is None and "no more rows than items" in str(kmo.text)


@pytest.mark.parametrize(
    ("again", "words"),
    [
        (1.0, "The outcome (repurchase) is the same for all"),
        (np.nan, "0 answers with both drivers and outcome"),
        ([1.0] * 295 + [0.0] * 5, "fewer than 30 are of the rarer kind"),
    ],
    ids=["always", "unknown", "rarely not"],
)
def test_an_outcome_that_tells_nothing_leaves_the_factors(good, again, words):
    got = run(answers().assign(again=again))
    nothing_to_weigh(got, words)
    pd.testing.assert_frame_equal(got.fitted.loadings, good.fitted.loadings)
    assert got.failed == set()


def test_without_an_outcome_there_are_factors(good):
    got = run(answers().drop(columns="again"), outcome=None)
    nothing_to_weigh(got, "No outcome is named")
    pd.testing.assert_frame_equal(got.fitted.loadings, good.fitted.loadings)


@pytest.mark.parametrize("items", [0, 1, 2])
def test_too_few_items(items):
    got = run(answers()[[*ITEMS[:items], "age", "again"]])
    assert got.failed
    nothing_to_weigh(got, "No driver varies")
    if items < 2:
        assert f"{items} can be correlated" in str(got.checks[NONE].text)
    assert "All items vary" not in got.text or items == 2


@pytest.mark.parametrize("rows", [0, 1, 2])
def test_hardly_any_rows(rows):
    got = run(answers().iloc[:rows])
    assert NONE in got.failed
    nothing_to_weigh(got, "No driver varies")


def test_answers_off_the_scale_count_as_missing():
    wrong = answers()
    wrong["q1"] = wrong["q1"].where(wrong.index % 10 > 0, 9)
    got = run(wrong, scale=[1, 5])
    assert READ in got.failed
    assert "30 are off the scale" in str(got.checks[READ].text)
    assert got.found.missing["q1"] == 30
    assert got.skill.status == "supported"  # the control, which is on no scale, is still known
    assert got.asked.controls == ("age",)
    undeclared = run(wrong)
    assert SCALE in undeclared.failed
    assert "q1 up to 9: a code for no answer?" in str(undeclared.checks[SCALE].text)


def test_no_answer_at_all():
    got = run(answers().assign(**dict.fromkeys(ITEMS, np.nan)), items=ITEMS)
    nothing_to_weigh(got, "No driver varies")
    assert "There are answers to read" in got.failed
    assert "0 can be correlated" in str(got.checks[NONE].text)
    words = run(answers().assign(**dict.fromkeys(ITEMS, "good")), items=ITEMS)
    assert "There are answers to read" in words.failed


def test_listwise_without_a_whole_row():
    holes = answers()
    for i, item in enumerate(ITEMS):
        holes.loc[holes.index % 6 == i, item] = np.nan
    got = run(holes, missing="listwise")
    nothing_to_weigh(got, "No driver varies")
    assert "only the 0 rows without a missing answer are used" in got.text
    assert {SPREAD, NONE} <= got.failed


@pytest.mark.parametrize(
    ("age", "words", "used"),
    [
        (40.0, "“age” is no control: it is the same for all.", ()),
        (np.nan, "“age” is no control: it holds no number.", ()),
        ("old", "“age” is no control: it holds no number.", ()),
        (lambda x: x["q2"], "The control “age” is the item “q2” once more", ("age",)),
    ],
    ids=["constant", "unknown", "words", "an item"],
)
def test_a_control_that_cannot_be_one(age, words, used):
    got = run(answers().assign(age=age))
    assert CONTROLS in got.failed and words in str(got.checks[CONTROLS].text)
    assert got.asked.controls == used
    assert got.skill.status == "supported" and got.skill.controls == len(used)
    assert len(got.weights.table) == 2


def test_an_outcome_that_follows_from_a_control():
    got = run(answers().assign(age=lambda x: 2 * x["again"] + 1))
    nothing_to_weigh(got, "The controls alone tell repurchase exactly")


def test_more_factors_than_items_tell():
    got = run(answers(items=4), factors=3)
    assert "Number of factors: 1, the most that so few items tell." in got.text
    assert got.fitted.names == ("F1",)


def test_a_single_driver_is_weighed_against_none():
    got = run(answers()[["q1", "q3", "q5", "age", "again"]])
    assert len(got.weights.table) == 1
    assert "is the only driver of repurchase: there is none to weigh it against" in got.text


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"controls": ["agee"]}, r'controls: the survey has no column "agee".*did you mean "age"'),
        ({"controls": ["again"]}, '"again" is the outcome and cannot be a control'),
        ({"names": {"Price": ["q11"]}}, r'names: there is no "q11".*did you mean "q1"'),
    ],
    ids=["control", "outcome", "names"],
)
def test_what_is_not_there_is_told(settings, words):
    with pytest.raises(CustomerlabError, match=words):
        run(answers(), **settings)


def behaviour(frames, **settings):
    data = {"client": "edge", "snapshot": "2025-06-30", "repurchase_drivers": settings}
    return drivers.observe_answers(as_tables(frames), check_params(data, "edge"), kept)


def test_controls_of_behaviour_are_judged_too(shop):
    asked = behaviour(shop)
    (check,) = asked.checks
    assert check.passed and str(check.name) == CONTROLS
    assert asked.controls and not set(asked.controls) & set(asked.items)
    again = behaviour(shop, items=[*asked.items[:3]], controls=[asked.items[3]])
    assert again.items == asked.items[:3] and asked.items[3] in again.controls


@pytest.mark.parametrize("key", ["items", "controls", "outcome", "names"])
def test_what_nobody_did_is_told(shop, key):
    value = {"items": ["a", "b", "spendd"], "outcome": "againn", "names": {"Price": ["a"]}}
    with pytest.raises(CustomerlabError, match=f'repurchase_drivers.{key}: there is no "'):
        behaviour(shop, **{key: value.get(key, ["agee"])})


def test_the_outcome_of_behaviour_is_no_control(shop):
    with pytest.raises(CustomerlabError, match="cannot be an item or control"):
        behaviour(shop, controls=[behaviour(shop).outcome])
