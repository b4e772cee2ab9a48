"""What contact did, and the four questions: against R, statsmodels, plain pandas, planted truth."""

from __future__ import annotations

import datetime as dt

import ibis
import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from conftest import ROOT
from scipy import stats
from statsmodels.stats.contingency_tables import StratifiedTable, Table2x2
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import confint_proportions_2indep

from customerlab.churn.calendar import contact_window
from customerlab.findings import Finding
from customerlab.messages import ENGLISH, Message, say
from customerlab.person_months import person_months
from customerlab.privacy import HIDDEN
from customerlab.retention.adjusted import (
    COMPARED,
    at_landmark,
    channels_compared,
    compare_levels,
    products_compared,
    risk_ratio,
)
from customerlab.retention.arms import compare, judge
from customerlab.retention.contacts import (
    CAMPAIGNS,
    COLUMNS,
    SHOWN,
    ContactEffects,
    arms_as_drawn,
    contact_effects,
    contacts_to_show,
    effect_of_contact,
)
from customerlab.retention.questions import answer_questions, answers_to_show
from customerlab.retention.trial import customers_per_arm

SNAPSHOT = dt.date(2024, 12, 31)
#: The last month watched, by number; months are counted from the year 0.
LAST = 2024 * 12 + 9 - 1
R = pd.read_csv(ROOT / "tests" / "oracles" / "questions.csv").set_index("name")["value"]


