"""Keeps the Chinese catalogue beside the code: ``python -m customerlab.catalogue``.

Every ``say("...")`` of the package and every Markdown cell of the notebooks gets an entry in
``locale/zh/messages.po`` or ``notebooks.po``; what has no current Chinese is listed. A Markdown
cell that was changed keeps its old Chinese, marked ``fuzzy``, and reads as missing until someone
has looked at it and taken the mark away.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from string import Formatter

from babel.messages.catalog import Catalog
from babel.messages.catalog import Message as Entry
from babel.messages.pofile import read_po, write_po

from customerlab.errors import CustomerlabError

_PACKAGE = Path(__file__).parent
LOCALE = _PACKAGE / "locale" / "zh"
_HEADER = """\
# Chinese texts of customerlab. Updated by python -m customerlab.catalogue, filled in by hand.
msgid ""
msgstr ""
"Language: zh_Hans_CN\\n"
"MIME-Version: 1.0\\n"
"Content-Type: text/plain; charset=UTF-8\\n"
"Content-Transfer-Encoding: 8bit\\n"

"""


@dataclass(frozen=True)
class Text:
    """One text that needs its Chinese.

    Attributes
    ----------
    text : str
        The English, as it stands in the code or the cell.
    place : str
        The file it stands in, from the project's root.
    context : str or None
        ``<notebook>:<cell id>`` of a Markdown cell.
    """

    text: str
    place: str
    context: str | None = None


def messages(package: Path = _PACKAGE) -> list[Text]:
    """Return the literals of all ``say(...)`` calls below `package`, each once.

    Raises
    ------
    CustomerlabError
        When a call's text is not one literal, which nobody could translate.
    """
    found: dict[str, Text] = {}
    for file in sorted(package.rglob("*.py")):
        place = f"src/customerlab/{file.relative_to(package).as_posix()}"
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and _is_say(node.func):
                text = node.args[0] if node.args else None
                if not (isinstance(text, ast.Constant) and isinstance(text.value, str)):
                    raise CustomerlabError(
                        f"{place}:{node.lineno}: the text of say(...) must be one literal string"
                    )
                found.setdefault(text.value, Text(text.value, place))
    return list(found.values())


def _is_say(function: ast.expr) -> bool:
    return isinstance(function, ast.Name) and function.id == "say"


def markdown(notebooks: Path) -> list[Text]:
    """Return the Markdown cells of all notebooks in a folder."""
    return [
        Text(cell["source"], f"notebooks/{file.name}", f"{file.stem}:{cell['id']}")
        for file in sorted(notebooks.glob("*.ipynb"))
        for cell in _cells(file)
        if cell["cell_type"] == "markdown" and cell["source"].strip()
    ]


def _cells(file: Path) -> Iterator[dict]:
    for cell in json.loads(file.read_text(encoding="utf-8"))["cells"]:
        source = cell["source"]
        yield {**cell, "source": source if isinstance(source, str) else "".join(source)}


def load(file: Path) -> Catalog:
    """Read a catalogue; one that is not there yet is empty."""
    if not file.exists():
        return Catalog(locale="zh_Hans_CN")
    with file.open("rb") as stream:
        return read_po(stream, locale="zh_Hans_CN", abort_invalid=True)


def merge(old: Catalog, texts: list[Text]) -> Catalog:
    """Return a catalogue of exactly these texts, with the Chinese that `old` has for them."""
    by_context = {entry.context: entry for entry in old if entry.context}
    new = Catalog(locale="zh_Hans_CN")
    for text in texts:
        known = old.get(text.text, text.context)
        flags = set(known.flags) if known else set()
        if known is None and text.context in by_context:
            known, flags = by_context[text.context], {"fuzzy"}
        new.add(
            text.text,
            known.string if known else "",
            locations=[(text.place, None)],
            flags=flags & {"fuzzy"},
            context=text.context,
        )
    return new


def save(catalog: Catalog, file: Path) -> None:
    """Write a catalogue: no dates and no line numbers, so that only texts change it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("wb") as stream:
        stream.write(_HEADER.encode())
        write_po(stream, catalog, width=110, omit_header=True, include_lineno=False)


def missing(catalog: Catalog) -> list[Entry]:
    """Return the entries that have no current Chinese."""
    return [entry for entry in catalog if entry.id and (not entry.string or entry.fuzzy)]


def unlike(catalog: Catalog) -> list[Entry]:
    """Return the entries whose Chinese has other places or formats than the English."""
    return [
        entry
        for entry in catalog
        if entry.id and entry.string and places(entry.id) != places(entry.string)
    ]


def places(text: str) -> set[tuple[str, str]]:
    """Return the names and formats of a message's places."""
    return {(name, spec or "") for _, name, spec, _ in Formatter().parse(text) if name is not None}


def main() -> int:
    """Update both catalogues and list what lacks Chinese."""
    notebooks = _PACKAGE.parents[1] / "notebooks"
    lacking = 0
    for name, texts in (("messages", messages()), ("notebooks", markdown(notebooks))):
        file = LOCALE / f"{name}.po"
        catalog = merge(load(file), texts)
        save(catalog, file)
        gaps = missing(catalog)
        odd = unlike(catalog) if name == "messages" else []
        lacking += len(gaps) + len(odd)
        print(f"{file.name}: {len(texts)} texts, {len(gaps)} without current Chinese")
        for entry in gaps:
            print(f"  {'changed' if entry.fuzzy else 'missing'}: {entry.context or entry.id!r}")
        for entry in odd:
            print(f"  other places than in English: {entry.id!r}")
    return 1 if lacking else 0


if __name__ == "__main__":
    raise SystemExit(main())
