"""Where the pay goes, against hand calculations, the plainest pandas, statsmodels and the truth."""

from __future__ import annotations

import datetime as dt
import math
import re
from functools import cache, partial
from pathlib import Path

import ibis
import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats

from customerlab.cells import no_rows
from customerlab.contract import TABLES, TYPES
from customerlab.durations import durations_from
from customerlab.errors import CustomerlabError
from customerlab.findings import Finding
from customerlab.messages import ENGLISH, Words
from customerlab.plots.payroll_money import payroll_use
from customerlab.privacy import HIDDEN
from customerlab.retention.payroll_answers import (
    COLUMNS,
    DAYS,
    DIFFERENCES,
    USES,
    PayrollUse,
    pay_moved,
    payroll_use_table,
)
from customerlab.retention.payroll_money import follow_pay as follow_pay_with
from customerlab.simulate import simulate_bank

SNAPSHOT = dt.date(2025, 12, 31)
LINES = {
    "customer_id": "string",
    "joined_month": "date",
    "entry": "int64",
    "duration": "int64",
    "churned": "boolean",
}
#: Here since January 2025, and here at the end of September, the last month that is known.
STAYS = (dt.date(2025, 1, 1), 0, 9, False)


#: Each pay is worked out once, as in the notebook: half of what a test costs is to compile it.
follow_pay = partial(follow_pay_with, keep=lambda table: table.cache())


def transactions(*rows: tuple[str, str, str, float]) -> ibis.Table:
    return as_transactions(
        pd.DataFrame(rows, columns=["customer_id", "occurred_at", "kind", "amount"])
    )


def as_transactions(frame: pd.DataFrame) -> ibis.Table:
    frame["occurred_at"] = pd.to_datetime(frame["occurred_at"])
    schema = {"customer_id": "string", "occurred_at": "timestamp(6)", "kind": "string"}
    return ibis.memtable(frame, schema=schema | {"amount": "float64"}).mutate(
        amount=lambda t: t.amount.cast("decimal(18, 4)")
    )


def lines_of(**stays: tuple[dt.date, int, int, bool]) -> ibis.Table:
    rows = [(who, *stay) for who, stay in stays.items()]
    return ibis.memtable(pd.DataFrame(rows, columns=list(LINES)), schema=LINES)


def shares(use: PayrollUse, days: int, who: str = "all", feature: str = "all", group: str = "all"):
    rows = use.table.query(
        "days == @days and who == @who and feature == @feature and group == @group"
    )
    return dict(zip(rows["use"], rows["share"], strict=True))


def test_money_is_set_against_the_pay_until_it_is_used_up():
    """By hand: of 1,000 go 300 at once, 200 on day 2, and the last 500 of 800 on day 5."""
    moves = transactions(
        ("a", "2025-05-05 08:00", "transfer_out", -50),  # before the pay: older money
        ("a", "2025-05-05 09:00", "payroll", 1000),
        ("a", "2025-05-05 12:00", "withdrawal", -300),
        ("a", "2025-05-06 12:00", "fee", -10),  # not one of the uses
        ("a", "2025-05-07 12:00", "purchase", 200),  # a size, whichever way it is booked
        ("a", "2025-05-10 12:00", "transfer_out", -800),
        ("a", "2025-05-11 12:00", "purchase", -100),  # nothing of the pay is left
    )
    use = follow_pay(moves, lines_of(a=STAYS), snapshot=SNAPSHOT)
    assert shares(use, 1) == {"moved": 0, "withdrawn": 0.3, "spent": 0, "kept": 0.7}
    assert shares(use, 3) == {"moved": 0, "withdrawn": 0.3, "spent": 0.2, "kept": 0.5}
    assert shares(use, 7) == {"moved": 0.5, "withdrawn": 0.3, "spent": 0.2, "kept": 0}
    assert shares(use, 30) == shares(use, 7)
    assert (use.customers, use.pays, use.not_known) == (1, 1, 0)


