"""One YAML file per client: what it may say, its defaults, and good words when it is wrong.

Wrong, misspelt, missing or ill-typed keys are refused with one message for each, which names the
file, the line, the key, what was expected and the nearest right name.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from customerlab.errors import CustomerlabError, nearest
from customerlab.params.fields import ANY_PRODUCT, MAIN
from customerlab.params.model import Engine, Params, Privacy
from customerlab.params.problems import (
    cross_checks,
    line_of,
    place,
    problem,
    refuse_odd_keys,
    shown,
)
from customerlab.params.reading import ColumnSource, DataCleaning, Rule, Source
from customerlab.params.sections import (
    Agreed,
    ChurnTiming,
    CustomerValue,
    Department,
    InvalidCustomers,
    LayerRule,
    Response,
    ResponseModel,
    RoundTo,
    UpliftTests,
)

__all__ = [
    "ANY_PRODUCT",
    "MAIN",
    "Agreed",
    "ChurnTiming",
    "ColumnSource",
    "CustomerValue",
    "DataCleaning",
    "Department",
    "Engine",
    "InvalidCustomers",
    "LayerRule",
    "Params",
    "Privacy",
    "Response",
    "ResponseModel",
    "RoundTo",
    "Rule",
    "Source",
    "UpliftTests",
    "check_params",
    "load_params",
]


class _Loader(yaml.SafeLoader):
    """Reads as Papermill's loader does, but leaves an impossible day as the text it is."""

    def construct_yaml_timestamp(self, node: yaml.ScalarNode) -> Any:
        try:
            return super().construct_yaml_timestamp(node)
        except ValueError:
            return node.value


_Loader.add_constructor("tag:yaml.org,2002:timestamp", _Loader.construct_yaml_timestamp)


def load_params(path: Path) -> Params:
    """Read and check a parameter file.

    Parameters
    ----------
    path : Path
        A YAML file.

    Returns
    -------
    Params

    Raises
    ------
    CustomerlabError
        With a line for everything that is wrong.
    """
    if not path.is_file():
        there = [str(other) for other in sorted(path.parent.glob("*.yaml"))]
        raise CustomerlabError(f"{path}: no such parameter file{nearest(str(path), there)}")
    try:
        text = path.read_text(encoding="utf-8")
        node = yaml.compose(text, Loader=_Loader)
        refuse_odd_keys(node, str(path))
        data = yaml.load(text, Loader=_Loader)  # a SafeLoader
    except UnicodeDecodeError as error:
        raise CustomerlabError(f"{path}: expected UTF-8 text ({error})") from error
    except yaml.YAMLError as error:
        raise CustomerlabError(f"{path}: not valid YAML: {error}") from error
    if not isinstance(data, dict):
        raise CustomerlabError(f"{path}: expected `key: value` lines, found {shown(data)}")
    params = check_params(data, str(path), node)
    if params.client != path.stem:
        # a copied file whose client was not renamed would write into the other's folders
        raise CustomerlabError(
            f"{path}{line_of(node, ('client',))}: client: expected the file's own name, "
            f"{path.stem}, found {shown(params.client)}: rename one of the two"
        )
    return params


def check_params(data: Mapping[str, Any], where: str, node: yaml.Node | None = None) -> Params:
    """Check parameters that are already read; see :func:`load_params`.

    Parameters
    ----------
    data : Mapping
        Top-level keys and their values.
    where : str
        Begins every message: a file or a notebook.
    node : yaml.Node, optional
        The parsed file, for line numbers and for what was written before YAML read it.
    """
    try:
        params = Params.model_validate(dict(data))
        problems = list(cross_checks(params))
    except ValidationError as error:
        problems = [problem(one, node) for one in error.errors(include_url=False)]
    if problems:
        lines = [
            f"{where}{line_of(node, loc)}: {place(loc)}: {text}"
            for loc, text in dict.fromkeys(problems)
        ]
        raise CustomerlabError("\n".join(lines))
    return params
