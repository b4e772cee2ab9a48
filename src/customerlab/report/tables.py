"""Tables as readers see them: headings and cells in their language, numbers aligned."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from customerlab.errors import CustomerlabError, nearest
from customerlab.findings import Check
from customerlab.messages import ENGLISH, Message, Words, say
from customerlab.page import piece
from customerlab.privacy import HIDDEN, refuse_personal_columns
from customerlab.report.pieces import Shown, interval, note

if TYPE_CHECKING:  # most of a second, which the process that renders pages need not spend
    import pandas as pd

_HIDDEN = say("hidden")
#: A table of more rows is folded until it is clicked or printed.
_LONG = 30
#: How a column is aligned by its format; numbers stand right.
_ALIGNED = {"text": "", "date": "date"}


@dataclass(frozen=True)
class ShownTable(Shown):
    """A table as readers see it, with the frame behind it."""

    frame: pd.DataFrame | None = None


def show_table(
    frame: pd.DataFrame,
    words: Words = ENGLISH,
    *,
    headings: Mapping[str, Message | str],
    formats: Mapping[str, str] | None = None,
    caption: Message | str | None = None,
    intervals: Mapping[str, tuple[str, str]] | None = None,
    marks: Sequence[str] | None = None,
) -> ShownTable:
    """Return a frame as readers see it.

    Parameters
    ----------
    frame : DataFrame
        Cells may be messages; a masked count stays as it is.
    words : Words
    headings : mapping
        Column to its heading: which columns are shown, in which order. The first column names
        the row.
    formats : mapping, optional
        Column to a format of :func:`customerlab.messages.say`; a column without one is text.
    caption : Message or str, optional
        What the table shows.
    intervals : mapping, optional
        Column of an estimate to the columns of its low and high end, which go into its cell.
    marks : sequence of str, optional
        A class for the second cell of each row: how :func:`checks_table` colours results.

    Raises
    ------
    CustomerlabError
        When a column is not there, or names single customers.
    """
    formats, intervals = formats or {}, intervals or {}
    named = [*headings, *formats, *intervals, *(c for pair in intervals.values() for c in pair)]
    for column in named:
        if column not in frame.columns:
            raise CustomerlabError(
                f"the table has no column {column!r}{nearest(column, frame.columns)}"
            )
    refuse_personal_columns(frame[list(headings)], words(caption or "a table"))
    heads = [
        {"text": words(heading), "kind": _ALIGNED.get(formats.get(column, "text"), "r")}
        for column, heading in headings.items()
    ]
    if frame.empty:
        return ShownTable(note(say("There is nothing to show."), words).html, frame)
    rows = []
    for number, line in enumerate(frame.to_dict("records")):
        row = [
            _cell(line, column, formats.get(column, "text"), intervals.get(column), words)
            for column in headings
        ]
        if marks:
            row[1]["mark"] = marks[number]
        rows.append(row)
    html = piece(
        "table.html.j2",
        words.language,
        headings=heads,
        rows=rows,
        caption=words(caption) if caption else "",
        fold=words(say("Show all {rows:count} rows", rows=len(rows))) if len(rows) > _LONG else "",
    )
    return ShownTable(html, frame)


def _cell(
    line: Mapping[str, Any], column: str, unit: str, ends: tuple[str, str] | None, words: Words
) -> dict[str, str]:
    cell = {"text": _text(line[column], unit, words), "interval": "", "mark": ""}
    if ends and not any(_unknown(line[end]) or _hidden(line[end]) for end in ends):
        low, high = (line[end] for end in ends)
        cell["interval"] = interval(low, high, unit, words)
    return cell


def _text(value: Any, unit: str, words: Words) -> str:
    if _unknown(value):
        return "–"
    if _hidden(value):
        return words(_HIDDEN)
    return words.format(value, unit)


def _hidden(value: Any) -> bool:
    return isinstance(value, str) and value == HIDDEN


def _unknown(value: Any) -> bool:
    import pandas as pd

    return not isinstance(value, Message) and bool(pd.isna(value))


def checks_table(checks: Iterable[Check], words: Words = ENGLISH) -> ShownTable:
    """Return what was checked, whether it holds, and what was seen."""
    import pandas as pd

    results = {
        True: (say("✓ passed"), "passed"),
        False: (say("✗ failed"), "failed"),
        None: (say("– not judged"), "open"),
    }
    checks = tuple(checks)
    frame = pd.DataFrame(
        {
            "check": [check.name for check in checks],
            "result": [results[check.passed][0] for check in checks],
            "seen": [check.text for check in checks],
        }
    )
    headings = {"check": say("Check"), "result": say("Result"), "seen": say("What was seen")}
    marks = [results[check.passed][1] for check in checks]
    return show_table(frame, words, headings=headings, marks=marks)
