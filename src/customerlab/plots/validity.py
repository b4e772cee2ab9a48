"""What each cut removes and who objects where, and who of the quiet customers came back."""

from __future__ import annotations

from itertools import cycle

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm, ListedColormap

from customerlab.messages import ENGLISH, Message, Words, say
from customerlab.plots.chart import ACCENT, INK, SOFT, TINTS, Canvas, Chart, draw
from customerlab.plots.rows import Row, dot, lay_rows
from customerlab.plots.surface import LINE, MARKS, Grid, draw_frame, draw_marks, outline
from customerlab.validity import pair_in_words

#: How the line around each department's region is drawn: told apart in grey as well.
_LINES = [
    (INK, "solid"),
    ("#4b3f99", (0, (6, 2))),
    ("#7a5200", (0, (1.5, 1.5))),
    (INK, (0, (8, 2, 1.5, 2))),
    ("#4b3f99", (0, (2, 4))),
]
#: Where at least one department objects: the darker, the more would be removed.
_OBJECTED = ("#f7f8f9", "#eceff1", "#dfe4e7", "#d0d7db")
_STEPS = 4
_WORTH = {
    "assets": say("Removed with assets of at most"),
    "spend_12m": say("Removed with a year's spend of at most"),
}


def cut_surface(table: pd.DataFrame, words: Words = ENGLISH) -> Chart:
    """Draw what each pair of cuts removes, where each department agrees, and the pair proposed.

    Parameters
    ----------
    table : DataFrame
        ``kind``: ``grid`` for one pair of cuts each (``cut``, ``idle_months``,
        ``share_removed``, ``accepted_by``: a tuple of the departments that can accept it), and
        for the marks ``department`` (``name``, and ``demand`` in words, None for none), ``own``
        (a department's own rule; ``cut`` or ``idle_months`` missing where it has none),
        ``proposed`` and ``agreed``. ``worth`` is ``assets`` or ``spend_12m``.
    words : Words

    Returns
    -------
    Chart
        Tinted where all departments agree, the darker the more is removed; grey elsewhere; a line
        around the region of each department.
    """
    cells = table[table["kind"] == "grid"].sort_values(["cut", "idle_months"])
    grid = Grid(cells["cut"].unique(), np.sort(cells["idle_months"].unique()).astype(int))
    shape = (len(grid.cuts), len(grid.months))
    share = cells["share_removed"].to_numpy(float).reshape(shape)
    accepted = cells["accepted_by"].to_numpy().reshape(shape)
    departments = table[table["kind"] == "department"]
    regions = {
        name: np.array([[name in cell for cell in row] for row in accepted], dtype=bool)
        for name in departments["name"]
    }
    everyone = np.logical_and.reduce([*regions.values(), np.ones_like(share, dtype=bool)])
    inside = share[everyone] if everyone.any() else share.ravel()
    steps = np.linspace(inside.min(), inside.max() + 1e-9, _STEPS + 1)
    worth = _WORTH[table["worth"].iloc[0]]

    def paint(canvas: Canvas) -> None:
        keys = _legend(canvas, departments, regions, steps if everyone.any() else None)
        left = 62 if canvas.narrow else 84
        height, top = (300 if canvas.narrow else 340), 2 * LINE
        canvas.grow_to(top + height + 52 + LINE * sum(len(lines) for _, lines in keys) + 8)
        axes = canvas.axes(left, top, canvas.width - left - 12, height)
        x, y = grid.edges_x, grid.edges_y
        for where, limits, colors in (
            (~everyone, np.linspace(0, share.max() + 1e-9, _STEPS + 1), _OBJECTED),
            (everyone, steps, TINTS[::-1]),
        ):
            axes.pcolormesh(
                x,
                y,
                np.where(where, share, np.nan),
                cmap=ListedColormap(colors),
                norm=BoundaryNorm(limits, _STEPS),
                antialiased=False,  # no seams between the cells
            )
        for region, (color, dash) in zip(regions.values(), cycle(_LINES), strict=False):
            for line in outline(region):
                axes.plot(
                    x[line[:, 1]],
                    y[line[:, 0]],
                    color=color,
                    linestyle=dash,
                    linewidth=2.2,
                    zorder=2,
                )
        draw_frame(axes, canvas, grid)
        sheet = canvas.sheet()
        sheet.text(0, 0.6 * LINE, canvas.labels(worth), va="center_baseline", color=SOFT)
        draw_marks(axes, canvas, table, grid)
        at = top + height + 28
        title = canvas.labels(say("and idle for at least so many months"))
        sheet.text(left, at + LINE / 2, title, va="center_baseline", color=SOFT)
        at += 24 + LINE
        for sample, lines in keys:
            sample(sheet, at)
            for line in lines:
                sheet.text(44, at, line, va="center_baseline")
                at += LINE

    return draw(
        paint,
        words,
        title=_title(table, bool(everyone.any())),
        subtitle=say(
            "Who is worth at most so much and idle for at least so long is removed: darker, where "
            "more are. Green where every department accepts it, grey where one objects"
        )
        if len(departments)
        else say(
            "Who is worth at most so much and idle for at least so long is removed: darker, where "
            "more are. No department says what it can accept"
        ),
        alt=_alt(table, words),
    )


