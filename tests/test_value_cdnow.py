"""Customer value of CDNOW's customers, against the papers' numbers and the package lifetimes.

lifetimes' numbers come from ``tests/oracles/lifetimes_cdnow.py``.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from types import SimpleNamespace

import ibis
import numpy as np
import pandas as pd
import pytest

from customerlab.value.bgnbd import fit_bgnbd, log_likelihood
from customerlab.value.foretelling import alive, expected_purchases, expected_since_first
from customerlab.value.gamma_gamma import expected_paid, fit_gamma_gamma, spending_likelihood
from customerlab.value.histories import (
    count_histories,
    count_spending,
    count_weeks,
    histories,
    purchase_days,
)
from customerlab.value.holdout import judge_holdout
from customerlab.value.outlook import foretell, score_customers

ORACLES = Path(__file__).parent / "oracles"
LANDMARK, UNTIL = dt.date(1997, 9, 30), dt.date(1998, 6, 30)
#: Fader, Hardie & Lee 2005; Fader & Hardie 2013: README of the shared data.
PUBLISHED = np.array([0.243, 4.414, 0.793, 2.426])
PUBLISHED_PAID = np.array([6.25, 3.74, 15.45])


@pytest.fixture(scope="module")
def lines(shared_data):
    """Return the purchases as they are in the file."""
    names = ["customer_id", "day", "units", "paid"]
    file = shared_data / "cdnow" / "CDNOW_master.txt.gz"
    rows = pd.read_csv(file, sep=r"\s+", skiprows=1, names=names, dtype={"customer_id": str})
    assert len(rows) == 69_659
    return rows.assign(day=pd.to_datetime(rows["day"], format="%Y%m%d").dt.date)


def counted(lines):
    """Count the histories of these customers, with the hold-out."""
    engine = ibis.duckdb.connect()
    days = engine.create_table("days", purchase_days(engine.create_table("lines", lines)))
    each = engine.create_table("each", histories(days, LANDMARK, until=UNTIL))
    counts, spending = count_histories(each), count_spending(each)
    return SimpleNamespace(
        **dict(engine=engine, days=days, each=each, counts=counts, spending=spending),
        **dict(model=fit_bgnbd(counts), paid=fit_gamma_gamma(spending)),
        weeks=count_weeks(days, LANDMARK, UNTIL),
    )


@pytest.fixture(scope="module")
def sample_lines(lines):
    sample = pd.read_csv(ORACLES / "cdnow_sample.csv", dtype=str)["customer_id"]
    return lines[lines["customer_id"].isin(sample)]


@pytest.fixture(scope="module")
def sample(sample_lines):
    return counted(sample_lines)


@pytest.fixture(scope="module")
def everyone(lines):
    return counted(lines)


@pytest.fixture(scope="module")
def lifetimes():
    table = pd.read_csv(ORACLES / "lifetimes_cdnow.csv")
    return {what: part.set_index("name")["value"] for what, part in table.groupby("what")}


@pytest.fixture(scope="module")
def plain(sample_lines):
    """Return the histories of the sample by plain pandas, a row a customer."""
    days = sample_lines.groupby(["customer_id", "day"])["paid"].sum().reset_index()
    days["day"] = pd.to_datetime(days["day"])
    landmark = pd.Timestamp(LANDMARK)
    seen, after = days[days["day"] <= landmark], days[days["day"] > landmark]
    ends = seen.groupby("customer_id")["day"].agg(["min", "max"])
    rest = seen[seen["day"] > seen["customer_id"].map(ends["min"])].groupby("customer_id")
    table = pd.DataFrame(
        {
            "frequency": rest.size(),
            "recency_days": (ends["max"] - ends["min"]).dt.days,
            "age_days": (landmark - ends["min"]).dt.days,
            "monetary": rest["paid"].mean(),
            "recent": rest.size(),  # the period before is all of the 39 weeks
            "later": after.groupby("customer_id").size(),
        },
        index=ends.index,
    )
    whole = ["frequency", "recent", "later"]
    return table.fillna(dict.fromkeys(whole, 0))


def test_histories_are_those_of_plain_pandas(sample, plain):
    ours = sample.each.order_by("customer_id").to_pandas().set_index("customer_id")
    assert len(ours) == 2357
    pd.testing.assert_frame_equal(
        ours[plain.columns], plain, check_dtype=False, check_names=False, atol=1e-6
    )


def fit_in_cents(sample):
    """Fit to means rounded to cents, as they are in the papers' file."""
    return fit_gamma_gamma(
        count_spending(sample.each.mutate(monetary=sample.each.monetary.round(2)))
    )


