"""The loyal: hand counts, rows for counts, Woolf's interval, earlier years, and what lacks."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import ibis
import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats
from statsmodels.stats.multitest import multipletests

from customerlab.landmarks import as_of
from customerlab.messages import Message, Words
from customerlab.privacy import HIDDEN
from customerlab.value.loyal import Watched, known_on, watch_loyal
from customerlab.value.loyal_answers import (
    loyal_findings,
    marks_to_show,
    satisfaction,
    satisfaction_to_show,
)
from customerlab.value.loyal_judged import judge_loyal, tenths
from customerlab.value.loyal_model import fit_loyal, score_loyal

WORDS = Words("en", "CNY", 10)
UNTIL, LANDMARK = dt.date(2025, 12, 31), dt.date(2024, 12, 31)


def moved(rows: list[tuple], *more: str) -> ibis.Table:
    """Return transactions: customer, day, amount, and `more` texts."""
    frame = pd.DataFrame(rows, columns=["customer_id", "occurred_at", "amount", *more])
    frame["amount"] = [Decimal(str(one)) for one in frame["amount"]]
    frame["occurred_at"] = pd.to_datetime(frame["occurred_at"])
    kinds = {"customer_id": "string", "occurred_at": "timestamp(6)", "amount": "decimal(18, 4)"}
    return ibis.memtable(frame, schema=ibis.schema(kinds | dict.fromkeys(more, "string")))


def watched_of(counts: pd.DataFrame, features: list[str], **more) -> Watched:
    rows = None if counts.empty else ibis.memtable({"customer_id": ["a"]})
    one = {"landmark": LANDMARK, "until": UNTIL, "bank": False, "features": tuple(features)}
    return Watched(**(one | {"rows": rows, "counts": counts} | more))


def counted(frame: pd.DataFrame, features: list[str]) -> pd.DataFrame:
    frame = frame.assign(n=1, events=frame["loyal"])
    return frame.groupby(features, as_index=False)[["n", "events"]].sum()


# --- who is watched, and who is loyal


def shop_rows() -> list[tuple]:
    return [
        ("eve", "2023-12-31 23:00", 50),  # before the year before: the data begin
        ("same", "2024-12-31 23:59", 100),  # the landmark itself is before it
        ("same", "2025-12-31 08:00", 100),  # the last day is after it
        ("less", "2024-03-01 10:00", 100),
        ("less", "2025-03-01 10:00", 99.99),
        ("back", "2024-03-01 10:00", 100),
        ("back", "2024-04-01 10:00", -60),  # 40 kept
        ("back", "2025-04-01 10:00", 45),
        ("returns", "2024-03-01 10:00", 100),
        ("returns", "2025-03-01 10:00", 300),
        ("returns", "2025-04-01 10:00", -250),
        ("all back", "2024-03-01 10:00", 100),
        ("all back", "2024-03-02 10:00", -100),  # bought nothing in the end
        ("new", "2025-03-01 10:00", 100),
        ("gone", "2024-03-01 10:00", 10),
    ]


def test_a_shop_by_hand():
    table = moved(shop_rows())
    got = watch_loyal({"transactions": table}, UNTIL, keep=lambda t: t.cache())
    assert (got.landmark, got.bank, got.features) == (
        LANDMARK,
        False,
        ("worth", "tenure_band", "moves"),
    )
    rows = got.rows.to_pandas().set_index("customer_id").sort_index()
    assert rows["loyal"].to_dict() == {"same": 1, "less": 0, "back": 1, "returns": 0, "gone": 0}
    assert rows["worth_before"].astype(float).to_dict()["back"] == 40
    assert (got.n, got.events) == (5, 2)
    assert rows.loc["same", ["tenure_band", "moves", "worth"]].tolist() == ["1-2", "1", "3"]
    assert rows.loc["gone", ["tenure_band", "moves", "worth"]].tolist() == ["6-11", "0", "1"]
    # what came later is not known
    then = as_of({"transactions": table}, LANDMARK)
    early = known_on(then, LANDMARK, got.features).to_pandas().set_index("customer_id").sort_index()
    pd.testing.assert_frame_equal(early, rows[early.columns], check_dtype=False)
    # a year earlier there is no year before
    none = watch_loyal({"transactions": table}, dt.date(2025, 11, 30))
    assert none.lacking is not None and none.rows is None and none.n == 0
    assert "do not reach back far enough before 30 November 2024" in WORDS(none.lacking)


def test_a_bank_by_hand():
    """Assets of the month's end; a movement in October to December; interest is none."""
    held = {"more": (100, 101), "same": (100, 100), "less": (100, 99.99), "quiet": (100, 500)}
    held |= {"empty": (0, 50), "never": (100, 100), "closed": (100, 300)}
    accounts = pd.DataFrame({"account_id": [*held], "customer_id": [*held]})
    accounts["closed_on"] = [dt.date(2025, 6, 6) if one == "closed" else None for one in held]
    kinds = {"account_id": "string", "customer_id": "string", "closed_on": "date"}
    accounts = ibis.memtable(accounts, schema=ibis.schema(kinds))
    months = [("2024-11-01", 0), ("2024-12-01", 0), ("2025-06-01", 0), ("2025-12-01", 1)]
    ends = [(one, month, two[at]) for one, two in held.items() for month, at in months]
    ends = pd.DataFrame(ends, columns=["account_id", "month", "balance"])
    ends["balance"] = [Decimal(str(one)) for one in ends["balance"]]
    ends["month"] = pd.to_datetime(ends["month"]).dt.date
    kinds = {"account_id": "string", "month": "date", "balance": "decimal(18, 4)"}
    rows = [(one, "2024-05-05", 10, "deposit") for one in held if one != "never"]
    rows += [("never", "2024-05-05", 1, "interest"), ("eve", "2023-10-01", 1, "deposit")]
    rows += [(one, "2025-10-01", 10, "deposit") for one in held if one != "quiet"]
    rows += [("quiet", "2025-09-30", 10, "deposit"), ("quiet", "2025-12-30", 1, "interest")]
    tables = {
        "accounts": accounts,
        "balances": ibis.memtable(ends, schema=ibis.schema(kinds)),
        "transactions": moved(rows, "kind"),
    }
    keep = {"keep": lambda t: t.cache()}
    got = watch_loyal(tables, UNTIL, not_movements=["interest"], **keep)
    assert got.bank and "moves" not in got.features
    loyal = got.rows.to_pandas().set_index("customer_id")["loyal"].to_dict()
    assert loyal == {"more": 1, "same": 1, "less": 0, "quiet": 0, "closed": 0}
    lacking = watch_loyal({name: t for name, t in tables.items() if name != "balances"}, UNTIL)
    assert "gives neither" in WORDS(lacking.lacking)


