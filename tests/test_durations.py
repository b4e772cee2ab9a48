"""Stays and customer-months from movements, against the plainest pandas and planted histories."""

import datetime as dt

import ibis
import numpy as np
import pandas as pd
import pytest
from ibis.config import Config

from customerlab import churn
from customerlab.cells import cells
from customerlab.durations import durations_from, here_at, idle_exits, silence, timelines
from customerlab.errors import CustomerlabError
from customerlab.features import (
    AGE_BANDS,
    TENURE_BANDS,
    band,
    band_of,
    feature_name,
    features_in,
    level_name,
)
from customerlab.person_months import (
    expand,
    features_at,
    features_from_durations,
    in_windows,
    person_months,
)

SNAPSHOT = dt.date(2025, 12, 31)
MOVES = {
    "stays": ["2024-11-20", "2025-01-05", "2025-03-20", "2025-05-25", "2025-08-10", "2025-11-01"],
    "leaves": ["2025-02-03", "2025-03-15", "2025-03-15"],
    "returns": ["2025-01-10", "2025-02-10", "2025-07-01", "2025-12-20"],
    "exactly": ["2025-04-01", "2025-10-02"],  # the last day that can be told
    "a day late": ["2025-07-10", "2025-10-03"],
    "once": ["2025-01-15"],
    "new": ["2025-10-20", "2025-11-20"],
}
JOINED = {
    "stays": "2020-06-17",
    "leaves": "2025-02-01",
    "returns": None,
    "exactly": "2025-04-30",  # joined after the first movement: the movement counts
    "a day late": "2025-07-02",
    "once": "2019-01-01",
    "new": "2025-10-20",
    "never": "2022-02-02",
}


@pytest.fixture
def con():
    return ibis.duckdb.connect()


def table(con, name, frame):
    return con.create_table(name, frame, overwrite=True)


@pytest.fixture
def movements(con):
    rows = [(who, f"{day} 10:00:00") for who, days in MOVES.items() for day in days]
    frame = pd.DataFrame(rows, columns=["customer_id", "occurred_at"])
    return table(con, "movements", frame.astype({"occurred_at": "datetime64[us]"}))


@pytest.fixture
def customers(con):
    frame = pd.DataFrame(list(JOINED.items()), columns=["customer_id", "joined_on"])
    frame["joined_on"] = pd.to_datetime(frame["joined_on"]).dt.date
    frame["birth_date"] = dt.date(1990, 6, 15)
    frame["gender"], frame["branch"] = "F", "7"
    return table(con, "customers", frame)


def test_exits_are_those_of_a_walk_through_each_customers_days(movements):
    got = idle_exits(movements, snapshot=SNAPSHOT, idle_days=90).to_pandas()
    got = got.set_index("customer_id")
    for who, days in MOVES.items():
        walk = [dt.date.fromisoformat(day) for day in sorted(set(days))]
        ends = [*walk[1:], SNAPSHOT]
        left = [day for day, end in zip(walk, ends, strict=True) if (end - day).days >= 90]
        assert got.loc[who, "churned"] == bool(left)
        assert not left or pd.Timestamp(got.loc[who, "exit"]).date() == left[0]
        assert pd.Timestamp(got.loc[who, "first_movement"]).date() == walk[0]
        assert pd.Timestamp(got.loc[who, "last_movement"]).date() == walk[-1]
    assert got.loc["exactly", "churned"] and not got.loc["a day late", "churned"]


