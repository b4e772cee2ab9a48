"""From which chance on to contact, as far as costs and margins are known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from customerlab.findings import Finding
from customerlab.params import Params
from customerlab.response.contacts import Contacts
from customerlab.response.cutoff import CURVE, RULE_COLUMNS, Cutoff, best_cutoff, cutoff_by_cost
from customerlab.response.cutoff_answers import (
    by_cost_to_show,
    curve_to_show,
    rules_to_show,
    tell_cutoff,
)
from customerlab.response.margins import Margins, margins_of
from customerlab.response.modelling import Model


@dataclass(frozen=True)
class Decision:
    """The cut-off, or how it would depend on costs.

    Attributes
    ----------
    margins : Margins
    cutoff : Cutoff or None
        None where nothing is priced.
    by_cost : DataFrame
        Of :func:`customerlab.response.cutoff.cutoff_by_cost`, where nothing is priced.
    """

    margins: Margins
    cutoff: Cutoff | None
    by_cost: pd.DataFrame

    def findings(self, min_cell: int) -> tuple[Finding, ...]:
        """Return the cut-off, what it saves and what a response costs; or what is lacking."""
        if self.cutoff is not None:
            return tell_cutoff(self.cutoff, min_cell)
        id_, why = "response_model.cutoff", self.margins.why_not
        return (Finding(id_, why, unit="percent", status="not_enough_data"),)

    def curve(self, min_cell: int) -> pd.DataFrame:
        """Return the profit by share contacted; no rows where nothing is priced."""
        if self.cutoff is None:
            return pd.DataFrame(columns=CURVE)
        return curve_to_show(self.cutoff, min_cell)

    def rules(self, min_cell: int) -> pd.DataFrame:
        """Return the rules side by side; no rows where nothing is priced."""
        if self.cutoff is None:
            return pd.DataFrame(columns=RULE_COLUMNS)
        return rules_to_show(self.cutoff, min_cell)

    @property
    def costs(self) -> list[pd.DataFrame]:
        """The cut-off by cost over margin, to draw; none where costs are known."""
        return [by_cost_to_show(self.by_cost)] if self.cutoff is None else []


def decide(contacts: Contacts, model: Model, params: Params, rng: np.random.Generator) -> Decision:
    """Find the cut-off that earns most, on contacts that the model had not seen.

    Parameters
    ----------
    contacts : Contacts
    model : Model
    params : Params
        ``response_model``: costs, margins, capacity and the bank's own cut-off.
    rng : Generator
    """
    settings, margins = params.response_model, margins_of(contacts, params)
    today = contacts.today
    customers = len(contacts.responded) if today is None else int(today.count().execute())
    asked = {"capacity": settings.capacity, "customers": customers}
    judged = contacts.responded, model.chance
    if not margins.priced:
        return Decision(margins, None, cutoff_by_cost(*judged, **asked))
    cutoff = best_cutoff(
        *judged,
        rng,
        contact_cost=margins.cost,
        margin=margins.mean,
        own=settings.cutoff,
        customer=contacts.customer,
        **asked,
    )
    return Decision(margins, cutoff, pd.DataFrame())
