"""The workspace of the summary: what all notebooks found, and what the report is made of."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING

import pandas as pd
import yaml

from customerlab import plan, report, summary
from customerlab.files import write_text
from customerlab.findings import Finding
from customerlab.messages import Message, Words, say
from customerlab.paths import Paths
from customerlab.workspace.lab import Lab
from customerlab.workspace.opening import prepare

if TYPE_CHECKING:
    from customerlab.plots import Chart  # brings matplotlib, which not every notebook draws with

#: Packages whose versions decide about the numbers.
_PACKAGES = ("customerlab", "duckdb", "ibis-framework", "lifelines", "numpy", "pandas")
_PACKAGES += ("scipy", "statsmodels")


def open_summary(**parameters: object) -> Summary:
    """Open the workspace of ``99_summary``; see :func:`customerlab.workspace.open_workspace`."""
    params, paths = prepare(plan.SUMMARY, **parameters)
    return Summary(plan.SUMMARY, params, paths)


class Summary(Lab):
    """The workspace of the summary: reads what the others left behind."""

    def merge_findings(self) -> tuple[Finding, ...]:
        """Merge the findings of this client's notebooks into ``findings.json``."""
        merged: list[dict] = []
        for name in self._answerable():
            part = self.paths.findings(name)
            if self.paths.page(name).is_file() and part.is_file():
                merged += json.loads(part.read_text(encoding="utf-8"))["findings"]
        text = json.dumps(merged, ensure_ascii=False, indent=1)
        write_text(self.paths.merged_findings, text + "\n")
        fields = Finding.__dataclass_fields__
        return tuple(
            Finding(**{key: value for key, value in one.items() if key in fields}) for one in merged
        )

    def question_cards(
        self, questions: Sequence[summary.Question], findings: Sequence[Finding]
    ) -> report.Answers:
        """Show the answer to each question, or what it would need."""
        shown: list[Finding] = []
        asked: dict[str, Message] = {}
        links: dict[str, str] = {}
        lacking = self._lacking()
        for number, question in enumerate(questions):
            found = summary.answers_to(question, findings)
            if not found:
                text = summary.unanswered(question, lacking)
                nothing = say("Not answered")
                found = (Finding(f"summary.{number}", text, nothing, status="not_enough_data"),)
            shown += found
            asked |= {finding.id: question.text for finding in found}
            for name in question.notebooks:
                if self.paths.page(name).is_file():
                    links |= {finding.id: self.paths.page(name).name for finding in found}
        first = summary.propose(findings)[0]
        shown.append(Finding("summary.monday", first, say("Begin here"), status="supported"))
        asked["summary.monday"] = say("What to do on Monday?")
        return report.answers(shown, self.words, asked, links)

    def redraw(self, table: str, plot: Callable[[pd.DataFrame, Words], Chart]) -> object:
        """Draw a figure again from its table, or say that there is none."""
        path = self.paths.table(table)
        if not path.is_file():
            return self.say(say("The table of this figure is missing."))
        return plot(pd.read_csv(path), self.words)

    def page_links(self) -> report.Shown:
        """Link every page, and say of each missing one what it would need or that it failed."""
        lacking = self._lacking()
        pages = []
        for notebook in sorted(plan.NOTEBOOKS, key=lambda one: one.name):
            page = self.paths.page(notebook.name)
            if notebook.name == plan.SUMMARY:
                continue
            if notebook.name in lacking:
                pages.append(report.PageLink(notebook.question, text=lacking[notebook.name]))
            elif page.is_file():
                pages.append(report.PageLink(notebook.question, page.name))
            else:
                failed = say("Its notebook failed, or was not asked for.")
                pages.append(report.PageLink(notebook.question, text=failed))
        return report.page_links(pages, self.words)

    def provenance(self) -> report.Shown:
        """Show the versions, the parameters and the fingerprint of the files that went in."""
        settings = self.params.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        rows = {
            say("Known up to"): say("{day:date}", day=self.params.snapshot),
            say("Versions"): ", ".join(f"{name} {version(name)}" for name in _PACKAGES),
            say("Parameters"): yaml.safe_dump(settings, allow_unicode=True, sort_keys=False),
            say("Fingerprint of the files"): fingerprint(self.paths, self.params.sources),
        }
        title = say("Versions, parameters and a fingerprint of the data")
        return report.definitions(rows, self.words, summary=title)

    def _answerable(self) -> list[str]:
        others = [n for n in plan.NOTEBOOKS if n.name != plan.SUMMARY]
        return [n.name for n in others if plan.answerable(n, self.params)]

    def _lacking(self) -> dict[str, Message]:
        needs = {n.name: plan.missing(n, self.params) for n in plan.NOTEBOOKS}
        return {name: text for name, text in needs.items() if text is not None}


def fingerprint(paths: Paths, sources: Sequence[str]) -> str:
    """Return one SHA-256 over the names and contents of all files that went in."""
    digest = hashlib.sha256()
    for name in sorted(sources):
        record = paths.parsed(name).with_suffix(".json")
        if not record.is_file():
            continue
        for file in json.loads(record.read_text(encoding="utf-8"))["files"]:
            digest.update(f"{name} {file['name']} {file['sha256']}\n".encode())
    return digest.hexdigest()
