"""The look of a report: templates, style sheets, and how one piece of a page becomes HTML.

A piece carries its style with it, so that it looks the same in JupyterLab; a page keeps only
one copy (see :func:`customerlab.report.render_page`).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

#: The folder of the templates; its name is the template's name for nbconvert.
FOLDER = Path(__file__).parent


def glued(value: Any) -> Any:
    """Keep a number and its per cent sign on one line."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return re.sub(r"(?<=[\d∞]) (?=%)", "\N{NO-BREAK SPACE}", value)
    return value


_PIECES = Environment(
    loader=FileSystemLoader(FOLDER),
    autoescape=True,
    undefined=StrictUndefined,
    finalize=glued,
    trim_blocks=True,
    lstrip_blocks=True,
)


def style() -> str:
    """Return the style sheet of the pieces."""
    return (FOLDER / "pieces.css").read_text(encoding="utf-8")


def piece(template: str, language: str, **values: Any) -> str:
    """Return one piece of a page, with its style, as HTML."""
    html = _PIECES.get_template(template).render(**values)
    lang = {"en": "en", "zh": "zh-Hans"}[language]
    return (
        f"<style data-customerlab>{style()}</style>\n"
        f'<div class="customerlab" lang="{lang}">{html}</div>'
    )


def without_style(html: str) -> str:
    """Return pieces without their style, for a page that carries it once."""
    return re.sub(r"<style data-customerlab[^>]*>.*?</style>\n?", "", html, flags=re.DOTALL)
