"""Correlations from counts against R's psych and polycor, plain pandas, and planted truth.

R's numbers come from ``tests/oracles/psych_correlations.R`` (R 4.2.2, psych 2.2.9).
"""

from itertools import combinations
from pathlib import Path

import ibis
import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.correlation_tools import corr_nearest

from customerlab.drivers.correlations import correlate
from customerlab.drivers.moments import BAGS, deal_bags
from customerlab.drivers.pair_counts import count_pairs
from customerlab.drivers.polychoric import bivariate_normal, polychoric, polychoric_error
from customerlab.drivers.positive import nearest_correlations
from customerlab.errors import CustomerlabError

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


def tables_of(rows):
    """Return the tables of all pairs, padded with zeros, by plain pandas."""
    width = int(rows.nunique().max())
    tables = []
    for one, other in combinations(rows.columns, 2):
        table = pd.crosstab(rows[one], rows[other]).to_numpy()
        gap = [(0, width - size) for size in table.shape]
        tables.append(np.pad(table, gap))
    return np.array(tables)


def planted(rho, *, rows, seed, cuts=(-1.2, -0.3, 0.4, 1.1)):
    """Answers on a scale of five that cut normals correlated by `rho`."""
    rng = np.random.default_rng(seed)
    normals = rng.multivariate_normal([0, 0], [[1, rho], [rho, 1]], size=rows)
    return pd.DataFrame(np.searchsorted(cuts, normals) + 1, columns=["x", "y"])


def test_the_normal_of_two_is_scipys():
    h = np.array([0, 0, 0, 1, -1, 2, -38, 0.3, 0.3, 1.2, -2.0])
    k = np.array([0, 1, -1, 0, 0, -3, 1, 0.3, 0.31, 1.1, 2.0])
    for rho in (-0.9999, -0.95, -0.3, 0.0, 0.5, 0.99, 0.9999):
        theirs = [
            stats.multivariate_normal.cdf([x, y], cov=[[1, rho], [rho, 1]], abseps=1e-13)
            for x, y in zip(h, k, strict=True)
        ]
        np.testing.assert_allclose(bivariate_normal(h, k, np.float64(rho)), theirs, atol=1e-12)


def test_polychorics_of_the_small_table_are_rs(small):
    """Psych and polycor search to 1e-4; where nobody gave an answer both take it as absent."""
    tables = tables_of(small)
    rho = polychoric(tables)
    error = polychoric_error(tables, rho)
    errors = 0
    for at, (one, other) in enumerate(combinations(small.columns, 2)):
        assert rho[at] == pytest.approx(R[f"small.polycor.{one}.{other}"], abs=2e-4)
        assert rho[at] == pytest.approx(R[f"small.psych.{one}.{other}"], abs=2e-4)
        if f"small.polycor.se.{one}.{other}" in R:
            assert error[at] == pytest.approx(R[f"small.polycor.se.{one}.{other}"], rel=1e-3)
            errors += 1
    assert errors >= 8


def test_mobi_in_five_classes_is_psychs(shared_data):
    mobi = pd.read_csv(shared_data / "mobi" / "mobi.csv")
    cut = (mobi - 1) // 2 + 1
    got = correlated(ibis.memtable(cut), list(cut), seed=1, bags=1)
    assert got.kind == "polychoric" and got.n == 250 and not got.repaired
    for (i, one), (j, other) in combinations(enumerate(got.items), 2):
        assert got.matrix[i, j] == pytest.approx(R[f"cut.psych.{one}.{other}"], abs=2e-4)


def test_two_by_two_is_tetrachoric():
    table = np.array([[40, 20], [15, 60]])
    assert polychoric(table[None])[0] == pytest.approx(R["tetrachoric"], abs=1e-4)


