"""Average effects from sums: R's t.test, statsmodels on rows, tea-tasting, planted truth."""

from __future__ import annotations

from pathlib import Path

import ibis
import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats
from statsmodels.stats.proportion import confint_proportions_2indep

from customerlab.drivers.moments import count_moments, deal_bags
from customerlab.errors import CustomerlabError
from customerlab.messages import ENGLISH, Words
from customerlab.uplift.average import COLUMNS, ROUGHEST, compare_arms
from customerlab.uplift.effects_shown import effects_to_show
from customerlab.uplift.multiplicity import adjust_p
from customerlab.uplift.sums import ArmSums, pool, sums_of

ORACLES = Path(__file__).parent / "oracles"
CONTROL = "No E-Mail"
OUTCOMES = ["visit", "conversion", "spend"]
COVARIATES = ["recency", "history", "mens", "womens", "newbie"]
PLAIN = {"effect": "effect", "low": "low", "high": "high", "p_value": "p"}


def sums(frame: pd.DataFrame) -> ArmSums:
    """Return an arm's sums by plain pandas."""
    values = frame.astype(float)
    return ArmSums(
        tuple(values.columns), float(len(values)), values.mean().to_numpy(), values.cov().to_numpy()
    )


def quick(values: np.ndarray, names: tuple[str, ...]) -> ArmSums:
    """Return the same by numpy, for many of them."""
    covariance = np.atleast_2d(np.cov(values, rowvar=False))
    return ArmSums(names, float(len(values)), values.mean(axis=0), covariance)


def row_of(effects, arm, outcome):
    table = effects.table
    return table[(table["arm"] == arm) & (table["outcome"] == outcome)].iloc[0]


@pytest.fixture(scope="module")
def told():
    return pd.read_csv(ORACLES / "uplift_average.csv").set_index("name")["value"]


@pytest.fixture(scope="module")
def hillstrom(shared_data):
    return pd.read_csv(shared_data / "hillstrom" / "hillstrom.csv.gz")


@pytest.fixture(scope="module")
def counted(hillstrom):
    """Return the three arms as the engine counts them."""
    items = [*OUTCOMES, *COVARIATES]
    arms = {}
    for arm, mine in hillstrom.groupby("segment"):
        table = deal_bags(ibis.memtable(mine.reset_index(drop=True)), items, seed=1, bags=50)
        arms[arm] = sums_of(count_moments(table, items), items)
    return arms


@pytest.fixture(scope="module")
def found(counted):
    return compare_arms(counted, control=CONTROL, outcomes=OUTCOMES, covariates=COVARIATES)


@pytest.fixture
def small():
    """Return rows of a trial with two arms and four covariates, of which slopes differ by arm."""
    rng = np.random.default_rng(11)
    rows = pd.DataFrame({"x1": rng.normal(5, 2, 700), "x2": rng.gamma(2, 300, 700)})
    rows["x3"] = (rng.random(700) < 0.3).astype(float)
    rows["arm"] = np.where(rng.random(700) < 0.4, "mail", "none")
    mail = (rows["arm"] == "mail").astype(float)
    rows["y"] = 10 + 2 * rows["x1"] + 0.01 * rows["x2"] + mail * (1 + 1.5 * rows["x1"])
    rows["y"] += rng.normal(0, 3, 700)
    rows["buy"] = (rng.random(700) < 0.1 + 0.05 * mail + 0.2 * rows["x3"]).astype(float)
    return rows


def arms_of(rows: pd.DataFrame) -> dict[str, ArmSums]:
    return {arm: sums(mine.drop(columns="arm")) for arm, mine in rows.groupby("arm")}


def test_hillstrom_is_pandas_by_hand(hillstrom, found):
    """Six means and differences to 1e-9; the published means to the digits given."""
    means = hillstrom.groupby("segment")[OUTCOMES].mean()
    for row in found.table.itertuples():
        by_hand = means.loc[row.arm, row.outcome], means.loc[CONTROL, row.outcome]
        assert row.treated_mean == pytest.approx(by_hand[0], abs=1e-9)
        assert row.control_mean == pytest.approx(by_hand[1], abs=1e-9)
        assert row.effect == pytest.approx(by_hand[0] - by_hand[1], abs=1e-9)
        assert row.relative == pytest.approx(by_hand[0] / by_hand[1] - 1, abs=1e-9)
    published = {"Mens E-Mail": (0.182757, 0.012531, 1.4226)}
    published |= {"Womens E-Mail": (0.151400, 0.008837, 1.0772)}
    for arm, shown in published.items():
        for outcome, value, digits in zip(OUTCOMES, shown, (6, 6, 4), strict=True):
            assert round(row_of(found, arm, outcome)["treated_mean"], digits) == value
    bought = row_of(found, "Mens E-Mail", "visit")
    assert (bought["n"], bought["control_n"]) == (21_307, 21_306)
    assert found.table.columns.tolist() == COLUMNS


