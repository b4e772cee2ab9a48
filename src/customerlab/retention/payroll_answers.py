"""What is told of where the pay goes: the result, its finding, and its table for a report."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from customerlab.churn.curves import FEW_EVENTS, status_of
from customerlab.features import feature_name, level_name
from customerlab.findings import Finding
from customerlab.messages import Message, Words, say
from customerlab.privacy import HIDDEN, mask_counts

#: A leaver exits in the month of the pay or in so many months after it.
LEAVES_WITHIN_MONTHS = 3
#: What becomes of pay.
USES: dict[str, Message] = {
    "moved": say("moved to another bank"),
    "withdrawn": say("withdrawn in cash"),
    "spent": say("spent on purchases"),
    "kept": say("kept with us"),
}
#: Whose pay it is.
WHO: dict[str, Message] = {
    "all": say("all who were paid"),
    "leavers": say("left within {months:count} months", months=LEAVES_WITHIN_MONTHS),
    "stayers": say("stayed"),
}
#: Days after the pay within which its use is told.
DAYS = (1, 3, 7, 30)
#: Columns of :attr:`PayrollUse.table` and of :attr:`PayrollUse.differences`.
COLUMNS = ["who", "feature", "group", "days", "use", "customers", "pays", "share", "low", "high"]
DIFFERENCES = ["days", "use", "leavers", "stayers", "difference", "low", "high"]


@dataclass(frozen=True)
class PayrollUse:
    """What becomes of pay within some days: see :func:`.payroll_money.follow_pay`.

    Attributes
    ----------
    table : DataFrame
        ``who`` (key of :data:`WHO`), ``feature`` and ``group`` (``all``, or a column of `people`
        and its level), ``days``, ``use`` (key of :data:`USES`), ``customers``, ``pays``,
        ``share`` of the pay, and its 95 % interval ``low``, ``high``: missing with fewer than 30
        customers, or where all shares are alike. A customer paid early and late may be a stayer
        first and a leaver later.
    differences : DataFrame
        ``days``, ``use``, the shares of ``leavers`` and ``stayers``, and their ``difference``
        (leavers less stayers) with its interval, which allows for customers who are in both.
    customers, pays : int
        Who was paid, and how often.
    not_known : int
        Pays of which it is not known whether the customer then left: too recent, or of customers
        whose stay is not measured in that month. They count among ``all`` only.
    months : int
        How many months of pay were looked at.
    """

    table: pd.DataFrame
    differences: pd.DataFrame
    customers: int = 0
    pays: int = 0
    not_known: int = 0
    months: int = 12

    def describe(self) -> Message:
        """Say what was followed and by which rule, or what would be needed."""
        if not self.pays:
            return say(
                "No pay can be followed: this needs transactions with a kind, payroll credits "
                "among them, of which the 30 days that follow are known."
            )
        return say(
            "{pays:count} pays of {customers:customers} customers in {months:count} months were "
            "followed for up to 30 days. Money that goes out after a pay, and before the next, is "
            "set against it in the order of time until the pay is used up; the rest is kept. For "
            "{unknown:count} of the pays it is not known whether the customer left within "
            "{within:count} months; they are compared with nobody.",
            pays=self.pays,
            customers=self.customers,
            months=self.months,
            unknown=self.not_known,
            within=LEAVES_WITHIN_MONTHS,
        )

    def to_draw(self) -> pd.DataFrame:
        """Return the rows for :func:`customerlab.plots.payroll_money.payroll_use`."""
        rows = self.table[(self.table["feature"] == "all") & (self.table["who"] != "all")]
        return rows[rows["customers"] >= FEW_EVENTS].reset_index(drop=True)


def pay_moved(use: PayrollUse, days: int = 7) -> Finding:
    """Return how much of their pay leavers moved to another bank, against those who stayed.

    Returns
    -------
    Finding
        ``churn_timing.pay_moved_within_<days>_days``; the value is the leavers' share with its
        interval, the sentence has the difference with its own.
    """
    id_ = f"churn_timing.pay_moved_within_{days}_days"
    rows = use.table[(use.table["feature"] == "all") & (use.table["use"] == "moved")]
    rows = rows[rows["days"] == days].set_index("who")
    customers = rows["customers"].reindex(["leavers", "stayers"], fill_value=0)
    if customers.min() < FEW_EVENTS:
        text = say(
            "What those who leave do with their pay cannot be told: it was followed for "
            "{leavers:customers} customers who then left and for {stayers:customers} who stayed.",
            leavers=int(customers["leavers"]),
            stayers=int(customers["stayers"]),
        )
        n = int(customers["leavers"])
        return Finding(id=id_, text=text, unit="percent", n=n, status="not_enough_data")
    gap = use.differences.query("days == @days and use == 'moved'").iloc[0]
    leavers = rows.loc["leavers"]
    values = {
        "x": 100 * gap["leavers"],
        "y": 100 * gap["stayers"],
        "days": days,
        "within": LEAVES_WITHIN_MONTHS,
        "low": 100 * gap["low"],
        "high": 100 * gap["high"],
    }
    if gap["low"] > 0 or gap["high"] < 0:
        text = say(
            "Of each 100 of pay, customers who then left within {within:count} months had moved "
            "{x:number1} to another bank within {days:count} days; those who stayed, "
            "{y:number1}: a difference of {difference:number1} (95 % interval {low:number1} to "
            "{high:number1}).",
            difference=100 * gap["difference"],
            **values,
        )
    else:
        text = say(
            "Of each 100 of pay, customers who then left within {within:count} months had moved "
            "{x:number1} to another bank within {days:count} days, and those who stayed "
            "{y:number1}: no clear difference (95 % interval {low:number1} to {high:number1}).",
            **values,
        )
    return Finding(
        id=id_,
        text=text,
        value=leavers["share"],
        low=None if np.isnan(leavers["low"]) else leavers["low"],
        high=None if np.isnan(leavers["high"]) else leavers["high"],
        unit="percent",
        n=int(leavers["customers"]),
        status=status_of(customers.min()),
    )


def payroll_use_table(use: PayrollUse, words: Words, min_cell: int) -> pd.DataFrame:
    """Return the shares for a report, named for readers, small groups masked.

    Returns
    -------
    DataFrame
        ``who``, ``group`` (with its feature), ``days``, ``use``, ``customers``, ``pays``,
        ``share``, ``low``, ``high``; of a group too small to be shown everything is hidden, and
        of a second one where a difference would give it away.
    """
    counts = use.table.drop_duplicates(["who", "feature", "group"]).reset_index(drop=True)
    place = {
        key: i for i, key in enumerate(zip(counts.who, counts.feature, counts.group, strict=True))
    }
    sums, differences = [], []
    for (who, feature), part in counts.groupby(["who", "feature"], sort=False):
        if feature != "all":
            sums.append((place[who, "all", "all"], part.index.tolist()))
    for (who, feature, group), at in place.items():
        if who != "all":  # the others are those whose outcome is another, or not known
            differences.append((place["all", feature, group], at))
    masked = mask_counts(
        counts,
        min_cell=min_cell,
        counts=["customers"],
        sums=sums,
        differences=differences,
    )
    shown = masked["customers"].to_numpy()
    keys = zip(use.table.who, use.table.feature, use.table.group, strict=True)
    customers = pd.Series([shown[place[key]] for key in keys], dtype=object)
    hidden = customers.map(lambda count: isinstance(count, str)).to_numpy(dtype=bool)
    numbers = {
        name: use.table[name].reset_index(drop=True).astype(object).mask(hidden, HIDDEN)
        for name in ("pays", "share", "low", "high")
    }
    names = [
        words(say("all customers"))
        if feature == "all"
        else f"{words(feature_name(feature))}: {words(level_name(feature, group))}"
        for feature, group in zip(use.table.feature, use.table.group, strict=True)
    ]
    return pd.DataFrame(
        {
            "who": [words(WHO[who]) for who in use.table.who],
            "group": names,
            "days": use.table.days.to_numpy(),
            "use": [words(USES[one]) for one in use.table.use],
            "customers": customers,
            **numbers,
        }
    )
