"""Who of those lost came back, against hand calculations, plainest pandas and planted returns."""

from __future__ import annotations

import datetime as dt
import itertools
import math

import ibis
import numpy as np
import pandas as pd
import pytest
from lifelines import KaplanMeierFitter

from customerlab.cells import no_rows
from customerlab.churn.showing import curve_to_draw
from customerlab.contract import TABLES, TYPES
from customerlab.durations import durations_from
from customerlab.errors import CustomerlabError
from customerlab.messages import ENGLISH, Words
from customerlab.plots.survival import not_yet_back
from customerlab.privacy import HIDDEN
from customerlab.retention.lost import follow_lost
from customerlab.retention.lost_answers import (
    COLUMNS,
    Lost,
    already_lost_table,
    assets_lost,
    come_back_within,
    group_name,
    worth_winning_back,
)
from customerlab.simulate import simulate_bank

SNAPSHOT = dt.date(2025, 12, 31)
RULE = {"snapshot": SNAPSHOT, "idle_days": 90}
MOVES = {"customer_id": "string", "occurred_at": "timestamp(6)"}
LINES = {
    "customer_id": "string",
    "churned": "boolean",
    "exit_month": "date",
    "exit": "string",
}


def moves_of(days: dict[str, list[str]]) -> ibis.Table:
    rows = [(who, pd.Timestamp(day)) for who, own in days.items() for day in own]
    frame = pd.DataFrame(rows, columns=["customer_id", "occurred_at"])
    return ibis.memtable(frame, schema=MOVES)


def lines_of(exits: dict[str, str | None], kind: str = "inactive") -> ibis.Table:
    rows = [
        (who, day is not None, day and dt.date.fromisoformat(day).replace(day=1), day and kind)
        for who, day in exits.items()
    ]
    return ibis.memtable(pd.DataFrame(rows, columns=list(LINES)), schema=LINES)


def counts_of(lost: Lost) -> dict[str, int]:
    row = lost.all_row()
    return {name: row[name] for name in ("lost", "returned", "still_gone")}


#: Movements, and how they are followed: whole months since the exit was known, and a return.
FOLLOWED = {
    # silent since 10 January: known on 10 April; 31 December is 8 whole months later
    "gone": (["2025-01-02", "2025-01-10"], (8, False)),
    # back on 9 July: in the third month after 10 April
    "back": (["2025-01-10", "2025-07-09", "2025-12-20"], (3, True)),
    # back on 10 July: the fourth month has begun
    "a day later": (["2025-01-10", "2025-07-10"], (4, True)),
    # back on the day itself on which the exit became known: in the first month
    "at once": (["2025-01-10", "2025-04-10"], (1, True)),
    # known on 20 November; back on 28 December, in a month that the snapshot cuts off
    "unfinished": (["2025-08-22", "2025-12-28"], (1, False)),
    # known on 31 August, the end of a month: at the end of December four months are whole
    "month's end": (["2025-06-02"], (4, False)),
    # back, and gone again: a return all the same
    "twice": (["2025-01-10", "2025-05-01", "2025-09-01"], (1, True)),
}


def test_months_count_from_the_day_on_which_the_exit_is_known():
    """By hand: see FOLLOWED."""
    for who, (days, (months, back)) in FOLLOWED.items():
        lost = follow_lost(moves_of({who: days}), lines_of({who: _exit(days)}), **RULE)
        assert lost.counts[["months", "back", "n"]].to_numpy().tolist() == [[months, back, 1]], who


def _exit(days: list[str]) -> str:
    """Return the last day before the first gap of 90 days, the plainest way."""
    walk = [*map(dt.date.fromisoformat, days), SNAPSHOT]
    return str(next(a for a, b in itertools.pairwise(walk) if (b - a).days >= 90))


def test_those_who_returned_are_counted_at_once_those_still_gone_too():
    moves = moves_of({who: days for who, (days, _) in FOLLOWED.items()} | {"here": ["2025-12-01"]})
    exits = {who: _exit(days) for who, (days, _) in FOLLOWED.items()} | {"here": None}
    lost = follow_lost(moves, lines_of(exits), **RULE)
    assert counts_of(lost) == {"lost": 7, "returned": 5, "still_gone": 2}
    since = lost.table[lost.table["feature"] == "since_band"].set_index("group")["lost"]
    assert since.to_dict() == {"0-2": 1, "3-5": 1, "6-11": 5}  # months known, returned or not
    assert "exit" not in set(lost.table["feature"])  # one kind is all of them
    assert "7 customers left and then did not move for 90 days. 5 of them" in str(lost.describe())