def test_plain_intervals_are_rs_t_test(told, found):
    chicks = pd.read_csv(ORACLES / "chickwts.csv")
    arms = {feed: sums(mine[["weight"]]) for feed, mine in chicks.groupby("feed")}
    few = compare_arms(arms, control="casein", outcomes=["weight"])
    assert len(few.table) == 5
    for row in few.table.itertuples():
        for ours, rs in PLAIN.items():
            want = told[f"chickwts.{row.arm}.{rs}"]
            assert getattr(row, ours) == pytest.approx(want, rel=1e-10)
    assert set(few.table["status"]) == {"not_enough_data"}
    for row in found.table.itertuples():
        for ours, rs in PLAIN.items():
            want = told[f"{row.arm}.{row.outcome}.{rs}"]
            # p of 1e-112 carries the rounding of t = 22 tenfold and more
            assert getattr(row, ours) == pytest.approx(want, rel=1e-7 if rs == "p" else 1e-10)


def test_shares_have_the_wald_interval_but_for_n_less_one(found):
    """Half-widths differ by t against normal and n - 1 against n: together 2/n of them at most."""
    for outcome in ("visit", "conversion"):
        row = row_of(found, "Mens E-Mail", outcome)
        n, n0 = row["n"], row["control_n"]
        counts = (row["treated_mean"] * n, n, row["control_mean"] * n0, n0)
        low, high = confint_proportions_2indep(*counts, compare="diff", method="wald")
        half = (high - low) / 2
        assert abs(row["low"] - low) < 2 / n0 * half
        assert abs(row["high"] - high) < 2 / n0 * half
        assert row["binary"]
    assert not row_of(found, "Mens E-Mail", "spend")["binary"]


def test_relative_effects_are_tea_tastings(hillstrom, found):
    """The delta method on the log, as tea-tasting has it."""
    import tea_tasting as tt

    arm = "Womens E-Mail"
    rows = hillstrom[hillstrom["segment"].isin([arm, CONTROL])]
    metrics = {name: tt.Mean(name, use_t=True, equal_var=False) for name in OUTCOMES}
    result = tt.Experiment(**metrics, variant="segment").analyze(rows, control=CONTROL)
    for outcome in OUTCOMES:
        want, got = result[outcome], row_of(found, arm, outcome)
        for ours, theirs in {
            "relative": "rel_effect_size",
            "relative_low": "rel_effect_size_ci_lower",
            "relative_high": "rel_effect_size_ci_upper",
            "low": "effect_size_ci_lower",
            "high": "effect_size_ci_upper",
        }.items():
            assert got[ours] == pytest.approx(getattr(want, theirs), rel=1e-9), (outcome, ours)


def test_one_pooled_slope_is_tea_tastings_cuped(hillstrom, counted):
    import tea_tasting as tt

    arm = "Mens E-Mail"
    rows = hillstrom[hillstrom["segment"].isin([arm, CONTROL])]
    result = tt.Experiment(
        spend=tt.Mean("spend", "history"), visit=tt.Mean("visit", "history"), variant="segment"
    ).analyze(rows, control=CONTROL)
    ours = compare_arms(
        counted,
        control=CONTROL,
        outcomes=["spend", "visit"],
        covariates=["history"],
        slopes="pooled",
    )
    for outcome in ("spend", "visit"):
        want, got = result[outcome], row_of(ours, arm, outcome)
        assert got["adjusted_effect"] == pytest.approx(want.effect_size, rel=1e-9)
        assert got["adjusted_low"] == pytest.approx(want.effect_size_ci_lower, rel=1e-9)
        assert got["adjusted_high"] == pytest.approx(want.effect_size_ci_upper, rel=1e-9)
        assert got["adjusted_effect_p"] == pytest.approx(want.pvalue, rel=1e-7)


