"""The valid customers split by what they spend, hold, have and bring, and how long they are here.

Each split is of all valid customers, so that the levels of one measure add up to them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

import ibis
import ibis.expr.types as ir
import pandas as pd

from customerlab.messages import Message, say
from customerlab.privacy import roundest

#: What the valid are split by, in the order of the table, and how a reader knows it.
_MEASURES: dict[str, Message] = {
    "spend_12m": say("spend in the last 12 months"),
    "product_count": say("products held or bought"),
    "assets": say("assets"),
    "tenure_months": say("length of relationship"),
    "income_12m": say("what the customer earned us in 12 months"),
}
_SUMS = ("assets", "spend_12m", "income_12m")
_FIFTHS = 5
_NONE, _UNKNOWN = -1, -2  # numbers of levels; the others count from 0


def split_valid(
    layered: ir.Table, *, bands: Mapping[str, Sequence[float]] | None = None
) -> pd.DataFrame:
    """Split the customers of the layer ``valid`` by each measure.

    Parameters
    ----------
    layered : table
        ``layer`` and the columns of :data:`customerlab.customers.MEASURES`.
    bands : mapping of str to sequence of float, optional
        Ascending limits for a money measure (``assets``, ``spend_12m``, ``income_12m``; in the
        client's currency) in place of its fifths. What is equal to a limit belongs below it.

    Returns
    -------
    DataFrame
        ``measure`` and ``level`` (Messages), ``customers``, ``share`` of the valid, ``assets``,
        ``spend_12m`` and ``income_12m`` (exact sums; null where no customer has a value). Levels
        without a customer are left out, and so is a measure that is known of nobody; a value that
        is missing has the level ``unknown``. Nothing at all when nobody is valid.

    Notes
    -----
    Money without `bands` is split into fifths of those above 0, by exact ranks: a value belongs
    to fifth ``k`` when the share of them with *less* is at least ``(k - 1) / 5`` and below
    ``k / 5``. Equal values therefore never part, and a fifth that is all inside a tie is empty;
    the limits are those of the inverse of the empirical distribution (type 1 of Hyndman & Fan
    1996, The American Statistician 50, 361-365), said as the roundest numbers that part the same
    customers. 0 and below is ``none``. Months are complete ones: who is
    here for exactly 12 is in the second year.

    Raises
    ------
    ValueError
        When `bands` names what is no money measure, or its limits do not ascend.
    """
    bands = bands or {}
    for measure, limits in bands.items():
        if measure not in _SUMS or not limits or any(a >= b for a, b in pairwise(limits)):
            raise ValueError(f"no ascending limits of a money measure: {measure}: {list(limits)}")
    valid = layered.filter(layered.layer == "valid")
    valid = valid.select(*_MEASURES)
    counted = valid.aggregate(
        n=valid.count(), **{measure: valid[measure].count() for measure in _MEASURES}
    ).to_pandas()
    total = int(counted["n"].iloc[0])
    parts = [
        _split(valid, measure, name, bands.get(measure))
        for measure, name in _MEASURES.items()
        if counted[measure].iloc[0]
    ]
    columns = ["measure", "level", "customers", "share", *_SUMS]
    if not parts:
        return pd.DataFrame(columns=columns)
    table = pd.concat(parts, ignore_index=True)
    return table.assign(share=table["customers"] / total)[columns]


def split_sums(table: pd.DataFrame) -> list[tuple[None, list[int]]]:
    """Return which rows of :func:`split_valid` add up to the valid, for masking."""
    measures = [name.text for name in table["measure"]]
    return [
        (None, [at for at, name in enumerate(measures) if name == measure])
        for measure in dict.fromkeys(measures)
    ]


def _split(
    valid: ir.Table, measure: str, name: Message, limits: Sequence[float] | None
) -> pd.DataFrame:
    value = valid[measure]
    level, level_name = _LEVELS.get(measure, _banded(limits) if limits else _fifths)(value)
    in_order = ibis.cases((value.isnull(), _UNKNOWN), else_=level)
    parted = valid.mutate(level=in_order, value=value)
    counted = (
        parted.group_by("level")
        .aggregate(
            customers=parted.count(),
            # a sum names its column anew, so the ends come from the copy
            smallest=parted.value.min(),
            largest=parted.value.max(),
            **{column: parted[column].sum() for column in _SUMS},
        )
        .to_pandas()
        .sort_values("level", key=lambda levels: levels.replace(_UNKNOWN, levels.max() + 1))
        .reset_index(drop=True)
    )
    counted["level"] = level_name(counted)
    return counted.assign(measure=name).drop(columns=["smallest", "largest"])


_Levels = tuple[ir.IntegerValue, Callable[[pd.DataFrame], list[Message]]]


def _named(names: Callable[[int], Message]) -> Callable[[pd.DataFrame], list[Message]]:
    """Give each level its name, with those that every measure may have."""
    fixed = {_NONE: say("none"), _UNKNOWN: say("unknown")}
    return lambda counted: [
        fixed[number] if number in fixed else names(number) for number in counted["level"]
    ]


def _products(count: ir.IntegerValue) -> _Levels:
    level = ibis.cases((count <= 0, _NONE), (count == 1, 0), (count == 2, 1), else_=2)
    return level, _named([say("1"), say("2"), say("3 or more")].__getitem__)


def _tenure(months: ir.IntegerValue) -> _Levels:
    level = ibis.cases((months < 12, 0), (months < 24, 1), (months < 60, 2), else_=3)
    names = [
        say("under 1 year"),
        say("1 to 2 years"),
        say("2 to 5 years"),
        say("5 years and more"),
    ]
    return level, _named(names.__getitem__)


_LEVELS = {"product_count": _products, "tenure_months": _tenure}


def _banded(limits: Sequence[float]) -> Callable[[ir.DecimalValue], _Levels]:
    def levels(amount: ir.DecimalValue) -> _Levels:
        within = [(amount <= limit, number) for number, limit in enumerate(limits)]
        names = [_between(low, high) for low, high in pairwise([None, *limits, None])]
        level = ibis.cases((amount <= 0, _NONE), *within, else_=len(limits))
        return level, _named(names.__getitem__)

    return levels


def _fifths(amount: ir.DecimalValue) -> _Levels:
    is_some = (amount > 0).fill_null(False)
    # those at or below 0 and the unknown are ranked apart
    among = ibis.window(group_by=is_some)
    less = ibis.rank().over(group_by=is_some, order_by=amount)
    everyone = amount.count().over(among)
    # whole numbers only: a division could put a rank on the wrong side of a limit
    fifth = sum((less * _FIFTHS >= everyone * k).cast("int64") for k in range(1, _FIFTHS))
    return ibis.cases((~is_some, _NONE), else_=fifth), _fifth_names


def _fifth_names(counted: pd.DataFrame) -> list[Message]:
    """Name each fifth by the roundest limits that part it from the fifths beside it."""
    inside = counted[counted["level"] >= 0]
    limits = [
        roundest(float(largest), float(following))
        for largest, following in zip(inside["largest"], inside["smallest"][1:], strict=False)
    ]
    ends = dict(zip(inside["level"], pairwise([None, *limits, None]), strict=True))
    highest = max(ends, default=None)
    names = {
        level: _between(low, None if level == highest else high)
        for level, (low, high) in ends.items()
    }
    return _named(names.__getitem__)(counted)


def _between(low: object, high: object) -> Message:
    if low is None and high is None:
        return say("above 0")
    if low is None:
        return say("up to {high:number}", high=high)
    if high is None:
        return say("above {low:number}", low=low)
    return say("above {low:number} to {high:number}", low=low, high=high)
