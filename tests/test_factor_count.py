"""The number of factors against R's psych, plain simulation, and planted factors.

R's numbers come from ``tests/oracles/psych_factors.R`` (R 4.2.2, psych 2.2.9).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from customerlab.drivers.factor_count import (
    count_factors,
    most_factors,
    partial_powers,
    random_correlations,
)
from customerlab.messages import Words

ORACLE = Path(__file__).parent / "oracles" / "psych_factors.csv"
ROWS = {"made": 300, "mobi": 250}


def made() -> np.ndarray:
    """Make the correlations that psych_factors.R makes, by the same rule."""
    i = np.arange(1, 13)
    load = np.zeros((12, 3))
    load[i - 1, (i - 1) // 4] = 0.4 + ((i * 7) % 5) / 10
    load[i - 1, i % 3] += 0.1
    load[1, 0] *= -1
    phi = np.array([[1, 0.4, 0.2], [0.4, 1, 0.3], [0.2, 0.3, 1]])
    matrix = load @ phi @ load.T + 0.03 * np.cos(np.outer(i, i))
    np.fill_diagonal(matrix, 1)
    return matrix


@pytest.fixture(params=["made", "mobi"])
def example(request):
    """Return the name, the correlations and the rows of an example of psych_factors.R."""
    if request.param == "made":
        return "made", made(), 300
    survey = pd.read_csv(request.getfixturevalue("shared_data") / "mobi" / "mobi.csv")
    return "mobi", survey.corr().to_numpy(), 250


def names(matrix):
    return [f"i{i + 1}" for i in range(len(matrix))]


def test_numbers_are_psychs(example):
    name, matrix, n = example
    r = pd.read_csv(ORACLE, index_col="name")["value"]
    got = count_factors(matrix, n, np.random.default_rng(1), items=names(matrix))
    assert got.parallel == got.chosen == r[f"{name}.parallel.pc"]
    assert got.parallel_reduced == r[f"{name}.parallel.fa"]
    k = len(matrix)
    for column, of_r in {"eigenvalue": "pc", "reduced_eigenvalue": "fa"}.items():
        theirs = [r[f"{name}.eigen.{of_r}.{i + 1}"] for i in range(k)]
        np.testing.assert_allclose(got.table[column], theirs, atol=1e-8)
    theirs = [r[f"{name}.map.{i + 1}"] for i in range(8)]
    np.testing.assert_allclose(got.table["map"][:8], theirs, atol=1e-8)
    assert got.map == 1 + int(np.argmin(theirs))
    assert got.kaiser == (got.table["eigenvalue"] > 1).sum()


@pytest.mark.parametrize("n", [8, 9, 40, 800])
def test_random_correlations_are_those_of_random_rows(n):
    """Quantiles of the largest eigenvalue: of a Wishart as of correlations of plain rows."""
    rng = np.random.default_rng(4)
    k, times = 8, 4000
    drawn = np.linalg.eigvalsh(random_correlations(k, n, times, rng))[:, -1]
    rows = [np.corrcoef(rng.normal(size=(n, k)), rowvar=False) for _ in range(times)]
    plain = np.linalg.eigvalsh(np.array(rows))[:, -1]
    # two samples of 4,000 each: the distance of their distributions is below 1.95 / sqrt(2,000)
    # in 999 of 1,000 pairs (Smirnov)
    grid = np.sort(np.concatenate([drawn, plain]))
    shares = [np.searchsorted(np.sort(some), grid, side="right") / times for some in (drawn, plain)]
    assert np.abs(shares[0] - shares[1]).max() < 1.95 / np.sqrt(times / 2)


def test_partial_correlations_by_hand():
    """Of three items whose correlations are all 0.5: one component, of equal loadings."""
    matrix = np.full((3, 3), 0.5) + 0.5 * np.eye(3)
    squared, fourth = partial_powers(matrix)
    # eigenvalue 2, loadings sqrt(2/3): left are 1/3 on the diagonal and -1/6 beside it
    np.testing.assert_allclose(squared[:2], [0.25, 0.25])
    np.testing.assert_allclose(fourth[:2], [0.0625, 0.0625])
    assert np.isnan(squared[3])


def planted(rng, n, factors=3, own=5):
    common = rng.normal(size=(n, factors))
    return np.repeat(common, own, axis=1) * 0.7 + rng.normal(size=(n, factors * own)) * 0.71


def test_planted_factors_are_counted():
    found = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        matrix = np.corrcoef(planted(rng, 400), rowvar=False)
        got = count_factors(matrix, 400, rng, items=names(matrix), draws=200)
        found.append((got.parallel, got.map))
    assert found == [(3, 3)] * 20
    assert got.agreed
    assert str(got.text).startswith("Number of factors: 3, by parallel analysis and by Velicer's")


def test_no_factor_is_found_where_there_is_none():
    """At the 95th percentile one of twenty samples of nothing has a factor."""
    found = []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        matrix = random_correlations(10, 300, 1, rng)[0]
        found.append(count_factors(matrix, 300, rng, items=names(matrix), draws=200).chosen)
    # of 200 with a chance of 0.05 each: 20 or more in one of 1,000 trials
    assert np.count_nonzero(found) < 20
    none = count_factors(np.eye(4), 300, rng, items=list("abcd"))
    assert none.chosen == 0
    assert "No factor" in str(none.text)


def test_null_of_the_caller_is_used():
    matrix = made()
    asked = []

    def null(rng):
        asked.append(1)
        return random_correlations(12, 20, 1, rng)[0]

    rng = np.random.default_rng(1)
    few = count_factors(matrix, 10**6, rng, items=names(matrix), resample_null=null, draws=50)
    many = count_factors(matrix, 10**6, rng, items=names(matrix))
    assert len(asked) == 50
    assert few.parallel < many.parallel


def test_disagreement_is_told_and_the_parameters_have_the_last_word():
    matrix = made()
    rng = np.random.default_rng(1)
    # of so many rows every eigenvalue above 1 is beyond chance, MAP does not look at n
    few = count_factors(matrix, 15, rng, items=names(matrix))
    assert few.parallel < few.map == 3
    assert "The rules do not agree" in str(few.text)
    set_to = count_factors(matrix, 300, rng, items=names(matrix), given=2)
    assert (set_to.chosen, set_to.given, set_to.parallel) == (2, True, 3)
    assert "as set in the parameters" in str(set_to.text)
    too_many = count_factors(matrix, 300, rng, items=names(matrix), given=11)
    assert too_many.chosen == too_many.most == 7
    assert "the most that so few items tell" in str(too_many.text)


@pytest.mark.parametrize(
    ("items", "most"), [(1, 0), (2, 0), (3, 1), (4, 1), (5, 2), (6, 3), (24, 17)]
)
def test_most_factors_leave_no_negative_degrees_of_freedom(items, most):
    assert most_factors(items) == most
    degrees = [((items - m) ** 2 - items - m) / 2 for m in range(items)]
    assert sum(d >= 0 for d in degrees[1:]) == most


@pytest.mark.parametrize(
    ("matrix", "n"),
    [
        (np.zeros((0, 0)), 100),
        (np.eye(1), 100),
        (np.full((4, 4), np.nan), 100),
        (np.eye(4), 0),
        (np.eye(2), 100),
        (np.ones((4, 4)), 100),
        (random_correlations(12, 5, 1, np.random.default_rng(0))[0], 5),
    ],
    ids=["nothing", "one", "unknown", "no rows", "two", "all the same", "few rows"],
)
def test_odd_matrices_are_told_in_words(matrix, n):
    got = count_factors(matrix, n, np.random.default_rng(0), items=names(matrix), draws=50)
    assert got.chosen <= got.most
    assert str(got.text)
    assert list(got.table)[:3] == ["factors", "eigenvalue", "random_95"]
    assert Words("en")(got.text)
