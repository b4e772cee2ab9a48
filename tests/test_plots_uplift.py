"""Figures of a campaign's effects: their words, where their marks stand, and what is left out."""

from __future__ import annotations

import json
import math
import re
import sys
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
import uplift_samples as samples

from customerlab.findings import STATUSES
from customerlab.messages import ENGLISH, Words, say
from customerlab.plots.panels import decimals, ticks_that_fit
from customerlab.plots.uplift import covariate_balance, uplift_effects
from customerlab.plots.uplift_groups import segment_effects, uplift_fifths
from customerlab.plots.uplift_kept import kept_by_arm
from customerlab.plots.uplift_lines import monitored_effect, uplift_curve
from customerlab.plots.uplift_money import part_of_change, policy_values
from customerlab.privacy import HIDDEN
from customerlab.uplift.average import COLUMNS
from customerlab.uplift.policies import RULES

NAN = math.nan
CNY = Words("en", currency="CNY")


def figures() -> list[tuple]:
    """Return every figure with a table from a simulated campaign."""
    ranking, fifths, policies = samples.judged()
    return [
        (uplift_effects, samples.effects()),
        (covariate_balance, samples.balance()),
        (uplift_curve, ranking.assign(binary=True)),
        (uplift_fifths, fifths.assign(binary=True)),
        (policy_values, policies),
        (kept_by_arm, samples.kept()),
        (segment_effects, samples.segments()),
        (monitored_effect, samples.looks()),
        (part_of_change, samples.parts()),
    ]


def texts(chart):
    return [text.get_text() for axes in chart.figure.axes for text in axes.texts]


