"""Survival statistics on counts: against R's survival package, lifelines, and plain statsmodels.

R's numbers come from ``tests/oracles/survival.R`` (R 4.2.2, survival 3.5-3).
"""

from pathlib import Path

import ibis
import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from lifelines import CoxPHFitter, KaplanMeierFitter
from lifelines.statistics import multivariate_logrank_test
from scipy import stats

from customerlab import churn
from customerlab.cells import cells
from customerlab.churn.cloglog import fit_cloglog
from customerlab.churn.cox import fit_cox
from customerlab.churn.levels import find_levels
from customerlab.errors import CustomerlabError
from customerlab.person_months import expand

HERE = Path(__file__).parent


def oracle(name):
    return pd.read_csv(HERE / "oracles" / f"{name}.csv", index_col="name")["value"]


@pytest.fixture(scope="module")
def small():
    """Make the table that survival.R makes, by the same rule."""
    i = np.arange(400)
    entry = np.where(i % 3 == 0, 0, (i * 7) % 11)
    return pd.DataFrame(
        {
            "entry": entry,
            "duration": entry + 1 + (i * 13) % 9 + i % 2,
            "churned": (i * 5) % 7 < 3,
            "group": np.array(["a", "b", "c"])[(i * 11) % 3],
            "x": ((i * 17) % 23) / 10,
        }
    )


def counted(rows, by):
    return rows.groupby(by, dropna=False).size().reset_index(name="n")


# --- Kaplan-Meier and log-rank


def test_telco_curve_is_rs(telco):
    r = oracle("telco")
    curve = churn.survival(counted(telco, ["duration", "churned"]))
    for month in (1, 3, 5, 12, 24, 48, 72):
        row = curve.at(month).iloc[0]
        for column in ("survival", "low", "high", "at_risk"):
            assert row[column] == pytest.approx(r[f"km.{month}.{column}"], abs=1e-9)
    published = {3: 0.91372, 5: 0.89111, 24: 0.78874}  # shared/data/README.md
    for month, share in published.items():
        assert round(curve.at(month)["survival"].item(), 5) == share
    first = curve.table.iloc[0]
    assert (first["month"], first["survival"], first["at_risk"]) == (0, 1, 7032)


def test_telco_month_to_month_with_internet(telco):
    r = oracle("telco")
    chosen = telco.query("Contract == 'Month-to-month' and InternetService != 'No'")
    curve = churn.survival(counted(chosen, ["duration", "churned"]))
    for month in (3, 5, 6, 12, 24):
        for column in ("survival", "low", "high"):
            wanted = r[f"monthly.{month}.{column}"]
            assert curve.at(month)[column].item() == pytest.approx(wanted, abs=1e-9)
    assert curve.groups["median"].item() == r["monthly.median"] == 34
    assert round(curve.at(3)["survival"].item(), 4) == 0.8394
    assert round(curve.at(5)["survival"].item(), 4) == 0.7936


@pytest.mark.parametrize("by", ["Contract", "gender", "PaymentMethod"])
def test_telco_logrank_is_rs_and_lifelines(telco, by):
    got = churn.survival(counted(telco, ["duration", "churned", by]), by).logrank
    assert got.statistic == pytest.approx(oracle("telco")[f"logrank.{by}"], rel=1e-9)
    theirs = multivariate_logrank_test(telco["duration"], telco[by], telco["churned"])
    assert got.p == pytest.approx(theirs.p_value, rel=1e-6)


def test_late_entry_is_rs(small):
    r = oracle("truncated")
    curve = churn.survival(counted(small, ["entry", "duration", "churned", "group"]))
    times = [n.split(".")[1] for n in r.index if n.startswith("km.") and n.endswith("survival")]
    assert len(times) > 15
    for time in times:
        row = curve.at(int(time)).iloc[0]
        for column in ("survival", "low", "high", "at_risk"):
            wanted = r[f"km.{time}.{column}"]
            assert row[column] == pytest.approx(wanted, abs=1e-9, nan_ok=True)
    by_group = churn.survival(counted(small, ["entry", "duration", "churned", "group"]), "group")
    assert by_group.logrank.statistic == pytest.approx(r["logrank"], rel=1e-9)


