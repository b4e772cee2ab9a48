"""The map of loadings: its words, its SVG, and its numbers."""

from __future__ import annotations

import re
import warnings
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from customerlab.drivers.factor_names import loadings_to_show, name_factors
from customerlab.drivers.factors import fit_factors
from customerlab.plots.loadings import factor_loadings

ITEMS = [
    "on time", "intact", "tracked & told", "polite", "helpful", "quick answer to a complaint",
    "fair price", "often reduced", "dearer than elsewhere", "价格合理", "推荐给朋友",
    "friends buy here",
]  # fmt: skip


def sample(factors: int = 3) -> pd.DataFrame:
    """Return loadings of twelve items, one of them turned around."""
    pattern = np.kron(np.eye(3), np.array([[0.85], [0.75], [0.65], [0.55]]))
    pattern[8, 2] *= -1
    pattern[2, 1] = 0.25
    phi = np.array([[1, 0.4, 0.2], [0.4, 1, 0.3], [0.2, 0.3, 1]])
    matrix = pattern @ phi @ pattern.T
    np.fill_diagonal(matrix, 1)
    got = fit_factors(matrix, 500, ITEMS, factors)
    return loadings_to_show(got, name_factors(got, {"Delivery & 配送": ["on time"]}))


def svgs(chart) -> list[ElementTree.Element]:
    html = chart._repr_html_()
    return [ElementTree.fromstring(s) for s in re.findall(r"<svg.*?</svg>", html, flags=re.DOTALL)]


def texts(svg: ElementTree.Element) -> list[str]:
    return ["".join(node.itertext()) for node in svg.iter("{http://www.w3.org/2000/svg}text")]


@pytest.mark.parametrize("factors", [1, 2, 3, 5])
def test_every_loading_stands_in_the_map(factors):
    table = sample(factors)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        wide, narrow = svgs(factor_loadings(table))
    for svg in (wide, narrow):
        numbers = [text for text in texts(svg) if re.fullmatch(r"-?\d\.\d\d", text)]
        assert numbers == [f"{round(x, 2) + 0.0:.2f}" for x in table["loading"]]


def test_items_of_a_factor_stand_together():
    shown = texts(svgs(factor_loadings(sample()))[0])
    place = {item: shown.index(item) for item in ("on time", "intact", "polite", "推荐给朋友")}
    assert abs(place["on time"] - place["intact"]) < abs(place["on time"] - place["polite"])
    table = sample()
    assert table[table["own"]]["factor"].map(str).drop_duplicates().size == 3


def test_the_title_and_the_text_for_the_blind_are_computed():
    chart = factor_loadings(sample())
    assert str(chart.title).startswith("12 items come down to 3 factors; the one that tells most")
    assert "Delivery & 配送" in str(chart.alt)
    assert str(factor_loadings(sample(1)).title).startswith("One factor is behind the 12 items")


def test_no_factor_is_drawn_in_words():
    chart = factor_loadings(sample(0))
    assert str(chart.title) == "No factor was found behind the items."
    assert len(svgs(chart)) == 2
