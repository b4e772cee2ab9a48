"""Small counts are masked so that no sum gives them back."""

from __future__ import annotations

import itertools
import math
from decimal import Decimal

import pandas as pd
import pytest

from customerlab.errors import CustomerlabError
from customerlab.privacy import (
    HIDDEN,
    mask_counts,
    refuse_personal_columns,
    round_counts,
    roundest,
)


def test_small_counts_are_masked_and_zero_is_nobody():
    frame = pd.DataFrame({"customers": [0, 1, 9, 10], "assets": [0.0, 5.0, 6.0, 7.0]})
    masked = mask_counts(frame, min_cell=10, counts=["customers"], with_them=["assets"])
    assert masked.customers.tolist() == [0, "<10", "<10", 10]
    assert masked.assets.tolist() == [0.0, HIDDEN, HIDDEN, 7.0]
    assert frame.customers.tolist() == [0, 1, 9, 10]


def test_a_second_cell_is_hidden_where_a_difference_would_tell():
    frame = pd.DataFrame({"customers": [1000, 3, 600, 397]})
    masked = mask_counts(frame, min_cell=10, counts=["customers"], sums=[(0, [1, 2, 3])])
    assert masked.customers.tolist() == [1000, "<10", 600, HIDDEN]


@pytest.mark.parametrize("counts", list(itertools.product([0, 4, 12, 300], repeat=4)))
def test_no_sum_of_the_funnel_leaves_exactly_one_unknown(counts):
    invalid, valid, active, dormant = counts
    potential = active + dormant
    rows = [
        sum(counts),
        invalid,
        valid + potential,
        valid,
        potential,
        active,
        dormant,
        valid + active,
    ]
    sums = [(0, (1, 2)), (2, (3, 4)), (4, (5, 6)), (7, (3, 5)), (2, (7, 6))]
    masked = mask_counts(
        pd.DataFrame({"customers": rows}), min_cell=10, counts=["customers"], sums=sums
    ).customers
    for total, parts in sums:
        unknown = [cell for cell in (total, *parts) if isinstance(masked[cell], str)]
        others = [cell for cell in (total, *parts) if cell not in unknown and rows[cell] > 0]
        # with one unknown left, all the others are nobody: then the total is the part itself
        assert len(unknown) != 1 or not others, (masked.tolist(), total, parts)


def test_a_difference_of_two_rows_is_a_count_too():
    """Read less clean: the customers who were only set aside."""
    read, clean, repaired = 3002, 3000, 2500
    frame = pd.DataFrame({"customers": [read, repaired, clean]})
    pairs = [(2, 0), (0, 1), (2, 1)]
    masked = mask_counts(frame, min_cell=10, counts=["customers"], differences=pairs)
    assert masked.customers.tolist() == [HIDDEN, repaired, clean]
    masked = mask_counts(frame, min_cell=2, counts=["customers"], differences=pairs)
    assert masked.customers.tolist() == [read, repaired, clean]


def test_a_part_beside_its_whole_is_a_count_too():
    """Caught less caught by this rule only: those caught by another as well."""
    frame = pd.DataFrame({"customers": [50, 50, 50], "only_this": [45, 50, 20]})
    masked = mask_counts(frame, min_cell=10, counts=["customers", "only_this"])
    assert masked.only_this.tolist() == [HIDDEN, 50, 20]


def test_parts_of_a_total_that_is_shown_elsewhere():
    frame = pd.DataFrame({"customers": [7, 1688, 34]})
    masked = mask_counts(frame, min_cell=10, counts=["customers"], sums=[(None, range(3))])
    assert masked.customers.tolist() == ["<10", 1688, HIDDEN]
    alone = mask_counts(frame[:1], min_cell=10, counts=["customers"], sums=[(None, range(1))])
    assert alone.customers.tolist() == ["<10"]


def test_columns_that_name_customers_are_refused():
    with pytest.raises(CustomerlabError, match="leave out customer_id, phone"):
        refuse_personal_columns(pd.DataFrame({"customer_id": [1], "phone": [2]}), "table x")


def test_an_amount_of_a_few_rows_is_hidden_where_nobody_counts_customers():
    frame = pd.DataFrame(
        {"rows": [100, 3, 97], "customers": [None, None, None], "amount": [900.0, 50.0, 850.0]}
    )
    masked = mask_counts(
        frame,
        min_cell=10,
        counts=["customers"],
        with_them=["amount"],
        rows="rows",
        sums=[(2, [0, 1])],
    )
    # what was read is hidden too: less the clean it would tell the amount of the three
    assert masked.amount.tolist() == [HIDDEN, HIDDEN, 850.0]
    assert masked.customers.isna().all()


def test_counts_side_by_side_are_rounded_to_whole_cells():
    """By hand; negative ones are differences. Half a cell goes to the even one, as pandas does."""
    counts = pd.Series([0, 4, 5, 6, 14, 15, 104, 1006, -6, -14])
    rounded = round_counts(counts, 10)
    assert rounded.tolist() == [0, 0, 0, 10, 10, 20, 100, 1010, -10, -10]
    assert rounded.dtype == "int64"
    assert round_counts(counts, 1).tolist() == counts.tolist()
    assert round_counts(pd.Series([1, 2, 3, 4]), 3).tolist() == [0, 3, 3, 3]
    assert ((round_counts(pd.Series(range(200)), 7) - range(200)).abs() <= 3.5).all()


@pytest.mark.parametrize(
    ("end", "following", "round_number"),
    [
        (97.31, 120, 100),
        (97.31, 100, 98),
        (97.31, 97.9, 97.4),
        (97.31, 97.32, 97.31),
        (100, 250, 100),
        (123, 250, 200),
        (123, 150, 130),
        (0, 50, 0),
        (0.97, 2, 1),
        (-12.5, 3, -10),
        (-5, 3, -5),
        (99.5, math.inf, 100),
        (1.1, 1.15, 1.1),
        (16.26, 16.267, 16.26),  # 16.26 / 0.01 is 1626.0000000000002 to a computer
        (math.inf, math.inf, math.inf),
        (-math.inf, 5, -math.inf),
    ],
)
def test_the_roundest_number_between_two_by_hand(end, following, round_number):
    assert roundest(end, following) == round_number


def digits(number: float) -> int:
    """Return how many digits a person writes, zeros at either end not counted."""
    return len(Decimal(repr(number)).normalize().as_tuple().digits)


def test_no_number_between_two_has_fewer_digits_than_the_roundest():
    """Oracle: every amount in cents between the two, tried one by one."""
    for first, last in itertools.product(range(95, 121), repeat=2):
        if first < last:
            found = roundest(first / 100, last / 100)
            assert first / 100 <= found < last / 100
            fewest = min(digits(cents / 100) for cents in range(first, last))
            assert digits(found) == fewest, (first / 100, last / 100, found)