def test_adjusted_effects_are_rs_regression_with_interactions(told, found):
    """To 1e-9; its HC2 errors, which hold the customers fixed, to 1 %.

    They also let the residuals' spread depend on the covariates, which changes only how the small
    imbalance of the arms counts: of order one over the root of n.
    """
    t = stats.t.ppf(0.975, 40_000)
    for arm in ("Mens E-Mail", "Womens E-Mail"):
        for outcome in ("visit", "spend"):
            row = row_of(found, arm, outcome)
            want = told[f"lin.{arm}.{outcome}.effect"]
            assert row["adjusted_effect"] == pytest.approx(want, rel=1e-9)
            error = (row["adjusted_high"] - row["adjusted_low"]) / 2 / t
            assert error == pytest.approx(told[f"lin.{arm}.{outcome}.hc2"], rel=0.01)
            assert 0 < row["sharpened"] < 0.1


@pytest.mark.parametrize("outcome", ["y", "buy"])
def test_adjusted_variance_is_statsmodels_on_rows(small, outcome):
    """In parts: each arm's regression to 1e-9, and what the customers' own draw adds."""
    covariates = ["x1", "x2", "x3"]
    ours = compare_arms(
        arms_of(small), control="none", outcomes=[outcome], covariates=covariates
    ).table.iloc[0]
    centred = small[covariates] - small[covariates].mean()
    parts, slopes, at = [], [], []
    for arm in ("mail", "none"):
        mine = small["arm"] == arm
        fit = sm.OLS(small.loc[mine, outcome], sm.add_constant(centred[mine])).fit()
        at.append(fit.params["const"])
        parts.append((fit.bse["const"] ** 2, fit.df_resid))
        slopes.append(fit.params[covariates])
    gap = slopes[0] - slopes[1]
    drawn = (centred @ gap).var(ddof=1) / len(small)
    parts.append((drawn, len(small) - 1))
    variance = sum(part for part, _ in parts)
    df = variance**2 / sum(part**2 / freedom for part, freedom in parts)
    half = stats.t.ppf(0.975, df) * np.sqrt(variance)
    effect = at[0] - at[1]
    assert ours["adjusted_effect"] == pytest.approx(effect, rel=1e-9)
    assert ours["adjusted_low"] == pytest.approx(effect - half, rel=1e-9)
    assert ours["adjusted_high"] == pytest.approx(effect + half, rel=1e-9)
    spread = small.groupby("arm")[outcome].var() / small.groupby("arm")[outcome].size()
    assert ours["sharpened"] == pytest.approx(1 - variance / spread.sum(), rel=1e-9)
    # one regression with all products, its errors robust: without what the draw adds, the same
    # within 3 % at 280 and 420 customers
    treated = (small["arm"] == "mail").astype(float).rename("t")
    products = centred.mul(treated, axis=0).add_prefix("t_")
    design = sm.add_constant(pd.concat([treated, centred, products], axis=1))
    for kind in ("HC2", "HC3"):
        fit = sm.OLS(small[outcome], design).fit(cov_type=kind)
        assert fit.params["t"] == pytest.approx(effect, rel=1e-9)
        assert fit.bse["t"] == pytest.approx(np.sqrt(variance - drawn), rel=0.03)


def test_sums_of_the_engine_are_those_of_rows(small):
    rows = small.assign(key=[f"{i:03d}" for i in range(len(small))])
    names = ["y", "buy", "x1", "x2"]
    kept = {}
    for arm, mine in rows.groupby("arm"):
        table = deal_bags(ibis.memtable(mine), ["x2", *names], seed=3, key="key", bags=9)
        kept[arm] = sums_of(count_moments(table, ["x2", "y", "buy", "x1"]), names)
    asked = {"control": "none", "outcomes": ["y", "buy"], "covariates": ["x1", "x2"]}
    got, want = compare_arms(kept, **asked), compare_arms(arms_of(small), **asked)
    pd.testing.assert_frame_equal(got.table, want.table, rtol=1e-9)
    whole = pool(kept.values())
    want = sums(small[names])
    assert whole.n == want.n
    np.testing.assert_allclose(whole.mean, want.mean, rtol=1e-12)
    np.testing.assert_allclose(whole.covariance, want.covariance, rtol=1e-9)


def covered(lows, highs, truth):
    return int(((np.array(lows) <= truth) & (truth <= np.array(highs))).sum())