def test_counts_give_the_curve_of_rows(small):
    rows = churn.survival(small.assign(n=1), "group").table
    alike = churn.survival(counted(small, ["entry", "duration", "churned", "group"]), "group").table
    pd.testing.assert_frame_equal(rows, alike, rtol=0, atol=1e-12)
    one = small.query("entry == 0")
    theirs = KaplanMeierFitter().fit(one["duration"], one["churned"])
    ours = churn.survival(one.assign(n=1))
    for month in range(1, 10):
        wanted = theirs.survival_function_at_times(month).item()
        assert ours.at(month)["survival"].item() == pytest.approx(wanted, abs=1e-12)


def test_a_curve_with_one_early_customer_does_not_fall_to_zero():
    """Late entry leaves one customer at risk at first; with their exit a plain curve is done."""
    counts = pd.DataFrame(
        {
            "entry": [0, 5, 5],
            "duration": [1, 12, 20],
            "churned": [True, True, False],
            "n": [1, 50, 150],
        }
    )
    curve = churn.survival(counts)
    assert curve.groups["begins"].item() == 5
    assert curve.at(12)["survival"].item() == pytest.approx(0.75)
    assert curve.at(1).empty


def test_a_curve_ends_where_nobody_is_at_risk():
    """Two of long tenure, seen after all others had gone, say nothing of what was between."""
    seen = pd.DataFrame(
        {
            "entry": [0, 0, 0, 9, 12],
            "duration": [2, 3, 6, 11, 14],
            "churned": [True, True, False, True, False],
            "n": [4, 3, 2, 1, 1],
        }
    )
    curve = churn.survival(seen)
    oracle = KaplanMeierFitter().fit([2] * 4 + [3] * 3 + [6] * 2, [1] * 7 + [0] * 2)
    whole = curve.table.loc[curve.table["month"].isin([2, 3, 6])]
    np.testing.assert_allclose(whole["survival"], oracle.predict([2, 3, 6]), rtol=1e-12)
    assert curve.table["month"].max() == 6
    assert curve.at(11).empty


def test_all_censored_and_empty_are_told_and_not_computed():
    counts = pd.DataFrame({"duration": [3, 5], "churned": False, "n": [40, 60], "g": ["a", "b"]})
    curve = churn.survival(counts, "g")
    assert (curve.table["survival"] == 1).all() and curve.logrank is None
    assert (
        set(curve.groups["status"]) == {"not_enough_data"} and curve.groups["median"].isna().all()
    )
    assert churn.still_here_after(churn.survival(counts), 3).status == "not_enough_data"
    nobody = churn.survival(counts.iloc[:0])
    assert nobody.table.empty and nobody.groups.empty
    assert churn.still_here_after(nobody, 3).value is None


def test_the_words_carry_the_number(telco):
    curve = churn.survival(counted(telco, ["duration", "churned"]))
    finding = churn.still_here_after(curve, 24)
    assert finding.id == "churn_timing.still_here_after_24_months"
    assert finding.status == "supported" and finding.n == 7032
    assert str(finding.text) == "After 24 months 78.9 % of the customers are still here."


# --- Cox


def test_telco_cox_is_rs(telco):
    r = oracle("telco")
    causes = ["Contract", "InternetService", "MonthlyCharges", "SeniorCitizen"]
    model = fit_cox(counted(telco, ["duration", "churned", *causes]), causes)
    assert model.log_likelihood == pytest.approx(r["cox.loglik"], abs=1e-5)
    ours = {(row.term, row.level): row for row in model.table.itertuples()}
    # R's reference for InternetService is DSL, ours the most frequent, fiber optic
    assert model.references == {"Contract": "Month-to-month", "InternetService": "Fiber optic"}
    for term, level, name in (
        ("Contract", "One year", "ContractOne year"),
        ("Contract", "Two year", "ContractTwo year"),
        ("MonthlyCharges", "", "MonthlyCharges"),
        ("SeniorCitizen", "", "SeniorCitizen"),
    ):
        assert ours[term, level].coefficient == pytest.approx(r[f"cox.{name}"], abs=1e-5)
        assert ours[term, level].std_error == pytest.approx(r[f"cox.se.{name}"], abs=1e-5)
    dsl = ours["InternetService", "DSL"]
    assert dsl.coefficient == pytest.approx(-r["cox.InternetServiceFiber optic"], abs=1e-5)
    assert dsl.std_error == pytest.approx(r["cox.se.InternetServiceFiber optic"], abs=1e-5)