def test_a_window_ends_with_the_next_pay_and_a_day_is_one_pay():
    """By hand: 400 + 600 on one day are one pay; what goes on the 20th is of the second pay."""
    moves = transactions(
        ("a", "2025-05-05 09:00", "payroll", 400),
        ("a", "2025-05-05 10:00", "payroll", 600),
        ("a", "2025-05-05 10:00", "payroll", -50),  # taken back: no pay
        ("a", "2025-05-19 10:00", "purchase", -100),
        ("a", "2025-05-20 00:00", "payroll", 1000),
        ("a", "2025-05-20 00:00", "transfer_out", -700),  # at the same moment: after it
    )
    use = follow_pay(moves, lines_of(a=STAYS), snapshot=SNAPSHOT)
    assert use.pays == 2
    assert shares(use, 30) == {"moved": 0.35, "withdrawn": 0, "spent": 0.05, "kept": 0.6}
    assert shares(use, 1)["moved"] == 0.35


def test_days_count_by_the_calendar():
    """The evening of the third day after is within 3 days, the next morning is not."""
    moves = transactions(
        ("a", "2025-05-05 09:00", "payroll", 100),
        ("a", "2025-05-08 23:00", "withdrawal", -10),
        ("a", "2025-05-09 00:30", "withdrawal", -10),
    )
    use = follow_pay(moves, lines_of(a=STAYS), snapshot=SNAPSHOT)
    assert [shares(use, days)["withdrawn"] for days in DAYS] == [0, 0.1, 0.2, 0.2]


def test_only_pay_of_the_last_months_whose_following_days_are_known():
    pays = ["2024-12-31", "2025-01-01", "2025-12-01", "2025-12-02"]
    moves = transactions(*(("a", f"{day} 09:00", "payroll", 100) for day in pays))
    use = follow_pay(moves, lines_of(a=STAYS), snapshot=SNAPSHOT)
    assert use.pays == 2  # 1 January and 1 December: 30 days later is the snapshot
    assert follow_pay(moves, lines_of(a=STAYS), snapshot=SNAPSHOT, months=1).pays == 1


def test_who_is_a_leaver_a_stayer_or_not_known():
    """By hand: in March, customers whose last month at risk is another one each."""
    first = dt.date(2025, 1, 1)
    people = {
        "exit_same_month": (first, 0, 3, True),
        "exit_three_later": (first, 0, 6, True),
        "exit_four_later": (first, 0, 7, True),
        "here_in_june": (first, 0, 6, False),
        "seen_until_may": (first, 0, 5, False),
        "exit_before": (first, 0, 2, True),  # back after the exit: the next one is not known
        "at_risk_from_april": (first, 3, 9, False),
    }
    rows = [(who, "2025-03-10 09:00", "payroll", 100) for who in [*people, "no_line"]]
    use = follow_pay(transactions(*rows), lines_of(**people), snapshot=SNAPSHOT)
    n = use.table.drop_duplicates("who").set_index("who")["customers"]
    assert n.to_dict() == {"all": 8, "leavers": 2, "stayers": 2}
    assert use.not_known == 4
    assert "For 4 of the pays" in str(use.describe())


