"""What the columns of tables are called in a report, and how their values are written."""

from __future__ import annotations

from customerlab.messages import Message, say

#: Column to its heading and the format of its values (see :func:`customerlab.messages.say`).
COLUMNS: dict[str, tuple[Message, str]] = {
    "action": (say("What was done"), "text"),
    "amount": (say("Amount"), "money"),
    "assets": (say("Assets"), "money"),
    "at_risk": (say("Customers still here"), "customers"),
    "columns": (say("Columns"), "count"),
    "condition": (say("Condition"), "text"),
    "customers": (say("Customers"), "customers"),
    "events": (say("Customers who left"), "customers"),
    "files": (say("Files"), "count"),
    "first": (say("Not caught by an earlier rule"), "customers"),
    "group": (say("Group"), "text"),
    "hazard_ratio": (say("Hazard ratio"), "number2"),
    "high": (say("High"), "percent"),
    "layer": (say("Layer"), "text"),
    "level": (say("Level"), "text"),
    "low": (say("Low"), "percent"),
    "measure": (say("What is known"), "text"),
    "month": (say("Month"), "count"),
    "n": (say("Customer-months"), "count"),
    "only_this": (say("Caught by no other rule"), "customers"),
    "purpose": (say("What it decides"), "text"),
    "reason": (say("Reason"), "text"),
    "rows": (say("Rows"), "count"),
    "rows_matching": (say("Rows that match at all"), "count"),
    "rule": (say("Rule"), "text"),
    "share": (say("Share"), "percent"),
    "spend_12m": (say("Spend in 12 months"), "money"),
    "step": (say("Step"), "text"),
    "survival": (say("Still here"), "percent"),
    "table": (say("Table"), "text"),
    "term": (say("Feature"), "text"),
    "unknown": (say("Not judged: a value is missing"), "customers"),
    "warning": (say("Warning"), "text"),
    "whose": (say("Whose"), "text"),
    "written": (say("What was written"), "text"),
}