def test_other_exits_are_lost_only_with_a_silence():
    """Pay moved away in March; a silence before or after it, or none."""
    every_month = [f"2025-{month:02d}-05" for month in range(1, 13)]
    days = {
        "still moving": every_month,
        "silent from June": every_month[:6],
        "silent before": ["2024-06-01", *every_month],
        # accounts closed in March after a silence since November: known when March is over
        "silent since before": ["2024-11-05"],
        "silent since, and back": ["2024-11-05", "2025-04-03"],
    }
    lost = follow_lost(
        moves_of(days), lines_of(dict.fromkeys(days, "2025-03-15"), kind="payroll_moved"), **RULE
    )
    assert lost.still_moving == 2
    assert counts_of(lost) == {"lost": 3, "returned": 1, "still_gone": 2}
    got = sorted(lost.counts[["months", "back"]].itertuples(index=False, name=None))
    # from 3 September; from 1 April to the third of it, and to 1 December, a month before the end
    assert got == [(1, True), (3, False), (8, False)]


def test_kinds_of_exit_are_told_apart():
    """By hand: of one kind one came back, of the other none."""
    days = {who: FOLLOWED[who][0] for who in ("gone", "back")}
    one = lines_of({"gone": "2025-01-10"}, kind="closed")
    other = lines_of({"back": "2025-01-10"})
    lost = follow_lost(moves_of(days), one.union(other), **RULE)
    kinds = lost.table[lost.table["feature"] == "exit"].set_index("group")
    assert kinds["returned"].to_dict() == {"closed": 0, "inactive": 1}
    assert kinds["still_gone"].to_dict() == {"closed": 1, "inactive": 0}
    shown = already_lost_table(lost, ENGLISH, 1)["group"].tolist()
    assert "kind of exit: accounts closed" in shown


def test_former_assets_are_the_month_ends_of_all_accounts_three_months_before():
    moves = moves_of({"rich": ["2025-05-05"], "poor": ["2025-05-06"], "early": ["2025-02-01"]})
    lines = lines_of({"rich": "2025-05-05", "poor": "2025-05-06", "early": "2025-02-01"})
    accounts = ibis.memtable(
        {"account_id": ["r1", "r2", "p1", "e1"], "customer_id": ["rich", "rich", "poor", "early"]}
    )
    rows = [
        ("r1", "2025-02-01", 4000.10),  # February's end
        ("r2", "2025-02-01", 999.90),
        ("r1", "2025-03-01", 1.0),
        ("r2", "2025-01-01", 77.0),
        ("p1", "2025-02-01", -20.0),
        ("e1", "2025-01-01", 5.0),  # November is before the data begin
    ]
    frame = pd.DataFrame(rows, columns=["account_id", "month", "balance"])
    frame["month"] = pd.to_datetime(frame["month"]).dt.date
    balances = ibis.memtable(frame).mutate(balance=lambda t: t.balance.cast("decimal(18, 4)"))
    lost = follow_lost(moves, lines, balances, accounts, **RULE)
    row = lost.all_row()
    assert row["assets_known"] == 2
    assert row["assets_gone"] == 4980.0
    assert row["former_assets_each"] == 2490.0
    # two customers are too few for bands
    bands = lost.table[lost.table["feature"] == "assets_band"]
    assert bands["group"].tolist() == ["0", "unknown"]
    assert str(group_name(lost, "assets_band", "0")) == "known"


def many(
    rng: np.random.Generator, customers: int = 400
) -> tuple[ibis.Table, ibis.Table, ibis.Table, ibis.Table, pd.DataFrame]:
    """Return customers who left in 2025 or before, some of whom came back, and their assets."""
    rows = []
    for i in range(customers):
        left = dt.date(2024, 4, 1) + dt.timedelta(days=int(rng.integers(0, 545)))
        after = left + dt.timedelta(days=int(90 + rng.exponential(400)))
        back = after if after <= SNAPSHOT else None
        rows.append((f"c{i:03d}", left, back, round(float(10 ** rng.uniform(0.5, 5.2)), 2)))
    people = pd.DataFrame(rows, columns=["customer_id", "left", "back", "assets"])
    days = {
        r.customer_id: [str(r.left), *([str(r.back)] if r.back else [])]
        for r in people.itertuples()
    }
    lines = lines_of({r.customer_id: str(r.left) for r in people.itertuples()})
    accounts = ibis.memtable(
        {"account_id": people["customer_id"].to_numpy(), "customer_id": people["customer_id"]}
    )
    month = pd.to_datetime(people["left"]).dt.to_period("M") - 3
    frame = pd.DataFrame(
        {
            "account_id": people["customer_id"],
            "month": month.dt.to_timestamp().dt.date,
            "balance": people["assets"],
        }
    )
    balances = ibis.memtable(frame).mutate(balance=lambda t: t.balance.cast("decimal(18, 4)"))
    return moves_of(days), lines, balances, accounts, people


