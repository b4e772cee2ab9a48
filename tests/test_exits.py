"""The ways of leaving, alone and competing, against a walk through each customer's months."""

import datetime as dt
import hashlib
from fractions import Fraction
from itertools import pairwise

import ibis
import numpy as np
import pandas as pd
import pytest

from customerlab.cells import cells
from customerlab.churn.incidence import cumulative_incidence
from customerlab.churn.observing import observe_stays
from customerlab.durations import observed, timelines
from customerlab.errors import CustomerlabError
from customerlab.exits import EXITS, exit_name, gone_by_now, known_until, observe_exits
from customerlab.lots import count_arms, drawn
from customerlab.params import Params
from customerlab.person_months import person_months
from customerlab.simulate import simulate_bank

SNAPSHOT = dt.date(2025, 12, 31)
MID_MONTH = dt.date(2025, 10, 17)
BEGIN = pd.Period("2024-01", "M").ordinal
IDLE = 60
SILENT_KINDS = ("interest", "fee")


def number(day) -> int:
    """Count a day's month as pandas does."""
    return pd.Period(pd.Timestamp(day), "M").ordinal


def index(day) -> int:
    """Count a day's month as the package does: from the year 0."""
    day = pd.Timestamp(day)
    return day.year * 12 + day.month - 1