# --- the model


def people(n: int, seed: int) -> pd.DataFrame:
    """Return customers whose odds of being loyal are planted: g triples them, h does nothing."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"g": rng.choice(["a", "b"], n), "h": rng.choice(["x", "y", "z"], n)})
    odds = np.where(frame["g"] == "b", 1.5, 0.5)
    return frame.assign(loyal=(rng.random(n) < odds / (1 + odds)).astype(int))


def test_counts_are_rows():
    frame = people(900, 1)
    got = fit_loyal(counted(frame, ["g", "h"]), ["g", "h"])
    design = np.column_stack(
        [np.ones(len(frame))] + [frame[t.term] == level for t in got.terms for level in t.free]
    ).astype(float)
    rows = sm.Logit(frame["loyal"], design).fit(disp=0, tol=1e-12)
    np.testing.assert_allclose(got.coefficients, rows.params, atol=1e-7)
    np.testing.assert_allclose(got.covariance, rows.cov_params(), atol=1e-7)
    assert got.chance(frame) == pytest.approx(rows.predict(design), abs=1e-7)


def test_one_feature_is_the_table_of_four_by_hand():
    """Odds ratio 60 * 90 / (40 * 10) with Woolf's interval; nothing else would add to it."""
    counts = pd.DataFrame({"g": ["a", "b"], "n": [100, 100], "events": [60, 10]})
    got = fit_loyal(counts.assign(same="s", twin=counts["g"]), ["g", "same", "twin"])
    assert [term.term for term in got.terms] == ["g"]  # the twin follows from it
    row = got.table[~got.table["reference"]].iloc[0]
    ratio = 10 * 40 / (90 * 60) if row["level"] == "b" else 60 * 90 / (40 * 10)
    wide = 1.959964 * np.sqrt(1 / 60 + 1 / 40 + 1 / 10 + 1 / 90)
    expected = [ratio, ratio * np.exp(-wide), ratio * np.exp(wide)]
    assert row[["odds_ratio", "low", "high"]].tolist() == pytest.approx(expected, rel=1e-5)
    assert got.table["marked"].all() and got.status == "weak"


