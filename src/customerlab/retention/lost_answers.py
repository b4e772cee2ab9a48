"""What is told of those already lost: the result, findings, and the table for a report."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd

from customerlab.churn.curves import FEW_EVENTS, MIN_AT_RISK, Survival, status_of, survival
from customerlab.churn.showing import curve_to_draw
from customerlab.exits import exit_name
from customerlab.features import UNKNOWN, feature_name, level_name
from customerlab.findings import Finding
from customerlab.messages import Message, Words, say
from customerlab.privacy import HIDDEN, mask_counts

#: Former assets are those so many months before the exit: later the money is already leaving.
MONTHS_BEFORE_EXIT = 3
#: Ends of the bands of former assets, in the client's currency.
ASSET_LIMITS = (100, 1_000, 10_000, 100_000)
FEATURES: dict[str, Message] = {
    "since_band": say("months since the exit was known"),
    "assets_band": say("former assets"),
    "exit": say("kind of exit"),
}
#: Columns of :attr:`Lost.table`.
COLUMNS = ["feature", "group", "lost", "returned", "share_6", "low_6", "high_6", "share_12"]
COLUMNS += ["low_12", "high_12", "still_gone", "assets_known", "assets_gone"]
COLUMNS += ["former_assets_each"]


@dataclass(frozen=True)
class Lost:
    """What became of those who were lost.

    Attributes
    ----------
    table : DataFrame
        ``feature`` and ``group`` (``all``, or a feature and its level), ``lost`` customers (gone
        silent), of whom ``returned`` and are ``still_gone`` at the snapshot; ``share_6`` who came
        back within 6 months and ``share_12`` within 12 by Kaplan and Meier, with 95 % intervals
        ``low_..`` and ``high_..`` (missing where fewer than 30 were watched for so long);
        of those still gone ``assets_known`` customers have known former assets, ``assets_gone``
        in total and ``former_assets_each`` on average, in the client's currency.
    counts : DataFrame
        Cells: the groups, ``months`` (whole months watched, or until the return), ``back``
        (whether it ended with a return), ``returned``, ``n``, ``known`` and ``assets``.
    groups : tuple of str
    still_moving : int
        Customers with an exit who never fell silent for `idle_days`.
    idle_days : int
    asset_limits : tuple of float
        Between the bands of former assets ``0``, ``1`` ...; bands of fewer than 30 are joined.
    """

    table: pd.DataFrame
    counts: pd.DataFrame = field(repr=False)
    groups: tuple[str, ...]
    still_moving: int
    idle_days: int
    asset_limits: tuple[float, ...] = ASSET_LIMITS

    def survival(self, by: str | None = None) -> Survival:
        """Return the share not yet back, by months since the exit was known."""
        counts = self.counts.rename(columns={"months": "duration", "back": "churned"})
        keys = ["duration", "churned", *([by] if by else [])]
        return survival(counts.groupby(keys, as_index=False)["n"].sum(), by)

    def to_draw(self) -> pd.DataFrame:
        """Return the curve of all for :func:`customerlab.plots.survival.not_yet_back`."""
        return curve_to_draw(self.survival()).assign(group=say("all customers lost"))

    def all_row(self) -> Mapping[str, float]:
        """Return the row of all customers lost; zeros where nobody was."""
        row = self.table[self.table["feature"] == "all"]
        return row.iloc[0].to_dict() if len(row) else dict.fromkeys(COLUMNS[2:], 0)

    def describe(self) -> Message:
        """Say how many were lost, and what counts as a return."""
        row = self.all_row()
        return say(
            "{lost:customers} customers left and then did not move for {days:count} days. "
            "{returned:customers} of them moved again by themselves; the months until then count "
            "from the day on which the silence had lasted {days:count} days. {moving:customers} "
            "more left by another rule and never fell silent for so long.",
            lost=int(row["lost"]),
            days=self.idle_days,
            returned=int(row["returned"]),
            moving=self.still_moving,
        )


def come_back_within(lost: Lost, months: int = 12) -> Finding:
    """Return the share of those lost who come back by themselves within some months.

    Returns
    -------
    Finding
        ``churn_timing.come_back_within_<months>_months``; fewer months where nobody, or fewer
        than 30, were watched for so long.
    """
    curve = lost.survival()
    back = int(curve.groups["events"].sum())
    seen = curve.table[(curve.table["at_risk"] >= MIN_AT_RISK) & (curve.table["month"] >= 1)]
    longest = int(min(months, seen["month"].max())) if len(seen) else months
    id_ = f"churn_timing.come_back_within_{longest}_months"
    customers = int(lost.all_row()["lost"])
    share = 0.0
    if len(seen):
        row = curve.at(longest).iloc[0]
        share, low, high = 1 - row["survival"], 1 - row["high"], 1 - row["low"]
    # nobody back by then: the interval does not exist
    if not share or status_of(back) == "not_enough_data":
        text = say(
            "How many come back by themselves cannot be said: {back:customers} of "
            "{lost:customers} customers lost were seen to.",
            back=back,
            lost=customers,
        )
        return Finding(id=id_, text=text, unit="percent", n=customers, status="not_enough_data")
    return Finding(
        id=id_,
        text=say(
            "Of the customers lost, {share:percent} come back by themselves within "
            "{months:count} months after the exit is known (95 % interval {low:percent} to "
            "{high:percent}).",
            share=share,
            months=longest,
            low=low,
            high=high,
        ),
        value=share,
        low=low,
        high=high,
        unit="percent",
        n=customers,
        status=status_of(back),
    )


def assets_lost(lost: Lost) -> Finding:
    """Return what those who are still gone had with the bank before they left.

    Returns
    -------
    Finding
        ``churn_timing.assets_lost``, in the client's currency; a full count, not an estimate.
    """
    id_, row = "churn_timing.assets_lost", lost.all_row()
    gone, known = int(row["still_gone"]), int(row["assets_known"])
    if known < FEW_EVENTS:
        text = say(
            "What those who are gone were worth cannot be said: it needs the month-end balances "
            "of their accounts {months:count} months before they left, which are known of "
            "{known:customers} of {gone:customers} customers still gone.",
            months=MONTHS_BEFORE_EXIT,
            known=known,
            gone=gone,
        )
        return Finding(id=id_, text=text, unit="money", n=known, status="not_enough_data")
    return Finding(
        id=id_,
        text=say(
            "Customers who left and are still gone held {total:money} in all {months:count} "
            "months before they left, {each:money} each on average; this is known of "
            "{known:customers} of the {gone:customers} who are gone.",
            total=row["assets_gone"],
            months=MONTHS_BEFORE_EXIT,
            each=row["former_assets_each"],
            known=known,
            gone=gone,
        ),
        value=row["assets_gone"],
        low=row["assets_gone"],
        high=row["assets_gone"],
        unit="money",
        n=known,
        status=status_of(known),
    )


def worth_winning_back(lost: Lost) -> Message:
    """Say where the money of those still gone was, and whether customers like them return."""
    bands = lost.table[lost.table["feature"] == "assets_band"]
    bands = bands[(bands["group"] != UNKNOWN) & (bands["assets_known"] >= FEW_EVENTS)]
    total = lost.all_row()["assets_gone"]
    if bands.empty or not total > 0:
        return say("It cannot be said who of those lost would be worth winning back.")
    best = bands.loc[bands["assets_gone"].idxmax()]
    values = {
        "band": group_name(lost, "assets_band", best["group"]),
        "money": best["assets_gone"] / total,
        "gone": int(best["assets_known"]),
        "people": best["assets_known"] / lost.all_row()["assets_known"],
    }
    if math.isnan(best["share_12"]):
        return say(
            "The largest part of the money was with those who had “{band}”: {gone:customers} "
            "customers still gone, {people:percent} of all whose former assets are known, with "
            "{money:percent} of the money. How many like them come back by themselves is not "
            "known yet.",
            **values,
        )
    return say(
        "The largest part of the money was with those who had “{band}”: {gone:customers} "
        "customers still gone, {people:percent} of all whose former assets are known, with "
        "{money:percent} of the money. Of customers lost like them {back:percent} came back by "
        "themselves within 12 months (95 % interval {low:percent} to {high:percent}).",
        back=best["share_12"],
        low=best["low_12"],
        high=best["high_12"],
        **values,
    )


def group_name(lost: Lost, feature: str, group: str) -> Message | str:
    """Return what a reader calls a group of those lost."""
    if feature == "all":
        return say("all customers lost")
    if feature == "exit":
        return exit_name(group) if group != UNKNOWN else level_name(feature, group)
    if feature == "assets_band" and group != UNKNOWN:
        limits, i = lost.asset_limits, int(group)
        if not limits:  # too few customers for bands
            return say("known")
        if i == 0:
            return say("at most {high:number}", high=limits[0])
        if i == len(limits):
            return say("more than {low:number}", low=limits[-1])
        return say(
            "more than {low:number}, at most {high:number}", low=limits[i - 1], high=limits[i]
        )
    return level_name(feature, group)


def already_lost_table(lost: Lost, words: Words, min_cell: int) -> pd.DataFrame:
    """Return the table for a report, named for readers; small groups are masked.

    Returns
    -------
    DataFrame
        ``group`` (with its feature) and the numbers of :attr:`Lost.table`. A share is hidden
        where fewer than `min_cell` customers, or a hidden number, came back; assets where so few
        have known ones.
    """
    table = lost.table.reset_index(drop=True)
    parts = [
        (0, part.index.tolist())
        for feature, part in table.groupby("feature", sort=False)
        if feature != "all"
    ]
    masked = mask_counts(
        table,
        min_cell=min_cell,
        counts=["lost", "returned", "still_gone", "assets_known"],
        sums=parts,
    )

    def unseen(count: str) -> pd.Series:
        return masked[count].map(lambda value: isinstance(value, str)).astype(bool)

    shares = [name for name in COLUMNS if name.startswith(("share_", "low_", "high_"))]
    for names, gone in (
        (shares, unseen("returned")),
        (["assets_gone", "former_assets_each"], unseen("assets_known")),
    ):
        for name in names:
            masked[name] = masked[name].astype(object).mask(gone & table[name].notna(), HIDDEN)
    names = []
    for feature, group in zip(table["feature"], table["group"], strict=True):
        name = words(group_name(lost, feature, group))
        if feature != "all":
            name = f"{words(FEATURES.get(feature) or feature_name(feature))}: {name}"
        names.append(name)
    return masked.drop(columns="feature").assign(group=names)
