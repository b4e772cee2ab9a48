"""From a notebook to a page: what a stakeholder reads. Text in, text out; no file is touched."""

from customerlab.report.page import render_page
from customerlab.report.pdf import render_pdf
from customerlab.report.pieces import (
    Answers,
    PageLink,
    Shown,
    answers,
    definitions,
    note,
    page_links,
)
from customerlab.report.tables import ShownTable, checks_table, show_table

__all__ = [
    "Answers",
    "PageLink",
    "Shown",
    "ShownTable",
    "answers",
    "checks_table",
    "definitions",
    "note",
    "page_links",
    "render_page",
    "render_pdf",
    "show_table",
]
