"""Whether later customers are like those the model learnt from: population stability (PSI)."""

from __future__ import annotations

import numpy as np
import pandas as pd
import scipy

from customerlab.features import feature_name
from customerlab.findings import Finding
from customerlab.messages import Message, listed, say
from customerlab.response.columns import as_bands, as_numbers, band_edges, is_number

#: The usual limits: below the first it is the same, from the second on the model is to be fitted
#: again (Siddiqi 2006).
MOVED, FAR = 0.10, 0.25
#: The score, among the columns.
SCORE = "score"
CALLED: dict[str, Message] = {
    "same": say("as before"),
    "moved": say("somewhat different"),
    "far": say("very different"),
}
COLUMNS = ["feature", "psi", "by_chance", "called"]


def stability(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    r"""Compare how the contacts spread over the levels of each column, before and after.

    .. math:: \mathrm{PSI} = \sum_i (a_i - b_i) \log(a_i / b_i)

    over tenths of a number before, or the values of a text, half a contact added to each level.
    Where nothing has changed it is about chi-squared times :math:`1/n + 1/m` (Yurdakul 2018), so
    few contacts look different by chance: only what lies above its 95 % quantile is called so.

    Parameters
    ----------
    before, after : DataFrame
        The same columns; put the chance in as :data:`SCORE`. A column that is in `before` alone is
        missing in all of `after`.

    Returns
    -------
    DataFrame
        ``feature``, ``psi``, ``by_chance`` (its 95 % quantile if nothing changed), ``called`` (a
        key of :data:`CALLED`); the most different first. No rows without contacts.
    """
    rows = []
    for name in before if len(before) and len(after) else []:
        old = before[name]
        new = after[name] if name in after else pd.Series(np.nan, index=after.index)
        edges = None
        if is_number(old):
            edges = _tenths(as_numbers(old))
            if not is_number(new):
                new = pd.to_numeric(new, errors="coerce")
        elif is_number(new):
            new = new.astype("string")
        old, new = as_bands(old, edges), as_bands(new, edges)
        b, a = (one.value_counts().astype(float) for one in (old, new))
        levels = sorted(set(b.index) | set(a.index))
        b, a = (one.reindex(levels, fill_value=0).to_numpy() + 0.5 for one in (b, a))
        b, a = b / b.sum(), a / a.sum()
        psi = float(((a - b) * np.log(a / b)).sum())
        both = 1 / len(old) + 1 / len(new)
        chance = float(scipy.stats.chi2.ppf(0.95, len(levels) - 1) * both) if len(levels) > 1 else 0
        called = "same" if psi < max(MOVED, chance) else "moved" if psi < FAR else "far"
        rows.append((name, psi, chance, called))
    table = pd.DataFrame(rows, columns=COLUMNS)
    return table.sort_values("psi", ascending=False, kind="stable", ignore_index=True)


def _tenths(values: np.ndarray) -> np.ndarray:
    """Return the ends of the tenths; what lies beyond all that was known has levels of its own."""
    there = values[~np.isnan(values)]
    if not len(there):
        return there
    return np.concatenate(
        [[np.nextafter(there.min(), -np.inf)], band_edges(values, 10), [there.max()]]
    )


def stability_to_show(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table in words; it holds no counts."""
    return table.assign(
        feature=[
            say("the model's chance") if one == SCORE else feature_name(one)
            for one in table["feature"]
        ],
        called=[CALLED[one] for one in table["called"]],
    )


def tell_stability(table: pd.DataFrame) -> Finding:
    """Return ``response_model.stable``: how many columns are very different from before."""
    id_ = "response_model.stable"
    if table.empty:
        text = say("There are no later contacts to compare the customers with.")
        return Finding(id_, text, unit="count", status="not_enough_data")
    far = table.loc[table["called"] == "far", "feature"].tolist()
    text = say("Today's customers are like those the model learnt from.")
    if far:
        named = [say("the model's chance") if one == SCORE else feature_name(one) for one in far]
        text = say(
            "Today's customers are very different from those the model learnt from, in: "
            "{features}. Fit the model again before relying on its cut-off.",
            features=listed(named),
        )
    elif (table["called"] == "moved").any():
        text = say("Today's customers are somewhat different from those the model learnt from.")
    return Finding(id_, text, len(far), len(far), len(far), "count")