def band(runs, intervals):
    """Return between which counts intervals of 95 % cover, all of them with 99.9 %."""
    return stats.binom.interval(1 - 0.001 / intervals, runs, 0.95)


def test_intervals_hold_planted_effects_and_the_draw_of_customers_counts():
    """Slopes differ by arm, so which customers were drawn matters: leaving that out fails."""
    rng = np.random.default_rng(20)
    runs, names = 500, ("y", "x", "z")
    ends = {name: [] for name in ("low", "high", "adjusted_low", "adjusted_high")}
    fixed, sharpened = [], []
    for _ in range(runs):
        x, z = rng.normal(size=300), rng.exponential(size=300)
        t = np.arange(300) < 120
        y = 5 + x + z + t * (2 + 3 * x - z) + rng.normal(size=300) * np.where(t, 2, 1)
        values = np.column_stack([y, x, z])
        arms = {"a": quick(values[t], names), "b": quick(values[~t], names)}
        row = compare_arms(arms, control="b", outcomes=["y"], covariates=["x", "z"]).table.iloc[0]
        for name, kept in ends.items():
            kept.append(row[name])
        sharpened.append(row["sharpened"])
        slopes = [np.linalg.lstsq(np.c_[np.ones(m.sum()), x[m], z[m]], y[m])[0] for m in (t, ~t)]
        gap = (slopes[0] - slopes[1])[1:]
        half = (row["adjusted_high"] - row["adjusted_low"]) / 2 / 1.96
        less = half**2 - gap @ np.cov(x, z) @ gap / 300
        miss = abs(row["adjusted_effect"] - 1.0)
        fixed.append(miss < 1.96 * np.sqrt(less))
    low, high = band(runs, 2)
    truth = 2 - 1.0  # mean of z is 1
    assert low <= covered(ends["low"], ends["high"], truth) <= high
    assert low <= covered(ends["adjusted_low"], ends["adjusted_high"], truth) <= high
    assert sum(fixed) < low
    assert np.mean(sharpened) > 0.2


@pytest.mark.parametrize("kind", ["share", "amount"])
def test_relative_intervals_hold_planted_effects(kind):
    """Each of a thousand trials is an outcome of its own."""
    rng = np.random.default_rng(7)
    runs = 1000
    if kind == "share":  # 32 and 48 events
        values = {arm: rng.random((800, runs)) < p for arm, p in {"b": 0.04, "a": 0.06}.items()}
    else:  # one in four buys, skewed
        values = {
            arm: (rng.random((600, runs)) < 0.25) * rng.gamma(2, scale, (600, runs))
            for arm, scale in {"b": 10, "a": 15}.items()
        }
    names = tuple(f"y{i}" for i in range(runs))
    arms = {arm: quick(mine.astype(float), names) for arm, mine in values.items()}
    table = compare_arms(arms, control="b", outcomes=names).table
    low, high = band(runs, 2)
    assert low <= covered(table["relative_low"], table["relative_high"], 0.5) <= high


def test_under_no_effect_one_in_twenty_differs():
    """Plain and adjusted, arms of 25 of which one varies three times as much."""
    rng = np.random.default_rng(5)
    runs, names = 500, ("y", "x")
    p = []
    for _ in range(runs):
        arms = {}
        for name, n, spread in (("a", 25, 3), ("b", 60, 1)):
            x = rng.normal(size=n)
            arms[name] = quick(np.column_stack([x + spread * rng.normal(size=n), x]), names)
        row = compare_arms(arms, control="b", outcomes=["y"], covariates=["x"]).table.iloc[0]
        p.append((row["p_value"], row["adjusted_effect_p"]))
    alarms = (np.array(p) < 0.05).sum(axis=0)
    for count in alarms:
        assert stats.binomtest(int(count), runs, 0.05, alternative="greater").pvalue > 0.001 / 2
        assert stats.binomtest(int(count), runs, 0.05, alternative="less").pvalue > 0.001 / 2