def test_cox_with_late_entry_is_rs_and_that_of_rows_in_lifelines(small):
    r = oracle("truncated")
    counts = counted(small, ["entry", "duration", "churned", "group", "x"])
    model = fit_cox(counts, ["group", "x"], entry="entry")
    assert model.references == {"group": "a"}
    # R was asked for b as the reference
    ours = model.table.set_index(["term", "level"])
    assert ours.loc[("group", "b"), "coefficient"] == pytest.approx(-r["cox.a"], abs=1e-8)
    assert ours.loc[("group", "b"), "std_error"] == pytest.approx(r["cox.se.a"], abs=1e-8)
    assert ours.loc[("x", ""), "coefficient"] == pytest.approx(r["cox.x"], abs=1e-8)
    assert ours.loc[("x", ""), "std_error"] == pytest.approx(r["cox.se.x"], abs=1e-8)
    assert model.log_likelihood == pytest.approx(r["cox.loglik"], abs=1e-8)
    rows = small.assign(b=small["group"] == "b", c=small["group"] == "c").drop(columns="group")
    theirs = CoxPHFitter().fit(
        rows.astype(float),
        "duration",
        "churned",
        entry_col="entry",
        fit_options={"precision": 1e-13},
    )
    wanted = theirs.summary.loc[["b", "c", "x"]]
    np.testing.assert_allclose(model.table["coefficient"], wanted["coef"], atol=1e-6)
    np.testing.assert_allclose(model.table["std_error"], wanted["se(coef)"], atol=1e-6)
    assert model.log_likelihood == pytest.approx(theirs.log_likelihood_, abs=1e-6)


def test_cox_on_counts_is_cox_on_repeated_rows():
    """Heavy ties: the case where weights in lifelines are not counts."""
    rng = np.random.default_rng(3)
    counts = pd.DataFrame(
        [(t, e, x, rng.integers(1, 30)) for t in range(1, 6) for e in (0, 1) for x in (0.0, 1.0)],
        columns=["duration", "churned", "x", "n"],
    )
    rows = counts.loc[counts.index.repeat(counts["n"])].drop(columns="n")
    theirs = CoxPHFitter().fit(rows, "duration", "churned", fit_options={"precision": 1e-13})
    ours = fit_cox(counts, ["x"]).table
    assert ours["coefficient"].item() == pytest.approx(theirs.params_["x"], abs=1e-6)
    assert ours["std_error"].item() == pytest.approx(theirs.standard_errors_["x"], abs=1e-6)


def test_cox_without_a_best_answer_says_so():
    counts = pd.DataFrame({"duration": [1, 2, 3, 4], "churned": [1, 1, 0, 0], "n": [50] * 4})
    apart = counts.assign(x=[1.0, 1.0, 0.0, 0.0])
    for model in (fit_cox(apart, ["x"]), fit_cox(counts.assign(x="a"), ["x"])):
        assert model.status == "not_enough_data" and model.table.empty and model.notes
    assert fit_cox(apart.assign(churned=0), ["x"]).status == "not_enough_data"


# --- hazards by month


def test_expanding_counts_is_expanding_rows(small):
    got = expand(counted(small, ["entry", "duration", "churned", "group"]), ["group"])
    months = [
        (k, row.group, row.churned and k == row.duration - 1)
        for row in small.itertuples()
        for k in range(row.entry, row.duration)
    ]
    wanted = pd.DataFrame(months, columns=["month", "group", "left"])
    wanted = wanted.groupby(["month", "group"])["left"].agg(["size", "sum"])
    assert got.set_index(["month", "group"])["n"].to_dict() == wanted["size"].to_dict()
    assert got.set_index(["month", "group"])["events"].to_dict() == wanted["sum"].to_dict()
    assert got["n"].sum() == oracle("truncated")["hazard.months"]