def test_the_papers_parameters_are_found(sample):
    assert sample.counts["n"].sum() == 2357 and sample.spending["n"].sum() == 946
    # to half of the last digit printed
    assert sample.model.parameters == pytest.approx(PUBLISHED, abs=5e-4)
    assert fit_in_cents(sample).parameters == pytest.approx(PUBLISHED_PAID, abs=5e-3)
    # what the cents move is no thousandth of an error
    assert sample.paid.parameters == pytest.approx(PUBLISHED_PAID, abs=0.01)
    mean = np.average(sample.spending["monetary"], weights=sample.spending["n"])
    assert mean == pytest.approx(35.08, abs=0.005)
    assert sample.paid.check.passed and sample.model.status == "supported"


def test_parameters_and_errors_are_those_of_lifetimes(sample, lifetimes):
    for fit, name in ((sample.model, "bg_nbd"), (fit_in_cents(sample), "gamma_gamma")):
        # the times of lifetimes' file are rounded to hundredths of a week
        assert fit.parameters == pytest.approx(lifetimes[name].to_numpy(), rel=1e-4)
        errors = fit.parameters * np.sqrt(np.diag(fit.covariance))
        theirs = lifetimes[f"{name}_error"].to_numpy()
        assert errors == pytest.approx(theirs, rel=5e-3)


def test_forecasts_are_those_of_lifetimes(lifetimes):
    names = lifetimes["alive"].index
    rows = pd.DataFrame(
        [[float(part) for part in name.split("/")] for name in names],
        columns=["frequency", "recency_days", "age_days"],
    )
    rows[["recency_days", "age_days"]] *= 7
    assert alive(PUBLISHED, rows) == pytest.approx(lifetimes["alive"].to_numpy(), rel=1e-10)
    for weeks in (4, 39, 104):
        ours = expected_purchases(PUBLISHED, rows, weeks)
        assert ours == pytest.approx(lifetimes[f"purchases_{weeks}"].to_numpy(), rel=1e-9)
    weeks = lifetimes["since_first"].index.astype(float).to_numpy()
    ours = expected_since_first(PUBLISHED, weeks)
    assert ours == pytest.approx(lifetimes["since_first"].to_numpy(), rel=1e-9)
    # Fader & Hardie's worked example in Excel: two repeat purchases, 39 weeks ahead
    assert expected_purchases(PUBLISHED, rows, 39)[2] == pytest.approx(1.226, abs=5e-4)
    x, mean = np.array([n.split("/") for n in lifetimes["paid"].index], dtype=float).T
    ours = expected_paid(PUBLISHED_PAID, x, mean)
    assert ours == pytest.approx(lifetimes["paid"].to_numpy(), rel=1e-12)


def test_counts_have_the_likelihood_of_rows(sample, everyone):
    for some in (sample, everyone):
        rows = some.each.to_pandas()
        here, slope = log_likelihood(PUBLISHED, some.counts)
        there, theirs = log_likelihood(PUBLISHED, rows)
        assert here == pytest.approx(there, rel=1e-9)
        assert slope == pytest.approx(theirs, rel=1e-9)
        paying = rows[rows["monetary"] > 0].assign(n=1)
        paying["log_monetary"] = np.log(paying["monetary"])
        here, slope = spending_likelihood(PUBLISHED_PAID, some.spending)
        there, theirs = spending_likelihood(PUBLISHED_PAID, paying)
        assert here == pytest.approx(there, rel=1e-9)
        assert slope == pytest.approx(theirs, rel=1e-9)
    assert len(everyone.counts) < 0.45 * everyone.counts["n"].sum()
    fitted = fit_bgnbd(sample.each.to_pandas())
    assert fitted.log_likelihood == pytest.approx(sample.model.log_likelihood, rel=1e-9)
    assert fitted.parameters == pytest.approx(sample.model.parameters, rel=1e-6)


