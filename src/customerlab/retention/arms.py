"""Arms of one campaign: whether they were drawn by lot, and one compared with no contact.

Where the chance of an arm differed between customers, each weighs one over the chance of the own
arm (Horvitz and Thompson 1952; Hajek 1971); the variance is turned into the number of customers of
a plain draw that would have the same (Korn and Graubard 1998), so that one formula serves both.
Where the chances are the same, that number is the customers'.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import scipy

from customerlab.churn.curves import status_of
from customerlab.messages import say

#: What the arm without contact is called; the first of them that a campaign has is its control.
CONTROLS = ("control", "no contact", "none", "holdout", "对照组", "对照", "空白组", "不联系")
#: Below this chance the arms are not what a draw by lot gives (Fabijan and others 2019).
RATIO_P = 0.001
#: Chances of an arm are read to so many parts.
PARTS = 10_000
#: What a comparison tells beyond the counts and shares.
TOLD = ["difference", "difference_low", "difference_high", "kept", "kept_low", "kept_high", "p"]


def judge(mine: pd.DataFrame, about: dict) -> tuple[dict, bool]:
    """Say whether a campaign is an experiment, and whether its customers need weights.

    Parameters
    ----------
    mine : DataFrame
        Counts ``n`` by ``arm``, ``parts`` (the chance of the own arm in parts of 10,000, missing
        where not known) and ``at_risk`` (bool).
    about : dict
        What else is known of the campaign.

    Returns
    -------
    dict, bool
        A row of :attr:`customerlab.retention.contacts.ContactEffects.campaigns`. Who was still a
        customer when assigned is told by what followed (a silence): where contact itself changed
        that, the arms are no longer alike, and the campaign is no experiment.
    """
    arms = {arm: arm.strip().lower() for arm in sorted(mine["arm"].unique())}
    without = [arm for name in CONTROLS for arm in arms if arms[arm] == name]
    control = without[0] if without else None
    # a second arm without contact is no contact either
    others = tuple(arm for arm in arms if arm not in without)
    totals = mine.groupby("arm")["n"].sum()
    given = bool(mine["parts"].notna().all())
    possible = not given or bool(mine["parts"].between(1, PARTS - 1).all())
    several = len(mine[["arm", "parts"]].drop_duplicates()) > len(totals)
    weighted = given and possible and several
    ratio_p = _ratio_p(mine, several) if given and possible else float("nan")
    at_risk_p = float("nan")
    if control is not None and others:
        each = [compare(mine, ~mine["at_risk"], arm, control, weighted)["p"] for arm in others]
        known = [p for p in each if not np.isnan(p)]
        at_risk_p = min(1.0, min(known) * len(known)) if known else float("nan")
    evidence, note = "experiment", None
    if control is None or not others:
        evidence = "none"
        note = say("no arm without contact, so nothing to compare with")
        if control is not None:
            note = say("no arm with contact")
    elif not mine["at_risk"].any():
        evidence, note = "none", say("nobody assigned was then watched")
    elif not possible:
        evidence = "association"
        note = say("some customers had no chance of another arm: not drawn by lot")
    elif ratio_p < RATIO_P:
        evidence = "association"
        note = say(
            "the arms are not as large as a draw by lot makes them (p = {p:chance})", p=ratio_p
        )
    elif at_risk_p < RATIO_P:
        evidence = "association"
        note = say(
            "the arms differ in how many were still customers when assigned (p = {p:chance})",
            p=at_risk_p,
        )
    elif np.isnan(ratio_p):
        note = say("taken to be drawn by lot: the sizes of the arms could not be checked")
    judged = {"product": None, "channel": None, **about, "control": control, "arms": others}
    judged |= {"assigned": int(totals.sum()), "at_risk": int(mine.loc[mine["at_risk"], "n"].sum())}
    judged |= {"ratio_p": ratio_p, "at_risk_p": at_risk_p, "evidence": evidence, "note": note}
    return judged, weighted


def _ratio_p(mine: pd.DataFrame, several: bool) -> float:
    """Return the chance of arms of such sizes, given each customer's chance of the own arm."""
    chance = mine["parts"].to_numpy(float) / PARTS
    n = mine["n"].to_numpy(float)
    if not several:
        sizes = mine.groupby("arm")["n"].sum()
        planned = mine.groupby("arm")["parts"].first() / PARTS
        if len(sizes) < 2 or abs(planned.sum() - 1) > 0.02:  # not chances of the own arm
            return float("nan")
        return float(scipy.stats.chisquare(sizes, planned / planned.sum() * sizes.sum()).pvalue)
    # customers over their chance add up to all customers, whichever arm
    p = []
    for arm in mine["arm"].unique():
        own = (mine["arm"] == arm).to_numpy()
        off = (n[own] / chance[own]).sum() - n.sum()
        spread = (n[own] * (1 - chance[own]) / chance[own] ** 2).sum()
        p.append(2 * scipy.stats.norm.sf(abs(off) / np.sqrt(spread)))
    return float(min(1.0, min(p) * len(p)))


