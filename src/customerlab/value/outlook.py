"""What a shop's customers will buy and be worth: totals with intervals, and scores per customer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from customerlab.findings import STATUSES, Finding, Status
from customerlab.messages import Message, say
from customerlab.privacy import about
from customerlab.uplift.to_show import hide, rounded
from customerlab.value.bgnbd import BgNbd
from customerlab.value.climbing import spread_of, summed
from customerlab.value.foretelling import alive, buying_chance, expected_purchases
from customerlab.value.gamma_gamma import GammaGamma, expected_paid
from customerlab.value.histories import HISTORY

#: Weeks of a month: 365.25 days a year.
WEEKS_A_MONTH = 365.25 / 12 / 7

COLUMNS = ("horizon_months", "n", "buyers", "buyers_low", "buyers_high", "purchases")
COLUMNS += ("purchases_low", "purchases_high", "value", "value_low", "value_high", "status")

_Z = 1.959963984540054


@dataclass(frozen=True)
class Outlook:
    """What is expected of all customers together.

    Attributes
    ----------
    table : DataFrame
        One row a horizon: ``horizon_months``, ``n`` customers, and with 95 % intervals the expected
        ``buyers`` (customers with a purchase), ``purchases`` and ``value`` (money; missing without
        a model of amounts), ``status``. The intervals are for what is to be expected, from the
        uncertainty of the parameters; what happens varies around it. Empty without a fitted model.
    findings : tuple of Finding
    """

    table: pd.DataFrame
    findings: tuple[Finding, ...]


def foretell(
    model: BgNbd,
    paid: GammaGamma,
    counts: pd.DataFrame,
    horizons_months: Sequence[int],
    *,
    margin: float = 1.0,
    min_cell: int = 1,
) -> Outlook:
    """Add up what is expected of every customer.

    Parameters
    ----------
    model, paid : BgNbd, GammaGamma
    counts : DataFrame
        From :func:`customerlab.value.histories.count_histories`.
    horizons_months : sequence of int
    margin : float
        What is earned of each unit paid.
    min_cell : int
        Findings rest on customers in multiples of it: no difference tells who never bought.
    """
    rows, findings = [], []
    n = int(counts["n"].sum())
    status: Status = "weak" if "weak" in (model.status, paid.status) else model.status
    for months in horizons_months if model.fitted else ():
        weeks = months * WEEKS_A_MONTH
        people = counts["n"].to_numpy(float)

        def buyers(p: np.ndarray, weeks: float = weeks, people: np.ndarray = people) -> float:
            return np.log(summed(people, buying_chance(p, counts, weeks)))

        def purchases(p: np.ndarray, weeks: float = weeks, people: np.ndarray = people) -> float:
            return np.log(summed(people, expected_purchases(p, counts, weeks)))

        def value(p: np.ndarray, weeks: float = weeks) -> float:
            return np.log(_value(p[:4], p[4:], counts, weeks) * margin)

        both = np.r_[model.parameters, paid.parameters]
        block = np.full((7, 7), 0.0)
        block[:4, :4], block[4:, 4:] = model.covariance, paid.covariance
        one = (
            *_interval(buyers, model.parameters, model.covariance),
            *_interval(purchases, model.parameters, model.covariance),
            *(_interval(value, both, block) if paid.fitted and margin > 0 else [np.nan] * 3),
        )
        rows.append((months, n, *one, model.status if not paid.fitted else status))
        findings += _findings(months, about(n, min_cell), one, model, status)
    return Outlook(pd.DataFrame(rows, columns=list(COLUMNS)), tuple(findings))


def score_customers(
    each: ir.Table,
    model: BgNbd,
    paid: GammaGamma,
    counts: pd.DataFrame,
    horizons_months: Sequence[int],
    *,
    margin: float = 1.0,
) -> ir.Table:
    """Return one row per customer with what is expected of them.

    Parameters
    ----------
    each : ibis table
        From :func:`customerlab.value.histories.histories`.
    model, paid, counts, horizons_months, margin
        As in :func:`foretell`; `counts` of the same customers.

    Returns
    -------
    ibis table
        ``customer_id``, ``alive`` (1 for all with one purchase), ``paid`` for a purchase, and for
        each horizon ``buys_<h>_months`` (chance), ``purchases_<h>_months``, ``value_<h>_months``.
        Null where the model was not fitted.
    """
    keys = counts[list(HISTORY)].drop_duplicates().reset_index(drop=True)
    names = {"alive": lambda p: alive(p, keys)}
    for months in horizons_months:
        weeks = months * WEEKS_A_MONTH
        names[f"buys_{months}_months"] = lambda p, weeks=weeks: buying_chance(p, keys, weeks)
        names[f"purchases_{months}_months"] = lambda p, weeks=weeks: expected_purchases(
            p, keys, weeks
        )
    scored = each.select("customer_id", *HISTORY, "monetary")
    if model.fitted and len(keys):
        chances = keys.assign(**{name: make(model.parameters) for name, make in names.items()})
        chances = chances.rename(columns={name: f"of_{name}" for name in HISTORY})
        joined = scored.left_join(
            ibis.memtable(chances), [(name, f"of_{name}") for name in HISTORY]
        )
    else:
        joined = scored.mutate(**{name: ibis.null("float64") for name in names})
    p, q, v = paid.parameters.tolist() if paid.fitted else (None, None, None)
    x = joined.frequency.cast("float64")
    amount = ibis.null("float64")
    if paid.fitted:
        spent = joined.monetary.cast("float64").fill_null(0.0) * x
        amount = (spent + v) * p / (x * p + (q - 1))
    joined = joined.mutate(paid=amount)
    values = {
        f"value_{months}_months": joined[f"purchases_{months}_months"] * joined.paid * margin
        for months in horizons_months
    }
    return joined.select("customer_id", "alive", "paid", *list(names)[1:], **values)


def outlook_to_show(outlook: Outlook, min_cell: int) -> pd.DataFrame:
    """Return the totals as a report may show them: of fewer than `min_cell` customers none."""
    table = outlook.table
    few = table["n"].astype(float).between(1, min_cell - 1).to_numpy()
    shown = hide(table, [c for c in COLUMNS[2:] if c != "status"], few)
    return shown.assign(n=rounded(table["n"], min_cell), status=table["status"].map(STATUSES))


def _value(often: np.ndarray, much: np.ndarray, counts: pd.DataFrame, weeks: float) -> float:
    """Return the expected amount of all; a customer's is linear in their own mean."""
    x, n = counts["frequency"].to_numpy(float), counts["n"].to_numpy(float)
    paid = expected_paid(much, x, counts["monetary"].to_numpy(float) / n)
    return summed(n * expected_purchases(often, counts, weeks), paid)


