"""What is said about the loyal: how many, what marks them, and how satisfaction goes with it."""

from __future__ import annotations

import numpy as np
import pandas as pd

from customerlab.churn.curves import status_of
from customerlab.churn.levels import OTHER, natural_order
from customerlab.features import UNKNOWN, feature_name, level_name
from customerlab.findings import STATUSES, Finding
from customerlab.messages import Message, say
from customerlab.uplift.to_show import few_of, hide, rounded, tidy
from customerlab.value.gaps import shares
from customerlab.value.loyal import WORTH, Watched
from customerlab.value.loyal_model import LoyalModel

#: Columns of :func:`satisfaction`.
COLUMNS = ["feature", "level", "customers", "loyal", "share", "low", "high", "status"]

#: What tells of satisfaction, in the order in which it is asked for, and the best level.
_SATISFIED = {"rating": "high", "complaints": "0"}

#: They are held alike and mark nobody: unusual years and moves are followed by usual ones.
_HELD_ALIKE = (WORTH, "trend")

_FIFTHS = {
    "1": say("lowest fifth"),
    "2": say("second lowest fifth"),
    "3": say("middle fifth"),
    "4": say("second highest fifth"),
    "5": say("highest fifth"),
}


def mark_name(feature: str) -> Message | str:
    """Return what a reader calls a feature of the loyal."""
    return say("spent or held before") if feature == WORTH else feature_name(feature)


def mark_level(feature: str, level: str) -> Message | str:
    """Return what a reader calls a level of a feature of the loyal."""
    if level == OTHER:
        return say("all others")
    return _FIFTHS.get(level, level) if feature == WORTH else level_name(feature, level)


def satisfaction(watched: Watched) -> pd.DataFrame:
    """Return how many stayed loyal, by what is known of their satisfaction on the landmark.

    Returns
    -------
    DataFrame
        ``feature`` (``rating``: the third of the scale of the last one; or else ``complaints``:
        unresolved contacts), ``level``, ``customers``, ``loyal``, their ``share``, ``low`` to
        ``high`` (95 %, Wilson), ``status``. Empty where neither is known.
    """
    known = [name for name in _SATISFIED if name in watched.features]
    if not known or not watched.n:
        return pd.DataFrame(columns=COLUMNS)
    feature = known[0]
    sums = watched.counts.groupby(feature, as_index=False)[["n", "events"]].sum()
    order = {"low": 0, "middle": 1, "high": 2, "none": 3} if feature == "rating" else {}
    sums = sums.sort_values(
        feature, key=lambda s: s.map(lambda one: (order.get(one, 0), natural_order(one)))
    )
    sums = sums.rename(columns={feature: "level", "n": "customers", "events": "loyal"})
    sums["share"], sums["low"], sums["high"] = shares(sums["loyal"], sums["customers"])
    sums["status"] = [status_of(n) for n in sums["customers"]]
    return sums.assign(feature=feature)[COLUMNS].reset_index(drop=True)


def loyal_findings(
    watched: Watched, model: LoyalModel, satisfied: pd.DataFrame, *, min_cell: int = 1
) -> tuple[Finding, ...]:
    """Return ``customer_value.loyal_share``, ``.loyal_mark`` and ``.satisfied_loyal``.

    Only the first where nobody could be watched.

    Parameters
    ----------
    watched : Watched
    model : LoyalModel
        Of :func:`customerlab.value.loyal_model.fit_loyal` on ``watched.counts``.
    satisfied : DataFrame
        Of :func:`satisfaction`.
    min_cell : int
        No share is said that would tell of 1 to so many less one customers.
    """
    if watched.lacking is not None:
        return (_none("loyal_share", watched.lacking, 0),)
    mark = _mark(watched, model, min_cell)
    return _share(watched), mark, _satisfied(watched, satisfied, min_cell)


def _none(name: str, text: Message, n: int, unit: str = "percent") -> Finding:
    return Finding(f"customer_value.{name}", text, unit=unit, n=n, status="not_enough_data")


def _share(watched: Watched) -> Finding:
    n, status = watched.n, status_of(watched.n)
    if status == "not_enough_data":
        text = say("Too few customers were active a year ago to say how many stayed loyal.")
        return _none("loyal_share", text, n)
    found = shares(pd.Series([watched.events]), pd.Series([n]))
    values = tuple(float(one[0]) for one in found)
    facts = dict(zip(("share", "low", "high"), values, strict=True)) | {"n": n}
    facts["landmark"] = watched.landmark
    if watched.bank:
        text = say(
            "Of {n:customers} customers who were active on {landmark:date}, {share:percent0} "
            "({low:percent0} to {high:percent0}) were loyal: a year later they still moved their "
            "accounts and held at least as much.",
            **facts,
        )
    else:
        text = say(
            "Of {n:customers} customers who were active on {landmark:date}, {share:percent0} "
            "({low:percent0} to {high:percent0}) were loyal: in the year after they spent at least "
            "as much as in the year before.",
            **facts,
        )
    return Finding("customer_value.loyal_share", text, *values, unit="percent", n=n, status=status)


