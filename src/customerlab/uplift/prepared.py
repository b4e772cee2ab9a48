"""Trials from a prepared table: one row per customer with arm, outcomes and covariates."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import ibis
import ibis.expr.types as ir
import pandas as pd

from customerlab.conditions.kinds import cast
from customerlab.contract import TABLES
from customerlab.drivers.survey import NO, YES
from customerlab.errors import CustomerlabError, nearest
from customerlab.messages import Message, say
from customerlab.params import UpliftTests
from customerlab.privacy import PERSONAL
from customerlab.uplift.covariates import encode_covariates
from customerlab.uplift.trials import Outcome, Trial, find_control, refuse_unknown

#: What an arm is called of which only the chances of the others tell.
EMPTY_ARM = say("an arm that nobody is in")
#: Chances of all arms add up to one but for rounding.
_OFF = 0.02
_OWN = tuple(column.name for column in TABLES["experiment"].columns)


def read_experiment(
    table: ir.Table, settings: UpliftTests, keep: Callable[[ir.Table], ir.Table]
) -> list[Trial]:
    """Read each experiment of a prepared table.

    Parameters
    ----------
    table : table
        The canonical table ``experiment``. A row is a customer: rows that look alike are
        different customers where there is no ``customer_id``, and all stay.
    settings : UpliftTests
    keep : callable
        Works a table out once.

    Returns
    -------
    list of Trial
        In the order of their names.

    Raises
    ------
    CustomerlabError
        When no outcome is named, a column does not exist, or no arm is the control.
    """
    check_experiment(table, settings)
    rows = keep(_typed(table, settings))
    named = rows.select("experiment").distinct().order_by("experiment").to_pandas()["experiment"]
    return [
        _read_one(rows.filter(rows.experiment == name), str(name), settings, keep) for name in named
    ]


def check_experiment(table: ir.Table, settings: UpliftTests) -> None:
    """Refuse parameters that name what the table does not have.

    Raises
    ------
    CustomerlabError
        When no outcome is named, or a column does not exist.
    """
    columns = [name for name in table.columns if name not in _OWN]
    if not settings.outcomes:
        raise CustomerlabError(
            "uplift_tests.outcomes: expected at least one column of the experiment, such as "
            f"{{{columns[0] if columns else 'bought'}: binary}}; there are: {', '.join(columns)}"
        )
    refuse_unknown("outcomes", list(settings.outcomes), columns)
    refuse_unknown("covariates", settings.covariates or [], columns)
    refuse_unknown("segments", settings.segments, columns)
    for name, asked in settings.outcomes.items():
        if name in (settings.covariates or []):
            raise CustomerlabError(f'uplift_tests: "{name}" is an outcome and no covariate')
        if asked.kind == "months" or asked.when is not None:
            raise CustomerlabError(
                f"uplift_tests.outcomes.{name}: a prepared experiment has outcomes as columns: "
                "binary, amount or count, without a condition"
            )


def _typed(table: ir.Table, settings: UpliftTests) -> ir.Table:
    """Give the table all columns of a trial's rows, and numbers for its outcomes."""
    there = table.columns
    # without a number rows are numbered in the order of what they hold; such a number names nobody
    number = ibis.row_number().over(order_by=list(there)).cast("string")
    day = table.assigned_at.date() if "assigned_at" in there else ibis.null("date")
    own = {
        "customer_id": table.customer_id if "customer_id" in there else number,
        "experiment": table.experiment if "experiment" in there else ibis.literal("experiment"),
        "day": day,
        "propensity": table.propensity if "propensity" in there else ibis.null("float64"),
        "contacted": table.contacted if "contacted" in there else ibis.null("boolean"),
    }
    outcomes = {
        name: _outcome(table[name], asked.kind) for name, asked in settings.outcomes.items()
    }
    others = [*(settings.covariates or []), *settings.segments]
    kept = {name: table[name] for name in dict.fromkeys(others) if name not in own}
    return table.select("arm", **own, **kept, **outcomes)


def _outcome(value: ir.Value, kind: str) -> ir.FloatingValue:
    """Return an outcome as a number; yes and no are 1 and 0."""
    if value.type().is_boolean() or value.type().is_numeric():
        number = value.cast("float64")
    else:
        word = value.cast("string").strip().lower()
        read = cast(value.cast("string"), ibis.dtype("float64"))
        number = ibis.cases((word.isin(YES), 1.0), (word.isin(NO), 0.0), else_=read)
    if kind == "binary":
        return ibis.cases((number == 1, 1.0), (number == 0, 0.0), else_=ibis.null("float64"))
    return number.between(-1e300, 1e300).ifelse(number, None)


