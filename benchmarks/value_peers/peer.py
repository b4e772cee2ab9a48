"""What the ways of benchmarks/value.py share: the steps, the purchases, the names of scores.

    python on_....py WAY FOLDER OUT

OUT is a CSV file with ``what``, ``name``, ``value``: seconds by the clock and of all processors of
each step, and the parameters. Scores are written to ``scores-WAY.parquet`` in the folder. The clock
starts when everything is imported. Needs nothing but pandas with pyarrow.
"""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from clocked import Clock

#: The last day that is known.
DAY = dt.date(2025, 12, 31)
HORIZONS = (3, 6, 12)
#: Weeks of a month, as in customerlab.value.outlook.
WEEKS_A_MONTH = 365.25 / 12 / 7

Parameters = dict[str, float]


class Way(NamedTuple):
    """How histories are made of purchases, models of histories, and scores of both.

    ``fit`` returns the models and their parameters: r, alpha (weeks), a, b, p, q, v.
    """

    prepare: Callable[[Path], Any]
    fit: Callable[[Any], tuple[Any, Parameters]]
    score: Callable[[Any, Any, Path], None]


def run(ways: Mapping[str, Way]) -> None:
    """Work out the way named first on the command line, from a folder, into a file."""
    name, folder, out = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    way, clock = ways[name], Clock()
    data = clock.time("prepare", lambda: way.prepare(folder))
    models, found = clock.time("fit", lambda: way.fit(data))
    clock.time("score", lambda: way.score(data, models, folder / f"scores-{name}.parquet"))
    clock.write(out, {("parameter", parameter): value for parameter, value in found.items()})


def read_purchases(folder: Path) -> pd.DataFrame:
    """Return the purchases, as people's pandas has them."""
    rows = pd.read_parquet(folder / "purchases.parquet")
    return rows.assign(day=pd.to_datetime(rows["day"]))


def write_scores(
    out: Path,
    customers: Any,
    alive: Any,
    paid: Any,
    purchases: Callable[[float], Any],
) -> None:
    """Write the same columns as ours; of the purchases to come what `purchases` says of weeks."""
    scores = pd.DataFrame({"customer_id": customers, "alive": alive, "paid": paid})
    for months in HORIZONS:
        expected = purchases(months * WEEKS_A_MONTH)
        scores[f"purchases_{months}_months"] = expected
        scores[f"value_{months}_months"] = expected * scores["paid"]
    scores.to_parquet(out, index=False)
