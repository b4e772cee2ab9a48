"""What was known of a customer when a month began, against plain pandas; nothing from later."""

import datetime as dt

import ibis
import numpy as np
import pandas as pd
import pytest

from customerlab.errors import CustomerlabError
from customerlab.features import (
    FEATURES,
    ON_REQUEST,
    choose,
    features_in,
    holdings,
    read_once,
    with_since,
)
from customerlab.person_months import features_of_people, in_windows, person_months

BEGIN, MONTHS, PEOPLE = pd.Period("2024-01", "M"), 24, 22


def stays(seed=3):
    """Draw stays at random, some with late entry; months from 2023 on."""
    rng = np.random.default_rng(seed)
    joined = rng.integers(-6, 18, PEOPLE)
    entry = np.maximum(-joined, 0) + rng.choice([0, 0, 2], PEOPLE)
    length = rng.integers(1, 20, PEOPLE)
    duration = np.minimum(entry + length, MONTHS - joined)
    churned = rng.random(PEOPLE) < 0.5
    exits = np.where(rng.random(PEOPLE) < 0.5, "closed", "inactive")
    frame = pd.DataFrame(
        {
            "customer_id": [f"c{i:02d}" for i in range(PEOPLE)],
            "joined_month": [(BEGIN + int(m)).to_timestamp().date() for m in joined],
            "entry": entry,
            "duration": duration,
            "churned": churned,
            "exit": np.where(churned, exits, None),
            "from_closed": entry,
            "from_inactive": np.where(rng.random(PEOPLE) < 0.7, entry + 3, np.nan),
        }
    )
    frame["from_inactive"] = frame["from_inactive"].astype("Int64")
    frame.loc[frame["exit"] == "inactive", "from_inactive"] = entry[frame["exit"] == "inactive"]
    return frame.loc[frame["duration"] > frame["entry"]].reset_index(drop=True)


def tables_of(seed=6):
    """Make a bank's tables at random; the first rows span the rating scale."""
    rng = np.random.default_rng(seed)
    ids = [f"c{i:02d}" for i in range(PEOPLE)]
    accounts, balances = [], []
    for who in ids[: PEOPLE - 3]:  # three without an account
        for k in range(int(rng.integers(1, 5))):
            account = f"{who}-{k}"
            first, last = int(rng.integers(-5, 15)), int(rng.integers(5, 40))
            closed = (BEGIN + last).to_timestamp() + pd.Timedelta(days=9)
            accounts.append((account, who, closed if last < MONTHS else pd.NaT))
            level = float(rng.choice([10, 60, 900, 9000, 80_000]))
            for m in range(max(first, 0), min(last + 1, MONTHS)):
                level = round(level * rng.choice([0.4, 0.9, 0.95, 1.0, 1.1, 1.3]), 2)
                if rng.random() < 0.97:  # some months were never delivered
                    balances.append((account, (BEGIN + m).to_timestamp(), level))
    start = BEGIN.to_timestamp()

    def hours(n):
        return [start + pd.Timedelta(hours=int(h)) for h in rng.integers(0, 17_500, n)]

    contacts = pd.DataFrame(
        {
            "customer_id": rng.choice(ids, 260),
            "occurred_at": [start, *hours(259)],
            "resolved": rng.choice([True, False, None], 260, p=[0.4, 0.5, 0.1]),
            "case_id": rng.choice(["k1", "k2", "k3", None], 260),
        }
    ).astype({"resolved": "boolean"})
    ratings = pd.DataFrame(
        {
            "customer_id": rng.choice(ids, 120),
            "occurred_at": [start, start + pd.Timedelta(days=1), pd.NaT, *hours(117)],
            "overall": [1.0, 5.0, 3.0, *rng.choice([1, 2, 3, 4, 5, np.nan], 117)],
            "staff": rng.choice([0.0, 9.0], 120),
        }
    )
    moves = pd.DataFrame(
        {
            "customer_id": rng.choice(ids, 900),
            "occurred_at": [start, *hours(899)],
            "kind": rng.choice(["payroll", "deposit"], 900, p=[0.4, 0.6]),
        }
    )
    return {
        "accounts": pd.DataFrame(accounts, columns=["account_id", "customer_id", "closed_on"]),
        "balances": pd.DataFrame(balances, columns=["account_id", "month", "balance"]),
        "interactions": contacts,
        "ratings": ratings,
        "transactions": moves,
    }