def _read_one(
    rows: ir.Table, name: str, settings: UpliftTests, keep: Callable[[ir.Table], ir.Table]
) -> Trial:
    outcomes = tuple(Outcome(one, asked.kind) for one, asked in settings.outcomes.items())
    whole, assigned, arms = count_assigned(rows, [outcome.name for outcome in outcomes])
    control = find_control(arms, settings.control)
    if (settings.control is not None and control != settings.control) or control is None:
        raise CustomerlabError(
            "uplift_tests.control: "
            + (
                "which arm had no contact?"
                if settings.control is None
                else f'there is no arm "{settings.control}"{nearest(settings.control, arms)}'
            )
            + f" The arms are: {', '.join(arms)}"
        )
    names = [c for c in settings.covariates or [] if c not in PERSONAL]
    encoded, covariates, notes = encode_covariates(whole, names)
    notes += tell_unknown(assigned)
    if not settings.covariates:
        notes.append(
            say(
                "No covariates are named, so nothing is adjusted for: which columns were known "
                "before the draw, only the client knows."
            )
        )
    chances = count_chances(whole)
    shown: Message | str = say("the experiment") if name == "experiment" else name
    return Trial(
        name,
        shown,
        "experiment",
        keep(encoded),
        tuple(arm for arm in arms if arm != control),
        control,
        outcomes,
        covariates,
        tuple(settings.segments),
        assigned,
        shares_of(chances),
        None,
        {},
        tuple(notes),
        bool(whole.contacted.count().execute()),
        are_uneven(chances),
    )


def count_assigned(
    rows: ir.Table, outcomes: list[str]
) -> tuple[ir.Table, dict[str, dict[str, int]], list[str]]:
    """Set aside whose outcome is not known, and who is in a trial twice.

    Parameters
    ----------
    rows : table
    outcomes : list of str

    Returns
    -------
    table, dict, list of str
        The other rows; by arm how many customers were ``assigned``, of how many of them the
        outcome is ``unknown``, and how many rows are of customers who are there ``twice``; the
        arms, those with most customers first.
    """
    known = ibis.and_(ibis.literal(True), *(rows[name].notnull() for name in outcomes))
    times = rows.count().over(ibis.window(group_by="customer_id"))
    marked = rows.mutate(_known=known, _twice=times > 1)
    marked = marked.mutate(_unknown=~marked._known & ~marked._twice)
    counted = marked.group_by("arm").aggregate(
        assigned=marked.count(),
        unknown=marked._unknown.cast("int64").sum(),
        twice=marked._twice.cast("int64").sum(),
    )
    frame = counted.order_by([ibis.desc("assigned"), "arm"]).to_pandas()
    each = {
        row["arm"]: {key: int(row[key]) for key in ("assigned", "unknown", "twice")}
        for row in frame.to_dict("records")
    }
    whole = marked.filter(marked._known & ~marked._twice).drop("_known", "_unknown", "_twice")
    return whole, each, list(each)


def tell_unknown(assigned: Mapping[str, Mapping[str, int]]) -> list[Message]:
    """Say of how many customers the outcome is not known, and how many are in it twice."""
    unknown, twice = (sum(one[key] for one in assigned.values()) for key in ("unknown", "twice"))
    notes = []
    if unknown:
        notes.append(
            say(
                "The outcome of {unknown:customers} customers is not known; they are left out.",
                unknown=unknown,
            )
        )
    if twice:
        notes.append(
            say(
                "{twice:customers} rows are of customers who are in it more than once; they are "
                "left out, for nobody can be in two arms.",
                twice=twice,
            )
        )
    return notes


def count_chances(rows: ir.Table) -> pd.DataFrame:
    """Return by ``arm`` the ``least`` and ``most`` chance of it, and how many are ``lacking``."""
    chances = rows.group_by("arm").aggregate(
        least=rows.propensity.min(),
        most=rows.propensity.max(),
        lacking=rows.propensity.isnull().cast("int64").sum(),
    )
    return chances.order_by("arm").to_pandas()


def are_uneven(counted: pd.DataFrame) -> bool:
    """Say whether customers of an arm had different chances of it; see :func:`count_chances`."""
    return bool((counted["most"] - counted["least"] > 1e-9).any())


def shares_of(counted: pd.DataFrame) -> dict[Message | str, float] | None:
    """Return the planned share of each arm; None where it is not told, or not one for all.

    Chances that add up to less than one tell of a further arm.

    Parameters
    ----------
    counted : DataFrame
        See :func:`count_chances`.
    """
    told = counted["lacking"].eq(0) & counted["least"].between(1e-9, 1 - 1e-9)
    if counted.empty or not (told & counted["least"].eq(counted["most"])).all():
        return None
    shares = dict(zip(counted["arm"], counted["least"].astype(float), strict=True))
    rest = 1 - sum(shares.values())
    if rest > _OFF:  # of all chances, so much belongs to an arm that is not there
        shares[EMPTY_ARM] = rest
    return shares if rest > -_OFF else None