def test_months_at_risk_by_hand(movements, customers):
    """Whole months up to September are known: 90 days before the snapshot is 2 October."""
    rows = timelines(movements, customers, snapshot=SNAPSHOT, idle_days=90).to_pandas()
    rows = rows.set_index("customer_id")
    assert rows["reason"].dropna().to_dict() == {
        "once": "left_when_first_seen",
        "new": "too_recent",
        "never": "no_movement",
    }
    by_hand = {  # joined_month, entry, duration, churned
        "stays": ("2020-06-01", 54, 64, False),  # seen in month 53, at risk from the next
        "leaves": ("2025-02-01", 0, 2, True),
        "returns": ("2025-01-01", 0, 2, True),  # what comes after the gap is another story
        "exactly": ("2025-04-01", 0, 1, True),  # from 1 April to 2 October there is a gap
        "a day late": ("2025-07-01", 0, 3, False),
    }
    for who, wanted in by_hand.items():
        row = rows.loc[who]
        got = (str(row["joined_month"])[:10], row["entry"], row["duration"], row["churned"])
        assert got == wanted, who
    assert str(rows.loc["leaves", "exit_month"])[:10] == "2025-03-01"
    assert pd.isna(rows.loc["stays", "exit_month"])
    assert "reason" not in durations_from(movements, snapshot=SNAPSHOT, idle_days=90).columns


def test_an_exit_in_the_part_of_a_month_is_not_used(con):
    """An exit on 2 October can be told, but October as a whole cannot: censored at September."""
    frame = pd.DataFrame({"customer_id": "a", "occurred_at": ["2025-08-01", "2025-10-02"]})
    moves = table(con, "moves", frame.astype({"occurred_at": "datetime64[us]"}))
    row = timelines(moves, snapshot=SNAPSHOT, idle_days=90).to_pandas().iloc[0]
    assert (row["entry"], row["duration"], row["churned"]) == (0, 2, False)
    # with a snapshot 90 days after the end of October it counts
    later = dt.date(2025, 10, 31) + dt.timedelta(days=90)
    row = timelines(moves, snapshot=later, idle_days=90).to_pandas().iloc[0]
    assert (row["duration"], row["churned"]) == (3, True)


def bank(seed=2, people=60):
    """Make a small bank with everything a feature is made of, at odd days."""
    rng = np.random.default_rng(seed)
    ids = [f"c{i:02d}" for i in range(people)]
    start = pd.Timestamp("2024-01-01")
    customers = pd.DataFrame(
        {
            "customer_id": ids,
            "joined_on": [
                (start + pd.Timedelta(days=int(d))).date() for d in rng.integers(-900, 400, people)
            ],
            "birth_date": [
                (pd.Timestamp("1950-01-01") + pd.Timedelta(days=int(d))).date()
                for d in rng.integers(0, 21000, people)
            ],
            "gender": rng.choice(["F", "M", None], people),
            "region": rng.choice(["east", "west"], people),
            "occupation": rng.choice(["x", "y"], people),
        }
    )
    customers.loc[::9, "birth_date"] = None
    rows = []
    for who, joined in zip(ids, customers["joined_on"], strict=True):
        first = max((pd.Timestamp(joined) - start).days, 0)
        days = np.cumsum(rng.integers(1, rng.choice([25, 45]), 60)) + first
        stop = rng.integers(first, 731)
        kinds = rng.choice(["payroll", "deposit", "purchase"], 60, p=[0.3, 0.4, 0.3])
        rows += [
            (who, start + pd.Timedelta(days=int(d), hours=9), kind)
            for d, kind in zip(days, kinds, strict=True)
            if d <= stop
        ]
    transactions = pd.DataFrame(rows, columns=["customer_id", "occurred_at", "kind"])
    n = 150
    interactions = pd.DataFrame(
        {
            "customer_id": rng.choice(ids, n),
            "occurred_at": [start + pd.Timedelta(hours=int(h)) for h in rng.integers(0, 17000, n)],
            "resolved": rng.choice([True, False, None], n, p=[0.4, 0.5, 0.1]),
        }
    ).astype({"resolved": "boolean"})
    return {"customers": customers, "transactions": transactions, "interactions": interactions}


