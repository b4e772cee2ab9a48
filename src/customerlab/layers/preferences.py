"""What the customers of each layer do more often than all do, and less often.

Each customer counts once, with the shares of his own movements: who moves every day weighs as
much as who moves once a year, and customers, not movements, are the independent observations
that an interval rests on.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd
import scipy
from numpy.typing import ArrayLike

from customerlab.calendar_months import months_before
from customerlab.messages import Message, say

#: Values of one dimension that are told apart; the others are one.
MOST_VALUES = 12
#: Layers that are compared with all.
_LAYERS = ("invalid", "valid", "potential_active", "dormant")
_GIVEN: dict[str, Message] = {
    "product": say("product"),
    "category": say("category"),
    "payment_method": say("payment method"),
    "channel": say("channel"),
    "kind": say("kind of movement"),
}
_PARTS_OF_DAY = (
    say("night, 0 to 6 o'clock"),
    say("morning, 6 to 12 o'clock"),
    say("afternoon, 12 to 18 o'clock"),
    say("evening, 18 to 24 o'clock"),
)
_WEEKDAYS = (
    say("Monday"),
    say("Tuesday"),
    say("Wednesday"),
    say("Thursday"),
    say("Friday"),
    say("Saturday"),
    say("Sunday"),
)
_OTHER = say("other")
#: Shares are added up as decimals of so many places: sums of floats depend on their order, and
#: a second run would differ in the last digit.
_SHARE = "decimal(18, 12)"


@dataclass(frozen=True)
class _Dimension:
    """One way of telling movements apart.

    Attributes
    ----------
    name : Message
    number : integer expression
        Which of `levels` a movement has; null where it has none.
    levels : sequence of Message or str
    """

    name: Message
    number: ir.IntegerValue
    levels: Sequence[Message | str]


def prefer(
    movements: ir.Table | None, layered: ir.Table, *, snapshot: dt.date, min_customers: int
) -> pd.DataFrame:
    """Compare what the customers of each layer do with what all do.

    Parameters
    ----------
    movements : table or None
        The customers' own movements: see :func:`customerlab.customers.own_movements`. None where
        they are not known; then no rows are returned. The last 12 months up to `snapshot` are
        looked at.
    layered : table
        ``customer_id`` and ``layer``.
    snapshot : date
        The last day that is known.
    min_customers : int
        A layer is left out when it, or all the others together, has fewer customers with a
        movement. A value that fewer customers used is among ``other``.

    Returns
    -------
    DataFrame
        One row per value and layer, in the order of the dimensions, the most used value first:
        ``dimension`` (Message), ``value`` (the client's text, or a Message), ``layer`` (key of
        :data:`customerlab.layers.LAYERS`), ``customers`` of the layer with any movement,
        ``users`` of them with a movement of this value, ``share`` (mean over these customers of
        the share of their own movements that have the value, 0 to 1; movements that tell no value
        count as not having it), ``share_all`` (the same over the customers of all layers),
        ``index`` (``100 * share / share_all``), and ``low`` and ``high``, its 95 % interval (see
        :func:`index_interval`; NaN where fewer than `min_customers` of the layer, or of the
        others, used the value).

        The dimensions are product, category, payment method, channel and kind, where the client
        tells them, the time of day where movements have one (midnight sharp is none), and the day
        of the week.
    """
    if movements is None:
        return pd.DataFrame(columns=_COLUMNS)
    day = movements.occurred_at.date()
    recent = movements.filter((day > months_before(snapshot, 12)) & (day <= snapshot))
    joined = recent.inner_join(layered.select("customer_id", "layer"), "customer_id")
    moves = joined.select(*recent.columns, "layer")
    dimensions = _dimensions(moves, min_customers)
    counted = _add_up(moves, dimensions)
    return _compare(counted, dimensions, min_customers)


def _dimensions(moves: ir.Table, min_customers: int) -> list[_Dimension]:
    """Return the ways of telling movements apart that these data allow."""
    at = moves.occurred_at
    # a date that was read as a timestamp is no movement at midnight
    hour = (at == at.truncate("D")).ifelse(ibis.null("int64"), at.hour().cast("int64"))
    dimensions = [
        _Dimension(name, *_most_used(moves[column], values))
        for column, (name, values) in _values(moves, min_customers).items()
    ]
    dimensions.append(
        _Dimension(
            say("time of day"),
            ibis.cases((hour < 6, 0), (hour < 12, 1), (hour < 18, 2), (hour < 24, 3)),
            _PARTS_OF_DAY,
        )
    )
    dimensions.append(
        _Dimension(say("day of the week"), at.day_of_week.index().cast("int64"), _WEEKDAYS)
    )
    return dimensions


def _values(moves: ir.Table, min_customers: int) -> dict[str, tuple[Message, list[str]]]:
    """Return the values that are told apart, of each column that has any."""
    given = [column for column in _GIVEN if column in moves.columns]
    known = moves.aggregate(
        n=moves.count(), **{column: moves[column].count() for column in given}
    ).to_pandas()
    found = {}
    for column in given:
        if known[column].iloc[0]:
            used = (
                moves.filter(moves[column].notnull())
                .group_by(value=moves[column])
                .aggregate(n=lambda t: t.count(), users=lambda t: t.customer_id.nunique())
            )
            often = used.filter(used.users >= min_customers)
            most = often.order_by(often.n.desc(), often.value).limit(MOST_VALUES).to_pandas()
            found[column] = (_GIVEN[column], most["value"].tolist())
    return found


def _most_used(
    column: ir.StringValue, values: Sequence[str]
) -> tuple[ir.IntegerValue, list[Message | str]]:
    """Return the number of each movement's value, and what the numbers stand for."""
    numbered = [(column == value, number) for number, value in enumerate(values)]
    other = (column.notnull(), len(values))
    return ibis.cases(*numbered, other), [*values, _OTHER]


