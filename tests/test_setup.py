"""One truth about versions: pyproject.toml, requirements.lock and environment.yml agree."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
LOCK = (ROOT / "requirements.lock").read_text()
#: What `make spark` adds: 434 MB that not everyone needs.
SPARK_LOCK = (ROOT / "requirements-spark.lock").read_text()


def entries(lock: str) -> list[str]:
    """Return the requirements of a lock: each is a line and those that continue it."""
    return re.findall(r"^\S.*?(?<!\\)$", lock, flags=re.MULTILINE | re.DOTALL)


def locked(lock: str = LOCK) -> dict[str, str]:
    """Return the exact version of each package that this machine gets."""
    versions = {}
    for entry in entries(lock):
        requirement = Requirement(entry.split("\\")[0].split("--hash")[0].strip())
        if requirement.marker is None or requirement.marker.evaluate(default_environment()):
            (pin,) = requirement.specifier
            assert pin.operator == "=="
            versions[canonicalize_name(requirement.name)] = pin.version
    return versions


@pytest.mark.parametrize(
    "text",
    [
        *PROJECT["dependencies"],
        *(text for extra in ("dev", "examples", "uplift") for text in EXTRAS[extra]),
    ],
)
def test_locked_version_is_in_the_range(text: str) -> None:
    requirement = Requirement(text)
    version = locked()[canonicalize_name(requirement.name)]
    assert requirement.specifier.contains(version), f"make lock: {text}, locked {version}"


def test_extras_are_those_of_the_design() -> None:
    assert set(EXTRAS) == {"uplift", "spark", "examples", "dev"}
    assert "pyspark" not in locked()


def test_the_lock_of_spark_adds_to_the_first_and_changes_nothing() -> None:
    (text,) = EXTRAS["spark"]
    requirement, added = Requirement(text), locked(SPARK_LOCK)
    assert requirement.specifier.contains(added[requirement.name]), "make lock"
    assert added.keys() == {"pyspark", "py4j"}
    assert added.keys().isdisjoint(locked())
    # all that PySpark needs for tables is in the first
    assert {"pandas", "pyarrow", "numpy"} <= locked().keys()


def test_lock_builds_the_package_without_an_index() -> None:
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
    for text in build:
        requirement = Requirement(text)
        assert requirement.specifier.contains(locked()[canonicalize_name(requirement.name)])


@pytest.mark.parametrize(("lock", "least"), [(LOCK, 100), (SPARK_LOCK, 2)])
def test_every_entry_is_hashed_and_none_names_an_index(lock: str, least: int) -> None:
    found = entries(lock)
    assert len(found) >= least
    assert [entry for entry in found if "--hash=sha256:" not in entry] == []
    assert not re.search(r"://|--(extra-)?index-url|--find-links|^-[if] ", lock, re.MULTILINE)


def test_conda_installs_the_same_lock() -> None:
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    *others, pip = environment["dependencies"]
    assert pip == {"pip": ["--require-hashes", "-r requirements.lock"]}
    assert others == [f"python{PROJECT['requires-python']}", "pip"]
    assert environment["channels"] == ["conda-forge"]


def test_python_ranges_agree() -> None:
    assert PROJECT["requires-python"] == ">=3.11"
    makefile = (ROOT / "Makefile").read_text()
    assert "sys.version_info < (3, 11)" in makefile
    assert "--python-version 3.11 " in makefile
    ruff = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["ruff"]
    assert ruff["target-version"] == "py311"


def test_make_lock_covers_what_the_tests_hold_together() -> None:
    makefile = (ROOT / "Makefile").read_text()
    recipe = makefile.split("\nlock:")[1]
    assert re.findall(r"--extra (\w+)", recipe) == ["dev", "examples", "uplift"]
    assert '["optional-dependencies"]["spark"]' in makefile.split("\nEXTRA :=")[1]
    assert "$(EXTRA)" in recipe


def test_second_call_of_make_installs_nothing(tmp_path: Path) -> None:
    for name in ("Makefile", "pyproject.toml", "requirements.lock"):
        (tmp_path / name).write_text((ROOT / name).read_text())
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv/.installed").touch()
    # the tests themselves may be run by make, whose flags would be handed on
    env = {key: value for key, value in os.environ.items() if not key.startswith("MAKE")}
    planned = subprocess.run(
        ["make", "-n", "test"], cwd=tmp_path, capture_output=True, text=True, check=True, env=env
    )
    (only,) = planned.stdout.strip().splitlines()
    assert ".venv/bin/python -m pytest" in only


def test_make_refuses_an_old_python(tmp_path: Path) -> None:
    for name in ("Makefile", "pyproject.toml", "requirements.lock"):
        (tmp_path / name).write_text((ROOT / name).read_text())
    old = tmp_path / "python3.9"
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo "Python 3.9.1"\nexit 1\n')
    old.chmod(0o755)
    done = subprocess.run(
        ["make", "test", f"PYTHON={old}"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "Python 3.11 or newer is needed" in done.stdout
    assert "Python 3.9.1" in done.stdout


def test_hooks_keep_tags_and_cell_ids(tmp_path: Path) -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    entry = {hook["id"]: hook["entry"] for hook in hooks}["nbstripout"].split()
    notebook = tmp_path / "a.ipynb"
    notebook.write_text(
        '{"cells": [{"cell_type": "code", "id": "mine", "metadata": {"tags": ["parameters"]},'
        ' "execution_count": 7, "source": "1", "outputs": [{"output_type": "stream",'
        ' "name": "stdout", "text": "x"}]}], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}'
    )
    subprocess.run([ROOT / entry[0], *entry[1:], notebook], check=True)
    (cell,) = yaml.safe_load(notebook.read_text())["cells"]
    assert (cell["id"], cell["metadata"]["tags"]) == ("mine", ["parameters"])
    assert (cell["outputs"], cell["execution_count"]) == ([], None)
