"""What is wrong with a parameter file, and where, in words for a person."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from customerlab.contract import TABLES
from customerlab.errors import CustomerlabError, nearest
from customerlab.params.model import Params
from customerlab.params.reading import ColumnSource
from customerlab.params.sections import InvalidCustomers

_EXPECTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "`key: value` lines",
    "model_type": "`key: value` lines",
    "model_attributes_type": "`key: value` lines",
    "date_type": "a date such as 2025-12-31",
    "date_from_datetime_inexact": "a date without a time, such as 2025-12-31",
}

_PATTERNS = {
    "client": "letters, digits, - and _ only (it names folders)",
    "currency": "three capital letters such as CNY",
    "memory_limit": "a size such as 4GB",
    "master": "local[*], local[4], spark://host:7077, yarn or k8s://...",
}
#: Endings of the keys that take a share of a whole.
_SHARES = ("back_at_most", "lost_at_most", "removed_at_least", "_share")
_OUT_OF_RANGE = {"less_than_equal", "greater_than_equal", "float_type", "finite_number"}


def problem(error: Any, node: yaml.Node | None) -> tuple[tuple[Any, ...], str]:
    """Turn one of Pydantic's errors into the place and words for a person."""
    kind, value, context = error["type"], error["input"], error.get("ctx", {})
    loc = tuple(part for part in error["loc"] if part != "[key]")
    name = str(loc[-1]) if loc else ""
    if kind == "extra_forbidden":
        known = _keys_at(loc[:-1])
        return loc, f"unknown key{nearest(name, known)}; known here: {', '.join(known)}"
    if kind == "missing":
        return loc, "this key is required and missing"
    if kind == "literal_error":
        options = context["expected"].replace("'", "")
        hint = nearest(str(value), options.replace(" or ", ", ").split(", "))
        return loc, f"expected {options}, found {shown(value)}{hint}{_trap(value, node, loc)}"
    if kind == "string_pattern_mismatch":
        if loc[:2] == ("engine", "spark"):
            return loc, "expected a setting of Spark, whose name begins with spark."
        expected = _PATTERNS.get(name, "letters, digits and _ only, not beginning with a digit")
        return loc, f"expected {expected}, found {shown(value)}"
    if kind == "string_too_short":
        return loc, "expected text, found an empty one"
    if name.endswith(_SHARES) and kind in _OUT_OF_RANGE:
        return loc, f"expected a share from 0 to 1, such as 0.05 for 5 %, found {shown(value)}"
    if kind in _EXPECTED:
        found = f"expected {_EXPECTED[kind]}, found {shown(value)}"
        return loc, found + _trap(value, node, loc)
    return loc, f"{error['msg'][0].lower()}{error['msg'][1:]}, found {shown(value)}"


def place(loc: tuple[Any, ...]) -> str:
    """Write a place as a person would: ``data_cleaning.rules[0].when``."""
    words = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc)
    return words.removeprefix(".")


def _keys_at(loc: tuple[Any, ...]) -> list[str]:
    """Return the keys that the model knows at a place."""
    schema = Params.model_json_schema()
    here: dict[str, Any] = schema
    for part in loc:
        if isinstance(part, int):
            here = here.get("items", {})
        else:
            any_key = [
                here.get("additionalProperties"),
                *here.get("patternProperties", {}).values(),
            ]
            here = here.get("properties", {}).get(part) or next(filter(None, any_key), {})
        options = [here, *here.get("anyOf", []), *here.get("allOf", [])]
        refs = [one["$ref"] for one in options if "$ref" in one]
        arrays = [one for one in options if one.get("type") == "array"]
        if refs:
            here = schema["$defs"][refs[0].rsplit("/", 1)[1]]
        elif arrays:
            here = arrays[0]
        if "$ref" in here.get("items", {}):
            here = {**here, "items": schema["$defs"][here["items"]["$ref"].rsplit("/", 1)[1]]}
    return list(here.get("properties", {}))


