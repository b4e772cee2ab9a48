"""What stands on a page: its texts, English left in Chinese, and words that must not be there."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path

from bs4 import BeautifulSoup

from customerlab import catalogue


def page_texts(page: Path) -> list[str]:
    """Return every text of a page: what is drawn, folded or read aloud."""
    soup = BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")
    for style in soup("style"):
        style.decompose()
    aloud = [tag.get(key, "") for tag in soup(True) for key in ("aria-label", "alt", "title")]
    return [text.strip() for text in [*soup.find_all(string=True), *aloud] if text.strip()]


def english_pieces() -> set[str]:
    """Return the pieces of two words or more of all English messages, from the catalogue."""
    english = [one.text for one in catalogue.messages()]
    pieces = {piece.strip(" .,:;()“”") for text in english for piece in re.split(r"\{.*?\}", text)}
    return {piece for piece in pieces if re.search(r"[A-Za-z]{2,} \w{2,}", piece)}


def plain(text: str) -> str:
    """Narrow full-width characters, for instance."""
    return unicodedata.normalize("NFKC", text).strip()


def leaks(text: str, guarded: set[str], shapes: Iterable[str]) -> set[str]:
    """Return the guarded words in a text; `shapes` are the regular expressions that they follow."""
    text = plain(text)
    seen = set()
    for shape in shapes:
        seen |= set(re.findall(f"(?=({shape}))", text))
    return seen & guarded
