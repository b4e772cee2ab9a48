"""How long a silence has to last: against lifelines on rows, and planted chances of coming back."""

import datetime as dt
from itertools import pairwise

import ibis
import numpy as np
import pandas as pd
import pytest
from lifelines import KaplanMeierFitter
from scipy import stats

from customerlab.idleness import (
    DEFAULT_DAYS,
    FEWEST,
    FOLLOWED,
    RETURNS_AT_MOST,
    RULES,
    _returns,
    choose_idle_days,
)

SNAPSHOT = dt.date(2025, 12, 31)


def moved(rows):
    """Put days into an engine: pairs of a customer and a day."""
    frame = pd.DataFrame(rows, columns=["customer_id", "occurred_at"])
    frame["occurred_at"] = pd.to_datetime(frame["occurred_at"]) + pd.Timedelta(hours=10)
    return ibis.memtable(frame.astype({"occurred_at": "datetime64[us]"}))


def shop(seed, people=400, days=720):
    """Draw customers who come at very different intervals, and stop."""
    rng = np.random.default_rng(seed)
    rows = []
    for who in range(people):
        at, mean = rng.integers(0, 300), rng.choice([8, 40, 90])
        stop = rng.integers(at, 2 * days)
        while at <= min(stop, days):
            rows.append((f"c{who}", SNAPSHOT - dt.timedelta(days=int(days - at))))
            at += rng.geometric(1 / mean)
    return rows


def silences(rows):
    """Walk each customer's days: the length of every silence, and whether it ended."""
    lengths = []
    for _, mine in pd.DataFrame(rows, columns=["who", "day"]).groupby("who")["day"]:
        days = sorted({day for day in mine if day <= SNAPSHOT})
        lengths += [((b - a).days, True) for a, b in pairwise(days)]
        lengths.append(((SNAPSHOT - days[-1]).days, False))
    return pd.DataFrame(lengths, columns=["length", "ended"])


def test_the_share_that_returns_is_kaplan_and_meiers_in_lifelines():
    rows = [*shop(1), ("late", dt.date(2026, 1, 20)), ("c0", dt.date(2026, 2, 1))]  # not known yet
    rule = choose_idle_days(moved(rows), snapshot=SNAPSHOT)
    walked = silences(row for row in rows if row[1] <= SNAPSHOT)
    assert len(rule.table) > 10
    for row in rule.table.itertuples():
        lasted = walked.loc[walked["length"] > row.silent_days]
        assert row.silences == len(lasted) >= FEWEST
        model = KaplanMeierFitter().fit(lasted["length"], lasted["ended"])
        stays = float(model.predict(row.silent_days + FOLLOWED))
        assert row.returns == pytest.approx(1 - stays, abs=1e-12)
        assert 0 <= row.low < row.returns < row.high <= 1
        # no silence is cut off within the days that follow: then it is the plain share, by Wilson
        over = lasted["length"] > row.silent_days + FOLLOWED
        if (lasted["ended"] | over).all():
            exact = stats.binomtest(int((~over).sum()), len(lasted)).proportion_ci(method="wilson")
            assert (row.low, row.high) == pytest.approx(tuple(exact), abs=1e-4)
    good = rule.table.query("returns <= @RETURNS_AT_MOST")["silent_days"]
    assert rule.days == (good.min() if len(good) else rule.table["silent_days"].max())
    assert rule.chosen and rule.returns == rule.table.set_index("silent_days")["returns"][rule.days]


def pauses(seed, chance, length, people=3000):
    """Make customers who come daily for a while, then pause for so long or leave for good."""
    rng = np.random.default_rng(seed)
    rows = []
    for who in range(people):
        start = SNAPSHOT - dt.timedelta(days=int(rng.integers(400, 700)))
        rows += [(f"c{who}", start), (f"c{who}", start + dt.timedelta(days=1))]
        if rng.random() < chance:
            back = start + dt.timedelta(days=1 + int(rng.integers(1, length + 1)))
            rows.append((f"c{who}", back))
            # who is back comes until the snapshot, in steps below the shortest rule
            while (SNAPSHOT - back).days > 25:
                back += dt.timedelta(days=25)
                rows.append((f"c{who}", back))
    return rows


