"""What an earlier run promised, what was done, and what it did."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from customerlab.findings import Finding
from customerlab.messages import Message, say
from customerlab.uplift.comparing import Compared, best_of
from customerlab.uplift.trials import Trial

#: Columns of :func:`tell_proposals`.
COLUMNS = ["experiment", "arm", "outcome", "n", "control_n", "promised", "contacted", "gained"]
COLUMNS += ["gained_low", "gained_high", "status"]


def tell_proposals(trials: Sequence[Trial], compared: Compared) -> pd.DataFrame:
    """Return what came of each list of actions that an earlier run proposed, the latest first.

    Parameters
    ----------
    trials : sequence of Trial
    compared : Compared
        The same trials compared.

    Returns
    -------
    DataFrame
        ``experiment``, ``arm``, ``outcome`` (the main one), customers ``n`` and ``control_n``;
        ``promised``: how much more of the outcome, in all, where the proposal said so;
        ``contacted``: the share of the arm that was (missing where not known); ``gained`` with its
        95 % interval ``gained_low`` to ``gained_high``: how much more of the outcome there was in
        all than without contact; ``status``.
    """
    rows = []
    for trial in trials:
        if trial.source != "actions" or trial.control is None:
            continue
        reached = trial.rows.group_by("arm").aggregate(
            share=trial.rows.contacted.cast("float64").mean()
        )
        shares = reached.order_by("arm").to_pandas().set_index("arm")["share"]
        for arm in trial.arms:
            row = compared.of(trial.id, arm, trial.main.name)
            gain, low, high = (
                float("nan") if end is None else end * row["n"] for end in best_of(row)
            )
            rows.append(
                (
                    trial.name,
                    arm,
                    trial.main.name,
                    int(row["n"]),
                    int(row["control_n"]),
                    (trial.promised or {}).get(arm, float("nan")),
                    float(shares.get(arm, float("nan"))),
                    *(gain, low, high),
                    row["status"],
                )
            )
    return pd.DataFrame(rows, columns=COLUMNS)


def proposal_findings(told: pd.DataFrame) -> list[Finding]:
    """Say what came of each proposal.

    Returns
    -------
    list of Finding
        ``uplift_tests.last_proposal`` of the latest, ``.proposal_2`` and so on of those before:
        how much more of the outcome there was in all. None where nothing was proposed.
    """
    return [
        _of_one(row, "last_proposal" if not at else f"proposal_{at + 1}")
        for at, (_, row) in enumerate(told.iterrows())
    ]


def _of_one(row: pd.Series, name: str) -> Finding:
    facts = {"what": row["experiment"], "n": int(row["n"]), "control": int(row["control_n"])}
    if pd.isna(row["promised"]):
        first = say(
            "{what}. Promised: the list named {n:customers} customers, and left "
            "{control:customers} alone to compare with; it put no number on what contact would "
            "bring.",
            **facts,
        )
    else:
        first = say(
            "{what}. Promised: the list named {n:customers} customers, and left "
            "{control:customers} alone to compare with; contact was to bring {promised:number} "
            "more ({outcome}).",
            promised=row["promised"],
            outcome=row["outcome"],
            **facts,
        )
    if pd.isna(row["contacted"]):
        done = say("Done: whether they were contacted is not known, for no table of contacts says.")
    else:
        done = say("Done: {share:percent0} of them were contacted.", share=row["contacted"])
    return Finding(
        f"uplift_tests.{name}",
        say("{promised} {done} {did}", promised=first, done=done, did=_did(row)),
        *_value(row),
        unit="number",
        n=int(row["n"] + row["control_n"]),
        status=row["status"],
    )


_GAINED = ("gained", "gained_low", "gained_high")


def _value(row: pd.Series) -> tuple[float | Message | None, float | None, float | None]:
    """Return the number of the finding, in words where the difference is not sure."""
    if row["status"] == "not_enough_data" or pd.isna(row["gained_low"]):
        return None, None, None
    if row["gained_low"] <= 0 <= row["gained_high"]:
        return say("No sure difference"), None, None
    return tuple(float(row[name]) for name in _GAINED)  # type: ignore[return-value]


def _did(row: pd.Series) -> Message:
    if row["status"] == "not_enough_data" or pd.isna(row["gained_low"]):
        return say("What it did cannot be told yet: not enough data.")
    facts = {"outcome": row["outcome"], "gain": row["gained"]}
    facts |= {"low": row["gained_low"], "high": row["gained_high"]}
    if row["gained_low"] <= 0 <= row["gained_high"]:
        return say(
            "What it did: no sure difference in {outcome}, {gain:number} in all (95 % interval "
            "{low:number} to {high:number}).",
            **facts,
        )
    if row["gained_high"] < 0:
        facts |= {"gain": -row["gained"], "low": -row["gained_high"], "high": -row["gained_low"]}
        return say(
            "What it did: {gain:number} less ({outcome}) than without contact (95 % interval "
            "{low:number} to {high:number}).",
            **facts,
        )
    return say(
        "What it did: {gain:number} more ({outcome}) than without contact (95 % interval "
        "{low:number} to {high:number}).",
        **facts,
    )
