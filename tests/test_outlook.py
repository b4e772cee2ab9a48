"""Who leaves in the months ahead: against plain Python, plain pandas, and planted truth."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import ibis
import numpy as np
import pandas as pd
import pytest
from lifelines import KaplanMeierFitter
from lifelines.utils import restricted_mean_survival_time
from scipy import stats

from customerlab.cells import no_rows
from customerlab.churn.backtest import judge_landmarks
from customerlab.churn.cloglog import fit_cloglog
from customerlab.churn.forecast import Forecast, _chances, forecast, score_name
from customerlab.churn.hazard import fit_hazard
from customerlab.churn.outlook import Outlook, fit_causes, fit_outlook, look_ahead
from customerlab.churn.scoring import by_group, forecast_here, score_customers
from customerlab.churn.showing import left_out_to_show, ratios_table, rule_to_draw
from customerlab.churn.stays import Stays
from customerlab.churn.trouble import compare_levels, fit_trouble, repeated_trouble
from customerlab.errors import CustomerlabError
from customerlab.features import AGE_BANDS, TENURE_BANDS, band_of
from customerlab.idleness import IdleRule
from customerlab.messages import ENGLISH
from customerlab.privacy import HIDDEN
from customerlab.simulate import planted as bank

EXITS = ("closed", "payroll_moved")
#: The first month that is watched, by number; months are counted from the year 0.
FIRST = 2023 * 12


def day(index: int) -> dt.date:
    return dt.date(index // 12, index % 12 + 1, 1)


def live(seed: int, customers: int, months: int = 24, width: int = 3) -> pd.DataFrame:
    """Return a row per customer and month: money that falls foretells an exit, if known in time.

    Money is halved in one of 33 months and, two times of three, is back the month after; who has
    it halved closes the account with chance 0.5 a month, others with 0.004. Of those paid through
    us 1 % (women 2 %) have their pay moved each month.
    """
    rng = np.random.default_rng(seed)
    number = np.arange(customers)
    tenure, female = rng.integers(0, 30, customers), rng.random(customers) < 0.5
    paid, halved = rng.random(customers) < 0.6, np.zeros(customers, dtype=bool)
    stays, parts = np.ones(customers, dtype=bool), []
    for month in range(months):
        closed = rng.random(customers) < np.where(halved, 0.5, 0.004)
        moved = ~closed & paid & (rng.random(customers) < np.where(female, 0.02, 0.01))
        rows = pd.DataFrame(
            {
                "number": number,
                "month": month,
                "tenure": tenure + month,
                "tenure_band": band_of(tenure + month, TENURE_BANDS),
                "gender": np.where(female, "female", "male"),
                "trend": np.where(halved, "halved", "steady"),
                "risk_closed": 1,
                "risk_payroll_moved": paid.astype(int),
                "left_closed": closed.astype(int),
                "left_payroll_moved": moved.astype(int),
                "events": (closed | moved).astype(int),
                "n": 1,
            }
        )
        parts.append(rows[stays])
        stays &= ~(closed | moved)
        halved = np.where(halved, rng.random(customers) < 1 / 3, rng.random(customers) < 0.03)
    lives = pd.concat(parts, ignore_index=True)
    # windows are cut from the end
    lives["lead"] = (lives["month"] - months % width) % width
    lives["landmark"] = [day(FIRST + m) for m in lives["month"] - lives["lead"]]
    whose = lives.groupby("number")
    lives["churned"] = whose["events"].transform("max") == 1
    lives["months_left"] = whose["month"].transform("max") - lives["month"]
    return lives


def windowed(lives: pd.DataFrame, covariates=("gender", "trend")) -> pd.DataFrame:
    """Return the counts of a model that looks ahead: features as known at the landmark."""
    known = lives.loc[lives["lead"] == 0, ["number", "landmark", *covariates]]
    rows = lives.drop(columns=[*covariates]).merge(known, on=["number", "landmark"])
    return counted(rows, ["landmark", "lead", "tenure_band", *covariates])


def counted(rows: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    sums = ["n", "events", *(f"{what}_{one}" for one in EXITS for what in ("risk", "left"))]
    return rows.groupby(by, as_index=False)[sums].sum()


def stays_of(lives: pd.DataFrame, exits=EXITS, covariates=("gender", "trend"), **more) -> Stays:
    """Return what the notebook would know of these customers."""
    last = lives["month"].max()
    here = lives[(lives["month"] == last) & (lives["events"] == 0)]
    at = lives[lives["lead"] == 0].assign(customer_id=lives["number"].astype(str))
    one = {
        "durations": no_rows({"entry": "int64"}),
        "groups": ("gender",),
        "covariates": covariates,
        "causes": tuple(name for name in covariates if name != "trend"),
        "exits": exits,
        "months": counted(lives, ["tenure_band", *covariates]),
        "lines": no_rows({"customer_id": "string"}),
        "rows": no_rows({"customer_id": "string"}),
        "people": no_rows({"customer_id": "string"}),
        "here": ibis.memtable(
            here.assign(customer_id=here["number"].astype(str), tenure=here["tenure"] + 1)[
                ["customer_id", "tenure", "gender", "trend", "risk_closed", "risk_payroll_moved"]
            ]
        ),
        "left_out": pd.DataFrame({"reason": ["never seen", "no day"], "customers": [4, 900]}),
        "ends": pd.DataFrame(columns=["n", "events"]),
        "windows": windowed(lives, covariates),
        "landmarks": ibis.memtable(
            at[
                [
                    *("customer_id", "landmark", "lead", "tenure", "gender", "trend", "churned"),
                    *("months_left", "risk_closed", "risk_payroll_moved"),
                ]
            ]
        ),
        "window_months": 3,
    }
    return Stays(**(one | more))


@pytest.fixture(scope="module")
def lives():
    return live(1, 6000)


@pytest.fixture(scope="module")
def stays(lives):
    return stays_of(lives)


@pytest.fixture(scope="module")
def outlook(stays):
    return look_ahead(stays)


@pytest.fixture(scope="module")
def here():
    rng = np.random.default_rng(5)
    n = 400
    return pd.DataFrame(
        {
            "customer_id": [f"{i:04d}" for i in range(n)],
            "tenure": rng.integers(0, 40, n),
            "gender": rng.choice(["female", "male"], n),
            "trend": rng.choice(["steady", "halved"], n, p=[0.7, 0.3]),
            "risk_closed": 1,
            "risk_payroll_moved": rng.integers(0, 2, n),
            "still_here": rng.choice([1.0, 0.4], n),
        }
    )


# --- one customer at a time


def plain_hazards(outlook, row, ahead):
    """Return each exit's chance in a month, from the printed coefficients."""
    lead = "1" if ahead == 0 else "2-3"  # windows of three months: later ones are like the third
    tenure = row["tenure"] + ahead
    starts = [start for start in TENURE_BANDS if start <= tenure]
    known = {
        "tenure_band": TENURE_BANDS[max(starts)],
        "lead": lead,
        "gender": row["gender"],
        "trend_ahead": row["trend"] if row["trend"] == "steady" else f"{row['trend']} · {lead}",
    }
    chances = {}
    for exit_, model in outlook.hazards.items():
        printed = model.table.set_index(["term", "level"])["coefficient"].to_dict()
        value = model.coefficients[0]
        for term in model.terms:
            value += printed[term.term, term.merged[known[term.term]]]
        chances[exit_] = (1 - np.exp(-np.exp(value))) * row[f"risk_{exit_}"]
    return chances


