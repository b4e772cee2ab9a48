"""Figures of customer value and of the response model: words, places, and what is left out."""

from __future__ import annotations

import datetime as dt
import math
import re
import sys
from functools import lru_cache
from types import SimpleNamespace
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from customerlab import plots
from customerlab.messages import ENGLISH, Words, say
from customerlab.plots.units import money_scale
from customerlab.privacy import HIDDEN
from customerlab.response.cutoff import best_cutoff, cutoff_by_cost
from customerlab.response.cutoff_answers import by_cost_to_show, curve_to_show
from customerlab.response.judged import judge
from customerlab.response.judged_answers import gains_to_show
from customerlab.response.judged_shown import response_curve_to_show
from customerlab.response.scorecard import COLUMNS as CARD
from customerlab.response.scorecard import Scorecard, scorecard_to_show
from customerlab.value.holdout_shown import frequency_to_show, weekly_to_show
from customerlab.value.months_ahead import ALL, MonthsValue
from customerlab.value.months_shown import months_value_to_show
from customerlab.value.outlook import COLUMNS as OUTLOOK
from customerlab.value.outlook import Outlook, outlook_to_show
from customerlab.value.rfm import ACTION_OF, SEGMENTS
from customerlab.value.rfm_flow import JOINED, Flow, flow_to_show
from customerlab.value.rfm_segments import COLUMNS, Segments, segments_to_show
from customerlab.value.wallet_groups import groups_to_show

NAN, DAY = math.nan, dt.date(2025, 12, 31)
CNY = Words("en", "CNY", 10)


def segments(**more) -> pd.DataFrame:
    """Return four segments: customers, spend, those at the landmark, and their rate."""
    rows = {
        "champions": (200, 6000.0, 180, 0.8),
        "at_risk": (100, 1500.0, 90, 0.3),
        "new": (200, 2000.0, 300, 0.5),
        "hibernating": (500, 500.0, 400, 0.1),
    } | more
    table = pd.DataFrame({"segment": list(SEGMENTS)})
    table["action"] = table["segment"].map(ACTION_OF)
    numbers = [rows.get(name, (0, 0.0, 0, NAN)) for name in table["segment"]]
    table[["customers", "spend", "next_n", "next_rate"]] = numbers
    table = table.astype({"customers": int, "next_n": int})
    table["share"] = table["customers"] / table["customers"].sum()
    whole = table["spend"].sum()
    table["spend_share"] = table["spend"] / whole if whole > 0 else NAN
    table = table.assign(next_low=table["next_rate"] - 0.05, next_high=table["next_rate"] + 0.05)
    table = table.assign(margin=NAN, orders=10, average_order=1.0, spend_per_customer=1.0)
    table["status"] = np.where(table["next_n"] < 100, "weak", "supported")
    return segments_to_show(Segments(table[COLUMNS], DAY, DAY, 3, {}), 10)


def flow(rows: list[tuple], min_cell: int = 10) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["then", "now", "customers"])
    whole = table.groupby("then")["customers"].transform("sum")
    return flow_to_show(
        Flow(table.assign(share_of_then=table["customers"] / whole), DAY, DAY), min_cell
    )


def movement() -> pd.DataFrame:
    rows = [("champions", "champions", 600), ("champions", "loyal", 300)]
    rows += [("champions", "hibernating", 100), ("new", "loyal", 200), ("new", "new", 600)]
    return flow([*rows, ("lapsed", "lapsed", 900), (JOINED, "new", 500), (JOINED, "champions", 4)])


def weekly() -> pd.DataFrame:
    weeks = pd.DataFrame({"week": [1, 2, 3], "actual": [103, 198, 304]})
    weeks = weeks.assign(expected=[90.0, 180.0, 270.04], baseline=[50, 90, 400])
    return weekly_to_show(SimpleNamespace(weekly=weeks), 10)


def by_frequency() -> pd.DataFrame:
    rows = [("0", 900, 200, 0.3, 0.25, 0.35, 0.32, 0.0), ("1", 300, 120, 0.8, 0.7, 0.9, 0.95, 0.8)]
    rows += [("2", 30, 4, 1.5, 1.0, 2.0, 1.2, 2.0), ("7+", 40, 30, 5.0, 4.0, 6.0, 5.5, 9.0)]
    names = ["frequency", "n", "buyers", "actual", "low", "high", "expected", "baseline"]
    return frequency_to_show(SimpleNamespace(by_frequency=pd.DataFrame(rows, columns=names)), 10)