def plain_features(tables, month):
    """Tell what is known of each customer on the first of a month, in plain pandas."""
    first = month.to_timestamp()
    paid = tables["transactions"].query("kind == 'payroll'")
    paid_in = paid["occurred_at"].dt.to_period("M")
    running = set(paid.loc[paid_in == month - 1, "customer_id"])
    earlier = set(paid.loc[paid_in < month, "customer_id"])
    trouble = tables["interactions"]
    trouble = trouble.loc[trouble["resolved"].eq(False).fillna(False)]
    number = trouble.loc[trouble["occurred_at"] < first, "customer_id"].value_counts()
    known = {}
    for person in tables["customers"].itertuples():
        who, born, age = person.customer_id, person.birth_date, None
        if not pd.isna(born):
            years = first.year - born.year - ((first.month, 1) < (born.month, born.day))
            ends = {"under 20": 20, "20-29": 30, "30-44": 45, "45-59": 60, "60+": 200}
            age = next(name for name, end in ends.items() if years < end)
        known[who] = {
            "age_band": age,
            "gender": person.gender,
            "region": person.region,
            "payroll": "running" if who in running else "moved" if who in earlier else "none",
            "complaints": ["0", "1", "2+"][min(number.get(who, 0), 2)],
            "occupation": person.occupation,
        }
    return known


def plain_months(tables, snapshot, idle_days):
    """Every customer-month in plain pandas: walk each customer's days, then each month."""
    whole = pd.Period(snapshot - dt.timedelta(days=idle_days) + dt.timedelta(days=1), "M") - 1
    joined_on = tables["customers"].set_index("customer_id")["joined_on"]
    months = pd.period_range("2021-01", "2026-01", freq="M")
    features = {month: plain_features(tables, month) for month in months}
    rows = []
    for who, moves in tables["transactions"].groupby("customer_id"):
        days = sorted(set(moves["occurred_at"].dt.date))
        gaps = zip(days, [*days[1:], snapshot], strict=True)
        left = [day for day, end in gaps if (end - day).days >= idle_days]
        joined, seen = pd.Period(min(joined_on[who], days[0]), "M"), pd.Period(days[0], "M")
        gone = pd.Period(left[0], "M") if left else None
        month = joined if seen == joined else seen + 1
        while month <= (whole if gone is None else min(gone, whole)):
            tenure = (month - joined).n
            row = {"customer_id": who, "tenure": tenure, "left": int(month == gone)}
            rows.append(row | features[month][who] | {"month": str(month)})
            month += 1
    return pd.DataFrame(rows)


#: The features that `plain_months` knows.
PLAIN = ["tenure_band", "age_band", "gender", "region", "payroll", "complaints"]


@pytest.mark.parametrize(
    ("snapshot", "idle_days"), [(SNAPSHOT, 90), (dt.date(2025, 8, 17), 45), (SNAPSHOT, 30)]
)
def test_customer_months_are_those_of_plain_pandas(con, snapshot, idle_days):
    frames = bank()
    frames = {  # clean tables hold nothing after the snapshot
        name: f.loc[f["occurred_at"].dt.date <= snapshot] if "occurred_at" in f else f
        for name, f in frames.items()
    }
    tables = {name: table(con, name, frame) for name, frame in frames.items()}
    stays = durations_from(
        tables["transactions"], tables["customers"], snapshot=snapshot, idle_days=idle_days
    )
    assert set(features_in(tables)) >= {*PLAIN, "contacts"}
    features = [*PLAIN, "occupation"]
    got = person_months(stays, tables, features=features).to_pandas()
    got["month"] = pd.to_datetime(got["month"]).dt.strftime("%Y-%m")
    further = ["landmark", "lead", "months_left", "churned", "age_months"]
    got = got.drop(columns=further)
    wanted = plain_months(frames, snapshot, idle_days)
    assert wanted["left"].sum() > 20 and len(wanted) > 200
    assert set(wanted["payroll"]) == {"none", "running", "moved"}
    assert set(wanted["complaints"]) == {"0", "1", "2+"}
    wanted["tenure_band"] = band_of(wanted["tenure"].to_numpy(), TENURE_BANDS)
    key = ["customer_id", "month"]
    pd.testing.assert_frame_equal(
        got.sort_values(key, ignore_index=True)[sorted(got)].fillna("?"),
        wanted.sort_values(key, ignore_index=True)[sorted(got)].fillna("?"),
        check_dtype=False,
    )
    # the months counted in the engine are the months expanded from counts of stays
    counted = expand(cells(stays, by=["entry", "duration", "churned"]))
    assert counted["n"].sum() == len(got) and counted["events"].sum() == got["left"].sum()


