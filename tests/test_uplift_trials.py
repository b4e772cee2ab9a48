"""Trials as they are read: windows around each assignment by the plainest pandas, and edges."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import ibis
import numpy as np
import pandas as pd
import pytest
from test_behaviour import as_tables, kept

from customerlab.errors import CustomerlabError
from customerlab.params import check_params
from customerlab.proposals import Proposals
from customerlab.uplift.assigned import read_assignments
from customerlab.uplift.average import compare_arms
from customerlab.uplift.campaigns import NOT_ASSIGNED
from customerlab.uplift.comparing import compare_trials, effect_findings
from customerlab.uplift.prepared import read_experiment
from customerlab.uplift.proposed import proposal_findings, tell_proposals
from customerlab.uplift.summing import sum_arms

SNAPSHOT = "2025-06-30"
OUTCOMES = {
    "bought": {"kind": "binary", "days": 10},
    "orders": {"kind": "count", "days": 20},
    "card": {"kind": "amount", "days": 20, "when": "channel = 'card'"},
}


@pytest.fixture(scope="module")
def everything():
    """Return the shop, and all its campaigns as they are read at once, by name."""
    frames = shop()
    drawn = frames["assignments"]
    whole = pd.concat(
        [
            drawn,
            drawn.assign(campaign_id="half over", assigned_at=pd.Timestamp("2025-06-15")),
            drawn.assign(campaign_id="just begun", assigned_at=pd.Timestamp("2025-06-29")),
            drawn.assign(campaign_id="to all", arm="mail"),
            drawn.head(24).assign(campaign_id="tiny"),
        ]
    )
    ids = frames["customers"]["customer_id"]
    arms = np.where(np.arange(len(ids)) % 4 == 0, "control", "contact")
    proposed = pd.DataFrame({"customer_id": ids, "arm": arms})
    proposed = proposed.assign(outcome="orders", promised=0.2)
    earlier = Proposals(dt.date(2025, 3, 31), "churn_timing", ibis.memtable(proposed))
    tables = as_tables({**frames, "assignments": whole})
    asked = params(outcomes=OUTCOMES)
    trials = read_assignments(tables, asked, kept, proposals=[earlier]).trials
    return frames, {trial.id: trial for trial in trials}


@pytest.fixture(scope="module")
def campaign(everything):
    """Return the shop, and its campaign as it is read."""
    frames, trials = everything
    return frames, [trials["A"]]


@pytest.fixture(scope="module")
def few(campaign):
    """Return the campaign with two covariates, and its arms compared."""
    _, [trial] = campaign
    known = {name: name for name in ("x_orders_before", "x_card_before")}
    trial = replace(trial, covariates=known)
    return trial, compare_trials([trial])


def params(**settings):
    given = dict(client="x", snapshot=SNAPSHOT, uplift_tests=settings)
    return check_params(given, "here")


def shop(n=250, seed=3):
    """Make a shop's purchases and a campaign, drawn without any rule."""
    rng = np.random.default_rng(seed)
    ids = [f"c{i:03d}" for i in range(n)]
    lines = 12 * n
    sold = pd.DataFrame(
        {
            "customer_id": rng.choice(ids, lines),
            "occurred_at": pd.Timestamp("2025-01-01")
            + pd.to_timedelta(rng.integers(0, 175 * 86_400, lines), unit="s"),
            "amount": rng.integers(-300, 5000, lines) / 100,
            "order_id": [None if x < 1 else f"o{x // 2}" for x in rng.integers(0, lines, lines)],
            "channel": rng.choice(["card", "cash"], lines),
        }
    )
    drawn = pd.DataFrame(
        {
            "campaign_id": "A",
            "customer_id": ids[: n - 50],
            "arm": rng.choice(["control", "mail"], n - 50),
            "assigned_at": pd.Timestamp("2025-04-01 09:00")
            + pd.to_timedelta(rng.integers(0, 40, n - 50), unit="D"),
            "propensity": 0.5,
        }
    )
    people = pd.DataFrame({"customer_id": ids, "gender": rng.choice(["female", "male", None], n)})
    return {"transactions": sold, "assignments": drawn, "customers": people}


