"""The loyal of a client in one call: watched, modelled, judged, and today's customers scored."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import ibis
import ibis.expr.types as ir
import pandas as pd

from customerlab.findings import Check, Finding
from customerlab.params import Params
from customerlab.value.loyal import Watched, known_on, watch_loyal
from customerlab.value.loyal_answers import loyal_findings, satisfaction
from customerlab.value.loyal_judged import JudgedLoyal, judge_loyal
from customerlab.value.loyal_model import LoyalModel, fit_loyal, score_loyal
from customerlab.value.real import Real


@dataclass(frozen=True)
class Loyalty:
    """Who is loyal, and what marked them.

    Attributes
    ----------
    watched : Watched
        The year up to the snapshot.
    model : LoyalModel
    judged : JudgedLoyal
        By the year before, where the data reach so far.
    satisfied : DataFrame
        Of :func:`customerlab.value.loyal_answers.satisfaction`.
    scores : table
        ``customer_id``, ``loyal_chance`` of today's active customers.
    """

    watched: Watched
    model: LoyalModel
    judged: JudgedLoyal
    satisfied: pd.DataFrame
    scores: ir.Table

    def findings(self, min_cell: int) -> tuple[Finding, ...]:
        """Return how many are loyal, what marked them, and how satisfied they were."""
        return loyal_findings(self.watched, self.model, self.satisfied, min_cell=min_cell)

    @property
    def checks(self) -> tuple[Check, ...]:
        """Whether the chances came true."""
        return (self.judged.check,)


def find_loyal(real: Real, params: Params, keep: Callable[[ir.Table], ir.Table]) -> Loyalty:
    """Find who stayed loyal in the year up to the snapshot, and who will.

    Parameters
    ----------
    real : Real
    params : Params
    keep : callable
        Works a table out once.
    """
    kinds = params.invalid_customers.not_movements
    how = {"not_movements": kinds, "keep": keep}
    watched = watch_loyal(real.tables, params.snapshot, **how)
    earlier = watch_loyal(real.tables, watched.landmark, **how)
    model = fit_loyal(watched.counts, watched.features)
    judged = judge_loyal(watched, earlier if earlier.rows is not None else None, seed=params.seed)
    if model.fitted:
        today = known_on(real.tables, params.snapshot, watched.features, not_movements=kinds)
        scores = keep(score_loyal(model, keep(today)))
    else:  # what is asked of today may not be there either
        scores = real.customers.select("customer_id", loyal_chance=ibis.null("float64"))
    return Loyalty(watched, model, judged, satisfaction(watched), scores)
