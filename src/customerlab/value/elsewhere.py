"""What a bank's customers hold elsewhere, by the kind of customer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import ibis.expr.types as ir
import numpy as np
import pandas as pd

from customerlab.calendar_months import whole_months
from customerlab.features import AGE_BANDS, band
from customerlab.findings import Finding
from customerlab.messages import Message, say
from customerlab.params import Params
from customerlab.value.real import Real
from customerlab.value.wallet import Wallets, estimate_wallets, score_wallets
from customerlab.value.wallet_groups import wallet_groups

#: What says how much customers own; how much of it is here must not be told by it.
KINDS = ("age_band", "occupation", "region", "gender")


@dataclass(frozen=True)
class Elsewhere:
    """What is held elsewhere.

    Attributes
    ----------
    wallets : Wallets
    scored : table
        Of :func:`customerlab.value.wallet.score_wallets`.
    groups : DataFrame
        Of :func:`customerlab.value.wallet_groups.wallet_groups`, by age where it is known; no rows
        where customers are of no kind that is known.
    bank : bool
        A shop's customers hold nothing: all is empty.
    """

    wallets: Wallets
    scored: ir.Table
    groups: pd.DataFrame
    bank: bool

    @property
    def findings(self) -> tuple[Finding, ...]:
        """``customer_value.held_elsewhere``."""
        return (self.wallets.finding,) if self.bank else ()

    @property
    def notes(self) -> tuple[Message, ...]:
        """Why nothing is estimated of a shop's customers."""
        return () if self.bank else (say("What customers hold elsewhere is told of a bank's."),)


def estimate_elsewhere(
    real: Real, params: Params, keep: Callable[[ir.Table], ir.Table], rng: np.random.Generator
) -> Elsewhere:
    """Estimate what the valid customers hold elsewhere.

    Parameters
    ----------
    real : Real
    params : Params
    keep : callable
        Works a table out once.
    rng : Generator
    """
    valid = real.customers.filter(real.customers.layer == "valid")
    if not real.bank:
        valid = valid.limit(0)
    if "birth_date" in valid.columns:
        age = whole_months(valid.birth_date, params.snapshot)
        valid = valid.mutate(age_band=band(age, AGE_BANDS))
    kinds = [name for name in KINDS if name in valid.columns] or ["layer"]
    valid = keep(valid.select("customer_id", "assets", *kinds))
    wallets = estimate_wallets(
        valid, kinds, rng=rng, quantile=params.customer_value.wallet_quantile
    )
    scored = keep(score_wallets(valid, wallets))
    groups = wallet_groups(scored, valid, kinds[0])
    if kinds == ["layer"]:
        groups = groups.iloc[:0]
    return Elsewhere(wallets, scored, groups, real.bank)
