"""Who of those who count as here has left unnoticed: by the silence, and by what is known of them.

Who leaves makes a last movement like any other, and only the silence after it tells, weeks later.
But whose accounts were emptied with it has more likely gone than the next customer with the same
silence. So the question is asked of days that lie back so far that it has been answered since,
with what was known of the customers on those days.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from customerlab.calendar_months import months_before
from customerlab.cells import cells
from customerlab.churn.levels import MIN_LEVEL_EVENTS, as_levels
from customerlab.churn.together import fit_together, pair_name, pairs_of, with_pairs
from customerlab.durations import seen_at
from customerlab.features import FADING
from customerlab.person_months import features_of_people

#: Days that are looked back to, a month apart.
_DAYS = 3


def judge_silence(
    here: ir.Table,
    movements: ir.Table,
    tables: Mapping[str, ir.Table],
    *,
    snapshot: dt.date,
    idle_days: int,
    features: Sequence[str],
) -> ir.Table:
    """Return who counts as here, with how likely each still is given what is known of them.

    Parameters
    ----------
    here : table
        ``silent`` (tens of days; see :func:`customerlab.durations.here_at`), ``still_here`` by the
        silence alone, and `features`.
    movements : table
        ``customer_id`` and ``occurred_at``.
    tables : mapping of str to table
        The clean tables, from which the features of the earlier days are read.
    snapshot, idle_days
        As in :func:`customerlab.durations.here_at`.
    features : sequence of str
        Of :func:`customerlab.person_months.features_of_people`, without ``tenure_band``.

    Returns
    -------
    table
        `here` without ``silent``. ``still_here`` is one less the chance of having gone, of a
        complementary log-log model of the silence and the features
        (:func:`customerlab.churn.together.fit_together`). It stays what it was where fewer than 30
        had gone on the earlier days, and after silences of which nearly nobody came back, or nearly
        everybody, or that nobody had kept.
    """
    asked = _both(_asked(movements, tables, snapshot, idle_days, features))
    usual = {
        name: str(asked.groupby(as_levels(asked[name]))["n"].sum().idxmax())
        for name in features
        if name in FADING and len(asked)
    }
    pairs = pairs_of([*usual])
    made_of = {pair_name(pair): pair for pair in pairs}
    model = fit_together(with_pairs(asked, pairs, usual), features, made_of, time="silent")
    if not model.fitted:
        return here.drop("silent")
    keys = ["silent", *features]
    known = cells(here, by=[*keys, "still_here"])
    text = known.assign(**{name: as_levels(known[name]) for name in keys})
    known["judged"] = 1 - model.chance(with_pairs(text, pairs, usual))
    both = text["silent"].isin(as_levels(asked["silent"]))
    known["judged"] = known["judged"].where(both, known["still_here"])
    judged = ibis.memtable(
        known[[*keys, "judged"]],
        schema={**{name: here[name].type() for name in keys}, "judged": "float64"},
    )
    judged = judged.rename({f"at_{name}": name for name in keys})
    same = [here[name].identical_to(judged[f"at_{name}"]) for name in keys]
    joined = here.join(judged, same)
    kept = [name for name in here.columns if name not in ("silent", "still_here")]
    return joined.select(*kept, still_here=joined.judged)


def _both(asked: pd.DataFrame) -> pd.DataFrame:
    """Leave out silences of which too few came back, or too few did not, for a ratio."""
    told = asked.groupby("silent")[["n", "events"]].transform("sum")
    fewest = np.minimum(told["events"], told["n"] - told["events"])
    return asked[fewest >= MIN_LEVEL_EVENTS]


def _asked(
    movements: ir.Table,
    tables: Mapping[str, ir.Table],
    snapshot: dt.date,
    idle_days: int,
    features: Sequence[str],
) -> pd.DataFrame:
    """Count who counted as here on days that have been answered, and who had gone (``events``)."""
    first = next(
        back
        for back in range(1, 1 + idle_days)
        if months_before(snapshot, back) <= snapshot - dt.timedelta(days=idle_days)
    )
    dates = {"snapshot": snapshot, "idle_days": idle_days}
    parts = []
    for back in range(first, first + _DAYS):
        day = months_before(snapshot, back)
        seen = seen_at(movements, day, **dates).mutate(clock=ibis.literal(day))
        parts.append(features_of_people(seen, tables, snapshot=day, features=features))
    rows = ibis.union(*(part.select("silent", "gone", *features) for part in parts))
    return cells(rows, by=["silent", *features], sums={"events": rows.gone})
