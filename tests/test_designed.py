"""Whether factors are those designed: by hand, on items that load on one planted factor each."""

from __future__ import annotations

import numpy as np
import pytest

from customerlab.drivers.designed import compare_design, find_homes
from customerlab.drivers.factors import fit_factors

#: Two factors, a to d and e to h; of each other they know little.
ITEMS = tuple("abcdefgh")
_LOADINGS = np.zeros((8, 2))
_LOADINGS[:4, 0], _LOADINGS[4:, 1] = (0.8, 0.7, 0.75, -0.65), (0.6, 0.7, 0.5, 0.65)
_MATRIX = _LOADINGS @ np.array([[1, 0.2], [0.2, 1]]) @ _LOADINGS.T
np.fill_diagonal(_MATRIX, 1)


@pytest.fixture(scope="module")
def fitted():
    return fit_factors(_MATRIX, 300, ITEMS, 2)


def only(checks):
    (check,) = checks
    return check


@pytest.mark.parametrize(
    "designed",
    [{"service": "abcd", "price": "efgh"}, {"price": "h", "service": "ab"}, {"price": "fe"}],
    ids=["all", "some", "one"],
)
def test_factors_as_designed_pass(fitted, designed):
    check = only(compare_design(fitted, designed))
    count = sum(map(len, designed.values()))
    text = f"Items compared: {count}. Each loads most on the factor that it was designed for."
    assert (check.passed, str(check.text), check.weakens) == (True, text, ())


def test_items_elsewhere_are_named(fitted):
    designed = {"service": "abce", "price": "fg"}
    check = only(compare_design(fitted, designed, item_name=lambda item: f"question {item}"))
    assert check.passed is False and check.weakens
    assert str(check.text) == (
        "Designed for service, but loading most on price: question e. What is weighed here are "
        "the factors as they were found."
    )


def test_designed_factors_found_as_one_are_named(fitted):
    check = only(compare_design(fitted, {"speed": "ab", "care": "cd", "price": "efg"}))
    assert check.passed is False
    assert str(check.text).startswith(
        "Designed as factors of their own, but found as one: speed, care. What is weighed"
    )


def test_items_on_a_factor_that_nobody_designed(fitted):
    check = only(compare_design(fitted, {"service": "abcgh"}))
    assert str(check.text).startswith(
        "Designed for service, but loading most on a factor that was not designed: g, h. What"
    )


def test_a_tie_goes_where_all_the_items_load_more(fitted):
    size = np.abs(fitted.pattern)
    at = [ITEMS.index("a"), ITEMS.index("f")]  # 0.8 on the one, 0.7 on the other
    more = fitted.names[size[at].sum(axis=0).argmax()]
    assert find_homes(fitted, {"mixed": "af"}) == find_homes(fitted, {"mixed": "fa"})
    assert find_homes(fitted, {"mixed": "af"}) == {"mixed": more}
    assert more == fitted.items_told.set_index("item")["factor"]["a"]


def test_no_design_no_factor_and_items_that_are_not_analysed(fitted):
    assert compare_design(fitted, {}) == ()
    nothing = fit_factors(_MATRIX, 300, ITEMS, 0)
    assert only(compare_design(nothing, {"service": "abcd"})).passed is None
    assert only(compare_design(fitted, {"gone": "xyz"})).passed is None
    assert find_homes(fitted, {"gone": "x", "service": "ax"}).keys() == {"service"}
    assert only(compare_design(fitted, {"gone": "x", "service": "ax"})).passed is True
