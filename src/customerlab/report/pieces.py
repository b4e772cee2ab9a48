"""The pieces of a page: answers as cards, readings, definitions, links."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from customerlab.findings import STATUSES, Finding
from customerlab.messages import ENGLISH, Message, Words, say
from customerlab.page import piece


@dataclass(frozen=True)
class Shown:
    """Something that JupyterLab and the page show as it is."""

    html: str

    def _repr_html_(self) -> str:
        return self.html


@dataclass(frozen=True)
class Answers(Shown):
    """Findings as cards, with the findings themselves."""

    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class PageLink:
    """A page of the report, or why there is none.

    Attributes
    ----------
    question : Message or str
    href : str or None
        None when there is no page.
    text : Message or str
        What the page holds; without a page, what it would need or what failed.
    """

    question: Message | str
    href: str | None = None
    text: Message | str = ""


def answers(
    findings: Iterable[Finding],
    words: Words = ENGLISH,
    questions: Mapping[str, Message | str] | None = None,
    links: Mapping[str, str] | None = None,
) -> Answers:
    """Return findings as cards, each with its interval drawn and its status in words.

    Parameters
    ----------
    findings : iterable of Finding
    words : Words
    questions : mapping, optional
        Id of a finding to the question, or the short name, over its card.
    links : mapping, optional
        Id of a finding to the page that says more.
    """
    findings = tuple(findings)
    questions, links = questions or {}, links or {}
    cards = [
        _card(finding, words, questions.get(finding.id, ""), links.get(finding.id))
        for finding in findings
    ]
    legend = say("A bar is the range that the data allow (95 % interval), its mark the estimate.")
    has_bar = any(card["bar"] for card in cards)
    html = piece(
        "answers.html.j2", words.language, cards=cards, legend=words(legend) if has_bar else ""
    )
    return Answers(html, findings)


def _card(finding: Finding, words: Words, question: Message | str, link: str | None) -> dict:
    status = words(STATUSES[finding.status])
    in_words = finding.value is None or isinstance(finding.value, Message)
    value = status if finding.value is None else words.format(finding.value, finding.unit)
    # where words say that there is no answer, they are the status
    untold = in_words and finding.status == "not_enough_data"
    bar = _bar(finding, words)
    foot = []
    if bar:
        foot.append(bar["interval"])
    if finding.n is not None:
        foot.append(words(say("n = {n:customers}", n=finding.n)))
    return {
        "status": finding.status,
        "status_words": "" if untold else status,
        "question": words(question),
        "link": link,
        "value": value,
        "in_words": in_words,
        "sentence": words(finding.text),
        "bar": bar,
        "foot": foot,
    }


def interval(low: Any, high: Any, unit: str, words: Words) -> str:
    """Return ``4.8 to 5.4 %``: the unit once where it follows a blank."""
    first, second = words.format(low, unit), words.format(high, unit)
    blank, suffix = second.rfind(" "), ""
    if blank > 0 and first.endswith(second[blank:]):
        suffix = second[blank:]
    return words(say("{low} to {high}", low=first.removesuffix(suffix), high=second))


def _bar(finding: Finding, words: Words) -> dict | None:
    """Return where the interval lies on a scale that begins at zero, or None without one."""
    numbers = (finding.low, finding.value, finding.high)
    if any(isinstance(x, (str, Message)) or x is None or not math.isfinite(x) for x in numbers):
        return None
    low, value, high = (float(x) for x in numbers)
    masked = finding.unit == "customers" and any(0 < x < words.min_cell for x in numbers)
    if low == high or masked:  # a drawn position would give a masked count away
        return None
    end = _round_up(max(abs(low), abs(high)))
    if finding.unit.startswith("percent") and max(abs(low), abs(high)) <= 1:
        end = min(end, 1.0)
    start = -end if low < 0 else 0.0

    def place(x: float) -> float:
        return round(100 * (x - start) / (end - start), 2)

    ends = [words.format(x, _short(finding.unit, end)) for x in (start, end)]
    text = interval(low, high, finding.unit, words)
    label = say(
        "{interval}, on a scale from {start} to {end}", interval=text, start=ends[0], end=ends[1]
    )
    return {
        "left": place(low),
        "width": round(place(high) - place(low), 2),
        "at": place(value),
        "start": ends[0],
        "end": ends[1],
        "interval": text,
        "label": words(label),
    }


def _short(unit: str, end: float) -> str:
    """Return the format for the ends of a scale: round numbers need few decimals."""
    if unit.startswith("percent"):
        return "percent0" if end >= 0.02 else "percent"
    if unit == "money":
        return "count" if end >= 100 else "number"
    return "number" if unit.startswith("number") else unit


def _round_up(x: float) -> float:
    power = 10.0 ** math.floor(math.log10(x))
    return next(step * power for step in (1, 2, 2.5, 5, 10) if step * power >= x * (1 - 1e-12))


def note(message: Message | str, words: Words = ENGLISH) -> Shown:
    """Return a computed reading of the figure or table above as a paragraph."""
    return Shown(piece("note.html.j2", words.language, text=words(message)))


def page_links(pages: Iterable[PageLink], words: Words = ENGLISH) -> Shown:
    """Return the pages of a report as links, and below them what did not run and why."""
    pages = [{"question": words(p.question), "href": p.href, "text": words(p.text)} for p in pages]
    html = piece(
        "pages.html.j2",
        words.language,
        linked=[page for page in pages if page["href"]],
        missing=[page for page in pages if not page["href"]],
        missing_title=words(say("What did not run")),
    )
    return Shown(html)


def definitions(
    rows: Mapping[Message | str, Message | str],
    words: Words = ENGLISH,
    *,
    summary: Message | str | None = None,
) -> Shown:
    """Return terms and what they mean; with a `summary`, folded until it is clicked or printed."""
    html = piece(
        "definitions.html.j2",
        words.language,
        rows=[(words(term), words(text)) for term, text in rows.items()],
        summary=words(summary) if summary else "",
    )
    return Shown(html)