def test_all_customers_are_fitted(everyone, sample):
    """The sample is a tenth of them: its intervals, widened to 99.9 %, hold their parameters."""
    assert everyone.counts["n"].sum() == 23_570
    for all_of, some in ((everyone.model, sample.model), (everyone.paid, sample.paid)):
        assert all_of.status == "supported"
        apart = np.log(all_of.parameters / some.parameters)
        # a part differs from its whole by its own error, less a tenth of the variance
        error = np.sqrt(0.9 * np.diag(some.covariance))
        assert (np.abs(apart) < 3.29 * error).all()


def test_weeks_and_rounded_means_are_near_enough(everyone):
    """Rounded, a quarter of the cells gives parameters within a fifth of an error."""
    by_weeks = count_histories(histories(everyone.days, LANDMARK, grain_days=7))
    assert len(by_weeks) < len(everyone.counts) / 4
    pairs = [(fit_bgnbd(by_weeks), everyone.model)]
    rounded = count_spending(everyone.each, step=0.01)
    assert len(rounded) < len(everyone.spending) / 3
    assert rounded["n"].sum() == everyone.spending["n"].sum()
    pairs.append((fit_gamma_gamma(rounded), everyone.paid))
    for near, exact in pairs:
        apart = np.log(near.parameters / exact.parameters)
        assert (np.abs(apart) < 0.2 * np.sqrt(np.diag(exact.covariance))).all()


def test_the_hold_out_beats_last_period_and_is_said_to_be_low(sample, everyone, plain):
    for some, actual, baseline, off in (
        (sample, 1882, 2457, -0.121),
        (everyone, 19_684, 24_337, -0.143),
    ):
        held = judge_holdout(some.counts, some.weeks)
        assert held.beaten and held.actual == actual
        assert held.totals["purchases"].iloc[1] == baseline
        assert held.totals["off"].iloc[0] == pytest.approx(off, abs=5e-4)
        last = held.weekly.iloc[-1]
        assert (last["week"], last["actual"], last["baseline"]) == (39, actual, baseline)
        assert last["expected"] == pytest.approx(held.totals["purchases"].iloc[0], rel=1e-9)
        assert (held.weekly["expected"].diff().dropna() > 0).all()
        better, right = held.checks
        assert better.passed is True and right.passed is False
        if some is sample:
            error = (plain["recent"] - plain["later"]).pow(2).mean() ** 0.5
            assert held.totals["error"].iloc[1] == pytest.approx(error, rel=1e-12)
            groups = plain.groupby(plain["frequency"].clip(upper=7))["later"].mean()
            assert held.by_frequency["actual"].to_numpy() == pytest.approx(groups.to_numpy())
            assert str(held.text) == (
                "Of 1,882 purchases that followed, the model foretold 1,653 and last period's "
                "purchases 2,457. Customer by customer the model is nearer: its error is 1.61 "
                "purchases, that of last period's 1.97."
            )


def test_scores_of_customers_add_up_to_the_totals(sample):
    totals = foretell(sample.model, sample.paid, sample.counts, [3, 12], margin=0.3)
    scores = score_customers(
        *(sample.each, sample.model, sample.paid, sample.counts, [3, 12]), margin=0.3
    ).to_pandas()
    assert len(scores) == 2357
    for row in totals.table.itertuples():
        months = row.horizon_months
        sums = {"buyers": "buys", "purchases": "purchases", "value": "value"}
        for total, score in sums.items():
            added = scores[f"{score}_{months}_months"].sum()
            # means paid are added up to millionths
            assert getattr(totals.table.set_index("horizon_months").loc[months], total) == (
                pytest.approx(added, rel=1e-7)
            )
    assert (scores["alive"].between(0, 1)).all()
    assert [f.id for f in totals.findings][:2] == [
        "customer_value.purchases_in_3_months",
        "customer_value.value_in_3_months",
    ]
