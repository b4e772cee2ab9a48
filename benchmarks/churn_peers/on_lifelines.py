"""lifelines: one row per customer, or per piece of a stay."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from lifelines import CoxPHFitter, CoxTimeVaryingFitter, KaplanMeierFitter
from peer import TERMS, Estimates, Model, coefficients, curve, design, read, read_levels, run
from peer import names as names_of
from peer import start_stop as cut


def read_ends(folder: Path) -> pd.DataFrame:
    return read(folder, ["duration", "churned"])


def kaplan_meier(stays: pd.DataFrame) -> Estimates:
    fitter = KaplanMeierFitter().fit(stays["duration"], stays["churned"])
    table = fitter.survival_function_.join(fitter.confidence_interval_)
    return curve(table.index.to_numpy(), *table.to_numpy().T)


def read_stays(folder: Path) -> pd.DataFrame:
    stays, levels = read(folder, ["duration", "churned", *TERMS]), read_levels(folder)
    frame = pd.DataFrame(design(stays, levels, TERMS), columns=names_of(levels, TERMS))
    return frame.assign(duration=stays["duration"], churned=stays["churned"])


def cox(frame: pd.DataFrame) -> Estimates:
    fitter = CoxPHFitter().fit(frame, "duration", "churned")
    return _of(fitter)


def read_pieces(folder: Path) -> pd.DataFrame:
    columns = ["customer_id", "entry", "duration", "churned", "changes_in", *TERMS]
    pieces, levels = cut(read(folder, columns)), read_levels(folder)
    frame = pd.DataFrame(design(pieces, levels, TERMS), columns=names_of(levels, TERMS))
    rest = pieces[["customer_id", "start", "stop", "left"]].reset_index(drop=True)
    return pd.concat([frame, rest], axis=1)


def cox_pieces(frame: pd.DataFrame) -> Estimates:
    fitter = CoxTimeVaryingFitter().fit(
        frame, id_col="customer_id", event_col="left", start_col="start", stop_col="stop"
    )
    return _of(fitter)


def _of(fitter: CoxPHFitter | CoxTimeVaryingFitter) -> Estimates:
    found, errors = fitter.params_, fitter.standard_errors_
    return coefficients(list(found.index), found.to_numpy(), errors.loc[found.index].to_numpy())


if __name__ == "__main__":
    run(
        {
            "curve": Model(read_ends, kaplan_meier),
            "cox": Model(read_stays, cox),
            "changing": Model(read_pieces, cox_pieces),
        }
    )
