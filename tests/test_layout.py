"""The package is one line: a module imports only from its left."""

from __future__ import annotations

import ast
from pathlib import Path

from conftest import ROOT

#: From left to right, as data flows; simulate and catalogue stand apart.
ORDER = [
    "errors",
    "files",
    "paths",
    "calendar_months",
    "contract",
    "messages",
    "findings",
    "privacy",
    "headings",
    "params",
    "sources",
    "conditions",
    "cleaning",
    "cells",
    "lots",
    "proposals",
    "customers",
    "landmarks",
    "layers",
    "validity",
    "features",
    "idleness",
    "durations",
    "exits",
    "person_months",
    "churn",
    "retention",
    "drivers",
    "uplift",
    "value",
    "response",
    "page",
    "plots",
    "report",
    "summary",
    "plan",
    "workspace",
    "checking",
    "guessing",
    "newclient",
    "examples",
    "locks",
    "kernels",
    "progress",
    "ending",
    "job",
    "running",
    "simulate",
    "catalogue",
    "cli",
]
PACKAGE = ROOT / "src" / "customerlab"


def imported(file: Path) -> set[str]:
    """Return the modules of this package that a file imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("customerlab"):
            parts = node.module.split(".")
            found |= {parts[1]} if len(parts) > 1 else {alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            names = [alias.name.split(".") for alias in node.names]
            found |= {name[1] for name in names if name[0] == "customerlab" and len(name) > 1}
    return found


def test_every_module_has_its_place():
    there = {p.stem for p in PACKAGE.glob("*.py")} | {
        p.name for p in PACKAGE.iterdir() if (p / "__init__.py").is_file()
    }
    assert there - {"__init__"} == set(ORDER)


def test_nothing_is_imported_from_the_right():
    for file in sorted(PACKAGE.rglob("*.py")):
        own = file.relative_to(PACKAGE).parts[0].removesuffix(".py")
        if own == "__init__":
            continue
        right = set(ORDER[ORDER.index(own) + 1 :])
        assert not imported(file) & right, file