def test_hazard_is_rs_glm(small):
    r = oracle("truncated")
    model = churn.fit_hazard(expand(counted(small, [*small.columns]), ["group"]), ["group"])
    assert {t.term: t.reference for t in model.terms} == {"tenure_band": "6-11", "group": "b"}
    assert model.log_likelihood == pytest.approx(r["hazard.loglik"], abs=1e-8)
    for row in model.table.query("not reference").itertuples():
        name = row.term.removeprefix("tenure_") + row.level
        assert row.coefficient == pytest.approx(r[f"hazard.{name}"], abs=1e-7)
        assert row.std_error == pytest.approx(r[f"hazard.se.{name}"], abs=1e-7)


def simulated(seed, customers=4000):
    """Histories with known hazards: late entry, two causes, one of them with three levels."""
    rng = np.random.default_rng(seed)
    cause = rng.choice(["low", "mid", "high"], customers, p=[0.5, 0.3, 0.2])
    paid = rng.choice(["yes", "no"], customers, p=[0.6, 0.4])
    entry = np.where(rng.random(customers) < 0.5, 0, rng.integers(1, 15, customers))
    stop = entry + rng.integers(1, 20, customers)
    ratio = pd.Series(TRUE_RATIOS)
    log_ratio = np.log(ratio.reindex(cause).to_numpy() * ratio.reindex(paid).to_numpy())
    duration, churned = stop.copy(), np.zeros(customers, dtype=bool)
    for k in range(int(stop.max())):
        here = (entry <= k) & (k < stop) & ~churned
        h = -np.expm1(-np.exp(np.log(BASE[np.searchsorted(STARTS, k, "right") - 1]) + log_ratio))
        goes = here & (rng.random(customers) < h)
        duration[goes], churned[goes] = k + 1, True
    return pd.DataFrame(
        {"entry": entry, "duration": duration, "churned": churned, "cause": cause, "paid": paid}
    )


STARTS = np.array([0, 1, 3, 6, 12, 24])
BASE = np.array([0.05, 0.04, 0.03, 0.025, 0.02, 0.02])
TRUE_RATIOS = {"low": 1.0, "mid": 1.5, "high": 2.5, "yes": 1.0, "no": 1.8}


def test_hazard_on_cells_is_hazard_on_rows():
    rows = simulated(1)
    model = churn.fit_hazard(
        expand(counted(rows, [*rows.columns]), ["cause", "paid"]), ["cause", "paid"]
    )
    months = rows.loc[rows.index.repeat(rows["duration"] - rows["entry"])]
    k = months["entry"] + months.groupby(level=0).cumcount()
    event = (months["churned"] & (k == months["duration"] - 1)).astype(float)
    # the plainest statsmodels: one row a customer-month, dummies by pandas
    names = [str(level) for term in model.terms for level in term.free]
    bands = pd.cut(
        k, [-1, 0, 2, 5, 11, 23, 35], labels=["0", "1-2", "3-5", "6-11", "12-23", "24-35"]
    )
    dummies = pd.concat(
        [pd.get_dummies(x) for x in (bands, months["cause"], months["paid"])], axis=1
    )
    design = sm.add_constant(dummies[names].astype(float))
    family = sm.families.Binomial(link=sm.families.links.CLogLog())
    theirs = sm.GLM(event, design, family=family).fit(tol=1e-12, maxiter=100)
    np.testing.assert_allclose(model.coefficients, theirs.params, atol=1e-6)
    np.testing.assert_allclose(np.sqrt(np.diag(model.covariance)), theirs.bse, atol=1e-6)
    assert model.log_likelihood == pytest.approx(theirs.llf, abs=1e-6)


def test_planted_hazards_are_covered():
    """95 % intervals: covering seeds within the exact 99.9 % binomial band, 3 parameters."""
    seeds, truth = 40, {"mid": 1.5, "high": 2.5, "no": 1.8}
    hits = dict.fromkeys(truth, 0)
    for seed in range(seeds):
        rows = simulated(seed, customers=2000)
        counts = expand(counted(rows, [*rows.columns]), ["cause", "paid"])
        table = churn.fit_hazard(counts, ["cause", "paid"]).table.query("not reference")
        for row in table.loc[table["level"].isin(truth)].itertuples():
            hits[row.level] += row.low <= truth[row.level] <= row.high
    low, high = stats.binom.interval(1 - 0.001 / len(truth), seeds, 0.95)
    assert all(low <= hit <= high for hit in hits.values()), hits