def by_pandas(frames, name, spec):
    """Return an outcome and the same of before, from each customer's own days."""
    sold, drawn = frames["transactions"], frames["assignments"]
    sold = sold[sold["channel"] == "card"] if "when" in spec else sold[sold["amount"] > 0]
    both = drawn.merge(sold, on="customer_id")
    day, date = (both[c].dt.normalize() for c in ("assigned_at", "occurred_at"))
    days = pd.Timedelta(days=spec["days"])
    after = (both["occurred_at"] >= both["assigned_at"]) & (date <= day + days)
    before = (both["occurred_at"] < both["assigned_at"]) & (date >= day - days)
    found = {}
    for column, mine in ((name, both[after]), (f"{name}_before", both[before])):
        whose = mine.groupby("customer_id")
        if spec["kind"] == "binary":
            told = whose.size() > 0
        elif spec["kind"] == "amount":
            told = mine["amount"].abs().groupby(mine["customer_id"]).sum()
        else:
            told = whose["order_id"].nunique() + whose["order_id"].agg(lambda x: x.isna().sum())
        found[column] = told.reindex(drawn["customer_id"]).fillna(0).astype(float).to_numpy()
    return pd.DataFrame(found)


def test_windows_are_each_customers_own(campaign):
    frames, [trial] = campaign
    ours = trial.rows.order_by("customer_id").to_pandas()
    assert list(ours["customer_id"]) == list(frames["assignments"]["customer_id"])
    for name, spec in OUTCOMES.items():
        theirs = by_pandas(frames, name, spec)
        assert theirs[name].std() > 0
        np.testing.assert_allclose(ours[name], theirs[name], atol=1e-9)
        np.testing.assert_allclose(ours[f"x_{name}_before"], theirs[f"{name}_before"], atol=1e-9)
    assert trial.control == "control"
    assert trial.arms == ("mail",)
    assert trial.planned == {"control": 0.5, "mail": 0.5}
    assert {o.name: o.days for o in trial.outcomes} == {"bought": 10, "orders": 20, "card": 20}


def test_sums_of_the_engine_are_those_of_the_rows(campaign):
    _, [trial] = campaign
    sums = sum_arms(trial.rows, trial.names)
    rows = trial.rows.to_pandas()
    assert "x_gender=male" in trial.names or "x_gender=female" in trial.names
    for arm, mine in rows.groupby("arm"):
        values = mine[trial.names].astype(float)
        assert sums[arm].n == len(mine)
        np.testing.assert_allclose(sums[arm].mean, values.mean(), atol=1e-9)
        np.testing.assert_allclose(sums[arm].covariance, values.cov(), atol=1e-9)


def test_nothing_after_the_snapshot_is_known(everything):
    """An outcome whose days are not over is not looked at; others are."""
    _, trials = everything
    assert [outcome.name for outcome in trials["half over"].outcomes] == ["bought"]
    assert "orders is not known yet" in " ".join(map(str, trials["half over"].notes))
    assert "just begun" not in trials


def test_covariates_know_nothing_of_the_outcome():
    """Changing everything after the assignment changes no covariate."""
    frames, asked = shop(120), params(outcomes={"card": OUTCOMES["card"]})
    frames["assignments"]["assigned_at"] = pd.Timestamp("2025-04-01")
    later = frames["transactions"]["occurred_at"] >= pd.Timestamp("2025-04-01")
    changed = {**frames, "transactions": frames["transactions"][~later]}
    one, other = (
        read_assignments(as_tables(some), asked, kept).trials[0] for some in (frames, changed)
    )
    assert one.covariates == other.covariates
    columns = ["customer_id", *one.covariates]
    first, second = (t.rows.order_by("customer_id").to_pandas() for t in (one, other))
    pd.testing.assert_frame_equal(first[columns], second[columns])
    assert first["card"].sum() > 0 == second["card"].sum()