@pytest.fixture(scope="module")
def random_lost() -> tuple[Lost, pd.DataFrame]:
    moves, lines, balances, accounts, people = many(np.random.default_rng(2))
    team = ibis.memtable({"customer_id": people["customer_id"], "team": ["x", "y"] * 200})
    lost = follow_lost(moves, lines, balances, accounts, team, by=["team"], **RULE)
    return lost, people.assign(team=["x", "y"] * 200)


def plain_months(row: object) -> tuple[int, bool]:
    """Return the whole months watched, and whether they ended with a return, from two dates."""
    known = row.left + dt.timedelta(days=90)

    def whole(day: dt.date) -> int:
        months = (day.year - known.year) * 12 + day.month - known.month
        return months - (day.day < known.day)

    watched = whole(SNAPSHOT)  # the last of a month with 31 days: no month is cut short
    if row.back and whole(row.back) + 1 <= watched:
        return whole(row.back) + 1, True
    return watched, False


def test_shares_are_those_of_kaplan_and_meier_on_rows(random_lost):
    """Oracle: lifelines on one row per customer, months worked out from two dates in Python."""
    lost, people = random_lost
    rows = [plain_months(row) for row in people.itertuples()]
    people = people.assign(months=[m for m, _ in rows], event=[e for _, e in rows])
    groups = {("all", "all"): people} | {("team", t): p for t, p in people.groupby("team")}
    for (feature, group), part in groups.items():
        part = part[part["months"] > 0]
        fitter = KaplanMeierFitter(alpha=0.05).fit(part["months"], part["event"])
        rows = lost.table[(lost.table["feature"] == feature) & (lost.table["group"] == group)]
        got = rows.iloc[0]
        for horizon in (6, 12):
            if (part["months"] >= horizon).sum() < 30:
                assert math.isnan(got[f"share_{horizon}"])
                continue
            ends = fitter.confidence_interval_.loc[:horizon].iloc[-1]
            plain = [1 - fitter.predict(horizon), 1 - ends.iloc[1], 1 - ends.iloc[0]]
            mine = [got[f"{name}_{horizon}"] for name in ("share", "low", "high")]
            np.testing.assert_allclose(mine, plain, rtol=1e-9)
    assert not math.isnan(lost.all_row()["share_12"])


def test_bands_of_former_assets_add_up(random_lost):
    """Oracle: pandas' cut and sums of the same customers."""
    lost, people = random_lost
    gone = people[people["back"].isna()]
    row = lost.all_row()
    assert (row["lost"], row["still_gone"]) == (len(people), len(gone))
    assert row["assets_gone"] == pytest.approx(gone["assets"].sum(), abs=1e-6)  # cents
    bands = lost.table[lost.table["feature"] == "assets_band"].set_index("group")
    edges = [-math.inf, *lost.asset_limits, math.inf]
    plain = gone["assets"].groupby(pd.cut(gone["assets"], edges, labels=False))
    for band, assets in plain:
        assert bands.loc[str(band), "assets_gone"] == pytest.approx(assets.sum(), abs=1e-6)
        assert bands.loc[str(band), "still_gone"] == len(assets)
        assert bands.loc[str(band), "former_assets_each"] == pytest.approx(assets.mean())
    assert bands["lost"].min() >= 30  # smaller bands are joined
    names = [str(group_name(lost, "assets_band", group)) for group in bands.index]
    assert names[0] == "at most 100"
    assert names[1] == "more than 100, at most 1,000"
    assert names[-1] == f"more than {lost.asset_limits[-1]:,.0f}"