def shown(value: Any) -> str:
    """Write a value as the parameter file would."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return "`key: value` lines"
    return f'"{value}"' if isinstance(value, str) else str(value)


def _trap(value: Any, node: yaml.Node | None, loc: tuple[Any, ...]) -> str:
    """Say what YAML did to a word that was meant as text."""
    if isinstance(value, (str, Mapping, list)) or value is None:
        return ""
    written = _written(node, loc)
    if written is not None and written != str(value).lower():
        return f': YAML reads {written} as {shown(value)}; write "{written}" in quotes'
    return '; if text is meant, write it in quotes, "so"'


def _find(node: yaml.Node | None, loc: tuple[Any, ...]) -> tuple[yaml.Node | None, int | None]:
    """Return the value node at a place and the line on which its key stands."""
    line = None
    for part in loc:
        found = None
        if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            found = node.value[part]
            line = found.start_mark.line + 1
        elif isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if key.value == str(part) or (key.value in _YES | _NO and part in (True, False)):
                    found, line = value, key.start_mark.line + 1
        if found is None:
            break
        node = found
    return node, line


_YES = {"on", "yes", "true", "On", "Yes", "True", "ON", "YES", "TRUE"}
_NO = {"off", "no", "false", "Off", "No", "False", "OFF", "NO", "FALSE"}


def line_of(node: yaml.Node | None, loc: tuple[Any, ...]) -> str:
    """Return ``", line 12"`` for the key at a place, or nothing when the file is not at hand."""
    line = _find(node, loc)[1]
    return f", line {line}" if line else ""


def _written(node: yaml.Node | None, loc: tuple[Any, ...]) -> str | None:
    found = _find(node, loc)[0]
    return found.value if isinstance(found, yaml.ScalarNode) else None


def refuse_odd_keys(node: yaml.Node | None, where: str) -> None:
    """Refuse a key written twice, of which YAML silently takes the last, or read as true or false.

    The key ``on`` of a lookup is what it seems.
    """
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        names = {key.value for key, _ in node.value}
        for key, value in node.value:
            at = f"{where}, line {key.start_mark.line + 1}: {key.value}"
            if key.value in seen:
                raise CustomerlabError(f"{at}: this key stands twice")
            if key.tag.endswith(":bool") and not (key.value == "on" and "lookup" in names):
                meaning = str(key.value in _YES).lower()
                raise CustomerlabError(
                    f'{at}: YAML reads this key as {meaning}; write "{key.value}" in quotes'
                )
            seen.add(key.value)
            refuse_odd_keys(value, where)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            refuse_odd_keys(value, where)


def cross_checks(params: Params) -> Iterator[tuple[tuple[Any, ...], str]]:
    """Find what is wrong between keys that are each right alone."""
    if params.engine.backend != "pyspark":
        given = params.engine.model_dump(exclude_defaults=True)
        for key in sorted({"master", "spark"} & given.keys()):
            yield ("engine", key), "this is for Spark: add `backend: pyspark`, or leave it out"
    tables = [name for name, source in params.sources.items() if not source.lookup_only]
    for name, source in params.sources.items():
        place: tuple[Any, ...] = ("sources", name)
        if source.table and source.path:
            yield (*place, "path"), "name files by `path` or a table by `table`, not both"
        if source.lookup_only:
            if name in TABLES:
                yield (*place, "lookup_only"), f"{name} is a canonical table, not a lookup"
        elif name not in TABLES:
            hint = nearest(name, TABLES)
            known = ", ".join(TABLES)
            yield place, f"unknown table{hint}; known: {known}; a helper has lookup_only: true"
        elif not TABLES[name].open:
            known_columns = [column.name for column in TABLES[name].columns]
            for column in source.columns:
                if column not in known_columns:
                    hint = nearest(column, known_columns)
                    text = f"{name} has no such column{hint}; known: {', '.join(known_columns)}"
                    yield (*place, "columns", column), text
        for column, spec in source.columns.items():
            for text in _column_problems(column, spec, params):
                yield (*place, "columns", column), text
    for i, rule in enumerate(params.data_cleaning.rules):
        if rule.table not in tables:
            text = f'"{rule.table}" is not under sources{nearest(rule.table, tables)}'
            # a notebook run alone gets the rules with its sources, so an empty list is no mistake
            if params.sources:
                yield ("data_cleaning", "rules", i, "table"), text
    for i, name in enumerate(params.data_cleaning.drop_exact_repeats):
        if params.sources and name not in tables:
            text = f'"{name}" is not under sources{nearest(name, tables)}'
            yield ("data_cleaning", "drop_exact_repeats", i), text
    yield from _invalid_customers(params.invalid_customers)
    if len(set(params.churn_timing.horizons_months)) < len(params.churn_timing.horizons_months):
        yield ("churn_timing", "horizons_months"), "a horizon stands twice"


def _invalid_customers(section: InvalidCustomers) -> Iterator[tuple[tuple[Any, ...], str]]:
    place = ("invalid_customers",)
    names = [department.name for department in section.departments]
    for i, department in enumerate(section.departments):
        at = (*place, "departments", i)
        if names.index(department.name) < i:
            yield (*at, "name"), f'"{department.name}" stands twice'
        if all(value is None for key, value in department if key != "name"):
            yield at, "expected a rule (when) or at least one tolerance"
        if department.cost_saved_at_least is not None and section.contact_cost is None:
            text = "needs invalid_customers.contact_cost: what keeping one customer costs in a year"
            yield (*at, "cost_saved_at_least"), text
    agreed = section.agreed
    if agreed is not None and (agreed.assets is None) == (agreed.spend_12m is None):
        yield (*place, "agreed"), "expected exactly one of assets and spend_12m"
    if agreed is not None and section.rules is not None:
        yield (*place, "agreed"), "rules and agreed both say who is invalid; keep one of them"
    if sorted(set(section.asset_bands)) != section.asset_bands:
        yield (*place, "asset_bands"), "the limits must ascend, none twice"


def _column_problems(column: str, spec: ColumnSource, params: Params) -> Iterator[str]:
    ways = [way for way in ("source", "lookup", "sql") if getattr(spec, way) is not None]
    if len(ways) != 1:
        yield "expected exactly one of from, lookup, sql"
    if spec.lookup is None and (spec.on or spec.keep or spec.count or spec.where):
        yield "on, keep, count and where belong to a lookup"
    if spec.lookup is not None:
        if spec.lookup not in params.sources:
            yield f'"{spec.lookup}" is not under sources{nearest(spec.lookup, params.sources)}'
        if spec.on is None:
            yield "a lookup needs `on`: the column that joins the two"
        if (spec.keep is None) == (not spec.count):
            yield "a lookup needs either `keep: column` or `count: true`"
