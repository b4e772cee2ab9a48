"""Which notebooks there are, what each needs, reads and writes, and in which order they run.

The Snakefile, the runner and the command line ask here; nobody else lists notebooks.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel

from customerlab.contract import TABLES
from customerlab.errors import CustomerlabError, nearest
from customerlab.messages import Message, say
from customerlab.params import Params
from customerlab.paths import Paths


@dataclass(frozen=True)
class Notebook:
    """One notebook and what holds it together with the others.

    Attributes
    ----------
    name : str
        File name without ``.ipynb``.
    section : str
        The name without its number: its section of the parameter file.
    question : Message
        What it answers.
    needs : tuple of frozenset of str
        Any one of these sets of sources suffices.
    after : tuple of str
        Notebooks whose results it reads, where they can be answered.
    keys : tuple of str
        Top-level parameter keys in its parameters cell.
    tables : tuple of str
        ``reports/<client>/tables/<name>.csv`` that it writes, always all of them.
    leaves : tuple of str
        What it leaves of single customers under ``data/``.
    """

    name: str
    section: str
    question: Message
    needs: tuple[frozenset[str], ...]
    after: tuple[str, ...]
    keys: tuple[str, ...]
    tables: tuple[str, ...] = ()
    leaves: tuple[Literal["customers", "scores", "actions"], ...] = ()


def _any_of(*alternatives: str) -> tuple[frozenset[str], ...]:
    """Read ``"customers accounts", "durations"``: both of the first, or the second."""
    return tuple(frozenset(alternative.split()) for alternative in alternatives)


_COMMON = ("client", "snapshot", "language", "currency", "engine", "privacy")

_ANSWERING = (
    Notebook(
        "01_data_cleaning",
        "data_cleaning",
        say("What came in, and what of it can be used?"),
        needs=_any_of(*TABLES),
        after=(),
        keys=(*_COMMON, "sources", "data_cleaning"),
        tables=("cleaning_ledger",),
    ),
    Notebook(
        "02_invalid_customers",
        "invalid_customers",
        say("Which customers are real?"),
        needs=_any_of("customers", "accounts", "transactions"),
        after=("01_data_cleaning",),
        keys=(*_COMMON, "seed", "invalid_customers"),
        tables=(
            "layers",
            "invalid_rules",
            "consensus",
            "departments",
            "cut_surface",
            "cutpoints",
            "cut_over_time",
            "account_bands",
            "valid_split",
            "layer_preferences",
            "dormant_returns",
        ),
        leaves=("customers", "actions"),
    ),
    Notebook(
        "04_churn_timing",
        "churn_timing",
        say("When will customers leave?"),
        needs=_any_of("transactions", "durations"),
        after=("01_data_cleaning", "02_invalid_customers"),
        keys=(*_COMMON, "seed", "invalid_customers", "churn_timing"),
        tables=(
            "leaks",
            "survival",
            "log_rank",
            "left_by_exit",
            "hazard_ratios",
            "acting_pairs",
            "acting_together",
            "hazard_calendar",
            "hazard_by_place",
            "asset_path",
            "stages",
            "money_went",
            "payroll_use",
            "groups_at_risk",
            "retention_cube",
            "contact_effects",
            "retention_questions",
            "keeping_pays",
            "already_lost",
            "calibration",
            "calibration_by_group",
            "models_side_by_side",
            "proportional_hazards",
        ),
        leaves=("scores", "actions"),
    ),
    Notebook(  # after 04, whose months left are a bank's customers' value
        "03_customer_value",
        "customer_value",
        say("Whom to care for, whom to win, whom to leave out?"),
        needs=_any_of("transactions"),
        after=("01_data_cleaning", "02_invalid_customers", "04_churn_timing"),
        keys=(*_COMMON, "seed", "invalid_customers", "customer_value"),
        tables=(
            "rfm_segments",
            "segment_flow",
            "cut_points",
            "value_weeks",
            "value_by_frequency",
            "value_holdout",
            "value_model",
            "value_ahead",
            "months_value",
            "wallet",
            "wallet_groups",
            "product_holding",
            "cross_sell",
            "loyal",
            "loyal_by_rating",
            "left_out",
        ),
        leaves=("scores", "actions"),
    ),
    Notebook(
        "05_repurchase_drivers",
        "repurchase_drivers",
        say("What brings customers back?"),
        needs=_any_of("survey", "transactions"),
        after=("01_data_cleaning",),
        keys=(*_COMMON, "seed", "invalid_customers", "repurchase_drivers"),
        tables=(
            "survey_answers",
            "items",
            "factor_count",
            "loadings",
            "factor_correlations",
            "factor_reliability",
            "driver_weights",
            "importance_map",
            "influences",
            "checks",
        ),
    ),
    Notebook(
        "06_response_model",
        "response_model",
        say("Whom to call, and from which chance on?"),
        needs=_any_of("contacts", "campaigns assignments transactions"),
        after=("01_data_cleaning", "02_invalid_customers"),
        keys=(*_COMMON, "seed", "response_model"),
        tables=(
            "response_leaks",
            "scorecard",
            "gains",
            "response_calibration",
            "stability",
            "cutoff",
            "cutoff_rules",
            "resemblance",
            "places",
            "profile",
        ),
        leaves=("scores", "actions"),
    ),
    Notebook(
        "07_uplift_tests",
        "uplift_tests",
        say("Whom does a campaign truly move, and is it worth the money?"),
        needs=_any_of("experiment", "assignments transactions"),
        after=("01_data_cleaning",),
        keys=(*_COMMON, "seed", "invalid_customers", "churn_timing", "uplift_tests"),
        tables=(
            "trials",
            "balance",
            "effects",
            "reached",
            "amounts",
            "months_kept",
            "power",
            "money",
            "segment_effects",
            "uplift_curve",
            "policy_value",
            "observed",
            "part_of_change",
            "looks",
            "uplift_fifths",
        ),
        leaves=("scores", "actions"),
    ),
)

SUMMARY = "99_summary"

NOTEBOOKS = (
    *_ANSWERING,
    Notebook(
        SUMMARY,
        "summary",
        say("What do we know, and what to do about it?"),
        needs=(frozenset(),),
        after=tuple(one.name for one in _ANSWERING),
        # it computes nothing, so that no engine is asked for
        keys=(
            *(key for key in _COMMON if key != "engine"),
            *("title", "seed", "sources"),
            *(one.section for one in _ANSWERING),
        ),
    ),
)


def named(name: str) -> Notebook:
    """Return the notebook called `name`, with or without its number.

    Raises
    ------
    CustomerlabError
        When there is none; the message names the nearest.
    """
    for one in NOTEBOOKS:
        if name in (one.name, one.section):
            return one
    known = [one.section for one in NOTEBOOKS]
    raise CustomerlabError(
        f"no notebook is called {name!r}{nearest(name, known)}; there are {', '.join(known)}"
    )


def given(params: Params) -> frozenset[str]:
    """Return the canonical tables that this client gives; files only looked up are none."""
    return frozenset(name for name, source in params.sources.items() if not source.lookup_only)


def answerable(notebook: Notebook, params: Params) -> bool:
    """Say whether this client's sources suffice for the notebook."""
    return any(need <= given(params) for need in notebook.needs)