def _legend(
    canvas: Canvas,
    departments: pd.DataFrame,
    regions: dict[str, np.ndarray],
    steps: np.ndarray | None,
) -> list[tuple[object, list[str]]]:
    """Return what stands below the picture: how to draw each sample, and its text."""
    width = canvas.width - 44
    keys = []
    for one, (color, dash) in zip(departments.itertuples(), cycle(_LINES), strict=False):
        text = say("{name} states no demand", name=one.name)
        if one.demand is not None:
            text = Message(_side(regions[one.name]).text, {"name": one.name, "demand": one.demand})

        def sample(sheet: Axes, y: float, color: str = color, dash: object = dash) -> None:
            sheet.plot([0, 34], [y, y], color=color, linestyle=dash, linewidth=2.2)

        keys.append((sample, canvas.lines(text, width)))
    if steps is not None:

        def tints(sheet: Axes, y: float) -> None:
            for i, tint in enumerate(TINTS[::-1]):
                sheet.fill_between([i * 8.5, (i + 1) * 8.5], y - 6, y + 6, color=tint, lw=0)

        ends = {"least": float(steps[0]), "most": float(steps[-1])}
        text = say("From {least:percent0} to {most:percent0} of the customers are removed", **ends)
        if len(departments):
            text = say(
                "All accept it; from {least:percent0} to {most:percent0} of the customers are "
                "removed",
                **ends,
            )
        keys.append((tints, canvas.lines(text, width)))
    return keys


def _side(region: np.ndarray) -> Message:
    """Say on which side of its line a department accepts."""
    if region.all() or not region.any():
        return _SIDES["everywhere" if region.all() else "nowhere"]
    height = np.broadcast_to(np.arange(len(region))[:, None], region.shape)
    above, below = (
        (height[region] > height[~region].mean()).mean(),
        (height[region] < height[~region].mean()).mean(),
    )
    if max(above, below) < 0.9:
        return _SIDES["within"]
    return _SIDES["above" if above > below else "below"]


_SIDES = {
    "above": say("{name} accepts what lies above its line: {demand}"),
    "below": say("{name} accepts what lies below its line: {demand}"),
    "within": say("{name} accepts what lies within its line: {demand}"),
    "everywhere": say("{name} accepts every cut: {demand}"),
    "nowhere": say("{name} accepts no cut: {demand}"),
}