CENTS = {"balances": {"balance": "decimal(18, 4)", "month": "date"}}
CENTS["accounts"] = {"closed_on": "date"}


def in_engine(con, frames):
    tables = {}
    for name, frame in frames.items():
        raw = con.create_table(f"{name}_{len(con.list_tables())}", frame)
        tables[name] = raw.mutate(
            **{c: raw[c].cast(kind) for c, kind in CENTS.get(name, {}).items()}
        )
    return tables


BANK = ["payroll", "pay_ended", "complaints", "trouble", "products", "trend", "balance"]
BANK += ["contacts", "rating"]


def upto(frame, month, column="occurred_at"):
    """Return the rows of before the first day of a month."""
    return frame.loc[frame[column] < month.to_timestamp()]


def in_months(frame, first, last, column="occurred_at"):
    month = frame[column].dt.to_period("M")
    return frame.loc[(month >= first) & (month <= last)]


def of_one(frames, who):
    """Return a customer's own rows of every table."""
    own = {n: f.loc[f["customer_id"] == who] for n, f in frames.items() if n != "balances"}
    balances = frames["balances"]
    own["balances"] = balances.loc[balances["account_id"].isin(own["accounts"]["account_id"])]
    return own


def plain(own, landmark, here_before):
    """Tell what was known of one customer on the first day of a month, from their own rows."""
    known = {}
    accounts = own["accounts"].set_index("account_id")["closed_on"]

    def held(month):
        rows = own["balances"]
        rows = rows.loc[rows["month"].dt.to_period("M") == month]
        closed = rows["account_id"].map(accounts).dt.to_period("M")
        return rows.loc[closed.isna() | (closed > month), "balance"]

    now, then = held(landmark - 1), held(landmark - 4)
    cents, earlier = round(now.sum() * 100), round(then.sum() * 100)
    seen, ended = landmark - 1 >= BEGIN, landmark - 1 >= BEGIN + MONTHS
    seen = seen and not ended
    known["products"] = (["0", "1", "2"] + ["3+"] * 9)[len(now)] if seen else None
    limits = [100, 1000, 10_000, 100_000]
    band = next((str(limit) for limit in limits if cents <= limit * 100), "more")
    known["balance"] = band if seen else None
    trend = "steady"
    if earlier < 10_000:
        trend = "little"
    elif cents <= earlier / 2:
        trend = "halved"
    elif cents * 10 <= earlier * 9:
        trend = "lower"
    elif cents * 10 >= earlier * 11:
        trend = "higher"
    known["trend"] = trend if seen and landmark - 4 >= BEGIN else None

    moves = own["transactions"]
    days = in_months(moves, landmark - 3, landmark - 1)["occurred_at"].dt.date.nunique()
    names = {0: "0", 1: "1", 2: "2", 3: "3-5", 6: "6-11", 12: "12+"}
    band = names[max(least for least in names if least <= days)]
    known["moves"] = band if landmark - 3 >= BEGIN else None
    paid = upto(moves.loc[moves["kind"] == "payroll"], landmark)["occurred_at"].dt.to_period("M")
    known["payroll"] = "none" if paid.empty else "moved"
    if (paid == landmark - 1).any():
        known["payroll"] = "running"
    unpaid = 0 if paid.empty else (landmark - 1 - paid.max()).n
    known["pay_ended"] = ["no", *["1-3"] * 3, *["4-6"] * 3][unpaid] if unpaid <= 6 else "no"
    if landmark <= BEGIN and here_before:
        known["payroll"] = None

    contacts = own["interactions"]
    number = len(in_months(contacts, landmark - 3, landmark - 1))
    known["contacts"] = ["0", "1", "2+"][min(number, 2)] if landmark - 3 >= BEGIN else None
    trouble = upto(contacts.loc[contacts["resolved"].eq(False).fillna(False)], landmark)
    known["complaints"] = ["0", "1", "2+"][min(len(trouble), 2)]
    known["trouble"] = ["none", "once", "other case"][min(len(trouble), 2)]
    if trouble["case_id"].dropna().duplicated().any():
        known["trouble"] = "same case"

    rated = own["ratings"].dropna(subset=["overall", "occurred_at"])
    rated = upto(rated, landmark)
    known["rating"] = "none"
    if len(rated):
        month = rated["occurred_at"].dt.to_period("M")
        third = (rated.loc[month == month.max(), "overall"].mean() - 1) / 4
        known["rating"] = "low" if third < 1 / 3 else "middle" if third <= 2 / 3 else "high"
    return known


