"""What may be said about the cleaning: findings and checks in words."""

from __future__ import annotations

import pandas as pd

from customerlab.cleaning.ledger import ACTIONS, STEPS
from customerlab.findings import Check, Finding
from customerlab.messages import say

#: Above this share of a table set aside, answers that rest on it are weak.
MUCH = 0.10


def describe_ledger(ledger: pd.DataFrame) -> tuple[Finding, ...]:
    """Say how much of what came in can be used, and why the rest cannot.

    Parameters
    ----------
    ledger : DataFrame
        See :func:`customerlab.cleaning.ledger`.
    """
    rows = ledger.groupby("action")["rows"].sum()
    read, kept = int(rows.get("read", 0)), int(rows.get("clean", 0))
    share = kept / read if read else float("nan")
    findings = [
        Finding(
            "data_cleaning.rows_usable",
            say(
                "{kept:count} of {read:count} rows can be used ({share:percent2}); the other "
                "{aside:count} are kept apart, each with its reason.",
                kept=kept,
                read=read,
                share=share,
                aside=read - kept,
            ),
            *(share,) * 3,
            unit="percent2",
            status="supported" if read else "not_enough_data",
        )
    ]
    aside = ledger[(ledger["action"] == "quarantined") & (ledger["rows"] > 0)]
    if len(aside):
        most = aside.loc[aside["rows"].idxmax()]
        part = most["rows"] / read
        findings.append(
            Finding(
                "data_cleaning.main_reason",
                say(
                    "The most frequent reason to set a row aside: {reason}, in {table}: "
                    "{rows:count} of {aside:count} rows set aside, {part:percent2} of all rows.",
                    reason=most["reason"],
                    table=most["table"],
                    rows=int(most["rows"]),
                    aside=read - kept,
                    part=part,
                ),
                *(part,) * 3,
                unit="percent2",
            )
        )
    return tuple(findings)


def check_cleaning(ledger: pd.DataFrame, sources: pd.DataFrame) -> tuple[Check, ...]:
    """Judge whether the tables can be trusted.

    Parameters
    ----------
    ledger : DataFrame
    sources : DataFrame
        ``table`` and ``warning`` of each parsed source.
    """
    rows = ledger.pivot_table(
        index="table", columns="action", values="rows", aggfunc="sum", fill_value=0, sort=False
    ).reindex(columns=["read", "clean", "quarantined"], fill_value=0)
    lost = int((rows["read"] - rows["clean"] - rows["quarantined"]).abs().sum())
    share = (rows["quarantined"] / rows["read"].where(rows["read"] > 0)).fillna(0.0)
    worst = share.idxmax() if len(share) else ""
    strange = sources.dropna(subset="warning")
    return (
        Check(
            say("Every row is accounted for"),
            lost == 0,
            say(
                "{read:count} rows in, {clean:count} clean, {aside:count} set aside, "
                "{lost:count} lost.",
                read=int(rows["read"].sum()),
                clean=int(rows["clean"].sum()),
                aside=int(rows["quarantined"].sum()),
                lost=lost,
            ),
        ),
        Check(
            say("No table lost much to quarantine"),
            bool((share <= MUCH).all()),
            say(
                "Most in {table}: {share:percent2} of its rows; up to {limit:percent0} passes.",
                table=worst,
                share=float(share.max()) if len(share) else float("nan"),
                limit=MUCH,
            ),
        ),
        Check(
            say("The text reads as text"),
            strange.empty,
            say("No file looks as if it were written in another encoding.")
            if strange.empty
            else say(
                "Looks wrong, and may be in another encoding: {tables}.",
                tables=", ".join(strange["table"]),
            ),
        ),
        Check(
            say("There is something to work with"),
            bool((rows["clean"] > 0).all()),
            say("Every table has clean rows.")
            if (rows["clean"] > 0).all()
            else say(
                "No clean row in: {tables}.", tables=", ".join(rows.index[rows["clean"] == 0])
            ),
        ),
    )


def in_words(ledger: pd.DataFrame) -> pd.DataFrame:
    """Return the ledger with its steps and actions as readers know them."""
    return ledger.assign(step=ledger["step"].map(STEPS), action=ledger["action"].map(ACTIONS))


def customer_sums(ledger: pd.DataFrame) -> list[tuple[int, list[int]]]:
    """Return which rows of the ledger would give a masked number of customers away.

    The customers read are those clean and those set aside, so the difference between the first
    two tells the third; a repair of every row counts those read once more.

    Returns
    -------
    list of (int, list of int)
        As :func:`customerlab.privacy.mask_counts` takes them; what was read is hidden, since the
        clean customers are shown everywhere else.
    """
    sums = []
    positions = pd.Series(range(len(ledger)), index=ledger.index)
    for _, part in ledger.groupby("table", sort=False):
        at = positions[part.index]
        read, clean = at[part["action"] == "read"].iloc[0], at[part["action"] == "clean"].iloc[0]
        aside = at[part["action"] == "quarantined"].tolist()
        whole = part["rows"] == part["rows"].iloc[0]
        again = at[part["action"].isin(["repaired", "kept"]) & whole].tolist()
        sums += [(int(clean), [int(one), *aside]) for one in [read, *again]]
    return sums


def customer_differences(ledger: pd.DataFrame) -> list[tuple[int, int]]:
    """Return which rows of the ledger differ by a number of customers.

    Those read and not clean were only ever set aside; those clean or read and not repaired are
    the ones in whom a repair found nothing to do.

    Returns
    -------
    list of (int, int)
        As :func:`customerlab.privacy.mask_counts` takes them.
    """
    pairs = []
    positions = pd.Series(range(len(ledger)), index=ledger.index)
    for _, part in ledger.groupby("table", sort=False):
        at = positions[part.index]
        read, clean = at[part["action"] == "read"].iloc[0], at[part["action"] == "clean"].iloc[0]
        repaired = at[part["action"].isin(["repaired", "kept"])]
        pairs.append((int(clean), int(read)))
        pairs += [(int(whole), int(one)) for one in repaired for whole in (read, clean)]
    return pairs