def test_covariates_that_tell_nothing_new_are_left_out_and_named(small):
    rows = small.assign(again=small["x1"] * 3 - small["x3"] + 4, flat=7.0)
    rows["rare"] = ((rows["arm"] == "none") & (rows["x3"] == 1)).astype(float)
    more = ["x1", "flat", "x3", "again", "rare", "x2"]
    got = compare_arms(arms_of(rows), control="none", outcomes=["y"], covariates=more)
    want = compare_arms(
        arms_of(small), control="none", outcomes=["y"], covariates=["x1", "x3", "x2"]
    )
    pd.testing.assert_frame_equal(got.table, want.table, rtol=1e-9)
    reasons = got.left_out.set_index("covariate")["reason"].map(str).to_dict()
    assert reasons == {
        "flat": "is the same for all in an arm",
        "again": "is told exactly by the covariates before it",
        "rare": "is the same for all in an arm",
    }
    assert not len(want.left_out)
    few = arms_of(small.groupby("arm").head(12))
    tight = compare_arms(few, control="none", outcomes=["y"], covariates=["x1", "x2"])
    assert tight.left_out["covariate"].tolist() == ["x2"]
    assert "too few customers" in str(tight.left_out["reason"].iloc[0])


def test_wrong_names_get_the_nearest_right_one(small):
    arms = arms_of(small)
    with pytest.raises(CustomerlabError, match=r"'nane' for control \(did you mean \"none\"\?\)"):
        compare_arms(arms, control="nane", outcomes=["y"])
    with pytest.raises(CustomerlabError, match=r"'bui' \(did you mean \"buy\"\?\)"):
        compare_arms(arms, control="none", outcomes=["bui"])
    with pytest.raises(CustomerlabError, match="'y' is an outcome"):
        compare_arms(arms, control="none", outcomes=["y"], covariates=["y"])
    with pytest.raises(CustomerlabError, match="no arm 'none' for control"):
        compare_arms({}, control="none", outcomes=["y"])


def test_rows_without_a_value_are_told(small):
    rows = small.assign(
        gap=small["x1"].mask(small.index % 7 == 0), hole=small["x2"].mask(small.index % 7 == 1)
    )
    table = deal_bags(ibis.memtable(rows), ["y", "gap", "hole"], seed=1)
    with pytest.raises(CustomerlabError, match="'gap': missing in some"):
        sums_of(count_moments(table, ["y", "gap"]), ["y", "gap"])
    with pytest.raises(CustomerlabError, match="'gap', 'hole': missing in some"):
        sums_of(count_moments(table, ["gap", "hole"]), ["gap", "hole"])
    with pytest.raises(CustomerlabError, match="no item 'yy'"):
        sums_of(count_moments(table, ["y", "gap"]), ["yy"])


def arms_small() -> dict[str, ArmSums]:
    nothing = np.full((2, 2), np.nan)
    rng = np.random.default_rng(1)
    many = rng.normal(10, 2, (200, 2))
    return {
        "control": quick(many, ("y", "x")),
        "empty": ArmSums(("y", "x"), 0.0, nothing[0], nothing),
        "one": ArmSums(("y", "x"), 1.0, many[0], nothing),
        "two": quick(many[:2], ("y", "x")),
        "twenty": quick(many[:20], ("y", "x")),
        "alike": ArmSums(("y", "x"), 50.0, many.mean(axis=0), np.zeros((2, 2))),
    }


def test_few_customers_are_told_in_words():
    found = compare_arms(arms_small(), control="control", outcomes=["y"], covariates=["x"])
    table = found.table.set_index("arm")
    assert table.loc[["empty", "one"], "low"].isna().all()
    assert str(found.say("empty", "y")) == "Too few customers in empty (0): nothing to compare."
    assert "in one (<10)" in Words("en", min_cell=10)(found.say("one", "y"))
    assert np.isfinite(table.loc[["two", "twenty", "alike"], "low"]).all()
    assert table["adjusted_low"].isna().tolist() == [True, True, True, False, True]
    assert table.loc["twenty", "status"] == "not_enough_data"
    assert "Not enough data to say what twenty does to y" in str(found.say("twenty", "y"))
    assert table.loc["alike", "status"] == "weak"
    assert "0 of 1 comparisons show more and 0 less" in str(found.text)
    alone = compare_arms({"control": arms_small()["control"]}, control="control", outcomes=["y"])
    assert alone.table.columns.tolist() == COLUMNS
    assert str(alone.text) == "There is no arm beside control: nothing to compare."
    for control in ("empty", "one"):
        other = compare_arms(arms_small(), control=control, outcomes=["y"], covariates=["x"])
        assert other.table["low"].isna().all()
        assert "none of 5 comparisons" in str(other.text)