def test_two_exits_are_the_product_of_months(outlook, here):
    """Sums over the exits and staying are 1; months left against a count month by month."""
    scores = forecast(outlook, ibis.memtable(here), [3, 5]).scores.to_pandas()
    scores = scores.set_index("customer_id")
    assert {term.term for term in outlook.hazards["closed"].terms} >= {"lead", "trend_ahead"}
    for _, row in here.head(40).iterrows():
        got = scores.loc[row["customer_id"]]
        stay, gone, months, median = 1.0, dict.fromkeys(EXITS, 0.0), 0.0, None
        for ahead in range(24):
            if ahead < 5:  # after the longest horizon the hazard stays as it is
                chances = plain_hazards(outlook, row, ahead)
            months += stay
            for exit_, chance in chances.items():
                gone[exit_] += stay * chance
            stay *= 1 - sum(chances.values())
            if median is None and stay <= 0.5:
                median = ahead + 1
            if ahead + 1 in (3, 5):
                for exit_, share in gone.items():
                    wanted = pytest.approx(share, abs=1e-12)
                    assert got[score_name(ahead + 1, exit_)] == wanted
                assert got[score_name(ahead + 1)] == pytest.approx(1 - stay, abs=1e-12)
                assert sum(gone.values()) + stay == pytest.approx(1, abs=1e-12)
        assert got["months_left_mean"] == pytest.approx(months, abs=1e-9)
        assert got["months_left_median"] == pytest.approx(median or np.nan, nan_ok=True)


def test_a_customer_who_can_leave_in_no_way_stays(outlook, here):
    table = ibis.memtable(here.assign(risk_closed=0, risk_payroll_moved=0))
    for horizons in ([1], [3, 30]):  # with the months left counted on, or all looked at
        scores = forecast(outlook, table, horizons).scores.to_pandas()
        assert (scores[score_name(max(horizons))] == 0).all()
        assert (scores["months_left_mean"] == 24).all()
        assert scores["months_left_median"].isna().all()