@pytest.fixture(scope="module")
def bank():
    con = ibis.duckdb.connect()
    frames, people = tables_of(), stays()
    lines = con.create_table("lines", people)
    return frames, in_engine(con, frames), people, lines


def monthly(table):
    frame = table.to_pandas()
    for name in ("month", "landmark"):
        frame[name] = pd.to_datetime(frame[name]).dt.to_period("M")
    return frame.sort_values(["customer_id", "tenure"], ignore_index=True)


def months_of_shop(lines, tables, every):
    return in_windows(person_months(lines, tables, features=["moves"]), ["moves"], every)


@pytest.mark.parametrize("every", [1, 3])
def test_features_are_those_of_plain_pandas_at_the_landmark(bank, every):
    frames, tables, people, lines = bank
    assert set(BANK) <= set(features_in(tables)) and "moves" not in features_in(tables)
    if every > 1:  # what is read once tells the same
        tables = read_once(tables, lines, lambda table: table)
    rows = monthly(in_windows(person_months(lines, tables, features=BANK), BANK, every))
    shop = {"transactions": tables["transactions"]}
    rows["moves"] = monthly(months_of_shop(lines, shop, every))["moves"]
    joined = pd.to_datetime(people.set_index("customer_id")["joined_month"]).dt.to_period("M")
    assert (rows["month"] - rows["landmark"]).map(lambda d: d.n).equals(rows["lead"])
    mine = {who: of_one(frames, who) for who in people["customer_id"]}
    wanted = []
    asked = rows[["customer_id", "landmark"]].drop_duplicates()
    for who, landmark in asked.itertuples(index=False):
        here_before = landmark > joined[who]
        known = plain(mine[who], landmark, here_before)
        wanted.append({"customer_id": who, "landmark": landmark} | known)
    merged = rows[["customer_id", "landmark"]].merge(pd.DataFrame(wanted), how="left")
    for name in [*BANK, "moves"]:
        got, want = rows[name].fillna("?"), merged[name].fillna("?")
        off = rows[["customer_id", "landmark"]].assign(got=got, want=want).loc[got != want]
        assert off.empty, f"{name}\n{off.head()}"
    seen = {name: set(merged[name].dropna()) for name in [*BANK, "moves"]}
    assert seen["trend"] == {"little", "halved", "lower", "steady", "higher"}
    assert seen["pay_ended"] == {"no", "1-3", "4-6"}
    assert seen["trouble"] == {"none", "once", "same case", "other case"}
    assert seen["rating"] == {"none", "low", "middle", "high"}
    assert seen["balance"] == {"100", "1000", "10000", "100000", "more"}
    assert seen["products"] == {"0", "1", "2", "3+"} and len(seen["moves"]) >= 4
    for name in ("trend", "products", "balance", "contacts", "moves", "payroll"):
        if every == 1:
            assert merged[name].isna().any(), name  # of the first months not all is known


@pytest.mark.parametrize(("every", "cut"), [(1, "2024-07"), (4, "2025-03")])
def test_later_rows_change_no_earlier_feature(bank, every, cut):
    """The data as they were on the day tell the same as those of two years later."""
    frames, tables, _, lines = bank
    features = [*BANK, "tenure_band"]
    full = monthly(in_windows(person_months(lines, tables, features=features), features, every))
    shop = {"transactions": tables["transactions"]}
    full["moves"] = monthly(months_of_shop(lines, shop, every))["moves"]
    con, cut = ibis.duckdb.connect(), pd.Period(cut, "M")
    then = {
        name: frame
        if name == "accounts"
        else upto(frame, cut, "month" if name == "balances" else "occurred_at")
        for name, frame in frames.items()
    }
    some = in_engine(con, then)
    mine = con.create_table("lines", lines.to_pandas())
    early = monthly(in_windows(person_months(mine, some, features=features), features, every))
    shop = {"transactions": some["transactions"]}
    early["moves"] = monthly(months_of_shop(mine, shop, every))["moves"]
    known = full["landmark"] <= cut
    assert 20 < known.sum() < len(full) and all(
        len(then[t]) < len(frames[t]) for t in some if t != "accounts"
    )
    pd.testing.assert_frame_equal(early.loc[known], full.loc[known])