def money_bank(seed=5, people=80):
    """Make a bank in which customers leave in every way, with gaps and late and missing dates."""
    rng = np.random.default_rng(seed)
    ids = [f"c{i:03d}" for i in range(people)]
    months = pd.period_range("2024-01", "2025-12", freq="M")
    customers, accounts, balances, moves = [], [], [], []
    for place, who in enumerate(ids):
        first = int(rng.integers(-12, 20))
        joined = (pd.Timestamp("2024-01-01") + pd.DateOffset(months=first)).date()
        joined = joined.replace(day=int(rng.integers(1, 28)))
        customers.append((who, None if place % 11 == 0 else joined))
        stops = int(rng.integers(max(first, 0), 30))
        pay_from, pay_to = sorted(rng.integers(max(first, 0), 30, 2))
        for m, month in enumerate(months):
            day = month.to_timestamp()
            if first <= m <= stops and rng.random() < 0.8:
                kind = rng.choice(["deposit", "interest", "withdrawal"], p=[0.6, 0.2, 0.2])
                moves.append((who, day + pd.Timedelta(days=int(rng.integers(0, 28))), kind))
            if place % 3 and pay_from <= m < pay_to and rng.random() < 0.9:
                moves.append((who, day + pd.Timedelta(days=25), "payroll"))
        for number_ in range(int(rng.integers(1, 4))):
            account = f"{who}-{number_}"
            opened = max(first + int(rng.integers(-1, 4)), -12)
            closes = int(rng.integers(0, 45))
            opened_on = (pd.Timestamp("2024-01-10") + pd.DateOffset(months=opened)).date()
            closed_on = None
            if closes < 25:
                closed_on = (pd.Timestamp("2024-01-15") + pd.DateOffset(months=closes)).date()
            accounts.append((account, who, None if place % 7 == 0 else opened_on, closed_on))
            level = int(rng.choice([50, 1000, 4000]))
            drop = int(rng.integers(6, 40))
            for m, month in enumerate(months):
                if opened <= m <= closes:
                    share = 10 if m < drop else int(rng.choice([1, 2, 9], p=[0.5, 0.4, 0.1]))
                    balances.append((account, month.to_timestamp().date(), level * share // 10))
    tables = {
        "customers": pd.DataFrame(customers, columns=["customer_id", "joined_on"]),
        "accounts": pd.DataFrame(
            accounts, columns=["account_id", "customer_id", "opened_on", "closed_on"]
        ),
        "balances": pd.DataFrame(balances, columns=["account_id", "month", "balance"]),
        "transactions": pd.DataFrame(moves, columns=["customer_id", "occurred_at", "kind"]),
    }
    return tables


def known_on(frames, snapshot):
    """Clean tables hold nothing that was not known on the day."""
    last = pd.Timestamp(snapshot) + pd.Timedelta(days=1)
    columns = {"transactions": "occurred_at", "balances": "month", "accounts": "opened_on"}
    kept = dict(frames)
    for name, column in columns.items():
        if name in frames:
            there = frames[name]
            kept[name] = there.loc[
                there[column].isna() | (pd.to_datetime(there[column]) < last)
            ].reset_index(drop=True)
    return kept


TYPES = {"joined_on": "date", "opened_on": "date", "closed_on": "date", "month": "date"}
TYPES |= {"balance": "decimal(18, 4)", "occurred_at": "timestamp(6)"}


def in_engine(con, frames):
    """Put frames into the engine with the types of the contract."""
    tables = {}
    for name, frame in frames.items():
        kinds = {c: TYPES.get(c, "string") for c in frame.columns}
        raw = frame.astype(object).where(frame.notna(), None)
        raw = raw.map(lambda value: None if value is None else str(value))
        text = con.create_table(
            f"{name}_{len(con.list_tables())}", raw, schema=dict.fromkeys(raw, "string")
        )
        tables[name] = con.create_table(
            f"{name}_{len(con.list_tables())}",
            text.mutate(**{c: text[c].cast(k) for c, k in kinds.items()}),
        )
    return tables


def whole(day) -> int:
    """Return the last month that is over on a day."""
    return number(pd.Timestamp(day) + pd.Timedelta(days=1)) - 1


def plain_inactive(frames, who, snapshot):
    moves = frames["transactions"]
    mine = moves.loc[(moves["customer_id"] == who) & ~moves["kind"].isin(SILENT_KINDS)]
    days = sorted(set(mine["occurred_at"].dt.date))
    if not days:
        return None, None, None
    left = [a for a, b in pairwise([*days, snapshot]) if (b - a).days >= IDLE]
    joined_on = frames["customers"].set_index("customer_id")["joined_on"][who]
    joined = days[0] if pd.isna(joined_on) else min(joined_on, days[0])
    first = number(days[0])
    begins = first if first == number(joined) else first + 1
    return first, begins, number(left[0]) if left else None


def plain_payroll(frames, who, snapshot):
    moves = frames["transactions"]
    mine = moves.loc[(moves["customer_id"] == who) & (moves["kind"] == "payroll"), "occurred_at"]
    paid = {number(day) for day in mine if number(day) <= whole(snapshot)}
    if not paid:
        return None, None, None
    without = [
        m for m in range(min(paid) + 1, whole(snapshot)) if m not in paid and m + 1 not in paid
    ]
    return min(paid), min(paid) + 1, without[0] if without else None


def plain_money(frames, who, snapshot):
    accounts, balances = frames["accounts"], frames["balances"]
    closed = accounts.loc[accounts["customer_id"] == who].set_index("account_id")["closed_on"]
    held = {}
    for row in balances.itertuples():
        if row.account_id in closed.index:
            end, month = closed[row.account_id], number(row.month)
            if pd.isna(end) or number(end) > month:
                held[month] = held.get(month, 0) + row.balance
    if not held:
        return None, None, None
    last = number(frames["ends"])
    begins = gone = None
    for m in range(min(held) + 6, last + 1):
        level = Fraction(sum(held.get(m - back, 0) for back in range(1, 7)), 6)
        if level < 1000:
            continue
        begins = begins or m
        low = [held.get(x, 0) * 5 <= level for x in (m, m + 1)]
        if m + 1 <= last and all(low) and gone is None:
            gone = m
    return min(held), begins, gone


def plain_closed(frames, who, snapshot):
    accounts = frames["accounts"]
    mine = accounts.loc[accounts["customer_id"] == who]
    if mine.empty:
        return None, None, None
    opened = [number(day) for day in mine["opened_on"].dropna()]
    clock = min(opened) if opened else None
    is_open = [pd.isna(day) or day > snapshot for day in mine["closed_on"]]
    gone = None if any(is_open) else max(number(day) for day in mine["closed_on"])
    if gone is not None and gone < BEGIN:
        return clock, None, None
    return clock, max(clock or BEGIN, BEGIN), gone


PLAIN = {
    "inactive": plain_inactive,
    "payroll_moved": plain_payroll,
    "money_gone": plain_money,
    "closed": plain_closed,
}
#: The walks are slow and asked for again and again.
WALKED: dict = {}


def walk(frames, name, snapshot):
    """Return the span of each customer for one exit."""
    key = (id(frames), name, snapshot)
    if key not in WALKED:
        people = frames["customers"]["customer_id"]
        parts = {
            table: dict(list(frames[table].groupby("customer_id")))
            for table in ("transactions", "accounts")
        }
        walked = {}
        for who in people:
            mine = {t: parts[t].get(who, frames[t].iloc[:0]) for t in parts}
            own = frames["balances"]["account_id"].isin(mine["accounts"]["account_id"])
            mine["balances"] = frames["balances"].loc[own] if name == "money_gone" else None
            mine |= {"customers": frames["customers"], "ends": frames["balances"]["month"].max()}
            walked[who] = PLAIN[name](mine, who, snapshot)
        WALKED[key] = walked
    return WALKED[key]


TELLING = ["closed", "payroll_moved", "money_gone", "inactive"]


def plain_until(exits, snapshot, frames):
    """Return the last month of which every exit is known."""
    ends = {
        "inactive": whole(snapshot - dt.timedelta(days=IDLE)),
        "payroll_moved": whole(snapshot) - 1,
        "money_gone": whole(snapshot) - 1,
        "closed": whole(snapshot),
    }
    last = min(ends[name] for name in exits)
    if "money_gone" in exits:
        last = min(last, number(frames["balances"]["month"].max()) - 1)
    return last


def plain_exits(frames, exits, snapshot):
    """Walk customer by customer; months as numbers."""
    last = plain_until(exits, snapshot, frames)
    rows = {}
    for person in frames["customers"].itertuples():
        who = person.customer_id
        spans = {name: walk(frames, name, snapshot)[who] for name in exits}
        clock, begins, _ = spans[exits[0]]
        if begins is None:
            rows[who] = {"reason": "no_movement" if exits[0] == "inactive" else "never_at_risk"}
            continue
        declared = None if pd.isna(person.joined_on) else number(person.joined_on)
        joined = min(x for x in (declared, clock, begins) if x is not None)
        gone = [span[2] for span in spans.values() if span[2] is not None]
        gone = min(gone) if gone else None
        kind = next((name for name in TELLING if name in exits and spans[name][2] == gone), None)
        kind = None if gone is None else kind
        if gone is not None and gone <= last:
            if gone < begins or gone < spans[kind][1]:
                rows[who] = {"reason": "left_when_first_seen"}
                continue
            ends, churned = gone, True
        else:
            ends, churned, kind = last, False, None
            if ends < begins:
                rows[who] = {"reason": "too_recent"}
                continue
        rows[who] = {
            "reason": None,
            "joined": joined,
            "entry": begins - joined,
            "duration": ends - joined + 1,
            "churned": churned,
            "exit": kind,
            "exit_month": ends if churned else None,
        }
        for name in exits if len(exits) > 1 else ():
            start = spans[name][1]
            rows[who][f"from_{name}"] = None if start is None else start - joined
    return rows


def compare(got, wanted):
    """Hold the engine's table against the walk."""
    got = got.set_index("customer_id")
    assert set(got.index) == set(wanted)
    for who, plain in wanted.items():
        row = got.loc[who]
        assert (None if pd.isna(row["reason"]) else row["reason"]) == plain["reason"], who
        if plain["reason"]:
            continue
        assert number(row["joined_month"]) == plain["joined"], who
        for name in set(plain) - {"joined", "reason"}:
            value = None if pd.isna(row[name]) else row[name]
            value = number(value) if name == "exit_month" and value is not None else value
            assert value == plain[name], (who, name)


SETS = [
    ["inactive"],
    ["payroll_moved"],
    ["money_gone"],
    ["closed"],
    ["inactive", "closed"],
    ["closed", "inactive"],
    ["payroll_moved", "inactive"],
    ["inactive", "payroll_moved", "money_gone", "closed"],
    ["money_gone", "closed", "payroll_moved"],
]


@pytest.fixture(scope="module")
def shared():
    """One engine with the bank as known on each of two days."""
    con = ibis.duckdb.connect()
    frames = {day: known_on(money_bank(), day) for day in (SNAPSHOT, MID_MONTH)}
    return {day: (frame, in_engine(con, frame)) for day, frame in frames.items()}


RULE = {"idle_days": IDLE, "not_movements": SILENT_KINDS}


@pytest.mark.parametrize(
    ("exits", "snapshot"),
    [*[(exits, SNAPSHOT) for exits in SETS], *[(exits, MID_MONTH) for exits in SETS[7:8]]],
    ids=lambda value: "+".join(value) if isinstance(value, list) else str(value),
)
def test_exits_are_those_of_a_walk_through_each_customers_months(shared, exits, snapshot):
    frames, tables = shared[snapshot]
    wanted = plain_exits(frames, exits, snapshot)
    got = observe_exits(tables, exits, snapshot=snapshot, **RULE).to_pandas()
    compare(got, wanted)
    # the bank is one in which something happens
    kinds = pd.Series([row.get("exit") for row in wanted.values()]).value_counts()
    assert set(kinds.index) == set(exits) and kinds.min() >= 2
    reasons = {row["reason"] for row in wanted.values()}
    assert reasons >= {None} and len(reasons) > 1


@pytest.mark.parametrize("exits", [SETS[0], SETS[5], SETS[7]], ids="+".join)
def test_months_of_several_exits_add_up(shared, exits):
    """Each exit is one customer's, in a month in which they could leave that way."""
    frames, tables = shared[SNAPSHOT]
    durations = observed(observe_exits(tables, exits, snapshot=SNAPSHOT, **RULE))
    rows = person_months(durations, tables, features=[]).to_pandas()
    wanted = {k: v for k, v in plain_exits(frames, exits, SNAPSHOT).items() if not v["reason"]}
    assert len(rows) == sum(row["duration"] - row["entry"] for row in wanted.values())
    assert rows["left"].sum() == sum(row["churned"] for row in wanted.values())
    if len(exits) == 1:
        assert not [name for name in rows if name.startswith(("left_", "risk_"))]
        return
    lefts = [f"left_{name}" for name in exits]
    assert rows[lefts].notna().all(axis=None)
    assert (rows[lefts].sum(axis=1) == rows["left"]).all()
    assert (rows[f"risk_{exits[0]}"] == 1).all()  # the first decides who is watched
    for name in exits:
        assert (rows[f"left_{name}"] <= rows[f"risk_{name}"]).all(), name
        starts = {who: row[f"from_{name}"] for who, row in wanted.items()}
        starts = rows["customer_id"].map(starts).astype(float)
        assert (rows[f"risk_{name}"] == (rows["tenure"] >= starts)).all()
        left = rows.loc[rows[f"left_{name}"] == 1, "customer_id"]
        assert sorted(left) == sorted(w for w, row in wanted.items() if row["exit"] == name)
    # a cell in which nobody leaves adds up to none, not to nothing
    counted = cells(
        person_months(durations, tables, features=[]).mutate(who=ibis._.customer_id),
        by=["who"],
        sums={name: ibis._[name] for name in lefts},
    )
    assert counted[lefts].notna().all(axis=None) and counted[lefts].dtypes.eq("int64").all()


def small(con, moves=(), accounts=(), balances=(), customers=None):
    """Put a few rows into the engine by hand."""
    frames = {
        "transactions": pd.DataFrame(moves, columns=["customer_id", "occurred_at", "kind"]),
        "accounts": pd.DataFrame(
            accounts, columns=["account_id", "customer_id", "opened_on", "closed_on"]
        ),
        "balances": pd.DataFrame(balances, columns=["account_id", "month", "balance"]),
    }
    if customers is not None:
        frames["customers"] = pd.DataFrame(customers, columns=["customer_id", "joined_on"])
    return in_engine(con, frames)


def seen(tables, exits, snapshot=SNAPSHOT):
    rows = observe_exits(tables, exits, snapshot=snapshot, **RULE).to_pandas()
    return rows.set_index("customer_id")


def monthly(who, months, kind="payroll", day=25):
    return [(who, f"{month}-{day:02d} 09:00:00", kind) for month in months]


def span(first, last):
    return [str(month) for month in pd.period_range(first, last, freq="M")]


def test_pay_that_stops_by_hand(con):
    """One month without pay is a pause; two are an exit in the first; the last cannot be told."""
    moves = [
        *monthly("stops", span("2024-03", "2025-05")),
        *monthly("pauses", [*span("2024-03", "2024-09"), *span("2024-11", "2025-12")]),
        *monthly("returns", [*span("2024-03", "2024-09"), *span("2024-12", "2025-12")]),
        *monthly("last", span("2024-03", "2025-10")),  # November and December without
        *monthly("too late", span("2024-03", "2025-11")),  # December without: who knows
        *monthly("new", ["2025-12"]),
        *monthly("never", span("2024-01", "2025-12"), kind="deposit"),
    ]
    got = seen(
        small(con, moves, customers=[(w, None) for w in {m[0] for m in moves}]), ["payroll_moved"]
    )
    exits = got["exit_month"].dropna().astype(str).str[:7].to_dict()
    assert exits == {"stops": "2025-06", "returns": "2024-10", "last": "2025-11"}
    assert got["reason"].dropna().to_dict() == {"never": "never_at_risk", "new": "too_recent"}
    # paid first in March 2024, so tenure counts from it, and the pay can stop from April on
    assert got.loc["stops", ["entry", "duration"]].tolist() == [1, 16]
    assert got.loc["too late", ["entry", "duration", "churned"]].tolist() == [1, 21, False]


def test_money_that_goes_by_hand(con):
    """A fifth of the mean of six months is left for two months: gone in the first of them."""
    months = span("2024-01", "2025-12")

    def held(who, amounts):
        amounts = [*amounts, *[amounts[-1]] * (24 - len(amounts))]
        return [(f"a-{who}", f"{m}-01", a) for m, a in zip(months, amounts, strict=True)]

    books = {
        "fifth": [3000] * 8 + [600, 600],
        "a cent more": [3000] * 8 + ["600.01", "600.01"],
        "one month": [3000] * 8 + [0, 3000],
        "too little": [999] * 8 + [0],
        "too soon": [3000] * 5 + [0],
        "slowly": [3000 * 9**k // 10**k for k in range(24)],
        "last month": [3000] * 23 + [0],
        "two last": [3000] * 22 + [0, 0],
    }
    tables = small(
        con,
        accounts=[(f"a-{who}", who, "2024-01-01", None) for who in books],
        balances=[row for who, amounts in books.items() for row in held(who, amounts)],
        customers=[(who, "2024-01-01") for who in books],
    )
    got = seen(tables, ["money_gone"])
    assert got["exit_month"].dropna().astype(str).str[:7].to_dict() == {
        "fifth": "2024-09",
        # the six months before July are worth 2,500 still, and no earlier exit could be told
        "too soon": "2024-07",
        "two last": "2025-11",
    }
    assert got.loc["fifth", ["entry", "duration"]].tolist() == [6, 9]
    assert got["reason"].dropna().to_dict() == {"too little": "never_at_risk"}


def test_a_closed_account_takes_its_money_along(con):
    """Closed and emptied in one month: closed tells more. Its balance of that month is nothing."""
    months = span("2024-01", "2025-12")
    tables = small(
        con,
        accounts=[("a", "x", "2024-01-01", "2025-03-10"), ("b", "y", "2024-01-01", None)],
        balances=[
            *[("a", f"{m}-01", 5000) for m in months if m <= "2025-03"],
            *[("b", f"{m}-01", 5000) for m in months],
        ],
        customers=[("x", "2024-01-01"), ("y", "2024-01-01")],
    )
    alone = seen(tables, ["money_gone"])
    assert str(alone.loc["x", "exit_month"])[:7] == "2025-03" and not alone.loc["y", "churned"]
    for exits in (["closed", "money_gone"], ["money_gone", "closed"]):
        got = seen(tables, exits)
        assert got.loc["x", "exit"] == "closed" and pd.isna(got.loc["y", "exit"])
        assert str(got.loc["x", "exit_month"])[:7] == "2025-03"
        assert got.loc["x", ["from_closed", "from_money_gone"]].tolist() == [0, 6]


def test_of_exits_in_one_month_the_one_that_tells_most_counts(con):
    """Four customers leave in May 2025 in two ways at once, one in April by silence alone."""
    months, until = span("2024-01", "2025-12"), span("2024-01", "2025-05")
    moves = [
        *monthly("silent and closed", until, "deposit"),
        *monthly("unpaid and silent", until[:-1]),
        ("unpaid and silent", "2025-05-02 10:00:00", "deposit"),
        *monthly("unpaid and closed", until[:-1]),
        *monthly("unpaid and closed", months, "deposit", 3),
        *monthly("empty and unpaid", until[:-1]),
        *monthly("empty and unpaid", months, "deposit", 3),
        *monthly("silent before", until[:-1], "payroll", 20),
    ]
    people = sorted({move[0] for move in moves})
    closed = {"silent and closed", "unpaid and closed"}
    accounts = [(w, w, "2024-01-01", "2025-05-09" if w in closed else None) for w in people]
    empty = {"empty and unpaid"}
    balances = [
        (w, f"{m}-01", 0 if w in empty and m >= "2025-05" else 2000) for w in people for m in months
    ]
    tables = small(con, moves, accounts, balances, [(w, "2024-01-05") for w in people])
    got = seen(tables, ["inactive", "money_gone", "closed", "payroll_moved"])
    assert got["exit"].to_dict() == {
        "silent and closed": "closed",
        "unpaid and silent": "payroll_moved",
        "unpaid and closed": "closed",
        "empty and unpaid": "payroll_moved",
        "silent before": "inactive",
    }
    month = got["exit_month"].astype(str).str[:7]
    assert (month.drop("silent before") == "2025-05").all() and month["silent before"] == "2025-04"


@pytest.mark.parametrize("snapshot", [SNAPSHOT, MID_MONTH, dt.date(2025, 12, 30)], ids=str)
def test_what_takes_longest_to_be_known_ends_the_watch(snapshot):
    """By hand: months that are over; two without pay; 60 days of silence."""
    ends = {
        SNAPSHOT: {"closed": "2025-12", "payroll_moved": "2025-11", "inactive": "2025-10"},
        MID_MONTH: {"closed": "2025-09", "payroll_moved": "2025-08", "inactive": "2025-07"},
        dt.date(2025, 12, 30): {
            "closed": "2025-11",
            "payroll_moved": "2025-10",
            "inactive": "2025-10",  # the last day that can be told is 31 October
        },
    }[snapshot]
    for name, month in ends.items():
        assert known_until([name], snapshot=snapshot, idle_days=60) == index(f"{month}-01")
    both = known_until(["closed", "inactive"], snapshot=snapshot, idle_days=60)
    assert both == index(f"{ends['inactive']}-01")


def test_balances_that_end_early_end_the_watch(con):
    """Of months without balances nobody's money is known: nobody is at risk in them."""
    months = span("2024-01", "2025-06")
    tables = small(
        con,
        accounts=[("a", "x", "2024-01-01", None), ("b", "y", "2024-01-01", None)],
        balances=[(a, f"{m}-01", 5000) for m in months for a in "ab"],
        customers=[("x", "2024-01-01"), ("y", "2024-01-01")],
    )
    got = seen(tables, ["money_gone"])
    assert not got["churned"].any() and (got["duration"] == 17).all()  # up to May 2025
    got = seen(tables, ["closed", "money_gone"])
    assert not got["churned"].any() and (got["duration"] == 17).all()
    assert (seen(tables, ["closed"])["duration"] == 24).all()


def test_inactive_alone_is_the_idle_rule(shared):
    _, tables = shared[SNAPSHOT]
    moved = tables["transactions"].filter(tables["transactions"].kind.notin(SILENT_KINDS))
    plain = timelines(moved, tables["customers"], snapshot=SNAPSHOT, idle_days=IDLE).to_pandas()
    got = observe_exits(tables, ["inactive"], snapshot=SNAPSHOT, **RULE).to_pandas()
    order = plain.sort_values("customer_id", ignore_index=True)
    same = got.sort_values("customer_id", ignore_index=True)
    pd.testing.assert_frame_equal(same[order.columns], order)
    assert (same["exit"].notna() == same["churned"]).all()


def test_a_table_that_is_not_there_is_named(shared):
    _, tables = shared[SNAPSHOT]

    def refused(exits, *there, **changed):
        some = {name: tables[name] for name in there} | changed
        with pytest.raises(CustomerlabError) as error:
            observe_exits(some, exits, snapshot=SNAPSHOT, **RULE)
        return str(error.value)

    assert "inactive is read from transactions" in refused(["inactive"], "customers")
    said = refused(["inactive", "money_gone"], "transactions", "accounts")
    assert "money_gone is read from accounts and balances" in said and "no balances" in said
    assert "no accounts and no balances" in refused(["money_gone"], "transactions")
    assert "there is no accounts" in refused(["closed"], "transactions")
    bare = tables["accounts"].drop("closed_on")
    assert "the day on which accounts closed" in refused(["closed"], accounts=bare)
    bare = tables["transactions"].drop("kind")
    assert "kind of each transaction" in refused(["payroll_moved"], transactions=bare)


def test_banks_in_which_nothing_happens(con):
    """Nobody was ever paid, nothing closed, everybody stays, nobody is there at all."""
    months = span("2024-01", "2025-12")
    moves = [m for who in "xy" for day in (3, 17) for m in monthly(who, months, "deposit", day)]
    accounts = [(who, who, "2023-05-01", None) for who in "xy"]
    balances = [(who, f"{m}-01", 5000) for who in "xy" for m in months]
    full = small(con, moves, accounts, balances, [("x", "2023-05-01"), ("y", "2023-05-01")])
    got = seen(full, ["payroll_moved"])
    assert (got["reason"] == "never_at_risk").all() and not got["churned"].any()
    nobody = observed(observe_exits(full, ["payroll_moved"], snapshot=SNAPSHOT, **RULE))
    assert person_months(nobody, {}).count().execute() == 0
    for exits in (["closed"], list(PLAIN)):
        got = seen(full, exits)
        assert got["reason"].isna().all() and not got["churned"].any() and got["exit"].isna().all()
        assert got["exit_month"].isna().all()
    assert got["from_payroll_moved"].isna().all() and (got["from_closed"] == 8).all()
    rows = person_months(observed(observe_exits(full, list(PLAIN), snapshot=SNAPSHOT, **RULE)), {})
    sums = rows.to_pandas().filter(regex="^(left|risk)_").sum()
    assert sums.filter(like="left_").eq(0).all() and sums["risk_payroll_moved"] == 0
    empty = small(con, customers=[])
    for exits in (SETS[0], SETS[7]):
        assert observe_exits(empty, exits, snapshot=SNAPSHOT, **RULE).count().execute() == 0
    nobody_moved = small(con, customers=[("x", "2023-05-01")])
    for exits in (SETS[0], SETS[8]):
        got = seen(nobody_moved, exits)
        wanted = "no_movement" if exits[0] == "inactive" else "never_at_risk"
        assert got["reason"].tolist() == [wanted] and not got["churned"].any()


def test_without_a_customer_list_the_first_exit_tells_who_there_is(con):
    accounts = [
        ("a", "x", "2024-02-10", None),
        ("b", "y", None, "2025-02-01"),
        ("c", "z", "2022-01-01", "2023-11-30"),  # gone before the data begin
        ("d", "w", "2022-01-01", "2023-11-30"),
        ("e", "w", "2025-08-01", None),  # closed one, has another
    ]
    moves = monthly("x", span("2024-01", "2025-12"), "deposit")
    got = seen(small(con, moves, accounts), ["closed"])
    assert got["reason"].dropna().to_dict() == {"z": "never_at_risk"}
    assert got["joined_month"].astype(str).str[:7].drop("z").to_dict() == {
        "x": "2024-02",
        "y": "2024-01",  # nobody knows since when: watched since the data begin
        "w": "2022-01",
    }
    assert got.loc["w", ["entry", "duration", "churned"]].tolist() == [24, 48, False]
    assert got.loc["y", ["entry", "duration", "exit"]].tolist() == [0, 14, "closed"]


def test_days_of_joining_after_the_first_sign_of_a_customer(con):
    """The first sign counts; and an exit before it leaves nothing to watch."""
    tables = small(
        con,
        moves=[
            *monthly("paid early", span("2024-02", "2024-06")),
            *monthly("moved early", ["2024-03", "2024-04"], "deposit"),
        ],
        accounts=[
            ("a", "opened early", "2024-05-01", "2024-08-01"),
            ("b", "closed first", "2024-09-01", "2024-07-01"),  # a typing error
        ],
        customers=[
            (w, "2025-01-15") for w in ("paid early", "moved early", "opened early", "closed first")
        ],
    )
    paid = seen(tables, ["payroll_moved"]).loc["paid early"]
    assert str(paid["joined_month"])[:7] == "2024-02"
    assert paid[["entry", "duration", "churned"]].tolist() == [1, 6, True]
    closed = seen(tables, ["closed"])
    assert closed.loc["opened early", ["entry", "duration", "exit"]].tolist() == [0, 4, "closed"]
    assert closed.loc["closed first", "reason"] == "left_when_first_seen"
    moved = seen(tables, ["inactive", "closed"]).loc["moved early"]
    assert str(moved["joined_month"])[:7] == "2024-03"
    assert moved[["entry", "duration", "exit"]].tolist() == [0, 2, "inactive"]


def test_the_month_of_the_first_movement_does_not_count_for_silence_beside_another_exit(con):
    """An old customer who moves once and never again was last seen when first seen."""
    moves = [
        ("once", "2024-03-05 10:00:00", "deposit"),
        ("twice", "2024-03-05 10:00:00", "deposit"),
        ("twice", "2024-04-05 10:00:00", "deposit"),
        *monthly("other", span("2024-01", "2025-12"), "deposit"),
    ]
    accounts = [(w, w, "2019-01-01", None) for w in ("once", "twice", "other")]
    people = [(w, "2019-01-01") for w in ("once", "twice", "other")]
    got = seen(small(con, moves, accounts, customers=people), ["closed", "inactive"])
    assert got["reason"].dropna().to_dict() == {"once": "left_when_first_seen"}
    assert got.loc["twice", ["entry", "duration", "exit"]].tolist() == [60, 64, "inactive"]
    assert got.loc["twice", "from_inactive"] == 63


def test_who_is_gone_is_known_sooner_than_all_exits_of_the_month(shared):
    frames, tables = shared[SNAPSHOT]
    for exits in (["payroll_moved", "money_gone"], ["inactive"], list(PLAIN)):
        got = gone_by_now(tables, exits, snapshot=SNAPSHOT)
        people = frames["customers"]["customer_id"]
        others = [name for name in exits if name != "inactive"]
        wanted = {w for w in people for e in others if walk(frames, e, SNAPSHOT)[w][2] is not None}
        assert set(got.to_pandas()["customer_id"]) & set(people) == wanted
        assert bool(wanted) == bool(others)


def worked_out(table):
    return table.cache()


def params(**settings) -> Params:
    return Params(client="x", snapshot=SNAPSHOT, churn_timing={"horizons_months": [3], **settings})


def plain_here(frames, exits):
    """Who has begun to be at risk and has not left, and moved lately where silence is an exit."""
    here = {}
    for person in frames["customers"].itertuples():
        who = person.customer_id
        spans = {name: walk(frames, name, SNAPSHOT)[who] for name in exits}
        clock, begins, _ = spans[exits[0]]
        gone = [span[2] for name, span in spans.items() if name != "inactive"]
        if begins is None or any(month is not None for month in gone):
            continue
        moves = frames["transactions"]
        mine = moves.loc[(moves["customer_id"] == who) & ~moves["kind"].isin(SILENT_KINDS)]
        last = mine["occurred_at"].max()
        silent = pd.isna(last) or (SNAPSHOT - last.date()).days >= IDLE
        if "inactive" in exits and silent:
            continue
        declared = None if pd.isna(person.joined_on) else number(person.joined_on)
        joined = min(x for x in (declared, clock, begins) if x is not None)
        here[who] = {"tenure": number("2026-01-01") - joined}
        for name in exits if len(exits) > 1 else ():
            start = spans[name][1]
            here[who][f"risk_{name}"] = int(start is not None)
    return here


@pytest.mark.parametrize("exits", [SETS[1], *SETS[5:8]], ids="+".join)
def test_here_is_who_can_leave_and_has_not(shared, exits):
    """Also who left in a month whose other exits are not known yet is not here any more."""
    frames, tables = shared[SNAPSHOT]
    stays = observe_stays(
        tables, params(event=[*exits, exits[0]], idle_days=IDLE, covariates=[]), worked_out
    )
    assert stays.exits == tuple(exits)  # an exit named twice is one exit
    here = stays.here.to_pandas().set_index("customer_id")
    wanted = plain_here(frames, exits)
    assert set(here.index) == set(wanted) and 5 < len(wanted) < 120
    for who, plain in wanted.items():
        assert here.loc[who, list(plain)].to_dict() == plain, who
    months, windows = stays.months, stays.windows
    lines = {k: v for k, v in plain_exits(frames, exits, SNAPSHOT).items() if not v["reason"]}
    assert stays.lines.count().execute() == len(lines)
    assert months["n"].sum() == sum(row["duration"] - row["entry"] for row in lines.values())
    left = pd.Series([row["exit"] for row in lines.values()]).value_counts()
    assert months["events"].sum() == left.sum()
    for table in (months, windows) if len(exits) > 1 else ():
        assert (table[[f"left_{name}" for name in exits]].sum(axis=1) == table["events"]).all()
        assert (table[[f"risk_{name}" for name in exits]].max(axis=1) <= table["n"]).all()
        assert (table[f"risk_{exits[0]}"] == table["n"]).all()
    for name in exits if len(exits) > 1 else ():
        assert months[f"left_{name}"].sum() == left[name]
    counts = stays.counted().dropna(subset="exit").groupby("exit")["n"].sum()
    assert counts.to_dict() == left.to_dict()


def prepared(con, frame):
    return {"durations": con.create_table("durations", frame)}


def test_a_prepared_table_may_tell_the_exits_apart(con):
    """By hand: three kinds, one of them untold; a month at risk is one of each."""
    frame = pd.DataFrame(
        {
            "duration": [3.0, 2.0, 4.0, 4.0, 1.0],
            "churned": [True, True, False, True, True],
            "event_type": ["closed", "moved", "closed", None, "closed"],  # the third is still here
            "plan": list("aabba"),
        }
    )
    stays = observe_stays(prepared(con, frame), params())
    assert stays.exits == ("closed", "left", "moved")
    assert stays.covariates == ("plan",)
    assert stays.months["n"].sum() == 14 and stays.months["events"].sum() == 4
    lefts = [f"left_{name}" for name in stays.exits]
    assert stays.months[lefts].sum().tolist() == [2, 1, 1]
    assert (stays.months[lefts].sum(axis=1) == stays.months["events"]).all()
    for name in stays.exits:
        assert (stays.months[f"risk_{name}"] == stays.months["n"]).all()
    # in the month of joining five are at risk and one leaves, of plan a
    first = stays.months.query("tenure_band == '0'").set_index("plan")
    assert first["n"].to_dict() == {"a": 3, "b": 2} and first["left_closed"].to_dict() == {
        "a": 1,
        "b": 0,
    }
    counted = stays.counted()
    assert counted.loc[counted["exit"] == "closed", "duration"].tolist() == [1.0, 3.0]
    assert stays.here.count().execute() == 1
    at_end = cumulative_incidence(counted).at(4).set_index("exit")["incidence"]
    assert at_end.sum() == pytest.approx(1 - 4 / 5 * 3 / 4 * 2 / 3 * 1 / 2)


@pytest.mark.parametrize(
    ("change", "exits"),
    [
        ({}, ("left",)),
        ({"event_type": ["closed", "closed", "moved"]}, ("closed",)),
        ({"churned": [False] * 3}, ("left",)),
        ({"churned": [False] * 3, "event_type": ["closed"] * 3}, ("left",)),
        ({"event_type": np.nan}, ("left",)),
    ],
    ids=["untold", "one kind", "all stay", "all stay, kinds told", "all kinds missing"],
)
def test_prepared_tables_with_one_exit_or_none(con, change, exits):
    frame = pd.DataFrame({"duration": [1.0, 2.0, 2.0], "churned": [True, True, False]})
    frame = frame.assign(**change)
    there = prepared(con, frame)["durations"]
    if "event_type" in change:
        there = there.mutate(event_type=there.event_type.cast("string"))
    stays = observe_stays({"durations": there}, params())
    assert stays.exits == exits
    assert not [name for name in stays.months if name.startswith(("left_", "risk_"))]
    assert stays.months["events"].sum() == frame["churned"].sum() and stays.months["n"].sum() == 5


def test_a_prepared_table_without_rows(con):
    schema = {"duration": "float64", "churned": "boolean", "event_type": "string"}
    empty = {"durations": con.create_table("durations", schema=schema)}
    stays = observe_stays(empty, params())
    assert stays.exits == ("left",) and stays.months.empty and stays.here.count().execute() == 0
    assert {"tenure_band", "n", "events"} <= set(stays.months)


def test_exits_have_names_and_a_clients_own_word_stays():
    assert str(exit_name("closed")) == "accounts closed" and exit_name("cancelled") == "cancelled"
    assert set(PLAIN) | {"left"} == set(EXITS)


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """Simulate a bank of 2,000 customers; return its tables in an engine, and the truth."""
    raw = tmp_path_factory.mktemp("planted") / "raw"
    simulate_bank(raw, customers=2000, seed=11)
    con = ibis.duckdb.connect()
    truth = con.read_parquet(str(raw.parent / "truth" / "customers.parquet"))
    moves = con.read_parquet(str(raw / "tx_*.parquet"))
    moves = moves.mutate(occurred_at=moves.occurred_at.try_cast("timestamp(6)"))
    moves = moves.filter(moves.occurred_at < ibis.timestamp("2026-01-01 00:00:00"))
    moves = moves.filter(moves.channel.fill_null("") != "test")
    tables = {
        "transactions": moves.select("customer_id", "occurred_at", "kind").cache(),
        "customers": truth.select("customer_id", joined_on=truth.joined_month.cast("date")).cache(),
    }
    months = truth.select("customer_id", "exit_month", "payroll_moved_month").to_pandas()
    months = months.set_index("customer_id").apply(lambda day: pd.to_datetime(day))
    return tables, months


def planted_exits(tables, exits):
    rows = observe_exits(
        tables, exits, snapshot=SNAPSHOT, idle_days=90, not_movements=SILENT_KINDS
    ).to_pandas()
    rows = rows.loc[rows["reason"].isna()].set_index("customer_id")
    rows["exit_month"] = pd.to_datetime(rows["exit_month"])
    return rows


@pytest.mark.parametrize(
    ("exits", "column", "known"),
    [
        (["inactive"], "exit_month", "2025-09-01"),
        (["payroll_moved"], "payroll_moved_month", "2025-11-01"),
    ],
    ids=["inactive", "payroll_moved"],
)
def test_planted_exits_come_back_to_the_month(planted, exits, column, known):
    tables, truth = planted
    rows = planted_exits(tables, exits)
    months = truth.loc[rows.index, column]
    months = months.where(months <= known)
    if exits == ["payroll_moved"]:  # the pay of who leaves altogether stops as well
        gone = truth.loc[rows.index, "exit_month"] + pd.DateOffset(months=1)
        gone = gone.where(gone <= known)
        months = months.fillna(gone)
    assert months.notna().sum() > 100 and months.isna().sum() > 100
    pd.testing.assert_series_equal(rows["exit_month"], months, check_names=False, check_dtype=False)


def test_planted_exits_compete_as_planted(planted):
    tables, truth = planted
    rows = planted_exits(tables, ["inactive", "payroll_moved"])
    months = truth.loc[rows.index]
    months = months.where(months <= "2025-09-01")
    # the pay that moves in the month of the last movement tells more than the silence after it
    first = months.min(axis=1)
    payroll = months["payroll_moved_month"] == first
    kind = pd.Series("payroll_moved", rows.index).where(payroll, "inactive").where(first.notna())
    assert kind.value_counts().min() > 40
    pd.testing.assert_series_equal(rows["exit_month"], first, check_names=False, check_dtype=False)
    assert (rows["exit"].fillna("-") == kind.fillna("-")).all()


def test_lots_are_those_of_pythons_own_digest_and_draw_the_share():
    """The first 32 bits of MD5 below the share, whoever else is on the list."""
    keys = [f"C{i:05d}" for i in range(4000)]
    table = ibis.memtable(pd.DataFrame({"key": keys}))
    for seed, purpose, share in ((1, "groups", 0.5), (7, "churn_timing", 0.2), (7, "x", 0.0)):
        got = table.mutate(drawn=drawn(seed, purpose, table.key, share)).to_pandas()
        digests = [hashlib.md5(f"{seed}:{purpose}:{key}".encode()).hexdigest() for key in keys]
        wanted = {
            k: int(d[:8], 16) < int(share * 2**32) for k, d in zip(keys, digests, strict=True)
        }
        assert got.set_index("key")["drawn"].to_dict() == wanted
        # 4 standard errors of 4,000 lots
        assert abs(got["drawn"].mean() - share) <= 4 * np.sqrt(share * (1 - share) / 4000)
        some = table.filter(table.key < "C00100")
        fewer = some.mutate(drawn=drawn(seed, purpose, some.key, share)).to_pandas()
        assert len(fewer) == 100 and all(fewer["drawn"] == fewer["key"].map(wanted))
    both = table.mutate(
        a=drawn(1, "a", table.key, 0.5), b=drawn(1, "b", table.key, 0.5)
    ).to_pandas()
    assert abs((both["a"] & both["b"]).mean() - 0.25) < 4 * np.sqrt(0.25 * 0.75 / 4000)


def test_arms_are_counted():
    arms = pd.DataFrame({"arm": ["contact", "contact", "control"]})
    assert count_arms(ibis.memtable(arms)) == {"contact": 2, "control": 1}
    assert count_arms(ibis.memtable(arms.iloc[:2])) == {"contact": 2, "control": 0}
    nobody = ibis.memtable(arms.iloc[:0], schema={"arm": "string"})
    assert count_arms(nobody) == {"contact": 0, "control": 0}