@pytest.mark.parametrize("snapshot", [SNAPSHOT, dt.date(2025, 8, 17)])
def test_features_at_the_snapshot_are_those_of_the_month_that_begins(con, snapshot):
    frames = bank(seed=4)
    tables = {name: table(con, name, frame) for name, frame in frames.items()}
    tables["transactions"] = tables["transactions"].filter(
        tables["transactions"].occurred_at.date() <= ibis.literal(snapshot)
    )
    features = [*PLAIN, "occupation"]
    got = features_at(
        tables["transactions"], tables, snapshot=snapshot, idle_days=90, features=features
    ).to_pandas()
    moves = frames["transactions"]
    moves = moves.loc[moves["occurred_at"].dt.date <= snapshot]
    last = moves.groupby("customer_id")["occurred_at"].max().dt.date
    here = set(last.index[[(snapshot - day).days < 90 for day in last]])
    assert set(got["customer_id"]) == here and 5 < len(here) < 60
    month = pd.Period(snapshot + dt.timedelta(days=1), "M")
    frames["transactions"] = moves
    wanted = plain_features(frames, month)
    for row in got.to_dict("records"):
        for name, value in wanted[row["customer_id"]].items():
            assert (value is None and pd.isna(row[name])) or row[name] == value


def test_customers_of_a_prepared_table_who_are_still_here(con):
    frame = pd.DataFrame(
        {"duration": [3.0, 4.5, 7.0], "churned": [True, False, False], "g": list("aab")}
    )
    got = features_from_durations(table(con, "d", frame), ["g"]).to_pandas()
    assert sorted(zip(got["tenure"], got["g"], strict=True)) == [(5, "a"), (7, "b")]
    assert got["customer_id"].is_unique
    named = table(con, "e", frame.assign(customer_id=["x", "y", "z"]))
    assert set(features_from_durations(named, []).to_pandas()["customer_id"]) == {"y", "z"}


def test_bands_are_the_same_in_the_engine_and_in_numpy(con):
    months = np.arange(-3, 1200)
    one = table(con, "months", pd.DataFrame({"m": months}))
    for bands in (TENURE_BANDS, AGE_BANDS):
        got = one.select("m", b=band(one.m, bands)).order_by("m").to_pandas()["b"]
        assert got.fillna("unknown").tolist() == band_of(months, bands).tolist()


def test_every_level_of_ours_has_words():
    assert str(level_name("payroll", "moved")) == "no longer paid through us"
    assert str(level_name("age_band", "under 20 + 20-29")) == "under 20 or 20-29"
    assert level_name("region", "east") == "east" and feature_name("branch") == "branch"


def test_a_covariate_that_is_not_there_is_named(con, movements, customers):
    stays = durations_from(movements, customers, snapshot=SNAPSHOT, idle_days=90)
    with pytest.raises(CustomerlabError, match=r'did you mean "branch"'):
        person_months(stays, {"customers": customers}, features=["brnch"])
    got = person_months(stays, {"customers": customers})
    assert {"payroll", "complaints"}.isdisjoint(got.columns)


class SparkOptions(Config):
    """What the pyspark backend would register."""

    treat_nan_as_null: bool = False