def ahead(n: int = 900, value: float = 9e6) -> pd.DataFrame:
    rows = []
    for months in (3, 12):
        middle = [months * 20.0, months * 50.0, months * value / 12]
        ends = [(x, 0.9 * x, 1.1 * x) for x in middle]
        rows.append((months, n, *(x for three in ends for x in three), "supported"))
    return outlook_to_show(Outlook(pd.DataFrame(rows, columns=list(OUTLOOK)), ()), 10)


def by_product() -> pd.DataFrame:
    """Return what products bring: two are held by few customers, one has no margin."""
    rows = [(ALL, 6, 500, 3e6), ("current", 6, 400, 1e6), ("savings", 6, 300, 2e6)]
    rows += [(ALL, 12, 500, 6e6), ("current", 12, 400, 2e6), ("savings", 12, 300, 3.9e6)]
    rows += [("gold", 12, 4, 1e5), ("bonds", 12, 5, 1e4), ("funds", 12, 90, NAN)]
    table = pd.DataFrame(rows, columns=["product", "horizon_months", "customers", "value"])
    table["margin"] = np.where(table["value"].isna() | (table["product"] == ALL), NAN, 0.01)
    ends = {"low": 0.9 * table["value"], "high": 1.1 * table["value"]}
    table = table.assign(balance=1e8, months=5.0, status="supported", **ends)
    return months_value_to_show(MonthsValue(table, None, (6, 12), (), None), 10)


def wallets(groups: int = 3) -> pd.DataFrame:
    rows = [("gold", 4, 5e6, 8e6)]
    rows += [(f"group {i:02}", 100 + i, 3e6, 6e6 - 1e5 * i) for i in range(groups)]
    table = pd.DataFrame(rows, columns=["group", "customers", "here", "elsewhere"])
    return groups_to_show(table.assign(share_here=0.3, status="supported"), 10, "age_band")


def card(features: int = 3) -> pd.DataFrame:
    """Return points: the last feature has the most of them, and one bin few responders."""
    rows = [
        (f"x{i}", name, 1000, events, events / 1000, 0.0, 1.0, 0.0, points * (i + 1), 1.0 - i / 10)
        for i in range(features)
        for name, events, points in (("low", 50, 0), ("high", 3 if i else 200, 2))
    ]
    table = pd.DataFrame(rows, columns=CARD)
    return scorecard_to_show(Scorecard(table, {}, {}, 0.0, 0.03, 400, 3000, "supported"), 10)


@lru_cache
def responses() -> tuple[np.ndarray, np.ndarray]:
    """Return 4,000 contacts in four groups; their chances are those that they responded with."""
    chance = np.repeat([0.02, 0.05, 0.2, 0.4], 1000)
    return np.tile(np.arange(1000), 4) < 1000 * chance, chance


@lru_cache
def judged():
    return judge(*responses(), np.random.default_rng(1), draws=20)


@lru_cache
def cutoff(**amounts):
    return best_cutoff(
        *responses(), np.random.default_rng(1), contact_cost=10, margin=100, draws=10, **amounts
    )


@lru_cache
def figures() -> list[tuple]:
    """Return every figure with a table of its kind."""
    return [
        (plots.rfm_segments, segments()),
        (plots.segment_flow, movement()),
        (plots.purchases_after, weekly()),
        (plots.purchases_by_frequency, by_frequency()),
        (plots.value_ahead, ahead()),
        (plots.value_by_product, by_product()),
        (plots.wallet_by_group, wallets()),
        (plots.scorecard_points, card()),
        (plots.gains_curve, gains_to_show(judged(), 10)),
        (plots.profit_by_cutoff, curve_to_show(cutoff(), 10)),
        (plots.cutoff_by_cost, by_cost_to_show(cutoff_by_cost(*responses()))),
        (plots.response_calibration, response_curve_to_show(judged(), 10)),
    ]


def plain(text) -> str:
    """Return a text with plain blanks."""
    return CNY(text).replace("\N{NO-BREAK SPACE}", " ")


def texts(figure) -> list[str]:
    return [plain(text.get_text()) for axes in figure.axes for text in axes.texts]


