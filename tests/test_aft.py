"""Models of the length of the stay: against R's survreg, lifelines on rows, and the likelihood.

R's numbers come from ``tests/oracles/proportional.R`` (R 4.2.2, survival 3.5-3).
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from lifelines import LogLogisticAFTFitter, WeibullAFTFitter
from scipy import stats
from scipy.optimize import minimize
from statsmodels.tools.numdiff import approx_hess

from customerlab.churn.aft import DISTRIBUTIONS, fit_aft

HERE = Path(__file__).parent
IN_R = {"weibull": "weibull", "log_logistic": "loglogistic", "log_normal": "lognormal"}
PRECISE = {"ftol": 1e-14, "maxiter": 500}


def oracle(name):
    return pd.read_csv(HERE / "oracles" / f"{name}.csv", index_col="name")["value"]


def counted(rows, by):
    return rows.groupby(by, dropna=False).size().reset_index(name="n")


@pytest.fixture(scope="module")
def tutorial(telco):
    """Return month-to-month customers with internet, and the public tutorial's covariates."""
    rows = telco.query("Contract == 'Month-to-month' and InternetService != 'No'")
    chosen = {
        "partner": rows["Partner"] == "Yes",
        "lines": rows["MultipleLines"] == "Yes",
        "dsl": rows["InternetService"] == "DSL",
        "security": rows["OnlineSecurity"] == "Yes",
        "backup": rows["OnlineBackup"] == "Yes",
        "protection": rows["DeviceProtection"] == "Yes",
        "support": rows["TechSupport"] == "Yes",
        "bank": rows["PaymentMethod"] == "Bank transfer (automatic)",
        "card": rows["PaymentMethod"] == "Credit card (automatic)",
    }
    data = pd.DataFrame(chosen).astype(float)
    return data.assign(duration=rows["tenure"], churned=rows["Churn"] == "Yes")


@pytest.fixture(scope="module")
def small():
    """Make the table that proportional.R makes, by the same rule."""
    i = np.arange(400)
    return pd.DataFrame(
        {
            "duration": 1 + (i * 13) % 9 + i % 2,
            "churned": (i * 5) % 7 < 3,
            "group": np.array(["a", "b", "c"])[(i * 11) % 3],
            "x": ((i * 17) % 23) / 10,
        }
    )


def same_as_r(model, r, name):
    assert model.fits["log_likelihood"].item() == pytest.approx(r[f"{name}.loglik"], abs=1e-6)
    assert model.fits["aic"].item() == pytest.approx(r[f"{name}.aic"], abs=1e-6)
    for row in model.table.itertuples():
        assert row.coefficient == pytest.approx(r[f"{name}.{row.term}{row.level}"], abs=1e-5)
        assert row.std_error == pytest.approx(r[f"{name}.se.{row.term}{row.level}"], abs=1e-5)
        assert row.time_ratio == pytest.approx(np.exp(row.coefficient))
        assert row.low < row.time_ratio < row.high
    assert model.concordance.value == pytest.approx(r[f"{name}.concordance"], abs=1e-5)
    assert model.concordance.std_error == pytest.approx(r[f"{name}.concordance.se"], abs=1e-5)


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
def test_small_model_is_rs_survreg(small, distribution):
    r, name = oracle("proportional_small"), f"aft.{IN_R[distribution]}"
    counts = counted(small, ["duration", "churned", "group", "x"])
    model = fit_aft(counts, ["group", "x"], distributions=[distribution])
    assert model.references == {"group": "a"} and len(model.table) == 3
    same_as_r(model, r, name)
    medians = model.medians.assign(level=lambda d: d["level"].replace("", "a"))
    assert list(medians["level"]) == ["a", "b", "c"]
    for row in medians.itertuples():
        log_median, error = r[f"{name}.median.{row.level}"], r[f"{name}.median.se.{row.level}"]
        assert row.median_months == pytest.approx(np.exp(log_median), abs=1e-5)
        assert row.low == pytest.approx(np.exp(log_median - 1.959964 * error), abs=1e-5)
        high = np.exp(log_median + 1.959964 * error)
        if high > small["duration"].max():
            assert np.isnan(row.high)
        else:
            assert row.high == pytest.approx(high, abs=1e-5)


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
def test_telco_model_is_rs_survreg(tutorial, distribution):
    counts = counted(tutorial, list(tutorial.columns))
    causes = list(tutorial.columns[:9])
    model = fit_aft(counts, causes, distributions=[distribution])
    assert (model.n, model.events, len(model.table)) == (3351, 1556, 9)
    same_as_r(model, oracle("proportional_telco"), f"aft.{IN_R[distribution]}")