def _add_up(moves: ir.Table, dimensions: Sequence[_Dimension]) -> pd.DataFrame:
    """Add up the customers' shares, by layer and value.

    Returns
    -------
    DataFrame
        ``layer``, ``dimension`` and ``value`` (numbers; both are -1 in the row of a layer's
        customers), ``users``, and the sums ``total`` of the shares and ``squares`` of their
        squares.
    """
    numbered = moves.select(
        "customer_id", "layer", **{f"d{i}": d.number for i, d in enumerate(dimensions)}
    )
    everyone = numbered.group_by("customer_id", "layer").aggregate(own=lambda t: t.count())
    parts = [
        numbered.filter(numbered[f"d{i}"].notnull())
        .group_by("customer_id", value=numbered[f"d{i}"].cast("int64"))
        .aggregate(times=lambda t: t.count())
        .mutate(dimension=ibis.literal(i, "int64"))
        .select("customer_id", "dimension", "value", "times")
        for i in range(len(dimensions))
    ]
    nothing = ibis.literal(-1, "int64")
    parts.append(everyone.select("customer_id", dimension=nothing, value=nothing, times="own"))
    used = ibis.union(*parts).inner_join(everyone, "customer_id")
    share = (used.times / used.own).cast("float64")
    used = used.select("layer", "dimension", "value", share=share)
    return (
        used.group_by("layer", "dimension", "value")
        .aggregate(
            users=used.count(),
            total=used.share.cast(_SHARE).sum(),
            squares=(used.share * used.share).cast(_SHARE).sum(),
        )
        .to_pandas()
        .astype({"users": "int64", "total": "float64", "squares": "float64"})
    )


_COLUMNS = ["dimension", "value", "layer", "customers", "users"]
_COLUMNS += ["share", "share_all", "index", "low", "high"]


def _compare(
    counted: pd.DataFrame, dimensions: Sequence[_Dimension], min_customers: int
) -> pd.DataFrame:
    sums = counted.set_index(["dimension", "value", "layer"]).sort_index()
    customers = counted[counted["dimension"] == -1].set_index("layer")["users"]
    everyone = int(customers.sum())
    layers = [
        layer
        for layer in _LAYERS
        if min(customers.get(layer, 0), everyone - customers.get(layer, 0)) >= min_customers
    ]
    rows = [
        (number, value, layer)
        for number, dimension in enumerate(dimensions)
        for value in range(len(dimension.levels))
        if (number, value) in sums.index.droplevel("layer")
        for layer in layers
    ]
    if not rows:
        return pd.DataFrame(columns=_COLUMNS)
    own = sums.reindex(pd.MultiIndex.from_tuples(rows, names=sums.index.names), fill_value=0)
    whole = sums.groupby(level=["dimension", "value"]).sum()
    whole = whole.reindex(own.index.droplevel("layer")).set_axis(own.index)
    n = customers.reindex(own.index.get_level_values("layer")).to_numpy()
    rest = whole - own
    index, low, high = index_interval(
        n, own["total"], own["squares"], everyone - n, rest["total"], rest["squares"]
    )
    few = (np.minimum(own["users"], rest["users"]) < min_customers).to_numpy()
    table = pd.DataFrame(
        {
            "dimension": [dimensions[number].name for number, _, _ in rows],
            "value": [dimensions[number].levels[value] for number, value, _ in rows],
            "layer": [layer for _, _, layer in rows],
            "customers": n,
            "users": own["users"].to_numpy(),
            "share": (own["total"] / n).to_numpy(),
            "share_all": (whole["total"] / everyone).to_numpy(),
            "index": index,
            "low": np.where(few, np.nan, low),
            "high": np.where(few, np.nan, high),
        }
    )
    # too few customers used even all the other values together: nothing is said of them
    return table[(whole["users"] >= min_customers).to_numpy()].reset_index(drop=True)