def missing(notebook: Notebook, params: Params) -> Message | None:
    """Say what the client would have to give, as one message, or None when nothing lacks."""
    if answerable(notebook, params):
        return None
    have = given(params)
    alternatives = [
        _joined(sorted(need - have), say("{some} and {more}")) for need in notebook.needs
    ]
    return say("It would need {tables}.", tables=_joined(alternatives, say("{some} or {more}")))


def _joined(parts: Sequence[Message | str], pattern: Message) -> Message | str:
    joined = parts[0]
    for part in parts[1:]:
        joined = Message(pattern.text, {"some": joined, "more": part})
    return joined


def planned(params: Params, only: Iterable[str] = ()) -> tuple[Notebook, ...]:
    """Return the notebooks that run for this client, each after those that it reads.

    Parameters
    ----------
    params : Params
    only : iterable of str
        Names or sections: these and what they need; empty for all.

    Raises
    ------
    CustomerlabError
        When one of `only` does not exist or cannot be answered from this client's sources.
    """
    wanted = [named(name) for name in only]
    for one in wanted:
        lacking = missing(one, params)
        if lacking is not None:
            raise CustomerlabError(f"{params.client}: {one.name} cannot run. {lacking}")
    if not wanted:
        return tuple(one for one in NOTEBOOKS if answerable(one, params))
    needed = {before.name for one in wanted for before in (one, *_ancestors(one, params))}
    return tuple(one for one in NOTEBOOKS if one.name in needed)


