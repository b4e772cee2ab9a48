"""customerlab: the engine makes histories, counts them and scores; the models see the counts."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import ibis
from peer import DAY, HORIZONS, Parameters, Way, run

from customerlab.value.bgnbd import PARAMETERS, BgNbd, fit_bgnbd
from customerlab.value.gamma_gamma import PARAMETERS as OF_PAID
from customerlab.value.gamma_gamma import GammaGamma, fit_gamma_gamma
from customerlab.value.histories import count_histories, count_spending, histories, purchase_days
from customerlab.value.outlook import score_customers

#: Named here, so that it is loaded as the peers are, before the clock runs.
ENGINE = ibis.duckdb

Models = tuple[BgNbd, GammaGamma]


def count(folder: Path, *, grain_days: int = 1, step: float = 0.0) -> SimpleNamespace:
    """Make the histories of all customers and count them."""
    engine = ENGINE.connect()
    days = purchase_days(engine.read_parquet(folder / "purchases.parquet"))
    each = engine.create_table("each", histories(days, DAY, grain_days=grain_days))
    counts, spending = count_histories(each), count_spending(each, step=step)
    return SimpleNamespace(engine=engine, each=each, counts=counts, spending=spending)


def fit(data: SimpleNamespace) -> tuple[Models, Parameters]:
    models = fit_bgnbd(data.counts), fit_gamma_gamma(data.spending)
    values = [*models[0].parameters, *models[1].parameters]
    return models, dict(zip((*PARAMETERS, *OF_PAID), values, strict=True))


def score(data: SimpleNamespace, models: Models, out: Path) -> None:
    scores = score_customers(data.each, *models, data.counts, HORIZONS)
    data.engine.to_parquet(scores, out)


if __name__ == "__main__":
    run(
        {
            "counts": Way(count, fit, score),
            "rounded": Way(lambda folder: count(folder, grain_days=7, step=0.01), fit, score),
        }
    )
