"""Whether answers can be factored: R's KMO and Bartlett, and planted trouble of every kind.

R's numbers come from ``tests/oracles/psych_correlations.R`` (R 4.2.2, psych 2.2.9).
"""

from pathlib import Path

import ibis
import numpy as np
import pandas as pd
import pytest

from customerlab.drivers.adequacy import StraightLining, bartlett, kmo, straight_lining
from customerlab.drivers.correlations import correlate
from customerlab.drivers.moments import deal_bags
from customerlab.drivers.suitability import check_suitability, suitability_to_show

R = pd.read_csv(Path(__file__).parent / "oracles" / "psych_correlations.csv", index_col="name")[
    "value"
]


@pytest.fixture(scope="module")
def small():
    """Make the table that psych_correlations.R makes, by the same rule."""
    i = np.arange(300)
    a = i * 7 % 5
    return pd.DataFrame(
        {
            "a": a + 1,
            "b": np.minimum((a + i * 13 % 8) // 2, 4) + 1,
            "c": (a + i * 11 % 6) // 3 + 1,
            "d": (a + i * 13 % 9 > 6).astype(int) + 1,
            "e": i * 17 % 7 // 2 + 1,
        }
    )


@pytest.fixture(scope="module")
def survey():
    """Six questions on a scale of five behind which stands one opinion."""
    rng = np.random.default_rng(5)
    opinion = rng.normal(size=(400, 1))
    answers = 3 + opinion + 0.8 * rng.normal(size=(400, 6))
    return pd.DataFrame(np.clip(answers.round(), 1, 5), columns=[f"q{i}" for i in range(1, 7)])


def checked(rows, *, straight=None, **options):
    found = correlate(
        deal_bags(ibis.memtable(rows), list(rows), seed=1, bags=1), list(rows), **options
    )
    return {str(check.name): check for check in check_suitability(found, straight=straight)}


def same_as_r(rows, prefix):
    matrix = rows.corr().to_numpy()
    overall, by_item = kmo(matrix)
    assert overall == pytest.approx(R[f"{prefix}.kmo"], abs=1e-9)
    for item, value in zip(rows.columns, by_item, strict=True):
        assert value == pytest.approx(R[f"{prefix}.kmo.{item}"], abs=1e-9)
    chi2, df, p = bartlett(matrix, len(rows))
    assert chi2 == pytest.approx(R[f"{prefix}.bartlett.chi2"], rel=1e-9)
    assert df == R[f"{prefix}.bartlett.df"]
    assert p == pytest.approx(R[f"{prefix}.bartlett.p"], rel=1e-6, abs=1e-300)


def test_kmo_and_bartlett_of_the_small_table_are_rs(small):
    same_as_r(small, "small")


def test_kmo_and_bartlett_of_mobi_are_rs(shared_data):
    same_as_r(pd.read_csv(shared_data / "mobi" / "mobi.csv"), "mobi")


def test_kmo_is_that_of_partial_correlations(small):
    """By the definition: what two items share once all others are taken out, by regression."""
    rows = small.to_numpy(dtype=float)
    partial = np.zeros((5, 5))
    for i in range(5):
        for j in range(5):
            if i != j:
                others = np.delete(rows, [i, j], axis=1)
                others = np.column_stack([np.ones(300), others])
                left = [
                    rows[:, at] - others @ np.linalg.lstsq(others, rows[:, at], rcond=None)[0]
                    for at in (i, j)
                ]
                partial[i, j] = np.corrcoef(*left)[0, 1]
    r = small.corr().to_numpy() - np.eye(5)
    expected = (r**2).sum(axis=0) / ((r**2).sum(axis=0) + (partial**2).sum(axis=0))
    np.testing.assert_allclose(kmo(small.corr().to_numpy())[1], expected, atol=1e-12)


def test_bartlett_of_many_items_does_not_vanish():
    """The determinant of 400 items with one common factor is below the least number."""
    matrix = np.full((400, 400), 0.9) + 0.1 * np.eye(400)
    assert np.linalg.det(matrix) == 0
    chi2, df, p = bartlett(matrix, 1000)
    # closed form: (1 - r)^(k - 1) (1 + (k - 1) r)
    log = 399 * np.log(0.1) + np.log(1 + 399 * 0.9)
    assert chi2 == pytest.approx(-log * (999 - 805 / 6), rel=1e-9)
    assert df == 79_800 and p == 0


def test_bartlett_errs_as_often_as_it_says():
    """Unrelated items, 2,000 samples: p below 0.05 in 5 %, within four standard errors."""
    rng = np.random.default_rng(1)
    low = [
        bartlett(np.corrcoef(rng.normal(size=(60, 5)), rowvar=False), 60)[2] < 0.05
        for _ in range(2000)
    ]
    assert np.mean(low) == pytest.approx(0.05, abs=4 * np.sqrt(0.05 * 0.95 / 2000))


def test_what_is_not_known_is_missing():
    one = np.ones((1, 1))
    assert np.isnan(kmo(one)[0]) and np.isnan(bartlett(one, 100)[0])
    assert np.isnan(kmo(np.ones((2, 2)))[0]) and np.isnan(kmo(np.eye(3))[0])
    singular = np.array([[1, 1, 0.5], [1, 1, 0.5], [0.5, 0.5, 1]])
    assert np.isnan(kmo(singular)[1]).all()
    assert np.isnan(bartlett(np.eye(3), 2)[2])
    chi2, df, p = bartlett(np.eye(3), 100)
    assert (chi2, df, p) == (0, 3, 1)
    assert len(kmo(np.zeros((0, 0)))[1]) == 0


def test_straight_lining_is_counted(survey):
    rows = survey.copy()
    rows.iloc[:50] = 3
    rows.iloc[40:45, 2] = np.nan
    got = straight_lining(ibis.memtable(rows), list(rows))
    whole = rows.dropna()
    assert got == StraightLining(int(whole.nunique(axis=1).eq(1).sum()), 395)
    assert got.share == got.alike / 395 > 0.11
    none = straight_lining(ibis.memtable(rows.iloc[:0]), list(rows))
    assert none == StraightLining(0, 0) and np.isnan(none.share)
    assert straight_lining(ibis.memtable(rows), ["q1"]) == StraightLining(0, 0)


def test_a_good_survey_passes_every_check(survey):
    checks = checked(survey, straight=straight_lining(ibis.memtable(survey), list(survey)))
    assert len(checks) == 7 and all(check.passed for check in checks.values())
    text = str(checks["Items share what factors can explain (KMO)"].text)
    assert "in Kaiser's words marvellous" in text or "in Kaiser's words meritorious" in text
    assert "120" not in str(checks["There are enough rows"].text)
    assert "rests on 400 rows or more" in str(checks["There are enough rows"].text)


@pytest.mark.parametrize(
    ("rows", "name", "words"),
    [
        (lambda s: s.iloc[:60], "There are enough rows", "60 rows or more"),
        (
            lambda s: s.mask(np.random.default_rng(1).random(s.shape) < 0.3),
            "Missing answers hardly matter",
            "up to 20 % passes",
        ),
        (lambda s: s.assign(q9=4.0), "Every item tells something of its own", "“q9”"),
        (lambda s: s.assign(q9=s["q2"]), "Every item tells something of its own", "“q2”"),
        (
            lambda s: s.apply(lambda q: q.sample(frac=1, random_state=int(q.name[1])).to_numpy()),
            "Items are related at all (Bartlett's test)",
            "No more than by chance",
        ),
        (
            lambda s: s.apply(lambda q: q.sample(frac=1, random_state=int(q.name[1])).to_numpy()),
            "Items share what factors can explain (KMO)",
            "hardly part of any factor",
        ),
    ],
    ids=["few", "missing", "constant", "twin", "bartlett", "kmo"],
)
def test_planted_trouble_fails_its_check_in_words(survey, rows, name, words):
    check = checked(rows(survey))[name]
    assert check.passed is False and words in str(check.text)


def test_straight_lining_fails_its_check(survey):
    check = checked(survey, straight=StraightLining(60, 400))["Respondents tell items apart"]
    assert check.passed is False and "60 of 400" in str(check.text)
    assert checked(survey, straight=StraightLining(0, 0))[str(check.name)].passed is None


def test_the_treatment_of_missing_answers_is_told(survey):
    rows = survey.mask(np.random.default_rng(1).random(survey.shape) < 0.1)
    for missing, words in (
        ("pairwise", "uses the rows that have both items"),
        ("listwise", "Rows with a missing answer are left out"),
        ("mean", "The item's mean stands for"),
    ):
        check = checked(rows, missing=missing)["Missing answers hardly matter"]
        assert check.passed is True and words in str(check.text)
    listwise = checked(rows, missing="listwise")["There are enough rows"]
    assert f"rest on {len(rows.dropna())} rows;" in str(listwise.text)


def test_fewer_rows_than_items_fails_and_judges_no_kmo(survey):
    checks = checked(survey.iloc[:4], kind="pearson")
    assert checks["There are enough rows"].passed is False
    assert "few rows" in str(checks["The correlations fit together"].text)
    assert checks["Items share what factors can explain (KMO)"].passed is None
    assert checks["Items are related at all (Bartlett's test)"].passed is None


def test_nothing_to_factor_says_so(survey):
    for rows in (survey.iloc[:0], survey[["q1"]], survey.assign(**dict.fromkeys(survey, 3.0))):
        checks = checked(rows)
        assert checks["There are items to factor"].passed is False


def test_the_table_for_readers_tells_no_counts(survey):
    rows = survey.assign(same=3.0)
    rows.iloc[:4, 0], rows.iloc[:40, 1] = np.nan, np.nan
    found = correlate(
        deal_bags(ibis.memtable(rows), list(rows), seed=1, bags=1),
        list(rows),
        names={"q3": "Price"},
    )
    table = suitability_to_show(found)
    assert list(table) == ["item", "missing_share", "kmo", "kaiser", "why_left_out"]
    share = [round(rows[name].isna().mean(), 2) for name in rows]
    assert table["missing_share"].tolist() == share and share[1] > share[0] == 0.01
    assert table["item"].tolist() == ["q1", "q2", "Price", "q4", "q5", "q6", "same"]
    np.testing.assert_array_equal(table["kmo"][:6], kmo(found.matrix)[1])
    assert np.isnan(table["kmo"][6]) and table["kaiser"][6] == ""
    assert "every answer to it is the same" in str(table["why_left_out"][6])
    empty = correlate(deal_bags(ibis.memtable(rows.iloc[:0]), [], seed=1), [])
    assert list(suitability_to_show(empty)) == list(table)
