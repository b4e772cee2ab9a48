"""The grid of cuts as a place to draw on: its edges and ticks, borders of regions, and marks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from customerlab.messages import say
from customerlab.plots.chart import INK, PAPER, RULE, WARN, Canvas, text_width
from customerlab.plots.rows import dot

LINE = 19  # from one line of text to the next

#: What stands beside a mark that has no name of its own.
MARKS = {"proposed": say("Proposed"), "agreed": say("Agreed")}


@dataclass(frozen=True)
class Grid:
    """Where the pairs of cuts stand: idle months to the right, worth upwards.

    Attributes
    ----------
    cuts : array of float
        Of worth, ascending.
    months : array of int
        Ascending by one.
    """

    cuts: np.ndarray
    months: np.ndarray

    @property
    def levels(self) -> np.ndarray:
        """How high each cut stands: on a log scale, with nothing at all below the least."""
        positive = self.cuts[self.cuts > 0]
        least = positive.min() if len(positive) else 1.0
        above = np.log10(np.maximum(self.cuts, least))
        return np.where(self.cuts > 0, above, np.log10(least) - 0.3)

    @property
    def edges_x(self) -> np.ndarray:
        """Where the cells of a month begin, and the last ends."""
        return np.append(self.months, self.months[-1] + 1) - 0.5

    @property
    def edges_y(self) -> np.ndarray:
        """Where the cells of a cut begin, and the last ends."""
        levels = self.levels
        between = (levels[1:] + levels[:-1]) / 2
        above = 0.05 if len(between) else 0.15  # a single cut stands in the middle
        return np.concatenate([[levels[0] - 0.15], between, [levels[-1] + above]])

    def level_of(self, cut: float) -> float:
        """Return how high any cut stands, also one that is not on the grid."""
        return float(np.interp(cut, self.cuts, self.levels))


def draw_frame(axes: Axes, canvas: Canvas, grid: Grid) -> None:
    """Draw the frame of the grid, with ticks at round months and at powers of ten."""
    x, y, cuts = grid.edges_x, grid.edges_y, grid.cuts
    axes.set(xlim=(x[0], x[-1]), ylim=(y[0], y[-1]))
    for side in ("left", "right", "top", "bottom"):
        axes.spines[side].set_visible(True)
        axes.spines[side].set_color(RULE)
    step = max(1, round(len(grid.months) / (6 if canvas.narrow else 12)))
    at = [month for month in grid.months if month % step == 0]
    axes.set_xticks(at, labels=[canvas.words.format(int(month), "count") for month in at])
    # where nobody is worth anything, no cut is above 0: its tick stands alone
    least = cuts[cuts > 0].min(initial=np.inf)
    tens = [10.0**power for power in range(-2, 10) if least <= 10.0**power <= cuts[-1]]
    ticks = [0.0, *tens] if cuts[0] == 0 else tens
    axes.set_yticks(
        [grid.level_of(tick) for tick in ticks],
        labels=[canvas.words.format(tick, "number") for tick in ticks],
    )
    axes.set_yticks([], minor=True)


def outline(region: np.ndarray) -> list[np.ndarray]:
    """Return the border of a region inside the grid as lines from corner to corner of cells.

    Parameters
    ----------
    region : array of bool, shape (cuts, months)

    Returns
    -------
    list of array of int, shape (corners, 2)
        Row and column of each corner; the frame of the grid itself is no border.
    """
    steps: dict[tuple[int, int], list[tuple[int, int]]] = {}

    def add(one: tuple[int, int], other: tuple[int, int]) -> None:
        steps.setdefault(one, []).append(other)
        steps.setdefault(other, []).append(one)

    for row, column in zip(*np.nonzero(region[1:] != region[:-1]), strict=True):
        add((row + 1, column), (row + 1, column + 1))
    for row, column in zip(*np.nonzero(region[:, 1:] != region[:, :-1]), strict=True):
        add((row, column + 1), (row + 1, column + 1))
    lines = []
    while any(steps.values()):
        ends = [corner for corner, to in steps.items() if len(to) % 2]
        here = min(ends or [corner for corner, to in steps.items() if to])
        line = [here]
        while steps[here]:
            there = steps[here].pop()
            steps[there].remove(here)
            line.append(there)
            here = there
        lines.append(np.array(line))
    return lines


def draw_marks(axes: Axes, canvas: Canvas, table: pd.DataFrame, grid: Grid) -> None:
    """Mark the departments' own rules, the agreed pair and the proposed one.

    Parameters
    ----------
    axes : Axes
    canvas : Canvas
    table : DataFrame
        As for :func:`customerlab.plots.cut_surface`.
    grid : Grid
    """
    left, right = grid.edges_x[[0, -1]]
    bottom, top = grid.edges_y[[0, -1]]
    placed: list[tuple[float, float, float]] = []
    order = {"proposed": 0, "agreed": 1, "own": 2}
    marks = table[table["kind"].isin(order)]
    for mark in sorted(marks.itertuples(), key=lambda m: order[m.kind]):
        x = left + 0.5 if pd.isna(mark.idle_months) else float(mark.idle_months)
        y = top - 0.1 if pd.isna(mark.cut) else grid.level_of(mark.cut)
        x, y = float(np.clip(x, left, right)), float(np.clip(y, bottom, top))
        if mark.kind == "own":
            dot(axes, x, y, color=INK, hollow=True, size=9)
        elif mark.kind == "agreed":
            axes.plot([x], [y], marker="D", markersize=9, color=INK, markeredgecolor=PAPER)
        else:
            dot(axes, x, y, color=WARN, size=14)
        _name(axes, canvas, mark, x, y, placed)


def _name(
    axes: Axes,
    canvas: Canvas,
    mark: object,
    x: float,
    y: float,
    placed: list[tuple[float, float, float]],
) -> None:
    """Write the name beside a mark, where no other name stands."""
    bold = mark.kind == "proposed"
    text = canvas.labels(MARKS[mark.kind] if mark.kind != "own" else mark.name)
    width = text_width(text, bold=bold)
    px, py = axes.transData.transform((x, y)) * 72 / axes.figure.dpi
    py = canvas.height - py
    right = px + 12 + width < canvas.width - 12
    at = px + 12 if right else px - 12 - width
    places = [py, py - 20, py + 20, py - 38, py + 38]
    top = 2 * LINE + 8
    bottom = canvas.height - axes.get_window_extent().y0 * 72 / axes.figure.dpi - 8
    free = [
        place
        for place in places
        if top <= place <= bottom
        and all(
            abs(place - other) > 17 or at > end or at + width < start
            for start, end, other in placed
        )
    ]
    py = free[0] if free else py
    placed.append((at, at + width, py))
    sheet = canvas.sheet()
    sheet.set_zorder(6)
    halo = {"facecolor": PAPER, "edgecolor": "none", "alpha": 0.8, "pad": 1.5}
    weight = "bold" if bold else "normal"
    color = WARN if bold else INK
    sheet.text(at, py, text, va="center", weight=weight, color=color, bbox=halo)