def test_the_likelihood_is_highest_there():
    """By the definition, on a grid, with scipy's normal: also where cells are empty."""
    for seed, rows in ((1, 25), (2, 60)):
        tables = tables_of(planted(0.6, rows=rows, seed=seed))
        table = tables[0]
        x, y = (
            np.r_[-30, stats.norm.ppf(table.sum(axis=axis).cumsum()[:-1] / rows), 30]
            for axis in (1, 0)
        )

        def likelihood(rho, x=x, y=y, table=table):
            normal = stats.multivariate_normal([0, 0], [[1, rho], [rho, 1]])
            below = normal.cdf(np.dstack(np.meshgrid(x, y, indexing="ij")))
            chance = np.diff(np.diff(below, axis=0), axis=1)
            return (table[table > 0] * np.log(np.maximum(chance[table > 0], 1e-300))).sum()

        grid = np.linspace(-0.98, 0.98, 50)
        rho = polychoric(tables)[0]
        assert likelihood(rho) >= max(map(likelihood, grid))
        assert likelihood(rho) > max(likelihood(rho - 0.001), likelihood(rho + 0.001))


def test_margins_without_answers_and_tables_without_correlation():
    rows = planted(0.5, rows=300, seed=4)
    table = tables_of(rows)
    padded = np.zeros((1, 8, 8))
    padded[:, 1:6, 1:6] = table  # an answer below and two above that nobody gave
    split = np.insert(table, 2, 0, axis=1)  # one in the middle
    for same in (padded, split):
        np.testing.assert_allclose(polychoric(same), polychoric(table), atol=1e-9)
    got = polychoric(np.array([[[5, 0], [3, 7]], [[0, 5], [7, 0]], [[3, 2], [0, 0]], [[0, 0]] * 2]))
    np.testing.assert_allclose(got, [0.9999, -0.9999, np.nan, np.nan], atol=1e-9)
    assert np.isnan(polychoric_error(np.array([[[5, 0], [3, 7]]]), got[:1])).all()


@pytest.mark.parametrize("rho", [-0.8, 0.0, 0.3, 0.95])
def test_planted_correlations_come_back(rho):
    """Within four standard errors; Pearson's of the same answers is nearer to zero."""
    rows = planted(rho, rows=40_000, seed=7)
    table = tables_of(rows)
    got = polychoric(table)
    error = polychoric_error(table, got)
    assert abs(got[0] - rho) < 4 * error[0] and error[0] < 0.006
    if rho:
        assert abs(rows.corr().iloc[0, 1]) < abs(rho) - 0.015


def test_the_error_is_the_spread_over_samples():
    got = polychoric(
        np.concatenate([tables_of(planted(0.5, rows=400, seed=s)) for s in range(300)])
    )
    one = polychoric_error(tables_of(planted(0.5, rows=400, seed=0)), got[:1])[0]
    # 300 samples tell a spread to 4 %; that of one sample is itself uncertain, by some 10 %
    assert one / got.std() == pytest.approx(1, abs=0.25)


# --- from the engine's counts


def correlated(table, items, *, seed, bags=BAGS, **options):
    known = [item for item in items if item in table.columns]
    return correlate(deal_bags(table, known, seed=seed, bags=bags), items, **options)


def with_holes(rows, seed=1, share=0.1):
    return rows.astype(float).mask(np.random.default_rng(seed).random(rows.shape) < share)


@pytest.mark.parametrize("pulled", [0, 100_000])
@pytest.mark.parametrize("bags", [1, 7, 500])
def test_counted_pairs_are_plain_pandas(small, bags, pulled, monkeypatch):
    monkeypatch.setattr("customerlab.drivers.pair_counts.PULLED", pulled)
    rows = with_holes(small)
    counts = count_pairs(deal_bags(ibis.memtable(rows), list(rows), seed=1, bags=bags), list(rows))
    np.testing.assert_array_equal(counts.tables, tables_of(rows))
    np.testing.assert_allclose(counts.correlation, rows.corr(), atol=1e-12)
    assert len(counts.counts) == min(bags, len(rows))
    some = counts.select(["a", "c", "d"])
    np.testing.assert_allclose(
        some.polychoric(), counts.polychoric()[np.ix_([0, 2, 3], [0, 2, 3])], atol=1e-12
    )