def test_the_rule_is_the_planted_one():
    """Two in three pause for up to 120 days, evenly; the others never come back.

    Of those silent for d days, (120 - d) / 120 * 2/3 of all are still to come back, against 1/3
    that are gone: at most 5 % of the sum from 117 days on, so 120 is the first rule of ours.
    """
    share = {d: 2 * (120 - d) / (2 * (120 - d) + 120) for d in range(30, 120, 10)}
    assert share[110] > RETURNS_AT_MOST > 0
    rule = choose_idle_days(moved(pauses(2, 2 / 3, 120)), snapshot=SNAPSHOT)
    assert rule.days == 120 and rule.chosen and rule.returns == 0
    table = rule.table.set_index("silent_days")
    for days, wanted in share.items():
        error = np.sqrt(wanted * (1 - wanted) / table.loc[days, "silences"])
        assert abs(table.loc[days, "returns"] - wanted) < 4 * error, days
    assert rule.finding().status == "supported" and "120 days" in str(rule.describe())
    low, high = rule.finding().low, rule.finding().high
    assert low == 0 and 0 < high < 0.01  # no return among 1,000 is not a chance of exactly none


def test_where_all_come_back_late_the_longest_rule_is_taken_and_said():
    rng = np.random.default_rng(3)
    rows = []
    for who in range(300):
        at = SNAPSHOT - dt.timedelta(days=700 + int(rng.integers(0, 20)))
        while at <= SNAPSHOT:
            rows.append((f"c{who}", at))
            at += dt.timedelta(days=int(rng.integers(100, 260)))
    rule = choose_idle_days(moved(rows), snapshot=SNAPSHOT)
    assert rule.days == max(RULES) and rule.returns > 0.5
    assert "the longest rule that the data carry" in str(rule.describe())
    assert rule.finding().status == "weak"


@pytest.mark.parametrize("rows", [[], shop(4)[:60]], ids=["no movement", "too few silences"])
def test_too_few_silences_say_nothing(rows):
    rule = choose_idle_days(moved(rows), snapshot=SNAPSHOT)
    assert rule.days == DEFAULT_DAYS and rule.table.empty and np.isnan(rule.returns)
    assert list(rule.table) == ["silent_days", "silences", "returns", "low", "high"]
    finding = rule.finding()
    assert finding.status == "not_enough_data"
    assert finding.value is finding.low is finding.high is finding.n is None
    assert "too short or too few" in str(rule.describe())


def test_short_data_carry_short_rules_only():
    """No rule beyond a third of the data, and none without ninety days after it."""
    for covered, longest in ((100, None), (125, 30), (150, 50), (300, 100)):
        rows = [row for row in shop(5) if (SNAPSHOT - row[1]).days < covered]
        rows.append(("first", SNAPSHOT - dt.timedelta(days=covered)))
        table = choose_idle_days(moved(rows), snapshot=SNAPSHOT).table
        assert (table["silent_days"].max() if len(table) else None) == longest, covered


def test_a_given_rule_is_described_as_itself():
    """Also one between ours; and of one that the data do not carry nothing is said."""
    rows = shop(1)
    for days in (45, 60):
        rule = choose_idle_days(moved(rows), snapshot=SNAPSHOT, given=days)
        assert rule.days == days and not rule.chosen
        walked = silences(rows)
        lasted = walked.loc[walked["length"] > days]
        model = KaplanMeierFitter().fit(lasted["length"], lasted["ended"])
        assert rule.returns == pytest.approx(1 - float(model.predict(days + FOLLOWED)), abs=1e-12)
        assert "as the parameters say" in str(rule.describe())
        assert rule.finding().n == len(lasted)
    for days in (365, 5000):
        beyond = choose_idle_days(moved(rows), snapshot=SNAPSHOT, given=days)
        assert beyond.days == days and np.isnan(beyond.returns)
        assert len(beyond.table) > 5  # shorter rules are shown all the same
        finding = beyond.finding()
        assert finding.status == "not_enough_data" and finding.value is None and finding.n is None
        assert "too short or too few" in str(beyond.describe())


@pytest.mark.parametrize(("chance", "people"), [(0.03, 150), (0.3, 200)])
def test_intervals_cover_as_often_as_they_say(chance, people):
    """Half of the silences are cut off by the snapshot; one silence of each customer.

    The exact 99.9 % binomial band around 95 %; Wilson's interval may cover more often near 0.
    """
    rng = np.random.default_rng(17)
    covered, banks = 0, 150
    for _ in range(banks):
        back = np.where(rng.random(people) < chance, 60 + rng.integers(1, 91, people), 10_000)
        cut = 61 + rng.integers(0, 180, people)
        rows = pd.DataFrame({"length": np.minimum(back, cut), "ended": back <= cut, "n": 1})
        row = _returns(rows.groupby(["length", "ended"], as_index=False)["n"].sum(), [60]).iloc[0]
        covered += row["low"] <= chance <= row["high"]
    low, high = stats.binom.ppf([0.0005, 0.9995], banks, 0.95)
    assert covered >= low, covered / banks
    assert covered <= high or chance < 0.1, covered / banks
