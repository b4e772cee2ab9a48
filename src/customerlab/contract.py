"""The canonical tables: what every client's data is called once it is ours.

A client needs only the tables that its questions use. Columns beyond the listed ones are kept
where a table is *open* (attributes of a customer, items of a survey, covariates).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["text", "date", "timestamp", "month", "amount", "number", "integer", "boolean"]

#: How each kind of column is held, as Ibis spells it: the runner reads this file, too, and need
#: not import an engine. Money is exact; a month is its first day.
TYPES: dict[str, str] = {
    "text": "string",
    "date": "date",
    "timestamp": "timestamp(6)",
    "month": "date",
    "amount": "decimal(18, 4)",
    "number": "float64",
    "integer": "int64",
    "boolean": "boolean",
}


@dataclass(frozen=True)
class Column:
    """One column of a canonical table.

    Attributes
    ----------
    name, kind : str
    required : bool
        A row without a value goes to quarantine; a source without the column is refused.
    positive : bool
        A value of zero or below is no value (a duration).
    """

    name: str
    kind: Kind
    required: bool = False
    positive: bool = False


@dataclass(frozen=True)
class Table:
    """One canonical table.

    Attributes
    ----------
    name : str
    columns : tuple of Column
    key : tuple of str
        Columns that no two rows share; empty where alike rows are different things.
    known_on : str or None
        The column that says when a row became known; rows after the snapshot are set aside.
    belongs_to : dict of str to str
        Column to the table in which its value must exist, where the client gives that table.
    open : bool
        Whether further columns are kept.
    """

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...] = ()
    known_on: str | None = None
    belongs_to: dict[str, str] = field(default_factory=dict)
    open: bool = False

    def column(self, name: str) -> Column | None:
        """Return the column called `name`, or None for a further column of an open table."""
        return next((column for column in self.columns if column.name == name), None)

    @property
    def required(self) -> tuple[str, ...]:
        """Names of the columns that must be there."""
        return tuple(column.name for column in self.columns if column.required)


def _columns(text: str) -> tuple[Column, ...]:
    """Read ``"customer_id* birth_date:date duration:number*+"``: kind, required, positive."""
    columns = []
    for word in text.split():
        name, _, kind = word.rstrip("*+").partition(":")
        columns.append(
            Column(name, kind or "text", required="*" in word, positive="+" in word)  # type: ignore[arg-type]
        )
    return tuple(columns)


_CUSTOMER = {"customer_id": "customers"}

_TABLES = (
    Table(
        "customers",
        _columns(
            "customer_id* joined_on:date birth_date:date gender region occupation "
            "acquired_through income_12m:amount assets:amount idle_months:integer"
        ),
        key=("customer_id",),
        known_on="joined_on",
        open=True,
    ),
    Table(
        "accounts",
        _columns(
            "account_id* customer_id* product opened_on:date closed_on:date balance:amount "
            "branch is_payroll:boolean"
        ),
        key=("account_id",),
        known_on="opened_on",
        belongs_to=_CUSTOMER,
        open=True,
    ),
    Table(
        "balances",
        _columns("account_id* month:month* balance:amount*"),
        key=("account_id", "month"),
        known_on="month",
        belongs_to={"account_id": "accounts"},
    ),
    Table(
        "transactions",
        _columns(
            "customer_id* occurred_at:timestamp* amount:amount* quantity:number unit_price:amount "
            "transaction_id account_id order_id kind product category channel payment_method "
            "discount:amount counterparty region promised_on:date delivered_on:date"
        ),
        key=("transaction_id",),
        known_on="occurred_at",
        belongs_to=_CUSTOMER,
    ),
    Table(
        "products",
        _columns("product* category list_price:amount margin:number own_brand:boolean"),
        key=("product",),
    ),
    Table(
        "interactions",
        _columns("customer_id* occurred_at:timestamp* channel topic case_id resolved:boolean"),
        known_on="occurred_at",
        belongs_to=_CUSTOMER,
    ),
    Table(
        "visits",
        _columns("customer_id* occurred_at:timestamp* channel page product dwell_seconds:number"),
        known_on="occurred_at",
        belongs_to=_CUSTOMER,
    ),
    Table(
        "channel_spend",
        _columns("channel* week:date* spend:amount*"),
        key=("channel", "week"),
        known_on="week",
    ),
    Table(
        "ratings",
        _columns("customer_id* occurred_at:timestamp order_id"),
        known_on="occurred_at",
        belongs_to=_CUSTOMER,
        open=True,
    ),
    Table(
        "campaigns",
        _columns(
            "campaign_id* name product channel starts_on:date ends_on:date contact_cost:amount"
        ),
        key=("campaign_id",),
        known_on="starts_on",
    ),
    Table(
        "assignments",
        _columns("campaign_id* customer_id* arm* assigned_at:timestamp propensity:number"),
        key=("campaign_id", "customer_id"),
        known_on="assigned_at",
        belongs_to={"customer_id": "customers", "campaign_id": "campaigns"},
    ),
    Table(
        "durations",
        _columns("duration:number*+ churned:boolean* entry:number event_type customer_id"),
        open=True,
    ),
    Table("survey", _columns("customer_id"), open=True),
    Table(
        "contacts",
        _columns(
            "responded:boolean* contacted_at:timestamp customer_id product channel staff_id branch"
        ),
        known_on="contacted_at",
        open=True,
    ),
    Table(
        "experiment",
        _columns(
            "arm* customer_id experiment assigned_at:timestamp propensity:number contacted:boolean"
        ),
        open=True,
    ),
)

#: Every canonical table by name, parents before the tables that refer to them.
TABLES: dict[str, Table] = {table.name: table for table in _TABLES}
