"""The curve of chances against responses, as a figure and a report may show it."""

from __future__ import annotations

import pandas as pd

from customerlab.churn.judging_shown import curve_rows_to_show
from customerlab.response.judged import Judgement


def response_curve_to_show(judged: Judgement, min_cell: int) -> pd.DataFrame:
    """Return what :func:`customerlab.plots.response_calibration` draws, for a report, too.

    Neighbouring tenths are joined until at least `min_cell` responded and as many did not; the
    bars are rounded to a multiple of `min_cell`.
    """
    return curve_rows_to_show(judged.curve, min_cell)
