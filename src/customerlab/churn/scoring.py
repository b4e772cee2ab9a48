"""From the model to the customers who are here: totals, groups, scores, and whether it holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import ibis
import ibis.expr.types as ir
import pandas as pd

from customerlab.churn.curves import FEW_EVENTS
from customerlab.churn.forecast import Forecast, forecast, score_name
from customerlab.churn.hazard import Hazard
from customerlab.churn.months_here import MONTHS_HERE, months_names
from customerlab.churn.outlook import Outlook
from customerlab.churn.reasons import MOST, reason_in_words
from customerlab.churn.stays import Stays
from customerlab.features import feature_name, level_name
from customerlab.findings import Check
from customerlab.layers import ACTIVE
from customerlab.messages import Words, say

#: Below this share of known days of joining, time since joining is not to be trusted.
MOST_KNOWN = 0.95


def forecast_here(
    outlook: Outlook,
    stays: Stays,
    horizons_months: Sequence[int],
    customers: ir.Table | None = None,
    causes: Mapping[str, Hazard] | None = None,
    months_here: Sequence[int] = MONTHS_HERE,
) -> Forecast | None:
    """Return the chances of leaving of the active customers who are here.

    Parameters
    ----------
    outlook : Outlook
    stays : Stays
    horizons_months : sequence of int
    customers : table, optional
        With ``layer``: only valid and potential active customers are looked at; with ``assets``:
        they are added up in ``assets`` of the forecast's cells.
    causes : mapping of str to Hazard, optional
        The models of causes: see :func:`customerlab.churn.forecast.forecast`.
    months_here : sequence of int
        Of so many months it is told for how many of them each customer is expected to be here.

    Returns
    -------
    Forecast or None
        None without a model, or without anyone to score.
    """
    if not outlook.fitted:
        return None
    here, sums = stays.here, []
    if customers is not None:
        active = _active(customers).select(whose="customer_id", assets="assets")
        here = here.inner_join(active, [("customer_id", "whose")]).drop("whose")
        here, sums = here.mutate(assets=here.assets.fill_null(0)), ["assets"]
    if not here.count().execute():
        return None
    # a group may be one of tenure, also where no model uses it
    by = dict.fromkeys(["tenure_band", *stays.groups, *stays.covariates])
    more = {"sums": sums, "causes": causes, "months_here": months_here}
    return forecast(outlook, here, horizons_months, by=[*by], **more)


def score_customers(
    expected: Forecast | None,
    stays: Stays,
    horizons_months: Sequence[int],
    words: Words,
    customers: ir.Table | None = None,
) -> ir.Table:
    """Return a row for every active customer, with the chance of leaving within each horizon.

    Parameters
    ----------
    expected : Forecast or None
    stays : Stays
    horizons_months : sequence of int
    words : Words
        Puts the reasons into the report's language.
    customers : table, optional
        With ``layer``; without it everyone of a prepared table who is here.

    Returns
    -------
    table
        ``customer_id``, ``still_here`` (the chance that they have not left unnoticed; 0 for those
        silent for as long as the idle rule asks) and, given that they are still here,
        ``leave_within_<h>_months``, with several exits ``<exit>_within_<h>_months``,
        ``months_left_median`` (missing beyond 24), ``months_left_mean`` (of the next 24), and
        ``reason_1`` and ``reason_2`` in words; null without a model. ``months_here_<m>`` (of the
        next 3, 6 and 12 unless others were asked for) with the 95 % interval ``_low`` to
        ``_high`` is what is expected of everybody: months given that they are still here, times
        ``still_here``, so 0 for those silent for as long as the idle rule asks; that some of these
        come back is not counted. The intervals come from the coefficients, whose errors all
        customers share: the sum of the lows to the sum of the highs is at least wide enough for
        a sum over customers. Empty where customers have no number.
    """
    people = stays.here if customers is None else _active(customers)
    people = people.select("customer_id")
    if not stays.named:
        people = people.limit(0)
    kinds = [None, *(stays.exits if len(stays.exits) > 1 else ())]
    names = [score_name(horizon, kind) for horizon in horizons_months for kind in kinds]
    lived = months_names(MONTHS_HERE if expected is None else expected.months_here)
    names += ["months_left_median", "months_left_mean", *lived]
    reasons = [f"reason_{place + 1}" for place in range(MOST)]
    if expected is None:
        unknown = {name: ibis.null("float64") for name in ("still_here", *names)}
        return people.mutate(**unknown, **{name: ibis.null("string") for name in reasons})
    scores = expected.scores.rename(scored_id="customer_id")
    joined = people.left_join(scores, [("customer_id", "scored_id")])
    codes = {code for name in reasons for code in expected.cells[name].dropna()}
    said = {
        name: ibis.cases(
            *((joined[name] == code, words(reason_in_words(code))) for code in sorted(codes)),
            else_=ibis.null("string"),
        )
        if codes
        else ibis.null("string")
        for name in reasons
    }
    filled = {name: joined[name].fill_null(0.0) for name in ("still_here", *lived)}
    joined = joined.mutate(**filled, **said)
    return joined.select("customer_id", "still_here", *names, *reasons)


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
    if stays.passed_over:
        text = say(
            "Too many different values to be a category: {columns}. Name them under covariates to "
            "use them all the same.",
            columns=", ".join(stays.passed_over),
        )
        checks.append(Check(say("Every column could be used"), None, text))
    return tuple(checks)