def random_bank(rng: np.random.Generator, customers: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return movements with amounts that often use the pay up, and stays of all kinds."""
    rows = []
    for i in range(customers):
        start = pd.Timestamp("2025-01-01") + pd.Timedelta(days=int(rng.integers(0, 28)))
        for k in range(int(rng.integers(1, 6))):
            at = start + pd.Timedelta(days=int(k * rng.integers(12, 32)), hours=9)
            rows.append((f"c{i:03d}", at, "payroll", round(float(rng.lognormal(8, 0.5)), 2)))
        for _ in range(int(rng.integers(0, 25))):
            at = start + pd.Timedelta(hours=int(rng.integers(-100, 3500)))
            kind = rng.choice(["purchase", "withdrawal", "transfer_out", "deposit", "fee"])
            rows.append((f"c{i:03d}", at, kind, -round(float(rng.lognormal(6, 1.2)), 2)))
    moves = pd.DataFrame(rows, columns=["customer_id", "occurred_at", "kind", "amount"])
    stays = pd.DataFrame(
        {
            "customer_id": [f"c{i:03d}" for i in range(customers)],
            "joined_month": dt.date(2025, 1, 1),
            "entry": 0,
            "duration": rng.integers(3, 10, customers),
            "churned": rng.random(customers) < 0.5,
        }
    )
    return moves, stays


def plainly(moves: pd.DataFrame, stays: pd.DataFrame) -> pd.DataFrame:
    """Follow every pay of a customer, one after the other, as a person would with a pencil."""
    kinds = {"purchase": "spent", "withdrawal": "withdrawn", "transfer_out": "moved"}
    stay = stays.set_index("customer_id")
    out = []
    for who, own in moves.sort_values("occurred_at").groupby("customer_id"):
        pays: dict[pd.Timestamp, tuple[pd.Timestamp, float]] = {}
        for move in own.itertuples():
            if move.kind == "payroll" and move.amount > 0:
                at, amount = pays.get(move.occurred_at.normalize(), (move.occurred_at, 0.0))
                pays[move.occurred_at.normalize()] = (at, amount + move.amount)
        ends = [*[at for at, _ in pays.values()][1:], pd.Timestamp.max]
        for (day, (at, pay)), end in zip(pays.items(), ends, strict=True):
            left, row = pay, {"customer_id": who, "pay": pay}
            row |= {f"{use}_{days}": 0.0 for use in USES for days in DAYS}
            for move in own.itertuples():
                if move.kind not in kinds or not at <= move.occurred_at < end:
                    continue
                part = min(left, abs(move.amount))
                left -= part
                for days in DAYS:
                    if (move.occurred_at.normalize() - day).days <= days:
                        row[f"{kinds[move.kind]}_{days}"] += part
            for days in DAYS:
                gone_by = sum(row[f"{use}_{days}"] for use in kinds.values())
                row[f"kept_{days}"] = row["pay"] - gone_by
            ahead = stay.loc[who, "duration"] - day.month
            churned = stay.loc[who, "churned"]
            row["who"] = (
                "leavers"
                if churned and 0 <= ahead <= 3
                else "stayers"
                if ahead > 3 or (ahead == 3 and not churned)
                else "not known"
            )
            out.append(row)
    return pd.DataFrame(out)


@pytest.fixture(scope="module")
def random_use() -> tuple[PayrollUse, pd.DataFrame]:
    moves, stays = random_bank(np.random.default_rng(5), 240)
    people = stays[["customer_id"]].assign(team=["x", "y", None] * 80)
    tables = (
        as_transactions(moves),
        ibis.memtable(stays, schema=LINES),
        ibis.memtable(people, schema={"customer_id": "string", "team": "string"}),
    )
    use = follow_pay(*tables, snapshot=SNAPSHOT, by=["team"])
    again = follow_pay_with(*tables, snapshot=SNAPSHOT, by=["team"])  # and kept or not
    pd.testing.assert_frame_equal(use.table, again.table, check_exact=True)
    return use, plainly(moves, stays).merge(people.fillna("unknown"), on="customer_id")


def test_the_engine_finds_what_the_plainest_pandas_finds(random_use):
    use, rows = random_use
    assert use.pays == len(rows)
    assert use.not_known == (rows["who"] == "not known").sum() > 0
    groups = [("all", "all", rows), *(("team", team, part) for team, part in rows.groupby("team"))]
    for feature, group, part in groups:
        for who in ("all", "leavers", "stayers"):
            mine = part if who == "all" else part[part["who"] == who]
            got = use.table[use.table["feature"] == feature]
            got = got[(got["group"] == group) & (got["who"] == who)]
            assert set(got["customers"]) == {mine["customer_id"].nunique()}
            assert set(got["pays"]) == {len(mine)}
            for row in got.itertuples():
                plain = mine[f"{row.use}_{row.days}"].sum() / mine["pay"].sum()
                assert row.share == pytest.approx(plain, abs=1e-12)  # sums of cents
    assert len(use.table) == 4 * 3 * len(DAYS) * len(USES)


def test_intervals_are_those_of_a_regression_through_the_origin(random_use):
    """Oracle: statsmodels, WLS of what went on the pay with weights 1/pay and HC1 errors.

    Its slope is the ratio of sums, its robust variance the linearised one.
    """
    use, rows = random_use
    for who in ("all", "leavers", "stayers"):
        mine = rows if who == "all" else rows[rows["who"] == who]
        each = mine.groupby("customer_id").sum(numeric_only=True)
        for row in use.table.query("who == @who and feature == 'all'").itertuples():
            x = each[f"{row.use}_{row.days}"]
            fit = sm.WLS(x, each["pay"], weights=1 / each["pay"]).fit(cov_type="HC1")
            share, error = fit.params.iloc[0], fit.bse.iloc[0]
            half = stats.t.ppf(0.975, len(each) - 1) * error / (share * (1 - share))
            ends = stats.logistic.cdf(stats.logistic.ppf(share) + np.array([-half, half]))
            # variances are summed of hundredths
            np.testing.assert_allclose([row.low, row.high], ends, rtol=1e-6)


def test_differences_allow_for_customers_who_are_both(random_use):
    """Oracle: the same regression with a slope for each, clustered by customer."""
    use, rows = random_use
    rows = rows[rows["who"] != "not known"]
    each = rows.groupby(["customer_id", "who"]).sum(numeric_only=True).reset_index()
    assert each["customer_id"].duplicated().any()
    leaves = (each["who"] == "leavers").astype(float)
    slopes = np.column_stack([each["pay"] * leaves, each["pay"] * (1 - leaves)])
    fewest = int(min(leaves.sum(), (1 - leaves).sum()))
    for row in use.differences.itertuples():
        x = each[f"{row.use}_{row.days}"]
        cluster = {"groups": pd.factorize(each["customer_id"])[0], "use_correction": False}
        fit = sm.WLS(x, slopes, weights=1 / each["pay"]).fit(cov_type="cluster", cov_kwds=cluster)
        assert row.leavers == pytest.approx(fit.params.iloc[0])
        assert row.difference == pytest.approx(fit.params.iloc[0] - fit.params.iloc[1])
        error = math.sqrt(np.array([1, -1]) @ np.asarray(fit.cov_params()) @ np.array([1, -1]))
        half = stats.t.ppf(0.975, fewest - 1) * error
        # ours corrects each variance by n/(n - 1), statsmodels' was told not to
        assert (row.high - row.low) / 2 == pytest.approx(half, rel=1 / fewest)


def test_intervals_cover_as_often_as_they_say():
    """500 banks of 60 customers at once, as groups: the true share is 0.4."""
    rng, banks, customers = np.random.default_rng(11), 500, 60
    n = banks * customers
    pay = np.round(rng.lognormal(9, 0.5, n), 2)
    moved = np.round(pay * rng.beta(2, 3, n), 2)
    who = [f"c{i:05d}" for i in range(n)]
    both = pd.DataFrame(
        {
            "customer_id": who * 2,
            "occurred_at": ["2025-05-05"] * n + ["2025-05-06"] * n,
            "kind": ["payroll"] * n + ["transfer_out"] * n,
            "amount": np.r_[pay, -moved],
        }
    )
    people = pd.DataFrame({"customer_id": who, "bank": np.arange(n) // customers})
    use = follow_pay(
        as_transactions(both),
        lines_of(nobody=STAYS),
        ibis.memtable(people),
        snapshot=SNAPSHOT,
        by=["bank"],
    )
    rows = use.table.query("feature == 'bank' and days == 7 and use == 'moved'")
    assert len(rows) == banks
    covering = int(((rows["low"] <= 0.4) & (rows["high"] >= 0.4)).sum())
    low, high = stats.binom.interval(0.999, banks, 0.95)
    assert low <= covering <= high


def test_few_customers_carry_no_interval_and_no_answer():
    rows = [
        (f"c{i}", f"2025-03-{day} ", kind, amount)
        for i in range(29)
        for day, kind, amount in (("05", "payroll", 100), ("06", "transfer_out", -10 - i))
    ]
    use = follow_pay(transactions(*rows), lines_of(c1=STAYS), snapshot=SNAPSHOT)
    assert use.table["low"].isna().all()
    assert use.differences.empty
    assert list(use.differences.columns) == DIFFERENCES
    found = pay_moved(use)
    assert found.status == "not_enough_data"
    assert found.value is None
    assert use.to_draw().empty


@pytest.mark.parametrize("case", ["no kind", "no payroll", "no tables", "too recent"])
def test_nothing_to_follow_is_said(case):
    rows = {
        "no payroll": [("a", "2025-05-05", "purchase", -5)],
        "too recent": [("a", "2025-12-20", "payroll", 5)],
        "no kind": [("a", "2025-05-05", "payroll", 5)],
    }.get(case, [])
    moves = transactions(*rows)
    moves = moves.drop("kind") if case == "no kind" else moves
    lines = lines_of(a=STAYS)
    people = ibis.memtable({"customer_id": ["a"], "gender": ["female"]})
    if case == "no tables":  # of a client who has only a table of stays
        types = {column.name: TYPES[column.kind] for column in TABLES["transactions"].columns}
        moves, lines = no_rows(types), no_rows(LINES | {"exit": "string"})
        people = no_rows({"customer_id": "string", "gender": "string"})
    use = follow_pay(moves, lines, people, snapshot=SNAPSHOT, by=["gender"])
    assert list(use.table.columns) == COLUMNS
    assert use.table.empty
    assert list(use.differences.columns) == DIFFERENCES
    assert "this needs transactions with a kind" in str(use.describe())
    assert pay_moved(use).status == "not_enough_data"
    assert (use.customers, use.pays, use.not_known) == (0, 0, 0)
    assert use.to_draw().empty
    assert payroll_use_table(use, ENGLISH, 10).empty
    assert list(payroll_use_table(use, ENGLISH, 10).columns) == [
        name for name in COLUMNS if name != "feature"
    ]


def test_pay_without_stays_is_followed_and_compared_with_nobody():
    moves = transactions(("a", "2025-05-05", "payroll", 100), ("a", "2025-05-06", "purchase", -40))
    use = follow_pay(moves, no_rows(LINES), snapshot=SNAPSHOT)
    assert (use.pays, use.not_known) == (1, 1)
    assert shares(use, 7)["spent"] == 0.4
    assert use.differences.empty


def test_a_group_that_is_not_there_is_refused():
    people = ibis.memtable({"customer_id": ["a"], "gender": ["female"]})
    moves = transactions(("a", "2025-05-05", "payroll", 5))
    with pytest.raises(CustomerlabError, match=r"no column 'gendre'.*gender"):
        follow_pay(moves, lines_of(a=STAYS), people, snapshot=SNAPSHOT, by=["gendre"])


@cache
def two_kinds(leavers_move: float, stayers_move: float, customers: int = 120) -> PayrollUse:
    """Follow customers who move about so much of 100: the first of them leave."""
    rng = np.random.default_rng(3)
    rows, stays = [], {}
    for i in range(2 * customers):
        leaves = i < customers
        moved = (leavers_move if leaves else stayers_move) + rng.normal(0, 5)
        rows.append((f"c{i}", "2025-03-05", "payroll", 100))
        rows.append((f"c{i}", "2025-03-07", "transfer_out", -round(moved, 2)))
        stays[f"c{i}"] = (dt.date(2025, 1, 1), 0, 5 if leaves else 9, leaves)
    return follow_pay(transactions(*rows), lines_of(**stays), snapshot=SNAPSHOT)


def test_the_finding_tells_leavers_from_stayers():
    found: Finding = pay_moved(two_kinds(60, 20))
    assert found.id == "churn_timing.pay_moved_within_7_days"
    assert found.status == "supported"
    assert found.n == 120
    assert found.low < found.value < found.high
    assert found.value == pytest.approx(0.6, abs=0.02)  # four standard errors
    numbers = re.findall(r"[\d.]+", str(found.text))
    assert float(numbers[5]) == pytest.approx(40, abs=0.2 + 2)  # the difference
    assert "no clear difference" in str(pay_moved(two_kinds(40, 40)).text)
    assert pay_moved(two_kinds(60, 20, customers=40)).status == "weak"


def test_small_groups_and_what_would_give_them_away_are_hidden():
    """Of 60 customers 4 are of team z: they and the next smallest team are hidden."""
    rows, stays, team = [], {}, []
    for i in range(60):
        rows.append((f"c{i}", "2025-03-05", "payroll", 100))
        stays[f"c{i}"] = (dt.date(2025, 1, 1), 0, 5 if i % 2 else 9, bool(i % 2))
        team.append("z" if i < 4 else "y" if i < 24 else "x")
    people = ibis.memtable(pd.DataFrame({"customer_id": list(stays), "team": team}))
    use = follow_pay(transactions(*rows), lines_of(**stays), people, snapshot=SNAPSHOT, by=["team"])
    shown = payroll_use_table(use, Words("en", min_cell=10), 10)
    everyone = shown[shown["who"] == "all who were paid"].drop_duplicates("group")
    counts = everyone.set_index("group")["customers"].to_dict()
    assert counts == {
        "all customers": 60,
        "team: x": 36,
        "team: y": HIDDEN,
        "team: z": "<10",
    }
    known = pd.to_numeric(shown["customers"], errors="coerce")
    assert not known.between(1, 9).any()
    hidden = shown[known.isna()]
    assert len(hidden)
    assert (hidden[["pays", "share", "low", "high"]] == HIDDEN).all().all()
    assert set(shown["use"]) == {str(name) for name in USES.values()}


def test_the_figure_draws_the_shares_that_can_be_shown():
    use = two_kinds(60, 20)
    chart = payroll_use(use.to_draw())
    html = chart._repr_html_()
    assert re.fullmatch(
        r"7 days after the pay, (59|60|61) % of it has gone to another bank with those who then "
        r"leave, (19|20|21) % with those who stay\.",
        str(chart.title),
    )
    for text in ("Within 1 day", "Within 30 days", "left within 3 months", "withdrawn in cash"):
        assert html.count(text) >= 2  # wide and narrow
    assert "Within 7 days, stayed: moved to another bank" in str(chart.alt)
    only = use.to_draw().query("who == 'stayers'").astype({"share": object})
    only.loc[only["days"] == 7, "share"] = HIDDEN
    chart = payroll_use(only)
    assert str(chart.title) == "What becomes of the pay in the days after it came in."
    assert "Within 7 days" not in chart._repr_html_()


@pytest.fixture(scope="module")
def planted_use(tmp_path_factory: pytest.TempPathFactory) -> tuple[PayrollUse, pd.DataFrame]:
    """Follow the pay in a simulated bank, grouped by what each customer's pay is used for."""
    folder: Path = tmp_path_factory.mktemp("bank")
    simulate_bank(folder / "raw", customers=3_000, seed=7)
    con = ibis.duckdb.connect()
    raw = con.read_parquet(str(folder / "raw" / "tx_*.parquet"))
    # the plainest cleaning: what does not parse, is a test or comes twice is left out
    moves = raw.mutate(
        amount=raw.amount.replace(",", "").try_cast("decimal(18, 4)"),
        occurred_at=raw.occurred_at.try_cast("timestamp(6)"),
    )
    moves = moves.filter((raw.channel != "test").fill_null(True))
    moves = moves.distinct(on="transaction_id", keep="first")
    moves = con.create_table(
        "moves", moves.filter(moves.amount.notnull() & moves.occurred_at.notnull())
    )
    truth = con.read_parquet(folder / "truth" / "customers.parquet")
    own = moves.filter(moves.kind.notin(["interest", "fee"]))
    lines = con.create_table("lines", durations_from(own, snapshot=SNAPSHOT, idle_days=90))
    people = truth.select("customer_id", "payroll_use")
    use = follow_pay(moves, lines, people, snapshot=SNAPSHOT, by=["payroll_use"])
    return use, truth.to_pandas()


@pytest.mark.parametrize(
    ("planted", "days", "use"),
    [
        ("transfer", 7, "moved"),
        ("cash", 7, "withdrawn"),
        ("spend", 30, "spent"),
        ("keep", 7, "kept"),
    ],
)
def test_each_planted_use_dominates(planted_use, planted, days, use):
    """Planted: to another bank on days 0 to 2, in cash 0 to 6, kept to day 10, bought all month."""
    got = shares(planted_use[0], days, feature="payroll_use", group=planted)
    assert max(got, key=got.get) == use
    row = planted_use[0].table.query(
        "feature == 'payroll_use' and group == @planted and days == @days and use == @use"
    )
    assert row.set_index("who").loc["all", "low"] > 0.5  # more than half, beyond chance
    assert sum(got.values()) == pytest.approx(1)


def test_the_shares_of_all_lie_between_those_of_the_planted_uses(planted_use):
    use, truth = planted_use
    paid = truth[truth["is_payroll"]]
    assert 0.5 * len(paid) < use.customers <= len(paid)  # some left before the last 12 months
    finding = pay_moved(use)
    assert finding.status in {"supported", "weak"}
    # how pay is used is not planted to differ with leaving: 1.7 times the half width of the 95 %
    # interval is that of the 99.9 % one
    cash = use.differences.query("days == 7 and use == 'withdrawn'").iloc[0]
    assert abs(cash["difference"]) < 1.7 * (cash["high"] - cash["low"]) / 2 < 0.2