def months(**columns):
    return pd.DataFrame({"tenure_band": ["0", "0", "1-2", "1-2"], **columns})


def test_a_level_without_exits_is_joined_with_its_reason():
    """Separation: in "x" nobody leaves. A ratio of zero with an endless interval is no answer."""
    cells_ = months(g=["x", "y", "x", "y"], n=[500, 900, 500, 900], events=[0, 80, 0, 60])
    model = churn.fit_hazard(cells_, ["g"])
    assert model.fitted and [term.term for term in model.terms] == ["tenure_band"]
    assert "one group only" in " ".join(map(str, model.notes))
    three = pd.concat([cells_, months(g="z", n=[200, 0, 200, 0], events=[40, 0, 30, 0])])
    model = churn.fit_hazard(three, ["g"])
    assert set(model.table.query("term == 'g'")["level"]) == {"y", "z"}
    assert any("counted with" in str(note) for note in model.notes)
    assert np.isfinite(model.table.query("not reference")["std_error"]).all()


def test_thin_bands_join_their_neighbours():
    data = pd.DataFrame(
        {
            "tenure_band": ["0", "1-2", "3-5", "6-11", "60+", None],
            "n": [100, 50, 400, 900, 300, 200],
            "events": [10, 2, 20, 50, 1, 9],
        }
    )
    levels, notes = find_levels(data, "tenure_band")
    assert levels.levels == ("0 + 1-2", "3-5", "6-11 + 60+", "unknown")
    assert levels.reference == "6-11 + 60+" and len(notes) == 2


def test_combined_separation_drops_a_cause_and_says_so():
    """Each level has exits and stays, but all leave with both "x" and none with both "y"."""
    rows = [("x", "x", 50, 50), ("x", "y", 60, 30), ("y", "x", 90, 40), ("y", "y", 90, 0)]
    data = pd.DataFrame(rows, columns=["g", "h", "n", "events"]).assign(tenure_band="0")
    model = churn.fit_hazard(data, ["g", "h"])
    assert any("no ratio" in str(note) for note in model.notes)
    assert np.abs(model.coefficients).max() < 12


def test_a_cause_told_twice_is_used_once():
    data = months(g=["x", "y", "x", "y"], n=[500] * 4, events=[30, 80, 20, 60])
    model = churn.fit_hazard(data.assign(again=data["g"] + "!"), ["g", "again"])
    assert [term.term for term in model.terms] == ["tenure_band", "g"]
    assert any("already tell it" in str(note) for note in model.notes)


def test_too_few_exits_give_no_model():
    data = months(g=["x", "y", "x", "y"], n=[500] * 4, events=[5, 8, 2, 6])
    model = churn.fit_hazard(data, ["g"])
    assert not model.fitted and model.table.empty and model.status == "not_enough_data"
    findings = churn.leave_within(None, model, [3, 5])
    assert [f.id for f in findings] == [f"churn_timing.leave_within_{h}_months" for h in (3, 5)]
    assert {f.status for f in findings} == {"not_enough_data"}
    assert churn.first_group(None, model).value is None
    empty = ibis.memtable({"customer_id": ["1"], "tenure": [3], "g": ["x"]})
    with pytest.raises(CustomerlabError, match="21 exits"):
        churn.forecast(model, empty, [3])


# --- the search for the estimates


def plain_glm(design, n, events):
    """Return the fit of statsmodels to trials: a row for the exits of a cell, one for the rest."""
    left = np.repeat([1.0, 0.0], len(n))
    times = np.concatenate([events, n - events])
    family = sm.families.Binomial(link=sm.families.links.CLogLog())
    model = sm.GLM(left, np.vstack([design, design]), family=family, freq_weights=times)
    return model.fit(tol=1e-15, maxiter=300)


