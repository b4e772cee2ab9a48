"""Whether keeping customers pays: what a contact costs against what it may keep."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from customerlab.churn.forecast import Forecast, score_name
from customerlab.findings import Finding
from customerlab.messages import say
from customerlab.privacy import round_counts

#: Customers are looked at in so many equal parts, by their chance of leaving.
PARTS = 10


@dataclass(frozen=True)
class Worth:
    """What approaching customers costs and may keep, by their chance of leaving.

    Attributes
    ----------
    table : DataFrame
        Tenths of the customers here, those most likely to leave first: ``part``, ``customers``,
        ``chance`` of leaving, ``value_a_year`` of a customer,
        ``expected_loss`` (what one is expected to take along, a year; nothing, as far as they may
        have left already), ``break_even`` (the share of the leavers that contact must keep to pay
        for itself; above 1 it never does), and with a known effect ``gain`` per customer
        approached with its interval ``low`` to ``high``.
    cost : float or None
        Of approaching one customer.
    effect : tuple or None
        Share of the leavers that contact keeps, its 95 % interval, and within how many months;
        None where nobody's chance of leaving within so many months is known.
    horizon_months : int or None
        Within which the chances are: that of the effect, the longest where none is known.
    """

    table: pd.DataFrame
    cost: float | None
    effect: tuple[float, float, float, int] | None
    horizon_months: int | None = None


def weigh_keeping(
    expected: Forecast | None,
    *,
    margin: float | None,
    cost: float | None,
    effect: tuple[float, float, float, int] | None = None,
) -> Worth:
    r"""Set the cost of a contact against what it may keep.

    A contact that keeps a share :math:`e` of those who would leave gains
    :math:`p\,e\,v - c` a customer, with chance of leaving :math:`p`, value a year :math:`v` and
    cost :math:`c`; it pays from :math:`e = c / (p v)` on, the break-even effect.

    Parameters
    ----------
    expected : Forecast or None
        With ``assets`` summed.
    margin : float or None
        What a customer's assets earn in a year, as a share.
    cost : float or None
    effect : (value, low, high, months), optional
        From an experiment: see :func:`customerlab.retention.effect_of_contact`.
    """
    columns = ["part", "customers", "chance", "value_a_year", "expected_loss", "break_even"]
    columns += ["gain", "low", "high"]
    if expected is None or margin is None or "assets" not in expected.cells:
        return Worth(pd.DataFrame(columns=columns), cost, effect)
    if effect is not None and effect[3] not in expected.horizons:
        effect = None
    horizon = expected.horizons[-1] if effect is None else effect[3]
    cells = expected.cells.assign(
        chance=expected.cells[score_name(horizon)],
        value=expected.cells["assets"].clip(lower=0) * margin,
    )
    cells = cells.sort_values("chance", ascending=False, kind="stable", ignore_index=True)
    rows = []
    for part, customers in _parts(cells["n"].to_numpy()):
        share = customers / cells["n"].to_numpy()
        here, value = float(share @ cells["here"]), float(share @ cells["value"])
        gone, loss = (float(share @ (cells["chance"] * cells[of])) for of in ("here", "value"))
        # who may have left unnoticed is approached, too, and takes nothing along
        loss /= customers.sum()
        row = {
            "part": part,
            "customers": int(customers.sum()),
            "chance": gone / here if here else float("nan"),
            "value_a_year": value / here if here else float("nan"),
            "expected_loss": loss,
            "break_even": cost / loss if cost is not None and loss > 0 else float("nan"),
        }
        ends = effect[:3] if effect is not None and cost is not None else (np.nan,) * 3
        row |= {
            name: end * loss - (cost or 0) for name, end in zip(columns[-3:], ends, strict=True)
        }
        rows.append(row)
    return Worth(pd.DataFrame(rows, columns=columns), cost, effect, horizon)


def _parts(sizes: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Yield each part with some, and how many of it are in each cell of so many customers.

    A cell on the limit is cut: its customers have one chance, and any of them may be taken.
    """
    until, total = sizes.cumsum(), int(sizes.sum())
    for part in range(1, PARTS + 1):
        ends = [-(-edge * total // PARTS) for edge in (part - 1, part)]
        inside = np.clip(until, *ends) - np.clip(until - sizes, *ends)
        if inside.any():
            yield part, inside


def say_worth(worth: Worth) -> Finding:
    """Return whether the cost of keeping customers pays, or what would have to be known."""
    id_ = "churn_timing.keeping_pays"
    if worth.table.empty or worth.cost is None:
        return Finding(
            id=id_,
            text=say(
                "Whether keeping customers pays cannot be said: it takes `margin` (what a "
                "customer's assets earn in a year) and `retention_cost` (what approaching one "
                "costs) under churn_timing."
            ),
            unit="percent",
            status="not_enough_data",
        )
    first = worth.table.iloc[0]
    if not first["expected_loss"] > 0:
        return Finding(
            id=id_,
            text=say(
                "Whether keeping customers pays cannot be said: those most likely to leave hold "
                "nothing."
            ),
            unit="percent",
            n=int(first["customers"]),
            status="not_enough_data",
        )
    facts = {
        "cost": worth.cost,
        "loss": first["expected_loss"],
        "even": first["break_even"],
    }
    if worth.effect is None:
        return Finding(
            id=id_,
            text=say(
                "Approaching a customer costs {cost:money}. In the tenth most likely to leave one "
                "takes {loss:money} a year along in the mean, so contact pays if it keeps at least "
                "{even:percent} of those who would leave. Whether it does takes a test.",
                **facts,
            ),
            value=first["break_even"],
            unit="percent",
            n=int(first["customers"]),
            status="weak",
        )
    value, low, high, months = worth.effect
    text = (
        say(
            "Contact keeps {effect:percent} of those who would leave within {months:count} months "
            "(by experiment), and in the tenth most likely to leave it pays from {even:percent} "
            "on: {gain:money} a customer approached.",
            effect=value,
            months=months,
            even=first["break_even"],
            gain=first["gain"],
        )
        if first["gain"] > 0
        else say(
            "Contact keeps {effect:percent} of those who would leave within {months:count} months "
            "(by experiment); even in the tenth most likely to leave it would have to keep "
            "{even:percent} to pay.",
            effect=value,
            months=months,
            even=first["break_even"],
        )
    )
    sure = first["low"] > 0 or first["high"] < 0
    return Finding(
        id=id_,
        text=text,
        value=value,
        low=low,
        high=high,
        unit="percent",
        n=int(first["customers"]),
        status="supported" if sure else "weak",
    )


def worth_to_show(worth: Worth, min_cell: int) -> pd.DataFrame:
    """Return the tenths for a report, numbers of customers rounded to multiples of `min_cell`."""
    names = {"gain": "pays_each", "low": "gain_low", "high": "gain_high"}
    table = worth.table.rename(columns=names)
    return table.assign(customers=round_counts(table["customers"], min_cell))
