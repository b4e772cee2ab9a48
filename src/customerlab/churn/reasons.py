"""Why one customer rather than another: what raises the chance most, in words."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from customerlab.churn.outlook import Outlook
from customerlab.churn.together import features_of
from customerlab.features import SYMPTOMS, feature_name, level_name
from customerlab.messages import Message, say

#: What raises the hazard by less than a tenth above the usual is no reason.
LEAST = float(np.log(1.1))

#: The calendar is nothing that anybody could do something about.
NO_REASONS = frozenset({"lead", "tenure_band"})

#: How many reasons a customer gets at most.
MOST = 2


def find_reasons(
    causes: Outlook,
    outlook: Outlook,
    cells: pd.DataFrame,
    moved: Callable[[int], dict[str, np.ndarray]],
    months: int,
) -> dict[str, np.ndarray]:
    """Return what raises each cell's chance most above that of all customers here.

    A feature's part is what it adds to the logarithm of the hazard, in the mean of the months
    ahead, less the mean of that over all customers here; with several exits, that of each exit by
    its share of the hazard. The causes come first, by the model of what goes with leaving. A sign
    that leaving has begun (:data:`customerlab.features.SYMPTOMS`) fills a place that is left.

    Parameters
    ----------
    causes, outlook : Outlook
        The model of causes, and the one that foretells.
    cells : DataFrame
        Customers' features and how many are expected to be ``here``.
    moved : callable
        Returns the bands that the calendar has moved so many months on.
    months : int
        How many months ahead.

    Returns
    -------
    dict of str to ndarray
        ``reason_1`` and ``reason_2``: ``feature=level``, or None.
    """
    weight = cells["here"].to_numpy(float)
    parts = _parts(causes, cells, moved, months)
    signs = {
        name: x for name, x in _parts(outlook, cells, moved, months).items() if name in SYMPTOMS
    }
    own = [name for name in parts if name not in {*NO_REASONS, *signs}]
    codes = np.full((MOST, len(cells)), None, dtype=object)
    if not weight.sum():
        return {f"reason_{place + 1}": codes[place] for place in range(MOST)}
    taken = np.zeros(len(cells), dtype=int)
    for names, values in ((own, parts), ([*signs], signs)):
        if not names:
            continue
        above = np.column_stack(
            [values[name] - np.average(values[name], weights=weight) for name in names]
        )
        order = np.argsort(-above, axis=1, kind="stable")[:, :MOST]
        for rank in range(order.shape[1]):
            which = order[:, rank]
            counts = (above[np.arange(len(cells)), which] > LEAST) & (taken < MOST)
            for i in np.unique(which[counts]):
                mine = np.flatnonzero(counts & (which == i))
                codes[taken[mine], mine] = (
                    names[i] + "=" + cells[names[i]].astype(str)
                ).to_numpy()[mine]
            taken += counts
    return {f"reason_{place + 1}": codes[place] for place in range(MOST)}


def _parts(
    outlook: Outlook,
    cells: pd.DataFrame,
    moved: Callable[[int], dict[str, np.ndarray]],
    months: int,
) -> dict[str, np.ndarray]:
    """Return what each feature adds to the logarithm of the hazard, in the mean of the months."""
    parts: dict[str, np.ndarray] = {}
    for ahead in range(months):
        rows = outlook.rows(cells.assign(**moved(ahead)), ahead)
        chances = {exit_: chance for exit_, chance, _ in outlook.hazards_of(rows)}
        total = np.maximum(sum(chances.values()), np.finfo(float).tiny)
        for exit_, hazard in outlook.hazards.items():
            at = 1
            for term in hazard.terms:
                size = len(term.free)
                own = term.indicators(rows[term.term]) @ hazard.coefficients[at : at + size]
                at += size
                name = term.term.removesuffix("_ahead")
                if len(features_of(name)) > 1:  # what two say together is nobody's alone
                    continue
                parts[name] = parts.get(name, 0.0) + own * chances[exit_] / total / months
    return parts


def reason_in_words(code: str) -> Message:
    """Return what a reader calls a reason."""
    feature, level = code.split("=", 1)
    return say(
        "{feature}: {level}", feature=feature_name(feature), level=level_name(feature, level)
    )