@pytest.mark.parametrize("seed", range(5))
def test_cloglog_is_the_glm_of_statsmodels(seed):
    rng = np.random.default_rng(seed)
    design = np.column_stack([np.ones(80), rng.integers(0, 2, (80, 3)), rng.normal(size=80)])
    chance = -np.expm1(-np.exp(design @ [-2.5, 0.5, -0.7, 0.2, 0.4]))
    n = rng.integers(1, 400, 80).astype(float)
    events = rng.binomial(n.astype(int), chance).astype(float)
    ours, theirs = fit_cloglog(design, n, events), plain_glm(design, n, events)
    assert ours.converged
    np.testing.assert_allclose(ours.coefficients, theirs.params, atol=1e-8)
    np.testing.assert_allclose(np.sqrt(np.diag(ours.covariance)), theirs.bse, rtol=1e-8)
    assert ours.log_likelihood == pytest.approx(theirs.llf, rel=1e-8)


def test_cloglog_of_one_number_is_the_share():
    """30 of 1,000: log(-log(1 - 0.03)), and the error by the delta method."""
    fit = fit_cloglog(np.ones((2, 1)), np.array([600.0, 400.0]), np.array([20.0, 10.0]))
    assert fit.coefficients.item() == pytest.approx(np.log(-np.log(0.97)), abs=1e-12)
    slope = 1 / (0.97 * -np.log(0.97))
    assert fit.covariance.item() == pytest.approx(slope**2 * 0.03 * 0.97 / 1000, rel=1e-9)
    assert fit.log_likelihood == pytest.approx(30 * np.log(0.03) + 970 * np.log(0.97))


def test_cloglog_climbs_where_most_leave():
    """Hazards near one: plain scoring overshoots there, halved steps do not."""
    design = np.column_stack([np.ones(4), [0, 1, 0, 1], [0, 0, 1, 1]]).astype(float)
    n, events = np.full(4, 1000.0), np.array([999.0, 500.0, 20.0, 900.0])
    ours, theirs = fit_cloglog(design, n, events), plain_glm(design, n, events)
    assert ours.converged and ours.log_likelihood >= theirs.llf - 1e-8
    slope = np.exp(design @ ours.coefficients)
    chance = -np.expm1(-slope)
    score = design.T @ ((events - n * chance) * slope * (1 - chance) / (chance * (1 - chance)))
    np.testing.assert_allclose(score, 0, atol=1e-5)


def test_separation_is_no_estimate_and_its_term_is_named():
    """Of "x" with "y" all leave, of "y" with "y" none: the likelihood has no maximum."""
    rows = [("x", "x", 50, 50), ("x", "y", 60, 30), ("y", "x", 90, 40), ("y", "y", 90, 0)]
    data = pd.DataFrame(rows, columns=["region", "gender", "n", "events"]).assign(tenure_band="0")
    design = np.column_stack(
        [np.ones(4), data["region"] == "x", data["gender"] == "x"],
    ).astype(float)
    fit = fit_cloglog(design, data["n"].to_numpy(float), data["events"].to_numpy(float))
    errors = np.sqrt(np.diag(fit.covariance))
    assert not fit.converged or (np.abs(fit.coefficients) > 12).any() or not (errors < 20).all()
    model = churn.fit_hazard(data, ["region", "gender"])
    blamed = [str(note) for note in model.notes if "no ratio" in str(note)]
    assert len(blamed) == 1 and blamed[0].split(":")[0] in {"region", "gender"}
    with pytest.raises(np.linalg.LinAlgError):
        twice = np.column_stack([design, design[:, 1]])
        fit_cloglog(twice, data["n"].to_numpy(float), data["events"].to_numpy(float))


# --- forecasts


@pytest.fixture(scope="module")
def hazard():
    rows = simulated(7, customers=6000)
    return churn.fit_hazard(
        expand(counted(rows, [*rows.columns]), ["cause", "paid"]), ["cause", "paid"]
    )


@pytest.fixture(scope="module")
def here():
    rng = np.random.default_rng(5)
    frame = pd.DataFrame(
        {
            "customer_id": [f"{i:04d}" for i in range(3000)],
            "tenure": rng.integers(0, 30, 3000),
            "cause": rng.choice(["low", "mid", "high", None], 3000),
            "paid": rng.choice(["yes", "no"], 3000),
        }
    )
    return ibis.duckdb.connect().create_table("here", frame)


