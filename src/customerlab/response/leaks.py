"""Which columns know the answer: recorded with the response, or because of it.

The length of the call that made the sale foretells the sale, and is worth nothing when it is to be
decided whom to call. Such columns are named, and held out until somebody confirms that they were
known before the contact.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy

from customerlab.churn import leaks as leaving
from customerlab.churn.curves import status_of
from customerlab.churn.leaks import TOO_GOOD, find_leaks
from customerlab.features import UNKNOWN, feature_name
from customerlab.findings import STATUSES, Check, Finding
from customerlab.messages import Message, listed, say, yes_or_no
from customerlab.privacy import HIDDEN
from customerlab.response.columns import as_bands, count_levels

#: Values that hold a tenth to half of the contacts, and respond less than a twentieth as often as
#: all, surely less than a quarter: such a column rules a response out, which nothing that is known
#: before does. In bank marketing the lowest tenth of every honest column responds at least 0.27
#: times as often as all, of ``duration`` 0.002 times.
HARDLY_ANY, SURELY_BELOW, CHANCE = 0.05, 0.25, 0.001
#: A little less than tenths, for two bands may hold a little less than one.
_TENTHS = np.arange(1, 6) / 10 - 0.01

#: Why a column is suspected, in words.
REASONS: dict[str, Message] = {
    "named": say("named as known only after the contact"),
    "only_responders": say("filled in for hardly anyone but responders"),
    "only_others": say("empty for hardly anyone but responders"),
    "ranks": say("tells responders from others nearly without error, alone"),
    "nearly_all": say("one of its values belongs nearly only to responders"),
    "hardly_any": say("some of its values all but rule a response out"),
}
_COLUMNS = ["feature", "auc", "auc_low", "auc_high", "level", "level_contacts", "level_responders"]
_COLUMNS += ["lowest_contacts", "lowest_responders", "lowest_over_all"]
_COLUMNS += ["contacts", "responders", "reason", "suspected", "held_out", "status"]

_TOO_FEW = say("Too few responses to tell whether a column was known only after the contact.")


@dataclass(frozen=True)
class Leaks(leaving.Leaks):
    """Which columns foretell a response too well to have been known before the contact.

    Attributes
    ----------
    table : DataFrame
        One row per ``feature``: ``auc`` of its levels' rates with 95 % interval; its most telling
        ``level`` of those with at least 30 responders, with ``level_contacts`` and
        ``level_responders``; the values that respond least (``lowest_contacts``,
        ``lowest_responders``, ``lowest_over_all``: their rate over that of all), judged on contacts
        that did not pick them; all ``contacts`` and ``responders``; ``reason`` (a key of
        :data:`REASONS`, or None), ``suspected``, ``held_out`` (suspected and not confirmed),
        ``status``.
    """

    def keep(self, features: Sequence[str]) -> list[str]:
        """Return the columns that a model may use."""
        return list(super().keep(features))


def look_for_leaks(
    features: pd.DataFrame,
    responded: np.ndarray,
    rng: np.random.Generator,
    *,
    known_after: Sequence[str] = (),
    confirmed: Sequence[str] = (),
) -> Leaks:
    """Name the columns that foretell a response too well to have been known before.

    As :func:`customerlab.churn.leaks.find_leaks` judges levels: an AUC above 0.90 alone, or a value
    with more than 90 % responders, or with more than 90 % of the responders in less than 10 % of
    the contacts. Besides, whether a value is there at all is judged in the same way, and whether
    some values rule a response out. Levels are learnt on one half of the contacts, drawn at random,
    and judged on the other. Numbers count in bands of a twentieth of the contacts.

    Parameters
    ----------
    features : DataFrame
        One row per contact.
    responded : array of 0 and 1, shape (contacts,)
    rng : Generator
    known_after : sequence of str
        Columns that the bank says are known only after the contact: out, whatever they look like.
    confirmed : sequence of str
        Columns that the bank says are known before: suspected all the same, but not held out.
    """
    responded = np.asarray(responded).astype("int64")
    rows = []
    for name in features:
        row = _judge(name, features[name], responded, rng)
        if name in known_after:
            row |= {"reason": "named"}
        row["suspected"] = row["reason"] is not None
        row["held_out"] = row["suspected"] and (name in known_after or name not in confirmed)
        rows.append(row)
    return Leaks(pd.DataFrame(rows, columns=_COLUMNS))


def _judge(
    name: str, values: pd.Series, responded: np.ndarray, rng: np.random.Generator
) -> dict[str, object]:
    counts = count_levels(as_bands(values), responded)
    told = find_leaks(counts, ["level"], rng).table.iloc[0]
    n, events = int(counts["n"].sum()), int(counts["events"].sum())
    row = dict.fromkeys(_COLUMNS, np.nan) | {"feature": name, "contacts": n, "responders": events}
    row |= {column: told[column] for column in ("auc", "auc_low", "auc_high", "level")}
    row |= {"level_contacts": told["level_months"], "level_responders": told["level_exits"]}
    row |= {"reason": None, "status": status_of(min(events, n - events))}
    if told["status"] == "not_enough_data":
        return row | {"status": "not_enough_data"}
    lowest = _lowest(counts, rng)
    for column, value in zip(("contacts", "responders", "over_all"), lowest, strict=True):
        row[f"lowest_{column}"] = value
    there = counts.assign(level=np.where(counts["level"] == UNKNOWN, "no", "yes"))
    there = there.groupby("level", as_index=False)[["n", "events"]].sum()
    whether = find_leaks(there, ["level"], rng).table.iloc[0]
    if len(there) == 2 and whether["suspected"]:
        row["reason"] = "only_responders" if whether["level"] == "yes" else "only_others"
    elif told["auc"] > TOO_GOOD:
        row["reason"] = "ranks"
    elif told["suspected"]:
        row["reason"] = "nearly_all"
    elif _rules_out(lowest, events / n):
        row["reason"] = "hardly_any"
    return row


def _lowest(counts: pd.DataFrame, rng: np.random.Generator) -> tuple[int, int, float]:
    """Return contacts, responders and relative rate of the values that respond least.

    They are picked on one half, by the rate there, until they hold a tenth of it, a fifth, and so
    on to one half. Of those that surely respond less than a quarter as often as all on the other
    half the lowest is returned; where there is none, the one that comes nearest.
    """
    left, n = counts["events"].to_numpy(), counts["n"].to_numpy()
    gone, here = rng.binomial(left, 0.5), rng.binomial(n - left, 0.5)
    overall = gone.sum() / max(gone.sum() + here.sum(), 1)
    order = np.argsort((gone + overall) / (gone + here + 1), kind="stable")
    size = (gone + here)[order].cumsum()
    held, responders = (n - gone - here)[order].cumsum(), (left - gone)[order].cumsum()
    rate = responders[-1] / max(held[-1], 1)
    # no more than half: all together respond as often as all
    at = np.unique(np.searchsorted(size, _TENTHS * size[-1]))
    at = at[size[at] <= (_TENTHS[-1] + 0.1) * size[-1]]
    if not len(at) or rate == 0:
        return 0, 0, np.nan
    chance = scipy.stats.binom.cdf(responders[at], held[at], SURELY_BELOW * rate)
    over_all = responders[at] / np.maximum(held[at], 1) / rate
    surely = chance < CHANCE
    best = np.where(surely, over_all, np.inf).argmin() if surely.any() else chance.argmin()
    over, best = over_all[best], at[best]
    return int(held[best]), int(responders[best]), float(over)


def _rules_out(lowest: tuple[int, int, float], rate: float) -> bool:
    n, responders, over_all = lowest
    surely = scipy.stats.binom.cdf(responders, n, SURELY_BELOW * rate) < CHANCE
    return bool(n and surely and over_all < HARDLY_ANY)


def leaks_to_show(leaks: Leaks, min_cell: int) -> pd.DataFrame:
    """Return the table ``leaks.csv`` of a report, without counts.

    Columns ``feature``, ``auc``, ``auc_low``, ``auc_high``, ``lowest_over_all``, ``reason``,
    ``held_out``, ``status``. What rests on fewer than `min_cell` responders reads ``hidden``.
    """
    table = leaks.table
    shown = table[["feature", "auc", "auc_low", "auc_high", "lowest_over_all"]].copy()
    few = table["responders"].between(1, min_cell - 1)
    for column in ("auc", "auc_low", "auc_high"):
        shown[column] = shown[column].astype(object).mask(few, HIDDEN)
    few |= table["lowest_responders"].between(1, min_cell - 1)
    few &= table["lowest_over_all"].notna()
    return shown.assign(
        lowest_over_all=shown["lowest_over_all"].astype(object).mask(few, HIDDEN),
        feature=[feature_name(name) for name in table["feature"]],
        reason=[REASONS.get(one, "") for one in table["reason"]],
        held_out=[yes_or_no(one) for one in table["held_out"]],
        status=[STATUSES[one] for one in table["status"]],
    )


def _named(leaks: Leaks, names: Sequence[str]) -> Message | str:
    reasons = leaks.table.set_index("feature")["reason"]
    return listed(
        [
            say("“{feature}” ({reason})", feature=feature_name(one), reason=REASONS[reasons[one]])
            for one in names
        ]
    )


def held_out(leaks: Leaks) -> Finding:
    """Return ``response_model.held_out``: the columns that know too much."""
    id_, count = "response_model.held_out", len(leaks.held_out)
    judged = leaks.table["status"] != "not_enough_data"
    if not judged.any() and not count:
        return Finding(id=id_, text=_TOO_FEW, unit="count", status="not_enough_data")
    text = say("No column foretells a response too well to have been known before the contact.")
    if count:
        text = say(
            "Held out, for the model may use only what is known before a contact: {features}.",
            features=_named(leaks, leaks.held_out),
        )
    elif leaks.suspected:
        text = say(
            "Used because the bank confirmed that it was known before the contact, although it "
            "looks as if it was not: {features}.",
            features=_named(leaks, leaks.suspected),
        )
    return Finding(id=id_, text=text, value=count, low=count, high=count, unit="count")


def check_leaks(leaks: Leaks) -> Check:
    """Judge whether every column was known before the contact, as far as the data can tell.

    Columns that the bank itself named are out, and break nothing.
    """
    name = say("No column of the response model knows the answer")
    found = leaks.table[leaks.table["held_out"].astype(bool) & (leaks.table["reason"] != "named")]
    if len(found):
        text = say(
            "Held out until it is confirmed as known before the contact: {features}.",
            features=_named(leaks, tuple(found["feature"])),
        )
        return Check(name, False, text, ("response_model.held_out",))
    if leaks.table["status"].eq("not_enough_data").all():
        return Check(name, None, _TOO_FEW)
    best = leaks.table.loc[leaks.table["auc"].astype(float).idxmax()]
    text = say(
        "The most telling column alone is “{feature}”: it tells responders from others in "
        "{auc:percent0} of the pairs; above {most:percent0} it would be held out.",
        feature=feature_name(best["feature"]),
        auc=best["auc"],
        most=TOO_GOOD,
    )
    return Check(name, True, text)
