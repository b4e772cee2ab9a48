"""From a parsed source to a clean canonical table, without losing a row.

Everything here is expressions: the workspace runs them and writes what comes out.

    marked = mark_rows(TABLES["transactions"], raw, source, snapshot=..., where="params/acme.yaml")
    marked = marked.on(materialised(marked.rows))
    clean(marked), quarantined(marked, raw), ledger(marked)
"""

from customerlab.cleaning.answers import (
    check_cleaning,
    customer_differences,
    customer_sums,
    describe_ledger,
    in_words,
)
from customerlab.cleaning.ledger import ACTIONS, COLUMNS, STEPS, check_ledger, ledger
from customerlab.cleaning.mapping import lookup_table, missing_columns
from customerlab.cleaning.mark import mark_rows
from customerlab.cleaning.marked import Marked, Note, Reason, clean, quarantined

__all__ = [
    "ACTIONS",
    "COLUMNS",
    "STEPS",
    "Marked",
    "Note",
    "Reason",
    "check_cleaning",
    "check_ledger",
    "clean",
    "customer_differences",
    "customer_sums",
    "describe_ledger",
    "in_words",
    "ledger",
    "lookup_table",
    "mark_rows",
    "missing_columns",
    "quarantined",
]
