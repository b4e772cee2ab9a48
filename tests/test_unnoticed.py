"""Who has left unnoticed: against plain pandas, and planted truth."""

from __future__ import annotations

import datetime as dt

import ibis
import numpy as np
import pandas as pd
import pytest

from customerlab.churn.unnoticed import judge_silence
from customerlab.durations import here_at
from customerlab.person_months import features_of_people

SNAPSHOT = dt.date(2025, 12, 31)
KNOWN = {"snapshot": SNAPSHOT, "idle_days": 60}
GOING = {"a": 0.15, "b": 0.02}
BACK = range(14)


@pytest.fixture(scope="module")
def moves() -> pd.DataFrame:
    """Return movements of 8,000 customers, on a day after the 19th of each month until they go."""
    rng, people = np.random.default_rng(3), 8000
    segment = rng.choice([*GOING], people)
    rows, here = [], np.ones(people, dtype=bool)
    for month in pd.period_range("2024-11", "2025-12", freq="M"):
        who = np.flatnonzero(here)
        days = rng.integers(20, month.days_in_month + 1, len(who))
        at = [dt.datetime(month.year, month.month, int(day)) for day in days]
        rows.append(pd.DataFrame({"customer_id": who, "occurred_at": at, "segment": segment[who]}))
        here &= rng.random(people) >= pd.Series(segment).map(GOING).to_numpy()
    moves = pd.concat(rows, ignore_index=True)
    return moves.assign(customer_id=moves["customer_id"].astype(str))


def judged(moves: pd.DataFrame, features: list[str]) -> pd.DataFrame:
    movements = ibis.memtable(moves[["customer_id", "occurred_at"]])
    people = moves[["customer_id", "segment"]].drop_duplicates()
    tables = {"customers": ibis.memtable(people), "transactions": movements}
    seen = here_at(movements, **KNOWN).mutate(clock=ibis.literal(SNAPSHOT))
    seen = seen.drop("first_movement")
    here = features_of_people(seen, tables, snapshot=SNAPSHOT, features=features)
    found = judge_silence(here, movements, tables, features=features, **KNOWN).to_pandas()
    assert "silent" not in found
    return found.set_index("customer_id").sort_index()


def asked(moves: pd.DataFrame) -> pd.DataFrame:
    """Return who counted as here on the last days of August to October, and who had gone."""
    parts = []
    for day in (dt.date(2025, 10, 31), dt.date(2025, 9, 30), dt.date(2025, 8, 31)):
        at = pd.Timestamp(day)
        before = moves[moves["occurred_at"] <= at].groupby("customer_id")
        last = before.agg(day=("occurred_at", "max"), segment=("segment", "first"))
        last = last[last["day"] > at - pd.Timedelta(days=60)]
        later = moves[moves["occurred_at"] > at].groupby("customer_id")["occurred_at"].min()
        until = later.reindex(last.index).fillna(pd.Timestamp(SNAPSHOT))
        last["gone"] = (until - last["day"]).dt.days >= 60
        last["silent"] = (at - last["day"]).dt.days // 10
        parts.append(last)
    return pd.concat(parts)


def test_of_one_silence_it_is_the_share_of_those_alike_who_came_back(moves):
    """With one silence that both went and came back and one feature, the shares themselves."""
    early = moves[moves["occurred_at"].dt.day < 29]
    early = early.assign(
        occurred_at=early["occurred_at"].dt.to_period("M").dt.end_time.dt.floor("D")
    )
    seen = asked(early)
    share = 1 - seen[seen["silent"] == 0].groupby("segment")["gone"].mean()
    found = judged(early, ["segment"])
    assert set(seen.loc[seen["silent"] > 0, "gone"]) == {True}
    here = found[found["still_here"] > 0].groupby("segment")["still_here"]
    assert here.nunique().tolist() == [1, 1]
    for name, mine in here.first().items():
        assert mine == pytest.approx(share[name], abs=1e-9)


def test_the_planted_chances_are_met_and_the_total_stays(moves):
    found = judged(moves, ["segment"])
    plain = here_at(ibis.memtable(moves[["customer_id", "occurred_at"]]), **KNOWN).to_pandas()
    plain = plain.set_index("customer_id")["still_here"].sort_index()
    assert list(found.index) == list(plain.index)  # everybody once
    assert found["still_here"].sum() == pytest.approx(plain.sum(), rel=0.02)
    last = moves.groupby("customer_id")["occurred_at"].max()
    recent = last[last >= pd.Timestamp(2025, 12, 20)].index
    segment = moves.drop_duplicates("customer_id").set_index("customer_id")["segment"]
    for name, chance in GOING.items():
        mine = found.loc[found.index.isin(recent) & (found["segment"] == name), "still_here"]
        assert mine.mean() == pytest.approx(1 - chance, abs=0.01)
    assert (found["segment"] == segment.reindex(found.index)).all()


def test_with_few_who_went_the_silence_alone_tells(moves):
    few = moves[moves["customer_id"].astype(int) < 100]
    found = judged(few, ["segment"])
    plain = here_at(ibis.memtable(few[["customer_id", "occurred_at"]]), **KNOWN).to_pandas()
    assert found["still_here"].to_dict() == plain.set_index("customer_id")["still_here"].to_dict()
