"""A survey's answers: by hand, by plain pandas on random sheets, and a real survey."""

from __future__ import annotations

import ibis
import numpy as np
import pandas as pd
import pytest

from customerlab.drivers.survey import answers_to_show, read_survey
from customerlab.errors import CustomerlabError


def sheet(**columns) -> ibis.Table:
    return ibis.memtable(pd.DataFrame(columns))


def by_item(survey):
    return survey.answers.set_index("item")


def checks(survey):
    return {str(check.name): check for check in survey.checks}


def test_answers_that_do_not_count_are_set_aside_by_reason():
    """By hand."""
    found = read_survey(
        sheet(
            customer_id=list("abcdef"),
            speed=["5", " 3 ", "n/a", None, "99", ""],
            price=[1.0, 7.0, float("inf"), np.nan, 0.5, 4.0],
            staff=[1, 2, 3, 4, 5, 6],
            again=["yes", "No", "maybe", "1", None, "是"],
        ),
        items=["speed", "price", "staff"],
        outcome="again",
        scale=(1, 7),
    )
    assert (found.items, found.outcome) == (("speed", "price", "staff"), "again")
    table = by_item(found)
    expected = pd.DataFrame(
        {
            "speed": [6, 2, 2, 1, 1, 4 / 6, 3, 5, 2],
            "price": [6, 3, 1, 1, 1, 3 / 6, 1, 7, 3],
            "staff": [6, 6, 0, 0, 0, 0, 1, 6, 6],
            "again": [6, 4, 1, 1, 0, 2 / 6, 0, 1, 2],
        },
        index=table.columns,
    ).T
    pd.testing.assert_frame_equal(table.astype(float), expected, check_names=False)
    frame = found.table.to_pandas().set_index("customer_id")
    none = np.nan
    np.testing.assert_array_equal(frame["speed"], [5, 3, none, none, none, none])
    np.testing.assert_array_equal(frame["price"], [1, 7, none, none, none, 4])
    np.testing.assert_array_equal(frame["again"], [1, 0, none, 1, none, 1])
    assert all(kind == "float64" for kind in frame.dtypes)
    read = checks(found)["Answers are numbers on the scale"]
    assert read.passed is False
    assert "Of 15 answers given, 2 are no numbers and 2 are off the scale" in str(read.text)
    assert "in speed: 50.0 %" in str(read.text)
    missing = checks(found)["Few answers are missing"]
    assert missing.passed is False and "in speed, of which 66.7 % are" in str(missing.text)


def test_random_sheets_are_plain_pandas():
    rng = np.random.default_rng(2)
    words = ["1", "2", "3", "4", "5", "-1", "9", "2.5", " 4", "1e1", "x", "4 stars", "", None]
    frame = pd.DataFrame({f"q{i}": rng.choice(words, 300) for i in range(6)})
    found = read_survey(ibis.memtable(frame), items=list(frame), scale=(1, 5))
    given = frame.map(lambda v: None if v is None or not v.strip() else v)
    numbers = given.apply(lambda column: pd.to_numeric(column, errors="coerce"))
    on = numbers.where((numbers >= 1) & (numbers <= 5))
    table = by_item(found)
    assert table["empty"].tolist() == given.isna().sum().tolist()
    assert table["not_a_number"].tolist() == (given.notna() & numbers.isna()).sum().tolist()
    assert table["off_scale"].tolist() == (numbers.notna() & on.isna()).sum().tolist()
    assert table["answered"].tolist() == on.count().tolist()
    assert table["categories"].tolist() == on.nunique().tolist() == [6] * 6
    np.testing.assert_allclose(table["missing_share"], on.isna().mean())
    parts = table[["answered", "empty", "not_a_number", "off_scale"]].sum(axis=1)
    assert (parts == table["respondents"]).all() and (parts == 300).all()
    pd.testing.assert_frame_equal(found.table.to_pandas(), on.astype(float))


def test_questions_are_the_columns_with_numbers_where_none_are_named():
    n = 40
    rng = np.random.default_rng(1)
    found = read_survey(
        sheet(
            customer_id=[f"{i}" for i in range(n)],
            visit_id=rng.integers(0, 9, n),
            number=np.arange(n) + 1000,
            speed=rng.integers(1, 6, n),
            as_text=rng.integers(1, 6, n).astype(str),
            half_text=[*(["?"] * 19), *(["4"] * 21)],
            remark=[*(["?"] * 21), *(["4"] * 19)],
            owns_app=rng.random(n) < 0.5,
            spend=rng.random(n) * 100,
            asked_on=pd.Timestamp("2025-01-01"),
            again=rng.integers(0, 2, n),
        ),
        outcome="again",
    )
    assert found.items == ("speed", "as_text", "half_text", "owns_app", "spend")
    assert "every column with numbers is taken for one (speed, as_text" in str(found.text)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            {"items": ["speed", "prise"]},
            r'repurchase_drivers.items: .* no column "prise" \(did you mean "price"\?\)',
        ),
        ({"outcome": "agian"}, r'repurchase_drivers.outcome: .* \(did you mean "again"\?\)'),
        ({"items": ["speed", "again"], "outcome": "again"}, '"again" is the outcome'),
        ({"scale": (7, 1)}, "the lowest and the highest"),
    ],
    ids=["item", "outcome", "both", "scale"],
)
def test_wrong_names_are_told_with_the_nearest_right_one(options, words):
    table = sheet(speed=[1, 2], price=[3, 4], again=[0, 1])
    with pytest.raises(CustomerlabError, match=words):
        read_survey(table, **options)


