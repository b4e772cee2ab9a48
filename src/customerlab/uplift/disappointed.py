r"""Why a campaign did worse than the one before: reach, arms, groups, or the effect itself.

The effect per customer assigned is :math:`E = \sum_g p_g \sum_a w_{ga} r_{ga} c_{ga}`, with the
share `p` of a group among the treated, the share `w` of an arm (a channel, an offer) in it, the
reach `r` (share contacted, less that of the control) and the effect `c` among those reached (the
ratio of both effects of being assigned: Imbens and Angrist 1994). The change of such a product is
split as Kitagawa (1955, JASA 50:1168) splits that of two factors, from outside in: each factor's
change, weighed with the mean of the others in both campaigns, so that the parts add up exactly:

.. math:: E_2 - E_1 = \underbrace{\sum_g \Delta p_g \bar e_g}_{groups}
    + \sum_g \bar p_g \Big[ \underbrace{\sum_a \Delta w_{ga} \bar e_{ga}}_{arms}
    + \sum_a \bar w_{ga} \big( \underbrace{\Delta r_{ga} \bar c_{ga}}_{reach}
    + \underbrace{\bar r_{ga} \Delta c_{ga}}_{effect} \big) \Big]

A group or arm that only one campaign had has an effect in that one only: then all groups (arms)
are weighed with that campaign's effects, and the rest with the other's shares, which adds up, too.
So a channel is judged where both ran side by side, and what time changed is not put down to it. A
channel that reaches more customers counts among the arms: reach is the change within an arm.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from customerlab.findings import Status
from customerlab.messages import Message, say
from customerlab.uplift.average import ROUGHEST, compare_arms
from customerlab.uplift.campaign_cells import Campaign, Cells, line_up, nobody
from customerlab.uplift.disappointed_texts import say_change
from customerlab.uplift.sums import pool
from customerlab.uplift.welch import bounds

#: What is split, in the order of the table; ``all`` is their sum.
PARTS = ("groups", "arms", "reach", "effect", "all")
#: Columns of :attr:`Change.table`, :attr:`Change.campaigns` and :attr:`Change.together`.
COLUMNS = ["part", "change", "low", "high", "p_value", "why_not"]
CAMPAIGN_COLUMNS = ["campaign", "n", "control_n", "control_mean", "treated_mean", "reach"]
CAMPAIGN_COLUMNS += ["effect", "low", "high"]
TOGETHER_COLUMNS = ["what", "earlier", "later"]


@dataclass(frozen=True)
class Change:
    """The change of a campaign's effect per customer assigned, in parts that add up.

    Attributes
    ----------
    table : DataFrame
        One row per ``part`` of :data:`PARTS`: ``change`` in units of the outcome with its 95 %
        interval ``low`` to ``high`` and ``p_value``. Missing where a part is not told apart,
        with ``why_not`` (a message, else None); then it is within ``effect``.
    campaigns : DataFrame
        The earlier and the later ``campaign``: customers ``n`` and ``control_n``, their means
        ``treated_mean`` and ``control_mean``, ``reach`` (share of the treated contacted, missing
        where not known), and the ``effect`` per customer assigned, weighed by the groups of the
        treated, ``low`` to ``high``.
    cells : DataFrame
        One row per ``group`` and ``arm``; for each campaign (``_earlier``, ``_later``) customers
        ``n`` and ``control_n``, ``control_mean``, ``treated_mean``, ``share`` of the campaign's
        treated, ``reach`` and ``effect`` with its 95 % interval ``low`` to ``high``.
    together : DataFrame
        ``what`` else differed between the campaigns, ``earlier`` and ``later``.
    names : tuple of str
        Of the earlier and the later campaign.
    outcome : str
    binary : bool
    status : {"supported", "weak", "not_enough_data"}
        Of the campaign that tells less.
    """

    table: pd.DataFrame
    campaigns: pd.DataFrame
    cells: pd.DataFrame
    together: pd.DataFrame
    names: tuple[str, str]
    outcome: str
    binary: bool
    status: Status

    def row(self, part: str) -> pd.Series:
        """Return the row of a part."""
        return self.table.set_index("part").loc[part]

    @property
    def text(self) -> Message:
        """The answer in words, with what the data cannot tell."""
        return say_change(self)


def explain_change(
    earlier: Campaign,
    later: Campaign,
    *,
    control: str,
    outcome: str,
    contacted: str | None = None,
    names: tuple[str, str] = ("earlier", "later"),
    changed: Mapping[str, tuple[object, object]] | None = None,
) -> Change:
    """Split the change of the effect from one campaign to a later one.

    Who was sent what is a fact; who was reached and what they did is chance: shares of groups and
    arms are taken as they are, means with their variances, by the delta method with
    Satterthwaite's degrees of freedom. The campaigns' customers are taken to be drawn apart.
    Groups with fewer than 30 customers in an arm are put together, the smallest first: between
    those the control's share should not differ, else their customers are compared unlike. That only
    contact can have an effect is assumed where reach is split off, nowhere else.

    Parameters
    ----------
    earlier, later : mapping of str to mapping of str to ArmSums
        By group and arm, the control's included; drawn by lot within each group.
    control : str
        Of the same name in both campaigns. Arms of the same name are the same channel or offer.
    outcome : str
    contacted : str, optional
        0/1: whether the customer was reached; None, or a name that some sums lack: not known.
    names : tuple of str
        What the campaigns are called.
    changed : mapping, optional
        What the campaigns were, earlier and later: channel, product, contact_cost, discount ...

    Raises
    ------
    CustomerlabError
        If the control or the outcome does not exist (with the nearest that does).
    """
    cells = line_up((earlier, later), control, outcome, contacted)
    campaigns, binary, status = _totals((earlier, later), control, outcome)
    why = cells.why_not | {"reach": _why_no_reach(cells)}
    numbers = np.full((2 + len(PARTS), 4), np.nan)
    if cells.known:
        numbers = measure_parts(cells, reach=why["reach"] is None)
    table = pd.DataFrame(numbers[2:], columns=COLUMNS[1:5])
    table.insert(0, "part", PARTS)
    table["why_not"] = pd.Series([why.get(part) for part in PARTS], dtype=object)
    table.loc[table["why_not"].notna(), COLUMNS[1:5]] = np.nan
    campaigns["campaign"] = names
    if cells.contact_known:
        reached = (cells.n * cells.mean[..., 1])[..., 1:].sum(axis=(1, 2))
        campaigns["reach"] = reached / campaigns["n"].where(campaigns["n"] > 0)
    campaigns[["effect", "low", "high"]] = numbers[:2, :3]
    together = _differences(changed or {}, arms_told=why["arms"] is None)
    campaigns = campaigns[CAMPAIGN_COLUMNS]
    return Change(table, campaigns, cells.table, together, names, outcome, binary, status)


def _totals(
    campaigns: tuple[Campaign, Campaign], control: str, outcome: str
) -> tuple[pd.DataFrame, bool, Status]:
    """Return customers and means of all groups together, and how far they carry."""
    rows = []
    for one in campaigns:
        both = {"control": [nobody([outcome])], "treated": [nobody([outcome])]}
        for by_arm in one.values():
            for arm, sums in by_arm.items():
                both["control" if arm == control else "treated"].append(sums.select([outcome]))
        pooled = {side: pool(sums) for side, sums in both.items()}
        rows.append(compare_arms(pooled, control="control", outcomes=[outcome]).table.iloc[0])
    order = ["not_enough_data", "weak", "supported"]
    status = min((row["status"] for row in rows), key=order.index)
    table = pd.DataFrame(rows).reset_index(drop=True).reindex(columns=CAMPAIGN_COLUMNS)
    return table, all(row["binary"] for row in rows), status


def _differences(changed: Mapping[str, tuple[object, object]], *, arms_told: bool) -> pd.DataFrame:
    """Return what differs; of the channel, where arms tell it, nothing is left to say."""
    rows = [
        (what, *both)
        for what, both in changed.items()
        if both[0] != both[1] and not pd.isna(list(both)).all()
        if not (arms_told and what == "channel")
    ]
    return pd.DataFrame(rows, columns=TOGETHER_COLUMNS, dtype=object)


def _why_no_reach(cells: Cells) -> Message | None:
    """Return why reach is not told: each share contacted must be known to a third of itself."""
    if not cells.contact_known:
        return say("who was contacted is not known")
    share = cells.mean[..., 1:, 1] - cells.mean[..., :1, 1]
    variance = cells.covariance[..., 1, 1] / np.maximum(cells.n, 1)
    error = np.sqrt(variance[..., 1:] + variance[..., :1])
    if ((share > 0) & (error <= ROUGHEST * share))[cells.used].all():
        return None
    return say("too few were contacted, in some group, to tell the effect among those reached")


def measure_parts(cells: Cells, *, reach: bool) -> np.ndarray:
    """Return effects and parts with their intervals, for the numbers of :func:`explain_change`.

    The derivative by each mean is the imaginary part of the outcome after a tiny imaginary step
    (Squire and Trapp 1998): exact but for rounding.

    Parameters
    ----------
    cells : Cells
        With two customers in each arm.
    reach : bool
        Whether to split reach off.

    Returns
    -------
    ndarray, shape (7, 4)
        Of both effects and :data:`PARTS`: value, low, high and p-value.
    """
    values = _split(cells.mean, cells, reach=reach)
    size, step = cells.mean.size, 1e-30
    steps = 1j * step * np.eye(size).reshape(size, *cells.mean.shape)
    slopes = (_split(cells.mean + steps, cells, reach=reach).imag / step).T
    slopes = slopes.reshape(len(values), *cells.mean.shape)
    each = np.einsum("k...i,...ij,k...j->k...", slopes, cells.covariance, slopes)
    counted = cells.n > 1
    n, rows = cells.n[counted], []
    for value, variances in zip(values, each[:, counted] / n, strict=True):
        ends = bounds(value, list(zip(variances, n - 1, strict=True)))
        # without any variance only shares decide, and those are known
        rows.append((value, *(ends if variances.sum() > 0 else (value, value, np.nan))))
    return np.array(rows, dtype=float)


def _split(mean: np.ndarray, cells: Cells, *, reach: bool) -> np.ndarray:
    """Return both effects, the four parts and their sum, shape (..., 7), of means (..., 2, G, ...).

    Where nobody was sent an arm, its effect is put down as 0, and nothing weighs it.
    """
    both = np.where(cells.used[..., None], mean[..., 1:, :] - mean[..., :1, :], 0)
    e1, e2 = both[..., 0, :, :, 0], both[..., 1, :, :, 0]
    (p1, p2), (w1, w2) = cells.shares
    by_group1, by_group2 = (w1 * e1).sum(-1), (w2 * e2).sum(-1)
    at, within = cells.weights
    groups = ((p2 - p1) * (at * by_group1 + (1 - at) * by_group2)).sum(-1)
    p = (1 - at) * p1 + at * p2
    arms = (p * ((w2 - w1) * (within * e1 + (1 - within) * e2)).sum(-1)).sum(-1)
    weight = p[:, None] * ((1 - within) * w1 + within * w2)
    by_reach, left = np.zeros_like(groups), (weight * (e2 - e1)).sum((-1, -2))
    if reach:
        share = np.where(cells.used, both[..., 1], 1)
        r1, r2 = share[..., 0, :, :], share[..., 1, :, :]
        c1, c2 = e1 / r1, e2 / r2
        by_reach = (weight * (r2 - r1) * (c1 + c2) / 2).sum((-1, -2))
        left = (weight * (r1 + r2) / 2 * (c2 - c1)).sum((-1, -2))
    first, second = (p1 * by_group1).sum(-1), (p2 * by_group2).sum(-1)
    return np.stack([first, second, groups, arms, by_reach, left, second - first], axis=-1)
