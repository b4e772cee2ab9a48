"""The true chance of leaving after the snapshot, over all that may happen until then."""

from __future__ import annotations

import numpy as np
import pandas as pd

from customerlab.simulate import planted
from customerlab.simulate.lives import Lives
from customerlab.simulate.people import JOINER, People, Window

#: Horizons of the truth file, in months after the snapshot.
HORIZONS = (1, 3, 5)


def leave_chances(people: People, lives: Lives, window: Window) -> pd.DataFrame:
    """Return each active customer's chance of leaving within each horizon.

    Exact: the chances of the nine states (three of payroll, three of complaints) are carried
    forward month by month, as the simulation itself would draw them.

    Returns
    -------
    DataFrame
        ``person`` (place in the piece) and ``leave_within_<h>`` for each of `HORIZONS`.
    """
    now = lives.final
    where = now["person"].to_numpy()
    count = len(where)
    state = np.zeros((count, 3, 3))
    payroll = _place(now["payroll"], planted.PAYROLL_STATES)
    state[np.arange(count), payroll, np.minimum(now["unresolved"].to_numpy(), 2)] = 1.0
    # The salary of last month's joiners is paid for the first time now.
    starts = people.payroll & (people.group == JOINER)
    starts = (starts & (people.joined_month == window.months - 1))[where]
    complaint_ratio = np.array(list(planted.HAZARD_RATIOS["unresolved"].values()))
    first = planted.COMPLAINT * planted.COMPLAINT_UNRESOLVED
    complaints = np.array(
        [
            [1 - first, first, 0],
            [0, 1 - planted.COMPLAINT_AGAIN, planted.COMPLAINT_AGAIN],
            [0, 0, 1],
        ]
    )
    stop = planted.PAYROLL_STOP
    salaries = np.array([[1, 0, 0], [0, 1 - stop, stop], [0, 0, 1]])
    result = {"person": where}
    for month in range(max(HORIZONS)):
        features = now.assign(
            tenure_months=now["tenure_months"] + month,
            age=people.age(window, window.months + month)[where],
            unresolved=0,
        )
        for place, name in enumerate(planted.PAYROLL_STATES):
            hazard = planted.true_hazard(features.assign(payroll=name))
            rate = -np.log1p(-hazard)
            state[:, place, :] *= np.exp(-rate[:, None] * complaint_ratio)
        if month + 1 in HORIZONS:
            result[f"leave_within_{month + 1}"] = 1 - state.sum(axis=(1, 2))
        state = np.einsum("npc,pq,cd->nqd", state, salaries, complaints)
        if month == 0:
            state[starts, 1] += state[starts, 0]
            state[starts, 0] = 0
    return pd.DataFrame(result)


def _place(values: pd.Series, words: tuple[str, ...]) -> np.ndarray:
    return values.map({word: place for place, word in enumerate(words)}).to_numpy(dtype=int)