def test_predictions_are_the_product_of_months(hazard, here):
    """Against one customer at a time: 1 minus the product of staying, month by month."""
    scores = churn.forecast(hazard, here, [3, 5]).scores.to_pandas().set_index("customer_id")
    rows = here.to_pandas().set_index("customer_id")
    assert len(scores) == len(rows)
    told = scores.drop(columns=["reason_1", "reason_2", "months_left_median"])
    assert told.notna().all(axis=None)
    names = ["0", "1-2", "3-5", "6-11", "12-23", "24-35", "36-59", "60+"]
    ends = [0, 2, 5, 11, 23, 35, 59, 9999]
    for customer in rows.index[:60]:
        row, stay = rows.loc[customer], 1.0
        for ahead in range(5):
            band = names[np.searchsorted(ends, row["tenure"] + ahead)]
            one = pd.DataFrame([row.to_dict() | {"tenure_band": band}])
            stay *= 1 - hazard.chance(one).item()
            if ahead + 1 in (3, 5):
                got = scores.loc[customer, f"leave_within_{ahead + 1}_months"]
                assert got == pytest.approx(1 - stay, abs=1e-12)


def test_expected_totals_are_the_sums_and_their_error_the_delta_methods(hazard, here):
    expected = churn.forecast(hazard, here, [3, 5])
    scores = expected.scores.to_pandas()
    total = expected.expected()
    wanted = scores[["leave_within_3_months", "leave_within_5_months"]].sum()
    np.testing.assert_allclose(total["expected"], wanted)
    by = expected.expected("paid").query("horizon_months == 3")
    assert by["customers"].sum() == 3000
    assert by["expected"].sum() == pytest.approx(wanted.iloc[0])
    # the slope of the total in every coefficient, by differences
    n = expected.cells["n"].to_numpy()
    slope = n @ expected.gradients["leave_within_3_months"]
    for i in range(len(hazard.coefficients)):
        moved = []
        for step in (1e-5, -1e-5):
            b = hazard.coefficients.copy()
            b[i] += step
            other = churn.Hazard(**{**hazard.__dict__, "coefficients": b})
            moved.append(churn.forecast(other, here, [3]).expected()["expected"].item())
        assert slope[i] == pytest.approx((moved[0] - moved[1]) / 2e-5, rel=1e-4, abs=1e-3)
    p = scores["leave_within_3_months"]
    spread = np.sqrt(slope @ hazard.covariance @ slope + (p * (1 - p)).sum())
    first = total.iloc[0]
    assert first["high"] - first["expected"] == pytest.approx(1.959964 * spread, rel=1e-6)


def test_the_group_that_leaves_first_is_the_planted_one(hazard, here):
    expected = churn.forecast(hazard, here, [3, 5])
    first = churn.first_group(expected, hazard, by=["cause", "paid"])
    assert "cause: high" in str(first.text) and first.status == "supported"
    assert first.low > expected.expected()["share"].iloc[0]
    three, _ = churn.leave_within(expected, hazard, [3, 5])
    assert three.n == 3000 and three.low < three.value < three.high


def test_a_missing_feature_is_named(hazard):
    lacking = ibis.memtable({"customer_id": ["1"], "tenure": [3], "cause": ["low"]})
    with pytest.raises(CustomerlabError, match="paid"):
        churn.forecast(hazard, lacking, [3])


def test_cells_by_the_engine_feed_the_model(small):
    table = ibis.duckdb.connect().create_table("small", small)
    by = ["entry", "duration", "churned", "group"]
    engine = churn.fit_hazard(expand(cells(table, by=by), ["group"]), ["group"])
    plain = churn.fit_hazard(expand(counted(small, by), ["group"]), ["group"])
    np.testing.assert_array_equal(engine.coefficients, plain.coefficients)


def test_a_band_never_seen_counts_as_the_nearest_below_it():
    # half leave in the first month, a tenth later: who has been here longest is like the latter
    cells = pd.DataFrame(
        {"tenure_band": ["0", "1-2", "3-5"], "n": [4000, 1000, 1000], "events": [2000, 100, 100]}
    )
    model = churn.fit_hazard(cells, [])
    chance = model.chance(pd.DataFrame({"tenure_band": ["0", "3-5", "12-23"]}))
    assert chance == pytest.approx([0.5, 0.1, 0.1], abs=1e-9)  # 2000 / 4000 and 100 / 1000