def test_everything_compiles_for_spark(con, monkeypatch):
    # Ibis asks an option that exists only where pyspark is installed, for columns of floats
    monkeypatch.setattr(ibis.options, "pyspark", SparkOptions())
    tables = {
        name: ibis.table(table(con, name, frame).schema(), name=name)
        for name, frame in bank(people=30).items()
    }
    moves = tables["transactions"]
    stays = durations_from(moves, tables["customers"], snapshot=SNAPSHOT, idle_days=90)
    for every in (1, 3):
        months = in_windows(person_months(stays, tables), ["payroll", "complaints"], every)
        sql = str(ibis.to_sql(months, dialect="pyspark"))
        # Spark takes a generator only as a whole column, and the dialect drops brackets in a range
        lines = [line.strip() for line in sql.splitlines()]
        opened = [i for i, line in enumerate(lines) if line.startswith("EXPLODE(")]
        assert len(opened) == sql.count("EXPLODE(") == 3  # the months, moves, an ended salary
        assert all(lines[i - 1].endswith(",") for i in opened)
        assert "SEQUENCE(0," in sql
    assert ibis.to_sql(
        features_at(moves, tables, snapshot=SNAPSHOT, idle_days=90), dialect="pyspark"
    )


def test_nothing_is_biased_at_the_edges_of_the_data(con):
    """A bank whose hazard is known because all its history is: data from a window only.

    Customers move twice a month, join in every month of five years, and stop for good with 5 %
    a month. The true hazard of each calendar month is taken from the whole history; the window
    has the last two years. Counting the month of the first movement too, as one might, finds
    one exit in ten too many in the first month (e^-2 of those here have not moved in it, and
    none of them left); ours is within three standard errors in each month.
    """
    rng, months, people = np.random.default_rng(8), 60, 30_000
    start = pd.Timestamp("2021-01-01")
    joined = rng.uniform(0, months * 30.4, people)
    life = rng.exponential(1 / 0.05 * 30.4, people)
    stop = np.minimum(joined + life, months * 30.4)
    moves = [joined]
    clock = joined
    while True:
        clock = clock + rng.exponential(15, people)
        if not (clock < stop).any():
            break
        moves.append(np.where(clock < stop, clock, np.nan))
    who, when = np.concatenate([np.arange(people)] * len(moves)), np.concatenate(moves)
    there = ~np.isnan(when)
    frame = pd.DataFrame(
        {"customer_id": who[there], "occurred_at": start + pd.to_timedelta(when[there], "D")}
    ).astype({"customer_id": str, "occurred_at": "datetime64[us]"})
    people_ = pd.DataFrame(
        {
            "customer_id": np.arange(people).astype(str),
            "joined_on": (start + pd.to_timedelta(joined, "D")).date,
        }
    )
    moved, customers = table(con, "moved", frame), table(con, "people", people_)
    window = moved.filter(moved.occurred_at >= ibis.timestamp("2024-01-01 00:00:00"))
    early = customers.filter(customers.joined_on < ibis.date(2024, 1, 1))
    known = {"snapshot": SNAPSHOT, "idle_days": 120}  # twice a month: a false gap is 1 in 3000

    def by_month(stays):
        at_risk = person_months(stays, {}, features=[])
        return cells(at_risk, by=["month"], sums={"events": at_risk.left}).set_index("month")

    truth = by_month(durations_from(moved, early, snapshot=SNAPSHOT, idle_days=120))
    ours = by_month(durations_from(window, early, **known))
    assert str(ours.index[0])[:7] == "2024-02" and str(ours.index[-1])[:7] == "2025-08"
    share, n = ours["events"] / ours["n"], ours["n"]
    true_share = (truth["events"] / truth["n"]).reindex(ours.index)
    error = np.sqrt(true_share * (1 - true_share) / n)
    assert ((share - true_share).abs() < 3 * error).all()
    assert (share - true_share).abs().mean() < 0.002
    # the naive count: at risk in the month of the first movement in the window as well
    first = idle_exits(window, **known).to_pandas()
    first = first.loc[first["customer_id"].isin(set(early.to_pandas()["customer_id"]))]
    entered = pd.to_datetime(first["first_movement"]).dt.to_period("M") == pd.Period("2024-01")
    left = pd.to_datetime(first["exit"]).dt.to_period("M") == pd.Period("2024-01")
    naive = (entered & left).sum() / entered.sum()
    january = truth.loc[[m for m in truth.index if str(m)[:7] == "2024-01"]].iloc[0]
    right = january["events"] / january["n"]
    assert naive > 1.1 * right


