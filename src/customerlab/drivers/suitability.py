"""Whether these answers can be factored: enough of them, varied, honest, and related."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from customerlab.drivers.adequacy import StraightLining, bartlett, kmo
from customerlab.drivers.correlations import Correlations
from customerlab.findings import Check
from customerlab.messages import Message, listed, say

#: At least so many rows, and so many for each item (Gorsuch 1983, Factor Analysis, 2nd ed.).
ROWS, ROWS_EACH = 100, 5
#: Of one item no more than this share of answers may be missing, and no more than this share of
#: respondents may give one same answer throughout. Our own limits: the field knows no agreed ones.
MISSING, ALIKE = 0.20, 0.10
#: The least KMO at which factors are worth looking for, and at which an item belongs to them.
KMO, KMO_ITEM = 0.6, 0.5
#: The largest change that the repair may make to a correlation.
CHANGE = 0.05

#: Kaiser (1974), An index of factorial simplicity, Psychometrika 39.
_KAISER: tuple[tuple[float, Message], ...] = (
    (0.9, say("marvellous")),
    (0.8, say("meritorious")),
    (0.7, say("middling")),
    (0.6, say("mediocre")),
    (0.5, say("miserable")),
    (-np.inf, say("unacceptable")),
)

_FACTORS = ("repurchase_drivers.factor",)
_ITEMS = ("repurchase_drivers.item",)


def check_suitability(
    correlations: Correlations, *, straight: StraightLining | None = None
) -> tuple[Check, ...]:
    """Judge whether the items can be factored; each check in words.

    Parameters
    ----------
    correlations : Correlations
    straight : StraightLining, optional
        None where the items are not questions of one scale.
    """
    if len(correlations.items) < 2:
        name = say("There are items to factor")
        text = say(
            "Factors need three items or more that vary; {count:count} can be correlated.",
            count=len(correlations.items),
        )
        spread = _check_spread(correlations) if correlations.left_out else ()
        return (Check(name, False, text), *spread)
    return (
        _check_size(correlations),
        _check_missing(correlations),
        *_check_spread(correlations),
        *(() if straight is None else (_check_straight(straight),)),
        _check_repair(correlations),
        _check_kmo(correlations),
        _check_bartlett(correlations),
    )


def suitability_to_show(correlations: Correlations) -> pd.DataFrame:
    """Return a table for a report, one row per item asked for.

    Returns
    -------
    DataFrame
        ``item``, ``missing_share`` (a count would tell how few answered), ``kmo`` (nothing where
        left out), ``kaiser`` (his word for it), ``why_left_out``.
    """
    by_item = dict(zip(correlations.items, kmo(correlations.matrix)[1], strict=True))
    rows = [
        {
            "item": correlations.name(item),
            "missing_share": round(missing / max(correlations.rows, 1), 2),
            "kmo": by_item.get(item, np.nan),
            "kaiser": _word(by_item.get(item, np.nan)),
            "why_left_out": correlations.left_out.get(item, ""),
        }
        for item, missing in correlations.missing.items()
    ]
    return pd.DataFrame(rows, columns=["item", "missing_share", "kmo", "kaiser", "why_left_out"])


def _word(value: float) -> Message | str:
    return next((word for least, word in _KAISER if value >= least), "")


def _quoted(correlations: Correlations, items: Sequence[str]) -> Message | str:
    return listed([say("“{item}”", item=correlations.name(item)) for item in items])


def _check_size(correlations: Correlations) -> Check:
    n, k = correlations.n, len(correlations.items)
    facts = {
        "items": k,
        "n": n,
        "rows": ROWS,
        "each": ROWS_EACH,
        "needed": max(ROWS, ROWS_EACH * k),
    }
    if correlations.treatment == "pairwise":
        text = say(
            "Each correlation of the {items:count} items rests on {n:customers} rows or more; "
            "factors need {rows:count}, and {each:count} for each item: {needed:count}.",
            **facts,
        )
    else:
        text = say(
            "The correlations of the {items:count} items rest on {n:customers} rows; factors need "
            "{rows:count}, and {each:count} for each item: {needed:count}.",
            **facts,
        )
    return Check(say("There are enough rows"), n >= max(ROWS, ROWS_EACH * k), text)


def _check_missing(correlations: Correlations) -> Check:
    name = say("Missing answers hardly matter")
    missing = {item: correlations.missing[item] for item in correlations.items}
    if not any(missing.values()):
        return Check(name, True, say("None of the items that are used lacks an answer."))
    worst = max(missing, key=lambda item: missing[item])
    share = missing[worst] / correlations.rows
    facts = {
        "share": share,
        "item": correlations.name(worst),
        "limit": MISSING,
    }
    if correlations.treatment == "listwise":
        text = say(
            "Rows with a missing answer are left out. Most are missing of “{item}”: "
            "{share:percent0}; up to {limit:percent0} passes.",
            **facts,
        )
    elif correlations.treatment == "mean":
        text = say(
            "The item's mean stands for a missing answer. Most are missing of “{item}”: "
            "{share:percent0}; up to {limit:percent0} passes.",
            **facts,
        )
    else:
        text = say(
            "Each correlation uses the rows that have both items. Most answers are missing of "
            "“{item}”: {share:percent0}; up to {limit:percent0} passes.",
            **facts,
        )
    return Check(name, bool(share <= MISSING), text, _FACTORS)


def _check_spread(correlations: Correlations) -> tuple[Check, ...]:
    name = say("Every item tells something of its own")
    if not correlations.left_out:
        return (Check(name, True, say("All items vary, and none follows exactly from others.")),)
    return tuple(Check(name, False, text, _ITEMS) for text in correlations.left_out.values())


def _check_straight(straight: StraightLining) -> Check:
    name = say("Respondents tell items apart")
    if not straight.n:
        return Check(name, None, say("Nobody answered every item."))
    text = say(
        "{alike:customers} of {n:customers} respondents who answered every item gave one same "
        "answer throughout; up to {limit:percent0} passes. More would make all items look related.",
        alike=straight.alike,
        n=straight.n,
        limit=ALIKE,
    )
    return Check(name, bool(straight.share <= ALIKE), text, _FACTORS)


def _check_repair(correlations: Correlations) -> Check:
    name = say("The correlations fit together")
    if not correlations.repaired:
        text = say("They are positive definite: one set of rows can have them all.")
        return Check(name, True, text)
    text = say(
        "They are not positive definite, as happens with few rows, and when pairs rest on rows "
        "that differ. The nearest that are stand for them; no correlation changes by more than "
        "{change:number3}, and up to {limit:number2} passes.",
        change=correlations.change,
        limit=CHANGE,
    )
    return Check(name, bool(correlations.change <= CHANGE), text, _FACTORS)


def _check_kmo(correlations: Correlations) -> Check:
    name = say("Items share what factors can explain (KMO)")
    overall, by_item = kmo(correlations.matrix)
    if correlations.n <= len(correlations.items):
        text = say("It cannot be judged from no more rows than items.")
        return Check(name, None, text, _FACTORS)
    if correlations.change > CHANGE:
        text = say("It cannot be judged by correlations that were changed as much as these.")
        return Check(name, None, text, _FACTORS)
    if np.isnan(overall):
        text = say("The measure of Kaiser, Meyer and Olkin is not known: no items are related.")
        return Check(name, False, text, _FACTORS)
    lowest = int(np.nanargmin(by_item))
    low = [
        item for item, value in zip(correlations.items, by_item, strict=True) if value < KMO_ITEM
    ]
    facts = {
        "kmo": overall,
        "word": _word(overall),
        "limit": KMO,
        "item": correlations.name(correlations.items[lowest]),
        "lowest": by_item[lowest],
    }
    if low:
        text = say(
            "{kmo:number2}, in Kaiser's words {word}; {limit:number1} is needed. Below "
            "{least:number1}, and hardly part of any factor: {items}.",
            **facts,
            least=KMO_ITEM,
            items=_quoted(correlations, low),
        )
    else:
        text = say(
            "{kmo:number2}, in Kaiser's words {word}; {limit:number1} is needed. The lowest of an "
            "item is {lowest:number2}, of “{item}”.",
            **facts,
        )
    return Check(name, bool(overall >= KMO), text, _FACTORS)


def _check_bartlett(correlations: Correlations) -> Check:
    name = say("Items are related at all (Bartlett's test)")
    chi2, df, p = bartlett(correlations.matrix, correlations.n)
    if np.isnan(p) or correlations.n <= len(correlations.items):
        text = say("Bartlett's test cannot be made from so few rows.")
        return Check(name, None, text, _FACTORS)
    facts = {"chi2": chi2, "df": df, "p": p}
    if p < 0.05:
        text = say(
            "Beyond chance: chi-squared {chi2:number1} with {df:count} degrees of freedom, "
            "p {p:chance}.",
            **facts,
        )
        return Check(name, True, text, _FACTORS)
    text = say(
        "No more than by chance: chi-squared {chi2:number1} with {df:count} degrees of freedom, "
        "p {p:chance}.",
        **facts,
    )
    return Check(name, False, text, _FACTORS)