def test_since_when_one_is_a_customer():
    """The day of joining; of who has none, and of nobody else, the first transaction."""
    con = ibis.duckdb.connect()
    days = pd.to_datetime(["2024-05-01", "2024-03-02", "2024-04-01", "2024-02-01"])
    moved = pd.DataFrame({"customer_id": [*"abbc"], "occurred_at": days + pd.Timedelta(hours=9)})
    joined = [dt.date(2024, 6, 1), None, dt.date(2020, 1, 1), None]
    customers = pd.DataFrame({"customer_id": [*"abcd"], "joined_on": joined})
    rows = con.create_table("rows", pd.DataFrame({"customer_id": [*"abcd"]}))
    tables = in_engine(con, {"customers": customers, "transactions": moved})
    wanted = ["2024-06-01", "2024-03-02", "2020-01-01", "NaT"]
    for some, then in ((tables, wanted), ({"transactions": tables["transactions"]}, None)):
        got = with_since(rows, some).order_by("customer_id").to_pandas()["since"]
        then = then or ["2024-05-01", "2024-03-02", "2024-02-01", "NaT"]
        assert [str(day)[:10] for day in pd.to_datetime(got)] == then


def test_whether_a_contact_is_resolved_is_known_as_of_today_only(bank):
    """The one exception: a contact resolved later is not unresolved at any earlier landmark."""
    frames, _, _, lines = bank
    con = ibis.duckdb.connect()
    mine = con.create_table("lines", lines.to_pandas())
    contacts = frames["interactions"].assign(resolved=pd.array([True] * 260, dtype="boolean"))
    rows = monthly(
        person_months(
            mine, in_engine(con, {"interactions": contacts}), features=["complaints", "trouble"]
        )
    )
    assert set(rows["complaints"]) == {"0"} and set(rows["trouble"]) == {"none"}


def test_months_after_the_last_balances_are_unknown_and_not_empty(bank):
    """Balances that come late do not make all customers poor."""
    frames, _, people, _ = bank
    con = ibis.duckdb.connect()
    tables = in_engine(con, {k: frames[k] for k in ("accounts", "balances")})
    clock = people[["customer_id"]].assign(clock=dt.date(2023, 1, 1))
    here = con.create_table("here", clock)
    features = ["products", "trend", "balance"]
    known = features_of_people(here, tables, snapshot=dt.date(2025, 12, 31), features=features)
    assert known.to_pandas()[features].notna().all(axis=None)
    late = features_of_people(here, tables, snapshot=dt.date(2026, 1, 31), features=features)
    assert late.to_pandas()[features].isna().all(axis=None)