def test_who_cannot_leave_by_an_exit_has_no_chance_of_it(outlook, here):
    scores = forecast(outlook, ibis.memtable(here), [3]).scores.to_pandas()
    can = scores.merge(here, on="customer_id")["risk_payroll_moved"] == 1
    chance = scores["payroll_moved_within_3_months"]
    assert (chance[~can] == 0).all() and (chance[can] > 0).all()


def test_slopes_are_differences(outlook, here):
    """All chances in all coefficients of both exits, by central differences.

    The error of the months here is that of the same differences: the delta method.
    """
    few = ibis.memtable(here.head(60))
    base = forecast(outlook, few, [2, 5], months_here=[4])
    at, months = 0, []
    for exit_, model in outlook.hazards.items():
        for i in range(len(model.coefficients)):
            moved = []
            for step in (1e-5, -1e-5):
                b = model.coefficients.copy()
                b[i] += step
                hazards = outlook.hazards | {exit_: replace(model, coefficients=b)}
                own = replace(outlook, hazards=hazards)
                moved.append(_chances(own, base.cells, base.horizons, [4])[0])
            for name, slope in base.gradients.items():
                wanted = (moved[0][name] - moved[1][name]) / 2e-5
                np.testing.assert_allclose(slope[:, at + i], wanted, atol=1e-8)
            months.append((moved[0]["months_here_4"] - moved[1]["months_here_4"]) / 2e-5)
        at += len(model.coefficients)
    assert at == base.covariance.shape[0]
    slope, mid = np.array(months).T, base.cells["months_here_4"].to_numpy()
    wide = 1.959964 * np.sqrt(np.diag(slope @ outlook.covariance @ slope.T))
    inner = (mid + wide < 4) & (mid - wide > 1)
    assert inner.any()
    for end, sign in (("low", -1), ("high", 1)):
        got = base.cells[f"months_here_4_{end}"].to_numpy()
        np.testing.assert_allclose(got[inner], (mid + sign * wide)[inner], atol=1e-6)


def test_one_exit_without_fading_features_is_the_hazard_of_the_months(lives, here):
    cells = counted(lives, ["tenure_band", "gender"])
    hazard = fit_hazard(cells, ["gender"])
    ahead = fit_outlook(cells.assign(lead=0), ["gender"])
    assert ahead.exits == ("left",) and not ahead.usual
    one, other = (forecast(model, ibis.memtable(here), [3, 5]) for model in (hazard, ahead))
    pd.testing.assert_frame_equal(one.scores.to_pandas(), other.scores.to_pandas())
    pd.testing.assert_frame_equal(one.expected(), other.expected())
    assert [name for name in one.scores.columns if "closed" in name] == []


def test_horizons_of_one_month_and_given_twice(outlook, here):
    table = ibis.memtable(here)
    one = forecast(outlook, table, [1, 1])
    assert one.horizons == (1,) and len(one.expected()) == 1
    for _, row in here.head(5).iterrows():
        scores = one.scores.filter(one.scores.customer_id == row["customer_id"]).to_pandas()
        wanted = sum(plain_hazards(outlook, row, 0).values())
        assert scores["leave_within_1_months"].item() == pytest.approx(wanted, abs=1e-12)


# --- what is known today says less of later months


def test_the_model_that_looks_ahead_is_calibrated_where_that_of_the_months_is_not():
    """Expected over observed exits among 12,000 customers who took no part in the fit.

    Of those whose money is halved at the landmark, the model of the months (features frozen)
    expects 1.41 times the exits that are seen within 3 months and 1.51 times those within 5; of
    the others, who may have it halved next month, 0.56 and 0.50 times. The model that looks ahead
    expects 1.01 and 1.02, and 1.02 and 1.01 times.
    """
    learnt, seen = live(11, 24_000, 18, width=6), live(12, 12_000, 18, width=6)
    ahead = fit_outlook(windowed(learnt), ["gender", "trend"], EXITS)
    frozen = Outlook(
        {
            name: fit_hazard(
                learnt.assign(n=learnt[f"risk_{name}"], events=learnt[f"left_{name}"]),
                ["gender", "trend"],
            )
            for name in EXITS
        }
    )
    at = seen[(seen["month"] == 12)]
    gone = {h: (at["churned"] & (at["months_left"] < h)).groupby(at["trend"]).sum() for h in (3, 5)}
    table = ibis.memtable(at.assign(customer_id=at["number"].astype(str)).drop(columns="month"))
    ratios = {}
    for name, model in (("ahead", ahead), ("frozen", frozen)):
        expected = forecast(model, table, [3, 5], by=["trend"]).expected("trend")
        for row in expected.itertuples():
            events = gone[row.horizon_months][row.group]
            ratios[name, row.group, row.horizon_months] = row.expected / events
            if name == "ahead":  # the prediction interval at 99.9 %
                wide = (row.high - row.low) / 2 * stats.norm.ppf(0.9995) / stats.norm.ppf(0.975)
                assert abs(row.expected - events) < wide
    assert all(ratios["frozen", "halved", h] > 1.2 for h in (3, 5))
    assert all(ratios["frozen", "steady", h] < 0.7 for h in (3, 5))


