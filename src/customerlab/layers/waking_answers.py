"""What may be said of waking the dormant: who came back, and how many are proposed for contact."""

from __future__ import annotations

import datetime as dt

import pandas as pd

from customerlab.findings import Finding
from customerlab.layers.waking import UNKNOWN
from customerlab.messages import say
from customerlab.privacy import HIDDEN, mask_counts


def mask_returns(returns: pd.DataFrame, *, min_cell: int) -> pd.DataFrame:
    """Return the groups as they may be shown: a share would tell a count that is hidden.

    Parameters
    ----------
    returns : DataFrame
        From :func:`count_returns`.
    min_cell : int
        See :func:`customerlab.privacy.mask_counts`.

    Returns
    -------
    DataFrame
        With ``returned`` for ``came_back``, which elsewhere in the report is a share.
    """
    told = ["share", "low", "high", "woke_product", "woke_channel"]
    masked = mask_counts(
        returns,
        min_cell=min_cell,
        counts=["customers", "came_back"],
        with_them=told,
        sums=[(None, list(range(len(returns))))],
    )
    gone = masked["came_back"].map(lambda count: isinstance(count, str))
    for column in told:
        masked[column] = masked[column].mask(gone & returns[column].notna(), HIDDEN)
    return masked.rename(columns={"came_back": "returned"})


def describe_waking(
    returns: pd.DataFrame,
    arms: dict[str, int],
    *,
    landmark: dt.date,
    until: dt.date,
    min_customers: int,
    min_cell: int = 1,
) -> tuple[Finding, ...]:
    """Say how many dormant came back, which group most, and how many are proposed.

    Parameters
    ----------
    returns : DataFrame
        From :func:`count_returns` (not masked).
    arms : dict of str to int
        From :func:`customerlab.lots.count_arms`.
    landmark, until : date
        As for :func:`count_returns`.
    min_customers : int
        As for :func:`propose_waking`.
    min_cell : int
        A share is not said where fewer customers came back, or did not.

    Returns
    -------
    tuple of Finding
        ``invalid_customers.dormant_came_back`` and ``invalid_customers.dormant_group`` (share
        with Wilson's 95 % interval; weak where it includes the share of all, for the group
        was picked as the highest), ``invalid_customers.proposed_to_wake`` (number to contact).
    """
    people, back = int(returns["customers"].sum()), int(returns["came_back"].sum())
    sayable = returns[
        (returns["customers"] >= min_customers)
        & (returns["came_back"] > 0)
        & returns["came_back"].map(lambda count: _may_be_said(count, min_cell))
        & (returns["customers"] - returns["came_back"]).map(lambda n: _may_be_said(n, min_cell))
    ]
    return (
        _came_back(people, back, landmark, until, min_cell),
        _best_group(sayable, people, back, min_customers),
        Finding(
            "invalid_customers.proposed_to_wake",
            say(
                "{contact:customers} dormant customers of groups that came back at least as often "
                "as all are proposed for contact; {control:customers} more are held back as "
                "control, to see what the contact does.",
                **arms,
            )
            if sum(arms.values())
            else say("No dormant customer is proposed for contact: no group of them came back."),
            *(arms["contact"],) * 3,
            unit="customers",
            n=arms["contact"],
            status="supported" if people >= min_customers else "not_enough_data",
        ),
    )


def _may_be_said(count: int, min_cell: int) -> bool:
    return count == 0 or count >= min_cell


def _came_back(people: int, back: int, landmark: dt.date, until: dt.date, min_cell: int) -> Finding:
    from statsmodels.stats.proportion import proportion_confint  # slow to import

    name = "invalid_customers.dormant_came_back"
    days = {"landmark": landmark, "until": until}
    if not people or not (_may_be_said(back, min_cell) and _may_be_said(people - back, min_cell)):
        return Finding(
            name,
            say(
                "{customers:customers} customers were dormant on {landmark:date}: too few to say "
                "what share came back by {until:date}.",
                customers=people,
                **days,
            ),
            unit="percent",
            n=people,
            status="not_enough_data",
        )
    low, high = proportion_confint(back, people, method="wilson")
    return Finding(
        name,
        say(
            "Of {customers:customers} customers dormant on {landmark:date}, {back:customers} "
            "({share:percent}) came back by {until:date}.",
            customers=people,
            back=back,
            share=back / people,
            **days,
        ),
        back / people,
        float(low),
        float(high),
        unit="percent",
        n=people,
    )


def _best_group(sayable: pd.DataFrame, people: int, back: int, min_customers: int) -> Finding:
    name = "invalid_customers.dormant_group"
    if sayable.empty:
        return Finding(
            name,
            say(
                "No group of at least {min:count} dormant customers can be named that came back.",
                min=min_customers,
            ),
            unit="percent",
            n=people,
            status="not_enough_data",
        )
    # of equal shares the larger group, then by name: the table is in that order
    best = sayable.sort_values("share", ascending=False, kind="stable").iloc[0]
    return Finding(
        name,
        say(
            "Most often came back those last seen with {product} through {channel}: "
            "{share:percent} ({low:percent} to {high:percent}), against {all:percent} of all; most "
            "of them through {woke}.",
            product=_word(best["product"]),
            channel=_word(best["channel"]),
            share=best["share"],
            low=best["low"],
            high=best["high"],
            all=back / people,
            woke=_word(best["woke_channel"]),
        ),
        float(best["share"]),
        float(best["low"]),
        float(best["high"]),
        unit="percent",
        n=int(best["customers"]),
        status="supported" if best["low"] > back / people else "weak",
    )


def _word(name: str) -> object:
    return say("unknown") if name == UNKNOWN else name