def _title(table: pd.DataFrame, possible: bool) -> Message:
    proposed = table[table["kind"] == "proposed"]
    if len(proposed):
        one = proposed.iloc[0]
        return say(
            "{share:percent} leave the count and no department objects: {pair}.",
            share=float(one["share_removed"]),
            pair=pair_in_words(one["worth"], float(one["cut"]), int(one["idle_months"])),
        )
    if not (table["kind"] == "department").any():
        return say("How many leave the count, by the cut.")
    if possible:
        return say("No cut was chosen.")
    return say("No cut meets every department's demands.")


def _alt(table: pd.DataFrame, words: Words) -> Message:
    marks = table[table["kind"].isin(["own", "proposed", "agreed"])]
    names = [
        words(
            say(
                "{name}: at most {cut:number}, idle for {months:count} months",
                name=mark.name if mark.kind == "own" else MARKS[mark.kind],
                cut=mark.cut,
                months=mark.idle_months,
            )
        )
        for mark in marks.itertuples()
    ]
    return say(
        "A grid of cuts with the region that each department accepts. Marked: {marks}.",
        marks=words(say("; ")).join(names) or words(say("none")),
    )


def came_back_by_level(table: pd.DataFrame, words: Words = ENGLISH) -> Chart:
    """Draw which share of the quiet customers came back, in the bins that tell most.

    Parameters
    ----------
    table : DataFrame
        ``measure`` and ``level`` (text or message), ``came_back``, ``came_back_low``,
        ``came_back_high``, ``is_bin``, and in the rows of the best single cut, which are not
        drawn but named, ``cut`` with ``cut_low`` and ``cut_high``.
    words : Words
    """
    bins = table[table["is_bin"]]
    shares = {"came_back", "came_back_low", "came_back_high"}
    numbers = bins.assign(**{name: pd.to_numeric(bins[name], errors="coerce") for name in shares})
    cuts = {line.measure.text: line for line in table[table["cut"].notna()].itertuples()}
    rows: list[Row] = []
    points: list[object] = []
    for line, known in zip(numbers.itertuples(), bins["came_back"], strict=True):
        if not points or points[-1].measure != line.measure:
            rows.append(Row(_heading(line.measure, cuts.get(line.measure.text)), heading=True))
            points.append(line)
        value = say("{share:percent}", share=line.came_back)
        rows.append(Row(line.level, say("hidden") if isinstance(known, str) else value))
        points.append(line)
    top = float(np.nanmax([*numbers["came_back_high"], 0.01]))

    def paint(canvas: Canvas) -> None:
        ticks = [(x, canvas.words.format(x, "percent0")) for x in _shares(top)]
        axes, y = lay_rows(
            canvas, rows, ticks=ticks, limits=(0, top * 1.05), axis_title=say("Came back")
        )
        for row, point, at in zip(rows, points, y, strict=True):
            if not row.heading:
                ends = [point.came_back_low, point.came_back_high]
                axes.plot(ends, [at, at], color=ACCENT, lw=3)
                dot(axes, point.came_back, at, color=ACCENT)

    names = [
        words(say("{name}: {value}", name=row.name, value=row.value))
        for row in rows
        if not row.heading
    ]
    return draw(
        paint,
        words,
        title=say("Who of the quiet customers came back."),
        subtitle=say(
            "Customers without a movement for three months before the landmark, in the bins that "
            "tell most. Lines: 95 % range"
        ),
        alt=say("Dots with intervals: {rows}.", rows=words(say("; ")).join(names)),
    )


def _heading(measure: Message, cut: object) -> Message:
    if cut is None:
        return say("By {measure}: no single cut", measure=measure)
    return say(
        "By {measure}: best single cut {cut:number} ({low:number} to {high:number})",
        measure=measure,
        cut=cut.cut,
        low=cut.cut_low,
        high=cut.cut_high,
    )


def _shares(top: float) -> list[float]:
    steps = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5]
    step = next((s for s in steps if top / s <= 6), 0.5)
    return [step * i for i in range(int(top / step) + 1)]
