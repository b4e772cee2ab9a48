"""What a report shows of items and factors, and what may be trusted."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from customerlab.drivers.adequacy import straight_lining
from customerlab.drivers.behaviour import driver_name
from customerlab.drivers.correlations import Correlations
from customerlab.drivers.designed import Designed, compare_design
from customerlab.drivers.factor_count import FactorCount
from customerlab.drivers.factors import ALIKE, Factors
from customerlab.drivers.importance import measure_performance
from customerlab.drivers.moments import Moments
from customerlab.drivers.observing import Asked
from customerlab.drivers.reliability import RELIABLE, Reliability
from customerlab.drivers.suitability import check_suitability
from customerlab.drivers.survey import answers_to_show
from customerlab.findings import Check
from customerlab.messages import Message, say

#: What a page shows of the questions and of the ways to count factors.
ASKED_SHOWN = ["item", "answered", "missing_share", "off_scale", "least", "most"]
COUNT_SHOWN = ["factors", "eigenvalue", "random_95", "map"]

_FACTORS = ("repurchase_drivers.weight", "repurchase_drivers.top_driver")


def asked_to_show(asked: Asked, min_cell: int) -> pd.DataFrame:
    """Return the questions of a survey as a report may show them; empty for behaviour."""
    if asked.survey is None:
        return pd.DataFrame(columns=ASKED_SHOWN)
    return answers_to_show(asked.survey, min_cell)


def factor_correlations_to_show(
    fitted: Factors, names: Mapping[str, Message | str]
) -> pd.DataFrame:
    """Return how the factors go together, named for readers."""
    table = fitted.correlations
    named = {column: [names[name] for name in table[column]] for column in ("factor", "other")}
    return table.assign(**named)


def reliability_to_show(reliable: Reliability, names: Mapping[str, Message | str]) -> pd.DataFrame:
    """Return the reliability of the factors, named for readers."""
    factor = [names[name] for name in reliable.table["factor"]]
    return reliable.table.assign(factor=factor)


def rate_factors(asked: Asked, fitted: Factors, moments: Moments) -> dict[str, float]:
    """Return how well each factor is rated, 0 to 100, by the items that belong to it.

    Nothing where items share no scale.
    """
    if asked.survey is None:
        return {}
    seen = asked.survey.answers.set_index("item").loc[list(fitted.items)]
    own = fitted.items_told["factor"].to_numpy()
    made_of = {
        name: {fitted.items[i]: fitted.pattern[i, place] for i in np.flatnonzero(own == name)}
        for place, name in enumerate(fitted.names)
    }
    scale = (float(seen["least"].min()), float(seen["most"].max()))
    return measure_performance(moments, made_of, scale)


def weights_to_write(shown: pd.DataFrame) -> pd.DataFrame:
    """Return the weights for a table; of a 0/1 outcome the changes are shares of customers."""
    names = {"effect": "effect_points"} if shown["binary"].any() else {}
    return shown.drop(columns="binary").rename(columns=names)


def check_drivers(
    asked: Asked,
    correlations: Correlations,
    count: FactorCount,
    fitted: Factors,
    reliable: Reliability,
    designed: Designed,
) -> tuple[Check, ...]:
    """Judge whether the factors may be built on, and are those designed; each check in words."""
    straight = None if asked.survey is None else straight_lining(asked.table, correlations.items)
    return (
        *asked.checks,
        *check_suitability(correlations, straight=straight),
        Check(say("The ways to count factors agree"), count.agreed, count.text),
        *compare_design(fitted, designed, item_name=driver_name),
        _check_stable(fitted),
        _check_reliable(reliable),
    )


def _check_stable(fitted: Factors) -> Check:
    name = say("The same factors come out of other samples")
    lowest = fitted.table["congruence_low"].astype(float).min()
    if pd.isna(lowest):
        return Check(name, None, say("Too few resamples could be factored to tell."))
    text = say(
        "In 95 of 100 resamples the least stable factor is like the one found: congruence "
        "{lowest:number2} or more; from {enough:number2} on factors count as similar.",
        lowest=lowest,
        enough=ALIKE,
    )
    return Check(name, bool(lowest >= ALIKE), text, _FACTORS)


def _check_reliable(reliable: Reliability) -> Check:
    name = say("Each factor's items measure one thing")
    omega = reliable.table["omega"].astype(float)
    if omega.isna().all():
        return Check(name, None, say("There is no factor to judge."))
    text = say(
        "The lowest omega of a factor is {omega:number2}; from {enough:number1} on its items "
        "measure one thing well enough.",
        omega=omega.min(),
        enough=RELIABLE,
    )
    return Check(name, bool(omega.min() >= RELIABLE), text, _FACTORS)