def test_the_tutorials_concordance_appears(tutorial):
    """Published for the log-logistic model of this group: 0.731."""
    counts = counted(tutorial, list(tutorial.columns))
    model = fit_aft(counts, list(tutorial.columns[:9]), distributions=["log_logistic"])
    assert round(model.concordance.value, 3) == 0.731
    theirs = LogLogisticAFTFitter().fit(tutorial, "duration", "churned")
    assert round(theirs.concordance_index_, 3) == 0.731


def test_the_best_by_aic_is_taken(tutorial):
    r = oracle("proportional_telco")
    counts = counted(tutorial, list(tutorial.columns))
    model = fit_aft(counts, list(tutorial.columns[:9]))
    assert list(model.fits["distribution"]) == list(DISTRIBUTIONS)
    wanted = min(DISTRIBUTIONS, key=lambda name: r[f"aft.{IN_R[name]}.aic"])
    assert model.distribution == wanted == "log_normal"
    assert model.fits.query("chosen")["distribution"].item() == wanted
    assert "log-normal describes the lengths of the stays best (AIC 13,626)" in str(model.text)


def test_lifelines_weights_are_counts_but_for_what_we_compute_ourselves(small):
    """Coefficients and errors are the rows'; concordance is that of the cells as single rows."""
    rows = small.assign(b=small["group"] == "b", c=small["group"] == "c").drop(columns="group")
    rows = rows.drop(columns="x").astype(float)
    cells = counted(rows, list(rows.columns))
    for fitter in (WeibullAFTFitter, LogLogisticAFTFitter):
        plain = fitter().fit(rows, "duration", "churned", fit_options=PRECISE)
        alike = fitter().fit(cells, "duration", "churned", weights_col="n", fit_options=PRECISE)
        np.testing.assert_allclose(alike.params_, plain.params_, atol=1e-6)
        np.testing.assert_allclose(alike.standard_errors_, plain.standard_errors_, atol=1e-6)
        # Telco's month-to-month customers: 0.638 by cells, 0.731 by customers
        assert abs(alike.concordance_index_ - plain.concordance_index_) > 1e-4
    ours = fit_aft(
        counted(small, ["duration", "churned", "group"]), ["group"], distributions=["log_logistic"]
    )
    assert ours.concordance.value == pytest.approx(plain.concordance_index_, abs=1e-9)


def test_late_entry_is_in_the_likelihood():
    """Against scipy's densities: maximum, log-likelihood, and errors from its Hessian."""
    i = np.arange(400)
    entry = np.where(i % 3 == 0, 0, (i * 7) % 11)
    rows = pd.DataFrame(
        {
            "entry": entry,
            "duration": entry + 1 + (i * 13) % 9 + i % 2,
            "churned": (i * 5) % 7 < 3,
            "x": ((i * 17) % 23) / 10,
        }
    )
    laws = {
        "weibull": lambda scale, s: stats.weibull_min(np.exp(s), scale=scale),
        "log_logistic": lambda scale, s: stats.fisk(np.exp(s), scale=scale),
        "log_normal": lambda scale, s: stats.lognorm(np.exp(s), scale=scale),
    }
    for distribution, law in laws.items():
        model = fit_aft(
            counted(rows, list(rows.columns)), ["x"], entry="entry", distributions=[distribution]
        )

        def log_likelihood(b, law=law):
            found = law(np.exp(b[0] + b[1] * (rows["x"] - rows["x"].mean())), b[2])
            exits = np.where(
                rows["churned"], found.logpdf(rows["duration"]), found.logsf(rows["duration"])
            )
            return (exits - found.logsf(rows["entry"])).sum()

        start = [2.0, model.table["coefficient"].item(), 0.0]
        best = minimize(
            lambda b: -log_likelihood(b),
            start,
            method="Nelder-Mead",
            options={"xatol": 1e-9, "fatol": 1e-11, "maxiter": 5000},
        )
        assert model.fits["log_likelihood"].item() == pytest.approx(-best.fun, abs=1e-6)
        assert model.table["coefficient"].item() == pytest.approx(best.x[1], abs=1e-4)
        errors = np.sqrt(np.diag(np.linalg.inv(-approx_hess(best.x, log_likelihood))))
        assert model.table["std_error"].item() == pytest.approx(errors[1], rel=1e-3)


