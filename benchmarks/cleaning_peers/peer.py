"""What the peers of benchmarks/cleaning.py share: what the client's columns are, and the reasons.

Needs nothing but Python, so that it works in a peer's own environment.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

#: The first day that is not known any more.
NEXT_DAY = dt.date(2026, 1, 1)

#: The clean columns of customers, in their order, by what the client calls them.
CUSTOMERS = {
    "cust_no": "customer_id",
    "open_date": "joined_on",
    "birth": "birth_date",
    "sex": "gender",
    "region": "region",
    "occup": "occupation",
    "source": "acquired_through",
    "contrib_12m": "income_12m",
    "cust_name": "cust_name",
    "mobile": "mobile",
}
#: The clean columns of transactions, in their order; the client calls them so, too.
TRANSACTIONS = ["customer_id", "occurred_at", "amount", "transaction_id", "account_id", "kind"]
TRANSACTIONS += ["product", "category", "channel", "payment_method", "counterparty"]

GENDERS = {
    **dict.fromkeys(("f", "female", "w", "woman", "女", "女性"), "female"),
    **dict.fromkeys(("m", "male", "man", "男", "男性"), "male"),
}
#: Full-width characters, and the plain ones that they stand for.
WIDE = "".join(map(chr, range(0xFF01, 0xFF5F))) + "\u3000\u00a0"
NARROW = "".join(map(chr, range(0x21, 0x7F))) + "  "

#: An amount with a comma in it has all the commas that belong there.
GROUPED = r"^[+-]?[0-9]{1,3}(,[0-9]{3})+([.][0-9]+)?$"

#: The reasons to set a row aside, as our ledger words them.
UNREAD = {
    "joined_on": "joined_on: cannot be read as a date",
    "birth_date": "birth_date: cannot be read as a date",
    "income_12m": "income_12m: cannot be read as an amount",
    "occurred_at": "occurred_at: cannot be read as a time",
    "amount": "amount: cannot be read as an amount",
}
TESTS = "rule: test bookings"
ORPHAN = "customer_id: unknown among the clean customers"
REPEAT = "exact repeat of an earlier row"


def missing(name: str) -> str:
    return f"{name}: missing"


def later(name: str) -> str:
    return f"{name}: after 31 December 2025"


def again(key: str) -> str:
    return f"{key}: stands in an earlier row"


def counted(rows: Mapping[str, Mapping[str, int]]) -> dict[tuple[str, str], float]:
    """Return the rows of each table, by reason or clean, as what was found."""
    return {("rows", f"{name}: {why}"): n for name, part in rows.items() for why, n in part.items()}
