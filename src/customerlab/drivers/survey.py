"""A survey's answers, as numbers: which columns are items, on which scale, and what is missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import ibis
import ibis.expr.types as ir
import pandas as pd

from customerlab.conditions.kinds import cast
from customerlab.drivers.survey_checks import check_answers
from customerlab.errors import CustomerlabError, nearest
from customerlab.findings import Check
from customerlab.messages import Message, listed, say
from customerlab.privacy import HIDDEN, mask_counts

#: A column of text is one of answers when at least so many of its values are numbers.
MOSTLY = 0.5
#: Whole numbers that never repeat in so many rows tell respondents apart.
MANY = 30
#: With more distinct answers than this an item is no scale of answers.
SCALE_POINTS = 20
#: What an outcome may be called.
YES, NO = ("yes", "y", "true", "是"), ("no", "n", "false", "否")
#: Where everything stands in the parameter file.
_WHERE = "repurchase_drivers"
_FINITE = 1e300
#: They make up the respondents.
_PARTS = ["answered", "empty", "not_a_number", "off_scale"]
_WITH_THEM = ["respondents", "missing_share", "least", "most"]


@dataclass(frozen=True)
class Survey:
    """The answers to a survey, one row per respondent.

    Attributes
    ----------
    table : table
        All columns of the survey; items, outcome and controls are floats, null where there is no
        answer or none that counts.
    items : tuple of str
    outcome : str or None
        None where none was named.
    answers : DataFrame
        One row per item and for the outcome: ``item``, ``respondents`` who could answer,
        ``answered`` (answers that count), ``empty``, ``not_a_number``, ``off_scale`` (answers set
        aside, by reason), ``missing_share`` (of all, whatever the reason), ``least``, ``most``
        (the scale found), ``categories`` (distinct answers).
    text : Message
        What was read, in words.
    checks : tuple of Check
    """

    table: ir.Table
    items: tuple[str, ...]
    outcome: str | None
    answers: pd.DataFrame
    text: Message
    checks: tuple[Check, ...]


def read_survey(
    table: ir.Table,
    *,
    items: Sequence[str] | None = None,
    outcome: str | None = None,
    controls: Sequence[str] = (),
    scale: tuple[float, float] | None = None,
) -> Survey:
    """Read answers as numbers and set aside those that are none.

    Parameters
    ----------
    table : table
        One row per respondent; text counts where it is plainly a number.
    items : sequence of str, optional
        The columns of the questions. Left out, all columns with numbers but the outcome and what
        tells respondents apart: ``customer_id``, ``id``, names that end in ``_id``, and whole
        numbers that never repeat.
    outcome : str, optional
        The column to be explained; yes and no are read as 1 and 0.
    controls : sequence of str
        Columns that are no questions, and on no scale; read as the outcome is.
    scale : (float, float), optional
        The lowest and the highest answer that the questionnaire offers. Left out, no answer is
        off the scale.

    Returns
    -------
    Survey

    Raises
    ------
    CustomerlabError
        When a column that the parameters name is not there, or is the outcome and something else.
    """
    named = {"items": items or (), "outcome": [outcome] if outcome else [], "controls": controls}
    for key, name in [(key, name) for key, names in named.items() for name in names]:
        if name not in table.columns:
            raise CustomerlabError(
                f'{_WHERE}.{key}: the survey has no column "{name}"'
                f"{nearest(name, table.columns)}; columns: {', '.join(table.columns)}"
            )
    if outcome is not None and outcome in (items or ()):
        raise CustomerlabError(f'{_WHERE}: "{outcome}" is the outcome and cannot be an item, too')
    if outcome is not None and outcome in controls:
        raise CustomerlabError(f'{_WHERE}: "{outcome}" is the outcome and cannot be a control, too')
    if scale is not None and not scale[0] < scale[1]:
        raise CustomerlabError(f"{_WHERE}.scale: expected the lowest and the highest answer")
    chosen = _answer_columns(table, outcome) if items is None else list(dict.fromkeys(items))
    chosen = [name for name in chosen if name not in controls]
    numbers = {name: _number(table[name]) for name in chosen}
    if outcome is not None:
        numbers[outcome] = _outcome(table[outcome])
    counted = {
        name: value if scale is None or name == outcome else _on_scale(value, scale)
        for name, value in numbers.items()
    }
    rows, answers = _count(table, numbers, counted)
    counted |= {name: _outcome(table[name]) for name in controls}
    of_items = answers[answers["item"].isin(chosen)]
    return Survey(
        table.mutate(**counted),
        tuple(chosen),
        outcome,
        answers,
        _text(of_items, rows, given=items is not None),
        check_answers(of_items, scale),
    )


def answers_to_show(survey: Survey, min_cell: int) -> pd.DataFrame:
    """Return the table of answers without counts of few respondents.

    What was answered and what was not make up all respondents: where one part is hidden a second
    one is, and with it the share. Of an item that is no scale of answers, the least and the most
    may each be what one respondent said, and are hidden.
    """
    shown = survey.answers.astype({name: object for name in [*_PARTS, *_WITH_THEM]})
    for at, row in survey.answers.iterrows():
        cells = pd.DataFrame({"n": row[["respondents", *_PARTS]].astype(int).to_list()})
        sums = [(0, range(1, len(cells)))]
        masked = mask_counts(cells, min_cell=min_cell, counts=["n"], sums=sums)["n"].to_list()
        if 0 < row["respondents"] - row["answered"] < min_cell:
            masked[1] = HIDDEN
        shown.loc[at, ["respondents", *_PARTS]] = masked
        if isinstance(masked[1], str):
            shown.loc[at, "missing_share"] = HIDDEN
        if row["categories"] > SCALE_POINTS:
            shown.loc[at, ["least", "most"]] = HIDDEN
    return shown


def _answer_columns(table: ir.Table, outcome: str | None) -> list[str]:
    """Return the columns with numbers that are no names."""
    asked: dict[str, ir.Scalar] = {}
    for name in table.columns:
        low = name.lower()
        if name == outcome or low == "id" or low.endswith("_id"):
            continue
        if _may_be_number(table[name]):
            value = _number(table[name])
            asked[f"given:{name}"] = table[name].count()
            asked[f"numbers:{name}"] = value.count()
            asked[f"differ:{name}"] = value.nunique()
            asked[f"whole:{name}"] = (value % 1 == 0).all()
    if not asked:
        return []
    seen = table.aggregate(**asked).to_pandas().iloc[0]
    found = []
    for key in [key for key in asked if key.startswith("given:")]:
        name = key.removeprefix("given:")
        given, numbers = int(seen[key]), int(seen[f"numbers:{name}"])
        unlike = int(seen[f"differ:{name}"]) == numbers >= MANY and bool(seen[f"whole:{name}"])
        if numbers and numbers >= MOSTLY * given and not unlike:
            found.append(name)
    return found


def _may_be_number(value: ir.Value) -> bool:
    kind = value.type()
    return kind.is_numeric() or kind.is_boolean() or kind.is_string()


def _number(value: ir.Value) -> ir.FloatingValue:
    """Return a value as a number; null where it is none or without end."""
    if not _may_be_number(value):
        none = ibis.null("float64")
        return value.isnull().ifelse(none, none)  # a column of nothing, not a single value
    number = cast(value, ibis.dtype("float64"))
    # neither endless nor NaN, for which engines differ
    return number.between(-_FINITE, _FINITE).ifelse(number, None)


def _outcome(value: ir.Value) -> ir.FloatingValue:
    if not value.type().is_string():
        return _number(value)
    word = value.strip().lower()
    said = [(word.isin(YES), 1.0), (word.isin(NO), 0.0)]
    return ibis.cases(*said, else_=_number(value))


def _on_scale(number: ir.FloatingValue, scale: tuple[float, float]) -> ir.FloatingValue:
    return number.between(*scale).ifelse(number, None)


def _count(
    table: ir.Table, numbers: Mapping[str, ir.Value], counted: Mapping[str, ir.Value]
) -> tuple[int, pd.DataFrame]:
    """Return the number of respondents, and the table :attr:`Survey.answers`."""
    asked: dict[str, ir.Scalar] = {"rows": table.count()}
    for i, (name, value) in enumerate(counted.items()):
        given = table[name]
        given = given.strip().nullif("") if given.type().is_string() else given
        if given.type().is_floating():  # a frame's way to say that there is none
            given = given.isnan().ifelse(None, given)
        asked |= {
            f"given_{i}": given.count(),
            f"number_{i}": numbers[name].count(),
            f"answered_{i}": value.count(),
            f"least_{i}": value.min(),
            f"most_{i}": value.max(),
            f"categories_{i}": value.nunique(),
        }
    seen = table.aggregate(**asked).to_pandas().iloc[0]
    rows = int(seen["rows"])
    lines = []
    for i, name in enumerate(counted):
        given, number, answered = (int(seen[f"{k}_{i}"]) for k in ("given", "number", "answered"))
        parts = (answered, rows - given, given - number, number - answered)
        share = (rows - answered) / rows if rows else float("nan")
        scale = (float(seen[f"least_{i}"]), float(seen[f"most_{i}"]))
        lines.append((name, rows, *parts, share, *scale, int(seen[f"categories_{i}"])))
    columns = ["item", "respondents", *_PARTS, "missing_share", "least", "most", "categories"]
    return rows, pd.DataFrame(lines, columns=columns)


def _text(answers: pd.DataFrame, rows: int, *, given: bool) -> Message:
    facts = {
        "rows": rows,
        "count": len(answers),
        "items": listed(answers["item"].to_list()) if len(answers) else "",
        "missing": float(answers["missing_share"].mean()),
    }
    if answers.empty:
        return say("Of {rows:customers} respondents no column holds answers as numbers.", **facts)
    if given:
        return say(
            "{rows:customers} respondents were asked {count:count} questions; {missing:percent} "
            "of the answers are missing.",
            **facts,
        )
    return say(
        "{rows:customers} respondents were asked {count:count} questions; {missing:percent} of the "
        "answers are missing. The parameters name no questions: every column with numbers is "
        "taken for one ({items}).",
        **facts,
    )
