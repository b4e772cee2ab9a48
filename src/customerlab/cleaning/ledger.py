"""The account of what became of every row."""

from __future__ import annotations

import pandas as pd

from customerlab.cleaning.marked import Marked
from customerlab.messages import Message, say

#: Columns of the ledger; ``rows_matching`` also counts rows that an earlier reason took.
COLUMNS = ("table", "step", "action", "reason", "rows", "customers", "amount", "rows_matching")

#: The words for the ledger's ``step``, in the order in which rows pass them.
STEPS: dict[str, Message] = {
    "read": say("read"),
    "repair": say("repair"),
    "look up": say("look up"),
    "fields": say("shape of the row"),
    "cells": say("readable cells"),
    "required": say("required values"),
    "rules": say("the client's rules"),
    "snapshot": say("known by the snapshot"),
    "parents": say("known in other tables"),
    "repeats": say("repeats"),
    "clean": say("clean"),
}

#: The words for the ledger's ``action``.
ACTIONS: dict[str, Message] = {
    "read": say("read"),
    "repaired": say("repaired, kept"),
    "kept": say("kept as it came"),
    "quarantined": say("set aside"),
    "clean": say("clean"),
}

_MONEY = ("amount", "balance", "spend")


def ledger(marked: Marked) -> pd.DataFrame:
    """Account for every row.

    Returns
    -------
    DataFrame
        :data:`COLUMNS`; ``step`` and ``action`` are keys of :data:`STEPS` and :data:`ACTIONS`,
        ``reason`` a Message. ``customers`` counts distinct customers, ``amount`` is the exact sum
        of the table's amount, balance or spend; null where the table has none.
    """
    rows = marked.rows
    measures = _measures(marked)
    everything = {name: value() for name, value in measures.items()}
    for note in marked.notes:
        flag = rows[note.flag]
        everything |= {f"{note.flag}_{n}": value(flag) for n, value in measures.items()}
    everything |= {reason.flag: rows[reason.flag].sum() for reason in marked.reasons}
    total = rows.aggregate(**everything).to_pyarrow().to_pylist()[0]
    by_reason = rows.group_by("_reason").aggregate(**{n: value() for n, value in measures.items()})
    parts = {part["_reason"]: part for part in by_reason.to_pyarrow().to_pylist()}

    lines = [_line(marked, "read", "read", say("rows in the files"), total, marked.rows_in)]
    lines[0]["rows"] = marked.rows_in
    for note in marked.notes:
        part = {name: total[f"{note.flag}_{name}"] for name in measures}
        if part["rows"]:
            lines.append(_line(marked, note.step, note.action, note.text, part, part["rows"]))
    for i, reason in enumerate(marked.reasons):
        matching = total[reason.flag] or 0
        if matching or reason.always:
            part = parts.get(i, {})
            lines.append(_line(marked, reason.step, "quarantined", reason.text, part, matching))
    part = parts.get(None, {})
    lines.append(_line(marked, "clean", "clean", say("clean rows"), part, part.get("rows", 0)))
    return pd.DataFrame(lines, columns=list(COLUMNS)).astype(
        {"rows": "int64", "customers": "Int64", "rows_matching": "int64"}
    )


def _measures(marked: Marked) -> dict:
    """Return what is counted of some rows, as functions of the flag that chooses them."""
    rows = marked.rows
    money = next((name for name in _MONEY if name in marked.columns), None)
    measures = {"rows": lambda where=None: rows.count(where=where)}
    if "customer_id" in marked.columns:
        measures["customers"] = lambda where=None: rows["customer_id"].nunique(where=where)
    if money is not None:
        measures["amount"] = lambda where=None: rows[money].sum(where=where)
    return measures


def _line(
    marked: Marked, step: str, action: str, reason: Message, part: dict, matching: int
) -> dict:
    has_money = any(name in marked.columns for name in _MONEY)
    has_customers = "customer_id" in marked.columns
    return {
        "table": marked.table.name,
        "step": step,
        "action": action,
        "reason": reason,
        "rows": part.get("rows", 0),
        "customers": part.get("customers", 0) if has_customers else None,
        "amount": (part.get("amount") or 0) if has_money else None,
        "rows_matching": matching,
    }


def check_ledger(ledger: pd.DataFrame) -> None:
    """Raise unless every row that came in is clean or set aside, in every table.

    Raises
    ------
    RuntimeError
        A fault of ours, with the numbers.
    """
    for table, part in ledger.groupby("table", sort=False):
        rows = part.groupby("action")["rows"].sum()
        read, kept = int(rows.get("read", 0)), int(rows.get("clean", 0))
        aside = int(rows.get("quarantined", 0))
        if read != kept + aside:
            raise RuntimeError(
                f"{table}: {read} rows in, but {kept} clean + {aside} set aside = {kept + aside}"
            )