def compare(rows: pd.DataFrame, yes: pd.Series, arm: str, control: str, weighted: bool) -> dict:
    """Compare the share of `yes` in an arm with that in the control.

    Parameters
    ----------
    rows : DataFrame
        Counts ``n`` by ``arm``, ``parts``.
    yes : Series of bool
        Who left, for instance; a row of `rows` each.
    arm, control : str
    weighted : bool
        Whether each customer weighs one over the own chance.

    Returns
    -------
    dict
        ``customers``, ``left``, ``share``, the same of the control, :data:`TOLD` (missing with
        fewer than 30 in both) and ``status``.
    """
    from statsmodels.stats.proportion import confint_proportions_2indep  # slow to import

    weight = PARTS / rows["parts"].to_numpy(float) if weighted else np.ones(len(rows))
    n, y = rows["n"].to_numpy(float), yes.to_numpy(bool)
    one, other = ((rows["arm"] == name).to_numpy() for name in (arm, control))
    share, like = _share(n[one], weight[one], y[one])
    base, base_like = _share(n[other], weight[other], y[other])
    left, base_left = int(n[one & y].sum()), int(n[other & y].sum())
    row = {
        "customers": int(n[one].sum()),
        "left": left,
        "share": share,
        "control_customers": int(n[other].sum()),
        "control_left": base_left,
        "control_share": base,
        "status": status_of(left + base_left),
    }
    none = dict.fromkeys(TOLD, float("nan"))
    pooled = (share * like + base * base_like) / (like + base_like) if like and base_like else 0.0
    if row["status"] == "not_enough_data" or not 0 < pooled < 1:
        return {**none, **row}
    counts = (share * like, like, base * base_like, base_like)
    low, high = confint_proportions_2indep(*counts, compare="diff", method="newcomb")
    z = (share - base) / np.sqrt(pooled * (1 - pooled) * (1 / like + 1 / base_like))
    kept = {}
    if base > 0 and max(share, base) < 1:
        least, most = confint_proportions_2indep(*counts, compare="ratio", method="score")
        kept = {"kept": 1 - share / base, "kept_low": 1 - most, "kept_high": 1 - max(least, 0.0)}
    ends = {"difference": share - base, "difference_low": low, "difference_high": high}
    return {**none, **row, **ends, **kept, "p": float(2 * scipy.stats.norm.sf(abs(z)))}


def _share(n: np.ndarray, weight: np.ndarray, yes: np.ndarray) -> tuple[float, float]:
    """Return the weighted share of `yes`, and how many customers of a plain draw tell as much."""
    if not n.sum():
        return float("nan"), 0.0
    total = (n * weight).sum()
    share = float((n * weight * yes).sum() / total)
    variance = (n * weight**2 * (yes - share) ** 2).sum() / total**2
    if variance > 0:
        return share, float(share * (1 - share) / variance)
    return share, float(total**2 / (n * weight**2).sum())