def test_findings_and_figure_read_the_table(random_lost):
    lost, people = random_lost
    found = come_back_within(lost)
    row = lost.all_row()
    assert found.id == "churn_timing.come_back_within_12_months"
    assert (found.value, found.low, found.high) == (row["share_12"], row["low_12"], row["high_12"])
    assert found.status == "supported"
    assert found.n == len(people)
    money = assets_lost(lost)
    assert money.id == "churn_timing.assets_lost"
    assert money.value == money.low == money.high == row["assets_gone"]
    assert money.unit == "money"
    text = str(worth_winning_back(lost))
    bands = lost.table[lost.table["feature"] == "assets_band"]
    best = bands.loc[bands["assets_gone"].idxmax()]
    assert f"{best['assets_gone'] / row['assets_gone']:.1%}".replace("%", " %") in text


def test_the_figure_speaks_of_coming_back(random_lost):
    lost, _ = random_lost
    share = ENGLISH.format(lost.all_row()["share_12"], "percent")
    chart = not_yet_back(lost.to_draw())
    assert str(chart.title) == (
        f"Within 12 months {share} of the customers lost came back by themselves."
    )
    assert "in % of those lost" in str(chart.subtitle)
    assert "all customers lost: " in str(chart.alt)
    html = chart._repr_html_()
    for text in ("Months since the exit was known", "Not back yet and still watched"):
        assert html.count(text) == 2  # wide and narrow
    assert "joining" not in html
    assert "joined" not in html
    curve = lost.survival("team")
    teams = not_yet_back(curve_to_draw(curve))
    back = {row.group: 1 - row.survival for row in curve.at(10).itertuples()}
    most, least = sorted(back, key=back.get, reverse=True)
    high, low = (ENGLISH.format(back[team], "percent") for team in (most, least))
    assert str(teams.title) == (  # one of them is watched for ten months only
        f"Within 10 months {high} of “team: {most}” came back by themselves, and {low} of "
        f"“team: {least}”."
    )


def test_a_short_time_is_told_as_far_as_it_goes():
    """All left in May: known in August, and watched for four whole months at most."""
    rng = np.random.default_rng(4)
    days = {}
    for i in range(300):
        left = dt.date(2025, 5, 1) + dt.timedelta(days=int(rng.integers(0, 31)))
        back = left + dt.timedelta(days=int(90 + rng.integers(0, 200)))
        days[f"c{i}"] = [str(left), *([str(back)] if back <= SNAPSHOT else [])]
    lost = follow_lost(moves_of(days), lines_of({w: d[0] for w, d in days.items()}), **RULE)
    found = come_back_within(lost)
    assert found.id == "churn_timing.come_back_within_4_months"
    assert 0 < found.low < found.value < found.high < 1
    assert math.isnan(lost.all_row()["share_6"])
    assert assets_lost(lost).status == "not_enough_data"
    assert "it needs the month-end balances" in str(assets_lost(lost).text)
    assert str(worth_winning_back(lost)).startswith("It cannot be said")


def test_tables_without_rows_give_an_empty_answer():
    """Of a client who has only a table of stays: no table has rows, and all have their columns."""
    types = {
        name: {column.name: TYPES[column.kind] for column in TABLES[name].columns}
        for name in ("transactions", "balances", "accounts")
    }
    people = no_rows({"customer_id": "string", "gender": "string"})
    lines = no_rows(LINES | {"entry": "int64", "duration": "int64", "joined_month": "date"})
    tables = [no_rows(types[name]) for name in ("balances", "accounts")]
    lost = follow_lost(
        no_rows(types["transactions"]), lines, *tables, people, by=["gender"], **RULE
    )
    assert list(lost.table.columns) == COLUMNS
    assert lost.table.empty
    assert lost.to_draw().empty
    assert str(lost.describe()).startswith("0 customers left")
    assert come_back_within(lost).status == assets_lost(lost).status == "not_enough_data"
    assert already_lost_table(lost, ENGLISH, 10).empty


def test_exits_without_movements_are_no_silence():
    lost = follow_lost(no_rows(MOVES), lines_of({"a": "2025-03-05"}, "closed"), **RULE)
    assert lost.table.empty
    assert lost.still_moving == 1


@pytest.mark.parametrize("case", ["nobody left", "no rows", "nobody silent"])
def test_nobody_lost_is_said(case):
    days = {} if case == "no rows" else {"a": [f"2025-{m:02d}-05" for m in range(1, 13)]}
    exits = {"a": "2025-03-05" if case == "nobody silent" else None} if days else {}
    lost = follow_lost(moves_of(days), lines_of(exits, "payroll_moved"), **RULE)
    assert list(lost.table.columns) == COLUMNS
    assert lost.table.empty
    assert lost.still_moving == (case == "nobody silent")
    assert str(lost.describe()).startswith("0 customers left")
    assert come_back_within(lost).status == "not_enough_data"
    assert assets_lost(lost).status == "not_enough_data"
    assert str(worth_winning_back(lost)).startswith("It cannot be said")
    shown = already_lost_table(lost, ENGLISH, 10)
    assert shown.empty
    assert list(shown.columns) == ["group", *COLUMNS[2:]]
    assert lost.to_draw().empty