def test_counts_give_the_model_of_rows(small):
    counts = counted(small, ["duration", "churned", "group", "x"])
    tens = counts.assign(n=counts["n"] * 3)
    rows = tens.loc[tens.index.repeat(tens["n"])].assign(n=1).reset_index(drop=True)
    one, other = fit_aft(tens, ["group", "x"]), fit_aft(rows, ["group", "x"])
    assert one.distribution == other.distribution == "weibull" and one.n == other.n == 1200
    pd.testing.assert_frame_equal(one.table, other.table, rtol=1e-4, atol=1e-6)
    pd.testing.assert_frame_equal(one.medians, other.medians, rtol=1e-5)
    assert one.concordance.value == pytest.approx(other.concordance.value, abs=1e-12)
    assert one.concordance.std_error == pytest.approx(other.concordance.std_error, abs=1e-12)


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
def test_the_planted_law_is_chosen_and_its_ratio_covered(distribution):
    """4,000 stays with a time ratio of 1.5, a third cut off; the 99.9 % interval holds it."""
    rng = np.random.default_rng(8)
    law = {
        "weibull": lambda n: stats.weibull_min(1.6).rvs(n, random_state=rng),
        "log_logistic": lambda n: stats.fisk(2.0).rvs(n, random_state=rng),
        "log_normal": lambda n: stats.lognorm(0.9).rvs(n, random_state=rng),
    }[distribution]
    paid = rng.random(4000) < 0.5
    stay, seen = 10 * np.where(paid, 1.5, 1.0) * law(4000), rng.uniform(5, 40, 4000)
    counts = pd.DataFrame(
        {
            "duration": np.minimum(stay, seen),
            "churned": stay <= seen,
            "paid": np.where(paid, "yes", "no"),
            "n": 1,
        }
    )
    model = fit_aft(counts, ["paid"])
    assert model.distribution == distribution and model.status == "supported"
    sign = 1 if model.references["paid"] == "no" else -1
    row = model.table.iloc[0]
    assert abs(sign * row["coefficient"] - np.log(1.5)) < 3.29 * row["std_error"]


def test_a_median_beyond_the_longest_stay_is_not_told():
    counts = pd.DataFrame(
        {"duration": [2, 4, 6, 6], "churned": [1, 1, 1, 0], "n": [20, 20, 20, 900]}
    )
    both = pd.concat([counts.assign(g="x"), counts.assign(g="y", n=[90, 90, 90, 30])])
    model = fit_aft(both, ["g"])
    median = model.medians.set_index("level")["median_months"]
    assert np.isnan(median[""]) and 0 < median["y"] < 6


def test_too_little_says_so(small):
    counts = counted(small, ["duration", "churned", "group"])
    few = counts.assign(churned=counts["churned"] & (counts["duration"] == 1))
    few = few.assign(n=1)
    assert few.loc[few["churned"], "n"].sum() < 30
    for data, covariates, why in (
        (few, ["group"], None),
        (counts.assign(churned=False), ["group"], None),
        (counts.iloc[:0], ["group"], None),
        (counts.assign(group="all"), ["group"], "No feature differs"),
        (counts, [], "No feature differs"),
    ):
        model = fit_aft(data, covariates)
        assert model.status == "not_enough_data" and model.distribution is None
        assert list(model.table)[:3] == ["term", "level", "time_ratio"] and model.table.empty
        assert list(model.medians)[:3] == ["term", "level", "median_months"]
        assert model.medians.empty and np.isnan(model.concordance.value)
        assert "there is no model" in str(model.text)
        assert why is None or any(why in str(note) for note in model.notes)


def test_a_day_without_a_month_is_left_out_and_told(small):
    counts = counted(small, ["duration", "churned", "group"])
    zero = pd.DataFrame({"duration": [0], "churned": [False], "group": ["a"], "n": [11]})
    model = fit_aft(pd.concat([counts, zero]), ["group"], distributions=["weibull"])
    plain = fit_aft(counts, ["group"], distributions=["weibull"])
    pd.testing.assert_frame_equal(model.table, plain.table)
    assert any("11 customers without a whole month" in str(note) for note in model.notes)


def test_what_lifelines_doubts_is_no_model():
    """A feature that tells the month exactly: every law gets sharper for ever."""
    counts = pd.DataFrame(
        {
            "duration": [3, 3, 9, 9],
            "churned": [True, False] * 2,
            "g": ["x", "x", "y", "y"],
            "n": [60, 30, 40, 80],
        }
    )
    for data, laws in ((counts, ["weibull"]), (counts.assign(duration=6), ["log_normal"])):
        model = fit_aft(data, ["g"], distributions=laws)
        assert model.status == "not_enough_data" and model.table.empty
        assert not model.fits["chosen"].any() and model.fits["aic"].isna().all()
        assert list(model.fits["distribution"]) == laws
        assert [str(note) for note in model.notes] == [
            f"The {DISTRIBUTIONS[laws[0]]} model found no best answer."
        ]


def test_a_number_that_tells_who_leaves_is_no_model():
    """Lifelines gives a coefficient of -18 with an error of 293,072, and no warning."""
    rng = np.random.default_rng(0)
    x = rng.random(400) < 0.3
    counts = pd.DataFrame(
        {"duration": rng.integers(1, 20, 400), "churned": x, "x": x.astype(float), "n": 1}
    )
    model = fit_aft(counts, ["x"])
    assert model.status == "not_enough_data" and model.table.empty and len(model.notes) == 3
