"""One notebook's workspace."""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import cached_property
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd
from IPython.display import DisplayHandle

from customerlab import plan, report
from customerlab.contract import TABLES
from customerlab.errors import CustomerlabError, nearest
from customerlab.files import write_text, write_whole
from customerlab.findings import Check, Finding, apply_checks, tabulate_checks
from customerlab.headings import COLUMNS
from customerlab.layers import Layers
from customerlab.messages import Message, Words, say
from customerlab.params import Params
from customerlab.paths import Paths
from customerlab.privacy import mask_counts, refuse_personal_columns
from customerlab.proposals import Proposals
from customerlab.workspace.engine import open_engine
from customerlab.workspace.intake import clean_sources, parse_sources

if TYPE_CHECKING:
    from customerlab.plots import Chart  # brings matplotlib, which not every notebook draws with
    from customerlab.workspace.on_duckdb import DuckDB
    from customerlab.workspace.on_spark import Spark

#: Decimal places of numbers in tables and findings: sums of doubles differ beyond them.
PLACES = 6


class Lab:
    """One notebook's workspace; see :func:`open_workspace`.

    Attributes
    ----------
    notebook, section : str
        ``04_churn_timing`` and ``churn_timing``.
    params : Params
    settings
        The parameters of this notebook's own section.
    paths : Paths
    words : Words
        Puts messages into the report's language.
    """

    def __init__(self, notebook: str, params: Params, paths: Paths) -> None:
        self.notebook = notebook
        self.section = notebook.split("_", 1)[1]
        self.params = params
        self.settings = getattr(params, self.section, None)
        self.paths = paths
        self.words = Words(params.language, params.currency or "", params.privacy.min_cell)
        self._findings: list[Finding] = []
        self._checks: list[Check] = []
        self._written: list[Path] = []
        self._display: DisplayHandle | None = None
        self._first: tuple[str, ...] = ()

    @cached_property
    def engine(self) -> DuckDB | Spark:
        """The engine, with the threads and memory that the parameters allow."""
        scratch = self.paths.scratch(self.notebook)
        name = f"customerlab {self.params.client} {self.notebook}"
        remembered = self.paths.remembered(self.notebook)
        return open_engine(self.params.engine, scratch, name, remembered)

    @cached_property
    def rng(self) -> np.random.Generator:
        """The one random generator of this notebook, seeded by the parameters."""
        return np.random.default_rng(self.params.seed)

    # what comes in ---------------------------------------------------------------------------

    def parse(self) -> pd.DataFrame:
        """Parse what is new among the client's files; see ``intake.parse_sources``."""
        return parse_sources(self.params, self.paths, self.engine)

    def clean(self) -> pd.DataFrame:
        """Clean all tables and return the ledger; see ``intake.clean_sources``."""
        where = f"params/{self.params.client}.yaml"
        return clean_sources(self.params, self.paths, self.engine, where=where)

    def read(self, path: Path) -> ir.Table:
        """Return a Parquet file as a table expression."""
        return self.engine.read_parquet(path)

    def has(self, *tables: str) -> bool:
        """Say whether the client gave all of these canonical tables (and they were cleaned)."""
        return all(self.paths.clean(name).is_file() for name in tables)

    def table(self, name: str) -> ir.Table:
        """Return a clean canonical table.

        Raises
        ------
        CustomerlabError
            When there is no such table, or it was not cleaned yet.
        """
        if name not in TABLES:
            raise CustomerlabError(f"no canonical table is called {name}{nearest(name, TABLES)}")
        return self._earlier(self.paths.clean(name), "data_cleaning")

    def tables(self) -> dict[str, ir.Table]:
        """Return all clean canonical tables of the client.

        Raises
        ------
        CustomerlabError
            When those that this notebook needs were not cleaned yet.
        """
        found = {name: self.table(name) for name in TABLES if self.has(name)}
        needs = plan.named(self.notebook).needs
        if not any(need <= found.keys() for need in needs):
            self._earlier(self.paths.clean(min(needs[0] - found.keys())), "data_cleaning")
        return found

    def customers(self) -> ir.Table | None:
        """Return one row per customer with its layer, as notebook 02 wrote it.

        None for a client without customers: one who gave a prepared table only.
        """
        if not any(self.has(name) for name in ("customers", "accounts", "transactions")):
            return None
        return self._earlier(self.paths.customers, "invalid_customers")

    def scores(self, section: str) -> ir.Table | None:
        """Return one row per customer as another notebook scored them.

        None where that notebook cannot be answered from this client's sources.
        """
        if not any(self.has(*need) for need in plan.named(section).needs):
            return None
        return self._earlier(self.paths.scores(section), section)

    def proposals(self) -> list[Proposals]:
        """Return what earlier runs proposed, of snapshots before this one, the earliest first."""
        found = []
        for path in sorted((self.paths.data / "actions").glob("*/*.parquet")):
            try:
                day = dt.date.fromisoformat(path.parent.name)
            except ValueError:
                where = path.relative_to(self.paths.root)
                raise CustomerlabError(
                    f"{where}: proposals lie in a folder called after their day, such as 2025-12-31"
                ) from None
            if day < self.params.snapshot:
                found.append(Proposals(day, path.stem, self.read(path)))
        return found

    def keep(self, table: ir.Table) -> ir.Table:
        """Work a table out once and keep it for the cells below."""
        return self.engine.keep(table)

    def _earlier(self, path: Path, section: str) -> ir.Table:
        if not path.is_file():
            raise CustomerlabError(
                f"{path.relative_to(self.paths.root)} is missing: run `customerlab run "
                f"params/{self.params.client}.yaml --only {section}` first"
            )
        return self.read(path)

    # what goes out ---------------------------------------------------------------------------

    def write(self, path: Path, table: ir.Table, sort: Sequence[str] = ()) -> ir.Table:
        """Write a table under ``data/``, sorted, and return it."""
        kept = self.keep(table)  # the file is written anew by each run, what it says may be the old
        rows = kept.order_by(list(sort)) if sort else kept
        write_whole(path, lambda part: self.engine.to_parquet(rows, part))
        self._written.append(path)
        return kept

    def save_customers(self, layers: Layers) -> ir.Table:
        """Write one row per customer with its layer, for the notebooks that follow."""
        return self.write(self.paths.customers, layers.customers, ["customer_id"])

    def save_scores(self, scores: ir.Table) -> report.Shown:
        """Write one row per customer, sorted, floats rounded; see ``Paths.scores``."""
        floats = [name for name, kind in scores.schema().items() if kind.is_floating()]
        rounded = scores.mutate(**{name: scores[name].round(PLACES) for name in floats})
        written = self.write(self.paths.scores(self.section), rounded, ["customer_id"])
        count = int(written.count().execute())
        return self.say(
            say("{count:customers} customers were scored; the scores stay in data/.", count=count)
        )

    def save_actions(self, proposed: ir.Table | None, part: str = "") -> ir.Table | None:
        """Write what is proposed for whom, so that a later run sees what came of it.

        Parameters
        ----------
        proposed : table or None
            ``customer_id``, ``arm`` and what else is told of a proposal. None takes back what an
            earlier run of the same day proposed.
        part : str
            A second list of the same notebook, which is a test of its own, has a name.
        """
        name = f"{self.section}_{part}" if part else self.section
        path = self.paths.actions(name, self.params.snapshot)
        if proposed is None:
            path.unlink(missing_ok=True)
            return None
        return self.write(
            path, proposed.mutate(notebook=ibis.literal(self.notebook)), ["customer_id"]
        )

    def say(self, *messages: Message) -> report.Shown:
        """Show sentences in the report's language."""
        return report.Shown("".join(report.note(m, self.words).html for m in messages))

    def plot(
        self, draw: Callable[[pd.DataFrame, Words], Chart], *tables: pd.DataFrame
    ) -> report.Shown:
        """Draw a figure of each table that has rows, one below the other; none of no table."""
        if not tables:
            return report.Shown("")
        charts = [draw(table, self.words)._repr_html_() for table in tables if len(table)]
        if not charts:
            return self.say(say("There is not enough to draw."))
        return report.Shown("".join(charts))

    def save_table(
        self,
        name: str,
        frame: pd.DataFrame,
        *,
        counts: Sequence[str] = (),
        with_them: Sequence[str] = (),
        rows: str | None = None,
        sums: Sequence[tuple[int | None, Sequence[int]]] = (),
        differences: Sequence[tuple[int, int]] = (),
        show_rows: pd.Series | None = None,
        **shown: Any,
    ) -> report.ShownTable:
        """Write the numbers behind a figure to ``tables/<name>.csv`` and show them.

        Parameters
        ----------
        name : str
        frame : DataFrame
            Cells may be messages.
        counts, with_them, rows, sums, differences
            What to mask; see :func:`customerlab.privacy.mask_counts`.
        show_rows : Series of bool, optional
            Which rows to show; all are written.
        **shown
            How to show it; see :meth:`show`.
        """
        refuse_personal_columns(frame, f"tables/{name}.csv")
        masked = mask_counts(
            frame,
            min_cell=self.params.privacy.min_cell,
            counts=counts,
            with_them=with_them,
            rows=rows,
            sums=sums,
            differences=differences,
        )
        cells = masked.map(self._cell)
        write_whole(self.paths.table(name), lambda part: cells.to_csv(part, index=False))
        self._written.append(self.paths.table(name))
        return self.show(masked if show_rows is None else masked[show_rows], table=name, **shown)

    def show(
        self,
        frame: pd.DataFrame,
        columns: Sequence[str] | None = None,
        table: str = "",
        **shown: Any,
    ) -> report.ShownTable:
        """Show a table in the report's language.

        Parameters
        ----------
        frame : DataFrame
        columns : sequence of str, optional
            Which columns, in which order; left out, all but the ends of intervals. Headings and
            formats are those of :data:`customerlab.headings.COLUMNS`; a client's own column keeps
            its name.
        table : str
            What the table is called: it may have headings of its own.
        **shown
            ``caption`` and ``intervals`` of :func:`customerlab.report.show_table`.
        """
        ends = {end for pair in (shown.get("intervals") or {}).values() for end in pair}
        chosen = [c for c in frame.columns if c not in ends] if columns is None else list(columns)
        known = {
            name: COLUMNS.get(f"{table}.{name}", COLUMNS.get(name, (name, "text")))
            for name in chosen
        }
        headings = {name: heading for name, (heading, _) in known.items()}
        formats = {name: unit for name, (_, unit) in known.items()}
        return report.show_table(frame, self.words, headings=headings, formats=formats, **shown)

    def _cell(self, value: Any) -> Any:
        if isinstance(value, Message):
            return self.words(value)
        if isinstance(value, Decimal):
            return f"{value:.2f}"
        if isinstance(value, float):
            return round(value, PLACES) + 0.0  # minus nothing is nothing
        return value

    # findings and checks ---------------------------------------------------------------------

    def answers(self, *first: str) -> None:
        """Show the answers here; the cells below fill them.

        Parameters
        ----------
        *first : str
            Ids, or beginnings of ids, of the findings that belong on top of the page, in this
            order. All of them when left out; the others stand where they are found.
        """
        self._first = first
        self._display = DisplayHandle()
        self._display.display(report.answers((), self.words))

    def find(self, *findings: Finding) -> report.Shown:
        """Take findings up into the answers and return their sentences as a reading."""
        self._findings.extend(findings)
        self._refresh()
        return self.say(*(finding.text for finding in findings))

    def check(self, *checks: Check) -> report.ShownTable:
        """Take checks up; a failed one weakens the findings that rest on it.

        Where the plan gives the notebook a table ``checks``, all checks so far are written to it.
        """
        self._checks.extend(checks)
        self._refresh()
        if "checks" in plan.named(self.notebook).tables:
            self.save_table("checks", tabulate_checks(self._checks))
        return report.checks_table(checks, self.words)

    def _refresh(self) -> None:
        if self._display is not None:
            found = apply_checks(self._findings, self._checks)
            if self._first:
                found = [f for begin in self._first for f in found if f.id.startswith(begin)]
            self._display.update(report.answers(found, self.words))

    def close(self) -> report.ShownTable:
        """Write the findings, list what was written, and forget what no cell asked for."""
        findings = [self._plain(f) for f in apply_checks(self._findings, self._checks)]
        text = json.dumps({"notebook": self.notebook, "findings": findings}, ensure_ascii=False)
        write_text(self.paths.findings(self.notebook), text + "\n")
        if "engine" in self.__dict__:
            self.engine.forget_rest()
        root = self.paths.root
        names = [str(path.relative_to(root)) for path in dict.fromkeys(self._written)]
        return self.show(pd.DataFrame({"written": names}))

    def _plain(self, finding: Finding) -> dict[str, Any]:
        """Return a finding as it stands in ``findings.json``."""

        def number(value: Any, unit: str = finding.unit) -> float | int | str | None:
            if isinstance(value, Message):
                return self.words(value)
            if unit == "customers" and 0 < (value or 0) < self.params.privacy.min_cell:
                return f"<{self.params.privacy.min_cell}"
            if value is None or (isinstance(value, float) and not math.isfinite(value)):
                return None
            return int(value) if isinstance(value, Integral) else float(f"{float(value):.9g}")

        return {
            "id": finding.id,
            "notebook": self.notebook,
            "text": self.words(finding.text),
            "value": number(finding.value),
            "low": number(finding.low),
            "high": number(finding.high),
            "unit": finding.unit,
            "n": number(finding.n, "customers"),
            "status": finding.status,
        }
