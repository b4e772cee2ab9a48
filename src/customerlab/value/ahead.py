"""What a shop's customers will buy: the models of purchases and amounts, put to the test."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import ibis
import ibis.expr.types as ir
import pandas as pd

from customerlab.calendar_months import months_before
from customerlab.drivers.purchases import purchases
from customerlab.findings import STATUSES, Check, Finding
from customerlab.landmarks import as_of
from customerlab.messages import Message, say
from customerlab.params import ANY_PRODUCT, Params
from customerlab.value.bgnbd import BgNbd, fit_bgnbd
from customerlab.value.gamma_gamma import GammaGamma, fit_gamma_gamma
from customerlab.value.histories import (
    count_histories,
    count_spending,
    count_weeks,
    histories,
    purchase_days,
)
from customerlab.value.holdout import HoldOut, judge_holdout
from customerlab.value.outlook import Outlook, foretell, score_customers
from customerlab.value.real import Real
from customerlab.value.rfm import sales

#: The hold-out is half a year, or a third of what is known where that is shorter.
HOLDOUT_DAYS, PART = 183, 3
#: The models in words, and those of their numbers that have a meaning of their own.
MODELS = {"bg_nbd": say("purchases (BG/NBD)"), "gamma_gamma": say("amounts (gamma-gamma)")}
PARAMETERS = {
    "purchases_per_week": say("purchases a week of a customer who has not stopped"),
    "stop_chance": say("chance to stop after a purchase"),
    "mean_paid": say("mean paid for a purchase"),
}
#: From so many customers on the models learn from times in weeks, and amounts to one in a hundred.
MANY = 200_000


@dataclass(frozen=True)
class Ahead:
    """What is foretold of a shop's customers.

    Attributes
    ----------
    model : BgNbd
    paid : GammaGamma
    outlook : Outlook
    held : HoldOut
        The same model fitted at `landmark`, and what followed.
    scores : table
        Of :func:`customerlab.value.outlook.score_customers`, today.
    then : table
        ``customer_id``, ``value`` as foretold at the landmark for the longest horizon, by which
        customers are ranked, and ``next_spend``, the margin of what they bought until today.
    landmark : date
    margin : float
        What is earned of each unit paid.
    note : Message
        Which margin that is.
    bank : bool
        Whether nothing is foretold here, for customers have accounts.
    """

    model: BgNbd
    paid: GammaGamma
    outlook: Outlook
    held: HoldOut
    scores: ir.Table
    then: ir.Table
    landmark: dt.date
    margin: float
    note: Message
    bank: bool

    @property
    def texts(self) -> tuple[Message, ...]:
        """What the forecast is of, and how it did."""
        if self.bank:
            return (_BANK,)
        return self.note, self.model.text, self.paid.text, self.held.text

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is to be expected."""
        return self.outlook.findings

    @property
    def checks(self) -> tuple[Check, ...]:
        """Whether the models may be relied on."""
        return () if self.bank else (*self.held.checks, self.paid.check)


_BANK = say(
    "A bank's customers are worth what they hold for as long as they stay, as told below: what "
    "they buy by card is not foretold."
)


