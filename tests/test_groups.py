"""Groups at risk: against the plainest pandas, R, and planted truth."""

from __future__ import annotations

import hashlib
import importlib
import itertools
from dataclasses import replace

import ibis
import numpy as np
import pandas as pd
import pytest
from conftest import ROOT
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

from customerlab.errors import CustomerlabError
from customerlab.messages import ENGLISH
from customerlab.privacy import HIDDEN
from customerlab.retention.group_answers import SHOWN, describe_groups, groups_to_show
from customerlab.retention.group_counts import fisher
from customerlab.retention.groups import COLUMNS, Group, Groups, find_groups, split_half

ATTRIBUTES = ["gender", "payroll", "region", "age_band"]
MOVED, EAST = ("payroll", "moved"), ("region", "east")


def rows(seed: int, customers: int = 8000) -> pd.DataFrame:
    """Return one row per customer: payroll moved and region east leave more often, all else not."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "gender": rng.choice(["female", "male", "unknown"], customers, p=[0.5, 0.45, 0.05]),
            "payroll": rng.choice(["none", "running", "moved"], customers, p=[0.5, 0.35, 0.15]),
            "region": rng.choice(["north", "east", "south", "west"], customers),
            "age_band": rng.choice(["20-29", "30-44", "45-59", "60+"], customers),
        }
    )
    chance = 0.06 * np.where(frame.payroll == "moved", 3.0, 1.0)
    chance *= np.where(frame.region == "east", 1.7, 1.0)
    return frame.assign(n=1, left=(rng.random(customers) < chance).astype(int))


def counted(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.groupby(ATTRIBUTES, as_index=False)[["n", "left"]].sum()


def plainest(search: pd.DataFrame, confirm: pd.DataFrame) -> tuple[int, pd.DataFrame]:
    """Return how many were tested, and those carried over, one comparison at a time."""

    def p_of(frame, child, parent):
        inside = np.logical_and.reduce([frame[a] == b for a, b in child])
        among = np.logical_and.reduce(
            [np.ones(len(frame), bool), *(frame[a] == b for a, b in parent)]
        )
        rest = frame[among & ~inside].left
        mine = frame[inside].left
        square = [[mine.sum(), (1 - mine).sum()], [rest.sum(), (1 - rest).sum()]]
        return stats.fisher_exact(square, alternative="greater").pvalue

    tested, found = 0, []
    for size in (1, 2, 3):
        for chosen in itertools.combinations(ATTRIBUTES, size):
            for levels in itertools.product(*(sorted(set(search[a])) for a in chosen)):
                child = tuple(zip(chosen, levels, strict=True))
                inside = np.logical_and.reduce([search[a] == b for a, b in child])
                mine, rest = search[inside].left, search[~inside].left
                if "unknown" in levels or len(mine) < 50 or mine.sum() < 5 or len(rest) < 50:
                    continue
                tested += 1
                wholes = [c for k in range(size) for c in itertools.combinations(child, k)]
                if mine.mean() <= 1.2 * rest.mean() or any(
                    p_of(search, child, whole) >= 0.05 for whole in wholes
                ):
                    continue
                inside = np.logical_and.reduce([confirm[a] == b for a, b in child])
                p = max(p_of(confirm, child, whole) for whole in wholes)
                mine, rest = confirm[inside].left, confirm[~inside].left
                found.append((Group(child), len(mine), mine.sum(), rest.mean(), p))
    columns = ["group", "customers", "left", "share_others", "p"]
    return tested, pd.DataFrame(found, columns=columns)


def test_as_the_plainest_pandas_with_scipy_and_statsmodels():
    search, confirm = rows(44), rows(45)  # a bank where some do not hold
    groups = find_groups(counted(search), counted(confirm), ATTRIBUTES)
    tested, carried = plainest(search, confirm)
    assert (groups.tested, groups.carried) == (tested, len(carried))
    held, q = multipletests(carried.p, alpha=0.10, method="fdr_bh")[:2]
    want = carried.assign(q=q, share=carried.left / carried.customers)[held]
    alpha = 0.05 * held.sum() / len(carried)  # Benjamini and Yekutieli's false coverage rate
    low, high = proportion_confint(want.left, want.customers, alpha=alpha, method="wilson")
    want = want.assign(low=low, high=high, ratio=want.share / want.share_others)
    want = want.sort_values("share", ascending=False)[COLUMNS].reset_index(drop=True)
    assert 2 <= len(want) < len(carried)
    pd.testing.assert_frame_equal(groups.table, want, check_dtype=False, rtol=1e-9)


def test_fisher_as_r():
    # fisher.test(matrix(c(a, b, c, d), 2), alternative = "greater") of R 4; the first is its
    # help page's lady tasting tea. left, n, left_all, n_all.
    squares = [(3, 4, 4, 8), (42, 968, 90, 10000), (9, 189, 50, 3000), (120, 520, 1200, 10000)]
    p = fisher(*np.array(squares).T)
    want = [0.242857142857, 9.90133746978e-20, 0.00338817056779, 2.73770842553e-13]
    np.testing.assert_allclose(p, want, rtol=1e-9)
    assert fisher(np.array([0]), np.array([0]), 0, 0) == 1  # nobody to compare


def test_counts_as_rows_in_any_order():
    search, confirm = rows(3), rows(4)
    one = find_groups(search, confirm, ATTRIBUTES)
    mixed = counted(search).sample(frac=1, random_state=1)
    other = find_groups(mixed, counted(confirm).sample(frac=1, random_state=2), ATTRIBUTES)
    pd.testing.assert_frame_equal(one.table, other.table)
    assert (one.tested, one.carried, one.left) == (other.tested, other.carried, other.left)


def test_the_planted_groups_without_what_adds_nothing():
    groups = find_groups(counted(rows(5)), counted(rows(6)), ATTRIBUTES)
    named = [group.levels for group in groups.table.group]
    assert {(MOVED,), (EAST,), (MOVED, EAST)} <= set(named)
    assert len(named) <= 5  # "moved and male" is not there, nor are most other variants
    assert groups.table.share.is_monotonic_decreasing


def test_the_search_does_not_touch_the_estimates():
    confirm = rows(8)
    groups = find_groups(counted(rows(7)), counted(confirm), ATTRIBUTES)
    for row in groups.table.itertuples():
        inside = row.group.of_frame(confirm)
        assert (row.customers, row.left) == (inside.sum(), confirm.left[inside].sum())
        assert row.share_others == pytest.approx(confirm.left[~inside].mean(), rel=1e-12)


def test_what_only_the_searched_half_shows_is_seldom_named():
    search, confirm = counted(rows(9)), rows(10)
    rng, times, named = np.random.default_rng(1), 40, 0
    for _ in range(times):
        confirm["left"] = rng.permutation(confirm["left"])
        groups = find_groups(search, counted(confirm), ATTRIBUTES)
        assert groups.carried >= 2
        named += len(groups.table) > 0
    # where all are false, the rate is the chance that any is named
    assert stats.binomtest(named, times, 0.10, "greater").pvalue > 0.001, named


def test_two_attributes_that_say_the_same_need_no_conjunction():
    search, confirm = rows(11), rows(12)
    for frame in (search, confirm):
        frame["paid"] = frame.payroll.map({"moved": "no more"}).fillna("other")
    groups = find_groups(search, confirm, ["payroll", "paid"])
    assert [g.levels for g in groups.table.group] == [(MOVED,), (("paid", "no more"),)]


def test_missing_is_unknown_and_never_a_level():
    search, confirm = rows(13), rows(14)
    for frame in (search, confirm):
        gone = frame.region == "east"
        frame["region"] = frame.region.mask(gone, "unknown")
    missing = search.assign(region=search.region.mask(search.region == "unknown"))
    one = find_groups(search, confirm, ATTRIBUTES)
    assert not any("unknown" in dict(g.levels).values() for g in one.table.group)
    assert not any("region" in dict(g.levels) for g in one.table.group)
    pd.testing.assert_frame_equal(one.table, find_groups(missing, confirm, ATTRIBUTES).table)


def test_a_level_that_is_seen_in_one_half_only():
    search, confirm = rows(15), rows(16)
    search["region"] = search.region.replace("east", "old name")
    groups = find_groups(search, confirm, ATTRIBUTES)
    assert not any("region" in dict(g.levels) for g in groups.table.group)
    assert (MOVED,) in [g.levels for g in groups.table.group]


EMPTY = pd.DataFrame({name: pd.Series(dtype=object) for name in ATTRIBUTES}).assign(
    n=pd.Series(dtype=int), left=pd.Series(dtype=int)
)
ALL, NOBODY_LEFT = rows(17), rows(17).assign(left=0)


@pytest.mark.parametrize(
    ("search", "confirm", "attributes"),
    [
        (EMPTY, EMPTY, ATTRIBUTES),
        (ALL, EMPTY, ATTRIBUTES),
        (EMPTY, ALL, ATTRIBUTES),
        (NOBODY_LEFT, NOBODY_LEFT, ATTRIBUTES),
        (ALL, NOBODY_LEFT, ATTRIBUTES),
        (ALL.assign(left=1), ALL.assign(left=1), ATTRIBUTES),
        (ALL.assign(payroll="none"), ALL.assign(payroll="none"), ["payroll"]),
        (ALL.assign(payroll="unknown"), ALL, ["payroll"]),
        (ALL, ALL, []),
        (ALL.head(40), ALL.head(40), ATTRIBUTES),
    ],
    ids=[
        *("nothing", "no_confirm", "no_search", "none_left", "none_confirmed"),
        *("all_left", "alike", "unknown", "none", "few"),
    ],
)
def test_nothing_to_find_is_an_empty_table_and_a_sentence(search, confirm, attributes):
    groups = find_groups(search, confirm, attributes)
    assert groups.table.empty and list(groups.table.columns) == COLUMNS
    assert ENGLISH(groups.text)
    shown = groups_to_show(groups, 10)
    assert shown.empty and list(shown.columns) == SHOWN
    (finding,) = describe_groups(groups, horizon_months=5)
    assert finding.id == "churn_timing.group_1"
    little = groups.left < 30 or groups.tested == 0
    assert finding.status == ("not_enough_data" if little else "weak")
    assert (finding.value is None) == little and finding.low is None


def test_an_attribute_that_is_not_there():
    with pytest.raises(CustomerlabError, match="no attribute 'gendr'"):
        find_groups(ALL, ALL, ["gendr"])


def test_a_group_is_the_same_in_a_frame_and_in_a_table():
    frame = rows(18, 500)[ATTRIBUTES]
    frame.loc[::7, "payroll"] = None
    table = ibis.memtable(frame, schema=ibis.schema(dict.fromkeys(ATTRIBUTES, "string")))
    for levels in [(MOVED,), (("gender", "female"), MOVED), (("gender", "male"), MOVED, EAST)]:
        group = Group(levels)
        inside = group.of_table(table)
        plain = np.logical_and.reduce([frame[a] == b for a, b in levels])
        assert (group.of_frame(frame) == plain).all()
        assert table.filter(inside).count().execute() == plain.sum()
        assert table.filter(~inside).count().execute() == (~plain).sum()


def test_a_group_in_words():
    group = Group((("gender", "female"), ("age_band", "20-29"), ("payroll", "running")))
    assert ENGLISH(group.text) == (
        "“gender: women” and “age in years: 20-29” and “payroll: paid through us last month”"
    )
    assert ENGLISH(Group((("shop", "A"),)).text) == "“shop: A”"


def test_halves_are_the_first_bit_of_the_md5_and_do_not_hang_together():
    ids = [f"C{number:06d}" for number in range(4000)]
    table = ibis.memtable({"customer_id": ids})
    halves = table.mutate(one=split_half(table, seed=1), two=split_half(table, seed=2))
    frame = halves.order_by("customer_id").to_pandas()
    want = [hashlib.md5(f"1:groups:{i}".encode()).digest()[0] < 128 for i in ids]
    assert frame.one.tolist() == want
    # 99.9 % binomial bounds: two halves, and the quarter that is in both
    assert abs(frame.one.sum() - 2000) < 3.3 * np.sqrt(4000 / 4)
    assert abs((frame.one & frame.two).sum() - 1000) < 3.3 * np.sqrt(4000 * 3 / 16)
    numbers = ibis.memtable({"customer_id": [17, 18]})
    flags = numbers.select(x=split_half(numbers, seed=1)).to_pandas().x.tolist()
    assert flags == [hashlib.md5(f"1:groups:{i}".encode()).digest()[0] < 128 for i in (17, 18)]


def listed(*groups: tuple[tuple[tuple[str, str], ...], int, int]) -> Groups:
    """Return a list of groups with so many customers and exits."""
    table = pd.DataFrame(
        [(Group(levels), n, left, left / n) for levels, n, left in groups],
        columns=["group", "customers", "left", "share"],
    )
    table = table.assign(low=0.123456, high=0.9, share_others=0.1, ratio=2.0, p=0.001, q=0.01)
    return Groups(table[COLUMNS], 100, 10, 5000, 500, 0.1)


def test_findings_name_the_first_groups_that_carry():
    groups = listed(
        ((MOVED, ("gender", "male"), EAST), 60, 29),  # too few exits to be a finding
        ((MOVED, EAST), 90, 40),
        ((MOVED,), 400, 120),
        ((EAST,), 1200, 200),
        ((("complaints", "2+"),), 900, 130),
    )
    findings = describe_groups(groups, horizon_months=5, min_cell=10)
    assert [f.id for f in findings] == [f"churn_timing.group_{k}" for k in (1, 2, 3)]
    assert [f.status for f in findings] == ["weak", "supported", "supported"]
    assert [f.n for f in findings] == [90, 400, 1200]
    assert findings[1].value == 0.3 and findings[1].unit == "percent"
    assert ENGLISH(findings[1].text) == (
        "Of the customers with “payroll: no longer paid through us”, 30.0 % left within 5 months "
        "(12.3 % to 90.0 %), against 10.0 % of all others."
    )


def test_findings_where_nothing_stands_out():
    (finding,) = describe_groups(listed(), horizon_months=5)
    assert finding.status == "weak" and "of 100 groups compared" in ENGLISH(finding.text)
    (finding,) = describe_groups(Groups(listed().table, 100, 10, 400, 29, 0.1), horizon_months=5)
    assert finding.status == "not_enough_data" and "29 exits within 5 months" in ENGLISH(
        finding.text
    )


def test_no_small_number_can_be_worked_out_of_what_is_shown():
    groups = listed(
        ((MOVED, ("gender", "male")), 395, 119),  # 5 customers fewer than MOVED, one exit fewer
        ((MOVED,), 400, 120),
        ((EAST,), 61, 9),  # 9 left
        ((("shop", "A"),), 64, 58),  # 6 stayed
        ((("shop", "B"),), 304, 90),
    )
    shown = groups_to_show(groups, 10)
    assert list(shown.columns) == SHOWN
    assert (shown.customers % 10 == 0).all()
    hidden = shown.share == HIDDEN
    assert hidden.tolist() == [True, False, True, True, False]
    for column in ("events", "low", "high", "share_others", "ratio"):
        assert ((shown[column] == HIDDEN) == hidden).all()
    assert shown.events[4] == 90 and shown.low[4] == 0.123 and shown.customers[4] == 300
    # of all others 8 left: the share of the others would tell
    few_others = replace(groups, customers=800, left=128)
    assert groups_to_show(few_others, 10).share.tolist()[1] == HIDDEN
    ids = [f.n for f in describe_groups(few_others, horizon_months=5, min_cell=10)]
    assert 400 not in ids
    open_ = groups_to_show(groups, 1)
    assert open_.customers.tolist() == groups.table.customers.tolist()
    assert not (open_ == HIDDEN).any(axis=None)


def test_false_groups_are_as_rare_as_said(monkeypatch):
    """A few seeds; ``benchmarks/groups_false_discoveries.py`` counts 100."""
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    benchmark = importlib.import_module("groups_false_discoveries")
    nothing, tally, _ = benchmark.run(10, 20_000)
    named_for_nothing = sum(count > 0 for count in nothing)
    assert stats.binomtest(named_for_nothing, 10, 0.10, "greater").pvalue > 0.001
    assert tally.chance(tally.not_above_others) > 0.001
    assert tally.chance(tally.false) > 0.001
    assert tally.chance(tally.covered, 0.95, above=False) > 0.001
    for name in ("region east", "payroll moved", "complaints 2+"):
        assert all(tally.found[name]), name
