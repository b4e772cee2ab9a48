r"""Who leaves in the next months, customer by customer and in total.

A customer who is here leaves within ``k`` months with chance

.. math:: 1 - \exp\bigl(-\sum_{j<k} \exp(x_j'\beta)\bigr)

where :math:`x_j` are the features ``j`` months on: tenure and age move with the calendar, all
others stay as they are at the snapshot. Customers alike in every feature share one number, which
is computed once and joined back by the engine. With several exits the chance of each in month j is
that of having stayed until then times its hazard in that month.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from customerlab.cells import cells
from customerlab.churn.hazard import Hazard, Z
from customerlab.churn.levels import as_levels, natural_order
from customerlab.churn.months_here import bounded, months_names
from customerlab.churn.outlook import Outlook, as_outlook
from customerlab.churn.reasons import find_reasons
from customerlab.errors import CustomerlabError
from customerlab.features import MOVING, UNKNOWN, band, band_of

#: Months left are counted so far; no data reach beyond.
MONTHS_AHEAD = 24


@dataclass(frozen=True)
class Forecast:
    """What the model expects of the customers who are here.

    Attributes
    ----------
    horizons : tuple of int
        Months.
    exits : tuple of str
        Kinds of exit.
    scores : ibis table
        ``customer_id``, ``still_here`` (how likely; 1 when the features do not tell) and, for a
        customer who is: per horizon ``leave_within_<h>_months`` (with several exits also
        ``<exit>_within_<h>_months``), ``months_left_median`` (missing beyond the next 24: nobody
        has been watched for long enough to say) and ``months_left_mean`` of the next 24,
        ``reason_1`` and ``reason_2`` (:func:`customerlab.churn.reasons.find_reasons`). Of the
        months asked for, ``months_here_<m>`` with the 95 % interval ``_low`` to ``_high``, times
        ``still_here``: who may have left unnoticed is expected to be here for fewer months.
    cells : DataFrame
        One row per combination of features: its values, ``n`` customers, how many of them are
        expected to be still ``here``, sums asked for, and the columns of `scores`, all of them
        given that the customer is still here.
    covariance : ndarray
        Of the model's coefficients.
    gradients : dict of (str, int) to ndarray
        Per column of chances and cell, how the chance moves with each coefficient.
    months_here : tuple of int
        Of how many months ahead it is told for how many of them customers are here.
    """

    horizons: tuple[int, ...]
    exits: tuple[str, ...]
    scores: ir.Table
    cells: pd.DataFrame
    covariance: np.ndarray
    gradients: dict[str, np.ndarray]
    months_here: tuple[int, ...] = ()

    @property
    def customers(self) -> int:
        """How many customers count as here."""
        return int(self.cells["n"].sum())

    @property
    def here(self) -> float:
        """How many of them are expected to be still here."""
        return float(self.cells["here"].sum())

    def expected(
        self,
        by: str | None = None,
        *,
        z: float = Z,
        exit_: str | None = None,
        where: np.ndarray | None = None,
    ) -> pd.DataFrame:
        """Return how many are expected to leave, overall or by group.

        Parameters
        ----------
        by : str, optional
            A feature of the model, or a column named in ``forecast(..., by=)``.
        z : float
            Half width of the intervals in standard errors.
        exit_ : str, optional
            Only exits of this kind.
        where : ndarray of bool, optional
            Only these cells.

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
        chosen = np.ones(len(group), dtype=bool) if where is None else where
        rows = []
        for name in sorted(group[chosen].unique(), key=natural_order):
            here = (group == name).to_numpy() & chosen
            customers = int(self.cells.loc[here, "n"].sum())
            n = self.cells.loc[here, "here"].to_numpy(dtype=float)
            for horizon in self.horizons:
                score = score_name(horizon, exit_)
                p = self.cells.loc[here, score].to_numpy()
                gradient = n @ self.gradients[score][here]
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
    model: Hazard | Outlook,
    features: ir.Table,
    horizons_months: Sequence[int],
    *,
    by: Sequence[str] = (),
    sums: Sequence[str] = (),
    causes: Mapping[str, Hazard] | None = None,
    months_here: Sequence[int] = (),
) -> Forecast:
    """Return the chances of leaving of every customer in `features`.

    Parameters
    ----------
    model : Hazard or Outlook
        A fitted one. What a :class:`Hazard` says of a month holds for all months ahead.
    features : table
        From :func:`customerlab.person_months.features_at`: ``customer_id``, ``still_here`` (all
        are when there is no such column), ``tenure``, ``age_months`` if the model has age bands,
        the model's other features, and ``risk_<exit>`` where not everybody can leave that way.
    horizons_months : sequence of int
    by : sequence of str
        Further columns of `features` by which totals will be asked for.
    sums : sequence of str
        Columns of `features` to add up within each cell, for instance ``assets``.
    causes : mapping of str to Hazard, optional
        The models of causes, which the reasons are taken from; `model` itself when left out.
    months_here : sequence of int
        Of so many months it is told for how many of them each customer is expected to be here.
    """
    outlook = as_outlook(model)
    if not outlook.fitted:
        raise CustomerlabError(
            f"churn_timing: {outlook.events} exits in the data are too few for a model, "
            "so nobody's chance of leaving can be computed"
        )
    horizons = tuple(sorted(set(horizons_months)))
    lived = tuple(sorted(set(months_here)))
    risks = [f"risk_{e}" for e in outlook.exits if f"risk_{e}" in features.columns]
    why = outlook if causes is None else Outlook(dict(causes))
    needed = [*outlook.inputs, *why.inputs]
    keyed, keys = _keys(features, needed, max(*horizons, *lived, 1), [*by, *risks], sums)
    added = {name: keyed[name] * keyed.still_here for name in sums}
    counted = cells(keyed, by=[*keys, "still_here"], sums=added)
    if counted.empty:
        raise CustomerlabError("churn_timing: no customer is here at the snapshot")
    counted["here"] = counted["still_here"] * counted["n"]
    counted[[*sums]] = counted[[*sums]].astype(float)
    # added up here, in one order: how likely one is still here changes nothing but the weight
    whole = counted.groupby(keys, sort=False, dropna=False)[["n", *sums, "here"]]
    counted = whole.sum().reset_index()
    counted = counted.assign(**_moved(counted, 0))
    chances, gradients = _chances(outlook, counted, horizons, lived)
    counted = counted.assign(**chances)
    codes = find_reasons(why, outlook, counted, lambda m: _moved(counted, m), max(horizons))
    counted = counted.assign(**codes)
    columns = [*chances, *codes]
    known = ibis.memtable(
        counted[[*keys, *columns]],
        schema={k: keyed[k].type() for k in keys}
        | dict.fromkeys(chances, "float64")
        | dict.fromkeys(codes, "string"),
    )
    scores = keyed.join(known, keys).select("customer_id", "still_here", *columns)
    scores = scores.mutate(**{one: scores[one] * scores.still_here for one in months_names(lived)})
    covariance = outlook.covariance
    return Forecast(horizons, outlook.exits, scores, counted, covariance, gradients, lived)


