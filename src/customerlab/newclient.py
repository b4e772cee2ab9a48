"""A first parameter file for a client, guessed from a first look at the files."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from customerlab.contract import TABLES, Table
from customerlab.errors import CustomerlabError
from customerlab.guessing import Guess, Look, guess_columns, guess_table, last_day, look_at

_CHINESE = re.compile("[\u4e00-\u9fff]")
_SHOWN_VALUES = 8


@dataclass
class _Section:
    """One source of the parameter file: files of one shape, and what they seem to hold."""

    table: Table
    looks: list[Look]
    guesses: dict[str, Guess] = field(default_factory=dict)


def first_params(client: str, files: Sequence[Path], *, root: Path, scratch: Path) -> str:
    """Return the text of a first parameter file.

    Parameters
    ----------
    client : str
    files : sequence of Path
        The client's own files: delimited text or Parquet.
    root : Path
        The project; files below it are written relative to it.
    scratch : Path
        Folder for what is read on the way.

    Raises
    ------
    CustomerlabError
        When a file is missing or cannot be read, or none looks like a table that we know.
    """
    for file in files:
        if not file.is_file():
            raise CustomerlabError(f"{file}: no such file")
    looks = [look_at(file) for file in files]
    sections, unknown = _sections(looks)
    if not sections:
        known = ", ".join(f"{t.name} ({', '.join(t.required)})" for t in TABLES.values())
        raise CustomerlabError(
            f"none of the files looks like a table that we know, by the names of its columns. "
            f"Tables and the columns that they need: {known}"
        )
    days = [
        last_day(section.looks, section.guesses, section.table, scratch) for section in sections
    ]
    chinese = any(_CHINESE.search("".join(look.header)) for look in looks)
    lines = [
        "# yaml-language-server: $schema=schema.json",
        "# A first look at the files; `# ?` marks what is worth a second one. Then:",
        f"#     customerlab check params/{client}.yaml",
        f"#     customerlab run params/{client}.yaml",
        f"client: {client}",
        f"title: {_inline(client)}  # ? stands on top of the report",
        f"language: {'zh' if chinese else 'en'}  # ? of the report: en or zh",
        *_snapshot([day for day in days if day]),
        "# currency: CNY  # ? three letters, put after amounts",
        "",
        "sources:",
    ]
    for section in sections:
        lines += _source_lines(section, root)
    for look in unknown:
        lines += [
            f"  # ? {look.file.name} looks like none of our tables, or like one given above.",
            f"  #   Its columns: {_listed(look.header)}",
        ]
    return "\n".join(lines) + "\n"


def _sections(looks: Sequence[Look]) -> tuple[list[_Section], list[Look]]:
    """Sort the files into tables; files with the same columns are parts of one table."""
    sections: dict[str, _Section] = {}
    unknown = []
    for look in looks:
        table = guess_table(look)
        if table is None:
            unknown.append(look)
        elif table.name not in sections:
            sections[table.name] = _Section(table, [look], guess_columns(table, look))
        elif set(sections[table.name].looks[0].header) == set(look.header):
            sections[table.name].looks.append(look)
        else:
            unknown.append(look)
    ordered = [sections[name] for name in TABLES if name in sections]
    return ordered, unknown


def _snapshot(days: list[str]) -> list[str]:
    if not days:
        return ["snapshot: 2000-01-01  # ? no dates were found: the day up to which all is known"]
    return [f"snapshot: {max(days)}  # ? the last day in the files: all is known up to it"]


def _source_lines(section: _Section, root: Path) -> list[str]:
    first = section.looks[0]
    paths = [_path(look.file, root) for look in section.looks]
    lines = [
        f"  {section.table.name}:",
        f"    path: {_inline(paths[0] if len(paths) == 1 else paths)}",
    ]
    if first.encoding not in {None, "utf-8"}:
        lines.append(f"    encoding: {first.encoding}  # ? found by trying")
    if first.delimiter not in {None, ","}:
        lines.append(f"    delimiter: {_inline(first.delimiter, quoted=True)}")
    lines.append("    columns:")
    for column, guess in section.guesses.items():
        short = guess.source if not guess.format else {"from": guess.source, "format": guess.format}
        doubt = f"  # ? {guess.doubt}" if guess.doubt else ""
        lines.append(f"      {column}: {_inline(short)}{doubt}")
        if column == "kind":
            lines += _kinds(first, guess)
    used = {guess.source for guess in section.guesses.values()}
    rest = [name for name in first.header if name not in used]
    if rest:
        what = "kept as attributes" if section.table.open else "not used"
        lines.append(f"      # ? {what}: {_listed(rest)}")
    return lines


def _kinds(look: Look, guess: Guess) -> list[str]:
    """Ask to say what the client's kinds of transaction mean in our words."""
    values = look.sample[guess.source].dropna().unique()[:_SHOWN_VALUES]
    return [
        f"      # ? it holds {_listed(values)} ... Say what they mean, so that",
        "      #   interest and fees are no movements: "
        f"kind: {{from: {guess.source}, codes: {{...: deposit, ...: interest}}}}",
    ]


def _listed(texts: Iterable[object]) -> str:
    """List texts of the client's files in a comment, which ends with its line."""
    return ", ".join(" ".join(str(text).split()) for text in texts)


def _path(file: Path, root: Path) -> str:
    file = file.resolve()
    return str(file.relative_to(root) if file.is_relative_to(root) else file)


def _inline(value: Any, *, quoted: bool = False) -> str:
    """Write a value on one line as YAML reads it back."""
    text = yaml.safe_dump(
        value,
        default_flow_style=True,
        default_style='"' if quoted else None,
        allow_unicode=True,
        sort_keys=False,
        width=10_000,
    )
    return text.removesuffix("...\n").strip()