def test_the_silent_are_counted_as_their_like_were(con):
    """By hand: of four customers silent for 40 days one year ago, one never came back."""
    known = {"snapshot": SNAPSHOT, "idle_days": 90}
    asked = SNAPSHOT - dt.timedelta(days=90)
    rows = []
    for who in "abcd":
        rows.append((who, asked - dt.timedelta(days=44)))
        if who != "d":
            rows += [(who, asked + dt.timedelta(days=d)) for d in (5, 60)]
    rows += [("e", SNAPSHOT - dt.timedelta(days=41)), ("f", SNAPSHOT)]
    frame = pd.DataFrame(rows, columns=["customer_id", "occurred_at"])
    moves = table(con, "moves", frame.astype({"occurred_at": "datetime64[us]"}))
    counts = silence(moves, **known).to_pandas().set_index("silent")
    assert counts.loc[4].to_dict() == {"n": 4, "gone": 1}
    assert counts.loc[1].to_dict() == {"n": 4, "gone": 1}  # asked 30 days before
    here = here_at(moves, **known).to_pandas().set_index("customer_id")["still_here"]
    assert here.to_dict() == {"a": 1.0, "b": 1.0, "c": 1.0, "e": 0.75, "f": 1.0}


def test_from_movements_to_hazards(con):
    """Planted monthly hazards by region come back from the movements alone."""
    rng, people = np.random.default_rng(21), 6000
    region = rng.choice(["east", "west"], people)
    hazard = np.where(region == "east", 0.06, 0.03)
    joined = rng.integers(-24, 18, people)
    left = joined + rng.geometric(hazard) - 1
    rows = []
    for month in range(24):  # two movements in every month of the stay
        here = np.flatnonzero((joined <= month) & (month <= left))
        first = pd.Timestamp("2024-01-01") + pd.DateOffset(months=month)
        for low, high in ((0, 14), (15, 27)):
            days = rng.integers(low, high, len(here))
            rows.append(
                pd.DataFrame(
                    {"customer_id": here, "occurred_at": first + pd.to_timedelta(days, "D")}
                )
            )
    frame = pd.concat(rows).astype({"customer_id": str, "occurred_at": "datetime64[us]"})
    moves = table(con, "moves", frame)
    born = pd.DataFrame({"customer_id": np.arange(people).astype(str), "region": region})
    born["joined_on"] = [
        (pd.Timestamp("2024-01-01") + pd.DateOffset(months=int(m))).date() for m in joined
    ]
    tables = {"customers": table(con, "who", born)}
    stays = durations_from(moves, tables["customers"], snapshot=SNAPSHOT, idle_days=60)
    months = person_months(stays, tables)
    counts = cells(months, by=["tenure_band", "region"], sums={"events": months.left})
    model = churn.fit_hazard(counts, ["region"])
    row = model.table.query("term == 'region' and not reference").iloc[0]
    truth = np.log(np.log1p(-0.06) / np.log1p(-0.03)) * (1 if row["level"] == "east" else -1)
    assert abs(row["coefficient"] - truth) < 3.5 * row["std_error"] < 0.25
    by_region = counts.groupby("region")[["n", "events"]].sum()
    for name, h in (("east", 0.06), ("west", 0.03)):
        n, events = by_region.loc[name]
        assert abs(events / n - h) < 3.5 * np.sqrt(h * (1 - h) / n)
    score = features_at(moves, tables, snapshot=SNAPSHOT, idle_days=60)
    outlook = churn.forecast(model, score, [3, 5])
    # who is truly still here is known: not all of those who moved within 60 days
    truly = int(((joined <= 23) & (left > 23)).sum())
    assert outlook.customers > 1.04 * truly
    assert outlook.here == pytest.approx(truly, rel=0.02)
    expected = outlook.expected("region")
    for row in expected.itertuples():
        h = 0.06 if row.group == "east" else 0.03
        assert row.share == pytest.approx(1 - (1 - h) ** row.horizon_months, rel=0.12)