def _interval(
    log_of: Callable[[np.ndarray], float], parameters: np.ndarray, covariance: np.ndarray
) -> list[float]:
    at = float(log_of(parameters))
    half = _Z * float(spread_of(lambda p: np.asarray(log_of(p)), parameters, covariance))
    return np.exp([at, at - half, at + half]).tolist()


def _findings(months: int, n: int, one: tuple, model: BgNbd, status: Status) -> list[Finding]:
    sure = np.isfinite(one[4])
    told = {"months": months, "purchases": round(one[3]), "buyers": round(one[0])}
    if sure:
        text = say(
            "In the coming {months:count} months about {purchases:count} purchases are to be "
            "expected of the customers so far ({low:count} to {high:count}), by about "
            "{buyers:count} of them.",
            **told,
            low=round(one[4]),
            high=round(one[5]),
        )
    else:
        text = say(
            "In the coming {months:count} months about {purchases:count} purchases are to be "
            "expected of the customers so far, by about {buyers:count} of them; how sure that is "
            "cannot be said.",
            **told,
        )
    found = [_finding(f"purchases_in_{months}_months", text, one[3:6], "count", n, model.status)]
    if not np.isfinite(one[6]):
        return found
    told = {"months": months, "value": one[6]}
    if np.isfinite(one[7]):
        text = say(
            "What the customers so far will buy in the coming {months:count} months is worth about "
            "{value:money} ({low:money} to {high:money}); new customers come on top of that.",
            **told,
            low=one[7],
            high=one[8],
        )
    else:
        text = say(
            "What the customers so far will buy in the coming {months:count} months is worth about "
            "{value:money}; how sure that is cannot be said. New customers come on top of that.",
            **told,
        )
    found.append(_finding(f"value_in_{months}_months", text, one[6:], "money", n, status))
    return found


def _finding(
    name: str, text: Message, ends: Sequence[float], unit: str, n: int, status: Status
) -> Finding:
    value, low, high = (float(end) if np.isfinite(end) else None for end in ends)
    return Finding(f"customer_value.{name}", text, value, low, high, unit, n, status)
