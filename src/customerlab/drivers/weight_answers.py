"""What the weights of drivers say, as findings and as a table to show."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from customerlab.drivers.weights import Weights
from customerlab.findings import Finding
from customerlab.messages import Message, listed, say

#: A driver is named the first if it is so in at least this share of the resamples.
SURE = 0.95


def weight_findings(
    weights: Weights, names: Mapping[str, Message | str] | None = None
) -> tuple[Finding, ...]:
    """Return the first driver, and the weight of each.

    Parameters
    ----------
    weights : Weights
    names : Mapping, optional
        What readers call the drivers.

    Returns
    -------
    tuple of Finding
        ``repurchase_drivers.top_driver``, and ``repurchase_drivers.weight.<driver>`` in the order
        of the table; without skill only the first, with not enough data or weak.
    """
    id_, skill, table = "repurchase_drivers.top_driver", weights.skill, weights.table
    if table.empty:
        status = "weak" if skill.status == "supported" else skill.status
        return (Finding(id_, weights.text, unit="percent", n=skill.n, status=status),)
    each = tuple(_finding(weights, row, names) for row in table.itertuples())
    top = table.iloc[0]
    value = say("{driver}", driver=_name(top["driver"], names))
    if len(table) == 1:
        text = say(
            "“{driver}” is the only driver of {called}: there is none to weigh it against.",
            **_numbers(weights, top, names),
        )
    elif top["rank_share"] >= SURE:
        text = say(
            "“{driver}” goes with {called} most: it carries {weight:percent0} [{low:number0}, "
            "{high:number0}] of what the drivers explain, and is first in {share:percent0} of "
            "resamples. An association: the data do not tell what a change would do.",
            **_numbers(weights, top, names),
        )
    else:
        first = weights.ranks.query("rank == 1").sort_values("share", ascending=False)
        first = first.loc[first["share"] >= 1 - SURE, ["driver", "share"]]
        rivals = first.merge(table.drop(columns=["rank", "rank_share"]), on="driver")
        value = say("{drivers}", drivers=listed([_name(one, names) for one in rivals["driver"]]))
        text = say(
            "No driver is surely first for {called}; most often first in resamples: {rivals}.",
            called=skill.called,
            rivals=listed([_rival(row, names) for _, row in rivals.iterrows()]),
        )
    status = skill.status if top["rank_share"] >= SURE else "weak"
    return (Finding(id_, text, value, unit="text", n=skill.n, status=status), *each)


def weights_to_show(
    weights: Weights, names: Mapping[str, Message | str] | None = None
) -> pd.DataFrame:
    """Return the table with the drivers' names for readers, and whether the outcome is 0/1.

    It holds no counts of customers. ``binary`` says that effects are changes of a share.
    """
    shown = [_name(driver, names) for driver in weights.table["driver"]]
    return weights.table.assign(
        driver=pd.Series(shown, dtype=object), binary=bool(weights.skill.binary)
    )


def _name(driver: str, names: Mapping[str, Message | str] | None) -> Message | str:
    return driver if names is None else names.get(driver, driver)


def _rival(row: pd.Series, names: Mapping | None) -> Message:
    return say(
        "{driver} (in {share:percent0}; carries {weight:percent0} [{low:number0}, {high:number0}] "
        "of what the drivers explain)",
        driver=_name(row["driver"], names),
        share=row["share"],
        weight=row["weight"],
        low=row["low"] * 100,
        high=row["high"] * 100,
    )


def _numbers(weights: Weights, row: pd.Series, names: Mapping | None) -> dict[str, object]:
    return {
        "driver": _name(row["driver"], names),
        "called": weights.skill.called,
        "weight": row["weight"],
        "low": row["low"] * 100,
        "high": row["high"] * 100,
        "rank": int(row["rank"]),
        "share": row["rank_share"],
    }


def _finding(weights: Weights, row: object, names: Mapping | None) -> Finding:
    row = pd.Series(row._asdict())
    numbers = _numbers(weights, row, names)
    text = (
        say(
            "{driver}: {weight:percent0} [{low:number0}, {high:number0}] of what the drivers "
            "explain of {called}, first in {share:percent0} of resamples (association).",
            **numbers,
        )
        if row["rank"] == 1
        else say(
            "{driver}: {weight:percent0} [{low:number0}, {high:number0}] of what the drivers "
            "explain of {called}, number {rank:count} in {share:percent0} of resamples "
            "(association).",
            **numbers,
        )
    )
    return Finding(
        id=f"repurchase_drivers.weight.{row['driver']}",
        text=text,
        value=row["weight"],
        low=row["low"],
        high=row["high"],
        unit="percent",
        n=weights.skill.n,
        status=weights.skill.status,
    )