def month(index: int) -> dt.date:
    return dt.date(index // 12, index % 12 + 1, 1)


def within_band(hits: int, runs: int, level: float = 0.95) -> bool:
    """Say whether so many hits lie in the exact 99.9 % binomial band."""
    low, high = stats.binom.interval(0.999, runs, level)
    return low <= hits <= high


def bank(
    seed: int,
    customers: int = 6000,
    *,
    ratio: float = 0.6,
    works_months: int = 3,
    chance: float = 0.03,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return lines and assignments; the call of K2 lowers the monthly chance of leaving."""
    rng = np.random.default_rng(seed)
    joined = rng.integers(LAST - 40, LAST - 12, customers)
    entry = np.where(rng.random(customers) < 0.5, 0, rng.integers(0, 5, customers))
    drawn_in = {
        "K1": np.full(customers, LAST - 7),
        "K2": LAST - rng.integers(5, 8, customers),
        "K3": np.full(customers, LAST - 3),
    }
    arms = {
        "K1": rng.choice(["control", "sms", "call"], customers, p=[0.34, 0.33, 0.33]),
        "K2": rng.choice(["Control", "call"], customers),
        "K3": rng.choice(["a", "b"], customers),
    }
    invited = {"K1": 0.5, "K2": 0.8, "K3": 0.2}
    called = arms["K2"] == "call"
    takes_part = {name: rng.random(customers) < share for name, share in invited.items()}
    called &= takes_part["K2"]
    exits = np.full(customers, -1)
    for at in range(LAST - 40, LAST + 1):
        works = called & (at >= drawn_in["K2"]) & (at < drawn_in["K2"] + works_months)
        goes = rng.random(customers) < chance * np.where(works, ratio, 1.0)
        goes &= (exits < 0) & (at >= joined + entry)
        exits = np.where(goes, at, exits)
    lines = pd.DataFrame(
        {
            "customer_id": [f"C{i:05d}" for i in range(customers)],
            "joined_month": [month(at) for at in joined],
            "entry": entry,
            "duration": np.where(exits < 0, LAST, exits) - joined + 1,
            "churned": exits >= 0,
        }
    )
    parts = []
    for name in arms:
        some = takes_part[name]
        propensity = pd.Series(arms[name]).map({"control": 0.34, "sms": 0.33}).fillna(0.5)
        propensity[arms["K1"] == "call"] = 0.33 if name == "K1" else 0.5
        parts.append(
            pd.DataFrame(
                {
                    "campaign_id": name,
                    "customer_id": lines["customer_id"],
                    "arm": arms[name],
                    "assigned_at": pd.to_datetime([month(at) for at in drawn_in[name]])
                    + pd.to_timedelta(rng.integers(0, 28, customers), unit="D"),
                    "propensity": propensity if name != "K3" else np.nan,
                }
            )[some]
        )
    return lines, pd.concat(parts, ignore_index=True)


CAMPAIGN_LIST = pd.DataFrame(
    {
        "campaign_id": ["K1", "K2", "K3"],
        "name": ["Savings plan", "Stay with us", None],
        "product": ["fund", "current", None],
        "channel": ["Mixed", "call", "letter"],
    }
)


def effects_of(lines: pd.DataFrame, assignments: pd.DataFrame, horizons=(3, 5), **more):
    tables = {
        "assignments": ibis.memtable(assignments),
        "campaigns": ibis.memtable(CAMPAIGN_LIST),
    }
    return contact_effects(
        tables, ibis.memtable(lines), snapshot=SNAPSHOT, horizons_months=horizons, **more
    )


def plainest(lines: pd.DataFrame, assignments: pd.DataFrame, horizon: int) -> pd.DataFrame:
    """Return customers at risk and left by campaign and arm, one row of pandas per customer."""
    both = assignments.merge(lines, on="customer_id")
    at = both["assigned_at"].dt.year * 12 + both["assigned_at"].dt.month - 1
    joined = pd.to_datetime(both["joined_month"])
    tenure = at - (joined.dt.year * 12 + joined.dt.month - 1)
    both["left"] = both["churned"] & (both["duration"] - tenure <= horizon)
    watched = (both["entry"] <= tenure) & (tenure < both["duration"])
    known = both[watched & (at + horizon - 1 <= LAST)]
    return known.groupby(["campaign_id", "arm"])["left"].agg(["size", "sum"])


@pytest.fixture(scope="module")
def world():
    return bank(7)


@pytest.fixture(scope="module")
def effects(world):
    return effects_of(*world)


def test_counts_as_the_plainest_pandas(world, effects):
    want = {horizon: plainest(*world, horizon) for horizon in (3, 5)}
    assert len(effects.table) == 6
    for row in effects.table.itertuples():
        mine = want[row.horizon_months].loc[(row.campaign_id, row.arm)]
        other = want[row.horizon_months].loc[(row.campaign_id, row.control)]
        assert (row.customers, row.left) == tuple(mine)
        assert (row.control_customers, row.control_left) == tuple(other)
        assert row.share == pytest.approx(row.left / row.customers)


def test_not_followed_for_long_enough_is_not_counted(world):
    lines, assignments = world
    short = effects_of(lines, assignments, (3, 7)).table
    k2 = short[short["campaign_id"] == "K2"].set_index("horizon_months")["customers"]
    assert 0 < k2[7] < k2[3]  # only those assigned in the first two of three months
    earlier = effects_of(lines, assignments, (3,), last_month=month(LAST - 6)).table
    assert set(earlier["campaign_id"]) == set()  # K1 in LAST - 7 needs LAST - 5
    assert list(earlier) == COLUMNS


def test_intervals_and_chances_as_statsmodels_on_the_counts(effects):
    for row in effects.table.itertuples():
        counts = (row.left, row.customers, row.control_left, row.control_customers)
        low, high = confint_proportions_2indep(*counts, compare="diff", method="newcomb")
        assert (row.difference_low, row.difference_high) == pytest.approx((low, high), rel=1e-9)
        low, high = confint_proportions_2indep(*counts, compare="ratio", method="score")
        assert (row.kept_low, row.kept_high) == pytest.approx((1 - high, 1 - low), rel=1e-9)
        square = [[row.left, row.customers - row.left]]
        square += [[row.control_left, row.control_customers - row.control_left]]
        chi2 = stats.chi2_contingency(square, correction=False)
        assert row.p == pytest.approx(chi2.pvalue, rel=1e-9)
    holm = multipletests(effects.table["p"], method="holm")[1]
    np.testing.assert_allclose(effects.table["p_holm"], holm)


def counted(sizes: dict[str, int], left: dict[str, int], parts: dict[str, int | None]):
    rows = []
    for arm, n in sizes.items():
        for gone, count in ((True, left[arm]), (False, n - left[arm])):
            row = {"campaign_id": "K", "arm": arm, "parts": parts[arm], "at_risk": True}
            rows.append({**row, "left_after": 1 if gone else np.nan, "n": count})
    return pd.DataFrame(rows)


def test_chance_and_difference_as_r():
    sizes, left = {"call": 780, "control": 786}, {"call": 19, "control": 48}
    rows = counted(sizes, left, dict.fromkeys(sizes, 5000))
    row = compare(rows, rows["left_after"] <= 3, "call", "control", weighted=True)
    # constant weights change nothing
    assert row == pytest.approx(
        compare(rows, rows["left_after"] <= 3, "call", "control", weighted=False)
    )
    assert row["p"] == pytest.approx(R["p_pooled"], rel=1e-8)
    ends = (row["difference_low"], row["difference_high"])
    assert ends == pytest.approx((R["difference_low"], R["difference_high"]), rel=1e-9)
    assert row["kept"] == pytest.approx(1 - 19 / 780 / (48 / 786))


def test_sizes_of_the_arms_as_r():
    sizes = {"control": 600, "sms": 530, "call": 470}
    parts = {"control": 3400, "sms": 3300, "call": 3300}
    rows = counted(sizes, dict.fromkeys(sizes, 60), parts)
    judged, weighted = judge(rows, {})
    assert judged["ratio_p"] == pytest.approx(R["chisq_sizes"], rel=1e-8)
    assert (judged["evidence"], weighted) == ("experiment", False)
    rows = counted({**sizes, "call": 400}, dict.fromkeys(sizes, 60), parts)
    judged, _ = judge(rows, {})
    assert judged["evidence"] == "association"
    assert ENGLISH(judged["note"]).startswith("the arms are not as large")


def drawn(rng, n: int, kept: float = 0.0) -> pd.DataFrame:
    """Return counts where customers likelier to leave were likelier to be called."""
    risky = rng.random(n) < 0.4
    chance = np.where(risky, 0.7, 0.2)
    call = rng.random(n) < chance
    leaves = rng.random(n) < np.where(risky, 0.30, 0.10) * np.where(call, 1 - kept, 1)
    frame = pd.DataFrame(
        {
            "arm": np.where(call, "call", "control"),
            "parts": (10_000 * np.where(call, chance, 1 - chance)).round().astype(int),
            "left": leaves,
        }
    )
    counts = frame.groupby(["arm", "parts", "left"], as_index=False).size()
    return counts.rename(columns={"size": "n"}).assign(at_risk=True)


def test_weighted_as_weighted_least_squares_on_the_rows():
    counts = drawn(np.random.default_rng(3), 3000)
    row = compare(counts, counts["left"], "call", "control", weighted=True)
    rows = counts.loc[counts.index.repeat(counts["n"])]
    shares, likes = {}, {}
    for arm in ("call", "control"):
        mine = rows[rows["arm"] == arm]
        y = mine["left"].astype(float).to_numpy()
        fit = sm.WLS(y, np.ones(len(y)), weights=1 / mine["parts"].to_numpy()).fit(cov_type="HC0")
        shares[arm] = fit.params[0]
        likes[arm] = shares[arm] * (1 - shares[arm]) / fit.bse[0] ** 2
    assert (row["share"], row["control_share"]) == pytest.approx(tuple(shares.values()), rel=1e-9)
    as_if = [x for arm in shares for x in (shares[arm] * likes[arm], likes[arm])]
    want = confint_proportions_2indep(*as_if, compare="diff", method="newcomb")
    assert (row["difference_low"], row["difference_high"]) == pytest.approx(want, rel=1e-9)


def test_weighted_intervals_cover_and_the_unweighted_would_not():
    rng, runs = np.random.default_rng(11), 500
    truth = 0.4 * 0.30 + 0.6 * 0.10
    hits, kept, refused, careless, off = 0, 0, 0, 0, 0
    for _ in range(runs):
        counts = drawn(rng, 2000, kept=0.3)
        row = compare(counts, counts["left"], "call", "control", weighted=True)
        hits += row["difference_low"] <= -0.3 * truth <= row["difference_high"]
        kept += row["kept_low"] <= 0.3 <= row["kept_high"]
        plain = compare(counts, counts["left"], "call", "control", weighted=False)
        careless += plain["kept_low"] <= 0.3 <= plain["kept_high"]
        null = drawn(rng, 2000)
        refused += compare(null, null["left"], "call", "control", weighted=True)["p"] < 0.05
        off += judge(null, {})[0]["ratio_p"] < 0.05
    assert within_band(hits, runs)
    assert within_band(kept, runs)
    assert within_band(runs - refused, runs)
    assert stats.binomtest(off, runs, 0.05, alternative="greater").pvalue > 0.001
    assert careless < runs / 2


@pytest.mark.parametrize("ratio", [1.0, 0.6])
def test_intervals_cover_the_planted_effect(ratio):
    """With as many leavers as the demo bank has: 2 arms of 780, of whom 6 % leave without."""
    rng, runs, n = np.random.default_rng(21), 1500, 780
    sizes = {"call": n, "control": n}
    hits, kept, refused = 0, 0, 0
    for _ in range(runs):
        left = {"call": int(rng.binomial(n, 0.06 * ratio)), "control": int(rng.binomial(n, 0.06))}
        rows = counted(sizes, left, dict.fromkeys(sizes, 5000))
        row = compare(rows, rows["left_after"] <= 3, "call", "control", weighted=False)
        hits += row["difference_low"] <= 0.06 * (ratio - 1) <= row["difference_high"]
        kept += row["kept_low"] <= 1 - ratio <= row["kept_high"]
        refused += row["p"] < 0.05
    assert within_band(hits, runs)
    assert within_band(kept, runs)
    if ratio == 1:
        assert within_band(runs - refused, runs)
    else:
        assert refused > runs / 2


def test_no_campaign_is_found_more_often_than_said_where_none_works():
    runs, found = 40, 0
    for seed in range(runs):
        table = effects_of(*bank(1000 + seed, 2500, ratio=1.0)).table
        found += bool((table["p_holm"] < 0.05).any())
    assert stats.binomtest(found, runs, 0.05, alternative="greater").pvalue > 0.001


def test_the_planted_campaign_is_found_and_no_other(effects):
    table = effects.table.set_index(["campaign_id", "arm", "horizon_months"])
    k2 = table.loc[("K2", "call", 3)]
    truth = 1 - (1 - (1 - 0.03 * 0.6) ** 3) / (1 - 0.97**3)
    assert k2["kept_low"] < truth < k2["kept_high"]
    assert k2["p_holm"] < 0.05
    assert (table.loc["K1", "p_holm"] > 0.05).all()
    kept = effect_of_contact(effects)
    best = table[table["p_holm"] < 0.05].reset_index()
    longest = best.loc[best["horizon_months"].idxmax()]
    ends = tuple(longest[["kept", "kept_low", "kept_high"]])
    assert kept == (*ends, longest["horizon_months"])


def test_campaigns_are_named_and_judged(effects):
    about = effects.campaigns.set_index("campaign_id")
    assert list(about["evidence"]) == ["experiment", "experiment", "none"]
    assert about.loc["K3", "campaign"] == "K3"  # it has no name
    assert ENGLISH(about.loc["K3", "note"]) == "no arm without contact, so nothing to compare with"
    assert about.loc["K2", "control"] == "Control"
    table = effects.table
    assert set(zip(table["campaign_id"], table["channel"], strict=True)) == {
        ("K1", "call"),
        ("K1", "sms"),
        ("K2", "call"),
    }
    assert "K3" not in set(table["campaign_id"])
    assert arms_as_drawn(effects).passed is True
    assert ENGLISH(effects.describe()).endswith("2 of them can be judged as experiments.")


def test_what_is_not_drawn_by_lot_is_an_association(world):
    lines, assignments = world
    k2 = assignments[assignments["campaign_id"] == "K2"]
    fewer = k2[(k2["arm"] == "call") | (np.arange(len(k2)) % 3 > 0)]
    found = effects_of(lines, fewer)
    assert found.campaigns["evidence"].tolist() == ["association"]
    assert found.campaigns["ratio_p"][0] < 0.001
    assert effect_of_contact(found) is None
    assert arms_as_drawn(found).passed is False
    answers = answer_questions(found, {}, None).table.set_index("question")
    assert answers.loc["activity", "evidence"] == "association"
    assert answers.loc["activity", "test"] is not None
    sure = k2.assign(propensity=np.where(np.arange(len(k2)) < 5, 1.0, 0.5))
    assert effects_of(lines, sure).campaigns["evidence"].tolist() == ["association"]


def test_arms_of_which_unlike_shares_are_still_customers(world):
    lines, assignments = world
    k2 = assignments[assignments["campaign_id"] == "K2"]
    gone = k2.loc[(k2["arm"] == "Control"), "customer_id"].iloc[::6]
    found = effects_of(lines[~lines["customer_id"].isin(gone)], k2)
    assert found.campaigns["at_risk_p"][0] < 0.001
    assert found.campaigns["evidence"].tolist() == ["association"]


@pytest.mark.parametrize("control", ["none", "No Contact", "HOLDOUT", "对照组"])
def test_names_of_the_control(world, control):
    lines, assignments = world
    k2 = assignments[assignments["campaign_id"] == "K2"].replace({"Control": control})
    found = effects_of(lines, k2)
    assert found.campaigns["control"].tolist() == [control]
    assert found.campaigns["arms"].tolist() == [("call",)]


def test_without_chances_dates_and_names(world):
    lines, assignments = world
    bare = assignments.drop(columns=["assigned_at", "propensity"])
    begins = CAMPAIGN_LIST[["campaign_id"]].assign(starts_on=month(LAST - 7))
    tables = {"assignments": ibis.memtable(bare), "campaigns": ibis.memtable(begins)}
    settings = {"snapshot": SNAPSHOT, "horizons_months": (3,)}
    found = contact_effects(tables, ibis.memtable(lines), **settings)
    assert set(found.table["campaign"]) == {"K1", "K2"}
    assert found.table["channel"].isna().all()
    assert found.campaigns["ratio_p"].isna().all()
    assert ENGLISH(found.campaigns["note"][0]).startswith("taken to be drawn by lot")
    assert arms_as_drawn(found).passed is None
    # nobody knows when: listed, but nothing to be told
    del tables["campaigns"]
    found = contact_effects(tables, ibis.memtable(lines), **settings)
    assert found.table.empty
    assert set(found.campaigns["evidence"]) == {"none"}


def nothing() -> ContactEffects:
    return ContactEffects(pd.DataFrame(columns=COLUMNS), pd.DataFrame(columns=CAMPAIGNS))


def test_no_campaigns_no_lines_no_rows(world):
    settings = {"snapshot": SNAPSHOT, "horizons_months": (3, 5)}
    for tables, lines in (({}, ibis.memtable(world[0])), ({"assignments": None}, None)):
        found = contact_effects(tables, lines, **settings)
        assert (list(found.table), list(found.campaigns)) == (COLUMNS, CAMPAIGNS)
        assert effect_of_contact(found) is None
        assert arms_as_drawn(found).passed is None
        assert ENGLISH(found.describe()).startswith("No campaign is known")
        assert list(contacts_to_show(found, 10)) == SHOWN
    lines, assignments = (ibis.memtable(table) for table in world)
    none = lines.filter(lines.entry < 0)
    empty = contact_effects({"assignments": assignments}, none, **settings)
    assert empty.table.empty
    assert set(empty.campaigns["evidence"]) == {"none"}
    nobody = assignments.filter(assignments.arm == "")
    assert contact_effects({"assignments": nobody}, lines, **settings).campaigns.empty


def test_too_few_leavers_tell_nothing():
    lines, assignments = bank(5, 300, chance=0.01)
    found = effects_of(lines, assignments)
    assert set(found.table["status"]) == {"not_enough_data"}
    assert found.table[["kept", "p", "p_holm"]].isna().all().all()
    assert effect_of_contact(found) is None


def test_all_left_or_none_in_an_arm():
    sizes = {"call": 60, "control": 60}
    for call, control in ((60, 20), (40, 0), (60, 60), (0, 40)):
        rows = counted(sizes, {"call": call, "control": control}, dict.fromkeys(sizes, 5000))
        row = compare(rows, rows["left_after"] <= 3, "call", "control", weighted=False)
        if call == control:
            assert np.isnan(row["p"])
        elif call == 0:
            assert row["kept"] == 1
            assert row["kept_low"] < row["kept_high"] <= 1
        else:
            assert row["difference_low"] < row["difference"] <= row["difference_high"]
            assert np.isnan(row["kept"])


def test_small_numbers_are_not_shown():
    lines, assignments = bank(9, 900, chance=0.02)
    found = effects_of(lines, assignments)
    shown = contacts_to_show(found, 10)
    assert list(shown) == SHOWN
    assert (shown["customers"] % 10 == 0).all()
    table = found.table.sort_values(["campaign_id", "arm", "horizon_months"], ignore_index=True)
    few = table["left"].between(1, 9) | table["control_left"].between(1, 9)
    assert few.any()
    assert (shown.loc[few, ["share", "kept", "p_holm"]].isin([HIDDEN])).all().all()
    # so few left between the horizons that the longer one would tell of them
    since = table.groupby(["campaign_id", "arm"])["left"].diff().between(1, 9)
    assert since.any()
    assert (shown.loc[since, "control_share"] == HIDDEN).all()


def test_risk_ratio_as_metafor():
    counts = [[210, 640, 900, 33], [12, 30, 41, 5], [400, 700, 610, 41], [40, 55, 38, 9]]
    ratio, low, high = risk_ratio(*map(np.array, counts), alpha=0.05)
    assert (ratio, low, high) == pytest.approx((R["ratio"], R["low_95"], R["high_95"]), rel=1e-9)
    _, low, high = risk_ratio(*map(np.array, counts), alpha=0.01)
    assert (low, high) == pytest.approx((R["low_99"], R["high_99"]), rel=1e-9)
    n, a, m, b = map(np.array, counts)
    squares = np.array([[a, n - a], [b, m - b]]).astype(float)
    assert ratio == pytest.approx(StratifiedTable(squares).riskratio_pooled, rel=1e-9)
    one = risk_ratio(n[:1], a[:1], m[:1], b[:1], alpha=0.05)
    table = Table2x2(squares[:, :, 0])
    assert one == pytest.approx((table.riskratio, *table.riskratio_confint()), rel=1e-9)
    assert np.isnan(risk_ratio(n, 0 * a, m, b, alpha=0.05)).all()


def test_the_lowest_level_is_named_by_chance_no_more_often_than_said():
    """Four levels that do not matter in bands that do: one is below 1 in 2.5 % of the runs."""
    rng, runs, found = np.random.default_rng(4), 400, 0
    n = pd.DataFrame(
        [(level, band, size) for level in "abcd" for band, size in (("0", 900), ("60+", 3000))],
        columns=["level", "tenure_band", "n"],
    )
    chance = n["tenure_band"].map({"0": 0.1, "60+": 0.03}).to_numpy()
    for _ in range(runs):
        counts = n.assign(events=rng.binomial(n["n"], chance))
        whole = counts.groupby("tenure_band", as_index=False)[["n", "events"]].sum()
        found += bool((compare_levels(counts, whole, "channel")["high"] < 1).any())
    assert stats.binomtest(found, runs, 0.025, alternative="greater").pvalue > 0.001


def test_trial_as_the_formula_by_hand():
    # Cohen 1988: (z_0.975 + z_0.8)^2 / h^2, h the difference of arcsines
    h = 2 * np.arcsin(np.sqrt(0.06)) - 2 * np.arcsin(np.sqrt(0.048))
    z = stats.norm.ppf(0.975) + stats.norm.ppf(0.8)
    assert customers_per_arm(0.06) == np.ceil(2 * z**2 / h**2)
    assert customers_per_arm(0.06, kept=0.4) < customers_per_arm(0.06) / 3
    for base in (None, 0.0, 1.0, float("nan")):
        assert customers_per_arm(base) is None


def test_a_trial_of_that_size_finds_it_as_often_as_said():
    n, rng, runs = customers_per_arm(0.06), np.random.default_rng(8), 20_000
    one, other = rng.binomial(n, 0.048, runs) / n, rng.binomial(n, 0.06, runs) / n
    pooled = (one + other) / 2
    z = (other - one) / np.sqrt(2 * pooled * (1 - pooled) / n)
    assert np.mean(abs(z) > 1.96) == pytest.approx(0.8, abs=0.012)  # 4 standard errors


@pytest.fixture(scope="module")
def used():
    """Return lines, accounts and transactions: who holds savings or uses the app leaves less."""
    rng, customers = np.random.default_rng(12), 4000
    ids = [f"C{i:04d}" for i in range(customers)]
    savings, app = rng.random(customers) < 0.4, rng.random(customers) < 0.5
    chance = 0.03 * np.where(savings, 0.5, 1.0) * np.where(app, 0.6, 1.0)
    joined = rng.integers(LAST - 30, LAST - 8, customers)
    length = rng.geometric(chance)
    exits = joined + length - 1
    churned = exits <= LAST
    ends = np.where(churned, exits, LAST)
    lines = pd.DataFrame(
        {
            "customer_id": ids,
            "joined_month": [month(at) for at in joined],
            "entry": 0,
            "duration": ends - joined + 1,
            "churned": churned,
        }
    )
    held = [("current", i) for i in range(customers)]
    held += [("savings", i) for i in np.flatnonzero(savings)] * 2  # two accounts, one product
    accounts = pd.DataFrame(
        {
            "account_id": [f"A{k}" for k in range(len(held))],
            "customer_id": [ids[i] for _, i in held],
            "product": [product for product, _ in held],
            "opened_on": [month(joined[i]) for _, i in held],
            "closed_on": [month(ends[i]) if churned[i] else None for _, i in held],
        }
    )
    moves = [
        (ids[i], month(at), "app" if app[i] != (rng.random() < 0.1) else "branch", "transfer_in")
        for i in range(customers)
        for at in range(joined[i], ends[i] + 1)
        if rng.random() < 0.7
    ]
    moves += [
        (ids[i], month(joined[i]), "system", kind) for i in range(9) for kind in ("payroll", "fee")
    ]
    transactions = pd.DataFrame(moves, columns=["customer_id", "day", "channel", "kind"])
    transactions["occurred_at"] = pd.to_datetime(transactions.pop("day"))
    transactions["amount"] = 1
    return lines, accounts, transactions


def test_products_as_the_plainest_pandas(used):
    lines, accounts, _ = used
    people, at = at_landmark(ibis.memtable(lines), horizon_months=3)
    assert at == LAST - 2
    found = products_compared(people, at, {"accounts": ibis.memtable(accounts)})
    first = pd.Timestamp(month(LAST - 2))
    here = lines[
        (pd.to_datetime(lines["joined_month"]) <= first)
        & ~(lines["churned"] & (ends_of(lines) < LAST - 2))
    ]
    open_ = accounts[pd.to_datetime(accounts["opened_on"]) < first]
    open_ = open_[open_["closed_on"].isna() | (pd.to_datetime(open_["closed_on"]) >= first)]
    for row in found.itertuples():
        holds = here["customer_id"].isin(open_.loc[open_["product"] == row.level, "customer_id"])
        assert (row.n, row.events) == (holds.sum(), here.loc[holds, "churned"].sum())
    savings = found.set_index("level").loc["savings"]
    assert savings["low"] < 0.5 < savings["high"] < 1  # planted: half the chance
    assert np.isnan(found.set_index("level").loc["current", "ratio"])  # everyone has it


def ends_of(lines: pd.DataFrame) -> pd.Series:
    joined = pd.to_datetime(lines["joined_month"])
    return joined.dt.year * 12 + joined.dt.month - 1 + lines["duration"] - 1


def test_channels_as_the_plainest_pandas(used):
    lines, _, transactions = used
    tables = {"transactions": ibis.memtable(transactions)}
    rows = person_months(ibis.memtable(lines), {}, features=["tenure_band"])
    found = channels_compared(rows, tables, not_movements=["fee"]).set_index("level")
    assert set(found.index) == {"app", "branch"}  # pay and fees come through no channel of theirs
    own = transactions[transactions["channel"] != "system"]
    at = own["occurred_at"].dt.year * 12 + own["occurred_at"].dt.month - 1
    times = {}
    for who, channel, used_in in zip(own["customer_id"], own["channel"], at, strict=True):
        for ahead in (1, 2, 3):
            counts = times.setdefault((who, used_in + ahead), {"app": 0, "branch": 0})
            counts[channel] += 1
    want = {"app": [0, 0], "branch": [0, 0]}
    joined = ends_of(lines) - lines["duration"] + 1
    for who, begins, length, churned in zip(
        lines["customer_id"], joined, lines["duration"], lines["churned"], strict=True
    ):
        for tenure in range(length):
            counts = times.get((who, begins + tenure))
            if counts is not None:
                most = "app" if counts["app"] >= counts["branch"] else "branch"  # ties by name
                want[most][0] += 1
                want[most][1] += churned and tenure == length - 1
    for channel, counts in want.items():
        assert found.loc[channel, ["n", "events"]].tolist() == counts
    assert found.loc["app", "low"] < 0.65 < found.loc["app", "high"] < 1


def test_answers_of_an_experiment(world, effects):
    window = Finding("churn_timing.peak_month", say("Most leave soon."), 2.0, 1.0, 4.0, "count")
    questions = answer_questions(effects, {}, ibis.memtable(world[0]), window=window)
    table = questions.table.set_index("question")
    evidence = ["experiment", "experiment", "experiment", "association"]
    assert list(table.index) == ["product", "activity", "channel", "window"]
    assert table["evidence"].tolist() == evidence
    assert (table.loc["product", "choice"], table.loc["channel", "choice"]) == ("current", "call")
    kept = effect_of_contact(effects)
    for question in ("product", "activity", "channel"):
        row = table.loc[question]
        assert (row["value"], row["low"], row["high"]) == kept[:3]
        assert row["test"] is None
    assert table.loc["window", ["value", "low", "high"]].tolist() == [2, 1, 4]
    findings = {finding.id: finding for finding in questions.findings()}
    assert set(findings) == {f"churn_timing.which_{name}" for name in table.index}
    activity = findings["churn_timing.which_activity"]
    assert ENGLISH(activity.value) == "Stay with us (call)"
    assert activity.status == "supported"
    assert (activity.low, activity.high) == kept[1:3]
    assert "drawn by lot" in ENGLISH(activity.text)
    assert ENGLISH(findings["churn_timing.which_window"].value) == "months 1 to 4"
    assert findings["churn_timing.which_window"].status == "weak"
    shown = answers_to_show(questions)
    assert [ENGLISH(cell) for cell in shown["test"]][:3] == ["not needed"] * 3
    for cell in shown.to_numpy().ravel():
        assert isinstance(cell, str) or ENGLISH(cell)


def test_answers_of_associations(used):
    lines, accounts, transactions = used
    tables = {"accounts": accounts, "transactions": transactions}
    tables = {name: ibis.memtable(table) for name, table in tables.items()}
    rows = person_months(ibis.memtable(lines), {}, features=["tenure_band"])
    questions = answer_questions(nothing(), tables, ibis.memtable(lines), rows)
    table = questions.table.set_index("question")
    assert table["evidence"].tolist() == ["association", "none", "association", "none"]
    assert (table.loc["product", "choice"], table.loc["channel", "choice"]) == ("savings", "app")
    row = questions.compared.set_index("level").loc["savings"]
    assert table.loc["product", ["value", "low", "high"]].tolist() == pytest.approx(
        [1 - row["ratio"], 1 - row["high"], 1 - row["low"]]
    )
    here = lines[ends_of(lines) >= LAST - 2]
    assert questions.base == pytest.approx(here["churned"].mean())
    assert questions.per_arm == customers_per_arm(questions.base)
    for finding in questions.findings():
        assert finding.status == ("weak" if finding.value is not None else "not_enough_data")
        assert f"{questions.per_arm:,}" in ENGLISH(finding.text)


def test_answers_of_nothing():
    questions = answer_questions(nothing(), {}, None)
    assert questions.table["evidence"].tolist() == ["none"] * 4
    assert questions.per_arm is None
    assert list(questions.compared) == COMPARED
    for finding in questions.findings():
        assert (finding.value, finding.low, finding.status) == (None, None, "not_enough_data")
        assert "by lot" in ENGLISH(finding.text)
    known = answer_questions(nothing(), {}, None, base=0.06)
    assert known.per_arm == customers_per_arm(0.06)
    assert [ENGLISH(cell) for cell in answers_to_show(known)["choice"]] == ["not known"] * 4


def test_answers_of_an_empty_bank(used):
    tables = [ibis.memtable(table) for table in used]
    lines, accounts, transactions = (t.filter(t.customer_id == "") for t in tables)
    rows = person_months(lines, {}, features=["tenure_band"])
    tables = {"accounts": accounts, "transactions": transactions}
    questions = answer_questions(nothing(), tables, lines, rows)
    assert questions.table["evidence"].tolist() == ["none"] * 4


def test_a_harmful_campaign_is_told():
    found = effects_of(*bank(31, ratio=2.5))
    assert effect_of_contact(found) is None
    row = answer_questions(found, {}, None).table.set_index("question").loc["activity"]
    assert row["evidence"] == "none"
    assert "after Stay with us (call) more left" in ENGLISH(row["answer"])


@pytest.mark.parametrize("value", [None, say("From joining on")], ids=["none", "words"])
def test_windows_without_a_number(value: Message | None):
    window = Finding("churn_timing.peak_month", say("Most leave soon."), value, status="weak")
    row = answer_questions(nothing(), {}, None, window=window).table.iloc[3]
    assert row["evidence"] == ("none" if value is None else "association")
    assert row["choice"] == value
    few = pd.DataFrame({"tenure": [0, 1], "n": [50, 40], "events": [1, 2]})
    row = answer_questions(nothing(), {}, None, window=contact_window(few)).table.iloc[3]
    assert row["evidence"] == "none"