def _mark(watched: Watched, model: LoyalModel, min_cell: int) -> Finding:
    if not model.fitted:
        text = say("Too few stayed loyal, or did not, to say what marks the loyal.")
        return _none("loyal_mark", text, watched.n, "number2")
    table = model.table[model.table["marked"] & ~model.table["term"].isin(_HELD_ALIKE)]
    told = table[~table["reference"] & ~table["level"].isin([OTHER])]
    told = told[~few_of(told["n"], told["share"], min_cell)]
    told = told[(told["low"] > 1) | (told["high"] < 1)]
    if told.empty:
        text = say("Nothing that is known of customers clearly marks those who stay loyal.")
        return Finding("customer_value.loyal_mark", text, say("None"), n=watched.n, status="weak")
    # the end nearest to no difference: what is surely largest
    near = np.where(told["odds_ratio"] > 1, np.log(told["low"]), -np.log(told["high"]))
    row = told.iloc[int(np.argmax(near))]
    usual = table[(table["term"] == row["term"]) & table["reference"]].iloc[0]
    feature, more = row["term"], row["odds_ratio"] > 1
    ends = [row["odds_ratio"], row["low"], row["high"]]
    ends = ends if more else [1 / ends[0], 1 / ends[2], 1 / ends[1]]
    facts = {
        **{"feature": mark_name(feature), "level": mark_level(feature, row["level"])},
        **{"usual": mark_level(feature, usual["level"]), "share": row["share"]},
        **dict(zip(("ratio", "low", "high"), ends, strict=True)),
    }
    if more:
        text = say(
            "What marks the loyal most surely is “{feature}: {level}”: {share:percent0} of them "
            "stayed loyal, and the odds are {ratio:number1} times ({low:number1} to "
            "{high:number1}) those of “{usual}”, all else that is known alike. An association.",
            **facts,
        )
    else:
        text = say(
            "What marks those who do not stay loyal most surely is “{feature}: {level}”: "
            "{share:percent0} of them stayed loyal, and the odds of “{usual}” are {ratio:number1} "
            "times ({low:number1} to {high:number1}) theirs, all else that is known alike. An "
            "association.",
            **facts,
        )
    values = tuple(float(row[name]) for name in ("odds_ratio", "low", "high"))
    return Finding(
        "customer_value.loyal_mark",
        text,
        *values,
        unit="number2",
        n=int(row["n"]),
        status=model.status,
    )


def _satisfied(watched: Watched, satisfied: pd.DataFrame, min_cell: int) -> Finding:
    name = "satisfied_loyal"
    if satisfied.empty:
        text = say("No ratings and no contacts tell how satisfaction goes with loyalty.")
        return _none(name, text, watched.n)
    feature = satisfied["feature"].iloc[0]
    best = _SATISFIED[feature]
    told = satisfied[~satisfied["level"].isin(["none", UNKNOWN])]
    sides = told.assign(best=told["level"] == best).groupby("best")[["loyal", "customers"]].sum()
    sides = sides.reindex([True, False], fill_value=0)
    share = sides["loyal"] / sides["customers"].where(sides["customers"] > 0)
    few = int(sides["customers"].min())
    if status_of(few) == "not_enough_data" or few_of(sides["customers"], share, min_cell).any():
        text = say(
            "Too few customers were known to be satisfied, or dissatisfied, a year ago to say how "
            "that goes with loyalty."
        )
        return _none(name, text, few)
    from statsmodels.stats.proportion import confint_proportions_2indep  # slow to import

    counts = sides[["loyal", "customers"]].to_numpy().ravel()
    low, high = confint_proportions_2indep(*counts, method="newcomb")
    happy, angry = map(float, share)
    facts = {"feature": feature_name(feature), "best": level_name(feature, best)}
    facts |= {"happy": happy, "angry": angry, "difference": 100 * (happy - angry)}
    facts |= {"low": 100 * low, "high": 100 * high}
    sure = low > 0 or high < 0
    if sure:
        text = say(
            "{happy:percent0} of the customers with “{feature}: {best}” stayed loyal, and "
            "{angry:percent0} of the less satisfied: {difference:number1} percentage points "
            "apart ({low:number1} to {high:number1}). An association.",
            **facts,
        )
    else:
        text = say(
            "Satisfaction does not clearly go with loyalty: {happy:percent0} of the customers with "
            "“{feature}: {best}” stayed loyal, and {angry:percent0} of the less satisfied "
            "({low:number1} to {high:number1} percentage points apart).",
            **facts,
        )
    values = (happy - angry, float(low), float(high))
    n, status = int(sides["customers"].sum()), status_of(few) if sure else "weak"
    return Finding(f"customer_value.{name}", text, *values, unit="percent", n=n, status=status)


def marks_to_show(model: LoyalModel, min_cell: int) -> pd.DataFrame:
    """Return the model as a report may show it, marked features first.

    Customers are rounded to multiples of `min_cell`; a level with few loyal, or few others, shows
    neither share nor ratio.
    """
    table = model.table
    few = few_of(table["n"], table["share"], min_cell)
    numbers = ["odds_ratio", "low", "high", "share"]
    shown = hide(table.assign(share=tidy(table["share"], 3)), numbers, few)
    shown["n"] = rounded(table["n"], min_cell)
    shown["level"] = [mark_level(*one) for one in zip(table["term"], table["level"], strict=True)]
    shown["term"] = [mark_name(term) for term in table["term"]]
    return shown.drop(columns=["p", "loyal"])


def satisfaction_to_show(table: pd.DataFrame, min_cell: int) -> pd.DataFrame:
    """Return the levels of satisfaction as a report may show them."""
    few = few_of(table["customers"], table["share"], min_cell)
    numbers = ["share", "low", "high"]
    shown = hide(table.assign(**{one: tidy(table[one], 3) for one in numbers}), numbers, few)
    shown["customers"] = rounded(table["customers"], min_cell)
    names = [level_name(*one) for one in zip(table["feature"], table["level"], strict=True)]
    shown["level"] = names
    shown["feature"] = [feature_name(one) for one in table["feature"]]
    return shown.assign(status=table["status"].map(STATUSES)).drop(columns="loyal")
