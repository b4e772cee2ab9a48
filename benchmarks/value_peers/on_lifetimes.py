"""lifetimes: pandas makes one row per customer; its fitters see rows, or rows counted by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from lifetimes import BetaGeoFitter, GammaGammaFitter
from lifetimes.utils import summary_data_from_transaction_data
from peer import DAY, Parameters, Way, read_purchases, run, write_scores

Models = tuple[BetaGeoFitter, GammaGammaFitter]


def summarise(folder: Path) -> pd.DataFrame:
    """Return weeks, as ours: multiples of a seventh."""
    return summary_data_from_transaction_data(
        read_purchases(folder),
        *("customer_id", "day", "paid"),
        observation_period_end=DAY,
        freq="D",
        freq_multiplier=7,
    )


def fit(rows: pd.DataFrame) -> tuple[Models, Parameters]:
    often = BetaGeoFitter().fit(rows["frequency"], rows["recency"], rows["T"])
    paying = rows[rows["frequency"] > 0]
    paid = GammaGammaFitter().fit(paying["frequency"], paying["monetary_value"])
    return (often, paid), {**often.params_, **paid.params_}


def fit_counts(rows: pd.DataFrame) -> tuple[Models, Parameters]:
    """Fit histories with their number of customers as weights, as lifetimes allows."""
    counts = rows.groupby(["frequency", "recency", "T"]).size().reset_index(name="n")
    often = BetaGeoFitter().fit(
        counts["frequency"], counts["recency"], counts["T"], weights=counts["n"]
    )
    paying = rows[rows["frequency"] > 0].groupby(["frequency", "monetary_value"])
    means = paying.size().reset_index(name="n")
    paid = GammaGammaFitter().fit(means["frequency"], means["monetary_value"], weights=means["n"])
    return (often, paid), {**often.params_, **paid.params_}


def score(rows: pd.DataFrame, models: Models, out: Path) -> None:
    often, paid = models
    of = rows["frequency"], rows["recency"], rows["T"]
    alive = np.asarray(often.conditional_probability_alive(*of))
    amounts = paid.conditional_expected_average_profit(rows["frequency"], rows["monetary_value"])

    def purchases(weeks: float) -> np.ndarray:
        return np.asarray(often.conditional_expected_number_of_purchases_up_to_time(weeks, *of))

    write_scores(out, rows.index, alive, np.asarray(amounts), purchases)


if __name__ == "__main__":
    run(
        {
            "lifetimes": Way(summarise, fit, score),
            "lifetimes_counts": Way(summarise, fit_counts, score),
        }
    )
