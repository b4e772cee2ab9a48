"""What contact did to leaving: campaigns whose customers were drawn by lot into arms.

Everyone assigned counts as assigned, contacted or not (intention to treat). Looked at are those
who were still customers at the beginning of the month of their assignment, and for as many months
as are known of all of them. How arms are compared: :mod:`customerlab.retention.arms`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from customerlab.calendar_months import month_index
from customerlab.cells import cells
from customerlab.findings import STATUSES, Check
from customerlab.messages import Message, say
from customerlab.privacy import HIDDEN, round_counts
from customerlab.retention.arms import PARTS, TOLD, compare, judge

#: An effect counts as shown below this chance, after Holm over all arms and horizons.
ALPHA = 0.05
#: Columns of :attr:`ContactEffects.table` and :attr:`ContactEffects.campaigns`.
COLUMNS = ["campaign_id", "campaign", "product", "channel", "arm", "control", "horizon_months"]
COLUMNS += ["customers", "left", "share", "control_customers", "control_left", "control_share"]
COLUMNS += [*TOLD, "p_holm", "evidence", "status"]
CAMPAIGNS = ["campaign_id", "campaign", "product", "channel", "control", "arms", "assigned"]
CAMPAIGNS += ["at_risk", "ratio_p", "at_risk_p", "evidence", "note"]
#: Of them, what a report shows; see :func:`contacts_to_show`.
SHOWN = ["campaign", "arm", "horizon_months", "customers", "share", "control_customers"]
SHOWN += ["control_share", "kept", "kept_low", "kept_high", "p_holm", "evidence", "status"]
#: What of it a page shows.
CONTACTS_SHOWN = ["campaign", "arm", "horizon_months", "customers", "share", "control_share"]
CONTACTS_SHOWN += ["kept", "p_holm", "evidence"]


#: The words for each kind of evidence.
EVIDENCE: dict[str, Message] = {
    "experiment": say("experiment"),
    "association": say("association"),
    "none": say("none"),
}


@dataclass(frozen=True)
class ContactEffects:
    """What each arm of each campaign did to leaving, against the arm without contact.

    Attributes
    ----------
    table : DataFrame
        A row for each arm and horizon: ``campaign_id``, ``campaign``, ``product``, ``channel``
        (the arm's word where the campaign's is ``mixed``), ``arm``, ``control``,
        ``horizon_months`` (the month of assignment is the first), ``customers`` at risk,
        ``left`` of them and their ``share``, the same of the control; ``difference`` of the
        shares (negative: fewer left) with its 95 % interval by Newcombe, ``kept``, the share of
        leavers kept (one less the ratio of the shares), with its interval by Miettinen and
        Nurminen, ``p`` of no difference (pooled), ``p_holm``; ``evidence`` (``experiment``, or
        ``association`` where the draw is in doubt) and ``status``. With fewer than 30 leavers in
        both there is no ``p`` and nothing is kept.
    campaigns : DataFrame
        ``campaign_id``, ``campaign``, ``product``, ``channel``, ``control`` (None without one),
        ``arms``, ``assigned`` customers, of whom ``at_risk``, ``ratio_p`` (chance of such sizes of
        the arms), ``at_risk_p`` (of such shares at risk in them), ``evidence``, ``note``.
    """

    table: pd.DataFrame
    campaigns: pd.DataFrame

    def describe(self) -> Message:
        """Say how much contact there was to learn from."""
        if self.campaigns.empty:
            return say("No campaign is known that assigned customers to contact or none.")
        return say(
            "{campaigns:count} campaigns assigned {assigned:customers} customers; {drawn:count} "
            "of them can be judged as experiments.",
            campaigns=len(self.campaigns),
            assigned=int(self.campaigns["assigned"].sum()),
            drawn=int((self.campaigns["evidence"] == "experiment").sum()),
        )


def contact_effects(
    tables: Mapping[str, ir.Table],
    lines: ir.Table | None,
    *,
    snapshot: dt.date,
    horizons_months: Sequence[int],
    last_month: dt.date | None = None,
) -> ContactEffects:
    """Return what contact did to leaving, for each campaign with an arm without contact.

    Parameters
    ----------
    tables : mapping of str to table
        ``assignments`` and, for names, products and channels, ``campaigns``, where there are any.
    lines : table or None
        ``customer_id``, ``joined_month``, ``entry``, ``duration``, ``churned``.
    snapshot : date
        Later assignments are not known yet.
    horizons_months : sequence of int
        Within how many months who left is counted, that of the assignment being the first.
    last_month : date, optional
        The last month in which exits are known; the last one watched when left out.
    """
    if "assignments" not in tables or lines is None:
        return ContactEffects(pd.DataFrame(columns=COLUMNS), pd.DataFrame(columns=CAMPAIGNS))
    if last_month is None:
        watched = month_index(lines.joined_month) + lines.duration - 1
        last = lines.aggregate(last=watched.max()).to_pandas()["last"].iloc[0]
    else:
        last = last_month.year * 12 + last_month.month - 1
    counts = _assigned(tables, lines, snapshot)
    named = _campaigns(tables)
    rows, campaigns = [], []
    for id_, mine in counts.groupby("campaign_id", sort=True):
        about = {"campaign_id": id_, **named.get(id_, {"campaign": id_})}
        judged, weighted = judge(mine, about)
        campaigns.append(judged)
        if judged["control"] is None:
            continue
        for arm in judged["arms"]:
            for horizon in sorted(set(horizons_months)):
                known = mine[mine["at_risk"] & (mine["month"] + horizon - 1 <= last)]
                gone = known["left_after"] <= horizon
                row = compare(known, gone, arm, judged["control"], weighted)
                if row["customers"] and row["control_customers"]:
                    rows.append({**judged, **row, "arm": arm, "horizon_months": int(horizon)})
    table = pd.DataFrame(rows, columns=COLUMNS)
    mixed = table["channel"].astype("string").str.lower() == "mixed"
    table["channel"] = table["channel"].mask(mixed.fillna(False).astype(bool), table["arm"])
    return ContactEffects(_with_holm(table), pd.DataFrame(campaigns, columns=CAMPAIGNS))


def _assigned(tables: Mapping[str, ir.Table], lines: ir.Table, snapshot: dt.date) -> pd.DataFrame:
    """Count the customers assigned who are alike in campaign, arm, chance, month and outcome."""
    assignments = tables["assignments"]
    there = assignments.columns
    day = assignments.assigned_at.date() if "assigned_at" in there else ibis.null("date")
    chance = assignments.propensity if "propensity" in there else ibis.null("float64")
    drawn = assignments.select(
        "campaign_id",
        "arm",
        whose="customer_id",
        day=day,
        parts=(chance * PARTS).round().cast("int64"),
    )
    if "campaigns" in tables and "starts_on" in tables["campaigns"].columns:
        begins = tables["campaigns"].select(of="campaign_id", begins="starts_on")
        drawn = drawn.left_join(begins, [("campaign_id", "of")])
        drawn = drawn.mutate(day=ibis.coalesce(drawn.day, drawn.begins)).drop("of", "begins")
    drawn = drawn.filter(drawn.day.isnull() | (drawn.day <= snapshot))
    stays = lines.select(
        "customer_id", "entry", "duration", "churned", joined=month_index(lines.joined_month)
    )
    both = drawn.left_join(stays, [("whose", "customer_id")])
    both = both.mutate(month=month_index(both.day))
    tenure = both.month - both.joined
    at_risk = ((both.entry <= tenure) & (tenure < both.duration)).fill_null(False)
    after = (at_risk & both.churned).ifelse(both.duration - tenure, ibis.null("int64"))
    both = both.mutate(at_risk=at_risk, left_after=after)
    keys = ["campaign_id", "arm", "parts", "month", "at_risk", "left_after"]
    counts = cells(both, by=keys)
    return counts.assign(at_risk=counts["at_risk"].astype(bool))


def _campaigns(tables: Mapping[str, ir.Table]) -> dict[str, dict]:
    """Return what is known of each campaign; a campaign without a name is called by its number."""
    if "campaigns" not in tables:
        return {}
    table = tables["campaigns"]
    columns = [c for c in ("name", "product", "channel") if c in table.columns]
    known = table.select("campaign_id", *columns).order_by("campaign_id").to_pandas()
    known = known.astype(object).where(known.notna(), None).set_index("campaign_id")
    rows = known.rename(columns={"name": "campaign"}).to_dict("index")
    return {id_: {**row, "campaign": row.get("campaign") or id_} for id_, row in rows.items()}


def _with_holm(table: pd.DataFrame) -> pd.DataFrame:
    """Add the chance by Holm over all arms and horizons of all campaigns."""
    from statsmodels.stats.multitest import multipletests  # slow to import

    known = table["p"].astype(float).notna().to_numpy()
    holm = np.full(len(table), np.nan)
    if known.any():
        holm[known] = multipletests(table.loc[known, "p"].astype(float), method="holm")[1]
    return table.assign(p_holm=holm)


def shown_to_work(effects: ContactEffects, evidence: str = "experiment") -> pd.DataFrame:
    """Return the arms and horizons whose contact kept customers, the most effective arm first.

    Of one arm the longest horizon comes first.
    """
    table = effects.table
    works = (table["evidence"] == evidence) & (table["p_holm"] < ALPHA) & (table["kept"] > 0)
    found = table[works]
    best = found.groupby(["campaign_id", "arm"])["kept"].transform("max").astype(float)
    order = ["best", "campaign_id", "arm", "horizon_months"]
    found = found.assign(best=best).sort_values(order, ascending=[False, True, True, False])
    return found.drop(columns="best").reset_index(drop=True)


def effect_of_contact(effects: ContactEffects) -> tuple[float, float, float, int] | None:
    """Return the share of leavers that contact keeps, its 95 % interval, and within which months.

    From the most effective arm that an experiment shows to work, at the longest horizon at which
    it does; None where no experiment shows any. An effect is told only when it was found, and so
    is too large on average where few leave (0.54 told for 0.40 planted, with arms as large as the
    demo bank's): plan with the lower end, too.
    """
    found = shown_to_work(effects)
    if found.empty:
        return None
    row = found.iloc[0]
    ends = (float(row[name]) for name in ("kept", "kept_low", "kept_high"))
    return (*ends, int(row["horizon_months"]))


def arms_as_drawn(effects: ContactEffects) -> Check:
    """Check that the arms of the campaigns are as a draw by lot makes them."""
    doubtful = effects.campaigns[effects.campaigns["evidence"] == "association"]
    checked = int(effects.campaigns["ratio_p"].notna().sum())
    return Check(
        name=say("Campaigns drew their arms by lot"),
        passed=False if len(doubtful) else (True if checked else None),
        text=say(
            "Of {campaigns:count} campaigns {checked:count} could be checked for the sizes of "
            "their arms; {doubtful:count} are not what a draw by lot gives.",
            campaigns=len(effects.campaigns),
            checked=checked,
            doubtful=len(doubtful),
        ),
        weakens=("churn_timing.which_",),
    )


def contacts_to_show(effects: ContactEffects, min_cell: int) -> pd.DataFrame:
    """Return the effects as a report may show them.

    Counts are rounded to multiples of `min_cell` and shares to three decimals. A row's numbers
    are ``hidden`` where fewer than `min_cell` left or stayed in one of its two arms, or did so
    since the next shorter horizon.
    """
    table = effects.table.sort_values(["campaign_id", "arm", "horizon_months"], ignore_index=True)
    hidden = np.zeros(len(table), dtype=bool)
    for customers, left in (("customers", "left"), ("control_customers", "control_left")):
        stayed = (table[customers] - table[left]).astype(float)
        for count in (table[customers].astype(float), table[left].astype(float), stayed):
            since = count.groupby([table["campaign_id"], table["arm"]]).diff().abs()
            hidden |= (count.between(1, min_cell - 1) | since.between(1, min_cell - 1)).to_numpy()
    shown = table.copy()
    for column in ("customers", "control_customers"):
        shown[column] = round_counts(table[column], min_cell)
    for column in ("share", "control_share", "kept", "kept_low", "kept_high", "p_holm"):
        values = table[column].astype(float).round(4 if column == "p_holm" else 3)
        shown[column] = values.astype(object).mask(hidden, HIDDEN)
    shown["evidence"] = shown["evidence"].map(EVIDENCE)
    shown["status"] = shown["status"].map(STATUSES)
    return shown[SHOWN]