def test_a_campaign_for_everybody_is_compared_with_those_not_in_it(everything):
    frames, trials = everything
    trial = trials["to all"]
    assert trial.control is None
    assert trial.arms == ("mail",)
    counts = trial.rows.to_pandas()["arm"].value_counts()
    sold = frames["transactions"]
    there = sold[sold["occurred_at"] < frames["assignments"]["assigned_at"].min()]["customer_id"]
    others = set(there) - set(frames["assignments"]["customer_id"])
    assert counts.to_dict() == {"mail": 200, NOT_ASSIGNED: len(others)}
    assert compare_trials([trial]).table.empty


def test_proposals_of_an_earlier_run_are_read_back(everything):
    _, trials = everything
    assert list(trials) == ["half over", "tiny", "to all", "A", "churn_timing_2025-03-31"]
    back = trials["churn_timing_2025-03-31"]
    assert back.source == "actions"
    assert (back.control, back.arms) == ("control", ("contact",))
    assert back.main.name == "orders"
    assert back.promised == pytest.approx({"contact": 37.4, "control": 12.6})
    compared = compare_trials([back])
    told = tell_proposals([back], compared)
    row = compared.of(back.id, "contact", "orders")
    assert told["gained"].to_list() == [pytest.approx(row["adjusted_effect"] * row["n"])]
    [found] = proposal_findings(told)
    assert found.id == "uplift_tests.last_proposal"
    assert str(found.text).startswith(
        "Customers to keep, proposed on 31 March 2025. Promised: the list named 187 customers, and "
        "left 63 alone to compare with; contact was to bring 37.4 more (orders). Done: whether"
    )
    assert str(found.value) == "No sure difference"
    rows = back.rows.to_pandas()
    assert set(rows["day"].astype(str)) == {"2025-04-01"}


def prepared(**settings):
    rows = pd.DataFrame(
        {
            "arm": ["a"] * 60 + ["b"] * 60,
            "visit": [True, False, None] * 40,
            "spend": np.arange(120) % 7 * 1.5,
            "age": [None, *range(119)],
            "town": [["x", "y", "x", None][i % 4] for i in range(120)],
        }
    )
    chosen = {"control": "b", "outcomes": {"visit": "binary", "spend": "amount"}} | settings
    return read_experiment(ibis.memtable(rows), params(**chosen).uplift_tests, kept), rows


def test_a_prepared_table_keeps_rows_that_look_alike_and_tells_what_is_unknown():
    [trial], rows = prepared(covariates=["age", "town"])
    known = rows.dropna(subset="visit")
    assert trial.rows.count().execute() == len(known)
    assert trial.assigned["a"] == {"assigned": 60, "unknown": 20, "twice": 0}
    ours = trial.rows.to_pandas()
    # the most frequent of the towns x, y and none stands for the rest
    assert list(trial.covariates) == ["x_age", "x_age:unknown", "x_town=", "x_town=y"]
    np.testing.assert_allclose(
        sorted(ours["x_age"]), sorted(known["age"].astype(float).fillna(known["age"].mean()))
    )
    found = compare_arms(
        sum_arms(trial.rows, trial.names), control="b", outcomes=["visit", "spend"]
    ).table
    means = known.groupby("arm")[["visit", "spend"]].mean().astype(float)
    np.testing.assert_allclose(found["treated_mean"], means.loc["a"], atol=1e-12)
    np.testing.assert_allclose(found["control_mean"], means.loc["b"], atol=1e-12)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"control": "bb"}, 'there is no arm "bb" (did you mean "b"?)'),
        ({"control": None}, "which arm had no contact?"),
        ({"outcomes": {}}, "expected at least one column of the experiment"),
        ({"outcomes": {"visits": "binary"}}, '"visits" (did you mean "visit"?)'),
        ({"covariates": ["agee"]}, 'there is no "agee" (did you mean "age"?)'),
        ({"covariates": ["visit"]}, '"visit" is an outcome and no covariate'),
        ({"outcomes": {"visit": "months"}}, "has outcomes as columns"),
    ],
)
def test_what_is_wrong_is_named(settings, words):
    with pytest.raises(CustomerlabError, match="uplift_tests") as error:
        prepared(**settings)
    assert words in str(error.value)