def test_a_code_for_no_answer_shows_where_no_scale_is_declared():
    rng = np.random.default_rng(3)
    frame = pd.DataFrame({f"q{i}": [*rng.integers(1, 6, 50), 1, 5] for i in range(4)})
    good = checks(read_survey(ibis.memtable(frame)))["Questions have one scale"]
    assert good.passed is True and "above 5" in str(good.text)
    frame.loc[3, "q2"] = 99
    bad = checks(read_survey(ibis.memtable(frame)))["Questions have one scale"]
    assert bad.passed is False and "up to 5, and q2 up to 99" in str(bad.text)
    declared = read_survey(ibis.memtable(frame), scale=(1, 5))
    assert by_item(declared)["off_scale"].tolist() == [0, 0, 1, 0]
    assert checks(declared)["Questions have one scale"].passed is True
    mixed = frame.assign(q0=frame["q0"] * 7, q1=frame["q1"] * 3)
    assert checks(read_survey(ibis.memtable(mixed)))["Questions have one scale"].passed is None


@pytest.mark.parametrize(
    ("frame", "options"),
    [
        ({"remark": ["x", "y"]}, {}),
        ({"remark": ["x", "y"]}, {"items": ["remark"]}),
        ({"speed": pd.Series([], dtype="int64")}, {"items": ["speed"]}),
        ({"speed": [1, 2]}, {"items": []}),
        ({"asked_on": [pd.Timestamp("2025-01-01")]}, {"items": ["asked_on"]}),
        ({"speed": [np.nan, np.nan]}, {"items": ["speed"], "scale": (1, 5)}),
    ],
    ids=["no numbers", "words", "no rows", "no items", "a date", "all empty"],
)
def test_nothing_to_read_is_said_and_nothing_breaks(frame, options):
    table = ibis.memtable(pd.DataFrame(frame))
    found = read_survey(table, **options)
    assert any(check.passed is False for check in found.checks)
    assert list(found.answers) == list(read_survey(sheet(q=[1, 2]), items=["q"]).answers)
    assert str(found.text)
    assert len(answers_to_show(found, 10)) == len(found.answers)


def test_no_count_of_few_respondents_is_shown_or_can_be_worked_out():
    """By hand, in groups of ten: what was not answered is a part of all, and so is its share."""
    n = 100
    few = [*(["3"] * 94), *([None] * 4), "x", "x"]  # 6 missing: told by the 94, too
    two = [*(["3"] * 70), *([None] * 26), *(["x"] * 4)]  # the 4 would be 30 - 26
    many = [*(["3"] * 70), *([None] * 30)]
    all_of_one = ["3"] * 100
    spend = (np.arange(n) / 7).tolist()
    found = read_survey(sheet(few=few, two=two, many=many, full=all_of_one, spend=spend))
    shown = answers_to_show(found, 10).set_index("item")
    columns = ["respondents", "answered", "empty", "not_a_number", "missing_share"]
    assert shown.loc["few", columns].tolist() == [100, "hidden", "<10", "<10", "hidden"]
    assert shown.loc["two", columns].tolist() == [100, 70, "hidden", "<10", 0.3]
    assert shown.loc["many", columns].tolist() == [100, 70, 30, 0, 0.3]
    assert shown.loc["full", columns].tolist() == [100, 100, 0, 0, 0.0]
    assert shown.loc["spend", ["least", "most"]].tolist() == ["hidden", "hidden"]
    assert shown.loc["full", ["least", "most"]].tolist() == [3.0, 3.0]


def test_a_real_survey_is_read_whole(shared_data):
    """Oracle: pandas; the questionnaire offers 1 to 10, and nobody left a question out."""
    rows = pd.read_csv(shared_data / "mobi" / "mobi.csv")
    texts = rows.astype(str)  # as a parsed file gives them
    for frame in (rows, texts):
        found = read_survey(ibis.memtable(frame), outcome="CUSL3", scale=(1, 10))
        assert found.items == tuple(name for name in rows if name != "CUSL3")
        pd.testing.assert_frame_equal(found.table.to_pandas(), rows.astype(float))
        table = by_item(found)
        assert (table["answered"] == 250).all() and (table["missing_share"] == 0).all()
        assert table["most"].tolist() == rows[table.index].max().tolist() == [10] * 24
        assert table["categories"].tolist() == rows[table.index].nunique().tolist()
        assert all(check.passed for check in found.checks)
    narrow = read_survey(ibis.memtable(rows), items=["CUSA1", "CUEX1"], scale=(5, 10))
    below = (rows[["CUSA1", "CUEX1"]] < 5).sum().tolist()
    assert by_item(narrow)["off_scale"].tolist() == below and min(below) > 0
