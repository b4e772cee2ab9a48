"""Hazards by tenure and calendar: against a paper's interval, plain models, planted peaks."""

import datetime as dt

import ibis
import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats

from customerlab.churn.calendar import (
    calendar_to_show,
    contact_window,
    hazard_by,
    hazard_calendar,
    main_branch,
    season,
    with_season,
)
from customerlab.features import TENURE_BANDS, band_of
from customerlab.messages import ENGLISH, Words
from customerlab.plots.calendar import hazard_calendar as draw_calendar

#: Of the checks that follow chance, one in a thousand may fail by itself; the seeds are fixed.
LEVEL = 0.001


def customer_months(chance, months=30, n=400, seed=1):
    """Make rows of customers at risk; `chance(tenure, month_of_year)` of leaving in a month."""
    rng = np.random.default_rng(seed)
    rows = []
    for customer in range(n):
        tenure = int(rng.integers(6, 20))
        for k in range(months):
            month = dt.date(2022 + k // 12, k % 12 + 1, 1)
            left = int(rng.random() < chance(tenure + k, month.month))
            rows.append((f"c{customer:04d}", month, tenure + k, left))
            if left:
                break
    frame = pd.DataFrame(rows, columns=["customer_id", "month", "tenure", "left"])
    return frame.assign(tenure_band=band_of(frame["tenure"].to_numpy(), TENURE_BANDS))


@pytest.fixture(scope="module")
def seasonal():
    return customer_months(lambda tenure, month: 0.02 + 0.06 * (month == 6) + 0.03 * (tenure < 12))


def test_wilson_interval_is_newcombes():
    # Newcombe (1998), Statistics in Medicine 17, table I, method 3: 81 of 263
    rows = ibis.memtable({"region": ["a"] * 263, "left": [1] * 81 + [0] * 182})
    row = hazard_by(rows, ["region"]).iloc[0]
    assert (row["n"], row["events"]) == (263, 81)
    assert (round(row["low"], 4), round(row["high"], 4)) == (0.2553, 0.3662)


def _key(key):
    """Name a group alike whatever type its day has."""
    parts = key if isinstance(key, tuple) else (key,)
    return " ".join(str(part).removesuffix(" 00:00:00") for part in parts)


def test_hazards_are_those_of_the_rows(seasonal):
    rows = with_season(ibis.memtable(seasonal))
    for by in (["tenure"], ["month_of_year"], ["tenure_band", "month"]):
        table = hazard_by(rows, by)
        plain = seasonal.assign(month_of_year=[day.month for day in seasonal["month"]])
        plain = plain.groupby(by)["left"].agg(["size", "sum", "mean"])
        keys = [tuple(map(str, key)) for key in table[by].itertuples(index=False)]
        both = plain.set_axis([_key(key) for key in plain.index]).loc[[_key(k) for k in keys]]
        assert len(table) == len(plain)
        assert table["n"].tolist() == both["size"].tolist()
        assert table["events"].tolist() == both["sum"].tolist()
        np.testing.assert_allclose(table["hazard"], both["mean"], rtol=1e-12)
        assert (table["low"] <= table["hazard"]).all() and (table["hazard"] <= table["high"]).all()


def test_no_value_is_a_group_and_no_rows_are_no_groups():
    rows = ibis.memtable({"region": ["a", None], "left": [1, 0]})
    assert hazard_by(rows, ["region"])["n"].tolist() == [1, 1]
    none = hazard_by(rows.filter(rows.left > 1), ["region"])
    assert none.empty and none.columns.tolist() == [
        "region",
        "n",
        "events",
        "hazard",
        "low",
        "high",
    ]


def test_main_branch_is_that_of_the_first_account_whether_open_or_closed():
    accounts = pd.DataFrame(
        [
            ("a2", "x", "second", "2020-05-01", None),
            ("a1", "x", "first", "2019-05-01", "2024-01-01"),
            ("b2", "y", "same day, larger number", "2020-01-01", None),
            ("b1", "y", "same day", "2020-01-01", None),
            ("c1", "z", None, "2018-01-01", None),
            ("c2", "z", "known", None, None),
            ("d1", "nobody knows", None, "2018-01-01", None),
        ],
        columns=["account_id", "customer_id", "branch", "opened_on", "closed_on"],
    )
    table = ibis.memtable(accounts)
    dates = {name: table[name].cast("date") for name in ("opened_on", "closed_on")}
    found = main_branch(table.mutate(**dates)).order_by("customer_id").to_pandas()
    assert dict(found.itertuples(index=False)) == {"x": "first", "y": "same day", "z": "known"}


def test_season_is_tested_beyond_tenure_as_a_plain_model_of_the_rows_does(seasonal):
    calendar = hazard_calendar(ibis.memtable(seasonal))
    assert calendar.months == 30 and calendar.events == seasonal["left"].sum()
    # the plainest statement of the test: two models of single trials
    counts = seasonal.groupby("tenure_band")["left"].sum()
    assert counts.min() >= 5  # no level is joined to another, so the oracle needs not join either
    months = pd.Series([day.month for day in seasonal["month"]])
    base = pd.get_dummies(seasonal["tenure_band"], drop_first=True).astype(float)
    full = base.join(pd.get_dummies(months, drop_first=True, prefix="m").astype(float))
    fits = [
        sm.GLM(
            seasonal["left"],
            sm.add_constant(design),
            family=sm.families.Binomial(link=sm.families.links.CLogLog()),
        ).fit(maxiter=200, tol=1e-10)
        for design in (base, full)
    ]
    if calendar.df == 11:  # both solve to 1e-8 in the log-likelihood
        assert calendar.statistic == pytest.approx(2 * (fits[1].llf - fits[0].llf), abs=1e-5)
        assert calendar.p == pytest.approx(stats.chi2.sf(calendar.statistic, 11))
    found = season(calendar)
    assert calendar.df == 11 and calendar.p < 1e-4 and found.value == 6
    assert "month 6 of the year" in str(found.text)


def test_without_a_season_the_test_is_true_to_its_level():
    found = 0
    for seed in range(40):
        # two exactly alike years: 24 months of 400 customers at risk, 3 % a month
        rng = np.random.default_rng(seed)
        months = [dt.date(2022 + k // 12, k % 12 + 1, 1) for k in range(24)]
        left = rng.binomial(400, 0.03, 24)
        rows = pd.DataFrame(
            {
                "month": np.repeat(months, 400),
                "tenure_band": "60+",
                "left": np.concatenate([np.arange(400) < some for some in left]).astype(int),
            }
        )
        found += hazard_calendar(ibis.memtable(rows)).p < 0.05
    assert stats.binomtest(found, 40, 0.05, alternative="greater").pvalue > LEVEL


def test_less_than_two_years_are_no_season(seasonal):
    short = seasonal[[day < dt.date(2023, 12, 1) for day in seasonal["month"]]]
    calendar = hazard_calendar(ibis.memtable(short))
    found = season(calendar)
    assert np.isnan(calendar.p) and found.status == "not_enough_data"
    assert str(found.text).startswith("23 months of data are too few")


def test_few_exits_are_no_season():
    rows = customer_months(lambda tenure, month: 0.0005, n=60)
    found = season(hazard_calendar(ibis.memtable(rows)))
    assert found.status == "not_enough_data" and "Too few" in str(found.text)


def hazards(chance, n=2000, seed=0, months=36):
    tenure = np.arange(months)
    at_risk = np.full(months, n)
    events = np.random.default_rng(seed).binomial(at_risk, chance(tenure))
    return pd.DataFrame({"tenure": tenure, "n": at_risk, "events": events})


def test_a_planted_peak_is_found_with_its_window():
    found = contact_window(hazards(lambda t: np.where(t == 12, 0.08, 0.02)))
    assert (found.value, found.low, found.high) == (12, 12, 12)
    assert "contact them in months 9 to 11" in str(found.text) and found.status == "supported"


def test_a_peak_at_the_beginning_asks_for_contact_from_the_beginning():
    found = contact_window(hazards(lambda t: np.where(t < 6, 0.045, 0.015)))
    assert found.low == 0 and found.high <= 5 + 6 and "from joining on" in str(found.text)


def test_no_clear_peak_is_said():
    found = contact_window(hazards(lambda t: np.full(len(t), 0.02)))
    assert found.value is None and found.status == "weak" and "overlap" in str(found.text)
    few = contact_window(hazards(lambda t: np.full(len(t), 0.0), n=100))
    assert few.status == "not_enough_data" and few.value is None
    assert contact_window(few_columns()).status == "not_enough_data"


def few_columns():
    return pd.DataFrame({"tenure": [], "n": [], "events": []})


@pytest.mark.parametrize("shape", ["sharp", "slope", "twins"])
def test_the_interval_of_the_peak_holds_the_peak(shape):
    def chance(t):
        if shape == "sharp":
            return np.where(t == 14, 0.03, 0.02)
        if shape == "slope":
            return 0.03 - 0.0003 * np.abs(t - 20)
        return np.where((t == 7) | (t == 29), 0.035, 0.02)

    tops = {"sharp": {14}, "slope": {20}, "twins": {7, 29}}[shape]
    covered, said = 0, 0
    for seed in range(100):
        found = contact_window(hazards(chance, seed=seed))
        if found.value is None:  # nothing said is nothing wrong
            covered += 1
            continue
        said += 1
        covered += any(found.low <= top <= found.high for top in tops)
    assert stats.binomtest(covered, 100, 0.95, alternative="less").pvalue > LEVEL


def test_cells_with_few_exits_are_blank(seasonal):
    calendar = hazard_calendar(ibis.memtable(seasonal))
    shown = calendar_to_show(calendar, 10)
    assert shown.columns.tolist() == ["tenure_band", "begins", "months", "hazard"]
    assert set(shown["months"]) == {1, 3, 12}
    frame = seasonal.assign(begins=[dt.date(day.year, 1, 1) for day in seasonal["month"]])
    plain = frame.groupby(["tenure_band", "begins"])["left"].agg(["sum", "mean"])
    years = shown[shown["months"] == 12].set_index(["tenure_band", "begins"])["hazard"]
    assert len(plain) == len(years)
    for (band, begins), row in plain.iterrows():
        value = years[(band, pd.Timestamp(begins))]
        assert np.isnan(value) if row["sum"] < 10 else value == round(row["mean"], 3)
    nothing = calendar_to_show(hazard_calendar(ibis.memtable(seasonal).filter(ibis._.left > 1)), 10)
    assert nothing.empty and nothing.columns.tolist() == shown.columns.tolist()


def test_the_map_shows_the_numbers_of_the_table(seasonal):
    shown = calendar_to_show(hazard_calendar(ibis.memtable(seasonal)), 10)
    chart = draw_calendar(shown)
    assert "leave" in str(chart.title) and len(str(chart.alt)) > 40
    for figure in (chart.figure, chart.narrow):
        drawn = {text.get_text() for axes in figure.axes for text in axes.texts}
        numbers = {
            months: {ENGLISH.format(x * 100, "number1") for x in part["hazard"].dropna()}
            for months, part in shown.groupby("months")
        }
        assert any(some and some <= drawn for some in numbers.values())
    empty = draw_calendar(shown.iloc[:0], Words("en"))
    assert "Too few" in str(empty.title)
