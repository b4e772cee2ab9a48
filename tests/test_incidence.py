"""Shares that have left in each way: against R's survfit for several states, and by hand.

R's numbers come from ``tests/oracles/incidence.R`` (R 4.2.2, survival 3.5-3).
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from customerlab.churn.curves import survival
from customerlab.churn.incidence import cumulative_incidence
from customerlab.churn.incidence_answers import (
    incidence_table,
    incidence_to_draw,
    left_by_exit,
)
from customerlab.messages import ENGLISH, say
from customerlab.plots import incidence as plots

ORACLES = Path(__file__).parent / "oracles"
NAMES = {"inactive": say("all customers")}  # any message of the catalogue: only its place counts
MIN_CELL = 10


@pytest.fixture(scope="module")
def r():
    return pd.read_csv(ORACLES / "incidence.csv", index_col="name")["value"]


@pytest.fixture(scope="module")
def counts():
    return pd.read_csv(ORACLES / "incidence_counts.csv")


@pytest.fixture(scope="module")
def results(counts):
    many = counts[counts["group"] != "late"]
    return {
        "first": cumulative_incidence(counts[counts["entry"] == 0]),
        "late_entry": cumulative_incidence(many),
        "groups": cumulative_incidence(many, "group"),
        "late": cumulative_incidence(counts[counts["group"] == "late"]),
    }


# --- the estimate and its interval


@pytest.mark.parametrize("name", ["first", "late_entry", "east", "north", "west", "late"])
def test_incidence_and_interval_are_rs(results, r, name):
    """R knows months of exit or censoring only; ours has every month."""
    result = results.get(name, results["groups"])
    table = result.table
    if name not in results:
        table = table[table["group"] == name]
    known = {n.rsplit(".", 1)[0] for n in r.index if n.startswith(f"{name}.") and "low" in n}
    assert len(known) >= 30
    rows = {f"{name}.{row.month:g}.{row.exit}": row for row in table.itertuples()}
    assert known <= set(rows)
    for key in known:
        row = rows[key]
        wanted = {x: float(r[f"{key}.{x}"]) for x in ("incidence", "low", "high", "at_risk")}
        if np.isnan(wanted["low"]):  # before the first exit
            assert row.incidence == wanted["incidence"] == row.low == row.high == 0
            continue
        for column, value in wanted.items():
            assert getattr(row, column) == pytest.approx(value, abs=1e-9)


def test_a_late_curve_begins_where_the_curve_of_any_exit_does(results, counts, r):
    late = counts[counts["group"] == "late"]
    begins = survival(late.assign(churned=late["exit"].notna())).groups["begins"].item()
    assert set(results["late"].groups["begins"]) == {begins} == {float(r["late.begins"])}
    first = results["late"].table.query("month == @begins")
    assert (first["incidence"] == 0).all() and (first["at_risk"] > 30).all()
    assert results["late"].at(begins - 1).empty


def test_by_hand():
    """Ten customers: 2 and 1 leave at month 1, 1 is censored, then 2 of 6 leave in the one way."""
    counts = pd.DataFrame(
        {"duration": [1, 1, 1, 2, 2], "exit": ["a", "b", None, "a", None], "n": [2, 1, 1, 2, 4]}
    )
    result = cumulative_incidence(counts)
    assert result.exits == ("a", "b")
    got = result.table.set_index(["exit", "month"])["incidence"]
    assert got["a", 1] == pytest.approx(0.2, abs=1e-15)
    assert got["b", 2] == got["b", 1] == pytest.approx(0.1, abs=1e-15)
    assert got["a", 2] == pytest.approx(0.2 + 0.7 * 2 / 6, abs=1e-15)
    # without censoring the error is the binomial one: sqrt(0.2 * 0.8 / 10), on the log-log scale
    half = stats.norm.ppf(0.975) * np.sqrt(0.016) / (0.2 * -np.log(0.2))
    row = result.table.query("exit == 'a' and month == 1").iloc[0]
    assert row["low"] == pytest.approx(0.2 ** np.exp(half), abs=1e-15)
    assert row["high"] == pytest.approx(0.2 ** np.exp(-half), abs=1e-15)


def any_exit(counts):
    return counts.assign(churned=counts["exit"].notna())


def test_the_ways_add_up_to_all_who_left(counts):
    for by in (None, "group"):
        result = cumulative_incidence(counts, by)
        gone = result.table.groupby(["group", "month"], sort=False)["incidence"].sum()
        curve = survival(any_exit(counts), by).table.set_index(["group", "month"])
        assert list(gone.index) == list(curve.index)
        np.testing.assert_allclose(gone + curve["survival"], 1, rtol=0, atol=1e-12)
        events = result.table.groupby(["group", "month"], sort=False)["events"].sum()
        assert (events == curve["events"]).all()


def test_one_way_is_one_minus_kaplan_meier(counts):
    one = counts.assign(exit=counts["exit"].where(counts["exit"].isna(), "left"))
    table = cumulative_incidence(one, "group").table
    curve = survival(any_exit(one), "group").table
    np.testing.assert_allclose(table["incidence"], 1 - curve["survival"], rtol=0, atol=1e-12)
    assert (table["at_risk"] == curve["at_risk"]).all()


def test_counts_are_repeated_rows(counts):
    rows = counts.loc[counts.index.repeat(counts["n"])].assign(n=1)
    rows = rows.sample(frac=1, random_state=1)
    for by in (None, "group"):
        ours, plain = (cumulative_incidence(one, by) for one in (counts, rows))
        pd.testing.assert_frame_equal(ours.table, plain.table, rtol=0, atol=1e-12)
        pd.testing.assert_frame_equal(ours.groups, plain.groups)


def test_the_interval_stays_between_0_and_1_and_covers():
    """Covering seeds in the exact 99.9 % binomial band around 95 %, two exits at one month each.

    Truth from the hazards: 0.06 and 0.02 a month, whoever is here; half are seen from later on.
    """
    seeds, month, hazards = 60, 8, np.array([0.06, 0.02])
    truth = hazards / hazards.sum() * (1 - (1 - hazards.sum()) ** month)
    hits = np.zeros(2, dtype=int)
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        entry = np.where(rng.random(500) < 0.5, 0, rng.integers(0, 6, 500))
        end = entry + rng.integers(1, 15, 500)
        # the month of exit counts from entry, for the hazard is the same in each
        gone = entry + rng.geometric(hazards.sum(), 500)
        kind = np.where(rng.random(500) < hazards[0] / hazards.sum(), "often", "rarely")
        rows = pd.DataFrame({"entry": entry, "duration": np.minimum(gone, end), "n": 1})
        rows["exit"] = pd.Series(kind, dtype=object).where(gone <= end, None)
        at = cumulative_incidence(rows).at(month).set_index("exit").loc[["often", "rarely"]]
        assert ((at["low"] > 0) & (at["high"] < 1)).all()
        hits += (at["low"] <= truth) & (truth <= at["high"])
    low, high = stats.binom.interval(1 - 0.001 / 2, seeds, 0.95)
    assert ((low <= hits) & (hits <= high)).all(), hits


# --- between groups


@pytest.mark.parametrize("exit_", ["inactive", "payroll_moved", "closed"])
def test_the_test_of_each_exit_is_rs(counts, results, r, exit_):
    first = cumulative_incidence(counts[counts["entry"] == 0], "group").tests
    for tests, name in ((first, "first"), (results["groups"].tests, "late_entry")):
        row = tests.set_index("exit").loc[exit_]
        assert row["statistic"] == pytest.approx(float(r[f"{name}.logrank.{exit_}"]), rel=1e-9)
        assert row["df"] == 2
        assert row["p_value"] == pytest.approx(stats.chi2.sf(row["statistic"], 2))


# --- too little to say anything


def test_nobody_left_and_nobody_at_all_are_empty_tables(counts):
    for few in (counts.assign(exit=None), counts.iloc[:0], counts.assign(n=0)):
        for by in (None, "group"):
            result = cumulative_incidence(few, by)
            assert result.exits == () and result.table.empty and result.groups.empty
            assert result.tests.empty and result.at(3).empty
            assert incidence_to_draw(result).empty
            table = incidence_table([result], ENGLISH, MIN_CELL)
            assert table.empty and {"group", "exit", "month", "rounded_to"} <= set(table)
        assert left_by_exit(cumulative_incidence(few), 12) == ()


def test_a_group_in_which_nobody_left_that_way(counts):
    only_east = counts[(counts["group"] == "east") | (counts["exit"] != "closed")]
    result = cumulative_incidence(only_east[only_east["group"] != "late"], "group")
    north = result.table.query("group == 'north' and exit == 'closed'")
    assert len(north) and (north[["incidence", "low", "high"]] == 0).all(axis=None)
    status = result.groups.set_index(["group", "exit"])["status"]
    assert status["north", "closed"] == "not_enough_data"


def test_all_leave_at_once():
    result = cumulative_incidence(pd.DataFrame({"duration": [1], "exit": ["a"], "n": [200]}))
    last = result.table.iloc[-1]
    assert last["incidence"] == 1 and np.isnan(last["low"]) and np.isnan(last["high"])
    finding = left_by_exit(result, 1)[0]
    assert (finding.value, finding.low, finding.high, finding.status) == (1, None, None, "weak")


# --- what a reader sees


def test_findings_carry_the_number(results):
    result = results["late_entry"]
    findings = {finding.id: finding for finding in left_by_exit(result, 12, NAMES)}
    assert set(findings) == {
        f"churn_timing.left_{kind}_after_12_months"
        for kind in ("inactive", "payroll_moved", "closed")
    }
    at = result.at(12).set_index("exit").loc["inactive"]
    finding = findings["churn_timing.left_inactive_after_12_months"]
    assert (finding.value, finding.low, finding.high) == tuple(at[["incidence", "low", "high"]])
    assert (finding.n, finding.status, finding.unit) == (900, "supported", "percent")
    share = re.escape(ENGLISH.format(at["incidence"], "percent"))
    assert re.fullmatch(
        f"Within 12 months of joining, {share} of the customers have left in this way: "
        "“all customers”.",
        str(finding.text),
    )
    assert findings["churn_timing.left_closed_after_12_months"].status == "weak"


def test_findings_that_cannot_be_given_say_why(results):
    texts = [str(finding.text) for finding in left_by_exit(results["late"], 12)]
    assert len(texts) == 3 and all(text.startswith("Too few customers left") for text in texts)
    beyond = left_by_exit(results["late_entry"], 99)
    assert {finding.status for finding in beyond} == {"not_enough_data"}
    assert {finding.value for finding in beyond} == {None}
    assert str(beyond[0].text) == "No customer was seen for 99 months."
    with pytest.raises(ValueError, match="without by"):
        left_by_exit(results["groups"], 12)


def test_a_curve_that_begins_late_says_of_whom_it_speaks():
    counts = pd.DataFrame(
        {"entry": [4, 4], "duration": [12, 20], "exit": ["moved on", None], "n": [50, 150]}
    )
    finding = left_by_exit(cumulative_incidence(counts), 12)[0]
    assert finding.id == "churn_timing.left_moved_on_after_12_months"
    assert str(finding.text) == (
        "Of the customers still here after 4 months, 25.0 % have left after 12 months in this "
        "way: “moved on”."
    )


def test_what_cannot_be_read_is_not_drawn(results):
    drawn = incidence_to_draw(results["late_entry"], NAMES)
    assert drawn["at_risk"].min() >= 30
    assert set(map(str, drawn["exit"])) == {"all customers", "payroll_moved", "closed"}
    assert incidence_to_draw(results["late"]).empty  # fewer than 30 exits of each kind
    by_group = incidence_to_draw(results["groups"], {})
    assert set(by_group["exit"]) == {"inactive"}
    assert set(map(str, by_group["group"])) == {"east", "north", "west"}
    assert incidence_to_draw(results["groups"], exit="closed").empty


def test_no_number_of_the_table_tells_of_few_customers(results):
    """Counts are multiples; a share's step is above what nine exits could add to it.

    What an exit adds is recounted from all exits together, the plainest way: the share still here
    over those at risk, the largest of any month up to the one shown.
    """
    overall, groups = results["late_entry"], results["groups"]
    for min_cell in (2, 5):
        table = incidence_table([overall, groups], ENGLISH, min_cell, NAMES)
        assert not table.empty
        assert (table[["at_risk", "events"]] % min_cell == 0).all(axis=None)
        for column in ("incidence", "low", "high"):
            steps = table[column] / table["rounded_to"]
            np.testing.assert_allclose(steps, steps.round(), atol=1e-9)
        assert (table["low"] <= table["incidence"]).all()
        assert (table["incidence"] <= table["high"]).all()
        assert (table["high"] > 0).all()
        names = {"all customers": (overall, "all")}
        names |= {f"group: {g}": (groups, g) for g in ("east", "north", "west")}
        for (group, month), part in table.groupby(["group", "month"]):
            result, level = names[group]
            whole = result.table[(result.table["group"] == level)]
            here = 1 - whole.groupby("month")["incidence"].sum().shift(fill_value=0)
            adds = (here / whole.groupby("month")["at_risk"].first()).loc[:month].max()
            assert (part["rounded_to"] >= min_cell * adds - 1e-12).all()
    # what is too coarse to say anything, or rests on few exits, is not there
    assert incidence_table([groups], ENGLISH, 100).empty
    assert "closed" not in set(table.query("group == 'group: north'")["exit"])
    # a rounded share is the exact one's neighbour
    exact = overall.at(12).set_index("exit")
    row = table.query("group == 'all customers' and month == 12 and exit == 'closed'").iloc[0]
    assert abs(row["incidence"] - exact.loc["closed", "incidence"]) <= row["rounded_to"] / 2
    assert row["low"] <= exact.loc["closed", "low"] and exact.loc["closed", "high"] <= row["high"]


# --- the figure


def texts(html):
    return re.findall(r"<text[^>]*>([^<]*)</text>", html)


def test_the_figure_of_all_ways(results):
    chart = plots.cumulative_incidence(incidence_to_draw(results["late_entry"], {}))
    share = ENGLISH.format(results["late_entry"].at(12)["incidence"].max(), "percent")
    assert str(chart.title) == (
        f"Most leave like this: “inactive”, {share} of the customers after 12 months."
    )
    html = chart._repr_html_()
    wide = texts(html.split("<svg")[1])
    assert {"inactive", "payroll_moved", "closed", "Customers at risk"} <= set(wide)
    at_risk = results["late_entry"].table.query("exit == 'inactive'").set_index("month")["at_risk"]
    shown = [f"{at_risk[month]:,}" for month in (0, 6, 12, 18)]
    assert wide[-len(shown) :] == shown
    assert "Rising curves. inactive:" in html


def test_the_figure_of_one_way_by_group(results):
    chart = plots.cumulative_incidence(incidence_to_draw(results["groups"]))
    assert "have left like this, and" in str(chart.title) and "group: north" in str(chart.title)
    assert {"east", "north", "west"} <= set(texts(chart._repr_html_()))
    table = results["groups"].table
    with pytest.raises(ValueError, match="not both"):
        plots.cumulative_incidence(table)


def test_more_curves_than_can_be_told_apart():
    table = pd.DataFrame(
        [
            (f"way {i}" if by == "exit" else "way", f"g {i}" if by == "group" else "all", m, by)
            for by in ("exit", "group")
            for i in range(8)
            for m in (0.0, 6.0)
        ],
        columns=["exit", "group", "month", "by"],
    )
    table["n"] = [i for _ in range(2) for i in range(8) for _ in range(2)]
    table = table.assign(at_risk=100 + table["n"], incidence=table["month"] * table["n"] / 100)
    table = table.assign(low=table["incidence"], high=table["incidence"])
    exits = plots.cumulative_incidence(table[table["by"] == "exit"])
    assert str(exits.subtitle).endswith("The 6 most frequent of 8 ways of leaving")
    assert "way 1" not in texts(exits._repr_html_()) and "way 2" in texts(exits._repr_html_())
    groups = plots.cumulative_incidence(table[table["by"] == "group"])
    assert str(groups.subtitle).endswith("The 6 largest of 8 groups")
