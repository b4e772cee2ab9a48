"""From the model to the customers who are here: totals, groups, scores, and whether it holds."""

from __future__ import annotations

from collections.abc import Sequence

import ibis
import ibis.expr.types as ir
import pandas as pd

from customerlab.churn.answers import check_later_months
from customerlab.churn.curves import FEW_EVENTS
from customerlab.churn.forecast import Forecast, forecast
from customerlab.churn.hazard import Hazard
from customerlab.churn.stays import Stays
from customerlab.findings import Check
from customerlab.layers import ACTIVE
from customerlab.messages import say
from customerlab.person_months import feature_name, level_name

#: Below this share of known days of joining, time since joining is not to be trusted.
MOST_KNOWN = 0.95


def forecast_here(
    hazard: Hazard,
    stays: Stays,
    horizons_months: Sequence[int],
    customers: ir.Table | None = None,
) -> Forecast | None:
    """Return the chances of leaving of the active customers who are here.

    Parameters
    ----------
    hazard : Hazard
    stays : Stays
    horizons_months : sequence of int
    customers : table, optional
        With ``layer``: only valid and potential active customers are looked at.

    Returns
    -------
    Forecast or None
        None without a model, or without anyone to score.
    """
    if not hazard.fitted:
        return None
    here = stays.here
    if customers is not None:
        active = _active(customers).select("customer_id")
        # the select: Ibis 12 cannot join a bare semi-join any further
        here = here.semi_join(active, "customer_id").select(*here.columns)
    if not here.count().execute():
        return None
    return forecast(hazard, here, horizons_months, by=stays.groups)


def score_customers(
    expected: Forecast | None,
    stays: Stays,
    horizons_months: Sequence[int],
    customers: ir.Table | None = None,
) -> ir.Table:
    """Return a row for every active customer, with the chance of leaving within each horizon.

    Parameters
    ----------
    expected : Forecast or None
    stays : Stays
    horizons_months : sequence of int
    customers : table, optional
        With ``layer``; without it everyone of a prepared table who is here.

    Returns
    -------
    table
        ``customer_id``, ``still_here`` (the chance that they have not left unnoticed; 0 for those
        silent for as long as the idle rule asks) and ``leave_within_<h>_months``, given that they
        are still here; null without a model. Empty where customers have no number.
    """
    people = stays.here if customers is None else _active(customers)
    people = people.select("customer_id")
    if not stays.named:
        people = people.limit(0)
    names = [f"leave_within_{horizon}_months" for horizon in horizons_months]
    if expected is None:
        unknown = {name: ibis.null("float64") for name in ("still_here", *names)}
        return people.mutate(**unknown)
    scores = expected.scores.rename(scored_id="customer_id")
    joined = people.left_join(scores, [("customer_id", "scored_id")])
    joined = joined.mutate(still_here=joined.still_here.fill_null(0.0))
    return joined.select("customer_id", "still_here", *names)


def _active(customers: ir.Table) -> ir.Table:
    return customers.filter(customers.layer.isin(ACTIVE))


def by_group(expected: Forecast | None, groups: Sequence[str]) -> list[pd.DataFrame]:
    """Return the expected leavers of each group, for :func:`customerlab.plots.leavers_by_group`."""
    if expected is None:
        return []
    return [_named(expected.expected(group), group) for group in groups]


def _named(table: pd.DataFrame, group: str) -> pd.DataFrame:
    names = [level_name(group, level) for level in table["group"]]
    return (
        table.drop(columns=["low", "high"])
        .assign(group=names, feature=feature_name(group))
        .rename(columns={"share_low": "low", "share_high": "high"})
    )


def ratios_in_words(hazard: Hazard) -> pd.DataFrame:
    """Return the hazard ratios with features and levels as readers know them."""
    table = hazard.table
    return table.assign(
        is_clock=table["term"] == "tenure_band",
        term=[feature_name(term) for term in table["term"]],
        level=[level_name(t, v) for t, v in zip(table["term"], table["level"], strict=True)],
    )


def check_model(stays: Stays, hazard: Hazard) -> tuple[Check, ...]:
    """Judge whether what is said about leaving can be trusted."""
    checks = [
        Check(
            say("Enough customers left to learn from"),
            hazard.events >= FEW_EVENTS,
            say(
                "{events:customers} left; {few:count} are needed.",
                events=hazard.events,
                few=FEW_EVENTS,
            ),
        )
    ]
    checks.append(
        Check(
            say("The day of joining is known"),
            stays.joining_known >= MOST_KNOWN,
            say(
                "Known for {share:percent} of the customers. For the others time counts from the "
                "first movement in the data, so that old customers look new.",
                share=stays.joining_known,
            ),
            weakens=("churn_timing.still_here",),
        )
    )
    if stays.earlier is not None and stays.later is not None:
        checks.append(check_later_months(stays.earlier, stays.later, stays.covariates))
    if stays.passed_over:
        text = say(
            "Too many different values to be a category: {columns}. Name them under covariates to "
            "use them all the same.",
            columns=", ".join(stays.passed_over),
        )
        checks.append(Check(say("Every column could be used"), None, text))
    return tuple(checks)
