"""Sums of the engine against plain pandas, and the bootstrap of bags against that of rows."""

from __future__ import annotations

import ibis
import numpy as np
import pandas as pd
import pytest

from customerlab.drivers import moments
from customerlab.drivers.moments import count_moments, deal_bags


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(3)
    common = rng.normal(size=1200)
    frame = pd.DataFrame({name: common + rng.normal(size=1200) for name in "abcd"})
    frame = (frame * 3 + 1000).round(2).mask(rng.random((1200, 4)) < 0.1)
    return frame.assign(customer_id=[f"{i:04d}" for i in range(1200)])


ITEMS = list("abcd")


def counted(table, items, **dealt):
    return count_moments(deal_bags(table, items, **dealt), items)


@pytest.mark.parametrize("pulled", [0, 100_000])
@pytest.mark.parametrize("bags", [1, 7, 500, 5000])
def test_moments_are_plain_pandas(rows, bags, pulled, monkeypatch):
    monkeypatch.setattr(moments, "PULLED", pulled)
    rows = rows.assign(d=rows["d"].fillna(0))  # one item is always known
    got = counted(ibis.memtable(rows), ITEMS, seed=1, key="customer_id", bags=bags)
    assert got.bags == min(bags, len(rows))
    np.testing.assert_allclose(got.correlation, rows[ITEMS].corr(), rtol=0, atol=1e-12)
    np.testing.assert_allclose(got.covariance, rows[ITEMS].cov(), rtol=1e-11)
    np.testing.assert_allclose(got.mean, rows[ITEMS].mean(), rtol=1e-12)
    assert got.known.tolist() == rows[ITEMS].count().tolist()
    some = got.select(["d", "a"])
    np.testing.assert_allclose(some.correlation, rows[["d", "a"]].corr(), atol=1e-12)


def test_folds_are_rows_learnt_from_and_rows_judged(rows):
    whole = rows.dropna()
    got = counted(ibis.memtable(whole), ITEMS, seed=1, key="customer_id", bags=50)
    parts = got.folds(5)
    assert len(parts) == 5
    for learnt, judged in parts:
        assert learnt.known[0] + judged.known[0] == len(whole)
        both = learnt.products + judged.products
        np.testing.assert_allclose(both[0], got.products.sum(axis=0))
    assert sum(judged.known[0] for _, judged in parts) == len(whole)


def test_bags_vary_as_rows_do(rows):
    """The spread of a correlation over resamples of bags is that over resamples of rows."""
    rng = np.random.default_rng(8)
    whole = rows.dropna()
    got = counted(ibis.memtable(whole), ITEMS, seed=1, key="customer_id", bags=300)
    bags = [got.drawn(rng).correlation[0, 1] for _ in range(600)]
    plain = [whole.sample(frac=1, replace=True, random_state=i)["a"] for i in range(600)]
    other = [np.corrcoef(a, whole.loc[a.index, "b"])[0, 1] for a in plain]
    # either spread is known to within 1 / sqrt(2 x 600), 3 %: four times that of the ratio
    assert np.std(bags) / np.std(other) == pytest.approx(1, abs=0.17)


def test_the_order_of_rows_does_not_matter_and_the_seed_does(rows):
    mixed = rows.sample(frac=1, random_state=1)
    one, again, other = (
        counted(ibis.memtable(frame), ITEMS, seed=seed, key="customer_id", bags=20)
        for frame, seed in ((rows, 1), (mixed, 1), (rows, 2))
    )
    np.testing.assert_allclose(one.products, again.products)
    assert not np.allclose(one.products, other.products)


def test_an_item_that_does_not_vary_or_nobody_answered_has_no_correlation():
    frame = pd.DataFrame({"a": [1.0, 2, 3, 4], "b": [0.1] * 4, "c": [np.nan] * 4})
    got = counted(ibis.memtable(frame), ["a", "b", "c"], seed=1)
    assert got.correlation[0, 0] == pytest.approx(1)
    assert np.isnan(got.correlation[[0, 0], [1, 2]]).all()
    assert np.isnan(got.mean[2]) and got.known.tolist() == [4, 4, 0]