def test_prediction_intervals_cover_as_often_as_they_say():
    """Of cells with known chances: who will be counted, and the expected share; 300 seeds."""
    seeds, rng = 300, np.random.default_rng(8)
    combos = [(t, g) for t in ("0", "1-2") for g in ("a", "b", "c")]
    learn = pd.DataFrame(combos, columns=["tenure_band", "g"]).assign(n=600)
    true = np.exp(
        np.log(0.06)
        + np.where(learn["tenure_band"] == "0", 0.4, 0)
        + learn["g"].map({"a": 0, "b": 0.5, "c": 1.0})
    )
    learn["chance"] = -np.expm1(-true)
    score = pd.DataFrame({"tenure": 1, "g": ["a", "b", "c"], "n": [120, 80, 40], "here": 1.0})
    score["here"] = score["n"].astype(float)
    monthly = learn.loc[learn["tenure_band"] == "1-2", "chance"].to_numpy()
    truth = 1 - (1 - monthly) ** 2  # tenure 1 and 2 are one band
    hits, together = dict.fromkeys(["all", "c", "share", "months"], 0), 0
    months = 1 + (1 - monthly)
    hazard = fit_hazard(learn.assign(events=np.round(learn["n"] * learn["chance"])), ["g"])
    design, n = hazard.design(learn), learn["n"].to_numpy(float)
    for _ in range(seeds):
        fit = fit_cloglog(design, n, rng.binomial(learn["n"], learn["chance"]))
        own = replace(hazard, coefficients=fit.coefficients, covariance=fit.covariance)
        model = Outlook({"left": own})
        chances, gradients = _chances(model, score, (2,), (2,))
        one = Forecast((2,), ("left",), None, score.assign(**chances), model.covariance, gradients)
        total = one.expected().iloc[0]
        third = one.expected(where=np.array([False, False, True])).iloc[0]
        counts = rng.binomial(score["n"], truth)
        hits["all"] += total["low"] <= counts.sum() <= total["high"]
        hits["c"] += third["low"] <= counts[2] <= third["high"]
        hits["share"] += third["share_low"] <= truth[2] <= third["share_high"]
        ends = np.array([chances["months_here_2_low"], chances["months_here_2_high"]])
        hits["months"] += ends[0, 2] <= months[2] <= ends[1, 2]
        sums = ends @ score["n"]
        together += sums[0] <= months @ score["n"] <= sums[1]
    low, high = stats.binom.interval(1 - 0.001 / len(hits), seeds, 0.95)
    assert all(low <= hit <= high for hit in hits.values()), hits
    # customers share the errors of the coefficients: summed ends are wide enough, and may be wider
    assert stats.binomtest(together, seeds, 0.95, alternative="less").pvalue > 0.001


# --- months here


def test_months_here_are_those_that_begin_before_the_customer_left(outlook, here):
    """Two exits, month by month; who may have left unnoticed is here for fewer months."""
    expected = forecast(outlook, ibis.memtable(here), [1], months_here=[6, 2])
    assert expected.months_here == (2, 6)
    scores = expected.scores.to_pandas().set_index("customer_id")
    for _, row in here.head(6).iterrows():
        stay, months = 1.0, 0.0
        for ahead in range(6):
            months += stay
            if ahead + 1 in (2, 6):
                got = scores.loc[row["customer_id"], f"months_here_{ahead + 1}"]
                assert got == pytest.approx(months * row["still_here"], abs=1e-12)
            stay *= 1 - sum(plain_hazards(outlook, row, ahead).values())
    spread = scores["months_here_6_high"] - scores["months_here_6_low"]
    assert (spread > 0).all()
    assert (scores["months_here_6_high"] <= 6 * scores["still_here"]).all()


