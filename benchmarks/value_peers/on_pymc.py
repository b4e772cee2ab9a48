"""pymc-marketing: pandas makes one row per customer, its models see the rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from peer import DAY, Parameters, Way, read_purchases, run, write_scores
from pymc_extras.prior import Prior
from pymc_marketing.clv import BetaGeoModel, GammaGammaModel, rfm_summary

Models = tuple[BetaGeoModel, GammaGammaModel]


def summarise(folder: Path) -> pd.DataFrame:
    """Return weeks, as ours: multiples of a seventh."""
    return rfm_summary(
        read_purchases(folder),
        *("customer_id", "day", "paid"),
        observation_period_end=pd.Timestamp(DAY),
        time_unit="D",
        time_scaler=7,
    )


def fit(rows: pd.DataFrame) -> tuple[Models, Parameters]:
    """Take flat priors: the maximum a posteriori is then that of the likelihood."""
    flat = {name: Prior("HalfFlat") for name in ("r", "alpha", "a", "b")}
    often = BetaGeoModel(model_config=flat)
    often.fit(rows[["customer_id", "frequency", "recency", "T"]], method="map", progressbar=False)
    paid = GammaGammaModel(model_config={name: Prior("HalfFlat") for name in "pqv"})
    paying = rows.loc[rows["frequency"] > 0, ["customer_id", "frequency", "monetary_value"]]
    paid.fit(paying, method="map", progressbar=False)
    found = {
        name: float(model.fit_result[name].to_numpy().ravel()[0])
        for model, names in ((often, ("r", "alpha", "a", "b")), (paid, "pqv"))
        for name in names
    }
    return (often, paid), found


def score(rows: pd.DataFrame, models: Models, out: Path) -> None:
    often, paid = models
    alive = np.ravel(often.expected_probability_alive(rows))
    amounts = np.ravel(paid.expected_customer_spend(rows))

    def purchases(weeks: float) -> np.ndarray:
        return np.ravel(often.expected_purchases(rows, future_t=weeks))

    write_scores(out, rows["customer_id"], alive, amounts, purchases)


if __name__ == "__main__":
    run({"pymc": Way(summarise, fit, score)})