def said(figure, table, what="title", words=ENGLISH):
    """Return what a figure says; it is not painted, for that takes time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys.modules[figure.__module__], "draw", lambda paint, words, **said: said)
        return words(figure(table, words)[what])


def value_at(axes, x, y):
    """Return the value at a place, read off the nearest numbers below it: the plainest reader."""
    numbers = [(text.get_position(), text.get_text()) for text in axes.texts]
    below = min(at[1] for at, _ in numbers if at[1] > y)
    scale = [(at[0], float(text)) for at, text in numbers if at[1] == below]
    slope, start = np.polyfit(*zip(*scale, strict=True), 1)
    return round(start + slope * x, 6)


def marks(figure):
    """Return markers with their filling and value."""
    axes, found = figure.axes[-1], []
    for line in axes.lines:
        if line.get_marker() not in ("None", "", None):
            (x,), (y,) = line.get_data()
            found.append((line.get_marker(), line.get_markerfacecolor(), value_at(axes, x, y)))
    return found


def effect(arm, outcome, value, half, **more):
    row = dict.fromkeys(COLUMNS, NAN) | {"arm": arm, "outcome": outcome, "effect": value}
    row |= {"low": value - half, "high": value + half, "binary": True, "status": "supported"}
    return row | more


def test_effects_stand_where_their_own_axis_says():
    adjusted = {"adjusted_effect": 0.06, "adjusted_low": 0.05, "adjusted_high": 0.07}
    table = pd.DataFrame(
        [
            effect("Letter", "bought", 0.01, 0.02, adjusted_effect=0.01),
            effect("Call", "bought", 0.05, 0.02, **adjusted),
            effect("Letter", "spend", 300.0, 400.0, binary=False, money=True),
            effect("Call", "spend", -200.0, 400.0, binary=False, money=True),
        ]
    )
    chart = uplift_effects(table, CNY)
    assert str(chart.title) == "“Call” surely raises “bought”, by 6.0 percentage points."
    shown = texts(chart)
    assert {"bought: change in percentage points", "spend: change in CNY"} <= set(shown)
    assert {"6.00 [5.00, 7.00]", "300.00 [-100.00, 700.00]", "1.00 [-1.00, 3.00]"} <= set(shown)
    for figure in (chart.figure, chart.narrow):
        assert [x for *_, x in marks(figure)] == pytest.approx([1, 5, 6, 300, -200], abs=1e-6)
        assert [fill for _, fill, _ in marks(figure)][1] == "white"  # the plain one, beside
    assert "Call: 6.00 [5.00, 7.00]" in str(chart.alt)
    assert "own unit" in said(uplift_effects, table.drop(columns="money"), "alt")


def test_after_multiplicity_fewer_effects_are_sure():
    table = pd.DataFrame([effect("A", "bought", 0.05, 0.04), effect("B", "bought", -0.05, 0.01)])
    assert said(uplift_effects, table) == "2 of 2 effects are surely other than 0."
    held = said(uplift_effects, table.assign(adjusted_p=[0.06, 0.001]))
    assert held == "“B” surely lowers “bought”, by 5.0 percentage points."
    none = said(uplift_effects, table.assign(adjusted_p=0.2))
    assert none == "No effect is sure: each could be chance."
    both = [effect("A", "bought", 0.05, 0.01), effect("A", "kept", 0.05, 0.01)]
    both = pd.DataFrame([*both, effect("B", "kept", 0.0, 0.01)])
    assert said(uplift_effects, both) == "Only “A” surely has an effect: on bought, kept."


def test_what_too_few_customers_tell_is_left_out_and_said():
    table = pd.DataFrame(
        [
            effect("A", "bought", 0.05, 0.04),
            effect("B", "bought", 0.3, 0.04),
            effect("C", "bought", 0.2, 0.01, status=STATUSES["not_enough_data"]),
            effect("D", "bought", 0.2, 0.01, status="not_enough_data"),
        ]
    ).astype({"effect": object, "low": object, "high": object})
    table.loc[1, ["effect", "low", "high"]] = HIDDEN
    chart = uplift_effects(table)
    assert len(marks(chart.figure)) == 1
    assert str(chart.subtitle).endswith("Not drawn, for too few customers: 3")
    assert "B" not in texts(chart)
    gone = said(uplift_effects, table.iloc[1:])
    assert gone == "Too few customers to show any effect."


def test_experiments_are_told_apart_and_outcomes_called_by_name():
    rows = [effect("A", "y", 0.1, 0.01, experiment=name, called=say("price")) for name in "12"]
    shown = texts(uplift_effects(pd.DataFrame(rows)))
    assert {"1: A", "2: A", "price: change in percentage points"} <= set(shown)


def test_balance_shows_the_worst_first_against_what_lots_do():
    rows = [("age", "A", 0.02), ("age", "B", -0.01), ("income", "B", 0.05), ("income", "A", -0.3)]
    table = pd.DataFrame([*rows, ("flat", "A", NAN)], columns=["covariate", "arm", "smd"])
    chart = covariate_balance(table.assign(chance=[0.06, 0.08, 0.06, 0.08, 0.06]))
    assert str(chart.title) == (
        "Before anything was done “A” differed most in “income”: by 0.30 standard deviations."
    )
    assert [x for *_, x in marks(chart.figure)] == pytest.approx([-0.3, 0.05, 0.02, -0.01])
    assert [marker for marker, *_ in marks(chart.figure)] == ["o", "s", "o", "s"]
    assert "-0.30 · 0.05" in texts(chart)
    axes = chart.figure.axes[-1]
    dashed = [one for one in axes.collections[1:] if one.get_linestyle()[0][1] is not None]
    ends = [value_at(axes, *one.get_segments()[0][0]) for one in dashed]
    assert ends == pytest.approx([-0.08, 0.08]) and "dashed" in str(chart.subtitle)
    assert "largest difference is 0.02" in said(covariate_balance, table.iloc[:2])
    assert "dashed" not in said(covariate_balance, table.iloc[:2], "subtitle")
    sized = covariate_balance(table.iloc[:2].assign(n=[400, "<10"], control_n=400))
    dashed = [one for one in sized.figure.axes[-1].collections[1:] if one.get_linestyle()[0][1]]
    ends = [value_at(sized.figure.axes[-1], *one.get_segments()[0][0]) for one in dashed]
    assert ends == pytest.approx([-0.138593, 0.138593])  # 1.96 * sqrt(2 / 400)
    many = pd.DataFrame({"covariate": [f"x{i:02}" for i in range(30)], "arm": "A", "smd": 0.01})
    assert said(covariate_balance, many, "subtitle").endswith("The 20 largest of 30")


def test_the_curve_begins_with_nobody_and_ends_with_all():
    ranking = samples.judged()[0]
    chart = uplift_curve(ranking.assign(binary=True))
    gain, random = chart.figure.axes[-1].lines[:2]
    assert gain.get_xydata()[0].tolist() == [0, 0]
    assert gain.get_ydata()[-1] == pytest.approx(random.get_ydata()[-1])
    assert gain.get_ydata()[1:] == pytest.approx(100 * ranking["gain"].to_numpy())
    best = (ranking["gain"] - ranking["random"]).iloc[:-1].idxmax()
    assert f"first {ranking['share'][best]:.0%}".replace("%", " %") in str(chart.title).replace(
        "\N{NO-BREAK SPACE}", " "
    )
    unsure = said(uplift_curve, ranking.assign(toc_low=-0.01))
    assert unsure == "It is not sure that the order gains more than a random one."
    worse = ranking.assign(gain=ranking["random"] - 0.01)
    assert said(uplift_curve, worse) == "The order gains no more than a random one."
    assert "Gain per customer of all, in CNY" in texts(uplift_curve(worse.assign(money=True), CNY))


def test_fifths_tell_where_the_forecast_lies_outside():
    table = pd.DataFrame(
        [(1, 0.2, 0.18, 0.1, 0.26), (2, 0.1, 0.02, -0.05, 0.09), (3, 0.0, NAN, NAN, NAN)],
        columns=["fifth", "predicted", "observed", "low", "high"],
    ).assign(binary=True)
    chart = uplift_fifths(table)
    assert str(chart.title) == "In 1 of 2 fifths the forecast lies outside the observed range."
    assert [x for *_, x in marks(chart.figure)] == pytest.approx([20, 18, 10, 2, 0], abs=1e-6)
    assert "Fifth 3: foretold the least" in texts(chart) and "–" in texts(chart)
    fits = said(uplift_fifths, table.iloc[[0]])
    assert fits.startswith("The forecast fits: 18.0 percentage points")


def test_policies_are_told_in_the_clients_money():
    rows = [("nobody", 0.0, 0.0, 0.0, 0.0), ("everybody", 1.0, -0.4, -0.9, 0.1)]
    rows += [("best_share", 0.2, 1.3, 0.4, 2.2), (say("price"), 0.1, 0.9, 0.2, 1.6)]
    table = pd.DataFrame(rows, columns=["rule", "share", "gain", "gain_low", "gain_high"])
    chart = policy_values(table, CNY)
    assert (
        CNY(chart.title) == f"Surely a gain: {RULES['best_share']}, 1.30 CNY per customer of all."
    )
    fills = [fill == "white" for _, fill, _ in marks(chart.figure)]
    assert fills == [False, True, False, False]
    assert {"0.00", "-0.40 [-0.90, 0.10]"} <= set(texts(chart))
    assert "nobody (" not in str(chart.alt)
    unsure = said(policy_values, table.iloc[:2])
    assert unsure == "No rule surely gains over contacting nobody."
    loses = said(policy_values, table.iloc[:2].assign(gain_high=[0.0, -0.1]), words=CNY)
    assert "contact everybody loses 0.40 CNY" in loses


def test_arms_that_stay_need_no_numbers_at_risk():
    table = samples.kept()
    chart = kept_by_arm(table)
    assert "After 12 months 82.4" in str(chart.title)
    assert "Months since the assignment" in texts(chart)
    assert "Customers at risk" not in texts(chart)
    with_counts = table.assign(at_risk=[1980.0] * 13 + ["<10"] * 13)
    assert {"Customers at risk", "1,980", "<10"} <= set(texts(kept_by_arm(with_counts)))
    # all beyond the assignment is hidden: no month to draw
    first = table[table["month"] == 0]
    for few in (first, pd.concat([first, table.assign(survival="hidden")])):
        assert said(kept_by_arm, few) == "Too few customers left to show how many stay."


def test_segments_say_who_is_moved_most_only_if_ranges_part():
    columns = ["segment", "effect", "low", "high", "shrunk", "shrunk_low", "shrunk_high"]
    rows = [("young", 0.2, 0.1, 0.3, 0.15, 0.1, 0.2), ("old", 0.0, -0.1, 0.1, 0.02, -0.03, 0.07)]
    table = pd.DataFrame(rows, columns=columns).assign(binary=True)
    chart = segment_effects(table)
    assert str(chart.title) == (
        "“young” is moved most, by 15.0 percentage points; “old” least, by 2.0 percentage points."
    )
    assert [x for *_, x in marks(chart.figure)] == pytest.approx([20, 15, 0, 2], abs=1e-6)
    overlapping = table.assign(shrunk_low=[0.05, -0.03])
    assert said(segment_effects, overlapping).startswith("The segments' ranges overlap")
    unsure = table.assign(shrunk_low=-0.1)
    assert said(segment_effects, unsure) == "In no segment is an effect sure."
    parted = segment_effects(table.assign(feature=["age", say("price")]))
    assert "age. Effect, in percentage points" in texts(parted)
    hidden = table.astype(object)
    hidden.loc[1, columns[1:]] = HIDDEN
    assert said(segment_effects, hidden, "subtitle").endswith("too few customers: 1")


def test_looks_that_say_nothing_are_no_part_of_the_line():
    table = samples.looks()
    early = table.assign(low=table["low"].where(table["n"] > 300, -math.inf))
    chart = monitored_effect(early)
    line = chart.figure.axes[-1].lines[0]
    assert len(line.get_xdata()) == len(table) - 3
    assert line.get_ydata()[-1] == pytest.approx(100 * table["estimate"].iloc[-1])
    assert "Day of the look" in texts(chart)
    told = f"{100 * table['estimate'].iloc[-1]:.1f} percentage points"
    assert str(chart.title) == f"The effect is sure at the last look: {told}."
    by_n = monitored_effect(table.drop(columns="day"))
    assert by_n.figure.axes[-1].lines[0].get_xdata()[-1] == table["n"].iloc[-1]
    wide = table.assign(low=table["estimate"] - 0.2, high=table["estimate"] + 0.2)
    assert said(monitored_effect, wide) == f"No effect is sure yet: {told} at the last look."
    late = wide.assign(low=wide["low"].where(wide.index != 5, 0.01))
    assert said(monitored_effect, late).startswith("The effect was sure at 1 of 19 looks")


def test_the_parts_add_up():
    table = samples.parts()
    chart = part_of_change(table)
    assert marks(chart.figure)[-1][-1] == pytest.approx(100 * table["value"].sum(), abs=1e-6)
    assert str(chart.title) == (
        "Of the change of -3.1 percentage points, “Channel: letters in place of calls” accounts "
        "for -2.4 percentage points."
    )
    bars = [patch.get_width() for patch in chart.figure.axes[-1].patches]
    assert sum(bars[:-1]) == pytest.approx(bars[-1])
    columns = ["part", "value", "low", "high"]
    total = pd.DataFrame([(say("all together"), -0.03, -0.05, -0.01)], columns=columns)
    given = pd.concat([table, total.assign(binary=True)], ignore_index=True)
    given = part_of_change(given.rename(columns={"value": "change"}))
    assert "-3.00 [-5.00, -1.00]" in texts(given) and texts(given).count("all together") == 1
    hidden = table.astype({"value": object})
    hidden.loc[0, "value"] = HIDDEN
    chart = part_of_change(hidden)  # what is hidden could be told from a sum
    assert "all together" not in texts(chart) and len(marks(chart.figure)) == 4
    assert str(chart.title).startswith("The largest sure part")


@pytest.mark.parametrize("number", range(9))
def test_nothing_to_draw_is_said(number):
    figure, table = figures()[number]
    chart = figure(table.iloc[:0])
    assert texts(chart) == ["Nothing to draw."]
    assert str(chart.title) and str(chart.alt)
    assert str(figure(table.iloc[:0], title="Own").title) == "Own"
    if number in (2, 5, 7):  # a line of one point
        assert len(figure(table.iloc[[1]]).figure.axes) > 1


class _Chinese(Words):
    """Chinese words, with a stand-in where the catalogue has none yet."""

    def _sentence(self, text):
        return re.sub("[A-Za-z]+(?![^{]*})", "升", text)


def test_figures_are_sound_svg_in_chinese_too(recwarn):
    words = _Chinese("zh", "CNY")
    for figure, table in figures():
        for svg in re.findall(
            r"<svg.*?</svg>", figure(table, words)._repr_html_(), flags=re.DOTALL
        ):
            assert len(ElementTree.fromstring(svg).get("aria-label")) > 10
    assert json.dumps([str(one.message) for one in recwarn]) == "[]"


def test_numbers_have_as_many_decimals_as_their_spread_needs():
    spreads = {7.2: "number2", 45: "number1", 700: "number0", 0.03: "number4", 0: "number2"}
    assert {spread: decimals(spread) for spread in spreads} == spreads
    for high, width in ((1e7, 200), (3.2, 330), (0.0004, 330), (47, 60)):
        ticks = ticks_that_fit(-high / 2, high, width, ENGLISH)
        assert 0 in [at for at, _ in ticks] and len(ticks) > 1
        assert len({text for _, text in ticks}) == len(ticks)
        for at, text in ticks:
            assert float(text.replace(",", "")) == pytest.approx(at)
