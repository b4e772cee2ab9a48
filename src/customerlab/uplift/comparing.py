"""All arms of all trials compared with their controls, and what that says of each."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from customerlab.findings import Finding
from customerlab.messages import Message, say
from customerlab.uplift.average import COLUMNS, Effects, compare_arms
from customerlab.uplift.effects_shown import few_behind
from customerlab.uplift.looks import look_often
from customerlab.uplift.multiplicity import adjust_p
from customerlab.uplift.power import Power, power_of_means, power_of_shares
from customerlab.uplift.summing import sum_arms
from customerlab.uplift.sums import ArmSums
from customerlab.uplift.trials import Trial

#: A difference is sure below this chance, made for the number of comparisons.
ALPHA = 0.05
#: Words for how p-values allow for several comparisons.
METHODS: dict[str, Message] = {
    "holm": say("Holm"),
    "benjamini_hochberg": say("Benjamini and Hochberg"),
    "none": say("not allowed for"),
}


@dataclass(frozen=True)
class Compared:
    """What every arm of every trial did.

    Attributes
    ----------
    table : DataFrame
        :attr:`customerlab.uplift.average.Effects.table` of all trials under one another, with
        ``trial`` (its id) and ``experiment`` (its name) before, and ``adjusted_p`` (the p-value of
        the adjusted effect where there is one, else of the plain one, made for the number of
        comparisons) after.
    effects : dict of str to Effects
        By trial.
    sums : dict of str to dict of str to ArmSums
        By trial and arm.
    looks : DataFrame
        ``trial``, ``experiment``, ``arm``, ``outcome``, ``day``, ``n``, ``estimate``, ``low``,
        ``high``: of trials that are watched while they run.
    method : str
        How the p-values are adjusted.
    """

    table: pd.DataFrame
    effects: dict[str, Effects]
    sums: dict[str, dict[str, ArmSums]]
    looks: pd.DataFrame
    method: str

    def of(self, trial: str, arm: str, outcome: str) -> pd.Series:
        """Return the row of one comparison."""
        t = self.table
        return t[(t["trial"] == trial) & (t["arm"] == arm) & (t["outcome"] == outcome)].iloc[0]


def compare_trials(
    trials: Sequence[Trial], *, method: str = "holm", monitored: bool = False
) -> Compared:
    """Compare the arms of each trial that has a control.

    Parameters
    ----------
    trials : sequence of Trial
    method : {"holm", "benjamini_hochberg", "none"}
        See :func:`customerlab.uplift.multiplicity.adjust_p`.
    monitored : bool
        Whether people looked while customers were assigned: then intervals and p-values are those
        that hold however often one looks.
    """
    parts, effects, sums, looks = [], {}, {}, []
    for trial in trials:
        if trial.control is None:
            continue
        outcomes = [outcome.name for outcome in trial.outcomes]
        sums[trial.id] = sum_arms(trial.rows, trial.names)
        found = compare_arms(
            sums[trial.id],
            control=trial.control,
            outcomes=outcomes,
            covariates=list(trial.covariates),
        )
        table = found.table
        if monitored:
            table, seen = look_often(trial, found)
            looks.append(seen.assign(trial=trial.id, experiment=trial.name))
            found = Effects(table, found.control, found.left_out, found.slopes)
        effects[trial.id] = found
        parts.append(table.assign(trial=trial.id, experiment=trial.name))
    columns = ["trial", "experiment", *COLUMNS]
    table = pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)
    best = table["adjusted_effect_p"].astype(float).fillna(table["p_value"].astype(float))
    told = table["status"] != "not_enough_data"
    table["adjusted_p"] = adjust_p(best.where(told), method)
    watched = pd.concat(looks, ignore_index=True) if looks else pd.DataFrame(columns=LOOKS)
    return Compared(table, effects, sums, watched.reindex(columns=LOOKS), method)


LOOKS = ["trial", "experiment", "arm", "outcome", "day", "n", "estimate", "low", "high"]


def effect_findings(
    compared: Compared, cautions: Mapping[str, Message], *, min_cell: int
) -> list[Finding]:
    """Return a finding for each arm and outcome.

    The value is the adjusted effect where there is one, else the plain one.

    Parameters
    ----------
    compared : Compared
    cautions : mapping of str to Message
        By trial: what stands before every number of it.
    min_cell : int

    Returns
    -------
    list of Finding
        ``uplift_tests.<trial>_<arm>_<outcome>``.
    """
    findings = []
    few = few_behind(compared.table, min_cell)
    for at, row in enumerate(compared.table.to_dict("records")):
        text = compared.effects[row["trial"]].say(row["arm"], row["outcome"], min_cell)
        several = len(compared.table) > 1
        enough = row["status"] != "not_enough_data" and not few[at]
        if enough and several and compared.method != "none" and not np.isnan(row["adjusted_p"]):
            text = say(
                "{effect} Allowing for all {comparisons:count} comparisons ({method}), "
                "p = {p:chance}.",
                effect=text,
                comparisons=int(compared.table["adjusted_p"].notna().sum()),
                method=METHODS[compared.method],
                p=row["adjusted_p"],
            )
        text = say("{experiment}: {effect}", experiment=row["experiment"], effect=text)
        if row["trial"] in cautions:
            text = say("{warning} {effect}", warning=cautions[row["trial"]], effect=text)
        best = best_of(row)
        status = row["status"]
        if status == "supported" and row["trial"] in cautions:
            status = "weak"
        findings.append(
            Finding(
                f"uplift_tests.{slug(row['trial'], row['arm'], row['outcome'])}",
                text,
                *(best if enough else (None, None, None)),
                unit="percent2" if row["binary"] else "number2",
                n=int(row["n"] + row["control_n"]),
                status=status,
            )
        )
    return findings


def average_finding(compared: Compared) -> list[Finding]:
    """Return ``uplift_tests.on_average``: in how many comparisons the arms surely differ.

    None where nothing is compared.
    """
    table = compared.table
    if table.empty:
        return []
    told = table[table["adjusted_p"].notna()]
    sure = told[told["adjusted_p"].astype(float) < ALPHA].sort_values("adjusted_p", kind="stable")
    facts = {"sure": len(sure), "told": len(told), "all": len(table)}
    if told.empty:
        text = say("Not enough data to say what any arm does.")
    elif sure.empty:
        text = say(
            "None of {told:count} comparisons shows a sure difference between those contacted and "
            "those left alone, allowing for their number.",
            **facts,
        )
    else:
        row = sure.iloc[0]
        text = say(
            "{sure:count} of {told:count} comparisons show a sure difference between those "
            "contacted and those left alone, allowing for their number; the surest is that of "
            "{arm} in {outcome} ({experiment}).",
            arm=row["arm"],
            outcome=row["outcome"],
            experiment=row["experiment"],
            **facts,
        )
    status = "supported" if len(sure) else "weak" if len(told) else "not_enough_data"
    value = len(sure) if len(told) else None
    return [Finding("uplift_tests.on_average", text, value, unit="count", status=status)]


def best_of(row: Mapping) -> tuple[float | None, float | None, float | None]:
    """Return the adjusted effect with its interval where there is one, else the plain one."""
    names = ("effect", "low", "high")
    if not pd.isna(row["adjusted_low"]):
        names = ("adjusted_effect", "adjusted_low", "adjusted_high")
    return tuple(None if pd.isna(row[name]) else float(row[name]) for name in names)  # type: ignore[return-value]


def slug(*names: str) -> str:
    """Return names as part of an id; the only experiment of a prepared table needs none."""
    said = [name for name in names if name != "experiment"]
    return re.sub(r"\W+", "_", "_".join(map(str, said)).lower()).strip("_")


def tell_power(
    compared: Compared, matters: Mapping[tuple[str, str, str], float]
) -> dict[tuple[str, str, str], Power]:
    """Return what each comparison could have found, and the size needed next time.

    Parameters
    ----------
    compared : Compared
    matters : mapping of (trial, arm, outcome) to float
        The effect that matters: the one that pays its contact, for instance.

    Returns
    -------
    dict
        For adjusted effects, from the variance that covariates leave.
    """
    found = {}
    for row in compared.table.to_dict("records"):
        if not row["n"] >= 2 or not row["control_n"] >= 2:
            continue
        key = (row["trial"], row["arm"], row["outcome"])
        sizes = {"n_treated": row["n"], "n_control": row["control_n"]}
        effect = matters.get(key)
        if row["binary"] and effect is not None and not 0 < row["control_mean"] + effect < 1:
            effect = None  # no share could rise so far: a contact never pays
        asked = {"effect": effect, **sizes}
        left = 0.0 if pd.isna(row["adjusted_low"]) else max(float(row["sharpened"]), 0.0)
        if row["binary"] and not left:
            found[key] = power_of_shares(control_share=row["control_mean"], **asked)
            continue
        arms = compared.sums[row["trial"]]
        spread = [
            float(np.sqrt(max(arms[arm].select([row["outcome"]]).covariance[0, 0] * (1 - left), 0)))
            for arm in (row["arm"], compared.effects[row["trial"]].control)
        ]
        found[key] = power_of_means(
            sd_treated=spread[0],
            sd_control=spread[1],
            control_mean=row["control_mean"],
            **asked,
        )
    return found
