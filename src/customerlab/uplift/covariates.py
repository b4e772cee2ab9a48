"""What was known of the customers before, as numbers without a gap."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import ibis
import ibis.expr.types as ir
import pandas as pd

from customerlab.messages import Message, say

#: A column of texts with more values is no category.
MOST_LEVELS = 20
#: Levels with a smaller share of the customers are taken together.
RARE = 0.005


def encode_covariates(
    rows: ir.Table,
    names: Sequence[str],
    called: Callable[[str], Message | str] = lambda name: name,
    level: Callable[[str, str], Message | str] = lambda _, level: level,
    *,
    seen: ir.BooleanValue | None = None,
) -> tuple[ir.Table, dict[str, Message | str], list[Message]]:
    """Turn columns into numbers, none of them missing.

    A number stays one; where it is missing it is the mean of the others, and a column of its own
    says so. A text becomes a column of 0 and 1 for each value but the most frequent; no value is a
    value. Missing values, means and values are those of all arms together, so that no arm is
    treated unlike another (Zhao and Ding 2024).

    Parameters
    ----------
    rows : table
    names : sequence of str
    called, level : callable
        What a reader calls a column, and one of its values.
    seen : boolean expression, optional
        Which rows tell means and values; all when left out.

    Returns
    -------
    table, dict of str to Message or str, list of Message
        `rows` with the new columns (floats), what each of them is called, and what was left out.
    """
    learnt = rows if seen is None else rows.filter(seen)
    texts = [name for name in names if rows[name].type().is_string()]
    numbers = [
        name for name in names if rows[name].type().is_numeric() or rows[name].type().is_boolean()
    ]
    notes = [
        say("{column} is neither a number nor a category, and is not adjusted for.", column=name)
        for name in names
        if name not in texts and name not in numbers
    ]
    columns: dict[str, ir.Value] = {}
    told: dict[str, Message | str] = {}
    for name, (known, mean) in _means(learnt, numbers).items():
        value = rows[name].cast("float64")
        value = value.isnan().ifelse(None, value) if rows[name].type().is_floating() else value
        columns[f"x_{name}"] = value.fill_null(mean)
        told[f"x_{name}"] = called(name)
        if known < 1:
            columns[f"x_{name}:unknown"] = value.isnull().cast("float64")
            told[f"x_{name}:unknown"] = say("{column} not known", column=called(name))
    for name in texts:
        levels = _levels(learnt, name)
        if len(levels) > MOST_LEVELS:
            notes.append(
                say(
                    "{column} has more than {most:count} values, and is not adjusted for.",
                    column=called(name),
                    most=MOST_LEVELS,
                )
            )
            continue
        # beside the most frequent value; what is rare goes with it
        for one in levels.index[1:][(levels > RARE)[1:]]:
            here = rows[name].isnull() if one == "" else rows[name] == one
            columns[f"x_{name}={one}"] = here.fill_null(False).cast("float64")
            shown = say("not known") if one == "" else level(name, one)
            told[f"x_{name}={one}"] = say("{column}: {level}", column=called(name), level=shown)
    return rows.mutate(**columns), told, notes


def _means(rows: ir.Table, numbers: Sequence[str]) -> Mapping[str, tuple[float, float]]:
    """Return the share of rows that have each number, and its mean, rounded; 0 of none."""
    if not numbers:
        return {}
    asked: dict[str, ir.Value] = {"rows": rows.count()}
    for i, name in enumerate(numbers):
        value = rows[name].cast("float64")
        if rows[name].type().is_floating():
            value = value.isnan().ifelse(None, value)
        asked |= {f"n_{i}": value.count(), f"mean_{i}": value.mean()}
    seen = rows.aggregate(**asked).to_pandas().iloc[0]
    found = {}
    for i, name in enumerate(numbers):
        known = float(seen[f"n_{i}"]) / float(seen["rows"]) if seen["rows"] else 0.0
        mean = seen[f"mean_{i}"]
        # rounded, so that a sum in another order gives the same
        found[name] = (known, 0.0 if pd.isna(mean) else float(f"{mean:.9g}"))
    return found


def _levels(rows: ir.Table, name: str) -> pd.Series:
    """Return the share of each value, the most frequent first; "" where there is none."""
    value = rows[name].fill_null("")
    counted = rows.group_by(level=value).aggregate(n=ibis._.count())
    counted = counted.order_by(ibis.desc("n"), "level").limit(MOST_LEVELS + 1).to_pandas()
    return counted.set_index("level")["n"] / max(counted["n"].sum(), 1)