def look_ahead(real: Real, params: Params, keep: Callable[[ir.Table], ir.Table]) -> Ahead:
    """Fit the models today and at a landmark, and foretell.

    Parameters
    ----------
    real : Real
        Of a bank nothing is foretold: all tables are empty.
    params : Params
        ``customer_value`` and ``snapshot``.
    keep : callable
        Works a table out once.
    """
    settings, day, tables = params.customer_value, params.snapshot, real.tables
    bought = purchase_days(purchases(as_of(tables, day)))
    days = keep(bought.limit(0) if real.bank else bought)
    first, buyers = (
        days.aggregate(a=days.day.min(), b=days.customer_id.nunique()).to_pandas().iloc[0]
    )
    span = 0 if pd.isna(first) else (day - pd.Timestamp(first).date()).days
    landmark = day - dt.timedelta(days=max(min(HOLDOUT_DAYS, span // PART), 1))
    grain, step = (7, 0.01) if buyers >= MANY else (1, 0.0)
    margin, note = margin_of(tables, settings.margin, day, settings.months)
    past = keep(histories(days, landmark, until=day, grain_days=grain))
    held = judge_holdout(count_histories(past), count_weeks(days, landmark, day))
    now = keep(histories(days, day, grain_days=grain))
    counts = count_histories(now)
    model, paid = fit_bgnbd(counts), fit_gamma_gamma(count_spending(now, step=step))
    horizons = settings.horizons_months
    outlook = foretell(
        model, paid, counts, horizons, margin=margin, min_cell=params.privacy.min_cell
    )
    if grain > 1:  # the models are learnt from rounded histories; a customer's own is exact
        now = keep(histories(days, day))
        counts = count_histories(now)
    scores = keep(score_customers(now, model, paid, counts, horizons, margin=margin))
    spending, longest = count_spending(past, step=step), max(horizons)
    then = _valued_then(days, past, held, spending, landmark, margin, longest)
    told = (landmark, margin, note, real.bank)
    return Ahead(model, paid, outlook, held, scores, keep(then), *told)


def margin_of(
    tables: Mapping[str, ir.Table], margins: Mapping[str, float] | None, day: dt.date, months: int
) -> tuple[float, Message]:
    """Return what is earned of each unit paid, and where that comes from.

    Parameters
    ----------
    tables : mapping of str to table
    margins : mapping of str to float, optional
        By product, or one for :data:`customerlab.params.ANY_PRODUCT`.
    day : date
    months : int
        What was bought in so many months up to the day weighs the products' margins.
    """
    if margins is not None and ANY_PRODUCT in margins:
        share = margins[ANY_PRODUCT]
        return share, say("Value is the margin: {share:percent0} of what is paid.", share=share)
    lines = sales(as_of(tables, day)) if margins is None else _by_product(tables, margins, day)
    lines = lines.filter(lines.day > months_before(day, months))
    known = lines.gained.notnull()
    told = lines.aggregate(
        gained=lines.gained.sum().cast("float64"),
        paid=lines.paid.sum(where=known).cast("float64"),
        all=lines.paid.sum().cast("float64"),
    )
    gained, paid, whole = told.to_pandas().astype(float).fillna(0.0).iloc[0]
    if paid <= 0 or gained <= 0:
        return 1.0, say("Value is what customers pay: no margin of what they bought is known.")
    share = gained / paid
    return share, say(
        "Value is the margin: {share:percent1} of what is paid, the mean of the products that make "
        "up {known:percent0} of the purchases of the last {months:count} months.",
        share=share,
        known=paid / whole,
        months=months,
    )


def _by_product(
    tables: Mapping[str, ir.Table], margins: Mapping[str, float], day: dt.date
) -> ir.Table:
    shares = pd.DataFrame({"product": list(margins), "margin": list(margins.values())})
    return sales({**as_of(tables, day), "products": ibis.memtable(shares)})


def _valued_then(
    days: ir.Table,
    past: ir.Table,
    held: HoldOut,
    spending: pd.DataFrame,
    landmark: dt.date,
    margin: float,
    months: int,
) -> ir.Table:
    """Return what each customer was worth as known at the landmark, and what followed."""
    counts = held.model, fit_gamma_gamma(spending)
    scored = score_customers(past, *counts, count_histories(past), [months], margin=margin)
    after = days.filter(days.day > landmark).group_by(whose="customer_id")
    after = after.aggregate(then=days.paid.sum().cast("float64") * margin)
    both = scored.left_join(after, [("customer_id", "whose")])
    return both.select(
        "customer_id", value=both[f"value_{months}_months"], next_spend=both.then.fill_null(0.0)
    )


def models_to_show(ahead: Ahead, min_cell: int) -> pd.DataFrame:
    """Return the parameters of both models; none that fewer than `min_cell` customers tell."""
    columns = ["model", "parameter", "estimate", "low", "high", "status"]
    parts = []
    for one in (ahead.model, ahead.paid):
        if one.repeaters >= min_cell:
            said = one.table["parameter"].map(lambda name: PARAMETERS.get(name, name))
            model = one.table["model"].map(MODELS)
            status = STATUSES[one.status]
            parts.append(one.table.assign(model=model, parameter=said, status=status))
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)
