"""Figures: their words, their SVG, and what they draw, against numbers worked out by hand."""

from __future__ import annotations

import math
import re
import warnings
from xml.etree import ElementTree

import matplotlib
import pandas as pd
import pytest
from page_samples import (
    HAZARD,
    LAYERS,
    LEAVERS,
    LEDGER,
    RETENTION,
    SILENCES,
    SURFACE,
    charts,
    survival,
)

from customerlab import plots
from customerlab.messages import ENGLISH, Message, Words, say
from customerlab.plots.chart import Labels, text_width

CHINESE = Words("zh", "CNY")


def svgs(html: str) -> list[str]:
    """Return the wide and the narrow drawing."""
    return re.findall(r"<svg.*?</svg>", html, flags=re.DOTALL)


def texts(chart: plots.Chart) -> list[str]:
    """Return the texts of the wide drawing, top to bottom in the order of drawing."""
    root = ElementTree.fromstring(svgs(chart._repr_html_())[0])
    return ["".join(node.itertext()) for node in root.iter("{http://www.w3.org/2000/svg}text")]


@pytest.fixture(scope="module")
def drawn() -> dict[str, list[str]]:
    """Draw every figure in both languages; a missing glyph would be a warning of matplotlib."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return {
            words.language: [chart._repr_html_() for chart in charts(words)]
            for words in (ENGLISH, CHINESE)
        }


@pytest.mark.parametrize("language", ["en", "zh"])
def test_figures_are_sound_svg(drawn, language):
    pieces = [svg for html in drawn[language] for svg in svgs(html)]
    assert len(pieces) == 2 * len(drawn[language]) > 0
    for svg in pieces:
        root = ElementTree.fromstring(svg)  # well-formed
        assert root.get("role") == "img"
        assert len(root.get("aria-label")) > 20
        assert "font-family" not in svg  # the page's fonts, which have every script
        assert "<dc:date" not in svg
        ids = re.findall(r' id="([^"]+)"', svg)
        targets = re.findall(r'"#([^"]+)"|url\(#([^)]+)\)', svg)
        assert len(ids) == len(set(ids))
        assert {one or other for one, other in targets} == set(ids)


def test_no_id_is_shared_by_the_figures_of_a_page(drawn):
    ids = [set(re.findall(r' id="([^"]+)"', svg)) for html in drawn["en"] for svg in svgs(html)]
    assert sum(len(some) for some in ids) == len(set().union(*ids)) > 0


def test_a_figure_is_the_same_each_time_and_leaves_no_traces(drawn):
    before = dict(matplotlib.rcParams)
    assert [chart._repr_html_() for chart in charts(CHINESE)] == drawn["zh"]
    assert dict(matplotlib.rcParams) == before


def test_labels_hide_what_the_font_lacks_and_give_it_back():
    labels = Labels(CHINESE)
    names = ["是", "否", "女，20–30 岁 <A&B>", "是"]
    stand_ins = [labels(name) for name in names]
    assert stand_ins[0] == stand_ins[3] != stand_ins[1]
    assert not any(re.search("[\u4e00-\u9fff\uff0c]", text) for text in stand_ins)
    assert labels("plain & Ünïcödé") == "plain & Ünïcödé"
    # a Chinese character is as wide as the font is high
    assert text_width(stand_ins[0], 13) == pytest.approx(13, abs=0.5)
    svg = "".join(
        f"<text>{text.replace('&', '&amp;').replace('<', '&lt;').replace('>', '&gt;')}</text>"
        for text in stand_ins
    )
    root = ElementTree.fromstring(f"<svg>{labels.exchange(svg)}</svg>")
    assert [node.text for node in root] == names


def test_text_is_text():
    drawn = texts(plots.cleaning_flow(LEDGER, CHINESE))
    assert any("取消 <C%> & $5 or $6" in text for text in drawn)  # neither markup nor mathematics
    assert not any("@" in text or "\u200d" in text for text in drawn)


def test_cleaning_flow_counts_rows():
    chart = plots.cleaning_flow(LEDGER)
    # 100 + 3,000 of 100 + 4,000 rows
    assert str(chart.title) == "3,100 of 4,100 rows are clean (75.60 %)."
    assert "customer_id: missing: 900 (22.50\N{NO-BREAK SPACE}%)" in texts(chart)
    assert "4,000 rows, 75.00\N{NO-BREAK SPACE}% clean" in texts(chart)


def test_cleaning_flow_never_rounds_up_to_all_or_down_to_nothing():
    table = pd.DataFrame(
        {
            "table": "t",
            "action": ["clean", "quarantined"],
            "reason": ["", "lost"],
            "rows": [999_999, 1],
        }
    )
    chart = plots.cleaning_flow(table)
    assert str(chart.title) == "999,999 of 1,000,000 rows are clean (99.99 %)."
    assert "lost: 1 (under 0.01\N{NO-BREAK SPACE}%)" in texts(chart)


def test_cleaning_flow_adds_up_what_it_does_not_name():
    many = pd.DataFrame(
        {"table": "t", "action": "quarantined", "reason": [f"r{i}" for i in range(7)], "rows": 10}
    )
    drawn = texts(plots.cleaning_flow(many))
    assert "3 other reasons: 30 (42.86\N{NO-BREAK SPACE}%)" in drawn
    assert str(plots.cleaning_flow(many).title) == "0 of 70 rows are clean (0.00 %)."


def test_layer_funnel_keeps_masked_counts_masked():
    chart = plots.layer_funnel(LAYERS)
    assert str(chart.title) == "7,420 of 20,000 customers remain once the invalid are set aside."
    drawn = texts(chart)
    assert {"7,420 (37.1\N{NO-BREAK SPACE}%)", "hidden", "<10"} <= set(drawn)
    bars = [bar.get_width() for bar in chart.figure.axes[1].patches]
    assert bars == [20000, 12580, 7420, 7412, 0, 0]


def test_layer_funnel_masks_counts_that_are_too_small_itself():
    layers = pd.DataFrame(
        {"layer": [say("All customers"), "own name"], "customers": [50, 9], "share": [1, 0.18]}
    )
    chart = plots.layer_funnel(layers, Words("en", min_cell=10))
    assert "<10" in texts(chart)
    assert "18.0" not in chart._repr_html_()
    assert [bar.get_width() for bar in chart.figure.axes[1].patches] == [50, 0]


def test_where_nobody_is_worth_anything_the_surface_is_one_band_with_its_tick():
    chart = plots.cut_surface(SURFACE[SURFACE["cut"].isna() | (SURFACE["cut"] == 0)])
    for figure in (chart.figure, chart.narrow):
        axes = figure.axes[0]
        assert [label.get_text() for label in axes.get_yticklabels()] == ["0"]
        assert axes.get_yticks()[0] == pytest.approx(sum(axes.get_ylim()) / 2)
    assert {"1", "6", "IT"} <= set(texts(chart))


def test_survival_curves_say_what_they_show():
    chart = plots.survival_curves(survival("slow", "fast"))
    # 0.99 ** 12 = 0.8864, 0.98 ** 12 = 0.7847
    assert str(chart.title) == (
        "After 12 months 88.6 % of “slow” are still there, and 78.5 % of “fast”."
    )
    lines = chart.figure.axes[1].lines
    # a curve that begins late is not drawn as if all had stayed until then
    assert [(line.get_xdata()[0], line.get_ydata()[0]) for line in lines] == [(1, 0.99), (1, 0.98)]
    assert lines[0].get_ydata()[-1] == pytest.approx(0.99**24)
    assert [line.get_linestyle() for line in lines] == ["-", "--"]  # told apart in grey
    # at risk at month 0, 3, ... 24: the first month's count is all who began
    assert {"4,950", "306"} <= set(texts(chart))


def test_survival_curves_draw_the_largest_groups():
    chart = plots.survival_curves(survival(*"abcdefgh"))
    assert len(chart.figure.axes[1].lines) == 6
    assert "The 6 largest of 8 groups" in str(chart.subtitle)


def test_survival_curves_mask_few_at_risk():
    table = survival("all").assign(at_risk=["<10"] * 12 + ["hidden"] * 12)
    drawn = texts(plots.survival_curves(table, CHINESE))
    assert {"<10", "不公开"} <= set(drawn)
    raw = survival("all").assign(at_risk=7)
    assert "7" not in texts(plots.survival_curves(raw, Words("en", min_cell=10)))


def test_hazard_ratios_lie_on_a_log_scale():
    chart = plots.hazard_ratios(HAZARD)
    axes = chart.figure.axes[1]
    assert axes.get_xscale() == "log"
    assert str(chart.title) == "Strongest: “payroll: yes”, 2.31 times as likely to leave."
    dots = [
        (line.get_xdata()[0], line.get_markerfacecolor())
        for line in axes.lines
        if line.get_marker() == "o"
    ]
    # hollow: a reference, or an interval that holds 1
    assert [x for x, color in dots if color == "white"] == [1, 1, 1.1]
    assert [x for x, color in dots if color != "white"] == [2.31, 0.5]
    assert "1.10 (0.90 to 1.30)" in texts(chart)


def test_hazard_ratios_without_a_clear_cause():
    table = HAZARD.assign(low=0.5, high=2.0)
    assert str(plots.hazard_ratios(table).title) == "No cause stands out: every range includes 1."


def test_leavers_come_first_where_most_leave():
    chart = plots.leavers_by_group(LEAVERS)
    assert str(chart.title) == "“女，20–30 岁，代发，东部” leave first: 21.8 % within 5 months."
    drawn = texts(chart)
    assert drawn.index("女，20–30 岁，代发，东部") < drawn.index("Men over 50")
    assert "14.2\N{NO-BREAK SPACE}% · 21.8\N{NO-BREAK SPACE}%" in drawn


def test_leavers_without_an_interval_or_a_share():
    table = LEAVERS.assign(low=math.nan, high=math.nan)
    table.loc[0, "share"] = math.nan
    assert "1.6\N{NO-BREAK SPACE}%" in texts(plots.leavers_by_group(table))


def test_messages_may_be_groups():
    table = survival("all").assign(group=[say("all customers")] * 24)
    chart = plots.survival_curves(table, CHINESE)
    assert isinstance(chart.title, Message)
    assert "全部客户：24 个月后 78.6%" in chart._repr_html_()


def test_a_title_of_ones_own():
    chart = plots.layer_funnel(LAYERS, CHINESE, title=say("All customers"))
    assert "<b>全部客户</b>" in chart._repr_html_()


def test_the_retention_map_is_darkest_where_fewest_stay():
    chart = plots.retention_map(RETENTION)
    drawn = texts(chart)
    # one horizon after the other: 1 - 0.21 * 3 / 5, 5 / 5 and 12 / 5
    assert {"87.4", "79.0", "49.6"} <= set(drawn)
    assert "49.6 % for 12 months" in str(chart.title)
    assert drawn.index("“gender: women”") < drawn.index("East")  # fewest stay first
    cells = [cell for axes in chart.figure.axes for cell in axes.collections]
    light = [sum(cell.get_facecolor()[0][:3]) for cell in cells]  # row by row
    assert len(light) == 15 and light[5] == min(light) < max(light)  # the first below all
    flat = RETENTION.assign(retention_rate=0.9)
    assert texts(plots.retention_map(flat)).count("90.0") == 15


def test_the_silences_show_the_rule_if_there_is_one():
    chart = plots.silences(SILENCES)
    # 0.9 exp(-120 / 40) = 0.0448
    assert str(chart.title) == "After 120 days of silence 4.5 % come back within three months."
    assert "the rule: 120 days" in texts(chart)
    none = plots.silences(SILENCES.assign(chosen=False))
    assert str(none.title) == "The longer the silence, the fewer come back."
    assert "the rule" not in none._repr_html_()
