"""What is asked of the customers, whether in a survey or by what they did."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import ibis.expr.types as ir

from customerlab.drivers.behaviour import OUTCOME, build_items, driver_name
from customerlab.drivers.controls import judge_controls
from customerlab.drivers.correlations import Correlations, correlate
from customerlab.drivers.moments import Moments, count_moments, deal_bags
from customerlab.drivers.survey import Survey, read_survey
from customerlab.errors import CustomerlabError, nearest
from customerlab.features.reading import join
from customerlab.findings import Check
from customerlab.messages import Message
from customerlab.params import Params

#: How often and how lately somebody bought foretells the next purchase, and explains nothing.
HABITS = ("recency_days", "orders_per_month")
#: The column that says in which segment a row is, and as many as are looked at.
SEGMENT = "_segment"
MOST_SEGMENTS = 4


@dataclass(frozen=True)
class Asked:
    """Items, an outcome and controls of every customer.

    Attributes
    ----------
    table : table
        One row per customer, dealt into bags: `items`, `outcome`, `controls`, all numbers; with
        segments ``_segment``.
    segments : tuple of str
        Those with most rows, the largest first; none where the parameters ask for none.
    items, controls : tuple of str
        Factors are made of the items; the controls' part of the outcome is taken out first.
    outcome : str or None
        None where a survey has none: then there are factors, and nothing to explain.
    survey : Survey or None
        None for items from behaviour.
    text : Message
    checks : tuple of Check
    """

    table: ir.Table
    items: tuple[str, ...]
    outcome: str | None
    controls: tuple[str, ...]
    survey: Survey | None
    text: Message
    checks: tuple[Check, ...]
    segments: tuple[str, ...] = ()

    @property
    def names(self) -> dict[str, Message | str]:
        """What readers call the items and controls."""
        return {name: driver_name(name) for name in (*self.items, *self.controls)}

    def correlations(self, missing: str = "pairwise") -> Correlations:
        """Correlate the items: see :func:`correlate`."""
        return correlate(self.table, self.items, missing=missing, names=self.names)

    def moments(self, correlations: Correlations, segment: str | None = None) -> Moments:
        """Sum up what was correlated, the controls and the outcome, of all or of one segment."""
        outcome = () if self.outcome is None else (self.outcome,)
        table, columns = correlations.table, [*correlations.items, *self.controls, *outcome]
        if segment is not None:
            table = table.filter(table[SEGMENT] == segment)
        return count_moments(table, columns, bags=correlations.counts.bags)


def observe_answers(
    tables: Mapping[str, ir.Table], params: Params, keep: Callable[[ir.Table], ir.Table]
) -> Asked:
    """Return what a client's survey asked, or what its customers did where there is none.

    Parameters
    ----------
    tables : mapping of str to table
    params : Params
    keep : callable
        Works a table out once.

    Raises
    ------
    CustomerlabError
        When the parameters name a column that is not there.
    """
    settings = params.repurchase_drivers
    named = [item for some in settings.names.values() for item in some]
    if "survey" not in tables:
        behaviour = observe_behaviour(tables, params, keep)
        chosen = [*(settings.items or behaviour.items)]
        habits = [name for name in behaviour.controls if name not in chosen]
        controls = tuple(dict.fromkeys([*settings.controls, *habits]))
        items = tuple(item for item in chosen if item not in controls)
        outcome = settings.outcome or behaviour.outcome
        columns = [name for name in behaviour.table.columns if not name.startswith("_")]
        _refuse_unknown("items", items, columns)
        _refuse_unknown("controls", controls, columns)
        _refuse_unknown("outcome", [outcome], columns)
        _refuse_unknown("names", named, items)
        if outcome in (*items, *controls):
            raise CustomerlabError(
                f'repurchase_drivers: "{outcome}" is the outcome and cannot be an item or '
                "control, too"
            )
        controls, checks = judge_controls(behaviour.table, controls, items)
        return replace(behaviour, items=items, controls=controls, outcome=outcome, checks=checks)
    survey = read_survey(
        tables["survey"],
        items=settings.items,
        outcome=settings.outcome,
        controls=settings.controls,
        scale=None if settings.scale is None else tuple(settings.scale),
    )
    _refuse_unknown("names", named, survey.items)
    key = "customer_id" if "customer_id" in survey.table.columns else None
    table = _with_segment(survey.table, tables, settings.segment)
    table = keep(deal_bags(table, survey.items, seed=params.seed, key=key))
    controls, checks = judge_controls(table, settings.controls, survey.items)
    return Asked(
        table,
        survey.items,
        survey.outcome,
        controls,
        survey,
        survey.text,
        (*survey.checks, *checks),
        _largest(table),
    )


def observe_behaviour(
    tables: Mapping[str, ir.Table], params: Params, keep: Callable[[ir.Table], ir.Table]
) -> Asked:
    """Return what customers did and met before a landmark, and whether they bought after it.

    See :func:`customerlab.drivers.behaviour.build_items`; how often and how lately they bought
    are controls.
    """
    settings = params.repurchase_drivers
    built = build_items(
        tables,
        outcome_days=settings.outcome_days,
        snapshot=params.snapshot,
        not_movements=params.invalid_customers.not_movements,
        keep=keep,
    )
    table = _with_segment(built.table, tables, settings.segment)
    table = keep(deal_bags(table, (), seed=params.seed, key="customer_id"))
    return Asked(
        table,
        tuple(item for item in built.items if item not in HABITS),
        OUTCOME,
        tuple(item for item in HABITS if item in built.items),
        None,
        built.text,
        (),
        _largest(table),
    )


def behaviour_of(
    asked: Asked,
    tables: Mapping[str, ir.Table],
    params: Params,
    keep: Callable[[ir.Table], ir.Table],
) -> Asked | None:
    """Return what those who were asked did beside; None where no transactions tell."""
    if asked.survey is None:
        return asked
    return observe_behaviour(tables, params, keep) if "transactions" in tables else None


def _with_segment(table: ir.Table, tables: Mapping[str, ir.Table], column: str | None) -> ir.Table:
    """Add the column that says in which segment a row is: of the rows', or of the customers'."""
    if column is None:
        return table
    if column in table.columns:
        return table.mutate(**{SEGMENT: table[column].cast("string")})
    known = tables["customers"].columns if "customers" in tables else ()
    if "customer_id" not in table.columns or column not in known:
        columns = [*table.columns, *known]
        raise CustomerlabError(
            f"repurchase_drivers: segment: {column!r} is no column of the survey or of the "
            f"customers{nearest(column, columns)}"
        )
    of = tables["customers"]
    of = of.select(whose="customer_id", **{SEGMENT: of[column].cast("string")})
    return join(table, of, [("customer_id", "whose")])


def _largest(table: ir.Table) -> tuple[str, ...]:
    if SEGMENT not in table.columns:
        return ()
    known = table.filter(table[SEGMENT].notnull())
    counted = known.group_by(SEGMENT).aggregate(n=known.count())
    counted = counted.order_by(counted["n"].desc(), SEGMENT).limit(MOST_SEGMENTS)
    return tuple(counted.to_pandas()[SEGMENT])


def _refuse_unknown(what: str, names: Iterable[str], known: Sequence[str]) -> None:
    for name in names:
        if name not in known:
            raise CustomerlabError(
                f'repurchase_drivers.{what}: there is no "{name}"{nearest(name, known)}; there '
                f"are: {', '.join(known)}"
            )
