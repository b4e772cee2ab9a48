"""Cuts from the data: against R's maxstat, brute force, and optbinning on rows.

R's numbers come from ``tests/oracles/maxstat.R`` (R 4.2.2, maxstat 0.7-25, mvtnorm).
"""

import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from optbinning import OptimalBinning
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from customerlab.validity import cutpoints
from customerlab.validity.cutpoints import bin_monotone, bootstrap_cut
from customerlab.validity.selected import (
    OVERSHOOT,
    _overshoot,
    p_exact,
    p_gaussian,
    p_lausen92,
    search,
    select_cut,
    statistics,
)

ORACLES = Path(__file__).parent / "oracles"
R = pd.read_csv(ORACLES / "maxstat.csv", index_col="name")["value"].drop(["r", "maxstat"])
R = R.astype(float)
PROPS = [(0.1, 0.9), (0.25, 0.6)]


@pytest.fixture(params=["treepipit", "ties", "telco", "few"])
def case(request):
    """Return a name of maxstat.R and its table, one row per customer."""
    if request.param in {"treepipit", "ties"}:
        rows = pd.read_csv(ORACLES / f"maxstat_{request.param}.csv")
        return request.param, pd.DataFrame({"x": rows["x"], "n": 1, "events": rows["y"]})
    telco = pd.read_csv(request.getfixturevalue("shared_data") / "telco" / "telco.csv")
    left = (telco["Churn"] == "Yes").astype(int)
    rows = pd.DataFrame({"x": telco["tenure"], "n": 1, "events": left})
    return request.param, rows.iloc[::40] if request.param == "few" else rows


def counted(rows):
    return rows.groupby("x", as_index=False)[["n", "events"]].sum()


def drawn(rng, x, share):
    return pd.DataFrame({"x": x, "n": 1, "events": rng.binomial(1, share, len(x))})


# --- the cut and its statistic


@pytest.mark.parametrize("props", PROPS)
def test_cut_and_statistic_are_rs(case, props):
    name, rows = case
    found = select_cut(rows, minprop=props[0], maxprop=props[1])
    r = {key: R[f"{name}.{props[0]:g}.{key}"] for key in ("cut", "statistic", "cuts")}
    assert found.cut == r["cut"]
    assert found.statistic == pytest.approx(r["statistic"], rel=1e-12)
    x = found.candidates["x"]
    assert len(x) == r["cuts"]
    ends = [R[f"{name}.{props[0]:g}.{key}"] for key in ("first", "last")]
    assert [x.iloc[0], x.iloc[-1]] == ends
    assert (found.n, found.events) == (len(rows), rows["events"].sum())


def test_the_side_with_more_is_told(case):
    _, rows = case
    found = select_cut(rows)
    low = rows["x"] <= found.cut
    share = {"low": rows.loc[low, "events"].mean(), "high": rows.loc[~low, "events"].mean()}
    assert found.more == max(share, key=share.get)
    opposite = select_cut(rows.assign(events=1 - rows["events"]))
    assert opposite.more != found.more
    assert opposite.statistic == pytest.approx(found.statistic, rel=1e-12)
    assert opposite.p == pytest.approx(found.p, rel=1e-9)


def test_counts_in_any_order_give_what_rows_give(case):
    _, rows = case
    one, other = select_cut(rows), select_cut(counted(rows).sample(frac=1, random_state=1))
    assert (one.cut, one.statistic, one.p) == (other.cut, other.statistic, other.p)
    pd.testing.assert_frame_equal(one.candidates, other.candidates)
    shuffled = rows.sample(frac=1, random_state=2)
    intervals = [
        bootstrap_cut(table, np.random.default_rng(3)) for table in (rows, counted(rows), shuffled)
    ]
    assert len(set(intervals)) == 1


def test_of_equal_cuts_the_lowest():
    table = pd.DataFrame({"x": [1, 2, 3, 4], "n": 10, "events": [1, 3, 3, 5]})
    found = select_cut(table)
    assert found.candidates["statistic"].iloc[0] == pytest.approx(
        found.candidates["statistic"].iloc[2], rel=1e-12
    )
    assert found.cut == 1


