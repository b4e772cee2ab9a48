"""customerlab: the engine counts customers who are alike, the models see the counts."""

from __future__ import annotations

from pathlib import Path

import ibis
import ibis.expr.types as ir
import lifelines  # noqa: F401 -- ours asks for it, and for SciPy, on use; see ENGINE
import pandas as pd
from peer import BANDS, FIXED, TERMS, Estimates, Model, curve, run

from customerlab.cells import cells
from customerlab.churn import fit_cox, fit_hazard, survival

#: Named here, so that it is loaded as the peers are, before the clock runs.
ENGINE = ibis.duckdb


def stays(folder: Path) -> ir.Table:
    return ENGINE.connect().read_parquet(folder / "stays.parquet")


def other(payroll: ir.StringValue) -> ir.StringValue:
    return (payroll == "none").ifelse("running", "none")


def count_ends(folder: Path) -> pd.DataFrame:
    return cells(stays(folder), by=["entry", "duration", "churned"])


def count_stays(folder: Path) -> pd.DataFrame:
    return cells(stays(folder), by=["duration", "churned", *TERMS])


def count_pieces(folder: Path) -> pd.DataFrame:
    """Count stays cut where payroll changes."""
    t = stays(folder)
    cut = (t.changes_in < t.duration).fill_null(False)
    first = t.select(
        "entry",
        *TERMS,
        duration=cut.ifelse(t.changes_in, t.duration),
        churned=t.churned & ~cut,
    )
    then = t.filter(cut).select(
        *FIXED,
        "duration",
        "churned",
        entry=t.changes_in,
        payroll=other(t.payroll),
    )
    both = first.union(then.select(first.columns))
    return cells(both, by=["entry", "duration", "churned", *TERMS])


def count_months(folder: Path) -> pd.DataFrame:
    """Count customer-months; they are rows in the engine only."""
    t = stays(folder)
    t = t.mutate(offset=ibis.range(0, t.duration - t.entry).unnest())
    t = t.mutate(tenure=t.entry + t.offset)
    months = t.mutate(
        left=(t.churned & (t.tenure == t.duration - 1)).cast("int64"),
        payroll=(t.changes_in <= t.tenure).fill_null(False).ifelse(other(t.payroll), t.payroll),
        tenure_band=ibis.cases(
            *((t.tenure >= first, name) for first, name in reversed(BANDS.items()))
        ),
    )
    return cells(months, by=["tenure_band", *TERMS], sums={"events": months.left})


def kaplan_meier(counts: pd.DataFrame) -> Estimates:
    table = survival(counts).table
    return curve(*(table[name].to_numpy() for name in ("month", "survival", "low", "high")))


def of_table(table: pd.DataFrame) -> Estimates:
    names = table["term"] + " " + table["level"]
    return {
        (what, name): value
        for what in ("coefficient", "std_error")
        for name, value in zip(names, table[what], strict=True)
    }


def cox(counts: pd.DataFrame) -> Estimates:
    return of_table(fit_cox(counts, TERMS).table)


def cox_pieces(counts: pd.DataFrame) -> Estimates:
    return of_table(fit_cox(counts, TERMS, entry="entry").table)


def hazard(counts: pd.DataFrame) -> Estimates:
    fitted = fit_hazard(counts, TERMS)
    constant = {("coefficient", "constant"): fitted.coefficients[0]}
    constant["std_error", "constant"] = fitted.covariance[0, 0] ** 0.5
    return constant | of_table(fitted.table[~fitted.table["reference"].astype(bool)])


if __name__ == "__main__":
    run(
        {
            "curve": Model(count_ends, kaplan_meier),
            "cox": Model(count_stays, cox),
            "changing": Model(count_pieces, cox_pieces),
            "monthly": Model(count_months, hazard),
        }
    )