def test_campaigns_refuse_what_is_not_there():
    for settings, words in (
        ({"covariates": ["gendre"]}, 'did you mean "gender"?'),
        ({"segments": ["town"]}, 'there is no "town"'),
        ({"outcomes": {"x": {"kind": "amount", "when": "chanel = 'a'"}}}, "chanel"),
        ({"outcomes": {"m": {"kind": "months", "days": 3}}}, "take neither"),
    ):
        with pytest.raises(CustomerlabError) as error:
            read_assignments(as_tables(shop(60)), params(**settings), kept)
        assert words in str(error.value)


def test_one_arm_and_tiny_arms_give_words(everything):
    compared = compare_trials([everything[1]["tiny"]])
    texts = [str(one.text) for one in effect_findings(compared, {}, min_cell=10)]
    assert all("Not enough data" in text or "few" in text for text in texts)
    only = compare_trials([]).table
    assert list(only.columns) == list(compared.table.columns)
    assert only.empty


def test_a_finding_for_each_arm_and_outcome_with_the_warning_first(few):
    _, compared = few
    found = effect_findings(compared, {"A": "Warning: the arms."}, min_cell=10)
    assert [one.id for one in found] == [f"uplift_tests.a_mail_{name}" for name in OUTCOMES]
    assert all(str(one.text).startswith("Warning: the arms. A: ") for one in found)
    assert {one.status for one in found} <= {"weak", "not_enough_data"}
    assert "Allowing for all 3 comparisons (Holm)" in str(found[1].text)


def test_watched_while_it_runs_the_interval_is_wider_and_never_stops_holding(few):
    trial, plain = few
    watched = compare_trials([trial], monitored=True)
    for name in ("orders", "card"):
        one, other = (c.of("A", "mail", name) for c in (plain, watched))
        assert one["effect"] == other["effect"]
        assert (other["high"] - other["low"]) > 1.3 * (one["high"] - one["low"])
        assert other["p_value"] >= one["p_value"]
    looks = watched.looks[watched.looks["outcome"] == "orders"]
    assert looks["n"].is_monotonic_increasing
    assert len(looks) > 10
    last = watched.of("A", "mail", "orders")
    assert looks["low"].iloc[-1] == pytest.approx(last["adjusted_low"])


@pytest.mark.parametrize("named", [True, False])
def test_only_the_campaigns_own_contacts_count(named):
    """Oracle: the plainest pandas. Staff sell other things meanwhile, in the same days."""
    frames = shop(120)
    drawn = frames["assignments"]
    later = pd.Timestamp("2025-04-02")
    drawn["assigned_at"] = pd.Timestamp("2025-04-01")
    drawn = pd.concat([drawn, drawn.assign(campaign_id="B"), drawn.assign(campaign_id="C")])
    offers = pd.DataFrame({"campaign_id": ["A", "B", "C"], "product": ["plan", "card", None]})
    ids = frames["customers"]["customer_id"]
    made = pd.DataFrame({"customer_id": ids[:60], "contacted_at": later})
    made["product"] = np.resize(["plan", "loan", None], 60)
    if named:
        made["campaign_id"] = np.resize(["A", None], 60)
    given = {**frames, "assignments": drawn, "campaigns": offers, "contacts": made}
    asked = params(outcomes={"bought": OUTCOMES["bought"]}, covariates=["gender"])
    trials = {one.id: one for one in read_assignments(as_tables(given), asked, kept).trials}
    whose = {
        "A": made["campaign_id"] == "A" if named else made["product"] != "loan",
        "B": made["customer_id"].isna() if named else made["product"].isna(),
        "C": made["customer_id"].isna() if named else made["customer_id"].notna(),
    }
    for one, mine in whose.items():
        rows = trials[one].rows.to_pandas().set_index("customer_id")
        if not mine.any():  # of this campaign the contacts do not tell
            assert rows["contacted"].isna().all() and not trials[one].contact_known
            continue
        reached = rows.index.isin(made.loc[mine, "customer_id"])
        assert (rows["contacted"].astype(bool) == reached).all()
        assert 0 < reached.sum() < len(rows)