def test_nobody_back_yet_is_no_share_without_an_interval():
    """Forty gone and none back: the share is 0, and its interval is not known."""
    days = {f"c{i}": ["2025-01-10"] for i in range(40)}
    lost = follow_lost(moves_of(days), lines_of(dict.fromkeys(days, "2025-01-10")), **RULE)
    row = lost.all_row()
    assert row["share_6"] == 0
    assert math.isnan(row["high_6"])
    assert come_back_within(lost).status == "not_enough_data"


def test_groups_that_are_not_there_are_refused():
    moves, lines = moves_of({"a": ["2025-01-10"]}), lines_of({"a": "2025-01-10"})
    people = ibis.memtable({"customer_id": ["a"], "gender": ["male"]})
    with pytest.raises(CustomerlabError, match=r"no column 'gendre'.*gender"):
        follow_lost(moves, lines, None, None, people, by=["gendre"], **RULE)
    with pytest.raises(CustomerlabError, match="give people"):
        follow_lost(moves, lines, by=["gender"], **RULE)


@pytest.mark.parametrize("min_cell", [10, 40])
def test_no_small_number_can_be_worked_out(random_lost, min_cell):
    lost, _ = random_lost
    shown = already_lost_table(lost, Words("en", min_cell=min_cell), min_cell)
    assert shown["group"].iloc[0] == "all customers lost"
    assert "team: x" in set(shown["group"])
    numbers = shown[["lost", "returned", "still_gone", "assets_known"]].apply(
        pd.to_numeric, errors="coerce"
    )
    assert not ((numbers > 0) & (numbers < min_cell)).any().any()
    features = lost.table["feature"]
    for feature in set(features) - {"all"}:
        part = numbers[(features == feature).to_numpy()]
        for name in numbers:  # a single hidden part is the total less the others
            if pd.notna(numbers[name].iloc[0]):
                assert part[name].isna().sum() != 1
    for row in numbers.itertuples():
        if row.lost > 0 and row.returned > 0:
            assert row.lost - row.returned == 0 or row.lost - row.returned >= min_cell
    # shares rest on those who came back, sums on those whose assets are known
    few = numbers["returned"].isna()
    assert shown.loc[few, "share_6"].map(lambda x: x == HIDDEN or pd.isna(x)).all()
    few = numbers["assets_known"].isna()
    assert shown.loc[few, "assets_gone"].map(lambda x: x == HIDDEN or pd.isna(x)).all()


def test_the_planted_returns_are_found(tmp_path_factory: pytest.TempPathFactory):
    """In the simulated bank it is written down who left when and who came back."""
    folder = tmp_path_factory.mktemp("bank")
    simulate_bank(folder / "raw", customers=4_000, seed=9)
    con = ibis.duckdb.connect()
    raw = con.read_parquet(str(folder / "raw" / "tx_*.parquet"))
    at = raw.occurred_at.try_cast("timestamp(6)")
    own = (raw.channel != "test").fill_null(True) & raw.kind.notin(["interest", "fee"])
    moves = raw.filter(own & at.notnull()).select("customer_id", occurred_at=at.fill_null(None))
    moves = con.create_table("moves", moves.filter(moves.customer_id < "C9"))
    lines = con.create_table("lines", durations_from(moves, **RULE))
    lost = follow_lost(moves, lines, **RULE)
    truth = pd.read_parquet(folder / "truth" / "customers.parquet").set_index("customer_id")
    left = lines.filter(lines.churned).to_pandas().set_index("customer_id")
    planted = truth.loc[left.index]
    # who was idle before the data, came back and left has left, and not come back after that
    returned = pd.to_datetime(planted["returned_month"]) > pd.to_datetime(left["exit_month"])
    assert counts_of(lost)["lost"] == len(left)
    assert counts_of(lost)["returned"] == returned.sum() > 30
    # returns fall off with the months (planted.return_chance), so the share is below what a
    # steady rate would give and above what the first months gave
    share = {h: lost.all_row()[f"share_{h}"] for h in (6, 12)}
    assert share[6] < share[12] < 2 * share[6]