def test_holdings_by_hand(con):
    """A closed account's last balance is nobody's; others add up, to the cent."""
    frames = {
        "accounts": pd.DataFrame(
            {
                "account_id": ["a", "b", "c"],
                "customer_id": ["x", "x", "y"],
                "closed_on": pd.to_datetime(["2024-03-20", None, None]),
            }
        ),
        "balances": pd.DataFrame(
            {
                "account_id": [*"aaa", *"bb", "z"],
                "month": pd.to_datetime(
                    [
                        *["2024-01-01", "2024-02-01", "2024-03-01"],
                        *["2024-02-01", "2024-03-01"],
                        "2024-01-01",
                    ]
                ),
                "balance": [0.10, 0.20, 99.0, 0.10, 0.0, 5.0],
            }
        ),
    }
    tables = in_engine(con, frames)
    got = holdings(tables["accounts"], tables["balances"]).order_by("held_index").to_pandas()
    assert got["whose"].tolist() == ["x"] * 3 and got["products"].tolist() == [1, 2, 1]
    assert [str(x) for x in got["assets"]] == ["0.1000", "0.3000", "0.0000"]
    assert (got["held_index"] - 2024 * 12).tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("columns", "wanted"),
    [
        ({"overall": [4.0, 4.0, 4.0]}, ["none", "middle", "middle"]),
        ({"overall": [1.0, None, 5.0]}, ["none", "low", "low"]),
        ({"staff": [1.0, 4.0, None], "app": [2.0, None, 5.0]}, ["none", "low", "high"]),
        ({"overall": ["bad", "ok", "good"], "app": [1.0, 3.0, 5.0]}, ["none", "low", "middle"]),
    ],
    ids=["all the same", "no answer", "items without overall", "overall in words"],
)
def test_the_last_rating_by_hand(con, columns, wanted):
    """Rated in January and February by x, in March by y: known from the month after."""
    ratings = pd.DataFrame(
        {
            "customer_id": ["x", "x", "y"],
            "occurred_at": pd.to_datetime(
                ["2024-01-31 23:00", "2024-02-01 00:00", "2024-03-03 09:00"]
            ),
            **columns,
        }
    )
    lines = pd.DataFrame({"customer_id": ["x"], "joined_month": [dt.date(2024, 1, 1)]})
    lines = con.create_table("lines", lines.assign(entry=0, duration=3, churned=False))
    rows = monthly(person_months(lines, in_engine(con, {"ratings": ratings}), features=["rating"]))
    assert rows["rating"].tolist() == wanted


def test_features_unasked_and_asked_for(bank):
    _, tables, _, _ = bank
    assert not set(choose(None, tables)) & ON_REQUEST
    assert choose(["trend", "rating"], tables) == ["trend", "rating"]
    with pytest.raises(CustomerlabError, match=r'did you mean "trend"'):
        choose(["trends"], tables)
    with pytest.raises(CustomerlabError, match="there is no 'gender' to be had"):
        choose(["gender"], tables)
    assert set(features_in({})) == {"tenure_band"} and set(features_in(tables)) <= set(FEATURES)


@pytest.mark.parametrize("every", [1, 2, 3, 5, 6])
def test_windows_hold_each_month_once_or_not_at_all(bank, every):
    """Cut from the last month back; who joined after a window began comes in with the next."""
    _, _, people, lines = bank
    months = person_months(lines, {}, features=["tenure_band"])
    rows = monthly(in_windows(months, ["tenure_band"], every))
    joined = pd.to_datetime(people["joined_month"]).dt.to_period("M")
    last = max(j + int(d) - 1 for j, d in zip(joined, people["duration"], strict=True))
    wanted = []
    for person, start in zip(people.itertuples(), joined, strict=True):
        for tenure in range(person.entry, person.duration):
            month = start + tenure
            back = (last - month).n % every
            landmark = month - (every - 1 - back)
            if landmark >= start + person.entry:
                left = int(person.churned and tenure == person.duration - 1)
                risk = not pd.isna(person.from_inactive) and tenure >= person.from_inactive
                wanted.append(
                    {
                        "customer_id": person.customer_id,
                        "tenure": tenure,
                        "month": month,
                        "landmark": landmark,
                        "lead": (month - landmark).n,
                        "months_left": person.duration - 1 - tenure,
                        "left": left,
                        "left_closed": left * (person.exit == "closed"),
                        "left_inactive": left * (person.exit == "inactive"),
                        "risk_closed": 1,
                        "risk_inactive": int(risk),
                    }
                )
    wanted = pd.DataFrame(wanted).sort_values(["customer_id", "tenure"], ignore_index=True)
    columns = [*wanted]
    pd.testing.assert_frame_equal(rows[columns], wanted, check_dtype=False)
    assert not rows.duplicated(["customer_id", "month"]).any()
    assert rows["left"].sum() == rows.loc[rows["left"] == 1, "customer_id"].nunique()
    assert set(rows["lead"]) == set(range(every)) and rows["landmark"].nunique() <= 30 // every + 1
    whole = int((people["duration"] - people["entry"]).sum())
    assert len(rows) == whole if every == 1 else len(rows) < whole
    # the one month after another of a window: nobody is missing in between
    by = rows.groupby(["customer_id", "landmark"])["lead"]
    assert (by.max() + 1 == by.size()).all() and (by.min() == 0).all()