@pytest.mark.parametrize("kind", ["pearson", "polychoric"])
@pytest.mark.parametrize("missing", ["pairwise", "listwise", "mean"])
def test_correlations_from_counts_are_those_of_rows(small, kind, missing):
    rows = with_holes(small)
    got = correlated(ibis.memtable(rows), list(rows), kind=kind, missing=missing, seed=1)
    mean = rows.mean().round(0 if kind == "polychoric" else 6)
    plain = {"pairwise": rows, "listwise": rows.dropna(), "mean": rows.fillna(mean)}[missing]
    if kind == "pearson":
        expected = plain.corr().to_numpy()
    else:
        expected = np.eye(5)
        expected[np.triu_indices(5, 1)] = polychoric(tables_of(plain))
        expected = np.maximum(expected, expected.T) + np.minimum(expected, expected.T)
        np.fill_diagonal(expected, 1)
    np.testing.assert_allclose(got.matrix, expected, rtol=0, atol=1e-9)
    pairs = [len(plain[[a, b]].dropna()) for a, b in combinations(rows, 2)]
    assert got.n == min(pairs) and got.rows == 300
    assert got.missing == rows.isna().sum().to_dict()
    assert not got.repaired and got.change == 0 and not got.left_out


def test_the_kind_follows_the_answers(small):
    def kind_of(rows, **options):
        return correlated(ibis.memtable(rows), list(rows), seed=1, bags=1, **options).kind

    assert kind_of(small) == "polychoric"
    assert kind_of(small > 2) == "polychoric"
    assert kind_of(small.assign(f=np.arange(300) % 7)) == "polychoric"
    assert kind_of(small.assign(f=np.arange(300) % 8)) == "pearson"
    assert kind_of(small.assign(f=np.arange(300) % 3 / 2)) == "pearson"
    assert kind_of(small, kind="pearson") == "pearson"
    got = correlated(
        ibis.memtable(small.assign(f=np.arange(300) % 8)), list("abcdef"), seed=1, bags=1
    )
    assert "Pearson's: “f” has more than 7" in str(got.notes[0])


def test_resamples_vary_as_rows_do():
    rows = planted(0.6, rows=200, seed=2)
    got = correlated(ibis.memtable(rows), ["x", "y"], seed=1)
    drawn = [m[0, 1] for _, m in got.resamples(np.random.default_rng(3), 400)]
    rng = np.random.default_rng(4)
    plain = polychoric(
        np.concatenate([tables_of(rows.iloc[rng.integers(0, 200, 200)]) for _ in range(400)])
    )
    assert len(drawn) == 400
    assert np.std(drawn) / np.std(plain) == pytest.approx(1, abs=0.2)
    assert np.mean(drawn) == pytest.approx(np.mean(plain), abs=0.02)
    again = [m[0, 1] for _, m in got.resamples(np.random.default_rng(3), 5)]
    assert again == drawn[:5]


def test_resamples_without_spread_are_drawn_again():
    rows = pd.DataFrame({"x": [1] * 29 + [2], "y": [1, 2] * 15})
    got = correlated(ibis.memtable(rows), ["x", "y"], seed=1)
    drawn = [m for _, m in got.resamples(np.random.default_rng(3), 100)]
    assert len(drawn) == 100 and np.isfinite(drawn).all()


def test_unrelated_items_have_the_same_margins_and_no_correlation(small):
    got = correlated(ibis.memtable(small), list(small), seed=1, bags=1)
    rng = np.random.default_rng(1)
    drawn = np.array([got.null_matrix(rng)[np.triu_indices(5, 1)] for _ in range(200)])
    assert np.abs(drawn.mean(axis=0)).max() < 4 * drawn.std() / np.sqrt(200)
    # by the theory of independence a polychoric varies a little more than 1 / sqrt(n)
    assert 1 / np.sqrt(300) < drawn.std() < 2 / np.sqrt(300)
    margin = got.counts.unrelated(rng, 30_000).tables[0].sum(axis=1) / 30_000
    np.testing.assert_allclose(
        margin, small["a"].value_counts(normalize=True).sort_index(), atol=0.02
    )
    assert correlated(ibis.memtable(small), list("ab"), kind="pearson", seed=1).null_matrix is None


# --- what cannot be correlated, and what does not fit together


