"""Which features know too much.

A feature that is recorded only when a customer leaves foretells leaving perfectly, and is worth
nothing on the day of a forecast. It is named, and held out until the parameters confirm that it
was known before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from customerlab.churn.curves import FEW_EVENTS, status_of
from customerlab.churn.levels import as_levels, natural_order
from customerlab.churn.measures import auc, auc_interval
from customerlab.churn.smooth import wilson
from customerlab.churn.stays import Stays
from customerlab.features import feature_name, level_name
from customerlab.findings import STATUSES, Check, Finding
from customerlab.messages import Message, listed, say, yes_or_no
from customerlab.privacy import HIDDEN

#: A single feature that ranks better than this, or a level that nearly always ends in an exit, or
#: holds nearly all exits in few months, was hardly known before. For comparison: a level with a
#: hazard ratio of 3 ranks below 0.7 however common it is.
TOO_GOOD, NEARLY_ALL, FEW_MONTHS = 0.90, 0.90, 0.10

_COLUMNS = ["feature", "auc", "auc_low", "auc_high", "level", "level_months", "level_exits"]
_COLUMNS += ["share", "share_low", "share_high", "share_of_exits", "share_of_months", "exits"]
_COLUMNS += ["suspected", "held_out", "status"]

_TOO_FEW = say("Too few exits to tell whether a feature was known only after leaving.")


@dataclass(frozen=True)
class Leaks:
    """Which features foretell leaving too well to have been known before.

    Attributes
    ----------
    table : DataFrame
        One row per feature: ``auc`` of its levels' rates with 95 % interval, the most telling
        ``level`` of those with at least 30 exits (``level_months``, ``level_exits``; the ``share``
        of its months that end in an exit with Wilson's interval; its ``share_of_exits`` and
        ``share_of_months``), all ``exits``, ``suspected``, ``held_out`` (suspected and not
        confirmed), ``status``.
    """

    table: pd.DataFrame

    @property
    def suspected(self) -> tuple[str, ...]:
        """The features that know too much."""
        return tuple(self.table.loc[self.table["suspected"].astype(bool), "feature"])

    @property
    def held_out(self) -> tuple[str, ...]:
        """Those of them that nobody has confirmed."""
        return tuple(self.table.loc[self.table["held_out"].astype(bool), "feature"])

    def keep(self, covariates: Sequence[str]) -> tuple[str, ...]:
        """Return the features that a model may use."""
        return tuple(name for name in covariates if name not in self.held_out)


def look_for_leaks(
    stays: Stays, rng: np.random.Generator, *, confirmed: Sequence[str] = ()
) -> Leaks:
    """Look for leaks among everything that foretells leaving: see :func:`find_leaks`.

    What we work out ourselves is as of a month, and judged by the month. A client's own column is
    as of today in all of a customer's months: it is judged by the customer, who left or did not.
    """
    own = [name for name in stays.covariates if name in stays.ends]
    ours = [name for name in stays.covariates if name not in own]
    months = stays.months if stays.windows is None else stays.windows
    parts = [
        find_leaks(counts, names, rng, confirmed=confirmed).table
        for counts, names in ((months, ours), (stays.ends, own))
        if names
    ]
    return Leaks(pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=_COLUMNS))


def find_leaks(
    cells: pd.DataFrame,
    covariates: Sequence[str],
    rng: np.random.Generator,
    *,
    confirmed: Sequence[str] = (),
) -> Leaks:
    """Name the features that foretell leaving too well to have been known before.

    The customer-months are split in two at random: the levels' rates come from one half, the
    ranking is judged in the other, so that a feature of many levels does not look good by chance.
    Suspected is a feature whose AUC alone is above 0.90, or with a level of at least 30 exits of
    whose customer-months more than 90 % end in an exit, or which holds more than 90 % of the
    exits in less than 10 % of the months.

    Parameters
    ----------
    cells : DataFrame
        `covariates`, ``n`` customer-months (or customers), ``events`` exits among them.
    covariates : sequence of str
    rng : Generator
    confirmed : sequence of str
        Features known to be known before: suspected all the same, but not held out.
    """
    left = cells["events"].to_numpy("int64")
    stayed = cells["n"].to_numpy("int64") - left
    learnt = (rng.binomial(left, 0.5), rng.binomial(stayed, 0.5))
    rows = []
    for name in covariates:
        level = as_levels(cells[name])
        counts = pd.DataFrame(
            {"left": left, "stayed": stayed, "left_1": learnt[0], "stayed_1": learnt[1]}
        )
        counts = counts.groupby(level.to_numpy()).sum()
        counts = counts.loc[sorted(counts.index, key=natural_order)]
        row = {"feature": name, **_how_telling(counts)}
        rows.append(row | {"held_out": row["suspected"] and name not in confirmed})
    return Leaks(pd.DataFrame(rows, columns=_COLUMNS))


def _how_telling(counts: pd.DataFrame) -> dict[str, object]:
    exits, months = counts["left"].sum(), counts["left"].sum() + counts["stayed"].sum()
    row = dict.fromkeys(_COLUMNS[1:], np.nan)
    row |= {"level": None, "exits": int(exits), "suspected": False, "status": status_of(exits)}
    if exits < FEW_EVENTS or months - exits < FEW_EVENTS:
        return row | {"status": "not_enough_data"}
    one_left, one_stayed = counts["left_1"], counts["stayed_1"]
    overall = one_left.sum() / (one_left.sum() + one_stayed.sum())
    # a level that the first half has not seen is like all
    rate = (one_left + overall) / (one_left + one_stayed + 1)
    area, error = auc(rate.to_numpy(), counts["left"] - one_left, counts["stayed"] - one_stayed)
    low, high = auc_interval(area, error)
    row |= {"auc": area, "auc_low": low, "auc_high": high, "suspected": bool(area > TOO_GOOD)}
    levels = counts.assign(months=counts["left"] + counts["stayed"])
    levels = levels[levels["left"] >= FEW_EVENTS]
    levels = levels.assign(
        share=levels["left"] / levels["months"],
        share_of_exits=levels["left"] / exits,
        share_of_months=levels["months"] / months,
    )
    tells = (levels["share"] > NEARLY_ALL) | (
        (levels["share_of_exits"] > NEARLY_ALL) & (levels["share_of_months"] < FEW_MONTHS)
    )
    levels = levels.assign(tells=tells).sort_values(["tells", "share"], ascending=False)
    if levels.empty:
        return row
    most = levels.iloc[0]
    ends = wilson(most["left"], most["months"])
    return row | {
        "level": levels.index[0],
        "level_months": int(most["months"]),
        "level_exits": int(most["left"]),
        "share": most["share"],
        "share_low": ends[0],
        "share_high": ends[1],
        "share_of_exits": most["share_of_exits"],
        "share_of_months": most["share_of_months"],
        "suspected": row["suspected"] or bool(most["tells"]),
    }


def leaks_to_show(leaks: Leaks, min_cell: int) -> pd.DataFrame:
    """Return the table for a report, without counts.

    A share is hidden where it tells of fewer than `min_cell` others: those of the level who
    stayed, or the exits outside it.
    """
    table = leaks.table
    shown = table.drop(columns=["level_months", "level_exits", "exits"])
    others = {
        ("share", "share_low", "share_high"): table["level_months"] - table["level_exits"],
        ("share_of_exits",): table["exits"] - table["level_exits"],
    }
    for columns, count in others.items():
        for column in columns:
            hidden = count.between(1, min_cell - 1)
            shown[column] = shown[column].astype(object).mask(hidden, HIDDEN)
    pairs = zip(table["feature"], table["level"], strict=True)
    return shown.assign(
        level=["" if level is None else level_name(name, level) for name, level in pairs],
        feature=[feature_name(name) for name in table["feature"]],
        held_out=[yes_or_no(one) for one in table["held_out"]],
        status=[STATUSES[one] for one in table["status"]],
    ).drop(columns="suspected")


def held_out(leaks: Leaks) -> Finding:
    """Return ``churn_timing.held_out``: the features that know too much."""
    id_, names = "churn_timing.held_out", leaks.held_out
    judged = leaks.table[leaks.table["status"] != "not_enough_data"]
    if judged.empty:
        return Finding(id=id_, text=_TOO_FEW, unit="count", status="not_enough_data")
    text = say("No feature foretells leaving too well to have been known before.")
    if names:
        text = say(
            "Held out, because it foretells leaving too well to have been known before: "
            "{features}.",
            features=listed([_named(name) for name in names]),
        )
    elif leaks.suspected:
        text = say(
            "Used, although it foretells leaving almost too well, because "
            "`churn_timing.confirmed` names it: {features}.",
            features=listed([_named(name) for name in leaks.suspected]),
        )
    count = len(names)
    return Finding(id=id_, text=text, value=count, low=count, high=count, unit="count")


def _named(feature: str) -> Message:
    return say("“{feature}”", feature=feature_name(feature))


def check_leaks(leaks: Leaks) -> tuple[Check, ...]:
    """Judge whether every feature was known before; one check for each that may not have been."""
    name = say("No feature knows too much")
    if leaks.table["status"].eq("not_enough_data").all():
        return (Check(name, None, _TOO_FEW),)
    if not leaks.suspected:
        best = leaks.table.loc[leaks.table["auc"].astype(float).idxmax()]
        text = say(
            "The most telling one alone is “{feature}”: it tells customer-months with an exit from "
            "others in {auc:percent0} of the pairs; above {most:percent0} it would be held out.",
            feature=feature_name(best["feature"]),
            auc=best["auc"],
            most=TOO_GOOD,
        )
        return (Check(name, True, text),)
    checks = []
    for feature in leaks.suspected:
        if feature in leaks.held_out:
            text = say(
                "“{feature}” foretells leaving too well to have been known before; it is held out "
                "until `churn_timing.confirmed` names it.",
                feature=feature_name(feature),
            )
            checks.append(Check(name, False, text, ("churn_timing.main_sign",)))
        else:
            text = say(
                "“{feature}” foretells leaving almost too well to have been known before; it is "
                "used because `churn_timing.confirmed` names it.",
                feature=feature_name(feature),
            )
            checks.append(Check(name, True, text))
    return tuple(checks)
