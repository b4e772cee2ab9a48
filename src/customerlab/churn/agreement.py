"""The monthly model, Cox's and the model of lengths, side by side: whether they say the same."""

from __future__ import annotations

import numpy as np
import pandas as pd

from customerlab.churn.aft import DISTRIBUTIONS, Aft
from customerlab.churn.cox import Cox
from customerlab.churn.hazard import Hazard, Z
from customerlab.churn.levels import OTHER
from customerlab.features import feature_name, level_name
from customerlab.findings import Check
from customerlab.messages import say, yes_or_no

#: Two ratios that differ by less than this factor say the same, however narrow their intervals.
_CLOSE = 1.1

_COMPARED = ["term", "level", "reference", "hazard_ratio", "low", "high"]
_COMPARED += ["cox_ratio", "cox_low", "cox_high", "time_ratio", "time_low", "time_high"]
_COMPARED += ["cox_agrees", "time_agrees"]


def compare_models(
    hazard: Hazard, cox: Cox, aft: Aft, *, clock: str = "tenure_band"
) -> pd.DataFrame:
    """Put the monthly model, Cox's and the one of lengths side by side.

    Parameters
    ----------
    hazard : Hazard
    cox : Cox
    aft : Aft
    clock : str
        The monthly model's baseline, which the others have no ratio for.

    Returns
    -------
    DataFrame
        ``term``, ``level``, ``reference`` (the monthly model's, with which all three compare),
        ``hazard_ratio`` of the monthly model with ``low`` and ``high``; ``cox_ratio``,
        ``cox_low``, ``cox_high``; ``time_ratio``, ``time_low``, ``time_high``; ``cox_agrees``:
        Cox's ratio lies within the monthly model's interval, or within 10 % of its ratio (both
        rest on the same exits, so their intervals say little about the difference);
        ``time_agrees``: a higher hazard goes with a shorter stay, or one of the two intervals
        holds 1. Missing where a model does not have that level, or has no such level of its own
        (``other`` may not mean the same in two models).
    """
    rows = []
    for term in hazard.terms if hazard.fitted else ():
        if term.term == clock:
            continue
        mine = hazard.table.loc[(hazard.table["term"] == term.term) & ~hazard.table["reference"]]
        coxs, times = (_against(model, term.term, term.reference) for model in (cox, aft))
        for row in mine.itertuples():
            ours = (row.hazard_ratio, row.low, row.high)
            nothing = (float("nan"),) * 3
            theirs, time = coxs.get(row.level, nothing), times.get(row.level, nothing)
            agrees = _agrees(ours, theirs), _opposite(ours, time)
            rows.append((row.term, row.level, term.reference, *ours, *theirs, *time, *agrees))
    table = pd.DataFrame(rows, columns=_COMPARED)
    return table.astype({"cox_agrees": "boolean", "time_agrees": "boolean"})


def _against(model: Cox | Aft, term: str, reference: str) -> dict[str, tuple[float, float, float]]:
    """Return ratio, low and high of each level against another reference than the model's."""
    at = {
        level: i for i, level in enumerate(model.table["level"]) if model.table["term"][i] == term
    }
    known = [*at, model.references.get(term)]
    if reference not in known or OTHER in (reference, model.references[term]):
        return {}
    b, found = model.table["coefficient"].to_numpy(float), {}
    for level in known:
        if level in (reference, OTHER):
            continue
        contrast = np.zeros(len(b))
        for name, sign in ((level, 1.0), (reference, -1.0)):
            if name in at:
                contrast[at[name]] += sign
        log_ratio, half = contrast @ b, Z * np.sqrt(contrast @ model.covariance @ contrast)
        ratio, low, high = np.exp([log_ratio, log_ratio - half, log_ratio + half])
        found[level] = float(ratio), float(low), float(high)
    return found


def _agrees(ours: tuple[float, ...], theirs: tuple[float, ...]) -> bool | None:
    if np.isnan(theirs[0]):
        return None
    close = abs(np.log(theirs[0] / ours[0])) <= np.log(_CLOSE)
    return bool(close or ours[1] <= theirs[0] <= ours[2])


def _opposite(ours: tuple[float, ...], time: tuple[float, ...]) -> bool | None:
    if np.isnan(time[0]):
        return None
    open_question = ours[1] <= 1 <= ours[2] or time[1] <= 1 <= time[2]
    return bool(open_question or (ours[0] > 1) != (time[0] > 1))


def check_agreement(
    compared: pd.DataFrame, *, weakens: tuple[str, ...] = ("churn_timing.main_sign",)
) -> Check:
    """Say whether Cox's model gives the ratios of the monthly model; see :func:`compare_models`."""
    name = say("Cox and the monthly model agree")
    both = compared.loc[compared["cox_agrees"].notna()]
    if both.empty:
        return Check(name, None, say("No ratio that both models have."), weakens)
    gap = np.log(both["cox_ratio"].astype(float) / both["hazard_ratio"].astype(float)).abs()
    apart = both.loc[~both["cox_agrees"].astype(bool)]
    most = both.loc[gap[apart.index if len(apart) else both.index].idxmax()]
    timed = both.loc[both["time_agrees"].notna(), "time_agrees"]
    values = {
        "agree": len(both) - len(apart),
        "n": len(both),
        "feature": feature_name(most["term"]),
        "level": level_name(most["term"], most["level"]),
        "monthly": most["hazard_ratio"],
        "cox": most["cox_ratio"],
        "same": int(timed.sum()),
        "timed": len(timed),
    }
    text = (
        say(
            "{agree:count} of {n:count} ratios are the same in both, within the monthly model's "
            "interval or within 10 %. They differ most for “{feature}: {level}”: {monthly:number2} "
            "by the month, {cox:number2} by Cox.",
            **values,
        )
        if timed.empty
        else say(
            "{agree:count} of {n:count} ratios are the same in both, within the monthly model's "
            "interval or within 10 %. They differ most for “{feature}: {level}”: {monthly:number2} "
            "by the month, {cox:number2} by Cox. The model of lengths points the same way for "
            "{same:count} of {timed:count}.",
            **values,
        )
    )
    return Check(name, apart.empty, text, weakens)


def in_words(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table of these models with features, levels and laws as readers know them."""
    found = table.copy()
    for column in ("level", "reference"):
        if column in table:
            pairs = zip(table["term"], table[column], strict=True)
            names = [level_name(term, level) if level else "" for term, level in pairs]
            found[column] = pd.Series(names, index=table.index, dtype=object)
    if "term" in table:
        names = [feature_name(term) if term else "" for term in table["term"]]
        found["term"] = pd.Series(names, index=table.index, dtype=object)
    for column in ("cox_agrees", "time_agrees"):
        if column in table:
            found[column] = [yes_or_no(one) for one in table[column]]
    if "distribution" in table:
        names = [DISTRIBUTIONS[name] for name in table["distribution"]]
        found["distribution"] = pd.Series(names, index=table.index, dtype=object)
    return found
