"""A page from an executed notebook: without code, in one language, asking nothing of a network."""

from __future__ import annotations

import copy
import re
from collections.abc import Collection
from html.parser import HTMLParser
from typing import TYPE_CHECKING

from customerlab.errors import CustomerlabError
from customerlab.messages import Message, Words, say
from customerlab.page import FOLDER, glued, style, without_style
from customerlab.privacy import PERSONAL

if TYPE_CHECKING:  # over a second, which a notebook's kernel need not spend
    from nbformat import NotebookNode

#: Cells that are not for readers.
_NOT_SHOWN = {"hide", "parameters", "injected-parameters"}
_NO_ALT = say("A figure without a description.")
_BACK = say("All answers")

#: Further names of a column of single customers, as clients call them, in lower case.
_PERSONAL = PERSONAL | {
    *("customer_no", "customer_number", "cust_id", "cust_no", "client_id", "user_id"),
    *("household_id", "household_key", "account_no", "account_number", "card_number", "iban"),
    *("full_name", "first_name", "last_name", "surname", "customer_name", "mobile", "telephone"),
    *("phone_number", "e_mail", "email_address", "id_card", "id_number", "passport"),
    *("客户号", "客户编号", "客户姓名", "姓名", "账号", "账户", "卡号", "身份证", "身份证号"),
    *("电话", "电话号码", "手机", "手机号", "邮箱", "地址"),
}


def render_page(
    notebook: NotebookNode,
    name: str,
    *,
    words: Words,
    title: str,
    above: Message | str = "",
    index: str | None = None,
    personal: Collection[str] = (),
) -> str:
    """Return the page of an executed notebook.

    Parameters
    ----------
    notebook : NotebookNode
        Executed; it is not changed.
    name : str
        Its name, such as ``04_churn_timing``: the context of its Markdown in the catalogue.
    words : Words
        The language of the page.
    title : str
        For the browser's tab.
    above : Message or str
        A line over the heading: whose report, known up to which day.
    index : str, optional
        The address of the summary, linked on top.
    personal : collection of str
        More names of columns that stand for single customers: the client's own.

    Returns
    -------
    str
        One HTML document.

    Raises
    ------
    CustomerlabError
        When the notebook failed, when a table names single customers, when something would have
        to be fetched, or when a Markdown cell has no text in the language.
    """
    from nbconvert import HTMLExporter  # two seconds, which a notebook's kernel need not spend

    notebook = copy.deepcopy(notebook)
    _refuse_errors(notebook, name)
    notebook.cells = _answer_first(
        [cell for cell in notebook.cells if not _tags(cell) & _NOT_SHOWN]
    )
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = _translated(cell, name, words)
    exporter = HTMLExporter(
        template_name=FOLDER.name,
        extra_template_basedirs=[str(FOLDER.parent)],
        exclude_input=True,
        exclude_anchor_links=True,
        optimistic_validation=True,  # once, not before and after each of eleven steps
    )
    page = {
        "lang": {"en": "en", "zh": "zh-Hans"}[words.language],
        "title": title,
        "style": (FOLDER / "page.css").read_text(encoding="utf-8") + style(),
        "above": glued(words(above)),
        "index": {"href": index, "text": words(_BACK)} if index else None,
        "no_alt": words(_NO_ALT),
    }
    # past HTMLExporter's own, which parses the whole page again to mark what our template marks
    html, _ = super(HTMLExporter, exporter).from_notebook_node(notebook, resources={"page": page})
    html = _own_ids(without_style(html))
    audit = _Audit(_PERSONAL | {_plain(column) for column in personal})
    audit.feed(html)
    audit.refuse(name)
    return html


def _tags(cell: NotebookNode) -> set[str]:
    return set(cell.metadata.get("tags", []))


def _refuse_errors(notebook: NotebookNode, name: str) -> None:
    heading = ""
    for number, cell in enumerate(notebook.cells, start=1):
        if cell.cell_type == "markdown":
            found = re.findall(r"^#+ +(.+)$", cell.source, flags=re.MULTILINE)
            heading = found[-1] if found else heading
        for output in cell.get("outputs", []):
            if output.output_type == "error":
                raise CustomerlabError(
                    f'{name}: no page is made of a notebook that failed: under "{heading}", '
                    f"cell {number}: {output.ename}: {output.evalue}"
                )


