"""Who is left out when money is short, what is lost by it, and a test of the line itself.

Customers are ordered by what they are worth; the budget draws a line. Some below it, drawn by lot,
are contacted all the same: beside the others below they show, the next time, whether contact would
have paid there. What those below the line bought in the last period is the most that leaving them
out can lose, for they may buy without contact as well.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from customerlab.churn.curves import FEW_EVENTS, status_of
from customerlab.errors import CustomerlabError
from customerlab.findings import Finding
from customerlab.lots import drawn
from customerlab.messages import Message, say
from customerlab.privacy import about

#: The groups: above the line, drawn by lot below it to be contacted all the same, left out.
PLACES: dict[str, Message] = {
    "chosen": say("above the line"),
    "tested": say("below the line, contacted by lot"),
    "left_out": say("left out"),
}

#: Columns of :attr:`Suppression.table`.
COLUMNS = ["place", "customers", "value", "value_per_customer", "cost"]
COLUMNS += ["past_n", "past_spend", "past_low", "past_high", "status"]


@dataclass(frozen=True)
class Suppression:
    """Who is contacted with a budget, and who is not.

    Attributes
    ----------
    rows : table
        ``customer_id``, ``value``, ``rank`` (1 is worth most), ``place``: a key of
        :data:`PLACES`.
    table : DataFrame
        One row per place: ``customers``, their ``value`` in all and ``value_per_customer``,
        ``cost`` of contacts (money); what like customers spent in the last period, see
        :func:`add_losses`, missing before.
    budget, cost, tested : float
        Money for all contacts, money per contact, share below the line that is drawn.
    past_days : int
        How long the last period was.
    """

    rows: ir.Table
    table: pd.DataFrame
    budget: float
    cost: float
    tested: float
    past_days: int = 0

    def of(self, place: str) -> pd.Series:
        """Return the row of a place."""
        return self.table[self.table["place"] == place].iloc[0]

    def finding(self, min_cell: int = 1) -> Finding:
        """Return ``customer_value.left_out``: the most that leaving them out can lose, in money.

        Where few are in a place, the others are rounded: no difference tells how many.
        """
        row = self.of("left_out")
        n = int(row["customers"])
        if self.table["customers"].between(1, min_cell - 1).any():
            n = about(n, min_cell)
        facts = {"n": n, "budget": self.budget}
        values: tuple = (None, None, None)
        status = row["status"]
        if not self.table["customers"].sum():
            text = say("There are no customers to contact.")
        elif not row["customers"]:
            text = say("The budget of {budget:money} is enough for everybody.", **facts)
            values, status = (0.0, 0.0, 0.0), "supported"
        elif not row["past_n"] and row["value"] > 0 and n >= FEW_EVENTS:
            status, values = "weak", (float(row["value"]), None, None)
            text = say(
                "With a budget of {budget:money}, {n:customers} customers are left out. They are "
                "worth {worth:money} in all, {each:money} each; what leaving them out loses was "
                "not observed.",
                worth=float(row["value"]),
                each=float(row["value_per_customer"]),
                **facts,
            )
        elif status == "not_enough_data":
            text = say(
                "With a budget of {budget:money}, {n:customers} customers are left out; too few "
                "like them were observed to say what that can lose.",
                **facts,
            )
        else:
            values = tuple(float(row[name]) for name in ("past_spend", "past_low", "past_high"))
            facts |= dict(zip(("loss", "low", "high"), values, strict=True))
            text = say(
                "With a budget of {budget:money}, {n:customers} customers are left out. As many "
                "like them brought {loss:money} ({low:money} to {high:money}) in {days:count} "
                "days: no more can be lost in as long, for they may buy without contact.",
                days=self.past_days,
                **facts,
            )
        return Finding(
            "customer_value.left_out", text, *values, unit="money", n=facts["n"], status=status
        )


def draw_line(
    table: ir.Table, *, value: str, budget: float, cost: float, seed: int, tested: float = 0.05
) -> Suppression:
    """Leave out those worth least, so that the budget is kept.

    Parameters
    ----------
    table : table
        ``customer_id``, and `value`: what a customer is worth (money; null counts as 0).
    value : str
    budget : float
        Money for all contacts.
    cost : float
        Money per contact, above 0.
    seed : int
        Of the lots: who is first among equals, and who below the line is contacted.
    tested : float
        Share below the line that is contacted by lot, from 0 to below 1; paid from the budget.
        Where it would cost more than half of it, fewer are drawn.

    Raises
    ------
    CustomerlabError
        If the budget is below 0, the cost not above 0, or `tested` out of range.
    """
    if not 0 <= budget < math.inf:
        raise CustomerlabError(f"budget: an amount of money, not {budget}")
    if not 0 < cost < math.inf:
        raise CustomerlabError(f"contact_cost: an amount of money above 0, not {cost}")
    if not 0 <= tested < 1:
        raise CustomerlabError(f"tested: a share from 0 to below 1, not {tested}")
    everyone = int(table.count().execute())
    chosen, share = _line(everyone, int(budget / cost + 1e-9), tested)
    who = table.customer_id.cast("string")
    worth = table[value].cast("float64").fill_null(0.0)
    rows = table.select("customer_id", value=worth, _lot=_lot(seed, who))
    rank = ibis.row_number().over(order_by=[ibis.desc(rows.value), rows._lot, rows.customer_id])
    rows = rows.mutate(rank=rank + 1)
    above = rows["rank"] <= chosen
    by_lot = drawn(seed, "below the line", rows.customer_id.cast("string"), share)
    place = ibis.cases((above, "chosen"), (by_lot, "tested"), else_="left_out")
    rows = rows.select("customer_id", "value", "rank", place=place)
    exact = rows.value.round(6).cast("decimal(38, 6)").sum().cast("float64")
    counted = rows.group_by("place").aggregate(customers=rows.count(), value=exact)
    counted = counted.order_by("place").to_pandas()
    found = pd.DataFrame({"place": list(PLACES)}).merge(counted, how="left", on="place")
    found = found.fillna({"customers": 0, "value": 0}).astype({"customers": int, "value": float})
    found["value_per_customer"] = found["value"] / found["customers"].where(found["customers"] > 0)
    found["cost"] = found["customers"] * cost * (found["place"] != "left_out")
    blank = dict.fromkeys(("past_spend", "past_low", "past_high"), np.nan)
    found = found.assign(past_n=0, **blank, status="not_enough_data")
    return Suppression(rows, found[COLUMNS], float(budget), float(cost), share)


def _lot(seed: int, who: ir.StringValue) -> ir.StringValue:
    return (ibis.literal(f"{seed}:line:") + who).hexdigest("md5")


def _line(everyone: int, paid: int, tested: float) -> tuple[int, float]:
    """Return how many are above the line, and the share of the others to draw.

    The draw is a lot for each customer: its number varies, so that three standard errors are kept
    back for it, and the budget holds (but for one draw in a thousand).
    """
    if paid >= everyone or not tested:
        return min(paid, everyone), 0.0
    z = NormalDist().inv_cdf(0.999)
    # at most half of the budget: the mean drawn and z standard errors, x + z sqrt(x) = paid / 2
    root = (math.sqrt(z * z + 2 * paid) - z) / 2
    share = min(tested, root * root / everyone)
    chosen, short = paid, 1.0
    while chosen > 0 and short > 0:
        mean = share * (everyone - chosen)
        short = chosen + mean + z * math.sqrt(mean) - paid
        chosen -= min(chosen, math.ceil(short)) if short > 0 else 0
    return chosen, share


def add_losses(
    suppression: Suppression, followed: ir.Table, *, value: str, days: int
) -> Suppression:
    """Add what customers at the same place spent in a past period, scaled to today's numbers.

    Parameters
    ----------
    suppression : Suppression
    followed : table
        Customers at a landmark: `value` as it was known then, and ``next_spend`` afterwards; see
        :func:`customerlab.value.rfm.score_and_follow`. The line is drawn at the same share.
    value : str
    days : int
        From the landmark to the end of what followed.

    Returns
    -------
    Suppression
        With ``past_n`` customers at the landmark, and ``past_spend``: their mean spend times
        today's customers, with its 95 % interval (Student's, of the mean); ``status`` by how many
        of them bought. Those of lot and those left out share one estimate per customer, for they
        were alike then.
    """
    from scipy import stats

    table = suppression.table.copy()
    n_now = table["customers"].sum()
    chosen = int(suppression.of("chosen")["customers"])
    n_then = int(followed.count().execute())
    line = round(n_then * chosen / n_now) if n_now else 0
    spend = followed.next_spend.cast("float64")
    worth = followed[value].cast("float64").fill_null(0.0)
    rows = followed.select("customer_id", worth=worth, spend=spend.round(4))
    lot = _lot(0, rows.customer_id.cast("string"))
    rank = ibis.row_number().over(order_by=[ibis.desc(rows.worth), lot, rows.customer_id])
    rows = rows.mutate(above=rank < line, exact=rows.spend.cast("decimal(38, 4)"))
    square = (rows.spend * rows.spend).round(4).cast("decimal(38, 4)")
    sums = rows.group_by("above").aggregate(
        n=rows.count(),
        bought=(rows.spend > 0).cast("int64").sum(),
        total=rows.exact.sum().cast("float64"),
        squares=square.sum().cast("float64"),
    )
    sums = sums.to_pandas().set_index("above")
    for at, row in table.iterrows():
        above = row["place"] == "chosen"
        if above not in sums.index or not row["customers"]:
            continue
        one = sums.loc[above]
        n, mean = int(one["n"]), one["total"] / one["n"]
        table.loc[at, "past_n"] = n
        table.loc[at, "status"] = status_of(one["bought"])
        error = np.nan
        if n > 1:
            variance = max(one["squares"] - n * mean**2, 0) / (n - 1)
            error = stats.t.ppf(0.975, n - 1) * np.sqrt(variance / n)
        ends = np.array([mean, mean - error, mean + error]) * row["customers"]
        table.loc[at, ["past_spend", "past_low", "past_high"]] = ends
    rows_of = (suppression.rows, table, suppression.budget, suppression.cost)
    return Suppression(*rows_of, suppression.tested, days)
