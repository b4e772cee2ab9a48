"""Each arm's means and covariances, added up by the engine."""

from __future__ import annotations

from collections.abc import Sequence

import ibis
import ibis.expr.types as ir
import numpy as np

from customerlab.drivers.moments import BAG, count_moments
from customerlab.uplift.sums import ArmSums, sums_of


def sum_arms(rows: ir.Table, names: Sequence[str], by: Sequence[str] = ("arm",)) -> dict:
    """Return the sums of each group of rows.

    Parameters
    ----------
    rows : table
        `names` (numbers or booleans) and `by` (texts).
    names : sequence of str
        Outcomes and covariates, none missing in any row.
    by : sequence of str
        Columns that make the groups; rows without a value are in none.

    Returns
    -------
    dict of str, or of tuple of str, to ArmSums
        By the value of the column, or the values of the columns where they are several.

    Raises
    ------
    CustomerlabError
        If a number is missing.
    """
    known = rows.filter([rows[column].notnull() for column in by])
    groups = known.select(*by).distinct().order_by(list(by)).to_pandas()
    keys = list(groups.itertuples(index=False, name=None))
    if not keys:
        return {}
    numbered = [
        (ibis.and_(*(known[column] == value for column, value in zip(by, key, strict=True))), i)
        for i, key in enumerate(keys)
    ]
    bagged = known.mutate(**{BAG: ibis.cases(*numbered)})
    moments = count_moments(bagged, list(names), bags=len(keys))
    sums: dict[object, ArmSums] = {}
    for i, key in enumerate(keys):
        one = np.zeros(len(keys))
        one[i] = 1
        sums[key[0] if len(by) == 1 else key] = sums_of(moments.weighted(one), names)
    return sums