def index_interval(
    n: ArrayLike,
    total: ArrayLike,
    squares: ArrayLike,
    n_rest: ArrayLike,
    total_rest: ArrayLike,
    squares_rest: ArrayLike,
    *,
    level: float = 0.95,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return how a group's mean share compares with that of all, the group among them.

    Parameters
    ----------
    n, n_rest : array_like of int
        Customers of the group, and of all others.
    total, squares, total_rest, squares_rest : array_like of float
        Sums of the customers' shares, and of their squares.
    level : float
        Of the interval.

    Returns
    -------
    index, low, high : ndarray of float
        100 where the group is like all. NaN where nobody has a share above 0, or (the interval
        only) where the group or the rest has none or is one customer.

    Notes
    -----
    Let ``a`` and ``b`` be the mean shares of the ``n`` in the group and of the ``m`` others,
    ``w = n / (n + m)``, and ``c = w a + (1 - w) b`` the mean of all. Group and others are
    independent samples, the group and all are not. Of ``log(a / c)`` the derivatives are
    ``1 / a - w / c = (1 - w) b / (a c)`` by ``a`` and ``-(1 - w) / c`` by ``b``; so by the delta
    method its variance is ``((1 - w) / c)**2 * ((b / a)**2 * var(a) + var(b))``, where ``var`` of
    a mean is the customers' variance over their number. The interval is symmetric for the
    logarithm, as that of Katz et al. (1978, Biometrics 34, 469-474) for a ratio of proportions;
    the delta method: Casella & Berger, Statistical Inference (2nd ed.), 5.5.4. That shares are
    bounded or rest on few movements does not matter: only means of many customers are used.
    """
    n, n_rest = np.asarray(n, dtype=float), np.asarray(n_rest, dtype=float)
    total, total_rest = np.asarray(total, dtype=float), np.asarray(total_rest, dtype=float)
    z = scipy.stats.norm.ppf((1 + level) / 2)
    with np.errstate(divide="ignore", invalid="ignore"):  # NaN is the answer there
        a, b = total / n, total_rest / n_rest
        c = (total + total_rest) / (n + n_rest)
        of_rest = n_rest / (n + n_rest)
        var_a = _variance_of_mean(n, total, squares)
        var_b = _variance_of_mean(n_rest, total_rest, squares_rest)
        error = of_rest / c * np.sqrt((b / a) ** 2 * var_a + var_b)
        ratio = a / c
        spread = np.where((a > 0) & (b > 0), np.exp(z * error), np.nan)
        return 100 * ratio, 100 * ratio / spread, 100 * ratio * spread


def _variance_of_mean(n: np.ndarray, total: np.ndarray, squares: ArrayLike) -> np.ndarray:
    # equal shares may come out a rounding error below 0
    spread = np.maximum(np.asarray(squares, dtype=float) - total**2 / n, 0)
    return spread / (n - 1) / n


def certain(table: pd.DataFrame) -> pd.Series:
    """Say which rows of :func:`prefer` differ from all customers for certain, at 95 %."""
    return (table["low"] > 100) | (table["high"] < 100)


def preference_sums(table: pd.DataFrame) -> list[tuple[None, list[int]]]:
    """Return which rows of :func:`prefer` tell of the same value, for masking by ``users``.

    ``share_all`` is that of all layers together, so of one hidden layer it would tell the share.
    """
    at: dict[tuple[str, str], list[int]] = {}
    for position, (dimension, value) in enumerate(
        zip(table["dimension"], table["value"], strict=True)
    ):
        kind = type(value).__name__  # a client's own "other" is not ours
        at.setdefault((dimension.text, f"{kind} {value}"), []).append(position)
    return [(None, positions) for positions in at.values()]