def test_what_is_planted_marks_the_loyal_and_nothing_else():
    frame = people(3000, 2)
    counts = counted(frame, ["h", "g"])
    model = fit_loyal(counts, ["h", "g"])
    assert model.table["term"].tolist() == ["g", "g", "h", "h", "h"]  # marked features first
    assert model.table.groupby("term")["marked"].first().to_dict() == {"g": True, "h": False}
    watched = watched_of(counts, ["h", "g"])
    share, mark, satisfied = loyal_findings(watched, model, satisfaction(watched))
    assert share.value == pytest.approx(frame["loyal"].mean())
    interval = stats.binomtest(int(frame["loyal"].sum()), 3000).proportion_ci(method="wilson")
    assert (share.low, share.high) == pytest.approx(tuple(interval))
    assert max(mark.low, 1 / mark.high) < 3 < max(mark.high, 1 / mark.low)
    assert mark.status == "supported"
    assert "most surely is “g: " in WORDS(mark.text)
    assert satisfied.status == "not_enough_data"
    assert "No ratings and no contacts" in WORDS(satisfied.text)
    nothing = counted(frame.assign(loyal=np.arange(3000) % 2), ["h", "g"])
    none = loyal_findings(
        watched_of(nothing, ["h", "g"]), fit_loyal(nothing, ["h", "g"]), satisfaction(watched)
    )[1]
    assert isinstance(none.value, Message) and none.status == "weak"


def test_marks_allow_for_all_that_was_looked_at():
    """Holm's method, as statsmodels has it, on six features of pure chance and two of little."""
    rng = np.random.default_rng(12)
    names = [f"f{i:02}" for i in range(8)]
    frame = pd.DataFrame(rng.choice(["a", "b"], (1500, 8)), columns=names)
    odds = 0.5 * (frame["f00"] == "a") + 0.2 * (frame["f01"] == "a")
    frame["loyal"] = (rng.random(1500) < 1 / (1 + np.exp(-odds))).astype(int)
    table = fit_loyal(counted(frame, names), names).table
    tests = table[~table["reference"]].set_index("term")  # of two levels, the test of the one
    wanted = multipletests(tests["p"], method="holm")[0]
    assert tests["marked"].tolist() == wanted.tolist()
    assert 0 < wanted.sum() < (tests["p"] < 0.05).sum()


def test_chances_of_today():
    model = fit_loyal(counted(people(500, 3), ["g", "h"]), ["g", "h"])
    today = pd.DataFrame(
        {"customer_id": ["1", "2", "3"], "g": ["a", "b", "new"], "h": ["x", "x", "x"]}
    )
    got = score_loyal(model, ibis.memtable(today)).to_pandas().set_index("customer_id")
    assert got["loyal_chance"].tolist() == pytest.approx(model.chance(today))
    none = fit_loyal(counted(people(20, 3), ["g", "h"]), ["g", "h"])
    assert not none.fitted and none.status == "not_enough_data"
    assert score_loyal(none, ibis.memtable(today)).loyal_chance.count().execute() == 0


@pytest.mark.parametrize("events", [[0, 0], [100, 100], [100, 0]], ids=["none", "all", "parted"])
def test_one_outcome_gives_words(events):
    counts = pd.DataFrame({"g": ["a", "b"], "n": [100, 100], "events": events})
    watched = watched_of(counts, ["g"])
    model = fit_loyal(counts, ["g"])
    share, mark, _ = loyal_findings(watched, model, satisfaction(watched))
    assert share.value == sum(events) / 200 and share.low <= share.value <= share.high
    if events == [100, 0]:  # too few of the other kind in either: levels are joined, none is left
        assert model.fitted and not model.terms
        assert mark.status == "weak"
    else:
        assert mark.status == "not_enough_data" and "Too few stayed loyal" in WORDS(mark.text)
    assert marks_to_show(model, 10).empty


def test_nobody():
    empty = pd.DataFrame({"g": [], "n": [], "events": []})
    watched = watched_of(empty, ["g"])
    model = fit_loyal(empty, ["g"])
    found = loyal_findings(watched, model, satisfaction(watched))
    assert {one.status for one in found} == {"not_enough_data"}
    judged = judge_loyal(watched)
    assert judged.table.empty and judged.check.passed is None
    assert satisfaction_to_show(satisfaction(watched), 10).empty


# --- whether it came true