def test_an_outcome_that_is_constant_is_told():
    flat = np.zeros((1, 1))
    arms = {
        "none": ArmSums(("buy",), 900.0, np.array([0.0]), flat),
        "mail": ArmSums(("buy",), 900.0, np.array([0.0]), flat),
        "call": ArmSums(("buy",), 900.0, np.array([1.0]), flat),
        "text": quick((np.arange(900) < 45).astype(float)[:, None], ("buy",)),
    }
    found = compare_arms(arms, control="none", outcomes=["buy"])
    assert str(found.say("mail", "buy")) == "buy is the same for all: nothing to compare."
    assert str(found.say("call", "buy")) == "buy is the same for all in each arm: no interval."
    text = row_of(found, "text", "buy")
    assert 0 < text["low"] < text["effect"] == 0.05 < text["high"]
    assert np.isnan(text["relative"]) and np.isnan(text["relative_low"])
    assert text["status"] == "weak"


def test_no_relative_interval_where_the_mean_is_hardly_known():
    share = {"none": 8, "mail": 40}
    arms = {
        arm: quick((np.arange(1000) < count).astype(float)[:, None], ("buy",))
        for arm, count in share.items()
    }
    row = compare_arms(arms, control="none", outcomes=["buy"]).table.iloc[0]
    assert 1 / np.sqrt(8) > ROUGHEST
    assert row["relative"] == pytest.approx(4) and np.isnan(row["relative_low"])
    losses = {arm: quick(np.array([[-3.0], [1.0], [-2.0]]), ("y",)) for arm in ("a", "b")}
    row = compare_arms(losses, control="b", outcomes=["y"]).table.iloc[0]
    assert row["effect"] == 0 and np.isnan(row["relative"])


def test_what_is_said(found):
    text = ENGLISH(found.say("Mens E-Mail", "visit"))
    assert text.startswith(
        "visit: 18.28 % with Mens E-Mail against 10.62 % with No E-Mail, a difference of 7.66 "
        "percentage points (95 % interval 7.00 to 8.32, p = <0.0001). Adjusted for what was known "
        "before, as was meant beforehand, the difference is 7.64 ("
    )
    spend = ENGLISH(found.say("Womens E-Mail", "spend"))
    assert "1.08 on average with Womens E-Mail against 0.65" in spend
    assert ENGLISH(found.text) == (
        "Against No E-Mail, 6 of 6 comparisons show more and 0 less, each by its own 95 % "
        "interval; 0 cannot be told."
    )


def test_no_number_tells_of_few_customers():
    counts = {"none": (2000, 200), "mail": (2000, 4), "call": (2003, 1998), "text": (2003, 240)}
    arms = {
        arm: quick((np.arange(n) < events).astype(float)[:, None], ("buy",))
        for arm, (n, events) in counts.items()
    }
    arms["few"] = quick((np.arange(7) < 0).astype(float)[:, None], ("buy",))
    found = compare_arms(arms, control="none", outcomes=["buy"])
    shown = effects_to_show(found.table, 10).set_index("arm")
    assert shown["effect"].tolist() == ["hidden", "hidden", 0.0198, "hidden"]
    assert shown["n"].tolist() == [2000, 2000, 2000, "<10"]
    assert str(shown.loc["text", "status"]) == "supported"
    for arm, hidden in {"mail": True, "call": True, "text": False}.items():
        assert ("not shown" in str(found.say(arm, "buy", min_cell=10))) == hidden
        assert "not shown" not in str(found.say(arm, "buy"))
    assert len(effects_to_show(found.table.iloc[:0], 10).columns) == len(shown.columns) + 1


def test_multiplicity_is_statsmodels():
    from statsmodels.stats.multitest import multipletests

    p = np.array([0.01, np.nan, 0.04, 0.03, 0.005])
    known = ~np.isnan(p)
    # by hand: Holm (1979)
    np.testing.assert_allclose(adjust_p(p, "holm"), [0.03, np.nan, 0.06, 0.06, 0.02], atol=1e-15)
    for ours, theirs in {"holm": "holm", "benjamini_hochberg": "fdr_bh"}.items():
        want = multipletests(p[known], method=theirs)[1]
        np.testing.assert_array_equal(adjust_p(p, ours)[known], want)
    np.testing.assert_array_equal(adjust_p(p, "none"), p)
    assert not len(adjust_p([], "holm"))
    assert np.isnan(adjust_p([np.nan], "holm")).all()
    with pytest.raises(CustomerlabError, match='did you mean "holm"'):
        adjust_p(p, "holms")