def said(figure, *given, what="title", words=CNY, **more) -> str:
    """Return what a figure says; it is not painted, for that takes time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys.modules[figure.__module__], "draw", lambda paint, words, **said: said)
        return plain(words(figure(*given, words, **more)[what]))


def test_segments_stand_under_what_is_done_about_them():
    chart = plots.rfm_segments(segments(), CNY, months=3)
    assert (
        plain(chart.title) == "The most valuable, 30 % of the customers, bring 75 % of the spend."
    )
    for figure in (chart.figure, chart.narrow):
        drawn = texts(figure)
        assert {"champions", "20 %", "60 %", "80 %", "hibernating"} <= set(drawn)
        assert "loyal customers" not in drawn  # nobody is in it
        axes = figure.axes[-1]
        widths = [bar.get_width() for bar in axes.patches if bar.get_height() == 11]
        # share of the customers, then of the spend: once more where it is hatched
        assert np.array(widths) / widths[0] == pytest.approx([1, 3, 0.5, 0.75, 1, 1, 1, 2.5, 0.25])
        fills = [x.get_markerfacecolor() == "white" for x in axes.lines if x.get_marker() == "o"]
        assert fills == [False, True, False, False]
    heading = "Most valuable, 30 % of the customers and 75 % of the spend: raise their loyalty"
    assert heading in texts(chart.figure)
    assert "champions: 20 % of the customers, 60 % of the spend, 80 % bought" in plain(chart.alt)


def test_masked_segments_tell_nothing_and_no_sum_does():
    sent_back = (500, -500.0, 400, 0.1)
    table = segments(champions=(6, 6000.0, 180, 0.8), hibernating=sent_back)
    chart = plots.rfm_segments(table, CNY)
    drawn = texts(chart.figure)
    assert "Most valuable: raise their loyalty" in drawn and drawn.count("hidden") == 2
    assert plain(chart.title).startswith("Most money comes from “new customers”: 25 %")
    assert "champions" not in plain(chart.alt)
    assert min(bar.get_width() for bar in chart.figure.axes[-1].patches) < 0
    few = plots.rfm_segments(segments().assign(spend_share=HIDDEN))
    assert plain(few.title) == "Too few customers have bought to compare segments."
    assert "Promising, 20 % of the customers: market to them until they buy" in texts(few.figure)


def test_the_flow_adds_up_segments_by_what_is_done():
    chart = plots.segment_flow(movement(), CNY, since=DAY)
    assert plain(chart.title) == (
        "90 % of the most valuable on 31 December 2025 still are; 25 % of the promising rose "
        "among them."
    )
    whole = 1000 + 800 + 900 + 500 + 5  # of four customers it is only told that they are few
    bands = [band.get_paths()[0].get_extents() for band in chart.figure.axes[0].collections]
    starts = [300 * n / whole for n in (900, 100, 200, 600, 900, 5, 500)]
    assert len(bands) == len(starts)
    blocks = {round(bar.get_height(), 6) for bar in chart.figure.axes[0].patches}
    assert {round(300 * n / whole, 6) for n in (1000, 800, 900, 505, 1105, 1100)} <= blocks
    assert {"90 %", "25 %", "75 %", "100 %", "On 31 December 2025"} <= set(texts(chart.figure))
    phone = texts(chart.narrow)
    assert {"Most valuable", "Joined since", "90 %", "99 %", "1 %"} <= set(phone)
    assert "Promising to Most valuable: 25 %" in plain(chart.alt)


def test_shares_that_rounding_would_move_are_not_told():
    table = flow([("champions", "champions", 30), ("champions", "new", 8), ("new", "loyal", 900)])
    assert said(plots.segment_flow, table).startswith("Too few customers were most valuable then")
    assert "hidden" in texts(plots.segment_flow(table, CNY).narrow)
    assert "Most valuable to" not in said(plots.segment_flow, table, what="alt")
    exact = flow([("champions", "champions", 3), ("champions", "new", 1)], min_cell=1)
    assert said(plots.segment_flow, exact, words=ENGLISH) == "75 % of the most valuable still are."


def test_purchases_begin_with_none_and_end_with_all():
    chart = plots.purchases_after(weekly())
    assert plain(chart.title) == (
        "In 3 weeks 300 purchases were made; the model foretold 270, the period before had 400."
    )
    lines = chart.figure.axes[-1].lines
    assert [line.get_ydata().tolist() for line in lines[:2]] == [
        [0, 100, 200, 300],
        [0, 90, 180, 270],
    ]
    unfit = weekly().assign(expected=NAN)
    assert said(plots.purchases_after, unfit).endswith("for a model: 300 were made.")
    assert "foretold" not in said(plots.purchases_after, unfit, what="alt")


def test_groups_in_which_few_bought_are_left_out():
    table = by_frequency()
    title = said(plots.purchases_by_frequency, table)
    assert title == (
        "In 2 of 3 groups the model lies within the range of what was bought, the period before "
        "in 1."
    )
    assert said(plots.purchases_by_frequency, table, what="subtitle").endswith("customers: 1")
    chart = plots.purchases_by_frequency(table, CNY)
    assert {"again 7 times or more (40 customers)", "0.30 [0.25, 0.35]"} <= set(texts(chart.figure))
    unfit = table.assign(expected=NAN)
    assert said(plots.purchases_by_frequency, unfit).startswith("Too few repeat purchases")


def test_value_ahead_has_its_unit_once():
    chart = plots.value_ahead(ahead(), CNY)
    assert plain(chart.title) == (
        "What the customers so far will buy within 12 months is worth about 9.00 million CNY "
        "(8.10 to 9.90)."
    )
    assert {"Value of what they will buy, in million CNY", "2.25 [2.02, 2.48]"} <= set(
        texts(chart.figure)
    )
    unsure = ahead().assign(value_low=NAN, value_high=NAN)
    assert said(plots.value_ahead, unsure).endswith("is worth about 9.00 million CNY.")
    only = ahead().assign(value=NAN)
    assert said(plots.value_ahead, only).startswith("The customers so far will buy about 600 times")
    few = said(plots.value_ahead, ahead(n=5))
    assert few == "Too few repeat purchases to say what is to come."


def test_a_banks_value_is_told_by_horizon_and_product():
    chart = plots.value_by_product(by_product(), CNY)
    assert plain(chart.title) == (
        "Customers bring about 6.00 million CNY within 12 months, 65 % of it through “savings”."
    )
    drawn = texts(chart.narrow)
    assert {"Value while they stay, in million CNY", "6.00 [5.40, 6.60]", "savings"} <= set(drawn)
    assert not {"gold", "bonds", "funds"} & set(drawn)
    first = by_product().iloc[[0]]
    assert said(plots.value_by_product, first).endswith("3.00 million CNY within 6 months.")


def test_wallets_of_hidden_groups_are_not_drawn():
    chart = plots.wallet_by_group(wallets(), CNY)
    assert plain(chart.title) == (
        "“group 01” may hold most elsewhere: about 5.90 million CNY, 66 % of what they own."
    )
    assert "gold" not in plain(chart.alt) and plain(chart.subtitle).endswith("too few customers: 2")
    widths = [bar.get_width() for bar in chart.figure.axes[-1].patches]
    assert widths == pytest.approx([3, 5.9, 5.9, 3, 5.8, 5.8])  # hatched ones are drawn twice
    many = said(plots.wallet_by_group, wallets(20), what="subtitle")
    assert "The 12 largest of 19 groups" in many
    none = wallets().assign(elsewhere=0.0)
    assert said(plots.wallet_by_group, none) == "No group is thought to hold more elsewhere."


def test_features_worth_most_points_come_first():
    chart = plots.scorecard_points(card(), CNY)
    assert plain(chart.title) == "“x2” makes the largest difference: 6 points for “high”."
    drawn = texts(chart.narrow)
    assert [drawn.index(name) for name in ("x2", "x1", "x0")] == sorted(
        drawn.index(name) for name in ("x0", "x1", "x2")
    )
    assert drawn.count("hidden") == 2 and "20.0 %" in drawn
    bars = [bar.get_width() for bar in chart.narrow.axes[0].patches]
    assert np.array(bars[1::2]) / bars[1] == pytest.approx([1, 2 / 3, 1 / 3])
    assert said(plots.scorecard_points, card(9), what="subtitle").endswith("most points, of 9")
    assert "x0" not in said(plots.scorecard_points, card(9), what="alt")


def test_gains_mark_the_better_half():
    table = gains_to_show(judged(), 10)
    chart = plots.gains_curve(table)
    # of 670 responders 600 are in the two groups with the best chances
    assert plain(chart.title) == (
        "The better half of the customers holds 90 % of those who respond."
    )
    axes = chart.figure.axes[-1]
    held, random = axes.lines[:2]
    assert held.get_xydata()[0].tolist() == [0, 0]
    assert held.get_ydata()[-1] == random.get_ydata()[-1] == pytest.approx(100)
    assert any(line.get_xydata()[0] == pytest.approx([0.5, 100 * 600 / 670]) for line in axes.lines)
    assert "50 %: 90 %" in plain(chart.alt)
    hidden = table.astype(object)
    hidden.loc[table["share"] >= 0.5, "held"] = HIDDEN
    assert said(plots.gains_curve, hidden).startswith("The best 40 % of the customers hold")
    assert said(plots.gains_curve, hidden, what="subtitle").endswith("too few customers: 6")


def test_profit_marks_the_cutoff_and_what_is_about_as_good():
    """By hand: 600 responses of 2,000 contacts, 60,000 less 20,000."""
    table, free = curve_to_show(cutoff(), 10), cutoff()
    chart = plots.profit_by_cutoff(table, CNY, cutoff=free)
    assert plain(chart.title) == said(plots.profit_by_cutoff, table)
    assert plain(chart.title) == (
        "Contacting the best 50 % of the customers brings 40.0 thousand CNY; contacting everybody "
        "27.0 thousand CNY."
    )
    dots = [line for line in chart.figure.axes[-1].lines if line.get_marker() == "o"]
    assert [line.get_xydata()[0].tolist() for line in dots] == [[0.5, 40]]
    full = said(plots.profit_by_cutoff, table, cutoff=cutoff(capacity=1000))
    assert full == (
        "The contacts are used up with the best 25 % of the customers: they bring 30.0 thousand "
        "CNY."
    )
    flat = table.assign(cutoff=[0.1, 0.1, 0.1, 0.0], expected=[9.8, 9.9, 10.0, 5.0])
    assert "at least 98 %" in said(plots.profit_by_cutoff, flat, what="subtitle")
    dear = table.assign(expected=-table["share"])
    assert said(plots.profit_by_cutoff, dear).startswith("No contact pays")
    assert len(plots.profit_by_cutoff(dear).figure.axes) > 1
    all_pay = table.assign(expected=table["share"])
    assert said(plots.profit_by_cutoff, all_pay).startswith("Contacting everybody brings the most")


def test_without_costs_each_cost_has_its_cutoff():
    table = by_cost_to_show(cutoff_by_cost(*responses(), ratios=(0.01, 0.1, 0.3, 0.5)))
    chart = plots.cutoff_by_cost(table)
    assert plain(chart.title) == (
        "If a contact costs 10 % of the margin, contact the best 50 %: they hold 90 % of those "
        "who respond."
    )
    assert {"nobody", "from a chance of 20.0 %", "from a chance of 40.0 %"} <= set(
        texts(chart.figure)
    )
    assert "30 % of the margin: 25 % contacted, 60 % of those" in plain(chart.alt)
    assert said(plots.cutoff_by_cost, table.iloc[3:]).endswith("no contact pays.")


def test_chances_of_a_response_are_not_told_as_leaving():
    table = response_curve_to_show(judged(), 10)
    chart = plots.response_calibration(table)
    assert plain(chart.title) == (
        "Of the contacts with the highest chances 40.0 % were expected to respond; 40.0 % did."
    )
    assert "2.0 % foretold, 2.0 % responded" in plain(chart.alt)
    assert {"Share that responded, in %, on a log scale"} <= set(texts(chart.figure))
    assert not re.search("left|leave|churn", " ".join([*texts(chart.figure), plain(chart.alt)]))
    counts = table.loc[table["kind"] == "tenth", ["customers", "events"]]
    assert (counts["events"] >= 10).all() and (counts["customers"] - counts["events"] >= 10).all()
    few = judge(np.zeros(9), np.full(9, 0.1), np.random.default_rng(0))
    nothing = said(plots.response_calibration, response_curve_to_show(few, 10))
    assert nothing == "Too few responses to compare the chances with."


@pytest.mark.parametrize("number", range(11))
def test_nothing_to_draw_is_said(number):
    figure, table = figures()[number]
    chart = figure(table.iloc[:0])
    assert texts(chart.figure) == ["Nothing to draw."]
    assert plain(chart.title) and plain(chart.alt)
    assert str(figure(table.iloc[:0], title=say("price")).title) == "price"
    if number == 2:  # a line of one point
        assert len(figure(table.iloc[[0]]).figure.axes) > 1


class _Chinese(Words):
    """Chinese words, with a stand-in where the catalogue has none yet."""

    def _sentence(self, text):
        return re.sub("[A-Za-z]+(?![^{]*})", "升", text)


def test_figures_are_sound_svg_in_chinese_too():
    words = _Chinese("zh", "CNY", 10)
    own = {"rfm_segments", "segment_flow", "scorecard_points"}
    for figure, table in figures():
        if figure.__name__ not in own:  # others are painted by parts that are tested elsewhere
            continue
        html = figure(table, words)._repr_html_()
        for svg in re.findall(r"<svg.*?</svg>", html, flags=re.DOTALL):
            assert len(ElementTree.fromstring(svg).get("aria-label")) > 10


def test_money_has_few_digits():
    told = {5e6: "5.00 million CNY", 43_210: "43.2 thousand CNY", 990: "990 CNY", 0: "0.00 CNY"}
    for amount, text in told.items():
        assert CNY(money_scale([amount, NAN], CNY).tell(amount, CNY)) == text
    chinese = Words("zh", "CNY")
    assert money_scale([3e8], chinese).unit == "亿元" and money_scale([5e4], chinese).size == 1e4
    assert money_scale([30.0], ENGLISH).of(say("price")) == say("price")
