"""Stages of leaving: plain pandas on the rows, hand-made lives, planted truth."""

import datetime as dt

import ibis
import numpy as np
import pandas as pd
import pytest
from lifelines import KaplanMeierFitter
from statsmodels.stats.proportion import proportion_confint

from customerlab.messages import ENGLISH
from customerlab.plots.paths import stages as draw_stages
from customerlab.retention.stage_answers import (
    stage_today,
    stages_table,
    stages_to_draw,
)
from customerlab.retention.stages import NONE, place_customers, stages_in, with_stages

SNAPSHOT = dt.date(2025, 12, 31)


def month(k):
    """Return the first day of the k-th month after January 2024."""
    return dt.date(2024 + k // 12, k % 12 + 1, 1)


def index(k):
    return 2024 * 12 + k


def table(frame, dates=(), decimals=()):
    made = ibis.memtable(frame)
    casts = {name: made[name].cast("date") for name in dates}
    casts |= {name: made[name].cast("decimal(18, 4)") for name in decimals}
    return made.mutate(**casts)


def once(made):
    """Work a table out."""
    return ibis.memtable(made.to_pyarrow())


@pytest.fixture(scope="module")
def lives():
    """Make 900 customers over 24 months; most leavers show signs before, in differing orders."""
    rng = np.random.default_rng(4)
    people, accounts, balances, moves = [], [], [], []
    for i in range(600):
        name = f"c{i:03d}"
        leaves = rng.random() < 0.35
        end = int(rng.integers(2, 22)) if leaves else 20
        joined = -int(rng.integers(0, 40))
        people.append((name, joined, leaves, end, ["f", "m"][i % 2]))
        level = float(np.round(np.exp(rng.normal(6, 1.5)), 2))
        falls = end - int(rng.integers(0, 5)) if leaves else 99
        if rng.random() < 0.1:
            falls = int(rng.integers(6, 20))
        closes = end - int(rng.integers(0, 4)) if leaves and rng.random() < 0.4 else None
        stops = end - int(rng.integers(0, 8)) if rng.random() < 0.3 else 99
        for a in range(2):
            closed = month(closes) if a == 1 and closes is not None and closes >= 0 else None
            opened = month(int(rng.integers(0, 20))) if rng.random() < 0.1 else dt.date(2015, 1, 1)
            accounts.append((f"{name}a{a}", name, opened, closed))
            for k in range(24):
                if opened <= month(k):
                    now = round(level * (0.3 if k >= falls else 1) * rng.uniform(0.8, 1.2), 2)
                    balances.append((f"{name}a{a}", month(k), now))
        if i % 3 == 0:
            moves += [
                (name, pd.Timestamp(month(k)) + pd.Timedelta(days=8), 500.0, "payroll")
                for k in range(min(stops, 24))
            ]
    frame = pd.DataFrame(people, columns=["customer_id", "joined", "churned", "end", "gender"])
    frame = frame.assign(entry=-frame["joined"], duration=frame["end"] - frame["joined"] + 1)
    return {
        "people": frame,
        "accounts": pd.DataFrame(
            accounts, columns=["account_id", "customer_id", "opened_on", "closed_on"]
        ),
        "balances": pd.DataFrame(balances, columns=["account_id", "month", "balance"]),
        "transactions": pd.DataFrame(
            moves, columns=["customer_id", "occurred_at", "amount", "kind"]
        ),
    }


def tables_of(lives):
    return {
        "accounts": table(lives["accounts"], ["opened_on", "closed_on"]),
        "balances": table(lives["balances"], ["month"], ["balance"]),
        "transactions": table(lives["transactions"], decimals=["amount"]),
    }


def lines_of(people):
    frame = people.assign(joined_month=[month(j) for j in people["joined"]])
    frame = frame[["customer_id", "joined_month", "entry", "duration", "churned"]]
    return once(table(frame, ["joined_month"]))


@pytest.fixture(scope="module")
def placed(lives):
    people = lives["people"]
    here = ibis.memtable(people.loc[~people["churned"], ["customer_id"]])
    return place_customers(
        {name: once(made) for name, made in tables_of(lives).items()},
        lines_of(people),
        here,
        snapshot=SNAPSHOT,
        keep=once,
    )


@pytest.fixture(scope="module")
def flags(lives):
    """Return every customer's flags in every month, in the plainest way."""
    held = lives["balances"].merge(lives["accounts"], on="account_id")
    held = held[held["closed_on"].isna() | (held["month"] < held["closed_on"].fillna(month(0)))]
    held = held.assign(k=[(d.year - 2024) * 12 + d.month - 1 for d in held["month"]])
    assets = held.groupby(["customer_id", "k"])["balance"].sum()
    paid = {
        name: {(d.year - 2024) * 12 + d.month - 1 for d in part}
        for name, part in lives["transactions"].groupby("customer_id")["occurred_at"]
    }
    days = {
        name: part[["opened_on", "closed_on"]].to_numpy()
        for name, part in lives["accounts"].groupby("customer_id")
    }
    found = {}
    for name in lives["people"]["customer_id"]:
        known = assets[name].to_dict()
        first = min(known)
        counts = {
            k: sum(o < month(k) and (c is None or c >= month(k)) for o, c in days[name])
            for k in range(-3, 25)
        }
        for k in range(25):
            level = [known.get(b, 0.0) for b in range(k - 12, k - 3) if first <= b]
            now = known.get(k - 1, 0.0)
            falling = len(level) >= 3 and np.mean(level) >= 100 and now <= np.mean(level) / 2
            pay = paid.get(name, set())
            moved = any(p < k - 1 for p in pay) and k - 1 not in pay
            found[name, k] = (bool(falling), counts[k] < counts[k - 3], moved)
    return found


ORDER = ["balance_falling", "products_closing", "payroll_moved"]


def test_flags_are_those_of_plain_pandas(lives, flags):
    names = lives["people"]["customer_id"].iloc[:200]
    rows = pd.DataFrame(
        [(name, index(k)) for name in names for k in range(25)],
        columns=["customer_id", "known_index"],
    )
    found = with_stages(ibis.memtable(rows), tables_of(lives), ORDER).to_pandas()
    assert len(found) == len(rows)
    seen = np.zeros(3, dtype=int)
    for row in found.itertuples():
        plain = flags[row.customer_id, row.known_index - index(0)]
        assert (row.balance_falling, row.products_closing, row.payroll_moved) == plain
        seen += plain
    assert (seen > 20).all()  # the test saw every stage


def test_everyone_here_stands_in_the_furthest_stage(lives, flags, placed):
    rows = placed.person_stage.to_pandas().set_index("customer_id")["stage"]
    here = lives["people"].loc[~lives["people"]["churned"], "customer_id"]
    assert sorted(rows.index) == sorted(here)
    for name in here:
        reached = [s for s, flag in zip(ORDER, flags[name, 24], strict=True) if flag]
        assert rows[name] == (reached[-1] if reached else NONE)
    counts = rows.value_counts()
    assert placed.today.set_index("stage")["customers"].to_dict() == {
        stage: counts.get(stage, 0) for stage in (NONE, *ORDER)
    }


def test_stages_before_the_exit_and_what_follows_them_are_counted_right(lives, flags, placed):
    first = 6  # months 0, 1, 2 are the first three known of a level
    people = lives["people"]
    ranks = {name: i % (21 - first + 1) for i, name in enumerate(sorted(people["customer_id"]))}
    seen, gone, signs, leavers = {s: [] for s in ORDER}, {}, 0, 0
    for line in people.itertuples():
        months = range(max(first, 0), line.end + 1)
        if line.churned and len(months):
            leavers += 1
            any_sign = False
            for place, stage in enumerate(ORDER):
                at = [k for k in months if k > line.end - 12 and flags[line.customer_id, k][place]]
                if at:
                    any_sign = True
                    seen[stage].append(line.end - at[0])
            signs += any_sign
        for place, stage in enumerate(ORDER):
            new = [
                k
                for k in months
                if k > first
                and flags[line.customer_id, k][place]
                and not flags[line.customer_id, k - 1][place]
            ]
            if new:
                gone.setdefault(stage, []).append((line.end - new[0] + 1, line.churned))
        k = first + ranks[line.customer_id]
        if k in months and not any(flags[line.customer_id, k]):
            gone.setdefault(NONE, []).append((line.end - k + 1, line.churned))
    assert placed.leavers == leavers
    table = placed.seen.set_index("stage")
    for stage in ORDER:
        row = table.loc[stage]
        assert row["leavers"] == len(seen[stage]) > 0
        quartiles = np.quantile(seen[stage], [0.25, 0.5, 0.75], method="inverted_cdf")
        assert row[["months_q1", "months_median", "months_q3"]].tolist() == quartiles.tolist()
    assert table["leavers"][NONE] == leavers - signs
    for row in placed.gone.itertuples():
        times, exits = zip(*gone[row.stage], strict=True)
        assert (row.entered, row.exits) == (len(times), sum(exits))
        plain = KaplanMeierFitter().fit(times, exits)
        assert row.share == pytest.approx(1 - plain.predict(row.horizon_months), abs=1e-12)
        assert row.low <= row.share <= row.high


def test_a_planted_sign_tells_more_than_none(placed):
    gone = placed.gone[placed.gone["horizon_months"] == 5].set_index("stage")
    assert gone.loc["balance_falling", "low"] > gone.loc[NONE, "high"]
    finding = stage_today(placed)
    assert finding.value == finding.low == finding.high
    assert finding.value == pytest.approx(1 - placed.today["share"].iloc[0])
    assert "5 months" in str(finding.text) and finding.n == placed.here


def test_when_all_of_a_stage_are_gone_the_interval_is_wilsons():
    people = pd.DataFrame({"customer_id": [f"c{i:02d}" for i in range(80)], "joined": -30})
    churned = np.arange(80) < 40
    people = people.assign(entry=30, churned=churned)
    people = people.assign(duration=31 + np.where(churned, 10, 20))
    accounts = pd.DataFrame(
        {
            "account_id": people["customer_id"],
            "customer_id": people["customer_id"],
            "opened_on": dt.date(2010, 1, 1),
            "closed_on": [month(9) if gone else None for gone in churned],
        }
    )
    placed = place_customers(
        {"accounts": table(accounts, ["opened_on", "closed_on"])},
        lines_of(people),
        ibis.memtable(people.loc[~churned, ["customer_id"]]),
        snapshot=SNAPSHOT,
    )
    assert placed.stages == (NONE, "products_closing")
    row = placed.gone.set_index(["stage", "horizon_months"]).loc["products_closing", 5]
    assert (row["entered"], row["share"]) == (40, 1.0)
    assert row["low"] == pytest.approx(proportion_confint(40, 40, method="wilson")[0])
    # closed in month 9, seen at the beginning of month 10, which is that of the exit
    assert placed.seen.set_index("stage").loc["products_closing", "months_median"] == 0


def test_fewer_tables_are_fewer_stages_and_none_is_said(lives):
    tables = tables_of(lives)
    assert stages_in(tables) == tuple(ORDER)
    assert stages_in({"transactions": tables["transactions"]}) == ("payroll_moved",)
    assert stages_in({"transactions": tables["transactions"].drop("kind")}) == ()
    assert stages_in({"accounts": tables["accounts"].drop("closed_on")}) == ()
    people = lives["people"]
    here = ibis.memtable(people.loc[~people["churned"], ["customer_id"]])
    nothing = place_customers({}, lines_of(people), here, snapshot=SNAPSHOT)
    assert nothing.stages == () and nothing.today.empty and nothing.status == "not_enough_data"
    assert set(nothing.person_stage.to_pandas()["stage"]) == {NONE}
    finding = stage_today(nothing)
    assert finding.status == "not_enough_data" and "Without balances" in str(finding.text)
    shown = stages_table(nothing, ENGLISH, 10)
    assert shown.empty and len(shown.columns) > 1
    assert "Without balances" in str(draw_stages(stages_to_draw(nothing, 10)).title)


def test_nobody_left_or_nobody_here(lives):
    tables = {name: once(made) for name, made in tables_of(lives).items()}
    people = lives["people"]
    here = ibis.memtable(people[["customer_id"]])
    stayed = lines_of(people[~people["churned"]])
    placed = place_customers(tables, stayed, here, snapshot=SNAPSHOT, keep=once)
    assert placed.leavers == 0 and placed.status == "not_enough_data"
    assert stage_today(placed).status == "weak" and "too few left" in str(stage_today(placed).text)
    assert placed.seen["share"].isna().all()
    assert stages_to_draw(placed, 10)["gone_share"].isna().all()
    draw_stages(stages_to_draw(placed, 10))
    nobody = place_customers(tables, stayed, here.limit(0), snapshot=SNAPSHOT, keep=once)
    assert stage_today(nobody).status == "not_enough_data"
    no_lines = place_customers(tables, stayed.limit(0), here, snapshot=SNAPSHOT, keep=once)
    assert no_lines.leavers == 0 and no_lines.here == 600


def test_small_counts_are_masked(placed):
    shown = stages_table(placed, ENGLISH, 10)
    small = placed.today["customers"].between(1, 9)
    masked = shown.drop_duplicates("stage")["here"].astype(str).isin(["<10", "hidden"])
    assert (masked.to_numpy() >= small.to_numpy()).all()
    assert masked.sum() != 1  # one alone follows from the whole
    strict = stages_table(placed, ENGLISH, 5_000)
    assert set(strict["here"].astype(str)) <= {"<5000", "0"}
    assert set(strict["gone_share"].dropna().astype(str)) <= {"hidden"}


def test_same_again(lives, placed):
    people = lives["people"].sample(frac=1, random_state=2)
    mixed = {n: frame.sample(frac=1, random_state=2) for n, frame in lives.items()}
    here = ibis.memtable(people.loc[~people["churned"], ["customer_id"]])
    again = place_customers(
        {name: once(made) for name, made in tables_of(mixed).items()},
        lines_of(people),
        here,
        snapshot=SNAPSHOT,
        keep=once,
    )
    for name in ("today", "seen", "gone"):
        pd.testing.assert_frame_equal(getattr(again, name), getattr(placed, name))


def test_the_figure_says_what_it_shows(placed):
    chart = draw_stages(stages_to_draw(placed, 10))
    worst = placed.gone.query("horizon_months == 5 and stage != 'none'")
    worst = worst[worst["status"] != "not_enough_data"]["share"].max()
    assert ENGLISH.format(worst, "percent0") in str(chart.title)
    assert "Here today" in str(chart.alt)