def _chances(
    outlook: Outlook,
    counted: pd.DataFrame,
    horizons: Sequence[int],
    months_here: Sequence[int] = (),
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Return each cell's chances and months left, and how the chances move with coefficients."""
    several = len(outlook.exits) > 1
    covariance, many = outlook.covariance, len(counted)
    size, longest = len(covariance), max(*horizons, *months_here, 1)
    here, slope = np.ones(many), np.zeros((many, size))
    left = {exit_: np.zeros(many) for exit_ in outlook.exits}
    slopes = {exit_: np.zeros((many, size)) for exit_ in outlook.exits if several}
    chances: dict[str, np.ndarray] = {}
    gradients: dict[str, np.ndarray] = {}
    months, median = np.zeros(many), np.full(many, np.nan)
    lived, lived_slope, told = np.zeros(many), np.zeros((many, size)), {}
    for ahead in range(longest):
        rows = outlook.rows(counted.assign(**_moved(counted, ahead)), ahead)
        total, change, at = np.zeros(many), np.zeros((many, size)), 0
        for exit_, chance, moves in outlook.hazards_of(rows):
            mine = slice(at, at + moves.shape[1])
            left[exit_] += here * chance
            if several:
                slopes[exit_] += slope * chance[:, None]
                slopes[exit_][:, mine] += here[:, None] * moves
            total += chance
            change[:, mine] += moves
            at = mine.stop
        total = np.minimum(total, 1 - 1e-12)  # several exits, each nearly sure
        months += here * (ahead < MONTHS_AHEAD)
        lived += here
        lived_slope += slope
        if ahead + 1 in months_here:
            told |= bounded(ahead + 1, lived, lived_slope, covariance)
        slope = slope * (1 - total)[:, None] - here[:, None] * change
        now = here * (1 - total)
        median = np.where(np.isnan(median) & (now <= 0.5), ahead + 1, median)
        here = now
        if ahead + 1 in horizons:
            chances[score_name(ahead + 1)] = 1 - here
            gradients[score_name(ahead + 1)] = -slope
            for exit_ in slopes:
                chances[score_name(ahead + 1, exit_)] = left[exit_].copy()
                gradients[score_name(ahead + 1, exit_)] = slopes[exit_].copy()
    # beyond what was asked for nothing more changes
    for ahead in range(longest, MONTHS_AHEAD):
        months += here
        here = here * (1 - total)
        median = np.where(np.isnan(median) & (here <= 0.5), ahead + 1, median)
    chances["months_left_median"] = median
    chances["months_left_mean"] = months
    chances |= told
    return chances, gradients


def score_name(horizon: int, exit_: str | None = None) -> str:
    """Return the column with the chance of leaving, or of leaving by one exit."""
    return f"{exit_ or 'leave'}_within_{horizon}_months"


def _moved(counted: pd.DataFrame, ahead: int) -> dict[str, np.ndarray]:
    """Return the bands that the calendar has moved so many months on."""
    return {
        name: band_of(_ahead(counted[months].to_numpy(), ahead), bands)
        for name, (months, bands) in MOVING.items()
        if months in counted
    }


def _ahead(months: np.ndarray, ahead: int) -> np.ndarray:
    return np.where(months < 0, months, months + ahead)


def _keys(
    features: ir.Table,
    terms: Sequence[str],
    horizon: int,
    by: Sequence[str],
    sums: Sequence[str],
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
        elif name.startswith("risk_"):
            columns[name] = features[name].cast("int64")
        else:
            columns[name] = features[name].cast("string").fill_null(UNKNOWN)
    here = features.still_here if "still_here" in features.columns else ibis.literal(1.0)
    added = {name: features[name] for name in sums}
    return features.select("customer_id", still_here=here, **columns, **added), list(columns)
