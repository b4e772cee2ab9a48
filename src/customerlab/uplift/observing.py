"""From a client's tables to trials."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import ibis.expr.types as ir

from customerlab.customers import movement_days, own_movements
from customerlab.durations import observed
from customerlab.exits import observe_exits
from customerlab.idleness import DEFAULT_DAYS, choose_idle_days
from customerlab.params import Params
from customerlab.proposals import Proposals
from customerlab.uplift.assigned import check_assigned, read_assignments
from customerlab.uplift.prepared import check_experiment, read_experiment
from customerlab.uplift.trials import Trials


def check_trials(tables: Mapping[str, ir.Table], params: Params) -> None:
    """Refuse what :func:`observe_trials` would refuse, as far as columns tell.

    Raises
    ------
    CustomerlabError
        When the parameters name a column that is not there, or a condition cannot be read.
    """
    if "experiment" in tables:
        check_experiment(tables["experiment"], params.uplift_tests)
    else:
        check_assigned(tables, params)


def observe_trials(
    tables: Mapping[str, ir.Table],
    params: Params,
    keep: Callable[[ir.Table], ir.Table],
    proposals: Sequence[Proposals] = (),
) -> Trials:
    """Return a client's trials: a prepared experiment's, or its campaigns' and our proposals'.

    Parameters
    ----------
    tables : mapping of str to table
        The clean canonical tables.
    params : Params
    keep : callable
        Works a table out once.
    proposals : sequence of Proposals
        What earlier runs proposed.

    Raises
    ------
    CustomerlabError
        As :func:`check_trials`, and when no arm is the control of a prepared experiment.
    """
    if "experiment" in tables:
        return Trials(tuple(read_experiment(tables["experiment"], params.uplift_tests, keep)))
    lines = None
    if any(one.kind == "months" for one in params.uplift_tests.outcomes.values()):
        lines = keep(_stays(tables, params, keep))
    return read_assignments(tables, params, keep, proposals=proposals, lines=lines)


def _stays(
    tables: Mapping[str, ir.Table], params: Params, keep: Callable[[ir.Table], ir.Table]
) -> ir.Table:
    """Return how long customers stayed, by the rule of ``churn_timing``."""
    settings, silence = params.churn_timing, params.invalid_customers.not_movements
    exits = tuple(dict.fromkeys(settings.event))
    days = settings.idle_days or DEFAULT_DAYS
    moved = own_movements(tables, silence) if "inactive" in exits else None
    if moved is not None:
        moved = keep(movement_days(moved, snapshot=params.snapshot))
        days = settings.idle_days or choose_idle_days(moved, snapshot=params.snapshot).days
    dates = {"snapshot": params.snapshot, "idle_days": days}
    return observed(keep(observe_exits(tables, exits, **dates, not_movements=silence, days=moved)))