@pytest.mark.parametrize(
    "table",
    [
        {"x": [1, 2, 3], "n": [5, 5, 5], "events": [0, 0, 0]},
        {"x": [1, 2, 3], "n": [5, 5, 5], "events": [5, 5, 5]},
        {"x": [7, 7], "n": [5, 5], "events": [1, 2]},
        {"x": [1.0], "n": [1], "events": [1]},
        {"x": [1.0, 2.0], "n": [2, 98], "events": [1, 20]},  # the only cut is outside 10-90 %
        {"x": [1.0, 2.0], "n": [0, 50], "events": [0, 20]},
        {"x": [], "n": [], "events": []},
    ],
)
def test_no_cut_is_an_answer(table):
    table = pd.DataFrame(table)
    found = select_cut(table)
    assert np.isnan([found.cut, found.statistic, found.p]).all()
    assert (found.more, found.method, len(found.candidates)) == (None, None, 0)
    assert found.n == table["n"].sum()
    assert [*found.candidates] == ["x", "n_below", "events_below", "statistic"]
    assert np.isnan(bootstrap_cut(table, np.random.default_rng(0))).all()
    assert bin_monotone(table)["n"].sum() == found.n


@pytest.mark.parametrize("answer", [select_cut, bin_monotone])
@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"x": [1.0, np.nan]}, "x is missing"),
        ({"x": [1.0, np.inf]}, "x is missing"),
        ({"events": [1, 6]}, "between 0 and n"),
        ({"events": [1, -1]}, "between 0 and n"),
        ({"n": [5, np.nan]}, "between 0 and n"),
    ],
)
def test_wrong_counts_are_refused(answer, change, text):
    table = pd.DataFrame({"x": [1.0, 2.0], "n": [5, 5], "events": [1, 2]} | change)
    with pytest.raises(ValueError, match=text):
        answer(table)


@pytest.mark.parametrize("props", [(0, 0.9), (0.1, 1), (0.9, 0.1)])
def test_wrong_range_is_refused(props):
    table = pd.DataFrame({"x": [1.0, 2.0], "n": [5, 5], "events": [1, 2]})
    with pytest.raises(ValueError, match="minprop"):
        select_cut(table, minprop=props[0], maxprop=props[1])


# --- p-values


@pytest.mark.parametrize("props", PROPS)
def test_lausen_schumacher_is_rs(case, props):
    name, rows = case
    found = select_cut(rows, minprop=props[0], maxprop=props[1])
    wanted = R[f"{name}.{props[0]:g}.lau92"]
    assert p_lausen92(found.statistic, *props) == pytest.approx(wanted, rel=1e-6)
    assert p_lausen92(0.9, *props) == 1


@pytest.mark.parametrize("props", PROPS)
def test_gaussian_is_rs(case, props):
    name, rows = case
    found = select_cut(rows, minprop=props[0], maxprop=props[1])
    below = found.candidates["n_below"].to_numpy()
    for b in (1.5, 2.5, 3):  # mvtnorm draws at random: 1e-3
        wanted = R[f"{name}.{props[0]:g}.gauss.{b:g}"]
        assert p_gaussian(b, below, found.n) == pytest.approx(wanted, abs=5e-4)
    own = f"{name}.{props[0]:g}.exactGauss"
    if own in R:  # with its default error, 1e-3
        got = p_gaussian(found.statistic, below, found.n)
        assert got == pytest.approx(R[own], abs=1e-3)


@pytest.mark.parametrize("case", ["treepipit", "ties", "few"], indirect=True)  # R permutes these
@pytest.mark.parametrize("props", PROPS)
def test_exact_is_within_the_error_of_permutations(case, props):
    name, rows = case
    found = select_cut(rows, minprop=props[0], maxprop=props[1])
    assert found.method == "exact"
    draws = int(R["draws"])

    def plausible(key, p):
        seen = round(R[f"{name}.{props[0]:g}.{key}"] * draws)
        return stats.binomtest(seen, draws, p).pvalue > 1e-3

    assert plausible("permuted", found.p)
    # R's own counts only what is larger than the statistic; among few birds that differs
    below = found.candidates["n_below"].to_numpy()
    larger = p_exact(found.statistic * (1 + 1e-8), below, found.n, found.events)
    assert larger <= found.p
    assert plausible("condMC", larger)