def before(notebook: Notebook, params: Params) -> tuple[Notebook, ...]:
    """Return the notebooks whose results it reads, for this client."""
    return tuple(one for one in NOTEBOOKS if one.name in notebook.after and answerable(one, params))


def _ancestors(notebook: Notebook, params: Params) -> Iterator[Notebook]:
    for one in before(notebook, params):
        yield one
        yield from _ancestors(one, params)


def side_by_side(notebooks: Sequence[Notebook], params: Params) -> int:
    """Return how many of the notebooks can run at the same time for one client, at most."""
    levels: dict[str, int] = {}
    for one in notebooks:
        levels[one.name] = 1 + max((levels.get(b.name, 0) for b in before(one, params)), default=0)
    return max(Counter(levels.values()).values(), default=1)


def dependents(notebook: Notebook) -> tuple[Notebook, ...]:
    """Return every notebook that reads its results, directly or through others."""
    found: list[Notebook] = []
    for one in NOTEBOOKS:
        if {notebook.name, *(other.name for other in found)} & set(one.after):
            found.append(one)
    return tuple(found)


def parameters(notebook: Notebook, params: Params) -> dict[str, Any]:
    """Return what goes into the notebook's parameters cell: plain values, dates as ISO text.

    Every key of the cell is given, so that nothing of the demo client's defaults is left; a
    section holds only what the client wrote, so that the report can tell it from our defaults.
    """
    written = params.model_dump(mode="json", by_alias=True, exclude_unset=True)
    effective = params.model_dump(mode="json", by_alias=True)
    return {
        key: written.get(key, {} if isinstance(getattr(params, key), BaseModel) else effective[key])
        for key in notebook.keys
    }


def fingerprint(notebook: Notebook, params: Params) -> str:
    """Return, as one line of JSON, every parameter on which the notebook's page depends."""
    used = parameters(notebook, params) | {"title": params.title}
    return json.dumps(used, sort_keys=True, ensure_ascii=False)


def results(notebook: Notebook, params: Params, paths: Paths) -> tuple[Path, ...]:
    """Return the files that other notebooks read."""
    if notebook.name == SUMMARY:
        return ()
    files = []
    if notebook.section == "data_cleaning":
        tables = sorted(given(params))
        files += [*map(paths.clean, tables), *map(paths.quarantine, tables)]
    places = {
        "customers": paths.customers,
        "scores": paths.scores(notebook.section),
        "actions": paths.actions(notebook.section, params.snapshot),
    }
    files += [places[name] for name in notebook.leaves]
    return (*files, paths.findings(notebook.name))


def outputs(notebook: Notebook, params: Params, paths: Paths) -> tuple[Path, ...]:
    """Return every file that the notebook's run leaves; its page comes last."""
    merged = (paths.merged_findings,) if notebook.name == SUMMARY else ()
    return (
        *results(notebook, params, paths),
        *map(paths.table, notebook.tables),
        *merged,
        paths.executed(notebook.name),
        paths.page(notebook.name),
    )


def inputs(notebook: Notebook, params: Params, paths: Paths) -> tuple[Path, ...]:
    """Return the notebook and the results and pages of others that it reads."""
    files = [paths.source_notebook(notebook.name)]
    for one in before(notebook, params):
        files += results(one, params, paths)
        if notebook.name == SUMMARY:
            files += [*map(paths.table, one.tables), paths.page(one.name)]
    return tuple(files)
