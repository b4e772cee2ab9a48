r"""Who leaves in the next months, customer by customer and in total.

A customer who is here leaves within ``k`` months with chance

.. math:: 1 - \exp\bigl(-\sum_{j<k} \exp(x_j'\beta)\bigr)

where :math:`x_j` are the features ``j`` months on: tenure and age move with the calendar, all
others stay as they are at the snapshot. Customers alike in every feature share one number, which
is computed once and joined back by the engine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from customerlab.cells import cells
from customerlab.churn.hazard import Hazard, Z
from customerlab.churn.levels import as_levels, natural_order
from customerlab.errors import CustomerlabError
from customerlab.person_months import MOVING, UNKNOWN, band, band_of


@dataclass(frozen=True)
class Forecast:
    """What the model expects of the customers who are here.

    Attributes
    ----------
    horizons : tuple of int
        Months.
    scores : ibis table
        ``customer_id``, ``still_here`` (how likely; 1 when the features do not tell) and, per
        horizon, ``leave_within_<h>_months`` for a customer who is.
    cells : DataFrame
        One row per combination of features: its values, ``n`` customers, how many of them are
        expected to be still ``here``, and their chances.
    covariance : ndarray
        Of the model's coefficients.
    gradients : dict of int to ndarray
        Per horizon and cell, how the chance moves with each coefficient.
    """

    horizons: tuple[int, ...]
    scores: ir.Table
    cells: pd.DataFrame
    covariance: np.ndarray
    gradients: dict[int, np.ndarray]

    @property
    def customers(self) -> int:
        """How many customers count as here."""
        return int(self.cells["n"].sum())

    @property
    def here(self) -> float:
        """How many of them are expected to be still here."""
        return float(self.cells["here"].sum())

    def expected(self, by: str | None = None, *, z: float = Z) -> pd.DataFrame:
        """Return how many are expected to leave, overall or by group.

        Parameters
        ----------
        by : str, optional
            A feature of the model, or a column named in ``forecast(..., by=)``.
        z : float
            Half width of the intervals in standard errors.

        Returns
        -------
        DataFrame
            ``group``, ``horizon_months``, ``customers`` who count as here, how many of them are
            expected to be still ``here``, ``expected`` leavers among these with the prediction
            interval ``low`` to ``high`` (what will be counted: uncertain because the coefficients
            are estimated and because chance decides who leaves), their ``share`` of those here,
            and ``share_low`` to ``share_high``: the interval of the expected share, from the
            coefficients alone, which is the one to compare groups by. The estimate of who is
            still here is taken as known.
        """
        group = as_levels(self.cells[by]) if by else pd.Series("all", index=self.cells.index)
        rows = []
        for name in sorted(group.unique(), key=natural_order):
            here = (group == name).to_numpy()
            customers = int(self.cells.loc[here, "n"].sum())
            n = self.cells.loc[here, "here"].to_numpy(dtype=float)
            for horizon in self.horizons:
                p = self.cells.loc[here, _score(horizon)].to_numpy()
                gradient = n @ self.gradients[horizon][here]
                expected, model = float(n @ p), float(gradient @ self.covariance @ gradient)
                wide = z * np.sqrt(model + n @ (p * (1 - p)))
                narrow = z * np.sqrt(model)
                total = max(n.sum(), np.finfo(float).tiny)
                ends = np.clip(
                    [expected - wide, expected + wide, expected - narrow, expected + narrow],
                    0,
                    total,
                )
                share = (expected / total, ends[2] / total, ends[3] / total)
                rows.append((name, horizon, customers, n.sum(), expected, *ends[:2], *share))
        columns = ["group", "horizon_months", "customers", "here", "expected", "low", "high"]
        return pd.DataFrame(rows, columns=[*columns, "share", "share_low", "share_high"])


def forecast(
    hazard: Hazard, features: ir.Table, horizons_months: Sequence[int], *, by: Sequence[str] = ()
) -> Forecast:
    """Return the chances of leaving of every customer in `features`.

    Parameters
    ----------
    hazard : Hazard
        A fitted one.
    features : table
        From :func:`customerlab.person_months.features_at`: ``customer_id``, ``still_here`` (all
        are when there is no such column), ``tenure``,
        ``age_months`` if the model has age bands, and the model's other features.
    horizons_months : sequence of int
    by : sequence of str
        Further columns of `features` by which totals will be asked for.
    """
    if not hazard.fitted:
        raise CustomerlabError(
            f"churn_timing: {hazard.events} exits in the data are too few for a model, "
            "so nobody's chance of leaving can be computed"
        )
    horizons = tuple(sorted(horizons_months))
    terms = [term.term for term in hazard.terms]
    keyed, keys = _keys(features, terms, max(horizons), by)
    counted = cells(keyed, by=[*keys, "still_here"])
    counted["here"] = counted["still_here"] * counted["n"]
    if counted.empty:
        raise CustomerlabError("churn_timing: no customer is here at the snapshot")
    for name, (months, bands) in MOVING.items():
        if months in keys:
            counted[name] = band_of(counted[months].to_numpy(), bands)
    total = np.zeros(len(counted))
    slope = np.zeros((len(counted), len(hazard.coefficients)))
    gradients = {}
    for ahead in range(max(horizons)):
        moved = {
            name: band_of(_ahead(counted[months].to_numpy(), ahead), bands)
            for name, (months, bands) in MOVING.items()
            if months in keys
        }
        design = hazard.design(counted.assign(**moved))
        hazards = np.exp(design @ hazard.coefficients)
        total += hazards
        slope += hazards[:, None] * design
        if ahead + 1 in horizons:
            counted[_score(ahead + 1)] = -np.expm1(-total)
            gradients[ahead + 1] = np.exp(-total)[:, None] * slope
    columns = [_score(horizon) for horizon in horizons]
    chances = ibis.memtable(counted[[*keys, *columns]].drop_duplicates(subset=keys))
    scores = keyed.join(chances, keys).select("customer_id", "still_here", *columns)
    return Forecast(horizons, scores, counted, hazard.covariance, gradients)


def _score(horizon: int) -> str:
    return f"leave_within_{horizon}_months"


def _ahead(months: np.ndarray, ahead: int) -> np.ndarray:
    return np.where(months < 0, months, months + ahead)


def _keys(
    features: ir.Table, terms: Sequence[str], horizon: int, by: Sequence[str]
) -> tuple[ir.Table, list[str]]:
    """Return the table with only what decides a customer's chances, and those columns."""
    columns: dict[str, ir.Value] = {}
    for name in dict.fromkeys([*terms, *by]):
        source, bands = MOVING.get(name, (name, {}))
        moves = name in MOVING and source in features.columns
        if not moves and (name == "tenure_band" or name not in features.columns):
            raise CustomerlabError(f"churn_timing: the customers to score have no {source!r}")
        if moves:
            months = features[source]
            now, later = band(months, bands), band(months + (horizon - 1), bands)
            # within one band to the horizon, all months are alike: the first stands for them
            first = ibis.cases(*((now == label, start) for start, label in bands.items()), else_=-1)
            key = (now == later).ifelse(first, months)
            columns[source] = key.fill_null(-1).cast("int64")
        else:
            columns[name] = features[name].cast("string").fill_null(UNKNOWN)
    here = features.still_here if "still_here" in features.columns else ibis.literal(1.0)
    return features.select("customer_id", still_here=here, **columns), list(columns)