def test_exact_is_all_permutations():
    below, n, events = np.array([2, 3, 5, 7]), 9, 4
    orders = np.zeros((0, n), dtype=int)
    for places in itertools.combinations(range(n), events):
        orders = np.vstack([orders, np.isin(np.arange(n), places)])
    largest = statistics(orders.cumsum(axis=1)[:, below - 1], below, n, events).max(axis=1)
    for b in np.unique(largest.round(12)):
        wanted = np.mean(largest >= b - 1e-9)
        assert p_exact(b, below, n, events) == pytest.approx(wanted, rel=1e-12)
    assert p_exact(largest.max() + 0.01, below, n, events) == 0


def test_one_cut_is_the_hypergeometric_and_the_normal_test():
    below, n, events = np.array([40]), 100, 30
    law = stats.hypergeom(n, events, 40)
    s = np.arange(31)
    over = statistics(s, below, n, events) >= 2
    assert p_exact(2.0, below, n, events) == pytest.approx(law.pmf(s)[over].sum(), rel=1e-10)
    assert p_gaussian(2.0, below, n) == pytest.approx(2 * stats.norm.sf(2), rel=1e-12)


def test_two_cuts_are_the_bivariate_normal():
    below, n, b = np.array([30, 50]), 100, 2.0
    r = np.sqrt(30 * 50 / (50 * 70))
    law = stats.multivariate_normal(cov=[[1, r], [r, 1]])
    inside = law.cdf([b, b], lower_limit=[-b, -b])
    assert p_gaussian(b, below, n) == pytest.approx(1 - inside, abs=1e-6)