def test_months_here_are_the_restricted_mean_of_lifelines():
    """Ten million stays with chances by tenure band: the area under Kaplan and Meier's curve."""
    bands = {"0": 0.05, "1-2": 0.03, "3-5": 0.02, "6-11": 0.01}
    left, rows = 10_000_000, []
    for tenure in range(12):
        name = str(band_of(np.array([tenure]), TENURE_BANDS)[0])
        events = round(left * bands[name])
        rows.append((name, tenure, left, events))
        left -= events
    cells = pd.DataFrame(rows, columns=["tenure_band", "tenure", "n", "events"])
    curve = KaplanMeierFitter().fit(
        [*(cells["tenure"] + 1), 12], [1] * 12 + [0], weights=[*cells["events"], left]
    )
    new = ibis.memtable(pd.DataFrame({"customer_id": ["a"], "tenure": [0]}))
    scores = forecast(fit_hazard(cells, []), new, [1], months_here=[3, 6, 12]).scores.to_pandas()
    for months in (3, 6, 12):
        wanted = restricted_mean_survival_time(curve, t=months)
        # numbers of exits are whole: one in ten million
        assert scores[f"months_here_{months}"].item() == pytest.approx(wanted, abs=1e-5)


def test_months_here_follow_the_hazards_of_the_simulated_bank():
    """Counts by the planted hazard: tenure and age move on, and no coefficient is off."""
    rng = np.random.default_rng(3)
    n = 600
    people = pd.DataFrame(
        {
            "tenure": rng.integers(0, 90, n),
            "age_months": rng.integers(20 * 12, 75 * 12, n),
            "gender": rng.choice(["female", "male"], n),
            "region": rng.choice(["east", "north"], n),
        }
    )

    def true_hazard(ahead: int) -> np.ndarray:
        known = {"tenure_months": people["tenure"] + ahead, "payroll": "none", "unresolved": 0}
        known |= {"age": (people["age_months"] + ahead) // 12, "region": people["region"]}
        gender = people["gender"].map({"female": "F", "male": "M"})
        return bank.true_hazard(pd.DataFrame(known).assign(gender=gender))

    parts = []
    for ahead in range(12):
        tenure, age = people["tenure"] + ahead, people["age_months"] + ahead
        parts.append(
            people.assign(
                tenure_band=band_of(tenure, TENURE_BANDS),
                age_band=band_of(age, AGE_BANDS),
                n=5000,
                events=5000 * true_hazard(ahead),
            )
        )
    by = ["tenure_band", "age_band", "gender", "region"]
    cells = pd.concat(parts).groupby(by, as_index=False)[["n", "events"]].sum()
    table = ibis.memtable(people.assign(customer_id=[str(i) for i in range(n)]))
    expected = forecast(fit_hazard(cells, by[1:]), table, [3], months_here=[3, 12])
    scores = expected.scores.to_pandas().set_index("customer_id").loc[[str(i) for i in range(n)]]
    stay, months = np.ones(n), np.zeros(n)
    for ahead in range(12):
        months += stay
        stay *= 1 - true_hazard(ahead)
    # our bands of age begin at 20 and 30, the planted ones at 30: no band of ours holds both
    np.testing.assert_allclose(scores["months_here_12"], months, atol=0.02)
    assert scores["months_here_12"].mean() == pytest.approx(months.mean(), abs=1e-3)


# --- an exit with few cases, and none at all


def test_an_exit_with_few_cases_has_one_chance_for_all(stays, here):
    windows = stays.windows
    rare = windows.assign(
        risk_rare=windows["n"], left_rare=(np.arange(len(windows)) < 20).astype(int)
    )
    model = fit_outlook(rare, ["gender", "trend"], ("closed", "rare"))
    assert model.fitted and not model.hazards["rare"].fitted
    assert [str(note) for note in model.notes] == [
        "Too few of one kind of exit for a model: its chance is the same for everybody."
    ]
    people = here.drop(columns="risk_payroll_moved").assign(risk_rare=here.index % 2)
    scores = forecast(model, ibis.memtable(people), [1]).scores.to_pandas()
    scores = scores.merge(people, on="customer_id")
    wanted = 20 / rare["n"].sum() * scores["risk_rare"]
    np.testing.assert_allclose(scores["rare_within_1_months"], wanted, atol=1e-15)
    assert model.covariance.shape == model.hazards["closed"].covariance.shape


def test_without_exits_there_is_no_model(stays):
    none = stays.windows.assign(left_closed=0, left_payroll_moved=0, events=0)
    model = fit_outlook(none, ["gender", "trend"], EXITS)
    assert not model.fitted and model.status == "not_enough_data" and not model.notes
    assert not fit_outlook(none.iloc[:0], ["gender", "trend"], EXITS).fitted
    assert forecast_here(model, stays, [3]) is None
    assert by_group(None, ["gender"]) == []
    scores = score_customers(None, stays, [3], ENGLISH).to_pandas()
    assert len(scores) == stays.here.count().execute()
    assert scores.drop(columns="customer_id").isna().all(axis=None)
    names = ["leave_within_3_months", "closed_within_3_months", "payroll_moved_within_3_months"]
    assert [*scores.columns] == [
        *("customer_id", "still_here", *names, "months_left_median", "months_left_mean"),
        *(f"months_here_{m}{end}" for m in (3, 6, 12) for end in ("", "_low", "_high")),
        *("reason_1", "reason_2"),
    ]


def test_nobody_here(outlook, stays, here):
    empty = replace(stays, here=ibis.memtable(here).limit(0))
    assert forecast_here(outlook, empty, [3]) is None
    with pytest.raises(CustomerlabError, match="no customer is here"):
        forecast(outlook, ibis.memtable(here).limit(0), [3])


# --- from the model to the customers


def test_scores_are_of_the_active_customers(stays):
    outlook = look_ahead(stays)
    ids = stays.here.customer_id.to_pandas()
    customers = pd.DataFrame({"customer_id": [*ids, "asleep", "silent"]})
    customers["layer"] = np.where(np.arange(len(customers)) % 5 == 0, "dormant", "valid")
    customers.loc[customers["customer_id"] == "asleep", "layer"] = "dormant"
    customers.loc[customers["customer_id"] == "silent", "layer"] = "potential_active"
    customers["assets"] = np.where(np.arange(len(customers)) % 7 == 0, np.nan, 100.0)
    table = ibis.memtable(customers)
    expected = forecast_here(outlook, stays, [3, 5], table, fit_causes(stays))
    active = customers[customers["layer"] != "dormant"]
    scored = active[active["customer_id"] != "silent"]
    assert expected.customers == len(scored) == expected.here
    assert expected.cells["assets"].sum() == scored["assets"].sum()
    scores = score_customers(expected, stays, [3, 5], ENGLISH, table).to_pandas()
    assert sorted(scores["customer_id"]) == sorted(active["customer_id"])
    silent = scores.set_index("customer_id").loc["silent"]
    assert silent["still_here"] == 0 and np.isnan(silent["leave_within_3_months"])
    assert silent["months_here_12"] == silent["months_here_12_high"] == 0
    others = scores[scores["customer_id"] != "silent"]
    assert others["months_here_12"].between(1, 12).all()
    assert (others["months_here_3"] > 3 - others["leave_within_3_months"] * 2).all()
    words = set(scores["reason_1"].dropna())
    assert words <= {"gender: women", "assets against three months earlier: at most half"}
    assert len(words) == 2
    women, men = by_group(expected, ["gender"])[0].query("horizon_months == 3").itertuples()
    assert (str(women.group), str(men.group)) == ("women", "men") and women.share > men.share
    total = scores["leave_within_3_months"].sum()
    assert expected.expected()["expected"].iloc[0] == pytest.approx(total)


def test_causes_may_use_what_the_model_ahead_does_not(stays):
    """No window begins in a customer's first months, but exits of such months have causes."""
    own = replace(stays, windows=stays.windows.assign(tenure_band="60+"))
    outlook, causes = look_ahead(own), fit_causes(own)
    assert "tenure_band" not in outlook.inputs
    assert "tenure_band" in Outlook(causes).inputs
    expected = forecast_here(outlook, own, [3], None, causes)
    # groups of the search are of tenure, too
    assert expected.expected("tenure_band")["customers"].sum() == expected.customers


# --- reasons


def reasons_of(expected):
    scores = expected.scores.to_pandas().set_index("customer_id")
    return scores[["reason_1", "reason_2"]].astype(object).where(lambda x: x.notna(), None)


def planted(ratios, n=100_000):
    """Return counts in which each feature's level multiplies the hazard by a known ratio."""
    levels = pd.MultiIndex.from_product([list(one) for one in ratios.values()], names=[*ratios])
    cells = levels.to_frame(index=False).assign(tenure_band="0", n=n, lead=0)
    times = np.prod([cells[name].map(one) for name, one in ratios.items()], axis=0)
    return cells.assign(events=np.round(n * -np.expm1(-0.01 * times)))


def test_the_largest_cause_is_the_first_reason():
    """Against the logarithms of the planted ratios, each less its mean over those here."""
    ratios = {"cause": {"low": 1, "mid": 1.5, "high": 2.5}, "paid": {"yes": 1, "no": 1.8}}
    ratios["size"] = {"s": 1, "l": 1.04}  # too little to be a reason
    model = fit_hazard(planted(ratios), [*ratios])
    rng = np.random.default_rng(2)
    people = pd.DataFrame({name: rng.choice([*one], 600) for name, one in ratios.items()})
    people = people.assign(customer_id=[str(i) for i in range(600)], tenure=0)
    got = reasons_of(forecast(model, ibis.memtable(people), [3]))
    above = pd.DataFrame({name: np.log(people[name].map(one)) for name, one in ratios.items()})
    above -= above.mean()
    for i, row in people.iterrows():
        order = above.loc[i].sort_values(ascending=False)
        wanted = [f"{name}={row[name]}" for name in order[order > np.log(1.1)].index]
        assert got.loc[row["customer_id"]].tolist() == [*wanted, None, None][:2]
    assert got["reason_2"].isna().any() and got["reason_1"].isna().any()


def test_signs_only_fill_what_the_causes_leave():
    """A ratio of 10 of a symptom stands behind 1.5 of a cause."""
    ratios = {"gender": {"male": 1, "female": 1.5}, "region": {"n": 1, "s": 1.4}}
    ratios["trend"] = {"steady": 1, "halved": 10}
    cells = planted(ratios)
    outlook = fit_outlook(cells, [*ratios])
    causes = {"left": fit_hazard(cells, ["gender", "region"])}
    people = pd.DataFrame(
        [
            (gender, region, trend)
            for gender in ratios["gender"]
            for region in ratios["region"]
            for trend in ratios["trend"]
        ],
        columns=[*ratios],
    )
    people = people.assign(customer_id=[str(i) for i in range(8)], tenure=0)
    got = reasons_of(forecast(outlook, ibis.memtable(people), [1], causes=causes))
    who = people.set_index("customer_id")
    got = {tuple(who.loc[i, [*ratios]]): row.tolist() for i, row in got.iterrows()}
    women, south, less = "gender=female", "region=s", "trend=halved"
    assert got[("female", "s", "halved")] == [women, south]
    assert got[("female", "n", "halved")] == [women, less]
    assert got[("male", "n", "halved")] == [less, None]
    assert got[("male", "n", "steady")] == [None, None]
    own = reasons_of(forecast(outlook, ibis.memtable(people), [1]))  # without a model of causes
    assert set(own["reason_1"].dropna()) == {women, south, less}


# --- earlier landmarks


def test_a_landmark_knows_nothing_of_later_months(stays):
    judged = judge_landmarks(stays, [1, 3, 5], by=["gender", "tenure_band"])
    marks = sorted(judged["landmark"].unique())
    # the last three with a horizon that has passed
    assert marks == [day(FIRST + month) for month in (15, 18, 21)]
    assert set(judged.query("landmark == @marks[-1]")["horizon_months"]) == {1, 3}
    # pay that stays away in a month is known when the next one is over
    later = stays.windows.copy()
    month = [d.year * 12 + d.month - 1 - FIRST for d in later["landmark"]] + later["lead"]
    unknown = month > 18 - 2
    later.loc[unknown, ["events", "left_closed"]] = later.loc[unknown, "n"] // 2
    again = judge_landmarks(replace(stays, windows=later), [1, 3, 5], by=["gender", "tenure_band"])
    early = [mark in marks[:2] for mark in judged["landmark"]]
    pd.testing.assert_frame_equal(judged[early], again[early])
    last = [mark == marks[2] for mark in judged["landmark"]]
    assert again["chance"].to_numpy()[last].mean() > 1.2 * judged["chance"].to_numpy()[last].mean()


def test_what_happened_after_a_landmark_is_counted(lives, stays):
    """Counts, and the chance without features, by plain pandas."""
    judged = judge_landmarks(stays, [3, 5], by=["gender"])
    windows = lives.merge(lives.loc[lives["lead"] == 0, ["number", "landmark"]])
    for (mark, horizon, gender), part in judged.groupby(["landmark", "horizon_months", "gender"]):
        month = mark.year * 12 + mark.month - 1 - FIRST
        then = lives[(lives["month"] == month) & (lives["gender"] == gender)]
        left = lives[lives["number"].isin(then["number"]) & (lives["events"] == 1)]
        assert part["n"].sum() == len(then)
        assert part["events"].sum() == left["month"].between(month, month + horizon - 1).sum()
        known = windows[windows["month"] <= month - 2].groupby("lead")[["n", "events"]].sum()
        stay = 1.0
        for ahead in range(horizon):
            one = known.loc[min(ahead, 2)]  # later months are like the third
            stay *= 1 - one["events"] / one["n"]
        assert part["baseline"].tolist() == pytest.approx([1 - stay] * len(part))
    assert judged["n"].sum() > 0


def test_a_landmark_may_be_told_by_what_its_model_does_not_use(stays):
    own = replace(stays, windows=stays.windows.assign(tenure_band="60+"))
    judged = judge_landmarks(own, [3], by=["tenure_band", "gender"])
    assert set(judged["tenure_band"]) <= {*TENURE_BANDS.values()} and len(judged)


def test_where_no_landmark_can_be_judged_the_table_is_empty(stays):
    wanted = ["landmark", "horizon_months", "gender", "n", "events", "chance", "baseline"]
    short = stays_of(live(3, 500, months=5))
    few = stays_of(live(3, 20))
    for one in (
        replace(stays, windows=None, landmarks=None),
        replace(stays, windows=stays.windows.iloc[:0]),
        short,
        few,
    ):
        judged = judge_landmarks(one, [3], by=["gender"])
        assert judged.empty and [*judged.columns] == wanted
    assert judge_landmarks(stays, [60], by=["gender"]).empty  # no such horizon has passed


# --- repeated trouble


def troubled(again=3.0, n=4000):
    """Return months in which one complaint doubles the hazard, and a second multiplies it again."""
    times = {"none": 1.0, "once": 2.0, "other case": 2.5, "same case": 2.0 * again}
    rows = [
        (g, trouble, n if trouble == "none" else n // 4, times[trouble] * (1.3 if g == "a" else 1))
        for g in "ab"
        for trouble in times
    ]
    cells = pd.DataFrame(rows, columns=["g", "trouble", "n", "times"]).assign(tenure_band="0")
    return cells.assign(events=np.round(cells["n"] * -np.expm1(-0.02 * cells["times"])))


def test_what_the_second_contact_adds_is_the_contrast_of_a_plain_fit():
    """With the other level as the reference the coefficient is the contrast itself."""
    cells = troubled()
    model = fit_hazard(cells, ["g", "trouble"])
    ratio, low, high, p = compare_levels(model, "trouble", "same case", "once")
    # once is made the reference: renamed, and with the most months on paper only
    import statsmodels.api as sm

    dummies = pd.get_dummies(cells["trouble"])[["none", "other case", "same case"]].astype(float)
    design = sm.add_constant(dummies.assign(g=(cells["g"] == "a").astype(float)))
    family = sm.families.Binomial(link=sm.families.links.CLogLog())
    counts = np.column_stack([cells["events"], cells["n"] - cells["events"]])
    theirs = sm.GLM(counts, design, family=family).fit(tol=1e-14, maxiter=200)
    wanted = [theirs.params["same case"], *theirs.conf_int().loc["same case"]]
    np.testing.assert_allclose(np.log([ratio, low, high]), wanted, atol=1e-7)
    assert p == pytest.approx(theirs.pvalues["same case"], rel=1e-5)
    assert compare_levels(model, "trouble", "same case", "never seen") is None
    assert compare_levels(model, "nothing", "a", "b") is None


def test_repeated_trouble_is_said(stays):
    own = replace(stays, months=troubled(), causes=("g", "complaints"))
    finding = repeated_trouble(fit_trouble(own))
    assert finding.status == "supported" and finding.low <= 3 <= finding.high
    assert finding.low <= finding.value <= finding.high
    assert "second unresolved contact about the same case customers leave 3." in str(finding.text)
    assert finding.n == troubled().query("trouble == 'same case'")["events"].sum()
    none = repeated_trouble(fit_trouble(replace(stays, months=troubled(1.0), causes=("g",))))
    assert none.status == "weak" and "does not clearly add" in str(none.text)
    few = repeated_trouble(fit_trouble(replace(stays, months=troubled(n=60), causes=("g",))))
    assert few.value is None and few.status == "not_enough_data"
    assert fit_trouble(own) is not None and fit_trouble(stays) is None
    assert repeated_trouble(None).status == "not_enough_data"


# --- shown


def test_ratios_that_rest_on_few_exits_are_not_shown(stays):
    causes = fit_causes(stays)
    everything = ratios_table(causes, 0)
    assert len(everything) == sum(len(one.table) for one in causes.values())
    closed = causes["closed"].table
    limit = int(closed["events"].min()) + 1
    shown = ratios_table(causes, limit)
    few = np.concatenate([one.table["events"] < limit for one in causes.values()])
    assert few.any() and shown.loc[few, "hazard_ratio"].isna().all()
    assert shown.loc[~few, "hazard_ratio"].notna().all()
    none = fit_causes(replace(stays, months=stays.months.assign(left_closed=0)))
    assert [*ratios_table(none, 10).columns] == [*shown.columns]
    empty = fit_causes(replace(stays, months=stays.months.iloc[:0]))
    assert ratios_table(empty, 10).empty


def test_who_is_left_out_and_the_rule_are_shown(stays):
    assert left_out_to_show(stays, 10)["customers"].tolist() == ["<10", HIDDEN]
    assert rule_to_draw(stays).empty
    table = pd.DataFrame(
        {"silent_days": [30, 40], "silences": 500, "returns": [0.2, 0.04], "low": 0.0, "high": 0.3}
    )
    drawn = rule_to_draw(replace(stays, idle_rule=IdleRule(40, True, table)))
    assert drawn["chosen"].tolist() == [False, True]