def test_the_model_of_the_year_before_is_judged():
    early, late = (counted(people(4000, seed), ["g", "h"]) for seed in (5, 6))
    watched = watched_of(late, ["g", "h"])
    before = watched_of(early, ["g", "h"], until=LANDMARK, landmark=dt.date(2023, 12, 31))
    judged = judge_loyal(watched, before)
    assert judged.earlier and judged.check.passed
    assert judged.counts["chance"].tolist() == fit_loyal(early, ["g", "h"]).chance(late).tolist()
    drifted = watched_of(late.assign(events=late["n"] - late["events"]), ["g", "h"])
    wrong = judge_loyal(drifted, before)
    assert wrong.check.passed is False and wrong.off > 0.2
    with pytest.raises(ValueError, match="knows the future"):
        judge_loyal(watched, watched)


def test_without_a_year_before_other_customers_judge():
    """Each lot by the others' model: a feature of pure chance foretells nothing."""
    rng = np.random.default_rng(8)
    frame = people(600, 9).assign(customer_id=[f"c{i}" for i in range(600)])
    frame["h"] = rng.choice(list("abcdefghijkl"), 600)
    watched = watched_of(counted(frame, ["g", "h"]), ["g", "h"], rows=ibis.memtable(frame))
    judged = judge_loyal(watched)
    assert not judged.earlier and judged.counts["n"].sum() == 600
    assert judged.counts["events"].sum() == frame["loyal"].sum()
    own = tenths(
        watched.counts.assign(chance=fit_loyal(watched.counts, ["g", "h"]).chance(watched.counts))
    )
    last = judged.table.iloc[-1]
    assert own.iloc[-1]["observed"] > own.iloc[-1]["expected"] - 0.05
    assert last["expected"] > 0.6  # and it does not come quite so high
    assert "of the same year" in WORDS(judged.text)


def test_tenths_by_hand():
    counts = pd.DataFrame({"chance": [0.1, 0.2, 0.9], "n": [50, 40, 10], "events": [5, 10, 9]})
    got = tenths(counts)
    assert got["customers"].tolist() == [50, 40, 10]
    assert got["observed"].tolist() == [0.1, 0.25, 0.9]
    assert got["expected"].tolist() == pytest.approx([0.1, 0.2, 0.9])


# --- satisfaction


def rated(low: tuple[int, int], high: tuple[int, int]) -> pd.DataFrame:
    rows = [("low", *low), ("high", *high), ("none", 500, 200), ("middle", 40, 15)]
    return pd.DataFrame(rows, columns=["rating", "n", "events"])


def test_satisfaction_beside_loyalty():
    """Newcombe (1998), table II, example (a): 56 of 70 and 48 of 80 differ by 0.0524 to 0.3339."""
    counts = rated((40, 33), (70, 56))
    watched = watched_of(counts, ["rating"])
    table = satisfaction(watched)
    assert table["level"].tolist() == ["low", "middle", "high", "none"]
    assert table["share"].tolist() == pytest.approx([33 / 40, 15 / 40, 0.8, 0.4])
    found = loyal_findings(watched, fit_loyal(counts, ["rating"]), table)[2]
    assert (found.value, found.low, found.high) == pytest.approx((0.2, 0.0524, 0.3339), abs=5e-5)
    assert found.status == "weak"  # of 70 and 80 customers
    assert "20.0 percentage points apart (5.2 to 33.4)" in WORDS(found.text)
    alike = watched_of(rated((200, 100), (200, 98)), ["rating"])
    unsure = loyal_findings(alike, fit_loyal(alike.counts, ["rating"]), satisfaction(alike))[2]
    assert "does not clearly go with loyalty" in WORDS(unsure.text)
    # a share of few is neither shown nor said
    few = watched_of(rated((200, 100), (60, 55)), ["rating"])
    hidden = loyal_findings(few, fit_loyal(few.counts, ["rating"]), satisfaction(few), min_cell=10)
    assert hidden[2].value is None
    shown = satisfaction_to_show(satisfaction(few), 10)
    assert shown["share"].tolist()[2] == HIDDEN
    assert str(shown["level"].iloc[2]) == "in the upper third of the scale"


def test_complaints_stand_in_for_ratings_and_small_levels_are_hidden():
    counts = pd.DataFrame(
        {"complaints": ["0", "1", "2+"], "n": [900, 60, 45], "events": [500, 20, 6]}
    )
    watched = watched_of(counts, ["complaints"])
    found = loyal_findings(watched, fit_loyal(counts, ["complaints"]), satisfaction(watched))[2]
    assert found.value == pytest.approx(500 / 900 - 26 / 105)
    assert found.status == "supported"
    shown = marks_to_show(fit_loyal(counts, ["complaints"]), 10)
    last = shown[shown["level"] == "2+"].iloc[0]
    assert last[["odds_ratio", "share"]].tolist() == [HIDDEN, HIDDEN] and last["n"] == 40