@pytest.mark.parametrize("b", [1.5, 2.5])
@pytest.mark.parametrize("spaced", ["evenly", "unevenly", "in lumps"])
def test_thinning_many_cuts_costs_nothing_that_matters(b, spaced):
    n = 20_000
    below = {
        "evenly": np.linspace(0.1 * n, 0.9 * n, 1000).astype(int),
        "unevenly": np.unique(np.random.default_rng(5).integers(n // 10, n * 9 // 10, 600)),
        "in lumps": np.r_[3000:3300, 5000, 9000:9003, 9300, 15_000, 16_000:16_500:3],
    }[spaced]
    whole = p_gaussian(b, below, n, steps=10**6)
    assert p_gaussian(b, below, n) == pytest.approx(whole, rel=5e-3)
    assert p_gaussian(b, below, n, steps=500) == pytest.approx(whole, rel=1e-2)
    uncorrected = p_gaussian(b, below[::10], n, steps=10**6)  # what thinning alone would cost
    assert uncorrected < whole * 0.97


def test_cuts_that_hardly_differ_count_as_one():
    n, b = 3_500_000, 2.5
    one = p_gaussian(b, np.array([1_000_000]), n)
    assert p_gaussian(b, np.arange(1_000_000, 1_000_006), n) == pytest.approx(one, rel=5e-3)
    assert p_gaussian(b, np.arange(1_000_000, 1_000_060), n) == pytest.approx(one, rel=5e-2)
    far = np.array([1_000_000, 1_700_000, 2_000_000])  # a last cut just beyond another
    wanted = p_gaussian(b, far, n)
    assert p_gaussian(b, np.append(far, 2_000_001), n) == pytest.approx(wanted, rel=5e-3)


def test_mean_overshoot():
    """Known for normal steps of one size, and for Laplace ones, which forget where they began."""
    assert _overshoot(np.full(5, 4.0), np.array([0, 2])) == pytest.approx(2 * OVERSHOOT, rel=1e-9)
    gaps = stats.expon.ppf((np.arange(100_000) + 0.5) / 100_000)
    assert _overshoot(gaps, np.array([0])) == pytest.approx(1 / np.sqrt(2), rel=1e-4)


def test_the_methods_agree_where_they_meet():
    rng = np.random.default_rng(6)
    rows = drawn(rng, rng.normal(size=20_000), 0.3)
    found = select_cut(rows)
    below = found.candidates["n_below"].to_numpy()
    for b in (2.0, 2.8, 3.3):
        exact = p_exact(b, below, found.n, found.events)
        assert p_gaussian(b, below, found.n) == pytest.approx(exact, rel=0.02)
    closed = p_lausen92(6.0, 0.1, 0.9)
    assert p_gaussian(6.0, below, found.n, steps=400) == pytest.approx(closed, rel=0.1)


def test_millions_of_customers_in_a_moment():
    rng = np.random.default_rng(70)
    x = np.arange(100_000.0)
    n = rng.poisson(35, len(x)) + 1
    none = pd.DataFrame({"x": x, "n": n, "events": rng.binomial(n, 0.05)})
    found = select_cut(none)
    assert found.method == "gaussian"
    assert 0.001 < found.p < 1
    share = np.where(x <= 50_000, 0.05, 0.08)
    step = none.assign(events=rng.binomial(n, share))
    found = select_cut(step)
    assert (found.method, found.p, found.more) == ("asymptotic", 0.0, "high")
    assert found.cut == pytest.approx(50_000, abs=50)
    low, high = bootstrap_cut(step, rng)
    assert low <= 50_000 <= high
    assert high - low < 200


def test_p_is_uniform_where_the_outcome_has_nothing_to_do_with_x():
    rng = np.random.default_rng(8)
    p = [select_cut(drawn(rng, rng.normal(size=300), 0.3)).p for _ in range(300)]
    # discrete, so at most what it says
    for level in (0.05, 0.2, 0.5):
        assert stats.binomtest(int(np.sum(np.array(p) <= level)), 300, level).pvalue > 1e-3


# --- the interval


def test_interval_holds_the_cut_and_narrows(case):
    _, rows = case
    found = select_cut(rows)
    low, high = bootstrap_cut(rows, np.random.default_rng(0))
    assert low <= found.cut <= high
    values = set(found.candidates["x"])
    assert {low, high} <= values


def test_interval_covers_a_planted_step():
    """A few seeds; ``benchmarks/coverage_cutpoints.py`` counts 500 for each of ten steps."""
    hits = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        x = 100 * np.exp(1.5 * rng.normal(size=2000))
        rows = drawn(rng, x, np.where(x <= 100, 0.02, 0.12))
        low, high = bootstrap_cut(rows, rng, resamples=199)
        hits += low <= x[x <= 100].max() <= high
    assert stats.binomtest(hits, 60, 0.95).pvalue > 1e-3


def test_interval_is_what_its_formula_says(monkeypatch):
    rng = np.random.default_rng(9)
    x = rng.integers(0, 40, 800)
    rows = drawn(rng, x, np.where(x <= 15, 0.2, 0.35))
    monkeypatch.setattr(cutpoints, "_differences", lambda *_: np.array([1.0, 4.0]))
    low, high = bootstrap_cut(rows, rng)
    table = search(counted(rows), 0.1, 0.9)
    z = table["statistic"].to_numpy() ** 2
    kept = [c for i, c in enumerate(table["x"]) if abs(z[: i + 1].max() - z[i:].max()) <= 4.0]
    assert (low, high) == (kept[0], kept[-1])


def test_thinned_resamples_give_the_same_interval(monkeypatch):
    rng = np.random.default_rng(10)
    x = rng.normal(size=6000)
    rows = drawn(rng, x, np.where(x <= 0.3, 0.1, 0.2))
    thin = bootstrap_cut(rows, np.random.default_rng(0), resamples=1999)
    monkeypatch.setattr(cutpoints, "NEAR", 20_000)
    whole = bootstrap_cut(rows, np.random.default_rng(0), resamples=1999)
    assert thin == pytest.approx(whole, abs=0.05)


def test_hardly_any_event_leaves_no_warning():
    table = pd.DataFrame({"x": np.arange(20), "n": 5, "events": [1] + [0] * 19})
    low, high = bootstrap_cut(table, np.random.default_rng(0))
    assert low <= select_cut(table).cut <= high


# --- bins


@pytest.mark.parametrize("trend", ["ascending", "descending"])
def test_bins_of_counts_are_optbinnings_of_rows(case, trend):
    _, rows = case
    theirs = OptimalBinning(monotonic_trend=trend)
    theirs.fit(rows["x"].to_numpy().astype(float), rows["events"].to_numpy())
    place = np.searchsorted(theirs.splits, rows["x"], side="right")
    wanted = rows.groupby(place)[["n", "events"]].sum()
    ours = bin_monotone(counted(rows), trend=trend)
    assert ours[["n", "events"]].to_numpy().tolist() == wanted.to_numpy().tolist()
    assert (ours["high"].to_numpy()[:-1] < theirs.splits).all()
    assert (np.diff(ours["share"]) * (1 if trend == "ascending" else -1) > 0).all()


def test_bins_cover_everybody_once(case):
    _, rows = case
    bins = bin_monotone(rows.sample(frac=1, random_state=1))
    pd.testing.assert_frame_equal(bins, bin_monotone(counted(rows)))
    assert bins["low"].iloc[0] == -np.inf
    assert bins["high"].iloc[-1] == np.inf
    assert (bins["low"].iloc[1:].to_numpy() == bins["high"].iloc[:-1].to_numpy()).all()
    for row in bins.itertuples():
        inside = rows.loc[(rows["x"] > row.low) & (rows["x"] <= row.high)]
        assert (len(inside), inside["events"].sum()) == (row.n, row.events)
        wanted = proportion_confint(row.events, row.n, 0.05, method="wilson")
        assert (row.low_share, row.high_share) == pytest.approx(wanted, abs=1e-12)
        assert row.share == row.events / row.n


def test_auto_finds_the_trend_and_keeps_to_it():
    rng = np.random.default_rng(11)
    x = np.exp(rng.normal(size=5000))
    for sign in (1, -1):
        rows = drawn(rng, x, 1 / (1 + np.exp(2 - sign * x.clip(0, 4))))
        bins = bin_monotone(rows)
        assert len(bins) > 3
        assert (np.diff(bins["share"]) * sign > 0).all()
    hill = drawn(rng, x, np.where((x > 0.5) & (x < 1.5), 0.3, 0.1))  # rises, then falls
    shares = np.diff(bin_monotone(hill)["share"])
    assert (shares > 0).all() or (shares < 0).all()


def test_amounts_beyond_32_bits_and_minus_two_are_split_right():
    x = np.array([20_000_000.00, 20_000_000.25])
    table = pd.DataFrame({"x": x, "n": 500, "events": [50, 200]})
    assert bin_monotone(table)["n"].tolist() == [500, 500]
    table["x"] = [-3.0, -1.0]  # halfway lies -2, sklearn's sign for no split
    assert bin_monotone(table)["high"].tolist() == [-3.0, np.inf]


def test_bins_keep_to_their_limits():
    rng = np.random.default_rng(12)
    x = rng.normal(size=4000)
    rows = drawn(rng, x, 1 / (1 + np.exp(1 - x)))
    assert len(bin_monotone(rows, max_bins=3)) == 3
    assert bin_monotone(rows, min_share=0.2)["n"].min() >= 800
    assert len(bin_monotone(rows, trend="descending")) == 1


def test_few_or_no_events_make_one_bin_and_no_warning():
    for events in ([0] * 10, [5] * 10, [1] + [0] * 9, [0, 1] * 5):
        bins = bin_monotone(pd.DataFrame({"x": np.arange(10), "n": 5, "events": events}))
        assert bins["n"].sum() == 50
        assert bins["events"].sum() == sum(events)
