"""Figures of weights and of the importance map: their words, marks, and names that do not meet."""

from __future__ import annotations

import json
import re
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from customerlab.drivers.importance import QUADRANT_NAMES
from customerlab.messages import ENGLISH, Words, say
from customerlab.plots.chart import text_width
from customerlab.plots.drivers import driver_effects, driver_weights
from customerlab.plots.importance import importance_map

WEIGHTS = pd.DataFrame(
    {
        "driver": ["Delivery", say("price"), "Reviews & more"],
        "weight": [0.6, 0.3, 0.1],
        "low": [0.5, 0.2, 0.05],
        "high": [0.7, 0.4, 0.2],
        "rank": [1, 2, 3],
        "rank_share": [0.97, 0.9, 0.8],
        "effect": [0.1, -0.05, 0.01],
        "effect_low": [0.08, -0.07, -0.01],
        "effect_high": [0.12, -0.03, 0.03],
        "binary": True,
    }
)


def mapped(drivers, weight, performance, segment="all"):
    weight, performance = np.array(weight), np.array(performance, dtype=float)
    much, well = weight >= weight.mean(), performance >= performance.mean()
    names = {(True, False): "concentrate_here", (True, True): "keep_up"}
    names |= {(False, False): "low_priority", (False, True): "possible_overkill"}
    quadrant = [names[key] for key in zip(much.tolist(), well.tolist(), strict=True)]
    return pd.DataFrame(
        {
            "segment": segment,
            "driver": drivers,
            "weight": weight,
            "performance": performance,
            "quadrant": [QUADRANT_NAMES[one] for one in quadrant],
        }
    )


MAP = mapped(["Delivery", "Price", "Service"], [0.6, 0.3, 0.1], [40, 60, 80])


def texts(chart):
    svg = re.findall(r"<svg.*?</svg>", chart._repr_html_(), flags=re.DOTALL)[0]
    root = ElementTree.fromstring(svg)
    return ["".join(node.itertext()) for node in root.iter("{http://www.w3.org/2000/svg}text")]


def marks(figure):
    lines = [line for axes in figure.axes for line in axes.lines]
    return [
        (line.get_marker(), round(float(line.get_xdata()[0]), 6))
        for line in lines
        if line.get_marker() not in ("None", "", None)
    ]


def test_weights_show_interval_rank_and_direction():
    chart = driver_weights(WEIGHTS)
    assert str(chart.title) == "“Delivery” weighs most: 60 % of what the drivers explain."
    nbsp = "\N{NO-BREAK SPACE}"
    assert f"60{nbsp}% · first in 97{nbsp}%" in texts(chart)
    assert f"30{nbsp}% · number 2 in 90{nbsp}%" in texts(chart)
    for figure in (chart.figure, chart.narrow):
        assert marks(figure) == [("^", 0.6), ("v", 0.3), ("o", 0.1)]
    unsure = driver_weights(WEIGHTS.assign(rank_share=0.6))
    assert str(unsure.title) == "No driver is surely first."
    assert str(driver_weights(WEIGHTS, title="Own").title) == "Own"


def test_effects_of_a_share_are_percentage_points():
    chart = driver_effects(WEIGHTS)
    assert "10.0 [8.0, 12.0]" in texts(chart) and "Change in percentage points" in texts(chart)
    assert marks(chart.figure) == [("^", 10), ("v", -5), ("o", 1)]
    other = driver_effects(WEIGHTS.assign(binary=False))
    assert "0.10 [0.08, 0.12]" in texts(other)
    gone = WEIGHTS.assign(effect=[0.1, np.nan, 0.01])
    assert len(marks(driver_effects(gone).figure)) == 2


def test_the_map_names_its_quadrants_and_what_to_work_on():
    chart = importance_map(MAP)
    assert str(chart.title) == "“Delivery” weighs much and is rated below the mean."
    assert {"concentrate here", "keep up the good work", "low priority"} <= set(texts(chart))
    assert {"Delivery", "Price", "Service"} <= set(texts(chart))
    assert marks(chart.figure) == [("o", 40), ("o", 60), ("o", 80)]
    assert "Delivery: weight 60 %, rating 40, concentrate here" in str(chart.alt)
    narrow = [text.get_text() for axes in chart.narrow.axes for text in axes.texts]
    assert {"1", "2", "3"} <= set(narrow)
    assert any(text.startswith("1") and text.endswith("Delivery") for text in narrow)


def test_a_segment_is_drawn_by_the_means_of_all():
    part = mapped(["Delivery", "Price"], [0.9, 0.1], [90, 95], "women")
    chart = importance_map(pd.concat([MAP, part], ignore_index=True), segment="women")
    assert marks(chart.figure) == [("o", 90), ("o", 95)]
    lines = [line for axes in chart.figure.axes for line in axes.lines]
    assert any(list(line.get_xdata()) == [60, 60] for line in lines)  # mean of 40, 60 and 80


@pytest.mark.parametrize("seed", range(6))
def test_names_do_not_meet(seed):
    rng = np.random.default_rng(seed)
    names = [f"Driver with a long name {i}" for i in range(15)]
    chart = importance_map(
        mapped(names, rng.dirichlet(np.ones(15)), rng.normal(60, 8, size=15).clip(0, 100))
    )
    numbers = {f"{i}" for i in range(1, 16)}
    for figure in (chart.figure, chart.narrow):
        written = {text.get_text() for axes in figure.axes for text in axes.texts}
        wanted = set(names) if set(names) <= written else numbers
        boxes = []
        for text in (text for axes in figure.axes for text in axes.texts):
            if text.get_text() not in wanted | {str(name) for name in QUADRANT_NAMES.values()}:
                continue
            (x, y), width = text.get_position(), text_width(text.get_text())
            left = x - {"left": 0, "center": width / 2, "right": width}[text.get_ha()]
            boxes.append((left, y - 8, left + width, y + 8))
        assert len(boxes) == 19
        for i, one in enumerate(boxes):
            assert one[0] >= 0 and one[2] <= figure.get_size_inches()[0] * 72
            for other in boxes[:i]:
                apart = one[2] <= other[0] or other[2] <= one[0]
                assert apart or one[3] <= other[1] or other[3] <= one[1]


def test_nothing_to_draw_is_said():
    for chart in (
        driver_weights(WEIGHTS.iloc[:0]),
        driver_effects(WEIGHTS.iloc[:0]),
        importance_map(MAP.iloc[:0]),
    ):
        assert "Nothing to draw." in texts(chart)
    for one in (driver_weights(WEIGHTS.iloc[:1]), importance_map(MAP.iloc[:1])):
        assert one._repr_html_()


class _Chinese(Words):
    """Chinese words, with a stand-in where the catalogue has none yet."""

    def _sentence(self, text):
        return re.sub("[A-Za-z]+(?![^{]*})", "驱", text)


@pytest.mark.parametrize("words", [ENGLISH, _Chinese("zh")], ids=["en", "zh"])
def test_figures_are_sound_svg(words, recwarn):
    for chart in (
        driver_weights(WEIGHTS, words),
        driver_effects(WEIGHTS, words),
        importance_map(MAP, words),
    ):
        for svg in re.findall(r"<svg.*?</svg>", chart._repr_html_(), flags=re.DOTALL):
            root = ElementTree.fromstring(svg)
            assert len(root.get("aria-label")) > 10
    assert json.dumps([str(one.message) for one in recwarn]) == "[]"