def _answer_first(cells: list[NotebookNode]) -> list[NotebookNode]:
    """Move the answer below the first cell with a heading."""
    answer = [cell for cell in cells if "answer" in _tags(cell)]
    rest = [cell for cell in cells if "answer" not in _tags(cell)]
    top = 1 if rest and rest[0].cell_type == "markdown" else 0
    return [*rest[:top], *answer, *rest[top:]]


def _translated(cell: NotebookNode, name: str, words: Words) -> str:
    try:
        return words.markdown(name, cell.get("id", ""), cell.source)
    except LookupError:
        first = cell.source.strip().splitlines()[0] if cell.source.strip() else ""
        raise CustomerlabError(
            f'{name}: the Markdown cell "{cell.get("id", "")}" ({first}) has no text for '
            f'language "{words.language}", or was changed since. Run python -m '
            "customerlab.catalogue and fill it in notebooks.po, or set language: en."
        ) from None


def _own_ids(html: str) -> str:
    """Give each figure ids of its own, also where the same figure stands twice."""
    numbers = iter(range(1, html.count("<svg") + 1))

    def numbered(found: re.Match[str]) -> str:
        number = next(numbers)
        return re.sub(r'(["#])c[0-9a-f]{8}-', rf"\g<1>svg{number}-", found[0])

    return re.sub(r"<svg\b.*?</svg>", numbered, html, flags=re.DOTALL)


def _plain(heading: str) -> str:
    return re.sub(r"[\s\-.]+", "_", heading.strip().lower())


class _Audit(HTMLParser):
    """Finds what a page must not have: columns of single customers, and things to fetch."""

    def __init__(self, personal: Collection[str]) -> None:
        super().__init__()
        self.personal = personal
        self.columns: list[str] = []
        self.fetched: list[str] = []
        self._heading: list[str] | None = None
        self._inside: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inside.append(tag)
        if tag == "th":
            self._heading = []
        if tag in {"script", "iframe", "object", "embed", "base"}:
            self.fetched.append(f"<{tag}>")
        for key, value in attrs:
            loads = key in {"src", "srcset", "data", "poster", "background"}
            loads |= key in {"href", "xlink:href"} and tag not in {"a", "area"}
            if loads and value and not value.startswith(("data:", "#")):
                self.fetched.append(f"<{tag} {key}={value!r}>")
            if key == "style" and value:
                self._look_in_style(value)

    def handle_endtag(self, tag: str) -> None:
        if tag == "th" and self._heading is not None:
            heading = _plain("".join(self._heading))
            if heading in self.personal:
                self.columns.append(heading)
            self._heading = None
        if tag in self._inside:
            while self._inside.pop() != tag:
                pass

    def handle_data(self, data: str) -> None:
        if self._heading is not None:
            self._heading.append(data)
        if "style" in self._inside:
            self._look_in_style(data)
        if "pre" in self._inside:  # a frame printed as text
            words = {_plain(word) for word in data.split()}
            self.columns += sorted(word for word in words & set(self.personal) if "_" in word)

    def _look_in_style(self, css: str) -> None:
        targets = re.findall(r"url\(\s*['\"]?([^)'\"]+)", css)
        self.fetched += [target for target in targets if not target.startswith(("data:", "#"))]
        self.fetched += re.findall(r"@import[^;]*", css)

    def refuse(self, name: str) -> None:
        """Raise when something was found."""
        if self.columns:
            raise CustomerlabError(
                f"{name}: a table shows {', '.join(dict.fromkeys(self.columns))}; a report shows "
                "groups, never single customers. Leave the column out, or tag the cell hide."
            )
        if self.fetched:
            raise CustomerlabError(
                f"{name}: the page would fetch or run {self.fetched[0]}; a report is one file "
                "that asks nothing of a network. Show a table or a figure, or tag the cell hide."
            )