def test_the_nearest_correlations_are_rs_and_statsmodels():
    wrong = np.array([[1, 0.9, 0.1], [0.9, 1, 0.8], [0.1, 0.8, 1]])
    got = nearest_correlations(wrong)
    for i, j in combinations(range(3), 2):  # R's go down to eigenvalues of zero, ours to 0.001
        assert got[i, j] == pytest.approx(R[f"near.{i + 1}.{j + 1}"], abs=1e-3)
    with pytest.warns(match="Maximum iteration"):  # it asks for the end exactly
        theirs = corr_nearest(wrong, threshold=1e-3)
    np.testing.assert_allclose(got, theirs, atol=1e-5)
    assert np.linalg.eigvalsh(got)[0] > 0.0009 and (np.diagonal(got) == 1).all()
    good = np.array([[1, 0.5], [0.5, 1]])
    assert nearest_correlations(good) is good


def test_pairs_of_different_rows_are_repaired_and_say_so():
    """Three items, each pair answered by others: correlations 1, 1 and -1 in all but noise."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(3, 100))
    hole = np.full(100, np.nan)
    parts = [
        {"a": x[0], "b": x[0] + rng.normal(size=100) / 9, "c": hole},
        {"a": x[1], "b": hole, "c": x[1] + rng.normal(size=100) / 9},
        {"a": hole, "b": x[2], "c": -x[2] + rng.normal(size=100) / 9},
    ]
    rows = pd.concat(map(pd.DataFrame, parts), ignore_index=True)
    got = correlated(ibis.memtable(rows), ["a", "b", "c"], seed=1)
    assert got.repaired and got.change > 0.3 and got.n == 100
    assert np.linalg.eigvalsh(got.matrix)[0] > 0.0009
    assert len(list(got.resamples(np.random.default_rng(1), 3))) == 3


def test_items_that_tell_nothing_are_left_out_by_name(small):
    rows = small.astype(float).assign(
        same=3.0, none=np.nan, twin=8 - small["a"], total=small["a"] + small["c"]
    )
    for kind in ("pearson", "polychoric"):
        got = correlated(ibis.memtable(rows), list(rows), kind=kind, seed=1, bags=20)
        assert got.items == tuple("abcde")
        texts = {item: str(text) for item, text in got.left_out.items()}
        assert "every answer to it is the same" in texts["same"]
        assert "nobody answered it" in texts["none"]
        assert texts["twin"] == "“twin” is left out: it follows exactly from “a”."
        assert texts["total"] == "“total” is left out: it follows exactly from “a”, “c”."
        assert np.isfinite(got.matrix).all() and got.matrix.shape == (5, 5)


def test_items_never_answered_together(small):
    rows = small.astype(float)
    rows.loc[:149, "e"] = np.nan
    rows.loc[150:, "a"] = np.nan
    got = correlated(ibis.memtable(rows), list(rows), seed=1, bags=20)
    assert set(got.left_out) == {"a"} and "“e”" in str(got.left_out["a"])


@pytest.mark.parametrize("rows", [0, 1, 2, 4])
def test_hardly_any_rows_is_no_crash(small, rows):
    for missing in ("pairwise", "listwise", "mean"):
        got = correlated(ibis.memtable(small.iloc[:rows]), list(small), missing=missing, seed=1)
        assert got.matrix.shape == (len(got.items),) * 2 and np.isfinite(got.matrix).all()
        assert set(got.items) | set(got.left_out) == set(small)
        assert got.n <= rows


def test_what_the_user_can_mend(small):
    table = ibis.memtable(small.assign(f=np.arange(300.0)))
    with pytest.raises(CustomerlabError, match=r'no kind.*mean "polychoric"'):
        correlated(table, ["a"], kind="polychorc", seed=1)
    with pytest.raises(CustomerlabError, match='"pairs" is no treatment'):
        correlated(table, ["a"], missing="pairs", seed=1)
    with pytest.raises(CustomerlabError, match='"aa" is no item'):
        correlated(table, ["aa"], seed=1)
    with pytest.raises(CustomerlabError, match='"f" has 300 different answers'):
        correlated(table, ["a", "f"], kind="polychoric", seed=1)
